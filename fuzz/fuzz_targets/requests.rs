//! Requests to the page, as bytes on a connection: the HTTP parser, the guard, JSON bodies.
//!
//! The server is the program in `GRADUS_PROGRAM`, in a process of its own, so libFuzzer sees only its own side:
//! the corpus and its mutations are what finds ways in. A panic ends the program, which is found here.
#![no_main]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;

struct Server {
    process: Child,
    /// The server ends when this pipe is closed, which the end of this process does: libFuzzer drops nothing.
    _running: ChildStdin,
    port: String,
}

/// Starts the server ($0), and ends it when standard input is closed.
const UNTIL_CLOSED: &str = r#"exec 3<&0
"$0" serve --port 0 --no-download 3<&- &
server=$!
{ read -r _ <&3; kill $server; } >&- 2>&- &
wait $server"#;

static SERVER: LazyLock<Mutex<Server>> = LazyLock::new(|| {
    let program = std::env::var("GRADUS_PROGRAM").expect("GRADUS_PROGRAM: the path of the program");
    let folder = std::env::temp_dir().join(format!("gradus-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut process = Command::new("sh")
        .args(["-c", UNTIL_CLOSED, &program])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server");
    let mut line = String::new();
    let out = process.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("its address");
    let port = line.split(['/', ' ']).find_map(|part| part.strip_prefix("127.0.0.1:"));
    let port = port.expect("its port").to_owned();
    let _running = process.stdin.take().expect("its input");
    Mutex::new(Server { process, _running, port })
});

fuzz_target!(|bytes: &[u8]| {
    let mut server = SERVER.lock().expect("one thread");
    let mut connection =
        TcpStream::connect(format!("127.0.0.1:{}", server.port)).expect("the server listens");
    let _ = connection.set_read_timeout(Some(Duration::from_secs(1)));
    // Requests of the corpus name this port.
    let text = String::from_utf8_lossy(bytes);
    let sent = match text.contains("PORT") {
        true => text.replace("PORT", &server.port).into_bytes(),
        false => bytes.to_vec(),
    };
    let _ = connection.write_all(&sent);
    let _ = connection.shutdown(Shutdown::Write);
    // An event stream has no end.
    let _ = connection.take(1 << 16).read(&mut [0; 1 << 12]);
    assert!(server.process.try_wait().expect("its state").is_none(), "the server has ended");
});
