//! How Microsoft says no: status, headers and words, those of the login, of Graph and of the storage that keeps reports.
//! The activity feed has words of its own.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::feed::Denial;
use crate::faults::Refused;

/// Who is saying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Login,
    Graph,
    Feed,
    Downloads,
}

/// A refused request.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// What a scenario wants, in the words of whoever says it.
    Wanted(Door, Refused),
    /// The login knows no such tenant.
    NoTenant(String),
    /// The tenant knows no such application.
    NoClient(String),
    WrongSecret,
    /// The form lacks something, or asks for something else.
    WrongForm(&'static str),
    /// No token, or none that is good any more.
    NoToken,
    /// A report that does not exist, or not on this path.
    NoSegment(String),
    /// A parameter that Graph cannot use.
    BadRequest(String),
    TooManyRequests {
        retry_after: Option<Duration>,
    },
    /// A site, a list or a query that is not there.
    NoItem(&'static str),
    /// The activity feed says it.
    Feed(Denial),
    /// The storage wants no token.
    UnwantedToken,
    /// The address is not good, or not any more.
    NoDownload,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Wanted(door, refused) => wanted(door, refused),
            Self::NoTenant(tenant) => login(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                90002,
                &format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
            ),
            Self::NoClient(client) => login(
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                700_016,
                &format!("Application with identifier '{client}' was not found in the directory 'tenant'."),
            ),
            Self::WrongSecret => login(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
                 not the client secret ID, for a secret added to app.",
            ),
            Self::WrongForm(what) => login(StatusCode::BAD_REQUEST, "invalid_request", 900_144, what),
            Self::NoToken => graph(
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "Access token is empty, unknown or expired.",
            ),
            Self::NoSegment(name) => graph(
                StatusCode::BAD_REQUEST,
                "BadRequest",
                &format!("Resource not found for the segment '{name}'."),
            ),
            Self::BadRequest(what) => graph(StatusCode::BAD_REQUEST, "BadRequest", &what),
            Self::TooManyRequests { retry_after } => {
                let mut response = graph(
                    StatusCode::TOO_MANY_REQUESTS,
                    "TooManyRequests",
                    "Too many requests from identifier under category. Please try again later.",
                );
                if let Some(wait) = retry_after {
                    let value = HeaderValue::from(wait.as_secs());
                    response.headers_mut().insert(RETRY_AFTER, value);
                }
                response
            }
            Self::NoItem(what) => graph(StatusCode::NOT_FOUND, "itemNotFound", what),
            Self::Feed(denial) => denial.into_response(),
            Self::UnwantedToken => storage(
                StatusCode::BAD_REQUEST,
                "InvalidAuthenticationInfo",
                "Authentication information is not given in the correct format.",
            ),
            Self::NoDownload => storage(
                StatusCode::FORBIDDEN,
                "AuthenticationFailed",
                "Server failed to authenticate the request. Signature not valid in the specified time frame.",
            ),
        }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Feed(denial)
    }
}

fn wanted(door: Door, refused: Refused) -> Response {
    match (door, refused) {
        (Door::Feed, refused) => Denial::wanted(refused).into_response(),
        // Microsoft knows one kind of limit, whichever a scenario names.
        (Door::Login | Door::Graph, Refused::PrimaryLimit { reset, .. }) => Refusal::TooManyRequests {
            retry_after: Some(reset),
        }
        .into_response(),
        (Door::Login | Door::Graph, Refused::SecondaryLimit { retry_after }) => {
            Refusal::TooManyRequests { retry_after }.into_response()
        }
        (Door::Login, Refused::Unauthorized) => Refusal::WrongSecret.into_response(),
        (Door::Login, Refused::Forbidden) => login(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_112,
            "Application is disabled.",
        ),
        (Door::Login, Refused::NotFound) => Refusal::NoTenant("gone".to_owned()).into_response(),
        (Door::Login, Refused::Unprocessable) => {
            Refusal::WrongForm("The request body must contain the following parameter: 'scope'.").into_response()
        }
        (Door::Login, Refused::ServerError(status)) => login(
            status,
            "temporarily_unavailable",
            90033,
            "A transient error has occurred. Please try again.",
        ),
        (Door::Graph, Refused::Unauthorized) => Refusal::NoToken.into_response(),
        (Door::Graph, Refused::Forbidden) => graph(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        ),
        (Door::Graph, Refused::NotFound) => graph(
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            "Resource does not exist or one of its queried reference-property objects are not present.",
        ),
        (Door::Graph, Refused::Unprocessable) => {
            graph(StatusCode::BAD_REQUEST, "Request_BadRequest", "Invalid request.")
        }
        (Door::Graph, Refused::ServerError(status)) => {
            let code = match status {
                StatusCode::SERVICE_UNAVAILABLE => "serviceNotAvailable",
                StatusCode::GATEWAY_TIMEOUT => "timeout",
                _ => "generalException",
            };
            graph(
                status,
                code,
                "An unexpected error occurred while processing the request.",
            )
        }
        (Door::Downloads, Refused::PrimaryLimit { .. } | Refused::SecondaryLimit { .. }) => {
            storage(StatusCode::SERVICE_UNAVAILABLE, "ServerBusy", "The server is busy.")
        }
        (Door::Downloads, Refused::Unauthorized | Refused::Forbidden) => Refusal::NoDownload.into_response(),
        (Door::Downloads, Refused::NotFound) => storage(
            StatusCode::NOT_FOUND,
            "BlobNotFound",
            "The specified blob does not exist.",
        ),
        (Door::Downloads, Refused::Unprocessable) => {
            storage(StatusCode::BAD_REQUEST, "InvalidUri", "The request URI is invalid.")
        }
        (Door::Downloads, Refused::ServerError(status)) => storage(
            status,
            "InternalError",
            "The server encountered an internal error. Please retry the request.",
        ),
    }
}

fn login(status: StatusCode, error: &str, code: u64, text: &str) -> Response {
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {text} Trace ID: {TRACE} Correlation ID: {TRACE}"),
        "error_codes": [code],
        "trace_id": TRACE,
        "correlation_id": TRACE,
        "error_uri": format!("https://login.microsoftonline.example/error?code={code}"),
    });
    (status, Json(body)).into_response()
}

fn graph(status: StatusCode, code: &str, message: &str) -> Response {
    let inner = json!({"request-id": TRACE, "client-request-id": TRACE});
    let body = json!({"error": {"code": code, "message": message, "innerError": inner}});
    (status, Json(body)).into_response()
}

fn storage(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    (status, [("content-type", "application/xml")], body).into_response()
}

/// What Microsoft's support would ask for.
const TRACE: &str = "8f2d1c64-0a7b-4e55-9f36-c1d07be4a209";
