//! One user by REST (UPSTREAM 3.4): the slow way, for where GraphQL is not to be had.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{account::Account, caller::Caller, refusal::Refusal};
use crate::world::World;

#[derive(Serialize)]
pub(super) struct User {
    #[serde(flatten)]
    account: Account,
    name: String,
    company: &'static str,
    blog: &'static str,
    location: Option<&'static str>,
    email: Option<String>,
    hireable: Option<bool>,
    bio: Option<&'static str>,
    twitter_username: Option<&'static str>,
    public_repos: u32,
    public_gists: u32,
    followers: u32,
    following: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// `GET /users/{login}`
pub(super) async fn user(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
) -> Result<Json<User>, Refusal> {
    caller.may_read_users()?;
    let profile = world.person(&login).ok_or(Refusal::NotFound)?;
    Ok(Json(User {
        account: Account::new(profile.login, profile.id, "User"),
        name: profile.name,
        company: "Octo",
        blog: "",
        location: None,
        email: profile.email,
        hireable: None,
        bio: None,
        twitter_username: None,
        public_repos: 0,
        public_gists: 0,
        followers: 0,
        following: 0,
        created_at: profile.created_at,
        updated_at: profile.created_at,
    }))
}
