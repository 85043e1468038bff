//! The text of a C file, part by part.

use std::fmt::{Display, Write};

use super::int8::Int8Weight;
use crate::classifier::Model;
use crate::data::Task;
use crate::loss::Loss;
use crate::network::Activation;
use crate::transform::Step;

/// The first words of every file, by which gradus knows its own.
pub(in crate::model_file) const MARK: &str = "/* Written by gradus";

/// Numbers in a line.
const IN_A_LINE: usize = 12;

/// What is written: a model, the beginning of its names, and whether weights take 8 bits.
pub(super) struct Source<'a> {
    model: &'a Model,
    name: String,
    int8: bool,
    text: String,
}

impl<'a> Source<'a> {
    pub(super) fn new(model: &'a Model, name: String, int8: bool) -> Source<'a> {
        Source { model, name, int8, text: String::new() }
    }

    pub(super) fn text(mut self) -> String {
        self.head();
        self.normalization();
        self.parameters();
        self.activations();
        self.layer();
        self.predict();
        if self.model.task() == Task::Classification {
            self.label();
        }
        self.main();
        self.text
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn lines(&mut self, lines: &str) {
        let lines = lines.replace("NAME", &self.name).replace("REAL", self.real());
        self.line(lines.trim_matches('\n'));
    }

    /// The type of a raw value.
    fn real(&self) -> &'static str {
        if self.model.transform.takes_doubles() { "double" } else { "float" }
    }

    fn sizes(&self) -> (usize, usize) {
        (self.model.network.inputs(), self.model.network.outputs())
    }

    fn head(&mut self) {
        let (inputs, outputs) = self.sizes();
        let model = self.model;
        let classes = model.task() == Task::Classification;
        self.line(format_args!(
            "{MARK} {}: a dense network as C99, without any dependency.",
            env!("CARGO_PKG_VERSION")
        ));
        let columns = model.columns.as_ref().and_then(|columns| columns.feature_names());
        let shape: Vec<String> = model.sample_shape.iter().map(usize::to_string).collect();
        self.line(format_args!(
            " *\n * Raw values in: {inputs} of them, of shape {}, row by row.",
            shape.join(" x ")
        ));
        if let Some(names) = columns {
            let names: Vec<String> = names.into_iter().map(comment).collect();
            self.line(format_args!(" * They are, in this order: {}.", names.join(", ")));
        }
        let what = match model.task() {
            Task::Classification => "probabilities of the classes",
            Task::MultiLabel => "probabilities of the labels",
            Task::Regression => "values",
        };
        let names: Vec<String> = model.names().iter().map(|name| comment(name)).collect();
        self.line(format_args!(" * Out: {outputs} {what}: {}.", names.join(", ")));
        let (even, odd) = self.widths();
        self.line(format_args!(
            " * A call takes {} bytes of stack and changes no memory but its output.",
            4 * (even + odd)
        ));
        if self.int8 {
            self.line(" * Weights have 8 bits and a scale for each unit.");
        }
        self.lines(" *\n * void NAME_predict(const REAL *input, float *output);");
        if classes {
            self.lines(
                " * int NAME_label(const REAL *input);   the index of the most probable class\n * extern const char *const NAME_names[];",
            );
        }
        self.lines(
            " *\n * To try it: cc -DNAME_MAIN FILE.c -lm, and give it lines of raw values separated by spaces or commas.\n */\n\n#include <math.h>\n",
        );
        let (name, upper) = (self.name.clone(), self.name.to_ascii_uppercase());
        self.line(format_args!(
            "#define {upper}_INPUTS {inputs}\n#define {upper}_OUTPUTS {outputs}\n"
        ));
        let names: Vec<String> = model.names().iter().map(|name| literal(name)).collect();
        self.line(format_args!("extern const char *const {name}_names[];"));
        self.line(format_args!("const char *const {name}_names[] = {{{}}};\n", names.join(", ")));
    }

    /// The largest number of values of a layer with an even and with an odd number: outputs go from one array to the other.
    fn widths(&self) -> (usize, usize) {
        let linears = self.model.network.linears();
        let hidden = &linears[..linears.len() - 1];
        let widest = |from: usize| hidden.iter().skip(from).step_by(2).map(|it| it.outputs).max();
        (widest(0).unwrap_or(0), widest(1).unwrap_or(0))
    }

    /// The function from a raw value to an input of the first layer.
    fn normalization(&mut self) {
        let real = self.real();
        let mut body = String::new();
        for (at, step) in self.model.transform.steps().into_iter().enumerate() {
            let mut number = |values: &[f32], kind: &str| match values {
                [value] if self.model.transform.as_scalar().is_some() => float(*value),
                _ => {
                    let array = format!("{}_{at}", kind);
                    self.array(
                        &format!("static const float {array}"),
                        values.iter().map(|&value| float(value)),
                    );
                    format!("{array}[i]")
                }
            };
            let statement = match step {
                Step::Subtract(means) => format!("x -= {};", number(means, "mean")),
                Step::SubtractRest(rests) => format!("x -= {};", number(rests, "rest")),
                Step::Divide(stds) => format!("x /= {};", number(stds, "deviation")),
                Step::SmoothClip(limit) => {
                    let limit = float(limit);
                    format!("x /= sqrtf(1.0f + (float)(x / {limit}) * (float)(x / {limit}));")
                }
            };
            let _ = writeln!(body, "    {statement}");
        }
        self.line(format_args!(
            "/* What the first layer takes of a raw value. */\nstatic float normalized(const {real} *input, int i)\n{{\n    \
             {real} x = input[i];\n{body}    return (float)x;\n}}\n"
        ));
    }

    fn parameters(&mut self) {
        let network = &self.model.network;
        for (index, linear) in network.linears().iter().enumerate() {
            self.line(format_args!("/* Layer {index}: {} x {}. */", linear.inputs, linear.outputs));
            match self.int8 {
                false => {
                    let weight = network.weight(index).iter().map(|&value| float(value));
                    self.array(&format!("static const float weight_{index}"), weight);
                }
                true => {
                    let Int8Weight { values, scales } =
                        Int8Weight::new(network.weight(index), linear.outputs);
                    self.array(
                        &format!("static const signed char weight_{index}"),
                        values.iter().map(i8::to_string),
                    );
                    self.array(
                        &format!("static const float scale_{index}"),
                        scales.iter().map(|&it| float(it)),
                    );
                }
            }
            let bias = network.bias(index).iter().map(|&value| float(value));
            self.array(&format!("static const float bias_{index}"), bias);
        }
    }

    fn array(&mut self, declaration: &str, values: impl Iterator<Item = String>) {
        let values: Vec<String> = values.collect();
        let lines: Vec<String> = values.chunks(IN_A_LINE).map(|line| line.join(", ")).collect();
        self.line(format_args!("{declaration}[{}] = {{\n{}}};\n", values.len(), lines.join(",\n")));
    }

    /// A function for each activation that the network has.
    fn activations(&mut self) {
        let network = &self.model.network;
        let hidden = 0..network.linears().len() - 1;
        let mut written = Vec::new();
        for activation in hidden.map(|index| network.activation_after(index)) {
            if written.contains(&activation) {
                continue;
            }
            let number = written.len();
            written.push(activation);
            self.line(format_args!(
                "/* {} */\nstatic float activation_{number}(float x)\n{{\n    return {};\n}}\n",
                activation.name(),
                formula(activation)
            ));
        }
    }

    /// The function that computes a layer from the layer below.
    fn layer(&mut self) {
        let text = match self.int8 {
            false => {
                "\
/* z = x W + b, for the weight [inputs x outputs] in rows. */
static void layer(const float *weight, const float *bias, int inputs, int outputs, const float *x, float *z)
{
    int i, j;
    for (j = 0; j < outputs; j++)
        z[j] = bias[j];
    for (i = 0; i < inputs; i++)
        for (j = 0; j < outputs; j++)
            z[j] += x[i] * weight[i * (long)outputs + j];
}
"
            }
            true => {
                "\
/* z = scale (x W) + b, for the weight [inputs x outputs] in rows. */
static void layer(const signed char *weight, const float *scale, const float *bias, int inputs, int outputs,
                  const float *x, float *z)
{
    int i, j;
    for (j = 0; j < outputs; j++)
        z[j] = 0.0f;
    for (i = 0; i < inputs; i++)
        for (j = 0; j < outputs; j++)
            z[j] += x[i] * (float)weight[i * (long)outputs + j];
    for (j = 0; j < outputs; j++)
        z[j] = z[j] * scale[j] + bias[j];
}
"
            }
        };
        // A network of one layer has none that follows another.
        if self.model.network.linears().len() > 1 {
            self.line(text);
        }
    }

    fn predict(&mut self) {
        let network = &self.model.network;
        let (linears, (even, odd)) = (network.linears(), self.widths());
        let mut body = String::new();
        let mut kinds: Vec<Activation> = Vec::new();
        for (index, linear) in linears.iter().enumerate() {
            let last = index + 1 == linears.len();
            let to = if last { "output" } else { ["even", "odd"][index % 2] };
            let from = ["odd", "even"][index % 2];
            let outputs = linear.outputs;
            match index {
                0 => body += &self.first_layer(linear.inputs, outputs, to),
                _ => {
                    let scale = if self.int8 { format!("scale_{index}, ") } else { String::new() };
                    let _ = writeln!(
                        body,
                        "    layer(weight_{index}, {scale}bias_{index}, {}, {outputs}, {from}, {to});",
                        linear.inputs
                    );
                }
            }
            if !last {
                let activation = network.activation_after(index);
                let number =
                    kinds.iter().position(|&kind| kind == activation).unwrap_or_else(|| {
                        kinds.push(activation);
                        kinds.len() - 1
                    });
                let _ = writeln!(
                    body,
                    "    for (j = 0; j < {outputs}; j++)\n        {to}[j] = activation_{number}({to}[j]);"
                );
            }
        }
        let mut arrays = String::new();
        for (name, size) in [("even", even), ("odd", odd)].into_iter().filter(|(_, size)| *size > 0)
        {
            let _ = writeln!(arrays, "    float {name}[{size}];");
        }
        self.lines("void NAME_predict(const REAL *input, float *output);");
        self.lines("void NAME_predict(const REAL *input, float *output)\n{");
        self.line(format_args!("{arrays}    int i, j;\n{}", body.trim_end()));
        if let Some(statements) = predictions(self.model.loss(), self.sizes().1) {
            self.line(statements);
        }
        self.line("}\n");
    }

    /// The statements of the layer that takes raw values.
    fn first_layer(&self, inputs: usize, outputs: usize, to: &str) -> String {
        let (start, weight, end) = match self.int8 {
            false => ("bias_0[j]", "weight_0", String::new()),
            true => (
                "0.0f",
                "(float)weight_0",
                format!(
                    "    for (j = 0; j < {outputs}; j++)\n        {to}[j] = {to}[j] * scale_0[j] + bias_0[j];\n"
                ),
            ),
        };
        format!(
            "    for (j = 0; j < {outputs}; j++)\n        {to}[j] = {start};\n    for (i = 0; i < {inputs}; i++) {{\n        \
             const float x = normalized(input, i);\n        for (j = 0; j < {outputs}; j++)\n            \
             {to}[j] += x * {weight}[i * {outputs}L + j];\n    }}\n{end}"
        )
    }

    fn label(&mut self) {
        let outputs = self.sizes().1;
        self.lines(&format!(
            "\
int NAME_label(const REAL *input);
int NAME_label(const REAL *input)
{{
    float output[{outputs}];
    int j, best = 0;
    NAME_predict(input, output);
    for (j = 1; j < {outputs}; j++)
        if (output[j] > output[best])
            best = j;
    return best;
}}
"
        ));
    }

    /// A program that predicts for lines of numbers: to try the file, and to test it.
    fn main(&mut self) {
        let (inputs, outputs) = self.sizes();
        let read = if self.real() == "double" { "%lf" } else { "%f" };
        self.lines(&format!(
            "\
#ifdef NAME_MAIN
#include <stdio.h>

int main(void)
{{
    static REAL input[{inputs}];
    static float output[{outputs}];
    int i = 0;
    while (scanf(\"{read}%*[ ,;\\t\\r\\n]\", &input[i]) == 1) {{
        if (++i < {inputs})
            continue;
        NAME_predict(input, output);
        for (i = 0; i < {outputs}; i++)
            printf(i + 1 < {outputs} ? \"%.9g \" : \"%.9g\\n\", output[i]);
        i = 0;
    }}
    return 0;
}}
#endif"
        ));
    }
}

/// An activation in C.
fn formula(activation: Activation) -> String {
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
fn predictions(loss: &Loss, outputs: usize) -> Option<String> {
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

/// The shortest decimal that is this number in single precision.
fn float(value: f32) -> String {
    format!("{value:?}f")
}

/// A text inside a comment: on one line, and without what would end the comment.
fn comment(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace("*/", "* /").replace("/*", "/ *").replace('\\', "/")
}

/// A string literal. All but letters, digits and spaces are written in octal, three digits, which no digit after them
/// can change, so that neither escapes nor trigraphs can arise.
fn literal(text: &str) -> String {
    let mut written = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b' ' | b'-' | b'_' | b'.' => written.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => written.push(char::from(byte)),
            _ => {
                let _ = write!(written, "\\{byte:03o}");
            }
        }
    }
    written + "\""
}
