//! IAM: inline and managed policies of users, and simulation.

use super::iam_users::identity_of_arn;
use super::{Answer, Context, Target, answer, encoded, nothing, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::policy::{self, Document, Facts, Use, Verdict};
use crate::state::{Account, Identity, ManagedPolicy, check_name, check_path};
use crate::xml::{Element, list, text, texts, tree};

pub(super) fn put_user_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:PutUserPolicy")?;
    let policy = context.parameters.required("PolicyName")?.to_owned();
    check_name("policyName", &policy)?;
    let document = Document::parse(context.parameters.required("PolicyDocument")?, Use::Identity)?;
    context.account_mut()?.user_mut(&name)?.inline.insert(policy, document);
    nothing()
}

pub(super) fn get_user_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:GetUserPolicy")?;
    let policy = context.parameters.required("PolicyName")?;
    let user = context.account()?.user(&name)?;
    let document = user.inline.get(policy).ok_or_else(|| no_such_user_policy(policy))?;
    answer(vec![text("UserName", name), text("PolicyName", policy), text("PolicyDocument", encoded(&document.text))])
}

pub(super) fn list_user_policies(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:ListUserPolicies")?;
    let names: Vec<String> = context.account()?.user(&name)?.inline.keys().cloned().collect();
    let page = context.page(names, |name| name)?;
    answer([vec![texts("PolicyNames", page.items)], paging(page.marker)].concat())
}

pub(super) fn delete_user_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:DeleteUserPolicy")?;
    let policy = context.parameters.required("PolicyName")?;
    let removed = context.account_mut()?.user_mut(&name)?.inline.remove(policy);
    removed.map(|_| Answer::Xml(None)).ok_or_else(|| no_such_user_policy(policy))
}

pub(super) fn create_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.parameters.required("PolicyName")?.to_owned();
    let path = context.parameters.find("Path").unwrap_or("/").to_owned();
    check_name("policyName", &name)?;
    check_path(&path)?;
    let arn = context.account()?.arn(&format!("policy{path}{name}"));
    context.allow("iam:CreatePolicy", &Target::arn(&arn))?;
    let document = Document::parse(context.parameters.required("PolicyDocument")?, Use::Identity)?;
    let id = context.state.mint.unique_id("ANPA");
    let created_at = context.now;
    let account = context.account_mut()?;
    if account.policies.contains_key(&arn) {
        return Err(Failure::already("A policy", &name));
    }
    let policy = ManagedPolicy { arn: arn.clone(), name, path, id, created_at, document };
    let elements = policy_elements(&policy, Uses::default());
    account.policies.insert(arn, policy);
    answer(vec![tree("Policy", elements)])
}

pub(super) fn get_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let arn = context.parameters.required("PolicyArn")?.to_owned();
    context.allow("iam:GetPolicy", &Target::arn(&arn))?;
    let account = context.account()?;
    answer(vec![tree("Policy", policy_elements(account.policy(&arn)?, uses(account, &arn)))])
}

pub(super) fn get_policy_version(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let arn = context.parameters.required("PolicyArn")?.to_owned();
    context.allow("iam:GetPolicyVersion", &Target::arn(&arn))?;
    let version = context.parameters.required("VersionId")?;
    let policy = context.account()?.policy(&arn)?;
    if version != "v1" {
        let message = format!("Policy {arn} version {version} does not exist or is not attachable.");
        return Err(Failure::new(404, "NoSuchEntity", message));
    }
    let elements = vec![
        text("Document", encoded(&policy.document.text)),
        text("VersionId", "v1"),
        text("IsDefaultVersion", "true"),
        text("CreateDate", iso8601(policy.created_at)),
    ];
    answer(vec![tree("PolicyVersion", elements)])
}

/// The user and the policy, where the caller may.
fn allowed_to_attach(context: &mut Context<'_>, action: &str) -> Result<(String, String), Failure> {
    let name = context.parameters.required("UserName")?.to_owned();
    let arn = context.parameters.required("PolicyArn")?.to_owned();
    let target = Target { policy: Some(arn.clone()), ..Target::user(context.account()?, &name) };
    context.allow(action, &target)?;
    context.touch_user(Some(&name));
    Ok((name, arn))
}

pub(super) fn attach_user_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let (name, arn) = allowed_to_attach(context, "iam:AttachUserPolicy")?;
    let account = context.account_mut()?;
    account.user(&name)?;
    account.policy(&arn)?;
    account.user_mut(&name)?.attached.insert(arn);
    nothing()
}

pub(super) fn detach_user_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let (name, arn) = allowed_to_attach(context, "iam:DetachUserPolicy")?;
    if context.account_mut()?.user_mut(&name)?.attached.remove(&arn) {
        return nothing();
    }
    Err(Failure::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")))
}

pub(super) fn list_attached_user_policies(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:ListAttachedUserPolicies")?;
    let account = context.account()?;
    let arns: Vec<&String> = account.user(&name)?.attached.iter().collect();
    let page = context.page(arns, |arn| arn)?;
    let policies = list("AttachedPolicies", page.items.into_iter().map(|arn| attached_elements(account, arn)));
    answer([vec![policies], paging(page.marker)].concat())
}

/// Simulates with the facts that the caller gives, and the source's own name; nothing else of a real call.
pub(super) fn simulate_principal_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let source = context.parameters.required("PolicySourceArn")?.to_owned();
    context.allow("iam:SimulatePrincipalPolicy", &Target::arn(&source))?;
    let account = context.account()?;
    let missing = || Failure::new(404, "NoSuchEntity", format!("{source} cannot be found."));
    let identity = identity_of_arn(account, &source).ok_or_else(missing)?;
    let actions = context.parameters.list("ActionNames");
    if actions.is_empty() {
        return Err(Failure::missing("ActionNames"));
    }
    let mut resources = context.parameters.list("ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let facts = simulated_facts(context, &identity);
    let documents = account.policies_of(&identity);
    let mut unknown: Vec<String> = documents.iter().flat_map(|document| document.condition_keys()).collect();
    unknown.sort();
    unknown.dedup();
    unknown.retain(|key| !facts.has(key));
    let mut results = Vec::new();
    for action in &actions {
        for resource in &resources {
            let verdict = policy::judge(documents.iter().copied(), &source, action, resource, &facts);
            let bounded =
                account.boundary_of(&identity).map(|one| policy::judge([one], &source, action, resource, &facts));
            let decision = match (verdict, bounded) {
                (Verdict::Allowed, Some(bounded)) => bounded,
                (verdict, _) => verdict,
            };
            let decision = match decision {
                Verdict::Allowed => "allowed",
                Verdict::ExplicitlyDenied => "explicitDeny",
                Verdict::NotAllowed => "implicitDeny",
            };
            results.push(vec![
                text("EvalActionName", action),
                text("EvalResourceName", resource),
                text("EvalDecision", decision),
                tree("MatchedStatements", Vec::new()),
                texts("MissingContextValues", unknown.iter().cloned()),
            ]);
        }
    }
    answer([vec![list("EvaluationResults", results)], paging(None)].concat())
}

fn simulated_facts(context: &Context<'_>, identity: &Identity) -> Facts {
    let mut facts = Facts::default();
    if let Identity::User(name) = identity {
        facts.text("aws:username", name);
    }
    for index in 1.. {
        let field = |field| context.parameters.field("ContextEntries", index, field);
        let (Some(key), Some(kind)) = (field("ContextKeyName"), field("ContextKeyType")) else { break };
        let Some(value) = field("ContextKeyValues.member.1") else { continue };
        match kind {
            "boolean" => facts.truth(key, value.eq_ignore_ascii_case("true")),
            "numeric" => facts.number(key, value.parse().unwrap_or_default()),
            _ => facts.text(key, value),
        }
    }
    facts
}

pub(super) fn attached_elements(account: &Account, arn: &str) -> Vec<Element> {
    let name = account.policies.get(arn).map_or("", |policy| &policy.name);
    vec![text("PolicyName", name), text("PolicyArn", arn)]
}

pub(super) fn policy_elements(policy: &ManagedPolicy, uses: Uses) -> Vec<Element> {
    vec![
        text("PolicyName", &policy.name),
        text("PolicyId", &policy.id),
        text("Arn", &policy.arn),
        text("Path", &policy.path),
        text("DefaultVersionId", "v1"),
        text("AttachmentCount", uses.attachments.to_string()),
        text("PermissionsBoundaryUsageCount", uses.boundaries.to_string()),
        text("IsAttachable", "true"),
        text("CreateDate", iso8601(policy.created_at)),
        text("UpdateDate", iso8601(policy.created_at)),
    ]
}

/// How often a managed policy is used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uses {
    pub(super) attachments: usize,
    pub(super) boundaries: usize,
}

pub(super) fn uses(account: &Account, arn: &str) -> Uses {
    let users = account.users.values().filter(|user| user.attached.contains(arn)).count();
    let groups = account.groups.values().filter(|group| group.attached.contains(arn)).count();
    let roles = account.roles.values().filter(|role| role.attached.contains(arn)).count();
    let boundaries = account.users.values().filter(|user| user.boundary.as_deref() == Some(arn)).count();
    Uses { attachments: users + groups + roles, boundaries }
}

fn no_such_user_policy(name: &str) -> Failure {
    Failure::new(404, "NoSuchEntity", format!("The user policy with name {name} cannot be found."))
}
