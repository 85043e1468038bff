//! Activation functions and their derivatives (docs/maths.md M3).

use gradus_kernels::Kernels;

/// What a layer applies to each of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(0, x)`
    Relu,
    /// `x` where positive, else `0.01 x`
    LeakyRelu,
    /// `tanh x`
    Tanh,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `x Phi(x)`, Phi the normal distribution function (exact, not the tanh approximation)
    Gelu,
}

impl Activation {
    /// All activations.
    pub const ALL: [Activation; 6] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Gelu,
    ];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky_relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Gelu => "gelu",
        }
    }

    /// The activation of this name.
    pub fn from_name(name: &str) -> Option<Activation> {
        Activation::ALL.into_iter().find(|activation| activation.name() == name)
    }

    /// Applies it in place.
    pub fn forward(self, kernels: Kernels, values: &mut [f32]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => kernels.relu(values),
            Activation::LeakyRelu => kernels.leaky_relu(values),
            Activation::Tanh => kernels.tanh(values),
            Activation::Sigmoid => kernels.sigmoid(values),
            Activation::Gelu => kernels.gelu(values),
        }
    }

    /// Whether the derivative is computed from the input, which then must be kept, and not from
    /// the output.
    pub fn needs_input(self) -> bool {
        match self {
            Activation::Gelu => true,
            Activation::Identity
            | Activation::Relu
            | Activation::LeakyRelu
            | Activation::Tanh
            | Activation::Sigmoid => false,
        }
    }

    /// Whether the derivative is computed from the output's value, not only from its sign: a scaled
    /// output will not do then.
    pub fn needs_exact_output(self) -> bool {
        matches!(self, Activation::Tanh | Activation::Sigmoid)
    }

    /// Multiplies `grad` by the derivative. `kept` is the output of [`Self::forward`], or its
    /// input where [`Self::needs_input`] says so.
    pub fn backward(self, kernels: Kernels, kept: &[f32], grad: &mut [f32]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => kernels.relu_backward(kept, grad),
            Activation::LeakyRelu => kernels.leaky_relu_backward(kept, grad),
            Activation::Tanh => kernels.tanh_backward(kept, grad),
            Activation::Sigmoid => kernels.sigmoid_backward(kept, grad),
            Activation::Gelu => kernels.gelu_backward(kept, grad),
        }
    }
}
