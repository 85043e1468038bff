//! `gradus data --show`: one sample drawn, and distorted versions of it.

use anyhow::Result;
use gradus::Error;
use gradus::data::distort::{Distorter, Distortion, Scratch};
use gradus::data::{Dataset, Inputs, Targets};
use gradus::network::Kernels;

use crate::args::DataArgs;
use crate::run::describe::value_type;
use crate::run::drawing::{draw, draw_values, output_width, side_by_side};
use crate::run::output::{shape, stdout};

/// Number of distorted versions of a sample to draw.
const VERSIONS: u64 = 4;

/// Prints one sample and its target under their names in the notebook, then distorted versions of it if
/// asked for.
pub(super) fn show(part: &str, data: &Dataset, index: u64, args: &DataArgs) -> Result<()> {
    let position = usize::try_from(index).ok().filter(|&index| index < data.len());
    let Some(index) = position else {
        let last = data.len() - 1;
        let message = format!("--show {index}: the {part} part has samples 0 to {last}");
        return Err(Error::argument(message).into());
    };
    show_sample(part, data, index, index, args)
}

/// The same for the sample at `at`, whose number is `index`.
pub(super) fn show_sample(
    part: &str,
    data: &Dataset,
    at: usize,
    index: usize,
    args: &DataArgs,
) -> Result<()> {
    let distorted = match args.distort {
        Some(distortion) => versions(data, (at, index), distortion, args.seed.unwrap_or(0))?,
        None => Vec::new(),
    };
    let (sizes, kind) = (shape(&data.sample_shape), value_type(&data.inputs));
    let answer = match &data.targets {
        Targets::Classes { labels, names } => names[labels[at] as usize].clone(),
        Targets::Labels { values, names } => {
            let row = values[at * names.len()..][..names.len()].iter();
            let own =
                row.zip(names).filter(|(value, _)| **value == 1).map(|(_, name)| name.as_str());
            let own: Vec<&str> = own.collect();
            if own.is_empty() { "no label".to_owned() } else { own.join(", ") }
        }
        Targets::Values { values, names } => {
            let row = &values[at * names.len()..][..names.len()];
            row.iter().map(f32::to_string).collect::<Vec<_>>().join(", ")
        }
    };
    let mut out = stdout();
    out.line(format_args!("x_{part}[{index}]: {sizes} {kind}"))?;
    out.lines(draw(data, at))?;
    out.line(format_args!("y_{part}[{index}]: {answer}"))?;
    out.lines(distorted)
}

/// Checks that the samples are distorted at all.
pub(super) fn check_distortion(args: &DataArgs) -> Result<(), Error> {
    match args.distort == Some(Distortion::NONE) {
        true => Err(Error::argument(
            "--distort none has no effect: it leaves the sample as it is; leave it out",
        )),
        false => Ok(()),
    }
}

/// A heading and drawings of distorted versions of the sample at `at`, whose number is `index`.
fn versions(
    data: &Dataset,
    (at, index): (usize, usize),
    distortion: Distortion,
    seed: u64,
) -> Result<Vec<String>> {
    let kernels = Kernels::detect().map_err(Error::argument)?;
    let distorter = Distorter::for_data(distortion, data, kernels)
        .map_err(|error| error.context("--distort"))?;
    let Inputs::Bytes(bytes) = &data.inputs else { return Ok(Vec::new()) };
    let image = &bytes[at * data.features()..][..data.features()];
    let (mut scratch, mut out) = (Scratch::default(), vec![0; image.len()]);
    let drawings: Vec<Vec<String>> = (0..VERSIONS)
        .map(|version| {
            distorter.distort(seed, version, index as u64, image, &mut out, &mut scratch);
            let values: Vec<f32> = out.iter().map(|&value| value.into()).collect();
            draw_values(&values, &data.sample_shape)
        })
        .collect();
    let heading = format!("distorted by {}, seed {seed}:", distortion.name());
    Ok([heading].into_iter().chain(side_by_side(&drawings, output_width())).collect())
}
