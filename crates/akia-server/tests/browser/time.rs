//! How long pages take with 200,000 keys: `cargo test --release -p akia-server --test browser -- --ignored --nocapture time`.

use std::time::Instant;

use akia_server::demo::Size;

use crate::server::{Server, request};

/// Requests of each page; the median counts.
const TIMES: usize = 7;
/// The most that the median of a page may take.
const LIMIT_MS: u128 = 100;

#[test]
#[ignore = "makes 200,000 keys: a minute in a release build"]
fn time_of_each_page_with_200_000_keys() {
    let began = Instant::now();
    let server = Server::start(Size { accounts: 2_000, users: 95 }, 1);
    println!("made in {} s", began.elapsed().as_secs());
    let cookie = server.cookie();
    let mut slow = Vec::new();
    for path in [
        "/",
        "/keys",
        "/keys?page=2000",
        "/keys?page=4000",
        "/keys?sort=age",
        "/keys?sort=last-used&reverse=true&page=2000",
        "/keys?sort=user",
        "/keys?sort=owner",
        "/keys?active=true&older-than=90",
        "/keys?active=true&older-than=90&sort=user",
        "/keys?active=true&unused-for=90",
        "/keys?active=true&ownerless=true",
        "/keys?worst=medium",
        "/keys?severity=high&sort=owner",
        "/keys?active=true&older-than=90&not-older-than=180&unused-for=30&used-within=90&last-use=used",
        "/keys?account=900000001234",
        "/keys?owner=shop%40example.com",
        "/keys?search=payments",
        "/keys?search=payments+person1234",
        "/keys?search=AKIAEXAMPLEAAAB",
        "/keys?search=nothing-like-that",
    ] {
        let mut times: Vec<_> = (0..TIMES)
            .map(|_| {
                let began = Instant::now();
                let answer = request(server.address, "GET", path, &[("cookie", &cookie)], "");
                assert_eq!(answer.status, 200, "{path}");
                (began.elapsed().as_millis(), answer.body.len())
            })
            .collect();
        times.sort_unstable();
        let (median, bytes) = times[TIMES / 2];
        println!("{median:>5} ms {bytes:>9} bytes  {path}");
        if median > LIMIT_MS {
            slow.push(path);
        }
    }
    let began = Instant::now();
    let csv = request(server.address, "GET", "/keys.csv", &[("cookie", &cookie)], "");
    println!(
        "{:>5} ms {:>9} bytes  /keys.csv ({} lines)",
        began.elapsed().as_millis(),
        csv.body.len(),
        csv.body.lines().count()
    );
    assert!(slow.is_empty(), "over {LIMIT_MS} ms: {slow:?}");
}
