//! IAM: groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Context, Target, answer, nothing, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::policy::{Document, Use};
use crate::state::{Account, Group, check_name, check_path};
use crate::xml::{Element, list, text, tree};

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
    context.account_mut()?.group_mut(&group)?.inline.insert(policy, document);
    nothing()
}

fn allowed_membership(context: &mut Context<'_>, action: &str) -> Result<(String, String), Failure> {
    let group = allowed_group(context, action)?;
    let user = context.parameters.required("UserName")?.to_owned();
    context.touch_user(Some(&user));
    Ok((group, user))
}

fn allowed_group(context: &Context<'_>, action: &str) -> Result<String, Failure> {
    let name = context.parameters.required("GroupName")?.to_owned();
    let account = context.account()?;
    let path = account.groups.get(&name).map_or("/", |group| &group.path);
    let target =
        Target { words: Some(format!("group {name}")), ..Target::arn(account.arn(&format!("group{path}{name}"))) };
    context.allow(action, &target)?;
    Ok(name)
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
