//! Whose key it is, what it could do and did, and what would be done: everything before the question. Nothing is changed.

use akia_core::cheatsheet::Operation;
use akia_core::contain::{Act, Allowed, Containment, ContainmentOpening, ContainmentStage, Ended, Signer, Strategy};
use akia_core::estate::Known;
use akia_core::quarantine::{QuarantineStage, quarantine_policy, sessions_policy};
use akia_core::rotation::Hold;
use akia_core::usage::HISTORY;
use akia_core::{KeyStatus, LastUsed, Partition, ProfileName, UserName};
use akia_io::aws::{AwsError, IdentityKind};
use akia_io::contain::{CASE_PAGES, Owner, Whose, footprint, is_of_containments, load_containments, reach, whose};
use akia_io::enforce::load_quarantines;
use akia_io::rotate::{PreparedRotation, Refusal, Stop};
use jiff::Timestamp;

use super::asked::Wanted;
use super::bench::Bench;
use super::case::{Case, Standing, day};
use super::{cleanup, logs, refused};
use crate::aws_cli;
use crate::commands::contain::ContainArgs;
use crate::context::Context;
use crate::drive::Quiet;
use crate::enforce::quarantine::is_protected;
use crate::error::CommandError;
use crate::keys::holders::{Holders, keys_behind};
use crate::keys::stakes::use_words;
use crate::keys::subject::last_used;
use crate::output::age;
use crate::rotations;
use crate::signing;

/// Lines of one kind that the plan shows.
const MOST_LINES: usize = 8;

/// A key, and what is to be done about it.
pub(super) struct Planned {
    pub(super) case: Case,
    /// None where nothing is.
    pub(super) job: Option<Job>,
}

impl Planned {
    /// Without the rotation that is prepared: it is prepared again when it is its turn.
    pub(super) fn unprepared(mut self) -> Self {
        if let Some(Job::New { prepared, .. }) = &mut self.job {
            *prepared = None;
        }
        self
    }
}

/// What is to be done.
pub(super) enum Job {
    /// A new containment.
    New { opening: Box<ContainmentOpening>, prepared: Option<Box<PreparedRotation>> },
    /// One that is there goes on, perhaps in another way.
    GoOn { one: Box<Containment>, strategy: Option<Strategy> },
}

/// Plans for one key, and tells it.
///
/// # Errors
/// Where akia cannot, or must not, contain it.
pub(super) async fn plan(
    context: &Context,
    bench: &Bench,
    args: &ContainArgs,
    wanted: Wanted,
) -> Result<Planned, CommandError> {
    let Wanted { key, leaks, leaked_at } = wanted;
    let own = bench.identity.account.clone();
    let mut case = Case::new(key.clone(), own.clone(), leaks, leaked_at);
    case.cleanup = cleanup::steps(&key, &args.repositories, &case.leaks);
    context.say(&format!("contain {key}, signed by {}", bench.signed.words));
    refuse_own_key(bench, &case)?;
    case.logs = logs::blast(&bench.work.state, &key).await;
    let regions = signing::trail_regions(&bench.caller, &bench.identity, &args.trail_regions);
    let since = context.started_at.checked_sub(HISTORY).unwrap_or(Timestamp::UNIX_EPOCH);
    let owner = if key.is_temporary() {
        let (trail, events) = footprint(&bench.caller, &regions, &key, since, CASE_PAGES).await;
        case.footprint = trail;
        let signer = events.iter().rev().find_map(|event| event.signer.clone());
        match of_session(context, bench, args, &case, signer).await? {
            Some(owner) => owner,
            None => {
                case.standing = Standing::ByHand;
                case.known_by = "CloudTrail".to_owned();
                tell_role(context, &mut case, &events);
                return Ok(Planned { case, job: None });
            }
        }
    } else {
        match of_key(context, bench, args, &case).await? {
            Ok(owner) => owner,
            Err(gone) => {
                case.standing = Standing::Gone;
                case.known_by.clone_from(&gone);
                context.say(&format!(
                    "        it is on no list of account {own} any more ({gone}): the case is closed already"
                ));
                context.say("        sessions that it opened live 36 h at most");
                case.footprint = footprint(&bench.caller, &regions, &key, since, CASE_PAGES).await.0;
                tell_footprint(context, &case);
                logs::tell(context, &case);
                return Ok(Planned { case, job: None });
            }
        }
    };
    if let IdentityKind::User(arn) = bench.identity.kind()
        && arn.name.as_str().eq_ignore_ascii_case(owner.user.name.as_str())
    {
        return Err(own_user(&case, &arn.name));
    }
    let listed = owner.keys.iter().find(|one| one.id == key);
    case.user = Some(owner.user.arn.clone());
    case.known_by.clone_from(&owner.by);
    case.status = listed.map(|one| one.status);
    case.created_at = listed.map(|one| one.created_at);
    case.last_used = (!key.is_temporary()).then(|| owner.last_used.clone());
    let holders = Holders::find(context, &bench.work.files)?;
    let held: Vec<ProfileName> = holders.of(&key).to_vec();
    case.holders = holders.words(&key);
    let reach = reach(&bench.caller, &owner.user.arn);
    if key.is_temporary() {
        case.reach = reach.await;
    } else {
        let trail = footprint(&bench.caller, &regions, &key, since, CASE_PAGES);
        let (reach, (trail, _)) = futures_util::future::join(reach, trail).await;
        (case.reach, case.footprint) = (reach, trail);
    }
    tell_owner(context, &case, &owner);
    tell_reach(context, &case);
    tell_footprint(context, &case);
    logs::tell(context, &case);

    let store = &*bench.work.driver.store;
    let all = load_containments(store).await.map_err(|error| refused(&error))?;
    let is_closed = |one: &Containment| matches!(one.stage(), ContainmentStage::Over { how: Ended::Closed, .. });
    let is_shut = args.strategy.is_none() && case.status == Some(KeyStatus::Inactive);
    let earlier = all.into_iter().rev().find(|(one, _)| one.opening().key == key);
    let earlier = earlier.filter(|(one, _)| !one.is_over() || is_closed(one) && is_shut);
    let job = match earlier {
        Some((one, records)) if one.is_over() => {
            context.say(&format!(
                "        containment {} of it is closed, and it is inactive: nothing to do",
                one.opening().id
            ));
            case.records = records;
            case.containment = Some(one);
            case.standing = Standing::InJournal;
            None
        }
        Some((one, records)) => {
            case.records = records;
            let job = go_on(context, args, &case, &one)?;
            case.containment = Some(one);
            case.standing = Standing::InJournal;
            job
        }
        None => Some(begin(context, bench, args, &mut case, &owner, &held).await?),
    };
    if job.is_some() && context.globals.show_aws_cli {
        show_aws_cli(context, bench, &case, &owner.user.name);
    }
    Ok(Planned { case, job })
}

/// The key that signs cannot cut itself off.
fn refuse_own_key(bench: &Bench, case: &Case) -> Result<(), CommandError> {
    let key = &case.key;
    let behind = bench.signed.profile.as_ref().map(|name| keys_behind(&bench.work.files, name)).unwrap_or_default();
    if bench.signed.key != *key && !behind.contains(key) {
        return Ok(());
    }
    let profile = bench
        .signed
        .profile
        .as_ref()
        .map_or_else(String::new, |name| format!(" -p {}", akia_core::cheatsheet::quote(name.as_str())));
    Err(CommandError::failed(format_args!(
        "{key} signs this very call: with it shut half-way, nobody could finish or take it back"
    ))
    .next(format!("akia contain {key} --profile ADMIN (somebody who may act on its user)"))
    .next(format!(
        "without an administrator: akia rotate{profile} --retire delete (a new key, and this one deleted at once)"
    )))
}

fn own_user(case: &Case, user: &UserName) -> CommandError {
    let key = &case.key;
    CommandError::failed(format_args!(
        "{key} is a key of {user}, who signs this very call: a quarantine would tie the caller's own hands"
    ))
    .next(format!("akia contain {key} --profile ADMIN (somebody else who may act on {user})"))
    .next(format!("akia key deactivate {key} (shuts it, and nothing more)"))
}

/// The user of a long-term key; or how it is known that there is no such key.
async fn of_key(
    context: &Context,
    bench: &Bench,
    args: &ContainArgs,
    case: &Case,
) -> Result<Result<Box<Owner>, String>, CommandError> {
    let (key, own) = (&case.key, &case.account);
    if let Some(name) = &args.user {
        if let Some(owner) = named(bench, name, key).await? {
            return Ok(Ok(owner));
        }
        context.say(&format!("        {name} has no such key; whose it is, is asked"));
    }
    let found = whose(&bench.caller, own, key, bench.audits.as_ref()).await;
    let found = found.map_err(|error| signing::refused("whose key it is cannot be found out", &error))?;
    match found {
        Whose::User(owner) => Ok(Ok(owner)),
        Whose::Gone { user, by } => Ok(Err(match user {
            Some(user) => format!("it was one of {user}: {by}"),
            None => by,
        })),
        Whose::Root => Err(CommandError::decision(format_args!(
            "{key} is a key of account {own} and of none of its users: it is the root user's, or it is gone"
        ))
        .now("nothing was changed: only the root user can change its keys")
        .next("sign in to the console as the root user; Security credentials, Access keys: deactivate and delete it")
        .next("then change the root user's password, and look at its MFA devices")
        .next(format!("aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key}"))),
        Whose::Foreign { account } => Err(CommandError::failed(format_args!(
            "{key} is a key of account {account}, and {} is of account {own}",
            bench.signed.words
        ))
        .next(format!("akia contain {key} --profile NAME (a profile of account {account})"))
        .next("if that account is not yours: tell its owner, and AWS (https://support.aws.amazon.com/#/contacts/report-abuse)")),
        Whose::Unknown { reason } => Err(CommandError::failed(format_args!("whose key {key} is cannot be found out: {reason}"))
            .next(format!("akia contain {key} --user NAME (the user, where you know it)"))
            .next("akia policy contain (the rights that it takes)")),
    }
}

/// The user that was named, if it has the key.
async fn named(
    bench: &Bench,
    name: &UserName,
    key: &akia_core::AccessKeyId,
) -> Result<Option<Box<Owner>>, CommandError> {
    let no_user = |error: AwsError| match error {
        AwsError::NoSuchEntity { .. } => {
            CommandError::failed(format_args!("account {} has no user {name}", bench.identity.account))
                .next("check the name: aws iam list-users")
        }
        error => signing::refused(&format!("user {name} cannot be looked at"), &error),
    };
    let user = bench.caller.user(Some(name)).await.map_err(no_user)?;
    let keys = bench.caller.access_keys(Some(name)).await.map_err(no_user)?;
    if !key.is_temporary() && keys.iter().all(|one| one.id != *key) {
        return Ok(None);
    }
    let last_used = if key.is_temporary() { LastUsed::Never } else { last_used(&bench.caller, key).await };
    Ok(Some(Box::new(Owner { user, keys, last_used, by: "--user".to_owned() })))
}

/// The user whose session temporary credentials are. None for a session of a role.
async fn of_session(
    context: &Context,
    bench: &Bench,
    args: &ContainArgs,
    case: &Case,
    signer: Option<Signer>,
) -> Result<Option<Box<Owner>>, CommandError> {
    let key = &case.key;
    if let Some(account) = key.account().filter(|account| *account != case.account) {
        return Err(CommandError::failed(format_args!(
            "{key} is a session of account {account}, and {} is of account {}",
            bench.signed.words, case.account
        ))
        .next(format!("akia contain {key} --profile NAME (a profile of account {account})")));
    }
    let name = match (&args.user, signer) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(Signer::User { name } | Signer::Federated { by: name })) => name.parse().ok(),
        (None, Some(Signer::Role { .. })) => return Ok(None),
        (None, Some(Signer::Root)) => {
            return Err(CommandError::decision(format_args!("{key} is a session of the root user"))
                .now("nothing was changed: no policy binds the root user")
                .next("sign in as the root user, and delete its access keys: its sessions end within an hour"));
        }
        (None, None) => None,
    };
    let Some(name) = name else {
        return Err(CommandError::failed(format_args!(
            "whose session {key} is cannot be told: CloudTrail has no call of it in {}",
            case.footprint.regions.iter().map(|one| one.region.as_str()).collect::<Vec<_>>().join(", ")
        ))
        .next(format!("akia contain {key} --user NAME (the user that opened it, where you know it)"))
        .next("--trail-region REGION asks CloudTrail of another region, where it was used")
        .next("a session of a role: IAM console, the role, Revoke sessions"));
    };
    let owner = named(bench, &name, key).await?;
    context.say(&format!("        a session of user {name}; the long-term key that opened it may have leaked, too"));
    Ok(owner.map(|owner| Box::new(Owner { by: "CloudTrail".to_owned(), ..*owner })))
}

/// A session of a role: what a person does, since akia changes no role.
fn tell_role(context: &Context, case: &mut Case, events: &[akia_core::contain::TrailEvent]) {
    let arn = events.iter().rev().find_map(|event| match &event.signer {
        Some(Signer::Role { arn }) => Some(arn.clone()),
        Some(Signer::User { .. } | Signer::Federated { .. } | Signer::Root) | None => None,
    });
    let arn = arn.unwrap_or_default();
    let name = akia_core::cheatsheet::quote(arn.rsplit('/').next().unwrap_or_default()).into_owned();
    let policy = sessions_policy(context.started_at).to_string();
    context.say(&format!("        a session of role {arn}"));
    tell_footprint(context, case);
    context.say("        akia changes no role. This policy denies the role's sessions of before now; whoever uses the role signs in again:");
    context.say(&format!("        {policy}"));
    case.notes.push(format!("a session of role {arn}"));
    case.next.push(format!(
        "aws iam put-role-policy --role-name {name} --policy-name AWSRevokeOlderSessions --policy-document file://revoke-sessions.json \
         (the policy above)"
    ));
    case.next
        .push("where the session came from a machine: find how its credentials got out, or they do again".to_owned());
}

/// A containment that is there: it goes on, or says that it is done.
fn go_on(context: &Context, args: &ContainArgs, case: &Case, one: &Containment) -> Result<Option<Job>, CommandError> {
    let (id, since) = (&one.opening().id, day(one.opened_at()));
    let say = |words: String| context.say(&format!("        {words}"));
    let strategy = args.strategy.filter(|asked| *asked != one.strategy());
    if let Some(strategy) = strategy {
        let is_shut = one.has_begun(Act::Deactivate) || one.done_at(Act::Rotate).is_some();
        if is_shut && matches!(strategy, Strategy::Rotate | Strategy::Quarantine) {
            return Err(CommandError::failed(format_args!("{} is shut already, by containment {id}", case.key))
                .next(format!("akia undo {id} (makes it work again)")));
        }
        say(format!("containment {id} since {since}; from now on by {strategy}:"));
        tell_steps(context, strategy, case, None);
        return Ok(Some(Job::GoOn { one: Box::new(one.clone()), strategy: Some(strategy) }));
    }
    match one.stage() {
        ContainmentStage::Undoing => {
            Err(CommandError::decision(format_args!("containment {id} of {} is being taken back", case.key))
                .now("nothing was changed")
                .next(format!("akia resume {id} (finishes that)")))
        }
        ContainmentStage::Contained { .. }
            if case.status != Some(KeyStatus::Active) && !one.is_due(context.started_at) =>
        {
            say(format!("contained already, since {since} by containment {id}: nothing to do"));
            Ok(None)
        }
        ContainmentStage::Tied => {
            say(format!("its user is in quarantine since {since}, containment {id}; the key is active"));
            say("to shut it: the same with --strategy deactivate, or rotate".to_owned());
            Ok(None)
        }
        ContainmentStage::Contained { .. } if case.status == Some(KeyStatus::Active) => {
            say(format!(
                "contained by {id}, and active all the same: somebody has activated it. It is shut again, with sessions since"
            ));
            Ok(Some(Job::GoOn { one: Box::new(one.clone()), strategy: Some(one.strategy()) }))
        }
        ContainmentStage::Containing if case.status == Some(KeyStatus::Active) && one.was_verified() => {
            say(format!(
                "shut by containment {id}, and somebody has activated it since. It is shut again, with sessions since"
            ));
            Ok(Some(Job::GoOn { one: Box::new(one.clone()), strategy: Some(one.strategy()) }))
        }
        ContainmentStage::Contained { .. } => {
            say(format!("containment {id} since {since}: no session of before lives; what denies them is taken off"));
            Ok(Some(Job::GoOn { one: Box::new(one.clone()), strategy: None }))
        }
        ContainmentStage::Containing | ContainmentStage::Over { .. } => {
            say(format!("containment {id} since {since} is not finished, and goes on"));
            Ok(Some(Job::GoOn { one: Box::new(one.clone()), strategy: None }))
        }
    }
}

/// A new containment.
async fn begin(
    context: &Context,
    bench: &Bench,
    args: &ContainArgs,
    case: &mut Case,
    owner: &Owner,
    held: &[ProfileName],
) -> Result<Job, CommandError> {
    let store = &*bench.work.driver.store;
    refuse_busy(context, store, case).await?;
    let quarantines = load_quarantines(store).await;
    let quarantines = quarantines.map_err(|error| refused(&akia_io::contain::ContainError::Quarantine(error)))?;
    let of_user = quarantines.iter().find(|one| {
        !one.is_over() && (&one.opening().account, &one.opening().user_id) == (&case.account, &owner.user.id)
    });
    if let Some(one) = of_user.filter(|one| one.stage() == QuarantineStage::Releasing) {
        return Err(CommandError::failed(format_args!(
            "the quarantine {} of the user is being taken back",
            one.opening().id
        ))
        .next(format!("akia enforce release {} --reason … (finishes that)", one.opening().key)));
    }
    let strategy = choose(args, case, held, bench);
    let opening = ContainmentOpening {
        id: bench.draw.containment(),
        account: case.account.clone(),
        user: owner.user.arn.clone(),
        user_id: owner.user.id.clone(),
        key: case.key.clone(),
        strategy,
        quarantine: of_user.map_or_else(|| bench.draw.quarantine(), |one| one.opening().id.clone()),
        owns_quarantine: of_user.is_none(),
        reason: args.reason.clone(),
        by: bench.identity.arn.clone(),
        leaked_at: case.leaked_at,
    };
    let prepared = match strategy {
        Strategy::Rotate => Some(Box::new(prepare(context, bench, args, case, &opening).await?)),
        Strategy::Deactivate | Strategy::Delete | Strategy::Quarantine => None,
    };
    case.strategy = Some(strategy);
    context.say(&format!("plan    {strategy} {} of {}{}", case.key, owner.user.name, because(args, case, held)));
    tell_steps(context, strategy, case, prepared.as_deref());
    if let Some(one) = of_user {
        let id = &one.opening().id;
        let containments = load_containments(store).await.map_err(|error| refused(&error))?;
        context.say(&if is_of_containments(&containments, id) {
            format!("        in quarantine {id} of the user, which another key's containment has begun")
        } else {
            format!("        quarantine {id} of the user stays as it is afterwards")
        });
    }
    let as_quarantine = akia_core::quarantine::QuarantineOpening {
        id: opening.quarantine.clone(),
        account: opening.account.clone(),
        user: opening.user.clone(),
        user_id: opening.user_id.clone(),
        key: opening.key.clone(),
        reason: String::new(),
        by: String::new(),
    };
    let policy = bench.settings.enforce.clone().unwrap_or_default();
    if is_protected(&policy, &as_quarantine, owner.user.tags.clone()) {
        context
            .say("        note: the [enforce] policy protects this user; a leaked key of it is contained all the same");
    }
    Ok(Job::New { opening: Box::new(opening), prepared })
}

/// A key that a rotation of this machine works on is left to that first: both would change the same key.
async fn refuse_busy(context: &Context, store: &dyn akia_io::store::Store, case: &Case) -> Result<(), CommandError> {
    let known = rotations::Known::of_store(store).await?;
    if let Some(user) = &case.user
        && let Some(error) = known.in_the_way(&case.account, &user.name)
    {
        return Err(error.next(format!(
            "in an emergency: aws iam update-access-key --user-name {} --access-key-id {} --status Inactive",
            akia_core::cheatsheet::quote(user.name.as_str()),
            case.key
        )));
    }
    let working = |one: &&akia_core::rotation::Rotation| {
        matches!(one.hold_on(&case.key, context.started_at), Some(Hold::Working))
    };
    match known.rotations().rev().find(working) {
        None => Ok(()),
        Some(rotation) => {
            let id = &rotation.plan().id;
            Err(CommandError::decision(format_args!("rotation {id} works on {} and is not finished", case.key))
                .now("nothing was changed")
                .next(format!("akia resume {id} (then the same again)"))
                .next(format!("akia undo {id} (then the same again)")))
        }
    }
}

/// As asked; else what serves whoever works with the key.
fn choose(args: &ContainArgs, case: &Case, held: &[ProfileName], bench: &Bench) -> Strategy {
    match args.strategy {
        Some(strategy) => strategy,
        None if case.key.is_temporary() || case.status == Some(KeyStatus::Inactive) => Strategy::Deactivate,
        None if held.is_empty() || bench.signed.profile.is_none() => Strategy::Deactivate,
        None => Strategy::Rotate,
    }
}

fn because(args: &ContainArgs, case: &Case, held: &[ProfileName]) -> String {
    if args.strategy.is_some() {
        return ", as asked".to_owned();
    }
    if case.key.is_temporary() || case.status == Some(KeyStatus::Inactive) {
        return String::new();
    }
    if held.is_empty() {
        ", for no profile here holds it (whoever works with it is cut off)".to_owned()
    } else {
        ", for profiles here hold it".to_owned()
    }
}

async fn prepare(
    context: &Context,
    bench: &Bench,
    args: &ContainArgs,
    case: &Case,
    opening: &ContainmentOpening,
) -> Result<PreparedRotation, CommandError> {
    let (_pull, stop) = Stop::new();
    let make_room = args.delete_key.iter().cloned().collect();
    let container = bench.container(context, make_room, stop, &Silent, &Quiet)?;
    let key = &case.key;
    let or_shut = |error: CommandError| {
        error.next(format!("akia contain {key} --strategy deactivate (cuts off whoever works with it, at once)"))
    };
    let Some(rotating) = &container.rotating else {
        return Err(or_shut(
            CommandError::failed("a rotation is signed by a profile, and the key of the environment signs")
                .next("name one: --profile ADMIN"),
        ));
    };
    let prepared = rotating.prepare(opening).await;
    prepared.map_err(|refusal| {
        let told = format!("{key} cannot be replaced: {refusal}");
        let told = if refusal.needs_decision() { CommandError::decision(told) } else { CommandError::failed(told) };
        let told = match &*refusal {
            Refusal::TwoKeys { other, .. } => told.next(format!(
                "akia contain {key} --strategy rotate --delete-key {} (deletes that one, to make room)",
                other.id
            )),
            other => other.next_steps().into_iter().fold(told, CommandError::next),
        };
        or_shut(told.now("nothing was changed"))
    })
}

/// A teller of what is only planned.
struct Silent;

impl akia_io::contain::Teller for Silent {
    fn recorded(&self, _one: &Containment, _record: &akia_core::contain::ContainmentRecord) {}
}

fn tell_steps(context: &Context, strategy: Strategy, case: &Case, prepared: Option<&PreparedRotation>) {
    let mut steps: Vec<String> = Vec::new();
    let tie = "AWS's deny policy AWSCompromisedKeyQuarantineV3 on the user, and no sessions of before";
    if case.key.is_temporary() && strategy != Strategy::Quarantine {
        steps.push("everything is denied to sessions that the user has opened before now".to_owned());
        steps.push("that is taken off when no such session lives any more, after 36 h (akia resume)".to_owned());
    } else {
        match strategy {
            Strategy::Quarantine => {
                steps.push(format!("{tie}; the key stays active"));
            }
            Strategy::Rotate => {
                steps.push(tie.to_owned());
                let places = prepared.map(|one| one.plan.places.iter().map(ToString::to_string).collect::<Vec<_>>());
                let places = places.unwrap_or_else(|| case.holders.clone()).join(", ");
                if let Some(key) = prepared.and_then(|one| one.plan.make_room.as_ref()) {
                    steps.push(format!("delete {key} to make room, as you said; this cannot be undone"));
                }
                steps.push(format!("a new key into {places}; then {} is deactivated", case.key));
            }
            Strategy::Deactivate | Strategy::Delete if case.status == Some(KeyStatus::Inactive) => {
                steps.push("it is inactive already".to_owned());
            }
            Strategy::Deactivate | Strategy::Delete => steps.push(format!("{} is deactivated", case.key)),
        }
        if strategy != Strategy::Quarantine {
            steps.push("sessions that the user has opened before that are denied".to_owned());
            steps.push("the key is looked at until AWS lists it as shut".to_owned());
        }
        match strategy {
            Strategy::Delete => steps.push(format!("{} is deleted; this cannot be undone", case.key)),
            Strategy::Rotate => steps.push("AWS's deny policy is taken off again".to_owned()),
            Strategy::Deactivate | Strategy::Quarantine => {}
        }
        if strategy != Strategy::Quarantine {
            steps.push(
                "what denies sessions is taken off when none of before lives any more, after 36 h (akia resume)"
                    .to_owned(),
            );
        }
    }
    for (index, step) in steps.iter().enumerate() {
        context.say(&format!("        {}. {step}", index + 1));
    }
    for warning in prepared.map(|one| one.warnings.as_slice()).unwrap_or_default() {
        context.say(&format!("        note: {warning}"));
    }
}

fn tell_owner(context: &Context, case: &Case, owner: &Owner) {
    let now = context.started_at;
    let say = |words: String| context.say(&format!("        {words}"));
    say(format!("user {} in account {} (by {})", owner.user.name, case.account, owner.by));
    if let (Some(status), Some(created)) = (case.status, case.created_at) {
        let used = match &owner.last_used {
            LastUsed::Never => "never used".to_owned(),
            LastUsed::At { at, service, region } => format!("last used {}", use_words(*at, service, region, now)),
            LastUsed::Unknown { .. } => "last use unknown".to_owned(),
        };
        say(format!("{}, {} old, {used}", status.as_str().to_lowercase(), age::between(created, now)));
    }
    if !case.holders.is_empty() {
        say(format!("here: {}", case.holders.join(", ")));
    }
    if let Some(at) = case.leaked_at {
        say(format!("leaked at {}", day(at)));
    }
}

fn tell_reach(context: &Context, case: &Case) {
    let say = |words: String| context.say(&format!("reach   {words}"));
    let reach = match &case.reach {
        Known::Told(reach) => reach,
        Known::Unknown { reason } => return say(format!("not known: {reason}")),
    };
    if reach.is_admin {
        say("everything: it is an administrator".to_owned());
    } else if reach.services.is_empty() {
        say("no policy allows it anything".to_owned());
    } else {
        let services = reach.services.join(", ");
        let services = if services == "*" { "some actions of every service".to_owned() } else { services };
        say(services);
        for one in reach.escalations.iter().take(MOST_LINES) {
            let part = if one.allowed == Allowed::Partly { " (on some resources, or under a condition)" } else { "" };
            say(format!("more by {}: {}{part}", one.actions.join(" + "), one.gives));
        }
        more(context, reach.escalations.len(), "ways to more");
    }
    for one in reach.roles.iter().take(MOST_LINES) {
        let through =
            if one.through.is_empty() { String::new() } else { format!(", through {}", one.through.join(", ")) };
        let admin = if one.is_admin { ", an administrator" } else { "" };
        let condition = if one.is_conditional { ", under a condition" } else { "" };
        say(format!("assumes {}{admin}{condition}{through}", one.arn));
    }
    more(context, reach.roles.len(), "roles");
    for gap in &reach.gaps {
        say(format!("not known: {gap}"));
    }
    if let Known::Unknown { reason } = &reach.denied_by_simulation {
        say(format!("AWS's simulation does not answer, so policies of the organisation are not weighed: {reason}"));
    }
}

fn tell_footprint(context: &Context, case: &Case) {
    let say = |words: String| context.say(&format!("trail   {words}"));
    let trail = &case.footprint;
    for region in &trail.regions {
        match &region.events {
            Known::Told(_) if region.is_cut => say(format!("{}: only the latest calls were read", region.region)),
            Known::Told(_) => {}
            Known::Unknown { reason } => say(format!("{}: not known: {reason}", region.region)),
        }
    }
    let asked: Vec<&str> =
        trail.regions.iter().filter(|one| one.events.told().is_some()).map(|one| one.region.as_str()).collect();
    if asked.is_empty() {
        return;
    }
    let (Some(first), Some(last)) = (trail.first, trail.last) else {
        return say(format!(
            "CloudTrail has no call of it in {} in 90 days; other regions were not asked",
            asked.join(", ")
        ));
    };
    say(format!(
        "{} calls in {}, {} to {}; other regions were not asked",
        trail.events,
        asked.join(", "),
        day(first),
        day(last)
    ));
    let addresses: Vec<String> = most(&trail.addresses).map(|(name, count)| format!("{name} ({count})")).collect();
    say(format!("from {}", addresses.join(", ")));
    let services: Vec<String> = trail
        .services
        .iter()
        .map(|(name, calls)| match calls.refused {
            0 => format!("{name} {}", calls.calls),
            refused => format!("{name} {} ({refused} refused)", calls.calls),
        })
        .collect();
    say(format!("calls: {}", services.join(", ")));
    for one in trail.remnants.iter().take(MOST_LINES) {
        say(format!("LEFT    {} ({}, {})", one.what, one.call, day(one.at)));
    }
    more(context, trail.remnants.len(), "things that outlive it");
}

/// The most frequent first.
pub(super) fn most(counts: &std::collections::BTreeMap<String, usize>) -> impl Iterator<Item = (&str, usize)> {
    let mut sorted: Vec<(&str, usize)> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    sorted.into_iter().take(MOST_LINES)
}

fn more(context: &Context, all: usize, what: &str) {
    if all > MOST_LINES {
        context.say(&format!("        … and {} more {what}: --report FILE.html has all", all - MOST_LINES));
    }
}

fn show_aws_cli(context: &Context, bench: &Bench, case: &Case, user: &UserName) {
    let by = akia_core::cheatsheet::Connection {
        profile: bench.signed.profile.clone(),
        region: context.globals.region.clone(),
        endpoint_url: context.globals.endpoint_url.as_ref().map(|endpoint| endpoint.url().to_string()),
    };
    let (user, key) = (Some(user.clone()), case.key.clone());
    let operations = [
        Operation::AccessKeyLastUsed { key: key.clone() },
        Operation::LookupEvents { key: key.clone() },
        Operation::UpdateAccessKey { user: user.clone(), key, status: KeyStatus::Inactive },
        Operation::ListAccessKeys { user },
    ];
    let steps: Vec<_> = operations.iter().map(|operation| aws_cli::step(operation, &by)).collect();
    aws_cli::print(context, &steps);
    let partition = bench.identity.partition().unwrap_or(Partition::Aws);
    context.say(&format!("        AWS's deny policy: {}", quarantine_policy(partition)));
    context.say(&format!("        the policy that denies earlier sessions: {}", sessions_policy(context.started_at)));
}
