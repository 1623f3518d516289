//! The estate at a glance. Every figure leads to the keys that it counts.

use akia_core::finding::Severity;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::keys::address as keys;
use super::parts::{self, count, figure};
use super::picture::{self, Bar, Cell, Column};
use crate::access::Visitor;
use crate::estate::{AGES, AccountRow, Figures, IDLE, LastUse, Point, Question, Sort, Trend};
use crate::web::Shared;

/// Keys older than this are counted as old, and those unused for longer as unused; both are bounds of [`AGES`] and [`IDLE`].
const DAYS: u32 = 90;
/// Accounts that are named as those with the most old keys.
const NAMED: usize = 10;

pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    let accounts = match shared.estate.accounts(&visitor.person.sight(), shared.now()).await {
        Ok(accounts) => accounts,
        Err(error) => return super::failed(&error),
    };
    let trends = match shared.estate.trends(&visitor.person.sight()).await {
        Ok(trends) => trends,
        Err(error) => return super::failed(&error),
    };
    let mut all = Figures::default();
    accounts.iter().for_each(|account| all.add(&account.figures));
    let read_at = || accounts.iter().map(|account| account.as_of);
    let (oldest, newest) = (read_at().min().unwrap_or(0), read_at().max().unwrap_or(0));
    let main = html! {
        @if accounts.is_empty() {
            (parts::note(parts::Mood::Plain, html! { p { "No audit with keys that you may see is kept here yet. " code { "akia audit" } " makes one." } }))
        } @else {
            (headline(&all, &accounts, &trends))
            p.quiet { "As AWS told it " @if oldest == newest { "at " } @else { "between " (parts::moment(oldest)) " and " } (parts::moment(newest)) "." }
            (unread(&trends))
            div.panels {
                (parts::panel("Age of active keys", ages(&all)))
                (parts::panel("Keys by their gravest finding", severities(&all)))
                (parts::wide_panel("Age and last use of active keys", uses(&all)))
                (parts::panel("Accounts with the most old keys", worst_accounts(&accounts)))
                @if let Some(trend) = trends.first() { (parts::panel("Over the audits", trend_of(trend, trends.len()))) }
            }
        }
    };
    super::framed(&visitor, "/", "Estate", main).into_response()
}

/// Of active keys alone, as most figures are.
fn active() -> Question {
    Question { active: Some(true), ..Question::default() }
}

fn headline(all: &Figures, accounts: &[AccountRow], trends: &[Trend]) -> Markup {
    let (read, there) = coverage(trends);
    let coverage = (there > 0).then(|| format!("{} of {} could be read", count(read), count(there)));
    let part = |number: u64| format!("{} of active keys", percent(number, all.active));
    let linked = |question: Question, number: u64, word: &str, more: Option<&str>| {
        figure(Some(&keys(&question)), &count(number), word, more)
    };
    let of = |severity: Severity| all.severities.get(severity as usize + 1).copied().unwrap_or(0);
    let grave = of(Severity::Critical) + of(Severity::High);
    let oldest = format!("{} d", count(all.oldest_days.unsigned_abs()));
    let oldest_question = Question { sort: Sort::Age, ..active() };
    html! {
        ul.figures {
            (linked(active(), all.active, "active keys", Some(&format!("and {} inactive", count(all.inactive)))))
            (linked(Question { older_than: Some(DAYS), ..active() }, all.old(), "older than 90 days", Some(&part(all.old()))))
            (linked(Question { unused_for: Some(DAYS), ..active() }, all.unused(), "unused for 90 days", Some(&part(all.unused()))))
            (linked(Question { ownerless: true, ..active() }, all.ownerless, "without an owner", Some(&part(all.ownerless))))
            (linked(Question { severity: Some(Severity::High), ..Question::default() }, grave, "with grave findings",
                Some(&format!("{} critical, {} high", count(of(Severity::Critical)), count(of(Severity::High))))))
            (figure(Some(&keys(&oldest_question)), &oldest, "oldest active key", None))
            (figure(None, &count(accounts.len() as u64), "accounts shown", coverage.as_deref()))
        }
    }
}

/// A part in whole hundredths; neither none nor all where it is not.
fn percent(part: u64, all: u64) -> String {
    match part.saturating_mul(100).checked_div(all) {
        None => "none".to_owned(),
        Some(0) if part > 0 => "under 1 %".to_owned(),
        Some(hundredths) => format!("{hundredths} %"),
    }
}

fn ages(all: &Figures) -> Markup {
    let columns: Vec<_> = AGES
        .iter()
        .zip(all.ages)
        .enumerate()
        .map(|(position, ((word, _), count))| Column {
            word: (*word).to_owned(),
            count,
            address: keys(&age_question(position)),
            is_bad: position >= 3,
        })
        .collect();
    html! {
        (picture::columns(&columns))
        p."quiet small" { "Each column counts keys up to that age; those of the orange ones are older than 90 days." }
    }
}

/// The active keys of a group of [`AGES`].
fn age_question(position: usize) -> Question {
    Question { older_than: above(&AGES, position), not_older_than: up_to(&AGES, position), ..active() }
}

/// The days above which a group begins.
fn above(groups: &[(&str, i64)], position: usize) -> Option<u32> {
    position.checked_sub(1).and_then(|before| up_to(groups, before))
}

/// The days up to which it goes; none for the last.
fn up_to(groups: &[(&str, i64)], position: usize) -> Option<u32> {
    groups.get(position).and_then(|(_, days)| u32::try_from(*days).ok())
}

fn severities(all: &Figures) -> Markup {
    let mut bars: Vec<_> = Severity::ALL
        .into_iter()
        .map(|severity| Bar {
            name: parts::severity(Some(severity)),
            count: all.severities.get(severity as usize + 1).copied().unwrap_or(0),
            address: Some(keys(&Question { worst: Some(severity), ..Question::default() })),
            class: parts::severity_class(severity),
        })
        .collect();
    let fine = all.severities.first().copied().unwrap_or(0);
    bars.push(Bar { name: html! { "No finding" }, count: fine, address: None, class: "" });
    picture::bars(&bars)
}

fn uses(all: &Figures) -> Markup {
    let heads: Vec<&str> = IDLE.iter().map(|(word, _)| *word).chain(["never", "not known"]).collect();
    let rows: Vec<_> = AGES
        .iter()
        .zip(&all.uses)
        .enumerate()
        .map(|(age, ((word, _), counts))| {
            let cells = counts.iter().zip(&heads).enumerate().map(|(idle, (&count, head))| Cell {
                count,
                address: keys(&use_question(age, idle)),
                words: format!("{} keys: {}, {}", parts::count(count), age_words(word), use_words(head, idle)),
            });
            (age_words(word), cells.collect())
        })
        .collect();
    html! {
        (picture::heat("Active keys by age and last use", "Last used within", &heads, &rows))
    }
}

fn age_words(word: &str) -> String {
    if word == "older" { "older".to_owned() } else { format!("up to {word} old") }
}

fn use_words(head: &str, idle: usize) -> String {
    match idle {
        _ if idle + 1 < IDLE.len() => format!("last used within {head}"),
        _ if idle < IDLE.len() => "last used longer ago".to_owned(),
        _ if idle == IDLE.len() => "never used".to_owned(),
        _ => "last use not known".to_owned(),
    }
}

/// The active keys of a cell of [`Figures::uses`].
fn use_question(age: usize, idle: usize) -> Question {
    let question = age_question(age);
    match idle {
        _ if idle < IDLE.len() => Question {
            unused_for: above(&IDLE, idle),
            used_within: up_to(&IDLE, idle),
            last_use: Some(LastUse::Used),
            ..question
        },
        _ if idle == IDLE.len() => Question { last_use: Some(LastUse::Never), ..question },
        _ => Question { last_use: Some(LastUse::Unknown), ..question },
    }
}

fn worst_accounts(accounts: &[AccountRow]) -> Markup {
    let mut named: Vec<_> = accounts.iter().filter(|account| account.figures.old() > 0).collect();
    named.sort_by_key(|account| (std::cmp::Reverse(account.figures.old()), &account.account));
    named.truncate(NAMED);
    let bars: Vec<_> = named
        .into_iter()
        .map(|account| Bar {
            name: html! { (account.name.as_deref().unwrap_or(&account.account)) },
            count: account.figures.old(),
            address: Some(keys(&Question {
                account: Some(account.account.clone()),
                older_than: Some(DAYS),
                ..active()
            })),
            class: "high",
        })
        .collect();
    html! {
        @if bars.is_empty() { p { "No account has an active key older than 90 days." } }
        @else { (picture::bars(&bars)) }
    }
}

/// Accounts that the latest audits could read, and those that they were for.
fn coverage(trends: &[Trend]) -> (u64, u64) {
    let latest = || trends.iter().filter_map(Trend::latest);
    (latest().map(|point| point.accounts_read).sum(), latest().map(|point| point.accounts).sum())
}

/// What is said loudly where accounts are missing from every figure.
fn unread(trends: &[Trend]) -> Markup {
    let (read, there) = coverage(trends);
    html! {
        @if read < there {
            (parts::note(parts::Mood::Warn, html! {
                p { (count(there - read)) " of " (count(there)) " accounts could not be read: their keys are in no figure here. " code { "akia audit" } " says why." }
            }))
        }
    }
}

/// Audits that are named in the table below the lines.
const LISTED: usize = 12;

fn trend_of(trend: &Trend, scopes: usize) -> Markup {
    let line = |value: fn(&Point) -> u64| {
        picture::trend(&trend.points.iter().map(|point| (point.at, value(point))).collect::<Vec<_>>())
    };
    html! {
        @if scopes > 1 { p."quiet small" { "Of the widest of " (scopes) " scopes: " (trend.scope) } }
        @if trend.points.len() > 1 {
            h3 { "Active keys" }
            (line(|point| point.active_keys))
            h3 { "Critical and high findings" }
            (line(|point| point.grave))
        } @else { p { "One audit so far: the next one begins a line." } }
        details {
            summary { "The last " (trend.points.len().min(LISTED)) " in numbers" }
            (parts::table("The last audits in numbers", html! {
                thead { tr {
                    th scope="col" { "When" } th.number scope="col" { "Accounts read" } th.number scope="col" { "Active keys" }
                    th.number scope="col" { "Critical and high" }
                } }
                tbody {
                    @for point in trend.points.iter().rev().take(LISTED) {
                        tr {
                            td { (parts::moment(point.at)) }
                            td.number { (count(point.accounts_read)) " of " (count(point.accounts)) }
                            td.number { (count(point.active_keys)) }
                            td.number { (count(point.grave)) }
                        }
                    }
                }
            }))
        }
    }
}
