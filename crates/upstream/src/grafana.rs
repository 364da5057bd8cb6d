//! The client of Grafana: whether it answers, and putting folders, data sources and dashboards in their places.
//!
//! The one upstream that is written to. Everything has an id of ours (`uid`), so that doing it again changes nothing.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::retry::Verdict;
use crate::http::{Answer, Call, Http, Keep, Patience, Request, Resource, Route};
use crate::origin::Origin;

const GRANT: &str = "give the service account of the token the role Admin (an Editor may not touch data sources)";
const WRONG_PLACE: &str = "check that UPTAKE_GRAFANA_URL is Grafana's own address";

/// The HTTP API of Grafana 12.4 (grafana.com/docs, "HTTP API", read 2026-11-22).
const fn route(template: &'static str) -> Route {
    Route {
        template,
        resource: Resource::Grafana,
        grant: GRANT,
        not_found: WRONG_PLACE,
        is_download: false,
    }
}

/// Asked without credentials.
static HEALTH: Route = Route {
    grant: "let whoever asks reach Grafana: something in front of it refuses the request",
    ..route("GET /api/health")
};
static FOLDER: Route = route("GET /api/folders/{uid}");
static NEW_FOLDER: Route = route("POST /api/folders");
static OLD_FOLDER: Route = route("PUT /api/folders/{uid}");
static DATA_SOURCE: Route = route("GET /api/datasources/uid/{uid}");
static NEW_DATA_SOURCE: Route = route("POST /api/datasources");
static OLD_DATA_SOURCE: Route = route("PUT /api/datasources/uid/{uid}");
static DASHBOARD: Route = route("POST /api/dashboards/db");

#[derive(Deserialize)]
struct Health {
    database: String,
}

/// The client.
pub struct Grafana {
    http: Http,
    token: Option<SecretString>,
}

impl Grafana {
    /// A client of the Grafana at `origin`, without credentials.
    pub fn new(origin: Origin, clock: Arc<dyn Clock>, patience: Patience) -> Result<Self, ApiError> {
        Ok(Self {
            http: Http::new(origin, HeaderMap::new(), clock, patience)?,
            token: None,
        })
    }

    /// The same client with the token of a service account.
    #[must_use]
    pub fn with_token(self, token: SecretString) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u64 {
        self.http.requests()
    }

    /// Fails where Grafana does not answer, or says that it cannot reach its database.
    pub async fn health(&self, deadline: Deadline) -> Result<(), ApiError> {
        let call = Call::Get(Keep::Nothing);
        self.ask(&HEALTH, &["api", "health"], call, deadline, |answer| {
            let health: Health = answer.json()?;
            if health.database == "ok" {
                Ok(())
            } else {
                Err(Verdict::passing("it cannot reach its database"))
            }
        })
        .await
    }

    /// Makes a folder, or gives the one that is there its title.
    pub async fn put_folder(&self, uid: &str, title: &str, deadline: Deadline) -> Result<(), ApiError> {
        let at = ["api", "folders", uid];
        if self.is_there(&FOLDER, &at, deadline).await? {
            let folder = json!({"title": title, "overwrite": true});
            return self.put(&OLD_FOLDER, &at, &folder, deadline).await;
        }
        let folder = json!({"uid": uid, "title": title});
        self.post(&NEW_FOLDER, &["api", "folders"], &folder, deadline).await
    }

    /// Makes a data source, or takes the place of the one with its `uid`.
    pub async fn put_data_source(&self, source: &Value, deadline: Deadline) -> Result<(), ApiError> {
        let at = ["api", "datasources", "uid", source["uid"].as_str().unwrap_or_default()];
        if self.is_there(&DATA_SOURCE, &at, deadline).await? {
            return self.put(&OLD_DATA_SOURCE, &at, source, deadline).await;
        }
        self.post(&NEW_DATA_SOURCE, &["api", "datasources"], source, deadline)
            .await
    }

    /// Makes a dashboard in a folder, or the next version of the one with its `uid`.
    pub async fn put_dashboard(
        &self,
        dashboard: &Value,
        folder_uid: &str,
        message: &str,
        deadline: Deadline,
    ) -> Result<(), ApiError> {
        // A number of another Grafana's would name another dashboard here.
        let mut dashboard = dashboard.clone();
        dashboard["id"] = Value::Null;
        let upload = json!({"dashboard": dashboard, "folderUid": folder_uid, "overwrite": true, "message": message});
        self.post(&DASHBOARD, &["api", "dashboards", "db"], &upload, deadline)
            .await
    }

    async fn is_there(&self, route: &'static Route, at: &[&str], deadline: Deadline) -> Result<bool, ApiError> {
        match self
            .ask(route, at, Call::Get(Keep::Nothing), deadline, |_| Ok(()))
            .await
        {
            Ok(()) => Ok(true),
            Err(ApiError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn post(&self, route: &'static Route, at: &[&str], body: &Value, deadline: Deadline) -> Result<(), ApiError> {
        let call = Call::Post(body.to_string().into());
        self.ask(route, at, call, deadline, |_| Ok(())).await
    }

    async fn put(&self, route: &'static Route, at: &[&str], body: &Value, deadline: Deadline) -> Result<(), ApiError> {
        let call = Call::Put(body.to_string().into());
        self.ask(route, at, call, deadline, |_| Ok(())).await
    }

    async fn ask<T>(
        &self,
        route: &'static Route,
        at: &[&str],
        call: Call,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        let request = Request {
            route,
            url: self.http.origin().at(at),
            token: self.token.clone(),
            call,
        };
        self.http.send(&request, deadline, read).await
    }
}
