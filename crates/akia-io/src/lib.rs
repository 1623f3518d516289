//! Everything of akia that touches the world: AWS, files, places, the journal's store.

pub mod aws;
