//! The text of a C file, part by part.

use std::fmt::{Display, Write};

use super::columns;
use super::formulas::{clip, formula, predictions};
use super::int8::Int8Weight;
use super::text::{array, comment, float, literal};
use crate::classifier::Model;
use crate::data::Task;
use crate::network::{Activation, Network};
use crate::transform::Step;

/// The first words of every file, by which gradus knows its own.
pub(in crate::model_file) const MARK: &str = "/* Written by gradus";

/// What is written: a model, the beginning of its names, and whether weights take 8 bits.
pub(super) struct Source<'a> {
    model: &'a Model,
    /// The network that is being written, and the beginning of its names: none for the only one.
    network: &'a Network,
    member: String,
    name: String,
    int8: bool,
    text: String,
}

impl<'a> Source<'a> {
    pub(super) fn new(model: &'a Model, name: String, int8: bool) -> Source<'a> {
        let (network, member, text) = (&model.network, String::new(), String::new());
        Source { model, network, member, name, int8, text }
    }

    pub(super) fn text(mut self) -> String {
        self.head();
        match self.model.transform.schema() {
            None => self.normalization(),
            Some(schema) => {
                let encoding = columns::encoding(self.model, schema, &self.name);
                self.line(encoding);
            }
        }
        self.activations();
        self.range();
        self.layer();
        match self.model.members() {
            1 => self.network_of("void NAME_predict(PARAMETER, float *output)"),
            members => {
                for (at, network) in self.model.networks().enumerate() {
                    (self.network, self.member) = (network, format!("member{}_", at + 1));
                    let function =
                        format!("static void {}predict(PARAMETER, float *output)", self.member);
                    self.network_of(&function);
                }
                self.mean(members);
            }
        }
        if self.model.task() == Task::Classification {
            self.label();
        }
        match self.model.transform.schema() {
            None => self.main(),
            Some(_) => self.main_of_rows(),
        }
        self.text
    }

    /// The parameters of a network, and the function that predicts with it.
    fn network_of(&mut self, function: &str) {
        if let Some(layer) = self.network.columns() {
            self.line(columns::embedding(self.network, layer, &self.member));
        }
        self.parameters();
        self.predict(function);
    }

    /// The mean of what the members of a bag predict.
    fn mean(&mut self, members: usize) {
        let outputs = self.sizes().1;
        let mut body = format!(
            "    float one[{outputs}];\n    int j;\n    member1_predict(ARGUMENT, output);\n"
        );
        for member in 2..=members {
            let _ = writeln!(
                body,
                "    member{member}_predict(ARGUMENT, one);\n    for (j = 0; j < {outputs}; j++)\n        output[j] += one[j];"
            );
        }
        let _ =
            write!(body, "    for (j = 0; j < {outputs}; j++)\n        output[j] /= {members}.0f;");
        self.lines("void NAME_predict(PARAMETER, float *output);");
        self.lines(&format!("void NAME_predict(PARAMETER, float *output)\n{{\n{body}\n}}\n"));
        self.line("");
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn lines(&mut self, lines: &str) {
        let [parameter, argument] = self.input();
        let lines = lines.replace("PARAMETER", parameter).replace("ARGUMENT", argument);
        // The name comes last, whatever it is.
        let lines = lines.replace("REAL", self.real()).replace("NAME", &self.name);
        self.line(lines.trim_matches('\n'));
    }

    /// The type of a raw value.
    fn real(&self) -> &'static str {
        if self.model.transform.takes_doubles() { "double" } else { "float" }
    }

    /// The parameter of the functions, and what it is called.
    fn input(&self) -> [&'static str; 2] {
        match self.model.transform.schema() {
            None => ["const REAL *input", "input"],
            Some(_) => ["const NAME_row *row", "row"],
        }
    }

    /// Whether all inputs of the first layer are computed before it.
    fn is_of_columns(&self) -> bool {
        self.model.transform.schema().is_some() || self.model.network.columns().is_some()
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
        match model.transform.schema() {
            None => self.describe_inputs(),
            Some(schema) => {
                let (name, columns) = (self.name.clone(), schema.summary());
                self.line(format_args!(
                    " *\n * A row of raw values in, {name}_row below: {columns}."
                ));
            }
        }
        let what = match model.task() {
            Task::Classification => "probabilities of the classes",
            Task::MultiLabel => "probabilities of the labels",
            Task::Regression => "values",
        };
        let names: Vec<String> = model.names().iter().map(|name| comment(name)).collect();
        self.line(format_args!(" * Out: {outputs} {what}: {}.", names.join(", ")));
        let arrays: usize = self.arrays().iter().map(|(_, size)| size).sum();
        // The members of a bag need them one after the other.
        let arrays = arrays + if model.members() > 1 { outputs } else { 0 };
        self.line(format_args!(
            " * A call takes {} bytes of stack and changes no memory but its output.",
            4 * arrays
        ));
        if self.int8 {
            self.line(" * Weights have 8 bits and a scale for each unit.");
        }
        self.lines(" *\n * void NAME_predict(PARAMETER, float *output);");
        if classes {
            self.lines(
                " * int NAME_label(PARAMETER);   the index of the most probable class\n * extern const char *const NAME_names[];",
            );
        }
        let schema = model.transform.schema();
        let lines = match schema {
            None => "lines of raw values separated by spaces or commas",
            Some(_) => "rows of raw values with tabs between them, none for a gap",
        };
        self.lines(&format!(
            " *\n * To try it: cc -DNAME_MAIN FILE.c -lm, and give it {lines}.\n */\n\n#include <math.h>\n"
        ));
        let (name, upper) = (self.name.clone(), self.name.to_ascii_uppercase());
        if schema.is_none() {
            self.line(format_args!("#define {upper}_INPUTS {inputs}"));
        }
        self.line(format_args!("#define {upper}_OUTPUTS {outputs}\n"));
        if let Some(schema) = schema {
            self.line(columns::row(model, schema, &name));
        }
        let names: Vec<String> = model.names().iter().map(|name| literal(name)).collect();
        self.line(format_args!("extern const char *const {name}_names[];"));
        self.line(format_args!("const char *const {name}_names[] = {{{}}};\n", names.join(", ")));
    }

    /// The raw values of a model that takes numbers.
    fn describe_inputs(&mut self) {
        let model = self.model;
        let columns = model.columns.as_ref().and_then(|columns| columns.feature_names());
        let shape: Vec<String> = model.sample_shape.iter().map(usize::to_string).collect();
        self.line(format_args!(
            " *\n * Raw values in: {} of them, of shape {}, row by row.",
            model.features(),
            shape.join(" x ")
        ));
        if let Some(names) = columns {
            let names: Vec<String> = names.into_iter().map(comment).collect();
            self.line(format_args!(" * They are, in this order: {}.", names.join(", ")));
        }
    }

    /// The arrays that a prediction needs, and how long they are.
    fn arrays(&self) -> Vec<(&'static str, usize)> {
        let network = &self.model.network;
        let (even, odd) = self.widths();
        let inputs = if self.is_of_columns() { network.inputs() } else { 0 };
        let embedded = network.columns().map_or(0, |layer| layer.outputs());
        let all = [("inputs", inputs), ("embedded", embedded), ("even", even), ("odd", odd)];
        all.into_iter().filter(|(_, size)| *size > 0).collect()
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
        let (network, member) = (self.network, self.member.clone());
        for (index, linear) in network.linears().iter().enumerate() {
            self.line(format_args!("/* Layer {index}: {} x {}. */", linear.inputs, linear.outputs));
            match self.int8 {
                false => {
                    let weight = network.weight(index).iter().map(|&value| float(value));
                    self.array(&format!("static const float {member}weight_{index}"), weight);
                }
                true => {
                    let Int8Weight { values, scales } =
                        Int8Weight::new(network.weight(index), linear.outputs);
                    self.array(
                        &format!("static const signed char {member}weight_{index}"),
                        values.iter().map(i8::to_string),
                    );
                    self.array(
                        &format!("static const float {member}scale_{index}"),
                        scales.iter().map(|&it| float(it)),
                    );
                }
            }
            let bias = network.bias(index).iter().map(|&value| float(value));
            self.array(&format!("static const float {member}bias_{index}"), bias);
            if let Some(strengths) = network.strengths(index) {
                let strengths = strengths.iter().map(|&value| float(value));
                self.array(&format!("static const float {member}strength_{index}"), strengths);
            }
        }
    }

    fn array(&mut self, declaration: &str, values: impl Iterator<Item = String>) {
        array(&mut self.text, declaration, values);
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

    /// The bounds that predictions are clipped to.
    fn range(&mut self) {
        let range = &self.model.outputs.range;
        if range.is_empty() {
            return;
        }
        self.line("/* The least and the largest prediction of each output. */");
        self.array("static const float least", range.iter().map(|bounds| float(bounds[0])));
        self.array("static const float most", range.iter().map(|bounds| float(bounds[1])));
        self.line("");
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
        if self.model.network.linears().len() > 1 || self.is_of_columns() {
            self.line(text);
        }
    }

    fn predict(&mut self, function: &str) {
        let (network, member) = (self.network, self.member.clone());
        let linears = network.linears();
        let mut body = String::new();
        let mut kinds: Vec<Activation> = Vec::new();
        for (index, linear) in linears.iter().enumerate() {
            let last = index + 1 == linears.len();
            let to = if last { "output" } else { ["even", "odd"][index % 2] };
            let from = ["odd", "even"][index % 2];
            let outputs = linear.outputs;
            match index {
                0 if !self.is_of_columns() => {
                    body += &self.first_layer(linear.inputs, outputs, to);
                }
                _ => {
                    let from = match index {
                        0 => self.columns(&mut body),
                        _ => from,
                    };
                    let scale =
                        if self.int8 { format!("{member}scale_{index}, ") } else { String::new() };
                    let _ = writeln!(
                        body,
                        "    layer({member}weight_{index}, {scale}{member}bias_{index}, {}, {outputs}, {from}, {to});",
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
                let statement = match network.strengths(index) {
                    None => format!("{to}[j] = activation_{number}({to}[j]);"),
                    Some(_) => format!(
                        "{to}[j] += {member}strength_{index}[j] * (activation_{number}({to}[j]) - {to}[j]);"
                    ),
                };
                let _ = writeln!(body, "    for (j = 0; j < {outputs}; j++)\n        {statement}");
            }
        }
        if let Some(statements) = predictions(self.model.loss(), self.sizes().1) {
            body += &(statements + "\n");
        }
        if !self.model.outputs.range.is_empty() {
            body += &(clip(self.sizes().1) + "\n");
        }
        let mut locals = String::new();
        for (name, size) in self.arrays() {
            let _ = writeln!(locals, "    float {name}[{size}];");
        }
        let counters = ["i", "j"].into_iter().filter(|it| body.contains(&format!("for ({it} = ")));
        let counters = counters.collect::<Vec<_>>().join(", ");
        if !counters.is_empty() {
            let _ = writeln!(locals, "    int {counters};");
        }
        if self.member.is_empty() {
            self.lines(&format!("{function};"));
        }
        self.lines(&format!("{function}\n{{"));
        self.line(format_args!("{locals}{}\n}}\n", body.trim_end()));
    }

    /// The statements that compute the inputs of the first layer; returns the array that has them.
    fn columns(&self, body: &mut String) -> &'static str {
        *body += &match self.model.transform.schema() {
            Some(_) => "    encode(row, inputs);\n".to_owned(),
            None => format!(
                "    for (i = 0; i < {}; i++)\n        inputs[i] = normalized(input, i);\n",
                self.model.network.inputs()
            ),
        };
        match self.model.network.columns() {
            None => "inputs",
            Some(_) => {
                *body += &format!("    {}embed(inputs, embedded);\n", self.member);
                "embedded"
            }
        }
    }

    /// The statements of the layer that takes raw values.
    fn first_layer(&self, inputs: usize, outputs: usize, to: &str) -> String {
        let member = &self.member;
        let (start, weight, end) = match self.int8 {
            false => (format!("{member}bias_0[j]"), format!("{member}weight_0"), String::new()),
            true => (
                "0.0f".to_owned(),
                format!("(float){member}weight_0"),
                format!(
                    "    for (j = 0; j < {outputs}; j++)\n        {to}[j] = {to}[j] * {member}scale_0[j] + {member}bias_0[j];\n"
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
int NAME_label(PARAMETER);
int NAME_label(PARAMETER)
{{
    float output[{outputs}];
    int j, best = 0;
    NAME_predict(ARGUMENT, output);
    for (j = 1; j < {outputs}; j++)
        if (output[j] > output[best])
            best = j;
    return best;
}}
"
        ));
    }

    /// A program that predicts for rows of a table.
    fn main_of_rows(&mut self) {
        let outputs = self.sizes().1;
        let Some(schema) = self.model.transform.schema() else { return };
        self.lines(
            "\
#ifdef NAME_MAIN
#include <stdio.h>
#include <stdlib.h>

/* The text up to the next tab or the end of the line. */
static char *next_field(char **rest)
{
    char *field = *rest, *end = field;
    while (*end && *end != '\\t' && *end != '\\n' && *end != '\\r')
        end++;
    *rest = *end == '\\t' ? end + 1 : end;
    *end = 0;
    return field;
}

int main(void)
{
    static char line[1 << 20];
    static float output[NAME_COUNT];
    NAME_row row;
    int i;
    while (fgets(line, sizeof line, stdin)) {
        char *rest = line, *field;"
                .replace("NAME_COUNT", &outputs.to_string())
                .as_str(),
        );
        self.line(columns::reading(self.model, schema, &self.name).trim_end());
        self.lines(&format!(
            "        \
        NAME_predict(&row, output);
        for (i = 0; i < {outputs}; i++)
            printf(i + 1 < {outputs} ? \"%.9g \" : \"%.9g\\n\", output[i]);
    }}
    return 0;
}}
#endif"
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
