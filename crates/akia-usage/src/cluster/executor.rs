//! An executor: reads the logs that the scheduler tells it of, and keeps its part of an answer until it is fetched.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use tokio::net::TcpListener;

use super::client::executors;
use super::codec::{Scans, Tables};
use super::guard::Guard;
use super::scheduler::{host, settings};
use super::{Address, ClusterError, MESSAGE};
use crate::engine::Stores;

/// Seconds between signs of life.
const HEARTBEAT: u64 = 5;
/// How long it waits for a scheduler that is not there yet. Ballista's own wait never ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for it.
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds after which what nobody fetched is deleted.
const KEPT: u64 = 3_600;

/// An executor to be.
#[derive(Debug)]
pub struct Executor {
    /// Its scheduler.
    pub scheduler: Address,
    /// The address that it listens at, for the scheduler, other executors and who asks.
    pub bind: IpAddr,
    /// The two ports: for parts of answers, and for work.
    pub ports: [u16; 2],
    /// The host by which others reach it, where that is not the address that the scheduler sees.
    pub advertise: Option<String>,
    /// Logs that it reads at once.
    pub tasks: usize,
    /// Memory of groups and sorts, in bytes; what is over goes to disk.
    pub memory: u64,
    /// Where parts of answers are kept, and what is spilled.
    pub work: PathBuf,
    /// How it reads buckets.
    pub stores: Arc<dyn Stores>,
    /// Folders of which it reads files.
    pub folders: Vec<PathBuf>,
}

/// Runs an executor until it is told to end.
///
/// # Errors
///
/// When a port is taken, no scheduler answers, or it fails.
pub async fn run(executor: Executor) -> Result<(), ClusterError> {
    for port in executor.ports {
        // Ballista binds them itself, and says little where it cannot.
        let at = SocketAddr::new(executor.bind, port);
        drop(TcpListener::bind(at).await.map_err(|why| ClusterError::Listen { at, why })?);
    }
    wait_for(&executor.scheduler).await?;
    let failed = |error: &dyn std::fmt::Display| ClusterError::Ballista(error.to_string());
    let guard: Arc<dyn ObjectStoreRegistry> =
        Arc::new(Guard::new(executor.stores, &executor.folders).map_err(|error| failed(&error))?);
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(guard)
        .with_temp_file_path(&executor.work)
        .build_arc()
        .map_err(|error| failed(&error))?;
    let [port, grpc_port] = executor.ports;
    let config = ExecutorProcessConfig {
        bind_host: host(SocketAddr::new(executor.bind, port)),
        external_host: executor.advertise,
        port,
        grpc_port,
        scheduler_host: executor.scheduler.host.clone(),
        scheduler_port: executor.scheduler.port,
        vcores: executor.tasks,
        work_dir: Some(executor.work.to_string_lossy().into_owned()),
        job_data_ttl_seconds: KEPT,
        job_data_clean_up_interval_seconds: KEPT,
        grpc_max_decoding_message_size: MESSAGE,
        grpc_max_encoding_message_size: MESSAGE,
        executor_heartbeat_interval_seconds: HEARTBEAT,
        memory_pool_size: Some(executor.memory),
        override_runtime_producer: Some(Arc::new(move |_| Ok(Arc::clone(&runtime)))),
        override_config_producer: Some(Arc::new(settings)),
        override_logical_codec: Some(Arc::new(Tables::default())),
        override_physical_codec: Some(Arc::new(Scans::default())),
        ..ExecutorProcessConfig::default()
    };
    Ok(start_executor_process(Arc::new(config)).await?)
}

async fn wait_for(scheduler: &Address) -> Result<(), ClusterError> {
    let begun = Instant::now();
    loop {
        match executors(scheduler).await {
            Ok(_) | Err(ClusterError::NoExecutors { .. }) => return Ok(()),
            Err(ClusterError::NoScheduler { .. }) if begun.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}
