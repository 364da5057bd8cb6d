//! What an invocation says about itself: the same figures for every function.

use jiff::Timestamp;
use uptake_domain::calendar::{is_past_due, start_of_hour, whole_days_until};
use uptake_domain::catalogue::{
    COLLECTIONS_COMPLETED, COLLECTIONS_INCOMPLETE, CREDENTIAL_DAYS_LEFT, Dimension, MetricSpec, RECORDS_QUARANTINED,
    RECORDS_QUARANTINED_SHARE, TRIGGERS_PAST_DUE, UPSTREAM_REQUESTS, WATERMARK_LAG,
};

use crate::outcome::{Outcome, PipelineError, Status};
use crate::ports::{Clock, Metrics};
use crate::trigger::Trigger;

/// Whether the trigger came later than its period; says so in the log, unless a person asked for a day of their choice.
pub(crate) fn note_past_due(function: &str, trigger: &Trigger, clock: &dyn Clock) -> bool {
    let now = clock.now();
    let past_due = is_past_due(trigger.scheduled_time, now);
    if past_due && !trigger.replace {
        let late_seconds = now.duration_since(trigger.scheduled_time).as_secs();
        tracing::warn!(function, scheduled_time = %trigger.scheduled_time, late_seconds, "the trigger is past due");
    }
    past_due
}

/// Publishes the figures of an invocation, and `more` that only this function has, and passes its ending on.
///
/// An offering with nothing to do says only whether it was late: it neither completed nor failed anything. A failed one
/// says that it completed nothing, and what it did all the same; if even that cannot be published, the failure itself is
/// what to tell.
pub(crate) async fn publish(
    metrics: &dyn Metrics,
    function: &'static str,
    trigger: &Trigger,
    past_due: bool,
    ending: Result<Outcome, PipelineError>,
    more: &[(&'static MetricSpec, u64)],
) -> Result<Outcome, PipelineError> {
    let at = start_of_hour(trigger.scheduled_time);
    let datum = |spec: &'static MetricSpec, value: u64| {
        #[expect(clippy::cast_precision_loss, reason = "counts of one invocation are far below 2^53")]
        spec.datum(vec![(Dimension::Function, function.to_owned())], at, value as f64)
    };
    let mut data = vec![datum(&TRIGGERS_PAST_DUE, past_due.into())];
    let outcome = match ending {
        Ok(outcome) => outcome,
        Err(error) => {
            data.extend([datum(&COLLECTIONS_COMPLETED, 0), datum(&COLLECTIONS_INCOMPLETE, 0)]);
            data.extend(more.iter().map(|(spec, value)| datum(spec, *value)));
            if let Err(unpublished) = metrics.publish(&data).await {
                tracing::warn!(%unpublished, "a failure could not be counted");
            }
            return Err(error);
        }
    };
    if outcome.status != Status::NothingToDo {
        let counts = outcome.counts;
        data.extend([
            datum(&COLLECTIONS_COMPLETED, (outcome.status == Status::Complete).into()),
            datum(&COLLECTIONS_INCOMPLETE, (outcome.status == Status::Incomplete).into()),
            datum(&RECORDS_QUARANTINED, counts.quarantined),
            datum(&RECORDS_QUARANTINED_SHARE, share(counts.quarantined, counts.fetched)),
            datum(&UPSTREAM_REQUESTS, counts.requests),
        ]);
        data.extend(more.iter().map(|(spec, value)| datum(spec, *value)));
    }
    if let Some(watermark) = outcome.watermark {
        let lag = trigger.scheduled_time.duration_since(watermark).as_secs();
        data.push(datum(&WATERMARK_LAG, u64::try_from(lag).unwrap_or(0)));
    }
    metrics.publish(&data).await?;
    Ok(outcome)
}

/// How long a credential still serves, where that is known.
pub(crate) fn credential_days_left(
    ends_at: Option<Timestamp>,
    clock: &dyn Clock,
) -> Option<(&'static MetricSpec, u64)> {
    Some((&CREDENTIAL_DAYS_LEFT, whole_days_until(ends_at?, clock.now())))
}

/// Whole percent. Some counts of what was fetched leave out what was set aside.
fn share(part: u64, whole: u64) -> u64 {
    (100 * part).checked_div(whole.max(part)).unwrap_or(0)
}
