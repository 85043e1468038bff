//! `gradus report`: pages, plots and tables match the output of `evaluate` and `train`, and load nothing.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{TABLE, gradus, json, run, table, text};
use roxmltree::Document;
use serde_json::Value;
use tempfile::TempDir;

/// All values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let parts = page.split(&format!(" {name}=\"")).skip(1).collect::<Vec<_>>();
    parts.into_iter().map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The plots of a page, each well-formed.
fn plots(page: &str) -> Vec<Document<'_>> {
    let starts = page.match_indices("<svg").map(|(at, _)| at);
    starts
        .map(|at| {
            let end = at + page[at..].find("</svg>").unwrap() + "</svg>".len();
            Document::parse(&page[at..end]).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect()
}

/// Checks what holds for every page.
fn check_page(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>"));
    // URLs are only names of namespaces, never loaded.
    let addresses = page.matches("://").count();
    assert_eq!(addresses, page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    for word in ["url(", "@import", "<link", "<iframe", "<object", "javascript:"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("<script").count(), 1);
    let sources = attributes(page, "src");
    assert!(sources.iter().all(|source| source.starts_with("data:image/png;base64,")));
    assert_eq!(page.matches("<img ").count(), attributes(page, "alt").len());
    assert_eq!((page.matches("<h1").count(), page.matches("lang=\"en\"").count()), (1, 1));
    let ids = attributes(page, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands twice");
    for target in attributes(page, "href").iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(ids.contains(&target), "a link leads to {target}, which is not there");
    }
    for id in attributes(page, "aria-labelledby") {
        assert!(ids.contains(&id), "{id}");
    }
    plots(page);
}

fn page(folder: &Path, name: &str) -> String {
    let page = fs::read_to_string(folder.join(name)).unwrap();
    check_page(&page);
    page
}

#[test]
fn a_report_on_an_image_model_has_all_sections() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(at, "train --data digits --epochs 3 --batch-size 500 --hidden 16 --validation 0.1 --quiet");
    assert_eq!(run(at, "report model.safetensors"), "Wrote report.html\n");
    let page = page(at, "report.html");
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    let found = json(&run(at, "evaluate model.safetensors --json --errors 30"));
    let accuracy = format!("<strong>{:.2} %</strong>", 100.0 * found["accuracy"].as_f64().unwrap());
    assert!(page.contains(&accuracy), "{accuracy}");
    for heading in [
        "Training",
        "Learning curves",
        "Confusion matrix",
        "Most confident mistakes",
        "Classes",
        "Calibration",
        "Weights",
    ] {
        assert!(page.contains(&format!(">{heading}</h2>")), "{heading}");
    }
    assert_eq!(plots(&page).len(), 3 + 1 + 1 + 2);
    for error in found["errors"].as_array().unwrap() {
        let [label, predicted] = ["label", "predicted"].map(|key| error[key].as_str().unwrap());
        let alt = format!("Sample {}: {label} predicted as {predicted}", error["index"]);
        assert!(attributes(&page, "alt").contains(&alt.as_str()), "{alt}");
    }
    // Each cell of the matrix contains its count and links to its samples.
    for (label, row) in found["confusion"].as_array().unwrap().iter().enumerate() {
        for (predicted, count) in row.as_array().unwrap().iter().enumerate() {
            if label != predicted && count.as_u64().unwrap() > 20 {
                let words = format!("{label} predicted as {predicted}: {count} (");
                assert!(page.contains(&words), "{words}");
                assert!(
                    attributes(&page, "href").contains(&&*format!("#cell-{label}-{predicted}"))
                );
            }
        }
    }
    let recall = 100.0 * found["classes"][7]["recall"].as_f64().unwrap();
    assert!(page.contains(&format!("<td>{recall:.2} %</td>")));
    assert!(page.contains("54,000 samples for training, 6,000 for validation, 10,000 for testing"));
    assert!(page.contains("3, in batches of 500 samples") && page.contains("one-cycle"));

    // The same model gives the same page, which may replace the earlier one.
    let before = fs::read(at.join("report.html")).unwrap();
    run(at, "report model.safetensors --threads 1");
    assert!(before == fs::read(at.join("report.html")).unwrap());
}

#[test]
fn plots_and_tables_contain_the_metrics() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(at, "train --data digits --epochs 2 --batch-size 500 --hidden 16 --quiet --history h.csv");
    let printed = run(at, "report model.safetensors --format svg -o out");
    let names: Vec<&str> =
        printed.lines().map(|line| line.strip_prefix("Wrote ").unwrap()).collect();
    let pieces = ["loss", "accuracy", "learning-rate", "confusion", "calibration", "mistakes"];
    let pieces = [&pieces[..], &["first-layer", "weights"]].concat();
    assert_eq!(names, pieces.iter().map(|piece| format!("out/{piece}.svg")).collect::<Vec<_>>());
    for name in names {
        let svg = fs::read_to_string(at.join(name)).unwrap();
        assert_eq!(plots(&svg).len(), 1);
    }
    assert_eq!(run(at, "report model.safetensors --format csv -o out").lines().count(), 5);
    let read = |name: &str| fs::read_to_string(at.join("out").join(name)).unwrap();
    let found = json(&run(at, "evaluate model.safetensors --json"));
    let row = read("confusion.csv").lines().nth(4).unwrap().to_owned();
    let counts: Vec<String> =
        found["confusion"][3].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(row, format!("3,{}", counts.join(",")));
    let classes = read("classes.csv");
    let cells: Vec<&str> = classes.lines().nth(4).unwrap().split(',').collect();
    assert_eq!(cells[4].parse::<f64>().unwrap(), found["classes"][3]["recall"].as_f64().unwrap());
    assert_eq!(read("mistakes.csv").lines().count(), 31);
    assert_eq!(read("calibration.csv").lines().count(), 16);
    // The model contains the history except for times.
    let without_times = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
    };
    let history = fs::read_to_string(at.join("h.csv")).unwrap();
    assert_eq!(without_times(&read("history.csv")), without_times(&history));
    assert!(!run(at, "inspect model.safetensors").contains("history"));
    let training = json(&run(at, "inspect model.safetensors --json"))["training"].clone();
    assert_eq!(training["history"]["loss"].as_array().unwrap().len(), 2);
}

#[test]
fn png_needs_a_font() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let history = r#"{"accuracy":[0.9,0.95],"learning_rate":[0.1,0.1],"loss":[0.5,0.25]}"#;
    fs::write(at.join("h.json"), history).unwrap();
    let output = gradus(at, "report h.json --format png -o out").output().unwrap();
    if !output.status.success() {
        assert!(text(&output.stderr).contains("no font found"), "{}", text(&output.stderr));
        return;
    }
    for name in ["loss", "accuracy", "learning-rate"] {
        let png = fs::read(at.join(format!("out/{name}.png"))).unwrap();
        let image = gradus::data::images::parse_grey(&png).unwrap();
        assert_eq!((image.height(), image.width()), (600, 960));
        // A white background with something on it.
        assert!(image.pixels()[0] == 255 && image.pixels().iter().any(|&pixel| pixel < 100));
    }
}

#[test]
fn a_report_on_a_regression_model_shows_its_errors() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let rows = (0..60).map(|i| format!("{i},{},{}\n", i % 7, 2 * i + i % 7));
    fs::write(at.join("table.csv"), format!("a,b,sum\n{}", rows.collect::<String>())).unwrap();
    let options = "--loss squared --label-column sum --normalize standard --epochs 5";
    run(at, &format!("train --data table.csv {options} --quiet"));
    // Without the table: loss, learning rate, weights.
    fs::rename(at.join("table.csv"), at.join("moved.csv")).unwrap();
    run(at, "report model.safetensors");
    let without = page(at, "report.html");
    fs::rename(at.join("moved.csv"), at.join("table.csv")).unwrap();
    assert!(without.contains("give its path with --data") && plots(&without).len() == 3);
    run(at, "report model.safetensors --data table.csv");
    let with = page(at, "report.html");
    for heading in ["Importances", "Partial dependence", "Worst predictions"] {
        assert!(
            with.contains(&format!(">{heading}</h2>")) && !without.contains(heading),
            "{heading}"
        );
    }
    assert!(
        with.contains("Predicted against true: sum")
            && with.contains("Residuals: sum")
            && with.contains(">R^2<")
    );
    assert!(!with.contains("Confusion matrix"));
    run(at, "report model.safetensors --data table.csv --format csv -o out");
    let errors = fs::read_to_string(at.join("out/errors.csv")).unwrap();
    assert!(errors.starts_with("output,root_mean_squared_error,mean_absolute_error,r2\nsum,"));
    let measured = json(&run(at, "evaluate model.safetensors --data table.csv --json"));
    let found: f64 = errors.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!((found - measured["root_mean_squared_error"].as_f64().unwrap()).abs() < 1e-9);
    let pairs = fs::read_to_string(at.join("out/predictions.csv")).unwrap();
    assert!(pairs.starts_with("index,sum,sum_predicted\n0,") && pairs.lines().count() > 2);
    run(at, "report model.safetensors --data table.csv --format svg -o out");
    for plot in ["predictions", "residuals", "importances", "importances-2", "dependence"] {
        assert!(at.join(format!("out/{plot}.svg")).exists(), "{plot}");
    }
}

#[test]
fn a_report_on_raw_columns_shows_what_they_mean() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let row = |i: usize| {
        let colour = ["red", "<b>blue</b>", ""][i % 3];
        let kind = if i % 3 == 1 { "yes" } else { "no" };
        format!("{i},{colour},2024-01-{:02},{kind}\n", 1 + i % 28)
    };
    let rows: String = (0..120).map(row).collect();
    fs::write(at.join("t.csv"), format!("n,colour,day,kind\n{rows}")).unwrap();
    run(at, "train --data t.csv --label-column kind --epochs 60 --learning-rate 0.02 --quiet");
    // With a label that is certainly wrong.
    let wrong = format!("n,colour,day,kind\n{rows}7,red,2024-01-03,yes\n");
    fs::write(at.join("all.csv"), wrong).unwrap();
    run(at, "report model.safetensors --data all.csv");
    let page = page(at, "report.html");
    for heading in ["Calibration", "Importances", "Partial dependence", "Worst predictions"] {
        assert!(page.contains(&format!(">{heading}</h2>")), "{heading}");
    }
    assert!(!page.contains("Most confident mistakes</h2>"));
    assert!(page.contains("Importance by log loss") && page.contains("colour: mean prediction"));
    // Raw values, escaped.
    assert!(page.contains("&lt;b&gt;blue") && page.contains("<td>2024-01-03</td>"));
    run(at, "report model.safetensors --data all.csv --format csv -o out");
    let importances = fs::read_to_string(at.join("out/importances.csv")).unwrap();
    assert!(importances.starts_with("column,accuracy,accuracy_std,log_loss,log_loss_std\ncolour,"));
    let dependence = fs::read_to_string(at.join("out/dependence.csv")).unwrap();
    assert!(dependence.contains("colour,missing,"), "{dependence}");
}

#[test]
fn a_report_on_several_labels_has_the_figures_of_each() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let bit = |yes: bool| u8::from(yes);
    let rows =
        (0..80).map(|i| format!("{},{},{},{}\n", i % 9, i % 7, bit(i % 9 > 4), bit(i % 7 > 2)));
    fs::write(at.join("table.csv"), format!("a,b,warm,wet\n{}", rows.collect::<String>())).unwrap();
    let options =
        "--loss binary-cross-entropy --label-column warm,wet --normalize standard --epochs 30";
    run(at, &format!("train --data table.csv {options} --quiet"));
    run(at, "report model.safetensors --data table.csv");
    let page = page(at, "report.html");
    assert!(page.contains(">subset accuracy<") && page.contains("Figures by label"), "{page}");
    assert!(!page.contains("Confusion matrix"));
    run(at, "report model.safetensors --data table.csv --format csv -o out");
    let labels = fs::read_to_string(at.join("out/labels.csv")).unwrap();
    let measured = json(&run(at, "evaluate model.safetensors --data table.csv --json"));
    let found: Vec<&str> = labels.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(found[0], "warm");
    let expected = measured["labels"][0]["f1"].as_f64().unwrap();
    assert!((found[3].parse::<f64>().unwrap() - expected).abs() < 1e-9, "{labels} {measured}");
}

#[test]
fn the_name_of_a_report_fits_its_format() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet"));
    for (options, words) in [
        ("-o report.pdf", "expected a name that ends in .html"),
        ("-o report.png", "use --format png"),
        ("-o report.json", "expected a name that ends in .html"),
        ("--format png -o one.png", "expected the name of a folder"),
        ("--format svg -o one.html", "expected the name of a folder"),
        ("--format csv -o all.csv", "expected the name of a folder"),
    ] {
        let command = format!("report model.safetensors --data table.csv {options}");
        let failed = gradus(at, &command).assert().code(2);
        let reported = text(&failed.get_output().stderr);
        assert!(reported.contains(words), "{options}: {reported}");
        assert!(!at.join(options.rsplit(' ').next().unwrap()).exists(), "{options}");
    }
    for (options, written) in
        [("-o a.HTM", "a.HTM"), ("-o page", "page"), ("--format csv -o v1.2", "v1.2/confusion.csv")]
    {
        run(at, &format!("report model.safetensors --data table.csv {options}"));
        assert!(at.join(written).exists(), "{written}");
    }
}

#[test]
fn a_report_on_a_history_has_curves_only() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    for name in ["h.csv", "h.json"] {
        run(at, &format!("train {TABLE} --validation 0.2 --quiet --history {name}"));
        run(at, &format!("report {name} -o {name}.html"));
        let page = page(at, &format!("{name}.html"));
        assert!(page.contains("<h1>Report on h.") && page.contains(">Learning curves</h2>"));
        assert_eq!(plots(&page).len(), 3);
        assert!(page.contains(">validation</text>") && !page.contains("Confusion matrix"));
    }
    let failed = gradus(at, "report h.csv --data table.csv").assert().code(2);
    let reported = "--data has no effect on h.csv: a history contains no model to measure";
    assert!(text(&failed.get_output().stderr).contains(reported));
    fs::write(at.join("h.csv"), "a,b\n1,2\n").unwrap();
    let failed = gradus(at, "report h.csv").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("h.csv: not a history: it lacks loss"));
}

#[test]
fn a_report_without_data_omits_sections_and_escapes_names() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let rows = fs::read_to_string(at.join("table.csv")).unwrap();
    let evil = rows.replace("red", "<script>alert(1)</script>").replace("blue", "\"\"\"&'\"");
    fs::write(at.join("table.csv"), evil).unwrap();
    run(at, &format!("train {TABLE} --quiet"));
    fs::remove_file(at.join("table.csv")).unwrap();
    // The table is not here: the page has the other sections and says what is missing.
    let output = gradus(at, "report model.safetensors").assert().success();
    let reported = "the model was trained on table.csv, which is not in this folder: give its path with --data";
    assert!(text(&output.get_output().stderr).contains(reported));
    let without = page(at, "report.html");
    assert!(without.contains(reported) && without.contains(">Weights</h2>"));
    assert!(!without.contains(">Confusion matrix</h2>"));
    // With the table the page has all sections, but no images.
    fs::write(at.join("wrong.csv"), "u,v,label\n0,0,green\n5,0.5,green\n0,5,green\n").unwrap();
    run(at, "report model.safetensors --data wrong.csv");
    let with = page(at, "report.html");
    assert!(with.contains(">Confusion matrix</h2>") && with.contains("<code>0, 5</code>"));
    assert!(with.contains("&lt;script&gt;alert(1)") && !with.contains("<script>alert"));
    assert!(with.contains("Worst predictions"));
    // Data that were given must exist.
    let failed = gradus(at, "report model.safetensors --data none.csv").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("none.csv"));
}

#[test]
fn other_files_are_not_replaced() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --quiet --checkpoint run.safetensors"));
    fs::write(at.join("report.html"), "<p>mine</p>").unwrap();
    let failed = gradus(at, "report model.safetensors").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("not a page of gradus"));
    assert_eq!(fs::read_to_string(at.join("report.html")).unwrap(), "<p>mine</p>");
    let failed = gradus(at, "report model.safetensors --format svg -o table.csv").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("plots and tables go to a folder"));
    let failed =
        gradus(at, "report model.safetensors --format csv -o x --data none").assert().code(1);
    assert!(text(&failed.get_output().stderr).contains("none") && !at.join("x").exists());
    // A checkpoint has curves as well.
    run(at, "report run.safetensors -o run.html --data table.csv");
    assert!(page(at, "run.html").contains(">Loss</text>"));
}
