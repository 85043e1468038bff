//! `gradus bench`: a named data set in, measured training and prediction speeds out, compared with the
//! peak FLOP/s of the CPU.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use gradus::classifier::{Classifier, skips_zeros};
use gradus::data::distort::{Distorter, Distortion, Scratch};
use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, LoadOptions, Rows};
use gradus::network::{Kernels, Network, Workers, available_cores};
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, Preset, TrainConfig, train};
use gradus::transform::Transform;
use gradus::{Error, Result as GradusResult};
use serde::Serialize;

use crate::args::BenchArgs;
use crate::run::output::{print_json, say, stdout, table};
use crate::run::source;

/// One measurement.
#[derive(Serialize)]
struct Figure {
    work: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<usize>,
    threads: usize,
    isa: &'static str,
    /// Median time of an epoch, of one prediction, or of one pass over all samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples_per_second: Option<f64>,
    /// Billions of floating-point operations per second, if they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    gflops: Option<f64>,
    /// Achieved FLOP/s divided by the measured peak.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_peak: Option<f64>,
    /// Training accuracy in the last measured epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
}

/// The machine and the threads in use.
struct Machine {
    kernels: Kernels,
    threads: usize,
    workers: Workers,
    /// Peak floating-point operations per second of all threads together.
    peak: f64,
}

/// Samples per measured epoch of the largest network, for which all samples would take too long.
const FEW_SAMPLES: usize = 12_800;

/// Images that a worker takes at a time to distort.
const DISTORTED_AT_ONCE: usize = 64;

/// Runs the command.
pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    let machine = Machine::new(args.threads.unwrap_or_else(available_cores))?;
    let options = LoadOptions {
        data_dir: args.named.data_dir.clone(),
        download: !args.named.no_download,
        ..LoadOptions::default()
    };
    let loaded = source::load(&options, None)?;
    let (isa, threads) = (machine.kernels.isa().name(), machine.threads);
    if !args.json {
        say(format_args!("{} on {threads} threads, instruction set {isa}", loaded.name));
        say("");
    }
    let mut figures = Vec::new();
    let mut show = |figure: Figure| {
        if args.json {
            return print_json(&figure);
        }
        figures.push(figure);
        Ok(())
    };
    show(machine.peak_figure())?;
    show(machine.notebook(&loaded.train)?)?;
    let few: Vec<usize> = (0..FEW_SAMPLES.min(loaded.train.len())).collect();
    let few = loaded.train.subset(&few);
    for (hidden, part) in
        [(vec![128], &loaded.train), (vec![512], &loaded.train), (vec![1024, 1024], &few)]
    {
        for batch in [32, 128, 1024] {
            show(machine.mini_batches(part, &hidden, batch)?)?;
        }
    }
    for figure in
        machine.predictions(&loaded.train, loaded.test.as_ref().unwrap_or(&loaded.train))?
    {
        show(figure)?;
    }
    if let Some(figure) = machine.distortions(&loaded.train) {
        show(figure)?;
    }
    if !args.json {
        stdout().lines(table(&rows(&figures)))?;
    }
    Ok(())
}

fn rows(figures: &[Figure]) -> Vec<Vec<String>> {
    let heading =
        ["work", "network", "batch", "time", "samples/s", "GFLOP/s", "of peak", "accuracy"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for figure in figures {
        rows.push(vec![
            figure.work.into(),
            figure.network.clone().unwrap_or_default(),
            figure.batch.map(|batch| batch.to_string()).unwrap_or_default(),
            figure.seconds.map(time).unwrap_or_default(),
            figure.samples_per_second.map(|rate| format!("{rate:.0}")).unwrap_or_default(),
            figure.gflops.map(|gflops| format!("{gflops:.1}")).unwrap_or_default(),
            figure.share_of_peak.map(|share| format!("{share:.2}")).unwrap_or_default(),
            figure.accuracy.map(|accuracy| format!("{accuracy:.4}")).unwrap_or_default(),
        ]);
    }
    rows
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.2} us", s * 1e6),
        s if s < 0.1 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}

/// The median; of an even number of values the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// The number of non-zero values.
fn non_zeros(inputs: &Inputs) -> usize {
    match inputs.rows() {
        Rows::Bytes(values) => values.iter().filter(|&&value| value != 0).count(),
        Rows::Floats(values) => values.iter().filter(|&&value| value != 0.0).count(),
        Rows::Doubles(values) => values.iter().filter(|&&value| value != 0.0).count(),
        Rows::Sparse(rows) => rows.values().iter().filter(|&&value| value != 0.0).count(),
        // No named data set is a table, or too large for memory.
        Rows::Table(_) | Rows::Streamed(_) => inputs.len(),
    }
}

/// Floating-point operations of one pass of `data` through layers of these sizes: forward only, or with the
/// gradients. Zero inputs count unless they are skipped.
fn operations(data: &Dataset, sizes: &[usize], skips_zeros: bool, training: bool) -> f64 {
    let (samples, last) = (data.len() as f64, sizes.len() - 1);
    let inputs = if skips_zeros { non_zeros(&data.inputs) } else { data.inputs.len() } as f64;
    let first = 2.0 * inputs * sizes[1] as f64;
    let others: f64 =
        (1..last).map(|layer| 2.0 * samples * (sizes[layer] * sizes[layer + 1]) as f64).sum();
    if training { 2.0 * first + 3.0 * others } else { first + others }
}

impl Machine {
    fn new(threads: usize) -> Result<Machine> {
        let kernels = Kernels::detect().map_err(Error::argument)?;
        let workers = Workers::new(threads).map_err(anyhow::Error::msg)?;
        let once = || {
            let begin = Instant::now();
            let operations = AtomicU64::new(0);
            workers.run(|_| {
                let (done, value) = kernels.multiply_adds(2_000_000);
                std::hint::black_box(value);
                operations.fetch_add(done, Ordering::Relaxed);
            });
            operations.into_inner() as f64 / begin.elapsed().as_secs_f64()
        };
        // The best of several runs, since other processes can only slow it down.
        let peak = (0..9).map(|_| once()).fold(0.0, f64::max);
        Ok(Machine { kernels, threads, workers, peak })
    }

    /// The measurement of `operations` in `seconds`, for `samples` samples.
    fn figure(&self, work: &'static str, seconds: f64, samples: usize, operations: f64) -> Figure {
        Figure {
            work,
            network: None,
            batch: None,
            threads: self.threads,
            isa: self.kernels.isa().name(),
            seconds: Some(seconds),
            samples_per_second: Some(samples as f64 / seconds),
            gflops: Some(operations / seconds / 1e9),
            share_of_peak: Some(operations / seconds / self.peak),
            accuracy: None,
        }
    }

    fn peak_figure(&self) -> Figure {
        let figure = self.figure("peak", 1.0, 0, self.peak);
        Figure { seconds: None, samples_per_second: None, ..figure }
    }

    /// Measures epochs of the notebook: full batch, raw pixels.
    fn notebook(&self, data: &Dataset) -> Result<Figure> {
        let config = TrainConfig { epochs: 13, ..Preset::Notebook.config() };
        self.epochs("notebook epoch", data, config, None)
    }

    /// Measures epochs of shuffled mini-batches with Adam.
    fn mini_batches(&self, data: &Dataset, hidden: &[usize], batch: usize) -> Result<Figure> {
        let config = TrainConfig {
            hidden: hidden.to_vec(),
            normalization: Normalization::Unit,
            optimizer: Optimizer::ADAM,
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            batch_size: BatchSize::Samples(batch),
            epochs: 4,
            ..TrainConfig::default()
        };
        self.epochs("mini-batch epoch", data, config, Some(batch))
    }

    /// Trains, and takes the median time of all epochs but the first, which warms up.
    fn epochs(
        &self,
        work: &'static str,
        data: &Dataset,
        config: TrainConfig,
        batch: Option<usize>,
    ) -> Result<Figure> {
        let config = TrainConfig { threads: Some(self.threads), ..config };
        let trained = train(&config, data, None, None, &AtomicBool::new(false), &mut |_| {})?;
        let epochs = &trained.history.epochs;
        let seconds = median(epochs[1..].iter().map(|epoch| epoch.seconds).collect());
        let sizes = sizes(&trained.model.network);
        let transform = Transform::fit(config.normalization, data);
        let sparse = skips_zeros(&transform, data);
        let operations = operations(data, &sizes, sparse, true);
        Ok(Figure {
            network: Some(shape(&sizes)),
            batch,
            accuracy: epochs.last().and_then(|epoch| epoch.accuracy),
            ..self.figure(work, seconds, data.len(), operations)
        })
    }

    /// Measures predictions: one image at a time on one thread, and all test images at once on all
    /// threads.
    fn predictions(&self, data: &Dataset, test: &Dataset) -> Result<[Figure; 2]> {
        let config = TrainConfig {
            hidden: vec![128],
            epochs: 1,
            threads: Some(self.threads),
            ..TrainConfig::default()
        };
        let trained = train(&config, data, None, None, &AtomicBool::new(false), &mut |_| {})?;
        let classifier = trained.model.into_classifier()?;
        let sizes = sizes(&classifier.network);
        let bytes = matches!(test.inputs, Inputs::Bytes(_));
        let operations = operations(test, &sizes, bytes, false);
        let one = self.one_by_one(&classifier, test)?;
        let all = passes(|| classifier.predict(&test.inputs, &self.workers).map(|_| ()))?;
        let network = Some(shape(&sizes));
        let latency = self.figure("predict one image", one, 1, operations / test.len() as f64);
        // Only one thread works here, so compare with the peak of one thread.
        let share_of_peak = latency.share_of_peak.map(|share| share * self.threads as f64);
        let all = self.figure("predict all test images", all, test.len(), operations);
        Ok([
            Figure { network: network.clone(), threads: 1, share_of_peak, ..latency },
            Figure { network, batch: Some(test.len()), ..all },
        ])
    }

    /// Measures distorting every image once, as `--distort standard` does in each epoch; none if the
    /// samples are not greyscale images.
    fn distortions(&self, data: &Dataset) -> Option<Figure> {
        let distorter = Distorter::for_data(Distortion::STANDARD, data, self.kernels).ok()?;
        let Inputs::Bytes(images) = &data.inputs else { return None };
        let side = data.features();
        let seconds = passes(|| {
            let next = AtomicUsize::new(0);
            self.workers.run(|_| {
                let (mut out, mut scratch) = (vec![0; side], Scratch::default());
                loop {
                    let first = next.fetch_add(DISTORTED_AT_ONCE, Ordering::Relaxed);
                    let images = images.chunks_exact(side).zip(0..).skip(first);
                    let mut left = images.take(DISTORTED_AT_ONCE).peekable();
                    if left.peek().is_none() {
                        break;
                    }
                    for (image, sample) in left {
                        distorter.distort(0, 0, sample, image, &mut out, &mut scratch);
                        std::hint::black_box(&out);
                    }
                }
            });
            Ok(())
        });
        let figure = self.figure("distort all images", seconds.ok()?, data.len(), 0.0);
        Some(Figure { gflops: None, share_of_peak: None, ..figure })
    }

    /// Median time of one prediction, over several passes through the test images.
    fn one_by_one(&self, classifier: &Classifier, test: &Dataset) -> GradusResult<f64> {
        let features = test.features();
        let sample = |index: usize| match test.inputs.rows() {
            Rows::Bytes(values) => Rows::Bytes(&values[index * features..][..features]),
            Rows::Floats(values) => Rows::Floats(&values[index * features..][..features]),
            Rows::Doubles(values) => Rows::Doubles(&values[index * features..][..features]),
            // Named data sets are neither sparse nor tables; the predictor would refuse them.
            rows @ (Rows::Sparse(_) | Rows::Table(_) | Rows::Streamed(_)) => rows,
        };
        let mut predictor = classifier.predictor(matches!(test.inputs, Inputs::Bytes(_)))?;
        let mut times = Vec::new();
        for _ in 0..7 {
            let begin = Instant::now();
            for index in 0..test.len() {
                std::hint::black_box(predictor.predict(sample(index))?);
            }
            times.push(begin.elapsed().as_secs_f64() / test.len() as f64);
        }
        Ok(median(times))
    }
}

/// Median time of `work`, repeated at least five times and for at least half a second.
fn passes(mut work: impl FnMut() -> GradusResult<()>) -> GradusResult<f64> {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || begin.elapsed().as_secs_f64() < 0.5 {
        let begin = Instant::now();
        work()?;
        times.push(begin.elapsed().as_secs_f64());
    }
    Ok(median(times))
}

fn sizes(network: &Network) -> Vec<usize> {
    let linears = network.linears();
    let outputs = linears.iter().map(|linear| linear.outputs);
    std::iter::once(network.inputs()).chain(outputs).collect()
}

fn shape(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_match_a_count_by_hand() {
        let inputs = Inputs::Bytes(vec![1, 0, 0, 2, 3, 0]);
        let data = Dataset::new(inputs, vec![0, 1], vec![3], vec!["a".into(), "b".into()]).unwrap();
        // Three non-zeros to 4 units; 2 samples from 4 to 2 units.
        assert_eq!(operations(&data, &[3, 4, 2], true, false), 24.0 + 32.0);
        assert_eq!(operations(&data, &[3, 4, 2], false, false), 48.0 + 32.0);
        assert_eq!(operations(&data, &[3, 4, 2], true, true), 48.0 + 96.0);
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
