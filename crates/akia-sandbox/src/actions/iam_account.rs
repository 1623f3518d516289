//! IAM: the account as a whole: credential report, summary, aliases, authorization details.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;

use super::iam_groups::group_elements;
use super::iam_policies::{attached_elements, policy_elements, uses};
use super::iam_users::user_elements;
use super::{Answer, Context, Target, answer, encoded, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::policy::Document;
use crate::report::{Progress, Report};
use crate::state::Account;
use crate::xml::{Element, list, text, texts, tree};

pub(super) fn generate_credential_report(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("iam:GenerateCredentialReport", &Target::any())?;
    let now = context.now;
    let state = &mut *context.state;
    let options = &state.options;
    let account = state.accounts.get_mut(&context.caller.account).ok_or_else(Failure::invalid_client_token_id)?;
    let (takes, shuffled) = (options.report_takes, options.shuffled_report_slots);
    let progress = Report::generate(account, takes, shuffled, now, &options.propagation, &mut state.mint);
    let mut elements = Vec::new();
    let word = match progress {
        Progress::Started => {
            elements.push(text("Description", "No report exists. Starting a new report generation task"));
            "STARTED"
        }
        Progress::Underway => "INPROGRESS",
        Progress::Complete => "COMPLETE",
    };
    elements.insert(0, text("State", word));
    answer(elements)
}

pub(super) fn get_credential_report(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("iam:GetCredentialReport", &Target::any())?;
    let now = context.now;
    let state = &mut *context.state;
    let options = &state.options;
    let account = state.accounts.get_mut(&context.caller.account).ok_or_else(Failure::invalid_client_token_id)?;
    let shuffled = options.shuffled_report_slots;
    let (csv, made_at) = Report::read(account, shuffled, now, &options.propagation, &mut state.mint)?;
    answer(vec![
        text("Content", BASE64.encode(csv.as_bytes())),
        text("ReportFormat", "text/csv"),
        text("GeneratedTime", iso8601(made_at)),
    ])
}

pub(super) fn get_account_summary(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("iam:GetAccountSummary", &Target::any())?;
    let account = context.account()?;
    let own_policies = account.policies.keys().filter(|arn| !arn.contains(":aws:policy/")).count();
    let entries = [
        ("Users", account.users.len()),
        ("UsersQuota", 5000),
        ("Groups", account.groups.len()),
        ("GroupsQuota", 300),
        ("Roles", account.roles.len()),
        ("RolesQuota", 1000),
        ("Policies", own_policies),
        ("PoliciesQuota", 1500),
        ("MFADevices", account.devices.len()),
        ("MFADevicesInUse", account.devices.len()),
        ("AccountMFAEnabled", usize::from(account.devices_of(None).next().is_some())),
        ("AccountAccessKeysPresent", usize::from(!account.root.keys.is_empty())),
        ("AccountSigningCertificatesPresent", 0),
        ("AccessKeysPerUserQuota", 2),
        ("GroupsPerUserQuota", 10),
        ("AttachedPoliciesPerUserQuota", 10),
    ];
    let entry = |(key, value): (&str, usize)| tree("entry", vec![text("key", key), text("value", value.to_string())]);
    answer(vec![tree("SummaryMap", entries.into_iter().map(entry).collect())])
}

pub(super) fn list_account_aliases(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("iam:ListAccountAliases", &Target::any())?;
    let aliases: Vec<String> = context.account()?.alias.iter().cloned().collect();
    let page = context.page(aliases, |alias| alias)?;
    answer([vec![texts("AccountAliases", page.items)], paging(page.marker)].concat())
}

pub(super) fn get_account_authorization_details(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("iam:GetAccountAuthorizationDetails", &Target::any())?;
    let account = context.account()?;
    let filter = context.parameters.list("Filter");
    let mut details = Vec::new();
    details.extend(account.users.values().map(|user| {
        let mut elements = user_elements(user, account, true);
        elements.push(inline_list("UserPolicyList", &user.inline));
        elements.push(attached_list(account, &user.attached));
        elements.push(texts("GroupList", user.groups.iter().cloned()));
        Detail::new(Kind::User, &user.name, elements)
    }));
    details.extend(account.groups.values().map(|group| {
        let mut elements = group_elements(group, account);
        elements.push(inline_list("GroupPolicyList", &group.inline));
        elements.push(attached_list(account, &group.attached));
        Detail::new(Kind::Group, &group.name, elements)
    }));
    details.extend(account.roles.values().map(|role| {
        let elements = vec![
            text("Path", &role.path),
            text("RoleName", &role.name),
            text("RoleId", &role.id),
            text("Arn", account.arn(&format!("role{}{}", role.path, role.name))),
            text("CreateDate", iso8601(role.created_at)),
            text("AssumeRolePolicyDocument", encoded(&role.trust.text)),
            inline_list("RolePolicyList", &role.inline),
            attached_list(account, &role.attached),
        ];
        Detail::new(Kind::Role, &role.name, elements)
    }));
    // AWS's own policies appear only where they are attached.
    let used = account.policies.values().map(|policy| (policy, uses(account, &policy.arn)));
    details.extend(used.filter_map(|(policy, uses)| {
        let is_aws = policy.arn.contains(":aws:policy/");
        let kind = if is_aws { Kind::AwsManagedPolicy } else { Kind::LocalManagedPolicy };
        let version = vec![
            text("Document", encoded(&policy.document.text)),
            text("VersionId", "v1"),
            text("IsDefaultVersion", "true"),
            text("CreateDate", iso8601(policy.created_at)),
        ];
        let mut elements = policy_elements(policy, uses);
        elements.push(list("PolicyVersionList", [version]));
        (!is_aws || uses.attachments + uses.boundaries > 0).then(|| Detail::new(kind, &policy.arn, elements))
    }));
    details.retain(|detail| filter.is_empty() || filter.iter().any(|kind| kind == detail.kind.filter()));
    details.sort_by(|a, b| a.key.cmp(&b.key));
    let page = context.page(details, |detail| &detail.key)?;
    let mut lists: BTreeMap<&'static str, Vec<Vec<Element>>> =
        ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"].map(|name| (name, Vec::new())).into();
    for detail in page.items {
        lists.entry(detail.kind.list()).or_default().push(detail.elements);
    }
    let lists: Vec<Element> = lists.into_iter().map(|(name, items)| list(name, items)).collect();
    answer([lists, paging(page.marker)].concat())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    User,
    Group,
    Role,
    LocalManagedPolicy,
    AwsManagedPolicy,
}

impl Kind {
    fn filter(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Role => "Role",
            Self::LocalManagedPolicy => "LocalManagedPolicy",
            Self::AwsManagedPolicy => "AWSManagedPolicy",
        }
    }

    fn list(self) -> &'static str {
        match self {
            Self::User => "UserDetailList",
            Self::Group => "GroupDetailList",
            Self::Role => "RoleDetailList",
            Self::LocalManagedPolicy | Self::AwsManagedPolicy => "Policies",
        }
    }
}

struct Detail {
    kind: Kind,
    /// Unique over all kinds, so that pages can follow one another.
    key: String,
    elements: Vec<Element>,
}

impl Detail {
    fn new(kind: Kind, name: &str, elements: Vec<Element>) -> Self {
        Self { kind, key: format!("{}/{name}", kind.filter()), elements }
    }
}

fn inline_list(name: &'static str, inline: &BTreeMap<String, Document>) -> Element {
    let items = inline
        .iter()
        .map(|(name, document)| vec![text("PolicyName", name), text("PolicyDocument", encoded(&document.text))]);
    let items: Vec<Vec<Element>> = items.collect();
    list(name, items)
}

fn attached_list(account: &Account, arns: &BTreeSet<String>) -> Element {
    list("AttachedManagedPolicies", arns.iter().map(|arn| attached_elements(account, arn)))
}
