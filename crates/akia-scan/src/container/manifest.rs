//! What an archive or layout says of its images: docker's `manifest.json`, and OCI's `index.json`.
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use std::collections::BTreeMap;

use serde_json::Value;

/// Indexes lead to indexes; real ones do once.
const DEEPEST: usize = 4;

/// The most images of one archive.
const MOST: usize = 1024;

/// An image: names of members.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) names: Vec<String>,
    pub(super) config: String,
    pub(super) layers: Vec<String>,
}

impl Image {
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// All images of an archive.
pub(super) struct Images(pub(super) Vec<Image>);

impl Images {
    pub(super) fn read(documents: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut images = Vec::new();
        if let Some(manifests) = document(documents, "manifest.json").as_ref().and_then(Value::as_array) {
            images.extend(manifests.iter().take(MOST).map(|manifest| Image {
                names: strings(manifest.get("RepoTags")),
                config: manifest.get("Config").and_then(Value::as_str).map(clean).unwrap_or_default(),
                layers: strings(manifest.get("Layers")).iter().map(|layer| clean(layer)).collect(),
            }));
        }
        if let Some(index) = document(documents, "index.json") {
            follow(documents, &index, &mut Vec::new(), 0, &mut images);
        }
        Self(images)
    }
}

/// Goes down an index.
fn follow(
    documents: &BTreeMap<String, Vec<u8>>,
    index: &Value,
    names: &mut Vec<String>,
    depth: usize,
    images: &mut Vec<Image>,
) {
    for entry in index.get("manifests").and_then(Value::as_array).into_iter().flatten() {
        if images.len() >= MOST || depth > DEEPEST {
            return;
        }
        let Some(manifest) = blob(entry).and_then(|name| document(documents, &name)) else { continue };
        let name = entry.pointer("/annotations/org.opencontainers.image.ref.name").and_then(Value::as_str);
        let before = names.len();
        names.extend(name.map(str::to_owned));
        if manifest.get("manifests").is_some() {
            follow(documents, &manifest, names, depth + 1, images);
        } else if let Some(config) = manifest.get("config").and_then(blob) {
            let layers: Vec<String> =
                manifest.get("layers").and_then(Value::as_array).into_iter().flatten().filter_map(blob).collect();
            // `docker save` says the same of an image in both ways.
            if !images.iter().any(|image| image.config == config && image.layers == layers) {
                images.push(Image { names: names.clone(), config, layers });
            }
        }
        names.truncate(before);
    }
}

/// The member that holds what a descriptor describes.
fn blob(descriptor: &Value) -> Option<String> {
    let (algorithm, digest) = descriptor.get("digest")?.as_str()?.split_once(':')?;
    Some(format!("blobs/{algorithm}/{digest}"))
}

fn document(documents: &BTreeMap<String, Vec<u8>>, name: &str) -> Option<Value> {
    serde_json::from_slice(documents.get(name)?).ok()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

fn clean(name: &str) -> String {
    name.trim_start_matches("./").to_owned()
}
