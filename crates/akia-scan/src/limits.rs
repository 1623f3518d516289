//! How far a scan goes. Whatever a limit cuts off is told in the coverage.

use std::time::Instant;

/// The limits of a scan.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Archives within archives: how deep.
    pub depth: u32,
    /// The largest thing that is unpacked into memory, in bytes.
    pub unpacked_bytes: u64,
    /// All that one file or object may unpack to, in bytes: a bomb is larger.
    pub unpacked_total_bytes: u64,
    /// When to stop.
    pub deadline: Option<Instant>,
    /// How many threads.
    pub threads: usize,
}

impl Limits {
    /// How deep by default.
    pub const DEPTH: u32 = 8;
    /// The largest thing by default.
    pub const UNPACKED_BYTES: u64 = 256 << 20;
    /// All of one file by default.
    pub const UNPACKED_TOTAL_BYTES: u64 = 16 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: Self::DEPTH,
            unpacked_bytes: Self::UNPACKED_BYTES,
            unpacked_total_bytes: Self::UNPACKED_TOTAL_BYTES,
            deadline: None,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

impl Limits {
    /// Whether the time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
