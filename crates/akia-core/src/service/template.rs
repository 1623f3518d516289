//! Least policies for what services mostly do. [`TEMPLATES`] is the one list: a test counts it against the documentation.
//!
//! Actions and resources are those of the Service Authorization Reference; a resource is `*` only where the action takes none.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::ids::Partition;
use crate::policy::{Condition, OneOrMany, PolicyDocument, Statement};
use crate::text::may_be_bucket;

/// A kind of work that a policy is known for.
pub struct Template {
    /// As it is typed.
    pub name: &'static str,
    /// What stands behind the `=`.
    pub argument: &'static str,
    /// What it allows.
    pub allows: &'static str,
    form: Form,
    build: fn(&str, Partition) -> Vec<Statement>,
}

/// By its name; what it makes is code.
impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Template").field(&self.name).finish()
    }
}

/// What an argument has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A bucket, and perhaps a prefix behind a slash.
    Bucket,
    /// The ARN of something of this service.
    Arn(&'static str),
    /// A name without colons, blanks and wildcards.
    Name,
}

/// Every template, in the order of the documentation.
pub static TEMPLATES: &[Template] = &[
    Template {
        name: "s3-read",
        argument: "BUCKET[/PREFIX]",
        allows: "list and read the objects below a prefix",
        form: Form::Bucket,
        build: |argument, partition| {
            let bucket = Bucket::of(argument, partition);
            vec![bucket.list(), Statement::allow("ReadObjects", ["s3:GetObject"], bucket.objects)]
        },
    },
    Template {
        name: "s3-write",
        argument: "BUCKET[/PREFIX]",
        allows: "put objects below a prefix; not read, list or delete them",
        form: Form::Bucket,
        build: |argument, partition| {
            let bucket = Bucket::of(argument, partition);
            vec![Statement::allow("WriteObjects", ["s3:AbortMultipartUpload", "s3:PutObject"], bucket.objects)]
        },
    },
    Template {
        name: "s3-read-write",
        argument: "BUCKET[/PREFIX]",
        allows: "list, read, put and delete the objects below a prefix",
        form: Form::Bucket,
        build: |argument, partition| {
            let bucket = Bucket::of(argument, partition);
            let actions = [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ];
            vec![bucket.list(), Statement::allow("ReadWriteObjects", actions, bucket.objects)]
        },
    },
    Template {
        name: "sqs-send",
        argument: "QUEUE-ARN",
        allows: "send messages to a queue",
        form: Form::Arn("sqs"),
        build: |arn, _| vec![Statement::allow("SendMessages", ["sqs:GetQueueUrl", "sqs:SendMessage"], arn)],
    },
    Template {
        name: "sqs-receive",
        argument: "QUEUE-ARN",
        allows: "receive and delete the messages of a queue",
        form: Form::Arn("sqs"),
        build: |arn, _| {
            let actions = [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ];
            vec![Statement::allow("ReceiveMessages", actions, arn)]
        },
    },
    Template {
        name: "sns-publish",
        argument: "TOPIC-ARN",
        allows: "publish to a topic",
        form: Form::Arn("sns"),
        build: |arn, _| vec![Statement::allow("Publish", ["sns:Publish"], arn)],
    },
    Template {
        name: "ses-send",
        argument: "DOMAIN-OR-ADDRESS",
        allows: "send mail from a verified identity, through the API; a configuration set needs a statement of its own",
        form: Form::Name,
        build: |identity, partition| {
            let arn = format!("arn:{partition}:ses:*:*:identity/{identity}");
            vec![Statement::allow("SendMail", ["ses:SendEmail", "ses:SendRawEmail"], arn)]
        },
    },
    Template {
        name: "cloudwatch-put-metrics",
        argument: "NAMESPACE",
        allows: "put metrics into a namespace",
        form: Form::Name,
        build: |namespace, _| {
            let keys = BTreeMap::from([("cloudwatch:namespace".to_owned(), OneOrMany::from(namespace))]);
            let condition = Some(BTreeMap::from([("StringEquals".to_owned(), keys)]));
            vec![Statement { condition, ..Statement::allow("PutMetrics", ["cloudwatch:PutMetricData"], "*") }]
        },
    },
    Template {
        name: "logs-write",
        argument: "LOG-GROUP",
        allows: "write into the streams of a log group that is there",
        form: Form::Name,
        build: |group, partition| {
            let arn = format!("arn:{partition}:logs:*:*:log-group:{group}:*");
            vec![Statement::allow(
                "WriteLogs",
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                arn,
            )]
        },
    },
    Template {
        name: "dynamodb-read-write",
        argument: "TABLE-ARN",
        allows: "read, write and delete the items of a table and read its indexes",
        form: Form::Arn("dynamodb"),
        build: |arn, _| {
            let read = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"];
            let write = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
            let indexes: OneOrMany = [arn.to_owned(), format!("{arn}/index/*")].into_iter().collect();
            vec![Statement::allow("ReadItems", read, indexes), Statement::allow("WriteItems", write, arn)]
        },
    },
    Template {
        name: "secret-read",
        argument: "SECRET-ARN",
        allows: "read one secret of Secrets Manager; one under a key of your own also takes kms:Decrypt",
        form: Form::Arn("secretsmanager"),
        build: |arn, _| {
            let actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
            vec![Statement::allow("ReadSecret", actions, arn)]
        },
    },
    Template {
        name: "assume-role",
        argument: "ROLE-ARN",
        allows: "assume one role, which has the rights: the key alone can do nothing else",
        form: Form::Arn("iam"),
        build: |arn, _| vec![Statement::allow("AssumeRole", ["sts:AssumeRole"], arn)],
    },
];

struct Bucket<'a> {
    arn: String,
    objects: String,
    prefix: Option<&'a str>,
}

impl<'a> Bucket<'a> {
    fn of(argument: &'a str, partition: Partition) -> Self {
        let (bucket, prefix) = argument.split_once('/').unwrap_or((argument, ""));
        let prefix = prefix.trim_end_matches('/');
        let arn = format!("arn:{partition}:s3:::{bucket}");
        let objects = if prefix.is_empty() { format!("{arn}/*") } else { format!("{arn}/{prefix}/*") };
        Self { arn, objects, prefix: Some(prefix).filter(|prefix| !prefix.is_empty()) }
    }

    /// A listing is of the bucket, so that the prefix has to be a condition: objects' ARNs do not narrow it.
    fn list(&self) -> Statement {
        let condition: Option<Condition> = self.prefix.map(|prefix| {
            let prefixes: OneOrMany = [format!("{prefix}/*"), format!("{prefix}/")].into_iter().collect();
            BTreeMap::from([("StringLike".to_owned(), BTreeMap::from([("s3:prefix".to_owned(), prefixes)]))])
        });
        Statement { condition, ..Statement::allow("ListObjects", ["s3:ListBucket"], self.arn.as_str()) }
    }
}

/// A template with its argument, as it is typed: `s3-read=my-bucket/reports`.
#[derive(Debug, Clone)]
pub struct TemplateWord {
    template: &'static Template,
    argument: String,
}

/// Why a word names no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// There is none of that name.
    #[error("there is no template {0:?}; akia service templates lists them")]
    NoSuch(String),
    /// Nothing, or something else, stands behind the `=`.
    #[error("{name} takes {argument}: --template {name}={argument}")]
    Argument {
        /// The template.
        name: &'static str,
        /// What it takes.
        argument: &'static str,
    },
}

impl FromStr for TemplateWord {
    type Err = BadTemplate;
    fn from_str(word: &str) -> Result<Self, BadTemplate> {
        let (name, argument) = word.split_once('=').unwrap_or((word, ""));
        let template = TEMPLATES.iter().find(|template| template.name == name);
        let template = template.ok_or_else(|| BadTemplate::NoSuch(name.chars().take(40).collect()))?;
        if !template.form.fits(argument) {
            return Err(BadTemplate::Argument { name: template.name, argument: template.argument });
        }
        Ok(Self { template, argument: argument.to_owned() })
    }
}

impl Form {
    fn fits(self, text: &str) -> bool {
        let is_plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"*?${}\"\\:".contains(&b));
        match self {
            Self::Name => is_plain(text),
            Self::Bucket => may_be_bucket(text.split('/').next().unwrap_or_default()) && is_plain(text),
            Self::Arn(service) => {
                let parts: Vec<&str> = text.splitn(6, ':').collect();
                matches!(parts[..], ["arn", partition, of, _, account, resource]
                    if partition.parse::<Partition>().is_ok() && of == service
                        && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
                        && resource.split(':').all(is_plain))
            }
        }
    }
}

/// The policy of these. Two statements of one name get numbers.
#[must_use]
pub fn policy_of_templates(words: &[TemplateWord], partition: Partition) -> PolicyDocument {
    let mut statements: Vec<Statement> = Vec::new();
    for word in words {
        for mut statement in (word.template.build)(&word.argument, partition) {
            let named = |name: &str, all: &[Statement]| all.iter().any(|one| one.sid == name);
            let base = statement.sid.clone();
            let mut number = 1;
            while named(&statement.sid, &statements) {
                number += 1;
                statement.sid = format!("{base}{number}");
            }
            statements.push(statement);
        }
    }
    PolicyDocument::new(statements)
}

#[cfg(test)]
mod tests {
    use super::super::{check_size, parse_policy, review};
    use super::*;

    fn example(template: &Template) -> String {
        let argument = match template.form {
            Form::Bucket => "my-bucket/reports".to_owned(),
            Form::Name => "example.com".to_owned(),
            Form::Arn("iam") => "arn:aws:iam::123456789012:role/app".to_owned(),
            Form::Arn("dynamodb") => "arn:aws:dynamodb:eu-west-1:123456789012:table/t".to_owned(),
            Form::Arn("secretsmanager") => "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf".to_owned(),
            Form::Arn(service) => format!("arn:aws:{service}:eu-west-1:123456789012:name"),
        };
        format!("{}={argument}", template.name)
    }

    #[test]
    fn each_template_makes_a_policy_that_nobody_has_to_think_about() {
        let user = "arn:aws:iam::123456789012:user/service/service-x".parse().unwrap();
        let mut all = String::new();
        for template in TEMPLATES {
            let word: TemplateWord = example(template).parse().unwrap();
            let document = policy_of_templates(&[word], Partition::Aws);
            assert_eq!(parse_policy(&document.to_pretty_json()).unwrap(), document, "{}", template.name);
            assert_eq!(review(&document, &user), super::super::Review::default(), "{}", template.name);
            assert_eq!(check_size(&document), Ok(()));
            all.push_str(&format!("{}\n{}", template.name, document.to_pretty_json()));
        }
        insta::assert_snapshot!("templates", all);
    }

    #[test]
    fn the_documentation_has_every_template() {
        let page = include_str!("../../../../docs/service.md");
        for template in TEMPLATES {
            let row = format!("| `{}={}` | {} |\n", template.name, template.argument, template.allows);
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn templates_add_up() {
        let words = ["s3-read=one-bucket", "s3-read=two-bucket/x/"].map(|word| word.parse().unwrap());
        let document = policy_of_templates(&words, Partition::AwsCn);
        let names: Vec<&str> = document.statement.iter().map(|one| one.sid.as_str()).collect();
        assert_eq!(names, ["ListObjects", "ReadObjects", "ListObjects2", "ReadObjects2"]);
        assert_eq!(document.statement[1].resource.as_slice(), ["arn:aws-cn:s3:::one-bucket/*"]);
        assert_eq!(document.statement[3].resource.as_slice(), ["arn:aws-cn:s3:::two-bucket/x/*"]);
        assert_eq!(
            (document.statement[0].condition.is_none(), document.statement[2].condition.is_none()),
            (true, false)
        );
    }

    #[test]
    fn arguments_that_would_widen_a_policy_are_refused() {
        for word in [
            "s3-read",
            "s3-read=",
            "s3-read=*",
            "s3-read=my-bucket/*",
            "s3-read=UPPER",
            "sqs-send=*",
            "sqs-send=arn:aws:sns:eu-west-1:123456789012:t",
            "sqs-send=arn:aws:sqs:eu-west-1:123456789012:*",
            "sqs-send=arn:aws:sqs:eu-west-1:*:q",
            "ses-send=${aws:username}",
            "ec2-all=x",
        ] {
            assert!(word.parse::<TemplateWord>().is_err(), "{word}");
        }
    }
}
