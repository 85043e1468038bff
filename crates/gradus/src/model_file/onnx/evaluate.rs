//! Computes the graphs of raw columns as ONNX defines their operators, to hold them against the library. For tests.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::calendar::Calendar;
use super::export::{OnnxOptions, graph};
use super::messages::{Graph, Node, Tensor, element};
use super::raw_columns::ENCODED;
use crate::classifier::{Model, Outputs};
use crate::data::{Columns, RawColumn, TEXT_GAP, TIME_GAP, Table};
use crate::network::{Column, ColumnLayer, Layer, Linear, Network, NumericEmbedding};
use crate::transform::Transform;
use crate::transform::columns::{
    CategoryForm, Encoder, Scale, Scaled, ScaledPart, Schema, SchemaColumn, TimePart,
};

/// A matrix; a constant of one row, or a single value, spreads over the rows and columns of others.
#[derive(Clone, Debug)]
struct Value {
    kind: i32,
    columns: usize,
    numbers: Vec<f64>,
    texts: Vec<String>,
}

impl Value {
    fn new(kind: i32, columns: usize, numbers: Vec<f64>) -> Value {
        // Every result is rounded to its type.
        let round = |x: f64| if kind == element::FLOAT { f64::from(x as f32) } else { x };
        Value { kind, columns, numbers: numbers.into_iter().map(round).collect(), texts: vec![] }
    }

    fn constant(tensor: &Tensor) -> Value {
        let data = &tensor.raw_data;
        let eight = || data.as_chunks().0.iter();
        let numbers: Vec<f64> = match tensor.data_type {
            element::FLOAT => {
                data.as_chunks().0.iter().map(|&it| f32::from_le_bytes(it).into()).collect()
            }
            element::DOUBLE => eight().map(|&it| f64::from_le_bytes(it)).collect(),
            element::INT64 => eight().map(|&it| i64::from_le_bytes(it) as f64).collect(),
            element::BOOL => data.iter().map(|&it| it.into()).collect(),
            other => panic!("a constant of type {other}"),
        };
        Value::new(tensor.data_type, numbers.len(), numbers)
    }

    fn rows(&self) -> usize {
        self.numbers.len() / self.columns
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        let (row, column) = (row.min(self.rows() - 1), column.min(self.columns - 1));
        self.numbers[row * self.columns + column]
    }
}

/// Value by value, with sizes of 1 repeated.
fn each(kind: i32, inputs: &[&Value], f: impl Fn(&[f64]) -> f64) -> Value {
    let rows = inputs.iter().map(|it| it.rows()).max().unwrap();
    let columns = inputs.iter().map(|it| it.columns).max().unwrap();
    for input in inputs {
        assert!([1, rows].contains(&input.rows()) && [1, columns].contains(&input.columns));
    }
    let cells = (0..rows * columns).map(|at| {
        let cell: Vec<f64> = inputs.iter().map(|it| it.at(at / columns, at % columns)).collect();
        f(&cell)
    });
    Value::new(kind, columns, cells.collect())
}

fn compute(node: &Node, inputs: &[&Value]) -> Value {
    let kind = inputs[0].kind;
    let binary = |kind: i32, f: fn(f64, f64) -> f64| {
        assert_eq!(inputs[0].kind, inputs[1].kind, "{node:?}");
        each(kind, inputs, |cell| f(cell[0], cell[1]))
    };
    let truth = |f: fn(f64, f64) -> bool| {
        assert_eq!(inputs[0].kind, inputs[1].kind, "{node:?}");
        each(element::BOOL, inputs, |cell| f64::from(f(cell[0], cell[1])))
    };
    let is_whole = kind == element::INT64;
    match node.op_type.as_str() {
        "Add" => binary(kind, |x, y| x + y),
        "Sub" => binary(kind, |x, y| x - y),
        "Mul" => binary(kind, |x, y| x * y),
        // Towards 0.
        "Div" if is_whole => binary(kind, |x, y| (x / y).trunc()),
        "Div" if kind == element::FLOAT => binary(kind, |x, y| f64::from(x as f32 / y as f32)),
        "Div" => binary(kind, |x, y| x / y),
        // With the sign of the divisor.
        "Mod" => binary(kind, |x, y| x.rem_euclid(y)),
        "Equal" => truth(|x, y| x == y),
        "Less" => truth(|x, y| x < y),
        "Greater" => truth(|x, y| x > y),
        "And" => truth(|x, y| x != 0.0 && y != 0.0),
        "Or" => truth(|x, y| x != 0.0 || y != 0.0),
        "IsNaN" => each(element::BOOL, inputs, |cell| f64::from(cell[0].is_nan())),
        "Sqrt" => each(kind, inputs, |cell| cell[0].sqrt()),
        "Sin" => each(kind, inputs, |cell| cell[0].sin()),
        "Clip" => each(kind, inputs, |cell| cell[0].max(cell[1]).min(cell[2])),
        "Where" => {
            assert_eq!((kind, inputs[1].kind), (element::BOOL, inputs[2].kind));
            each(inputs[1].kind, inputs, |it| if it[0] != 0.0 { it[1] } else { it[2] })
        }
        "Cast" => each(node.int("to", 0) as i32, inputs, |cell| cell[0]),
        // By a single column.
        "MatMul" => {
            let column = &inputs[1].numbers;
            assert_eq!((inputs[0].columns, kind), (column.len(), inputs[1].kind));
            let rows = inputs[0].numbers.chunks_exact(column.len());
            let sum = |row: &[f64]| row.iter().zip(column).map(|(x, y)| x * y).sum();
            Value::new(kind, 1, rows.map(sum).collect())
        }
        "Concat" => {
            let kinds: HashSet<i32> = inputs.iter().map(|it| it.kind).collect();
            assert_eq!(kinds.len(), 1, "{node:?}");
            let rows = 0..inputs[0].rows();
            let row = |row: usize| {
                let all =
                    inputs.iter().flat_map(|it| (0..it.columns).map(move |at| it.at(row, at)));
                all.collect::<Vec<f64>>()
            };
            let columns = inputs.iter().map(|it| it.columns).sum();
            Value::new(kind, columns, rows.flat_map(row).collect())
        }
        "Gather" => {
            let places = &inputs[1].numbers;
            let rows = 0..inputs[0].rows();
            let row = |row: usize| places.iter().map(move |&at| inputs[0].at(row, at as usize));
            Value::new(kind, places.len(), rows.flat_map(row).collect())
        }
        "LabelEncoder" => {
            let keys = &node.attribute("keys_strings").unwrap().strings;
            let values = &node.attribute("values_floats").unwrap().floats;
            assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "a key twice");
            assert_eq!(keys.len(), values.len());
            let usual = node.float("default_float", f32::NAN);
            let code = |text: &String| {
                let place = keys.iter().position(|key| key == text.as_bytes());
                f64::from(place.map_or(usual, |at| values[at]))
            };
            Value::new(element::FLOAT, 1, inputs[0].texts.iter().map(code).collect())
        }
        other => panic!("{other} is not known here"),
    }
}

/// The value of this name for such inputs.
fn evaluate(graph: &Graph, inputs: HashMap<String, Value>, wanted: &str) -> Value {
    let mut values = inputs;
    for tensor in &graph.initializer {
        let is_new = values.insert(tensor.name.clone(), Value::constant(tensor)).is_none();
        assert!(is_new, "two values are named {}", tensor.name);
    }
    for node in &graph.node {
        let found = compute(node, &node.input.iter().map(|it| &values[it]).collect::<Vec<_>>());
        let is_new = values.insert(node.output[0].clone(), found).is_none();
        assert!(is_new, "two values are named {}", node.output[0]);
        if node.output[0] == wanted {
            break;
        }
    }
    values[wanted].clone()
}

/// The inputs of a table, as a caller has them.
fn inputs(graph: &Graph, schema: &Schema, table: &Table) -> HashMap<String, Value> {
    let used = table.columns().iter().zip(schema.columns());
    let used = used.filter(|(_, column)| !matches!(column, SchemaColumn::Dropped { .. }));
    let value = |raw: &RawColumn| match raw {
        RawColumn::Numbers(values) => Value::new(element::DOUBLE, 1, values.clone()),
        RawColumn::Times(values) => {
            Value::new(element::INT64, 1, values.iter().map(|&it| it as f64).collect())
        }
        RawColumn::Text { codes, values, .. } => {
            let text = |&code: &u32| match code {
                TEXT_GAP => "nan".to_owned(),
                code => values[code as usize].clone(),
            };
            let texts = codes.iter().map(text).collect();
            Value { texts, ..Value::new(element::STRING, 1, vec![0.0; codes.len()]) }
        }
    };
    let named = graph.input.iter().map(|it| it.name.clone());
    assert_eq!(named.len(), used.clone().count());
    named.zip(used.map(|(raw, _)| value(raw))).collect()
}

/// Checks that each value has a name of its own, and is computed before its use.
fn check_names(graph: &Graph) {
    let mut known: HashSet<&str> = HashSet::new();
    let given = graph.input.iter().map(|it| it.name.as_str());
    for name in given.chain(graph.initializer.iter().map(|it| it.name.as_str())) {
        assert!(known.insert(name), "two values are named {name}");
    }
    for node in &graph.node {
        assert!(node.input.iter().all(|it| known.contains(it.as_str())), "{node:?}");
        for name in &node.output {
            assert!(known.insert(name), "two values are named {name}");
        }
    }
    assert!(graph.output.iter().all(|it| known.contains(it.name.as_str())));
}

#[test]
fn names_are_unique_before_a_layer_of_columns() {
    let schema = Schema::new(vec![
        number(0.0, 1.0, true, true),
        category(&["a", "b", "c"], CategoryForm::OneHot),
        category(&["a", "b"], CategoryForm::Code),
    ]);
    let columns = vec![
        Column::Number,
        Column::Flag,
        Column::Flag,
        Column::Flag,
        Column::Flag,
        Column::Category(2),
    ];
    let layer = ColumnLayer::new(columns, NumericEmbedding::PBLD, 2).unwrap();
    let linear = Layer::Linear(Linear::new(layer.outputs(), 2));
    let network = Network::from_layers(vec![Layer::Columns(layer), linear]).unwrap();
    let outputs = Outputs::classes(["a", "b"].map(String::from).to_vec());
    let transform = Transform::Columns(schema.unwrap());
    let model = Model::new(network, transform, vec![3], outputs).unwrap();
    check_names(&graph(&model, &OnnxOptions::default()));
}

/// Compares the graph of a schema with what the library makes of a table.
fn compare(schema: Vec<SchemaColumn>, table: Vec<RawColumn>, names: &[&str]) {
    let (schema, table) = (Schema::new(schema).unwrap(), Table::new(table).unwrap());
    let network = Network::dense(schema.width(), &[], &[], 3).unwrap();
    let outputs = Outputs::classes(["a", "b", "c"].map(String::from).to_vec());
    let transform = Transform::Columns(schema.clone());
    let mut model = Model::new(network, transform, vec![table.columns().len()], outputs).unwrap();
    if !names.is_empty() {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        model.columns = Some(Columns::of_features(names));
    }
    let graph = graph(&model, &OnnxOptions::default());
    check_names(&graph);
    let found = evaluate(&graph, inputs(&graph, &schema, &table), ENCODED);
    let expected = Encoder::new(&schema, &table).unwrap().encode(0..table.rows());
    assert_eq!(found.columns, schema.width());
    for (at, (found, expected)) in found.numbers.iter().zip(&expected).enumerate() {
        let place = (at / schema.width(), at % schema.width());
        assert!((found - f64::from(*expected)).abs() <= 1e-6, "{place:?}: {found} {expected}");
    }
}

fn category(values: &[&str], form: CategoryForm) -> SchemaColumn {
    SchemaColumn::Category {
        values: values.iter().map(|&it| it.to_owned()).collect(),
        form,
        typical: None,
    }
}

fn text(rows: &[&str]) -> RawColumn {
    let (mut values, mut codes) = (Vec::new(), Vec::new());
    for &row in rows {
        codes.push(if row == "nan" { TEXT_GAP } else { values.len() as u32 });
        values.push(row.to_owned());
    }
    RawColumn::Text { codes, values: Arc::new(values), is_chosen: false }
}

fn number(mean: f64, deviation: f32, clip: bool, gaps: bool) -> SchemaColumn {
    told_apart((mean, deviation), clip, gaps, &[])
}

/// A number of which these values are told apart.
fn told_apart(scale: (f64, f32), clip: bool, gaps: bool, values: &[f64]) -> SchemaColumn {
    SchemaColumn::Number(Scaled {
        scale: Scale { mean: scale.0, deviation: scale.1, fill: 0.25, clip },
        gaps,
        typical: None,
        values: values.to_vec(),
    })
}

#[test]
fn every_kind_of_column_is_encoded_as_by_the_library() {
    let part = |part, mean| ScaledPart {
        part,
        scale: Scale { mean, deviation: 7.5, fill: -1.0, clip: true },
    };
    let plain = |part| ScaledPart { part, scale: Scale::IDENTITY };
    let times = RawColumn::Times(vec![1_700_000_000, TIME_GAP, -86_401, 951_782_400]);
    let schema = || {
        vec![
            number(1.7e9, 0.5, true, true),
            category(&["no", "yes"], CategoryForm::Binary),
            number(-1.0, 2.0, false, false),
            SchemaColumn::Dropped {
                kind: crate::data::ColumnType::Text,
                why: crate::transform::columns::DropReason::Constant,
            },
            SchemaColumn::Time {
                parts: vec![part(TimePart::Year, 1990.0), plain(TimePart::DaySine)],
                gaps: true,
                typical: None,
            },
            category(&["a", "b", "c"], CategoryForm::OneHot),
            category(&["a", "b"], CategoryForm::Frequent),
            category(&["p", "NA", "r"], CategoryForm::Code),
            SchemaColumn::Time { parts: vec![], gaps: true, typical: None },
            SchemaColumn::Time {
                parts: TimePart::ALL.map(|it| part(it, 1.0)).to_vec(),
                gaps: false,
                typical: None,
            },
            told_apart((7.0, 2.5), true, true, &[-2.0, 0.0, 16_777_217.0]),
            told_apart((0.0, 1.0), false, false, &[0.1]),
        ]
    };
    let table = vec![
        RawColumn::Numbers(vec![1.7e9, f64::NAN, 1.7e9 + 0.25, -3e38]),
        text(&["yes", "nan", "no", "?!"]),
        RawColumn::Numbers(vec![f64::NAN, 0.1, 1e30, -0.0]),
        text(&["x", "x", "x", "x"]),
        times.clone(),
        text(&["c", "nan", "x", "a"]),
        text(&["b", "nan", "x", ""]),
        text(&["r", "nan", "NA", "p"]),
        times.clone(),
        times,
        // In single precision one of the values told apart would be another number.
        RawColumn::Numbers(vec![-0.0, f64::NAN, 16_777_217.0, 16_777_216.0]),
        RawColumn::Numbers(vec![0.1, f64::NAN, 0.1 + 1e-9, -0.1]),
    ];
    // An empty text of a table is a gap; here it stands for one.
    let mut table = table;
    let RawColumn::Text { codes, .. } = &mut table[6] else { panic!() };
    codes[3] = TEXT_GAP;
    compare(schema(), table.clone(), &[]);
    // Names of columns that are names of values of the graph, too, two that are equal and an empty one.
    let names = [
        "label",
        "encoded_blocks",
        "is_gap",
        "x",
        "int_0",
        "w1",
        "w1",
        "",
        "0.weight",
        "logits",
        "code_3",
        "known_4",
    ];
    compare(schema(), table, &names);
    // A single column of each kind.
    for (column, raw) in [
        (number(1.0, 2.0, true, false), RawColumn::Numbers(vec![1.0, f64::NAN])),
        (
            told_apart((1.0, 2.0), false, false, &[3.0, 4.0]),
            RawColumn::Numbers(vec![4.0, f64::NAN, 3.0, 3.5]),
        ),
        (category(&["a"], CategoryForm::OneHot), text(&["a", "nan"])),
        (category(&["a", "b"], CategoryForm::Binary), text(&["a", "x"])),
        (
            SchemaColumn::Time { parts: vec![plain(TimePart::Month)], gaps: false, typical: None },
            RawColumn::Times(vec![0, TIME_GAP]),
        ),
    ] {
        compare(vec![column], vec![raw], &["column_0"]);
    }
}

#[test]
fn the_calendar_of_the_graph_is_that_of_the_library() {
    // Every 73rd day and some hours from year 1 to 2400, before and after 1970, and the days around the ends of months.
    let times = (0..12_000).map(|at| -62_135_596_800 + at * (73 * 86_400 + 4321));
    let ends = (-30_000..30_000).step_by(29).map(|day| day * 86_400 - 1);
    let times: Vec<i64> = times.chain(ends).collect();
    let mut calendar = Calendar::default();
    let names = TimePart::ALL.map(|part| calendar.part(part));
    let Calendar { nodes, constants, .. } = calendar;
    let graph = Graph { node: nodes, initializer: constants, ..Graph::default() };
    let value = Value::new(element::INT64, 1, times.iter().map(|&it| it as f64).collect());
    for (part, name) in TimePart::ALL.into_iter().zip(names) {
        let found = evaluate(&graph, HashMap::from([("times".to_owned(), value.clone())]), &name);
        for (&time, found) in times.iter().zip(found.numbers) {
            assert!((part.of(time) - found).abs() < 1e-12, "{part:?} {time} {found}");
        }
    }
}
