//! A Secret of Kubernetes.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::address::ServerAddress;
use super::names::KeyNames;
use super::path::AbsolutePath;
use crate::settings::SecretRef;

/// Keys of a Secret's data; its other keys stay as they are. Id and secret change at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "SecretTable", into = "SecretTable")]
pub struct KubernetesSecret {
    /// How its API server is reached.
    pub cluster: Cluster,
    /// The namespace of the Secret.
    pub namespace: ObjectName,
    /// The name of the Secret.
    pub name: ObjectName,
    /// The keys of its data.
    pub names: KeyNames,
    /// What runs with the Secret in its environment and is rolled over after a write.
    pub restart: Vec<Workload>,
}

/// How the API server of a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cluster {
    /// By its address.
    Server {
        /// The address.
        address: ServerAddress,
        /// The file with the certificates of the authority that it is trusted by; without one the usual roots.
        authority: Option<AbsolutePath>,
        /// Where the bearer token is kept.
        token: SecretRef,
    },
    /// By a context of a kubeconfig file.
    Kubeconfig {
        /// The file.
        path: AbsolutePath,
        /// The context. Never the current one, which changes behind the back of a rotation.
        context: String,
        /// Where a bearer token is kept that is sent instead of what the file has for its user.
        token: Option<SecretRef>,
    },
    /// By the service account of the pod in which akia runs.
    Inside,
}

/// The name of an object: small letters, digits, `-` and `.`.
///
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct ObjectName(String);

/// Something that runs pods: `deployment/NAME`, `statefulset/NAME` or `daemonset/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Workload {
    kind: WorkloadKind,
    name: ObjectName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
}

/// Why a table does not name a Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubernetesSecretError {
    /// No way to the server, or two.
    #[error(
        "say how the API server is reached, in one way: server = \"https://…\" with token, kubeconfig = \"/…\" with context, or \
         in-cluster = true"
    )]
    Ways,
    /// A server without a token.
    #[error("server needs a token: token = {{ file = \"/…\" }} or {{ env = \"NAME\" }}")]
    NoToken,
    /// A kubeconfig without a context.
    #[error("kubeconfig needs a context: what is current there changes; kubectl config get-contexts lists them")]
    NoContext,
    /// A key that belongs to another way.
    #[error("{key} says nothing with {way}")]
    Stray {
        /// The key.
        key: &'static str,
        /// The way that the table has.
        way: &'static str,
    },
    /// Not the name of an object.
    #[error(
        "\"{0}\" cannot be the name of an object: small letters, digits, - and . only, up to 253, a letter or digit at both ends"
    )]
    Name(String),
    /// Not a key of a Secret's data.
    #[error("\"{0}\" cannot be a key of a Secret: letters, digits, -, _ and . only, up to 253")]
    Key(String),
    /// Not something that runs pods.
    #[error("\"{0}\" cannot be restarted; write deployment/NAME, statefulset/NAME or daemonset/NAME")]
    Workload(String),
}

use KubernetesSecretError as Wrong;

/// The table as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SecretTable {
    /// Address of the API server: https://HOST:6443. Needs token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<ServerAddress>,
    /// With server: the file with the certificates of the cluster's authority; without it the usual roots are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<AbsolutePath>,
    /// A kubeconfig file, instead of server. Needs context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kubeconfig: Option<AbsolutePath>,
    /// The context of the kubeconfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// Whether akia runs in a pod of the cluster and uses its service account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_cluster: bool,
    /// Where the bearer token is kept. With kubeconfig it is sent instead of what the file has for its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<SecretRef>,
    /// The namespace of the Secret.
    namespace: ObjectName,
    /// The name of the Secret.
    name: ObjectName,
    /// The keys of its data; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    names: KeyNames,
    /// What reads the Secret from its environment and is rolled over after a write: deployment/NAME.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    restart: Vec<Workload>,
}

impl TryFrom<SecretTable> for KubernetesSecret {
    type Error = Wrong;

    fn try_from(table: SecretTable) -> Result<Self, Wrong> {
        let SecretTable { server, certificate_authority: authority, kubeconfig, context, in_cluster, token, .. } =
            table;
        let stray = |key, is_there: bool, way| if is_there { Err(Wrong::Stray { key, way }) } else { Ok(()) };
        let cluster = match (server, kubeconfig, in_cluster) {
            (Some(address), None, false) => {
                stray("context", context.is_some(), "server")?;
                Cluster::Server { address, authority, token: token.ok_or(Wrong::NoToken)? }
            }
            (None, Some(path), false) => {
                stray("certificate-authority", authority.is_some(), "kubeconfig")?;
                Cluster::Kubeconfig { path, context: context.ok_or(Wrong::NoContext)?, token }
            }
            (None, None, true) => {
                stray("certificate-authority", authority.is_some(), "in-cluster")?;
                stray("context", context.is_some(), "in-cluster")?;
                stray("token", token.is_some(), "in-cluster")?;
                Cluster::Inside
            }
            _ => return Err(Wrong::Ways),
        };
        let keys = match &table.names {
            KeyNames::Apart { id, secret } => vec![id, secret],
            KeyNames::Combined { name, .. } => vec![name],
        };
        if let Some(key) = keys.into_iter().find(|key| !is_data_key(key)) {
            return Err(Wrong::Key(key.clone()));
        }
        let SecretTable { namespace, name, names, restart, .. } = table;
        Ok(Self { cluster, namespace, name, names, restart })
    }
}

impl From<KubernetesSecret> for SecretTable {
    fn from(secret: KubernetesSecret) -> Self {
        let KubernetesSecret { cluster, namespace, name, names, restart } = secret;
        let table = Self {
            server: None,
            certificate_authority: None,
            kubeconfig: None,
            context: None,
            in_cluster: false,
            token: None,
            namespace,
            name,
            names,
            restart,
        };
        match cluster {
            Cluster::Server { address, authority, token } => {
                Self { server: Some(address), certificate_authority: authority, token: Some(token), ..table }
            }
            Cluster::Kubeconfig { path, context, token } => {
                Self { kubeconfig: Some(path), context: Some(context), token, ..table }
            }
            Cluster::Inside => Self { in_cluster: true, ..table },
        }
    }
}

impl Described for KubernetesSecret {
    fn spot(&self) -> String {
        let (namespace, name) = (&self.namespace, &self.name);
        match &self.cluster {
            Cluster::Kubeconfig { context, .. } => format!("{context}/{namespace}/{name}"),
            Cluster::Server { .. } | Cluster::Inside => format!("{namespace}/{name}"),
        }
    }
}

impl fmt::Display for KubernetesSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Kubernetes Secret {}/{} ", self.namespace, self.name)?;
        match &self.cluster {
            Cluster::Server { address, .. } => write!(formatter, "at {address}"),
            Cluster::Kubeconfig { path, context, .. } => {
                write!(formatter, "of the context \"{context}\" in {}", path)
            }
            Cluster::Inside => formatter.write_str("of this pod's cluster"),
        }
    }
}

/// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data>
fn is_data_key(key: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&key.len()) && key.bytes().all(is_taken) && !matches!(key, "." | "..")
}

impl ObjectName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ObjectName {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Self, Wrong> {
        let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_inner = |byte: u8| is_end(byte) || matches!(byte, b'-' | b'.');
        let ends = [text.as_bytes().first(), text.as_bytes().last()];
        let is_name = text.len() <= 253
            && text.bytes().all(is_inner)
            && ends.iter().all(|end| end.is_some_and(|&end| is_end(end)));
        if is_name && !text.contains("..") { Ok(Self(text)) } else { Err(Wrong::Name(text)) }
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Workload {
    /// Its kind, as the paths of the API have it: `deployments`.
    #[must_use]
    pub fn resource(&self) -> &'static str {
        match self.kind {
            WorkloadKind::Deployment => "deployments",
            WorkloadKind::StatefulSet => "statefulsets",
            WorkloadKind::DaemonSet => "daemonsets",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ObjectName {
        &self.name
    }
}

impl TryFrom<String> for Workload {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Self, Wrong> {
        let found = text.split_once('/').and_then(|(kind, name)| {
            let kind = match kind {
                "deployment" => WorkloadKind::Deployment,
                "statefulset" => WorkloadKind::StatefulSet,
                "daemonset" => WorkloadKind::DaemonSet,
                _ => return None,
            };
            Some(Self { kind, name: name.to_owned().try_into().ok()? })
        });
        found.ok_or(Wrong::Workload(text))
    }
}

impl From<Workload> for String {
    fn from(workload: Workload) -> Self {
        workload.to_string()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.resource().trim_end_matches('s'), self.name)
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    use super::{KubernetesSecret, SecretTable};

    impl JsonSchema for KubernetesSecret {
        fn schema_name() -> Cow<'static, str> {
            "KubernetesSecret".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            SecretTable::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KubernetesSecret, String> {
        let text = format!("namespace = \"shop\"\nname = \"billing-aws\"\n{text}");
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn each_way_to_a_cluster_reads_back_and_is_named() {
        let token = "token = { file = \"/run/token\" }";
        for (text, name, spot) in [
            (
                &*format!("server = \"https://k8s.example.com:6443/\"\ncertificate-authority = \"/ca.pem\"\n{token}"),
                "Kubernetes Secret shop/billing-aws at https://k8s.example.com:6443",
                "shop/billing-aws",
            ),
            (
                &*format!("kubeconfig = \"/home/ann/.kube/config\"\ncontext = \"prod\"\n{token}"),
                "Kubernetes Secret shop/billing-aws of the context \"prod\" in /home/ann/.kube/config",
                "prod/shop/billing-aws",
            ),
            (
                "in-cluster = true\nrestart = [\"deployment/api\", \"statefulset/db\", \"daemonset/log\"]",
                "Kubernetes Secret shop/billing-aws of this pod's cluster",
                "shop/billing-aws",
            ),
        ] {
            let secret = parse(text).unwrap();
            assert_eq!((&*secret.to_string(), &*secret.spot()), (name, spot));
            let kept = serde_json::to_string(&secret).unwrap();
            assert_eq!(serde_json::from_str::<KubernetesSecret>(&kept).unwrap(), secret, "{kept}");
        }
    }

    #[test]
    fn a_table_that_makes_no_sense_says_what_to_write() {
        let token = "token = { env = \"TOKEN\" }";
        let server = "server = \"https://k\"";
        for (text, error) in [
            (String::new(), Wrong::Ways),
            (format!("{server}\nin-cluster = true\n{token}"), Wrong::Ways),
            (server.to_owned(), Wrong::NoToken),
            ("kubeconfig = \"/k\"".to_owned(), Wrong::NoContext),
            (format!("{server}\n{token}\ncontext = \"a\""), Wrong::Stray { key: "context", way: "server" }),
            (format!("in-cluster = true\n{token}"), Wrong::Stray { key: "token", way: "in-cluster" }),
            ("in-cluster = true\nnames = { combined = \"a b\" }".to_owned(), Wrong::Key("a b".to_owned())),
            ("in-cluster = true\nrestart = [\"pod/x\"]".to_owned(), Wrong::Workload("pod/x".to_owned())),
        ] {
            assert_eq!(parse(&text), Err(error.to_string()), "{text}");
        }
        for name in ["", "A", "-a", "a.", "a..b", "a/b", &*"a".repeat(254)] {
            assert!(ObjectName::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
