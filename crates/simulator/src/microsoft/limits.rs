//! What Graph lets an application ask (UPSTREAM 4.5): reports in ten minutes, users and SKUs in ten seconds.

use std::{sync::Mutex, time::Duration};

use super::refusal::Refusal;
use crate::{Scenario, clock::Clock, window::Window, world::lock};

/// The window of the directory's limit. It is short enough that no scenario needs a shorter one.
const IDENTITY_SECONDS: u64 = 10;

/// Which budget a request draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Budget {
    /// Reports as CSV.
    Reports,
    /// Reports as JSON.
    JsonReports,
    /// Users and SKUs, with what the request costs.
    Identity(u64),
}

#[derive(Debug)]
pub(super) struct Limits {
    reports: Mutex<Window>,
    json_reports: Mutex<Window>,
    identity: Mutex<Window>,
}

impl Limits {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let seconds = scenario.reports_window_seconds;
        Self {
            reports: Mutex::new(Window::new(scenario.reports_limit, seconds)),
            json_reports: Mutex::new(Window::new(scenario.json_reports_limit, seconds)),
            identity: Mutex::new(Window::new(scenario.identity_limit, IDENTITY_SECONDS)),
        }
    }

    pub(super) fn take(&self, budget: Budget, clock: &Clock) -> Result<(), Refusal> {
        let (window, points) = match budget {
            Budget::Reports => (&self.reports, 1),
            Budget::JsonReports => (&self.json_reports, 1),
            Budget::Identity(points) => (&self.identity, points),
        };
        let now = clock.elapsed();
        let mut window = lock(window);
        if window.take(now, points) {
            return Ok(());
        }
        // Whole seconds, rounded up, so that a client which waits so long is not early.
        let retry_after = Duration::from_secs(window.left(now).as_secs() + 1);
        Err(Refusal::TooManyRequests {
            retry_after: Some(retry_after),
        })
    }
}
