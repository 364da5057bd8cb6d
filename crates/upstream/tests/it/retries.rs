//! Faults: what passes is waited out, what does not is said at once, and a deadline is kept.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uptake_upstream::clock::{Clock, Deadline, SystemClock};
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{enterprise, fixture, github, status};

/// Reads the list once: what came of it, and how many requests it took.
async fn read(github: &GitHub, deadline: Deadline) -> (Result<(), ApiError>, u64) {
    let before = github.requests();
    let end = github.seats(&enterprise(), deadline, |_| {}).await;
    (end, github.requests() - before)
}

/// Answers `first` once (or always), then well.
async fn faulty(first: ResponseTemplate, times: Option<u64>) -> MockServer {
    let server = MockServer::start().await;
    let fault = Mock::given(any()).respond_with(first).with_priority(1);
    match times {
        Some(times) => fault.up_to_n_times(times).mount(&server).await,
        None => fault.mount(&server).await,
    }
    Mock::given(any())
        .respond_with(fixture("seats-empty"))
        .mount(&server)
        .await;
    server
}

#[expect(clippy::disallowed_methods, reason = "a test of waiting measures it")]
fn stopwatch() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_and_a_lasting_one_is_named() {
    let server = faulty(ResponseTemplate::new(502), Some(2)).await;
    let (end, requests) = read(&github(&server.uri()), Deadline::NONE).await;
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(requests, 3);

    let server = faulty(ResponseTemplate::new(503), None).await;
    let (end, requests) = read(&github(&server.uri()), Deadline::NONE).await;
    let error = end.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { tries: 3, .. }), "{error}");
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn what_no_retry_can_change_is_said_after_one_request() {
    for (status_code, name, expected) in [
        (401, "forbidden-permission", "Credentials"),
        (403, "forbidden-permission", "Permission"),
        (404, "forbidden-permission", "Permission"),
        (422, "forbidden-permission", "Contract"),
    ] {
        let server = faulty(status(status_code, name), None).await;
        let (end, requests) = read(&github(&server.uri()), Deadline::NONE).await;
        let error = end.unwrap_err();
        assert_eq!((error.error_type(), requests), (expected, 1), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_says_which_permission_to_grant() {
    let server = faulty(status(403, "forbidden-permission"), None).await;
    let (end, _) = read(&github(&server.uri()), Deadline::NONE).await;
    let message = end.unwrap_err().to_string();
    assert!(message.contains("manage_billing:copilot"), "{message}");
}

#[tokio::test]
async fn a_limit_is_waited_out_as_long_as_it_says() {
    let soon = SystemClock.now().as_second() + 4;
    let secondary = status(403, "secondary-limit-without-header");
    for (limit, at_least) in [
        (ResponseTemplate::new(429).insert_header("retry-after", "1"), 1_000),
        (
            status(403, "secondary-limit-without-header").insert_header("retry-after", "1"),
            1_000,
        ),
        (secondary, 100),
        (
            status(403, "forbidden-permission")
                .insert_header("x-ratelimit-remaining", "0")
                .insert_header("x-ratelimit-reset", soon.to_string()),
            1_000,
        ),
    ] {
        let server = faulty(limit, Some(1)).await;
        let begun = stopwatch();
        let (end, requests) = read(&github(&server.uri()), Deadline::NONE).await;
        assert!(end.is_ok(), "{end:?}");
        assert_eq!(requests, 2);
        assert!(
            begun.elapsed() >= Duration::from_millis(at_least),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn a_limit_past_the_deadline_stops_at_once() {
    let far = SystemClock.now().as_second() + 3_000;
    for limit in [
        ResponseTemplate::new(429).insert_header("retry-after", "3000"),
        ResponseTemplate::new(403)
            .insert_header("x-ratelimit-remaining", "0")
            .insert_header("x-ratelimit-reset", far.to_string()),
    ] {
        let server = faulty(limit, None).await;
        let github = github(&server.uri());
        let begun = stopwatch();
        let (end, requests) = read(&github, Deadline::within(Duration::from_mins(1))).await;
        assert!(matches!(end, Err(ApiError::RateLimited { .. })), "{end:?}");
        assert_eq!(requests, 1);
        let (end, requests) = read(&github, Deadline::within(Duration::from_mins(1))).await;
        assert!(matches!(end, Err(ApiError::RateLimited { .. })), "{end:?}");
        assert_eq!(requests, 0, "what is known to be limited is not even asked");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_limit_that_keeps_coming_back_is_given_up() {
    let server = faulty(ResponseTemplate::new(429).insert_header("retry-after", "0"), None).await;
    let (end, requests) = read(&github(&server.uri()), Deadline::NONE).await;
    assert!(matches!(end, Err(ApiError::Unavailable { .. })), "{end:?}");
    assert_eq!(requests, 5);
}

#[tokio::test]
async fn json_that_is_cut_in_a_whole_body_is_read_again() {
    let cut = ResponseTemplate::new(200).set_body_raw(r#"{"total_seats": 4, "seats": [{"crea"#, "application/json");
    let server = faulty(cut, Some(1)).await;
    let (end, requests) = read(&github(&server.uri()), Deadline::NONE).await;
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(requests, 2);
}

/// A server that gives one raw answer to each connection: what no HTTP library would send.
async fn raw(answers: Vec<&'static str>, linger: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(answer.as_bytes()).await;
                tokio::time::sleep(linger).await;
            });
        }
    });
    format!("http://{address}")
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 28\r\nconnection: close\r\n\r\n{\"total_seats\":0,\"seats\":[]}";

#[tokio::test]
async fn a_truncated_a_missing_and_a_stalled_body_are_read_again() {
    let truncated = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"total_seats\":0,\"sea";
    for (answers, linger) in [
        (vec![truncated, GOOD], Duration::ZERO),
        (vec!["", GOOD], Duration::ZERO),
        (vec![truncated, GOOD], Duration::from_millis(700)),
    ] {
        let url = raw(answers, linger).await;
        let (end, requests) = read(&github(&url), Deadline::NONE).await;
        assert!(end.is_ok(), "{end:?}");
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (end, requests) = read(&github(&format!("http://{free}")), Deadline::NONE).await;
    let error = end.unwrap_err();
    assert!(error.to_string().contains("no connection"), "{error}");
    assert_eq!(requests, 3);
}
