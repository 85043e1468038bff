//! What the Rust peers share: their options, the prepared files as vectors, the closing JSON line.
//! Options and files are those of `common.py`; the weights come as start-NAME.f32.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

pub const LEARNING_RATE: f64 = 0.001;

/// Which training: `notebook` or `minibatch`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Notebook,
    Minibatch,
}

pub struct Options {
    pub work: Work,
    pub files: PathBuf,
    pub start: PathBuf,
    pub layers: Vec<usize>,
    pub epochs: usize,
    pub batch: usize,
    pub seed: u64,
}

impl Options {
    /// `PEER notebook|minibatch --files FOLDER --start FILE.f32 --layers 784,128,10 --epochs N
    /// --batch N --seed N`. The number of threads comes by RAYON_NUM_THREADS.
    pub fn from_command_line() -> Result<Options> {
        let mut words = std::env::args().skip(1);
        let work = match words.next().as_deref() {
            Some("notebook") => Work::Notebook,
            Some("minibatch") => Work::Minibatch,
            other => bail!("unknown work {other:?}: notebook or minibatch"),
        };
        let mut options = Options {
            work,
            files: PathBuf::new(),
            start: PathBuf::new(),
            layers: vec![784, 128, 10],
            epochs: 1,
            batch: 128,
            seed: 0,
        };
        while let Some(flag) = words.next() {
            let value = words.next().with_context(|| format!("{flag} without a value"))?;
            match flag.as_str() {
                "--files" => options.files = value.into(),
                "--start" => options.start = value.into(),
                "--layers" => {
                    options.layers = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--epochs" => options.epochs = value.parse()?,
                "--batch" => options.batch = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                _ => bail!("unknown option {flag}"),
            }
        }
        Ok(options)
    }

    /// What a pixel is divided by.
    pub fn scale(&self) -> f32 {
        if self.work == Work::Notebook { 1.0 } else { 255.0 }
    }

    /// Weight [in x out] and bias [out] of each layer.
    pub fn start(&self) -> Result<Vec<Layer>> {
        let bytes = read(&self.start)?;
        let (chunks, _) = bytes.as_chunks();
        let mut values = chunks.iter().map(|&chunk| f32::from_le_bytes(chunk));
        let mut layers = Vec::new();
        for pair in self.layers.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weight: Vec<f32> = values.by_ref().take(inputs * outputs).collect();
            let bias: Vec<f32> = values.by_ref().take(outputs).collect();
            ensure!(bias.len() == outputs, "{} is too short", self.start.display());
            layers.push(Layer { inputs, outputs, weight, bias });
        }
        ensure!(values.next().is_none(), "{} is too long", self.start.display());
        Ok(layers)
    }

    /// `train` or `test`: images [samples x 784], scaled, and labels.
    pub fn part(&self, name: &str) -> Result<(Vec<f32>, Vec<u8>)> {
        let images = read(&self.files.join(format!("{name}-images.u8")))?;
        let labels = read(&self.files.join(format!("{name}-labels.u8")))?;
        let images = images.iter().map(|&pixel| f32::from(pixel) / self.scale()).collect();
        Ok((images, labels))
    }

    /// Calls `epoch` so many times as wanted; the seconds of each.
    pub fn timed_epochs(&self, mut epoch: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
        let mut seconds = Vec::new();
        for _ in 0..self.epochs {
            let began = Instant::now();
            epoch()?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        Ok(seconds)
    }
}

pub struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Orders of the samples, a new one each epoch.
pub struct Orders(fastrand::Rng);

impl Orders {
    pub fn new(seed: u64) -> Self {
        Orders(fastrand::Rng::with_seed(seed))
    }

    pub fn next(&mut self, samples: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..samples as u32).collect();
        self.0.shuffle(&mut order);
        order
    }
}

/// The result, as the last line of standard output.
pub fn report(
    epoch_seconds: &[f64],
    train_accuracy: Option<f64>,
    test_accuracy: f64,
    version: &str,
) {
    let facts = serde_json::json!({
        "epoch_seconds": epoch_seconds,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "version": version,
    });
    println!("{facts}");
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
