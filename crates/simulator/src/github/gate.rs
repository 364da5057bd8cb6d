//! What every GitHub request passes: limits, credentials, faults worded GitHub's way, conditional answers.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, USER_AGENT},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{GRAPHQL, RATE_LIMIT, caller::Caller, limits::Resource, refusal::Refusal};
use crate::{faults::Refused, server::Delay, world::World};

/// How long a request that found the house full is asked to wait.
const CROWDED: Duration = Duration::from_secs(1);

/// Admits a request or refuses it, and labels whatever comes out.
pub(super) async fn gate(
    State(world): State<Arc<World>>,
    Extension(delay): Extension<Delay>,
    mut request: Request,
    next: Next,
) -> Response {
    let limits = &world.github.limits;
    let resource = if request.uri().path() == GRAPHQL {
        Resource::GraphQl
    } else {
        Resource::Core
    };
    let fault = request.extensions_mut().remove::<Refused>();
    let Ok(_place) = limits.in_flight.try_acquire() else {
        return labelled(
            &world,
            resource,
            Refusal::SecondaryLimit {
                retry_after: Some(CROWDED),
            }
            .into_response(),
        );
    };
    delay.wait().await;
    if let Some(Refused::PrimaryLimit { status, reset }) = fault {
        let mut response = spent(resource, status).into_response();
        limits.label_exhausted(&world.clock, resource, reset, response.headers_mut());
        return response;
    }
    let response = match admit(&world, &request, resource, fault) {
        Err(refusal) => refusal.into_response(),
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            let known = request.headers().get(IF_NONE_MATCH).cloned();
            let credentials = request.headers().get(AUTHORIZATION).cloned();
            let reads = request.method() == Method::GET;
            let response = next.run(request).await;
            let response = if reads {
                conditional(response, known.as_ref(), credentials.as_ref()).await
            } else {
                response
            };
            if response.status() == StatusCode::NOT_MODIFIED {
                limits.give_back(resource);
            }
            response
        }
    };
    labelled(&world, resource, response)
}

fn admit(world: &World, request: &Request, resource: Resource, fault: Option<Refused>) -> Result<Caller, Refusal> {
    if !request.headers().contains_key(USER_AGENT) {
        return Err(Refusal::NoUserAgent);
    }
    if let Some(refused) = fault {
        return Err(refused.into());
    }
    let limits = &world.github.limits;
    // A GraphQL query is a POST that writes nothing (UPSTREAM 3.8).
    let points = if request.method() == Method::GET || resource == Resource::GraphQl {
        1
    } else {
        5
    };
    limits.take_secondary(&world.clock, resource, points)?;
    let caller = Caller::of(world, request.headers())?;
    if request.uri().path() != RATE_LIMIT && !limits.take_primary(&world.clock, resource) {
        return Err(spent(resource, StatusCode::FORBIDDEN));
    }
    Ok(caller)
}

fn spent(resource: Resource, status: StatusCode) -> Refusal {
    match resource {
        Resource::Core => Refusal::PrimaryLimit { status },
        Resource::GraphQl => Refusal::GraphQlLimit,
    }
}

fn labelled(world: &World, resource: Resource, mut response: Response) -> Response {
    let headers = response.headers_mut();
    world.github.limits.label(&world.clock, resource, headers);
    let ends_at = world.settings.scenario.github_token_ends_at;
    if let Some(ends_at) =
        ends_at.and_then(|ends_at| ends_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string().parse().ok())
    {
        headers.insert(
            HeaderName::from_static("github-authentication-token-expiration"),
            ends_at,
        );
    }
    // What GitHub writes, and what a client that compares strings has to cope with.
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == "application/json")
    {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
    }
    response
}

/// Gives a good answer its `ETag`, and 304 to whoever has it already.
async fn conditional(response: Response, known: Option<&HeaderValue>, credentials: Option<&HeaderValue>) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // The body was made here a moment ago, reading it cannot fail.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let tag = tag(&body, credentials);
    let unchanged = known.is_some_and(|known| matches(known, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(ETAG, value);
    }
    if unchanged {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(CONTENT_TYPE);
        head.headers.remove(axum::http::header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(body))
}

/// Over the body, and not its links: a page can stay the same while the list behind it grows, and then only they tell.
/// Over the token too: what one token was given, another one has to fetch again.
fn tag(body: &[u8], credentials: Option<&HeaderValue>) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    credentials.map(HeaderValue::as_bytes).hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// RFC 9110, 13.1.2: weak comparison with any tag of the list.
fn matches(known: &HeaderValue, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let is_known = |candidate: &str| candidate.trim() == "*" || opaque(candidate) == opaque(tag);
    known.to_str().is_ok_and(|known| known.split(',').any(is_known))
}
