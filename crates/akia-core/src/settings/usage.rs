//! `[usage]`: what a team has to say before it is asked who uses which key.

use serde::Deserialize;
use toml::Spanned;

use super::SettingsError;
use super::table::fault;
use crate::usage::Cidr;

/// What is known of one's own that CloudTrail cannot tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageSettings {
    /// The networks that people and machines of one's own call from.
    pub own_networks: Vec<Cidr>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct UsageTable {
    /// Ranges of addresses of your own offices, VPNs and data centres, as in 203.0.113.0/24.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    own_networks: Vec<Spanned<String>>,
}

pub(super) fn usage(text: &str, table: UsageTable) -> Result<UsageSettings, SettingsError> {
    let own = |range: Spanned<String>| {
        Cidr::own(range.get_ref()).map_err(|error| fault(text, Some(range.span()), &error.to_string()))
    };
    Ok(UsageSettings { own_networks: table.own_networks.into_iter().map(own).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    fn parse(ranges: &str) -> Result<Settings, super::SettingsError> {
        Settings::parse(&format!("[usage]\nown-networks = [{ranges}]"))
    }

    #[test]
    fn own_networks_are_ranges() {
        let own = parse(r#""203.0.113.0/24", "2001:db8::/32", "198.51.100.7""#).unwrap().usage.own_networks;
        let own: Vec<String> = own.iter().map(ToString::to_string).collect();
        assert_eq!(own, ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"]);
    }

    #[test]
    fn a_slip_is_named_with_its_line_and_what_to_write() {
        let error = |ranges: &str| parse(ranges).unwrap_err().to_string();
        assert_eq!(
            error(r#""203.0.113.7/24""#),
            "line 2, own-networks in [usage]: 203.0.113.7/24 begins within the range; write 203.0.113.0/24"
        );
        assert!(error(r#""office""#).contains("is no range of addresses; write for example 203.0.113.0/24"));
        assert!(error(r#""0.0.0.0/0""#).contains("holds nearly all addresses"));
        assert!(error("7").contains("it is not a text in quotes"));
    }
}
