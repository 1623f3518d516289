//! The sandbox's clock: everything that the sandbox dates, expires or delays asks this clock and no other.
//!
//! Invariant: time never runs backwards, whichever clock is chosen.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::Timestamp;

/// Where the sandbox takes its time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    Real,
    /// Stands still at this moment until [`crate::Sandbox::advance`] moves it. Delays move it instead of waiting.
    Manual(Timestamp),
    /// Starts at this moment and runs with tokio's clock, so that a test under `start_paused` sleeps for nothing and
    /// the sandbox still sees the hours go by. The sandbox must then be built inside the runtime.
    Tokio(Timestamp),
}

/// A running clock.
#[derive(Debug)]
pub(crate) struct Ticker {
    kind: Clock,
    started: tokio::time::Instant,
    /// What [`Ticker::advance`] has added.
    offset: Mutex<Duration>,
}

impl Ticker {
    pub(crate) fn new(kind: Clock) -> Self {
        Self { kind, started: tokio::time::Instant::now(), offset: Mutex::new(Duration::ZERO) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let offset = *self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.kind {
            Clock::Real => Timestamp::now() + offset,
            Clock::Manual(start) => start + offset,
            Clock::Tokio(start) => start + offset + self.started.elapsed(),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }

    /// Lets `duration` pass: by waiting, or on a manual clock by moving it.
    pub(crate) async fn pass(&self, duration: Duration) {
        match self.kind {
            Clock::Real | Clock::Tokio(_) => tokio::time::sleep(duration).await,
            Clock::Manual(_) => self.advance(duration),
        }
    }
}

/// The sandbox's clock as the SDK wants it.
#[derive(Debug, Clone)]
pub(crate) struct SdkClock(pub(crate) Arc<Ticker>);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        system_time(self.0.now())
    }
}

/// For libraries that know the standard library's time only. A time that the machine cannot express is 1970.
pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The form of IAM's and STS's XML answers: seconds, UTC.
pub(crate) fn iso8601(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start: Timestamp = "2026-01-31T23:59:59Z".parse().unwrap();
        let clock = Ticker::new(Clock::Manual(start));
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(2));
        assert_eq!(iso8601(clock.now()), "2026-02-01T00:00:01Z");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tokio_clock_follows_paused_time() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Ticker::new(Clock::Tokio(start));
        clock.pass(Duration::from_secs(3600)).await;
        assert_eq!(iso8601(clock.now()), "2026-01-01T01:00:00Z");
    }
}
