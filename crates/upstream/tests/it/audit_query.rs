//! The audit log by query: started, waited for, read page by page.

use serde_json::{Value, json};
use uptake_domain::calendar::Window;
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::audit_query::{QueryId, QueryStatus};
use uptake_upstream::microsoft::audit_records::{decode, peek};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::graph::{at, fixture, graph, server};

const QUERIES: &str = "/v1.0/security/auditLog/queries";

fn window() -> Window {
    Window::of_day("2026-08-01".parse().unwrap())
}

async fn start(server: &MockServer) -> Result<QueryId, ApiError> {
    let operations = ["CopilotInteraction".to_owned()];
    graph(server)
        .start_audit_query(window(), &operations, Deadline::NONE)
        .await
}

fn started() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({"id": "q-1", "status": "notStarted"}))
}

async fn takes_queries(server: &MockServer, at: &str) {
    Mock::given(method("POST"))
        .and(path(at))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({
            "displayName": "uptake",
            "filterStartDateTime": "2026-08-01T00:00:00Z",
            "filterEndDateTime": "2026-08-02T00:00:00Z",
            "operationFilters": ["CopilotInteraction"]
        })))
        .respond_with(started())
        .expect(1)
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_query_is_started_and_asked_after_until_it_has_ended() {
    let server = server().await;
    takes_queries(&server, QUERIES).await;
    let query = start(&server).await.unwrap();
    let kept = QueryId::new(query.to_string());
    assert_eq!(kept, query);

    for (status, expected) in [
        (json!("notStarted"), QueryStatus::Running),
        (json!("running"), QueryStatus::Running),
        (json!("somethingNew"), QueryStatus::Running),
        (json!(null), QueryStatus::Running),
        (json!("succeeded"), QueryStatus::Succeeded),
        (json!("failed"), QueryStatus::Failed),
        (json!("cancelled"), QueryStatus::Failed),
    ] {
        let server = crate::graph::server().await;
        let answer = ResponseTemplate::new(200).set_body_json(json!({"id": "q-1", "status": status}));
        at(&server, "/v1.0/security/auditLog/queries/q-1", answer).await;
        let told = graph(&server).audit_query_status(&kept, Deadline::NONE).await.unwrap();
        assert_eq!(told, expected, "{status}");
    }
}

#[tokio::test]
async fn records_come_page_by_page_as_the_feed_has_them() {
    let server = server().await;
    let records = "/v1.0/security/auditLog/queries/q-1/records";
    let data = |id: &str| -> Value {
        json!({
            "Id": id, "CreationTime": "2026-08-01T10:00:00", "UserId": "reader@contoso.example",
            "Operation": "CopilotInteraction", "RecordType": 261, "CopilotEventData": {"AppHost": "Word"}
        })
    };
    let link = format!("{}{records}?$skiptoken=2", server.uri());
    Mock::given(path(records))
        .and(query_param("$skiptoken", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [
            {"id": "3", "userId": "reader@contoso.example", "operation": "CopilotInteraction"}
        ]})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(records))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [
            {"id": "1", "auditData": data("1")},
            {"id": "2", "auditData": data("2").to_string()},
        ], "@odata.nextLink": link})))
        .expect(1)
        .mount(&server)
        .await;
    let graph = graph(&server);
    let query = QueryId::new("q-1");
    let first = graph.audit_query_page(&query, None, Deadline::NONE).await.unwrap();
    let events: Vec<_> = first.records.iter().map(|raw| decode(raw).unwrap()).collect();
    assert_eq!((events[0].event_id.as_str(), events[0].app.as_str()), ("1", "word"));
    assert_eq!((events[1].event_id.as_str(), events[1].app.as_str()), ("2", "word"));

    let last = graph
        .audit_query_page(&query, first.next, Deadline::NONE)
        .await
        .unwrap();
    assert!(last.next.is_none());
    assert!(
        decode(&last.records[0]).is_err(),
        "a row without its record is not lost"
    );
    assert_eq!(
        peek(&last.records[0]).user_id.as_deref(),
        Some("reader@contoso.example")
    );
    let counted: Vec<_> = graph.take_calls().iter().map(|call| call.records).collect();
    assert_eq!(counted, [None, Some(2), Some(1)]);
}

#[tokio::test]
async fn what_v1_does_not_have_is_asked_of_the_preview() {
    for refusal in [400, 404] {
        let server = server().await;
        Mock::given(path(QUERIES))
            .respond_with(fixture(&server, refusal, "no-segment.json"))
            .expect(1)
            .mount(&server)
            .await;
        takes_queries(&server, "/beta/security/auditLog/queries").await;
        let graph = graph(&server);
        let operations = ["CopilotInteraction".to_owned()];
        let query = graph
            .start_audit_query(window(), &operations, Deadline::NONE)
            .await
            .unwrap();
        let kept = QueryId::new(query.to_string());
        at(
            &server,
            "/beta/security/auditLog/queries/q-1",
            ResponseTemplate::new(200).set_body_json(json!({"status": "running"})),
        )
        .await;
        at(
            &server,
            "/beta/security/auditLog/queries/q-1/records",
            ResponseTemplate::new(200).set_body_json(json!({"value": []})),
        )
        .await;
        graph.audit_query_status(&kept, Deadline::NONE).await.unwrap();
        graph.audit_query_page(&kept, None, Deadline::NONE).await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_and_leads_to_no_other_version() {
    let server = server().await;
    Mock::given(path(QUERIES))
        .respond_with(fixture(&server, 403, "denied.json"))
        .expect(1)
        .mount(&server)
        .await;
    let error = start(&server).await.unwrap_err();
    assert_eq!(error.error_type(), "Permission");
    assert!(error.to_string().contains("AuditLogsQuery.Read.All"), "{error}");
}

#[tokio::test]
async fn a_query_that_is_gone_says_so_and_an_id_cannot_lead_elsewhere() {
    let server = server().await;
    let graph = graph(&server);
    let query = QueryId::new("beta/../../users");
    let error = graph.audit_query_status(&query, Deadline::NONE).await.unwrap_err();
    assert!(error.to_string().contains("start another"), "{error}");
    let asked = server.received_requests().await.unwrap().pop().unwrap();
    assert_eq!(asked.url.path(), "/beta/security/auditLog/queries/..%2F..%2Fusers");
}
