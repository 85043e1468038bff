//! Activation functions and their derivatives (docs/maths.md M3).

use gradus_kernels::Kernels;

/// What a layer applies to each of its values.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(0, x)`
    Relu,
    /// `x` where positive, else `slope x`
    LeakyRelu {
        /// 0 to 1.
        slope: f32,
    },
    /// `tanh x`
    Tanh,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `x Phi(x)`, Phi the normal distribution function (exact, not the tanh approximation)
    Gelu,
    /// `x` where positive, else `alpha (e^x - 1)`
    Elu {
        /// 0 to 100.
        alpha: f32,
    },
    /// ELU with the constants that keep mean 0 and variance 1
    Selu,
    /// `x / (1 + e^-x)`, also called swish
    Silu,
    /// `x tanh(ln(1 + e^x))` (Misra 2020)
    Mish,
}

impl Activation {
    /// Leaky ReLU with its usual slope (Maas, Hannun and Ng 2013).
    pub const LEAKY_RELU: Activation = Activation::LeakyRelu { slope: 0.01 };

    /// ELU with its usual constant (Clevert, Unterthiner and Hochreiter 2016).
    pub const ELU: Activation = Activation::Elu { alpha: 1.0 };

    /// All activations, with their usual constants.
    pub const ALL: [Activation; 10] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LEAKY_RELU,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Gelu,
        Activation::ELU,
        Activation::Selu,
        Activation::Silu,
        Activation::Mish,
    ];

    /// Leaky ReLU with this slope; `None` if it is not 0 to 1.
    pub fn leaky_relu(slope: f32) -> Option<Activation> {
        let activation = Activation::LeakyRelu { slope };
        activation.is_valid().then_some(activation)
    }

    /// ELU with this constant; `None` if it is not 0 to 100.
    pub fn elu(alpha: f32) -> Option<Activation> {
        let activation = Activation::Elu { alpha };
        activation.is_valid().then_some(activation)
    }

    /// Whether its constant is in range. The derivative follows from the sign of the output, which a
    /// negative slope or alpha would turn.
    pub(super) fn is_valid(self) -> bool {
        match self {
            Activation::LeakyRelu { slope } => (0.0..=1.0).contains(&slope),
            Activation::Elu { alpha } => (0.0..=100.0).contains(&alpha),
            _ => true,
        }
    }

    /// Applies it in place.
    pub fn forward(self, kernels: Kernels, values: &mut [f32]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => kernels.relu(values),
            Activation::LeakyRelu { slope } => kernels.leaky_relu(values, slope),
            Activation::Tanh => kernels.tanh(values),
            Activation::Sigmoid => kernels.sigmoid(values),
            Activation::Gelu => kernels.gelu(values),
            Activation::Elu { alpha } => kernels.elu(values, alpha),
            Activation::Selu => kernels.selu(values),
            Activation::Silu => kernels.silu(values),
            Activation::Mish => kernels.mish(values),
        }
    }

    /// Whether the derivative is computed from the input, which then must be kept, and not from
    /// the output.
    pub fn needs_input(self) -> bool {
        match self {
            Activation::Gelu | Activation::Silu | Activation::Mish => true,
            Activation::Identity
            | Activation::Relu
            | Activation::LeakyRelu { .. }
            | Activation::Tanh
            | Activation::Sigmoid
            | Activation::Elu { .. }
            | Activation::Selu => false,
        }
    }

    /// Whether the derivative is computed from the output's value, not only from its sign: a scaled
    /// output will not do then.
    pub fn needs_exact_output(self) -> bool {
        matches!(
            self,
            Activation::Tanh | Activation::Sigmoid | Activation::Elu { .. } | Activation::Selu
        )
    }

    /// Multiplies `grad` by the derivative. `kept` is the output of [`Self::forward`], or its
    /// input where [`Self::needs_input`] says so.
    pub fn backward(self, kernels: Kernels, kept: &[f32], grad: &mut [f32]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => kernels.relu_backward(kept, grad),
            Activation::LeakyRelu { slope } => kernels.leaky_relu_backward(kept, grad, slope),
            Activation::Tanh => kernels.tanh_backward(kept, grad),
            Activation::Sigmoid => kernels.sigmoid_backward(kept, grad),
            Activation::Gelu => kernels.gelu_backward(kept, grad),
            Activation::Elu { alpha } => kernels.elu_backward(kept, grad, alpha),
            Activation::Selu => kernels.selu_backward(kept, grad),
            Activation::Silu => kernels.silu_backward(kept, grad),
            Activation::Mish => kernels.mish_backward(kept, grad),
        }
    }
}
