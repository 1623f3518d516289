//! The printed policies and the lists of rights, judged by what AWS documents: the grammar of the policy language, and the actions and
//! resource types of the Service Authorization Reference.

#![expect(clippy::unwrap_used, reason = "helpers of tests stand outside #[test]")]

use std::collections::{BTreeMap, BTreeSet};

use akia_core::policy::{
    Command, Duty, JobPolicy, LambdaRights, Need, PolicyDocument, PolicyOptions, ResourceForm, ScanSource,
    contain_policy, lambda_policy, required_actions, scan_policy, service_policy, usage_policy,
};
use akia_core::usage::actions;
use akia_core::{Partition, UserArn};
use serde_json::Value;

/// Action → resource types; no types at all: only `"Resource": "*"` works.
fn reference() -> BTreeMap<String, BTreeSet<&'static str>> {
    let all = actions::services().iter().flat_map(actions::KnownService::actions);
    all.map(|action| (action.to_string(), action.types().map(|one| one.name).collect())).collect()
}

fn every_document() -> Vec<(String, Value)> {
    let mut documents = Vec::new();
    for job in JobPolicy::ALL {
        for partition in Partition::ALL {
            for (require_mfa, path_aware) in [(false, false), (false, true), (true, false), (true, true)] {
                for security_hub in [false, true] {
                    let options = PolicyOptions { partition, require_mfa, path_aware, security_hub };
                    let text = job.document(&options).to_pretty_json();
                    documents.push((format!("{} {options:?}", job.as_str()), serde_json::from_str(&text).unwrap()));
                }
            }
        }
    }
    for duty in [Duty::Audit { security_hub: true }].into_iter().chain(Duty::ENFORCEMENT) {
        for partition in Partition::ALL {
            let text = duty.policy(partition).to_pretty_json();
            documents.push((format!("{duty:?} {partition}"), serde_json::from_str(&text).unwrap()));
        }
    }
    for partition in Partition::ALL {
        let text = scan_policy(partition, &ScanSource::ALL).to_pretty_json();
        documents.push((format!("scan {partition}"), serde_json::from_str(&text).unwrap()));
        let text = contain_policy(partition).to_pretty_json();
        documents.push((format!("contain {partition}"), serde_json::from_str(&text).unwrap()));
        let key = format!("arn:{partition}:kms:us-east-1:111122223333:key/example");
        let text = usage_policy(partition, &["example-trail".to_owned()], Some(&key)).to_pretty_json();
        documents.push((format!("usage {partition}"), serde_json::from_str(&text).unwrap()));
        let boundary = "arn:aws:iam::123456789012:policy/boundary".parse().unwrap();
        for boundary in [None, Some(&boundary)] {
            let text = service_policy(partition, &"/service/".parse().unwrap(), boundary).to_pretty_json();
            documents.push((format!("service {partition}"), serde_json::from_str(&text).unwrap()));
        }
        for kms_key in [None, Some(format!("arn:{partition}:kms:*:*:key/1234abcd-12ab-34cd-56ef-1234567890ab"))] {
            let rights = LambdaRights {
                partition,
                secret: format!("arn:{partition}:secretsmanager:*:*:secret:service/*"),
                user: format!("arn:{partition}:iam::*:user/service-*"),
                kms_key,
            };
            let text = lambda_policy(&rights).to_pretty_json();
            documents.push((format!("lambda {partition}"), serde_json::from_str(&text).unwrap()));
        }
    }
    documents
}

/// The resource types whose ARNs an ARN of a policy is, in the forms of the Service Authorization Reference; none where it has the
/// form of no resource that akia's policies are about.
fn resource_types(resource: &str) -> Option<&'static [&'static str]> {
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let [arn, partition, service, region, account, rest] = parts[..] else { return None };
    if arn != "arn" || partition.parse::<Partition>().is_err() {
        return None;
    }
    Some(match (service, region, account) {
        ("iam", "", "*") if rest.starts_with("user/") => &["user"],
        ("iam", "", "*") if rest.starts_with("group/") => &["group"],
        ("securityhub", "*", "*") if rest == "product/*/default" => &["product"],
        ("ec2", "*", "") if rest == "snapshot/*" => &["snapshot"],
        ("secretsmanager", "*", "*") if rest.starts_with("secret:") => &["Secret"],
        ("kms", "*" | "us-east-1", "*" | "111122223333") if rest.starts_with("key/") => &["key"],
        ("s3", "", "") if rest.contains('/') => &["object"],
        ("s3", "", "") => &["bucket"],
        // The star reaches over `:log-stream:`, too.
        ("logs", "*", "*") if rest.starts_with("log-group:") && rest.ends_with('*') => &["log-group", "log-stream"],
        _ => return None,
    })
}

fn values(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().map(|item| item.as_str().unwrap()).collect(),
        other => panic!("neither a string nor a list: {other}"),
    }
}

/// Policy variables that IAM documents and that akia uses.
const VARIABLES: [&str; 1] = ["${aws:username}"];

/// Checks one document against the grammar; `Err` names the first fault.
fn grammar(document: &Value) -> Result<(), String> {
    let check = |holds: bool, fault: String| if holds { Ok(()) } else { Err(fault) };
    let top = document.as_object().ok_or("not an object")?;
    check(
        top.keys().eq(["Version", "Statement"].iter()) || top.keys().eq(["Statement", "Version"].iter()),
        format!("elements {:?}", top.keys()),
    )?;
    check(document["Version"] == "2012-10-17", "version".into())?;
    let mut sids = BTreeSet::new();
    for statement in document["Statement"].as_array().ok_or("no list of statements")? {
        let fields = statement.as_object().ok_or("a statement is no object")?;
        for name in fields.keys() {
            check(
                ["Sid", "Effect", "Action", "Resource", "Condition"].contains(&name.as_str()),
                format!("element {name}"),
            )?;
        }
        let sid = statement["Sid"].as_str().ok_or("no sid")?;
        check(!sid.is_empty() && sid.bytes().all(|b| b.is_ascii_alphanumeric()), format!("sid {sid}"))?;
        check(sids.insert(sid), format!("sid {sid} twice"))?;
        check(statement["Effect"] == "Allow" || statement["Effect"] == "Deny", format!("effect of {sid}"))?;
        let actions = values(&statement["Action"]);
        check(!actions.is_empty(), format!("no action in {sid}"))?;
        for action in actions {
            let (service, name) = action.split_once(':').ok_or(format!("action {action}"))?;
            let fits = service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && name.bytes().all(|b| b.is_ascii_alphanumeric());
            check(fits, format!("action {action}"))?;
        }
        let resources = values(&statement["Resource"]);
        check(!resources.is_empty(), format!("no resource in {sid}"))?;
        for resource in resources {
            let mut rest = resource.to_owned();
            for variable in VARIABLES {
                rest = rest.replace(variable, "");
            }
            check(!rest.contains(['$', '{', '}']), format!("unknown variable in {resource}"))?;
            // A variable holds a colon, so that the sixth part may have one.
            check(resource == "*" || resource_types(resource).is_some(), format!("resource {resource}"))?;
        }
        if let Some(condition) = statement.get("Condition") {
            for (operator, keys) in condition.as_object().ok_or("a condition is no object")? {
                check(
                    ["ArnEquals", "BoolIfExists", "ForAllValues:StringLike", "Null", "StringEquals"]
                        .contains(&operator.as_str()),
                    format!("operator {operator}"),
                )?;
                for (key, value) in keys.as_object().ok_or("a condition's keys are no object")? {
                    const KEYS: [&str; 4] =
                        ["aws:MultiFactorAuthPresent", "aws:TagKeys", "iam:PermissionsBoundary", "iam:PolicyARN"];
                    check(KEYS.contains(&key.as_str()), format!("key {key}"))?;
                    check(!values(value).is_empty(), format!("no value for {key}"))?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_policy_keeps_to_the_grammar() {
    for (name, document) in every_document() {
        assert_eq!(grammar(&document), Ok(()), "{name}");
    }
}

#[test]
fn the_grammar_check_can_fail() {
    let good = JobPolicy::ManageOwnKeys.document(&PolicyOptions::default()).to_compact_json();
    for (from, to, fault) in [
        ("2012-10-17", "2008-10-17", "version"),
        ("\"Sid\":\"ManageOwnAccessKeys\"", "\"Sid\":\"Manage own\"", "sid Manage own"),
        ("DescribeOwnAccessKeys", "ManageOwnAccessKeys", "sid ManageOwnAccessKeys twice"),
        ("iam:GetUser", "iam:Get User", "action iam:Get User"),
        ("aws:username", "aws:user", "unknown variable in arn:aws:iam::*:user/${aws:user}"),
        ("arn:aws:iam::*:user/", "arn:aws:iam:user/", "resource arn:aws:iam:user/${aws:username}"),
        ("\"Null\"", "\"Nil\"", "operator Nil"),
        (
            "\"Effect\":\"Allow\",\"Action\":\"iam:TagUser\"",
            "\"Effect\":\"allow\",\"Action\":\"iam:TagUser\"",
            "effect of DescribeOwnAccessKeys",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let bad: Value = serde_json::from_str(&good.replace(from, to)).unwrap();
        assert_eq!(grammar(&bad), Err(fault.to_owned()));
    }
}

#[test]
fn every_action_exists_and_supports_its_resource() {
    let reference = reference();
    assert!(reference.len() > 20_000, "the list of actions is cut short");
    for (name, document) in every_document() {
        for statement in document["Statement"].as_array().unwrap() {
            for action in values(&statement["Action"]) {
                let types = reference.get(action).unwrap_or_else(|| panic!("{name}: there is no action {action}"));
                for resource in values(&statement["Resource"]) {
                    let kinds = resource_types(resource).unwrap_or_default();
                    assert!(
                        resource == "*" || kinds.iter().any(|kind| types.contains(kind)),
                        "{name}: {action} does not take {resource} as its resource"
                    );
                    assert!(
                        types.is_empty()
                            || resource != "*"
                            || !action.starts_with("securityhub:") && !action.starts_with("ebs:"),
                        "{name}: {action}"
                    );
                }
            }
        }
    }
    for command in Command::ALL {
        for action in required_actions(command) {
            let types = reference.get(action.name).unwrap_or_else(|| panic!("there is no action {}", action.name));
            // Asked for all users at once, it names no user.
            let names_user = types.contains("user") && action.name != "iam:ListServiceSpecificCredentials";
            assert_eq!(names_user, action.resource == ResourceForm::User, "{}", action.name);
            // The others name nothing either: their listings take no resource, or they are asked for everything.
            let names_snapshot = action.name.starts_with("ebs:");
            assert_eq!(names_snapshot, action.resource == ResourceForm::Snapshot, "{}", action.name);
        }
    }
}

#[test]
fn the_commands_need_no_more_than_their_policies_grant() {
    let names = |document: PolicyDocument| -> BTreeSet<String> {
        document.statement.iter().flat_map(|statement| statement.action.as_slice().to_vec()).collect()
    };
    let granted = |job: JobPolicy| names(job.document(&PolicyOptions::default()));
    let needed = |commands: &[Command]| -> BTreeSet<String> {
        commands.iter().flat_map(|command| required_actions(*command)).map(|one| one.name.to_owned()).collect()
    };
    let scans = [Command::ScanSnapshot, Command::ScanUserData];
    assert_eq!(needed(&[Command::Contain]), names(contain_policy(Partition::Aws)), "exactly what is granted");
    assert_eq!(needed(&scans), names(scan_policy(Partition::Aws, &ScanSource::ALL)));
    for (command, job) in [
        (Command::Rotate, JobPolicy::RotateOwnKeys),
        (Command::RotateOthers, JobPolicy::RotateOthersKeys),
        (Command::Undo, JobPolicy::RotateOwnKeys),
        (Command::Retire, JobPolicy::RotateOwnKeys),
        (Command::SetupCreate, JobPolicy::CreateOwnKeys),
        (Command::KeyDelete, JobPolicy::ManageOwnKeys),
        (Command::Status, JobPolicy::ManageOwnKeys),
        (Command::KeyDeactivate, JobPolicy::ManageOwnKeys),
    ] {
        for action in required_actions(command) {
            assert!(granted(job).contains(action.name), "{} lacks {}", job.as_str(), action.name);
        }
    }
}

/// The AWS quota for the inline policies of a user, white space not counted.
#[test]
fn every_policy_fits_into_an_inline_policy_of_a_user() {
    for (name, document) in every_document() {
        let length = document.to_string().chars().filter(|c| !c.is_whitespace()).count();
        assert!(length <= 2048, "{name} has {length} characters");
    }
}

/// The wildcard match of IAM: `*` matches any run of characters, slashes too; `?` one.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(&pattern[1..], &text[at..]))
        }
        Some(c) => text.strip_prefix(c).is_some_and(|rest| matches(&pattern[c.len_utf8()..], rest)),
    }
}

#[test]
fn path_aware_policies_match_the_own_user_under_any_path_and_nobody_else() {
    let covers = |path_aware: bool, caller: &str, target: &str| {
        let document = JobPolicy::ManageOwnKeys.document(&PolicyOptions { path_aware, ..PolicyOptions::default() });
        let caller: UserArn = caller.parse().unwrap();
        let patterns = document.statement[0].resource.as_slice().to_vec();
        patterns.iter().any(|pattern| matches(&pattern.replace("${aws:username}", caller.name.as_str()), target))
    };
    let plain = "arn:aws:iam::123456789012:user/bob";
    let in_path = "arn:aws:iam::123456789012:user/team/ops/bob";
    let namesake = "arn:aws:iam::123456789012:user/alice-bob";
    let below = "arn:aws:iam::123456789012:user/bob/alice";
    assert!(covers(false, plain, plain));
    assert!(!covers(false, in_path, in_path), "this is why --path-aware exists");
    assert!(covers(true, plain, plain));
    assert!(covers(true, in_path, in_path));
    for stranger in [namesake, below] {
        assert!(!covers(true, plain, stranger), "{stranger}");
    }
}

/// The table of rights in `docs/policies.md` is the one of the code, with what each right is for.
#[test]
fn the_page_lists_the_rights_of_every_command() {
    let row = |command: Command| {
        let actions = required_actions(command).iter().map(move |action| {
            let need = match action.need {
                Need::Required => "needed",
                Need::Optional => "of use",
            };
            format!("| `{}` | `{}` | {need} | {} |\n", command.as_str(), action.name, action.why)
        });
        actions.collect::<String>()
    };
    let expected: String = Command::ALL.into_iter().map(row).collect();
    assert!(
        include_str!("../../../docs/policies.md").contains(&expected),
        "put this into docs/policies.md:\n{expected}"
    );
}

#[test]
fn three_actions_change_keys_and_no_other_does() {
    let actions = Command::ALL.into_iter().flat_map(required_actions);
    let changing: BTreeSet<&str> = actions.filter(|action| action.changes_keys()).map(|action| action.name).collect();
    assert_eq!(changing, ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey"].into());
}

#[test]
fn the_page_lists_every_policy() {
    for job in JobPolicy::ALL {
        assert!(
            include_str!("../../../docs/policies.md").contains(&format!("| `{}` |", job.as_str())),
            "{}",
            job.as_str()
        );
    }
}
