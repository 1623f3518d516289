//! A secret of HashiCorp Vault or OpenBao: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>.
//!
//! A write names the version that it was made from (check-and-set), so that what somebody else has written meanwhile is read again and
//! not lost. A token's lack of rights is asked for before a key exists:
//! <https://developer.hashicorp.com/vault/api-docs/system/capabilities-self>.

use std::time::Duration;

use akia_core::place::VaultSecret;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::web::{Answer, Call, call, opening, url_at};
use super::written::{named, named_pair};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};

/// How often a secret that others write at the same time is read and written anew.
const ATTEMPTS: u32 = 8;
/// How often a standby that lags behind is asked for what was written, and the wait before each time.
const LOOKS: u32 = 10;
const LAG: Duration = Duration::from_millis(500);

pub(super) struct VaultPlace<'p> {
    pub(super) secret: &'p VaultSecret,
}

/// A secret as it stands.
struct Version {
    /// 0 where there never was one.
    number: u64,
    fields: Map<String, Value>,
}

impl PlaceKind for VaultPlace<'_> {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            self.check_mount(places).await?;
            let version = self.look(places).await?;
            self.pair_in(&version)?;
            self.check_rights(places, &version).await?;
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
                let mut version = self.look(places).await?;
                let found = self.pair_in(&version)?;
                if found.as_ref().is_some_and(|found| found.matches(pair)) {
                    return Ok(None);
                }
                refuse_unexpected(self.secret, found.as_ref().map(|found| &found.id), &pair.id, expected.keys)?;
                for (name, value) in named(&self.secret.names, pair) {
                    version.fields.insert(name, Value::String(value.to_string()));
                }
                let body = json!({ "options": { "cas": version.number }, "data": version.fields }).to_string();
                let answer = self.ask(places, "POST", &self.data(), Zeroizing::new(body), Some(pair)).await?;
                // Vault answers 400 where the version has moved on: by another, or by our own write whose answer was lost.
                if answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("check-and-set") {
                    places.outside(self.secret)?.clock.sleep(LAG).await;
                    continue;
                }
                if !answer.is_success() {
                    return Err(answer.refused(self.secret));
                }
                return match self.pair_in(&self.look_past(places, version.number).await?)? {
                    Some(found) if found.matches(pair) => Ok(None),
                    Some(_) | None => Err(PlaceError::ReadBack { place: self.secret.to_string() }),
                };
            }
            let reason = "others write to it all the time".to_owned();
            Err(PlaceError::Unavailable { place: self.secret.to_string(), reason })
        }
        .boxed()
    }
}

impl VaultPlace<'_> {
    /// Finds out whether there is a store of version 2 where the table says. A write to a store of version 1 would go to another
    /// path than the one that is meant, and would not be checked against anything.
    async fn check_mount(&self, places: &Places) -> Result<(), PlaceError> {
        #[derive(Deserialize)]
        struct Body {
            data: Mount,
        }
        #[derive(Deserialize)]
        struct Mount {
            path: String,
            #[serde(rename = "type")]
            kind: String,
            options: Option<Options>,
        }
        #[derive(Deserialize)]
        struct Options {
            version: Option<String>,
        }
        let VaultSecret { mount, path, .. } = self.secret;
        let segments = ["sys", "internal", "ui", "mounts"].into_iter().chain(mount.segments()).chain(path.segments());
        let asked = self.ask(places, "GET", &segments.collect::<Vec<_>>(), Zeroizing::default(), None).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(PlaceError::Denied { reason, .. }) => return Err(self.denied(places, reason).await),
            Err(error) => return Err(error),
        };
        let Body { data: found } = answer.json(self.secret)?;
        let mounted = found.path.trim_matches('/');
        let version = found.options.and_then(|options| options.version).unwrap_or_else(|| "1".to_owned());
        let reason = if !matches!(&*found.kind, "kv" | "generic") {
            format!("what is mounted at {mounted} is no key/value store (its type is {})", found.kind)
        } else if mounted != mount.to_string() {
            format!("the store is mounted at {mounted}; write mount = \"{mounted}\" and the path below it")
        } else if version != "2" {
            format!(
                "the store at {mounted} is of version {version}, which checks no write against others; upgrade it: \
                 vault kv enable-versioning {mounted}"
            )
        } else {
            return Ok(());
        };
        Err(PlaceError::Refused { place: self.secret.to_string(), reason })
    }

    /// What a 403 means: Vault gives it for a token that it does not know, for a lack of rights, and for what is not there.
    async fn denied(&self, places: &Places, reason: String) -> PlaceError {
        let place = self.secret.to_string();
        match self.ask(places, "GET", &["auth", "token", "lookup-self"], Zeroizing::default(), None).await {
            Ok(answer) if answer.is_success() => {
                let VaultSecret { mount, .. } = self.secret;
                let reason = format!("no store is mounted at {mount}, or its token has no right in it ({reason})");
                PlaceError::Denied { place, reason }
            }
            // The right to look itself up may have been taken from the token, too.
            Err(PlaceError::Denied { .. }) => {
                let reason = format!("its token is not valid, not any more, or has no right at all ({reason})");
                PlaceError::Denied { place, reason }
            }
            Ok(_) | Err(_) => PlaceError::Denied { place, reason },
        }
    }

    /// Refuses a token that may read, and not write.
    async fn check_rights(&self, places: &Places, version: &Version) -> Result<(), PlaceError> {
        #[derive(Deserialize)]
        struct Body {
            data: Capabilities,
        }
        #[derive(Deserialize)]
        struct Capabilities {
            capabilities: Vec<String>,
        }
        let path = self.data().join("/");
        let body = Zeroizing::new(json!({ "paths": [path] }).to_string());
        let answer = match self.ask(places, "POST", &["sys", "capabilities-self"], body, None).await {
            Ok(answer) => answer,
            // The policy "default" lets tokens ask; one without it can still write.
            Err(PlaceError::Denied { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Body { data: Capabilities { capabilities } } = answer.json(self.secret)?;
        // A version that was deleted is updated, too.
        let needed = if version.number == 0 { "create" } else { "update" };
        if capabilities.iter().any(|capability| capability == needed || capability == "root") {
            return Ok(());
        }
        let has = capabilities.join(", ");
        let reason = format!("its token lacks the capability {needed} on {path} (it has: {has})");
        Err(PlaceError::Denied { place: self.secret.to_string(), reason })
    }

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
        let answer = self.ask(places, "GET", &self.data(), Zeroizing::default(), None).await?;
        // Deleted and destroyed versions come with 404 and their number; a path that never was, with 404 alone.
        if answer.status == 404 {
            let body = serde_json::from_slice::<Body>(&answer.body);
            return Ok(Version { number: body.map_or(0, |body| body.data.metadata.version), fields: Map::new() });
        }
        let body: Body = answer.json(self.secret)?;
        Ok(Version { number: body.data.metadata.version, fields: body.data.data.unwrap_or_default() })
    }

    /// Looks until a later version is seen: a performance standby answers for a moment what it knew before
    /// (<https://developer.hashicorp.com/vault/docs/enterprise/consistency>).
    async fn look_past(&self, places: &Places, number: u64) -> Result<Version, PlaceError> {
        let mut version = self.look(places).await?;
        for _ in 0..LOOKS {
            if version.number > number {
                break;
            }
            places.outside(self.secret)?.clock.sleep(LAG).await;
            version = self.look(places).await?;
        }
        Ok(version)
    }

    async fn ask(
        &self,
        places: &Places,
        method: &'static str,
        path: &[&str],
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let outside = places.outside(self.secret)?;
        let token = outside.secret(self.secret, &self.secret.token)?;
        let mut headers = vec![opening("x-vault-token", "", &token), ("x-vault-request", "true".to_owned())];
        headers.extend(self.secret.namespace.as_ref().map(|namespace| ("x-vault-namespace", namespace.to_string())));
        let url = url_at(self.secret, self.secret.address.as_str(), &[&["v1"], path].concat())?;
        call(outside, self.secret, Call { method, url: &url, headers, body, secrets: &[&token], pair }).await
    }

    /// The path of its versions.
    fn data(&self) -> Vec<&str> {
        let VaultSecret { mount, path, .. } = self.secret;
        mount.segments().chain(["data"]).chain(path.segments()).collect()
    }

    fn pair_in(&self, version: &Version) -> Result<Option<KeyPair>, PlaceError> {
        let value = |name: &str| version.fields.get(name)?.as_str().map(|text| Zeroizing::new(text.to_owned()));
        named_pair(&self.secret.names, value)
            .map_err(|reason| PlaceError::Unreadable { place: self.secret.to_string(), reason })
    }
}
