//! Contexts of CircleCI. The server is built from <https://circleci.com/docs/api/v2/#tag/Context>.

use std::collections::BTreeMap;

use akia_core::place::Place;
use akia_io::place::{Held, PlaceError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::keys::id;
use crate::server::Seen;
use crate::support::{Bench, Reply, Service, TOKEN, Writes, checked, equal, headers, json as answer, values};
const ID: &str = "f31d7249-b7b1-4729-b3a4-ec0ba07b4686";
const BY_NAME: &str = "kind = \"circleci-context\"\norg = \"gh/acme\"\ncontext = \"aws prod\"\naddress = \"{}\"";

fn by_id(bench: &Bench<Circleci>) -> Place {
    bench.place(&format!("kind = \"circleci-context\"\ncontext-id = \"{ID}\"\naddress = \"{{}}\""))
}

#[derive(Default)]
struct Circleci {
    variables: BTreeMap<String, (String, Timestamp)>,
}

impl Circleci {
    fn show(&self, name: &str) -> Value {
        // Told to the second, the coarsest of the documentation's examples.
        let at = Timestamp::from_second(self.variables[name].1.as_second()).unwrap().to_string();
        json!({ "variable": name, "created_at": at, "updated_at": at, "context_id": ID })
    }
}

/// One item on each page.
fn page(items: &[Value], query: &str) -> Result<Reply, String> {
    let at: usize = match query.rsplit_once("page-token=") {
        Some((_, token)) => token.strip_prefix("page%2F").ok_or("another token")?.parse().unwrap(),
        None => 0,
    };
    let next = (at + 1 < items.len()).then(|| format!("page/{}", at + 1));
    answer(200, &json!({ "items": items.iter().skip(at).take(1).collect::<Vec<_>>(), "next_page_token": next }))
}

impl Service for Circleci {
    fn answer(&mut self, seen: &Seen, now: Timestamp) -> Result<Reply, String> {
        headers(seen, &[("accept", "application/json"), ("circle-token", TOKEN)])?;
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let variables = format!("/api/v2/context/{ID}/environment-variable");
        if seen.method == "GET" {
            equal("the body", &seen.body.as_str(), &"")?;
            return match path {
                "/api/v2/context" => {
                    let query = query.strip_prefix("owner-slug=gh%2Facme").ok_or("another owner")?;
                    let others = json!({ "id": "a", "name": "aws test", "created_at": "2015-09-21T17:29:21.042Z" });
                    page(
                        &[others, json!({ "id": ID, "name": "aws prod", "created_at": "2015-09-21T17:29:21.042Z" })],
                        query,
                    )
                }
                path if path == variables => {
                    let items: Vec<Value> = self.variables.keys().map(|name| self.show(name)).collect();
                    page(&items, query)
                }
                _ => answer(404, &json!({ "message": "Context not found" })),
            };
        }
        let name = path.strip_prefix(&variables).and_then(|rest| rest.strip_prefix('/')).ok_or("another path")?;
        equal("the method", &seen.method.as_str(), &"PUT")?;
        let body = seen.json();
        equal("the fields", &body.as_object().unwrap().keys().map(String::as_str).collect(), &vec!["value"])?;
        self.variables.insert(name.to_owned(), (body["value"].as_str().unwrap().to_owned(), now));
        answer(200, &self.show(name))
    }

    fn held(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    fn put(&mut self, values: &[(String, String)], now: Timestamp) {
        self.variables = values.iter().map(|(name, value)| (name.clone(), (value.clone(), now))).collect();
    }
}

const BOTH: [(&str, usize); 2] = [("PUT", 1), ("PUT", 2)];

#[tokio::test]
async fn variables_of_a_context_bear_all_faults() {
    let bench = Bench::start(Circleci::default()).await;
    let place = by_id(&bench);
    bench.bears_all_faults(&place, Writes { change: BOTH, create: BOTH }).await;
}

#[tokio::test]
async fn a_context_is_found_by_its_name_and_its_mark_changes_with_every_write() {
    let bench = Bench::start(Circleci::default()).await;
    let place = bench.place(BY_NAME);
    bench.put(&values(1));
    checked(bench.places.preflight(&place).await).unwrap();
    let first = bench.deliver(&place, 2, &[id(1)], None).await.unwrap();
    let Held::Sealed { id: None, mark } = bench.read(&place).await.unwrap() else { panic!() };
    assert_eq!((mark.is_some(), &mark), (true, &first));
    let second = bench.deliver(&place, 2, &[id(2)], first.as_deref()).await.unwrap();
    assert_ne!(first, second);
    let now = akia_io::clock::Clock::now(&bench.clock);
    bench.service.lock().unwrap().put(&values(3), now);
    let error = bench.deliver(&place, 1, &[id(1), id(2)], second.as_deref()).await.unwrap_err();
    assert!(matches!(error, PlaceError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_preflight_finds_a_context_that_is_not_there() {
    let bench = Bench::start(Circleci::default()).await;
    let none = bench.place(&BY_NAME.replace("prod", "none"));
    let error = checked(bench.places.preflight(&none).await).unwrap_err().to_string();
    assert!(error.contains("gh/acme has no context \"aws none\""), "{error}");
    let other = "kind = \"circleci-context\"\ncontext-id = \"00000000-b7b1-4729-b3a4-ec0ba07b4686\"\naddress = \"{}\"";
    let error = checked(bench.places.preflight(&bench.place(other)).await).unwrap_err().to_string();
    assert!(error.contains("the context is not there"), "{error}");
    assert!(bench.seen().iter().all(|seen| seen.method == "GET"));
}
