//! `akia service create`.
//!
//! Order: everything that can refuse is asked before anything is made; then group, policy, user, membership; the key last, because
//! it is the one thing that cannot be looked at again. Invariant: a run that fails takes back what it made, or names what stands. The
//! one exception is a key whose secret is in some place, or of which AWS has not said whether it is there.

use std::collections::BTreeMap;

use akia_core::AccessKeyId;
use akia_core::place::PlaceDefaults;
use akia_core::policy::PolicyDocument;
use akia_core::rotation::Place;
use akia_core::service::{
    Change, IamPath, Review, ServiceNaming, ServiceWish, Sources, check_size, narrow, parse_policy, plan,
    policy_of_templates, review,
};
use akia_core::settings::{ServicePlace, ServiceSettings};
use akia_core::{Partition, ServiceName, UserArn, UserName};
use akia_io::aws::{AwsError, IdentityKind};
use akia_io::place::{KeyPair, Places};
use akia_io::profiles::{AwsFiles, keychain_command};
use akia_io::rotate::resolved;
use akia_io::service::{apply, look, read_back, undo};

use super::delivery::{self, KeyPlan};
use super::from_usage;
use super::showing::{Shown, done_words, undone_words};
use crate::audit;
use crate::commands::service::CreateArgs;
use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::setup::create;
use crate::setup::proof::{self, Owner};
use crate::setup::source::Age;
use crate::signing::{self, Mfa, Signed, Whose};
use crate::{drive, prompt, workbench};

/// Longest policy that is read: a group takes 5,120 characters, and people indent.
const LARGEST_FILE: u64 = 64 * 1024;

/// Runs the command.
///
/// # Errors
/// When it is refused, or could not be done whole; says what was taken back.
pub(crate) async fn run(context: &Context, args: &CreateArgs) -> Result<Exit, CommandError> {
    let mut drawn = Vec::new();
    let written = match &args.from_usage {
        None => args.policy.as_deref().map(read).transpose()?,
        Some(whose) => {
            let from_usage = from_usage::policy(context, args, whose).await?;
            drawn = from_usage.notes;
            Some(from_usage.policy)
        }
    };
    let files = context.aws_files()?;
    let settings = args.config.load(context)?.settings;
    let named = Named::of(args, &settings.naming)?;
    let list = places_of(context, &files, args, &named, &settings.services)?;
    let signed = signing::sign(context, &files, Mfa::IfPossible).await?;
    let user = &named.user;
    let whose = signing::whose(&signed, Some(user)).await?;
    let policy = written.unwrap_or_else(|| policy_of_templates(&args.templates, partition(&whose)));
    // As it was written: narrowed, it says everything once for each way in.
    let review = judged(args, &named, &policy, &whose)?;
    let wish = wish(args, &named, &policy, &whose)?;
    let refused = |error: &AwsError| signing::refused(&format!("what there is of {user} cannot be read"), error);
    let found = look(&signed.caller, user).await.map_err(|error| refused(&error))?;
    let plan = plan(&wish, &found);
    let state = workbench::state_folder(context)?;
    let places = workbench::places_anywhere(context, &files, &state)?;
    let (key, mut notes) = delivery::plan(&places, &list, user, found.user.as_ref(), args.no_key).await?;
    notes.splice(0..0, drawn.iter().cloned());
    let shown = Shown {
        args,
        wish: &wish,
        plan: &plan,
        key: &key,
        places: &list,
        review: &review,
        notes: &notes,
        drawn: &drawn,
        signed: &signed,
        whose: &whose,
    };
    shown.print(context);
    shown.refuse_differences()?;
    if shown.is_done() {
        context.print_done(&shown.report(None, "as asked for"))?;
        return Ok(Exit::Done);
    }
    if args.consent.dry_run {
        context.print(&shown.report(None, "would be made"))?;
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Make this?")?;
    let _lock = signing::lock_user(&workbench::home(context)?, &signed, &whose).await?;
    if look(&signed.caller, user).await.map_err(|error| refused(&error))? != found {
        return Err(CommandError::decision(format_args!("somebody has changed {user} since the plan was made"))
            .now("nothing was changed")
            .next("run the same command again"));
    }
    let job = Job { context, signed: &signed, whose: &whose, wish: &wish, changes: &plan.changes, files: &files };
    job.make(&shown, &places).await
}

fn read(path: &std::path::Path) -> Result<PolicyDocument, CommandError> {
    let bytes = audit::contents(path, LARGEST_FILE)?;
    let refused = |why: String| {
        CommandError::usage(format_args!("{}: {why}", path.display()))
            .now("nothing was changed")
            .next("akia service templates (policies that akia knows)")
    };
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    // Editors on Windows begin a file with a mark that is no part of JSON.
    parse_policy(text.trim_start_matches('\u{feff}')).map_err(|error| refused(error.to_string()))
}

/// What the service and its user are called, and where the user stands.
struct Named {
    service: ServiceName,
    user: UserName,
    path: IamPath,
}

impl Named {
    fn of(args: &CreateArgs, naming: &ServiceNaming) -> Result<Self, CommandError> {
        let (service, user) = naming
            .service(&args.name)
            .map_err(|error| CommandError::usage(error).now("nothing was changed").next("give it another name"))?;
        Ok(Self { service, user, path: args.path.clone().unwrap_or_else(|| naming.path.clone()) })
    }
}

/// The places that were named, or those that `akia.toml` declares for the service.
fn places_of(
    context: &Context,
    files: &AwsFiles,
    args: &CreateArgs,
    named: &Named,
    services: &[ServiceSettings],
) -> Result<Vec<Place>, CommandError> {
    let defaults = PlaceDefaults { profile: context.profile()?.name().clone(), region: context.aws_options()?.region };
    let resolve = |places: &[ServicePlace]| {
        let resolved = |place: &ServicePlace| resolved(files, place.clone(), &defaults).map_err(CommandError::usage);
        places.iter().map(resolved).collect::<Result<Vec<Place>, _>>()
    };
    if args.deliver_to.is_empty() && !args.no_key {
        let user = &named.user;
        return match services.iter().find(|service| service.user == *user) {
            Some(service) => resolve(&service.places),
            None => Err(CommandError::usage(format_args!("nobody has said where the key of {user} goes"))
                .now("nothing was changed")
                .next("add --deliver-to profile:NAME, or another place")
                .next(format!("or declare its places as [service.{}] in akia.toml: docs/places.md", named.service))
                .next("or add --no-key (to make no key)")),
        };
    }
    let mut declared = Vec::new();
    for service in services {
        declared.extend(resolve(&service.places)?);
    }
    let mut list: Vec<Place> = Vec::new();
    for word in &args.deliver_to {
        let place = word.place(context, files, &declared)?;
        if !list.contains(&place) {
            list.push(place);
        }
    }
    Ok(list)
}

fn wish(args: &CreateArgs, named: &Named, policy: &PolicyDocument, whose: &Whose) -> Result<ServiceWish, CommandError> {
    let sources =
        Sources { addresses: args.source_ip.clone(), vpcs: args.source_vpc.clone(), via_services: args.via_services };
    if args.via_services && sources.is_anywhere() {
        return Err(CommandError::usage("--via-services says something only beside --source-ip or --source-vpc"));
    }
    let document = narrow(policy, &sources).map_err(|error| {
        CommandError::usage(&error)
            .now("nothing was changed")
            .next("leave out --source-ip, or the condition of the policy")
    })?;
    check_size(&document).map_err(|error| {
        CommandError::usage(error)
            .now("nothing was changed")
            .next("fewer statements, or patterns instead of long lists")
    })?;
    let tag = |name: &str, value: String| (name.to_owned(), value);
    let mut tags = BTreeMap::from([tag("owner", args.owner.to_string()), tag("service", named.service.to_string())]);
    tags.extend(args.purpose.iter().map(|purpose| tag("purpose", purpose.to_string())));
    // A name of a session may hold what no tag does.
    let by: akia_core::service::TagValue =
        whose.caller.arn.parse().or_else(|_| "akia".parse()).map_err(CommandError::failed)?;
    Ok(ServiceWish {
        user: named.user.clone(),
        path: named.path.clone(),
        document,
        tags,
        created_by: tag("created-by", by.to_string()),
        boundary: args.permissions_boundary.clone(),
    })
}

fn partition(whose: &Whose) -> Partition {
    whose.caller.partition().unwrap_or(Partition::Aws)
}

/// Refuses a policy that gives what no service user should have, unless that is meant.
fn judged(args: &CreateArgs, named: &Named, policy: &PolicyDocument, whose: &Whose) -> Result<Review, CommandError> {
    let user = UserArn {
        partition: partition(whose),
        account: whose.account.clone(),
        path: named.path.to_string(),
        name: named.user.clone(),
    };
    let mut review = review(policy, &user);
    let is_meant = |risk| args.despite.iter().any(|one| one.risk() == risk);
    if let Some((risk, what)) = review.risks.iter().find(|(risk, _)| !is_meant(*risk)) {
        let flag = match risk {
            akia_core::service::Risk::Everything => "everything",
            akia_core::service::Risk::IamWrites => "iam-writes",
        };
        return Err(CommandError::decision(format_args!("the policy gives too much: {what}"))
            .now("nothing was changed")
            .next("name the actions and resources that the service needs")
            .next(format!("--despite {flag} (if that is meant)")));
    }
    let meant: Vec<String> = review.risks.iter().map(|(_, what)| what.clone()).collect();
    review.warnings.splice(0..0, meant);
    let is_root = matches!(whose.caller.kind(), IdentityKind::Root { .. });
    if is_root {
        review.warnings.push("the root user signs; make a user or role for this, and put the root key away".to_owned());
    }
    Ok(review)
}

/// What is made, and with what.
struct Job<'a> {
    context: &'a Context,
    signed: &'a Signed,
    whose: &'a Whose,
    wish: &'a ServiceWish,
    changes: &'a [Change],
    files: &'a AwsFiles,
}

impl Job<'_> {
    async fn make(&self, shown: &Shown<'_>, places: &Places) -> Result<Exit, CommandError> {
        let (context, caller, wish) = (self.context, &self.signed.caller, self.wish);
        // Listens from here on: whoever asks this process to end has to wait until what is begun is whole, or taken back.
        let mut ending = drive::ending().await;
        let told = |change: &Change| context.say(&done_words(change, wish));
        if let Err(failed) = apply(caller, wish, self.changes, &told).await {
            let mut what = format!("{} was not made: {}", wish.user, failed.error);
            if failed.is_lost {
                what.push_str(" (whether AWS did it is not known; it may still show within a minute)");
            }
            let hints = failed.error.hints();
            let error = hints.into_iter().fold(CommandError::failed(what), CommandError::next);
            return Err(self.take_back(&failed.done, error).await);
        }
        match read_back(caller, wish).await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                let names: Vec<String> = left.iter().map(|change| done_words(change, wish)).collect();
                let error =
                    CommandError::failed(format_args!("AWS does not show all of it: not \"{}\"", names.join("\", \"")));
                return Err(self.take_back(self.changes, error).await);
            }
            Err(error) => {
                let error = signing::refused("what was made cannot be read back", &error);
                return Err(self.take_back(self.changes, error).await);
            }
        }
        let is_ending = tokio::select! {
            biased;
            true = &mut ending => true,
            () = std::future::ready(()) => false,
        };
        if is_ending && shown.key.changes() {
            return Err(CommandError::new(Exit::Interrupted, "interrupted before the key")
                .now(format!("user and group {} are whole, and there is nothing to resume; no key was made", wish.user))
                .next("run the same command again"));
        }
        match shown.key {
            KeyPlan::Unasked | KeyPlan::Complete(_) => {
                context.print_done(&shown.report(None, "made"))?;
                Ok(Exit::Done)
            }
            KeyPlan::Copy { pair, to } => {
                let delivered = delivery::deliver(places, to, pair).await;
                if let Some((place, error)) = delivered.failed.first() {
                    return Err(CommandError::new(Exit::Partly, error)
                        .now(format!("{place} lacks the key {}; the rest is as asked for", pair.id))
                        .next(error.hint())
                        .next("run the same command again"));
                }
                context.print_done(&shown.report(None, "made"))?;
                self.say_next(shown.places);
                Ok(Exit::Done)
            }
            KeyPlan::Create => self.key(shown, places, ending).await,
        }
    }

    /// Makes the key, brings it to its places, and proves it.
    async fn key(
        &self,
        shown: &Shown<'_>,
        places: &Places,
        ending: std::pin::Pin<Box<dyn Future<Output = bool> + Send>>,
    ) -> Result<Exit, CommandError> {
        let (context, whose, user) = (self.context, self.whose, &self.wish.user);
        let owner = Owner { user: user.clone(), account: whose.account.clone() };
        let made = async {
            let before = create::room(context, self.signed, whose).await?;
            create::mint(context, "service-create", self.signed, &owner, whose, &before).await
        };
        let pair = match made.await {
            Ok(pair) => pair,
            // Nothing was made for sure: then all of it goes.
            Err(error) if error.exit == Exit::Failed => return Err(self.take_back(self.changes, error).await),
            Err(error) => {
                let now = format!("{}; user and group {user} stay as they are", error.now.clone().unwrap_or_default());
                return Err(error.now(now));
            }
        };
        context.say(&format!("created {}", pair.id));
        let delivered = delivery::deliver(places, shown.places, &pair).await;
        for place in &delivered.written {
            context.say(&format!("written to {place}, and read back"));
        }
        if let Some((_, error)) = delivered.failed.first() {
            let failed = CommandError::new(Exit::Failed, error).next(error.hint());
            if delivered.written.is_empty() {
                return Err(self.delete_key(&pair, failed).await);
            }
            let lacking: Vec<String> = delivered.failed.iter().map(|(place, _)| place.to_string()).collect();
            context.print_done(&shown.report(Some(&pair.id), "partly made"))?;
            return Err(CommandError { exit: Exit::Partly, ..failed }
                .now(format!("the key {} is active and in its other places; lacking: {}", pair.id, lacking.join(", ")))
                .next("run the same command again: it brings the same key to the rest"));
        }
        let aws = workbench::aws(context)?;
        let proof = tokio::select! {
            biased;
            true = ending => {
                context.print_done(&shown.report(Some(&pair.id), "made"))?;
                return Err(CommandError::new(Exit::Interrupted, "interrupted before the new key was proven")
                    .now(format!("{user} is whole, and its key {} is in every place; there is nothing to resume", pair.id))
                    .next(format!("akia key last-used {} (once the service has it)", pair.id)));
            }
            proof = proof::identity(context, &aws, &pair, self.signed.caller.target(), Age::New) => proof,
        };
        context.print_done(&shown.report(Some(&pair.id), "made"))?;
        if let Err(error) = proof {
            // A policy that holds only from elsewhere does not keep GetCallerIdentity from answering.
            return Err(CommandError::new(Exit::Partly, format_args!("the new key is not known to AWS yet: {error}"))
                .now(format!("{user} is whole, and its key {} is in every place", pair.id))
                .next("wait a minute, then: akia status"));
        }
        self.say_next(shown.places);
        Ok(Exit::Done)
    }

    /// A key whose secret is nowhere is of no use to anybody.
    async fn delete_key(&self, pair: &KeyPair, failed: CommandError) -> CommandError {
        let user = &self.wish.user;
        match self.signed.caller.delete_new_access_key(user, &pair.id).await {
            Ok(()) => {
                self.context.say(&format!("taken back: the key {} is deleted", pair.id));
                self.take_back(self.changes, failed).await
            }
            Err(error) => CommandError { exit: Exit::Partly, ..failed }
                .now(format!(
                    "the key {} of {user} is active, its secret is lost, and it could not be deleted ({error})",
                    pair.id
                ))
                .next(deletion(&pair.id, self.whose)),
        }
    }

    /// Takes back what this run has made, and says so.
    async fn take_back(&self, done: &[Change], failed: CommandError) -> CommandError {
        if done.is_empty() {
            return failed;
        }
        let mut left = Vec::new();
        for one in undo(&self.signed.caller, self.wish, done).await {
            match one.error {
                None => self.context.say(&format!("taken back: {}", undone_words(&one.change, self.wish))),
                Some(error) => left.push(format!("not taken back ({}): {error}", done_words(&one.change, self.wish))),
            }
        }
        if left.is_empty() {
            return failed.now("what this run had made is taken back; nothing is left of it");
        }
        let name = &self.wish.user;
        CommandError { exit: Exit::Partly, ..failed }
            .now(left.join("; "))
            .next("run the same command again: it completes what is there")
            .next(format!(
                "or take it away: aws iam get-user --user-name {name}; aws iam get-group --group-name {name}"
            ))
    }

    /// How the key comes to use, where that is not plain.
    fn say_next(&self, places: &[Place]) {
        for place in places {
            match place {
                Place::Profile { profile, .. } => {
                    let profile = akia_core::cheatsheet::quote(profile.as_str());
                    self.context.say(&format!("use it: aws sts get-caller-identity --profile {profile}"));
                }
                Place::Keychain { profile } => {
                    let points_there = self.files.profiles().find(profile).is_some();
                    let program = Environment::program().ok().and_then(|path| path.to_str().map(str::to_owned));
                    if let (false, Some(program)) = (points_there, program) {
                        let command = keychain_command(&program, profile);
                        let command = akia_core::cheatsheet::quote(&command);
                        let profile = akia_core::cheatsheet::quote(profile.as_str());
                        self.context.say(&format!(
                            "use it: aws configure set credential_process {command} --profile {profile}"
                        ));
                    }
                }
                // Whoever declared it knows how it is read.
                Place::Declared(_) => {}
            }
        }
    }
}

fn deletion(key: &AccessKeyId, whose: &Whose) -> String {
    let flag = whose.flag();
    format!("akia key deactivate {key}{flag}, then akia key delete {key}{flag}")
}
