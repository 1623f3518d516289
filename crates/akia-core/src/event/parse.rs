//! From the text of a message to an event.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Event, What};
use crate::ids::{AccessKeyId, AccountId, UserName};
use crate::key::KeyStatus;

/// Largest message that is read, in bytes: SQS takes no more.
const MOST_BYTES: usize = 1 << 20;
/// Most keys of one finding.
const MOST_KEYS: usize = 100;
/// Longest id and code that is kept, in bytes.
const LONGEST_ID: usize = 300;

/// Findings of AWS Health that mean that others may hold a key.
const EXPOSURES: [&str; 5] = [
    "AWS_RISK_CREDENTIALS_EXPOSED",
    "AWS_RISK_CREDENTIALS_EXPOSURE_SUSPECTED",
    "AWS_RISK_CREDENTIALS_COMPROMISED",
    "AWS_RISK_CREDENTIALS_COMPROMISE_SUSPECTED",
    "AWS_RISK_IAM_QUARANTINE",
];

/// A message that is no event. It never repeats the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    source: String,
    account: Option<AccountId>,
    time: Timestamp,
    #[serde(default)]
    detail: serde_json::Value,
    #[serde(default)]
    resources: Vec<String>,
}

/// What SNS makes of an event on its way to a queue.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    r#type: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    event_source: String,
    event_name: String,
    recipient_account_id: Option<AccountId>,
    event_time: Option<Timestamp>,
    error_code: Option<String>,
    user_identity: Option<Caller>,
    request_parameters: Option<Parameters>,
    response_elements: Option<Elements>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Caller {
    user_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    user_name: Option<String>,
    new_user_name: Option<String>,
    access_key_id: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Elements {
    access_key: Option<NewKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewKey {
    access_key_id: Option<String>,
    user_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    event_arn: Option<String>,
    event_type_code: String,
    /// The account that it is about. With the organisation's view of AWS Health the event itself is one of the account that has
    /// the view.
    affected_account: Option<String>,
    status_code: Option<String>,
    #[serde(default)]
    affected_entities: Vec<Entity>,
    event_metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    entity_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    public_key: Option<String>,
    user_name: Option<String>,
}

/// Reads the body of a message: an event, or an event that SNS has wrapped.
///
/// # Errors
/// When it is none, or lacks what it should say. What is well formed and says nothing about keys is [`What::Nothing`].
pub fn parse(body: &str) -> Result<Event, Unreadable> {
    if body.len() > MOST_BYTES {
        return Err(unreadable("it is larger than a message can be"));
    }
    if let Ok(notification) = serde_json::from_str::<Notification>(body) {
        if notification.r#type != "Notification" {
            return Err(unreadable("it is a message of SNS, and no notification"));
        }
        return event(&notification.message);
    }
    event(body)
}

fn event(body: &str) -> Result<Event, Unreadable> {
    let envelope: Envelope = serde_json::from_str(body).map_err(|error| {
        // serde's own words quote the text.
        unreadable(&format!("it is no event of EventBridge (line {}, column {})", error.line(), error.column()))
    })?;
    let is_plain = |c: char| c.is_ascii_graphic();
    if envelope.id.is_empty() || envelope.id.len() > LONGEST_ID || !envelope.id.chars().all(is_plain) {
        return Err(unreadable("its id is none"));
    }
    let (what, at, account) = match (envelope.source.as_str(), envelope.detail_type.as_str()) {
        ("aws.iam", "AWS API Call via CloudTrail") => {
            let call = detail::<Call>(envelope.detail)?;
            let at = call.event_time.unwrap_or(envelope.time);
            let account = envelope.account.or_else(|| call.recipient_account_id.clone());
            (of_call(call)?, at, account)
        }
        ("aws.health", "AWS Health Event" | "AWS Health Abuse Event") => {
            let finding = detail::<Finding>(envelope.detail)?;
            let affected = finding.affected_account.as_deref().and_then(|account| account.parse().ok());
            let account = affected.or(envelope.account);
            (of_finding(finding, &envelope.resources, &envelope.id)?, envelope.time, account)
        }
        _ => (nothing("another source, or another type"), envelope.time, envelope.account),
    };
    let account = account.ok_or_else(|| unreadable("it names no account"))?;
    Ok(Event { id: envelope.id, at, account, what })
}

fn of_call(call: Call) -> Result<What, Unreadable> {
    if call.event_source != "iam.amazonaws.com" {
        return Ok(nothing("a call of another service"));
    }
    if call.error_code.is_some() {
        return Ok(nothing("the call was refused"));
    }
    let asked = call.request_parameters.unwrap_or_default();
    // Without a name in the request the caller's own keys are meant.
    let named = asked.user_name.or_else(|| call.user_identity.and_then(|caller| caller.user_name));
    let user = |name: Option<String>| -> Result<UserName, Unreadable> {
        name.ok_or_else(|| unreadable("it names no user"))?.parse().map_err(|_| unreadable("its user name is none"))
    };
    let key = |id: Option<String>| -> Result<AccessKeyId, Unreadable> {
        id.ok_or_else(|| unreadable("it names no key"))?.parse().map_err(|_| unreadable("its key id is none"))
    };
    Ok(match call.event_name.as_str() {
        "CreateAccessKey" => {
            let made = call.response_elements.and_then(|elements| elements.access_key);
            let made = made.ok_or_else(|| unreadable("it names no key"))?;
            What::KeyCreated { user: user(made.user_name.or(named))?, key: key(made.access_key_id)? }
        }
        "UpdateAccessKey" => {
            let status = match asked.status.as_deref() {
                Some("Active") => KeyStatus::Active,
                Some("Inactive") => KeyStatus::Inactive,
                Some(_) | None => return Err(unreadable("it says no status that akia knows")),
            };
            What::KeyUpdated { user: user(named)?, key: key(asked.access_key_id)?, status }
        }
        "DeleteAccessKey" => What::KeyDeleted { user: user(named)?, key: key(asked.access_key_id)? },
        "UpdateUser" => {
            let from = user(named)?;
            let to = match asked.new_user_name {
                Some(name) => user(Some(name))?,
                None => from.clone(),
            };
            What::UserRenamed { from, to }
        }
        "DeleteUser" => What::UserDeleted { user: user(named)? },
        _ => nothing("a call that changes no key"),
    })
}

fn of_finding(finding: Finding, resources: &[String], id: &str) -> Result<What, Unreadable> {
    let Some(code) = EXPOSURES.into_iter().find(|code| *code == finding.event_type_code) else {
        return Ok(nothing("a finding of AWS Health about something else"));
    };
    if finding.status_code.as_deref() == Some("closed") {
        return Ok(nothing("AWS has closed the finding"));
    }
    let (public_key, user_name) =
        finding.event_metadata.map_or((None, None), |metadata| (metadata.public_key, metadata.user_name));
    let named = finding.affected_entities.into_iter().filter_map(|entity| entity.entity_value);
    let mut keys: Vec<AccessKeyId> = Vec::new();
    // What is no long-term key (a user's name, an ARN) may stand there, too.
    for text in named.chain(resources.iter().cloned()).chain(public_key) {
        if let Ok(key) = text.parse::<AccessKeyId>()
            && text.starts_with("AKIA")
            && !keys.contains(&key)
            && keys.len() < MOST_KEYS
        {
            keys.push(key);
        }
    }
    let user = user_name.and_then(|name| name.parse().ok());
    if keys.is_empty() && user.is_none() {
        return Err(unreadable("it tells of exposed keys and names neither a key nor a user"));
    }
    let finding = finding.event_arn.filter(|arn| arn.len() <= LONGEST_ID).unwrap_or_else(|| id.to_owned());
    Ok(What::Exposed { code: code.to_owned(), finding, keys, user })
}

fn detail<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, Unreadable> {
    serde_json::from_value(value).map_err(|_| unreadable("its detail lacks what such an event says"))
}

fn nothing(why: &str) -> What {
    What::Nothing { why: why.to_owned() }
}

fn unreadable(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Put together here, so that no scanner takes it for a leak.
    fn key(number: u8) -> String {
        format!("AKIA{}{number:02}", "IOSFODNN7EXAMP")
    }

    /// As CloudTrail records it (AWS's page "CloudTrail record contents", with the fields of an event in EventBridge around).
    fn call(name: &str, parameters: Value, elements: Value) -> Value {
        json!({
            "version": "0", "id": "36eb8523-97d0-4518-b33d-ee3579ff19f0", "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.iam", "account": "123456789012", "time": "2026-11-29T21:34:52Z", "region": "us-east-1", "resources": [],
            "detail": {
                "eventVersion": "1.10",
                "userIdentity": {
                    "type": "IAMUser", "principalId": "AIDACKCEVSQ6C2EXAMPLE", "arn": "arn:aws:iam::123456789012:user/Alice",
                    "accountId": "123456789012", "accessKeyId": key(1), "userName": "Alice",
                },
                "eventTime": "2026-11-29T21:34:50Z", "eventSource": "iam.amazonaws.com", "eventName": name,
                "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.10", "userAgent": "aws-cli/2.0",
                "requestParameters": parameters, "responseElements": elements,
                "requestID": "b4b5a6a0-0000-0000-0000-000000000000", "eventID": "e755e09c-42f9-4c5c-9064-EXAMPLE228c7c",
                "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true,
                "recipientAccountId": "123456789012", "eventCategory": "Management",
            },
        })
    }

    fn what(event: &Value) -> What {
        parse(&event.to_string()).unwrap().what
    }

    #[test]
    fn calls_of_iam_are_read() {
        let (user, id) = ("Bob".parse::<UserName>().unwrap(), key(2).parse::<AccessKeyId>().unwrap());
        let made = json!({ "accessKey": {
            "userName": "Bob", "accessKeyId": key(2), "status": "Active", "createDate": "Nov 29, 2026 9:34:50 PM" } });
        let created = call("CreateAccessKey", json!({ "userName": "Bob" }), made);
        let event = parse(&created.to_string()).unwrap();
        assert_eq!(event.what, What::KeyCreated { user: user.clone(), key: id.clone() });
        assert_eq!(
            (event.id.as_str(), event.at.to_string()),
            ("36eb8523-97d0-4518-b33d-ee3579ff19f0", "2026-11-29T21:34:50Z".to_owned())
        );
        let updated = call(
            "UpdateAccessKey",
            json!({ "userName": "Bob", "accessKeyId": key(2), "status": "Inactive" }),
            Value::Null,
        );
        assert_eq!(
            what(&updated),
            What::KeyUpdated { user: user.clone(), key: id.clone(), status: KeyStatus::Inactive }
        );
        let own = call("DeleteAccessKey", json!({ "accessKeyId": key(2) }), Value::Null);
        assert_eq!(what(&own), What::KeyDeleted { user: "Alice".parse().unwrap(), key: id });
        let renamed = call("UpdateUser", json!({ "userName": "Bob", "newUserName": "Rob" }), Value::Null);
        assert_eq!(what(&renamed), What::UserRenamed { from: user.clone(), to: "Rob".parse().unwrap() });
        assert_eq!(what(&call("DeleteUser", json!({ "userName": "Bob" }), Value::Null)), What::UserDeleted { user });
    }

    #[test]
    fn what_concerns_no_key_is_nothing_and_no_fault() {
        let mut refused = call("DeleteAccessKey", json!({ "accessKeyId": key(2) }), Value::Null);
        refused["detail"]["errorCode"] = json!("AccessDenied");
        let mut other = call("DeleteAccessKey", json!({}), Value::Null);
        other["source"] = json!("aws.ec2");
        for event in [refused, other, call("CreateUser", json!({ "userName": "Bob" }), Value::Null)] {
            assert!(matches!(what(&event), What::Nothing { .. }), "{event}");
        }
    }

    /// The sample of an exposure, as AWS Health sends it to EventBridge.
    fn exposure(code: &str) -> Value {
        json!({
            "version": "0", "id": "5b53b920-3e7c-6003-589a-000000000000", "detail-type": "AWS Health Event",
            "source": "aws.health", "account": "123456789012", "time": "2026-11-29T00:38:36Z", "region": "us-east-1",
            "resources": [key(3)],
            "detail": {
                "eventArn": format!("arn:aws:health:us-east-1::event/RISK/{code}/{code}-EXAMPLE"),
                "service": "RISK", "eventTypeCode": code, "eventTypeCategory": "issue", "eventScopeCode": "ACCOUNT_SPECIFIC",
                "communicationId": "acf0ec863d311e61f725cc6ba09b94d9798e78869a17", "startTime": "Sun, 29 Nov 2026 00:37:54 GMT",
                "statusCode": "open", "eventRegion": "us-east-1",
                "eventDescription": [{ "language": "en_US", "latestDescription": "Your AWS Account may be compromised!" }],
                "eventMetadata": { "accountId": "123456789012", "publicKey": key(3), "userName": "Bob",
                    "exposedUrl": "https://github.com/example/repository", "truncated": "false" },
                "affectedEntities": [{ "entityValue": key(3), "lastUpdatedTime": "Sun, 29 Nov 2026 00:37:55 GMT" }],
                "affectedAccount": "123456789012", "page": "1", "totalPages": "1",
            },
        })
    }

    #[test]
    fn every_kind_of_exposure_names_its_keys_once() {
        for code in EXPOSURES {
            let What::Exposed { code: read, finding, keys, user } = what(&exposure(code)) else { panic!("{code}") };
            assert_eq!((read.as_str(), keys), (code, vec![key(3).parse().unwrap()]));
            assert_eq!((finding.contains(code), user), (true, "Bob".parse().ok()));
        }
        assert!(matches!(what(&exposure("AWS_RISK_SPAM")), What::Nothing { .. }));
        let mut closed = exposure(EXPOSURES[0]);
        closed["detail"]["statusCode"] = json!("closed");
        assert!(matches!(what(&closed), What::Nothing { .. }));
        let mut nobody = exposure(EXPOSURES[0]);
        nobody["resources"] = json!(["arn:aws:iam::123456789012:user/Bob"]);
        nobody["detail"]["eventMetadata"] = Value::Null;
        nobody["detail"]["affectedEntities"] = json!([{ "entityValue": "UNKNOWN" }]);
        assert!(parse(&nobody.to_string()).unwrap_err().to_string().contains("neither a key nor a user"));
    }

    #[test]
    fn the_account_is_the_one_that_the_event_is_about() {
        let account = |event: &Value| parse(&event.to_string()).map(|event| event.account.to_string());
        // The organisation's view: the event is one of the account that has the view.
        let mut viewed = exposure(EXPOSURES[0]);
        viewed["account"] = json!("210987654321");
        assert_eq!(account(&viewed).unwrap(), "123456789012");
        viewed["detail"]["affectedAccount"] = json!("not an account");
        assert_eq!(account(&viewed).unwrap(), "210987654321");
        let mut deleted = call("DeleteUser", json!({ "userName": "Bob" }), Value::Null);
        deleted.as_object_mut().unwrap().remove("account");
        assert_eq!(account(&deleted).unwrap(), "123456789012");
        deleted["detail"].as_object_mut().unwrap().remove("recipientAccountId");
        assert_eq!(account(&deleted).unwrap_err().to_string(), "it names no account");
    }

    #[test]
    fn what_sns_has_wrapped_is_unwrapped_once() {
        let inner = exposure(EXPOSURES[0]).to_string();
        let wrap = |message: &str| json!({ "Type": "Notification", "MessageId": "1", "Message": message }).to_string();
        assert!(matches!(parse(&wrap(&inner)).unwrap().what, What::Exposed { .. }));
        assert!(parse(&wrap(&wrap(&inner))).is_err());
        let confirmation = json!({ "Type": "SubscriptionConfirmation", "Message": "You have chosen …" }).to_string();
        assert!(parse(&confirmation).is_err());
    }

    #[test]
    fn a_message_that_is_no_event_is_told_and_not_repeated() {
        let mut without_key = call("UpdateAccessKey", json!({ "status": "Active" }), Value::Null);
        let mut odd_user = without_key.clone();
        odd_user["detail"]["requestParameters"] =
            json!({ "userName": "a b\u{1b}", "accessKeyId": key(2), "status": "Active" });
        without_key["id"] = json!("e\u{1b}[2J");
        for body in ["", "{}", "[]", "s3cret", "{\"id\":1}", &without_key.to_string(), &odd_user.to_string()] {
            let error = parse(body).unwrap_err().to_string();
            assert!(!error.contains("s3cret") && !error.contains('\u{1b}') && !error.is_empty(), "{error}");
        }
    }
}
