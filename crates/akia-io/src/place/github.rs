//! Secrets of GitHub Actions: <https://docs.github.com/en/rest/actions/secrets>, and the variable of the id:
//! <https://docs.github.com/en/rest/actions/variables>.
//!
//! GitHub keeps no version of a secret but the second of its last write, and has no check-and-set. What is written while akia writes can
//! be lost; what is written a second later is seen.

use std::time::Duration;

use akia_core::place::{GithubActions, GithubIdAs, GithubScope, GithubVisibility, KeyNames};
use data_encoding::BASE64;
use dryoc::classic::crypto_box::{PublicKey, crypto_box_seal};
use dryoc::constants::CRYPTO_BOX_SEALBYTES;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::apart::{Found, Standing, Values, Wrote};
use super::web::{Answer, Call, call, opening, url_at};
use super::{KeyPair, Named, PlaceError, Places};

/// <https://docs.github.com/en/rest/about-the-rest-api/api-versions>
const API_VERSION: &str = "2022-11-28";
/// Pages of the repositories that see a secret, a hundred on each.
const MOST_PAGES: u32 = 100;

pub(super) struct GithubPlace<'p> {
    pub(super) secrets: &'p GithubActions,
}

/// What GitHub tells of a secret, and of a variable.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    value: Option<Zeroizing<String>>,
    updated_at: String,
    #[serde(default)]
    visibility: Option<String>,
}

impl Values for GithubPlace<'_> {
    /// Who sees a secret of an organisation.
    type Kept = Option<String>;

    fn place(&self) -> &Named {
        self.secrets
    }

    fn names(&self) -> &KeyNames {
        &self.secrets.names
    }

    /// `updated_at` counts whole seconds, on the clock of GitHub's.
    fn resolution(&self) -> Duration {
        Duration::from_millis(1_100)
    }

    /// What can be told of a token's rights: the scopes of a classic one. A fine-grained one is only told by a write.
    async fn refuse_what_cannot_be_written(&self, places: &Places) -> Result<(), PlaceError> {
        #[derive(Deserialize)]
        struct Repository {
            #[serde(default)]
            archived: bool,
        }
        let place = || self.secrets.to_string();
        let (answer, scopes): (Answer, &[&str]) = match &self.secrets.scope {
            GithubScope::Repository { owner, name } | GithubScope::Environment { owner, name, .. } => {
                let answer = self.ask(places, "GET", &["repos", owner, name], &[], Zeroizing::default(), None).await?;
                if answer.status == 404 {
                    return Err(answer.missing(self.secrets, "the repository"));
                }
                if answer.json::<Repository>(self.secrets)?.archived {
                    let reason = "the repository is archived; nothing can be written there".to_owned();
                    return Err(PlaceError::Refused { place: place(), reason });
                }
                (answer, &["repo", "public_repo"])
            }
            GithubScope::Organization { .. } => (self.get(places, &[SECRETS, "public-key"]).await?, &["admin:org"]),
        };
        if let Some(granted) = answer.header("x-oauth-scopes").filter(|granted| !granted.is_empty())
            && !granted.split(',').any(|granted| scopes.contains(&granted.trim()))
        {
            let reason = format!("the token has the scopes {granted}, and needs {}", scopes.join(" or "));
            return Err(PlaceError::Denied { place: place(), reason });
        }
        self.public_key(places).await.map(|_| ())
    }

    async fn look(&self, places: &Places) -> Result<Vec<Found<Option<String>>>, PlaceError> {
        let mut all = Vec::new();
        for (index, name) in self.secrets.names.list().into_iter().enumerate() {
            let answer = self.get(places, &[self.kind_of_value(index), name]).await?;
            if answer.status == 404 {
                // No such secret, or no such repository: its key tells.
                self.public_key(places).await?;
                all.push(Found { standing: Standing::Absent, kept: None });
                continue;
            }
            let Entry { value, updated_at, visibility } = answer.json(self.secrets)?;
            let mark = Some(updated_at);
            let standing = match value {
                Some(value) => Standing::Readable { value, mark },
                None => Standing::Sealed { mark },
            };
            all.push(Found { standing, kept: visibility });
        }
        Ok(all)
    }

    async fn write(
        &self,
        places: &Places,
        (index, name): (usize, &str),
        found: &Found<Option<String>>,
        value: &str,
        pair: &KeyPair,
    ) -> Result<Wrote, PlaceError> {
        let kind = self.kind_of_value(index);
        let is_new = matches!(found.standing, Standing::Absent);
        let (method, path, mut body) = if kind == VARIABLES {
            let body = json!({ "name": name, "value": value });
            if is_new { ("POST", vec![kind], body) } else { ("PATCH", vec![kind, name], body) }
        } else {
            let (key_id, key) = self.public_key(places).await?;
            let sealed = self.seal(&key, value)?;
            ("PUT", vec![kind, name], json!({ "encrypted_value": sealed, "key_id": key_id }))
        };
        if let GithubScope::Organization { visibility, .. } = &self.secrets.scope {
            let seen_by = found.kept.clone().unwrap_or_else(|| word(*visibility).to_owned());
            if seen_by == word(GithubVisibility::Selected) {
                let ids = if is_new { Vec::new() } else { self.repositories(places, &[kind, name]).await? };
                body["selected_repository_ids"] = ids.into();
            }
            body["visibility"] = Value::String(seen_by);
        }
        let body = Zeroizing::new(body.to_string());
        let answer = self.ask(places, method, &self.path(&path), &[], body, Some(pair)).await?;
        match answer.status {
            200..300 => Ok(Wrote::Done { mark: None }),
            // A variable that somebody has made or removed meanwhile, or that we have made and did not hear of.
            404 | 409 if kind == VARIABLES => Ok(Wrote::Raced),
            409 => Ok(Wrote::Raced),
            _ => Err(answer.refused(self.secrets)),
        }
    }
}

const SECRETS: &str = "secrets";
const VARIABLES: &str = "variables";

fn word(visibility: GithubVisibility) -> &'static str {
    match visibility {
        GithubVisibility::All => "all",
        GithubVisibility::Private => "private",
        GithubVisibility::Selected => "selected",
    }
}

impl GithubPlace<'_> {
    fn kind_of_value(&self, index: usize) -> &'static str {
        match self.secrets.id_as {
            GithubIdAs::Variable if index == 0 => VARIABLES,
            GithubIdAs::Variable | GithubIdAs::Secret => SECRETS,
        }
    }

    /// The key that secrets are sealed for, and its name.
    async fn public_key(&self, places: &Places) -> Result<(String, PublicKey), PlaceError> {
        #[derive(Deserialize)]
        struct Body {
            key_id: String,
            key: String,
        }
        let answer = self.get(places, &[SECRETS, "public-key"]).await?;
        if answer.status == 404 {
            let what = match &self.secrets.scope {
                GithubScope::Repository { .. } => "the repository",
                GithubScope::Environment { .. } => "the environment",
                GithubScope::Organization { .. } => "the organisation",
            };
            return Err(answer.missing(self.secrets, what));
        }
        let body: Body = answer.json(self.secrets)?;
        let key = BASE64.decode(body.key.as_bytes()).ok().and_then(|bytes| PublicKey::try_from(bytes).ok());
        key.map(|key| (body.key_id, key)).ok_or_else(|| PlaceError::Unreadable {
            place: self.secrets.to_string(),
            reason: "the public key is not one of 32 bytes".to_owned(),
        })
    }

    fn seal(&self, key: &PublicKey, value: &str) -> Result<String, PlaceError> {
        let mut sealed = vec![0; value.len() + CRYPTO_BOX_SEALBYTES];
        crypto_box_seal(&mut sealed, value.as_bytes(), key).map_err(|_| PlaceError::Refused {
            place: self.secrets.to_string(),
            reason: "its public key is none that can be sealed for".to_owned(),
        })?;
        Ok(BASE64.encode(&sealed))
    }

    /// The repositories that an organisation has selected.
    async fn repositories(&self, places: &Places, value: &[&str]) -> Result<Vec<u64>, PlaceError> {
        #[derive(Deserialize)]
        struct Body {
            total_count: usize,
            repositories: Vec<Repository>,
        }
        #[derive(Deserialize)]
        struct Repository {
            id: u64,
        }
        let path = self.path(&[value, &["repositories"]].concat());
        let mut ids = Vec::new();
        for page in 1..=MOST_PAGES {
            let query = [("per_page", "100".to_owned()), ("page", page.to_string())];
            let answer = self.ask(places, "GET", &path, &query, Zeroizing::default(), None).await?;
            let Body { total_count, repositories } = answer.json(self.secrets)?;
            let is_last = repositories.is_empty();
            ids.extend(repositories.into_iter().map(|repository| repository.id));
            if is_last || ids.len() >= total_count {
                return Ok(ids);
            }
        }
        let reason = "more than 10,000 repositories are selected; they could not be kept".to_owned();
        Err(PlaceError::Refused { place: self.secrets.to_string(), reason })
    }

    /// The path of something below the secrets and variables.
    fn path<'s>(&'s self, below: &[&'s str]) -> Vec<&'s str> {
        let above = match &self.secrets.scope {
            GithubScope::Repository { owner, name } => vec!["repos", owner, name, "actions"],
            GithubScope::Environment { owner, name, environment } => {
                vec!["repos", owner, name, "environments", environment]
            }
            GithubScope::Organization { org, .. } => vec!["orgs", org, "actions"],
        };
        [&above, below].concat()
    }

    async fn get(&self, places: &Places, below: &[&str]) -> Result<Answer, PlaceError> {
        self.ask(places, "GET", &self.path(below), &[], Zeroizing::default(), None).await
    }

    async fn ask(
        &self,
        places: &Places,
        method: &'static str,
        path: &[&str],
        query: &[(&str, String)],
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let outside = places.outside(self.secrets)?;
        let token = outside.secret(self.secrets, &self.secrets.token)?;
        let mut url = url_at(self.secrets, self.secrets.api.as_str(), path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let headers = vec![
            opening("authorization", "Bearer ", &token),
            ("accept", "application/vnd.github+json".to_owned()),
            ("x-github-api-version", API_VERSION.to_owned()),
        ];
        call(outside, self.secrets, Call { method, url: &url, headers, body, secrets: &[&token], pair }).await
    }
}
