//! Subscriptions and their webhooks: the question every new one is asked, what it is told, and what becomes of silence.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use jiff::ToSpan;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uptake_simulator::{CLIENT_ID, Deliveries, TENANT};

use crate::{
    activity_feed::{Feed, ME, code, feed},
    client::TODAY,
};

/// A webhook that remembers what it was sent, and says what it is told to say.
#[derive(Clone, Default)]
struct Hook {
    says: Arc<AtomicU16>,
    heard: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Hook {
    /// It listens at an address of this machine.
    async fn listen() -> (Self, String) {
        let hook = Self::default();
        hook.says.store(200, Ordering::SeqCst);
        let router = Router::new().route("/hook", post(hear)).with_state(hook.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        (hook, address)
    }

    fn say(&self, status: u16) {
        self.says.store(status, Ordering::SeqCst);
    }

    /// What it was sent since it was last asked.
    fn heard(&self) -> Vec<(HeaderMap, Value)> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn hear(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&body).unwrap();
    hook.heard.lock().unwrap().push((headers, body));
    StatusCode::from_u16(hook.says.load(Ordering::SeqCst)).unwrap()
}

fn value(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

async fn start(feed: &Feed, body: &Value) -> reqwest::Response {
    let path = format!("subscriptions/start?contentType=Audit.General&{ME}");
    feed.post(&path, &body.to_string()).await
}

async fn webhook(feed: &Feed) -> Value {
    let list = feed.get(&format!("subscriptions/list?{ME}")).await;
    list.json::<Value>().await.unwrap()[0]["webhook"].clone()
}

async fn notifications(feed: &Feed) -> Vec<Value> {
    let path = format!("subscriptions/notifications?contentType=Audit.General&{ME}");
    feed.get(&path).await.json().await.unwrap()
}

#[tokio::test]
async fn a_subscription_is_started_stopped_and_started_again() {
    let feed = feed(100, "audit_subscription = 'absent'\nsubscription_start_minutes = 15").await;
    let simulator = feed.simulator();
    let list = format!("subscriptions/list?{ME}");
    assert_eq!(feed.get(&list).await.json::<Value>().await.unwrap(), json!([]));
    assert_eq!(code(feed.list("").await).await, (400, "AF20022".to_owned()));
    let stop = format!("subscriptions/stop?contentType=Audit.General&{ME}");
    assert_eq!(code(feed.post(&stop, "").await).await, (400, "AF20022".to_owned()));

    let start = format!("subscriptions/start?contentType=Audit.General&{ME}");
    let started = feed.post(&start, "").await;
    assert_eq!(started.status(), 200);
    let subscription = json!({"contentType": "Audit.General", "status": "enabled", "webhook": null});
    assert_eq!(started.json::<Value>().await.unwrap(), subscription);
    assert_eq!(
        feed.get(&list).await.json::<Value>().await.unwrap(),
        json!([subscription])
    );
    assert_eq!(feed.post(&start, "").await.status(), 429);
    let started_at = simulator.now();
    simulator.set_now(started_at + 15.minutes());
    assert_eq!(code(feed.post(&start, "").await).await, (400, "AF20024".to_owned()));

    // What was there before is not to be had.
    assert!(feed.blobs(started_at - 24.hours(), started_at).await.is_empty());
    simulator.set_now(started_at + 20.hours());
    let blobs = feed.blobs(started_at, simulator.now()).await;
    assert!(!blobs.is_empty());

    assert_eq!(feed.post(&stop, "").await.status(), 200);
    assert_eq!(code(feed.list("").await).await, (400, "AF20023".to_owned()));
    assert_eq!(code(feed.blob(&blobs[0]).await).await, (400, "AF20023".to_owned()));
    let stopped: Value = feed.get(&list).await.json().await.unwrap();
    assert_eq!(stopped[0]["status"], "disabled");
    assert_eq!(feed.post(&start, "").await.status(), 200);
    assert!(feed.pages("").await.concat().is_empty());
    let exchange = format!("subscriptions/start?contentType=audit.exchange&{ME}");
    assert_eq!(feed.post(&exchange, "{}").await.status(), 200);
    let list = feed
        .get(&format!("subscriptions/content?contentType=Audit.Exchange&{ME}"))
        .await;
    assert_eq!(list.json::<Value>().await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_subscription_may_begin_stopped() {
    let feed = feed(30, "audit_subscription = 'disabled'").await;
    assert_eq!(code(feed.list("").await).await, (400, "AF20023".to_owned()));
    assert_eq!(start(&feed, &json!({})).await.status(), 200);
    assert_eq!(feed.list("").await.status(), 200);
}

#[tokio::test]
async fn a_webhook_has_to_answer_a_question_first() {
    let feed = feed(30, "").await;
    let (hook, address) = Hook::listen().await;
    hook.say(202);
    let body = json!({"webhook": {"address": address, "authId": "secret-of-ours", "expiration": ""}});
    assert_eq!(code(start(&feed, &body).await).await, (400, "AF20021".to_owned()));
    assert_eq!(webhook(&feed).await, Value::Null);
    for (headers, body) in hook.heard() {
        assert_eq!(value(&headers, "Webhook-AuthID"), "secret-of-ours");
        assert_eq!(body["validationCode"], value(&headers, "Webhook-ValidationCode"));
    }
    for bad in [
        "https://octo.example/hook",
        "http://octo.example/hook",
        "http://127.0.0.1:1/hook",
    ] {
        let body = json!({"webhook": {"address": bad}});
        assert_eq!(
            code(start(&feed, &body).await).await,
            (400, "AF20021".to_owned()),
            "{bad}"
        );
    }
    for (bad, expected) in [
        (json!({"webhook": {"authId": "x"}}), "AF20001"),
        (
            json!({"webhook": {"address": address, "expiration": "2026-11-20T00:00:00Z"}}),
            "AF20003",
        ),
        (
            json!({"webhook": {"address": address, "expiration": "soon"}}),
            "AF20002",
        ),
        (json!({"webhook": "x"}), "AF20002"),
    ] {
        assert_eq!(
            code(start(&feed, &bad).await).await,
            (400, expected.to_owned()),
            "{bad}"
        );
    }

    hook.say(200);
    let started: Value = start(&feed, &body).await.json().await.unwrap();
    let told = json!({"status": "enabled", "address": address, "authId": "secret-of-ours", "expiration": null});
    assert_eq!(started["webhook"], told);
    assert_eq!(webhook(&feed).await, told);
    assert_eq!(code(start(&feed, &body).await).await, (400, "AF20024".to_owned()));
    // Without one in the body it is taken away.
    assert_eq!(start(&feed, &json!({})).await.status(), 200);
    assert_eq!(webhook(&feed).await, Value::Null);
    let short = json!({"webhook": {"address": address, "expiration": "2026-11-21T01:00:00Z"}});
    assert_eq!(start(&feed, &short).await.status(), 200);
    feed.simulator().set_now("2026-11-21T01:00:00Z".parse().unwrap());
    assert_eq!(webhook(&feed).await["status"], "expired");
    hook.heard();
    feed.simulator().set_today(TODAY + 3.days());
    assert_eq!(feed.simulator().deliver_notifications().await, Deliveries::default());
    assert!(hook.heard().is_empty());
}

#[tokio::test]
async fn a_webhook_is_told_of_every_new_blob_once() {
    let feed = feed(300, "").await;
    let simulator = feed.simulator();
    let (hook, address) = Hook::listen().await;
    simulator.set_now("2026-11-19T08:00:00Z".parse().unwrap());
    let started_at = simulator.now();
    let body = json!({"webhook": {"address": address, "authId": "secret-of-ours"}});
    assert_eq!(start(&feed, &body).await.status(), 200);
    hook.heard();
    assert_eq!(simulator.deliver_notifications().await.posts, 0);
    let mut told = Vec::new();
    for hours in [3, 9, 16] {
        simulator.set_now(started_at + hours.hours());
        let deliveries = simulator.deliver_notifications().await;
        let heard = hook.heard();
        assert_eq!((deliveries.posts, deliveries.refused), (heard.len() as u64, 0));
        for (headers, body) in heard {
            assert_eq!(value(&headers, "Webhook-AuthID"), "secret-of-ours");
            assert_eq!(value(&headers, "Webhook-ValidationCode"), "");
            let blobs = body.as_array().unwrap();
            assert!((1..=10).contains(&blobs.len()));
            told.extend(blobs.clone());
        }
    }
    let blobs = feed.blobs(started_at, simulator.now()).await;
    assert!(blobs.len() > 10);
    let ids: Vec<_> = told.iter().map(|blob| blob["contentId"].as_str().unwrap()).collect();
    assert_eq!(ids, blobs.iter().map(|blob| blob.id.as_str()).collect::<Vec<_>>());
    for blob in &told {
        assert_eq!(
            (&blob["tenantId"], &blob["clientId"]),
            (&TENANT.into(), &CLIENT_ID.into())
        );
        assert_eq!(blob["contentType"], "Audit.General");
    }
    let sent = notifications(&feed).await;
    assert_eq!(sent.len(), blobs.len().min(50));
    assert!(sent.iter().all(|sent| sent["notificationStatus"] == "success"));
    assert_eq!(sent[0]["notificationSent"], "2026-11-19T11:00:00.000Z");
}

#[tokio::test]
async fn a_webhook_that_does_not_listen_is_disabled_after_three_tries() {
    let feed = feed(300, "audit_blobs_per_page = 1000").await;
    let simulator = feed.simulator();
    let (hook, address) = Hook::listen().await;
    simulator.set_now("2026-11-19T08:00:00Z".parse().unwrap());
    let started_at = simulator.now();
    let body = json!({"webhook": {"address": address}});
    assert_eq!(start(&feed, &body).await.status(), 200);
    simulator.set_now(started_at + 4.hours());
    let blobs = feed.blobs(started_at, simulator.now()).await.len() as u64;

    // Twice in vain, and the third time is early enough.
    for status in [500, 202] {
        hook.say(status);
        let deliveries = simulator.deliver_notifications().await;
        assert_eq!((deliveries.accepted, deliveries.refused), (0, blobs));
    }
    hook.say(200);
    assert_eq!(simulator.deliver_notifications().await.accepted, blobs);
    assert_eq!(simulator.deliver_notifications().await.posts, 0);
    let sent = notifications(&feed).await;
    let of = |status: &str| sent.iter().filter(|sent| sent["notificationStatus"] == status).count() as u64;
    assert_eq!((of("failure"), of("success")), (2 * blobs, blobs));

    simulator.set_now(started_at + 8.hours());
    hook.say(503);
    for _ in 0..3 {
        assert_eq!(webhook(&feed).await["status"], "enabled");
        assert!(simulator.deliver_notifications().await.refused > 0);
    }
    assert_eq!(webhook(&feed).await["status"], "disabled");
    hook.say(200);
    hook.heard();
    assert_eq!(simulator.deliver_notifications().await.posts, 0);
    // Content can be had all the same, and starting it again is how to get it back: from now on, not from then on.
    assert!(!feed.blobs(started_at, simulator.now()).await.is_empty());
    assert_eq!(start(&feed, &body).await.status(), 200);
    assert_eq!(webhook(&feed).await["status"], "enabled");
    hook.heard();
    assert_eq!(simulator.deliver_notifications().await.posts, 0);
    simulator.set_now(started_at + 10.hours());
    let new = feed.blobs(started_at + 8.hours(), simulator.now()).await.len() as u64;
    assert_eq!(simulator.deliver_notifications().await.accepted, new);
}
