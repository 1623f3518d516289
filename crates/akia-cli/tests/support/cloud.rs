//! One AWS account on one backend: made for one test, so that tests share servers and nothing else.

use super::backend::Backend;
use super::lab::ask;
use super::ran::Ran;
use akia_sandbox::{RoleSpec, Sandbox, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// An access key, long-term or temporary.
#[derive(Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// A key as `ListAccessKeys` describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) active: bool,
}

/// A user with one key.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) key: Key,
}

/// An account, and an administrator in it.
pub(crate) struct Cloud {
    pub(crate) backend: Backend,
    pub(crate) endpoint: String,
    pub(crate) account: String,
    pub(crate) admin: Key,
    /// The sandbox behind it, and its server; `None` for the others.
    local: Option<(Sandbox, Server)>,
}

/// An account id that no other test of this process uses.
pub(super) fn fresh_account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(210_000_000_001);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

impl Key {
    /// From the `Credentials` of an STS answer, or the `AccessKey` of an IAM one.
    pub(crate) fn from_answer(answer: &Value) -> Key {
        let inner = answer.get("Credentials").or_else(|| answer.get("AccessKey")).unwrap_or(answer);
        let text = |name: &str| inner[name].as_str().map(str::to_owned);
        Key {
            id: text("AccessKeyId").expect("an AccessKeyId in the answer"),
            secret: text("SecretAccessKey").expect("a SecretAccessKey in the answer"),
            token: text("SessionToken"),
        }
    }

    /// The same key with another secret of the same shape: what a typing error makes.
    pub(crate) fn mistyped(&self) -> Key {
        let last = if self.secret.ends_with('a') { 'b' } else { 'a' };
        let mut secret = self.secret.clone();
        secret.pop();
        secret.push(last);
        Key { secret, ..self.clone() }
    }
}

impl Cloud {
    /// The default account of a sandbox that a test has set up (with delays, faults, small pages). Its clock must be the
    /// real one: `akia` and the AWS CLI sign with the machine's.
    pub(crate) fn of(sandbox: Sandbox) -> Cloud {
        // One runtime for the servers of all tests of this process.
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| Runtime::new().unwrap());
        let admin = sandbox.add_user("lab-admin", "/").unwrap();
        admin.attach_policy("AdministratorAccess").unwrap();
        let key = admin.add_access_key(sandbox.now()).unwrap();
        let server = runtime.block_on(sandbox.serve("127.0.0.1:0".parse().unwrap())).unwrap();
        let admin = Key { id: key.id, secret: key.secret, token: None };
        let account = sandbox.account().id().to_owned();
        let cloud = Cloud::served(Backend::Sandbox, server.url(), account, admin);
        Cloud { local: Some((sandbox, server)), ..cloud }
    }

    /// An account on a server that runs already.
    pub(super) fn served(backend: Backend, endpoint: String, account: String, admin: Key) -> Cloud {
        Cloud { backend, endpoint, account, admin, local: None }
    }

    /// The sandbox: its faults, its clock, its log. Panics for the other backends.
    #[track_caller]
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.local.as_ref().expect("only the sandbox can do this").0
    }

    /// A role that this principal may assume, with an inline policy; gives its ARN.
    pub(crate) fn role(&self, name: &str, principal: &str, policy: &Value) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" }] })
        .to_string();
        let policy = policy.to_string();
        if self.backend == Backend::Sandbox {
            let hour = Duration::from_secs(3600);
            let role = RoleSpec { name, path: "/", trust_policy: &trust, policy: Some(&policy), max_session: hour };
            return self.sandbox().account().add_role(role).unwrap();
        }
        let made = self.call("iam", "create_role", json!({ "RoleName": name, "AssumeRolePolicyDocument": trust }));
        let params = json!({ "RoleName": name, "PolicyName": "inline", "PolicyDocument": policy });
        self.call("iam", "put_role_policy", params);
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    /// A virtual MFA device for a user; gives its serial number.
    pub(crate) fn mfa_device(&self, user: &str) -> String {
        if self.backend == Backend::Sandbox {
            return self.sandbox().account().user(user).unwrap().add_mfa_device().unwrap();
        }
        let device = self.call("iam", "create_virtual_mfa_device", json!({ "VirtualMFADeviceName": user }));
        let serial = device["VirtualMFADevice"]["SerialNumber"].as_str().unwrap().to_owned();
        let codes = json!({ "AuthenticationCode1": "123456", "AuthenticationCode2": "654321" });
        let mut params = json!({ "UserName": user, "SerialNumber": serial });
        params.as_object_mut().unwrap().extend(codes.as_object().unwrap().clone());
        self.call("iam", "enable_mfa_device", params);
        serial
    }

    /// What the device shows now. The others take any code.
    pub(crate) fn mfa_code(&self, serial: &str) -> String {
        match self.backend {
            Backend::Sandbox => self.sandbox().mfa_code(serial).unwrap(),
            Backend::Moto | Backend::MiniStack => "123456".to_owned(),
        }
    }

    /// A user who has one key and may manage her own keys.
    pub(crate) fn user(&self, name: &str) -> User {
        self.user_without_rights(name, "/");
        self.policy(name, "own-keys", &self.backend.own_keys_policy(&json!({})));
        User { name: name.to_owned(), key: self.key(name) }
    }

    /// A user with no key and no right at all; `path` begins and ends with a slash.
    pub(crate) fn user_without_rights(&self, name: &str, path: &str) {
        self.call("iam", "create_user", json!({ "UserName": name, "Path": path }));
    }

    /// Puts an inline policy on a user.
    pub(crate) fn policy(&self, user: &str, name: &str, document: &Value) {
        let document = document.to_string();
        let params = json!({ "UserName": user, "PolicyName": name, "PolicyDocument": document });
        self.call("iam", "put_user_policy", params);
    }

    /// Makes a key for a user.
    pub(crate) fn key(&self, user: &str) -> Key {
        Key::from_answer(&self.call("iam", "create_access_key", json!({ "UserName": user })))
    }

    /// An API call of the administrator, quick, for setting the stage; `operation` is `snake_case`. It must succeed.
    #[track_caller]
    pub(crate) fn call(&self, service: &str, operation: &str, params: Value) -> Value {
        let key: Vec<&str> = [Some(&self.admin.id), Some(&self.admin.secret), self.admin.token.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let answer = ask(json!({
            "do": "call", "endpoint": self.endpoint, "key": key,
            "service": service, "operation": operation, "params": params,
        }));
        assert!(answer.get("refused").is_none(), "{service} {operation} was refused: {answer}");
        answer["result"].clone()
    }

    /// The AWS CLI, as the administrator.
    pub(crate) fn aws(&self, arguments: &[&str]) -> Ran {
        self.aws_as(&self.admin, arguments)
    }

    /// The AWS CLI with a key in its environment, and no files.
    pub(crate) fn aws_as(&self, key: &Key, arguments: &[&str]) -> Ran {
        let mut environment = self.environment();
        environment.insert("AWS_ACCESS_KEY_ID".to_owned(), key.id.clone());
        environment.insert("AWS_SECRET_ACCESS_KEY".to_owned(), key.secret.clone());
        if let Some(token) = &key.token {
            environment.insert("AWS_SESSION_TOKEN".to_owned(), token.clone());
        }
        environment.insert("AWS_CONFIG_FILE".to_owned(), "/dev/null".to_owned());
        environment.insert("AWS_SHARED_CREDENTIALS_FILE".to_owned(), "/dev/null".to_owned());
        aws_cli(arguments, &environment, "/")
    }

    /// The names of the managed policies of a user.
    pub(crate) fn attached(&self, user: &str) -> Vec<String> {
        self.policies("list_attached_user_policies", user, "AttachedPolicies")
    }

    /// The names of the inline policies of a user.
    pub(crate) fn inline(&self, user: &str) -> Vec<String> {
        self.policies("list_user_policies", user, "PolicyNames")
    }

    fn policies(&self, operation: &str, user: &str, list: &str) -> Vec<String> {
        let answer = self.call("iam", operation, json!({ "UserName": user }));
        let name = |one: &Value| one.as_str().or_else(|| one["PolicyName"].as_str()).unwrap().to_owned();
        answer[list].as_array().unwrap().iter().map(name).collect()
    }

    /// The keys of a user, oldest first, read with the AWS CLI.
    pub(crate) fn keys(&self, user: &str) -> Vec<Listed> {
        let answer = self.aws(&["iam", "list-access-keys", "--user-name", user]).done().json();
        let mut keys: Vec<&Value> = answer["AccessKeyMetadata"].as_array().unwrap().iter().collect();
        keys.sort_by_key(|key| key["CreateDate"].to_string());
        keys.into_iter()
            .map(|key| Listed {
                id: key["AccessKeyId"].as_str().unwrap().to_owned(),
                active: key["Status"] == "Active",
            })
            .collect()
    }

    /// The ARN that a key speaks for, asked with the AWS CLI; the error code when it is refused.
    pub(crate) fn caller(&self, key: &Key) -> Result<String, String> {
        let ran = self.aws_as(key, &["sts", "get-caller-identity"]);
        if ran.code == 0 { Ok(ran.json()["Arn"].as_str().unwrap().to_owned()) } else { Err(ran.refusal().to_owned()) }
    }

    /// The ARN of a user whose path is `/`.
    pub(crate) fn user_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:user/{name}", self.account)
    }

    /// What every program needs to talk to this backend; nothing of the tester's own environment.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"), // all that the AWS CLI 1.x looks at
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", "/nonexistent"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }
}

/// Runs the AWS CLI of the venv.
pub(super) fn aws_cli(arguments: &[&str], environment: &BTreeMap<String, String>, folder: &str) -> Ran {
    let answer = ask(json!({ "do": "aws", "args": arguments, "env": environment, "cwd": folder }));
    Ran::from_lab(format!("aws {}", arguments.join(" ")), &answer)
}
