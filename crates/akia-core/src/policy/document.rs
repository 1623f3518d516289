//! The shape of an IAM policy document, written the way AWS's documentation writes it.
//!
//! Grammar: IAM User Guide, "Grammar of the IAM JSON policy language". Only the elements of identity-based policies that akia
//! prints are modelled; anything else is refused on reading.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An identity-based policy. Fields are serialised in the order that AWS's documentation uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PolicyDocument {
    /// The language version.
    pub version: PolicyVersion,
    /// The statements; their order has no meaning to IAM.
    pub statement: Vec<Statement>,
}

/// The version of the policy language. Version 2008-10-17 knows no policy variables: `${aws:username}` would be plain text there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyVersion {
    /// The current version.
    #[serde(rename = "2012-10-17")]
    V2012_10_17,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    /// Its name: letters and digits only, unique in the document.
    pub sid: String,
    /// Allow or deny.
    pub effect: Effect,
    /// The actions, each `service:Name`.
    pub action: OneOrMany,
    /// The ARNs, with wildcards and variables, or `*`.
    pub resource: OneOrMany,
    /// When the statement holds; always, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// Operator → condition key → values. All must hold.
pub type Condition = BTreeMap<String, BTreeMap<String, OneOrMany>>;

/// What a matching statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Permits, unless something denies.
    Allow,
    /// Forbids, whatever else permits.
    Deny,
}

/// A single value is written bare, several as a list, as AWS's documentation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A bare string.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The values, one or many.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<S: Into<String>> FromIterator<S> for OneOrMany {
    fn from_iter<I: IntoIterator<Item = S>>(values: I) -> Self {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.len() == 1 { Self::One(values.remove(0)) } else { Self::Many(values) }
    }
}

impl From<&str> for OneOrMany {
    fn from(value: &str) -> Self {
        Self::One(value.to_owned())
    }
}

impl From<String> for OneOrMany {
    fn from(value: String) -> Self {
        Self::One(value)
    }
}

impl Statement {
    /// A statement that permits, without a condition.
    pub(crate) fn allow<S: AsRef<str>>(
        sid: &str,
        actions: impl IntoIterator<Item = S>,
        resource: impl Into<OneOrMany>,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            effect: Effect::Allow,
            action: actions.into_iter().map(|action| action.as_ref().to_owned()).collect(),
            resource: resource.into(),
            condition: None,
        }
    }
}

impl PolicyDocument {
    /// A document in the current version.
    #[must_use]
    pub fn new(statement: Vec<Statement>) -> Self {
        Self { version: PolicyVersion::V2012_10_17, statement }
    }

    /// The document for people: indented by four, with a final line break. The same document always gives the same bytes.
    #[must_use]
    pub fn to_pretty_json(&self) -> String {
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        into_text(self.serialize(&mut serializer), || bytes) + "\n"
    }

    /// The document on one line, as an argument of the AWS CLI.
    #[must_use]
    pub fn to_compact_json(&self) -> String {
        let mut bytes = Vec::new();
        into_text(serde_json::to_writer(&mut bytes, self), || bytes)
    }
}

#[expect(clippy::expect_used, reason = "strings, lists and maps with string keys always serialise, and as UTF-8")]
fn into_text(written: serde_json::Result<()>, bytes: impl FnOnce() -> Vec<u8>) -> String {
    written.expect("a policy document serialises");
    String::from_utf8(bytes()).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back_and_unknown_elements_are_refused() {
        let document = PolicyDocument::new(vec![Statement {
            sid: "A1".into(),
            effect: Effect::Allow,
            action: ["iam:GetUser"].into_iter().collect(),
            resource: ["*"].into_iter().collect(),
            condition: None,
        }]);
        let compact = document.to_compact_json();
        assert_eq!(
            compact,
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A1","Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}"#
        );
        assert_eq!(serde_json::from_str::<PolicyDocument>(&compact).unwrap(), document);
        assert_eq!(serde_json::from_str::<PolicyDocument>(&document.to_pretty_json()).unwrap(), document);
        let foreign = compact.replace("\"Sid\"", "\"Principal\":\"*\",\"Sid\"");
        assert!(serde_json::from_str::<PolicyDocument>(&foreign).is_err());
        assert!(serde_json::from_str::<PolicyDocument>(&compact.replace("2012-10-17", "2008-10-17")).is_err());
    }
}
