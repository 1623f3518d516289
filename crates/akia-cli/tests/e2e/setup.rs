//! `akia setup` and `akia credentials`: the real binary, judged by the real AWS CLI. What is refused, and in which
//! words, stands in `bad_input`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use akia_sandbox::{Fault, FaultKind};
use serde_json::json;

use crate::support::{Backend, Cloud, Home, Key};

on_every_backend!(a_key_is_proven_and_then_written, a_key_is_created_and_works);

fn a_key_is_proven_and_then_written(cloud: &Cloud) {
    let ann = cloud.user("ann").key;
    let home = Home::new(cloud).without("AWS_REGION").without("AWS_DEFAULT_REGION");
    fs::remove_dir(home.path(".aws")).unwrap();
    let words = ["setup", "work", "--region", "eu-west-1", "--default-output", "text", "--yes", "--output", "json"];
    let refused = home.akia_with_input(&words, &two_lines(&ann.mistyped())).exited(1);
    assert!(refused.stderr.ends_with('\n') && refused.stdout.is_empty(), "{refused:?}");
    assert_eq!(left(&home), [""; 0], "a wrong secret leaves nothing");

    let mut dry = words.to_vec();
    dry[6] = "--dry-run";
    let told = home.akia_with_input(&dry, &two_lines(&ann)).done().json();
    assert_eq!(told["profiles"][0]["state"], "would be written");
    assert_eq!(left(&home), [""; 0], "a plan writes nothing");

    let told = home.akia_with_input(&words, &two_lines(&ann)).done();
    assert!(!told.stdout.contains(&ann.secret) && !told.stderr.contains(&ann.secret));
    let row = &told.json()["profiles"][0];
    assert_eq!((&row["access_key"], &row["user"]), (&json!(ann.id), &json!("ann")));
    assert_eq!(
        home.read(".aws/credentials"),
        format!("[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n", ann.id, ann.secret)
    );
    assert_eq!(home.read(".aws/config"), "[profile work]\nregion = eu-west-1\noutput = text\n");
    let modes = [".aws", ".aws/credentials", ".aws/config"].map(|name| mode(&home.path(name)));
    assert_eq!(modes, [0o700, 0o600, 0o600]);
    let judged = home.aws(&["sts", "get-caller-identity", "--profile", "work", "--query", "Arn"]).done();
    assert_eq!(judged.stdout, format!("{}\n", cloud.user_arn("ann")), "as text, which the profile asks for");
}

fn a_key_is_created_and_works(cloud: &Cloud) {
    let ann = cloud.user("ann").key;
    cloud.call("iam", "create_user", json!({ "UserName": "bob" }));
    // MiniStack's own administrator has no access key id.
    cloud.user_without_rights("boss", "/");
    let all = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    cloud.policy("boss", "all", &all);
    let home = Home::new(cloud).profile("default", &ann).profile("admin", &cloud.key("boss"));
    let before = home.read(".aws/credentials");
    home.akia(&["setup", "mine", "--create", "--dry-run"]).done();
    assert_eq!(cloud.keys("ann").len(), 1, "a plan makes no key");
    home.akia(&["setup", "mine", "--create", "--yes"]).done();
    home.akia(&["setup", "his", "--create", "--user", "bob", "-p", "admin", "--yes"]).done();
    assert!(home.read(".aws/credentials").starts_with(&before), "what was there stays as it is");
    for (profile, user, count) in [("mine", "ann", 2), ("his", "bob", 1)] {
        let keys = cloud.keys(user);
        assert_eq!(keys.len(), count, "{user}: {keys:?}");
        let held = home.aws(&["configure", "get", "aws_access_key_id", "--profile", profile]).done().stdout;
        assert!(keys.iter().any(|key| key.active && key.id == held.trim()), "{held} of {keys:?}");
        let judged = home.aws(&["sts", "get-caller-identity", "--profile", profile]).done().json();
        assert_eq!(judged["Arn"], cloud.user_arn(user));
    }
    let full = home.akia(&["setup", "third", "--create", "--yes"]).exited(6);
    assert!(keys_named(&full.stderr, cloud, "ann"), "{}", full.stderr);
    assert_eq!(cloud.keys("ann").len(), 2);
}

#[test]
fn a_request_to_end_waits_until_the_new_secret_is_in_its_place() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let cloud = Backend::Sandbox.open();
        let ann = cloud.user("ann").key;
        let home = Home::new(&cloud).profile("default", &ann);
        cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::Slow(Duration::from_secs(3))));
        let child = home.command(&["setup", "mine", "--create", "--yes"]).spawn().unwrap();
        let asked = Instant::now();
        let lists = || cloud.sandbox().log().iter().filter(|call| call.action == "ListAccessKeys").count();
        while lists() < 2 {
            assert!(asked.elapsed() < Duration::from_secs(30), "the keys are never listed");
            std::thread::sleep(Duration::from_millis(20));
        }
        // The request is on its way now, and its answer takes three seconds.
        std::thread::sleep(Duration::from_millis(700));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{signal}: {stderr}");
        let held = home.aws(&["configure", "get", "aws_access_key_id", "--profile", "mine"]).done().stdout;
        assert!(stderr.contains(&format!("profile \"mine\" holds the new key {}, read back", held.trim())), "{stderr}");
        assert!(cloud.keys("ann").iter().any(|key| key.active && key.id == held.trim()));
        let judged = home.aws(&["sts", "get-caller-identity", "--profile", "mine"]).done().json();
        assert_eq!(judged["Arn"], cloud.user_arn("ann"));
    }
}

#[test]
fn the_secret_is_typed_without_being_shown() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann").key;
    let home = Home::new(&cloud).without("AWS_REGION").without("AWS_DEFAULT_REGION");
    let (id, secret) = (format!("{}\n", ann.id), format!("{}\n", ann.secret));
    let ran = home.akia_on_terminal(
        &["setup"],
        &[
            ("access key ID: ", "AKIA\n"),
            ("once more", &id),
            ("secret access key (not shown): ", &secret),
            ("Region for this profile [us-east-1]: ", "eu west\n"),
            ("once more", "eu-west-3\n"),
            ("Write this key? [y/N] ", "y\n"),
        ],
    );
    let screen = ran.done().stdout;
    assert!(screen.contains(&ann.id) && !screen.contains(&ann.secret), "{screen}");
    assert_eq!(home.read(".aws/config"), "[default]\nregion = eu-west-3\n");
    assert!(home.read(".aws/credentials").contains(&ann.secret));

    let before = home.everything();
    let no = home.akia_on_terminal(&["setup", "b", "--from-profile", "default"], &[("[y/N] ", "n\n")]).exited(1);
    assert!(no.stdout.contains("you said no"), "{}", no.stdout);
    assert_eq!(home.everything(), before);
}

#[test]
fn every_shape_of_the_consoles_file_is_taken() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann").key, cloud.user("bob").key);
    let two = format!("Access key ID,Secret access key\n{},{}\n", ann.id, ann.secret);
    let wide = format!(
        "User name,Password,Access key ID,Secret access key,Console login link\nann,,{},{},https://x\nbob,pw,{},{},https://x\n",
        ann.id, ann.secret, bob.id, bob.secret
    );
    let first =
        format!("\"User Name\",\"Access Key Id\",\"Secret Access Key\"\n\"ann\",\"{}\",\"{}\"\n", ann.id, ann.secret);
    for (name, text, user) in [
        ("today's", two.clone(), None),
        ("with a byte order mark", format!("\u{feff}{two}"), None),
        ("with CRLF", two.replace('\n', "\r\n"), None),
        ("without a last line end", two.trim_end().to_owned(), None),
        ("the first console's", first, None),
        ("of several users", wide.clone(), Some("ann")),
        ("of several users, in other letters", wide.clone(), Some("ANN")),
    ] {
        let home = Home::new(&cloud).file("keys.csv", &text);
        let mut words = vec!["setup", "work", "--from-csv", "keys.csv", "--yes"];
        words.extend(user.iter().flat_map(|user| ["--csv-user", user]));
        let ran = home.akia(&words).done();
        assert!(home.read(".aws/credentials").contains(&ann.secret), "{name}");
        assert!(
            ran.stderr.contains("keys.csv holds the secret and is not needed any more: delete it"),
            "{}",
            ran.stderr
        );
        assert_eq!(home.read("keys.csv"), text, "{name}: it is left to the person");
    }
    let home = Home::new(&cloud).file("keys.csv", &two);
    let ran = home.akia(&["setup", "--from-csv", "keys.csv", "--delete-csv", "--yes"]).done();
    assert!(!home.path("keys.csv").exists() && ran.stderr.contains("deleted "), "{}", ran.stderr);
    assert_eq!(home.aws(&["sts", "get-caller-identity"]).done().json()["Arn"], cloud.user_arn("ann"));
    // Not before the key is written.
    let home = home.file("keys.csv", &wide);
    home.akia(&["setup", "--from-csv", "keys.csv", "--csv-user", "bob", "--delete-csv", "--yes"]).exited(1);
    assert_eq!(home.read("keys.csv"), wide);
}

#[test]
fn only_the_values_change_and_nothing_is_written_over_unasked() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann").key, cloud.user("bob").key);
    let text = format!(
        "# of the company\r\n[work]\r\naws_access_key_id     = {}\r\naws_secret_access_key = {}\r\n; the end\r\n",
        ann.id, ann.secret
    );
    let config = "# mine\n[profile work]\nregion=eu-west-1\n[profile other]\noutput = json";
    let home = Home::new(&cloud).file(".aws/credentials", &text).file(".aws/config", config).profile("bob", &bob);
    let with_bob = home.read(".aws/credentials");
    let copy = ["setup", "work", "--from-profile", "bob", "--region", "eu-west-2", "--yes"];
    let before = home.everything();
    let held = home.akia(&copy).exited(6);
    assert!(held.stderr.contains(&ann.id) && held.stderr.contains("add --replace"), "{}", held.stderr);
    assert_eq!(home.everything(), before);
    let ran = home.akia(&[&copy[..], &["--replace", "--output", "json"]].concat()).done();
    assert_eq!(ran.json()["profiles"][0]["replaced_key"], ann.id);
    assert!(ran.stderr.contains("changes hands") && ran.stderr.contains("share one key"), "{}", ran.stderr);
    let expected = with_bob.replace(&ann.id, &bob.id).replace(&ann.secret, &bob.secret);
    assert_eq!(home.read(".aws/credentials"), expected);
    assert_eq!(home.read(".aws/config"), config.replace("eu-west-1", "eu-west-2"));
    assert_eq!(cloud.keys("ann").len(), 1, "the key that was replaced stays in AWS");

    // The same key again mends a mistyped secret without a word about replacing.
    let home = Home::new(&cloud).profile("work", &ann.mistyped());
    home.akia_with_input(&["setup", "work", "--yes"], &two_lines(&ann)).done();
    assert!(home.read(".aws/credentials").contains(&ann.secret));

    // In place of temporary credentials, no session token may stay behind.
    let token = Key { token: Some("old-token".to_owned()), ..ann.clone() };
    let token = Key { id: token.id.replace("AKIA", "ASIA"), ..token };
    let home = Home::new(&cloud).profile("work", &token);
    home.akia_with_input(&["setup", "work", "--yes"], &two_lines(&ann)).exited(6);
    home.akia_with_input(&["setup", "work", "--replace", "--yes"], &two_lines(&ann)).done();
    assert!(!home.read(".aws/credentials").contains("token"));
    assert_eq!(
        home.aws(&["sts", "get-caller-identity", "--profile", "work"]).done().json()["Arn"],
        cloud.user_arn("ann")
    );
}

#[test]
fn a_new_key_is_waited_for() {
    let cloud = Backend::Sandbox.open();
    let key = cloud.user("ann").key;
    cloud.sandbox().inject(Fault::on("GetCallerIdentity", FaultKind::InvalidClientTokenId).times(2));
    // The file is seconds old: so may the key be.
    let home =
        Home::new(&cloud).file("keys.csv", format!("Access key ID,Secret access key\n{},{}\n", key.id, key.secret));
    let ran = home.akia(&["setup", "--from-csv", "keys.csv", "--yes"]).done();
    assert!(ran.stderr.contains("asking again"), "{}", ran.stderr);
    assert!(home.read(".aws/credentials").contains(&key.secret));
}

#[test]
fn a_key_whose_secret_cannot_be_written_is_deleted_again() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann").key, cloud.user("bob").key);
    let home = Home::new(&cloud).profile("default", &ann);
    // Another program puts a key into the same profile.
    let (home, ended) =
        while_a_key_is_made(&cloud, home, &["setup", "new", "--create", "--yes"], |home| home.profile("new", &bob));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("was changed by another program meanwhile") && said.contains("was deleted again"), "{said}");
    assert_eq!(
        home.read(".aws/credentials"),
        Home::new(&cloud).profile("default", &ann).profile("new", &bob).read(".aws/credentials")
    );
    assert_eq!(cloud.keys("ann").iter().map(|key| &key.id).collect::<Vec<_>>(), [&ann.id]);
}

#[test]
fn a_key_whose_secret_is_written_stays_when_only_a_setting_is_not() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann").key;
    let home = Home::new(&cloud).profile("boss", &ann);
    let words = ["setup", "new", "--create", "-p", "boss", "--region", "eu-west-1", "--yes"];
    let broken = "[profile broken\n";
    let (home, ended) = while_a_key_is_made(&cloud, home, &words, |home| home.file(".aws/config", broken));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let keys = cloud.keys("ann");
    let new = keys.iter().find(|key| key.id != ann.id).expect("the new key is not deleted");
    assert!(new.active && home.read(".aws/credentials").contains(&new.id), "{said}");
    assert!(said.contains(&format!("the new key {} is active and its secret is stored", new.id)), "{said}");
    assert!(said.contains(&format!("akia key delete {} --profile boss", new.id)), "can be pasted as it is: {said}");
    assert_eq!(home.read(".aws/config"), broken);
}

/// Runs akia, and changes something in the home folder after it has read the files and before the key is made.
fn while_a_key_is_made(cloud: &Cloud, home: Home, words: &[&str], change: impl FnOnce(Home) -> Home) -> (Home, Output) {
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::Slow(Duration::from_secs(3))));
    let akia = home.command(words).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    while !cloud.sandbox().log().iter().any(|call| call.action == "ListAccessKeys") {
        assert!(Instant::now() < limit, "the keys were never listed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let home = change(home);
    (home, akia.wait_with_output().unwrap())
}

#[test]
fn a_lost_or_senseless_answer_names_the_key_that_was_made() {
    for (name, kind) in [
        ("lost", FaultKind::LostAnswerAfterCommit),
        ("cut", FaultKind::TruncatedAnswer),
        ("empty", FaultKind::Garbage(Vec::new())),
        ("HTML", FaultKind::Garbage(b"<html>please sign in</html>".to_vec())),
        ("without a secret", FaultKind::Garbage(answer("ann", "").into_bytes())),
        ("with an endless secret", FaultKind::Garbage(answer("ann", &"x".repeat(500)).into_bytes())),
        ("for somebody else", FaultKind::Garbage(answer("eve", &"x".repeat(40)).into_bytes())),
        ("failed", FaultKind::ServerError { status: 500, committed: true }),
    ] {
        let cloud = Backend::Sandbox.open();
        let ann = cloud.user("ann").key;
        let home = Home::new(&cloud).profile("default", &ann);
        let text = home.read(".aws/credentials");
        cloud.sandbox().inject(Fault::on("CreateAccessKey", kind));
        let ran = home.akia(&["setup", "new", "--create", "--yes"]).exited(6);
        let keys = cloud.sandbox().keys();
        let made: Vec<_> = keys.iter().filter(|key| key.user.as_deref() == Some("ann") && key.id != ann.id).collect();
        assert_eq!(made.len(), 1, "{name}: never made twice");
        assert!(ran.stderr.contains(&made[0].id), "{name}: {}", ran.stderr);
        assert_eq!(home.read(".aws/credentials"), text, "{name}");
        assert!(!home.path(".aws/config").exists(), "{name}");
    }
}

/// Needs a Secret Service for its second half; `cargo xtask test` sees to that, as for `store_keychain`.
#[test]
fn a_secret_in_the_keychain_is_handed_to_the_aws_cli() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann").key;
    let home = Home::new(&cloud).with("AKIA_KEYCHAIN", "auto").with("XDG_RUNTIME_DIR", "/nonexistent");
    let words = ["setup", "my work", "--store", "keychain", "--yes"];
    let none = home.akia_with_input(&words, &two_lines(&ann)).exited(1);
    assert!(none.stderr.starts_with("error: no OS keychain: ") && none.stderr.contains(" next: "), "{}", none.stderr);
    assert_eq!(left(&home), [""; 0]);
    if std::env::var_os("AKIA_TEST_SECRET_SERVICE").is_none() {
        return;
    }

    let (mut service, address) = secret_service(&home);
    let home = home.with("DBUS_SESSION_BUS_ADDRESS", &address);
    let told = home.akia_with_input(&words, &two_lines(&ann)).done();
    assert!(told.stdout.contains("keychain"), "{}", told.stdout);
    let config = home.read(".aws/config");
    assert!(config.contains("credential_process = ") && config.contains(" credentials --profile "), "{config}");
    for (path, bytes) in home.everything() {
        let bytes = String::from_utf8_lossy(&bytes);
        // The keyring's own file is sealed; no file may hold the secret.
        assert!(!bytes.contains(&ann.secret), "{} holds the secret", path.display());
    }
    let judged = home.aws(&["sts", "get-caller-identity", "--profile", "my work"]).done().json();
    assert_eq!(judged["Arn"], cloud.user_arn("ann"));

    let printed = home.akia(&["credentials", "--profile", "my work"]).done();
    assert_eq!(printed.stderr, "");
    let expected = json!({ "Version": 1, "AccessKeyId": ann.id, "SecretAccessKey": ann.secret });
    assert_eq!(printed.json(), expected, "no more members than AWS documents for a key that does not expire");
    let shown = home.akia_on_terminal(&["credentials", "--profile", "my work"], &[]).exited(1);
    assert!(!shown.stdout.contains(&ann.secret), "never on a terminal");
    let other = home.akia(&["credentials", "--profile", "other"]).exited(1);
    assert_eq!((other.stdout.as_str(), other.stderr.lines().count()), ("", 1), "{}", other.stderr);

    let status = home.akia(&["status", "--output", "json"]).done().json();
    assert_eq!(status["profiles"][0]["kind"], "keychain", "{status}");
    home.akia(&["rotate", "-p", "my work", "--yes"]).done();
    let rotated = home.akia(&["credentials", "--profile", "my work"]).done().json();
    assert_ne!(rotated["AccessKeyId"], ann.id);
    home.aws(&["sts", "get-caller-identity", "--profile", "my work"]).done();
    home.akia(&["undo", "--yes"]).done();
    assert_eq!(home.akia(&["credentials", "--profile", "my work"]).done().json(), expected);
    // Out of the keychain again: into the files, and nothing stays behind.
    let back = ["setup", "my work", "--store", "file", "--replace", "--yes"];
    home.akia_with_input(&back, &two_lines(&ann)).done();
    assert!(home.read(".aws/credentials").contains(&ann.secret) && !home.read(".aws/config").contains("process"));
    home.akia(&["credentials", "--profile", "my work"]).exited(1);
    drop(service.stdin.take());
    assert!(service.wait().unwrap().success());
}

/// A Secret Service on a D-Bus session of its own, and the session's address. It ends with its standard input.
fn secret_service(home: &Home) -> (Child, String) {
    let script = "printf akia | gnome-keyring-daemon --unlock --components=secrets >/dev/null; \
                  echo \"$DBUS_SESSION_BUS_ADDRESS\"; cat >/dev/null";
    let mut session = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .env("HOME", home.path(""))
        .env("XDG_DATA_HOME", home.path("data"))
        .env("XDG_RUNTIME_DIR", home.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(session.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
    (session, address.trim().to_owned())
}

fn two_lines(key: &Key) -> String {
    format!("{}\n{}\n", key.id, key.secret)
}

/// What akia has left below the home folder, but for its own state.
fn left(home: &Home) -> Vec<String> {
    let names = fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !["tmp", "state"].contains(&name.as_str())).collect();
    if home.path(".aws").exists() {
        names.retain(|name| name != ".aws");
        let files = fs::read_dir(home.path(".aws")).unwrap().map(|entry| entry.unwrap().path().display().to_string());
        names.extend(files);
    }
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn keys_named(text: &str, cloud: &Cloud, user: &str) -> bool {
    cloud.keys(user).iter().all(|key| text.contains(&key.id))
}

/// `CreateAccessKey`, answering for this user with this secret.
fn answer(user: &str, secret: &str) -> String {
    format!(
        "<CreateAccessKeyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateAccessKeyResult><AccessKey>\
         <UserName>{user}</UserName><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status>\
         <SecretAccessKey>{secret}</SecretAccessKey><CreateDate>2026-01-01T00:00:00Z</CreateDate></AccessKey>\
         </CreateAccessKeyResult></CreateAccessKeyResponse>"
    )
}
