//! What is watched besides the work itself: credentials that end, and whether Grafana answers.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::{Json, Router, routing::get};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uptake_cli::folder::Folder;
use uptake_pipeline::config::{Environment, Face};
use uptake_pipeline::grafana_health;
use uptake_pipeline::outcome::{Outcome, Status};
use uptake_pipeline::ports::{Ports, SystemClock, Unwatched};
use uptake_pipeline::trigger::Trigger;

use crate::enterprise::{DAY, Enterprise, Standing};
use crate::tenant::{FIRST_DAY, Tenant, evening, invocation};

#[tokio::test]
async fn days_until_the_token_expires_are_published() {
    for (told, days) in [
        ("2026-12-01T05:00:00Z", Some(10.0)),
        ("2026-11-20T01:00:00Z", Some(0.0)),
        ("", None),
    ] {
        let scenario = if told.is_empty() {
            String::new()
        } else {
            format!("github_token_ends_at = '{told}'")
        };
        let enterprise = Enterprise::with(40, &scenario).await;
        enterprise.offer_seats(DAY).await.unwrap();
        let metrics = enterprise.metrics(DAY).await;
        let left = metrics.get("CredentialDaysLeft Function=copilot-seats");
        assert_eq!(left.copied(), days, "{told}");
    }
}

#[tokio::test]
async fn days_until_the_client_secret_expires_are_published_where_the_application_may_read_itself() {
    let ends_at = evening(FIRST_DAY);
    let ends_on = (ends_at + SignedDuration::from_hours(24 * 30))
        .strftime("%Y-%m-%d")
        .to_string();
    for (scenario, days) in [
        (format!("client_secret_ends_on = '{ends_on}'"), Some(29)),
        (String::new(), None),
    ] {
        let tenant = Tenant::with(40, 7, &format!("{scenario}\nodd_rows = false")).await;
        tenant.simulator.set_today(FIRST_DAY);
        tenant.offer_usage(FIRST_DAY).await.unwrap();
        let metrics = tenant.metrics(FIRST_DAY).await;
        let left = metrics.get(&("CredentialDaysLeft".to_owned(), "m365-usage".to_owned()));
        let left = left.and_then(|values| values.first()).and_then(Value::as_f64);
        assert_eq!(left, days.map(f64::from), "{scenario}");
        let outcome = tenant.record(FIRST_DAY).await;
        assert!(!outcome["directory"].is_null(), "nothing else depends on it");
    }
}

/// A Grafana that says so.
pub(crate) async fn grafana(status: StatusCode, body: Value) -> String {
    let answer = move || std::future::ready((status, Json(body.clone())));
    let router = Router::new().route("/api/health", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// One look at the Grafana at an address; what was published, too.
async fn look(url: &str, dry_run: bool) -> (Outcome, Vec<f64>) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(PathBuf::from(root.path()));
    let get = |name: &str| (name == "UPTAKE_GRAFANA_URL").then(|| url.to_owned());
    let mut environment = Environment::new(Face::CommandLine, &get);
    let config = environment.grafana_health();
    let config = environment.finish(config).unwrap();
    let grafana = config.connect(Arc::new(SystemClock)).unwrap();
    let at: Timestamp = "2026-11-20T06:05:00Z".parse().unwrap();
    let trigger = Trigger {
        dry_run,
        ..Trigger::at(at)
    };
    let ports = Ports {
        files: &folder,
        metrics: &folder,
        clock: &Standing(at),
        progress: &Unwatched,
    };
    let outcome = grafana_health::check(&grafana, ports, &trigger, &invocation())
        .await
        .unwrap();
    let published =
        std::fs::read_to_string(root.path().join("cloudwatch/metrics/2026-11-20.jsonl")).unwrap_or_default();
    let values = published.lines().map(|line| {
        let datum: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&datum["metric_name"], &datum["timestamp"]),
            (&json!("GrafanaAvailable"), &json!("2026-11-20T06:05:00Z"))
        );
        datum["value"].as_f64().unwrap()
    });
    let values = values.collect();
    (outcome, values)
}

#[tokio::test]
async fn a_grafana_that_answers_is_available_and_any_other_is_not() {
    let well = json!({"database": "ok", "version": "12.4.0"});
    let (outcome, published) = look(&grafana(StatusCode::OK, well.clone()).await, false).await;
    assert_eq!((outcome.status, published.as_slice()), (Status::Complete, &[1.0][..]));
    for (status, body) in [
        (StatusCode::SERVICE_UNAVAILABLE, json!({"database": "failing"})),
        (StatusCode::OK, json!({"database": "failing"})),
        (StatusCode::OK, json!("welcome")),
        (StatusCode::FORBIDDEN, json!({})),
        (StatusCode::NOT_FOUND, json!({})),
    ] {
        let (outcome, published) = look(&grafana(status, body.clone()).await, false).await;
        assert_eq!(published, [0.0], "{status} {body}");
        assert_eq!(outcome.status, Status::Complete, "that it is down is an answer");
        assert!(
            outcome.notes[0].starts_with("Grafana is not available: "),
            "{outcome:?}"
        );
    }
    // Nobody listens there.
    let (_, published) = look("http://127.0.0.1:9", false).await;
    assert_eq!(published, [0.0]);
    let (_, published) = look(&grafana(StatusCode::OK, well).await, true).await;
    assert!(published.is_empty(), "a dry run publishes nothing");
}
