//! Commits and tags: headers, an empty line, and a message.

use jiff::Timestamp;

use akia_core::leak::Part;

use super::oid::{Kind, ObjectId};

/// What a commit says of the history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Commit {
    pub(crate) tree: Option<ObjectId>,
    pub(crate) parents: Vec<ObjectId>,
    /// When it was made, in seconds.
    pub(crate) committed: i64,
}

impl Commit {
    /// Reads a commit.
    pub(crate) fn parse(commit: &[u8]) -> Self {
        let mut parsed = Self::default();
        for (name, value) in headers(commit) {
            match name {
                b"tree" if parsed.tree.is_none() => parsed.tree = ObjectId::from_hex(value),
                b"parent" => parsed.parents.extend(ObjectId::from_hex(value)),
                b"committer" => parsed.committed = seconds(value).unwrap_or(0),
                _ => {}
            }
        }
        parsed
    }
}

/// What a tag is on.
pub(crate) fn target(tag: &[u8]) -> Option<(ObjectId, Option<Kind>)> {
    let value = |wanted: &[u8]| headers(tag).find(|(name, _)| *name == wanted).map(|(_, value)| value);
    Some((ObjectId::from_hex(value(b"object")?)?, value(b"type").and_then(Kind::from_name)))
}

/// Who wrote a commit, or made a tag: `Name <mail>`, and when.
pub(crate) fn author(object: &[u8]) -> Option<(String, Option<Timestamp>)> {
    let (_, value) = headers(object).find(|(name, _)| matches!(*name, b"author" | b"tagger"))?;
    let end = value.iter().rposition(|byte| *byte == b'>').map_or(value.len(), |end| end + 1);
    let name = String::from_utf8_lossy(value.get(..end)?).trim().to_owned();
    Some((name, seconds(value).and_then(|seconds| Timestamp::from_second(seconds).ok())))
}

/// Which part of a commit or tag a byte stands in, and in which line of that part.
pub(crate) fn part(kind: Kind, object: &[u8], at: usize) -> (Part, u64) {
    let message = message(object);
    let lines = |range: &[u8]| range.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    if at >= message {
        let part = if kind == Kind::Tag { Part::TagMessage } else { Part::CommitMessage };
        return (part, lines(object.get(message..at).unwrap_or_default()));
    }
    let line_start =
        object.get(..at).unwrap_or_default().iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let line = object.get(line_start..).unwrap_or_default();
    let author = [&b"author "[..], b"committer ", b"tagger "].iter().any(|name| line.starts_with(name));
    (if author { Part::Author } else { Part::Header }, lines(object.get(..at).unwrap_or_default()))
}

/// Where the message begins.
fn message(object: &[u8]) -> usize {
    object.windows(2).position(|pair| pair == b"\n\n").map_or(object.len(), |end| end + 2)
}

/// The headers that stand on a line of their own; the further lines of a longer one begin with a space and are left out.
fn headers(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    object
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with(b" "))
        .filter_map(|line| line.iter().position(|byte| *byte == b' ').map(|end| line.split_at(end)))
        .map(|(name, value)| (name, value.get(1..).unwrap_or_default()))
}

/// The seconds of `Name <mail> 1700000000 +0100`.
fn seconds(person: &[u8]) -> Option<i64> {
    let end = person.iter().rposition(|byte| *byte == b'>')? + 1;
    let digits = person.get(end..)?.trim_ascii_start().split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &[u8] = b"tree e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\nparent 473a0f4c3be8a93681a267e3b1e9a7dcda118543\nauthor Ann <ann@example.com> 1700000000 +0100\ncommitter Bob <bob@example.com> 1700000001 +0100\ngpgsig -----BEGIN\n parent 0000000000000000000000000000000000000000\n -----END\n\nSubject\n\nparent of all\n";

    #[test]
    fn a_commit_is_read() {
        let commit = Commit::parse(COMMIT);
        assert_eq!(commit.tree.unwrap().to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(commit.parents.len(), 1);
        assert_eq!(commit.committed, 1_700_000_001);
        let (name, when) = author(COMMIT).unwrap();
        assert_eq!((name.as_str(), when.unwrap().as_second()), ("Ann <ann@example.com>", 1_700_000_000));
    }

    #[test]
    fn every_byte_stands_in_a_part() {
        let at = |text: &[u8]| COMMIT.windows(text.len()).position(|window| window == text).unwrap();
        assert_eq!(part(Kind::Commit, COMMIT, at(b"ann@")), (Part::Author, 3));
        assert_eq!(part(Kind::Commit, COMMIT, at(b"bob@")), (Part::Author, 4));
        assert_eq!(part(Kind::Commit, COMMIT, at(b"-----END")), (Part::Header, 7));
        assert_eq!(part(Kind::Commit, COMMIT, at(b"of all")), (Part::CommitMessage, 3));
        assert_eq!(part(Kind::Tag, b"object x\n\nmessage", 12), (Part::TagMessage, 1));
    }
}
