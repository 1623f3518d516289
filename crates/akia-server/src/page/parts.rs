//! What pages are put together from. Whatever has a colour has a word or a shape as well.

use akia_core::finding::Severity;
use jiff::Timestamp;
use maud::{Markup, html};

const DAY: i64 = 86_400;

/// A part of a page under a heading of its own.
pub(super) fn panel(title: &str, inside: Markup) -> Markup {
    html! { section.panel { h2 { (title) } (inside) } }
}

/// The same over the whole width.
pub(super) fn wide_panel(title: &str, inside: Markup) -> Markup {
    html! { section."panel wide" { h2 { (title) } (inside) } }
}

/// A table that scrolls within its own region where the screen is narrow; `inside` is its `thead` and `tbody`.
pub(super) fn table(label: &str, inside: Markup) -> Markup {
    html! { div.scroll role="region" tabindex="0" aria-label=(label) { table { (inside) } } }
}

/// How a badge is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// As it should be.
    Good,
    /// Neither.
    Plain,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
}

impl Mood {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A word in a frame.
pub(super) fn badge(mood: Mood, word: &str) -> Markup {
    html! { span class={ "badge " (mood.class()) } { (word) } }
}

/// A remark beside the rest of the page.
pub(super) fn note(mood: Mood, inside: Markup) -> Markup {
    html! { div class={ "note " (mood.class()) } { (inside) } }
}

/// A severity with its shape; a dash where there is none.
pub(super) fn severity(severity: Option<Severity>) -> Markup {
    let Some(severity) = severity else { return html! { span.quiet { "–" } } };
    html! { span class={ "severity " (severity_class(severity)) } { span aria-hidden="true" { (shape(severity)) } (word(severity)) } }
}

/// The class that colours a severity.
pub(super) fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn shape(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "○",
        Severity::Low => "●",
        Severity::Medium => "■",
        Severity::High => "▲",
        Severity::Critical => "◆",
    }
}

/// The severity's name as pages write it.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// Whether a key is active.
pub(super) fn status(is_active: bool) -> Markup {
    if is_active { badge(Mood::Good, "Active") } else { badge(Mood::Plain, "Inactive") }
}

/// A count with commas.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment to the minute, UTC.
pub(super) fn moment(at: i64) -> Markup {
    match Timestamp::from_second(at) {
        Ok(at) => html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M UTC")) } },
        Err(_) => html! { "–" },
    }
}

/// The day of a moment, and how long ago that was.
pub(super) fn days_ago(at: i64, now: i64) -> Markup {
    let Ok(moment) = Timestamp::from_second(at) else { return html! { "–" } };
    let word = match now.saturating_sub(at).max(0) / DAY {
        0 => "today".to_owned(),
        days => format!("{} d ago", count(days.unsigned_abs())),
    };
    html! { time datetime=(moment) title=(moment.strftime("%Y-%m-%d %H:%M UTC")) { (word) } }
}

/// One headline figure; `more` stands small below it. Where there is an address, the figure leads to what it counts.
pub(super) fn figure(address: Option<&str>, number: &str, word: &str, more: Option<&str>) -> Markup {
    let inside = html! { b { (number) } span.word { (word) } @if let Some(more) = more { span.more { (more) } } };
    html! { li { @match address { Some(address) => a.figure href=(address) { (inside) }, None => div.figure { (inside) } } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas_at_every_third_digit_from_the_end() {
        let counts = [0, 999, 1_000, 123_456, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }

    #[test]
    fn days_are_counted_whole() {
        let words = [(0, "today"), (86_399, "today"), (86_400, "1 d ago"), (1_001 * DAY, "1,001 d ago")];
        for (seconds, word) in words {
            let text = days_ago(0, seconds).into_string();
            assert!(text.contains(&format!(">{word}<")), "{text}");
        }
    }
}
