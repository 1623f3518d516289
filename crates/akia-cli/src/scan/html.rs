//! The page of a scan.

use akia_core::leak::{Leak, LeakPlace, ScanReport};
use jiff::Timestamp;

use super::words;
use crate::audit::words::{counted, thousands};
use crate::forms::page::{moment, page};
use crate::forms::table::{Cell, Kind, Table};
use crate::forms::xml::{escape, push};
use crate::output::capital;

/// The most rows of a table.
const MOST_ROWS: usize = 1_000;

pub(super) fn render(report: &ScanReport, at: Timestamp) -> String {
    let mut links = vec![("summary", "Summary"), ("keys", "Keys"), ("places", "Places")];
    if !report.coverage.is_complete() {
        links.push(("missing", "What was not looked at"));
    }
    let below = format!("Scanned: {} ({}).", report.sources.join(", "), moment(at));
    let note = "Secrets are not shown. Removing a key from a file does not shut it: akia contain does.";
    page("Leaked access keys", &below, &links, note, |html| {
        summary(html, report);
        keys(html, report);
        places(html, report);
        missing(html, report);
    })
}

fn summary(html: &mut String, report: &ScanReport) {
    html.push_str("<h2 id=\"summary\">Summary</h2>\n");
    if !report.coverage.is_complete() {
        push(
            html,
            format_args!(
                "<p class=\"notice\"><strong>This scan is not whole:</strong> {} not looked at. <a href=\"#missing\">See what.</a></p>\n",
                counted(report.coverage.skipped.len(), "thing")
            ),
        );
    }
    let counting: Vec<&Leak> = words::counting(&report.leaks).collect();
    let with_secret = counting.iter().filter(|leak| leak.secret.is_some()).count();
    let current = counting.iter().filter(|leak| leak.is_current()).count();
    html.push_str("<ul class=\"tiles\">");
    for (number, name) in [
        (counting.len(), "leaked keys"),
        (with_secret, "with their secret"),
        (current, "still there"),
        (counting.len() - current, "only in the history"),
    ] {
        push(html, format_args!("<li><strong>{}</strong><span>{name}</span></li>", thousands(number)));
    }
    push(html, format_args!("</ul>\n<p>{}.</p>\n", escape(&capital(&words::coverage(&report.coverage)))));
    let aside = words::aside(&report.leaks);
    if !aside.is_empty() {
        push(html, format_args!("<p class=\"soft\">Also seen, and not counted: {}.</p>\n", escape(&aside)));
    }
}

fn keys(html: &mut String, report: &ScanReport) {
    html.push_str("<h2 id=\"keys\">Keys</h2>\n");
    let leaks: Vec<&Leak> = words::counting(&report.leaks).collect();
    if leaks.is_empty() {
        html.push_str("<p>No key was found.</p>\n");
        return;
    }
    let table = Table {
        id: "keys-table",
        caption: "Leaked keys",
        columns: &[
            ("Key", Kind::Whole),
            ("What", Kind::Word),
            ("Account", Kind::Whole),
            ("Secret", Kind::Word),
            ("Still there", Kind::Word),
            ("Since", Kind::Ranked),
            ("Places", Kind::Number),
            ("What to do", Kind::Wide),
        ],
        most_rows: MOST_ROWS,
        elsewhere: "The CSV and JSONL forms have all.",
    };
    let rows = leaks.iter().map(|leak| {
        let since = super::listing::first(leak).and_then(|place| place.git.as_ref()).and_then(|git| git.first_seen);
        vec![
            Cell::code(&words::name(leak)),
            Cell::text(words::kind(leak.kind)),
            Cell::text(leak.account.as_ref().map_or("", |account| account.as_str())),
            Cell::text(leak.secret.as_deref().unwrap_or("not found")),
            Cell::text(if leak.is_current() { "yes" } else { "only in the history" }),
            Cell::text(&since.map(moment).unwrap_or_default()).sorted(since.map_or(i64::MAX, Timestamp::as_second)),
            Cell::number(leak.shown_places().count()),
            Cell::code(&words::remedy(leak)),
        ]
    });
    table.push(html, leaks.len(), rows);
}

fn places(html: &mut String, report: &ScanReport) {
    html.push_str("<h2 id=\"places\">Places</h2>\n");
    let places: Vec<(&Leak, &LeakPlace)> = words::counting(&report.leaks)
        .flat_map(|leak| leak.places.iter().filter(|one| one.hidden.is_none()).map(move |one| (leak, one)))
        .collect();
    if places.is_empty() {
        html.push_str("<p>None.</p>\n");
        return;
    }
    let table = Table {
        id: "places-table",
        caption: "Where they stand",
        columns: &[
            ("Key", Kind::Whole),
            ("Where", Kind::Word),
            ("In", Kind::Word),
            ("How it is reached", Kind::Word),
            ("First commit", Kind::Whole),
            ("Author", Kind::Word),
            ("First seen", Kind::Ranked),
            ("Last seen", Kind::Ranked),
        ],
        most_rows: MOST_ROWS,
        elsewhere: "The CSV and JSONL forms have all.",
    };
    let time = |at: Option<Timestamp>| {
        Cell::text(&at.map(moment).unwrap_or_default()).sorted(at.map_or(i64::MAX, Timestamp::as_second))
    };
    let rows = places.iter().map(|(leak, one)| {
        let git = one.place.git.as_ref();
        vec![
            Cell::code(&words::name(leak)),
            Cell::text(&words::place(&one.place)),
            Cell::text(&one.place.source),
            Cell::text(git.map_or("", |git| words::reach(git.reach))),
            Cell::code(
                git.and_then(|git| git.commit.as_deref()).and_then(|commit| commit.get(..12)).unwrap_or_default(),
            ),
            Cell::text(git.and_then(|git| git.author.as_deref()).unwrap_or_default()),
            time(git.and_then(|git| git.first_seen)),
            time(git.and_then(|git| git.last_seen)),
        ]
    });
    table.push(html, places.len(), rows);
}

fn missing(html: &mut String, report: &ScanReport) {
    if report.coverage.is_complete() {
        return;
    }
    html.push_str("<h2 id=\"missing\">What was not looked at</h2>\n");
    let table = Table {
        id: "missing-table",
        caption: "Not looked at",
        columns: &[("What", Kind::Word), ("Why", Kind::Word), ("Detail", Kind::Wide)],
        most_rows: MOST_ROWS,
        elsewhere: "The CSV and JSONL forms have all.",
    };
    let skipped = &report.coverage.skipped;
    let rows =
        skipped.iter().map(|one| vec![Cell::text(&one.what), Cell::text(words::why(one.why)), Cell::text(&one.detail)]);
    table.push(html, skipped.len(), rows);
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use crate::forms::page::tests::{assert_accessible, tags};
    use crate::forms::page::{SCRIPT, STYLE};

    #[test]
    fn the_page_of_a_scan() {
        let html = super::render(&fixture::report(), "2026-11-30T12:00:00Z".parse().unwrap());
        assert_accessible(&html);
        assert_eq!(tags(&html).iter().filter(|(name, _)| name == "script").count(), 1, "only ours");
        let body = html.replace(STYLE, "[style]").replace(SCRIPT, "[script]");
        insta::assert_snapshot!(fixture::masked(&body));
    }
}
