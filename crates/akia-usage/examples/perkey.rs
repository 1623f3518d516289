use akia_usage::*;
use std::sync::Arc;
#[derive(Debug)]
struct None_;
impl Stores for None_ {
    fn bucket(&self, _: &str) -> Result<Arc<dyn object_store::ObjectStore>, String> {
        Err("no".into())
    }
}
#[tokio::main(worker_threads = 2)]
async fn main() {
    let place_ = place(&std::env::args().nth(1).unwrap()).unwrap();
    let ctx = session(Arc::new(None_), 2).unwrap();
    let store = ctx.runtime_env().object_store_registry.get_store(&place_).unwrap();
    let t = std::time::Instant::now();
    let listing = list(&store, &place_, &Narrowing::default()).await.unwrap();
    eprintln!("{} files {:?}", listing.files.len(), t.elapsed());
    for (name, table) in [("calls", Table::Calls), ("events", Table::Events)] {
        let table = LogTable {
            table,
            files: Arc::new(listing.files.clone()),
            only: Only::default(),
            largest_file: 256 << 20,
            receipts: Some(Default::default()),
        };
        ctx.register_table(name, Arc::new(table)).unwrap();
    }
    let sql = std::env::args().nth(2).unwrap();
    let t = std::time::Instant::now();
    let out = ctx.sql(&sql).await.unwrap().collect().await.unwrap();
    let rows: usize = out.iter().map(|b| b.num_rows()).sum();
    eprintln!("{} rows {:?}", rows, t.elapsed());
    if rows < 60 {
        println!("{}", datafusion::arrow::util::pretty::pretty_format_batches(&out).unwrap());
    }
}
