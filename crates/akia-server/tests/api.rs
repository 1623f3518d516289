//! The API as a program meets it: what is documented is what answers, and who may not see gets nothing.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

use akia_core::settings::Settings;
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::state::StateFolder;
use akia_io::store::snapshots::Snapshots;
use akia_server::Database;
use akia_server::access::{Access, Tokens, new_token};
use akia_server::demo::{self, Size};
use akia_server::schedule::Job;
use akia_server::sight::{Person, Role};
use akia_server::web::{self, Parts, Shared, router};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

const HOST: &str = "akia.example.com";

struct Server {
    folder: tempfile::TempDir,
    shared: Shared,
    router: Router,
}

async fn server() -> Server {
    server_called(HOST).await
}

async fn server_called(host: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let audits = Snapshots::open(&state).await.unwrap();
    demo::keep(&audits, Size { accounts: 24, users: 10 }, SystemClock.now()).await.unwrap();
    let database = Database::sqlite(&folder.path().join("serve.db")).await.unwrap();
    let jobs = Settings::parse("[job.audit]\nrun = [\"audit\"]\nat = \"0 6 * * *\"\n").unwrap().jobs;
    let jobs = Arc::new(jobs.into_iter().map(|job| Job::new(job).unwrap()).collect());
    let path = folder.path().join("tokens");
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(&path).unwrap();
    let access = Access::new(database.clone(), false).with_tokens(Tokens::open(&path).unwrap());
    let parts = Parts::new(database, &state, access, vec![host.to_owned()], Arc::new(SystemClock));
    let shared = Shared::new(Parts { jobs, ..parts });
    shared.estate.refresh(&audits, &shared.settings).await.unwrap();
    for job in shared.jobs.iter() {
        shared.runs.plan(job, shared.now()).await.unwrap();
    }
    Server { folder, router: router(shared.clone()), shared }
}

impl Server {
    /// The header of somebody.
    fn token(&self, name: &str, role: Role, units: &[&str]) -> String {
        let units = units.iter().map(|&unit| unit.to_owned()).collect();
        let made = new_token(&Person { name: name.to_owned(), role, units }).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(self.folder.path().join("tokens")).unwrap();
        writeln!(file, "{}", made.line).unwrap();
        format!("Bearer {}", made.token)
    }

    async fn ask(&self, method: &str, address: &str, token: Option<&str>) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(address).header(header::HOST, HOST);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn json(&self, address: &str, token: &str) -> Value {
        let (status, body) = self.ask("GET", address, Some(token)).await;
        assert_eq!(status, StatusCode::OK, "{address}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

#[tokio::test]
async fn every_documented_call_answers_with_what_is_documented_and_nobody_is_let_in_without_a_login() {
    let server = server().await;
    let admin = server.token("ann", Role::Admin, &[]);
    let document = server.json("/api/openapi.json", &admin).await;
    assert_eq!(document["openapi"], "3.1.0");
    let run = server.shared.runs.ask("audit", &["audit".to_owned()], "ann", server.shared.now()).await.unwrap();
    let keys = server.json("/api/v1/keys?size=1", &admin).await;
    let key = keys["keys"][0]["identity"].as_str().unwrap();
    let mut calls = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let address = path.replace("{identity}", key).replace("{id}", &run.to_string());
            let address = address.replace("{name}", "audit").replace("{act}", "pause");
            let method = method.to_uppercase();
            let (status, body) = server.ask(&method, &address, None).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {address}: {body}");
            let (status, body) = server.ask(&method, &address, Some(&admin)).await;
            assert_eq!(status, StatusCode::OK, "{method} {address}: {body}");
            let answer: Value = serde_json::from_str(&body).unwrap();
            let reference = call["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str();
            if let Some(name) = reference.map(|reference| reference.rsplit('/').next().unwrap()) {
                let fields = &document["components"]["schemas"][name]["properties"];
                let documented: BTreeSet<&String> = fields.as_object().unwrap().keys().collect();
                let answered: BTreeSet<&String> = answer.as_object().unwrap().keys().collect();
                assert_eq!(documented, answered, "{method} {address}");
                assert!(answer["schema"].as_str().unwrap().starts_with("akia.api."), "{answer}");
            }
            calls.insert(format!("{method} {path}"));
        }
    }
    assert_eq!(calls.len(), 15, "{calls:?}");
    let metrics = server.ask("GET", "/metrics", Some(&admin)).await.1;
    let active = server.json("/api/v1/accounts", &admin).await["total"]["active"].clone();
    assert!(metrics.contains(&format!("akia_keys{{status=\"active\"}} {active}\n")), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    for health in ["/healthz", "/readyz"] {
        assert_eq!(server.ask("GET", health, None).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_is_not_theirs_is_not_there_for_them() {
    let server = server().await;
    let admin = server.token("ann", Role::Admin, &[]);
    let owner = server.token("shop@example.com", Role::Owner, &[]);
    let viewer = server.token("vic", Role::Viewer, &[]);
    let legacy = server.token("leo", Role::Operator, &["Root/Legacy"]);
    let all = server.json("/api/v1/keys?size=1000", &admin).await;
    let (mut own, mut foreign) = (0, 0);
    for key in all["keys"].as_array().unwrap() {
        let address = format!("/api/v1/keys/{}", key["identity"].as_str().unwrap());
        let (status, body) = server.ask("GET", &address, Some(&owner)).await;
        if key["owner"] == "shop@example.com" {
            own += 1;
            assert_eq!(status, StatusCode::OK, "{body}");
        } else {
            foreign += 1;
            let nothing = server.ask("GET", "/api/v1/keys/AKIANOTHERE", Some(&owner)).await;
            assert_eq!((status, body), nothing, "not even that it is there");
        }
    }
    assert!(own > 0 && foreign > 0);
    assert_eq!(server.json("/api/v1/keys", &owner).await["total"], own);
    // The schedule is nobody's who sees a part, and acts are nobody's who may only look.
    for (token, status) in [(&owner, StatusCode::FORBIDDEN), (&legacy, StatusCode::NOT_FOUND)] {
        for address in ["/api/v1/jobs", "/api/v1/runs", "/metrics", "/runs", "/plans"] {
            assert_eq!(server.ask("GET", address, Some(token)).await.0, status, "{address}");
        }
    }
    let looks = StatusCode::FORBIDDEN;
    for (token, status) in [(&owner, looks), (&legacy, StatusCode::NOT_FOUND), (&viewer, looks)] {
        for address in ["/api/v1/jobs/audit/run", "/api/v1/jobs/audit/pause", "/api/v1/runs/1/cancel"] {
            assert_eq!(server.ask("POST", address, Some(token)).await.0, status, "{address}");
        }
    }
    assert!(server.shared.runs.latest(None, 10).await.unwrap().is_empty());
    assert_eq!(server.shared.runs.paused("audit").await.unwrap(), None);
}

#[tokio::test]
async fn a_question_that_means_nothing_is_answered_with_what_is_wrong() {
    let server = server().await;
    let admin = server.token("ann", Role::Admin, &[]);
    for (address, status) in [
        ("/api/v1/keys?older-than=old", StatusCode::BAD_REQUEST),
        ("/api/v1/keys?page=4294967295&size=4294967295", StatusCode::OK),
        ("/api/v1/keys?severity=huge", StatusCode::BAD_REQUEST),
        ("/api/v1/keys?nothing=1", StatusCode::BAD_REQUEST),
        ("/api/v1/keys?search=%27%20OR%201%3D1--", StatusCode::OK),
        ("/api/v1/keys?search=%00", StatusCode::OK),
        ("/api/v1/rotations?over=perhaps", StatusCode::BAD_REQUEST),
        ("/api/v1/campaign?page=4294967295", StatusCode::OK),
        ("/api/v1/leaks?nothing=1", StatusCode::BAD_REQUEST),
        ("/api/v1/runs/one", StatusCode::NOT_FOUND),
        ("/api/v1/runs/9223372036854775807", StatusCode::NOT_FOUND),
        ("/api/v1/runs/1/lines?from=x", StatusCode::BAD_REQUEST),
        ("/api/v2/keys", StatusCode::NOT_FOUND),
        ("/api/v1/jobs/audit/run", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (answered, body) = server.ask("GET", address, Some(&admin)).await;
        assert_eq!(answered, status, "{address}: {body}");
    }
    let none = server.json("/api/v1/keys?search=%27%20OR%201%3D1--", &admin).await;
    assert_eq!(none["total"], 0);
}

/// The judge of the test environment, which `cargo xtask venv` makes.
fn schemathesis() -> std::process::Command {
    let venv = std::env::var_os("AKIA_TEST_VENV").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv"),
        std::path::PathBuf::from,
    );
    let program = venv.join("bin/schemathesis");
    assert!(program.exists(), "{} is not there: run cargo xtask venv", program.display());
    std::process::Command::new(program)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_document_allows_and_does_not_is_answered_as_it_says() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = server_called(&address.to_string()).await;
    let token = server.token("ann", Role::Admin, &[]);
    server.shared.runs.ask("audit", &["audit".to_owned()], "ann", server.shared.now()).await.unwrap();
    let serving = tokio::spawn(web::serve(listener, server.shared.clone(), std::future::pending()));
    let folder = tempfile::tempdir().unwrap();
    let mut judge = schemathesis();
    judge.args(["run", &format!("http://{address}/api/openapi.json"), "--header", &format!("Authorization: {token}")]);
    judge.args([
        "--checks",
        "all",
        "--max-examples",
        "25",
        "--seed",
        "1",
        "--no-color",
        "--suppress-health-check",
        "all",
    ]);
    judge.current_dir(folder.path()).stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || judge.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 14"), "{said}");
    serving.abort();
}
