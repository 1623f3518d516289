//! The keys: searched, narrowed, sorted, a page at a time. All of it is an address, so that it can be kept and sent on.

mod asked;
mod csv;
mod form;
mod views;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use maud::{Markup, html};

use super::parts;
use crate::access::{Door, Visitor};
use crate::estate::{Page, Question, Row, Sort};
use crate::sight::Role;
use crate::web::{Route, Shared};

pub(super) fn routes() -> Vec<Route> {
    let owner = Door::From(Role::Owner);
    vec![
        Route::get("/keys", owner, page),
        Route::get("/keys.csv", owner, whole),
        Route::post("/views", owner, views::keep),
        Route::post("/views/delete", owner, views::delete),
    ]
}

/// Bytes of CSV that are sent at once.
const PART: usize = 32 << 10;

/// The page of one key.
fn key_address(identity: &str) -> String {
    format!("/keys/{}", crate::estate::percent(identity))
}

/// The keys page with a question.
pub(super) fn address(question: &Question) -> String {
    format!("/keys{}", question.address())
}

async fn page(State(shared): State<Shared>, visitor: Visitor, uri: Uri) -> Response {
    let question = match asked::read(&uri) {
        Ok(question) => question,
        Err(refused) => return refusal(&visitor, &refused),
    };
    let now = shared.now();
    let keys = match shared.estate.keys(&visitor.person.sight(), &question, now).await {
        Ok(keys) => keys,
        Err(error) => return super::failed(&error),
    };
    let kept = match shared.estate.views(&visitor.person).await {
        Ok(kept) => kept,
        Err(error) => return super::failed(&error),
    };
    let main = html! {
        (form::filters(&question))
        (views::views(&visitor, &kept, &question))
        (summary(&question, &keys))
        @if keys.rows.is_empty() { (nothing(&question, keys.total)) } @else { (table(&question, &keys.rows, now)) }
        (pager(&question, keys.total))
    };
    super::framed(&visitor, "/keys", "Keys", main).into_response()
}

/// All that was asked for, whatever the page, sent while it is read.
async fn whole(State(shared): State<Shared>, visitor: Visitor, uri: Uri) -> Response {
    let question = match asked::read(&uri) {
        Ok(question) => question,
        Err(refused) => return refusal(&visitor, &refused),
    };
    let now = shared.now();
    let rows = shared.estate.whole(&visitor.person.sight(), &question, now);
    // An answer that breaks off must not look like a whole one: the connection is then cut.
    let parts = stream::unfold(Some((rows, true)), move |state| async move {
        let (mut rows, is_first) = state?;
        let mut part = if is_first { csv::HEADER.to_owned() } else { String::new() };
        while part.len() < PART {
            match rows.next().await {
                Ok(Some(row)) => part.push_str(&csv::line(&row, now)),
                Ok(None) => return Some((Ok(part), None)),
                Err(error) => {
                    tracing::error!(%error, "a list of keys broke off");
                    return Some((Err(std::io::Error::other(error)), None));
                }
            }
        }
        Some((Ok(part), Some((rows, false))))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"keys.csv\""),
    ];
    (headers, Body::from_stream(parts)).into_response()
}

/// What was asked cannot be understood.
fn refusal(visitor: &Visitor, refused: &asked::Refused) -> Response {
    let main = html! {
        (parts::note(parts::Mood::Bad, html! { p { (refused) } }))
        p { a href="/keys" { "All keys" } }
    };
    (StatusCode::BAD_REQUEST, super::framed(visitor, "/keys", "Keys", main)).into_response()
}

fn summary(question: &Question, keys: &Page<Row>) -> Markup {
    let first = u64::from(question.page) * u64::from(question.size);
    let last = first + keys.rows.len() as u64;
    html! {
        div.row {
            p role="status" {
                b { (parts::count(keys.total)) } @if keys.total == 1 { " key" } @else { " keys" }
                @if !keys.rows.is_empty() && keys.total > keys.rows.len() as u64 {
                    span.quiet { ", " (parts::count(first + 1)) " to " (parts::count(last)) " shown" }
                }
            }
            p.end.no-print { a href={ "/keys.csv" (Question { page: 0, ..question.clone() }.address()) } { "All of them as CSV" } }
        }
    }
}

fn nothing(question: &Question, total: u64) -> Markup {
    parts::note(
        parts::Mood::Plain,
        html! {
            @if total > 0 {
                p { "There are fewer pages. " a href=(address(&Question { page: 0, ..question.clone() })) { "To the first" } }
            } @else {
                p { "No key that you may see is like that. " a href="/keys" { "All keys" } }
            }
        },
    )
}

/// The columns, each with the order that its head asks for.
const COLUMNS: [(&str, Option<Sort>); 8] = [
    ("Severity", Some(Sort::Severity)),
    ("Key", Some(Sort::Key)),
    ("User", Some(Sort::User)),
    ("Account", None),
    ("Status", None),
    ("Created", Some(Sort::Age)),
    ("Last used", Some(Sort::LastUsed)),
    ("Owner", Some(Sort::Owner)),
];

fn table(question: &Question, rows: &[Row], now: i64) -> Markup {
    let inside = html! {
        thead { tr { @for (word, sort) in COLUMNS { (head(question, word, sort)) } } }
        tbody { @for row in rows { (line(row, now)) } }
    };
    html! { div.lines { (parts::table("Keys", inside)) } }
}

fn head(question: &Question, word: &str, sort: Option<Sort>) -> Markup {
    let Some(sort) = sort else { return html! { th scope="col" { (word) } } };
    let is_now = question.sort == sort;
    let next = Question { sort, reverse: is_now && !question.reverse, page: 0, ..question.clone() };
    let order = is_now.then_some(if question.reverse { "descending" } else { "ascending" });
    let arrow = if question.reverse { " ▲" } else { " ▼" };
    html! {
        th scope="col" aria-sort=[order] {
            a href=(address(&next)) { (word) @if is_now { span aria-hidden="true" { (arrow) } } }
        }
    }
}

fn line(row: &Row, now: i64) -> Markup {
    html! {
        tr {
            td { (parts::severity(row.worst())) }
            td { a.mono href=(key_address(&row.identity)) { (row.key_id.as_deref().unwrap_or("id not listed")) } }
            td { @match &row.user_name { Some(user) => (user), None => em { "root user" } } }
            td {
                @match &row.account_name {
                    Some(name) => span title=(row.account_id) { (name) },
                    None => (row.account_id),
                }
            }
            td { (parts::status(row.is_active)) }
            td { @match row.created_at { Some(at) => (parts::days_ago(at, now)), None => span.quiet { "not known" } } }
            td { (last_used(row, now)) }
            td { @match &row.owner { Some(owner) => (owner), None => (parts::badge(parts::Mood::Warn, "no owner")) } }
        }
    }
}

fn last_used(row: &Row, now: i64) -> Markup {
    html! {
        @match (row.last_used.as_str(), row.last_used_at) {
            ("never", _) => "never",
            (_, Some(at)) => (parts::days_ago(at, now)),
            _ => span.quiet { "not known" },
        }
        @if let Some(service) = &row.last_used_service { " " span."quiet small" { (service) } }
    }
}

fn pager(question: &Question, total: u64) -> Markup {
    let pages = total.div_ceil(u64::from(question.size.max(1)));
    let page = u64::from(question.page);
    let to = |page: u32| address(&Question { page, ..question.clone() });
    let last = u32::try_from(pages.saturating_sub(1)).unwrap_or(u32::MAX);
    html! {
        @if pages > 1 {
            nav."row pager" aria-label="Pages of keys" {
                @if page > 0 {
                    a.button href=(to(0)) { "First" }
                    a.button rel="prev" href=(to((question.page - 1).min(last))) { "Previous" }
                }
                p { "Page " (parts::count(page + 1)) " of " (parts::count(pages)) }
                @if page + 1 < pages {
                    a.button rel="next" href=(to(question.page + 1)) { "Next" }
                    a.button href=(to(last)) { "Last" }
                }
            }
        }
    }
}
