//! `akia audit --security-hub`: each account's findings into its own Security Hub.
//!
//! AWS takes findings under an account's default product only from that account, so each account's caller imports its own.

use std::collections::BTreeMap;

use akia_core::audit::Audit;
use akia_core::ids::AccountId;
use akia_io::aws::{Caller, Imported};
use serde_json::{Value, json};

use super::asff;
use crate::context::Context;

/// What became of the findings, over all accounts.
#[derive(Default)]
pub(crate) struct Import {
    taken: usize,
    refused: Vec<Value>,
    failed: Vec<Value>,
}

impl Import {
    /// Whether Security Hub has everything.
    pub(crate) fn is_whole(&self) -> bool {
        self.refused.is_empty() && self.failed.is_empty()
    }

    /// For the JSON form.
    pub(crate) fn json(&self) -> Value {
        json!({ "imported": self.taken, "refused": self.refused, "failed": self.failed })
    }
}

/// Refused findings of an account that are told on stderr; the JSON has all.
const MOST_TOLD: usize = 3;

/// Imports what was found, and says what became of it.
pub(crate) async fn import(context: &Context, audit: &Audit, callers: &BTreeMap<AccountId, Caller>) -> Import {
    let mut import = Import::default();
    for (account, caller) in callers {
        let region = caller.region();
        let findings = asff::findings(audit, Some(&region));
        let own: Vec<Value> =
            findings.into_iter().filter(|finding| finding["AwsAccountId"] == account.as_str()).collect();
        let (Imported { taken, refused }, error) = caller.import_findings(&own).await;
        import.taken += taken;
        context
            .say(&format!("Security Hub of account {account} in {region}: {taken} of {} findings imported", own.len()));
        for one in refused.iter().take(MOST_TOLD) {
            context.say(&format!("  refused: {}: {}", one.id, one.reason));
        }
        if refused.len() > MOST_TOLD {
            context.say(&format!("  and {} more; --output json has all", refused.len() - MOST_TOLD));
        }
        import.refused.extend(refused.into_iter().map(|one| json!({ "id": one.id, "reason": one.reason })));
        if let Some(error) = error {
            context.say(&format!(
                "  not imported: {error}; with the right securityhub:BatchImportFindings, and Security Hub \
                                  enabled in {region}, run it again"
            ));
            import.failed.push(json!({ "account": account, "region": region, "reason": error.to_string() }));
        }
    }
    import
}
