//! Tables that a person reads, a screen reader announces and the page's script sorts.

use std::fmt::Display;

use super::xml::{escape, push};
use crate::audit::words::thousands;

/// How the cells of a column are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words that may be broken anywhere.
    Word,
    /// An id, on one line.
    Whole,
    /// A sentence or a list.
    Wide,
    /// A number, to the right.
    Number,
    /// Text that is sorted by a number.
    Ranked,
}

impl Kind {
    fn attributes(self) -> &'static str {
        match self {
            Self::Word => "class=\"word\"",
            Self::Whole => "class=\"whole\"",
            Self::Wide => "class=\"wide\"",
            Self::Number => "class=\"number\"",
            Self::Ranked => "class=\"whole\" data-kind=\"number\"",
        }
    }
}

/// A cell: HTML that is escaped already, and what it is sorted by where that is not its text.
pub(crate) struct Cell {
    html: String,
    sort: Option<i64>,
}

impl Cell {
    /// Text from anywhere.
    pub(crate) fn text(text: &str) -> Self {
        Self::html(escape(text))
    }

    /// Text from anywhere, set as code.
    pub(crate) fn code(text: &str) -> Self {
        if text.is_empty() { Self::html(String::new()) } else { Self::html(format!("<code>{}</code>", escape(text))) }
    }

    /// HTML of our own.
    pub(crate) fn html(html: String) -> Self {
        Self { html, sort: None }
    }

    /// A number.
    pub(crate) fn number(number: usize) -> Self {
        Self { html: thousands(number), sort: i64::try_from(number).ok() }
    }

    /// Sorted by this.
    pub(crate) fn sorted(self, sort: i64) -> Self {
        Self { sort: Some(sort), ..self }
    }
}

/// A table of at most so many rows.
pub(crate) struct Table<'a> {
    pub(crate) id: &'a str,
    pub(crate) caption: &'a str,
    pub(crate) columns: &'a [(&'a str, Kind)],
    pub(crate) most_rows: usize,
    /// What has the rows that are left out.
    pub(crate) elsewhere: &'a str,
}

impl Table<'_> {
    /// Appends the table; the first cell of each row is its header. Says how many rows are left out.
    pub(crate) fn push(&self, html: &mut String, total: usize, rows: impl Iterator<Item = Vec<Cell>>) {
        let Self { id, caption, columns, most_rows, elsewhere } = *self;
        let caption = escape(caption);
        push(
            html,
            format_args!(
                "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{id}-caption\">\n\
                 <table id=\"{id}\" data-sortable=\"\">\n<caption id=\"{id}-caption\">{caption}</caption>\n<thead><tr>"
            ),
        );
        for (title, kind) in columns {
            push(html, format_args!("<th scope=\"col\" {}>{}</th>", kind.attributes(), escape(title)));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in rows.take(most_rows) {
            html.push_str("<tr>");
            for (index, (cell, (_, kind))) in row.iter().zip(columns).enumerate() {
                let (open, close) = if index == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
                let class = match kind {
                    Kind::Word => " class=\"word\"",
                    Kind::Whole | Kind::Ranked => " class=\"whole\"",
                    Kind::Wide => " class=\"wide\"",
                    Kind::Number => " class=\"number\"",
                };
                push(html, format_args!("<{open}{class}{}>{}</{close}>", Sort(cell.sort), cell.html));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table>\n</div>\n");
        if let Some(left_out) = total.checked_sub(most_rows).filter(|&count| count > 0) {
            push(
                html,
                format_args!(
                    "<p class=\"soft\">{} more are not shown here. {elsewhere}</p>
",
                    thousands(left_out)
                ),
            );
        }
    }
}

struct Sort(Option<i64>);

impl Display for Sort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(sort) => write!(formatter, " data-sort=\"{sort}\""),
            None => Ok(()),
        }
    }
}
