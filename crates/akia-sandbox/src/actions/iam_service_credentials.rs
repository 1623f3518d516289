//! IAM: service-specific credentials (CodeCommit, Keyspaces, Bedrock).

use jiff::SignedDuration;

use super::{Answer, Context, Target, answer, nothing, paging};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::state::ServiceCredential;
use crate::xml::{Element, list, text, tree};

/// AWS's quota for each service and user.
const PER_SERVICE: usize = 2;
const BEDROCK: &str = "bedrock.amazonaws.com";
const SERVICES: [&str; 3] = ["codecommit.amazonaws.com", "cassandra.amazonaws.com", BEDROCK];

pub(super) fn create_service_specific_credential(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let user = context.allowed_subject("iam:CreateServiceSpecificCredential")?;
    let user = user.ok_or_else(|| Failure::missing("UserName"))?;
    let service = context.parameters.required("ServiceName")?.to_owned();
    if !SERVICES.contains(&service.as_str()) {
        return Err(Failure::new(400, "NotSupportedService", format!("No such service {service} is supported")));
    }
    let days = context.parameters.number("CredentialAgeDays", 1, 36_600)?;
    let now = context.now;
    let id = context.state.mint.unique_id("ACCA");
    let account =
        context.state.accounts.get_mut(&context.caller.account).ok_or_else(Failure::invalid_client_token_id)?;
    let owned = &mut account.user_mut(&user)?.service_credentials;
    if owned.iter().filter(|one| one.service == service).count() >= PER_SERVICE {
        let message = format!("Cannot exceed quota for ServiceSpecificCredentialsPerUser: {PER_SERVICE}");
        return Err(Failure::new(409, "LimitExceeded", message));
    }
    let expires_at = days.filter(|_| service == BEDROCK).map(|days| now + SignedDuration::from_hours(days * 24));
    let one = ServiceCredential { id, service, created_at: now, expires_at };
    owned.push(one.clone());
    answer(vec![tree("ServiceSpecificCredential", elements(&user, &one))])
}

pub(super) fn list_service_specific_credentials(context: &mut Context<'_>) -> Result<Answer, Failure> {
    const ACTION: &str = "iam:ListServiceSpecificCredentials";
    let service = context.parameters.find("ServiceName").map(str::to_owned);
    let of_all = context.parameters.find("AllUsers") == Some("true");
    let only = if of_all {
        context.allow(ACTION, &Target::any())?;
        None
    } else {
        context.allowed_subject(ACTION)?
    };
    let users = context.account()?.users.values().filter(|user| only.as_ref().is_none_or(|only| *only == user.name));
    let owned = users.flat_map(|user| user.service_credentials.iter().map(|one| (user.name.clone(), one.clone())));
    let mut found: Vec<_> =
        owned.filter(|(_, one)| service.as_ref().is_none_or(|service| *service == one.service)).collect();
    found.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    let page = context.page(found, |(_, one)| &one.id)?;
    let items = page.items.iter().map(|(user, one)| elements(user, one));
    answer([vec![list("ServiceSpecificCredentials", items)], paging(page.marker)].concat())
}

pub(super) fn delete_service_specific_credential(context: &mut Context<'_>) -> Result<Answer, Failure> {
    let user = context.allowed_subject("iam:DeleteServiceSpecificCredential")?;
    let user = user.ok_or_else(|| Failure::missing("UserName"))?;
    let id = context.parameters.required("ServiceSpecificCredentialId")?.to_owned();
    let account =
        context.state.accounts.get_mut(&context.caller.account).ok_or_else(Failure::invalid_client_token_id)?;
    let owned = &mut account.user_mut(&user)?.service_credentials;
    let before = owned.len();
    owned.retain(|one| one.id != id);
    if owned.len() == before {
        let message = format!("No such credential {id} exists");
        return Err(Failure::new(404, "NoSuchEntity", message));
    }
    nothing()
}

fn elements(user: &str, one: &ServiceCredential) -> Vec<Element> {
    let mut elements = vec![
        text("UserName", user),
        text("Status", "Active"),
        text("ServiceName", &one.service),
        text("CreateDate", iso8601(one.created_at)),
        text("ServiceSpecificCredentialId", &one.id),
    ];
    elements.extend(one.expires_at.map(|at| text("ExpirationDate", iso8601(at))));
    elements
}
