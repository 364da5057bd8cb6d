//! A client that is less patient than in earnest, and the fixtures.

use std::sync::Arc;
use std::time::Duration;

use uptake_upstream::clock::SystemClock;
use uptake_upstream::github::{GitHub, Identity, Owner};
use uptake_upstream::http::Patience;
use wiremock::ResponseTemplate;

/// Short waits, so that a test of waiting is short as well.
pub(crate) const PATIENCE: Patience = Patience {
    answer: Duration::from_millis(600),
    silence: Duration::from_millis(300),
    first_delay: Duration::from_millis(5),
    longest_delay: Duration::from_millis(20),
    tries: 3,
    secondary_wait: Duration::from_millis(100),
    secondary_window: Duration::ZERO,
};

pub(crate) fn github(url: &str) -> GitHub {
    client(url, Identity::Token("fixture-token".into()))
}

pub(crate) fn client(url: &str, identity: Identity) -> GitHub {
    GitHub::new(url.parse().unwrap(), identity, Arc::new(SystemClock), PATIENCE).unwrap()
}

pub(crate) fn enterprise() -> Owner {
    Owner::Enterprise("octo-enterprise".into())
}

/// The bytes of a fixture as a good answer.
pub(crate) fn fixture(name: &str) -> ResponseTemplate {
    status(200, name)
}

pub(crate) fn status(status: u16, name: &str) -> ResponseTemplate {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    ResponseTemplate::new(status).set_body_raw(std::fs::read(path).unwrap(), "application/json")
}
