//! The end of a training run: a trained model in, the tested model with the metadata of its training out.

use anyhow::Result;
use gradus::classifier::Provenance;
use gradus::data::images::{GreyImage, MNIST_PIXELS, MNIST_SIDE, to_mnist_form};
use gradus::data::{Inputs, Subset, Task};
use gradus::loss::Loss;
use gradus::training::{EpochReport, History, Outcome, Trained};
use serde_json::{Value, json};

use crate::run::describe::value_type;
use crate::run::settings::Settings;
use crate::run::test_result::TestResult;
use crate::run::training_data::Data;
use crate::run::workers::workers;

/// Tests the model of a run, and adds the metadata of the run to the model.
pub(crate) fn conclude(
    trained: &mut Trained,
    data: &Data,
    settings: &Settings,
) -> Result<TestResult> {
    let workers = workers(settings.config.threads, usize::MAX)?;
    let tested = TestResult::of(&trained.model, &data.test, &workers)?;
    trained.model.provenance = Provenance::from_json(metadata(data, settings, trained, &tested)?)?;
    Ok(tested)
}

/// The metadata of a run: everything another run needs to produce the same bits, and the results. Times and
/// folders are left out, so that the same seed gives the same file on any machine.
fn metadata(
    data: &Data,
    settings: &Settings,
    trained: &Trained,
    tested: &TestResult,
) -> Result<Value> {
    let Trained { history, outcome, best, .. } = trained;
    let sets = data.training.sets()?;
    let mut metadata = json!({
        "gradus": env!("CARGO_PKG_VERSION"),
        "data": data.name,
        "samples": {
            "train": sets.train.len(),
            "validation": sets.validation.map_or(0, |set| set.len()),
            "test": data.test.len(),
        },
        "inputs": {
            "values": value_type(&data.training.samples.inputs),
            "mnist_form": is_in_mnist_form(&sets.train),
        },
        "preset": settings.preset.name(),
        "config": config_json(data, settings)?,
        "epochs": history.epochs.len(),
        "outcome": match outcome {
            Outcome::Finished => "finished",
            Outcome::NoProgress => "no_progress",
            Outcome::Stopped => "stopped",
            Outcome::Diverged { .. } => "diverged",
        },
        "best_epoch": best.as_ref().map(|best| best.epoch),
        "history": without_times(history).to_json(),
    });
    if let Some(metadata) = metadata.as_object_mut() {
        if data.training.samples.targets.task() == Task::Regression {
            metadata.insert("loss".into(), Loss::SquaredError.name().into());
        }
        let figures = tested.figures().into_iter();
        metadata.extend(figures.map(|(key, value)| (key.to_owned(), value)));
    }
    Ok(metadata)
}

/// The settings as JSON, without the number of threads, on which the model does not depend.
fn config_json(data: &Data, settings: &Settings) -> Result<Value> {
    let mut config = serde_json::to_value(&settings.config)?;
    if let Some(config) = config.as_object_mut() {
        config.remove("threads");
        if settings.start.is_some() {
            config.insert("init".into(), "file".into());
        }
        if data.training.samples.sample_weights.is_some() {
            config.insert("sample_weights".into(), "file".into());
        }
    }
    Ok(config)
}

/// The history without what differs between machines.
fn without_times(history: &History) -> History {
    let epochs = history.epochs.iter();
    let epochs = epochs.map(|report| EpochReport { seconds: f64::NAN, ..report.clone() });
    History { epochs: epochs.collect() }
}

/// Whether the images have the form of MNIST's, fitted into a box and centred by mass: then images to be
/// predicted must be converted to that form. The first hundred images decide.
fn is_in_mnist_form(samples: &Subset) -> bool {
    let data = samples.data();
    let Inputs::Bytes(values) = &data.inputs else { return false };
    if data.sample_shape != [MNIST_SIDE, MNIST_SIDE] {
        return false;
    }
    let image = |sample: usize| &values[sample * MNIST_PIXELS..][..MNIST_PIXELS];
    let images = samples.indices().take(100).map(image);
    let unchanged = |pixels: &&[u8]| {
        GreyImage::new(MNIST_SIDE, MNIST_SIDE, pixels.to_vec())
            .and_then(|image| to_mnist_form(&image))
            .is_ok_and(|formed| formed == **pixels)
    };
    2 * images.clone().filter(unchanged).count() > images.count()
}
