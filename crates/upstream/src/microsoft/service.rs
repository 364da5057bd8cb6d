//! One of Microsoft's services behind its sign-in: what Graph and the audit feed share.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use url::Url;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::retry::Verdict;
use crate::http::{Answer, Call, CallRecord, Http, Keep, Patience, Request, Route};
use crate::microsoft::Principal;
use crate::microsoft::auth::SignIn;
use crate::origin::Origin;

pub(super) struct Service {
    http: Http,
    sign_in: SignIn,
}

impl Service {
    /// A client that signs in at `login` for the service at `origin`. A simulator on this machine has no service of its
    /// own name in Entra: it is asked for a token of the `public` one.
    pub(super) fn new(
        login: Origin,
        origin: Origin,
        public: &str,
        principal: Principal,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let scope = if origin.is_loopback() {
            format!("{public}/.default")
        } else {
            format!("{origin}/.default")
        };
        Ok(Self {
            sign_in: SignIn::new(login, scope, principal, Arc::clone(&clock), patience)?,
            http: Http::new(origin, HeaderMap::new(), clock, patience)?.with_journal(),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        self.http.origin()
    }

    pub(super) fn tenant(&self) -> &str {
        self.sign_in.tenant()
    }

    pub(super) fn principal(&self) -> &Principal {
        self.sign_in.principal()
    }

    pub(super) fn at(&self, path: &[&str]) -> Url {
        self.origin().at(path)
    }

    pub(super) fn requests(&self) -> u64 {
        self.http.requests() + self.sign_in.requests()
    }

    pub(super) fn take_calls(&self) -> Vec<CallRecord> {
        let mut calls = self.sign_in.take_calls();
        calls.extend(self.http.take_calls());
        calls.sort_by_key(|call| call.at);
        calls
    }

    pub(super) fn take_refused_body(&self) -> Option<Bytes> {
        self.http.take_refused_body()
    }

    /// What lies at an address.
    pub(super) async fn get<T>(
        &self,
        route: &'static Route,
        url: Url,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        self.ask(route, url, Call::Get(Keep::Nothing), deadline, read).await
    }

    /// What an address answers to this JSON, or to nothing where it is empty.
    pub(super) async fn post<T>(
        &self,
        route: &'static Route,
        url: Url,
        body: String,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        self.ask(route, url, Call::Post(body.into()), deadline, read).await
    }

    async fn ask<T>(
        &self,
        route: &'static Route,
        url: Url,
        call: Call,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        let token = self.sign_in.token(deadline).await?;
        let mut request = Request {
            route,
            url,
            token: Some(token.clone()),
            call,
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
