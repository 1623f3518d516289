//! The HTML page in a real browser: what its script does, that its own policy lets it run, and what is printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Backend, Home, REPORT_COLUMNS};

/// Debian's; `cargo xtask test` installs it.
const BROWSER: &str = "/usr/bin/chromium";
/// A user for each row; the filter appears where a table has more than ten.
const USERS: usize = 30;

/// Sorts by a click, sorts back, filters, and writes down what it sees.
const PROBE: &str = r#"
const table = document.getElementById("findings-table");
const rows = () => Array.from(table.tBodies[0].rows);
const shown = () => rows().filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
const button = table.tHead.rows[0].cells[0].querySelector("button");
const said = { before: shown(), button: button.textContent };
button.click();
said.ascending = shown();
said.sort = table.tHead.rows[0].cells[0].ariaSort;
button.click();
said.descending = shown();
const input = document.getElementById("findings-table-filter");
said.label = document.querySelector("label[for=findings-table-filter]").textContent;
input.value = "USER-07 key";
input.dispatchEvent(new Event("input"));
said.filtered = shown();
said.status = input.parentElement.querySelector("[role=status]").textContent;
input.value = "";
input.dispatchEvent(new Event("input"));
said.all = shown().length;
const worst = document.getElementById("worst-table");
const age = Array.from(worst.tHead.rows[0].cells).findIndex((cell) => cell.textContent.startsWith("Age"));
worst.tHead.rows[0].cells[age].querySelector("button").click();
said.ages = Array.from(worst.tBodies[0].rows).map((row) => Number(row.cells[age].dataset.sort));
document.body.textContent = "SAID" + JSON.stringify(said) + "END";
"#;

fn report() -> String {
    let mut report = REPORT_COLUMNS.to_owned();
    for number in 0..USERS {
        // Ages that a sort of texts would get wrong, in no order.
        let year = 2016 + number * 7 % 10;
        report += &format!(
            "user-{number:02},arn:aws:iam::123456789012:user/user-{number:02},2015-01-01T00:00:00+00:00,false,N/A,N/A,N/A,\
             false,true,{year}-0{}-01T00:00:00+00:00,2026-11-23T00:00:00+00:00,eu-west-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,\
             false,N/A\n",
            number % 9 + 1
        );
    }
    report
}

/// What the browser makes of a page, after its scripts.
fn browse(home: &Home, page: &Path, what: &[&str]) -> String {
    let profile = home.path("browser");
    let output = Command::new(BROWSER)
        // Root has no sandbox for the browser, and a container little shared memory.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(what)
        .arg(format!("file://{}", page.display()))
        .env("HOME", home.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn in_a_browser_the_tables_sort_and_filter_under_the_pages_own_policy_and_print_whole() {
    if !cfg!(target_os = "linux") {
        println!("NOT CHECKED: the browser of the tests is Debian's");
        return;
    }
    assert!(
        Path::new(BROWSER).exists(),
        "there is no {BROWSER}: install it (`apt-get install chromium`, or `cargo xtask test --only packages` as root)"
    );
    let home = Home::new(&Backend::Sandbox.open()).file("report.csv", report());
    let path = |name: &str| home.path(name).display().to_string();
    home.akia(&["audit", "--from-report", &path("report.csv"), "--as-of", "2026-11-24", "--write", &path("a.html")])
        .exited(0);
    let html = home.read("a.html");

    // As it is: the script may run, for the buttons are there, and a foreign one may not.
    let foreign = html.replace("</body>", "<script>document.title = \"foreign\";</script></body>");
    fs::write(home.path("foreign.html"), &foreign).unwrap();
    let seen = browse(&home, &home.path("foreign.html"), &["--dump-dom"]);
    assert!(seen.contains("<button type=\"button\">Severity</button>"), "the page's own script runs");
    assert!(seen.contains("<title>Access key audit</title>"), "the policy in the head keeps others out");

    // With a probe, which only a page without the policy lets in.
    let open = html.replace("http-equiv=\"Content-Security-Policy\"", "name=\"was-policy\"");
    assert_ne!(open, html);
    let probed = open.replace("</body>", &format!("<script>{PROBE}</script></body>"));
    fs::write(home.path("probe.html"), probed).unwrap();
    let dom = browse(&home, &home.path("probe.html"), &["--dump-dom"]);
    let said = dom.split("SAID").nth(1).and_then(|rest| rest.split("END").next()).unwrap_or_else(|| panic!("{dom}"));
    let said: serde_json::Value = serde_json::from_str(&said.replace("&amp;", "&")).unwrap();
    let list = |name: &str| -> Vec<String> {
        said[name].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut sorted = list("before");
    sorted.sort();
    assert!(sorted.len() >= USERS, "{said}");
    assert_eq!(list("ascending"), sorted);
    sorted.reverse();
    assert_eq!(list("descending"), sorted);
    assert_eq!(
        (&said["button"], &said["sort"], &said["label"]),
        (&"User".into(), &"ascending".into(), &"Show rows with".into())
    );
    assert!(!list("filtered").is_empty() && list("filtered").iter().all(|user| user == "user-07"), "{said}");
    assert_eq!(said["status"], format!("{} of {} rows", list("filtered").len(), sorted.len()));
    assert_eq!(said["all"], sorted.len());
    let ages: Vec<i64> = said["ages"].as_array().unwrap().iter().map(|age| age.as_i64().unwrap()).collect();
    assert!(ages.is_sorted_by(|a, b| a >= b) && ages.first() > ages.last(), "numbers, the largest first: {ages:?}");

    // On paper nothing is cut off: every user is there, and what needs a hand is not.
    let pdf = path("a.pdf");
    browse(&home, &home.path("a.html"), &["--no-pdf-header-footer", &format!("--print-to-pdf={pdf}")]);
    let bytes = fs::read(&pdf).unwrap();
    assert!(bytes.starts_with(b"%PDF-") && bytes.len() > 20_000, "{} bytes", bytes.len());
    if Path::new("/usr/bin/pdftotext").exists() {
        let text = Command::new("/usr/bin/pdftotext").args(["-layout", &pdf, "-"]).output().unwrap();
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        for number in 0..USERS {
            assert!(text.contains(&format!("user-{number:02}")), "user-{number:02} is not on paper");
        }
        assert!(!text.contains("Show rows with") && !text.contains("Skip to the content"), "{text}");
    }
}
