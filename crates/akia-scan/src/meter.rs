//! What one file or object may cost: how much it unpacks to, and how long it takes.

use std::cell::Cell;
use std::io::{Error, Read, Result};

use crate::Limits;

/// A limit that ends the look at a file or object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The time is over.
    Time,
    /// It unpacked to more than it may.
    Total,
}

/// Counts what a file or object unpacks to.
pub(crate) struct Meter<'l> {
    limits: &'l Limits,
    unpacked: Cell<u64>,
    stop: Cell<Option<Stop>>,
}

impl<'l> Meter<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self { limits, unpacked: Cell::new(0), stop: Cell::new(None) }
    }

    /// Begins anew, with another file or object.
    pub(crate) fn reset(&self) {
        self.unpacked.set(0);
        self.stop.set(None);
    }

    /// Why there is no going on, if there is none.
    pub(crate) fn stop(&self) -> Option<Stop> {
        if self.stop.get().is_none() && self.limits.is_over() {
            self.stop.set(Some(Stop::Time));
        }
        self.stop.get()
    }

    /// So many bytes were unpacked.
    pub(crate) fn unpack(&self, count: u64) -> Result<()> {
        let unpacked = self.unpacked.get().saturating_add(count);
        self.unpacked.set(unpacked);
        if unpacked > self.limits.unpacked_total_bytes {
            self.stop.set(Some(Stop::Total));
        }
        self.check()
    }

    /// Fails where there is no going on.
    pub(crate) fn check(&self) -> Result<()> {
        if self.stop().is_some() { Err(Error::other("a limit is reached")) } else { Ok(()) }
    }

    /// A reader of what is unpacked: it fails where a limit is reached.
    pub(crate) fn read<'m, R: Read>(&'m self, inner: R) -> Metered<'m, 'l, R> {
        Metered { meter: self, inner }
    }
}

/// See [`Meter::read`].
pub(crate) struct Metered<'m, 'l, R> {
    meter: &'m Meter<'l>,
    inner: R,
}

impl<R: Read> Read for Metered<'_, '_, R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(out)?;
        self.meter.unpack(read as u64)?;
        Ok(read)
    }
}
