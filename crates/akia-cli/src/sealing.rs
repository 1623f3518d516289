//! Checkpoints of the journal in a bucket: `akia history seal`, `akia history verify --sealed`, and the end of `akia enforce apply`.

use akia_core::checkpoint::BucketPlace;
use akia_core::settings::JournalSettings;
use akia_io::aws::Caller;
use akia_io::checkpoint::{CheckpointError, CheckpointSigner, Found, Sealed, Vault};

use akia_io::store::{Head, Home, Store};
use jiff::SignedDuration;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::signing::{self, Mfa};
use crate::workbench;

/// Where checkpoints go, and for how long.
pub(crate) struct Wish {
    /// The place.
    pub(crate) place: BucketPlace,
    /// How long each is locked; as the bucket does by itself where nothing is said.
    pub(crate) retain: Option<SignedDuration>,
}

impl Wish {
    /// What the settings say, where they say anything.
    pub(crate) fn of(settings: &JournalSettings) -> Option<Self> {
        Some(Self { place: settings.seal.clone()?, retain: settings.retain })
    }
}

/// Verifies the journal, and writes its head into the bucket.
///
/// # Errors
/// When the journal is not whole, or the checkpoint is not there and locked afterwards.
pub(crate) async fn seal(
    context: &Context,
    store: &dyn Store,
    home: &Home,
    caller: &Caller,
    by: &str,
    wish: &Wish,
) -> Result<(Head, Sealed), CommandError> {
    let head = store.verify(Vec::new()).await.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
    let signer = signer(context, home).await?;
    let vault = Vault { caller, region: caller.region(), place: wish.place.clone() };
    let sealed = vault.seal(&signer, head, by, context.started_at, wish.retain).await;
    let sealed =
        sealed.map_err(|error| refused(&error, "the journal is whole, and no checkpoint of it was written"))?;
    let words = if sealed.was_there { "was sealed already" } else { "is sealed" };
    let until = sealed.retention.until.strftime("%Y-%m-%d");
    context.say(&format!("the journal {words}: {}; nobody can replace it until {until}", object(&wish.place, &sealed)));
    if sealed.retention.mode != "COMPLIANCE" {
        context.say(&format!(
            "note: it is locked in {} mode: who has the right to may shorten that",
            sealed.retention.mode
        ));
    }
    Ok((head, sealed))
}

/// The address of a checkpoint.
pub(crate) fn object(place: &BucketPlace, sealed: &Sealed) -> String {
    format!("s3://{}/{}", place.bucket, sealed.object)
}

/// The checkpoints of this machine's journal, or of the one whose key has this name.
///
/// # Errors
/// When not all could be read, or there are none.
pub(crate) async fn read(
    context: &Context,
    place: &BucketPlace,
    signer_id: Option<&str>,
) -> Result<Found, CommandError> {
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let key_id = match (signer_id, workbench::existing_home(context)?) {
        (Some(key_id), _) => key_id.to_owned(),
        (None, Some(home)) => signer(context, &home).await?.key_id(),
        (None, None) => {
            return Err(CommandError::failed("there is no journal on this machine")
                .next("name the key that has signed: --signer KEY (akia history seal prints it)"));
        }
    };
    let vault = Vault { caller: &signed.caller, region: signed.caller.region(), place: place.clone() };
    let found = vault.read(&key_id).await.map_err(|error| refused(&error, "nothing can be said of the checkpoints"))?;
    for (object, why) in &found.foreign {
        context.say(&format!("not counted: s3://{}/{object}: {why}", place.bucket));
    }
    if found.hidden > 0 {
        context.say(&format!(
            "note: somebody has deleted {} of the checkpoints, as far as one can; their locked versions were read",
            found.hidden
        ));
    }
    if found.checkpoints.is_empty() {
        return Err(CommandError::failed(format_args!("{place} has no checkpoint that key {key_id} has signed"))
            .now("a journal that was never sealed looks like this, and so does one that was replaced with its signing key")
            .next("look at what lies under akia-journal/ there; --signer KEY names the key of an earlier state folder"));
    }
    Ok(found)
}

async fn signer(context: &Context, home: &Home) -> Result<CheckpointSigner, CommandError> {
    CheckpointSigner::of(&workbench::sealer(context, home).await?).map_err(CommandError::failed)
}

fn refused(error: &CheckpointError, now: &str) -> CommandError {
    let refusal = CommandError::new(Exit::Failed, error).now(now);
    match error {
        CheckpointError::Aws(_) => {
            refusal.next("docs/journal.md lists the rights that it takes; --region names the region of the bucket")
        }
        CheckpointError::Endpoint(foreign) => {
            refusal.next(format!("--allow-endpoint {}, if you trust whoever runs it", foreign.host))
        }
        CheckpointError::NoLock { .. } => {
            refusal.next("aws s3api create-bucket --bucket NAME --object-lock-enabled-for-bucket (a new one)")
        }
        CheckpointError::NoRetention { .. } => refusal.next("--retain 400d, or a default retention of the bucket"),
        CheckpointError::NotLocked { .. } | CheckpointError::Occupied { .. } => {
            refusal.next("look at who may write into the bucket, and seal into another prefix")
        }
        CheckpointError::Signing => refusal,
    }
}
