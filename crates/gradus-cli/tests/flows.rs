//! Complete workflows, from data to predictions, on small data.

mod common;

use std::fs;
use std::process::Output;

use common::{TABLE, gradus, json, run, table, text, valued_table};
use gradus::data::images::{GreyImage, encode_png, to_size};
use gradus::data::{Inputs, digits};
use serde_json::Value;
use tempfile::TempDir;

/// The keys of one line of JSON, in their order.
fn keys(line: &str) -> String {
    let after_keys: Vec<&str> = line.split("\":").collect();
    let keys =
        after_keys[..after_keys.len() - 1].iter().map(|part| part.rsplit('"').next().unwrap());
    keys.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_table_from_training_to_prediction() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let printed = run(at, &format!("train {TABLE} --validation 0.2 --json --history h.csv"));
    let events: Vec<Value> = printed.lines().map(json).collect();
    assert_eq!(events.len(), 11);
    let [epoch, last] = [9, 10].map(|at| keys(printed.lines().nth(at).unwrap()));
    let validated = "event epoch loss accuracy val_loss val_accuracy learning_rate seconds";
    assert_eq!(epoch, validated);
    let done = "event epochs train_seconds total_seconds val_loss val_accuracy test_loss test_accuracy \
                test_accuracy_interval model";
    assert_eq!(last, done);
    let plain = run(at, &format!("train {TABLE} --json --out plain.safetensors"));
    let plain = keys(plain.lines().next().unwrap());
    assert_eq!(plain, validated.replace("val_loss val_accuracy ", ""));
    let done = &events[10];
    assert_eq!((&done["event"], &done["epochs"]), (&"done".into(), &10.into()));
    assert_eq!(done["model"], "model.safetensors");
    assert!(done["test_accuracy"].as_f64().unwrap() > 0.95, "{done}");
    assert!(done["total_seconds"].as_f64() >= done["train_seconds"].as_f64());
    let history = fs::read_to_string(at.join("h.csv")).unwrap();
    assert!(history.starts_with("epoch,loss,accuracy,val_loss,val_accuracy,learning_rate"));
    assert_eq!(history.lines().count(), 11);

    // On the training table itself, only the held-out samples count.
    let found = json(&run(at, "evaluate model.safetensors --data table.csv --json"));
    assert_eq!(found["samples"], 60);
    assert_eq!((&found["accuracy"], &found["loss"]), (&done["test_accuracy"], &done["test_loss"]));
    assert_eq!(found["accuracy_interval"], done["test_accuracy_interval"]);
    let inspected = json(&run(at, "inspect model.safetensors --json"));
    assert_eq!(inspected["training"]["test_accuracy_interval"], done["test_accuracy_interval"]);
    let row: u64 = found["confusion"][0].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
    assert_eq!((&found["classes"][0]["name"], row), (&"blue".into(), 20));
    // On another table all samples count; classes are matched by name.
    fs::write(at.join("other.csv"), "u,v,label\n5,0,green\n0,0,red\n5.5,0.1,green\n").unwrap();
    let found = json(&run(at, "evaluate model.safetensors --data other.csv --json"));
    assert_eq!((&found["samples"], &found["accuracy"]), (&3.into(), &1.0.into()));
    assert_eq!(found["classes"][1]["support"], 2);
    fs::write(at.join("strange.csv"), "u,v,label\n5,0,purple\n").unwrap();
    let failed = gradus(at, "evaluate model.safetensors --data strange.csv").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("not in the training data: \"purple\""));
    fs::write(at.join("narrow.csv"), "u,label\n5,red\n").unwrap();
    let failed = gradus(at, "evaluate model.safetensors --data narrow.csv").assert().code(1);
    let expected = "narrow.csv: the table has no column \"v\"";
    assert!(text(&failed.get_output().stderr).contains(expected));

    let rows = "u,v\n0,5\n5,0\n";
    let predicted = gradus(at, "predict model.safetensors -").write_stdin(rows).assert().success();
    let predicted = text(&predicted.get_output().stdout);
    assert!(predicted.starts_with("standard input[0]: blue ("), "{predicted}");
    assert!(predicted.contains("\nstandard input[1]: green ("), "{predicted}");
    // A column that the model was not trained on is left out, and a message says so.
    let rows = "number,u,v\n1,0,5\n2,5,0\n";
    let guessed = gradus(at, "predict model.safetensors -").write_stdin(rows).assert().success();
    assert_eq!(text(&guessed.get_output().stdout), predicted);
    let notice = "note: standard input: column \"number\" is ignored";
    assert!(text(&guessed.get_output().stderr).starts_with(notice));
    let lines = run(at, "predict model.safetensors other.csv --json --top 2");
    let first = json(lines.lines().next().unwrap());
    assert_eq!((&first["label"], &first["index"]), (&"green".into(), &0.into()));
    assert_eq!(first["probabilities"].as_object().unwrap().len(), 2);
    // If one file fails, the others are predicted nevertheless.
    let mixed = gradus(at, "predict model.safetensors none.csv other.csv").assert().code(1);
    assert_eq!(text(&mixed.get_output().stdout).lines().count(), 3);
    assert!(text(&mixed.get_output().stderr).contains("none.csv"));

    let described = run(at, "inspect model.safetensors");
    assert!(described.contains("2-8-3, relu, 51 parameters"), "{described}");
    assert!(described.contains("table.csv") && !described.contains(at.to_str().unwrap()));
    let described = json(&run(at, "inspect model.safetensors --json"));
    assert_eq!(described["training"]["samples"]["validation"], 48);
}

#[test]
fn an_evaluation_reports_confidence_intervals_and_mistakes() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let printed = run(at, &format!("train {TABLE} --quiet"));
    // 60 test samples; the classes are well separated.
    assert!(printed.ends_with("accuracy = 100.00 % (93.98 to 100.00)\n"), "{printed}");
    let wrong = "u,v,label\n0,0,red\n5,0.5,red\n0,5,blue\n4,0,blue\n5,0,red\n";
    fs::write(at.join("wrong.csv"), wrong).unwrap();
    let line = run(at, "evaluate model.safetensors --data wrong.csv --json --top 2 --errors 2");
    let figures = "data samples loss accuracy accuracy_interval top_k k accuracy accuracy_interval \
                   ranks expected_calibration_error calibration_bins from to count confidence";
    assert!(keys(&line).starts_with(figures), "{}", keys(&line));
    let found = json(&line);
    assert_eq!((&found["accuracy"], &found["micro_average"]["f1"]), (&0.4.into(), &0.4.into()));
    let rounded = |interval: &Value, at: usize| (1e4 * interval[at].as_f64().unwrap()).round();
    // Wilson's interval of 2 of 5, from SciPy's proportion_ci.
    let interval = &found["accuracy_interval"];
    assert_eq!((rounded(interval, 0), rounded(interval, 1)), (1176.0, 7693.0));
    let ranks: Vec<u64> = serde_json::from_value(found["ranks"].clone()).unwrap();
    assert_eq!((ranks[0], ranks.iter().sum()), (2, 5));
    assert_eq!(found["top_k"]["accuracy"], (ranks[0] + ranks[1]) as f64 / 5.0);
    assert_eq!(found["calibration_bins"].as_array().unwrap().len(), 15);
    assert_eq!(found["classes"][2]["recall_interval"].as_array().unwrap().len(), 2);
    let errors = found["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    let [first, second] = [0, 1].map(|at| errors[at]["probability"].as_f64().unwrap());
    assert!(first >= second && second > 0.5, "{errors:?}");
    assert!(errors.iter().all(|error| error["predicted"] == "green"), "{errors:?}");
    assert!(errors[0]["label_probability"].as_f64().unwrap() < 0.5);

    let reported = run(at, "evaluate model.safetensors --data wrong.csv --errors 9");
    assert!(reported.starts_with("wrong.csv: 5 samples, loss = "), "{reported}");
    assert!(
        reported.contains(", accuracy = 40.00 % (11.76 to 76.93)\nexpected calibration"),
        "{reported}"
    );
    assert!(
        reported.contains("\nThe 3 most confident of 3 mistakes, with probabilities:\n\n["),
        "{reported}"
    );
    let caption = reported.lines().position(|line| line.starts_with("[3]: green (0.")).unwrap();
    assert!(reported.lines().nth(caption).unwrap().contains(") instead of blue (0."), "{reported}");
    assert_eq!(reported.lines().nth(caption + 1), Some("4, 0"), "{reported}");
    let reported = run(at, "evaluate model.safetensors --errors 1 --data table.csv");
    assert!(reported.ends_with("\nNo mistakes.\n"), "{reported}");
    let failed = gradus(at, "evaluate model.safetensors --data table.csv --top 4").assert().code(2);
    let expected = "--top 4: the model has 3 classes; expected a number up to that";
    assert!(text(&failed.get_output().stderr).contains(expected));
}

#[test]
fn separate_test_and_validation_sets_are_matched_by_class_name() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    fs::write(at.join("few.csv"), "u,v,label\n5,0,green\n0,0,red\n5.5,0.1,green\n").unwrap();
    let printed =
        run(at, &format!("train {TABLE} --test few.csv --validation few.csv --json --quiet"));
    assert_eq!(json(&printed)["test_accuracy"], 1.0);
    let described = json(&run(at, "inspect model.safetensors --json"));
    let samples = r#"{"test":3,"train":300,"validation":3}"#;
    assert_eq!(described["training"]["samples"], json(samples));
    let printed = run(at, &format!("train {TABLE} --validation few.csv"));
    assert!(printed.lines().nth(9).unwrap().contains("val_accuracy = 1.0000"), "{printed}");
    fs::write(at.join("few.csv"), "u,v,label\n5,0,purple\n").unwrap();
    let failed = gradus(at, &format!("train {TABLE} --validation few.csv")).assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("not in the training data: \"purple\""));
}

#[test]
fn models_are_exported_and_imported() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --activation tanh --quiet"));
    run(at, "export model.safetensors m.onnx");
    let figures =
        |model: &str| json(&run(at, &format!("evaluate {model} --data table.csv --json")));
    assert_eq!(figures("m.onnx"), figures("model.safetensors"));
    run(at, "export m.onnx again.safetensors");
    let bytes = |name: &str| fs::read(at.join(name)).unwrap();
    assert!(bytes("again.safetensors") == bytes("model.safetensors"));
    run(at, "export m.onnx bytes.onnx --uint8");
    assert_eq!(figures("bytes.onnx"), figures("model.safetensors"));

    // Arrays do not contain the activation.
    run(at, "export m.onnx arrays.npz");
    let reported = |arguments: &str| {
        let output = gradus(at, arguments).assert().success();
        text(&output.get_output().stderr)
    };
    assert!(reported("inspect arrays.npz").contains("relu is assumed"));
    assert_eq!(reported("inspect arrays.npz --activation tanh"), "");
    let shown = run(at, "inspect arrays.npz --activation tanh --normalize -1,2");
    assert!(shown.contains("2-8-3, tanh"), "{shown}");
    for (arguments, words) in [
        ("inspect m.onnx --activation tanh", "the file has its own"),
        ("inspect m.onnx --normalize 0,255", "holds its own"),
        ("inspect model.safetensors --normalize 0,255", "the file has its own"),
        ("inspect arrays.npz --normalize 0,0", "such as 0,255"),
        ("export m.onnx copy.npz --uint8", "--uint8 is for ONNX models"),
    ] {
        let failed = gradus(at, arguments).assert().code(2);
        let message = text(&failed.get_output().stderr);
        assert!(message.contains(words), "{arguments}: {message}");
    }
}

#[test]
fn weights_of_8_bits_are_measured() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet"));
    let printed = run(at, "export model.safetensors net.c --int8");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "Wrote net.c");
    assert!(lines[1].starts_with("Weights of 32 bits on table.csv: loss = "), "{printed}");
    assert!(lines[2].starts_with("Weights of 8 bits on table.csv: loss = "), "{printed}");
    assert!(fs::read_to_string(at.join("net.c")).unwrap().contains("signed char weight_0[16]"));
    // Another format has the numbers that the 8 bits stand for: it predicts what the C source predicts.
    fs::write(at.join("other.csv"), "u,v,label\n0,5,blue\n5,0,green\n").unwrap();
    let printed = run(at, "export model.safetensors rounded.safetensors --int8 --data other.csv");
    let rounded = json(&run(at, "evaluate rounded.safetensors --data other.csv --json"));
    let loss =
        format!("Weights of 8 bits on other.csv: loss = {:.4}", rounded["loss"].as_f64().unwrap());
    assert!(printed.lines().nth(2).unwrap().starts_with(&loss), "{printed} {loss}");
    // Where the data of the model are not found, a warning says so, and the file is written.
    fs::remove_file(at.join("table.csv")).unwrap();
    let done = gradus(at, "export model.safetensors net.c --int8").assert().success();
    assert!(text(&done.get_output().stderr).contains("what the rounding costs was not measured"));
    gradus(at, "export model.safetensors net.c --int8 --data none.csv").assert().code(1);
}

#[test]
fn arrays_survive_a_round_trip() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let first = json(&run(at, &format!("train {TABLE} --json --quiet")));
    run(at, "export model.safetensors w.npz");
    let still = "--data table.csv --normalize standard --init w.npz --epochs 1 --optimizer sgd \
                 --schedule constant --learning-rate 1e-30 --out again.safetensors --json --quiet";
    let again = json(&run(at, &format!("train {still}")));
    assert_eq!(first["test_loss"], again["test_loss"]);
    let failed = gradus(at, &format!("train {still} --hidden 9")).assert().code(2);
    assert!(text(&failed.get_output().stderr).contains("--hidden 9 contradicts w.npz"));
}

#[test]
fn digits_at_any_number_of_threads_give_the_same_file() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let train = "train --data digits --epochs 1 --batch-size 500 --quiet";
    let one = run(at, &format!("{train} --threads 1 --out one.safetensors"));
    let two = run(at, &format!("{train} --threads 2 --out two.safetensors"));
    assert_eq!(one, two);
    assert!(one.starts_with("Test: loss = 0.") && one.lines().count() == 1, "{one}");
    let bytes = |name| fs::read(at.join(name)).unwrap();
    assert!(bytes("one.safetensors") == bytes("two.safetensors"));

    // A digit that is dark on light and too large is converted to the form of the training data.
    let data = digits::generate(10, 0, digits::Part::Test).unwrap();
    let Inputs::Bytes(pixels) = &data.inputs else { panic!("no bytes") };
    let mut right = 0;
    for (index, label) in data.labels().iter().enumerate() {
        let pixels = pixels[index * 784..][..784].iter().map(|pixel| 255 - pixel).collect();
        let image = to_size(&GreyImage::new(28, 28, pixels).unwrap(), 112, 112).unwrap();
        let name = format!("{index}.png");
        fs::write(at.join(&name), encode_png(&image)).unwrap();
        let line = run(at, &format!("predict one.safetensors {name}"));
        right += u32::from(line.starts_with(&format!("{name}: {label} (")));
    }
    assert!(right >= 8, "{right} of 10");
    let image = fs::read(at.join("3.png")).unwrap();
    let from_input = gradus(at, "predict one.safetensors -").write_stdin(image).assert().success();
    let from_file = run(at, "predict one.safetensors 3.png");
    let expected = from_file.replace("3.png", "standard input");
    assert_eq!(text(&from_input.get_output().stdout), expected);
    assert_ne!(run(at, "predict one.safetensors 3.png --raw"), from_file);
    // The default data are those that the model was trained on.
    let found = run(at, "evaluate one.safetensors");
    assert!(found.starts_with("digits: 10000 samples, loss = "), "{found}");
    assert!(found.contains("\ntop-3 accuracy = ") && found.lines().count() == 30, "{found}");
    let with_errors = run(at, "evaluate one.safetensors --errors 2");
    let drawn = with_errors.strip_prefix(&found).unwrap();
    let title = "\nThe 2 most confident of ";
    assert!(drawn.starts_with(title) && drawn.contains(" instead of "), "{drawn}");
    // A blank line, the title, another blank line, and two captions with images of 28 rows.
    assert!(drawn.contains('█') && drawn.lines().count() == 3 + 29 + 1 + 29, "{drawn}");
}

#[test]
fn the_notebook_preset_prints_the_lines_of_the_notebook() {
    let folder = TempDir::new().unwrap();
    let printed = run(folder.path(), "train --preset notebook --data digits --epochs 2");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    for (epoch, line) in lines[..2].iter().enumerate() {
        let accuracy = line.strip_prefix(&format!("Epoch {epoch}: Accuracy = ")).unwrap();
        assert!(accuracy.len() == 6 && accuracy.parse::<f64>().unwrap() < 1.0, "{line}");
    }
    assert!(lines[2].starts_with("Wrote model.safetensors: 2 epochs in "), "{printed}");
}

#[test]
fn a_folder_of_images_is_trained_on_and_predicted_unchanged() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    for (class, bright_row) in [("top", 2), ("bottom", 24)] {
        fs::create_dir_all(at.join("bars").join(class)).unwrap();
        for shift in 0..20 {
            let mut pixels = vec![30 + shift as u8; 28 * 28];
            pixels[bright_row * 28 + shift / 4..][..20].fill(220);
            let png = encode_png(&GreyImage::new(28, 28, pixels).unwrap());
            fs::write(at.join("bars").join(class).join(format!("{shift}.png")), png).unwrap();
        }
    }
    let printed = run(at, "train --data bars --epochs 30 --batch-size 8 --json");
    let done = json(printed.lines().last().unwrap());
    assert_eq!(done["test_accuracy"], 1.0, "{done}");
    // In MNIST's form both bars would be centred.
    let line = run(at, "predict model.safetensors bars/top/3.png bars/bottom/3.png");
    assert!(line.contains("top/3.png: top (") && line.contains("bottom/3.png: bottom ("), "{line}");
    assert!(run(at, "data bars --show 0").starts_with("x_train[0]: 28 x 28 bytes\n"));
    let described = json(&run(at, "data bars --json"));
    assert_eq!((&described["train"]["samples"], &described["test"]), (&40.into(), &Value::Null));
}

#[test]
fn a_run_that_diverges_writes_no_initial_weights() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let options = "train --data table.csv --optimizer sgd --learning-rate 1e30 --schedule constant";
    let Output { stdout, stderr, .. } = gradus(at, options).assert().code(1).get_output().clone();
    let stderr = text(&stderr);
    assert!(stderr.contains("error: the loss became ") && stderr.contains("no model was written"));
    assert!(!text(&stdout).contains("Wrote") && !at.join("model.safetensors").exists());
}

#[test]
fn a_table_too_small_to_split_can_be_shown() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("two.csv"), "u,v,label\n1,2,a\n3,4,b\n").unwrap();
    let shown = run(at, "data two.csv");
    assert!(shown.contains("\ntrain        2 ") && !shown.contains("test"), "{shown}");
    let failed = gradus(at, "train --preset quick --data two.csv").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("too few"));
}

#[test]
fn regression_from_training_to_prediction() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    valued_table(at, "sizes.csv");
    let described = run(at, "data sizes.csv --loss squared --label-column height,width");
    assert!(described.contains("samples of 2 float32, 2 targets"), "{described}");
    assert!(described.contains("height  train"), "{described}");
    let options = "--data sizes.csv --loss squared --label-column height,width --normalize standard \
                   --hidden 16,8 --activation tanh,relu --batch-size 16 --learning-rate 0.02";
    let printed = run(at, &format!("train {options} --epochs 60 --validation 0.2 --patience 30"));
    assert!(printed.starts_with("Epoch 0: loss = ") && !printed.contains("accuracy"), "{printed}");
    assert!(printed.contains(", val_loss = ") && printed.contains("Test: loss = "), "{printed}");
    let events = run(at, &format!("train {options} --epochs 60 --json --history h.csv"));
    let epoch = keys(events.lines().next().unwrap());
    assert_eq!(epoch, "event epoch loss learning_rate seconds");
    let done = json(events.lines().last().unwrap());
    assert!(done["test_r2"].as_f64().unwrap() > 0.9, "{done}");
    let history = fs::read_to_string(at.join("h.csv")).unwrap();
    assert!(history.starts_with("epoch,loss,accuracy,") && history.contains(",,,,"), "{history}");
    // An earlier history is replaced in both formats.
    run(
        at,
        &format!("train {options} --epochs 1 --history h.json --quiet --out other.safetensors"),
    );
    run(
        at,
        &format!("train {options} --epochs 1 --history h.json --quiet --out other.safetensors"),
    );

    // The held-out samples; the model knows the names of the target columns.
    let found = json(&run(at, "evaluate model.safetensors --data sizes.csv --json"));
    assert_eq!((&found["samples"], &found["loss"]), (&60.into(), &done["test_loss"]));
    assert_eq!((&found["r2"], &found["outputs"][1]["name"]), (&done["test_r2"], &"width".into()));
    let reported = run(at, "evaluate model.safetensors --data sizes.csv");
    assert!(
        reported.contains("sizes.csv: 60 samples, loss = ") && reported.contains("\nmean "),
        "{reported}"
    );
    let described = run(at, "inspect model.safetensors");
    assert!(described.contains("2-16-8-2, tanh, relu, "), "{described}");
    assert!(described.contains("2 values: height, width"), "{described}");

    let rows = "u,v\n0,0\n";
    let predicted = gradus(at, "predict model.safetensors -").write_stdin(rows).assert().success();
    let predicted = text(&predicted.get_output().stdout);
    assert!(predicted.starts_with("standard input[0]: height = "), "{predicted}");
    let line = run(at, "predict model.safetensors sizes.csv --json");
    let first = json(line.lines().next().unwrap());
    let height = first["values"]["height"].as_f64().unwrap();
    assert!((height - 9.0).abs() < 1.0, "{first}"); // u = 0, v = 1
    run(at, "export model.safetensors weights.npz");

    // One target: an interrupted and resumed run gives the same file as an uninterrupted one.
    let one = "--data sizes.csv --loss squared --label-column width --hidden 4 --threads 1 --quiet";
    run(at, &format!("train {one} --epochs 4 --out whole.safetensors --checkpoint c.safetensors"));
    let reported = run(at, "evaluate whole.safetensors --data sizes.csv");
    assert!(reported.contains("\nwidth ") && !reported.contains("\nmean "), "{reported}");
    run(at, "train --resume c.safetensors --quiet --out resumed.safetensors");
    let [whole, resumed] =
        ["whole", "resumed"].map(|name| fs::read(at.join(format!("{name}.safetensors"))).unwrap());
    assert!(whole == resumed);

    for (arguments, code, words) in [
        ("train --loss squared", 2, "mnist: its samples have classes"),
        ("train --data digits --loss squared", 2, "digits: its samples have classes"),
        ("predict model.safetensors sizes.csv --top 2", 2, "--top has no effect"),
        ("evaluate model.safetensors --data sizes.csv --errors 2", 2, "--errors has no effect"),
        ("evaluate model.safetensors --data mnist", 2, "its samples have classes"),
    ] {
        let failed = gradus(at, arguments).assert().code(code);
        let found = text(&failed.get_output().stderr);
        assert!(found.contains(words), "{arguments}: {found}");
    }
    let watched = format!("train {options} --patience 2 --monitor accuracy");
    let failed = gradus(at, &watched).assert().code(2);
    assert!(text(&failed.get_output().stderr).contains("has no accuracy"));
}
