//! A scan with everything that can go wrong in one.

use akia_core::leak::{
    Class, Confidence, Coverage, Found, FoundSecret, GitPlace, Hidden, Kind, Part, Place, Reach, ScanReport, Sighting,
    Why,
};
use akia_core::{AccessKeyId, SecretAccessKey};

fn found(id: Option<&str>, secret: Option<char>, line: u64) -> Found {
    let secret =
        secret.map(|letter| SecretAccessKey::parse(format!("Ab+/{}", letter.to_string().repeat(36))).ok().unwrap());
    Found {
        kind: if id.is_some() { Kind::LongTerm } else { Kind::SecretOnly },
        class: Class::Real,
        id: id.map(|id| id.parse::<AccessKeyId>().unwrap()),
        secret: secret.map(|secret| FoundSecret { secret, span: 0..40, line }),
        session_token: false,
        encodings: Vec::new(),
        confidence: Confidence::High,
        span: 0..20,
        line,
        hidden: None,
    }
}

fn git(first_seen: &str, reach: Reach) -> GitPlace {
    GitPlace {
        object: Some("b".repeat(40)),
        commit: Some("c".repeat(40)),
        author: Some("Ann <b>O'Neil</b> <ann@example.com>".to_owned()),
        first_seen: Some(first_seen.parse().unwrap()),
        last_commit: Some("d".repeat(40)),
        last_seen: Some("2026-05-01T00:00:00Z".parse().unwrap()),
        reach,
    }
}

/// Two real keys at four places, one of them hidden; a secret alone; a key of documentation, a canary; two things not looked at.
pub(super) fn report() -> ScanReport {
    // Put together here, so that no scanner takes this file for a leak.
    let real = |tail: &str| format!("AKIA{tail}");
    let mut sightings = Vec::new();
    let mut see = |found: Found, place: Place| sightings.push(Sighting { found, place });
    let first = real("Y3FDOEXAMPLO2AAA");
    see(
        found(Some(&first), Some('x'), 3),
        Place { git: Some(git("2025-01-02T03:04:05Z", Reach::Refs)), ..Place::in_file(".", "conf/old.env", 3) },
    );
    see(
        found(Some(&first), Some('x'), 7),
        Place {
            git: Some(git("2025-03-02T03:04:05Z", Reach::Head)),
            ..Place::in_file(".", "src/<script>alert(1)</script>.py", 7)
        },
    );
    let mut hidden = found(Some(&first), Some('x'), 9);
    hidden.hidden = Some(Hidden::Comment);
    see(hidden, Place::in_file(".", "tests/data.txt", 9));
    let second = real("Y3FDOEXAMPLO3BBB");
    see(
        found(Some(&second), None, 1),
        Place {
            git: Some(git("2024-12-31T23:59:59Z", Reach::Dangling)),
            part: Part::CommitMessage,
            ..Place::in_file(".", "", 2)
        },
    );
    see(found(None, Some('s'), 4), Place::in_file(".", "a,b\u{202e}.ini", 4));
    let mut example = found(Some("AKIAIOSFODNN7EXAMPLE"), None, 1);
    example.class = Class::Documentation;
    see(example, Place::in_file(".", "README.md", 1));
    let mut canary = found(Some(&real("Y3FDOEXAMPLO4CCC")), None, 1);
    canary.class = Class::Canary;
    see(canary, Place::in_file(".", "trap", 1));
    let mut coverage = Coverage::default();
    coverage.looked_at(1_234, 56_789_000);
    coverage.skip("repo/secret.7z", Why::Unsupported, "7z");
    coverage.skip("object 0123", Why::Missing, "a partial clone; fetch it with git fetch --refetch");
    ScanReport::new(vec![".".to_owned()], sightings, coverage)
}

/// A text of this report for a snapshot: without what scanners take for keys, and without the version.
pub(super) fn masked(text: &str) -> String {
    text.replace("AKIAY3FD", "[AKIA]Y3FD").replace(crate::audit::words::VERSION, "[version]")
}
