//! A Graph client against servers that speak from fixtures.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uptake_upstream::clock::Clock;
use uptake_upstream::http::Patience;
use uptake_upstream::microsoft::{Graph, Principal};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::PATIENCE;

/// The patience of tests with Microsoft's number of tries.
pub(crate) const MICROSOFT: Patience = Patience { tries: 6, ..PATIENCE };

pub(crate) const TOKEN: &str = "/contoso.example/oauth2/v2.0/token";

/// A clock that stands still until it is moved.
pub(crate) struct FakeClock(Mutex<Timestamp>);

impl FakeClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-11-20T06:00:00Z".parse().unwrap())))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn graph(server: &MockServer) -> Graph {
    with_clock(server, FakeClock::new())
}

pub(crate) fn with_clock(server: &MockServer, clock: Arc<FakeClock>) -> Graph {
    let origin = || server.uri().parse().unwrap();
    Graph::new(origin(), origin(), principal(), clock, MICROSOFT).unwrap()
}

pub(crate) fn principal() -> Principal {
    Principal {
        tenant: "contoso.example".into(),
        client_id: "client".into(),
        client_secret: "s3cr&t".into(),
    }
}

/// A server at which everybody can sign in, for one token after the other.
pub(crate) async fn server() -> MockServer {
    let server = MockServer::start().await;
    token(&server, "token", 3599, 1).await;
    server
}

/// Gives out this token of Graph's so many times.
pub(crate) async fn token(server: &MockServer, value: &str, expires_in: u32, times: u64) {
    token_for(server, "graph.microsoft.com", value, expires_in, times).await;
}

/// Gives out this token of a service's so many times.
pub(crate) async fn token_for(server: &MockServer, service: &str, value: &str, expires_in: u32, times: u64) {
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("client_secret=s3cr%26t"))
        .and(body_string_contains(format!(
            "scope=https%3A%2F%2F{service}%2F.default"
        )))
        .respond_with(ResponseTemplate::new(200).set_body_json(
            json!({"token_type": "Bearer", "expires_in": expires_in, "ext_expires_in": 1, "access_token": value}),
        ))
        .up_to_n_times(times)
        .expect(times)
        .mount(server)
        .await;
}

/// The bytes of a fixture, with the server's address where it stands for it.
pub(crate) fn bytes(server: &MockServer, name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/graph/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.replace("{origin}", &server.uri()).into_bytes()
}

pub(crate) fn fixture(server: &MockServer, status: u16, name: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(bytes(server, name), "application/octet-stream")
}

/// Answers a path from a fixture.
pub(crate) async fn at(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(answer)
        .mount(server)
        .await;
}
