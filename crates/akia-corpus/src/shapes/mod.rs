//! The shapes of files in which keys leak.

mod code;
mod config;
mod encoded;
mod infrastructure;
mod pipelines;
mod tables;
mod texts;

use crate::{Dice, Planted};

/// What shapes have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Settings of programs.
    Config,
    /// Tables and documents of data.
    Tables,
    /// Source code.
    Code,
    /// What describes machines and clusters.
    Infrastructure,
    /// Builds, logs, histories of shells.
    Pipelines,
    /// Encoded as a whole or in part.
    Encoded,
    /// Prose, and what is a leak without being a pair.
    Texts,
}

/// A shape of file.
pub struct Shape {
    /// Its name, unique.
    pub name: &'static str,
    /// Which group it belongs to.
    pub group: Group,
    make: fn(&mut Dice) -> Planted,
}

impl Shape {
    /// The file of a seed.
    #[must_use]
    pub fn plant(&self, seed: u64) -> Planted {
        (self.make)(&mut Dice::new(seed, self.name))
    }
}

/// Makes a file.
type Make = fn(&mut Dice) -> Planted;

/// Every shape.
#[must_use]
pub fn shapes() -> Vec<Shape> {
    let groups: [(Group, &[(&'static str, Make)]); 7] = [
        (Group::Config, config::ALL),
        (Group::Tables, tables::ALL),
        (Group::Code, code::ALL),
        (Group::Infrastructure, infrastructure::ALL),
        (Group::Pipelines, pipelines::ALL),
        (Group::Encoded, encoded::ALL),
        (Group::Texts, texts::ALL),
    ];
    let all = groups
        .into_iter()
        .flat_map(|(group, shapes)| shapes.iter().map(move |(name, make)| Shape { name, group, make: *make }));
    all.collect()
}
