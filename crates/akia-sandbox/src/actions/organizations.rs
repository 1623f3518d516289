//! AWS Organizations, as far as it is read: the organisation, its accounts, the tree of units, tags of accounts.
//!
//! Only the management account and delegated administrators may ask
//! (<https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html>).

use serde_json::{Value, json};

use super::{Answer, Context, Target};
use crate::failure::Failure;
use crate::mint;
use crate::organization::{Member, Organization, Unit};
use crate::state::Account;

/// The most that one answer of any list holds.
const MOST: i64 = 20;

pub(super) fn describe_organization(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("organizations:DescribeOrganization", &Target::any())?;
    // Members may ask for this one, too.
    let organization = context.state.organization.as_ref().ok_or_else(not_in_use)?;
    if !organization.members.contains_key(&context.caller.account) {
        return Err(not_in_use());
    }
    let management = context.state.account(&organization.management)?;
    let partition = management.partition.as_str();
    let (id, account) = (&organization.id, &management.id);
    let email = organization.members.get(account).map(|member| &member.email);
    Ok(Answer::Json(json!({ "Organization": {
        "Id": id,
        "Arn": format!("arn:{partition}:organizations::{account}:organization/{id}"),
        "FeatureSet": "ALL",
        "MasterAccountArn": format!("arn:{partition}:organizations::{account}:account/{id}/{account}"),
        "MasterAccountId": account,
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [],
    } })))
}

pub(super) fn list_accounts(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let organization = organization(context, "organizations:ListAccounts")?;
    let management = context.state.account(&organization.management)?;
    let members: Vec<(&String, &Member)> = organization.members.iter().collect();
    page(context, "Accounts", members, |(id, _)| id, |(id, member)| account(organization, management, id, member))
}

pub(super) fn list_accounts_for_parent(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let organization = organization(context, "organizations:ListAccountsForParent")?;
    let parent = parent(context, organization)?;
    let management = context.state.account(&organization.management)?;
    let members: Vec<(&String, &Member)> =
        organization.members.iter().filter(|(_, member)| member.parent == parent).collect();
    page(context, "Accounts", members, |(id, _)| id, |(id, member)| account(organization, management, id, member))
}

pub(super) fn list_roots(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let organization = organization(context, "organizations:ListRoots")?;
    let partition = context.state.account(&organization.management)?.partition.as_str();
    let (id, root, account) = (&organization.id, &organization.root, &organization.management);
    let arn = format!("arn:{partition}:organizations::{account}:root/{id}/{root}");
    Ok(Answer::Json(json!({ "Roots": [{ "Id": root, "Arn": arn, "Name": "Root", "PolicyTypes": [] }] })))
}

pub(super) fn list_organizational_units_for_parent(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let organization = organization(context, "organizations:ListOrganizationalUnitsForParent")?;
    let parent = parent(context, organization)?;
    let partition = context.state.account(&organization.management)?.partition.as_str();
    let units: Vec<(&String, &Unit)> = organization.units.iter().filter(|(_, unit)| unit.parent == parent).collect();
    let (id, account) = (&organization.id, &organization.management);
    let shown = |(unit_id, unit): &(&String, &Unit)| {
        let arn = format!("arn:{partition}:organizations::{account}:ou/{id}/{unit_id}");
        json!({ "Id": unit_id, "Arn": arn, "Name": unit.name })
    };
    page(context, "OrganizationalUnits", units, |(id, _)| id, shown)
}

pub(super) fn list_tags_for_resource(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let organization = organization(context, "organizations:ListTagsForResource")?;
    let asked = parameter(context, "ResourceId")?;
    let member = organization
        .members
        .get(asked)
        .ok_or_else(|| refusal("TargetNotFoundException", "You specified a target that doesn't exist."))?;
    let tags: Vec<(&String, &String)> = member.tags.iter().collect();
    page(context, "Tags", tags, |(key, _)| key, |(key, value)| json!({ "Key": key, "Value": value }))
}

/// The organisation, for those who may look at all of it.
fn organization<'c>(context: &'c Context<'_>, action: &str) -> Result<&'c Organization, Failure> {
    context.allow(action, &Target::any())?;
    let organization = context.state.organization.as_ref().ok_or_else(not_in_use)?;
    let caller = &context.caller.account;
    if organization.management == *caller || organization.delegated.contains(caller) {
        return Ok(organization);
    }
    Err(Failure::denied("You don't have permissions to access this resource."))
}

fn parent(context: &Context<'_>, organization: &Organization) -> Result<String, Failure> {
    let parent = parameter(context, "ParentId")?;
    if parent == organization.root || organization.units.contains_key(parent) {
        return Ok(parent.to_owned());
    }
    Err(refusal("ParentNotFoundException", "You specified parent that doesn't exist."))
}

fn parameter<'c>(context: &'c Context<'_>, name: &str) -> Result<&'c str, Failure> {
    let value = context.json.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    value.ok_or_else(|| refusal("InvalidInputException", "You provided invalid values for one or more parameters."))
}

fn account(organization: &Organization, management: &Account, id: &str, member: &Member) -> Value {
    let (partition, owner) = (management.partition.as_str(), &management.id);
    json!({
        "Id": id,
        "Arn": format!("arn:{partition}:organizations::{owner}:account/{}/{id}", organization.id),
        "Name": member.name,
        "Email": member.email,
        "Status": if member.state == "ACTIVE" { "ACTIVE" } else { "SUSPENDED" },
        "State": member.state,
        "JoinedMethod": if id == owner { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": member.joined_at.as_second(),
    })
}

/// One page: at most 20, in the order of the keys.
fn page<T>(
    context: &Context<'_>,
    list: &str,
    items: Vec<T>,
    key: impl Fn(&T) -> &str,
    shown: impl Fn(&T) -> Value,
) -> Result<Answer, Failure> {
    let field = |name: &str| context.json.as_ref().and_then(|body| body.get(name));
    let most = field("MaxResults").and_then(Value::as_i64).unwrap_or(MOST);
    if !(1..=MOST).contains(&most) {
        return Err(refusal("InvalidInputException", "You provided a value for MaxResults that is out of range."));
    }
    let most = usize::try_from(most).unwrap_or(1).min(context.state.options.page_size);
    let after = match field("NextToken").and_then(Value::as_str) {
        None => None,
        Some(token) => Some(
            mint::read_marker(token)
                .ok_or_else(|| refusal("InvalidInputException", "You provided an invalid NextToken."))?,
        ),
    };
    let mut rest = items.iter().filter(|item| after.as_deref().is_none_or(|after| key(item) > after));
    let these: Vec<&T> = rest.by_ref().take(most).collect();
    let mut answer = json!({ list: these.iter().map(|item| shown(item)).collect::<Vec<Value>>() });
    if let (Some(_), Some(last)) = (rest.next(), these.last()) {
        answer["NextToken"] = json!(mint::marker(key(last)));
    }
    Ok(Answer::Json(answer))
}

fn not_in_use() -> Failure {
    refusal("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}

fn refusal(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}
