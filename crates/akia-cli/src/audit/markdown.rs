//! Markdown as GitHub and GitLab show it: a summary, then a table for each severity.

use akia_core::audit::Audit;
use akia_core::finding::{Finding, Severity};

use super::words::{self, counted, thousands};
use crate::forms::markdown::{code, plain};
use crate::forms::xml::push;

/// The most rows of a table: a job summary of GitHub holds a mebibyte.
const MOST_ROWS: usize = 200;

pub(super) fn render(audit: &Audit) -> String {
    let mut text = format!("# Access key audit\n\nAs of {}.\n\n", audit.at);
    let (read, all) = audit.coverage();
    let (users, keys) = audit.size();
    let partly = if audit.is_whole() { "" } else { " **The audit is not whole**: see the end." };
    push(
        &mut text,
        format_args!(
            "{} of {} read, with {} and {}.{partly}\n\n",
            thousands(read),
            counted(all, "account"),
            counted(users, "user"),
            counted(keys, "active key")
        ),
    );
    text.push_str("| severity | findings |\n|---|---:|\n");
    for (severity, count) in audit.counts() {
        push(&mut text, format_args!("| {severity} | {} |\n", thousands(count)));
    }
    if audit.findings.is_empty() {
        text.push_str("\nNo rule is broken.\n");
    }
    for severity in Severity::ALL {
        let of_severity: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.severity == severity).collect();
        findings(&mut text, severity, &of_severity);
    }
    not_whole(&mut text, audit);
    text
}

fn findings(text: &mut String, severity: Severity, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    push(text, format_args!("\n## {severity}: {}\n\n", counted(findings.len(), "finding")));
    text.push_str("| account | user | key | what is wrong | owner | fix |\n|---|---|---|---|---|---|\n");
    for finding in findings.iter().take(MOST_ROWS) {
        let name = finding.account_name.as_ref().map(|name| format!(" {}", code(name))).unwrap_or_default();
        let key = finding.key.as_ref().map(|key| code(key.as_str())).unwrap_or_default();
        let owner = finding.owner.as_ref().map(|owner| code(&owner.name)).unwrap_or_default();
        let fix = words::command(finding).map_or_else(|| plain(words::fix(&finding.rule)), |command| code(&command));
        push(
            text,
            format_args!(
                "| {}{name} | {} | {key} | {}: {} | {owner} | {fix} |\n",
                finding.account,
                code(finding.subject.name()),
                plain(words::title(&finding.rule)),
                plain(&finding.detail),
            ),
        );
    }
    more(text, findings.len());
}

fn not_whole(text: &mut String, audit: &Audit) {
    if !audit.unread.is_empty() {
        text.push_str("\n## Accounts that were not read\n\n| account | why |\n|---|---|\n");
        for unread in audit.unread.iter().take(MOST_ROWS) {
            let name = unread.account.name.as_ref().map(|name| format!(" {}", code(name))).unwrap_or_default();
            push(text, format_args!("| {}{name} | {} |\n", unread.account.id, plain(&unread.reason)));
        }
        more(text, audit.unread.len());
    }
    let gaps: Vec<_> = words::gaps(audit).collect();
    if !gaps.is_empty() {
        text.push_str("\n## Accounts of which a part was not read\n\n| account | what |\n|---|---|\n");
        for (account, gap) in gaps.iter().take(MOST_ROWS) {
            push(text, format_args!("| {} | {} |\n", account.id, plain(gap)));
        }
        more(text, gaps.len());
    }
    if !audit.unknown.is_empty() {
        text.push_str("\n## What could not be told\n\n| rule | how often | why |\n|---|---:|---|\n");
        for unknown in audit.unknown.iter().take(MOST_ROWS) {
            let (count, reason) = (thousands(unknown.count), plain(&unknown.reason));
            push(text, format_args!("| {} | {count} | {reason} |\n", plain(&unknown.rule)));
        }
        more(text, audit.unknown.len());
    }
}

fn more(text: &mut String, rows: usize) {
    if let Some(left_out) = rows.checked_sub(MOST_ROWS).filter(|&count| count > 0) {
        push(
            text,
            format_args!("\n{} more are not shown here; the CSV and JSONL forms have all.\n", thousands(left_out)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;

    #[test]
    fn markdown_tables_keep_their_shape_whatever_a_tag_says() {
        let text = super::render(&fixture::small());
        let mut columns = None;
        for line in text.lines() {
            let bars = line.replace("\\|", "").matches('|').count();
            if !line.starts_with('|') {
                assert_eq!(bars, 0, "{line}");
                columns = None;
            } else {
                assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
            }
        }
        assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "a terminal would obey");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_long_table_is_cut_and_says_so() {
        let text = super::render(&fixture::large(1_000));
        assert!(text.contains("more are not shown here; the CSV and JSONL forms have all."), "{text}");
        assert!(text.len() < 1_048_576 / 2, "{}", text.len());
    }

    #[test]
    fn nothing_found_is_said() {
        let text = super::render(&fixture::clean());
        assert!(text.contains("No rule is broken.") && !text.contains("not whole"), "{text}");
    }
}
