//! Short names for long texts.

use sha2::{Digest as _, Sha256};

/// The first 128 bits of the SHA-256 of a text: 32 hexadecimal digits. For names that nobody may make coincide.
#[must_use]
pub fn long(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The whole SHA-256 of bytes: 64 hexadecimal digits. For evidence.
#[must_use]
pub fn full(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first 64 bits of the SHA-256 of a text: 16 hexadecimal digits. For names and comparisons, not against forgery.
#[must_use]
pub fn short(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
