//! The actions, one function each, in one list. An action that is not in the list does not exist.
//!
//! Every action first asks the policies ([`Context::allow`]) and then acts, as AWS does: who may not touch a user does
//! not learn whether it exists.

mod cloudtrail;
mod iam_account;
mod iam_groups;
mod iam_keys;
mod iam_policies;
mod iam_service_credentials;
mod iam_users;
mod organizations;
mod sts;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::iso8601;
use crate::failure::Failure;
use crate::policy::{self, Facts, Verdict};
use crate::query::{Page, Parameters};
use crate::service::Caller;
use crate::state::{Account, Identity, State};
use crate::xml::{Element, text};

/// A service that the sandbox plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Iam,
    Sts,
    CloudTrail,
    Organizations,
}

impl Service {
    /// The service's name in signatures and in policies.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::CloudTrail => "cloudtrail",
            Self::Organizations => "organizations",
        }
    }

    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::CloudTrail | Self::Organizations => "",
        }
    }

    pub(crate) fn speaks_json(self) -> bool {
        match self {
            Self::Iam | Self::Sts => false,
            Self::CloudTrail | Self::Organizations => true,
        }
    }
}

/// An action of a service.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) service: Service,
    pub(crate) read_only: bool,
    pub(crate) run: fn(&mut Context<'_>) -> Result<Answer, Failure>,
}

/// What an action answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The elements of the result; `None` for actions without one.
    Xml(Option<Vec<Element>>),
    Json(Value),
}

type Run = fn(&mut Context<'_>) -> Result<Answer, Failure>;

const fn reads(name: &'static str, run: Run) -> Action {
    Action { name, service: Service::Iam, read_only: true, run }
}

const fn writes(name: &'static str, run: Run) -> Action {
    Action { name, service: Service::Iam, read_only: false, run }
}

const fn organizations(name: &'static str, run: Run) -> Action {
    Action { name, service: Service::Organizations, read_only: true, run }
}

const fn sts(name: &'static str, run: Run) -> Action {
    Action { name, service: Service::Sts, read_only: true, run }
}

/// Every action, by service and subject.
static ACTIONS: &[Action] = &[
    reads("GetUser", iam_users::get_user),
    reads("ListUsers", iam_users::list_users),
    writes("CreateUser", iam_users::create_user),
    writes("DeleteUser", iam_users::delete_user),
    writes("TagUser", iam_users::tag_user),
    writes("UntagUser", iam_users::untag_user),
    reads("ListUserTags", iam_users::list_user_tags),
    writes("PutUserPermissionsBoundary", iam_users::put_user_permissions_boundary),
    writes("DeleteUserPermissionsBoundary", iam_users::delete_user_permissions_boundary),
    reads("GetLoginProfile", iam_users::get_login_profile),
    reads("ListMFADevices", iam_users::list_mfa_devices),
    reads("ListVirtualMFADevices", iam_users::list_virtual_mfa_devices),
    reads("ListAccessKeys", iam_keys::list_access_keys),
    writes("CreateAccessKey", iam_keys::create_access_key),
    writes("UpdateAccessKey", iam_keys::update_access_key),
    writes("DeleteAccessKey", iam_keys::delete_access_key),
    reads("GetAccessKeyLastUsed", iam_keys::get_access_key_last_used),
    writes("PutUserPolicy", iam_policies::put_user_policy),
    reads("GetUserPolicy", iam_policies::get_user_policy),
    reads("ListUserPolicies", iam_policies::list_user_policies),
    writes("DeleteUserPolicy", iam_policies::delete_user_policy),
    writes("CreatePolicy", iam_policies::create_policy),
    reads("GetPolicy", iam_policies::get_policy),
    reads("GetPolicyVersion", iam_policies::get_policy_version),
    writes("AttachUserPolicy", iam_policies::attach_user_policy),
    writes("DetachUserPolicy", iam_policies::detach_user_policy),
    reads("ListAttachedUserPolicies", iam_policies::list_attached_user_policies),
    reads("SimulatePrincipalPolicy", iam_policies::simulate_principal_policy),
    writes("CreateGroup", iam_groups::create_group),
    writes("AddUserToGroup", iam_groups::add_user_to_group),
    writes("RemoveUserFromGroup", iam_groups::remove_user_from_group),
    reads("ListGroupsForUser", iam_groups::list_groups_for_user),
    reads("GetGroup", iam_groups::get_group),
    writes("DeleteGroup", iam_groups::delete_group),
    writes("PutGroupPolicy", iam_groups::put_group_policy),
    reads("GetGroupPolicy", iam_groups::get_group_policy),
    reads("ListGroupPolicies", iam_groups::list_group_policies),
    writes("DeleteGroupPolicy", iam_groups::delete_group_policy),
    writes("AttachGroupPolicy", iam_groups::attach_group_policy),
    writes("DetachGroupPolicy", iam_groups::detach_group_policy),
    reads("ListAttachedGroupPolicies", iam_groups::list_attached_group_policies),
    reads("ListServiceSpecificCredentials", iam_service_credentials::list_service_specific_credentials),
    writes("CreateServiceSpecificCredential", iam_service_credentials::create_service_specific_credential),
    writes("DeleteServiceSpecificCredential", iam_service_credentials::delete_service_specific_credential),
    reads("GenerateCredentialReport", iam_account::generate_credential_report),
    reads("GetCredentialReport", iam_account::get_credential_report),
    reads("GetAccountSummary", iam_account::get_account_summary),
    reads("ListAccountAliases", iam_account::list_account_aliases),
    reads("GetAccountAuthorizationDetails", iam_account::get_account_authorization_details),
    sts("GetCallerIdentity", sts::get_caller_identity),
    sts("GetSessionToken", sts::get_session_token),
    sts("AssumeRole", sts::assume_role),
    sts("GetAccessKeyInfo", sts::get_access_key_info),
    Action { name: "LookupEvents", service: Service::CloudTrail, read_only: true, run: cloudtrail::lookup_events },
    organizations("DescribeOrganization", organizations::describe_organization),
    organizations("ListAccounts", organizations::list_accounts),
    organizations("ListAccountsForParent", organizations::list_accounts_for_parent),
    organizations("ListRoots", organizations::list_roots),
    organizations("ListOrganizationalUnitsForParent", organizations::list_organizational_units_for_parent),
    organizations("ListTagsForResource", organizations::list_tags_for_resource),
];

pub(crate) fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// What temporary credentials may not do, whatever the policies say
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>).
pub(crate) fn check_session(action: &Action, caller: &Caller) -> Result<(), Failure> {
    let Some((_, mfa_at)) = caller.session else { return Ok(()) };
    let is_session_token = match caller.identity {
        Identity::Root | Identity::User(_) => true,
        Identity::Role { .. } => false,
    };
    if action.name == "GetSessionToken" || (is_session_token && action.name == "GetAccessKeyInfo") {
        return Err(Failure::denied(format!("Cannot call {} with session credentials", action.name)));
    }
    if is_session_token && mfa_at.is_none() && action.service == Service::Iam {
        return Err(Failure::invalid_client_token_id());
    }
    Ok(())
}

/// What a call acts on, in the words of policies and of messages.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    arn: String,
    words: Option<String>,
    tags: BTreeMap<String, String>,
    /// The policy that is attached or detached.
    policy: Option<String>,
    /// The permissions boundary that is set, or taken off.
    boundary: Option<String>,
}

impl Target {
    /// For actions that take no resource.
    fn any() -> Self {
        Self { arn: "*".to_owned(), words: None, tags: BTreeMap::new(), policy: None, boundary: None }
    }

    fn arn(arn: impl Into<String>) -> Self {
        let arn = arn.into();
        Self { words: Some(arn.clone()), arn, ..Self::any() }
    }

    fn user(account: &Account, name: &str) -> Self {
        let user = account.users.get(name);
        Self {
            arn: user.map_or_else(|| account.arn(&format!("user/{name}")), |user| user.arn(account)),
            words: Some(format!("user {name}")),
            tags: user.map(|user| user.tags.clone()).unwrap_or_default(),
            policy: None,
            boundary: None,
        }
    }
}

/// A call that is being carried out.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) caller: &'a Caller,
    pub(crate) parameters: &'a Parameters,
    pub(crate) now: Timestamp,
    /// The body of a JSON call.
    pub(crate) json: Option<Value>,
    /// For the log: what was touched.
    pub(crate) resources: Vec<(String, String)>,
    /// For the log: what came of it, without secrets.
    pub(crate) response: Option<Value>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(state: &'a mut State, caller: &'a Caller, parameters: &'a Parameters, now: Timestamp) -> Self {
        Self { state, caller, parameters, now, json: None, resources: Vec::new(), response: None }
    }

    fn account(&self) -> Result<&Account, Failure> {
        self.state.account(&self.caller.account)
    }

    fn account_mut(&mut self) -> Result<&mut Account, Failure> {
        self.state.account_mut(&self.caller.account)
    }

    /// The user that a call is about: the one named, or the caller. `None`: the root user.
    fn subject(&self) -> Result<Option<String>, Failure> {
        match (self.parameters.find("UserName"), &self.caller.identity) {
            (Some(name), _) => Ok(Some(name.to_owned())),
            (None, Identity::User(name)) => Ok(Some(name.clone())),
            (None, Identity::Root) => Ok(None),
            (None, Identity::Role { .. }) => {
                Err(Failure::validation("Must specify userName when calling with non-User credentials"))
            }
        }
    }

    /// The user that a call is about, if the caller may do this to it.
    fn allowed_subject(&mut self, action: &str) -> Result<Option<String>, Failure> {
        let subject = self.subject()?;
        let account = self.account()?;
        let target = match &subject {
            Some(name) => Target::user(account, name),
            None => Target::arn(account.arn("root")),
        };
        self.allow(action, &target)?;
        self.touch_user(subject.as_deref());
        Ok(subject)
    }

    /// The user that must be named, if the caller may do this to it.
    fn allowed_user(&mut self, action: &str) -> Result<String, Failure> {
        let name = self.parameters.required("UserName")?.to_owned();
        let target = Target::user(self.account()?, &name);
        self.allow(action, &target)?;
        self.touch_user(Some(&name));
        Ok(name)
    }

    fn touch_user(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.resources.push(("AWS::IAM::User".to_owned(), name.to_owned()));
        }
    }

    fn touch_key(&mut self, id: &str) {
        self.resources.push(("AWS::IAM::AccessKey".to_owned(), id.to_owned()));
    }

    /// Asks the policies of the caller.
    fn allow(&self, action: &str, target: &Target) -> Result<(), Failure> {
        if self.caller.identity == Identity::Root {
            return Ok(());
        }
        let account = self.account()?;
        let arn = self.caller.arn(account);
        let facts = self.facts(account, target);
        let verdict = policy::judge(account.policies_of(&self.caller.identity), &arn, action, &target.arn, &facts);
        // A boundary grants nothing: what it does not allow is refused.
        if let (Verdict::Allowed, Some(boundary)) = (verdict, account.boundary_of(&self.caller.identity)) {
            match policy::judge([boundary], &arn, action, &target.arn, &facts) {
                Verdict::Allowed => {}
                Verdict::ExplicitlyDenied => {
                    return Err(self.denial(action, target, "with an explicit deny in a permissions boundary"));
                }
                Verdict::NotAllowed => {
                    let why = format!("because no permissions boundary allows the {action} action");
                    return Err(self.denial(action, target, &why));
                }
            }
        }
        match verdict {
            Verdict::Allowed => match &self.caller.session_policy {
                // A session may do what both allow.
                Some(policy) if policy::judge([policy], &arn, action, &target.arn, &facts) != Verdict::Allowed => {
                    Err(self.denial(action, target, &format!("because no session policy allows the {action} action")))
                }
                Some(_) | None => Ok(()),
            },
            Verdict::ExplicitlyDenied => {
                Err(self.denial(action, target, "with an explicit deny in an identity-based policy"))
            }
            Verdict::NotAllowed => {
                let why = format!("because no identity-based policy allows the {action} action");
                Err(self.denial(action, target, &why))
            }
        }
    }

    fn denial(&self, action: &str, target: &Target, why: &str) -> Failure {
        let arn = self.account().map(|account| self.caller.arn(account)).unwrap_or_default();
        let on = target.words.as_ref().map_or_else(String::new, |words| format!(" on resource: {words}"));
        Failure::denied(format!("User: {arn} is not authorized to perform: {action}{on} {why}"))
    }

    /// The condition keys of this call
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>).
    fn facts(&self, account: &Account, target: &Target) -> Facts {
        let mut facts = Facts::default();
        facts.text("aws:PrincipalArn", principal_arn(account, self.caller));
        facts.text("aws:PrincipalAccount", &account.id);
        facts.text("aws:userid", self.caller.unique_id(account));
        facts.text("aws:CurrentTime", iso8601(self.now));
        facts.number("aws:EpochTime", self.now.as_second());
        facts.text("aws:SourceIp", &self.caller.source_ip);
        facts.text("aws:UserAgent", &self.caller.user_agent);
        facts.text("aws:RequestedRegion", &self.caller.region);
        facts.truth("aws:SecureTransport", true);
        let kind = match &self.caller.identity {
            Identity::Root => "Account",
            Identity::User(name) => {
                facts.text("aws:username", name);
                for (key, value) in account.users.get(name).iter().flat_map(|user| &user.tags) {
                    facts.text(&format!("aws:PrincipalTag/{key}"), value);
                }
                "User"
            }
            Identity::Role { .. } => "AssumedRole",
        };
        facts.text("aws:PrincipalType", kind);
        if let Some((issued_at, mfa_at)) = self.caller.session {
            // Long-term keys have no such fact at all.
            facts.truth("aws:MultiFactorAuthPresent", mfa_at.is_some());
            facts.text("aws:TokenIssueTime", iso8601(issued_at));
            if let Some(mfa_at) = mfa_at {
                facts.number("aws:MultiFactorAuthAge", self.now.as_second() - mfa_at.as_second());
            }
        }
        if let Some(policy) = &target.policy {
            facts.text("iam:PolicyARN", policy);
        }
        if let Some(boundary) = &target.boundary {
            facts.text("iam:PermissionsBoundary", boundary);
        }
        for (key, value) in &target.tags {
            facts.text(&format!("aws:ResourceTag/{key}"), value);
            facts.text(&format!("iam:ResourceTag/{key}"), value);
        }
        facts
    }

    fn page<T>(&self, items: Vec<T>, key: impl Fn(&T) -> &str) -> Result<Page<T>, Failure> {
        self.parameters.page(items, key, self.state.options.page_size)
    }
}

/// A role's own ARN stands for its sessions.
fn principal_arn(account: &Account, caller: &Caller) -> String {
    match &caller.identity {
        Identity::Role { role, .. } => {
            let path = account.roles.get(role).map_or("/", |role| &role.path);
            account.arn(&format!("role{path}{role}"))
        }
        Identity::Root | Identity::User(_) => caller.arn(account),
    }
}

/// The end of a page: whether there is more, and where.
fn paging(marker: Option<String>) -> Vec<Element> {
    let mut elements = vec![text("IsTruncated", marker.is_some().to_string())];
    elements.extend(marker.map(|marker| text("Marker", marker)));
    elements
}

/// A policy as IAM gives it back: percent-encoded (RFC 3986).
fn encoded(document: &str) -> String {
    form_urlencoded::byte_serialize(document.as_bytes()).collect::<String>().replace('+', "%20").replace('*', "%2A")
}

fn nothing() -> Result<Answer, Failure> {
    Ok(Answer::Xml(None))
}

fn answer(elements: Vec<Element>) -> Result<Answer, Failure> {
    Ok(Answer::Xml(Some(elements)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_action_is_listed_twice() {
        let mut names: Vec<&str> = ACTIONS.iter().map(|action| action.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ACTIONS.len());
    }

    #[test]
    fn policies_are_encoded_without_plus() {
        assert_eq!(encoded("{\"a\": \"*+\"}"), "%7B%22a%22%3A%20%22%2A%2B%22%7D");
    }
}
