//! One request, with everything that can go wrong between sending it and holding a good answer.

pub mod cache;
pub mod link;
pub mod retry;

mod budget;
mod journal;

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, LINK, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::origin::Origin;
use budget::Budget;
use cache::PageCache;
use journal::Journal;
use link::Links;
use retry::{Limit, RateHeaders, SECONDARY_LIMIT_WAIT, Verdict, judge, judge_download};

pub use journal::CallRecord;

/// Pages fetched side by side. GitHub allows 100 concurrent requests in all and asks for few (docs.github.com, REST best
/// practices, read 2026-11-21); eight hide the latency of a page and leave room for others.
pub const SIDE_BY_SIDE: usize = 8;
/// A list that has more pages than this is a loop.
const MOST_PAGES: usize = 20_000;
/// A wait as long as this is told: somebody may be watching.
const WORTH_TELLING: Duration = Duration::from_secs(2);
/// Limits waited for before a request is given up, or as many as there are retries if that is more: a limit that keeps
/// coming back is not passing.
const MOST_LIMIT_WAITS: usize = 4;
/// Redirects followed for one request.
const MOST_REDIRECTS: usize = 4;
/// Tries in all against Microsoft's passing faults: five retries.
const MICROSOFT_TRIES: usize = 6;

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
    /// Whether the answer may lie at a pre-authenticated address on another host, as Graph's reports do. Such a redirect
    /// is followed with nothing of ours; on other routes nothing leads away from the upstream.
    pub is_download: bool,
}

/// What the upstreams count apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// GitHub's REST.
    Core,
    /// GitHub's GraphQL.
    Graphql,
    /// Microsoft Graph's directory: 3,500 resource units in ten seconds for the smallest tenant, and a page of users is
    /// one or two (learn.microsoft.com, Graph throttling limits, read 2026-11-22). One reader cannot reach that.
    Graph,
    /// Microsoft Graph's reports: 14 requests in ten minutes (same page). A collection makes a handful, so that holding
    /// back ahead would only delay it; a 429 says how long to wait.
    Reports,
    /// The audit feed of the Office 365 Management Activity API, which counts the requests of a minute.
    Activity,
    /// Microsoft's sign-in.
    Login,
    /// Grafana, which counts nothing.
    Grafana,
}

impl Resource {
    /// Whose it is, as errors and warnings name it.
    pub fn upstream(self) -> &'static str {
        match self {
            Self::Core | Self::Graphql => "GitHub",
            Self::Graph | Self::Reports => "Microsoft Graph",
            Self::Activity => "the Management Activity API",
            Self::Login => "Microsoft's sign-in",
            Self::Grafana => "Grafana",
        }
    }
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

    /// For Microsoft, on whose side a report of 15 MB may have to be made before its first byte comes.
    pub fn for_microsoft() -> Self {
        Self {
            answer: Duration::from_mins(2),
            silence: Duration::from_secs(30),
            tries: MICROSOFT_TRIES,
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
    /// The credential, as a bearer token; `None` where the request itself holds it.
    pub token: Option<SecretString>,
    /// What is asked.
    pub call: Call,
}

/// What is asked of an address.
#[derive(Clone, Debug)]
pub enum Call {
    /// What is there.
    Get(Keep),
    /// To take this JSON, which may hold a secret.
    Post(SecretString),
    /// To take this JSON in place of what is there.
    Put(SecretString),
    /// To take this form, which holds a secret.
    Form(SecretString),
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
    /// Its `NextPageUri` header, with which the Management Activity API names the page after this one.
    pub next_page_uri: Option<String>,
    /// Whether it is as it was before (304).
    pub is_unchanged: bool,
    /// Records in it, once somebody has counted them.
    records: Cell<Option<u64>>,
}

impl Answer {
    /// The body as JSON; one that cannot be read was cut in transit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Verdict> {
        serde_json::from_slice(&self.body).map_err(|_| Verdict::passing("the body is not the JSON it should be"))
    }

    /// Tells the journal how many records are in it.
    pub fn holds(&self, records: usize) {
        self.records.set(u64::try_from(records).ok());
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
    refused_body: Mutex<Option<Bytes>>,
    requests: AtomicU64,
    credential_ends_at: Mutex<Option<Timestamp>>,
    journal: Option<Journal>,
}

impl Http {
    /// A client for one origin that sends `headers` with every request.
    pub fn new(
        origin: Origin,
        headers: HeaderMap,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
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
            // Which redirects are followed, and with what, is decided request by request.
            .redirect(redirect::Policy::none())
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
            refused_body: Mutex::default(),
            requests: AtomicU64::new(0),
            credential_ends_at: Mutex::default(),
            journal: None,
        })
    }

    /// The same client with a journal, for upstreams that are asked a few thousand times rather than forty thousand.
    #[must_use]
    pub fn with_journal(mut self) -> Self {
        self.journal = Some(Journal::default());
        self
    }

    /// The exchanges since this was last asked; none without a journal.
    pub fn take_calls(&self) -> Vec<CallRecord> {
        self.journal.as_ref().map(Journal::take).unwrap_or_default()
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

    /// When the credential that was sent expires, as the last answer that told said: GitHub's do, for tokens with an end.
    pub fn credential_ends_at(&self) -> Option<Timestamp> {
        *lock(&self.credential_ends_at)
    }

    /// Requests left of the primary limit, as the last answer said.
    pub fn budget_left(&self, resource: Resource) -> Option<u64> {
        self.budget.remaining(resource)
    }

    /// The primary limit itself, as the last answer said.
    pub fn budget_limit(&self, resource: Resource) -> Option<u64> {
        self.budget.limit(resource)
    }

    /// The body of the last answer that came whole and was not understood, once.
    pub fn take_refused_body(&self) -> Option<Bytes> {
        lock(&self.refused_body).take()
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
            let mut call = CallRecord {
                at: self.clock.now(),
                route,
                http_status: None,
                duration: Duration::ZERO,
                records: None,
                error: None,
            };
            let begun = Instant::now();
            let answer = self.exchange(request, deadline, &mut call.http_status).await;
            call.duration = begun.elapsed();
            let verdict = match answer {
                Ok((answer, etag)) => match read(&answer) {
                    Ok(value) => {
                        call.records = answer.records.get();
                        self.note(call);
                        self.keep(request, &answer, etag);
                        return Ok(value);
                    }
                    Err(verdict) => {
                        self.cache().forget(request.url.as_str());
                        *lock(&self.refused_body) = Some(answer.body.clone());
                        verdict
                    }
                },
                Err(verdict) => verdict,
            };
            call.error = Some(verdict.to_string());
            self.note(call);
            match verdict {
                Verdict::GiveUp(error) => return Err(error),
                Verdict::Wait(limit) => {
                    limit_waits += 1;
                    let wait = self.limit_wait(limit, limit_waits);
                    if limit_waits > MOST_LIMIT_WAITS.max(self.patience.tries.saturating_sub(1)) {
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
                            "{}'s rate limit is reached; waiting (it is safe to stop, the next run goes on)",
                            request.route.resource.upstream()
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
                    if delay >= WORTH_TELLING {
                        tracing::warn!(route, %reason, wait_seconds = delay.as_secs(), "no good answer yet; trying again");
                    } else {
                        tracing::debug!(route, %reason, delay_ms = delay.as_millis(), "trying again");
                    }
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

    fn limit_wait(&self, limit: Limit, nth: usize) -> Duration {
        match limit {
            // A reset that has passed by our clock has not by the upstream's.
            Limit::Until(reset_at) => budget::until(reset_at, self.clock.now()).max(self.patience.first_delay),
            Limit::For(wait) => wait,
            Limit::Unspecified => self
                .patience
                .secondary_wait
                .saturating_mul(u32::try_from(nth).map_or(u32::MAX, |nth| 2_u32.saturating_pow(nth.saturating_sub(1)))),
        }
    }

    fn note(&self, call: CallRecord) {
        if let Some(journal) = &self.journal {
            journal.add(call);
        }
    }

    /// One request and its whole answer, with the entity tag to keep it under if it is not kept as it is. The status is
    /// handed out as soon as it is known.
    async fn exchange(
        &self,
        request: &Request,
        deadline: Deadline,
        status_seen: &mut Option<u16>,
    ) -> Result<(Answer, Option<String>), Verdict> {
        let known_etag = match request.call {
            Call::Get(Keep::Body | Keep::Tag) => self.cache().etag(request.url.as_str()),
            Call::Get(Keep::Nothing) | Call::Post(_) | Call::Put(_) | Call::Form(_) => None,
        };
        let (response, is_home) = self
            .respond(request, known_etag.as_deref(), deadline, status_seen)
            .await?;
        let status = response.status();
        let link = text(response.headers(), &LINK);
        let next_page_uri = text(response.headers(), &HeaderName::from_static("nextpageuri"));
        let etag = text(response.headers(), &ETAG);
        let rate = rate_headers(response.headers(), self.clock.now());
        if is_home {
            self.budget.note(request.route.resource, rate);
            if let Some(ends_at) = credential_ends_at(response.headers()) {
                *lock(&self.credential_ends_at) = Some(ends_at);
            }
        }
        let body = response
            .bytes()
            .await
            .map_err(|error| self.passing_fault(&error, is_home))?;
        if is_home {
            judge(request.route, status.as_u16(), rate, &body)?;
        } else {
            judge_download(status.as_u16(), rate)?;
        }
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
            next_page_uri,
            is_unchanged: false,
            records: Cell::default(),
        };
        Ok((answer, etag))
    }

    /// Sends and follows redirects. A download is followed to wherever it lies, with nothing of ours; anything else only
    /// within the upstream, as GitHub does for renamed organisations. Says whether the answer is the upstream's own.
    async fn respond(
        &self,
        request: &Request,
        known_etag: Option<&str>,
        deadline: Deadline,
        status_seen: &mut Option<u16>,
    ) -> Result<(Response, bool), Verdict> {
        let mut url = request.url.clone();
        let mut is_home = true;
        let mut redirects = 0;
        loop {
            let mut builder = if is_home {
                self.with_credentials(request, url.clone(), known_etag)
            } else {
                self.client.get(url.clone())
            };
            if let Some(left) = deadline.remaining() {
                builder = builder.timeout(self.patience.answer.min(left));
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let response = builder
                .send()
                .await
                .map_err(|error| self.passing_fault(&error, is_home))?;
            *status_seen = Some(response.status().as_u16());
            let Some(target) = redirect_target(&response, &url).filter(|_| redirects < MOST_REDIRECTS) else {
                return Ok((response, is_home));
            };
            if request.route.is_download {
                is_home = false;
                if !self.origin.trusts_download(&target) {
                    return Err(Verdict::GiveUp(ApiError::Contract {
                        route: request.route.template,
                        reason: "the download lies at an address that is not https".to_owned(),
                    }));
                }
            } else if !self.origin.owns(&target) || !keeps_its_method(&request.call, response.status()) {
                return Ok((response, is_home));
            }
            redirects += 1;
            url = target;
        }
    }

    fn with_json(&self, method: Method, url: Url, body: &SecretString) -> RequestBuilder {
        self.client
            .request(method, url)
            .header(CONTENT_TYPE, "application/json")
            .body(body.expose_secret().to_owned())
    }

    fn with_credentials(&self, request: &Request, url: Url, known_etag: Option<&str>) -> RequestBuilder {
        let mut builder = match &request.call {
            Call::Get(_) => self.client.request(Method::GET, url),
            Call::Post(body) => self.with_json(Method::POST, url, body),
            Call::Put(body) => self.with_json(Method::PUT, url, body),
            Call::Form(body) => self
                .client
                .request(Method::POST, url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body.expose_secret().to_owned()),
        };
        builder = builder.headers(self.headers.clone());
        if let Some(token) = &request.token {
            builder = builder.bearer_auth(token.expose_secret());
        }
        if let Some(etag) = known_etag {
            builder = builder.header(IF_NONE_MATCH, etag);
        }
        builder
    }

    /// Keeps a page that was read: one that could not be would come back as unchanged for ever.
    fn keep(&self, request: &Request, answer: &Answer, etag: Option<String>) {
        let body: &[u8] = match request.call {
            Call::Get(Keep::Body) => &answer.body,
            Call::Get(Keep::Tag) => &[],
            Call::Get(Keep::Nothing) | Call::Post(_) | Call::Put(_) | Call::Form(_) => return,
        };
        if let Some(etag) = etag
            && let Err(error) = self.cache().keep(request.url.as_str(), etag, answer.link.clone(), body)
        {
            tracing::debug!(%error, "a page is not kept");
        }
    }

    /// Connections fail, bodies are cut, answers do not come: each may be better the next time. The text is ours, because
    /// the library's holds the address; where a download lies is not told at all.
    fn passing_fault(&self, error: &reqwest::Error, is_home: bool) -> Verdict {
        let reason = if error.is_timeout() {
            "no complete answer in time"
        } else if error.is_connect() && !is_home {
            "no connection to where the download lies"
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
        lock(&self.cache)
    }
}

/// Where a redirect leads.
fn redirect_target(response: &Response, from: &Url) -> Option<Url> {
    match response.status() {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => from.join(&text(response.headers(), &LOCATION)?).ok(),
        _ => None,
    }
}

/// Whether the redirected request is the same one: the older statuses may turn a POST into a GET (RFC 9110, 15.4).
fn keeps_its_method(call: &Call, status: StatusCode) -> bool {
    matches!(call, Call::Get(_)) || matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
}

fn rate_headers(headers: &HeaderMap, now: Timestamp) -> RateHeaders {
    let number = |name: HeaderName| text(headers, &name)?.trim().parse::<u64>().ok();
    RateHeaders {
        limit: number(HeaderName::from_static("x-ratelimit-limit")),
        remaining: number(HeaderName::from_static("x-ratelimit-remaining")),
        reset_at: number(HeaderName::from_static("x-ratelimit-reset"))
            .and_then(|seconds| Timestamp::from_second(seconds.cast_signed()).ok()),
        retry_after: text(headers, &RETRY_AFTER).and_then(|value| retry::retry_after(&value, now)),
    }
}

/// GitHub writes `2026-12-24 08:00:00 UTC` or `2026-12-24 09:00:00 +0100` (google/go-github, pull requests 2031 and 2650,
/// read 2026-11-22).
fn credential_ends_at(headers: &HeaderMap) -> Option<Timestamp> {
    let name = HeaderName::from_static("github-authentication-token-expiration");
    let told = text(headers, &name)?.replace(" UTC", " +0000");
    Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", told).ok()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A poisoned lock means another task panicked; what it holds is still what it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
