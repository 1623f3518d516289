//! Annotations of GitHub Actions: a line for each place, printed on stdout, which GitHub shows in the pull request.
//!
//! Source: "Workflow commands for GitHub Actions", setting an error message. GitHub shows ten of each sort a step.

use akia_core::leak::ScanReport;

use super::words;
use crate::output::escape::visible;

pub(crate) fn annotations(report: &ScanReport) -> String {
    let mut text = String::new();
    for leak in words::counting(&report.leaks) {
        let title = property(&format!("Leaked {}", words::kind(leak.kind)));
        let message = data(&format!("{}. Next: {}", words::sentence(leak), words::remedy(leak)));
        for place in leak.shown_places() {
            let file = property(&place.file());
            let line = place.line.map(|line| format!(",line={line}")).unwrap_or_default();
            text.push_str(&format!("::error title={title},file={file}{line}::{message}\n"));
        }
    }
    for one in &report.coverage.skipped {
        text.push_str(&format!("::warning title=Not scanned::{}\n", data(&words::skipped(one))));
    }
    text
}

fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_hostile_name_makes_no_command_of_its_own() {
        assert_eq!(property("a\n::error::b,c:%"), "a\\n%3A%3Aerror%3A%3Ab%2Cc%3A%25");
    }

    #[test]
    fn each_place_is_an_annotation() {
        insta::assert_snapshot!(fixture::masked(&annotations(&fixture::report())));
    }
}
