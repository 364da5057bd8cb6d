//! The audit feed: the Office 365 Management Activity API, which lists blobs of audit records and hands them out.
//!
//! A service of its own beside Graph, with its own host, permission and limit. It needs a subscription, which is made once
//! and which an administrator can disable. Content is listed by when it became available, not by when things happened, and
//! the same record may come in several blobs.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use uptake_domain::calendar::{Window, to_seconds};
use url::Url;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::retry::Verdict;
use crate::http::{CallRecord, Patience, Resource, Route};
use crate::microsoft::pages::NextPage;
use crate::microsoft::service::Service;
use crate::microsoft::{Principal, Raw, read_json, utc};
use crate::origin::Origin;

/// The longest window that content may be listed for (learn.microsoft.com, Office 365 Management Activity API reference,
/// "List available content", read 2026-11-22).
pub const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// How long ago a window may begin, which is as long as content is kept (same page).
pub const REACHES_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Where the API lies for everybody, and what its tokens are asked for.
const PUBLIC_MANAGEMENT: &str = "https://manage.office.com";
/// The content that interactions with Copilot are in: what no other content type holds.
const CONTENT_TYPE: &str = "Audit.General";
/// The parameter that gives a tenant a quota of its own. Requests without it share one with everybody else's.
const PUBLISHER: &str = "PublisherIdentifier";

const GRANT: &str = "grant the application permission ActivityFeed.Read of \"Office 365 Management APIs\" and let an administrator consent to it";
const NO_FEED: &str = "check UPTAKE_TENANT_ID and UPTAKE_MANAGEMENT_URL";

static CONTENT: Route = Route {
    template: "GET /api/v1.0/{tenant}/activity/feed/subscriptions/content",
    resource: Resource::Activity,
    grant: GRANT,
    not_found: NO_FEED,
    is_download: false,
};
static BLOB: Route = Route {
    template: "GET /api/v1.0/{tenant}/activity/feed/audit/{content}",
    resource: Resource::Activity,
    grant: GRANT,
    not_found: NO_FEED,
    is_download: false,
};
static LIST: Route = Route {
    template: "GET /api/v1.0/{tenant}/activity/feed/subscriptions/list",
    resource: Resource::Activity,
    grant: GRANT,
    not_found: NO_FEED,
    is_download: false,
};
static START: Route = Route {
    template: "POST /api/v1.0/{tenant}/activity/feed/subscriptions/start",
    resource: Resource::Activity,
    grant: GRANT,
    not_found: NO_FEED,
    is_download: false,
};
static STOP: Route = Route {
    template: "POST /api/v1.0/{tenant}/activity/feed/subscriptions/stop",
    resource: Resource::Activity,
    grant: GRANT,
    not_found: NO_FEED,
    is_download: false,
};

/// The client of the audit feed.
pub struct ActivityFeed {
    service: Service,
}

/// A blob of audit records that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentBlob {
    /// Its id, an opaque text.
    pub id: String,
    /// When it became available.
    pub created_at: Timestamp,
    /// When it ceases to be.
    pub expires_at: Option<Timestamp>,
    /// Where the listing says it lies, if that is within the feed.
    url: Option<Url>,
}

impl ContentBlob {
    /// One that is known by its id, from a notification for example. Where it lies follows from the id alone.
    pub fn new(id: impl Into<String>, created_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self {
            id: id.into(),
            created_at,
            expires_at,
            url: None,
        }
    }
}

/// A page of the content of a window.
#[derive(Debug)]
pub struct ContentPage {
    /// What became available, in that order.
    pub blobs: Vec<ContentBlob>,
    /// The page after this one.
    pub next: Option<NextPage>,
}

/// A subscription of the application's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// To what, such as `Audit.General`.
    pub content_type: String,
    /// `enabled` or `disabled`; not every answer says.
    pub status: Option<String>,
    /// Who is notified.
    pub webhook: Option<Webhook>,
}

/// Who is notified of new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `enabled`, `disabled` after too many failures, or `expired`.
    pub status: Option<String>,
    /// Where to.
    pub address: String,
    /// Until when; for ever without.
    pub expiration: Option<Timestamp>,
}

/// Who is to be notified of new content.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where to. Plain HTTP only on this machine, for an API that is a simulator on it.
    pub address: Url,
    /// What each notification is to bring as `Webhook-AuthID`.
    pub auth_id: SecretString,
}

impl ActivityFeed {
    /// A client that signs in at `login` and asks `management` about the principal's tenant. It keeps a journal of its
    /// calls.
    pub fn new(
        login: Origin,
        management: Origin,
        principal: Principal,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        let service = Service::new(login, management, PUBLIC_MANAGEMENT, principal, clock, patience)?;
        Ok(Self { service })
    }

    /// Requests sent so far, retries and sign-ins included.
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

    /// A page of the content that became available in the window: the first, or the one that the page before names. The
    /// window is no longer than [`LONGEST_WINDOW`] and begins no longer ago than [`REACHES_BACK`]; seconds count.
    pub async fn content(
        &self,
        window: Window,
        next: Option<NextPage>,
        deadline: Deadline,
    ) -> Result<ContentPage, ApiError> {
        let this = next.unwrap_or_else(|| {
            let mut url = self.at(&["subscriptions", "content"]);
            url.query_pairs_mut()
                .append_pair("contentType", CONTENT_TYPE)
                .append_pair("startTime", &civil_seconds(window.from))
                .append_pair("endTime", &civil_seconds(window.to));
            NextPage::first(self.as_publisher(url))
        });
        let (blobs, link) = self
            .service
            .get(&CONTENT, this.url(), deadline, |answer| {
                let records: Vec<ContentRecord> = read_json(&CONTENT, &answer.body)?;
                answer.holds(records.len());
                let blobs: Option<Vec<_>> = records.into_iter().map(|record| self.listed(record)).collect();
                let blobs = blobs.ok_or_else(|| contract(&CONTENT, "content has no id or no instant of creation"));
                Ok((blobs.map_err(Verdict::GiveUp)?, answer.next_page_uri.clone()))
            })
            .await?;
        Ok(ContentPage {
            blobs,
            next: this.after(self.next_page(link)?, self.service.origin(), &CONTENT)?,
        })
    }

    /// The audit records of a blob, each as Microsoft wrote it, with the bytes they came in. Blobs may be read side by
    /// side. One that is no longer there ends in [`ApiError::Gone`].
    pub async fn blob(&self, blob: &ContentBlob, deadline: Deadline) -> Result<Raw<Vec<Box<RawValue>>>, ApiError> {
        let url = match &blob.url {
            Some(url) => url.clone(),
            None if matches!(blob.id.trim(), "" | "." | "..") => {
                return Err(contract(&BLOB, "the content's id is none"));
            }
            None => self.at(&["audit", &blob.id]),
        };
        self.service
            .get(&BLOB, self.as_publisher(url), deadline, |answer| {
                let records: Vec<Box<RawValue>> = read_json(&BLOB, &answer.body)?;
                answer.holds(records.len());
                Ok(Raw {
                    body: answer.body.clone(),
                    value: records,
                })
            })
            .await
    }

    /// The application's subscriptions, to whatever content.
    pub async fn subscriptions(&self, deadline: Deadline) -> Result<Vec<Subscription>, ApiError> {
        let url = self.as_publisher(self.at(&["subscriptions", "list"]));
        self.service
            .get(&LIST, url, deadline, |answer| {
                let records: Vec<SubscriptionRecord> = read_json(&LIST, &answer.body)?;
                answer.holds(records.len());
                Ok(records.into_iter().map(Subscription::from).collect())
            })
            .await
    }

    /// Subscribes to the content that Copilot's records are in, or enables the subscription again. It then has this
    /// webhook, or none: one that was there is removed where none is given. Microsoft first calls the webhook, which has to
    /// answer 200. A subscription that is already as it should be stays so.
    pub async fn start(&self, webhook: Option<NewWebhook>, deadline: Deadline) -> Result<(), ApiError> {
        let body = match webhook {
            // What may be fetched in the clear may be sent to in the clear: only what is on this machine.
            Some(NewWebhook { address, .. }) if !self.service.origin().trusts_download(&address) => {
                return Err(ApiError::Configuration(
                    "the webhook's address must begin with https://; Microsoft notifies no other".to_owned(),
                ));
            }
            Some(NewWebhook { address, auth_id }) => json!({
                "webhook": {"address": address.as_str(), "authId": auth_id.expose_secret(), "expiration": ""}
            })
            .to_string(),
            None => String::new(),
        };
        let url = self.of_content_type(&["subscriptions", "start"]);
        self.service.post(&START, url, body, deadline, |_| Ok(())).await
    }

    /// Ends the subscription; content that becomes available before the next one begins cannot be had any more. Without a
    /// subscription, or with one that is disabled, there is nothing to end.
    pub async fn stop(&self, deadline: Deadline) -> Result<(), ApiError> {
        let url = self.of_content_type(&["subscriptions", "stop"]);
        match self.service.post(&STOP, url, String::new(), deadline, |_| Ok(())).await {
            Err(ApiError::NotSubscribed { .. } | ApiError::SubscriptionDisabled { .. }) => Ok(()),
            answer => answer,
        }
    }

    fn at(&self, path: &[&str]) -> Url {
        let root = ["api", "v1.0", self.service.tenant(), "activity", "feed"];
        self.service.at(&[&root, path].concat())
    }

    fn of_content_type(&self, path: &[&str]) -> Url {
        let mut url = self.at(path);
        url.query_pairs_mut().append_pair("contentType", CONTENT_TYPE);
        self.as_publisher(url)
    }

    /// The same address as the tenant asks for it.
    fn as_publisher(&self, mut url: Url) -> Url {
        if !url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case(PUBLISHER)) {
            url.query_pairs_mut().append_pair(PUBLISHER, self.service.tenant());
        }
        url
    }

    fn listed(&self, record: ContentRecord) -> Option<ContentBlob> {
        let url = record.uri.and_then(|text| Url::parse(&text).ok());
        Some(ContentBlob {
            id: Some(record.id).filter(|id| !id.trim().is_empty())?,
            created_at: utc(&record.created)?,
            expires_at: record.expiration.as_deref().and_then(utc),
            url: url.filter(|url| {
                matches!(self.within_the_feed(url).as_deref(), Some([kind, id])
                    if kind.eq_ignore_ascii_case("audit") && !id.is_empty())
            }),
        })
    }

    /// The page that a header names. It must be another page of the same list, because the credential goes there.
    fn next_page(&self, link: Option<String>) -> Result<Option<String>, ApiError> {
        let Some(link) = link.filter(|link| !link.trim().is_empty()) else {
            return Ok(None);
        };
        let url = Url::parse(link.trim()).map_err(|_| contract(&CONTENT, "a page links to what is not an address"))?;
        if !self.service.origin().owns(&url) {
            return Err(contract(
                &CONTENT,
                "a page links to another host; credentials stay here",
            ));
        }
        match self.within_the_feed(&url).as_deref() {
            Some(["subscriptions", "content"]) => Ok(Some(self.as_publisher(url).into())),
            _ => Err(contract(&CONTENT, "a page links to what is not a page of its list")),
        }
    }

    /// The end of a path that lies in this tenant's feed. The reference writes the version as `v1.0` and, where it shows the
    /// link to a page, as `v1`.
    fn within_the_feed<'a>(&self, url: &'a Url) -> Option<Vec<&'a str>> {
        let path: Vec<&str> = url.path_segments()?.collect();
        let (root, rest) = path.split_at_checked(5)?;
        let is_ours = self.service.origin().owns(url)
            && matches!(root, ["api", "v1.0" | "v1", tenant, "activity", "feed"]
                if tenant.eq_ignore_ascii_case(self.service.tenant()));
        is_ours.then(|| rest.to_vec())
    }
}

fn contract(route: &Route, reason: &str) -> ApiError {
    ApiError::Contract {
        route: route.template,
        reason: reason.to_owned(),
    }
}

/// An instant in UTC as the API wants it, `YYYY-MM-DDTHH:MM:SS`.
fn civil_seconds(instant: Timestamp) -> String {
    to_seconds(instant).trim_end_matches('Z').to_owned()
}

#[derive(Deserialize)]
struct ContentRecord {
    #[serde(rename = "contentId")]
    id: String,
    #[serde(rename = "contentUri")]
    uri: Option<String>,
    #[serde(rename = "contentCreated")]
    created: String,
    #[serde(rename = "contentExpiration")]
    expiration: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionRecord {
    content_type: String,
    status: Option<String>,
    webhook: Option<WebhookRecord>,
}

#[derive(Deserialize)]
struct WebhookRecord {
    status: Option<String>,
    address: Option<String>,
    expiration: Option<String>,
}

impl From<SubscriptionRecord> for Subscription {
    fn from(record: SubscriptionRecord) -> Self {
        Self {
            content_type: record.content_type,
            status: record.status,
            webhook: record.webhook.map(|webhook| Webhook {
                status: webhook.status,
                address: webhook.address.unwrap_or_default(),
                expiration: webhook.expiration.as_deref().and_then(utc),
            }),
        }
    }
}
