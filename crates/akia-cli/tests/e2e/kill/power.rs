//! Power loss: a rotation of the real binary is recorded, and at each of its steps the power is cut. Whatever the disk
//! may hold then (see `disk`), the journal is whole, it tells everything that was acted upon, the new secret is kept
//! from the first use of the new key on, and each profile has the whole of one key.
//!
//! That the proof can fail is proven with it: with the syncs of one kind taken out of the recording, it finds the loss.

use super::disk::{Disk, Recording};
use super::story::{FILES, PROFILES, Scene, Verb, pair_in};
use super::tracer::{self, Step, Strike, When};
use crate::support::python;
use akia_core::AccessKeyId;
use akia_core::journal::{Event, Record};
use akia_io::keychain::NoKeychain;
use akia_io::seal::Sealer;
use akia_io::state::StateFolder;
use akia_io::store::SqlStore;
use akia_io::store::{Store, Threads};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many of the distinct disks the real binary looks at, evenly chosen. All are read with akia's own store.
const LOOKED_AT: usize = 60;

#[test]
fn a_rotation_survives_every_power_loss() {
    let recorded = Recorded::new();
    let losses = recorded.losses(&recorded.steps, true);
    println!(
        "power cut at each of {} steps: {} disks, {} distinct states of the journal, {} of the AWS files",
        recorded.steps.len(),
        losses.disks,
        losses.states,
        losses.files
    );
    assert!(losses.disks > 3_000 && losses.states > 300, "the recording is broken");
    assert!(losses.wrong.is_empty(), "{} wrong, the first:\n{}", losses.wrong.len(), losses.first());

    // The same recording, as if the program had not synced.
    let (state, aws) = (recorded.state.clone(), recorded.scene.home.path(".aws"));
    let database = state.join("journal.db");
    let rollback = state.join("journal.db-journal");
    let is_scratch = |path: &Path| path.parent() == Some(aws.as_path());
    type IsDropped<'a> = &'a dyn Fn(&Path) -> bool;
    let without: [(&str, IsDropped<'_>); 5] = [
        ("the state folder", &|path| path == state),
        ("the database", &|path| path == database),
        ("the rollback journal", &|path| path == rollback),
        ("the folder of the AWS files", &|path| path == aws),
        ("the new AWS file before its rename", &is_scratch),
    ];
    for (what, dropped) in without {
        let is_kept = |step: &&Step| !matches!(step, Step::Sync { path } if dropped(path));
        let steps: Vec<Step> = recorded.steps.iter().filter(is_kept).cloned().collect();
        assert!(steps.len() < recorded.steps.len(), "{what} is never synced");
        let losses = recorded.losses(&steps, false);
        println!("without the syncs of {what}: disk {} is wrong: {}", losses.disks, losses.first());
        assert!(!losses.wrong.is_empty(), "the syncs of {what} are not needed, or their loss is not seen");
    }
}

/// What `synchronous=FULL` would lack: SQLite syncs the folder once it has removed the rollback journal only with EXTRA.
/// Everything else is the same. Without that sync a power loss brings the rollback journal back, and with it the state
/// before the last commit: a record that was acted upon is gone from the journal.
#[test]
fn with_full_in_place_of_extra_the_journal_loses_its_last_record() {
    let recorded = Recorded::new();
    let without = without_syncs_after_removal(&recorded.steps, &recorded.state);
    let syncs = recorded.steps.len() - without.len();
    let commits = recorded.steps.iter().filter(|step| is_removal(step)).count();
    assert_eq!(syncs, commits, "each commit syncs the folder once the rollback journal is removed");
    let losses = recorded.losses(&without, false);
    println!("without the {syncs} syncs that EXTRA adds to FULL: disk {} is wrong: {}", losses.disks, losses.first());
    assert!(losses.first().contains("that were acted upon"), "a commit is lost, and nothing else: {}", losses.first());

    // That this is what FULL does, SQLite itself says: the same transactions, with both.
    let [full, extra] = ["FULL", "EXTRA"].map(|synchronous| {
        let scratch = scratch();
        let folder = fs::canonicalize(scratch.path()).unwrap();
        let code = format!(
            "import sqlite3\nc = sqlite3.connect('journal.db', isolation_level=None)\n\
             c.execute('pragma journal_mode=delete')\nc.execute('pragma synchronous={synchronous}')\n\
             c.execute('create table t(x)')\nfor x in range(3): c.execute('insert into t values (?)', (x,))"
        );
        let mut python = Command::new(python());
        python.args(["-I", "-B", "-c", &code]).env_clear().current_dir(&folder);
        let traced = tracer::run(&python, When::Point(usize::MAX), Strike::Record);
        assert_eq!(traced.code, Some(0), "{}", traced.stderr);
        (traced.steps, folder)
    });
    let removals = |steps: &[Step]| steps.iter().filter(|step| is_removal(step)).count();
    let syncs = |(steps, folder): &(Vec<Step>, PathBuf)| steps.len() - without_syncs_after_removal(steps, folder).len();
    assert_eq!((removals(&full.0), syncs(&full)), (4, 0));
    assert_eq!((removals(&extra.0), syncs(&extra)), (4, 4));
    let kinds = |steps: &[Step]| steps.iter().map(std::mem::discriminant).collect::<Vec<_>>();
    let rest = without_syncs_after_removal(&extra.0, &extra.1);
    assert_eq!(kinds(&full.0), kinds(&rest), "they differ in nothing else");
}

fn is_removal(step: &Step) -> bool {
    matches!(step, Step::Unlink { path } if path.ends_with("journal.db-journal"))
}

/// The steps without those syncs of a folder that follow at once upon the removal of the rollback journal in it.
fn without_syncs_after_removal(steps: &[Step], folder: &Path) -> Vec<Step> {
    let before = std::iter::once(None).chain(steps.iter().map(Some));
    let is_kept = |(before, step): &(Option<&Step>, &Step)| {
        !(before.is_some_and(is_removal) && matches!(step, Step::Sync { path } if path == folder))
    };
    before.zip(steps).filter(is_kept).map(|(_, step)| step.clone()).collect()
}

/// The rename of the last delivery happened, and its folder was not synced yet. A resume finds the new key in the file and
/// has nothing to write: it took the delivery for done, and shut the old key, which a power loss would have brought back.
#[test]
fn a_delivery_that_was_never_synced_is_synced_before_the_old_key_is_shut() {
    let watched = Scene::new(Verb::Rotate);
    let traced = tracer::run(&watched.home.command(&["rotate", "--yes"]), When::Point(usize::MAX), Strike::Watch);
    let rename = traced.points.iter().rposition(|point| point.call == "rename").expect("a delivery");
    let on_aws = traced.points[..=rename].iter().filter(|point| point.target.contains("/.aws")).count();
    let scene = Scene::new(Verb::Rotate);
    let killed = tracer::run(&scene.home.command(&["rotate", "--yes"]), When::NthOn("/.aws", on_aws + 1), Strike::Kill);
    assert_eq!(killed.struck.map(|point| point.call), Some("fsync"));
    let resumed = tracer::run(&scene.home.command(&["resume", "--yes"]), When::Point(usize::MAX), Strike::Record);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    let folder = scene.home.path(".aws");
    let synced = resumed.steps.iter().position(|step| matches!(step, Step::Sync { path } if *path == folder));
    let shut = resumed.steps.iter().rposition(|step| is_deactivation(step, &scene.old.id)).expect("a deactivation");
    assert!(synced.is_some_and(|synced| synced < shut), "synced at {synced:?}, shut at {shut}");
}

fn is_deactivation(step: &Step, key: &str) -> bool {
    let Step::Send { bytes } = step else { return false };
    let text = String::from_utf8_lossy(bytes);
    ["Action=UpdateAccessKey", "Status=Inactive", key].iter().all(|part| text.contains(part))
}

/// The files of a state folder, by name.
type StateFiles = Vec<(String, Vec<u8>)>;

/// A rotation that was recorded, and where it ended.
struct Recorded {
    scene: Scene,
    state: PathBuf,
    before: Vec<(PathBuf, Vec<u8>)>,
    steps: Vec<Step>,
    new: (String, String),
    runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Losses {
    disks: usize,
    states: usize,
    files: usize,
    wrong: Vec<String>,
}

impl Losses {
    fn first(&self) -> String {
        self.wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n")
    }
}

/// What a state folder says when it is opened.
#[derive(Clone, Debug)]
struct Said {
    /// How many records the journal has.
    records: usize,
    /// How many it needs to have told of the new key.
    created: Option<usize>,
    /// Whether the staged secret of the new key opens.
    secret: Option<String>,
}

impl Recorded {
    fn new() -> Self {
        let scene = Scene::new(Verb::Rotate);
        let before = FILES.map(|file| (scene.home.path(file), scene.home.read(file).into_bytes())).to_vec();
        let traced = tracer::run(&scene.home.command(&["rotate", "--yes"]), When::Point(usize::MAX), Strike::Record);
        assert_eq!(traced.code, Some(0), "{}\n{}", traced.stdout, traced.stderr);
        let new = pair_in(&scene.home.read(FILES[0]), PROFILES[0]);
        assert_ne!(new.0, scene.old.id);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { state: scene.home.path("state"), scene, before, steps: traced.steps, new, runtime }
    }

    /// Cuts the power at each step. In all of them, or up to the first disk that is wrong.
    fn losses(&self, steps: &[Step], all: bool) -> Losses {
        let recording = Recording::new(&self.before, steps);
        let mut losses = Losses::default();
        let mut said: BTreeMap<StateFiles, Result<Said, String>> = BTreeMap::new();
        let mut files: BTreeSet<Vec<Vec<u8>>> = BTreeSet::new();
        let (mut records, mut secret_needed, mut retired) = (0, false, false);
        let mut images = Vec::new();
        let last_deactivation = steps.iter().rposition(|step| is_deactivation(step, &self.scene.old.id));
        assert!(last_deactivation.is_some(), "the old key was deactivated");
        for at in 0..=steps.len() {
            // What somebody outside has seen of the step before must be told by every disk from now on.
            if let Some(step) = at.checked_sub(1).map(|last| &steps[last])
                && self.is_seen_outside(step)
            {
                let whole = recording.whole(at - 1);
                let state = self.state_in(&whole);
                if let Ok(now) = said.entry(state.clone()).or_insert_with(|| self.open(&state)) {
                    records = now.records.max(records);
                    secret_needed |= now.created.is_some();
                }
                retired |= last_deactivation.is_some_and(|last| at > last);
            }
            for disk in recording.after_power_loss(at) {
                losses.disks += 1;
                let state = self.state_in(&disk);
                let is_new = !said.contains_key(&state);
                let opened = said.entry(state.clone()).or_insert_with(|| self.open(&state)).clone();
                let held: Vec<Vec<u8>> =
                    self.before.iter().map(|(path, _)| disk.bytes(path).unwrap_or_default().to_vec()).collect();
                files.insert(held.clone());
                if is_new && opened.is_ok() {
                    images.push(disk.clone());
                }
                let wrong = self.wrong(opened, &held, records, secret_needed, retired);
                losses.wrong.extend(wrong.map(|what| format!("at step {at}: {what}")));
                if !all && !losses.wrong.is_empty() {
                    return losses;
                }
            }
        }
        losses.states = said.len();
        losses.files = files.len();
        if all {
            for disk in images.iter().step_by(images.len().div_ceil(LOOKED_AT).max(1)) {
                losses.wrong.extend(self.look(disk).err());
            }
        }
        losses
    }

    fn wrong(
        &self,
        opened: Result<Said, String>,
        held: &[Vec<u8>],
        records: usize,
        secret_needed: bool,
        retired: bool,
    ) -> Option<String> {
        let said = match opened {
            Ok(said) => said,
            Err(error) => return Some(format!("the journal does not open: {error}")),
        };
        if said.records < records {
            return Some(format!("the journal tells {} records of {records} that were acted upon", said.records));
        }
        if secret_needed && said.secret.as_ref() != Some(&self.new.1) {
            return Some("the new key was used, and its secret is not kept".to_owned());
        }
        let old = (self.scene.old.id.clone(), self.scene.old.secret.clone());
        for ((path, before), now) in self.before.iter().zip(held) {
            let text = String::from_utf8_lossy(now).into_owned();
            let before = String::from_utf8_lossy(before);
            let swapped = before.replace(&old.0, &self.new.0).replace(&old.1, &self.new.1);
            if text != before && text != swapped {
                return Some(format!("{} is neither as before nor as after:\n{text}", path.display()));
            }
            if retired && text != swapped {
                return Some(format!("the old key is deactivated, and {} still holds it", path.display()));
            }
        }
        None
    }

    /// Whether AWS or another program has seen it: a request, or the new file under its name.
    fn is_seen_outside(&self, step: &Step) -> bool {
        match step {
            Step::Send { .. } => true,
            Step::Rename { to, .. } => self.before.iter().any(|(path, _)| path == to),
            Step::Open { .. }
            | Step::Write { .. }
            | Step::Truncate { .. }
            | Step::Unlink { .. }
            | Step::MakeFolder { .. }
            | Step::Sync { .. } => false,
        }
    }

    /// The files of the state folder; locks are of no use after a power loss.
    fn state_in(&self, disk: &Disk) -> StateFiles {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        disk.folder(&self.state).into_iter().map(|(path, bytes)| (name(path), bytes.to_vec())).collect()
    }

    /// Opens the state folder as akia does at its next start.
    fn open(&self, files: &StateFiles) -> Result<Said, String> {
        let folder = scratch();
        lay_out(folder.path(), files);
        self.runtime.block_on(async {
            let state = StateFolder::open(folder.path()).map_err(|error| error.to_string())?;
            let store = SqlStore::open_existing(&state).await.map_err(|error| error.to_string())?;
            let Some(store) = store else { return Ok(Said { records: 0, created: None, secret: None }) };
            store.verify(Vec::new()).await.map_err(|error| error.to_string())?;
            let entries = store.entries(Threads::Rotations).await.map_err(|error| error.to_string())?;
            let mut said = Said { records: entries.len(), created: None, secret: None };
            let key: AccessKeyId = self.new.0.parse().unwrap();
            for (index, entry) in entries.iter().enumerate() {
                let record: Record = entry.parse().map_err(|error| error.to_string())?;
                if matches!(&record.event, Event::KeyCreated { key: created } if *created == key) {
                    said.created = Some(index + 1);
                }
            }
            if let Some(rotation) = entries.first().and_then(|entry| entry.thread.rotation())
                && let Some(sealed) = store.staged(rotation, &key).await.map_err(|error| error.to_string())?
            {
                let none = || Err(NoKeychain { reason: "none was used".to_owned(), hint: String::new() });
                let sealer = Sealer::open(&state, none).map_err(|error| error.to_string())?;
                let secret = sealer.open_sealed(&sealed, rotation, &key).map_err(|error| error.to_string())?;
                said.secret = Some(secret.expose().to_owned());
            }
            store.close().await;
            Ok(said)
        })
    }

    /// What a person sees who starts the machine again.
    fn look(&self, disk: &Disk) -> Result<(), String> {
        let folder = scratch();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        lay_out(&state, &self.state_in(disk));
        for arguments in [&["history", "verify"][..], &["status", "--offline"]] {
            let mut command = self.scene.home.command(arguments);
            command.env("AKIA_STATE_DIR", &state);
            for ((path, _), variable) in self.before.iter().zip(["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"]) {
                let copy = folder.path().join(path.file_name().unwrap());
                fs::write(&copy, disk.bytes(path).unwrap_or_default()).unwrap();
                command.env(variable, copy);
            }
            let output = command.output().unwrap();
            if output.status.code() != Some(0) {
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!("akia {}: {:?}: {error}", arguments.join(" "), output.status.code()));
            }
        }
        Ok(())
    }
}

/// In memory where there is such a folder: these disks are read once, and SQLite syncs what it repairs.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("akia-power-").tempdir_in(parent).unwrap()
}

fn lay_out(folder: &Path, files: &StateFiles) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
