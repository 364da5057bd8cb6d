//! Messages of a queue as a trigger: they say that it is worth working now, and nothing else of them is believed.
//!
//! The form of the event: docs.aws.amazon.com, "Using Lambda with Amazon SQS", read 2026-11-22.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uptake_pipeline::trigger::Trigger;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventSource")]
    source: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    /// Milliseconds since 1970, by SQS's own clock and nobody else's.
    #[serde(rename = "SentTimestamp")]
    sent_at: String,
}

/// The trigger that an event of SQS stands for: the instant of its newest message. Nothing where the payload is no such
/// event. A clock that is behind SQS's must not make a message one of the future.
pub(crate) fn trigger(payload: &Value, now: Timestamp) -> Option<Trigger> {
    // What a scheduler or a person sends is not looked at any further.
    payload.get("Records")?;
    let event = Event::deserialize(payload).ok()?;
    let sent_at = |record: &Record| {
        let is_of_queue = record.source == "aws:sqs";
        let milliseconds = is_of_queue.then(|| record.attributes.sent_at.parse().ok())??;
        Timestamp::from_millisecond(milliseconds).ok()
    };
    let sent: Option<Vec<Timestamp>> = event.records.iter().map(sent_at).collect();
    Some(Trigger::at(sent?.into_iter().max()?.min(now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(sent_at: impl Into<Value>) -> Value {
        json!({
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
            "body": r#"{"scheduled_time": "1999-01-01T00:00:00Z", "replace": true}"#,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent_at.into(),
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1545082649185",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
            "awsRegion": "us-east-2",
        })
    }

    fn of(records: &[Value]) -> Option<Trigger> {
        trigger(
            &json!({"Records": records}),
            Timestamp::from_second(1_545_082_700).unwrap(),
        )
    }

    #[test]
    fn messages_stand_for_the_instant_of_the_newest_and_what_they_say_is_not_read() {
        let newest = Trigger::at("2018-12-17T21:37:29.183Z".parse().unwrap());
        let records = [
            record("1545082649000"),
            record("1545082649183"),
            record("1545082640000"),
        ];
        assert_eq!(of(&records), Some(newest));
    }

    #[test]
    fn a_message_of_the_future_is_one_of_now() {
        let now = Timestamp::from_second(1_545_082_700).unwrap();
        assert_eq!(of(&[record("1545082700001")]), Some(Trigger::at(now)));
        assert_eq!(
            of(&[record("9999999999999999")]),
            None,
            "what is no instant is no message"
        );
    }

    #[test]
    fn what_is_no_event_of_a_queue_is_no_trigger() {
        let mut other = record("1545082649183");
        other["eventSource"] = "aws:s3".into();
        let good = record("1545082649183");
        for records in [
            vec![],
            vec![other.clone()],
            vec![good.clone(), other],
            vec![good, record("soon")],
            vec![record(1_545_082_649_183_i64)],
            vec![json!({})],
            vec![json!(7)],
        ] {
            assert_eq!(of(&records), None, "{records:?}");
        }
        let now = Timestamp::UNIX_EPOCH;
        for payload in [
            json!({"scheduled_time": "2026-11-20T06:00:00Z"}),
            json!({"Records": 7}),
            json!(null),
            json!([]),
        ] {
            assert_eq!(trigger(&payload, now), None, "{payload}");
        }
    }
}
