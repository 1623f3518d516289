//! What several forms of a scan say alike.

use akia_core::leak::{Class, Coverage, Kind, Leak, Part, Place, Reach, Skipped, Why};
use serde::Serialize;

use crate::audit::words::{counted, thousands};
use crate::output::escape::json_text;

/// JSON as people read it, harmless on a terminal.
pub(super) fn json(value: &impl Serialize) -> String {
    // This cannot fail: the keys are strings, and the writer is memory.
    format!("{}\n", json_text(&serde_json::to_string_pretty(value).unwrap_or_default()))
}

/// What was found, as a title.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::LongTerm => "access key",
        Kind::Temporary => "temporary credentials",
        Kind::Bearer => "service bearer token",
        Kind::ContextSpecific => "context-specific credential",
        Kind::BedrockApiKey => "Bedrock API key",
        Kind::SecretOnly => "secret access key without its id",
    }
}

/// The name of the rule that a kind is told under.
pub(super) fn rule(kind: Kind) -> &'static str {
    match kind {
        Kind::LongTerm => "leaked-access-key",
        Kind::Temporary => "leaked-temporary-credentials",
        Kind::Bearer => "leaked-bearer-token",
        Kind::ContextSpecific => "leaked-context-credential",
        Kind::BedrockApiKey => "leaked-bedrock-api-key",
        Kind::SecretOnly => "leaked-secret",
    }
}

/// All kinds, in the order of the rules.
pub(super) const KINDS: [Kind; 6] =
    [Kind::LongTerm, Kind::Temporary, Kind::Bearer, Kind::ContextSpecific, Kind::BedrockApiKey, Kind::SecretOnly];

/// The leaks that somebody has to do something about.
pub(crate) fn counting(leaks: &[Leak]) -> impl Iterator<Item = &Leak> {
    leaks.iter().filter(|leak| leak.counts())
}

/// How a leak is called where it has no id.
pub(crate) fn name(leak: &Leak) -> String {
    match &leak.access_key_id {
        Some(id) => id.to_string(),
        None => format!("{} {}", kind(leak.kind), leak.fingerprint.as_str().get(..12).unwrap_or_default()),
    }
}

/// What to do about it: a command, or a sentence where no command does it.
pub(crate) fn remedy(leak: &Leak) -> String {
    match (&leak.access_key_id, leak.kind) {
        (Some(id), Kind::LongTerm | Kind::Temporary | Kind::Bearer | Kind::ContextSpecific) => {
            format!("akia contain {id}")
        }
        (_, Kind::BedrockApiKey) => {
            "aws iam delete-service-specific-credential (akia does not know whose it is)".to_owned()
        }
        (_, _) => "find out whose it is, then akia contain KEY-ID".to_owned(),
    }
}

/// A leak in one sentence, without its places.
pub(super) fn sentence(leak: &Leak) -> String {
    let mut text = match &leak.access_key_id {
        Some(id) => format!("{} {id}", kind(leak.kind)),
        None => kind(leak.kind).to_owned(),
    };
    if let Some(account) = &leak.account {
        text.push_str(&format!(" of account {account}"));
    }
    match (&leak.secret, leak.kind) {
        (_, Kind::SecretOnly | Kind::BedrockApiKey) => {}
        (Some(_), _) => text.push_str(", with its secret"),
        (None, _) => text.push_str(", without its secret"),
    }
    if leak.session_token {
        text.push_str(" and a session token");
    }
    text
}

/// Where, as people write it: `path:line`.
pub(crate) fn place(place: &Place) -> String {
    let path = place.file();
    let mut text = match part(place.part) {
        Some(part) => format!("{path} ({part})"),
        None => path.into_owned(),
    };
    if let Some(line) = place.line.filter(|_| has_lines(place.part)) {
        text.push_str(&format!(":{line}"));
    } else if let Some(offset) = place.offset {
        text.push_str(&format!(" at byte {offset}"));
    }
    text
}

fn has_lines(part: Part) -> bool {
    match part {
        Part::Content | Part::CommitMessage | Part::TagMessage | Part::Reflog | Part::Settings | Part::UserData => true,
        Part::Name | Part::Author | Part::Header | Part::RefName | Part::Variable | Part::Parameter | Part::Block => {
            false
        }
    }
}

/// The part of a thing, where it is not what a file holds.
pub(super) fn part(part: Part) -> Option<&'static str> {
    match part {
        Part::Content => None,
        Part::Name => Some("its name"),
        Part::CommitMessage => Some("commit message"),
        Part::Author => Some("author"),
        Part::Header => Some("header"),
        Part::TagMessage => Some("tag message"),
        Part::RefName => Some("name of a ref"),
        Part::Reflog => Some("reflog"),
        Part::Settings => Some("settings of git"),
        Part::Variable => Some("variable"),
        Part::UserData => Some("user data"),
        Part::Parameter => Some("parameter"),
        Part::Block => Some("disk"),
    }
}

/// How a place in a history can be reached.
pub(super) fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Head => "in HEAD",
        Reach::Refs => "in the history",
        Reach::Stash => "in a stash",
        Reach::Reflog => "in a reflog only",
        Reach::Index => "staged",
        Reach::Dangling => "dangling",
    }
}

/// Why something was not looked at.
pub(super) fn why(why: Why) -> &'static str {
    match why {
        Why::Missing => "missing",
        Why::Unreadable => "unreadable",
        Why::Corrupt => "corrupt",
        Why::TooLarge => "too large",
        Why::TooDeep => "nested too deep",
        Why::TimedOut => "out of time",
        Why::Changed => "changed while it was read",
        Why::Encrypted => "encrypted",
        Why::Unsupported => "of a form that akia does not read",
        Why::Denied => "refused by AWS",
    }
}

/// One thing that was not looked at.
pub(crate) fn skipped(one: &Skipped) -> String {
    if one.detail.is_empty() {
        format!("{}: {}", one.what, why(one.why))
    } else {
        format!("{}: {}: {}", one.what, why(one.why), one.detail)
    }
}

/// What was looked at, and how much was not.
pub(crate) fn coverage(coverage: &Coverage) -> String {
    let objects = counted(coverage.objects, "object");
    let looked = format!("{objects}, {}", bytes(coverage.bytes));
    match coverage.skipped.len() {
        0 => format!("looked at everything: {looked}"),
        count => format!("looked at {looked}; NOT looked at: {}", counted(count, "thing")),
    }
}

/// Bytes as people write them.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes;
    let mut unit = "";
    let mut tenths = 0;
    for next in UNITS {
        if value < 1_000 {
            break;
        }
        tenths = value % 1_000 / 100;
        value /= 1_000;
        unit = next;
    }
    if value < 10 {
        format!("{value}.{tenths} {unit}")
    } else {
        format!("{} {unit}", thousands(usize::try_from(value).unwrap_or(usize::MAX)))
    }
}

/// The keys that are told apart from real ones, in words; empty where there are none.
pub(crate) fn aside(leaks: &[Leak]) -> String {
    let count = |fits: &dyn Fn(&Leak) -> bool| leaks.iter().filter(|leak| fits(leak)).count();
    let examples = count(&|leak| leak.class == Class::Documentation);
    let canaries = count(&|leak| leak.class == Class::Canary);
    let known = count(&|leak| leak.class == Class::Real && leak.known);
    let hidden = count(&|leak| leak.class == Class::Real && !leak.known && !leak.is_shown());
    let mut parts = Vec::new();
    if examples > 0 {
        parts.push(format!("{} of documentation", counted(examples, "key")));
    }
    if canaries > 0 {
        parts.push(counted(canaries, "canary token"));
    }
    if known > 0 {
        parts.push(format!("{known} in the baseline"));
    }
    if hidden > 0 {
        parts.push(format!("{hidden} hidden by comments or gitleaks' files"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_with_two_digits() {
        for (count, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 KB"),
            (1_950, "1.9 KB"),
            (64_000_000, "64 MB"),
            (5_000_000_000_000_000, "5,000 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
