//! `akia rotate --service`: the key of a service in all its places, its probe, the watch over the old key, and who still uses it.

use std::fmt::Write as _;

use akia_sandbox::LastUsed;
use serde_json::{Value, json};

use crate::hand::side_by_side;
use crate::support::{Backend, Cloud, Home, Key, Ran, python, workspace};

/// A service user with a key in two profiles, and one more profile that is declared and holds nothing yet.
fn stage(cloud: &Cloud, more: &str) -> (Home, Key) {
    cloud.user_without_rights("service-billing", "/service/");
    let key = cloud.key("service-billing");
    let mut settings = format!("[service.billing]\nprofile = \"admin\"\n{more}\n");
    for profile in ["billing", "reports", "fresh"] {
        write!(settings, "[[service.billing.place]]\nkind = \"profile\"\nprofile = \"{profile}\"\n").unwrap();
    }
    let home = Home::new(cloud).profile("admin", &cloud.admin).profile("billing", &key).profile("reports", &key);
    (home.file("akia.toml", settings), key)
}

fn rotate(home: &Home, more: &[&str]) -> Ran {
    let config = home.path("akia.toml").display().to_string();
    let consent = if more.contains(&"--dry-run") { "--verbose" } else { "--yes" };
    let base = ["rotate", "--config", &config, consent, "--output", "json"];
    home.akia(&[&base[..], more].concat())
}

fn rotation(ran: &Ran) -> Value {
    ran.json()["rotations"][0].clone()
}

/// Active keys of the user, and whether the old one is among them.
fn active(cloud: &Cloud, key: &Key) -> (usize, bool) {
    let active: Vec<_> = cloud.keys("service-billing").into_iter().filter(|listed| listed.active).collect();
    (active.len(), active.iter().any(|listed| listed.id == key.id))
}

fn count(home: &Home, text: &str) -> usize {
    home.read(".aws/credentials").matches(text).count()
}

fn a_key_goes_everywhere_and_the_old_one_is_watched(cloud: &Cloud) {
    let (home, old) = stage(cloud, "quiet-for = \"2s\"\ngrace = \"1s\"");
    let plan = rotate(&home, &["--service", "billing", "--dry-run"]).done();
    assert!(
        plan.stderr.contains("new key to profile \"fresh\"") && plan.stderr.contains("(holds none yet)"),
        "{}",
        plan.stderr
    );
    assert!(plan.stderr.contains(&format!("watch {} for 2s", old.id)), "{}", plan.stderr);
    assert_eq!(cloud.keys("service-billing").len(), 1, "a dry run");

    let told = rotation(&rotate(&home, &["--service", "billing"]).done());
    let new = told["new_key"].as_str().unwrap();
    assert_eq!((&told["rest"], &told["service"]), (&json!("watching"), &json!("billing")), "{told}");
    assert_eq!((count(&home, new), count(&home, &old.id), active(cloud, &old)), (3, 0, (2, true)));
    // Another run leaves it alone until the time is over, and then goes on by itself.
    let mut ran = rotate(&home, &["--all-services"]).done();
    // On a machine that is busy enough the time is over already.
    if ran.json()["rotations"].as_array().unwrap().is_empty() {
        assert!(ran.stderr.contains("the old one is watched until"), "{}", ran.stderr);
        std::thread::sleep(std::time::Duration::from_secs(2));
        ran = rotate(&home, &["--all-services"]).done();
    }
    let told = rotation(&ran);
    assert_eq!(told["rest"], "in-grace", "{told}");
    assert_eq!(active(cloud, &old), (1, false));
    std::thread::sleep(std::time::Duration::from_secs(1));
    let told = rotation(&rotate(&home, &["--all-services"]).done());
    assert_eq!(told["rest"], "retired", "{told}");
    assert_eq!(cloud.keys("service-billing").len(), 1);
    home.akia(&["history", "verify"]).done();
}

#[test]
fn a_key_goes_everywhere_and_the_old_one_is_watched_on_the_sandbox() {
    a_key_goes_everywhere_and_the_old_one_is_watched(&Backend::Sandbox.open());
}

#[test]
fn a_key_goes_everywhere_and_the_old_one_is_watched_on_moto() {
    a_key_goes_everywhere_and_the_old_one_is_watched(&Backend::Moto.open());
}

#[test]
fn who_still_uses_the_old_key_is_named_and_it_stays_active() {
    let cloud = Backend::Sandbox.open();
    let (home, old) = stage(&cloud, "quiet-for = \"8s\"\nowner = \"payments@example.com\"");
    let told = home.path("notices.jsonl").display().to_string();
    let channel = format!("[notify]\ndefault = [\"log\"]\n[notify.channels.log]\nkind = \"file\"\npath = {told:?}\n");
    let settings = channel + &home.read("akia.toml");
    let home = home.file("akia.toml", settings);
    let first = rotation(&rotate(&home, &["--service", "billing"]).done());
    cloud.caller(&old).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(8));
    // AWS tells the minute, which would be one before the new key was everywhere.
    let at = jiff::Timestamp::now();
    let used = LastUsed { at, service: "sts".to_owned(), region: "us-east-1".to_owned() };
    cloud.sandbox().set_last_used(&old.id, Some(used)).unwrap();
    let ran = rotate(&home, &["--all-services"]).exited(6);
    let told = rotation(&ran);
    assert_eq!((&told["rest"], active(&cloud, &old)), (&json!("undecided"), (2, true)), "{told}");
    assert!(told["still_used_by"]["addresses"]["127.0.0.1"].as_u64() >= Some(1), "{told}");
    assert!(ran.stderr.contains(&format!("uses {}: from 127.0.0.1", old.id)), "{}", ran.stderr);
    assert!(ran.stderr.contains("for sts"), "{}", ran.stderr);
    // The owner is told, and once.
    assert!(ran.stderr.contains("told payments@example.com who still uses the old key"), "{}", ran.stderr);
    rotate(&home, &["--service", "billing"]).exited(6);
    let notices = home.read("notices.jsonl");
    assert_eq!(notices.lines().count(), 1, "{notices}");
    assert!(notices.contains("\"still-used\"") && notices.contains("from 127.0.0.1"), "{notices}");
    let id = first["rotation"].as_str().unwrap();
    let done = home.akia(&["resume", id, "--without-evidence", "--yes", "--output", "json"]).done();
    assert_eq!((&rotation(&done)["rest"], active(&cloud, &old)), (&json!("in-grace"), (1, false)));
    let undone = home.akia(&["undo", id, "--yes", "--output", "json"]).done();
    assert_eq!((&rotation(&undone)["rest"], count(&home, &old.id)), (&json!("undone"), 3));
    assert!(active(&cloud, &old).1);
}

/// Made, delivered to what `akia.toml` declares, and rotated: nobody names a place twice.
#[test]
fn a_service_is_made_where_its_settings_say() {
    let cloud = Backend::Sandbox.open();
    let (home, _) = stage(&cloud, "");
    let settings =
        home.read("akia.toml").replace("billing", "mailer").replace("reports", "letters").replace("fresh", "post");
    let home = home.file("akia.toml", settings);
    let config = home.path("akia.toml").display().to_string();
    let create = |more: &[&str]| {
        let base =
            ["service", "create", "mailer", "--template", "ses-send=example.com", "--owner", "post", "-p", "admin"];
        home.akia(&[&base[..], &["--yes", "--output", "json"], more].concat())
    };
    let unsaid = create(&["--config", "/dev/null"]).exited(2);
    assert!(unsaid.stderr.contains("nobody has said where the key of service-mailer goes"), "{}", unsaid.stderr);
    create(&["--config", &config]).done();
    let [made] = &cloud.keys("service-mailer")[..] else { panic!("one key") };
    assert_eq!(count(&home, &made.id), 3);
    create(&["--config", &config]).done();
    assert_eq!(cloud.keys("service-mailer").len(), 1, "a second run finds all of it");
    let told = rotation(&rotate(&home, &["--service", "mailer"]).done());
    assert_eq!((&told["rest"], count(&home, &made.id)), (&json!("watching"), 0), "{told}");
}

#[test]
fn a_probe_that_fails_gives_the_new_key_up_before_anything_is_delivered() {
    let cloud = Backend::Sandbox.open();
    let marker = "probe.log";
    let (home, old) = stage(&cloud, "");
    let log = home.path(marker).display().to_string();
    // It gets the new key, and no other, and no secret of it may come out.
    let script =
        format!("echo \"$AWS_ACCESS_KEY_ID\" >> {log}; echo \"no: $AWS_SECRET_ACCESS_KEY\" >&2; test -e {log}.pass");
    let settings =
        home.read("akia.toml").replacen("profile =", &format!("probe = [\"sh\", \"-c\", {script:?}]\nprofile ="), 1);
    let home = home.file("akia.toml", settings);
    let ran = rotate(&home, &["--service", "billing"]).exited(1);
    assert!(
        ran.stderr.contains("the new key failed its probe: sh failed (exit status: 1): no: (secret)"),
        "{}",
        ran.stderr
    );
    let tried = home.read(marker);
    assert_eq!(tried.lines().count(), 4, "{tried}");
    assert!(!tried.contains(&old.id), "{tried}");
    assert_eq!((count(&home, &old.id), cloud.keys("service-billing").len(), active(&cloud, &old)), (2, 1, (1, true)));

    let home = home.file(&format!("{marker}.pass"), "");
    let told = rotation(&rotate(&home, &["--service", "billing"]).done());
    assert_eq!(told["rest"], "watching", "{told}");
}

#[test]
fn what_cannot_be_told_is_refused_before_a_key_is_made() {
    let cloud = Backend::Sandbox.open();
    let (home, old) = stage(&cloud, "max-age = \"90d\"");
    // A key of a minute ago is not due, unless somebody names the service.
    let young = rotate(&home, &["--all-services"]).done();
    assert!(young.stderr.contains("skip    service \"billing\": its key is 0 days old"), "{}", young.stderr);
    let unknown = rotate(&home, &["--service", "biling"]).exited(2);
    assert!(unknown.stderr.contains("akia.toml declares no service \"biling\""), "{}", unknown.stderr);
    let other = cloud.user("ann");
    let home = home.profile("fresh", &other.key);
    let foreign = rotate(&home, &["--service", "billing"]).exited(1);
    assert!(
        foreign.stderr.contains("and profile \"fresh\" in") && foreign.stderr.contains("which one is the service's?"),
        "{}",
        foreign.stderr
    );
    assert_eq!(cloud.keys("service-billing").len(), 1);
    let signer = home.read("akia.toml").replace("profile = \"admin\"", "profile = \"billing\"");
    let home = home.file("akia.toml", signer.replace("profile = \"fresh\"", "profile = \"later\""));
    let own = rotate(&home, &["--service", "billing"]);
    assert!(own.stderr.contains("refuse  service \"billing\""), "{}", own.stderr);
    assert_eq!((cloud.keys("service-billing").len(), active(&cloud, &old)), (1, (1, true)));
}

/// The place of `docs/place-protocol.md`, which kills akia once: right before it keeps a new key, or right after.
fn killing_place(when: &str, marker: &str) -> String {
    let page = std::fs::read_to_string(workspace().join("docs/place-protocol.md")).unwrap();
    let example = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let kill = format!(
        "    if not os.path.exists({marker:?}):\n        open({marker:?}, \"w\").close()\n        \
         os.kill(os.getppid(), 9)\n        sys.exit(1)\n"
    );
    let anchor = match when {
        "before" => "if request[\"operation\"] == \"deliver\":\n",
        _ => "    os.replace(new, path)\n",
    };
    assert!(example.contains(anchor), "the example has changed");
    example.replace(anchor, &format!("{anchor}{kill}"))
}

/// Killed while the first, second or third of three places is written, before and after it keeps the key: a later run finishes, and
/// the old key was never touched.
#[test]
fn a_rotation_killed_between_two_places_is_finished_by_the_next_run() {
    let turns: Vec<(usize, &str)> = (0..3).flat_map(|at| ["before", "after"].map(|when| (at, when))).collect();
    side_by_side(6, turns.len(), |turn| {
        let (at, when) = turns[turn];
        let cloud = Backend::Sandbox.open();
        cloud.user_without_rights("service-billing", "/service/");
        let old = cloud.key("service-billing");
        let home = Home::new(&cloud).profile("admin", &cloud.admin).profile("billing", &old);
        let path = |name: &str| home.path(name).display().to_string();
        let (program, kept, variables) = (path("keep.py"), path("kept.json"), path("billing.env"));
        let mut places = vec![
            "kind = \"profile\"\nprofile = \"billing\"\n".to_owned(),
            format!("kind = \"env-file\"\npath = {variables:?}\n"),
        ];
        places.insert(at, format!("kind = \"exec\"\ncommand = [{:?}, {program:?}, {kept:?}]\n", python()));
        let settings: String = places.iter().map(|place| format!("[[service.billing.place]]\n{place}")).collect();
        let config = format!("[service.billing]\nprofile = \"admin\"\n{settings}");
        let lines = format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", old.id, old.secret);
        let place = killing_place(when, &path("killed"));
        let home = home
            .file("keep.py", place)
            .file("kept.json", json!({ "id": old.id, "secret": old.secret }).to_string())
            .file("billing.env", lines)
            .file("akia.toml", config);
        let told = |ran: &Ran, what: &str| format!("{what}, killed {when} place {at}: {}\n{}", ran.stdout, ran.stderr);
        let killed = rotate(&home, &["--service", "billing"]);
        if killed.code != -9 || !active(&cloud, &old).1 {
            return Err(told(&killed, "it was not killed, or the old key was touched"));
        }
        let again = rotate(&home, &["--all-services"]);
        let rest = again.json()["rotations"][0].clone();
        if again.code != 0 || rest["rest"] != "watching" {
            return Err(told(&again, "the next run did not finish it"));
        }
        let new = rest["new_key"].as_str().unwrap();
        let holders = [home.read(".aws/credentials"), home.read("kept.json"), home.read("billing.env")];
        let is_everywhere = holders.iter().all(|text| text.contains(new) && !text.contains(&old.id));
        if !is_everywhere || active(&cloud, &old) != (2, true) {
            return Err(told(&again, "a place does not hold the new key"));
        }
        Ok(())
    });
}

/// What only a trail with data events tells: AWS's last use and its event history have nothing of it.
#[cfg(feature = "usage")]
#[test]
fn what_loaded_logs_tell_of_the_old_key_holds_it_and_names_who() {
    let cloud = Backend::Sandbox.open();
    let (home, old) = stage(&cloud, "quiet-for = \"3s\"\nowner = \"payments@example.com\"");
    let told = home.path("notices.jsonl").display().to_string();
    let channel = format!("[notify]\ndefault = [\"log\"]\n[notify.channels.log]\nkind = \"file\"\npath = {told:?}\n");
    let settings = channel + &home.read("akia.toml");
    let home = home.file("akia.toml", settings);
    let load = |name: &str, at: jiff::Timestamp| {
        let event = json!({
            "eventTime": format!("{at:.0}"), "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "eu-west-1",
            "sourceIPAddress": "203.0.113.7", "userAgent": "batch-job/1.4",
            "userIdentity": { "type": "IAMUser", "arn": cloud.user_arn("service-billing"), "accountId": cloud.account,
                "accessKeyId": old.id },
        });
        let path = home.path(name);
        std::fs::write(&path, json!({ "Records": [event] }).to_string()).unwrap();
        home.akia(&["usage", "load", path.to_str().unwrap()]).done();
    };
    load("before.json", jiff::Timestamp::now());
    std::thread::sleep(std::time::Duration::from_secs(1));
    let first = rotation(&rotate(&home, &["--service", "billing"]).done());
    assert_eq!(first["rest"], "watching");
    std::thread::sleep(std::time::Duration::from_secs(3));
    load("after.json", jiff::Timestamp::now());
    let ran = rotate(&home, &["--all-services"]).exited(6);
    let told = rotation(&ran);
    assert_eq!((&told["rest"], active(&cloud, &old)), (&json!("undecided"), (2, true)), "{told}");
    let seen = &told["seen_in_logs"];
    assert_eq!(
        (&seen["calls"], &seen["service"], &seen["users"][0]["ip"]),
        (&json!(1), &json!("s3"), &json!("203.0.113.7"))
    );
    for part in [
        &format!("uses {}, as the loaded logs tell: from 203.0.113.7", old.id),
        "with batch-job/1.4",
        "for s3",
        &format!("akia usage quiet {} --since ", old.id),
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let notices = home.read("notices.jsonl");
    assert!(notices.contains("\"still-used\"") && notices.contains("from 203.0.113.7"), "{notices}");
    // A person has the last word.
    let id = first["rotation"].as_str().unwrap();
    let done = home.akia(&["resume", id, "--without-evidence", "--yes", "--output", "json"]).done();
    assert_eq!((&rotation(&done)["rest"], active(&cloud, &old)), (&json!("in-grace"), (1, false)));
}

/// Without a use behind the promotion the facts are no matter; facts that cannot be read are told, and AWS's word holds.
#[cfg(feature = "usage")]
#[test]
fn facts_that_cannot_be_read_are_told_and_hold_nothing() {
    let cloud = Backend::Sandbox.open();
    let (home, old) = stage(&cloud, "quiet-for = \"0s\"");
    let home = home.file("state/usage/manifest/0000000001.json", "{broken");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(home.path("state"), mode).unwrap();
    let ran = rotate(&home, &["--service", "billing"]).done();
    assert!(ran.stderr.contains("the facts of akia usage could not be asked"), "{}", ran.stderr);
    assert!(!active(&cloud, &old).1);
}
