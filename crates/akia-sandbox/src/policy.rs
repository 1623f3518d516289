//! IAM policies: parsing, and whether they allow a call.
//!
//! The language is evaluated by a library. Two were judged: `iam-rs` 0.8 and `scratchstack-aspen` 0.3.
//! Aspen returns at the first statement that matches, so an explicit `Deny` behind an `Allow` in the same policy is
//! never seen; it also brings chrono, regex and an old base64. `iam-rs` puts explicit denies first, knows
//! `…IfExists`, `Null`, `NotAction`, principals and policy variables, and is light. Three of its habits differ from
//! AWS, and are mended here:
//! - a variable without a value becomes an empty text; for AWS the pattern then matches nothing;
//! - numbers and booleans in condition lists are refused; AWS reads them as texts;
//! - a pattern that cannot be read is an error of the whole evaluation; it is refused on the way in, as AWS does.

use std::sync::Arc;

use iam_rs::{
    Arn, ArnMatcher, Context, ContextValue, Decision, IAMEffect, IAMPolicy, IAMRequest, IAMResource, IAMStatement,
    PolicyEvaluator, Principal, PrincipalId,
};
use serde_json::Value;

use crate::failure::Failure;

/// A policy: its text as it was given, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) text: String,
    meaning: Arc<IAMPolicy>,
}

/// The judgement over a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    ExplicitlyDenied,
    NotAllowed,
}

/// What a policy is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Attached to a user, group or role: has resources and no principal.
    Identity,
    /// The trust policy of a role: has principals and no resource.
    Trust,
}

impl Document {
    pub(crate) fn parse(text: &str, purpose: Use) -> Result<Self, Failure> {
        let malformed = |message: String| Failure::new(400, "MalformedPolicyDocument", message);
        let mut json: Value =
            serde_json::from_str(text).map_err(|_| malformed("Syntax errors in policy.".to_owned()))?;
        spell_out_condition_values(&mut json);
        let mut meaning: IAMPolicy =
            serde_json::from_value(json).map_err(|_| malformed("Syntax errors in policy.".to_owned()))?;
        for statement in &mut meaning.statement {
            if statement.action.is_none() && statement.not_action.is_none() {
                return Err(malformed("Policy statement must contain actions.".to_owned()));
            }
            let has_principal = statement.principal.is_some() || statement.not_principal.is_some();
            let has_resource = statement.resource.is_some() || statement.not_resource.is_some();
            match purpose {
                Use::Identity if has_principal => {
                    return Err(malformed("Policy document should not specify a principal.".to_owned()));
                }
                Use::Identity if !has_resource => {
                    return Err(malformed("Policy statement must contain resources.".to_owned()));
                }
                Use::Trust if has_resource => {
                    return Err(malformed("Has prohibited field Resource".to_owned()));
                }
                // The library wants a resource in every statement.
                Use::Trust => statement.resource = Some(IAMResource::Single("*".to_owned())),
                Use::Identity => {}
            }
            for pattern in patterns(statement) {
                if pattern != "*" && ArnMatcher::from_pattern(&without_variables(pattern)).is_err() {
                    return Err(malformed(format!("Resource {pattern} must be in ARN format or \"*\".")));
                }
            }
        }
        Ok(Self { text: text.to_owned(), meaning: Arc::new(meaning) })
    }

    /// Whether a trust policy names exactly this principal, which then needs no policy of its own.
    pub(crate) fn names_principal(&self, arn: &str) -> bool {
        self.meaning.statement.iter().filter(|statement| statement.effect == IAMEffect::Allow).any(|statement| {
            match &statement.principal {
                Some(Principal::Aws(PrincipalId::String(id))) => id == arn,
                Some(Principal::Aws(PrincipalId::Array(ids))) => ids.iter().any(|id| id == arn),
                _ => false,
            }
        })
    }

    /// The condition keys that the policy asks for.
    pub(crate) fn condition_keys(&self) -> Vec<String> {
        let blocks = self.meaning.statement.iter().filter_map(|statement| statement.condition.as_ref());
        blocks.flat_map(|block| block.conditions.values().flat_map(|keys| keys.keys().cloned())).collect()
    }
}

/// Values of condition keys in a call. A key that is absent is absent for `Null` and `IfExists` too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts(Vec<(String, ContextValue)>);

impl Facts {
    pub(crate) fn text(&mut self, key: &str, value: impl Into<String>) {
        self.set(key, ContextValue::String(value.into()));
    }

    pub(crate) fn truth(&mut self, key: &str, value: bool) {
        self.set(key, ContextValue::Boolean(value));
    }

    pub(crate) fn number(&mut self, key: &str, value: i64) {
        #[expect(clippy::cast_precision_loss, reason = "seconds of some centuries fit")]
        self.set(key, ContextValue::Number(value as f64));
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(key))
    }

    fn set(&mut self, key: &str, value: ContextValue) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_owned(), value));
    }
}

/// Judges a call by all policies that apply to its caller.
pub(crate) fn judge<'a>(
    documents: impl IntoIterator<Item = &'a Document>,
    principal: &str,
    action: &str,
    resource: &str,
    facts: &Facts,
) -> Verdict {
    let policies: Vec<IAMPolicy> = documents.into_iter().map(|document| applicable(&document.meaning, facts)).collect();
    let mut context = Context::new();
    for (key, value) in &facts.0 {
        context.insert(key.clone(), value.clone());
    }
    // Actions without a resource are judged against "*", which only the pattern "*" may match: an ARN that no
    // pattern with a service and a type reaches.
    let arn = Arn::parse(resource).unwrap_or_else(|_| Arn {
        partition: "none".to_owned(),
        service: "none".to_owned(),
        region: String::new(),
        account_id: String::new(),
        resource: "*".to_owned(),
    });
    let principal = Principal::Aws(PrincipalId::String(principal.to_owned()));
    let request = IAMRequest::new_with_context(principal, action, arn, context);
    match PolicyEvaluator::with_policies(policies).evaluate(&request).map(|result| result.decision) {
        Ok(Decision::Allow) => Verdict::Allowed,
        Ok(Decision::Deny) => Verdict::ExplicitlyDenied,
        Ok(Decision::NotApplicable) => Verdict::NotAllowed,
        Err(error) => {
            tracing::warn!(%error, action, resource, "policy evaluation failed; the call is refused");
            Verdict::NotAllowed
        }
    }
}

/// The policy without patterns whose variables have no value in this call.
fn applicable(policy: &IAMPolicy, facts: &Facts) -> IAMPolicy {
    let mut policy = policy.clone();
    policy.statement.retain_mut(|statement| {
        if statement.not_resource.is_some() {
            return patterns(statement).all(|pattern| is_resolvable(pattern, facts));
        }
        let kept: Vec<String> = patterns(statement).filter(|pattern| is_resolvable(pattern, facts)).cloned().collect();
        let any = !kept.is_empty();
        statement.resource = Some(IAMResource::Multiple(kept));
        any
    });
    policy
}

fn patterns(statement: &IAMStatement) -> impl Iterator<Item = &String> {
    [&statement.resource, &statement.not_resource].into_iter().flatten().flat_map(|resource| match resource {
        IAMResource::Single(pattern) => std::slice::from_ref(pattern),
        IAMResource::Multiple(patterns) => patterns.as_slice(),
    })
}

fn is_resolvable(pattern: &str, facts: &Facts) -> bool {
    variables(pattern).all(|variable| variable.contains(',') || facts.has(variable.trim()))
}

fn variables(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(variable, _)| variable)
}

/// The pattern with each variable replaced, so that the colons inside do not count.
fn without_variables(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        out.push('x');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    out + rest
}

fn spell_out_condition_values(json: &mut Value) {
    let statements = match json.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let blocks = statements.into_iter().filter_map(|statement| statement.get_mut("Condition")?.as_object_mut());
    for keys in blocks.flat_map(|block| block.values_mut().filter_map(Value::as_object_mut)) {
        for values in keys.values_mut().filter_map(Value::as_array_mut) {
            for value in values.iter_mut().filter(|value| !value.is_string()) {
                *value = Value::String(value.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
    const PATHED: &str = "arn:aws:iam::111122223333:user/team/alice";

    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.text("aws:username", "alice");
        facts
    }

    fn verdict(policy: &str, action: &str, resource: &str, facts: &Facts) -> Verdict {
        let document = Document::parse(policy, Use::Identity).unwrap();
        judge([&document], ALICE, action, resource, facts)
    }

    const OWN_KEYS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*AccessKey*",
        "Resource":"arn:aws:iam::*:user/${aws:username}"}}"#;

    #[test]
    fn the_variable_means_the_caller_and_no_user_with_a_path() {
        assert_eq!(verdict(OWN_KEYS, "iam:CreateAccessKey", ALICE, &facts()), Verdict::Allowed);
        assert_eq!(verdict(OWN_KEYS, "iam:createaccesskey", ALICE, &facts()), Verdict::Allowed);
        let bob = "arn:aws:iam::111122223333:user/bob";
        assert_eq!(verdict(OWN_KEYS, "iam:CreateAccessKey", bob, &facts()), Verdict::NotAllowed);
        assert_eq!(verdict(OWN_KEYS, "iam:CreateAccessKey", PATHED, &facts()), Verdict::NotAllowed);
        let aware = OWN_KEYS.replace("user/${", "user/*${");
        assert_eq!(verdict(&aware, "iam:CreateAccessKey", PATHED, &facts()), Verdict::Allowed);
    }

    #[test]
    fn a_variable_without_a_value_matches_nothing() {
        let wide = OWN_KEYS.replace("user/${", "user/*${");
        assert_eq!(verdict(&wide, "iam:CreateAccessKey", ALICE, &Facts::default()), Verdict::NotAllowed);
    }

    #[test]
    fn an_explicit_deny_wins_behind_an_allow() {
        let policy = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","Action":"iam:UpdateAccessKey","Resource":"*"}]}"#;
        assert_eq!(verdict(policy, "iam:UpdateAccessKey", ALICE, &facts()), Verdict::ExplicitlyDenied);
        assert_eq!(verdict(policy, "iam:ListUsers", "*", &facts()), Verdict::Allowed);
    }

    const REQUIRE_MFA: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iam:*","Resource":"*"},
        {"Effect":"Deny","NotAction":["iam:ListMFADevices","sts:GetSessionToken"],"Resource":"*",
         "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":[false]}}}]}"#;

    #[test]
    fn bool_if_exists_denies_without_mfa_and_not_action_spares() {
        let mut without = facts();
        assert_eq!(verdict(REQUIRE_MFA, "iam:ListMFADevices", ALICE, &without), Verdict::Allowed);
        // A long-term key has no such fact at all: IfExists is then true and the deny holds.
        assert_eq!(verdict(REQUIRE_MFA, "iam:CreateAccessKey", ALICE, &without), Verdict::ExplicitlyDenied);
        without.truth("aws:MultiFactorAuthPresent", false);
        assert_eq!(verdict(REQUIRE_MFA, "iam:CreateAccessKey", ALICE, &without), Verdict::ExplicitlyDenied);
        without.truth("aws:MultiFactorAuthPresent", true);
        assert_eq!(verdict(REQUIRE_MFA, "iam:CreateAccessKey", ALICE, &without), Verdict::Allowed);
    }

    #[test]
    fn plain_bool_is_false_for_an_absent_fact_and_ages_compare() {
        let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*",
            "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},
                         "NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}}}"#;
        let mut facts = facts();
        assert_eq!(verdict(policy, "iam:ListUsers", ALICE, &facts), Verdict::NotAllowed);
        facts.truth("aws:MultiFactorAuthPresent", true);
        facts.number("aws:MultiFactorAuthAge", 3599);
        assert_eq!(verdict(policy, "iam:ListUsers", ALICE, &facts), Verdict::Allowed);
        facts.number("aws:MultiFactorAuthAge", 3600);
        assert_eq!(verdict(policy, "iam:ListUsers", ALICE, &facts), Verdict::NotAllowed);
    }

    #[test]
    fn an_action_without_resource_needs_a_star() {
        assert_eq!(verdict(OWN_KEYS, "iam:ListAccessKeys", "*", &facts()), Verdict::NotAllowed);
        let star = OWN_KEYS.replace("arn:aws:iam::*:user/${aws:username}", "*");
        assert_eq!(verdict(&star, "iam:ListAccessKeys", "*", &facts()), Verdict::Allowed);
    }

    #[test]
    fn what_aws_refuses_on_the_way_in_is_refused() {
        let valid = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        assert!(Document::parse(valid, Use::Identity).is_ok());
        for (broken, purpose) in [
            ("{", Use::Identity),
            (&*valid.replace("\"*\"", "\"bucket\""), Use::Identity),
            (&*valid.replace("Allow", "Maybe"), Use::Identity),
            (&*valid.replace("\"Action\":\"s3:*\",", ""), Use::Identity),
            (&*valid.replace(",\"Resource\":\"*\"", ""), Use::Identity),
            (&*valid.replace("\"Action\"", "\"Principal\":\"*\",\"Action\""), Use::Identity),
            (valid, Use::Trust),
        ] {
            let failure = Document::parse(broken, purpose).unwrap_err();
            assert_eq!(failure.code, "MalformedPolicyDocument", "{broken}");
        }
    }
}
