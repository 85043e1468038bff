//! Tables of text, numbers and dates with gaps, from `train` without options to `predict`: right, or a clear error.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{gradus, json, run, text};
use tempfile::TempDir;

/// Options of a short run.
const SHORT: &str = "--hidden 8 --batch-size 16 --epochs 15 --learning-rate 0.02 --quiet";

/// A table whose class follows from a category, a number with gaps and a date.
fn mixed(rows: usize) -> String {
    let mut table = "colour,size,day,kind\n".to_owned();
    for row in 0..rows {
        let colour = ["red", "green", "blue"][row % 3];
        let size = if row % 7 == 0 { "NA".to_owned() } else { format!("{}.5", row % 11) };
        let day = format!("2024-0{}-1{}", 1 + row % 9, row % 10);
        let kind = if row % 3 == 0 || row % 11 > 7 { "warm" } else { "cold" };
        writeln!(table, "{colour},{size},{day},{kind}").unwrap();
    }
    table
}

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

fn messages(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().success().get_output().stderr)
}

fn accuracy(folder: &Path, table: &str) -> f64 {
    let line = run(folder, &format!("evaluate model.safetensors --json --data {table}"));
    json(&line)["accuracy"].as_f64().unwrap()
}

/// The labels that are predicted for a table.
fn labels(folder: &Path, table: &str) -> Vec<String> {
    let lines = run(folder, &format!("predict model.safetensors --json {table}"));
    lines.lines().map(|line| json(line)["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn text_gaps_and_dates_need_no_option() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("table.csv"), mixed(400)).unwrap();
    let said = messages(at, "train --data table.csv --hidden 8 --epochs 20 --learning-rate 0.02");
    for words in [
        "Target: kind, classes (text)",
        "target: column 3 (\"kind\") (the last; name another with --label-column)",
        "Columns: 1 number, 1 category and 1 date as ",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(accuracy(at, "table.csv") > 0.9);
    let shown = run(at, "inspect model.safetensors");
    assert!(shown.contains("scaled, flag of gaps") && shown.contains("flags: blue, green, red"));
    let schema = &json(&run(at, "inspect model.safetensors --json"))["normalization"]["columns"];
    assert_eq!(schema[0]["category"]["values"][0], "blue");
    // Another order, a further column, an unknown category and a gap where there was none.
    fs::write(
        at.join("other.csv"),
        "extra,day,size,colour\nx,2024-05-11,9.5,red\ny,,1.5,violet\nz,2024-02-12,2.5,\n",
    )
    .unwrap();
    let said = messages(at, "predict model.safetensors other.csv");
    assert!(said.contains("\"extra\" is ignored"), "{said}");
    assert_eq!(labels(at, "other.csv").len(), 3);
    assert_eq!(labels(at, "other.csv")[0], "warm");
    let out = run(at, "predict model.safetensors other.csv --out -");
    assert!(
        out.starts_with("extra,day,size,colour,prediction,probability_cold,probability_warm\n")
    );
    // Codes of texts do not depend on their order in the table.
    fs::write(at.join("row.csv"), "colour,day,size\nred,2024-05-11,9.5\n").unwrap();
    assert_eq!(labels(at, "row.csv"), ["warm"]);
    fs::write(at.join("less.csv"), "colour,day\nred,2024-05-11\n").unwrap();
    let refused = error(at, "predict model.safetensors less.csv");
    assert!(refused.contains("the table has no column \"size\""), "{refused}");
    fs::write(at.join("wrong.csv"), "colour,day,size\nred,2024-05-11,large\n").unwrap();
    let refused = error(at, "predict model.safetensors wrong.csv");
    assert!(
        refused.contains("line 2, column 2 (\"size\"): \"large\" is not a number"),
        "{refused}"
    );
    // A model of raw columns takes nothing else; ONNX and C take raw columns, arrays have no place for a schema.
    for name in ["weights.npz", "page.html"] {
        let refused = error(at, &format!("export model.safetensors {name}"));
        assert!(refused.contains("raw columns of a table"), "{refused}");
        assert!(!at.join(name).exists());
    }
    let refused = error(at, "export model.safetensors bytes.onnx --uint8");
    assert!(refused.contains("bytes are for images"), "{refused}");
    run(at, "export model.safetensors model.c --int8 --data table.csv");
    run(at, "export model.safetensors model.onnx");
    run(at, "export model.onnx again.safetensors");
    let bytes = |name: &str| fs::read(at.join(name)).unwrap();
    assert!(bytes("again.safetensors") == bytes("model.safetensors"));
    let shown = run(at, "predict model.onnx other.csv --out -");
    assert_eq!(shown, run(at, "predict model.safetensors other.csv --out -"));
    let refused = error(at, "train --data digits --start model.safetensors");
    assert!(refused.contains("values per sample"), "{refused}");
}

#[test]
fn a_run_is_the_same_at_any_number_of_threads_and_resumed() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("table.csv"), mixed(300)).unwrap();
    // At a constant rate, a run of more epochs begins like one of fewer.
    let constant = "--schedule constant --warm-up 0";
    let train = format!("train --data table.csv {SHORT} {constant} --seed 5 --validation 0.2");
    run(at, &format!("{train} --threads 1 --out one.safetensors"));
    run(at, &format!("{train} --threads 3 --out three.safetensors"));
    let bytes = |name: &str| fs::read(at.join(name)).unwrap();
    assert!(bytes("one.safetensors") == bytes("three.safetensors"));
    let half = train.replace("--epochs 15", "--epochs 7");
    run(at, &format!("{half} --checkpoint run.checkpoint --out half.safetensors"));
    run(at, "train --resume run.checkpoint --epochs 15 --out whole.safetensors --quiet");
    run(at, &format!("{train} --checkpoint other.checkpoint --out direct.safetensors"));
    assert!(bytes("whole.safetensors") == bytes("direct.safetensors"));
    // The data must be the same, texts included.
    fs::write(at.join("table.csv"), mixed(300).replace("blue", "black")).unwrap();
    let refused = error(at, "train --resume run.checkpoint --epochs 16");
    assert!(refused.contains("the data are not those that the run was begun with"), "{refused}");
    // Another run may train on, with the schema of the model.
    run(
        at,
        &format!(
            "train --data table.csv --start one.safetensors --epochs 1 --quiet --out {}",
            "on.safetensors"
        ),
    );
    let columns =
        |name: &str| json(&run(at, &format!("inspect {name} --json")))["normalization"].clone();
    assert_eq!(columns("on.safetensors"), columns("one.safetensors"));
}

#[test]
fn degenerate_tables_work_or_say_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows = |header: &str, row: &dyn Fn(usize) -> String| {
        let rows: String = (0..60).map(|at| row(at) + "\n").collect();
        fs::write(at.join("table.csv"), format!("{header}\n{rows}")).unwrap();
    };
    let train = |options: &str| {
        messages(at, &format!("train --data table.csv {SHORT} {options}").replace("--quiet", ""))
    };
    let kind = |at: usize| ["yes", "no"][at % 2];
    // Only categories.
    rows("a,b,y", &|at| format!("{},{},{}", ["u", "v", "w"][at % 3], kind(at), kind(at)));
    train("");
    assert_eq!(accuracy(at, "table.csv"), 1.0);
    // Constant, empty and identifier-like columns.
    rows("c,e,id,x,y", &|at| format!("one,,name{at},{}.5,{}", at % 2, kind(at)));
    let said = train("");
    for words in [
        "column c is not used: the same value in all rows",
        "column e is not used: no value in any row",
        "column id is not used: nearly every row has a text of its own",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let said = train("--categorical id");
    assert!(!said.contains("column id is not used"), "{said}");
    // Nothing to learn from.
    rows("c,y", &|at| format!("one,{}", kind(at)));
    let refused = error(at, &format!("train --data table.csv {SHORT} --label-column y"));
    assert!(refused.contains("no column of the table can be learned from"), "{refused}");
    // One row of a class, and a target with gaps.
    rows("a,x,y", &|at| {
        let target = match at {
            3 => "once",
            5 | 6 => "",
            _ => kind(at),
        };
        format!("{},{at},{target}", kind(at))
    });
    let said = train("");
    assert!(said.contains("2 rows without a target left out"), "{said}");
    let found = run(at, "data table.csv");
    assert!(found.contains("classes with fewer than 5 rows: once (1)"), "{found}");
    // Duplicated names are told apart by their order.
    rows("a,a,y", &|at| format!("{},{at},{}", kind(at), kind(at)));
    assert!(train("").contains("are both named"));
    // A single column is no table to learn from.
    rows("a", &|at| kind(at).to_owned());
    assert!(error(at, &format!("train --data table.csv {SHORT}")).contains("one column"));
    // Numbers as text and categories as numbers: what training had is kept where that is exact.
    rows("code,n,y", &|at| format!("{},{at},{}", at % 4, kind(at)));
    train("--categorical code");
    fs::write(at.join("other.csv"), "code,n\n3.0,5\n3,5.00\nabc,5\n").unwrap();
    let lines = run(at, "predict model.safetensors other.csv --json");
    let probabilities: Vec<String> =
        lines.lines().map(|line| json(line)["probabilities"].to_string()).collect();
    assert_eq!(probabilities[0], probabilities[1]);
    assert_ne!(probabilities[1], probabilities[2]);
}

#[test]
fn gaps_that_first_appear_in_a_table_of_numbers_are_filled() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table = "a,b,y\n".to_owned();
    for row in 0..100 {
        writeln!(table, "{row}.5,{},{}", row % 10, ["low", "high"][row / 50]).unwrap();
    }
    fs::write(at.join("table.csv"), &table).unwrap();
    run(at, &format!("train --data table.csv {SHORT}"));
    let means = json(&run(at, "inspect model.safetensors --json"))["normalization"]["mean"].clone();
    // A gap is what the mean is, also after the first rows.
    let known = format!("a,b,y\n80.5,{},high\n", means[1]);
    fs::write(at.join("known.csv"), known).unwrap();
    let many = table.clone() + "80.5,,high\n";
    fs::write(at.join("many.csv"), many).unwrap();
    fs::write(at.join("few.csv"), "a,b,y\n80.5,NA,high\n").unwrap();
    let last = |name: &str| {
        let lines = run(at, &format!("predict model.safetensors {name} --json"));
        json(lines.lines().last().unwrap())["probabilities"].to_string()
    };
    assert_eq!(last("few.csv"), last("known.csv"));
    assert_eq!(last("many.csv"), last("known.csv"));
    let said = messages(at, "evaluate model.safetensors --data many.csv");
    assert!(said.contains("1 gap is filled with the means of the training data"), "{said}");
    let refused = {
        fs::write(at.join("text.csv"), "a,b\n80.5,many\n").unwrap();
        error(at, "predict model.safetensors text.csv")
    };
    assert!(refused.contains("\"many\" is not a number"), "{refused}");
}

#[test]
fn parquet_files_are_tables() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/raw_tables");
    for name in ["types.csv", "types.parquet", "types.brotli.parquet"] {
        fs::copy(source.join(name), at.join(name)).unwrap();
    }
    let found = json(&run(at, "data types.parquet --json"));
    let kinds: Vec<&str> = found["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    let (number, category, date) = ("number", "category", "date");
    // What a file stores as text is text, even if it holds digits alone.
    assert_eq!(kinds, [number, number, category, category, category, category, date, date, number]);
    assert_eq!(found["columns"][8]["range"], serde_json::json!([-3.0, 4.5, 11.75]));
    // The same table as CSV, in which only the digits are numbers.
    let train = format!("train {SHORT} --threads 1 --categorical digits");
    for (table, out) in
        [("types.csv", "csv"), ("types.parquet", "parquet"), ("types.brotli.parquet", "brotli")]
    {
        run(at, &format!("{train} --data {table} --out {out}.safetensors"));
    }
    let predicted = |model: &str, table: &str| {
        let lines = run(at, &format!("predict {model}.safetensors {table} --json"));
        let row = |line: &str| json(line)["probabilities"].to_string();
        lines.lines().map(row).collect::<Vec<_>>()
    };
    let expected = predicted("csv", "types.csv");
    assert_eq!(expected.len(), 60);
    for (model, table) in
        [("csv", "types.parquet"), ("parquet", "types.csv"), ("brotli", "types.brotli.parquet")]
    {
        assert_eq!(predicted(model, table), expected, "{model} {table}");
    }
    let evaluated = run(at, "evaluate csv.safetensors --data types.parquet --json");
    assert!(json(&evaluated)["accuracy"].as_f64().unwrap() > 0.5);
    fs::write(at.join("broken.parquet"), b"PAR1 and nothing more").unwrap();
    let refused = error(at, "data broken.parquet");
    assert!(refused.contains("a Parquet file that cannot be read"), "{refused}");
}

#[test]
fn sweeps_and_targets_of_values() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table = "colour,size,cost\n".to_owned();
    for row in 0..200 {
        let (colour, size) = (["red", "blue"][row % 2], ["small", "large", "huge"][row % 3]);
        writeln!(table, "{colour},{size},{}", 3 * row).unwrap();
    }
    fs::write(at.join("table.csv"), table).unwrap();
    let sweep = "sweep --out runs.jsonl --vary learning-rate=0.01/0.02 --jobs 1 --";
    let said = messages(at, &format!("{sweep} --data table.csv --hidden 4 --epochs 2"));
    assert!(said.contains("Target: cost, values"), "{said}");
}

#[test]
fn ten_thousand_columns_are_not_too_many() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table: String = (0..10_000).map(|column| format!("c{column},")).collect();
    table += "outcome\n";
    for row in 0..30 {
        for column in 0..10_000 {
            match column % 3 {
                0 => table += ["u,", "v,", ","][(row + column) % 3],
                1 => write!(table, "{},", row * column % 17).unwrap(),
                _ => table += if row % 2 == 0 { "," } else { "2.5," },
            }
        }
        table += ["a\n", "b\n"][row % 2];
    }
    fs::write(at.join("wide.csv"), table).unwrap();
    run(at, "train --data wide.csv --hidden 4 --epochs 2 --quiet");
    assert_eq!(labels(at, "wide.csv").len(), 30);
}

#[test]
fn data_shows_the_columns_and_what_is_suspicious() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table = "id,copy,tail,cost\n".to_owned();
    for row in 0..200 {
        let tail = if row == 7 { 1e9 } else { f64::from(row % 10) };
        let cost = row * row;
        writeln!(table, "n{row},{}.5,{tail},{cost}", 2 * cost).unwrap();
    }
    fs::write(at.join("table.csv"), table).unwrap();
    let shown = run(at, "data table.csv");
    for words in [
        "Target: cost, values (the last column, more than 100 different numbers",
        "column id is not used: nearly every row has a text of its own",
        "column copy gives the target away",
        "column tail has values far from all others, such as 1000000000",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let found = json(&run(at, "data table.csv --json"));
    assert_eq!(found["columns"][1]["kind"], "number");
    assert_eq!(found["columns"][0]["different"], 200);
    assert_eq!(found["suspicious"].as_array().unwrap().len(), 3);
    assert!(found["train"].get("mean").is_none());
}

#[test]
fn the_spellings_of_gaps_belong_to_the_model() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table = "a,x,y\n".to_owned();
    for row in 0..60 {
        let x = if row % 5 == 0 { "-999".to_owned() } else { (row % 2).to_string() };
        writeln!(table, "{},{x},{}", ["u", "v"][row / 30], ["p", "q"][row % 2]).unwrap();
    }
    fs::write(at.join("table.csv"), table).unwrap();
    run(at, &format!("train --data table.csv {SHORT} --missing -999,unknown"));
    let found = json(&run(at, "inspect model.safetensors --json"));
    assert_eq!(found["columns"]["missing"][0], "-999");
    assert_eq!(found["normalization"]["columns"][1]["number"]["gaps"], true);
    fs::write(at.join("other.csv"), "a,x\nu,-999\nu,unknown\nu,\n").unwrap();
    let lines = run(at, "predict model.safetensors other.csv --json");
    let predicted: Vec<String> =
        lines.lines().map(|line| json(line)["probabilities"].to_string()).collect();
    assert!(predicted[0] == predicted[1] && predicted[1] == predicted[2]);
}

#[test]
fn columns_that_a_model_does_not_use_need_not_be_there() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut table = "id,constant,x,colour,y\n".to_owned();
    for row in 0..80 {
        writeln!(table, "n{row},7,{row}.5,{},{}", ["u", "v"][row % 2], ["p", "q"][row / 40])
            .unwrap();
    }
    fs::write(at.join("table.csv"), &table).unwrap();
    run(at, &format!("train --data table.csv {SHORT} --label-column y"));
    let predicted = |name: &str, rows: &str| {
        fs::write(at.join(name), rows).unwrap();
        run(at, &format!("predict model.safetensors {name} --json --label-column y"));
        let lines = run(at, &format!("predict model.safetensors {name} --json"));
        lines.lines().map(|line| json(line)["probabilities"].to_string()).collect::<Vec<_>>()
    };
    let whole = predicted("whole.csv", "id,constant,x,colour,y\nn1,7,3.5,u,p\nn2,7,70.5,v,q\n");
    // Another order, without them or with anything in them.
    assert_eq!(predicted("less.csv", "colour,y,x\nu,p,3.5\nv,q,70.5\n"), whole);
    assert_eq!(predicted("other.csv", "constant,colour,y,x\nmany,u,p,3.5\n,v,q,70.5\n"), whole);
    fs::write(at.join("less.csv"), "colour,y,x\nu,p,3.5\nv,q,70.5\n").unwrap();
    let evaluated = json(&run(at, "evaluate model.safetensors --data less.csv --json"));
    assert_eq!(evaluated["samples"], 2);
    fs::write(at.join("lacks.csv"), "id,constant,x\nn1,7,3.5\n").unwrap();
    let refused = error(at, "predict model.safetensors lacks.csv");
    assert!(refused.contains("the table has no column \"colour\""), "{refused}");
}

#[test]
fn the_first_line_is_a_row_if_that_is_said() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows: String = (0..60)
        .map(|row| {
            format!(
                "{},{},{}\n",
                ["a", "b"][row % 2],
                ["c", "d", "e"][row % 3],
                ["x", "y"][row % 2]
            )
        })
        .collect();
    fs::write(at.join("table.csv"), rows).unwrap();
    let count = |option: &str| {
        let found = json(&run(at, &format!("data table.csv --json --label-column 2 {option}")));
        found["train"]["samples"].as_u64().unwrap()
    };
    assert_eq!((count(""), count("--no-header")), (59, 60));
    let train = format!("train --data table.csv --no-header --label-column 2 {SHORT}");
    run(at, &format!("{train} --checkpoint run.checkpoint"));
    run(at, "train --resume run.checkpoint --epochs 16 --quiet");
    assert_eq!(labels(at, "table.csv --no-header").len(), 60);
}

#[test]
fn a_folder_of_tables_needs_no_option_either() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("set")).unwrap();
    for (name, rows) in [("train", 90), ("test", 30)] {
        let rows: String =
            (0..rows).map(|row| format!("{},{}.5\n", ["u", "v", "w"][row % 3], 7 * row)).collect();
        fs::write(at.join(format!("set/{name}.csv")), format!("colour,target\n{rows}")).unwrap();
    }
    let found = json(&run(at, "data set --json"));
    assert_eq!((&found["train"]["samples"], &found["test"]["samples"]), (&90.into(), &30.into()));
    assert_eq!(found["output_names"][0], "target", "{found}");
    assert!(
        messages(at, &format!("train --data set {SHORT}").replace("--quiet", ""))
            .contains("Target: target, values")
    );
}

#[test]
fn one_table_in_several_files() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let whole = mixed(300);
    fs::write(at.join("table.csv"), &whole).unwrap();
    fs::create_dir(at.join("pieces")).unwrap();
    let (header, rows) = whole.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    for (number, rows) in rows.chunks(100).enumerate() {
        // The second has its columns in another order.
        let turned = |line: &str| {
            let mut cells: Vec<&str> = line.split(',').collect();
            cells.rotate_left(number);
            cells.join(",")
        };
        let lines: Vec<String> =
            std::iter::once(header).chain(rows.iter().copied()).map(turned).collect();
        fs::write(at.join(format!("pieces/part-{number}.csv")), lines.join("\n")).unwrap();
    }
    fs::write(at.join("pieces/readme.txt"), "what these are").unwrap();
    let model = |data: &str| {
        run(at, &format!("train --data {data} --label-column kind {SHORT}"));
        let shown = json(&run(at, "inspect model.safetensors --json"));
        (shown["normalization"].clone(), shown["training"]["test_accuracy"].clone())
    };
    let expected = model("table.csv");
    for data in ["pieces", "pieces/part-*.csv", "pieces/part-?.csv"] {
        assert_eq!(model(data), expected, "{data}");
    }
    assert_eq!(accuracy(at, "pieces"), accuracy(at, "table.csv"));
    let said = messages(at, "train --data pieces --epochs 1");
    assert!(said.contains("Target: kind, classes") && said.contains("Preset: tabular"), "{said}");
    assert!(error(at, "data pieces/*.tsv").contains("no file matches pieces/*.tsv"));
    // A file with other columns is named, and so are these.
    let odd = whole.replace("size", "width");
    fs::write(at.join("pieces/part-3.csv"), odd).unwrap();
    let refused = error(at, "data pieces");
    for words in ["part-3.csv: ", "part-0.csv: \"size\" is missing, and \"width\" is new"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

#[test]
fn a_model_of_100_columns_is_small() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    // 50 numbers, and 50 categories of up to 100 values.
    let names: Vec<String> = (0..50).map(|at| format!("number {at},category {at}")).collect();
    let mut table = format!("{},kind\n", names.join(","));
    for row in 0..600_usize {
        let cell =
            |at: usize| format!("{}.5,value {}", row * (at + 3) % 97, row * 8 % (2 * at + 3));
        let cells: Vec<String> = (0..50).map(cell).collect();
        writeln!(table, "{},{}", cells.join(","), ["a", "b", "c"][row % 3]).unwrap();
    }
    fs::write(at.join("table.csv"), table).unwrap();
    run(at, "train --data table.csv --preset tabular --epochs 1 --quiet");
    let kinds = json(&run(at, "inspect model.safetensors --json"))["normalization"].clone();
    let count =
        |kind| kinds["columns"].as_array().unwrap().iter().filter(|it| !it[kind].is_null()).count();
    assert_eq!((count("number"), count("category")), (50, 50));
    let size = fs::metadata(at.join("model.safetensors")).unwrap().len();
    assert!(size < 3_000_000, "{size} bytes");
}

#[test]
fn parquet_goes_in_and_out_with_its_types() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/raw_tables");
    for name in ["types.zstd.parquet", "types.arrow", "types.feather", "types.parquet"] {
        fs::copy(source.join(name), at.join(name)).unwrap();
    }
    run(at, &format!("train {SHORT} --threads 1 --data types.arrow"));
    let all: Vec<String> = ["types.parquet", "types.zstd.parquet", "types.arrow", "types.feather"]
        .map(|name| run(at, &format!("predict model.safetensors {name} --out -")))
        .to_vec();
    assert!(all[1..].iter().all(|text| *text == all[0]));
    assert_eq!(all[0].lines().count(), 61);
    let header = "\"whole\",\"part\",\"flag\",\"code\",\"digits\",\"text\",\"day\",\"time\",\"price\",\"kind\",prediction,";
    assert!(all[0].starts_with(header), "{}", &all[0][..200]);
    assert!(all[0].contains("\n-19,0.125,false,\"001\",\"11\",\"say \"\"c\"\"\",2024-01-02,2024-01-01 07:00:00,-2.75,\"cold\","), "{}", &all[0][..400]);
    run(at, "predict model.safetensors types.feather --out out.parquet");
    let found = json(&run(at, "data out.parquet --json --label-column kind"));
    let kinds: Vec<_> = found["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..9],
        [
            "number", "number", "category", "category", "category", "category", "date", "date",
            "number"
        ]
    );
    assert_eq!(found["columns"][6]["times"], serde_json::json!(["2024-01-02", "2024-02-29"]));
    // An earlier file of predictions is replaced, other tables are not.
    run(at, "predict model.safetensors types.feather --out out.parquet");
    assert!(
        error(at, "predict model.safetensors types.feather --out types.parquet")
            .contains("is not overwritten")
    );
}

#[test]
fn a_column_of_unknown_values_is_told() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("table.csv"), mixed(200)).unwrap();
    run(at, &format!("train --data table.csv {SHORT}"));
    let numbered = mixed(50).replace("red", "1").replace("green", "2").replace("blue", "3");
    fs::write(at.join("numbered.csv"), numbered).unwrap();
    for command in
        ["predict model.safetensors numbered.csv", "evaluate model.safetensors --data numbered.csv"]
    {
        let said = messages(at, command);
        assert!(said.contains("column \"colour\": all values are unknown to the model"), "{said}");
    }
    let said = messages(at, "predict model.safetensors table.csv");
    assert!(!said.contains("unknown"), "{said}");
}

#[test]
fn a_usual_name_makes_a_target_and_several_labels_need_no_option() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows: String = (0..200)
        .map(|row| format!("{},{}.5,{},{}\n", row % 13, row % 7, row % 2, row % 3 / 2))
        .collect();
    fs::write(at.join("named.csv"), "a,y,rain,wind\n".to_owned() + &rows).unwrap();
    let said = messages(at, "train --data named.csv --epochs 1 --threads 1");
    assert!(said.contains("Target: y, values (numbers with fractions)"), "{said}");
    let labels = "train --data named.csv --loss binary-cross-entropy --label-column rain,wind --epochs 1 --out m.safetensors";
    messages(at, labels);
    // Quantiles are their own intervals.
    run(
        at,
        "train --data named.csv --loss quantile:0.1,0.9 --epochs 1 --out q.safetensors --quiet",
    );
    let said = error(at, "predict q.safetensors named.csv --interval 0.9");
    assert!(said.contains("predicts quantiles, and these are its intervals"), "{said}");
}
