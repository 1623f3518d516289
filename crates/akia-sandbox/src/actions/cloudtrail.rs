//! CloudTrail: `LookupEvents` over the sandbox's own log.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Context, Target};
use crate::clock::iso8601;
use crate::failure::Failure;
use crate::log::{Call, Outcome};
use crate::mint;

/// The most that one answer holds.
const MOST: i64 = 50;

pub(super) fn lookup_events(context: &mut Context<'_>) -> Result<Answer, Failure> {
    context.allow("cloudtrail:LookupEvents", &Target::any())?;
    let invalid = |code: &str, message: &str| Failure::new(400, code, message);
    let asked = context.json.clone().ok_or_else(|| invalid("SerializationException", "The body is not JSON."))?;
    let attribute = match asked.get("LookupAttributes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        [] => None,
        [one] => Some(read_attribute(one)?),
        _ => return Err(invalid("InvalidLookupAttributesException", "You can only specify one lookup attribute.")),
    };
    let most = asked.get("MaxResults").and_then(Value::as_i64).unwrap_or(MOST);
    if !(1..=MOST).contains(&most) {
        return Err(invalid("InvalidMaxResultsException", "A maximum results value must be between 1 and 50."));
    }
    let page_size = usize::try_from(most).unwrap_or(1).min(context.state.options.page_size);
    let skipped = match asked.get("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => mint::read_marker(token)
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(|| invalid("InvalidNextTokenException", "The token is not valid."))?,
    };
    let (start, end) = (moment(&asked, "StartTime")?, moment(&asked, "EndTime")?);
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        return Err(invalid("InvalidTimeRangeException", "The start time is after the end time."));
    }
    let delay = context.state.options.propagation.cloudtrail;
    let account = &context.caller.account;
    // Each region has its own trail; what IAM does, it does in its partition's one region.
    // <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events>
    let global = context.account()?.partition.iam_region();
    let region = &context.caller.region;
    let mut found = context.state.log.iter().rev().filter(|call| {
        call.account.as_ref() == Some(account)
            && event_region(call, global) == region
            && call.is_in_trail(context.now, delay)
            && start.is_none_or(|start| call.at >= start)
            && end.is_none_or(|end| call.at <= end)
            && attribute.as_ref().is_none_or(|(key, value)| has_attribute(call, key, value))
    });
    let events: Vec<Value> = found.by_ref().skip(skipped).take(page_size).map(|call| event(call, global)).collect();
    let mut answer = json!({ "Events": events });
    if found.next().is_some() {
        answer["NextToken"] = json!(mint::marker(&(skipped + page_size).to_string()));
    }
    Ok(Answer::Json(answer))
}

const ATTRIBUTES: [&str; 8] =
    ["EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"];

fn read_attribute(attribute: &Value) -> Result<(String, String), Failure> {
    let field = |name: &str| attribute.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (key, value) = (field("AttributeKey"), field("AttributeValue"));
    if ATTRIBUTES.contains(&key.as_str()) {
        return Ok((key, value));
    }
    Err(Failure::new(400, "InvalidLookupAttributesException", format!("{key} is not a lookup attribute.")))
}

/// Seconds since 1970, as the JSON protocol writes times.
fn moment(asked: &Value, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(given) = asked.get(name).filter(|given| !given.is_null()) else { return Ok(None) };
    let seconds = given
        .as_f64()
        .ok_or_else(|| Failure::new(400, "SerializationException", format!("{name} is not a number of seconds.")))?;
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds; out of range is refused below")]
    let moment = Timestamp::from_millisecond((seconds * 1000.0) as i64);
    moment.map(Some).map_err(|_| Failure::new(400, "InvalidTimeRangeException", format!("{name} is out of range.")))
}

fn has_attribute(call: &Call, key: &str, value: &str) -> bool {
    match key {
        "EventId" => call.event_id == value,
        "EventName" => call.action == value,
        "ReadOnly" => call.read_only.to_string() == value,
        "Username" => user_name(call) == value,
        "ResourceType" => call.resources.iter().any(|(kind, _)| kind == value),
        "ResourceName" => call.resources.iter().any(|(_, name)| name == value),
        "EventSource" => event_source(call) == value,
        "AccessKeyId" => call.access_key_id.as_deref() == Some(value),
        _ => false,
    }
}

/// A role's session stands in CloudTrail under the session's name.
fn user_name(call: &Call) -> &str {
    let arn = call.principal_arn.as_deref().unwrap_or_default();
    call.user_name.as_deref().unwrap_or_else(|| arn.rsplit(['/', ':']).next().unwrap_or(arn))
}

fn event_region<'a>(call: &'a Call, global: &'a str) -> &'a str {
    if call.service == "iam" { global } else { &call.region }
}

fn event_source(call: &Call) -> String {
    format!("{}.amazonaws.com", call.service)
}

fn event(call: &Call, global: &str) -> Value {
    let parameters: serde_json::Map<String, Value> =
        call.parameters.iter().map(|(name, value)| (lower_first(name), json!(value))).collect();
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": call.identity,
        "eventTime": iso8601(call.at),
        "eventSource": event_source(call),
        "eventName": call.action,
        "awsRegion": event_region(call, global),
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
        "requestParameters": if parameters.is_empty() { Value::Null } else { Value::Object(parameters) },
        "responseElements": call.response,
        "requestID": call.request_id,
        "eventID": call.event_id,
        "readOnly": call.read_only,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": call.account,
        "eventCategory": "Management",
    });
    if let Outcome::Refused { code, .. } = &call.outcome {
        record["errorCode"] = json!(code);
    }
    let resources: Vec<Value> =
        call.resources.iter().map(|(kind, name)| json!({"ResourceType": kind, "ResourceName": name})).collect();
    json!({
        "EventId": call.event_id,
        "EventName": call.action,
        "ReadOnly": call.read_only.to_string(),
        "AccessKeyId": call.access_key_id,
        "EventTime": call.at.as_second(),
        "EventSource": event_source(call),
        "Username": user_name(call),
        "Resources": resources,
        "CloudTrailEvent": record.to_string(),
    })
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}
