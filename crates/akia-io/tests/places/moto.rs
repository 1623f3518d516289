//! moto, and a front before it that loses answers and gives others.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;

use crate::desk::python;

/// It ends when its standard input does, which is when the tests end.
const SERVER: &str = "import os, sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer('127.0.0.1', 0)
server.start()
print('port', server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)";

/// The port of one moto for all tests of this process. Needs `cargo xtask venv`.
fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let mut moto = python();
        moto.args(["-c", SERVER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut moto = moto.spawn().unwrap();
        let input = moto.stdin.take();
        let mut lines = BufReader::new(moto.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("port ")?.parse().ok());
        // Both pipes stay open as long as the tests run.
        std::thread::spawn(move || {
            let _input = input;
            lines.for_each(drop);
            moto.wait()
        });
        port.unwrap()
    })
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// moto answers.
    Pass,
    /// This is answered, and nothing is done.
    Answer(u16, String),
    /// It is done, and the connection breaks.
    Lost,
    /// It is done, and this is answered.
    DoneBut(u16, String),
    /// moto's answer, with more in it.
    With(Value),
}

#[derive(Default)]
struct State {
    seen: Vec<(String, Value)>,
    acts: BTreeMap<String, Vec<Act>>,
}

/// The front.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Front {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let front = Self { url, state: Arc::default() };
        let (shared, port) = (front.clone(), port());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let front = shared.clone();
                std::thread::spawn(move || front.serve(stream.unwrap(), port));
            }
        });
        front
    }

    /// What becomes of the next requests of an operation, one after another; then moto answers again.
    pub(crate) fn plan(&self, operation: &str, acts: &[Act]) {
        self.state.lock().unwrap().acts.insert(operation.to_owned(), acts.iter().rev().cloned().collect());
    }

    /// The operations since the last time, and forgets them.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.requests().into_iter().map(|(operation, _)| operation).collect()
    }

    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// A call that sets the stage, which nobody sees.
    pub(crate) fn call(&self, operation: &str, body: &Value) -> Value {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/secretsmanager/aws4_request, \
                             SignedHeaders=host, Signature=0";
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: secretsmanager.us-east-1.amazonaws.com\r\nauthorization: {authorization}\r\n\
             content-type: application/x-amz-json-1.1\r\nx-amz-target: secretsmanager.{operation}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (head, body) = behind(port(), request.as_bytes()).unwrap();
        assert!(head.contains(" 200 "), "{operation}: {head} {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }

    fn serve(&self, mut stream: TcpStream, port: u16) -> Option<()> {
        loop {
            let (head, body) = read(&mut stream)?;
            let lower = head.to_lowercase();
            let target = lower.lines().position(|line| line.starts_with("x-amz-target:"));
            let operation = target.and_then(|line| head.lines().nth(line)?.rsplit('.').next());
            let operation = operation.unwrap_or("none").to_owned();
            let act = {
                let mut state = self.state.lock().unwrap();
                state.seen.push((operation.clone(), serde_json::from_str(&body).unwrap_or_default()));
                state.acts.get_mut(&operation).and_then(Vec::pop).unwrap_or(Act::Pass)
            };
            let asked = format!("{head}\r\n\r\n{body}");
            let (head, body) = match act {
                Act::Answer(status, body) => (format!("HTTP/1.1 {status} X"), body),
                Act::Pass => behind(port, asked.as_bytes())?,
                Act::Lost => {
                    behind(port, asked.as_bytes())?;
                    return None;
                }
                Act::DoneBut(status, body) => {
                    behind(port, asked.as_bytes())?;
                    (format!("HTTP/1.1 {status} X"), body)
                }
                Act::With(more) => {
                    let (head, body) = behind(port, asked.as_bytes())?;
                    let mut body: Value = serde_json::from_str(&body).unwrap();
                    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                    (head, body.to_string())
                }
            };
            let first = head.lines().next().unwrap_or_default();
            let kind = head.lines().find(|line| line.to_lowercase().starts_with("x-amzn-errortype:"));
            let kind = kind.map(|line| format!("{line}\r\n")).unwrap_or_default();
            let answer = format!("{first}\r\n{kind}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).ok()?;
        }
    }
}

fn behind(port: u16, request: &[u8]) -> Option<(String, String)> {
    let mut moto = TcpStream::connect(("127.0.0.1", port)).ok()?;
    moto.write_all(request).ok()?;
    read(&mut moto)
}

/// Head and body of a message.
fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some((head, String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).unwrap()));
            }
        }
        let mut chunk = [0; 16_384];
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend(&chunk[..count]);
    }
}
