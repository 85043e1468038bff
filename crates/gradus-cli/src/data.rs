//! `gradus data`: a data set in, its figures or the drawing of one sample out.

use std::io::Write;

use anyhow::Result;
use gradus::Error;
use gradus::data::distort::{Distorter, Distortion, Scratch};
use gradus::data::{Dataset, Found, Inputs};
use gradus::network::Kernels;
use serde::Serialize;

use crate::args::DataArgs;
use crate::drawing::{draw, draw_values, output_width, side_by_side};
use crate::output::{percent, print_json, shape, stdout, table};
use crate::source;
use crate::train::value_type;

/// Distorted versions of a sample that are drawn.
const VERSIONS: u64 = 4;

/// Runs the command.
pub(crate) fn run(args: &DataArgs) -> Result<()> {
    let found = source::find(&source::options(args.data.as_deref(), &args.source, None, 0)?)?;
    if let Some(index) = args.show {
        let part = args.part.as_deref().unwrap_or("train");
        let data = if part == "test" { found.test.as_ref() } else { Some(&found.train) };
        let data = data.ok_or_else(|| {
            Error::argument(format!(
                "--part test: {} has no test part; leave --part out",
                found.name
            ))
        })?;
        let distort = args.distort.map(|distortion| (distortion, args.seed.unwrap_or(0)));
        return show(part, data, index, distort);
    }
    let description = Description::of(&found);
    if args.json {
        return print_json(&description);
    }
    let mut out = stdout();
    let (sizes, values) = (shape(description.sample_shape), description.values);
    let classes = description.class_names.len();
    writeln!(out, "{} ({})", found.name, found.origin)?;
    writeln!(out, "samples of {sizes} {values}, {classes} classes\n")?;
    write!(out, "{}\n{}", table(&description.part_rows()), table(&description.class_rows()))?;
    Ok(())
}

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    origin: &'a str,
    sample_shape: &'a [usize],
    values: &'static str,
    class_names: &'a [String],
    train: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Figures>,
}

#[derive(Serialize)]
struct Figures {
    samples: usize,
    min: f32,
    max: f32,
    mean: f64,
    share_of_zeros: f64,
    class_counts: Vec<usize>,
}

impl<'a> Description<'a> {
    fn of(found: &'a Found) -> Self {
        let Found { name, train, test, origin, .. } = found;
        Description {
            name,
            origin,
            sample_shape: &train.sample_shape,
            values: value_type(&train.inputs),
            class_names: &train.class_names,
            train: Figures::of(train),
            test: test.as_ref().map(Figures::of),
        }
    }

    /// The parts, named as the notebook names their arrays.
    fn parts(&self) -> Vec<(&'static str, &Figures)> {
        let test = self.test.as_ref().map(|test| ("test", test));
        [("train", &self.train)].into_iter().chain(test).collect()
    }

    fn part_rows(&self) -> Vec<Vec<String>> {
        let heading = ["part", "samples", "smallest", "largest", "mean", "zeros"];
        let mut rows = vec![heading.map(String::from).into()];
        for (name, figures) in self.parts() {
            let Figures { samples, min, max, mean, share_of_zeros, .. } = figures;
            rows.push(vec![
                name.into(),
                samples.to_string(),
                min.to_string(),
                max.to_string(),
                format!("{mean:.3}"),
                percent(*share_of_zeros),
            ]);
        }
        rows
    }

    fn class_rows(&self) -> Vec<Vec<String>> {
        let parts = self.parts();
        let row = |name: &str, cells: &mut dyn Iterator<Item = String>| {
            [name.to_owned()].into_iter().chain(cells).collect()
        };
        let mut rows = vec![row("class", &mut parts.iter().map(|(part, _)| part.to_string()))];
        for (class, name) in self.class_names.iter().enumerate() {
            let counts = parts.iter().map(|(_, figures)| figures.class_counts[class].to_string());
            rows.push(row(name, &mut { counts }));
        }
        rows
    }
}

impl Figures {
    fn of(data: &Dataset) -> Self {
        let mut class_counts = vec![0; data.class_names.len()];
        data.labels.iter().for_each(|&label| class_counts[label as usize] += 1);
        let (mut min, mut max, mut sum, mut zeros) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0);
        let mut add = |value: f32, times: u64| {
            min = value.min(min);
            max = value.max(max);
            sum += f64::from(value) * times as f64;
            zeros += if value == 0.0 { times } else { 0 };
        };
        match &data.inputs {
            Inputs::Bytes(values) => {
                let mut counts = [0; 256];
                values.iter().for_each(|&value| counts[usize::from(value)] += 1);
                let found = (0..=255u8).zip(counts).filter(|&(_, times)| times > 0);
                found.for_each(|(value, times)| add(value.into(), times));
            }
            Inputs::Floats(values) => values.iter().for_each(|&value| add(value, 1)),
        }
        let count = data.inputs.len() as f64;
        Figures {
            samples: data.len(),
            min,
            max,
            mean: sum / count,
            share_of_zeros: zeros as f64 / count,
            class_counts,
        }
    }
}

/// Prints one sample and its label under the names that the notebook gives them, then perhaps
/// what distortions of a seed make of it.
fn show(part: &str, data: &Dataset, index: u64, distort: Option<(Distortion, u64)>) -> Result<()> {
    let position = usize::try_from(index).ok().filter(|&index| index < data.len());
    let Some(index) = position else {
        let last = data.len() - 1;
        let message = format!("--show {index}: the {part} part has the samples 0 to {last}");
        return Err(Error::argument(message).into());
    };
    let distorted = match distort {
        Some((distortion, seed)) => versions(data, index, distortion, seed)?,
        None => String::new(),
    };
    let (sizes, kind) = (shape(&data.sample_shape), value_type(&data.inputs));
    let label = &data.class_names[data.labels[index] as usize];
    let mut out = stdout();
    writeln!(out, "x_{part}[{index}]: {sizes} {kind}")?;
    for line in draw(data, index) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "y_{part}[{index}]: {label}")?;
    write!(out, "{distorted}")?;
    Ok(())
}

/// A heading and the drawings of distorted versions of sample `index`.
fn versions(data: &Dataset, index: usize, distortion: Distortion, seed: u64) -> Result<String> {
    let kernels = Kernels::detect().map_err(Error::argument)?;
    let distorter = Distorter::for_data(distortion, data, kernels)
        .map_err(|error| error.context("--distort"))?;
    let Inputs::Bytes(bytes) = &data.inputs else { return Ok(String::new()) };
    let image = &bytes[index * data.features()..][..data.features()];
    let (mut scratch, mut out) = (Scratch::default(), vec![0; image.len()]);
    let drawings: Vec<Vec<String>> = (0..VERSIONS)
        .map(|version| {
            distorter.distort(seed, version, index as u64, image, &mut out, &mut scratch);
            let values: Vec<f32> = out.iter().map(|&value| value.into()).collect();
            draw_values(&values, &data.sample_shape)
        })
        .collect();
    let heading = format!("distorted by {}, seed {seed}:\n", distortion.name());
    Ok(heading + &side_by_side(&drawings, output_width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let names = vec!["a".into(), "b".into()];
        let bytes = Inputs::Bytes(vec![0, 4, 0, 8]);
        let data = Dataset::new(bytes, vec![1, 1], vec![2], names).unwrap();
        let figures = Figures::of(&data);
        assert_eq!((figures.min, figures.max, figures.mean), (0.0, 8.0, 3.0));
        assert_eq!((figures.share_of_zeros, figures.class_counts), (0.5, vec![0, 2]));
    }
}
