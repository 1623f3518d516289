//! Every route, as everybody.

use akia_server::access::Door;
use akia_server::estate::Question;
use akia_server::sight::{Person, Role};
use akia_server::web::routes;
use axum::http::Method;

use super::{House, OWNER, form_key, header, status};

/// What stands between braces in a path.
const PLACEHOLDER: &str = "nothing-of-that-name";

fn target(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { PLACEHOLDER } else { part }).collect::<Vec<_>>().join("/")
}

/// A route that is added is not in this list: whoever adds it says here who may.
#[test]
fn the_routes_are_these_and_each_has_its_door() {
    let told: Vec<String> = routes()
        .into_iter()
        .filter(|(_, path, _)| !path.starts_with("/assets/"))
        .map(|(method, path, door)| match door {
            Door::Open => format!("everybody {method} {path}"),
            Door::From(role) => format!("{role} {method} {path}"),
        })
        .collect();
    let expected = [
        "owner GET /",
        "owner GET /keys/{identity}",
        "operator POST /keys/{identity}/reactivate",
        "admin POST /keys/{identity}/exempt",
        "viewer GET /services",
        "operator POST /services/{name}/rotate",
        "owner GET /campaign",
        "owner GET /rotations",
        "owner GET /rotations/{id}",
        "owner GET /rotations/{id}/steps",
        "owner GET /leaks",
        "owner GET /exemptions",
        "admin POST /exemptions/{id}/withdraw",
        "viewer GET /plans",
        "viewer GET /plans/{run}",
        "operator POST /plans/{run}/approve",
        "viewer GET /runs",
        "viewer GET /runs/{id}",
        "viewer GET /runs/{id}/lines",
        "operator POST /runs/{id}/cancel",
        "operator POST /jobs/{name}/{act}",
        "admin POST /enforcement/{way}",
        "owner GET /keys",
        "owner GET /keys.csv",
        "owner POST /views",
        "owner POST /views/delete",
        "owner GET /api/openapi.json",
        "owner GET /api/v1/me",
        "owner GET /api/v1/accounts",
        "owner GET /api/v1/keys",
        "owner GET /api/v1/keys/{identity}",
        "owner GET /api/v1/campaign",
        "owner GET /api/v1/rotations",
        "owner GET /api/v1/leaks",
        "owner GET /api/v1/exemptions",
        "viewer GET /api/v1/jobs",
        "operator POST /api/v1/jobs/{name}/{act}",
        "viewer GET /api/v1/runs",
        "viewer GET /api/v1/runs/{id}",
        "viewer GET /api/v1/runs/{id}/lines",
        "operator POST /api/v1/runs/{id}/cancel",
        "owner GET /api/{*rest}",
        "viewer GET /metrics",
        "everybody GET /login",
        "everybody POST /login",
        "everybody GET /login/oidc",
        "everybody GET /login/oidc/back",
        "owner POST /logout",
    ];
    assert_eq!(told, expected);
    let changes = routes().into_iter().filter(|(method, _, door)| *method == Method::POST && *door == Door::Open);
    assert_eq!(
        changes.map(|(_, path, _)| path).collect::<Vec<_>>(),
        ["/login"],
        "strangers change nothing but that they come in"
    );
}

#[tokio::test]
async fn nobody_gets_past_a_door_that_is_not_theirs() {
    let house = House::plain().await;
    for (method, path, door) in routes() {
        let target = target(path);
        let answer = house.ask(method.as_str(), &target, "", "").await;
        let what = format!("{method} {path} as nobody");
        match door {
            Door::Open => assert!(status(&answer) < 500, "{what}: {answer:.300}"),
            Door::From(_) if path.starts_with("/api/") => assert_eq!(status(&answer), 401, "{what}"),
            Door::From(_) => {
                assert_eq!(status(&answer), 303, "{what}: {answer:.300}");
                assert!(header(&answer, "location").unwrap().starts_with("/login"), "{what}");
            }
        }
        for role in Role::ALL {
            let what = format!("{method} {path} as {role}");
            let by_token = house.ask(method.as_str(), &target, &house.bearer(role), "").await;
            let by_session = house.ask(method.as_str(), &target, &house.session(role).await, "").await;
            for answer in [by_token, by_session] {
                let status = status(&answer);
                match door {
                    Door::From(least) if role < least => {
                        assert_eq!(status, 403, "{what}");
                        assert!(answer.contains("Not yours to do"), "{what}: {answer:.300}");
                    }
                    Door::Open | Door::From(_) => {
                        assert!(status < 500 && status != 401, "{what}: {answer:.300}");
                        assert!(!answer.contains("Not yours to do"), "{what}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn no_change_comes_about_without_the_key_of_a_form() {
    let house = House::plain().await;
    for (method, path, door) in routes() {
        if method == Method::GET || door == Door::Open {
            continue;
        }
        let session = house.session(Role::Admin).await;
        let other = form_key(&house.get("/", &house.session(Role::Admin).await).await).to_owned();
        for body in ["a=b".to_owned(), "form_key=".to_owned(), format!("form_key={other}")] {
            let answer = house.ask(method.as_str(), &target(path), &session, &body).await;
            assert_eq!(status(&answer), 403, "{method} {path} with {body}");
            assert!(answer.contains("not of your session"), "{answer:.300}");
        }
        // As another site's page would send it, even if it knew the key.
        let own = format!("form_key={}", form_key(&house.get("/", &session).await));
        for foreign in ["origin: https://evil.example\r\n", "origin: null\r\n", "sec-fetch-site: cross-site\r\n"] {
            let answer = house.ask(method.as_str(), &target(path), &format!("{session}{foreign}"), &own).await;
            assert!(answer.contains("another site's page"), "{method} {path} {foreign}: {answer:.300}");
        }
    }
}

/// An owner's pages hold no key of anybody else, whatever is asked for.
#[tokio::test]
async fn an_owner_never_sees_a_neighbours_key() {
    let house = House::plain().await;
    let shared = &house.shared;
    let person = |role| Person { name: OWNER.to_owned(), role, units: Vec::new() };
    let question = Question { size: 100, ..Question::default() };
    let own = shared.estate.keys(&person(Role::Owner).sight(), &question, shared.now()).await.unwrap();
    let all = shared.estate.keys(&person(Role::Viewer).sight(), &question, shared.now()).await.unwrap();
    assert!(own.total > 0 && own.total < all.total, "{} of {}", own.total, all.total);
    assert!(own.rows.iter().all(|row| row.owner.as_deref() == Some(OWNER)));
    let foreign = all.rows.iter().filter(|row| row.owner.as_deref() != Some(OWNER)).collect::<Vec<_>>();
    for row in &foreign {
        let found = shared.estate.key(&person(Role::Owner).sight(), &row.identity).await.unwrap();
        assert!(found.is_none(), "{}", row.identity);
    }
    for (method, path, door) in routes() {
        if method != Method::GET || door == Door::Open {
            continue;
        }
        let row = foreign.first().unwrap();
        for name in [PLACEHOLDER, &row.identity, row.key_id.as_deref().unwrap_or_default()] {
            let target = target(path).replace(PLACEHOLDER, &urlencoded(name));
            for query in ["", "?q=AKIA", "?search=AKIA&size=100000", "?page=2"] {
                let page = house.get(&format!("{target}{query}"), &house.bearer(Role::Owner)).await;
                for row in &foreign {
                    let id = row.key_id.as_deref().unwrap_or("no id");
                    // What somebody has asked for, the page that it is not found on may repeat.
                    assert!(name == id || !page.contains(id), "{target}{query} shows {id}");
                }
            }
        }
    }
}

fn urlencoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
