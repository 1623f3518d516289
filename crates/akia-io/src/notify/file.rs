//! One line of JSON for each message at the end of a file: to practise, and for programs that follow a file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use akia_core::notice::Message;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::stdout::line;
use super::{Channel, DeliveryError, Kind, Receipt};
use crate::files::platform;

pub(super) const KIND: Kind = Kind { word: "file", is_idempotent: false, why: "each try is a line of its own" };

pub(super) struct File {
    pub(super) path: PathBuf,
}

impl Channel for File {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn body(&self, message: &Message) -> String {
        line(message)
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let failed = |error: std::io::Error| format!("{} cannot be written: {error}", self.path.display());
            let mut options = OpenOptions::new();
            options.append(true).create(true);
            platform::private(&mut options);
            let mut file = options.open(&self.path).map_err(|error| DeliveryError::not_delivered(failed(error)))?;
            // One write: lines of two processes do not mix.
            let written = file.write_all(format!("{}\n", line(message)).as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| DeliveryError::unknown(failed(error)))?;
            Ok(Receipt::new(now, format!("written to {}", self.path.display())))
        })
    }
}
