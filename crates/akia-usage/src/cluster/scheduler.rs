//! The scheduler: takes questions, plans them, and shares the work out to executors.

use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::extension::SessionConfigExt;
use ballista_core::utils::default_session_builder;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;

use super::codec::{Scans, Tables};
use super::guard::Guard;
use super::{ClusterError, MESSAGE};
use crate::engine::Stores;

/// Seconds without a sign of life after which an executor is given up, and what it had is done by others.
const SILENCE: u64 = 20;
/// Seconds between looks at that.
const LOOK: u64 = 5;

/// A scheduler to be.
#[derive(Debug)]
pub struct Scheduler {
    /// Where it listens.
    pub listener: TcpListener,
    /// The host by which executors reach it, where that is not the address that it listens at.
    pub advertise: Option<String>,
    /// How it reads what it plans with: the facts, where a question asks for them beside logs.
    pub stores: Arc<dyn Stores>,
    /// Folders of which it reads files.
    pub folders: Vec<std::path::PathBuf>,
}

/// Runs a scheduler until it fails.
///
/// # Errors
///
/// When it cannot begin, or its listener fails.
pub async fn run(scheduler: Scheduler) -> Result<(), ClusterError> {
    let listens = |why| ClusterError::Listen { at: SocketAddr::from(([0, 0, 0, 0], 0)), why };
    let at = scheduler.listener.local_addr().map_err(listens)?;
    let guard: Arc<dyn ObjectStoreRegistry> = Arc::new(
        Guard::new(scheduler.stores, &scheduler.folders).map_err(|error| ClusterError::Ballista(error.to_string()))?,
    );
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(guard)
        .build_arc()
        .map_err(|error| ClusterError::Ballista(error.to_string()))?;
    let config = SchedulerConfig {
        // Executors call it back by this name.
        external_host: scheduler.advertise.unwrap_or_else(|| host(at)),
        bind_host: at.ip().to_string(),
        bind_port: at.port(),
        task_distribution: TaskDistributionPolicy::RoundRobin,
        grpc_server_max_decoding_message_size: MESSAGE,
        grpc_server_max_encoding_message_size: MESSAGE,
        grpc_client_max_message_size: MESSAGE,
        executor_timeout_seconds: SILENCE,
        expire_dead_executor_interval_seconds: LOOK,
        no_executors_grace_period_seconds: 2 * SILENCE,
        override_logical_codec: Some(Arc::new(Tables::default())),
        override_physical_codec: Some(Arc::new(Scans::default())),
        override_config_producer: Some(Arc::new(settings)),
        override_session_builder: Some(Arc::new(move |config| {
            let state = default_session_builder(config)?;
            Ok(SessionStateBuilder::new_from_existing(state).with_runtime_env(Arc::clone(&runtime)).build())
        })),
        ..SchedulerConfig::default()
    };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    let server = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config)).await?;
    Ok(start_grpc_service_with_listener(scheduler.listener, server).await?)
}

/// The settings of a node, before a question brings its own.
pub(super) fn settings() -> SessionConfig {
    let config = SessionConfig::new_with_ballista().with_ballista_grpc_client_max_message_size(MESSAGE as usize);
    config
        .with_ballista_logical_extension_codec(Arc::new(Tables::default()))
        .with_ballista_physical_extension_codec(Arc::new(Scans::default()))
}

/// An IP address as a host of a URL.
pub(super) fn host(at: SocketAddr) -> String {
    match at {
        SocketAddr::V4(at) => at.ip().to_string(),
        SocketAddr::V6(at) => format!("[{}]", at.ip()),
    }
}
