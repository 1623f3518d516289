//! What the policies of a user amount to, as far as rules ask.
//!
//! This is no policy evaluation: conditions are not weighed, and a statement with one counts for nothing. What is said of
//! a user by it is certain; what is not said may still hold under a condition.

use serde_json::Value;

use super::Grants;

/// The start of the names of AWS's quarantine policies; there have been four versions.
const QUARANTINE: &str = "AWSCompromisedKeyQuarantine";

impl Grants {
    /// Reads policy documents (JSON, decoded). One that cannot be read grants nothing; AWS stores none such.
    #[must_use]
    pub fn of_documents<'a>(documents: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self::default();
        for document in documents {
            let Ok(document) = serde_json::from_str::<Value>(document) else { continue };
            for statement in many(&document["Statement"]) {
                grants.add(statement);
            }
        }
        grants
    }

    /// Notes what the name of an attached policy says by itself.
    pub fn note_attached(&mut self, arn: &str) {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        self.quarantined |= name.starts_with(QUARANTINE);
        self.everything |= arn.ends_with(":aws:policy/AdministratorAccess");
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            everything: self.everything || other.everything,
            denies_create_key: self.denies_create_key || other.denies_create_key,
            quarantined: self.quarantined || other.quarantined,
        }
    }

    fn add(&mut self, statement: &Value) {
        if statement
            .get("Condition")
            .is_some_and(|condition| !condition.as_object().is_some_and(serde_json::Map::is_empty))
        {
            return;
        }
        let has = |element: &str, fits: &dyn Fn(&str) -> bool| {
            many(&statement[element]).any(|one| one.as_str().is_some_and(fits))
        };
        let everywhere = has("Resource", &|resource| resource == "*");
        if statement["Effect"] == "Allow" {
            self.everything |= everywhere && has("Action", &|action| action == "*" || action == "*:*");
        } else if statement["Effect"] == "Deny" {
            let own = has("Resource", &|resource| resource.contains("${aws:username}"));
            let fits = |action: &str| crate::rule::matches(action, "iam:CreateAccessKey");
            self.denies_create_key |= (everywhere || own) && has("Action", &fits);
        }
    }
}

/// A value, or each of a list of values.
fn many(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice).iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(statement: &str) -> Grants {
        Grants::of_documents([format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#).as_str()])
    }

    #[test]
    fn an_administrator_is_one_by_any_spelling_and_not_under_a_condition() {
        for (statement, everything) in [
            (r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, true),
            (r#"[{"Effect":"Allow","Action":["s3:*","*"],"Resource":["arn:aws:s3:::a","*"]}]"#, true),
            (r#"{"Effect":"Allow","Action":"*:*","Resource":"*","Condition":{}}"#, true),
            (r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, false),
            (r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::a"}"#, false),
            (r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#, false),
            (
                r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
                false,
            ),
            (r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#, false),
        ] {
            assert_eq!(grants(statement).everything, everything, "{statement}");
        }
    }

    #[test]
    fn a_deny_of_making_keys() {
        for (statement, denies) in [
            (r#"{"Effect":"Deny","Action":"iam:CreateAccessKey","Resource":"*"}"#, true),
            (r#"{"Effect":"Deny","Action":"iam:create*","Resource":"*"}"#, true),
            (r#"{"Effect":"Deny","Action":"iam:*","Resource":"arn:aws:iam::*:user/${aws:username}"}"#, true),
            (r#"{"Effect":"Deny","Action":"iam:CreateUser","Resource":"*"}"#, false),
            (r#"{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*"}"#, false),
        ] {
            assert_eq!(grants(statement).denies_create_key, denies, "{statement}");
        }
    }

    #[test]
    fn attached_policies_are_known_by_their_names() {
        let mut grants = Grants::default();
        grants.note_attached("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
        assert_eq!((grants.quarantined, grants.everything), (true, false));
        grants.note_attached("arn:aws-us-gov:iam::aws:policy/AdministratorAccess");
        assert!(grants.everything);
    }

    #[test]
    fn what_is_no_policy_grants_nothing() {
        for text in ["", "[]", "{}", r#"{"Statement":null}"#, r#"{"Statement":[1,"a",{}]}"#] {
            assert_eq!(Grants::of_documents([text]), Grants::default(), "{text}");
        }
    }
}
