//! Accounts: a hundred a call, whatever part of the call fails.

use uptake_upstream::clock::Deadline;
use uptake_upstream::github::accounts::{Person, Workarounds};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{enterprise, fixture, github, status};

/// Id, address, and whether that is settled.
type Found = Vec<(u64, Option<String>, bool)>;

async fn look_up(server: &MockServer, logins: &[&str]) -> (Found, Workarounds) {
    let people: Vec<Person> = (1..)
        .zip(logins)
        .map(|(id, login)| Person {
            id,
            login: (*login).to_owned(),
        })
        .collect();
    let mut found = Vec::new();
    let workarounds = github(&server.uri())
        .accounts(&enterprise(), &people, Deadline::NONE, |batch| {
            found.extend(
                batch
                    .into_iter()
                    .map(|found| (found.id, found.details.email, found.settled)),
            );
        })
        .await
        .unwrap();
    (found, workarounds)
}

/// A server whose GraphQL gives this answer, this often.
async fn graphql(answer: ResponseTemplate, times: u64) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/graphql"))
        .respond_with(answer)
        .expect(times)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn one_missing_login_does_not_cost_the_others() {
    let server = graphql(fixture("graphql-partial-not-found"), 1).await;
    let (found, workarounds) = look_up(&server, &["octocat", "gone"]).await;
    assert_eq!(found, [(1, Some("octocat@octo.example".into()), true), (2, None, true)]);
    assert_eq!(workarounds, Workarounds::default());
}

#[tokio::test]
async fn people_are_asked_for_by_the_hundred() {
    let server = graphql(fixture("graphql-partial-not-found"), 3).await;
    let logins: Vec<String> = (0..201).map(|number| format!("octocat-{number}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let (found, _) = look_up(&server, &logins).await;
    assert_eq!(found.len(), 201);
}

#[tokio::test]
async fn forbidden_identities_leave_the_rest_and_are_not_asked_for_again() {
    let server = MockServer::start().await;
    Mock::given(path("/graphql"))
        .respond_with(fixture("graphql-saml-forbidden"))
        .mount(&server)
        .await;
    // Two batches more than are asked for side by side.
    let logins: Vec<String> = (0..1_000).map(|number| format!("octocat-{number}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let (found, workarounds) = look_up(&server, &logins).await;
    assert_eq!(
        found[..2],
        [(1, None, false), (2, None, false)],
        "asking again may tell more one day"
    );
    assert!(workarounds.no_saml_permission && !workarounds.one_by_one);
    let queries = server.received_requests().await.unwrap();
    let with_saml = queries
        .iter()
        .filter(|query| String::from_utf8_lossy(&query.body).contains("saml"))
        .count();
    assert_eq!((queries.len(), with_saml), (10, 8));
}

#[tokio::test]
async fn a_login_that_could_not_be_looked_up_is_asked_for_alone_and_not_taken_for_missing() {
    let server = graphql(fixture("graphql-one-login-failed"), 1).await;
    Mock::given(path("/users/octocat"))
        .respond_with(fixture("user-with-email"))
        .expect(1)
        .mount(&server)
        .await;
    let (mut found, workarounds) = look_up(&server, &["octocat", "hubot"]).await;
    found.sort();
    assert_eq!(found, [(1, Some("octocat@octo.example".into()), true), (2, None, true)]);
    assert!(!workarounds.one_by_one, "the others are still asked for by the hundred");
}

#[tokio::test]
async fn an_account_that_gives_no_answer_costs_nobody_else_theirs() {
    let server = graphql(fixture("graphql-one-login-failed"), 1).await;
    Mock::given(path("/users/octocat"))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    let (found, workarounds) = look_up(&server, &["octocat", "hubot"]).await;
    assert_eq!(found, [(2, None, true)]);
    assert_eq!((workarounds.unread, workarounds.one_by_one), (1, false));
}

#[tokio::test]
async fn both_spellings_of_the_rate_limit_are_waited_out() {
    for limit in ["graphql-rate-limited", "graphql-rate-limit", "graphql-secondary-limit"] {
        let server = MockServer::start().await;
        Mock::given(path("/graphql"))
            .respond_with(fixture(limit))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(path("/graphql"))
            .respond_with(fixture("graphql-partial-not-found"))
            .expect(1)
            .mount(&server)
            .await;
        let (_, workarounds) = look_up(&server, &["octocat", "gone"]).await;
        assert_eq!(workarounds, Workarounds::default(), "{limit}");
    }
}

#[tokio::test]
async fn without_graphql_people_are_asked_for_one_by_one() {
    for refusal in [
        fixture("graphql-refused"),
        ResponseTemplate::new(502),
        status(403, "forbidden-permission"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/graphql")).respond_with(refusal).mount(&server).await;
        Mock::given(method("GET"))
            .and(path("/users/octocat"))
            .respond_with(fixture("user-without-email"))
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(method("GET"))
            .and(path("/users/gone"))
            .respond_with(ResponseTemplate::new(404))
            .expect(1)
            .mount(&server)
            .await;
        let (found, workarounds) = look_up(&server, &["octocat", "gone"]).await;
        assert_eq!(found, [(1, None, false), (2, None, true)]);
        assert!(workarounds.one_by_one && !workarounds.no_saml_permission);
    }
}

#[tokio::test]
async fn an_error_about_a_person_does_not_name_them() {
    let server = MockServer::start().await;
    Mock::given(path("/graphql"))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(500))
        .mount(&server)
        .await;
    // One may fail without costing the others theirs; ten are no coincidence.
    let people: Vec<Person> = (1..=10)
        .map(|id| Person {
            id,
            login: format!("octocat-{id}"),
        })
        .collect();
    let end = github(&server.uri())
        .accounts(&enterprise(), &people, Deadline::NONE, |_| {})
        .await;
    let error = end.unwrap_err();
    assert!(error.to_string().contains("GET /users/{login}"), "{error}");
    assert!(!format!("{error:?}").contains("octocat"), "{error:?}");
}
