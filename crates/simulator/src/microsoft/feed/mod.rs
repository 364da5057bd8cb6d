//! The Office 365 Management Activity API (UPSTREAM 4.8): what every request to it must have, and which content there is.

pub(crate) mod delivery;
mod denial;

pub(super) mod content;
pub(crate) mod subscriptions;

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, Uri},
};

pub(super) use self::{content::Turn, denial::Denial};
use super::{TENANT, functions, limits::Budget, login::Resource};
use crate::world::World;

pub(super) const START: &str = "/api/v1.0/{tenant}/activity/feed/subscriptions/start";
pub(super) const STOP: &str = "/api/v1.0/{tenant}/activity/feed/subscriptions/stop";
pub(super) const LIST: &str = "/api/v1.0/{tenant}/activity/feed/subscriptions/list";
pub(super) const CONTENT: &str = "/api/v1.0/{tenant}/activity/feed/subscriptions/content";
pub(super) const NOTIFICATIONS: &str = "/api/v1.0/{tenant}/activity/feed/subscriptions/notifications";
pub(super) const AUDIT: &str = "/api/v1.0/{tenant}/activity/feed/audit/{content_id}";

/// A kind of content that can be subscribed to, by its place in [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContentType(usize);

const NAMES: [&str; 5] = [
    "Audit.AzureActiveDirectory",
    "Audit.Exchange",
    "Audit.SharePoint",
    "Audit.General",
    "DLP.All",
];

impl ContentType {
    /// Where Copilot is.
    pub(super) const GENERAL: Self = Self(3);

    fn of(uri: &Uri) -> Result<Self, Denial> {
        let query = functions::query(uri);
        let given = query.get("contentType").ok_or(Denial::Missing("contentType"))?;
        let place = NAMES.iter().position(|name| name.eq_ignore_ascii_case(given));
        place.map(Self).ok_or(Denial::NoContentType)
    }

    fn name(self) -> &'static str {
        NAMES[self.0]
    }
}

/// Admits a request: a token for this API, the tenant of the token, room under the limit, a publisher.
pub(super) fn admit(world: &World, request: &Request) -> Result<(), Denial> {
    let microsoft = &world.microsoft;
    let uri = request.uri();
    if !microsoft
        .tokens
        .is_good(request.headers(), Resource::Management, &world.clock)
    {
        return Err(Denial::NoToken);
    }
    let tenant = uri.path().split('/').nth(3).unwrap_or_default();
    if !is_guid(tenant) {
        return Err(Denial::NoGuid(tenant.to_owned()));
    }
    if !tenant.eq_ignore_ascii_case(TENANT) {
        return Err(Denial::OtherTenant(tenant.to_owned()));
    }
    let publisher = functions::query(uri).remove("PublisherIdentifier");
    if publisher.is_none() {
        world.requests().without_publisher += 1;
    }
    if let Err(wait) = microsoft.limits.draw(Budget::Feed, &world.clock) {
        let is_blob = request
            .extensions()
            .get::<MatchedPath>()
            .is_some_and(|route| route.as_str() == AUDIT);
        return Err(Denial::TooMany {
            method: if is_blob { "GetBlob" } else { method(request.method()) }.to_owned(),
            publisher: publisher.unwrap_or_else(|| denial::NOBODY.to_owned()),
            // Both kinds of refusal are seen in the wild.
            retry_after: microsoft.limits.is_second_refusal().then_some(wait),
        });
    }
    // The reference asks for it and gives those without it a quota they share with others; here they have none.
    match publisher {
        None => Err(Denial::Missing("PublisherIdentifier")),
        Some(publisher) if !is_guid(&publisher) => Err(Denial::WrongType {
            parameter: "PublisherIdentifier",
            expected: "guid",
        }),
        Some(_) => Ok(()),
    }
}

fn method(method: &Method) -> &'static str {
    if method == Method::POST { "POST" } else { "GET" }
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
