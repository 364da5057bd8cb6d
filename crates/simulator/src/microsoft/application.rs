//! The app registration, where it may read itself: until when its secrets are good.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{
    CLIENT_ID, CLIENT_SECRET,
    refusal::{Door, Refusal},
};
use crate::{faults::Refused, world::World};

/// How much of a secret is shown.
const HINT_CHARACTERS: usize = 3;

/// `GET /v1.0/applications(appId='…')`
pub(super) async fn application(
    State(world): State<Arc<World>>,
    Path(entity): Path<String>,
) -> Result<Json<Value>, Refusal> {
    if entity != format!("applications(appId='{CLIENT_ID}')") {
        return Err(Refusal::NoSegment(entity));
    }
    let Some(ends_on) = world.settings.scenario.client_secret_ends_on else {
        return Err(Refusal::Wanted(Door::Graph, Refused::Forbidden));
    };
    let secret = |name: &str, hint: &str, ends_at: String| {
        json!({
            "customKeyIdentifier": null,
            "displayName": name,
            "endDateTime": ends_at,
            "hint": hint,
            "keyId": format!("f0b0b335-1d71-4883-8f98-{:012}", name.len()),
            "secretText": null,
            "startDateTime": "2026-01-01T00:00:00Z",
        })
    };
    Ok(Json(json!({
        "@odata.context": format!("{}/v1.0/$metadata#applications(passwordCredentials)/$entity", world.url),
        "passwordCredentials": [
            secret("of somebody else", "Zz~", "2039-12-31T00:00:00Z".to_owned()),
            secret("in use", &CLIENT_SECRET[..HINT_CHARACTERS], format!("{ends_on}T00:00:00Z")),
        ],
    })))
}
