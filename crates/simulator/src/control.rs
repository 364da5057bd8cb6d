//! The control surface for people who run the simulator as a process of its own: not counted, no token, no faults.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{Requests, Truth, days, world::World};

#[derive(Deserialize, Serialize)]
struct Today {
    today: Date,
}

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/_simulator/requests", get(requests))
        .route("/_simulator/truth", get(truth))
        .route("/_simulator/today", post(set_today))
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
