//! One walk over the JSON of a log file: each event with the fields that are wanted, borrowed from the bytes.

use std::borrow::Cow;

use akia_core::usage::PARAMETERS;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use crate::column::{TEXTS, Text};
use crate::json::{Index, Malformed, Reader};

/// A field of a record that may be wanted.
#[derive(Debug, Clone, Copy)]
enum Field {
    Identity,
    Time,
    Resources,
    /// Of the record itself.
    Text(Text),
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "userIdentity" => Self::Identity,
            "eventTime" => Self::Time,
            "resources" => Self::Resources,
            "eventSource" => Self::Text(Text::Service),
            "eventName" => Self::Text(Text::Name),
            "awsRegion" => Self::Text(Text::Region),
            "sourceIPAddress" => Self::Text(Text::Ip),
            "userAgent" => Self::Text(Text::Agent),
            "errorCode" => Self::Text(Text::Error),
            "errorMessage" => Self::Text(Text::ErrorMessage),
            "requestParameters" => Self::Text(Text::Request),
            "responseElements" => Self::Text(Text::Response),
            "eventID" => Self::Text(Text::EventId),
            "eventType" => Self::Text(Text::EventType),
            "vpcEndpointId" => Self::Text(Text::VpcEndpoint),
            name if is_lower(name) => return Self::in_lower_case(name),
            _ => return None,
        })
    }

    /// The names as tables of Athena have them.
    #[cold]
    fn in_lower_case(name: &str) -> Option<Self> {
        Some(match name {
            "useridentity" => Self::Identity,
            "eventtime" => Self::Time,
            "eventsource" => Self::Text(Text::Service),
            "eventname" => Self::Text(Text::Name),
            "awsregion" => Self::Text(Text::Region),
            "sourceipaddress" => Self::Text(Text::Ip),
            "useragent" => Self::Text(Text::Agent),
            "errorcode" => Self::Text(Text::Error),
            "errormessage" => Self::Text(Text::ErrorMessage),
            "requestparameters" => Self::Text(Text::Request),
            "responseelements" => Self::Text(Text::Response),
            "eventid" => Self::Text(Text::EventId),
            "eventtype" => Self::Text(Text::EventType),
            "vpcendpointid" => Self::Text(Text::VpcEndpoint),
            _ => return None,
        })
    }

    /// The fields that a text is read from, as bits.
    fn of(text: Text) -> u32 {
        match text {
            Text::Key | Text::Account | Text::User | Text::Identity => Self::Identity.bit(),
            Text::Resources => Self::Resources.bit() | Self::Text(Text::Request).bit(),
            Text::Note => 0,
            text => Self::Text(text).bit(),
        }
    }

    const fn bit(self) -> u32 {
        match self {
            Self::Identity => 1 << TEXTS,
            Self::Time => 1 << (TEXTS + 1),
            Self::Resources => 1 << (TEXTS + 2),
            Self::Text(text) => 1 << text as u32,
        }
    }
}

/// Whether a name may be one of Athena's, which have neither capitals nor fewer letters than this.
fn is_lower(name: &str) -> bool {
    matches!(name.len(), 7..=17) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Fields without which a record is no call.
const ALWAYS: u32 = Field::Time.bit() | Field::Text(Text::Name).bit();

/// What a walk takes of each event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    texts: [bool; TEXTS],
    /// The fields that they are read from, as bits.
    fields: u32,
    /// Whether an event is only wanted where a user stands behind it.
    only_of_user: bool,
}

impl Wants {
    pub(crate) fn of(texts: impl IntoIterator<Item = Text>, only_of_user: bool) -> Self {
        let mut wants = Self { texts: [false; TEXTS], fields: ALWAYS, only_of_user };
        for text in texts {
            wants.texts[text as usize] = true;
            wants.fields |= Field::of(text);
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
    /// The fields that were read, as bits.
    pub(crate) seen: u32,
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
///
/// A trail writes one object with `Records`; an export may have one event a line.
pub(crate) fn walk(
    json: &str,
    index: &mut Index,
    wants: Wants,
    each: &mut dyn FnMut(&Event<'_>),
) -> Result<Walked, Malformed> {
    let mut reader = Reader::new(json, index);
    let mut walked = Walked::default();
    let mut hand_on = |walked: &mut Walked, event: &Event<'_>| {
        if event.is_call && event.time.is_some() {
            walked.calls += 1;
            each(event);
        } else {
            walked.others += 1;
        }
    };
    // One for all: it is large, and nearly empty.
    let mut event = Event::default();
    while reader.peek().is_some() {
        let mut object = reader.object()?;
        event.clear();
        while let Some(name) = reader.field(&mut object)? {
            match name {
                "Records" => {
                    walked.has_records = true;
                    let mut list = reader.list()?;
                    while reader.item(&mut list)? {
                        record(&mut event, wants, &mut reader)?;
                        hand_on(&mut walked, &event);
                    }
                    event.clear();
                }
                // CloudTrail Lake wraps the event in one of its own.
                "eventData" | "eventdata" => record(&mut event, wants, &mut reader)?,
                name => event.take(name, wants, &mut reader)?,
            }
        }
        if event.is_call {
            walked.has_records = true;
            hand_on(&mut walked, &event);
        }
    }
    Ok(walked)
}

/// One record, in the place of the event before. What is no object is a record of another kind, and counted as one.
fn record<'a>(event: &mut Event<'a>, wants: Wants, reader: &mut Reader<'_, 'a>) -> Result<(), Malformed> {
    event.clear();
    if reader.peek() != Some(b'{') {
        return reader.skip();
    }
    let mut object = reader.object()?;
    while let Some(name) = reader.field(&mut object)? {
        event.take(name, wants, reader)?;
        if event.has_all(wants) {
            return reader.leave();
        }
    }
    Ok(())
}

impl<'a> Event<'a> {
    /// Forgets everything.
    fn clear(&mut self) {
        self.texts.fill(None);
        self.issuer = None;
        self.arns.clear();
        self.parameters.clear();
        (self.time, self.seen, self.has_identity, self.is_call) = (None, 0, false, false);
    }

    /// Whether it is known that it is not wanted, for no user stands behind it.
    fn is_unwanted(&self, wants: Wants) -> bool {
        wants.only_of_user && self.has_identity && !self.is_of_user()
    }

    /// Whether nothing that is still to come of the record is wanted.
    fn has_all(&self, wants: Wants) -> bool {
        let left = if self.is_unwanted(wants) { ALWAYS } else { wants.fields };
        left & !self.seen == 0
    }

    pub(crate) fn wants_resources(&self, wants: Wants) -> bool {
        wants.has(Text::Resources) && !self.is_unwanted(wants)
    }

    /// Takes the value of a field of a record.
    fn take(&mut self, name: &str, wants: Wants, reader: &mut Reader<'_, 'a>) -> Result<(), Malformed> {
        let Some(field) = Field::named(name).filter(|field| wants.fields & field.bit() != 0) else {
            return reader.skip();
        };
        self.seen |= field.bit();
        let text = match field {
            Field::Identity => return self.take_identity(wants, reader),
            Field::Time => {
                self.time = reader.text()?.as_deref().and_then(seconds);
                return Ok(());
            }
            Field::Resources if self.wants_resources(wants) => return arns(&mut self.arns, reader),
            Field::Resources => return reader.skip(),
            // As JSON for a question that reads it; else for the fields that tell what the call was about.
            Field::Text(text @ (Text::Request | Text::Response)) if wants.has(text) => {
                let json = as_json(reader)?;
                if let (Text::Request, Some(json), true) = (text, &json, self.wants_resources(wants)) {
                    self.parameters = parameters(json).into_iter().map(owned).collect();
                }
                self.texts[text as usize] = json;
                return Ok(());
            }
            Field::Text(Text::Request) if self.wants_resources(wants) => {
                return take_parameters(&mut self.parameters, SETS, reader);
            }
            Field::Text(Text::Request | Text::Response) => return reader.skip(),
            Field::Text(text) => text,
        };
        self.is_call |= text == Text::Name;
        self.texts[text as usize] = reader.text()?;
        Ok(())
    }

    /// `userIdentity`, with what is nested in it.
    fn take_identity(&mut self, wants: Wants, reader: &mut Reader<'_, 'a>) -> Result<(), Malformed> {
        self.has_identity = true;
        fields(reader, |name, reader| {
            let text = match name {
                "type" => Text::Identity,
                "accessKeyId" | "accesskeyid" => Text::Key,
                "arn" if wants.has(Text::User) => Text::User,
                "accountId" | "accountid" if wants.has(Text::Account) => Text::Account,
                "sessionContext" | "sessioncontext" if wants.has(Text::User) => {
                    return issuer(&mut self.issuer, reader);
                }
                _ => return reader.skip(),
            };
            self.texts[text as usize] = reader.text()?;
            Ok(())
        })
    }
}

/// Hands on each field of an object, whose value has to be read; passes over what is no object.
fn fields<'i, 'a>(
    reader: &mut Reader<'i, 'a>,
    mut each: impl FnMut(&'a str, &mut Reader<'i, 'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if reader.peek() != Some(b'{') {
        return reader.skip();
    }
    let mut object = reader.object()?;
    while let Some(name) = reader.field(&mut object)? {
        each(name, reader)?;
    }
    Ok(())
}

/// Hands on each value of a list, which has to be read; passes over what is no list.
fn items<'i, 'a>(
    reader: &mut Reader<'i, 'a>,
    mut each: impl FnMut(&mut Reader<'i, 'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if reader.peek() != Some(b'[') {
        return reader.skip();
    }
    let mut list = reader.list()?;
    while reader.item(&mut list)? {
        each(reader)?;
    }
    Ok(())
}

/// `sessionContext`, for `sessionIssuer.arn`.
fn issuer<'a>(arn: &mut Option<Cow<'a, str>>, reader: &mut Reader<'_, 'a>) -> Result<(), Malformed> {
    fields(reader, |name, reader| match name {
        "sessionIssuer" | "sessionissuer" => fields(reader, |name, reader| match name {
            "arn" => {
                *arn = reader.text()?;
                Ok(())
            }
            _ => reader.skip(),
        }),
        _ => reader.skip(),
    })
}

/// A value as JSON. Tables of Athena keep it as text.
fn as_json<'a>(reader: &mut Reader<'_, 'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    if reader.peek() != Some(b'"') {
        return Ok(reader.raw()?.map(Cow::Borrowed));
    }
    let from = reader.clone();
    let inner = reader.text()?.filter(|text| text.starts_with('{'));
    match inner {
        Some(json) => Ok(Some(json)),
        None => {
            *reader = from;
            Ok(reader.raw()?.map(Cow::Borrowed))
        }
    }
}

/// EC2 has its ids in sets, one of which may stand in another: `networkInterfaceSet.items[].groupSet.items[].groupId`.
const SETS: u8 = 2;

/// `requestParameters`, for the fields that tell what a call was about: an object, or in tables of Athena the text of one. So many sets
/// may stand in each other.
fn take_parameters<'a>(
    into: &mut Vec<(&'static str, Cow<'a, str>)>,
    sets: u8,
    reader: &mut Reader<'_, 'a>,
) -> Result<(), Malformed> {
    if reader.peek() == Some(b'"') {
        let json = reader.text()?.unwrap_or_default();
        into.extend(parameters(&json).into_iter().map(owned));
        return Ok(());
    }
    fields(reader, |name, reader| match PARAMETERS.iter().find(|known| name == **known) {
        Some(name) => {
            into.extend(reader.text()?.map(|value| (*name, value)));
            Ok(())
        }
        None if sets > 0 && name.ends_with("Set") => fields(reader, |name, reader| match name {
            "items" => items(reader, |reader| take_parameters(into, sets - 1, reader)),
            _ => reader.skip(),
        }),
        None => reader.skip(),
    })
}

/// The fields of `requestParameters` that tell what a call was about, of its JSON. None where it is no JSON of an object.
pub(crate) fn parameters(json: &str) -> Vec<(&'static str, Cow<'_, str>)> {
    let (mut found, mut index) = (Vec::new(), Index::default());
    let mut reader = Reader::new(json, &mut index);
    if reader.peek() != Some(b'{') || take_parameters(&mut found, SETS, &mut reader).is_err() {
        return Vec::new();
    }
    found
}

fn owned<'a>((name, value): (&'static str, Cow<'_, str>)) -> (&'static str, Cow<'a, str>) {
    (name, Cow::Owned(value.into_owned()))
}

/// `resources`, for each `ARN`.
fn arns<'a>(into: &mut Vec<Cow<'a, str>>, reader: &mut Reader<'_, 'a>) -> Result<(), Malformed> {
    items(reader, |reader| {
        fields(reader, |name, reader| match name {
            "ARN" | "arn" => {
                into.extend(reader.text()?);
                Ok(())
            }
            _ => reader.skip(),
        })
    })
}

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
