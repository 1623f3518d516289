//! A policy that a person has written, read strictly: what akia does not understand, it does not put on a key.
//!
//! Grammar: IAM User Guide, "Grammar of the IAM JSON policy language". A name that stands twice in an object is refused: JSON
//! leaves open which one counts, and AWS and a reviewer might not agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::policy::{Condition, Effect, PolicyDocument, Statement};

/// Why a policy is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFileError {
    /// It is not JSON, or has elements that no identity-based policy has.
    #[error("it is not an identity-based policy: {0}")]
    Form(String),
    /// The version, without which variables are plain text.
    #[error("its \"Version\" must be \"2012-10-17\"; without it, variables such as ${{aws:username}} are plain text")]
    Version,
    /// It has no statement.
    #[error("it has no statement")]
    Empty,
    /// An element that says what is left out, instead of what is meant.
    #[error("statement {sid} has {element}, which covers all that it does not name, and what AWS adds tomorrow")]
    Not {
        /// The statement.
        sid: String,
        /// The element.
        element: &'static str,
    },
    /// A principal: that is a policy of a resource.
    #[error("statement {sid} has a principal; that belongs into the policy of a resource, not of a user")]
    Principal {
        /// The statement.
        sid: String,
    },
    /// A statement lacks an element.
    #[error("statement {sid} has no {element}")]
    Lacks {
        /// The statement.
        sid: String,
        /// The element.
        element: &'static str,
    },
    /// A name of a statement that AWS refuses, or that stands twice.
    #[error("the Sid {0:?} stands twice, or holds more than letters and digits")]
    Sid(String),
    /// An action that is none.
    #[error("statement {sid}: {action:?} is not an action (service:Name, with * and ? in the name only)")]
    Action {
        /// The statement.
        sid: String,
        /// The action.
        action: String,
    },
    /// A resource that is none.
    #[error("statement {sid}: {resource:?} is neither an ARN nor *")]
    Resource {
        /// The statement.
        sid: String,
        /// The resource.
        resource: String,
    },
    /// Nothing is allowed.
    #[error("it allows nothing")]
    AllowsNothing,
}

/// Reads a policy. Statements without a name get one.
///
/// # Errors
/// Says what is wrong with it, and where.
pub fn parse_policy(text: &str) -> Result<PolicyDocument, PolicyFileError> {
    let raw: RawDocument = serde_json::from_str(text).map_err(|error| PolicyFileError::Form(error.to_string()))?;
    if raw.version.as_deref() != Some("2012-10-17") {
        return Err(PolicyFileError::Version);
    }
    if raw.statement.0.is_empty() {
        return Err(PolicyFileError::Empty);
    }
    let mut names = BTreeSet::new();
    let mut statements = Vec::new();
    for (index, one) in raw.statement.0.into_iter().enumerate() {
        let statement = one.checked(index + 1)?;
        let sid = &statement.sid;
        if !sid.bytes().all(|b| b.is_ascii_alphanumeric()) || sid.is_empty() || !names.insert(sid.clone()) {
            return Err(PolicyFileError::Sid(sid.clone()));
        }
        statements.push(statement);
    }
    if statements.iter().all(|one| one.effect == Effect::Deny) {
        return Err(PolicyFileError::AllowsNothing);
    }
    Ok(PolicyDocument::new(statements))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawDocument {
    version: Option<String>,
    /// A name for people; IAM takes it, and it means nothing.
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrList<RawStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawStatement {
    sid: Option<String>,
    effect: Effect,
    action: Option<Texts>,
    not_action: Option<Texts>,
    resource: Option<Texts>,
    not_resource: Option<Texts>,
    principal: Option<serde_json::Value>,
    not_principal: Option<serde_json::Value>,
    condition: Option<Unique<Unique<Texts>>>,
}

impl RawStatement {
    fn checked(self, number: usize) -> Result<Statement, PolicyFileError> {
        let sid = self.sid.unwrap_or_else(|| format!("Statement{number}"));
        if self.principal.is_some() || self.not_principal.is_some() {
            return Err(PolicyFileError::Principal { sid });
        }
        for (element, is_there) in
            [("NotAction", self.not_action.is_some()), ("NotResource", self.not_resource.is_some())]
        {
            if is_there {
                return Err(PolicyFileError::Not { sid, element });
            }
        }
        let some = |texts: Option<Texts>, element| {
            let texts = texts.map(Texts::into_texts).unwrap_or_default();
            if texts.is_empty() { Err(PolicyFileError::Lacks { sid: sid.clone(), element }) } else { Ok(texts) }
        };
        let actions = some(self.action, "Action")?;
        let resources = some(self.resource, "Resource")?;
        if let Some(action) = actions.iter().find(|action| !is_action(action)) {
            return Err(PolicyFileError::Action { sid, action: action.clone() });
        }
        if let Some(resource) = resources.iter().find(|one| *one != "*" && one.splitn(6, ':').count() != 6) {
            return Err(PolicyFileError::Resource { sid, resource: resource.clone() });
        }
        let values = |keys: Unique<Texts>| {
            keys.0.into_iter().map(|(key, texts)| (key, texts.into_texts().into_iter().collect())).collect()
        };
        let condition: Option<Condition> =
            self.condition.map(|all| all.0.into_iter().map(|(operator, keys)| (operator, values(keys))).collect());
        Ok(Statement {
            sid,
            effect: self.effect,
            action: actions.into_iter().collect(),
            resource: resources.into_iter().collect(),
            condition: condition.filter(|condition| !condition.is_empty()),
        })
    }
}

/// IAM takes no wildcard in the name of a service, but for `*` alone.
fn is_action(action: &str) -> bool {
    if action == "*" || action == "*:*" {
        return true;
    }
    action.split_once(':').is_some_and(|(service, name)| {
        !service.is_empty()
            && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'*' || b == b'?')
    })
}

/// One, or a list of them.
struct OneOrList<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = OneOrList<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("one, or a list")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrList(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(OneOrList(all))
            }
            fn visit_str<E: serde::de::Error>(self, one: &str) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrList(vec![one]))
            }
            fn visit_bool<E: serde::de::Error>(self, one: bool) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrList(vec![one]))
            }
            fn visit_u64<E: serde::de::Error>(self, one: u64) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrList(vec![one]))
            }
            fn visit_i64<E: serde::de::Error>(self, one: i64) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrList(vec![one]))
            }
            fn visit_f64<E: serde::de::Error>(self, one: f64) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrList(vec![one]))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// A text; truths and numbers count as theirs, as for IAM.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Words(String),
    Truth(bool),
    Number(serde_json::Number),
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Words(text) => text,
            Text::Truth(truth) => truth.to_string(),
            Text::Number(number) => number.to_string(),
        }
    }
}

/// One text, or several.
#[derive(Deserialize)]
#[serde(transparent)]
struct Texts(OneOrList<Text>);

impl Texts {
    fn into_texts(self) -> Vec<String> {
        self.0.0.into_iter().map(String::from).collect()
    }
}

/// An object in which no name stands twice.
struct Unique<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Unique<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, one)) = map.next_entry::<String, T>()? {
                    if all.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("{name:?} stands twice")));
                    }
                    all.insert(name, one);
                }
                Ok(Unique(all))
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::OneOrMany;

    fn document(statement: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
    }

    const GET: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;

    #[test]
    fn a_policy_is_read_in_every_form_that_aws_takes() {
        let one = parse_policy(&document(GET)).unwrap();
        assert_eq!(one, parse_policy(&document(&format!("[{GET}]"))).unwrap());
        assert_eq!(one.statement[0].sid, "Statement1");
        let lists = r#"{"Sid":"A","Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"],
            "Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":[10,"20"]}}}"#;
        let read = parse_policy(&document(lists)).unwrap();
        let condition = read.statement[0].condition.as_ref().unwrap();
        assert_eq!(condition["Bool"]["aws:SecureTransport"], OneOrMany::from("true"));
        assert_eq!(condition["NumericLessThan"]["s3:max-keys"].as_slice(), ["10", "20"]);
        assert_eq!(read.statement[0].action, one.statement[0].action, "a list of one is one");
        assert_eq!(parse_policy(&read.to_pretty_json()).unwrap(), read);
    }

    #[test]
    fn what_is_no_least_policy_is_refused_and_named() {
        let with = |more: &str| document(&GET.replace("\"Effect\"", &format!("{more},\"Effect\"")));
        for (text, told) in [
            ("[]".to_owned(), "not an identity-based policy"),
            (document("[]"), "no statement"),
            (document(GET).replace("2012-10-17", "2008-10-17"), "Version"),
            (with(r#""Principal":"*""#), "has a principal"),
            (with(r#""NotResource":"*""#), "NotResource"),
            (document(&GET.replace("Action", "NotAction")), "NotAction"),
            (with(r#""Color":"red""#), "unknown field `Color`"),
            (with(r#""Action":"s3:*""#), "duplicate field `Action`"),
            (with(r#""Condition":{"Bool":{"a":"1","a":"2"}}"#), "\"a\" stands twice"),
            (with(r#""Sid":"a b""#), "Sid"),
            (document(&format!("[{GET},{}]", GET.replace("\"Effect\"", "\"Sid\":\"Statement1\",\"Effect\""))), "twice"),
            (document(&GET.replace("s3:GetObject", "GetObject")), "not an action"),
            (document(&GET.replace("s3:GetObject", "s*:GetObject")), "not an action"),
            (document(&GET.replace("arn:aws:s3:::b/*", "b/*")), "neither an ARN nor *"),
            (document(&GET.replace("\"s3:GetObject\"", "[]")), "has no Action"),
            (document(&GET.replace("Allow", "Deny")), "allows nothing"),
            (document(&GET.replace("Allow", "allow")), "unknown variant `allow`"),
        ] {
            let error = parse_policy(&text).unwrap_err().to_string();
            assert!(error.contains(told), "{told}: {error}");
        }
    }
}
