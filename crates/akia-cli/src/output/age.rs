//! Spans of time as people say them: `400d`, `12h`, `5m`.

use jiff::Timestamp;

pub use akia_core::span::exact;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long ago `at` was, in its largest unit, rounded down; `now` below a minute; `in 3d` for the future.
#[must_use]
pub fn between(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    if seconds <= -MINUTE {
        return format!("in {}", largest(-seconds));
    }
    if seconds < MINUTE { "now".to_owned() } else { largest(seconds) }
}

fn largest(seconds: i64) -> String {
    match seconds {
        s if s >= DAY => format!("{}d", s / DAY),
        s if s >= HOUR => format!("{}h", s / HOUR),
        s => format!("{}m", s / MINUTE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for (at, shown) in [
            ("2025-10-19T12:00:00Z", "400d"),
            ("2026-11-22T12:00:00Z", "1d"),
            ("2026-11-22T12:00:01Z", "23h"),
            ("2026-11-23T11:01:00Z", "59m"),
            ("2026-11-23T11:59:01Z", "now"),
            ("2026-11-23T12:00:30Z", "now"),
            ("2026-11-26T12:00:00Z", "in 3d"),
        ] {
            assert_eq!(between(at.parse().unwrap(), now), shown, "{at}");
        }
    }
}
