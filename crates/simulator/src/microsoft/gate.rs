//! What every request to Microsoft passes: latency, faults worded Microsoft's way, the token, limits.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{MatchedPath, Request, State},
    http::{
        HeaderName, HeaderValue, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    BETA_REPORTS, BETA_USAGE, REPORTS, SUBSCRIBED_SKUS, USAGE, USERS, feed, functions,
    limits::Budget,
    login::Resource,
    refusal::{Door, Refusal},
};
use crate::{faults::Refused, server::Delay, world::World};

/// Admits a request or refuses it, and labels whatever comes out.
pub(super) async fn gate(
    State((world, door)): State<(Arc<World>, Door)>,
    Extension(delay): Extension<Delay>,
    mut request: Request,
    next: Next,
) -> Response {
    let fault = request.extensions_mut().remove::<Refused>();
    delay.wait().await;
    let mut response = match admit(&world, door, &request, fault) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => next.run(request).await,
    };
    let number = world.requests().total();
    let headers = response.headers_mut();
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("request-id"), value);
    }
    // What Graph writes, and what a client that compares strings has to cope with.
    if door == Door::Graph
        && headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value == "application/json")
    {
        let written =
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(written));
    }
    response
}

fn admit(world: &World, door: Door, request: &Request, fault: Option<Refused>) -> Result<(), Refusal> {
    if let Some(refused) = fault {
        return Err(Refusal::Wanted(door, refused));
    }
    match door {
        Door::Downloads if request.headers().contains_key(AUTHORIZATION) => Err(Refusal::UnwantedToken),
        Door::Login | Door::Downloads => Ok(()),
        Door::Feed => Ok(feed::admit(world, request)?),
        Door::Graph => {
            let tokens = &world.microsoft.tokens;
            if !tokens.is_good(request.headers(), Resource::Graph, &world.clock) {
                return Err(Refusal::NoToken);
            }
            let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
            match route.and_then(|route| budget(route, request.uri())) {
                None => Ok(()),
                Some(budget) => world.microsoft.limits.take(budget, &world.clock),
            }
        }
    }
}

/// What a request draws on. Asking for chosen properties makes users cheaper by one.
fn budget(route: &str, uri: &Uri) -> Option<Budget> {
    match route {
        USERS => Some(Budget::Identity(
            2 - u64::from(functions::query(uri).contains_key("$select")),
        )),
        SUBSCRIBED_SKUS => Some(Budget::Identity(3)),
        USAGE | REPORTS => Some(Budget::Reports),
        BETA_USAGE | BETA_REPORTS => Some(Budget::JsonReports),
        _ => None,
    }
}
