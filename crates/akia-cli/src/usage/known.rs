//! What is known besides facts: networks, where addresses are, and how service users are called.

use akia_core::service::NamePrefix;
use akia_core::usage::{Atlas, AwsRanges, Networks, NoAtlas};
use akia_io::atlas::FileAtlas;

use crate::commands::usage::KnownArgs;
use crate::context::Context;
use crate::error::CommandError;

/// It, read from settings, flags and files of this machine. Nothing is fetched.
pub(super) struct Known {
    pub(super) networks: Networks,
    pub(super) atlas: Box<dyn Atlas>,
    pub(super) prefix: NamePrefix,
}

impl Known {
    pub(super) fn read(context: &Context, args: &KnownArgs) -> Result<Self, CommandError> {
        let settings = args.config.load(context)?.settings;
        let aws = match &args.ip_ranges {
            None => AwsRanges::default(),
            Some(path) => {
                let unusable = |error: &dyn std::fmt::Display| {
                    CommandError::failed(format_args!("{} cannot be used: {error}", path.display()))
                        .next("curl -O https://ip-ranges.amazonaws.com/ip-ranges.json")
                };
                let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
                AwsRanges::parse(&text).map_err(|error| unusable(&error))?
            }
        };
        let atlas: Box<dyn Atlas> = if args.mmdb.is_empty() {
            Box::new(NoAtlas)
        } else {
            let opened = FileAtlas::open(&args.mmdb).map_err(|error| {
                CommandError::failed(&error)
                    .next("name .mmdb files of cities, countries or networks, such as GeoLite2-City.mmdb")
            })?;
            Box::new(opened)
        };
        let mut own = settings.usage.own_networks;
        own.extend(&args.own_networks);
        Ok(Self { networks: Networks { own, aws }, atlas, prefix: settings.naming.prefix })
    }
}
