//! Requests that no browser sends. None makes the server fail, hang, or show markup that came with it.

use std::time::{Duration, Instant};

use akia_server::sight::Role;
use akia_server::web::routes;
use axum::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{HEAD, House, PATIENCE, status};

/// Markup, SQL, and what else has broken a server.
const POISON: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' OR '1'='1",
    "'; DROP TABLE estate_key; --",
    "%' ESCAPE '",
    "\\",
    "../../etc/passwd",
    "-1",
    "99999999999999999999999999",
    "\u{202e}\u{0}\u{7f}",
    "{{7*7}}${7*7}",
    "javascript:alert(1)",
];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn another_host_two_hosts_and_the_target_of_a_proxy_are_refused() {
    let house = House::plain().await;
    let at = house.address;
    for request in [
        "GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: \r\n\r\n".to_owned(),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nhost: {at}\r\nhost: {at}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {at}\r\nhost: evil.example\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {at}, evil.example\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: evil.example@{at}\r\n\r\n"),
        format!("GET http://evil.example/ HTTP/1.1\r\nhost: {at}\r\n\r\n"),
        format!("GET http://{at}/login HTTP/1.1\r\nhost: {at}\r\n\r\n"),
        format!("CONNECT evil.example:443 HTTP/1.1\r\nhost: {at}\r\n\r\n"),
        format!("OPTIONS * HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n"),
    ] {
        let answer = house.send(&request).await;
        assert!((400..500).contains(&status(&answer)), "{request:?}: {answer:.300}");
    }
}

#[tokio::test]
async fn large_and_many_headers_are_refused() {
    let house = House::plain().await;
    let at = house.address;
    let many: String = (0..10_000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let some: String = (0..80).map(|number| format!("x-{number}: 1\r\n")).collect();
    for request in [
        format!("GET /login HTTP/1.1\r\nhost: {at}\r\n{many}\r\n"),
        format!("GET /login HTTP/1.1\r\nhost: {at}\r\n{some}\r\n"),
        format!("GET /login HTTP/1.1\r\nhost: {at}\r\nx: {}\r\n\r\n", "a".repeat(40_000)),
        format!("GET /{} HTTP/1.1\r\nhost: {at}\r\n\r\n", "a".repeat(100_000)),
        format!("GET /login HTTP/1.1\r\nhost: {at}\r\ncookie: {}\r\n\r\n", "akia=a; ".repeat(8_000)),
    ] {
        let answer = house.send(&request).await;
        // A connection that is cut while the rest is still being sent may take the answer with it.
        assert!(answer.is_empty() || matches!(status(&answer), 400 | 414 | 431), "{request:.60}: {answer:.300}");
    }
    assert_eq!(status(&house.get("/login", "").await), 200, "and others are still answered");
}

#[tokio::test]
async fn the_slow_are_cut_off_in_time() {
    let house = House::plain().await;
    let at = house.address;
    // Nothing at all; half a header; a second request that does not come; each byte in its own time.
    for request in [
        "".to_owned(),
        format!("GET /login HTTP/1.1\r\nhost: {at}\r\nx-slow: "),
        format!("GET /login HTTP/1.1\r\nhost: {at}\r\n\r\n"),
    ] {
        let began = Instant::now();
        let answer = house.send(&request).await;
        assert!(began.elapsed() < PATIENCE && !answer.contains(" 500 "), "{request:?}");
    }
    let mut stream = TcpStream::connect(at).await.unwrap();
    let began = Instant::now();
    let mut cut = false;
    for byte in format!("GET /login HTTP/1.1\r\nhost: {at}\r\nx-slow: {}\r\n\r\n", "a".repeat(1_000)).bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            cut = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(cut && began.elapsed() < HEAD * 8, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_come_or_is_too_long_is_not_waited_for() {
    let house = House::plain().await;
    let at = house.address;
    let head = |length: usize| {
        format!(
            "POST /login HTTP/1.1\r\nhost: {at}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n"
        )
    };
    let slow = house.send(format!("{}\r\ntoken=", head(1_000))).await;
    assert_eq!(status(&slow), 408, "{slow:.300}");
    let long = house.send(format!("{}connection: close\r\n\r\ntoken={}", head(20_006), "a".repeat(20_000))).await;
    assert_eq!(status(&long), 413, "{long:.300}");
    // Somebody who has come in may send more, but not without end; a stranger at another's door sends nothing at all.
    let huge = format!(
        "POST /logout HTTP/1.1\r\nhost: {at}\r\n{}content-length: 99999999999\r\n\r\n",
        house.bearer(Role::Admin)
    );
    assert_eq!(status(&house.send(&huge).await), 413);
    let stranger = format!("POST /logout HTTP/1.1\r\nhost: {at}\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(status(&house.send(&stranger).await), 303);
}

#[tokio::test]
async fn bodies_that_two_readers_could_end_in_two_places_are_refused() {
    let house = House::plain().await;
    let at = house.address;
    let hidden = format!("GET /hidden HTTP/1.1\r\nhost: {at}\r\n\r\n");
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\ncontent-length: 5\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding:\x0bchunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 5\r\n",
        "content-length: -1\r\n",
        "content-length: 0x5\r\n",
        " x: folded\r\n",
    ] {
        let request = format!("POST /login HTTP/1.1\r\nhost: {at}\r\n{headers}\r\n0\r\n\r\n{hidden}");
        let answer = house.send(&request).await;
        assert!((400..500).contains(&status(&answer)), "{headers:?}: {answer:.300}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers:?}: what follows is not listened to: {answer}");
    }
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let house = House::plain().await;
    let one = format!("GET /login HTTP/1.1\r\nhost: {}\r\n", house.address);
    let answer = house.send(format!("{one}\r\n{one}\r\n{one}connection: close\r\n\r\n")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer:.300}");
    let old = house.send(format!("GET /login HTTP/1.0\r\nhost: {}\r\n\r\n", house.address)).await;
    assert_eq!(status(&old), 200, "and the connection ends");
}

#[tokio::test]
async fn paths_lead_nowhere_but_to_routes() {
    let house = House::plain().await;
    let bearer = house.bearer(Role::Admin);
    for path in [
        "/..",
        "/../",
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/",
        "/%2E%2E%2Flogin",
        "//",
        "//login",
        "//evil.example/",
        "/login/",
        "/login//",
        "/%00",
        "/login%00",
        "/login%0d%0aset-cookie:a=b",
        "/%c0%ae%c0%ae/",
        "/%ff",
        "/%",
        "/%zz",
        "/\\evil.example",
        "/%5c",
        "/assets/../login",
        "/assets/",
        "/assets/0/style.css/..",
        "/LOGIN",
        "/login;a=b",
        "/.git/config",
        "/a?%00",
        "/?%ff=%ff",
    ] {
        let answer = house.get(path, &bearer).await;
        let allowed = if path.contains('?') { &[200, 400, 404][..] } else { &[400, 404][..] };
        assert!(allowed.contains(&status(&answer)), "{path}: {answer:.300}");
        assert!(!answer.contains("root:x:"), "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "BREW", "get", "A"] {
        let answer = house.ask(method, "/login", &bearer, "").await;
        assert!((400..500).contains(&status(&answer)), "{method}: {answer:.300}");
    }
}

#[tokio::test]
async fn what_is_typed_never_becomes_markup_or_sql() {
    let house = House::plain().await;
    let session = house.session(Role::Admin).await;
    let key = super::form_key(&house.get("/", &session).await).to_owned();
    for (method, path, _) in routes() {
        for poison in POISON {
            let text = encoded(poison);
            let target: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { text.as_str() } else { part }).collect();
            let target = target.join("/");
            let names = [
                "q",
                "search",
                "sort",
                "order",
                "page",
                "size",
                "state",
                "code",
                "next",
                "link",
                "account",
                "user",
                "owner",
                "age",
                "unused",
                "severity",
                "active",
                "units",
                "cursor",
                "id",
                "reason",
                "until",
                "token",
                "everywhere",
            ];
            let query: String = names.map(|name| format!("{name}={text}")).join("&");
            let answer = if method == Method::GET {
                house.get(&format!("{target}?{query}&{text}={text}"), &session).await
            } else if path == "/login" {
                // As a stranger who types it; few enough not to have to wait.
                house.ask("POST", path, "", &format!("next={text}&nothing={text}")).await
            } else {
                let answer = house.ask("POST", &target, &session, &format!("{query}&form_key={text}")).await;
                assert!((400..500).contains(&status(&answer)), "{path} {poison}: {answer:.300}");
                house.ask("POST", &target, "cookie: akia=a\r\n", &format!("{query}&form_key={key}")).await
            };
            assert!(status(&answer) < 500, "{method} {path} {poison}: {answer:.300}");
            for markup in ["<script>alert", "<img src=x", "href=\"javascript:"] {
                assert!(!answer.contains(markup), "{method} {path} {poison}: {answer}");
            }
        }
    }
    for header in ["cookie", "authorization", "origin", "x-forwarded-for", "user-agent", "referer", "accept"] {
        for poison in POISON.into_iter().filter(|poison| poison.is_ascii()) {
            let answer = house.get("/", &format!("{header}: {poison}\r\n")).await;
            assert!(status(&answer) < 500 && !answer.contains(poison), "{header} {poison}: {answer:.300}");
        }
    }
    let all = house.shared.estate.accounts(&akia_server::sight::Sight::ALL, house.shared.now()).await.unwrap();
    assert_eq!(all.len(), 9, "and nothing was dropped");
}

#[tokio::test]
async fn bytes_that_are_no_http_get_a_refusal_or_nothing() {
    let house = House::plain().await;
    let mut noise = vec![0_u8; 4_000];
    for seed in 0..40_u32 {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        for byte in &mut noise {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            *byte = state.to_le_bytes()[0];
        }
        let answer = house.send(&noise).await;
        assert!(answer.is_empty() || status(&answer) < 500, "{answer:.200}");
    }
    // The first bytes of TLS and of HTTP/2.
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let answer = house.send(bytes).await;
        assert!(answer.is_empty() || status(&answer) < 500, "{answer:.200}");
    }
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET /lo").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(status(&house.get("/login", "").await), 200);
}
