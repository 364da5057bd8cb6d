//! `m365-usage` and `scoring` when something is wrong: with the upstream, with the data, with the store.

use std::collections::BTreeSet;
use std::fs;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde::Deserialize;
use serde_json::Value;
use uptake_domain::tables::{
    self, GOLD_COPILOT_USAGE, GOLD_DQ_RESULTS, GOLD_LICENSE_SUMMARY, GOLD_USAGE_SCORES, SILVER_COPILOT_USAGE,
    SILVER_REJECTED, SILVER_USERS, Table,
};
use uptake_lake::Filter;
use uptake_pipeline::outcome::Status;
use uptake_pipeline::ports::Files;
use uptake_pipeline::trigger::Trigger;

use crate::odd_reports;
use crate::tenant::{FIRST_DAY, ScoredLicense, Snapshot, Tenant, evening};

fn day(number: i32) -> Date {
    FIRST_DAY.saturating_add((number - 1).days())
}

/// Whole days, from one to another.
async fn run_days(tenant: &Tenant, from: i32, to: i32) {
    for number in from..=to {
        tenant.simulator.set_today(day(number));
        let collected = tenant.offer_usage(day(number)).await.unwrap();
        assert_eq!(collected.status, Status::Complete, "{number}: {collected:?}");
        let scored = tenant.offer_scoring(day(number)).await.unwrap();
        assert_eq!(scored.status, Status::Complete, "{number}: {scored:?}");
    }
}

/// The rows of a table without who wrote them when, in an order of their own.
async fn content(tenant: &Tenant, table: &'static Table) -> BTreeSet<String> {
    let columns = table.column_names();
    let rows: Vec<std::collections::BTreeMap<String, Value>> =
        tenant.lake().read(table, &columns, &Filter::All).await.unwrap();
    rows.iter().map(|row| serde_json::json!(row).to_string()).collect()
}

/// Everything that says something about people: not the checks and the log, which tell of collections.
const ABOUT_PEOPLE: [&Table; 7] = [
    &SILVER_USERS,
    &tables::SILVER_USER_LICENSES,
    &SILVER_COPILOT_USAGE,
    &tables::SILVER_M365_ACTIVITY,
    &GOLD_LICENSE_SUMMARY,
    &GOLD_COPILOT_USAGE,
    &GOLD_USAGE_SCORES,
];

async fn everything(tenant: &Tenant) -> Vec<BTreeSet<String>> {
    let mut all = Vec::new();
    for table in ABOUT_PEOPLE {
        all.push(content(tenant, table).await);
    }
    all
}

#[derive(Debug, Deserialize)]
struct CheckRow {
    check_on: Date,
    check_name: String,
    status: String,
    details: String,
}

async fn check(tenant: &Tenant, on: Date, name: &str) -> Vec<CheckRow> {
    let rows: Vec<CheckRow> = tenant.read(&GOLD_DQ_RESULTS).await;
    rows.into_iter()
        .filter(|row| row.check_on == on && row.check_name == name)
        .collect()
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

async fn metric(tenant: &Tenant, on: Date, name: &str) -> Vec<f64> {
    let metrics = tenant.metrics(on).await;
    let values = metrics
        .get(&(name.to_owned(), "m365-usage".to_owned()))
        .cloned()
        .unwrap_or_default();
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[tokio::test]
async fn a_directory_that_breaks_off_leaves_gold_as_it_was_and_the_next_offering_completes_it() {
    // Two pages; the second fails on the second day as often as it is asked for in one collection.
    let scenario = r#"
        report_lag_days = [1, 1]
        missing_report_percent = 0
        [[fault]]
        route = "/v1.0/users"
        on = [4, 5, 6, 7, 8, 9]
        kind = "server_error"
        status = 503
    "#;
    let tenant = Tenant::with(1_100, 3, scenario).await;
    run_days(&tenant, 1, 1).await;
    let users = content(&tenant, &SILVER_USERS).await;
    let gold = content(&tenant, &GOLD_COPILOT_USAGE).await;
    let summary = content(&tenant, &GOLD_LICENSE_SUMMARY).await;

    tenant.simulator.set_today(day(2));
    let broken = tenant.offer_usage(day(2)).await.unwrap();
    assert_eq!(broken.status, Status::Incomplete);
    let reason = broken.stopped_early.unwrap();
    assert!(
        reason.contains("directory") && reason.contains("tries again"),
        "{reason}"
    );
    assert_eq!(content(&tenant, &SILVER_USERS).await, users, "nobody departed");
    assert_eq!(content(&tenant, &GOLD_COPILOT_USAGE).await, gold);
    assert_eq!(content(&tenant, &GOLD_LICENSE_SUMMARY).await, summary);
    let reported = tenant
        .lake()
        .partition_dates(&SILVER_COPILOT_USAGE, "report_refresh_on")
        .await
        .unwrap();
    assert_eq!(
        reported.last(),
        Some(&day(1)),
        "a report is to be had for a few days only: it is kept"
    );
    assert_eq!(tenant.offer_scoring(day(2)).await.unwrap().status, Status::NothingToDo);
    assert_eq!(check(&tenant, day(2), "read_on_the_day").await[0].status, "FAIL");

    let completed = tenant.offer_usage(day(2)).await.unwrap();
    assert_eq!(completed.status, Status::Complete, "{completed:?}");
    assert_ne!(content(&tenant, &GOLD_COPILOT_USAGE).await, gold);
    let rows: Vec<Snapshot> = tenant.read(&GOLD_COPILOT_USAGE).await;
    assert!(rows.iter().any(|row| row.day == day(1)));
}

#[tokio::test]
async fn concealed_names_stop_the_collection_with_what_an_administrator_does() {
    let tenant = Tenant::with(60, 7, "concealed_names = true").await;
    tenant.simulator.set_today(day(1));
    let error = tenant.offer_usage(day(1)).await.unwrap_err();
    assert_eq!(error.error_type(), "Concealed");
    let sentence = error.to_string();
    assert!(
        sentence.contains("Reports") && sentence.contains("Display concealed"),
        "{sentence}"
    );
    assert_eq!(metric(&tenant, day(1), "ConcealedNames").await, [1.0]);
    assert_eq!(check(&tenant, day(1), "concealed_names").await[0].status, "FAIL");
    assert!(
        content(&tenant, &SILVER_COPILOT_USAGE).await.is_empty(),
        "nobody is joined with a hash"
    );
    assert!(
        !content(&tenant, &GOLD_LICENSE_SUMMARY).await.is_empty(),
        "licences are known all the same"
    );
}

#[tokio::test]
async fn names_that_are_concealed_in_the_report_alone_are_found_out() {
    // The settings may not be readable, so only the report tells.
    let scenario = "
        concealed_names = true
        [[fault]]
        route = '/v1.0/admin/reportSettings'
        every = 1
        kind = 'forbidden'";
    let tenant = Tenant::with(60, 7, scenario).await;
    let error = tenant.offer_usage(day(1)).await.unwrap_err();
    assert_eq!(error.error_type(), "Concealed");
    assert!(content(&tenant, &SILVER_COPILOT_USAGE).await.is_empty());
    let bronze = tenant.folder.list("bronze/m365_copilot_usage_d7/").await.unwrap();
    assert_eq!(bronze.len(), 1, "the bytes are kept");
}

#[tokio::test]
async fn a_stale_report_is_kept_out_of_gold_until_a_fresh_one_comes() {
    // On the fourth day nothing newer than the first is out; the fifth brings the report of the fourth.
    let scenario = format!(
        "report_lag_days = [1, 1]\nmissing_report_percent = 0\nmissing_report_days = ['{}', '{}']",
        day(2),
        day(3)
    );
    let tenant = Tenant::with(60, 7, &scenario).await;
    tenant.simulator.set_today(day(4));
    assert_eq!(tenant.simulator.served_report(day(4)), Some(day(1)));
    let stale = tenant.offer_usage(day(4)).await.unwrap();
    assert_eq!(stale.status, Status::Incomplete);
    assert!(stale.stopped_early.unwrap().contains("more than 48 hours"));
    assert!(content(&tenant, &GOLD_COPILOT_USAGE).await.is_empty());
    assert!(
        !content(&tenant, &SILVER_COPILOT_USAGE).await.is_empty(),
        "silver has it"
    );
    assert_eq!(metric(&tenant, day(4), "StaleReports").await, [1.0]);
    assert_eq!(metric(&tenant, day(4), "UsageReportAge").await, [3.0 * 86_400.0]);
    assert_eq!(check(&tenant, day(4), "freshness").await[0].status, "WARN");
    let forced = tenant.run_scoring(day(4)).await.unwrap();
    assert_eq!(forced.status, Status::Incomplete);
    assert!(
        content(&tenant, &GOLD_USAGE_SCORES).await.is_empty(),
        "nobody is scored on stale data"
    );

    run_days(&tenant, 5, 5).await;
    let days = tenant.lake().partition_dates(&GOLD_COPILOT_USAGE, "day").await.unwrap();
    assert_eq!(
        days,
        [day(1), day(4)],
        "what was kept back is filled in; the days in between stay a gap"
    );
    let scored = tenant
        .lake()
        .partition_dates(&GOLD_USAGE_SCORES, "score_on")
        .await
        .unwrap();
    assert_eq!(scored, [day(4), day(5)], "the day without scores is made up for");
    assert_eq!(metric(&tenant, day(5), "StaleReports").await, [0.0]);
    run_days(&tenant, 6, 8).await;
    let gaps = check(&tenant, day(8), "days_without_report").await;
    assert_eq!(gaps[0].status, "WARN");
    assert!(gaps[0].details.contains(&format!("{}, {}", day(2), day(3))), "{gaps:?}");
}

#[derive(Deserialize)]
struct RejectedRecord {
    rule: String,
    error: String,
    record: String,
}

#[tokio::test]
async fn odd_rows_are_set_aside_and_the_rest_goes_on() {
    let tenant = Tenant::with(60, 7, "missing_report_percent = 0\nreport_lag_days = [1, 1]").await;
    let mut rejected = 0;
    for number in 1..=6 {
        tenant.simulator.set_today(day(number));
        let outcome = tenant.offer_usage(day(number)).await.unwrap();
        assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
        let of_day = tenant.simulator.rejected_usage_rows(day(number).yesterday().unwrap());
        // The reports of 7 and of 28 days have the same odd rows.
        assert_eq!(outcome.counts.quarantined, 2 * of_day, "{number}");
        rejected += 2 * of_day;
    }
    assert!(rejected > 0);
    let rows: Vec<RejectedRecord> = tenant.read(&SILVER_REJECTED).await;
    assert_eq!(rows.len() as u64, rejected);
    assert!(
        rows.iter()
            .all(|row| row.rule.starts_with("usage_") && !row.error.is_empty() && row.record.contains('@'))
    );
    assert_eq!(
        check(&tenant, day(6), "duplicates").await[0].status,
        "WARN",
        "somebody stands in it twice"
    );
}

#[tokio::test]
async fn a_report_that_lost_a_column_is_named_and_changes_nothing() {
    let mut tenant = Tenant::calm(60).await;
    run_days(&tenant, 1, 2).await;
    let before = everything(&tenant).await;
    let url = tenant.simulator.url();
    let without = |text: &str| text.replacen("User Principal Name", "Name Of The User", 1);
    let odd = odd_reports::serve(url.clone(), without).await;
    tenant.set("UPTAKE_GRAPH_URL", &odd);
    tenant.simulator.set_today(day(3));
    let outcome = tenant.offer_usage(day(3)).await.unwrap();
    assert_eq!(outcome.status, Status::Incomplete);
    let reason = outcome.stopped_early.unwrap();
    assert!(reason.contains("User Principal Name"), "{reason}");
    let silver = content(&tenant, &SILVER_COPILOT_USAGE).await;
    assert_eq!(silver, before[2]);
    tenant.set("UPTAKE_GRAPH_URL", &url);
    run_days(&tenant, 3, 3).await;
    assert!(content(&tenant, &SILVER_COPILOT_USAGE).await.len() > silver.len());
}

#[tokio::test]
async fn a_report_with_its_columns_in_another_order_and_a_new_one_says_the_same() {
    let plain = Tenant::calm(60).await;
    run_days(&plain, 1, 2).await;
    let mut odd = Tenant::calm(60).await;
    let turned = |text: &str| {
        let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let mut rows = vec![reader.headers().unwrap().clone()];
        rows.extend(reader.records().map(Result::unwrap));
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (index, row) in rows.iter().enumerate() {
            let new = if index == 0 { "A Column, Unheard Of" } else { "\"x\"" };
            writer
                .write_record(std::iter::once(new).chain(row.iter().rev()))
                .unwrap();
        }
        format!("\u{feff}{}", String::from_utf8(writer.into_inner().unwrap()).unwrap())
    };
    let url = odd_reports::serve(odd.simulator.url(), turned).await;
    odd.set("UPTAKE_GRAPH_URL", &url);
    run_days(&odd, 1, 2).await;
    assert_eq!(everything(&odd).await, everything(&plain).await);
}

#[tokio::test]
async fn reports_of_the_older_versions_serve_as_well_without_active_days() {
    for versions in ["['v1']", "['beta', 'v1']", "['beta', 'v2']"] {
        let scenario = format!(
            "usage_report_versions = {versions}\nreport_lag_days = [1, 1]\nmissing_report_percent = 0\nodd_rows = false"
        );
        let tenant = Tenant::with(60, 7, &scenario).await;
        run_days(&tenant, 1, 2).await;
        let scores: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
        assert!(scores.iter().any(|row| row.score > 40), "{versions}");
    }
}

#[tokio::test]
async fn a_report_behind_a_redirect_is_the_same_report() {
    let calm = "report_lag_days = [1, 1]\nmissing_report_percent = 0\nodd_rows = false\nlate_activity_percent = 0";
    let plain = Tenant::with(60, 7, calm).await;
    run_days(&plain, 1, 1).await;
    let redirected = Tenant::with(60, 7, &format!("{calm}\nusage_report_delivery = 'redirect'")).await;
    run_days(&redirected, 1, 1).await;
    assert_eq!(everything(&redirected).await, everything(&plain).await);
}

#[tokio::test]
async fn a_table_that_cannot_be_written_fails_the_collection_and_the_next_offering_makes_up_for_it() {
    let control = Tenant::calm(60).await;
    run_days(&control, 1, 3).await;
    let expected = everything(&control).await;
    for blocked in ABOUT_PEOPLE {
        let tenant = Tenant::calm(60).await;
        run_days(&tenant, 1, 2).await;
        tenant.simulator.set_today(day(3));
        // A file in the place of a table's log: nothing can be committed.
        let log = tenant.folder.path(&format!("lake/{}/_delta_log", blocked.name));
        let aside = log.with_extension("aside");
        fs::rename(&log, &aside).unwrap();
        fs::write(&log, "in the way").unwrap();
        let collected = tenant.offer_usage(day(3)).await;
        let scored = tenant.offer_scoring(day(3)).await;
        assert!(collected.is_err() || scored.is_err(), "{}", blocked.name);
        fs::remove_file(&log).unwrap();
        fs::rename(&aside, &log).unwrap();
        run_remaining(&tenant).await;
        assert_eq!(everything(&tenant).await, expected, "{}", blocked.name);
    }
}

async fn run_remaining(tenant: &Tenant) {
    for function in ["m365-usage", "scoring"] {
        let outcome = match function {
            "scoring" => tenant.offer_scoring(day(3)).await,
            _ => tenant.offer_usage(day(3)).await,
        };
        let status = outcome.unwrap().status;
        assert!(matches!(status, Status::Complete | Status::NothingToDo), "{function}");
    }
}

#[tokio::test]
async fn a_day_collected_twice_is_stored_once() {
    let tenant = Tenant::calm(60).await;
    run_days(&tenant, 1, 3).await;
    let before = everything(&tenant).await;
    let metrics = tenant.metrics(day(3)).await;
    assert_eq!(tenant.run_usage(day(3)).await.unwrap().status, Status::Complete);
    assert_eq!(tenant.run_scoring(day(3)).await.unwrap().status, Status::Complete);
    assert_eq!(everything(&tenant).await, before, "no revision either: nothing changed");
    let again = tenant.metrics(day(3)).await;
    for (series, values) in metrics
        .iter()
        .filter(|((name, _), _)| name.contains("License") || name == "UsageScore")
    {
        assert_eq!(&again[series], values, "published once: {series:?}");
    }
    // Graph tells the present only: the directory of an earlier day stays what was read on it.
    assert_eq!(tenant.run_usage(day(2)).await.unwrap().status, Status::Complete);
    assert_eq!(everything(&tenant).await, before);
}

#[tokio::test]
async fn a_score_settles_for_a_week_and_then_changes_on_demand_alone_as_a_new_revision() {
    let mut tenant = Tenant::calm(60).await;
    run_days(&tenant, 1, 10).await;
    let of = |rows: &[ScoredLicense], on: Date| -> Vec<ScoredLicense> {
        let mut rows: Vec<ScoredLicense> = rows.iter().filter(|row| row.score_on == on).cloned().collect();
        rows.sort_by(|a, b| a.user_id.cmp(&b.user_id));
        rows
    };
    let before: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
    assert!(of(&before, day(10)).iter().all(|row| row.as_of_on == day(9)));
    assert!(
        of(&before, day(2)).iter().all(|row| row.as_of_on == day(2)),
        "settled: its own report came a day later"
    );
    assert!(before.iter().all(|row| row.revision == 1));

    // Other rules from now on: days that settle follow them, days that are frozen do not.
    tenant.set("UPTAKE_UNDERUTILIZED_THRESHOLD", "90");
    run_days(&tenant, 11, 11).await;
    let after: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
    for number in 1..=3 {
        assert_eq!(of(&after, day(number)), of(&before, day(number)), "{number} is frozen");
    }
    assert_ne!(of(&after, day(4)), of(&before, day(4)));
    assert!(after.iter().all(|row| row.revision == 1), "settling is no revision");

    let recomputed = tenant.run_scoring(day(2)).await.unwrap();
    assert_eq!(recomputed.status, Status::Complete, "{recomputed:?}");
    let rows: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
    assert_eq!(
        of(&rows, day(3)),
        of(&before, day(3)),
        "only the day that was asked for"
    );
    let (now, then) = (of(&rows, day(2)), of(&before, day(2)));
    assert!(now.iter().any(|row| row.revision == 2));
    for (now, then) in now.iter().zip(&then) {
        assert_eq!(
            now.revision == 2,
            now.underutilized != then.underutilized,
            "a revision is a change"
        );
        assert_eq!(now.score, then.score);
    }
    tenant.run_scoring(day(2)).await.unwrap();
    let again: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
    assert_eq!(of(&again, day(2)), now, "nothing new to say");
    let summary: Vec<Value> = tenant.read(&GOLD_LICENSE_SUMMARY).await;
    assert!(
        !summary.is_empty(),
        "the summary shows the newest day, not the recomputed one"
    );
}

#[tokio::test]
async fn a_dry_run_tells_what_it_would_do_and_writes_nothing() {
    let tenant = Tenant::calm(60).await;
    tenant.simulator.set_today(day(1));
    let trigger = Trigger {
        dry_run: true,
        ..Trigger::at(evening(day(1)))
    };
    let outcome = tenant.collect_usage(&trigger).await.unwrap();
    assert!(outcome.counts.fetched > 0 && outcome.counts.stored == 0, "{outcome:?}");
    assert!(tenant.folder.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn metrics_and_events_name_no_person_and_no_small_department() {
    let tenant = Tenant::calm(200).await;
    run_days(&tenant, 1, 2).await;
    let metrics = tenant.metrics(day(2)).await;
    let value = |name: &str, department: &str| {
        let values = metrics.get(&(name.to_owned(), department.to_owned()))?;
        values.first()?.as_f64()
    };
    let rows: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
    let rows: Vec<&ScoredLicense> = rows.iter().filter(|row| row.score_on == day(2)).collect();
    let idle = rows.iter().filter(|row| row.underutilized).count();
    assert_eq!(value("Licenses", ""), Some(as_f64(rows.len())));
    assert_eq!(value("LicensesUnderutilized", ""), Some(as_f64(idle)));
    assert_eq!(value("IdleLicenseCost", ""), Some(as_f64(idle) * 30.0));
    let departments: BTreeSet<Option<&str>> = rows.iter().map(|row| row.department.as_deref()).collect();
    let (mut shown, mut folded) = (0, 0);
    for department in departments {
        let licensed = rows
            .iter()
            .filter(|row| row.department.as_deref() == department)
            .count();
        // CloudWatch takes ASCII only.
        let name = department.unwrap_or("none").replace(|c: char| !c.is_ascii(), "?");
        let name = name.as_str();
        if licensed < 5 {
            folded += licensed;
            assert_eq!(value("Licenses", name), None, "{name} has {licensed} licences");
        } else if let Some(licenses) = value("Licenses", name) {
            shown += licensed;
            assert_eq!(licenses, as_f64(licensed));
        } else {
            folded += licensed;
        }
    }
    assert!(shown > 0 && folded > 0, "{shown} shown, {folded} folded");
    assert_eq!(value("Licenses", "other"), Some(as_f64(folded)));

    let people = tenant.simulator.identities();
    for key in tenant.folder.list("cloudwatch/").await.unwrap() {
        let text = String::from_utf8(tenant.folder.read(&key).await.unwrap().unwrap().bytes.to_vec()).unwrap();
        let named = people
            .iter()
            .find(|person| person.len() > 4 && text.contains(person.as_str()));
        assert_eq!(named, None, "{key}");
    }
    let group = format!(
        "cloudwatch/logs/uptake/license-usage-{}_{}",
        date(2026, 8, 31),
        date(2026, 9, 6)
    );
    let streams = tenant.folder.list(&group).await.unwrap();
    assert_eq!(streams.len(), 2, "a stream a day: {streams:?}");
}

#[tokio::test]
async fn a_day_that_has_not_begun_is_refused_by_both_functions() {
    let tenant = Tenant::calm(60).await;
    let tomorrow = day(2);
    tenant.simulator.set_today(day(1));
    let trigger = Trigger {
        window: Some(uptake_domain::calendar::Window::of_day(tomorrow)),
        replace: true,
        ..Trigger::at(evening(day(1)))
    };
    let error = tenant.collect_usage(&trigger).await.unwrap_err();
    assert_eq!(error.error_type(), "Configuration");
    assert!(error.to_string().contains("lies in the future"), "{error}");
    assert!(tenant.score(&trigger).await.is_err());
    assert!(tenant.folder.list("state/m365-usage/days/").await.unwrap().is_empty());
    run_days(&tenant, 1, 2).await;
}

#[tokio::test]
async fn a_day_that_is_not_collected_is_scored_on_demand_and_published_when_it_is() {
    let tenant = Tenant::calm(60).await;
    run_days(&tenant, 1, 1).await;
    tenant.simulator.set_today(day(2));
    let early = tenant.run_scoring(day(2)).await.unwrap();
    assert_eq!(early.status, Status::Incomplete);
    assert!(early.stopped_early.unwrap().contains("m365-usage has not collected"));
    assert!(
        !tenant
            .metrics(day(2))
            .await
            .contains_key(&("Licenses".to_owned(), String::new()))
    );
    run_days(&tenant, 2, 2).await;
    assert!(
        tenant
            .metrics(day(2))
            .await
            .contains_key(&("Licenses".to_owned(), String::new()))
    );
}

#[tokio::test]
async fn most_licences_gone_at_once_are_believed_when_the_next_reading_says_the_same() {
    let mut tenant = Tenant::calm(120).await;
    run_days(&tenant, 1, 2).await;
    let before = everything(&tenant).await;
    // The tenant's list of what it bought is empty for once.
    let empty = odd_reports::serve_without_skus(tenant.simulator.url()).await;
    let url = tenant.simulator.url();
    tenant.set("UPTAKE_GRAPH_URL", &empty);
    tenant.simulator.set_today(day(3));
    let doubted = tenant.offer_usage(day(3)).await.unwrap();
    assert_eq!(doubted.status, Status::Incomplete);
    let reason = doubted.stopped_early.unwrap();
    assert!(reason.contains("until the next reading says the same"), "{reason}");
    assert_eq!(content(&tenant, &tables::SILVER_USER_LICENSES).await, before[1]);
    // It was a mistake: nothing happened.
    tenant.set("UPTAKE_GRAPH_URL", &url);
    run_days(&tenant, 3, 3).await;
    assert!(content(&tenant, &tables::SILVER_USER_LICENSES).await.len() >= before[1].len());
    // It was none.
    tenant.set("UPTAKE_GRAPH_URL", &empty);
    tenant.simulator.set_today(day(4));
    assert_eq!(tenant.offer_usage(day(4)).await.unwrap().status, Status::Incomplete);
    assert_eq!(tenant.offer_usage(day(4)).await.unwrap().status, Status::Complete);
    let summary: Vec<LicenseState> = tenant.read(&GOLD_LICENSE_SUMMARY).await;
    assert!(summary.iter().all(|row| row.license_status == "not_assigned"));
    assert!(
        summary
            .iter()
            .all(|row| row.score.is_none() && row.underutilized.is_none())
    );
}

#[derive(Deserialize)]
struct LicenseState {
    license_status: String,
    score: Option<i64>,
    underutilized: Option<bool>,
}

#[tokio::test]
async fn a_tenant_without_licences_is_complete_and_says_zero() {
    let mut tenant = Tenant::calm(60).await;
    let without = |text: &str| text.lines().next().unwrap_or_default().to_owned() + "\n";
    let url = odd_reports::serve_empty(tenant.simulator.url(), without).await;
    tenant.set("UPTAKE_GRAPH_URL", &url);
    run_days(&tenant, 1, 2).await;
    let metrics = tenant.metrics(day(2)).await;
    assert_eq!(metrics[&("Licenses".to_owned(), String::new())], [0.0]);
    assert!(metrics[&("Users".to_owned(), String::new())][0].as_f64().unwrap() > 10.0);
    assert!(
        check(&tenant, day(2), "days_without_report")
            .await
            .iter()
            .all(|row| row.status == "PASS")
    );
}

#[derive(Deserialize)]
struct Figures28 {
    report_refresh_on: Date,
    period_days: Option<i64>,
}

#[tokio::test]
async fn figures_of_28_days_stay_when_they_are_not_to_be_had_again() {
    let scenario = "report_lag_days = [1, 1]\nmissing_report_percent = 0\nodd_rows = false";
    let mut tenant = Tenant::with(60, 7, scenario).await;
    run_days(&tenant, 1, 1).await;
    // The same report again, this time without its 28-day sister.
    let url = odd_reports::serve_without_28_days(tenant.simulator.url()).await;
    tenant.set("UPTAKE_GRAPH_URL", &url);
    let again = tenant.run_usage(day(1)).await.unwrap();
    assert!(again.notes.iter().any(|note| note.contains("28-day")), "{again:?}");
    let rows: Vec<Figures28> = tenant.read(&SILVER_COPILOT_USAGE).await;
    let of_report: Vec<&Figures28> = rows.iter().filter(|row| row.report_refresh_on == day(0)).collect();
    assert!(!of_report.is_empty() && of_report.iter().all(|row| row.period_days == Some(28)));
}

#[tokio::test]
async fn the_bytes_of_a_report_that_is_not_understood_are_kept() {
    let mut tenant = Tenant::calm(60).await;
    let without = |text: &str| text.replacen("User Principal Name", "Name Of The User", 1);
    let odd = odd_reports::serve(tenant.simulator.url(), without).await;
    tenant.set("UPTAKE_GRAPH_URL", &odd);
    tenant.offer_usage(day(1)).await.unwrap();
    let bronze = tenant.folder.list("bronze/m365_copilot_usage_d7/").await.unwrap();
    assert_eq!(bronze.len(), 1);
    let file = tenant.folder.read(&bronze[0]).await.unwrap().unwrap();
    let bytes = zstd::decode_all(file.bytes.as_ref()).unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains("Name Of The User"));
}
