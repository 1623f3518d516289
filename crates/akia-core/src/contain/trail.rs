//! What a key did, as CloudTrail has it: where from, what, how often; and what it left behind that outlives it.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::remnant::{Remnant, remnant};
use crate::estate::Known;

/// Longest text of an event that is taken over.
const LONGEST: usize = 300;
/// Addresses and user agents that are kept apart; the rest is counted.
const MOST: usize = 50;

/// One event of CloudTrail.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailEvent {
    /// AWS's id of it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The service, as in `iam`.
    pub service: String,
    /// The call, as in `CreateUser`.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Where it came from: an address, or the name of an AWS service.
    pub ip: String,
    /// The user agent.
    pub agent: String,
    /// AWS's error code, where it was refused.
    pub error: Option<String>,
    /// Who signed: the user, or the role of a session.
    pub signer: Option<Signer>,
    /// The whole.
    pub record: Value,
}

/// Who stands behind the signature of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Signer {
    /// A user of IAM, with a key of its own or a session of `GetSessionToken`.
    User {
        /// Its name.
        name: String,
    },
    /// A session of a role.
    Role {
        /// The role's ARN.
        arn: String,
    },
    /// A session of `GetFederationToken`.
    Federated {
        /// The user that opened it.
        by: String,
    },
    /// The root user.
    Root,
}

impl TrailEvent {
    /// Reads the JSON that `LookupEvents` gives as `CloudTrailEvent`. None for what is no event.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(text).ok()?;
        let field = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(cut);
        let source = field("/eventSource")?;
        let identity = |pointer: &str| field(&format!("/userIdentity{pointer}"));
        let signer = match identity("/type").as_deref() {
            Some("IAMUser") => identity("/userName").map(|name| Signer::User { name }),
            Some("AssumedRole") => identity("/sessionContext/sessionIssuer/arn").map(|arn| Signer::Role { arn }),
            Some("FederatedUser") => {
                identity("/sessionContext/sessionIssuer/userName").map(|by| Signer::Federated { by })
            }
            Some("Root") => Some(Signer::Root),
            _ => None,
        };
        Some(Self {
            id: field("/eventID")?,
            at: field("/eventTime")?.parse().ok()?,
            service: source.trim_end_matches(".amazonaws.com").to_owned(),
            name: field("/eventName")?,
            region: field("/awsRegion").unwrap_or_default(),
            ip: field("/sourceIPAddress").unwrap_or_default(),
            agent: field("/userAgent").unwrap_or_default(),
            error: field("/errorCode"),
            signer,
            record,
        })
    }
}

/// What CloudTrail said for one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionRead {
    /// The region.
    pub region: String,
    /// How many events; unknown where it could not be asked.
    pub events: Known<usize>,
    /// Whether there are older ones that were not read.
    pub is_cut: bool,
}

/// Calls of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// How many.
    pub calls: usize,
    /// How many of them AWS refused.
    pub refused: usize,
    /// Each call by name.
    pub by_name: BTreeMap<String, usize>,
}

/// What a key did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// Since when it was asked for.
    pub since: Option<Timestamp>,
    /// The regions that were asked.
    pub regions: Vec<RegionRead>,
    /// Events in all.
    pub events: usize,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// Where calls came from, and how often.
    pub addresses: BTreeMap<String, usize>,
    /// With which programs.
    pub agents: BTreeMap<String, usize>,
    /// To which regions.
    pub called_regions: BTreeMap<String, usize>,
    /// Calls by service.
    pub services: BTreeMap<String, Calls>,
    /// What outlives the key: to look at, and to take back.
    pub remnants: Vec<Remnant>,
}

impl Footprint {
    /// Of all events, the latest first, as CloudTrail gives them: its times are whole seconds, and within one its order is all that
    /// tells which came first. An event that two regions tell counts once.
    #[must_use]
    pub fn of(since: Timestamp, regions: Vec<RegionRead>, mut events: Vec<TrailEvent>) -> Self {
        events.reverse();
        events.sort_by_key(|event| event.at);
        let mut seen = HashSet::new();
        events.retain(|event| seen.insert(event.id.clone()));
        let mut of = Self { since: Some(since), regions, events: events.len(), ..Self::default() };
        of.first = events.first().map(|event| event.at);
        of.last = events.last().map(|event| event.at);
        for event in &events {
            count(&mut of.addresses, &event.ip);
            count(&mut of.agents, &event.agent);
            count(&mut of.called_regions, &event.region);
            let calls = of.services.entry(event.service.clone()).or_default();
            calls.calls += 1;
            calls.refused += usize::from(event.error.is_some());
            count(&mut calls.by_name, &event.name);
            of.remnants.extend(remnant(event));
        }
        of
    }

    /// Whether every region that was asked has answered, and whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.regions.iter().all(|region| region.events.told().is_some() && !region.is_cut)
    }
}

fn count(counts: &mut BTreeMap<String, usize>, name: &str) {
    let is_new = !counts.contains_key(name);
    let name = if is_new && counts.len() >= MOST { "(others)" } else { name };
    *counts.entry(name.to_owned()).or_default() += 1;
}

/// What others have chosen is not endless.
fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
pub(super) fn event(name: &str, service: &str, parameters: &Value, response: &Value) -> TrailEvent {
    let record = serde_json::json!({
        "eventID": format!("{service}-{name}"), "eventTime": "2026-11-29T12:00:00Z", "awsRegion": "us-east-1",
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "sourceIPAddress": "203.0.113.9",
        "userAgent": "aws-cli/2", "requestParameters": parameters, "responseElements": response,
        "userIdentity": { "type": "IAMUser", "userName": "ann" },
    });
    TrailEvent::parse(&record.to_string()).unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_counted_once_and_the_first_and_last_are_told() {
        let at = |event: &TrailEvent, second: u32| {
            let at = format!("2026-11-29T12:00:{second:02}Z").parse().unwrap();
            TrailEvent { at, id: format!("e-{second}"), ..event.clone() }
        };
        let list = event("ListBuckets", "s3", &Value::Null, &Value::Null);
        let refused = TrailEvent { error: Some("AccessDenied".to_owned()), ..list.clone() };
        let since = "2026-09-01T00:00:00Z".parse().unwrap();
        let of = Footprint::of(since, Vec::new(), vec![at(&list, 5), at(&refused, 1), at(&list, 5)]);
        assert_eq!(
            (of.events, of.first.unwrap().as_second(), of.last.unwrap().as_second() - 4),
            (2, of.first.unwrap().as_second(), of.first.unwrap().as_second())
        );
        let s3 = &of.services["s3"];
        assert_eq!((s3.calls, s3.refused, s3.by_name["ListBuckets"]), (2, 1, 2));
        assert_eq!((of.addresses["203.0.113.9"], of.agents["aws-cli/2"]), (2, 2));
    }

    #[test]
    fn who_stands_behind_a_session_is_told() {
        let of = |identity: Value| {
            let mut record = event("ListBuckets", "s3", &Value::Null, &Value::Null).record;
            record["userIdentity"] = identity;
            TrailEvent::parse(&record.to_string()).unwrap().signer
        };
        let arn = "arn:aws:iam::111122223333:role/app".to_owned();
        let role = json!({ "type": "AssumedRole", "sessionContext": { "sessionIssuer": { "arn": arn } } });
        assert_eq!(of(role), Some(Signer::Role { arn }));
        let by = json!({ "type": "FederatedUser", "sessionContext": { "sessionIssuer": { "userName": "ann" } } });
        assert_eq!(of(by), Some(Signer::Federated { by: "ann".to_owned() }));
        assert_eq!(of(json!({ "type": "Root" })), Some(Signer::Root));
        assert_eq!(of(json!({ "type": "News" })), None);
        assert_eq!(TrailEvent::parse("[]"), None);
    }

    #[test]
    fn a_flood_of_addresses_is_counted_and_not_kept() {
        let list = event("ListBuckets", "s3", &Value::Null, &Value::Null);
        let events = (0..200)
            .map(|index| TrailEvent { id: index.to_string(), ip: format!("198.51.100.{index}"), ..list.clone() })
            .collect();
        let of = Footprint::of(Timestamp::UNIX_EPOCH, Vec::new(), events);
        assert_eq!((of.addresses.len(), of.addresses["(others)"]), (MOST + 1, 150));
    }
}
