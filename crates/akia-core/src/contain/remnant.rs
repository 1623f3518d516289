//! What outlives a key: users, keys, passwords, roles, policies, sessions and machines that were made with it. Each with the command
//! of the AWS CLI that shows it, and the one that takes it back. Nobody runs them but a person: what an owner has made with its own
//! key looks the same.

use jiff::Timestamp;
use serde::Serialize;

use super::trail::TrailEvent;

/// Longest name that is taken over.
const LONGEST: usize = 2_048;
/// Instances that one event names, at most.
const MOST: usize = 20;

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remnant {
    /// When it was made or changed.
    pub at: Timestamp,
    /// The call, as in `iam:CreateUser`.
    pub call: String,
    /// What it is, in words.
    pub what: String,
    /// From where.
    pub ip: String,
    /// The words of the command that shows it.
    pub show: Vec<String>,
    /// The words of the command that takes it back; none where there is no single one.
    pub undo: Vec<String>,
    /// What to mind.
    pub note: Option<&'static str>,
}

/// What an event has left behind, where it was carried out.
pub(super) fn remnant(event: &TrailEvent) -> Option<Remnant> {
    if event.error.is_some() {
        return None;
    }
    let of = Event { event };
    // Lambda's events carry the date of its API.
    let name = event.name.trim_end_matches("v2");
    let name = name.find(|c: char| c.is_ascii_digit()).map_or(name, |at| &name[..at]);
    let (what, show, undo, note) = match event.service.as_str() {
        "iam" => of.iam(name)?,
        "sts" => of.sts(name)?,
        "ec2" => of.ec2(name)?,
        "lambda" => of.lambda(name)?,
        "cloudtrail" => of.cloudtrail(name)?,
        _ => return None,
    };
    let call = format!("{}:{}", event.service, event.name);
    Some(Remnant { at: event.at, call, what, ip: event.ip.clone(), show, undo, note })
}

type Told = (String, Vec<String>, Vec<String>, Option<&'static str>);

struct Event<'a> {
    event: &'a TrailEvent,
}

impl Event<'_> {
    fn iam(&self, name: &str) -> Option<Told> {
        // Without a name, the user that signs is meant.
        let user = || self.asked("userName").or_else(|| self.text("/userIdentity/userName"));
        let role = || self.asked("roleName");
        let group = || self.asked("groupName");
        let policy = || self.asked("policyName");
        let arn = || self.asked("policyArn");
        let plain = |what: String, show: &[&str], undo: &[&str]| Some((what, aws("iam", show), aws("iam", undo), None));
        let noted = |what: String, show: &[&str], undo: &[&str], note: &'static str| {
            Some((what, aws("iam", show), aws("iam", undo), Some(note)))
        };
        match name {
            "CreateUser" => {
                let user = user()?;
                noted(
                    format!("user {user}"),
                    &["get-user", "--user-name", &user],
                    &["delete-user", "--user-name", &user],
                    "its keys, policies, groups and password go first",
                )
            }
            "CreateAccessKey" => {
                let (user, key) = (user()?, self.text("/responseElements/accessKey/accessKeyId")?);
                plain(
                    format!("access key {key} of user {user}"),
                    &["list-access-keys", "--user-name", &user],
                    &["update-access-key", "--user-name", &user, "--access-key-id", &key, "--status", "Inactive"],
                )
            }
            "UpdateAccessKey" if self.asked("status").as_deref() == Some("Active") => {
                let (user, key) = (user()?, self.asked("accessKeyId")?);
                plain(
                    format!("access key {key} of user {user}, activated"),
                    &["list-access-keys", "--user-name", &user],
                    &["update-access-key", "--user-name", &user, "--access-key-id", &key, "--status", "Inactive"],
                )
            }
            "CreateLoginProfile" | "UpdateLoginProfile" => {
                let user = user()?;
                plain(
                    format!("console password of user {user}"),
                    &["get-login-profile", "--user-name", &user],
                    &["delete-login-profile", "--user-name", &user],
                )
            }
            "CreateServiceSpecificCredential" => {
                let user = user()?;
                let id = self.text("/responseElements/serviceSpecificCredential/serviceSpecificCredentialId")?;
                plain(
                    format!("service-specific credential {id} of user {user}"),
                    &["list-service-specific-credentials", "--user-name", &user],
                    &[
                        "delete-service-specific-credential",
                        "--user-name",
                        &user,
                        "--service-specific-credential-id",
                        &id,
                    ],
                )
            }
            "UploadSSHPublicKey" => {
                let (user, id) = (user()?, self.text("/responseElements/sSHPublicKey/sSHPublicKeyId")?);
                plain(
                    format!("SSH key {id} of user {user}"),
                    &["list-ssh-public-keys", "--user-name", &user],
                    &["delete-ssh-public-key", "--user-name", &user, "--ssh-public-key-id", &id],
                )
            }
            "UploadSigningCertificate" => {
                let (user, id) = (user()?, self.text("/responseElements/certificate/certificateId")?);
                plain(
                    format!("signing certificate {id} of user {user}"),
                    &["list-signing-certificates", "--user-name", &user],
                    &["delete-signing-certificate", "--user-name", &user, "--certificate-id", &id],
                )
            }
            "EnableMFADevice" => {
                let (user, serial) = (user()?, self.asked("serialNumber")?);
                plain(
                    format!("MFA device {serial} of user {user}"),
                    &["list-mfa-devices", "--user-name", &user],
                    &["deactivate-mfa-device", "--user-name", &user, "--serial-number", &serial],
                )
            }
            "DeactivateMFADevice" => {
                let user = user()?;
                Some((
                    format!("an MFA device of user {user} was taken away"),
                    aws("iam", &["list-mfa-devices", "--user-name", &user]),
                    Vec::new(),
                    Some("the user enrols it anew"),
                ))
            }
            "AttachUserPolicy" => {
                let (user, arn) = (user()?, arn()?);
                plain(
                    format!("policy {arn} on user {user}"),
                    &["list-attached-user-policies", "--user-name", &user],
                    &["detach-user-policy", "--user-name", &user, "--policy-arn", &arn],
                )
            }
            "AttachRolePolicy" => {
                let (role, arn) = (role()?, arn()?);
                plain(
                    format!("policy {arn} on role {role}"),
                    &["list-attached-role-policies", "--role-name", &role],
                    &["detach-role-policy", "--role-name", &role, "--policy-arn", &arn],
                )
            }
            "AttachGroupPolicy" => {
                let (group, arn) = (group()?, arn()?);
                plain(
                    format!("policy {arn} on group {group}"),
                    &["list-attached-group-policies", "--group-name", &group],
                    &["detach-group-policy", "--group-name", &group, "--policy-arn", &arn],
                )
            }
            "PutUserPolicy" => {
                let (user, policy) = (user()?, policy()?);
                plain(
                    format!("inline policy {policy} of user {user}"),
                    &["get-user-policy", "--user-name", &user, "--policy-name", &policy],
                    &["delete-user-policy", "--user-name", &user, "--policy-name", &policy],
                )
            }
            "PutRolePolicy" => {
                let (role, policy) = (role()?, policy()?);
                plain(
                    format!("inline policy {policy} of role {role}"),
                    &["get-role-policy", "--role-name", &role, "--policy-name", &policy],
                    &["delete-role-policy", "--role-name", &role, "--policy-name", &policy],
                )
            }
            "PutGroupPolicy" => {
                let (group, policy) = (group()?, policy()?);
                plain(
                    format!("inline policy {policy} of group {group}"),
                    &["get-group-policy", "--group-name", &group, "--policy-name", &policy],
                    &["delete-group-policy", "--group-name", &group, "--policy-name", &policy],
                )
            }
            "CreatePolicy" => {
                let arn = self.text("/responseElements/policy/arn").or_else(policy)?;
                plain(
                    format!("policy {arn}"),
                    &["get-policy", "--policy-arn", &arn],
                    &["delete-policy", "--policy-arn", &arn],
                )
            }
            "CreatePolicyVersion" => {
                let arn = arn()?;
                let version = self.text("/responseElements/policyVersion/versionId").unwrap_or_else(|| "vN".to_owned());
                noted(
                    format!("version {version} of policy {arn}"),
                    &["get-policy-version", "--policy-arn", &arn, "--version-id", &version],
                    &["delete-policy-version", "--policy-arn", &arn, "--version-id", &version],
                    "first make an earlier version the default: aws iam set-default-policy-version",
                )
            }
            "SetDefaultPolicyVersion" => {
                let arn = arn()?;
                Some((
                    format!("another default version of policy {arn}"),
                    aws("iam", &["list-policy-versions", "--policy-arn", &arn]),
                    Vec::new(),
                    Some("aws iam set-default-policy-version puts the earlier one back"),
                ))
            }
            "AddUserToGroup" => {
                let (user, group) = (user()?, group()?);
                plain(
                    format!("user {user} in group {group}"),
                    &["list-groups-for-user", "--user-name", &user],
                    &["remove-user-from-group", "--user-name", &user, "--group-name", &group],
                )
            }
            "DeleteUserPermissionsBoundary" | "PutUserPermissionsBoundary" => {
                let user = user()?;
                Some((
                    format!("the permissions boundary of user {user} was changed"),
                    aws("iam", &["get-user", "--user-name", &user]),
                    Vec::new(),
                    Some("aws iam put-user-permissions-boundary puts the right one back"),
                ))
            }
            "CreateRole" => {
                let role = role()?;
                noted(
                    format!("role {role}"),
                    &["get-role", "--role-name", &role],
                    &["delete-role", "--role-name", &role],
                    "its policies go first",
                )
            }
            "UpdateAssumeRolePolicy" => {
                let role = role()?;
                Some((
                    format!("who may assume role {role} was changed"),
                    aws("iam", &["get-role", "--role-name", &role]),
                    aws(
                        "iam",
                        &["update-assume-role-policy", "--role-name", &role, "--policy-document", "file://trust.json"],
                    ),
                    Some("trust.json holds the trust policy as it was"),
                ))
            }
            "CreateSAMLProvider" => {
                let arn = self.text("/responseElements/sAMLProviderArn")?;
                plain(
                    format!("identity provider {arn}"),
                    &["get-saml-provider", "--saml-provider-arn", &arn],
                    &["delete-saml-provider", "--saml-provider-arn", &arn],
                )
            }
            "CreateOpenIDConnectProvider" => {
                let arn = self.text("/responseElements/openIDConnectProviderArn")?;
                plain(
                    format!("identity provider {arn}"),
                    &["get-open-id-connect-provider", "--open-id-connect-provider-arn", &arn],
                    &["delete-open-id-connect-provider", "--open-id-connect-provider-arn", &arn],
                )
            }
            _ => None,
        }
    }

    fn sts(&self, name: &str) -> Option<Told> {
        let session = self.text("/responseElements/credentials/accessKeyId");
        let show = |id: &str| {
            let attribute = format!("AttributeKey=AccessKeyId,AttributeValue={id}");
            vec![
                "aws".to_owned(),
                "cloudtrail".to_owned(),
                "lookup-events".to_owned(),
                "--lookup-attributes".to_owned(),
                attribute,
            ]
        };
        let shown = session.as_deref().map(show).unwrap_or_default();
        let of = session.map_or_else(String::new, |id| format!(" {id}"));
        match name {
            "GetSessionToken" | "GetFederationToken" => Some((
                format!("session{of} of {name}, which outlives the key"),
                shown,
                Vec::new(),
                Some("akia contain denies the sessions of this user"),
            )),
            "AssumeRole" => {
                let arn = self.asked("roleArn")?;
                let role = arn.rsplit('/').next()?.to_owned();
                Some((
                    format!("session{of} of role {arn}, which outlives the key"),
                    shown,
                    aws(
                        "iam",
                        &[
                            "put-role-policy",
                            "--role-name",
                            &role,
                            "--policy-name",
                            "AWSRevokeOlderSessions",
                            "--policy-document",
                            "file://revoke-sessions.json",
                        ],
                    ),
                    Some("docs/contain.md has revoke-sessions.json; whoever uses the role signs in again"),
                ))
            }
            _ => None,
        }
    }

    fn ec2(&self, name: &str) -> Option<Told> {
        let region = &self.event.region;
        let call = |words: &[&str]| aws("ec2", &[words, &["--region", region]].concat());
        match name {
            "CreateKeyPair" | "ImportKeyPair" => {
                let key = self.asked("keyName")?;
                Some((
                    format!("EC2 key pair {key} in {region}"),
                    call(&["describe-key-pairs", "--key-names", &key]),
                    call(&["delete-key-pair", "--key-name", &key]),
                    None,
                ))
            }
            "RunInstances" => {
                let items = self.event.record.pointer("/responseElements/instancesSet/items")?.as_array()?;
                let ids: Vec<&str> = items.iter().filter_map(|one| one["instanceId"].as_str()).take(MOST).collect();
                if ids.is_empty() {
                    return None;
                }
                Some((
                    format!("instances in {region}: {}", ids.join(", ")),
                    call(&[&["describe-instances", "--instance-ids"][..], &ids].concat()),
                    call(&[&["terminate-instances", "--instance-ids"][..], &ids].concat()),
                    Some("a snapshot of their disks first, if they are evidence"),
                ))
            }
            _ => None,
        }
    }

    fn lambda(&self, name: &str) -> Option<Told> {
        let region = &self.event.region;
        let call = |words: &[&str]| aws("lambda", &[words, &["--region", region]].concat());
        let function = self.asked("functionName")?;
        match name {
            "CreateFunction" => Some((
                format!("Lambda function {function} in {region}"),
                call(&["get-function", "--function-name", &function]),
                call(&["delete-function", "--function-name", &function]),
                None,
            )),
            "UpdateFunctionCode" | "UpdateFunctionConfiguration" => Some((
                format!("Lambda function {function} in {region}, changed"),
                call(&["get-function", "--function-name", &function]),
                Vec::new(),
                Some("deploy the right code and settings again"),
            )),
            "AddPermission" => {
                let statement = self.asked("statementId")?;
                Some((
                    format!("who may call Lambda function {function} in {region}: statement {statement}"),
                    call(&["get-policy", "--function-name", &function]),
                    call(&["remove-permission", "--function-name", &function, "--statement-id", &statement]),
                    None,
                ))
            }
            _ => None,
        }
    }

    fn cloudtrail(&self, name: &str) -> Option<Told> {
        let region = &self.event.region;
        let trail = self.asked("name")?;
        let call = |words: &[&str]| aws("cloudtrail", &[words, &["--region", region]].concat());
        match name {
            "StopLogging" => Some((
                format!("trail {trail} was stopped"),
                call(&["get-trail-status", "--name", &trail]),
                call(&["start-logging", "--name", &trail]),
                Some("what happened since is not in its bucket; LookupEvents has it for 90 days"),
            )),
            "DeleteTrail" | "UpdateTrail" | "PutEventSelectors" => Some((
                format!("trail {trail}: {name}"),
                call(&["describe-trails"]),
                Vec::new(),
                Some("set the trail up again as it was"),
            )),
            _ => None,
        }
    }

    /// A parameter of the request.
    fn asked(&self, name: &str) -> Option<String> {
        self.text(&format!("/requestParameters/{name}"))
    }

    fn text(&self, pointer: &str) -> Option<String> {
        let text = self.event.record.pointer(pointer)?.as_str()?;
        (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
    }
}

/// `aws SERVICE …`. A name that could be taken for an option is bound to the option before it.
fn aws(service: &str, words: &[&str]) -> Vec<String> {
    let mut command = vec!["aws".to_owned(), service.to_owned()];
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        match words.peek() {
            Some(value) if word.starts_with("--") && value.starts_with('-') && !value.starts_with("--region") => {
                command.push(format!("{word}={value}"));
                words.next();
            }
            _ => command.push((*word).to_owned()),
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::trail::event;
    use super::*;

    fn left(name: &str, service: &str, parameters: Value, response: Value) -> Remnant {
        remnant(&event(name, service, &parameters, &response)).unwrap()
    }

    #[test]
    fn what_outlives_the_key_comes_with_the_commands_that_show_and_undo_it() {
        let key = json!({ "accessKey": { "accessKeyId": "AKIAI44QH8DHBEXAMPLE", "userName": "ann" } });
        let cases = [
            left("CreateAccessKey", "iam", Value::Null, key),
            left("CreateUser", "iam", json!({ "userName": "backdoor" }), Value::Null),
            left(
                "AttachUserPolicy",
                "iam",
                json!({ "userName": "backdoor", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess" }),
                Value::Null,
            ),
            left("UpdateAssumeRolePolicy", "iam", json!({ "roleName": "app" }), Value::Null),
            left(
                "GetFederationToken",
                "sts",
                json!({ "name": "x" }),
                json!({ "credentials": { "accessKeyId": "ASIAIOSFODNN7EXAMPLE" } }),
            ),
            left("AssumeRole", "sts", json!({ "roleArn": "arn:aws:iam::111122223333:role/path/app" }), Value::Null),
            left("CreateKeyPair", "ec2", json!({ "keyName": "k" }), Value::Null),
            left(
                "RunInstances",
                "ec2",
                Value::Null,
                json!({ "instancesSet": { "items": [{ "instanceId": "i-1" }, { "instanceId": "i-2" }] } }),
            ),
            left("CreateFunction20150331", "lambda", json!({ "functionName": "f" }), Value::Null),
            left("UpdateFunctionCode20150331v2", "lambda", json!({ "functionName": "f" }), Value::Null),
            left("StopLogging", "cloudtrail", json!({ "name": "main" }), Value::Null),
        ];
        let told: Vec<String> = cases
            .iter()
            .map(|one| format!("{} | {} | {} | {}", one.call, one.what, one.show.join(" "), one.undo.join(" ")))
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn what_was_refused_or_only_reads_has_left_nothing() {
        let made = event("CreateUser", "iam", &json!({ "userName": "x" }), &Value::Null);
        assert!(remnant(&made).is_some());
        assert_eq!(remnant(&TrailEvent { error: Some("AccessDenied".to_owned()), ..made }), None);
        for (name, service) in [("ListUsers", "iam"), ("GetCallerIdentity", "sts"), ("PutObject", "s3")] {
            assert_eq!(remnant(&event(name, service, &Value::Null, &Value::Null)), None, "{name}");
        }
        let shut = json!({ "accessKeyId": "AKIAI44QH8DHBEXAMPLE", "status": "Inactive" });
        assert_eq!(remnant(&event("UpdateAccessKey", "iam", &shut, &Value::Null)), None);
    }

    #[test]
    fn a_name_is_never_an_option() {
        let one = left("CreateKeyPair", "ec2", json!({ "keyName": "--dry-run" }), Value::Null);
        assert_eq!(one.undo[3], "--key-name=--dry-run", "{:?}", one.undo);
        assert_eq!(&one.undo[4..], ["--region", "us-east-1"]);
    }
}
