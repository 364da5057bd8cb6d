//! Accounts: a hundred a call, whatever part of the call fails.

use uptake_upstream::clock::Deadline;
use uptake_upstream::github::accounts::{Person, Workarounds};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::client::{enterprise, fixture, github, status};

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
                    .map(|(id, details)| (id, details.email, details.created_at.is_some())),
            );
        })
        .await
        .unwrap();
    (found, workarounds)
}

#[tokio::test]
async fn one_missing_login_does_not_cost_the_others() {
    let server = MockServer::start().await;
    Mock::given(path("/graphql"))
        .respond_with(fixture("graphql-partial-not-found"))
        .expect(1)
        .mount(&server)
        .await;
    let (found, workarounds) = look_up(&server, &["octocat", "gone"]).await;
    assert_eq!(
        found,
        [(1, Some("octocat@octo.example".into()), true), (2, None, false)]
    );
    assert_eq!(workarounds, Workarounds::default());
}

#[tokio::test]
async fn people_are_asked_for_by_the_hundred() {
    let server = MockServer::start().await;
    Mock::given(path("/graphql"))
        .respond_with(fixture("graphql-partial-not-found"))
        .expect(3)
        .mount(&server)
        .await;
    let logins: Vec<String> = (0..201).map(|number| format!("octocat-{number}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let (found, _) = look_up(&server, &logins).await;
    assert_eq!(found.len(), 201);
}

#[tokio::test]
async fn forbidden_identities_leave_the_rest_and_are_not_asked_for_again() {
    let server = MockServer::start().await;
    Mock::given(path("/graphql"))
        .and(body_string_contains("samlIdentityProvider"))
        .respond_with(fixture("graphql-saml-forbidden"))
        .mount(&server)
        .await;
    let (found, workarounds) = look_up(&server, &["octocat", "hubot"]).await;
    assert_eq!(found, [(1, None, true), (2, None, true)]);
    assert!(workarounds.no_saml_permission && !workarounds.one_by_one);
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
        assert_eq!(found, [(1, None, true), (2, None, false)]);
        assert!(workarounds.one_by_one);
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
    let people = [Person {
        id: 1,
        login: "octocat".into(),
    }];
    let end = github(&server.uri())
        .accounts(&enterprise(), &people, Deadline::NONE, |_| {})
        .await;
    let error = end.unwrap_err();
    assert!(error.to_string().contains("GET /users/{login}"), "{error}");
    assert!(!format!("{error:?}").contains("octocat"), "{error:?}");
}
