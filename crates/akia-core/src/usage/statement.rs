//! From actions and their resources to policy documents: few statements, in a steady order, and no document longer than AWS takes.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::service;
use super::least::Used;
use crate::policy::{Condition, OneOrMany, PolicyDocument, Statement};

/// The most characters of a managed policy, white space not counted (IAM User Guide, "IAM and AWS STS quotas").
pub const LARGEST_MANAGED_POLICY: usize = 6_144;

/// What a statement is about: actions of one service on equal resources, certain or not.
type Key<'a> = (&'a str, &'a [String], bool);

/// The documents that allow this.
pub(super) fn documents(used: &[Used], with_regions: bool) -> Vec<PolicyDocument> {
    let mut statements: BTreeMap<Key<'_>, Vec<String>> = BTreeMap::new();
    let mut regions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in used {
        let key = (one.action.prefix, one.resources.as_slice(), one.unsure.is_some());
        statements.entry(key).or_default().push(one.action.to_string());
        regions.entry(one.action.prefix).or_default().extend(one.regions.iter().map(String::as_str));
    }
    let statements = statements.into_iter().map(|((prefix, resources, is_unsure), actions)| {
        let is_pass = actions == ["iam:PassRole"];
        // Which region AWS sees when a role is passed is that of another call.
        let regions = regions.get(prefix).filter(|regions| with_regions && !is_pass && !regions.is_empty());
        let condition = regions.map(|regions| in_regions(regions));
        let sid = sid(prefix, resources, is_unsure, is_pass);
        Statement { condition, ..Statement::allow(&sid, actions, resources.iter().cloned().collect::<OneOrMany>()) }
    });
    packed(statements.collect())
}

fn in_regions(regions: &BTreeSet<&str>) -> Condition {
    let values = regions.iter().copied().collect();
    BTreeMap::from([("StringEquals".to_owned(), BTreeMap::from([("aws:RequestedRegion".to_owned(), values)]))])
}

/// `S3Bucket`, `LogsLogGroup`, `Ec2All`: the service and the type of the first resource.
fn sid(prefix: &str, resources: &[String], is_unsure: bool, is_pass: bool) -> String {
    let mut sid = capitals(prefix);
    match resources {
        _ if is_pass => sid.push_str("PassRole"),
        [all] if all == "*" => sid.push_str("All"),
        [first, ..] => {
            let types = service(prefix).map(|service| service.types_of(first)).unwrap_or_default();
            sid.push_str(&capitals(types.first().copied().unwrap_or_default()));
        }
        [] => {}
    }
    if is_unsure {
        sid.push_str("Perhaps");
    }
    sid
}

/// `log-group` as `LogGroup`.
fn capitals(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.flat_map(|word| word.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(word.chars().skip(1))).collect()
}

/// The statements in as few documents as they fit into, in their order; one that is longer than a document is divided.
fn packed(statements: Vec<Statement>) -> Vec<PolicyDocument> {
    // A name may get a number, so that it stands once in its document.
    const NUMBER: usize = 4;
    let around = length(&PolicyDocument::new(Vec::new()));
    let mut documents: Vec<Vec<Statement>> = Vec::new();
    let mut room = 0;
    let mut open: Vec<Statement> = statements.into_iter().rev().collect();
    while let Some(statement) = open.pop() {
        let needs = length(&PolicyDocument::new(vec![statement.clone()])) - around + ",".len() + NUMBER;
        if around + needs > LARGEST_MANAGED_POLICY
            && let Some((first, second)) = divided(&statement)
        {
            open.extend([second, first]);
            continue;
        }
        match documents.last_mut() {
            Some(last) if needs <= room => last.push(statement),
            _ => {
                documents.push(vec![statement]);
                room = LARGEST_MANAGED_POLICY - around;
            }
        }
        room = room.saturating_sub(needs);
    }
    documents.into_iter().map(|statements| PolicyDocument::new(numbered(statements))).collect()
}

/// Halves of a statement that together say the same: by its resources, else by its actions.
fn divided(statement: &Statement) -> Option<(Statement, Statement)> {
    let half = |values: &[String]| {
        let (first, second) = values.split_at(values.len() / 2);
        let of = |part: &[String]| part.iter().cloned().collect::<OneOrMany>();
        (!first.is_empty()).then(|| (of(first), of(second)))
    };
    if let Some((first, second)) = half(statement.resource.as_slice()) {
        return Some((
            Statement { resource: first, ..statement.clone() },
            Statement { resource: second, ..statement.clone() },
        ));
    }
    let (first, second) = half(statement.action.as_slice())?;
    Some((Statement { action: first, ..statement.clone() }, Statement { action: second, ..statement.clone() }))
}

/// The statements with names of which each stands once.
fn numbered(statements: Vec<Statement>) -> Vec<Statement> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let name = |mut statement: Statement| {
        let plain = statement.sid.clone();
        let mut number = 1;
        while !taken.insert(statement.sid.clone()) {
            number += 1;
            statement.sid = format!("{plain}{number}");
        }
        statement
    };
    statements.into_iter().map(name).collect()
}

fn length(document: &PolicyDocument) -> usize {
    document.to_compact_json().chars().filter(|c| !c.is_whitespace()).count()
}
