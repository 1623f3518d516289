//! Questions that somebody keeps: to open, to add, to delete.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{address, asked};
use crate::access::{Change, Visitor};
use crate::estate::{Question, View, ViewError};
use crate::page::{self, parts};
use crate::web::Shared;

/// The kept questions, with the forms around them; the one that is open is marked.
pub(super) fn views(visitor: &Visitor, views: &[View], question: &Question) -> Markup {
    let open = Question { page: 0, ..question.clone() };
    html! {
        @if !views.is_empty() {
            nav aria-label="Saved views" {
                ul.chips {
                    @for view in views {
                        li { a href=(address(&view.question)) aria-current=[(view.question == open).then_some("true")] { (view.name) } }
                    }
                }
            }
        }
        details.no-print {
            summary { "Save this view" @if !views.is_empty() { ", or delete one" } }
            form.inline action="/views" method="post" {
                (visitor.form_field())
                input type="hidden" name="question" value=(open.address());
                div.field {
                    label for="view-name" { "Name; one that there is takes this view's place" }
                    input id="view-name" name="name" type="text" required maxlength="60" autocomplete="off";
                }
                button.main { "Save" }
            }
            @for view in views {
                form.row action="/views/delete" method="post" {
                    (visitor.form_field())
                    input type="hidden" name="name" value=(view.name);
                    button.danger { "Delete " (view.name) }
                }
            }
        }
    }
}

/// What the form for a new one sends.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    name: String,
    question: String,
}

/// What the form that deletes one sends.
#[derive(Debug, Deserialize)]
pub(super) struct Deleted {
    name: String,
}

pub(super) async fn keep(State(shared): State<Shared>, change: Change<Kept>) -> Response {
    let Change { visitor, form } = change;
    let Ok(uri) = format!("/keys{}", form.question).parse::<Uri>() else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "the form is not whole\n").into_response();
    };
    let question = match asked::read(&uri) {
        Ok(question) => question,
        Err(refused) => return super::refusal(&visitor, &refused),
    };
    match shared.estate.keep_view(&visitor.person, &form.name, &question).await {
        Ok(()) => Redirect::to(&address(&question)).into_response(),
        Err(ViewError::Database(error)) => page::failed(&error),
        Err(error @ (ViewError::Name | ViewError::TooMany)) => {
            let main = html! {
                (parts::note(parts::Mood::Bad, html! { p { "Not saved: " (error) "." } }))
                p { a href=(address(&question)) { "Back to the keys" } }
            };
            (StatusCode::UNPROCESSABLE_ENTITY, page::framed(&visitor, "/keys", "Keys", main)).into_response()
        }
    }
}

pub(super) async fn delete(State(shared): State<Shared>, change: Change<Deleted>) -> Response {
    let Change { visitor, form } = change;
    match shared.estate.delete_view(&visitor.person, &form.name).await {
        // Whether it was there or not: it is gone.
        Ok(_) => Redirect::to("/keys").into_response(),
        Err(error) => page::failed(&error),
    }
}
