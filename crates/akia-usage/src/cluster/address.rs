//! Where a scheduler is.

use std::fmt;
use std::str::FromStr;

/// The port of a scheduler where nobody says another: Ballista's own.
pub const DEFAULT_PORT: u16 = 50050;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name, or an IP address; IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no HOST:PORT, such as 10.0.0.7:50050")]
pub struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let wrong = || NoAddress(text.to_owned());
        let url = url::Url::parse(&format!("http://{text}")).map_err(|_| wrong())?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !text.ends_with('/');
        let host = url.host_str().filter(|_| is_bare && url.username().is_empty() && url.password().is_none());
        // A URL leaves the port of its scheme out.
        let port = url.port().or_else(|| text.ends_with(":80").then_some(80)).unwrap_or(DEFAULT_PORT);
        Ok(Self { host: host.ok_or_else(wrong)?.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_ports_alone() {
        let parsed = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(parsed("10.0.0.7:50051").unwrap(), "10.0.0.7:50051");
        assert_eq!(parsed("scheduler.example.internal").unwrap(), "scheduler.example.internal:50050");
        assert_eq!(parsed("[::1]:4000").unwrap(), "[::1]:4000");
        assert_eq!(parsed("localhost:80").unwrap(), "localhost:80");
        for wrong in ["", ":50050", "http://host:1", "host:port", "host:1/path", "host:1/", "me@host:1", "host:99999"] {
            assert_eq!(parsed(wrong), Err(NoAddress(wrong.to_owned())));
        }
    }
}
