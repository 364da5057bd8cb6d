//! The control surface for people who run the simulator as a process of its own: not counted, no token, no faults.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    AuditCounts, AuditTruth, Deliveries, RepositoryTruth, Requests, RunAttemptTruth, RunTruth, TenantTruth, Truth,
    UsageTruth, days, microsoft::feed::delivery, world::World,
};

#[derive(Deserialize, Serialize)]
struct Today {
    today: Date,
}

#[derive(Deserialize, Serialize)]
struct Now {
    now: Timestamp,
}

#[derive(Deserialize)]
struct Span {
    from: Timestamp,
    to: Timestamp,
}

#[derive(Deserialize)]
struct OnDay {
    day: Date,
}

#[derive(Deserialize)]
struct OnRefresh {
    refresh_on: Date,
}

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/_simulator/requests", get(requests))
        .route("/_simulator/truth", get(truth))
        .route("/_simulator/today", post(set_today))
        .route("/_simulator/now", post(set_now))
        .route("/_simulator/repositories", get(repositories))
        .route("/_simulator/runs", get(runs))
        .route("/_simulator/run_attempts", get(run_attempts))
        .route("/_simulator/tenant", get(tenant))
        .route("/_simulator/usage", get(usage))
        .route("/_simulator/audit_events", get(audit_events))
        .route("/_simulator/audit_counts", get(audit_counts))
        .route("/_simulator/notifications", post(notifications))
        .route("/_simulator/excluded", post(set_excluded))
}

async fn requests(State(world): State<Arc<World>>) -> Json<Requests> {
    Json(world.requests().clone())
}

async fn truth(State(world): State<Arc<World>>) -> Json<Truth> {
    Json(world.truth())
}

async fn set_today(State(world): State<Arc<World>>, Json(Today { today }): Json<Today>) -> Json<Today> {
    world.set_today(today);
    Json(Today {
        today: days::date_of(world.today().number),
    })
}

async fn set_now(State(world): State<Arc<World>>, Json(Now { now }): Json<Now>) -> Json<Now> {
    world.set_now(now);
    Json(Now { now: world.now() })
}

async fn repositories(State(world): State<Arc<World>>) -> Json<Vec<RepositoryTruth>> {
    Json(world.actions.repository_truths())
}

async fn runs(State(world): State<Arc<World>>, Query(Span { from, to }): Query<Span>) -> Json<Vec<RunTruth>> {
    Json(world.actions.run_truths(from, to))
}

async fn run_attempts(
    State(world): State<Arc<World>>,
    Query(Span { from, to }): Query<Span>,
) -> Json<Vec<RunAttemptTruth>> {
    Json(world.actions.run_attempts(from, to))
}

async fn tenant(State(world): State<Arc<World>>, Query(OnDay { day }): Query<OnDay>) -> Json<TenantTruth> {
    Json(world.microsoft.tenant.truth(days::number_of(day)))
}

async fn usage(
    State(world): State<Arc<World>>,
    Query(OnRefresh { refresh_on }): Query<OnRefresh>,
) -> Json<Vec<UsageTruth>> {
    Json(world.microsoft.usage_truths(days::number_of(refresh_on)))
}

async fn audit_events(State(world): State<Arc<World>>, Query(Span { from, to }): Query<Span>) -> Json<Vec<AuditTruth>> {
    Json(world.microsoft.log.truths(from, to))
}

async fn audit_counts(State(world): State<Arc<World>>, Query(Span { from, to }): Query<Span>) -> Json<AuditCounts> {
    Json(world.microsoft.log.counts(from, to))
}

async fn notifications(State(world): State<Arc<World>>) -> Json<Deliveries> {
    Json(delivery::deliver(&world).await)
}

async fn set_excluded(State(world): State<Arc<World>>, Json(addresses): Json<Vec<String>>) -> Json<Vec<String>> {
    world.microsoft.exclusions.set(addresses.clone());
    Json(addresses)
}
