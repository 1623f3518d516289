//! `akia enforce quarantine` and `akia enforce release`: a user's hands are tied, and untied again.

use akia_core::enforce::EnforcePolicy;
use akia_core::estate::{Account, Console, Details, Known, User};
use akia_core::quarantine::{Measure, Quarantine, QuarantineOpening, QuarantineStage, quarantine_policy};
use akia_io::enforce::{Asked, QuarantineError, load_quarantines};
use akia_io::store::SharedStore;
use serde_json::{Value, json};

use super::desk::Desk;
use super::{agreed_or_default, switch};
use crate::commands::enforce::{QuarantineArgs, ReleaseArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};
use crate::{prompt, workbench};

/// Runs `quarantine`.
pub(crate) async fn run(context: &Context, args: &QuarantineArgs) -> Result<Exit, CommandError> {
    let folder = workbench::state_folder(context)?;
    switch::refuse_when_off(&folder)?;
    let agreed = agreed_or_default(context, &args.reach.config)?;
    let desk = Desk::open(context, &agreed, &args.reach).await?;
    let quarantiner = desk.quarantiner();
    let Asked { opening, tags } = quarantiner
        .opening(workbench::draw()?.quarantine(), &args.key, &args.reason)
        .await
        .map_err(|error| refused(&error))?;
    if is_protected(&agreed.policy, &opening, tags) && !args.protected_too {
        return Err(CommandError::decision(format_args!(
            "the user {} is protected by the policy: nothing is done to it",
            opening.user.name
        ))
        .now("nothing was changed")
        .next("the same with --protected-too, if it has to be"));
    }
    let earlier = open_quarantines(&desk.store).await?.into_iter().find(|one| {
        let of = one.opening();
        (&of.account, &of.user_id) == (&opening.account, &opening.user_id)
    });
    tell_plan(context, &opening, earlier.as_ref());
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Put the user into quarantine?")?;
    let mut one = match earlier {
        Some(earlier) if earlier.stage() == QuarantineStage::Eased => {
            // The key is being contained, or was: whoever ties the user's hands again wants all of it.
            return Err(CommandError::decision(format_args!(
                "the key {} of the user is contained on this machine, and sessions of before are denied",
                earlier.opening().key
            ))
            .now("nothing was changed")
            .next(format!("akia contain {} (where that stands)", earlier.opening().key)));
        }
        Some(mut earlier) if earlier.stage() == QuarantineStage::Holding => {
            quarantiner.renew(&mut earlier, &args.reason).await.map_err(|error| refused(&error))?;
            earlier
        }
        Some(earlier) => {
            return Err(CommandError::failed(format_args!(
                "the quarantine {} of the user is being taken back",
                earlier.opening().id
            ))
            .next(format!("akia enforce release {} --reason … (finishes that)", earlier.opening().key)));
        }
        None => quarantiner.open(opening).await.map_err(|error| refused(&error))?,
    };
    let done = quarantiner.carry_out(&mut one).await.map_err(|error| refused(&error))?;
    print(context, &one, &done)?;
    let exit = if one.is_in_place() {
        let key = &one.opening().key;
        context.say("sessions of roles that the user has assumed live on: revoke them in each role (console: Revoke active sessions)");
        context.say(&format!(
            "the user's keys are as active as before: akia key deactivate {key}, or akia rotate --user {}",
            one.opening().user.name
        ));
        context.say(&format!("to take it back: akia enforce release {key} --reason …"));
        Exit::Done
    } else {
        tell_held(context, &one);
        Exit::Partly
    };
    desk.seal(context, &agreed.settings.journal).await?;
    Ok(exit)
}

/// Runs `release`.
pub(crate) async fn release(context: &Context, args: &ReleaseArgs) -> Result<Exit, CommandError> {
    let none = || {
        CommandError::failed(format_args!("akia holds no quarantine for key {} on this machine", args.key))
            .next("akia enforce status")
    };
    let journal = workbench::journal(context).await?.ok_or_else(none)?;
    let quarantines = open_quarantines(&journal).await?;
    let mut one = quarantines.into_iter().find(|one| one.opening().key == args.key).ok_or_else(none)?;
    let (user, account) = (one.opening().user.clone(), one.opening().account.clone());
    context.say(&format!("release   {} in account {account}: {}", user.name, args.reason));
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Take the quarantine back?")?;
    let agreed = agreed_or_default(context, &args.reach.config)?;
    let desk = Desk::open(context, &agreed, &args.reach).await?;
    let quarantiner = desk.quarantiner();
    quarantiner.ask_release(&mut one, &args.reason).await.map_err(|error| refused(&error))?;
    let done = quarantiner.carry_out(&mut one).await.map_err(|error| refused(&error))?;
    print(context, &one, &done)?;
    let exit = if one.is_over() {
        if !one.is_ours() {
            let policy = quarantine_policy(user.partition);
            context.say(&format!(
                "AWS's deny policy was there before, and stays: once the key is gone, aws iam detach-user-policy --user-name {} \
                 --policy-arn {policy} (of the version that is attached)",
                user.name
            ));
        }
        Exit::Done
    } else {
        tell_held(context, &one);
        Exit::Partly
    };
    desk.seal(context, &agreed.settings.journal).await?;
    Ok(exit)
}

/// Those that are not over.
///
/// # Errors
/// When the journal, or one of them, cannot be read.
pub(crate) async fn open_quarantines(store: &SharedStore) -> Result<Vec<Quarantine>, CommandError> {
    let mut all = load_quarantines(&**store).await.map_err(|error| refused(&error))?;
    all.retain(|one| !one.is_over());
    Ok(all)
}

/// Says of those that are not over, and gives them for JSON.
///
/// # Errors
/// When the journal, or one of them, cannot be read.
pub(crate) async fn tell_open(context: &Context, store: Option<&SharedStore>) -> Result<Value, CommandError> {
    let Some(store) = store else { return Ok(json!([])) };
    let open = open_quarantines(store).await?;
    for one in &open {
        let of = one.opening();
        context.say(&format!(
            "quarantine of {} in account {} since {}: {}; akia enforce release {} --reason …",
            of.user.name,
            of.account,
            one.opened_at().strftime("%Y-%m-%d %H:%M UTC"),
            of.reason,
            of.key
        ));
    }
    let object = |one: &Quarantine| {
        let of = one.opening();
        json!({
            "quarantine": of.id, "account": of.account, "user": of.user, "key": of.key, "reason": of.reason, "by": of.by,
            "since": one.opened_at(), "held": one.held(),
        })
    };
    Ok(open.iter().map(object).collect())
}

/// Whether the policy leaves the user alone.
pub(crate) fn is_protected(
    policy: &EnforcePolicy,
    opening: &QuarantineOpening,
    tags: impl IntoIterator<Item = (String, String)>,
) -> bool {
    let details = Details { id: Some(opening.user_id.clone()), tags: tags.into_iter().collect(), ..Details::default() };
    let user = User {
        arn: opening.user.clone(),
        created_at: None,
        console: Console::Without,
        mfa_active: false,
        keys: Vec::new(),
        details: Known::Told(details),
        service_credentials: Known::Told(Vec::new()),
    };
    policy.is_protected(&Account::bare(opening.account.clone()), &user)
}

fn tell_plan(context: &Context, opening: &QuarantineOpening, earlier: Option<&Quarantine>) {
    let QuarantineOpening { account, user, key, reason, .. } = opening;
    context.say(&format!("quarantine  {} in account {account}, for key {key}: {reason}", user.name));
    context.say("  AWS's policy AWSCompromisedKeyQuarantineV3 is attached, unless one of its versions is there");
    context.say("  everything is denied to sessions that the user's keys have opened before now");
    if let Some(earlier) = earlier {
        let since = earlier.opened_at().strftime("%Y-%m-%d %H:%M UTC");
        context.say(&format!("  it is in quarantine since {since}; sessions opened since then are denied, too"));
    }
}

fn tell_held(context: &Context, one: &Quarantine) {
    let held = one.held().unwrap_or("AWS does not show all of it yet");
    context.say(&format!("not done: {held}"));
    context.say("next: the same command again goes on where it stopped");
}

fn print(context: &Context, one: &Quarantine, done: &[Measure]) -> Result<(), CommandError> {
    let mut report = Report::new(
        "enforce-quarantine",
        "quarantines",
        vec![
            Column::whole("quarantine", "QUARANTINE"),
            Column::whole("account", "ACCOUNT"),
            Column::new("user", "USER"),
            Column::whole("key", "KEY"),
            Column::new("done", "DONE"),
            Column::whole("state", "STATE"),
        ],
    );
    let of = one.opening();
    let (state, tone) = match one.stage() {
        QuarantineStage::Holding if one.is_in_place() => ("in place", Tone::Warning),
        QuarantineStage::Eased if one.is_in_place() => ("earlier sessions denied", Tone::Warning),
        QuarantineStage::Holding | QuarantineStage::Eased => ("not whole", Tone::Bad),
        QuarantineStage::Releasing => ("not taken back whole", Tone::Bad),
        QuarantineStage::Over { why, .. } => (why.as_str(), Tone::Plain),
    };
    let mut row = Row::from(vec![
        Cell::text(&of.id),
        Cell::text(&of.account),
        Cell::text(&of.user.name),
        Cell::text(&of.key),
        Cell::list(done.iter().map(|measure| measure.as_str().to_owned())),
        Cell::text(state).tone(tone),
    ]);
    row.details.insert("held".into(), json!(one.held()));
    row.details.insert("attached_by_akia".into(), json!(one.is_ours()));
    report.push(row);
    context.print_done(&report)
}

fn refused(error: &QuarantineError) -> CommandError {
    let refusal = CommandError::failed(error);
    match error {
        QuarantineError::Journal(error) => refusal.now("what was done stands in the journal").next(error.hint()),
        QuarantineError::Broken { .. } => refusal.next("akia history verify"),
        QuarantineError::Aws(_) => refusal.next("docs/enforcement.md lists the rights that it takes"),
        QuarantineError::NoUser { key, .. } => {
            refusal.next(format!("akia key deactivate {key} (as who it belongs to)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_protected_by_its_tags() {
        let mut policy = EnforcePolicy::default();
        policy.protected.tags.insert("tier".to_owned(), "0".to_owned());
        let opening = QuarantineOpening {
            id: akia_core::QuarantineId::from_bits(1),
            account: "111122223333".parse().unwrap(),
            user: "arn:aws:iam::111122223333:user/ann".parse().unwrap(),
            user_id: "AIDACKCEVSQ6C2EXAMPLE".parse().unwrap(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            reason: String::new(),
            by: String::new(),
        };
        let tag = |value: &str| vec![("tier".to_owned(), value.to_owned())];
        assert!(is_protected(&policy, &opening, tag("0")));
        assert!(!is_protected(&policy, &opening, tag("1")));
    }
}
