//! `akia store`: the journal, the kept audits and the outbox as a whole, out of one database and into another.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use akia_io::store::transfer::{self, Counts, TransferError};
use akia_io::store::{Head, Home, SqlStore, Store as _};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report};
use crate::workbench;

/// Look over the journal, the kept audits and the outbox, or move them to another database
///
/// They are SQLite files in the state folder, or the tables of one PostgreSQL server where AKIA_DATABASE names one. `export` writes all
/// of them into a file, out of either, and `import` reads it into either, as long as that is empty. docs/database.md tells of both.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia store check", "what there is, and whether it is whole"),
    ("akia store export akia.jsonl", "a backup, or the first half of a move"),
    ("AKIA_DATABASE=postgres://akia@db.example/akia akia store import akia.jsonl", "the second half"),
]))]
pub struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: StoreVerb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum StoreVerb {
    /// Write everything into a new file
    ///
    /// JSON Lines, with mode 0600. Staged secrets stay sealed: without the sealing key nobody opens them. Keep that key elsewhere.
    #[command(after_long_help = super::examples(&[
        ("akia store export akia.jsonl", "of the state folder, or of the server of AKIA_DATABASE"),
    ]))]
    Export(FileArgs),
    /// Read what was exported into stores that hold nothing
    ///
    /// The chain of the journal is recomputed before anything is written. For staged secrets the sealing key has to come along:
    /// seal.key of the old state folder becomes the file of AKIA_SEALING_KEY_FILE.
    #[command(after_long_help = super::examples(&[
        ("AKIA_STATE_DIR=/srv/akia akia store import akia.jsonl", "into a new state folder"),
    ]))]
    Import(FileArgs),
    /// Recompute the chain of the journal, and count what there is
    #[command(after_long_help = super::examples(&[
        ("akia store check --output json", "for a monitor"),
    ]))]
    Check,
}

/// Which file.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a store cannot be read, or the one to fill is not empty.
pub(crate) async fn run(context: &Context, args: StoreArgs) -> Result<Exit, CommandError> {
    match args.act {
        StoreVerb::Export(FileArgs { file }) => export(context, &file).await,
        StoreVerb::Import(FileArgs { file }) => import(context, &file).await,
        StoreVerb::Check => {
            let home = workbench::existing_home(context)?.ok_or_else(nothing)?;
            let counts = transfer::count(&home).await.map_err(|error| failed(&error))?;
            let head = head(&home).await?;
            report(context, "store-check", &counts, head, "the stores are whole")
        }
    }
}

async fn export(context: &Context, file: &Path) -> Result<Exit, CommandError> {
    let home = workbench::existing_home(context)?.ok_or_else(nothing)?;
    // Nobody wants a backup of a journal that was tampered with to stand for the whole one.
    let head = head(&home).await?;
    let cannot = |error: std::io::Error| {
        CommandError::failed(format_args!("{} cannot be written: {error}", file.display())).next("name a new file")
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(file).map_err(cannot)?;
    let mut out = BufWriter::new(opened);
    let counts = transfer::export(&home, &mut out).await.map_err(|error| failed(&error))?;
    out.flush().map_err(cannot)?;
    out.get_ref().sync_all().map_err(cannot)?;
    report(context, "store-export", &counts, head, &format!("written into {}", file.display()))
}

async fn import(context: &Context, file: &Path) -> Result<Exit, CommandError> {
    let opened = File::open(file)
        .map_err(|error| CommandError::failed(format_args!("{} cannot be read: {error}", file.display())))?;
    let home = workbench::home(context)?;
    let counts = transfer::import(&home, &mut BufReader::new(opened)).await.map_err(|error| failed(&error))?;
    let head = head(&home).await?;
    report(context, "store-import", &counts, head, "read in, and the chain of the journal is whole")
}

/// The head of the journal, which must be whole.
async fn head(home: &Home) -> Result<Head, CommandError> {
    let unusable = |error: akia_io::store::StoreError| {
        CommandError::failed(format_args!("the journal: {error}")).next(error.hint())
    };
    match SqlStore::open_existing(home).await.map_err(unusable)? {
        Some(store) => store.verify(Vec::new()).await.map_err(unusable),
        None => Ok(Head::EMPTY),
    }
}

fn report(
    context: &Context,
    name: &'static str,
    counts: &Counts,
    head: Head,
    words: &str,
) -> Result<Exit, CommandError> {
    let mut report = Report::new(name, "tables", vec![Column::whole("table", "TABLE"), Column::whole("rows", "ROWS")]);
    report.fact("hash", head.hash.to_string());
    for (table, rows) in counts {
        report.push(vec![Cell::text(table), Cell::count(*rows)]);
    }
    context.say(&format!("{words}; hash of the journal's head: {}", head.hash));
    context.print(&report)?;
    Ok(Exit::Done)
}

fn nothing() -> CommandError {
    CommandError::failed("there are no stores on this machine").next("akia status")
}

fn failed(error: &TransferError) -> CommandError {
    let refused = CommandError::failed(error);
    match error {
        TransferError::Store(error) => refused.next(error.hint()),
        TransferError::NotEmpty { .. } => refused
            .now("nothing was changed")
            .next("import into a new state folder (AKIA_STATE_DIR) or a new database (AKIA_DATABASE)"),
        TransferError::Malformed { .. } => refused.next("export again"),
        TransferError::Newer { .. } => refused.next("use the newer akia"),
        TransferError::Io(_) => refused.next("mend that, then run the same command again"),
    }
}
