//! `gradus data`: a data set in, its statistics or a drawing of one sample out; `pack` makes shards of it.

mod columns;
mod pack;
mod shards;
mod show;
mod suspicious;

use std::path::Path;

use anyhow::Result;
use gradus::Error;
use gradus::data::shards::is_shards;
use gradus::data::{Dataset, Found, Inputs, Targets, Task, is_set_name};
use serde::Serialize;

use columns::ColumnFacts;
use show::{check_distortion, show};

use crate::args::{DataAction, DataArgs};
use crate::run::describe::value_type;
use crate::run::output::{percent, print_json, shape, stdout, table};
use crate::run::source::{self, DataRequest, no_effect};
use crate::run::target;
use crate::run::training_data::with_labels;

/// Runs the command.
pub(crate) fn run(args: &DataArgs) -> Result<()> {
    if let Some(DataAction::Pack(args)) = &args.action {
        return pack::run(args);
    }
    if let Some(folder) = args.data.as_deref().filter(|data| is_shards(data) && !is_set_name(data))
    {
        return shards::run(folder, args);
    }
    if args.verify {
        let data = args.data.as_deref().unwrap_or(Path::new("mnist")).display();
        return Err(no_effect("--verify", data, "it is for folders of shards").into());
    }
    let mut reading = args.source.clone();
    let (task, decided) = match &args.loss {
        Some(loss) => (loss.task(), None),
        None => target::decide(args.data.as_deref(), &mut reading)
            .map_or((Task::Classification, None), |(task, line)| (task, Some(line))),
    };
    let kinds = Some(&args.kinds);
    let request = DataRequest { kinds, ..DataRequest::new(task, args.data.as_deref(), 0) };
    let mut found = source::find(&source::options(&request, &reading)?)?;
    if task == Task::MultiLabel {
        found = with_labels(found)?;
    }
    check_distortion(args)?;
    if let Some(index) = args.show {
        let part = args.part.as_deref().unwrap_or("train");
        let data = match part {
            "test" => found.test.as_ref(),
            "val" => found.validation.as_ref(),
            _ => Some(&found.train),
        };
        let data = data.ok_or_else(|| {
            let name = if part == "val" { "validation" } else { part };
            Error::argument(format!(
                "--part {part}: {} has no {name} part; leave --part out",
                found.name
            ))
        })?;
        return show(part, data, index, args);
    }
    let description = Description::of(&found, decided.as_deref());
    if args.json {
        return print_json(&description);
    }
    let mut out = stdout();
    let (sizes, values) = (shape(description.sample_shape), description.values);
    out.line(format_args!("{} ({})", found.name, found.origin))?;
    let (count, what) = match &description.targets {
        Names::Classes { class_names } => (class_names.len(), "classes"),
        Names::Labels { label_names } => (label_names.len(), "labels"),
        Names::Values { output_names } if output_names.len() == 1 => (1, "target"),
        Names::Values { output_names } => (output_names.len(), "targets"),
    };
    out.line(format_args!("samples of {sizes} {values}, {count} {what}"))?;
    if let Some(decided) = description.decided.filter(|_| description.columns.is_some()) {
        out.line(decided)?;
    }
    out.line("")?;
    if let Some(facts) = &description.columns {
        out.lines(table(&facts.rows()))?;
        if !facts.suspicious.is_empty() {
            out.line("")?;
            out.lines(facts.suspicious.iter())?;
        }
        out.line("")?;
    }
    out.lines(table(&description.part_rows()))?;
    out.line("")?;
    out.lines(table(&description.answer_rows()))
}

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    origin: &'a str,
    sample_shape: &'a [usize],
    values: &'static str,
    #[serde(flatten)]
    targets: Names<'a>,
    /// What is learned from a table and what decided it, if no option did.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<&'a str>,
    train: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Figures>,
    /// Of the raw columns of the training part.
    #[serde(flatten)]
    columns: Option<ColumnFacts>,
}

/// The names of the classes or targets.
#[derive(Serialize)]
#[serde(untagged)]
enum Names<'a> {
    Classes { class_names: &'a [String] },
    Labels { label_names: &'a [String] },
    Values { output_names: &'a [String] },
}

/// The targets of a split.
#[derive(Serialize)]
#[serde(untagged)]
enum Counts {
    Classes { class_counts: Vec<usize> },
    Labels { label_counts: Vec<usize> },
    Values { outputs: Vec<Spread> },
}

/// The distribution of a target.
#[derive(Serialize)]
struct Spread {
    min: f32,
    max: f32,
    mean: f64,
    deviation: f64,
}

#[derive(Serialize)]
struct Figures {
    samples: usize,
    /// None for raw columns, which have values of their own.
    #[serde(flatten)]
    values: Option<ValueFigures>,
    #[serde(flatten)]
    counts: Counts,
}

/// The distribution of the inputs' values.
#[derive(Serialize)]
struct ValueFigures {
    min: f32,
    max: f32,
    mean: f64,
    share_of_zeros: f64,
}

impl<'a> Description<'a> {
    fn of(found: &'a Found, decided: Option<&'a str>) -> Self {
        let Found { name, train, validation, test, origin, .. } = found;
        Description {
            name,
            origin,
            sample_shape: &train.sample_shape,
            values: value_type(&train.inputs),
            targets: match &train.targets {
                Targets::Classes { names, .. } => Names::Classes { class_names: names },
                Targets::Labels { names, .. } => Names::Labels { label_names: names },
                Targets::Values { names, .. } => Names::Values { output_names: names },
            },
            decided,
            train: Figures::of(train),
            validation: validation.as_ref().map(Figures::of),
            test: test.as_ref().map(Figures::of),
            columns: match &train.inputs {
                Inputs::Table(table) => Some(ColumnFacts::of(train, table)),
                _ => None,
            },
        }
    }

    /// The splits, named like the arrays in the notebook.
    fn parts(&self) -> Vec<(&'static str, &Figures)> {
        let others = [("val", &self.validation), ("test", &self.test)];
        let others = others.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?)));
        [("train", &self.train)].into_iter().chain(others).collect()
    }

    fn part_rows(&self) -> Vec<Vec<String>> {
        let heading = match self.columns {
            Some(_) => &["part", "samples"][..],
            None => &["part", "samples", "min", "max", "mean", "zeros"],
        };
        let mut rows = vec![heading.iter().map(ToString::to_string).collect()];
        for (name, Figures { samples, values, .. }) in self.parts() {
            let mut row = vec![name.into(), samples.to_string()];
            if let Some(ValueFigures { min, max, mean, share_of_zeros }) = values {
                row.extend([min.to_string(), max.to_string()]);
                row.extend([format!("{mean:.3}"), percent(*share_of_zeros)]);
            }
            rows.push(row);
        }
        rows
    }

    fn answer_rows(&self) -> Vec<Vec<String>> {
        match &self.targets {
            Names::Classes { class_names } => self.class_rows(class_names),
            Names::Labels { label_names } => self.label_rows(label_names),
            Names::Values { output_names } => self.value_rows(output_names),
        }
    }

    fn value_rows(&self, names: &[String]) -> Vec<Vec<String>> {
        let heading = ["target", "part", "min", "max", "mean", "std"];
        let mut rows = vec![heading.map(String::from).into()];
        for (index, name) in names.iter().enumerate() {
            for (part, figures) in self.parts() {
                let Counts::Values { outputs } = &figures.counts else { continue };
                let Spread { min, max, mean, deviation } = &outputs[index];
                let numbers = [min.to_string(), max.to_string()];
                let means = [mean, deviation].map(|number| format!("{number:.3}"));
                let names = [name.clone(), part.to_owned()];
                rows.push(names.into_iter().chain(numbers).chain(means).collect());
            }
        }
        rows
    }

    fn class_rows(&self, class_names: &[String]) -> Vec<Vec<String>> {
        self.count_rows("class", class_names)
    }

    /// The number of samples with each label.
    fn label_rows(&self, label_names: &[String]) -> Vec<Vec<String>> {
        self.count_rows("label", label_names)
    }

    fn count_rows(&self, heading: &str, names: &[String]) -> Vec<Vec<String>> {
        let parts = self.parts();
        let row = |name: &str, cells: &mut dyn Iterator<Item = String>| {
            [name.to_owned()].into_iter().chain(cells).collect()
        };
        let mut rows = vec![row(heading, &mut parts.iter().map(|(part, _)| part.to_string()))];
        for (at, name) in names.iter().enumerate() {
            let counts = parts.iter().map(|(_, figures)| match &figures.counts {
                Counts::Classes { class_counts: counts }
                | Counts::Labels { label_counts: counts } => counts[at].to_string(),
                Counts::Values { .. } => String::new(),
            });
            rows.push(row(name, &mut { counts }));
        }
        rows
    }
}

impl Figures {
    fn of(data: &Dataset) -> Self {
        let values = ValueFigures::of(&data.inputs);
        Figures { samples: data.len(), values, counts: Counts::of(&data.targets) }
    }
}

impl ValueFigures {
    fn of(inputs: &Inputs) -> Option<Self> {
        let (mut min, mut max, mut sum, mut zeros) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0);
        let mut add = |value: f32, times: u64| {
            min = value.min(min);
            max = value.max(max);
            sum += f64::from(value) * times as f64;
            zeros += if value == 0.0 { times } else { 0 };
        };
        match inputs {
            Inputs::Table(_) | Inputs::Streamed(_) => return None,
            Inputs::Bytes(values) => {
                let mut counts = [0; 256];
                values.iter().for_each(|&value| counts[usize::from(value)] += 1);
                let found = (0..=255u8).zip(counts).filter(|&(_, times)| times > 0);
                found.for_each(|(value, times)| add(value.into(), times));
            }
            Inputs::Floats(values) => values.iter().for_each(|&value| add(value, 1)),
            Inputs::Doubles(values) => values.iter().for_each(|&value| add(value as f32, 1)),
            Inputs::Sparse(rows) => {
                rows.values().iter().for_each(|&value| add(value, 1));
                let left_out = inputs.len() - rows.values().len();
                if left_out > 0 {
                    add(0.0, left_out as u64);
                }
            }
        }
        let count = inputs.len() as f64;
        Some(ValueFigures { min, max, mean: sum / count, share_of_zeros: zeros as f64 / count })
    }
}

impl Counts {
    fn of(targets: &Targets) -> Self {
        match targets {
            Targets::Classes { labels, names } => {
                let mut class_counts = vec![0; names.len()];
                labels.iter().for_each(|&label| class_counts[label as usize] += 1);
                Counts::Classes { class_counts }
            }
            Targets::Labels { values, names } => {
                let column = |label| values.iter().skip(label).step_by(names.len());
                let count = |label| column(label).map(|&value| usize::from(value)).sum();
                Counts::Labels { label_counts: (0..names.len()).map(count).collect() }
            }
            Targets::Values { values, names } => {
                let outputs = names.len();
                let column = |output| values.iter().skip(output).step_by(outputs).copied();
                Counts::Values { outputs: (0..outputs).map(|at| Spread::of(column(at))).collect() }
            }
        }
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().map(f64::from).sum::<f64>() / count;
        let squares: f64 = values.clone().map(|value| (f64::from(value) - mean).powi(2)).sum();
        Spread {
            min: values.clone().fold(f32::INFINITY, f32::min),
            max: values.fold(f32::NEG_INFINITY, f32::max),
            mean,
            deviation: (squares / count).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_a_calculation_by_hand() {
        let names = || vec!["a".into(), "b".into()];
        let bytes = Inputs::Bytes(vec![0, 4, 0, 8]);
        let data = Dataset::new(bytes, vec![1, 1], vec![2], names()).unwrap();
        let figures = Figures::of(&data);
        let found = figures.values.unwrap();
        assert_eq!((found.min, found.max, found.mean), (0.0, 8.0, 3.0));
        assert_eq!(found.share_of_zeros, 0.5);
        let Counts::Classes { class_counts } = figures.counts else { panic!() };
        assert_eq!(class_counts, [0, 2]);
        let values = Targets::Values { values: vec![1.0, -5.0, 3.0, 5.0], names: names() };
        let data = Dataset::with_targets(Inputs::Floats(vec![0.0; 2]), values, vec![1]).unwrap();
        let Counts::Values { outputs } = Figures::of(&data).counts else { panic!() };
        let found: Vec<_> =
            outputs.iter().map(|it| (it.min, it.max, it.mean, it.deviation)).collect();
        assert_eq!(found, [(1.0, 3.0, 2.0, 1.0), (-5.0, 5.0, 0.0, 5.0)]);
    }
}
