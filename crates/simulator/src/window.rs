//! A budget for a span of time. Windows are fixed: one opens with the first request and is full again when it is over.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) limit: u64,
    length: Duration,
    pub(crate) used: u64,
    /// On the simulator's clock.
    opened: Duration,
}

impl Window {
    pub(crate) fn new(limit: u64, length_seconds: u64) -> Self {
        Self {
            limit,
            length: Duration::from_secs(length_seconds),
            used: 0,
            opened: Duration::ZERO,
        }
    }

    pub(crate) fn renew(&mut self, now: Duration) {
        if self.used == 0 || now >= self.opened + self.length {
            (self.opened, self.used) = (now, 0);
        }
    }

    pub(crate) fn take(&mut self, now: Duration, points: u64) -> bool {
        self.renew(now);
        let fits = self.used + points <= self.limit;
        if fits {
            self.used += points;
        }
        fits
    }

    pub(crate) fn left(&self, now: Duration) -> Duration {
        (self.opened + self.length).saturating_sub(now)
    }
}
