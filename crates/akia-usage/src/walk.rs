//! One walk over the JSON of a log file: each event with the fields that are wanted, borrowed from the bytes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sonic_rs::{Deserializer, JsonValueTrait, LazyValue};

use crate::column::{TEXTS, Text};

/// What a walk takes of each event, besides its time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wants([bool; TEXTS]);

impl Wants {
    pub(crate) fn of(texts: impl IntoIterator<Item = Text>) -> Self {
        let mut wants = Self::default();
        for text in texts {
            wants.0[text as usize] = true;
        }
        wants
    }

    pub(crate) fn has(&self, text: Text) -> bool {
        self.0[text as usize]
    }
}

/// An event as far as it is wanted. Null, missing, and what is no text where text belongs are all `None`.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// Seconds since 1970; none where the event has no time that can be read.
    pub(crate) time: Option<i64>,
    texts: [Option<Cow<'a, str>>; TEXTS],
    /// `sessionContext.sessionIssuer.arn`.
    issuer: Option<Cow<'a, str>>,
    /// `resources`, as it stands in the file.
    resources: Option<Cow<'a, str>>,
    /// Whether it has what an event has. Insights and other records have not.
    is_call: bool,
}

impl<'a> Event<'a> {
    /// A field as it stands, but for what is put together.
    pub(crate) fn text(&self, text: Text) -> Option<&str> {
        let plain = self.texts[text as usize].as_deref();
        match text {
            Text::Service => plain.map(|source| source.strip_suffix(".amazonaws.com").unwrap_or(source)),
            Text::User if self.texts[Text::Identity as usize].as_deref() == Some("FederatedUser") => {
                self.issuer.as_deref().or(plain)
            }
            _ => plain,
        }
    }

    /// Whether a user or the root user stands behind it.
    pub(crate) fn is_of_user(&self) -> bool {
        matches!(self.text(Text::Identity), Some("IAMUser" | "Root" | "FederatedUser"))
            || self.text(Text::Key).is_some_and(|key| key.starts_with("AKIA"))
    }

    /// `resources[].ARN`.
    pub(crate) fn resource_arns(&self) -> Vec<String> {
        let Some(json) = self.resources.as_deref() else { return Vec::new() };
        sonic_rs::to_array_iter(json)
            .filter_map(|resource| Some(resource.ok()?.get("ARN")?.as_str()?.to_owned()))
            .collect()
    }

    /// The fields of `requestParameters` that have these names and hold text.
    pub(crate) fn parameters(&self, names: &[&'static str]) -> Vec<(&'static str, String)> {
        let Some(json) = self.texts[Text::Request as usize].as_deref() else { return Vec::new() };
        sonic_rs::to_object_iter(json)
            .filter_map(|field| {
                let (name, value) = field.ok()?;
                let name = names.iter().find(|known| **known == name)?;
                Some((*name, value.as_str()?.to_owned()))
            })
            .collect()
    }
}

/// What a file was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Walked {
    /// Events that are calls.
    pub(crate) calls: u64,
    /// Records that are not: insights, and what has no time or name.
    pub(crate) others: u64,
    /// Whether the file had a list of records at all.
    pub(crate) has_records: bool,
}

/// Walks `json`, handing on each event. An error leaves what was handed on before it to the caller to forget.
pub(crate) fn walk(json: &str, wants: Wants, each: &mut dyn FnMut(&Event<'_>)) -> Result<Walked, sonic_rs::Error> {
    let mut walked = Walked::default();
    for document in documents(json) {
        let mut reader = Deserializer::from_str(document);
        reader.deserialize_map(Top { wants, walked: &mut walked, each })?;
        reader.end()?;
    }
    Ok(walked)
}

/// A trail writes one object with `Records`; an export may have one event a line.
fn documents(json: &str) -> impl Iterator<Item = &str> {
    let first = memchr::memchr(b'\n', json.as_bytes()).unwrap_or(json.len());
    let is_lines = json[..first].trim_end().ends_with('}') && !json[first..].trim().is_empty();
    let mut rest = Some(json);
    std::iter::from_fn(move || {
        let whole = rest.take()?;
        let (document, after) = match whole.split_once('\n') {
            Some((line, after)) if is_lines => (line, Some(after)),
            _ => (whole, None),
        };
        rest = after;
        Some(document)
    })
    .filter(|document| !document.trim().is_empty())
}

/// The outermost object: a file's, or an event's own.
struct Top<'w, 'f> {
    wants: Wants,
    walked: &'w mut Walked,
    each: &'w mut (dyn FnMut(&Event<'_>) + 'f),
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an object with a list of `Records`, or an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut event = Event::default();
        while let Some(name) = map.next_key::<Name>()? {
            match name {
                Name::Records => {
                    self.walked.has_records = true;
                    map.next_value_seed(Records { wants: self.wants, walked: self.walked, each: self.each })?;
                }
                // CloudTrail Lake wraps the event in one of its own.
                Name::EventData => event = map.next_value_seed(Record { wants: self.wants })?,
                name => event.take(name, self.wants, &mut map)?,
            }
        }
        if event.is_call {
            self.walked.has_records = true;
            hand_on(&event, self.walked, self.each);
        }
        Ok(())
    }
}

fn hand_on(event: &Event<'_>, walked: &mut Walked, each: &mut (dyn FnMut(&Event<'_>) + '_)) {
    if event.is_call && event.time.is_some() {
        walked.calls += 1;
        each(event);
    } else {
        walked.others += 1;
    }
}

struct Records<'w, 'f> {
    wants: Wants,
    walked: &'w mut Walked,
    each: &'w mut (dyn FnMut(&Event<'_>) + 'f),
}

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list of `Records`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(event) = list.next_element_seed(Record { wants: self.wants })? {
            hand_on(&event, self.walked, self.each);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Record {
    wants: Wants,
}

impl<'de> DeserializeSeed<'de> for Record {
    type Value = Event<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Record {
    type Value = Event<'de>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an event")
    }

    // What is no object is a record of another kind, and counted as one.
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Event::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Event::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Event::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Event::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Event::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Event::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Event::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut event = Event::default();
        while let Some(name) = map.next_key::<Name>()? {
            event.take(name, self.wants, &mut map)?;
        }
        Ok(event)
    }
}

/// The names of fields that are read anywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Records,
    EventData,
    UserIdentity,
    EventTime,
    Resources,
    SessionContext,
    SessionIssuer,
    Type,
    Arn,
    AccountId,
    AccessKeyId,
    Plain(Text),
    Other,
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("the name of a field")
            }
            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "Records" => Name::Records,
                    "eventData" => Name::EventData,
                    "userIdentity" => Name::UserIdentity,
                    "eventTime" => Name::EventTime,
                    "eventSource" => Name::Plain(Text::Service),
                    "eventName" => Name::Plain(Text::Name),
                    "awsRegion" => Name::Plain(Text::Region),
                    "sourceIPAddress" => Name::Plain(Text::Ip),
                    "userAgent" => Name::Plain(Text::Agent),
                    "errorCode" => Name::Plain(Text::Error),
                    "errorMessage" => Name::Plain(Text::ErrorMessage),
                    "requestParameters" => Name::Plain(Text::Request),
                    "responseElements" => Name::Plain(Text::Response),
                    "resources" => Name::Resources,
                    "eventID" => Name::Plain(Text::EventId),
                    "eventType" => Name::Plain(Text::EventType),
                    "vpcEndpointId" => Name::Plain(Text::VpcEndpoint),
                    "sessionContext" => Name::SessionContext,
                    "sessionIssuer" => Name::SessionIssuer,
                    "type" => Name::Type,
                    "arn" => Name::Arn,
                    "accountId" => Name::AccountId,
                    "accessKeyId" => Name::AccessKeyId,
                    _ => Name::Other,
                })
            }
        }
        from.deserialize_identifier(Names)
    }
}

impl<'de> Event<'de> {
    /// Takes the value of a field of a record.
    fn take<A: MapAccess<'de>>(&mut self, name: Name, wants: Wants, map: &mut A) -> Result<(), A::Error> {
        let text = match name {
            Name::UserIdentity => return map.next_value_seed(Identity { event: self, wants }),
            Name::EventTime => {
                let Lenient(time) = map.next_value()?;
                self.time = time.as_deref().and_then(seconds);
                return Ok(());
            }
            Name::Resources if wants.has(Text::Resources) => {
                self.resources = raw(map)?;
                return Ok(());
            }
            Name::Plain(Text::Request) if wants.has(Text::Request) || wants.has(Text::Resources) => {
                self.texts[Text::Request as usize] = raw(map)?;
                return Ok(());
            }
            Name::Plain(Text::Response) if wants.has(Text::Response) => {
                self.texts[Text::Response as usize] = raw(map)?;
                return Ok(());
            }
            Name::Plain(text @ (Text::Name | Text::Service)) => text,
            Name::Plain(text) if wants.has(text) && text != Text::Response => text,
            _ => return map.next_value::<IgnoredAny>().map(drop),
        };
        self.is_call |= text == Text::Name;
        let Lenient(value) = map.next_value()?;
        self.texts[text as usize] = value;
        Ok(())
    }
}

/// A value as it stands in the file; `null` is none.
fn raw<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let value: LazyValue<'de> = map.next_value()?;
    Ok(if value.is_null() { None } else { Some(value.as_raw_cow()) })
}

/// `userIdentity`, with what is nested in it.
struct Identity<'e, 'de> {
    event: &'e mut Event<'de>,
    wants: Wants,
}

impl<'de> DeserializeSeed<'de> for Identity<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Identity<'_, 'de> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("`userIdentity`")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Name>()? {
            let text = match name {
                Name::Type => Text::Identity,
                Name::Arn => Text::User,
                Name::AccountId => Text::Account,
                Name::AccessKeyId => Text::Key,
                Name::SessionContext if self.wants.has(Text::User) => {
                    let value: LazyValue<'de> = map.next_value()?;
                    let issuer =
                        value.get("sessionIssuer").and_then(|issuer| Some(issuer.get("arn")?.as_str()?.to_owned()));
                    self.event.issuer = issuer.map(Cow::Owned);
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let Lenient(value) = map.next_value()?;
            self.event.texts[text as usize] = value;
        }
        Ok(())
    }
}

/// Text where there is text; nothing where there is anything else.
struct Lenient<'de>(Option<Cow<'de, str>>);

impl<'de> serde::Deserialize<'de> for Lenient<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Lenient<'de>;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Lenient(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Lenient(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Lenient(None))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Lenient(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Lenient(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Lenient(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Lenient(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }
        }
        from.deserialize_any(Anything)
    }
}

/// Seconds since 1970 of a time as CloudTrail writes it. What is written otherwise is read slowly.
fn seconds(text: &str) -> Option<i64> {
    quick_seconds(text.as_bytes()).or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second))
}

/// `2026-11-30T14:37:52Z`, and nothing else.
fn quick_seconds(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'Z'] = *text else {
        return None;
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let two = |tens: u8, ones: u8| Some(digit(tens)? * 10 + digit(ones)?);
    let (year, month, day) = (two(y0, y1)? * 100 + two(y2, y3)?, two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None; // the last days of a month are left to the slow way, which knows how long each is
    }
    // Days since 1970, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}
