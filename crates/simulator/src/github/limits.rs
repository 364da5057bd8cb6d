//! GitHub's rate limits (UPSTREAM 3.8): an hour's budget for REST and GraphQL each, and the secondary limits on top.
//!
//! There is one set of budgets, whichever token asks. Windows are fixed: they open with the first request and are full
//! again when their time is over.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::refusal::Refusal;
use crate::{
    Scenario,
    clock::Clock,
    window::Window,
    world::{World, lock},
};

/// Which budget a request draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Core,
    GraphQl,
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::GraphQl => "graphql",
        }
    }
}

#[derive(Debug)]
pub(super) struct Limits {
    pub(super) in_flight: Semaphore,
    core: Mutex<Budget>,
    graphql: Mutex<Budget>,
}

/// What one resource may still cost.
#[derive(Debug)]
struct Budget {
    primary: Window,
    secondary: Window,
}

/// A primary budget as headers and `/rate_limit` tell it.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    limit: u64,
    used: u64,
    pub(super) remaining: u64,
    pub(super) reset: i64,
}

impl Limits {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let budget = |primary, secondary| {
            Mutex::new(Budget {
                primary: Window::new(primary, scenario.primary_window_seconds),
                secondary: Window::new(secondary, scenario.secondary_window_seconds),
            })
        };
        Self {
            in_flight: Semaphore::new(scenario.concurrent_limit),
            core: budget(scenario.primary_limit, scenario.secondary_limit),
            graphql: budget(scenario.graphql_limit, scenario.graphql_secondary_limit),
        }
    }

    fn budget(&self, resource: Resource) -> &Mutex<Budget> {
        match resource {
            Resource::Core => &self.core,
            Resource::GraphQl => &self.graphql,
        }
    }

    /// Secondary limits count what arrives, whoever sends it.
    pub(super) fn take_secondary(&self, clock: &Clock, resource: Resource, points: u64) -> Result<(), Refusal> {
        let now = clock.elapsed();
        let window = &mut lock(self.budget(resource)).secondary;
        if window.take(now, points) {
            return Ok(());
        }
        // Whole seconds, rounded up, so that a client which waits so long is not early.
        let retry_after = Duration::from_secs(window.left(now).as_secs() + 1);
        Err(Refusal::SecondaryLimit {
            retry_after: Some(retry_after),
        })
    }

    pub(super) fn take_primary(&self, clock: &Clock, resource: Resource) -> bool {
        lock(self.budget(resource)).primary.take(clock.elapsed(), 1)
    }

    /// An unchanged answer is free.
    pub(super) fn give_back(&self, resource: Resource) {
        let primary = &mut lock(self.budget(resource)).primary;
        primary.used = primary.used.saturating_sub(1);
    }

    pub(super) fn standing(&self, clock: &Clock, resource: Resource) -> Standing {
        let now = clock.elapsed();
        let primary = &mut lock(self.budget(resource)).primary;
        primary.renew(now);
        Standing {
            limit: primary.limit,
            used: primary.used,
            remaining: primary.limit.saturating_sub(primary.used),
            reset: reset_at(clock, primary.left(now)),
        }
    }

    /// The five headers GitHub sends with every answer.
    pub(super) fn label(&self, clock: &Clock, resource: Resource, headers: &mut HeaderMap) {
        self.standing(clock, resource).label(resource, headers);
    }

    /// The same for a budget that a fault declares spent.
    pub(super) fn label_exhausted(&self, clock: &Clock, resource: Resource, reset: Duration, headers: &mut HeaderMap) {
        let limit = self.standing(clock, resource).limit;
        Standing {
            limit,
            used: limit,
            remaining: 0,
            reset: reset_at(clock, reset),
        }
        .label(resource, headers);
    }
}

impl Standing {
    fn label(self, resource: Resource, headers: &mut HeaderMap) {
        let mut set = |name, value| drop(headers.insert(HeaderName::from_static(name), value));
        set("x-ratelimit-limit", HeaderValue::from(self.limit));
        set("x-ratelimit-remaining", HeaderValue::from(self.remaining));
        set("x-ratelimit-used", HeaderValue::from(self.used));
        set("x-ratelimit-reset", HeaderValue::from(self.reset));
        set("x-ratelimit-resource", HeaderValue::from_static(resource.name()));
    }

    fn json(self) -> Value {
        json!({"limit": self.limit, "used": self.used, "remaining": self.remaining, "reset": self.reset})
    }
}

/// Epoch seconds, rounded up.
fn reset_at(clock: &Clock, later: Duration) -> i64 {
    clock.now_plus(later).as_second() + 1
}

/// `GET /rate_limit`, which costs nothing.
pub(super) async fn rate_limit(State(world): State<Arc<World>>) -> Json<Value> {
    let json = |resource| world.github.limits.standing(&world.clock, resource).json();
    let core = json(Resource::Core);
    Json(json!({"resources": {"core": core, "graphql": json(Resource::GraphQl)}, "rate": core}))
}
