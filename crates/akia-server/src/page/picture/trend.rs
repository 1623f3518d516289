//! A line over time.

use std::fmt::Write as _;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::page::parts::count;

/// A line from the oldest point to the newest, from nothing up to the most. `points` are moments and counts, the oldest first.
pub(in crate::page) fn trend(points: &[(i64, u64)]) -> Markup {
    let most = points.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return html! {} };
    let place = |at: i64, value: u64| {
        let x = (at - first).saturating_mul(1_000).checked_div(last - first).unwrap_or(0);
        let y = 1_000 - value.saturating_mul(1_000).checked_div(most).unwrap_or(0);
        (x, y)
    };
    let mut line = String::new();
    for (at, value) in points {
        let (x, y) = place(*at, *value);
        let _ = write!(line, "{}{x} {y}", if line.is_empty() { "M" } else { " L" });
    }
    let day = |at: i64| Timestamp::from_second(at).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    html! {
        div.trend aria-hidden="true" {
            span.most { (count(most)) }
            span.least { "0" }
            svg viewBox="0 0 1000 1000" preserveAspectRatio="none" {
                path.area d={ (line) " V1000 H0 Z" } {}
                path.line d=(line) vector-effect="non-scaling-stroke" {}
            }
            p.ends { span { (day(*first)) } span { (day(*last)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::trend;

    #[test]
    fn a_line_goes_from_the_left_to_the_right_and_the_most_is_on_top() {
        let drawn = trend(&[(0, 5), (50, 10), (100, 0)]).into_string();
        assert!(drawn.contains("d=\"M0 500 L500 0 L1000 1000\""), "{drawn}");
        assert!(drawn.contains("1970-01-01"), "{drawn}");
    }

    #[test]
    fn one_audit_and_no_keys_are_drawn_without_a_fault() {
        assert!(trend(&[(7, 0)]).into_string().contains("d=\"M0 1000\""));
        assert_eq!(trend(&[]).into_string(), "");
    }
}
