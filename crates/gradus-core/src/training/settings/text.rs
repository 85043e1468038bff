//! The one text form of every kind of value that a setting may have: a value in, its text out, and
//! back. Options, files, the page and Python all use this form.

use std::borrow::Cow;

use crate::loss::Loss;
use crate::network::{Activation, Init, NumericEmbedding, Parametrization};
use crate::optimizer::Optimizer;
use crate::regularization::ClassWeights;
use crate::samples::Shuffle;
use crate::schedule::Schedule;
use crate::training::config::{BatchSize, KeepBest};
use crate::training::history::Monitor;
use crate::transform::distort::Distortion;
use crate::transform::normalize::Normalization;

/// How a value appears in JSON, and which field of a form suits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number; `null` stands for none.
    Number,
    /// A whole number.
    Whole,
    /// `true` or `false`, or a text for what is neither.
    Flag,
    /// One of the setting's choices.
    Name,
    /// Any other text.
    Text,
}

/// A value with one text form: `read(&value.text())` gives the value back.
pub(super) trait TextForm: Sized {
    const KIND: Kind;
    /// What a text must be, for messages: "... but must be {EXPECTED}".
    const EXPECTED: &'static str;

    fn text(&self) -> String;

    /// `None` for a text that is no such value.
    fn read(text: &str) -> Option<Self>;

    /// What is wrong with a text, where more can be said than what is expected.
    fn details(_text: &str) -> Option<String> {
        None
    }

    /// All values of [`Kind::Name`]; the usual ones where others are possible, too.
    fn choices() -> Vec<&'static str> {
        Vec::new()
    }
}

/// The shortest digits that give the number back, with an exponent where it is very small or large.
fn shortest(size: f64, plain: String, scientific: String) -> String {
    match size == 0.0 || !size.is_finite() || (1e-4..1e15).contains(&size) {
        true => plain,
        false => scientific,
    }
}

impl TextForm for f32 {
    const KIND: Kind = Kind::Number;
    const EXPECTED: &'static str = "a number such as 0.001";

    fn text(&self) -> String {
        shortest(f64::from(self.abs()), self.to_string(), format!("{self:e}"))
    }

    fn read(text: &str) -> Option<f32> {
        text.parse().ok()
    }
}

impl TextForm for f64 {
    const KIND: Kind = Kind::Number;
    const EXPECTED: &'static str = "a number such as 0.001";

    fn text(&self) -> String {
        shortest(self.abs(), self.to_string(), format!("{self:e}"))
    }

    fn read(text: &str) -> Option<f64> {
        text.parse().ok()
    }
}

/// A limit that may be off.
impl TextForm for Option<f32> {
    const KIND: Kind = Kind::Number;
    const EXPECTED: &'static str = "a number, or none";

    fn text(&self) -> String {
        self.map_or("none".into(), |limit| limit.text())
    }

    fn read(text: &str) -> Option<Option<f32>> {
        if text == "none" {
            return Some(None);
        }
        // A limit of 0 would leave nothing to train: it means off.
        f32::read(text).map(|limit| Some(limit).filter(|&limit| limit != 0.0))
    }
}

/// A count of at least 1.
impl TextForm for usize {
    const KIND: Kind = Kind::Whole;
    const EXPECTED: &'static str = "a whole number from 1";

    fn text(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<usize> {
        text.parse().ok().filter(|&count| count > 0)
    }
}

/// A count that may be off.
impl TextForm for Option<usize> {
    const KIND: Kind = Kind::Number;
    const EXPECTED: &'static str = "a whole number from 1, or none";

    fn text(&self) -> String {
        self.map_or("none".into(), |count| count.text())
    }

    fn read(text: &str) -> Option<Option<usize>> {
        match text {
            "none" => Some(None),
            _ => usize::read(text).map(Some),
        }
    }
}

impl TextForm for u64 {
    const KIND: Kind = Kind::Whole;
    const EXPECTED: &'static str = "a whole number from 0 to 18446744073709551615";

    fn text(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<u64> {
        text.parse().ok()
    }
}

impl TextForm for bool {
    const KIND: Kind = Kind::Flag;
    const EXPECTED: &'static str = "true or false";

    fn text(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<bool> {
        text.parse().ok()
    }

    fn choices() -> Vec<&'static str> {
        vec!["true", "false"]
    }
}

impl TextForm for Shuffle {
    // A flag that has a third value.
    const KIND: Kind = Kind::Flag;
    const EXPECTED: &'static str = "one of true, false and blocks";

    fn text(&self) -> String {
        self.name().into()
    }

    fn read(text: &str) -> Option<Shuffle> {
        Shuffle::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        Shuffle::ALL.map(Shuffle::name).to_vec()
    }
}

/// Units of the hidden layers.
impl TextForm for Vec<usize> {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "whole numbers from 1, such as 128 or 256,64, or none";

    fn text(&self) -> String {
        match self.is_empty() {
            true => "none".into(),
            false => joined(self.iter().map(usize::text)),
        }
    }

    fn read(text: &str) -> Option<Vec<usize>> {
        match text {
            "none" => Some(Vec::new()),
            _ => text.split(',').map(|units| usize::read(units.trim())).collect(),
        }
    }
}

impl TextForm for Vec<Activation> {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "one of identity, relu, leaky_relu, tanh, sigmoid, gelu, elu, selu, silu, mish, \
        leaky_relu:SLOPE with a slope of 0 to 1 and elu:ALPHA with an alpha of 0 to 100, or several with commas \
        between them";

    fn text(&self) -> String {
        match self.is_empty() {
            // A network without hidden layers needs none.
            true => "none".into(),
            false => joined(self.iter().map(|activation| activation.name().into_owned())),
        }
    }

    fn read(text: &str) -> Option<Vec<Activation>> {
        match text {
            "none" => Some(Vec::new()),
            _ => text.split(',').map(|name| Activation::from_name(name.trim())).collect(),
        }
    }

    fn choices() -> Vec<&'static str> {
        let names = Activation::ALL.map(Activation::name).into_iter();
        names
            .filter_map(|name| if let Cow::Borrowed(name) = name { Some(name) } else { None })
            .collect()
    }
}

impl TextForm for Init {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "auto, he, glorot, sklearn, ntk, tabular or normal:S (S a standard deviation, such as normal:0.01)";

    fn text(&self) -> String {
        self.name()
    }

    fn read(text: &str) -> Option<Init> {
        Init::parse(text).ok()
    }
}

impl TextForm for Parametrization {
    const KIND: Kind = Kind::Name;
    const EXPECTED: &'static str = "one of standard and ntk";

    fn text(&self) -> String {
        self.name().into()
    }

    fn read(text: &str) -> Option<Parametrization> {
        Parametrization::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        Parametrization::ALL.map(Parametrization::name).to_vec()
    }
}

impl TextForm for KeepBest {
    const KIND: Kind = Kind::Name;
    const EXPECTED: &'static str = "one of first and last";

    fn text(&self) -> String {
        self.name().into()
    }

    fn read(text: &str) -> Option<KeepBest> {
        KeepBest::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        KeepBest::ALL.map(KeepBest::name).to_vec()
    }
}

impl TextForm for NumericEmbedding {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "none, pbld, pbld:FREQUENCIES:OUTPUTS:SCALE (1 to 256 frequencies, 1 to 16 outputs and \
        a scale above 0, such as pbld:16:3:0.1), ple or ple:BINS:OUTPUTS (1 to 256 bins and 1 to 16 outputs, such as \
        ple:48:4)";

    fn text(&self) -> String {
        self.name()
    }

    fn read(text: &str) -> Option<NumericEmbedding> {
        NumericEmbedding::parse(text)
    }
}

impl TextForm for Normalization {
    const KIND: Kind = Kind::Name;
    const EXPECTED: &'static str = "one of none, unit, standard and robust";

    fn text(&self) -> String {
        self.name().into()
    }

    fn read(text: &str) -> Option<Normalization> {
        Normalization::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        Normalization::ALL.map(Normalization::name).to_vec()
    }
}

impl TextForm for BatchSize {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "a whole number from 1, or full";

    fn text(&self) -> String {
        match self {
            BatchSize::Full => "full".into(),
            BatchSize::Samples(count) => count.text(),
        }
    }

    fn read(text: &str) -> Option<BatchSize> {
        match text {
            "full" => Some(BatchSize::Full),
            _ => usize::read(text).map(BatchSize::Samples),
        }
    }
}

/// The name alone: the constants of an optimizer are settings of their own. Reading a name gives the
/// usual constants.
impl TextForm for Optimizer {
    const KIND: Kind = Kind::Name;
    const EXPECTED: &'static str = "one of sgd, adam, adamw, rmsprop, lion, muon and lbfgs";

    fn text(&self) -> String {
        self.name().into()
    }

    fn read(text: &str) -> Option<Optimizer> {
        Optimizer::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        Optimizer::ALL.map(|it| it.name()).to_vec()
    }
}

impl TextForm for Schedule {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "constant, step:EPOCHS:FACTOR (such as step:10:0.5), cosine, \
        one-cycle, coslog4, flat-cosine, plateau:PATIENCE:FACTOR (such as plateau:5:0.5), inverse-scaling:POWER (such as \
        inverse-scaling:0.5) or adaptive:PATIENCE:MIN_DELTA (such as adaptive:10:0.0001)";

    fn text(&self) -> String {
        self.name()
    }

    fn read(text: &str) -> Option<Schedule> {
        Schedule::parse(text)
    }
}

impl TextForm for Monitor {
    const KIND: Kind = Kind::Name;
    const EXPECTED: &'static str = "one of loss, accuracy, val_loss, val_accuracy and val_r2";

    fn text(&self) -> String {
        self.name().into()
    }

    fn read(text: &str) -> Option<Monitor> {
        Monitor::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        Monitor::ALL.map(Monitor::name).to_vec()
    }
}

impl TextForm for ClassWeights {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "equal, balanced, or numbers such as 1,1,2.5";

    fn text(&self) -> String {
        match self {
            ClassWeights::Equal => "equal".into(),
            ClassWeights::Balanced => "balanced".into(),
            ClassWeights::Each(weights) => joined(weights.iter().map(f32::text)),
        }
    }

    fn read(text: &str) -> Option<ClassWeights> {
        match text {
            "equal" => Some(ClassWeights::Equal),
            "balanced" => Some(ClassWeights::Balanced),
            _ => {
                let weights = text.split(',').map(|weight| f32::read(weight.trim()));
                weights.collect::<Option<_>>().map(ClassWeights::Each)
            }
        }
    }
}

impl TextForm for Distortion {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "none, standard, strong, or some of shift:PIXELS, rotate:DEGREES, \
        scale:SHARE, shear:SHARE and elastic:ALPHA:SIGMA, such as shift:2,rotate:10,elastic:36:6";

    fn text(&self) -> String {
        self.name()
    }

    fn read(text: &str) -> Option<Distortion> {
        Distortion::parse(text).ok()
    }

    fn details(text: &str) -> Option<String> {
        Distortion::parse(text).err().map(|error| error.to_string())
    }
}

impl TextForm for Loss {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = Loss::EXPECTED;

    fn text(&self) -> String {
        self.name()
    }

    fn read(text: &str) -> Option<Loss> {
        Loss::from_name(text)
    }

    fn choices() -> Vec<&'static str> {
        Loss::examples().iter().map(Loss::kind).collect()
    }
}

/// Numbers with commas between them.
impl TextForm for Vec<f32> {
    const KIND: Kind = Kind::Text;
    const EXPECTED: &'static str = "numbers such as 1,2.5";

    fn text(&self) -> String {
        joined(self.iter().map(f32::text))
    }

    fn read(text: &str) -> Option<Vec<f32>> {
        text.split(',').map(|number| f32::read(number.trim())).collect()
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back<T: TextForm + PartialEq + std::fmt::Debug>(values: impl IntoIterator<Item = T>) {
        for value in values {
            assert_eq!(T::read(&value.text()).as_ref(), Some(&value), "{}", value.text());
        }
    }

    #[test]
    fn every_text_gives_its_value_back() {
        read_back([0.0, 0.1f32, 1e-8, 1.0 / 3.0, 1e20, -2.5, f32::MIN_POSITIVE, f32::MAX]);
        read_back([0.0, 0.1f64, 1e-9, 1.0 / 3.0, f64::MAX]);
        read_back([None, Some(0.5f32)]);
        read_back([None, Some(8usize)]);
        read_back([NumericEmbedding::None, NumericEmbedding::PBLD, NumericEmbedding::PLE]);
        read_back([BatchSize::Full, BatchSize::Samples(128)]);
        read_back([vec![], vec![256usize, 64]]);
        read_back([vec![Activation::Relu], vec![Activation::Tanh, Activation::LEAKY_RELU]]);
        read_back([
            ClassWeights::Equal,
            ClassWeights::Balanced,
            ClassWeights::Each(vec![1.0, 2.5]),
        ]);
        read_back([Distortion::NONE, Distortion::STANDARD]);
        read_back(Optimizer::ALL);
        assert_eq!([1e-8f32.text(), 0.01f32.text(), 0f32.text()], ["1e-8", "0.01", "0"]);
    }

    #[test]
    fn choices_are_all_that_is_read() {
        for name in Optimizer::choices() {
            assert!(Optimizer::EXPECTED.contains(name) && Optimizer::read(name).is_some());
        }
        for name in Vec::<Activation>::choices() {
            assert!(Vec::<Activation>::EXPECTED.contains(name));
        }
        for name in Normalization::choices() {
            assert!(Normalization::EXPECTED.contains(name));
        }
        for name in Monitor::choices() {
            assert!(Monitor::EXPECTED.contains(name));
        }
    }

    #[test]
    fn shapes_are_read() {
        assert_eq!(Vec::<usize>::read("256, 64"), Some(vec![256, 64]));
        let both = vec![Activation::Gelu, Activation::Tanh];
        assert_eq!(Vec::<Activation>::read("gelu, tanh"), Some(both));
        // A limit of 0 is off.
        assert_eq!(Option::<f32>::read("0"), Some(None));
        for wrong in ["", "0", "1,", "x", "-3", "1x0"] {
            assert!(Vec::<usize>::read(wrong).is_none() && BatchSize::read(wrong).is_none());
            assert!(Vec::<Activation>::read(wrong).is_none(), "{wrong}");
        }
    }
}
