use super::writer::{UINT16, UINT32, Writer, double, map, number, text};
use super::*;

fn cities() -> Vec<u8> {
    let berlin = map(&[
        (
            "city",
            map(&[
                ("geoname_id", number(UINT32, 2_950_159)),
                ("names", map(&[("en", text("Berlin")), ("ru", text("Берлин"))])),
            ]),
        ),
        ("country", map(&[("iso_code", text("DE"))])),
        (
            "location",
            map(&[("accuracy_radius", number(UINT16, 20)), ("latitude", double(52.52)), ("longitude", double(13.4))]),
        ),
    ]);
    let country_alone = map(&[("country", map(&[("iso_code", text("FR"))]))]);
    Writer::new()
        .add("203.0.113.0", 24, &berlin)
        .add("198.51.100.0", 25, &country_alone)
        .add("2001:db8::", 32, &berlin)
        .bytes()
}

fn networks() -> Vec<u8> {
    let network = map(&[
        ("autonomous_system_number", number(UINT32, 64_496)),
        ("autonomous_system_organization", text("Example Telecom")),
    ]);
    Writer::new().add("203.0.113.0", 25, &network).bytes()
}

fn atlas(files: &[Vec<u8>]) -> FileAtlas {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..files.len()).map(|nth| folder.path().join(format!("{nth}.mmdb"))).collect();
    for (path, bytes) in paths.iter().zip(files) {
        std::fs::write(path, bytes).unwrap();
    }
    FileAtlas::open(&paths).unwrap()
}

#[test]
fn two_files_complete_each_other() {
    let atlas = atlas(&[cities(), networks()]);
    let place = |address: &str| atlas.place(address.parse().unwrap());
    let berlin = Place {
        country: Some("DE".to_owned()),
        city: Some("Berlin".to_owned()),
        point: Some((52.52, 13.4)),
        radius_km: Some(20),
        asn: Some(64_496),
        owner: Some("Example Telecom".to_owned()),
    };
    assert_eq!(place("203.0.113.9"), Some(berlin.clone()));
    // The other half of the range has no network, and an address of IPv6 its own city.
    let no_network = Place { asn: None, owner: None, ..berlin };
    assert_eq!(place("203.0.113.200"), Some(no_network.clone()));
    assert_eq!(place("2001:db8:7::1"), Some(no_network));
    assert_eq!(place("198.51.100.7"), Some(Place { country: Some("FR".to_owned()), ..Place::default() }));
    assert_eq!(place("198.51.100.200"), None);
    assert_eq!(place("2001:db9::1"), None);
}

#[test]
fn what_is_no_atlas_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("GeoLite2-City.tar.gz");
    let error = |path: &PathBuf| FileAtlas::open(std::slice::from_ref(path)).err().unwrap().to_string();
    assert!(error(&path).ends_with("GeoLite2-City.tar.gz: cannot read the atlas"));
    for bytes in [&b""[..], b"not an atlas", &cities()[..40]] {
        std::fs::write(&path, bytes).unwrap();
        assert!(error(&path).contains("it is no MaxMind DB file (.mmdb)"));
    }
}

#[test]
fn a_damaged_file_ends_nothing() {
    let whole = cities();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        if let Ok(file) = Reader::from_source(bytes) {
            let atlas = FileAtlas { files: vec![file] };
            for address in ["203.0.113.9", "198.51.100.7", "2001:db8::1", "8.8.8.8"] {
                let _ = atlas.place(address.parse().unwrap());
            }
        }
    }
}
