//! Samples for the page: a data set, possibly a model, and a query in; the matching samples in the requested
//! order out.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gradus::data::{Dataset, Found, Inputs, LoadOptions, Task};
use gradus::metrics::SampleResult;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::Served;
use super::state::SharedState;
use crate::run::labelled_data::data_of;
use crate::run::scale::{are_grey_levels, dataset_to_scale_of};
use crate::run::source;
use crate::run::workers::workers;

/// Maximum number of samples per response.
const MOST: usize = 200;

/// Number of data sets, and of predictions on them, that are cached.
const MOST_CACHED: usize = 3;

/// A query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The name of a data set; the default is that of the model.
    data: Option<String>,
    #[serde(default)]
    part: Part,
    /// The number of a class, or `all`.
    #[serde(default)]
    class: Choice,
    #[serde(default)]
    predicted: Choice,
    #[serde(default)]
    order: Order,
    #[serde(default)]
    from: usize,
    count: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    #[default]
    Test,
    Training,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    #[default]
    Index,
    #[serde(alias = "surest")]
    MostConfident,
    #[serde(alias = "least-sure")]
    LeastConfident,
    /// Only mistakes, the most confident first.
    #[serde(alias = "worst")]
    Mistakes,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Choice {
    #[default]
    All,
    One(u32),
}

impl TryFrom<String> for Choice {
    type Error = String;

    fn try_from(text: String) -> Result<Choice, String> {
        match text.as_str() {
            "all" => Ok(Choice::All),
            _ => text
                .parse()
                .map(Choice::One)
                .map_err(|_| format!("{text:?}: expected the number of a class, or all")),
        }
    }
}

impl Choice {
    fn takes(self, class: u32) -> bool {
        match self {
            Choice::All => true,
            Choice::One(one) => one == class,
        }
    }
}

/// Predictions for the samples of a split, by model, data set and split.
type Results = ((usize, String, Part), Arc<Vec<SampleResult>>);

/// The data sets and predictions used last.
#[derive(Default)]
pub(super) struct SampleCache {
    sets: Mutex<Vec<(String, Arc<Found>)>>,
    results: Mutex<Vec<Results>>,
}

impl SampleCache {
    /// The samples of a query, with the predictions of `model` if it takes such samples.
    ///
    /// # Errors
    /// If the data set is not available, or the query needs a model.
    pub(super) fn list(
        &self,
        shared: &SharedState,
        model: Option<&Served>,
        query: &Query,
    ) -> Result<Value> {
        let Query { part, from, .. } = *query;
        let name = set_of(shared, model, query.data.as_deref())?;
        let loaded = self.load(shared, &name)?;
        let data = match part {
            // A named set has a test part.
            Part::Test => loaded.test.as_ref().unwrap_or(&loaded.train),
            Part::Training => &loaded.train,
        };
        let fits = |served: &&Served| {
            served.model.task() == Task::Classification
                && served.model.names() == data.class_names()
                && served.model.features() == data.features()
        };
        let note = model.filter(|served| !fits(served)).map(|_| {
            format!(
                "The model does not take the samples of {name}, which are shown without predictions."
            )
        });
        let results = match model.filter(fits) {
            Some(served) => Some(self.results(served, &name, part, data)?),
            None => None,
        };
        let chosen = select(data, results.as_deref().map(Vec::as_slice), query)
            .ok_or_else(|| anyhow!("no model for {name}: expected only order=index"))?;
        let count = query.count.unwrap_or(60).min(MOST);
        let shown = chosen.iter().skip(from).take(count);
        let sample = |&index: &usize| {
            let result = results.as_ref().map(|results| &results[index]);
            sample_json(data, index, result)
        };
        let mut counts = vec![0usize; data.class_names().len()];
        data.labels().iter().for_each(|&label| counts[label as usize] += 1);
        Ok(json!({
            "data": name,
            "total": chosen.len(),
            "shape": data.sample_shape,
            "classes": data.class_names(),
            "counts": counts,
            "note": note,
            "samples": shown.map(sample).collect::<Vec<_>>(),
        }))
    }

    fn load(&self, shared: &SharedState, name: &str) -> Result<Arc<Found>> {
        // The lock is held while loading, so that a second request waits instead of loading again.
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = sets.iter().find(|(kept, _)| kept == name) {
            return Ok(found.clone());
        }
        let options = LoadOptions {
            data: Some(name.into()),
            data_dir: shared.data_dir.clone(),
            download: !shared.no_download,
            ..LoadOptions::default()
        };
        let loaded = Arc::new(source::load(&options, None)?);
        if loaded.train.targets.task() != Task::Classification {
            return Err(anyhow!("{name}: its samples have no classes"));
        }
        keep(&mut sets, (name.to_owned(), loaded.clone()));
        Ok(loaded)
    }

    fn results(
        &self,
        served: &Served,
        name: &str,
        part: Part,
        data: &Dataset,
    ) -> Result<Arc<Vec<SampleResult>>> {
        let mut all = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (served.id, name.to_owned(), part);
        if let Some((_, found)) = all.iter().find(|(kept, _)| *kept == key) {
            return Ok(found.clone());
        }
        let (workers, model) = (workers(None, data.len())?, served.model.classifier()?);
        let found = match &data.inputs {
            Inputs::Bytes(levels) if are_grey_levels(&served.model, levels) => {
                let (data, _) = dataset_to_scale_of(&served.model, data.clone())?;
                model.results(&data, &workers)?
            }
            _ => model.results(data, &workers)?,
        };
        let found = Arc::new(found);
        keep(&mut all, (key, found.clone()));
        Ok(found)
    }
}

/// The indices of the samples of a query in the requested order; none if the query needs predictions, but
/// there are no `results`.
fn select(data: &Dataset, results: Option<&[SampleResult]>, query: &Query) -> Option<Vec<usize>> {
    let Query { class, predicted, order, .. } = *query;
    let labels = data.labels();
    let mut chosen: Vec<usize> =
        (0..labels.len()).filter(|&index| class.takes(labels[index])).collect();
    let Some(results) = results else {
        return (predicted == Choice::All && order == Order::Index).then_some(chosen);
    };
    chosen.retain(|&index| predicted.takes(results[index].predicted));
    if order == Order::Mistakes {
        chosen.retain(|&index| !results[index].is_correct());
    }
    let confidence = |&index: &usize| results[index].confidence;
    match order {
        Order::Index => {}
        Order::LeastConfident => chosen.sort_by(|a, b| confidence(a).total_cmp(&confidence(b))),
        Order::MostConfident | Order::Mistakes => {
            chosen.sort_by(|a, b| confidence(b).total_cmp(&confidence(a)));
        }
    }
    Some(chosen)
}

/// A sample as JSON for the page, with its prediction if there is one.
fn sample_json(data: &Dataset, index: usize, result: Option<&SampleResult>) -> Value {
    let mut sample = json!({
        "index": index,
        "label": data.labels()[index],
        "pixels": STANDARD.encode(pixels(data, index)),
    });
    if let Some(SampleResult { predicted, confidence, label_probability, .. }) = result {
        sample["predicted"] = (*predicted).into();
        sample["probability"] = (*confidence).into();
        sample["of_label"] = (*label_probability).into();
    }
    sample
}

/// Adds an entry, and removes the oldest one if there are too many.
fn keep<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() >= MOST_CACHED {
        kept.remove(0);
    }
    kept.push(one);
}

/// The data set of the query, else that of the model, else the first one.
fn set_of(shared: &SharedState, model: Option<&Served>, asked: Option<&str>) -> Result<String> {
    let known = |name: &str| shared.datasets.contains(&name);
    if let Some(name) = asked {
        return match known(name) {
            true => Ok(name.to_owned()),
            false => Err(anyhow!(
                "data set {name:?} is not available here: expected one of {}",
                shared.datasets.join(", ")
            )),
        };
    }
    let of_model = model.and_then(|served| data_of(&served.model)).filter(|it| known(it));
    of_model
        .or(shared.datasets.first().copied())
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("no data set is available here"))
}

/// The pixels of a sample.
fn pixels(data: &Dataset, index: usize) -> &[u8] {
    match &data.inputs {
        Inputs::Bytes(values) => &values[index * data.features()..][..data.features()],
        Inputs::Floats(_)
        | Inputs::Doubles(_)
        | Inputs::Sparse(_)
        | Inputs::Table(_)
        | Inputs::Streamed(_) => &[],
    }
}
