//! The server itself: its address, its routes, and what every answer has in common.

use std::net::SocketAddr;
use std::sync::Arc;

use akia_core::enforce::EnforcePolicy;
use akia_core::rule::AuditSettings;
use akia_io::clock::Clock;
use akia_io::enforce::StopFile;
use akia_io::state::StateFolder;
use axum::Router;
use axum::middleware;
use tokio::net::TcpListener;

use crate::access::{self, Access};
use crate::estate::Estate;
use crate::record::Records;
use crate::schedule::{Job, Plans, Runs};
use crate::switch::Switch;
use crate::{Database, api, guard, metrics, page};

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
    /// What runs, and has run.
    pub runs: Runs,
    /// Plans of enforcement, for people to approve.
    pub plans: Plans,
    /// The kill switch of enforcement.
    pub switch: Switch,
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
            runs: Runs::new(database.clone()),
            plans: Plans::new(database.clone()),
            switch: Switch::new(database.clone(), StopFile::of(state)),
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

/// Every route, with what guards it: the outermost layer is the last.
pub fn router(shared: Shared) -> Router {
    let inside = page::routes().merge(api::routes()).merge(metrics::routes());
    let inside = inside.layer(middleware::from_fn_with_state(shared.clone(), access::require_login));
    Router::new()
        .merge(inside)
        .merge(access::routes())
        .merge(page::assets())
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
) -> std::io::Result<()> {
    let service = router(shared).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}
