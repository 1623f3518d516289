//! `akia history seal` and `verify --sealed`, with buckets under Object Lock on moto.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran};

struct Scene {
    bucket: String,
    place: String,
    cloud: Cloud,
    home: Home,
}

impl Scene {
    /// A machine with a journal of one rotation, and a bucket with Object Lock.
    fn new() -> Self {
        let cloud = Backend::Moto.open();
        // Accounts share the names of buckets, on moto as on AWS.
        let bucket = format!("example-log-{}", cloud.account);
        cloud.call("s3", "create_bucket", json!({ "Bucket": bucket, "ObjectLockEnabledForBucket": true }));
        let ann = cloud.user("ann");
        let home = Home::new(&cloud)
            .profile("default", &ann.key)
            .profile("admin", &cloud.admin)
            .with("AWS_REGION", "us-east-1")
            .without("AWS_PROFILE");
        home.akia(&["rotate", "--yes"]).done();
        Self { place: format!("s3://{bucket}/akia"), bucket, cloud, home }
    }

    fn history(&self, arguments: &[&str]) -> Ran {
        self.home.akia(&[&["history"], arguments, &["--profile", "admin", "--output", "json"]].concat())
    }

    fn seal(&self) -> Value {
        self.history(&["seal", &self.place, "--retain", "400d"]).done().json()["checkpoints"][0].clone()
    }

    fn journal(&self) -> PathBuf {
        PathBuf::from(self.home.variable("AKIA_STATE_DIR").unwrap()).join("journal.db")
    }

    /// The key of a checkpoint's object.
    fn key(&self, checkpoint: &Value) -> String {
        let address = checkpoint["object"].as_str().unwrap();
        address.strip_prefix(&format!("s3://{}/", self.bucket)).unwrap().to_owned()
    }
}

#[test]
fn a_journal_contains_what_was_sealed_and_one_that_was_rewritten_does_not() {
    let scene = Scene::new();
    let early = fs::read(scene.journal()).unwrap();
    scene.home.akia(&["undo", "--yes"]).done();
    let checkpoint = scene.seal();
    let params = json!({ "Bucket": scene.bucket, "Key": scene.key(&checkpoint) });
    let object = scene.cloud.call("s3", "head_object", params);
    assert_eq!(object["ObjectLockMode"], "COMPLIANCE", "{object}");
    let until = &object["ObjectLockRetainUntilDate"].as_str().unwrap()[..10];
    assert!(checkpoint["locked_until"].as_str().unwrap().starts_with(until), "{checkpoint} {until}");

    let verified = scene.history(&["verify", "--sealed", &scene.place]).done();
    assert_eq!(verified.json()["checkpoints"], 1);
    assert_eq!(verified.json()["sealed_records"], checkpoint["records"]);
    assert_eq!(verified.json()["heads"][0]["hash"], checkpoint["hash"]);

    // The journal as it was before the undo: whole by itself.
    fs::write(scene.journal(), early).unwrap();
    scene.history(&["verify"]).done();
    let ran = scene.history(&["verify", "--sealed", &scene.place]).exited(1);
    assert!(ran.stderr.contains("tampered") && ran.stderr.contains(checkpoint["hash"].as_str().unwrap()), "{ran:?}");
}

#[test]
fn sealing_the_same_journal_again_finds_the_checkpoint_there() {
    let scene = Scene::new();
    let first = scene.seal();
    let again = scene.history(&["seal", &scene.place, "--retain", "500d"]).done();
    assert_eq!(again.json()["checkpoints"][0], first, "it stays locked as it was");
    assert!(again.stderr.contains("was sealed already"), "{}", again.stderr);
}

#[test]
fn what_is_deleted_or_overwritten_in_the_bucket_is_read_all_the_same() {
    let scene = Scene::new();
    let checkpoint = scene.seal();
    let key = scene.key(&checkpoint);
    scene.cloud.call("s3", "delete_object", json!({ "Bucket": scene.bucket, "Key": key }));
    scene.cloud.call("s3", "put_object", json!({ "Bucket": scene.bucket, "Key": key, "Body": "{}" }));
    let ran = scene.history(&["verify", "--sealed", &scene.place]).done();
    assert_eq!(ran.json()["checkpoints"], 1, "{ran:?}");
    assert!(ran.stderr.contains("somebody has deleted 1 of the checkpoints"), "{}", ran.stderr);
    assert!(ran.stderr.contains("it is no signed envelope"), "{}", ran.stderr);
    let ran = scene.history(&["verify", "--sealed", &scene.place, "--signer", &"0".repeat(64)]).exited(1);
    assert!(ran.stderr.contains("has no checkpoint that key 0000"), "{}", ran.stderr);
}

#[test]
fn a_place_of_a_checkpoint_that_is_taken_by_something_else_is_told() {
    let scene = Scene::new();
    let checkpoint = scene.seal();
    let key = scene.key(&checkpoint).replace("akia/akia-journal", "other/akia-journal");
    scene.cloud.call("s3", "put_object", json!({ "Bucket": scene.bucket, "Key": key, "Body": "{}" }));
    let ran = scene.history(&["seal", &scene.place.replace("/akia", "/other"), "--retain", "1d"]).exited(1);
    assert!(ran.stderr.contains("is there already, and no checkpoint of this journal"), "{}", ran.stderr);
}

#[test]
fn a_bucket_that_locks_nothing_is_refused_before_anything_is_written() {
    let scene = Scene::new();
    let plain = format!("example-plain-{}", scene.cloud.account);
    scene.cloud.call("s3", "create_bucket", json!({ "Bucket": plain }));
    let ran = scene.history(&["seal", &format!("s3://{plain}")]).exited(1);
    assert!(ran.stderr.contains("has no Object Lock"), "{}", ran.stderr);
    let ran = scene.history(&["seal", &scene.place]).exited(1);
    assert!(ran.stderr.contains("does not lock new objects by itself"), "{}", ran.stderr);
    for bucket in [&plain, &scene.bucket] {
        let listed = scene.cloud.call("s3", "list_objects_v2", json!({ "Bucket": bucket }));
        assert_eq!(listed["KeyCount"], 0, "{listed}");
    }
    let ran = scene.history(&["seal", "s3://example-missing", "--retain", "1d"]).exited(1);
    assert!(ran.stderr.contains("NoSuchBucket") || ran.stderr.contains("does not exist"), "{}", ran.stderr);
    let ran = scene.history(&["seal"]).exited(2);
    assert!(ran.stderr.contains("no place for checkpoints is named"), "{}", ran.stderr);
}

#[test]
fn a_bucket_that_locks_by_itself_needs_no_time() {
    let scene = Scene::new();
    let rule = json!({ "DefaultRetention": { "Mode": "GOVERNANCE", "Days": 30 } });
    let lock = json!({ "ObjectLockEnabled": "Enabled", "Rule": rule });
    let params = json!({ "Bucket": scene.bucket, "ObjectLockConfiguration": lock });
    scene.cloud.call("s3", "put_object_lock_configuration", params);
    let ran = scene.history(&["seal", &scene.place]).done();
    assert!(ran.stderr.contains("it is locked in GOVERNANCE mode"), "{}", ran.stderr);
}

#[test]
fn enforcement_seals_after_each_run_where_the_settings_say_so() {
    let scene = Scene::new();
    scene.cloud.user_without_rights("ben", "/");
    let key = scene.cloud.key("ben");
    let settings = format!(
        "[audit]\nunused = \"1s\"\n[enforce]\nrules = [\"key-never-used\"]\n[notify]\ndefault = [\"log\"]\n\
         [notify.channels.log]\nkind = \"file\"\npath = {:?}\n[journal]\nseal = {:?}\nretain = \"1d\"\n",
        scene.home.path("notices.jsonl"),
        scene.place
    );
    let Scene { bucket, place, cloud, home } = scene;
    let scene = Scene { bucket, place, cloud, home: home.file("akia.toml", settings) };
    let run =
        |arguments: &[&str]| scene.home.akia(&[arguments, &["--config", "akia.toml", "--profile", "admin"]].concat());
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    run(&["audit"]);
    run(&["enforce", "plan", "-o", "plan.json"]).done();
    let ran = run(&["enforce", "apply", "plan.json", "--yes"]);
    assert!(ran.stdout.contains(&key.id) && ran.stderr.contains("the journal is sealed: s3://"), "{ran:?}");
    let verified = run(&["history", "verify", "--sealed", "--output", "json"]).done().json();
    assert_eq!(verified["checkpoints"], 1, "{verified}");
    assert_eq!(verified["sealed_records"], verified["heads"][0]["records"], "nothing came after it");

    // What was done is done, and that it could not be sealed is said.
    scene.cloud.key("ben");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    run(&["audit"]);
    let elsewhere = scene.home.read("akia.toml").replace(&scene.place, "s3://example-missing");
    std::fs::write(scene.home.path("akia.toml"), elsewhere).unwrap();
    run(&["enforce", "plan", "-o", "plan.json"]).done();
    let ran = run(&["enforce", "apply", "plan.json", "--yes"]).exited(3);
    assert!(ran.stderr.contains("akia history seal"), "{}", ran.stderr);
}
