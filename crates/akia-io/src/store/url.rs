//! The address of a PostgreSQL server, as `AKIA_DATABASE` gives it.
//!
//! Invariant: the password never shows in what is printed. A server on another machine is reached through TLS, with its certificate
//! and name checked, unless the address itself says otherwise.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::any::AnyConnectOptions;
use url::{Host, Url};

/// What may stand behind the `?`; anything else would be passed over in silence.
const PARAMETERS: [&str; 6] = ["host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Arc<Url>);

/// Why an address cannot be used. None of these repeats the address: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is no address.
    #[error("the address of the database is no URL ({0})")]
    Malformed(String),
    /// It is the address of something else.
    #[error("the address of the database begins with {0:?}, not with postgres://")]
    Scheme(String),
    /// It does not say which machine.
    #[error("the address of the database names no host")]
    NoHost,
    /// It does not say which database.
    #[error("the address of the database names no database: postgres://USER@HOST/DATABASE")]
    NoDatabase,
    /// A parameter that nothing would heed.
    #[error("the address of the database has the parameter {0:?}, which akia does not know or has read already")]
    Parameter(String),
    /// A mode that is none.
    #[error("the address of the database has sslmode={0}, which is none")]
    Mode(String),
    /// The password could go over the network in plain text without anybody having said so.
    #[error("sslmode={mode} may speak to {host} without TLS")]
    Plain {
        /// The mode.
        mode: String,
        /// The server.
        host: String,
    },
}

impl DatabaseUrlError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Plain { .. } => {
                "leave sslmode out (then it is verify-full), or write sslmode=disable if the network is to be trusted"
            }
            Self::Mode(_) => "sslmode is disable, require, verify-ca or verify-full",
            Self::Parameter(_) => "the parameters are host, port, sslmode, sslrootcert, sslcert and sslkey, each once",
            Self::Malformed(_) | Self::Scheme(_) | Self::NoHost | Self::NoDatabase => {
                "AKIA_DATABASE=postgres://USER:PASSWORD@HOST/DATABASE"
            }
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = Url::parse(text).map_err(|error| DatabaseUrlError::Malformed(error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(DatabaseUrlError::Scheme(format!("{}:", url.scheme())));
        }
        if url.path().trim_start_matches('/').is_empty() {
            return Err(DatabaseUrlError::NoDatabase);
        }
        let mut seen: Vec<(String, String)> = Vec::new();
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&&*name) || seen.iter().any(|(known, _)| *known == name) {
                return Err(DatabaseUrlError::Parameter(name.into_owned()));
            }
            seen.push((name.into_owned(), value.into_owned()));
        }
        let parameter = |wanted: &str| seen.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        // The parameter goes before, as it does for every reader of such addresses.
        let host = match parameter("host") {
            Some(host) => host,
            None => url.host().map_or_else(String::new, decoded),
        };
        if host.is_empty() {
            return Err(DatabaseUrlError::NoHost);
        }
        match (parameter("sslmode").as_deref(), is_here(&host)) {
            (Some("disable" | "require" | "verify-ca" | "verify-full"), _) | (Some("allow" | "prefer"), true) => {}
            (Some(mode @ ("allow" | "prefer")), false) => {
                return Err(DatabaseUrlError::Plain { mode: mode.to_owned(), host });
            }
            (Some(mode), _) => return Err(DatabaseUrlError::Mode(mode.to_owned())),
            // Written out, so that no variable of the environment changes it.
            (None, here) => {
                url.query_pairs_mut().append_pair("sslmode", if here { "prefer" } else { "verify-full" });
            }
        }
        Ok(Self(Arc::new(url)))
    }
}

impl DatabaseUrl {
    /// What another pool of connections to the same server is made with. It holds the password; errors of it do not.
    ///
    /// # Errors
    /// When the driver does not take the address.
    pub fn connect_options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        Ok(AnyConnectOptions::from_url(&self.0)?.disable_statement_logging())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Url::clone(&self.0);
        // Neither fails for an address that has a host; and if one did, nothing of the password may show.
        let hidden = shown.password().is_none() || shown.set_password(Some("***")).is_ok();
        shown.set_query(None);
        if hidden { formatter.write_str(shown.as_str()) } else { formatter.write_str("postgres://***") }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseUrl({self})")
    }
}

fn decoded(host: Host<&str>) -> String {
    match host {
        Host::Domain(name) => percent_decode_str(name).decode_utf8_lossy().into_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

/// Whether what is said to this host stays on the machine: a socket in a folder, or the loopback.
fn is_here(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> Result<String, DatabaseUrlError> {
        let url: DatabaseUrl = text.parse()?;
        Ok(url.0.query_pairs().find(|(name, _)| name == "sslmode").unwrap().1.into_owned())
    }

    #[test]
    fn a_server_elsewhere_is_reached_through_tls_unless_the_address_says_otherwise() {
        for (text, expected) in [
            ("postgres://akia@db.example/akia", "verify-full"),
            ("postgresql://akia@10.0.0.7:6432/akia?sslrootcert=/etc/rds.pem", "verify-full"),
            ("postgres://akia@db.example/akia?sslmode=require", "require"),
            ("postgres://akia@db.example/akia?sslmode=disable", "disable"),
            ("postgres://akia@localhost/akia", "prefer"),
            ("postgres://akia@127.0.0.1/akia?sslmode=allow", "allow"),
            ("postgres://akia@[::1]/akia", "prefer"),
            ("postgres://akia@%2Fvar%2Frun%2Fpostgresql/akia", "prefer"),
            ("postgres:///akia?host=/var/run/postgresql", "prefer"),
            // The parameter wins over what stands before the path.
            ("postgres://akia@localhost/akia?host=db.example", "verify-full"),
        ] {
            assert_eq!(mode(text).as_deref(), Ok(expected), "{text}");
        }
        let plain = |mode: &str| DatabaseUrlError::Plain { mode: mode.to_owned(), host: "db.example".to_owned() };
        for (text, expected) in [
            ("postgres://akia@db.example/akia?sslmode=prefer", plain("prefer")),
            ("postgres://akia@db.example/akia?sslmode=allow", plain("allow")),
            ("postgres://akia@localhost/akia?host=db.example&sslmode=prefer", plain("prefer")),
            ("postgres://db.example/akia?sslmode=off", DatabaseUrlError::Mode("off".to_owned())),
            (
                "postgres://db.example/akia?sslmode=require&sslmode=disable",
                DatabaseUrlError::Parameter("sslmode".to_owned()),
            ),
            ("postgres://db.example/akia?password=x", DatabaseUrlError::Parameter("password".to_owned())),
            ("postgres://db.example/akia?hostaddr=10.0.0.1", DatabaseUrlError::Parameter("hostaddr".to_owned())),
            ("postgres://db.example", DatabaseUrlError::NoDatabase),
            ("postgres:///akia", DatabaseUrlError::NoHost),
            ("mysql://db.example/akia", DatabaseUrlError::Scheme("mysql:".to_owned())),
        ] {
            assert_eq!(mode(text), Err(expected), "{text}");
        }
        assert!(matches!(mode("akia"), Err(DatabaseUrlError::Malformed(_))));
    }

    #[test]
    fn a_password_never_shows() {
        let url: DatabaseUrl = "postgres://akia:s3cr%40t@db.example:6432/akia?sslmode=require".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://akia:***@db.example:6432/akia");
        assert!(!format!("{url:?} {url:#?}").contains("s3cr"));
        assert!(url.0.as_str().contains("s3cr%40t"), "this test must be able to find it");
        let without: DatabaseUrl = "postgres://akia@localhost/akia".parse().unwrap();
        assert_eq!(without.to_string(), "postgres://akia@localhost/akia");
    }
}
