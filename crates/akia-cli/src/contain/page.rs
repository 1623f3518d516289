//! The report as a page and as Markdown, for the file of an incident. Both walk the same sections.
//!
//! Names and user agents, which an intruder chooses, are text in both.

use akia_core::contain::Allowed;
use akia_core::estate::Known;
use akia_core::{KeyStatus, LastUsed};
use jiff::Timestamp;

use super::case::{Case, day};
use super::planning::most;
use super::reporting::{commands, unknown};
use crate::forms::markdown::{code as markdown_code, plain};
use crate::forms::page::page;
use crate::forms::table::{Cell, Kind, Table};
use crate::forms::xml::{escape, push};

/// Rows of a table, at most.
const MOST_ROWS: usize = 500;

/// A text of a cell.
enum Text {
    Plain(String),
    Code(String),
}

use Text::{Code, Plain};

/// A heading with words and a table.
struct Section {
    title: &'static str,
    words: Vec<String>,
    columns: &'static [&'static str],
    rows: Vec<Vec<Text>>,
}

/// The page.
pub(super) fn html(at: Timestamp, cases: &[Case]) -> String {
    let anchors: Vec<String> = (0..cases.len()).map(|number| format!("case-{number}")).collect();
    let links: Vec<(&str, &str)> =
        anchors.iter().zip(cases).map(|(anchor, case)| (anchor.as_str(), case.key.as_str())).collect();
    let note = "It holds no secret. What could not be read is said to be unknown.";
    page("Leaked access keys", &format!("As of {}.", day(at)), &links, note, |html| {
        for (anchor, case) in anchors.iter().zip(cases) {
            push(
                html,
                format_args!(
                    "<h2 id=\"{anchor}\">{}</h2>\n<p class=\"notice\"><strong>{}</strong></p>\n",
                    escape(case.key.as_str()),
                    escape(&case.words())
                ),
            );
            for (index, section) in sections(case).iter().enumerate() {
                html_section(html, &format!("{anchor}-{index}"), section);
            }
        }
    })
}

fn html_section(html: &mut String, id: &str, section: &Section) {
    push(html, format_args!("<h3 id=\"{id}\">{}</h3>\n", escape(section.title)));
    for words in &section.words {
        push(html, format_args!("<p>{}</p>\n", escape(words)));
    }
    if section.rows.is_empty() {
        return;
    }
    let kinds = std::iter::once(Kind::Whole).chain(std::iter::repeat(Kind::Wide));
    let columns: Vec<(&str, Kind)> = section.columns.iter().copied().zip(kinds).collect();
    let table = Table {
        id: &format!("{id}-table"),
        caption: section.title,
        columns: &columns,
        most_rows: MOST_ROWS,
        elsewhere: "The JSON form has all.",
    };
    let rows = section.rows.iter().map(|row| {
        let cell = |text: &Text| match text {
            Plain(text) => Cell::text(text),
            Code(text) => Cell::code(text),
        };
        row.iter().map(cell).collect()
    });
    table.push(html, section.rows.len(), rows);
}

/// The same as Markdown.
pub(super) fn markdown(at: Timestamp, cases: &[Case]) -> String {
    let mut text = format!("# Leaked access keys\n\nAs of {}.\n", day(at));
    for case in cases {
        push(&mut text, format_args!("\n## {}\n\n**{}**\n", case.key, plain(&case.words())));
        for section in sections(case) {
            push(&mut text, format_args!("\n### {}\n\n", section.title));
            for words in &section.words {
                push(&mut text, format_args!("{}\n\n", plain(words)));
            }
            if section.rows.is_empty() {
                continue;
            }
            push(
                &mut text,
                format_args!("| {} |\n|{}\n", section.columns.join(" | "), "---|".repeat(section.columns.len())),
            );
            for row in section.rows.iter().take(MOST_ROWS) {
                let cells = row.iter().map(|cell| match cell {
                    Plain(text) => plain(text),
                    Code(text) if text.is_empty() => String::new(),
                    Code(text) => markdown_code(text),
                });
                push(&mut text, format_args!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
            }
            if let Some(more) = left_out(&section) {
                push(&mut text, format_args!("\n{more}\n"));
            }
        }
    }
    text
}

fn left_out(section: &Section) -> Option<String> {
    let count = section.rows.len().checked_sub(MOST_ROWS).filter(|count| *count > 0)?;
    Some(format!("{count} more are not shown here. The JSON form has all."))
}

fn sections(case: &Case) -> Vec<Section> {
    let mut sections = vec![summary(case), timeline(case)];
    if !case.leaks.is_empty() {
        sections.push(places(case));
    }
    sections.extend([could(case), did(case)]);
    sections.extend(by_logs(case));
    if !case.footprint.remnants.is_empty() {
        sections.push(outlives(case));
    }
    let commands = case.commands();
    if !commands.is_empty() || !case.notes.is_empty() {
        let words = case.notes.iter().map(|note| format!("Note: {note}.")).collect();
        let rows = commands.into_iter().map(|next| vec![Code(next)]).collect();
        sections.push(Section { title: "What is left to do", words, columns: &["command"], rows });
    }
    if !case.cleanup.is_empty() {
        let rows = case.cleanup.iter().enumerate().map(|(index, step)| {
            vec![
                Plain((index + 1).to_string()),
                Plain(step.what.clone()),
                Code(step.command.clone().unwrap_or_default()),
            ]
        });
        let rows = rows.collect();
        sections.push(Section {
            title: "Clean-up of repositories",
            words: Vec::new(),
            columns: &["step", "what", "command"],
            rows,
        });
    }
    sections
}

fn summary(case: &Case) -> Section {
    let mut rows: Vec<Vec<Text>> = Vec::new();
    let mut row = |name: &str, value: Option<Text>| rows.extend(value.map(|value| vec![Plain(name.to_owned()), value]));
    row("key", Some(Code(case.key.to_string())));
    row("account", Some(Plain(case.account.to_string())));
    row("user", case.user.as_ref().map(|user| Code(user.to_string())));
    row("known by", Some(Plain(case.known_by.clone())).filter(|_| !case.known_by.is_empty()));
    let status = case.status.map(KeyStatus::as_str);
    row("status when asked", status.map(|status| Plain(status.to_lowercase())));
    row("created", case.created_at.map(|at| Plain(day(at))));
    row("leaked", case.leaked_at.map(|at| Plain(day(at))));
    row(
        "last used",
        case.last_used.as_ref().map(|used| {
            Plain(match used {
                LastUsed::Never => "never".to_owned(),
                LastUsed::At { at, service, region } => format!("{} ({service}, {region})", day(*at)),
                LastUsed::Unknown { reason } => format!("not known: {reason}"),
            })
        }),
    );
    row("profiles that hold it", Some(Plain(case.holders.join(", "))).filter(|_| !case.holders.is_empty()));
    let containment = case.containment.as_ref();
    row("containment", containment.map(|one| Code(one.opening().id.to_string())));
    row("strategy", containment.map(|one| Plain(one.strategy().to_string())));
    row("new key", case.new_key.as_ref().map(|key| Code(key.to_string())));
    row("reason", containment.map(|one| Plain(one.opening().reason.clone())));
    Section { title: "Summary", words: Vec::new(), columns: &["what", "value"], rows }
}

fn timeline(case: &Case) -> Section {
    let rows = case.timeline().into_iter().map(|moment| {
        vec![
            Plain(moment.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
            Plain(moment.what),
            Plain(moment.source.to_owned()),
        ]
    });
    Section { title: "Timeline", words: Vec::new(), columns: &["time", "what", "source"], rows: rows.collect() }
}

fn places(case: &Case) -> Section {
    let places = case.leaks.iter().flat_map(|leak| &leak.places).map(|found| {
        let place = &found.place;
        let line = place.line.map_or_else(String::new, |line| format!(":{line}"));
        let git = place.git.as_ref();
        vec![
            Code(place.source.clone()),
            Code(format!("{}{line}", place.path)),
            Code(git.and_then(|git| git.commit.clone()).unwrap_or_default()),
            Plain(git.and_then(|git| git.author.clone()).unwrap_or_default()),
            Plain(git.and_then(|git| git.first_seen).map(day).unwrap_or_default()),
        ]
    });
    let columns = &["source", "place", "commit", "author", "first seen"];
    Section { title: "Where it stands", words: Vec::new(), columns, rows: places.collect() }
}

fn could(case: &Case) -> Section {
    let title = "What it could do";
    let reach = match &case.reach {
        Known::Told(reach) => reach,
        Known::Unknown { reason } => {
            return Section { title, words: vec![format!("Not known: {reason}.")], columns: &[], rows: Vec::new() };
        }
    };
    let mut words = Vec::new();
    if reach.is_admin {
        words.push("Everything: its user is an administrator.".to_owned());
    }
    if let Some(reason) = unknown(&reach.denied_by_simulation) {
        words.push(format!(
            "AWS's simulation did not answer, so policies of the organisation are not weighed: {reason}."
        ));
    }
    words.extend(reach.gaps.iter().map(|gap| format!("Not known: {gap}.")));
    words.push("An upper bound: conditions and denials of single resources may take some of it away.".to_owned());
    let mut rows = vec![vec![Plain("services".to_owned()), Plain(reach.services.join(", "))]];
    rows.extend(reach.policies.iter().map(|policy| vec![Plain("policy".to_owned()), Code(policy.clone())]));
    rows.extend(reach.boundary.iter().map(|policy| vec![Plain("boundary".to_owned()), Code(policy.clone())]));
    rows.extend(reach.escalations.iter().map(|one| {
        let part = if one.allowed == Allowed::Partly { " (on some resources, or under a condition)" } else { "" };
        vec![Plain("way to more".to_owned()), Plain(format!("{}: {}{part}", one.actions.join(" + "), one.gives))]
    }));
    rows.extend(reach.roles.iter().map(|one| {
        let admin = if one.is_admin { ", an administrator" } else { "" };
        let condition = if one.is_conditional { ", under a condition" } else { "" };
        let through =
            if one.through.is_empty() { String::new() } else { format!(", through {}", one.through.join(", ")) };
        vec![Plain("role".to_owned()), Plain(format!("{}{admin}{condition}{through}", one.arn))]
    }));
    Section { title, words, columns: &["what", "which"], rows }
}

fn did(case: &Case) -> Section {
    let trail = &case.footprint;
    let mut words = Vec::new();
    for region in &trail.regions {
        words.push(match &region.events {
            Known::Told(count) if region.is_cut => {
                format!("{}: the latest {count} calls; older ones were not read.", region.region)
            }
            Known::Told(count) => format!("{}: {count} calls.", region.region),
            Known::Unknown { reason } => format!("{}: not known: {reason}.", region.region),
        });
    }
    words.push(
        "CloudTrail's event history has the management events of 90 days, some minutes late, of the regions that were asked; \
         reads and writes of data (S3 objects, DynamoDB items) are not in it."
            .to_owned(),
    );
    let mut rows = Vec::new();
    for (name, count) in most(&trail.addresses) {
        rows.push(vec![Plain("address".to_owned()), Code(name.to_owned()), Plain(count.to_string())]);
    }
    for (name, count) in most(&trail.agents) {
        rows.push(vec![Plain("user agent".to_owned()), Code(name.to_owned()), Plain(count.to_string())]);
    }
    for (service, calls) in &trail.services {
        for (name, count) in &calls.by_name {
            rows.push(vec![Plain("call".to_owned()), Code(format!("{service}:{name}")), Plain(count.to_string())]);
        }
        if calls.refused > 0 {
            rows.push(vec![Plain("refused".to_owned()), Plain(service.clone()), Plain(calls.refused.to_string())]);
        }
    }
    Section { title: "What it did", words, columns: &["what", "which", "count"], rows }
}

/// What the loaded logs have, where they have something.
fn by_logs(case: &Case) -> Option<Section> {
    let title = "What loaded logs have";
    let columns = &["what", "call", "count", "last", "upon"];
    let blast = match case.logs.as_ref()? {
        Known::Told(blast) => blast,
        Known::Unknown { reason } => {
            return Some(Section { title, words: vec![format!("Not known: {reason}.")], columns, rows: Vec::new() });
        }
    };
    let words = vec![
        "By akia usage: these logs may go back further than 90 days, and may have reads and writes of data. What only reads or lists is not \
         shown."
            .to_owned(),
    ];
    let dids = blast.lists().into_iter().flat_map(|(what, list)| list.iter().map(move |did| (what, did)));
    let rows = dids.map(|(what, did)| {
        vec![
            Plain(what.to_owned()),
            Code(did.call.clone()),
            Plain(did.calls.to_string()),
            Plain(day(did.last)),
            Code(did.resources.join(" ")),
        ]
    });
    Some(Section { title, words, columns, rows: rows.collect() })
}

fn outlives(case: &Case) -> Section {
    let rows = case.footprint.remnants.iter().map(|remnant| {
        let [show, undo] = commands(remnant);
        let note = remnant.note.unwrap_or_default();
        vec![Plain(day(remnant.at)), Plain(remnant.what.clone()), Code(show), Code(undo), Plain(note.to_owned())]
    });
    let words = vec![
        "Made or changed with the key. Nothing of it was removed: what the owner has made looks the same.".to_owned(),
    ];
    let columns = &["time", "what", "shows it", "takes it back", "note"];
    Section { title: "What outlives the key", words, columns, rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use akia_core::contain::{Footprint, TrailEvent};
    use akia_core::usage::{Blast, Fact, Resources};
    use serde_json::json;

    use super::*;
    use crate::forms::page::tests::assert_accessible;

    const HOSTILE: &str = "<script>alert(1)</script>|`x`\u{202e}";

    fn hostile() -> Case {
        let record = json!({
            "eventID": "e", "eventTime": "2026-11-29T12:00:00Z", "awsRegion": "us-east-1", "eventSource": "iam.amazonaws.com",
            "eventName": "CreateUser", "sourceIPAddress": "203.0.113.9", "userAgent": HOSTILE,
            "requestParameters": { "userName": HOSTILE },
        });
        let event = TrailEvent::parse(&record.to_string()).unwrap();
        let key = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let mut case = Case::new(key, "111122223333".parse().unwrap(), Vec::new(), None);
        case.footprint = Footprint::of(Timestamp::UNIX_EPOCH, Vec::new(), vec![event]);
        let fact = Fact {
            key: case.key.to_string(),
            account: "111122223333".to_owned(),
            user: "arn:aws:iam::111122223333:user/ann".to_owned(),
            hour: Timestamp::UNIX_EPOCH,
            service: "s3".to_owned(),
            name: HOSTILE.to_owned(),
            region: "us-east-1".to_owned(),
            ip: HOSTILE.to_owned(),
            agent: HOSTILE.to_owned(),
            error: String::new(),
            resources: Resources(HOSTILE.to_owned()),
            calls: 2,
            first: Timestamp::UNIX_EPOCH,
            last: Timestamp::UNIX_EPOCH,
        };
        case.logs = Some(Known::Told(Blast::of(&[fact])));
        case.cleanup = super::super::cleanup::steps(&case.key, &["https://example.com/x.git".to_owned()], &[]);
        case
    }

    #[test]
    fn what_an_intruder_has_named_is_text_in_the_page() {
        let page = html(Timestamp::UNIX_EPOCH, &[hostile()]);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains('\u{202e}'));
        assert_eq!(page.matches("<script").count(), 1, "only ours");
        assert_accessible(&page);
    }

    #[test]
    fn the_markdown_keeps_its_shape_whatever_a_name_says() {
        let text = markdown(Timestamp::UNIX_EPOCH, &[hostile()]);
        assert!(!text.contains("<script>alert(1)</script>|"), "{text}");
        for line in text.lines().filter(|line| line.starts_with("| ")) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!((2..=7).contains(&bars), "{line}");
        }
    }
}
