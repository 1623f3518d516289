//! The AWS CLI equivalent of each API call that akia makes.

use super::step::{CliVersion, Output, Step};
use crate::ids::{AccessKeyId, ProfileName, Region, UserName};
use crate::key::KeyStatus;

/// The file that a new key is written to when it is made by hand.
pub(super) const NEW_KEY_FILE: &str = "new-access-key.json";

/// Options that stand on every command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// `--profile`
    pub profile: Option<ProfileName>,
    /// `--region`
    pub region: Option<Region>,
    /// `--endpoint-url`
    pub endpoint_url: Option<String>,
}

/// One call. A `user` of `None` is the caller: IAM finds it by the key that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `sts:GetCallerIdentity`
    CallerIdentity,
    /// `iam:GetUser`
    User {
        /// Whose.
        user: Option<UserName>,
    },
    /// `iam:ListAccessKeys`
    ListAccessKeys {
        /// Whose.
        user: Option<UserName>,
    },
    /// `iam:CreateAccessKey`. The answer is the only time that AWS shows the secret, so it goes into a private file.
    CreateAccessKey {
        /// Whose.
        user: Option<UserName>,
    },
    /// `iam:UpdateAccessKey`
    UpdateAccessKey {
        /// Whose.
        user: Option<UserName>,
        /// Which.
        key: AccessKeyId,
        /// Its new state.
        status: KeyStatus,
    },
    /// `iam:DeleteAccessKey`
    DeleteAccessKey {
        /// Whose.
        user: Option<UserName>,
        /// Which.
        key: AccessKeyId,
    },
    /// `iam:GetAccessKeyLastUsed`
    AccessKeyLastUsed {
        /// Which.
        key: AccessKeyId,
    },
    /// `sts:GetAccessKeyInfo`
    AccessKeyInfo {
        /// Which.
        key: AccessKeyId,
    },
    /// `iam:ListMFADevices`
    ListMfaDevices {
        /// Whose.
        user: Option<UserName>,
    },
    /// `sts:GetSessionToken`. The answer holds secrets and goes into the environment.
    SessionToken {
        /// ARN or serial number of the MFA device.
        serial: String,
        /// Lifetime, 900 to 129600 seconds.
        duration_seconds: u32,
    },
    /// `sts:AssumeRole`. The answer holds secrets and goes into the environment.
    AssumeRole {
        /// The role.
        role_arn: String,
        /// The name of the session, which CloudTrail shows.
        session_name: String,
        /// Lifetime, 900 to 43200 seconds.
        duration_seconds: Option<u32>,
        /// What the role's owner asks for.
        external_id: Option<String>,
        /// ARN or serial number of the MFA device, where the role asks for MFA.
        serial: Option<String>,
    },
    /// `iam:SimulatePrincipalPolicy`
    SimulatePrincipalPolicy {
        /// The ARN of the user or role.
        principal: String,
        /// `service:Name` each.
        actions: Vec<String>,
        /// The resource to act on; `*` for actions without one.
        resource: String,
    },
    /// `cloudtrail:LookupEvents`, by key
    LookupEvents {
        /// The key that signed.
        key: AccessKeyId,
    },
    /// Writes a key into the profile. The AWS CLI asks for id and secret: nothing stands on the command line.
    ConfigureKey,
    /// Writes a key from the console's file into the profile that is named as the user.
    ImportCsv {
        /// The file.
        path: String,
    },
    /// Writes a setting that is no secret.
    ConfigureSet {
        /// Which.
        setting: Setting,
        /// Its value.
        value: String,
    },
}

/// Settings of a profile that may stand on a command line. Secrets are no member, so that no such command can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// `region`
    Region,
    /// `output`
    Output,
    /// `mfa_serial`
    MfaSerial,
}

impl Setting {
    /// The name in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Output => "output",
            Self::MfaSerial => "mfa_serial",
        }
    }
}

/// The command, its comment saying what the call does.
#[must_use]
pub fn command(operation: &Operation, connection: &Connection) -> Step {
    let call = |service: &str, name: &str| Words::new(service, name);
    let key_of =
        |words: Words, user: &Option<UserName>| words.optional("--user-name", user.as_ref().map(UserName::as_str));
    let (words, comment) = match operation {
        Operation::CallerIdentity => (call("sts", "get-caller-identity"), "Who signs: account, ARN and unique id."),
        Operation::User { user } => (key_of(call("iam", "get-user"), user), "The user: path, unique id, tags."),
        Operation::ListAccessKeys { user } => {
            (key_of(call("iam", "list-access-keys"), user), "The user's keys, their state and creation date.")
        }
        Operation::CreateAccessKey { user } => (
            key_of(call("iam", "create-access-key"), user),
            "Make a key. AWS shows the secret in this answer and never again, so it goes into a file that only you can read. \
             With --query AccessKey.AccessKeyId the terminal would stay clean, and the secret would be lost.",
        ),
        Operation::UpdateAccessKey { user, key, status } => (
            key_of(call("iam", "update-access-key"), user)
                .option("--access-key-id", key.as_str())
                .option("--status", status.as_str()),
            match status {
                KeyStatus::Active => "Activate the key.",
                KeyStatus::Inactive => "Deactivate the key. It can be activated again.",
            },
        ),
        Operation::DeleteAccessKey { user, key } => (
            key_of(call("iam", "delete-access-key"), user).option("--access-key-id", key.as_str()),
            "Delete the key. This cannot be undone.",
        ),
        Operation::AccessKeyLastUsed { key } => (
            call("iam", "get-access-key-last-used").option("--access-key-id", key.as_str()),
            "When, where and for what the key was last used, and whose it is. Some minutes late; since April 2015.",
        ),
        Operation::AccessKeyInfo { key } => (
            call("sts", "get-access-key-info").option("--access-key-id", key.as_str()),
            "The account of the key, whosever it is.",
        ),
        Operation::ListMfaDevices { user } => {
            (key_of(call("iam", "list-mfa-devices"), user), "The user's MFA devices and their serial numbers.")
        }
        Operation::SessionToken { serial, duration_seconds } => (
            call("sts", "get-session-token")
                .option("--serial-number", serial)
                .option("--token-code", "123456")
                .option("--duration-seconds", &duration_seconds.to_string())
                .session_as_environment(),
            "Begin a session with MFA; put the code of your device in place of 123456. The session goes into the environment of this shell.",
        ),
        Operation::AssumeRole { role_arn, session_name, duration_seconds, external_id, serial } => (
            call("sts", "assume-role")
                .option("--role-arn", role_arn)
                .option("--role-session-name", session_name)
                .optional("--duration-seconds", duration_seconds.map(|seconds| seconds.to_string()).as_deref())
                .optional("--external-id", external_id.as_deref())
                .optional("--serial-number", serial.as_deref())
                .optional("--token-code", serial.as_ref().map(|_| "123456"))
                .session_as_environment(),
            "Assume the role; with MFA, put the code of your device in place of 123456. The session goes into the environment of this shell.",
        ),
        Operation::SimulatePrincipalPolicy { principal, actions, resource } => (
            call("iam", "simulate-principal-policy")
                .option("--policy-source-arn", principal)
                .list("--action-names", actions)
                .option("--resource-arns", resource)
                .option("--query", "EvaluationResults[].[EvalActionName, EvalDecision]"),
            "Ask IAM whether the actions are allowed. Service control policies and session policies are left out.",
        ),
        Operation::LookupEvents { key } => (
            call("cloudtrail", "lookup-events")
                .option("--lookup-attributes", &format!("AttributeKey=AccessKeyId,AttributeValue={key}"))
                .option("--query", "Events[].[EventTime, EventSource, EventName, Username]"),
            "What the key did in the last 90 days, in this region: management events only. \
             IAM and global STS calls are in us-east-1, cn-north-1 or us-gov-west-1.",
        ),
        Operation::ConfigureKey => (
            Words(vec!["aws".into(), "configure".into()]),
            "Put the key into the profile: it asks for id, secret, region and output. What you type is shown: mind who looks on. \
             Never use `aws configure set aws_secret_access_key …`: the secret would stand in the process list and in the history.",
        ),
        Operation::ImportCsv { path } => (
            call("configure", "import").option("--csv", &format!("file://{path}")),
            "Put the key of the console's file into a profile named as the user. The file needs a column \"User name\"; \
             the file of a key made for an existing user has none: use akia setup --from-csv, or add the column.",
        ),
        Operation::ConfigureSet { setting, value } => {
            (call("configure", "set").word(setting.as_str()).word(value), "Write one setting of the profile.")
        }
    };
    let (output, cli) = match operation {
        Operation::CreateAccessKey { .. } => (Output::Private { file: NEW_KEY_FILE.to_owned() }, CliVersion::Any),
        Operation::SessionToken { .. } | Operation::AssumeRole { .. } => (Output::Exported, CliVersion::Any),
        Operation::ImportCsv { .. } => (Output::Shown, CliVersion::V2),
        Operation::CallerIdentity
        | Operation::User { .. }
        | Operation::ListAccessKeys { .. }
        | Operation::UpdateAccessKey { .. }
        | Operation::DeleteAccessKey { .. }
        | Operation::AccessKeyLastUsed { .. }
        | Operation::AccessKeyInfo { .. }
        | Operation::ListMfaDevices { .. }
        | Operation::SimulatePrincipalPolicy { .. }
        | Operation::LookupEvents { .. }
        | Operation::ConfigureKey
        | Operation::ConfigureSet { .. } => (Output::Shown, CliVersion::Any),
    };
    Step { output, cli, ..Step::new(comment, words.connect(connection)) }
}

/// The words of a command while it is built.
pub(super) struct Words(Vec<String>);

impl Words {
    /// `aws SERVICE NAME`
    pub(super) fn new(service: &str, name: &str) -> Self {
        Self(vec!["aws".to_owned(), service.to_owned(), name.to_owned()])
    }

    fn word(mut self, word: &str) -> Self {
        self.0.push(word.to_owned());
        self
    }

    /// `NAME VALUE`, or `NAME=VALUE` where the value could be taken for an option.
    pub(super) fn option(mut self, name: &str, value: &str) -> Self {
        if value.starts_with('-') {
            self.0.push(format!("{name}={value}"));
        } else {
            self.0.extend([name.to_owned(), value.to_owned()]);
        }
        self
    }

    pub(super) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.option(name, value),
            None => self,
        }
    }

    pub(super) fn list<S: AsRef<str>>(mut self, name: &str, values: &[S]) -> Self {
        self.0.push(name.to_owned());
        self.0.extend(values.iter().map(|value| value.as_ref().to_owned()));
        self
    }

    /// Prints a session as `NAME=value` words. None of the three values ever holds white space or a wildcard (they are base64).
    fn session_as_environment(self) -> Self {
        self.option(
            "--query",
            "Credentials.join(' ', [join('=', ['AWS_ACCESS_KEY_ID', AccessKeyId]), \
             join('=', ['AWS_SECRET_ACCESS_KEY', SecretAccessKey]), join('=', ['AWS_SESSION_TOKEN', SessionToken])])",
        )
        .option("--output", "text")
    }

    /// Adds the options that stand on every command, last.
    pub(super) fn connect(self, connection: &Connection) -> Vec<String> {
        self.optional("--profile", connection.profile.as_ref().map(ProfileName::as_str))
            .optional("--region", connection.region.as_ref().map(Region::as_str))
            .optional("--endpoint-url", connection.endpoint_url.as_deref())
            .0
    }
}
