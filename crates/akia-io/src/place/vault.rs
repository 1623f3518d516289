//! A secret of HashiCorp Vault or OpenBao: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>.
//!
//! A write names the version that it was made from (check-and-set), so that what somebody else has written meanwhile is read again and
//! not lost.

use akia_core::place::VaultSecret;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::web::{Answer, Call, call, url_at};
use super::written::{named, named_pair};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};

/// How often a secret that others write at the same time is read and written anew.
const ATTEMPTS: u32 = 8;

pub(super) struct VaultPlace<'p> {
    pub(super) secret: &'p VaultSecret,
}

/// A secret as it stands.
struct Version {
    number: u64,
    fields: Map<String, Value>,
}

impl PlaceKind for VaultPlace<'_> {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            self.pair_in(&self.look(places).await?)?;
            Ok(Ready::default())
        }
        .boxed()
    }

    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move { Ok(self.pair_in(&self.look(places).await?)?.map_or(Held::Nothing, Held::Pair)) }.boxed()
    }

    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>> {
        async move {
            for _ in 0..ATTEMPTS {
                let Version { number, mut fields } = self.look(places).await?;
                let found = self.pair_in(&Version { number, fields: fields.clone() })?;
                if found.as_ref().is_some_and(|found| found.matches(pair)) {
                    return Ok(None);
                }
                refuse_unexpected(self.secret, found.as_ref().map(|found| &found.id), &pair.id, expected.keys)?;
                for (name, value) in named(&self.secret.names, pair) {
                    fields.insert(name, Value::String(value.to_string()));
                }
                let body = json!({ "options": { "cas": number }, "data": fields }).to_string();
                let answer = self.ask(places, "POST", Zeroizing::new(body), Some(pair)).await?;
                // Vault answers 400 where the version has moved on: by another, or by our own write whose answer was lost.
                if answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("check-and-set") {
                    continue;
                }
                if !answer.is_success() {
                    return Err(answer.refused(self.secret));
                }
                return match self.pair_in(&self.look(places).await?)? {
                    Some(found) if found.matches(pair) => Ok(None),
                    _ => Err(PlaceError::ReadBack { place: self.secret.to_string() }),
                };
            }
            let reason = "others write to it all the time".to_owned();
            Err(PlaceError::Unavailable { place: self.secret.to_string(), reason })
        }
        .boxed()
    }
}

impl VaultPlace<'_> {
    async fn look(&self, places: &Places) -> Result<Version, PlaceError> {
        #[derive(Deserialize)]
        struct Body {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            /// `null` in a version that was deleted.
            data: Option<Map<String, Value>>,
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        struct Metadata {
            version: u64,
        }
        let answer = self.ask(places, "GET", Zeroizing::default(), None).await?;
        // Deleted versions come with 404 and their number; a path that never was, with 404 alone.
        if answer.status == 404 {
            let body = serde_json::from_slice::<Body>(&answer.body);
            return Ok(Version { number: body.map_or(0, |body| body.data.metadata.version), fields: Map::new() });
        }
        let body: Body = answer.json(self.secret)?;
        Ok(Version { number: body.data.metadata.version, fields: body.data.data.unwrap_or_default() })
    }

    async fn ask(
        &self,
        places: &Places,
        method: &'static str,
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let outside = places.outside(self.secret)?;
        let token = outside.secret(self.secret, &self.secret.token)?;
        let mut headers = vec![("x-vault-token", token.reveal().to_owned()), ("x-vault-request", "true".to_owned())];
        if let Some(namespace) = &self.secret.namespace {
            headers.push(("x-vault-namespace", namespace.clone()));
        }
        call(outside, self.secret, Call { method, url: &self.url()?, headers, body, secrets: &[&token], pair }).await
    }

    fn url(&self) -> Result<Url, PlaceError> {
        let VaultSecret { address, mount, path, .. } = self.secret;
        let mut segments = vec!["v1"];
        segments.extend(mount.trim_matches('/').split('/'));
        segments.push("data");
        segments.extend(path.trim_matches('/').split('/'));
        url_at(self.secret, address, &segments)
    }

    fn pair_in(&self, version: &Version) -> Result<Option<KeyPair>, PlaceError> {
        let value = |name: &str| version.fields.get(name)?.as_str().map(|text| Zeroizing::new(text.to_owned()));
        named_pair(&self.secret.names, value)
            .map_err(|reason| PlaceError::Unreadable { place: self.secret.to_string(), reason })
    }
}
