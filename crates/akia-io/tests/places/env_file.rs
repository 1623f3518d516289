//! Env files, read back by what reads them: a shell, python-dotenv, and where they are at hand Node and Docker.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use akia_core::env_file;
use akia_core::place::Place;
use akia_io::place::{Expected, PlaceError};
use serde_json::json;

use crate::desk::{Desk, declared, printed, python, words};
use crate::keys::{id, pair, secret};
use crate::server::{Act, Seen, Server};

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

fn place(path: &Path) -> Place {
    declared(json!({ "kind": "env-file", "path": path }))
}

#[tokio::test]
async fn only_the_values_change_and_the_way_back_gives_the_old_bytes() {
    let text = |n: usize| {
        let (id, secret) = (id(n), secret(n));
        format!(
            "# of billing\r\nexport {ID}='{id}' # rotated by akia\r\nNOTE=\"two\r\nlines\"\r\n\r\n{SECRET}=\"{secret}\"\r\nLAST=1"
        )
    };
    let desk = Desk::new();
    // As deployments do it: a link to the release that runs, in another folder.
    let (file, link) = (desk.path("release/env"), desk.path("current.env"));
    fs::create_dir(desk.path("release")).unwrap();
    fs::write(&file, text(1)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&file, &link).unwrap();
    let place = place(&link);
    let ready = desk.places.preflight(&place).await.unwrap();
    assert_eq!((ready.path, ready.loose_mode), (Some(file.canonicalize().unwrap()), Some(0o640)));
    assert_eq!(fs::read_to_string(&file).unwrap(), text(1));
    assert!(desk.held(&place).await.unwrap().unwrap().matches(&pair(1)));
    for _ in 0..2 {
        // The second time, as after a crash.
        assert_eq!(desk.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap(), None);
        assert_eq!(fs::read_to_string(&file).unwrap(), text(2));
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    desk.places.deliver(&place, &pair(1), Expected::keys(&[id(1), id(2)])).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), text(1));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_made_for_its_owner_alone() {
    let desk = Desk::new();
    let path = desk.path("env");
    let place = place(&path);
    desk.places.preflight(&place).await.unwrap();
    assert!(!path.exists());
    let emptied = desk.places.deliver(&place, &pair(1), Expected::keys(&[id(9)])).await.unwrap_err();
    assert!(matches!(emptied, PlaceError::Emptied { .. }), "{}", words(&emptied));
    desk.places.deliver(&place, &pair(1), Expected::keys(&[])).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{ID}={}\n{SECRET}={}\n", id(1), secret(1)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_is_not_expected_or_not_clear_is_left_alone() {
    let desk = Desk::new();
    let path = desk.path("env");
    let place = place(&path);
    let (key, other) = (format!("{SECRET}={}\n", secret(7)), format!("{ID}={}\n", id(7)));
    let whole = format!("{other}{key}");
    let cases = [
        (whole.clone(), "holds the key AKIAIOSFODNN007EXAMP, which is not of this rotation"),
        (other.clone(), "the secret access key is missing"),
        (key.clone(), "the access key id is missing"),
        (format!("{whole}{key}"), "AWS_SECRET_ACCESS_KEY stands in lines 2 and 3: leave one of them"),
        (format!("A=it's\n{whole}"), "line 2 sets AWS_ACCESS_KEY_ID, but what line 1 begins"),
        (format!("{ID}=$OTHER\n{key}"), "the value of AWS_ACCESS_KEY_ID in line 1 is not one plain word"),
        (format!("{ID}=nonsense\n{key}"), "its access key id is malformed"),
    ];
    for (text, reason) in cases {
        fs::write(&path, &text).unwrap();
        let error = desk.places.deliver(&place, &pair(3), Expected::keys(&[id(1)])).await.unwrap_err();
        assert!(words(&error).contains(reason), "{error}");
        if !matches!(error, PlaceError::Foreign { .. }) {
            assert!(words(&desk.places.preflight(&place).await.unwrap_err()).contains(reason));
            assert!(words(&desk.held(&place).await.err().unwrap()).contains(reason));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::write(desk.path("folder"), "").unwrap();
    let wrong = crate::env_file::place(&desk.path("folder/env"));
    assert!(desk.places.preflight(&wrong).await.is_err());
}

/// Ways to write two variables among others, with what each of the readers makes of quotes, comments, blanks and ends of lines.
fn corpus() -> Vec<String> {
    let plain = format!("{ID}=old\n{SECRET}=old\n");
    let mut texts = vec![
        plain.clone(),
        format!("{ID}=\n{SECRET}="),
        "A=1".to_owned(),
        String::new(),
        format!("# it's a comment, \"and\" a `long` one\n\n{plain}"),
        format!("export {ID}='old'\nexport {SECRET}=\"old\"\nexport {ID} {SECRET}\n"),
        format!("A=\"two\nlines # and no comment\"\n{plain}B='x\ny'\n"),
        format!("A=\"say \\\"x\"\n{plain}"),
        format!("A='#'\nB=x#y\n{ID}=old # mine\n  {SECRET}='old'\t# mine\n"),
    ];
    // And any mixture of pieces, whole and broken: what akia takes, all have to agree on.
    let pieces = [
        "\n",
        "\n",
        "A=",
        "B=x\n",
        "'",
        "\"",
        "\\",
        "#",
        " ",
        "export ",
        "`",
        "x",
        "\n\n",
        "AWS_ACCESS_KEY_ID=old\n",
        "AWS_SECRET_ACCESS_KEY='old'\n",
        "C=\"x\n",
        "y\"\n",
        "# it's\n",
        "D='x\ny'\n",
    ];
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..600 {
        let mut text = String::new();
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push_str(pieces[usize::try_from(state % 19).unwrap()]);
        }
        texts.push(text);
    }
    texts
}

/// Writes what akia makes of the corpus; gives the texts.
fn written(folder: &Path) -> Vec<String> {
    let (id, secret) = (id(2), secret(2));
    let values = [(ID, id.as_str()), (SECRET, secret.as_str())];
    let texts: Vec<String> = corpus()
        .iter()
        .filter_map(|text| env_file::set(text.as_bytes(), &values).ok())
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        .collect();
    assert!(texts.len() > 100, "{}", texts.len());
    for (number, text) in texts.iter().enumerate() {
        fs::write(folder.join(format!("{number}.env")), text).unwrap();
    }
    texts
}

fn expected() -> String {
    format!("{} {}", id(2), secret(2))
}

#[test]
fn a_shell_reads_what_akia_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let texts = written(folder.path());
    let mut read = 0;
    for (number, text) in texts.iter().enumerate() {
        let script = format!(". ./{number}.env\nprintf '\\n%s %s' \"${ID}\" \"${SECRET}\"");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("set -a\n{script}")]).current_dir(folder.path()).env_clear().env("PATH", "/nowhere");
        let output = shell.output().unwrap();
        // A file that is no shell script at all ends the shell.
        if !output.status.success() {
            continue;
        }
        read += 1;
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout.lines().last().unwrap(), expected(), "{text:?}");
    }
    assert!(read > 80, "{read}");
}

#[test]
fn python_dotenv_reads_what_akia_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let texts = written(folder.path());
    let script = "import logging, sys, dotenv\nlogging.disable()\nfor n in range(int(sys.argv[1])):\n  \
                  v = dotenv.dotenv_values(f'{n}.env', interpolate=False)\n  \
                  print(v.get('AWS_ACCESS_KEY_ID'), v.get('AWS_SECRET_ACCESS_KEY'))";
    let count = texts.len().to_string();
    let lines = printed(python().args(["-c", script, &count]).current_dir(folder.path()));
    assert_eq!(lines.lines().count(), texts.len());
    for (line, text) in lines.lines().zip(&texts) {
        // For python-dotenv, what a shell hands on without a value is a variable without one.
        if text.contains(&format!("export {ID} ")) {
            continue;
        }
        assert_eq!(line, expected(), "{text:?}");
    }
}

/// The program, where this machine has one of that name that runs. Where it does not, the run says what was not checked.
#[expect(clippy::print_stdout, reason = "what was not checked is a result of the run")]
fn at_hand(program: &str) -> bool {
    let runs = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !runs {
        println!("NOT CHECKED: {program} is not on this machine");
    }
    runs
}

/// `util.parseEnv` is what `node --env-file` reads with. To it a line without `=`, also one of blanks, is the beginning of the next name,
/// as docs/places.md says: there, the value stands under a name that is longer by that line, and is the right one all the same.
#[test]
fn node_reads_what_akia_wrote() {
    if !at_hand("node") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = written(folder.path());
    let script = "const fs = require('fs'), { parseEnv } = require('util');\n\
                  for (let n = 0; n < Number(process.argv[1]); n++) {\n\
                  const v = parseEnv(fs.readFileSync(`${n}.env`, 'utf8'));\n\
                  const longer = name => '?' + v[Object.keys(v).find(key => /\\n[^\\n]*$/.exec(key)?.[0].trim().endsWith(name))];\n\
                  const of = name => v[name] ?? longer(name);\n\
                  console.log(of('AWS_ACCESS_KEY_ID'), of('AWS_SECRET_ACCESS_KEY')); }";
    let mut node = Command::new("node");
    node.args(["-e", script, &texts.len().to_string()]).current_dir(folder.path());
    let lines = printed(&mut node);
    assert_eq!(lines.lines().count(), texts.len());
    let mut read = 0;
    for (line, text) in lines.lines().zip(&texts) {
        assert_eq!(line.replace('?', ""), expected(), "{text:?}");
        if line == expected() {
            read += 1;
        } else {
            assert!(text.lines().any(|line| !line.is_empty() && !line.contains('=')), "{text:?}");
        }
    }
    assert!(read > 80, "{read}");
}

/// The Docker client reads the file, and sends what it has read to the daemon; here that is a server which only listens. Quotes and
/// comments behind a value are a part of it to Docker, as docs/places.md says: only bare values are read with it.
#[tokio::test(flavor = "multi_thread")]
async fn docker_reads_bare_values_that_akia_wrote() {
    if !at_hand("docker") {
        return;
    }
    let server = Server::start(|seen: &Seen| match seen.path.as_str() {
        "/_ping" => Act::Answer(200, "api-version: 1.50\r\n", String::new()),
        _ => Act::Answer(201, "content-type: application/json\r\n", r#"{"Id":"0","Warnings":[]}"#.to_owned()),
    })
    .await;
    let desk = Desk::new();
    let plain = format!("{ID}={}\n{SECRET}={}\n", id(1), secret(1));
    for (number, text) in
        [String::new(), plain.clone(), format!("# it's mine\n\nA=x y\n{plain}B=1"), plain.replace('\n', "\r\n")]
            .into_iter()
            .enumerate()
    {
        let path = desk.path(&format!("{number}.env"));
        let place = place(&path);
        let before = if text.is_empty() { Vec::new() } else { vec![id(1)] };
        if !text.is_empty() {
            fs::write(&path, &text).unwrap();
        }
        desk.places.deliver(&place, &pair(2), Expected::keys(&before)).await.unwrap();
        let mut docker = Command::new("docker");
        docker.args(["create", "--env-file"]).arg(&path).arg("scratch");
        docker
            .env("DOCKER_HOST", server.address.replacen("http://", "tcp://", 1))
            .env("DOCKER_CONFIG", desk.folder.path());
        printed(&mut docker);
        let sent = server.seen().pop().unwrap().json();
        let variables: Vec<&str> = sent["Env"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        for wanted in [format!("{ID}={}", id(2)), format!("{SECRET}={}", secret(2))] {
            assert!(variables.contains(&wanted.as_str()), "{text:?}: {variables:?}");
        }
    }
}
