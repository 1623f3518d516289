//! Earlier audits: what one keeps for the next, and what it takes from the last.
//!
//! An audit that cannot keep itself is an audit all the same: what stands in the way is said, and the exit code is the audit's.

use std::collections::BTreeMap;

use akia_core::audit::Audit;
use akia_core::digest;
use akia_core::estate::{Earlier, KeyExposure};
use akia_core::finding::Finding;
use akia_core::ids::{AccountId, Region, UserName};
use akia_core::rule::AuditSettings;
use akia_core::settings::SnapshotSettings;
use akia_io::store::snapshots::{About, Entry, HubImport, Snapshots};
use clap::Args;
use jiff::Timestamp;

use super::{TrendPoint, history};
use crate::context::Context;
use crate::workbench;

/// Audits of the trend, this one among them.
const MOST_POINTS: usize = 120;

/// What an audit has to do with earlier ones.
#[derive(Debug, Clone, Default, Args)]
pub struct PastArgs {
    /// Keep no snapshot of this audit, and take nothing from earlier ones
    ///
    /// An audit by all rules is kept in akia's state folder, for `akia audit history`, `akia audit diff` and the trend. It
    /// holds what the audit shows, and no secret.
    #[arg(long)]
    pub no_snapshot: bool,

    /// Ask AWS for the keys of every user, also where the report proves them unchanged since an earlier audit
    #[arg(long)]
    pub full: bool,
}

/// What an audit looks at. Two with the same are points of one trend.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Where the answers come from.
    pub(crate) source: String,
    /// Of an organisation what was asked for, since accounts come and go; elsewhere the accounts themselves count.
    pub(crate) organization: Option<String>,
}

/// When the keys of each user were listed, by account.
pub(crate) type Listed = BTreeMap<AccountId, BTreeMap<UserName, Timestamp>>;

/// Earlier audits, as far as this one may use them.
pub(crate) struct Past {
    snapshots: Option<Snapshots>,
    reuses: bool,
    keeps: bool,
    keep: SnapshotSettings,
    settings: String,
}

impl Past {
    /// Opens them. An audit that `is_partial` (by some rules, or to another moment) is not kept: it would look like a change.
    pub(crate) async fn open(
        context: &Context,
        args: &PastArgs,
        is_partial: bool,
        settings: &AuditSettings,
        keep: SnapshotSettings,
    ) -> Self {
        // Their debug form names every limit; only whether it is the same matters.
        let settings = digest::short(&format!("{settings:?}"));
        let mut past = Self { snapshots: None, reuses: !args.full, keeps: !is_partial, keep, settings };
        if args.no_snapshot {
            return past;
        }
        let opened = if past.keeps { make(context).await.map(Some) } else { existing(context).await };
        match opened {
            Ok(snapshots) => past.snapshots = snapshots,
            Err(why) => {
                context.say(&format!(
                    "earlier audits are neither used nor is this one kept: {why} (--no-snapshot says nothing)"
                ));
            }
        }
        past
    }

    /// What the latest audit has read of an account, where it may be used.
    pub(crate) async fn earlier(&self, source: &str, account: &AccountId) -> Option<Earlier> {
        let snapshots = self.snapshots.as_ref().filter(|_| self.reuses)?;
        let earlier = snapshots.earlier(source, account).await;
        // Without it everything is asked again.
        earlier.unwrap_or_else(|error| {
            tracing::warn!(%error, "an earlier audit cannot be used");
            None
        })
    }

    /// Keys that AWS has said others may know, as far as events told.
    pub(crate) async fn exposures(&self, source: &str) -> Vec<KeyExposure> {
        let Some(snapshots) = &self.snapshots else { return Vec::new() };
        snapshots.exposures(source).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "exposed keys are not known");
            Vec::new()
        })
    }

    /// Keeps this audit, and says so. Its number, where it is kept.
    pub(crate) async fn keep(&self, context: &Context, audit: &Audit, scope: &Scope, listed: &Listed) -> Option<i64> {
        let snapshots = self.snapshots.as_ref().filter(|_| self.keeps)?;
        match snapshots.add(audit, &self.about(audit, scope), listed, self.keep).await {
            Ok(added) => {
                let changes =
                    added.changes.map(|(new, gone)| format!(", {new} new and {gone} gone since the one before"));
                context.say(&format!("kept as audit {}{}", added.id, changes.unwrap_or_default()));
                Some(added.id)
            }
            Err(error) => {
                context.say(&format!("this audit is not kept: {error}"));
                None
            }
        }
    }

    /// What the Security Hub of a region may hold of an account from imports of audits before `kept`.
    pub(crate) async fn imported(
        &self,
        source: &str,
        account: &AccountId,
        region: &Region,
        kept: Option<i64>,
    ) -> Vec<(Timestamp, Finding)> {
        let (Some(snapshots), Some(kept)) = (&self.snapshots, kept) else { return Vec::new() };
        let imported = snapshots.imported(source, account, region, kept).await;
        // What is not known to be there is not archived; Security Hub drops what nobody updates for 90 days.
        imported.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was imported earlier cannot be told");
            Vec::new()
        })
    }

    /// Notes imports of the audit that is kept as `kept`.
    pub(crate) async fn note_imports(&self, context: &Context, kept: Option<i64>, imports: &[HubImport]) {
        let (Some(snapshots), Some(kept)) = (&self.snapshots, kept) else { return };
        if let Err(error) = snapshots.note_imports(kept, imports).await {
            context.say(&format!("what is mended later will not be archived in Security Hub: {error}"));
        }
    }

    /// Earlier audits of the same accounts, the oldest first, and this one.
    pub(crate) async fn trend(&self, audit: &Audit, scope: &Scope, kept: Option<i64>) -> Vec<TrendPoint> {
        let Some(snapshots) = &self.snapshots else { return Vec::new() };
        let about = self.about(audit, scope);
        let is_same = |entry: &Entry| history::is_comparable(&entry.about, &about) && Some(entry.id) != kept;
        let entries = snapshots.list().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "there is no trend");
            Vec::new()
        });
        let mut points: Vec<TrendPoint> = entries.into_iter().filter(is_same).map(point).collect();
        let mut counts = [0; 5];
        counts.iter_mut().zip(audit.counts()).for_each(|(count, (_, of))| *count = of);
        points.push(TrendPoint { at: audit.at, counts, is_whole: audit.is_whole(), settings: about.settings });
        points.drain(..points.len().saturating_sub(MOST_POINTS));
        points
    }

    fn about(&self, audit: &Audit, scope: &Scope) -> About {
        let accounts = match &scope.organization {
            Some(selection) => selection.clone(),
            None => {
                let read = audit.estates.iter().map(|estate| &estate.account.id);
                let mut accounts: Vec<&str> =
                    read.chain(audit.unread.iter().map(|one| &one.account.id)).map(AccountId::as_str).collect();
                accounts.sort_unstable();
                accounts.join(" ")
            }
        };
        About { source: scope.source.clone(), scope: digest::short(&accounts), settings: self.settings.clone() }
    }
}

fn point(entry: Entry) -> TrendPoint {
    TrendPoint { at: entry.at, counts: entry.counts, is_whole: entry.is_whole, settings: entry.about.settings }
}

async fn make(context: &Context) -> Result<Snapshots, String> {
    let home = workbench::home(context).map_err(|error| error.what)?;
    Snapshots::open(home).await.map_err(|error| error.to_string())
}

/// Those that there are; nothing is made.
pub(crate) async fn existing(context: &Context) -> Result<Option<Snapshots>, String> {
    let Some(home) = workbench::existing_home(context).map_err(|error| error.what)? else { return Ok(None) };
    Snapshots::open_existing(home).await.map_err(|error| error.to_string())
}
