//! Makes a key that goes straight into a profile: `akia setup --create` and `akia key create`.
//!
//! Invariant: the secret is shown to nobody. A key that could not be written is deleted again, and a request whose
//! answer is lost is never sent twice. Between the request and the read-back the secret is in this memory only: a
//! request to end is held off until then. A kill that cannot be held off leaves a key that was never used.

use akia_core::key::{AccessKey, KeyStatus};
use akia_core::rotation::{Hold, Rotation};
use akia_core::{AccessKeyId, ProfileName, Region, UserName};
use akia_io::aws::AwsError;
use akia_io::place::KeyPair;
use akia_io::profiles::AwsFiles;
use jiff::Timestamp;

use crate::commands::Consent;
use crate::commands::setup::{AwsOutput, SecretStore};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::rotations::Known;
use crate::setup::Asker;
use crate::setup::plan::Plan;
use crate::setup::proof::{self, Owner};
use crate::setup::replace::may_replace;
use crate::setup::source::Age;
use crate::setup::spot::{Spot, Wish, WriteFailed};
use crate::signing::{self, Mfa, Signed, Whose};
use crate::{drive, prompt, workbench};

/// A key that is asked for.
pub struct NewKey<'a> {
    /// Which command asks.
    pub asker: Asker,
    /// The profile that it is written to.
    pub into: &'a ProfileName,
    /// Whose it is; `None` is the caller.
    pub user: Option<&'a UserName>,
    /// Where the secret goes.
    pub store: SecretStore,
    /// The region to write to the profile.
    pub region: Option<Region>,
    /// The output format to write to the profile.
    pub output: Option<AwsOutput>,
    /// Question and plan.
    pub consent: Consent,
}

/// Makes a key and writes it.
///
/// # Errors
/// When the profile is taken, there is no room for a key, AWS refuses, or the key cannot be written; it is deleted
/// again then.
pub async fn create(context: &Context, ask: &NewKey<'_>, files: &AwsFiles) -> Result<Exit, CommandError> {
    let spot = Spot::find(context, files, ask.into, ask.store)?;
    may_replace(context, ask.asker, files, &spot, None).await?;
    let signed = signing::sign(context, files, Mfa::IfPossible).await?;
    let whose = signing::whose(&signed, ask.user).await?;
    let owner = Owner { user: whose.user.clone(), account: whose.account.clone() };
    room(context, &signed, &whose).await?;
    let wish = Wish { store: ask.store, region: ask.region.clone(), output: ask.output };
    let state = workbench::state_folder(context)?;
    let places = workbench::places(context, &state);
    let notes = spot.rehearse(files, &wish, &places).await?;
    let plan = Plan {
        asker: ask.asker,
        owner: &owner,
        key: None,
        wish: &wish,
        spot: &spot,
        notes,
        signer: Some((&signed, ask.user)),
        copied_from: None,
        csv: None,
    };
    plan.print(context, files).await;
    if ask.consent.dry_run {
        return plan.report_dry(context, "would be created");
    }
    prompt::confirm(context, ask.consent.yes, "Create this key?")?;
    let _lock = signing::lock_user(&workbench::home(context)?, &signed, &whose).await?;
    // Whatever was seen before the question may have changed since.
    let before = room(context, &signed, &whose).await?;
    // Listens from here on: whoever asks this process to end has to wait until the secret is in its place.
    let ending = drive::ending().await;
    let pair = mint(context, ask.asker.schema(), &signed, &owner, &whose, &before).await?;
    context.say(&format!("created {}", pair.id));
    if let Err(error) = spot.write(context, &state, files, &wish, &places, &pair).await {
        return Err(take_back(&signed, &owner, &whose, &pair.id, error).await);
    }
    let plan = Plan { key: Some(&pair.id), ..plan };
    let aws = workbench::aws(context)?;
    let proof = tokio::select! {
        biased;
        // A request to end may have come while it was held off.
        true = ending => {
            plan.report(context, "created")?;
            return Err(interrupted(&spot.profile, &pair.id, &whose));
        }
        proof = proof::identity(context, &aws, &pair, signed.caller.target(), Age::New) => proof,
    };
    let exit = match proof {
        Ok(_) => plan.report(context, "created")?,
        Err(error) => {
            plan.report(context, "created")?;
            return Err(CommandError::new(Exit::Partly, format_args!("the new key is not known to AWS yet: {error}"))
                .now(format!("profile \"{}\" holds {}, which AWS has created", spot.profile, pair.id))
                .next("wait a minute, then: akia status"));
        }
    };
    plan.say_next(context);
    Ok(exit)
}

/// Has AWS make a key, once, and never again where the answer is lost. `before` are the keys that the user had.
///
/// # Errors
/// When AWS refuses; or with what is known, where it is not known what it did.
pub(crate) async fn mint(
    context: &Context,
    asker: &str,
    signed: &Signed,
    owner: &Owner,
    whose: &Whose,
    before: &[AccessKey],
) -> Result<KeyPair, CommandError> {
    // Marks the request in CloudTrail; the moment is unique enough for one user.
    let nonce = format!("{asker}-{:x}", context.started_at.as_nanosecond());
    let new = match signed.caller.create_access_key(&owner.user, &nonce).await {
        Ok(new) => new,
        Err(error) if error.outcome_is_known() => return Err(create_refused(owner, whose, &error)),
        Err(error) => return Err(create_unanswered(signed, owner, whose, before, &error).await),
    };
    let pair = KeyPair { id: new.id, secret: new.secret };
    // Not ours to take back, should it not be written.
    if before.iter().any(|old| old.id == pair.id) {
        return Err(CommandError::decision(format_args!("AWS answers with {}, which {owner} had before", pair.id))
            .now("nothing was written; whether AWS has created a key is not known")
            .next(format!("akia key list{} (a key that nobody knows is this one)", whose.flag()))
            .next("look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there"));
    }
    Ok(pair)
}

/// Somebody asked akia to end. Nothing is left half done: only whether AWS knows the key everywhere was not seen.
fn interrupted(profile: &ProfileName, key: &AccessKeyId, whose: &Whose) -> CommandError {
    let flag = whose.flag();
    CommandError::new(Exit::Interrupted, "interrupted before the new key was proven")
        .now(format!("profile \"{profile}\" holds the new key {key}, read back; there is nothing to resume"))
        .next("akia status (whether AWS knows the key)")
        .next(format!("akia key deactivate {key}{flag}, then akia key delete {key}{flag} (to do without it)"))
}

/// The user's keys, where there is room for another and no rotation of this machine would take it for a rival's.
///
/// # Errors
/// When there is not, or AWS does not tell.
pub(crate) async fn room(context: &Context, signed: &Signed, whose: &Whose) -> Result<Vec<AccessKey>, CommandError> {
    let owner = format!("user {}, account {}", whose.user, whose.account);
    let known = Known::of_journal(context).await?;
    if let Some(error) = known.in_the_way(&whose.account, &whose.user) {
        return Err(error);
    }
    let of_user = |rotation: &&Rotation| {
        let identity = &rotation.plan().identity;
        *identity.account() == whose.account
            && identity.user_name().as_str().eq_ignore_ascii_case(whose.user.as_str())
            && rotation.is_unfinished(context.started_at)
    };
    if let Some(rotation) = known.rotations().find(of_user) {
        let id = &rotation.plan().id;
        return Err(CommandError::decision(format_args!(
            "rotation {id} of user {} is not finished ({}); it would take a new key for that of somebody else",
            whose.user,
            rotation.stage_name()
        ))
        .now("nothing was changed")
        .next(format!("akia resume {id}"))
        .next(format!("akia undo {id}")));
    }
    let keys = signed.caller.access_keys(Some(&whose.user)).await;
    let keys = keys.map_err(|error| signing::refused(&format!("the keys of {owner} cannot be listed"), &error))?;
    if keys.len() >= 2 { Err(no_room(whose, &keys, &known, context.started_at)) } else { Ok(keys) }
}

fn no_room(whose: &Whose, keys: &[AccessKey], known: &Known, now: Timestamp) -> CommandError {
    let (user, flag) = (&whose.user, whose.flag());
    let listed: Vec<String> =
        keys.iter().map(|key| format!("{} ({})", key.id, key.status.as_str().to_lowercase())).collect();
    let told = CommandError::decision(format_args!(
        "user {user} has {} keys already, and AWS allows two: {}",
        keys.len(),
        listed.join(", ")
    ))
    .now("nothing was changed")
    .next(format!("akia key list{flag} (which one is not used)"));
    let kept = |key: &AccessKey| {
        let in_grace = |rotation: &&Rotation| matches!(rotation.hold_on(&key.id, now), Some(Hold::Grace { .. }));
        known.rotations().find(in_grace).map(|rotation| rotation.plan().id.clone())
    };
    match keys.iter().find(|key| key.status == KeyStatus::Inactive) {
        Some(key) => match kept(key) {
            Some(rotation) => told.next(format!("akia retire {rotation} --now (it keeps {} for an undo)", key.id)),
            None => told.next(format!("akia key delete {}{flag}", key.id)),
        },
        None => told.next("akia rotate -p PROFILE (a new key in place of one of them)"),
    }
}

fn create_refused(owner: &Owner, whose: &Whose, error: &AwsError) -> CommandError {
    let told = CommandError::failed(format_args!("no key was created for {owner}: {error}"));
    match error {
        AwsError::AccessDenied { .. } => {
            let policy = if whose.own { "create-own-keys" } else { "rotate-others-keys" };
            told.next(format!("akia policy {policy} (the policy to ask your administrator for)"))
        }
        AwsError::LimitExceeded { .. } => told.next(format!("akia key list{}", whose.flag())),
        _ => told.next("akia policy check"),
    }
}

/// The answer is lost: says what is true, as far as can be known, and never tries again by itself.
async fn create_unanswered(
    signed: &Signed,
    owner: &Owner,
    whose: &Whose,
    before: &[AccessKey],
    error: &AwsError,
) -> CommandError {
    let flag = whose.flag();
    let told = CommandError::decision(format_args!(
        "it is not known whether AWS has created a key for {owner}: the answer is lost ({error})"
    ));
    let now = signed.caller.access_keys(Some(&owner.user)).await.unwrap_or_default();
    let new = now.iter().find(|key| before.iter().all(|old| old.id != key.id));
    match new {
        Some(key) => told
            .now(format!(
                "nothing was written; AWS lists {}, which was not there before: most likely it is this one, active, \
                 and nobody has its secret",
                key.id
            ))
            .next(format!(
                "akia key deactivate {}{flag}, then akia key delete {}{flag} (if nobody else made it)",
                key.id, key.id
            ))
            .next("then run the same command again"),
        None => told
            .now("nothing was written; AWS lists no new key so far, but one may still appear within a minute")
            .next(format!("akia key list{flag} (in a minute: a new key that nobody knows is this one)"))
            .next("if there is none, run the same command again"),
    }
}

/// A key whose secret could not be kept is of no use to anybody. One whose secret is in its place stays: to delete it
/// would leave a profile with a key that does not work.
async fn take_back(
    signed: &Signed,
    owner: &Owner,
    whose: &Whose,
    key: &AccessKeyId,
    failed: WriteFailed,
) -> CommandError {
    let WriteFailed { error, secret_kept } = failed;
    if secret_kept {
        let now = error.now.clone().unwrap_or_default();
        let flag = whose.flag();
        return error
            .now(format!("the new key {key} is active and its secret is stored; {now}"))
            .next(format!("akia key deactivate {key}{flag}, then akia key delete {key}{flag} (to do without it)"));
    }
    match signed.caller.delete_new_access_key(&owner.user, key).await {
        Ok(()) => {
            let now = format!("the new key {key} was deleted again");
            let now =
                if error.exit == Exit::Partly { format!("{now}; {}", error.now.unwrap_or_default()) } else { now };
            CommandError { now: Some(now), ..error }
        }
        Err(delete) => {
            let flag = whose.flag();
            CommandError::new(Exit::Partly, &error.what)
                .now(format!(
                    "the key {key} exists, is active, and its secret may be lost; it could not be deleted ({delete})"
                ))
                .next(format!("akia key deactivate {key}{flag}"))
                .next(format!("akia key delete {key}{flag}"))
        }
    }
}
