//! The fields that narrow the list. They work without a script: the form asks for an address.

use akia_core::finding::Severity;
use maud::{Markup, html};

use crate::estate::{LastUse, Question};
use crate::page::parts;

pub(super) fn filters(question: &Question) -> Markup {
    let is_narrowed = question.address()
        != Question { sort: question.sort, reverse: question.reverse, ..Question::default() }.address();
    let has_more = question.not_older_than.is_some()
        || question.used_within.is_some()
        || question.last_use.is_some()
        || question.worst.is_some()
        || question.account.is_some()
        || question.user.is_some();
    html! {
        form.asks.panel action="/keys" method="get" role="search" aria-label="Narrow the keys" {
            div.fields {
                (text("search", "Search", &question.search, "Key id, user, owner or account"))
                (choice("active", "Status", "Any", &[("true", "Active"), ("false", "Inactive")], question.active.map(|active| if active { "true" } else { "false" })))
                (severities("severity", "Severity at least", question.severity))
                (days("older-than", "Older than, days", question.older_than))
                (days("unused-for", "Unused for, days", question.unused_for))
                (text("owner", "Owner", question.owner.as_deref().unwrap_or_default(), ""))
                (choice("ownerless", "Owner known", "Any", &[("true", "Without an owner")], question.ownerless.then_some("true")))
            }
            details.more open[has_more] {
                summary { "More fields" }
                div.fields {
                    (text("account", "Account number", question.account.as_deref().unwrap_or_default(), ""))
                    (text("user", "User name, exactly", question.user.as_deref().unwrap_or_default(), ""))
                    (days("not-older-than", "Not older than, days", question.not_older_than))
                    (days("used-within", "Used within, days", question.used_within))
                    (choice("last-use", "Last use", "Any", &[("used", "Known"), ("never", "Never used"), ("unknown", "Not known")], question.last_use.map(last_use)))
                    (severities("worst", "Severity exactly", question.worst))
                }
            }
            // The order stays when the list is narrowed; the page does not.
            @let order = Question { sort: question.sort, reverse: question.reverse, ..Question::default() };
            (hidden(&order))
            div.row {
                button.main { "Show" }
                @if is_narrowed { a.button href=(super::address(&order)) { "Clear" } }
            }
        }
    }
}

/// The fields of a question that is not shown.
fn hidden(question: &Question) -> Markup {
    let address = question.address();
    let pairs = address.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    // Names and values of an order are words without signs: nothing has to be decoded.
    html! { @for (name, value) in pairs { input type="hidden" name=(name) value=(value); } }
}

fn text(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    let is_search = name == "search";
    html! {
        div.field.wide[is_search] {
            label for=(name) { (label) }
            input id=(name) name=(name) type=(if is_search { "search" } else { "text" }) value=(value) placeholder=(hint)
                maxlength="200" autocomplete="off" spellcheck="false";
        }
    }
}

fn days(name: &str, label: &str, value: Option<u32>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="number" min="0" max="100000" inputmode="numeric" value=[value];
        }
    }
}

fn choice(name: &str, label: &str, any: &str, choices: &[(&str, &str)], chosen: Option<&str>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { (any) }
                @for (value, word) in choices { option value=(value) selected[chosen == Some(*value)] { (word) } }
            }
        }
    }
}

fn severities(name: &str, label: &str, chosen: Option<Severity>) -> Markup {
    let choices = Severity::ALL.map(|severity| (severity.as_str(), parts::word(severity)));
    choice(name, label, "Any", &choices, chosen.map(Severity::as_str))
}

fn last_use(last_use: LastUse) -> &'static str {
    match last_use {
        LastUse::Used => "used",
        LastUse::Never => "never",
        LastUse::Unknown => "unknown",
    }
}
