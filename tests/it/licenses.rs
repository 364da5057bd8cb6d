//! Licences, usage and scores over a simulated quarter: gold must say what the served reports allow one to know.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use uptake_domain::tables::{
    GOLD_AUDIT_LOG, GOLD_COPILOT_USAGE, GOLD_DQ_RESULTS, GOLD_LICENSE_SUMMARY, GOLD_USAGE_SCORES, SILVER_COPILOT_USAGE,
    SILVER_USER_LICENSES, SILVER_USERS,
};
use uptake_pipeline::outcome::Status;
use uptake_simulator::{TenantUser, UsageTruth};

use crate::tenant::{ScoredLicense, Snapshot, Tenant};

/// What a person who writes down everything that was served would know, without any of the product's code.
#[derive(Default)]
pub(crate) struct Notebook {
    /// The directory as it was read, by day.
    pub(crate) directory: BTreeMap<Date, Vec<TenantUser>>,
    /// When the report of a day was first in gold.
    pub(crate) in_gold: BTreeMap<Date, Date>,
    /// Days on which scoring was offered.
    scoring_offered: Vec<Date>,
}

impl Notebook {
    /// Days on which a person is known to have held a SKU with Copilot, from the first day that anybody told of.
    pub(crate) fn held_days(&self, user_id: &str) -> BTreeSet<Date> {
        let mut held = BTreeSet::new();
        let skus: BTreeSet<&str> = self
            .directory
            .values()
            .flatten()
            .filter(|user| user.id == user_id)
            .flat_map(|user| user.skus.iter().map(|sku| sku.sku_id.as_str()))
            .collect();
        for sku_id in skus {
            let mut since: Option<Date> = None;
            let mut read_before: Option<Date> = None;
            for (day, users) in &self.directory {
                let seen = users.iter().find(|user| user.id == user_id);
                let seen = seen.and_then(|user| user.skus.iter().find(|sku| sku.sku_id == sku_id));
                match (seen, since) {
                    (Some(sku), None) => {
                        // It was not there the last time, whatever is told now.
                        let told = sku.assigned_on.or(sku.updated_on).unwrap_or(*day);
                        since = Some(told.max(read_before.unwrap_or(told)).min(*day));
                    }
                    (None, Some(from)) => {
                        held.extend(from.series(1.day()).take_while(|on| on < day));
                        since = None;
                    }
                    (Some(_), Some(_)) | (None, None) => {}
                }
                read_before = Some(*day);
            }
            if let Some(from) = since {
                let last = *self.directory.keys().next_back().unwrap();
                held.extend(from.series(1.day()).take_while(|on| *on <= last));
            }
        }
        held
    }

    /// What the directory told of a person's licences around a day, for messages.
    fn told(&self, user_id: &str, around: Date) -> Vec<(Date, Option<&[uptake_simulator::HeldSku]>)> {
        let near = around.saturating_sub(5.days())..=around.saturating_add(8.days());
        let readings = self.directory.range(near);
        readings
            .map(|(day, users)| {
                let user = users.iter().find(|user| user.id == user_id);
                (*day, user.map(|user| user.skus.as_slice()))
            })
            .collect()
    }

    /// The day of the newest report that a score of a day may rest on, by what was in gold on the day of scoring.
    fn as_of(&self, day: Date, scored_on: Date) -> Option<Date> {
        let known = self.in_gold.iter().filter(|(_, filled_on)| **filled_on <= scored_on);
        let newest = known
            .map(|(refresh_on, _)| *refresh_on)
            .filter(|refresh_on| *refresh_on <= day)
            .max()?;
        ((day - newest).get_days() <= 2).then_some(newest)
    }

    /// The person as the directory showed them on the last reading up to a day.
    fn person(&self, user_id: &str, day: Date) -> Option<&TenantUser> {
        let users = self.directory.range(..=day).rev().flat_map(|(_, users)| users);
        users.into_iter().find(|user| user.id == user_id)
    }
}

/// The first day of the stretch of days without a gap that ends with a day.
fn stretch(days: &BTreeSet<Date>, last: Date) -> Date {
    let mut first = last;
    while days.contains(&first.yesterday().unwrap()) {
        first = first.yesterday().unwrap();
    }
    first
}

#[derive(Debug, Deserialize)]
struct Person {
    user_id: String,
    upn: String,
    department: Option<String>,
    departed: bool,
    departed_on: Option<Date>,
    first_seen_on: Date,
    last_seen_on: Date,
}

#[derive(Debug, Deserialize)]
struct License {
    user_id: String,
    sku_id: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Summary {
    user_id: String,
    license_status: String,
    assigned_on: Option<Date>,
    days_held: Option<i64>,
    departed: bool,
    score: Option<i64>,
    underutilized: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    user_id: Option<String>,
    upn: String,
    report_refresh_on: Date,
    period_days: i64,
    active_days_reported: Option<i64>,
}

/// Runs a quarter, on some days with several offerings and on some with none, and compares everything.
async fn quarter(people: u32, seed: u64, days: usize, scenario: &str, skipped: impl Fn(usize) -> bool) {
    let tenant = Tenant::with(people, seed, scenario).await;
    let mut notebook = Notebook::default();
    let (mut complete, mut incomplete) = (0, 0);
    for (index, day) in tenant.days(days).enumerate() {
        // The last days are offered, so that everything can settle.
        if skipped(index) && index + 4 < days {
            continue;
        }
        let mut ended = None;
        for _ in 0..3 {
            let outcome = tenant.offer_usage(day).await.unwrap();
            let done = outcome.status == Status::Complete;
            ended = Some(outcome);
            if done {
                break;
            }
        }
        let ended = ended.unwrap();
        if ended.status == Status::Complete {
            complete += 1;
        } else {
            incomplete += 1;
            assert!(ended.stopped_early.is_some(), "{ended:?}");
        }
        let record = tenant.record(day).await;
        if !record["directory"].is_null() {
            notebook.directory.insert(day, tenant.simulator.tenant(day).users);
        }
        for refresh_on in tenant.lake().partition_dates(&GOLD_COPILOT_USAGE, "day").await.unwrap() {
            notebook.in_gold.entry(refresh_on).or_insert(day);
        }
        let scored = tenant.offer_scoring(day).await.unwrap();
        if scored.status != Status::NothingToDo {
            notebook.scoring_offered.push(day);
        }
        let can_be_scored = record["can_be_scored"] == true;
        assert!(can_be_scored || ended.status != Status::Complete, "{record}");
        assert_eq!(scored.status == Status::Complete, can_be_scored, "{day}: {scored:?}");
        if ended.status == Status::Complete {
            let again = tenant.offer_usage(day).await.unwrap();
            assert_eq!(again.status, Status::NothingToDo, "{day}: {again:?}");
        }
    }
    assert!(
        complete > 5 && incomplete > 5,
        "{complete} complete, {incomplete} incomplete: a quarter with faults"
    );

    check_directory(&tenant, &notebook).await;
    check_usage(&tenant, &notebook).await;
    check_scores(&tenant, &notebook).await;
    check_traces(&tenant).await;
}

async fn check_directory(tenant: &Tenant, notebook: &Notebook) {
    let users: Vec<Person> = tenant.read(&SILVER_USERS).await;
    let (last, present) = notebook.directory.last_key_value().unwrap();
    let by_id: BTreeMap<&str, &Person> = users.iter().map(|user| (user.user_id.as_str(), user)).collect();
    assert_eq!(by_id.len(), users.len(), "nobody twice");
    let ever: BTreeSet<&str> = notebook
        .directory
        .values()
        .flatten()
        .map(|user| user.id.as_str())
        .collect();
    assert_eq!(
        by_id.keys().copied().collect::<BTreeSet<_>>(),
        ever,
        "everybody who was ever seen, and nobody else"
    );
    for (id, user) in &by_id {
        let seen: Vec<Date> = notebook
            .directory
            .iter()
            .filter(|(_, users)| users.iter().any(|user| user.id == *id))
            .map(|(day, _)| *day)
            .collect();
        assert_eq!(
            (user.first_seen_on, user.last_seen_on),
            (seen[0], seen[seen.len() - 1]),
            "{id}"
        );
        let now = present.iter().find(|user| user.id == *id);
        assert_eq!(user.departed, !now.is_some_and(|user| user.enabled), "{id}");
        let away: Vec<Date> = notebook
            .directory
            .iter()
            .rev()
            .take_while(|(_, users)| !users.iter().any(|user| user.id == *id && user.enabled))
            .map(|(day, _)| *day)
            .collect();
        let first_away = away.last().copied().filter(|day| *day >= user.first_seen_on);
        assert_eq!(
            user.departed_on,
            first_away.map(|day| day.max(user.first_seen_on)),
            "{id}"
        );
        let person = notebook.person(id, *last).unwrap();
        assert_eq!(user.upn, person.upn.to_lowercase());
        assert_eq!(user.department, person.department);
    }
    assert!(users.iter().any(|user| user.departed), "somebody left");

    let licenses: Vec<License> = tenant.read(&SILVER_USER_LICENSES).await;
    let keys: BTreeSet<(&str, &str)> = licenses
        .iter()
        .map(|row| (row.user_id.as_str(), row.sku_id.as_str()))
        .collect();
    assert_eq!(keys.len(), licenses.len(), "no licence twice");
    for license in &licenses {
        let now = present.iter().find(|user| user.id == license.user_id);
        let held = now.is_some_and(|user| user.skus.iter().any(|sku| sku.sku_id == license.sku_id));
        assert_eq!(license.status == "assigned", held, "{license:?}");
    }
    assert!(
        licenses.iter().any(|license| license.status == "removed"),
        "somebody lost a licence"
    );

    let summaries: Vec<Summary> = tenant.read(&GOLD_LICENSE_SUMMARY).await;
    assert_eq!(summaries.len(), users.len(), "everybody, licensed or not");
    for summary in &summaries {
        let held = notebook.held_days(&summary.user_id);
        let is_held = held.contains(last);
        assert_eq!(summary.license_status == "assigned", is_held, "{summary:?}");
        assert_eq!(summary.departed, by_id[summary.user_id.as_str()].departed);
        if is_held {
            let since = stretch(&held, *last);
            assert_eq!(summary.assigned_on, Some(since), "{summary:?}");
            assert_eq!(summary.days_held, Some(i64::from((*last - since).get_days())));
        }
        assert_eq!(summary.score.is_some(), summary.underutilized.is_some());
    }
}

async fn check_usage(tenant: &Tenant, notebook: &Notebook) {
    let silver: Vec<Usage> = tenant.read(&SILVER_COPILOT_USAGE).await;
    let keys: BTreeSet<(Date, &str)> = silver
        .iter()
        .map(|row| (row.report_refresh_on, row.upn.as_str()))
        .collect();
    assert_eq!(keys.len(), silver.len(), "nobody twice in a report");
    let mut rows: BTreeMap<(Date, String), Snapshot> = BTreeMap::new();
    for row in tenant.read::<Snapshot>(&GOLD_COPILOT_USAGE).await {
        assert!(
            rows.insert((row.day, row.user_id.clone()), row).is_none(),
            "nobody twice on a day"
        );
    }
    let everybody: BTreeSet<String> = notebook
        .directory
        .values()
        .flatten()
        .map(|user| user.id.clone())
        .collect();
    let held: BTreeMap<&String, BTreeSet<Date>> = everybody.iter().map(|id| (id, notebook.held_days(id))).collect();
    for (refresh_on, filled_on) in &notebook.in_gold {
        let served: BTreeMap<String, UsageTruth> = tenant
            .simulator
            .usage(*refresh_on)
            .into_iter()
            .map(|row| (row.upn.clone(), row))
            .collect();
        for id in &everybody {
            let row = rows.remove(&(*refresh_on, id.clone()));
            let was_known = notebook
                .directory
                .range(..=*filled_on)
                .any(|(_, users)| users.iter().any(|user| user.id == *id));
            let is_expected = was_known && held[id].contains(refresh_on);
            assert_eq!(
                row.is_some(),
                is_expected,
                "{refresh_on} (filled on {filled_on}) {id}: {:?}",
                notebook.told(id, *refresh_on)
            );
            let Some(row) = row else { continue };
            let truth = served_row(notebook, &served, id, *filled_on);
            assert_eq!(row.reported, truth.is_some(), "{refresh_on} {id}");
            let Some(truth) = truth else { continue };
            assert_eq!(row.last_activity_on, truth.last_activity_on, "{refresh_on} {id}");
            let apps = [
                row.teams_on,
                row.word_on,
                row.excel_on,
                row.powerpoint_on,
                row.outlook_on,
                row.onenote_on,
                row.loop_on,
                row.chat_on,
            ];
            assert_eq!(apps, truth.apps, "{refresh_on} {id}");
            let used = truth
                .apps
                .iter()
                .flatten()
                .filter(|on| (*refresh_on - **on).get_days() < 30)
                .count();
            assert_eq!(
                (row.apps_used.len(), row.apps_used_count),
                (used, i64::try_from(used).unwrap())
            );
        }
    }
    assert!(
        rows.is_empty(),
        "rows of days that no report told of: {:?}",
        rows.keys().collect::<Vec<_>>()
    );
}

/// A person's row of a report that was read by a day: under the name the person had, or one from before.
fn served_row<'a>(
    notebook: &Notebook,
    served: &'a BTreeMap<String, UsageTruth>,
    user_id: &str,
    day: Date,
) -> Option<&'a UsageTruth> {
    let readings = notebook.directory.range(..=day).rev();
    let names = readings.filter_map(|(_, users)| users.iter().find(|user| user.id == user_id));
    names
        .map(|user| user.upn.to_lowercase())
        .find_map(|upn| served.get(&upn))
}

/// Every report that is in gold, by the name of the person.
pub(crate) fn served_reports(tenant: &Tenant, notebook: &Notebook) -> BTreeMap<Date, BTreeMap<String, UsageTruth>> {
    let by_name = |refresh_on: &Date| {
        let rows = tenant.simulator.usage(*refresh_on).into_iter();
        (*refresh_on, rows.map(|row| (row.upn.clone(), row)).collect())
    };
    notebook.in_gold.keys().map(by_name).collect()
}

/// Everybody's row of each report.
pub(crate) fn rows_of_everybody<'a>(
    notebook: &Notebook,
    served: &'a BTreeMap<Date, BTreeMap<String, UsageTruth>>,
    everybody: &'a BTreeSet<String>,
) -> BTreeMap<Date, BTreeMap<&'a String, &'a UsageTruth>> {
    let mut rows_of: BTreeMap<Date, BTreeMap<&String, &UsageTruth>> = BTreeMap::new();
    for (refresh_on, filled_on) in &notebook.in_gold {
        for id in everybody {
            if let Some(row) = served_row(notebook, &served[refresh_on], id, *filled_on) {
                rows_of.entry(*refresh_on).or_default().insert(id, row);
            }
        }
    }
    rows_of
}

/// What a score must be.
struct Expected {
    last: Option<Date>,
    active_days: i64,
    apps_used: i64,
    score: i64,
}

impl Expected {
    /// By the requirement's formula, from every date that any of the rows told.
    fn from<'a>(told: impl Iterator<Item = &'a UsageTruth>, as_of_on: Date, reported: i64) -> Self {
        let mut any = BTreeSet::new();
        let mut apps: [BTreeSet<Date>; 8] = Default::default();
        for row in told {
            let more = [
                row.last_activity_on,
                row.chat_work_on,
                row.chat_web_on,
                row.agent_on,
                row.edge_on,
            ];
            any.extend(more.into_iter().chain(row.apps).flatten());
            for (app, on) in apps.iter_mut().zip(row.apps) {
                app.extend(on);
            }
        }
        let in_window = |on: &&Date| **on <= as_of_on && (as_of_on - **on).get_days() < 30;
        let seen = i64::try_from(any.iter().filter(in_window).count()).unwrap();
        let apps_used = apps.iter().filter(|days| days.iter().any(|on| in_window(&on))).count();
        let apps_used = i64::try_from(apps_used).unwrap();
        let active_days = seen.max(reported);
        let last = any.range(..=as_of_on).next_back().copied();
        // In sixths, which are whole numbers; halves are rounded up.
        let score = match last.map(|on| i64::from((as_of_on - on).get_days())) {
            Some(since) if since < 30 => {
                let sixths = 300 - 10 * since + 6 * active_days.min(30) + 15 * apps_used;
                (2 * sixths + 6).div_euclid(12)
            }
            _ => 0,
        };
        Self {
            last,
            active_days,
            apps_used,
            score,
        }
    }
}

async fn check_scores(tenant: &Tenant, notebook: &Notebook) {
    let reported: BTreeMap<(Date, String), Usage> = tenant
        .read::<Usage>(&SILVER_COPILOT_USAGE)
        .await
        .into_iter()
        .filter_map(|row| Some(((row.report_refresh_on, row.user_id.clone()?), row)))
        .collect();
    assert!(reported.values().filter(|row| row.period_days == 28).count() * 10 > reported.len() * 9);
    let mut rows: BTreeMap<(Date, String), ScoredLicense> = BTreeMap::new();
    for row in tenant.read::<ScoredLicense>(&GOLD_USAGE_SCORES).await {
        assert_eq!(row.revision, 1, "nobody asked for a recompute");
        assert!(
            rows.insert((row.score_on, row.user_id.clone()), row).is_none(),
            "nobody twice on a day"
        );
    }
    let first_day = *notebook.directory.keys().next().unwrap();
    let last_day = *notebook.directory.keys().next_back().unwrap();
    let everybody: BTreeSet<String> = notebook
        .directory
        .values()
        .flatten()
        .map(|user| user.id.clone())
        .collect();
    let held: BTreeMap<&String, BTreeSet<Date>> = everybody.iter().map(|id| (id, notebook.held_days(id))).collect();
    let served = served_reports(tenant, notebook);
    let rows_of = rows_of_everybody(notebook, &served, &everybody);
    let (mut underutilized, mut recalled, mut gaps) = (0, 0, 0);
    for day in first_day.series(1.day()).take_while(|day| *day <= last_day) {
        // Scores of a day change for a week: the last scoring in that time is what stands.
        let settled = |offered: &&Date| **offered >= day && (**offered - day).get_days() <= 7;
        let scorings: Vec<Date> = notebook.scoring_offered.iter().filter(settled).copied().collect();
        let as_of = |scored_on: Date| notebook.as_of(day, scored_on);
        let first_scored = scorings.iter().copied().find(|scored_on| as_of(*scored_on).is_some());
        let Some((first_scored, last_scored)) = first_scored.zip(scorings.last().copied()) else {
            gaps += 1;
            assert!(
                !rows.keys().any(|(scored, _)| *scored == day),
                "{day}: scores without a fresh report"
            );
            continue;
        };
        let as_of_on = as_of(last_scored).unwrap();
        for id in &everybody {
            let row = rows.remove(&(day, id.clone()));
            let was_known = notebook
                .directory
                .range(..=last_scored)
                .any(|(_, users)| users.iter().any(|user| user.id == *id));
            assert_eq!(row.is_some(), was_known && held[id].contains(&day), "{day} {id}");
            let Some(row) = row else { continue };
            let reported = reported.get(&(as_of_on, id.clone()));
            let active_days = reported.and_then(|row| row.active_days_reported).unwrap_or(0);
            let known = notebook
                .in_gold
                .iter()
                .filter(|(_, filled_on)| **filled_on <= last_scored);
            let told = known.filter_map(|(refresh_on, _)| rows_of[refresh_on].get(id).copied());
            let Expected {
                last,
                active_days,
                apps_used,
                score,
            } = Expected::from(told, as_of_on, active_days);
            let context = format!("{day} {id} as of {as_of_on}");
            assert_eq!(row.as_of_on, as_of_on, "{context}");
            assert_eq!(row.last_activity_on, last, "{context}");
            assert_eq!(row.active_days, active_days, "{context}");
            assert_eq!(row.apps_used_count, apps_used, "{context}");
            assert_eq!(row.score, score, "{context}");
            let since = stretch(&held[id], day);
            assert_eq!(row.assigned_on, since, "{context}");
            let days_held = i64::from((day - since).get_days());
            assert_eq!(row.days_held, days_held, "{context}");
            assert_eq!(row.new_assignment, days_held < 14, "{context}");
            let is_underutilized = score <= 20 && days_held >= 14;
            underutilized += u64::from(is_underutilized);
            recalled += u64::from(row.underutilized);
            assert_eq!(row.underutilized, is_underutilized, "{context}");
            let person = notebook.person(id, first_scored).unwrap();
            assert_eq!(row.department, person.department, "{context}: as of {first_scored}");
            assert_eq!(row.upn, person.upn.to_lowercase(), "{context}");
        }
    }
    assert!(
        rows.is_empty(),
        "scores of days that were not collected: {:?}",
        rows.keys().next()
    );
    assert_eq!(recalled, underutilized);
    assert!(
        underutilized > 20,
        "{underutilized} underutilised licence days say little"
    );
    assert!(gaps < 30, "{gaps}");
}

#[derive(Debug, Deserialize)]
struct CheckRow {
    check_id: String,
    check_on: Date,
    check_name: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct LogRow {
    log_id: String,
    operation: String,
    target: String,
    error: Option<String>,
}

async fn check_traces(tenant: &Tenant) {
    let checks: Vec<CheckRow> = tenant.read(&GOLD_DQ_RESULTS).await;
    let ids: BTreeSet<&str> = checks.iter().map(|check| check.check_id.as_str()).collect();
    assert_eq!(ids.len(), checks.len());
    for name in ["freshness", "days_without_report", "coverage_percent", "row_count"] {
        assert!(checks.iter().any(|check| check.check_name == name), "{name}");
    }
    let failed = |name: &str| {
        checks
            .iter()
            .any(|check| check.check_name == name && check.status != "PASS")
    };
    assert!(
        failed("freshness") && failed("days_without_report"),
        "a quarter has stale reports and gaps"
    );
    assert!(!failed("inconsistent_flags") && !failed("scores_out_of_range") && !failed("coverage_percent"));
    assert!(checks.iter().all(|check| check.check_on >= crate::tenant::FIRST_DAY));

    let log: Vec<LogRow> = tenant.read(&GOLD_AUDIT_LOG).await;
    let ids: BTreeSet<&str> = log.iter().map(|row| row.log_id.as_str()).collect();
    assert_eq!(ids.len(), log.len());
    for operation in ["API_CALL", "TABLE_WRITE", "ERROR"] {
        assert!(log.iter().any(|row| row.operation == operation), "{operation}");
    }
    // No identity in what operators read.
    let people = tenant.simulator.identities();
    for row in &log {
        let text = format!("{} {}", row.target, row.error.as_deref().unwrap_or_default());
        assert!(
            !people
                .iter()
                .any(|person| person.len() > 6 && text.contains(person.as_str())),
            "{text}"
        );
    }
}

/// Throttling, outages, cut bodies, a directory that breaks off.
const FAULTS: &str = r#"
[[fault]]
route = "/v1.0/users"
on = [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 40]
kind = "server_error"
status = 503

[[fault]]
route = "/v1.0/users"
every = 7
kind = "cut_json"

[[fault]]
route = "/v1.0/copilot/reports/{function}"
every = 11
kind = "server_error"
status = 500

[[fault]]
route = "/v1.0/copilot/reports/{function}"
every = 5
kind = "truncated_body"

[[fault]]
route = "/v1.0/reports/{function}"
every = 6
kind = "server_error"
status = 502
"#;

#[tokio::test]
async fn a_quarter_with_faults_says_what_the_reports_allow_one_to_know() {
    quarter(60, 7, 90, FAULTS, |index| index % 17 == 5 || (40..44).contains(&index)).await;
}

#[tokio::test]
async fn late_and_missing_reports_and_late_activity_end_up_where_they_belong() {
    let late = "report_lag_days = [1, 4]\nlate_activity_percent = 30\nmissing_report_percent = 15";
    quarter(30, 12, 45, late, |index| index % 9 == 3).await;
}
