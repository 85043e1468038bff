//! Samples to look at: a data set and perhaps a model in, some of its samples in the order asked for
//! out.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gradus::data::{Dataset, Inputs, LoadOptions, Loaded, Task};
use gradus::metrics::SampleResult;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::Served;
use super::state::SharedState;
use crate::run::labelled_data::data_of;
use crate::run::source;
use crate::run::workers::workers;

/// Samples that are sent at once at most.
const MOST: usize = 200;

/// Data sets, and what models made of them, that are kept.
const MOST_KEPT: usize = 3;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The name of a set; else the model's.
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
    Surest,
    LeastSure,
    /// Mistakes alone, the surest first.
    Worst,
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

/// What a model made of the samples of a part, by model, set and part.
type Results = ((usize, String, Part), Arc<Vec<SampleResult>>);

/// What was loaded and computed last.
#[derive(Default)]
pub(super) struct SampleCache {
    sets: Mutex<Vec<(String, Arc<Loaded>)>>,
    results: Mutex<Vec<Results>>,
}

impl SampleCache {
    /// Some samples, and what `model` makes of them where it is for such samples.
    ///
    /// # Errors
    /// Where the set is not to be had, or a model is needed for what is asked.
    pub(super) fn list(
        &self,
        shared: &SharedState,
        model: Option<&Served>,
        query: &Query,
    ) -> Result<Value> {
        let Query { part, class, predicted, order, from, .. } = *query;
        let name = set_of(shared, model, query.data.as_deref())?;
        let loaded = self.load(shared, &name)?;
        let data = match part {
            Part::Test => &loaded.test,
            Part::Training => &loaded.train,
        };
        let fits = |served: &&Served| {
            served.model.class_names() == data.class_names()
                && served.model.network.inputs() == data.features()
        };
        let note = model.filter(|served| !fits(served)).map(|_| {
            format!(
                "The model is not for the samples of {name}, which are shown without predictions."
            )
        });
        let results = match model.filter(fits) {
            Some(served) => Some(self.results(served, &name, part, data)?),
            None => None,
        };
        let labels = data.labels();
        let mut chosen: Vec<usize> =
            (0..labels.len()).filter(|&index| class.takes(labels[index])).collect();
        match &results {
            Some(results) => {
                chosen.retain(|&index| predicted.takes(results[index].predicted));
                let sure = |&index: &usize| results[index].confidence;
                match order {
                    Order::Index => {}
                    Order::LeastSure => chosen.sort_by(|a, b| sure(a).total_cmp(&sure(b))),
                    Order::Surest => chosen.sort_by(|a, b| sure(b).total_cmp(&sure(a))),
                    Order::Worst => {
                        chosen.retain(|&index| !results[index].is_correct());
                        chosen.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
                    }
                }
            }
            None if predicted != Choice::All || order != Order::Index => {
                return Err(anyhow!("there is no model for {name}: expected order=index alone"));
            }
            None => {}
        }
        let count = query.count.unwrap_or(60).min(MOST);
        let shown = chosen.iter().skip(from).take(count);
        let sample = |&index: &usize| {
            let mut sample = json!({
                "index": index,
                "label": labels[index],
                "pixels": STANDARD.encode(pixels(data, index)),
            });
            if let Some(results) = &results {
                let SampleResult { predicted, confidence, label_probability, .. } = results[index];
                sample["predicted"] = predicted.into();
                sample["probability"] = confidence.into();
                sample["of_label"] = label_probability.into();
            }
            sample
        };
        let mut counts = vec![0usize; data.class_names().len()];
        labels.iter().for_each(|&label| counts[label as usize] += 1);
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

    fn load(&self, shared: &SharedState, name: &str) -> Result<Arc<Loaded>> {
        // One at a time: what one loads the next finds.
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = sets.iter().find(|(kept, _)| kept == name) {
            return Ok(found.clone());
        }
        let options = LoadOptions {
            data: Some(name.to_owned()),
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
        let found = Arc::new(served.model.results(data, &workers(None, data.len())?)?);
        keep(&mut all, (key, found.clone()));
        Ok(found)
    }
}

/// Keeps one more, and the last ones of the others.
fn keep<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() >= MOST_KEPT {
        kept.remove(0);
    }
    kept.push(one);
}

/// The set that is asked for, else the model's, else the first one.
fn set_of(shared: &SharedState, model: Option<&Served>, asked: Option<&str>) -> Result<String> {
    let known = |name: &str| shared.datasets.contains(&name);
    if let Some(name) = asked {
        return match known(name) {
            true => Ok(name.to_owned()),
            false => Err(anyhow!(
                "there is no data set {name:?} here: expected one of {}",
                shared.datasets.join(", ")
            )),
        };
    }
    let of_model = model.and_then(|served| data_of(&served.model)).filter(|it| known(it));
    of_model
        .or(shared.datasets.first().copied())
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("there is no data set here"))
}

/// The bytes of a sample's picture.
fn pixels(data: &Dataset, index: usize) -> &[u8] {
    match &data.inputs {
        Inputs::Bytes(values) => &values[index * data.features()..][..data.features()],
        Inputs::Floats(_) | Inputs::Sparse(_) => &[],
    }
}
