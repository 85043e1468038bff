//! The names of activations in options and files.

use std::borrow::Cow;

use super::Activation;

const LEAKY: &str = "leaky_relu";

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
        })
    }

    /// The activation of this name.
    pub fn from_name(name: &str) -> Option<Activation> {
        match name.split_once(':') {
            Some((LEAKY, slope)) => Activation::leaky_relu(slope.parse().ok()?),
            _ => Activation::ALL.into_iter().find(|activation| activation.name() == name),
        }
    }

    /// What [`Self::from_name`] takes, for a message.
    pub fn known() -> String {
        let names = Activation::ALL.map(Activation::name).join(", ");
        format!("{names} and {LEAKY}:SLOPE with a slope of 0 to 1")
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
        ] {
            assert_eq!(Activation::from_name(name), None, "{name}");
            let told = Activation::try_from(name.to_owned()).unwrap_err();
            assert!(told.contains("leaky_relu:SLOPE with a slope of 0 to 1"), "{told}");
        }
    }
}
