//! `uptake subscription`: what it starts, ends and lists, and what it says where something is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uptake_domain::calendar::day_of;
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, Scenario, Settings, Simulator, TENANT};

use crate::{Ended, Laptop};

const AUTH_ID: &str = "shown-by-microsoft-and-nobody-else";

/// A webhook that answers as a test wants, to whoever shows the secret.
async fn webhook(status: Arc<AtomicU16>) -> String {
    async fn answered(State(status): State<Arc<AtomicU16>>, headers: HeaderMap) -> StatusCode {
        let is_microsoft = headers.get("webhook-authid").is_some_and(|shown| shown == AUTH_ID);
        let status = if is_microsoft { status.load(Relaxed) } else { 401 };
        StatusCode::from_u16(status).unwrap()
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().fallback(answered).with_state(status);
    tokio::spawn(axum::serve(listener, app).into_future());
    url
}

/// A tenant whose clock is right: the command asks for the last week by its own.
async fn simulator(scenario: &str) -> Simulator {
    let now = SystemClock.now();
    let mut settings = Settings::new(10, 7, day_of(now));
    settings.tenant_users = 40;
    let scenario = Scenario::parse(scenario).unwrap();
    let simulator = Simulator::start(settings.with_scenario(scenario)).await.unwrap();
    simulator.set_now(now);
    simulator
}

fn laptop(simulator: &Simulator) -> Laptop {
    let mut laptop = Laptop::new();
    for name in ["UPTAKE_LOGIN_URL", "UPTAKE_GRAPH_URL", "UPTAKE_MANAGEMENT_URL"] {
        laptop.set(name, &simulator.url());
    }
    laptop.set("UPTAKE_TENANT_ID", TENANT);
    laptop.set("UPTAKE_CLIENT_ID", CLIENT_ID);
    laptop.set("UPTAKE_CLIENT_SECRET", CLIENT_SECRET);
    laptop
}

async fn listed(laptop: &Laptop) -> Value {
    let ended = laptop.uptake("subscription list --json").await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn assert_keeps_the_secret(ended: &Ended) {
    assert!(
        !ended.stdout.contains(AUTH_ID) && !ended.stderr.contains(AUTH_ID),
        "{} {}",
        ended.stdout,
        ended.stderr
    );
}

#[tokio::test]
async fn a_subscription_is_started_listed_and_stopped() {
    let simulator = simulator("audit_subscription = \"absent\"").await;
    let laptop = laptop(&simulator);
    assert_eq!(listed(&laptop).await, json!([]));
    let none = laptop.uptake("subscription list").await;
    assert!(none.stdout.contains("`uptake subscription start`"), "{}", none.stdout);

    // The second time there is nothing to do, which is as good.
    for _ in 0..2 {
        let started = laptop.uptake("subscription start").await;
        assert_eq!(started.code, 0, "{}", started.stderr);
        assert!(started.stdout.contains("Audit.General: enabled"), "{}", started.stdout);
    }
    assert_eq!(
        listed(&laptop).await,
        json!([{"content_type": "Audit.General", "status": "enabled", "webhook": null}])
    );
    for _ in 0..2 {
        let stopped = laptop.uptake("subscription stop").await;
        assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    }
    let shown = laptop.uptake("subscription list").await;
    assert!(
        shown.stdout.contains("Audit.General: disabled") && shown.stdout.contains("next"),
        "{}",
        shown.stdout
    );
}

#[tokio::test]
async fn a_disabled_webhook_is_shown_and_enabled_by_the_command_that_made_it() {
    let simulator = simulator("").await;
    // In whole days there is content at whatever hour this is run.
    let earlier = simulator.now() - SignedDuration::from_hours(72);
    simulator.set_now(earlier);
    let status = Arc::new(AtomicU16::new(200));
    let url = webhook(Arc::clone(&status)).await;
    let mut laptop = laptop(&simulator);

    let command = format!("subscription start --webhook {url}");
    let missing = laptop.uptake(&command).await;
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    assert!(
        missing.stderr.contains("UPTAKE_WEBHOOK_AUTH_ID is not set"),
        "{}",
        missing.stderr
    );
    laptop.set("UPTAKE_WEBHOOK_AUTH_ID", AUTH_ID);
    for bad in ["not-an-address", "http://hook.example/", "ftp://127.0.0.1/"] {
        let ended = laptop.uptake(&format!("subscription start --webhook {bad}")).await;
        assert_eq!(ended.code, 2, "{bad}: {}", ended.stderr);
    }

    let started = laptop.uptake(&command).await;
    assert_eq!(started.code, 0, "{}", started.stderr);
    assert!(
        started.stdout.contains(&format!("enabled, {url}")),
        "{}",
        started.stdout
    );
    assert_keeps_the_secret(&started);

    status.store(503, Relaxed);
    simulator.set_now(earlier + SignedDuration::from_hours(24));
    for _ in 0..3 {
        assert!(simulator.deliver_notifications().await.refused > 0);
    }
    let shown = laptop.uptake("subscription list").await;
    assert!(
        shown.stdout.contains(&format!("disabled, {url}")) && shown.stdout.contains(&format!("uptake {command}")),
        "{}",
        shown.stdout
    );
    // It has to answer first.
    let refused = laptop.uptake(&command).await;
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert_keeps_the_secret(&refused);
    status.store(200, Relaxed);
    let again = laptop.uptake(&command).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(listed(&laptop).await[0]["webhook"]["status"], "enabled");
    simulator.set_now(earlier + SignedDuration::from_hours(48));
    let told = simulator.deliver_notifications().await;
    assert!(told.accepted > 0 && told.refused == 0, "{told:?}");

    let without = laptop.uptake("subscription start").await;
    assert_eq!(without.code, 0, "{}", without.stderr);
    assert_eq!(listed(&laptop).await[0]["webhook"], Value::Null);
}

#[tokio::test]
async fn a_day_of_the_audit_log_is_read_and_the_hints_of_it_are_gone() {
    let simulator = simulator("events_per_day = 40").await;
    let laptop = laptop(&simulator);
    laptop.write(
        "queue/activity/1.json",
        r#"{"received_at": "2026-11-20T10:00:00Z", "blobs": 1}"#,
    );
    let dry = laptop.uptake("run audit-events --dry-run --json").await;
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(laptop.path("queue/activity/1.json").exists());
    let ended = laptop.uptake("run audit-events --json").await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    assert!(answer["counts"]["stored"].as_u64().unwrap() > 0, "{answer}");
    assert!(!laptop.path("queue/activity/1.json").exists());
}
