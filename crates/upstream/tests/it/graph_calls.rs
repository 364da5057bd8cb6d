//! Signing in, limits, deadlines and the journal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::date;
use serde_json::json;
use uptake_domain::calendar::Window;
use uptake_upstream::clock::{Deadline, SystemClock};
use uptake_upstream::error::ApiError;
use uptake_upstream::github::{GitHub, Identity};
use uptake_upstream::microsoft::audit_query::QueryId;
use uptake_upstream::microsoft::reports::{ActivityOf, Period};
use uptake_upstream::microsoft::{Graph, Principal};
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{PATIENCE, enterprise};
use crate::graph::{FakeClock, MICROSOFT, TOKEN, at, fixture, graph, principal, server, token, with_clock};

const USERS: &str = "/v1.0/users";

#[expect(clippy::disallowed_methods, reason = "a test of waiting measures it")]
fn stopwatch() -> Instant {
    Instant::now()
}

/// Answers `first` so many times and then well.
async fn faulty(first: ResponseTemplate, times: u64) -> MockServer {
    let server = server().await;
    Mock::given(path(USERS))
        .respond_with(first)
        .up_to_n_times(times)
        .mount(&server)
        .await;
    at(&server, USERS, fixture(&server, 200, "users-page-2.json")).await;
    server
}

#[tokio::test]
async fn a_token_serves_until_five_minutes_before_its_end() {
    let server = MockServer::start().await;
    token(&server, "first", 3600, 1).await;
    token(&server, "second", 3600, 1).await;
    for (value, times) in [("Bearer first", 2), ("Bearer second", 1)] {
        Mock::given(path(USERS))
            .and(header("authorization", value))
            .respond_with(fixture(&server, 200, "users-page-2.json"))
            .expect(times)
            .mount(&server)
            .await;
    }
    let clock = FakeClock::new();
    let graph = with_clock(&server, Arc::clone(&clock));
    for seconds in [0, 3299, 1] {
        clock.advance(seconds);
        graph.users_page(None, Deadline::NONE).await.unwrap();
    }
}

#[tokio::test]
async fn those_who_ask_together_share_one_token() {
    let server = server().await;
    at(&server, USERS, fixture(&server, 200, "users-page-2.json")).await;
    let graph = graph(&server);
    let asked = (0..5).map(|_| graph.users_page(None, Deadline::NONE));
    for page in futures::future::join_all(asked).await {
        page.unwrap();
    }
    assert_eq!(graph.requests(), 6);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_not_for_ever() {
    let server = MockServer::start().await;
    token(&server, "first", 3600, 1).await;
    token(&server, "second", 3600, 1).await;
    Mock::given(path(USERS))
        .and(header("authorization", "Bearer second"))
        .respond_with(fixture(&server, 200, "users-page-2.json"))
        .mount(&server)
        .await;
    at(&server, USERS, ResponseTemplate::new(401)).await;
    let graph = graph(&server);
    graph.users_page(None, Deadline::NONE).await.unwrap();
    assert_eq!(graph.requests(), 4);

    let server = MockServer::start().await;
    token(&server, "first", 3600, 2).await;
    at(&server, USERS, ResponseTemplate::new(401)).await;
    let graph = crate::graph::graph(&server);
    let error = graph.users_page(None, Deadline::NONE).await.unwrap_err();
    assert_eq!(error.error_type(), "Credentials");
    assert!(error.to_string().contains("UPTAKE_GRAPH_URL"), "{error}");
    assert_eq!(graph.requests(), 4);
}

#[tokio::test]
async fn a_refused_sign_in_says_what_to_do_and_repeats_nothing() {
    for (status, code, expected) in [
        (401, 7_000_215, "not its id"),
        (401, 7_000_222, "has expired"),
        (400, 700_016, "UPTAKE_CLIENT_ID"),
        (400, 90_002, "UPTAKE_TENANT_ID"),
        (401, 7_000_112, "disabled"),
        (400, 1, "sign-in logs"),
    ] {
        for codes in [json!([code]), json!([])] {
            let server = MockServer::start().await;
            let refusal = ResponseTemplate::new(status).set_body_json(json!({
                "error": "invalid_client",
                "error_description": format!("AADSTS{code}: something about 11111111-2222 and reader@contoso.example."),
                "error_codes": codes,
                "trace_id": "trace",
            }));
            Mock::given(method("POST"))
                .and(path(TOKEN))
                .respond_with(refusal)
                .expect(1)
                .mount(&server)
                .await;
            let graph = graph(&server);
            let error = graph.users_page(None, Deadline::NONE).await.unwrap_err();
            assert_eq!((error.error_type(), error.passes_by_itself()), ("Credentials", false));
            let calls = graph.take_calls();
            let told = format!("{error} {calls:?}");
            assert!(told.contains(expected), "{told}");
            assert!(
                !told.contains("1111") && !told.contains("contoso") && !told.contains("s3cr"),
                "{told}"
            );
            assert_eq!(calls.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_passes_by_itself_is_tried_again() {
    let server = MockServer::start().await;
    for answer in [
        ResponseTemplate::new(400).set_body_json(json!({"error": "temporarily_unavailable"})),
        ResponseTemplate::new(503),
    ] {
        Mock::given(path(TOKEN))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    token(&server, "token", 3600, 1).await;
    at(&server, USERS, fixture(&server, 200, "users-page-2.json")).await;
    let graph = graph(&server);
    graph.users_page(None, Deadline::NONE).await.unwrap();
    assert_eq!(graph.requests(), 4);
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_said_before_any_call() {
    for (principal, variable) in [
        (
            Principal {
                tenant: String::new(),
                ..principal()
            },
            "UPTAKE_TENANT_ID",
        ),
        (
            Principal {
                client_secret: "secret\n".into(),
                ..principal()
            },
            "UPTAKE_CLIENT_SECRET",
        ),
    ] {
        let origin = || "http://127.0.0.1:1".parse().unwrap();
        let error = Graph::new(origin(), origin(), principal, FakeClock::new(), MICROSOFT)
            .err()
            .unwrap();
        assert!(error.to_string().contains(variable), "{error}");
        assert!(!error.to_string().contains("secret\n"), "{error}");
    }
}

#[tokio::test]
async fn a_limit_is_waited_out() {
    for answer in [
        ResponseTemplate::new(429).insert_header("retry-after", "1"),
        ResponseTemplate::new(503).insert_header("retry-after", "1"),
        // A second after the time at which the test's clock stands.
        ResponseTemplate::new(429).insert_header("retry-after", "Fri, 20 Nov 2026 06:00:01 GMT"),
    ] {
        let server = faulty(answer, 1).await;
        let graph = graph(&server);
        let begun = stopwatch();
        graph.users_page(None, Deadline::NONE).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(graph.requests(), 3);
    }
}

#[tokio::test]
async fn passing_faults_and_limits_are_stood_five_times() {
    for answer in [
        ResponseTemplate::new(502),
        ResponseTemplate::new(429).insert_header("retry-after", "0"),
    ] {
        let graph_of = |server: MockServer| async move {
            let graph = graph(&server);
            let end = graph.users_page(None, Deadline::NONE).await;
            (end, graph.requests())
        };
        let (end, requests) = graph_of(faulty(answer.clone(), 5).await).await;
        assert!(end.is_ok(), "{end:?}");
        assert_eq!(requests, 7);
        let (end, requests) = graph_of(faulty(answer, 6).await).await;
        assert!(matches!(end, Err(ApiError::Unavailable { .. })), "{end:?}");
        assert_eq!(requests, 7);
    }
}

#[tokio::test]
async fn a_limit_past_the_deadline_ends_the_call_at_once() {
    let server = faulty(ResponseTemplate::new(429).insert_header("retry-after", "600"), 9).await;
    let graph = graph(&server);
    let begun = stopwatch();
    let end = graph.users_page(None, Deadline::within(Duration::from_mins(1))).await;
    assert!(matches!(end, Err(ApiError::RateLimited { .. })), "{end:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn every_call_is_in_the_journal_once() {
    let server = faulty(ResponseTemplate::new(502), 1).await;
    let clock = FakeClock::new();
    let graph = with_clock(&server, Arc::clone(&clock));
    graph.users_page(None, Deadline::NONE).await.unwrap();
    let calls = graph.take_calls();
    let told: Vec<_> = calls
        .iter()
        .map(|call| (call.route, call.http_status, call.error.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("POST /{tenant}/oauth2/v2.0/token", Some(200), None),
            ("GET /v1.0/users", Some(502), Some("status 502")),
            ("GET /v1.0/users", Some(200), None),
        ]
    );
    assert!(calls.iter().all(|call| call.duration > Duration::ZERO));
    assert_eq!(calls[0].at, "2026-11-20T06:00:00Z".parse().unwrap());
    assert!(graph.take_calls().is_empty(), "taken is taken");
}

#[tokio::test]
async fn github_keeps_a_journal_only_when_told_to() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(crate::client::fixture("seats-empty"))
        .mount(&server)
        .await;
    let identity = || Identity::Token("fixture-token".into());
    let client = || {
        GitHub::new(
            server.uri().parse().unwrap(),
            identity(),
            Arc::new(SystemClock),
            PATIENCE,
        )
        .unwrap()
    };
    for (github, expected) in [(client(), 0), (client().with_journal(), 1)] {
        github.seats(&enterprise(), Deadline::NONE, |_| {}).await.unwrap();
        let calls = github.take_calls();
        assert_eq!(calls.len(), expected);
        assert!(calls.iter().all(|call| call.http_status == Some(200)));
    }
}

#[tokio::test]
async fn the_secret_goes_nowhere_else() {
    for status in [302, 307] {
        let server = MockServer::start().await;
        let elsewhere = MockServer::start().await;
        Mock::given(path(TOKEN))
            .respond_with(ResponseTemplate::new(status).insert_header("location", elsewhere.uri()))
            .mount(&server)
            .await;
        let error = graph(&server).users_page(None, Deadline::NONE).await.unwrap_err();
        assert!(error.to_string().contains("Microsoft's sign-in refused"), "{error}");
        assert!(elsewhere.received_requests().await.unwrap().is_empty());
    }
}

#[test]
fn calls_can_be_made_from_any_thread() {
    fn is_send(_: impl Send) {}
    let graph = Graph::new(
        "http://127.0.0.1:1".parse().unwrap(),
        "http://127.0.0.1:1".parse().unwrap(),
        principal(),
        FakeClock::new(),
        MICROSOFT,
    )
    .unwrap();
    is_send(graph.users_page(None, Deadline::NONE));
    is_send(graph.subscribed_skus(Deadline::NONE));
    is_send(graph.conceals_names(Deadline::NONE));
    is_send(graph.copilot_usage(Period::D7, Deadline::NONE));
    is_send(graph.active_users(ActivityOf::LastSevenDays, Deadline::NONE));
    is_send(graph.list_items("site", "list", "Email", Deadline::NONE));
    let query = QueryId::new("q-1");
    is_send(graph.start_audit_query(Window::of_day(date(2026, 8, 1)), &[], Deadline::NONE));
    is_send(graph.audit_query_status(&query, Deadline::NONE));
    is_send(graph.audit_query_page(&query, None, Deadline::NONE));
}
