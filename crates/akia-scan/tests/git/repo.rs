//! Repositories for tests.

use std::cell::Cell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use akia_core::leak::{Detector, Options as Detection, Place, ScanReport};
use akia_scan::git::{Options, Repository};
use akia_scan::{Ledger, Limits, Scan};
use tempfile::TempDir;

/// A repository in a folder of its own.
pub(crate) struct Repo {
    // Kept so that the folder lives.
    _home: Option<TempDir>,
    pub(crate) path: PathBuf,
    clock: Cell<u64>,
}

impl Repo {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With more arguments for `git init`.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let home = TempDir::new().unwrap();
        let path = home.path().join("r");
        std::fs::create_dir(&path).unwrap();
        let repo = Self { path, clock: Cell::new(1_700_000_000), _home: Some(home) };
        repo.git(&[&["init", "-q", "-b", "main"], arguments].concat());
        repo
    }

    /// A repository that is there already.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { _home: None, path, clock: Cell::new(1_700_500_000) }
    }

    /// A path beside the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap().join(name)
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, &[], b"")
    }

    /// With variables and an input.
    pub(crate) fn git_with(&self, arguments: &[&str], variables: &[(&str, &str)], input: &[u8]) -> String {
        let now = self.clock.get() + 60;
        self.clock.set(now);
        let date = format!("{now} +0000");
        let settings =
            ["gc.auto=0", "protocol.file.allow=always", "uploadpack.allowFilter=true", "core.logAllRefUpdates=true"];
        let mut child = Command::new("git")
            .current_dir(&self.path)
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .args(arguments)
            .envs([("GIT_AUTHOR_NAME", "Ann"), ("GIT_AUTHOR_EMAIL", "ann@example.com"), ("GIT_AUTHOR_DATE", &date)])
            .envs([
                ("GIT_COMMITTER_NAME", "Bob"),
                ("GIT_COMMITTER_EMAIL", "bob@example.com"),
                ("GIT_COMMITTER_DATE", &date),
            ])
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits everything and returns the commit.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A commit of one file with a key in it, in its third line.
    pub(crate) fn commit_key(&self, path: &str, id: &str) -> String {
        self.write(path, &file_with(id));
        self.commit("a key")
    }

    /// An object that nothing leads to.
    pub(crate) fn object(&self, kind: &str, bytes: &[u8]) -> String {
        self.git_with(&["hash-object", "-w", "-t", kind, "--literally", "--stdin"], &[], bytes)
    }

    /// Everything, and nothing may be left out.
    pub(crate) fn scan(&self) -> ScanReport {
        let report = scan(&self.path);
        assert!(report.coverage.is_complete(), "{:?}", report.coverage.skipped);
        report
    }

    /// The only place of a key.
    pub(crate) fn only(&self, id: &str) -> Place {
        only(&self.scan(), id)
    }

    pub(crate) fn git_file(&self, path: &str) -> PathBuf {
        self.path.join(".git").join(path)
    }
}

/// A file with a key in its third line.
pub(crate) fn file_with(id: &str) -> String {
    format!("# settings\n[default]\naws_access_key_id = {id}\nregion = eu-west-1\n")
}

/// An id that is nobody's, put together here so that no scanner finds it in this file.
pub(crate) fn id(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let tail: String = (0..16).map(|_| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[random.usize(0..32)])).collect();
    format!("AKIA{tail}")
}

pub(crate) fn scan(path: &Path) -> ScanReport {
    scan_with(path, &Options::default(), Limits { threads: 2, ..Limits::default() })
}

pub(crate) fn scan_with(path: &Path, options: &Options, limits: Limits) -> ScanReport {
    let scan = Scan { detector: Detector::new(Detection::default()), limits, ledger: Ledger::default() };
    Repository::open(path).unwrap().scan(&scan, options).unwrap();
    scan.ledger.into_report(vec![path.display().to_string()])
}

pub(crate) fn places(report: &ScanReport, id: &str) -> Vec<Place> {
    report
        .leaks
        .iter()
        .filter(|leak| leak.access_key_id.as_ref().is_some_and(|known| known.as_str() == id))
        .flat_map(|leak| leak.places.iter().map(|place| place.place.clone()))
        .collect()
}

pub(crate) fn only(report: &ScanReport, id: &str) -> Place {
    let mut places = places(report, id);
    assert_eq!(places.len(), 1, "{places:#?}\n{:?}", report.coverage.skipped);
    places.remove(0)
}
