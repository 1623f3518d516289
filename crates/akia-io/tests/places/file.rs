//! JSON, YAML and TOML files, judged by Python's parsers.

use std::fs;
use std::path::Path;

use akia_core::place::Place;
use akia_io::place::{Expected, PlaceError};
use serde_json::{Value, json};

use crate::desk::{Desk, declared, printed, python, words};
use crate::keys::{id, pair, secret};
fn place(path: &Path, names: &Value) -> Place {
    declared(json!({ "kind": "file", "path": path, "names": names }))
}

/// What another parser makes of a file.
fn parsed(path: &Path) -> Value {
    let script = "import json, sys, tomllib, yaml\np = sys.argv[1]\nf = open(p, 'rb')\n\
                  v = tomllib.load(f) if p.endswith('toml') else yaml.safe_load(f) if p.endswith('yaml') else json.load(f)\n\
                  print(json.dumps(v))";
    serde_json::from_str(&printed(python().args(["-c", script]).arg(path))).unwrap()
}

/// Files with key 1 in `aws`, and much that must stay as it is.
fn files() -> [(&'static str, String); 3] {
    let (id, secret) = (id(1), secret(1));
    [
        (
            "a.json",
            format!(
                "{{\n\t\"n\": 1.50,\n\t\"aws\": {{ \"id\":\"{id}\",\"secret\" : \"{secret}\" }},\n  \"l\": [ 1,2 ] }}"
            ),
        ),
        (
            "a.toml",
            format!("# of billing\r\n[x]\r\nn = 0x1F\r\n[aws]\r\nid     = '{id}' # mine\r\nsecret = \"{secret}\"\r\n"),
        ),
        (
            "a.yaml",
            format!(
                "# of billing\nx: &x\n  n: 0x1F\ny: *x\naws:   # mine\n    id:     {id}\n    secret: '{secret}'\nt: |\n  é\n"
            ),
        ),
    ]
}

#[tokio::test]
async fn only_the_values_change_and_other_parsers_agree() {
    let desk = Desk::new();
    for (name, before) in files() {
        let path = desk.path(name);
        fs::write(&path, &before).unwrap();
        let place = place(&path, &json!({ "id": "/aws/id", "secret": "/aws/secret" }));
        let mut meant = parsed(&path);
        assert!(desk.places.preflight(&place).await.unwrap().path.is_some());
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        for _ in 0..2 {
            desk.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap();
            let after = before.replace(id(1).as_str(), id(2).as_str()).replace(&secret(1), &secret(2));
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
        meant["aws"] = json!({ "id": id(2).as_str(), "secret": secret(2) });
        assert_eq!(parsed(&path), meant);
        let foreign = desk.places.deliver(&place, &pair(3), Expected::keys(&[id(1)])).await.unwrap_err();
        assert!(matches!(foreign, PlaceError::Foreign { .. }), "{}", words(&foreign));
        desk.places.deliver(&place, &pair(1), Expected::keys(&[id(2)])).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn one_field_can_hold_both() {
    let desk = Desk::new();
    for (name, text) in [("a.json", "{\"k\": \"\"}"), ("a.toml", "k = ''"), ("a.yaml", "k: \"\" # both\n")] {
        for form in ["process", "profile", "env"] {
            let path = desk.path(name);
            fs::write(&path, text).unwrap();
            let place = place(&path, &json!({ "combined": "/k", "form": form }));
            desk.places.preflight(&place).await.unwrap();
            assert!(desk.held(&place).await.unwrap().is_none());
            desk.places.deliver(&place, &pair(1), Expected::keys(&[])).await.unwrap();
            assert!(desk.held(&place).await.unwrap().unwrap().matches(&pair(1)));
            let value = parsed(&path)["k"].as_str().unwrap().to_owned();
            assert!(value.contains(id(1).as_str()) && value.contains(&secret(1)), "{name} {form}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_edited_is_found_before_a_key_exists() {
    let desk = Desk::new();
    let names = json!({ "id": "/aws/id", "secret": "/aws/secret" });
    let secret = secret(1);
    for (name, text, reason) in [
        ("a.yaml", "a: b\n".to_owned(), "nothing stands at /aws/id: write an empty string there first"),
        ("a.yaml", format!("aws: {{id: '', secret: {secret}}}"), "the access key id is missing"),
        ("a.yaml", format!("aws: &a {{id: '', secret: {secret}}}\nb: *a"), "an alias repeats what stands at /aws/id"),
        (
            "a.json",
            format!("{{\"aws\": {{\"secret\": \"{secret}\" \"id\": 1}}}}"),
            "it is not well-formed JSON: look at line 1",
        ),
        ("a.toml", format!("[aws]\nid = 1\nsecret = '{secret}'"), "what stands at /aws/id is no string"),
    ] {
        let path = desk.path(name);
        fs::write(&path, &text).unwrap();
        let place = place(&path, &names);
        assert!(words(&desk.places.preflight(&place).await.unwrap_err()).contains(reason), "{reason}");
        assert!(words(&desk.held(&place).await.err().unwrap()).contains(reason), "{reason}");
        let error = desk.places.deliver(&place, &pair(2), Expected::keys(&[])).await.unwrap_err();
        assert!(words(&error).contains(reason), "{reason}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let missing = desk.places.preflight(&place(&desk.path("none.json"), &names)).await.unwrap_err();
    assert!(words(&missing).contains("it is not there, or empty: write it first"), "{missing}");
}
