//! The licence functions as they are deployed: days of a tenant end in bronze, tables, metrics, log events and a digest,
//! each read back without our own code.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};
use uptake_domain::calendar::{Window, day_of, start_of};
use uptake_domain::tables::{
    self, GOLD_AUDIT_LOG, GOLD_COPILOT_SEATS, GOLD_LICENSE_SUMMARY, GOLD_USAGE_SCORES, SILVER_COPILOT_USAGE,
    SILVER_USERS,
};
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, Scenario, Settings, TENANT, TenantTruth};

use crate::aws_face::{BUCKET, Deployment, RECIPIENTS};
use crate::aws_workflows::{Event, events, groups, listed};
use crate::independent_reader::IndependentReader;
use crate::moto::Moto;
use crate::runtime_api::Function;
use crate::tenant::evening;

const LAKE: &str = "s3://octo-uptake/prod/lake";
const NAMESPACE: &str = "Uptake/M365";
const SECRET_PARAMETER: &str = "/uptake/client-secret";
const PRICE: &str = "30";
/// Groups of fewer people are not shown by name.
const SMALLEST_GROUP: u64 = 5;

/// A deployment with a tenant; reports come a day late and are in order.
async fn deployment(users: u32, scenario: &str) -> Deployment {
    deployment_on(Moto::start().await, users, scenario).await
}

pub(crate) async fn deployment_on(moto: Moto, users: u32, scenario: &str) -> Deployment {
    let now = SystemClock.now();
    // Days pass in seconds here; the limits of Microsoft and GitHub are meant for real ones.
    let scenario = format!(
        "secondary_limit = 1_000_000\nprimary_limit = 1_000_000\nreports_limit = 1_000_000\nidentity_limit = 1_000_000\n\
         report_lag_days = [1, 1]\nmissing_report_percent = 0\nlate_activity_percent = 0\nodd_rows = false\n{scenario}"
    );
    let mut settings = Settings::new(120, 11, day_of(now)).with_scenario(Scenario::parse(&scenario).unwrap());
    settings.tenant_users = users;
    let deployment = Deployment::on(moto, settings, now).await;
    let parameter = |name: &str, value: &str, kind: &str| json!(["ssm", "put_parameter", {"Name": name, "Value": value, "Type": kind}]);
    deployment.moto.call(&json!([
        parameter("/uptake/tenant-id", TENANT, "String"),
        parameter("/uptake/client-id", CLIENT_ID, "String"),
        // As a console keeps it that was given a line.
        parameter(SECRET_PARAMETER, &format!("{CLIENT_SECRET}\n"), "SecureString"),
    ]));
    deployment
}

pub(crate) fn usage(deployment: &Deployment, changes: &[(&str, &str)]) -> Function {
    let microsoft = deployment.simulator.url();
    let settings = [
        ("UPTAKE_LOGIN_URL", microsoft.as_str()),
        ("UPTAKE_GRAPH_URL", &microsoft),
        ("UPTAKE_TENANT_ID_PARAMETER", "/uptake/tenant-id"),
        ("UPTAKE_CLIENT_ID_PARAMETER", "/uptake/client-id"),
        ("UPTAKE_CLIENT_SECRET_PARAMETER", SECRET_PARAMETER),
    ];
    deployment.function("m365-usage", &[&settings, changes].concat())
}

fn scoring(deployment: &Deployment, changes: &[(&str, &str)]) -> Function {
    let settings = [("UPTAKE_LICENSE_PRICE", PRICE)];
    deployment.function("scoring", &[&settings, changes].concat())
}

pub(crate) fn table(name: &str) -> String {
    format!("{LAKE}/{name}")
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap()
}

fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| text(row, "user_id").to_owned()).collect()
}

fn licensed(truth: &TenantTruth) -> BTreeSet<String> {
    let holders = truth.users.iter().filter(|user| !user.skus.is_empty());
    holders.map(|user| user.id.clone()).collect()
}

/// Every key in the bucket.
fn keys(deployment: &Deployment) -> Vec<String> {
    let listed = deployment
        .moto
        .call_one("s3", "list_objects_v2", &json!({"Bucket": BUCKET}));
    assert_eq!(listed["IsTruncated"], false, "one page holds them all");
    let objects = listed["Contents"].as_array().unwrap();
    objects.iter().map(|object| text(object, "Key").to_owned()).collect()
}

/// The number of the last change of every table that there is.
fn versions(deployment: &Deployment, reader: &IndependentReader) -> BTreeMap<&'static str, i64> {
    let keys = keys(deployment);
    let made = tables::LAKE.iter().filter(|table| {
        let folder = format!("prod/lake/{}/", table.name);
        keys.iter().any(|key| key.starts_with(&folder))
    });
    made.map(|made| {
        (
            made.name,
            reader.describe(&table(made.name))["version"].as_i64().unwrap(),
        )
    })
    .collect()
}

/// What CloudWatch says of a metric on a day: of everybody, and by department.
fn figures(deployment: &Deployment, metric: &str, statistic: &str, day: Date) -> BTreeMap<String, f64> {
    let Window { from, to } = Window::of_day(day);
    let arguments = json!({"Namespace": NAMESPACE, "MetricName": metric});
    let series = listed(deployment, "cloudwatch", "list_metrics", arguments, "Metrics");
    let calls: Vec<Value> = series
        .iter()
        .map(|series| {
            json!(["cloudwatch", "get_metric_statistics", {
                "Namespace": NAMESPACE, "MetricName": metric, "Dimensions": series["Dimensions"],
                "StartTime": from, "EndTime": to, "Period": 86_400, "Statistics": [statistic],
            }])
        })
        .collect();
    let answers = deployment.moto.call(&calls.into());
    let read = series.iter().zip(answers).filter_map(|(series, answer)| {
        let group = series["Dimensions"][0]["Value"].as_str().unwrap_or("all");
        let value = answer["Datapoints"][0][statistic].as_f64()?;
        Some((group.to_owned(), value))
    });
    read.collect()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn number(count: usize) -> f64 {
    count as f64
}

/// Asserts that metrics and log events of a day say what its scores say, and that no small group stands there by name.
fn assert_published(deployment: &Deployment, truth: &TenantTruth, scores: &[Value]) {
    let day = truth.day;
    let count = |column: &str| scores.iter().filter(|row| row[column] == true).count();
    let enabled = truth.users.iter().filter(|user| user.enabled).count();
    for (metric, expected) in [
        ("Users", enabled),
        ("Licenses", scores.len()),
        ("LicensesUnderutilized", count("underutilized")),
        ("LicensesNew", count("new_assignment")),
        ("IdleLicenseCost", 30 * count("underutilized")),
    ] {
        let mut told = figures(deployment, metric, "Maximum", day);
        assert_eq!(told.remove("all"), Some(number(expected)), "{metric} of {day}");
        let by_department: f64 = told.values().sum();
        assert_eq!(by_department, number(expected), "{metric} of {day}: {told:?}");
    }
    for group in ["Users", "Licenses"] {
        let told = figures(deployment, group, "Maximum", day);
        let small: Vec<_> = told
            .iter()
            .filter(|(name, people)| **people > 0.0 && **people < number(5) && *name != "other")
            .collect();
        assert!(small.is_empty(), "{small:?}");
        assert!(told.len() > 3, "departments stand by name: {told:?}");
    }
    let (mut counts, means) = (
        figures(deployment, "UsageScore", "SampleCount", day),
        figures(deployment, "UsageScore", "Average", day),
    );
    // moto takes the values of all series for the one without dimensions.
    counts.remove("all");
    let people: f64 = counts.values().sum();
    assert_eq!(
        people,
        number(scores.len()),
        "every licence is a value of its department"
    );
    let told: f64 = counts.iter().map(|(group, count)| count * means[group]).sum();
    let points = scores.iter().map(|row| row["score"].as_f64().unwrap());
    let points: f64 = points.sum();
    assert!(
        (told - points).abs() < 1e-6,
        "{told} points of {counts:?}, not {points}"
    );

    let of_day: Vec<BTreeMap<String, Value>> = events(deployment)
        .iter()
        .filter(|event| event.timestamp == start_of(day))
        .map(Event::fields)
        .collect();
    let (all, departments): (Vec<_>, Vec<_>) = of_day.iter().partition(|event| event["scope"] == "all");
    assert_eq!(all.len(), 1, "{day}: {of_day:?}");
    let all = all[0];
    assert_eq!(all["licenses"], scores.len(), "{all:?}");
    assert_eq!(all["users"], enabled, "{all:?}");
    assert_eq!(all["underutilized"], count("underutilized"), "{all:?}");
    for figure in ["users", "licenses", "underutilized", "new"] {
        let sum: u64 = departments.iter().map(|event| event[figure].as_u64().unwrap()).sum();
        assert_eq!(all[figure], sum, "{figure} of {day}");
    }
    for event in departments.iter().filter(|event| event["department"] != "other") {
        for people in ["users", "licenses"] {
            let people = event[people].as_u64().unwrap();
            assert!(people == 0 || people >= SMALLEST_GROUP, "{event:?}");
        }
    }
}

/// Asserts that what people without access to the lake may read names nobody, and neither does the log of any table. What
/// is no error is not logged as one, and Delta's own account of its work is not logged at all.
fn assert_nobody_is_named(deployment: &Deployment, functions: &[&Function]) {
    for function in functions {
        let written = function.written();
        assert!(!written.contains("snap.build"), "{written}");
        let tells_of_errors = written.contains(r#""level":"ERROR""#);
        assert_eq!(
            tells_of_errors,
            written.contains("errorType") || written.contains("error_type"),
            "{written}"
        );
        deployment.assert_names_nobody(&function.written());
    }
    let metrics = listed(deployment, "cloudwatch", "list_metrics", json!({}), "Metrics");
    deployment.assert_names_nobody(&json!(metrics).to_string());
    for event in events(deployment) {
        deployment.assert_names_nobody(&event.text);
    }
    let keys = keys(deployment);
    deployment.assert_names_nobody(&keys.join("\n"));
    let calls: Vec<Value> = keys
        .iter()
        .filter(|key| key.contains("/_delta_log/"))
        .map(|key| json!(["s3", "get_object", {"Bucket": BUCKET, "Key": key}]))
        .collect();
    let log = json!(deployment.moto.call(&calls.into())).to_string();
    assert!(log.contains("minValues"), "what files are chosen by is there");
    deployment.assert_names_nobody(&log);
}

/// Invokes `m365-usage` and `scoring` in the evening of each day, and asserts that what is published then is what the scores
/// say: a later day may still change them, but not what is published. Returns what the functions answered.
async fn offer(deployment: &Deployment, usage: &Function, scoring: &Function, days: &[Date]) -> Vec<Value> {
    let reader = IndependentReader::of_moto(&deployment.moto);
    let mut answers = Vec::new();
    for day in days {
        deployment.simulator.set_today(*day);
        let trigger = json!({"scheduled_time": evening(*day)});
        let early = scoring.invoke(trigger.clone()).await.unwrap();
        assert_eq!(early["status"], "nothing_to_do", "{early}");
        for (function, asks_microsoft) in [(usage, true), (scoring, false)] {
            let answer = function.invoke(trigger.clone()).await.unwrap();
            assert_eq!(answer["status"], "complete", "{answer}");
            assert_eq!(answer["watermark"], json!(Window::of_day(*day).to), "{answer}");
            let requests = answer["counts"]["requests"].as_u64();
            assert_eq!(requests > Some(0), asks_microsoft, "{answer}");
            answers.push(answer);
        }
        let truth = deployment.simulator.tenant(*day);
        assert_published(deployment, &truth, &scores_of(&reader, *day));
    }
    answers
}

/// The scores of a day.
fn scores_of(reader: &IndependentReader, day: Date) -> Vec<Value> {
    let mut scores = reader.rows(&table(GOLD_USAGE_SCORES.name), &[]);
    scores.retain(|row| row["score_on"] == json!(day));
    scores
}

/// Asserts that the tables of people say what the directory and the reports of these days said.
fn assert_people(deployment: &Deployment, reader: &IndependentReader, truths: &[TenantTruth]) {
    let everybody: BTreeSet<String> = truths
        .iter()
        .flat_map(|truth| truth.users.iter().map(|user| user.id.clone()))
        .collect();
    let users = reader.rows(&table(SILVER_USERS.name), &["user_id", "upn"]);
    assert_eq!((users.len(), ids(&users)), (everybody.len(), everybody.clone()));

    let holders = licensed(truths.last().unwrap());
    assert!(holders.len() > 50, "{}", holders.len());
    let columns = ["user_id", "license_status", "score"];
    let summary = reader.rows(&table(GOLD_LICENSE_SUMMARY.name), &columns);
    assert_eq!((summary.len(), ids(&summary)), (everybody.len(), everybody));
    let assigned = summary.into_iter().filter(|row| row["license_status"] == "assigned");
    let assigned: Vec<Value> = assigned.collect();
    assert_eq!(ids(&assigned), holders);
    let are_scored = assigned.iter().all(|row| row["score"].is_i64());
    assert!(are_scored, "the newest scores stand in it");

    let reports = reader.rows(&table(SILVER_COPILOT_USAGE.name), &["upn", "report_refresh_on"]);
    for truth in truths {
        let refresh_on = deployment.simulator.served_report(truth.day).unwrap();
        let of_report = reports
            .iter()
            .filter(|row| row["report_refresh_on"] == json!(refresh_on));
        let upns: BTreeSet<&str> = of_report.map(|row| text(row, "upn")).collect();
        let told = deployment.simulator.usage(refresh_on);
        let expected = told.iter().map(|usage| usage.upn.as_str()).collect();
        assert_eq!(upns, expected, "{refresh_on}");
    }
}

/// Asserts that everything received on these days is kept.
fn assert_bronze(deployment: &Deployment, days: &[Date]) {
    let keys = keys(deployment);
    assert!(keys.iter().all(|key| key.starts_with("prod/")), "{keys:?}");
    for source in [
        "graph_users",
        "graph_subscribed_skus",
        "m365_copilot_usage_d7",
        "m365_copilot_usage_d28",
        "m365_active_users_day",
    ] {
        for day in days {
            let folder = format!("prod/bronze/{source}/{day}/");
            assert!(keys.iter().any(|key| key.starts_with(&folder)), "{folder}");
        }
    }
}

/// Asserts that everybody got the digest with this list.
async fn assert_digests(deployment: &Deployment, list: &str) {
    let mails = deployment.moto.mails().await;
    assert_eq!(mails.len(), RECIPIENTS.len());
    for (recipient, mail) in RECIPIENTS.iter().zip(&mails) {
        let destinations = mail["destinations"].as_array().unwrap();
        let of_one = destinations.iter().all(|destination| destination == recipient);
        assert!(of_one, "{destinations:?}");
        let raw = text(mail, "raw_data");
        assert!(raw.contains(list), "no list attached");
        assert!(!raw.contains("INCOMPLETE"), "{raw}");
    }
}

#[tokio::test]
async fn three_days_of_licences_on_aws_end_in_tables_metrics_log_events_and_a_digest() {
    let deployment = deployment(150, "").await;
    let today = day_of(deployment.now);
    let days: Vec<Date> = (1..=3).rev().map(|ago| today - ago.days()).collect();
    // A week that ended yesterday.
    let first_day_of_week = today.strftime("%A").to_string();
    let week = [("UPTAKE_WEEK_STARTS_ON", first_day_of_week.as_str())];
    let (usage, scoring) = (usage(&deployment, &[]), scoring(&deployment, &week));
    let mut answers = offer(&deployment, &usage, &scoring, &days).await;

    let reader = IndependentReader::of_moto(&deployment.moto);
    let truths: Vec<TenantTruth> = days.iter().map(|day| deployment.simulator.tenant(*day)).collect();
    assert_people(&deployment, &reader, &truths);
    assert_bronze(&deployment, &days);
    for truth in &truths {
        let scores = scores_of(&reader, truth.day);
        let holders = licensed(truth);
        assert_eq!((scores.len(), ids(&scores)), (holders.len(), holders), "{}", truth.day);
    }
    let newest = scores_of(&reader, days[2]);
    let idle = newest.iter().filter(|row| row["underutilized"] == true);
    let underutilized: BTreeSet<String> = idle.map(|row| text(row, "upn").to_owned()).collect();
    let group = format!("/uptake/license-usage-{}_{}", today - 7.days(), today - 1.days());
    assert_eq!(groups(&deployment), BTreeSet::from([group]));
    let report = format!("underutilized_licenses_{}.csv", days[2].strftime("%Y_%m_%d"));
    let lines = deployment.object(&format!("reports/{report}"));
    let upns = lines.lines().skip(1).map(|line| line.split(',').next().unwrap());
    assert_eq!(upns.map(str::to_owned).collect::<BTreeSet<_>>(), underutilized);

    let mailer = deployment.function("mailer", &week);
    let answer = mailer.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    assert_eq!(answer["counts"]["published"], RECIPIENTS.len(), "{answer}");
    assert_digests(&deployment, &report).await;

    // Whatever is offered again changes nothing.
    let before = (versions(&deployment, &reader), events(&deployment).len());
    for day in &days {
        deployment.simulator.set_today(*day);
        for function in [&usage, &scoring] {
            let again = function.invoke(json!({"scheduled_time": evening(*day)})).await.unwrap();
            assert_eq!(again["status"], "nothing_to_do", "{again}");
            answers.push(again);
        }
    }
    let again = mailer.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(again["status"], "nothing_to_do", "{again}");
    assert_eq!((versions(&deployment, &reader), events(&deployment).len()), before);
    assert_digests(&deployment, &report).await;

    deployment.assert_names_nobody(&json!(answers).to_string());
    assert_nobody_is_named(&deployment, &[&usage, &scoring, &mailer]);
}

#[tokio::test]
async fn a_day_that_is_collected_and_scored_again_on_demand_changes_no_row() {
    let deployment = deployment(60, "").await;
    let (usage, scoring) = (usage(&deployment, &[]), scoring(&deployment, &[]));
    for function in [&usage, &scoring] {
        let answer = function.invoke(deployment.trigger()).await.unwrap();
        assert_eq!(answer["status"], "complete", "{answer}");
    }
    let reader = IndependentReader::of_moto(&deployment.moto);
    let before = versions(&deployment, &reader);
    let again = json!({"scheduled_time": deployment.now, "replace": true});
    for function in [&usage, &scoring] {
        let answer = function.invoke(again.clone()).await.unwrap();
        assert_eq!(answer["status"], "complete", "{answer}");
    }
    // That somebody asked and what was checked is on record; nothing else changed.
    let records = [GOLD_AUDIT_LOG.name, tables::GOLD_DQ_RESULTS.name];
    let mut after = versions(&deployment, &reader);
    for (name, version) in before {
        let now = after.remove(name).unwrap();
        assert_eq!(now > version, records.contains(&name), "{name}: {version}, then {now}");
    }
    assert!(after.is_empty());

    // A dry run leaves no trace at all.
    let (before, keys_before) = (versions(&deployment, &reader), keys(&deployment));
    let dry = json!({"scheduled_time": deployment.now, "replace": true, "dry_run": true});
    for function in [&usage, &scoring] {
        let answer = function.invoke(dry.clone()).await.unwrap();
        assert_eq!(answer["status"], "complete", "{answer}");
    }
    assert_eq!(versions(&deployment, &reader), before);
    assert_eq!(keys(&deployment), keys_before);
    assert_nobody_is_named(&deployment, &[&usage, &scoring]);
}

/// A cell without the sign that keeps a spreadsheet from running it, which the table has no need of.
fn as_it_is(cell: &str) -> String {
    let inert = cell
        .strip_prefix('\'')
        .filter(|rest| rest.starts_with(['=', '+', '-', '@']));
    inert.unwrap_or(cell).to_owned()
}

#[tokio::test]
async fn the_seats_table_on_aws_has_the_rows_of_the_report() {
    let deployment = deployment(40, "").await;
    let seats = deployment.function("copilot-seats", &[]);
    let answer = seats.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    let day = day_of(deployment.now);
    let report = deployment.object(&format!(
        "reports/copilot_billing_seats_{}.csv",
        day.strftime("%Y_%m_%d")
    ));
    let mut report = csv::Reader::from_reader(report.as_bytes());
    let expected: BTreeSet<Vec<String>> = report
        .records()
        .map(|record| record.unwrap().iter().map(as_it_is).collect())
        .collect();

    let reader = IndependentReader::of_moto(&deployment.moto);
    let rows = reader.rows(&table(GOLD_COPILOT_SEATS.name), &[]);
    assert!(rows.iter().all(|row| row["day"] == json!(day)));
    let stored: BTreeSet<Vec<String>> = rows
        .iter()
        .map(|row| {
            let teams = row["team_slugs"].as_array().unwrap();
            let teams: Vec<&str> = teams.iter().map(|slug| slug.as_str().unwrap()).collect();
            let cells = [
                "login",
                "email",
                "account_created_at",
                "last_activity_at",
                "editor",
                "editor_version",
                "plugin",
                "plugin_version",
            ]
            .map(|column| row[column].as_str().unwrap_or("N/A").to_owned());
            cells.into_iter().chain([teams.join(";")]).collect()
        })
        .collect();
    let differ: Vec<_> = stored.symmetric_difference(&expected).collect();
    assert!(differ.is_empty(), "{differ:?}");
    assert_eq!(rows.len(), expected.len());
    assert_eq!(rows.len() as u64, deployment.simulator.truth().seats);

    let before = versions(&deployment, &reader);
    let again = seats.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(again["status"], "nothing_to_do", "{again}");
    assert_eq!(versions(&deployment, &reader), before);
    assert_nobody_is_named(&deployment, &[&seats]);
}

#[tokio::test]
async fn a_wrong_client_secret_is_a_matter_of_credentials_and_the_right_one_helps_at_once() {
    const WRONG: &str = "not-the-simulated-secret";
    let deployment = deployment(40, "").await;
    let put = |secret: &str| {
        let parameter = json!({"Name": SECRET_PARAMETER, "Value": secret, "Type": "SecureString", "Overwrite": true});
        deployment.moto.call_one("ssm", "put_parameter", &parameter);
    };
    put(WRONG);
    let usage = usage(&deployment, &[]);
    let error = usage.invoke(deployment.trigger()).await.unwrap_err();
    assert_eq!(error["errorType"], "Credentials", "{error}");
    let message = text(&error, "errorMessage");
    assert!(message.contains("UPTAKE_CLIENT_SECRET"), "{message}");
    let written = usage.written();
    assert!(written.contains("Credentials"), "{written}");
    assert!(
        !written.contains(WRONG) && !error.to_string().contains(WRONG),
        "{written}"
    );

    put(CLIENT_SECRET);
    let answer = usage.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    // The failure is on record, and so is what came after it.
    let reader = IndependentReader::of_moto(&deployment.moto);
    let trace = reader.rows(&table(GOLD_AUDIT_LOG.name), &["operation", "status", "error"]);
    let failures: Vec<&Value> = trace.iter().filter(|row| row["operation"] == "ERROR").collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        text(failures[0], "error").contains("UPTAKE_CLIENT_SECRET"),
        "{failures:?}"
    );
    assert!(trace.iter().any(|row| row["operation"] == "TABLE_WRITE"));
    assert_nobody_is_named(&deployment, &[&usage]);
}

#[tokio::test]
async fn what_is_missing_for_licences_is_named_with_what_to_do() {
    let deployment = deployment(40, "").await;
    let bucket = ("UPTAKE_STORE", "s3://nobodys-bucket");
    let settings = [
        (
            usage(&deployment, &[("UPTAKE_CLIENT_SECRET_PARAMETER", "/nothing")]),
            ["SSM parameter /nothing", "create it"],
        ),
        (
            usage(&deployment, &[("UPTAKE_TENANT_ID_PARAMETER", "/nowhere")]),
            ["SSM parameter /nowhere", "create it"],
        ),
        (
            usage(&deployment, &[bucket]),
            ["s3://nobodys-bucket/", "create the bucket, or correct UPTAKE_STORE"],
        ),
        (
            scoring(&deployment, &[bucket]),
            ["s3://nobodys-bucket/", "create the bucket, or correct UPTAKE_STORE"],
        ),
    ];
    for (function, expected) in &settings {
        let error = function.invoke(deployment.trigger()).await.unwrap_err();
        assert_eq!(error["errorType"], "Configuration", "{error}");
        let message = text(&error, "errorMessage");
        assert!(expected.iter().all(|part| message.contains(part)), "{error}");
        deployment.assert_names_nobody(&function.written());
    }
}

#[tokio::test]
async fn what_microsoft_does_not_let_uptake_read_is_a_matter_of_permission() {
    for (route, permission) in [
        ("/v1.0/users", "User.Read.All"),
        ("/v1.0/subscribedSkus", "LicenseAssignment.Read.All"),
        ("/v1.0/copilot/reports/{function}", "Reports.Read.All"),
    ] {
        let fault = format!("[[fault]]\nroute = \"{route}\"\nevery = 1\nkind = \"forbidden\"");
        let deployment = deployment(40, &fault).await;
        let usage = usage(&deployment, &[]);
        let error = usage.invoke(deployment.trigger()).await.unwrap_err();
        assert_eq!(error["errorType"], "Permission", "{error}");
        assert!(text(&error, "errorMessage").contains(permission), "{error}");
        let scored = scoring(&deployment, &[]).invoke(deployment.trigger()).await.unwrap();
        assert_eq!(scored["status"], "nothing_to_do", "{scored}");
        assert_nobody_is_named(&deployment, &[&usage]);
    }
}

#[tokio::test]
async fn a_tenant_that_conceals_names_is_told_where_to_change_that() {
    let deployment = deployment(60, "concealed_names = true").await;
    let usage = usage(&deployment, &[]);
    let error = usage.invoke(deployment.trigger()).await.unwrap_err();
    assert_eq!(error["errorType"], "Concealed", "{error}");
    let message = text(&error, "errorMessage");
    assert!(
        message.contains("Settings > Org settings > Reports") && message.contains("Display concealed"),
        "{message}"
    );
    // Directory and licences are stored all the same.
    let reader = IndependentReader::of_moto(&deployment.moto);
    let truth = deployment.simulator.tenant(day_of(deployment.now));
    let users = reader.rows(&table(SILVER_USERS.name), &["user_id"]);
    assert_eq!(users.len(), truth.users.len());
    let summary = reader.rows(&table(GOLD_LICENSE_SUMMARY.name), &["user_id", "license_status"]);
    let assigned = summary.iter().filter(|row| row["license_status"] == "assigned").count();
    assert_eq!(assigned, licensed(&truth).len());
    assert!(!keys(&deployment).iter().any(|key| key.contains(GOLD_USAGE_SCORES.name)));
    assert_nobody_is_named(&deployment, &[&usage]);
}

/// The policy that the table of permissions in a function's readme makes, without the rows that hold `left_out`. moto asks
/// for those of S3 alone.
pub(crate) fn policy(function: &str, left_out: Option<&str>) -> Value {
    let readme = format!("{}/../lambdas/{function}/README.md", env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, table) = readme.split_once("| permission | on | for |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().filter(|row| row.starts_with("| `"));
    let statements: Vec<Value> = rows
        .filter(|row| left_out.is_none_or(|left_out| !row.contains(left_out)))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let quoted = |cell: &str| -> Vec<String> {
                let quoted = cell.split('`').skip(1).step_by(2);
                quoted
                    .map(|text| {
                        text.replace("<bucket>", BUCKET)
                            .replace("<prefix>", "prod")
                            .replace("<engagement bucket>", BUCKET)
                            .replace("<engagement prefix>", "prod/engagement")
                    })
                    .collect()
            };
            let mut resources = quoted(cells[2]);
            resources.retain(|resource| resource.starts_with("arn:aws:s3:"));
            if resources.is_empty() {
                resources.push("*".to_owned());
            }
            json!({"Effect": "Allow", "Action": quoted(cells[1]), "Resource": resources})
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What a role with this policy gives a function: keys, and the session token without which they are nothing.
pub(crate) fn assume_role(deployment: &Deployment, name: &str, policy: &Value) -> [(&'static str, String); 3] {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"},
    }]});
    let role = format!("arn:aws:iam::123456789012:role/{name}");
    let answers = deployment.moto.call(&json!([
        ["iam", "create_role", {"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()}],
        ["iam", "put_role_policy", {
            "RoleName": name, "PolicyName": "readme", "PolicyDocument": policy.to_string(),
        }],
        ["sts", "assume_role", {"RoleArn": role, "RoleSessionName": "function"}],
    ]));
    let credentials = &answers[2]["Credentials"];
    [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ]
    .map(|(variable, field)| (variable, text(credentials, field).to_owned()))
}

#[tokio::test]
async fn the_permissions_on_s3_of_the_readmes_are_enough_and_needed() {
    let deployment = deployment_on(Moto::start_single_threaded().await, 40, "").await;
    let functions = ["m365-usage", "scoring", "copilot-seats"];
    let start = |name: &str, role: &[(&'static str, String)]| {
        let role: Vec<(&str, &str)> = role.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match name {
            "m365-usage" => usage(&deployment, &role),
            "scoring" => scoring(&deployment, &role),
            other => deployment.function(other, &role),
        }
    };
    for name in functions {
        let role = assume_role(&deployment, &format!("{name}-role"), &policy(name, None));
        let function = start(name, &role);
        deployment.moto.ask_for_permission(true).await;
        let answer = function.invoke(deployment.trigger()).await;
        deployment.moto.ask_for_permission(false).await;
        assert_eq!(answer.as_ref().unwrap()["status"], "complete", "{answer:?}");
        assert_nobody_is_named(&deployment, &[&function]);
    }
    // Each row is needed, but for those that need larger or older tables than these.
    let again = json!({"scheduled_time": deployment.now, "replace": true});
    for (name, left_out) in [
        ("m365-usage", "`s3:GetObject`"),
        ("m365-usage", "`s3:ListBucket`"),
        ("scoring", "`s3:PutObject`"),
        ("scoring", "state/m365-usage"),
        ("scoring", "`s3:ListBucket`"),
        ("copilot-seats", "`s3:PutObject`"),
    ] {
        let role = format!("{name}-{}", left_out.replace(|c: char| !c.is_alphanumeric(), "-"));
        let role = assume_role(&deployment, &role, &policy(name, Some(left_out)));
        let function = start(name, &role);
        deployment.moto.ask_for_permission(true).await;
        let answer = function.invoke(again.clone()).await;
        deployment.moto.ask_for_permission(false).await;
        let error = answer.unwrap_err();
        assert_eq!(error["errorType"], "Permission", "{name} without {left_out}: {error}");
        assert!(text(&error, "errorMessage").contains("grant"), "{error}");
        assert_nobody_is_named(&deployment, &[&function]);
    }
}
