//! The sandbox over HTTP, for tools that are not this process: the AWS CLI, other SDKs, akia's own binary.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::service::{Reply, Request, Service};

/// The longest body that is read. IAM's longest parameter is a policy of some kilobytes.
const LONGEST_BODY: usize = 1 << 20;

/// Behind it stands the name of the user whose device's code is wanted.
const MFA_CODE_PATH: &str = "/_sandbox/mfa-code/";

/// A sandbox that listens. It stops at [`Server::shutdown`], or when this value and the runtime are gone.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<Infallible>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(service: Arc<Service>, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(service, listener, stopped));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `--endpoint-url`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening and breaks open connections off.
    pub async fn shutdown(self) {
        drop(self.stop);
        // The task ends by itself; a panic inside it was reported where it happened.
        let _ended = self.task.await;
    }
}

async fn accept(service: Arc<Service>, listener: TcpListener, mut stopped: oneshot::Receiver<Infallible>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The sender is only ever dropped.
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(talk(Arc::clone(&service), stream, peer));
                }
                Err(error) => tracing::warn!(%error, "a connection was not accepted"),
            },
        }
    }
    connections.shutdown().await;
}

async fn talk(service: Arc<Service>, stream: TcpStream, peer: SocketAddr) {
    let handler = service_fn(move |request| handle(Arc::clone(&service), request, peer));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), handler).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn handle(
    service: Arc<Service>,
    request: http::Request<Incoming>,
    peer: SocketAddr,
) -> Result<http::Response<Full<Bytes>>, NoAnswer> {
    let (parts, body) = request.into_parts();
    if let Some(user) = parts.uri.path().strip_prefix(MFA_CODE_PATH).filter(|_| parts.method == http::Method::GET) {
        return Ok(mfa_code(&service, user));
    }
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        let mut refusal = http::Response::new(Full::from("the body is too long or broke off\n"));
        *refusal.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(refusal);
    };
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
    });
    let request = Request {
        method: parts.method.to_string(),
        path_and_query: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        headers: headers.collect(),
        body: body.to_bytes(),
        source_ip: peer.ip().to_string(),
    };
    match service.answer(request).await {
        Reply::Nothing => Err(NoAnswer),
        Reply::Message { status, headers, body } => {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Full::new(body)).map_err(|_| NoAnswer)
        }
    }
}

/// The authenticator of a person who practises: not AWS's, and without a signature.
fn mfa_code(service: &Service, user: &str) -> http::Response<Full<Bytes>> {
    match service.mfa_code(|device| device.user.as_deref() == Some(user)) {
        Some(code) => http::Response::new(Full::from(format!("{code}\n"))),
        None => {
            let mut missing = http::Response::new(Full::from("no user of this name has an MFA device\n"));
            *missing.status_mut() = http::StatusCode::NOT_FOUND;
            missing
        }
    }
}

/// Makes hyper close the connection without a word.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a fault of the sandbox swallowed the answer")
    }
}

impl std::error::Error for NoAnswer {}
