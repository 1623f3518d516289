//! Whose keys a command is about, and who signs.

use akia_core::cheatsheet::Connection;
use akia_core::{AccessKey, AccessKeyId, LastUsed, UserName};
use akia_io::aws::{AwsError, Caller};
use akia_io::profiles::AwsFiles;

use crate::context::Context;
use crate::error::CommandError;
use crate::signing::{self, Device, Mfa, Signed, Whose};

/// The user whose keys are meant, and the caller that acts on them.
pub struct Subject {
    /// Both AWS files.
    pub files: AwsFiles,
    /// Who signs.
    pub signed: Signed,
    /// Whose keys.
    pub whose: Whose,
}

impl Subject {
    /// The user that was named, or the caller.
    ///
    /// # Errors
    /// When nobody can sign, or the caller is no user and named none.
    pub async fn find(context: &Context, user: Option<&UserName>, mfa: Mfa) -> Result<Self, CommandError> {
        let files = context.aws_files()?;
        let signed = signing::sign(context, &files, mfa).await?;
        let whose = signing::whose(&signed, user).await?;
        Ok(Self { files, signed, whose })
    }

    /// The user in words.
    #[must_use]
    pub fn owner(&self) -> String {
        format!("user {}, account {}", self.whose.user, self.whose.account)
    }

    /// The keys of the user, as AWS lists them now.
    ///
    /// # Errors
    /// When AWS refuses or does not answer.
    pub async fn keys(&self) -> Result<Vec<AccessKey>, CommandError> {
        let keys = self.signed.caller.access_keys(Some(&self.whose.user)).await;
        keys.map_err(|error| match error {
            AwsError::NoSuchEntity { .. } => {
                CommandError::failed(format_args!("account {} has no user {}", self.whose.account, self.whose.user))
                    .next("check the name: aws iam list-users")
            }
            error => self.refused(&format!("the keys of {} cannot be listed", self.owner()), &error),
        })
    }

    /// A refusal of AWS. Where the profile has an MFA device that was not used, that is the likely reason.
    #[must_use]
    pub fn refused(&self, what: &str, error: &AwsError) -> CommandError {
        let told = signing::refused(what, error);
        match (error, &self.signed.device) {
            (AwsError::AccessDenied { .. }, Device::Unused) => {
                told.next("the profile names an MFA device, and no code was given: add --mfa-code CODE")
            }
            (_, Device::None | Device::Unused | Device::InUse) => told,
        }
    }

    /// How the AWS CLI would reach the same.
    #[must_use]
    pub fn connection(&self, context: &Context) -> Connection {
        connection(context, &self.signed)
    }
}

/// How the AWS CLI would sign the same.
#[must_use]
pub fn connection(context: &Context, signed: &Signed) -> Connection {
    Connection {
        profile: signed.profile.clone(),
        region: context.globals.region.clone(),
        endpoint_url: context.globals.endpoint_url.as_ref().map(|endpoint| endpoint.url().to_string()),
    }
}

/// When a key was used last. What AWS does not tell is unknown, with the reason.
pub async fn last_used(caller: &Caller, key: &AccessKeyId) -> LastUsed {
    match caller.access_key_last_used(key).await {
        Ok((last_used, _)) => last_used,
        Err(error) => LastUsed::Unknown { reason: error.to_string() },
    }
}
