//! The least IAM policy that lets pass what was really called.
//!
//! Every action of it exists, and stands there because a call asked for it. Where the facts name what a call was about, and the action
//! takes such a resource, the statement names it; where not, it says `*`, and [`Used::whole`] says why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::actions::{KnownAction, ResourceType, service};
use super::meaning::named;
use super::unlogged::{Unlogged, unlogged};
use super::{Fact, Meaning, is_refused, meaning, statement};
use crate::policy::PolicyDocument;

/// The most resources that one action names; beyond that a list of them says nothing to anybody.
const MOST_RESOURCES: usize = 200;

/// What is wanted of the policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeastOptions {
    /// Whether refused calls are to be permitted from now on.
    pub include_refused: bool,
    /// Whether statements hold only in the regions that were called.
    pub regions: bool,
}

/// The policy, and all that has to be said of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Least {
    /// The policy: none where nothing was used, several where one would be longer than AWS takes.
    pub documents: Vec<PolicyDocument>,
    /// Each action of it, with the reason for its resources.
    pub used: Vec<Used>,
    /// Calls that AWS refused.
    pub refused: Vec<Refused>,
    /// Events that are of no action that is known: no statement is about them.
    pub unknown: Vec<Seen>,
    /// Events that need no permission.
    pub free: Vec<Seen>,
    /// What AWS may ask for along with an action, and never logs.
    pub beside: Vec<Beside>,
    /// What may have been used and is not in the logs.
    pub unlogged: Vec<Unlogged>,
    /// The first call.
    pub first: Option<Timestamp>,
    /// The last call.
    pub last: Option<Timestamp>,
}

/// An action that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Used {
    /// The action.
    pub action: KnownAction,
    /// What the policy names as its resources.
    pub resources: Vec<String>,
    /// Why that is `*`, where it is.
    pub whole: Option<Whole>,
    /// Those of the resources that no call names: whatever is of a type that AWS asks about as well.
    pub any: Vec<String>,
    /// Why it is not certain that the action was used, where it is not: one of several that stand here was.
    pub unsure: Option<&'static str>,
    /// The actions that it follows from, where no call asked for it by itself.
    pub implied_by: Vec<KnownAction>,
    /// AWS services that called for the user.
    pub via: Vec<String>,
    /// The regions that were called.
    pub regions: Vec<String>,
    /// The calls.
    #[serde(flatten)]
    pub calls: Calls,
}

/// Why a statement says `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Whole {
    /// The action takes no resource.
    TakesNone,
    /// Some calls do not say what they were about.
    NotTold {
        /// How many.
        calls: u64,
    },
    /// It was used on so many resources that a list would be of no use.
    TooMany {
        /// How many.
        resources: usize,
    },
}

/// Calls of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// How many.
    pub calls: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// Calls that AWS refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The event.
    #[serde(flatten)]
    pub seen: Seen,
    /// AWS's error code.
    pub error: String,
    /// What they would need.
    pub actions: Vec<KnownAction>,
}

/// An event that no statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The service.
    pub service: String,
    /// The event.
    pub event: String,
    /// Why, where it is known.
    pub why: Option<&'static str>,
    /// The calls.
    #[serde(flatten)]
    pub calls: Calls,
}

/// What AWS may ask for along with an action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Beside {
    /// The action that was used.
    pub action: KnownAction,
    /// What AWS may ask for: `iam:PassRole` where a role was passed, tags where some were given.
    pub asks: &'static str,
}

/// What makes calls one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    service: &'a str,
    event: &'a str,
    error: &'a str,
    resources: &'a str,
    user: &'a str,
    region: &'a str,
    via: Option<&'a str>,
}

impl Least {
    /// Of the facts of one user, or of one key.
    #[must_use]
    pub fn of(facts: &[Fact], options: LeastOptions) -> Self {
        let mut kinds: BTreeMap<Kind<'_>, Calls> = BTreeMap::new();
        for fact in facts {
            add(&mut kinds, Kind::of(fact), Calls { calls: fact.calls, first: fact.first, last: fact.last });
        }
        let mut gathered = Gathered::default();
        for (kind, calls) in &kinds {
            gathered.take(kind, *calls, options);
        }
        let used: Vec<Used> = gathered.used.into_iter().map(|(action, usage)| usage.told(action)).collect();
        Self {
            documents: statement::documents(&used, options.regions),
            used,
            refused: gathered.refused.into_iter().map(|((kind, error), calls)| refused(kind, error, calls)).collect(),
            unknown: gathered.unknown.into_iter().map(|(kind, calls)| seen(kind, None, calls)).collect(),
            free: gathered.free.into_iter().map(|((kind, why), calls)| seen(kind, Some(why), calls)).collect(),
            beside: gathered.beside.into_iter().collect(),
            unlogged: unlogged(facts),
            first: facts.iter().map(|fact| fact.first).min(),
            last: facts.iter().map(|fact| fact.last).max(),
        }
    }
}

impl<'a> Kind<'a> {
    fn of(fact: &'a Fact) -> Self {
        // An address is of no use here; the name of a service says who called for the user.
        let via = Some(fact.ip.as_str()).filter(|ip| ip.ends_with(".amazonaws.com"));
        Self {
            service: &fact.service,
            event: &fact.name,
            error: &fact.error,
            resources: &fact.resources.0,
            user: &fact.user,
            region: &fact.region,
            via,
        }
    }
}

type Event<'a> = (&'a str, &'a str);

#[derive(Default)]
struct Gathered<'a> {
    used: BTreeMap<KnownAction, Usage>,
    refused: BTreeMap<(Event<'a>, &'a str), Calls>,
    unknown: BTreeMap<Event<'a>, Calls>,
    free: BTreeMap<(Event<'a>, &'static str), Calls>,
    beside: BTreeSet<Beside>,
    meanings: BTreeMap<Event<'a>, Meaning>,
}

/// How an action was used.
struct Usage {
    calls: Calls,
    resources: BTreeSet<String>,
    any: BTreeSet<String>,
    takes_none: bool,
    not_told: u64,
    unsure: Option<&'static str>,
    is_sure: bool,
    implied_by: BTreeSet<KnownAction>,
    via: BTreeSet<String>,
    regions: BTreeSet<String>,
}

impl<'a> Gathered<'a> {
    fn take(&mut self, kind: &Kind<'a>, calls: Calls, options: LeastOptions) {
        let event = (kind.service, kind.event);
        if is_refused(kind.error) {
            add(&mut self.refused, (event, kind.error), calls);
            if !options.include_refused {
                return;
            }
        }
        let meaning = self.meanings.entry(event).or_insert_with(|| meaning(kind.service, kind.event)).clone();
        match meaning {
            Meaning::Needs(actions) => {
                for action in actions {
                    self.use_of(action, kind, calls, None);
                    self.what_stands_beside(action, kind, calls);
                }
            }
            Meaning::NeedsSome(actions, why) => {
                for action in actions {
                    self.use_of(action, kind, calls, Some(why));
                }
            }
            Meaning::Free(why) => add(&mut self.free, (event, why), calls),
            Meaning::Unknown => add(&mut self.unknown, event, calls),
        }
    }

    fn counted(&mut self, action: KnownAction, kind: &Kind<'_>, calls: Calls) -> &mut Usage {
        let usage = self.used.entry(action);
        let usage = usage.and_modify(|usage| usage.calls = usage.calls.and(calls)).or_insert_with(|| Usage::of(calls));
        usage.via.extend(kind.via.map(str::to_owned));
        usage.regions.insert(kind.region.to_owned());
        usage
    }

    fn use_of(&mut self, action: KnownAction, kind: &Kind<'_>, calls: Calls, unsure: Option<&'static str>) {
        let usage = self.counted(action, kind, calls);
        match unsure {
            None => usage.is_sure = true,
            Some(why) => usage.unsure = Some(why),
        }
        let arns: Vec<&str> = kind.resources.split(' ').filter(|arn| !arn.is_empty()).collect();
        let arns = match kind.event {
            "CopyObject" | "UploadPartCopy" if kind.service == "s3" => of_copy(action, arns),
            _ => arns,
        };
        match resources_of(action, &arns, kind.user) {
            Resources::TakesNone => usage.takes_none = true,
            Resources::NotTold => usage.not_told += calls.calls,
            Resources::Told { arns, any } => {
                usage.resources.extend(arns);
                usage.any.extend(any);
            }
        }
    }

    /// A role that was passed, where the facts name one; what AWS may have asked for besides, where they do not.
    fn what_stands_beside(&mut self, action: KnownAction, kind: &Kind<'_>, calls: Calls) {
        for asks in action.asked_with_it() {
            let pass = named(asks).filter(|_| asks == "iam:PassRole");
            let roles = kind.resources.split(' ').filter(|arn| arn.contains(":role/"));
            // Calls of IAM name a role without its path.
            let roles: BTreeSet<String> = match action.prefix {
                "iam" => roles.flat_map(|arn| written(action, arn, kind.user)).collect(),
                _ => roles.map(str::to_owned).collect(),
            };
            match pass {
                Some(pass) if !roles.is_empty() => {
                    let usage = self.counted(pass, kind, calls);
                    usage.is_sure = true;
                    usage.implied_by.insert(action);
                    usage.resources.extend(roles);
                }
                _ => {
                    self.beside.insert(Beside { action, asks });
                }
            }
        }
    }
}

impl Usage {
    fn of(calls: Calls) -> Self {
        Self {
            calls,
            resources: BTreeSet::new(),
            any: BTreeSet::new(),
            takes_none: false,
            not_told: 0,
            unsure: None,
            is_sure: false,
            implied_by: BTreeSet::new(),
            via: BTreeSet::new(),
            regions: BTreeSet::new(),
        }
    }

    fn told(self, action: KnownAction) -> Used {
        let whole = match self.resources.len() {
            _ if self.takes_none => Some(Whole::TakesNone),
            _ if self.not_told > 0 => Some(Whole::NotTold { calls: self.not_told }),
            resources if resources > MOST_RESOURCES => Some(Whole::TooMany { resources }),
            _ => None,
        };
        let is_whole = whole.is_some();
        Used {
            action,
            resources: match is_whole {
                true => vec!["*".to_owned()],
                false => self.resources.union(&self.any).cloned().collect(),
            },
            whole,
            any: self.any.into_iter().filter(|_| !is_whole).collect(),
            unsure: self.unsure.filter(|_| !self.is_sure),
            implied_by: self.implied_by.into_iter().collect(),
            via: self.via.into_iter().collect(),
            regions: self.regions.into_iter().filter(|region| !region.is_empty()).collect(),
            calls: self.calls,
        }
    }
}

impl Calls {
    fn and(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

fn add<K: Ord>(all: &mut BTreeMap<K, Calls>, key: K, calls: Calls) {
    all.entry(key).and_modify(|before| *before = before.and(calls)).or_insert(calls);
}

fn seen((service, event): Event<'_>, why: Option<&'static str>, calls: Calls) -> Seen {
    Seen { service: service.to_owned(), event: event.to_owned(), why, calls }
}

fn refused(event: Event<'_>, error: &str, calls: Calls) -> Refused {
    let actions = match meaning(event.0, event.1) {
        Meaning::Needs(actions) | Meaning::NeedsSome(actions, _) => actions,
        Meaning::Free(_) | Meaning::Unknown => Vec::new(),
    };
    Refused { seen: seen(event, None, calls), error: error.to_owned(), actions }
}

/// The side of a copy that an action is about. The bucket that is written into stands beside its objects, and of what is read nothing but
/// the object is told. Where that tells no side apart, as within a bucket, both are.
fn of_copy(action: KnownAction, arns: Vec<&str>) -> Vec<&str> {
    let is_target = |arn: &str| arns.contains(&arn.split('/').next().unwrap_or(arn));
    let reads = action.name == "GetObject";
    let side: Vec<&str> = arns.iter().copied().filter(|arn| is_target(arn) != reads).collect();
    if side.is_empty() { arns } else { side }
}

/// What a statement about an action may name.
enum Resources {
    TakesNone,
    NotTold,
    Told { arns: Vec<String>, any: Vec<String> },
}

/// The ARNs of a call that are resources of an action, as a policy has to write them.
fn resources_of(action: KnownAction, arns: &[&str], user: &str) -> Resources {
    let types: Vec<_> = action.types().collect();
    let Some(service) = service(action.prefix).filter(|_| !types.is_empty()) else { return Resources::TakesNone };
    let takes = |name: &str| {
        let has = |name: &str| types.iter().any(|one| one.name == name);
        match (action.prefix, name) {
            // The reference has two pages on API Gateway, and the source knows the types of one of them for each method.
            ("apigateway", _) => true,
            // A call with a qualifier is asked about with the qualified ARN, which the reference leaves out (Lambda Developer Guide,
            // "Fine-tuning the Resources and Conditions sections of policies").
            ("lambda", "function_alias" | "function_version") => has(name) || has("function"),
            _ => has(name),
        }
    };
    let is_of_action = |arn: &&str| service.types_of(arn).iter().any(|name| takes(name));
    let mut told: Vec<&str> = arns.iter().copied().filter(is_of_action).collect();
    // Who names no user in a call of IAM means himself.
    let is_about_self = action.prefix == "iam" && arns.is_empty() && types.iter().any(|one| one.name == "user");
    if is_about_self && user.contains(":user/") {
        told.push(user);
    }
    let Some(partition) = told.first().and_then(|arn| arn.split(':').nth(1)) else { return Resources::NotTold };
    Resources::Told {
        arns: told.iter().flat_map(|arn| written(action, arn, user)).collect(),
        any: lacking(&types, &told).map(|form| format!("arn:{partition}:{form}")).collect(),
    }
}

/// The forms of the types that AWS asks about as well, and that nothing tells: what the call made, and what else it named (the security
/// group of a network interface, say). Where no type is required they are a choice, and one is enough. The resource that is told
/// bounds the call all the same: it is asked about each time.
fn lacking<'a>(types: &'a [ResourceType], told: &'a [&str]) -> impl Iterator<Item = &'static str> + 'a {
    let has_required = types.iter().any(|one| one.is_required);
    let is_told = |one: &ResourceType| told.iter().any(|arn| one.fits(arn));
    // An index belongs to its table: which ones were asked about, the call does say.
    let is_part = move |form: &str| {
        let mut whole = types.iter().filter(|one| is_told(one)).filter_map(|one| form.strip_prefix(one.form));
        whole.any(|rest| rest.starts_with(['/', ':']))
    };
    let lacks = move |one: &&ResourceType| {
        let is_asked = one.is_required || has_required && !is_part(one.form);
        is_asked && !told.iter().any(|arn| one.fits(arn))
    };
    types.iter().filter(lacks).map(|one| one.form)
}

/// An ARN as the policies of a service have to name it.
fn written(action: KnownAction, arn: &str, user: &str) -> Vec<String> {
    match action.prefix {
        // CloudTrail tells the name without its path. Names are unique in an account, so this still means one.
        "iam" => {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            if arn.contains(":user/") && user.contains(":user/") && user.rsplit('/').next() == Some(name) {
                return vec![user.to_owned()];
            }
            match arn.split_once('/') {
                Some((kind, name)) if !name.contains('/') && !kind.contains("::aws:") => {
                    vec![arn.to_owned(), format!("{kind}/*/{name}")]
                }
                _ => vec![arn.to_owned()],
            }
        }
        // "Use the second version, with the trailing `:*`, when specifying permissions for all other API actions" (CloudWatch Logs
        // User Guide, "Overview of managing access permissions").
        "logs" if arn.contains(":log-group:") && !arn.contains(":log-stream:") => {
            let is_of_tags = ["TagResource", "UntagResource", "ListTagsForResource"].contains(&action.name);
            if is_of_tags { vec![arn.to_owned()] } else { vec![format!("{arn}:*")] }
        }
        // An ARN may be given without the six characters at its end, which IAM asks about.
        "secretsmanager" if !ends_as_secrets_do(arn) => vec![arn.to_owned(), format!("{arn}-??????")],
        // Everything of an API lies below it.
        "apigateway" => vec![arn.to_owned(), format!("{arn}/*")],
        _ => vec![arn.to_owned()],
    }
}

fn ends_as_secrets_do(arn: &str) -> bool {
    let end = arn.rsplit('-').next().unwrap_or_default();
    arn.contains('-') && end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'?')
}

#[cfg(test)]
mod tests;
