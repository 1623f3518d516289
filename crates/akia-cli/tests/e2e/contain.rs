//! `akia contain`: a leaked key is identified, shut and reported, taken back and gone on with, on the sandbox and on moto.

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran};

const SESSIONS: &str = "AkiaDenyEarlierSessions";

fn home(cloud: &Cloud) -> Home {
    Home::new(cloud).profile("admin", &cloud.admin)
}

fn contain(home: &Home, key: &str, more: &[&str]) -> Ran {
    let consent = if more.contains(&"--dry-run") { "--verbose" } else { "--yes" };
    home.akia(&[&["contain", key, "--profile", "admin", "--output", "json", consent][..], more].concat())
}

fn case(ran: &Ran) -> Value {
    ran.json()["cases"][0].clone()
}

fn names(cloud: &Cloud, operation: &str, user: &str, list: &str) -> Vec<String> {
    let answer = cloud.call("iam", operation, json!({ "UserName": user }));
    let name = |one: &Value| one.as_str().or_else(|| one["PolicyName"].as_str()).unwrap().to_owned();
    answer[list].as_array().unwrap().iter().map(name).collect()
}

fn attached(cloud: &Cloud, user: &str) -> Vec<String> {
    names(cloud, "list_attached_user_policies", user, "AttachedPolicies")
}

fn inline(cloud: &Cloud, user: &str) -> Vec<String> {
    names(cloud, "list_user_policies", user, "PolicyNames")
}

fn states(cloud: &Cloud, user: &str) -> Vec<bool> {
    cloud.keys(user).into_iter().map(|key| key.active).collect()
}

fn id(case: &Value) -> String {
    case["containment"].as_str().unwrap().to_owned()
}

/// Shut at once, looked at, told again as contained, and taken back.
fn a_key_is_shut_and_taken_back(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/people/");
    let key = cloud.key("ann");
    let home = home(cloud);
    let ran = contain(&home, &key.id, &["--dry-run"]).done();
    assert_eq!((&case(&ran)["state"], &case(&ran)["strategy"]), (&json!("planned"), &json!("deactivate")));
    assert!(ran.stderr.contains("no profile here holds it (whoever works with it is cut off)"), "{}", ran.stderr);
    assert_eq!((states(cloud, "ann"), inline(cloud, "ann").len()), (vec![true], 0), "a dry run");

    let ran = contain(&home, &key.id, &[]).done();
    let told = case(&ran);
    assert_eq!((&told["state"], &told["user"]), (&json!("contained"), &json!("ann")), "{told}");
    assert!(told["verified_at"].is_string() && ran.stderr.contains("verified: AWS lists it as inactive"), "{told}");
    assert_eq!(states(cloud, "ann"), [false]);
    assert_eq!((attached(cloud, "ann").len(), inline(cloud, "ann")), (0, vec![SESSIONS.to_owned()]));

    let again = contain(&home, &key.id, &[]).done();
    assert!(again.stderr.contains("contained already"), "{}", again.stderr);
    assert_eq!(id(&case(&again)), id(&told));
    home.akia(&["resume", "--profile", "admin"]).done();

    let undone = home.akia(&["undo", &id(&told), "--profile", "admin", "--yes", "--output", "json"]).done();
    assert_eq!(case(&undone)["state"], "undone", "{}", undone.stdout);
    assert_eq!((states(cloud, "ann"), inline(cloud, "ann").len()), (vec![true], 0));
    home.akia(&["undo", &id(&told), "--profile", "admin", "--yes"]).exited(1);
    home.akia(&["history", "verify"]).done();
}

#[test]
fn a_key_is_shut_and_taken_back_on_the_sandbox() {
    a_key_is_shut_and_taken_back(&Backend::Sandbox.open());
}

#[test]
fn a_key_is_shut_and_taken_back_on_moto() {
    a_key_is_shut_and_taken_back(&Backend::Moto.open());
}
