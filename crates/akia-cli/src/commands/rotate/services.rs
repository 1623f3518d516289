//! The keys of services, as `akia.toml` declares them.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::finding::{Owner, OwnerSource};
use akia_core::journal::Event;
use akia_core::notice::{Next, NoticeItem, NoticeKind, digests};
use akia_core::rotation::{Decision, Rest, Rotation};
use akia_core::settings::{ServiceSettings, Settings};
use akia_core::text::visible;
use akia_core::{KeyStatus, ServiceName};
use akia_io::rotate::{Draw, Options, Prepared, ServiceRequest};

use jiff::Timestamp;

use super::{RotateArgs, options};
use crate::context::Context;
use crate::drive::{Ended, Quiet, used_by};
use crate::error::CommandError;
use crate::notices::Post;
use crate::rotations::{self, Known, Locks};
use crate::workbench::Workbench;

/// Plans for services that were asked for, and earlier rotations of theirs that go on first: a key that was watched for long enough,
/// one that is out of its grace, a run that was interrupted.
pub(super) async fn prepare(
    context: &Context,
    args: &RotateArgs,
    bench: &Workbench,
    draw: &Draw,
) -> Result<(Prepared, Vec<Rotation>, Settings), CommandError> {
    let settings = args.config.load(context)?.settings;
    let chosen = chosen(args, &settings)?;
    let names: BTreeSet<&ServiceName> = chosen.iter().map(|service| &service.name).collect();
    let now = context.started_at;
    let known = Known::of_bench(bench).await?;
    let goes_on = |rotation: &Rotation| {
        let service = rotation.plan().service.as_ref();
        service.is_some_and(|name| names.contains(name))
            && (rotation.is_to_be_resumed(now) || rotation.is_out_of_grace(now))
    };
    let carried = known.choose(context, goes_on);
    crate::endpoints::check_rotations(&bench.driver, &carried)?;
    let busy: BTreeSet<&ServiceName> = carried.iter().filter_map(|rotation| rotation.plan().service.as_ref()).collect();
    let mut requests = Vec::new();
    for service in chosen.iter().filter(|service| !busy.contains(&service.name)) {
        requests.push(request(context, args, service)?);
    }
    let prepared = bench.driver.prepare_services(&bench.files, requests, draw).await;
    Ok((prepared, carried, settings))
}

/// Takes an earlier rotation up, under its lock.
pub(super) async fn take_up(
    bench: &Workbench,
    locks: &mut Locks,
    earlier: &Rotation,
) -> Result<Rotation, CommandError> {
    let mut rotation = locks.lock(bench, earlier).await?;
    bench.driver.record(&mut rotation, Event::Resumed, None, &Quiet).await.map_err(rotations::stopped)?;
    Ok(rotation)
}

/// Tells the owners of services that somebody still uses the old key, and who. Once for each rotation: a notice of the same matter
/// has the same id.
pub(super) async fn tell_owners(context: &Context, settings: &Settings, ended: &[Ended]) -> Result<(), CommandError> {
    let items: Vec<_> = ended.iter().filter_map(|one| item(settings, one)).collect();
    if items.is_empty() {
        return Ok(());
    }
    let addressed = digests(NoticeKind::StillUsed, Timestamp::now(), items, &settings.notify);
    if addressed.iter().all(|one| one.to.is_empty()) {
        context
            .say("note: nobody is told, for [notify] in akia.toml has no channel for notices of the kind still-used");
        return Ok(());
    }
    let post = Post::open(context, &settings.notify).await?;
    for one in addressed.into_iter().filter(|one| !one.to.is_empty()) {
        let whose = one.notice.owner.as_ref().map_or("the owner", |owner| owner.name.as_str());
        match post.deliver(&one).await {
            Ok(_) => context.say(&format!("told {} who still uses the old key", visible(whose))),
            Err(why) => context.say(&format!("note: {} could not be told: {}", visible(whose), visible(&why))),
        }
    }
    Ok(())
}

/// What the owner of a service is told, where somebody still uses its old key.
fn item(settings: &Settings, one: &Ended) -> Option<(Option<Owner>, NoticeItem)> {
    let plan = one.rotation.plan();
    let service = settings.services.iter().find(|service| Some(&service.name) == plan.service.as_ref())?;
    let Ok(Rest::Undecided { decision: Decision::StillUsed { last_used } }) = &one.outcome else { return None };
    let owner = service.owner.clone().map(|name| Owner { name, source: OwnerSource::Settings });
    let item = NoticeItem {
        case: plan.id.to_string(),
        account: plan.identity.account().clone(),
        account_name: None,
        units: Vec::new(),
        tags: BTreeMap::new(),
        user: plan.identity.arn.clone(),
        key: plan.displaced.clone(),
        status: KeyStatus::Active,
        created_at: plan.displaced_created_at,
        last_used: last_used.clone(),
        rules: Vec::new(),
        deadline: None,
        next: Next::Nothing,
        used_by: used_by(one),
        command: Some(["akia", "resume", plan.id.as_str()].map(str::to_owned).to_vec()),
    };
    Some((owner, item))
}

fn chosen<'a>(args: &RotateArgs, settings: &'a Settings) -> Result<Vec<&'a ServiceSettings>, CommandError> {
    let services = &settings.services;
    if services.is_empty() {
        return Err(CommandError::usage("akia.toml declares no service")
            .now("nothing was changed")
            .next("akia service create NAME")
            .next("or write [service.NAME] into akia.toml: docs/settings.md"));
    }
    if args.all_services {
        return Ok(services.iter().collect());
    }
    let mut chosen = Vec::new();
    for name in &args.services {
        let bare = settings.naming.service(name).map(|(service, _)| service);
        let Some(service) = services.iter().find(|service| Ok(&service.name) == bare.as_ref()) else {
            let known: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
            return Err(CommandError::usage(format_args!("akia.toml declares no service \"{name}\""))
                .now("nothing was changed")
                .next(format!("name one of them: {}", known.join(", "))));
        };
        if chosen.iter().all(|other: &&ServiceSettings| other.name != service.name) {
            chosen.push(service);
        }
    }
    if args.key.is_some() && chosen.len() > 1 {
        return Err(CommandError::usage("--key names the key of one service").now("nothing was changed"));
    }
    Ok(chosen)
}

fn request(context: &Context, args: &RotateArgs, service: &ServiceSettings) -> Result<ServiceRequest, CommandError> {
    let mut options: Options = options(context, args)?;
    options.grace = args.grace.unwrap_or(service.grace);
    options.retirement = args.retire.map_or(service.retirement, Into::into);
    // Whoever names a service wants a new key now; a run over all of them looks which are due.
    options.older_than = match args.older_than {
        Some(age) => Some(age),
        None if args.all_services => service.due_at_age(),
        None => None,
    };
    let watch = args.quiet_for.unwrap_or(service.quiet_for);
    options.pace.quiet = watch;
    let signer = match &service.profile {
        Some(profile) => profile.clone(),
        None => context.profile()?.name().clone(),
    };
    Ok(ServiceRequest {
        name: service.name.clone(),
        user: service.user.clone(),
        signer,
        places: service.places.clone(),
        key: args.key.clone(),
        probe: service.probe.clone(),
        watch,
        options,
    })
}
