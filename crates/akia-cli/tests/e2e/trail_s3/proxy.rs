//! A proxy in front of a backend that answers, the first time that something is asked for, as S3 does on a bad day.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What befalls a request. The same request sent again is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// 503, as S3 asks for fewer requests.
    SlowDown,
    /// 500.
    InternalError,
    /// The connection ends before there is an answer.
    Unanswered,
    /// The connection ends in the middle of the answer.
    CutOff,
    /// None.
    Fine,
}

const IN_TURN: [Fault; 5] = [Fault::SlowDown, Fault::InternalError, Fault::Unanswered, Fault::CutOff, Fault::Fine];

/// It lives as long as the test process.
pub(super) struct Proxy {
    pub(super) url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: HashSet<String>,
    faults: BTreeMap<Fault, u64>,
    answered: u64,
}

impl Proxy {
    /// In front of a server of this machine. Without faults it only counts.
    pub(super) fn before(endpoint: &str, has_faults: bool) -> Proxy {
        let backend = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (backend, seen) = (backend.clone(), Arc::clone(&shared));
                // Whoever was killed or cut off is no longer there to be answered.
                std::thread::spawn(move || drop(pass(client, &backend, has_faults, &seen)));
            }
        });
        Proxy { url, seen }
    }

    /// How often each fault befell a request.
    pub(super) fn faults(&self) -> BTreeMap<Fault, u64> {
        self.seen.lock().unwrap().faults.clone()
    }

    /// How many requests were answered by the backend.
    pub(super) fn answered(&self) -> u64 {
        self.seen.lock().unwrap().answered
    }
}

/// One request of a connection, and its end.
fn pass(mut client: TcpStream, backend: &str, has_faults: bool, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 16 << 10];
    let head = loop {
        if let Some(at) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            break at;
        }
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..read]);
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let length = text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let end = head + 4 + length.unwrap_or(0_usize);
    while request.len() < end {
        let read = client.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..read]);
    }
    let (line, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    let fault = {
        let mut seen = seen.lock().unwrap();
        let is_new = seen.requests.insert(line.to_owned());
        let fault = if has_faults && is_new { IN_TURN[seen.requests.len() % IN_TURN.len()] } else { Fault::Fine };
        *seen.faults.entry(fault).or_default() += 1;
        fault
    };
    let refused = |status: &str, code: &str| {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Please try again.</Message></Error>");
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    let answer = match fault {
        Fault::SlowDown => refused("503 Slow Down", "SlowDown").into_bytes(),
        Fault::InternalError => refused("500 Internal Server Error", "InternalError").into_bytes(),
        Fault::Unanswered => Vec::new(),
        Fault::CutOff | Fault::Fine => {
            let mut server = TcpStream::connect(backend)?;
            // Not among what is signed.
            server.write_all(format!("{line}\r\nConnection: close\r\n{rest}\r\n\r\n").as_bytes())?;
            server.write_all(&request[head + 4..end])?;
            let mut answer = Vec::new();
            server.read_to_end(&mut answer)?;
            answer
        }
    };
    if fault == Fault::Fine {
        seen.lock().unwrap().answered += 1;
    }
    let end = if fault == Fault::CutOff { answer.len().saturating_sub(40) } else { answer.len() };
    client.write_all(&answer[..end])?;
    client.shutdown(Shutdown::Both)
}
