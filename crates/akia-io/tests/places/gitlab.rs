//! Variables of GitLab. The server is built from <https://docs.gitlab.com/api/project_level_variables/> and
//! <https://docs.gitlab.com/ci/variables/> (what can be masked, and what is hidden).

use std::collections::BTreeMap;

use akia_core::place::Place;
use akia_io::place::{Held, PlaceError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::keys::{id, pair};
use crate::server::Seen;
use crate::support::{Bench, Fault, Reply, Service, TOKEN, Writes, checked, equal, headers, json as answer, values};
const PROJECT: &str = "kind = \"gitlab-variable\"\nproject = \"acme/web/shop\"\naddress = \"{}\"";
const GROUP: &str = "kind = \"gitlab-variable\"\ngroup = \"acme/web\"\nenvironment-scope = \"review/*\"\nprotected = true\n\
                     names = { combined = \"AWS\" }\naddress = \"{}\"";

#[derive(Clone)]
struct Variable {
    value: String,
    hidden: bool,
    /// variable_type, protected, masked, raw.
    flags: [Value; 4],
}

pub(crate) struct Gitlab {
    path: &'static str,
    /// As it stands in a query.
    scope: &'static str,
    variables: BTreeMap<String, Variable>,
    /// Whether somebody else makes hidden secrets.
    hides: bool,
}

impl Gitlab {
    fn project() -> Self {
        let path = "/api/v4/projects/acme%2Fweb%2Fshop/variables";
        Self { path, scope: "*", variables: BTreeMap::new(), hides: false }
    }

    fn show(&self, status: u16, key: &str) -> Result<Reply, String> {
        let Some(Variable { value, hidden, flags }) = self.variables.get(key) else {
            return answer(404, &json!({ "message": "404 Variable Not Found" }));
        };
        let [variable_type, protected, masked, raw] = flags;
        answer(
            status,
            &json!({ "key": key, "variable_type": variable_type, "value": if *hidden { None } else { Some(value) },
                     "protected": protected, "masked": masked, "hidden": hidden, "raw": raw,
                     "environment_scope": self.scope.replace("%2F", "/"), "description": null }),
        )
    }
}

impl Service for Gitlab {
    fn answer(&mut self, seen: &Seen, _: Timestamp) -> Result<Reply, String> {
        headers(seen, &[("accept", "application/json"), ("private-token", TOKEN)])?;
        let Some(rest) = seen.path.strip_prefix(self.path) else {
            return answer(404, &json!({ "message": "404 Project Not Found" }));
        };
        let query = format!("?filter%5Benvironment_scope%5D={}", self.scope);
        let key = match (seen.method.as_str(), rest) {
            ("GET", "") => return answer(200, &json!([])),
            ("POST", "") => None,
            ("GET" | "PUT", rest) => Some(
                rest.strip_prefix('/').and_then(|rest| rest.strip_suffix(&query)).ok_or("another path")?.to_owned(),
            ),
            _ => return Err("no such operation".to_owned()),
        };
        if seen.method == "GET" {
            equal("the body", &seen.body.as_str(), &"")?;
            return self.show(200, &key.unwrap());
        }
        let body = seen.json();
        let mut fields = vec!["environment_scope", "masked", "protected", "raw", "value", "variable_type"];
        if key.is_none() {
            fields.insert(1, "key");
        }
        equal("the fields", &body.as_object().unwrap().keys().map(String::as_str).collect(), &fields)?;
        equal("the scope", &body["environment_scope"], &json!(self.scope.replace("%2F", "/")))?;
        let value = body["value"].as_str().unwrap().to_owned();
        let is_masked = body["masked"] == true;
        let cannot_be_masked = value.len() < 8 || value.contains(|c: char| c.is_whitespace() || c == '"' || c == '{');
        if is_masked && cannot_be_masked {
            return answer(400, &json!({ "message": { "value": ["is invalid"] } }));
        }
        let (status, key) = match key {
            None => (201, body["key"].as_str().unwrap().to_owned()),
            Some(key) => (200, key),
        };
        let before = self.variables.get(&key);
        if status == 201 && before.is_some() {
            return answer(400, &json!({ "message": { "key": [format!("({key}) has already been taken")] } }));
        }
        if status == 200 && before.is_none() {
            return self.show(404, &key);
        }
        let hidden = before.is_some_and(|before| before.hidden);
        let flags = ["variable_type", "protected", "masked", "raw"].map(|flag| body[flag].clone());
        self.variables.insert(key.clone(), Variable { value, hidden, flags });
        self.show(status, &key)
    }

    fn held(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(key, variable)| (key.clone(), variable.value.clone())).collect()
    }

    fn put(&mut self, values: &[(String, String)], _: Timestamp) {
        self.variables.clear();
        for (key, value) in values {
            let is_secret = key.contains("SECRET");
            let flags = [json!("env_var"), json!(true), json!(is_secret), json!(false)];
            self.variables
                .insert(key.clone(), Variable { value: value.clone(), hidden: self.hides && is_secret, flags });
        }
    }
}

const WRITES: Writes = Writes { change: [("PUT", 1), ("PUT", 2)], create: [("POST", 1), ("POST", 2)] };

pub(crate) async fn project() -> (Bench<Gitlab>, Place) {
    let bench = Bench::start(Gitlab::project()).await;
    let place = bench.place(PROJECT);
    (bench, place)
}

#[tokio::test]
async fn variables_are_read_back_and_bear_all_faults() {
    let (bench, place) = project().await;
    bench.bears_all_faults(&place, WRITES).await;
    bench.put(&values(1));
    assert_eq!(bench.deliver(&place, 2, &[id(1)], None).await.unwrap(), None);
    let Held::Pair(held) = bench.read(&place).await.unwrap() else { panic!() };
    assert!(held.matches(&pair(2)));
}

#[tokio::test]
async fn a_hidden_secret_bears_all_faults_and_its_id_is_read() {
    let bench = Bench::start(Gitlab { hides: true, ..Gitlab::project() }).await;
    let place = bench.place(PROJECT);
    bench.bears_all_faults(&place, WRITES).await;
    bench.put(&values(1));
    assert_eq!(bench.deliver(&place, 2, &[id(1)], None).await.unwrap(), None);
    assert!(
        matches!(bench.read(&place).await.unwrap(), Held::Sealed { id: Some(found), mark: None } if found == id(2))
    );
}

#[tokio::test]
async fn a_variable_keeps_its_flags_and_a_new_one_is_masked_where_it_can_be() {
    let (bench, place) = project().await;
    bench.put(&values(1));
    bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    let flags = |key: &str| bench.service.lock().unwrap().variables[key].flags.clone();
    assert_eq!(flags("AWS_ACCESS_KEY_ID"), [json!("env_var"), json!(true), json!(false), json!(false)]);
    assert_eq!(flags("AWS_SECRET_ACCESS_KEY"), [json!("env_var"), json!(true), json!(true), json!(false)]);
    bench.put(&[]);
    bench.deliver(&place, 2, &[], None).await.unwrap();
    for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        assert_eq!(flags(key), [json!("env_var"), json!(false), json!(true), json!(true)]);
    }
    let path = "/api/v4/groups/acme%2Fweb/variables";
    let bench = Bench::start(Gitlab { path, scope: "review%2F*", ..Gitlab::project() }).await;
    let place = bench.place(GROUP);
    bench.deliver(&place, 1, &[], None).await.unwrap();
    // JSON has characters that GitLab does not mask.
    assert_eq!(
        bench.service.lock().unwrap().variables["AWS"].flags,
        [json!("env_var"), json!(true), json!(false), json!(true)]
    );
    assert!(matches!(bench.read(&place).await.unwrap(), Held::Pair(pair) if pair.id == id(1)));
}

#[tokio::test]
async fn a_preflight_finds_a_project_that_is_not_there_and_half_a_key() {
    let (bench, place) = project().await;
    bench.put(&values(1));
    checked(bench.places.preflight(&place).await).unwrap();
    let elsewhere = bench.place(&PROJECT.replace("shop", "none"));
    let error = checked(bench.places.preflight(&elsewhere).await).unwrap_err().to_string();
    assert!(error.contains("the project is not there, or the token may not see it"), "{error}");
    bench.put(&values(1)[..1]);
    let error = checked(bench.places.preflight(&place).await).unwrap_err();
    assert!(matches!(error, PlaceError::Unreadable { .. }), "{error:?}");
    assert!(bench.seen().iter().all(|seen| seen.method == "GET"));
    bench.put(&values(1));
    bench.fault("PUT", 1, Fault::Answer(409, ""));
    bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
}
