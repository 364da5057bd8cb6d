//! The login: an application gets a token for its secret, and the token expires.

use std::{collections::HashMap, sync::Arc, sync::Mutex, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header::AUTHORIZATION},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{CLIENT_ID, CLIENT_SECRET, TENANT, functions, refusal::Refusal};
use crate::{
    clock::Clock,
    world::{World, lock},
};

/// Tokens that are kept; a client that asks for more of them has lost the older ones.
const MOST_TOKENS: usize = 1000;

/// The tokens given out so far.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given_out: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    count: u64,
    /// When each expires, on the simulator's clock.
    expires: HashMap<String, Duration>,
}

impl Tokens {
    fn give(&self, lifetime: Duration, clock: &Clock) -> String {
        let mut given = lock(&self.given_out);
        if given.expires.len() >= MOST_TOKENS {
            given.expires.clear();
        }
        given.count += 1;
        let token = format!("eyJ0eXAiOiJKV1QifQ.simulated{:08}.graph", given.count);
        given.expires.insert(token.clone(), clock.elapsed() + lifetime);
        token
    }

    /// Whether the request carries a token that is still good.
    pub(super) fn check(&self, headers: &HeaderMap, clock: &Clock) -> Result<(), Refusal> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = header.and_then(|header| header.split_once(' ')).unwrap_or_default();
        let expires = lock(&self.given_out).expires.get(token).copied();
        if scheme.eq_ignore_ascii_case("bearer") && expires.is_some_and(|expires| clock.elapsed() < expires) {
            Ok(())
        } else {
            Err(Refusal::NoToken)
        }
    }
}

/// `POST /{tenant}/oauth2/v2.0/token`
pub(super) async fn token(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    if !tenant.eq_ignore_ascii_case(TENANT) {
        return Err(Refusal::NoTenant(tenant));
    }
    let form = functions::pairs(&String::from_utf8_lossy(&body));
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err(Refusal::WrongForm(
            "The request body must contain the following parameter: 'grant_type', and the simulator knows \
             client_credentials only.",
        ));
    }
    if !field("scope").ends_with("/.default") {
        return Err(Refusal::WrongForm(
            "The scope of client_credentials must be a resource with '/.default' behind it.",
        ));
    }
    if !field("client_id").eq_ignore_ascii_case(CLIENT_ID) {
        return Err(Refusal::NoClient(field("client_id").to_owned()));
    }
    if field("client_secret") != CLIENT_SECRET {
        return Err(Refusal::WrongSecret);
    }
    let seconds = world.settings.scenario.graph_token_seconds;
    let token = world.microsoft.tokens.give(Duration::from_secs(seconds), &world.clock);
    Ok(Json(json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": token,
    })))
}
