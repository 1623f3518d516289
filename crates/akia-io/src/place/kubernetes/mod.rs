//! A Secret of Kubernetes: <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/>.
//!
//! A write is a merge patch that names the resource version that it was made from: the API server refuses it where somebody else has
//! written meanwhile, and the Secret is read again. A preflight makes the same write as a dry run
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run>), which passes rights, admission and validation as the
//! true one does, and keeps nothing.

mod access;
mod exec_plugin;
mod kubeconfig;

use std::collections::BTreeMap;
use std::time::Duration;

use akia_core::place::{KeyNames, KubernetesSecret};
use data_encoding::BASE64;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::web::{Answer, Call, call_trusting, url_at};
use super::written::{named, named_pair};
use super::{Expected, Held, KeyPair, Outside, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};
use crate::secrets::Wiped;
use access::Access;

/// How often a Secret that others write at the same time is read and written anew, and the wait before each time.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(300);

/// The annotation of pods that a write rolls over. It changes when the key does, so that a repeated write rolls nothing over.
const ANNOTATION: &str = "akia/access-key-id";

pub(super) struct KubernetesPlace<'p> {
    pub(super) secret: &'p KubernetesSecret,
}

/// The parts of a Secret that count.
#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, Wiped>>,
    #[serde(default)]
    immutable: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: Option<bool>,
}

/// Whether a write is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Dry,
    Real,
}

impl PlaceKind for KubernetesPlace<'_> {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            let session = self.session(places).await?;
            let object = session.look().await?;
            if let Some(object) = &object {
                self.refuse_unwritable(object)?;
                self.pair_in(object)?;
            }
            session.rehearse(object.as_ref()).await?;
            Ok(Ready::default())
        }
        .boxed()
    }

    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            let object = self.session(places).await?.look().await?;
            let pair = object.map_or(Ok(None), |object| self.pair_in(&object))?;
            Ok(pair.map_or(Held::Nothing, Held::Pair))
        }
        .boxed()
    }

    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>> {
        async move {
            let session = self.session(places).await?;
            for _ in 0..ATTEMPTS {
                let object = session.look().await?;
                let found = object.as_ref().map_or(Ok(None), |object| self.pair_in(object))?;
                if !found.as_ref().is_some_and(|found| found.matches(pair)) {
                    refuse_unexpected(self.secret, found.as_ref().map(|found| &found.id), &pair.id, expected.keys)?;
                    let answer = session.write(object.as_ref(), pair).await?;
                    // Somebody else has written, or removed it; or our own write was done and its answer lost.
                    if answer.status == 409 || (answer.status == 404 && object.is_some()) {
                        session.outside.clock.sleep(PAUSE).await;
                        continue;
                    }
                    if !answer.is_success() {
                        return Err(answer.refused(self.secret));
                    }
                    let written = session.look().await?.map_or(Ok(None), |object| self.pair_in(&object))?;
                    if !written.is_some_and(|written| written.matches(pair)) {
                        return Err(PlaceError::ReadBack { place: self.secret.to_string() });
                    }
                }
                session.roll_over(pair.id.as_str(), Run::Real).await?;
                return Ok(None);
            }
            let reason = "others write to it all the time".to_owned();
            Err(PlaceError::Unavailable { place: self.secret.to_string(), reason })
        }
        .boxed()
    }
}

impl KubernetesPlace<'_> {
    async fn session<'a>(&'a self, places: &'a Places) -> Result<Session<'a>, PlaceError> {
        let outside = places.outside(self.secret)?;
        Ok(Session { secret: self.secret, access: access::open(outside, self.secret).await?, outside })
    }

    fn pair_in(&self, object: &Object) -> Result<Option<KeyPair>, PlaceError> {
        let value = |name: &str| {
            let Wiped(encoded) = object.data.as_ref()?.get(name)?;
            // What is not base64 or not text is not a key, and is refused as a malformed one.
            let decoded = Zeroizing::new(BASE64.decode(encoded.as_bytes()).unwrap_or_else(|_| b"?".to_vec()));
            Some(Zeroizing::new(String::from_utf8_lossy(&decoded).into_owned()))
        };
        named_pair(&self.secret.names, value)
            .map_err(|reason| PlaceError::Unreadable { place: self.secret.to_string(), reason })
    }

    /// Refuses a Secret that nobody can write, and one that a controller would write over.
    fn refuse_unwritable(&self, object: &Object) -> Result<(), PlaceError> {
        let refused = |reason| Err(PlaceError::Refused { place: self.secret.to_string(), reason });
        if object.immutable == Some(true) {
            return refused(
                "it is immutable; replace it by one that is not (immutable: true cannot be taken back)".into(),
            );
        }
        match object.metadata.owner_references.iter().find(|owner| owner.controller == Some(true)) {
            Some(Owner { kind, name, .. }) => refused(format!(
                "the {kind} {name} writes it and would put the old key back; deliver to where that has its values from"
            )),
            None => Ok(()),
        }
    }
}

/// The way to the cluster for one act.
struct Session<'a> {
    secret: &'a KubernetesSecret,
    access: Access,
    outside: &'a Outside,
}

impl Session<'_> {
    async fn look(&self) -> Result<Option<Object>, PlaceError> {
        let answer = self.ask("GET", &self.path(), Run::Real, None, None).await?;
        if answer.status == 404 { Ok(None) } else { answer.json(self.secret).map(Some) }
    }

    async fn write(&self, object: Option<&Object>, pair: &KeyPair) -> Result<Answer, PlaceError> {
        let encoded = named(&self.secret.names, pair)
            .into_iter()
            .map(|(name, value)| (name, Value::String(BASE64.encode(value.as_bytes()))))
            .collect();
        self.put(object, encoded, Run::Real, Some(pair)).await
    }

    /// Goes through a write, and through what rolls pods over, without keeping anything.
    async fn rehearse(&self, object: Option<&Object>) -> Result<(), PlaceError> {
        let names = match &self.secret.names {
            KeyNames::Apart { id, secret } => vec![id, secret],
            KeyNames::Combined { name, .. } => vec![name],
        };
        let rehearsal = || Value::String(BASE64.encode(b"rehearsal"));
        let values = names.into_iter().map(|name| (name.clone(), rehearsal())).collect();
        let answer = self.put(object, values, Run::Dry, None).await?;
        // 409: written by somebody else this moment. A webhook that cannot take part in a dry run says so with 400.
        let is_no_refusal = answer.is_success() || answer.status == 409 || is_unrehearsed(&answer);
        if is_no_refusal { self.roll_over("rehearsal", Run::Dry).await } else { Err(answer.refused(self.secret)) }
    }

    async fn put(
        &self,
        object: Option<&Object>,
        data: serde_json::Map<String, Value>,
        run: Run,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let Some(object) = object else {
            let metadata = json!({ "name": self.secret.name.as_str(), "namespace": self.secret.namespace.as_str() });
            let body =
                json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data });
            let collection = &self.path()[..5];
            return self.ask("POST", collection, run, Some(Zeroizing::new(body.to_string())), pair).await;
        };
        let body = json!({ "metadata": { "resourceVersion": object.metadata.resource_version }, "data": data });
        self.ask("PATCH", &self.path(), run, Some(Zeroizing::new(body.to_string())), pair).await
    }

    /// Has everything that reads the Secret from its environment start new pods, as `kubectl rollout restart` does.
    async fn roll_over(&self, key: &str, run: Run) -> Result<(), PlaceError> {
        let namespace = self.secret.namespace.as_str();
        for workload in &self.secret.restart {
            let path = ["apis", "apps", "v1", "namespaces", namespace, workload.resource(), workload.name().as_str()];
            let template = json!({ "metadata": { "annotations": { ANNOTATION: key } } });
            let body = Zeroizing::new(json!({ "spec": { "template": template } }).to_string());
            let answer = self.ask("PATCH", &path, run, Some(body), None).await?;
            if !(answer.is_success() || (run == Run::Dry && is_unrehearsed(&answer))) {
                return Err(answer.refused(&format!("{workload}, which restarts with {}", self.secret)));
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &[&str],
        run: Run,
        body: Option<Zeroizing<String>>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let Access { server, roots, token } = &self.access;
        let mut url = url_at(self.secret, server, path)?;
        if body.is_some() {
            url.query_pairs_mut().append_pair("fieldManager", "akia");
        }
        if run == Run::Dry {
            url.query_pairs_mut().append_pair("dryRun", "All");
        }
        let mut headers = vec![access::bearer(token)];
        if method == "PATCH" {
            headers.push(("content-type", "application/merge-patch+json".to_owned()));
        }
        let body = body.unwrap_or_default();
        let call = Call { method, url: &url, headers, body, secrets: &[token], pair };
        call_trusting(self.outside, self.secret, call, roots.as_ref().filter(|_| url.scheme() == "https")).await
    }

    fn path(&self) -> [&str; 6] {
        ["api", "v1", "namespaces", self.secret.namespace.as_str(), "secrets", self.secret.name.as_str()]
    }
}

/// Whether an answer says that a dry run cannot be made here.
fn is_unrehearsed(answer: &Answer) -> bool {
    answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("does not support dry run")
}
