//! The audit log by query: the same records as the feed's, from as far back as the tenant keeps them.
//!
//! Background: a query is made, works for minutes or hours, and is then read page by page. Microsoft has moved these
//! addresses between `v1.0` and `beta` and is said to be moving them again. Choice: `v1.0` is asked first, and where it has
//! no such thing, `beta`; which of them took the query is part of its id.

use std::fmt;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use uptake_domain::calendar::{Window, to_seconds};
use url::Url;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::http::{Resource, Route};
use crate::microsoft::pages::{NextPage, Page};
use crate::microsoft::{Graph, read_json};

/// How queries are named in the tenant's list of them.
const DISPLAY_NAME: &str = "uptake";
/// The versions of Graph that may have the query, the better one first.
const VERSIONS: [&str; 2] = ["v1.0", "beta"];

const GRANT: &str = "grant the application permission AuditLogsQuery.Read.All and let an administrator consent to it";

static START: Route = Route {
    template: "POST /{version}/security/auditLog/queries",
    resource: Resource::Graph,
    grant: GRANT,
    not_found: "Microsoft Graph has no audit log query under UPTAKE_GRAPH_URL",
    is_download: false,
};
static STATUS: Route = Route {
    template: "GET /{version}/security/auditLog/queries/{query}",
    resource: Resource::Graph,
    grant: GRANT,
    not_found: "the query is gone; start another",
    is_download: false,
};
static RECORDS: Route = Route {
    template: "GET /{version}/security/auditLog/queries/{query}/records",
    resource: Resource::Graph,
    grant: GRANT,
    not_found: "the query is gone; start another",
    is_download: false,
};

/// A query that was started, as a text that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryId(String);

impl QueryId {
    /// From the text that it was kept as.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Which version took it, and its id there. One that is written without a version is of the first.
    fn parts(&self) -> (&str, &str) {
        match self.0.split_once('/') {
            Some((version, id)) if VERSIONS.contains(&version) => (version, id),
            _ => (VERSIONS[0], &self.0),
        }
    }
}

/// The text to keep.
impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryStatus {
    /// It has not begun or not ended; what Microsoft calls otherwise as well.
    Running,
    /// Its records can be read.
    Succeeded,
    /// It failed or was cancelled.
    Failed,
}

/// A page of a query's records.
#[derive(Debug)]
pub struct AuditQueryPage {
    /// The records as the feed has them. Of a row that brings none, the row itself, so that it is not lost.
    pub records: Vec<Box<RawValue>>,
    /// The page after this one.
    pub next: Option<NextPage>,
}

#[derive(Deserialize)]
struct Query {
    id: String,
}

#[derive(Deserialize)]
struct State {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    audit_data: Option<Box<RawValue>>,
}

impl Graph {
    /// Has the audit log searched for these operations in the window. An answer that is lost on the way makes for a second
    /// query, which nobody reads.
    pub async fn start_audit_query(
        &self,
        window: Window,
        operations: &[String],
        deadline: Deadline,
    ) -> Result<QueryId, ApiError> {
        let body = json!({
            "displayName": DISPLAY_NAME,
            "filterStartDateTime": to_seconds(window.from),
            "filterEndDateTime": to_seconds(window.to),
            "operationFilters": operations,
        })
        .to_string();
        let [first, second] = VERSIONS;
        match self.start_in(first, body.clone(), deadline).await {
            Err(error @ (ApiError::Refused { .. } | ApiError::NotFound { .. })) => {
                tracing::warn!(%error, "the audit log query is not to be had in this version");
                self.start_in(second, body, deadline).await
            }
            answer => answer,
        }
    }

    async fn start_in(&self, version: &str, body: String, deadline: Deadline) -> Result<QueryId, ApiError> {
        let url = self.service.at(&[version, "security", "auditLog", "queries"]);
        let query: Query = self
            .service
            .post(&START, url, body, deadline, |answer| read_json(&START, &answer.body))
            .await?;
        Ok(QueryId(format!("{version}/{}", query.id)))
    }

    /// How far a query is.
    pub async fn audit_query_status(&self, query: &QueryId, deadline: Deadline) -> Result<QueryStatus, ApiError> {
        let url = self.of_query(query, &[]);
        self.service
            .get(&STATUS, url, deadline, |answer| {
                let state: State = read_json(&STATUS, &answer.body)?;
                Ok(match state.status.as_deref() {
                    Some("succeeded") => QueryStatus::Succeeded,
                    Some("failed" | "cancelled") => QueryStatus::Failed,
                    _ => QueryStatus::Running,
                })
            })
            .await
    }

    /// A page of the records of a query that has succeeded: the first, or the one that the page before names. Pages have
    /// been seen to overlap.
    pub async fn audit_query_page(
        &self,
        query: &QueryId,
        next: Option<NextPage>,
        deadline: Deadline,
    ) -> Result<AuditQueryPage, ApiError> {
        let this = next.unwrap_or_else(|| NextPage::first(self.of_query(query, &["records"])));
        let page = self
            .service
            .get(&RECORDS, this.url(), deadline, |answer| {
                let page: Page = read_json(&RECORDS, &answer.body)?;
                answer.holds(page.value.len());
                Ok(page)
            })
            .await?;
        Ok(AuditQueryPage {
            records: page.value.into_iter().map(record).collect(),
            next: this.after(page.next_link, self.service.origin(), &RECORDS)?,
        })
    }

    fn of_query(&self, query: &QueryId, rest: &[&str]) -> Url {
        let (version, id) = query.parts();
        self.service
            .at(&[&[version, "security", "auditLog", "queries", id], rest].concat())
    }
}

/// The record in a row, which may be written as a text of JSON.
fn record(row: Box<RawValue>) -> Box<RawValue> {
    let audit_data = serde_json::from_str::<Row>(row.get())
        .ok()
        .and_then(|row| row.audit_data);
    let Some(audit_data) = audit_data else { return row };
    match serde_json::from_str::<String>(audit_data.get()) {
        Ok(text) => RawValue::from_string(text).unwrap_or(audit_data),
        Err(_) => audit_data,
    }
}
