//! Every page in a real browser: what a person does with it, what axe finds, and pictures for the eye in `target/screenshots`.

use akia_server::demo::Size;
use akia_server::sight::Role;

use crate::driver::{Browser, target, until};
use crate::server::{PLAN, Server};

/// Every page that can be opened without a question of its own; a page that is added to the menu is looked at, too (see below).
const PAGES: [(&str, &str); 4] = [
    ("estate", "/"),
    ("keys", "/keys"),
    ("keys-narrowed", "/keys?search=shop&older-than=90&sort=age&last-use=used"),
    ("keys-none", "/keys?search=nothing-like-that"),
];
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

fn browse(server: &Server) -> Browser {
    let browser = Browser::start();
    browser.size(1280, 900);
    browser.open(&server.link());
    assert_eq!(browser.place(), "/", "the link lets one in");
    browser
}

/// Nothing was refused by the policy, and no script failed.
fn is_quiet(browser: &Browser, page: &str) {
    let console = browser.console();
    assert!(console.is_empty(), "{page}: {console:#?}");
}

#[test]
fn pages_are_clean_in_both_schemes_and_fit_every_width() {
    if !cfg!(target_os = "linux") {
        println!("NOT CHECKED: the browser of the tests is Debian's");
        return;
    }
    let axe = target().join("axe.min.js");
    let axe = std::fs::read_to_string(&axe)
        .unwrap_or_else(|error| panic!("{}: {error}: `cargo xtask test --only packages` fetches it", axe.display()));
    let server = Server::start(Size { accounts: 24, users: 40 }, 9);
    let browser = Browser::start();
    browser.open(&server.link_as(Role::Admin));
    let menu =
        browser.run("return Array.from(document.querySelectorAll('nav.menu a')).map((a) => a.getAttribute('href'))");
    let mut pages: Vec<(String, String)> = PAGES.map(|(name, at)| (name.to_owned(), at.to_owned())).into();
    for at in menu.as_array().unwrap().iter().map(|at| at.as_str().unwrap()) {
        if !pages.iter().any(|(_, known)| known == at) {
            pages.push((at.replace('/', ""), at.to_owned()));
        }
    }
    // One of each kind that a list leads to.
    for (name, list, link) in [
        ("key", "/campaign", "main a[href^='/keys/']"),
        ("rotation", "/rotations", "main a[href^='/rotations/']"),
        ("plan", "/plans", "main a[href^='/plans/']"),
    ] {
        browser.open(&format!("http://{}{list}", server.address));
        let at = browser.run(&format!("return document.querySelector(\"{link}\").getAttribute('href')"));
        pages.push((name.to_owned(), at.as_str().unwrap().to_owned()));
    }
    for (name, at) in &pages {
        for scheme in ["light", "dark"] {
            browser.prefer("prefers-color-scheme", scheme);
            for (size, width, height) in [("", 1280, 900), ("-phone", 320, 640)] {
                browser.size(width, height);
                browser.open(&format!("http://{}{at}", server.address));
                let page = format!("{name}-{scheme}{size}");
                browser.picture(&page);
                let too_wide =
                    browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
                assert_eq!(too_wide, 0, "{page} scrolls sideways");
                is_quiet(&browser, &page);
                // Not before: axe is no part of the page, and would have to be let in.
                browser.run(&format!("{axe}; return null"));
                let found = browser.wait_for(
                    "const done = arguments[arguments.length - 1]; axe.run(document, { resultTypes: ['violations'] }).then((told) => \
                     done(told.violations.map((one) => one.id + ': ' + one.help + ' at ' + one.nodes.map((node) => \
                     node.target.join(' ') + ' ' + node.any.map((any) => any.message).join(' ')).slice(0, 4).join('; '))));",
                );
                assert_eq!(found, serde_json::json!([]), "{page}: {found:#}");
                browser.console();
            }
        }
    }
}

#[test]
fn an_operator_approves_a_plan_and_watches_it_being_carried_out() {
    if !cfg!(target_os = "linux") {
        println!("NOT CHECKED: the browser of the tests is Debian's");
        return;
    }
    let server = Server::start(Size { accounts: 12, users: 40 }, 1);
    let browser = Browser::start();
    browser.size(1280, 900);
    browser.open(&server.link_as(Role::Operator));
    browser.open(&format!("http://{}/plans/{PLAN}", server.address));
    let steps = browser.run("return document.querySelectorAll('tbody tr').length");
    assert!(steps.as_u64().is_some_and(|steps| steps > 10), "{steps}");
    browser.click("button[value=all]");
    until("the run", || browser.place().starts_with("/runs/"));
    let said = || browser.run("return document.getElementById('log').textContent").as_str().unwrap().to_owned();
    // Line by line, on the page as it was opened.
    browser.run("window.isTheSame = true");
    until("the third step", || said().contains("step 3"));
    assert_eq!(browser.run("return window.isTheSame === true"), true);
    assert!(!said().contains("step 6"), "{}", said());
    browser.picture("run-live");
    until("the end", || browser.run("return document.getElementById('run-state').textContent") == "done");
    assert!(said().contains("$ akia enforce apply --yes") && said().contains("step 6"), "{}", said());
    browser.picture("run-done");
    browser.open(&format!("http://{}/plans/{PLAN}", server.address));
    let state = browser.run("return document.querySelector('dl dd').textContent");
    assert!(state.as_str().unwrap().starts_with("approved by sam@example.com at "), "{state}");
    assert_eq!(browser.run("return document.querySelectorAll('button[name=keys]').length"), 0, "it is approved once");
    is_quiet(&browser, "the run");
}

#[test]
fn a_person_narrows_sorts_opens_and_keeps_what_they_see() {
    if !cfg!(target_os = "linux") {
        println!("NOT CHECKED: the browser of the tests is Debian's");
        return;
    }
    let server = Server::start(Size { accounts: 12, users: 40 }, 2);
    let browser = browse(&server);

    // From a figure to its keys.
    let count = browser.run("return document.querySelectorAll('a.figure b')[1].textContent");
    browser.click(".figures li:nth-child(2) a");
    assert_eq!(browser.place(), "/keys?active=true&older-than=90");
    let shown = browser.run("return document.querySelector('[role=status] b').textContent");
    assert_eq!(shown, count);

    // Narrowed by the form: the empty fields ask for nothing, and the order stays.
    browser.click("thead th:nth-child(6) a");
    assert!(browser.place().contains("sort=age"), "{}", browser.place());
    browser.click("#search");
    browser.keys("shop person");
    browser.keys(ENTER);
    until("the narrowed list", || browser.place().contains("search=shop"));
    let texts = "return Array.from(document.querySelectorAll('tbody tr')).map((row) => row.textContent)";
    let rows = browser.run(texts);
    let rows = rows.as_array().unwrap();
    let holds =
        |row: &serde_json::Value| ["shop", "person", "Active"].iter().all(|word| row.as_str().unwrap().contains(word));
    assert!(!rows.is_empty() && rows.iter().all(holds), "{rows:?}");
    let created =
        "return Array.from(document.querySelectorAll('tbody td:nth-child(6) time')).map((time) => time.dateTime)";
    let dates = |at: &Browser| -> Vec<String> { serde_json::from_value(at.run(created)).unwrap() };
    assert!(dates(&browser).is_sorted(), "{:?}", dates(&browser));
    assert_eq!(browser.run("return document.querySelector('th[aria-sort]').ariaSort"), "ascending");
    browser.click("thead th:nth-child(6) a");
    let mut back = dates(&browser);
    back.reverse();
    assert!(back.len() > 1 && back.is_sorted() && browser.place().contains("reverse=true"), "{back:?}");

    // Kept, opened, deleted.
    let place = browser.place();
    browser.click("details.no-print summary");
    browser.click("#view-name");
    browser.keys("old & shop");
    browser.keys(ENTER);
    until("the kept view", || browser.run("return document.querySelector('.chips a[aria-current]') !== null") == true);
    browser.open(&format!("http://{}/keys", server.address));
    browser.click(".chips a");
    let sorted = |place: &str| {
        let mut parts: Vec<_> =
            place.split(['?', '&']).filter(|part| !part.ends_with('=')).map(str::to_owned).collect();
        parts.sort();
        parts.join(" ").replace('+', "%20")
    };
    assert_eq!(sorted(&browser.place()), sorted(&place));
    browser.click("details.no-print summary");
    browser.click("details.no-print button.danger");
    until("the view is gone", || browser.run("return document.querySelector('.chips')").is_null());

    // A choice asks at once; a key pressed for stepping through choices does not.
    browser.run("const select = document.getElementById('active'); select.value = 'false'; select.dispatchEvent(new Event('change')); return null");
    until("the chosen status", || browser.place().contains("active=false"));
    is_quiet(&browser, "all of it");
}

#[test]
fn the_scheme_that_is_chosen_stays_and_the_keyboard_reaches_a_narrowed_row() {
    if !cfg!(target_os = "linux") {
        println!("NOT CHECKED: the browser of the tests is Debian's");
        return;
    }
    let server = Server::start(Size { accounts: 6, users: 30 }, 1);
    let browser = browse(&server);
    browser.prefer("prefers-color-scheme", "light");
    let ground = || browser.run("return getComputedStyle(document.body).backgroundColor");
    let light = ground();
    browser.click("#theme");
    let dark = ground();
    assert_ne!(light, dark);
    browser.open(&format!("http://{}/keys", server.address));
    assert_eq!(ground(), dark, "kept on the next page");
    browser.click("#theme");
    assert_eq!(ground(), light);

    // By keys alone: past the menu to the search, from there to the first row.
    browser.open(&format!("http://{}/keys", server.address));
    browser.keys(TAB);
    assert_eq!(browser.run("return document.activeElement.className"), "skip", "the first stop skips the menu");
    browser.keys(ENTER);
    let focus = || browser.run("return document.activeElement.id || document.activeElement.getAttribute('href') || ''");
    let reach = |what: &str, is_it: &dyn Fn(&str) -> bool| {
        for _ in 0..60 {
            browser.keys(TAB);
            let now = focus();
            if is_it(now.as_str().unwrap()) {
                let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
                assert_eq!(outline, "solid", "{what}: the focus is seen");
                return;
            }
        }
        panic!("{what} is not reached with the keyboard");
    };
    reach("the search", &|id| id == "search");
    browser.keys("service");
    browser.keys(ENTER);
    until("the narrowed list", || browser.place().contains("search=service"));
    reach("a row", &|address| address.starts_with("/keys/AKIA"));
    let row = browser.run("return document.activeElement.closest('tr').textContent");
    assert!(row.as_str().unwrap().contains("service-"), "{row}");
    let address = focus();
    browser.keys(ENTER);
    until("the key's page", || browser.place() == address.as_str().unwrap());
}
