//! The data of a report: a file and possibly labelled samples in; a model, its history and its predictions
//! out.

use std::path::Path;

use anyhow::Result;
use gradus::Error;
use gradus::classifier::Model;
use gradus::data::{Dataset, Targets};
use gradus::metrics::{
    Evaluation, LabelEvaluation, Mistake, SampleResult, ValueEvaluation, most_confident_mistakes,
};
use gradus::training::{Checkpoint, History};

use super::columns::ColumnData;
use crate::args::ReportArgs;
use crate::run::labelled_data::labelled_data;
use crate::run::model::load_from;
use crate::run::output::warn;
use crate::run::source::no_effect;
use crate::run::workers::workers;

/// Maximum number of mistakes in a report.
const MOST_MISTAKES: usize = 30;

/// Everything that a report shows.
pub(crate) struct ReportData {
    /// Name of the model or history file, without folders.
    pub(crate) name: String,
    pub(crate) history: Option<History>,
    model: Option<Model>,
    /// The model measured on labelled samples, or why there are none.
    pub(crate) measured: Result<Measured, String>,
    /// What the columns of a table mean to the model.
    pub(crate) columns: Option<ColumnData>,
}

/// A model measured on labelled samples.
pub(crate) enum Measured {
    Classes(Box<MeasuredClasses>),
    Labels(MeasuredLabels),
    Values(MeasuredValues),
}

/// A model for several labels, measured on samples with labels.
pub(crate) struct MeasuredLabels {
    /// Name of the samples.
    pub(super) name: String,
    pub(super) evaluation: LabelEvaluation,
}

/// A regression model measured on samples with targets.
pub(crate) struct MeasuredValues {
    /// Name of the samples.
    pub(super) name: String,
    /// Samples x outputs, row-major.
    pub(super) truth: Vec<f32>,
    /// The same of the predictions.
    pub(super) predicted: Vec<f32>,
    pub(super) evaluation: ValueEvaluation,
}

/// A classifier measured on labelled samples.
pub(crate) struct MeasuredClasses {
    /// Name of the samples.
    pub(super) name: String,
    pub(super) data: Dataset,
    pub(super) results: Vec<SampleResult>,
    pub(super) evaluation: Evaluation,
    /// The most confident mistakes.
    pub(super) worst: Vec<Mistake>,
}

impl ReportData {
    /// Loads the file, and labelled samples to measure the model on.
    ///
    /// # Errors
    /// Those of reading the file; if data were given, those of reading and measuring.
    pub(crate) fn load(args: &ReportArgs) -> Result<ReportData> {
        let path = &args.input;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if is_history(path) {
            check_no_data(args, "a history contains no model to measure")?;
            if let Some(option) = args.foreign.given().first() {
                return Err(Error::argument(format!(
                    "{option} has no effect: {name} is a history, which contains no model; leave it out"
                ))
                .into());
            }
            let history = Some(History::load(path)?);
            let measured = Err("a history contains no model to measure".into());
            return Ok(ReportData { name, history, model: None, measured, columns: None });
        }
        let model = load_from(path, &args.foreign)?.model;
        let history = history_of(&model, path);
        let mut columns = None;
        let measured = match Measured::new(&model, args, &mut columns) {
            Ok(measured) => Ok(measured),
            Err(error) if args.data.is_some() => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                warn(format_args!("{reason}; the report omits the sections that need samples"));
                Err(reason)
            }
        };
        Ok(ReportData { name, history, model: Some(model), measured, columns })
    }

    /// The model; a history has none.
    pub(crate) fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }
}

impl Measured {
    /// Measures the model on labelled samples; of a table also its `columns`.
    fn new(model: &Model, args: &ReportArgs, columns: &mut Option<ColumnData>) -> Result<Measured> {
        let (name, data) = labelled_data(model, args.data.as_deref(), &args.source)?;
        let workers = workers(args.threads, data.len())?;
        *columns = ColumnData::new(model, &data, &workers)?;
        if let Targets::Values { .. } = data.targets {
            let model = model.regressor()?;
            let predicted = model.predict(&data.inputs, &workers)?.values;
            let evaluation = model.evaluate(&data, &workers)?;
            return Ok(Measured::Values(MeasuredValues {
                name,
                truth: model.targets_of_outputs(&data)?,
                predicted,
                evaluation,
            }));
        }
        if let Targets::Labels { .. } = data.targets {
            let evaluation = model.evaluate_labels(&data, &workers)?;
            return Ok(Measured::Labels(MeasuredLabels { name, evaluation }));
        }
        let model = model.classifier()?;
        let results = model.results(&data, &workers)?;
        let evaluation = Evaluation::new(model.class_names().len(), &results);
        let worst = most_confident_mistakes(&results, MOST_MISTAKES);
        Ok(Measured::Classes(Box::new(MeasuredClasses { name, data, results, evaluation, worst })))
    }
}

impl MeasuredValues {
    /// The true and the predicted values of one output.
    pub(super) fn output(&self, output: usize) -> [Vec<f32>; 2] {
        let outputs = self.evaluation.outputs.len();
        [&self.truth, &self.predicted]
            .map(|values| values.iter().skip(output).step_by(outputs).copied().collect())
    }
}

/// Whether the file is a history, by its extension.
fn is_history(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["json", "csv"].contains(&ending.as_str())
}

/// The metrics of the epochs, which models and checkpoints contain.
fn history_of(model: &Model, path: &Path) -> Option<History> {
    let in_model = History::from_json(&model.provenance.history).ok();
    let in_checkpoint =
        || Checkpoint::load(path).ok().map(|checkpoint| checkpoint.history().clone());
    in_model.or_else(in_checkpoint).filter(|history| !history.epochs.is_empty())
}

/// Checks that no option about measuring is given when nothing is measured.
fn check_no_data(args: &ReportArgs, why: &str) -> Result<()> {
    let source = &args.source;
    let given = [
        ("--data", args.data.is_some()),
        ("--threads", args.threads.is_some()),
        ("--data-dir", source.named.data_dir.is_some()),
        ("--label-column", source.label_column.is_some()),
        ("--drop", !source.table.drop.is_empty()),
        ("--missing", source.table.missing.is_some()),
        ("--encoding", source.table.encoding.is_some()),
        ("--no-header", source.table.no_header),
        ("--image-size", source.image_size.is_some()),
        ("--no-download", source.named.no_download),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(no_effect(option, args.input.display(), why).into()),
        None => Ok(()),
    }
}
