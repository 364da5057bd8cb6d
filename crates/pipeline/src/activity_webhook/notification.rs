//! What Microsoft writes: the question whether an address wants notifications, and notifications.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uptake_upstream::microsoft::activity::REACHES_BACK;
use uptake_upstream::microsoft::utc;
use uuid::Uuid;

/// The content that interactions with Copilot are in.
const CONTENT_TYPE: &str = "Audit.General";
/// The most notifications that are taken in one request. Microsoft sends a handful (chosen 2026-11-22).
const MOST_NOTIFICATIONS: usize = 500;
/// The longest id of content that is taken; Microsoft's have some 100 characters (its reference, read 2026-11-22).
const LONGEST_ID: usize = 512;
/// How far Microsoft's clock may be ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    validation_code: String,
}

/// A notification, without the address it gives: that is never followed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    tenant_id: String,
    content_type: String,
    content_id: String,
    content_created: String,
    content_expiration: String,
}

impl Notification {
    fn is_credible(&self, tenant: &str, now: Timestamp) -> bool {
        // A tenant that is configured by a domain has an id that is not known here.
        let is_of_tenant = Uuid::try_parse(tenant).is_err() || self.tenant_id.eq_ignore_ascii_case(tenant);
        let is_id = !self.content_id.trim().is_empty()
            && self.content_id.len() <= LONGEST_ID
            && !self.content_id.chars().any(char::is_control);
        let age = utc(&self.content_created).map(|created_at| now.duration_since(created_at));
        let is_recent = age.is_some_and(|age| (-AHEAD..=REACHES_BACK).contains(&age));
        let lasts = utc(&self.content_expiration).is_some_and(|expires_at| expires_at > now);
        is_of_tenant && self.content_type.eq_ignore_ascii_case(CONTENT_TYPE) && is_id && is_recent && lasts
    }
}

/// Whether the body of the question repeats the code of its header.
pub(super) fn repeats(body: &[u8], code: &str) -> bool {
    let question = serde_json::from_slice::<Question>(body);
    !code.is_empty() && question.is_ok_and(|question| question.validation_code == code)
}

/// The ids of the content that a request tells of, if all of it is credible.
pub(super) fn content_ids(body: &[u8], tenant: &str, now: Timestamp) -> Option<Vec<String>> {
    let notifications: Vec<Notification> = serde_json::from_slice(body).ok()?;
    let is_credible = (1..=MOST_NOTIFICATIONS).contains(&notifications.len())
        && notifications
            .iter()
            .all(|notification| notification.is_credible(tenant, now));
    is_credible.then(|| {
        notifications
            .into_iter()
            .map(|notification| notification.content_id)
            .collect()
    })
}
