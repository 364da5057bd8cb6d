//! The exclusion list: whole, or an error.

use serde_json::{Value, json};
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::graph::{at, fixture, graph, server};

const SITE: &str = "contoso.sharepoint.example,6a0e,b1f2";
const ITEMS: &str = "/v1.0/sites/contoso.sharepoint.example,6a0e,b1f2/lists/L1/items";

fn item(value: &Value) -> Value {
    json!({"id": "1", "fields": {"@odata.etag": "e", "Email": value}})
}

async fn read(server: &MockServer) -> Result<Vec<String>, ApiError> {
    graph(server).list_items(SITE, "L1", "Email", Deadline::NONE).await
}

/// What becomes of a list of these items.
async fn of(items: &[Value]) -> Result<Vec<String>, ApiError> {
    let server = server().await;
    at(
        &server,
        ITEMS,
        ResponseTemplate::new(200).set_body_json(json!({"value": items})),
    )
    .await;
    read(&server).await
}

#[tokio::test]
async fn a_list_of_more_than_a_page_is_read_to_its_end() {
    let server = server().await;
    let items = |from: usize, to: usize| -> Vec<Value> {
        (from..to)
            .map(|number| item(&json!(format!(" reader{number}@contoso.example "))))
            .collect()
    };
    let link = format!("{}{ITEMS}?$skiptoken=UGFnZWQ9VFJVRQ", server.uri());
    Mock::given(path(ITEMS))
        .and(query_param("$expand", "fields($select=Email)"))
        .and(query_param("$top", "1000"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"value": items(0, 1_000), "@odata.nextLink": link})),
        )
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(ITEMS))
        .and(query_param("$skiptoken", "UGFnZWQ9VFJVRQ"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": items(1_000, 1_007)})))
        .expect(1)
        .mount(&server)
        .await;
    let values = read(&server).await.unwrap();
    assert_eq!(values.len(), 1_007);
    assert_eq!(values[0], "reader0@contoso.example");
    assert_eq!(values[1_006], "reader1006@contoso.example");
}

#[tokio::test]
async fn texts_and_persons_are_taken_and_items_without_are_left_out() {
    let values = of(&[
        item(&json!("a@contoso.example")),
        item(&json!("  ")),
        item(&json!(null)),
        json!({"id": "2", "fields": {"Title": "no mail"}}),
        json!({"id": "3"}),
        item(&json!([{"LookupId": 1, "LookupValue": "Somebody", "Email": "b@contoso.example"}, "c@contoso.example"])),
        item(&json!({"email": "d@contoso.example"})),
        item(&json!({"LookupId": 1, "LookupValue": "e@contoso.example"})),
        item(&json!([])),
    ])
    .await
    .unwrap();
    let expected = ["a", "b", "c", "d", "e"].map(|name| format!("{name}@contoso.example"));
    assert_eq!(values, expected);
    assert!(of(&[]).await.unwrap().is_empty(), "a list may be empty");
}

#[tokio::test]
async fn what_could_be_somebody_and_cannot_be_read_is_an_error() {
    for value in [
        json!(7),
        json!(true),
        json!({"LookupId": 1, "LookupValue": "Somebody"}),
        json!([{"LookupId": 1}]),
    ] {
        let error = of(&[item(&json!("a@contoso.example")), item(&value)])
            .await
            .unwrap_err();
        assert!(matches!(error, ApiError::Contract { .. }), "{value} {error}");
        assert!(error.to_string().contains("UPTAKE_EXCLUSION_FIELD"), "{error}");
        assert!(!error.to_string().contains("Somebody"), "{error}");
    }
}

#[tokio::test]
async fn a_renamed_column_is_an_error_and_not_an_empty_list() {
    for items in [
        vec![json!({"id": "1", "fields": {"Mail": "a@contoso.example"}})],
        vec![json!({"id": "1", "fields": {}}), item(&json!(null))],
        vec![json!({"id": "1"})],
    ] {
        let error = of(&items).await.unwrap_err();
        assert_eq!(error.error_type(), "Configuration");
        assert!(error.to_string().contains("UPTAKE_EXCLUSION_FIELD"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_grant_or_the_settings() {
    for (status, error_type, expected) in [
        (403, "Permission", "Sites.Selected"),
        (
            404,
            "Permission",
            "UPTAKE_EXCLUSION_SITE_ID and UPTAKE_EXCLUSION_LIST_ID",
        ),
        (400, "Configuration", "UPTAKE_EXCLUSION_FIELD"),
    ] {
        let server = server().await;
        at(&server, ITEMS, fixture(&server, status, "denied.json")).await;
        let error = read(&server).await.unwrap_err();
        assert_eq!(error.error_type(), error_type, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn ids_and_the_column_stay_where_they_belong() {
    let server = server().await;
    at(
        &server,
        "/v1.0/sites/..%2Fusers%3F/lists/a%2Fb/items",
        ResponseTemplate::new(200).set_body_json(json!({"value": []})),
    )
    .await;
    graph(&server)
        .list_items("../users?", "a/b", "Email&$top=1#", Deadline::NONE)
        .await
        .unwrap();
    let asked = server.received_requests().await.unwrap().pop().unwrap();
    let pairs: Vec<_> = asked.url.query_pairs().into_owned().collect();
    assert_eq!(
        pairs,
        [
            ("$expand".to_owned(), "fields($select=Email&$top=1#)".to_owned()),
            ("$top".to_owned(), "1000".to_owned())
        ]
    );
}
