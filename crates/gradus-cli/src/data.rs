//! `gradus data`: a data set in, its figures or the drawing of one sample out.

use std::io::Write;

use anyhow::Result;
use gradus::Error;
use gradus::data::distort::{Distorter, Distortion, Scratch};
use gradus::data::{Dataset, Found, Inputs};
use gradus::network::Kernels;
use serde::Serialize;

use crate::args::DataArgs;
use crate::output::{columns, percent, print_json, shape, stdout, table};
use crate::source;
use crate::train::value_type;

/// From empty to full.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
/// Distorted versions of a sample that are drawn.
const VERSIONS: u64 = 4;
/// Columns between two drawings.
const GAP: usize = 4;

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
    let range = index * data.features()..(index + 1) * data.features();
    let values: Vec<f32> = match &data.inputs {
        Inputs::Bytes(values) => values[range].iter().map(|&value| value.into()).collect(),
        Inputs::Floats(values) => values[range].to_vec(),
    };
    let drawing = match data.sample_shape[..] {
        [_, width] if width > 0 => drawing(&values, width),
        _ => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") + "\n",
    };
    let distorted = match distort {
        Some((distortion, seed)) => versions(data, index, distortion, seed)?,
        None => String::new(),
    };
    let (sizes, kind) = (shape(&data.sample_shape), value_type(&data.inputs));
    let label = &data.class_names[data.labels[index] as usize];
    let mut out = stdout();
    writeln!(out, "x_{part}[{index}]: {sizes} {kind}")?;
    write!(out, "{drawing}")?;
    writeln!(out, "y_{part}[{index}]: {label}")?;
    write!(out, "{distorted}")?;
    Ok(())
}

/// A heading and the drawings of distorted versions of sample `index`.
fn versions(data: &Dataset, index: usize, distortion: Distortion, seed: u64) -> Result<String> {
    let kernels = Kernels::detect().map_err(Error::argument)?;
    let distorter = Distorter::for_data(distortion, data, kernels)
        .map_err(|error| error.context("--distort"))?;
    let (Inputs::Bytes(bytes), &[_, width]) = (&data.inputs, &data.sample_shape[..]) else {
        return Ok(String::new());
    };
    let image = &bytes[index * data.features()..][..data.features()];
    let (mut scratch, mut out) = (Scratch::default(), vec![0; image.len()]);
    let drawings: Vec<String> = (0..VERSIONS)
        .map(|version| {
            distorter.distort(seed, version, index as u64, image, &mut out, &mut scratch);
            drawing(&out.iter().map(|&value| value.into()).collect::<Vec<_>>(), width)
        })
        .collect();
    let heading = format!("distorted by {}, seed {seed}:\n", distortion.name());
    Ok(heading + &side_by_side(&drawings, 2 * width, columns()))
}

/// Drawings of `width` columns, as many beside each other as there are columns for.
fn side_by_side(drawings: &[String], width: usize, columns: usize) -> String {
    let beside = ((columns + GAP) / (width + GAP)).max(1);
    let mut text = String::new();
    for drawings in drawings.chunks(beside) {
        let rows = drawings[0].lines().count();
        for row in 0..rows {
            let parts = drawings.iter().map(|drawing| drawing.lines().nth(row).unwrap_or(""));
            let line: String = parts.map(|part| format!("{part:<0$}", width + GAP)).collect();
            text += line.trim_end();
            text.push('\n');
        }
    }
    text
}

/// Rows of shades, two characters a pixel, the smallest value empty and the largest full.
fn drawing(values: &[f32], width: usize) -> String {
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let step = (max - min) / (SHADES.len() - 1) as f32;
    let shade = |value: f32| {
        let level = if step > 0.0 { ((value - min) / step).ceil() as usize } else { 0 };
        SHADES[level.min(SHADES.len() - 1)]
    };
    let row = |row: &[f32]| {
        let line: String = row.iter().flat_map(|&value| [shade(value); 2]).collect();
        line.trim_end().to_owned() + "\n"
    };
    values.chunks(width).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_shades_from_smallest_to_largest() {
        assert_eq!(drawing(&[0.0, 255.0, 100.0, 0.0], 2), "  ██\n▒▒\n");
        assert_eq!(drawing(&[3.0, 3.0], 2), "\n");
    }

    #[test]
    fn drawings_stand_side_by_side_where_the_columns_suffice() {
        let drawings = ["██\n\n", "\n▒▒\n", "░\n█\n"].map(String::from);
        let beside = "██\n      ▒▒\n░\n█\n";
        for columns in [8, 13] {
            assert_eq!(side_by_side(&drawings, 2, columns), beside);
        }
        assert_eq!(side_by_side(&drawings, 2, 14), "██          ░\n      ▒▒    █\n");
        for columns in [0, 7] {
            assert_eq!(side_by_side(&drawings, 2, columns), drawings.concat());
        }
    }

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
