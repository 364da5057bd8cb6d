//! The use case `activity-webhook`: Microsoft says that there is new audit content, and `audit-events` is to look sooner.
//!
//! Anybody can call it, so who calls is settled before anything of a request is looked at, and nothing that a caller writes
//! is ever used: a notification says that it is worth looking, and the poll finds content by itself. It answers at once,
//! because a webhook that does not answer is disabled.

mod notification;
mod replays;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uptake_domain::calendar::to_seconds;
use uptake_domain::catalogue::{Dimension, MetricSpec, NOTIFICATIONS_ACCEPTED, NOTIFICATIONS_REFUSED};

use crate::config::ActivityWebhookConfig;
use crate::ports::{Clock, Metrics, PortError, Queue, Secrets};
use replays::Replays;

/// The name of the function.
pub const FUNCTION: &str = "activity-webhook";
/// The header in which Microsoft shows that it is Microsoft.
pub const AUTH_ID: &str = "webhook-authid";
/// The header of the question whether an address wants notifications.
pub const VALIDATION_CODE: &str = "webhook-validationcode";

/// The largest body that is read. Microsoft states no bound; one notification is some 600 bytes, so this is more than the
/// most that are taken in one request (chosen 2026-11-22).
const MOST_BODY_BYTES: usize = 512 * 1024;
/// How long what was read of the secrets is believed: a changed one is in force within this time.
const SECRETS_BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Pause between attempts to read secrets that cannot be read, however many requests come.
const SECRETS_RETRIED_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// Figures are published so often, if there is anything to answer.
const TOLD_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Within that time they are published with the tenth request besides, the hundredth, the thousandth and so on: nobody may
/// come any more to have the rest of a burst told, and most of that is nine tenths.
const FIRST_TOLD_BETWEEN: u64 = 10;
/// How long the secrets or the queue may take: whoever waits longer is better told to come again. Microsoft does not state
/// how long it waits (chosen 2026-11-22).
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the figures may hold an answer up.
const PATIENCE_WITH_FIGURES: Duration = Duration::from_secs(1);

/// What is looked at of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The header [`AUTH_ID`].
    pub auth_id: Option<&'a str>,
    /// The header [`VALIDATION_CODE`].
    pub validation_code: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// A sentence, or nothing.
    pub body: &'static str,
}

/// What the webhook works with.
#[derive(Clone, Copy)]
pub struct WebhookPorts<'a> {
    /// The secrets.
    pub secrets: &'a dyn Secrets,
    /// Where hints go.
    pub queue: &'a dyn Queue,
    /// The figures.
    pub metrics: &'a dyn Metrics,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NotPosted,
    NotMicrosoft,
    TooLarge,
    OtherCode,
    NotUnderstood,
}

impl Refusal {
    /// The same few words whatever was sent: who asks without being Microsoft learns nothing.
    fn answer(self) -> Answer {
        let (status, body) = match self {
            Self::NotPosted => (405, "only POST is answered"),
            Self::NotMicrosoft => (401, "the Webhook-AuthID is not the expected one"),
            Self::TooLarge => (413, "the body is too large"),
            Self::OtherCode => (400, "the body does not repeat the validation code"),
            Self::NotUnderstood => (
                400,
                "the body is no list of notifications of this tenant's new audit content",
            ),
        };
        Answer { status, body }
    }
}

const TAKEN: Answer = Answer { status: 200, body: "" };
/// Microsoft sends a notification again that is not answered with 200.
const LATER: Answer = Answer {
    status: 503,
    body: "nothing can be taken right now; send it again",
};

/// The webhook, and what one process of it remembers.
pub struct ActivityWebhook {
    config: ActivityWebhookConfig,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    expected: Option<Expected>,
    secrets_tried_at: Option<Timestamp>,
    replays: Replays,
    counts: Counts,
    told_at: Option<Timestamp>,
    /// Requests of the minute that are told already, and how many there have to be to tell of more.
    told_between: u64,
    next_told: u64,
}

/// What a request is held against.
#[derive(Clone)]
struct Expected {
    /// Of the digest's length, whatever is sent: a comparison takes as long for every guess.
    auth_id: [u8; 32],
    tenant: String,
    read_at: Timestamp,
}

/// Requests since the figures were last published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    accepted: u64,
    refused: u64,
}

impl Counts {
    fn all(self) -> u64 {
        self.accepted + self.refused
    }
}

impl Memory {
    /// What is to be told now, if it is time to.
    fn take_due(&mut self, now: Timestamp) -> Option<Counts> {
        let requests = self.told_between + self.counts.all();
        if self.told_at.is_none_or(|at| now.duration_since(at) >= TOLD_EVERY) {
            self.told_at = Some(now);
            self.told_between = 0;
            self.next_told = FIRST_TOLD_BETWEEN;
        } else if requests >= self.next_told {
            self.told_between = requests;
            // Some that came side by side may have passed more than one.
            while self.next_told <= requests {
                self.next_told = self.next_told.saturating_mul(10);
            }
        } else {
            return None;
        }
        Some(std::mem::take(&mut self.counts))
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl ActivityWebhook {
    /// A webhook that has seen nothing yet.
    pub fn new(config: ActivityWebhookConfig) -> Self {
        Self {
            config,
            memory: Mutex::default(),
        }
    }

    /// Answers a request, and hands a hint on if it is a notification.
    pub async fn answer(&self, request: Request<'_>, ports: WebhookPorts<'_>) -> Answer {
        let answer = self.judge(request, ports).await;
        self.publish(ports).await;
        answer
    }

    async fn judge(&self, request: Request<'_>, ports: WebhookPorts<'_>) -> Answer {
        if request.method != "POST" {
            return self.refuse(Refusal::NotPosted);
        }
        let now = ports.clock.now();
        let Some(expected) = self.expected(ports, now).await else {
            return LATER;
        };
        let given = request.auth_id.map(digest);
        if !given.is_some_and(|given| given.ct_eq(&expected.auth_id).into()) {
            return self.refuse(Refusal::NotMicrosoft);
        }
        if request.body.len() > MOST_BODY_BYTES {
            return self.refuse(Refusal::TooLarge);
        }
        if let Some(code) = request.validation_code {
            return if notification::repeats(request.body, code) {
                TAKEN
            } else {
                self.refuse(Refusal::OtherCode)
            };
        }
        let Some(ids) = notification::content_ids(request.body, &expected.tenant, now) else {
            return self.refuse(Refusal::NotUnderstood);
        };
        if !self.memory().replays.have_all(&ids) {
            let hint = json!({"received_at": to_seconds(now), "blobs": ids.len()}).to_string();
            if let Err(error) = hurried(PATIENCE, ports.queue.send(&hint), "the activity queue").await {
                tracing::warn!(%error, "a notification could not be handed on; Microsoft is asked to repeat it");
                return LATER;
            }
            self.memory().replays.note(&ids);
        }
        self.memory().counts.accepted += 1;
        TAKEN
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        self.memory().counts.refused += 1;
        refusal.answer()
    }

    /// What requests are held against: read when first needed, and again after a while. If it cannot be read again, what
    /// was read before still holds: a webhook that refuses Microsoft is disabled.
    async fn expected(&self, ports: WebhookPorts<'_>, now: Timestamp) -> Option<Expected> {
        let known = {
            let mut memory = self.memory();
            let is_due = |at: Option<Timestamp>, pause| at.is_none_or(|at| now.duration_since(at) >= pause);
            let read_at = memory.expected.as_ref().map(|expected| expected.read_at);
            if !is_due(read_at, SECRETS_BELIEVED_FOR) || !is_due(memory.secrets_tried_at, SECRETS_RETRIED_AFTER) {
                return memory.expected.clone();
            }
            memory.secrets_tried_at = Some(now);
            memory.expected.clone()
        };
        let read = future::try_join(
            self.config.auth_id.resolve(ports.secrets),
            self.config.tenant.resolve(ports.secrets),
        );
        match hurried(PATIENCE, read, "the webhook's secrets").await {
            Ok((auth_id, tenant)) if !auth_id.expose_secret().is_empty() => {
                let expected = Expected {
                    auth_id: digest(auth_id.expose_secret()),
                    tenant: tenant.expose_secret().to_owned(),
                    read_at: now,
                };
                self.memory().expected = Some(expected.clone());
                Some(expected)
            }
            Ok(_) => {
                tracing::error!("the expected Webhook-AuthID is empty; give the parameter a long value made by chance");
                known
            }
            Err(error) => {
                tracing::error!(%error, "what requests are held against cannot be read; Microsoft is asked to come again");
                known
            }
        }
    }

    /// Publishes what was counted since, if it is time to. What could not be published is so the next time.
    async fn publish(&self, ports: WebhookPorts<'_>) {
        let now = ports.clock.now();
        let Some(counts) = self.memory().take_due(now) else {
            return;
        };
        let datum = |spec: &'static MetricSpec, count: u64| {
            #[expect(clippy::cast_precision_loss, reason = "requests of a few minutes are far below 2^53")]
            spec.datum(vec![(Dimension::Function, FUNCTION.to_owned())], now, count as f64)
        };
        let data = [
            datum(&NOTIFICATIONS_ACCEPTED, counts.accepted),
            datum(&NOTIFICATIONS_REFUSED, counts.refused),
        ];
        if let Err(error) = hurried(PATIENCE_WITH_FIGURES, ports.metrics.publish(&data), "the figures").await {
            tracing::warn!(%error, "requests were counted and the figures not published; a later request tries again");
            let mut memory = self.memory();
            memory.counts.accepted += counts.accepted;
            memory.counts.refused += counts.refused;
            memory.told_between = memory.told_between.saturating_sub(counts.all());
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something that must not take long.
async fn hurried<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, PortError>>,
    what: &str,
) -> Result<T, PortError> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
        Err(PortError::Unavailable {
            what: what.to_owned(),
            reason: "no answer in time".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests;
