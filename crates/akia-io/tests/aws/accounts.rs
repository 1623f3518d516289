//! Reading the places of an account: every page of each, answers as AWS's API References show them, and what is told of those that
//! are refused, fail or make no sense.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use akia_core::ids::Region;
use akia_core::leak::{Part, Why};
use akia_io::aws::{Aws, AwsOptions, Caller, Target, instance_id};
use akia_io::exposure::Piece;
use akia_io::exposure::user_data::{UserDataRead, read};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::credentials;
use crate::scripted::{Asked, Said, Scripted};

fn caller(url: &url::Url) -> Caller {
    let options = AwsOptions {
        endpoint_url: Some(url.clone()),
        attempt_timeout: Duration::from_millis(500),
        initial_backoff: Duration::from_millis(1),
        longest_backoff: Duration::from_millis(4),
        ..AwsOptions::default()
    };
    Aws::new(options).caller(credentials(), Target::default())
}

async fn scan(server: &Scripted, regions: &[&str]) -> (Vec<Piece>, UserDataRead) {
    let regions: Vec<Region> = regions.iter().map(|region| region.parse().unwrap()).collect();
    let mut pieces = Vec::new();
    let read = read(&caller(&server.url), &regions, &mut |piece| pieces.push(piece)).await;
    (pieces, read)
}

/// What each text is, in the order of names: service, resource, part, text.
fn shown(pieces: &[Piece]) -> BTreeSet<(String, String, Part, String)> {
    let show = |piece: &Piece| {
        let text = String::from_utf8_lossy(&piece.bytes).into_owned();
        (piece.service.to_owned(), piece.resource.clone(), piece.part, text)
    };
    pieces.iter().map(show).collect()
}

fn xml(operation: &str, inner: &str) -> Said {
    Said::new(200, format!("<{operation}Response xmlns=\"http://x/\">{inner}</{operation}Response>"))
}

fn result(operation: &str, inner: &str) -> Said {
    xml(operation, &format!("<{operation}Result>{inner}</{operation}Result><ResponseMetadata/>"))
}

fn json(answer: &Value) -> Said {
    Said::new(200, answer.to_string())
}

/// A parameter of the query protocol.
fn parameter(asked: &Asked, name: &str) -> Option<String> {
    url::form_urlencoded::parse(asked.body.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn body(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

/// An account with something in every place, on two pages each.
fn account(asked: &Asked) -> Said {
    let operation = asked.operation().to_owned();
    let second = parameter(asked, "NextToken").is_some_and(|token| token == "a+b/c=");
    let more = "<nextToken>a+b/c=</nextToken>";
    match operation.as_str() {
        "DescribeInstances" => {
            let (id, state, next) =
                if second { ("i-2", "terminated", "<nextToken/>") } else { ("i-1", "running", more) };
            let state = format!("<instanceState><code>1</code><name>{state}</name></instanceState>");
            let instance = format!("<item><instanceId>{id}</instanceId>{state}</item>");
            let set = format!("<item><reservationId>r</reservationId><instancesSet>{instance}</instancesSet></item>");
            xml(&operation, &format!("<requestId>1</requestId><reservationSet>{set}</reservationSet>{next}"))
        }
        "DescribeInstanceAttribute" => {
            assert_eq!(parameter(asked, "Attribute").as_deref(), Some("userData"));
            if parameter(asked, "InstanceId").as_deref() == Some("i-2") {
                let error = "<Error><Code>InvalidInstanceID.NotFound</Code><Message>gone</Message></Error>";
                return Said::new(400, format!("<Response><Errors>{error}</Errors></Response>"));
            }
            let text = BASE64.encode(b"of an instance");
            xml(&operation, &format!("<instanceId>i-1</instanceId><userData><value>{text}</value></userData>"))
        }
        "DescribeLaunchTemplates" => {
            let (id, next) = if second { ("lt-2", "") } else { ("lt-1", more) };
            let item = format!("<item><launchTemplateId>{id}</launchTemplateId></item>");
            xml(&operation, &format!("<launchTemplates>{item}</launchTemplates>{next}"))
        }
        "DescribeLaunchTemplateVersions" => {
            let template = parameter(asked, "LaunchTemplateId").unwrap();
            let (number, next) = if second { (1, "") } else { (2, more) };
            let text = BASE64.encode(format!("of {template} {number}").as_bytes());
            let data = format!("<launchTemplateData><userData>{text}</userData></launchTemplateData>");
            let bare = "<item><versionNumber>9</versionNumber><launchTemplateData/></item>";
            let item = format!("<item><versionNumber>{number}</versionNumber>{data}</item>{bare}");
            xml(&operation, &format!("<launchTemplateVersionSet>{item}</launchTemplateVersionSet>{next}"))
        }
        "DescribeLaunchConfigurations" => {
            let (name, next) = if second { ("two", "") } else { ("one", "<NextToken>a+b/c=</NextToken>") };
            let text = BASE64.encode(format!("of {name}").as_bytes());
            let member =
                format!("<LaunchConfigurationARN>arn:{name}</LaunchConfigurationARN><UserData>{text}</UserData>");
            let list = format!("<LaunchConfigurations><member>{member}</member></LaunchConfigurations>");
            result(&operation, &format!("{list}{next}"))
        }
        "DescribeStacks" => {
            let (name, next) = if second { ("two", "") } else { ("one", "<NextToken>a+b/c=</NextToken>") };
            let pair = |list: &str, one: &str, value: &str| {
                format!("<{list}><member><{one}Key>K</{one}Key><{one}Value>{value}</{one}Value></member></{list}>")
            };
            let parameters = pair("Parameters", "Parameter", "a &lt; b");
            let outputs = pair("Outputs", "Output", "out");
            let member = format!("<member><StackId>arn:{name}</StackId>{parameters}{outputs}</member>");
            result(&operation, &format!("<Stacks>{member}</Stacks>{next}"))
        }
        "DescribeEnvironments" => {
            let (name, next) = if second { ("two", "") } else { ("one", "<NextToken>a+b/c=</NextToken>") };
            let names = format!("<ApplicationName>app</ApplicationName><EnvironmentName>{name}</EnvironmentName>");
            let member = format!("<member><EnvironmentArn>arn:{name}</EnvironmentArn>{names}</member>");
            result(&operation, &format!("<Environments>{member}</Environments>{next}"))
        }
        "DescribeConfigurationSettings" => {
            let name = parameter(asked, "EnvironmentName").unwrap();
            let option = format!("<member><OptionName>KEY</OptionName><Value>of {name}</Value></member>");
            let bare = "<member><OptionName>EMPTY</OptionName></member>";
            let settings = format!("<member><OptionSettings>{option}{bare}</OptionSettings></member>");
            result(&operation, &format!("<ConfigurationSettings>{settings}</ConfigurationSettings>"))
        }
        "/2015-03-31/functions/" => {
            assert!(asked.path.contains("FunctionVersion=ALL"));
            let second = asked.path.contains("Marker=a%2Bb%2Fc%3D");
            let (version, next) = if second { ("1", None) } else { ("$LATEST", Some("a+b/c=")) };
            let function = json!({
                "FunctionName": "f", "FunctionArn": format!("arn:f:{version}"), "Version": version,
                "Environment": { "Variables": { "A": version, "B": "b" } },
            });
            json(
                &json!({ "Functions": [function, { "FunctionName": "g", "FunctionArn": "arn:g" }], "NextMarker": next }),
            )
        }
        "ListTaskDefinitions" => {
            let status = body(asked)["status"].as_str().unwrap().to_lowercase();
            match body(asked)["nextToken"].as_str() {
                None => json(&json!({ "taskDefinitionArns": [format!("arn:{status}:1")], "nextToken": "t" })),
                Some(_) => json(&json!({ "taskDefinitionArns": [format!("arn:{status}:2")] })),
            }
        }
        "DescribeTaskDefinition" => {
            let arn = body(asked)["taskDefinition"].clone();
            let container = json!({ "name": "web", "environment": [{ "name": "A", "value": arn }] });
            json(&json!({ "taskDefinition": { "taskDefinitionArn": arn, "containerDefinitions": [container] } }))
        }
        "ListProjects" => match body(asked)["nextToken"].as_str() {
            None => json(&json!({ "projects": ["one"], "nextToken": "t" })),
            Some(_) => json(&json!({ "projects": ["two", "gone"] })),
        },
        "BatchGetProjects" => {
            let names = body(asked)["names"].as_array().unwrap().clone();
            let project = |name: &str| {
                let variables = json!([
                    { "name": "A", "value": name, "type": "PLAINTEXT" },
                    { "name": "B", "value": "/a/parameter", "type": "PARAMETER_STORE" },
                ]);
                json!({
                    "name": name, "arn": format!("arn:{name}"), "source": { "type": "S3", "buildspec": "version: 0.2" },
                    "environment": { "environmentVariables": variables },
                })
            };
            let there = names.iter().filter_map(Value::as_str).filter(|name| *name != "gone").map(project);
            let gone: Vec<_> = names.iter().filter(|name| **name == "gone").collect();
            json(&json!({ "projects": there.collect::<Vec<_>>(), "projectsNotFound": gone }))
        }
        "DescribeParameters" => match body(asked)["NextToken"].as_str() {
            None => {
                let listed = json!([
                    { "Name": "/a/secret", "Type": "String" }, { "Name": "/a/sealed", "Type": "SecureString" },
                    { "Name": "/b", "Type": "String", "Description": "a text" },
                ]);
                json(&json!({ "Parameters": listed, "NextToken": "t" }))
            }
            Some(_) => json(&json!({ "Parameters": [{ "Name": "/a/id", "Type": "StringList" }] })),
        },
        "GetParameters" => {
            assert_eq!(body(asked)["WithDecryption"], false);
            let names = body(asked)["Names"].as_array().unwrap().clone();
            let found = names.iter().rev().map(|name| json!({ "Name": name, "Type": "String", "Value": "v" }));
            json(&json!({ "Parameters": found.collect::<Vec<_>>(), "InvalidParameters": [] }))
        }
        other => panic!("{other}"),
    }
}

/// Everything that [`account`] holds.
fn everything() -> BTreeSet<(String, String, Part, String)> {
    let rows = [
        ("autoscaling", "arn:one", Part::UserData, "of one"),
        ("autoscaling", "arn:two", Part::UserData, "of two"),
        ("cloudformation", "arn:one", Part::Parameter, "K=a < b\n"),
        ("cloudformation", "arn:one", Part::Settings, "K=out\n"),
        ("cloudformation", "arn:two", Part::Parameter, "K=a < b\n"),
        ("cloudformation", "arn:two", Part::Settings, "K=out\n"),
        ("codebuild", "arn:one", Part::Settings, "version: 0.2"),
        ("codebuild", "arn:one", Part::Variable, "A=one\n"),
        ("codebuild", "arn:two", Part::Settings, "version: 0.2"),
        ("codebuild", "arn:two", Part::Variable, "A=two\n"),
        ("ec2", "i-1", Part::UserData, "of an instance"),
        ("ec2", "lt-1:1", Part::UserData, "of lt-1 1"),
        ("ec2", "lt-1:2", Part::UserData, "of lt-1 2"),
        ("ec2", "lt-2:1", Part::UserData, "of lt-2 1"),
        ("ec2", "lt-2:2", Part::UserData, "of lt-2 2"),
        ("ecs", "arn:active:1#web", Part::Variable, "A=arn:active:1\n"),
        ("ecs", "arn:active:2#web", Part::Variable, "A=arn:active:2\n"),
        ("ecs", "arn:inactive:1#web", Part::Variable, "A=arn:inactive:1\n"),
        ("ecs", "arn:inactive:2#web", Part::Variable, "A=arn:inactive:2\n"),
        ("elasticbeanstalk", "arn:one", Part::Settings, "KEY=of one\n"),
        ("elasticbeanstalk", "arn:two", Part::Settings, "KEY=of two\n"),
        ("lambda", "arn:f:$LATEST", Part::Variable, "A=$LATEST\nB=b\n"),
        ("lambda", "arn:f:1", Part::Variable, "A=1\nB=b\n"),
        ("ssm", "/", Part::Parameter, "/b=v\n"),
        ("ssm", "/a/", Part::Parameter, "/a/id=v\n/a/secret=v\n"),
        ("ssm", "descriptions", Part::Settings, "/b=a text\n"),
    ];
    let own = |(service, resource, part, text): (&str, &str, Part, &str)| {
        (service.to_owned(), resource.to_owned(), part, text.to_owned())
    };
    rows.map(own).into()
}

#[tokio::test]
async fn every_page_of_every_place_is_read_however_busy_aws_is() {
    let busy = Mutex::new(BTreeMap::<String, usize>::new());
    let server = Scripted::start(move |asked| {
        let times = {
            let mut busy = busy.lock().unwrap();
            let times = busy.entry(format!("{} {}", asked.path, asked.body)).or_default();
            *times += 1;
            *times
        };
        let is_json = asked.header("x-amz-target").is_some() || asked.method == "GET";
        match (times, is_json) {
            (1 | 2, true) => Said::new(400, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}"),
            (1, false) => {
                Said::new(503, "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>")
            }
            (2, false) => Said::new(500, "<html>"),
            (3, _) => Said::new(200, "late").after(Duration::from_millis(800)),
            _ => account(asked),
        }
    })
    .await;
    let (pieces, read) = scan(&server, &["eu-west-1"]).await;
    assert_eq!(shown(&pieces), everything());
    assert_eq!(pieces.len(), everything().len(), "each once");
    assert_eq!(read.encrypted_parameters, 1);
    let told: Vec<_> = read.gaps.iter().map(|gap| (gap.to_string(), gap.why)).collect();
    assert_eq!(told, [("eu-west-1 codebuild:BatchGetProjects gone".to_owned(), Why::Missing)]);
    // Each service is signed for under its own name, in the region.
    let scopes: BTreeSet<String> = server
        .asked()
        .iter()
        .map(|asked| asked.header("authorization").unwrap().split('/').skip(2).take(2).collect::<Vec<_>>().join("/"))
        .collect();
    let services = ["autoscaling", "cloudformation", "codebuild", "ec2", "ecs", "elasticbeanstalk", "lambda", "ssm"];
    assert_eq!(scopes, services.map(|service| format!("eu-west-1/{service}")).into());
}

#[tokio::test]
async fn what_was_read_before_a_failure_is_kept_and_the_failure_told() {
    // Every listing fails on its second page; in another region nothing answers at all.
    let server = Scripted::start(|asked| {
        let is_second = parameter(asked, "NextToken").is_some()
            || asked.path.contains("Marker=")
            || asked.body.contains("nextToken")
            || asked.body.contains("NextToken");
        if asked.header("authorization").unwrap().contains("/us-west-1/") {
            let code = if asked.operation() == "DescribeInstances" { "AuthFailure" } else { "UnrecognizedClientException" };
            return Said::new(401, format!("<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"));
        }
        match (is_second, asked.operation()) {
            (true, "DescribeParameters") => Said::new(200, "{\"Parameters\": [{\"Name\": \"/c\", \"Type"),
            (true, "/2015-03-31/functions/") => {
                let message = "User: arn:aws:iam::1:user/x is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action";
                Said::new(403, json!({ "Message": message }).to_string()).with("x-amzn-ErrorType", "AccessDeniedException:http://x")
            }
            (true, _) => Said::new(500, ""),
            (false, _) => account(asked),
        }
    })
    .await;
    let (pieces, read) = scan(&server, &["eu-west-1", "us-west-1"]).await;
    let found = shown(&pieces);
    let ours = |one: &&(String, String, Part, String)| one.0 != "ssm" || one.1 != "/a/";
    assert!(found.iter().filter(ours).all(|one| everything().contains(one)), "{found:?}");
    assert!(found.iter().any(|one| one.3 == "/a/secret=v\n"), "of a list that broke off");
    let services: BTreeSet<_> = found.iter().map(|(service, ..)| service.as_str()).collect();
    assert_eq!(
        services,
        ["autoscaling", "cloudformation", "codebuild", "ecs", "lambda", "ssm"].into(),
        "what comes with the first page"
    );
    let told: BTreeMap<String, Why> = read.gaps.iter().map(|gap| (gap.to_string(), gap.why)).collect();
    let here = [
        ("autoscaling:DescribeLaunchConfigurations", Why::Unreadable),
        ("cloudformation:DescribeStacks", Why::Unreadable),
        ("codebuild:ListProjects", Why::Unreadable),
        ("ec2:DescribeInstances", Why::Unreadable),
        ("ec2:DescribeLaunchTemplates", Why::Unreadable),
        ("ecs:ListTaskDefinitions", Why::Unreadable),
        ("elasticbeanstalk:DescribeEnvironments", Why::Unreadable),
        ("lambda:ListFunctions", Why::Denied),
        ("ssm:DescribeParameters", Why::Corrupt),
    ];
    let there = here.map(|(action, _)| {
        let why = if action == "ec2:DescribeInstances" { Why::Unreadable } else { Why::Denied };
        (format!("us-west-1 {action}"), why)
    });
    let all = here.map(|(action, why)| (format!("eu-west-1 {action}"), why)).into_iter().chain(there).collect();
    assert_eq!(told, all);
    let coverage = read.coverage();
    assert_eq!((coverage.objects, coverage.skipped.len()), (pieces.len() as u64, read.gaps.len()));
}

#[tokio::test]
async fn variables_that_the_key_service_keeps_shut_are_told() {
    let server = Scripted::start(|asked| match asked.operation() {
        "/2015-03-31/functions/" => {
            let error = json!({ "ErrorCode": "AccessDeniedException", "Message": "Lambda was unable to decrypt\nx" });
            let function = json!({ "FunctionArn": "arn:f", "Environment": { "Error": error } });
            json(&json!({ "Functions": [function] }))
        }
        _ => Said::new(403, "{\"__type\":\"AccessDeniedException\"}"),
    })
    .await;
    let (pieces, read) = scan(&server, &["eu-west-1"]).await;
    assert_eq!(pieces, []);
    let gap = read.gaps.iter().find(|gap| gap.action == "kms:Decrypt").unwrap();
    assert_eq!((gap.resource.as_deref(), gap.why), (Some("arn:f"), Why::Encrypted));
    assert_eq!(gap.detail, "AccessDeniedException: Lambda was unable to decrypt x");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_told_and_never_taken_for_empty() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let nested = "[".repeat(100_000);
    for said in
        ["", "null", "[]", "<html><body>Welcome to the hotel</body></html>", "{}", nested.as_str(), deep.as_str()]
    {
        let text = said.to_owned();
        let server = Scripted::start(move |_| Said::new(200, text.clone())).await;
        let (pieces, read) = scan(&server, &["eu-west-1"]).await;
        assert_eq!(pieces, []);
        let head = &said[..said.len().min(20)];
        let mut told: Vec<_> = read.gaps.iter().map(|gap| gap.action.as_str()).collect();
        told.dedup();
        assert_eq!(told.len(), 9, "{head}: {told:?}");
    }
    let hollow = Scripted::start(|asked| match asked.header("x-amz-target") {
        None if asked.method == "POST" => result(asked.operation(), ""),
        _ => Said::new(200, "{}"),
    });
    let (_, read) = scan(&hollow.await, &["eu-west-1"]).await;
    assert_eq!(read.gaps.len(), 10, "{:?}", read.gaps);
}

#[tokio::test]
async fn an_instance_is_told_by_a_token_and_an_id() {
    let ask = async |server: &Scripted, more: &[(&str, &str)]| {
        let mut variables = vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.to_string())];
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let lookup = move |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        instance_id(&lookup).await
    };
    let server = Scripted::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", "/latest/api/token") if asked.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() => {
            Said::new(200, "AQAEAHvFQvM2examp1e==")
        }
        ("GET", "/latest/meta-data/instance-id")
            if asked.header("x-aws-ec2-metadata-token") == Some("AQAEAHvFQvM2examp1e==") =>
        {
            Said::new(200, "i-1234567890abcdef0")
        }
        _ => Said::new(401, ""),
    })
    .await;
    assert_eq!(ask(&server, &[]).await.as_deref(), Some("i-1234567890abcdef0"));
    assert_eq!(server.asked().len(), 2);
    // A proxy would tell of the machine that it runs on.
    let proxied = ask(&server, &[("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")]).await;
    assert!(proxied.is_some());
    assert_eq!(ask(&server, &[("AWS_EC2_METADATA_DISABLED", "True")]).await, None);
    assert_eq!(server.asked().len(), 4, "not asked at all");

    // A portal that answers everything, another cloud, and nobody.
    for said in ["<html>sign in</html>", "", "two words"] {
        assert_eq!(ask(&Scripted::start(move |_| Said::new(200, said)).await, &[]).await, None, "{said}");
    }
    for said in ["token", "i-am-a-portal", "i-1234567890abcdef0123456789"] {
        assert_eq!(ask(&Scripted::start(move |_| Said::new(200, said)).await, &[]).await, None, "{said}");
    }
    assert_eq!(ask(&Scripted::start(|_| Said::new(404, "")).await, &[]).await, None);
    let slow = Scripted::start(|_| Said::new(200, "token").after(Duration::from_millis(700))).await;
    let start = std::time::Instant::now();
    assert_eq!(ask(&slow, &[]).await, None);
    assert!(start.elapsed() < Duration::from_millis(1_300), "{:?}: a second in all", start.elapsed());
}
