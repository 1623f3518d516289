//! What a key does, as a page for a meeting.

use akia_core::usage::Summary;
use jiff::Timestamp;

use crate::forms::page::{moment, page as whole};
use crate::forms::table::{Cell, Kind, Table};
use crate::forms::xml::{escape, push};

/// Rows of a table at most.
const MOST: usize = 500;

/// The page.
pub(super) fn page(key: &str, user: &str, of: &Summary, now: Timestamp) -> String {
    let links = [
        ("hours", "By hour"),
        ("services", "For what"),
        ("networks", "From"),
        ("agents", "With"),
        ("errors", "Errors"),
    ];
    let below = format!("{user} · {} calls between {} and {}", of.calls, moment(of.first), moment(of.last));
    let note = format!("Out of CloudTrail's logs, as of {}.", moment(now));
    whole(&format!("What {key} does"), &below, &links, &note, |html| {
        push(html, format_args!("<section aria-labelledby=\"hours\"><h2 id=\"hours\">By hour of the day, UTC</h2>\n"));
        picture(html, &of.by_hour);
        html.push_str("</section>\n");
        let number = |calls: u64| Cell::number(usize::try_from(calls).unwrap_or(usize::MAX));
        let when = |at: Timestamp| Cell::text(&moment(at)).sorted(at.as_second());
        let list = |parts: &[akia_core::usage::Part]| {
            let all: Vec<String> = parts.iter().map(|part| format!("{} ({})", part.name, part.calls)).collect();
            Cell::text(&all.join(", "))
        };
        section(
            html,
            "services",
            "For what",
            &[
                ("Service", Kind::Whole),
                ("Calls", Kind::Number),
                ("Errors", Kind::Number),
                ("Last", Kind::Ranked),
                ("Calls by name", Kind::Wide),
            ],
            of.services
                .iter()
                .map(|one| {
                    vec![
                        Cell::code(&one.service),
                        number(one.calls),
                        number(one.errors),
                        when(one.last),
                        list(&one.actions),
                    ]
                })
                .collect(),
        );
        section(
            html,
            "networks",
            "From",
            &[
                ("Network", Kind::Word),
                ("Place", Kind::Word),
                ("Calls", Kind::Number),
                ("First", Kind::Ranked),
                ("Last", Kind::Ranked),
                ("Addresses", Kind::Wide),
            ],
            of.networks
                .iter()
                .map(|one| {
                    vec![
                        Cell::text(&one.network),
                        Cell::text(one.place.as_deref().unwrap_or("")),
                        number(one.calls),
                        when(one.first),
                        when(one.last),
                        list(&one.addresses),
                    ]
                })
                .collect(),
        );
        section(
            html,
            "agents",
            "With",
            &[
                ("Program", Kind::Word),
                ("Machine", Kind::Word),
                ("Calls", Kind::Number),
                ("First", Kind::Ranked),
                ("Last", Kind::Ranked),
                ("One of its user agents", Kind::Wide),
            ],
            of.agents
                .iter()
                .map(|one| {
                    let machine = one.machine.as_deref().or(one.environment.as_deref()).unwrap_or("");
                    vec![
                        Cell::text(&one.program),
                        Cell::text(machine),
                        number(one.calls),
                        when(one.first),
                        when(one.last),
                        Cell::code(&one.example),
                    ]
                })
                .collect(),
        );
        section(
            html,
            "errors",
            "Errors",
            &[("Error", Kind::Whole), ("Calls", Kind::Number)],
            of.failures.iter().map(|one| vec![Cell::code(&one.name), number(one.calls)]).collect(),
        );
    })
}

fn section(html: &mut String, id: &str, title: &str, columns: &[(&str, Kind)], rows: Vec<Vec<Cell>>) {
    push(html, format_args!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{}</h2>\n", escape(title)));
    if rows.is_empty() {
        html.push_str("<p>None.</p>\n");
    } else {
        let table = Table {
            id: &format!("{id}-table"),
            caption: title,
            columns,
            most_rows: MOST,
            elsewhere: "akia usage key --output json",
        };
        table.push(html, rows.len(), rows.into_iter());
    }
    html.push_str("</section>\n");
}

/// Bars, one for each hour; what they show stands in words for who does not see them.
fn picture(html: &mut String, by_hour: &[u64; 24]) {
    let most = by_hour.iter().copied().max().unwrap_or(0).max(1);
    let busiest = by_hour.iter().enumerate().max_by_key(|(_, calls)| **calls).map_or(0, |(hour, _)| hour);
    push(
        html,
        format_args!(
            "<svg viewBox=\"0 0 720 150\" role=\"img\" aria-label=\"Calls by hour of the day; most, {most}, between {busiest}:00 and {}:00 UTC\">",
            (busiest + 1) % 24
        ),
    );
    for (hour, calls) in by_hour.iter().enumerate() {
        let height = calls * 120 / most;
        let (x, y) = (hour * 30 + 4, 125 - height);
        push(
            html,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"22\" height=\"{height}\" fill=\"currentColor\" opacity=\"0.7\"><title>{hour:02}:00 to {:02}:00: {calls}</title></rect>\
                 <text x=\"{}\" y=\"143\" text-anchor=\"middle\" font-size=\"12\" fill=\"currentColor\">{hour:02}</text>",
                (hour + 1) % 24,
                x + 11
            ),
        );
    }
    html.push_str("</svg>\n");
}
