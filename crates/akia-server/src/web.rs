//! The server itself: its routes, its listener, and the limits of what a connection may cost.
//!
//! Invariant: every route stands in one list with the door that it is behind, and the router is made of that list, so that no route
//! is without one.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use akia_core::enforce::EnforcePolicy;
use akia_core::rule::AuditSettings;
use akia_core::settings::ServiceSettings;
use akia_io::clock::Clock;
use akia_io::enforce::{GrantedFile, StopFile};
use akia_io::state::StateFolder;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::{self, Access, Door};
use crate::estate::Estate;
use crate::granted::Grants;
use crate::record::Records;
use crate::schedule::{Job, Plans, Runs};
use crate::switch::Switch;
use crate::tls::Tls;
use crate::{Database, api, guard, metrics, page};

/// Connections at once; the others wait in the system's queue.
const MOST_CONNECTIONS: usize = 512;
/// Bytes of a request's line and headers.
const LONGEST_HEAD: usize = 16 * 1024;
/// Headers of a request.
const MOST_HEADERS: usize = 64;
/// How long an answer may take to be made.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// How patient the server is; tests are less so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the first byte that may come to the last of a request's headers, and for a handshake of TLS.
    pub head: Duration,
    /// For a connection as a whole: whoever reads an answer byte by byte is cut off.
    pub connection: Duration,
    /// For what has begun when the server ends.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), connection: Duration::from_secs(15 * 60), end: Duration::from_secs(10) }
    }
}

/// What requests are answered from.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Parts>);

/// The parts of [`Shared`].
#[derive(Debug)]
pub struct Parts {
    /// The server's tables.
    pub database: Database,
    /// The estate.
    pub estate: Estate,
    /// What the journal tells.
    pub records: Records,
    /// What the team has agreed on for keys that break a rule, where it has.
    pub enforce: Option<EnforcePolicy>,
    /// Who may come in.
    pub access: Access,
    /// The jobs of the settings.
    pub jobs: Arc<Vec<Job>>,
    /// The services of the settings.
    pub services: Arc<Vec<ServiceSettings>>,
    /// What runs, and has run.
    pub runs: Runs,
    /// Plans of enforcement, for people to approve.
    pub plans: Plans,
    /// The kill switch of enforcement.
    pub switch: Switch,
    /// Exemptions that were granted on the pages.
    pub grants: Grants,
    /// What an audit expects.
    pub settings: AuditSettings,
    /// Names that this server answers to in `Host`, with the port where it is not the scheme's own.
    pub hosts: Vec<String>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Parts {
    /// Over these tables, with the settings that hold where nothing is written down.
    #[must_use]
    pub fn new(
        database: Database,
        state: &StateFolder,
        access: Access,
        hosts: Vec<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            estate: Estate::new(database.clone()),
            records: Records::new(database.clone()),
            enforce: None,
            access,
            jobs: Arc::default(),
            services: Arc::default(),
            runs: Runs::new(database.clone()),
            plans: Plans::new(database.clone()),
            switch: Switch::new(database.clone(), StopFile::of(state)),
            grants: Grants::new(database.clone(), GrantedFile::of(state)),
            settings: AuditSettings::default(),
            database,
            hosts,
            clock,
        }
    }
}

impl std::ops::Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Shared {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Now, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.now().as_second()
    }
}

/// A route, and the door that it is behind.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    door: Door,
    handler: MethodRouter<Shared>,
}

impl Route {
    /// What is shown at a path.
    pub(crate) fn get<H: Handler<T, Shared>, T: 'static>(path: &'static str, door: Door, handler: H) -> Self {
        Self { method: Method::GET, path, door, handler: get(handler) }
    }

    /// What is changed there.
    pub(crate) fn post<H: Handler<T, Shared>, T: 'static>(path: &'static str, door: Door, handler: H) -> Self {
        Self { method: Method::POST, path, door, handler: post(handler) }
    }
}

/// The one list of what this server answers.
fn all() -> Vec<Route> {
    [page::routes(), api::routes(), metrics::routes(), access::routes(), page::assets()].into_iter().flatten().collect()
}

/// Method, path and door of every route.
#[must_use]
pub fn routes() -> Vec<(Method, &'static str, Door)> {
    all().into_iter().map(|route| (route.method, route.path, route.door)).collect()
}

/// The router of all routes; what guards them all is the outermost layer.
pub fn router(shared: Shared) -> Router {
    router_of(all(), shared)
}

fn router_of(routes: Vec<Route>, shared: Shared) -> Router {
    let mut router = Router::new();
    for Route { path, door, handler, .. } in routes {
        let enter = middleware::from_fn_with_state((shared.clone(), door), access::enter);
        router = router.route(path, handler.layer(enter));
    }
    router
        .fallback(page::not_found)
        .layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .merge(metrics::health())
        .with_state(shared)
}

/// Answers until `stop` is ready, and then ends what it has begun.
///
/// # Errors
/// When the system takes the listener away.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_with(listener, shared, None, Patience::default(), stop).await
}

/// The same, through TLS where there is a certificate.
///
/// # Errors
/// When the system takes the listener away.
pub async fn serve_with(
    listener: TcpListener,
    shared: Shared,
    tls: Option<Tls>,
    patience: Patience,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let router = router(shared);
    let graceful = Arc::new(GracefulShutdown::new());
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            // Too many open files, or a client that is gone already: neither ends the server.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, tls) = (router.clone(), tls.as_ref().map(Tls::acceptor));
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let _permit = permit;
            let _ = stream.set_nodelay(true);
            match tls {
                None => connection(TokioIo::new(stream), router, peer, patience, watcher).await,
                Some(acceptor) => match tokio::time::timeout(patience.head, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => connection(TokioIo::new(stream), router, peer, patience, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                    Err(_) => tracing::debug!("a handshake took too long"),
                },
            }
        });
    }
    drop(listener);
    if let Some(graceful) = Arc::into_inner(graceful) {
        let ended = tokio::time::timeout(patience.end, graceful.shutdown()).await;
        if ended.is_err() {
            tracing::warn!("some connections were cut off");
        }
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// HTTP/1 alone: a page needs no more, and HTTP/2 has ways of its own to make a server work.
async fn connection<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: TokioIo<I>,
    router: Router,
    peer: SocketAddr,
    patience: Patience,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(MOST_HEADERS)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(4 * LONGEST_HEAD);
    let served = watcher.watch(builder.serve_connection(io, service));
    match tokio::time::timeout(patience.connection, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended"),
        Err(_) => tracing::debug!("a connection was open for too long"),
    }
}

async fn answer(router: Router, request: Request) -> Response {
    use tower::Service as _;
    let mut router = router;
    match tokio::time::timeout(ANSWER_PATIENCE, router.call(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => page::failed(&"it took too long"),
    }
}

#[cfg(test)]
mod tests {
    use akia_io::clock::SystemClock;
    use axum::http::{StatusCode, header};

    use super::*;
    use crate::access::{Change, Nothing};
    use crate::database::tests::scratch;
    use crate::sight::{Person, Role};

    async fn changed(_: Change<Nothing>) -> &'static str {
        "changed"
    }

    #[tokio::test]
    async fn a_door_is_for_its_role_and_those_above() {
        let (folder, database) = scratch().await;
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let access = Access::new(database.clone(), false);
        let hosts = vec!["akia.example.com".to_owned()];
        let shared = Shared::new(Parts::new(database, &state, access, hosts, Arc::new(SystemClock)));
        for least in Role::ALL {
            for role in Role::ALL {
                let person = Person { name: "ana".to_owned(), role, units: Vec::new() };
                let link = shared.access.link(&person, shared.now()).await.unwrap();
                let link = link.path.split_once('=').unwrap().1.to_owned();
                let cookie = shared.access.follow(&link, shared.now()).await.unwrap().unwrap();
                let router = router_of(vec![Route::get("/x", Door::From(least), || async { "seen" })], shared.clone());
                let request = Request::builder().uri("/x").header(header::HOST, "akia.example.com");
                let request = request.header(header::COOKIE, cookie.split(';').next().unwrap());
                let status = answer(router, request.body(Body::empty()).unwrap()).await.status();
                let expected = if role >= least { StatusCode::OK } else { StatusCode::FORBIDDEN };
                assert_eq!(status, expected, "{role} at the door of {least}");
                let router = router_of(vec![Route::post("/x", Door::From(least), changed)], shared.clone());
                let request = Request::post("/x").header(header::HOST, "akia.example.com");
                let request = request.header(header::COOKIE, cookie.split(';').next().unwrap());
                let status = answer(router, request.body(Body::empty()).unwrap()).await.status();
                assert_eq!(status, StatusCode::FORBIDDEN, "without the key of a form {role} changes nothing");
            }
        }
    }
}
