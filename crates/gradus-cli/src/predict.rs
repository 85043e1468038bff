//! `gradus predict`: a model and files in, a class and its probability for each sample out.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use gradus::classifier::{Classifier, Predictions};
use serde::{Serialize, Serializer};

use crate::args::PredictArgs;
use crate::output::{Exit, is_closed_pipe, print_error, stdout, warn};
use crate::samples::{self, Samples};
use crate::train::workers;

/// Runs the command. A file that fails does not keep the others from being predicted.
pub(crate) fn run(args: &PredictArgs) -> Result<()> {
    let model = args.model.load()?;
    let mut failed = false;
    for path in &args.files {
        match predict(path, &model, args) {
            Ok(()) => {}
            Err(error) if is_closed_pipe(&error) => return Err(error),
            Err(error) => {
                print_error(&error);
                failed = true;
            }
        }
    }
    if failed { Err(Exit::FAILED.into()) } else { Ok(()) }
}

fn predict(path: &Path, model: &Classifier, args: &PredictArgs) -> Result<()> {
    let Samples { inputs, picture, notice } = samples::read(path, model, args)?;
    notice.iter().for_each(warn);
    let count = inputs.len() / model.network.inputs();
    let predictions = model.predict(&inputs, &workers(args.threads, count)?)?;
    let file = samples::name_of(path);
    let mut out = std::io::BufWriter::new(stdout());
    for index in 0..predictions.len() {
        let prediction = Prediction::new(&file, index, model, &predictions, args.top);
        if args.json {
            serde_json::to_writer(&mut out, &prediction).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", prediction.line(picture, args.top))?;
        }
    }
    out.flush()?;
    Ok(())
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
    /// What is predicted for sample `index`: of all classes in their order, or of the `top` most
    /// probable ones.
    fn new(
        file: &'a str,
        index: usize,
        model: &'a Classifier,
        predictions: &Predictions,
        top: Option<usize>,
    ) -> Self {
        let (row, label) = (predictions.row(index), predictions.label(index));
        let names = model.class_names.iter().map(String::as_str);
        let mut probabilities: Vec<_> = names.zip(row.iter().copied()).collect();
        if let Some(top) = top {
            // Stable: of equals the first class stays first, as in the label.
            probabilities.sort_by(|a, b| b.1.total_cmp(&a.1));
            probabilities.truncate(top);
        }
        let label_name = &model.class_names[label];
        Prediction { file, index, label: label_name, probability: row[label], probabilities }
    }

    /// `digit.png: 7 (0.9981)`, or with `top` several classes.
    fn line(&self, picture: bool, top: Option<usize>) -> String {
        let named = |(name, probability): &(&str, f32)| format!("{name} ({probability:.4})");
        let classes = match top {
            Some(_) => self.probabilities.iter().map(named).collect::<Vec<_>>().join(", "),
            None => named(&(self.label, self.probability)),
        };
        let Prediction { file, index, .. } = self;
        if picture { format!("{file}: {classes}") } else { format!("{file}[{index}]: {classes}") }
    }
}

fn as_map<S: Serializer>(pairs: &[(&str, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}
