//! A server that answers each request by what it asks: for callers that ask many things at the same time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    /// The operation of the query or JSON protocol, else the path without its query.
    pub(crate) fn operation(&self) -> &str {
        let target = self.head.lines().find_map(|line| line.strip_prefix("x-amz-target: "));
        let action = self.body.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
        let path = self.path.split('?').next().unwrap();
        target.and_then(|target| target.trim().rsplit('.').next()).or(action).unwrap_or(path)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// What the server says.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) after: Duration,
}

impl Said {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

type Script = dyn Fn(&Asked) -> Said + Send + Sync;

pub(crate) struct Scripted {
    pub(crate) url: url::Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let scripted = Self { url, asked: Arc::clone(&asked) };
        let script: Arc<Script> = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
                tokio::spawn(async move { serve(stream, &*script, &asked).await });
            }
        });
        scripted
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: &Script, asked: &Mutex<Vec<Asked>>) -> Option<()> {
    loop {
        let request = read(&mut stream).await?;
        asked.lock().unwrap().push(request.clone());
        let said = script(&request);
        tokio::time::sleep(said.after).await;
        let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", said.status, said.body.len());
        for (name, value) in &said.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        // In one go: in two, the second waits for the acknowledgement of the first.
        stream.write_all(&[head.as_bytes(), &said.body].concat()).await.ok()?;
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                let mut words = head.split(' ');
                let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
                return Some(Asked { method, path, head, body });
            }
        }
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}
