//! Bad input, a row a case: what was given, what akia says word for word, and with which code it ends.
//!
//! After each row the home folder is what it was, byte for byte (but for akia's own state folder), and so are the
//! keys in AWS. In the words, `~` is the home folder, `AWS` the host of the endpoint, and `ANN`, `IDA`, `ROOT` are
//! their key ids.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use akia_sandbox::{Fault, FaultKind, Sandbox};

use crate::support::{Backend, Cloud, Home, Key};

use rows::ROWS;

mod rows;

/// How many rows are tried at the same time.
const SHARES: usize = 4;

/// One case.
struct Row {
    /// What is wrong.
    name: &'static str,
    /// Makes it so, in a home whose profile `work` holds ann's key.
    given: fn(Home, &Stage) -> Home,
    /// The command line.
    run: &'static [&'static str],
    /// The code that it ends with.
    exit: i64,
    /// What it says, line by line.
    says: &'static [&'static str],
    /// Its standard input, filled in.
    input: &'static str,
}

/// A case without anything on its standard input.
const fn case(
    name: &'static str,
    given: fn(Home, &Stage) -> Home,
    run: &'static [&'static str],
    exit: i64,
    says: &'static [&'static str],
) -> Row {
    Row { name, given, run, exit, says, input: "" }
}

impl Row {
    const fn typed(self, input: &'static str) -> Row {
        Row { input, ..self }
    }
}

/// The account that all rows share.
struct Stage {
    cloud: Cloud,
    /// May look after her own keys.
    ann: Key,
    /// Inactive.
    ida: Key,
    /// Of the root user.
    root: Key,
}

impl Stage {
    fn new() -> Stage {
        let cloud = Backend::Sandbox.open();
        let (ann, ida) = (cloud.user("ann").key, cloud.user("ida").key);
        let account = cloud.sandbox().account();
        account.user("ida").unwrap().set_key_active(&ida.id, false).unwrap();
        let root = account.add_root_key(cloud.sandbox().now()).unwrap();
        let root = Key { id: root.id, secret: root.secret, token: None };
        Stage { ann, ida, root, cloud }
    }

    fn sandbox(&self) -> &Sandbox {
        self.cloud.sandbox()
    }

    /// AWS answers the next call of this action with these bytes.
    fn answers(&self, action: &str, body: impl AsRef<[u8]>) {
        self.sandbox().inject(Fault::on(action, FaultKind::Garbage(body.as_ref().to_vec())).always());
    }

    /// The text with the keys in place of their names, which are in braces.
    fn filled(&self, text: &str) -> String {
        let Stage { ann, ida, root, .. } = self;
        [("{id}", &ann.id), ("{secret}", &ann.secret), ("{ida}", &ida.id), ("{ida-secret}", &ida.secret)]
            .into_iter()
            .chain([("{root}", &root.id), ("{root-secret}", &root.secret), ("{mistyped}", &ann.mistyped().secret)])
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// The text with names in place of what is made anew for every run.
    fn named(&self, text: &str, home: &Home) -> String {
        let folder = home.path("").to_str().unwrap().trim_end_matches('/').to_owned();
        let host = home.variable("AWS_ENDPOINT_URL").unwrap_or_default().trim_start_matches("http://").to_owned();
        let mut text = text.replace(&folder, "~");
        for (value, name) in [
            (&host, "AWS"),
            (&self.ann.id, "ANN"),
            (&self.ida.id, "IDA"),
            (&self.root.id, "ROOT"),
            (&self.cloud.account, "ACCOUNT"),
        ] {
            if !value.is_empty() {
                text = text.replace(value.as_str(), name);
            }
        }
        text
    }
}

#[test]
fn each_is_named_and_changes_nothing() {
    // Retries take their time: the rows are shared out, and each share has an account of its own.
    let shares: Vec<Vec<&Row>> =
        (0..SHARES).map(|share| ROWS.iter().skip(share).step_by(SHARES).collect::<Vec<_>>()).collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let judges: Vec<_> = shares.into_iter().map(|rows| scope.spawn(move || judge(&rows))).collect();
        judges.into_iter().flat_map(|judge| judge.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ROWS.len() >= 40, "{} rows", ROWS.len());
}

#[test]
fn a_variable_that_is_not_utf8_is_named() {
    let stage = Stage::new();
    let home = Home::new(&stage.cloud).profile("work", &stage.ann);
    let ran = home.command(&["rotate", "--yes"]).env("AWS_PROFILE", OsStr::from_bytes(b"caf\xe9")).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(
        (ran.status.code(), said.as_str()),
        (Some(2), "error: the environment variable AWS_PROFILE is not UTF-8\n")
    );
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let stage = Stage::new();
    let home = Home::new(&stage.cloud).profile("work", &stage.ann);
    let file = home.path(".aws/credentials");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let command = home.command(&["rotate", "-p", "work", "--yes"]);
    // Root may read everything: nobody tries in its place.
    let root = fs::metadata(&file).unwrap().uid() == 0;
    let mut tried = Command::new(if root { OsStr::new("setpriv") } else { command.get_program() });
    if root {
        fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        tried.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(command.get_program());
    }
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let ran = tried.args(command.get_args()).env_clear().envs(variables).output().unwrap();
    assert_eq!(
        (ran.status.code(), stage.named(&String::from_utf8(ran.stderr).unwrap(), &home).as_str()),
        (
            Some(1),
            "error: no permission to open ~/.aws/credentials\n  now: nothing was changed\n next: run akia as the owner \
             of the file and of its folder\n"
        )
    );
}

/// What is otherwise than the rows say.
fn judge(rows: &[&Row]) -> Vec<String> {
    let stage = Stage::new();
    let mut wrong = Vec::new();
    for row in rows {
        let home = (row.given)(Home::new(&stage.cloud).profile("work", &stage.ann), &stage);
        let (files, keys) = (everything(&home), keys(&stage));
        let ran = home.akia_with_input(row.run, &stage.filled(row.input));
        stage.sandbox().clear_faults();
        let said = stage.named(&ran.stderr, &home);
        if ran.code != row.exit || said.lines().ne(row.says.iter().copied()) {
            wrong.push(format!("=== {}\n{}\n--- exit {}\n{said}", row.name, ran.what, ran.code));
        }
        if everything(&home) != files {
            wrong.push(format!("=== {}: the home folder has changed", row.name));
        }
        if self::keys(&stage) != keys {
            wrong.push(format!("=== {}: the keys in AWS have changed", row.name));
        }
        let secrets = [&stage.ann, &stage.ida, &stage.root].map(|key| &key.secret);
        if secrets.into_iter().any(|secret| ran.stderr.contains(secret) || ran.stdout.contains(secret)) {
            wrong.push(format!("=== {}: a secret was shown", row.name));
        }
    }
    wrong
}

/// The keys in AWS, without the times that asking changes.
fn keys(stage: &Stage) -> Vec<(String, bool)> {
    stage.sandbox().keys().into_iter().map(|key| (key.id, key.active)).collect()
}

/// Everything below the home folder: folders, links and files with mode and content.
fn everything(home: &Home) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, metadata) = (entry.path(), entry.path().symlink_metadata().unwrap());
            let content = if metadata.is_file() {
                fs::read(&path).unwrap()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else {
                Vec::new()
            };
            if metadata.is_dir() && entry.file_name() != OsStr::new("state") {
                walk(&path, found);
            }
            found.insert(path, (metadata.mode(), content));
        }
    }
    let mut found = BTreeMap::new();
    walk(&home.path(""), &mut found);
    found.remove(&home.path("state"));
    found
}

/// An endpoint that answers every request with these bytes, and closes.
fn wire(home: Home, answer: &[u8]) -> Home {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.to_vec();
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 16_384];
            // One read: the requests here are short, and what is left unread does not matter to the answer.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        }
    });
    home.with("AWS_ENDPOINT_URL", &url)
}

/// A well-formed HTTP answer.
fn http(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The credentials file, as these bytes.
fn credentials(home: Home, bytes: impl AsRef<[u8]>) -> Home {
    home.file(".aws/credentials", bytes)
}

/// The credentials file with something done to the text that `aws configure` writes.
fn mangled(home: Home, mangle: impl Fn(&str) -> String) -> Home {
    let text = mangle(&home.read(".aws/credentials"));
    credentials(home, text)
}

/// `~/.aws/credentials` as something else than a file.
fn instead(home: Home, make: impl Fn(&Path)) -> Home {
    let path = home.path(".aws/credentials");
    fs::remove_file(&path).unwrap();
    make(&path);
    home
}

/// `keys.csv` in the home folder, filled in.
fn csv(home: Home, stage: &Stage, text: &str) -> Home {
    home.file("keys.csv", stage.filled(text))
}

/// `GetCallerIdentity`, answering with this ARN.
fn identity(arn: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>AIDAIOSFODNN7EXAMPLE</UserId><Account>999999999999</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

/// `ListAccessKeys`, answering with one key.
fn list(id: &str, user: &str) -> String {
    format!(
        "<ListAccessKeysResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListAccessKeysResult>\
         <IsTruncated>false</IsTruncated><AccessKeyMetadata><member><UserName>{user}</UserName>\
         <AccessKeyId>{id}</AccessKeyId><Status>Active</Status><CreateDate>2026-01-01T00:00:00Z</CreateDate></member>\
         </AccessKeyMetadata></ListAccessKeysResult></ListAccessKeysResponse>"
    )
}
