//! One line of JSON for each message on standard output: to practise, and for programs that read akia's output.

use std::io::Write as _;

use akia_core::notice::Message;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{Channel, DeliveryError, Kind, Receipt};

pub(super) const KIND: Kind =
    Kind { word: "stdout", is_idempotent: false, why: "whoever reads the output sees each line" };

pub(super) struct Stdout;

impl Channel for Stdout {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        "standard output".to_owned()
    }

    fn body(&self, message: &Message) -> String {
        line(message)
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let mut stdout = std::io::stdout().lock();
            let line = format!("{}\n", line(message));
            stdout
                .write_all(line.as_bytes())
                .and_then(|()| stdout.flush())
                .map_err(|error| DeliveryError::unknown(format!("standard output cannot be written: {error}")))?;
            Ok(Receipt::new(now, "written to standard output"))
        })
    }
}

/// The event with all texts, on one line.
pub(super) fn line(message: &Message) -> String {
    let mut event = message.event.clone();
    event["subject"] = message.subject.as_str().into();
    event["text"] = message.text.as_str().into();
    event["address"] = message.address.as_deref().into();
    event.to_string()
}
