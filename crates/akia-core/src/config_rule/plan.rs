//! From what is wanted and what is there to what is done, and to what stands in the way.

use serde_json::Value;

use super::found::{EventRuleFound, Found, Standing};
use super::recorder::Recording;
use super::wanted::{TopicArn, Wanted};

/// One thing to do. What was there before, in words, where something was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the rule, or change it.
    PutRule {
        /// What was there.
        was: Option<String>,
    },
    /// Make the organisation's rule, or change it.
    PutOrganizationRule {
        /// What was there.
        was: Option<String>,
    },
    /// Let EventBridge publish to the topic.
    Grant,
    /// Make the EventBridge rule, or change it.
    PutEventRule {
        /// What was there.
        was: Option<String>,
    },
    /// Point it to the topic.
    PutTarget {
        /// Where it pointed.
        was: Option<String>,
    },
}

impl Step {
    /// What is done, in words.
    #[must_use]
    pub fn words(&self, wanted: &Wanted) -> String {
        let name = &wanted.name;
        let topic = wanted.topic.as_ref().map(TopicArn::as_str).unwrap_or_default();
        let (verb, was) = match self {
            Self::PutRule { was } | Self::PutOrganizationRule { was } | Self::PutEventRule { was } => {
                (if was.is_some() { "change" } else { "make" }, was)
            }
            Self::PutTarget { was } => ("send", was),
            Self::Grant => ("permit", &None),
        };
        let was = was.as_ref().map_or_else(String::new, |was| format!(" (now: {was})"));
        match self {
            Self::PutRule { .. } => {
                format!(
                    "{verb:<7} rule {name} of AWS Config: active keys at most {} days old{was}",
                    wanted.max_age_days
                )
            }
            Self::PutOrganizationRule { .. } => format!(
                "{verb:<7} rule {name} of AWS Config in every account of the organisation: active keys at most {} days old{was}",
                wanted.max_age_days
            ),
            Self::Grant => format!("{verb:<7} EventBridge to publish to {topic}: one statement is added to its policy"),
            Self::PutEventRule { .. } => {
                format!("{verb:<7} rule {name} of EventBridge: a user becomes noncompliant{was}")
            }
            Self::PutTarget { .. } => format!("{verb:<7} what it finds to {topic}{was}"),
        }
    }
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// Config has no recorder here.
    NoRecorder,
    /// Config has a rule of the name that akia did not make.
    ForeignRule,
    /// The organisation has one.
    ForeignOrganizationRule,
    /// EventBridge has one.
    ForeignEventRule,
    /// The policy of the topic does not let EventBridge publish; this statement would.
    TopicPolicy(Box<Value>),
    /// The policy of the topic forbids it.
    TopicDenies,
}

/// The steps that are left, in order: the way to the topic last, so that nothing is told that cannot arrive. `statement` is what
/// the topic's policy needs; it is added only where `may_grant` says so.
///
/// # Errors
/// Everything that stands in the way, before anything is done.
pub fn steps(
    wanted: &Wanted,
    found: &Found,
    statement: Option<&Value>,
    may_grant: bool,
) -> Result<Vec<Step>, Vec<Blocked>> {
    let (mut steps, mut blocked) = (Vec::new(), Vec::new());
    if wanted.for_organization {
        match found.organization_rule.as_ref().map(|rule| rule.standing(wanted)) {
            None => steps.push(Step::PutOrganizationRule { was: None }),
            Some(Standing::AsWanted) => {}
            Some(Standing::Differs(was)) => steps.push(Step::PutOrganizationRule { was: Some(was) }),
            Some(Standing::Foreign) => blocked.push(Blocked::ForeignOrganizationRule),
        }
    } else {
        if found.recording == Recording::NoRecorder {
            blocked.push(Blocked::NoRecorder);
        }
        match found.rule.as_ref().map(|rule| rule.standing(wanted)) {
            None => steps.push(Step::PutRule { was: None }),
            Some(Standing::AsWanted) => {}
            Some(Standing::Differs(was)) => steps.push(Step::PutRule { was: Some(was) }),
            Some(Standing::Foreign) => blocked.push(Blocked::ForeignRule),
        }
    }
    if let (Some(topic), Some(policy), Some(statement)) = (&wanted.topic, &found.topic, statement) {
        if policy.denies_publish() {
            blocked.push(Blocked::TopicDenies);
        } else if !policy.lets_publish(statement) {
            if may_grant {
                steps.push(Step::Grant);
            } else {
                blocked.push(Blocked::TopicPolicy(Box::new(statement.clone())));
            }
        }
        let standing = found.event_rule.as_ref().map(|rule| rule.standing(wanted));
        match standing {
            None => steps.push(Step::PutEventRule { was: None }),
            Some(Standing::AsWanted) => {}
            Some(Standing::Differs(was)) => steps.push(Step::PutEventRule { was: Some(was) }),
            Some(Standing::Foreign) => blocked.push(Blocked::ForeignEventRule),
        }
        let target = found.event_rule.as_ref().and_then(EventRuleFound::target);
        if target != Some(&wanted.target(topic)) {
            let was = target.map(|target| match target["Arn"].as_str() {
                Some(arn) if arn != topic.as_str() => arn.to_owned(),
                Some(_) | None => "other words".to_owned(),
            });
            steps.push(Step::PutTarget { was });
        }
    }
    if blocked.is_empty() { Ok(steps) } else { Err(blocked) }
}

/// A thing to take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// The target of the EventBridge rule.
    Target,
    /// The EventBridge rule.
    EventRule,
    /// The statement in the policy of this topic; the policy that is left.
    Statement {
        /// The topic.
        topic: TopicArn,
        /// What is left.
        rest: Box<Value>,
    },
    /// The rule of Config.
    Rule,
    /// The organisation's rule.
    OrganizationRule,
}

/// What is taken away, and what stays and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removal {
    /// In order: first nothing is told any more, then nothing is looked at.
    pub remove: Vec<Removed>,
    /// What stays, in words.
    pub left: Vec<String>,
}

/// What akia made of all that is found under the name. `topic` is where the EventBridge rule points, and the statement that akia
/// would have added there.
#[must_use]
pub fn removal(wanted: &Wanted, found: &Found, topic: Option<(&TopicArn, &Value)>) -> Removal {
    let name = &wanted.name;
    let mut removal = Removal::default();
    let foreign = |what: &str| format!("rule {name} of {what}: akia did not make it");
    match &found.event_rule {
        None => {}
        Some(rule) if !rule.is_marked() => removal.left.push(foreign("EventBridge")),
        Some(rule) => {
            let is_alone = rule.targets.len() == usize::from(rule.target().is_some());
            if rule.target().is_some() {
                removal.remove.push(Removed::Target);
            }
            if is_alone {
                removal.remove.push(Removed::EventRule);
            } else {
                removal.left.push(format!("rule {name} of EventBridge: somebody has added other targets"));
            }
            if let (Some((topic, statement)), Some(policy)) = (topic, &found.topic)
                && let Some(rest) = policy.without(statement)
            {
                removal.remove.push(Removed::Statement { topic: topic.clone(), rest: Box::new(rest) });
            }
        }
    }
    if wanted.for_organization {
        match &found.organization_rule {
            None => {}
            Some(rule) if rule.is_marked() => removal.remove.push(Removed::OrganizationRule),
            Some(_) => removal.left.push(foreign("the organisation")),
        }
    } else {
        match &found.rule {
            None => {}
            Some(rule) if rule.is_marked() => removal.remove.push(Removed::Rule),
            Some(_) => removal.left.push(foreign("AWS Config")),
        }
    }
    removal
}

impl Removed {
    /// What is done, in words.
    #[must_use]
    pub fn words(&self, wanted: &Wanted) -> String {
        let name = &wanted.name;
        match self {
            Self::Target => format!("remove  the target {} of rule {name} of EventBridge", super::TARGET),
            Self::EventRule => format!("delete  rule {name} of EventBridge"),
            Self::Statement { topic, .. } => format!("remove  the statement of akia from the policy of {topic}"),
            Self::Rule => format!("delete  rule {name} of AWS Config, with its verdicts"),
            Self::OrganizationRule => {
                format!("delete  rule {name} of AWS Config in every account of the organisation, with its verdicts")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::wanted::tests::wanted;
    use super::super::{MARK, OrganizationRuleFound, RuleFound, TopicPolicy, statement};
    use super::*;

    fn marked() -> BTreeMap<String, String> {
        BTreeMap::from([(MARK.0.to_owned(), MARK.1.to_owned())])
    }

    fn nothing() -> Found {
        Found { recording: Recording::Users, rule: None, organization_rule: None, event_rule: None, topic: None }
    }

    fn ours() -> Value {
        let wanted = wanted();
        let region = "eu-west-1".parse().unwrap();
        statement(&wanted.name, wanted.topic.as_ref().unwrap(), &"123456789012".parse().unwrap(), &region)
    }

    fn policy(statements: Vec<Value>) -> TopicPolicy {
        TopicPolicy { document: json!({ "Version": "2012-10-17", "Statement": statements }), kms_key: None }
    }

    /// All as it is after `enable`.
    fn whole() -> Found {
        let wanted = wanted();
        Found {
            rule: Some(RuleFound {
                identifier: Some(super::super::IDENTIFIER.to_owned()),
                parameters: Some(wanted.parameters()),
                tags: marked(),
                ..RuleFound::default()
            }),
            event_rule: Some(EventRuleFound {
                pattern: Some(wanted.event_pattern().to_string()),
                state: Some("ENABLED".to_owned()),
                tags: marked(),
                targets: vec![wanted.target(wanted.topic.as_ref().unwrap())],
            }),
            topic: Some(policy(vec![ours()])),
            ..nothing()
        }
    }

    fn steps_of(found: &Found, may_grant: bool) -> Result<Vec<Step>, Vec<Blocked>> {
        steps(&wanted(), found, Some(&ours()), may_grant)
    }

    #[test]
    fn everything_is_made_where_there_is_nothing_and_nothing_where_all_is_there() {
        let bare = Found { topic: Some(policy(Vec::new())), ..nothing() };
        let all =
            [Step::PutRule { was: None }, Step::Grant, Step::PutEventRule { was: None }, Step::PutTarget { was: None }];
        assert_eq!(steps_of(&bare, true).unwrap(), all);
        assert_eq!(steps_of(&whole(), false).unwrap(), []);
        let without_topic = Wanted { topic: None, ..wanted() };
        assert_eq!(steps(&without_topic, &nothing(), None, false).unwrap(), [Step::PutRule { was: None }]);
    }

    #[test]
    fn what_differs_is_changed_and_says_how_it_was() {
        let mut found = whole();
        found.rule.as_mut().unwrap().parameters = Some(r#"{"maxAccessKeyAge":"30"}"#.to_owned());
        found.event_rule.as_mut().unwrap().state = Some("DISABLED".to_owned());
        found.event_rule.as_mut().unwrap().targets[0]["Arn"] = json!("arn:aws:sns:eu-west-1:123456789012:old");
        let done = steps_of(&found, false).unwrap();
        let was = |words: &str| Some(words.to_owned());
        assert_eq!(
            done,
            [
                Step::PutRule { was: was("30 days") },
                Step::PutEventRule { was: was("disabled") },
                Step::PutTarget { was: was("arn:aws:sns:eu-west-1:123456789012:old") },
            ]
        );
    }

    #[test]
    fn what_is_not_ours_stands_in_the_way_whatever_it_says() {
        let mut found = whole();
        found.rule.as_mut().unwrap().tags.clear();
        found.event_rule.as_mut().unwrap().tags = BTreeMap::from([(MARK.0.to_owned(), "other".to_owned())]);
        found.recording = Recording::NoRecorder;
        assert_eq!(
            steps_of(&found, true).unwrap_err(),
            [Blocked::NoRecorder, Blocked::ForeignRule, Blocked::ForeignEventRule]
        );
    }

    #[test]
    fn a_topic_is_opened_only_with_leave() {
        let closed = Found { topic: Some(policy(Vec::new())), ..whole() };
        assert_eq!(steps_of(&closed, false).unwrap_err(), [Blocked::TopicPolicy(Box::new(ours()))]);
        assert_eq!(steps_of(&closed, true).unwrap(), [Step::Grant]);
        let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "sns:*", "Resource": "*" });
        let denying = Found { topic: Some(policy(vec![deny, ours()])), ..whole() };
        assert_eq!(steps_of(&denying, true).unwrap_err(), [Blocked::TopicDenies]);
    }

    fn removed(found: &Found) -> Removal {
        let wanted = wanted();
        removal(&wanted, found, Some((wanted.topic.as_ref().unwrap(), &ours())))
    }

    #[test]
    fn only_what_bears_the_mark_is_taken_away() {
        let topic = wanted().topic.unwrap();
        let rest = Box::new(policy(Vec::new()).document);
        let whole_removal = removed(&whole());
        assert_eq!(
            whole_removal.remove,
            [Removed::Target, Removed::EventRule, Removed::Statement { topic, rest }, Removed::Rule]
        );
        assert_eq!(whole_removal.left, Vec::<String>::new());
        let mut foreign = whole();
        foreign.rule.as_mut().unwrap().tags.clear();
        foreign.event_rule.as_mut().unwrap().tags.clear();
        let left = removed(&foreign);
        assert_eq!((left.remove, left.left.len()), (Vec::new(), 2), "nothing goes, both are named");
        assert_eq!(removed(&nothing()), Removal::default());
    }

    #[test]
    fn a_rule_that_others_use_stays_without_our_target() {
        let mut shared = whole();
        shared.event_rule.as_mut().unwrap().targets.push(json!({ "Id": "theirs", "Arn": "arn:aws:lambda:…" }));
        let left = removed(&shared);
        assert!(left.remove.contains(&Removed::Target) && !left.remove.contains(&Removed::EventRule), "{left:?}");
        assert_eq!(left.left.len(), 1);
    }

    #[test]
    fn the_mark_of_an_organisations_rule_is_its_description() {
        let organization = Wanted { for_organization: true, topic: None, ..wanted() };
        let rule = |description: String, parameters: String| Found {
            organization_rule: Some(OrganizationRuleFound {
                identifier: Some(super::super::IDENTIFIER.to_owned()),
                parameters: Some(parameters),
                description: Some(description),
                excluded: Vec::new(),
            }),
            recording: Recording::NoRecorder,
            ..nothing()
        };
        let ours = rule(organization.description(), organization.parameters());
        assert_eq!(steps(&organization, &ours, None, false).unwrap(), [], "a recorder here is not asked for");
        assert_eq!(removal(&organization, &ours, None).remove, [Removed::OrganizationRule]);
        let theirs = rule("Checks keys".to_owned(), organization.parameters());
        assert_eq!(steps(&organization, &theirs, None, false).unwrap_err(), [Blocked::ForeignOrganizationRule]);
        assert_eq!(removal(&organization, &theirs, None).remove, []);
        let excluded = Wanted { excluded: vec!["210987654321".parse().unwrap()], ..organization };
        assert_eq!(
            steps(&excluded, &ours, None, false).unwrap(),
            [Step::PutOrganizationRule { was: Some("0 accounts left out".to_owned()) }]
        );
    }
}
