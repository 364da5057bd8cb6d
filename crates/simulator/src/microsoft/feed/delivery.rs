//! Notifications: what a webhook is told of new content, and what becomes of one that does not listen.

use std::{net::IpAddr, sync::Arc, sync::OnceLock, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, Uri, header::CONTENT_TYPE},
    response::Response,
};
use reqwest::{Client, redirect::Policy};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    super::{
        CLIENT_ID, TENANT,
        audit::{Blob, milliseconds},
        refusal::Refusal,
    },
    ContentType,
    content::{self, Range},
    denial::{Denial, NOT_HTTPS, NOT_OK},
    subscriptions::Webhook,
};
use crate::world::World;

/// How many blobs one notification tells of at most.
const MOST_PER_NOTIFICATION: usize = 10;

/// How often a notification is tried; Microsoft says neither how often nor for how long.
const TRIES: u32 = 3;

/// How long a webhook has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One notification of one blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) blob: Blob,
    /// In milliseconds since 1970.
    sent_at: i64,
    is_accepted: bool,
}

/// What came of delivering notifications once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// Requests to webhooks.
    pub posts: u64,
    /// Blobs of which a webhook has been told.
    pub accepted: u64,
    /// Blobs of which it has not, because its answer was not 200.
    pub refused: u64,
}

/// Who carries the notifications.
#[derive(Debug, Default)]
pub(crate) struct Courier {
    /// Made when it is first needed; none where the system has nothing to make one of.
    client: OnceLock<Option<Client>>,
}

impl Courier {
    /// Whether the address answers the question that every new webhook is asked.
    pub(super) async fn validate(&self, webhook: &Webhook) -> Result<(), Denial> {
        let denied = |why| Denial::Webhook {
            address: webhook.address.clone(),
            why,
        };
        if !is_on_this_machine(&webhook.address) {
            return Err(denied(NOT_HTTPS));
        }
        // Opaque to whoever gets it, and another one for another webhook.
        let sum = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let number = webhook.address.bytes().fold(0xcbf2_9ce4_8422_2325, sum);
        let code = format!("simulated-{number:016x}");
        let body = json!({"validationCode": code});
        if self.post(webhook, Some(&code), &body).await {
            Ok(())
        } else {
            Err(denied(NOT_OK))
        }
    }

    /// Whether the webhook said 200.
    async fn post(&self, webhook: &Webhook, code: Option<&str>, body: &Value) -> bool {
        let Some(client) = self.client.get_or_init(client) else {
            return false;
        };
        let mut request = client
            .post(&webhook.address)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body.to_string());
        if let Some(id) = &webhook.auth_id {
            request = request.header("Webhook-AuthID", id);
        }
        if let Some(code) = code {
            request = request.header("Webhook-ValidationCode", code);
        }
        request
            .send()
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

fn client() -> Option<Client> {
    let builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE);
    builder.build().ok()
}

/// The simulator tells nobody but whoever runs it; https would want a certificate.
fn is_on_this_machine(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("http") && is_loopback
}

/// Tells every webhook of the content that has come up to now and that it has not been told of.
pub(crate) async fn deliver(world: &World) -> Deliveries {
    let mut deliveries = Deliveries::default();
    for (content, subscription) in world.microsoft.subscriptions.enabled() {
        if let Some(webhook) = subscription.webhook.filter(|webhook| webhook.is_enabled(world.now())) {
            deliver_to(world, content, webhook, &mut deliveries).await;
        }
    }
    deliveries
}

async fn deliver_to(world: &World, content: ContentType, mut webhook: Webhook, deliveries: &mut Deliveries) {
    let now = milliseconds(world.now());
    let new = Range {
        from: webhook.untold_from,
        until: now + 1,
    };
    let mut untold: Vec<_> = std::mem::take(&mut webhook.failed);
    let seen = content::seen(world, content, new, webhook.untold_from);
    untold.extend(seen.into_iter().map(|blob| (blob, 0)));
    webhook.untold_from = webhook.untold_from.max(now + 1);
    let mut attempts = Vec::with_capacity(untold.len());
    for blobs in untold.chunks(MOST_PER_NOTIFICATION) {
        let told: Vec<_> = blobs
            .iter()
            .map(|(blob, _)| notification(world, content, *blob))
            .collect();
        let is_accepted = world.microsoft.courier.post(&webhook, None, &Value::from(told)).await;
        deliveries.posts += 1;
        let count = blobs.len() as u64;
        if is_accepted {
            deliveries.accepted += count;
        } else {
            deliveries.refused += count;
            webhook
                .failed
                .extend(blobs.iter().map(|(blob, tries)| (*blob, tries + 1)));
        }
        attempts.extend(blobs.iter().map(|(blob, _)| Attempt {
            blob: *blob,
            sent_at: now,
            is_accepted,
        }));
    }
    if webhook.failed.iter().any(|(_, tries)| *tries >= TRIES) {
        webhook.failed.clear();
        webhook.disable();
    }
    world.microsoft.subscriptions.with(content, |subscription| {
        subscription.attempts.extend(attempts);
        // Unless it was taken away, or another one put in its place.
        if let Some(there) = subscription.webhook.as_mut()
            && there.address == webhook.address
        {
            *there = webhook;
        }
    });
}

fn notification(world: &World, content: ContentType, blob: Blob) -> Value {
    let mut told = content::told(world, content, blob);
    told["tenantId"] = TENANT.into();
    told["clientId"] = CLIENT_ID.into();
    told
}

/// `GET /api/v1.0/{tenant}/activity/feed/subscriptions/notifications`
pub(in super::super) async fn list(State(world): State<Arc<World>>, uri: Uri) -> Result<Response, Refusal> {
    let content = ContentType::of(&uri)?;
    let subscriptions = &world.microsoft.subscriptions;
    subscriptions.since(content)?;
    let range = Range::of(&uri, world.now())?;
    let mut items = Vec::new();
    subscriptions.with(content, |subscription| {
        let attempts = subscription.attempts.iter();
        items = attempts
            .filter(|attempt| range.contains(attempt.blob))
            .map(|attempt| {
                let mut told = content::told(&world, content, attempt.blob);
                told["notificationSent"] = content::written(attempt.sent_at).into();
                told["notificationStatus"] = if attempt.is_accepted { "success" } else { "failure" }.into();
                told
            })
            .collect();
    });
    Ok(content::page(&world, &uri, content, range, &items)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_told() {
        for good in ["http://127.0.0.1:80/hook", "http://localhost/", "http://[::1]:8080"] {
            assert!(is_on_this_machine(good), "{good}");
        }
        for bad in [
            "https://127.0.0.1/",
            "http://10.0.0.1/",
            "http://octo.example/",
            "127.0.0.1",
            "",
        ] {
            assert!(!is_on_this_machine(bad), "{bad}");
        }
    }
}
