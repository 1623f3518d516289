//! The services of akia.toml: their keys, where these are kept, and a rotation at once.

use akia_core::settings::{ServicePlace, ServiceSettings};
use akia_core::span;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::parts;
use crate::access::{Change, Nothing, Visitor};
use crate::sight::Role;
use crate::web::Shared;

/// A key that is younger than this was made by the run before: one that begins again after its server has died makes no second.
const JUST_MADE: &str = "1h";

/// All services. They are not of one unit or owner: only who sees everything sees them.
pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    if !visitor.person.sight().is_all() {
        return super::not_yours();
    }
    let main = html! {
        @if shared.services.is_empty() {
            p { "No service is written down. " code { "[service.NAME]" } " in akia.toml names the keys that machines use, and every place that holds them." }
        } @else {
            p { "A rotation makes a new key, tries it, brings it to every place, and watches the old one before it is shut." }
            (parts::table("Services", html! {
                thead { tr { th { "Service" } th { "User" } th { "Owner" } th { "Out of use at" } th { "Places" } th { "Acts" } } }
                tbody { @for service in shared.services.iter() { (row(service, &visitor)) } }
            }))
        }
    };
    super::framed(&visitor, "/services", "Services", main).into_response()
}

fn row(service: &ServiceSettings, visitor: &Visitor) -> Markup {
    let name = service.name.as_str();
    html! {
        tr {
            th scope="row" { (name) }
            td { (service.user) }
            td { (service.owner.as_deref().unwrap_or("nobody is named")) }
            td { @match service.max_age { Some(age) => (span::exact(age)), None => "no age is written down" } }
            td { ul { @for place in &service.places { li { (words(place)) } } } }
            td {
                @if visitor.person.role >= Role::Operator {
                    form.inline method="post" action={ "/services/" (name) "/rotate" } {
                        (visitor.form_field())
                        button aria-label={ "Rotate now: " (name) } { "Rotate now" }
                    }
                }
            }
        }
    }
}

fn words(place: &ServicePlace) -> String {
    match place {
        ServicePlace::Profile(profile) => format!("profile {profile}"),
        ServicePlace::Keychain(profile) => format!("keychain entry of profile {profile}"),
        ServicePlace::Declared(place) => place.to_string(),
    }
}

/// Makes a run that rotates a service.
pub(super) async fn rotate(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Change { visitor, .. }: Change<Nothing>,
) -> Response {
    let service = shared.services.iter().find(|service| service.name.as_str() == name);
    let Some(service) = service.filter(|_| visitor.person.sight().is_all()) else { return super::not_yours() };
    let name = service.name.as_str();
    let command = ["rotate", "--service", name, "--older-than", JUST_MADE, "--yes"].map(str::to_owned);
    match shared.runs.ask(&format!("rotate {name}"), &command, &visitor.person.name, shared.now()).await {
        Ok(id) => Redirect::to(&format!("/runs/{id}")).into_response(),
        Err(error) => super::failed(&error),
    }
}
