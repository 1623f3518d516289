//! Text in Markdown, as GitHub and GitLab show it.

use crate::output::escape::visible;

/// Text that Markdown shows as it is. Line breaks are spelled out, so that it stays in its cell.
pub(crate) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Code: nothing in it is a link, a mention or markup. In a table the bar needs a backslash even here.
pub(crate) fn code(text: &str) -> String {
    let shown = visible(text).replace('|', "\\|");
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // A blank keeps a backtick at an end apart from the fence; Markdown takes one from each end.
    let blank = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{shown}{blank}{fence}")
}

#[cfg(test)]
mod tests {
    use super::{code, plain};

    #[test]
    fn markup_is_shown_and_not_obeyed() {
        assert_eq!(plain("<b>*x*_[a](b)|`\n"), "&lt;b&gt;\\*x\\*\\_\\[a\\](b)\\|\\`\\\\n");
        assert_eq!(code("@ann"), "`@ann`");
        assert_eq!(code("a``b|c"), "```a``b\\|c```");
        assert_eq!(code("`x"), "`` `x ``");
    }
}
