//! Log events: whole streams read from and appended to `CloudWatch` Logs, in as few batches as its limits allow.

use std::error::Error;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Config;
use aws_sdk_cloudwatchlogs::config::interceptors::InterceptorContext;
use aws_sdk_cloudwatchlogs::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupError;
use aws_sdk_cloudwatchlogs::operation::put_log_events::PutLogEventsOutput;
use aws_sdk_cloudwatchlogs::operation::put_retention_policy::PutRetentionPolicyError;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, OutputLogEvent, RejectedLogEventsInfo};
use jiff::Timestamp;
use uptake_pipeline::ports::{LogEvent, LogStream, Logs, PortError, RejectedEvents};

use crate::service_error::{causes, port_error};

/// What one `PutLogEvents` request may hold.
#[derive(Clone, Copy, Debug)]
struct Limits {
    events: usize,
    bytes: usize,
    /// The first instant that is too far from the first event.
    milliseconds: i64,
}

/// "The maximum batch size is 1,048,576 bytes", "the maximum number of log events in a batch is 10,000" and "the time
/// span in a single batch cannot exceed 24 hours" (`PutLogEvents`, Amazon CloudWatch Logs API reference as botocore 1.44.5
/// carries it, read 2026-11-22).
const LIMITS: Limits = Limits {
    events: 10_000,
    bytes: 1_048_576,
    milliseconds: 24 * 60 * 60 * 1_000,
};

/// "The sum of all event messages in UTF-8, plus 26 bytes for each log event" (the same page, read 2026-11-22).
const EVENT_BYTES: usize = 26;

/// What the service calls a group or a stream that is not there, or already is.
const NOT_FOUND: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceAlreadyExistsException";

/// `CloudWatch` Logs in the function's own account and region. Instants are kept to the millisecond.
#[derive(Clone, Debug)]
pub struct CloudWatchLogs(Client);

impl CloudWatchLogs {
    /// Reads and writes through `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Writes one batch, into a new stream where there is none.
    async fn put(&self, stream: &LogStream, batch: Vec<InputLogEvent>) -> Result<PutLogEventsOutput, PortError> {
        let request = self
            .0
            .put_log_events()
            .log_group_name(&stream.group)
            .log_stream_name(&stream.name)
            .set_log_events(Some(batch));
        let put = || {
            let once = Config::builder().retry_classifier(NeverTwice);
            request.clone().customize().config_override(once).send()
        };
        let answer = match put().await {
            Err(error) if error.code() == Some(NOT_FOUND) => {
                self.create(stream).await?;
                put().await
            }
            answer => answer,
        };
        answer.map_err(|error| failed("logs:PutLogEvents", stream, &error))
    }

    /// Makes the stream, and its group where there is none.
    ///
    /// The group gets its retention even if it was there before: whoever made it may have ended before the second call,
    /// and a group without retention keeps its events, and costs, for ever.
    async fn create(&self, stream: &LogStream) -> Result<(), PortError> {
        let patiently = || Config::builder().retry_classifier(AfterConflict);
        let group = self.0.create_log_group().log_group_name(&stream.group);
        let group = group.customize().config_override(patiently()).send().await;
        unless_it_exists("logs:CreateLogGroup", stream, group)?;
        let retention = self
            .0
            .put_retention_policy()
            .log_group_name(&stream.group)
            .retention_in_days(stream.retention_days.into());
        let retention = retention.customize().config_override(patiently()).send().await;
        retention.map_err(|error| failed("logs:PutRetentionPolicy", stream, &error))?;
        let created = self
            .0
            .create_log_stream()
            .log_group_name(&stream.group)
            .log_stream_name(&stream.name)
            .send()
            .await;
        unless_it_exists("logs:CreateLogStream", stream, created)
    }
}

#[async_trait]
impl Logs for CloudWatchLogs {
    /// An event that is no JSON object is an error and not left out: only Uptake writes its streams, so whoever asks what
    /// stands there already had better hear that something else does.
    async fn events(&self, stream: &LogStream) -> Result<Vec<LogEvent>, PortError> {
        let mut events = Vec::new();
        // The stream ends where the service gives back the token it got; a page before that may be empty. The SDK's
        // paginator knows both.
        let mut pages = self
            .0
            .get_log_events()
            .log_group_name(&stream.group)
            .log_stream_name(&stream.name)
            .start_from_head(true)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    for event in page.events.into_iter().flatten() {
                        events.push(log_event(&event).map_err(|reason| unavailable(stream, reason))?);
                    }
                }
                Err(error) if error.code() == Some(NOT_FOUND) => return Ok(Vec::new()),
                Err(error) => return Err(failed("logs:GetLogEvents", stream, &error)),
            }
        }
        Ok(events)
    }

    /// Nothing is written if an event is too large for the service. Where the service fails in the middle, the earlier
    /// batches stay: read the stream before writing again.
    async fn append(&self, stream: &LogStream, events: &[LogEvent]) -> Result<RejectedEvents, PortError> {
        let events: Result<_, _> = events.iter().map(wire_event).collect();
        let events = events.map_err(|reason| unavailable(stream, reason))?;
        let mut sum = RejectedEvents::default();
        for batch in batches(events, LIMITS) {
            let length = batch.len() as u64;
            if let Some(info) = self.put(stream, batch).await?.rejected_log_events_info {
                let RejectedEvents {
                    too_old,
                    too_new,
                    expired,
                } = rejected(&info, length);
                sum.too_old += too_old;
                sum.too_new += too_new;
                sum.expired += expired;
            }
        }
        Ok(sum)
    }
}

/// Repeats a batch only where the service turned it down whole. One whose answer got lost may have arrived, and would then
/// stand there twice; whoever wrote it finds out by reading the stream.
#[derive(Debug)]
struct NeverTwice;

impl ClassifyRetry for NeverTwice {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let answer = context.response();
        if answer.is_some_and(|answer| answer.status().is_client_error()) {
            RetryAction::NoActionIndicated
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "no batch twice"
    }
}

/// Tries again where somebody else is making the same group at this moment, which the SDK does not do by itself.
#[derive(Debug)]
struct AfterConflict;

impl ClassifyRetry for AfterConflict {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let answer = context.output_or_error().and_then(Result::err);
        let Some(error) = answer.and_then(|error| error.as_operation_error()) else {
            return RetryAction::NoActionIndicated;
        };
        let group = error.downcast_ref::<CreateLogGroupError>();
        let retention = error.downcast_ref::<PutRetentionPolicyError>();
        if group.is_some_and(CreateLogGroupError::is_operation_aborted_exception)
            || retention.is_some_and(PutRetentionPolicyError::is_operation_aborted_exception)
        {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "after a conflict"
    }
}

/// The events as batches: in order of time, each batch within the limits.
///
/// Each batch takes all it can hold, and no other division needs fewer.
fn batches(mut events: Vec<InputLogEvent>, limits: Limits) -> Vec<Vec<InputLogEvent>> {
    events.sort_by_key(InputLogEvent::timestamp);
    let mut batches: Vec<Vec<InputLogEvent>> = Vec::new();
    let (mut room, mut end) = (0, i64::MIN);
    for event in events {
        let size = size(event.message());
        match batches.last_mut() {
            Some(batch) if batch.len() < limits.events && size <= room && event.timestamp() < end => {
                room -= size;
                batch.push(event);
            }
            _ => {
                room = limits.bytes.saturating_sub(size);
                end = event.timestamp().saturating_add(limits.milliseconds);
                batches.push(vec![event]);
            }
        }
    }
    batches
}

/// What an event counts towards the bytes of its batch.
fn size(message: &str) -> usize {
    message.len() + EVENT_BYTES
}

/// The event as the service takes it, or why it does not.
fn wire_event(event: &LogEvent) -> Result<InputLogEvent, String> {
    let message = serde_json::to_string(&event.message).map_err(|error| causes(&error))?;
    let size = size(&message);
    if size > LIMITS.bytes {
        return Err(format!(
            "the event of {} has {size} bytes and CloudWatch Logs takes no more than {}; leave out its longest field",
            event.timestamp, LIMITS.bytes
        ));
    }
    let wire = InputLogEvent::builder()
        .timestamp(event.timestamp.as_millisecond())
        .message(message);
    wire.build().map_err(|error| causes(&error))
}

/// The event as it was written, or why it cannot be ours. The reason never carries the message: it may name anybody.
fn log_event(event: &OutputLogEvent) -> Result<LogEvent, String> {
    let milliseconds = event.timestamp().unwrap_or_default();
    let timestamp = Timestamp::from_millisecond(milliseconds).map_err(|error| causes(&error))?;
    let message = serde_json::from_str(event.message().unwrap_or_default()).map_err(|_| {
        format!(
            "its event of {timestamp} is no JSON object, so something other than Uptake writes there; stop that and delete \
             the stream, and the next run writes it anew"
        )
    })?;
    Ok(LogEvent { timestamp, message })
}

/// How many events of a batch of `length` the service left out.
///
/// It answers with places in the batch: "the index of the first log event that is too new. This field is inclusive", "the
/// index of the last log event that is too old. This field is exclusive" (`RejectedLogEventsInfo`, API reference as
/// botocore 1.44.5 carries it, read 2026-11-22). Of the third it says only "the expired log events"; it is an end index
/// like the second. An event that is too old and expired counts as too old.
fn rejected(info: &RejectedLogEventsInfo, length: u64) -> RejectedEvents {
    let place = |index: i32| u64::try_from(index).unwrap_or_default().min(length);
    let too_old = info.too_old_log_event_end_index.map_or(0, place);
    let expired = info.expired_log_event_end_index.map_or(0, place);
    let accepted_from = too_old.max(expired);
    let accepted_to = info.too_new_log_event_start_index.map_or(length, place);
    RejectedEvents {
        too_old,
        too_new: length - accepted_to.max(accepted_from),
        expired: accepted_from - too_old,
    }
}

/// What became of making something that may be there already.
fn unless_it_exists<T, E>(action: &str, stream: &LogStream, created: Result<T, SdkError<E>>) -> Result<(), PortError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match created {
        Err(error) if error.code() != Some(EXISTS) => Err(failed(action, stream, &error)),
        _ => Ok(()),
    }
}

/// The name with a trailing `:*` is the group with its streams: "use this version to refer to the ARN in IAM policies when
/// specifying permissions for most API actions" (`LogGroup`, API reference as botocore 1.44.5 carries it, read 2026-11-22).
fn failed<E>(action: &str, stream: &LogStream, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let grant = format!("{action} on arn:aws:logs:*:*:log-group:{}:*", stream.group);
    port_error(what(stream), grant, error)
}

fn unavailable(stream: &LogStream, reason: String) -> PortError {
    PortError::Unavailable {
        what: what(stream),
        reason,
    }
}

fn what(stream: &LogStream) -> String {
    format!("log stream {} of {}", stream.name, stream.group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const PERMISSION_TO: &str = "arn:aws:logs:*:*:log-group:/uptake/runs:*";

    fn stream() -> LogStream {
        LogStream {
            group: "/uptake/runs".to_owned(),
            name: "window".to_owned(),
            retention_days: 90,
        }
    }

    fn event(seconds: i64, message: &Value) -> LogEvent {
        LogEvent {
            timestamp: Timestamp::from_second(seconds).unwrap(),
            message: message.as_object().unwrap().clone(),
        }
    }

    fn error(code: &str) -> (u16, String) {
        (
            400,
            json!({"__type": code, "message": "as CloudWatch Logs puts it"}).to_string(),
        )
    }

    fn done() -> (u16, String) {
        (200, "{}".to_owned())
    }

    fn logs(service: &Loopback) -> CloudWatchLogs {
        CloudWatchLogs::new(Client::new(&service.sdk_config()))
    }

    /// What a write of one event came to, and the requests it took.
    async fn write(answers: Vec<(u16, String)>) -> (Result<RejectedEvents, PortError>, Vec<Value>) {
        let service = Loopback::answering_in_turn(answers).await;
        let result = logs(&service).append(&stream(), &[event(1, &json!({"id": 1}))]).await;
        let requests = service.requests();
        (result, requests.iter().map(body).collect())
    }

    async fn read(answers: Vec<(u16, String)>) -> (Result<Vec<LogEvent>, PortError>, Vec<Value>) {
        let service = Loopback::answering_in_turn(answers).await;
        let result = logs(&service).events(&stream()).await;
        let requests = service.requests();
        (result, requests.iter().map(body).collect())
    }

    fn body(request: &Bytes) -> Value {
        serde_json::from_slice(request).unwrap()
    }

    fn page(messages: &[(i64, &str)], token: &str) -> (u16, String) {
        let events: Vec<Value> = messages
            .iter()
            .map(|(seconds, message)| json!({"timestamp": seconds * 1_000, "message": message, "ingestionTime": 0}))
            .collect();
        let page = json!({"events": events, "nextForwardToken": token, "nextBackwardToken": "b"});
        (200, page.to_string())
    }

    /// Whether one request may hold these events.
    fn is_within(batch: &[InputLogEvent], limits: Limits) -> bool {
        batch.len() <= limits.events
            && batch.iter().map(|event| size(event.message())).sum::<usize>() <= limits.bytes
            && batch.last().unwrap().timestamp() - batch[0].timestamp() < limits.milliseconds
    }

    /// The fewest batches that any division of events, sorted by time, comes to.
    fn fewest(events: &[InputLogEvent], limits: Limits) -> usize {
        let mut fewest = vec![0];
        for end in 1..=events.len() {
            let last = (0..end).filter(|begin| is_within(&events[*begin..end], limits));
            fewest.push(last.map(|begin| fewest[begin] + 1).min().unwrap());
        }
        fewest[events.len()]
    }

    proptest! {
        #[test]
        fn every_event_travels_once_in_order_in_as_few_batches_as_the_limits_allow(
            events in prop::collection::vec((0..500_i64, 0..100_usize), 0..60),
            most_events in 1..20_usize,
            most_bytes in 130..2_000_usize,
            milliseconds in 1..300_i64,
        ) {
            let limits = Limits { events: most_events, bytes: most_bytes, milliseconds };
            let mut events: Vec<InputLogEvent> = (0_u32..)
                .zip(events)
                .map(|(number, (timestamp, length))| {
                    let message = format!("{number:02}{}", "x".repeat(length));
                    InputLogEvent::builder().timestamp(timestamp).message(message).build().unwrap()
                })
                .collect();
            let batches = batches(events.clone(), limits);
            prop_assert!(batches.iter().all(|batch| is_within(batch, limits)));
            events.sort_by_key(InputLogEvent::timestamp);
            prop_assert_eq!(batches.len(), fewest(&events, limits));
            prop_assert_eq!(batches.concat(), events);
        }
    }

    #[test]
    fn the_limits_are_those_of_the_service() {
        let event = |hour: i64, length: usize| {
            let event = InputLogEvent::builder().timestamp(hour * 3_600_000);
            event.message("x".repeat(length)).build().unwrap()
        };
        let lengths = |events| -> Vec<usize> { batches(events, LIMITS).iter().map(Vec::len).collect() };
        assert_eq!(lengths(vec![]), [0; 0]);
        assert_eq!(lengths(vec![event(0, 1); 12_000]), [10_000, 2_000]);
        assert_eq!(lengths((0..49).map(|hour| event(hour, 1)).collect()), [24, 24, 1]);
        // 1,024 events of 1,024 bytes, overhead included.
        assert_eq!(lengths(vec![event(0, 998); 1_025]), [1_024, 1]);
        // Bytes, not characters.
        assert_eq!(size("é"), 28);
    }

    #[test]
    fn rejected_events_are_counted_once() {
        for (too_old_end, expired_end, too_new_start, expected) in [
            (None, None, None, (0, 0, 0)),
            (Some(3), None, None, (3, 0, 0)),
            (None, Some(4), None, (0, 4, 0)),
            (None, None, Some(7), (0, 0, 3)),
            (Some(2), Some(5), Some(9), (2, 3, 1)),
            (Some(5), Some(2), None, (5, 0, 0)),
            (Some(10), Some(10), None, (10, 0, 0)),
            (Some(10), None, Some(0), (10, 0, 0)),
            (Some(0), Some(0), Some(10), (0, 0, 0)),
            (Some(99), None, Some(99), (10, 0, 0)),
            (Some(-1), Some(-1), Some(-1), (0, 0, 10)),
        ] {
            let info = RejectedLogEventsInfo::builder()
                .set_too_old_log_event_end_index(too_old_end)
                .set_expired_log_event_end_index(expired_end)
                .set_too_new_log_event_start_index(too_new_start)
                .build();
            let RejectedEvents {
                too_old,
                too_new,
                expired,
            } = rejected(&info, 10);
            assert_eq!((too_old, expired, too_new), expected, "{info:?}");
        }
    }

    #[tokio::test]
    async fn rejected_events_are_added_up_over_the_batches() {
        let info = json!({"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 1}});
        let service = Loopback::answering(200, info.to_string()).await;
        let day = 86_400;
        let events: Vec<LogEvent> = (0..3).map(|number| event(number * day, &json!({}))).collect();
        let rejected = logs(&service).append(&stream(), &events).await.unwrap();
        assert_eq!(rejected.too_old, 3);
        assert_eq!(rejected.too_new, 0);
        assert_eq!(service.requests().len(), 3);
    }

    #[tokio::test]
    async fn without_events_nothing_is_sent() {
        let service = Loopback::absent().await;
        let rejected = logs(&service).append(&stream(), &[]).await.unwrap();
        assert_eq!(rejected, RejectedEvents::default());
    }

    #[tokio::test]
    async fn an_event_no_batch_can_hold_is_named_before_anything_is_sent() {
        let service = Loopback::absent().await;
        let large = event(60, &json!({"text": "x".repeat(LIMITS.bytes)}));
        let events = [event(1, &json!({})), large];
        let message = logs(&service).append(&stream(), &events).await.unwrap_err().to_string();
        assert!(
            message
                .starts_with("log stream window of /uptake/runs: the event of 1970-01-01T00:01:00Z has 1048613 bytes"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn what_is_missing_is_made_and_the_group_always_gets_its_retention() {
        for group in [done(), error(EXISTS)] {
            for made in [done(), error(EXISTS)] {
                let (result, requests) =
                    write(vec![error(NOT_FOUND), group.clone(), done(), made.clone(), done()]).await;
                assert_eq!(result.unwrap(), RejectedEvents::default());
                let put = json!({
                    "logGroupName": "/uptake/runs", "logStreamName": "window",
                    "logEvents": [{"timestamp": 1_000, "message": r#"{"id":1}"#}],
                });
                assert_eq!(
                    requests,
                    [
                        put.clone(),
                        json!({"logGroupName": "/uptake/runs"}),
                        json!({"logGroupName": "/uptake/runs", "retentionInDays": 90}),
                        json!({"logGroupName": "/uptake/runs", "logStreamName": "window"}),
                        put,
                    ]
                );
            }
        }
    }

    #[tokio::test]
    async fn what_the_service_does_not_accept_is_told_in_its_words() {
        let unaccepted = "InvalidParameterException";
        for (answers, sent) in [
            (vec![error(unaccepted)], 1),
            (vec![error(NOT_FOUND), error(unaccepted)], 2),
            (vec![error(NOT_FOUND), done(), error(unaccepted)], 3),
        ] {
            let (result, requests) = write(answers).await;
            assert_eq!(
                result.unwrap_err().to_string(),
                "log stream window of /uptake/runs: InvalidParameterException: as CloudWatch Logs puts it"
            );
            assert_eq!(requests.len(), sent);
        }
    }

    #[tokio::test]
    async fn a_missing_permission_is_named_with_what_to_grant_it_on() {
        let denied = || error("AccessDeniedException");
        for (answers, action) in [
            (vec![denied()], "logs:PutLogEvents"),
            (vec![error(NOT_FOUND), denied()], "logs:CreateLogGroup"),
            (vec![error(NOT_FOUND), done(), denied()], "logs:PutRetentionPolicy"),
            (vec![error(NOT_FOUND), done(), done(), denied()], "logs:CreateLogStream"),
        ] {
            let message = write(answers).await.0.unwrap_err().to_string();
            let expected =
                format!("log stream window of /uptake/runs: access denied; grant {action} on {PERMISSION_TO}");
            assert_eq!(message, expected);
        }
        let message = read(vec![denied()]).await.0.unwrap_err().to_string();
        let expected = format!("grant logs:GetLogEvents on {PERMISSION_TO}");
        assert!(message.ends_with(&expected), "{message}");
    }

    #[tokio::test]
    async fn somebody_else_making_the_group_is_waited_for() {
        let aborted = || error("OperationAbortedException");
        let (result, requests) = write(vec![
            error(NOT_FOUND),
            aborted(),
            error(EXISTS),
            aborted(),
            done(),
            done(),
            done(),
        ])
        .await;
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(requests.len(), 7);
    }

    #[tokio::test]
    async fn a_batch_is_repeated_when_it_was_turned_down_and_not_when_its_answer_got_lost() {
        let (result, requests) = write(vec![error("ThrottlingException"), done()]).await;
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(requests.len(), 2);
        for lost in [(500, String::new()), (503, error("ServiceUnavailableException").1)] {
            let (result, requests) = write(vec![lost, done()]).await;
            assert!(matches!(result, Err(PortError::Unavailable { .. })), "{result:?}");
            assert_eq!(requests.len(), 1);
        }
        let silent = Loopback::hanging_up_after(std::time::Duration::ZERO).await;
        let result = logs(&silent).append(&stream(), &[event(1, &json!({}))]).await;
        assert!(matches!(result, Err(PortError::Unavailable { .. })), "{result:?}");
        assert_eq!(silent.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_stream_is_read_until_its_token_repeats_through_empty_pages() {
        let (events, requests) = read(vec![
            page(&[(1, r#"{"id":1}"#), (2, r#"{"id":2}"#)], "f/1"),
            page(&[], "f/2"),
            page(&[(3, r#"{"id":3}"#)], "f/3"),
            page(&[], "f/3"),
        ])
        .await;
        let expected: Vec<LogEvent> = (1..=3).map(|id| event(id, &json!({"id": id}))).collect();
        assert_eq!(events.unwrap(), expected);
        let tokens: Vec<&Value> = requests.iter().map(|request| &request["nextToken"]).collect();
        assert_eq!(tokens, [&Value::Null, &json!("f/1"), &json!("f/2"), &json!("f/3")]);
        assert!(requests.iter().all(|request| request["startFromHead"] == true));
    }

    #[tokio::test]
    async fn no_stream_has_no_events() {
        assert_eq!(read(vec![error(NOT_FOUND)]).await.0.unwrap(), []);
    }

    #[tokio::test]
    async fn an_event_of_somebody_else_is_an_error_that_does_not_repeat_it() {
        for message in ["mona was here", "[\"mona\"]", ""] {
            let (events, _) = read(vec![page(&[(60, message)], "f/0")]).await;
            let message = events.unwrap_err().to_string();
            assert!(
                message.starts_with("log stream window of /uptake/runs: its event of 1970-01-01T00:01:00Z is no JSON"),
                "{message}"
            );
            assert!(!message.contains("mona"), "{message}");
        }
    }
}
