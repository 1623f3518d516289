//! A line of time, drawn on the server: no script, no style in the page.

use maud::{Markup, html};

const WIDTH: u64 = 720;

/// A moment on a line of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::page) struct Mark {
    /// When.
    pub(in crate::page) at: i64,
    /// What.
    pub(in crate::page) words: String,
    /// Whether it is yet to come: its point is hollow.
    pub(in crate::page) is_ahead: bool,
}

/// A line of time with a point for each moment, and one for now. The list beside it says the same in words.
pub(in crate::page) fn line(title: &str, marks: &[Mark], now: i64) -> Markup {
    let first = marks.iter().map(|mark| mark.at).min().unwrap_or(now).min(now);
    let last = marks.iter().map(|mark| mark.at).max().unwrap_or(now).max(now);
    let span = (last - first).max(1);
    let place = |at: i64| 20 + (i128::from(at - first) * i128::from(WIDTH - 40) / i128::from(span));
    html! {
        svg.picture role="img" aria-label=(title) viewBox={ "0 0 " (WIDTH) " 60" } width=(WIDTH) height="60" {
            title { (title) }
            line x1="20" y1="25" x2=(WIDTH - 20) y2="25" stroke="currentColor" {}
            line.now x1=(place(now)) y1="10" x2=(place(now)) y2="40" stroke="currentColor" stroke-dasharray="3 3" { title { "now" } }
            @for mark in marks {
                circle cx=(place(mark.at)) cy="25" r="6" stroke="currentColor" fill=(if mark.is_ahead { "none" } else { "currentColor" }) {
                    title { (crate::page::words::day(mark.at)) ": " (mark.words) }
                }
            }
            text x="20" y="56" fill="currentColor" { (crate::page::words::day(first)) }
            text x=(WIDTH - 20) y="56" text-anchor="end" fill="currentColor" { (crate::page::words::day(last)) }
        }
    }
}
