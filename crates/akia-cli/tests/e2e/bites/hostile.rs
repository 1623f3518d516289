//! Endpoints that answer without end, byte by byte, in circles, or send elsewhere: time and memory stay bounded, and the
//! error says what came.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Backend, Home, python};

/// Most memory that a command may take, in KiB. A quiet `akia status` takes some 40 MB in a debug build.
const MEMORY_KIB: u64 = 160 * 1024;

/// Plays one act to every request; it is told the action, and how many requests came before.
type Act = Arc<dyn Fn(&mut TcpStream, &str, usize) -> std::io::Result<()> + Send + Sync>;

fn act(play: impl Fn(&mut TcpStream, &str, usize) -> std::io::Result<()> + Send + Sync + 'static) -> Act {
    Arc::new(play)
}

/// A server of its own for an act; ends with the test's process.
fn serve(act: Act) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), act, count) = (stream, Arc::clone(&act), Arc::clone(&counted)) else { continue };
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut buffer = [0; 16_384];
                // The body is short, and comes with the head or right behind it.
                while !String::from_utf8_lossy(&request).contains("Action=") && !request.starts_with(b"GET") {
                    match stream.read(&mut buffer) {
                        Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                        Ok(_) | Err(_) => return,
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let action = text.split("Action=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
                // Whoever has heard enough hangs up.
                let _ = act(&mut stream, action, count.fetch_add(1, Ordering::SeqCst));
            });
        }
    });
    (url, count)
}

fn answer(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn for_ever(stream: &mut TcpStream, head: &str, more: &[u8]) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    loop {
        stream.write_all(more)?;
    }
}

fn drip(stream: &mut TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    loop {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(50));
    }
}

const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>\
    <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn page(members: &str, marker: &str) -> String {
    format!(
        "<ListAccessKeysResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListAccessKeysResult>\
         <AccessKeyMetadata>{members}</AccessKeyMetadata><IsTruncated>true</IsTruncated><Marker>{marker}</Marker>\
         </ListAccessKeysResult></ListAccessKeysResponse>"
    )
}

/// Runs `akia`; its code, words, seconds and the most memory that it took in KiB.
fn weigh(home: &Home, arguments: &[&str]) -> (i64, String, f64, u64) {
    let script = "import json, resource, subprocess, sys, time\n\
        began = time.monotonic()\n\
        ran = subprocess.run(sys.argv[1:], capture_output=True, timeout=100)\n\
        print(json.dumps({'code': ran.returncode, 'words': (ran.stdout + ran.stderr).decode(),\n\
        \x20   'seconds': time.monotonic() - began,\n\
        \x20   'kib': resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}))\n";
    let akia = home.command(arguments);
    let mut measured = Command::new(python());
    measured.args(["-c", script]).arg(akia.get_program()).args(akia.get_args()).env_clear();
    measured.envs(akia.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = measured.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    (
        told["code"].as_i64().unwrap(),
        told["words"].as_str().unwrap().to_owned(),
        told["seconds"].as_f64().unwrap(),
        told["kib"].as_u64().unwrap(),
    )
}

/// Plays the act to one command. It has to fail within the time and the memory allowed, with these words.
fn judge(name: &str, act: Act, arguments: &[&str], seconds: f64, words: &str) {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let (url, _) = serve(act);
    let home = Home::new(&cloud).profile("default", &ann.key).with("AWS_ENDPOINT_URL", &url);
    let (code, said, took, kib) = weigh(&home, arguments);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    // `status` shows what the files say, whoever answers.
    assert_eq!(code == 0, arguments[0] == "status", "{name}: {said}");
    assert!(said.contains(words), "{name}: expected {words:?}:\n{said}");
    assert!(said.len() < 4_000, "{name}: {said}");
    assert!(!said.contains(&ann.key.secret), "{name}: {said}");
    assert!(took < seconds, "{name}: {took} s");
    assert!(kib < MEMORY_KIB, "{name}: {kib} KiB");
}

#[test]
fn answers_without_end_are_cut_off() {
    const LIST: &[&str] = &["key", "list"];
    let block = Arc::new([b'x'; 65_536]);
    let chunk = Arc::new([b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat());
    let bytes = Arc::clone(&block);
    judge(
        "an announced length of 8 GB",
        act(move |stream, _, _| for_ever(stream, "HTTP/1.1 200 OK\r\ncontent-length: 8000000000\r\n\r\n", &*bytes)),
        LIST,
        30.0,
        "it is larger than 4194304 bytes",
    );
    judge(
        "chunks without end",
        act(move |stream, _, _| for_ever(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &chunk)),
        LIST,
        30.0,
        "it is larger than 4194304 bytes",
    );
    let bytes = Arc::clone(&block);
    judge(
        "a chunk's own line without end",
        act(move |stream, _, _| for_ever(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=", &*bytes)),
        LIST,
        60.0,
        "no complete answer",
    );
    judge(
        "a header without end",
        act(move |stream, _, _| for_ever(stream, "HTTP/1.1 200 OK\r\nx-y: ", &*block)),
        LIST,
        60.0,
        "no complete answer",
    );
    judge(
        "headers without end",
        act(|stream, _, _| for_ever(stream, "HTTP/1.1 200 OK\r\n", b"x-y: z\r\n")),
        LIST,
        60.0,
        "no complete answer",
    );
    judge(
        "a packed body is not unpacked",
        act(|stream, _, _| {
            // Two bytes of magic are enough: nothing here unpacks.
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\x1f\x8b\x08\x00")
        }),
        LIST,
        30.0,
        "makes no sense",
    );
}

#[test]
fn an_answer_that_drips_is_given_up() {
    let drips = [
        ("the head", "HTTP/1.1 200 OK\r\nx-y: ", &["key", "list"], 70.0, "no answer within the time allowed"),
        ("the body", "HTTP/1.1 200 OK\r\ncontent-length: 8000\r\n\r\n", &["key", "list"], 70.0, "no complete answer"),
        // Whoever only looks has less patience.
        ("a look", "HTTP/1.1 200 OK\r\nx-y: ", &["status", "-v"], 12.0, "AWS could not be reached"),
    ];
    std::thread::scope(|scope| {
        for (name, head, arguments, seconds, words) in drips {
            scope.spawn(move || judge(name, act(move |stream, _, _| drip(stream, head)), arguments, seconds, words));
        }
    });
}

#[test]
fn pages_without_end_are_cut_off() {
    let listing = |next: fn(usize) -> String| {
        act(move |stream, action, turn| match action {
            "GetCallerIdentity" => answer(stream, IDENTITY),
            _ => answer(stream, &next(turn)),
        })
    };
    judge(
        "new markers",
        listing(|turn| page("", &format!("m{turn}"))),
        &["key", "list"],
        60.0,
        "it has more than 100 pages",
    );
    judge("the same marker", listing(|_| page("", "m")), &["key", "list"], 30.0, "its pages go round in circles");
    judge(
        "a marker of megabytes",
        listing(|turn| page("", &format!("{turn}{}", "m".repeat(3 << 20)))),
        &["key", "list"],
        30.0,
        "its Marker is longer than",
    );
    judge(
        "pages full of keys",
        listing(|turn| {
            let key = "<member><UserName>ann</UserName><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId>\
                       <Status>Active</Status><CreateDate>2026-03-01T10:00:00Z</CreateDate></member>";
            page(&key.repeat(20_000), &format!("m{turn}"))
        }),
        &["key", "list"],
        60.0,
        "it lists more than 1000 keys",
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let (elsewhere, followed) = serve(act(|stream, _, _| answer(stream, IDENTITY)));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let target = elsewhere.clone();
        let redirect = act(move |stream, _, _| {
            write!(stream, "HTTP/1.1 {status}\r\nlocation: {target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        });
        judge(status, redirect, &["key", "list"], 60.0, "it is a redirect");
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0, "a signed request went elsewhere");
}

#[test]
fn an_answer_about_somebody_else_is_none() {
    let of_bob = act(|stream, action, _| match action {
        "GetCallerIdentity" => answer(stream, IDENTITY),
        _ => {
            let key = "<member><UserName>bob</UserName><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId>\
                       <Status>Active</Status><CreateDate>2026-03-01T10:00:00Z</CreateDate></member>";
            answer(stream, &page(key, "m").replace("<IsTruncated>true", "<IsTruncated>false"))
        }
    });
    judge("keys of another user", of_bob, &["key", "list"], 30.0, "it tells of another user");
    let other_account = act(|stream, _, _| answer(stream, &IDENTITY.replace("<Account>1", "<Account>2")));
    judge("an account that is not the arn's", other_account, &["rotate", "--yes"], 30.0, "which is not an IAM user");
}
