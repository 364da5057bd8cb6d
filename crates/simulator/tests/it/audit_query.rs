//! Searches of the audit log, as Graph serves them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    activity_feed::interaction,
    client::TODAY,
    tenant::{Tenant, tenant},
};

const DAY: (&str, &str) = ("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z");

fn wanted((from, until): (&str, &str), operations: &[&str]) -> Value {
    json!({
        "displayName": "copilot",
        "filterStartDateTime": from,
        "filterEndDateTime": until,
        "operationFilters": operations,
        "recordTypeFilters": [],
        "userPrincipalNameFilters": [],
        "serviceFilter": null,
    })
}

async fn ask(tenant: &Tenant, version: &str, body: &Value) -> Response {
    let url = format!("{}/{version}/security/auditLog/queries", tenant.simulator.url());
    let request = tenant.client.post(url).bearer_auth(&tenant.token).json(body);
    request.send().await.unwrap()
}

async fn started(tenant: &Tenant, body: &Value) -> String {
    let answer = ask(tenant, "v1.0", body).await;
    assert_eq!(answer.status(), 201);
    let query: Value = answer.json().await.unwrap();
    assert_eq!(query["status"], "notStarted");
    format!("v1.0/security/auditLog/queries/{}", query["id"].as_str().unwrap())
}

async fn states(tenant: &Tenant, path: &str, count: usize) -> Vec<String> {
    let mut states = Vec::new();
    for _ in 0..count {
        states.push(tenant.json(path).await["status"].as_str().unwrap().to_owned());
    }
    states
}

#[tokio::test]
async fn a_search_takes_its_time_and_may_never_end() {
    for (scenario, expected) in [
        ("", ["notStarted", "running", "succeeded", "succeeded"]),
        ("audit_query_polls = 0", ["succeeded"; 4]),
        (
            "audit_query_polls = 1",
            ["running", "succeeded", "succeeded", "succeeded"],
        ),
        ("audit_query = 'never'", ["notStarted", "running", "running", "running"]),
        (
            "audit_query = 'failed'\naudit_query_polls = 1",
            ["running", "failed", "failed", "failed"],
        ),
    ] {
        let tenant = tenant(30, scenario).await;
        let path = started(&tenant, &wanted(DAY, &["CopilotInteraction"])).await;
        assert_eq!(tenant.ask(&format!("{path}/records")).await.status(), 400);
        assert_eq!(states(&tenant, &path, 4).await, expected, "{scenario}");
        let records = tenant.ask(&format!("{path}/records")).await.status();
        assert_eq!(records == 200, expected[3] == "succeeded");
        assert_eq!(tenant.ask("v1.0/security/auditLog/queries/none").await.status(), 404);
    }
}

#[tokio::test]
async fn a_search_that_cannot_be_understood_is_refused() {
    let tenant = tenant(30, "").await;
    let mut typed = wanted(DAY, &[]);
    typed["recordTypeFilters"] = json!(["copilotInteraction"]);
    for bad in [json!({}), typed, wanted((DAY.1, DAY.0), &[]), wanted(("x", "y"), &[])] {
        assert_eq!(ask(&tenant, "beta", &bad).await.status(), 400, "{bad}");
    }
    let url = format!("{}/v1.0/security/auditLog/queries", tenant.simulator.url());
    assert_eq!(tenant.client.post(url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_search_finds_what_the_feed_has_some_of_it_twice() {
    let tenant = tenant(300, "audit_query_polls = 0").await;
    let simulator = &tenant.simulator;
    let path = started(&tenant, &wanted(DAY, &["CopilotInteraction"])).await;
    assert_eq!(states(&tenant, &path, 1).await, ["succeeded"]);
    let (records, pages) = tenant.all(&format!("{path}/records")).await;
    assert!(pages.len() > 2, "{pages:?}");
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        assert_eq!(record["operation"], "CopilotInteraction");
        let data = &record["auditData"];
        let Some((id, _)) = interaction(data) else { continue };
        assert_eq!(
            (record["id"].as_str().unwrap(), &record["userId"]),
            (id.as_str(), &data["UserId"])
        );
        assert_eq!(
            record["createdDateTime"].as_str().unwrap().trim_end_matches('Z'),
            data["CreationTime"].as_str().unwrap()
        );
        *found.entry(id).or_default() += 1;
    }
    assert!(found.values().any(|copies| *copies == 2));
    let mut known = simulator.audit_events(simulator.now());
    known.retain(|event| event.event_at.to_zoned(TimeZone::UTC).date() == TODAY - 2.days());
    let known: BTreeSet<_> = known.into_iter().map(|event| event.event_id).collect();
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), known);

    let path = started(&tenant, &wanted(DAY, &["ViewReport"])).await;
    assert_eq!(states(&tenant, &path, 1).await, ["succeeded"]);
    let (reports, _) = tenant.all(&format!("{path}/records")).await;
    assert!(!reports.is_empty() && reports.iter().all(|record| record["operation"] == "ViewReport"));
}

#[tokio::test]
async fn a_search_reaches_further_back_than_the_feed_and_can_ask_for_a_person() {
    let tenant = tenant(300, "audit_query_polls = 0").await;
    let simulator = &tenant.simulator;
    let span = ("2026-08-03T00:00:00Z", "2026-08-08T00:00:00Z");
    let mut body = wanted(span, &["copilotinteraction"]);
    let path = started(&tenant, &body).await;
    assert_eq!(states(&tenant, &path, 1).await, ["succeeded"]);
    let (all, _) = tenant.all(&format!("{path}/records")).await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let in_span = |record: &Value| (at(span.0)..at(span.1)).contains(&at(record["createdDateTime"].as_str().unwrap()));
    assert!(all.len() > 1000 && all.iter().all(in_span));
    let upn = all[7]["userPrincipalName"].as_str().unwrap().to_uppercase();
    body["userPrincipalNameFilters"] = json!([upn]);
    let path = started(&tenant, &body).await;
    assert_eq!(states(&tenant, &path, 1).await, ["succeeded"]);
    let (theirs, _) = tenant.all(&format!("{path}/records")).await;
    let is_theirs = |record: &Value| record["userPrincipalName"].as_str().unwrap().to_uppercase() == upn;
    assert!(!theirs.is_empty() && theirs.len() < all.len() && theirs.iter().all(is_theirs));
    assert!(simulator.audit_since() > at(span.1));
}
