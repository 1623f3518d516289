//! A context of a kubeconfig file: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>.
//!
//! What akia cannot do as kubectl does it is refused by its name, never left out.

use std::path::Path;

use data_encoding::BASE64;
use serde::Deserialize;

use super::access::{contents, roots_in, token_in};
use crate::aws::Roots;
use crate::secrets::{Secret, Wiped};

/// What a context leads to.
pub(super) struct Context {
    pub(super) server: String,
    pub(super) roots: Option<Roots>,
    /// What opens it; an error where the file has nothing for its user that akia can use.
    pub(super) opening: Result<Opening, String>,
}

/// What a user of a kubeconfig is known by.
pub(super) enum Opening {
    Token(Secret),
    Program(Program),
}

/// A program that prints a token: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Program {
    pub(super) api_version: String,
    pub(super) command: String,
    #[serde(default)]
    pub(super) args: Option<Vec<String>>,
    #[serde(default)]
    pub(super) env: Option<Vec<Variable>>,
    #[serde(default)]
    pub(super) interactive_mode: Option<String>,
    #[serde(default)]
    pub(super) provide_cluster_info: bool,
}

#[derive(Deserialize)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: ClusterTable,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterTable {
    server: String,
    #[serde(default)]
    certificate_authority: Option<String>,
    #[serde(default)]
    certificate_authority_data: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    #[serde(default)]
    tls_server_name: Option<String>,
    #[serde(default)]
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: ContextTable,
}

#[derive(Deserialize)]
struct ContextTable {
    cluster: String,
    #[serde(default)]
    user: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: UserTable,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UserTable {
    #[serde(default)]
    token: Option<Wiped>,
    #[serde(default, rename = "tokenFile")]
    token_file: Option<String>,
    #[serde(default)]
    exec: Option<Program>,
    #[serde(default, rename = "as")]
    impersonated: Option<String>,
}

impl Context {
    /// Reads a context. The error is a clause and repeats nothing of what may be secret.
    pub(super) fn read(path: &Path, name: &str) -> Result<Self, String> {
        let bytes = contents(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "the file does not hold text".to_owned())?;
        // The parser's words may repeat a token.
        let file: File =
            serde_saphyr::from_str(text).map_err(|_| "the file is not the YAML of a kubeconfig".to_owned())?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let Some(NamedContext { context, .. }) = file.contexts.iter().find(|context| context.name == name) else {
            let there: Vec<&str> = file.contexts.iter().map(|context| context.name.as_str()).collect();
            return Err(format!("there is no such context; there are: {}", there.join(", ")));
        };
        let cluster = file.clusters.into_iter().find(|cluster| cluster.name == context.cluster);
        let cluster = cluster.ok_or_else(|| format!("its cluster \"{}\" is not in the file", context.cluster))?.cluster;
        for (is_there, what, instead) in [
            (cluster.insecure_skip_tls_verify, "insecure-skip-tls-verify", "put certificate-authority-data there"),
            (cluster.tls_server_name.is_some(), "tls-server-name", "name a server that its certificate names"),
            (cluster.proxy_url.is_some(), "proxy-url", "set HTTPS_PROXY"),
        ] {
            if is_there {
                return Err(format!("akia does not take {what} of its cluster; {instead}"));
            }
        }
        // As kubectl has it, data goes before a file.
        let roots = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
            (Some(data), _) => {
                let broken = |reason: &str| format!("its certificate-authority-data: {reason}");
                let pem = BASE64.decode(data.trim().as_bytes()).map_err(|_| broken("not base64"))?;
                Some(Roots::parse(pem).map_err(|reason| broken(&reason))?)
            }
            (None, Some(file)) => Some(roots_in(&folder.join(file))?),
            (None, None) => None,
        };
        let user = file.users.into_iter().find(|user| Some(&user.name) == context.user.as_ref());
        let opening = match user {
            Some(NamedUser { name, user }) => opening(folder, &name, user),
            None => Err("it has no user; set token in akia.toml".to_owned()),
        };
        Ok(Self { server: cluster.server, roots, opening })
    }
}

fn opening(folder: &Path, name: &str, user: UserTable) -> Result<Opening, String> {
    const INSTEAD: &str = "give akia a service account and set token in akia.toml to where its token is kept";
    if user.impersonated.is_some() {
        return Err(format!("its user \"{name}\" acts as another (as); {INSTEAD}"));
    }
    // As kubectl has it, a token in a file goes before one that stands there.
    match (user.token_file, user.token, user.exec) {
        (Some(file), _, _) => token_in(&folder.join(file)).map(Opening::Token),
        (None, Some(token), _) => {
            Secret::taken(&format!("the token of its user \"{name}\""), &token.0).map(Opening::Token)
        }
        (None, None, Some(program)) => Ok(Opening::Program(program)),
        (None, None, None) => Err(format!(
            "its user \"{name}\" has no token and no exec (client certificates, passwords and auth-provider are not taken); \
             {INSTEAD}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
apiVersion: v1
kind: Config
current-context: dev
clusters:
- {name: plain, cluster: {server: 'https://k:6443'}}
- {name: insecure, cluster: {server: 'https://k:6443', insecure-skip-tls-verify: true}}
- {name: proxied, cluster: {server: 'https://k:6443', proxy-url: 'http://p'}}
- {name: renamed, cluster: {server: 'https://k:6443', tls-server-name: other}}
- {name: broken, cluster: {server: 'https://k:6443', certificate-authority-data: '!'}}
contexts:
- {name: token, context: {cluster: plain, user: token}}
- {name: program, context: {cluster: plain, user: program}}
- {name: certificate, context: {cluster: plain, user: certificate}}
- {name: another, context: {cluster: plain, user: another}}
- {name: nobody, context: {cluster: plain, user: nobody}}
- {name: lost, context: {cluster: lost, user: token}}
- {name: insecure, context: {cluster: insecure, user: token}}
- {name: proxied, context: {cluster: proxied, user: token}}
- {name: renamed, context: {cluster: renamed, user: token}}
- {name: broken, context: {cluster: broken, user: token}}
users:
- {name: token, user: {token: canary}}
- {name: program, user: {exec: {apiVersion: v1, command: aws, args: [eks, get-token], env: null}}}
- {name: certificate, user: {client-certificate-data: canary, client-key-data: canary}}
- {name: another, user: {token: canary, as: root}}
";

    #[test]
    fn what_akia_cannot_do_as_kubectl_does_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, FILE).unwrap();
        let opening = |name: &str| Context::read(&path, name).and_then(|context| context.opening);
        assert!(matches!(opening("token"), Ok(Opening::Token(token)) if token.reveal() == "canary"));
        assert!(matches!(opening("program"), Ok(Opening::Program(program)) if program.command == "aws"));
        for (name, word) in [
            ("none", "there is no such context; there are: token, program,"),
            ("certificate", "has no token and no exec (client certificates"),
            ("another", "acts as another (as)"),
            ("nobody", "it has no user"),
            ("lost", "its cluster \"lost\" is not in the file"),
            ("insecure", "does not take insecure-skip-tls-verify"),
            ("proxied", "set HTTPS_PROXY"),
            ("renamed", "does not take tls-server-name"),
            ("broken", "certificate-authority-data: not base64"),
        ] {
            let error = opening(name).err().unwrap();
            assert!(error.contains(word) && !error.contains("canary"), "{error}");
        }
        std::fs::write(&path, "users:\n- {name: a, user: {token: [canary]}}").unwrap();
        let error = Context::read(&path, "a").err().unwrap();
        assert_eq!(error, "the file is not the YAML of a kubeconfig");
    }
}
