//! Short names for long texts.

use sha2::{Digest as _, Sha256};

/// The first 64 bits of the SHA-256 of a text: 16 hexadecimal digits. For names and comparisons, not against forgery.
#[must_use]
pub fn short(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
