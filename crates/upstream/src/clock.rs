//! What time it is, and how long there is left: the two questions about time that code outside the rules may ask.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells the time of day. Handed in, so that tests can say what time it is.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The instant by which work must have ended. A wait that would pass it is not begun.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Nobody waits: a person at a terminal can interrupt.
    pub const NONE: Self = Self(None);

    /// Ends this long from now.
    pub fn within(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Whether a wait of this length ends before the deadline.
    pub fn allows(self, wait: Duration) -> bool {
        self.remaining().is_none_or(|left| wait < left)
    }

    /// Time left; `None` without a deadline.
    pub fn remaining(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// A deadline that leaves `reserve` of this one for what has to follow.
    #[must_use]
    pub fn less(self, reserve: Duration) -> Self {
        Self(self.0.map(|end| end.checked_sub(reserve).unwrap_or(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_would_pass_the_deadline_is_not_allowed() {
        let deadline = Deadline::within(Duration::from_secs(10));
        assert!(deadline.allows(Duration::from_secs(9)));
        assert!(!deadline.allows(Duration::from_secs(10)));
        assert!(!deadline.less(Duration::from_secs(5)).allows(Duration::from_secs(6)));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(!deadline.allows(Duration::from_secs(3)));
        assert!(Deadline::NONE.allows(Duration::MAX));
    }
}
