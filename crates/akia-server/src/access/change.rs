//! What every handler takes that changes something: the visitor, and a form that came from a page of theirs.

use axum::body::Bytes;
use axum::extract::{Form, FromRequest, FromRequestParts as _, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::Visitor;
use crate::page;
use crate::web::Shared;

/// The field of every form that holds the visitor's form key.
pub(crate) const FORM_KEY: &str = "form_key";

/// A form, or the body of a call, that says nothing but that it is ours.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Nothing {}

/// A change that somebody who has come in asks for. A form of a session carries that session's form key, which no other site can
/// know; a request with a token needs none, for a browser does not send tokens by itself.
#[derive(Debug)]
pub(crate) struct Change<F> {
    pub(crate) visitor: Visitor,
    pub(crate) form: F,
}

impl<F: DeserializeOwned> FromRequest<Shared> for Change<F> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, shared).await.map_err(|status| status.into_response())?;
        let mut again = parts.clone();
        let bytes = Bytes::from_request(Request::from_parts(parts, body), shared).await;
        let bytes = bytes.map_err(|rejection| rejection.into_response())?;
        if let Some(key) = &visitor.form_key {
            let given = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == FORM_KEY);
            let given = given.map(|(_, value)| value.into_owned()).unwrap_or_default();
            if !bool::from(given.as_bytes().ct_eq(key.as_bytes())) {
                return Err((StatusCode::FORBIDDEN, page::login::stale_form()).into_response());
            }
        }
        if bytes.is_empty() {
            // Programs that send nothing do not say what kind of nothing it is.
            again.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        let form = Form::<F>::from_request(Request::from_parts(again, bytes.into()), shared).await;
        let Form(form) =
            form.map_err(|_| (StatusCode::UNPROCESSABLE_ENTITY, "the form is not whole\n").into_response())?;
        Ok(Self { visitor, form })
    }
}
