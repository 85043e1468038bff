//! Models of tables as C source: what a C compiler makes of the file predicts for raw rows what the model predicts.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use gradus::classifier::{Model, Outputs};
use gradus::data::{ColumnType, Columns, Inputs, RawColumn, Rows, TEXT_GAP, TIME_GAP, Table};
use gradus::model_file::{CSourceOptions, rounded_to_int8, to_c_source};
use gradus::network::{
    Activation, Column, ColumnLayer, Init, Layer, Linear, Network, NumericEmbedding, Workers,
};
use gradus::transform::Transform;
use gradus::transform::columns::{
    CategoryForm, DropReason, EncodedColumn, Scale, Scaled, ScaledPart, Schema, SchemaColumn,
    TimePart,
};
use tempfile::TempDir;

/// Compiles a file and gives it lines. Every warning is an error.
fn run(text: &str, folder: &Path, lines: &str) -> Vec<f32> {
    let (source, program) = (folder.join("model.c"), folder.join("program"));
    fs::write(&source, text).unwrap();
    let options =
        ["-std=c99", "-Wall", "-Wextra", "-Wmissing-prototypes", "-pedantic", "-Werror", "-O1"];
    let compiled = Command::new("cc")
        .args(options)
        .arg("-Dmodel_MAIN")
        .args([&source, Path::new("-o"), &program])
        .arg("-lm")
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}\n{text}", String::from_utf8_lossy(&compiled.stderr));
    let mut child =
        Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn has_compiler() -> bool {
    let found =
        Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no C compiler (cc)");
    }
    found
}

/// The file with and without 8 bits against the model.
fn compare(model: &Model, inputs: &Inputs, lines: &str) {
    let (folder, workers) = (TempDir::new().unwrap(), Workers::new(1).unwrap());
    for int8 in [false, true] {
        let mut expected = model.clone();
        if int8 {
            for network in std::iter::once(&mut expected.network).chain(&mut expected.others) {
                *network = rounded_to_int8(network);
            }
        }
        let expected = expected.predict(inputs, &workers).unwrap();
        let text = to_c_source(model, &CSourceOptions { name: "model".into(), int8 }).unwrap();
        let found = run(&text, folder.path(), lines);
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() <= 1e-5, "{at}: {found} {expected} {int8}\n{text}");
        }
    }
}

fn category(values: &[&str], form: CategoryForm) -> SchemaColumn {
    SchemaColumn::Category {
        values: values.iter().map(|&it| it.to_owned()).collect(),
        form,
        typical: None,
    }
}

fn number(scale: Scale, gaps: bool, values: &[f64]) -> SchemaColumn {
    SchemaColumn::Number(Scaled { scale, gaps, typical: None, values: values.to_vec() })
}

/// All kinds of columns, and rows with gaps and unknown values.
fn mixed() -> (Schema, Vec<&'static str>, Table) {
    let scale = |mean, deviation| Scale { mean, deviation, fill: 0.25, clip: deviation > 1.0 };
    let part = |part| ScaledPart { part, scale: scale(3.0, 900.0) };
    let plain = |part| ScaledPart { part, scale: Scale::IDENTITY };
    let unused = SchemaColumn::Dropped { kind: ColumnType::Text, why: DropReason::Constant };
    let columns = vec![
        ("size \"cm\" */", number(scale(1.7e9, 2.0), true, &[])),
        ("class", category(&["no", "NAME REAL PARAMETER"], CategoryForm::Binary)),
        ("größe", number(scale(-1.0, 0.5), false, &[])),
        ("unused", unused),
        ("x", category(&["ü", "a b", "c"], CategoryForm::OneHot)),
        ("x ", category(&["?", "b"], CategoryForm::Frequent)),
        ("NAN", category(&["p", "q??/", "r"], CategoryForm::Code)),
        (
            "day",
            SchemaColumn::Time {
                parts: TimePart::ALL
                    .map(|it| if it.is_flag() { plain(it) } else { part(it) })
                    .to_vec(),
                gaps: true,
                typical: None,
            },
        ),
        ("", SchemaColumn::Time { parts: vec![], gaps: true, typical: None }),
        ("gains", number(scale(0.0, 50.0), true, &[-1.5, 0.0, 0.1, 16_777_217.0])),
        ("losses", number(scale(0.0, 0.5), false, &[2.0])),
    ];
    let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let texts = |rows: [&str; 5]| {
        let codes =
            rows.iter().zip(0..).map(|(&row, at)| if row.is_empty() { TEXT_GAP } else { at });
        let values = Arc::new(rows.map(str::to_owned).to_vec());
        RawColumn::Text { codes: codes.collect(), values, is_chosen: false }
    };
    let times =
        RawColumn::Times(vec![1_700_000_000, TIME_GAP, -86_401, 951_782_400, -62_135_596_800]);
    let table = Table::new(vec![
        RawColumn::Numbers(vec![1.7e9, f64::NAN, 1.7e9 + 0.25, -3e38, 3e38]),
        texts(["NAME REAL PARAMETER", "", "no", "NO", "n"]),
        RawColumn::Numbers(vec![f64::NAN, 0.125, 1e3, -0.5, 2.0]),
        texts(["u", "u", "u", "u", "u"]),
        texts(["c", "", "x", "a b", "ü"]),
        texts(["?", "", "b", "c", "?"]),
        texts(["r", "", "q??/", "p", "pp"]),
        times.clone(),
        times,
        RawColumn::Numbers(vec![0.1, f64::NAN, 16_777_217.0, 16_777_216.0, -0.0]),
        RawColumn::Numbers(vec![2.0, f64::NAN, 2.5, 0.0, -2.0]),
    ]);
    (Schema::new(columns).unwrap(), names, table.unwrap())
}

/// The rows as the compiled program reads them.
fn lines(schema: &Schema, table: &Table) -> String {
    let cell = |raw: &RawColumn, row: usize| match raw {
        _ if raw.is_gap(row) => String::new(),
        RawColumn::Numbers(values) => values[row].to_string(),
        RawColumn::Times(values) => values[row].to_string(),
        RawColumn::Text { codes, values, .. } => values[codes[row] as usize].clone(),
    };
    let row = |row: usize| {
        let columns = table.columns().iter().zip(schema.columns());
        let used = columns.filter(|(_, it)| !matches!(it, SchemaColumn::Dropped { .. }));
        used.map(|(raw, _)| cell(raw, row)).collect::<Vec<_>>().join("\t") + "\n"
    };
    (0..table.rows()).map(row).collect()
}

/// A network for the inputs of a schema, which embeds them if `embeds`.
fn network(schema: &Schema, hidden: &[usize], embeds: bool) -> Network {
    let (mut width, mut layers) = (schema.width(), Vec::new());
    if embeds {
        let kind = |column: EncodedColumn| match column {
            EncodedColumn::Number => Column::Number,
            EncodedColumn::Flag => Column::Flag,
            EncodedColumn::Code { values } => Column::Category(values),
        };
        let columns = schema.encoded().into_iter().map(kind).collect();
        let layer = ColumnLayer::new(columns, NumericEmbedding::PBLD, 8).unwrap();
        width = layer.outputs();
        layers.push(Layer::Columns(layer));
    }
    for &units in hidden {
        layers.push(Layer::Linear(Linear::new(width, units)));
        layers.push(Layer::Activation(Activation::Tanh));
        width = units;
    }
    layers.push(Layer::Linear(Linear::new(width, 3)));
    let mut network = Network::from_layers(layers).unwrap();
    network.initialize(Init::Normal(0.4), 3);
    network
}

fn model(network: Network, transform: Transform, names: &[&str]) -> Model {
    let outputs = Outputs::classes(["a", "b", "c"].map(String::from).to_vec());
    let mut model = Model::new(network, transform, vec![names.len()], outputs).unwrap();
    let names = names.iter().map(|&name| name.to_owned()).collect();
    model.columns = Some(Columns::of_features(names));
    model
}

#[test]
fn rows_of_raw_columns_are_encoded() {
    if !has_compiler() {
        return;
    }
    let (schema, names, table) = mixed();
    let lines = lines(&schema, &table);
    for (hidden, embeds) in [(&[][..], false), (&[7, 4], false), (&[], true), (&[5], true)] {
        let network = network(&schema, hidden, embeds);
        let model = model(network, Transform::Columns(schema.clone()), &names);
        compare(&model, &Inputs::Table(table.clone()), &lines);
    }
    // One kind alone: what the others need is not there.
    for (at, column) in schema.columns().iter().enumerate() {
        if matches!(column, SchemaColumn::Dropped { .. }) {
            continue;
        }
        let schema = Schema::new(vec![column.clone()]).unwrap();
        let table = Table::new(vec![table.columns()[at].clone()]).unwrap();
        let network = network(&schema, &[4], at % 2 == 0);
        let model = model(network, Transform::Columns(schema.clone()), &names[at..=at]);
        compare(&model, &Inputs::Table(table.clone()), &self::lines(&schema, &table));
    }
}

#[test]
fn numbers_are_embedded() {
    if !has_compiler() {
        return;
    }
    let columns = vec![Column::Number, Column::Category(3), Column::Flag, Column::Number];
    // Three bins and a single one.
    let edges = [[-2.0, 0.5, 0.75, 9.0, 9.0], [-3.0, 200.0, 200.0, 200.0, 200.0]].concat();
    for numeric in [NumericEmbedding::PBLD, NumericEmbedding::Ple { bins: 4, outputs: 2 }] {
        let layer = ColumnLayer::new(columns.clone(), numeric, 2).unwrap();
        let linear = Layer::Linear(Linear::new(layer.outputs(), 3));
        let mut network = Network::from_layers(vec![Layer::Columns(layer), linear]).unwrap();
        network.initialize(Init::Normal(0.4), 3);
        if numeric != NumericEmbedding::PBLD {
            let (edge, rise) = network.parameters_mut()[..26].split_at_mut(10);
            edge.copy_from_slice(&edges);
            rise.iter_mut().enumerate().for_each(|(at, it)| *it = 0.5 - at as f32 / 7.0);
        }
        let model = model(network, Transform::IDENTITY, &["a", "b", "c", "d"]);
        let values: Vec<f32> = [
            [0.5, 1.0, -2.0, 300.25],
            [-10.0, 4.0, 0.5, 0.0],
            [3.0, 2.5, 1.0, -7.5],
            [0.6, 2.0, 1.0, 199.5],
        ]
        .concat();
        let lines: String = values.iter().map(|value| format!("{value} ")).collect();
        compare(&model, &Inputs::Floats(values.clone()), &lines);
        compare(&bag(&model), &Inputs::Floats(values.clone()), &lines);
        assert!(model.predict(Rows::Floats(&values), &Workers::new(1).unwrap()).is_ok());
    }
}

/// The model with another network beside its own.
fn bag(model: &Model) -> Model {
    let mut other = model.network.clone();
    other.initialize(Init::Normal(0.4), 9);
    Model { others: vec![other], ..model.clone() }
}

#[test]
fn a_bag_predicts_the_mean_of_its_members() {
    if !has_compiler() {
        return;
    }
    let (schema, names, table) = mixed();
    let lines = lines(&schema, &table);
    for (hidden, embeds) in [(&[7, 4][..], false), (&[5], true)] {
        let network = network(&schema, hidden, embeds);
        let model = model(network, Transform::Columns(schema.clone()), &names);
        compare(&bag(&model), &Inputs::Table(table.clone()), &lines);
    }
    let layers = [Linear::new(2, 4), Linear::new(4, 3)].map(Layer::Linear);
    let [first, last] = layers;
    let mut network =
        Network::from_layers(vec![first, Layer::Activation(Activation::Tanh), last]).unwrap();
    network.initialize(Init::Normal(0.4), 3);
    let model = model(network, Transform::IDENTITY, &["a", "b"]);
    let values = vec![0.5, -1.5, 3.0, 0.25];
    compare(&bag(&model), &Inputs::Floats(values), "0.5 -1.5\n3 0.25\n");
}
