//! The login: an application gets a token for its secret, good for one resource, and the token expires.

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

/// How a scope ends that asks for everything the application may do.
const EVERYTHING: &str = "/.default";

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Graph,
    /// The Office 365 Management APIs.
    Management,
}

impl Resource {
    /// The resource of a scope. Whatever is not the other one is taken for Graph, under whichever name it is known there.
    fn of(scope: &str) -> Option<Self> {
        let resource = scope.strip_suffix(EVERYTHING)?;
        Some(if resource.eq_ignore_ascii_case("https://manage.office.com") {
            Self::Management
        } else {
            Self::Graph
        })
    }

    /// How its tokens end.
    fn mark(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Management => "manage",
        }
    }
}

/// The tokens given out so far.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given_out: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    count: u64,
    /// What each is good for, and until when on the simulator's clock.
    good: HashMap<String, (Resource, Duration)>,
}

impl Tokens {
    fn give(&self, resource: Resource, lifetime: Duration, clock: &Clock) -> String {
        let mut given = lock(&self.given_out);
        if given.good.len() >= MOST_TOKENS {
            given.good.clear();
        }
        given.count += 1;
        let token = format!("eyJ0eXAiOiJKV1QifQ.simulated{:08}.{}", given.count, resource.mark());
        let until = clock.elapsed() + lifetime;
        given.good.insert(token.clone(), (resource, until));
        token
    }

    /// Whether the request carries a token that is good for this resource, and still is.
    pub(super) fn is_good(&self, headers: &HeaderMap, wanted: Resource, clock: &Clock) -> bool {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = header.and_then(|header| header.split_once(' ')).unwrap_or_default();
        let good = lock(&self.given_out).good.get(token).copied();
        scheme.eq_ignore_ascii_case("bearer")
            && good.is_some_and(|(resource, until)| resource == wanted && clock.elapsed() < until)
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
    let Some(resource) = Resource::of(field("scope")) else {
        return Err(Refusal::WrongForm(
            "The scope of client_credentials must be a resource with '/.default' behind it.",
        ));
    };
    if !field("client_id").eq_ignore_ascii_case(CLIENT_ID) {
        return Err(Refusal::NoClient(field("client_id").to_owned()));
    }
    if field("client_secret") != CLIENT_SECRET {
        return Err(Refusal::WrongSecret);
    }
    let seconds = world.settings.scenario.graph_token_seconds;
    let lifetime = Duration::from_secs(seconds);
    let token = world.microsoft.tokens.give(resource, lifetime, &world.clock);
    Ok(Json(json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": token,
    })))
}
