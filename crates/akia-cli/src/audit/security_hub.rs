//! `akia audit --security-hub`: each account's findings into its own Security Hub.
//!
//! AWS takes findings under an account's default product only from that account: the caller's account must be the
//! `AwsAccountId` of the finding, and a delegated administrator may import for nobody else
//! (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>). So each account imports its own,
//! that of an organisation through the role that reads it; Security Hub itself shows them to the administrator.
//!
//! What the hub holds of ours is known from the audits that were kept. Invariant: an import is noted before it begins, as
//! one that may not be whole, so that nothing of a killed one is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::audit::{Audit, Gone};
use akia_core::estate::{Account, Estate};
use akia_core::finding::Finding;
use akia_core::ids::{AccountId, Partition, Region};
use akia_core::rule::AuditSettings;
use akia_io::aws::{Caller, Imported, RefusedFinding};
use akia_io::organization::{Door, Doors};
use akia_io::store::snapshots::HubImport;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::asff::{self, Hub};
use super::asked::Access;
use super::past::Past;
use super::words::{self, counted, partition_of, these, thousands};
use crate::context::Context;
use crate::progress::{Progress, is_told};

/// Accounts that import at the same time.
const AT_ONCE: usize = 32;
/// How often the progress is told.
const TOLD: usize = 10;

/// What became of the findings, over all accounts.
#[derive(Default)]
pub(crate) struct Import {
    accounts: Vec<Outcome>,
}

/// What became of those of one account.
struct Outcome {
    account: AccountId,
    region: Region,
    /// How many were to be imported.
    of: usize,
    /// How many of these are no more.
    gone: usize,
    /// How many the hub may hold of which nobody can say whether they are mended.
    undecided: usize,
    taken: usize,
    refused: Vec<RefusedFinding>,
    /// Why it ended early.
    failure: Option<String>,
}

impl Outcome {
    fn is_whole(&self) -> bool {
        self.refused.is_empty() && self.failure.is_none()
    }
}

impl Import {
    /// Whether Security Hub has everything.
    pub(crate) fn is_whole(&self) -> bool {
        self.accounts.iter().all(Outcome::is_whole)
    }

    /// For the JSON form.
    pub(crate) fn json(&self) -> Value {
        let whole = self.accounts.iter().filter(|one| one.is_whole()).count();
        let refused = self.accounts.iter().flat_map(|one| {
            let refused = one.refused.iter();
            refused.map(|finding| json!({ "account": one.account, "id": finding.id, "reason": finding.reason }))
        });
        let failed = self.accounts.iter().filter_map(|one| {
            let reason = one.failure.as_ref()?;
            Some(json!({ "account": one.account, "region": one.region, "reason": reason }))
        });
        json!({
            "imported": self.accounts.iter().map(|one| one.taken).sum::<usize>(),
            "archived": self.accounts.iter().filter(|one| one.is_whole()).map(|one| one.gone).sum::<usize>(),
            "accounts": { "whole": whole, "of": self.accounts.len() },
            "refused": refused.collect::<Vec<_>>(),
            "failed": failed.collect::<Vec<_>>(),
        })
    }
}

/// What is imported, and what is known of earlier imports.
pub(crate) struct Findings<'a> {
    /// The audit.
    pub(crate) audit: &'a Audit,
    /// What it was judged by.
    pub(crate) settings: &'a AuditSettings,
    /// Earlier audits.
    pub(crate) past: &'a Past,
    /// Where the answers come from.
    pub(crate) source: &'a str,
    /// The number that this audit is kept under. Without one nothing can be said of earlier imports, nor noted.
    pub(crate) kept: Option<i64>,
}

/// Imports what was found, archives what is no more, and says what became of it.
pub(crate) async fn import(context: &Context, findings: &Findings<'_>, access: &Access) -> Import {
    let batch = Batch::of(findings);
    let mut import = Import::default();
    match access {
        Access::Nobody => {}
        Access::Profiles(callers) => {
            let notes: Vec<HubImport> =
                callers.iter().map(|(account, caller)| noted(account, &caller.region(), false)).collect();
            findings.past.note_imports(context, findings.kept, &notes).await;
            for (account, caller) in callers {
                import.accounts.push(batch.import(account, caller, |error| error.to_string()).await);
            }
        }
        Access::Organization(hub) => {
            let region = hub.signed.caller.region();
            // Whoever could not be entered, or not be read, is not tried again: thousands of refusals would raise an alarm.
            let accounts: Vec<&AccountId> = findings.audit.estates.iter().map(|estate| &estate.account.id).collect();
            let notes: Vec<HubImport> = accounts.iter().map(|account| noted(account, &region, false)).collect();
            findings.past.note_imports(context, findings.kept, &notes).await;
            let doors = Doors::new(&hub.signed.caller, &hub.entry);
            let line = Progress::new(context).line("Security Hub");
            let of = accounts.len();
            let imports = accounts.into_iter().map(|account| batch.import_through(&doors, account, &region));
            let mut outcomes = futures_util::stream::iter(imports).buffer_unordered(AT_ONCE);
            while let Some(outcome) = outcomes.next().await {
                import.accounts.push(outcome);
                let done = import.accounts.len();
                if is_told(done, of, TOLD) {
                    line.step(&format!("{} of {}", thousands(done), counted(of, "account")));
                }
            }
            line.finish(&format!("findings of {} handed over", counted(of, "account")));
            import.accounts.sort_by(|a, b| a.account.cmp(&b.account));
        }
    }
    // As long as something is undecided, what the hub held before is not forgotten.
    let is_whole = |one: &Outcome| one.is_whole() && one.undecided == 0;
    let whole: Vec<HubImport> =
        import.accounts.iter().map(|one| noted(&one.account, &one.region, is_whole(one))).collect();
    findings.past.note_imports(context, findings.kept, &whole).await;
    import.tell(context, findings);
    import
}

fn noted(account: &AccountId, region: &Region, is_whole: bool) -> HubImport {
    HubImport { account: account.clone(), region: region.clone(), is_whole }
}

/// The findings of an audit by account. Their long form is made account by account: an organisation's would take a lot of
/// memory.
struct Batch<'a> {
    findings: &'a Findings<'a>,
    by_account: BTreeMap<&'a AccountId, Vec<&'a Finding>>,
    not_read: BTreeMap<&'a AccountId, String>,
}

struct Made {
    values: Vec<Value>,
    /// How many of them are no more.
    gone: usize,
    /// How many findings of earlier imports may be broken or mended.
    undecided: usize,
}

impl<'a> Batch<'a> {
    fn of(findings: &'a Findings<'a>) -> Self {
        let mut by_account: BTreeMap<&AccountId, Vec<&Finding>> = BTreeMap::new();
        for finding in &findings.audit.findings {
            by_account.entry(&finding.account).or_default().push(finding);
        }
        let unread = findings.audit.unread.iter().map(|one| (&one.account.id, one.reason.clone()));
        let partly = words::partly_read(findings.audit).map(|(account, gaps)| (&account.id, gaps));
        Self { findings, by_account, not_read: unread.chain(partly).collect() }
    }

    /// The findings of an account as its hub takes them.
    async fn make(&self, account: &AccountId, region: &Region) -> Made {
        let Findings { audit, settings, past, source, kept } = *self.findings;
        let estate: Option<&Estate> = audit.estates.iter().find(|estate| estate.account.id == *account);
        let hub = Hub { partition: estate.map_or(Partition::of_region(region), partition_of), region: region.clone() };
        let broken = self.by_account.get(account).into_iter().flatten();
        let mut values: Vec<Value> = broken.map(|finding| asff::failed(finding, &hub, audit.at)).collect();
        if let Some(reason) = self.not_read.get(account) {
            values.push(asff::not_read(&Account::bare(account.clone()), reason, &hub, audit.at));
        }
        let held = past.imported(source, account, region, kept).await;
        let (times, before): (Vec<Timestamp>, Vec<Finding>) = held.into_iter().unzip();
        let found_at: BTreeMap<String, Timestamp> = before.iter().map(Finding::fingerprint).zip(times).collect();
        let gone: Vec<(&Finding, Gone)> = audit.gone(account, &before, settings);
        let now: BTreeSet<String> =
            self.by_account.get(account).into_iter().flatten().map(|finding| finding.fingerprint()).collect();
        let absent = before.iter().filter(|finding| !now.contains(&finding.fingerprint())).count();
        let (undecided, count) = (absent - gone.len(), gone.len());
        values.extend(gone.into_iter().map(|(finding, why)| {
            let found_at = found_at.get(&finding.fingerprint()).copied().unwrap_or(audit.at);
            asff::archived(finding, why, found_at, &hub, audit.at)
        }));
        Made { values, gone: count, undecided }
    }

    async fn import(
        &self,
        account: &AccountId,
        caller: &Caller,
        words: impl Fn(&akia_io::aws::AwsError) -> String,
    ) -> Outcome {
        let region = caller.region();
        let Made { values, gone, undecided } = self.make(account, &region).await;
        let (Imported { taken, refused }, error) = caller.import_findings(&values).await;
        let failure = error.map(|error| words(&error));
        Outcome { account: account.clone(), region, of: values.len(), gone, undecided, taken, refused, failure }
    }

    async fn import_through(&self, doors: &Doors<'_>, account: &AccountId, region: &Region) -> Outcome {
        match doors.open(account).await {
            Ok(door) => {
                let through = doors.through(&door);
                let words = |error: &akia_io::aws::AwsError| doors.refusal(account, error);
                let outcome = self.import(account, through.caller(), words).await;
                if let Door::Session(credentials) = &door {
                    through.caller().aws().forget(credentials.key());
                }
                outcome
            }
            Err(error) => Outcome {
                account: account.clone(),
                region: region.clone(),
                of: self.by_account.get(account).map_or(0, Vec::len),
                gone: 0,
                undecided: 0,
                taken: 0,
                refused: Vec::new(),
                failure: Some(doors.refusal(account, &error)),
            },
        }
    }
}

impl Import {
    /// What became of it in words, the same cause once.
    fn tell(&self, context: &Context, findings: &Findings<'_>) {
        let regions: BTreeSet<&Region> = self.accounts.iter().map(|one| &one.region).collect();
        for region in regions {
            let here = || self.accounts.iter().filter(|one| one.region == *region);
            let accounts: Vec<&AccountId> = here().map(|one| &one.account).collect();
            let whole = here().filter(|one| one.is_whole()).count();
            let (taken, of): (usize, usize) = here().fold((0, 0), |sum, one| (sum.0 + one.taken, sum.1 + one.of));
            let gone: usize = here().filter(|one| one.is_whole()).map(|one| one.gone).sum();
            let whose = match accounts[..] {
                [account] => format!("account {account}"),
                _ => format!("{} of {}", thousands(whole), counted(accounts.len(), "account")),
            };
            let gone =
                if gone > 0 { format!(", {} of them archived as no more", thousands(gone)) } else { String::new() };
            let (taken, of) = (thousands(taken), thousands(of));
            context.say(&format!("Security Hub of {whose} in {region}: {taken} of {of} findings imported{gone}"));
        }
        let mut refused: BTreeMap<String, (usize, BTreeSet<&AccountId>)> = BTreeMap::new();
        let mut failed: BTreeMap<String, (BTreeSet<&Region>, Vec<&AccountId>)> = BTreeMap::new();
        for one in &self.accounts {
            for finding in &one.refused {
                let entry = refused.entry(finding.reason.replace(one.account.as_str(), "ACCOUNT")).or_default();
                entry.0 += 1;
                entry.1.insert(&one.account);
            }
            if let Some(reason) = &one.failure {
                let entry = failed.entry(reason.replace(one.account.as_str(), "ACCOUNT")).or_default();
                entry.0.insert(&one.region);
                entry.1.push(&one.account);
            }
        }
        for (reason, (count, accounts)) in refused {
            let accounts: Vec<&AccountId> = accounts.into_iter().collect();
            context.say(&format!("  refused: {} of {}: {reason}", counted(count, "finding"), these(&accounts)));
        }
        for (reason, (regions, accounts)) in failed {
            let regions: Vec<&str> = regions.into_iter().map(Region::as_str).collect();
            context.say(&format!(
                "  not imported: {}: {reason}; with the right securityhub:BatchImportFindings (akia policy audit \
                 --security-hub), and Security Hub enabled in {}, run it again",
                these(&accounts),
                regions.join(", ")
            ));
        }
        let unread = findings.audit.unread.len().min(findings.audit.coverage().1 - self.accounts.len());
        if unread > 0 {
            context.say(&format!("  nothing is imported of {}: not read", counted(unread, "account")));
        }
        if findings.kept.is_none() {
            context.say(
                "  what is mended was not archived, for this audit is not kept: it does not know what was imported",
            );
        }
    }
}
