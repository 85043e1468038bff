//! Parsers of option values: text in, a value or a description of what was expected out.

use std::collections::HashSet;
use std::path::Path;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use gradus::data::csv::Encoding;
use gradus::data::distort::Distortion;
use gradus::files::reading;
use gradus::loss::Loss;
use gradus::network::Activation;
use gradus::training::config::MOST_THREADS;
use gradus::training::settings::fraction_of;
use gradus::training::{Monitor, Preset};
use gradus::transform::Transform;

pub(crate) fn loss(text: &str) -> Result<Loss, String> {
    Loss::from_name(text).ok_or_else(|| format!("expected {}", Loss::EXPECTED))
}

/// When to write a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Interval {
    Epochs(usize),
    Minutes(f64),
}

/// A part of a sweep: every `of`th run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Counted from 0.
    index: usize,
    of: usize,
}

impl Part {
    pub(crate) fn contains(self, run: usize) -> bool {
        run % self.of == self.index
    }
}

pub(crate) fn part(text: &str) -> Result<Part, String> {
    let read = || {
        let (number, of) = text.split_once('/')?;
        let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&number).then(|| Part { index: number - 1, of })
    };
    read().ok_or_else(|| "expected K/N with K from 1 to N, such as 3/16".into())
}

/// The activation functions of the hidden layers.
#[derive(Debug, Clone)]
pub(crate) struct Activations(pub(crate) Vec<Activation>);

/// The names of classes, in the order of a model's outputs.
#[derive(Debug, Clone)]
pub(crate) struct ClassNames(pub(crate) Vec<String>);

/// The most bytes of a file of class names.
const LARGEST_NAMES: u64 = 16 << 20;

pub(crate) fn class_names(text: &str) -> Result<ClassNames, String> {
    let names: Vec<String> = match text.strip_prefix('@') {
        None => text.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(file) => {
            let bytes = reading::read_at_most(Path::new(file), Some(LARGEST_NAMES))
                .map_err(|error| error.to_string())?;
            let text = String::from_utf8(bytes).map_err(|_| format!("{file} is not UTF-8"))?;
            let text = text.trim_start_matches('\u{feff}').trim_end();
            text.lines().map(|name| name.trim().to_owned()).collect()
        }
    };
    let mut seen = HashSet::new();
    match names.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
        None => Ok(ClassNames(names)),
        Some(name) if name.is_empty() => {
            Err("a name is empty: expected names separated by commas, or @FILE with one per line"
                .into())
        }
        Some(name) => Err(format!("'{}' is there twice", name.escape_debug())),
    }
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number: &usize| number > 0);
    number.ok_or_else(|| "expected a whole number from 1".into())
}

pub(crate) fn level(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&number: &f64| number > 0.0 && number < 1.0);
    let percent = || fraction_of(text);
    number.ok_or_else(|| {
        percent().unwrap_or_else(|| "expected a number above 0 and below 1, such as 0.9".into())
    })
}

pub(crate) fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

pub(crate) fn mean_and_deviation(text: &str) -> Result<Transform, String> {
    let finite = |text: &str| text.trim().parse().ok().filter(|value: &f32| value.is_finite());
    text.split_once(',')
        .and_then(|(mean, deviation)| Some((finite(mean)?, finite(deviation)?)))
        .filter(|&(_, deviation)| deviation != 0.0)
        .map(|(mean, std)| Transform::scalar(mean, std))
        .ok_or_else(|| "expected two numbers MEAN,STD, the second not 0, such as 0,255".into())
}

pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let number = at_least_one(text).ok().filter(|&number| number <= MOST_THREADS);
    number.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

pub(crate) fn distortion(text: &str) -> Result<Distortion, String> {
    Distortion::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn encoding(text: &str) -> Result<Encoding, String> {
    let names = || Encoding::ALL.map(Encoding::name).join(", ");
    Encoding::from_name(text).ok_or_else(|| format!("expected one of {} or latin-1", names()))
}

/// A number of bytes, with a unit or without.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim_start().to_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => 0,
    };
    let size = text[..digits].parse().ok().and_then(|number: u64| number.checked_mul(unit));
    size.filter(|&size| size > 0)
        .ok_or_else(|| "expected a number of bytes such as 500MB, 256MiB or 8GiB".into())
}

pub(crate) fn interval(text: &str) -> Result<Interval, String> {
    let minutes = |text: &str| text.parse().ok().filter(|&m: &f64| m.is_finite() && m > 0.0);
    match text.strip_suffix("min").or(text.strip_suffix('m')) {
        Some(text) => minutes(text).map(Interval::Minutes),
        None => at_least_one(text).ok().map(Interval::Epochs),
    }
    .ok_or_else(|| "expected a number of epochs such as 5, or minutes such as 10m".into())
}

pub(crate) fn monitors() -> impl TypedValueParser<Value = Monitor> {
    let values = Monitor::ALL.map(|monitor| PossibleValue::new(monitor.name()));
    named(values.to_vec(), Monitor::from_name)
}

pub(crate) fn image_size(text: &str) -> Result<(usize, usize), String> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (at_least_one(height), at_least_one(width)) {
        (Ok(height), Ok(width)) => Ok((height, width)),
        _ => Err("expected a height and width such as 28x28, or one number for both".into()),
    }
}

pub(crate) fn presets() -> impl TypedValueParser<Value = Preset> {
    let help = |preset| match preset {
        Preset::Quick => "98 % on MNIST in seconds",
        Preset::Notebook => "the NumPy notebook exactly: 784-128-10, full batch, 200 epochs",
        Preset::Accurate => "best accuracy without image-specific methods; takes minutes",
        Preset::Record => {
            "best accuracy on images of digits, with random distortions; takes 15 to 60 minutes"
        }
        Preset::Tabular => "tables: RealMLP's recipe",
        Preset::TabularSmall => "tables: RealMLP's small recipe, without dropout and weight decay",
        Preset::TabularQuick => "tables: the recipe of tabular with 32 epochs",
    };
    let values = Preset::ALL.map(|preset| PossibleValue::new(preset.name()).help(help(preset)));
    named(values.to_vec(), Preset::from_name)
}

pub(crate) fn activations(text: &str) -> Result<Activations, String> {
    let activations = text.split(',').map(|name| Activation::from_name(name.trim()));
    activations.collect::<Option<_>>().map(Activations).ok_or_else(|| {
        let known = Activation::known();
        format!("expected one of {known}, or several separated by commas")
    })
}

/// A parser that accepts one of `values` and looks it up by name.
pub(super) fn named<T: Clone + Send + Sync + 'static>(
    values: Vec<PossibleValue>,
    from_name: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values)
        .try_map(move |name| from_name(&name).ok_or_else(|| format!("unknown name {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_have_units() {
        for (text, size) in [("7", 7), ("2 KiB", 2048), ("500mb", 500_000_000), ("8GiB", 8 << 30)] {
            assert_eq!(bytes(text).unwrap(), size, "{text}");
        }
        for wrong in
            ["", "0", "GiB", "-1", "1.5GiB", "1TB", "99999999999999999999", "99999999999GiB"]
        {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shapes_are_read() {
        assert_eq!(activations("relu").unwrap().0, [Activation::Relu]);
        assert_eq!(activations("gelu, tanh").unwrap().0, [Activation::Gelu, Activation::Tanh]);
        assert_eq!(image_size("28").unwrap(), (28, 28));
        assert_eq!(image_size("20x30").unwrap(), (20, 30));
        for wrong in ["", "0", "1,", "x", "-3", "1x0"] {
            assert!(image_size(wrong).is_err() && activations(wrong).is_err(), "{wrong}");
        }
    }
}
