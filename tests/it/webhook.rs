//! The activity webhook as it is deployed: Microsoft's question and notifications come to a queue, everything else leaves no
//! trace, and what is in the queue makes `audit-events` look.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use uptake_cli::folder::NoParameters;
use uptake_domain::calendar::day_of;
use uptake_domain::tables::GOLD_AUDIT_EVENTS;
use uptake_pipeline::config::{Environment, Face};
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, Scenario, Settings, TENANT};
use uptake_upstream::clock::Deadline;
use uptake_upstream::microsoft::activity::{ActivityFeed, NewWebhook, Subscription};

use crate::aws_face::{BUCKET, Deployment};
use crate::function_url::FunctionUrl;
use crate::independent_reader::IndependentReader;
use crate::runtime_api::Function;

const AUTH_ID: &str = "shown-by-microsoft-and-nobody-else";
const QUEUE: &str = "uptake-activity";
/// How many requests come that are not to leave anything.
const UNWANTED: usize = 10_000;
/// How many of them are under way at a time.
const SIDE_BY_SIDE: usize = 8;
/// How long the slow queue takes.
const SLOWNESS: Duration = Duration::from_millis(300);

/// AWS with a queue and the webhook's secrets, Microsoft, and a way between function and queue that can be slow or cut.
struct World {
    deployment: Deployment,
    queue_url: String,
    way: Way,
}

/// What is between the function and SQS.
#[derive(Clone)]
struct Way {
    url: String,
    is_slow: Arc<AtomicBool>,
    is_cut: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    client: Client,
    moto: String,
}

impl Way {
    async fn to(moto: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            is_slow: Arc::default(),
            is_cut: Arc::default(),
            sent: Arc::default(),
            client: Client::new(),
            moto,
        };
        let app = Router::new().fallback(on_the_way).with_state(way.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        way
    }
}

async fn on_the_way(
    State(way): State<Way>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    if way.is_slow.load(Relaxed) {
        tokio::time::sleep(SLOWNESS).await;
    }
    if way.is_cut.load(Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
    }
    way.sent.fetch_add(1, Relaxed);
    headers.remove("host");
    let request = way.client.request(method, format!("{}{uri}", way.moto));
    let answer = request.headers(headers).body(body).send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap())
}

impl World {
    async fn new() -> Self {
        let now = SystemClock.now();
        let scenario = "activity_limit = 1_000_000\nidentity_limit = 1_000_000\nevents_per_day = 60";
        let mut settings = Settings::new(20, 11, day_of(now)).with_scenario(Scenario::parse(scenario).unwrap());
        settings.tenant_users = 40;
        let deployment = Deployment::with(settings, now).await;
        let parameter = |name: &str, value: &str| json!(["ssm", "put_parameter", {"Name": name, "Value": value, "Type": "SecureString"}]);
        let answers = deployment.moto.call(&json!([
            ["sqs", "create_queue", {"QueueName": QUEUE}],
            parameter("/uptake/webhook-auth-id", &format!("{AUTH_ID}\n")),
            parameter("/uptake/tenant-id", TENANT),
            parameter("/uptake/client-id", CLIENT_ID),
            parameter("/uptake/client-secret", CLIENT_SECRET),
        ]));
        let way = Way::to(deployment.moto.environment()[0].1.to_owned()).await;
        Self {
            queue_url: answers[0]["QueueUrl"].as_str().unwrap().to_owned(),
            way,
            deployment,
        }
    }

    async fn webhook(&self, processes: usize) -> FunctionUrl {
        let process = || {
            self.deployment.function(
                "activity-webhook",
                &[
                    ("AWS_ENDPOINT_URL_SQS", &self.way.url),
                    ("UPTAKE_ACTIVITY_QUEUE_URL", &self.queue_url),
                    ("UPTAKE_TENANT_ID_PARAMETER", "/uptake/tenant-id"),
                    ("UPTAKE_WEBHOOK_AUTH_ID_PARAMETER", "/uptake/webhook-auth-id"),
                ],
            )
        };
        FunctionUrl::of((0..processes).map(|_| process()).collect()).await
    }

    fn audit_events(&self) -> Function {
        let microsoft = self.deployment.simulator.url();
        self.deployment.function(
            "audit-events",
            &[
                ("UPTAKE_LOGIN_URL", &microsoft),
                ("UPTAKE_GRAPH_URL", &microsoft),
                ("UPTAKE_MANAGEMENT_URL", &microsoft),
                ("UPTAKE_TENANT_ID_PARAMETER", "/uptake/tenant-id"),
                ("UPTAKE_CLIENT_ID_PARAMETER", "/uptake/client-id"),
                ("UPTAKE_CLIENT_SECRET_PARAMETER", "/uptake/client-secret"),
            ],
        )
    }

    /// What `uptake subscription` talks through.
    async fn feed(&self) -> ActivityFeed {
        let microsoft = self.deployment.simulator.url();
        let get = |name: &str| {
            let value = match name {
                "UPTAKE_LOGIN_URL" | "UPTAKE_GRAPH_URL" | "UPTAKE_MANAGEMENT_URL" => &microsoft,
                "UPTAKE_TENANT_ID" => TENANT,
                "UPTAKE_CLIENT_ID" => CLIENT_ID,
                "UPTAKE_CLIENT_SECRET" => CLIENT_SECRET,
                _ => return None,
            };
            Some(value.to_owned())
        };
        let config = Environment::new(Face::CommandLine, &get).subscription().unwrap();
        config.feed(&NoParameters, Arc::new(SystemClock)).await.unwrap()
    }

    /// Starts the subscription with this webhook, and returns what is listed then.
    async fn subscribe(&self, url: &FunctionUrl, auth_id: &str) -> Result<Subscription, String> {
        let webhook = NewWebhook {
            address: url.url.parse().unwrap(),
            auth_id: auth_id.into(),
        };
        let feed = self.feed().await;
        let deadline = Deadline::within(Duration::from_secs(20));
        feed.start(Some(webhook), deadline)
            .await
            .map_err(|error| error.to_string())?;
        Ok(feed.subscriptions(deadline).await.unwrap().remove(0))
    }

    /// Lets it be this long before the present. In whole days there is content at whatever hour this is run.
    fn set_days_ago(&self, days: i64) {
        let now = self.deployment.now - SignedDuration::from_hours(24 * days);
        self.deployment.simulator.set_now(now);
    }

    /// The messages that are in the queue, taken out of it.
    fn messages(&self) -> Vec<Value> {
        let receive = json!({
            "QueueUrl": self.queue_url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 3600,
        });
        let mut all = Vec::new();
        loop {
            let answer = self.deployment.moto.call_one("sqs", "receive_message", &receive);
            let Some(messages) = answer["Messages"].as_array() else {
                return all;
            };
            all.extend(messages.iter().cloned());
        }
    }

    /// How many messages are in the queue.
    fn waiting(&self) -> u64 {
        let ask = json!({"QueueUrl": self.queue_url, "AttributeNames": ["ApproximateNumberOfMessages"]});
        let answer = self.deployment.moto.call_one("sqs", "get_queue_attributes", &ask);
        let count = answer["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap();
        count.parse().unwrap()
    }

    fn keys(&self) -> BTreeSet<String> {
        let listed = self
            .deployment
            .moto
            .call_one("s3", "list_objects_v2", &json!({"Bucket": BUCKET}));
        let objects = listed["Contents"].as_array().unwrap();
        objects
            .iter()
            .map(|object| object["Key"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The sum of a metric over the last and the next hour.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    fn counted(&self, metric: &str) -> u64 {
        let hour = SignedDuration::from_hours(1);
        let ask = json!({
            "Namespace": "Uptake/Pipeline", "MetricName": metric,
            "Dimensions": [{"Name": "Function", "Value": "activity-webhook"}],
            "StartTime": self.deployment.now - hour, "EndTime": self.deployment.now + hour, "Period": 7200,
            "Statistics": ["Sum"],
        });
        let answer = self
            .deployment
            .moto
            .call_one("cloudwatch", "get_metric_statistics", &ask);
        let points = answer["Datapoints"].as_array().unwrap();
        points.iter().map(|point| point["Sum"].as_f64().unwrap() as u64).sum()
    }
}

fn notification(id: &str, now: Timestamp) -> Value {
    json!({
        "tenantId": TENANT,
        "clientId": CLIENT_ID,
        "contentType": "Audit.General",
        "contentId": id,
        "contentUri": "http://127.0.0.1:9/never-asked",
        "contentCreated": now - SignedDuration::from_mins(5),
        "contentExpiration": now + SignedDuration::from_hours(24),
    })
}

/// A request, and the status that it is to get.
struct Sent {
    method: Method,
    auth_id: Option<&'static str>,
    validation_code: Option<&'static str>,
    content_type: &'static str,
    body: Bytes,
    expected: u16,
}

impl Sent {
    fn of(body: impl Into<Bytes>, expected: u16) -> Self {
        Self {
            method: Method::POST,
            auth_id: Some(AUTH_ID),
            validation_code: None,
            content_type: "application/json; charset=utf-8",
            body: body.into(),
            expected,
        }
    }

    /// Sends it, and tells how long the answer took.
    async fn to(&self, client: &Client, url: &str) -> Duration {
        let mut request = client
            .request(self.method.clone(), url)
            .header("content-type", self.content_type)
            .body(self.body.clone());
        if let Some(auth_id) = self.auth_id {
            request = request.header("Webhook-AuthID", auth_id);
        }
        if let Some(code) = self.validation_code {
            request = request.header("Webhook-ValidationCode", code);
        }
        let begin = Instant::now();
        let answer = request.send().await.unwrap();
        let took = begin.elapsed();
        assert_eq!(answer.status().as_u16(), self.expected, "{:.200?}", self.body);
        assert!(answer.bytes().await.unwrap().len() < 100, "an answer tells little");
        took
    }
}

/// One of many requests that are not to leave anything; `replayed` was taken before.
fn unwanted(number: usize, replayed: &Value, now: Timestamp) -> Sent {
    let list = |change: fn(&mut Value)| {
        let mut bad = notification(&format!("content-{number}"), now);
        change(&mut bad);
        json!([notification("good", now), bad]).to_string()
    };
    let good = json!([notification(&format!("content-{number}"), now)]).to_string();
    match number % 16 {
        0 => Sent {
            auth_id: None,
            ..Sent::of(good, 401)
        },
        1 => Sent {
            auth_id: Some(""),
            ..Sent::of(good, 401)
        },
        2..=4 => Sent {
            auth_id: Some("shown-by-microsoft-and-nobody-elsf"),
            ..Sent::of(good, 401)
        },
        // Everybody can send much. To who is not Microsoft it is all one.
        5 if number % 320 == 5 => Sent {
            auth_id: None,
            ..Sent::of(vec![b'['; 2_000_000], 401)
        },
        5 if number % 320 == 165 => Sent {
            content_type: "application/octet-stream",
            ..Sent::of(vec![0; 600_000], 413)
        },
        5 => Sent {
            validation_code: Some("code"),
            auth_id: Some("guess"),
            ..Sent::of(r#"{"validationCode": "code"}"#, 401)
        },
        6 => Sent {
            method: Method::GET,
            ..Sent::of("", 405)
        },
        7 => Sent {
            validation_code: Some("code"),
            ..Sent::of(r#"{"validationCode": "another"}"#, 400)
        },
        8 => Sent::of(&b"[{\"tenantId\""[..], 400),
        9 => Sent::of("", 400),
        10 => Sent::of(
            list(|bad| bad["tenantId"] = "22222222-2222-3333-4444-555555555555".into()),
            400,
        ),
        11 => Sent::of(list(|bad| bad["contentType"] = "Audit.Exchange".into()), 400),
        12 => Sent::of(list(|bad| bad["contentCreated"] = "2026-11-01T00:00:00Z".into()), 400),
        13 => Sent {
            content_type: "image/png",
            ..Sent::of(&b"\x89PNG\xff"[..], 400)
        },
        _ => Sent::of(json!([replayed]).to_string(), 200),
    }
}

/// How long each of these requests took, sorted.
async fn all_sent(requests: Vec<Sent>, url: &str, side_by_side: usize) -> Vec<Duration> {
    let client = Client::new();
    let sent = stream::iter(requests).map(|request| {
        let client = client.clone();
        async move { request.to(&client, url).await }
    });
    let mut took: Vec<Duration> = sent.buffer_unordered(side_by_side).collect().await;
    took.sort();
    took
}

/// The event that Lambda makes of messages.
fn event(messages: &[Value]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
                "attributes": message["Attributes"], "messageAttributes": {}, "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:uptake-activity",
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({"Records": records})
}

#[tokio::test]
async fn a_notification_comes_to_the_queue_and_the_events_it_tells_of_into_the_lake() {
    let world = World::new().await;
    let simulator = &world.deployment.simulator;
    let url = world.webhook(1).await;
    world.set_days_ago(1);
    let refused = world.subscribe(&url, "not-the-secret").await.unwrap_err();
    assert!(!refused.contains("not-the-secret"), "{refused}");
    let subscription = world.subscribe(&url, AUTH_ID).await.unwrap();
    let webhook = subscription.webhook.unwrap();
    assert_eq!(
        (webhook.status.as_deref(), webhook.address.as_str()),
        (Some("enabled"), url.url.as_str())
    );
    assert_eq!(world.waiting(), 0, "a question is no notification");

    world.set_days_ago(0);
    let told = simulator.deliver_notifications().await;
    assert!(told.posts > 0 && told.accepted >= told.posts, "{told:?}");
    assert_eq!(told.refused, 0, "{told:?}");
    assert_eq!(simulator.deliver_notifications().await.posts, 0);
    let messages = world.messages();
    assert_eq!(messages.len() as u64, told.posts);
    let mut blobs = 0;
    for message in &messages {
        let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["blobs", "received_at"], "{body}");
        blobs += body["blobs"].as_u64().unwrap();
    }
    assert_eq!(blobs, told.accepted);

    let function = world.audit_events();
    let mut event = event(&messages);
    let first = function.invoke(event.clone()).await.unwrap();
    assert_eq!(first["status"], "complete", "{first}");
    let sent_at = |message: &Value| -> i64 {
        message["Attributes"]["SentTimestamp"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let newest = Timestamp::from_millisecond(messages.iter().map(sent_at).max().unwrap()).unwrap();
    let watermark: Timestamp = first["watermark"].as_str().unwrap().parse().unwrap();
    assert_eq!(watermark, newest, "{first}");
    let read = IndependentReader::of_moto(&world.deployment.moto);
    let table = format!("s3://{BUCKET}/prod/lake/{}", GOLD_AUDIT_EVENTS.name);
    let stored: Vec<String> = read
        .rows(&table, &["event_id"])
        .iter()
        .map(|row| row["event_id"].as_str().unwrap().to_owned())
        .collect();
    let served = simulator.audit_events(simulator.now() + SignedDuration::from_millis(1));
    let served: BTreeSet<String> = served.into_iter().map(|event| event.event_id).collect();
    assert!(served.len() > 50, "{}", served.len());
    assert_eq!((stored.len(), stored.into_iter().collect()), (served.len(), served));

    // A storm of the same hints, and of older ones, costs nothing.
    let before = simulator.requests().total();
    for _ in 0..20 {
        let again = function.invoke(event.clone()).await.unwrap();
        assert_eq!(again["status"], "nothing_to_do", "{again}");
    }
    assert_eq!(simulator.requests().total(), before);
    event["Records"][0]["eventSource"] = "aws:sns".into();
    let error = function.invoke(event).await.unwrap_err();
    assert_eq!(error["errorType"], "Configuration", "{error}");
    let scheduled = function.invoke(world.deployment.trigger()).await.unwrap();
    assert_eq!(scheduled["status"], "nothing_to_do", "{scheduled}");
    for written in [url.written(), function.written()] {
        world.deployment.assert_names_nobody(&written);
        assert!(!written.contains(AUTH_ID), "{written}");
    }
}

#[tokio::test]
async fn ten_thousand_unwanted_requests_leave_nothing_but_a_count() {
    let world = World::new().await;
    let now = world.deployment.now;
    let url = world.webhook(1).await;
    let replayed = notification("taken-once", now);
    let client = Client::new();
    Sent::of(json!([replayed]).to_string(), 200).to(&client, &url.url).await;
    let (keys, written) = (world.keys(), url.written());
    assert_eq!(world.waiting(), 1);

    let begin = Instant::now();
    let requests: Vec<Sent> = (0..UNWANTED).map(|number| unwanted(number, &replayed, now)).collect();
    let replays = requests.iter().filter(|request| request.expected == 200).count() as u64;
    let took = all_sent(requests, &url.url, SIDE_BY_SIDE).await;
    report("unwanted requests, one process", &took, begin.elapsed());
    assert_eq!(world.waiting(), 1);
    assert_eq!(world.way.sent.load(Relaxed), 1);

    // Should nobody come any more, a tenth of the burst is told at least.
    let told = world.counted("NotificationsAccepted") + world.counted("NotificationsRefused");
    assert!(told * 10 >= UNWANTED as u64, "{told}");
    // Figures come with the first request after a minute.
    tokio::time::sleep(Duration::from_secs(61)).await;
    Sent {
        auth_id: None,
        ..Sent::of("", 401)
    }
    .to(&client, &url.url)
    .await;
    let (accepted, refused) = (
        world.counted("NotificationsAccepted"),
        world.counted("NotificationsRefused"),
    );
    assert_eq!((accepted, refused), (1 + replays, UNWANTED as u64 - replays + 1));
    assert_eq!(world.keys(), keys);
    assert_eq!(url.written(), written);
}

fn report(what: &str, took: &[Duration], all: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    let rate = took.len() as f64 / all.as_secs_f64();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    #[expect(clippy::print_stdout, reason = "figures to look at")]
    {
        println!(
            "{what}: {} requests, {rate:.0} a second, p50 {:.1} ms, p99 {:.1} ms",
            took.len(),
            at(50),
            at(99)
        );
    }
}

#[tokio::test]
async fn answers_come_at_once_with_a_fast_queue_and_as_slowly_as_a_slow_one() {
    let world = World::new().await;
    let now = world.deployment.now;
    for processes in [1, 4] {
        let begin = Instant::now();
        let url = world.webhook(processes).await;
        // The processes start, and each reads its secrets.
        let first = (0..processes).map(|_| Sent {
            auth_id: None,
            ..Sent::of("", 401)
        });
        let took = all_sent(first.collect(), &url.url, processes).await;
        report(&format!("first of {processes} processes"), &took, begin.elapsed());
        for (kind, is_slow, is_good, count) in [
            ("refused", false, false, 2_000),
            ("accepted, fast queue", false, true, 500),
            ("refused, slow queue", true, false, 1_000),
            ("accepted, slow queue", true, true, 12 * processes),
        ] {
            world.way.is_slow.store(is_slow, Relaxed);
            let before = world.way.sent.load(Relaxed);
            let requests: Vec<Sent> = (0..count)
                .map(|number| {
                    let body = json!([notification(&format!("{processes}-{is_slow}-{number}"), now)]).to_string();
                    let good = Sent::of(body, 200);
                    if is_good {
                        good
                    } else {
                        Sent {
                            auth_id: None,
                            expected: 401,
                            ..good
                        }
                    }
                })
                .collect();
            // Each process answers one request at a time.
            let begin = Instant::now();
            let took = all_sent(requests, &url.url, processes).await;
            report(&format!("{kind}, {processes} at a time"), &took, begin.elapsed());
            let sent = world.way.sent.load(Relaxed) - before;
            assert_eq!(sent, if is_good { count as u64 } else { 0 });
            let median = took[count / 2];
            if is_good && is_slow {
                assert!(
                    (SLOWNESS..SLOWNESS + Duration::from_secs(2)).contains(&median),
                    "{median:?}"
                );
            } else {
                assert!(median < Duration::from_millis(500), "{median:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_queue_cannot_take_comes_again_and_a_webhook_that_was_disabled_can_be_enabled() {
    let world = World::new().await;
    let simulator = &world.deployment.simulator;
    let url = world.webhook(1).await;
    world.set_days_ago(5);
    world.subscribe(&url, AUTH_ID).await.unwrap();
    world.way.is_cut.store(true, Relaxed);
    world.set_days_ago(4);
    for _ in 0..2 {
        let told = simulator.deliver_notifications().await;
        assert!(told.refused > 0 && told.accepted == 0, "{told:?}");
    }
    world.way.is_cut.store(false, Relaxed);
    let told = simulator.deliver_notifications().await;
    assert!(told.accepted > 0 && told.refused == 0, "{told:?}");
    assert_eq!(world.waiting(), told.posts);
    let written = url.written();
    assert!(
        written.contains("the activity queue") && !written.contains(AUTH_ID),
        "{written}"
    );

    world.way.is_cut.store(true, Relaxed);
    world.set_days_ago(3);
    for _ in 0..3 {
        assert!(simulator.deliver_notifications().await.refused > 0);
    }
    let listed = world
        .feed()
        .await
        .subscriptions(Deadline::within(Duration::from_secs(20)))
        .await
        .unwrap();
    assert_eq!(listed[0].webhook.as_ref().unwrap().status.as_deref(), Some("disabled"));
    world.set_days_ago(2);
    assert_eq!(
        simulator.deliver_notifications().await.posts,
        0,
        "a disabled webhook is told nothing"
    );

    world.way.is_cut.store(false, Relaxed);
    let again = world.subscribe(&url, AUTH_ID).await.unwrap();
    assert_eq!(again.webhook.unwrap().status.as_deref(), Some("enabled"));
    world.set_days_ago(1);
    let told = simulator.deliver_notifications().await;
    assert!(told.accepted > 0 && told.refused == 0, "{told:?}");
}

#[tokio::test]
async fn faulty_settings_are_told_to_the_log_once_and_to_callers_without_a_value() {
    let world = World::new().await;
    let function = world
        .deployment
        .function("activity-webhook", &[("UPTAKE_SINKS", "paper")]);
    let url = FunctionUrl::of(vec![function]).await;
    for _ in 0..3 {
        let answer = reqwest::get(&url.url).await.unwrap();
        assert_eq!(answer.status().as_u16(), 500);
        assert_eq!(
            answer.text().await.unwrap(),
            "the function's settings are at fault; its log lists them"
        );
    }
    let written = url.written();
    for fault in [
        "UPTAKE_SINKS",
        "UPTAKE_WEBHOOK_AUTH_ID_PARAMETER",
        "UPTAKE_TENANT_ID_PARAMETER",
        "UPTAKE_ACTIVITY_QUEUE_URL",
    ] {
        assert_eq!(written.matches(fault).count(), 1, "{fault}: {written}");
    }
}

#[tokio::test]
async fn a_missing_permission_or_queue_is_told_to_the_log_and_microsoft_is_asked_to_come_again() {
    let world = World::new().await;
    let now = world.deployment.now;
    for (change, expected) in [
        (
            ("UPTAKE_WEBHOOK_AUTH_ID_PARAMETER", "/nothing"),
            "SSM parameter /nothing does not exist",
        ),
        (
            ("UPTAKE_ACTIVITY_QUEUE_URL", "http://127.0.0.1/123456789012/nothing"),
            "the activity queue does not exist; create it, or correct UPTAKE_ACTIVITY_QUEUE_URL",
        ),
    ] {
        let settings = [
            ("UPTAKE_ACTIVITY_QUEUE_URL", world.queue_url.as_str()),
            ("UPTAKE_TENANT_ID_PARAMETER", "/uptake/tenant-id"),
            ("UPTAKE_WEBHOOK_AUTH_ID_PARAMETER", "/uptake/webhook-auth-id"),
            change,
        ];
        let url = FunctionUrl::of(vec![world.deployment.function("activity-webhook", &settings)]).await;
        let good = json!([notification("good", now)]).to_string();
        Sent::of(good, 503).to(&Client::new(), &url.url).await;
        let written = url.written();
        assert!(written.contains(expected), "{written}");
    }
}
