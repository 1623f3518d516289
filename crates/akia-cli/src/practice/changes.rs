//! What changed in the AWS files between two looks: judged (only values, or more?), and shown without a secret.

use anstyle::{AnsiColor, Style};
use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

use crate::output::escape::visible;

/// Lines around a change that are shown.
const CONTEXT: usize = 2;
/// Settings whose values a rotation replaces.
const REPLACED: [&str; 2] = ["aws_access_key_id", "aws_secret_access_key"];

/// The changes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Lines that the file has now.
    pub lines: usize,
    /// Lines in which the value of a key id or of a secret is another one, and not one byte besides.
    pub values: usize,
    /// Lines that changed in any other way, came or went.
    pub others: usize,
    hunks: Vec<Vec<Line>>,
}

/// One line as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    sign: Sign,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Same,
    Old,
    New,
}

impl Changes {
    /// Compares a file with what it was.
    #[must_use]
    pub fn between(before: &str, after: &str) -> Self {
        let old: Vec<&str> = before.split_inclusive('\n').collect();
        let new: Vec<&str> = after.split_inclusive('\n').collect();
        let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
        let mut changes = Self { lines: new.len(), values: 0, others: 0, hunks: Vec::new() };
        for operation in &operations {
            let (gone, come) = (&old[operation.old_range()], &new[operation.new_range()]);
            if matches!(operation, DiffOp::Equal { .. }) {
            } else if gone.len() == come.len() && gone.iter().zip(come).all(|(a, b)| is_new_value(a, b)) {
                changes.values += come.len();
            } else {
                changes.others += gone.len().max(come.len());
            }
        }
        changes.hunks = group_diff_ops(operations, CONTEXT)
            .iter()
            .map(|hunk| {
                let lines = |op: &DiffOp| shown(op, &old[op.old_range()], &new[op.new_range()]);
                hunk.iter().flat_map(lines).collect()
            })
            .collect();
        changes
    }

    /// The changed lines and those around them, indented, secrets masked.
    #[must_use]
    pub fn render(&self, colors: bool) -> String {
        let style = |color: AnsiColor| if colors { color.on_default() } else { Style::new() };
        let (red, green) = (style(AnsiColor::Red), style(AnsiColor::Green));
        let mut text = String::new();
        for (index, hunk) in self.hunks.iter().enumerate() {
            if index > 0 {
                text.push_str("    ...\n");
            }
            for line in hunk {
                // A tab is the file's own, and harmless.
                let words = line.text.split('\t').map(visible).collect::<Vec<_>>().join("\t");
                let shown = match line.sign {
                    Sign::Same => format!("    {words}"),
                    Sign::Old => format!("  {red}- {words}{red:#}"),
                    Sign::New => format!("  {green}+ {words}{green:#}"),
                };
                text.push_str(shown.trim_end());
                text.push('\n');
            }
        }
        text
    }
}

/// Whether the two lines differ in the value of a key id or of a secret and in nothing else.
fn is_new_value(old: &str, new: &str) -> bool {
    let (Some(old), Some(new)) = (Setting::of(old), Setting::of(new)) else { return false };
    old.before == new.before
        && old.after == new.after
        && old.value != new.value
        && ![old.value, new.value].contains(&"")
        && REPLACED.contains(&old.name())
}

/// A line `name = value`, cut where the value begins and ends.
struct Setting<'a> {
    before: &'a str,
    value: &'a str,
    after: &'a str,
}

impl<'a> Setting<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let equals = line.find('=')?;
        let rest = &line[equals + 1..];
        let begins = line.len() - rest.trim_start().len();
        let ends = line.trim_end().len().max(begins);
        Some(Self { before: &line[..begins], value: &line[begins..ends], after: &line[ends..] })
    }

    fn name(&self) -> &str {
        self.before.trim_end().trim_end_matches('=').trim()
    }
}

/// The lines of one operation. Where lines replace as many others, the old and the new one stand together.
fn shown(operation: &DiffOp, gone: &[&str], come: &[&str]) -> Vec<Line> {
    let old = gone.iter().map(|line| Line::of(Sign::Old, line));
    let new = come.iter().map(|line| Line::of(Sign::New, line));
    match operation {
        DiffOp::Equal { .. } => come.iter().map(|line| Line::of(Sign::Same, line)).collect(),
        DiffOp::Replace { .. } if gone.len() == come.len() => old.zip(new).flat_map(|(a, b)| [a, b]).collect(),
        DiffOp::Replace { .. } | DiffOp::Delete { .. } | DiffOp::Insert { .. } => old.chain(new).collect(),
    }
}

impl Line {
    /// A line without its line break and without its secret, even where the secret stands in a comment.
    fn of(sign: Sign, line: &str) -> Self {
        let line = line.trim_end_matches(['\r', '\n']);
        let lower = line.to_ascii_lowercase();
        let text = match Setting::of(line) {
            Some(setting) if lower.contains("secret") || lower.contains("token") => {
                let which = match sign {
                    Sign::Same => "",
                    Sign::Old => " (old)",
                    Sign::New => " (new)",
                };
                format!("{}********{which}", setting.before)
            }
            Some(_) | None => line.to_owned(),
        };
        Self { sign, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# mine\n[default]\naws_access_key_id     = AKIAIOSFODNN7EXAMPLE\n\
        aws_secret_access_key = first-secret\n\n[other]\nregion = eu-west-1\noutput = json\n";

    #[test]
    fn new_values_are_told_from_everything_else() {
        let counts = |after: &str| {
            let changes = Changes::between(BEFORE, after);
            (changes.values, changes.others)
        };
        let rotated = BEFORE.replace("AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE").replace("first", "second");
        assert_eq!(counts(BEFORE), (0, 0));
        assert_eq!(counts(&rotated), (2, 0));
        assert_eq!(counts(&rotated.replace("id     =", "id =")), (0, 2), "a lost column is noticed");
        assert_eq!(counts(&rotated.replace("# mine\n", "")), (2, 1), "a lost comment is noticed");
        assert_eq!(counts(&rotated.replace("eu-west-1", "eu-west-2")), (2, 1), "another setting is noticed");
        assert_eq!(counts(&rotated.replace("\n\n", "\r\n\n")), (0, 2), "another line end is noticed");
        assert_eq!(counts(&format!("{rotated}[more]\n")), (2, 1));
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let after = BEFORE.replace("AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE").replace("first", "second");
        insta::assert_snapshot!(Changes::between(BEFORE, &after).render(false), @r"
            # mine
            [default]
          - aws_access_key_id     = AKIAIOSFODNN7EXAMPLE
          + aws_access_key_id     = AKIAI44QH8DHBEXAMPLE
          - aws_secret_access_key = ******** (old)
          + aws_secret_access_key = ******** (new)

            [other]
        ");
        let commented = "# aws_secret_access_key = first-secret\n[default]\n";
        let shown = Changes::between(commented, &commented.replace("first", "second")).render(true);
        assert!(!shown.contains("first") && !shown.contains("second"), "{shown}");
    }
}
