//! The app registration itself: until when its client secret is good.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::http::{Resource, Route};
use crate::microsoft::{Graph, read_json};

/// Addressed by the application's (client's) id (learn.microsoft.com, "Get application", read 2026-11-22).
static APPLICATION: Route = Route {
    template: "GET /v1.0/applications(appId)",
    resource: Resource::Graph,
    grant: "grant the application permission Application.Read.All and let an administrator consent to it",
    not_found: "check UPTAKE_CLIENT_ID; an application of another tenant cannot be read",
    is_download: false,
};
/// How much of a secret Microsoft shows in a list of them.
const HINT_CHARACTERS: usize = 3;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    password_credentials: Vec<PasswordCredential>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordCredential {
    hint: Option<String>,
    end_date_time: Option<Timestamp>,
}

impl Graph {
    /// When the client secret in use expires: of those that begin like it, the last one to.
    pub async fn client_secret_ends_at(&self, deadline: Deadline) -> Result<Option<Timestamp>, ApiError> {
        let principal = self.service.principal();
        let by_client_id = format!("applications(appId='{}')", principal.client_id);
        let mut url = self.service.at(&["v1.0", &by_client_id]);
        url.set_query(Some("$select=passwordCredentials"));
        let application: Application = self
            .service
            .get(&APPLICATION, url, deadline, |answer| {
                read_json(&APPLICATION, &answer.body)
            })
            .await?;
        let begins: String = principal
            .client_secret
            .expose_secret()
            .chars()
            .take(HINT_CHARACTERS)
            .collect();
        let of_it = application
            .password_credentials
            .iter()
            .filter(|one| one.hint.as_deref() == Some(begins.as_str()));
        Ok(of_it.filter_map(|one| one.end_date_time).max())
    }
}
