//! The only place that reads the real clock: rate limits, waits and tokens live in real time, the data does not.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the simulator's clock, everything else asks it"
)]

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Real time since the simulator started. It runs on tokio's clock, so that a test which pauses that clock sees limits
/// and token lifetimes pass with it.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at: Timestamp::now(),
        }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The instant that lies `later` from now.
    pub(crate) fn now_plus(&self, later: Duration) -> Timestamp {
        self.started_at
            .saturating_add(self.elapsed().saturating_add(later))
            .unwrap_or(Timestamp::MAX)
    }

    /// Wall time, for what a client stamps with its own wall clock (an App's JWT).
    pub(crate) fn wall() -> Timestamp {
        Timestamp::now()
    }
}
