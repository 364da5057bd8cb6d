//! Lists: every page once, side by side where known, unchanged ones for nothing, credentials only at home.

use uptake_domain::seat::Seat;
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::seats::decode_seat;
use uptake_upstream::github::{GitHub, Owner};
use wiremock::matchers::{any, header, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{enterprise, fixture, github};

const PATH: &str = "/enterprises/octo-enterprise/copilot/billing/seats";

async fn read(github: &GitHub) -> (Vec<Result<Seat, String>>, Result<(), ApiError>) {
    let mut seats = Vec::new();
    let end = github
        .seats(&enterprise(), Deadline::NONE, |page| {
            seats.extend(page.seats.iter().map(|raw| decode_seat(raw)));
        })
        .await;
    (seats, end)
}

fn link(server: &MockServer, next: u32, last: u32) -> String {
    let page = |number: u32| format!("<{}{PATH}?per_page=100&page={number}>", server.uri());
    format!("{}; rel=\"next\", {}; rel=\"last\"", page(next), page(last))
}

#[tokio::test]
async fn every_page_is_read_once_and_in_order() {
    let server = MockServer::start().await;
    Mock::given(path(PATH))
        .and(query_param("per_page", "100"))
        .and(header("authorization", "Bearer fixture-token"))
        .and(header("x-github-api-version", "2022-11-28"))
        .and(header_exists("user-agent"))
        .respond_with(fixture("seats-page-1").insert_header("link", link(&server, 2, 4)))
        .up_to_n_times(1)
        .expect(1)
        .mount(&server)
        .await;
    for (number, name) in [("2", "seats-assignee-null"), ("3", "seats-empty"), ("4", "seats-empty")] {
        Mock::given(path(PATH))
            .and(query_param("page", number))
            .respond_with(fixture(name))
            .expect(1)
            .mount(&server)
            .await;
    }
    let github = github(&server.uri());
    let (seats, end) = read(&github).await;
    end.unwrap();
    assert_eq!(github.requests(), 4);
    assert_eq!(seats.len(), 4);
    assert_eq!(seats[0].as_ref().unwrap().team.as_deref(), Some("justice-league"));
    assert_eq!(seats[1].as_ref().unwrap().team, None);
    assert!(seats[2].as_ref().unwrap_err().contains("no assignee"));
    assert!(seats[3].as_ref().unwrap_err().contains("invalid type"));
}

#[tokio::test]
async fn an_unchanged_page_is_taken_from_the_copy() {
    let server = MockServer::start().await;
    let tag = "W/\"one\"";
    Mock::given(header("if-none-match", tag))
        .respond_with(ResponseTemplate::new(304))
        .expect(1)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path(PATH))
        .respond_with(fixture("seats-page-1").insert_header("etag", tag))
        .expect(1)
        .mount(&server)
        .await;
    let first = github(&server.uri());
    let (seats, _) = read(&first).await;
    let later = github(&server.uri());
    later.restore_pages(&first.pages_to_keep(0).unwrap()).unwrap();
    let (again, end) = read(&later).await;
    end.unwrap();
    assert_eq!(seats.len(), 2);
    assert_eq!(seats, again);
}

#[tokio::test]
async fn a_page_that_appears_behind_an_unchanged_one_is_read() {
    let server = MockServer::start().await;
    let tag = "W/\"one\"";
    Mock::given(header("if-none-match", tag))
        .respond_with(ResponseTemplate::new(304).insert_header("link", link(&server, 2, 2)))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(query_param("page", "2"))
        .respond_with(fixture("seats-assignee-null"))
        .with_priority(2)
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(PATH))
        .respond_with(fixture("seats-page-1").insert_header("etag", tag))
        .mount(&server)
        .await;
    let github = github(&server.uri());
    assert_eq!(read(&github).await.0.len(), 2);
    assert_eq!(read(&github).await.0.len(), 4);
}

#[tokio::test]
async fn a_link_to_another_host_is_refused_and_gets_no_credentials() {
    let (home, elsewhere) = (MockServer::start().await, MockServer::start().await);
    let away = format!("<{}{PATH}?page=2>; rel=\"next\"", elsewhere.uri());
    Mock::given(path(PATH))
        .respond_with(fixture("seats-page-1").insert_header("link", away))
        .mount(&home)
        .await;
    Mock::given(method("GET"))
        .respond_with(fixture("seats-empty"))
        .expect(0)
        .mount(&elsewhere)
        .await;
    let (seats, end) = read(&github(&home.uri())).await;
    assert_eq!(seats.len(), 2, "what was read stays read");
    assert!(matches!(end, Err(ApiError::Contract { .. })), "{end:?}");
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (home, elsewhere) = (MockServer::start().await, MockServer::start().await);
    Mock::given(path(PATH))
        .respond_with(ResponseTemplate::new(302).insert_header("location", elsewhere.uri()))
        .mount(&home)
        .await;
    Mock::given(method("GET"))
        .respond_with(fixture("seats-empty"))
        .expect(0)
        .mount(&elsewhere)
        .await;
    let (_, end) = read(&github(&home.uri())).await;
    assert!(matches!(end, Err(ApiError::Refused { status: 302, .. })), "{end:?}");
}

#[tokio::test]
async fn an_organisation_has_an_address_of_its_own() {
    let server = MockServer::start().await;
    Mock::given(path("/orgs/octo-org/copilot/billing/seats"))
        .respond_with(fixture("seats-empty"))
        .expect(1)
        .mount(&server)
        .await;
    let owner = Owner::Organisation("octo-org".into());
    github(&server.uri())
        .seats(&owner, Deadline::NONE, |_| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_renamed_organisation_is_followed_with_the_credential() {
    let server = MockServer::start().await;
    let (old, new) = ("/orgs/old-org/copilot/billing/seats", "/organizations/1/seats");
    Mock::given(path(old))
        .respond_with(ResponseTemplate::new(301).insert_header("location", new))
        .mount(&server)
        .await;
    Mock::given(path(new))
        .and(header("authorization", "Bearer fixture-token"))
        .respond_with(fixture("seats-empty"))
        .expect(1)
        .mount(&server)
        .await;
    let github = github(&server.uri());
    let owner = Owner::Organisation("old-org".into());
    github.seats(&owner, Deadline::NONE, |_| {}).await.unwrap();
    assert_eq!(github.requests(), 2);
}

#[tokio::test]
async fn a_redirect_in_a_circle_ends() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/again"))
        .mount(&server)
        .await;
    let github = github(&server.uri());
    let error = github.seats(&enterprise(), Deadline::NONE, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("GitHub refused the request"), "{error}");
    assert_eq!(github.requests(), 5);
}
