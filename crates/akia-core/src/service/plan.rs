//! What lacks of a service user, and what stands there and differs.
//!
//! Invariant: nothing that is there is changed unless the difference is named, and whoever asks has said to change it.

use std::collections::{BTreeMap, BTreeSet};

use super::diff::{DiffLine, diff};
use super::name::{BoundaryArn, IamPath};
use super::policy_file::parse_policy;
use crate::ids::{UserArn, UserName};
use crate::key::AccessKey;
use crate::policy::PolicyDocument;

/// The name of the policy on the group.
pub const POLICY_NAME: &str = "service-policy";

/// A service user as it is to be. The group has the user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceWish {
    /// User and group.
    pub user: UserName,
    /// The path of both.
    pub path: IamPath,
    /// The policy of the group.
    pub document: PolicyDocument,
    /// Tags that the user must have.
    pub tags: BTreeMap<String, String>,
    /// A tag that says who made the user; one that is there says so already.
    pub created_by: (String, String),
    /// Its permissions boundary.
    pub boundary: Option<BoundaryArn>,
}

/// What an account has of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceFound {
    /// The group.
    pub group: Option<GroupFound>,
    /// The user.
    pub user: Option<UserFound>,
}

/// A group that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupFound {
    /// Its path.
    pub path: String,
    /// Who is in it.
    pub members: BTreeSet<UserName>,
    /// The text of the policy of our name.
    pub policy: Option<String>,
    /// Other policies that it has: names of inline ones, ARNs of attached ones.
    pub other_policies: BTreeSet<String>,
}

/// A user that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFound {
    /// Its name and path.
    pub arn: UserArn,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its permissions boundary.
    pub boundary: Option<String>,
    /// Its groups.
    pub groups: BTreeSet<String>,
    /// Policies on the user itself: names of inline ones, ARNs of attached ones.
    pub policies: BTreeSet<String>,
    /// Whether it has a console password.
    pub has_console: bool,
    /// Its keys.
    pub keys: Vec<AccessKey>,
}

/// One call that changes something. Each can be taken back by what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `CreateGroup`.
    CreateGroup,
    /// `PutGroupPolicy`.
    PutGroupPolicy {
        /// The policy that stood there.
        before: Option<String>,
    },
    /// `CreateUser`, with path, tags and boundary.
    CreateUser,
    /// `PutUserPermissionsBoundary`.
    PutBoundary {
        /// The boundary that stood there.
        before: Option<String>,
    },
    /// `TagUser`.
    TagUser {
        /// The tags.
        tags: BTreeMap<String, String>,
        /// What stood there; nothing for those that are new.
        before: BTreeMap<String, String>,
    },
    /// `AddUserToGroup`.
    AddToGroup,
}

impl Change {
    /// Whether it writes over something.
    #[must_use]
    pub fn replaces(&self) -> bool {
        match self {
            Self::CreateGroup | Self::CreateUser | Self::AddToGroup => false,
            Self::PutGroupPolicy { before } | Self::PutBoundary { before } => before.is_some(),
            Self::TagUser { before, .. } => !before.is_empty(),
        }
    }
}

/// Something that stands there otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The policy of the group.
    Policy(Vec<DiffLine>),
    /// A tag.
    Tag {
        /// Its name.
        name: String,
        /// What it says.
        is: String,
        /// What it is to say.
        wanted: String,
    },
    /// The permissions boundary.
    Boundary {
        /// What it is.
        is: String,
        /// What it is to be.
        wanted: String,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In this order.
    pub changes: Vec<Change>,
    /// What the changes write over.
    pub differences: Vec<Difference>,
    /// What stands there otherwise and is never changed by this: a path is part of the ARN, which other policies name.
    pub fixed: Vec<String>,
    /// What a person should look at.
    pub notes: Vec<String>,
}

/// Compares.
#[must_use]
pub fn plan(wish: &ServiceWish, found: &ServiceFound) -> Plan {
    let mut plan = Plan::default();
    group(wish, found.group.as_ref(), &mut plan);
    match &found.user {
        None => plan.changes.push(Change::CreateUser),
        Some(user) => existing(wish, user, &mut plan),
    }
    if found.user.as_ref().is_none_or(|user| !contains(&user.groups, wish.user.as_str())) {
        plan.changes.push(Change::AddToGroup);
    }
    plan
}

fn group(wish: &ServiceWish, found: Option<&GroupFound>, plan: &mut Plan) {
    let name = &wish.user;
    let Some(group) = found else {
        plan.changes.extend([Change::CreateGroup, Change::PutGroupPolicy { before: None }]);
        return;
    };
    if group.path != wish.path.as_str() {
        plan.fixed.push(format!("group {name} has the path {} and not {}", group.path, wish.path));
    }
    let others: Vec<&str> = group.members.iter().filter(|member| *member != name).map(UserName::as_str).collect();
    if !others.is_empty() {
        plan.notes.push(format!("{} in group {name}, too, with the same rights", listed(&others, "is", "are")));
    }
    if !group.other_policies.is_empty() {
        let policies: Vec<&str> = group.other_policies.iter().map(String::as_str).collect();
        plan.notes.push(format!("group {name} has more rights than asked for: {}", policies.join(", ")));
    }
    let Some(before) = &group.policy else {
        plan.changes.push(Change::PutGroupPolicy { before: None });
        return;
    };
    // What somebody has put there may be of a form that akia does not read: then it differs.
    let stands = parse_policy(before).ok();
    if stands.as_ref() != Some(&wish.document) {
        let shown = stands.map_or_else(|| pretty(before), |document| document.to_pretty_json());
        plan.differences.push(Difference::Policy(diff(&shown, &wish.document.to_pretty_json())));
        plan.changes.push(Change::PutGroupPolicy { before: Some(before.clone()) });
    }
}

fn existing(wish: &ServiceWish, user: &UserFound, plan: &mut Plan) {
    let name = &wish.user;
    if user.arn.path != wish.path.as_str() {
        plan.fixed.push(format!("user {name} has the path {} and not {}", user.arn.path, wish.path));
    }
    if let Some(wanted) = &wish.boundary
        && user.boundary.as_deref() != Some(wanted.as_str())
    {
        if let Some(is) = &user.boundary {
            plan.differences.push(Difference::Boundary { is: is.clone(), wanted: wanted.to_string() });
        }
        plan.changes.push(Change::PutBoundary { before: user.boundary.clone() });
    }
    tags(wish, user, plan);
    if user.has_console {
        plan.notes
            .push(format!("user {name} can sign in to the console: aws iam delete-login-profile --user-name {name}"));
    }
    if !user.policies.is_empty() {
        let policies: Vec<&str> = user.policies.iter().map(String::as_str).collect();
        plan.notes
            .push(format!("user {name} has policies of its own beside those of the group: {}", policies.join(", ")));
    }
    let others: Vec<&str> =
        user.groups.iter().map(String::as_str).filter(|group| !group.eq_ignore_ascii_case(name.as_str())).collect();
    if !others.is_empty() {
        plan.notes.push(format!("user {name} has the rights of more groups: {}", others.join(", ")));
    }
}

/// Names of tags ignore case; a tag that is there keeps its spelling.
fn tags(wish: &ServiceWish, user: &UserFound, plan: &mut Plan) {
    let stands = |wanted: &str| user.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let (mut put, mut before) = (BTreeMap::new(), BTreeMap::new());
    for (name, wanted) in &wish.tags {
        match stands(name) {
            Some((_, is)) if is == wanted => {}
            Some((spelled, is)) => {
                let (name, is, wanted) = (spelled.clone(), is.clone(), wanted.clone());
                put.insert(name.clone(), wanted.clone());
                before.insert(name.clone(), is.clone());
                plan.differences.push(Difference::Tag { name, is, wanted });
            }
            None => _ = put.insert(name.clone(), wanted.clone()),
        }
    }
    if stands(&wish.created_by.0).is_none() {
        put.insert(wish.created_by.0.clone(), wish.created_by.1.clone());
    }
    if !put.is_empty() {
        plan.changes.push(Change::TagUser { tags: put, before });
    }
}

fn contains(names: &BTreeSet<String>, wanted: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
}

fn listed(names: &[&str], one: &str, many: &str) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { one } else { many })
}

/// JSON of any form, indented as ours is.
fn pretty(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text).map_or_else(|_| text.to_owned(), |value| format!("{value:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> ServiceWish {
        let policy = r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"A","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
        ServiceWish {
            user: "service-x".parse().unwrap(),
            path: "/service/".parse().unwrap(),
            document: parse_policy(policy).unwrap(),
            tags: [("owner", "ann"), ("service", "x")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            created_by: ("created-by".to_owned(), "bob".to_owned()),
            boundary: Some("arn:aws:iam::123456789012:policy/b".parse().unwrap()),
        }
    }

    /// Everything as it is wished for.
    fn whole() -> ServiceFound {
        let wish = wish();
        let mut tags = wish.tags.clone();
        tags.insert("created-by".to_owned(), "somebody else".to_owned());
        ServiceFound {
            group: Some(GroupFound {
                path: "/service/".to_owned(),
                members: [wish.user.clone()].into(),
                policy: Some(wish.document.to_compact_json()),
                other_policies: BTreeSet::new(),
            }),
            user: Some(UserFound {
                arn: "arn:aws:iam::123456789012:user/service/service-x".parse().unwrap(),
                tags,
                boundary: wish.boundary.map(|arn| arn.to_string()),
                groups: ["service-x".to_owned()].into(),
                policies: BTreeSet::new(),
                has_console: false,
                keys: Vec::new(),
            }),
        }
    }

    #[test]
    fn from_nothing_it_takes_four_calls() {
        let plan = plan(&wish(), &ServiceFound::default());
        let calls =
            [Change::CreateGroup, Change::PutGroupPolicy { before: None }, Change::CreateUser, Change::AddToGroup];
        assert_eq!(plan, Plan { changes: calls.into(), ..Plan::default() });
        assert!(!plan.changes.iter().any(Change::replaces));
    }

    #[test]
    fn what_is_whole_is_left_alone() {
        assert_eq!(plan(&wish(), &whole()), Plan::default());
        // In another spelling of the same policy, too.
        let mut other = whole();
        other.group.as_mut().unwrap().policy = Some(
            r#"{"Statement":{"Sid":"A","Resource":["arn:aws:s3:::b/*"],"Action":["s3:GetObject"],"Effect":"Allow"},"Version":"2012-10-17"}"#
                .to_owned(),
        );
        assert_eq!(plan(&wish(), &other), Plan::default());
    }

    #[test]
    fn what_lacks_is_completed() {
        let mut found = whole();
        let user = found.user.as_mut().unwrap();
        user.groups.clear();
        user.boundary = None;
        user.tags = BTreeMap::from([("Owner".to_owned(), "ann".to_owned())]);
        found.group.as_mut().unwrap().policy = None;
        let plan = plan(&wish(), &found);
        let tags = [("created-by", "bob"), ("service", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(
            plan.changes,
            [
                Change::PutGroupPolicy { before: None },
                Change::PutBoundary { before: None },
                Change::TagUser { tags: tags.into(), before: BTreeMap::new() },
                Change::AddToGroup,
            ]
        );
        assert!(plan.differences.is_empty() && !plan.changes.iter().any(Change::replaces));
    }

    #[test]
    fn what_differs_is_named_and_kept_for_an_undo() {
        let mut found = whole();
        let user = found.user.as_mut().unwrap();
        user.boundary = Some("arn:aws:iam::123456789012:policy/other".to_owned());
        user.tags.insert("owner".to_owned(), "eve".to_owned());
        let group = found.group.as_mut().unwrap();
        let before = wish().document.to_compact_json().replace("s3:GetObject", "s3:*");
        group.policy = Some(before.clone());
        let plan = plan(&wish(), &found);
        assert!(plan.changes.iter().all(Change::replaces), "{:?}", plan.changes);
        assert_eq!(plan.changes[0], Change::PutGroupPolicy { before: Some(before) });
        let [Difference::Policy(lines), Difference::Boundary { .. }, Difference::Tag { is, .. }] =
            &plan.differences[..]
        else {
            panic!("{:?}", plan.differences)
        };
        let changed: Vec<String> =
            lines.iter().filter(|one| !matches!(one, DiffLine::Same(_))).map(DiffLine::marked).collect();
        assert_eq!(changed.len(), 2, "{changed:?}");
        assert!(changed[0].starts_with("- ") && changed[0].contains("s3:*"), "{changed:?}");
        assert_eq!(is, "eve");
        // One that akia cannot read differs, and is shown as it stands.
        found.group.as_mut().unwrap().policy =
            Some(r#"{"Version":"2012-10-17","Statement":[{"NotAction":"x"}]}"#.to_owned());
        let Difference::Policy(lines) = &super::plan(&wish(), &found).differences[0] else { panic!() };
        assert!(lines.iter().any(|line| line.marked().contains("NotAction")), "{lines:?}");
    }

    #[test]
    fn more_than_was_asked_for_is_told() {
        let mut found = whole();
        let user = found.user.as_mut().unwrap();
        user.has_console = true;
        user.policies.insert("inline".to_owned());
        user.groups.insert("admins".to_owned());
        user.arn.path = "/".to_owned();
        let group = found.group.as_mut().unwrap();
        group.members.insert("eve".parse().unwrap());
        group.other_policies.insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
        group.path = "/".to_owned();
        let plan = plan(&wish(), &found);
        assert_eq!(
            (plan.changes.len(), plan.differences.len(), plan.fixed.len(), plan.notes.len()),
            (0, 0, 2, 5),
            "{plan:?}"
        );
    }
}
