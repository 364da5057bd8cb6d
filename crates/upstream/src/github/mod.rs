//! The read-only GitHub client.

pub mod accounts;
pub mod actions;
pub mod seats;
pub mod teams;

mod auth;

use std::fmt;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use url::Url;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::cache::PageCache;
use crate::http::link::Links;
use crate::http::retry::Verdict;
use crate::http::{Answer, Call, CallRecord, Http, Keep, Patience, Request, Resource, Route};
use crate::origin::Origin;
use auth::Auth;

/// Items a page: the most GitHub gives (docs.github.com, "Using pagination", read 2026-11-21).
const PER_PAGE: &str = "100";

/// Whose data is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An enterprise, by slug.
    Enterprise(String),
    /// An organisation, by login.
    Organisation(String),
}

impl Owner {
    /// The slug alone.
    pub fn slug(&self) -> &str {
        match self {
            Self::Enterprise(slug) | Self::Organisation(slug) => slug,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enterprise(slug) => write!(f, "enterprise {slug}"),
            Self::Organisation(slug) => write!(f, "organisation {slug}"),
        }
    }
}

/// Who asks.
pub enum Identity {
    /// The holder of a token.
    Token(SecretString),
    /// A GitHub App; organisations only.
    App {
        /// App id or client id.
        id: String,
        /// The private key as PEM text.
        private_key: SecretString,
    },
}

/// The client.
pub struct GitHub {
    http: Http,
    auth: Auth,
}

impl GitHub {
    /// A client that asks `origin` as `identity`.
    pub fn new(
        origin: Origin,
        identity: Identity,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static("2022-11-28"),
        );
        Ok(Self {
            http: Http::new(origin, headers, clock, patience)?,
            auth: Auth::new(identity)?,
        })
    }

    /// The same client with a journal of its calls.
    #[must_use]
    pub fn with_journal(self) -> Self {
        Self {
            http: self.http.with_journal(),
            ..self
        }
    }

    /// The calls since this was last asked, in the order in which they ended; none without a journal.
    pub fn take_calls(&self) -> Vec<CallRecord> {
        self.http.take_calls()
    }

    /// Requests sent so far, retries and unchanged pages included.
    pub fn requests(&self) -> u64 {
        self.http.requests()
    }

    /// When the token expires, as GitHub's last answer said; nothing for one without an end, or an App.
    pub fn credential_ends_at(&self) -> Option<Timestamp> {
        self.http.credential_ends_at()
    }

    /// Requests left of the primary REST limit, as the last answer said.
    pub fn budget_left(&self) -> Option<u64> {
        self.http.budget_left(Resource::Core)
    }

    /// Starts from list pages that [`GitHub::pages_to_keep`] gave an earlier invocation.
    pub fn restore_pages(&self, bytes: &[u8]) -> io::Result<()> {
        self.http.restore_pages(PageCache::decode(bytes)?);
        Ok(())
    }

    /// The list pages read, so that the next invocation gets unchanged ones for nothing. Pages that were not asked for in
    /// more invocations than this are dropped: no list has them any more.
    pub fn pages_to_keep(&self, unused_for_at_most: u32) -> io::Result<Vec<u8>> {
        self.http.pages_to_keep(unused_for_at_most)
    }

    /// The primary REST limit itself, as the last answer said.
    pub fn budget_limit(&self) -> Option<u64> {
        self.http.budget_limit(Resource::Core)
    }

    /// Whether a GitHub App asks rather than the holder of a token.
    fn is_app(&self) -> bool {
        matches!(self.auth, Auth::App(_))
    }

    fn at(&self, path: &[&str]) -> Url {
        self.http.origin().at(path)
    }

    async fn send<T>(
        &self,
        owner: &Owner,
        route: &'static Route,
        url: Url,
        call: Call,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        let token = self.auth.token(&self.http, owner, deadline).await?;
        let mut request = Request {
            route,
            url,
            token: Some(token.clone()),
            call,
        };
        match self.http.send(&request, deadline, &read).await {
            Err(ApiError::Unauthorized { .. }) if self.auth.is_renewable() => {
                request.token = Some(self.auth.renew(&self.http, owner, &token, deadline).await?);
                self.http.send(&request, deadline, &read).await
            }
            answer => answer,
        }
    }

    /// Reads a list from its first page on.
    async fn list<T>(
        &self,
        owner: &Owner,
        route: &'static Route,
        mut first: Url,
        deadline: Deadline,
        decode: impl Fn(&[u8]) -> Result<T, String>,
        on_page: impl FnMut(T, &Links),
    ) -> Result<(), ApiError> {
        first.query_pairs_mut().append_pair("per_page", PER_PAGE);
        let read = |answer: &Answer| {
            let page = decode(&answer.body).map_err(Verdict::passing)?;
            Ok((page, answer.links()))
        };
        let fetch = |url| self.send(owner, route, url, Call::Get(Keep::Body), deadline, read);
        self.http.each_page(route, first, fetch, on_page).await
    }
}
