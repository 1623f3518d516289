//! What needs no browser: the whole answer as CSV, views with and without their form's key, and addresses that ask for nonsense.

use akia_server::demo::Size;
use akia_server::sight::Role;

use crate::server::{Server, request};

#[test]
fn the_csv_holds_every_key_that_was_asked_for_and_breaks_off_nowhere() {
    let server = Server::start(Size { accounts: 8, users: 60 }, 1);
    let cookie = server.cookie();
    let get = |path: &str| request(server.address, "GET", path, &[("cookie", &cookie)], "");
    let page = get("/keys?active=true");
    let csv = get("/keys.csv?active=true&page=3");
    assert_eq!((page.status, csv.status), (200, 200));
    assert!(csv.head.contains("text/csv") && csv.head.contains("attachment"), "{}", csv.head);
    let lines: Vec<&str> = csv.body.lines().collect();
    assert!(lines[0].starts_with("identity,account_id,"), "{}", lines[0]);
    assert!(lines.len() > 400 && lines[1..].iter().all(|line| line.contains(",Active,")), "{}", lines.len());
    let said = format!("<b>{}</b> keys", lines.len() - 1);
    assert!(page.body.contains(&said), "the page counts the same: {said}");
    assert_eq!(request(server.address, "GET", "/keys.csv", &[], "").status, 303, "not without a session");
}

#[test]
fn a_view_is_kept_by_its_persons_own_form_alone() {
    let server = Server::start(Size { accounts: 2, users: 5 }, 1);
    let cookie = server.cookie();
    let page = || request(server.address, "GET", "/keys?ownerless=true", &[("cookie", &cookie)], "").body;
    let form_key = page().split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let send = |path: &str, key: &str, name: &str| {
        let headers = [("cookie", &*cookie), ("content-type", "application/x-www-form-urlencoded")];
        let body = format!("form_key={key}&name={name}&question=%3Fownerless%3Dtrue");
        request(server.address, "POST", path, &headers, &body).status
    };
    assert_eq!(send("/views", "guessed", "nobody"), 403);
    assert!(!page().contains(">nobody<"));
    assert_eq!(send("/views", &form_key, ""), 422);
    assert_eq!(send("/views", &form_key, "nobody%3Cb%3E"), 303);
    assert!(page().contains("aria-current=\"true\">nobody&lt;b&gt;<"), "{}", page());
    assert_eq!(send("/views/delete", "guessed", "nobody%3Cb%3E"), 403);
    assert!(page().contains(">nobody&lt;b&gt;<"));
    assert_eq!(send("/views/delete", &form_key, "nobody%3Cb%3E"), 303);
    assert!(!page().contains(">nobody&lt;b&gt;<"));
}

#[test]
fn every_figure_of_the_estate_leads_to_as_many_keys() {
    let server = Server::start(Size { accounts: 9, users: 80 }, 2);
    let cookie = server.cookie();
    let get = |path: &str| request(server.address, "GET", path, &[("cookie", &cookie)], "").body;
    let estate = get("/");
    let mut followed = 0;
    // A link to keys, and the count that stands in it or, of a bar, in the same line behind it.
    for part in estate.split("<a ").skip(1).filter(|part| part.contains("href=\"/keys?")) {
        let address = part.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
        let text = if part.contains("class=\"number\"") {
            part.split("class=\"number\">").nth(1).unwrap()
        } else if part.starts_with("class=\"figure\"") {
            part.split("<b>").nth(1).unwrap()
        } else {
            part.split('>').find(|text| text.starts_with(|c: char| c.is_ascii_digit())).unwrap()
        };
        let count = text.split('<').next().unwrap();
        if count.ends_with(" d") {
            continue;
        }
        let keys = get(&address);
        assert!(keys.contains(&format!("<b>{count}</b> key")), "{address} does not show {count} keys");
        followed += 1;
    }
    assert!(followed > 40, "{followed} figures");
}

#[test]
fn an_address_that_asks_for_nonsense_is_answered_with_a_reason() {
    let server = Server::start(Size { accounts: 1, users: 2 }, 1);
    let cookie = server.cookie();
    let answer = request(server.address, "GET", "/keys?older-than=soon", &[("cookie", &cookie)], "");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("older-than"), "{}", answer.body);
}

#[test]
fn an_admin_exempts_a_key_in_words_that_hold_and_withdraws_it() {
    let server = Server::start(Size { accounts: 2, users: 5 }, 1);
    let (admin, viewer) = (server.cookie_of(Role::Admin), server.cookie());
    let get = |path: &str, cookie: &str| request(server.address, "GET", path, &[("cookie", cookie)], "").body;
    let list = get("/keys?active=true", &admin);
    let key = list.split("href=\"/keys/").nth(1).unwrap().split('"').next().unwrap();
    let page = format!("/keys/{key}");
    assert!(!get(&page, &viewer).contains("Exempt it"), "a viewer only looks");
    let form_key = |cookie: &str| {
        let page = get(&page, cookie);
        page.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let send = |path: &str, cookie: &str, fields: &str| {
        let headers = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
        request(server.address, "POST", path, &headers, &format!("form_key={}{fields}", form_key(cookie)))
    };
    let exempt = format!("{page}/exempt");
    let day = |days: i64| {
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).strftime("%Y-%m-%d").to_string()
    };
    let fields = |owner: &str, ticket: &str, until: &str| {
        format!("&reason=the+migration+%3Cb%3E&ticket={ticket}&owner={owner}&expires={until}")
    };
    for (fields, words) in [
        (fields("admin%40example.com", "T-1", &day(9)), "nobody approves their own exemption"),
        (fields("", "T-1", &day(9)), "say who answers for it"),
        (fields("ann", "+", &day(9)), "name a ticket"),
        (fields("ann", "T-1", &day(-1)), "it ends before it begins"),
        (fields("ann", "T-1", &day(400)), "it holds for longer than longest-exemption (90d)"),
        (fields("ann", "T-1", "soon"), "say until which day"),
    ] {
        let answer = send(&exempt, &admin, &fields);
        assert!(answer.status == 400 && answer.body.contains(words), "{fields}: {} {}", answer.status, answer.body);
    }
    assert_eq!(send(&exempt, &viewer, &fields("ann", "T-1", &day(9))).status, 403);
    assert_eq!(send("/keys/AKIANOTHERE/exempt", &admin, &fields("ann", "T-1", &day(9))).status, 404);
    let held = || server.state("enforce.exemptions").unwrap();
    assert!(!held().contains(key), "{}", held());

    assert_eq!(send(&exempt, &admin, &fields("ann", "T-1", &day(9))).status, 303);
    assert!(held().contains(key) && held().contains("admin@example.com"), "{}", held());
    let shown = format!("the migration &lt;b&gt; (T-1, approved by admin@example.com, until {})", day(9));
    assert!(get(&page, &viewer).contains(&shown));
    let all = get("/exemptions", &admin);
    assert!(all.contains("this server") && all.contains("/exemptions/2/withdraw"), "{all}");
    assert!(!get("/exemptions", &viewer).contains("/withdraw"));

    assert_eq!(send("/exemptions/2/withdraw", &viewer, "").status, 403);
    assert_eq!(send("/exemptions/2/withdraw", &admin, "").status, 303);
    assert_eq!(send("/exemptions/2/withdraw", &admin, "").status, 409);
    assert!(!held().contains(key) && held().contains("SEC-42"), "{}", held());
    let all = get("/exemptions", &viewer);
    assert!(all.contains("Withdrawn (1)") && all.contains("by admin@example.com, "), "{all}");
    assert!(get(&page, &viewer).contains("(withdrawn by admin@example.com, "));
}
