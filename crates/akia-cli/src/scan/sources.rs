//! What a scan looks at: each thing that was asked for goes to the source that reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use akia_core::leak::{Detector, Hidden, Ignores, Options, Pairs, Place, ScanReport, Why};
use akia_io::aws::instance_id;
use akia_scan::git::{self, GitError, Repository};
use akia_scan::{Ledger, Limits, Scan, container, folder, image, machine, stream};

use super::account::{self, OfAccount};
use super::clone;
use crate::commands::on_runtime;
use crate::context::Context;
use crate::error::CommandError;

/// What was asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) paths: Vec<OsString>,
    pub(crate) staged: bool,
    pub(crate) since: Option<&'a str>,
    /// Whether files are looked at.
    pub(crate) files: bool,
    /// Whether histories are looked at.
    pub(crate) history: bool,
    pub(crate) images: &'a [PathBuf],
    pub(crate) containers: &'a [PathBuf],
    pub(crate) on_this_machine: bool,
    pub(crate) of_account: OfAccount<'a>,
    pub(crate) loose: bool,
    pub(crate) heed_ignores: bool,
    pub(crate) limits: Limits,
}

impl Wanted<'_> {
    /// How far back histories are looked at.
    fn of_history(&self) -> git::Options {
        git::Options { since: self.since.map(str::to_owned) }
    }
}

/// Looks at everything that was asked for.
///
/// # Errors
/// When a thing that was named is not there, or is no repository. What cannot be read within it is told in the coverage.
pub(crate) fn scan(
    context: &Context,
    wanted: &Wanted<'_>,
    ignores: &mut Ignores,
) -> Result<(ScanReport, Pairs), CommandError> {
    let scan = Scan {
        detector: Detector::new(Options { loose: wanted.loose }),
        limits: wanted.limits.clone(),
        ledger: Ledger::default(),
    };
    let mut sources = Vec::new();
    if wanted.staged {
        let here = Path::new(".");
        heed(wanted, here, ignores);
        let index = context.environment.raw("GIT_INDEX_FILE").map(Path::new);
        Repository::open(here).and_then(|repository| repository.scan_staged(&scan, index)).map_err(unread)?;
        sources.push("staged".to_owned());
    }
    for word in &wanted.paths {
        sources.push(one(context, &scan, wanted, word, ignores)?);
    }
    for (paths, source) in [(wanted.images, image::scan as fn(&Scan, &Path)), (wanted.containers, container::scan)] {
        for path in paths {
            found(path)?;
            source(&scan, path);
            sources.push(path.display().to_string());
        }
    }
    if wanted.of_account.is_wanted() {
        sources.extend(on_runtime(account::read(context, &scan, wanted.of_account))?);
    }
    if !wanted.on_this_machine {
        return Ok(scan.ledger.into_report_with_pairs(sources));
    }
    let instance = this_machine(context, &scan)?;
    sources.push("/".to_owned());
    let (mut report, pairs) = scan.ledger.into_report_with_pairs(sources);
    if let Some(instance) = instance {
        context.say(&format!(
            "this machine is {instance}, an EC2 instance: whoever gets onto it has the keys that are here; no personal key belongs on it, \
             an instance role does the same (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html)"
        ));
    } else if wanted.heed_ignores {
        // Its own, not those of repositories and archives that were looked at, too.
        let is_own = |place: &Place| place.source == "/" && place.git.is_none() && !place.path.contains('!');
        report.hide(Hidden::Profile, |place| is_own(place) && machine::is_aws_file(place));
    }
    Ok((report, pairs))
}

/// What this machine holds; says which EC2 instance it is, if it is one.
fn this_machine(context: &Context, scan: &Scan) -> Result<Option<String>, CommandError> {
    let home = context.environment.text("HOME")?.map(|home| PathBuf::from(home.trim_start_matches('/')));
    machine::scan(scan, &machine::Machine { root: PathBuf::from("/"), homes: home.into_iter().collect() });
    let lookup = |name: &str| context.environment.raw(name).and_then(std::ffi::OsStr::to_str).map(str::to_owned);
    on_runtime(async { Ok(instance_id(&lookup).await) })
}

/// One path, URL or stdin; says how it is called.
fn one(
    context: &Context,
    scan: &Scan,
    wanted: &Wanted<'_>,
    word: &OsString,
    ignores: &mut Ignores,
) -> Result<String, CommandError> {
    if word == "-" {
        stream::scan(scan, "-", std::io::stdin().lock());
        return Ok("-".to_owned());
    }
    if let Some(url) = word.to_str().filter(|word| clone::is_url(word)) {
        let folder = clone::mirror(context, url)?;
        let repository = Repository::open(&folder.path().join("repository.git")).map_err(unread)?;
        let name = clone::shown(url);
        history(scan, wanted, repository.named(&name))?;
        return Ok(name);
    }
    let path = Path::new(word);
    let name = path.display().to_string();
    let metadata = found(path)?;
    if !metadata.is_dir() {
        // A bundle is a history in a file.
        if wanted.history && git::is_bundle(path) {
            history(scan, wanted, Repository::open(path).map_err(unread)?)?;
        } else {
            folder::scan(scan, path);
        }
        return Ok(name);
    }
    heed(wanted, path, ignores);
    let own = Repository::open(path);
    if !wanted.files {
        history(scan, wanted, own.map_err(unread)?)?;
        return Ok(name);
    }
    let within = folder::scan(scan, path).repositories;
    if wanted.history {
        let nested =
            within.iter().filter(|repository| *repository != &path.join(".git") && repository.as_path() != path);
        match own {
            Ok(repository) => history(scan, wanted, repository)?,
            // What is there and cannot be opened is not what is not there.
            Err(error)
                if std::fs::symlink_metadata(path.join(".git")).is_ok() || within.iter().any(|one| one == path) =>
            {
                scan.ledger.skip(path.join(".git").display().to_string(), Why::Unreadable, error.to_string());
            }
            Err(_) => {
                if let Some(whole) = enclosing(path) {
                    let (whole, part) = (whole.display(), path.display());
                    context.say(&format!(
                        "note: {part} is part of the repository {whole}; its history: akia scan {whole}"
                    ));
                }
            }
        }
        for path in nested {
            // One of many: a broken one does not end the look at the others.
            if let Err(error) =
                Repository::open(path).and_then(|repository| repository.scan(scan, &wanted.of_history()))
            {
                scan.ledger.skip(path.display().to_string(), Why::Unreadable, error.to_string());
            }
        }
    }
    Ok(name)
}

/// The working tree that a folder is part of.
fn enclosing(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().skip(1).find(|above| above.join(".git").exists()).map(Path::to_owned)
}

fn history(scan: &Scan, wanted: &Wanted<'_>, repository: Repository) -> Result<(), CommandError> {
    repository.scan(scan, &wanted.of_history()).map_err(unread)
}

fn found(path: &Path) -> Result<std::fs::Metadata, CommandError> {
    std::fs::metadata(path).map_err(|error| {
        CommandError::failed(format_args!("{} cannot be read: {error}", path.display()))
            .next("akia scan --help (what can be scanned)")
    })
}

fn heed(wanted: &Wanted<'_>, folder: &Path, ignores: &mut Ignores) {
    if wanted.heed_ignores
        && let Ok(text) = std::fs::read_to_string(folder.join(".gitleaksignore"))
    {
        ignores.add_gitleaksignore(&text);
    }
}

fn unread(error: GitError) -> CommandError {
    let not_there = matches!(error, GitError::NotARepository { .. });
    if not_there {
        CommandError::usage(error).next("akia scan PATH (the files of a folder)")
    } else {
        CommandError::failed(error)
    }
}
