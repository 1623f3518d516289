//! IAM: users, their tags, console passwords and MFA devices.

use super::{Answer, Context, Target, answer, nothing, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::state::{Account, Device, Identity, User};
use crate::xml::{Element, list, text, tree};

pub(super) fn get_user(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:GetUser")?;
    let account = context.account()?;
    let user = match subject {
        Some(name) => user_elements(account.user(&name)?, account, true),
        None => {
            let mut root = vec![text("Arn", account.arn("root")), text("UserId", &account.id)];
            root.push(text("CreateDate", iso8601(account.created_at)));
            root
        }
    };
    answer(vec![tree("User", user)])
}

pub(super) fn list_users(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let prefix = context.parameters.find("PathPrefix").unwrap_or("/").to_owned();
    context.allow("iam:ListUsers", &Target::arn(context.account()?.arn(&format!("user{prefix}"))))?;
    let account = context.account()?;
    let users: Vec<&User> = account.users.values().filter(|user| user.path.starts_with(&prefix)).collect();
    let page = context.page(users, |user| &user.name)?;
    let users = list("Users", page.items.into_iter().map(|user| user_elements(user, account, false)));
    answer([vec![users], paging(page.marker)].concat())
}

pub(super) fn create_user(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.parameters.required("UserName")?.to_owned();
    let path = context.parameters.find("Path").unwrap_or("/").to_owned();
    let boundary = context.parameters.find("PermissionsBoundary").map(str::to_owned);
    let target = Target {
        arn: context.account()?.arn(&format!("user{path}{name}")),
        boundary: boundary.clone(),
        ..Target::user(context.account()?, &name)
    };
    context.allow("iam:CreateUser", &target)?;
    context.touch_user(Some(&name));
    let tags = tags(context);
    if let Some(arn) = &boundary {
        context.account()?.policy(arn)?;
    }
    let now = context.now;
    context.state.add_user(&context.caller.account, &name, &path, now)?;
    let user = context.account_mut()?.user_mut(&name)?;
    user.tags.extend(tags);
    user.boundary = boundary;
    let account = context.account()?;
    answer(vec![tree("User", user_elements(account.user(&name)?, account, true))])
}

pub(super) fn delete_user(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:DeleteUser")?;
    let account = context.account_mut()?;
    let user = account.user(&name)?;
    let obstacles = [
        (!user.principal.keys.is_empty(), "delete access keys"),
        (!user.inline.is_empty(), "delete policies"),
        (!user.attached.is_empty(), "detach all policies"),
        (!user.groups.is_empty(), "remove users from group"),
        (user.principal.login.is_some(), "delete login profile"),
        (account.devices_of(Some(&name)).next().is_some(), "delete MFA device"),
    ];
    if let Some((_, what)) = obstacles.iter().find(|(stands, _)| *stands) {
        return Err(Failure::new(409, "DeleteConflict", format!("Cannot delete entity, must {what} first.")));
    }
    account.users.remove(&name);
    // Another user of the same name inherits nothing.
    let was = (context.caller.account.clone(), Identity::User(name.clone()));
    context.state.sessions.retain(|_, session| (&session.account, &session.identity) != (&was.0, &was.1));
    context.state.ghosts.retain(|_, (account, user, _)| (&*account, user.as_ref()) != (&was.0, Some(&name)));
    nothing()
}

pub(super) fn tag_user(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:TagUser")?;
    let tags = tags(context);
    let user = context.account_mut()?.user_mut(&name)?;
    user.tags.extend(tags);
    if user.tags.len() > 50 {
        return Err(Failure::new(409, "LimitExceeded", "The number of tags has reached the maximum limit."));
    }
    nothing()
}

pub(super) fn untag_user(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:UntagUser")?;
    let keys = context.parameters.list("TagKeys");
    context.account_mut()?.user_mut(&name)?.tags.retain(|key, _| !keys.contains(key));
    nothing()
}

pub(super) fn put_user_permissions_boundary(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.parameters.required("UserName")?.to_owned();
    let arn = context.parameters.required("PermissionsBoundary")?.to_owned();
    let target = Target { boundary: Some(arn.clone()), ..Target::user(context.account()?, &name) };
    context.allow("iam:PutUserPermissionsBoundary", &target)?;
    context.touch_user(Some(&name));
    let account = context.account_mut()?;
    account.user(&name)?;
    account.policy(&arn)?;
    account.user_mut(&name)?.boundary = Some(arn);
    nothing()
}

pub(super) fn delete_user_permissions_boundary(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.parameters.required("UserName")?.to_owned();
    let account = context.account()?;
    let boundary = account.users.get(&name).and_then(|user| user.boundary.clone());
    context.allow("iam:DeleteUserPermissionsBoundary", &Target { boundary, ..Target::user(account, &name) })?;
    context.touch_user(Some(&name));
    context.account_mut()?.user_mut(&name)?.boundary = None;
    nothing()
}

pub(super) fn list_user_tags(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let name = context.allowed_user("iam:ListUserTags")?;
    let tags: Vec<(&String, &String)> = context.account()?.user(&name)?.tags.iter().collect();
    let page = context.page(tags, |(key, _)| key)?;
    answer([vec![tag_list(page.items)], paging(page.marker)].concat())
}

pub(super) fn get_login_profile(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:GetLoginProfile")?;
    let missing =
        |name: &str| Failure::new(404, "NoSuchEntity", format!("Login Profile for User {name} cannot be found."));
    let name = subject.ok_or_else(|| missing("root"))?;
    let login = context.account()?.user(&name)?.principal.login.clone().ok_or_else(|| missing(&name))?;
    let profile = vec![
        text("UserName", name),
        text("CreateDate", iso8601(login.created_at)),
        text("PasswordResetRequired", "false"),
    ];
    answer(vec![tree("LoginProfile", profile)])
}

pub(super) fn list_mfa_devices(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:ListMFADevices")?;
    let account = context.account()?;
    account.principal(subject.as_deref())?;
    let devices: Vec<&Device> = account.devices_of(subject.as_deref()).collect();
    let page = context.page(devices, |device| &device.serial)?;
    let devices = list(
        "MFADevices",
        page.items.into_iter().map(|device| {
            let mut elements =
                vec![text("SerialNumber", &device.serial), text("EnableDate", iso8601(device.enabled_at))];
            elements.extend(device.user.as_ref().map(|user| text("UserName", user)));
            elements
        }),
    );
    answer([vec![devices], paging(page.marker)].concat())
}

pub(super) fn list_virtual_mfa_devices(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("iam:ListVirtualMFADevices", &Target::arn(context.account()?.arn("mfa/")))?;
    let account = context.account()?;
    // The sandbox keeps no device that is not assigned.
    let is_empty = context.parameters.find("AssignmentStatus") == Some("Unassigned");
    let devices: Vec<&Device> = account.devices.values().filter(|_| !is_empty).collect();
    let page = context.page(devices, |device| &device.serial)?;
    let devices = list(
        "VirtualMFADevices",
        page.items.into_iter().map(|device| {
            let user = match device.user.as_ref().and_then(|name| account.users.get(name)) {
                Some(user) => user_elements(user, account, false),
                None => vec![text("Arn", account.arn("root")), text("UserId", &account.id)],
            };
            vec![
                text("SerialNumber", &device.serial),
                tree("User", user),
                text("EnableDate", iso8601(device.enabled_at)),
            ]
        }),
    );
    answer([vec![devices], paging(page.marker)].concat())
}

/// A user as lists show it; `GetUser` and `CreateUser` add the tags and the boundary.
pub(super) fn user_elements(user: &User, account: &Account, is_whole: bool) -> Vec<Element> {
    let mut elements = vec![
        text("Path", &user.path),
        text("UserName", &user.name),
        text("UserId", &user.id),
        text("Arn", user.arn(account)),
        text("CreateDate", iso8601(user.created_at)),
    ];
    let last_login = user.principal.login.as_ref().and_then(|login| login.last_used);
    elements.extend(last_login.map(|at| text("PasswordLastUsed", iso8601(at))));
    if is_whole && !user.tags.is_empty() {
        elements.push(tag_list(user.tags.iter()));
    }
    if let (true, Some(arn)) = (is_whole, &user.boundary) {
        let kind = text("PermissionsBoundaryType", "PermissionsBoundaryPolicy");
        elements.push(tree("PermissionsBoundary", vec![kind, text("PermissionsBoundaryArn", arn)]));
    }
    elements
}

fn tag_list<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Element {
    list("Tags", tags.into_iter().map(|(key, value)| vec![text("Key", key), text("Value", value)]))
}

fn tags(context: &Context<'_>) -> Vec<(String, String)> {
    let parameters = context.parameters;
    (1..)
        .map_while(|index| parameters.field("Tags", index, "Key").zip(parameters.field("Tags", index, "Value")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The identity of a user or role by ARN, for simulations.
pub(super) fn identity_of_arn(account: &Account, arn: &str) -> Option<Identity> {
    let user = account.users.values().find(|user| user.arn(account) == arn);
    if let Some(user) = user {
        return Some(Identity::User(user.name.clone()));
    }
    let role = account.roles.values().find(|role| account.arn(&format!("role{}{}", role.path, role.name)) == arn);
    role.map(|role| Identity::Role { role: role.name.clone(), session: "simulation".to_owned() })
}
