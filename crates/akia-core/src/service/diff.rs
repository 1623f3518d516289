//! What is different between two texts, line by line.

/// A line of both, or of one of two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffLine {
    /// In both.
    Same(String),
    /// Only in the first.
    Gone(String),
    /// Only in the second.
    New(String),
}

impl DiffLine {
    /// The line as people know it from `diff -u`.
    #[must_use]
    pub fn marked(&self) -> String {
        match self {
            Self::Same(line) => format!("  {line}"),
            Self::Gone(line) => format!("- {line}"),
            Self::New(line) => format!("+ {line}"),
        }
    }
}

/// The lines of both texts, those that they share once. For texts as long as policies: time and memory grow with the product of
/// the numbers of lines.
#[must_use]
pub fn diff(before: &str, after: &str) -> Vec<DiffLine> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    // longest[i][j]: how many lines old[i..] and new[j..] share at most, in order.
    let mut longest = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] =
                if old[i] == new[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(DiffLine::Same(old[i].to_owned()));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(DiffLine::Gone(old[i].to_owned()));
            i += 1;
        } else {
            lines.push(DiffLine::New(new[j].to_owned()));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_lines_stand_once() {
        let shown = |a: &str, b: &str| diff(a, b).iter().map(DiffLine::marked).collect::<Vec<_>>().join("|");
        assert_eq!(shown("a\nb\nc", "a\nx\nc"), "  a|- b|+ x|  c");
        assert_eq!(shown("", "a"), "+ a");
        assert_eq!(shown("a", ""), "- a");
        assert_eq!(shown("a\nb", "b\na"), "- a|  b|+ a");
        assert_eq!(shown("a", "a"), "  a");
    }
}
