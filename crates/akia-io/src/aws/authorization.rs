//! Everything that decides over what one user may do, and the roles of its account: `iam:GetAccountAuthorizationDetails`, read whole.

use std::collections::BTreeMap;

use akia_core::contain::{Grant, Policies, Role};
use akia_core::ids::UserName;
use aws_sdk_iam::types::{AttachedPolicy, GroupDetail, PolicyDetail, UserDetail};
use serde_json::Value;

use super::account::{PAGE, decoded};
use super::caller::{Caller, Pages};
use super::error::AwsError;
use super::options::Service;

/// What a user may do, and the roles that there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorization {
    /// The user's; none where there is no such user.
    pub user: Option<Policies>,
    /// Every role of the account.
    pub roles: Vec<Role>,
}

impl Caller {
    /// `iam:GetAccountAuthorizationDetails`: the policies of a user with those of its groups, and all roles with theirs.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn authorization(&self, user: &UserName) -> Result<Authorization, AwsError> {
        let call = self.call(Service::Iam, "GetAccountAuthorizationDetails");
        let mut pages = Pages::new(&call);
        let mut found: Option<UserDetail> = None;
        let (mut groups, mut roles, mut documents) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        loop {
            let request = self.iam().get_account_authorization_details().max_items(PAGE).set_marker(pages.marker());
            let answer = self.send(&call, request.send()).await?;
            let is_user =
                |one: &&UserDetail| one.user_name().is_some_and(|name| name.eq_ignore_ascii_case(user.as_str()));
            found = answer.user_detail_list().iter().find(is_user).cloned().or(found);
            for group in answer.group_detail_list() {
                groups.insert(group.group_name().unwrap_or_default().to_owned(), group.clone());
            }
            roles.extend(answer.role_detail_list().iter().cloned());
            for policy in answer.policies() {
                let current = policy.policy_version_list().iter().find(|version| version.is_default_version());
                if let (Some(arn), Some(document)) = (policy.arn(), current.and_then(|version| version.document())) {
                    documents.insert(arn.to_owned(), document.to_owned());
                }
            }
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                break;
            }
        }
        let known = Documents(documents);
        let roles = roles.iter().filter_map(|role| {
            let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
            Some(Role {
                arn: role.arn()?.to_owned(),
                trust: parsed(role.assume_role_policy_document()?)?,
                policies: Policies {
                    grants: known.grants("", role.role_policy_list(), role.attached_managed_policies()),
                    boundary: boundary.map(|arn| known.managed("", arn)),
                },
            })
        });
        Ok(Authorization { roles: roles.collect(), user: found.map(|user| known.of_user(&user, &groups)) })
    }
}

/// The texts of managed policies, by ARN.
struct Documents(BTreeMap<String, String>);

impl Documents {
    fn of_user(&self, user: &UserDetail, groups: &BTreeMap<String, GroupDetail>) -> Policies {
        let mut grants = self.grants("", user.user_policy_list(), user.attached_managed_policies());
        for name in user.group_list() {
            let of = format!("group {name}, ");
            if let Some(group) = groups.get(name) {
                grants.extend(self.grants(&of, group.group_policy_list(), group.attached_managed_policies()));
            }
        }
        let boundary = user.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
        Policies { grants, boundary: boundary.map(|arn| self.managed("", arn)) }
    }

    fn grants(&self, of: &str, inline: &[PolicyDetail], attached: &[AttachedPolicy]) -> Vec<Grant> {
        let inline = inline.iter().map(|policy| Grant {
            source: format!("{of}inline policy {}", policy.policy_name().unwrap_or_default()),
            document: policy.policy_document().and_then(parsed),
        });
        let attached = attached.iter().filter_map(AttachedPolicy::policy_arn).map(|arn| self.managed(of, arn));
        inline.chain(attached).collect()
    }

    fn managed(&self, of: &str, arn: &str) -> Grant {
        Grant { source: format!("{of}{arn}"), document: self.0.get(arn).and_then(|text| parsed(text)) }
    }
}

fn parsed(document: &str) -> Option<Value> {
    serde_json::from_str(&decoded(document)).ok()
}
