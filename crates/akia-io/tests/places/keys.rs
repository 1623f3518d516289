//! Keys that are nobody's.

use akia_core::{AccessKeyId, SecretAccessKey};
use akia_io::place::KeyPair;

/// Key number `n`, of the documentation's form.
pub(crate) fn id(n: usize) -> AccessKeyId {
    format!("AKIAIOSFODNN{n:03}EXAMP").parse().unwrap()
}

pub(crate) fn secret(n: usize) -> String {
    format!("wJalrXUtnFEMI/K7MDENG/bPxRfiCY{n:03}AMPLEKEY")
}

pub(crate) fn pair(n: usize) -> KeyPair {
    KeyPair { id: id(n), secret: SecretAccessKey::parse(secret(n)).ok().unwrap() }
}
