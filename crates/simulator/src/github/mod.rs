//! GitHub as Uptake needs it: teams, seats, users, GraphQL, App tokens, repositories and their workflow runs.

mod account;
mod addresses;
mod app;
mod caller;
mod created;
mod gate;
mod graphql;
mod jobs;
mod limits;
mod paging;
mod query;
mod refusal;
mod repositories;
mod runs;
mod seats;
mod teams;
mod users;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

pub(crate) use self::addresses::by_name;
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
const ORGANISATION_REPOSITORIES: &str = "/orgs/{org}/repos";
const INSTALLATION_REPOSITORIES: &str = "/installation/repositories";
const REPOSITORY: &str = "/repos/{owner}/{repo}";
const WORKFLOWS: &str = "/repos/{owner}/{repo}/actions/workflows";
const RUNS: &str = "/repos/{owner}/{repo}/actions/runs";
const WORKFLOW_RUNS: &str = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs";
const RUN: &str = "/repos/{owner}/{repo}/actions/runs/{run_id}";
const ATTEMPT: &str = "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}";
const RUN_JOBS: &str = "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs";
const ATTEMPT_JOBS: &str = "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}/jobs";

/// Every route, as it is counted and as scenario files name it.
pub(crate) const ROUTES: [&str; 19] = [
    TEAMS,
    ENTERPRISE_SEATS,
    ORGANISATION_SEATS,
    ORGANISATION_BILLING,
    USER,
    RATE_LIMIT,
    GRAPHQL,
    INSTALLATION,
    ACCESS_TOKENS,
    ORGANISATION_REPOSITORIES,
    INSTALLATION_REPOSITORIES,
    REPOSITORY,
    WORKFLOWS,
    RUNS,
    WORKFLOW_RUNS,
    RUN,
    ATTEMPT,
    RUN_JOBS,
    ATTEMPT_JOBS,
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
        .route(ORGANISATION_REPOSITORIES, get(repositories::organisation_repositories))
        .route(INSTALLATION_REPOSITORIES, get(repositories::installation_repositories))
        .route(REPOSITORY, get(repositories::repository))
        .route(WORKFLOWS, get(repositories::workflows))
        .route(RUNS, get(runs::repository_runs))
        .route(WORKFLOW_RUNS, get(runs::workflow_runs))
        .route(RUN, get(runs::run))
        .route(ATTEMPT, get(runs::attempt))
        .route(RUN_JOBS, get(jobs::run_jobs))
        .route(ATTEMPT_JOBS, get(jobs::attempt_jobs))
        .fallback(|| async { Refusal::NotFound })
        .layer(middleware::from_fn_with_state(Arc::clone(world), gate::gate))
}
