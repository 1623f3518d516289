//! `akia policy check`: what a caller may do, found out without doing it.

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Fact, Home, Key};

on_every_backend!(an_administrator_may_do_everything, what_is_missing_is_named_and_nothing_is_changed);

fn an_administrator_may_do_everything(cloud: &Cloud) {
    let boss = caller(cloud, "boss", "/", &["*"], "*");
    cloud.user("ann");
    let home = Home::new(cloud).profile("default", &boss);
    let ran = home.akia(&["policy", "check", "--user", "ann", "--output", "json"]);
    let simulates = cloud.backend.keeps(Fact::SimulationAnswers);
    // Without a simulation nobody knows about CreateAccessKey, since only making a key shows it.
    let ran = ran.exited(if simulates { 0 } else { 3 });
    let told = ran.json();
    assert_eq!((&told["schema"], &told["simulated"]), (&json!("akia.policy-check/1"), &json!(simulates)));
    assert_eq!((&told["user"], &told["account"]), (&json!("ann"), &json!(cloud.account)));
    for (command, without_simulation) in
        [("status", "yes"), ("retire", "yes"), ("rotate", "unknown"), ("key list", "yes")]
    {
        let expected = if simulates { "yes" } else { without_simulation };
        assert_eq!(command_of(&told, command)["verdict"], expected, "{command}: {}", ran.stderr);
    }
    let update = right_of(&told, "undo", "iam:UpdateAccessKey");
    assert_eq!(update["found_by"], if simulates { "simulation" } else { "trial" });
    assert_eq!(update["resource"], json!(cloud.user_arn("ann")));
    home.akia(&["policy", "check", "undo"]).done();
}

fn what_is_missing_is_named_and_nothing_is_changed(cloud: &Cloud) {
    let ann = caller(cloud, "ann", "/", &["iam:ListAccessKeys", "iam:GetUser"], "*");
    let home = Home::new(cloud).profile("default", &ann);
    let before = (cloud.keys("ann"), home.everything());
    let ran = home.akia(&["policy", "check", "undo", "key", "list", "--output", "json"]);
    if cloud.backend == Backend::Moto {
        // moto denies in the form of EC2's errors, whose code the SDK does not find: that is no "no", and never a "yes".
        let told = ran.exited(3).json();
        assert_eq!(right_of(&told, "undo", "iam:UpdateAccessKey")["answer"], "unknown");
        assert_eq!(command_of(&told, "key list")["verdict"], "yes");
        return;
    }
    let ran = ran.exited(4);
    let told = ran.json();
    let undo = command_of(&told, "undo");
    assert_eq!((&undo["verdict"], &undo["lacks"][0]), (&json!("no"), &json!("iam:UpdateAccessKey")), "{undo}");
    let update = right_of(&told, "undo", "iam:UpdateAccessKey");
    assert_eq!((&update["answer"], &update["found_by"]), (&json!("no"), &json!("trial")));
    let list = command_of(&told, "key list");
    assert_eq!((&list["verdict"], &list["lacks"]), (&json!("yes"), &json!(["iam:GetAccessKeyLastUsed"])), "{list}");
    assert!(ran.stderr.contains("next: akia policy undo (the policy to ask your administrator for)"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("next: akia policy manage-own-keys"), "{}", ran.stderr);
    let only = home.akia(&["policy", "check", "key-list"]).done();
    assert!(only.stdout.contains("iam:ListAccessKeys        required  yes       trial"), "{}", only.stdout);
    assert_eq!((cloud.keys("ann"), home.everything()), before, "nothing may be changed");
}

#[test]
fn without_simulation_the_right_to_create_stays_unknown() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let ran = home.akia(&["policy", "check", "rotate"]).exited(3);
    assert!(ran.stderr.contains("(iam:SimulatePrincipalPolicy is not allowed)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("note: iam:CreateAccessKey: unknown (only making a key shows it)"), "{}", ran.stderr);
    let summary = home.akia(&["policy", "check"]).exited(3);
    let line = |command: &str| summary.stdout.lines().find(|line| line.starts_with(command)).unwrap().to_owned();
    assert!(line("key delete").split_whitespace().eq(["key", "delete", "yes", "-", "-"]), "{}", summary.stdout);
    assert!(line("rotate  ").contains("unknown") && line("rotate  ").ends_with("iam:CreateAccessKey"));
    assert!(line("rotate --user").ends_with("name one with --user NAME"), "{}", summary.stdout);
    assert_eq!(cloud.keys("ann").len(), 1);

    cloud.policy("ann", "ask", &allow(&["iam:SimulatePrincipalPolicy"], "*"));
    cloud.sandbox().clear_log();
    let ran = home.akia(&["policy", "check", "rotate", "setup-create", "key"]).done();
    assert!(ran.stderr.contains(", by IAM's simulation\n"), "{}", ran.stderr);
    let calls: Vec<String> = cloud.sandbox().log().into_iter().map(|call| call.action).collect();
    // One simulation for the user's ARN, one for what takes no resource.
    assert_eq!(calls, ["GetCallerIdentity", "SimulatePrincipalPolicy", "SimulatePrincipalPolicy"]);
    // All may be used but `rotate --user`, which nobody asked about.
    let all = home.akia(&["policy", "check"]).done().stdout;
    assert!(all.lines().any(|line| line.starts_with("rotate --user     no ")), "{all}");
    home.akia(&["policy", "check", "rotate-user"]).exited(4);
    let shown = home.akia(&["policy", "check", "undo", "--show-aws-cli"]).done().stderr;
    let command = format!("simulate-principal-policy --policy-source-arn {}", cloud.user_arn("ann"));
    assert!(shown.contains(&command), "{command} in {shown}");
}

#[test]
fn the_printed_policies_of_contain_and_scan_are_enough_for_them() {
    let cloud = Backend::Sandbox.open();
    cloud.user("ann");
    let boss = caller(&cloud, "boss", "/", &["iam:SimulatePrincipalPolicy"], "*");
    let home = Home::new(&cloud).profile("default", &boss);
    let lacking = home.akia(&["policy", "check", "contain", "scan", "--user", "ann", "--output", "json"]).exited(4);
    for command in ["contain", "scan --snapshot", "scan --user-data"] {
        assert_eq!(command_of(&lacking.json(), command)["verdict"], "no", "{command}");
        let next = format!("next: akia policy {command} (the policy to ask");
        assert!(lacking.stderr.contains(&next), "{next} in {}", lacking.stderr);
    }
    // Boss's own business is not stopped by what hardly anybody needs.
    cloud.policy("boss", "own", &allow(&["iam:*"], "arn:aws:iam::*:user/${aws:username}"));
    home.akia(&["policy", "check"]).done();

    for job in ["contain", "scan"] {
        let policy: Value = serde_json::from_str(&home.akia(&["policy", job]).done().stdout).unwrap();
        cloud.policy("boss", job, &policy);
    }
    for words in [&["contain", "scan", "--user", "ann"][..], &["contain", "scan"]] {
        let told = home.akia(&[&["policy", "check", "--output", "json"], words].concat()).done().json();
        for command in ["contain", "scan --snapshot", "scan --user-data"] {
            let one = command_of(&told, command);
            assert_eq!((&one["verdict"], &one["lacks"], &one["unknown"]), (&json!("yes"), &json!([]), &json!([])));
        }
        // It may be attached because it is AWS's deny policy, and no other.
        assert_eq!(right_of(&told, "contain", "iam:AttachUserPolicy")["found_by"], "simulation");
        let block = right_of(&told, "scan --snapshot", "ebs:GetSnapshotBlock");
        assert_eq!(block["resource"], "arn:aws:ec2:*::snapshot/*");
    }
}

#[test]
fn a_user_below_a_path_is_pointed_to_the_policy_that_fits() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/team/");
    cloud.policy("ann", "own-keys", &cloud.backend.own_keys_policy(&json!({})));
    cloud.policy("ann", "ask", &allow(&["iam:SimulatePrincipalPolicy"], "*"));
    let home = Home::new(&cloud).profile("default", &cloud.key("ann"));
    let ran = home.akia(&["policy", "check", "rotate", "--output", "csv"]).exited(4);
    let arn = format!("arn:aws:iam::{}:user/team/ann", cloud.account);
    assert!(ran.stdout.starts_with("command,right,need,answer,found_by,resource,reason\n"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains(&format!("rotate,iam:CreateAccessKey,required,no,simulation,{arn},\n")),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("next: akia policy rotate-own-keys --path-aware ("), "{}", ran.stderr);
}

#[test]
fn a_denial_for_want_of_mfa_says_so() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let deny = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Action": ["iam:UpdateAccessKey", "iam:DeleteAccessKey"], "Resource": "*",
        "Condition": { "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } },
    }] });
    cloud.policy("ann", "mfa", &deny);
    let serial = cloud.mfa_device("ann");
    let home = Home::new(&cloud)
        .profile("default", &ann.key)
        .file(".aws/config", format!("[default]\nmfa_serial = {serial}\n"));
    // By trial first, then by simulation, which has to be told of the session.
    for way in ["trial", "simulation"] {
        let refused = home.akia(&["policy", "check", "undo", "--output", "json"]).exited(4);
        assert!(refused.stderr.contains("no code was given: add --mfa-code CODE"), "{}", refused.stderr);
        let update = right_of(&refused.json(), "undo", "iam:UpdateAccessKey");
        assert_eq!((&update["answer"], &update["found_by"]), (&json!("no"), &json!(way)));
        let code = cloud.mfa_code(&serial);
        let told = home.akia(&["policy", "check", "undo", "--mfa-code", &code, "--output", "json"]).done();
        assert!(!told.stderr.contains("--mfa-code"), "{}", told.stderr);
        let update = right_of(&told.json(), "undo", "iam:UpdateAccessKey");
        assert_eq!((&update["answer"], &update["found_by"]), (&json!("yes"), &json!(way)));
        cloud.policy("ann", "ask", &allow(&["iam:SimulatePrincipalPolicy"], "*"));
    }
}

#[test]
fn a_policy_that_looks_at_what_the_simulation_does_not_know_is_tried() {
    let cloud = Backend::Sandbox.open();
    let ann = caller(&cloud, "ann", "/", &["iam:ListAccessKeys", "iam:SimulatePrincipalPolicy"], "*");
    let mut from_here = allow(&["iam:UpdateAccessKey", "iam:CreateAccessKey"], "*");
    from_here["Statement"][0]["Condition"] = json!({ "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } });
    cloud.policy("ann", "from-here", &from_here);
    let home = Home::new(&cloud).profile("default", &ann);
    let told = home.akia(&["policy", "check", "undo", "key-create", "--output", "json"]).exited(3).json();
    let update = right_of(&told, "undo", "iam:UpdateAccessKey");
    assert_eq!((&update["answer"], &update["found_by"]), (&json!("yes"), &json!("trial")), "{update}");
    let create = right_of(&told, "key create", "iam:CreateAccessKey");
    let doubt = "the simulation denies it, but knows nothing of aws:SourceIp, which a policy looks at";
    assert_eq!((&create["answer"], &create["reason"]), (&json!("unknown"), &json!(doubt)), "{create}");
}

#[test]
fn roles_and_root_are_told_what_makes_no_sense_for_them() {
    let cloud = Backend::Sandbox.open();
    let boss = caller(&cloud, "boss", "/", &["*"], "*");
    cloud.user("ann");
    let role = cloud.role("keeper", &format!("arn:aws:iam::{}:root", cloud.account), &allow(&["*"], "*"));
    let root = cloud.sandbox().account().add_root_key(jiff::Timestamp::now()).unwrap();
    let root = Key { id: root.id, secret: root.secret, token: None };
    let home = Home::new(&cloud)
        .profile("base", &boss)
        .profile("root", &root)
        .file(".aws/config", format!("[profile keeper]\nrole_arn = {role}\nsource_profile = base\n"));
    let as_role =
        |words: &[&str]| home.akia(&[&["policy", "check", "-p", "keeper", "--output", "json"], words].concat());
    let all = as_role(&[]).done();
    let rotate = command_of(&all.json(), "rotate").clone();
    assert_eq!(
        (&rotate["verdict"], &rotate["inapplicable"]),
        (&json!("not-applicable"), &json!("a role has no access keys of its own"))
    );
    assert_eq!(command_of(&all.json(), "rotate --user")["verdict"], "yes");
    let simulate = right_of(&all.json(), "policy check", "iam:SimulatePrincipalPolicy");
    assert_eq!(simulate["resource"], json!(role), "the role, not its session");
    assert!(all.stderr.contains("setup, status and rotate work on one's own keys, and a role has none"));
    assert!(all.stderr.contains("checked for every user of the account; for one of them: --user NAME"));
    as_role(&["rotate"]).exited(4);
    as_role(&["policy", "check"]).done();
    let named = as_role(&["rotate", "--user", "ann"]).done().json();
    assert_eq!(right_of(&named, "rotate --user", "iam:GetUser")["resource"], json!(cloud.user_arn("ann")));

    cloud.sandbox().clear_log();
    let told = home.akia(&["policy", "check", "-p", "root", "--output", "json"]).done();
    assert_eq!(command_of(&told.json(), "key delete")["rights"][0]["found_by"], "root");
    assert_eq!(command_of(&told.json(), "rotate")["inapplicable"], "akia touches no root keys");
    assert!(told.stderr.contains("the root user may do everything that no policy of the organization forbids"));
    assert_eq!(cloud.sandbox().log().len(), 1, "only GetCallerIdentity");
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_to_do() {
    let cloud = Backend::Sandbox.open();
    let boss = caller(&cloud, "boss", "/", &["*"], "*");
    let home = Home::new(&cloud).profile("default", &boss).profile("typo", &boss.mistyped());
    for (words, code, told) in [
        (&["rotat"][..], 2, "error: \"rotat\" is none of the commands that need rights in AWS; there are setup, "),
        (&["key", "lst"], 2, "error: \"lst\" is none of the commands"),
        (&["rotate", "--user", "nobody"], 1, &format!("error: account {} has no user nobody\n", cloud.account)),
        (&["-p", "nosuch"], 1, "error: there is no profile \"nosuch\""),
        (&["-p", "typo"], 1, "the secret does not belong to this key id"),
        (&["--endpoint-url", "http://127.0.0.1:1"], 1, "not reachable"),
    ] {
        let ran = home.akia(&[&["policy", "check"], words].concat()).exited(code);
        assert!(ran.stderr.contains(told), "{words:?}: {told} in {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{words:?}");
    }
}

/// A user with one key and these rights.
fn caller(cloud: &Cloud, name: &str, path: &str, actions: &[&str], resource: &str) -> Key {
    cloud.user_without_rights(name, path);
    cloud.policy(name, "rights", &allow(actions, resource));
    cloud.key(name)
}

fn allow(actions: &[&str], resource: &str) -> Value {
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

#[track_caller]
fn command_of<'a>(told: &'a Value, command: &str) -> &'a Value {
    let rows = told["commands"].as_array().unwrap();
    rows.iter().find(|row| row["command"] == command).unwrap_or_else(|| panic!("no {command} in {told}"))
}

#[track_caller]
fn right_of(told: &Value, command: &str, right: &str) -> Value {
    let rights = command_of(told, command)["rights"].as_array().unwrap();
    rights.iter().find(|row| row["right"] == right).unwrap_or_else(|| panic!("no {right} of {command}")).clone()
}
