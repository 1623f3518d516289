//! What akia asks of AWS, asked with the real AWS CLI of every backend.
//!
//! Where a backend departs from AWS, the test asserts how: a new version of an emulator that mends it is noticed, and
//! `docs/emulators.md` stays true.

use crate::support::{Backend, Cloud, DIFFERENCES, Fact, Home, Key, Ran, workspace};
use serde_json::{Value, json};
use std::fmt::Write;

on_every_backend!(
    a_key_speaks_for_its_user,
    a_mistyped_secret_and_an_unknown_key_are_told_apart,
    an_inactive_key,
    a_deleted_key,
    a_third_key,
    the_user_that_is_not_named,
    users_and_keys_that_do_not_exist,
    a_key_of_another_user,
    last_use,
    rights,
    conditions_and_mfa,
    sessions,
    roles,
    simulation,
    accounts_of_key_ids,
    shapes,
    another_account,
    events,
    the_credential_report,
    pages,
    a_profile_of_the_home_folder,
);

const UNKNOWN_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const UNKNOWN_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn a_key_speaks_for_its_user(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let identity = cloud.aws_as(&ann.key, &["sts", "get-caller-identity"]).done().json();
    assert_eq!(identity["Arn"], cloud.user_arn("ann"));
    assert_eq!(identity["Account"], cloud.account);
    let user = cloud.aws(&["iam", "get-user", "--user-name", "ann"]).done().json();
    assert_eq!(user["User"]["UserId"], identity["UserId"]);

    cloud.user_without_rights("ben", "/team/a/");
    let arn = format!("arn:aws:iam::{}:user/team/a/ben", cloud.account);
    assert_eq!(cloud.caller(&cloud.key("ben")), Ok(arn), "a path is part of the ARN");
}

fn a_mistyped_secret_and_an_unknown_key_are_told_apart(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let unknown = Key { id: UNKNOWN_ID.to_owned(), secret: UNKNOWN_SECRET.to_owned(), token: None };
    for call in [&["sts", "get-caller-identity"][..], &["iam", "list-access-keys", "--user-name", "ann"]] {
        refused(&cloud.aws_as(&ann.key.mistyped(), call), "SignatureDoesNotMatch");
        refused(&cloud.aws_as(&unknown, call), "InvalidClientTokenId");
    }
}

fn an_inactive_key(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    set_status(cloud, "ann", &second, "Inactive").done();
    // Both may be of the same second, so their order says nothing.
    let listed = cloud.keys("ann");
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|key| key.active == (key.id == ann.key.id)), "{listed:?}");
    let calls = [&["sts", "get-caller-identity"][..], &["iam", "list-access-keys", "--user-name", "ann"]];
    for call in calls {
        let ran = cloud.aws_as(&second, call);
        if cloud.backend.keeps(Fact::InactiveKeyIsRefused) {
            refused(&ran, "InvalidClientTokenId");
        } else {
            ran.done();
        }
    }
    set_status(cloud, "ann", &second, "Inactive").done();
    set_status(cloud, "ann", &second, "Active").done();
    assert_eq!(cloud.caller(&second), Ok(cloud.user_arn("ann")));
    assert_eq!(cloud.caller(&ann.key), Ok(cloud.user_arn("ann")));
}

fn a_deleted_key(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let delete = ["iam", "delete-access-key", "--user-name", "ann", "--access-key-id", &second.id];
    cloud.aws(&delete).done();
    refused(&cloud.aws(&delete), "NoSuchEntity");
    refused(&set_status(cloud, "ann", &second, "Active"), "NoSuchEntity");
    assert_eq!(cloud.caller(&second), Err("InvalidClientTokenId".to_owned()));
    let list = ["iam", "list-access-keys", "--user-name", "ann"];
    refused(&cloud.aws_as(&second, &list), "InvalidClientTokenId");
    assert_eq!(cloud.keys("ann").len(), 1);
    assert_eq!(cloud.caller(&ann.key), Ok(cloud.user_arn("ann")));
}

fn a_third_key(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    set_status(cloud, "ann", &second, "Inactive").done();
    let third = cloud.aws_as(&ann.key, &["iam", "create-access-key", "--user-name", "ann"]);
    if cloud.backend.keeps(Fact::ThirdKeyIsRefused) {
        refused(&third, "LimitExceeded");
        assert_eq!(cloud.keys("ann").len(), 2, "an inactive key counts");
    } else {
        third.done();
        assert_eq!(cloud.keys("ann").len(), 3);
    }
}

fn the_user_that_is_not_named(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let user = cloud.aws_as(&ann.key, &["iam", "get-user"]).done().json();
    let list = cloud.aws_as(&ann.key, &["iam", "list-access-keys"]).done().json();
    let made = cloud.aws_as(&ann.key, &["iam", "create-access-key"]).done().json();
    if cloud.backend.keeps(Fact::CallerIsTheDefaultUser) {
        assert_eq!(user["User"]["UserName"], "ann");
        assert_eq!(list["AccessKeyMetadata"][0]["AccessKeyId"], ann.key.id);
        assert_eq!(made["AccessKey"]["UserName"], "ann");
        assert_eq!(cloud.keys("ann").len(), 2);
    } else {
        assert_eq!(user["User"]["UserName"], "root");
        assert_eq!(list["AccessKeyMetadata"], json!([]));
        assert_eq!(made["AccessKey"]["UserName"], "default");
        assert_eq!(cloud.keys("ann").len(), 1);
    }
}

fn users_and_keys_that_do_not_exist(cloud: &Cloud) {
    cloud.user("ann");
    let unknown = Key { id: UNKNOWN_ID.to_owned(), secret: UNKNOWN_SECRET.to_owned(), token: None };
    refused(&cloud.aws(&["iam", "get-user", "--user-name", "nobody"]), "NoSuchEntity");
    refused(&cloud.aws(&["iam", "create-access-key", "--user-name", "nobody"]), "NoSuchEntity");
    refused(&set_status(cloud, "ann", &unknown, "Inactive"), "NoSuchEntity");
    let delete = ["iam", "delete-access-key", "--user-name", "ann", "--access-key-id", UNKNOWN_ID];
    refused(&cloud.aws(&delete), "NoSuchEntity");
    let last_used = cloud.aws(&["iam", "get-access-key-last-used", "--access-key-id", UNKNOWN_ID]);
    let denied = cloud.backend.keeps(Fact::ForeignKeyIsDenied);
    refused(&last_used, if denied { "AccessDenied" } else { "NoSuchEntity" });
    let list = cloud.aws(&["iam", "list-access-keys", "--user-name", "nobody"]);
    if cloud.backend.keeps(Fact::MissingUserHasNoList) {
        refused(&list, "NoSuchEntity");
    } else {
        assert_eq!(list.done().json()["AccessKeyMetadata"], json!([]));
    }
}

fn a_key_of_another_user(cloud: &Cloud) {
    let ann = cloud.user("ann");
    cloud.user("ben");
    refused(&set_status(cloud, "ben", &ann.key, "Inactive"), "NoSuchEntity");
    let delete = cloud.aws(&["iam", "delete-access-key", "--user-name", "ben", "--access-key-id", &ann.key.id]);
    if cloud.backend.keeps(Fact::DeleteChecksTheUser) {
        refused(&delete, "NoSuchEntity");
        assert_eq!(cloud.keys("ann").len(), 1);
    } else {
        delete.done();
        assert_eq!(cloud.keys("ann").len(), 0);
    }
}

fn last_use(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let ask = || cloud.aws(&["iam", "get-access-key-last-used", "--access-key-id", &ann.key.id]).done().json();
    let never = json!({ "ServiceName": "N/A", "Region": "N/A" });
    assert_eq!(ask(), json!({ "UserName": "ann", "AccessKeyLastUsed": never }), "no date at all before the first use");
    cloud.caller(&ann.key).unwrap();
    let used = ask();
    if cloud.backend.keeps(Fact::UseIsRecorded) {
        assert_eq!(used["AccessKeyLastUsed"]["ServiceName"], "sts");
        assert_eq!(used["AccessKeyLastUsed"]["Region"], "us-east-1");
        assert!(used["AccessKeyLastUsed"]["LastUsedDate"].is_string());
    } else {
        assert_eq!(used["AccessKeyLastUsed"], never);
    }
}

fn rights(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/");
    cloud.user_without_rights("ben", "/");
    let ann = cloud.key("ann");
    let list = |user: &str| cloud.aws_as(&ann, &["iam", "list-access-keys", "--user-name", user]);
    let denied = list("ann");
    refused(&denied, "AccessDenied");
    let expected = format!("User: {} is not authorized to perform: iam:ListAccessKeys", cloud.user_arn("ann"));
    assert!(denied.stderr.contains(&expected), "{}", denied.stderr);

    let allow = |resource: &str| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "iam:List*", "Resource": resource }] });
    for (fact, resource) in [
        (Fact::ResourceIsChecked, cloud.user_arn("ann")),
        (Fact::UserNameVariable, "arn:aws:iam::*:user/${aws:username}".to_owned()),
    ] {
        cloud.policy("ann", "own", &allow(&resource));
        if cloud.backend.keeps(fact) {
            list("ann").done();
        } else {
            refused(&list("ann"), "AccessDenied");
        }
        refused(&list("ben"), "AccessDenied");
    }
    cloud.policy("ann", "own", &allow("*"));
    list("ann").done();
    list("ben").done();
}

fn conditions_and_mfa(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let condition = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    cloud.policy("ann", "own-keys", &cloud.backend.own_keys_policy(&condition));
    let list = ["iam", "list-access-keys", "--user-name", "ann"];
    let without = cloud.aws_as(&ann.key, &list);
    if cloud.backend.keeps(Fact::ConditionsAreChecked) {
        refused(&without, "AccessDenied");
    } else {
        without.done();
        return;
    }
    let serial = cloud.mfa_device("ann");
    let code = cloud.mfa_code(&serial);
    let session = session(cloud, &ann.key, &["--serial-number", &serial, "--token-code", &code]).done();
    let session = Key::from_answer(&session.json());
    let with = cloud.aws_as(&session, &list);
    if cloud.backend.keeps(Fact::MfaSessionCounts) {
        with.done();
    } else {
        refused(&with, "AccessDenied");
    }
}

fn sessions(cloud: &Cloud) {
    let ann = cloud.user("ann");
    if !cloud.backend.keeps(Fact::SessionNeedsNoRight) {
        refused(&session(cloud, &ann.key, &[]), "AccessDenied");
        cloud.policy("ann", "sts", &everything("sts:GetSessionToken"));
    }
    let key = Key::from_answer(&session(cloud, &ann.key, &[]).done().json());
    assert!(key.token.is_some());
    let list = cloud.aws_as(&key, &["iam", "list-access-keys", "--user-name", "ann"]);
    if cloud.backend == Backend::Moto {
        refused(&list, "InvalidClientTokenId");
        assert_eq!(key.id, UNKNOWN_ID);
    } else {
        if cloud.backend.keeps(Fact::SessionWithoutMfaHasNoIam) {
            refused(&list, "InvalidClientTokenId");
        } else {
            list.done();
        }
        assert!(key.id.starts_with("ASIA"), "{}", key.id);
        assert_eq!(cloud.caller(&key), Ok(cloud.user_arn("ann")));
        let other = Key { token: Some("another token".to_owned()), ..key.clone() };
        assert_eq!(cloud.caller(&other), Err("InvalidClientTokenId".to_owned()), "the token is checked");
    }
    let serial = cloud.mfa_device("ann");
    let wrong = session(cloud, &ann.key, &["--serial-number", &serial, "--token-code", "000000"]);
    if cloud.backend.keeps(Fact::WrongMfaCodeIsRefused) {
        refused(&wrong, "AccessDenied");
    } else {
        wrong.done();
    }
}

fn roles(cloud: &Cloud) {
    let ann = cloud.user("ann");
    cloud.policy("ann", "assume", &everything("sts:AssumeRole"));
    let assume = |key: &Key, role: &str| {
        let arn = format!("arn:aws:iam::{}:role/{role}", cloud.account);
        cloud.aws_as(key, &["sts", "assume-role", "--role-arn", &arn, "--role-session-name", "test"])
    };
    let reads = everything("iam:ListAccessKeys");
    cloud.role("by-user", &cloud.user_arn("ann"), &reads);
    let session = Key::from_answer(&assume(&ann.key, "by-user").done().json());
    let arn = format!("arn:aws:sts::{}:assumed-role/by-user/test", cloud.account);
    assert_eq!(cloud.caller(&session), Ok(arn));
    cloud.aws_as(&session, &["iam", "list-access-keys", "--user-name", "ann"]).done();

    cloud.role("by-account", &format!("arn:aws:iam::{}:root", cloud.account), &reads);
    let by_account = assume(&ann.key, "by-account");
    if cloud.backend.keeps(Fact::AccountRootMayBeTrusted) {
        by_account.done();
    } else {
        refused(&by_account, "AccessDenied");
    }
    let missing = assume(&ann.key, "nowhere");
    if cloud.backend.keeps(Fact::MissingRoleIsRefused) {
        refused(&missing, "AccessDenied");
    } else {
        missing.done();
    }
    let ben = cloud.user("ben");
    refused(&assume(&ben.key, "by-user"), "AccessDenied");
}

fn simulation(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/");
    cloud.policy("ann", "some", &everything("iam:CreateAccessKey"));
    let arn = cloud.user_arn("ann");
    let mut call = vec!["iam", "simulate-principal-policy", "--policy-source-arn", &arn, "--resource-arns", &arn];
    call.extend(["--action-names", "iam:CreateAccessKey", "iam:DeleteUser"]);
    let ran = cloud.aws(&call);
    if cloud.backend.keeps(Fact::SimulationAnswers) {
        let answer = ran.done().json();
        let decisions: Vec<&Value> =
            answer["EvaluationResults"].as_array().unwrap().iter().map(|result| &result["EvalDecision"]).collect();
        assert_eq!(decisions, ["allowed", "implicitDeny"]);
    } else {
        assert!(ran.stderr.contains("Unable to parse response") && ran.stderr.contains("500"), "{}", ran.stderr);
    }
}

fn accounts_of_key_ids(cloud: &Cloud) {
    let ann = cloud.user("ann");
    cloud.policy("ann", "info", &everything("sts:GetAccessKeyInfo"));
    let account = |id: &str| {
        let answer = cloud.aws_as(&ann.key, &["sts", "get-access-key-info", "--access-key-id", id]).done().json();
        answer["Account"].as_str().unwrap().to_owned()
    };
    assert_eq!(account(&ann.key.id), cloud.account);
    let elsewhere = account(concat!("ASIA", "QNZGKIQY56JQ7WML"));
    if cloud.backend.keeps(Fact::AccountFromAnyKeyId) {
        assert_eq!(elsewhere, "029608264753");
    } else {
        assert_eq!(elsewhere, cloud.account);
    }
}

fn shapes(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let name = ["iam", "get-user", "--user-name", "ann"];
    let user = cloud.aws(&name).done().json();
    let id = user["User"]["UserId"].as_str().unwrap();
    assert_eq!(id.starts_with("AIDA"), cloud.backend.keeps(Fact::UserIdShape), "{id}");
    assert_eq!(ann.key.secret.len(), 40);
    assert_eq!(ann.key.id.len(), 20);
    assert!(ann.key.id.starts_with("AKIA"));
    let decoded = account_in(&ann.key.id);
    assert_eq!(decoded == Some(cloud.account.clone()), cloud.backend.keeps(Fact::KeyIdHoldsTheAccount), "{decoded:?}");
}

fn another_account(cloud: &Cloud) {
    let ann = cloud.user("ann");
    cloud.caller(&ann.key).unwrap();
    let other = cloud.backend.open();
    refused(&other.aws(&["iam", "get-user", "--user-name", "ann"]), "NoSuchEntity");
    let last_used = other.aws(&["iam", "get-access-key-last-used", "--access-key-id", &ann.key.id]);
    match cloud.backend {
        Backend::Sandbox => refused(&last_used, "AccessDenied"),
        Backend::Moto => assert_eq!(last_used.done().json()["UserName"], "ann"),
        Backend::MiniStack => refused(&last_used, "NoSuchEntity"),
    }
}

fn events(cloud: &Cloud) {
    let ann = cloud.user("ann");
    cloud.caller(&ann.key).unwrap();
    let attribute = format!("AttributeKey=AccessKeyId,AttributeValue={}", ann.key.id);
    let ran = cloud.aws(&["cloudtrail", "lookup-events", "--lookup-attributes", &attribute]);
    match cloud.backend {
        Backend::Sandbox => {
            let events = ran.done().json();
            assert_eq!(events["Events"][0]["AccessKeyId"], ann.key.id);
            assert_eq!(events["Events"][0]["EventName"], "GetCallerIdentity");
        }
        Backend::Moto => assert!(ran.stderr.contains("500"), "{}", ran.stderr),
        Backend::MiniStack => {
            let events = ran.done().json();
            assert_eq!(events["Events"][0]["AccessKeyId"], ann.key.id);
            assert_eq!(events["Events"][0]["EventName"], "POST.sts");
        }
    }
}

fn the_credential_report(cloud: &Cloud) {
    cloud.user("ann");
    // STARTED, INPROGRESS, COMPLETE: asked again until it is there.
    let state = || cloud.aws(&["iam", "generate-credential-report"]).done().json()["State"].to_string();
    assert!((0..10).any(|_| state() == "\"COMPLETE\""), "the report was never complete");
    let query = ["iam", "get-credential-report", "--query", "Content", "--output", "text"];
    let content = cloud.aws(&query).done().stdout;
    let report = String::from_utf8(data_encoding::BASE64.decode(content.trim().as_bytes()).unwrap()).unwrap();
    assert!(report.starts_with("user,arn,user_creation_time,password_enabled,"), "{report}");
    assert_eq!(report.contains("\n<root_account>,"), cloud.backend.keeps(Fact::ReportHasTheRoot), "{report}");
    let line = report.lines().find(|line| line.starts_with("ann,")).expect("a row for ann");
    assert_eq!(line.split(',').nth(8), Some("true"), "access_key_1_active");
}

fn pages(cloud: &Cloud) {
    cloud.user("ann");
    cloud.key("ann");
    let one = cloud.call("iam", "list_access_keys", json!({ "UserName": "ann", "MaxItems": 1 }));
    let length = one["AccessKeyMetadata"].as_array().unwrap().len();
    if cloud.backend.keeps(Fact::ListsHavePages) {
        assert_eq!((length, &one["IsTruncated"]), (1, &json!(true)));
        let params = json!({ "UserName": "ann", "MaxItems": 1, "Marker": one["Marker"] });
        let two = cloud.call("iam", "list_access_keys", params);
        assert_ne!(one["AccessKeyMetadata"][0]["AccessKeyId"], two["AccessKeyMetadata"][0]["AccessKeyId"]);
        assert_eq!(two["IsTruncated"], false);
    } else {
        assert_eq!(length, 2);
    }
}

fn a_profile_of_the_home_folder(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let home = Home::new(cloud)
        .profile("work", &ann.key)
        .file(".aws/config", "[profile work]\nregion = eu-central-1\noutput = text\n");
    let ran = home.aws(&["--profile", "work", "sts", "get-caller-identity", "--query", "Arn"]).done();
    assert_eq!(ran.stdout, format!("{}\n", cloud.user_arn("ann")));
}

#[test]
fn the_page_lists_every_difference() {
    let mut table = String::new();
    writeln!(table, "| AWS documents | moto 5.2 | MiniStack 1.5 | where |\n| --- | --- | --- | --- |").unwrap();
    for row in DIFFERENCES {
        let of = |backend| row.of(backend).unwrap_or("as AWS");
        let (moto, ministack) = (of(Backend::Moto), of(Backend::MiniStack));
        writeln!(table, "| {} | {moto} | {ministack} | {} |", row.aws, row.source).unwrap();
        let differs = Backend::ALL.iter().any(|backend| !backend.keeps(row.fact));
        assert!(differs, "{:?}: every backend does as AWS; drop the row", row.fact);
    }
    let page = std::fs::read_to_string(workspace().join("docs/emulators.md")).unwrap();
    assert!(page.contains(&table), "docs/emulators.md must hold this table:\n\n{table}");
}

#[track_caller]
fn refused(ran: &Ran, code: &str) {
    assert_eq!(ran.refusal(), code, "{}", ran.what);
    assert_ne!(ran.code, 0, "{}", ran.what);
}

fn set_status(cloud: &Cloud, user: &str, key: &Key, status: &str) -> Ran {
    cloud.aws(&["iam", "update-access-key", "--user-name", user, "--access-key-id", &key.id, "--status", status])
}

fn session(cloud: &Cloud, key: &Key, more: &[&str]) -> Ran {
    let mut call = vec!["sts", "get-session-token"];
    call.extend(more);
    cloud.aws_as(key, &call)
}

/// A policy that allows one action on everything.
fn everything(action: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] })
}

/// The account id in a key id: bits 1 to 40 of what follows the prefix, in base32.
fn account_in(id: &str) -> Option<String> {
    let bytes = data_encoding::BASE32.decode(id.get(4..)?.as_bytes()).ok()?;
    let number = bytes[..6].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Some(format!("{:012}", (number & 0x7fff_ffff_ff80) >> 7))
}
