//! The names of activations in options and files.

use std::borrow::Cow;

use super::Activation;

const LEAKY: &str = "leaky_relu";
const ELU: &str = "elu";

impl Activation {
    /// The name used in options and files, such as `relu`, `leaky_relu` or `leaky_relu:0.1`.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LEAKY_RELU => LEAKY,
            Activation::LeakyRelu { slope } => return format!("{LEAKY}:{slope}").into(),
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Gelu => "gelu",
            Activation::ELU => ELU,
            Activation::Elu { alpha } => return format!("{ELU}:{alpha}").into(),
            Activation::Selu => "selu",
            Activation::Silu => "silu",
            Activation::Mish => "mish",
        })
    }

    /// The activation of this name.
    pub fn from_name(name: &str) -> Option<Activation> {
        match name.split_once(':') {
            Some((LEAKY, slope)) => Activation::leaky_relu(slope.parse().ok()?),
            Some((ELU, alpha)) => Activation::elu(alpha.parse().ok()?),
            // Its other name, in Keras and in papers.
            None if name == "swish" => Some(Activation::Silu),
            _ => Activation::ALL.into_iter().find(|activation| activation.name() == name),
        }
    }

    /// What [`Self::from_name`] takes, for a message.
    pub fn known() -> String {
        let names = Activation::ALL.map(Activation::name).join(", ");
        format!(
            "{names}, {LEAKY}:SLOPE with a slope of 0 to 1 and {ELU}:ALPHA with an alpha of 0 to 100"
        )
    }
}

impl From<Activation> for String {
    fn from(activation: Activation) -> String {
        activation.name().into_owned()
    }
}

impl TryFrom<String> for Activation {
    type Error = String;

    fn try_from(name: String) -> Result<Activation, String> {
        Activation::from_name(&name).ok_or_else(|| {
            format!("there is no activation '{name}': expected one of {}", Activation::known())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for slope in [0.0, 0.01, 0.1, 1.0 / 3.0, 1.0] {
            let activation = Activation::leaky_relu(slope).unwrap();
            assert_eq!(Activation::from_name(&activation.name()), Some(activation));
        }
        for alpha in [0.0, 0.5, 1.0, 1.0 / 3.0, 100.0] {
            let activation = Activation::elu(alpha).unwrap();
            assert_eq!(Activation::from_name(&activation.name()), Some(activation));
        }
        assert_eq!(Activation::from_name("swish"), Some(Activation::Silu));
        for activation in Activation::ALL {
            assert_eq!(Activation::from_name(&activation.name()), Some(activation));
            let json = serde_json::to_string(&activation).unwrap();
            assert_eq!(json, format!("\"{}\"", activation.name()));
            assert_eq!(serde_json::from_str::<Activation>(&json).unwrap(), activation);
        }
        assert_eq!(Activation::from_name("leaky_relu:0.01"), Some(Activation::LEAKY_RELU));
    }

    #[test]
    fn what_is_none_is_told() {
        for name in [
            "",
            "Relu",
            "relu:0.1",
            "leaky_relu:",
            "leaky_relu:-0.1",
            "leaky_relu:1.5",
            "leaky_relu:nan",
            "elu:-1",
            "elu:inf",
            "elu:",
            "selu:1",
        ] {
            assert_eq!(Activation::from_name(name), None, "{name}");
            let reported = Activation::try_from(name.to_owned()).unwrap_err();
            assert!(reported.contains("leaky_relu:SLOPE with a slope of 0 to 1"), "{reported}");
        }
    }
}
