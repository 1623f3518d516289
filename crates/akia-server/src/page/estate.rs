//! The estate at a glance.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::html;

use crate::access::Visitor;
use crate::estate::{AGES, Figures};
use crate::web::Shared;

pub(super) async fn page(State(shared): State<Shared>, visitor: Visitor) -> Response {
    let accounts = match shared.estate.accounts(&visitor.person.sight(), shared.now()).await {
        Ok(accounts) => accounts,
        Err(error) => return super::failed(&error),
    };
    let mut all = Figures::default();
    accounts.iter().for_each(|account| all.add(&account.figures));
    let main = html! {
        p { (all.active) " active keys in " (accounts.len()) " accounts" }
        table {
            thead { tr { th { "Age" } th { "Active keys" } } }
            tbody { @for ((word, _), count) in AGES.iter().zip(all.ages) { tr { td { (word) } td { (count) } } } }
        }
    };
    super::framed(&visitor, "/", "Estate", main).into_response()
}
