//! A GitHub App: one token an hour, and a new one when the old is refused.

use jiff::SignedDuration;
use serde_json::json;
use uptake_upstream::clock::{Clock, Deadline, SystemClock};
use uptake_upstream::error::ApiError;
use uptake_upstream::github::{Identity, Owner};
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{client, fixture};

const SEATS: &str = "/orgs/octo-org/copilot/billing/seats";

pub(crate) fn app() -> Identity {
    Identity::App {
        id: uptake_simulator::APP_ID.to_owned(),
        private_key: uptake_simulator::APP_KEY.into(),
    }
}

async fn tokens(server: &MockServer, token: &str, times: u64) {
    let expires_at = SystemClock.now() + SignedDuration::from_hours(1);
    Mock::given(path("/app/installations/77/access_tokens"))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"token": token, "expires_at": expires_at})))
        .up_to_n_times(times)
        .expect(times)
        .mount(server)
        .await;
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/orgs/octo-org/installation"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": 77})))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_token_serves_until_it_is_refused_and_then_once_more() {
    let server = server().await;
    tokens(&server, "first", 1).await;
    tokens(&server, "second", 1).await;
    Mock::given(path(SEATS))
        .and(header("authorization", "Bearer first"))
        .respond_with(fixture("seats-empty"))
        .up_to_n_times(2)
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(path(SEATS))
        .and(header("authorization", "Bearer first"))
        .respond_with(ResponseTemplate::new(401))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(SEATS))
        .and(header("authorization", "Bearer second"))
        .respond_with(fixture("seats-empty"))
        .expect(1)
        .mount(&server)
        .await;
    let github = client(&server.uri(), app());
    let owner = Owner::Organisation("octo-org".into());
    for _ in 0..3 {
        github.seats(&owner, Deadline::NONE, |_| {}).await.unwrap();
    }
}

#[tokio::test]
async fn a_second_refusal_is_the_answer() {
    let server = server().await;
    tokens(&server, "first", 2).await;
    Mock::given(path(SEATS))
        .respond_with(ResponseTemplate::new(401))
        .expect(2)
        .mount(&server)
        .await;
    let github = client(&server.uri(), app());
    let end = github
        .seats(&Owner::Organisation("octo-org".into()), Deadline::NONE, |_| {})
        .await;
    assert!(matches!(end, Err(ApiError::Unauthorized { .. })), "{end:?}");
}

#[test]
fn a_key_that_is_none_is_a_sentence() {
    let identity = Identity::App {
        id: "1".into(),
        private_key: "not a key".into(),
    };
    let error = uptake_upstream::github::GitHub::new(
        "http://127.0.0.1:1".parse().unwrap(),
        identity,
        std::sync::Arc::new(SystemClock),
        crate::client::PATIENCE,
    )
    .err()
    .unwrap();
    assert!(error.to_string().contains("RSA key in PEM form"), "{error}");
}
