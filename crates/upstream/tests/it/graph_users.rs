//! The directory: users page by page, what they hold, and what the tenant has bought.

use serde_json::json;
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::users::{Undecoded, decode_user};
use wiremock::matchers::{header, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::graph::{at, bytes, fixture, graph, server};

const USERS: &str = "/v1.0/users";

/// Two pages: the first asked for by number of users, the second by the first one's link.
async fn two_pages() -> MockServer {
    let server = server().await;
    Mock::given(path(USERS))
        .and(query_param("$top", "999"))
        .and(query_param("$select", "id,userPrincipalName,displayName,mail,department,jobTitle,companyName,officeLocation,accountEnabled,userType,usageLocation,assignedLicenses,assignedPlans,licenseAssignmentStates"))
        .and(header("authorization", "Bearer token"))
        .respond_with(fixture(&server, 200, "users-page-1.json"))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(USERS))
        .and(query_param("$skiptoken", "RFNwdAIAAQ"))
        .respond_with(fixture(&server, 200, "users-page-2.json"))
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn users_come_page_by_page_with_the_bytes_they_came_in() {
    let server = two_pages().await;
    let graph = graph(&server);
    let first = graph.users_page(None, Deadline::NONE).await.unwrap();
    assert_eq!(first.body, bytes(&server, "users-page-1.json"));
    assert!(!format!("{:?}", first.next).contains("RFNw"), "{:?}", first.next);
    let adele = decode_user(&first.users[0]).unwrap();
    assert_eq!(adele.id, "87d349ed-44d7-43e1-9a83-5f2406dee5bd");
    assert_eq!(adele.upn, "adele.vance@contoso.example");
    assert_eq!(adele.mail.as_deref(), Some("Adele.Vance@contoso.example"));
    assert_eq!(adele.department.as_deref(), Some("Retail"));
    assert_eq!((adele.job_title, adele.company_name), (None, None));
    assert!(adele.account_enabled);
    assert_eq!(adele.licenses[0].sku_id, "639dec6b-bb19-468b-871c-c5c441c4b0cb");
    assert_eq!(
        adele.licenses[0].disabled_plans,
        ["a62f8878-de10-42f3-b68f-6149a25ceb97"]
    );
    assert_eq!(
        adele.plans[0].assigned_at,
        Some("2026-01-10T10:00:00Z".parse().unwrap())
    );
    assert_eq!(adele.plans[1].assigned_at, None, "the year 1 is no date");
    assert_eq!(adele.plans[1].capability_status.as_deref(), Some("SomethingNew"));
    assert_eq!(adele.states[0].state.as_deref(), Some("Active"));

    let nulls = decode_user(&first.users[1]).unwrap();
    assert!(nulls.licenses.is_empty() && nulls.plans.is_empty() && nulls.states.is_empty());
    assert!(
        nulls.account_enabled,
        "nobody is taken for gone over a word that is missing"
    );

    let second = graph.users_page(first.next, Deadline::NONE).await.unwrap();
    assert!(second.next.is_none());
    let faults: Vec<Undecoded> = second.users.iter().map(|raw| decode_user(raw).unwrap_err()).collect();
    let ids: Vec<Option<&str>> = faults.iter().map(|fault| fault.id.as_deref()).collect();
    assert_eq!(ids, [Some("no-upn"), None, Some("no-sku"), None, None]);
    assert_eq!(faults[0].reason, "the user has no userPrincipalName");
    assert_eq!(faults[1].reason, "the user has no id");
    assert!(faults[2].reason.contains("skuId"), "{}", faults[2].reason);
    let calls = graph.take_calls();
    let records: Vec<_> = calls.iter().map(|call| (call.route, call.records)).collect();
    assert_eq!(
        records,
        [
            ("POST /{tenant}/oauth2/v2.0/token", None),
            ("GET /v1.0/users", Some(2)),
            ("GET /v1.0/users", Some(5))
        ]
    );
}

#[tokio::test]
async fn a_list_that_leads_elsewhere_or_in_a_circle_is_refused() {
    let elsewhere = MockServer::start().await;
    for (link, expected) in [
        (format!("{}/v1.0/users", elsewhere.uri()), "another host"),
        ("nowhere".to_owned(), "not an address"),
    ] {
        let server = server().await;
        let page = ResponseTemplate::new(200).set_body_json(json!({"value": [], "@odata.nextLink": link}));
        at(&server, USERS, page).await;
        let error = graph(&server).users_page(None, Deadline::NONE).await.unwrap_err();
        assert!(matches!(error, ApiError::Contract { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());

    let server = server().await;
    let link = format!("{}/v1.0/users?$skiptoken=1", server.uri());
    let page = ResponseTemplate::new(200).set_body_json(json!({"value": [], "@odata.nextLink": link}));
    at(&server, USERS, page).await;
    let graph = graph(&server);
    let first = graph.users_page(None, Deadline::NONE).await.unwrap();
    let error = graph.users_page(first.next, Deadline::NONE).await.unwrap_err();
    assert!(error.to_string().contains("links back"), "{error}");
}

#[tokio::test]
async fn a_body_of_another_shape_is_no_list_and_a_cut_one_is_read_again() {
    let server = server().await;
    at(
        &server,
        USERS,
        ResponseTemplate::new(200).set_body_json(json!({"users": ["x@contoso.example"]})),
    )
    .await;
    let graph_client = graph(&server);
    let error = graph_client.users_page(None, Deadline::NONE).await.unwrap_err();
    assert!(matches!(error, ApiError::Contract { .. }), "{error}");
    assert!(!error.to_string().contains("contoso"), "{error}");
    assert_eq!(graph_client.requests(), 2);

    let server = crate::graph::server().await;
    Mock::given(path(USERS))
        .respond_with(ResponseTemplate::new(200).set_body_string("{\"value\": [{\"id\": \"8"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    at(&server, USERS, fixture(&server, 200, "users-page-2.json")).await;
    let page = graph(&server).users_page(None, Deadline::NONE).await.unwrap();
    assert_eq!(page.users.len(), 5);
}

#[tokio::test]
async fn skus_tell_their_plans_and_a_refusal_the_permission() {
    let server = server().await;
    at(&server, "/v1.0/subscribedSkus", fixture(&server, 200, "skus.json")).await;
    at(&server, USERS, fixture(&server, 403, "denied.json")).await;
    let graph = graph(&server);
    let skus = graph.subscribed_skus(Deadline::NONE).await.unwrap();
    assert_eq!(skus.body, bytes(&server, "skus.json"));
    assert_eq!(skus.value[0].sku_id, "639dec6b-bb19-468b-871c-c5c441c4b0cb");
    assert_eq!(skus.value[0].plan_ids, ["a62f8878-de10-42f3-b68f-6149a25ceb97"]);
    assert!(skus.value[1].plan_ids.is_empty());
    let error = graph.users_page(None, Deadline::NONE).await.unwrap_err();
    assert_eq!(error.error_type(), "Permission");
    assert!(error.to_string().contains("User.Read.All"), "{error}");
}
