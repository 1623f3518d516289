//! Bundles: refs and a pack in one file, as `git bundle create` writes them.

use std::io::Read as _;
use std::path::Path;

use super::files;
use super::oid::{Format, ObjectId};
use super::refs::Refs;
use super::trouble::Trouble;

/// The longest list of refs.
const HEAD: u64 = 64 << 20;

/// What a bundle says in front of its pack.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) format: Format,
    pub(crate) refs: Refs,
    /// Where its pack begins.
    pub(crate) start: u64,
}

/// Whether a file begins as a bundle.
pub fn is_bundle(path: &Path) -> bool {
    let mut magic = [0; 15];
    files::open(path).is_ok_and(|mut file| {
        file.read_exact(&mut magic).is_ok() && magic.starts_with(b"# v") && magic.ends_with(b" git bundle")
    })
}

/// Reads what stands in front of a bundle's pack.
pub(crate) fn read(path: &Path) -> Result<Bundle, Trouble> {
    let mut bytes = Vec::new();
    files::open(path)?.take(HEAD).read_to_end(&mut bytes).map_err(|error| Trouble::io(&error))?;
    let end = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .ok_or_else(|| Trouble::corrupt("its list of refs does not end"))?;
    let mut bundle = Bundle { format: Format::Sha1, refs: Refs::default(), start: end as u64 + 2 };
    for line in bytes.get(..end).unwrap_or_default().split(|byte| *byte == b'\n').skip(1) {
        match line.first() {
            Some(b'@') if line == b"@object-format=sha256" => bundle.format = Format::Sha256,
            // Capabilities, and commits that the receiver has already.
            Some(b'@' | b'-') | None => {}
            Some(_) => {
                let space = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
                let object = line
                    .get(..space)
                    .and_then(ObjectId::from_hex)
                    .ok_or_else(|| Trouble::corrupt("one of its refs is broken"))?;
                let name = String::from_utf8_lossy(line.get(space + 1..).unwrap_or_default()).into_owned();
                if name == "HEAD" {
                    bundle.refs.head = Some(object);
                }
                bundle.refs.all.push((name, Some(object)));
            }
        }
    }
    Ok(bundle)
}
