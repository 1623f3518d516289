//! Horizontal bars, one below the other.

use maud::{Markup, html};

use super::share;
use crate::page::parts::count;

/// A bar.
pub(in crate::page) struct Bar {
    /// What it counts.
    pub(in crate::page) name: Markup,
    /// How many.
    pub(in crate::page) count: u64,
    /// Where its name leads.
    pub(in crate::page) address: Option<String>,
    /// The class that colours it; empty for the plain colour.
    pub(in crate::page) class: &'static str,
}

/// The bars, the longest over the whole width.
pub(in crate::page) fn bars(bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0);
    html! {
        ul.bars {
            @for bar in bars {
                li class=(bar.class) {
                    span.name {
                        @match &bar.address { Some(address) => a href=(address) { (bar.name) }, None => (bar.name) }
                    }
                    svg aria-hidden="true" viewBox="0 0 100 10" preserveAspectRatio="none" {
                        rect.track width="100" height="10" {}
                        rect.fill width=(share(bar.count, most)) height="10" {}
                    }
                    span.number { (count(bar.count)) }
                }
            }
        }
    }
}
