//! How GitHub says no: status, headers and words as its clients know them.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{Html, IntoResponse, Response},
};
use serde_json::json;

use crate::faults::Refused;

const DOCS: &str = "https://docs.github.com/rest";
const RATE_LIMITS: &str = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api";
const SECONDARY: &str =
    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits";

/// A refused request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    NoUserAgent,
    RequiresAuthentication,
    BadCredentials,
    /// An App's own endpoints take a JWT, and this is none, or not a good one.
    BadJwt(&'static str),
    /// The token is good, but not an App's to use here.
    NotForIntegrations,
    Forbidden,
    NotFound,
    UnreadableBody,
    Unprocessable,
    /// A parameter that cannot be read.
    ValidationFailed,
    /// Only an installation has such a list.
    InstallationsOnly,
    ServerError(StatusCode),
    /// Nothing is left; the headers beside it say until when.
    PrimaryLimit {
        status: StatusCode,
    },
    /// The same in GraphQL's way, with status 200.
    GraphQlLimit,
    SecondaryLimit {
        retry_after: Option<Duration>,
    },
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::PrimaryLimit { status, .. } => Self::PrimaryLimit { status },
            Refused::SecondaryLimit { retry_after } => Self::SecondaryLimit { retry_after },
            Refused::ServerError(status) => Self::ServerError(status),
            Refused::Unauthorized => Self::BadCredentials,
            Refused::Forbidden => Self::Forbidden,
            Refused::NotFound => Self::NotFound,
            Refused::Unprocessable => Self::Unprocessable,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NoUserAgent => (
                StatusCode::FORBIDDEN,
                "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header.\r\n",
            )
                .into_response(),
            Self::RequiresAuthentication => message(StatusCode::UNAUTHORIZED, "Requires authentication", DOCS),
            Self::BadCredentials => message(StatusCode::UNAUTHORIZED, "Bad credentials", DOCS),
            Self::BadJwt(why) => message(StatusCode::UNAUTHORIZED, why, DOCS),
            Self::NotForIntegrations => message(StatusCode::FORBIDDEN, "Resource not accessible by integration", DOCS),
            Self::Forbidden => {
                message(StatusCode::FORBIDDEN, "Resource not accessible by personal access token", DOCS)
            }
            Self::NotFound => message(StatusCode::NOT_FOUND, "Not Found", DOCS),
            Self::UnreadableBody => message(StatusCode::BAD_REQUEST, "Problems parsing JSON", DOCS),
            Self::Unprocessable => message(
                StatusCode::UNPROCESSABLE_ENTITY,
                "In order to keep the API fast for everyone, pagination is limited for this resource.",
                DOCS,
            ),
            Self::ValidationFailed => message(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed", DOCS),
            Self::InstallationsOnly => message(
                StatusCode::FORBIDDEN,
                "You must authenticate with an installation access token in order to list repositories for an installation.",
                DOCS,
            ),
            Self::ServerError(status) => {
                (status, Html("<html><body><h1>Unicorn!</h1><p>We had issues.</p></body></html>")).into_response()
            }
            Self::PrimaryLimit { status } => message(status, "API rate limit exceeded for user ID 1.", RATE_LIMITS),
            Self::GraphQlLimit => {
                let error = json!({"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."});
                Json(json!({"errors": [error]})).into_response()
            }
            Self::SecondaryLimit { retry_after } => secondary(retry_after),
        }
    }
}

fn secondary(retry_after: Option<Duration>) -> Response {
    let text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let mut response = message(StatusCode::FORBIDDEN, text, SECONDARY);
    if let Some(wait) = retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}

fn message(status: StatusCode, message: &str, documentation_url: &str) -> Response {
    let body = json!({"message": message, "documentation_url": documentation_url, "status": status.as_str()});
    (status, Json(body)).into_response()
}
