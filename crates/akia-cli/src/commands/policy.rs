//! `akia policy`: the IAM policies that jobs need, and what you lack.

use akia_core::config_rule::{RuleName, TopicArn};
use akia_core::policy::{
    AccountRole, ConfigRuleRights, Duty, JobPolicy, LambdaRights, PolicyDocument, PolicyOptions, ScanSource,
    cloudformation, config_rule_policy, contain_policy, events_policy, hub_policy, lambda_policy, scan_policy,
    service_policy, terraform, usage_policy,
};
use akia_core::service::{BoundaryArn, IamPath};
use akia_core::{AccountId, Partition, UserName};
use clap::{Args, Subcommand};

use crate::args::ConfigArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::organization::{ROLE_NAME, role_name};
use crate::output::Format;

/// Print the IAM policy that a job needs, or check what you may do
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia policy create-own-keys", "users may create and list their own keys"),
    ("akia policy manage-own-keys --require-mfa", "users may do everything with their own keys, with MFA"),
    ("akia policy rotate-own-keys --partition aws-cn", "the least that `akia rotate` needs, in China"),
    ("akia policy check", "which commands you may use"),
]))]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: PolicyVerb,
}

/// Which policy, or the check.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Print the policy that lets users create and list their own keys
    #[command(after_long_help = super::examples(&[
        ("akia policy create-own-keys > policy.json", "then: aws iam create-policy --policy-document file://policy.json …"),
    ]))]
    CreateOwnKeys(DocumentArgs),
    /// Print the policy that lets users create, list, activate, deactivate and delete their own keys
    #[command(after_long_help = super::examples(&[
        ("akia policy manage-own-keys --require-mfa", "only with MFA"),
        ("akia policy manage-own-keys --path-aware", "also for users below a path"),
    ]))]
    ManageOwnKeys(DocumentArgs),
    /// Print the policy for `akia rotate` of one's own keys, and nothing else
    #[command(after_long_help = super::examples(&[("akia policy rotate-own-keys", "the least that rotation needs")]))]
    RotateOwnKeys(DocumentArgs),
    /// Print the policy for `akia rotate --user`: the keys of every user of the account
    #[command(after_long_help = super::examples(&[("akia policy rotate-others-keys --require-mfa", "for administrators")]))]
    RotateOthersKeys(DocumentArgs),
    /// Print the policy for `akia status`
    #[command(after_long_help = super::examples(&[("akia policy status", "only reading")]))]
    Status(DocumentArgs),
    /// Print the policy for `akia undo`
    #[command(after_long_help = super::examples(&[("akia policy undo", "taking rotations back")]))]
    Undo(DocumentArgs),
    /// Print the policy for `akia retire`
    #[command(after_long_help = super::examples(&[("akia policy retire", "deleting old keys")]))]
    Retire(DocumentArgs),
    /// Print the policy for `akia audit`: reading the whole account
    #[command(after_long_help = super::examples(&[
        ("akia policy audit", "for the role that audits"),
        ("akia policy audit --security-hub", "and hands what it finds to Security Hub"),
        ("akia policy audit --template stackset --hub 111122223333 --external-id example-id > role.yaml", "a StackSet"),
    ]))]
    ///
    /// With --template, the role for accounts of an organisation, to be deployed to each: a CloudFormation template for a
    /// StackSet, or a Terraform file. `akia policy hub` prints what the caller needs.
    Audit(AuditPolicyArgs),
    /// Print the policies for `akia enforce`: looking at keys, deactivating, deleting
    ///
    /// Each is for a role of its own, so that whoever holds one cannot do the rest; in one account, one policy with all of it does.
    /// With --template, the roles AkiaEnforceReader, AkiaDeactivator and AkiaDeleter for accounts of an organisation.
    #[command(after_long_help = super::examples(&[
        ("akia policy enforce", "one account"),
        ("akia policy enforce --template stackset --hub 111122223333 --external-id example-id > roles.yaml", "a StackSet"),
    ]))]
    Enforce(EnforcePolicyArgs),
    /// Print the policy for `akia audit --org`: list the accounts of the organisation, and enter them
    #[command(after_long_help = super::examples(&[
        ("akia policy hub", "for the user or role that audits the organisation"),
        ("akia policy audit --template stackset --hub 111122223333", "the other half: the role in each account"),
    ]))]
    Hub(HubArgs),
    /// Print the policy for `akia config-rule`
    ///
    /// `akia config-rule status` also reads the account, with the rights of `akia policy audit`.
    #[command(after_long_help = super::examples(&[
        ("akia policy config-rule", "the rule, and its EventBridge rule"),
        ("akia policy config-rule --sns arn:aws:sns:eu-west-1:123456789012:alerts --grant", "and opening the topic"),
    ]))]
    ConfigRule(ConfigRulePolicyArgs),
    /// Print the policy for `akia contain`: finding out whose a leaked key is, shutting and replacing it, denying sessions
    #[command(after_long_help = super::examples(&[
        ("akia policy contain > contain.json", "for whoever answers leaks"),
    ]))]
    Contain(ContainPolicyArgs),
    /// Print the policy for `akia events`: taking messages from the queue, and looking at keys
    #[command(after_long_help = super::examples(&[
        ("akia policy events --queue arn:aws:sqs:us-east-1:123456789012:akia-events", "one queue"),
    ]))]
    Events(EventsPolicyArgs),
    /// Print the policy for the role of `akia lambda`: writing its secrets, replacing the keys of its users
    #[command(after_long_help = super::examples(&[
        ("akia policy lambda --user service-billing > role.json", "one user, and the secrets whose names begin with service/"),
    ]))]
    Lambda(LambdaPolicyArgs),
    /// Print the policy for `akia scan` of snapshots and of the texts of an account; it changes nothing
    #[command(after_long_help = super::examples(&[
        ("akia policy scan > policy.json", "the blocks of snapshots, and every place where people write keys"),
        ("akia policy scan --user-data", "without the disks"),
    ]))]
    Scan(ScanPolicyArgs),
    /// Print the policy for `akia service`: making, listing and checking service users, and the way off their keys
    #[command(after_long_help = super::examples(&[
        ("akia policy service --permissions-boundary arn:aws:iam::123456789012:policy/services", "only users that have this boundary"),
    ]))]
    Service(ServicePolicyArgs),
    /// Print the policy for `akia usage`: reading the event history, and the logs of trails; it changes nothing
    #[command(after_long_help = super::examples(&[
        ("akia policy usage", "without a trail: akia usage load --live"),
        ("akia policy usage --bucket example-trail", "and the logs of a trail"),
    ]))]
    Usage(UsagePolicyArgs),
    /// Say which rights you have for which command
    ///
    /// Asks AWS with iam:SimulatePrincipalPolicy where you may, and tells it from the answers to harmless calls
    /// elsewhere. Nothing is changed. Without COMMAND there is a line for each command, with what it lacks; with it, a
    /// line for each right. --profile says whose rights are checked.
    ///
    /// The exit code is 0 when every right that the commands require is there, 4 when one is missing, and 3 when none
    /// is known to be missing but some could not be found out. Where neither COMMAND nor --user is given, the rights of
    /// `rotate --user`, audit, contain and scan are shown and do not count.
    #[command(after_long_help = super::examples(&[
        ("akia policy check", "every command"),
        ("akia policy check rotate undo -p work", "two commands, for profile `work`"),
        ("akia policy check key --user alice", "all of `akia key`, on alice's keys"),
        ("akia policy check contain scan -p admin", "before a leak: may the profile `admin` shut any key, and read what an account holds?"),
    ]))]
    Check(CheckArgs),
}

/// Form of the policy.
#[derive(Debug, Args)]
pub struct DocumentArgs {
    /// Grant the rights only to sessions with MFA
    #[arg(long)]
    pub require_mfa: bool,

    /// Match users below an IAM path too
    #[arg(long)]
    pub path_aware: bool,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// Form of the policy of an audit.
#[derive(Debug, Args)]
pub struct AuditPolicyArgs {
    /// Form.
    #[command(flatten)]
    pub form: DocumentArgs,

    /// Also permit handing findings to Security Hub, for `akia audit --security-hub`
    #[arg(long)]
    pub security_hub: bool,

    /// Print the whole role in this form
    #[arg(long, value_name = "FORM", requires = "hub", conflicts_with_all = ["require_mfa", "path_aware"])]
    pub template: Option<Template>,

    /// Who may assume the role: an ARN, or the number of the account that calls
    #[arg(long, value_name = "ARN|ID", requires = "template", value_parser = hub)]
    pub hub: Option<String>,

    /// External id that whoever assumes the role must give
    #[arg(long, value_name = "ID", requires = "template")]
    pub external_id: Option<String>,

    /// Name of the role, with its path where it has one
    #[arg(long, value_name = "NAME", requires = "template", default_value = ROLE_NAME, value_parser = role_name)]
    pub role_name: String,
}

/// Form of the policies of enforcement.
#[derive(Debug, Args)]
pub struct EnforcePolicyArgs {
    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,

    /// Print whole roles in this form
    #[arg(long, value_name = "FORM", requires = "hub")]
    pub template: Option<Template>,

    /// Who may assume the roles: an ARN, or the number of the account that calls
    #[arg(long, value_name = "ARN|ID", requires = "template", value_parser = hub)]
    pub hub: Option<String>,

    /// External id that whoever assumes the roles must give
    #[arg(long, value_name = "ID", requires = "template")]
    pub external_id: Option<String>,
}

/// Form of the role in each account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A CloudFormation template (YAML) for a StackSet
    Stackset,
    /// A Terraform file
    Terraform,
}

/// Form of the policy of the caller.
#[derive(Debug, Args)]
pub struct HubArgs {
    /// Name of the role in each account, with its path where it has one
    #[arg(long, value_name = "NAME", default_value = ROLE_NAME, value_parser = role_name)]
    pub role_name: String,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// What `akia config-rule` is to do.
#[derive(Debug, Args)]
pub struct ConfigRulePolicyArgs {
    /// Name of the rules
    #[arg(long, value_name = "NAME", default_value = super::config_rule::NAME)]
    pub name: RuleName,

    /// Topic that is told
    #[arg(long, value_name = "ARN")]
    pub sns: Option<TopicArn>,

    /// Also permit changing the policy of the topic, for --grant
    #[arg(long, requires = "sns")]
    pub grant: bool,

    /// Also permit the organisation's rule
    #[arg(long)]
    pub org: bool,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// Form of the policy of containing.
#[derive(Debug, Args)]
pub struct ContainPolicyArgs {
    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// What `akia events` takes messages from.
#[derive(Debug, Args)]
pub struct EventsPolicyArgs {
    /// ARN of the queue [default: a queue named akia-events anywhere]
    #[arg(long, value_name = "ARN", value_parser = queue_arn)]
    pub queue: Option<String>,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// What the rotation function is for.
#[derive(Debug, Args)]
pub struct LambdaPolicyArgs {
    /// ARN of the secrets, with wildcards [default: those whose names begin with service/]
    #[arg(long, value_name = "ARN", value_parser = secret_arn)]
    pub secret: Option<String>,

    /// Names of the users, with their path where they have one, and with wildcards [default: service-*, or as name-prefix in the services table of
    /// akia.toml says]
    #[arg(long, value_name = "NAME", value_parser = user_pattern)]
    pub user: Option<String>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// ARN of the KMS key of the secrets, where it is one of yours
    #[arg(long, value_name = "ARN", value_parser = kms_arn)]
    pub kms_key: Option<String>,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// Whose logs are read.
#[derive(Debug, Args)]
pub struct UsagePolicyArgs {
    /// Bucket of a trail; may be given several times
    #[arg(long = "bucket", value_name = "NAME", value_parser = bucket)]
    pub buckets: Vec<String>,

    /// ARN of the KMS key that the trail encrypts with
    #[arg(long, value_name = "ARN", value_parser = kms_arn, requires = "buckets")]
    pub kms_key: Option<String>,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// What is scanned.
#[derive(Debug, Args)]
pub struct ScanPolicyArgs {
    /// Only what `akia scan --snapshot` needs
    #[arg(long)]
    pub snapshot: bool,

    /// Only what `akia scan --user-data` needs
    #[arg(long, conflicts_with = "snapshot")]
    pub user_data: bool,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// Which service users may be made.
#[derive(Debug, Args)]
pub struct ServicePolicyArgs {
    /// IAM path of the users and groups [default: path in the services table of akia.toml, else /service/]
    #[arg(long, value_name = "PATH")]
    pub path: Option<IamPath>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Permit only users that have this permissions boundary
    #[arg(long, value_name = "ARN")]
    pub permissions_boundary: Option<BoundaryArn>,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// Which commands to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Commands to check, for example rotate, key list, or key for all of them [default: all]
    #[arg(value_name = "COMMAND")]
    pub commands: Vec<String>,

    /// Check the rights on the keys of this user [default: your own keys]
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
}

pub(crate) fn run(context: &Context, args: &PolicyArgs) -> Result<Exit, CommandError> {
    match &args.act {
        PolicyVerb::CreateOwnKeys(form) => print(context, JobPolicy::CreateOwnKeys, form),
        PolicyVerb::ManageOwnKeys(form) => print(context, JobPolicy::ManageOwnKeys, form),
        PolicyVerb::RotateOwnKeys(form) => print(context, JobPolicy::RotateOwnKeys, form),
        PolicyVerb::RotateOthersKeys(form) => print(context, JobPolicy::RotateOthersKeys, form),
        PolicyVerb::Status(form) => print(context, JobPolicy::Status, form),
        PolicyVerb::Undo(form) => print(context, JobPolicy::Undo, form),
        PolicyVerb::Retire(form) => print(context, JobPolicy::Retire, form),
        PolicyVerb::Audit(args) => match args.template {
            None => print_with(context, JobPolicy::Audit, &args.form, args.security_hub),
            Some(template) => print_role(context, template, args),
        },
        PolicyVerb::Enforce(args) => enforce(context, args),
        PolicyVerb::Hub(args) => {
            no_csv(context, "hub")?;
            let partition = partition(context, args.partition)?;
            context.print_text(&hub_policy(partition, &args.role_name).to_pretty_json())?;
            context
                .say("note: in a delegated account, the organisation must let it list accounts (a resource policy).");
            Ok(Exit::Done)
        }
        PolicyVerb::ConfigRule(args) => config_rule(context, args),
        PolicyVerb::Events(args) => events(context, args),
        PolicyVerb::Scan(args) => scan(context, args),
        PolicyVerb::Contain(args) => contain(context, args),
        PolicyVerb::Usage(args) => usage(context, args),
        PolicyVerb::Service(args) => service(context, args),
        PolicyVerb::Lambda(args) => lambda(context, args),
        PolicyVerb::Check(check) => super::on_runtime(crate::rights::run(context, check)),
    }
}

/// The document goes to stdout as AWS takes it, without a schema of ours; what a reader must know goes to stderr.
fn print(context: &Context, job: JobPolicy, form: &DocumentArgs) -> Result<Exit, CommandError> {
    print_with(context, job, form, false)
}

fn print_with(
    context: &Context,
    job: JobPolicy,
    form: &DocumentArgs,
    security_hub: bool,
) -> Result<Exit, CommandError> {
    no_csv(context, job.as_str())?;
    let partition = partition(context, form.partition)?;
    let options = PolicyOptions { partition, require_mfa: form.require_mfa, path_aware: form.path_aware, security_hub };
    context.print_text(&format!("{}\n", job.document(&options).to_pretty_json().trim_end()))?;
    for note in job.notes(&options) {
        context.say(&format!("note: {note}"));
    }
    Ok(Exit::Done)
}

/// The role in each account of an organisation.
fn print_role(context: &Context, template: Template, args: &AuditPolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "audit")?;
    let role = AccountRole {
        duty: Duty::Audit { security_hub: args.security_hub },
        partition: partition(context, args.form.partition)?,
        name: args.role_name.clone(),
        hub: args.hub.clone().unwrap_or_default(),
        external_id: args.external_id.clone(),
    };
    print_roles(context, template, &[role])
}

fn print_roles(context: &Context, template: Template, roles: &[AccountRole]) -> Result<Exit, CommandError> {
    context.print_text(&match template {
        Template::Stackset => cloudformation(roles),
        Template::Terraform => terraform(roles),
    })?;
    if template == Template::Stackset {
        context.say("note: a StackSet does not reach the management account, whose caller needs no role in it.");
    }
    Ok(Exit::Done)
}

/// The policies or roles of enforcement.
fn enforce(context: &Context, args: &EnforcePolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "enforce")?;
    let partition = partition(context, args.partition)?;
    if let Some(template) = args.template {
        let role = |duty: Duty| AccountRole {
            duty,
            partition,
            name: duty.role_name().to_owned(),
            hub: args.hub.clone().unwrap_or_default(),
            external_id: args.external_id.clone(),
        };
        return print_roles(context, template, &Duty::ENFORCEMENT.map(role));
    }
    let statements = Duty::ENFORCEMENT.into_iter().flat_map(|duty| duty.policy(partition).statement);
    let all = PolicyDocument::new(statements.collect());
    context.print_text(&format!("{}\n", all.to_pretty_json().trim_end()))?;
    context
        .say("note: whoever holds this can shut every key of the account; give each statement to a role of its own.");
    Ok(Exit::Done)
}

fn config_rule(context: &Context, args: &ConfigRulePolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "config-rule")?;
    let rights = ConfigRuleRights {
        partition: partition(context, args.partition)?,
        name: args.name.to_string(),
        topic: args.sns.clone(),
        grant: args.grant,
        for_organization: args.org,
    };
    context.print_text(&format!("{}\n", config_rule_policy(&rights).to_pretty_json().trim_end()))?;
    context.say("note: akia config-rule status reads the account, too: akia policy audit.");
    if args.org {
        context.say(
            "note: the first rule of an organisation makes a service-linked role, which takes iam:CreateServiceLinkedRole for \
             config-multiaccountsetup.amazonaws.com.",
        );
    }
    Ok(Exit::Done)
}

fn events(context: &Context, args: &EventsPolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "events")?;
    let partition = partition(context, args.partition)?;
    let queue = args.queue.clone().unwrap_or_else(|| format!("arn:{partition}:sqs:*:*:akia-events"));
    context.print_text(&format!("{}\n", events_policy(partition, &queue).to_pretty_json().trim_end()))?;
    context.say(
        "note: for the events of other accounts the caller also enters them: akia policy hub. An encrypted queue takes kms:Decrypt.",
    );
    Ok(Exit::Done)
}

fn scan(context: &Context, args: &ScanPolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "scan")?;
    let sources: &[ScanSource] = match (args.snapshot, args.user_data) {
        (true, _) => &[ScanSource::Snapshots],
        (false, true) => &[ScanSource::UserData],
        (false, false) => &ScanSource::ALL,
    };
    let policy = scan_policy(partition(context, args.partition)?, sources);
    context.print_text(&format!("{}\n", policy.to_pretty_json().trim_end()))?;
    context.say(
        "note: encrypted snapshots, and variables under a key of your own, also take kms:Decrypt on that key; name the keys yourself.",
    );
    if sources.contains(&ScanSource::Snapshots) {
        context
            .say("note: whoever holds this can read every disk that a snapshot keeps; give it to a role for the scan.");
    }
    Ok(Exit::Done)
}

fn contain(context: &Context, args: &ContainPolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "contain")?;
    let policy = contain_policy(partition(context, args.partition)?);
    context.print_text(&format!("{}\n", policy.to_pretty_json().trim_end()))?;
    context.say(
        "note: whoever may create keys for a user holds all its rights, and whoever may shut them can stop every service that has one. \
         Give it to few, and with MFA. Without iam:CreateAccessKey a key is shut, and not replaced.",
    );
    Ok(Exit::Done)
}

fn usage(context: &Context, args: &UsagePolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "usage")?;
    let policy = usage_policy(partition(context, args.partition)?, &args.buckets, args.kms_key.as_deref());
    context.print_text(&format!("{}\n", policy.to_pretty_json().trim_end()))?;
    context.say("note: iam:GetAccountAuthorizationDetails is for akia usage policy --compare alone");
    Ok(Exit::Done)
}

fn service(context: &Context, args: &ServicePolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "service")?;
    let boundary = args.permissions_boundary.as_ref();
    let path = match &args.path {
        Some(path) => path.clone(),
        None => args.config.load(context)?.settings.naming.path,
    };
    let policy = service_policy(partition(context, args.partition)?, &path, boundary);
    context.print_text(&format!("{}\n", policy.to_pretty_json().trim_end()))?;
    if boundary.is_none() {
        context.say(
            "note: whoever may make users, policies and keys can have any right. --permissions-boundary ARN keeps them below a policy of \
             yours.",
        );
    }
    Ok(Exit::Done)
}

fn lambda(context: &Context, args: &LambdaPolicyArgs) -> Result<Exit, CommandError> {
    no_csv(context, "lambda")?;
    let partition = partition(context, args.partition)?;
    let user = match &args.user {
        Some(user) => user.clone(),
        None => format!("{}*", args.config.load(context)?.settings.naming.prefix),
    };
    let secrets = || format!("arn:{partition}:secretsmanager:*:*:secret:service/*");
    let rights = LambdaRights {
        partition,
        secret: args.secret.clone().unwrap_or_else(secrets),
        user: format!("arn:{partition}:iam::*:user/{}", user.trim_start_matches('/')),
        kms_key: args.kms_key.clone(),
    };
    context.print_text(&format!("{}\n", lambda_policy(&rights).to_pretty_json().trim_end()))?;
    context.say(
        "note: whoever may create keys for a user holds all its rights; name the users of services, and no person. Without \
         cloudtrail:LookupEvents a key that a lost answer left behind waits for you.",
    );
    Ok(Exit::Done)
}

fn secret_arn(text: &str) -> Result<String, &'static str> {
    service_arn(text, "secretsmanager")
        .ok_or("it is not the ARN of secrets, as in arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-*")
}

fn kms_arn(text: &str) -> Result<String, &'static str> {
    service_arn(text, "kms").ok_or("it is not the ARN of a KMS key, as in arn:aws:kms:REGION:ACCOUNT:key/ID")
}

fn service_arn(text: &str, service: &str) -> Option<String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    (parts.len() == 6 && parts[0] == "arn" && parts[2] == service).then(|| text.to_owned())
}

fn user_pattern(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-/*".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_plain) || text.trim_matches(['*', '/']).is_empty() {
        return Err("write the name of a user, or the beginning of some with a * behind: not all users are services");
    }
    Ok(text.to_owned())
}

fn bucket(text: &str) -> Result<String, &'static str> {
    if akia_core::text::may_be_bucket(text) {
        Ok(text.to_owned())
    } else {
        Err("it is not the name of a bucket: 3 to 63 small letters, digits, dots and hyphens")
    }
}

fn queue_arn(text: &str) -> Result<String, &'static str> {
    let is_queue = text.split(':').count() == 6 && text.starts_with("arn:") && text.split(':').nth(2) == Some("sqs");
    if is_queue {
        Ok(text.to_owned())
    } else {
        Err("it is not the ARN of a queue, as in arn:aws:sqs:REGION:ACCOUNT:NAME")
    }
}

fn no_csv(context: &Context, name: &str) -> Result<(), CommandError> {
    if context.format() == Format::Csv {
        return Err(
            CommandError::usage("an IAM policy is JSON and has no CSV form").next(format!("akia policy {name}"))
        );
    }
    Ok(())
}

fn partition(context: &Context, given: Option<Partition>) -> Result<Partition, CommandError> {
    let region = context.aws_options()?.region;
    let of_region = || region.as_ref().map_or(Partition::Aws, Partition::of_region);
    Ok(given.unwrap_or_else(of_region))
}

/// An ARN, or the number of an account.
fn hub(text: &str) -> Result<String, String> {
    if text.parse::<AccountId>().is_ok() || text.starts_with("arn:") {
        return Ok(text.to_owned());
    }
    Err("it is neither the ARN of a user or role nor the number of an account".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn every_job_has_its_verb_under_its_own_name() {
        let command = PolicyVerb::augment_subcommands(clap::Command::new("policy"));
        for job in JobPolicy::ALL {
            let matches = command.clone().try_get_matches_from(["policy", job.as_str()]).unwrap();
            assert!(PolicyVerb::from_arg_matches(&matches).is_ok(), "{}", job.as_str());
        }
        assert_eq!(
            command.get_subcommands().count(),
            JobPolicy::ALL.len() + 10,
            "each job, enforce, hub, config-rule, contain, events, lambda, scan, service, usage and check"
        );
    }
}
