//! How a key is replaced by a role, with the AWS CLI, in an order in which nothing breaks: the key goes last.

use serde_json::Value;

use super::trust::{TrustSubject, trust_policy};
use super::way::Way;
use crate::cheatsheet::Step;
use crate::contain::{Grant, Policies};
use crate::ids::{AccessKeyId, UserName};

/// What is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitSubject {
    /// Whose key.
    pub user: UserName,
    /// Its active keys.
    pub keys: Vec<AccessKeyId>,
    /// What the user may do; nothing where that could not be read.
    pub policies: Option<Policies>,
    /// Where.
    pub place: TrustSubject,
}

/// The steps of a way.
#[must_use]
pub fn steps(way: Way, subject: &ExitSubject) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(trust) = trust_policy(way, &subject.place) {
        steps.extend(before_role(way));
        steps.extend(role(subject, &trust));
    }
    steps.extend(use_it(way, subject));
    steps.extend(end(subject));
    steps
}

fn aws(comment: &str, words: &[&str]) -> Step {
    Step::new(comment, ["aws"].iter().chain(words).copied())
}

/// Words without a command.
fn note(comment: &str) -> Step {
    Step::new(comment, [""; 0])
}

fn role_name(subject: &ExitSubject) -> &str {
    subject.user.as_str()
}

/// What has to be there before the role can trust it. An account has each issuer once.
fn before_role(way: Way) -> Vec<Step> {
    let issuer = |url: &str, audience: &str| {
        aws(
            "Make the issuer known to the account, once: EntityAlreadyExists means that it is.",
            &["iam", "create-open-id-connect-provider", "--url", url, "--client-id-list", audience],
        )
    };
    match way {
        Way::Irsa => vec![
            aws(
                "The issuer of the cluster. Put its id in place of CLUSTER-ID everywhere below.",
                &["eks", "describe-cluster", "--name", "CLUSTER", "--query", "cluster.identity.oidc.issuer"],
            ),
            issuer("ISSUER-URL", "sts.amazonaws.com"),
        ],
        Way::GitHub => vec![issuer("https://token.actions.githubusercontent.com", "sts.amazonaws.com")],
        Way::GitLab => vec![issuer("https://gitlab.com", "sts.amazonaws.com")],
        Way::CircleCi => vec![issuer("https://oidc.circleci.com/org/ORGANIZATION-ID", "ORGANIZATION-ID")],
        Way::TerraformCloud => vec![issuer("https://app.terraform.io", "aws.workload.identity")],
        Way::RolesAnywhere => vec![aws(
            "Name the authority that signs the certificates of the machines: its certificate stands in ca.json. Put the id that is \
             answered in place of TRUST-ANCHOR-ID below.",
            &["rolesanywhere", "create-trust-anchor", "--name", "machines", "--source", "file://ca.json", "--enabled"],
        )],
        Way::Ec2 | Way::Ecs | Way::Lambda | Way::PodIdentity | Way::IdentityCenter | Way::AwsLogin => Vec::new(),
    }
}

/// The role with the rights of the user.
fn role(subject: &ExitSubject, trust: &Value) -> Vec<Step> {
    let name = role_name(subject);
    let trust = trust.to_string();
    let mut create = vec!["iam", "create-role", "--role-name", name, "--assume-role-policy-document", &trust];
    let boundary = subject.policies.as_ref().and_then(|policies| policies.boundary.as_ref()).map(arn_of);
    if let Some(Some(arn)) = &boundary {
        create.extend(["--permissions-boundary", arn]);
    }
    let mut steps = vec![aws("The role. Put your names in place of what stands in capitals.", &create)];
    match &subject.policies {
        None => steps.push(note("Give the role the rights of the user: they could not be read.")),
        Some(policies) => steps.extend(policies.grants.iter().map(|grant| right(name, grant))),
    }
    steps
}

fn right(role: &str, grant: &Grant) -> Step {
    let comment = format!("The rights of {}.", grant.source);
    if let Some(arn) = arn_of(grant) {
        return aws(&comment, &["iam", "attach-role-policy", "--role-name", role, "--policy-arn", arn]);
    }
    let policy = grant.source.rsplit("inline policy ").next().unwrap_or("rights");
    match &grant.document {
        Some(document) => {
            let document = document.to_string();
            let words = [
                "iam",
                "put-role-policy",
                "--role-name",
                role,
                "--policy-name",
                policy,
                "--policy-document",
                &document,
            ];
            aws(&comment, &words)
        }
        None => note(&format!("{comment} Their text could not be read.")),
    }
}

/// The ARN of a managed policy, which stands at the end of the words for where a right comes from.
fn arn_of(grant: &Grant) -> Option<&str> {
    grant.source.rsplit(", ").next().filter(|end| end.starts_with("arn:"))
}

/// How the workload comes to use the role.
fn use_it(way: Way, subject: &ExitSubject) -> Vec<Step> {
    let name = role_name(subject);
    let TrustSubject { partition, account, .. } = &subject.place;
    let arn = format!("arn:{partition}:iam::{account}:role/{name}");
    let forget = "Then take the key out of there: variables and files are looked at first, and would go on being used.";
    match way {
        Way::Ec2 => vec![
            aws(
                "A profile carries the role to the instance.",
                &["iam", "create-instance-profile", "--instance-profile-name", name],
            ),
            aws(
                "The role into it.",
                &["iam", "add-role-to-instance-profile", "--instance-profile-name", name, "--role-name", name],
            ),
            aws(
                "Onto the instance.",
                &[
                    "ec2",
                    "associate-iam-instance-profile",
                    "--instance-id",
                    "INSTANCE-ID",
                    "--iam-instance-profile",
                    &format!("Name={name}"),
                ],
            ),
            aws(
                "Only with session tokens (IMDSv2): a page that the instance can be made to fetch must not hand out the role.",
                &[
                    "ec2",
                    "modify-instance-metadata-options",
                    "--instance-id",
                    "INSTANCE-ID",
                    "--http-tokens",
                    "required",
                ],
            ),
            note(forget),
        ],
        Way::Ecs => vec![
            aws(
                "Put the ARN below as taskRoleArn into the task definition, and take the key out of its environment.",
                &["iam", "get-role", "--role-name", name, "--query", "Role.Arn"],
            ),
            aws(
                "Register it, and have the service use it.",
                &["ecs", "register-task-definition", "--cli-input-json", "file://task.json"],
            ),
            aws(
                "The service starts new tasks.",
                &[
                    "ecs",
                    "update-service",
                    "--cluster",
                    "CLUSTER",
                    "--service",
                    "SERVICE",
                    "--task-definition",
                    "FAMILY",
                ],
            ),
        ],
        Way::Lambda => vec![
            aws(
                "The function needs to write its log, too.",
                &[
                    "iam",
                    "attach-role-policy",
                    "--role-name",
                    name,
                    "--policy-arn",
                    &format!("arn:{partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"),
                ],
            ),
            aws(
                "Onto the function. Take the key out of its variables in the same change (--environment).",
                &["lambda", "update-function-configuration", "--function-name", "FUNCTION", "--role", &arn],
            ),
        ],
        Way::PodIdentity => vec![
            aws(
                "The agent on the cluster, once; a cluster in auto mode has it.",
                &["eks", "create-addon", "--cluster-name", "CLUSTER", "--addon-name", "eks-pod-identity-agent"],
            ),
            aws(
                "The role for the service account.",
                &[
                    "eks",
                    "create-pod-identity-association",
                    "--cluster-name",
                    "CLUSTER",
                    "--namespace",
                    "NAMESPACE",
                    "--service-account",
                    "SERVICE-ACCOUNT",
                    "--role-arn",
                    &arn,
                ],
            ),
            note("Take the key out of the pod's environment and restart it: variables are looked at first."),
        ],
        Way::Irsa => vec![
            Step::new(
                "The role for the service account.",
                [
                    "kubectl",
                    "annotate",
                    "serviceaccount",
                    "--namespace",
                    "NAMESPACE",
                    "SERVICE-ACCOUNT",
                    &format!("eks.amazonaws.com/role-arn={arn}"),
                ],
            ),
            note("Take the key out of the pod's environment and restart it: variables are looked at first."),
        ],
        Way::GitHub => vec![note(&format!(
            "In the workflow: permissions: id-token: write, and aws-actions/configure-aws-credentials with role-to-assume: {arn} \
                 and aws-region. Then delete the secrets of the key."
        ))],
        Way::GitLab => vec![note(&format!(
            "In .gitlab-ci.yml: id_tokens: AWS_TOKEN: aud: sts.amazonaws.com; write the token to a file, and set AWS_ROLE_ARN={arn} \
             and AWS_WEB_IDENTITY_TOKEN_FILE to it. Then delete the variables of the key."
        ))],
        Way::CircleCi => vec![note(&format!(
            "In the job: write CIRCLE_OIDC_TOKEN to a file, and set AWS_ROLE_ARN={arn} and AWS_WEB_IDENTITY_TOKEN_FILE to it (the orb \
             circleci/aws-cli does both with role_arn). Then delete the variables of the key."
        ))],
        Way::TerraformCloud => vec![note(&format!(
            "In the workspace: TFC_AWS_PROVIDER_AUTH=true and TFC_AWS_RUN_ROLE_ARN={arn} as environment variables. Then delete \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY there."
        ))],
        Way::RolesAnywhere => vec![
            aws(
                "A profile lets the role out.",
                &["rolesanywhere", "create-profile", "--name", name, "--role-arns", &arn, "--enabled"],
            ),
            note(
                "On the machine, in its AWS config file: credential_process = aws_signing_helper credential-process --certificate CERT \
                 --private-key KEY --trust-anchor-arn … --profile-arn … --role-arn …. Then take the key out of the credentials file.",
            ),
        ],
        Way::IdentityCenter => vec![
            note(
                "Make a permission set with these rights, and assign it to the people for this account (IAM Identity Center).",
            ),
            aws("Each of them, once.", &["configure", "sso"]),
            aws("And every day.", &["sso", "login", "--profile", "PROFILE"]),
            note("Then remove the key from their credentials file: akia status says which profiles hold it."),
        ],
        Way::AwsLogin => vec![
            aws(
                "Who signs in needs the right to (a user of their own, with MFA; never this one).",
                &[
                    "iam",
                    "attach-group-policy",
                    "--group-name",
                    "PEOPLE",
                    "--policy-arn",
                    &format!("arn:{partition}:iam::aws:policy/SignInLocalDevelopmentAccess"),
                ],
            ),
            aws("Each of them; AWS CLI 2.32 or later.", &["login", "--profile", "PROFILE"]),
            note("Then remove the key from their credentials file: akia status says which profiles hold it."),
        ],
    }
}

/// Evidence before the end: a key that somebody still uses is not shut.
fn end(subject: &ExitSubject) -> Vec<Step> {
    let user = &subject.user;
    let mut steps = Vec::new();
    for key in &subject.keys {
        let id = key.as_str();
        steps.push(Step::new(
            "Wait until its last use no longer moves: a later time than your change means that somebody still uses it.",
            ["akia", "key", "last-used", id],
        ));
        steps.push(Step::new(
            "Shut it; that can be taken back.",
            ["akia", "key", "deactivate", id, "--user", user.as_str()],
        ));
        steps.push(Step::new(
            "After a week without trouble, delete it.",
            ["akia", "key", "delete", id, "--user", user.as_str()],
        ));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> ExitSubject {
        let grant = |source: &str, document: Option<Value>| Grant { source: source.to_owned(), document };
        let document = serde_json::json!({ "Version": "2012-10-17", "Statement": [] });
        ExitSubject {
            user: "service-x".parse().unwrap(),
            keys: vec!["AKIAIOSFODNN7EXAMPLE".parse().unwrap()],
            policies: Some(Policies {
                grants: vec![
                    grant("group service-x, inline policy service-policy", Some(document)),
                    grant("group service-x, arn:aws:iam::aws:policy/ReadOnlyAccess", None),
                ],
                boundary: Some(grant("arn:aws:iam::123456789012:policy/b", None)),
            }),
            place: TrustSubject {
                partition: crate::Partition::Aws,
                account: "123456789012".parse().unwrap(),
                region: "eu-west-1".to_owned(),
            },
        }
    }

    #[test]
    fn the_steps_of_each_way() {
        let mut all = String::new();
        for way in Way::ALL {
            let sheet: String = steps(way, &subject()).iter().map(Step::render).collect();
            // The key goes last, and only after it is quiet.
            let at = |text: &str| sheet.find(text).unwrap_or_else(|| panic!("{text}: {sheet}"));
            assert!(
                at("akia key last-used") < at("akia key deactivate")
                    && at("akia key deactivate") < at("akia key delete")
            );
            all.push_str(&format!("== {}\n{sheet}\n", way.as_str()));
        }
        insta::assert_snapshot!("steps", all);
    }

    #[test]
    fn a_role_gets_what_the_user_has() {
        let sheet: String = steps(Way::Ec2, &subject()).iter().map(Step::render).collect();
        for words in [
            "--permissions-boundary arn:aws:iam::123456789012:policy/b",
            "attach-role-policy --role-name service-x --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess",
            "put-role-policy --role-name service-x --policy-name service-policy",
        ] {
            assert!(sheet.contains(words), "{words}: {sheet}");
        }
    }
}
