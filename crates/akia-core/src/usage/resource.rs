//! What a call was about: the ARNs that its event names, or that its parameters amount to.
//!
//! Whoever may call AWS writes the parameters of an event, also those of calls that were refused. So nothing goes on but the text of
//! ARNs: no spaces, no wildcards but those written here, no text of any length. What cannot be told is left out, and whoever asks for
//! it then sees nothing, never something else.

use std::borrow::Cow;

use super::Resources;
use super::resource_table::{NEW, READ_FORMS, ReadForm, VARYING, Variable};

/// What an event says of a call, as far as its resources follow from it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The service, as in `dynamodb` of `dynamodb.amazonaws.com`.
    pub service: &'a str,
    /// The call, as in `GetItem`.
    pub name: &'a str,
    /// The partition, as in `aws` of the caller's ARN.
    pub partition: &'a str,
    /// The region that was called.
    pub region: &'a str,
    /// The account of the caller: names without an ARN are of it.
    pub account: &'a str,
    /// `resources[].ARN`.
    pub arns: &'a [&'a str],
    /// Fields of `requestParameters` that hold text, of the names in [`PARAMETERS`](super::PARAMETERS); others are passed over.
    pub parameters: &'a [(&'a str, &'a str)],
}

/// The longest ARN that is passed on, parts that become `*` not counted. The longest that AWS has are of roles: 20 characters of
/// partition and account, 512 of path, 64 of name.
const LONGEST: usize = 640;

/// The most ARNs of one call. A DynamoDB transaction may be about 100 tables; who names more is not believed.
const MOST: usize = 100;

/// The resources of a call: of the event's own ARNs and of parameters that are ARNs; where the event has none, also what names in
/// the parameters stand for. Empty where nothing tells.
#[must_use]
pub fn resources(call: &Call<'_>) -> Resources {
    let mut found: Vec<String> = Vec::new();
    let given = call.parameters.iter().map(|(_, value)| *value).filter(|value| value.starts_with("arn:"));
    for arn in call.arns.iter().copied().chain(given) {
        if found.len() == MOST {
            return Resources::default();
        }
        found.extend(told(call, arn));
    }
    let is_told_by_names = call.arns.is_empty() && !call.parameters.is_empty() && !is_about_all(call);
    if is_told_by_names && is_name(call.partition) && is_name(call.account) {
        let forms = forms_of(call.service).iter().filter(|read| call.name.contains(read.form.calls));
        for read in forms {
            found.extend(each(call, read).filter_map(|call| told(&call, &filled(&call, read)?)));
        }
    }
    add_what_stands_beside(call, &mut found);
    if found.len() > 1 {
        found.sort_unstable();
        found.dedup();
    }
    match found.len() {
        0 => Resources::default(),
        too_many if too_many > MOST => Resources::default(),
        1 => Resources(found.swap_remove(0)),
        _ => Resources(found.join(" ")),
    }
}

/// Lists of EC2's take no resource, whatever they are narrowed to: ids would only set equal calls apart. One attribute of one thing does.
fn is_about_all(call: &Call<'_>) -> bool {
    call.service == "ec2" && call.name.starts_with("Describe") && !call.name.ends_with("Attribute")
}

/// The call once for each value of the one parameter that a form is filled with: EC2 stops many instances at once.
fn each<'a>(call: &Call<'a>, read: &ReadForm) -> impl Iterator<Item = Call<'a>> + use<'a> {
    let name = if let [one] = read.variables[..] { one.name } else { "" };
    let call = *call;
    let is_it = move |parameter: &&[(&str, &str)]| parameter[0].0 == name;
    let many = call.parameters.chunks(1).filter(is_it).count() > 1;
    let values = call.parameters.chunks(1).filter(move |parameter| many && is_it(parameter));
    let whole = (!many).then_some(call);
    whole.into_iter().chain(values.map(move |parameters| Call { parameters, ..call }))
}

/// The forms of a service.
fn forms_of(service: &str) -> &'static [ReadForm] {
    let forms = &*READ_FORMS;
    let start = forms.partition_point(|read| read.form.service < service);
    let end = start + forms[start..].partition_point(|read| read.form.service == service);
    &forms[start..end]
}

/// What an event does not count among its resources, and IAM asks about all the same.
fn add_what_stands_beside(call: &Call<'_>, found: &mut Vec<String>) {
    match call.service {
        // A query of an index is asked about with the ARN of the index, and the event names the table.
        "dynamodb" => {
            let Some(index) = parameter(call, "indexName").filter(|index| is_name(index)) else { return };
            let tables = found.iter().filter(|arn| arn.contains(":table/") && !arn.contains("/index/"));
            let indexes: Vec<String> = tables.map(|table| format!("{table}/index/{index}")).collect();
            found.extend(indexes);
        }
        // `bucket/key` or `/bucket/key`, perhaps with `%2F` for the slash: what is copied is read.
        "s3" => {
            let Some(source) = parameter(call, "x-amz-copy-source") else { return };
            let source = source.strip_prefix('/').unwrap_or(source);
            let end = source.find(['/', '%']).unwrap_or(source.len());
            if is_name(&source[..end]) && is_name(call.partition) {
                found.push(format!("arn:{}:s3:::{}/*", call.partition, &source[..end]));
            }
        }
        _ => {}
    }
}

fn parameter<'a>(call: &Call<'a>, name: &str) -> Option<&'a str> {
    call.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// A form with its variables put in; none where one is missing or is no name.
fn filled(call: &Call<'_>, read: &ReadForm) -> Option<String> {
    // Most calls lack a variable: look before anything is written.
    if read.variables.iter().any(|variable| variable.is_required() && parameter(call, variable.name).is_none()) {
        return None;
    }
    let mut arn = String::with_capacity(96);
    let mut rest = read.form.arn;
    while let Some((before, after)) = rest.split_once('{') {
        let (variable, after) = after.split_once('}')?;
        arn.push_str(before);
        rest = after;
        match variable {
            "partition" => arn.push_str(call.partition),
            "region" => arn.push_str(call.region),
            // A registry of another account is named beside the repository.
            "account" => arn.push_str(parameter(call, "registryId").filter(|id| is_name(id)).unwrap_or(call.account)),
            _ => put(call, variable, &mut arn)?,
        }
    }
    arn.push_str(rest);
    Some(arn)
}

fn put(call: &Call<'_>, variable: &str, arn: &mut String) -> Option<()> {
    let variable = Variable::of(variable);
    let Some(value) = parameter(call, variable.name) else {
        return (!variable.is_required()).then_some(());
    };
    if variable.varies {
        arn.push('*');
        return Some(());
    }
    let value = name_in(variable.name, value)?;
    // A whole ARN has been passed on already.
    if !is_name(&value) || value.starts_with("arn:") {
        return None;
    }
    if !variable.is_required() && value == "default" {
        return Some(());
    }
    // Names of parameters may begin with the slash that stands in the ARN already.
    let value = if arn.ends_with('/') { value.strip_prefix('/').unwrap_or(&value) } else { &value };
    arn.push_str(variable.before);
    arn.push_str(value);
    arn.push_str(variable.after);
    Some(())
}

/// The name within a parameter that may hold more than a name.
fn name_in<'a>(parameter: &str, value: &'a str) -> Option<Cow<'a, str>> {
    match parameter {
        // `https://sqs.eu-west-1.amazonaws.com/123456789012/orders`
        "queueUrl" => {
            let mut parts = value.rsplit('/');
            let (name, account) = (parts.next()?, parts.next()?);
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            is_account.then(|| Cow::Owned(format!("{account}:{name}")))
        }
        // `/hostedzone/Z1` and `Z1` are one.
        "hostedZoneId" => value.rsplit('/').next().map(Cow::Borrowed),
        // An alias names another key tomorrow, and a policy cannot name a key by it.
        "keyId" => (!value.starts_with("alias/")).then_some(Cow::Borrowed(value)),
        // `123456789012:function:name` is a form too; whose account that is, the ARN alone would say.
        "functionName" => (!value.contains(":function:")).then_some(Cow::Borrowed(value)),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// The ARN as it is passed on: parts that differ with each call are `*`. None where it is no ARN that a policy could name.
fn told(call: &Call<'_>, arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if scheme != "arn" || partition.is_empty() || service.is_empty() || !is_word(partition) || !is_word(service) {
        return None;
    }
    // CloudTrail and CloudWatch Logs write the ARN of a log group with and without this end.
    let is_group = service == "logs" && !resource.contains(":log-stream:");
    let resource = if is_group { resource.strip_suffix(":*").unwrap_or(resource) } else { resource };
    let (kept, end) = parted(call, service, resource);
    let own = without_own_wildcard(service, kept);
    let is_of_aws = account == "aws" || account == "*" && service == "ssm";
    let account_is_one = is_of_aws || account.bytes().all(|b| b.is_ascii_digit());
    if !is_word(region) || !account_is_one || kept.len() + 64 > LONGEST || !(own.is_empty() || is_name(own)) {
        return None;
    }
    if kept.is_empty() && end.is_empty() {
        return None;
    }
    // Without `format!`, which costs as much as all before it.
    let mut text = String::with_capacity(arn.len().min(LONGEST) + 1);
    for part in ["arn:", partition, ":", service, ":", region, ":", account, ":", kept, end] {
        text.push_str(part);
    }
    Some(text)
}

/// The rest of a resource without the wildcard that its form has. Another one is somebody's who wants a wider policy.
fn without_own_wildcard<'a>(service: &str, resource: &'a str) -> &'a str {
    let own = match service {
        "secretsmanager" => resource.strip_suffix("-??????"),
        "autoscaling" => resource.strip_prefix("autoScalingGroup:*:"),
        _ => None,
    };
    own.unwrap_or(resource)
}

/// The part of a resource that stays, and `*` where the rest differs with each call.
fn parted<'a>(call: &Call<'_>, service: &str, resource: &'a str) -> (&'a str, &'static str) {
    if let Some((_, _, kind)) = NEW.iter().find(|(of, name, kind)| {
        *of == service && *of == call.service && *name == call.name && resource.starts_with(kind)
    }) {
        return (&resource[..kind.len()], "*");
    }
    for (_, start, until) in VARYING.iter().filter(|(of, _, _)| *of == service) {
        let Some(rest) = resource.strip_prefix(start) else { continue };
        return match rest.find(until) {
            Some(at) => (&resource[..start.len() + at + until.len()], "*"),
            None => (resource, ""),
        };
    }
    (resource, "")
}

/// The characters of names.
const OF_NAMES: [bool; 256] = {
    let mut of_names = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        of_names[byte] = matches!(byte as u8, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
            | b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'/' | b':' | b'#' | b'-' | b'!' | b'~' | b'$');
        byte += 1;
    }
    of_names
};

/// Whether a text can stand in the ARN of a policy and means itself: no wildcard, no variable, no space.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|b| OF_NAMES[usize::from(b)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'static> = Call {
        service: "",
        name: "",
        partition: "aws",
        region: "eu-west-1",
        account: "123456789012",
        arns: &[],
        parameters: &[],
    };

    fn of(service: &str, name: &str, parameters: &[(&str, &str)]) -> String {
        resources(&Call { service, name, parameters, ..CALL }).0
    }

    fn of_arns(service: &str, name: &str, arns: &[&str]) -> String {
        resources(&Call { service, name, arns, ..CALL }).0
    }

    #[test]
    fn names_become_the_arns_that_a_policy_would_name() {
        for (service, name, parameters, told) in [
            ("s3", "GetBucketPolicy", &[("bucketName", "b")][..], "arn:aws:s3:::b"),
            ("s3", "GetObject", &[("bucketName", "b"), ("key", "a b/ü.txt")], "arn:aws:s3:::b arn:aws:s3:::b/*"),
            (
                "s3",
                "CopyObject",
                &[("bucketName", "b"), ("key", "k"), ("x-amz-copy-source", "/from/k 1")],
                "arn:aws:s3:::b arn:aws:s3:::b/* arn:aws:s3:::from/*",
            ),
            ("iam", "GetUser", &[("userName", "ci")], "arn:aws:iam::123456789012:user/ci"),
            (
                "iam",
                "AttachRolePolicy",
                &[("roleName", "app"), ("policyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")],
                "arn:aws:iam::123456789012:role/app arn:aws:iam::aws:policy/ReadOnlyAccess",
            ),
            (
                "dynamodb",
                "Query",
                &[("tableName", "t"), ("indexName", "by-day")],
                "arn:aws:dynamodb:eu-west-1:123456789012:table/t arn:aws:dynamodb:eu-west-1:123456789012:table/t/index/by-day",
            ),
            ("lambda", "Invoke", &[("functionName", "f")], "arn:aws:lambda:eu-west-1:123456789012:function:f"),
            (
                "lambda",
                "Invoke",
                &[("functionName", "f:prod")],
                "arn:aws:lambda:eu-west-1:123456789012:function:f:prod",
            ),
            (
                "lambda",
                "Invoke",
                &[("functionName", "f"), ("qualifier", "$LATEST")],
                "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST",
            ),
            (
                "lambda",
                "CreateFunction20150331",
                &[("functionName", "f"), ("role", "arn:aws:iam::123456789012:role/app/f")],
                "arn:aws:iam::123456789012:role/app/f arn:aws:lambda:eu-west-1:123456789012:function:f",
            ),
            (
                "sqs",
                "SendMessage",
                &[("queueUrl", "https://sqs.eu-west-1.amazonaws.com/210987654321/orders.fifo")],
                "arn:aws:sqs:eu-west-1:210987654321:orders.fifo",
            ),
            ("sns", "Publish", &[("topicArn", "arn:aws:sns:eu-west-1:1:t")], "arn:aws:sns:eu-west-1:1:t"),
            (
                "secretsmanager",
                "GetSecretValue",
                &[("secretId", "prod/db")],
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-??????",
            ),
            ("kms", "Decrypt", &[("keyId", "alias/a")], ""),
            ("kms", "DescribeKey", &[("keyId", "1-2")], "arn:aws:kms:eu-west-1:123456789012:key/1-2"),
            (
                "logs",
                "PutLogEvents",
                &[("logGroupName", "/aws/lambda/f"), ("logStreamName", "2026/11/30/[$LATEST]ab")],
                "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f:log-stream:*",
            ),
            (
                "cloudformation",
                "UpdateStack",
                &[("stackName", "web")],
                "arn:aws:cloudformation:eu-west-1:123456789012:stack/web/*",
            ),
            (
                "dynamodb",
                "GetItem",
                &[("tableName", "arn:aws:dynamodb:eu-west-1:210987654321:table/t")],
                "arn:aws:dynamodb:eu-west-1:210987654321:table/t",
            ),
            ("sts", "AssumeRole", &[("roleArn", "arn:aws:iam::1:role/r")], "arn:aws:iam::1:role/r"),
            ("ssm", "GetParameter", &[("name", "/a/b")], "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b"),
            ("ssm", "GetParameter", &[("name", "a")], "arn:aws:ssm:eu-west-1:123456789012:parameter/a"),
            ("ssm", "GetDocument", &[("name", "run")], "arn:aws:ssm:eu-west-1:*:document/run"),
            ("kinesis", "PutRecord", &[("streamName", "s")], "arn:aws:kinesis:eu-west-1:123456789012:stream/s"),
            (
                "ecr",
                "BatchGetImage",
                &[("repositoryName", "team/app"), ("registryId", "210987654321")],
                "arn:aws:ecr:eu-west-1:210987654321:repository/team/app",
            ),
            (
                "ecs",
                "UpdateService",
                &[("cluster", "c"), ("service", "s")],
                "arn:aws:ecs:eu-west-1:123456789012:cluster/c arn:aws:ecs:eu-west-1:123456789012:service/c/s",
            ),
            ("events", "PutRule", &[("name", "r")], "arn:aws:events:eu-west-1:123456789012:rule/r"),
            (
                "events",
                "PutRule",
                &[("name", "r"), ("eventBusName", "b")],
                "arn:aws:events:eu-west-1:123456789012:rule/b/r",
            ),
            (
                "events",
                "PutRule",
                &[("name", "r"), ("eventBusName", "default")],
                "arn:aws:events:eu-west-1:123456789012:rule/r",
            ),
            (
                "autoscaling",
                "SetDesiredCapacity",
                &[("autoScalingGroupName", "web")],
                "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/web",
            ),
            (
                "ecs",
                "DescribeTaskDefinition",
                &[("taskDefinition", "web")],
                "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:*",
            ),
            ("route53", "GetHostedZone", &[("hostedZoneId", "/hostedzone/Z1")], "arn:aws:route53:::hostedzone/Z1"),
            ("ec2", "CreateSnapshot", &[("volumeId", "vol-1")], "arn:aws:ec2:eu-west-1:123456789012:volume/vol-1"),
            ("s3", "ListBuckets", &[], ""),
            ("nothing", "Known", &[("bucketName", "b")], ""),
        ] {
            assert_eq!(of(service, name, parameters), told, "{service}:{name}");
        }
    }

    #[test]
    fn every_form_is_one_of_the_service_authorization_reference() {
        for read in READ_FORMS.iter() {
            let sample = |name: &'static str| match name {
                "aliasName" => "alias/a",
                "queueUrl" => "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
                _ => "abc",
            };
            let parameters: Vec<(&str, &str)> =
                read.variables.iter().map(|variable| (variable.name, sample(variable.name))).collect();
            let arn = of(read.form.service, read.form.calls, &parameters);
            assert!(!arn.is_empty(), "{}", read.form.arn);
            for arn in arn.split(' ') {
                let service = arn.split(':').nth(2).and_then(super::super::actions::service);
                assert!(service.is_some_and(|service| !service.types_of(arn).is_empty()), "{arn}");
            }
        }
    }

    #[test]
    fn the_events_own_arns_come_before_names() {
        let call = Call {
            service: "secretsmanager",
            name: "GetSecretValue",
            arns: &["arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"],
            parameters: &[("secretId", "db")],
            ..CALL
        };
        assert_eq!(resources(&call).0, call.arns[0]);
    }

    #[test]
    fn what_differs_with_each_call_is_a_wildcard() {
        for (service, name, arn, told) in [
            ("s3", "GetObject", "arn:aws:s3:::b/2026/11/x.gz", "arn:aws:s3:::b/*"),
            ("s3", "GetObject", "arn:aws:s3:::b/", "arn:aws:s3:::b/*"),
            (
                "s3",
                "GetObject",
                "arn:aws:s3:eu-west-1:1:accesspoint/a/object/k",
                "arn:aws:s3:eu-west-1:1:accesspoint/a/object/*",
            ),
            ("s3", "ListObjects", "arn:aws:s3:eu-west-1:1:accesspoint/a", "arn:aws:s3:eu-west-1:1:accesspoint/a"),
            (
                "logs",
                "PutLogEvents",
                "arn:aws:logs:r:1:log-group:g:log-stream:s",
                "arn:aws:logs:r:1:log-group:g:log-stream:*",
            ),
            ("logs", "CreateLogStream", "arn:aws:logs:r:1:log-group:g:*", "arn:aws:logs:r:1:log-group:g"),
            ("states", "StopExecution", "arn:aws:states:r:1:execution:m:id", "arn:aws:states:r:1:execution:m:*"),
            ("ecs", "StopTask", "arn:aws:ecs:r:1:task/c/0123", "arn:aws:ecs:r:1:task/c/*"),
            ("ecs", "RunTask", "arn:aws:ecs:r:1:task-definition/f:7", "arn:aws:ecs:r:1:task-definition/f:*"),
            (
                "cloudformation",
                "UpdateStack",
                "arn:aws:cloudformation:r:1:stack/s/u-1",
                "arn:aws:cloudformation:r:1:stack/s/*",
            ),
            ("ec2", "RunInstances", "arn:aws:ec2:r:1:instance/i-1", "arn:aws:ec2:r:1:instance/*"),
            ("ec2", "RunInstances", "arn:aws:ec2:r:1:subnet/subnet-1", "arn:aws:ec2:r:1:subnet/subnet-1"),
            ("ec2", "StopInstances", "arn:aws:ec2:r:1:instance/i-1", "arn:aws:ec2:r:1:instance/i-1"),
            ("ssm", "ResumeSession", "arn:aws:ssm:r:1:session/ci-0123", "arn:aws:ssm:r:1:session/*"),
        ] {
            assert_eq!(of_arns(service, name, &[arn]), told, "{service}:{name}");
        }
    }

    #[test]
    fn each_of_many_names_is_told_and_lists_of_ec2_are_about_nothing() {
        let two = [("instanceId", "i-2"), ("instanceId", "i-1"), ("imageId", "ami-1")];
        assert_eq!(
            of("ec2", "StopInstances", &two),
            "arn:aws:ec2:eu-west-1:123456789012:instance/i-1 arn:aws:ec2:eu-west-1:123456789012:instance/i-2 arn:aws:ec2:eu-west-1::image/ami-1"
        );
        assert_eq!(of("ec2", "DescribeInstances", &two), "");
        assert_eq!(
            of("ec2", "DescribeInstanceAttribute", &two[1..2]),
            "arn:aws:ec2:eu-west-1:123456789012:instance/i-1"
        );
        // One that is no name stops none of the others.
        assert_eq!(of("iam", "GetRole", &[("roleName", "*"), ("roleName", "r")]), "arn:aws:iam::123456789012:role/r");
        let many: Vec<String> = (0..=MOST).map(|n| format!("i-{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|id| ("instanceId", id.as_str())).collect();
        assert_eq!(of("ec2", "StopInstances", &many), "", "who names more is not believed");
        assert_eq!(of("ec2", "StopInstances", &many[..MOST]).split(' ').count(), MOST);
    }

    #[test]
    fn hostile_text_is_not_passed_on() {
        let long = "a".repeat(10_000);
        let long_arn = format!("arn:aws:iam::1:role/{long}");
        for value in ["*", "a*", "?", "${aws:username}", "a b", "a\n", "ä", "", "\"", "a\u{202e}", &long] {
            assert_eq!(of("iam", "GetRole", &[("roleName", value)]), "", "{value:.20}");
            assert_eq!(of("s3", "HeadBucket", &[("bucketName", value)]), "", "{value:.20}");
            assert_eq!(of("s3", "CopyObject", &[("x-amz-copy-source", value)]), "", "{value:.20}");
            assert_eq!(of("secretsmanager", "GetSecretValue", &[("secretId", value)]), "", "{value:.20}");
        }
        for arn in [
            "",
            "arn",
            "arn:aws:iam::1",
            "arn:aws:iam::1:",
            "arn::iam::1:role/r",
            "arn:*:iam::1:role/r",
            "arn:aws:*::1:role/r",
            "arn:aws:iam::1:role/*",
            "arn:aws:iam::1:role/r arn:aws:iam::1:role/admin",
            "arn:aws:iam::${a}:role/r",
            "arn:aws:sns:*:1:t",
            "arn:aws:sns:r:*:t",
            "arn:aws:s3:::*",
            "arn:aws:s3:::b*/k",
            "arn:aws:secretsmanager:r:1:secret:??????",
            "https://example.com/",
            &long_arn,
        ] {
            assert_eq!(of_arns("iam", "GetRole", &[arn]), "", "{arn:.40}");
            assert_eq!(of("sts", "AssumeRole", &[("roleArn", arn)]), "", "{arn:.40}");
        }
        // A key of any length and text is one `*`.
        assert_eq!(of("s3", "GetObject", &[("bucketName", "b"), ("key", &long)]), "arn:aws:s3:::b arn:aws:s3:::b/*");
        for (partition, account) in [("", "1"), ("aws", ""), ("a*", "1"), ("aws", "*")] {
            let call = Call { service: "iam", name: "GetRole", partition, account, ..CALL };
            assert_eq!(
                resources(&Call { parameters: &[("roleName", "r")], ..call }).0,
                "",
                "{partition:?} {account:?}"
            );
        }
        let region = Call { service: "sns", name: "CreateTopic", region: "eu west", ..CALL };
        assert_eq!(resources(&Call { parameters: &[("name", "t")], ..region }).0, "");
    }

    #[test]
    fn equal_arns_come_once_and_in_order_and_a_flood_tells_nothing() {
        let arns = ["arn:aws:s3:::b/2", "arn:aws:s3:::b", "arn:aws:s3:::b/1"];
        assert_eq!(of_arns("s3", "DeleteObjects", &arns), "arn:aws:s3:::b arn:aws:s3:::b/*");
        let many: Vec<String> = (0..=MOST).map(|n| format!("arn:aws:dynamodb:r:1:table/{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(resources(&Call { arns: &many[..MOST], ..CALL }).arns().count(), MOST);
        assert_eq!(resources(&Call { arns: &many, ..CALL }), Resources::default());
    }
}
