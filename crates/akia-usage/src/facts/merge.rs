//! Many small files of facts become few, so that questions stay quick.

use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use futures_util::TryStreamExt;
use jiff::Timestamp;

use super::home::{FactsError, FactsHome};
use super::load::FACTS;
use super::manifest::{Manifest, Part};
use super::write::PartWriter;

/// Files of about one size that are merged into one.
const MANY: usize = 8;

/// Merges files of facts, and of logs, as long as there are many of one size. Every fact is merged a few times at most, however
/// many loads there are. Nothing is lost when a load is quicker: the merged file then counts for nothing.
///
/// # Errors
///
/// When facts cannot be read or written.
pub async fn merge(context: &SessionContext, home: &FactsHome, now: Timestamp) -> Result<u64, FactsError> {
    let mut merged = 0;
    loop {
        let (number, manifest) = home.manifest().await?;
        let kinds: [(&str, &str, &Vec<Part>); 2] = [("facts", FACTS, &manifest.facts), ("logs", "*", &manifest.logs)];
        let Some((kind, columns, parts)) =
            kinds.into_iter().find_map(|(kind, columns, parts)| Some((kind, columns, of_one_size(parts)?)))
        else {
            return Ok(merged);
        };
        let only = match kind {
            "facts" => Manifest { facts: parts.clone(), ..Manifest::default() },
            _ => Manifest { logs: parts.clone(), ..Manifest::default() },
        };
        let context = in_one_part(context);
        super::question::register(&context, home, &only).await?;
        let question = match kind {
            "facts" => format!("SELECT {columns} FROM facts ORDER BY key NULLS FIRST, service, name"),
            _ => "SELECT * FROM logs".to_owned(),
        };
        let mut rows = context.sql(&question).await?.execute_stream().await?;
        let mut part = PartWriter::begin(home, kind, rows.schema())?;
        while let Some(batch) = rows.try_next().await? {
            part.write(&batch).await?;
        }
        let whole = part.end(home, now).await?;
        let mut next = manifest.clone();
        let list = if kind == "facts" { &mut next.facts } else { &mut next.logs };
        list.retain(|part| !parts.contains(part));
        list.extend(whole);
        if !home.commit(number + 1, &next).await? {
            return Ok(merged);
        }
        merged += parts.len() as u64;
    }
}

/// The same session, which sorts in one part: of several sorts at once the first to merge takes the memory that another has to begin
/// with.
fn in_one_part(context: &SessionContext) -> SessionContext {
    let state = context.state();
    let config = state.config().clone().with_target_partitions(1);
    SessionContext::new_with_state(SessionStateBuilder::new_from_existing(state).with_config(config).build())
}

/// The files of the smallest size of which there are many. Sizes are powers of eight.
fn of_one_size(parts: &[Part]) -> Option<Vec<Part>> {
    let size = |part: &Part| part.rows.max(1).ilog2() / 3;
    let mut sizes: Vec<u32> = parts.iter().map(size).collect();
    sizes.sort_unstable();
    let size_of_many = sizes.chunk_by(|one, other| one == other).find(|alike| alike.len() >= MANY)?.first().copied()?;
    Some(parts.iter().filter(|part| size(part) == size_of_many).cloned().collect())
}
