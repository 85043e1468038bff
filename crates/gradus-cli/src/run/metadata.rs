//! The end of a training run: its model is tested, and what only the program knows about the run is
//! written into the model.

use anyhow::Result;
use gradus::classifier::Provenance;
use gradus::data::images::is_in_mnist_form;
use gradus::data::{Dataset, Task};
use gradus::loss::Loss;
use gradus::training::Trained;
use serde_json::json;

use crate::run::describe::value_type;
use crate::run::output::warn;
use crate::run::settings::Settings;
use crate::run::test_result::TestResult;
use crate::run::training_data::Data;
use crate::run::workers::workers;

/// Tests what a run left, if there are test data, and completes what the model says about the run.
pub(crate) fn conclude(
    trained: &mut Trained,
    data: &Data,
    settings: &Settings,
) -> Result<Option<TestResult>> {
    let model = &mut trained.model;
    let tested = match &data.test {
        Some(test) => {
            model.mismatch(&test.inputs).iter().for_each(warn);
            let workers = workers(settings.config.threads, usize::MAX)?;
            Some(TestResult::of(model, test, &workers)?)
        }
        None => None,
    };
    let (scale, train) = (model.inputs.divisor(), data.training.sets()?.train);
    let mnist_form = scale.is_ok_and(|scale| is_in_mnist_form(train, scale));
    model.set_mnist_form(mnist_form);
    let loss = model.loss().clone();
    complete(&mut model.provenance, &loss, data, settings, tested.as_ref());
    model.provenance.more.insert(
        "inputs".into(),
        json!({"values": value_type(&data.training.samples.inputs), "mnist_form": mnist_form}),
    );
    Ok(tested)
}

/// Adds what a second run needs to give the same bits, and what the test found. No folders: the same
/// seed gives the same file on any machine.
fn complete(
    provenance: &mut Provenance,
    loss: &Loss,
    data: &Data,
    settings: &Settings,
    tested: Option<&TestResult>,
) {
    provenance.data = Some(data.name.clone());
    provenance.preset = Some(settings.preset.name().to_owned());
    if let Some(samples) = &mut provenance.samples {
        samples.test = data.test.as_ref().map_or(0, Dataset::len);
    }
    if let Some(config) = provenance.settings.as_object_mut() {
        if settings.initial.is_some() {
            config.insert("init".into(), "file".into());
        }
        if data.training.samples.sample_weights.is_some() {
            config.insert("sample_weights".into(), "file".into());
        }
    }
    if data.training.samples.targets.task() == Task::Regression {
        provenance.more.insert("loss".into(), loss.name().into());
    }
    let figures = tested.into_iter().flat_map(TestResult::figures);
    provenance.more.extend(figures.map(|(key, value)| (key.to_owned(), value)));
}
