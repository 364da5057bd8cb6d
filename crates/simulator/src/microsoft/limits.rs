//! What an application may ask: of Graph (UPSTREAM 4.5) reports in ten minutes, users and SKUs in ten seconds; of the
//! activity feed (UPSTREAM 4.8) anything in a minute.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::refusal::Refusal;
use crate::{Scenario, clock::Clock, window::Window, world::lock};

/// The window of the directory's limit. It is short enough that no scenario needs a shorter one.
const IDENTITY_SECONDS: u64 = 10;

/// The window of the activity feed's limit.
const FEED_SECONDS: u64 = 60;

/// Which budget a request draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Budget {
    /// Reports as CSV.
    Reports,
    /// Reports as JSON.
    JsonReports,
    /// Users and SKUs, with what the request costs.
    Identity(u64),
    /// The activity feed.
    Feed,
}

#[derive(Debug)]
pub(super) struct Limits {
    reports: Mutex<Window>,
    json_reports: Mutex<Window>,
    identity: Mutex<Window>,
    feed: Mutex<Window>,
    feed_refusals: AtomicU64,
}

impl Limits {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let seconds = scenario.reports_window_seconds;
        Self {
            reports: Mutex::new(Window::new(scenario.reports_limit, seconds)),
            json_reports: Mutex::new(Window::new(scenario.json_reports_limit, seconds)),
            identity: Mutex::new(Window::new(scenario.identity_limit, IDENTITY_SECONDS)),
            feed: Mutex::new(Window::new(scenario.activity_limit, FEED_SECONDS)),
            feed_refusals: AtomicU64::new(0),
        }
    }

    /// Draws on a budget Graph keeps.
    pub(super) fn take(&self, budget: Budget, clock: &Clock) -> Result<(), Refusal> {
        self.draw(budget, clock).map_err(|wait| Refusal::TooManyRequests {
            retry_after: Some(wait),
        })
    }

    /// Draws on a budget, or tells how long to wait.
    pub(super) fn draw(&self, budget: Budget, clock: &Clock) -> Result<(), Duration> {
        let (window, points) = match budget {
            Budget::Reports => (&self.reports, 1),
            Budget::JsonReports => (&self.json_reports, 1),
            Budget::Identity(points) => (&self.identity, points),
            Budget::Feed => (&self.feed, 1),
        };
        let now = clock.elapsed();
        let mut window = lock(window);
        if window.take(now, points) {
            return Ok(());
        }
        // Whole seconds, rounded up, so that a client which waits so long is not early.
        Err(Duration::from_secs(window.left(now).as_secs() + 1))
    }
    /// Whether a refusal of the activity feed is one of every two, beginning with the second.
    pub(super) fn is_second_refusal(&self) -> bool {
        self.feed_refusals.fetch_add(1, Ordering::Relaxed) % 2 == 1
    }
}
