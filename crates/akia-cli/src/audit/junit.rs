//! JUnit XML, as CI systems read it: a suite for each account, a failure for each finding, an error for an account that
//! was not read, and a skipped case for what could not be told.

use std::collections::BTreeMap;

use akia_core::audit::Audit;
use akia_core::estate::Account;
use akia_core::finding::Finding;
use akia_core::ids::AccountId;

use super::words;
use crate::forms::xml::{escape, push};

pub(super) fn render(audit: &Audit) -> String {
    let mut of_account: BTreeMap<&AccountId, Vec<&Finding>> = BTreeMap::new();
    for finding in &audit.findings {
        of_account.entry(&finding.account).or_default().push(finding);
    }
    let mut suites = Vec::new();
    for estate in &audit.estates {
        let findings = of_account.remove(&estate.account.id).unwrap_or_default();
        let mut suite = Suite::of(&estate.account);
        for finding in findings {
            suite.failure(finding);
        }
        for gap in &estate.gaps {
            suite.skipped("everything was read", gap);
        }
        // A suite without a case is taken for one that did not run.
        if suite.tests == 0 {
            suite.passed("no rule is broken");
        }
        suites.push(suite);
    }
    for unread in &audit.unread {
        let mut suite = Suite::of(&unread.account);
        suite.error("the account was read", &unread.reason);
        suites.push(suite);
    }
    if !audit.unknown.is_empty() {
        let mut suite = Suite::new("could not be told".to_owned());
        for unknown in &audit.unknown {
            let reason = format!("could not tell, {}: {}", words::counted(unknown.count, "time"), unknown.reason);
            suite.skipped(&unknown.rule, &reason);
        }
        suites.push(suite);
    }
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, failures) = (sum(|suite| suite.tests), sum(|suite| suite.failures));
    let (errors, skipped) = (sum(|suite| suite.errors), sum(|suite| suite.skipped));
    push(
        &mut text,
        format_args!(
            "<testsuites name=\"akia audit\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\">\n"
        ),
    );
    for suite in &suites {
        suite.push_to(&mut text, &audit.at.to_string());
    }
    text.push_str("</testsuites>\n");
    text
}

struct Suite {
    name: String,
    cases: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Suite {
    fn new(name: String) -> Self {
        Self { name, cases: String::new(), tests: 0, failures: 0, errors: 0, skipped: 0 }
    }

    fn of(account: &Account) -> Self {
        Self::new(match &account.name {
            Some(name) => format!("{} {name}", account.id),
            None => account.id.to_string(),
        })
    }

    fn failure(&mut self, finding: &Finding) {
        self.failures += 1;
        let mut name = format!("{}: {}", finding.rule, finding.subject.name());
        if let Some(key) = &finding.key {
            name.push_str(&format!(" {key}"));
        }
        let title = words::title(&finding.rule);
        let mut lines = vec![format!("{}: {title}: {}", finding.severity, finding.detail)];
        lines.extend(
            finding.owner.as_ref().map(|owner| format!("owner: {} ({})", owner.name, words::source(owner.source))),
        );
        lines.push(format!("fix: {}", words::fix(&finding.rule)));
        lines.extend(words::command(finding).map(|command| format!("run: {command}")));
        lines.push(format!("fingerprint: {}", finding.fingerprint()));
        let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
        let body = format!(
            "<failure type=\"{}\" message=\"{}\">{}</failure>",
            finding.severity,
            escape(&format!("{title}: {}", finding.detail)),
            lines.join("\n")
        );
        self.case(&name, &body);
    }

    fn error(&mut self, name: &str, reason: &str) {
        self.errors += 1;
        self.case(name, &format!("<error type=\"unread\" message=\"{}\"/>", escape(reason)));
    }

    fn skipped(&mut self, name: &str, reason: &str) {
        self.skipped += 1;
        self.case(name, &format!("<skipped message=\"{}\"/>", escape(reason)));
    }

    fn passed(&mut self, name: &str) {
        self.case(name, "");
    }

    fn case(&mut self, name: &str, body: &str) {
        self.tests += 1;
        let (class, name) = (escape(&self.name), escape(name));
        push(
            &mut self.cases,
            format_args!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\">{body}</testcase>\n"),
        );
    }

    fn push_to(&self, text: &mut String, at: &str) {
        let Self { name, cases, tests, failures, errors, skipped } = self;
        let name = escape(name);
        push(
            text,
            format_args!(
                "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
                 skipped=\"{skipped}\" time=\"0\" timestamp=\"{at}\">\n{cases}  </testsuite>\n"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    /// How often each element occurs; fails on XML that is not well-formed.
    fn elements(text: &str) -> std::collections::BTreeMap<String, usize> {
        let mut reader = Reader::from_str(text);
        let mut counts = std::collections::BTreeMap::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    for attribute in tag.attributes() {
                        attribute.unwrap();
                    }
                    let name = tag.name().as_ref().to_owned();
                    *counts.entry(name).or_default() += 1;
                }
                Event::Eof => return counts,
                _ => {}
            }
        }
    }

    #[test]
    fn junit_is_well_formed_and_counts_right() {
        let audit = fixture::small();
        let text = super::render(&audit);
        let elements = elements(&text);
        assert_eq!(elements["testsuite"], 4, "two accounts, one not read, and what could not be told");
        assert_eq!(elements["failure"], audit.findings.len());
        assert_eq!(elements["error"], 1);
        assert_eq!(elements["skipped"], audit.unknown.len() + 1);
        assert_eq!(elements["testcase"], elements["failure"] + elements["error"] + elements["skipped"]);
        assert!(!elements.contains_key("script"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_account_without_findings_passes() {
        let text = super::render(&fixture::clean());
        assert!(text.contains("tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\""), "{text}");
        assert_eq!(elements(&text)["testcase"], 1);
    }
}
