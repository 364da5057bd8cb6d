//! `copilot-seats` as a whole: against the simulator's own account, through its faults, and at full size.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::ToSpan;
use uptake_domain::calendar::{Window, start_of, to_seconds};
use uptake_domain::seat::Editor;
use uptake_domain::seats_csv::{COLUMNS, NOT_AVAILABLE};
use uptake_pipeline::outcome::{PipelineError, Status};
use uptake_pipeline::ports::Files;
use uptake_pipeline::quarantine;
use uptake_pipeline::trigger::Trigger;
use uptake_simulator::PersonTruth;
use uptake_upstream::clock::Deadline;

use crate::enterprise::{DAY, Enterprise, identities, morning};

const STORM: &str = include_str!("../../crates/simulator/scenarios/storm.toml");
const PAGE_FAILS: &str = include_str!("../../crates/simulator/scenarios/page-fails-for-good.toml");
const SHIFTING: &str = include_str!("../../crates/simulator/scenarios/shifting-list.toml");
const FORBIDDEN: &str = include_str!("../../crates/simulator/scenarios/missing-permission.toml");
const NO_GRAPHQL: &str = include_str!("../../crates/simulator/scenarios/no-graphql.toml");
const SEATS_ROUTE: &str = "/enterprises/{enterprise}/copilot/billing/seats";

/// The row a person should have, from the simulator's own account.
fn row(login: &str, person: &PersonTruth) -> Vec<String> {
    let known = |text: Option<String>| text.unwrap_or_else(|| NOT_AVAILABLE.to_owned());
    let inert = |cell: String| {
        if cell.starts_with(['=', '+', '-', '@']) {
            format!("'{cell}")
        } else {
            cell
        }
    };
    let editor = person.editor.as_deref().map(Editor::split).unwrap_or_default();
    let teams: Vec<&str> = person.teams.iter().map(String::as_str).collect();
    [
        login.to_owned(),
        known(person.email.clone().or_else(|| person.saml_name_id.clone())),
        known(person.account_created_at.map(to_seconds)),
        known(person.last_activity_at.map(to_seconds)),
        known(editor.name),
        known(editor.version),
        known(editor.plugin),
        known(editor.plugin_version),
        teams.join(";"),
    ]
    .map(inert)
    .into()
}

/// The report and the truth, as sets of rows: the order is the report's own.
async fn report_and_truth(enterprise: &Enterprise) -> (BTreeSet<Vec<String>>, BTreeSet<Vec<String>>) {
    let rows = enterprise.rows(DAY).await.unwrap();
    assert_eq!(rows[0], COLUMNS);
    let truth = enterprise.simulator.truth();
    let expected = truth.people.iter().map(|(login, person)| row(login, person)).collect();
    (rows.into_iter().skip(1).collect(), expected)
}

#[tokio::test]
async fn a_report_holds_exactly_the_people_there_are() {
    let enterprise = Enterprise::healthy(600).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    let truth = enterprise.simulator.truth();
    assert_eq!(outcome.status, Status::Complete);
    assert_eq!(outcome.window, Window::of_day(DAY));
    assert_eq!(outcome.watermark, Some(outcome.window.to));
    assert_eq!(outcome.counts.fetched, 600);
    assert_eq!(outcome.counts.stored, truth.seats);
    assert_eq!(outcome.counts.quarantined, truth.undecodable);
    assert_eq!(outcome.counts.requests, enterprise.simulator.requests().total());
    assert!(
        truth.undecodable > 0 && truth.seats < 600,
        "the data set holds oddities"
    );
    let (report, expected) = report_and_truth(&enterprise).await;
    assert_eq!(report, expected);
}

#[tokio::test]
async fn metrics_equal_the_truth_and_show_no_small_group() {
    let enterprise = Enterprise::healthy(600).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let (metrics, truth) = (enterprise.metrics(DAY).await, enterprise.simulator.truth());
    for (name, expected) in [
        ("Seats", truth.seats),
        ("SeatsActive7Days", truth.active_7_days),
        ("SeatsActive28Days", truth.active_28_days),
        ("SeatsIdle", truth.idle),
        ("SeatsNeverUsed", truth.never_used),
        ("SeatsPendingCancellation", truth.pending_cancellation),
        ("RecordsQuarantined Function=copilot-seats", truth.undecodable),
        ("CollectionsCompleted Function=copilot-seats", 1),
        ("CollectionsIncomplete Function=copilot-seats", 0),
        ("TriggersPastDue Function=copilot-seats", 0),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let expected = expected as f64;
        assert_eq!(metrics.get(name), Some(&expected), "{name}");
    }
    let mut zeros = 0;
    for (slug, team) in &truth.by_team {
        let published = metrics.get(&format!("SeatsActive28Days Team={slug}"));
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let expected = (team.seats == 0 || team.seats >= 5).then_some(team.active_28_days as f64);
        assert_eq!(published, expected.as_ref(), "{slug} with {} seats", team.seats);
        zeros += u32::from(team.seats == 0);
    }
    assert!(zeros > 0, "a team without seats is in the data set");
    assert!(metrics.contains_key("Seats Team=other"));
    let by_editor: f64 = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("Seats Editor="))
        .map(|(_, value)| value)
        .sum();
    assert!(
        (by_editor - metrics["Seats"]).abs() < 0.5,
        "everybody has one editor, or none"
    );
}

#[tokio::test]
async fn a_finished_day_is_left_alone_and_a_person_can_have_it_replaced() {
    let enterprise = Enterprise::healthy(120).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let first = enterprise.rows(DAY).await.unwrap();
    let asked = enterprise.simulator.requests().total();

    let again = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(again.status, Status::NothingToDo);
    assert_eq!(
        enterprise.simulator.requests().total(),
        asked,
        "nothing to do costs no request"
    );

    assert_eq!(enterprise.run_seats(DAY).await.unwrap().status, Status::Complete);
    assert_eq!(
        enterprise.rows(DAY).await.unwrap(),
        first,
        "the same window twice gives the same report"
    );
    let unchanged = enterprise
        .simulator
        .requests()
        .by_status
        .get(&304)
        .copied()
        .unwrap_or_default();
    assert_eq!(
        unchanged, 3,
        "both pages of seats and the page of teams were unchanged and cost nothing"
    );

    enterprise.simulator.set_today(DAY.saturating_add(3.days()));
    enterprise.run_seats(DAY).await.unwrap();
    assert_ne!(
        enterprise.rows(DAY).await.unwrap(),
        first,
        "a second run of the day replaces the report"
    );
}

#[tokio::test]
async fn a_storm_of_passing_faults_changes_nothing() {
    let enterprise = Enterprise::with(1_200, STORM).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    let (report, expected) = report_and_truth(&enterprise).await;
    assert_eq!(report, expected);
    let statuses = enterprise.simulator.requests().by_status;
    assert!(
        statuses.contains_key(&403) && statuses.contains_key(&429) && statuses.contains_key(&502),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_page_that_fails_for_good_gives_an_incomplete_report_and_never_a_complete_one() {
    let enterprise = Enterprise::with(600, PAGE_FAILS).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Incomplete);
    assert_eq!(outcome.counts.fetched, 100);
    assert_eq!(outcome.watermark, None);
    assert!(outcome.stopped_early.unwrap().contains("copilot/billing/seats"));
    assert_eq!(enterprise.rows(DAY).await, None);
    let partial = enterprise
        .text("reports/copilot_billing_seats_2026_11_20.incomplete.csv")
        .await
        .unwrap();
    assert!(partial.lines().count() > 50);
    let metrics = enterprise.metrics(DAY).await;
    assert_eq!(
        metrics.get("Seats"),
        None,
        "a part of the seats is not a number of seats"
    );
    assert_eq!(metrics.get("CollectionsIncomplete Function=copilot-seats"), Some(&1.0));
}

#[tokio::test]
async fn an_incomplete_collection_is_completed_later_and_does_not_harm_a_complete_one() {
    let fails_at_first = format!("{PAGE_FAILS}\ntimes = 5\n");
    let enterprise = Enterprise::with(600, &fails_at_first).await;
    assert_eq!(enterprise.offer_seats(DAY).await.unwrap().status, Status::Incomplete);
    assert_eq!(enterprise.offer_seats(DAY).await.unwrap().status, Status::Complete);
    let (report, expected) = report_and_truth(&enterprise).await;
    assert_eq!(report, expected);
    assert_eq!(
        enterprise
            .text("reports/copilot_billing_seats_2026_11_20.incomplete.csv")
            .await,
        None
    );

    let mut enterprise = Enterprise::healthy(600).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let complete = enterprise.rows(DAY).await;
    enterprise.set("UPTAKE_GITHUB_API_URL", "http://127.0.0.1:9");
    let outcome = enterprise.run_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Incomplete);
    assert_eq!(enterprise.rows(DAY).await, complete, "the complete report stays");
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_again() {
    let enterprise = Enterprise::with(600, SHIFTING).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(
        enterprise.simulator.requests().of(SEATS_ROUTE) >= 12,
        "the list was read twice"
    );
    let (report, expected) = report_and_truth(&enterprise).await;
    assert_eq!(report, expected);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let enterprise = Enterprise::with(60, FORBIDDEN).await;
    let error = enterprise.offer_seats(DAY).await.unwrap_err();
    assert_eq!(error.error_type(), "Permission");
    assert!(error.to_string().contains("manage_billing:copilot"), "{error}");

    let mut enterprise = Enterprise::healthy(60).await;
    enterprise.set("UPTAKE_GITHUB_TOKEN", "expired");
    let error = enterprise.offer_seats(DAY).await.unwrap_err();
    assert_eq!(error.error_type(), "Credentials");

    let teams_only = "[[fault]]\nroute = \"/enterprises/{enterprise}/teams\"\nevery = 1\nkind = \"forbidden\"\n";
    let enterprise = Enterprise::with(60, teams_only).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Incomplete);
    assert!(outcome.stopped_early.unwrap().contains("read:enterprise"));
}

#[tokio::test]
async fn without_graphql_or_saml_the_report_still_comes() {
    let enterprise = Enterprise::with(60, NO_GRAPHQL).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(
        outcome.notes.iter().any(|note| note.contains("one by one")),
        "{:?}",
        outcome.notes
    );

    let enterprise = Enterprise::with(60, "saml = \"forbidden\"").await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Complete);
    assert!(
        outcome.notes.iter().any(|note| note.contains("read:enterprise")),
        "{:?}",
        outcome.notes
    );
    for (login, person) in enterprise.simulator.truth().people {
        let rows = enterprise.rows(DAY).await.unwrap();
        let row = rows.iter().find(|row| row[0] == login).unwrap();
        assert_eq!(row[1], person.email.unwrap_or_else(|| NOT_AVAILABLE.to_owned()));
    }
}

#[tokio::test]
async fn an_app_reads_organisations_through_expiring_tokens() {
    let mut enterprise = Enterprise::with(600, "app_token_seconds = 1").await;
    enterprise.ask_as_app("octo-org,octo-labs");
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    let requests = enterprise.simulator.requests();
    assert!(
        requests.of("/app/installations/{id}/access_tokens") >= 2,
        "{requests:?}"
    );
    let rows = enterprise.rows(DAY).await.unwrap();
    let logins: BTreeSet<&String> = rows.iter().skip(1).map(|row| &row[0]).collect();
    assert_eq!(
        logins.len(),
        rows.len() - 1,
        "one row a person, also across organisations"
    );
}

#[tokio::test]
async fn a_filter_reports_its_teams_and_nobody_else() {
    let mut enterprise = Enterprise::healthy(300).await;
    let truth = enterprise.simulator.truth();
    let (slug, team) = truth.by_team.iter().max_by_key(|(_, team)| team.seats).unwrap();
    enterprise.set("UPTAKE_TEAMS", &format!("{slug},no-such-team"));
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(outcome.counts.stored, team.seats);
    assert!(
        outcome.notes.iter().any(|note| note.contains("no-such-team")),
        "{:?}",
        outcome.notes
    );
    let rows = enterprise.rows(DAY).await.unwrap();
    assert!(
        rows.iter().skip(1).all(|row| row[8] == *slug),
        "only teams of the filter are listed"
    );
    let teams: Vec<String> = enterprise
        .metrics(DAY)
        .await
        .into_keys()
        .filter(|name| name.contains("Team="))
        .collect();
    assert!(
        teams.iter().all(|name| name.ends_with(&format!("={slug}"))),
        "{teams:?}"
    );
}

#[tokio::test]
async fn a_record_that_does_not_decode_is_kept_with_its_bytes_once() {
    let enterprise = Enterprise::healthy(120).await;
    for _ in 0..2 {
        enterprise.run_seats(DAY).await.unwrap();
    }
    let kept = quarantine::read(&enterprise.folder, &quarantine::key("copilot-seats", DAY))
        .await
        .unwrap();
    assert_eq!(kept.len() as u64, enterprise.simulator.truth().undecodable);
    for record in kept {
        let bytes: serde_json::Value = serde_json::from_str(&record.record).unwrap();
        assert!(bytes.get("assignee").is_some(), "{}", record.record);
        assert!(!record.error.is_empty());
    }
}

/// A GitHub with no team and one page of seats, whatever it says.
async fn github_that_lists(page: serde_json::Value) -> String {
    let app = axum::Router::new()
        .route("/enterprises/{enterprise}/teams", axum::routing::get(|| async { "[]" }))
        .route(
            "/enterprises/{enterprise}/copilot/billing/seats",
            axum::routing::get(|| async { axum::Json(page) }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Ids written as text from one day to the next: when every seat is odd, none of them is.
#[tokio::test]
async fn seats_that_nobody_understands_any_more_are_no_report_of_zero_seats() {
    let mut enterprise = Enterprise::healthy(60).await;
    let seat = |id: u32| serde_json::json!({"assignee": {"id": id.to_string(), "login": "octocat"}});
    let seats: Vec<_> = (0..30).map(seat).collect();
    let page = serde_json::json!({"total_seats": 30, "seats": seats});
    enterprise.set("UPTAKE_GITHUB_API_URL", &github_that_lists(page).await);
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!((outcome.status, outcome.counts.quarantined), (Status::Incomplete, 30));
    assert!(
        outcome
            .stopped_early
            .unwrap()
            .contains("30 of 30 seats could not be understood")
    );
    assert_eq!(enterprise.metrics(DAY).await.get("Seats"), None);
}

/// A page that tells of more people than it lists, and of no page after it.
#[tokio::test]
async fn a_list_that_is_too_short_for_its_own_total_is_incomplete() {
    let mut enterprise = Enterprise::healthy(60).await;
    let seats = serde_json::json!({"total_seats": 5_000, "seats": [{"assignee": {"id": 1, "login": "octocat"}}]});
    enterprise.set("UPTAKE_GITHUB_API_URL", &github_that_lists(seats).await);
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!((outcome.status, outcome.watermark), (Status::Incomplete, None));
    assert!(outcome.stopped_early.unwrap().contains("not whole"));
}

#[tokio::test]
async fn a_failed_collection_is_counted() {
    let enterprise = Enterprise::with(60, FORBIDDEN).await;
    enterprise.offer_seats(DAY).await.unwrap_err();
    let metrics = enterprise.metrics(DAY).await;
    assert_eq!(metrics.get("CollectionsCompleted Function=copilot-seats"), Some(&0.0));
    assert_eq!(metrics.get("TriggersPastDue Function=copilot-seats"), Some(&0.0));
}

#[tokio::test]
async fn a_filter_of_no_team_there_is_says_so() {
    let mut enterprise = Enterprise::healthy(60).await;
    enterprise.set("UPTAKE_TEAMS", "no-such-team");
    let error = enterprise.offer_seats(DAY).await.unwrap_err();
    assert!(
        error.is_configuration() && error.to_string().contains("UPTAKE_TEAMS"),
        "{error}"
    );
}

/// An invocation that began before and ends after another one: what it could not read must not undo what that one did.
#[tokio::test]
async fn a_slow_failure_does_not_undo_a_complete_report() {
    let enterprise = Enterprise::healthy(120).await;
    let complete = enterprise.offer_seats(DAY);
    let dead_end = {
        let config = {
            let mut other = Enterprise::healthy(10).await;
            other.set("UPTAKE_GITHUB_API_URL", "http://127.0.0.1:9");
            other.seats_config()
        };
        enterprise.collect_with(config)
    };
    let (failed, complete) = tokio::join!(dead_end, complete);
    assert_eq!(complete.unwrap().status, Status::Complete);
    let failed = failed.unwrap();
    assert_eq!(failed.status, Status::Incomplete);
    assert!(
        failed.notes.iter().any(|note| note.contains("stays")),
        "{:?}",
        failed.notes
    );
    assert!(enterprise.rows(DAY).await.is_some());
    assert_eq!(enterprise.offer_seats(DAY).await.unwrap().status, Status::NothingToDo);
}

#[tokio::test]
async fn a_day_that_has_not_begun_is_not_done_by_a_report() {
    let enterprise = Enterprise::healthy(60).await;
    let tomorrow = DAY.saturating_add(1.day());
    let clock = crate::enterprise::Standing(morning(DAY));
    let early = enterprise
        .collect_at(&clock, &Trigger::at(morning(tomorrow)))
        .await
        .unwrap();
    assert_eq!((early.status, early.watermark), (Status::Complete, None));
    assert!(early.notes[0].contains("has not begun"), "{:?}", early.notes);
    assert_eq!(enterprise.offer_seats(tomorrow).await.unwrap().status, Status::Complete);
}

#[tokio::test]
async fn a_small_group_that_ends_is_not_named_by_its_zero() {
    let mut enterprise = Enterprise::healthy(60).await;
    let page = |editors: &[(&str, u32)]| {
        let editors = editors
            .iter()
            .flat_map(|(editor, people)| std::iter::repeat_n(*editor, *people as usize));
        let seat = |(id, editor): (u32, &str)| serde_json::json!({"assignee": {"id": id, "login": format!("octocat-{id}")}, "last_activity_editor": editor});
        let seats: Vec<_> = (1..).zip(editors).map(seat).collect();
        serde_json::json!({"total_seats": seats.len(), "seats": seats})
    };
    let next = DAY.saturating_add(1.day());
    for (day, editors) in [
        (DAY, [("vscode/1", 6), ("vim/9", 5), ("rare/1", 2)]),
        (next, [("vscode/1", 6), ("vim/9", 0), ("rare/1", 0)]),
    ] {
        enterprise.set("UPTAKE_GITHUB_API_URL", &github_that_lists(page(&editors)).await);
        enterprise.offer_seats(day).await.unwrap();
    }
    let metrics = enterprise.metrics(next).await;
    assert_eq!(
        metrics.get("Seats Editor=vim"),
        Some(&0.0),
        "it was shown, so it ends with a zero"
    );
    assert_eq!(
        metrics.get("Seats Editor=rare"),
        None,
        "it was never shown, and its end does not name it"
    );
    assert_eq!(
        metrics.get("Seats Editor=other"),
        Some(&0.0),
        "where it was shown ends with a zero"
    );
}

/// Day by day: the permission is missing, is still missing, and is there.
#[tokio::test]
async fn what_a_missing_permission_kept_back_costs_one_request_a_day_until_it_is_there() {
    let mut enterprise = Enterprise::with(600, "saml = \"forbidden\"").await;
    enterprise.offer_seats(DAY).await.unwrap();
    let [second, third] = [1, 2].map(|days| DAY.saturating_add(days.days()));
    enterprise.simulator.set_today(second);
    let still_missing = enterprise.offer_seats(second).await.unwrap();
    assert!(still_missing.notes.iter().any(|note| note.contains("read:enterprise")));
    let changed_people = 2;
    assert!(
        still_missing.counts.requests <= 6 + 1 + 1 + changed_people,
        "{still_missing:?}"
    );

    let granted = Enterprise::healthy(600).await;
    granted.simulator.set_today(third);
    enterprise.set("UPTAKE_GITHUB_API_URL", &granted.simulator.url());
    enterprise.offer_seats(third).await.unwrap();
    let rows = enterprise.rows(third).await.unwrap();
    for (login, person) in granted.simulator.truth().people {
        let row = rows.iter().find(|row| row[0] == login).unwrap();
        let address = person
            .email
            .or(person.saml_name_id)
            .unwrap_or_else(|| NOT_AVAILABLE.to_owned());
        assert_eq!(row[1], address, "{login}");
    }
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let enterprise = Enterprise::healthy(60).await;
    let before = enterprise.folder.list("").await.unwrap();
    let trigger = Trigger {
        dry_run: true,
        ..Trigger::at(morning(DAY))
    };
    let outcome = enterprise.collect_seats(&trigger).await.unwrap();
    assert_eq!((outcome.status, outcome.counts.stored), (Status::Complete, 0));
    assert_eq!(outcome.watermark, None);
    assert_eq!(enterprise.folder.list("").await.unwrap(), before);
}

#[tokio::test]
async fn a_filter_set_later_does_not_report_other_teams_as_empty() {
    let mut enterprise = Enterprise::healthy(300).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let (slug, _) = enterprise
        .simulator
        .truth()
        .by_team
        .into_iter()
        .max_by_key(|(_, team)| team.seats)
        .unwrap();
    enterprise.set("UPTAKE_TEAMS", &slug);
    let next = DAY.saturating_add(1.day());
    enterprise.simulator.set_today(next);
    enterprise.offer_seats(next).await.unwrap();
    let teams: Vec<String> = enterprise
        .metrics(next)
        .await
        .into_keys()
        .filter(|name| name.contains("Team="))
        .collect();
    assert!(
        teams
            .iter()
            .all(|name| name.ends_with(&format!("={slug}")) || name.ends_with("=other")),
        "{teams:?}"
    );
}

#[tokio::test]
async fn a_late_trigger_is_noticed_and_the_gap_is_told() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let later = DAY.saturating_add(3.days());
    let late = crate::enterprise::Standing(morning(later) + jiff::SignedDuration::from_mins(61));
    let outcome = enterprise
        .collect_at(&late, &Trigger::at(morning(later)))
        .await
        .unwrap();
    assert!(outcome.past_due);
    assert!(
        outcome.notes[0].contains("2026-11-21, 2026-11-22"),
        "{:?}",
        outcome.notes
    );
    assert_eq!(
        enterprise.metrics(later).await["TriggersPastDue Function=copilot-seats"],
        1.0
    );
}

#[tokio::test]
async fn an_older_day_does_not_move_the_watermark_back() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let older = enterprise.offer_seats(DAY.saturating_sub(2.days())).await.unwrap();
    assert_eq!(older.status, Status::Complete);
    assert_eq!(older.watermark, Some(start_of(DAY.saturating_add(1.day()))));
}

#[tokio::test]
async fn two_invocations_at_once_give_one_report() {
    let enterprise = Enterprise::healthy(300).await;
    let (one, two) = tokio::join!(enterprise.offer_seats(DAY), enterprise.offer_seats(DAY));
    assert_eq!(
        (one.unwrap().status, two.unwrap().status),
        (Status::Complete, Status::Complete)
    );
    let (report, expected) = report_and_truth(&enterprise).await;
    assert_eq!(report, expected);
}

#[tokio::test]
async fn what_a_deadline_cut_is_resumed() {
    let mut enterprise = Enterprise::with(3_000, "latency_ms = 40").await;
    enterprise.deadline = Deadline::within(Duration::from_millis(260));
    let cut = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(cut.status, Status::Incomplete, "{cut:?}");
    enterprise.deadline = Deadline::NONE;
    assert_eq!(enterprise.offer_seats(DAY).await.unwrap().status, Status::Complete);
    let (report, expected) = report_and_truth(&enterprise).await;
    assert_eq!(report, expected);
    assert!(
        enterprise.simulator.requests().by_status[&304] > 0,
        "pages read before the deadline cost nothing"
    );
}

#[tokio::test]
async fn damaged_copies_cost_requests_and_nothing_else() {
    let enterprise = Enterprise::healthy(120).await;
    enterprise.offer_seats(DAY).await.unwrap();
    for key in [
        "state/copilot-seats/pages.jsonl.zst",
        "state/copilot-seats/accounts.jsonl.zst",
    ] {
        enterprise.folder.write(key, "damaged".into()).await.unwrap();
    }
    assert_eq!(enterprise.run_seats(DAY).await.unwrap().status, Status::Complete);
    enterprise
        .folder
        .write("state/reports/copilot-seats/2026-11-20.json", "damaged".into())
        .await
        .unwrap();
    let error = enterprise.run_seats(DAY).await.unwrap_err();
    assert!(matches!(error, PipelineError::State { .. }), "{error}");
}

#[tokio::test]
async fn no_person_is_in_a_metric_or_an_answer() {
    let enterprise = Enterprise::with(600, STORM).await;
    let outcome = enterprise.offer_seats(DAY).await.unwrap();
    let mut told = serde_json::json!(outcome).to_string();
    for key in enterprise.folder.list("cloudwatch/").await.unwrap() {
        told += &enterprise.text(&key).await.unwrap();
    }
    assert!(told.len() > 10_000);
    for identity in identities(&enterprise.simulator) {
        assert!(!told.contains(&identity), "{identity}");
    }
}

/// The promise of the issue, in requests: 50,000 seats on the first day, and on the next.
#[tokio::test]
async fn fifty_thousand_seats_fit_the_request_budget() {
    // The two days pass within a minute, which GitHub's limit of points a minute does not foresee.
    let enterprise = Enterprise::with(50_000, "secondary_limit = 5000").await;
    let first = enterprise.offer_seats(DAY).await.unwrap();
    assert_eq!(first.status, Status::Complete);
    assert!(
        first.counts.requests <= 1_050,
        "{} requests on the first day",
        first.counts.requests
    );
    let next_day = DAY.saturating_add(1.day());
    enterprise.simulator.set_today(next_day);
    let next = enterprise.offer_seats(next_day).await.unwrap();
    assert_eq!(next.status, Status::Complete);
    assert!(
        next.counts.requests <= 550,
        "{} requests on the next day",
        next.counts.requests
    );
    let truth = enterprise.simulator.truth();
    assert_eq!(next.counts.stored, truth.seats);
    let by_email: BTreeMap<String, String> = enterprise
        .rows(next_day)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    for (login, person) in truth.people {
        let email = person
            .email
            .or(person.saml_name_id)
            .unwrap_or_else(|| NOT_AVAILABLE.to_owned());
        assert_eq!(by_email.get(&login), Some(&email));
    }
}
