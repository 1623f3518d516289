//! How many findings of each severity earlier audits of the same accounts had: a small picture for each, since 30,000 of one
//! and 3 of another share no scale, and all numbers as a table.

use akia_core::finding::Severity;
use jiff::Timestamp;

use super::super::words::{counted, thousands};
use crate::forms::table::{Cell, Kind, Table};
use crate::forms::xml::push;

/// One audit of the trend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendPoint {
    /// When.
    pub at: Timestamp,
    /// Findings of each severity, the gravest first.
    pub counts: [usize; Severity::ALL.len()],
    /// Whether everything was read.
    pub is_whole: bool,
    /// What it was judged by, hashed.
    pub settings: String,
}

/// Width and height of a picture, as wide as the others of the page.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 428.0;
const TOP: f64 = 14.0;
const BASE: f64 = 104.0;
/// Rows of the table.
const MOST_ROWS: usize = 60;

/// The section; nothing where there is no earlier audit to compare with.
pub(super) fn section(html: &mut String, points: &[TrendPoint]) {
    let [first, .., last] = points else { return };
    html.push_str("<h2 id=\"trend\">Trend</h2>\n<div class=\"pictures\">\n");
    for (index, severity) in Severity::ALL.into_iter().enumerate() {
        strip(html, points, index, severity);
    }
    html.push_str("</div>\n");
    push(
        html,
        format_args!(
            "<p class=\"soft\">{} of the same accounts, from {} to {}. Each picture has a scale of its own.",
            counted(points.len(), "audit"),
            date(first.at),
            date(last.at)
        ),
    );
    if points.iter().any(|point| !point.is_whole) {
        html.push_str(" A hollow mark is an audit that was not whole: there may have been more.");
    }
    if changes(points).next().is_some() {
        html.push_str(
            " A dashed line stands where the settings were changed: what is left of it was judged by others.",
        );
    }
    html.push_str("</p>\n<details><summary>The numbers</summary>\n");
    let mut columns = vec![("Audit of", Kind::Whole)];
    let names = ["Critical", "High", "Medium", "Low", "Info"];
    columns.extend(names.map(|name| (name, Kind::Number)));
    columns.push(("Whole", Kind::Word));
    let table = Table {
        id: "trend-table",
        caption: "Findings by severity, the latest audit first",
        columns: &columns,
        most_rows: MOST_ROWS,
        elsewhere: "The CSV and JSONL forms have all.",
    };
    let rows = points.iter().rev().map(|point| {
        let mut row = vec![Cell::text(&crate::forms::page::moment(point.at))];
        row.extend(point.counts.map(Cell::number));
        row.push(Cell::text(if point.is_whole { "yes" } else { "no" }));
        row
    });
    // Older ones are in the history, and nobody looks for them in a page.
    table.push(html, points.len().min(MOST_ROWS), rows);
    html.push_str("</details>\n");
}

fn strip(html: &mut String, points: &[TrendPoint], index: usize, severity: Severity) {
    let counts = || points.iter().map(|point| point.counts[index]);
    let most = counts().max().unwrap_or_default();
    let (first, last) = (counts().next().unwrap_or_default(), counts().next_back().unwrap_or_default());
    let places = places(points, index, most);
    push(
        html,
        format_args!(
            "<figure>\n<h3 id=\"trend-{severity}\"><span class=\"severity {severity}\">{severity}</span>: {}</h3>\n\
             <svg class=\"{severity}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"trend-{severity}\" \
             aria-describedby=\"trend-{severity}-words\">\n<desc id=\"trend-{severity}-words\">From {} to {}, at most {}.</desc>\n",
            thousands(last),
            thousands(first),
            thousands(last),
            thousands(most)
        ),
    );
    push(
        html,
        format_args!(
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{TOP}\" x2=\"{RIGHT}\" y2=\"{TOP}\"/>\
             <line class=\"axis\" x1=\"{LEFT}\" y1=\"{BASE}\" x2=\"{RIGHT}\" y2=\"{BASE}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">0</text>\
             <text x=\"{LEFT}\" y=\"{}\">{}</text><text x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 6.0,
            TOP + 4.0,
            thousands(most.max(1)),
            LEFT - 6.0,
            BASE + 4.0,
            BASE + 20.0,
            points.first().map(|point| date(point.at)).unwrap_or_default(),
            BASE + 20.0,
            points.last().map(|point| date(point.at)).unwrap_or_default()
        ),
    );
    for change in changes(points) {
        let x = f64::midpoint(places[change - 1].0, places[change].0);
        push(html, format_args!("<line class=\"even\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BASE}\"/>\n"));
    }
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    push(html, format_args!("<path class=\"trend\" d=\"M{}\"/>\n", path.join("L")));
    for (point, (x, y)) in points.iter().zip(&places) {
        let class = if point.is_whole { "mark" } else { "hollow" };
        let count = counted(point.counts[index], "finding");
        push(
            html,
            format_args!(
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}: {count}</title></circle>\n",
                date(point.at)
            ),
        );
    }
    html.push_str("</svg>\n</figure>\n");
}

/// Where the settings differ from those of the audit before.
fn changes(points: &[TrendPoint]) -> impl Iterator<Item = usize> {
    points.windows(2).enumerate().filter(|(_, pair)| pair[0].settings != pair[1].settings).map(|(index, _)| index + 1)
}

#[expect(clippy::cast_precision_loss, reason = "a picture is not that precise")]
fn places(points: &[TrendPoint], index: usize, most: usize) -> Vec<(f64, f64)> {
    let second = |point: &TrendPoint| point.at.as_second() as f64;
    let (from, to) = (points.first().map_or(0.0, second), points.last().map_or(0.0, second));
    // Two audits of one second stand at its end.
    let share = |point: &TrendPoint| if to > from { (second(point) - from) / (to - from) } else { 1.0 };
    let place = |point: &TrendPoint| {
        let height = point.counts[index] as f64 / most.max(1) as f64;
        (LEFT + share(point).clamp(0.0, 1.0) * (RIGHT - LEFT), BASE - height * (BASE - TOP))
    };
    points.iter().map(place).collect()
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(counts: &[[usize; 5]]) -> Vec<TrendPoint> {
        let from: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let point = |(day, counts): (i64, &[usize; 5])| TrendPoint {
            at: from + jiff::SignedDuration::from_hours(day * 24),
            counts: *counts,
            is_whole: day != 1,
            settings: if day < 2 { "a" } else { "b" }.to_owned(),
        };
        (0..).zip(counts).map(point).collect()
    }

    #[test]
    fn a_single_audit_has_no_trend() {
        let mut html = String::new();
        section(&mut html, &points(&[[1, 2, 3, 4, 5]]));
        assert_eq!(html, "");
    }

    #[test]
    fn each_severity_has_its_picture_and_what_limits_it_is_said() {
        let mut html = String::new();
        section(&mut html, &points(&[[0, 1_500, 3, 4, 5], [0, 800, 3, 4, 5], [0, 3_000, 3, 4, 5]]));
        assert_eq!((html.matches("<svg").count(), html.matches("<path").count()), (5, 5));
        assert!(html.contains("From 1,500 to 3,000, at most 3,000."));
        assert_eq!(html.matches("class=\"hollow\"").count(), 5, "one audit was not whole");
        assert_eq!(html.matches("class=\"even\"").count(), 5, "the settings were changed once");
        assert!(html.contains("A hollow mark is") && html.contains("A dashed line stands"));
        assert!(
            html.find("2026-11-03 00:00 UTC").unwrap() < html.find("2026-11-01 00:00 UTC").unwrap(),
            "latest first"
        );
    }

    #[test]
    fn places_are_within_the_picture() {
        let all = points(&[[0, 5, 0, 0, 0], [0, 0, 0, 0, 0], [0, 10, 0, 0, 0]]);
        assert_eq!(
            places(&all, 1, 10),
            [(LEFT, f64::midpoint(TOP, BASE)), (f64::midpoint(LEFT, RIGHT), BASE), (RIGHT, TOP)]
        );
        assert!(places(&all, 0, 0).iter().all(|(_, y)| *y == BASE), "nothing found is the base line");
    }
}
