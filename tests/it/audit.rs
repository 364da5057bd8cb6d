//! The audit log of a tenant: every event that was served is in the tables once, whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use uptake_domain::calendar::{Window, day_of, start_of};
use uptake_domain::tables::{
    GOLD_AUDIT_EVENTS, GOLD_AUDIT_LOG, GOLD_AUDIT_SUMMARY, GOLD_DQ_RESULTS, SILVER_AUDIT_EVENTS, SILVER_REJECTED,
};
use uptake_pipeline::outcome::Status;
use uptake_pipeline::ports::Files;
use uptake_pipeline::trigger::Trigger;
use uptake_simulator::AuditTruth;

use crate::tenant::{FIRST_DAY, Tenant};

/// A row of `silver_audit_events`, as far as tests look.
#[expect(clippy::struct_field_names, reason = "columns are called so")]
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Event {
    pub(crate) event_id: String,
    pub(crate) event_at: Timestamp,
    pub(crate) event_on: Date,
    pub(crate) upn: String,
    pub(crate) app: String,
    pub(crate) app_host: Option<String>,
    pub(crate) agent_id: Option<String>,
    pub(crate) prompts: u64,
    pub(crate) web_search: bool,
    pub(crate) user_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct InDepartment {
    event_id: String,
    user_id: Option<String>,
    department: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Summary {
    day: Date,
    upn: String,
    app: String,
    events: u64,
    prompts: u64,
    agent_events: u64,
}

#[derive(Deserialize)]
struct Rejected {
    source: String,
    record: String,
}

#[derive(Deserialize)]
struct Entry {
    function: String,
    operation: String,
    target: String,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Checked {
    table_name: String,
    check_name: String,
    status: String,
}

/// More than a search takes here.
const PATIENT: Duration = Duration::from_mins(1);

pub(crate) fn at(day: Date, hour: i64) -> Timestamp {
    start_of(day) + SignedDuration::from_hours(hour)
}

/// Compares the tables with what was served in content created up to an instant.
pub(crate) async fn check_events(tenant: &Tenant, until: Timestamp) -> Vec<Event> {
    let events: Vec<Event> = tenant.read(&SILVER_AUDIT_EVENTS).await;
    let by_id: BTreeMap<&str, &Event> = events.iter().map(|event| (event.event_id.as_str(), event)).collect();
    assert_eq!(by_id.len(), events.len(), "no event twice");
    let served: Vec<AuditTruth> = tenant.simulator.audit_events(until);
    let missing: Vec<&AuditTruth> = served
        .iter()
        .filter(|truth| !by_id.contains_key(truth.event_id.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} are missing: {:?}",
        missing.len(),
        served.len(),
        &missing[..missing.len().min(3)]
    );
    for truth in &served {
        let event = by_id[truth.event_id.as_str()];
        assert_eq!(event.event_at, truth.event_at, "{truth:?}");
        assert_eq!(event.event_on, day_of(truth.event_at), "{truth:?}");
        assert_eq!(event.upn, truth.upn, "{truth:?}");
        assert_eq!(event.app_host.as_deref(), Some(truth.app_host.as_str()), "{truth:?}");
        assert_eq!(event.agent_id, truth.agent_id, "{truth:?}");
        assert_eq!(
            (event.prompts, event.web_search),
            (truth.prompts, truth.web_search),
            "{truth:?}"
        );
        if let Some(user_id) = &event.user_id {
            assert_eq!(*user_id, truth.user_id, "{truth:?}");
        }
    }
    assert_eq!(events.len(), served.len(), "nothing that was not served");

    let gold: Vec<InDepartment> = tenant.read(&GOLD_AUDIT_EVENTS).await;
    let ids: BTreeSet<&str> = gold.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!((ids.len(), gold.len()), (events.len(), events.len()));
    assert!(
        gold.iter()
            .all(|event| by_id[event.event_id.as_str()].user_id == event.user_id)
    );
    assert!(gold.iter().any(|event| event.department.is_some()) || gold.iter().all(|event| event.user_id.is_none()));

    let mut expected: BTreeMap<(Date, &str, &str), (u64, u64, u64)> = BTreeMap::new();
    for event in &events {
        let figures = expected.entry((event.event_on, &event.upn, &event.app)).or_default();
        figures.0 += 1;
        figures.1 += event.prompts;
        figures.2 += u64::from(event.agent_id.is_some());
    }
    let mut summaries: Vec<Summary> = tenant.read(&GOLD_AUDIT_SUMMARY).await;
    summaries.sort();
    let expected: Vec<Summary> = expected
        .into_iter()
        .map(|((day, upn, app), (events, prompts, agent_events))| Summary {
            day,
            upn: upn.to_owned(),
            app: app.to_owned(),
            events,
            prompts,
            agent_events,
        })
        .collect();
    assert_eq!(summaries, expected);
    events
}

/// Throttling, outages, bodies that break off.
pub(crate) const FEED_FAULTS: &str = r#"
[[fault]]
route = "/api/v1.0/{tenant}/activity/feed/audit/{content_id}"
every = 13
kind = "server_error"
status = 503

[[fault]]
route = "/api/v1.0/{tenant}/activity/feed/audit/{content_id}"
every = 17
kind = "cut_json"

[[fault]]
route = "/api/v1.0/{tenant}/activity/feed/subscriptions/content"
every = 5
kind = "truncated_body"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_a_fortnight_is_stored_once_however_it_comes() {
    let scenario =
        format!("duplicate_events_percent = 20\nlate_events_percent = 10\naudit_blobs_per_page = 4\n{FEED_FAULTS}");
    let tenant = Tenant::with(40, 3, &scenario).await;
    let mut until = at(FIRST_DAY, 0);
    for (index, day) in tenant.days(14).enumerate() {
        tenant.offer_usage(day).await.unwrap();
        // On some days the function does not run at all, on others it runs twice in an hour.
        for hour in [5, 6, 17] {
            if index % 5 == 3 {
                continue;
            }
            until = at(day, hour);
            let outcome = tenant.offer_audit(until).await.unwrap();
            assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
            assert_eq!(outcome.watermark, Some(until));
            let again = tenant.offer_audit(until).await.unwrap();
            assert_eq!(again.status, Status::NothingToDo, "{again:?}");
        }
    }
    let events = check_events(&tenant, until).await;
    assert!(events.len() > 1_000, "{}", events.len());
    let counts = tenant.simulator.audit_counts(until);
    let served = tenant.simulator.audit_events(until);
    assert!(served.iter().any(|event| event.copies > 1), "duplicates were served");
    assert!(
        served
            .iter()
            .any(|event| day_of(event.first_created_at) > day_of(event.event_at).tomorrow().unwrap())
    );
    assert_eq!(tenant.simulator.requests().without_publisher, 0);

    let rejected: Vec<Rejected> = tenant.read(&SILVER_REJECTED).await;
    let records: BTreeSet<String> = rejected
        .into_iter()
        .filter(|row| row.source == "audit_events")
        .map(|row| row.record)
        .collect();
    assert!(counts.undecodable > 0 && !records.is_empty() && records.len() as u64 <= counts.undecodable);

    // Asked for again, a day is read again and nothing changes.
    let before: Vec<Event> = tenant.read(&SILVER_AUDIT_EVENTS).await;
    let again = Trigger {
        replace: true,
        ..Trigger::at(until)
    };
    let outcome = tenant.collect_audit(&again).await.unwrap();
    assert_eq!(
        (outcome.status, outcome.counts.stored),
        (Status::Complete, 0),
        "{outcome:?}"
    );
    assert!(outcome.counts.fetched > 0);
    assert_eq!(tenant.read::<Event>(&SILVER_AUDIT_EVENTS).await.len(), before.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_is_traced_and_checked_without_a_name() {
    let tenant = Tenant::calm(40).await;
    tenant.offer_usage(FIRST_DAY).await.unwrap();
    tenant.offer_audit(at(FIRST_DAY, 12)).await.unwrap();
    let log: Vec<Entry> = tenant.read(&GOLD_AUDIT_LOG).await;
    let own: Vec<&Entry> = log.iter().filter(|entry| entry.function == "audit-events").collect();
    for target in [
        "silver_audit_events",
        "gold_copilot_audit_events",
        "gold_copilot_audit_summary",
    ] {
        assert!(
            own.iter()
                .any(|entry| entry.operation == "TABLE_WRITE" && entry.target == target),
            "{target}"
        );
    }
    assert!(
        own.iter()
            .any(|entry| entry.operation == "API_CALL" && entry.target.contains("/activity/feed/"))
    );
    let people = tenant.simulator.identities();
    let is_named = |text: &str| {
        people
            .iter()
            .any(|person| person.len() > 6 && text.contains(person.as_str()))
    };
    assert!(
        own.iter()
            .all(|entry| !is_named(&entry.target) && !is_named(entry.error.as_deref().unwrap_or_default()))
    );
    let checks: Vec<Checked> = tenant.read(&GOLD_DQ_RESULTS).await;
    let own: Vec<&Checked> = checks
        .iter()
        .filter(|check| check.table_name == SILVER_AUDIT_EVENTS.name)
        .collect();
    for name in ["row_count", "null_percent_user_id", "freshness"] {
        assert!(
            own.iter()
                .any(|check| check.check_name == name && check.status == "PASS"),
            "{name}"
        );
    }
    // Bytes as they came, of what was looked for alone.
    let keys = tenant.folder.list("bronze/audit_events/").await.unwrap();
    let mut kept = 0;
    for key in keys {
        let bytes = tenant.folder.read(&key).await.unwrap().unwrap().bytes;
        let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
        assert!(text.lines().all(|line| line.contains("CopilotInteraction")), "{key}");
        kept += text.lines().count();
    }
    let events: Vec<Event> = tenant.read(&SILVER_AUDIT_EVENTS).await;
    assert!(kept >= events.len() && kept > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_expired_is_told_as_lost_and_not_waited_for() {
    let tenant = Tenant::calm(30).await;
    tenant.simulator.set_today(FIRST_DAY);
    tenant.offer_audit(at(FIRST_DAY, 12)).await.unwrap();
    let back = FIRST_DAY.saturating_add(20.days());
    tenant.simulator.set_today(back);
    let outcome = tenant.offer_audit(at(back, 12)).await.unwrap();
    assert_eq!(outcome.status, Status::Incomplete);
    let told = outcome.stopped_early.unwrap();
    assert!(told.contains("uptake backfill audit-events"), "{told}");
    assert_eq!(
        outcome.watermark,
        Some(at(back, 12)),
        "what cannot be had is not waited for"
    );
    let next = tenant.offer_audit(at(back, 13)).await.unwrap();
    assert_eq!(next.status, Status::Complete, "{next:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_without_a_subscription_is_told_how_to_start_one() {
    let tenant = Tenant::with(30, 7, "audit_subscription = \"absent\"").await;
    tenant.simulator.set_today(FIRST_DAY);
    let error = tenant.offer_audit(at(FIRST_DAY, 12)).await.unwrap_err();
    assert_eq!(error.error_type(), "Subscription");
    assert!(error.to_string().contains("uptake subscription start"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_feed_lists_no_more_comes_from_a_search_of_the_audit_log() {
    let tenant = Tenant::with(30, 7, "audit_query_polls = 3").await;
    tenant.simulator.set_today(FIRST_DAY);
    tenant.offer_usage(FIRST_DAY).await.unwrap();
    let later = FIRST_DAY.saturating_add(25.days());
    tenant.simulator.set_today(later);
    let window = Window::of_days(FIRST_DAY, FIRST_DAY.saturating_add(2.days()));
    let outcome = tenant.backfill_audit(window, at(later, 12), PATIENT).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert_eq!(outcome.watermark, None, "the watermark is the feed's");
    let stored: Vec<Event> = tenant.read(&SILVER_AUDIT_EVENTS).await;
    let stored: BTreeSet<String> = stored.into_iter().map(|event| event.event_id).collect();
    let served = tenant.simulator.audit_events(tenant.simulator.now());
    let expected: BTreeSet<String> = served
        .into_iter()
        .filter(|event| window.contains(event.event_at))
        .map(|event| event.event_id)
        .collect();
    assert!(expected.len() > 50, "{}", expected.len());
    assert_eq!(stored, expected);
    let again = tenant.backfill_audit(window, at(later, 13), PATIENT).await.unwrap();
    assert_eq!((again.status, again.counts.stored), (Status::Complete, 0), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_takes_too_long_goes_on_with_the_same_command() {
    let tenant = Tenant::with(30, 7, "audit_query = \"never\"").await;
    tenant.simulator.set_today(FIRST_DAY);
    let window = Window::of_day(FIRST_DAY);
    let asked = |tenant: &Tenant| tenant.simulator.requests().of("/v1.0/security/auditLog/queries");
    for _ in 0..2 {
        let outcome = tenant
            .backfill_audit(window, at(FIRST_DAY, 12), Duration::from_secs(3))
            .await
            .unwrap();
        assert_eq!(outcome.status, Status::Incomplete);
        assert!(
            outcome
                .stopped_early
                .unwrap()
                .contains("the same command goes on with it")
        );
    }
    assert_eq!(asked(&tenant), 1, "one search");
    let tenant = Tenant::with(30, 7, "audit_query = \"failed\"").await;
    tenant.simulator.set_today(FIRST_DAY);
    let outcome = tenant.backfill_audit(window, at(FIRST_DAY, 12), PATIENT).await.unwrap();
    assert!(outcome.stopped_early.unwrap().contains("begins another one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_microsoft_has_dropped_is_begun_anew_by_the_same_command() {
    // Another process has begun it long ago; or it is dropped while its records are read.
    let dropped =
        "[[fault]]\nroute = \"/v1.0/security/auditLog/queries/{query_id}/records\"\non = [2]\nkind = \"not_found\"";
    for (scenario, is_old) in [("", true), (dropped, false)] {
        let tenant = Tenant::with(30, 7, scenario).await;
        tenant.simulator.set_today(FIRST_DAY);
        let window = Window::of_days(FIRST_DAY.saturating_sub(5.days()), FIRST_DAY);
        let now = at(FIRST_DAY, 20);
        if is_old {
            let search = r#"{"id": "v1.0/11111111-2222-3333-4444-555555555555", "begun_at": "2026-06-01T08:00:00Z"}"#;
            let key = format!("state/audit-events/searches/{}_{}.json", window.from, window.to);
            tenant.folder.write(&key, search.into()).await.unwrap();
        }
        let outcome = tenant.backfill_audit(window, now, PATIENT).await.unwrap();
        assert_eq!(outcome.status, Status::Incomplete, "{outcome:?}");
        let told = outcome.stopped_early.unwrap();
        let begun_at = if is_old {
            "2026-06-01T08:00:00Z".to_owned()
        } else {
            now.to_string()
        };
        assert!(
            told.contains(&begun_at) && told.contains("the same command begins another one"),
            "{told}"
        );
        let again = tenant.backfill_audit(window, now, PATIENT).await.unwrap();
        assert_eq!(again.status, Status::Complete, "{again:?}");
        assert!(!tenant.read::<Event>(&SILVER_AUDIT_EVENTS).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_went_silent_is_told_by_the_checks() {
    let tenant = Tenant::calm(40).await;
    tenant.simulator.set_today(FIRST_DAY);
    tenant.offer_usage(FIRST_DAY).await.unwrap();
    tenant.offer_audit(at(FIRST_DAY, 12)).await.unwrap();
    // Of the days after, nothing is looked for that anybody does.
    let mut tenant = tenant;
    tenant.set("UPTAKE_AUDIT_OPERATIONS", "NothingThatHappens");
    let later = FIRST_DAY.saturating_add(4.days());
    tenant.simulator.set_today(later);
    let outcome = tenant.offer_audit(at(later, 12)).await.unwrap();
    assert_eq!(outcome.counts.fetched, 0, "{outcome:?}");
    let checks: Vec<Checked> = tenant.read(&GOLD_DQ_RESULTS).await;
    let fresh = |status: &str| {
        let own = checks
            .iter()
            .filter(|check| check.table_name == SILVER_AUDIT_EVENTS.name && check.check_name == "freshness");
        own.filter(|check| check.status == status).count()
    };
    assert_eq!((fresh("PASS"), fresh("WARN")), (1, 1));
}
