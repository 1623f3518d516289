//! One access key as the tables hold it.

use std::collections::BTreeMap;

use akia_core::finding::{Finding as CoreFinding, KeyIdentity, Severity};
use akia_core::key_table::KeyRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sight::units_text;

/// One access key. Moments are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// What it is called in addresses: its id, or where that could not be listed `ACCOUNT~USER~NUMBER`.
    pub identity: String,
    /// The account.
    pub account_id: String,
    /// Its name, or its alias.
    pub account_name: Option<String>,
    /// The units above it, each with a slash behind.
    pub units: String,
    /// The user's name; absent of the root user.
    pub user_name: Option<String>,
    /// The user's ARN.
    pub user_arn: Option<String>,
    /// The key's id; absent where it could not be listed.
    pub key_id: Option<String>,
    /// Whether it is active.
    pub is_active: bool,
    /// When it was made, where AWS tells.
    pub created_at: Option<i64>,
    /// When it was activated again after that.
    pub reactivated_at: Option<i64>,
    /// `used`, `never` or `unknown`.
    pub last_used: String,
    /// When.
    pub last_used_at: Option<i64>,
    /// For which service.
    pub last_used_service: Option<String>,
    /// In which region.
    pub last_used_region: Option<String>,
    /// Whether the user can sign in to the console.
    pub has_console: Option<bool>,
    /// Whether the user has MFA.
    pub mfa_active: bool,
    /// Whether it is a service's.
    pub is_service: Option<bool>,
    /// Whether its policies allow everything.
    pub may_do_everything: Option<bool>,
    /// Whether AWS has attached its quarantine.
    pub is_quarantined: Option<bool>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The rules that it breaks, the gravest first.
    pub findings: Vec<Finding>,
    /// When AWS made what this stands on.
    pub as_of: i64,
}

/// The words for a severity, for the document of the API: the type itself is the core's, which knows nothing of such documents.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is asked for")]
pub(crate) enum SeverityName {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// A rule that a key breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// How much it matters.
    #[schema(value_type = SeverityName)]
    pub severity: Severity,
    /// The evidence, in words.
    pub detail: String,
}

/// The findings of an account by the key that they are about.
pub(super) type Findings<'a> = BTreeMap<KeyIdentity<'a>, Vec<&'a CoreFinding>>;

impl Row {
    /// A row of an audit; `findings` are those about it, `number` tells it apart from the user's others.
    pub(super) fn new(key: &KeyRow, findings: &[&CoreFinding], number: usize) -> Self {
        let account_id = key.account_id.to_string();
        let identity = key.access_key_id.as_ref().map_or_else(
            || format!("{account_id}~{}~{number}", key.user_name.as_deref().unwrap_or("<root>")),
            ToString::to_string,
        );
        let findings = findings.iter().map(|finding| Finding {
            rule: finding.rule.clone(),
            severity: finding.severity,
            detail: finding.detail.clone(),
        });
        Self {
            identity,
            account_id,
            account_name: key.account_name.clone(),
            units: units_text(key.account_units.iter().map(String::as_str)),
            user_name: key.user_name.clone(),
            user_arn: key.user_arn.as_ref().map(ToString::to_string),
            key_id: key.access_key_id.as_ref().map(ToString::to_string),
            is_active: key.status == "Active",
            created_at: key.created_at.map(|at| at.as_second()),
            reactivated_at: key.reactivated_at.map(|at| at.as_second()),
            last_used: key.last_used.to_owned(),
            last_used_at: key.last_used_at.map(|at| at.as_second()),
            last_used_service: key.last_used_service.clone(),
            last_used_region: key.last_used_region.clone(),
            has_console: key.has_console_password,
            mfa_active: key.mfa_active,
            is_service: key.is_service_user,
            may_do_everything: key.may_do_everything,
            is_quarantined: key.is_quarantined,
            owner: key.owner.clone(),
            findings: findings.collect(),
            as_of: key.as_of.as_second(),
        }
    }

    /// The gravest of its findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Its age in days, where its creation is known.
    #[must_use]
    pub fn age_days(&self, now: i64) -> Option<i64> {
        self.created_at.map(|at| days(at, now))
    }

    /// Days since it was used, or if it never was, since it was made; `None` where AWS does not say.
    #[must_use]
    pub fn idle_days(&self, now: i64) -> Option<i64> {
        match self.last_used.as_str() {
            "unknown" => None,
            _ => self.last_used_at.or(self.created_at).map(|at| days(at, now)),
        }
    }

    /// What a search looks through, in lower case.
    pub(super) fn searched(&self) -> String {
        let parts = [&self.key_id, &self.user_name, &self.owner, &self.account_name];
        let mut text = self.account_id.clone();
        for part in parts.into_iter().flatten() {
            text.push(' ');
            text.push_str(&part.to_lowercase());
        }
        text
    }
}

fn days(from: i64, now: i64) -> i64 {
    now.saturating_sub(from).max(0) / 86_400
}
