//! The two pictures, as SVG that needs neither script nor network.

use std::collections::BTreeMap;

use akia_core::finding::Severity;

use super::super::words::{counted, thousands};
use crate::forms::xml::push;

/// One active key, as far as the pictures show it.
pub(super) struct Dot {
    /// Whole days since it was made; `None` where that is not known.
    pub(super) age_days: Option<i64>,
    /// Its last use.
    pub(super) used: Used,
    /// The gravest finding about it.
    pub(super) worst: Option<Severity>,
}

/// The last use of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    Never,
    DaysAgo(i64),
    Unknown,
}

/// Upper ends of the bins in days, and their names.
const BINS: [(i64, &str); 7] = [
    (30, "0–30 d"),
    (90, "31–90 d"),
    (180, "91–180 d"),
    (365, "to 1 y"),
    (730, "1–2 y"),
    (1_095, "2–3 y"),
    (i64::MAX, "over 3 y"),
];

/// Width and height of a picture; the text is 12 high and stays readable where a phone shows it at 340.
const WIDTH: i32 = 440;
const HEIGHT: i32 = 290;

/// The ages of the active keys as bars, with the numbers in words and as a table.
pub(super) fn ages(html: &mut String, dots: &[Dot]) {
    let ages = || dots.iter().filter_map(|dot| dot.age_days);
    let counts = binned(ages());
    let unknown = dots.len() - ages().count();
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    html.push_str("<figure>\n<h3 id=\"ages-title\">Ages of active keys</h3>\n");
    open(html, "ages", &words(&counts));
    let (left, base, top) = (8, HEIGHT - 30, 26);
    let step = (WIDTH - 2 * left) / 7;
    for (index, (count, (_, name))) in counts.iter().zip(BINS).enumerate() {
        let x = left + step * i32::try_from(index).unwrap_or_default();
        let full = f64::from(base - top);
        let height = share(*count, most) * full;
        // A bin with a single key among thousands is still seen.
        let height = if *count > 0 { height.max(2.0) } else { 0.0 };
        let (y, middle) = (f64::from(base) - height, x + step / 2);
        push(
            html,
            format_args!(
                "<rect class=\"bar\" x=\"{}\" y=\"{y:.1}\" width=\"{}\" height=\"{height:.1}\"/>\
                 <text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
                 <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{name}</text>\n",
                x + 4,
                step - 8,
                y - 6.0,
                thousands(*count),
                base + 18,
            ),
        );
    }
    push(
        html,
        format_args!("<line class=\"axis\" x1=\"{left}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\"/>\n", WIDTH - left),
    );
    html.push_str("</svg>\n<figcaption>Counted from creation, in days (d) and years (y).");
    if unknown > 0 {
        push(html, format_args!(" Not known for {}.", counted(unknown, "key")));
    }
    html.push_str("</figcaption>\n");
    numbers(html, "Active keys by age", "age", &counts, &[]);
    html.push_str("</figure>\n");
}

/// Last use against age. Keys that would stand on one another are one mark, larger the more they are.
pub(super) fn uses(html: &mut String, dots: &[Dot]) {
    let used = || {
        dots.iter().filter_map(|dot| match dot.used {
            Used::DaysAgo(days) => Some(days),
            Used::Never | Used::Unknown => None,
        })
    };
    let counts = binned(used());
    let never = dots.iter().filter(|dot| dot.used == Used::Never).count();
    let lost = dots.iter().filter(|dot| dot.used == Used::Unknown || dot.age_days.is_none()).count();
    let unknown = dots.iter().filter(|dot| dot.used == Used::Unknown).count();
    let longest = dots.iter().filter_map(|dot| dot.age_days).chain(used()).max().unwrap_or_default().max(365);
    let (left, right, base, top, strip) = (62, WIDTH - 12, HEIGHT - 44, 50, 22);
    let x_of = |days: i64| f64::from(left) + logarithmic(days, longest) * f64::from(right - left);
    let y_of = |days: i64| f64::from(base) - logarithmic(days, longest) * f64::from(base - top);
    html.push_str("<figure>\n<h3 id=\"uses-title\">Last use against age</h3>\n");
    open(html, "uses", &format!("Never used: {}. Last used: {}", thousands(never), words(&counts)));
    for (days, name) in
        [(1, "1 d"), (7, "7 d"), (30, "30 d"), (90, "90 d"), (365, "1 y"), (1_095, "3 y"), (3_650, "10 y")]
    {
        if days > longest {
            continue;
        }
        let (x, y) = (x_of(days), y_of(days));
        push(
            html,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{strip}\" x2=\"{x:.1}\" y2=\"{base}\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>\
                 <line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\n",
                base + 16,
                left - 6,
                y + 4.0,
            ),
        );
    }
    push(
        html,
        format_args!(
            "<line class=\"axis\" x1=\"{left}\" y1=\"{base}\" x2=\"{right}\" y2=\"{base}\"/>\
             <line class=\"axis\" x1=\"{left}\" y1=\"{strip}\" x2=\"{left}\" y2=\"{base}\"/>\
             <line class=\"even\" x1=\"{left}\" y1=\"{base}\" x2=\"{right}\" y2=\"{top}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">never</text>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">age of the key</text>\
             <text x=\"4\" y=\"12\">last used, ago</text>\n",
            left - 6,
            strip + 8,
            right,
            base + 36,
        ),
    );
    let mut marks: BTreeMap<(i32, i32), (usize, Option<Severity>)> = BTreeMap::new();
    for dot in dots {
        let Some(age) = dot.age_days else { continue };
        let y = match dot.used {
            Used::Never => f64::from(strip + 4),
            Used::DaysAgo(days) => y_of(days),
            Used::Unknown => continue,
        };
        let mark = marks.entry((cell(x_of(age)), cell(y))).or_default();
        mark.0 += 1;
        mark.1 = mark.1.max(dot.worst);
    }
    for (&(x, y), &(count, worst)) in &marks {
        let size = (2.4 + 0.45 * share_log(count)).min(5.0);
        let (x, y) = (x * CELL, y * CELL);
        let found = worst.map_or_else(|| "nothing found".to_owned(), |severity| format!("worst finding: {severity}"));
        mark(html, Mark::of(worst), f64::from(x), f64::from(y), size, &format!("{}, {found}", counted(count, "key")));
    }
    html.push_str("</svg>\n<ul class=\"legend\">");
    for (shape, words) in
        [(Mark::Grave, "a critical or high finding"), (Mark::Some, "a slighter finding"), (Mark::Fine, "nothing found")]
    {
        html.push_str("<li><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\">");
        mark(html, shape, 6.0, 6.0, 4.0, "");
        push(html, format_args!("</svg>{words}</li>"));
    }
    html.push_str(
        "</ul>\n<figcaption>Both scales are logarithmic. A larger mark stands for more keys. On the dashed line: not \
                   used since the day that the key was made.",
    );
    if lost > 0 {
        push(html, format_args!(" Left out, because age or last use is not known: {}.", counted(lost, "key")));
    }
    html.push_str("</figcaption>\n");
    numbers(html, "Active keys by last use", "last used, ago", &counts, &[("never", never), ("not known", unknown)]);
    html.push_str("</figure>\n");
}

/// What a mark says by its shape, and again by its colour.
#[derive(Clone, Copy)]
enum Mark {
    Grave,
    Some,
    Fine,
}

impl Mark {
    fn of(worst: Option<Severity>) -> Self {
        match worst {
            Some(Severity::Critical | Severity::High) => Self::Grave,
            Some(Severity::Medium | Severity::Low | Severity::Info) => Self::Some,
            None => Self::Fine,
        }
    }
}

fn mark(html: &mut String, mark: Mark, x: f64, y: f64, size: f64, words: &str) {
    let title = if words.is_empty() { String::new() } else { format!("<title>{words}</title>") };
    let (class, is_diamond) = match mark {
        Mark::Grave => ("grave", true),
        Mark::Some => ("some", false),
        Mark::Fine => ("fine", false),
    };
    if is_diamond {
        let (size, twice) = (size * 1.25, size * 2.5);
        push(
            html,
            format_args!(
                "<path class=\"{class}\" d=\"M{:.1} {y:.1}l{size:.1} -{size:.1} {size:.1} {size:.1} -{size:.1} \
                 {size:.1}z\">{title}</path>\n",
                x - twice / 2.0
            ),
        );
    } else {
        push(
            html,
            format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size:.1}\">{title}</circle>\n"),
        );
    }
}

fn open(html: &mut String, id: &str, words: &str) {
    push(
        html,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-title\" \
             aria-describedby=\"{id}-words\">\n<desc id=\"{id}-words\">{words}</desc>\n"
        ),
    );
}

/// The same numbers for those who do not see the picture, or want them exact.
fn numbers(html: &mut String, caption: &str, first: &str, counts: &[usize; 7], more: &[(&str, usize)]) {
    push(
        html,
        format_args!(
            "<details><summary>The numbers</summary>\n<table><caption>{caption}</caption><thead><tr><th \
             scope=\"col\">{first}</th><th scope=\"col\" class=\"number\">keys</th></tr></thead><tbody>"
        ),
    );
    let binned = BINS.iter().zip(counts).map(|((_, name), count)| (*name, *count));
    for (name, count) in binned.chain(more.iter().copied()) {
        let count = thousands(count);
        push(html, format_args!("<tr><th scope=\"row\">{name}</th><td class=\"number\">{count}</td></tr>"));
    }
    html.push_str("</tbody></table></details>\n");
}

fn words(counts: &[usize; 7]) -> String {
    let parts = BINS.iter().zip(counts).map(|((_, name), count)| format!("{name}: {}", thousands(*count)));
    format!("{}.", parts.collect::<Vec<_>>().join(", "))
}

fn binned(days: impl Iterator<Item = i64>) -> [usize; 7] {
    let mut counts = [0; 7];
    for day in days {
        if let Some(index) = BINS.iter().position(|(end, _)| day <= *end) {
            counts[index] += 1;
        }
    }
    counts
}

/// Side of the square in which keys are one mark.
const CELL: i32 = 5;

#[expect(clippy::cast_possible_truncation, reason = "a place on a picture of a few hundred units")]
fn cell(place: f64) -> i32 {
    (place / f64::from(CELL)).round() as i32
}

#[expect(clippy::cast_precision_loss, reason = "a picture is not that precise")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[expect(clippy::cast_precision_loss, reason = "a picture is not that precise")]
fn share_log(count: usize) -> f64 {
    (count as f64).ln()
}

#[expect(clippy::cast_precision_loss, reason = "a picture is not that precise")]
fn logarithmic(days: i64, longest: i64) -> f64 {
    (days.max(0) as f64).ln_1p() / (longest as f64).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_fall_into_the_bin_that_their_number_names() {
        assert_eq!(binned([0, 30, 31, 90, 91, 365, 366, 1_095, 1_096].into_iter()), [2, 2, 1, 1, 1, 1, 1]);
        assert_eq!(binned([-1].into_iter())[0], 1, "a clock that is ahead of AWS's");
    }
}
