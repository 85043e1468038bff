//! The end of a training run: its model is tested, and what the run was is written into the model.

use anyhow::Result;
use gradus::classifier::Provenance;
use gradus::data::images::{GreyImage, MNIST_PIXELS, MNIST_SIDE, to_mnist_form};
use gradus::data::{Dataset, Inputs, Task};
use gradus::loss::Loss;
use gradus::training::{Best, EpochReport, History, Outcome, Trained};
use serde_json::{Value, json};

use crate::run::describe::value_type;
use crate::run::settings::Settings;
use crate::run::test_result::TestResult;
use crate::run::training_data::Data;
use crate::run::workers::workers;

/// Tests what a run left, and writes into the model how it came about.
pub(crate) fn conclude(
    trained: &mut Trained,
    data: &Data,
    settings: &Settings,
) -> Result<TestResult> {
    let Trained { model, history, outcome, best, .. } = trained;
    let tested = TestResult::of(model, &data.test, &workers(settings.config.threads, usize::MAX)?)?;
    let training = metadata(data, settings, (history, outcome, best.as_ref()), &tested)?;
    model.provenance = Provenance::from_json(training)?;
    Ok(tested)
}

/// How the model came about: what a second run needs to give the same bits, and what it gave.
/// No times and no folders: same seed, same file, on any machine.
fn metadata(
    data: &Data,
    settings: &Settings,
    (history, outcome, best): (&History, &Outcome, Option<&Best>),
    tested: &TestResult,
) -> Result<Value> {
    let mut config = serde_json::to_value(&settings.config)?;
    if let Some(config) = config.as_object_mut() {
        config.remove("threads");
        if settings.start.is_some() {
            config.insert("init".into(), "file".into());
        }
        if data.train.sample_weights.is_some() {
            config.insert("sample_weights".into(), "file".into());
        }
    }
    let mut metadata = json!({
        "gradus": env!("CARGO_PKG_VERSION"),
        "data": data.name,
        "samples": {
            "train": data.train.len(),
            "validation": data.validation.as_ref().map_or(0, Dataset::len),
            "test": data.test.len(),
        },
        "inputs": {
            "values": value_type(&data.train.inputs),
            "mnist_form": is_in_mnist_form(&data.train),
        },
        "preset": settings.preset.name(),
        "config": config,
        "epochs": history.epochs.len(),
        "outcome": match outcome {
            Outcome::Finished => "finished",
            Outcome::NoProgress => "no_progress",
            Outcome::Stopped => "stopped",
            Outcome::Diverged { .. } => "diverged",
        },
        "best_epoch": best.map(|best| best.epoch),
        "history": without_times(history).to_json(),
    });
    if let Some(metadata) = metadata.as_object_mut() {
        if data.train.targets.task() == Task::Regression {
            metadata.insert("loss".into(), Loss::SquaredError.name().into());
        }
        let figures = tested.figures().into_iter();
        metadata.extend(figures.map(|(key, value)| (key.to_owned(), value)));
    }
    Ok(metadata)
}

/// The figures that are the same on every machine.
fn without_times(history: &History) -> History {
    let epochs = history.epochs.iter();
    let epochs = epochs.map(|report| EpochReport { seconds: f64::NAN, ..report.clone() });
    History { epochs: epochs.collect() }
}

/// Whether pictures look as MNIST's do, fitted into a box and centred by mass: then one that is to
/// be predicted must be brought to that form. A hundred of them tell.
fn is_in_mnist_form(data: &Dataset) -> bool {
    let Inputs::Bytes(values) = &data.inputs else { return false };
    if data.sample_shape != [MNIST_SIDE, MNIST_SIDE] {
        return false;
    }
    let pictures = values.chunks_exact(MNIST_PIXELS).take(100);
    let unchanged = |pixels: &&[u8]| {
        GreyImage::new(MNIST_SIDE, MNIST_SIDE, pixels.to_vec())
            .and_then(|image| to_mnist_form(&image))
            .is_ok_and(|formed| formed == **pixels)
    };
    2 * pictures.clone().filter(unchanged).count() > pictures.count()
}
