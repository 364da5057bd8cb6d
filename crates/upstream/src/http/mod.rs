//! One request, with everything that can go wrong between sending it and holding a good answer.

pub mod cache;
pub mod link;
pub mod retry;

mod budget;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, LINK, RETRY_AFTER};
use reqwest::{Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::origin::Origin;
use budget::Budget;
use cache::PageCache;
use link::Links;
use retry::{Limit, RateHeaders, SECONDARY_LIMIT_WAIT, Verdict, judge};

/// Pages fetched side by side. GitHub allows 100 concurrent requests in all and asks for few (docs.github.com, REST best
/// practices, read 2026-11-21); eight hide the latency of a page and leave room for others.
pub const SIDE_BY_SIDE: usize = 8;
/// A list that has more pages than this is a loop.
const MOST_PAGES: usize = 20_000;
/// Limits waited for before a request is given up: a limit that keeps coming back is not passing.
const MOST_LIMIT_WAITS: u32 = 4;

/// A kind of request, for errors, metrics and people.
#[derive(Debug)]
pub struct Route {
    /// Method and path template, such as `GET /users/{login}`.
    pub template: &'static str,
    /// Which budget it draws on.
    pub resource: Resource,
    /// What a 403 means: the permission to grant.
    pub grant: &'static str,
    /// What a 404 usually means.
    pub not_found: &'static str,
}

/// What GitHub counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// REST.
    Core,
    /// GraphQL.
    Graphql,
}

/// How patient the client is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Longest time for one answer with its body.
    pub answer: Duration,
    /// Longest silence within an answer.
    pub silence: Duration,
    /// First delay after a passing fault; doubles, with jitter.
    pub first_delay: Duration,
    /// Longest such delay.
    pub longest_delay: Duration,
    /// Tries in all against passing faults.
    pub tries: usize,
    /// First wait after a secondary limit that names no time; doubles.
    pub secondary_wait: Duration,
    /// Over which requests are counted, so that the secondary limit is not reached in the first place; zero does not
    /// count them.
    pub secondary_window: Duration,
}

impl Patience {
    /// For a server on this machine, which has no other callers and says itself when it has had enough.
    pub fn on_loopback() -> Self {
        Self {
            secondary_window: Duration::ZERO,
            ..Self::default()
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(10),
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            tries: 5,
            secondary_wait: SECONDARY_LIMIT_WAIT,
            secondary_window: budget::MINUTE,
        }
    }
}

/// One request to make.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its kind.
    pub route: &'static Route,
    /// Where to.
    pub url: Url,
    /// The credential, as a bearer token.
    pub token: SecretString,
    /// What is asked.
    pub call: Call,
}

/// What is asked of an address.
#[derive(Clone, Debug)]
pub enum Call {
    /// What is there.
    Get(Keep),
    /// To take this JSON.
    Post(String),
}

/// What is kept of an answer, so that an unchanged one costs nothing the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the address is asked once.
    Nothing,
    /// All of it.
    Body,
    /// Its entity tag and links: everything in it has been dealt with, and only a change matters.
    Tag,
}

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    /// The body; of a 304, the one kept from before, which is empty where only the tag was.
    pub body: Bytes,
    /// Its `Link` header.
    pub link: Option<String>,
    /// Whether it is as it was before (304).
    pub is_unchanged: bool,
}

impl Answer {
    /// The body as JSON; one that cannot be read was cut in transit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Verdict> {
        serde_json::from_slice(&self.body).map_err(|_| Verdict::passing("the body is not the JSON it should be"))
    }

    /// The pages it links to.
    pub fn links(&self) -> Links {
        self.link.as_deref().map(link::parse).unwrap_or_default()
    }
}

/// The client: shared by everything that talks to one upstream with one budget.
pub struct Http {
    client: reqwest::Client,
    origin: Origin,
    headers: HeaderMap,
    clock: Arc<dyn Clock>,
    patience: Patience,
    budget: Budget,
    cache: Mutex<PageCache>,
    requests: AtomicU64,
}

impl Http {
    /// A client for one origin that sends `headers` with every request.
    pub fn new(
        origin: Origin,
        headers: HeaderMap,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let home = origin.clone();
        let mut client = reqwest::Client::builder();
        if origin.is_loopback() {
            // What stays on this machine needs no proxy, and plain HTTP must not carry a credential to one.
            client = client.no_proxy();
        }
        let client = client
            .user_agent(concat!("uptake/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.silence)
            .read_timeout(patience.silence)
            .timeout(patience.answer)
            // GitHub redirects renamed organisations; anything that leads elsewhere is not followed.
            .redirect(redirect::Policy::custom(move |attempt| {
                if attempt.previous().len() < 4 && home.owns(attempt.url()) {
                    attempt.follow()
                } else {
                    attempt.stop()
                }
            }))
            .build()
            .map_err(|error| ApiError::Configuration(format!("the HTTP client cannot be made: {error}")))?;
        Ok(Self {
            client,
            origin,
            headers,
            clock,
            patience,
            budget: Budget::new(patience.secondary_window),
            cache: Mutex::default(),
            requests: AtomicU64::new(0),
        })
    }

    /// The upstream.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The time, as this client sees it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Requests sent so far, retries and unchanged pages included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests left of the primary limit, as the last answer said.
    pub fn budget_left(&self, resource: Resource) -> Option<u64> {
        self.budget.remaining(resource)
    }

    /// The primary limit itself, as the last answer said.
    pub fn budget_limit(&self, resource: Resource) -> Option<u64> {
        self.budget.limit(resource)
    }

    /// Forgets a page, so that it comes whole the next time.
    pub fn forget_page(&self, url: &Url) {
        self.cache().forget(url.as_str());
    }

    /// Starts from pages kept by an earlier invocation.
    pub fn restore_pages(&self, cache: PageCache) {
        *self.cache() = cache;
    }

    /// The pages to keep for the next invocation, those left out that were not asked for in more invocations than this.
    pub fn pages_to_keep(&self, unused_for_at_most: u32) -> io::Result<Vec<u8>> {
        self.cache().encode(unused_for_at_most)
    }

    /// Sends until the answer is good, and reads it with `read`. A body that `read` refuses with
    /// [`Verdict::TryAgain`] counts as a passing fault: bodies are cut in transit.
    pub async fn send<T>(
        &self,
        request: &Request,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Verdict>,
    ) -> Result<T, ApiError> {
        let route = request.route.template;
        let mut delays = self.delays();
        let mut tries = 0;
        let mut limit_waits = 0;
        loop {
            self.budget.admit(request.route, self.clock.as_ref(), deadline).await?;
            tries += 1;
            let verdict = match self.exchange(request, deadline).await {
                Ok((answer, etag)) => match read(&answer) {
                    Ok(value) => {
                        self.keep(request, &answer, etag);
                        return Ok(value);
                    }
                    Err(verdict) => {
                        self.cache().forget(request.url.as_str());
                        verdict
                    }
                },
                Err(verdict) => verdict,
            };
            match verdict {
                Verdict::GiveUp(error) => return Err(error),
                Verdict::Wait(limit) => {
                    limit_waits += 1;
                    let wait = self.limit_wait(limit, limit_waits);
                    if limit_waits > MOST_LIMIT_WAITS {
                        return Err(ApiError::Unavailable {
                            route,
                            tries,
                            reason: "the rate limit kept coming back".to_owned(),
                        });
                    }
                    // Requests side by side meet the same limit; it is told once.
                    if self.budget.pause(request.route.resource, wait) {
                        tracing::warn!(
                            route,
                            wait_seconds = wait.as_secs(),
                            "GitHub's rate limit is reached; waiting"
                        );
                    }
                }
                Verdict::TryAgain { reason, at_least } => {
                    let Some(delay) = delays.next() else {
                        return Err(ApiError::Unavailable { route, tries, reason });
                    };
                    let delay = delay.max(at_least);
                    if !deadline.allows(delay) {
                        return Err(ApiError::DeadlineReached { route });
                    }
                    tracing::debug!(route, %reason, delay_ms = delay.as_millis(), "trying again");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    /// Reads a list to its end, page by page in order, each with `fetch`. Pages whose addresses are known are fetched
    /// side by side.
    ///
    /// After an error the pages before it have been handed to `on_page`.
    pub async fn each_page<T, F>(
        &self,
        route: &Route,
        first: Url,
        fetch: impl Fn(Url) -> F,
        mut on_page: impl FnMut(T, &Links),
    ) -> Result<(), ApiError>
    where
        F: Future<Output = Result<(T, Links), ApiError>>,
    {
        let contract = |reason: String| ApiError::Contract {
            route: route.template,
            reason,
        };
        let mut pages_read = 0;
        let mut ahead = vec![first];
        while !ahead.is_empty() {
            pages_read += ahead.len();
            if pages_read > MOST_PAGES {
                return Err(contract(format!("the list has more than {MOST_PAGES} pages")));
            }
            if !ahead.iter().all(|url| self.origin.owns(url)) {
                return Err(contract(
                    "a page links to another host; credentials stay here".to_owned(),
                ));
            }
            let mut links = Links::default();
            let mut pages = futures::stream::iter(ahead).map(&fetch).buffered(SIDE_BY_SIDE);
            while let Some(answer) = pages.next().await {
                let page;
                (page, links) = answer?;
                on_page(page, &links);
            }
            ahead = link::pages_between(&links).unwrap_or_else(|| links.next.into_iter().collect());
        }
        Ok(())
    }

    fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::default()
            .with_min_delay(self.patience.first_delay)
            .with_max_delay(self.patience.longest_delay)
            .with_max_times(self.patience.tries.saturating_sub(1))
            .with_jitter()
            .build()
    }

    fn limit_wait(&self, limit: Limit, nth: u32) -> Duration {
        match limit {
            // A reset that has passed by our clock has not by GitHub's.
            Limit::Until(reset_at) => budget::until(reset_at, self.clock.now()).max(self.patience.first_delay),
            Limit::For(wait) => wait,
            Limit::Unspecified => self
                .patience
                .secondary_wait
                .saturating_mul(2_u32.saturating_pow(nth - 1)),
        }
    }

    /// One request and its whole answer, with the entity tag to keep it under if it is not kept as it is.
    async fn exchange(&self, request: &Request, deadline: Deadline) -> Result<(Answer, Option<String>), Verdict> {
        let known_etag = match request.call {
            Call::Get(Keep::Body | Keep::Tag) => self.cache().etag(request.url.as_str()),
            Call::Get(Keep::Nothing) | Call::Post(_) => None,
        };
        let builder = match &request.call {
            Call::Get(_) => self.client.request(Method::GET, request.url.clone()),
            Call::Post(body) => self
                .client
                .request(Method::POST, request.url.clone())
                .body(body.clone()),
        };
        let mut builder = builder
            .headers(self.headers.clone())
            .bearer_auth(request.token.expose_secret());
        if let Some(etag) = &known_etag {
            builder = builder.header(IF_NONE_MATCH, etag);
        }
        if let Some(left) = deadline.remaining() {
            builder = builder.timeout(self.patience.answer.min(left));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = builder.send().await.map_err(|error| self.passing_fault(&error))?;
        let status = response.status();
        let link = text(response.headers(), &LINK);
        let etag = text(response.headers(), &ETAG);
        let rate = rate_headers(response.headers());
        self.budget.note(request.route.resource, rate);
        let body = response.bytes().await.map_err(|error| self.passing_fault(&error))?;
        judge(request.route, status.as_u16(), rate, &body)?;
        if status == StatusCode::NOT_MODIFIED {
            let kept = self.cache().page(request.url.as_str());
            let mut answer = kept.map_err(|_| Verdict::passing("unchanged, but the kept page does not read back"))?;
            // The list may have grown behind a page that did not change: then only its links tell.
            if link.is_none() || link == answer.link {
                return Ok((answer, None));
            }
            answer.link = link;
            return Ok((answer, known_etag));
        }
        let answer = Answer {
            body,
            link,
            is_unchanged: false,
        };
        Ok((answer, etag))
    }

    /// Keeps a page that was read: one that could not be would come back as unchanged for ever.
    fn keep(&self, request: &Request, answer: &Answer, etag: Option<String>) {
        let body: &[u8] = match request.call {
            Call::Get(Keep::Body) => &answer.body,
            Call::Get(Keep::Tag) => &[],
            Call::Get(Keep::Nothing) | Call::Post(_) => return,
        };
        if let Some(etag) = etag
            && let Err(error) = self.cache().keep(request.url.as_str(), etag, answer.link.clone(), body)
        {
            tracing::debug!(%error, "a page is not kept");
        }
    }

    /// Connections fail, bodies are cut, answers do not come: each may be better the next time. The text is ours, because
    /// the library's holds the address.
    fn passing_fault(&self, error: &reqwest::Error) -> Verdict {
        let reason = if error.is_timeout() {
            "no complete answer in time"
        } else if error.is_connect() {
            return Verdict::passing(format!("no connection to {}", self.origin));
        } else if error.is_body() || error.is_decode() {
            "the body was cut off"
        } else {
            "the connection broke"
        };
        Verdict::passing(reason)
    }

    fn cache(&self) -> MutexGuard<'_, PageCache> {
        // A poisoned lock means another task panicked; the pages are still pages.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rate_headers(headers: &HeaderMap) -> RateHeaders {
    let number = |name: HeaderName| text(headers, &name)?.trim().parse::<u64>().ok();
    RateHeaders {
        limit: number(HeaderName::from_static("x-ratelimit-limit")),
        remaining: number(HeaderName::from_static("x-ratelimit-remaining")),
        reset_at: number(HeaderName::from_static("x-ratelimit-reset"))
            .and_then(|seconds| Timestamp::from_second(seconds.cast_signed()).ok()),
        retry_after: number(RETRY_AFTER).map(Duration::from_secs),
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
