//! Reports: what their rows say, which forms are fallen back to, and where downloads lie.

use jiff::civil::{Date, date};
use serde_json::json;
use uptake_domain::copilot_usage::App;
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::reports::{ActivityOf, Period, ReportForm, UsageReport};
use wiremock::matchers::{any, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::graph::{at, bytes, fixture, graph, server};

fn usage_path(version: &str, period: &str, options: &str) -> String {
    format!("/{version}/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='{period}'{options})")
}

fn v2(period: &str) -> String {
    usage_path("v1.0", period, ",version='v2'")
}

/// The report over a week when the best form is answered so.
async fn weekly(server: &MockServer, answer: ResponseTemplate) -> Result<UsageReport, ApiError> {
    at(server, &v2("D7"), answer).await;
    graph(server).copilot_usage(Period::D7, Deadline::NONE).await
}

#[tokio::test]
async fn version_2_is_understood_whatever_the_order_of_its_columns() {
    let server = server().await;
    at(&server, &v2("D28"), fixture(&server, 200, "usage-v2.csv")).await;
    let graph = graph(&server);
    let report = graph.copilot_usage(Period::D28, Deadline::NONE).await.unwrap();
    assert_eq!(report.form, ReportForm::CsvV2);
    assert_eq!(report.bodies, [bytes(&server, "usage-v2.csv")]);
    let rows = report.rows;
    assert_eq!(rows.refresh_on, Some(date(2026, 11, 20)));
    assert!(!rows.concealed);
    assert_eq!(rows.duplicates, 1);
    let upns: Vec<&str> = rows.rows.iter().map(|row| row.upn.as_str()).collect();
    assert_eq!(
        upns,
        [
            "adele.vance@contoso.example",
            "idle@contoso.example",
            "instant@contoso.example"
        ]
    );
    let adele = &rows.rows[0];
    let app = |app: App| adele.apps[App::ALL.iter().position(|known| *known == app).unwrap()];
    assert_eq!(adele.last_activity_on, Some(date(2026, 11, 19)));
    assert_eq!(app(App::Teams), Some(date(2026, 11, 19)));
    assert_eq!(app(App::Word), Some(date(2026, 11, 14)), "the later of her two rows");
    assert_eq!(app(App::Outlook), Some(date(2026, 11, 12)));
    assert_eq!(app(App::Loop), None);
    assert_eq!(app(App::Chat), Some(date(2026, 11, 18)), "the later of work and web");
    assert_eq!(adele.chat_work_on, Some(date(2026, 11, 17)));
    assert_eq!(adele.chat_web_on, Some(date(2026, 11, 18)));
    assert_eq!(adele.agent_on, Some(date(2026, 11, 16)));
    assert_eq!(adele.edge_on, Some(date(2026, 11, 1)));
    assert_eq!(
        (adele.period_days, adele.prompts, adele.active_days),
        (28, Some(41), Some(7))
    );
    let idle = &rows.rows[1];
    assert_eq!(
        (idle.last_activity_on, idle.apps, idle.prompts),
        (None, [None; 8], None)
    );
    let instant = &rows.rows[2];
    assert_eq!(instant.report_refresh_on, date(2026, 11, 20), "an instant's day");
    assert_eq!(instant.last_activity_on, Some(date(2026, 11, 18)));

    let rejected: Vec<(&str, &str)> = rows
        .rejected
        .iter()
        .map(|row| (row.rule, row.reason.as_str()))
        .collect();
    assert_eq!(
        rejected,
        [
            ("usage_date", "Last Activity Date is no date: 19/11/2026"),
            (
                "usage_date",
                "Last Activity Date is 2026-11-21, after the report's 2026-11-20"
            ),
            ("usage_user", "no User Principal Name"),
            ("usage_number", "Prompts submitted for all apps is no count: many"),
            ("usage_fields", "3 fields under 20 columns"),
        ]
    );
    assert_eq!(
        rows.rejected[0].record,
        "wrong.date@contoso.example,2026-11-20,\"Date, Wrong\",1,1,19/11/2026,,,,,,,,,,,,,,28"
    );
    assert_eq!(graph.take_calls()[1].records, Some(9));
}

#[tokio::test]
async fn a_row_of_another_day_than_most_is_set_aside() {
    let server = server().await;
    let csv = "Report Refresh Date,User Principal Name,Last Activity Date\n\
               2026-11-20,a@contoso.example,\n\
               2099-01-01,b@contoso.example,2098-12-31\n\
               2026-11-20,c@contoso.example,2026-11-19\n";
    let report = weekly(&server, ResponseTemplate::new(200).set_body_string(csv))
        .await
        .unwrap();
    let rows = report.rows;
    assert_eq!(rows.refresh_on, Some(date(2026, 11, 20)));
    let upns: Vec<&str> = rows.rows.iter().map(|row| row.upn.as_str()).collect();
    assert_eq!(upns, ["a@contoso.example", "c@contoso.example"]);
    assert_eq!(rows.rejected.len(), 1);
    assert_eq!(rows.rejected[0].rule, "usage_date");
    assert!(
        rows.rejected[0].reason.contains("2099-01-01"),
        "{}",
        rows.rejected[0].reason
    );
    assert!(rows.rejected[0].record.contains("b@contoso.example"));
}

#[tokio::test]
async fn version_1_has_neither_prompts_nor_days() {
    let server = server().await;
    let no_version = fixture(&server, 400, "no-segment.json");
    at(&server, &v2("D7"), no_version).await;
    at(
        &server,
        &usage_path("v1.0", "D7", ",version='v1'"),
        fixture(&server, 200, "usage-v1.csv"),
    )
    .await;
    let graph = graph(&server);
    let report = graph.copilot_usage(Period::D7, Deadline::NONE).await.unwrap();
    assert_eq!(report.form, ReportForm::CsvV1);
    assert_eq!(graph.requests(), 3);
    let row = &report.rows.rows[0];
    assert_eq!((row.period_days, row.prompts, row.active_days), (7, None, None));
    assert_eq!(row.apps[7], Some(date(2026, 11, 18)));
    assert_eq!(row.chat_work_on, None);
}

#[tokio::test]
async fn a_version_that_is_ignored_is_told_by_what_came() {
    let server = server().await;
    let answer = fixture(&server, 200, "usage-v1.csv");
    let report = weekly(&server, answer).await.unwrap();
    assert_eq!(report.form, ReportForm::CsvV1);
}

#[tokio::test]
async fn the_preview_is_the_last_resort_and_comes_in_pages() {
    for beta in [",version='v2'", ""] {
        let server = server().await;
        at(
            &server,
            &usage_path("beta", "D7", beta),
            fixture(&server, 200, "usage-page-1.json"),
        )
        .await;
        Mock::given(path("/beta/next"))
            .and(query_param("$skiptoken", "2"))
            .respond_with(fixture(&server, 200, "usage-page-2.json"))
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(501))
            .with_priority(9)
            .mount(&server)
            .await;
        let report = graph(&server).copilot_usage(Period::D7, Deadline::NONE).await.unwrap();
        assert_eq!(report.form, ReportForm::BetaJson);
        assert_eq!(report.bodies.len(), 2);
        assert_eq!(report.rows.rows.len(), 2);
        assert_eq!(report.rows.duplicates, 1);
        let adele = &report.rows.rows[0];
        assert_eq!(adele.upn, "adele.vance@contoso.example");
        assert_eq!(adele.last_activity_on, Some(date(2026, 11, 20)));
        assert_eq!(
            (adele.period_days, adele.prompts, adele.active_days),
            (7, Some(12), Some(3))
        );
        assert_eq!(adele.apps[0], Some(date(2026, 11, 19)));
        assert_eq!(adele.apps[7], Some(date(2026, 11, 16)));
        assert_eq!(report.rows.rejected.len(), 1);
        assert_eq!(report.rows.rejected[0].rule, "usage_user");
        assert!(report.rows.rejected[0].record.contains("\"userPrincipalName\":null"));
    }
}

#[tokio::test]
async fn a_period_that_is_not_offered_is_said_and_a_missing_permission_leads_to_no_lesser_form() {
    let empty = server().await;
    for (period, requests) in [(Period::D28, 3), (Period::D7, 4)] {
        let graph = graph(&empty);
        // The token of the first client is the only one that is given out.
        if period == Period::D7 {
            crate::graph::token(&empty, "second", 3599, 1).await;
        }
        let error = graph.copilot_usage(period, Deadline::NONE).await.unwrap_err();
        assert!(matches!(error, ApiError::NotAvailable { .. }), "{error}");
        assert!(!error.passes_by_itself());
        assert_eq!(graph.requests(), requests + u64::from(period == Period::D7));
    }
    let server = server().await;
    let graph = graph(&server);
    at(&server, &v2("D7"), fixture(&server, 403, "denied.json")).await;
    let error = graph.copilot_usage(Period::D7, Deadline::NONE).await.unwrap_err();
    assert!(error.to_string().contains("Reports.Read.All"), "{error}");
    assert_eq!(graph.requests(), 2);
}

#[tokio::test]
async fn concealed_names_are_noticed() {
    let server = server().await;
    let answer = fixture(&server, 200, "usage-concealed.csv");
    let report = weekly(&server, answer).await.unwrap();
    assert!(report.rows.concealed);
    let told = ApiError::Concealed;
    assert_eq!((told.error_type(), told.passes_by_itself()), ("Concealed", false));
    assert!(told.to_string().contains("Org settings"), "{told}");
}

#[tokio::test]
async fn an_empty_report_has_no_day() {
    for answer in [
        ResponseTemplate::new(200).set_body_string(""),
        ResponseTemplate::new(204),
    ] {
        let server = server().await;
        let report = weekly(&server, answer).await.unwrap();
        assert_eq!((report.rows.refresh_on, report.rows.rows.len()), (None::<Date>, 0));
    }
    let server = server().await;
    let answer = fixture(&server, 200, "usage-empty.csv");
    let report = weekly(&server, answer).await.unwrap();
    assert_eq!((report.rows.refresh_on, report.rows.rows.len()), (None, 0));
}

#[tokio::test]
async fn a_missing_column_is_named_once() {
    let server = server().await;
    let graph = graph(&server);
    at(&server, &v2("D7"), fixture(&server, 200, "usage-without-user.csv")).await;
    let error = graph.copilot_usage(Period::D7, Deadline::NONE).await.unwrap_err();
    assert!(matches!(error, ApiError::Contract { .. }), "{error}");
    assert!(error.to_string().contains("\"User Principal Name\""), "{error}");
    assert_eq!(graph.requests(), 2);
}

#[tokio::test]
async fn a_cut_report_is_read_again_and_never_passes_as_whole() {
    let server = server().await;
    Mock::given(path(v2("D7")))
        .respond_with(fixture(&server, 200, "usage-cut.csv"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let answer = fixture(&server, 200, "usage-v1.csv");
    assert_eq!(weekly(&server, answer).await.unwrap().rows.rows.len(), 2);

    let server = crate::graph::server().await;
    let answer = fixture(&server, 200, "usage-cut.csv");
    let error = weekly(&server, answer).await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { tries: 6, .. }), "{error}");
}

#[tokio::test]
async fn a_download_elsewhere_gets_nothing_of_ours() {
    let server = server().await;
    let blobs = MockServer::start().await;
    at(
        &blobs,
        "/moved",
        ResponseTemplate::new(302).insert_header("location", "/report?sig=s"),
    )
    .await;
    at(&blobs, "/report", fixture(&server, 200, "activity.csv")).await;
    let moved = ResponseTemplate::new(302).insert_header("location", format!("{}/moved?sig=s", blobs.uri()));
    at(
        &server,
        "/v1.0/reports/getOffice365ActiveUserDetail(period='D7')",
        moved,
    )
    .await;
    let graph = graph(&server);
    let report = graph
        .active_users(ActivityOf::LastSevenDays, Deadline::NONE)
        .await
        .unwrap();
    assert_eq!(report.form, ReportForm::CsvV1);
    let row = &report.rows.rows[0];
    assert_eq!(row.upn, "adele.vance@contoso.example");
    assert_eq!(
        (row.exchange_on, row.onedrive_on, row.sharepoint_on, row.teams_on),
        (
            Some(date(2026, 11, 20)),
            Some(date(2026, 11, 18)),
            None,
            Some(date(2026, 11, 19))
        )
    );
    let received = blobs.received_requests().await.unwrap();
    assert_eq!(received.len(), 2);
    for request in received {
        assert!(!request.headers.contains_key("authorization"));
        assert!(!request.headers.contains_key("cookie"));
    }
    let asked = &server.received_requests().await.unwrap()[1];
    assert_eq!(asked.headers["authorization"], "Bearer token");
    let calls = graph.take_calls();
    assert_eq!((calls[1].http_status, calls[1].records), (Some(200), Some(1)));
    assert!(!format!("{calls:?}").contains("sig="));
}

#[tokio::test]
async fn an_expired_download_gets_a_new_address() {
    let server = server().await;
    let blobs = MockServer::start().await;
    at(&blobs, "/new", fixture(&server, 200, "usage-v1.csv")).await;
    at(&blobs, "/old", ResponseTemplate::new(403)).await;
    Mock::given(path(v2("D7")))
        .respond_with(ResponseTemplate::new(302).insert_header("location", format!("{}/old?sig=o", blobs.uri())))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let moved = ResponseTemplate::new(302).insert_header("location", format!("{}/new?sig=n", blobs.uri()));
    assert_eq!(weekly(&server, moved).await.unwrap().rows.rows.len(), 2);
}

#[tokio::test]
async fn a_download_that_is_not_there_or_not_safe_tells_no_address() {
    for (location, expected) in [
        (
            "http://127.0.0.1:1/report?sig=s",
            "no connection to where the download lies",
        ),
        ("http://reports.example/report?sig=s", "not https"),
        ("ftp://127.0.0.1/report?sig=s", "not https"),
    ] {
        let server = server().await;
        let graph = graph(&server);
        at(
            &server,
            &v2("D7"),
            ResponseTemplate::new(302).insert_header("location", location),
        )
        .await;
        let error = graph.copilot_usage(Period::D7, Deadline::NONE).await.unwrap_err();
        let told = format!("{error} {:?}", graph.take_calls());
        assert!(error.to_string().contains(expected), "{location}: {error}");
        assert!(!told.contains("sig=") && !told.contains("reports.example"), "{told}");
    }
}

#[tokio::test]
async fn other_routes_lead_nowhere_else_and_downloads_do_not_lead_on_for_ever() {
    let server = server().await;
    let elsewhere = MockServer::start().await;
    let graph = graph(&server);
    let moved = || ResponseTemplate::new(302).insert_header("location", elsewhere.uri());
    at(&server, "/v1.0/users", moved()).await;
    let error = graph.users_page(None, Deadline::NONE).await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 302, .. }), "{error}");
    assert!(error.to_string().contains("Microsoft Graph refused"), "{error}");
    assert!(elsewhere.received_requests().await.unwrap().is_empty());

    Mock::given(any()).respond_with(moved()).mount(&elsewhere).await;
    at(&server, &v2("D7"), moved()).await;
    let error = graph.copilot_usage(Period::D7, Deadline::NONE).await.unwrap_err();
    assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 6 * 4);
}

#[tokio::test]
async fn active_users_of_a_day_come_as_json_where_there_is_no_download() {
    let server = server().await;
    let day = ActivityOf::Day(date(2026, 11, 19));
    at(
        &server,
        "/v1.0/reports/getOffice365ActiveUserDetail(date=2026-11-19)",
        fixture(&server, 400, "no-segment.json"),
    )
    .await;
    Mock::given(path("/beta/reports/getOffice365ActiveUserDetail(date=2026-11-19)"))
        .and(query_param("$format", "application/json"))
        .respond_with(fixture(&server, 200, "activity.json"))
        .mount(&server)
        .await;
    let report = graph(&server).active_users(day, Deadline::NONE).await.unwrap();
    assert_eq!(report.form, ReportForm::BetaJson);
    assert_eq!(report.rows.rows[0].exchange_on, Some(date(2026, 11, 20)));
    assert_eq!(report.rows.rows[0].onedrive_on, None);
}

#[tokio::test]
async fn whether_names_are_concealed_is_told_where_it_may_be_known() {
    const SETTINGS: &str = "/v1.0/admin/reportSettings";
    for (answer, expected) in [
        (
            ResponseTemplate::new(200).set_body_json(json!({"displayConcealedNames": true})),
            Some(true),
        ),
        (
            ResponseTemplate::new(200).set_body_json(json!({"displayConcealedNames": false})),
            Some(false),
        ),
        (ResponseTemplate::new(200).set_body_json(json!({})), None),
        (ResponseTemplate::new(403), None),
        (ResponseTemplate::new(404), None),
    ] {
        let server = server().await;
        at(&server, SETTINGS, answer).await;
        let told = graph(&server).conceals_names(Deadline::NONE).await.unwrap();
        assert_eq!(told, expected);
    }
}
