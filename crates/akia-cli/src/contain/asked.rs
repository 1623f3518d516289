//! Which keys: those of the command line, and the real ones of a scan, each once.

use std::io::Read as _;
use std::path::Path;

use akia_core::AccessKeyId;
use akia_core::leak::{Kind, Leak, SCHEMA, ScanReport};
use jiff::Timestamp;

use crate::commands::contain::ContainArgs;
use crate::error::CommandError;

/// No report of a scan is larger.
const LARGEST: u64 = 256 * 1024 * 1024;

/// A key that is to be contained.
pub(super) struct Wanted {
    /// Its id.
    pub(super) key: AccessKeyId,
    /// What the scan says of it.
    pub(super) leaks: Vec<Leak>,
    /// When it was first seen where it must not be, or as a person says.
    pub(super) leaked_at: Option<Timestamp>,
}

/// The keys.
///
/// # Errors
/// When the report cannot be read.
pub(super) fn keys(args: &ContainArgs) -> Result<Vec<Wanted>, CommandError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut add = |key: AccessKeyId, leak: Option<Leak>| {
        let at = match wanted.iter().position(|one| one.key == key) {
            Some(at) => at,
            None => {
                wanted.push(Wanted { key, leaks: Vec::new(), leaked_at: args.since });
                wanted.len() - 1
            }
        };
        if let (Some(one), Some(leak)) = (wanted.get_mut(at), leak) {
            let seen = leak.places.iter().filter_map(|place| place.place.git.as_ref()?.first_seen).min();
            one.leaked_at = args.since.or_else(|| one.leaked_at.into_iter().chain(seen).min());
            one.leaks.push(leak);
        }
    };
    for key in &args.keys {
        add(key.clone(), None);
    }
    if let Some(path) = &args.from_scan {
        for leak in real(read(path)?) {
            if let Some(key) = leak.access_key_id.clone() {
                add(key, Some(leak));
            }
        }
    }
    Ok(wanted)
}

/// Keys that sign calls of AWS and count: no examples, no traps, none that the baseline knows.
fn real(report: ScanReport) -> Vec<Leak> {
    let is_key = |kind| match kind {
        Kind::LongTerm | Kind::Temporary => true,
        Kind::Bearer | Kind::ContextSpecific | Kind::BedrockApiKey | Kind::SecretOnly => false,
    };
    report.leaks.into_iter().filter(|leak| leak.counts() && is_key(leak.kind)).collect()
}

fn read(path: &Path) -> Result<ScanReport, CommandError> {
    let unreadable = |why: String| {
        CommandError::usage(format_args!("{} is no report of akia scan: {why}", path.display()))
            .now("nothing was changed")
            .next("akia scan … --output json > findings.json")
    };
    let mut text = String::new();
    let source: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?)
    };
    source.take(LARGEST).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    let report: ScanReport = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if report.schema != SCHEMA {
        return Err(unreadable(format!("its schema is {}, and not {SCHEMA}", report.schema)));
    }
    Ok(report)
}
