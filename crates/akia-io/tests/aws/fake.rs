//! A server of our own that answers badly: for faults that no well-behaved HTTP server can produce.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a connection or request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Closes right after accepting, before any request is read.
    CloseUnread,
    /// Reads the whole request, then closes without an answer.
    CloseUnanswered,
    /// Answers with these bytes and closes.
    Raw(Vec<u8>),
    /// Answers a byte at a time, in chunked encoding.
    Trickle(&'static str),
    /// Never answers.
    Hang,
    /// Answers without end.
    Endless,
    /// A well-formed answer.
    Answer(u16, String),
    /// A well-formed answer with one more header.
    AnswerWith(u16, &'static str, String),
}

pub(crate) struct Fake {
    pub(crate) url: url::Url,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    seen: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Fake {
    /// Plays `acts`, one a request (or connection, where it is closed unread); the last one over and over.
    pub(crate) async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let acts = Arc::new(acts);
        let turn = Arc::new(AtomicUsize::new(0));
        let fake = Self { url, requests: requests.clone(), connections: connections.clone(), seen: seen.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (acts, turn, requests, seen) = (acts.clone(), turn.clone(), requests.clone(), seen.clone());
                tokio::spawn(async move { serve(stream, &acts, &turn, &requests, &seen).await });
            }
        });
        fake
    }

    /// Requests that arrived whole.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests as they arrived: head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    acts: &[Act],
    turn: &AtomicUsize,
    requests: &AtomicUsize,
    seen: &std::sync::Mutex<Vec<String>>,
) -> Option<()> {
    loop {
        let next = |turn: usize| acts[turn.min(acts.len() - 1)].clone();
        if matches!(next(turn.load(Ordering::SeqCst)), Act::CloseUnread) {
            turn.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        let request = read_request(&mut stream).await?;
        requests.fetch_add(1, Ordering::SeqCst);
        seen.lock().unwrap().push(request);
        match next(turn.fetch_add(1, Ordering::SeqCst)) {
            Act::CloseUnread | Act::CloseUnanswered => return None,
            Act::Raw(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                return None;
            }
            Act::Trickle(body) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
                for byte in body.bytes() {
                    stream.write_all(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']).await.ok()?;
                    stream.flush().await.ok()?;
                    tokio::task::yield_now().await;
                }
                stream.write_all(b"0\r\n\r\n").await.ok()?;
            }
            Act::Hang => {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            Act::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
                let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await.ok()?;
                }
            }
            Act::Answer(status, body) => answer(&mut stream, status, "x-fake: 1", &body).await?,
            Act::AnswerWith(status, header, body) => answer(&mut stream, status, header, &body).await?,
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, header: &str, body: &str) -> Option<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{header}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(text);
            }
        }
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// An error in the shape of IAM and STS.
pub(crate) fn error_xml(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

/// The answer of `CreateAccessKey`.
pub(crate) fn created_xml(id: &str, secret: &str) -> String {
    format!(
        "<CreateAccessKeyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateAccessKeyResult><AccessKey>\
         <UserName>ann</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
         <SecretAccessKey>{secret}</SecretAccessKey><CreateDate>2026-03-01T10:00:00Z</CreateDate>\
         </AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>"
    )
}

/// One page of `ListAccessKeys`.
pub(crate) fn page_xml(ids: &[&str], marker: Option<&str>) -> String {
    let members: String = ids
        .iter()
        .map(|id| {
            format!(
                "<member><UserName>ann</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
                 <CreateDate>2026-03-01T10:00:00Z</CreateDate></member>"
            )
        })
        .collect();
    let more = marker.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |marker| {
        format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>")
    });
    format!(
        "<ListAccessKeysResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListAccessKeysResult>\
         <AccessKeyMetadata>{members}</AccessKeyMetadata>{more}</ListAccessKeysResult></ListAccessKeysResponse>"
    )
}

/// The answer of `GetSessionToken` or `AssumeRole`.
pub(crate) fn session_xml(operation: &str, id: &str) -> String {
    format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result><Credentials>\
         <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>session+secret</SecretAccessKey>\
         <SessionToken>token-of-{id}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         </{operation}Result></{operation}Response>"
    )
}
