//! The columns of the two tables that logs are read as.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// A column of text, taken from an event as it stands or put together from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(usize)]
pub enum Text {
    /// `userIdentity.accessKeyId`.
    Key,
    /// `userIdentity.accountId`.
    Account,
    /// `userIdentity.arn`; of a federated user the ARN of who opened the session.
    User,
    /// `userIdentity.type`.
    Identity,
    /// `eventSource` without `.amazonaws.com`.
    Service,
    /// `eventName`.
    Name,
    /// `awsRegion`.
    Region,
    /// `sourceIPAddress`.
    Ip,
    /// `userAgent`.
    Agent,
    /// `errorCode`.
    Error,
    /// The ARNs that the call was about: see `akia_core::usage::Resources`.
    Resources,
    /// What was found of a file, as the JSON of a [`Receipt`](crate::Receipt), in a row of its own that is no call. Such rows are there
    /// where this column is read.
    Note,
    /// `eventID`.
    EventId,
    /// `eventType`.
    EventType,
    /// `vpcEndpointId`.
    VpcEndpoint,
    /// `errorMessage`.
    ErrorMessage,
    /// `requestParameters`, as JSON.
    Request,
    /// `responseElements`, as JSON.
    Response,
}

/// How many columns of text a call has; the first ones of `Text`.
pub(crate) const CALL_TEXTS: usize = 12;
/// How many an event has.
pub(crate) const TEXTS: usize = 18;

impl Text {
    /// All, in the order of the table.
    pub const ALL: [Self; TEXTS] = [
        Self::Key,
        Self::Account,
        Self::User,
        Self::Identity,
        Self::Service,
        Self::Name,
        Self::Region,
        Self::Ip,
        Self::Agent,
        Self::Error,
        Self::Resources,
        Self::Note,
        Self::EventId,
        Self::EventType,
        Self::VpcEndpoint,
        Self::ErrorMessage,
        Self::Request,
        Self::Response,
    ];

    /// The column's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Account => "account",
            Self::User => "user",
            Self::Identity => "identity",
            Self::Service => "service",
            Self::Name => "name",
            Self::Region => "region",
            Self::Ip => "ip",
            Self::Agent => "agent",
            Self::Error => "error",
            Self::Resources => "resources",
            Self::Note => "note",
            Self::EventId => "event_id",
            Self::EventType => "event_type",
            Self::VpcEndpoint => "vpc_endpoint",
            Self::ErrorMessage => "error_message",
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// A row for each event.
    Events,
    /// Equal events counted: a row for each set of values of the columns that a query reads, for each part of the input.
    /// Only `sum(calls)`, `min(first)` and `max(last)` over it mean something.
    Calls,
}

/// What a column of a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// `eventTime`.
    Time,
    /// Its hour.
    Hour,
    Text(Text),
    /// Whether a user or the root user stands behind it, by a long-term key or a session that the user opened.
    OfUser,
    Calls,
    First,
    Last,
}

impl Table {
    pub(crate) fn columns(self) -> Vec<Column> {
        match self {
            Self::Events => std::iter::once(Column::Time)
                .chain(Text::ALL.into_iter().filter(|text| *text != Text::Note).map(Column::Text))
                .chain([Column::OfUser])
                .collect(),
            Self::Calls => std::iter::once(Column::Hour)
                .chain(Text::ALL.into_iter().take(CALL_TEXTS).map(Column::Text))
                .chain([Column::OfUser, Column::Calls, Column::First, Column::Last])
                .collect(),
        }
    }

    /// The table's schema.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        Arc::new(Schema::new(self.columns().into_iter().map(Column::field).collect::<Vec<_>>()))
    }
}

/// Times are in UTC and, as CloudTrail's, in whole seconds.
pub(crate) fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
}

impl Column {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Hour => "hour",
            Self::Text(text) => text.name(),
            Self::OfUser => "of_user",
            Self::Calls => "calls",
            Self::First => "first",
            Self::Last => "last",
        }
    }

    fn field(self) -> Field {
        let (kind, nullable) = match self {
            Self::Time | Self::Hour | Self::First | Self::Last => (moment(), false),
            Self::Text(_) => (DataType::Utf8View, true),
            Self::OfUser => (DataType::Boolean, false),
            Self::Calls => (DataType::Int64, false),
        };
        Field::new(self.name(), kind, nullable)
    }
}
