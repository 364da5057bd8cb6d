//! The client of Grafana: whether it answers.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::retry::Verdict;
use crate::http::{Call, Http, Keep, Patience, Request, Resource, Route};
use crate::origin::Origin;

/// Asked without credentials (grafana.com, HTTP API, "Health API", read 2026-11-22).
static HEALTH: Route = Route {
    template: "GET /api/health",
    resource: Resource::Grafana,
    grant: "let whoever asks reach Grafana: something in front of it refuses the request",
    not_found: "check that UPTAKE_GRAFANA_URL is Grafana's own address",
    is_download: false,
};

#[derive(Deserialize)]
struct Health {
    database: String,
}

/// The client.
pub struct Grafana {
    http: Http,
}

impl Grafana {
    /// A client of the Grafana at `origin`.
    pub fn new(origin: Origin, clock: Arc<dyn Clock>, patience: Patience) -> Result<Self, ApiError> {
        Ok(Self {
            http: Http::new(origin, HeaderMap::new(), clock, patience)?,
        })
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u64 {
        self.http.requests()
    }

    /// Fails where Grafana does not answer, or says that it cannot reach its database.
    pub async fn health(&self, deadline: Deadline) -> Result<(), ApiError> {
        let request = Request {
            route: &HEALTH,
            url: self.http.origin().at(&["api", "health"]),
            token: None,
            call: Call::Get(Keep::Nothing),
        };
        self.http
            .send(&request, deadline, |answer| {
                let health: Health = answer.json()?;
                if health.database == "ok" {
                    Ok(())
                } else {
                    Err(Verdict::passing("it cannot reach its database"))
                }
            })
            .await
    }
}
