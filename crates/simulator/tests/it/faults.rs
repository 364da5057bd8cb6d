//! Every kind of fault, as a client sees it.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;
use uptake_simulator::{Simulator, TOKEN};

use crate::client::{SEATS, client, get, header, start_with, status};

fn fault(when: &str, kind: &str) -> String {
    format!("[[fault]]\nroute = '/enterprises/{{enterprise}}/copilot/billing/seats'\n{when}\nkind = {kind}")
}

/// The answer to the first request under a fault; the second is checked to be well.
async fn hit(kind: &str) -> Response {
    let simulator = start_with(50, &fault("on = [1]", kind)).await;
    let response = get(&simulator, SEATS).send().await.unwrap();
    let next = get(&simulator, SEATS).send().await.unwrap();
    assert_eq!(next.status(), 200);
    assert!(next.json::<Value>().await.is_ok());
    response
}

#[tokio::test]
async fn a_spent_primary_limit_says_until_when() {
    for (kind, status) in [("'primary_exhausted_403'", 403), ("'primary_exhausted_429'", 429)] {
        let response = hit(&format!("{kind}\nreset_seconds = 30")).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "x-ratelimit-remaining"), "0");
        assert_eq!(
            header(&response, "x-ratelimit-used"),
            header(&response, "x-ratelimit-limit")
        );
        #[expect(clippy::disallowed_methods, reason = "the header is in wall time")]
        let now = jiff::Timestamp::now().as_second();
        let reset: i64 = header(&response, "x-ratelimit-reset").parse().unwrap();
        assert!((28..=32).contains(&(reset - now)), "{reset} is {} s away", reset - now);
        assert!(response.text().await.unwrap().contains("API rate limit exceeded"));
    }
}

#[tokio::test]
async fn graphql_words_a_spent_limit_its_own_way() {
    let scenario = "[[fault]]\nroute = '/graphql'\non = [1]\nkind = 'primary_exhausted_403'";
    let simulator = start_with(10, scenario).await;
    let request = client().post(format!("{}/graphql", simulator.url())).bearer_auth(TOKEN);
    let response = request
        .json(&json!({"query": "{rateLimit{cost}}"}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-ratelimit-remaining"), "0");
    assert_eq!(header(&response, "x-ratelimit-resource"), "graphql");
    assert_eq!(
        response.json::<Value>().await.unwrap()["errors"][0]["type"],
        "RATE_LIMITED"
    );
}

#[tokio::test]
async fn secondary_limits_come_with_and_without_the_header() {
    let with = hit("'secondary_with_retry_after'\nretry_after = 7").await;
    assert_eq!(
        (with.status().as_u16(), header(&with, "retry-after")),
        (403, "7".to_owned())
    );
    let without = hit("'secondary_without_header'").await;
    assert_eq!(
        (without.status().as_u16(), header(&without, "retry-after")),
        (403, String::new())
    );
    assert_ne!(header(&without, "x-ratelimit-remaining"), "0");
    assert!(without.text().await.unwrap().contains("secondary rate limit"));
}

#[tokio::test]
async fn refusals_have_their_status_and_githubs_words() {
    for (kind, status, words) in [
        ("'server_error'\nstatus = 503", 503, "Unicorn"),
        ("'unauthorized'", 401, "Bad credentials"),
        ("'forbidden'", 403, "Resource not accessible"),
        ("'not_found'", 404, "Not Found"),
        ("'unprocessable'", 422, "pagination is limited"),
    ] {
        let response = hit(kind).await;
        assert_eq!(response.status(), status, "{kind}");
        assert!(response.text().await.unwrap().contains(words), "{kind}");
    }
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let response = hit("'truncated_body'").await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn cut_json_arrives_whole_and_does_not_parse() {
    let response = hit("'cut_json'").await;
    let body = response.bytes().await.unwrap();
    assert!(body.starts_with(b"{\"total_seats\""));
    assert!(serde_json::from_slice::<Value>(&body).is_err());
}

#[tokio::test]
async fn a_slow_body_trickles_and_a_stalled_answer_comes_late() {
    let simulator = start_with(50, &fault("on = [1]", "'slow_body'\nseconds = 8")).await;
    let response = timeout(Duration::from_secs(4), get(&simulator, SEATS).send())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(response.status(), 200, "the head is there at once");
    let mut response = response;
    assert!(response.chunk().await.unwrap().is_some());
    assert!(timeout(Duration::from_millis(400), response.bytes()).await.is_err());

    let simulator = start_with(50, &fault("on = [1]", "'stalled'\nseconds = 1")).await;
    assert!(
        timeout(Duration::from_millis(400), get(&simulator, SEATS).send())
            .await
            .is_err()
    );
    assert_eq!(status(&simulator, SEATS).await, 200);
}

#[tokio::test]
async fn a_slow_body_arrives_whole_in_the_end() {
    let response = hit("'slow_body'\nseconds = 1").await;
    assert_eq!(
        response.json::<Value>().await.unwrap()["seats"]
            .as_array()
            .unwrap()
            .len(),
        50
    );
}

#[tokio::test]
async fn a_shifted_list_loses_one_seat_on_every_page_behind_it() {
    let simulator = start_with(50, &fault("on = [2]", "'list_shift'")).await;
    let before = simulator.truth();
    let page = async |number: u32| crate::client::json(&simulator, &format!("{SEATS}?per_page=20&page={number}")).await;
    let (first, second) = (page(1).await, page(2).await);
    assert_eq!(
        second["total_seats"].as_u64().unwrap() + 1,
        first["total_seats"].as_u64().unwrap()
    );
    let reread = page(1).await;
    assert_eq!(reread["seats"][8], first["seats"][9]);
    assert_eq!(simulator.truth().seats + 1, before.seats, "the truth follows the list");
}

async fn statuses(simulator: &Simulator, queries: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for query in queries {
        statuses.push(status(simulator, &format!("{SEATS}{query}")).await);
    }
    statuses
}

#[tokio::test]
async fn faults_are_aimed_by_number_by_step_and_by_page() {
    let by_number = start_with(50, &fault("on = [2, 4]", "'not_found'")).await;
    assert_eq!(statuses(&by_number, &[""; 5]).await, [200, 404, 200, 404, 200]);
    let by_step = start_with(50, &fault("every = 2\ntimes = 1", "'not_found'")).await;
    assert_eq!(statuses(&by_step, &[""; 5]).await, [200, 404, 200, 200, 200]);
    let by_page = start_with(50, &fault("page = 2", "'not_found'")).await;
    let pages = ["", "?page=2", "?per_page=10&page=2", "?page=1"];
    assert_eq!(statuses(&by_page, &pages).await, [200, 404, 404, 200]);
    let anywhere = start_with(50, "[[fault]]\nroute = '*'\non = [1]\nkind = 'not_found'").await;
    assert_eq!(statuses(&anywhere, &["", ""]).await, [404, 200]);
}
