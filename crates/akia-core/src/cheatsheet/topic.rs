//! The sheets: for each job the steps in the order in which they are safe.

use std::str::FromStr;

use super::aws_cli::{self, NEW_KEY_FILE, Operation, Setting, Words};
use super::fill::Fill;
use super::service::ByHand;
use super::step::{Output, Step};
use crate::ids::UserName;
use crate::key::KeyStatus;
use crate::policy::{JobPolicy, PolicyOptions};
use crate::service::{Change, ServiceNaming};

const REPORT_FILE: &str = "credential-report.csv";
const ALERT_TOPIC: &str = "access-key-alerts";
const CONFIG_RULE: &str = "access-keys-rotated";

/// A job that there is a sheet for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Put a key into a profile.
    Setup,
    /// See a user's keys.
    List,
    /// Make a key.
    Create,
    /// Let a key in again.
    Activate,
    /// Keep a key out.
    Deactivate,
    /// Delete a key.
    Delete,
    /// See when a key was last used.
    LastUsed,
    /// Rotate by hand, in the safe order.
    Rotate,
    /// Replace and shut a key that has leaked.
    Leak,
    /// Find keys past an age.
    OldKeys,
    /// Find keys that nobody uses.
    UnusedKeys,
    /// Be told by AWS Config and SNS about old keys.
    ConfigRule,
    /// Make a user for a service.
    ServiceUser,
    /// Let users manage their own keys.
    SelfService,
    /// Find out whose key an id is.
    WhoseKey,
    /// Work with MFA.
    MfaSession,
}

/// The name is none of a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no cheatsheet on {name:?}; there are {}", Topic::ALL.map(Topic::as_str).join(", "))]
pub struct UnknownTopic {
    /// What was given, cut to 40 characters.
    pub name: String,
}

impl FromStr for Topic {
    type Err = UnknownTopic;
    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.as_str() == name)
            .ok_or_else(|| UnknownTopic { name: name.chars().take(40).collect() })
    }
}

impl Topic {
    /// Every topic, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Setup,
        Self::List,
        Self::Create,
        Self::Activate,
        Self::Deactivate,
        Self::Delete,
        Self::LastUsed,
        Self::Rotate,
        Self::Leak,
        Self::OldKeys,
        Self::UnusedKeys,
        Self::ConfigRule,
        Self::ServiceUser,
        Self::SelfService,
        Self::WhoseKey,
        Self::MfaSession,
    ];

    /// The name as it is typed behind `akia cheatsheet`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::List => "list",
            Self::Create => "create",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
            Self::LastUsed => "last-used",
            Self::Rotate => "rotate",
            Self::Leak => "leak",
            Self::OldKeys => "old-keys",
            Self::UnusedKeys => "unused-keys",
            Self::ConfigRule => "config-rule",
            Self::ServiceUser => "service-user",
            Self::SelfService => "self-service",
            Self::WhoseKey => "whose-key",
            Self::MfaSession => "mfa-session",
        }
    }

    /// The job in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Setup => "Put a key into a profile",
            Self::List => "See a user's keys",
            Self::Create => "Make a key",
            Self::Activate => "Activate a key",
            Self::Deactivate => "Deactivate a key",
            Self::Delete => "Delete a key",
            Self::LastUsed => "See when a key was last used",
            Self::Rotate => "Rotate a key by hand, in the safe order",
            Self::Leak => "Shut and replace a key that has leaked",
            Self::OldKeys => "Find old keys",
            Self::UnusedKeys => "Find unused keys",
            Self::ConfigRule => "Be told about old keys by AWS Config and SNS",
            Self::ServiceUser => "Make a user for a service",
            Self::SelfService => "Let users manage their own keys",
            Self::WhoseKey => "Find out whose key it is",
            Self::MfaSession => "Work with MFA",
        }
    }
}

/// The steps of a job, with the reader's names filled in.
#[must_use]
pub fn sheet(topic: Topic, fill: &Fill) -> Vec<Step> {
    let steps = Steps { fill };
    match topic {
        Topic::Setup => steps.setup(),
        Topic::List => vec![steps.list()],
        Topic::Create => steps.create(),
        Topic::Activate => vec![steps.set_status(KeyStatus::Active), steps.list()],
        Topic::Deactivate => {
            vec![steps.last_used(), steps.set_status(KeyStatus::Inactive), steps.list()]
        }
        Topic::Delete => steps.delete(),
        Topic::LastUsed => vec![steps.last_used()],
        Topic::Rotate => steps.rotate(),
        Topic::Leak => steps.leak(),
        Topic::OldKeys => steps.old_keys(),
        Topic::UnusedKeys => steps.unused_keys(),
        Topic::ConfigRule => steps.config_rule(),
        Topic::ServiceUser => steps.service_user(),
        Topic::SelfService => steps.self_service(),
        Topic::WhoseKey => steps.whose_key(),
        Topic::MfaSession => steps.mfa_session(),
    }
}

struct Steps<'a> {
    fill: &'a Fill,
}

impl Steps<'_> {
    fn call(&self, operation: &Operation) -> Step {
        aws_cli::command(operation, &self.fill.connection())
    }

    /// A command that is none of akia's own calls.
    fn aws(&self, comment: &str, words: Words) -> Step {
        Step::new(comment, words.connect(&self.fill.connection()))
    }

    fn caller(&self) -> Step {
        self.call(&Operation::CallerIdentity)
    }

    fn list(&self) -> Step {
        self.call(&Operation::ListAccessKeys { user: self.fill.user.clone() })
    }

    fn last_used(&self) -> Step {
        self.call(&Operation::AccessKeyLastUsed { key: self.fill.key_id() })
    }

    fn set_status(&self, status: KeyStatus) -> Step {
        self.call(&Operation::UpdateAccessKey { user: self.fill.user.clone(), key: self.fill.key_id(), status })
    }

    fn make_key(&self, user: Option<UserName>) -> Step {
        self.call(&Operation::CreateAccessKey { user })
    }

    fn forget_file(&self) -> Step {
        Step::new("The profile has the secret now; remove the file.", ["rm", NEW_KEY_FILE])
    }

    fn prove(&self) -> Step {
        self.caller().explained(
            "Prove the new key: the ARN must be the same user as before. A new key may be refused for some ten seconds, \
             and again after a first success: repeat until it answers several times in a row.",
        )
    }

    fn setup(&self) -> Vec<Step> {
        let region = self.fill.home_region().as_str().to_owned();
        vec![
            self.call(&Operation::ConfigureKey),
            self.call(&Operation::ImportCsv { path: "credentials.csv".to_owned() })
                .explained(
                    "Or from the console's file, into a profile named as the user. The file needs a column \"User name\": the file of \
                     a key made for an existing user has none; akia setup --from-csv reads it all the same.",
                ),
            self.call(&Operation::ConfigureSet { setting: Setting::Region, value: region }),
            self.call(&Operation::ConfigureSet { setting: Setting::Output, value: "json".to_owned() }),
            self.caller().explained("Check it. An ARN that ends in :root is a root key: delete it, and make a user instead."),
        ]
    }

    fn create(&self) -> Vec<Step> {
        let first =
            self.list().explained("A user can have two keys, inactive ones counted. With two, one must go first.");
        let mut steps = vec![first, self.make_key(self.fill.user.clone())];
        steps.extend(self.hand_over(self.fill.acts_on_others));
        steps
    }

    /// From the file with the new key to a proven key. An administrator's profile must not be overwritten with somebody else's key.
    fn hand_over(&self, to_others: bool) -> Vec<Step> {
        if !to_others {
            return vec![self.call(&Operation::ConfigureKey), self.prove(), self.forget_file()];
        }
        let words = "Put id and secret from the file where the key is used, over a channel made for secrets, and prove the key there with \
                     aws sts get-caller-identity: several successes in a row. Do not run aws configure with this profile: it is yours.";
        vec![
            Step::new(words, [""; 0]),
            self.forget_file().explained("The key is at its place and proven; remove the file."),
        ]
    }

    fn delete(&self) -> Vec<Step> {
        vec![
            self.last_used().explained("Nobody may use it any more."),
            self.set_status(KeyStatus::Inactive)
                .explained("Deactivate it first, and wait some days: that can be taken back."),
            self.call(&Operation::DeleteAccessKey { user: self.fill.user.clone(), key: self.fill.key_id() }),
        ]
    }

    fn rotate(&self) -> Vec<Step> {
        let mut steps = vec![
            self.caller().explained("Who signs. It must be an IAM user: :root and assumed-role are not rotated like this."),
            self.list().explained(
                "Two keys already: find out which one is used (get-access-key-last-used), and delete the other by name, never by age.",
            ),
            self.make_key(self.fill.user.clone()),
        ];
        if self.fill.acts_on_others {
            steps[0] = self.caller().explained("Who signs: an administrator of the user's account.");
        }
        steps.extend(self.hand_over(self.fill.acts_on_others));
        steps.extend([
            self.last_used().explained(
                "Put the new key everywhere the old one was. Then wait until the old key's last use no longer moves: \
                 a later time than your change means that somebody still uses it.",
            ),
            self.set_status(KeyStatus::Inactive),
            self.set_status(KeyStatus::Active)
                .explained("Only if something broke: take it back, and find what still uses the old key."),
            self.call(&Operation::DeleteAccessKey { user: self.fill.user.clone(), key: self.fill.key_id() })
                .explained("After a week without trouble, delete it. This cannot be undone."),
        ]);
        steps
    }

    /// An administrator acts here, so that the user is named in every command: without a name, IAM would take the administrator.
    fn leak(&self) -> Vec<Step> {
        let named = Fill { user: self.fill.user_name().parse().ok(), ..self.fill.clone() };
        Steps { fill: &named }.leak_of_named()
    }

    fn leak_of_named(&self) -> Vec<Step> {
        let fill = self.fill;
        let since = fill
            .now
            .map_or_else(|| "YYYY-MM-DDTHH:MM:SSZ".to_owned(), |now| now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let revoke = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"RevokeOlderSessions","Effect":"Deny","Action":"*","Resource":"*","Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{since}"}}}}}}]}}"#
        );
        let mut steps = vec![
            self.call(&Operation::AccessKeyInfo { key: fill.key_id() }).explained("Whose account? From here on act with an administrator's profile of that account."),
            self.last_used().explained("Which user, and is it in use?"),
            self.set_status(KeyStatus::Inactive).explained(
                "Shut it now; what breaks is cheaper than what goes on. Do not delete it yet: you need its history, and deleting hides it.",
            ),
            self.aws(
                "Sessions that were begun with the key live on, up to 36 hours: cut them off. \
                 The time is when you shut the key, in UTC. Plain keys have no issue time and are not touched.",
                Words::new("iam", "put-user-policy")
                    .option("--user-name", fill.user_name())
                    .option("--policy-name", "RevokeOlderSessions")
                    .option("--policy-document", &revoke),
            ),
            self.call(&Operation::LookupEvents { key: fill.key_id() }).explained(
                "What was done with it, in the last 90 days and in this region: repeat for every region in use. \
                 Data events, such as reads of S3 objects, are only in a trail. Look for new users, keys, roles and instances.",
            ),
            self.list().explained("Did somebody make a second key for the user?"),
            self.make_key(fill.user.clone()).explained("Make the replacement. The secret goes into a file that only you can read."),
        ];
        steps.extend(self.hand_over(true));
        steps.push(
            self.call(&Operation::DeleteAccessKey { user: fill.user.clone(), key: fill.key_id() })
                .explained("When the inquiry is over, delete the leaked key, and remove it from where it leaked."),
        );
        steps
    }

    fn report(&self) -> Vec<Step> {
        vec![
            self.aws(
                "Have the credential report made; repeat until it says COMPLETE. AWS makes a new one every 4 hours at most.",
                Words::new("iam", "generate-credential-report"),
            ),
            Step {
                output: Output::Decoded { file: REPORT_FILE.to_owned() },
                ..self.aws(
                    "Get it. It comes as base64.",
                    Words::new("iam", "get-credential-report").option("--query", "Content").option("--output", "text"),
                )
            },
        ]
    }

    fn old_keys(&self) -> Vec<Step> {
        let day = self.fill.cutoff_day();
        let own = self.list();
        let query = format!("AccessKeyMetadata[?CreateDate<'{day}'].[UserName, AccessKeyId, Status, CreateDate]");
        let mut command = own.command.clone();
        command.extend(["--query".to_owned(), query]);
        let mut steps = vec![Step { command, ..own.explained(format!("Keys of one user made before {day}.")) }];
        steps.extend(self.report());
        steps.push(Step::new(
            format!(
                "Users of the account with an active key last rotated before {day}: column 10 for the first key, 15 for the second. \
                 The date also moves when a key is activated again, so that a key can be older than it says: list-access-keys has the \
                 creation date."
            ),
            [
                "awk",
                "-F,",
                "-v",
                &format!("day={day}"),
                r#"$9=="true" && $10<day {print $1, 1, $10} $14=="true" && $15<day {print $1, 2, $15}"#,
                REPORT_FILE,
            ],
        ));
        steps
    }

    fn unused_keys(&self) -> Vec<Step> {
        let day = self.fill.cutoff_day();
        let mut steps = self.report();
        steps.push(Step::new(
            format!(
                "Active keys not used since {day}: columns 11 and 16. N/A means never used; such a key counts from its creation \
                 (columns 10 and 15), or every new key would be on the list."
            ),
            [
                "awk",
                "-F,",
                "-v",
                &format!("day={day}"),
                r#"$9=="true" && ($11=="N/A" ? $10 : $11)<day {print $1, 1, $11} $14=="true" && ($16=="N/A" ? $15 : $16)<day {print $1, 2, $16}"#,
                REPORT_FILE,
            ],
        ));
        steps.push(
            self.last_used()
                .explained("The report is up to 4 hours old. Ask again about the key before you act on it."),
        );
        steps.push(self.set_status(KeyStatus::Inactive));
        steps
    }

    fn config_rule(&self) -> Vec<Step> {
        let fill = self.fill;
        let (partition, region, account) = (fill.partition(), fill.home_region(), fill.account_id());
        let topic_arn = format!("arn:{partition}:sns:{region}:{account}:{ALERT_TOPIC}");
        let rule_arn = format!("arn:{partition}:events:{region}:{account}:rule/{CONFIG_RULE}");
        let rule = format!(
            r#"{{"ConfigRuleName":"{CONFIG_RULE}","Source":{{"Owner":"AWS","SourceIdentifier":"ACCESS_KEYS_ROTATED"}},"InputParameters":"{{\"maxAccessKeyAge\":\"{}\"}}","MaximumExecutionFrequency":"TwentyFour_Hours"}}"#,
            fill.max_age_days
        );
        let pattern = format!(
            r#"{{"source":["aws.config"],"detail-type":["Config Rules Compliance Change"],"detail":{{"configRuleName":["{CONFIG_RULE}"],"newEvaluationResult":{{"complianceType":["NON_COMPLIANT"]}}}}}}"#
        );
        let publish = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"PublishFromEvents","Effect":"Allow","Principal":{{"Service":"events.amazonaws.com"}},"Action":"sns:Publish","Resource":"{topic_arn}","Condition":{{"ArnEquals":{{"aws:SourceArn":"{rule_arn}"}}}}}}]}}"#
        );
        vec![
            self.aws(
                "AWS Config must record in this region; an empty list means that it does not.",
                Words::new("configservice", "describe-configuration-recorder-status"),
            ),
            self.aws(
                "Put the rule. It looks once a day at the age of every active key.",
                Words::new("configservice", "put-config-rule").option("--config-rule", &rule),
            ),
            self.aws("A topic for the messages.", Words::new("sns", "create-topic").option("--name", ALERT_TOPIC)),
            self.aws(
                "Subscribe yourself; confirm the mail that comes.",
                Words::new("sns", "subscribe")
                    .option("--topic-arn", &topic_arn)
                    .option("--protocol", "email")
                    .option("--notification-endpoint", "you@example.com"),
            ),
            self.aws(
                "Let EventBridge publish to the topic. This replaces the policy of the topic.",
                Words::new("sns", "set-topic-attributes")
                    .option("--topic-arn", &topic_arn)
                    .option("--attribute-name", "Policy")
                    .option("--attribute-value", &publish),
            ),
            self.aws(
                "Catch each change to NON_COMPLIANT.",
                Words::new("events", "put-rule").option("--name", CONFIG_RULE).option("--event-pattern", &pattern),
            ),
            self.aws(
                "Send it to the topic.",
                Words::new("events", "put-targets")
                    .option("--rule", CONFIG_RULE)
                    .option("--targets", &format!("Id=sns,Arn={topic_arn}")),
            ),
            self.aws(
                "Who has an old key now. Config names users by their unique id (AIDA…).",
                Words::new("configservice", "get-compliance-details-by-config-rule")
                    .option("--config-rule-name", CONFIG_RULE)
                    .option("--compliance-types", "NON_COMPLIANT")
                    .option(
                        "--query",
                        "EvaluationResults[].EvaluationResultIdentifier.EvaluationResultQualifier.ResourceId",
                    ),
            ),
        ]
    }

    fn service_user(&self) -> Vec<Step> {
        let user = self.fill.user_name();
        let named: Option<UserName> = user.parse().ok();
        let tags = [("owner", "TEAM"), ("purpose", "PURPOSE"), ("service", "SERVICE")];
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}"#;
        let path = ServiceNaming::default().path;
        let by_hand = ByHand { user, path: path.as_str(), policy, tags: &tags, boundary: None };
        let changes =
            [Change::CreateGroup, Change::PutGroupPolicy { before: None }, Change::CreateUser, Change::AddToGroup];
        let mut steps = by_hand.steps(&changes, &self.fill.connection());
        steps[0] = steps[0].clone().explained(
            "Ask first whether a role would do: on EC2, ECS, Lambda, EKS and GitHub Actions it does, and there is no key to lose \
             (akia service exit says how). Otherwise: a group that holds the rights of this one service.",
        );
        steps.extend([
            self.aws(
                "Check that it cannot sign in to the console: NoSuchEntity is the right answer.",
                Words::new("iam", "get-login-profile").option("--user-name", user),
            ),
            self.make_key(named).explained(
                "Its key. The secret goes into a file that only you can read; put it where the service reads it.",
            ),
            self.forget_file().explained("The service has the secret now; remove the file."),
        ]);
        steps
    }

    fn self_service(&self) -> Vec<Step> {
        let fill = self.fill;
        let options = PolicyOptions { partition: fill.partition(), path_aware: true, ..PolicyOptions::default() };
        let document = JobPolicy::ManageOwnKeys.document(&options).to_compact_json();
        let arn = format!("arn:{}:iam::{}:policy/ManageOwnAccessKeys", fill.partition(), fill.account_id());
        vec![
            self.aws(
                "A policy that lets every user manage their own keys and nobody else's (akia policy manage-own-keys --path-aware).",
                Words::new("iam", "create-policy")
                    .option("--policy-name", "ManageOwnAccessKeys")
                    .option("--policy-document", &document),
            ),
            self.aws(
                "Attach it to a group of people,",
                Words::new("iam", "attach-group-policy").option("--group-name", "GROUP-NAME").option("--policy-arn", &arn),
            ),
            self.aws(
                "or to one user.",
                Words::new("iam", "attach-user-policy").option("--user-name", fill.user_name()).option("--policy-arn", &arn),
            ),
            self.call(&Operation::SimulatePrincipalPolicy {
                principal: format!("arn:{}:iam::{}:user/{}", fill.partition(), fill.account_id(), fill.user_name()),
                actions: ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:ListAccessKeys", "iam:UpdateAccessKey"]
                    .map(str::to_owned)
                    .to_vec(),
                resource: format!("arn:{}:iam::{}:user/{}", fill.partition(), fill.account_id(), fill.user_name()),
            })
            .explained("Check it. A user with a path has it in the ARN, before the name."),
        ]
    }

    fn whose_key(&self) -> Vec<Step> {
        vec![
            self.call(&Operation::AccessKeyInfo { key: self.fill.key_id() }).explained(
                "The account, whosever it is. It says nothing about whether the key is active, or still exists.",
            ),
            self.last_used().explained("The user and the last use: only with a profile of that account."),
            self.call(&Operation::LookupEvents { key: self.fill.key_id() }),
        ]
    }

    fn mfa_session(&self) -> Vec<Step> {
        let fill = self.fill;
        let without_profile = super::aws_cli::Connection { profile: None, ..fill.connection() };
        vec![
            self.call(&Operation::ListMfaDevices { user: fill.user.clone() }),
            self.call(&Operation::ConfigureSet { setting: Setting::MfaSerial, value: fill.mfa_serial() })
                .explained("Keep the serial number in the profile: akia asks for the code by itself then."),
            self.call(&Operation::SessionToken { serial: fill.mfa_serial(), duration_seconds: 3600 }),
            aws_cli::command(&Operation::CallerIdentity, &without_profile).explained(
                "From here on without --profile: it would win over the environment, and the plain key would sign.",
            ),
            Step::new(
                "Leave the session.",
                ["unset", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader with a name for everything, some of them awkward.
    fn known() -> Fill {
        Fill {
            profile: Some("it's \"my\" profile".parse().unwrap()),
            region: Some("us-gov-east-1".parse().unwrap()),
            user: Some("-bob+ci@example.com".parse().unwrap()),
            key: Some("AKIAI44QH8DHBEXAMPLE".parse().unwrap()),
            account: Some("210987654321".parse().unwrap()),
            cutoff: Some("2026-08-25".parse().unwrap()),
            now: Some("2026-11-23T10:00:00Z".parse().unwrap()),
            ..Fill::default()
        }
    }

    fn text(fill: &Fill) -> String {
        let sheet = |topic: Topic| {
            let steps: Vec<String> = sheet(topic, fill).iter().map(Step::render).collect();
            format!("## {}: {}\n\n{}", topic.as_str(), topic.title(), steps.join("\n"))
        };
        Topic::ALL.map(sheet).join("\n")
    }

    #[test]
    fn every_sheet_without_names() {
        insta::assert_snapshot!("examples", text(&Fill::default()));
    }

    #[test]
    fn every_sheet_with_the_readers_names() {
        insta::assert_snapshot!("filled", text(&known()));
    }

    #[test]
    fn no_command_carries_or_shows_a_secret() {
        for fill in [Fill::default(), known()] {
            for step in Topic::ALL.into_iter().flat_map(|topic| sheet(topic, &fill)) {
                let words = step.command.join(" ");
                assert!(!words.contains("aws_secret_access_key"), "{words}");
                let secret =
                    ["create-access-key", "get-session-token", "assume-role "].iter().any(|name| words.contains(name));
                assert_eq!(secret, matches!(step.output, Output::Private { .. } | Output::Exported), "{words}");
            }
        }
    }

    #[test]
    fn an_administrators_profile_is_never_overwritten_with_the_key_of_another() {
        let admin = Fill { acts_on_others: true, ..known() };
        let configures = |topic: Topic, fill: &Fill| {
            sheet(topic, fill).iter().any(|step| step.command.get(1).is_some_and(|word| word == "configure"))
        };
        for topic in [Topic::Create, Topic::Rotate] {
            assert!(configures(topic, &known()) && !configures(topic, &admin), "{}", topic.as_str());
        }
        assert!(!configures(Topic::Leak, &known()) && !configures(Topic::ServiceUser, &known()));
        insta::assert_snapshot!(
            "rotate-for-others",
            sheet(Topic::Rotate, &admin).iter().map(Step::render).collect::<Vec<_>>().join("\n")
        );
    }

    #[test]
    fn by_hand_the_old_key_goes_only_after_the_new_one_is_proven() {
        let steps = sheet(Topic::Rotate, &Fill::default());
        let at = |name: &str| steps.iter().position(|step| step.command.iter().any(|word| word == name)).unwrap();
        let last_identity =
            steps.iter().rposition(|step| step.command.contains(&"get-caller-identity".to_owned())).unwrap();
        assert!(at("create-access-key") < at("configure"));
        assert!(at("configure") < last_identity);
        assert!(last_identity < at("get-access-key-last-used"));
        assert!(at("get-access-key-last-used") < at("update-access-key"));
        assert!(at("update-access-key") < at("delete-access-key"));
    }

    #[test]
    fn names_read_back_and_unknown_ones_are_refused() {
        for topic in Topic::ALL {
            assert_eq!(topic.as_str().parse(), Ok(topic));
        }
        let error = "everything".parse::<Topic>().unwrap_err().to_string();
        assert!(error.starts_with("there is no cheatsheet on \"everything\"; there are setup, list, "), "{error}");
    }
}
