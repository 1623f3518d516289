//! IAM: groups.

use std::collections::{BTreeMap, BTreeSet};

use super::iam_policies::attached_elements;
use super::iam_users::user_elements;
use super::{Answer, Context, Target, answer, encoded, nothing, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::policy::{Document, Use};
use crate::state::{Account, Group, User, check_name, check_path};
use crate::xml::{Element, list, text, texts, tree};

/// What the inline policies of a group may have together, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const INLINE_CHARACTERS: usize = 5_120;

pub(super) fn create_group(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.parameters.required("GroupName")?.to_owned();
    let path = context.parameters.find("Path").unwrap_or("/").to_owned();
    check_name("groupName", &name)?;
    check_path(&path)?;
    context.allow("iam:CreateGroup", &Target::arn(context.account()?.arn(&format!("group{path}{name}"))))?;
    let id = context.state.mint.unique_id("AGPA");
    let created_at = context.now;
    let account = context.account_mut()?;
    if account.groups.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
        return Err(Failure::already("Group", &name));
    }
    let group = Group { name, path, id, created_at, inline: BTreeMap::new(), attached: BTreeSet::new() };
    let elements = group_elements(&group, account);
    account.groups.insert(group.name.clone(), group);
    answer(vec![tree("Group", elements)])
}

pub(super) fn get_group(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = allowed_group(context, "iam:GetGroup")?;
    let account = context.account()?;
    let group = account.group(&name)?;
    let users: Vec<&User> = account.users.values().filter(|user| user.groups.contains(&name)).collect();
    let page = context.page(users, |user| &user.name)?;
    let users = list("Users", page.items.into_iter().map(|user| user_elements(user, account, false)));
    answer([vec![tree("Group", group_elements(group, account)), users], paging(page.marker)].concat())
}

pub(super) fn delete_group(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = allowed_group(context, "iam:DeleteGroup")?;
    let account = context.account_mut()?;
    let group = account.group(&name)?;
    let obstacles = [
        (account.users.values().any(|user| user.groups.contains(&name)), "remove users from group"),
        (!group.inline.is_empty(), "delete policies"),
        (!group.attached.is_empty(), "detach all policies"),
    ];
    if let Some((_, what)) = obstacles.iter().find(|(stands, _)| *stands) {
        return Err(Failure::new(409, "DeleteConflict", format!("Cannot delete entity, must {what} first.")));
    }
    account.groups.remove(&name);
    nothing()
}

pub(super) fn add_user_to_group(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let (group, user) = allowed_membership(context, "iam:AddUserToGroup")?;
    let account = context.account_mut()?;
    account.group_mut(&group)?;
    account.user_mut(&user)?.groups.insert(group);
    nothing()
}

pub(super) fn remove_user_from_group(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let (group, user) = allowed_membership(context, "iam:RemoveUserFromGroup")?;
    let account = context.account_mut()?;
    account.group_mut(&group)?;
    account.user_mut(&user)?.groups.remove(&group);
    nothing()
}

pub(super) fn list_groups_for_user(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:ListGroupsForUser")?;
    let account = context.account()?;
    let groups: Vec<&Group> =
        account.user(&name)?.groups.iter().filter_map(|group| account.groups.get(group)).collect();
    let page = context.page(groups, |group| &group.name)?;
    let groups = list("Groups", page.items.into_iter().map(|group| group_elements(group, account)));
    answer([vec![groups], paging(page.marker)].concat())
}

pub(super) fn put_group_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let group = allowed_group(context, "iam:PutGroupPolicy")?;
    let policy = context.parameters.required("PolicyName")?.to_owned();
    check_name("policyName", &policy)?;
    let document = Document::parse(context.parameters.required("PolicyDocument")?, Use::Identity)?;
    let held = context.account_mut()?.group_mut(&group)?;
    let others = held.inline.iter().filter(|(name, _)| **name != policy).map(|(_, document)| &document.text);
    let characters = |text: &String| text.chars().filter(|one| !one.is_whitespace()).count();
    if others.map(characters).sum::<usize>() + characters(&document.text) > INLINE_CHARACTERS {
        let message = format!("Maximum policy size of {INLINE_CHARACTERS} bytes exceeded for group {group}");
        return Err(Failure::new(409, "LimitExceeded", message));
    }
    held.inline.insert(policy, document);
    nothing()
}

pub(super) fn get_group_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let group = allowed_group(context, "iam:GetGroupPolicy")?;
    let policy = context.parameters.required("PolicyName")?;
    let held = context.account()?.group(&group)?;
    let document = held.inline.get(policy).ok_or_else(|| no_such_group_policy(policy))?;
    answer(vec![text("GroupName", group), text("PolicyName", policy), text("PolicyDocument", encoded(&document.text))])
}

pub(super) fn list_group_policies(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let group = allowed_group(context, "iam:ListGroupPolicies")?;
    let names: Vec<String> = context.account()?.group(&group)?.inline.keys().cloned().collect();
    let page = context.page(names, |name| name)?;
    answer([vec![texts("PolicyNames", page.items)], paging(page.marker)].concat())
}

pub(super) fn delete_group_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let group = allowed_group(context, "iam:DeleteGroupPolicy")?;
    let policy = context.parameters.required("PolicyName")?;
    let removed = context.account_mut()?.group_mut(&group)?.inline.remove(policy);
    removed.map(|_| Answer::Xml(None)).ok_or_else(|| no_such_group_policy(policy))
}

pub(super) fn attach_group_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let (group, arn) = allowed_to_attach(context, "iam:AttachGroupPolicy")?;
    let account = context.account_mut()?;
    account.group(&group)?;
    account.policy(&arn)?;
    account.group_mut(&group)?.attached.insert(arn);
    nothing()
}

pub(super) fn detach_group_policy(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let (group, arn) = allowed_to_attach(context, "iam:DetachGroupPolicy")?;
    if context.account_mut()?.group_mut(&group)?.attached.remove(&arn) {
        return nothing();
    }
    Err(Failure::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")))
}

pub(super) fn list_attached_group_policies(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let group = allowed_group(context, "iam:ListAttachedGroupPolicies")?;
    let account = context.account()?;
    let arns: Vec<&String> = account.group(&group)?.attached.iter().collect();
    let page = context.page(arns, |arn| arn)?;
    let policies = list("AttachedPolicies", page.items.into_iter().map(|arn| attached_elements(account, arn)));
    answer([vec![policies], paging(page.marker)].concat())
}

fn allowed_to_attach(context: &mut Context<'_>, action: &str) -> Result<(String, String), Failure> {
    let arn = context.parameters.required("PolicyArn")?.to_owned();
    let name = context.parameters.required("GroupName")?.to_owned();
    let target = Target { policy: Some(arn.clone()), ..group_target(context.account()?, &name) };
    context.allow(action, &target)?;
    Ok((name, arn))
}

fn no_such_group_policy(name: &str) -> Failure {
    Failure::new(404, "NoSuchEntity", format!("The group policy with name {name} cannot be found."))
}

fn allowed_membership(context: &mut Context<'_>, action: &str) -> Result<(String, String), Failure> {
    let group = allowed_group(context, action)?;
    let user = context.parameters.required("UserName")?.to_owned();
    context.touch_user(Some(&user));
    Ok((group, user))
}

fn allowed_group(context: &Context<'_>, action: &str) -> Result<String, Failure> {
    let name = context.parameters.required("GroupName")?.to_owned();
    context.allow(action, &group_target(context.account()?, &name))?;
    Ok(name)
}

fn group_target(account: &Account, name: &str) -> Target {
    let path = account.groups.get(name).map_or("/", |group| &group.path);
    Target { words: Some(format!("group {name}")), ..Target::arn(account.arn(&format!("group{path}{name}"))) }
}

pub(super) fn group_elements(group: &Group, account: &Account) -> Vec<Element> {
    vec![
        text("Path", &group.path),
        text("GroupName", &group.name),
        text("GroupId", &group.id),
        text("Arn", account.arn(&format!("group{}{}", group.path, group.name))),
        text("CreateDate", iso8601(group.created_at)),
    ]
}
