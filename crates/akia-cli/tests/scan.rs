//! `akia scan` as it is typed: real repositories made by git, the real binary, its output, its exit codes.
#![expect(clippy::unwrap_used, reason = "a test whose ground cannot be laid has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with what the test puts there.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn repository() -> Self {
        let folder = Self::new();
        folder.git(&["init", "--quiet", "--initial-branch", "main"]);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn git(&self, words: &[&str]) -> String {
        let output = self.run(Command::new("git").args(words));
        assert!(output.status.success(), "git {words:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn akia(&self, words: &[&str]) -> Output {
        self.run(Command::new(env!("CARGO_BIN_EXE_akia")).args(words))
    }

    fn run(&self, command: &mut Command) -> Output {
        let home = self.0.path();
        command.current_dir(home).env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap());
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ann")
            .env("GIT_AUTHOR_EMAIL", "ann@example.com");
        command.env("GIT_COMMITTER_NAME", "Ann").env("GIT_COMMITTER_EMAIL", "ann@example.com");
        command.stdin(Stdio::null()).output().unwrap()
    }
}

/// A pair that no scanner takes this file for: put together here. `tail` makes it another one.
fn pair(tail: char) -> (String, String) {
    let id = format!("AKIA{}{}", "Y3FDOEXAMPLO2A", tail.to_string().repeat(2));
    let secret: String = "q7Rt/Zx9+bNm4Kc2Vw8LpYs6Gd3Hf5Jj1TaUe0o".chars().chain([tail]).collect();
    (id, secret)
}

fn credentials(tail: char) -> String {
    let (id, secret) = pair(tail);
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, stdout, stderr.
fn told(output: &Output) -> (i32, String, String) {
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {:?}", told(output)))
}

fn ids(report: &Value) -> Vec<&str> {
    report["leaks"].as_array().unwrap().iter().filter_map(|leak| leak["access_key_id"].as_str()).collect()
}

#[test]
fn a_folder_without_keys_is_clean_and_says_what_was_looked_at() {
    let folder = Folder::new();
    folder.write("notes.txt", "nothing here\n");
    let (code, stdout, stderr) = told(&folder.akia(&["scan"]));
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("looked at everything: ") && stderr.contains("no key was found"), "{stderr}");
}

#[test]
fn a_key_in_a_file_is_found_and_its_secret_is_not_shown() {
    let folder = Folder::new();
    folder.write("deep/down/.env", &credentials('X'));
    let (id, secret) = pair('X');
    for form in ["table", "json", "csv"] {
        let (code, stdout, stderr) = told(&folder.akia(&["scan", "--output", form]));
        assert_eq!(code, 4, "{stderr}");
        assert!(stdout.contains(&id) && stdout.contains("deep/down/.env"), "{stdout}");
        assert!(!stdout.contains(&secret[..12]) && !stderr.contains(&secret[..12]), "{stdout}{stderr}");
        assert!(
            stderr.contains("1 leaked key found, 1 with the secret")
                && stderr.contains(&format!("next: akia contain {id}")),
            "{stderr}"
        );
    }
    assert_eq!(told(&folder.akia(&["scan", "--exit-zero"])).0, 0);
}

#[test]
fn a_key_that_was_taken_out_is_found_in_the_history() {
    let folder = Folder::repository();
    folder.write("app.ini", &credentials('X'));
    let first = folder.commit("add");
    folder.write("app.ini", "[default]\n");
    folder.commit("take it out");
    let report = json(&folder.akia(&["scan", "--output", "json"]));
    assert_eq!(ids(&report), [pair('X').0]);
    let place = &report["leaks"][0]["places"][0];
    assert_eq!((place["path"].as_str(), place["line"].as_u64()), (Some("app.ini"), Some(2)), "{place}");
    assert_eq!(place["git"]["commit"], first.as_str());
    assert_eq!(place["git"]["author"], "Ann <ann@example.com>");
    assert_eq!(place["git"]["reach"], "refs");
    assert_eq!(told(&folder.akia(&["scan", "--only", "files"])).0, 0);
    std::fs::create_dir(folder.path("part")).unwrap();
    let (code, _, stderr) = told(&folder.akia(&["scan", "part"]));
    assert!(code == 0 && stderr.contains("note: part is part of the repository "), "{stderr}");
    let (code, _, stderr) = told(&folder.akia(&["scan", "--only", "history"]));
    assert_eq!(code, 4, "{stderr}");
}

#[test]
fn only_what_came_after_a_revision() {
    let folder = Folder::repository();
    folder.write("old.ini", &credentials('X'));
    folder.commit("old");
    assert_eq!(told(&folder.akia(&["scan", "--since", "main"])).0, 0);
    folder.git(&["switch", "--quiet", "--create", "topic"]);
    folder.write("new.ini", &credentials('Y'));
    folder.commit("new");
    let report = json(&folder.akia(&["scan", "--since", "main", "--output", "json"]));
    assert_eq!(ids(&report), [pair('Y').0]);
    let (code, _, stderr) = told(&folder.akia(&["scan", "--since", "no-such-branch"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("no-such-branch"), "{stderr}");
}

#[test]
fn the_hook_stops_a_commit_with_a_key_and_lets_others_pass() {
    let folder = Folder::repository();
    let (code, _, stderr) = told(&folder.akia(&["scan", "hook", "install"]));
    assert_eq!(code, 0, "{stderr}");
    folder.write("README", "hello\n");
    folder.commit("fine");
    folder.write("app.ini", &credentials('X')).git(&["add", "app.ini"]);
    let refused = folder.run(Command::new("git").args(["commit", "--message", "leak"]));
    assert!(!refused.status.success() && text(&refused.stderr).contains("1 leaked key found"), "{:?}", told(&refused));
    // git commit -a and git commit PATH stage into an index of their own, and only then run the hook.
    folder.git(&["rm", "--quiet", "--cached", "app.ini"]);
    folder.write("README", &credentials('Y'));
    for words in [&["commit", "-a", "-m", "leak"][..], &["commit", "-m", "leak", "README"]] {
        let refused = folder.run(Command::new("git").args(words));
        assert!(
            !refused.status.success() && text(&refused.stderr).contains("1 leaked key found"),
            "{:?}",
            told(&refused)
        );
    }
    folder.git(&["checkout", "--quiet", "README"]);
    folder.git(&["add", "app.ini"]);
    // What is in the working tree and not staged does not stop it.
    folder.git(&["rm", "--quiet", "--cached", "app.ini"]);
    folder.git(&["commit", "--quiet", "--allow-empty", "--message", "fine again"]);
    assert_eq!(told(&folder.akia(&["scan", "hook", "uninstall"])).0, 0);
    assert!(!folder.path(".git/hooks/pre-commit").exists());
}

#[test]
fn a_hook_of_somebody_else_is_left_alone() {
    let folder = Folder::repository();
    folder.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    for act in ["install", "uninstall"] {
        let (code, _, stderr) = told(&folder.akia(&["scan", "hook", act]));
        assert_eq!(code, 1, "{stderr}");
    }
    assert_eq!(std::fs::read_to_string(folder.path(".git/hooks/pre-commit")).unwrap(), "#!/bin/sh\nexit 0\n");
}

#[test]
fn a_baseline_knows_a_key_wherever_it_goes_and_no_other() {
    let folder = Folder::new();
    folder.write("a.ini", &credentials('X'));
    let known = folder.akia(&["scan", "--output", "json", "a.ini"]);
    folder.write("known.json", &text(&known.stdout));
    std::fs::create_dir(folder.path("files")).unwrap();
    folder.write("files/moved.ini", &format!("\n\n{}", credentials('X')));
    let (code, _, stderr) = told(&folder.akia(&["scan", "files", "--baseline", "known.json"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("not counted: 1 in the baseline"), "{stderr}");
    // The baseline may lie among the files: it holds the id, and not the secret.
    folder.write("files/known.json", &std::fs::read_to_string(folder.path("known.json")).unwrap());
    assert_eq!(told(&folder.akia(&["scan", "files", "--baseline", "known.json"])).0, 0);
    assert!(told(&folder.akia(&["scan", "files"])).2.contains("1 leaked key found, 1 with the secret"));
    folder.write("files/moved.ini", &credentials('Y'));
    let (code, _, stderr) = told(&folder.akia(&["scan", "files", "--baseline", "known.json"]));
    assert_eq!(code, 4, "{stderr}");
    folder.write("known.json", "{}");
    let (code, _, stderr) = told(&folder.akia(&["scan", "files", "--baseline", "known.json"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("known.json is no baseline"), "{stderr}");
}

#[test]
fn comments_and_gitleaks_files_are_heeded_and_counted() {
    let folder = Folder::new();
    let (id, _) = pair('X');
    folder.write("src/a.py", &format!("key = '{id}'  # gitleaks:allow\n"));
    let (code, _, stderr) = told(&folder.akia(&["scan"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("not counted: 1 hidden by comments or gitleaks' files"), "{stderr}");
    assert_eq!(told(&folder.akia(&["scan", "--no-ignore"])).0, 4);
    folder.write("src/a.py", &format!("key = '{id}'\n"));
    assert_eq!(told(&folder.akia(&["scan"])).0, 4);
    folder.write(".gitleaksignore", "src/a.py:aws-access-token:1\n");
    assert_eq!(told(&folder.akia(&["scan"])).0, 0);
    assert_eq!(told(&folder.akia(&["scan", "--no-ignore"])).0, 4);
}

#[test]
fn keys_of_documentation_do_not_count() {
    let folder = Folder::new();
    folder.write("README.md", "    aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n");
    let (code, stdout, stderr) = told(&folder.akia(&["scan"]));
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("not counted: 1 key of documentation (--all lists them)"), "{stderr}");
    let (_, stdout, _) = told(&folder.akia(&["scan", "--all"]));
    assert!(stdout.contains("AKIAIOSFODNN7EXAMPLE"), "{stdout}");
}

#[test]
fn what_is_not_looked_at_is_told_and_is_no_clean_scan() {
    let folder = Folder::new();
    folder.write("locked.7z", "7z\u{bc}\u{af}\u{27}\u{1c}\0\u{4}");
    std::fs::write(folder.path("locked.7z"), b"7z\xbc\xaf\x27\x1c\x00\x04rest of it").unwrap();
    let output = folder.akia(&["scan", "--output", "json"]);
    let (code, _, stderr) = told(&output);
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("NOT looked at: 1 thing") && stderr.contains("locked.7z"), "{stderr}");
    let report = json(&output);
    assert_eq!(report["coverage"]["skipped"][0]["why"], "unsupported", "{report}");
    folder.write("app.ini", &credentials('X'));
    assert_eq!(told(&folder.akia(&["scan"])).0, 4, "a key weighs more than a gap");
}

#[test]
fn a_repository_that_cannot_be_opened_is_told() {
    let folder = Folder::new();
    folder.write("sub/.git/HEAD", "ref: refs/heads/main\n");
    folder.write("app.ini", &credentials('X'));
    let output = folder.akia(&["scan", "--output", "json"]);
    assert_eq!(ids(&json(&output)), [pair('X').0], "what was found is not lost");
    assert_eq!(told(&folder.akia(&["scan", "sub"])).0, 7);
    folder.write(".git", "gitdir: /no/such/folder\n");
    std::fs::remove_file(folder.path("app.ini")).unwrap();
    let (code, _, stderr) = told(&folder.akia(&["scan"]));
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("NOT looked at: 2 things"), "{stderr}");
}

#[test]
fn a_bundle_is_a_history_and_within_something_it_is_told() {
    let folder = Folder::repository();
    folder.write("app.ini", &credentials('X'));
    folder.commit("add");
    folder.git(&["bundle", "create", "--quiet", "all.bundle", "--all"]);
    let report = json(&folder.akia(&["scan", "all.bundle", "--output", "json"]));
    assert_eq!(
        (ids(&report), report["coverage"]["skipped"].as_array().unwrap().len()),
        (vec![pair('X').0.as_str()], 0)
    );
    let elsewhere = Folder::new();
    std::fs::copy(folder.path("all.bundle"), elsewhere.path("all.bundle")).unwrap();
    let (code, _, stderr) = told(&elsewhere.akia(&["scan"]));
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("git bundle"), "{stderr}");
}

#[test]
fn stdin_and_archives() {
    let folder = Folder::new();
    folder.write("home/.aws/credentials", &credentials('X'));
    let packed = folder.run(Command::new("tar").args(["-czf", "backup.tar.gz", "home"]));
    assert!(packed.status.success());
    let (_, stdout, _) = told(&folder.akia(&["scan", "backup.tar.gz"]));
    assert!(stdout.contains("backup.tar.gz!home/.aws/credentials:2"), "{stdout}");
    let report = json(&folder.akia(&["scan", "backup.tar.gz", "--output", "json"]));
    assert_eq!(ids(&report), [pair('X').0]);
    assert_eq!(report["leaks"][0]["places"][0]["path"], "!home/.aws/credentials");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("'{}' scan - --output json < backup.tar.gz", env!("CARGO_BIN_EXE_akia"))]);
    let output = folder.run(&mut command);
    assert_eq!(ids(&json(&output)), [pair('X').0], "{:?}", told(&output));
}

#[test]
fn a_repository_elsewhere_is_fetched_and_goes_away() {
    let folder = Folder::repository();
    folder.write("app.ini", &credentials('X'));
    folder.commit("add");
    let url = format!("file://{}", folder.0.path().display());
    let elsewhere = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akia"));
    command.args(["scan", &url, "--output", "json"]).env("TMPDIR", elsewhere.0.path());
    let home = elsewhere.0.path();
    command.current_dir(home).env("HOME", home).stdin(Stdio::null());
    let output = command.output().unwrap();
    let report = json(&output);
    assert_eq!(ids(&report), [pair('X').0]);
    assert_eq!(report["sources"][0], url.as_str());
    assert_eq!(std::fs::read_dir(home).unwrap().count(), 0, "nothing is left");
    let (code, _, stderr) = told(&folder.akia(&["scan", "file:///no/such/repository"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("git could not fetch file:///no/such/repository"), "{stderr}");
}

#[test]
fn mistakes_are_answered_with_the_next_command() {
    let folder = Folder::new();
    for (words, code, message) in [
        (&["scan", "no-such-file"][..], 1, "error: no-such-file cannot be read"),
        (&["scan", "--staged"], 2, "error: . is no git repository"),
        (&["scan", "--since", "main"], 2, "is no git repository"),
        (&["scan", "--write", "leaks.txt"], 2, "error: the name leaks.txt says no form"),
        (&["scan", "--staged", "here"], 2, "cannot be used with"),
        (&["scan", "--max-unpacked", "many"], 2, "is not a size"),
        (&["scan", "--baseline", "none.json"], 1, "none.json cannot be read: there is no such file"),
        (&["scan", "hook", "install"], 1, "this folder is in no git repository"),
    ] {
        let (found, stdout, stderr) = told(&folder.akia(words));
        assert_eq!(found, code, "{words:?}: {stderr}");
        assert!(stderr.contains(message) && stdout.is_empty(), "{words:?}: {stderr}");
    }
}

#[test]
fn each_form_is_written() {
    let folder = Folder::new();
    folder.write("in/app.ini", &credentials('X'));
    let names = [
        "a.json",
        "a.jsonl",
        "a.csv",
        "a.sarif",
        "a.xml",
        "a.html",
        "gl-secret-detection-report.json",
        "a.gitleaks.json",
    ];
    let mut words = vec!["scan", "in"];
    for name in names {
        words.extend(["--write", name]);
    }
    let (code, _, stderr) = told(&folder.akia(&words));
    assert_eq!(code, 4, "{stderr}");
    let (id, secret) = pair('X');
    for name in names {
        let form = std::fs::read_to_string(folder.path(name)).unwrap();
        assert!(form.contains(&id) && form.contains("app.ini"), "{name}: {form}");
        assert!(!form.contains(&secret[..12]), "{name}");
    }
    assert!(Path::new(&folder.path("a.json")).exists());
    let (code, stdout, _) = told(&folder.akia(&["scan", "in", "--github"]));
    assert_eq!(code, 4);
    assert!(stdout.starts_with("::error title=Leaked access key,file=in/app.ini,line=2::"), "{stdout}");
}
