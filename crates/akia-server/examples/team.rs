//! Keeps the made-up team in a state folder, as `akia audit` would have kept a real one: `team FOLDER ACCOUNTS USERS`. Benchmarks
//! begin the server on it.

use std::error::Error;
use std::path::Path;

use akia_io::state::StateFolder;
use akia_io::store::SqlStore;
use akia_io::store::snapshots::Snapshots;
use akia_server::demo::{self, Size};
use jiff::Timestamp;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the number of keys is what it is asked for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, accounts, users] = arguments.as_slice() else { return Err("team FOLDER ACCOUNTS USERS".into()) };
    let (size, at) = (Size { accounts: accounts.parse()?, users: users.parse()? }, Timestamp::now());
    let state = StateFolder::open(Path::new(folder))?;
    let audits = Snapshots::open(&state).await?;
    let keys = demo::keep(&audits, size, at).await?;
    demo::expose(&audits, size, at).await?;
    demo::tell(&SqlStore::open(&state).await?, size, at).await?;
    println!("{keys}");
    Ok(())
}
