//! How far a user reaches: what its policies may allow, which ways lead further, and which roles it may assume.
//!
//! A question of "may it at all, on anything?", for which no evaluator of single requests has an answer: each would have to be asked
//! about every resource there is. So statements are read for it: an `Allow` counts as far as it goes, and a `Deny` only where it
//! holds everywhere and always. What is said to be denied is; what is said to be allowed may still meet a narrower `Deny`, a
//! policy of the organisation, or a condition: it is an upper bound. Where AWS simulates it, what that denies is taken out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::escalation::METHODS;
use crate::estate::Known;
use crate::ids::UserArn;
use crate::rule::matches;

/// Roles that a chain is followed through.
const CHAIN_LIMIT: usize = 5;

/// A policy, and how it comes to whoever has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// In words: `inline policy x`, `group y, arn:…`.
    pub source: String,
    /// Its document; none where it could not be read.
    pub document: Option<Value>,
}

/// Everything that decides over what somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// Attached, inline, and those of groups.
    pub grants: Vec<Grant>,
    /// The permissions boundary.
    pub boundary: Option<Grant>,
}

/// A role of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Who may assume it.
    pub trust: Value,
    /// What it may do.
    pub policies: Policies,
}

/// How far an action is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowed {
    /// Not at all.
    No,
    /// On some resources, or under a condition.
    Partly,
    /// On every resource, always.
    Everywhere,
}

/// A way to more rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// The actions that it takes, all of which are allowed.
    pub actions: Vec<&'static str>,
    /// What it leads to.
    pub gives: &'static str,
    /// As far as the narrowest of them is allowed.
    pub allowed: Allowed,
}

/// A role that the user may assume, perhaps through others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleReach {
    /// The role.
    pub arn: String,
    /// The roles in between.
    pub through: Vec<String>,
    /// Whether its trust policy asks for something: an external id, MFA, an address.
    pub is_conditional: bool,
    /// Whether it may do everything.
    pub is_admin: bool,
}

/// How far a user reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Where its policies come from.
    pub policies: Vec<String>,
    /// Its permissions boundary.
    pub boundary: Option<String>,
    /// Whether it may do everything.
    pub is_admin: bool,
    /// The services that statements name; `*` for all.
    pub services: Vec<String>,
    /// Ways to more rights.
    pub escalations: Vec<Escalation>,
    /// Roles that it may assume.
    pub roles: Vec<RoleReach>,
    /// Actions of those ways that AWS's simulation denies; unknown where it could not be asked.
    pub denied_by_simulation: Known<Vec<String>>,
    /// What could not be read, and so may allow more.
    pub gaps: Vec<String>,
}

impl Reach {
    /// Of a user. `denied` are actions that AWS's simulation denies.
    #[must_use]
    pub fn of(user: &UserArn, policies: &Policies, roles: &[Role], denied: Known<Vec<String>>) -> Self {
        let is_denied = |action: &str| denied.told().is_some_and(|denied| denied.iter().any(|one| one == action));
        let may = |action: &str, is_of_others: bool| match is_of_others {
            _ if is_denied(action) => Allowed::No,
            true => policies.allowed_on_others(action, user),
            false => policies.allowed(action, None),
        };
        let escalation = |method: &super::escalation::Method| {
            let allowed = method.actions.iter().map(|action| may(action, method.is_of_others)).min()?;
            (allowed > Allowed::No).then(|| Escalation {
                actions: method.actions.to_vec(),
                gives: method.gives,
                allowed,
            })
        };
        let unread = policies.grants.iter().chain(&policies.boundary).filter(|grant| grant.document.is_none());
        Self {
            policies: policies.grants.iter().map(|grant| grant.source.clone()).collect(),
            boundary: policies.boundary.as_ref().map(|grant| grant.source.clone()),
            is_admin: policies.is_admin(),
            services: policies.services().into_iter().collect(),
            escalations: METHODS.iter().filter_map(escalation).collect(),
            roles: chains(user, policies, roles),
            gaps: unread.map(|grant| format!("the text of {} is not known", grant.source)).collect(),
            denied_by_simulation: denied,
        }
    }
}

impl Policies {
    /// How far an action is allowed: on that resource, or on any.
    #[must_use]
    pub fn allowed(&self, action: &str, resource: Option<&str>) -> Allowed {
        let own = level(&self.grants, action, resource);
        match &self.boundary {
            // What a boundary that cannot be read lets through is not known: the upper bound stays.
            Some(boundary) if boundary.document.is_some() => {
                own.min(level(std::slice::from_ref(boundary), action, resource))
            }
            Some(_) | None => own,
        }
    }

    /// The same on users other than this one: statements about the user itself do not count.
    fn allowed_on_others(&self, action: &str, user: &UserArn) -> Allowed {
        let own = user.to_string();
        let is_own = |statement: &Value| {
            let mut resources = many(&statement["Resource"]).filter_map(Value::as_str).peekable();
            resources.peek().is_some()
                && resources
                    .all(|one| one == own || one.ends_with("/${aws:username}") || one.ends_with("/${aws:userid}"))
        };
        let reduced = self.grants.iter().map(|grant| {
            let document = grant.document.as_ref().map(|document| {
                let statements = many(&document["Statement"]).filter(|one| !is_own(one)).cloned().collect();
                serde_json::json!({ "Statement": Value::Array(statements) })
            });
            Grant { source: grant.source.clone(), document }
        });
        Self { grants: reduced.collect(), boundary: self.boundary.clone() }.allowed(action, None)
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        let everything = |grants: &[Grant]| {
            statements(grants).any(|statement| {
                is_effect(statement, "Allow")
                    && !is_conditional(statement)
                    && has(statement, "Action", |action| action == "*" || action == "*:*")
                    && has(statement, "Resource", |resource| resource == "*")
            }) && !statements(grants).any(|statement| denies_everywhere(statement, "iam:PutUserPolicy"))
        };
        let is_bounded = self
            .boundary
            .as_ref()
            .is_some_and(|boundary| boundary.document.is_some() && !everything(std::slice::from_ref(boundary)));
        everything(&self.grants) && !is_bounded
    }

    /// Actions of all ways to more rights that the documents allow: what a simulation is asked about.
    #[must_use]
    pub fn questions(&self) -> Vec<&'static str> {
        let actions: BTreeSet<&str> = METHODS.iter().flat_map(|method| method.actions.iter().copied()).collect();
        actions.into_iter().filter(|action| self.allowed(action, None) > Allowed::No).collect()
    }

    fn services(&self) -> BTreeSet<String> {
        let allows = statements(&self.grants).filter(|statement| is_effect(statement, "Allow"));
        let mut services = BTreeSet::new();
        for statement in allows {
            if statement.get("NotAction").is_some() {
                services.insert("*".to_owned());
            }
            for action in many(&statement["Action"]).filter_map(Value::as_str) {
                services.insert(action.split(':').next().unwrap_or(action).to_lowercase());
            }
        }
        if services.contains("*") { BTreeSet::from(["*".to_owned()]) } else { services }
    }
}

fn level(grants: &[Grant], action: &str, resource: Option<&str>) -> Allowed {
    if statements(grants).any(|statement| denies_everywhere(statement, action)) {
        return Allowed::No;
    }
    let allows = statements(grants).filter(|statement| is_effect(statement, "Allow") && is_about(statement, action));
    let levels = allows.map(|statement| {
        let everywhere = has(statement, "Resource", |one| one == "*");
        let reaches = match resource {
            None => true,
            Some(resource) => {
                has(statement, "Resource", |one| matches(one, resource))
                    || statement.get("NotResource").is_some()
                        && !has(statement, "NotResource", |one| matches(one, resource))
            }
        };
        match (reaches, is_conditional(statement), everywhere || resource.is_some()) {
            (false, _, _) => Allowed::No,
            (true, false, true) => Allowed::Everywhere,
            (true, _, _) => Allowed::Partly,
        }
    });
    levels.max().unwrap_or(Allowed::No)
}

/// The roles that let the user in, and those that let these in.
fn chains(user: &UserArn, policies: &Policies, roles: &[Role]) -> Vec<RoleReach> {
    let root = format!("arn:{}:iam::{}:root", user.partition, user.account);
    let mut found: BTreeMap<&str, RoleReach> = BTreeMap::new();
    let mut open: Vec<(String, &Policies, Vec<String>)> = vec![(user.to_string(), policies, Vec::new())];
    while let Some((principal, policies, through)) = open.pop() {
        for role in roles.iter().filter(|role| role.arn != principal) {
            let Some(is_conditional) = lets_in(role, &principal, &root, user.account.as_str(), policies) else {
                continue;
            };
            if found.contains_key(role.arn.as_str()) {
                continue;
            }
            let reach = RoleReach {
                arn: role.arn.clone(),
                through: through.clone(),
                is_conditional,
                is_admin: role.policies.is_admin(),
            };
            found.insert(&role.arn, reach);
            if through.len() < CHAIN_LIMIT {
                let through = through.iter().cloned().chain([role.arn.clone()]).collect();
                open.insert(0, (role.arn.clone(), &role.policies, through));
            }
        }
    }
    found.into_values().collect()
}

/// Whether a role lets a principal of the account in, and whether under a condition.
fn lets_in(role: &Role, principal: &str, root: &str, account: &str, policies: &Policies) -> Option<bool> {
    const ASSUME: &str = "sts:AssumeRole";
    let may = policies.allowed(ASSUME, Some(&role.arn));
    let is_denied = statements(&policies.grants).any(|statement| denies_everywhere(statement, ASSUME));
    let trusts = many(&role.trust["Statement"]).filter(|one| is_effect(one, "Allow") && is_about(one, ASSUME));
    let entries = trusts.filter_map(|statement| {
        let names: Vec<&str> = match &statement["Principal"] {
            Value::String(everybody) => vec![everybody.as_str()],
            other => many(&other["AWS"]).filter_map(Value::as_str).collect(),
        };
        // A role of the account that names the principal needs no policy of the principal's own.
        let by_name = names.contains(&principal) && !is_denied;
        let by_account =
            names.iter().any(|name| *name == "*" || *name == root || *name == account) && may > Allowed::No;
        (by_name || by_account).then(|| is_conditional(statement) || !by_name && may == Allowed::Partly)
    });
    entries.min()
}

fn statements(grants: &[Grant]) -> impl Iterator<Item = &Value> {
    grants.iter().filter_map(|grant| grant.document.as_ref()).flat_map(|document| many(&document["Statement"]))
}

fn denies_everywhere(statement: &Value, action: &str) -> bool {
    is_effect(statement, "Deny")
        && is_about(statement, action)
        && !is_conditional(statement)
        && has(statement, "Resource", |resource| resource == "*")
}

fn is_effect(statement: &Value, effect: &str) -> bool {
    statement["Effect"] == effect
}

fn is_about(statement: &Value, action: &str) -> bool {
    match statement.get("NotAction") {
        Some(_) => !has(statement, "NotAction", |pattern| matches(pattern, action)),
        None => has(statement, "Action", |pattern| matches(pattern, action)),
    }
}

fn is_conditional(statement: &Value) -> bool {
    statement.get("Condition").is_some_and(|condition| !condition.as_object().is_some_and(serde_json::Map::is_empty))
}

fn has(statement: &Value, element: &str, fits: impl Fn(&str) -> bool) -> bool {
    many(&statement[element]).any(|one| one.as_str().is_some_and(&fits))
}

/// A value, or each of a list of values.
fn many(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice).iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policies(statements: Value) -> Policies {
        let document = Some(json!({ "Version": "2012-10-17", "Statement": statements }));
        Policies { grants: vec![Grant { source: "inline policy x".to_owned(), document }], boundary: None }
    }

    fn user() -> UserArn {
        "arn:aws:iam::111122223333:user/ann".parse().unwrap()
    }

    fn reach(policies: &Policies, roles: &[Role]) -> Reach {
        Reach::of(&user(), policies, roles, Known::Told(Vec::new()))
    }

    fn actions(reach: &Reach) -> Vec<&'static str> {
        reach.escalations.iter().map(|one| one.actions[0]).collect()
    }

    #[test]
    fn an_action_is_allowed_as_far_as_statements_go_and_denied_only_where_they_deny_all() {
        let allow = |resource: &str| json!([{ "Effect": "Allow", "Action": "iam:Put*", "Resource": resource }]);
        let of = |statements| policies(statements).allowed("iam:PutUserPolicy", None);
        assert_eq!(of(allow("*")), Allowed::Everywhere);
        assert_eq!(of(allow("arn:aws:iam::111122223333:user/bob")), Allowed::Partly);
        assert_eq!(of(json!([{ "Effect": "Allow", "NotAction": "s3:*", "Resource": "*" }])), Allowed::Everywhere);
        assert_eq!(of(json!([{ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }])), Allowed::No);
        let mfa = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
        assert_eq!(of(json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": mfa })), Allowed::Partly);
        let with_deny = |resource: &str| {
            json!([
                { "Effect": "Allow", "Action": "*", "Resource": "*" },
                { "Effect": "Deny", "Action": "iam:PutUserPolicy", "Resource": resource },
            ])
        };
        assert_eq!(of(with_deny("*")), Allowed::No);
        assert_eq!(of(with_deny("arn:aws:iam::111122223333:user/bob")), Allowed::Everywhere, "an upper bound");
    }

    #[test]
    fn a_boundary_narrows_and_one_that_cannot_be_read_does_not() {
        let mut bounded = policies(json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
        assert!(bounded.is_admin());
        let boundary = |document| Some(Grant { source: "boundary".to_owned(), document });
        let s3 = json!({ "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] });
        bounded.boundary = boundary(Some(s3));
        assert!(!bounded.is_admin());
        assert_eq!(bounded.allowed("iam:PutUserPolicy", None), Allowed::No);
        assert_eq!(bounded.allowed("s3:GetObject", None), Allowed::Everywhere);
        bounded.boundary = boundary(None);
        assert_eq!(bounded.allowed("iam:PutUserPolicy", None), Allowed::Everywhere);
        assert_eq!(reach(&bounded, &[]).gaps, ["the text of boundary is not known"]);
    }

    #[test]
    fn a_way_takes_all_of_its_actions_and_what_a_simulation_denies_is_none() {
        let some = policies(json!([
            { "Effect": "Allow", "Action": ["iam:PassRole", "iam:CreateAccessKey"], "Resource": "*" },
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" },
        ]));
        assert_eq!(actions(&reach(&some, &[])), ["iam:CreateAccessKey"]);
        assert_eq!(reach(&some, &[]).services, ["iam", "s3"]);
        let both =
            policies(json!({ "Effect": "Allow", "Action": ["iam:PassRole", "ec2:RunInstances"], "Resource": "*" }));
        assert_eq!(actions(&reach(&both, &[])), ["iam:PassRole"]);
        assert_eq!(both.questions(), ["ec2:RunInstances", "iam:PassRole"]);
        let denied = Known::Told(vec!["ec2:RunInstances".to_owned()]);
        assert_eq!(Reach::of(&user(), &both, &[], denied).escalations, []);
        let admin = policies(json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
        assert_eq!(reach(&admin, &[]).escalations.len(), METHODS.len());
        assert_eq!(reach(&admin, &[]).services, ["*"]);
    }

    #[test]
    fn whoever_may_change_only_its_own_keys_gains_nothing_by_it() {
        let on = |resource: &str| {
            let statement = json!({ "Effect": "Allow", "Action": "iam:*AccessKey", "Resource": resource });
            actions(&reach(&policies(statement), &[]))
        };
        assert!(on("arn:aws:iam::*:user/${aws:username}").is_empty());
        assert!(on("arn:aws:iam::111122223333:user/ann").is_empty());
        assert_eq!(on("arn:aws:iam::111122223333:user/a*"), ["iam:CreateAccessKey"]);
    }

    #[test]
    fn roles_are_followed_through_roles() {
        let role = |name: &str, principal: &str, allow: Value| Role {
            arn: format!("arn:aws:iam::111122223333:role/{name}"),
            trust: json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" }] }),
            policies: policies(json!([{ "Effect": "Allow", "Action": allow, "Resource": "*" }])),
        };
        let root = "arn:aws:iam::111122223333:root";
        let roles = [
            role("named", "arn:aws:iam::111122223333:user/ann", json!("s3:*")),
            role("by-account", root, json!("*")),
            role("second", "arn:aws:iam::111122223333:role/named", json!("*")),
            role("other", "arn:aws:iam::111122223333:user/bob", json!("*")),
        ];
        let none = policies(json!([]));
        let reached: Vec<(String, usize, bool)> = reach(&none, &roles)
            .roles
            .into_iter()
            .map(|one| (one.arn.rsplit('/').next().unwrap().to_owned(), one.through.len(), one.is_admin))
            .collect();
        let expected = [("by-account", 2, true), ("named", 0, false), ("second", 1, true)];
        assert_eq!(reached, expected.map(|(name, through, is_admin)| (name.to_owned(), through, is_admin)));
        let some = policies(json!({ "Effect": "Allow", "Action": "sts:*", "Resource": "arn:aws:iam::*:role/by-*" }));
        let arns: Vec<String> = reach(&some, &roles).roles.into_iter().map(|one| one.arn).collect();
        assert!(arns.iter().any(|arn| arn.ends_with("by-account")), "{arns:?}");
        let denied = policies(json!({ "Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*" }));
        assert_eq!(reach(&denied, &roles).roles, []);
    }
}
