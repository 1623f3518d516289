//! `[serve]`: where `akia serve` listens, by which names it is reached, and who comes in.
//!
//! Invariant: no secret stands in the file, and what would leave the door open in silence is refused: a login without an address to
//! come back to, a role for a group that does not say which.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, de};
use toml::Spanned;

use super::SettingsError;
use super::secret_ref::SecretRef;
use super::table::{Word, fault, is_host, is_local, site, strings};

/// What is asked of a provider where nothing else is said; `openid` is asked for in any case.
const SCOPES: [&str; 2] = ["email", "profile"];
/// The claim that holds the groups where nothing else is said.
const GROUPS_CLAIM: &str = "groups";

/// What somebody may do at `akia serve`. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees their own keys only, and asks for an exemption of them.
    Owner,
    /// Sees, and changes nothing.
    Viewer,
    /// Approves plans, deactivates, reactivates, rotates, starts runs.
    Operator,
    /// Exempts, and switches enforcement off and on.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Viewer, Self::Operator, Self::Admin];

    /// Its name, as settings and pages write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such role; write \"owner\", \"viewer\", \"operator\" or \"admin\"")]
pub struct UnknownRole;

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The server of a team.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServeSettings {
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// The address that people type, without a path: `https://akia.example.com`.
    pub address: Option<String>,
    /// More names that it answers to, each with its port where that is not the scheme's own.
    pub hosts: Vec<String>,
    /// Whether a load balancer in front of it ends TLS.
    pub behind_proxy: bool,
    /// Its certificate.
    pub tls: Option<TlsFiles>,
    /// The file of tokens.
    pub tokens: Option<PathBuf>,
    /// The team's own login.
    pub oidc: Option<OidcSettings>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A provider of `OpenID` Connect, and who is what there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// Its address, as its tokens name it.
    pub issuer: String,
    /// What it calls akia.
    pub client_id: String,
    /// What akia shows it; nothing where it is registered as a public client.
    pub client_secret: Option<SecretRef>,
    /// The claim of the ID token that holds the groups.
    pub groups_claim: String,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// What each group may do.
    pub roles: BTreeMap<String, GroupRole>,
}

/// What those of a group may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRole {
    /// What.
    pub role: Role,
    /// The organisational units that they see, each by its path from the root; all where there is none.
    pub units: Vec<String>,
}

/// The server of a team.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ServeTable {
    /// Address and port to listen at; 127.0.0.1:7443.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    listen: Option<Spanned<String>>,
    /// The address that people type, without a path.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    address: Option<Spanned<String>>,
    /// More names that the server answers to.
    #[cfg_attr(test, schemars(with = "Vec<Word>"))]
    hosts: Vec<Spanned<Word>>,
    /// Whether a load balancer in front of it ends TLS; false.
    behind_proxy: bool,
    /// Its certificate.
    tls: Option<TlsTable>,
    /// The file of tokens, which `akia serve token` makes lines for.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    tokens: Option<Spanned<String>>,
    /// The team's own login.
    #[cfg_attr(test, schemars(with = "Option<OidcTable>"))]
    oidc: Option<Spanned<OidcTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TlsTable {
    /// PEM file of the chain, the server's own certificate first.
    #[cfg_attr(test, schemars(with = "String"))]
    certificate: Spanned<String>,
    /// PEM file of its private key.
    #[cfg_attr(test, schemars(with = "String"))]
    key: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OidcTable {
    /// The address of the provider, as its tokens name it.
    #[cfg_attr(test, schemars(with = "String"))]
    issuer: Spanned<String>,
    /// What the provider calls akia.
    client_id: Word,
    /// Where the secret is kept that akia shows the provider; left out for a public client.
    client_secret: Option<SecretRef>,
    /// The claim that holds the groups; groups.
    groups_claim: Option<Word>,
    /// What is asked for besides openid; email and profile.
    scopes: Option<Vec<Word>>,
    /// What each group may do: "viewer", or { role = "operator", units = ["Root/Prod"] }.
    #[serde(default)]
    roles: BTreeMap<String, GroupRole>,
}

/// Judges the table.
pub(super) fn serve(text: &str, table: ServeTable) -> Result<ServeSettings, SettingsError> {
    let ServeTable { listen, address, hosts, behind_proxy, tls, tokens, oidc } = table;
    let wrong = |at: std::ops::Range<usize>, what: &str| fault(text, Some(at), what);
    let listen = listen.map(|listen| {
        let read = listen.get_ref().parse();
        read.map_err(|_| wrong(listen.span(), "write an IP address and a port, for example \"0.0.0.0:7443\""))
    });
    let address = address.map(|address| {
        site(address.get_ref()).map(str::to_owned).ok_or_else(|| {
            wrong(address.span(), "write https:// and the host, without a path, for example https://akia.example.com")
        })
    });
    let address = address.transpose()?;
    let mut names = Vec::with_capacity(hosts.len());
    for host in hosts {
        let Word(name) = host.get_ref();
        if !is_host(name) {
            return Err(wrong(
                host.span(),
                "write the name alone, with its port where it is not 443: akia.example.com",
            ));
        }
        names.push(name.clone());
    }
    let path = |path: Spanned<String>| {
        if path.get_ref().starts_with('/') {
            Ok(PathBuf::from(path.into_inner()))
        } else {
            Err(wrong(path.span(), "the path of the file must begin with /"))
        }
    };
    let tls = match tls {
        Some(TlsTable { certificate, key }) => Some(TlsFiles { certificate: path(certificate)?, key: path(key)? }),
        None => None,
    };
    let tokens = tokens.map(path).transpose()?;
    let oidc = match oidc {
        Some(oidc) if address.is_none() => {
            let what = "whoever logs in there has to come back; write address = \"https://HOST\" under [serve]";
            return Err(wrong(oidc.span(), what));
        }
        Some(oidc) => Some(self::oidc(text, oidc)?),
        None => None,
    };
    Ok(ServeSettings { listen: listen.transpose()?, address, hosts: names, behind_proxy, tls, tokens, oidc })
}

fn oidc(text: &str, table: Spanned<OidcTable>) -> Result<OidcSettings, SettingsError> {
    let at = table.span();
    let OidcTable { issuer, client_id, client_secret, groups_claim, scopes, roles } = table.into_inner();
    let is_safe = issuer.get_ref().starts_with("https://") || is_local(issuer.get_ref());
    if !is_safe || issuer.get_ref().contains(['?', '#', ' ']) {
        let what = "write the address of the provider, https:// and all, as its page for developers names it";
        return Err(fault(text, Some(issuer.span()), what));
    }
    if roles.is_empty() {
        let what = "nobody could do anything; write which group may do what under [serve.oidc.roles]";
        return Err(fault(text, Some(at), what));
    }
    Ok(OidcSettings {
        issuer: issuer.into_inner(),
        client_id: client_id.0,
        client_secret,
        groups_claim: groups_claim.map_or_else(|| GROUPS_CLAIM.to_owned(), |claim| claim.0),
        scopes: scopes.map_or_else(|| SCOPES.map(str::to_owned).to_vec(), strings),
        roles,
    })
}

impl<'de> Deserialize<'de> for GroupRole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "write a role, \"viewer\", or { role = \"operator\", units = [\"Root/Prod\"] }";
        let (role, units) = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(role) => (role, Vec::new()),
            toml::Value::Table(mut table) => {
                let Some(toml::Value::String(role)) = table.remove("role") else { return Err(de::Error::custom(FORM)) };
                let units = match table.remove("units") {
                    None => Vec::new(),
                    // An empty list would let in everything where somebody meant nothing.
                    Some(toml::Value::Array(units)) if !units.is_empty() => units,
                    Some(_) => return Err(de::Error::custom(FORM)),
                };
                if !table.is_empty() {
                    return Err(de::Error::custom(FORM));
                }
                (role, units)
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => return Err(de::Error::custom(FORM)),
        };
        let unit = |unit: toml::Value| match unit {
            toml::Value::String(unit) if is_units_path(&unit) => Ok(unit),
            _ => Err(de::Error::custom("a unit is its path from the root, for example \"Root/Prod\"")),
        };
        let units = units.into_iter().map(unit).collect::<Result<_, _>>()?;
        Ok(Self { role: role.parse().map_err(de::Error::custom)?, units })
    }
}

/// Whether a text is a path of organisational units from the root. An empty one would stand for everything.
#[must_use]
pub fn is_units_path(text: &str) -> bool {
    !text.is_empty() && text.split('/').all(|unit| !unit.trim().is_empty())
}

#[cfg(test)]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{GroupRole, Role};

    impl JsonSchema for GroupRole {
        fn schema_name() -> Cow<'static, str> {
            "GroupRole".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let role = serde_json::json!({ "enum": Role::ALL.map(Role::as_str) });
            json_schema!({ "description": "What those of a group may do, and where.", "oneOf": [role, {
                "type": "object", "additionalProperties": false, "required": ["role"], "properties": {
                    "role": role,
                    "units": { "description": "Organisational units by their paths; all where there is none.",
                        "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
                },
            }] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const ALL: &str = r#"
[serve]
listen = "0.0.0.0:7443"
address = "https://akia.example.com/"
hosts = ["akia.internal:7443"]
tokens = "/etc/akia/tokens"

[serve.tls]
certificate = "/etc/akia/tls.crt"
key = "/etc/akia/tls.key"

[serve.oidc]
issuer = "https://example.okta.com"
client-id = "0oa1"
client-secret = { env = "AKIA_OIDC_SECRET" }
groups-claim = "roles"
scopes = ["email", "groups"]

[serve.oidc.roles]
"Security Team" = "admin"
prod = { role = "operator", units = ["Root/Prod"] }
"#;

    #[test]
    fn everything_about_the_server_is_read() {
        let serve = Settings::parse(ALL).unwrap().serve;
        assert_eq!(serve.address.as_deref(), Some("https://akia.example.com"));
        assert_eq!(serve.listen.unwrap().port(), 7443);
        let oidc = serve.oidc.unwrap();
        assert_eq!(oidc.roles["Security Team"], GroupRole { role: Role::Admin, units: Vec::new() });
        assert_eq!(oidc.roles["prod"], GroupRole { role: Role::Operator, units: vec!["Root/Prod".to_owned()] });
        assert_eq!((oidc.groups_claim.as_str(), oidc.scopes.len()), ("roles", 2));
        assert_eq!(Settings::parse("").unwrap().serve, ServeSettings::default());
    }

    #[test]
    fn a_slip_of_the_pen_is_named_with_what_to_write() {
        let oidc = "[serve]\naddress = \"https://a.example\"\n[serve.oidc]\nissuer = \"https://i.example\"\nclient-id = \"c\"\n";
        let errors: Vec<String> = [
            "[serve]\nlisten = \"7443\"".to_owned(),
            "[serve]\naddress = \"http://akia.example.com\"".to_owned(),
            "[serve]\naddress = \"https://akia.example.com/akia\"".to_owned(),
            "[serve]\nhosts = [\"https://akia.example.com\"]".to_owned(),
            "[serve]\ntokens = \"tokens\"".to_owned(),
            "[serve.tls]\ncertificate = \"/a\"".to_owned(),
            "[serve.oidc]\nissuer = \"https://i.example\"\nclient-id = \"c\"".to_owned(),
            oidc.to_owned(),
            oidc.replace("https://i.example", "http://i.example"),
            format!("{oidc}client-secret = \"hush\""),
            format!("{oidc}[serve.oidc.roles]\na = \"root\""),
            format!("{oidc}[serve.oidc.roles]\na = {{ role = \"viewer\", units = [] }}"),
            format!("{oidc}[serve.oidc.roles]\na = {{ role = \"viewer\", units = [\"Root//Prod\"] }}"),
            format!("{oidc}[serve.oidc.roles]\na = {{ role = \"viewer\", unit = \"Root\" }}"),
        ]
        .into_iter()
        .map(|text| format!("{}\n  {}", text.replace('\n', " ⏎ "), Settings::parse(&text).unwrap_err()))
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
