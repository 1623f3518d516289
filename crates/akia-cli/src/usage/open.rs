//! The facts, and the way to the logs: AWS is reached as every other command reaches it, and only when something lies in S3.

use std::fmt;
use std::sync::Arc;

use akia_io::aws::{Caller, CredentialsError, Wallet};
use akia_usage::{Desk, Listing, Narrowing, Reach, S3, Signature, Signing, UsageError};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::commands::usage::{FactsArgs, OnCluster, WhichLogs};
use crate::context::Context;
use crate::error::CommandError;
use crate::signing::{self, Mfa, Signed};
use crate::workbench;

/// Credentials that end sooner are fetched anew.
const SOON: SignedDuration = SignedDuration::from_mins(5);

/// Opens the facts for a question. With `places`, logs are read, too: by a cluster, where there is one.
///
/// # Errors
/// When they cannot be used.
pub(super) async fn open(
    context: &Context,
    facts: &FactsArgs,
    places: &[String],
    on: Option<&OnCluster>,
) -> Result<Desk, CommandError> {
    let place = match &facts.facts {
        Some(place) => place.clone(),
        None => {
            let folder = workbench::state_folder(context)?.path().join("usage");
            folder.to_str().map(str::to_owned).ok_or_else(|| {
                CommandError::failed(format_args!("{} is not UTF-8", folder.display()))
                    .next("name another with --facts")
            })?
        }
    };
    let in_s3 = std::iter::once(&place).chain(places).any(|place| place.starts_with("s3://"));
    let s3 = if in_s3 { signed(context).await? } else { S3::unreached() };
    if let Some(at) = on.and_then(|on| on.cluster.as_deref()) {
        return on_cluster(at, &place, s3).await;
    }
    let partitions = std::thread::available_parallelism().map_or(1, usize::from);
    Desk::open(&place, s3, partitions).await.map_err(|error| failed(&error))
}

#[cfg(feature = "cluster")]
async fn on_cluster(at: &str, facts: &str, s3: S3) -> Result<Desk, CommandError> {
    super::cluster::open(at, facts, s3).await
}

#[cfg(not(feature = "cluster"))]
async fn on_cluster(_: &str, _: &str, _: S3) -> Result<Desk, CommandError> {
    Err(CommandError::failed("this akia was built without clusters")
        .next("cargo install --path crates/akia-cli --features cluster"))
}

/// The same for a question that needs facts.
///
/// # Errors
/// When there are none yet, too.
pub(super) async fn open_loaded(context: &Context, facts: &FactsArgs) -> Result<Desk, CommandError> {
    let desk = open(context, facts, &[], None).await?;
    if desk.is_empty() {
        return Err(CommandError::failed(format_args!("no logs were loaded into {} yet", desk.home()))
            .next("akia usage load s3://BUCKET/AWSLogs/")
            .next("akia usage load --live (without a trail)"));
    }
    Ok(desk)
}

/// Nobody by this name has a call in the facts.
pub(super) async fn nobody(desk: &Desk, whose: &str) -> CommandError {
    let known = desk.keys().await.unwrap_or_default();
    let close = known
        .iter()
        .filter(|key| strsim::damerau_levenshtein(key, whose) <= 3)
        .min_by_key(|key| strsim::damerau_levenshtein(key, whose));
    let words = CommandError::failed(format_args!("no call of {whose} is in {}", desk.home()));
    match close {
        Some(key) => words.next(format!("did you mean {key}?")),
        None => words.next(
            "akia usage status, for what is loaded; akia usage sql \"SELECT * FROM keys\", for whose calls there are",
        ),
    }
}

/// Lists logs, and says what was passed over.
///
/// # Errors
/// When a place cannot be listed, or has none.
pub(super) async fn list(
    context: &Context,
    desk: &Desk,
    places: &[String],
    which: &WhichLogs,
    now: Timestamp,
) -> Result<Listing, CommandError> {
    let second = |when: Option<crate::args::when::When>| when.map(|when| when.moment(now).as_second());
    let narrowing = Narrowing {
        accounts: which.accounts.iter().map(ToString::to_string).collect(),
        regions: which.regions.iter().map(ToString::to_string).collect(),
        since: second(which.since),
        until: second(which.until),
    };
    let mut all = Listing::default();
    for place in places {
        let listing = desk.list(place, &narrowing).await.map_err(|error| failed(&error))?;
        if listing.files.is_empty() {
            context.say(&format!("{place}: no logs of what was asked for"));
        }
        if listing.passed_over > 0 {
            context.say(&format!(
                "{place}: {} folders without calls passed over (digests, insights and the like)",
                listing.passed_over
            ));
        }
        if listing.others > 0 {
            context.say(&format!("{place}: {} files are no logs by their names, and were passed over", listing.others));
        }
        all.files.extend(listing.files);
    }
    Ok(all)
}

pub(super) async fn signed(context: &Context) -> Result<S3, CommandError> {
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let options = context.aws_options()?;
    let roots = options.ca_bundle.as_ref().map(std::fs::read).transpose();
    let roots = roots.map_err(|error| CommandError::failed(format_args!("AWS_CA_BUNDLE cannot be read: {error}")))?;
    let endpoint = signed.caller.s3_endpoint();
    let plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
    let reach = Reach {
        region: signed.caller.target().region.as_ref().or(options.region.as_ref()).map(ToString::to_string),
        roots,
        proxy: if plain { options.proxies.http.clone() } else { options.proxies.https.clone() },
        no_proxy: options.proxies.no_proxy.clone(),
        endpoint,
    };
    Ok(S3::new(reach, Arc::new(Fresh::of(context, signed)?)))
}

/// Signs with what the command signs with, fetched anew before it ends.
pub(super) struct Fresh {
    caller: Mutex<Arc<Caller>>,
    again: Option<(Wallet, akia_core::ProfileName)>,
}

impl Fresh {
    /// Of what signs.
    ///
    /// # Errors
    /// When the profile's way to credentials cannot be taken again.
    pub(super) fn of(context: &Context, signed: Signed) -> Result<Self, CommandError> {
        let again = match signed.profile {
            Some(profile) => Some((workbench::wallet(context, &context.aws_files()?)?, profile)),
            None => None,
        };
        Ok(Self { caller: Mutex::new(Arc::new(signed.caller)), again })
    }

    /// The caller, whose credentials last for a while.
    ///
    /// # Errors
    /// When they end and there are no others.
    pub(super) async fn caller(&self) -> Result<Arc<Caller>, CredentialsError> {
        let mut caller = self.caller.lock().await;
        let ends = caller.credentials().expires_at();
        if let (Some(ends), Some((wallet, profile))) = (ends, &self.again)
            && ends - SOON < Timestamp::now()
        {
            let fresh = wallet.credentials(caller.aws(), profile).await?;
            *caller = Arc::new(caller.aws().caller(fresh, caller.target().clone()));
        }
        Ok(Arc::clone(&caller))
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Fresh")
    }
}

#[async_trait::async_trait]
impl Signing for Fresh {
    async fn credentials(&self) -> Result<Signature, String> {
        let caller = self.caller().await.map_err(|error| error.to_string())?;
        Ok(caller.credentials().to_foreign(|key, secret, token| Signature {
            key: key.to_owned(),
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
        }))
    }
}

/// What an error means for the person.
pub(super) fn failed(error: &UsageError) -> CommandError {
    let words = CommandError::failed(error);
    match error {
        #[cfg(feature = "cluster")]
        UsageError::Cluster(_) => words,
        UsageError::Facts(akia_usage::facts::FactsError::Overtaken { .. }) => {
            words.now("what both have read counts once").next("run the same command again")
        }
        UsageError::Facts(akia_usage::facts::FactsError::Twice { is_history: false, .. }) => words
            .now("nothing was loaded")
            .next("--since and --until, for days that they do not have in common")
            .next("--facts FOLDER, for facts of their own: the trail first, then akia usage load --live --facts FOLDER, which asks for the rest"),
        UsageError::Facts(akia_usage::facts::FactsError::Twice { is_history: true, .. }) => words
            .now("nothing was loaded")
            .next("akia usage load --live (asks for what the facts do not have)"),
        UsageError::Facts(_) => words,
        UsageError::List(_) | UsageError::Bucket { .. } | UsageError::Folder { .. } => {
            words.now("nothing was loaded").next("mend that, then run the same command again")
        }
    }
}
