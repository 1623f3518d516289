//! A session that asks a cluster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ballista::extension::SessionStateExt;
use ballista_core::config::{
    BALLISTA_CLIENT_GRPC_TIMEOUT_SECONDS, BALLISTA_SHUFFLE_SORT_BASED_MEMORY_LIMIT_PER_TASK_BYTES,
};
use ballista_core::extension::SessionConfigExt;
use ballista_core::planner::BallistaQueryPlanner;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionContext;
use datafusion_proto::protobuf::LogicalPlanNode;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::codec::{Scans, Tables};
use super::{Address, ClusterError, MESSAGE};
use crate::engine::{self, Stores};
use crate::table::LogTable;

/// Parts that rows are brought together in, by what they are grouped by: more than most clusters have executors, for the parts of one that
/// is lost are done again.
const PARTS: usize = 16;
/// How long a scheduler may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that planning may take.
const PLANNING: usize = 600;
/// Rows that a task keeps in memory until they are written for others, in bytes.
const BUFFERED: u64 = 64 << 20;
/// The most that is read of what something else answers.
const ANSWER: usize = 4 << 10;

/// A session whose questions about logs a cluster answers. What asks the facts alone is answered here: it takes milliseconds.
///
/// # Errors
///
/// When the folder for what is spilled cannot be made.
pub fn session(stores: Arc<dyn Stores>, scheduler: &Address) -> Result<SessionContext> {
    let state = engine::session(stores, PARTS)?.state();
    let at = format!("http://{scheduler}");
    let codec = Arc::new(Tables::default());
    let config = state
        .config()
        .clone()
        .upgrade_for_ballista()
        .with_ballista_grpc_client_max_message_size(MESSAGE as usize)
        .set_usize(BALLISTA_CLIENT_GRPC_TIMEOUT_SECONDS, PLANNING)
        .set_u64(BALLISTA_SHUFFLE_SORT_BASED_MEMORY_LIMIT_PER_TASK_BYTES, BUFFERED)
        .with_ballista_logical_extension_codec(Arc::clone(&codec) as _)
        .with_ballista_physical_extension_codec(Arc::new(Scans::default()));
    let there = BallistaQueryPlanner::with_extension(at.clone(), config.ballista_config(), codec);
    let planner = Planner { there, here: DefaultPhysicalPlanner::default() };
    let config = config.with_ballista_query_planner(Arc::new(planner));
    let state = SessionStateBuilder::new_from_existing(state).with_config(config).build().upgrade_for_ballista(at)?;
    Ok(SessionContext::new_with_state(state))
}

/// How many executors a scheduler has.
///
/// # Errors
///
/// When it does not answer, or has none.
pub async fn executors(at: &Address) -> std::result::Result<usize, ClusterError> {
    let asked = tokio::time::timeout(PATIENCE, ask(at)).await;
    let (status, answer) = asked.unwrap_or_else(|_| {
        Err(ClusterError::NoScheduler { at: at.clone(), why: format!("no answer in {} s", PATIENCE.as_secs()) })
    })?;
    let number = answer.strip_prefix("ready: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    match (status.as_u16(), number) {
        (200, Some(number)) => Ok(number),
        (503, None) if answer.contains("executors") => Err(ClusterError::NoExecutors { at: at.clone() }),
        _ => Err(ClusterError::NotOurs { at: at.clone(), why: format!("it answers {status}") }),
    }
}

/// Asks the scheduler whether it is ready: it tells so over plain HTTP.
async fn ask(at: &Address) -> std::result::Result<(hyper::StatusCode, String), ClusterError> {
    let absent = |error: std::io::Error| ClusterError::NoScheduler { at: at.clone(), why: error.to_string() };
    let other = |why: String| ClusterError::NotOurs { at: at.clone(), why };
    let stream = TcpStream::connect((at.host.trim_matches(['[', ']']), at.port)).await.map_err(absent)?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| other(error.to_string()))?;
    let connection = tokio::spawn(connection);
    let request =
        hyper::Request::get("/readyz").header(hyper::header::HOST, at.to_string()).body(Empty::<bytes::Bytes>::new());
    let answer = sender.send_request(request.map_err(|error| other(error.to_string()))?).await;
    let answer = answer.map_err(|error| other(error.to_string()))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER).collect().await.map_err(|error| other(error.to_string()))?;
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

/// Sends what reads logs to the cluster.
struct Planner {
    there: BallistaQueryPlanner<LogicalPlanNode>,
    here: DefaultPhysicalPlanner,
}

impl fmt::Debug for Planner {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Planner").field("there", &self.there).finish_non_exhaustive()
    }
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        if reads_logs(plan)? {
            self.there.create_physical_plan(plan, session).await
        } else {
            self.here.create_physical_plan(plan, session).await
        }
    }
}

fn reads_logs(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found |= source_as_provider(&scan.source).is_ok_and(|table| table.is::<LogTable>());
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
