//! Under which conditions the server begins at all.
//!
//! Invariant: whoever can reach it from another machine does so through TLS, under a name that was written down, and by a login.

use std::net::SocketAddr;

use akia_core::settings::ServeSettings;

/// How the server begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Whether other machines reach it.
    pub is_open: bool,
    /// Whether people come through TLS, whoever ends it.
    pub has_tls: bool,
}

/// Why it does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unsafe {
    what: String,
    /// What to write or to run instead.
    pub next: String,
}

/// Judges where the server is to listen, by what the settings say of it.
///
/// # Errors
/// When it would be open to whoever comes along.
pub fn opening(
    listen: SocketAddr,
    is_behind_proxy: bool,
    is_demo: bool,
    settings: &ServeSettings,
) -> Result<Opening, Unsafe> {
    let refused = |what: String, next: &str| Err(Unsafe { what, next: next.to_owned() });
    let is_open = !listen.ip().is_loopback() || is_behind_proxy;
    let has_tls = settings.tls.is_some() || is_behind_proxy;
    if !is_open {
        return Ok(Opening { is_open, has_tls });
    }
    let reached = if is_behind_proxy {
        "other machines reach it through the load balancer".to_owned()
    } else {
        format!("other machines reach {listen}")
    };
    if is_demo {
        return refused(format!("{reached}, and a demonstration is for this machine alone"), "akia serve --demo");
    }
    if !has_tls {
        return refused(
            format!("{reached}, and without TLS everybody on the way could read along and come in"),
            "write certificate and key under [serve.tls] in akia.toml; or, where a load balancer ends TLS: akia serve --behind-proxy",
        );
    }
    if settings.tokens.is_none() && settings.oidc.is_none() {
        return refused(
            format!("{reached}, and there is no login"),
            "write tokens = \"/FILE\" under [serve] in akia.toml and make one: akia serve token NAME --role viewer; or write [serve.oidc]",
        );
    }
    if settings.address.is_none() && settings.hosts.is_empty() {
        return refused(
            format!("{reached}, and which name it answers to is not said"),
            "write address = \"https://akia.example.com\" under [serve] in akia.toml",
        );
    }
    Ok(Opening { is_open, has_tls })
}

/// The names that the server answers to in `Host`. Where only this machine reaches it, also those of this machine.
#[must_use]
pub fn hosts(bound: SocketAddr, opening: &Opening, settings: &ServeSettings) -> Vec<String> {
    let mut hosts = settings.hosts.clone();
    if let Some(address) = &settings.address {
        let (scheme, host) = address.split_once("://").unwrap_or(("https", address));
        // Browsers leave the scheme's own port out.
        let port = if scheme == "http" { ":80" } else { ":443" };
        hosts.push(host.strip_suffix(port).unwrap_or(host).to_owned());
    }
    if !opening.is_open {
        hosts.extend([bound.to_string(), format!("localhost:{}", bound.port())]);
    }
    hosts
}

#[cfg(test)]
mod tests {
    use akia_core::settings::Settings;

    use super::*;

    const TLS: &str = "[serve.tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";

    fn judged(listen: &str, is_behind_proxy: bool, is_demo: bool, text: &str) -> Result<Opening, String> {
        let settings = Settings::parse(text).unwrap().serve;
        opening(listen.parse().unwrap(), is_behind_proxy, is_demo, &settings)
            .map_err(|refused| format!("{refused} -> {}", refused.next))
    }

    #[test]
    fn another_machine_comes_in_only_with_tls_a_login_and_a_name() {
        let login = "[serve]\ntokens = \"/t\"\n";
        let named = format!("{login}hosts = [\"akia.example.com\"]\n");
        for (listen, is_behind_proxy, is_demo, text, refused) in [
            ("127.0.0.1:7443", false, false, String::new(), None),
            ("[::1]:7443", false, true, String::new(), None),
            ("0.0.0.0:7443", false, false, named.clone(), Some("without TLS")),
            ("192.0.2.1:7443", false, false, TLS.to_owned(), Some("no login")),
            ("[::]:7443", false, false, format!("{login}{TLS}"), Some("which name")),
            ("0.0.0.0:7443", false, false, format!("{named}{TLS}"), None),
            ("0.0.0.0:7443", false, true, format!("{named}{TLS}"), Some("demonstration")),
            ("127.0.0.1:7443", true, false, login.to_owned(), Some("which name")),
            ("127.0.0.1:7443", true, false, "[serve]\nhosts = [\"a\"]".to_owned(), Some("no login")),
            ("0.0.0.0:7443", true, false, named.clone(), None),
        ] {
            let judged = judged(listen, is_behind_proxy, is_demo, &text);
            match (&judged, refused) {
                (Ok(_), None) => {}
                (Err(words), Some(part)) => assert!(words.contains(part), "{words}"),
                _ => panic!("{listen} {is_behind_proxy} {text}: {judged:?}"),
            }
        }
        assert!(judged("0.0.0.0:7443", true, false, &named).unwrap().has_tls, "cookies go through TLS only");
    }

    #[test]
    fn an_open_server_does_not_answer_to_the_names_of_this_machine() {
        let settings = |text: &str| Settings::parse(text).unwrap().serve;
        let bound: SocketAddr = "127.0.0.1:7443".parse().unwrap();
        let named = settings("[serve]\naddress = \"https://akia.example.com:443\"\nhosts = [\"a:1\"]");
        let open = Opening { is_open: true, has_tls: true };
        assert_eq!(hosts(bound, &open, &named), ["a:1", "akia.example.com"]);
        let closed = Opening { is_open: false, has_tls: false };
        assert_eq!(hosts(bound, &closed, &settings("")), ["127.0.0.1:7443", "localhost:7443"]);
    }
}
