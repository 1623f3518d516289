//! One walk over the JSON of a log file: each event with the fields that are wanted, borrowed from the bytes.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use sonic_rs::{Deserializer, JsonValueTrait, LazyValue};

use akia_core::usage::PARAMETERS;

use crate::column::{TEXTS, Text};

/// Says what becomes of a value of each kind, for kinds that a visitor does not look at: `$nothing`.
macro_rules! nothing_of {
    ($nothing:expr; $($kind:ident($type:ty)),*) => {
        $(fn $kind<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok($nothing)
        })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
    };
}

/// An object of which some fields are wanted; what is no object has none of them, or what `$told` makes of a text.
macro_rules! fields {
    ($seed:ident, $self:ident, $map:ident, $access:ident, $body:block $(, $text:ident => $told:expr)?) => {
        impl<'de> DeserializeSeed<'de> for $seed<'_, 'de> {
            type Value = ();
            fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
                from.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $seed<'_, 'de> {
            type Value = ();
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }
            nothing_of!((); visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64));
            fn visit_str<E>($self, _text: &str) -> Result<(), E> {
                $(let $text = _text; $told;)?
                Ok(())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
                Skip(DEEPEST).visit_seq(list)
            }
            fn visit_map<$access: MapAccess<'de>>($self, mut $map: $access) -> Result<(), $access::Error> $body
        }
    };
}

/// What a walk takes of each event, besides its time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wants {
    texts: [bool; TEXTS],
    /// Whether what an event was about is only wanted where a user stands behind it.
    only_of_user: bool,
}

impl Wants {
    pub(crate) fn of(texts: impl IntoIterator<Item = Text>, only_of_user: bool) -> Self {
        let mut wants = Self { only_of_user, ..Self::default() };
        for text in texts {
            wants.texts[text as usize] = true;
        }
        wants
    }

    pub(crate) fn has(&self, text: Text) -> bool {
        self.texts[text as usize]
    }
}

/// An event as far as it is wanted. Null, missing, and what is no text where text belongs are all `None`.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// Seconds since 1970; none where the event has no time that can be read.
    pub(crate) time: Option<i64>,
    pub(crate) texts: [Option<Cow<'a, str>>; TEXTS],
    /// `sessionContext.sessionIssuer.arn`.
    pub(crate) issuer: Option<Cow<'a, str>>,
    /// `resources[].ARN`.
    pub(crate) arns: Vec<Cow<'a, str>>,
    /// The fields of `requestParameters` that tell what a call was about, where they hold text.
    pub(crate) parameters: Vec<(&'static str, Cow<'a, str>)>,
    /// Whether `userIdentity` was read.
    pub(crate) has_identity: bool,
    /// Whether it has what an event has. Insights and other records have not.
    pub(crate) is_call: bool,
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
    pub(crate) fn arns(&self) -> Vec<&str> {
        self.arns.iter().map(AsRef::as_ref).collect()
    }

    /// The fields of `requestParameters` that tell what the call was about.
    pub(crate) fn parameters(&self) -> Vec<(&str, &str)> {
        self.parameters.iter().map(|(name, value)| (*name, value.as_ref())).collect()
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
        if wants.has(Text::Request) || wants.has(Text::Response) {
            // sonic-rs takes a value as it stands without a limit to its nesting: it is looked for first.
            Skip(DEEPEST).deserialize(&mut Deserializer::from_str(document))?;
        }
        let mut reader = Deserializer::from_str(document);
        reader.deserialize_map(Top { wants, walked: &mut walked, each })?;
        reader.end()?;
    }
    Ok(walked)
}

/// The fields of `requestParameters` that tell what a call was about, of its JSON. None where it is no JSON.
pub(crate) fn parameters<'a>(json: &'a str) -> Vec<(&'static str, Cow<'a, str>)> {
    let mut found = Vec::new();
    match (Parameters { found: &mut found, deeper: SETS }).deserialize(&mut Deserializer::from_str(json)) {
        Ok(()) => found,
        Err(_) => Vec::new(),
    }
}

fn owned<'a>((name, value): (&'static str, Cow<'_, str>)) -> (&'static str, Cow<'a, str>) {
    (name, Cow::Owned(value.into_owned()))
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
    nothing_of!(Event::default(); visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Skip(DEEPEST).visit_seq(list).map(|()| Event::default())
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
    ResourceArn,
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
                    "ARN" => Name::ResourceArn,
                    "accountId" => Name::AccountId,
                    "accessKeyId" => Name::AccessKeyId,
                    name if is_lower(name) => in_lower_case(name),
                    _ => Name::Other,
                })
            }
        }
        from.deserialize_identifier(Names)
    }
}

/// Whether a name may be one of Athena's, which have neither capitals nor fewer letters than this.
fn is_lower(name: &str) -> bool {
    matches!(name.len(), 7..=17) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The names as tables of Athena have them.
#[cold]
fn in_lower_case(name: &str) -> Name {
    match name {
        "eventdata" => Name::EventData,
        "useridentity" => Name::UserIdentity,
        "eventtime" => Name::EventTime,
        "eventsource" => Name::Plain(Text::Service),
        "eventname" => Name::Plain(Text::Name),
        "awsregion" => Name::Plain(Text::Region),
        "sourceipaddress" => Name::Plain(Text::Ip),
        "useragent" => Name::Plain(Text::Agent),
        "errorcode" => Name::Plain(Text::Error),
        "errormessage" => Name::Plain(Text::ErrorMessage),
        "requestparameters" => Name::Plain(Text::Request),
        "responseelements" => Name::Plain(Text::Response),
        "eventid" => Name::Plain(Text::EventId),
        "eventtype" => Name::Plain(Text::EventType),
        "vpcendpointid" => Name::Plain(Text::VpcEndpoint),
        "sessioncontext" => Name::SessionContext,
        "sessionissuer" => Name::SessionIssuer,
        "accountid" => Name::AccountId,
        "accesskeyid" => Name::AccessKeyId,
        _ => Name::Other,
    }
}

impl<'de> Event<'de> {
    pub(crate) fn wants_resources(&self, wants: Wants) -> bool {
        wants.has(Text::Resources) && !(wants.only_of_user && self.has_identity && !self.is_of_user())
    }

    /// Takes the value of a field of a record.
    fn take<A: MapAccess<'de>>(&mut self, name: Name, wants: Wants, map: &mut A) -> Result<(), A::Error> {
        let text = match name {
            Name::UserIdentity => {
                self.has_identity = true;
                return map.next_value_seed(Identity { event: self, wants });
            }
            Name::EventTime => {
                let Lenient(time) = map.next_value()?;
                self.time = time.as_deref().and_then(seconds);
                return Ok(());
            }
            Name::Resources if self.wants_resources(wants) => return map.next_value_seed(Arns(&mut self.arns)),
            // As JSON for a question that reads it; else for the fields that tell what the call was about.
            Name::Plain(text @ (Text::Request | Text::Response)) if wants.has(text) => {
                let value: LazyValue<'de> = map.next_value()?;
                // Tables of Athena keep it as text.
                let inner = value.as_str().filter(|text| text.starts_with('{')).map(|text| Cow::Owned(text.to_owned()));
                let json = inner.or_else(|| if value.is_null() { None } else { Some(value.as_raw_cow()) });
                if let (Text::Request, Some(json), true) = (text, &json, self.wants_resources(wants)) {
                    self.parameters = parameters(json).into_iter().map(owned).collect();
                }
                self.texts[text as usize] = json;
                return Ok(());
            }
            Name::Plain(Text::Request) if self.wants_resources(wants) => {
                return map.next_value_seed(Parameters { found: &mut self.parameters, deeper: SETS });
            }
            Name::Plain(text @ (Text::Name | Text::Service)) => text,
            Name::Plain(text) if wants.has(text) => text,
            _ => return skip(map),
        };
        self.is_call |= text == Text::Name;
        let Lenient(value) = map.next_value()?;
        self.texts[text as usize] = value;
        Ok(())
    }
}

/// `userIdentity`, with what is nested in it.
struct Identity<'e, 'de> {
    event: &'e mut Event<'de>,
    wants: Wants,
}

/// How deep a value may be nested; CloudTrail's are a dozen levels at most.
const DEEPEST: u8 = 100;

/// A value that nobody wants, of any kind, nested as deep as this at most. serde's `IgnoredAny` has no limit in sonic-rs, and a log that
/// is nested a million times must not end the process.
struct Skip(u8);

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a value")
    }

    nothing_of!((); visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while list.next_element_seed(Skip(deeper))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while map.next_key_seed(Skip(0))?.is_some() {
            map.next_value_seed(Skip(deeper))?;
        }
        Ok(())
    }
}

impl Skip {
    fn deeper<E: serde::de::Error>(&self) -> Result<u8, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom("it is nested too deeply"))
    }
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value_seed(Skip(DEEPEST))
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
            nothing_of!(Lenient(None); visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64));
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Lenient(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Lenient(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Skip(DEEPEST).visit_seq(list).map(|()| Lenient(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Skip(DEEPEST).visit_map(map).map(|()| Lenient(None))
            }
        }
        from.deserialize_any(Anything)
    }
}

fields!(Identity, self, map, A, {
    while let Some(name) = map.next_key::<Name>()? {
        let text = match name {
            Name::Type => Text::Identity,
            Name::Arn => Text::User,
            Name::AccountId => Text::Account,
            Name::AccessKeyId => Text::Key,
            Name::SessionContext if self.wants.has(Text::User) => {
                map.next_value_seed(Session(&mut self.event.issuer))?;
                continue;
            }
            _ => {
                skip(&mut map)?;
                continue;
            }
        };
        let Lenient(value) = map.next_value()?;
        self.event.texts[text as usize] = value;
    }
    Ok(())
});

/// `sessionContext`, for `sessionIssuer.arn`.
struct Session<'e, 'de>(&'e mut Option<Cow<'de, str>>);

fields!(Session, self, map, A, {
    while let Some(name) = map.next_key::<Name>()? {
        match name {
            Name::SessionIssuer => map.next_value_seed(Session(self.0))?,
            Name::Arn => {
                let Lenient(value) = map.next_value()?;
                *self.0 = value;
            }
            _ => skip(&mut map)?,
        }
    }
    Ok(())
});

/// `requestParameters`, for the fields that tell what a call was about: an object, or in tables of Athena the text of one.
struct Parameters<'e, 'de> {
    found: &'e mut Vec<(&'static str, Cow<'de, str>)>,
    /// How many sets may stand in each other from here on.
    deeper: u8,
}

/// EC2 has its ids in sets, one of which may stand in another: `networkInterfaceSet.items[].groupSet.items[].groupId`.
const SETS: u8 = 2;

fields!(Parameters, self, map, A, {
    while let Some(Lenient(name)) = map.next_key()? {
        let name = name.as_deref().unwrap_or_default();
        match PARAMETERS.iter().find(|known| name == **known) {
            Some(name) => {
                let Lenient(value) = map.next_value()?;
                self.found.extend(value.map(|value| (*name, value)));
            }
            None if self.deeper > 0 && name.ends_with("Set") => {
                map.next_value_seed(Set(Parameters { found: self.found, deeper: self.deeper - 1 }))?;
            }
            None => skip(&mut map)?,
        }
    }
    Ok(())
}, text => self.found.extend(parameters(text).into_iter().map(owned)));

/// A set of EC2's: `{"items": [{…}]}`.
struct Set<'e, 'de>(Parameters<'e, 'de>);

fields!(Set, self, map, A, {
    while let Some(Lenient(name)) = map.next_key()? {
        match name.as_deref() {
            Some("items") => map.next_value_seed(Items(Parameters { found: self.0.found, deeper: self.0.deeper }))?,
            _ => skip(&mut map)?,
        }
    }
    Ok(())
});

/// The items of a set.
struct Items<'e, 'de>(Parameters<'e, 'de>);

impl<'de> DeserializeSeed<'de> for Items<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, 'de> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list of items")
    }

    nothing_of!((); visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Parameters { found, deeper } = self.0;
        while list.next_element_seed(Parameters { found: &mut *found, deeper })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Skip(DEEPEST).visit_map(map)
    }
}

/// `resources`, for each `ARN`.
struct Arns<'e, 'de>(&'e mut Vec<Cow<'de, str>>);

impl<'de> DeserializeSeed<'de> for Arns<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Arns<'_, 'de> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list of resources")
    }

    nothing_of!((); visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Resource(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Skip(DEEPEST).visit_map(map)
    }
}

/// One of `resources`.
struct Resource<'e, 'de>(&'e mut Vec<Cow<'de, str>>);

fields!(Resource, self, map, A, {
    while let Some(name) = map.next_key::<Name>()? {
        match name {
            Name::ResourceArn | Name::Arn => {
                let Lenient(value) = map.next_value()?;
                self.0.extend(value);
            }
            _ => skip(&mut map)?,
        }
    }
    Ok(())
});

/// Seconds since 1970 of a time as CloudTrail writes it. What is written otherwise is read slowly.
fn seconds(text: &str) -> Option<i64> {
    // A table of Athena may have a column of times, which it writes without the zone: `2026-11-30 14:37:52.000`.
    let civil = || Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    quick_seconds(text.as_bytes()).or_else(|| text.parse().ok().or_else(civil).map(Timestamp::as_second))
}

/// `2026-11-30T14:37:52Z`, and nothing else.
fn quick_seconds(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'Z'] = *text else {
        return None;
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte.cast_signed() - b'0'.cast_signed());
    let two = |tens: u8, ones: u8| Some(digit(tens)? * 10 + digit(ones)?);
    let date = Date::new(i16::from(two(y0, y1)?) * 100 + i16::from(two(y2, y3)?), two(m0, m1)?, two(d0, d1)?).ok()?;
    let time = Time::new(two(h0, h1)?, two(n0, n1)?, two(s0, s1)?, 0).ok()?;
    Offset::UTC.to_timestamp(date.to_datetime(time)).ok().map(Timestamp::as_second)
}
