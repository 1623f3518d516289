//! Coming through TLS.

use std::path::Path;
use std::process::{Command, Stdio};

use akia_core::settings::TlsFiles;
use akia_server::sight::{Person, Role};
use akia_server::tls::Tls;

use super::{House, header, status};

/// A certificate for this machine, made by the `openssl` of the system: another hand than the reader's.
fn make(folder: &Path, name: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", "key.pem", "-out", "chain.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("chain.pem"), key: folder.join("key.pem") }
}

/// What `openssl s_client` hears.
async fn ask(house: &House, headers: &str, arguments: &[&str]) -> String {
    let request = format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", house.address);
    let mut child = tokio::process::Command::new("openssl")
        .args(["s_client", "-connect", &house.address.to_string(), "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // Where the handshake fails, nobody reads it any more.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut input, request.as_bytes()).await;
    let output = tokio::time::timeout(super::PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn cookies_and_browsers_are_bound_to_tls_and_old_versions_are_not_spoken() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "first");
    let house = House::build(|access, _| access, Some(Tls::open(&files(folder.path())).unwrap())).await;
    let heard = ask(&house, &house.bearer(Role::Viewer), &["-quiet"]).await;
    let answer = &heard[heard.find("HTTP/1.1").unwrap()..];
    assert_eq!(status(answer), 200);
    assert!(header(answer, "strict-transport-security").unwrap().starts_with("max-age="));
    for (version, spoken) in [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false), ("-tls1", false)] {
        let heard = ask(&house, "", &["-quiet", version, "-cipher", "DEFAULT:@SECLEVEL=0"]).await;
        assert_eq!(heard.contains("HTTP/1.1 303"), spoken, "{version}: {heard:.300}");
    }
    // Somebody who speaks in the clear, and somebody who says nothing.
    for bytes in [format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", house.address), String::new()] {
        assert!(!house.send(bytes).await.contains("HTTP/1.1"));
    }
    let person = Person { name: "local".to_owned(), role: Role::Admin, units: Vec::new() };
    let link = house.shared.access.link(&person, house.shared.now()).await.unwrap();
    let link = link.path.split_once("link=").unwrap().1;
    let cookie = house.shared.access.follow(link, house.shared.now()).await.unwrap().unwrap();
    assert!(cookie.starts_with("__Host-akia=") && cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_half_of_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "first");
    let tls = Tls::open(&files(folder.path())).unwrap().looking_every(std::time::Duration::ZERO);
    let house = House::build(|access, _| access, Some(tls)).await;
    let subject = async || ask(&house, "", &[]).await.lines().find(|line| line.contains("subject=")).map(str::to_owned);
    assert!(subject().await.unwrap().contains("first"));
    let old_key = std::fs::read(folder.path().join("key.pem")).unwrap();
    make(folder.path(), "second");
    let new_key = std::fs::read(folder.path().join("key.pem")).unwrap();
    std::fs::write(folder.path().join("key.pem"), old_key).unwrap();
    assert!(subject().await.unwrap().contains("first"), "the key is not of that certificate");
    std::fs::write(folder.path().join("key.pem"), new_key).unwrap();
    assert!(subject().await.unwrap().contains("second"));
    std::fs::write(folder.path().join("chain.pem"), "").unwrap();
    assert!(subject().await.unwrap().contains("second"));
    let error = Tls::open(&files(folder.path())).unwrap_err().to_string();
    assert!(error.ends_with("holds no certificate"), "{error}");
}
