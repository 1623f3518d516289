//! Secrets of GitHub Actions. The server is built from <https://docs.github.com/en/rest/actions/secrets>,
//! <https://docs.github.com/en/rest/actions/variables>, <https://docs.github.com/en/rest/repos/repos#get-a-repository> and
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>; it opens every sealed box with its private key, by
//! another library than the one that sealed it, and holds what GitHub would give to a workflow.

use std::collections::BTreeMap;

use akia_core::place::Place;
use akia_io::place::{Held, PlaceError};
use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::keys::id;
use crate::server::Seen;
use crate::support::{Bench, Fault, Reply, Service, TOKEN, Writes, checked, equal, headers, json as answer, values};
const REPOSITORY: &str = "kind = \"github-actions\"\nrepo = \"acme/shop\"\napi = \"{}\"";
const VARIABLE: &str = "kind = \"github-actions\"\nrepo = \"acme/shop\"\nid-as = \"variable\"\napi = \"{}/api/v3\"";
const ENVIRONMENT: &str = "kind = \"github-actions\"\nrepo = \"acme/shop\"\nenvironment = \"pro/d uction\"\nnames = { combined = \"AWS\" }\napi = \"{}\"";
const ORGANIZATION: &str = "kind = \"github-actions\"\norg = \"acme\"\napi = \"{}\"";
const KEY_ID: &str = "568250167242549743";

struct Entry {
    value: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    visibility: String,
    repositories: Vec<u64>,
}

struct Github {
    /// The path of secrets and variables.
    base: &'static str,
    key: crypto_box::SecretKey,
    entries: BTreeMap<(&'static str, String), Entry>,
    /// What somebody else makes is a variable where it is an id.
    has_variable: bool,
    is_archived: bool,
    scopes: &'static str,
}

impl Github {
    fn at(base: &'static str) -> Self {
        Self {
            base,
            key: crypto_box::SecretKey::from([7; 32]),
            entries: BTreeMap::new(),
            has_variable: false,
            is_archived: false,
            scopes: "",
        }
    }

    fn is_organization(&self) -> bool {
        self.base.contains("/orgs/")
    }

    fn show(&self, kind: &'static str, name: &str) -> Result<Reply, String> {
        let Some(entry) = self.entries.get(&(kind, name.to_owned())) else { return not_found() };
        // Both times are told to the second: 2019-08-10T14:59:22Z.
        let second = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap().to_string();
        let mut shown =
            json!({ "name": name, "created_at": second(entry.created_at), "updated_at": second(entry.updated_at) });
        if kind == "variables" {
            shown["value"] = entry.value.clone().into();
        }
        if self.is_organization() {
            shown["visibility"] = entry.visibility.clone().into();
        }
        answer(200, &shown)
    }

    /// What an organisation's secret or variable says beside its value.
    fn shared(&self, body: &Value) -> Result<(String, Vec<u64>), String> {
        if !self.is_organization() {
            return Ok((String::new(), Vec::new()));
        }
        let visibility = body["visibility"].as_str().ok_or("no visibility")?.to_owned();
        let ids = &body["selected_repository_ids"];
        // "You can only provide a list of repository ids when the visibility is set to selected."
        equal("the ids", &ids.is_array(), &(visibility == "selected"))?;
        let ids = ids.as_array().into_iter().flatten().map(|id| id.as_u64().unwrap()).collect();
        Ok((visibility, ids))
    }

    fn keep(&mut self, kind: &'static str, name: &str, value: String, shared: (String, Vec<u64>), now: Timestamp) {
        let key = (kind, name.to_owned());
        let created_at = self.entries.get(&key).map_or(now, |entry| entry.created_at);
        let (visibility, repositories) = shared;
        self.entries.insert(key, Entry { value, created_at, updated_at: now, visibility, repositories });
    }

    fn change(&mut self, seen: &Seen, now: Timestamp) -> Result<Reply, String> {
        let path = seen.path.strip_prefix(self.base).unwrap().to_owned();
        let body = seen.json();
        let mut fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        fields.retain(|field| !self.is_organization() || !matches!(*field, "visibility" | "selected_repository_ids"));
        let shared = self.shared(&body)?;
        if let ("PUT", Some(name)) = (seen.method.as_str(), path.strip_prefix("/secrets/")) {
            equal("the fields", &fields, &vec!["encrypted_value", "key_id"])?;
            equal("the key", &body["key_id"], &json!(KEY_ID))?;
            let sealed =
                BASE64.decode(body["encrypted_value"].as_str().unwrap().as_bytes()).map_err(|e| e.to_string())?;
            let value = self.key.unseal(&sealed).map_err(|_| "the box is not sealed for this key")?;
            let is_new = !self.entries.contains_key(&("secrets", name.to_owned()));
            self.keep("secrets", name, String::from_utf8(value).unwrap(), shared, now);
            return if is_new { answer(201, &json!({})) } else { Ok((204, "", String::new())) };
        }
        equal("the fields", &fields, &vec!["name", "value"])?;
        let (name, value) = (body["name"].as_str().unwrap(), body["value"].as_str().unwrap().to_owned());
        let is_there = self.entries.contains_key(&("variables", name.to_owned()));
        match (seen.method.as_str(), path.as_str()) {
            ("POST", "/variables") if is_there => answer(409, &json!({ "message": "Already exists" })),
            ("POST", "/variables") => {
                self.keep("variables", name, value, shared, now);
                answer(201, &json!({}))
            }
            ("PATCH", path) if path == format!("/variables/{name}") => {
                if !is_there {
                    return not_found();
                }
                self.keep("variables", name, value, shared, now);
                Ok((204, "", String::new()))
            }
            _ => Err("no such operation".to_owned()),
        }
    }
}

fn not_found() -> Result<Reply, String> {
    answer(404, &json!({ "message": "Not Found", "status": "404" }))
}

impl Service for Github {
    fn answer(&mut self, seen: &Seen, now: Timestamp) -> Result<Reply, String> {
        headers(
            seen,
            &[
                ("authorization", &format!("Bearer {TOKEN}")),
                ("accept", "application/vnd.github+json"),
                ("x-github-api-version", "2022-11-28"),
            ],
        )?;
        let root = self.base.split("/acme").next().unwrap();
        if seen.path == format!("{root}/acme/shop") && seen.method == "GET" {
            return Ok((
                200,
                self.scopes,
                json!({ "full_name": "acme/shop", "archived": self.is_archived }).to_string(),
            ));
        }
        let Some(path) = seen.path.strip_prefix(self.base) else { return not_found() };
        if seen.method != "GET" {
            return self.change(seen, now);
        }
        equal("the body", &seen.body.as_str(), &"")?;
        if path == "/secrets/public-key" {
            let key = BASE64.encode(self.key.public_key().as_bytes());
            return Ok((200, self.scopes, json!({ "key_id": KEY_ID, "key": key }).to_string()));
        }
        let (kind, name) = path.trim_start_matches('/').split_once('/').ok_or("no such operation")?;
        let kind = ["secrets", "variables"].into_iter().find(|known| *known == kind).ok_or("no such operation")?;
        let Some((name, query)) = name.split_once("/repositories?") else { return self.show(kind, name) };
        let Some(entry) = self.entries.get(&(kind, name.to_owned())) else { return not_found() };
        let page: usize = query.strip_prefix("per_page=100&page=").ok_or("another query")?.parse().unwrap();
        let ids: Vec<Value> = entry
            .repositories
            .iter()
            .skip((page - 1) * 100)
            .take(100)
            .map(|id| json!({ "id": id, "name": "r" }))
            .collect();
        answer(200, &json!({ "total_count": entry.repositories.len(), "repositories": ids }))
    }

    fn held(&self) -> Vec<(String, String)> {
        let mut held: Vec<_> =
            self.entries.iter().map(|((_, name), entry)| (name.clone(), entry.value.clone())).collect();
        held.sort();
        held
    }

    fn put(&mut self, values: &[(String, String)], now: Timestamp) {
        self.entries.clear();
        for (name, value) in values {
            let kind = if self.has_variable && name.ends_with("ID") { "variables" } else { "secrets" };
            self.keep(kind, name, value.clone(), ("selected".to_owned(), (1..=150).collect()), now);
        }
    }
}

async fn repository() -> (Bench<Github>, Place) {
    let bench = Bench::start(Github::at("/repos/acme/shop/actions")).await;
    let place = bench.place(REPOSITORY);
    (bench, place)
}

async fn with_variable() -> (Bench<Github>, Place) {
    let github = Github { has_variable: true, ..Github::at("/api/v3/repos/acme/shop/actions") };
    let bench = Bench::start(github).await;
    let place = bench.place(VARIABLE);
    (bench, place)
}

#[tokio::test]
async fn secrets_are_sealed_for_the_repository_and_bear_all_faults() {
    let (bench, place) = repository().await;
    let both = [("PUT", 1), ("PUT", 2)];
    bench.bears_all_faults(&place, Writes { change: both, create: both }).await;
}

#[tokio::test]
async fn an_id_as_a_variable_bears_all_faults_and_is_read() {
    let (bench, place) = with_variable().await;
    let writes = Writes { change: [("PATCH", 1), ("PUT", 1)], create: [("POST", 1), ("PUT", 1)] };
    bench.bears_all_faults(&place, writes).await;
    bench.put(&values(1));
    let mark = bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    let Held::Sealed { id: found, mark: held } = bench.read(&place).await.unwrap() else { panic!() };
    assert_eq!((found, held), (Some(id(2)), mark.clone()));
    // A crash after both writes of an undo, before its mark was kept: the id says whose they were.
    bench.deliver(&place, 1, &[id(1), id(2)], mark.as_deref()).await.unwrap();
    bench.deliver(&place, 1, &[id(1), id(2)], mark.as_deref()).await.unwrap();
    bench.put(&values(3));
    let error = bench.deliver(&place, 1, &[id(1), id(2)], None).await.unwrap_err();
    assert!(matches!(&error, PlaceError::Foreign { found, .. } if *found == id(3)), "{error:?}");
}

#[tokio::test]
async fn the_mark_changes_with_every_write_even_within_a_second() {
    let (bench, place) = repository().await;
    bench.put(&values(1));
    assert!(matches!(bench.read(&place).await.unwrap(), Held::Sealed { id: None, mark: Some(_) }));
    let first = bench.deliver(&place, 2, &[id(1)], None).await.unwrap().unwrap();
    let Held::Sealed { id: None, mark } = bench.read(&place).await.unwrap() else { panic!() };
    assert_eq!(mark.as_deref(), Some(first.as_str()));
    let second = bench.deliver(&place, 2, &[id(1), id(2)], Some(&first)).await.unwrap().unwrap();
    assert_ne!(first, second);
    // Somebody else writes at the very moment in which the delivery is over.
    let now = akia_io::clock::Clock::now(&bench.clock);
    bench.service.lock().unwrap().put(&values(3), now);
    let error = bench.deliver(&place, 1, &[id(1), id(2)], Some(&second)).await.unwrap_err();
    assert!(matches!(error, PlaceError::Changed { .. }), "{error:?}");
    assert_eq!(bench.held(), values(3));
}

/// What `docs/places.md` says of secrets that cannot be read: a person decides.
#[tokio::test]
async fn an_undo_whose_mark_was_lost_in_a_crash_is_not_taken_for_ones_own() {
    let (bench, place) = repository().await;
    bench.put(&values(1));
    let mark = bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    bench.deliver(&place, 1, &[id(1), id(2)], mark.as_deref()).await.unwrap();
    let error = bench.deliver(&place, 1, &[id(1), id(2)], mark.as_deref()).await.unwrap_err();
    assert!(matches!(error, PlaceError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn an_environment_takes_one_combined_secret() {
    let github = Github::at("/repos/acme/shop/environments/pro%2Fd%20uction");
    let bench = Bench::start(github).await;
    let place = bench.place(ENVIRONMENT);
    assert!(matches!(bench.read(&place).await.unwrap(), Held::Nothing));
    checked(bench.places.preflight(&place).await).unwrap();
    assert!(bench.seen().iter().all(|seen| seen.method == "GET"));
    bench.deliver(&place, 1, &[], None).await.unwrap();
    let [(name, value)] = &bench.held()[..] else { panic!() };
    let value: Value = serde_json::from_str(value).unwrap();
    assert_eq!((name.as_str(), &value["AccessKeyId"]), ("AWS", &json!(id(1).as_str())));
    assert_eq!(value["SecretAccessKey"], values(1)[1].1);
}

#[tokio::test]
async fn an_organisations_secrets_keep_who_sees_them() {
    let bench = Bench::start(Github::at("/orgs/acme/actions")).await;
    let place = bench.place(ORGANIZATION);
    bench.put(&values(1));
    bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    assert_eq!(bench.held(), values(2));
    for entry in bench.service.lock().unwrap().entries.values() {
        assert_eq!((entry.visibility.as_str(), entry.repositories.len()), ("selected", 150));
    }
    for (more, visibility) in [("", "private"), ("\nvisibility = \"selected\"", "selected")] {
        bench.put(&[]);
        let place = bench.place(&format!("{ORGANIZATION}{more}"));
        bench.deliver(&place, 2, &[], None).await.unwrap();
        let service = bench.service.lock().unwrap();
        assert!(service.entries.values().all(|entry| entry.visibility == visibility && entry.repositories.is_empty()));
    }
}

#[tokio::test]
async fn an_organisations_variable_keeps_who_sees_it() {
    let bench = Bench::start(Github { has_variable: true, ..Github::at("/orgs/acme/actions") }).await;
    let place = bench.place(&format!("{ORGANIZATION}\nid-as = \"variable\""));
    bench.put(&values(1));
    bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    assert_eq!(bench.held(), values(2));
    let service = bench.service.lock().unwrap();
    assert!(service.entries.values().all(|entry| entry.visibility == "selected" && entry.repositories.len() == 150));
}

/// 2026-11-30T09:01:10Z is ten seconds after the moment at which the place is asked.
#[tokio::test]
async fn a_rate_limit_is_no_denial() {
    for limit in ["retry-after: 5\r\n", "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1796029270\r\n"] {
        for status in [403, 429] {
            let (bench, place) = repository().await;
            bench.put(&values(1));
            bench.fault("PUT", 1, Fault::Answer(status, limit));
            bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
            assert_eq!(bench.held(), values(2));
        }
    }
    let (bench, place) = repository().await;
    bench.fault("GET", 1, Fault::Answer(403, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1796033270\r\n"));
    let error = bench.read(&place).await.err().unwrap();
    assert!(matches!(error, PlaceError::Unavailable { .. }), "{error:?}");
    bench.fault("GET", 1, Fault::Answer(403, "x-ratelimit-remaining: 12\r\n"));
    assert!(matches!(bench.read(&place).await.err().unwrap(), PlaceError::Denied { .. }));
}

#[tokio::test]
async fn a_conflict_is_looked_at_again() {
    let (bench, place) = with_variable().await;
    bench.put(&values(1));
    bench.fault("PUT", 1, Fault::Answer(409, ""));
    bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    assert_eq!(bench.held(), values(2));
    for _ in 0..8 {
        bench.fault("PUT", 1, Fault::Answer(409, ""));
    }
    bench.put(&values(1));
    let error = bench.deliver(&place, 2, &[id(1)], None).await.unwrap_err();
    assert!(matches!(error, PlaceError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_preflight_finds_what_would_stop_a_delivery() {
    let (bench, place) = repository().await;
    bench.put(&values(1));
    bench.clock.turn(SignedDuration::from_secs(1));
    checked(bench.places.preflight(&place).await).unwrap();
    let refusal = async |place: &Place| checked(bench.places.preflight(place).await).unwrap_err().to_string();
    bench.service.lock().unwrap().scopes = "x-oauth-scopes: gist, read:org\r\n";
    let error = refusal(&place).await;
    assert!(error.contains("the scopes gist, read:org, and needs repo or public_repo"), "{error}");
    bench.service.lock().unwrap().scopes = "x-oauth-scopes: gist, repo\r\n";
    checked(bench.places.preflight(&place).await).unwrap();
    bench.service.lock().unwrap().is_archived = true;
    assert!(refusal(&place).await.contains("archived"));
    let elsewhere = bench.place(&REPOSITORY.replace("acme/shop", "acme/none"));
    assert!(refusal(&elsewhere).await.contains("the repository is not there, or the token may not see it"));
    bench.service.lock().unwrap().is_archived = false;
    let environment = bench.place(ENVIRONMENT);
    assert!(refusal(&environment).await.contains("the environment is not there"));
    let error = bench.deliver(&environment, 2, &[], None).await.unwrap_err().to_string();
    assert!(error.contains("the environment is not there"), "{error}");
    let organization = bench.place(ORGANIZATION);
    assert!(refusal(&organization).await.contains("the organisation is not there"));
    assert!(bench.seen().iter().all(|seen| seen.method == "GET"));
    assert_eq!(bench.held(), values(1));
}
