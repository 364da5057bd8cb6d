//! A whole Lambda but for its use case: settings read once, a log without people, deadline, and a stable error word.

use std::time::Duration;

use jiff::Timestamp;
pub use lambda_runtime::Error;
use lambda_runtime::tracing::subscriber;
use lambda_runtime::tracing::subscriber::filter::{LevelFilter, Targets};
use lambda_runtime::tracing::subscriber::layer::SubscriberExt as _;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uptake_pipeline::config::{ConfigFaults, Environment, Face};
use uptake_pipeline::outcome::{Outcome, PipelineError};
use uptake_pipeline::ports::Metrics as _;
use uptake_pipeline::trigger::{Invocation, Trigger};
use uptake_upstream::clock::Deadline;

use crate::adapters::{Adapters, Stores};
use crate::metering::Meter;
use crate::sqs_event;

/// Kept back from the platform's deadline, so that a collection that stops early can still record how far it came and
/// answer: several calls to AWS, one of them perhaps repeated.
const RESERVE: Duration = Duration::from_secs(10);

/// Runs the function of that name until the platform ends it.
///
/// `configure` reads the function's own settings, `collect` is its use case. Faulty settings do not end the process:
/// Lambda would start it over and over, and the reason would drown. They are logged once, and every invocation fails
/// with them.
pub async fn serve<C>(
    name: &'static str,
    configure: impl FnOnce(&mut Environment<'static>) -> Option<C>,
    collect: impl AsyncFn(&C, &Adapters, &Trigger, &Invocation) -> Result<Outcome, PipelineError>,
) -> Result<(), Error> {
    let function = start(configure).await;
    let (function, collect) = (&function, &collect);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let (config, adapters) = function.as_ref().map_err(Clone::clone)?;
        let trigger = match sqs_event::trigger(&event.payload, adapters.clock.now()) {
            Some(trigger) => trigger,
            None => parse_trigger(event.payload)?,
        };
        let (meter, given) = (Meter::begin(adapters.clock.now()), event.context.env_config.memory);
        let invocation = invocation(event.context, adapters);
        let outcome = collect(config, adapters, &trigger, &invocation).await;
        if !trigger.dry_run {
            publish_usage(&meter, name, given, adapters).await;
        }
        // The runtime logs the diagnostic of a failure.
        let outcome = outcome.map_err(|error| diagnostic(error.error_type(), &error))?;
        log_outcome(&outcome);
        Ok::<Outcome, Diagnostic>(outcome)
    }))
    .await
}

/// The same for a function with a payload and an answer of its own. `payload` shows whoever sends something else what to
/// send; the answer is logged, so it names nobody.
pub async fn serve_with<C, P: DeserializeOwned, A: Serialize>(
    name: &'static str,
    configure: impl FnOnce(&mut Environment<'static>) -> Option<C>,
    payload: &'static str,
    handle: impl AsyncFn(&C, &Adapters, &P, &Invocation) -> Result<A, PipelineError>,
) -> Result<(), Error> {
    let function = start(configure).await;
    let (function, handle) = (&function, &handle);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let (config, adapters) = function.as_ref().map_err(Clone::clone)?;
        let request = parse_payload(event.payload, payload)?;
        let (meter, given) = (Meter::begin(adapters.clock.now()), event.context.env_config.memory);
        let answer = handle(config, adapters, &request, &invocation(event.context, adapters)).await;
        publish_usage(&meter, name, given, adapters).await;
        let answer = answer.map_err(|error| diagnostic(error.error_type(), &error))?;
        let answer = serde_json::json!(answer);
        tracing::info!(%answer, "answered");
        Ok::<Value, Diagnostic>(answer)
    }))
    .await
}

/// Publishes what the invocation took. The invocation is done by then, whatever becomes of these figures.
async fn publish_usage(meter: &Meter, function: &str, memory_megabytes: i32, adapters: &Adapters) {
    let data = meter.read(function, memory_megabytes, adapters.clock.now());
    if let Err(error) = adapters.metrics.publish(&data).await {
        tracing::warn!(%error, "what the invocation took could not be published");
    }
}

/// The function's own settings and AWS, or what is wrong with the settings, which is logged here.
pub(crate) async fn start<C>(
    configure: impl FnOnce(&mut Environment<'static>) -> Option<C>,
) -> Result<(C, Adapters), Diagnostic> {
    log_to_stdout();
    match settings(configure) {
        Ok((stores, config)) => Ok((config, Adapters::connect(stores).await)),
        Err(faults) => {
            let diagnostic = diagnostic(CONFIGURATION, &faults);
            // One line, in the form in which the runtime logs the failure of an invocation.
            tracing::error!("{diagnostic:?}");
            Err(diagnostic)
        }
    }
}

/// The word for what a person has to set right.
const CONFIGURATION: &str = "Configuration";

fn diagnostic(error_type: &str, error: &impl ToString) -> Diagnostic {
    Diagnostic {
        error_type: error_type.to_owned(),
        error_message: error.to_string(),
    }
}

/// The stores and the function's own settings, or everything wrong with them.
fn settings<C>(configure: impl FnOnce(&mut Environment<'static>) -> Option<C>) -> Result<(Stores, C), ConfigFaults> {
    let mut environment = Environment::new(Face::Lambda, &variable);
    let stores = environment.bucket().and_then(|bucket| {
        let engagement = environment.engagement_bucket(&bucket)?;
        Some(Stores { bucket, engagement })
    });
    let config = configure(&mut environment);
    environment.finish(stores.zip(config))
}

#[expect(clippy::disallowed_methods, reason = "the one home of the environment in a Lambda")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn parse_trigger(payload: Value) -> Result<Trigger, Diagnostic> {
    serde_json::from_value(payload).map_err(|error| Diagnostic {
        error_type: CONFIGURATION.to_owned(),
        error_message: format!(
            r#"the payload is no trigger: {error}; send {{"scheduled_time": "<aws.scheduler.scheduled-time>"}} or such an instant"#
        ),
    })
}

fn parse_payload<P: DeserializeOwned>(payload: Value, expected: &str) -> Result<P, Diagnostic> {
    serde_json::from_value(payload).map_err(|error| Diagnostic {
        error_type: CONFIGURATION.to_owned(),
        error_message: format!("the payload is not understood: {error}; send {expected}"),
    })
}

fn invocation(context: Context, adapters: &Adapters) -> Invocation {
    Invocation {
        deadline: Deadline::within(time_left(&context, adapters.clock.now())).less(RESERVE),
        id: context.request_id,
    }
}

fn time_left(context: &Context, now: Timestamp) -> Duration {
    let end = i64::try_from(context.deadline)
        .ok()
        .and_then(|end| Timestamp::from_millisecond(end).ok());
    let left = end.unwrap_or(Timestamp::MAX).duration_since(now);
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}

/// Delta's own modules. Their kernel tells at length of every look at a log, and calls it an error that there is no table
/// yet; what really fails comes back as an error and is logged as ours.
const TALKATIVE: &[&str] = &["buoyant_kernel", "delta_kernel", "deltalake"];

/// Logs in Lambda's format (`AWS_LAMBDA_LOG_FORMAT`, `AWS_LAMBDA_LOG_LEVEL`), but never more than `info`: below that,
/// HTTP clients and the SDK print requests, and those hold people and credentials. The runtime's own subscriber has no
/// such bound.
fn log_to_stdout() {
    let wanted = variable("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok());
    let level = wanted.unwrap_or(LevelFilter::INFO).min(LevelFilter::INFO);
    let silent = TALKATIVE.iter().map(|target| (*target, LevelFilter::OFF));
    let targets = Targets::new().with_default(level).with_targets(silent);
    // Lambda adds the time.
    let lines = subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .without_time();
    if variable("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        lines.json().finish().with(targets).init();
    } else {
        lines.with_ansi(false).finish().with(targets).init();
    }
}

/// The scheduler drops the answer, so the log holds all of it.
fn log_outcome(outcome: &Outcome) {
    let counts = outcome.counts;
    // The words of the answer.
    let status = serde_json::json!(outcome.status);
    tracing::info!(
        function = outcome.function,
        status = status.as_str(),
        window_from = %outcome.window.from,
        window_to = %outcome.window.to,
        fetched = counts.fetched,
        stored = counts.stored,
        quarantined = counts.quarantined,
        published = counts.published,
        requests = counts.requests,
        watermark = outcome.watermark.map(tracing::field::display),
        stopped_early = outcome.stopped_early,
        past_due = outcome.past_due,
        in_doubt = outcome.in_doubt,
        notes = outcome.notes.join("; "),
        "collection ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_ends_with_the_deadline_and_never_before_now() {
        let at = |deadline: u64| {
            let mut context = Context::default();
            context.deadline = deadline;
            time_left(&context, Timestamp::from_second(1_000).unwrap())
        };
        assert_eq!(at(1_060_500), Duration::from_millis(60_500));
        assert_eq!(at(999_000), Duration::ZERO);
        assert!(at(u64::MAX) > Duration::from_secs(1_000_000));
    }

    #[test]
    fn a_payload_of_ones_own_is_as_strict() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Request {
            action: String,
        }
        let parse = |payload| parse_payload::<Request>(payload, r#"{"action": "status"}"#);
        assert_eq!(parse(serde_json::json!({"action": "status"})).unwrap().action, "status");
        let diagnostic = parse(serde_json::json!({"action": "status", "acton": 1})).unwrap_err();
        assert_eq!(diagnostic.error_type, "Configuration");
        assert!(
            diagnostic.error_message.contains("acton") && diagnostic.error_message.contains(r#"{"action": "status"}"#),
            "{}",
            diagnostic.error_message
        );
    }

    #[test]
    fn a_payload_that_is_no_trigger_says_what_to_send() {
        let diagnostic = parse_trigger(serde_json::json!({"time": "2026-11-20T06:00:00Z"})).unwrap_err();
        assert_eq!(diagnostic.error_type, "Configuration");
        assert!(
            diagnostic.error_message.contains("`time`"),
            "{}",
            diagnostic.error_message
        );
        assert!(
            diagnostic.error_message.contains("scheduled_time"),
            "{}",
            diagnostic.error_message
        );
    }
}
