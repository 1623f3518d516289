//! Moments that people write: a date, or a time with its zone.

use jiff::Timestamp;
use jiff::tz::Offset;

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no moment; write 2026-12-24, or 2026-12-24T18:00:00Z")]
pub struct NoMoment;

/// A date, taken for its first moment in UTC, or a moment with its zone. A time of day without one is neither: nobody knows
/// when that is.
///
/// # Errors
/// When it is none of these.
pub fn parse(text: &str) -> Result<Timestamp, NoMoment> {
    let date = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == "2026-12-24".len());
    let moment = match date {
        Some(date) => Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok(),
        None => text.parse().ok(),
    };
    moment.ok_or(NoMoment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_moment_and_a_time_needs_its_zone() {
        let at = |text: &str| parse(text).map(|moment| moment.to_string());
        assert_eq!(at("2026-11-01").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(at("2026-11-01T12:00:00Z").unwrap(), "2026-11-01T12:00:00Z");
        assert_eq!(at("2026-11-01T12:00:00+02:00").unwrap(), "2026-11-01T10:00:00Z");
        for text in ["2026-11-01T12:00:00", "2026-13-01", "yesterday", "", "20261101"] {
            assert_eq!(at(text), Err(NoMoment), "{text}");
        }
    }
}
