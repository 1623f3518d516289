//! Images of containers, as `docker save` and OCI layouts keep them: every layer, whatever a later one deletes.

mod layers;
mod manifest;
mod store;

use std::io::Read;
use std::path::Path;

use akia_core::leak::{Part, Place, Why};
use serde_json::Value;

use crate::Scan;
use crate::walk::Walk;
use layers::Layers;
use manifest::{Image, Images};
use store::Store;

/// Looks at an image: a tar archive, compressed or not, or a folder.
pub fn scan(scan: &Scan, path: &Path) {
    let place = Place {
        source: path.to_string_lossy().into_owned(),
        path: String::new(),
        part: Part::Content,
        line: None,
        offset: None,
        git: None,
    };
    let walk = Walk::new(scan);
    if let Err(error) = whole(&walk, &place, path) {
        if error.kind() == std::io::ErrorKind::NotFound {
            walk.skip(&place, Why::Missing, error.to_string());
        } else {
            walk.failed(&place, &error);
        }
    }
    walk.finish();
}

fn whole(walk: &Walk<'_>, place: &Place, path: &Path) -> std::io::Result<()> {
    let store = Store::open(path)?;
    let images = Images::read(&store.documents(walk, place)?);
    if images.0.is_empty() {
        let detail =
            "it has neither a manifest.json nor an index.json that leads to layers; it was scanned as an archive";
        walk.skip(place, Why::Missing, detail);
    }
    let mut layers = Layers::new(&images);
    store.members(walk, place, &mut |walk, member, name, content| {
        if let Some(layer) = layers.named(name) {
            layers.look(walk, place, layer, content);
        } else if images.0.iter().any(|image| image.config == name) {
            config(walk, place, &images, name, content);
        } else {
            walk.name(member, name.as_bytes());
            walk.stream(member, content, 1);
        }
    })?;
    for missing in layers.missing() {
        walk.skip(place, Why::Missing, format!("{missing} is named by a manifest and is not there"));
    }
    walk.amend(|place| layers.amend(place));
    Ok(())
}

/// The configuration of an image: variables and labels, and the commands that built it, with the arguments that they were given.
fn config(walk: &Walk<'_>, place: &Place, images: &Images, name: &str, content: &mut dyn Read) {
    let tags: Vec<&str> = images.0.iter().filter(|image| image.config == name).flat_map(Image::tags).collect();
    let title = if tags.is_empty() { name.to_owned() } else { tags.join(", ") };
    let place = Place { path: format!("configuration of {title}"), ..place.clone() };
    let mut bytes = Vec::new();
    if let Err(error) = (&mut *content).take(store::DOCUMENT).read_to_end(&mut bytes) {
        return walk.failed(&place, &error);
    }
    let Ok(json) = serde_json::from_slice::<Value>(&bytes) else {
        walk.skip(&place, Why::Corrupt, "it is no JSON; it was scanned as it is");
        walk.bytes(&place, &bytes, 1);
        return walk.stream(&place, content, 1);
    };
    let settings = json.get("config").or_else(|| json.get("container_config")).unwrap_or(&Value::Null);
    let variables = strings(settings.get("Env"));
    let labels: Vec<String> = settings
        .get("Labels")
        .and_then(Value::as_object)
        .map(|labels| {
            labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect()
        })
        .unwrap_or_default();
    let commands: Vec<String> =
        [settings.get("Entrypoint"), settings.get("Cmd")].into_iter().flat_map(strings).collect();
    let history: Vec<String> = json
        .get("history")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .flat_map(|step| ["created_by", "comment", "author"].map(|field| step.get(field)))
        .filter_map(|value| value.and_then(Value::as_str).map(str::to_owned))
        .collect();
    for (part, lines) in
        [(Part::Variable, variables), (Part::Header, labels), (Part::Header, commands), (Part::Header, history)]
    {
        walk.short(&Place { part, ..place.clone() }, lines.join("\n").as_bytes(), false);
    }
    // Whatever else stands in there; what was told above is not told again.
    walk.count_object();
    walk.count_bytes(bytes.len() as u64);
    walk.short(&place, &bytes, true);
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}
