//! The clients of Microsoft Graph and of the audit feed, which is a service of its own.

pub mod activity;
pub mod application;
pub mod audit_query;
pub mod audit_records;
pub mod lists;
pub mod reports;
pub mod skus;
pub mod users;

mod auth;
mod pages;
mod service;
mod table;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::error::ApiError;
use crate::http::retry::Verdict;
use crate::http::{CallRecord, Patience, Route};
use crate::origin::Origin;
use service::Service;

pub use pages::NextPage;

/// Where Graph lies for everybody, and what its tokens are asked for.
const PUBLIC_GRAPH: &str = "https://graph.microsoft.com";

/// Who asks: an app registration with a client secret.
pub struct Principal {
    /// The tenant: its id or one of its domains.
    pub tenant: String,
    /// The application's (client's) id.
    pub client_id: String,
    /// The value of the secret, not its id.
    pub client_secret: SecretString,
}

/// What was understood, with the bytes it came in.
#[derive(Clone, Debug)]
pub struct Raw<T> {
    /// As received.
    pub body: Bytes,
    /// As understood.
    pub value: T,
}

/// The client of Microsoft Graph.
pub struct Graph {
    service: Service,
}

impl Graph {
    /// A client that signs in at `login` and asks `graph`. It keeps a journal of its calls.
    pub fn new(
        login: Origin,
        graph: Origin,
        principal: Principal,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let service = Service::new(login, graph, PUBLIC_GRAPH, principal, clock, patience)?;
        Ok(Self { service })
    }

    /// Requests sent so far, retries, downloads and sign-ins included.
    pub fn requests(&self) -> u64 {
        self.service.requests()
    }

    /// The calls since this was last asked, sign-ins included, in the order in which they were sent.
    pub fn take_calls(&self) -> Vec<CallRecord> {
        self.service.take_calls()
    }

    /// The body of the last answer that came whole and was not understood, once: it is evidence.
    pub fn take_refused_body(&self) -> Option<Bytes> {
        self.service.take_refused_body()
    }
}

/// Reads a body. One that is no JSON was cut in transit; one that is other JSON will be so the next time as well.
fn read_json<T: DeserializeOwned>(route: &Route, body: &[u8]) -> Result<T, Verdict> {
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            // The library's text may quote a value.
            Verdict::GiveUp(ApiError::Contract {
                route: route.template,
                reason: "the body is JSON of another shape".to_owned(),
            })
        } else {
            Verdict::passing("the body is not the JSON it should be")
        }
    })
}

/// An instant; the audit log writes its own without an offset, and means UTC. Microsoft's word for none, the first of the
/// year 1, is none.
pub fn utc(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let at = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.contains('T').then(|| text.parse().ok())??;
        TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}
