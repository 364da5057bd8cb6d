//! Log events and distributions as they arrive: written by the adapters for AWS, read back by boto3.

use std::collections::{BTreeMap, HashMap};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatch::config::{Credentials, SharedCredentialsProvider};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uptake_aws::cloudwatch::CloudWatch;
use uptake_aws::cloudwatch_logs::CloudWatchLogs;
use uptake_domain::catalogue::{Dimension, MOST_VALUES, WATERMARK_LAG};
use uptake_pipeline::ports::{Clock, LogEvent, LogStream, Logs, Metrics, RejectedEvents, SystemClock};

use crate::moto::Moto;

const GROUP: &str = "/uptake/workflow-runs-2026-11-16_2026-11-22";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What leads the SDK to moto. The environment would, but belongs to the whole test process.
pub(crate) fn sdk_config(moto: &Moto) -> SdkConfig {
    let environment = HashMap::from(moto.environment());
    let credentials = Credentials::new(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        None,
        None,
        "test",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(environment["AWS_REGION"].to_owned()))
        .endpoint_url(environment["AWS_ENDPOINT_URL"])
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn logs(moto: &Moto) -> CloudWatchLogs {
    CloudWatchLogs::new(aws_sdk_cloudwatchlogs::Client::new(&sdk_config(moto)))
}

fn stream(name: &str) -> LogStream {
    LogStream {
        group: GROUP.to_owned(),
        name: name.to_owned(),
        retention_days: 90,
    }
}

/// The present as far as the service keeps it.
fn now() -> Timestamp {
    Timestamp::from_millisecond(SystemClock.now().as_millisecond()).unwrap()
}

/// An event as large as a run attempt is.
fn event(id: i64, timestamp: Timestamp) -> LogEvent {
    let message = json!({"run_id": id, "workflow": "é".repeat(200)});
    LogEvent {
        timestamp,
        message: message.as_object().unwrap().clone(),
    }
}

/// Everything boto3 finds in a stream, as `(timestamp, message)`.
fn messages(moto: &Moto, stream: &LogStream) -> Vec<(i64, Value)> {
    let mut messages = Vec::new();
    let mut arguments = json!({"logGroupName": stream.group, "logStreamName": stream.name, "startFromHead": true});
    loop {
        let page = moto.call_one("logs", "get_log_events", &arguments);
        for event in page["events"].as_array().unwrap() {
            let message = serde_json::from_str(event["message"].as_str().unwrap()).unwrap();
            messages.push((event["timestamp"].as_i64().unwrap(), message));
        }
        if arguments["nextToken"] == page["nextForwardToken"] {
            return messages;
        }
        arguments["nextToken"] = page["nextForwardToken"].clone();
    }
}

fn retention(moto: &Moto) -> Value {
    let groups = moto.call_one("logs", "describe_log_groups", &json!({"logGroupNamePrefix": GROUP}));
    groups["logGroups"][0]["retentionInDays"].clone()
}

#[tokio::test]
async fn a_week_of_events_arrives_in_a_new_group_and_is_read_back_as_it_was_written() {
    let moto = Moto::start().await;
    let logs = logs(&moto);
    let stream = stream("week");
    assert_eq!(logs.events(&stream).await.unwrap(), []);

    // 12,000 events over six days, handed over newest first.
    let begin = now() - 6 * 24 * HOUR;
    let mut events: Vec<LogEvent> = (0..12_000)
        .map(|number| event(number, begin + SignedDuration::from_secs(43 * number)))
        .rev()
        .collect();
    let rejected = logs.append(&stream, &events).await.unwrap();
    assert_eq!(rejected, RejectedEvents::default());

    events.reverse();
    let expected: Vec<(i64, Value)> = events
        .iter()
        .map(|event| (event.timestamp.as_millisecond(), Value::Object(event.message.clone())))
        .collect();
    assert_eq!(messages(&moto, &stream), expected);
    assert_eq!(logs.events(&stream).await.unwrap(), events);
    assert_eq!(retention(&moto), 90);
    let streams = moto.call_one("logs", "describe_log_streams", &json!({"logGroupName": GROUP}));
    assert_eq!(streams["logStreams"].as_array().unwrap().len(), 1);
    // moto counts the batches a stream got: one a day.
    assert_eq!(streams["logStreams"][0]["uploadSequenceToken"], "6");
}

#[tokio::test]
async fn a_group_that_was_left_without_retention_gets_it_with_its_next_stream() {
    let moto = Moto::start().await;
    moto.call_one("logs", "create_log_group", &json!({"logGroupName": GROUP}));
    assert_eq!(retention(&moto), Value::Null);
    let first = stream("first");
    let events = [event(1, now())];
    logs(&moto).append(&first, &events).await.unwrap();
    assert_eq!(retention(&moto), 90);
    // Another stream finds the group complete.
    logs(&moto).append(&stream("second"), &events).await.unwrap();
    assert_eq!(logs(&moto).events(&first).await.unwrap(), events);
}

#[tokio::test]
async fn what_is_written_twice_stands_there_twice() {
    let moto = Moto::start().await;
    let logs = logs(&moto);
    let stream = stream("twice");
    let events = [event(1, now() - HOUR), event(2, now())];
    logs.append(&stream, &events).await.unwrap();
    logs.append(&stream, &events).await.unwrap();
    let [first, second] = events;
    let expected = [first.clone(), first, second.clone(), second];
    assert_eq!(logs.events(&stream).await.unwrap(), expected);
}

#[tokio::test]
async fn events_the_service_leaves_out_are_counted_as_it_says() {
    let moto = Moto::start().await;
    let logs = logs(&moto);
    let stream = stream("window");
    let now = now();
    let kept = event(3, now);
    let old: Vec<LogEvent> = (0..3).map(|id| event(id, now - 15 * 24 * HOUR)).collect();
    let early = event(4, now + 3 * HOUR);
    let all = [old.as_slice(), &[kept.clone(), early.clone()]].concat();
    let rejected = logs.append(&stream, &all).await.unwrap();

    // The same as it stands in the service's own answer. moto gives the place of the last event that is too old where AWS
    // gives the one after it.
    let answer = |events: &[LogEvent]| {
        let events: Vec<Value> = events
            .iter()
            .map(|event| json!({"timestamp": event.timestamp.as_millisecond(), "message": "{}"}))
            .collect();
        let arguments = json!({"logGroupName": GROUP, "logStreamName": "other", "logEvents": events});
        moto.call_one("logs", "put_log_events", &arguments)["rejectedLogEventsInfo"].clone()
    };
    let other = json!({"logGroupName": GROUP, "logStreamName": "other"});
    moto.call_one("logs", "create_log_stream", &other);
    assert_eq!(answer(&old), json!({"tooOldLogEventEndIndex": rejected.too_old}));
    assert_eq!(answer(&[kept.clone(), early]), json!({"tooNewLogEventStartIndex": 1}));
    assert_eq!((rejected.too_new, rejected.expired), (1, 0));
    assert_eq!(logs.events(&stream).await.unwrap(), [kept]);
}

#[tokio::test]
async fn a_distribution_arrives_with_every_value_as_often_as_it_occurred() {
    let moto = Moto::start().await;
    let metrics = CloudWatch::new(aws_sdk_cloudwatch::Client::new(&sdk_config(&moto)));
    // More values than one datum holds.
    let values: BTreeMap<u64, u64> = (1..=MOST_VALUES as u64 + 50)
        .map(|value| (value, value % 7 + 1))
        .collect();
    let from = now() - 2 * HOUR;
    let data = WATERMARK_LAG.distribution(&[(Dimension::Function, "runs".to_owned())], from, &values);
    assert_eq!(data.len(), 2);
    metrics.publish(&data).await.unwrap();

    let answer = moto.call_one(
        "cloudwatch",
        "get_metric_statistics",
        &json!({
            "Namespace": WATERMARK_LAG.namespace.as_str(), "MetricName": WATERMARK_LAG.name, "Unit": "Seconds",
            "Dimensions": [{"Name": "Function", "Value": "runs"}], "StartTime": from - HOUR, "EndTime": from + HOUR,
            "Period": 7_200, "Statistics": ["SampleCount", "Sum", "Minimum", "Maximum"],
        }),
    );
    let [point] = answer["Datapoints"].as_array().unwrap().as_slice() else {
        panic!("{answer}");
    };
    let samples: u64 = values.values().sum();
    let sum: u64 = values.iter().map(|(value, count)| value * count).sum();
    for (statistic, expected) in [("SampleCount", samples), ("Sum", sum), ("Minimum", 1), ("Maximum", 200)] {
        assert_eq!(
            point[statistic].as_f64(),
            Some(f64::from(u32::try_from(expected).unwrap())),
            "{statistic}"
        );
    }
}
