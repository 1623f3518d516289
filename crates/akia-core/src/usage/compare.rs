//! What the attached policies allow, held against what was used.
//!
//! This reads statements as [`crate::contain::Policies`] does: an upper bound of what is allowed on any resource, under whatever condition.

use std::collections::BTreeSet;

use serde::Serialize;

use super::actions::{AccessLevel, KnownAction, KnownService, services};
use super::least::Used;
use crate::contain::{Allowed, Grant, Policies};

/// Both, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What is allowed and was never used, by service.
    pub unused: Vec<UnusedService>,
    /// Each used action, and what allows it.
    pub given: Vec<Given>,
    /// Policies whose text is not known: they may allow more.
    pub unread: Vec<String>,
}

/// The actions of a service that are allowed and were never used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedService {
    /// The service.
    pub prefix: &'static str,
    /// How many of its actions are allowed.
    pub allowed: usize,
    /// How many of these were never used.
    pub unused: usize,
    /// How many of the unused ones change something: data, tags or permissions.
    pub changing: usize,
    /// The unused ones, for reading: `s3:Get*` where all that begin so are among them.
    pub actions: Vec<String>,
}

/// A used action, and what allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// The action.
    pub action: KnownAction,
    /// The policies; none where it must come from elsewhere: the policy of a resource, or one that is attached no longer.
    pub by: Vec<String>,
}

impl Compared {
    /// The attached policies, against the used actions.
    #[must_use]
    pub fn of(policies: &Policies, used: &[Used]) -> Self {
        let needed: BTreeSet<KnownAction> = used.iter().map(|one| one.action).collect();
        let unread = policies.grants.iter().chain(&policies.boundary).filter(|grant| grant.document.is_none());
        Self {
            unused: services().iter().filter_map(|service| unused_of(service, policies, &needed)).collect(),
            given: needed.iter().map(|action| Given { action: *action, by: givers(policies, *action) }).collect(),
            unread: unread.map(|grant| grant.source.clone()).collect(),
        }
    }
}

fn unused_of(service: &KnownService, policies: &Policies, needed: &BTreeSet<KnownAction>) -> Option<UnusedService> {
    let is_allowed = |action: &KnownAction| policies.allowed(&action.to_string(), None) > Allowed::No;
    let allowed: Vec<KnownAction> = service.actions().filter(is_allowed).collect();
    let unused: BTreeSet<KnownAction> = allowed.iter().copied().filter(|action| !needed.contains(action)).collect();
    let is_changing = |action: &&KnownAction| match action.level {
        AccessLevel::Read | AccessLevel::List => false,
        AccessLevel::Write | AccessLevel::Tagging | AccessLevel::Permissions => true,
    };
    (!unused.is_empty()).then(|| UnusedService {
        prefix: service.prefix,
        allowed: allowed.len(),
        unused: unused.len(),
        changing: unused.iter().filter(is_changing).count(),
        actions: collapsed(service, &unused),
    })
}

/// The set in few words: a pattern stands for all actions that there are of its beginning, so all of them have to be in the set.
fn collapsed(service: &KnownService, set: &BTreeSet<KnownAction>) -> Vec<String> {
    let all_in_set = |start: &str| {
        let of_start = || service.actions().filter(|action| action.name.starts_with(start));
        of_start().count() > 1 && of_start().all(|action| set.contains(&action))
    };
    if all_in_set("") {
        return vec![format!("{}:*", service.prefix)];
    }
    let mut told: Vec<String> = Vec::new();
    let mut verbs: BTreeSet<&str> = BTreeSet::new();
    let mut names: Vec<&str> = set.iter().map(|action| action.name).collect();
    names.sort_unstable();
    for name in names {
        let verb = verb(name);
        if verbs.contains(verb) {
            continue;
        }
        if all_in_set(verb) {
            verbs.insert(verb);
            told.push(format!("{}:{verb}*", service.prefix));
        } else {
            told.push(format!("{}:{name}", service.prefix));
        }
    }
    told
}

/// `Describe` of `DescribeInstances`.
fn verb(name: &str) -> &str {
    let second = name.char_indices().skip(1).find(|(_, c)| c.is_ascii_uppercase());
    second.map_or(name, |(at, _)| &name[..at])
}

fn givers(policies: &Policies, action: KnownAction) -> Vec<String> {
    let gives = |grant: &&Grant| {
        let alone = Policies { grants: vec![(*grant).clone()], boundary: None };
        alone.allowed(&action.to_string(), None) > Allowed::No
    };
    policies.grants.iter().filter(gives).map(|grant| grant.source.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::called as fact;
    use super::super::{Least, LeastOptions};
    use super::*;

    fn policies(statements: serde_json::Value) -> Policies {
        let document = Some(json!({ "Version": "2012-10-17", "Statement": statements }));
        let unread = Grant { source: "group ops, policy y".to_owned(), document: None };
        Policies { grants: vec![Grant { source: "inline policy x".to_owned(), document }, unread], boundary: None }
    }

    fn used() -> Vec<Used> {
        let facts =
            [fact("sqs", "SendMessage", "arn:aws:sqs:eu-west-1:123456789012:orders"), fact("s3", "ListBuckets", "")];
        Least::of(&facts, LeastOptions::default()).used
    }

    #[test]
    fn what_is_allowed_and_unused_is_told_in_few_words() {
        let attached = policies(json!([
            { "Effect": "Allow", "Action": ["sqs:*", "sts:DecodeAuthorizationMessage", "sns:Get*"], "Resource": "*" },
            { "Effect": "Deny", "Action": "sqs:Purge*", "Resource": "*" },
        ]));
        let compared = Compared::of(&attached, &used());
        let of = |prefix: &str| compared.unused.iter().find(|one| one.prefix == prefix).unwrap();
        let prefixes: Vec<&str> = compared.unused.iter().map(|one| one.prefix).collect();
        assert_eq!(prefixes, ["sns", "sqs", "sts"]);
        assert_eq!(of("sts").actions, ["sts:DecodeAuthorizationMessage"]);
        assert_eq!((of("sns").actions.as_slice(), of("sns").changing), (&["sns:Get*".to_owned()][..], 0));
        let sqs = of("sqs");
        assert!(
            sqs.actions.iter().any(|one| one == "sqs:List*")
                && sqs.actions.iter().any(|one| one == "sqs:Create*" || one == "sqs:CreateQueue")
        );
        assert!(
            !sqs.actions.iter().any(|one| one.contains("Purge") || one == "sqs:SendMessage" || one == "sqs:Send*"),
            "{sqs:?}"
        );
        assert_eq!(sqs.allowed, sqs.unused + 1);
        assert!(sqs.changing > 0 && sqs.changing < sqs.unused);
    }

    #[test]
    fn everything_of_a_service_is_one_pattern_and_patterns_hold_nothing_else() {
        let compared = Compared::of(&policies(json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })), &used());
        let sum: usize = compared.unused.iter().map(|one| one.unused).sum();
        let all: usize = services().iter().map(|service| service.actions().count()).sum();
        assert_eq!(sum, all - 2);
        for one in &compared.unused {
            let stands_for = |action: &KnownAction| {
                one.actions.iter().filter(|pattern| crate::rule::matches(pattern, &action.to_string())).count()
            };
            let service = super::super::actions::service(one.prefix).unwrap();
            let told: usize = service.actions().map(|action| stands_for(&action)).sum();
            assert_eq!(told, one.unused, "{}: {:?}", one.prefix, one.actions);
        }
        assert_eq!(compared.unused.iter().find(|one| one.prefix == "sns").unwrap().actions, ["sns:*"]);
    }

    #[test]
    fn used_actions_say_which_policy_gives_them() {
        let attached =
            policies(json!({ "Effect": "Allow", "Action": "SQS:send*", "Resource": "arn:aws:sqs:*:*:orders" }));
        let compared = Compared::of(&attached, &used());
        let given: Vec<(String, usize)> =
            compared.given.iter().map(|one| (one.action.to_string(), one.by.len())).collect();
        assert_eq!(given, [("s3:ListAllMyBuckets".to_owned(), 0), ("sqs:SendMessage".to_owned(), 1)]);
        assert_eq!(compared.given[1].by, ["inline policy x"]);
        assert_eq!(compared.unread, ["group ops, policy y"]);
    }
}
