//! The audit feed: content and its pages, blobs, subscriptions, and what each of its codes leads to.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use uptake_domain::calendar::Window;
use uptake_upstream::clock::{Deadline, SystemClock};
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::activity::{ActivityFeed, ContentBlob, NewWebhook, Subscription, Webhook};
use uptake_upstream::origin::Origin;
use wiremock::matchers::{any, body_json, body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::graph::{FakeClock, MICROSOFT, TOKEN, principal, token_for};

const FEED: &str = "/api/v1.0/contoso.example/activity/feed";
/// An id as the reference shows them.
const ID: &str = "4926$4926$f28ab78ad401$4a81a7c3$04";

fn at(end: &str) -> String {
    format!("{FEED}/{end}")
}

fn feed(server: &MockServer) -> ActivityFeed {
    let origin = || server.uri().parse().unwrap();
    ActivityFeed::new(origin(), origin(), principal(), FakeClock::new(), MICROSOFT).unwrap()
}

/// A server at which everybody can sign in for the feed.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    token_for(&server, "manage.office.com", "token", 3599, 1).await;
    server
}

/// A feed that answers everything with this.
async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = server().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({
        "error": {"code": code, "message": "The tenant ID 11111111-2222 of reader@contoso.example."}
    }))
}

fn day() -> Window {
    Window::of_day("2026-11-19".parse().unwrap())
}

fn blob() -> ContentBlob {
    ContentBlob::new(ID, "2026-11-19T07:35:00Z".parse().unwrap(), None)
}

fn listed(server: &MockServer, id: &str, end: &str) -> Value {
    json!({
        "contentType": "Audit.General",
        "contentId": id,
        "contentUri": format!("{}{end}", server.uri()),
        "contentCreated": "2026-11-19T07:35:00.000Z",
        "contentExpiration": "2026-11-26T07:35:00.000Z"
    })
}

async fn requests_to_the_feed(server: &MockServer) -> Vec<Request> {
    let mut requests = server.received_requests().await.unwrap();
    requests.retain(|request| request.url.path() != TOKEN);
    requests
}

#[tokio::test]
async fn content_is_listed_page_by_page_until_no_page_is_named() {
    let server = server().await;
    let link = |end: &str| format!("{}{end}", server.uri());
    let of_window = |at: &str, page: ResponseTemplate| {
        Mock::given(method("GET"))
            .and(path(at))
            .and(query_param("contentType", "Audit.General"))
            .and(query_param("startTime", "2026-11-19T00:00:00"))
            .and(query_param("endTime", "2026-11-20T00:00:00"))
            .and(header("authorization", "Bearer token"))
            .respond_with(page)
            .expect(1)
    };
    // As the reference shows it: another version, and without the publisher.
    let second_at = "/api/v1/contoso.example/activity/feed/subscriptions/content";
    let second = link(
        "/api/v1/contoso.example/activity/feed/subscriptions/content?contentType=Audit.General&startTime=2026-11-19T00:00:00&endTime=2026-11-20T00:00:00&nextPage=2026111900R0",
    );
    of_window(
        &at("subscriptions/content"),
        ResponseTemplate::new(200)
            .insert_header("NextPageUri", second)
            .set_body_json(json!([listed(&server, ID, &at(&format!("audit/{ID}")))])),
    )
    .mount(&server)
    .await;
    of_window(
        second_at,
        ResponseTemplate::new(200).set_body_json(json!([
            {"contentId": "without-much", "contentCreated": "2026-11-19T08:00:00"}
        ])),
    )
    .mount(&server)
    .await;

    let feed = feed(&server);
    let first = feed.content(day(), None, Deadline::NONE).await.unwrap();
    assert_eq!(first.blobs[0].id, ID);
    assert_eq!(first.blobs[0].created_at, "2026-11-19T07:35:00Z".parse().unwrap());
    assert_eq!(first.blobs[0].expires_at, Some("2026-11-26T07:35:00Z".parse().unwrap()));
    let last = feed.content(day(), first.next, Deadline::NONE).await.unwrap();
    assert_eq!(last.blobs[0].id, "without-much");
    assert_eq!(last.blobs[0].created_at, "2026-11-19T08:00:00Z".parse().unwrap());
    assert_eq!(last.blobs[0].expires_at, None);
    assert!(last.next.is_none());
    let records: Vec<_> = feed.take_calls().iter().map(|call| call.records).collect();
    assert_eq!(records, [None, Some(1), Some(1)]);
    assert_eq!(feed.requests(), 3);
}

#[tokio::test]
async fn a_next_page_elsewhere_is_refused_and_the_credential_stays() {
    let elsewhere = MockServer::start().await;
    let server_of = |link: String| async move {
        answering(
            ResponseTemplate::new(200)
                .insert_header("NextPageUri", link)
                .set_body_json(json!([])),
        )
        .await
    };
    for (link, expected) in [
        (
            format!("{}{FEED}/subscriptions/content", elsewhere.uri()),
            "another host",
        ),
        ("nowhere".to_owned(), "not an address"),
    ] {
        let server = server_of(link).await;
        let error = feed(&server).content(day(), None, Deadline::NONE).await.unwrap_err();
        assert!(matches!(error, ApiError::Contract { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    for end in [
        "/api/v1.0/fabrikam.example/activity/feed/subscriptions/content?nextPage=1",
        "/api/v1.0/contoso.example/activity/feed/subscriptions/list",
        "/api/v1.0/contoso.example/activity/feed/subscriptions/content/more",
        "/api/v2.0/contoso.example/activity/feed/subscriptions/content",
        "/content",
    ] {
        let server = server().await;
        let page = ResponseTemplate::new(200)
            .insert_header("NextPageUri", format!("{}{end}", server.uri()))
            .set_body_json(json!([]));
        Mock::given(any()).respond_with(page).mount(&server).await;
        let error = feed(&server).content(day(), None, Deadline::NONE).await.unwrap_err();
        assert!(error.to_string().contains("not a page of its list"), "{end}: {error}");
        assert!(!error.to_string().contains("contoso"), "{error}");
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_that_goes_in_a_circle_ends() {
    let server = server().await;
    let link = format!("{}{FEED}/subscriptions/content?nextPage=1", server.uri());
    let page = ResponseTemplate::new(200)
        .insert_header("NextPageUri", link)
        .set_body_json(json!([]));
    Mock::given(any()).respond_with(page).mount(&server).await;
    let feed = feed(&server);
    let first = feed.content(day(), None, Deadline::NONE).await.unwrap();
    let error = feed.content(day(), first.next, Deadline::NONE).await.unwrap_err();
    assert!(error.to_string().contains("links back"), "{error}");
}

#[tokio::test]
async fn content_without_an_id_or_an_instant_is_not_passed_over() {
    for page in [
        json!([{"contentId": " ", "contentCreated": "2026-11-19T08:00:00Z"}]),
        json!([{"contentId": "x", "contentCreated": "soon"}]),
        json!([{"contentCreated": "2026-11-19T08:00:00Z"}]),
        json!({"value": []}),
    ] {
        let server = answering(ResponseTemplate::new(200).set_body_json(&page)).await;
        let error = feed(&server).content(day(), None, Deadline::NONE).await.unwrap_err();
        assert!(matches!(error, ApiError::Contract { .. }), "{page} {error}");
    }
}

#[tokio::test]
async fn every_call_names_the_publisher() {
    let server = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let feed = feed(&server);
    feed.content(day(), None, Deadline::NONE).await.unwrap();
    feed.blob(&blob(), Deadline::NONE).await.unwrap();
    feed.subscriptions(Deadline::NONE).await.unwrap();
    feed.start(None, Deadline::NONE).await.unwrap();
    feed.stop(Deadline::NONE).await.unwrap();
    let requests = requests_to_the_feed(&server).await;
    assert_eq!(requests.len(), 5);
    for request in requests {
        let publishers: Vec<_> = request
            .url
            .query_pairs()
            .filter(|(name, _)| name == "PublisherIdentifier")
            .collect();
        assert_eq!(publishers.len(), 1, "{}", request.url);
        assert_eq!(publishers[0].1, "contoso.example", "{}", request.url);
    }
}

#[tokio::test]
async fn a_blob_is_records_as_they_came_and_lies_where_its_id_says() {
    let server = server().await;
    let body = "[{\"Id\": \"1\", \"New\":  true},\n {\"Id\": \"2\"}]";
    Mock::given(method("GET"))
        .and(path(at(&format!("audit/{ID}"))))
        .respond_with(ResponseTemplate::new(200).set_body_string(body))
        .expect(1)
        .mount(&server)
        .await;
    let feed = feed(&server);
    let blob = feed.blob(&blob(), Deadline::NONE).await.unwrap();
    assert_eq!(blob.body, body.as_bytes());
    let records: Vec<&str> = blob.value.iter().map(|record| record.get()).collect();
    assert_eq!(records, ["{\"Id\": \"1\", \"New\":  true}", "{\"Id\": \"2\"}"]);
    assert_eq!(feed.take_calls()[1].records, Some(2));
}

#[tokio::test]
async fn a_listed_address_is_used_only_within_the_feed() {
    let elsewhere = MockServer::start().await;
    for (end, expected) in [
        (
            "/api/v1/contoso.example/activity/feed/Audit/other$1",
            "/api/v1/contoso.example/activity/feed/Audit/other$1".to_owned(),
        ),
        ("/api/v1.0/fabrikam.example/activity/feed/audit/other", at("audit/own")),
        ("/other", at("audit/own")),
        (
            "/api/v1.0/contoso.example/activity/feed/subscriptions/stop",
            at("audit/own"),
        ),
    ] {
        let server = server().await;
        let list = json!([listed(&server, "own", end)]);
        Mock::given(path(at("subscriptions/content")))
            .respond_with(ResponseTemplate::new(200).set_body_json(list))
            .mount(&server)
            .await;
        Mock::given(path(expected))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
            .expect(1)
            .mount(&server)
            .await;
        let feed = feed(&server);
        let page = feed.content(day(), None, Deadline::NONE).await.unwrap();
        feed.blob(&page.blobs[0], Deadline::NONE).await.unwrap();
    }

    let server = server().await;
    let list = json!([{
        "contentId": "own", "contentUri": format!("{}{FEED}/audit/own", elsewhere.uri()), "contentCreated": "2026-11-19T08:00:00Z"
    }]);
    Mock::given(path(at("subscriptions/content")))
        .respond_with(ResponseTemplate::new(200).set_body_json(list))
        .mount(&server)
        .await;
    Mock::given(path(at("audit/own")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .mount(&server)
        .await;
    let feed = feed(&server);
    let page = feed.content(day(), None, Deadline::NONE).await.unwrap();
    feed.blob(&page.blobs[0], Deadline::NONE).await.unwrap();
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_id_cannot_lead_out_of_its_segment() {
    let server = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let feed = feed(&server);
    let named = |id: &str| ContentBlob::new(id, "2026-11-19T08:00:00Z".parse().unwrap(), None);
    let id = "../subscriptions/stop?x=https://elsewhere.example/#";
    feed.blob(&named(id), Deadline::NONE).await.unwrap();
    let path = requests_to_the_feed(&server).await[0].url.path().to_owned();
    assert_eq!(
        path,
        at("audit/..%2Fsubscriptions%2Fstop%3Fx=https:%2F%2Felsewhere.example%2F%23")
    );
    for id in ["", " ", ".", ".."] {
        let error = feed.blob(&named(id), Deadline::NONE).await.unwrap_err();
        assert!(matches!(error, ApiError::Contract { .. }), "{error}");
    }
    assert_eq!(requests_to_the_feed(&server).await.len(), 1);
}

#[tokio::test]
async fn blobs_are_read_side_by_side_for_one_token() {
    let server = answering(ResponseTemplate::new(200).set_body_json(json!([{"Id": "1"}]))).await;
    let feed = feed(&server);
    let one = blob();
    let asked = (0..8).map(|_| feed.blob(&one, Deadline::NONE));
    for records in futures::future::join_all(asked).await {
        assert_eq!(records.unwrap().value.len(), 1);
    }
    assert_eq!(feed.requests(), 9);
}

#[tokio::test]
async fn each_code_says_what_to_do_after_one_request_and_repeats_nothing() {
    for (status, code, error_type, expected) in [
        (401, "AF10001", "Permission", "ActivityFeed.Read"),
        (403, "AF10001", "Permission", "Office 365 Management APIs"),
        (401, "AF20010", "Configuration", "UPTAKE_TENANT_ID"),
        (400, "AF20011", "Configuration", "UPTAKE_TENANT_ID"),
        (400, "AF20012", "Configuration", "licence"),
        (400, "AF20013", "Configuration", "a GUID"),
        (400, "AF20020", "Contract", "the Management Activity API refused"),
        (400, "AF20021", "Configuration", "webhook"),
        (400, "AF20022", "Subscription", "run `uptake subscription start`"),
        (400, "AF20023", "Subscription", "which enables it again"),
        (400, "AF20030", "Contract", "maintainers"),
        (404, "AF20050", "Gone", "no longer there"),
        (400, "AF20051", "Gone", "no longer there"),
    ] {
        let server = answering(refusal(status, code)).await;
        let feed = feed(&server);
        let error = feed.blob(&blob(), Deadline::NONE).await.unwrap_err();
        assert_eq!(error.error_type(), error_type, "{code} {error}");
        assert_eq!(error.passes_by_itself(), error_type == "Gone", "{code} {error}");
        assert!(error.to_string().contains(expected), "{code} {error}");
        let told = format!("{error} {:?}", feed.take_calls());
        assert!(!told.contains("1111") && !told.contains("reader@"), "{told}");
        assert_eq!(feed.requests(), 2, "{code}");
    }
}

#[tokio::test]
async fn content_without_a_subscription_says_so() {
    let server = answering(refusal(400, "AF20022")).await;
    let error = feed(&server).content(day(), None, Deadline::NONE).await.unwrap_err();
    assert!(matches!(error, ApiError::NotSubscribed { .. }), "{error}");
}

#[tokio::test]
async fn a_limit_that_is_told_as_forbidden_is_waited_out() {
    for limit in [
        refusal(403, "AF429"),
        refusal(429, "AF429"),
        refusal(403, "AF429").insert_header("retry-after", "1"),
        ResponseTemplate::new(403)
            .set_body_string("{'error':{'code':'AF429','message':'Too many requests. Method=GetBlob'}}"),
    ] {
        let server = server().await;
        Mock::given(path(at(&format!("audit/{ID}"))))
            .respond_with(limit)
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
            .mount(&server)
            .await;
        let feed = feed(&server);
        feed.blob(&blob(), Deadline::NONE).await.unwrap();
        let errors: Vec<_> = feed.take_calls().into_iter().map(|call| call.error).collect();
        assert!(errors[1].as_deref().unwrap().starts_with("rate limit"), "{errors:?}");
        assert_eq!(feed.requests(), 3);
    }
}

#[tokio::test]
async fn a_limit_past_the_deadline_ends_the_call() {
    let server = answering(refusal(403, "AF429").insert_header("retry-after", "600")).await;
    let end = feed(&server)
        .blob(&blob(), Deadline::within(Duration::from_mins(1)))
        .await;
    assert!(matches!(end, Err(ApiError::RateLimited { .. })), "{end:?}");
}

#[tokio::test]
async fn an_internal_fault_and_a_cut_blob_are_tried_again() {
    for fault in [
        refusal(500, "AF50000"),
        ResponseTemplate::new(200).set_body_string("[{\"Id\": \"1"),
    ] {
        let server = server().await;
        Mock::given(path(at(&format!("audit/{ID}"))))
            .respond_with(fault)
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
            .mount(&server)
            .await;
        let feed = feed(&server);
        feed.blob(&blob(), Deadline::NONE).await.unwrap();
        assert_eq!(feed.requests(), 3);
    }
}

#[tokio::test]
async fn subscriptions_are_told_without_their_secret() {
    let server = server().await;
    let list = json!([
        {"contentType": "Audit.General", "status": "enabled", "webhook": {
            "status": "disabled", "address": "https://hook.example/o365", "authId": "s3cret", "expiration": ""}},
        {"contentType": "Audit.Exchange", "webhook": null},
    ]);
    Mock::given(method("GET"))
        .and(path(at("subscriptions/list")))
        .respond_with(ResponseTemplate::new(200).set_body_json(list))
        .mount(&server)
        .await;
    let subscriptions = feed(&server).subscriptions(Deadline::NONE).await.unwrap();
    assert_eq!(
        subscriptions,
        [
            Subscription {
                content_type: "Audit.General".into(),
                status: Some("enabled".into()),
                webhook: Some(Webhook {
                    status: Some("disabled".into()),
                    address: "https://hook.example/o365".into(),
                    expiration: None,
                }),
            },
            Subscription {
                content_type: "Audit.Exchange".into(),
                status: None,
                webhook: None,
            },
        ]
    );
}

#[tokio::test]
async fn a_subscription_starts_with_and_without_a_webhook_and_stops() {
    let server = server().await;
    let post = |end: &str| {
        Mock::given(method("POST"))
            .and(path(at(end)))
            .and(query_param("contentType", "Audit.General"))
    };
    let started =
        || ResponseTemplate::new(200).set_body_json(json!({"contentType": "Audit.General", "status": "enabled"}));
    let address = format!("{}/hook", server.uri());
    post("subscriptions/start")
        .and(header("content-type", "application/json"))
        .and(body_json(
            json!({"webhook": {"address": address, "authId": "s3cret", "expiration": ""}}),
        ))
        .respond_with(started())
        .expect(1)
        .mount(&server)
        .await;
    post("subscriptions/start")
        .and(body_string(""))
        .respond_with(started())
        .expect(1)
        .mount(&server)
        .await;
    post("subscriptions/stop")
        .and(body_string(""))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let feed = feed(&server);
    let webhook = |address: &str| NewWebhook {
        address: address.parse().unwrap(),
        auth_id: SecretString::from("s3cret"),
    };
    feed.start(Some(webhook(&address)), Deadline::NONE).await.unwrap();
    feed.start(None, Deadline::NONE).await.unwrap();
    feed.stop(Deadline::NONE).await.unwrap();
    for address in ["http://hook.example/", "ftp://127.0.0.1/"] {
        let error = feed.start(Some(webhook(address)), Deadline::NONE).await.unwrap_err();
        assert_eq!(error.error_type(), "Configuration");
        assert!(error.to_string().contains("https://"), "{error}");
    }
    assert!(!format!("{:?}", webhook(&address)).contains("s3cret"));
}

#[tokio::test]
async fn what_is_as_it_should_be_is_no_error() {
    let server = server().await;
    for (end, code) in [("start", "AF20024"), ("stop", "AF20022")] {
        Mock::given(path(at(&format!("subscriptions/{end}"))))
            .respond_with(refusal(400, code))
            .mount(&server)
            .await;
    }
    let feed = feed(&server);
    feed.start(None, Deadline::NONE).await.unwrap();
    feed.stop(Deadline::NONE).await.unwrap();
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_a_lasting_refusal_names_the_settings() {
    let server = MockServer::start().await;
    token_for(&server, "manage.office.com", "first", 3599, 2).await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let feed = feed(&server);
    let error = feed.blob(&blob(), Deadline::NONE).await.unwrap_err();
    assert_eq!(error.error_type(), "Credentials");
    assert!(error.to_string().contains("UPTAKE_MANAGEMENT_URL"), "{error}");
    assert_eq!(feed.requests(), 4);
}

#[tokio::test]
async fn each_service_is_signed_in_to_by_its_own_name() {
    let server = MockServer::start().await;
    Mock::given(path(TOKEN))
        .respond_with(ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_scope"})))
        .mount(&server)
        .await;
    let login: Origin = server.uri().parse().unwrap();
    for (management, scope) in [
        (login.clone(), "https%3A%2F%2Fmanage.office.com%2F.default"),
        (
            "https://manage.office.com".parse().unwrap(),
            "https%3A%2F%2Fmanage.office.com%2F.default",
        ),
        (
            "https://manage-gcc.office.example".parse().unwrap(),
            "https%3A%2F%2Fmanage-gcc.office.example%2F.default",
        ),
    ] {
        let feed = ActivityFeed::new(login.clone(), management, principal(), FakeClock::new(), MICROSOFT).unwrap();
        feed.blob(&blob(), Deadline::NONE).await.unwrap_err();
        let asked = server.received_requests().await.unwrap().pop().unwrap();
        let form = String::from_utf8(asked.body).unwrap();
        assert!(form.ends_with(&format!("scope={scope}")), "{form}");
    }
}

#[test]
fn calls_can_be_made_from_any_thread() {
    fn is_send(_: impl Send) {}
    let origin = || "http://127.0.0.1:1".parse().unwrap();
    let feed = ActivityFeed::new(origin(), origin(), principal(), Arc::new(SystemClock), MICROSOFT).unwrap();
    let blob = blob();
    is_send(feed.content(day(), None, Deadline::NONE));
    is_send(feed.blob(&blob, Deadline::NONE));
    is_send(feed.subscriptions(Deadline::NONE));
    is_send(feed.start(None, Deadline::NONE));
    is_send(feed.stop(Deadline::NONE));
}
