//! GitHub as the Copilot seats job needs it: teams, seats, users, GraphQL and App tokens.

mod account;
mod app;
mod caller;
mod gate;
mod graphql;
mod limits;
mod paging;
mod query;
mod refusal;
mod seats;
mod teams;
mod users;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

use self::{app::Installations, limits::Limits, refusal::Refusal};
use crate::{Scenario, world::World};

const TEAMS: &str = "/enterprises/{enterprise}/teams";
const ENTERPRISE_SEATS: &str = "/enterprises/{enterprise}/copilot/billing/seats";
const ORGANISATION_SEATS: &str = "/orgs/{org}/copilot/billing/seats";
const ORGANISATION_BILLING: &str = "/orgs/{org}/copilot/billing";
const USER: &str = "/users/{login}";
const RATE_LIMIT: &str = "/rate_limit";
const GRAPHQL: &str = "/graphql";
const INSTALLATION: &str = "/orgs/{org}/installation";
const ACCESS_TOKENS: &str = "/app/installations/{id}/access_tokens";

/// Every route, as it is counted and as scenario files name it.
pub(crate) const ROUTES: [&str; 9] = [
    TEAMS,
    ENTERPRISE_SEATS,
    ORGANISATION_SEATS,
    ORGANISATION_BILLING,
    USER,
    RATE_LIMIT,
    GRAPHQL,
    INSTALLATION,
    ACCESS_TOKENS,
];

/// What GitHub remembers between requests.
#[derive(Debug)]
pub(crate) struct GitHub {
    limits: Limits,
    installations: Installations,
}

impl GitHub {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            limits: Limits::new(scenario),
            installations: Installations::default(),
        }
    }
}

pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route(TEAMS, get(teams::enterprise_teams))
        .route(ENTERPRISE_SEATS, get(seats::enterprise_seats))
        .route(ORGANISATION_SEATS, get(seats::organisation_seats))
        .route(ORGANISATION_BILLING, get(seats::organisation_billing))
        .route(USER, get(users::user))
        .route(RATE_LIMIT, get(limits::rate_limit))
        .route(GRAPHQL, post(graphql::graphql))
        .route(INSTALLATION, get(app::installation))
        .route(ACCESS_TOKENS, post(app::access_token))
        .fallback(|| async { Refusal::NotFound })
        .layer(middleware::from_fn_with_state(Arc::clone(world), gate::gate))
}
