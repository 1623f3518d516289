//! Environment variables of a context of CircleCI: <https://circleci.com/docs/api/v2/#tag/Context>.

use std::time::Duration;

use akia_core::place::{CircleciContext, CircleciName, KeyNames};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use zeroize::Zeroizing;

use super::apart::{Found, Standing, Values, Wrote};
use super::web::{Answer, Call, call, opening, url_at};
use super::{KeyPair, Named, PlaceError, Places};

/// Pages of contexts, and of the variables of one.
const MOST_PAGES: u32 = 100;

pub(super) struct CircleciPlace<'p> {
    pub(super) context: &'p CircleciContext,
}

#[derive(Deserialize)]
struct Variable {
    variable: String,
    updated_at: String,
}

impl Values for CircleciPlace<'_> {
    /// The id of the context.
    type Kept = String;

    fn place(&self) -> &Named {
        self.context
    }

    fn names(&self) -> &KeyNames {
        &self.context.names
    }

    /// The examples of the documentation have `updated_at` in thousandths of a second and in whole seconds.
    fn resolution(&self) -> Duration {
        Duration::from_millis(1_100)
    }

    async fn look(&self, places: &Places) -> Result<Vec<Found<String>>, PlaceError> {
        let id = self.id(places).await?;
        let path = ["context", &id, "environment-variable"];
        let names = self.context.names.list();
        let mut marks: Vec<Option<String>> = vec![None; names.len()];
        self.pages(places, &path, &[], |variable: Variable| {
            if let Some(index) = names.iter().position(|name| *name == variable.variable) {
                marks[index] = Some(variable.updated_at);
            }
        })
        .await?;
        let standing =
            |mark: Option<String>| mark.map_or(Standing::Absent, |mark| Standing::Sealed { mark: Some(mark) });
        Ok(marks.into_iter().map(|mark| Found { standing: standing(mark), kept: id.clone() }).collect())
    }

    async fn write(
        &self,
        places: &Places,
        (_, name): (usize, &str),
        found: &Found<String>,
        value: &str,
        pair: &KeyPair,
    ) -> Result<Wrote, PlaceError> {
        let body = Zeroizing::new(json!({ "value": value }).to_string());
        let path = ["context", &found.kept, "environment-variable", name];
        let answer = self.ask(places, "PUT", &path, &[], body, Some(pair)).await?;
        match answer.status {
            409 => Ok(Wrote::Raced),
            _ => answer.json::<Variable>(self.context).map(|_| Wrote::Done { mark: None }),
        }
    }
}

impl CircleciPlace<'_> {
    async fn id(&self, places: &Places) -> Result<String, PlaceError> {
        #[derive(Deserialize)]
        struct Context {
            id: String,
            name: String,
        }
        let (org, wanted) = match &self.context.context {
            CircleciName::Id(id) => return Ok(id.clone()),
            CircleciName::Of { org, name } => (org, name),
        };
        let mut ids = Vec::new();
        self.pages(places, &["context"], &[("owner-slug", org)], |context: Context| {
            if context.name == *wanted {
                ids.push(context.id);
            }
        })
        .await?;
        ids.pop().ok_or_else(|| PlaceError::Refused {
            place: self.context.to_string(),
            reason: format!("{org} has no context \"{wanted}\", or the token may not see it"),
        })
    }

    /// Gives every item of a list to `each`.
    async fn pages<T: DeserializeOwned>(
        &self,
        places: &Places,
        path: &[&str],
        query: &[(&str, &str)],
        mut each: impl FnMut(T) + Send,
    ) -> Result<(), PlaceError> {
        #[derive(Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            next_page_token: Option<String>,
        }
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let next = token.iter().map(|token| ("page-token", token.as_str()));
            let query: Vec<(&str, &str)> = query.iter().copied().chain(next).collect();
            let answer = self.ask(places, "GET", path, &query, Zeroizing::default(), None).await?;
            if answer.status == 404 {
                return Err(answer.missing(self.context, "the context"));
            }
            let page: Page<T> = answer.json(self.context)?;
            page.items.into_iter().for_each(&mut each);
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(());
            }
        }
        let reason = format!("its list has more than {MOST_PAGES} pages");
        Err(PlaceError::Refused { place: self.context.to_string(), reason })
    }

    async fn ask(
        &self,
        places: &Places,
        method: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let outside = places.outside(self.context)?;
        let token = outside.secret(self.context, &self.context.token)?;
        let mut url = url_at(self.context, self.context.address.as_str(), &[&["api", "v2"], path].concat())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let headers = vec![opening("circle-token", "", &token)];
        call(outside, self.context, Call { method, url: &url, headers, body, secrets: &[&token], pair }).await
    }
}
