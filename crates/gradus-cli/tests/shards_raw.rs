//! Shards of tables with text, gaps and dates: streamed training gives the bits of training in memory and on the table itself.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{damage, gradus, json, run, spawn, text};
use tempfile::TempDir;

/// A short run by the preset for tables, at least two blocks of samples an epoch.
const RUN: &str = "--hidden 16,16 --epochs 2 --batch-size 512 --quiet";

fn error(folder: &Path, arguments: &str) -> String {
    text(&gradus(folder, arguments).assert().failure().get_output().stderr)
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

/// Rows with gaps, quoted text, dates, amounts that come back, and an identifier; the class and the price follow from them.
fn rows(rows: std::ops::Range<usize>) -> String {
    let mut table = "id,colour,size,day,gain,\"a \"\"note\"\"\",town,price,kind\n".to_owned();
    for row in rows {
        let noise = row.wrapping_mul(2_654_435_761) >> 7;
        let colour = ["red", "green", "blue, light", "\"x\""][noise % 4].replace('"', "\"\"");
        let size = if noise % 7 == 0 { "NA".to_owned() } else { format!("{}.25", noise % 1013) };
        let day = match noise % 29 {
            0 => String::new(),
            _ => format!("20{:02}-{:02}-{:02}", 10 + noise % 13, 1 + noise % 12, 1 + noise % 28),
        };
        let gain = if noise % 5 == 0 { 100 * (noise % 17) } else { 0 };
        let note = if noise % 3 == 0 { "a\nb" } else { "" };
        let town = format!("town {}", (noise % 300) * (noise % 7));
        let price = (noise % 1013) as f64 / 10.0 + (noise % 4) as f64;
        let kind = if noise % 4 == 1 || noise % 1013 > 700 { "warm" } else { "cold" };
        writeln!(
            table,
            "n{row},\"{colour}\",{size},{day},{gain},\"{note}\",{town},{price:.2},{kind}"
        )
        .unwrap();
    }
    table
}

/// The table in two files, `t/table.csv` whole, and `test.csv`, in which there are other texts, too.
fn tables(at: &Path) {
    fs::create_dir(at.join("t")).unwrap();
    fs::write(at.join("t/table.csv"), rows(0..20_000)).unwrap();
    fs::write(at.join("part-1.csv"), rows(0..9_000)).unwrap();
    fs::write(at.join("part-2.csv"), rows(9_000..20_000)).unwrap();
    let test = rows(20_000..21_000).replace("town 7", "village 7").replace("red", "yellow");
    fs::write(at.join("test.csv"), test).unwrap();
}

#[test]
fn streamed_columns_give_the_bits_of_memory_and_of_the_table() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    tables(at);
    // The folder has the name of the table, which is part of the model.
    fs::create_dir(at.join("s")).unwrap();
    let said = run(at, "data pack part-*.csv s/table.csv --no-shuffle --shard-rows 8192");
    assert!(said.contains("20000 samples"), "{said}");
    let facts = json(&run(at, "data s/table.csv --json"));
    let types =
        serde_json::json!(["text", "text", "number", "time", "number", "text", "text", "number"]);
    assert_eq!((&facts["types"], &facts["values"]), (&types, &"raw".into()));
    let shown = run(at, "data s/table.csv");
    let words = "samples of 8 raw columns (3 of numbers, 4 of text, 1 of dates), 2 classes";
    assert!(shown.contains(words), "{shown}");
    run(at, "data s/table.csv --verify");
    for parts in ["--test test.csv --validation 0", "--test test.csv --validation test.csv"] {
        let model = |data: &str, options: &str, out: &str| {
            let threads = if out == "table.safetensors" { "1" } else { "2" };
            let options = format!("{parts} {RUN} {options} --threads {threads}");
            run(at, &format!("train --data {data} {options} --out {out}"));
            bytes(at, out)
        };
        let streamed = model("s/table.csv", "", "streamed.safetensors");
        let memory = model("s/table.csv", "--in-memory --shuffle=blocks", "memory.safetensors");
        assert!(streamed == memory, "{parts}");
        let table = model("t/table.csv", "--shuffle=blocks", "table.safetensors");
        assert!(streamed == table, "{parts}");
    }
    // A part is held out, and is not known to the schema.
    fs::create_dir(at.join("u")).unwrap();
    run(at, "data pack t/table.csv u/table.csv --seed 5 --shard-rows 8192");
    let held_out = |folder: &str, options: &str, out: &str| {
        let command = format!("train --data {folder}/table.csv --validation 0.1 --preset tabular");
        run(at, &format!("{command} {RUN} {options} --out {out}"));
        bytes(at, out)
    };
    for folder in ["s", "u"] {
        let in_memory = held_out(folder, "--in-memory --shuffle=blocks", "memory.safetensors");
        assert!(held_out(folder, "", "streamed.safetensors") == in_memory, "{folder}");
    }
    let streamed = bytes(at, "streamed.safetensors");
    // A run that is killed after its first checkpoint goes on, also in memory.
    for place in ["", "--in-memory"] {
        let command = "train --data u/table.csv --validation 0.1 --preset tabular";
        let command =
            format!("{command} {RUN} --shuffle=blocks --checkpoint c --checkpoint-every 0.0001m");
        let mut child = spawn(at, &format!("{command} --out killed.safetensors"));
        while !at.join("c").exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let _ = child.kill();
        child.wait().unwrap();
        run(at, &format!("{command} {place} --continue --out resumed.safetensors"));
        assert!(bytes(at, "resumed.safetensors") == streamed, "{place}");
        fs::remove_file(at.join("c")).unwrap();
    }
}

#[test]
fn packed_rows_are_measured_and_predicted_as_those_of_the_table() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    tables(at);
    for (options, name) in [("", "classes"), ("--loss squared --label-column price", "values")] {
        run(at, &format!("data pack t/table.csv {name} {options}"));
        run(at, &format!("data pack test.csv {name}-test {options} --no-shuffle"));
        run(at, &format!("train --data {name} --test {name}-test --validation 0 {RUN}"));
        let figures = |data: &str| {
            let figures = run(at, &format!("evaluate model.safetensors --data {data} --json"));
            let mut figures = json(&figures);
            figures["data"] = "".into();
            figures
        };
        assert_eq!(figures(&format!("{name}-test")), figures("test.csv"));
        // The file of the table repeats its columns, in which a field has two lines.
        let predicted = |data: &str| -> Vec<String> {
            run(at, &format!("predict model.safetensors {data} --out p.csv"));
            let text = fs::read_to_string(at.join("p.csv")).unwrap();
            let outputs = if name == "classes" { 3 } else { 1 };
            let tail = |line: &str| {
                let fields: Vec<&str> = line.rsplitn(outputs + 1, ',').collect();
                fields[..outputs].join(" ")
            };
            text.lines().filter(|line| !line.ends_with("\"a")).map(tail).collect()
        };
        let found = predicted(&format!("{name}-test"));
        assert!(found.len() == 1001 && found == predicted("test.csv"), "{:?}", &found[..3]);
        // Packed again, in another order.
        run(at, &format!("data pack {name}-test {name}-again --seed 3"));
        let again = figures(&format!("{name}-again"));
        assert_eq!(again["samples"], 1000);
    }
    let facts = json(&run(at, "evaluate model.safetensors --data values-test --json"));
    assert!(facts["r2"].as_f64().unwrap() > 0.2, "{facts}");
}

#[test]
fn damage_and_what_cannot_be_packed_are_named() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    tables(at);
    run(at, "data pack t/table.csv shards --shard-rows 8192 --drop id");
    let train = format!("train --data shards --test test.csv --validation 0 {RUN}");
    for (file, word) in [("texts.json", "damaged"), ("shard-00001.npy", "damaged")] {
        let path = at.join("shards").join(file);
        let whole = damage(&path);
        let message = error(at, &train);
        assert!(message.contains(file) && message.contains(word), "{message}");
        fs::write(&path, &whole).unwrap();
    }
    let shown = run(at, "data shards --show 3");
    assert!(shown.contains("7 typed columns"), "{shown}");
    // Other columns than those of the model.
    run(at, &train);
    run(at, "data pack t/table.csv others");
    for command in
        ["evaluate model.safetensors --data others", "predict model.safetensors others --out p.csv"]
    {
        let message = error(at, command);
        assert!(message.contains("but the model takes 7"), "{message}");
    }
    let names = fs::read_to_string(at.join("t/table.csv")).unwrap();
    fs::write(at.join("t/renamed.csv"), names.replacen("size", "length", 1)).unwrap();
    run(at, "data pack t/renamed.csv renamed --drop id");
    let message = error(at, "evaluate model.safetensors --data renamed");
    assert!(
        message.contains("it has the column 'length' where the model takes 'size'"),
        "{message}"
    );
    fs::remove_file(at.join("shards/texts.json")).unwrap();
    let message = error(at, &train);
    assert!(message.contains("texts.json"), "{message}");
}
