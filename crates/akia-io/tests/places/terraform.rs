//! Variables of HCP Terraform. The server is built from
//! <https://developer.hashicorp.com/terraform/cloud-docs/api-docs/workspace-variables>,
//! <https://developer.hashicorp.com/terraform/cloud-docs/api-docs/variable-sets> and
//! <https://developer.hashicorp.com/terraform/cloud-docs/api-docs/workspaces#show-workspace>.

use std::collections::BTreeMap;

use akia_io::place::{Held, PlaceError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::keys::id;
use crate::server::Seen;
use crate::support::{Bench, Reply, Service, TOKEN, Writes, checked, equal, headers, json as answer, values};
const WORKSPACE: &str = "kind = \"terraform-cloud\"\nworkspace-id = \"ws-1\"\naddress = \"{}\"";
const BY_NAME: &str = "kind = \"terraform-cloud\"\norganization = \"acme\"\nworkspace = \"net\"\naddress = \"{}\"";
const VARSET: &str = "kind = \"terraform-cloud\"\nvarset-id = \"varset-1\"\ncategory = \"terraform\"\naddress = \"{}\"";

struct Variable {
    value: String,
    sensitive: bool,
    version: usize,
}

struct Terraform {
    path: &'static str,
    category: &'static str,
    variables: BTreeMap<String, Variable>,
    versions: usize,
    /// Whether somebody else makes sensitive ids, too.
    is_all_sensitive: bool,
    has_versions: bool,
}

impl Terraform {
    fn workspace() -> Self {
        Self {
            path: "/api/v2/workspaces/ws-1/vars",
            category: "env",
            variables: BTreeMap::new(),
            versions: 0,
            is_all_sensitive: false,
            has_versions: true,
        }
    }

    fn keep(&mut self, key: &str, value: &str, sensitive: bool) {
        self.versions += 1;
        let version = self.versions;
        self.variables.insert(key.to_owned(), Variable { value: value.to_owned(), sensitive, version });
    }

    fn show(&self, key: &str) -> Value {
        let Variable { value, sensitive, version } = &self.variables[key];
        let mut attributes = json!({ "key": key, "value": if *sensitive { None } else { Some(value) }, "sensitive": sensitive,
                                     "category": self.category, "hcl": false, "description": "" });
        if self.has_versions {
            attributes["version-id"] = format!("1aa07d63{version:028x}").into();
        }
        json!({ "id": format!("var-{key}"), "type": "vars", "attributes": attributes })
    }
}

impl Service for Terraform {
    fn answer(&mut self, seen: &Seen, _: Timestamp) -> Result<Reply, String> {
        let media = "application/vnd.api+json";
        headers(seen, &[("accept", media), ("content-type", media), ("authorization", &format!("Bearer {TOKEN}"))])?;
        if seen.path == "/api/v2/organizations/acme/workspaces/net" {
            return answer(200, &json!({ "data": { "id": "ws-1", "type": "workspaces" } }));
        }
        let Some(rest) = seen.path.strip_prefix(self.path) else {
            return answer(404, &json!({ "errors": [{ "status": "404", "title": "not found" }] }));
        };
        if seen.method == "GET" {
            equal("the body", &seen.body.as_str(), &"")?;
            let page: usize = rest.strip_prefix("?page%5Bnumber%5D=").ok_or("another query")?.parse().unwrap();
            // A variable of the same name and of the other category is another variable.
            let mut all = vec![json!({ "id": "var-0", "type": "vars", "attributes": { "key": "AWS_ACCESS_KEY_ID",
                "value": "other", "sensitive": false, "category": "other", "hcl": false } })];
            all.extend(self.variables.keys().map(|key| self.show(key)));
            let next = (page * 2 < all.len()).then_some("https://app.terraform.io/next");
            let data: Vec<Value> = all.into_iter().skip((page - 1) * 2).take(2).collect();
            return answer(200, &json!({ "data": data, "links": { "next": next } }));
        }
        let body = seen.json();
        let attributes = &body["data"]["attributes"];
        equal("the type", &body["data"]["type"], &json!("vars"))?;
        let fields: Vec<&str> = attributes.as_object().unwrap().keys().map(String::as_str).collect();
        let value = attributes["value"].as_str().unwrap();
        if seen.method == "POST" {
            equal("the path", &rest, &"")?;
            equal("the fields", &fields, &vec!["category", "hcl", "key", "sensitive", "value"])?;
            equal("the category", &attributes["category"], &json!(self.category))?;
            let key = attributes["key"].as_str().unwrap();
            if self.variables.contains_key(key) {
                return answer(
                    422,
                    &json!({ "errors": [{ "status": "422", "detail": "Key has already been taken" }] }),
                );
            }
            self.keep(key, value, attributes["sensitive"].as_bool().unwrap());
            return answer(201, &json!({ "data": self.show(key) }));
        }
        equal("the method", &seen.method.as_str(), &"PATCH")?;
        equal("the fields", &fields, &vec!["value"])?;
        let key = rest.strip_prefix("/var-").ok_or("another path")?;
        equal("the id", &body["data"]["id"], &json!(format!("var-{key}")))?;
        let Some(before) = self.variables.get(key) else {
            return answer(404, &json!({ "errors": [{ "status": "404", "title": "not found" }] }));
        };
        let sensitive = before.sensitive;
        self.keep(key, value, sensitive);
        answer(200, &json!({ "data": self.show(key) }))
    }

    fn held(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(key, variable)| (key.clone(), variable.value.clone())).collect()
    }

    fn put(&mut self, values: &[(String, String)], _: Timestamp) {
        self.variables.clear();
        for (key, value) in values {
            self.keep(key, value, self.is_all_sensitive || key.contains("SECRET"));
        }
    }
}

const WRITES: Writes = Writes { change: [("PATCH", 1), ("PATCH", 2)], create: [("POST", 1), ("POST", 2)] };

#[tokio::test]
async fn variables_of_a_workspace_bear_all_faults_and_the_version_is_the_mark() {
    let bench = Bench::start(Terraform::workspace()).await;
    let place = bench.place(WORKSPACE);
    bench.bears_all_faults(&place, WRITES).await;
    bench.put(&values(1));
    let mark = bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    let Held::Sealed { id: found, mark: held } = bench.read(&place).await.unwrap() else { panic!() };
    assert_eq!((found, held.is_some(), held), (Some(id(2)), true, mark.clone()));
    // A secret alone that somebody else writes leaves another version.
    bench.service.lock().unwrap().keep("AWS_SECRET_ACCESS_KEY", "another", true);
    let error = bench.deliver(&place, 1, &[id(1), id(2)], mark.as_deref()).await.unwrap_err();
    assert!(matches!(error, PlaceError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn sensitive_ids_bear_all_faults() {
    let bench = Bench::start(Terraform { is_all_sensitive: true, ..Terraform::workspace() }).await;
    let place = bench.place(BY_NAME);
    bench.bears_all_faults(&place, WRITES).await;
}

#[tokio::test]
async fn a_variable_set_says_no_version_and_its_id_is_read() {
    let path = "/api/v2/varsets/varset-1/relationships/vars";
    let bench =
        Bench::start(Terraform { path, category: "terraform", has_versions: false, ..Terraform::workspace() }).await;
    let place = bench.place(VARSET);
    bench.bears_all_faults(&place, WRITES).await;
    bench.put(&[]);
    assert_eq!(bench.deliver(&place, 2, &[], None).await.unwrap(), None);
    assert!(
        matches!(bench.read(&place).await.unwrap(), Held::Sealed { id: Some(found), mark: None } if found == id(2))
    );
    assert!(!bench.service.lock().unwrap().variables["AWS_ACCESS_KEY_ID"].sensitive);
}

#[tokio::test]
async fn a_preflight_finds_a_workspace_that_is_not_there() {
    let bench = Bench::start(Terraform::workspace()).await;
    checked(bench.places.preflight(&bench.place(BY_NAME)).await).unwrap();
    for table in [WORKSPACE.replace("ws-1", "ws-2"), BY_NAME.replace("net", "none")] {
        let error = checked(bench.places.preflight(&bench.place(&table)).await).unwrap_err().to_string();
        assert!(error.contains("is not there, or the token may not see it"), "{error}");
    }
    assert!(bench.seen().iter().all(|seen| seen.method == "GET"));
}
