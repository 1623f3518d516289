//! Spans of time as people write them on the command line and in settings: `90d`, `12h`, `30m`, `2w`, `1d12h`.

use jiff::SignedDuration;

/// Longest span taken: 100 years. More is a slip of the finger.
const LONGEST_SECONDS: i64 = 100 * 366 * 86_400;

/// Why a text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing was given.
    #[error("it is empty; write for example 90d, 12h, 30m or 2w")]
    Empty,
    /// A sign in front.
    #[error("a span of time has no sign; write for example 90d")]
    Signed,
    /// A number without a unit.
    #[error("{0} of what? Write {0}d for days, {0}h for hours, {0}m for minutes or {0}w for weeks")]
    NoUnit(String),
    /// No number before the unit.
    #[error("a whole number must stand before {0:?}; write for example 90d")]
    NoNumber(String),
    /// A unit that is none of ours.
    #[error("{0:?} is not a unit; the units are w (weeks), d (days), h (hours), m (minutes) and s (seconds)")]
    BadUnit(String),
    /// Units repeated or out of order.
    #[error("each unit may stand once, the largest first, as in 1w2d or 1d12h")]
    Order,
    /// Longer than 100 years.
    #[error("it is longer than 100 years")]
    TooLong,
}

/// Parses a span of time of at most 100 years: numbers with a unit, each unit once, the largest first.
///
/// # Errors
/// Says what is wrong and how it should look.
pub fn parse(text: &str) -> Result<SignedDuration, SpanError> {
    if text.is_empty() {
        return Err(SpanError::Empty);
    }
    if text.starts_with(['-', '+']) {
        return Err(SpanError::Signed);
    }
    let mut total: i64 = 0;
    let mut smaller_than = i64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(digits_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(SpanError::NoUnit(digits.to_owned()));
        }
        let seconds = unit_seconds(unit).ok_or_else(|| SpanError::BadUnit(unit.to_owned()))?;
        if digits.is_empty() {
            return Err(SpanError::NoNumber(unit.to_owned()));
        }
        if seconds >= smaller_than {
            return Err(SpanError::Order);
        }
        smaller_than = seconds;
        let count: i64 = digits.parse().map_err(|_| SpanError::TooLong)?;
        total = count.checked_mul(seconds).and_then(|part| total.checked_add(part)).ok_or(SpanError::TooLong)?;
        rest = after;
    }
    if total > LONGEST_SECONDS { Err(SpanError::TooLong) } else { Ok(SignedDuration::from_secs(total)) }
}

/// A duration in the form that the flags take, exact: `7d`, `1d12h`, `90s`.
#[must_use]
pub fn exact(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let mut rest = duration.unsigned_abs().as_secs();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = sign.to_owned();
    for (unit, seconds) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    text
}

fn unit_seconds(unit: &str) -> Option<i64> {
    match unit {
        "w" => Some(7 * 86_400),
        "d" => Some(86_400),
        "h" => Some(3_600),
        "m" => Some(60),
        "s" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, hours) in [("90d", 2160), ("12h", 12), ("120m", 2), ("2w", 336), ("1d12h", 36), ("0d", 0)] {
            assert_eq!(parse(text), Ok(SignedDuration::from_hours(hours)), "{text}");
        }
    }

    #[test]
    fn what_is_printed_exactly_is_read_again() {
        for seconds in [1, 59, 3600, 86_399, 604_800, 1_000_000] {
            let span = SignedDuration::from_secs(seconds);
            assert_eq!(parse(&exact(span)), Ok(span));
        }
    }

    #[test]
    fn durations_are_told_exactly() {
        for (seconds, shown) in [(0, "0s"), (604_800, "7d"), (129_600, "1d12h"), (90, "1m30s"), (-60, "-1m")] {
            assert_eq!(exact(SignedDuration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn malformed_spans_are_refused_with_what_to_write() {
        for (text, message) in [
            ("", "it is empty; write for example 90d, 12h, 30m or 2w"),
            ("90", "90 of what? Write 90d for days, 90h for hours, 90m for minutes or 90w for weeks"),
            ("-5d", "a span of time has no sign; write for example 90d"),
            ("d", "a whole number must stand before \"d\"; write for example 90d"),
            ("3mo", "\"mo\" is not a unit; the units are w (weeks), d (days), h (hours), m (minutes) and s (seconds)"),
            ("1.5d", "\".\" is not a unit; the units are w (weeks), d (days), h (hours), m (minutes) and s (seconds)"),
            ("90D", "\"D\" is not a unit; the units are w (weeks), d (days), h (hours), m (minutes) and s (seconds)"),
            ("2h1d", "each unit may stand once, the largest first, as in 1w2d or 1d12h"),
            ("1d1d", "each unit may stand once, the largest first, as in 1w2d or 1d12h"),
            ("99999999999999999999d", "it is longer than 100 years"),
            ("9999999999999d", "it is longer than 100 years"),
            ("200000d", "it is longer than 100 years"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text:?}");
        }
    }
}
