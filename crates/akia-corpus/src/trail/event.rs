//! A call as CloudTrail writes it down.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use std::fmt::Write as _;

use super::operation::{Operation, Takes, is_global};
use super::{Call, REGIONS, Trail};
use crate::Dice;
use crate::trail::actor::AWS_SERVICES;

const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// How long a session of a role is used, in seconds.
const SESSION: i64 = 21_600;
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Who signed a call.
pub(super) enum Caller<'a> {
    User(&'a super::Actor),
    /// A role of an account, by their numbers.
    Role(usize, usize),
    /// A service of AWS for an account.
    Service(&'static str),
}

/// Writes the event. Every text in it is plain ASCII without quotes, so that nothing has to be escaped.
pub(super) fn write(trail: &Trail, call: &Call, account: &str, region: &str, into: &mut String) {
    let mut dice = Dice::new(call.seed, "event");
    let caller = trail.caller(call);
    let operation = trail.operation(call);
    let time = stamp(call.at);
    let version = if call.seed.is_multiple_of(4) { "1.09" } else { "1.11" };
    let _ = write!(into, r#"{{"eventVersion":"{version}","userIdentity":"#);
    identity(trail, &caller, call, account, into);
    let _ = write!(
        into,
        r#","eventTime":"{time}","eventSource":"{}.amazonaws.com","eventName":"{}","awsRegion":"{region}","#,
        operation.service, operation.name
    );
    match caller {
        Caller::Service(name) => {
            let _ = write!(into, r#""sourceIPAddress":"{name}","userAgent":"{name}""#);
        }
        Caller::User(_) | Caller::Role(..) => {
            let _ = write!(into, r#""sourceIPAddress":"{}","userAgent":""#, call.address);
            trail.agent(call, into);
            into.push('"');
        }
    }
    if call.is_refused {
        refusal(&caller, operation, account, into);
    }
    into.push_str(r#","requestParameters":"#);
    parameters(operation, account, region, &mut dice, into);
    into.push_str(r#","responseElements":"#);
    response(operation, call.is_refused, &time, &mut dice, into);
    let id = |dice: &mut Dice| {
        let bits = dice.number();
        let more = dice.number();
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            bits >> 32,
            bits & 0xffff,
            (bits >> 16) & 0xfff,
            more >> 52,
            more & 0xffff_ffff_ffff
        )
    };
    if operation.service == "s3" {
        let _ = write!(
            into,
            r#","additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{}=","bytesTransferredOut":{}}}"#,
            dice.of(BASE64, 75),
            dice.below(90_000)
        );
    }
    let request = if operation.service == "s3" { dice.of(BASE32, 16) } else { id(&mut dice) };
    let event = id(&mut dice);
    let is_data = operation.takes == Takes::Object;
    let _ = write!(
        into,
        r#","requestID":"{request}","eventID":"{event}","readOnly":{}{},"eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"{account}","eventCategory":"{}""#,
        operation.reads,
        Resources { operation, account, region, seed: call.seed },
        !is_data,
        if is_data { "Data" } else { "Management" },
    );
    if !matches!(caller, Caller::Service(_)) {
        let host = if is_global(operation.service) { "" } else { region };
        let dot = if host.is_empty() { "" } else { "." };
        let _ = write!(
            into,
            r#","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{}{dot}{host}.amazonaws.com"}}"#,
            operation.service
        );
    } else {
        let _ = write!(into, r#","sharedEventID":"{}""#, id(&mut dice));
    }
    into.push('}');
}

fn identity(trail: &Trail, caller: &Caller<'_>, call: &Call, account: &str, into: &mut String) {
    let _ = match caller {
        Caller::User(actor) => write!(
            into,
            r#"{{"type":"IAMUser","principalId":"{}","arn":"arn:aws:iam::{account}:user/{user}","accountId":"{account}","accessKeyId":"{}","userName":"{user}"}}"#,
            actor.principal,
            actor.key,
            user = actor.user
        ),
        Caller::Role(home, nth) => {
            let role = &trail.roles[*home][*nth];
            let machine = call.seed % 12;
            let session = format!("i-0{:016x}", super::world::mix(*nth as u64 + 1, machine));
            // A machine gets new credentials four times a day, and uses them until then.
            let begun = call.at - call.at % SESSION;
            let mut credentials = Dice::new(super::world::mix(begun as u64, machine), &role.principal);
            write!(
                into,
                r#"{{"type":"AssumedRole","principalId":"{principal}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{name}/{session}","accountId":"{account}","accessKeyId":"ASIA{}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{principal}","arn":"arn:aws:iam::{account}:role/{name}","accountId":"{account}","userName":"{name}"}},"attributes":{{"creationDate":"{}","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}}}"#,
                credentials.of(BASE32, 16),
                stamp(begun),
                principal = role.principal,
                name = role.name
            )
        }
        Caller::Service(name) => write!(into, r#"{{"type":"AWSService","invokedBy":"{name}"}}"#),
    };
}

fn refusal(caller: &Caller<'_>, operation: &Operation, account: &str, into: &mut String) {
    let who = match caller {
        Caller::User(actor) => format!("user/{}", actor.user),
        Caller::Role(..) => "assumed-role".to_owned(),
        Caller::Service(name) => (*name).to_owned(),
    };
    let code = refusal_code(operation);
    let _ = write!(
        into,
        r#","errorCode":"{code}","errorMessage":"User: arn:aws:iam::{account}:{who} is not authorized to perform: {}:{} because no identity-based policy allows the {}:{} action""#,
        operation.service, operation.name, operation.service, operation.name
    );
}

/// How a service says that something is not allowed.
pub(super) fn refusal_code(operation: &Operation) -> &'static str {
    match operation.service {
        "ec2" => "Client.UnauthorizedOperation",
        "dynamodb" | "kms" | "lambda" | "secretsmanager" | "logs" | "ssm" => "AccessDeniedException",
        _ => "AccessDenied",
    }
}

/// The n-th thing of an account: a call's seed chooses one of a few.
fn nth(seed: u64) -> u64 {
    seed >> 8 & 7
}

fn parameters(operation: &Operation, account: &str, region: &str, dice: &mut Dice, into: &mut String) {
    let one = dice.below(8);
    let _ = match operation.takes {
        Takes::Nothing => write!(into, "null"),
        Takes::Page => write!(into, r#"{{"maxResults":{}}}"#, 10 * (1 + one)),
        Takes::Bucket => write!(
            into,
            r#"{{"bucketName":"example-{account}-data-{one}","Host":"example-{account}-data-{one}.s3.{region}.amazonaws.com","list-type":"2","prefix":"in/{}/","max-keys":"1000"}}"#,
            dice.below(400)
        ),
        Takes::Object => write!(
            into,
            r#"{{"bucketName":"example-{account}-data-{one}","Host":"example-{account}-data-{one}.s3.{region}.amazonaws.com","key":"in/2026/{}/{}.json.gz"}}"#,
            dice.below(365),
            dice.hex(12)
        ),
        Takes::Instances => write!(
            into,
            r#"{{"instancesSet":{{"items":[{{"instanceId":"i-0{:016x}"}}]}},"filterSet":{{}}}}"#,
            super::world::mix(one as u64, 3)
        ),
        Takes::Function => write!(into, r#"{{"functionName":"order-events-{one}","publish":false,"dryRun":false}}"#),
        Takes::Role => write!(
            into,
            r#"{{"roleArn":"arn:aws:iam::{account}:role/app-{one}","roleName":"app-{one}","roleSessionName":"i-{}","durationSeconds":3600}}"#,
            dice.hex(17)
        ),
        Takes::User => write!(into, r#"{{"userName":"user-{one}"}}"#),
        Takes::LogGroup => write!(
            into,
            r#"{{"logGroupName":"/aws/lambda/order-events-{one}","logStreamName":"2026/10/01/[$LATEST]{}","startTime":{},"limit":10000}}"#,
            dice.hex(32),
            1_700_000_000_000_u64 + dice.below(90_000_000_000) as u64
        ),
        Takes::Secret => {
            write!(into, r#"{{"secretId":"arn:aws:secretsmanager:{region}:{account}:secret:app/db-{one}-AbCdEf"}}"#)
        }
        Takes::Key => write!(
            into,
            r#"{{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","keySpec":"AES_256","encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::example-{account}-data-{one}"}}}}"#
        ),
        Takes::Table => write!(into, r#"{{"tableName":"orders-{one}"}}"#),
        Takes::Queue => write!(
            into,
            r#"{{"queueUrl":"https://sqs.{region}.amazonaws.com/{account}/orders-{one}","attributeNames":["ApproximateNumberOfMessages"]}}"#
        ),
        Takes::Stack => write!(into, r#"{{"stackName":"app-{one}"}}"#),
    };
}

fn response(operation: &Operation, is_refused: bool, time: &str, dice: &mut Dice, into: &mut String) {
    if operation.reads || is_refused {
        into.push_str("null");
    } else if operation.name == "AssumeRole" {
        let _ = write!(
            into,
            r#"{{"credentials":{{"accessKeyId":"ASIA{}","sessionToken":"{}","expiration":"{time}"}}}}"#,
            dice.of(BASE32, 16),
            dice.of(BASE64, 240)
        );
    } else if operation.service == "s3" {
        into.push_str(r#"{"x-amz-server-side-encryption":"AES256"}"#);
    } else {
        let _ = write!(into, r#"{{"requestId":"{}"}}"#, dice.hex(32));
    }
}

/// `resources`, where the service tells them.
struct Resources<'a> {
    operation: &'a Operation,
    account: &'a str,
    region: &'a str,
    seed: u64,
}

impl std::fmt::Display for Resources<'_> {
    fn fmt(&self, into: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((kind, arn)) = resource(self.operation, self.account, self.region, self.seed) else { return Ok(()) };
        let account = self.account;
        write!(into, r#","resources":[{{"accountId":"{account}","type":"{kind}","ARN":"{arn}"}}]"#)
    }
}

/// The type and the ARN of what a call was about, where the service tells it.
pub(super) fn resource(
    operation: &Operation,
    account: &str,
    region: &str,
    seed: u64,
) -> Option<(&'static str, String)> {
    let one = nth(seed);
    match operation.takes {
        Takes::Key => Some((
            "AWS::KMS::Key",
            format!("arn:aws:kms:{region}:{account}:key/{:08x}-1111-2222-3333-444455556666", one),
        )),
        Takes::Bucket | Takes::Object => {
            Some(("AWS::S3::Bucket", format!("arn:aws:s3:::example-{account}-data-{one}")))
        }
        Takes::Role if operation.service == "sts" => {
            Some(("AWS::IAM::Role", format!("arn:aws:iam::{account}:role/app-{one}")))
        }
        _ => None,
    }
}

/// `2026-11-30T14:37:52Z`.
pub(super) fn stamp(seconds: i64) -> String {
    let (year, month, day) = date(seconds);
    let second = seconds.rem_euclid(86_400);
    format!("{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Year, month and day of a second since 1970.
pub(super) fn date(seconds: i64) -> (i16, i8, i8) {
    jiff::Timestamp::from_second(seconds)
        .map(|time| jiff::tz::Offset::UTC.to_datetime(time).date())
        .map_or((1970, 1, 1), |date| (date.year(), date.month(), date.day()))
}

/// Which region CloudTrail files a call under.
pub(super) fn region_of(operation: &Operation, home: usize) -> usize {
    if is_global(operation.service) { 0 } else { home % REGIONS.len() }
}

impl Trail {
    pub(super) fn caller(&self, call: &Call) -> Caller<'_> {
        let who = call.who as usize;
        match self.actors.get(who) {
            Some(actor) => Caller::User(actor),
            None => {
                let other = who - self.actors.len();
                let home = other % self.accounts.len();
                let nth = other / self.accounts.len();
                match self.roles[home].get(nth) {
                    Some(_) => Caller::Role(home, nth),
                    None => Caller::Service(AWS_SERVICES[(nth - self.roles[home].len()) % AWS_SERVICES.len()]),
                }
            }
        }
    }

    pub(super) fn operation(&self, call: &Call) -> &'static Operation {
        &call.repertoire.operations()[usize::from(call.operation)]
    }

    /// Writes the user agent of a call.
    pub(super) fn agent(&self, call: &Call, into: &mut String) {
        match self.caller(call) {
            Caller::User(actor) => {
                let agent = actor.agent(call.machine, call.program);
                match agent.split_once("{command}") {
                    Some((before, after)) => {
                        into.push_str(before);
                        into.push_str(self.operation(call).command);
                        into.push_str(after);
                    }
                    None => into.push_str(agent),
                }
            }
            Caller::Role(home, nth) => into.push_str(self.roles[home][nth].agent),
            Caller::Service(name) => into.push_str(name),
        }
    }
}
