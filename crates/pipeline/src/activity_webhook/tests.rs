//! Every refusal and every answer, and that nothing else queues anything.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed};

use async_trait::async_trait;
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use uptake_domain::catalogue::{Datum, Reading};

use super::*;
use crate::config::SecretSource;

const SECRET: &str = "a-long-secret-made-by-chance";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// 2026-11-22T12:00:00Z.
const NOW: i64 = 1_795_348_800;

/// Everything around a webhook.
#[derive(Default)]
struct World {
    seconds: AtomicI64,
    messages: Mutex<Vec<String>>,
    published: Mutex<Vec<Datum>>,
    reads: AtomicU32,
    queue_is_down: AtomicBool,
    secrets_are_down: AtomicBool,
    metrics_are_down: AtomicBool,
    is_slow: AtomicBool,
    secret: Mutex<String>,
}

fn down(is_down: &AtomicBool) -> Result<(), PortError> {
    if is_down.load(Relaxed) {
        Err(PortError::Unavailable {
            what: "it".to_owned(),
            reason: "down".to_owned(),
        })
    } else {
        Ok(())
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW + self.seconds.load(Relaxed)).unwrap()
    }
}

#[async_trait]
impl Secrets for World {
    async fn read(&self, parameter: &str) -> Result<SecretString, PortError> {
        self.reads.fetch_add(1, Relaxed);
        down(&self.secrets_are_down)?;
        Ok(match parameter {
            "/tenant" => TENANT.into(),
            _ => self.secret.lock().unwrap().clone().into(),
        })
    }
}

#[async_trait]
impl Queue for World {
    async fn send(&self, message: &str) -> Result<(), PortError> {
        if self.is_slow.load(Relaxed) {
            future::pending::<()>().await;
        }
        down(&self.queue_is_down)?;
        self.messages.lock().unwrap().push(message.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Metrics for World {
    async fn publish(&self, data: &[Datum]) -> Result<(), PortError> {
        if self.is_slow.load(Relaxed) {
            future::pending::<()>().await;
        }
        down(&self.metrics_are_down)?;
        self.published.lock().unwrap().extend_from_slice(data);
        Ok(())
    }
}

impl World {
    fn new() -> Self {
        Self {
            secret: SECRET.to_owned().into(),
            ..Self::default()
        }
    }

    fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Relaxed);
    }

    fn queued(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    /// What was published of a metric, in order.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    fn told(&self, spec: &MetricSpec) -> Vec<u64> {
        let published = self.published.lock().unwrap();
        let of_metric = published.iter().filter(|datum| datum.spec.name == spec.name);
        of_metric
            .map(|datum| match datum.reading {
                Reading::Value(value) => value as u64,
                Reading::Distribution(_) => unreachable!("counts are values"),
            })
            .collect()
    }

    async fn ask(&self, webhook: &ActivityWebhook, request: Request<'_>) -> u16 {
        let ports = WebhookPorts {
            secrets: self,
            queue: self,
            metrics: self,
            clock: self,
        };
        webhook.answer(request, ports).await.status
    }
}

fn webhook() -> ActivityWebhook {
    webhook_of(SecretSource::Value(TENANT.into()))
}

fn webhook_of(tenant: SecretSource) -> ActivityWebhook {
    ActivityWebhook::new(ActivityWebhookConfig {
        auth_id: SecretSource::Parameter("/auth-id".to_owned()),
        tenant,
    })
}

fn notification(id: &str) -> Value {
    json!({
        "tenantId": TENANT,
        "clientId": "66666666-7777-8888-9999-000000000000",
        "contentType": "Audit.General",
        "contentId": id,
        "contentUri": "https://manage.office.com/api/v1.0/tenant/activity/feed/audit/id",
        "contentCreated": "2026-11-22T11:58:00.000Z",
        "contentExpiration": "2026-11-29T11:58:00.000Z",
    })
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut notification = notification("content");
    notification[field] = value.into();
    json!([notification])
}

fn posted(body: &[u8]) -> Request<'_> {
    Request {
        method: "POST",
        auth_id: Some(SECRET),
        validation_code: None,
        body,
    }
}

/// The status of a request in a fresh world, and what it queued.
async fn answer(request: Request<'_>) -> (u16, Vec<String>) {
    let world = World::new();
    let status = world.ask(&webhook(), request).await;
    let counted = world.told(&NOTIFICATIONS_ACCEPTED)[0] + world.told(&NOTIFICATIONS_REFUSED)[0];
    let is_question = status == 200 && request.validation_code.is_some();
    assert_eq!(counted, u64::from(!is_question), "{status}");
    (status, world.messages.into_inner().unwrap())
}

#[tokio::test]
async fn a_notification_leaves_one_hint_without_anything_that_it_says() {
    let body = json!([notification("one"), notification("two")]).to_string();
    let (status, messages) = answer(posted(body.as_bytes())).await;
    assert_eq!(status, 200);
    assert_eq!(messages, [r#"{"blobs":2,"received_at":"2026-11-22T12:00:00Z"}"#]);
}

#[tokio::test]
async fn who_is_not_microsoft_is_refused_whatever_is_sent() {
    let good = json!([notification("one")]).to_string();
    let large = vec![b'x'; MOST_BODY_BYTES + 1];
    let one_less = &SECRET[..SECRET.len() - 1];
    let one_more = format!("{SECRET}x");
    let long = "x".repeat(100_000);
    for auth_id in [
        None,
        Some(""),
        Some("wrong"),
        Some(one_less),
        Some(&one_more),
        Some(&long),
        Some("A-LONG-SECRET-MADE-BY-CHANCE"),
    ] {
        for body in [good.as_bytes(), b"", b"{", &large] {
            for validation_code in [None, Some("code")] {
                let request = Request {
                    auth_id,
                    validation_code,
                    ..posted(body)
                };
                assert_eq!(answer(request).await, (401, vec![]), "{auth_id:?}");
            }
        }
    }
}

#[tokio::test]
async fn only_post_is_answered() {
    let body = json!([notification("one")]).to_string();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", ""] {
        for auth_id in [Some(SECRET), None] {
            let request = Request {
                method,
                auth_id,
                ..posted(body.as_bytes())
            };
            assert_eq!(answer(request).await, (405, vec![]), "{method}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let mut body = json!([notification("one")]).to_string().into_bytes();
    body.resize(MOST_BODY_BYTES, b' ');
    assert_eq!(answer(posted(&body)).await.0, 200);
    body.push(b' ');
    assert_eq!(answer(posted(&body)).await, (413, vec![]));
}

#[tokio::test]
async fn the_question_is_answered_if_the_body_repeats_the_code_and_leaves_nothing() {
    let repeated = r#"{"validationCode": "code"}"#;
    let notifications = json!([notification("one")]).to_string();
    for (code, body, expected) in [
        ("code", repeated, 200),
        ("other", repeated, 400),
        ("", repeated, 400),
        ("", r#"{"validationCode": ""}"#, 400),
        ("code", r#"{"validationCode": 7}"#, 400),
        ("code", r#"{"validationcode": "code"}"#, 400),
        ("code", "{}", 400),
        ("code", "", 400),
        ("code", "[", 400),
        ("code", &notifications, 400),
    ] {
        let request = Request {
            validation_code: Some(code),
            ..posted(body.as_bytes())
        };
        assert_eq!(answer(request).await, (expected, vec![]), "{code} {body}");
    }
    assert_eq!(
        answer(posted(repeated.as_bytes())).await,
        (400, vec![]),
        "without the header it is no question"
    );
}

#[tokio::test]
async fn a_body_that_is_no_list_of_notifications_is_refused() {
    let many = |count: usize| Value::from(vec![notification("same"); count]).to_string();
    for body in [
        "",
        "null",
        "7",
        "\"text\"",
        "{}",
        "[]",
        "[7]",
        "[{}]",
        "[[]]",
        "[",
        "\u{0}",
        &many(501),
        &notification("one").to_string(),
    ] {
        assert_eq!(answer(posted(body.as_bytes())).await, (400, vec![]), "{body:.40}");
    }
    for body in [b"\xff\xfe".to_vec(), vec![b'['; 100_000]] {
        assert_eq!(answer(posted(&body)).await, (400, vec![]));
    }
    assert_eq!(answer(posted(many(500).as_bytes())).await.0, 200);
}

#[tokio::test]
async fn one_notification_that_is_not_credible_spoils_the_whole_request() {
    let long = "x".repeat(513);
    for (what, bad) in [
        (
            "another tenant",
            with("tenantId", "22222222-2222-3333-4444-555555555555"),
        ),
        ("no tenant", with("tenantId", "")),
        ("another type", with("contentType", "Audit.Exchange")),
        ("no id", with("contentId", " ")),
        ("a long id", with("contentId", long)),
        ("an id of two lines", with("contentId", "a\nb")),
        ("a number for an id", with("contentId", 7)),
        (
            "created more than a week ago",
            with("contentCreated", "2026-11-15T11:59:59Z"),
        ),
        ("created in the future", with("contentCreated", "2026-11-22T13:00:01Z")),
        ("created at no time", with("contentCreated", "yesterday")),
        ("never created", with("contentCreated", Value::Null)),
        ("expired", with("contentExpiration", "2026-11-22T12:00:00Z")),
        ("expiring at no time", with("contentExpiration", "")),
        ("never expiring", with("contentExpiration", Value::Null)),
    ] {
        assert_eq!(
            answer(posted(bad.to_string().as_bytes())).await,
            (400, vec![]),
            "{what}"
        );
        let beside_good_ones = json!([notification("good"), bad[0], notification("better")]).to_string();
        assert_eq!(
            answer(posted(beside_good_ones.as_bytes())).await,
            (400, vec![]),
            "{what}"
        );
    }
    for (what, good) in [
        ("the tenant in capitals", with("tenantId", TENANT.to_uppercase())),
        ("created a week ago", with("contentCreated", "2026-11-15T12:00:00Z")),
        (
            "created within the hour to come",
            with("contentCreated", "2026-11-22T13:00:00Z"),
        ),
        (
            "instants without an offset",
            with("contentCreated", "2026-11-22T11:58:00"),
        ),
        ("more than is known", with("more", 7)),
        (
            "an address elsewhere, which is not followed",
            with("contentUri", "http://elsewhere.example/"),
        ),
    ] {
        let (status, messages) = answer(posted(good.to_string().as_bytes())).await;
        assert_eq!((status, messages.len()), (200, 1), "{what}");
    }
}

#[tokio::test]
async fn a_tenant_that_is_configured_by_a_domain_is_not_compared() {
    let world = World::new();
    let webhook = webhook_of(SecretSource::Value("contoso.example".into()));
    let body = with("tenantId", "22222222-2222-3333-4444-555555555555").to_string();
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 200);
}

#[tokio::test]
async fn a_notification_that_was_taken_before_leaves_no_second_hint() {
    let (world, webhook) = (World::new(), webhook());
    let one = json!([notification("one")]).to_string();
    let both = json!([notification("one"), notification("two")]).to_string();
    for (body, queued) in [(&one, 1), (&one, 1), (&both, 2), (&both, 2), (&one, 2)] {
        assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 200);
        assert_eq!(world.queued(), queued);
    }
}

#[tokio::test]
async fn what_the_queue_cannot_take_is_to_be_sent_again_and_is_no_replay_then() {
    let (world, webhook) = (World::new(), webhook());
    let body = json!([notification("one")]).to_string();
    world.queue_is_down.store(true, Relaxed);
    for _ in 0..3 {
        assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 503);
    }
    world.queue_is_down.store(false, Relaxed);
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 200);
    assert_eq!(world.queued(), 1);
}

#[tokio::test(start_paused = true)]
async fn neither_a_queue_nor_figures_without_an_answer_hold_an_answer_up_for_long() {
    let (world, webhook) = (World::new(), webhook());
    world.is_slow.store(true, Relaxed);
    let body = json!([notification("one")]).to_string();
    let begin = tokio::time::Instant::now();
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 503);
    assert_eq!(begin.elapsed().as_secs(), 4);
    assert_eq!(
        world.ask(&webhook, posted(b"")).await,
        400,
        "figures are not tried again so soon"
    );
    assert_eq!(begin.elapsed().as_secs(), 4);
}

#[tokio::test]
async fn secrets_are_read_once_in_five_minutes_whoever_asks() {
    let (world, webhook) = (World::new(), webhook_of(SecretSource::Parameter("/tenant".to_owned())));
    let body = json!([notification("one")]).to_string();
    let forged = Request {
        auth_id: Some("wrong"),
        ..posted(body.as_bytes())
    };
    for _ in 0..100 {
        assert_eq!(world.ask(&webhook, forged).await, 401);
    }
    assert_eq!(world.reads.load(Relaxed), 2);
    "another".clone_into(&mut world.secret.lock().unwrap());
    world.wait(299);
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 200);
    world.wait(1);
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 401);
    let request = Request {
        auth_id: Some("another"),
        ..posted(body.as_bytes())
    };
    assert_eq!(world.ask(&webhook, request).await, 200);
    assert_eq!(world.reads.load(Relaxed), 4);
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_tried_now_and_then_and_old_ones_hold_meanwhile() {
    let (world, webhook) = (World::new(), webhook());
    let body = json!([notification("one")]).to_string();
    world.secrets_are_down.store(true, Relaxed);
    for _ in 0..100 {
        assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 503);
    }
    assert_eq!(world.reads.load(Relaxed), 1);
    world.secrets_are_down.store(false, Relaxed);
    world.wait(10);
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 200);
    world.secrets_are_down.store(true, Relaxed);
    world.wait(24 * 3600);
    let forged = Request {
        auth_id: Some("wrong"),
        ..posted(body.as_bytes())
    };
    assert_eq!(world.ask(&webhook, forged).await, 401);
    assert_eq!(world.ask(&webhook, posted(body.as_bytes())).await, 200);
}

#[tokio::test]
async fn an_empty_secret_lets_nobody_in() {
    let (world, webhook) = (World::new(), webhook());
    world.secret.lock().unwrap().clear();
    for auth_id in [Some(""), None, Some(SECRET)] {
        let body = json!([notification("one")]).to_string();
        assert_eq!(
            world
                .ask(
                    &webhook,
                    Request {
                        auth_id,
                        ..posted(body.as_bytes())
                    }
                )
                .await,
            503
        );
    }
    assert_eq!(world.queued(), 0);
}

#[tokio::test]
async fn figures_are_published_once_a_minute_and_between_and_add_up() {
    let (world, webhook) = (World::new(), webhook());
    for second in 0..300 {
        let body = json!([notification(&format!("content-{}", second / 2))]).to_string();
        let status = world.ask(&webhook, posted(body.as_bytes())).await;
        assert_eq!(status, 200);
        assert_eq!(world.ask(&webhook, posted(b"forged")).await, 400);
        world.metrics_are_down.store((100..200).contains(&second), Relaxed);
        world.wait(1);
    }
    let (accepted, refused) = (world.told(&NOTIFICATIONS_ACCEPTED), world.told(&NOTIFICATIONS_REFUSED));
    // At the beginning of a minute, at its tenth request and its hundredth; what could not be told then is told later.
    assert_eq!(accepted, [1, 5, 45, 10, 5, 175, 5, 45]);
    assert_eq!(refused, [0, 5, 45, 10, 5, 175, 5, 45]);
    assert_eq!(world.queued(), 150);
}

#[tokio::test]
async fn of_a_burst_that_ends_at_least_a_tenth_is_told() {
    for requests in [1, 10, 11, 99, 100, 110, 5_000] {
        let (world, webhook) = (World::new(), webhook());
        for _ in 0..requests {
            assert_eq!(world.ask(&webhook, posted(b"forged")).await, 400);
        }
        let told = world.told(&NOTIFICATIONS_REFUSED);
        let sum: u64 = told.iter().sum();
        assert!(sum * 10 >= requests, "{requests}: {told:?}");
        assert!(told.len() <= 4, "{requests}: {told:?}");
        // Whoever comes later has the rest told.
        world.wait(60);
        assert_eq!(world.ask(&webhook, posted(b"forged")).await, 400);
        let sum: u64 = world.told(&NOTIFICATIONS_REFUSED).iter().sum();
        assert_eq!(sum, requests + 1);
    }
}

#[tokio::test]
async fn a_burst_whose_figures_cannot_be_published_is_told_by_a_later_request() {
    let (world, webhook) = (World::new(), webhook());
    world.metrics_are_down.store(true, Relaxed);
    for _ in 0..50 {
        assert_eq!(world.ask(&webhook, posted(b"forged")).await, 400);
    }
    world.metrics_are_down.store(false, Relaxed);
    for _ in 0..60 {
        assert_eq!(world.ask(&webhook, posted(b"forged")).await, 400);
    }
    assert_eq!(world.told(&NOTIFICATIONS_REFUSED), [100]);
}

/// A request that is nearly right, or not at all.
fn any_request() -> impl Strategy<Value = (String, Option<String>, Option<String>, Vec<u8>)> {
    let method = prop_oneof![8 => Just("POST".to_owned()), 1 => ".{0,8}"];
    let auth_id = prop_oneof![8 => Just(Some(SECRET.to_owned())), 1 => Just(None), 1 => ".{0,40}".prop_map(Some)];
    let code = prop_oneof![4 => Just(None), 1 => "[a-c]{0,2}".prop_map(Some)];
    let field = prop_oneof![
        Just("tenantId"),
        Just("contentType"),
        Just("contentId"),
        Just("contentCreated"),
        Just("contentExpiration"),
        Just("more")
    ];
    let value = prop_oneof![
        ".{0,30}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!([])),
        Just(json!({}))
    ];
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        ".{0,200}".prop_map(String::into_bytes),
        "[a-c]{0,2}".prop_map(|code| json!({"validationCode": code}).to_string().into_bytes()),
        (field, value).prop_map(|(field, value)| with(field, value).to_string().into_bytes()),
        proptest::collection::vec("[a-z]{1,3}", 0..5).prop_map(|ids| {
            let list: Vec<Value> = ids.iter().map(|id| notification(id)).collect();
            json!(list).to_string().into_bytes()
        }),
    ];
    (method, auth_id, code, body)
}

proptest! {
    #[test]
    fn only_an_accepted_notification_leaves_a_hint(requests in proptest::collection::vec(any_request(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (world, webhook) = (World::new(), webhook());
        for (method, auth_id, code, body) in &requests {
            let before = world.queued();
            let request = Request {
                method, auth_id: auth_id.as_deref(), validation_code: code.as_deref(), body,
            };
            let status = runtime.block_on(world.ask(&webhook, request));
            let is_microsoft = method == "POST" && auth_id.as_deref() == Some(SECRET);
            prop_assert!([200, 400, 401, 405].contains(&status), "{}", status);
            prop_assert!(is_microsoft || status == 401 || status == 405);
            let list = serde_json::from_slice::<Vec<Value>>(body).unwrap_or_default();
            if world.queued() > before {
                prop_assert_eq!((status, world.queued()), (200, before + 1));
                prop_assert!(is_microsoft && code.is_none() && !list.is_empty());
                let hint: Value = serde_json::from_str(world.messages.lock().unwrap().last().unwrap()).unwrap();
                prop_assert_eq!(&hint["blobs"], &json!(list.len()));
                prop_assert_eq!(hint.as_object().unwrap().len(), 2);
            } else if status == 200 {
                let repeats = |list: &[Value]| list.iter().all(|notification| notification["contentType"] == "Audit.General");
                prop_assert!(code.is_some() || repeats(&list), "a replay");
            }
        }
    }
}
