//! One key activated, deactivated or deleted by hand.
//!
//! Plan, consent, lock, look again, act. What was seen before the question is never acted on: between it and the
//! answer somebody may have used, activated or deleted the key.

use akia_core::cheatsheet::Operation;
use akia_core::rotation::Hold;
use akia_core::{AccessKey, AccessKeyId, KeyStatus, LastUsed, UserName};
use akia_io::aws::{AwsError, KeyChange};

use super::holders::{Holders, keys_behind};
use super::stakes::{self, Despite, Facts, Stake};
use super::stranger;
use super::subject::{Subject, last_used};
use crate::commands::Consent;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone, age};
use crate::rotations::Known;
use crate::signing::{self, Mfa};
use crate::{aws_cli, workbench};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Make it work again.
    Activate,
    /// Shut it.
    Deactivate,
    /// Delete it.
    Delete,
}

impl Act {
    fn verb(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
        }
    }

    fn schema(self) -> &'static str {
        match self {
            Self::Activate => "key-activate",
            Self::Deactivate => "key-deactivate",
            Self::Delete => "key-delete",
        }
    }

    fn command(self) -> String {
        format!("key {}", self.verb())
    }

    /// The state that makes the act needless.
    fn is_done(self, status: KeyStatus) -> bool {
        match self {
            Self::Activate => status == KeyStatus::Active,
            Self::Deactivate => status == KeyStatus::Inactive,
            Self::Delete => false,
        }
    }
}

/// A change that is asked for.
pub struct Change<'a> {
    /// What.
    pub act: Act,
    /// To which key.
    pub key: &'a AccessKeyId,
    /// Whose it is; `None` is the caller.
    pub user: Option<&'a UserName>,
    /// Question and plan.
    pub consent: Consent,
    /// What may be lost.
    pub despite: &'a [Despite],
}

/// The key as it is now.
struct View {
    key: AccessKey,
    others: Vec<AccessKey>,
    /// `None` where the act does not ask for it.
    last_used: Option<LastUsed>,
    stakes: Vec<Stake>,
}

/// Runs the change.
///
/// # Errors
/// When it is refused, by akia or by AWS.
pub async fn run(context: &Context, change: &Change<'_>) -> Result<Exit, CommandError> {
    stranger::refuse_temporary(change.key)?;
    let subject = Subject::find(context, change.user, Mfa::IfPossible).await?;
    let holders = Holders::find(context, &subject.files)?;
    let seen = look(context, &subject, &holders, change).await?;
    if change.act.is_done(seen.key.status) {
        let status = seen.key.status.as_str().to_lowercase();
        context.say(&format!("{} of {} is {status} already; nothing to do", change.key, subject.owner()));
        return report(context, &subject, change, Some(seen.key.status), &format!("was {status} already"));
    }
    print_plan(context, &subject, &holders, change, &seen);
    if change.consent.dry_run {
        let would = format!("would be {}", stakes::past(change.act.verb()));
        return report(context, &subject, change, Some(seen.key.status), &would);
    }
    let Consent { yes, .. } = change.consent;
    stakes::consent(context, yes, change.despite, change.act.verb(), change.key, &seen.stakes)?;
    let _lock = signing::lock_user(&workbench::home(context)?, &subject.signed, &subject.whose).await?;
    let now = look(context, &subject, &holders, change).await?;
    if change.act.is_done(now.key.status) {
        let status = now.key.status.as_str().to_lowercase();
        context.say(&format!("{} is {status} meanwhile; nothing was left to do", change.key));
        return report(context, &subject, change, Some(now.key.status), &format!("was {status} already"));
    }
    let is_new = |stake: &&Stake| seen.stakes.iter().all(|known| known.kind != stake.kind);
    if let Some(stake) = now.stakes.iter().find(is_new) {
        return Err(CommandError::decision(format_args!("something came up meanwhile: {}", stake.clause))
            .now("nothing was changed")
            .next("run the same command again"));
    }
    perform(&subject, change).await?;
    let status = match change.act {
        Act::Activate => Some(KeyStatus::Active),
        Act::Deactivate => Some(KeyStatus::Inactive),
        Act::Delete => None,
    };
    let exit = report(context, &subject, change, status, &stakes::past(change.act.verb()))?;
    say_next(context, &subject, &holders, change);
    Ok(exit)
}

/// Reads the key, and refuses what must not be done by hand.
async fn look(
    context: &Context,
    subject: &Subject,
    holders: &Holders,
    change: &Change<'_>,
) -> Result<View, CommandError> {
    let mut keys = subject.keys().await?;
    let Some(at) = keys.iter().position(|listed| listed.id == *change.key) else {
        return Err(stranger::refuse(subject, &change.act.command(), change.key, &keys).await);
    };
    let key = keys.remove(at);
    if !change.act.is_done(key.status) {
        let known = Known::of_journal(context).await?;
        if let Some(error) = known.in_the_way(&subject.whose.account, &subject.whose.user) {
            return Err(match change.act {
                Act::Deactivate => error.next(format!(
                    "in an emergency: aws iam update-access-key --user-name {} --access-key-id {} --status Inactive",
                    akia_core::cheatsheet::quote(subject.whose.user.as_str()),
                    change.key
                )),
                Act::Activate | Act::Delete => error,
            });
        }
        known.tell_broken(context);
        refuse_held(context, change, &known)?;
    }
    if change.act == Act::Delete && key.status == KeyStatus::Active {
        return Err(refuse_active(subject, &key));
    }
    let asks = match change.act {
        Act::Activate => false,
        Act::Deactivate | Act::Delete => !change.act.is_done(key.status),
    };
    if !asks {
        return Ok(View { key, others: keys, last_used: None, stakes: Vec::new() });
    }
    let last_used = last_used(&subject.signed.caller, &key.id).await;
    let signs = subject.signed.key == key.id
        || subject.signed.profile.as_ref().is_some_and(|name| keys_behind(&subject.files, name).contains(&key.id));
    let stakes = stakes::stakes(&Facts {
        owner: &subject.owner(),
        status: key.status,
        other_active_keys: keys.iter().filter(|other| other.status == KeyStatus::Active).count(),
        last_used: &last_used,
        signs,
        held_by: holders.of(&key.id),
        through: holders.through(&key.id),
        in_environment: holders.is_in_environment(&key.id),
        now: context.started_at,
    });
    Ok(View { key, others: keys, last_used: Some(last_used), stakes })
}

/// A key that a rotation of this machine has its hand on is left to that rotation.
fn refuse_held(context: &Context, change: &Change<'_>, known: &Known) -> Result<(), CommandError> {
    let now = context.started_at;
    let key = change.key;
    let held = known.rotations().rev().find_map(|rotation| Some((rotation, rotation.hold_on(key, now)?)));
    let Some((rotation, hold)) = held else { return Ok(()) };
    let id = &rotation.plan().id;
    let told = |what: String| CommandError::decision(what).now("nothing was changed");
    match (hold, change.act) {
        (Hold::Working, Act::Activate | Act::Deactivate | Act::Delete) => {
            Err(told(format!("rotation {id} works on {key} and is not finished: it is {}", rotation.stage_name()))
                .next(format!("akia resume {id}"))
                .next(format!("akia undo {id}")))
        }
        (Hold::Grace { until, undone }, Act::Delete) => {
            let (is_over, until) = (until <= now, until.strftime("%Y-%m-%d %H:%M UTC"));
            let what = match (is_over, undone) {
                (true, _) => format!("the grace of {key} is over; rotation {id} of this machine deletes it"),
                (false, false) => format!("rotation {id} of this machine keeps {key} for an undo until {until}"),
                (false, true) => format!("rotation {id} was taken back and keeps its new key {key} until {until}"),
            };
            Err(told(what).next(if is_over { format!("akia retire {id}") } else { format!("akia retire {id} --now") }))
        }
        (Hold::Grace { undone: false, .. }, Act::Activate) => {
            Err(told(format!("rotation {id} of this machine has deactivated {key} and put another key in its place"))
                .next(format!("akia undo {id} (activates it and puts it back everywhere)")))
        }
        // Nothing else brings the new key of an undone rotation back; `akia retire` leaves alone what it finds active.
        (Hold::Grace { undone: true, .. }, Act::Activate) => Ok(()),
        // The rotation wants it inactive as well.
        (Hold::Grace { .. }, Act::Deactivate) => Ok(()),
    }
}

fn refuse_active(subject: &Subject, key: &AccessKey) -> CommandError {
    let flag = subject.whose.flag();
    CommandError::decision(format_args!(
        "{} of {} is active; a deleted key cannot be brought back, a deactivated one can",
        key.id,
        subject.owner()
    ))
    .now("nothing was changed")
    .next(format!("akia key deactivate {}{flag}, and see who misses it", key.id))
    .next(format!("then: akia key delete {}{flag}", key.id))
}

/// Sends the change. An answer that is lost is looked up.
async fn perform(subject: &Subject, change: &Change<'_>) -> Result<(), CommandError> {
    let (caller, user, key) = (&subject.signed.caller, &subject.whose.user, change.key);
    let answer = match change.act {
        Act::Activate => caller.update_access_key(user, key, KeyStatus::Active).await,
        Act::Deactivate => caller.update_access_key(user, key, KeyStatus::Inactive).await,
        Act::Delete => caller.delete_access_key(user, key).await,
    };
    match answer {
        Ok(KeyChange::Done) => Ok(()),
        Ok(KeyChange::Gone) => gone(subject, change).await,
        Err(error) if error.outcome_is_known() => {
            let what = format!("{key} was not {}", stakes::past(change.act.verb()));
            let told = subject.refused(&what, &error);
            Err(match error {
                AwsError::AccessDenied { .. } => {
                    let job = if subject.whose.own { "manage-own-keys" } else { "rotate-others-keys" };
                    told.next(format!("akia policy {job} (the policy to ask your administrator for)"))
                }
                _ => told,
            })
        }
        Err(error) => unanswered(subject, change, &error).await,
    }
}

/// `NoSuchEntity` may come from a part of AWS that lags: only a list without the key counts.
async fn gone(subject: &Subject, change: &Change<'_>) -> Result<(), CommandError> {
    let key = change.key;
    if subject.keys().await?.iter().any(|listed| listed.id == *key) {
        return Err(CommandError::failed(format_args!(
            "AWS says that {key} does not exist, and lists it all the same"
        ))
        .next("a new key takes some seconds to be known: run the same command again"));
    }
    match change.act {
        Act::Delete => Ok(()),
        Act::Activate | Act::Deactivate => {
            Err(CommandError::failed(format_args!("{key} is gone: somebody has deleted it a moment ago"))
                .next(format!("akia key list{}", subject.whose.flag())))
        }
    }
}

async fn unanswered(subject: &Subject, change: &Change<'_>, error: &AwsError) -> Result<(), CommandError> {
    let key = change.key;
    let unknown = || {
        CommandError::decision(format_args!(
            "it is not known whether {key} was {}: the answer is lost ({error})",
            stakes::past(change.act.verb())
        ))
        .next(format!("akia key list{}", subject.whose.flag()))
        .next("then run the same command again; a change that was made is not made twice")
    };
    let Ok(keys) = subject.keys().await else { return Err(unknown()) };
    match (keys.iter().find(|listed| listed.id == *key).map(|listed| listed.status), change.act) {
        (None, Act::Delete)
        | (Some(KeyStatus::Active), Act::Activate)
        | (Some(KeyStatus::Inactive), Act::Deactivate) => Ok(()),
        (Some(status), Act::Activate | Act::Deactivate | Act::Delete) => {
            Err(unknown().now(format!("AWS lists it as {} at this moment", status.as_str().to_lowercase())))
        }
        (None, Act::Activate | Act::Deactivate) => Err(unknown().now("AWS does not list it at this moment")),
    }
}

fn print_plan(context: &Context, subject: &Subject, holders: &Holders, change: &Change<'_>, seen: &View) {
    let say = |line: String| context.say(&format!("        {line}"));
    let now = context.started_at;
    let verb = change.act.verb();
    context.say(&format!("{verb:7} {} of {}, signed by {}", change.key, subject.owner(), subject.signed.describe()));
    let used = match &seen.last_used {
        None => String::new(),
        Some(LastUsed::Never) => ", never used".to_owned(),
        Some(LastUsed::At { at, service, region }) => {
            format!(", last used {}", stakes::use_words(*at, service, region, now))
        }
        Some(LastUsed::Unknown { .. }) => ", last use unknown".to_owned(),
    };
    say(format!("{}, {} old{used}", seen.key.status.as_str().to_lowercase(), age::between(seen.key.created_at, now)));
    for stake in &seen.stakes {
        say(format!("warning: {}", stake.clause));
    }
    for name in &holders.unknown {
        say(format!("note: the keychain does not tell whether profile \"{name}\" holds this key"));
    }
    let others: Vec<String> =
        seen.others.iter().map(|key| format!("{} ({})", key.id, key.status.as_str().to_lowercase())).collect();
    if !others.is_empty() {
        say(format!("the user's other key: {}", others.join(", ")));
    }
    match change.act {
        Act::Activate => {}
        Act::Deactivate => say(format!("can be taken back: akia key activate {}{}", change.key, subject.whose.flag())),
        Act::Delete => say("cannot be taken back".to_owned()),
    }
    if context.globals.show_aws_cli {
        let user = Some(subject.whose.user.clone());
        let key = change.key.clone();
        let last = match change.act {
            Act::Activate => Operation::UpdateAccessKey { user: user.clone(), key, status: KeyStatus::Active },
            Act::Deactivate => Operation::UpdateAccessKey { user: user.clone(), key, status: KeyStatus::Inactive },
            Act::Delete => Operation::DeleteAccessKey { user: user.clone(), key },
        };
        let mut operations = vec![Operation::ListAccessKeys { user }];
        if seen.last_used.is_some() {
            operations.push(Operation::AccessKeyLastUsed { key: change.key.clone() });
        }
        operations.push(last);
        let by = subject.connection(context);
        let steps: Vec<_> = operations.iter().map(|operation| aws_cli::step(operation, &by)).collect();
        aws_cli::print(context, &steps);
    }
}

fn report(
    context: &Context,
    subject: &Subject,
    change: &Change<'_>,
    status: Option<KeyStatus>,
    done: &str,
) -> Result<Exit, CommandError> {
    let columns = vec![
        Column::whole("access_key", "ACCESS KEY"),
        Column::new("user", "USER"),
        Column::whole("account", "ACCOUNT"),
        Column::whole("status", "STATUS"),
        Column::new("state", "STATE"),
    ];
    let mut report = Report::new(change.act.schema(), "keys", columns);
    report.push(Row::from(vec![
        Cell::text(change.key),
        Cell::text(&subject.whose.user),
        Cell::text(&subject.whose.account),
        Cell::maybe(status.map(KeyStatus::as_str)),
        Cell::text(done).tone(Tone::Good),
    ]));
    context.print_done(&report)?;
    Ok(Exit::Done)
}

fn say_next(context: &Context, subject: &Subject, holders: &Holders, change: &Change<'_>) {
    let held = holders.of(change.key);
    match (change.act, held.first()) {
        (Act::Delete, Some(profile)) => context.say(&format!(
            "next: akia setup {} --create --replace (the profile still names the deleted key)",
            akia_core::cheatsheet::quote(profile.as_str())
        )),
        (Act::Deactivate, _) => context.say(&format!(
            "next: see who misses it, then: akia key delete {}{}",
            change.key,
            subject.whose.flag()
        )),
        (Act::Delete, None) | (Act::Activate, _) => {}
    }
}
