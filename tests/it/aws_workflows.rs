//! `workflow-metrics` as it is deployed: log events and metrics on moto, against the simulator's own account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use uptake_domain::calendar::{HOUR, Window, day_of, start_of, start_of_hour};
use uptake_simulator::RunAttemptTruth;

use crate::actions::{at, expected, expected_counters, ids, team, without_address};
use crate::aws_face::{BUCKET, Deployment};
use crate::runtime_api::Function;

const LIST: &str = "prod/config/repositories.yml";
const NAMESPACE: &str = "Uptake/Workflows";
const COUNTERS: [&str; 4] = ["RunAttempts", "FailedRunAttempts", "ReRuns", "RunnerMinutes"];

/// What one series says of one window: the series as its metric and dimensions, such as `RunAttempts Team=payments`.
type Points = BTreeMap<(String, Timestamp), f64>;

/// One log event as boto3 reads it back.
pub(crate) struct Event {
    stream_start: Timestamp,
    pub(crate) timestamp: Timestamp,
    pub(crate) text: String,
}

impl Event {
    pub(crate) fn fields(&self) -> BTreeMap<String, Value> {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Every attempt that ended in the window, as the simulator knows it. One that was begun again before anybody looked, of
/// a run older than a week, is not looked for.
fn truth(deployment: &Deployment, since: Timestamp, to: Timestamp) -> Vec<RunAttemptTruth> {
    let week = SignedDuration::from_hours(7 * 24);
    let attempts = deployment.simulator.run_attempts(since, to).into_iter();
    attempts
        .filter(|attempt| since <= attempt.ended_at && attempt.ended_at < to)
        .filter(|attempt| attempt.started_at >= since || attempt.run_created_at >= since - week)
        .collect()
}

/// Every item of a list, page by page.
pub(crate) fn listed(
    deployment: &Deployment,
    service: &str,
    operation: &str,
    mut arguments: Value,
    items: &str,
) -> Vec<Value> {
    let token = if service == "logs" { "nextToken" } else { "NextToken" };
    let mut all = Vec::new();
    loop {
        let page = deployment.moto.call_one(service, operation, &arguments);
        all.extend(page[items].as_array().unwrap().iter().cloned());
        match page.get(token) {
            Some(next) => arguments[token] = next.clone(),
            None => return all,
        }
    }
}

/// The names of all log groups, each of which keeps its events for 400 days.
pub(crate) fn groups(deployment: &Deployment) -> BTreeSet<String> {
    let groups = listed(deployment, "logs", "describe_log_groups", json!({}), "logGroups").into_iter();
    let named = groups.map(|group| {
        assert_eq!(group["retentionInDays"], 400, "{group}");
        group["logGroupName"].as_str().unwrap().to_owned()
    });
    named.collect()
}

/// Every log event of every stream.
pub(crate) fn events(deployment: &Deployment) -> Vec<Event> {
    let mut starts = Vec::new();
    let mut calls = Vec::new();
    for group in groups(deployment) {
        let arguments = json!({"logGroupName": group});
        for stream in listed(deployment, "logs", "describe_log_streams", arguments, "logStreams") {
            let name = stream["logStreamName"].as_str().unwrap();
            let (start, id) = name.split_once('-').unwrap();
            let start = DateTime::strptime("%Y%m%dT%H%M%SZ", start).unwrap();
            starts.push(start.to_zoned(TimeZone::UTC).unwrap().timestamp());
            let id: uuid::Uuid = id.parse().unwrap();
            assert_eq!(id.get_version_num(), 5, "{name}");
            calls.push(json!(["logs", "get_log_events", {
                "logGroupName": group, "logStreamName": name, "startFromHead": true,
            }]));
        }
    }
    let distinct: BTreeSet<&Timestamp> = starts.iter().collect();
    assert_eq!(distinct.len(), starts.len(), "an hour has one stream");
    let pages = deployment.moto.call(&calls.clone().into());
    for (call, page) in calls.iter_mut().zip(&pages) {
        call[2]["nextToken"] = page["nextForwardToken"].clone();
    }
    let rest = deployment.moto.call(&calls.into());
    let rest = rest.iter().all(|page| page["events"].as_array().unwrap().is_empty());
    assert!(rest, "one page holds a stream");
    let read = starts.iter().zip(&pages).flat_map(|(stream_start, page)| {
        page["events"].as_array().unwrap().iter().map(|event| Event {
            stream_start: *stream_start,
            timestamp: Timestamp::from_millisecond(event["timestamp"].as_i64().unwrap()).unwrap(),
            text: event["message"].as_str().unwrap().to_owned(),
        })
    });
    read.collect()
}

/// Every series there is, as CloudWatch lists them.
fn series(deployment: &Deployment) -> BTreeMap<String, Value> {
    let arguments = json!({"Namespace": NAMESPACE});
    let metrics = listed(deployment, "cloudwatch", "list_metrics", arguments, "Metrics").into_iter();
    let named = metrics.map(|metric| {
        let dimensions = metric["Dimensions"].as_array().unwrap().iter();
        let dimensions: Vec<String> = dimensions
            .map(|dimension| {
                let part = |key: &str| dimension[key].as_str().unwrap();
                format!(" {}={}", part("Name"), part("Value"))
            })
            .collect();
        let name = metric["MetricName"].as_str().unwrap().to_owned() + &dimensions.concat();
        (name, metric)
    });
    named.collect()
}

/// The metric of a series.
fn metric(series: &str) -> &str {
    series.split(' ').next().unwrap()
}

/// What a dashboard reads of these metrics in all their series, at the period of an hour.
fn points(deployment: &Deployment, metrics: &[&str], statistic: &str, from: Timestamp, to: Timestamp) -> Points {
    let series = series(deployment).into_iter();
    let (names, calls): (Vec<String>, Vec<Value>) = series
        .filter(|(name, _)| metrics.contains(&metric(name)))
        .map(|(name, mut call)| {
            call["StartTime"] = json!(from);
            call["EndTime"] = json!(to);
            call["Period"] = json!(3_600);
            call["Statistics"] = json!([statistic]);
            (name, json!(["cloudwatch", "get_metric_statistics", call]))
        })
        .unzip();
    let answers = deployment.moto.call(&calls.into());
    let read = names.iter().zip(&answers).flat_map(|(name, answer)| {
        answer["Datapoints"].as_array().unwrap().iter().map(move |point| {
            let window = at(point["Timestamp"].as_str().unwrap());
            ((name.clone(), window), point[statistic].as_f64().unwrap())
        })
    });
    read.collect()
}

/// The values that each series has in each window.
type Values = BTreeMap<(String, Timestamp), Vec<f64>>;

/// What moto makes of values. A metric without dimensions is a series of its own for AWS; moto puts the values of all the
/// metric's series into it.
fn points_of(values: Values, statistic: &str) -> Points {
    let mut of_all = Values::new();
    for ((series, window), values) in &values {
        let key = (metric(series).to_owned(), *window);
        of_all.entry(key).or_default().extend(values);
    }
    let points = values.into_iter().chain(of_all).map(|(key, values)| {
        let sum: f64 = values.iter().sum();
        let count = number(values.len() as u64);
        let point = match statistic {
            "Sum" => sum,
            "Average" => sum / count,
            "SampleCount" => count,
            _ => values.into_iter().fold(0.0, f64::max),
        };
        (key, point)
    });
    points.collect()
}

/// Whether all of the day that begins so was looked at, and is over: others have no figures by repository.
fn is_whole(day: Timestamp, looked: Window) -> bool {
    looked.from <= day && day + HOUR * 24 <= looked.to
}

/// What the counters must say, once each.
fn counters(truth: &[RunAttemptTruth], looked: Window) -> Values {
    let is_told = |series: &str, window: Timestamp| !series.contains(" Repository=") || is_whole(window, looked);
    let counters = expected_counters(truth).into_iter();
    counters
        .filter(|((series, window), _)| is_told(series, *window))
        .map(|(key, count)| (key, vec![number(count)]))
        .collect()
}

/// What a distribution holds, where each attempt adds a value or none.
fn distribution(
    name: &str,
    truth: &[RunAttemptTruth],
    looked: Window,
    value: impl Fn(&RunAttemptTruth) -> Option<f64>,
) -> Values {
    let mut values = Values::new();
    for attempt in truth {
        let (hour, day) = (start_of_hour(attempt.ended_at), start_of(day_of(attempt.ended_at)));
        let by_repository = is_whole(day, looked).then(|| (format!("{name} Repository={}", attempt.repository), day));
        let by_team = (format!("{name} Team={}", team(&attempt.repository)), hour);
        for key in [(name.to_owned(), hour), by_team].into_iter().chain(by_repository) {
            values.entry(key).or_default().extend(value(attempt));
        }
    }
    values.retain(|_, values| !values.is_empty());
    values
}

/// A success counts 100 and a failure 0, anything else nothing.
fn verdict(attempt: &RunAttemptTruth) -> Option<f64> {
    match attempt.conclusion.as_str() {
        "success" => Some(100.0),
        "failure" | "timed_out" | "startup_failure" => Some(0.0),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Asserts that the log events are those of the attempts, field by field, each once and in its place.
fn assert_events(deployment: &Deployment, truth: &[RunAttemptTruth]) {
    let events = events(deployment);
    let mut weeks = BTreeSet::new();
    for attempt in truth {
        let day = day_of(attempt.ended_at);
        let monday = day - i32::from(day.weekday().to_monday_zero_offset()).days();
        weeks.insert(format!("/uptake/workflow-runs-{monday}_{}", monday + 6.days()));
    }
    assert_eq!(groups(deployment), weeks);
    for event in &events {
        assert_eq!(start_of_hour(event.timestamp), event.stream_start, "{}", event.text);
        assert_eq!(at(event.fields()["ended_at"].as_str().unwrap()), event.timestamp);
        deployment.assert_names_nobody(&event.text);
    }
    let told: Vec<_> = events.iter().map(|event| without_address(event.fields())).collect();
    let expected: Vec<_> = truth.iter().map(expected).collect();
    assert_eq!(ids(&told), ids(&expected));
    assert_eq!(told.len(), expected.len(), "no event stands there twice");
    let by_id = |events: Vec<BTreeMap<String, Value>>| -> BTreeMap<_, _> {
        events.into_iter().map(|event| (ids([&event]), event)).collect()
    };
    assert_eq!(by_id(told), by_id(expected));
}

/// Asserts that the counters, read so, say what the truth says, and nothing where it says nothing.
fn assert_counters(deployment: &Deployment, truth: &[RunAttemptTruth], statistic: &str, looked: Window) {
    let from = start_of(day_of(truth[0].ended_at));
    let told = points(deployment, &COUNTERS, statistic, from, looked.to);
    let expected = points_of(counters(truth, looked), statistic);
    for (key, count) in &expected {
        assert_eq!(told.get(key), Some(count), "{statistic} of {key:?}");
    }
    for (key, value) in &told {
        assert!(
            expected.contains_key(key) || *value == 0.0,
            "{statistic} of {key:?}: {value}"
        );
    }
    // The same once more, without the way from which the expectation comes.
    if statistic == "Maximum" {
        let by_team = told
            .iter()
            .filter(|((series, _), _)| series.starts_with("RunAttempts Team="));
        assert_eq!(by_team.map(|(_, value)| value).sum::<f64>(), number(truth.len() as u64));
    }
}

/// Asserts that a distribution, read so, is that of the truth: each series of its own, or all in one as moto has it.
fn assert_distribution(deployment: &Deployment, name: &str, values: Values, statistic: &str, looked: Window) {
    let first = values.keys().map(|(_, window)| *window).min().unwrap();
    let told = points(deployment, &[name], statistic, start_of(day_of(first)), looked.to);
    assert_points(&told, &points_of(values, statistic), statistic);
}

fn assert_points(told: &Points, expected: &Points, statistic: &str) {
    let keys = |points: &Points| points.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(told), keys(expected), "{statistic}");
    for (key, value) in expected {
        assert!(
            (told[key] - value).abs() < 1e-9,
            "{statistic} of {key:?}: {} is not {value}",
            told[key]
        );
    }
}

/// Asserts that the success rates of teams stand, over hours that were published more than once.
fn assert_success_rates_stand(deployment: &Deployment, truth: &[RunAttemptTruth], looked: Window) {
    let by_team = |mut points: Points| {
        points.retain(|(series, _), _| series.contains(" Team="));
        points
    };
    let from = start_of(day_of(truth[0].ended_at));
    let told = points(deployment, &["SuccessRate"], "Average", from, looked.to);
    let expected = points_of(distribution("SuccessRate", truth, looked, verdict), "Average");
    assert_points(&by_team(told), &by_team(expected), "Average");
}

/// Invokes the function at whole hours, each of which ends complete and with its watermark.
async fn offer(deployment: &Deployment, function: &Function, hours: &[Timestamp]) -> Vec<Value> {
    let mut answers = Vec::new();
    for hour in hours {
        deployment.simulator.set_now(*hour);
        let answer = function.invoke(json!({"scheduled_time": hour})).await.unwrap();
        assert_eq!(answer["status"], "complete", "{answer}");
        assert_eq!(answer["watermark"], json!(hour), "{answer}");
        answers.push(answer);
    }
    answers
}

/// Sum over the answers.
fn stored(answers: &[Value]) -> u64 {
    answers
        .iter()
        .map(|answer| answer["counts"]["stored"].as_u64().unwrap())
        .sum()
}

#[tokio::test]
async fn hours_on_aws_end_with_one_log_event_an_attempt_and_counters_that_repeats_leave_as_they_are() {
    let deployment = Deployment::of(10, 250).await;
    let function = deployment.function("workflow-metrics", &[]);
    // Four hours, and the last one after a day on which nothing was started: by then every re-run is known.
    let to = start_of_hour(deployment.now);
    let first = to - HOUR * 27;
    let since = first - HOUR * 24;
    let (by_first, by_now) = (Window { from: since, to: first }, Window { from: since, to });
    let mut answers = offer(&deployment, &function, &[first]).await;
    let early = truth(&deployment, since, first);
    assert!(early.len() > 10, "{}", early.len());
    assert_eq!(stored(&answers), early.len() as u64);
    assert_events(&deployment, &early);
    assert_counters(&deployment, &early, "Sum", by_first);
    let durations = distribution("RunDuration", &early, by_first, |attempt| {
        Some(number(attempt.duration_seconds))
    });
    assert_distribution(&deployment, "RunDuration", durations.clone(), "SampleCount", by_first);
    assert_distribution(&deployment, "RunDuration", durations, "Average", by_first);
    let rates = distribution("SuccessRate", &early, by_first, verdict);
    assert_distribution(&deployment, "SuccessRate", rates, "Average", by_first);

    let later = [first + HOUR, first + HOUR * 2, first + HOUR * 3, to];
    answers.extend(offer(&deployment, &function, &later).await);
    let all = truth(&deployment, since, to);
    assert_eq!(stored(&answers), all.len() as u64);
    assert_events(&deployment, &all);
    assert_counters(&deployment, &all, "Maximum", by_now);

    let again = function.invoke(json!({"scheduled_time": to})).await.unwrap();
    assert_eq!(again["status"], "nothing_to_do", "{again}");
    answers.push(again);
    for _ in 0..2 {
        let window = json!({"from": first - HOUR * 3, "to": to});
        let replace = json!({"scheduled_time": to, "window": window, "replace": true});
        let replaced = function.invoke(replace).await.unwrap();
        assert_eq!(replaced["status"], "complete", "{replaced}");
        assert_eq!(replaced["counts"]["stored"], 0, "{replaced}");
        assert!(replaced["counts"]["published"].as_u64() > Some(0), "{replaced}");
        answers.push(replaced);
    }
    assert_events(&deployment, &all);
    assert_counters(&deployment, &all, "Maximum", by_now);
    assert_success_rates_stand(&deployment, &early, by_first);

    let written = function.written();
    assert!(written.contains(r#""status":"nothing_to_do""#), "{written}");
    deployment.assert_names_nobody(&written);
    deployment.assert_names_nobody(&json!(answers).to_string());
    deployment.assert_names_nobody(&json!(series(&deployment)).to_string());
}

#[tokio::test]
async fn a_dry_run_of_workflow_metrics_leaves_nothing_on_aws() {
    let deployment = Deployment::of(10, 40).await;
    let function = deployment.function("workflow-metrics", &[]);
    let objects = || {
        let listed = deployment
            .moto
            .call_one("s3", "list_objects_v2", &json!({"Bucket": BUCKET, "Prefix": "prod/"}));
        let objects = listed["Contents"].as_array().unwrap().iter();
        objects.map(|object| object["Key"].clone()).collect::<Vec<_>>()
    };
    let before = objects();
    let trigger = json!({"scheduled_time": deployment.now, "dry_run": true});
    let answer = function.invoke(trigger).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    assert_eq!(answer["counts"]["stored"], 0, "{answer}");
    assert!(answer["counts"]["fetched"].as_u64() > Some(0), "{answer}");
    assert_eq!(objects(), before);
    assert_eq!(groups(&deployment), BTreeSet::new());
    assert_eq!(series(&deployment), BTreeMap::new());
    deployment.assert_names_nobody(&(function.written() + &answer.to_string()));
}

#[tokio::test]
async fn a_list_of_repositories_that_cannot_be_used_is_named_with_line_and_remedy() {
    let deployment = Deployment::of(10, 0).await;
    let function = deployment.function("workflow-metrics", &[]);
    let put = |text: &str| {
        let object = json!({"Bucket": BUCKET, "Key": LIST, "Body": text});
        deployment.moto.call_one("s3", "put_object", &object);
    };
    let object = json!({"Bucket": BUCKET, "Key": LIST});
    deployment.moto.call_one("s3", "delete_object", &object);
    let place = "s3://octo-uptake/prod/config/repositories.yml";
    let mut list = None;
    for (text, expected) in [
        (
            None,
            ["does not exist", "put `discover: {organisations: [your-org]}` there"],
        ),
        (
            Some("discover:\n  organisations: [octo-org]\nteems: {}\n"),
            ["line 3", "expected one of discover, teams"],
        ),
        (
            Some("teams:\n  payments: [octo-org/pay-api]\n  ledger:\n    - octo-org/pay-api\n"),
            ["claimed by ledger and by payments", "give it one team"],
        ),
        (
            Some("discover: {organisations: [octo-org]}\nteams:\n  payments:\n    - pay-api\n"),
            ["line 4: 'pay-api' is no repository", "write owner/name"],
        ),
        (Some("teams: {}\n"), ["it names no repository", "add discover:"]),
        (Some("discover: [\n"), ["line", ""]),
    ] {
        if let Some(text) = text {
            put(text);
            list = Some(text);
        }
        let error = function.invoke(deployment.trigger()).await.unwrap_err();
        assert_eq!(error["errorType"], "Configuration", "{error}");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains(place), "{list:?}: {message}");
        assert!(
            expected.iter().all(|part| message.contains(part)),
            "{list:?}: {message}"
        );
    }
    // The next invocation reads it anew.
    put("discover: {organisations: [octo-org]}");
    let answer = function.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");

    // Organisations in the environment stand in for a list that is not there.
    deployment.moto.call_one("s3", "delete_object", &object);
    let function = deployment.function("workflow-metrics", &[("UPTAKE_GITHUB_ORGS", "octo-labs")]);
    let trigger = json!({"scheduled_time": deployment.now, "replace": true});
    let answer = function.invoke(trigger).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    deployment.assert_names_nobody(&function.written());
}
