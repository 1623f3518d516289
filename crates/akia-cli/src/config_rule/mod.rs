//! What `akia config-rule` is made of.

pub(crate) mod disabling;
pub(crate) mod enabling;
pub(crate) mod status;

use akia_core::config_rule::{Found, Recording, TopicArn, Wanted};
use akia_core::ids::{AccountId, Region};
use akia_io::aws::{Aws, AwsError, AwsOptions, Caller};

use crate::context::Context;
use crate::error::CommandError;
use crate::signing::{self, Mfa};

/// Who asks, and where.
struct Desk {
    caller: Caller,
    region: Region,
    account: AccountId,
}

impl Desk {
    async fn open(context: &Context) -> Result<Self, CommandError> {
        let files = context.aws_files()?;
        // As for an audit: one throttled call must not slow the reading of an account down.
        let aws = Aws::new(AwsOptions { adaptive: false, ..context.aws_options()? });
        let caller = signing::sign_through(context, &files, Mfa::IfGiven, aws).await?.caller;
        let identity = caller.caller_identity().await.map_err(|error| refused("whose key signs", &error))?;
        Ok(Self { region: caller.region(), caller, account: identity.account })
    }

    /// What is there of all that is wanted. The topic is looked at where one is given.
    async fn found(&self, wanted: &Wanted, topic: Option<&TopicArn>) -> Result<Found, CommandError> {
        let (caller, region, name) = (&self.caller, &self.region, wanted.name.as_str());
        let of_config = |error| refused("AWS Config", &error);
        // An organisation's rule stands in other accounts: what is recorded here says nothing of them.
        let (recording, rule, organization_rule) = if wanted.for_organization {
            (Recording::Users, None, caller.organization_config_rule(region, name).await.map_err(of_config)?)
        } else {
            let recording = caller.config_recording(region).await.map_err(of_config)?;
            (recording, caller.config_rule(region, name).await.map_err(of_config)?, None)
        };
        let event_rule = caller.event_rule(region, name).await.map_err(|error| refused("EventBridge", &error))?;
        let topic = match topic {
            Some(topic) => Some(caller.topic_policy(topic).await.map_err(|error| refused("the topic", &error))?),
            None => None,
        };
        Ok(Found { recording, rule, organization_rule, event_rule, topic })
    }
}

/// A refusal of AWS before anything was changed.
fn refused(what: &str, error: &AwsError) -> CommandError {
    let told = signing::refused(what, error);
    match error {
        AwsError::Rejected { code, .. } if is_about_organization(code) => told.next(
            "use the organisation's management account or Config's delegated administrator, with trusted access for \
             config-multiaccountsetup.amazonaws.com",
        ),
        AwsError::AccessDenied { .. } => told.next("akia policy config-rule (the rights that it needs)"),
        _ => told,
    }
}

fn is_about_organization(code: &str) -> bool {
    matches!(
        code,
        "OrganizationAccessDeniedException"
            | "NoAvailableOrganizationException"
            | "OrganizationAllFeaturesNotEnabledException"
    )
}

/// Words that stand in columns on stderr, as a cell of a table.
fn one_space(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
