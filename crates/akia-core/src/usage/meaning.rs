//! Which actions of IAM an event of CloudTrail stands for.
//!
//! Most events are named as the action is. Where they are not, a row of the table says so. An event that neither names an action that exists nor has a row is unknown, and is told
//! as unknown: a policy never gets an action that was only guessed.

use super::actions::{self, KnownAction};
use super::meaning_table::{Asked, FREE, METHODS, PREFIXES, ROWS, Row};

/// What a call asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// All of these actions.
    Needs(Vec<KnownAction>),
    /// Some of these: which of them, CloudTrail does not say, for the reason given.
    NeedsSome(Vec<KnownAction>, &'static str),
    /// Nothing: AWS asks no permission, for the reason given.
    Free(&'static str),
    /// Not known.
    Unknown,
}

/// What an event stands for: of its service, as in `monitoring` of `monitoring.amazonaws.com`, and its name.
#[must_use]
pub fn meaning(service: &str, event: &str) -> Meaning {
    for name in [event, without_version(event)] {
        if let Some(row) = row(service, name) {
            return meant(row);
        }
        let named = prefixes(service).iter().find_map(|prefix| actions::action(prefix, name));
        if let Some(action) = named.or_else(|| method(service, name)) {
            return Meaning::Needs(vec![action]);
        }
    }
    FREE.iter().find(|(free, _)| *free == service).map_or(Meaning::Unknown, |(_, why)| Meaning::Free(why))
}

/// The prefixes that the actions of a service have in policies.
fn prefixes(service: &str) -> Vec<&str> {
    match PREFIXES.binary_search_by(|(known, _)| (*known).cmp(service)) {
        Ok(at) => PREFIXES[at].1.to_vec(),
        Err(_) => vec![service],
    }
}

fn row(service: &str, event: &str) -> Option<&'static Row> {
    let of = |row: &Row| (row.service, row.event).cmp(&(service, event));
    ROWS.binary_search_by(of).ok().map(|at| &ROWS[at])
}

fn meant(row: &Row) -> Meaning {
    let known = |names: &[&str]| names.iter().filter_map(|name| named(name)).collect();
    match row.asked {
        Asked::All(names) => Meaning::Needs(known(names)),
        Asked::Some(names) => Meaning::NeedsSome(known(names), row.why),
        Asked::Nothing => Meaning::Free(row.why),
    }
}

/// An action by its whole name, as in `s3:GetObject`.
pub(super) fn named(action: &str) -> Option<KnownAction> {
    let (prefix, name) = action.split_once(':')?;
    actions::action(prefix, name)
}

fn method(service: &str, event: &str) -> Option<KnownAction> {
    if service != "apigateway" {
        return None;
    }
    let (_, method) = METHODS.iter().find(|(start, _)| event.starts_with(start))?;
    actions::action(service, method)
}

/// The name without the version of the API that Lambda and CloudFront put behind it: `CreateFunction20150331`, `GetPolicy20150331v2`,
/// `ListDistributions2020_05_31`.
fn without_version(event: &str) -> &str {
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let name = match event.rsplit_once('v') {
        Some((name, number)) if number.len() == 1 && is_digits(number) && ends_with_digits(name, 8) => name,
        _ => event,
    };
    if ends_with_digits(name, 8) {
        return &name[..name.len() - 8];
    }
    let Some(at) = name.len().checked_sub("2020_05_31".len()).filter(|at| name.is_char_boundary(*at)) else {
        return event;
    };
    let date = name[at..].split('_').map(|part| if is_digits(part) { part.len() } else { 0 });
    if date.eq([4, 2, 2]) { &name[..at] } else { event }
}

fn ends_with_digits(text: &str, count: usize) -> bool {
    text.len() > count && text.as_bytes()[text.len() - count..].iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(service: &str, event: &str) -> String {
        let list = |actions: Vec<KnownAction>| actions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        match meaning(service, event) {
            Meaning::Needs(actions) => list(actions),
            Meaning::NeedsSome(actions, _) => format!("some of {}", list(actions)),
            Meaning::Free(_) => "free".to_owned(),
            Meaning::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn every_row_names_actions_that_exist_and_says_why() {
        assert!(ROWS.is_sorted_by_key(|row| (row.service, row.event)));
        assert!(PREFIXES.is_sorted_by_key(|(service, _)| service));
        for row in ROWS {
            assert!(!row.why.is_empty());
            let (Asked::All(names) | Asked::Some(names)) = row.asked else { continue };
            assert!(!names.is_empty(), "{}", row.event);
            assert!(names.iter().all(|name| named(name).is_some()), "{}: {names:?}", row.event);
            let (Meaning::Needs(actions) | Meaning::NeedsSome(actions, _)) = meaning(row.service, row.event) else {
                panic!("{}", row.event)
            };
            assert_eq!(actions.iter().map(ToString::to_string).collect::<Vec<_>>(), names, "{}", row.event);
            // A row for what the name says already would only hide what AWS changes.
            let plain = prefixes(row.service).iter().find_map(|prefix| actions::action(prefix, row.event));
            assert!(plain.is_none() || plain.as_slice() != actions, "{} needs no row", row.event);
        }
        for (service, prefixes) in PREFIXES {
            assert!(prefixes.iter().all(|prefix| actions::service(prefix).is_some()), "{service}");
            assert!(prefixes != &[*service]);
        }
    }

    #[test]
    fn events_are_the_actions_that_aws_asks_for() {
        for (service, event, told) in [
            ("iam", "CreateUser", "iam:CreateUser"),
            ("ec2", "RunInstances", "ec2:RunInstances"),
            ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
            ("email", "SendEmail", "ses:SendEmail"),
            ("ses", "SendRawEmail", "ses:SendRawEmail"),
            ("ses", "CreateEmailIdentity", "ses:CreateEmailIdentity"),
            ("ce", "GetCostAndUsage", "ce:GetCostAndUsage"),
            ("tagging", "GetResources", "tag:GetResources"),
            ("iot", "CreateThing", "iot:CreateThing"),
            ("iotdata", "GetThingShadow", "iot:GetThingShadow"),
            ("logs", "FilterLogEvents", "logs:FilterLogEvents"),
            ("lambda", "CreateFunction20150331", "lambda:CreateFunction"),
            ("lambda", "UpdateFunctionConfiguration20150331v2", "lambda:UpdateFunctionConfiguration"),
            ("lambda", "GetPolicy20150331v2", "lambda:GetPolicy"),
            ("lambda", "Invoke", "lambda:InvokeFunction"),
            ("cloudfront", "ListDistributions2020_05_31", "cloudfront:ListDistributions"),
            (
                "cloudfront",
                "CreateDistributionWithTags2020_05_31",
                "cloudfront:CreateDistribution cloudfront:TagResource",
            ),
            ("autoscaling", "CreateAutoScalingGroup", "autoscaling:CreateAutoScalingGroup"),
            ("autoscaling", "RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget"),
            ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
            ("s3", "ListObjects", "s3:ListBucket"),
            ("s3", "ListObjectsV2", "s3:ListBucket"),
            ("s3", "HeadBucket", "s3:ListBucket"),
            ("s3", "HeadObject", "s3:GetObject"),
            ("s3", "GetObject", "s3:GetObject"),
            ("s3", "CopyObject", "s3:GetObject s3:PutObject"),
            ("s3", "UploadPart", "s3:PutObject"),
            ("s3", "AbortMultipartUpload", "s3:AbortMultipartUpload"),
            ("s3", "DeleteObjects", "s3:DeleteObject"),
            ("s3", "GetBucketCors", "s3:GetBucketCORS"),
            ("s3", "GetBucketLifecycle", "s3:GetLifecycleConfiguration"),
            ("s3", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
            ("s3", "PutBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
            ("s3express", "CreateSession", "s3express:CreateSession"),
            ("dynamodb", "BatchGetItem", "dynamodb:BatchGetItem"),
            ("dynamodb", "TransactGetItems", "dynamodb:GetItem"),
            (
                "dynamodb",
                "ExecuteStatement",
                "some of dynamodb:PartiQLDelete dynamodb:PartiQLInsert dynamodb:PartiQLSelect dynamodb:PartiQLUpdate",
            ),
            ("kms", "ReEncrypt", "kms:ReEncryptFrom kms:ReEncryptTo"),
            ("sqs", "SendMessageBatch", "sqs:SendMessage"),
            ("apigateway", "GetRestApis", "apigateway:GET"),
            ("apigateway", "CreateDeployment", "apigateway:POST"),
            ("apigateway", "UpdateStage", "apigateway:PATCH"),
            ("apigateway", "PutMethod", "apigateway:PUT"),
            ("apigateway", "DeleteRestApi", "apigateway:DELETE"),
            ("apigateway", "ImportApi", "apigateway:PUT"),
            ("sts", "AssumeRole", "sts:AssumeRole"),
            ("sts", "GetCallerIdentity", "free"),
            ("sts", "GetSessionToken", "free"),
            ("signin", "ConsoleLogin", "free"),
            ("signin", "SwitchRole", "sts:AssumeRole"),
            ("kms", "RotateKey", "unknown"),
            ("s3", "Object", "unknown"),
            ("nothing", "GetObject", "unknown"),
            ("iam", "", "unknown"),
            ("", "", "unknown"),
        ] {
            assert_eq!(of(service, event), told, "{service}:{event}");
        }
    }

    #[test]
    fn only_a_version_is_cut_off() {
        for (event, name) in [
            ("CreateFunction20150331", "CreateFunction"),
            ("AddPermission20150331v2", "AddPermission"),
            ("CreateInvalidation2020_05_31", "CreateInvalidation"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("20150331", "20150331"),
            ("X2020-05-31", "X2020-05-31"),
            ("Xv2", "Xv2"),
            ("ü2020_05_3", "ü2020_05_3"),
            ("", ""),
        ] {
            assert_eq!(without_version(event), name);
        }
    }
}
