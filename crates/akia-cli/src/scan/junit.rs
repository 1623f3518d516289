//! JUnit XML, as CI systems read it: a failure for each leaked key, an error for each thing that was not looked at.

use akia_core::leak::ScanReport;
use jiff::Timestamp;

use super::words;
use crate::forms::xml::{escape, push};

pub(super) fn render(report: &ScanReport, at: Timestamp) -> String {
    let leaks: Vec<_> = words::counting(&report.leaks).collect();
    let skipped = &report.coverage.skipped;
    let (failures, errors) = (leaks.len(), skipped.len());
    let tests = (failures + errors).max(1);
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\"");
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"akia scan\" {counts}>\n");
    let suite = escape(&report.sources.join(" "));
    push(&mut text, format_args!("  <testsuite name=\"{suite}\" {counts} time=\"0\" timestamp=\"{at}\">\n"));
    let mut case = |name: &str, body: &str| {
        let name = escape(name);
        push(
            &mut text,
            format_args!("    <testcase classname=\"{suite}\" name=\"{name}\" time=\"0\">{body}</testcase>\n"),
        );
    };
    for leak in leaks {
        let mut lines = vec![escape(&words::sentence(leak))];
        lines.extend(leak.shown_places().map(|place| escape(&format!("in {}", words::place(place)))));
        lines.push(escape(&format!("next: {}", words::remedy(leak))));
        lines.push(format!("fingerprint: {}", leak.fingerprint));
        let message = escape(&words::sentence(leak));
        let kind = words::rule(leak.kind);
        case(
            &words::name(leak),
            &format!("<failure type=\"{kind}\" message=\"{message}\">{}</failure>", lines.join("\n")),
        );
    }
    for one in skipped {
        case(&one.what, &format!("<error type=\"not-scanned\" message=\"{}\"/>", escape(&words::skipped(one))));
    }
    if failures + errors == 0 {
        // A suite without a case is taken for one that did not run.
        case("no key was found", "");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use crate::forms::page::tests::tags;

    #[test]
    fn junit() {
        let text = super::render(&fixture::report(), "2026-11-30T12:00:00Z".parse().unwrap());
        assert!(!tags(&text).iter().any(|(name, _)| name == "script"));
        insta::assert_snapshot!(fixture::masked(&text));
    }
}
