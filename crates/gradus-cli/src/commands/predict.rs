//! `gradus predict`: a model and files in, the class and its probability, or the values, of each sample
//! out.

use std::io::Write;

use anyhow::Result;
use gradus::Error;
use gradus::classifier::{Model, Predictions};
use gradus::data::Task;
use gradus::exchange::Ranks;
use gradus::loss::Loss;
use serde::{Serialize, Serializer};

use super::{predictions_file, predictions_pieces};
use crate::args::PredictArgs;
use crate::run::model::{self, check_top};
use crate::run::output::{
    Exit, Output, buffered_stdout, exit_status, is_closed_pipe, print_error, warn,
};
use crate::run::ranks;
use crate::run::same_files::files_of;
use crate::run::samples::{self, File};
use crate::run::shared_files::{self, FilePredictions, Kind};

/// Runs the command. If one file fails, the others are predicted nevertheless.
pub(crate) fn run(args: &PredictArgs) -> Result<()> {
    let ranks = &ranks::join(args.mpi)?;
    let model = model::load(&args.model)?;
    ranks::compare_models(ranks, &model)?;
    check_top(args.top, &model)?;
    samples::check_options(args, &model)?;
    let widths = args.interval.map(|level| half_widths(&model, level)).transpose()?;
    if let Some(out) = &args.out {
        if predictions_pieces::write(out, &model, widths.as_deref(), args, ranks)? {
            return Ok(());
        }
        return predictions_file::write(out, &model, widths, args, ranks);
    }
    let mut progress = Progress { ranks, is_silent: ranks.rank() > 0, status: None };
    for path in &args.files {
        match files_of(path, args.files.len() == 1, ranks) {
            Ok((files, warnings)) => {
                warnings.iter().for_each(warn);
                shared_files::each(&files, &model, args, ranks, |file, found| {
                    let shown =
                        |found| show(file, found, &model, widths.as_deref(), args, &progress);
                    let done = found.and_then(shown);
                    progress.after(done)
                })?;
            }
            Err(error) => progress.after(Err(error.into()))?,
        }
    }
    progress.status.map_or(Ok(()), |status| Err(Exit(status).into()))
}

/// How the files before went.
struct Progress<'a> {
    ranks: &'a Ranks,
    /// Whether another rank prints, or nobody reads what is printed; the other ranks need this one all the same.
    is_silent: bool,
    /// The exit status if a file has failed.
    status: Option<u8>,
}

impl Progress<'_> {
    /// Reports the error of a file, if any.
    ///
    /// # Errors
    /// If nobody reads what is printed, and no other rank needs this one.
    fn after(&mut self, done: Result<()>) -> Result<()> {
        let Err(error) = done else { return Ok(()) };
        if is_closed_pipe(&error) {
            self.is_silent = true;
            return if self.ranks.is_alone() { Err(error) } else { Ok(()) };
        }
        // All ranks have it.
        if self.ranks.rank() == 0 {
            print_error(&error);
        }
        self.status = self.status.max(Some(exit_status(&error)));
        Ok(())
    }
}

/// Half the widths of the intervals of this level, one for each value.
fn half_widths(model: &Model, level: f64) -> Result<Vec<f32>> {
    let found = match &model.intervals {
        Some(intervals) => intervals.half_widths(level),
        None if model.task() != Task::Regression => Err(Error::argument(format!(
            "intervals are for values, but this model predicts {}, with probabilities; leave the option out",
            model.task().outputs()
        ))),
        None if matches!(model.loss(), Loss::Quantile(_)) => Err(Error::argument(
            "the model predicts quantiles, and these are its intervals; leave the option out",
        )),
        None => Err(Error::argument(
            "the model has no intervals: they come from the folds of --members (train anew with --members 5), or from \
             quantiles (--loss quantile:0.05,0.95)",
        )),
    };
    Ok(found.map_err(|error| error.context(format_args!("--interval {level}")))?)
}

/// Prints what was predicted for a file.
fn show(
    File { name: file, .. }: &File,
    found: FilePredictions,
    model: &Model,
    widths: Option<&[f32]>,
    args: &PredictArgs,
    progress: &Progress,
) -> Result<()> {
    let is_image = found.kind == Kind::Image;
    found.warnings.iter().for_each(warn);
    let predicted = found.values();
    if progress.is_silent {
        return Ok(());
    }
    let mut out = buffered_stdout();
    match model.task() {
        Task::Classification => {
            let predictions =
                Predictions { classes: model.names().len(), probabilities: predicted };
            for index in 0..predictions.len() {
                let prediction = Prediction::new(file, index, model, &predictions, args.top);
                let line = || prediction.line(is_image, args.top);
                write_prediction(&mut out, args.json, &prediction, line)?;
            }
        }
        Task::MultiLabel => {
            for (index, row) in predicted.chunks_exact(model.names().len()).enumerate() {
                let names = model.names().iter().map(String::as_str);
                let probabilities: Vec<_> = names.zip(row.iter().copied()).collect();
                let chosen = probabilities.iter().filter(|(_, probability)| *probability > 0.5);
                let labels = chosen.map(|(name, _)| *name).collect();
                let prediction = PredictedLabels { file, index, labels, probabilities };
                write_prediction(&mut out, args.json, &prediction, || prediction.line(is_image))?;
            }
        }
        Task::Regression => {
            for (index, row) in predicted.chunks_exact(model.names().len()).enumerate() {
                let names = model.names().iter().map(String::as_str);
                let values: Vec<_> = names.zip(row.iter().copied()).collect();
                let around = |widths: &[f32]| {
                    let ends = values.iter().zip(widths);
                    ends.map(|(&(name, value), width)| (name, [value - width, value + width]))
                        .collect()
                };
                let intervals = widths.map(around);
                let prediction = PredictedRow { file, index, values, intervals };
                write_prediction(&mut out, args.json, &prediction, || prediction.line(is_image))?;
            }
        }
    }
    out.flush()
}

/// Writes one prediction, as JSON or as a line of text.
fn write_prediction(
    out: &mut Output<impl Write>,
    json: bool,
    prediction: &impl Serialize,
    line: impl FnOnce() -> String,
) -> Result<()> {
    if json { out.json(prediction) } else { out.line(line()) }
}

#[derive(Serialize)]
struct PredictedRow<'a> {
    file: &'a str,
    index: usize,
    #[serde(serialize_with = "as_map")]
    values: Vec<(&'a str, f32)>,
    /// The ends of an interval around each value.
    #[serde(serialize_with = "as_intervals", skip_serializing_if = "Option::is_none")]
    intervals: Option<Vec<(&'a str, [f32; 2])>>,
}

impl PredictedRow<'_> {
    /// `table.csv[3]: 12.5`, or several values with names; each with its interval, if there are any: `12.5 (11.25 to 13.75)`.
    fn line(&self, is_image: bool) -> String {
        let shown = |at: usize| {
            let value = self.values[at].1;
            match self.intervals.as_ref().map(|intervals| intervals[at].1) {
                Some([lower, upper]) => format!("{value} ({lower} to {upper})"),
                None => value.to_string(),
            }
        };
        let values = match self.values[..] {
            [_] => shown(0),
            _ => {
                let named = self.values.iter().enumerate();
                let named = named.map(|(at, (name, _))| format!("{name} = {}", shown(at)));
                named.collect::<Vec<_>>().join(", ")
            }
        };
        prefix(self.file, self.index, is_image) + &values
    }
}

#[derive(Serialize)]
struct PredictedLabels<'a> {
    file: &'a str,
    index: usize,
    /// Those with a probability above 1/2.
    labels: Vec<&'a str>,
    #[serde(serialize_with = "as_map")]
    probabilities: Vec<(&'a str, f32)>,
}

impl PredictedLabels<'_> {
    /// `table.csv[3]: rain (0.9981), wind (0.6012)`, or `no label`.
    fn line(&self, is_image: bool) -> String {
        let chosen = self.probabilities.iter().filter(|(name, _)| self.labels.contains(name));
        let named: Vec<_> = chosen.map(|(name, it)| format!("{name} ({it:.4})")).collect();
        let labels = if named.is_empty() { "no label".to_owned() } else { named.join(", ") };
        prefix(self.file, self.index, is_image) + &labels
    }
}

/// The beginning of a line: `digit.png: ` or `table.csv[3]: `.
fn prefix(file: &str, index: usize, is_image: bool) -> String {
    if is_image { format!("{file}: ") } else { format!("{file}[{index}]: ") }
}

#[derive(Serialize)]
struct Prediction<'a> {
    file: &'a str,
    index: usize,
    label: &'a str,
    probability: f32,
    #[serde(serialize_with = "as_map")]
    probabilities: Vec<(&'a str, f32)>,
}

impl<'a> Prediction<'a> {
    /// The prediction for sample `index`: all classes in their order, or the `top` most probable ones.
    fn new(
        file: &'a str,
        index: usize,
        model: &'a Model,
        predictions: &Predictions,
        top: Option<usize>,
    ) -> Self {
        let (row, label) = (predictions.row(index), predictions.label(index));
        let names = model.names().iter().map(String::as_str);
        let mut probabilities: Vec<_> = names.zip(row.iter().copied()).collect();
        if let Some(top) = top {
            // A stable sort: among equal probabilities the first class stays first, as in the label.
            probabilities.sort_by(|a, b| b.1.total_cmp(&a.1));
            probabilities.truncate(top);
        }
        let label_name = &model.names()[label];
        Prediction { file, index, label: label_name, probability: row[label], probabilities }
    }

    /// `digit.png: 7 (0.9981)`, or several classes with `top`.
    fn line(&self, is_image: bool, top: Option<usize>) -> String {
        let named = |(name, probability): &(&str, f32)| format!("{name} ({probability:.4})");
        let classes = match top {
            Some(_) => self.probabilities.iter().map(named).collect::<Vec<_>>().join(", "),
            None => named(&(self.label, self.probability)),
        };
        prefix(self.file, self.index, is_image) + &classes
    }
}

fn as_intervals<S: Serializer>(
    intervals: &Option<Vec<(&str, [f32; 2])>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(intervals.iter().flatten().copied())
}

fn as_map<S: Serializer>(pairs: &[(&str, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}
