//! Moments and threads in words, as several pages write them.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::moment;
use crate::record::{Kind, Progress, Step, Thread};

/// A day.
pub(super) fn day(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or_default().strftime("%Y-%m-%d").to_string()
}

/// How far off a moment is, in days.
pub(super) fn off(at: i64, now: i64) -> String {
    let days = (at - now).div_euclid(86_400);
    match days {
        0 => "within a day".to_owned(),
        1.. => format!("in {days} d"),
        _ => format!("{} d ago", -days),
    }
}

/// A key, as a way to its page.
pub(super) fn key(id: &str) -> Markup {
    html! { a href={ "/keys/" (crate::estate::percent(id)) } { code { (id) } } }
}

/// A thread, as a way to its page where it has one.
pub(super) fn thread(thread: &Thread) -> Markup {
    match thread.kind {
        Kind::Rotation => html! { a href={ "/rotations/" (thread.id) } { code { (thread.id) } } },
        Kind::Case | Kind::Quarantine | Kind::Containment | Kind::Exposure => html! { code { (thread.id) } },
    }
}

/// What a thread goes through. The word says how far each step is: colour never does alone.
pub(super) fn steps(steps: &[Step], now: i64) -> Markup {
    html! {
        ol.steps {
            @for step in steps {
                li class=(class(step.progress)) aria-current=[(step.progress == Progress::Now).then_some("step")] {
                    span.word { (step.words) } " "
                    span.progress { (step.progress.as_str()) }
                    @if let Some(at) = step.at {
                        " " (moment(at))
                        @if step.progress != Progress::Done { " (" (off(at, now)) ")" }
                    }
                }
            }
        }
    }
}

fn class(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "done",
        Progress::Now => "now",
        Progress::Later => "later",
        Progress::Person => "person",
        Progress::Failed => "failed",
    }
}

/// Commands to copy.
pub(super) fn commands(commands: &[String]) -> Markup {
    html! { @if !commands.is_empty() { ul.commands { @for command in commands { li { code { (command) } } } } } }
}

/// Ways to the pages before and after; `path` is the address without a query.
pub(super) fn turning(path: &str, page: u32, size: u32, total: u64) -> Markup {
    let has_more = (u64::from(page) + 1) * u64::from(size) < total;
    html! {
        @if page > 0 || has_more {
            nav aria-label="Pages of this list" {
                @if page > 0 { a rel="prev" href={ (path) "?page=" (page - 1) } { "Before" } " " }
                @if has_more { a rel="next" href={ (path) "?page=" (page + 1) } { "After" } }
            }
        }
    }
}
