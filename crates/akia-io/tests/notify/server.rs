//! A server that remembers requests and plays answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request that arrived whole.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Status, more header lines, body.
    Answer(u16, &'static str, String),
    /// Closes the connection without an answer.
    Cut,
    /// Half an answer.
    Half,
    /// No answer for longer than anybody waits.
    Silence,
}

impl Act {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Answer(200, "", body.to_owned())
    }
}

pub(crate) struct Server {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// `play` is asked for each request.
    pub(crate) async fn start(play: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (play, kept) = (Arc::new(play), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (play, seen) = (Arc::clone(&play), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, &*play, &seen).await });
            }
        });
        Self { address, seen }
    }

    pub(crate) async fn playing(act: Act) -> Self {
        Self::start(move |_| act.clone()).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    play: &(dyn Fn(&Seen) -> Act + Send + Sync),
    seen: &Mutex<Vec<Seen>>,
) -> Option<()> {
    loop {
        let request = read(&mut stream).await?;
        seen.lock().unwrap().push(request.clone());
        match play(&request) {
            Act::Cut => return None,
            Act::Half => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"half\"").await.ok()?;
                return None;
            }
            Act::Silence => tokio::time::sleep(std::time::Duration::from_secs(3_600)).await,
            Act::Answer(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                stream.write_all(head.as_bytes()).await.ok()?;
                stream.write_all(body.as_bytes()).await.ok()?;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ');
            let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).unwrap();
                return Some(Seen { method, path, headers, body });
            }
        }
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}
