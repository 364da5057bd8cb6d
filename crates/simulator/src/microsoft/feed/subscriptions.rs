//! Subscriptions to content types: started, stopped, listed, each with a webhook or without.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex};

use axum::{
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        audit::{Blob, milliseconds},
        refusal::Refusal,
    },
    ContentType, content,
    delivery::Attempt,
    denial::Denial,
};
use crate::{
    Scenario,
    scenario::AuditSubscription,
    world::{World, lock},
};

/// The subscriptions of the one application, by content type.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    by_type: Mutex<BTreeMap<ContentType, Subscription>>,
}

/// A subscription, whoever started it.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    is_enabled: bool,
    /// From when on there is content, in milliseconds since 1970.
    since: i64,
    started_at: Option<Timestamp>,
    pub(super) webhook: Option<Webhook>,
    /// What was sent to webhooks, or should have been.
    pub(super) attempts: Vec<Attempt>,
}

/// An address that is told of new content.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    pub(super) address: String,
    pub(super) auth_id: Option<String>,
    expiration: Option<Timestamp>,
    is_disabled: bool,
    /// What is made from here on has not been told yet, in milliseconds since 1970.
    pub(super) untold_from: i64,
    /// What could not be told, and how often it was tried.
    pub(super) failed: Vec<(Blob, u32)>,
}

#[derive(Default, Deserialize)]
struct Body {
    webhook: Option<Wanted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    address: Option<String>,
    auth_id: Option<String>,
    expiration: Option<String>,
}

impl Webhook {
    /// What a request to start wants; nothing where it has no body.
    fn wanted(body: &[u8], now: Timestamp) -> Result<Option<Self>, Denial> {
        let body = if body.trim_ascii().is_empty() {
            Body::default()
        } else {
            serde_json::from_slice(body).map_err(|_| Denial::WrongType {
                parameter: "webhook",
                expected: "object",
            })?
        };
        let Some(wanted) = body.webhook else { return Ok(None) };
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let address = some(wanted.address).ok_or(Denial::Missing("address"))?;
        let expiration = some(wanted.expiration).map(|text| match text.parse::<Timestamp>() {
            Ok(at) if at > now => Ok(at),
            Ok(_) => Err(Denial::PastExpiration(text)),
            Err(_) => Err(Denial::WrongType {
                parameter: "expiration",
                expected: "datetime",
            }),
        });
        Ok(Some(Self {
            address,
            auth_id: some(wanted.auth_id),
            expiration: expiration.transpose()?,
            is_disabled: false,
            untold_from: milliseconds(now),
            failed: Vec::new(),
        }))
    }

    fn status(&self, now: Timestamp) -> &'static str {
        match self.expiration {
            Some(expiration) if expiration <= now => "expired",
            _ if self.is_disabled => "disabled",
            _ => "enabled",
        }
    }

    pub(super) fn is_enabled(&self, now: Timestamp) -> bool {
        self.status(now) == "enabled"
    }

    pub(super) fn disable(&mut self) {
        self.is_disabled = true;
    }

    fn told(&self, now: Timestamp) -> Value {
        json!({
            "status": self.status(now),
            "address": self.address,
            "authId": self.auth_id,
            "expiration": self.expiration,
        })
    }

    fn is_same(&self, other: &Self, now: Timestamp) -> bool {
        let facts = |webhook: &Self| (webhook.address.clone(), webhook.auth_id.clone(), webhook.expiration);
        self.is_enabled(now) && facts(self) == facts(other)
    }
}

impl Subscription {
    fn told(&self, content: ContentType, now: Timestamp) -> Value {
        json!({
            "contentType": content.name(),
            "status": if self.is_enabled { "enabled" } else { "disabled" },
            "webhook": self.webhook.as_ref().map(|webhook| webhook.told(now)),
        })
    }

    /// Whether starting it like this changes anything.
    fn is_as_wanted(&self, wanted: Option<&Webhook>, now: Timestamp) -> bool {
        let same_webhook = match (&self.webhook, wanted) {
            (None, None) => true,
            (Some(there), Some(wanted)) => there.is_same(wanted, now),
            _ => false,
        };
        self.is_enabled && same_webhook
    }
}

impl Subscriptions {
    /// As they are on the first day.
    pub(crate) fn new(scenario: &Scenario, since: i64) -> Self {
        let general = Subscription {
            is_enabled: scenario.audit_subscription == AuditSubscription::Enabled,
            since,
            started_at: None,
            webhook: None,
            attempts: Vec::new(),
        };
        let is_there = scenario.audit_subscription != AuditSubscription::Absent;
        let by_type = is_there.then_some((ContentType::GENERAL, general));
        Self {
            by_type: Mutex::new(by_type.into_iter().collect()),
        }
    }

    /// From when on this content can be had, if at all.
    pub(super) fn since(&self, content: ContentType) -> Result<i64, Denial> {
        let by_type = lock(&self.by_type);
        let subscription = by_type.get(&content).ok_or(Denial::NoSubscription)?;
        if subscription.is_enabled {
            Ok(subscription.since)
        } else {
            Err(Denial::Disabled)
        }
    }

    /// Those that are enabled, as they are now.
    pub(super) fn enabled(&self) -> Vec<(ContentType, Subscription)> {
        let by_type = lock(&self.by_type);
        let enabled = by_type.iter().filter(|(_, subscription)| subscription.is_enabled);
        enabled
            .map(|(content, subscription)| (*content, subscription.clone()))
            .collect()
    }

    /// Does something to one of them, where it is there.
    pub(super) fn with(&self, content: ContentType, change: impl FnOnce(&mut Subscription)) {
        if let Some(subscription) = lock(&self.by_type).get_mut(&content) {
            change(subscription);
        }
    }

    fn may_start(
        &self,
        content: ContentType,
        wanted: Option<&Webhook>,
        world: &World,
        now: Timestamp,
    ) -> Result<(), Denial> {
        let by_type = lock(&self.by_type);
        let Some(subscription) = by_type.get(&content) else {
            return Ok(());
        };
        let minutes = i64::try_from(world.settings.scenario.subscription_start_minutes).unwrap_or(i64::MAX);
        let pause = SignedDuration::from_secs(minutes.saturating_mul(60));
        let too_soon = |started_at: Timestamp| (SignedDuration::ZERO..pause).contains(&now.duration_since(started_at));
        if subscription.started_at.is_some_and(too_soon) {
            return Err(Denial::TooMany {
                method: "POST".to_owned(),
                publisher: super::denial::NOBODY.to_owned(),
                retry_after: pause.try_into().ok(),
            });
        }
        if subscription.is_as_wanted(wanted, now) {
            return Err(Denial::AlreadyEnabled);
        }
        Ok(())
    }

    fn start(&self, content: ContentType, webhook: Option<Webhook>, now: Timestamp) -> Value {
        let mut by_type = lock(&self.by_type);
        let subscription = by_type.entry(content).or_insert_with(|| Subscription {
            is_enabled: false,
            since: 0,
            started_at: None,
            webhook: None,
            attempts: Vec::new(),
        });
        if !subscription.is_enabled {
            subscription.is_enabled = true;
            subscription.since = milliseconds(now);
        }
        subscription.started_at = Some(now);
        subscription.webhook = webhook;
        subscription.told(content, now)
    }
}

/// `POST /api/v1.0/{tenant}/activity/feed/subscriptions/start`
pub(in super::super) async fn start(
    State(world): State<Arc<World>>,
    uri: Uri,
    body: Bytes,
) -> Result<Response, Refusal> {
    let content = ContentType::of(&uri)?;
    let subscriptions = &world.microsoft.subscriptions;
    let now = world.now();
    let wanted = Webhook::wanted(&body, now)?;
    subscriptions.may_start(content, wanted.as_ref(), &world, now)?;
    if let Some(webhook) = &wanted {
        world.microsoft.courier.validate(webhook).await?;
    }
    Ok(content::json_response(&subscriptions.start(content, wanted, now)))
}

/// `POST /api/v1.0/{tenant}/activity/feed/subscriptions/stop`
pub(in super::super) async fn stop(State(world): State<Arc<World>>, uri: Uri) -> Result<Response, Refusal> {
    let content = ContentType::of(&uri)?;
    world.microsoft.subscriptions.since(content)?;
    world.microsoft.subscriptions.with(content, |subscription| {
        subscription.is_enabled = false;
        subscription.webhook = None;
    });
    Ok(().into_response())
}

/// `GET /api/v1.0/{tenant}/activity/feed/subscriptions/list`
pub(in super::super) async fn list(State(world): State<Arc<World>>) -> Response {
    let now = world.now();
    let by_type = lock(&world.microsoft.subscriptions.by_type);
    let told: Vec<_> = by_type
        .iter()
        .map(|(content, subscription)| subscription.told(*content, now))
        .collect();
    content::json_response(&told)
}
