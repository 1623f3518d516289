//! What is there already, as AWS's answers tell it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wanted::{IDENTIFIER, MARK, TARGET, Wanted};
use super::{Recording, TopicPolicy};

/// A rule of Config.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleFound {
    /// Its ARN.
    pub arn: String,
    /// Its `SourceIdentifier`.
    pub identifier: Option<String>,
    /// Its `InputParameters`.
    pub parameters: Option<String>,
    /// Its state: `ACTIVE`, `DELETING` …
    pub state: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A rule of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationRuleFound {
    /// Its `RuleIdentifier`.
    pub identifier: Option<String>,
    /// Its `InputParameters`.
    pub parameters: Option<String>,
    /// What it says of itself.
    pub description: Option<String>,
    /// Accounts that it leaves out.
    pub excluded: Vec<String>,
}

/// A rule of EventBridge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventRuleFound {
    /// Its pattern.
    pub pattern: Option<String>,
    /// `ENABLED` or `DISABLED`.
    pub state: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its targets.
    pub targets: Vec<Value>,
}

/// Everything that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What Config records here.
    pub recording: Recording,
    /// The rule of the name.
    pub rule: Option<RuleFound>,
    /// The organisation's rule of the name.
    pub organization_rule: Option<OrganizationRuleFound>,
    /// The EventBridge rule of the name.
    pub event_rule: Option<EventRuleFound>,
    /// The policy of the topic; `None` where none is asked for.
    pub topic: Option<TopicPolicy>,
}

/// Whose a thing is, and whether it is as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It bears akia's mark and is as wanted.
    AsWanted,
    /// It bears akia's mark and differs; what is there now, in words.
    Differs(String),
    /// It does not bear akia's mark.
    Foreign,
}

fn is_marked(tags: &BTreeMap<String, String>) -> bool {
    tags.get(MARK.0).is_some_and(|value| value == MARK.1)
}

/// The days that the parameters of a rule allow; AWS's default where they do not say.
fn days(parameters: Option<&str>) -> Option<u32> {
    const DEFAULT: u32 = 90;
    let parameters: Value = serde_json::from_str(parameters.unwrap_or("{}")).ok()?;
    match &parameters["maxAccessKeyAge"] {
        Value::Null => Some(DEFAULT),
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_u64().and_then(|days| u32::try_from(days).ok()),
    }
}

impl RuleFound {
    /// Whose it is, against what is wanted.
    #[must_use]
    pub fn standing(&self, wanted: &Wanted) -> Standing {
        match self.days() {
            _ if !is_marked(&self.tags) => Standing::Foreign,
            Some(days) if days == wanted.max_age_days && self.is_ours_in_kind() => Standing::AsWanted,
            Some(days) => Standing::Differs(format!("{days} days")),
            None => Standing::Differs("other parameters".to_owned()),
        }
    }

    /// Whether it bears akia's mark.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        is_marked(&self.tags)
    }

    /// The days that it allows.
    #[must_use]
    pub fn days(&self) -> Option<u32> {
        days(self.parameters.as_deref())
    }

    /// Whether it is the managed rule, whoever made it.
    #[must_use]
    pub fn is_ours_in_kind(&self) -> bool {
        self.identifier.as_deref() == Some(IDENTIFIER)
    }
}

impl OrganizationRuleFound {
    /// Whose it is, against what is wanted.
    #[must_use]
    pub fn standing(&self, wanted: &Wanted) -> Standing {
        if !self.is_marked() {
            return Standing::Foreign;
        }
        let excluded: Vec<&str> = wanted.excluded.iter().map(crate::ids::AccountId::as_str).collect();
        let is_same_reach = {
            let (mut ours, mut theirs) = (excluded, self.excluded.iter().map(String::as_str).collect::<Vec<_>>());
            ours.sort_unstable();
            theirs.sort_unstable();
            ours == theirs
        };
        match days(self.parameters.as_deref()) {
            Some(days) if days == wanted.max_age_days && is_same_reach => Standing::AsWanted,
            Some(days) if days == wanted.max_age_days => {
                Standing::Differs(format!("{} accounts left out", self.excluded.len()))
            }
            Some(days) => Standing::Differs(format!("{days} days")),
            None => Standing::Differs("other parameters".to_owned()),
        }
    }

    /// Whether akia made it: its description says so, for it takes no tags.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.identifier.as_deref() == Some(IDENTIFIER)
            && self.description.as_deref().is_some_and(|words| words.ends_with("Made by akia config-rule."))
    }
}

impl EventRuleFound {
    /// Whose the rule itself is, without its targets.
    #[must_use]
    pub fn standing(&self, wanted: &Wanted) -> Standing {
        if !self.is_marked() {
            return Standing::Foreign;
        }
        let pattern: Option<Value> = self.pattern.as_deref().and_then(|text| serde_json::from_str(text).ok());
        if pattern.as_ref() != Some(&wanted.event_pattern()) {
            return Standing::Differs("another pattern".to_owned());
        }
        match self.state.as_deref() {
            Some("DISABLED") => Standing::Differs("disabled".to_owned()),
            Some(_) | None => Standing::AsWanted,
        }
    }

    /// Whether it bears akia's mark.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        is_marked(&self.tags)
    }

    /// The target that akia makes.
    #[must_use]
    pub fn target(&self) -> Option<&Value> {
        self.targets.iter().find(|target| target["Id"] == TARGET)
    }
}
