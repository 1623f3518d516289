//! The layers of images: what each holds, and what a later one does to it.
//! <https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::io::Read;

use akia_core::leak::{Place, Why};

use super::manifest::Images;
use crate::form::Form;
use crate::lookahead::Lookahead;
use crate::tar;
use crate::walk::Walk;

/// How many paths are remembered to tell what becomes of them: 16 bytes each.
const MOST: usize = 4 << 20;

/// All layers of all images.
pub(super) struct Layers {
    layers: Vec<Layer>,
    /// In which image layers follow on each other.
    orders: Vec<Vec<usize>>,
    remembered: usize,
}

struct Layer {
    member: String,
    /// What stands before `!` in a path.
    title: String,
    is_seen: bool,
    /// Paths by their hash: files that it holds, what it deletes, and folders of which it deletes what was in them.
    holds: HashSet<u64>,
    deletes: HashSet<u64>,
    empties: HashSet<u64>,
}

impl Layers {
    pub(super) fn new(images: &Images) -> Self {
        let mut layers: Vec<Layer> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut orders = Vec::new();
        for image in &images.0 {
            let mut order = Vec::new();
            for (number, member) in image.layers.iter().enumerate() {
                let index = *known.entry(member).or_insert_with(|| {
                    layers.push(Layer::new(member, number + 1));
                    layers.len() - 1
                });
                order.push(index);
            }
            orders.push(order);
        }
        Self { layers, orders, remembered: 0 }
    }

    /// The layer that a member is.
    pub(super) fn named(&self, member: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.member == member)
    }

    /// Members that are named and were not there.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().filter(|layer| !layer.is_seen).map(|layer| layer.title.as_str())
    }

    /// Looks at a layer.
    pub(super) fn look(&mut self, walk: &Walk<'_>, place: &Place, layer: usize, content: &mut dyn Read) {
        let Some(layer) = self.layers.get_mut(layer) else { return };
        layer.is_seen = true;
        let place = Place { path: layer.title.clone(), ..place.clone() };
        let mut reader = Lookahead::new(content);
        let form = match reader.peek(Form::HEAD) {
            Ok(head) => Form::of(head),
            Err(error) => return walk.failed(&place, &error),
        };
        let remembered = &mut self.remembered;
        if form.is_packed() {
            walk.unpack(&place, form, &mut reader, |unpacked| {
                layer.files(walk, &place, &mut Lookahead::new(unpacked), remembered, 2);
            });
        } else {
            layer.files(walk, &place, &mut reader, remembered, 1);
        }
    }

    /// Says of a place whether a later layer deletes or replaces the file.
    pub(super) fn amend(&self, place: &mut Place) {
        let Some((title, rest)) = place.path.split_once('!') else { return };
        let Some(own) = self.layers.iter().position(|layer| layer.title == title) else { return };
        let file = rest.split('!').next().unwrap_or_default();
        for order in &self.orders {
            let Some(at) = order.iter().position(|layer| *layer == own) else { continue };
            for (number, later) in order.iter().enumerate().skip(at + 1) {
                if let Some(fate) = self.layers.get(*later).and_then(|later| later.fate(file)) {
                    place.path = format!("{} ({fate} in layer {})", place.path, number + 1);
                    return;
                }
            }
        }
    }
}

impl Layer {
    fn new(member: &str, number: usize) -> Self {
        // `blobs/sha256/DIGEST`, `DIGEST/layer.tar`, `DIGEST.tar`: the digest is the part that tells something.
        let digest = member.split('/').find(|part| part.len() >= 64).unwrap_or(member);
        let digest = digest.strip_suffix(".tar").unwrap_or(digest);
        let digest = if digest.len() == 64 { format!("sha256:{digest}") } else { digest.to_owned() };
        Self {
            member: member.to_owned(),
            title: format!("layer {number} {digest}"),
            is_seen: false,
            holds: HashSet::new(),
            deletes: HashSet::new(),
            empties: HashSet::new(),
        }
    }

    fn files<R: Read>(
        &mut self,
        walk: &Walk<'_>,
        place: &Place,
        reader: &mut Lookahead<R>,
        remembered: &mut usize,
        depth: u32,
    ) {
        match reader.peek(Form::HEAD).map(|head| (head.is_empty(), Form::of(head))) {
            Ok((false, Form::Tar)) => {}
            // A layer without files is two empty blocks.
            Ok(_) => return walk.stream(place, reader, depth),
            Err(error) => return walk.failed(place, &error),
        }
        let end = tar::members(walk, place, reader, |member, content| {
            walk.name(&member.place, member.name);
            walk.name(&member.place, member.link);
            let name = String::from_utf8_lossy(member.name);
            if *remembered < MOST {
                *remembered += 1;
                self.remember(&name);
            } else if *remembered == MOST {
                *remembered += 1;
                let detail = format!(
                    "more than {MOST} files: of further ones it is not told whether a later layer deletes them"
                );
                walk.skip(place, Why::TooLarge, detail);
            }
            if member.has_content {
                walk.stream(&member.place, content, depth + 1);
            }
        });
        if let Err(error) = end {
            walk.failed(place, &error);
        }
    }

    fn remember(&mut self, name: &str) {
        let name = clean(name);
        let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
        match last.strip_prefix(".wh.") {
            Some(".wh..opq") => _ = self.empties.insert(hash(folder)),
            Some(gone) if folder.is_empty() => _ = self.deletes.insert(hash(gone)),
            Some(gone) => _ = self.deletes.insert(hash(&format!("{folder}/{gone}"))),
            None => _ = self.holds.insert(hash(name)),
        }
    }

    /// What this layer does to a file of an earlier one.
    fn fate(&self, file: &str) -> Option<&'static str> {
        let file = clean(file);
        if self.holds.contains(&hash(file)) {
            return Some("replaced");
        }
        let mut above = file;
        if self.deletes.contains(&hash(above)) {
            return Some("deleted");
        }
        while !above.is_empty() {
            above = above.rsplit_once('/').map_or("", |(folder, _)| folder);
            if self.empties.contains(&hash(above)) || !above.is_empty() && self.deletes.contains(&hash(above)) {
                return Some("deleted");
            }
        }
        None
    }
}

fn clean(name: &str) -> &str {
    name.trim_start_matches("./").trim_matches('/')
}

fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
