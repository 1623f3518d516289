//! The address of a server that is sent what opens a place.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `https://HOST`, or plain http to this machine, with a path or none: nothing else is sent a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerAddress(String);

/// Why a text is not the address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerAddressError {
    /// Not https, and not this machine.
    #[error("an address must begin with https:// (http:// is taken for this machine only)")]
    Insecure,
    /// More than an address, or less.
    #[error("write the address alone: https://HOST, without a user, a password, a query or blanks")]
    Form,
}

impl ServerAddress {
    /// One that a service is known by.
    pub(super) fn known(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// Says where a place is, unless it is where those of its kind are.
    pub(super) fn fmt_unless(&self, usual: &Self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self == usual { Ok(()) } else { write!(formatter, " at {self}") }
    }

    /// The address, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and path, to tell a server from others in a sentence.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.split_once("://").map_or(&*self.0, |(_, host)| host)
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = ServerAddressError;

    fn try_from(text: String) -> Result<Self, ServerAddressError> {
        let (rest, is_secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => return Err(ServerAddressError::Insecure),
        };
        let is_foreign = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\');
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty() || rest.contains(is_foreign) {
            return Err(ServerAddressError::Form);
        }
        // A port follows the last colon; the colons within brackets are those of an IPv6 address.
        let host =
            authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(authority, |(host, _)| host);
        let is_this_machine =
            host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || is_loopback(host);
        if !is_secure && !is_this_machine {
            return Err(ServerAddressError::Insecure);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

fn is_loopback(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

impl From<ServerAddress> for String {
    fn from(address: ServerAddress) -> Self {
        address.0
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_https_or_this_machine_only() {
        let parse = |text: &str| ServerAddress::try_from(text.to_owned()).map(|address| address.0);
        for (text, kept) in [
            ("https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3"),
            ("https://ghe.example.com:8443", "https://ghe.example.com:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(kept), "{text}");
        }
        for text in
            ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.example.com:80", "ftp://a", "ghe"]
        {
            assert_eq!(parse(text), Err(ServerAddressError::Insecure), "{text}");
        }
        for text in ["https://", "https:///path", "https://a:b@c", "https://a?b", "https://a#b", "https://a b"] {
            assert_eq!(parse(text), Err(ServerAddressError::Form), "{text}");
        }
    }
}
