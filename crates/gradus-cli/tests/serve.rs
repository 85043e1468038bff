//! `gradus serve` and `train --watch` over plain HTTP: what the page asks for. Access is tested in
//! serve_guard.rs, limits in serve_limits.rs, files in serve_files.rs.

mod common;

use std::fs;
use std::io::BufRead;
use std::time::{Duration, Instant};

use common::server::{PATIENCE, Server, long, stroke, watched, with_model};
use common::{gradus, json, run, table, text};
use gradus::data::images::{GreyImage, encode_png};
use gradus::model_file;
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn the_page_and_its_files_have_security_headers() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let page = server.get("/");
    assert_eq!(page.status, 200);
    let html = text(&page.body);
    let assets: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(assets.len() > 3, "{html}");
    for path in assets.into_iter().chain(["/", "/api/state", "/nothing", "/assets/nothing"]) {
        let answer = server.get(path);
        assert_eq!(answer.status == 404, path.ends_with("nothing"), "{path}");
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'; script-src 'self'")
        );
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{path}");
        assert!(!answer.head.contains("access-control"), "{path}");
    }
    assert_eq!(server.ask("DELETE /api/state", "", b"").status, 405);
    let state = server.get("/api/state").done();
    assert_eq!((&state["model"], &state["runs"]), (&Value::Null, &json!([])));
    assert!(state["datasets"].as_array().unwrap().contains(&json!("digits")));
    assert!(server.answer(&stroke()).refusal(409).contains("no model"));
    let (status, said) = server.end("-INT");
    assert_eq!((status, said.as_str()), (Some(0), ""));
}

#[test]
fn predictions_are_those_of_predict() {
    let folder = with_model();
    let at = folder.path();
    let server = Server::start(at, "");
    assert_eq!(server.get("/api/state").done()["model"]["name"], "digits.safetensors");
    fs::write(at.join("stroke.png"), stroke()).unwrap();
    let reported = json(&run(at, "predict digits.safetensors stroke.png --json"));
    let found = server.answer(&stroke()).done();
    let expected: Vec<&Value> = reported["probabilities"].as_object().unwrap().values().collect();
    let probabilities: Vec<&Value> = found["probabilities"].as_array().unwrap().iter().collect();
    assert_eq!(probabilities, expected);
    assert_eq!(reported["label"], json!(found["label"].to_string()));
    let length = |part: &Value| part.as_array().unwrap().len();
    assert_eq!((length(&found["input"]), length(&found["why"])), (784, 784));
    assert_eq!(length(&found["units"][0]), 16);
    let blank = encode_png(&GreyImage::new(50, 50, vec![255; 2500]).unwrap());
    assert!(server.answer(&blank).done()["empty"].as_str().unwrap().contains("no ink"));
    assert!(server.answer(b"nothing").refusal(400).contains("not an image"));
    // A header that announces far more data than the file contains.
    let mut bomb = stroke();
    bomb[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    assert_eq!(server.answer(&bomb).status, 400);
}

#[test]
fn requests_are_bounded() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let large = vec![b' '; 70_000];
    let asked = server.ask("POST /api/runs", "Content-Type: application/json\r\n", &large);
    assert_eq!(asked.status, 413);
    let larger = vec![0x89; 9 << 20];
    assert_eq!(server.answer(&larger).status, 413);
    for (options, words) in [
        (json!({"hidden": "12x"}), "invalid value '12x' for '--hidden"),
        (json!({"epochs": "200000"}), "at most 100000"),
        (json!({"out": "/tmp/x.safetensors"}), "--out cannot be set here"),
        (json!({"hidden": [1]}), "expected a string, a number"),
        (json!({"learning-rate": "-1"}), "must be above 0"),
    ] {
        let request = json!({"data": "digits", "preset": "quick", "options": options});
        let refusal = server.post("/api/runs", &request).refusal(400);
        assert!(refusal.contains(words), "{refusal}");
    }
    for request in [
        json!({"data": "/etc/passwd", "preset": "quick"}),
        json!({"data": "digits", "preset": "none"}),
        json!({"data": "digits"}),
        json!({"data": "digits", "preset": "quick", "more": 1}),
        json!([]),
    ] {
        server.post("/api/runs", &request).refusal(400);
    }
    let huge = json!({"data": "digits", "preset": "quick", "options": {"hidden": "100000,1000"}});
    let id = &server.post("/api/runs", &huge).done()["id"];
    let failed = server.wait_for(id, &["failed"]);
    assert!(failed["message"].as_str().unwrap().contains("at most 50 million"), "{failed}");
    for query in ["class=x", "part=all", "count=-1", "order=first", "wrong=1", "data=nothing"] {
        server.get(&format!("/api/samples?{query}")).refusal(400);
    }
    let listed = server.get("/api/samples?count=100000").done();
    assert_eq!(listed["samples"].as_array().unwrap().len(), 200);
}

#[test]
fn runs_and_listeners_are_bounded() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let ids: Vec<Value> =
        (0..20).map(|_| server.post("/api/runs", &long()).done()["id"].clone()).collect();
    assert!(server.post("/api/runs", &long()).refusal(400).contains("20 runs have not ended"));
    let states = || -> Vec<String> {
        let state = server.get("/api/state").done();
        let runs = state["runs"].as_array().unwrap().iter();
        runs.map(|run| run["state"].as_str().unwrap().to_owned()).collect()
    };
    // One run trains, the others wait.
    server.wait_for_epochs(&ids[0], 1);
    assert_eq!(states().iter().filter(|state| *state == "waiting").count(), 19);
    let stop = |id: &Value| server.post(&format!("/api/runs/{id}/stop"), &json!({})).done();
    stop(&ids[1]);
    let run = server.wait_for(&ids[1], &["stopped"]);
    assert_eq!(run["usable"], false);
    // While one run is paused, the next one trains.
    server.post(&format!("/api/runs/{}/pause", ids[0]), &json!({})).done();
    server.wait_for(&ids[0], &["paused"]);
    server.wait_for_epochs(&ids[2], 1);
    server.post(&format!("/api/runs/{}/continue", ids[0]), &json!({})).done();
    server.wait_for(&ids[0], &["waiting"]);
    ids.iter().for_each(|id| drop(stop(id)));
    ids.iter().for_each(|id| drop(server.wait_for(id, &["stopped"])));
    // The oldest finished run makes room.
    let id = server.post("/api/runs", &long()).done()["id"].clone();
    assert_eq!(server.get(&format!("/api/runs/{}", ids[0])).status, 404);
    stop(&id);
    server.post("/api/runs/99/stop", &json!({})).refusal(404);
    server.post(&format!("/api/runs/{id}/dance"), &json!({})).refusal(404);

    let watching: Vec<_> = (0..100).map(|_| server.watch()).collect();
    assert!(watching.iter().all(|(_, start)| start.starts_with("HTTP/1.1 200 OK")));
    assert!(server.get("/api/events").refusal(503).contains("100 pages are already open"));
    drop(watching);
    // Their places become free when the next event cannot be delivered.
    let begin = Instant::now();
    while !server.watch().1.starts_with("HTTP/1.1 200") {
        assert!(begin.elapsed() < PATIENCE);
        server.post(&format!("/api/runs/{id}/pause"), &json!({}));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_on_the_page_equals_a_run_of_train() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let options = "--hidden 20 --epochs 3 --validation 0.1 --seed 5";
    run(at, &format!("train --data digits {options} --quiet --out by-train.safetensors"));
    let server = Server::start(at, "");
    let given = json!({"hidden": "20", "epochs": "3", "validation": "0.1", "seed": "5"});
    let request = json!({"data": "digits", "preset": "quick", "options": given});
    let (_silent, _) = server.watch();
    let id = server.post("/api/runs", &request).done()["id"].clone();
    let ended = server.wait_for(&id, &["finished", "failed"]);
    assert_eq!(
        (&ended["state"], ended["history"].as_array().unwrap().len()),
        (&json!("finished"), 3)
    );
    let save = |body: Value| server.post(&format!("/api/runs/{id}/save"), &body);
    assert_eq!(save(json!({"name": "by-page.safetensors"})).done()["file"], "by-page.safetensors");
    let bytes = |name: &str| fs::read(at.join(name)).unwrap();
    assert!(bytes("by-page.safetensors") == bytes("by-train.safetensors"), "other bits");

    assert!(save(json!({"name": "by-train.safetensors"})).refusal(409).contains("already exists"));
    save(json!({"name": "by-train.safetensors", "replace": true})).done();
    fs::write(at.join("mine.safetensors"), "not a model").unwrap();
    let refusal = save(json!({"name": "mine.safetensors", "replace": true})).refusal(400);
    assert!(refusal.contains("would be lost"), "{refusal}");
    assert_eq!(bytes("mine.safetensors"), b"not a model");
    for name in ["../up.safetensors", "/tmp/up.safetensors", "a/b.safetensors", "x.onnx", ""] {
        save(json!({"name": name})).refusal(400);
    }
    let use_run = server.post("/api/model", &json!({"run": id})).done();
    assert_eq!((&use_run["run"], &use_run["name"]), (&id, &json!("Run 1")));
    server.post("/api/model", &json!({"file": "../x.safetensors"})).refusal(400);
    server.post("/api/model", &json!({"file": "mine.safetensors"})).refusal(400);
    let models = &server.get("/api/state").done()["models"];
    assert!(models.as_array().unwrap().contains(&json!("by-page.safetensors")), "{models}");
}

#[test]
fn stopping_the_server_saves_the_runs_in_progress() {
    for signal in ["-INT", "-TERM"] {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        let server = Server::start(at, "");
        let id = server.post("/api/runs", &long()).done()["id"].clone();
        server.wait_for_epochs(&id, 2);
        // Listeners that do not read must not block the server.
        let watching: Vec<_> = (0..5).map(|_| server.watch()).collect();
        server.wait_for_epochs(&id, 30);
        let (status, said) = server.end(signal);
        drop(watching);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("saved its model to ./stopped-run-1.safetensors"), "{said}");
        let model = model_file::load(&at.join("stopped-run-1.safetensors")).unwrap();
        assert_eq!(model.provenance.outcome.as_deref(), Some("stopped"));
        assert!(model.provenance.epochs.unwrap() >= 30);
    }
}

#[test]
fn problems_at_the_start_are_reported() {
    let folder = with_model();
    let at = folder.path();
    let server = Server::start(at, "");
    let port = server.address.rsplit_once(':').unwrap().1;
    let refused = |options: &str, status: i32| {
        let output = gradus(at, &format!("serve {options}")).assert().code(status);
        text(&output.get_output().stderr)
    };
    let taken = refused(&format!("--port {port}"), 1);
    assert!(taken.contains("choose another port with --port"), "{taken}");
    assert!(refused("missing.safetensors", 1).contains("missing.safetensors"));
    assert!(refused("--folder nowhere", 1).contains("there is no folder nowhere"));
    assert!(refused("--data-dir nowhere", 1).contains("there is no data folder nowhere"));
    assert!(refused("--host nowhere.invalid", 1).contains("cannot listen on nowhere.invalid"));
    assert!(refused("--port 70000", 2).contains("--port"));
    table(at, "table.csv");
    // A model that does not take images can be looked at.
    run(at, "train --preset quick --data table.csv --epochs 1 --quiet --out t.safetensors");
    let server = Server::start(at, "t.safetensors");
    let model = server.get("/api/state").done()["model"].clone();
    assert!(model["no_images"].as_str().unwrap().contains("samples of 2 numbers"), "{model}");
    assert!(server.answer(&stroke()).refusal(400).contains("samples of 2 numbers"));
    let listed = server.get("/api/samples?data=digits").done();
    assert!(listed["note"].as_str().unwrap().contains("does not take the samples of digits"));
}

#[test]
fn rows_of_tables_are_predicted_and_explained() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let row = |i: usize| {
        format!("{},{},2024-01-{:02},{}\n", i % 9, ["a", "b", ""][i % 3], 1 + i % 28, 3 * (i % 9))
    };
    let rows: String = (0..90).map(row).collect();
    fs::write(at.join("v.csv"), format!("n,kind,day,y\n{rows}")).unwrap();
    run(
        at,
        "train --quiet --data v.csv --loss squared --label-column y --epochs 5 --out v.safetensors",
    );
    let server = Server::start(at, "v.safetensors");
    let model = server.get("/api/state").done()["model"].clone();
    let form = model["form"].as_array().unwrap();
    let field = |name: &str| form.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!((form.len(), &field("n")["typical"]), (3, &json!("4")));
    assert_eq!(field("kind")["values"], json!(["a", "b"]));
    assert_eq!((&field("day")["kind"], &field("day")["time"]), (&json!("date"), &json!(false)));
    let ask = |values: Value| {
        server.post("/api/predict", &json!({"model": model["id"], "values": values}))
    };
    for values in [["7", "b", "2024-01-03"], ["", "", ""], ["2.5", "unknown", "01.05.2024 12:30"]] {
        fs::write(at.join("row.csv"), format!("n,kind,day\n{}\n", values.join(","))).unwrap();
        let expected =
            json(&run(at, "predict v.safetensors row.csv --json"))["values"]["y"].clone();
        let found = ask(json!(values)).done();
        assert_eq!((&found["values"][0], &found["output"]), (&expected, &json!(0)));
        let parts = found["contributions"].as_array().unwrap();
        let sum: f64 = parts.iter().map(|part| part.as_f64().unwrap()).sum();
        let difference = expected.as_f64().unwrap() - found["neutral"].as_f64().unwrap();
        assert!((sum - difference).abs() < 0.01 * (1.0 + difference.abs()), "{found}");
    }
    assert!(ask(json!(["x", "a", ""])).refusal(400).starts_with("n: "));
    assert!(ask(json!(["1", "a", "tomorrow"])).refusal(400).contains("is not a date"));
    assert!(ask(json!(["1"])).refusal(400).contains("takes 3 columns"));
    server.post("/api/predict", &json!({"model": 99, "values": ["1", "a", ""]})).refusal(409);
    server.post("/api/predict", &json!({"model": model["id"], "values": "1"})).refusal(400);
    let output = json!({"model": model["id"], "values": ["1", "a", ""], "output": 1});
    assert!(server.post("/api/predict", &output).refusal(400).contains("no output 1"));
    assert!(server.answer(&stroke()).refusal(400).contains("samples of 3 numbers"));
}

#[test]
fn a_watched_run_is_on_the_page_and_remains_there() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut server = watched(at, "--hidden 16 --epochs 4");
    let id = json!(1);
    let run = server.wait_for(&id, &["finished"]);
    assert_eq!((&run["saved"], &run["data"]), (&json!("model.safetensors"), &json!("digits")));
    assert_eq!(run["history"].as_array().unwrap().len(), 4);
    assert_eq!(
        run["options"],
        json!({"data": "digits", "epochs": "4", "hidden": "16", "quiet": "true"})
    );
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("Test: loss = "), "{line}");
    let state = server.get("/api/state").done();
    assert_eq!((&state["watched"], &state["model"]["run"]), (&id, &id));
    assert_eq!(server.answer(&stroke()).status, 200);
    // The page can train more.
    let more = server.post("/api/runs", &long()).done()["id"].clone();
    server.wait_for_epochs(&more, 1);
    let (status, said) = server.end("-INT");
    assert_eq!(status, Some(0), "{said}");
    model_file::load(&at.join("model.safetensors")).unwrap();
    model_file::load(&at.join("stopped-run-2.safetensors")).unwrap();
}

#[test]
fn a_watched_run_is_paused_and_stopped_by_the_page_or_by_a_signal() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let id = json!(1);
    let server = watched(at, "--hidden 16 --epochs 90000");
    server.wait_for_epochs(&id, 2);
    server.post("/api/runs/1/pause", &json!({})).done();
    let paused = server.wait_for(&id, &["paused"])["history"].as_array().unwrap().len();
    std::thread::sleep(Duration::from_millis(300));
    let still = server.get("/api/runs/1").done();
    assert_eq!(still["history"].as_array().unwrap().len(), paused);
    server.post("/api/runs/1/continue", &json!({})).done();
    server.wait_for_epochs(&id, paused + 2);
    server.post("/api/runs/1/stop", &json!({})).done();
    let stopped = server.wait_for(&id, &["stopped"]);
    assert_eq!(stopped["usable"], true);
    let model = model_file::load(&at.join("model.safetensors")).unwrap();
    assert_eq!(model.provenance.outcome.as_deref(), Some("stopped"));
    // The page is still there.
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.end("-INT").0, Some(0));

    let paused = watched(at, "--hidden 16 --epochs 90000 --out two.safetensors");
    paused.wait_for_epochs(&id, 1);
    paused.post("/api/runs/1/pause", &json!({})).done();
    paused.wait_for(&id, &["paused"]);
    let (status, said) = paused.end("-TERM");
    assert_eq!(status, Some(130), "{said}");
    model_file::load(&at.join("two.safetensors")).unwrap();
}
