//! How the API server of a cluster is reached, and what opens it: always a bearer token over TLS.

use std::path::Path;

use akia_core::place::{Cluster, KubernetesSecret};

use super::super::web::opening;
use super::super::{Outside, PlaceError};
use super::exec_plugin;
use super::kubeconfig::{Context, Opening};
use crate::aws::Roots;
use crate::files::read_limited;
use crate::secrets::Secret;

/// Longest kubeconfig, token or certificate, in bytes.
pub(super) const LONGEST: u64 = 1024 * 1024;

/// Where a pod finds its service account:
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api>.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The way to an API server.
pub(super) struct Access {
    pub(super) server: String,
    /// The authority that signed its certificate; the usual ones where there is none.
    pub(super) roots: Option<Roots>,
    pub(super) token: Secret,
}

/// Finds the way to the cluster of a Secret.
pub(super) async fn open(outside: &Outside, secret: &KubernetesSecret) -> Result<Access, PlaceError> {
    let lacking = |reason: String| PlaceError::NoAccess { place: secret.to_string(), reason };
    match &secret.cluster {
        Cluster::Server { address, authority, token } => {
            let roots = authority.as_ref().map(|path| roots_in(path.as_path())).transpose().map_err(lacking)?;
            Ok(Access { server: address.as_str().to_owned(), roots, token: outside.secret(secret, token)? })
        }
        Cluster::Kubeconfig { path, context, token } => {
            let refused = |reason: String| {
                lacking(format!("the context \"{context}\" in {}: {reason}", path.as_path().display()))
            };
            let found = Context::read(path.as_path(), context).map_err(refused)?;
            let token = match token {
                Some(token) => outside.secret(secret, token)?,
                None => match found.opening.map_err(refused)? {
                    Opening::Token(token) => token,
                    Opening::Program(program) => exec_plugin::token(&program, &found.server).await.map_err(refused)?,
                },
            };
            Ok(Access { server: found.server, roots: found.roots, token })
        }
        Cluster::Inside => inside(Path::new(SERVICE_ACCOUNT), &|name| (outside.variables)(name)).map_err(lacking),
    }
}

/// The header that opens an API server.
pub(super) fn bearer(token: &Secret) -> (&'static str, String) {
    opening("authorization", "Bearer ", token)
}

fn inside(folder: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<Access, String> {
    let set = |name: &str| {
        variable(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            format!("the variable {name} is not set: akia does not run in a pod; write kubeconfig or server instead of in-cluster")
        })
    };
    let (host, port) = (set("KUBERNETES_SERVICE_HOST")?, set("KUBERNETES_SERVICE_PORT")?);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(Access {
        server: format!("https://{host}:{port}"),
        roots: Some(roots_in(&folder.join("ca.crt"))?),
        token: token_in(&folder.join("token"))?,
    })
}

/// The certificates in a file.
pub(super) fn roots_in(path: &Path) -> Result<Roots, String> {
    Roots::parse(contents(path)?.to_vec()).map_err(|reason| format!("{}: {reason}", path.display()))
}

/// The token in a file, which is read each time: tokens of service accounts are renewed there.
pub(super) fn token_in(path: &Path) -> Result<Secret, String> {
    let place = format!("the file {}", path.display());
    let text = String::from_utf8(contents(path)?.to_vec()).map_err(|_| format!("{place} does not hold text"))?;
    Secret::taken(&place, &zeroize::Zeroizing::new(text))
}

pub(super) fn contents(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    let bytes = read_limited(path, LONGEST).map_err(|error| error.to_string())?;
    bytes.ok_or_else(|| format!("the file {} is not there", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_all_that_is_needed_and_a_laptop_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let pod = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        let error = inside(folder.path(), &|_| None).err().unwrap();
        assert!(error.contains("akia does not run in a pod"), "{error}");
        let error = inside(folder.path(), &pod).err().unwrap();
        assert!(error.ends_with("ca.crt is not there"), "{error}");
        std::fs::write(folder.path().join("ca.crt"), "no certificate").unwrap();
        let error = inside(folder.path(), &pod).err().unwrap();
        assert!(error.ends_with("no certificate in it"), "{error}");
    }
}
