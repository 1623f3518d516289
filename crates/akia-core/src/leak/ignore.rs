//! What a team has decided not to be told of again: baselines, `.gitleaksignore`, comments on a line.
//!
//! Nothing is dropped: a place that is hidden says by what, and the report counts it. akia's own baseline names keys and not places, so
//! that it survives moves and never hides another key. What gitleaks wrote names places, and hides what stands there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::report::{LeakPlace, SCHEMA, ScanReport};
use super::{Fingerprint, Kind};
use crate::ids::AccessKeyId;

/// Why a place does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hidden {
    /// Its line says `akia:allow` or `gitleaks:allow`.
    Comment,
    /// A `.gitleaksignore` names it.
    GitleaksIgnore,
    /// A report of gitleaks names it.
    GitleaksBaseline,
    /// It is an AWS file on the machine of its owner: there a key belongs.
    Profile,
}

/// Everything that a team has decided not to be told of again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignores {
    known: BTreeSet<Fingerprint>,
    /// Their ids: without a secret, an id says no more than the baseline itself does.
    known_ids: BTreeSet<AccessKeyId>,
    ignored: BTreeSet<String>,
    /// `file:line` and the key id, where the report has it.
    reported: BTreeSet<(String, u64, Option<String>)>,
}

/// A baseline that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Not JSON, or JSON of another kind.
    #[error("neither JSON of akia scan ({SCHEMA}) nor of gitleaks: {0}")]
    Foreign(String),
}

/// The part of akia's JSON that a baseline needs.
#[derive(Deserialize)]
struct Ours {
    schema: String,
    leaks: Vec<OurLeak>,
}

#[derive(Deserialize)]
struct OurLeak {
    fingerprint: Fingerprint,
    access_key_id: Option<AccessKeyId>,
}

/// The part of a finding of gitleaks that a baseline needs (report format of gitleaks 8).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Theirs {
    #[serde(rename = "RuleID")]
    rule: String,
    start_line: u64,
    file: String,
    #[serde(default)]
    secret: String,
}

impl Ignores {
    /// Takes a baseline over: `akia scan --output json`, or gitleaks' JSON report.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn add_baseline(&mut self, text: &str) -> Result<(), BaselineError> {
        let foreign = |error: serde_json::Error| BaselineError::Foreign(error.to_string());
        if text.trim_start().starts_with('[') {
            let theirs: Vec<Theirs> = serde_json::from_str(text).map_err(foreign)?;
            for finding in theirs.into_iter().filter(|finding| finding.rule.starts_with("aws-")) {
                let id = finding.secret.get(..4).is_some_and(|head| super::PREFIXES.contains(&head));
                self.reported.insert((finding.file, finding.start_line, id.then_some(finding.secret)));
            }
            return Ok(());
        }
        let ours: Ours = serde_json::from_str(text).map_err(foreign)?;
        if ours.schema != SCHEMA {
            return Err(BaselineError::Foreign(format!("its schema is {:?}", ours.schema)));
        }
        for leak in ours.leaks {
            self.known.insert(leak.fingerprint);
            self.known_ids.extend(leak.access_key_id);
        }
        Ok(())
    }

    /// Takes the lines of a `.gitleaksignore` over: `commit:file:rule:line` or `file:rule:line`, `#` for comments.
    pub fn add_gitleaksignore(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.ignored.extend(lines.map(str::to_owned));
    }

    /// Marks what is known and what is hidden.
    pub fn apply(&self, report: &mut ScanReport) {
        for leak in &mut report.leaks {
            let is_alone = leak.secret.is_none();
            leak.known = self.known.contains(&leak.fingerprint)
                || is_alone && leak.access_key_id.as_ref().is_some_and(|id| self.known_ids.contains(id));
            let id = leak.access_key_id.as_ref().map(|id| id.as_str());
            for place in leak.places.iter_mut().filter(|place| place.hidden.is_none()) {
                place.hidden = self.hides(place, leak.kind, id);
            }
        }
    }

    fn hides(&self, found: &LeakPlace, kind: Kind, id: Option<&str>) -> Option<Hidden> {
        let place = &found.place;
        let line = place.line?;
        let tail = format!("{}:{}:{line}", place.file(), gitleaks_rule(kind));
        let commit = place.git.as_ref().and_then(|git| git.commit.as_deref());
        if self.ignored.contains(&tail)
            || commit.is_some_and(|commit| self.ignored.contains(&format!("{commit}:{tail}")))
        {
            return Some(Hidden::GitleaksIgnore);
        }
        let at = |id: Option<&str>| self.reported.contains(&(place.file().into_owned(), line, id.map(str::to_owned)));
        // A report made with --redact has no id: it names the line alone.
        (id.is_some() && at(id) || at(None)).then_some(Hidden::GitleaksBaseline)
    }
}

/// The rule of gitleaks that finds this kind (`config/gitleaks.toml` of gitleaks 8).
#[must_use]
pub fn gitleaks_rule(kind: Kind) -> &'static str {
    match kind {
        Kind::LongTerm | Kind::Temporary | Kind::Bearer | Kind::ContextSpecific | Kind::SecretOnly => {
            "aws-access-token"
        }
        Kind::BedrockApiKey => "aws-amazon-bedrock-api-key-long-lived",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leak::{Coverage, Detector, Options, Place, Sighting};

    fn report(text: &str, path: &str) -> ScanReport {
        let found = Detector::new(Options::default()).detect(text.as_bytes());
        let sightings = found.into_iter().map(|found| {
            let place = Place::in_file(".", path, found.line);
            Sighting { found, place }
        });
        ScanReport::new(vec!["repo".to_owned()], sightings.collect(), Coverage::default())
    }

    fn pair(id: &str, secret: &str) -> String {
        format!("\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    }

    const ID: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn a_baseline_survives_moves_and_never_hides_another_key() {
        let mut ignores = Ignores::default();
        ignores.add_baseline(&serde_json::to_string(&report(&pair(ID, SECRET), "a")).unwrap()).unwrap();
        let mut moved = report(&format!("\n\n{}", pair(ID, SECRET)), "b");
        ignores.apply(&mut moved);
        assert!(moved.leaks[0].known && !moved.leaks[0].counts());
        let other: String = SECRET.chars().rev().collect();
        let mut same_place = report(&pair(ID, &other), "a");
        ignores.apply(&mut same_place);
        assert!(!same_place.leaks[0].known && same_place.leaks[0].counts_as(crate::leak::Class::Documentation));
    }

    /// A baseline that lies beside what it is of holds the ids itself.
    #[test]
    fn a_known_id_that_stands_alone_is_known_and_one_with_its_first_secret_is_new() {
        let (alone, whole) = (format!("\nid {ID}\n"), pair(ID, SECRET));
        let known_from = |text: &str, seen: &str| {
            let mut ignores = Ignores::default();
            ignores.add_baseline(&serde_json::to_string(&report(text, "a")).unwrap()).unwrap();
            let mut report = report(seen, "b");
            ignores.apply(&mut report);
            report.leaks[0].known
        };
        assert!(known_from(&whole, &alone) && known_from(&alone, &alone));
        assert!(!known_from(&alone, &whole));
        let both = [report(&whole, "a"), report(&alone, "b")].map(|report| report.leaks.len());
        assert_eq!(both, [1, 1]);
        assert_eq!(report(&format!("{whole}{}{alone}", "\n".repeat(20_000)), "a").leaks.len(), 1, "one key");
    }

    #[test]
    fn what_gitleaks_ignores_is_hidden_at_its_place_only() {
        let mut ignores = Ignores::default();
        ignores.add_gitleaksignore("# known\na:aws-access-token:2\n");
        for (path, hidden) in [("a", Some(Hidden::GitleaksIgnore)), ("b", None)] {
            let mut report = report(&pair(ID, SECRET), path);
            ignores.apply(&mut report);
            assert_eq!(report.leaks[0].places[0].hidden, hidden);
        }
    }

    #[test]
    fn a_report_of_gitleaks_is_a_baseline() {
        let theirs = |secret: &str| {
            format!(r#"[{{"RuleID":"aws-access-token","StartLine":2,"File":"a","Secret":"{secret}","Commit":""}}]"#)
        };
        for (secret, hidden) in [
            (ID, Some(Hidden::GitleaksBaseline)),
            ("REDACTED", Some(Hidden::GitleaksBaseline)),
            ("AKIAI44QH8DHBEXAMPLE", None),
        ] {
            let mut ignores = Ignores::default();
            ignores.add_baseline(&theirs(secret)).unwrap();
            let mut report = report(&pair(ID, SECRET), "a");
            ignores.apply(&mut report);
            assert_eq!(report.leaks[0].places[0].hidden, hidden, "{secret}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        for text in ["", "{}", "[1]", r#"{"schema":"akia.audit/1","leaks":[]}"#] {
            assert!(Ignores::default().add_baseline(text).is_err(), "{text}");
        }
    }
}
