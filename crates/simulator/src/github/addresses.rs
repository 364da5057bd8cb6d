//! Repositories by their id: GitHub's links lead to `/repositories/{id}/...`, whatever a client asked for.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{Uri, uri::PathAndQuery},
    middleware::Next,
    response::Response,
};

use crate::{actions::repositories::Repository, world::World};

/// The owner of what has an id that no repository has: nobody's login, so that the routes do not find it either.
const NOBODY: &str = "-";

/// Takes an address by id for the one by name, before any route is chosen: both are one route, with one count, one set
/// of faults and one rule who may read it.
pub(crate) async fn by_name(State(world): State<Arc<World>>, mut request: Request, next: Next) -> Response {
    if let Some(uri) = named(&world, request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

fn named(world: &World, uri: &Uri) -> Option<Uri> {
    let asked = uri.path_and_query()?.as_str().strip_prefix("/repositories/")?;
    let (id, below) = asked.split_at(asked.find(['/', '?']).unwrap_or(asked.len()));
    let id: u64 = id.parse().ok()?;
    let repository = world.actions.repositories().find(|repository| repository.id == id);
    let name = repository.map_or_else(|| format!("{NOBODY}/{id}"), |found| found.full_name.clone());
    with_path(uri, &format!("/repos/{name}{below}"))
}

/// The address of a page of this repository as links give it.
pub(super) fn by_id(repository: &Repository, uri: &Uri) -> Uri {
    let asked = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let below = asked.splitn(5, '/').nth(4).unwrap_or_default();
    with_path(uri, &format!("/repositories/{}/{below}", repository.id)).unwrap_or_else(|| uri.clone())
}

fn with_path(uri: &Uri, path_and_query: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}
