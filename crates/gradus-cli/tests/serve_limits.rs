//! What `gradus serve` takes on, over plain HTTP: connections, bodies, work, and clients that do not read, do not
//! write or hang up. The numbers are those of docs/page.md.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::server::{Answer, PATIENCE, Server, stroke, with_model};
use common::{json, text};
use gradus::data::images::{GreyImage, encode_png};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Well below the server's timeouts of 20 seconds.
const SOON: Duration = Duration::from_secs(10);

/// A square image of more than 4 megapixels, which takes its turn among the large ones.
fn large(side: usize) -> Vec<u8> {
    let mut pixels = vec![250; side * side];
    (side / 5..side * 4 / 5).for_each(|row| pixels[row * side + side / 2..][..side / 8].fill(20));
    encode_png(&GreyImage::new(side, side, pixels).unwrap())
}

/// Sends an image and does not wait for the prediction.
fn begin(server: &Server, stream: &mut TcpStream, image: &[u8]) {
    let head = "Content-Type: image/png\r\n";
    stream.write_all(&server.request("POST /api/answer", head, image)).unwrap();
}

#[test]
fn connections_without_a_request_make_room() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    let idle: Vec<TcpStream> = (0..320)
        .map(|number| {
            let mut stream = server.connect();
            // Some send the head of a request slowly, and some have had a response.
            let part: &[u8] = [b"" as &[u8], b"GET /api/state HTTP/1.1\r\nHost: "][number % 2];
            stream.write_all(part).unwrap();
            stream
        })
        .collect();
    let mut stream = server.connect();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&server.request("GET /api/state", "", b"")).unwrap();
    assert_eq!(Answer::read(&mut stream).status, 200);
    drop(idle);
}

#[test]
fn a_refusal_closes_the_connection() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), "");
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 403),
        (format!("GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", server.address), 404),
    ] {
        let mut stream = server.connect();
        stream.set_read_timeout(Some(SOON)).unwrap();
        // More requests after the refused one are not answered.
        stream.write_all(request.repeat(50).as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("closed");
        let answers = text(&bytes);
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1);
    }
}

#[test]
fn a_refusal_arrives_although_the_client_is_still_sending() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let begin = |length: usize| {
        let mut stream = server.connect();
        let head = format!(
            "POST /api/answer HTTP/1.1\r\nHost: {}\r\nContent-Type: image/png\r\n\
             Content-Length: {length}\r\n\r\n",
            server.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    // The length alone is enough.
    let mut stream = begin(9 << 20);
    stream.set_read_timeout(Some(SOON)).unwrap();
    assert!(Answer::read(&mut stream).refusal(413).contains("larger than 8192 kB"));
    let mut stream = begin(9 << 20);
    let _ = stream.write_all(&vec![0x89; 9 << 20]);
    Answer::read(&mut stream).refusal(413);
    // A body that stops arriving.
    let mut stream = begin(1000);
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&[0x89; 10]).unwrap();
    Answer::read(&mut stream).refusal(408);
}

#[test]
fn bodies_that_do_not_arrive_take_no_place() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let head = format!(
        "POST /api/answer HTTP/1.1\r\nHost: {}\r\nContent-Type: image/png\r\n\
         Content-Length: 1000\r\n\r\n",
        server.address
    );
    let mut slow: Vec<TcpStream> = (0..320).map(|_| server.connect()).collect();
    slow.iter_mut().for_each(|stream| drop(stream.write_all(&[head.as_bytes(), b"abc"].concat())));
    let mut stream = server.connect();
    stream.set_read_timeout(Some(SOON)).unwrap();
    begin(&server, &mut stream, &stroke());
    assert_eq!(Answer::read(&mut stream).status, 200);
}

#[test]
fn the_bytes_of_requests_are_bounded() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let length = 8 << 20;
    let head = format!(
        "POST /api/answer HTTP/1.1\r\nHost: {}\r\nContent-Type: image/png\r\n\
         Content-Length: {length}\r\n\r\n",
        server.address
    );
    // Nine images of 8 MiB, each without its last byte.
    let image = vec![0x89; length - 1];
    let mut streams: Vec<TcpStream> = (0..9).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.set_nonblocking(true).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
    }
    let mut sent = vec![0; streams.len()];
    let begin = Instant::now();
    let is_refused = |stream: &TcpStream| {
        let mut start = [0; 12];
        stream.peek(&mut start).is_ok_and(|_| &start == b"HTTP/1.1 503")
    };
    while !streams.iter().any(is_refused) {
        for (stream, sent) in streams.iter_mut().zip(&mut sent) {
            *sent += stream.write(&image[*sent..]).unwrap_or(0);
        }
        assert!(begin.elapsed() < PATIENCE);
    }
    // The bytes become free with their connections, and there is always room for a drawing.
    drop(streams);
    let begin = Instant::now();
    while server.answer(&stroke()).status != 200 {
        assert!(begin.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the response has not arrived yet.
fn waits(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let error = stream.peek(&mut [0]).err();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn the_number_of_large_images_is_bounded() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let image = large(2100);
    let begun = Instant::now();
    // Again, if the server was so fast that it had never 16 of them at a time.
    loop {
        let mut all: Vec<TcpStream> = (0..40).map(|_| server.connect()).collect();
        all.iter_mut().for_each(|stream| begin(&server, stream, &image));
        let answers: Vec<Answer> = all.iter_mut().map(Answer::read).collect();
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
        assert!(!done.is_empty());
        for answer in &refused {
            assert!(answer.refusal(503).contains("busy predicting other"), "{answer:?}");
        }
        if !refused.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn large_images_do_not_delay_drawings_and_are_dropped_with_their_clients() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let image = large(4000);
    let mut all: Vec<TcpStream> = (0..14).map(|_| server.connect()).collect();
    all.iter_mut().for_each(|stream| begin(&server, stream, &image));
    assert_eq!(server.answer(&stroke()).status, 200);
    let waiting = all.iter().filter(|stream| waits(stream)).count();
    assert!(waiting > 6, "only {waiting} of them were computed after the drawing");
    // They leave their places, even if they have sent more than the request.
    all.iter_mut().for_each(|stream| drop(stream.write_all(b"GET")));
    drop(all);
    let begun = Instant::now();
    while server.answer(&image).status == 503 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn streams_begin_with_the_state_and_end_with_the_server() {
    let folder = with_model();
    let server = Server::start(folder.path(), "");
    let mut stream = server.connect();
    let request = format!("GET /api/events HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut read_until = |end: &str| {
        let mut piece = [0; 4096];
        while !text(&bytes).contains(end) {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{}", text(&bytes));
            bytes.extend_from_slice(&piece[..count]);
        }
        text(&bytes)
    };
    let first = read_until("\n\n");
    assert!(first.contains("content-type: text/event-stream\r\n"), "{first}");
    let event = first.split("event: state\ndata: ").nth(1).unwrap();
    let state: Value = json(event.lines().next().unwrap());
    assert_eq!(state["model"]["name"], "digits.safetensors");
    server.post("/api/model", &json!({"file": "digits.safetensors"})).done();
    let second = read_until("event: model\n");
    assert!(second.contains("event: model\ndata: {"), "{second}");
    let (status, said) = server.end("-TERM");
    assert_eq!(status, Some(0), "{said}");
    let _ = stream.read_to_end(&mut bytes).unwrap();
}
