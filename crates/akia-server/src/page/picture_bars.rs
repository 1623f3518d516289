//! Bars and lines of time, drawn on the server: no script, no style in the page.

use maud::{Markup, html};

const WIDTH: u64 = 720;
const ROW: u64 = 28;
/// Where bars begin: what stands left of it is their words.
const LEFT: u64 = 220;
/// What is kept free on the right for the numbers.
const RIGHT: u64 = 60;

/// A bar for each word. The numbers stand beside them.
pub(super) fn bars(title: &str, rows: &[(&str, u64)]) -> Markup {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let height = ROW * rows.len() as u64;
    html! {
        svg.picture role="img" aria-label=(title) viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height) {
            title { (title) }
            @for (number, (word, count)) in rows.iter().enumerate() {
                @let top = ROW * number as u64;
                @let width = (WIDTH - LEFT - RIGHT) * count / most;
                text x=(LEFT - 10) y=(top + 19) text-anchor="end" fill="currentColor" { (word) }
                rect.bar x=(LEFT) y=(top + 5) width=(width) height=(ROW - 10) fill="currentColor" {}
                text x=(LEFT + width + 8) y=(top + 19) fill="currentColor" { (count) }
            }
        }
    }
}

/// A moment on a line of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// When.
    pub(super) at: i64,
    /// What.
    pub(super) words: String,
    /// Whether it is yet to come: its point is hollow.
    pub(super) is_ahead: bool,
}

/// A line of time with a point for each moment, and one for now. The list beside it says the same in words.
pub(super) fn line(title: &str, marks: &[Mark], now: i64) -> Markup {
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
                    title { (super::words::day(mark.at)) ": " (mark.words) }
                }
            }
            text x="20" y="56" fill="currentColor" { (super::words::day(first)) }
            text x=(WIDTH - 20) y="56" text-anchor="end" fill="currentColor" { (super::words::day(last)) }
        }
    }
}
