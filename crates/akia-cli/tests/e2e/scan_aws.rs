//! What a scan reads of an account, from moto, which other people wrote: every place with a key planted in it.

use std::collections::BTreeMap;

use akia_core::leak::{Detector, Options, Part, Why};
use akia_core::secret::SecretAccessKey;
use akia_core::{AccessKeyId, Region};
use akia_io::aws::{Aws, AwsOptions, Caller, Credentials};
use akia_io::exposure::snapshot::{self, Block};
use akia_io::exposure::{Piece, user_data};
use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Backend, Cloud, Home, Key};

/// Bytes of a block in moto; AWS's are 512 KiB.
const MOTO_BLOCK: usize = 512;

#[test]
fn a_planted_key_is_found_in_every_place_that_moto_has() {
    let cloud = Backend::Moto.open();
    let mut planted = BTreeMap::new();
    let mut plant = |place: &str| {
        let id = key_id(planted.len());
        planted.insert(id.clone(), place.to_owned());
        id
    };
    seed_instances(&cloud, &plant("an instance"), &plant("the first version of a template"), &plant("a configuration"));
    seed_functions(&cloud, &plant("a function"), &plant("a published version of a function"));
    seed_task_definitions(&cloud, &plant("a task"), &plant("an old revision"), &plant("a command of a task"));
    seed_build_projects(&cloud, &plant("a project"), &plant("a build specification"));
    seed_parameters(&cloud, &plant("a parameter"), &plant("a list"), &plant("a description"));
    seed_stacks(&cloud, &plant("a parameter of a stack"), &plant("an output of a stack"));
    let hidden = key_id(99);
    let secure = json!({ "Name": "/prod/secure", "Type": "SecureString", "Value": hidden });
    cloud.call("ssm", "put_parameter", secure);

    let (pieces, read) = read_account(&caller(&cloud, &cloud.admin), &[&region("us-east-1"), &region("eu-west-1")]);

    let detector = Detector::new(Options::default());
    for piece in &pieces {
        for found in detector.detect(&piece.bytes) {
            let id = found.id.unwrap().to_string();
            assert_ne!(id, hidden, "decrypted: {piece:?}");
            assert_eq!(piece.region.as_str(), "us-east-1");
            planted.remove(&id);
        }
    }
    assert_eq!(planted, BTreeMap::new(), "not found; {:?}", read.gaps);
    assert_eq!(read.encrypted_parameters, 1);
    assert_eq!(read.pieces, pieces.len() as u64);
    let gaps: Vec<String> = read.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(gaps, Vec::<String>::new());

    // An id and its secret in neighbouring variables are a pair, and the variable has its name.
    let pair = pieces.iter().find(|piece| piece.service == "lambda").unwrap();
    let found = detector.detect(&pair.bytes).remove(0);
    assert!(found.secret.is_some());
    assert_eq!(pair.name_at(found.span.start), Some("AWS_ACCESS_KEY_ID"));
    assert_eq!(pair.part, Part::Variable);
    let folder = pieces.iter().find(|piece| piece.resource == "/prod/app/").unwrap();
    assert!(detector.detect(&folder.bytes).remove(0).secret.is_some());
    // What is compressed stays so, for the scanner to unpack.
    assert!(pieces.iter().any(|piece| piece.part == Part::UserData && piece.bytes.starts_with(&[0x1f, 0x8b])));
}

#[test]
fn what_a_policy_lacks_is_told_by_action_and_region_and_the_rest_is_read() {
    let cloud = Backend::Moto.open();
    seed_parameters(&cloud, &key_id(1), &key_id(2), &key_id(3));
    cloud.user_without_rights("scanner", "/");
    let allow = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["ssm:DescribeParameters", "ssm:GetParameters"], "Resource": "*" }] });
    cloud.policy("scanner", "some", &allow);
    let scanner = cloud.key("scanner");
    let (pieces, read) = read_account(&caller(&cloud, &scanner), &[&region("us-east-1")]);
    assert!(pieces.iter().all(|piece| piece.service == "ssm"), "{pieces:?}");
    assert!(pieces.len() >= 3);
    let told: Vec<String> = read.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "us-east-1 autoscaling:DescribeLaunchConfigurations",
            "us-east-1 cloudformation:DescribeStacks",
            "us-east-1 codebuild:ListProjects",
            "us-east-1 ec2:DescribeInstances",
            "us-east-1 ec2:DescribeLaunchTemplates",
            "us-east-1 ecs:ListTaskDefinitions",
            "us-east-1 ecs:ListTaskDefinitions",
            "us-east-1 elasticbeanstalk:DescribeEnvironments",
            "us-east-1 lambda:ListFunctions",
        ]
    );
    for gap in &read.gaps {
        assert_eq!(gap.why, Why::Denied, "{gap}: {}", gap.detail);
    }
    assert!(!read.coverage().is_complete());
}

#[test]
fn the_printed_policy_is_enough() {
    let cloud = Backend::Moto.open();
    seed_instances(&cloud, &key_id(1), &key_id(2), &key_id(3));
    seed_functions(&cloud, &key_id(4), &key_id(5));
    seed_task_definitions(&cloud, &key_id(6), &key_id(7), &key_id(8));
    seed_build_projects(&cloud, &key_id(9), &key_id(10));
    seed_parameters(&cloud, &key_id(11), &key_id(12), &key_id(13));
    seed_stacks(&cloud, &key_id(14), &key_id(15));
    cloud.user_without_rights("scanner", "/");
    let home = Home::new(&cloud);
    let policy = home.akia(&["policy", "scan", "--user-data"]).done().json();
    cloud.policy("scanner", "scan", &policy);
    let (pieces, read) = read_account(&caller(&cloud, &cloud.key("scanner")), &[&region("us-east-1")]);
    assert_eq!(read.gaps, []);
    let detector = Detector::new(Options::default());
    let found = pieces.iter().flat_map(|piece| detector.detect(&piece.bytes)).filter_map(|found| found.id);
    assert_eq!(found.collect::<std::collections::BTreeSet<_>>().len(), 15);
    // The other half has the blocks of every snapshot, and nothing else on every resource.
    let whole = home.akia(&["policy", "scan"]).done();
    assert!(whole.stderr.contains("kms:Decrypt"), "{}", whole.stderr);
    let half = home.akia(&["policy", "scan", "--snapshot", "--partition", "aws-cn"]).done().json();
    assert_eq!(half["Statement"][0]["Resource"], "arn:aws-cn:ec2:*::snapshot/*");
    home.akia(&["policy", "scan", "--snapshot", "--user-data"]).exited(2);
}

#[test]
fn a_key_in_a_deleted_file_of_a_snapshot_is_found() {
    let cloud = Backend::Moto.open();
    let (first, second, joined) = (key_id(1), key_id(2), key_id(3));
    // The file system is gone but for its name; what was in the file stands in a block all the same. One key lies across the
    // border of two blocks.
    let (start, end) = joined.split_at(7);
    let mut blocks = BTreeMap::from([
        (0, block("EXT4-fs", "")),
        (3, block(&format!("{first}\n"), "")),
        (4, block("", &format!(" {start}"))),
        (5, block(&format!("{end} "), "")),
    ]);
    let early = put_snapshot(&cloud, &blocks);
    blocks.insert(3, block(&format!("{second}\n"), ""));
    let late = put_snapshot(&cloud, &blocks);

    let caller = caller(&cloud, &cloud.admin);
    let region = region("us-east-1");
    // moto makes up a disk for every image, whatever it is registered with.
    let registered = cloud.call("ec2", "register_image", json!({ "Name": "golden", "RootDeviceName": "/dev/xvda" }));
    let image = registered["ImageId"].as_str().unwrap().parse().unwrap();
    let disks = run(snapshot::of_image(&caller, &region, &image)).unwrap();
    let described = cloud.call("ec2", "describe_images", json!({ "ImageIds": [registered["ImageId"]] }));
    let mapping = &described["Images"][0]["BlockDeviceMappings"][0];
    assert_eq!(disks.len(), 1);
    assert_eq!(disks[0].snapshot.as_str(), mapping["Ebs"]["SnapshotId"]);
    assert_eq!(disks[0].device, mapping["DeviceName"]);

    let snapshot = early.parse().unwrap();
    let told = run(snapshot::describe(&caller, &region, &snapshot)).unwrap();
    assert_eq!((told.volume_gib, told.is_encrypted, snapshot::unreadable(&told)), (1, false, None));
    let (ids, read) = scan_snapshot(&caller, &early, None);
    assert_eq!(ids, [first.as_str(), joined.as_str()]);
    assert_eq!((read.listed, read.coverage.objects, read.coverage.bytes), (4, 4, 4 * MOTO_BLOCK as u64));
    assert!(read.coverage.is_complete());

    // Against the earlier one, only what differs is read.
    let (ids, read) = scan_snapshot(&caller, &late, Some(&early));
    assert_eq!(ids, [second.as_str()]);
    assert_eq!((read.listed, read.coverage.objects), (1, 1));

    // Without the right, nothing is taken for empty.
    cloud.user_without_rights("nobody", "/");
    let nobody = self::caller(&cloud, &cloud.key("nobody"));
    let options = snapshot::Options::default();
    let refused = run(snapshot::read(&nobody, &region, &snapshot, &options, &mut |_| panic!("a block")));
    let error = refused.unwrap_err().to_string();
    assert!(error.starts_with("ebs:ListSnapshotBlocks at 127.0.0.1"), "{error}");
}

/// The same as it is typed: places, pairs, exit codes.
#[test]
fn a_scan_of_the_account_is_typed() {
    let cloud = Backend::Moto.open();
    let (in_block, gone) = (key_id(1), key_id(2));
    let mut blocks = BTreeMap::from([(0, block("EXT4-fs", "")), (3, block(&format!("{gone}\n"), ""))]);
    let early = put_snapshot(&cloud, &blocks);
    blocks.insert(3, block(&format!("{in_block}\n"), ""));
    let late = put_snapshot(&cloud, &blocks);
    let (newest, published, template) = (key_id(3), key_id(4), key_id(5));
    seed_functions(&cloud, &newest, &published);
    seed_instances(&cloud, &key_id(6), &template, &key_id(7));
    let home = Home::new(&cloud).profile("admin", &cloud.admin);
    let scan = |more: &[&str]| {
        let fixed = ["scan", "--profile", "admin", "--region", "us-east-1", "--output", "json"];
        home.akia(&[&fixed[..], more].concat())
    };
    let ids = |report: &Value| -> Vec<String> {
        let leaks = report["leaks"].as_array().unwrap().iter();
        leaks.map(|leak| leak["access_key_id"].as_str().unwrap().to_owned()).collect()
    };

    let report = scan(&["--snapshot", &early]).exited(4).json();
    assert_eq!(ids(&report), [gone]);
    let place = &report["leaks"][0]["places"][0];
    assert_eq!((&place["source"], &place["offset"]), (&json!(early), &json!(3 * MOTO_BLOCK)), "{place}");
    let report = scan(&["--snapshot", &late, "--since-snapshot", &early]).exited(4).json();
    assert_eq!(ids(&report), [in_block]);
    let missing = scan(&["--snapshot", "snap-0123456789abcdef0"]).exited(1);
    assert!(missing.stderr.contains("snap-0123456789abcdef0"), "{}", missing.stderr);

    let report = scan(&["--user-data"]).exited(4).json();
    let found = ids(&report);
    for id in [&newest, &published, &template] {
        assert!(found.contains(id), "{report}");
    }
    let lambda = report["leaks"].as_array().unwrap().iter().find(|leak| leak["access_key_id"] == newest).unwrap();
    assert!(lambda["secret"].is_string() && lambda["places"][0]["part"] == "variable", "{lambda}");
    assert!(lambda["places"][0]["path"].as_str().unwrap().ends_with(" AWS_ACCESS_KEY_ID"), "{lambda}");
    assert!(!report.to_string().contains(&secret()), "{report}");

    // Without the rights nothing is taken for empty.
    cloud.user_without_rights("nobody", "/");
    let home = Home::new(&cloud).profile("nobody", &cloud.key("nobody"));
    let ran = home.akia(&["scan", "--user-data", "--profile", "nobody", "--region", "us-east-1"]).exited(7);
    assert!(ran.stderr.contains("refused by AWS") && ran.stderr.contains("lambda:ListFunctions"), "{}", ran.stderr);
}

#[test]
fn regions_are_those_of_the_account() {
    let cloud = Backend::Moto.open();
    let caller = caller(&cloud, &cloud.admin);
    let regions = run(caller.regions(&region("us-east-1"))).unwrap();
    for name in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        assert!(regions.contains(&region(name)), "{name}: {regions:?}");
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// An id that is no example, put together here so that no scanner takes it for a leak.
fn key_id(number: usize) -> String {
    let digit = |value: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value % 32]);
    let id = format!("AKIAQ{}{}TESTSCANAWSZA", digit(number / 32), digit(number));
    assert_eq!(id.len(), 20);
    id
}

/// A secret that looks like one, and that no scanner takes this file for.
fn secret() -> String {
    ["q7Rt/Zx9+bNm4Kc2Vw8L", "pYs6Gd3Hf5Jj1TaUe0oX"].concat()
}

fn caller(cloud: &Cloud, key: &Key) -> Caller {
    let options = AwsOptions {
        endpoint_url: cloud.endpoint.parse().ok(),
        initial_backoff: std::time::Duration::from_millis(20),
        ..AwsOptions::default()
    };
    let secret = SecretAccessKey::parse(key.secret.clone()).unwrap_or_else(|error| panic!("{error}"));
    let id: AccessKeyId = key.id.parse().unwrap();
    Aws::new(options).caller(Credentials::for_key(id, secret), region("us-east-1"))
}

fn read_account(caller: &Caller, regions: &[&Region]) -> (Vec<Piece>, user_data::UserDataRead) {
    let regions: Vec<Region> = regions.iter().map(|region| (*region).clone()).collect();
    let mut pieces = Vec::new();
    let read = run(user_data::read(caller, &regions, &mut |piece| pieces.push(piece)));
    (pieces, read)
}

/// Ids of keys in the order of the disk, found as a scanner would: with the end of what stood right before.
fn scan_snapshot(caller: &Caller, id: &str, earlier: Option<&str>) -> (Vec<String>, snapshot::SnapshotRead) {
    let detector = Detector::new(Options::default());
    let options = snapshot::Options { earlier: earlier.map(|id| id.parse().unwrap()), ..Default::default() };
    let (mut ids, mut tail) = (Vec::new(), Vec::new());
    let mut sink = |block: Block<'_>| {
        let kept = if block.follows { std::mem::take(&mut tail) } else { Vec::new() };
        let text = [kept.as_slice(), block.bytes].concat();
        ids.extend(detector.detect(&text).into_iter().filter_map(|found| Some(found.id?.to_string())));
        tail = text[text.len().saturating_sub(32)..].to_vec();
    };
    let read = run(snapshot::read(caller, &region("us-east-1"), &id.parse().unwrap(), &options, &mut sink)).unwrap();
    ids.dedup();
    (ids, read)
}

fn block(begin: &str, end: &str) -> String {
    format!("{begin}{}{end}", ".".repeat(MOTO_BLOCK - begin.len() - end.len()))
}

fn put_snapshot(cloud: &Cloud, blocks: &BTreeMap<usize, String>) -> String {
    let started = cloud.call("ebs", "start_snapshot", json!({ "VolumeSize": 1, "Description": "a disk" }));
    let id = started["SnapshotId"].as_str().unwrap().to_owned();
    for (index, data) in blocks {
        let put = json!({
            "SnapshotId": id, "BlockIndex": index, "BlockData": data, "DataLength": data.len(),
            "Checksum": BASE64.encode(&Sha256::digest(data)), "ChecksumAlgorithm": "SHA256",
        });
        cloud.call("ebs", "put_snapshot_block", put);
    }
    cloud.call("ebs", "complete_snapshot", json!({ "SnapshotId": id, "ChangedBlocksCount": blocks.len() }));
    id
}

fn seed_instances(cloud: &Cloud, instance: &str, template: &str, configuration: &str) {
    let images = cloud.call("ec2", "describe_images", json!({ "Owners": ["amazon"] }));
    let image = images["Images"][0]["ImageId"].as_str().unwrap();
    // botocore encodes the user data of these two, and not of a template.
    let run = json!({
        "ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro",
        "UserData": format!("#!/bin/sh\nexport AWS_ACCESS_KEY_ID={instance}\n"),
    });
    cloud.call("ec2", "run_instances", run);
    let bare = json!({ "ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro" });
    cloud.call("ec2", "run_instances", bare);
    let data = |text: &[u8]| json!({ "UserData": BASE64.encode(text) });
    let made = json!({
        "LaunchTemplateName": "web", "LaunchTemplateData": data(format!("key: {template}\n").as_bytes()) });
    cloud.call("ec2", "create_launch_template", made);
    // The newest version no longer has it, and is compressed: an empty file of gzip.
    let empty = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let version = json!({ "LaunchTemplateName": "web", "LaunchTemplateData": data(&empty) });
    cloud.call("ec2", "create_launch_template_version", version);
    let made = json!({
        "LaunchConfigurationName": "old", "ImageId": image, "InstanceType": "t3.micro",
        "UserData": format!("key={configuration}\n"),
    });
    cloud.call("autoscaling", "create_launch_configuration", made);
}

fn seed_functions(cloud: &Cloud, newest: &str, published: &str) {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
    let role = json!({ "RoleName": "lambda", "AssumeRolePolicyDocument": trust.to_string() });
    let role = cloud.call("iam", "create_role", role)["Role"]["Arn"].as_str().unwrap().to_owned();
    let variables = |id: &str| json!({ "Variables": { "AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret() } });
    // An empty archive: its end and nothing before.
    let archive = format!("PK\u{5}\u{6}{}", "\0".repeat(18));
    let made = json!({
        "FunctionName": "report", "Runtime": "python3.12", "Role": role, "Handler": "a.b",
        "Code": { "ZipFile": archive }, "Environment": variables(published), "Publish": true,
    });
    cloud.call("lambda", "create_function", made);
    let changed = json!({ "FunctionName": "report", "Environment": variables(newest) });
    cloud.call("lambda", "update_function_configuration", changed);
}

fn seed_task_definitions(cloud: &Cloud, active: &str, inactive: &str, command: &str) {
    let register = |id: &str, command: &str| {
        let container = json!({
            "name": "web", "image": "web", "memory": 128, "command": ["sh", "-c", command],
            "environment": [{ "name": "KEY", "value": id }],
        });
        let made = json!({ "family": "web", "containerDefinitions": [container] });
        let made = cloud.call("ecs", "register_task_definition", made);
        made["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    };
    let old = register(inactive, "true");
    cloud.call("ecs", "deregister_task_definition", json!({ "taskDefinition": old }));
    register(active, &format!("aws configure set aws_access_key_id {command}"));
}

fn seed_build_projects(cloud: &Cloud, variable: &str, commands: &str) {
    let text = format!("version: 0.2\nphases:\n  build:\n    commands:\n      - export AWS_ACCESS_KEY_ID={commands}\n");
    let made = json!({
        "name": "release",
        "source": { "type": "GITHUB", "location": "https://github.com/example/release", "buildspec": text },
        "artifacts": { "type": "NO_ARTIFACTS" },
        "serviceRole": format!("arn:aws:iam::{}:role/service-role/codebuild-release", cloud.account),
        "environment": {
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{ "name": "KEY", "value": variable, "type": "PLAINTEXT" }],
        },
    });
    cloud.call("codebuild", "create_project", made);
}

fn seed_parameters(cloud: &Cloud, plain: &str, list: &str, description: &str) {
    let put = |name: &str, kind: &str, value: &str, description: &str| {
        let put = json!({ "Name": name, "Type": kind, "Value": value, "Description": description });
        cloud.call("ssm", "put_parameter", put);
    };
    put("/prod/app/access-key-id", "String", plain, "");
    put("/prod/app/secret-access-key", "String", &secret(), "");
    put("keys", "StringList", &format!("a,{list},b"), "");
    for number in 0..60 {
        put(&format!("/many/{number}"), "String", "nothing", "");
    }
    put("/described", "String", "x", &format!("was {description}"));
}

fn seed_stacks(cloud: &Cloud, parameter: &str, output: &str) {
    let template: Value = json!({
        "Parameters": { "Key": { "Type": "String" } },
        "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } },
        "Outputs": { "Id": { "Value": output } },
    });
    let made = json!({
        "StackName": "app", "TemplateBody": template.to_string(),
        "Parameters": [{ "ParameterKey": "Key", "ParameterValue": parameter }],
    });
    cloud.call("cloudformation", "create_stack", made);
}
