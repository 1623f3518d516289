//! Programs that keep keys: the example of `docs/place-protocol.md`, and such as break the protocol.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use akia_core::place::Place;
use akia_io::place::{Expected, Held, PlaceError};
use serde_json::json;

use crate::desk::{Desk, declared, words};
use crate::keys::{id, pair, secret};
/// The program in the page, made executable.
fn example(desk: &Desk) -> PathBuf {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/place-protocol.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    written(desk, "example.py", program)
}

fn written(desk: &Desk, name: &str, program: &str) -> PathBuf {
    let path = desk.path(name);
    fs::write(&path, program).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn place(command: &[&str]) -> Place {
    declared(json!({ "kind": "exec", "command": command, "timeout-seconds": 5 }))
}

#[tokio::test]
async fn the_example_of_the_page_keeps_keys() {
    let desk = Desk::new();
    let (program, store) = (example(&desk), desk.path("store.json"));
    let place = place(&[program.to_str().unwrap(), store.to_str().unwrap()]);
    desk.places.preflight(&place).await.unwrap();
    assert!(!store.exists());
    assert!(matches!(desk.places.read(&place).await.unwrap(), Held::Nothing));
    let emptied = desk.places.deliver(&place, &pair(1), Expected::keys(&[id(9)])).await.unwrap_err();
    assert!(matches!(emptied, PlaceError::Emptied { .. }), "{}", words(&emptied));
    let mark = desk.places.deliver(&place, &pair(1), Expected::keys(&[])).await.unwrap();
    let Held::Sealed { id: held, mark: now } = desk.places.read(&place).await.unwrap() else { panic!() };
    assert_eq!((held, &now), (Some(id(1)), &mark));
    let second = desk.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap();
    assert_ne!(second, mark);
    assert_eq!(desk.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap(), second);
    assert!(fs::read_to_string(&store).unwrap().contains(&secret(2)));
    let foreign = desk.places.deliver(&place, &pair(3), Expected::keys(&[id(1)])).await.unwrap_err();
    assert!(matches!(foreign, PlaceError::Foreign { .. }), "{}", words(&foreign));
    // The way back.
    assert_eq!(desk.places.deliver(&place, &pair(1), Expected::keys(&[id(2)])).await.unwrap(), mark);
}

#[tokio::test]
async fn a_program_that_breaks_the_protocol_is_told_by_its_fault() {
    let desk = Desk::new();
    let told = |held: &str| format!("read request\necho '{{\"protocol\":\"akia-place/1\",{held}}}'");
    for (script, reason) in [
        ("exit 3".to_owned(), "failed (exit status: 3)"),
        ("echo first >&2; echo 'no room' >&2; exit 1".to_owned(), "failed (exit status: 1): no room"),
        // What akia has sent comes back in no error.
        ("read request; echo \"$request\" >&2; exit 1".to_owned(), "failed (exit status: 1)"),
        ("echo nonsense".to_owned(), "is not of the protocol akia-place/1"),
        ("echo '{\"protocol\":\"akia-place/2\",\"held\":\"nothing\"}'".to_owned(), "it does not speak akia-place/1"),
        (told("\"error\":\"the vault is shut\""), "refuses: "),
        (told("\"held\":\"digest\",\"accessKeyId\":\"AKIAIOSFODNN001EXAMP\""), "lacks digest"),
        (told("\"held\":\"sealed\""), "lacks mark"),
        // One that says that nothing is there, and goes on saying so.
        (told("\"held\":\"nothing\""), "was written, but reads back differently"),
        // And one whose mark does not change with a write.
        (told("\"held\":\"sealed\",\"mark\":\"7\""), "was written, but reads back differently"),
    ] {
        let program = written(&desk, "fault.sh", &format!("#!/bin/sh\n{script}\n"));
        let place = place(&[program.to_str().unwrap()]);
        let error = desk.places.deliver(&place, &pair(1), Expected::keys(&[])).await.unwrap_err();
        assert!(words(&error).contains(reason), "{script}: {error}");
    }
    // The key stands in the request of a delivery alone, and never among arguments or variables.
    let log = desk.path("log");
    let program = format!(
        "#!/bin/sh\nread request\n(echo \"$@\"; env) >>'{log}'\n\
         case $request in *deliver*) echo \"$request\" >&2; exit 1;; *SecretAccessKey*) exit 9;; esac\n\
         echo '{{\"protocol\":\"akia-place/1\",\"held\":\"nothing\"}}'\n",
        log = log.display()
    );
    let program = written(&desk, "echo.sh", &program);
    let place_of_echo = place(&[program.to_str().unwrap(), "argument"]);
    let error = desk.places.deliver(&place_of_echo, &pair(1), Expected::keys(&[])).await.unwrap_err();
    assert!(words(&error).contains("deliver failed (exit status: 1): {"), "{error}");
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("argument") && !log.contains(&secret(1)));
    let missing = desk.places.preflight(&place(&["/nowhere/keep"])).await.unwrap_err();
    assert!(words(&missing).contains("/nowhere/keep cannot be run"), "{missing}");
}

#[tokio::test]
async fn a_sealed_place_that_somebody_else_wrote_is_left_alone_and_time_has_a_limit() {
    let desk = Desk::new();
    let script = "#!/bin/sh\nread request\necho '{\"protocol\":\"akia-place/1\",\"held\":\"sealed\",\"mark\":\"8\"}'\n";
    let sealed = written(&desk, "sealed.sh", script);
    let sealed = place(&[sealed.to_str().unwrap()]);
    let expected = Expected { keys: &[id(1)], mark: Some("7") };
    let changed = desk.places.deliver(&sealed, &pair(2), expected).await.unwrap_err();
    assert!(matches!(changed, PlaceError::Changed { .. }), "{}", words(&changed));
    let slow = written(&desk, "slow.sh", "#!/bin/sh\nexec sleep 30\n");
    let slow = declared(json!({ "kind": "exec", "command": [slow], "timeout-seconds": 1 }));
    let late = desk.places.read(&slow).await.err().unwrap();
    assert!(words(&late).contains("read has not ended within 1 s"), "{late}");
}
