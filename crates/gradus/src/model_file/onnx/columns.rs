//! The layer of columns as a graph (docs/maths.md M28): embedded numbers, then flags, then categories, then all of them in
//! the order of the columns.
//!
//! Parameters are constants with the names of their tensors, so that gradus finds them again (`own.rs`).
//!
//! In: the layer and its parameters. Out: nodes and constants from the normalized inputs to the inputs of the first linear
//! layer.

use super::messages::{Node, Tensor};
use super::parts::{floats, int, integers, node};
use crate::network::{Column, ColumnLayer, Network, NumericEmbedding};

/// The nodes and constants of a layer of columns.
pub(super) struct ColumnGraph {
    pub(super) nodes: Vec<Node>,
    pub(super) constants: Vec<Tensor>,
}

/// What the layer makes of the value `input`; the last node's output is `embedded`. None without such a layer.
pub(super) fn columns(network: &Network, input: &str) -> Option<ColumnGraph> {
    let layer = network.columns()?;
    let mut graph = ColumnGraph { nodes: Vec::new(), constants: Vec::new() };
    let mut parts = Vec::new();
    // Outputs of the columns in the order of the parts.
    let mut order = Vec::new();
    let starts = starts(layer);
    let mut take = |columns: &[usize]| {
        for &column in columns {
            let start = starts[column];
            order.extend(start..start + layer.outputs_of(layer.columns()[column]));
        }
    };
    let of = |wanted: &dyn Fn(Column) -> bool| -> Vec<usize> {
        let columns = layer.columns().iter().enumerate();
        columns.filter(|(_, column)| wanted(**column)).map(|(at, _)| at).collect()
    };
    let embeds = layer.numeric() != NumericEmbedding::None;
    let numbers = of(&|column| embeds && column == Column::Number);
    let plain = of(&|column| column == Column::Flag || !embeds && column == Column::Number);
    let categories = of(&|column| matches!(column, Column::Category(_)));
    if !numbers.is_empty() {
        take(&numbers);
        graph.numbers(network, layer, input, &numbers);
        parts.push("numbers");
    }
    if !plain.is_empty() {
        take(&plain);
        graph.gather(input, "flags", &plain);
        parts.push("flags");
    }
    if !categories.is_empty() {
        take(&categories);
        graph.categories(network, layer, input, &categories);
        parts.push("categories");
    }
    graph.add("Concat", &parts, "by_kind", Some(1));
    // Where each output is among the parts.
    let mut places = vec![0; order.len()];
    for (place, &output) in order.iter().enumerate() {
        places[output] = place;
    }
    graph.gather("by_kind", "embedded", &places);
    Some(graph)
}

/// The first output of each column.
fn starts(layer: &ColumnLayer) -> Vec<usize> {
    let widths = layer.columns().iter().map(|&column| layer.outputs_of(column));
    let starts = widths.scan(0, |end, width| {
        *end += width;
        Some(*end - width)
    });
    starts.collect()
}

impl ColumnGraph {
    fn add(&mut self, op: &str, inputs: &[&str], output: &str, axis: Option<i64>) {
        let attributes = axis.map(|axis| int("axis", axis)).into_iter().collect();
        self.nodes.push(node(op, inputs, output, attributes));
    }

    /// These columns of a value.
    fn gather(&mut self, from: &str, output: &str, columns: &[usize]) {
        let places = format!("{output}_places");
        let indices: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
        self.constants.push(integers(&places, &indices));
        self.add("Gather", &[from, &places], output, Some(1));
    }

    /// The embeddings of some columns, as values of `samples x columns x 1 x outputs`.
    fn numbers(&mut self, network: &Network, layer: &ColumnLayer, input: &str, columns: &[usize]) {
        self.constants.push(integers("last_axes", &[2, 3]));
        self.gather(input, "raw_numbers", columns);
        self.add("Unsqueeze", &["raw_numbers", "last_axes"], "single_numbers", None);
        let count = columns.len();
        match layer.numeric() {
            NumericEmbedding::None => {}
            NumericEmbedding::Pbld { frequencies, outputs, .. } => {
                self.periodic(network, (count, frequencies, outputs));
            }
            NumericEmbedding::Ple { bins, outputs } => {
                self.piecewise(network, (count, bins, outputs));
            }
        }
    }

    /// PBLD. Whole turns are taken off before the cosine, which is exact and keeps large angles as precise as gradus has
    /// them.
    fn periodic(
        &mut self,
        network: &Network,
        (count, frequencies, outputs): (usize, usize, usize),
    ) {
        let parameters = |suffix: &str| parameters(network, suffix);
        self.constants.extend([
            floats("0.frequency", &[count, 1, frequencies], parameters("frequency")),
            floats("0.phase", &[count, 1, frequencies], parameters("phase")),
            floats("turns_of_angle", &[], &[1.0 / std::f32::consts::TAU]),
            floats("tau", &[], &[std::f32::consts::TAU]),
            floats("0.mix", &[count, frequencies, outputs], parameters("mix")),
            floats("0.mix_bias", &[count, 1, outputs], parameters("mix_bias")),
        ]);
        self.add("Mul", &["single_numbers", "0.frequency"], "scaled_turns", None);
        self.add("Mul", &["0.phase", "turns_of_angle"], "phase_turns", None);
        self.add("Add", &["scaled_turns", "phase_turns"], "turns", None);
        self.add("Round", &["turns"], "whole_turns", None);
        self.add("Sub", &["turns", "whole_turns"], "rest_turns", None);
        self.add("Mul", &["rest_turns", "tau"], "angles", None);
        self.add("Cos", &["angles"], "cosines", None);
        self.add("MatMul", &["cosines", "0.mix"], "mixed", None);
        self.add("Add", &["mixed", "0.mix_bias"], "periodic", None);
        self.add("Concat", &["periodic", "single_numbers"], "both", Some(3));
        self.add("Flatten", &["both"], "numbers", Some(1));
    }

    /// PLE: the part of each bin that lies below a number, then a linear map of these parts. Each bin has bounds of its part:
    /// 0 and 1, but for the outer ones, which have no end; a bin without width has no part.
    fn piecewise(&mut self, network: &Network, (count, bins, outputs): (usize, usize, usize)) {
        let edges = parameters(network, "edge");
        let (mut least, mut most) = (Vec::new(), Vec::new());
        for edges in edges.chunks_exact(bins + 1) {
            let used = edges.iter().take_while(|&&edge| edge < edges[bins]).count();
            least.extend((0..bins).map(|bin| if bin == 0 && used > 0 { f32::MIN } else { 0.0 }));
            most.extend((0..bins).map(|bin| match bin + 1 {
                next if next < used => 1.0,
                next if next == used => f32::MAX,
                _ => 0.0,
            }));
        }
        let parameters = |suffix: &str| parameters(network, suffix);
        let places = |first: usize| (first..first + bins).map(|at| at as i64).collect::<Vec<_>>();
        self.constants.extend([
            floats("0.edge", &[count, 1, bins + 1], edges),
            integers("low_places", &places(0)),
            integers("high_places", &places(1)),
            floats("no_width", &[], &[0.0]),
            floats("any_width", &[], &[1.0]),
            floats("least_parts", &[count, 1, bins], &least),
            floats("most_parts", &[count, 1, bins], &most),
            floats("0.rise", &[count, bins, outputs], parameters("rise")),
            floats("0.slope", &[count, 1, outputs], parameters("slope")),
            floats("0.offset", &[count, 1, outputs], parameters("offset")),
        ]);
        self.add("Gather", &["0.edge", "low_places"], "low_edges", Some(2));
        self.add("Gather", &["0.edge", "high_places"], "high_edges", Some(2));
        self.add("Sub", &["high_edges", "low_edges"], "all_widths", None);
        self.add("Greater", &["all_widths", "no_width"], "have_width", None);
        self.add("Where", &["have_width", "all_widths", "any_width"], "widths", None);
        self.add("Sub", &["single_numbers", "low_edges"], "distances", None);
        self.add("Div", &["distances", "widths"], "unbounded_parts", None);
        self.add("Max", &["unbounded_parts", "least_parts"], "large_parts", None);
        self.add("Min", &["large_parts", "most_parts"], "bin_parts", None);
        self.add("MatMul", &["bin_parts", "0.rise"], "risen", None);
        self.add("Mul", &["single_numbers", "0.slope"], "sloped", None);
        self.add("Add", &["sloped", "0.offset"], "lines", None);
        self.add("Add", &["lines", "risen"], "piecewise", None);
        self.add("Flatten", &["piecewise"], "numbers", Some(1));
    }

    /// The rows of the tables of some columns. What is not the number of a category is 0, the missing one.
    fn categories(
        &mut self,
        network: &Network,
        layer: &ColumnLayer,
        input: &str,
        columns: &[usize],
    ) {
        let (mut sizes, mut firsts, mut rows) = (Vec::new(), Vec::new(), 0);
        for &column in columns {
            let Column::Category(size) = layer.columns()[column] else { continue };
            sizes.push(size as f32);
            firsts.push(rows as i64);
            rows += size + 1;
        }
        let table = parameters(network, "embedding");
        self.constants.extend([
            floats("category_sizes", &[sizes.len()], &sizes),
            integers("category_rows", &firsts),
            floats("missing", &[], &[0.0]),
            floats("0.embedding", &[rows, layer.category_outputs()], table),
        ]);
        self.gather(input, "codes", columns);
        self.add("Floor", &["codes"], "whole_codes", None);
        self.add("Equal", &["codes", "whole_codes"], "are_whole", None);
        self.add("GreaterOrEqual", &["codes", "missing"], "are_large", None);
        self.add("LessOrEqual", &["codes", "category_sizes"], "are_small", None);
        self.add("And", &["are_whole", "are_large"], "are_whole_and_large", None);
        self.add("And", &["are_whole_and_large", "are_small"], "are_known", None);
        self.add("Where", &["are_known", "codes", "missing"], "known_codes", None);
        let to = vec![int("to", super::messages::element::INT64.into())];
        self.nodes.push(node("Cast", &["known_codes"], "code_numbers", to));
        self.add("Add", &["code_numbers", "category_rows"], "table_rows", None);
        self.add("Gather", &["0.embedding", "table_rows"], "found_rows", Some(0));
        self.add("Flatten", &["found_rows"], "categories", Some(1));
    }
}

/// The parameters of a tensor of the layer of columns.
fn parameters<'n>(network: &'n Network, suffix: &str) -> &'n [f32] {
    let tensors = network.tensors();
    let found = tensors.iter().find(|tensor| tensor.name.strip_prefix("0.") == Some(suffix));
    found.map_or(&[], |tensor| &network.parameters()[tensor.range.clone()])
}
