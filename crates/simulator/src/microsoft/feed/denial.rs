//! How the Office 365 Management Activity API says no (UPSTREAM 4.8, and Microsoft's reference as of November 2026).
//!
//! The reference lists codes and words, not statuses; those are what clients of it report. Some bodies are written with
//! single quotes, as seen in the wild, and are no JSON.

use std::time::Duration;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::super::TENANT;
use crate::faults::Refused;

/// Whose requests those are that name no publisher.
pub(super) const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// A refused request.
#[derive(Clone, Debug)]
pub(in super::super) enum Denial {
    /// No token, none that is good any more, or one for something else.
    NoToken,
    NoPermission,
    Missing(&'static str),
    WrongType {
        parameter: &'static str,
        expected: &'static str,
    },
    PastExpiration(String),
    OtherTenant(String),
    NoGuid(String),
    NoContentType,
    Webhook {
        address: String,
        why: &'static str,
    },
    NoSubscription,
    Disabled,
    AlreadyEnabled,
    /// Not both ends of a range.
    HalfRange,
    /// A range that is too long, too old or the wrong way round.
    Range,
    NextPage(String),
    NoContent(String),
    Expired(String),
    BadContentId(String),
    TooMany {
        method: String,
        publisher: String,
        /// What the answer says to wait. Where it says nothing its status is 403.
        retry_after: Option<Duration>,
    },
    Internal(StatusCode),
}

/// The address does not answer as it should.
pub(super) const NOT_OK: &str = "The endpoint did not return HTTP 200.";
/// The address is not one that may be registered.
pub(super) const NOT_HTTPS: &str = "The address must begin with HTTPS.";

impl Denial {
    /// What a scenario wants, in the words of the feed.
    pub(in super::super) fn wanted(refused: Refused) -> Self {
        let too_many = |retry_after| Self::TooMany {
            method: "GetBlob".to_owned(),
            publisher: NOBODY.to_owned(),
            retry_after,
        };
        match refused {
            Refused::PrimaryLimit { status, reset } => {
                too_many((status == StatusCode::TOO_MANY_REQUESTS).then_some(reset))
            }
            Refused::SecondaryLimit { retry_after } => too_many(retry_after),
            Refused::ServerError(status) => Self::Internal(status),
            Refused::Unauthorized => Self::NoToken,
            Refused::Forbidden => Self::NoPermission,
            Refused::NotFound => Self::NoContent("gone".to_owned()),
            Refused::Unprocessable => Self::WrongType {
                parameter: "startTime",
                expected: "datetime",
            },
        }
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        let (status, code, message) = match self {
            Self::NoToken => {
                let body = json!({"Message": "Authorization has been denied for this request."});
                return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
            }
            Self::TooMany {
                method,
                publisher,
                retry_after,
            } => return too_many(&method, &publisher, retry_after),
            Self::Internal(status) => {
                return quoted_singly(status, "AF50000", "An internal error occurred. Retry the request.");
            }
            Self::NoPermission => (
                StatusCode::FORBIDDEN,
                "AF10001",
                "The permission set () sent in the request did not include the expected permission ActivityFeed.Read."
                    .to_owned(),
            ),
            Self::Missing(name) => (BAD, "AF20001", format!("Missing parameter: {name}.")),
            Self::WrongType { parameter, expected } => (
                BAD,
                "AF20002",
                format!("Invalid parameter type: {parameter}. Expected type: {expected}"),
            ),
            Self::PastExpiration(given) => (
                BAD,
                "AF20003",
                format!("Expiration {given} provided is set to past date and time."),
            ),
            Self::OtherTenant(given) => (
                BAD,
                "AF20010",
                format!(
                    "The tenant ID passed in the URL ({given}) does not match the tenant ID passed in the access token \
                     ({TENANT})."
                ),
            ),
            Self::NoGuid(given) => (
                BAD,
                "AF20013",
                format!("The tenant ID passed in the URL ({given}) is not a valid GUID."),
            ),
            Self::NoContentType => (BAD, "AF20020", "The specified content type is not valid.".to_owned()),
            Self::Webhook { address, why } => (
                BAD,
                "AF20021",
                format!("The webhook endpoint ({address}) could not be validated. {why}"),
            ),
            Self::NoSubscription => (
                BAD,
                "AF20022",
                "No subscription found for the specified content type.".to_owned(),
            ),
            Self::Disabled => (
                BAD,
                "AF20023",
                "The subscription was disabled by a tenant admin.".to_owned(),
            ),
            Self::AlreadyEnabled => (
                BAD,
                "AF20024",
                "The subscription is already enabled. No property change.".to_owned(),
            ),
            Self::HalfRange => (BAD, "AF20030", RANGE.to_owned()),
            Self::Range => (BAD, "AF20055", RANGE.to_owned()),
            Self::NextPage(given) => (BAD, "AF20031", format!("Invalid nextPage Input: {given}.")),
            Self::NoContent(id) => (
                StatusCode::NOT_FOUND,
                "AF20050",
                format!("The specified content ({id}) does not exist."),
            ),
            Self::Expired(id) => (
                BAD,
                "AF20051",
                format!(
                    "Content requested with the key {id} has already expired. Content older than 7 days cannot be \
                     retrieved."
                ),
            ),
            Self::BadContentId(id) => (BAD, "AF20052", format!("Content ID {id} in the URL is invalid.")),
        };
        let body = json!({"error": {"code": code, "message": message}});
        (status, Json(body)).into_response()
    }
}

const RANGE: &str = "Start time and end time must both be specified (or both omitted) and must be less than or equal to \
                     24 hours apart, with the start time no more than 7 days in the past.";

fn too_many(method: &str, publisher: &str, retry_after: Option<Duration>) -> Response {
    let message = format!("Too many requests. Method={method}, PublisherId={publisher}");
    let Some(wait) = retry_after else {
        return quoted_singly(StatusCode::FORBIDDEN, "AF429", &message);
    };
    let body = json!({"error": {"code": "AF429", "message": message}});
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let wait = HeaderValue::from(wait.as_secs());
    response.headers_mut().insert(RETRY_AFTER, wait);
    response
}

fn quoted_singly(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!("{{'error':{{'code':'{code}','message':'{message}'}}}}");
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}
