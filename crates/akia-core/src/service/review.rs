//! What a policy gives beyond the least: what is refused unless somebody says that it is meant, and what a person should see.

use crate::contain::{Grant, Policies, Reach};
use crate::estate::Known;
use crate::ids::UserArn;
use crate::policy::{Effect, PolicyDocument, Statement};

/// What all inline policies of a group may have together, white space not counted (IAM User Guide, "IAM and AWS STS quotas").
pub const LARGEST_POLICY: usize = 5_120;

/// Something that a service user should not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Risk {
    /// Every action.
    Everything,
    /// Changes of IAM: whoever may change users, policies or roles can have any right.
    IamWrites,
}

/// What was seen in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Review {
    /// What is refused, and why.
    pub risks: Vec<(Risk, String)>,
    /// What a person should see.
    pub warnings: Vec<String>,
}

/// Refuses a policy that AWS would refuse for its size.
///
/// # Errors
/// In words that name both sizes.
pub fn check_size(document: &PolicyDocument) -> Result<(), TooLarge> {
    let size = document.to_compact_json().chars().filter(|one| !one.is_whitespace()).count();
    if size <= LARGEST_POLICY { Ok(()) } else { Err(TooLarge { size }) }
}

/// More than fits on a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy has {size} characters, and the inline policies of a group may have {LARGEST_POLICY}")]
pub struct TooLarge {
    /// Its characters as AWS counts them.
    pub size: usize,
}

/// Looks at a policy that a service user is to have.
#[must_use]
pub fn review(document: &PolicyDocument, user: &UserArn) -> Review {
    let mut review = Review::default();
    for statement in document.statement.iter().filter(|one| one.effect == Effect::Allow) {
        look(statement, &mut review);
    }
    let granted = serde_json::to_value(document).ok();
    let policies =
        Policies { grants: vec![Grant { source: "the policy".to_owned(), document: granted }], boundary: None };
    let reach = Reach::of(user, &policies, &[], Known::Told(Vec::new()));
    let has_everything = review.risks.iter().any(|(risk, _)| *risk == Risk::Everything);
    for way in reach.escalations {
        // Changes of IAM are refused already, and everything is everything.
        if !has_everything && way.actions.iter().all(|action| !is_iam_write(action)) {
            review.warnings.push(format!("{} leads to more: {}", way.actions.join(" with "), way.gives));
        }
    }
    review
}

fn look(statement: &Statement, review: &mut Review) {
    let sid = &statement.sid;
    let resources = statement.resource.as_slice();
    let is_every_resource = resources.iter().any(|one| one == "*");
    for action in statement.action.as_slice() {
        if action == "*" || action == "*:*" {
            let on = if is_every_resource { "every resource".to_owned() } else { resources.join(", ") };
            review.risks.push((Risk::Everything, format!("statement {sid} allows every action on {on}")));
        } else if is_iam_write(action) {
            let what = format!("statement {sid} allows {action}: who may change IAM can have any right");
            review.risks.push((Risk::IamWrites, what));
        } else if action.ends_with(":*") {
            review
                .warnings
                .push(format!("statement {sid} allows {action}: all that there is, and what AWS adds tomorrow"));
        } else if action.contains(['*', '?']) {
            review.warnings.push(format!("statement {sid} allows {action}: name the actions that are meant"));
        }
    }
    if statement.condition.is_some() {
        return;
    }
    for resource in resources {
        let rest = resource.splitn(6, ':').nth(5).unwrap_or(resource);
        if rest == "*" {
            review
                .warnings
                .push(format!("statement {sid} is about every resource ({resource}); name those that are meant"));
        }
    }
}

/// Whether a pattern of actions may match one of IAM that changes something.
fn is_iam_write(action: &str) -> bool {
    const READS: [&str; 4] = ["get", "list", "generate", "simulate"];
    let action = action.to_lowercase();
    let Some(name) = action.strip_prefix("iam:") else { return false };
    !READS.iter().any(|verb| name.starts_with(verb))
}

#[cfg(test)]
mod tests {
    use super::super::parse_policy;
    use super::*;

    fn of(statement: &str) -> Review {
        let document = parse_policy(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)).unwrap();
        review(&document, &"arn:aws:iam::123456789012:user/service/service-x".parse().unwrap())
    }

    fn allow(actions: &str, resource: &str) -> Review {
        of(&format!(r#"{{"Sid":"S","Effect":"Allow","Action":{actions},"Resource":"{resource}"}}"#))
    }

    #[test]
    fn a_least_policy_has_nothing_to_say() {
        assert_eq!(allow(r#"["s3:GetObject","s3:PutObject"]"#, "arn:aws:s3:::b/*"), Review::default());
        assert_eq!(allow(r#""iam:GetUser""#, "arn:aws:iam::123456789012:user/x"), Review::default());
        let metric = r#"{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*",
            "Condition":{"StringEquals":{"cloudwatch:namespace":"App"}}}"#;
        assert_eq!(of(metric), Review::default());
    }

    #[test]
    fn everything_and_changes_of_iam_are_refused() {
        let risks = |review: Review| review.risks.into_iter().map(|(risk, _)| risk).collect::<Vec<_>>();
        assert_eq!(risks(allow(r#""*""#, "*")), [Risk::Everything]);
        assert_eq!(risks(allow(r#""*:*""#, "arn:aws:s3:::b")), [Risk::Everything]);
        for action in ["iam:*", "iam:PassRole", "iam:Put*", "IAM:createuser".to_lowercase().as_str(), "iam:?reateUser"]
        {
            assert_eq!(risks(allow(&format!("\"{action}\""), "*")), [Risk::IamWrites], "{action}");
        }
        assert!(risks(allow(r#""iam:List*""#, "*")).is_empty());
        let denied = r#"[{"Sid":"A","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
            {"Sid":"D","Effect":"Deny","Action":"iam:*","Resource":"*"}]"#;
        assert_eq!(of(denied), Review::default(), "what is denied is no risk");
    }

    #[test]
    fn wildcards_and_ways_to_more_rights_are_told() {
        let told = allow(r#"["s3:*","sqs:Get*"]"#, "arn:aws:s3:::*").warnings;
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].contains("s3:*") && told[1].contains("sqs:Get*") && told[2].contains("arn:aws:s3:::*"),
            "{told:?}"
        );
        let told = allow(r#""lambda:UpdateFunctionCode""#, "arn:aws:lambda:us-east-1:123456789012:function:f").warnings;
        assert_eq!(told, ["lambda:UpdateFunctionCode leads to more: the role of a function that there is"]);
    }

    #[test]
    fn a_policy_that_aws_would_refuse_for_its_size_is_refused() {
        let arns: Vec<String> = (0..200).map(|n| format!("\"arn:aws:s3:::bucket-{n:06}/*\"")).collect();
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:GetObject","Resource":[{}]}}}}"#,
            arns.join(",")
        );
        let document = parse_policy(&text).unwrap();
        assert!(check_size(&document).unwrap_err().to_string().contains("may have 5120"));
        let small = parse_policy(&text.replace(&arns.join(","), &arns[..100].join(", "))).unwrap();
        assert_eq!(check_size(&small), Ok(()));
    }
}
