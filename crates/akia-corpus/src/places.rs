//! The places of git in which keys stand: a repository for each, made by the real git.
//!
//! Each is a few lines of shell, run in a new repository with one commit. `$PAIR` is the text of a credentials file with a key, `$ID` its id:
//! where a place holds no whole file, the id alone is planted.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Dice, Key};

/// A place of git.
pub struct Place {
    /// Its name, unique.
    pub name: &'static str,
    /// Whether the secret stands there, too.
    pub pair: bool,
    script: &'static str,
}

const fn pair(name: &'static str, script: &'static str) -> Place {
    Place { name, pair: true, script }
}

const fn id(name: &'static str, script: &'static str) -> Place {
    Place { name, pair: false, script }
}

/// Every place.
pub const PLACES: &[Place] = &[
    pair("a file of HEAD", r#"put app.ini; commit"#),
    pair("a file that was deleted", r#"put app.ini; commit; git rm --quiet app.ini; commit"#),
    pair(
        "a commit that was amended",
        r#"put app.ini; commit; git rm --quiet app.ini; git commit --quiet --amend --allow-empty -m again"#,
    ),
    pair(
        "a branch that was deleted",
        r#"git switch --quiet -c topic; put app.ini; commit; git switch --quiet main; git branch --quiet -D topic"#,
    ),
    pair("a stash", r#"echo x > app.ini; git add .; commit; put app.ini; git stash --quiet"#),
    pair("the untracked part of a stash", r#"put new.ini; git stash --quiet --include-untracked"#),
    pair("the reflog alone", r#"put app.ini; commit; git reset --quiet --hard HEAD~1"#),
    pair(
        "a merge that brings it itself",
        r#"git switch --quiet -c topic; echo a > a; git add a; commit; git switch --quiet main; echo b > b; git add b; commit
           git merge --quiet --no-commit topic; put evil.ini; git add evil.ini; git commit --quiet -m merged; git rm --quiet evil.ini; commit"#,
    ),
    pair("a blob that nothing leads to", r#"printf '%s' "$PAIR" | git hash-object -w --stdin > /dev/null"#),
    pair("an orphan branch", r#"git switch --quiet --orphan other; put app.ini; commit; git switch --quiet main"#),
    pair("a note", r#"git notes add -m "$PAIR" HEAD"#),
    pair("a tag on a blob", r#"git tag -a -m x blob "$(printf '%s' "$PAIR" | git hash-object -w --stdin)""#),
    pair("what is only staged", r#"put app.ini; git add app.ini; rm app.ini"#),
    pair(
        "an object that was replaced",
        r#"put app.ini; commit; git replace "$(git rev-parse HEAD:app.ini)" "$(echo x | git hash-object -w --stdin)""#,
    ),
    pair(
        "a linked working tree",
        r#"git worktree add --quiet -b linked .linked; (cd .linked && put app.ini && git add . && git commit --quiet -m x)"#,
    ),
    pair(
        "an alternate",
        r#"git init --quiet --bare .other; printf '%s' "$PAIR" | git --git-dir .other hash-object -w --stdin > /dev/null
           echo "$PWD/.other/objects" > .git/objects/info/alternates"#,
    ),
    pair(
        "a submodule",
        r#"git init --quiet .sub; (cd .sub && put app.ini && git add . && git commit --quiet -m x && git rm --quiet app.ini && git commit --quiet -m y)
           git -c protocol.file.allow=always submodule --quiet add ./.sub sub; commit; rm -rf .sub"#,
    ),
    pair("a pack", r#"put app.ini; commit; git rm --quiet app.ini; commit; git repack --quiet -adf"#),
    pair(
        "two packs and an index over both",
        r#"put app.ini; commit; git repack --quiet -d; echo x > x; git add x; commit; git repack --quiet -d; git multi-pack-index write"#,
    ),
    pair(
        "a pack without an index",
        r#"put app.ini; commit; git rm --quiet app.ini; commit; git repack --quiet -adf; rm .git/objects/pack/*.idx"#,
    ),
    pair(
        "a delta in a pack",
        r#"seq 1 4000 > long; git add long; commit; { seq 1 2000; printf '%s' "$PAIR"; seq 2001 4000; } > long; git add long; commit; seq 1 4001 > long; git add long; commit; git repack --quiet -adf"#,
    ),
    pair(
        "a cruft pack",
        r#"put app.ini; commit; git reset --quiet --hard HEAD~1; git reflog expire --expire=now --all; git gc --quiet --cruft --prune=never"#,
    ),
    pair(
        "a SHA-256 repository",
        r#"rm -rf .git; git init --quiet --object-format=sha256 -b main; put app.ini; commit; git rm --quiet app.ini; commit"#,
    ),
    pair(
        "an archive in a blob",
        r#"put app.ini; tar -czf app.tar.gz app.ini; rm app.ini; git add .; commit; git rm --quiet app.tar.gz; commit"#,
    ),
    id("the message of a commit", r#"git commit --quiet --allow-empty -m "use $ID""#),
    id("the message of a tag", r#"git tag -a -m "use $ID" v1"#),
    id("the name of an author", r#"git commit --quiet --allow-empty --author "$ID <a@example.com>" -m x"#),
    id("the mail of a committer", r#"GIT_COMMITTER_EMAIL="$ID@example.com" git commit --quiet --allow-empty -m x"#),
    id("the name of a file", r#"echo x > "$ID.txt"; git add .; commit; git rm --quiet "$ID.txt"; commit"#),
    id("the name of a branch", r#"git branch "fix/$ID""#),
    id("the message of a reflog", r#"git update-ref -m "use $ID" --create-reflog refs/heads/noted HEAD"#),
    id("the URL of a remote", r#"git remote add origin "https://$ID:x@example.com/a.git""#),
    id(
        "a header of a commit",
        r#"{ git cat-file commit HEAD | sed "/^$/,\$d"; printf 'note %s\n\nmessage\n' "$ID"; } | git hash-object -t commit -w --stdin > /dev/null"#,
    ),
];

const BEFORE: &str = r#"
set -e
put() { printf '%s' "$PAIR" > "$1"; }
commit() { git add --all -- ':!.sub' ':!.other' ':!.linked'; git commit --quiet --allow-empty -m change; }
git init --quiet -b main
echo hello > README; git add README; git commit --quiet -m first
"#;

impl Place {
    /// The key that a seed plants here.
    #[must_use]
    pub fn key(&self, seed: u64) -> Key {
        Key::new(&mut Dice::new(seed, self.name))
    }

    /// Makes the repository in an empty folder.
    ///
    /// # Errors
    /// When git is not there, or does not do what it was told; with what it said.
    pub fn make(&self, seed: u64, folder: &Path) -> Result<Key, String> {
        let key = self.key(seed);
        let pair = format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{BEFORE}{}", self.script)).current_dir(folder).stdin(Stdio::null());
        shell.env("PAIR", pair).env("ID", &key.id).env("HOME", folder).env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{role}_NAME"), "Ann").env(format!("GIT_{role}_EMAIL"), "ann@example.com");
        }
        let output = shell.output().map_err(|error| format!("{}: sh cannot be started: {error}", self.name))?;
        if !output.status.success() {
            return Err(format!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr)));
        }
        // What is looked for stands in git, and not in a file beside it.
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if file.file_name() != ".git" && !file.file_name().to_string_lossy().starts_with('.') {
                let path = file.path();
                let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                removed.map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        Ok(key)
    }
}
