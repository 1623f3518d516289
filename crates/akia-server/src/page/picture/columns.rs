//! Columns beside each other: a histogram.

use maud::{Markup, html};

use super::share;
use crate::page::parts::count;

/// A column.
pub(in crate::page) struct Column {
    /// What it counts, short: it stands below.
    pub(in crate::page) word: String,
    /// How many.
    pub(in crate::page) count: u64,
    /// Where it leads.
    pub(in crate::page) address: String,
    /// Whether it is drawn as what should not be.
    pub(in crate::page) is_bad: bool,
}

/// The columns, the highest over the whole height.
pub(in crate::page) fn columns(columns: &[Column]) -> Markup {
    let most = columns.iter().map(|column| column.count).max().unwrap_or(0);
    html! {
        ol.columns {
            @for column in columns {
                @let height = share(column.count, most);
                li class=[column.is_bad.then_some("warn")] {
                    a href=(column.address) {
                        span { (count(column.count)) }
                        svg aria-hidden="true" viewBox="0 0 10 100" preserveAspectRatio="none" {
                            rect.fill width="10" height=(height) y=(100 - height) {}
                        }
                        span.word { (column.word) }
                    }
                }
            }
        }
    }
}
