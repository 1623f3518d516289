//! The real AWS CLI against the sandbox over HTTP: botocore's signer and parsers are the judges, and they share no
//! code with the SDK for Rust.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use akia_sandbox::{Fault, FaultKind, KeyPair, Sandbox, Server};
use serde_json::Value;

/// The AWS CLI of the test environment.
fn aws() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let venv = std::env::var_os("AKIA_TEST_VENV").map_or_else(|| workspace.join("target/venv"), PathBuf::from);
    let aws = venv.join("bin/aws");
    assert!(aws.exists(), "there is no AWS CLI at {}: run cargo xtask venv", aws.display());
    aws
}

struct Cli {
    sandbox: Sandbox,
    server: Server,
    home: tempfile::TempDir,
}

impl Cli {
    async fn start(sandbox: Sandbox) -> Self {
        let server = sandbox.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { sandbox, server, home: tempfile::tempdir().unwrap() }
    }

    /// Runs `aws …` with a key, and a session token if there is one.
    async fn run(&self, key: (&str, &str, Option<&str>), arguments: &[&str]) -> Output {
        let mut command = Command::new(aws());
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("AWS_ACCESS_KEY_ID", key.0)
            .env("AWS_SECRET_ACCESS_KEY", key.1)
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_MAX_ATTEMPTS", "1")
            .args(["--endpoint-url", &self.server.url(), "--output", "json"])
            .args(arguments);
        if let Some(token) = key.2 {
            command.env("AWS_SESSION_TOKEN", token);
        }
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn json(&self, key: &KeyPair, arguments: &[&str]) -> Value {
        let output = self.run((&key.id, &key.secret, None), arguments).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aws {arguments:?}: {stderr}");
        if output.stdout.is_empty() { Value::Null } else { serde_json::from_slice(&output.stdout).unwrap() }
    }

    async fn error(&self, key: &KeyPair, arguments: &[&str]) -> String {
        let output = self.run((&key.id, &key.secret, None), arguments).await;
        assert!(!output.status.success(), "aws {arguments:?} went through");
        String::from_utf8(output.stderr).unwrap().trim().to_owned()
    }

    /// An administrator's key.
    fn administrator(&self) -> KeyPair {
        let admin = self.sandbox.add_user("admin", "/").unwrap();
        admin.attach_policy("AdministratorAccess").unwrap();
        admin.add_access_key(self.sandbox.now()).unwrap()
    }
}

#[tokio::test]
async fn the_cli_rotates_a_key() {
    let cli = Cli::start(Sandbox::builder().seed(1).build()).await;
    let key = cli.administrator();
    let me = cli.json(&key, &["sts", "get-caller-identity"]).await;
    assert_eq!(me["Arn"], "arn:aws:iam::111122223333:user/admin");
    let made = cli.json(&key, &["iam", "create-access-key"]).await;
    let made = &made["AccessKey"];
    assert_eq!(made["UserName"], "admin");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let new = KeyPair { id: text(&made["AccessKeyId"]), secret: text(&made["SecretAccessKey"]), ..key.clone() };
    let third = cli.error(&key, &["iam", "create-access-key"]).await;
    assert!(
        third.ends_with(
            "An error occurred (LimitExceeded) when calling the CreateAccessKey operation: Cannot exceed quota for \
             AccessKeysPerUser: 2"
        ),
        "{third}"
    );
    let deactivate = ["iam", "update-access-key", "--status", "Inactive", "--access-key-id", &key.id];
    assert_eq!(cli.json(&new, &deactivate).await, Value::Null);
    let shut = cli.error(&key, &["sts", "get-caller-identity"]).await;
    assert!(shut.contains("(InvalidClientTokenId)"), "{shut}");
    let listed = cli.json(&new, &["iam", "list-access-keys"]).await;
    let statuses: Vec<&Value> =
        listed["AccessKeyMetadata"].as_array().unwrap().iter().map(|key| &key["Status"]).collect();
    assert!(statuses.contains(&&Value::from("Active")) && statuses.contains(&&Value::from("Inactive")), "{listed}");
    let used = cli.json(&new, &["iam", "get-access-key-last-used", "--access-key-id", &key.id]).await;
    assert_eq!(used["AccessKeyLastUsed"]["Region"], "eu-west-1", "{used}");
    cli.json(&new, &["iam", "delete-access-key", "--access-key-id", &key.id]).await;
    let gone = cli.error(&new, &["iam", "delete-access-key", "--access-key-id", &key.id]).await;
    assert!(gone.contains("(NoSuchEntity)") && gone.contains("cannot be found"), "{gone}");
    let lookup = async |region| {
        let attribute = "AttributeKey=EventName,AttributeValue=CreateAccessKey";
        cli.json(&new, &["cloudtrail", "lookup-events", "--region", region, "--lookup-attributes", attribute]).await
    };
    let elsewhere = lookup("eu-west-1").await;
    assert_eq!(elsewhere["Events"], Value::Array(Vec::new()), "IAM leaves its trail in one region");
    let trail = lookup("us-east-1").await;
    let events = trail["Events"].as_array().unwrap();
    assert_eq!(events.len(), 2, "the one that was made and the one that was refused: {trail}");
    let record: Value = serde_json::from_str(events[1]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(record["responseElements"]["accessKey"]["accessKeyId"], new.id.as_str());
    assert!(record["userAgent"].as_str().unwrap().starts_with("aws-cli/"), "{record}");
    assert!(!trail.to_string().contains(&new.secret), "no secret in the trail");
    cli.server.shutdown().await;
}

#[tokio::test]
async fn the_cli_reads_every_answer() {
    let cli = Cli::start(Sandbox::builder().seed(2).page_size(2).build()).await;
    let key = cli.administrator();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}]}"#;
    let json = async |arguments: &[&str]| cli.json(&key, arguments).await;
    let made =
        json(&["iam", "create-user", "--user-name", "bob", "--path", "/team/", "--tags", "Key=owner,Value=a b"]).await;
    assert_eq!(made["User"]["Arn"], "arn:aws:iam::111122223333:user/team/bob");
    assert_eq!(made["User"]["Tags"][0]["Value"], "a b");
    for name in ["carol", "dave"] {
        json(&["iam", "create-user", "--user-name", name]).await;
    }
    let users = json(&["iam", "list-users"]).await;
    assert_eq!(users["Users"].as_array().unwrap().len(), 4, "over two pages: {users}");
    json(&["iam", "tag-user", "--user-name", "bob", "--tags", "Key=team,Value=x"]).await;
    assert_eq!(json(&["iam", "list-user-tags", "--user-name", "bob"]).await["Tags"].as_array().unwrap().len(), 2);
    json(&["iam", "put-user-policy", "--user-name", "bob", "--policy-name", "p", "--policy-document", policy]).await;
    let read = json(&["iam", "get-user-policy", "--user-name", "bob", "--policy-name", "p"]).await;
    assert_eq!(read["PolicyDocument"]["Statement"][0]["Action"], "iam:Get*");
    assert_eq!(json(&["iam", "list-user-policies", "--user-name", "bob"]).await["PolicyNames"][0], "p");
    let policy_made = json(&["iam", "create-policy", "--policy-name", "own", "--policy-document", policy]).await;
    let arn = policy_made["Policy"]["Arn"].as_str().unwrap().to_owned();
    json(&["iam", "attach-user-policy", "--user-name", "bob", "--policy-arn", &arn]).await;
    let attached = json(&["iam", "list-attached-user-policies", "--user-name", "bob"]).await;
    assert_eq!(attached["AttachedPolicies"][0]["PolicyName"], "own");
    assert_eq!(json(&["iam", "get-policy", "--policy-arn", &arn]).await["Policy"]["AttachmentCount"], 1);
    let version = json(&["iam", "get-policy-version", "--policy-arn", &arn, "--version-id", "v1"]).await;
    assert_eq!(version["PolicyVersion"]["Document"]["Version"], "2012-10-17");
    json(&["iam", "create-group", "--group-name", "team"]).await;
    json(&["iam", "add-user-to-group", "--group-name", "team", "--user-name", "bob"]).await;
    json(&["iam", "put-group-policy", "--group-name", "team", "--policy-name", "g", "--policy-document", policy]).await;
    assert_eq!(json(&["iam", "list-groups-for-user", "--user-name", "bob"]).await["Groups"][0]["GroupName"], "team");
    let refused = cli.error(&key, &["iam", "delete-user", "--user-name", "bob"]).await;
    assert!(refused.contains("(DeleteConflict)"), "{refused}");
    json(&["iam", "remove-user-from-group", "--group-name", "team", "--user-name", "bob"]).await;
    json(&["iam", "detach-user-policy", "--user-name", "bob", "--policy-arn", &arn]).await;
    json(&["iam", "delete-user-policy", "--user-name", "bob", "--policy-name", "p"]).await;
    json(&["iam", "delete-user", "--user-name", "bob"]).await;
    let missing = cli.error(&key, &["iam", "get-user", "--user-name", "bob"]).await;
    assert!(
        missing.contains("(NoSuchEntity)") && missing.contains("The user with name bob cannot be found."),
        "{missing}"
    );
    assert_eq!(json(&["iam", "generate-credential-report"]).await["State"], "STARTED");
    assert_eq!(json(&["iam", "generate-credential-report"]).await["State"], "COMPLETE");
    assert_eq!(json(&["iam", "get-credential-report"]).await["ReportFormat"], "text/csv");
    assert_eq!(json(&["iam", "get-account-summary"]).await["SummaryMap"]["Users"], 3);
    assert_eq!(json(&["iam", "list-account-aliases"]).await["AccountAliases"], Value::Array(Vec::new()));
    let details = json(&["iam", "get-account-authorization-details"]).await;
    assert_eq!(details["UserDetailList"].as_array().unwrap().len(), 3, "{details}");
    assert_eq!(details["GroupDetailList"][0]["GroupPolicyList"][0]["PolicyName"], "g");
    let simulated = json(&[
        "iam",
        "simulate-principal-policy",
        "--policy-source-arn",
        "arn:aws:iam::111122223333:user/admin",
        "--action-names",
        "iam:CreateAccessKey",
        "iam:DeleteUser",
    ])
    .await;
    assert_eq!(simulated["EvaluationResults"][1]["EvalDecision"], "allowed", "{simulated}");
    let info = json(&["sts", "get-access-key-info", "--access-key-id", &key.id]).await;
    assert_eq!(info["Account"], "111122223333");
    let unknown = cli.error(&key, &["iam", "list-ssh-public-keys"]).await;
    assert!(unknown.contains("(InvalidAction)"), "{unknown}");
    cli.server.shutdown().await;
}

#[tokio::test]
async fn the_cli_opens_mfa_sessions_and_hears_refusals() {
    let sandbox = Sandbox::builder().seed(3).build();
    let cli = Cli::start(sandbox.clone()).await;
    let eve = sandbox.add_user("eve", "/").unwrap();
    let key = eve.add_access_key(sandbox.now()).unwrap();
    let denied = cli.error(&key, &["iam", "list-access-keys"]).await;
    assert!(
        denied.ends_with(
            "User: arn:aws:iam::111122223333:user/eve is not authorized to perform: iam:ListAccessKeys on resource: \
             user eve because no identity-based policy allows the iam:ListAccessKeys action"
        ),
        "{denied}"
    );
    let trail = cli.error(&key, &["cloudtrail", "lookup-events"]).await;
    assert!(trail.contains("(AccessDeniedException)"), "{trail}");
    let only_with_mfa = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*",
        "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}"#;
    eve.put_policy("mfa", only_with_mfa).unwrap();
    let serial = eve.add_mfa_device().unwrap();
    let code = sandbox.mfa_code(&serial).unwrap();
    let opened = cli.json(&key, &["sts", "get-session-token", "--serial-number", &serial, "--token-code", &code]).await;
    let part = |name: &str| opened["Credentials"][name].as_str().unwrap().to_owned();
    let (id, secret, token) = (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"));
    let devices = cli.run((&id, &secret, Some(&token)), &["iam", "list-mfa-devices"]).await;
    assert!(devices.status.success(), "{}", String::from_utf8_lossy(&devices.stderr));
    let devices: Value = serde_json::from_slice(&devices.stdout).unwrap();
    assert_eq!(devices["MFADevices"][0]["SerialNumber"], serial.as_str());
    let without_token = cli.run((&id, &secret, None), &["iam", "list-mfa-devices"]).await;
    assert!(String::from_utf8_lossy(&without_token.stderr).contains("(InvalidClientTokenId)"));
    let wrong = KeyPair { secret: "wrong".to_owned(), ..key };
    let wrong = cli.error(&wrong, &["sts", "get-caller-identity"]).await;
    assert!(wrong.contains("(SignatureDoesNotMatch)"), "{wrong}");
    cli.server.shutdown().await;
}

#[tokio::test]
async fn faults_reach_the_cli_over_the_wire() {
    let sandbox = Sandbox::builder().seed(4).build();
    let cli = Cli::start(sandbox.clone()).await;
    let key = cli.administrator();
    sandbox.inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerAfterCommit));
    let lost = cli.error(&key, &["iam", "create-access-key"]).await;
    assert!(lost.contains("Connection was closed before we received a valid response"), "{lost}");
    assert_eq!(sandbox.keys().len(), 2, "and yet it was made");
    sandbox.inject(Fault::on_any(FaultKind::ServerError { status: 503, committed: false }));
    let down = cli.error(&key, &["iam", "list-users"]).await;
    assert!(down.contains("(ServiceUnavailable)"), "{down}");
    // A caller whose clock is ten minutes behind.
    sandbox.advance(Duration::from_secs(600));
    let late = cli.error(&key, &["iam", "list-users"]).await;
    assert!(late.contains("(SignatureDoesNotMatch)") && late.contains("Signature expired: "), "{late}");
    cli.server.shutdown().await;
}
