//! Formulas in C: activations, and what makes predictions of the last outputs.

use super::text::float;
use crate::loss::Loss;
use crate::network::Activation;

/// An activation in C.
pub(super) fn formula(activation: Activation) -> String {
    match activation {
        Activation::Identity => "x".into(),
        Activation::Relu => "x > 0.0f ? x : 0.0f".into(),
        Activation::LeakyRelu { slope } => format!("x > 0.0f ? x : {} * x", float(slope)),
        Activation::Tanh => "tanhf(x)".into(),
        Activation::Sigmoid => "1.0f / (1.0f + expf(-x))".into(),
        Activation::Gelu => "0.5f * x * (1.0f + erff(0.70710678f * x))".into(),
        Activation::Elu { alpha } => format!("x > 0.0f ? x : {} * expm1f(x)", float(alpha)),
        Activation::Selu => "1.0507010f * (x > 0.0f ? x : 1.6732632f * expm1f(x))".into(),
        Activation::Silu => "x / (1.0f + expf(-x))".into(),
        Activation::Mish => "x * tanhf(log1pf(expf(x)))".into(),
    }
}

/// The statements that make predictions of the outputs, where these are something else.
pub(super) fn predictions(loss: &Loss, outputs: usize) -> Option<String> {
    match loss {
        Loss::SoftmaxCrossEntropy => Some(softmax(outputs)),
        Loss::BinaryCrossEntropy => Some(format!(
            "    for (j = 0; j < {outputs}; j++)\n        output[j] = 1.0f / (1.0f + expf(-output[j]));"
        )),
        Loss::Poisson => Some(format!(
            "    for (j = 0; j < {outputs}; j++)\n        output[j] = expf(output[j]);"
        )),
        Loss::Quantile(levels) if levels.len() > 1 => Some(in_order(outputs, levels.len())),
        Loss::SquaredError | Loss::Huber { .. } | Loss::AbsoluteError | Loss::Quantile(_) => None,
    }
}

/// The statements that clip predictions; NaN stays what it is.
pub(super) fn clip(outputs: usize) -> String {
    format!(
        "    for (j = 0; j < {outputs}; j++)
        if (output[j] < least[j])
            output[j] = least[j];
        else if (output[j] > most[j])
            output[j] = most[j];"
    )
}

/// The statements that sort the quantiles of each target, by insertion.
fn in_order(outputs: usize, quantiles: usize) -> String {
    format!(
        "    for (j = 0; j < {outputs}; j++) {{
        const float value = output[j];
        for (i = j; i % {quantiles} > 0 && output[i - 1] > value; i--)
            output[i] = output[i - 1];
        output[i] = value;
    }}"
    )
}

/// The statements that make probabilities of the outputs.
fn softmax(outputs: usize) -> String {
    format!(
        "    {{
        float most = output[0], sum = 0.0f;
        for (j = 1; j < {outputs}; j++)
            if (output[j] > most)
                most = output[j];
        for (j = 0; j < {outputs}; j++) {{
            output[j] = expf(output[j] - most);
            sum += output[j];
        }}
        for (j = 0; j < {outputs}; j++)
            output[j] /= sum;
    }}"
    )
}
