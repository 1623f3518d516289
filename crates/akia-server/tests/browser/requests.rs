//! What needs no browser: the whole answer as CSV, views with and without their form's key, and addresses that ask for nonsense.

use akia_server::demo::Size;

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
