//! A schema as a graph: raw columns in, each an input of its own, rows of floats for the network out.
//!
//! Numbers and times are computed as a matrix, in double precision until they are centred, as `transform::columns` does. Of
//! each kind there is a block of columns; a last Gather puts them into the order of the schema.

use std::collections::{HashMap, HashSet};

use super::calendar::Calendar;
use super::messages::{Graph, Node, Tensor, ValueInfo, element};
use super::parts::{
    doubles, float, floats, int, integers, list_of_floats, node, texts, truths, value,
};
use crate::classifier::Model;
use crate::model_file::raw_table::{TextCodes, column_names, gap_spellings};
use crate::transform::columns::{CategoryForm, Scale, Schema, SchemaColumn, TimePart};
use crate::transform::robust::CLIP;

/// The domain of operators on texts, and the version that is written.
pub(super) const TEXT_DOMAIN: &str = "ai.onnx.ml";
pub(super) const TEXT_OPSET: i64 = 3;

/// The value that the nodes compute.
pub(super) const ENCODED: &str = "encoded";

/// Numbers beyond this are at the bound of the smooth clip in single precision; their squares must not overflow.
const FAR: f32 = 1e9 * CLIP;

/// Inputs, and what computes the network's inputs of them.
pub(super) struct RawGraph {
    pub(super) inputs: Vec<ValueInfo>,
    pub(super) nodes: Vec<Node>,
    pub(super) constants: Vec<Tensor>,
}

/// The graph of a model's schema, before [`with_column_names`]; none for a model that takes numbers.
pub(super) fn raw_columns(model: &Model) -> Option<RawGraph> {
    let schema = model.transform.schema()?;
    Some(Builder::default().graph(schema, &gap_spellings(model)))
}

/// What stands for the name of an input while the graph is built: no other value has such a name.
fn stand_in(at: usize) -> String {
    format!("column {at}")
}

/// The graph with the names of the columns. Another value of that name gets an underscore: names in a graph are unique.
pub(super) fn with_column_names(mut graph: Graph, model: &Model) -> Graph {
    let names = column_names(model, str::to_owned);
    let columns: HashSet<&String> = names.iter().collect();
    let mut renamed: HashMap<String, String> =
        names.iter().enumerate().map(|(at, name)| (stand_in(at), name.clone())).collect();
    let values = graph.initializer.iter().map(|it| &it.name);
    let values: Vec<String> =
        values.chain(graph.node.iter().flat_map(|node| &node.output)).cloned().collect();
    let mut taken: HashSet<String> = values.iter().chain(&names).cloned().collect();
    for value in values.into_iter().filter(|value| columns.contains(value)) {
        let mut other = format!("{value}_");
        while !taken.insert(other.clone()) {
            other.push('_');
        }
        renamed.insert(value, other);
    }
    let rename = |name: &mut String| {
        if let Some(other) = renamed.get(name) {
            name.clone_from(other);
        }
    };
    graph.initializer.iter_mut().for_each(|it| rename(&mut it.name));
    graph.input.iter_mut().chain(&mut graph.output).for_each(|it| rename(&mut it.name));
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(rename);
        rename(&mut node.name);
    }
    graph
}

/// Where an encoded column comes from: a block, and the place in it.
#[derive(Clone, Copy)]
enum Place {
    Number(usize),
    GapFlag(usize),
    Code(usize),
    CategoryFlag(usize),
}

#[derive(Default)]
struct Builder {
    inputs: Vec<ValueInfo>,
    nodes: Vec<Node>,
    constants: Vec<Tensor>,
    places: Vec<Place>,
    /// The inputs that are numbers, and how they are scaled; then parts of times.
    numbers: Vec<String>,
    times: Vec<String>,
    /// For each part, the column of times that it is of.
    parts: Vec<(TimePart, usize)>,
    scales: Vec<Scale>,
    /// The values of codes, one of each category, and of each number whose values are told apart.
    codes: Vec<String>,
    /// For each flag of a category, its code and the number that it stands for.
    flags: Vec<(i64, f32)>,
}

impl Builder {
    fn graph(mut self, schema: &Schema, gaps: &[String]) -> RawGraph {
        let count =
            schema.columns().iter().filter(|it| matches!(it, SchemaColumn::Number(_))).count();
        let mut part_scales = Vec::new();
        for (at, column) in schema.columns().iter().enumerate() {
            let name = &stand_in(at);
            match column {
                SchemaColumn::Number(number) => {
                    let at = self.numbers.len();
                    self.inputs.push(value(name, element::DOUBLE, &[1]));
                    self.numbers.push(name.clone());
                    self.scales.push(number.scale);
                    self.places.push(Place::Number(at));
                    self.places.extend(number.gaps.then_some(Place::GapFlag(at)));
                    if number.has_code() {
                        self.code_of_number(name, &number.values);
                    }
                }
                SchemaColumn::Time { parts, gaps, .. } => {
                    self.inputs.push(value(name, element::INT64, &[1]));
                    let (first, time) = (count + self.parts.len(), self.times.len());
                    self.times.push(name.clone());
                    for part in parts {
                        self.places.push(Place::Number(count + self.parts.len()));
                        self.parts.push((part.part, time));
                        part_scales.push(part.scale);
                    }
                    if parts.is_empty() {
                        // Some part tells where the gaps are.
                        self.parts.push((TimePart::Elapsed, time));
                        part_scales.push(Scale::IDENTITY);
                    }
                    self.places.extend(gaps.then_some(Place::GapFlag(first)));
                }
                SchemaColumn::Category { values, form, .. } => {
                    self.inputs.push(value(name, element::STRING, &[1]));
                    self.category(name, values, *form, gaps);
                }
                SchemaColumn::Dropped { .. } => {}
            }
        }
        self.scales.extend(part_scales);
        self.finish();
        let Builder { inputs, nodes, constants, .. } = self;
        RawGraph { inputs, nodes, constants }
    }

    /// The code of a category: what stands for its value, as a number.
    fn category(&mut self, name: &str, values: &[String], form: CategoryForm, gaps: &[String]) {
        let (code, codes) = (self.codes.len(), TextCodes::new(values, form, gaps));
        let output = format!("code_{code}");
        let mut encoder = node(
            "LabelEncoder",
            &[name],
            &output,
            vec![
                texts("keys_strings", codes.known.iter().map(|(text, _)| *text)),
                list_of_floats(
                    "values_floats",
                    codes.known.iter().map(|(_, code)| *code).collect(),
                ),
                float("default_float", codes.other),
            ],
        );
        encoder.domain = TEXT_DOMAIN.into();
        self.nodes.push(encoder);
        self.codes.push(output);
        if codes.flags == 0 {
            self.places.push(Place::Code(code));
        }
        for number in 1..=codes.flags {
            self.places.push(Place::CategoryFlag(self.flags.len()));
            self.flags.push((code as i64, number as f32));
        }
    }

    /// The code of a number: which of these values it is, in double precision, or 0.
    fn code_of_number(&mut self, name: &str, values: &[f64]) {
        let code = self.codes.len();
        let names = ["known", "numbers", "truths", "hits", "code"].map(|it| format!("{it}_{code}"));
        let [known, numbers, truths, hits, output] = &names;
        let count = values.len();
        self.constants.extend([
            doubles(known, &[count], values),
            floats(numbers, &[count, 1], &(1..=count).map(|it| it as f32).collect::<Vec<_>>()),
        ]);
        self.step("Equal", &[name, known], truths);
        self.cast(truths, element::FLOAT, hits);
        self.step("MatMul", &[hits, numbers], output);
        self.codes.push(output.clone());
        self.places.push(Place::Code(code));
    }

    /// What follows on all columns.
    fn finish(&mut self) {
        let mut blocks = Vec::new();
        let mut widths = [0; 4];
        if !self.scales.is_empty() {
            let with_flags = self.places.iter().any(|it| matches!(it, Place::GapFlag(_)));
            self.scaled_numbers(with_flags);
            let count = self.scales.len();
            (widths[0], widths[1]) = (count, if with_flags { count } else { 0 });
            blocks.push("filled_values");
            blocks.extend(with_flags.then_some("gap_flags"));
        }
        if !self.codes.is_empty() {
            self.concat(&self.codes.clone(), "category_codes");
            widths[2] = self.codes.len();
            blocks.push("category_codes");
        }
        if !self.flags.is_empty() {
            let (codes, numbers): (Vec<i64>, Vec<f32>) = self.flags.iter().copied().unzip();
            self.constants.push(floats("flag_numbers", &[numbers.len()], &numbers));
            self.gather("category_codes", &codes, "flag_codes");
            self.step("Equal", &["flag_codes", "flag_numbers"], "category_truths");
            self.cast("category_truths", element::FLOAT, "category_flags");
            blocks.push("category_flags");
        }
        let blocks: Vec<String> = blocks.into_iter().map(str::to_owned).collect();
        self.concat(&blocks, "encoded_blocks");
        let start = |block: usize| widths[..block].iter().sum::<usize>();
        let place = |place: &Place| match *place {
            Place::Number(at) => at,
            Place::GapFlag(at) => start(1) + at,
            Place::Code(at) => start(2) + at,
            Place::CategoryFlag(at) => start(3) + at,
        };
        let order: Vec<i64> = self.places.iter().map(|it| place(it) as i64).collect();
        self.gather("encoded_blocks", &order, ENCODED);
    }

    /// Numbers and parts of times, on the scale of the normalization, and what stands in place of gaps.
    fn scaled_numbers(&mut self, with_flags: bool) {
        let mut blocks = Vec::new();
        if !self.numbers.is_empty() {
            self.concat(&self.numbers.clone(), "number_columns");
            blocks.push("number_columns".to_owned());
        }
        if !self.times.is_empty() {
            self.time_parts();
            blocks.push("time_parts".to_owned());
        }
        self.concat(&blocks, "raw_values");
        let scales = std::mem::take(&mut self.scales);
        let count = [scales.len()];
        let column = |of: fn(&Scale) -> f32| -> Vec<f32> { scales.iter().map(of).collect() };
        let means: Vec<f64> = scales.iter().map(|scale| scale.mean).collect();
        self.constants.extend([
            doubles("column_means", &count, &means),
            floats("column_deviations", &count, &column(|scale| scale.deviation)),
            floats("column_fills", &count, &column(|scale| scale.fill)),
        ]);
        self.step("IsNaN", &["raw_values"], "is_gap");
        self.step("Sub", &["raw_values", "column_means"], "centred_doubles");
        // Rounded only now: what is left is near 0.
        self.cast("centred_doubles", element::FLOAT, "centred_values");
        self.step("Div", &["centred_values", "column_deviations"], "scaled_values");
        let mut scaled = "scaled_values";
        if scales.iter().any(|scale| scale.clip) {
            self.smooth_clip();
            scaled = "clipped_values";
            if !scales.iter().all(|scale| scale.clip) {
                self.constants.push(truths("are_clipped", scales.iter().map(|scale| scale.clip)));
                self.step("Where", &["are_clipped", scaled, "scaled_values"], "bounded_values");
                scaled = "bounded_values";
            }
        }
        self.step("Where", &["is_gap", "column_fills", scaled], "filled_values");
        if with_flags {
            self.cast("is_gap", element::FLOAT, "gap_flags");
        }
        self.scales = scales;
    }

    /// `x / sqrt(1 + (x / 3)^2)`
    fn smooth_clip(&mut self) {
        self.constants.extend([
            floats("least_value", &[], &[-FAR]),
            floats("most_value", &[], &[FAR]),
            floats("clip_bound", &[], &[CLIP]),
            floats("clip_1", &[], &[1.0]),
        ]);
        self.step("Clip", &["scaled_values", "least_value", "most_value"], "near_values");
        self.step("Div", &["near_values", "clip_bound"], "value_part");
        self.step("Mul", &["value_part", "value_part"], "value_square");
        self.step("Add", &["value_square", "clip_1"], "value_sum");
        self.step("Sqrt", &["value_sum"], "value_root");
        self.step("Div", &["near_values", "value_root"], "clipped_values");
    }

    /// The parts of all times, in the order of the schema.
    fn time_parts(&mut self) {
        self.concat(&self.times.clone(), "times");
        let mut calendar = Calendar::default();
        let wanted: Vec<TimePart> = TimePart::ALL
            .into_iter()
            .filter(|part| self.parts.iter().any(|(it, _)| it == part))
            .collect();
        let names: Vec<String> = wanted.iter().map(|&part| calendar.part(part)).collect();
        self.nodes.append(&mut calendar.nodes);
        self.constants.append(&mut calendar.constants);
        self.concat(&names, "all_time_parts");
        let columns = self.times.len();
        let place = |&(part, time): &(TimePart, usize)| {
            let block = wanted.iter().position(|&it| it == part).unwrap_or(0);
            (block * columns + time) as i64
        };
        let order: Vec<i64> = self.parts.iter().map(place).collect();
        self.gather("all_time_parts", &order, "time_parts");
    }

    fn step(&mut self, op: &str, inputs: &[&str], output: &str) {
        self.nodes.push(node(op, inputs, output, vec![]));
    }

    fn cast(&mut self, input: &str, to: i32, output: &str) {
        self.nodes.push(node("Cast", &[input], output, vec![int("to", to.into())]));
    }

    /// Columns side by side.
    fn concat(&mut self, inputs: &[String], output: &str) {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.nodes.push(node("Concat", &inputs, output, vec![int("axis", 1)]));
    }

    /// These columns of a value.
    fn gather(&mut self, from: &str, columns: &[i64], output: &str) {
        let places = format!("{output}_places");
        self.constants.push(integers(&places, columns));
        self.nodes.push(node("Gather", &[from, &places], output, vec![int("axis", 1)]));
    }
}
