//! The account object that seats and users share.

use serde::Serialize;
use serde_json::Value;

/// An account as GitHub writes it, with all its addresses.
#[derive(Serialize)]
pub(super) struct Account {
    login: String,
    /// A number, unless the seat around it is one that must not decode.
    pub(super) id: Value,
    node_id: String,
    avatar_url: String,
    gravatar_id: &'static str,
    url: String,
    html_url: String,
    followers_url: String,
    following_url: String,
    gists_url: String,
    starred_url: String,
    subscriptions_url: String,
    organizations_url: String,
    repos_url: String,
    events_url: String,
    received_events_url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    user_view_type: &'static str,
    site_admin: bool,
}

impl Account {
    pub(super) fn new(login: String, id: u64, kind: &'static str) -> Self {
        let url = format!("https://api.github.example/users/{login}");
        Self {
            id: Value::from(id),
            node_id: format!("U_simulated{id}"),
            avatar_url: format!("https://avatars.github.example/u/{id}?v=4"),
            gravatar_id: "",
            html_url: format!("https://github.example/{login}"),
            followers_url: format!("{url}/followers"),
            following_url: format!("{url}/following{{/other_user}}"),
            gists_url: format!("{url}/gists{{/gist_id}}"),
            starred_url: format!("{url}/starred{{/owner}}{{/repo}}"),
            subscriptions_url: format!("{url}/subscriptions"),
            organizations_url: format!("{url}/orgs"),
            repos_url: format!("{url}/repos"),
            events_url: format!("{url}/events{{/privacy}}"),
            received_events_url: format!("{url}/received_events"),
            url,
            login,
            kind,
            user_view_type: "public",
            site_admin: false,
        }
    }
}
