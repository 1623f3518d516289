//! Secrets of Kubernetes, against a real API server with its store and its own authorization (`cargo xtask kubernetes` builds it). It is
//! of version 1.20; what is asked of it is part of the API v1 and apps/v1, which have not changed since.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use akia_core::place::Place;
use akia_io::place::PlaceError;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::desk::target;
use crate::keys::{id, secret};
use crate::relay::{Desk, Fault, Running, Upstream, free_port};
const SECRETS: &str = "/api/v1/namespaces/shop/secrets";
const BILLING: &str = "/api/v1/namespaces/shop/secrets/billing";
const API: &str = "/apis/apps/v1/namespaces/shop/deployments/api";
const TABLE: &str = "kind = \"kubernetes-secret\"\nserver = \"{}\"\nnamespace = \"shop\"\nname = \"billing\"\ntoken = { env = \"WRITER\" }";

/// A token for each user, as the API server has them.
const TOKENS: [(&str, &str); 4] = [
    ("ADMIN", "canary-4711-admin"),
    ("WRITER", "canary-4711-writer"),
    ("READER", "canary-4711-reader"),
    ("NOBODY", "canary-4711-nobody"),
];

struct Cluster {
    desk: Desk,
    folder: tempfile::TempDir,
    _programs: [Running; 2],
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (store, peers) = (free_port(), free_port());
        let (store, peers) = (format!("http://127.0.0.1:{store}"), format!("http://127.0.0.1:{peers}"));
        let mut etcd = Command::new("/usr/bin/etcd");
        etcd.args(["--data-dir", &path("etcd"), "--listen-client-urls", &store, "--advertise-client-urls", &store]);
        etcd.args(["--listen-peer-urls", &peers, "--unsafe-no-fsync"]);
        let etcd = Running::start(etcd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));

        let kind = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let random = ring::rand::SystemRandom::new();
        let signing = ring::signature::EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let public = ring::signature::EcdsaKeyPair::from_pkcs8(kind, signing.as_ref(), &random).unwrap();
        // The header of a public key on the curve P-256 (RFC 5480): the API server takes no PKCS#8 for one.
        let mut checking =
            data_encoding::HEXLOWER.decode(b"3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
        checking.extend_from_slice(ring::signature::KeyPair::public_key(&public).as_ref());
        for (name, word, key) in [("signing.pem", "PRIVATE", signing.as_ref()), ("checking.pem", "PUBLIC", &checking)] {
            let text = format!("-----BEGIN {word} KEY-----\n{}\n-----END {word} KEY-----\n", BASE64.encode(key));
            std::fs::write(path(name), text).unwrap();
        }
        let tokens = TOKENS.map(|(user, token)| {
            let group = if user == "ADMIN" { ",\"system:masters\"" } else { "" };
            format!("{token},{user},{user}{group}\n")
        });
        std::fs::write(path("tokens.csv"), tokens.concat()).unwrap();
        let program = target().join("kube-apiserver");
        assert!(program.exists(), "no API server at {}: run `cargo xtask kubernetes` first", program.display());
        let port = free_port();
        let mut server = Command::new(program);
        server.arg(format!("--secure-port={port}")).arg(format!("--etcd-servers={store}"));
        server
            .arg(format!("--cert-dir={}", path("certificates")))
            .arg(format!("--token-auth-file={}", path("tokens.csv")));
        server.arg(format!("--service-account-key-file={}", path("checking.pem")));
        server.arg(format!("--service-account-signing-key-file={}", path("signing.pem")));
        server.args(["--insecure-port=0", "--bind-address=127.0.0.1", "--authorization-mode=RBAC"]);
        server.args(["--service-account-issuer=https://cluster.example", "--service-cluster-ip-range=10.96.0.0/24"]);
        let server = Running::start(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));

        // It makes its certificate first; what it appends is the authority that signed it.
        let certificate = path("certificates/apiserver.crt");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let roots = loop {
            match std::fs::read(&certificate) {
                Ok(pem) if String::from_utf8_lossy(&pem).matches("END CERTIFICATE").count() == 2 => break pem,
                _ => assert!(std::time::Instant::now() < end, "the API server makes no certificate"),
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        };
        let upstream = Upstream { port, roots: Some(roots), opening: ("authorization", "Bearer canary-4711-admin") };
        upstream.wait_for("/readyz");
        let tokens: BTreeMap<&'static str, String> = TOKENS.map(|(user, token)| (user, token.to_owned())).into();
        upstream.done("POST", "/api/v1/namespaces", &json!({ "metadata": { "name": "shop" } }));
        // The least rights, as docs/places.md has them.
        upstream.allow("WRITER", &json!([
            { "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["billing"], "verbs": ["get", "patch"] },
            { "apiGroups": [""], "resources": ["secrets"], "verbs": ["create"] },
            { "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["api"], "verbs": ["patch"] },
        ]));
        let read =
            json!({ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["billing"], "verbs": ["get"] });
        upstream.allow("READER", &json!([read]));
        Self { desk: Desk::new(upstream, tokens).await, folder, _programs: [etcd, server] }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A place by a kubeconfig file that leads straight to the API server, over TLS.
    fn by_kubeconfig(&self, cluster: &str, user: &str) -> Place {
        let port = self.desk.upstream.port;
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: c\n  cluster:\n    server: https://127.0.0.1:{port}\n\
             {cluster}contexts:\n- name: prod\n  context: {{cluster: c, user: u, namespace: x}}\nusers:\n- name: u\n  user:\n{user}"
        );
        let path = self.write("kubeconfig", &text);
        let table = format!("kubeconfig = \"{path}\"\ncontext = \"prod\"\nnamespace = \"shop\"\nname = \"billing\"");
        self.desk.place(&format!("kind = \"kubernetes-secret\"\n{table}"))
    }
}

impl Upstream {
    fn allow(&self, user: &str, rules: &Value) {
        let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
        let name = user.to_lowercase();
        self.done("POST", &format!("{rbac}/roles"), &json!({ "metadata": { "name": name }, "rules": rules }));
        let subject = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user });
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name });
        let binding = json!({ "metadata": { "name": name }, "subjects": [subject], "roleRef": role });
        self.done("POST", &format!("{rbac}/rolebindings"), &binding);
    }

    /// Replaces the Secret as somebody else: by a key and a value beside it, and what else is given.
    fn put(&self, n: Option<usize>, metadata: &Value) {
        self.ask("DELETE", BILLING, &Value::Null);
        let Some(n) = n else { return };
        let mut metadata = metadata.clone();
        metadata["name"] = json!("billing");
        let values = json!({ "AWS_ACCESS_KEY_ID": id(n), "AWS_SECRET_ACCESS_KEY": secret(n), "region": "eu-west-1" });
        self.done("POST", SECRETS, &json!({ "metadata": metadata, "stringData": values }));
    }

    fn data(&self) -> BTreeMap<String, String> {
        let found = self.done("GET", BILLING, &Value::Null);
        let decoded =
            |value: &Value| String::from_utf8(BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap()).unwrap();
        found["data"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), decoded(value))).collect()
    }
}

#[tokio::test]
async fn a_secret_is_written_as_the_api_server_wants_it() {
    let cluster = Cluster::start().await;
    let desk = &cluster.desk;
    let upstream = &desk.upstream;
    let place = desk.place(TABLE);

    // Nothing stands there: the Secret is made, and a preflight makes none.
    desk.preflight(&place).await.unwrap();
    assert_eq!(desk.held(&place).await, None);
    desk.deliver(&place, 1, &[]).await.unwrap();
    let made = upstream.done("GET", BILLING, &Value::Null);
    assert_eq!((&made["type"], &made["metadata"]["managedFields"][0]["manager"]), (&json!("Opaque"), &json!("akia")));
    upstream.done("PATCH", BILLING, &json!({ "stringData": { "region": "eu-west-1" } }));
    desk.preflight(&place).await.unwrap();
    assert_eq!(upstream.data()["AWS_ACCESS_KEY_ID"], id(1).as_str(), "a dry run keeps nothing");
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    let before = upstream.done("GET", BILLING, &Value::Null)["metadata"]["resourceVersion"].clone();
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    assert_eq!(upstream.done("GET", BILLING, &Value::Null)["metadata"]["resourceVersion"], before, "written once");
    let expected = [
        ("AWS_ACCESS_KEY_ID", id(2).to_string()),
        ("AWS_SECRET_ACCESS_KEY", secret(2)),
        ("region", "eu-west-1".to_owned()),
    ];
    assert_eq!(upstream.data(), expected.map(|(name, value)| (name.to_owned(), value)).into());
    for seen in desk.seen().iter().filter(|seen| seen.method != "GET") {
        let dry = if seen.body.contains(&BASE64.encode(b"rehearsal")) { "&dryRun=All" } else { "" };
        let (path, kind) = match &*seen.method {
            "POST" => (SECRETS, "application/json"),
            _ => (BILLING, "application/merge-patch+json"),
        };
        assert_eq!(seen.path, format!("{path}?fieldManager=akia{dry}"));
        assert_eq!(
            (&*seen.headers["content-type"], &*seen.headers["authorization"]),
            (kind, "Bearer canary-4711-writer")
        );
    }
    preflights_refuse(desk).await;
    writes_of_others(desk).await;
    pods_are_rolled_over(desk).await;
    ways_to_the_cluster(&cluster).await;
}

/// Whatever would stop a delivery is found before there is a key, and said.
async fn preflights_refuse(desk: &Desk) {
    let upstream = &desk.upstream;
    let of = |token: &str| desk.place(&TABLE.replace("WRITER", token));
    upstream.put(Some(1), &json!({}));
    for (token, word) in [("READER", "cannot patch resource"), ("NOBODY", "cannot get resource")] {
        let error = desk.refusal(&of(token)).await;
        assert!(error.contains(word), "{error}");
    }
    let error = desk.deliver(&of("READER"), 2, &[id(1)]).await.unwrap_err();
    assert!(matches!(error, PlaceError::Denied { .. }), "{error:?}");
    upstream.done("PATCH", BILLING, &json!({ "immutable": true }));
    let error = desk.refusal(&of("WRITER")).await;
    assert!(error.contains("it is immutable"), "{error}");
    assert!(matches!(desk.deliver(&of("WRITER"), 2, &[id(1)]).await.unwrap_err(), PlaceError::Refused { .. }));
    let owner = json!({ "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "aws", "uid": "1", "controller": true });
    upstream.put(Some(1), &json!({ "ownerReferences": [owner] }));
    let error = desk.refusal(&of("WRITER")).await;
    assert!(error.contains("the ExternalSecret aws writes it and would put the old key back"), "{error}");
    upstream.put(None, &json!({}));
    assert!(desk.refusal(&of("READER")).await.contains("cannot create resource"));
    let elsewhere = desk.place(&TABLE.replace("WRITER", "ADMIN").replace("\"shop\"", "\"elsewhere\""));
    assert!(desk.refusal(&elsewhere).await.contains("namespaces \\\"elsewhere\\\" not found"));
    upstream.done(
        "POST",
        SECRETS,
        &json!({ "metadata": { "name": "billing" }, "stringData": { "AWS_ACCESS_KEY_ID": id(1) } }),
    );
    let error = desk.refusal(&of("WRITER")).await;
    assert!(error.contains("the secret access key is missing"), "{error}");
    assert!(matches!(desk.deliver(&of("WRITER"), 2, &[id(1)]).await.unwrap_err(), PlaceError::Unreadable { .. }));
}

/// What somebody else does between the look and the write is seen, and nothing of it is lost.
async fn writes_of_others(desk: &Desk) {
    let upstream = desk.upstream.clone();
    let place = desk.place(TABLE);
    let meanwhile = |deed: fn(&Upstream)| {
        let upstream = upstream.clone();
        desk.fault("PATCH", 1, Fault::Meanwhile(Box::new(move || deed(&upstream))));
    };
    upstream.put(Some(1), &json!({}));
    meanwhile(|upstream| drop(upstream.done("PATCH", BILLING, &json!({ "stringData": { "new": "kept" } }))));
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    assert_eq!((&*upstream.data()["new"], &*upstream.data()["AWS_ACCESS_KEY_ID"]), ("kept", id(2).as_str()));
    meanwhile(|upstream| upstream.put(Some(3), &json!({})));
    assert!(matches!(desk.deliver(&place, 1, &[id(2)]).await.unwrap_err(), PlaceError::Foreign { .. }));
    assert_eq!(desk.held(&place).await, Some(3));
    meanwhile(|upstream| upstream.put(None, &json!({})));
    assert!(matches!(desk.deliver(&place, 2, &[id(3)]).await.unwrap_err(), PlaceError::Emptied { .. }));
    // Made by somebody else right before it would be made.
    let other = upstream.clone();
    desk.fault("POST", 1, Fault::Meanwhile(Box::new(move || other.put(Some(3), &json!({})))));
    assert!(matches!(desk.deliver(&place, 1, &[]).await.unwrap_err(), PlaceError::Foreign { .. }));
    // A place that always changes is given up, and not for ever.
    upstream.put(Some(1), &json!({}));
    for number in 1..9 {
        let other = upstream.clone();
        let deed = move || drop(other.done("PATCH", BILLING, &json!({ "stringData": { "new": number.to_string() } })));
        desk.fault("PATCH", number, Fault::Meanwhile(Box::new(deed)));
    }
    let error = desk.deliver(&place, 2, &[id(1)]).await.unwrap_err();
    assert!(error.to_string().contains("others write to it all the time"), "{error}");
}

/// Once for a key, also where the run ended between the write and the restart.
async fn pods_are_rolled_over(desk: &Desk) {
    let upstream = &desk.upstream;
    upstream.put(Some(1), &json!({}));
    let place = desk.place(&format!("{TABLE}\nrestart = [\"deployment/api\"]"));
    assert!(desk.refusal(&place).await.contains("deployment/api, which restarts with Kubernetes Secret shop/billing"));
    let labels = json!({ "app": "api" });
    let pods = json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let spec = json!({ "selector": { "matchLabels": labels }, "template": pods });
    upstream.done("POST", API.trim_end_matches("/api"), &json!({ "metadata": { "name": "api" }, "spec": spec }));
    desk.preflight(&place).await.unwrap();
    let state = || {
        let found = upstream.done("GET", API, &Value::Null);
        let key = found["spec"]["template"]["metadata"]["annotations"]["akia/access-key-id"].clone();
        (found["metadata"]["generation"].clone(), key)
    };
    assert_eq!(state(), (json!(1), Value::Null));
    desk.fault("PATCH", 2, Fault::Answer(401, ""));
    desk.deliver(&place, 2, &[id(1)]).await.unwrap_err();
    assert_eq!((state(), desk.held(&place).await), ((json!(1), Value::Null), Some(2)));
    for _ in 0..2 {
        desk.deliver(&place, 2, &[id(1)]).await.unwrap();
        assert_eq!(state(), (json!(2), json!(id(2))));
    }
    desk.deliver(&place, 1, &[id(2)]).await.unwrap();
    assert_eq!(state(), (json!(3), json!(id(1))));
}

/// Over TLS, with the authority of the cluster, and tokens from everywhere.
async fn ways_to_the_cluster(cluster: &Cluster) {
    let desk = &cluster.desk;
    let roots = desk.upstream.roots.clone().unwrap();
    let trusted = format!("    certificate-authority-data: {}\n", BASE64.encode(&roots));
    let token = "    token: canary-4711-writer\n";
    desk.preflight(&cluster.by_kubeconfig(&trusted, token)).await.unwrap();
    let file = cluster.write("ca.pem", &String::from_utf8(roots).unwrap());
    cluster.write("token", "canary-4711-writer\n");
    let place = cluster.by_kubeconfig("    certificate-authority: ca.pem\n", "    tokenFile: token\n");
    desk.deliver(&place, 2, &[id(1)]).await.unwrap();
    assert_eq!(desk.held(&place).await, Some(2));
    // A cluster's own authority is no other cluster's, nor the world's.
    let error = desk.refusal(&cluster.by_kubeconfig("", token)).await;
    assert!(error.contains("does not answer") && error.contains("certificate"), "{error}");

    let port = desk.upstream.port;
    let table = TABLE.replace("{}", &format!("https://127.0.0.1:{port}"));
    desk.preflight(&desk.place(&format!("{table}\ncertificate-authority = \"{file}\""))).await.unwrap();

    let program = cluster.write(
        "get-token",
        "#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" >&2\n[ \"$SAY\" = no ] && exit 3\n\
         echo '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"canary-4711-'$1'\"}}'\n",
    );
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let exec = |user: &str, say: &str| {
        let api = "client.authentication.k8s.io/v1beta1";
        let environment = format!("      env: [{{name: SAY, value: '{say}'}}]\n");
        let text = format!(
            "    exec:\n      apiVersion: {api}\n      command: {program}\n      args: [{user}]\n{environment}"
        );
        cluster.by_kubeconfig(&trusted, &text)
    };
    desk.preflight(&exec("writer", "yes")).await.unwrap();
    assert!(matches!(desk.preflight(&exec("gone", "yes")).await.unwrap_err(), PlaceError::Denied { .. }));
    let error = desk.refusal(&exec("writer", "no")).await;
    assert!(error.contains("failed (exit status: 3)") && error.contains("\"interactive\":false"), "{error}");
}

#[tokio::test]
async fn a_secret_bears_every_fault() {
    let cluster = Cluster::start().await;
    let upstream = cluster.desk.upstream.clone();
    let put = |n: Option<usize>| upstream.put(n, &json!({}));
    cluster.desk.bears_all_faults(&cluster.desk.place(TABLE), "PATCH", &put).await;
    let table = format!("{TABLE}\nnames = {{ combined = \"credentials\", form = \"profile\" }}");
    let place = cluster.desk.place(&table);
    put(None);
    for fault in [Fault::Lost, Fault::Answer(500, "")] {
        put(None);
        cluster.desk.fault("POST", 1, fault);
        cluster.desk.deliver(&place, 1, &[]).await.unwrap();
        let text = format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", id(1), secret(1));
        assert_eq!(upstream.data()["credentials"], text);
    }
}

/// Everything that was sent is in what the server would keep: it drops what it does not know.
fn holds(kept: &Value, sent: &Value, at: &str) {
    match (kept, sent) {
        (Value::Object(kept), Value::Object(sent)) => {
            for (name, sent) in sent {
                holds(kept.get(name).unwrap_or(&Value::Null), sent, &format!("{at}.{name}"));
            }
        }
        (Value::Array(kept), Value::Array(sent)) => {
            assert_eq!(kept.len(), sent.len(), "{at}");
            kept.iter()
                .zip(sent)
                .enumerate()
                .for_each(|(number, (kept, sent))| holds(kept, sent, &format!("{at}[{number}]")));
        }
        _ => assert_eq!(kept, sent, "{at}"),
    }
}

#[tokio::test]
async fn the_manifests_of_the_server_are_taken_whole() {
    let cluster = Cluster::start().await;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes/akia.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut kinds = Vec::new();
    for document in text.split("\n---\n") {
        let mut manifest: Value = serde_saphyr::from_str(document).unwrap();
        if manifest["apiVersion"] == "policy/v1" {
            // This API server is older than the name; the kind has not changed since.
            manifest["apiVersion"] = json!("policy/v1beta1");
        }
        let (group, kind) = (manifest["apiVersion"].as_str().unwrap(), manifest["kind"].as_str().unwrap());
        let base = if group == "v1" { "/api/v1".to_owned() } else { format!("/apis/{group}") };
        let address = format!("{base}/namespaces/shop/{}s?dryRun=All", kind.to_lowercase());
        let kept = cluster.desk.upstream.done("POST", &address, &manifest);
        holds(&kept, &manifest, kind);
        if let Some(settings) = manifest["data"]["akia.toml"].as_str() {
            let settings = akia_core::settings::Settings::parse(settings).unwrap();
            assert!(settings.serve.oidc.is_some() && settings.serve.behind_proxy && settings.jobs.len() == 1);
        }
        kinds.push(kind.to_owned());
    }
    assert_eq!(kinds, ["ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"]);
}
