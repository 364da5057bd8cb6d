//! The rate budget: when the next request may be sent, for everyone who shares the client.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::retry::RateHeaders;
use crate::http::{Resource, Route};

/// GET requests a minute before the secondary limit (docs.github.com, REST rate limits: 900 points a minute, a GET is
/// one point; read 2026-11-21).
const REST_POINTS_PER_MINUTE: usize = 900;
/// GraphQL queries a minute before the secondary limit (same page: 2,000 points, a query is one).
const GRAPHQL_POINTS_PER_MINUTE: usize = 2_000;
/// Requests a minute to the Management Activity API, the least that any tenant has (learn.microsoft.com, Office 365
/// Management Activity API, API throttling, read 2026-11-22).
const ACTIVITY_REQUESTS_PER_MINUTE: usize = 2_000;
/// Over which they are counted.
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// The reset time has whole seconds: one more makes sure that it has passed.
const RESET_ROUNDING: Duration = Duration::from_secs(1);

/// Budgets of the resources that the upstreams count apart.
#[derive(Debug)]
pub(super) struct Budget {
    /// Over which requests are counted against the secondary limit.
    window: Duration,
    core: Mutex<State>,
    graphql: Mutex<State>,
    graph: Mutex<State>,
    reports: Mutex<State>,
    activity: Mutex<State>,
    login: Mutex<State>,
    grafana: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset_at: Option<Timestamp>,
    paused_until: Option<Instant>,
    sent: VecDeque<Instant>,
}

impl Budget {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            core: Mutex::default(),
            graphql: Mutex::default(),
            graph: Mutex::default(),
            reports: Mutex::default(),
            activity: Mutex::default(),
            login: Mutex::default(),
            grafana: Mutex::default(),
        }
    }

    /// Waits until a request may be sent, and counts it; fails at once when that is past the deadline.
    pub(super) async fn admit(&self, route: &Route, clock: &dyn Clock, deadline: Deadline) -> Result<(), ApiError> {
        if deadline.remaining().is_some_and(|left| left.is_zero()) {
            return Err(ApiError::DeadlineReached { route: route.template });
        }
        loop {
            let wait = self
                .state(route.resource)
                .wait(route.resource, self.window, clock.now());
            if wait.is_zero() {
                self.state(route.resource).count(route.resource);
                return Ok(());
            }
            if !deadline.allows(wait) {
                return Err(ApiError::RateLimited {
                    route: route.template,
                    until: later(clock.now(), wait),
                });
            }
            if wait > MINUTE {
                tracing::warn!(
                    wait_seconds = wait.as_secs(),
                    route = route.template,
                    "waiting for {}'s rate limit",
                    route.resource.upstream()
                );
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes note of what an answer says is left.
    pub(super) fn note(&self, resource: Resource, headers: RateHeaders) {
        let mut state = self.state(resource);
        if headers.remaining.is_some() {
            state.limit = headers.limit.or(state.limit);
            state.remaining = headers.remaining;
            state.reset_at = headers.reset_at;
        }
    }

    /// Holds back every request to the resource; says whether nothing held it back before.
    pub(super) fn pause(&self, resource: Resource, wait: Duration) -> bool {
        let mut state = self.state(resource);
        let now = Instant::now();
        let held_back = state.paused_until.is_some_and(|until| until > now);
        state.paused_until = state.paused_until.max(now.checked_add(wait));
        !held_back
    }

    /// Requests left of the primary limit, as last told.
    pub(super) fn remaining(&self, resource: Resource) -> Option<u64> {
        self.state(resource).remaining
    }

    /// The primary limit itself, as last told.
    pub(super) fn limit(&self, resource: Resource) -> Option<u64> {
        self.state(resource).limit
    }

    fn state(&self, resource: Resource) -> MutexGuard<'_, State> {
        let state = match resource {
            Resource::Core => &self.core,
            Resource::Graphql => &self.graphql,
            Resource::Graph => &self.graph,
            Resource::Reports => &self.reports,
            Resource::Activity => &self.activity,
            Resource::Login => &self.login,
            Resource::Grafana => &self.grafana,
        };
        // A poisoned lock means another task panicked; the counters are still counters.
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests a minute to stay below, where an upstream counts them so.
fn per_minute(resource: Resource) -> Option<usize> {
    match resource {
        Resource::Core => Some(REST_POINTS_PER_MINUTE),
        Resource::Graphql => Some(GRAPHQL_POINTS_PER_MINUTE),
        Resource::Activity => Some(ACTIVITY_REQUESTS_PER_MINUTE),
        Resource::Graph | Resource::Reports | Resource::Login | Resource::Grafana => None,
    }
}

impl State {
    fn count(&mut self, resource: Resource) {
        if per_minute(resource).is_some() {
            self.sent.push_back(Instant::now());
        }
    }

    fn wait(&mut self, resource: Resource, window: Duration, now: Timestamp) -> Duration {
        let tick = Instant::now();
        while self
            .sent
            .front()
            .is_some_and(|sent| tick.duration_since(*sent) >= window)
        {
            self.sent.pop_front();
        }
        let for_pace = match (self.sent.front(), per_minute(resource)) {
            (Some(oldest), Some(per_minute)) if self.sent.len() >= per_minute => {
                window.saturating_sub(tick.duration_since(*oldest))
            }
            _ => Duration::ZERO,
        };
        let for_pause = self
            .paused_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(tick));
        let for_reset = match (self.remaining, self.reset_at) {
            (Some(0), Some(reset_at)) => until(reset_at, now),
            _ => Duration::ZERO,
        };
        for_pace.max(for_pause).max(for_reset)
    }
}

/// How long until the reset has surely passed; zero once it has.
pub(super) fn until(reset_at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(reset_at.duration_since(now)).map_or(Duration::ZERO, |left| left + RESET_ROUNDING)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    const ROUTE: Route = Route {
        template: "GET /x",
        resource: Resource::Core,
        grant: "",
        not_found: "",
        is_download: false,
    };

    #[tokio::test(start_paused = true)]
    async fn no_minute_holds_more_requests_than_the_upstream_allows() {
        for (resource, per_minute) in [
            (Resource::Core, REST_POINTS_PER_MINUTE),
            (Resource::Activity, ACTIVITY_REQUESTS_PER_MINUTE),
        ] {
            no_minute_holds_more(resource, per_minute).await;
        }
    }

    async fn no_minute_holds_more(resource: Resource, per_minute: usize) {
        let budget = Budget::new(MINUTE);
        let route = Route { resource, ..ROUTE };
        let mut sent = Vec::new();
        for _ in 0..=2 * per_minute {
            budget.admit(&route, &SystemClock, Deadline::NONE).await.unwrap();
            sent.push(Instant::now());
        }
        for (index, at) in sent.iter().enumerate().skip(per_minute) {
            assert!(at.duration_since(sent[index - per_minute]) >= MINUTE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn microsoft_is_not_paced_ahead_of_what_it_says() {
        let budget = Budget::new(MINUTE);
        let route = Route {
            resource: Resource::Reports,
            ..ROUTE
        };
        let begun = Instant::now();
        for _ in 0..2_000 {
            budget.admit(&route, &SystemClock, Deadline::NONE).await.unwrap();
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_back_everyone_and_a_deadline_stops_early() {
        let budget = Budget::new(MINUTE);
        budget.pause(Resource::Core, Duration::from_secs(30));
        let begun = Instant::now();
        let tight = Deadline::within(Duration::from_secs(10));
        let stopped = budget.admit(&ROUTE, &SystemClock, tight).await;
        assert!(matches!(stopped, Err(ApiError::RateLimited { .. })));
        assert_eq!(begun.elapsed(), Duration::ZERO, "stopping early takes no time");
        budget.admit(&ROUTE, &SystemClock, Deadline::NONE).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_budget_stops_before_the_refusal() {
        let budget = Budget::new(MINUTE);
        let headers = RateHeaders {
            limit: Some(5_000),
            remaining: Some(0),
            reset_at: Some(later(SystemClock.now(), Duration::from_mins(10))),
            retry_after: None,
        };
        budget.note(Resource::Core, headers);
        let stopped = budget
            .admit(&ROUTE, &SystemClock, Deadline::within(Duration::from_mins(1)))
            .await;
        assert!(matches!(stopped, Err(ApiError::RateLimited { .. })));
        assert_eq!(budget.remaining(Resource::Core), Some(0));
        assert_eq!(budget.remaining(Resource::Graphql), None, "resources are counted apart");
    }
}
