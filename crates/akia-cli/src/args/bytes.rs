//! Sizes as people type them: `64MB`, `2GB`, `4096`.

use std::fmt;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 5] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (name, size) = unit.unwrap_or(("B", 1));
        formatter.pad(&format!("{}{name}", self.0 / size))
    }
}

/// Reads a size. Units are powers of 1,024; `K` and `KiB` are `KB`.
///
/// # Errors
/// Says what a size looks like.
pub fn parse(text: &str) -> Result<Bytes, String> {
    let wrong = || format!("{text:?} is not a size, such as 64MB or 2GB");
    let upper = text.trim().to_ascii_uppercase().replace("IB", "B");
    let end = upper.find(|c: char| !c.is_ascii_digit()).unwrap_or(upper.len());
    let (number, unit) = upper.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim();
    let size = match unit {
        "" => 1,
        _ => UNITS
            .into_iter()
            .find(|(name, _)| *name == unit || name.strip_suffix('B') == Some(unit))
            .map(|(_, size)| size)
            .ok_or_else(wrong)?,
    };
    number.checked_mul(size).map(Bytes).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_type_them() {
        for (text, bytes) in [("4096", 4096), ("64MB", 64 << 20), ("2 gib", 2 << 30), ("1k", 1024), ("0", 0)] {
            assert_eq!(parse(text), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "MB", "-1", "1.5GB", "3 parsecs", "99999999999999TB"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(Bytes(256 << 20).to_string(), "256MB");
        assert_eq!(Bytes(1000).to_string(), "1000B");
    }
}
