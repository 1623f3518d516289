//! One page that people open in a meeting: no network, no script needed, light and dark, on paper and on a phone.
//!
//! The content security policy in its head allows nothing but the style and the script that stand here, by their
//! hashes: even markup that slipped through the escaping could not run. The page is well-formed XML as well, which a
//! test uses.

mod picture;
mod table;
mod trend;

use std::collections::{BTreeMap, BTreeSet};

use akia_core::audit::Audit;
use akia_core::estate::Key;
use akia_core::finding::{Finding, KeyIdentity, Severity, key_identity};
use akia_core::ids::AccountId;
use akia_core::key::LastUsed;
use akia_core::rule::{Control, Framework};
use jiff::Timestamp;

use super::words::{self, counted, thousands};
use super::xml::{escape, push};
use picture::{Dot, Used};
use table::{Cell, Kind, Table};
pub use trend::TrendPoint;

pub(crate) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// SHA-256 of the two; a test compares, and names the right ones.
pub(crate) const STYLE_HASH: &str = "sha256-lsYbrjwGJy4MA/2DuoovOx2Bht8oNOfwIYuk3Ogg+LY=";
const SCRIPT_HASH: &str = "sha256-+iVpiGXuFmzbvv9Y6FGo+qxE8O7oF/MNl8E1+KiQqNo=";

/// The most rows of a table. All of a large estate would make a page that no browser scrolls.
const MOST_KEYS: usize = 100;
const MOST_FINDINGS: usize = 1_000;
const MOST_ROWS: usize = 300;

/// The page; `trend` are the audits of the same accounts, the oldest first and this one last.
pub(super) fn render(audit: &Audit, trend: &[TrendPoint]) -> String {
    let keys = Keys::of(audit);
    let mut html = String::with_capacity(1 << 20);
    push(
        &mut html,
        format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_HASH}'; script-src \
             '{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"referrer\" content=\"no-referrer\"/>\n<title>Access key audit</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
        ),
    );
    header(&mut html, audit, trend.len() > 1);
    html.push_str("<main id=\"main\">\n");
    summary(&mut html, audit);
    trend::section(&mut html, trend);
    html.push_str("<h2 id=\"pictures\">Age and use</h2>\n<div class=\"pictures\">\n");
    let dots = keys.dots();
    picture::ages(&mut html, &dots);
    picture::uses(&mut html, &dots);
    html.push_str("</div>\n");
    worst_keys(&mut html, &keys);
    rules(&mut html, audit);
    accounts(&mut html, audit);
    owners(&mut html, audit);
    findings(&mut html, audit);
    not_whole(&mut html, audit);
    push(
        &mut html,
        format_args!(
            "</main>\n<footer><p>Made by akia {}. Ages are counted to {}. A key is never called unused because AWS did not \
             answer.</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
            escape(words::VERSION),
            moment(audit.at)
        ),
    );
    html
}

fn header(html: &mut String, audit: &Audit, has_trend: bool) {
    push(
        html,
        format_args!(
            "<header>\n<h1>Access key audit</h1>\n<p class=\"soft\">As of {}.</p>\n<nav aria-label=\"Contents\"><ul>",
            moment(audit.at)
        ),
    );
    let mut links = vec![
        ("summary", "Summary"),
        ("pictures", "Age and use"),
        ("worst", "Worst keys"),
        ("rules", "By rule"),
        ("accounts", "By account"),
        ("owners", "By owner"),
        ("findings", "Findings"),
    ];
    if has_trend {
        links.insert(1, ("trend", "Trend"));
    }
    if !audit.is_whole() {
        links.push(("missing", "What is missing"));
    }
    for (id, name) in links {
        push(html, format_args!("<li><a href=\"#{id}\">{name}</a></li>"));
    }
    html.push_str("</ul></nav>\n</header>\n");
}

fn summary(html: &mut String, audit: &Audit) {
    let (read, all) = audit.coverage();
    let (users, keys) = audit.size();
    html.push_str("<h2 id=\"summary\">Summary</h2>\n");
    if !audit.is_whole() {
        let mut missing = Vec::new();
        if !audit.unread.is_empty() {
            let verb = if audit.unread.len() == 1 { "was" } else { "were" };
            missing.push(format!("{} {verb} not read", counted(audit.unread.len(), "account")));
        }
        let partly = words::partly_read(audit).count();
        if partly > 0 {
            let verb = if partly == 1 { "was" } else { "were" };
            missing.push(format!("{} {verb} read in part", counted(partly, "account")));
        }
        let unknown: usize = audit.unknown.iter().map(|unknown| unknown.count).sum();
        if unknown > 0 {
            missing.push(format!("rules could not tell {}", counted(unknown, "time")));
        }
        push(
            html,
            format_args!(
                "<p class=\"notice\"><strong>This audit is not whole:</strong> {}. <a href=\"#missing\">See what is \
                 missing.</a></p>\n",
                missing.join("; ")
            ),
        );
    }
    push(
        html,
        format_args!(
            "<ul class=\"tiles\"><li><strong>{} of {}</strong> <span>accounts read</span></li><li><strong>{}</strong> \
             <span>users</span></li><li><strong>{}</strong> <span>active keys</span></li><li><strong>{}</strong> \
             <span>findings</span></li></ul>\n<ul class=\"tiles\" aria-label=\"Findings by severity\">",
            thousands(read),
            thousands(all),
            thousands(users),
            thousands(keys),
            thousands(audit.findings.len())
        ),
    );
    for (severity, count) in audit.counts() {
        push(
            html,
            format_args!(
                "<li class=\"severity {severity}\"><strong>{}</strong> <span>{severity}</span></li>",
                thousands(count)
            ),
        );
    }
    html.push_str("</ul>\n");
    if audit.findings.is_empty() {
        html.push_str("<p>No rule is broken.</p>\n");
    }
}

/// The keys of an audit, with what was found about each.
struct Keys<'a> {
    at: Timestamp,
    known: BTreeMap<KeyIdentity<'a>, &'a Key>,
    active: Vec<(KeyIdentity<'a>, &'a Key)>,
    findings: BTreeMap<KeyIdentity<'a>, Vec<&'a Finding>>,
}

impl<'a> Keys<'a> {
    fn of(audit: &'a Audit) -> Self {
        let mut keys = Self { at: audit.at, known: BTreeMap::new(), active: Vec::new(), findings: BTreeMap::new() };
        for estate in &audit.estates {
            let account = &estate.account.id;
            let of_root = estate.root.told().into_iter().flat_map(|root| &root.keys);
            keys.known.extend(of_root.map(|key| (identity_of(account, None, key), key)));
            for user in &estate.users {
                let name = Some(user.name().as_str());
                keys.known.extend(user.keys.iter().map(|key| (identity_of(account, name, key), key)));
                keys.active.extend(user.active_keys().map(|key| (identity_of(account, name, key), key)));
            }
        }
        for finding in &audit.findings {
            if finding.key.is_none() && finding.key_created_at.is_none() {
                continue;
            }
            keys.findings.entry(finding.key_identity()).or_default().push(finding);
        }
        keys
    }

    fn dots(&self) -> Vec<Dot> {
        let dots = self.active.iter().map(|(identity, key)| Dot {
            age_days: key.created_at.told().map(|created| days(self.at, *created)),
            used: match &key.last_used {
                LastUsed::Never => Used::Never,
                LastUsed::At { at, .. } => Used::DaysAgo(days(self.at, *at)),
                LastUsed::Unknown { .. } => Used::Unknown,
            },
            worst: self.findings.get(identity).and_then(|findings| worst(findings)),
        });
        dots.collect()
    }
}

fn identity_of<'a>(account: &'a AccountId, user: Option<&'a str>, key: &'a Key) -> KeyIdentity<'a> {
    key_identity(account, user, key.id.as_ref(), key.created_at.told().copied())
}

fn worst(findings: &[&Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}

fn worst_keys(html: &mut String, keys: &Keys<'_>) {
    html.push_str("<h2 id=\"worst\">Worst keys</h2>\n");
    if keys.findings.is_empty() {
        html.push_str("<p>Nothing was found about any key.</p>\n");
        return;
    }
    let mut worst_first: Vec<(&KeyIdentity<'_>, &Vec<&Finding>)> = keys.findings.iter().collect();
    worst_first.sort_by_key(|(identity, findings)| {
        let created = findings.iter().find_map(|finding| finding.key_created_at);
        (std::cmp::Reverse((worst(findings), findings.len())), created, **identity)
    });
    let table = Table {
        id: "worst-table",
        caption: "By their gravest finding, then by the number of findings, then by age",
        columns: &[
            ("User and key", Kind::Word),
            ("Worst", Kind::Ranked),
            ("Account", Kind::Word),
            ("Age, days", Kind::Number),
            ("Last used", Kind::Ranked),
            ("Findings", Kind::Wide),
            ("Owner", Kind::Word),
            ("Fix", Kind::Wide),
        ],
        most_rows: MOST_KEYS,
    };
    let rows = worst_first.iter().map(|(identity, findings)| {
        let key = keys.known.get(*identity);
        let created = findings.iter().find_map(|finding| finding.key_created_at);
        let list = findings
            .iter()
            .map(|finding| format!("<li>{}: {}</li>", escape(words::title(&finding.rule)), escape(&finding.detail)));
        let list = format!("<ul>{}</ul>", list.collect::<String>());
        let first = findings.first();
        vec![
            Cell::html(format!(
                "{}<br/><code class=\"whole\">{}</code>",
                escape(identity.1.unwrap_or("root")),
                identity.2.map_or("", |id| id.as_str())
            )),
            severity(worst(findings)),
            first.map_or_else(|| Cell::text(""), |finding| account(finding)),
            created.map_or_else(|| Cell::text("not known").sorted(-1), |created| number(days(keys.at, created))),
            last_used(key.map(|key| &key.last_used), keys.at),
            Cell::html(list),
            owner(first.copied()),
            Cell::html(fixes(findings)),
        ]
    });
    table.push(html, worst_first.len(), rows);
}

fn rules(html: &mut String, audit: &Audit) {
    html.push_str("<h2 id=\"rules\">By rule</h2>\n");
    let mut of_rule: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &audit.findings {
        of_rule.entry(&finding.rule).or_default().push(finding);
    }
    if of_rule.is_empty() {
        html.push_str("<p>No rule is broken.</p>\n");
        return;
    }
    let mut rules: Vec<_> = of_rule.into_iter().collect();
    rules.sort_by_key(|(_, findings)| std::cmp::Reverse((worst(findings), findings.len())));
    let table = Table {
        id: "rules-table",
        caption: "Broken rules",
        columns: &[
            ("Rule", Kind::Word),
            ("Worst", Kind::Ranked),
            ("Findings", Kind::Number),
            ("Why it matters", Kind::Wide),
            ("What to do", Kind::Wide),
            ("Asked for by", Kind::Wide),
        ],
        most_rows: MOST_ROWS,
    };
    let rows = rules.iter().map(|(id, findings)| {
        let rule = akia_core::rule::find(id);
        vec![
            Cell::html(format!("{}<br/><code>{}</code>", escape(words::title(id)), escape(id))),
            severity(worst(findings)),
            Cell::number(findings.len()),
            Cell::text(rule.map_or("", |rule| rule.why)),
            Cell::text(words::fix(id)),
            Cell::html(controls(rule.map_or(&[][..], |rule| rule.controls()))),
        ]
    });
    table.push(html, rules.len(), rows);
}

/// Controls by framework: "PCI DSS: 8.3.9 (4.0.1), 8.6.3 (4.0.1)".
fn controls(controls: &[Control]) -> String {
    let mut of_framework: BTreeMap<Framework, Vec<String>> = BTreeMap::new();
    for control in controls {
        let version = if control.version.is_empty() { String::new() } else { format!(" ({})", control.version) };
        of_framework.entry(control.framework).or_default().push(format!("{}{version}", control.id));
    }
    let items = of_framework
        .iter()
        .map(|(framework, ids)| format!("<li>{}: {}</li>", escape(framework.name()), escape(&ids.join(", "))));
    let items: String = items.collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>") }
}

/// How many findings of each severity, the gravest first: what accounts and owners are ordered by.
type Counts = [usize; Severity::ALL.len()];

fn count(counts: &mut Counts, severity: Severity) {
    for (count, of) in counts.iter_mut().zip(Severity::ALL) {
        *count += usize::from(of == severity);
    }
}

fn accounts(html: &mut String, audit: &Audit) {
    html.push_str("<h2 id=\"accounts\">By account</h2>\n");
    let mut counts: BTreeMap<&AccountId, Counts> = BTreeMap::new();
    for finding in &audit.findings {
        count(counts.entry(&finding.account).or_default(), finding.severity);
    }
    let mut estates: Vec<_> = audit.estates.iter().collect();
    let of = |id: &AccountId| counts.get(id).copied().unwrap_or_default();
    estates.sort_by_key(|estate| std::cmp::Reverse(of(&estate.account.id)));
    let table = Table {
        id: "accounts-table",
        caption: "Accounts that were read, those with the gravest findings first",
        columns: &[
            ("Account", Kind::Whole),
            ("Name", Kind::Word),
            ("Users", Kind::Number),
            ("Active keys", Kind::Number),
            ("Critical", Kind::Number),
            ("High", Kind::Number),
            ("Medium", Kind::Number),
            ("Low", Kind::Number),
            ("Info", Kind::Number),
        ],
        most_rows: MOST_ROWS,
    };
    let rows = estates.iter().map(|estate| {
        let keys = estate.users.iter().map(|user| user.active_keys().count()).sum();
        let mut row = vec![
            Cell::text(estate.account.id.as_str()),
            Cell::text(estate.account.name.as_deref().unwrap_or_default()),
            Cell::number(estate.users.len()),
            Cell::number(keys),
        ];
        row.extend(of(&estate.account.id).into_iter().map(Cell::number));
        row
    });
    table.push(html, estates.len(), rows);
}

fn owners(html: &mut String, audit: &Audit) {
    html.push_str("<h2 id=\"owners\">By owner</h2>\n");
    if audit.findings.is_empty() {
        html.push_str("<p>Nobody has anything to mend.</p>\n");
        return;
    }
    let mut of_owner: BTreeMap<Option<&str>, (Counts, BTreeSet<&AccountId>)> = BTreeMap::new();
    for finding in &audit.findings {
        let name = finding.owner.as_ref().map(|owner| owner.name.as_str());
        let (counts, accounts) = of_owner.entry(name).or_default();
        count(counts, finding.severity);
        accounts.insert(&finding.account);
    }
    let mut owners: Vec<_> = of_owner.into_iter().collect();
    owners.sort_by_key(|(_, (counts, _))| std::cmp::Reverse(*counts));
    let table = Table {
        id: "owners-table",
        caption: "Owners, those with the gravest findings first",
        columns: &[
            ("Owner", Kind::Word),
            ("Accounts", Kind::Number),
            ("Critical", Kind::Number),
            ("High", Kind::Number),
            ("Medium", Kind::Number),
            ("Low", Kind::Number),
            ("Info", Kind::Number),
        ],
        most_rows: MOST_ROWS,
    };
    let rows = owners.iter().map(|(name, (counts, accounts))| {
        let name = name.map_or_else(|| Cell::html("<em>nobody is written down</em>".to_owned()), Cell::text);
        let mut row = vec![name, Cell::number(accounts.len())];
        row.extend(counts.iter().copied().map(Cell::number));
        row
    });
    table.push(html, owners.len(), rows);
}

fn findings(html: &mut String, audit: &Audit) {
    html.push_str("<h2 id=\"findings\">Findings</h2>\n");
    if audit.findings.is_empty() {
        html.push_str("<p>None.</p>\n");
        return;
    }
    let table = Table {
        id: "findings-table",
        caption: "Findings, the gravest first",
        columns: &[
            ("User", Kind::Word),
            ("Severity", Kind::Ranked),
            ("What is wrong", Kind::Wide),
            ("Key", Kind::Whole),
            ("Account", Kind::Word),
            ("Owner", Kind::Word),
            ("Fix", Kind::Wide),
        ],
        most_rows: MOST_FINDINGS,
    };
    let rows = audit.findings.iter().map(|finding| {
        vec![
            Cell::text(finding.subject.name()),
            severity(Some(finding.severity)),
            Cell::html(format!("{}: {}", escape(words::title(&finding.rule)), escape(&finding.detail))),
            Cell::code(finding.key.as_ref().map_or("", |key| key.as_str())),
            account(finding),
            owner(Some(finding)),
            Cell::html(fix(finding)),
        ]
    });
    table.push(html, audit.findings.len(), rows);
}

fn not_whole(html: &mut String, audit: &Audit) {
    if audit.is_whole() {
        return;
    }
    html.push_str("<h2 id=\"missing\">What is missing</h2>\n");
    let table = |id, caption, columns| Table { id, caption, columns, most_rows: MOST_ROWS };
    let account_columns = &[("Account", Kind::Whole), ("Name", Kind::Word), ("Why", Kind::Wide)];
    if !audit.unread.is_empty() {
        let rows = audit.unread.iter().map(|unread| {
            let name = unread.account.name.as_deref().unwrap_or_default();
            vec![Cell::text(unread.account.id.as_str()), Cell::text(name), Cell::text(&unread.reason)]
        });
        table("unread-table", "Accounts that were not read", account_columns).push(html, audit.unread.len(), rows);
    }
    let partly: Vec<_> = words::partly_read(audit).collect();
    if !partly.is_empty() {
        let rows = partly.iter().map(|(account, gaps)| {
            let name = account.name.as_deref().unwrap_or_default();
            vec![Cell::text(account.id.as_str()), Cell::text(name), Cell::text(gaps)]
        });
        table("partly-table", "Accounts that were read in part", account_columns).push(html, partly.len(), rows);
    }
    if !audit.unknown.is_empty() {
        let columns = &[("Rule", Kind::Word), ("Times", Kind::Number), ("Why", Kind::Wide)];
        let rows = audit.unknown.iter().map(|unknown| {
            vec![Cell::text(words::title(&unknown.rule)), Cell::number(unknown.count), Cell::text(&unknown.reason)]
        });
        table("unknown-table", "What rules could not tell", columns).push(html, audit.unknown.len(), rows);
    }
}

fn severity(severity: Option<Severity>) -> Cell {
    let Some(severity) = severity else { return Cell::text("") };
    let rank = Severity::ALL.iter().rev().position(|one| *one == severity);
    let cell = Cell::html(format!("<span class=\"severity {severity}\">{severity}</span>"));
    cell.sorted(rank.and_then(|rank| i64::try_from(rank).ok()).unwrap_or_default())
}

fn account(finding: &Finding) -> Cell {
    let name = finding.account_name.as_ref().map(|name| format!("<br/>{}", escape(name))).unwrap_or_default();
    Cell::html(format!("<span class=\"whole\">{}</span>{name}", finding.account))
}

fn owner(finding: Option<&Finding>) -> Cell {
    match finding.and_then(|finding| finding.owner.as_ref()) {
        Some(owner) => Cell::html(format!(
            "{}<br/><span class=\"soft\">{}</span>",
            escape(&owner.name),
            words::source(owner.source)
        )),
        None => Cell::text(""),
    }
}

/// The command of a finding; without one, what to do.
fn fix(finding: &Finding) -> String {
    match words::command(finding) {
        Some(command) => format!("<code>{}</code>", escape(&command)),
        None => escape(words::fix(&finding.rule)),
    }
}

/// What mends all of the findings about a key, each once. A key that should go need not be rotated before.
fn fixes(findings: &[&Finding]) -> String {
    let rotates = |finding: &&Finding| finding.command().is_some_and(|words| words.get(1) == Some(&"rotate"));
    let (rotations, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| rotates(finding));
    let goes = others.iter().any(|finding| finding.command().is_some());
    let mut fixes = Vec::new();
    for finding in others.into_iter().chain(rotations.into_iter().filter(|_| !goes)) {
        let fix = fix(finding);
        if !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    fixes.join("<br/>")
}

fn last_used(last_used: Option<&LastUsed>, now: Timestamp) -> Cell {
    match last_used {
        Some(LastUsed::Never) => Cell::text("never").sorted(i64::MAX),
        Some(LastUsed::At { at, service, .. }) => {
            let days = days(now, *at);
            let ago = match days {
                0 => "today".to_owned(),
                1 => "a day ago".to_owned(),
                days => format!("{} days ago", thousands(usize::try_from(days).unwrap_or_default())),
            };
            Cell::html(format!("{ago}<br/><span class=\"soft\">{}</span>", escape(service))).sorted(days)
        }
        Some(LastUsed::Unknown { .. }) | None => Cell::text("not known").sorted(-1),
    }
}

fn number(days: i64) -> Cell {
    Cell::html(thousands(usize::try_from(days).unwrap_or_default())).sorted(days)
}

fn days(now: Timestamp, at: Timestamp) -> i64 {
    now.duration_since(at).as_hours() / 24
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, words};
    use super::{SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH};
    use quick_xml::Reader;
    use quick_xml::events::Event;
    use sha2::{Digest as _, Sha256};

    /// Every start tag with its attributes, in order; fails on markup that is not well-formed.
    fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
        let text = |text: &str| text.to_owned();
        let mut reader = Reader::from_str(html);
        let mut tags = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    let attributes = tag.attributes().map(|attribute| {
                        let attribute = attribute.unwrap();
                        (text(attribute.key.as_ref()), text(&attribute.value))
                    });
                    tags.push((text(tag.name().as_ref()), attributes.collect()));
                }
                Event::Eof => return tags,
                _ => {}
            }
        }
    }

    #[test]
    fn the_page_of_a_small_audit() {
        let html = super::render(&fixture::small(), &[]);
        let body = html.replace(STYLE, "[style]").replace(SCRIPT, "[script]");
        insta::assert_snapshot!(body.replace(words::VERSION, "[version]"));
    }

    #[test]
    fn the_policy_in_the_head_allows_its_style_and_script_and_nothing_else() {
        let hash = |text: &str| format!("sha256-{}", data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes())));
        assert_eq!([STYLE_HASH, SCRIPT_HASH], [hash(STYLE), hash(SCRIPT)].each_ref().map(String::as_str));
        let html = super::render(&fixture::small(), &[]);
        for outside in ["http:", "https:", "src=", "url(", "@import", "javascript:", "style=", " on"] {
            let page = html.replace(" on ", " ").replace(" one", " ");
            assert!(!page.contains(outside), "{outside} reaches out of the page");
        }
    }

    #[test]
    fn a_hostile_tag_is_text_and_nothing_more() {
        let html = super::render(&fixture::small(), &[]);
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;"), "the tag is shown as it is");
        let tags = tags(&html);
        let scripts = tags.iter().filter(|(name, _)| name == "script").count();
        assert_eq!(scripts, 1, "only ours");
        for (name, attributes) in &tags {
            assert!(name != "b" && name != "i" && name != "x", "{name} came from a name or a reason");
            assert!(!attributes.iter().any(|(attribute, _)| attribute.starts_with("on")), "{name} {attributes:?}");
        }
        assert!(!html.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'));
    }

    #[test]
    fn the_page_can_be_walked_without_eyes() {
        let tags = tags(&super::render(&fixture::small(), &[]));
        let ids: Vec<&str> = tags
            .iter()
            .flat_map(|(_, attributes)| attributes)
            .filter(|(name, _)| name == "id")
            .map(|(_, id)| id.as_str())
            .collect();
        let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "an id stands twice: {ids:?}");
        let mut heading = 0;
        for (name, attributes) in &tags {
            let value =
                |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            if let Some(level) = name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok()) {
                assert!(level <= heading + 1, "a heading of level {level} below one of {heading}");
                heading = level;
            }
            if name == "th" {
                assert!(value("scope").is_some(), "a header of neither a row nor a column");
            }
            if name == "svg" {
                let said = value("aria-hidden").is_some() || value("role") == Some("img");
                assert!(said, "a picture that says nothing: {attributes:?}");
            }
            for reference in ["aria-labelledby", "aria-describedby"] {
                assert!(
                    value(reference).is_none_or(|id| unique.contains(id)),
                    "{reference} leads nowhere: {attributes:?}"
                );
            }
            if let Some(target) = value("href") {
                assert!(unique.contains(target.trim_start_matches('#')), "{target} leads nowhere");
            }
        }
        let count = |wanted: &str| tags.iter().filter(|(name, _)| name == wanted).count();
        assert_eq!(count("caption"), count("table"), "a table without a caption");
        assert_eq!(count("h1"), 1);
    }

    #[test]
    fn a_large_estate_stays_a_file_that_a_browser_opens() {
        let audit = fixture::large(20_000);
        assert!(audit.findings.len() > 20_000, "{}", audit.findings.len());
        let html = super::render(&audit, &[]);
        assert!(html.len() < 3_000_000, "{} bytes", html.len());
        let left_out = words::thousands(audit.findings.len() - super::MOST_FINDINGS);
        let said = format!("{left_out} more are not shown here. The CSV and JSONL forms of the audit have all.");
        assert!(html.contains(&said), "{said}");
        let rows = tags(&html).iter().filter(|(name, _)| name == "tr").count();
        assert!(rows < 2_500, "{rows} rows");
    }

    #[test]
    fn a_key_that_should_go_is_not_rotated_before() {
        let audit = fixture::large(20);
        let of_key = |rule: &str| audit.findings.iter().find(|finding| finding.rule == rule).unwrap();
        let (old, unused) = (of_key("key-age"), of_key("key-unused"));
        assert!(super::fixes(&[old, unused]).starts_with("<code>akia key deactivate "));
        assert!(!super::fixes(&[old, unused]).contains("rotate"));
        assert!(super::fixes(&[old, old]).starts_with("<code>akia rotate "));
    }

    #[test]
    fn an_audit_that_found_nothing_says_so() {
        let html = super::render(&fixture::clean(), &[]);
        assert!(html.contains("No rule is broken.") && !html.contains("not whole"));
        tags(&html);
    }
}
