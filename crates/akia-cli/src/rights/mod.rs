//! `akia policy check`: which rights a caller has for which command.
//!
//! Invariant: nothing is changed, and nothing is made up. A right counts as there or missing only if IAM's simulation
//! or a call's own answer says so; what cannot be found out without a change is unknown. [`inquiry`] asks, [`told`]
//! shows.

pub mod inquiry;
pub mod told;

use akia_core::policy::{Action, Command, Reach, ResourceForm, Standing, Verdict, every_snapshot};
use akia_core::{Partition, UserArn};
use akia_io::aws::{AwsError, CallerIdentity, IdentityKind};
use akia_io::inventory::impatient;

use crate::commands::policy::CheckArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::rights::inquiry::{Inquiry, Rights};
use crate::signing::{self, Mfa, Signed};

/// Who is asked about, and on whose keys.
pub struct Scope {
    /// The caller.
    pub caller: CallerIdentity,
    /// What kind of caller it is.
    pub kind: IdentityKind,
    /// The user that `--user` names.
    pub named: Option<UserArn>,
    /// What the person should know of how the rights were asked for.
    pub notes: Vec<String>,
}

impl Scope {
    /// The caller, where it is a user.
    #[must_use]
    pub fn own(&self) -> Option<&UserArn> {
        match &self.kind {
            IdentityKind::User(arn) => Some(arn),
            IdentityKind::Root { .. }
            | IdentityKind::AssumedRole { .. }
            | IdentityKind::FederatedUser { .. }
            | IdentityKind::Other => None,
        }
    }

    /// The user whose keys a command is about; `None` is every user of the account.
    #[must_use]
    pub fn subject(&self, command: Command) -> Option<&UserArn> {
        match command.reach() {
            Reach::Own | Reach::Caller => self.own(),
            Reach::Others => self.named.as_ref(),
            Reach::Either => self.named.as_ref().or_else(|| self.own()),
        }
    }

    /// What a right of a command is asked for: the user's ARN, all users, all snapshots, or `*`.
    #[must_use]
    pub fn resource(&self, command: Command, action: &Action) -> String {
        match (action.resource, self.subject(command)) {
            (ResourceForm::Any, _) => "*".to_owned(),
            (ResourceForm::Snapshot, _) => every_snapshot(self.caller.partition().unwrap_or(Partition::Aws)),
            (ResourceForm::User, Some(user)) => user.to_string(),
            (ResourceForm::User, None) => {
                let partition = self.caller.arn.split(':').nth(1).unwrap_or("aws");
                format!("arn:{partition}:iam::{}:user/*", self.caller.account)
            }
        }
    }

    /// Why a command makes no sense for this caller, whatever its rights.
    #[must_use]
    pub fn inapplicable(&self, command: Command) -> Option<&'static str> {
        match (&self.kind, command) {
            (IdentityKind::User(_), _) => None,
            (IdentityKind::Root { .. }, Command::Setup | Command::Rotate) => Some("akia touches no root keys"),
            (IdentityKind::Root { .. }, _) => None,
            (IdentityKind::AssumedRole { .. }, command) if command.reach() == Reach::Own => {
                Some("a role has no access keys of its own")
            }
            (IdentityKind::FederatedUser { .. }, command) if command.reach() == Reach::Own => {
                Some("a federated user has no access keys of its own")
            }
            (IdentityKind::AssumedRole { .. } | IdentityKind::FederatedUser { .. } | IdentityKind::Other, _) => None,
        }
    }
}

/// One command with the answers for it.
pub struct Checked<'a> {
    /// The command.
    pub command: Command,
    /// Why it makes no sense for this caller.
    pub inapplicable: Option<&'static str>,
    /// Each right with its resource and its answer.
    pub rights: Vec<(&'static Action, String, &'a Standing, &'static str)>,
}

impl Checked<'_> {
    /// What follows.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::of(self.rights.iter().map(|(action, _, standing, _)| (action.need, *standing)))
    }
}

/// Runs the check.
///
/// # Errors
/// When nobody can sign, the user does not exist, or AWS cannot be reached.
pub async fn run(context: &Context, args: &CheckArgs) -> Result<Exit, CommandError> {
    let named = Command::of_words(&args.commands).map_err(CommandError::usage)?;
    let files = context.aws_files()?;
    // Whoever only looks wants an answer soon: an emulator that fails at the simulation is asked again in vain.
    let aws = akia_io::aws::Aws::new(impatient(context.aws_options()?));
    let signed = signing::sign_through(context, &files, Mfa::IfGiven, aws).await?;
    let scope = scope(&signed, args).await?;
    let commands = commands(&named, args.user.is_some());
    let asked: Vec<Command> =
        commands.iter().copied().filter(|command| scope.inapplicable(*command).is_none()).collect();
    let rights = Inquiry { signed: &signed, files: &files, scope: &scope }.ask(&asked).await;
    let mut checked: Vec<Checked<'_>> = commands.iter().map(|command| checked(*command, &scope, &rights)).collect();
    told::tell(context, &signed, &scope, &rights, &checked, !named.is_empty())?;
    // Nobody asked about other users: hardly anybody may act on all of them, and that is no finding.
    let counts = |one: &Checked<'_>| {
        !named.is_empty() || args.user.is_some() || scope.own().is_none() || one.command.reach() != Reach::Others
    };
    checked.retain(counts);
    Ok(exit(&checked, !named.is_empty()))
}

/// 0 where every right that the commands require is there, 4 where one is missing, 3 where none is known to be missing
/// but some could not be found out. A command that makes no sense for the caller counts as missing where it was named.
fn exit(checked: &[Checked<'_>], are_named: bool) -> Exit {
    let mut exit = Exit::Done;
    for one in checked {
        match (one.inapplicable, one.verdict()) {
            (Some(_), _) if are_named => return Exit::Findings,
            (Some(_), _) | (None, Verdict::Allowed) => {}
            (None, Verdict::Lacking) => return Exit::Findings,
            (None, Verdict::Unknown) => exit = Exit::Partly,
        }
    }
    exit
}

/// The commands that were named, else all. `rotate` of a named user is `rotate --user`.
fn commands(named: &[Command], with_user: bool) -> Vec<Command> {
    if named.is_empty() {
        return Command::ALL.to_vec();
    }
    let of_user = |command: &Command| match command {
        Command::Rotate if with_user => Command::RotateOthers,
        command => *command,
    };
    named.iter().map(of_user).collect()
}

async fn scope(signed: &Signed, args: &CheckArgs) -> Result<Scope, CommandError> {
    let caller = signed.caller.caller_identity().await.map_err(|error| signing::refused("whose key signs", &error))?;
    let kind = caller.kind();
    let mut notes = Vec::new();
    let named = match &args.user {
        None => None,
        Some(name) => match signed.caller.user(Some(name)).await {
            Ok(user) => Some(user.arn),
            Err(AwsError::NoSuchEntity { .. }) => {
                return Err(CommandError::failed(format_args!("account {} has no user {name}", caller.account))
                    .next("check the name: aws iam list-users"));
            }
            Err(error) => {
                notes.push(format!("the path of user {name} is not known, and taken for / ({error})"));
                let partition = caller.partition().unwrap_or(Partition::Aws);
                let path = "/".to_owned();
                Some(UserArn { partition, account: caller.account.clone(), path, name: name.clone() })
            }
        },
    };
    Ok(Scope { caller, kind, named, notes })
}

fn checked<'a>(command: Command, scope: &Scope, rights: &'a Rights) -> Checked<'a> {
    let inapplicable = scope.inapplicable(command);
    let of = |action: &'static Action| {
        let resource = rights.resource_of(scope, command, action);
        let (standing, found_by) = rights.get(action, &resource)?;
        Some((action, resource, standing, found_by))
    };
    let rights = if inapplicable.is_some() { Vec::new() } else { command.actions().iter().filter_map(of).collect() };
    Checked { command, inapplicable, rights }
}
