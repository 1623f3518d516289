//! Coming in by a token, staying, and leaving.

use akia_server::sight::Role;

use super::{House, cookie, form_key, header, status, write_private};

#[tokio::test]
async fn a_token_opens_a_session_and_leaving_ends_it() {
    let house = House::plain().await;
    let page = house.get("/login?next=%2Fkeys%3Fage%3D90d", "").await;
    assert!(page.contains("name=\"token\"") && page.contains("value=\"/keys?age=90d\""), "{page:.900}");
    let body = format!("token={}&next=%2Fkeys", house.tokens[&Role::Viewer]);
    let answer = house.ask("POST", "/login", "", &body).await;
    assert_eq!((status(&answer), header(&answer, "location")), (303, Some("/keys")));
    let set = header(&answer, "set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let session = format!("cookie: {}\r\n", cookie(&answer).unwrap());
    let page = house.get("/", &session).await;
    assert!(page.contains("the-viewer") && page.contains("Log out"), "{page:.900}");
    let left = house.ask("POST", "/logout", &session, &format!("form_key={}", form_key(&page))).await;
    assert_eq!(status(&left), 303);
    assert_eq!(status(&house.get("/", &session).await), 303, "the session is over");
}

#[tokio::test]
async fn a_line_that_changes_ends_the_sessions_of_its_token() {
    let house = House::plain().await;
    let [admin, viewer] = [house.session(Role::Admin).await, house.session(Role::Viewer).await];
    let path = house.folder.path().join("tokens");
    let lines = std::fs::read_to_string(&path).unwrap();
    write_private(&path, &lines.replace("the-admin admin", "the-admin viewer"));
    assert_eq!(status(&house.get("/", &admin).await), 303);
    assert_eq!(status(&house.get("/", &viewer).await), 200);
    let without: String =
        lines.lines().filter(|line| !line.contains("the-viewer")).map(|line| format!("{line}\n")).collect();
    write_private(&path, &without);
    assert_eq!(status(&house.get("/", &viewer).await), 303);
    assert_eq!(status(&house.get("/", &house.bearer(Role::Viewer)).await), 401);
}

#[tokio::test]
async fn whoever_guesses_is_told_to_wait_and_nothing_else() {
    let house = House::plain().await;
    let wrong = ["x".to_owned(), house.tokens[&Role::Admin].to_lowercase(), format!("{}x", house.tokens[&Role::Admin])];
    let mut told = Vec::new();
    for token in &wrong {
        let answer = house.ask("POST", "/login", "", &format!("token={token}")).await;
        assert_eq!(status(&answer), 403);
        told.push(answer.split("\r\n\r\n").nth(1).unwrap().to_owned());
    }
    assert!(told.iter().all(|page| *page == told[0]), "every wrong token gets the same page");
    let mut last = String::new();
    for _ in 0..20 {
        last = house.get("/", "authorization: Bearer akia_wrong\r\n").await;
        if status(&last) == 429 {
            break;
        }
        assert_eq!(status(&last), 401);
    }
    assert_eq!(status(&last), 429);
    assert!(header(&last, "retry-after").unwrap().parse::<u32>().unwrap() <= 300);
    let right = house.ask("POST", "/login", "", &format!("token={}", house.tokens[&Role::Admin])).await;
    assert_eq!(status(&right), 429, "from that address nobody is listened to now");
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let house = House::plain().await;
    for answer in [
        house.get("/", "").await,
        house.get("/", &house.bearer(Role::Viewer)).await,
        house.get("/login", "").await,
        house.get("/nothing", "").await,
        house.get("/assets/nothing", "").await,
        house.ask("PUT", "/login", "", "").await,
        house.ask("POST", "/login", "origin: https://evil.example\r\n", "token=x").await,
    ] {
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", ""),
        ] {
            assert!(header(&answer, name).is_some_and(|value| value.contains(part)), "{name}: {answer:.300}");
        }
        assert_eq!(header(&answer, "strict-transport-security"), None, "there is no TLS here");
    }
}
