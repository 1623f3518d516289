//! Images of containers. There is no docker daemon where tests run: layouts are written here as the OCI image specification and
//! `docker save` have them, layers by `tar`, `gzip` and `zstd`.

use std::fs;
use std::path::Path;

use akia_core::leak::{Part, ScanReport, Why};
use akia_scan::{Limits, container};
use serde_json::json;

use crate::support::{Key, complete, id_places, key, paths, run, scan_with, told};

fn report(path: &Path) -> ScanReport {
    let scan = scan_with(Limits::default());
    container::scan(&scan, path);
    scan.ledger.into_report(Vec::new())
}

/// An image of three layers: the second deletes, empties and replaces files of the first.
struct Fixture {
    folder: tempfile::TempDir,
    kept: Key,
    deleted: Key,
    emptied: Key,
    replaced: Key,
    variable: Key,
    label: Key,
    argument: Key,
    config: serde_json::Value,
}

impl Fixture {
    fn new(number: u64) -> Self {
        let mut keys = (0..).map(|n| key(number + n));
        let mut next = || keys.next().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (kept, deleted, emptied, replaced) = (next(), next(), next(), next());
        let (variable, label, argument) = (next(), next(), next());
        for (layer, file, content) in [
            (1, "app/kept.env", kept.text()),
            (1, "app/.env", deleted.text()),
            (1, "cache/a/b", emptied.text()),
            (1, "etc/conf", replaced.text()),
            (2, "app/.wh..env", String::new()),
            (2, "cache/.wh..wh..opq", String::new()),
            (3, "etc/conf", "nothing".to_owned()),
        ] {
            let path = folder.path().join(format!("layer{layer}")).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for layer in 1..=3 {
            run(folder.path(), "tar", &["-cf", &format!("{layer}.tar"), "-C", &format!("layer{layer}"), "."]);
        }
        run(folder.path(), "gzip", &["2.tar"]);
        run(folder.path(), "zstd", &["-q", "3.tar"]);
        let config = json!({
            "config": {
                "Env": ["PATH=/bin", format!("AWS_ACCESS_KEY_ID={}", variable.id), format!("AWS_SECRET_ACCESS_KEY={}", variable.secret)],
                "Labels": { "key": label.id, "secret": label.secret },
            },
            "history": [{ "created_by": format!("|2 ID={} SECRET={} /bin/sh -c make", argument.id, argument.secret) }],
        });
        Self { folder, kept, deleted, emptied, replaced, variable, label, argument, config }
    }

    /// A layout as OCI has it, in a folder.
    fn oci(&self) -> std::path::PathBuf {
        let layout = self.folder.path().join("oci");
        fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let blob = |bytes: &[u8]| {
            // The names are as long as digests; nothing asks whether they are right.
            let digest =
                format!("{:064x}", bytes.iter().fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)));
            fs::write(layout.join("blobs/sha256").join(&digest), bytes).unwrap();
            json!({ "digest": format!("sha256:{digest}"), "size": bytes.len() })
        };
        let layers: Vec<_> = ["1.tar", "2.tar.gz", "3.tar.zst"]
            .map(|layer| blob(&fs::read(self.folder.path().join(layer)).unwrap()))
            .into();
        let config = blob(self.config.to_string().as_bytes());
        let manifest = blob(json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string().as_bytes());
        let inner = blob(json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string().as_bytes());
        fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [inner] }).to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        layout
    }

    #[track_caller]
    fn assert_in(&self, report: &ScanReport) {
        let one = |key: &Key| {
            let found = paths(report, key);
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].clone()
        };
        assert!(one(&self.kept).starts_with("layer 1 ") && one(&self.kept).ends_with("!./app/kept.env"));
        assert!(one(&self.deleted).ends_with("!./app/.env (deleted in layer 2)"), "{}", one(&self.deleted));
        assert!(one(&self.emptied).ends_with("!./cache/a/b (deleted in layer 2)"));
        assert!(one(&self.replaced).ends_with("!./etc/conf (replaced in layer 3)"));
        for (key, part) in
            [(&self.variable, Part::Variable), (&self.label, Part::Header), (&self.argument, Part::Header)]
        {
            assert!(one(key).starts_with("configuration of "));
            assert_eq!(id_places(report, key)[0].1, part);
        }
        complete(report);
    }
}

#[test]
fn a_layout_in_a_folder_and_in_an_archive() {
    let fixture = Fixture::new(400);
    let layout = fixture.oci();
    let of_folder = report(&layout);
    fixture.assert_in(&of_folder);
    assert!(paths(&of_folder, &fixture.kept)[0].starts_with("layer 1 sha256:0"));
    run(&layout, "tar", &["-cf", "../oci.tar", "."]);
    fixture.assert_in(&report(&fixture.folder.path().join("oci.tar")));
    run(fixture.folder.path(), "gzip", &["oci.tar"]);
    fixture.assert_in(&report(&fixture.folder.path().join("oci.tar.gz")));
}

#[test]
fn what_docker_saves() {
    let fixture = Fixture::new(420);
    let saved = fixture.folder.path().join("saved");
    let mut layers = Vec::new();
    for (number, layer) in ["1.tar", "2.tar.gz", "3.tar.zst"].into_iter().enumerate() {
        let name = format!("{number:064x}");
        fs::create_dir_all(saved.join(&name)).unwrap();
        fs::copy(fixture.folder.path().join(layer), saved.join(&name).join("layer.tar")).unwrap();
        layers.push(format!("{name}/layer.tar"));
    }
    fs::write(saved.join("abc.json"), fixture.config.to_string()).unwrap();
    let manifest = json!([{ "Config": "abc.json", "RepoTags": ["shop:1.2"], "Layers": layers }]);
    fs::write(saved.join("manifest.json"), manifest.to_string()).unwrap();
    run(&saved, "tar", &["-cf", "../saved.tar", "manifest.json", "abc.json", &layers[0], &layers[1], &layers[2]]);
    let whole = report(&fixture.folder.path().join("saved.tar"));
    fixture.assert_in(&whole);
    assert_eq!(paths(&whole, &fixture.variable), ["configuration of shop:1.2"]);

    // A layer that is named and not there.
    run(&saved, "tar", &["-cf", "../less.tar", "manifest.json", "abc.json", &layers[0]]);
    let less = report(&fixture.folder.path().join("less.tar"));
    paths(&less, &fixture.kept);
    assert!(told(&less, Why::Missing, "less.tar").contains("layer 2"));
}

#[test]
fn an_archive_that_is_no_image_is_told_and_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(440);
    fs::write(folder.path().join("k"), key.text()).unwrap();
    run(folder.path(), "tar", &["-cf", "k.tar", "k"]);
    let archive = report(&folder.path().join("k.tar"));
    assert_eq!(paths(&archive, &key), ["!k"]);
    told(&archive, Why::Missing, "k.tar");
    let plain = report(&folder.path().join("k"));
    paths(&plain, &key);
    told(&plain, Why::Unsupported, "k");
    told(&report(&folder.path().join("none")), Why::Missing, "none");
}
