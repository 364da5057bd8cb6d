//! Searches of the audit log (UPSTREAM 4.7): asked for, waited for, then read page by page.

use std::sync::{Arc, Mutex};

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    TENANT,
    audit::{Entry, Key, milliseconds},
    pages::Place,
    refusal::Refusal,
    tenant::guid,
};
use crate::{
    days,
    dice::Topic,
    scenario::AuditQuery,
    world::{World, lock},
};

/// Records of a page, at least, where there are so many.
const RECORDS_PER_PAGE: usize = 150;

/// How many of the records at the end of a page the next one begins with again.
const OVERLAP: usize = 3;

/// Searches that are kept; whoever starts more of them has lost the older ones.
const MOST_QUERIES: usize = 100;

/// The searches started so far.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    started: Mutex<Started>,
}

#[derive(Debug, Default)]
struct Started {
    count: u32,
    queries: Vec<Query>,
}

#[derive(Clone, Debug)]
struct Query {
    id: String,
    wanted: Wanted,
    /// What the log did not know then, in milliseconds since 1970, is not found.
    asked_at: i64,
    /// How often somebody has asked how far it is.
    polls: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    display_name: Option<String>,
    filter_start_date_time: Timestamp,
    filter_end_date_time: Timestamp,
    #[serde(default)]
    operation_filters: Vec<String>,
    #[serde(default)]
    record_type_filters: Vec<String>,
    #[serde(default)]
    user_principal_name_filters: Vec<String>,
    service_filter: Option<String>,
}

impl Query {
    fn status(&self, world: &World) -> &'static str {
        let scenario = &world.settings.scenario;
        match self.polls {
            0 | 1 if self.polls <= scenario.audit_query_polls && scenario.audit_query_polls != 1 => "notStarted",
            polls if polls <= scenario.audit_query_polls => "running",
            _ => match scenario.audit_query {
                AuditQuery::Succeeds => "succeeded",
                AuditQuery::Never => "running",
                AuditQuery::Failed => "failed",
            },
        }
    }

    fn told(&self, status: &str) -> Value {
        let wanted = &self.wanted;
        json!({
            "id": self.id,
            "displayName": wanted.display_name,
            "filterStartDateTime": wanted.filter_start_date_time,
            "filterEndDateTime": wanted.filter_end_date_time,
            "recordTypeFilters": wanted.record_type_filters,
            "keywordFilter": null,
            "serviceFilter": wanted.service_filter,
            "operationFilters": wanted.operation_filters,
            "userPrincipalNameFilters": wanted.user_principal_name_filters,
            "ipAddressFilters": [],
            "objectIdFilters": [],
            "administrativeUnitIdFilters": [],
            "status": status,
        })
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        let wanted = &self.wanted;
        let is_in = |filters: &[String], value: &str| {
            filters.is_empty() || filters.iter().any(|filter| filter.eq_ignore_ascii_case(value))
        };
        let at = days::instant(0, entry.at);
        let service = wanted.service_filter.as_deref();
        (wanted.filter_start_date_time..wanted.filter_end_date_time).contains(&at)
            && is_in(&wanted.operation_filters, entry.operation)
            && is_in(&wanted.user_principal_name_filters, &entry.upn)
            && service.is_none_or(|service| service.eq_ignore_ascii_case(entry.workload))
    }

    /// What is found in one part of the log.
    fn found(&self, world: &World, part: Key) -> Vec<Value> {
        let entries = world.microsoft.log.found(part, self.asked_at);
        entries
            .iter()
            .filter(|entry| self.is_wanted(entry))
            .map(record)
            .collect()
    }
}

fn record(entry: &Entry) -> Value {
    let upn = entry.upn.as_str();
    json!({
        "id": entry.id,
        "createdDateTime": days::instant(0, entry.at),
        "auditLogRecordType": record_type(entry.record_type),
        "operation": entry.operation,
        "organizationId": TENANT,
        "userType": "Regular",
        "userId": upn,
        "service": entry.workload,
        "objectId": "",
        "userPrincipalName": upn,
        "clientIp": entry.client_ip,
        "administrativeUnits": [],
        "auditData": entry.body,
    })
}

/// The enumeration that is documented knows nothing of Copilot.
fn record_type(number: u16) -> &'static str {
    match number {
        20 => "powerBIAudit",
        25 => "microsoftTeams",
        66 => "microsoftForms",
        _ => "unknownFutureValue",
    }
}

/// `POST /{version}/security/auditLog/queries`
pub(super) async fn create(State(world): State<Arc<World>>, body: Bytes) -> Result<Response, Refusal> {
    let bad = |what: String| Refusal::BadRequest(what);
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    if wanted.filter_start_date_time >= wanted.filter_end_date_time {
        return Err(bad(
            "filterStartDateTime has to lie before filterEndDateTime.".to_owned()
        ));
    }
    if let Some(name) = wanted.record_type_filters.first() {
        return Err(bad(format!(
            "Cannot convert the literal '{name}' to the expected type 'microsoft.graph.security.auditLogRecordType'. \
             The simulator knows operationFilters only."
        )));
    }
    let mut started = lock(&world.microsoft.queries.started);
    started.count += 1;
    let mut throws = world.microsoft.tenant.dice.series(Topic::AuditQuery, started.count, 0);
    let query = Query {
        id: guid(&mut throws),
        wanted,
        asked_at: milliseconds(world.now()),
        polls: 0,
    };
    let told = query.told("notStarted");
    if started.queries.len() >= MOST_QUERIES {
        started.queries.remove(0);
    }
    started.queries.push(query);
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// `GET /{version}/security/auditLog/queries/{query_id}`
pub(super) async fn status(State(world): State<Arc<World>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let mut started = lock(&world.microsoft.queries.started);
    let query = started
        .queries
        .iter_mut()
        .find(|query| query.id == id)
        .ok_or(NO_QUERY)?;
    query.polls += 1;
    Ok(Json(query.told(query.status(&world))))
}

const NO_QUERY: Refusal = Refusal::NoItem("The audit log query was not found.");

/// `GET /{version}/security/auditLog/queries/{query_id}/records`
pub(super) async fn records(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    let started = lock(&world.microsoft.queries.started).queries.clone();
    let query = started.into_iter().find(|query| query.id == id).ok_or(NO_QUERY)?;
    let is_asked_for = query.polls > 0;
    if !is_asked_for || query.status(&world) != "succeeded" {
        return Err(Refusal::BadRequest("The audit log query has not succeeded.".to_owned()));
    }
    let place = Place::of(&uri)?.unwrap_or(Place {
        first: 0,
        list: 0,
        page: 1,
    });
    let seconds = |at: Timestamp| milliseconds(at).div_euclid(1000);
    let wanted = &query.wanted;
    let parts = world.microsoft.log.parts(
        seconds(wanted.filter_start_date_time),
        seconds(wanted.filter_end_date_time) + 1,
    );
    let first = usize::try_from(place.first).unwrap_or(usize::MAX).min(parts.len());
    let mut value = Vec::new();
    for part in parts[..first].iter().rev() {
        let again = query.found(&world, *part);
        if !again.is_empty() {
            value.extend_from_slice(&again[again.len().saturating_sub(OVERLAP)..]);
            break;
        }
    }
    let most = value.len() + RECORDS_PER_PAGE;
    let mut behind = first;
    while behind < parts.len() && value.len() < most {
        value.extend(query.found(&world, parts[behind]));
        behind += 1;
    }
    let context = uri.path().replace("/records", "");
    let mut answer = json!({
        "@odata.context": format!("{}/v1.0/$metadata#{}/records", world.url, context.trim_start_matches('/')),
        "value": value,
    });
    if behind < parts.len() {
        let next = Place {
            first: u32::try_from(behind).unwrap_or(u32::MAX),
            page: place.page.saturating_add(1),
            ..place
        };
        answer["@odata.nextLink"] = next.link(&world.url, &uri).into();
    }
    Ok(Json(answer))
}
