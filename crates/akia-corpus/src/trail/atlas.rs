//! The atlas of the corpus's world.

use std::net::IpAddr;

use akia_core::usage::{Atlas, Place};

use super::world::stretch_of;

/// Knows every address of the corpus.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorldAtlas;

impl Atlas for WorldAtlas {
    fn place(&self, address: IpAddr) -> Option<Place> {
        let stretch = stretch_of(address)?;
        Some(Place {
            country: Some(stretch.city.country.to_owned()),
            city: Some(stretch.city.name.to_owned()),
            point: Some((stretch.city.latitude, stretch.city.longitude)),
            radius_km: Some(20),
            asn: Some(stretch.asn),
            owner: Some(stretch.owner.to_owned()),
        })
    }
}
