//! The read-only Microsoft Graph client.

pub mod reports;
pub mod skus;
pub mod users;

mod auth;
mod pages;
mod table;

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::retry::Verdict;
use crate::http::{Answer, Call, CallRecord, Http, Keep, Patience, Request, Route};
use crate::origin::Origin;
use auth::SignIn;

pub use pages::NextPage;

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

/// The client.
pub struct Graph {
    http: Http,
    sign_in: SignIn,
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
        let sign_in = SignIn::new(login, &graph, principal, Arc::clone(&clock), patience)?;
        let http = Http::new(graph, HeaderMap::new(), clock, patience)?.with_journal();
        Ok(Self { http, sign_in })
    }

    /// Requests sent so far, retries, downloads and sign-ins included.
    pub fn requests(&self) -> u64 {
        self.http.requests() + self.sign_in.requests()
    }

    /// The calls since this was last asked, sign-ins included, in the order in which they were sent.
    pub fn take_calls(&self) -> Vec<CallRecord> {
        let mut calls = self.sign_in.take_calls();
        calls.extend(self.http.take_calls());
        calls.sort_by_key(|call| call.at);
        calls
    }

    /// The body of the last answer that came whole and was not understood, once: it is evidence.
    pub fn take_refused_body(&self) -> Option<Bytes> {
        self.http.take_refused_body()
    }

    fn at(&self, path: &[&str]) -> Url {
        self.http.origin().at(path)
    }

    async fn get<T>(
        &self,
        route: &'static Route,
        url: Url,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        let token = self.sign_in.token(deadline).await?;
        let mut request = Request {
            route,
            url,
            token: Some(token.clone()),
            call: Call::Get(Keep::Nothing),
        };
        match self.http.send(&request, deadline, &read).await {
            Err(ApiError::Unauthorized { .. }) => {
                request.token = Some(self.sign_in.renew(&token, deadline).await?);
                self.http.send(&request, deadline, &read).await
            }
            answer => answer,
        }
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
