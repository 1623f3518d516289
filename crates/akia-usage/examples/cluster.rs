//! A cluster to measure: `scheduler PORT`, `executor SCHEDULER-PORT PORT FOLDER`, `ask SCHEDULER-PORT FOLDER SQL`, and `here FOLDER SQL`
//! for one process.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool to measure with"
)]

use std::sync::Arc;
use std::time::Instant;

use akia_usage::cluster::{self, Address, Executor, Scheduler};
use akia_usage::{LogTable, Narrowing, Only, Parts, Stores, Table, list, place};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

#[derive(Debug)]
struct NoBuckets;

impl Stores for NoBuckets {
    fn bucket(&self, name: &str) -> Result<Arc<dyn object_store::ObjectStore>, String> {
        Err(format!("no bucket {name} here"))
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let port = |text: &str| text.parse::<u16>().expect("a port");
    let at = |text: &str| Address { host: "127.0.0.1".to_owned(), port: port(text) };
    let stores = Arc::new(NoBuckets);
    match args[..] {
        ["scheduler", to] => {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port(to))).await.unwrap();
            cluster::scheduler(Scheduler { listener, advertise: None, stores, folders: Vec::new() }).await.unwrap();
        }
        ["executor", scheduler, to, folder] => {
            let work = tempfile::tempdir().unwrap();
            let executor = Executor {
                scheduler: at(scheduler),
                bind: "127.0.0.1".parse().unwrap(),
                ports: [port(to), port(to) + 1],
                advertise: None,
                tasks: 1,
                memory: 128 << 20,
                work: work.path().to_owned(),
                stores,
                folders: vec![folder.into()],
            };
            cluster::executor(executor).await.unwrap();
        }
        ["ask", scheduler, folder, question] => {
            cluster::executors(&at(scheduler)).await.unwrap();
            ask(&cluster::session(stores, &at(scheduler)).unwrap(), folder, question).await;
        }
        ["here", folder, question] => ask(&akia_usage::session(stores, 2).unwrap(), folder, question).await,
        _ => panic!("see the head of this file"),
    }
}

async fn ask(context: &SessionContext, folder: &str, question: &str) {
    let folder = place(folder).unwrap();
    let store = context.runtime_env().object_store_registry.get_store(&folder).unwrap();
    let listing = list(&store, &folder, &Narrowing::default()).await.unwrap();
    let files = Arc::new(listing.files);
    for (name, table) in [("calls", Table::Calls), ("events", Table::Events)] {
        let files = Arc::clone(&files);
        let logs = LogTable {
            table,
            files,
            only: Only::default(),
            largest_file: 256 << 20,
            receipts: None,
            parts: Parts::default(),
        };
        context.register_table(name, Arc::new(logs)).unwrap();
    }
    let begun = Instant::now();
    let answer = context.sql(question).await.unwrap().collect().await.unwrap();
    let rows: usize = answer.iter().map(datafusion::arrow::array::RecordBatch::num_rows).sum();
    eprintln!("{} logs, {rows} rows in {:.2} s", files.len(), begun.elapsed().as_secs_f64());
    println!("{}", pretty_format_batches(&answer).unwrap());
}
