//! The folder of `gradus serve`: what it reads, what it writes, and in which order.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command as Process;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use common::server::{Answer, Server, with_model};
use common::{gradus, text};
use gradus::model_file;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A finished run with a model of `hidden` units, and its number.
fn trained(server: &Server, hidden: usize) -> Value {
    let options = json!({"hidden": hidden.to_string(), "epochs": "1", "batch-size": "1000"});
    let request = json!({"data": "digits", "preset": "quick", "options": options});
    let id = server.post("/api/runs", &request).done()["id"].clone();
    server.wait_for(&id, &["finished"]);
    id
}

#[test]
fn only_plain_files_in_the_folder_are_models() {
    let folder = with_model();
    let at = folder.path();
    let outside = with_model();
    symlink(outside.path().join("digits.safetensors"), at.join("away.safetensors")).unwrap();
    symlink("digits.safetensors", at.join("here.safetensors")).unwrap();
    symlink("/dev/zero", at.join("zero.safetensors")).unwrap();
    symlink("nowhere", at.join("dangling.safetensors")).unwrap();
    fs::create_dir(at.join("folder.safetensors")).unwrap();
    fs::copy(at.join("digits.safetensors"), at.join("hid\u{202e}den.safetensors")).unwrap();
    let pipe = at.join("pipe.safetensors");
    assert!(Process::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink("pipe.safetensors", at.join("to-pipe.safetensors")).unwrap();
    let _socket = UnixListener::bind(at.join("socket.safetensors")).unwrap();

    let server = Server::start(at, "");
    let listed = server.get("/api/state").done()["models"].clone();
    assert_eq!(listed, json!(["digits.safetensors", "here.safetensors"]));
    for name in
        ["away", "zero", "dangling", "folder", "hid\u{202e}den", "pipe", "to-pipe", "socket"]
    {
        let file = json!({"file": format!("{name}.safetensors")});
        server.post("/api/model", &file).refusal(400);
    }
    for name in ["pipe.safetensors", "to-pipe.safetensors", "/dev/zero"] {
        let output = gradus(at, &format!("serve --port 0 {name}"))
            .timeout(Duration::from_secs(30))
            .assert()
            .code(1);
        let said = text(&output.get_output().stderr);
        assert!(said.contains("expected a file"), "{said}");
    }
    let id = trained(&server, 16);
    for name in ["pipe", "to-pipe", "away", "socket", "a\u{2066}b", "a\u{200e}b", "a\u{1b}b"] {
        let request = json!({"name": format!("{name}.safetensors"), "replace": true});
        server.post(&format!("/api/runs/{id}/save"), &request).refusal(400);
    }
    server.post("/api/model", &json!({"file": "here.safetensors"})).done();
}

#[test]
fn a_link_out_of_the_folder_is_not_its_newest_model() {
    let outside = with_model();
    let folder = TempDir::new().unwrap();
    let link = folder.path().join("link.safetensors");
    symlink(outside.path().join("digits.safetensors"), link).unwrap();
    let server = Server::start(folder.path(), "");
    let state = server.get("/api/state").done();
    assert_eq!((&state["model"], &state["models"]), (&Value::Null, &json!([])));
}

#[test]
fn of_two_saves_under_one_new_name_one_succeeds() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let ids = [trained(&server, 300), trained(&server, 500)];
    for round in 0..10 {
        let name = format!("model-{round}.safetensors");
        let together = Barrier::new(4);
        let save = |id: &Value| {
            together.wait();
            server.post(&format!("/api/runs/{id}/save"), &json!({"name": name}))
        };
        let answers: Vec<_> = thread::scope(|scope| {
            let saves: Vec<_> = ids.iter().chain(&ids).map(|id| scope.spawn(|| save(id))).collect();
            saves.into_iter().map(|save| save.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 3), "{answers:?}");
        for answer in lost {
            assert!(answer.refusal(409).contains("already exists"));
        }
        model_file::load(&folder.path().join(name)).unwrap();
    }
}

#[test]
fn the_end_of_the_server_does_not_cut_a_save() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let mut server = Server::start(at, "");
    let id = trained(&server, 1500);
    let names = || {
        let entries = fs::read_dir(at).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|it| it.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let save = |number: usize| {
        let name = format!("model-{number:02}.safetensors");
        let body = json!({"name": name}).to_string();
        let headers = "Content-Type: application/json\r\n";
        let request = format!("POST /api/runs/{id}/save");
        let mut stream = server.connect();
        stream.write_all(&server.request(&request, headers, body.as_bytes())).unwrap();
        (name, stream)
    };
    let saves: Vec<_> = (0..14).map(save).collect();
    // The answer shows that the connections before it have been accepted.
    server.get("/api/state").done();
    server.signal("-TERM");
    // Each is finished or refused, and none is cut.
    let answers = saves.into_iter().map(|(name, mut stream)| (name, Answer::read(&mut stream)));
    let (saved, refused): (Vec<_>, Vec<_>) = answers.partition(|(_, answer)| answer.status == 200);
    for (name, answer) in refused {
        assert!(answer.refusal(503).contains("shutting down"), "{name}");
    }
    assert_eq!(server.ended(), (Some(0), String::new()));
    let saved: Vec<String> = saved.into_iter().map(|(name, _)| name).collect();
    assert!(!saved.is_empty());
    assert_eq!(names(), saved);
    for name in saved {
        model_file::load(&at.join(name)).unwrap();
    }
}
