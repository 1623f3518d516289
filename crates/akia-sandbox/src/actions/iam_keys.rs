//! IAM: access keys.

use serde_json::json;

use super::{Answer, Context, Target, answer, nothing, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::xml::{list, text, tree};

pub(super) fn list_access_keys(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:ListAccessKeys")?;
    let now = context.now;
    let state = &mut *context.state;
    let principal = state
        .accounts
        .get(&context.caller.account)
        .ok_or_else(Failure::invalid_client_token_id)?
        .principal(subject.as_deref())?;
    let mut keys = principal.listed(now, &mut state.mint);
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    let page = context.page(keys, |key| &key.id)?;
    let keys = list(
        "AccessKeyMetadata",
        page.items.into_iter().map(|key| {
            let mut elements: Vec<_> = subject.iter().map(|name| text("UserName", name)).collect();
            elements.extend([
                text("AccessKeyId", key.id),
                text("Status", status(key.active)),
                text("CreateDate", iso8601(key.created_at)),
            ]);
            elements
        }),
    );
    answer([vec![keys], paging(page.marker)].concat())
}

pub(super) fn create_access_key(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:CreateAccessKey")?;
    let key = context.state.add_key(&context.caller.account, subject.as_deref(), context.now)?;
    context.touch_key(&key.id);
    let created = iso8601(key.created_at);
    context.response = Some(json!({"accessKey": {
        "userName": subject, "accessKeyId": key.id, "status": "Active", "createDate": created,
    }}));
    let mut elements: Vec<_> = subject.iter().map(|name| text("UserName", name)).collect();
    elements.extend([
        text("AccessKeyId", key.id),
        text("Status", "Active"),
        text("SecretAccessKey", key.secret),
        text("CreateDate", created),
    ]);
    answer(vec![tree("AccessKey", elements)])
}

pub(super) fn update_access_key(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:UpdateAccessKey")?;
    let id = context.parameters.required("AccessKeyId")?.to_owned();
    context.touch_key(&id);
    let active = match context.parameters.required("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => {
            return Err(Failure::validation(format!(
                "1 validation error detected: Value '{other}' at 'status' failed to satisfy constraint: Member must \
                 satisfy enum value set: [Active, Inactive]"
            )));
        }
    };
    context.state.set_key_active(&context.caller.account, subject.as_deref(), &id, active, context.now)?;
    nothing()
}

pub(super) fn delete_access_key(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let subject = context.allowed_subject("iam:DeleteAccessKey")?;
    let id = context.parameters.required("AccessKeyId")?.to_owned();
    context.touch_key(&id);
    context.state.delete_key(&context.caller.account, subject.as_deref(), &id, context.now)?;
    nothing()
}

pub(super) fn get_access_key_last_used(context: &mut Context<'_>) -> Result<Answer, Failure> {
    const ACTION: &str = "iam:GetAccessKeyLastUsed";
    let id = context.parameters.required("AccessKeyId")?.to_owned();
    let words = Some(format!("access key {id}"));
    let owner = context.state.long_term.get(&id).filter(|(account, _)| *account == context.caller.account).cloned();
    let Some((_, user)) = owner else {
        // AWS does not say whether a key exists that is not the account's: it denies, even to administrators.
        let target = Target { words, ..Target::any() };
        return Err(context.denial(
            ACTION,
            &target,
            &format!("because no identity-based policy allows the {ACTION} action"),
        ));
    };
    let account = context.account()?;
    let target = match &user {
        Some(name) => Target { words, ..Target::user(account, name) },
        None => Target { words, ..Target::arn(account.arn("root")) },
    };
    context.allow(ACTION, &target)?;
    context.touch_key(&id);
    let key = context.account()?.principal(user.as_deref())?.key(&id)?;
    let used = key.last_used(context.now, &context.state.options.propagation);
    let mut last: Vec<_> = used.iter().map(|used| text("LastUsedDate", iso8601(used.at))).collect();
    last.push(text("ServiceName", used.map_or("N/A", |used| &used.service)));
    last.push(text("Region", used.map_or("N/A", |used| &used.region)));
    let mut elements: Vec<_> = user.iter().map(|name| text("UserName", name)).collect();
    elements.push(tree("AccessKeyLastUsed", last));
    answer(elements)
}

fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}
