//! GitHub's manners: paging, entity tags, credentials, limits, GraphQL's partial answers.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use uptake_simulator::{Settings, Simulator, SimulatorError, TOKEN};

use crate::app;
use crate::client::{SEATS, SEATS_ROUTE, TODAY, client, get, graphql, header, link, start, start_with, status};

#[tokio::test]
async fn links_lead_through_the_pages() {
    let simulator = start(250).await;
    let page = |number: u32| format!("{}{SEATS}?page={number}&per_page=100", simulator.url());
    let first = get(&simulator, &format!("{SEATS}?per_page=100")).send().await.unwrap();
    assert_eq!(link(&first, "next"), Some(page(2)));
    assert_eq!(link(&first, "last"), Some(page(3)));
    assert_eq!((link(&first, "prev"), link(&first, "first")), (None, None));
    let last = get(&simulator, &format!("{SEATS}?per_page=100&page=3"))
        .send()
        .await
        .unwrap();
    assert_eq!(link(&last, "prev"), Some(page(2)));
    assert_eq!(link(&last, "first"), Some(page(1)));
    assert_eq!((link(&last, "next"), link(&last, "last")), (None, None));
    assert_eq!(
        last.json::<Value>().await.unwrap()["seats"].as_array().unwrap().len(),
        50
    );
}

#[tokio::test]
async fn page_sizes_are_githubs() {
    let simulator = start(250).await;
    for (query, size) in [
        ("", 50),
        ("?per_page=500", 100),
        ("?per_page=0", 50),
        ("?page=99", 0),
        ("?per_page=x", 50),
    ] {
        let page = crate::client::json(&simulator, &format!("{SEATS}{query}")).await;
        assert_eq!(page["seats"].as_array().unwrap().len(), size, "{query}");
    }
}

#[tokio::test]
async fn an_unchanged_page_is_304_and_free() {
    let simulator = start(100).await;
    let first = get(&simulator, SEATS).send().await.unwrap();
    let tag = header(&first, "etag");
    let used = header(&first, "x-ratelimit-used");
    let again = get(&simulator, SEATS)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(header(&again, "x-ratelimit-used"), used);
    assert_eq!(header(&again, "etag"), tag);
    assert!(again.bytes().await.unwrap().is_empty());

    simulator.set_today(TODAY.tomorrow().unwrap());
    let changed = get(&simulator, SEATS)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), 200);
}

#[tokio::test]
async fn a_tag_belongs_to_the_token_it_was_given_to() {
    let simulator = start(10).await;
    let path = "/orgs/octo-org/repos";
    let (one, other) = (
        app::installation_token(&simulator).await,
        app::installation_token(&simulator).await,
    );
    let first = app::get(&simulator, path, &one).await;
    let tag = header(&first, "etag");
    let foreign = app::get(&simulator, path, &other).await;
    assert_ne!(header(&foreign, "etag"), tag);
    assert_eq!(first.bytes().await.unwrap(), foreign.bytes().await.unwrap());
    for (token, expected) in [(one.as_str(), 304), (&other, 200), (TOKEN, 200)] {
        let url = format!("{}{path}", simulator.url());
        let again = client().get(url).bearer_auth(token).header("if-none-match", &tag);
        assert_eq!(again.send().await.unwrap().status(), expected);
    }
}

#[tokio::test]
async fn every_answer_carries_the_rate_limit_headers() {
    let simulator = start(10).await;
    for path in [SEATS, "/nowhere", "/users/nobody-0", "/rate_limit"] {
        let response = get(&simulator, path).send().await.unwrap();
        for name in ["limit", "remaining", "used", "reset", "resource"] {
            assert!(
                !header(&response, &format!("x-ratelimit-{name}")).is_empty(),
                "{path} {name}"
            );
        }
    }
    let rate: Value = crate::client::json(&simulator, "/rate_limit").await;
    assert_eq!(rate["resources"]["core"]["used"], 3, "asking for the limit is free");
    assert_eq!(rate["resources"]["core"]["limit"], 15_000);
    assert_eq!(rate["resources"]["graphql"]["used"], 0);
}

#[tokio::test]
async fn refusals_are_githubs() {
    let simulator = start(10).await;
    let url = format!("{}{SEATS}", simulator.url());
    let without_agent = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(
        without_agent
            .get(&url)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401);
    let wrong = client().get(&url).bearer_auth("ghp_wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.json::<Value>().await.unwrap()["message"], "Bad credentials");
    for path in [
        "/enterprises/other/teams",
        "/orgs/other/copilot/billing/seats",
        "/orgs/other/copilot/billing",
    ] {
        assert_eq!(status(&simulator, path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn users_are_found_whatever_the_case_and_the_deleted_are_not() {
    let simulator = start(10).await;
    for (login, person) in simulator.truth().people {
        let path = format!("/users/{}", login.to_uppercase());
        if person.account_created_at.is_none() {
            assert_eq!(status(&simulator, &path).await, 404);
            continue;
        }
        let user = crate::client::json(&simulator, &path).await;
        assert_eq!(user["login"], login);
        assert_eq!(user["id"], person.id);
        assert_eq!(user["email"].as_str(), person.email.as_deref());
    }
}

#[tokio::test]
async fn graphql_answers_in_part_when_someone_is_missing() {
    let simulator = start(10).await;
    let people = simulator.truth().people;
    let login = people
        .iter()
        .find(|(_, person)| person.account_created_at.is_some())
        .unwrap()
        .0;
    let query = format!(
        r#"query {{ u0: user(login: "{login}") {{ login databaseId }}
        u1:user(login:"nobody-at-all"){{login}} rateLimit{{cost remaining resetAt}} }}"#
    );
    let answer = graphql(&simulator, &query).await;
    assert_eq!(answer["data"]["u0"]["login"], *login);
    assert!(answer["data"]["u1"].is_null());
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer["errors"][0]["type"], "NOT_FOUND");
    assert_eq!(answer["errors"][0]["path"], json!(["u1"]));
    assert_eq!(answer["data"]["rateLimit"]["cost"], 1);
    assert_eq!(answer["data"]["rateLimit"]["remaining"], 9_999);
}

#[tokio::test]
async fn graphql_takes_a_hundred_aliases_and_not_one_more() {
    let simulator = start(10).await;
    let query = |count: usize| {
        let users: Vec<_> = (0..count)
            .map(|n| format!("u{n}:user(login:\"nobody-{n}\"){{login}}"))
            .collect();
        format!("{{{}}}", users.join(" "))
    };
    assert_eq!(
        graphql(&simulator, &query(100)).await["data"]
            .as_object()
            .unwrap()
            .len(),
        100
    );
    let refused = graphql(&simulator, &query(101)).await;
    assert!(refused["data"].is_null() && refused["errors"][0]["message"].is_string());
    assert!(graphql(&simulator, "{u:user(login:\"x\"){shoeSize}}").await["errors"].is_array());
}

const SAML: &str = r#"{ organization(login:"octo-org") { samlIdentityProvider {
    i0: externalIdentities(first: 1, login: "LOGIN") { nodes { samlIdentity { nameId } user { login } } } } }
  enterprise(slug:"octo-enterprise"){ownerInfo{samlIdentityProvider{
    i0:externalIdentities(first:1,login:"LOGIN"){nodes{samlIdentity{nameId}user{login}}}}}} }"#;

#[tokio::test]
async fn saml_identities_are_given_withheld_or_absent() {
    let simulator = start(50).await;
    let people = simulator.truth().people;
    let (login, person) = people.iter().find(|(_, person)| person.saml_name_id.is_some()).unwrap();
    let query = SAML.replace("LOGIN", login);
    let answer = graphql(&simulator, &query).await;
    for provider in [
        &answer["data"]["organization"],
        &answer["data"]["enterprise"]["ownerInfo"],
    ] {
        let node = &provider["samlIdentityProvider"]["i0"]["nodes"][0];
        assert_eq!(node["samlIdentity"]["nameId"].as_str(), person.saml_name_id.as_deref());
        assert_eq!(node["user"]["login"], *login);
    }

    let forbidden = graphql(&start_with(50, "saml = 'forbidden'").await, &query).await;
    assert!(forbidden["data"]["enterprise"]["ownerInfo"].is_null());
    assert!(forbidden["data"]["organization"]["samlIdentityProvider"].is_null());
    let paths = [
        json!(["organization", "samlIdentityProvider"]),
        json!(["enterprise", "ownerInfo"]),
    ];
    for (error, path) in forbidden["errors"].as_array().unwrap().iter().zip(paths) {
        assert_eq!((&error["type"], &error["path"]), (&json!("FORBIDDEN"), &path));
    }

    let absent = graphql(&start_with(50, "saml = 'absent'").await, &query).await;
    assert!(absent["data"]["enterprise"]["ownerInfo"]["samlIdentityProvider"].is_null());
    assert!(absent.get("errors").is_none());
}

#[tokio::test]
async fn graphql_can_be_out_of_order() {
    let simulator = start_with(10, "graphql = 'unavailable'").await;
    let request = client().post(format!("{}/graphql", simulator.url())).bearer_auth(TOKEN);
    assert_eq!(
        request
            .json(&json!({"query": "{rateLimit{cost}}"}))
            .send()
            .await
            .unwrap()
            .status(),
        502
    );
}

#[tokio::test]
async fn the_primary_limits_run_out_and_come_back() {
    let simulator = start_with(10, "primary_limit = 2\ngraphql_limit = 1\nprimary_window_seconds = 3").await;
    assert_eq!(status(&simulator, SEATS).await, 200);
    assert_eq!(status(&simulator, SEATS).await, 200);
    let refused = get(&simulator, SEATS).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "x-ratelimit-remaining")),
        (403, "0".to_owned())
    );
    assert!(refused.text().await.unwrap().contains("API rate limit exceeded"));

    assert!(
        graphql(&simulator, "{rateLimit{cost}}").await.get("data").is_some(),
        "a budget of its own"
    );
    assert_eq!(
        graphql(&simulator, "{rateLimit{cost}}").await["errors"][0]["type"],
        "RATE_LIMITED"
    );

    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert_eq!(status(&simulator, SEATS).await, 200);
    assert!(graphql(&simulator, "{rateLimit{cost}}").await.get("data").is_some());
}

#[tokio::test]
async fn the_secondary_limit_says_how_long_to_wait() {
    let simulator = start_with(10, "secondary_limit = 1\nsecondary_window_seconds = 3").await;
    assert_eq!(status(&simulator, SEATS).await, 200);
    let refused = get(&simulator, SEATS).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=3).contains(&wait));
    let body: Value = refused.json().await.unwrap();
    assert!(body["message"].as_str().unwrap().contains("secondary rate limit"));
    assert!(
        body["documentation_url"]
            .as_str()
            .unwrap()
            .ends_with("secondary-rate-limits")
    );
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(status(&simulator, SEATS).await, 200);
}

#[tokio::test]
async fn too_many_requests_at_a_time_are_refused() {
    let simulator = start_with(10, "concurrent_limit = 2\nlatency_ms = 500").await;
    let mut statuses = join_all((0..3).map(|_| status(&simulator, SEATS))).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 403]);
    assert_eq!(status(&simulator, SEATS).await, 200);
}

#[tokio::test]
async fn requests_are_counted_by_template_and_status() {
    let simulator = start(10).await;
    status(&simulator, SEATS).await;
    status(&simulator, SEATS).await;
    status(&simulator, "/users/nobody-0").await;
    status(&simulator, "/nowhere").await;
    let requests = simulator.requests();
    assert_eq!(
        (
            requests.of(SEATS_ROUTE),
            requests.of("/users/{login}"),
            requests.of("unknown")
        ),
        (2, 1, 1)
    );
    assert_eq!(
        (requests.by_status[&200], requests.by_status[&404], requests.total()),
        (2, 2, 4)
    );
    simulator.reset_requests();
    assert_eq!(simulator.requests().total(), 0);
}

#[tokio::test]
async fn the_control_surface_tells_and_sets_without_being_counted() {
    let simulator = start(50).await;
    let url = format!("{}/_simulator", simulator.url());
    status(&simulator, SEATS).await;
    let counted: Value = client()
        .get(format!("{url}/requests"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(counted["by_route"][SEATS_ROUTE], 1);

    let tomorrow = json!({"today": TODAY.tomorrow().unwrap()});
    let moved: Value = client()
        .post(format!("{url}/today"))
        .json(&tomorrow)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(moved, tomorrow);
    let truth: Value = client()
        .get(format!("{url}/truth"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(truth, serde_json::to_value(simulator.truth()).unwrap());
    assert_eq!(simulator.requests().total(), 1);
}

#[tokio::test]
async fn it_refuses_other_interfaces_and_impossible_sizes_and_stops_when_dropped() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let error = Simulator::start_on(everywhere, Settings::new(10, 1, TODAY))
        .await
        .unwrap_err();
    assert!(matches!(error, SimulatorError::NotLoopback(_)));
    let error = Simulator::start(Settings::new(9, 1, TODAY)).await.unwrap_err();
    assert!(matches!(error, SimulatorError::Seats(9)));

    let simulator = start(10).await;
    let url = simulator.url();
    drop(simulator);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(client().get(url).send().await.is_err());
}

#[tokio::test]
async fn latency_is_kept() {
    let mut settings = Settings::new(10, 1, TODAY);
    settings.latency = Duration::from_millis(120);
    let simulator = Simulator::start(settings).await.unwrap();
    let answered = tokio::time::timeout(Duration::from_millis(110), get(&simulator, SEATS).send()).await;
    assert!(answered.is_err());
    assert_eq!(status(&simulator, SEATS).await, 200);
}
