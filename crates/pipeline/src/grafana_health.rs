//! The use case `grafana-health`: whether the dashboards can be opened becomes a metric.

use std::time::Duration;

use jiff::SignedDuration;
use uptake_domain::calendar::Window;
use uptake_domain::catalogue::GRAFANA_AVAILABLE;
use uptake_upstream::grafana::Grafana;
use uptake_upstream::http::Patience;

use crate::outcome::{Outcome, PipelineError, Status};
use crate::ports::Ports;
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};

/// The name of the function.
pub const FUNCTION: &str = "grafana-health";
/// What one answer stands for.
const PERIOD: SignedDuration = SignedDuration::from_mins(5);
/// People do not wait longer for a page, and the function has half a minute.
pub(crate) const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(5),
    silence: Duration::from_secs(5),
    first_delay: Duration::from_millis(500),
    longest_delay: Duration::from_secs(1),
    tries: 2,
    secondary_wait: Duration::from_secs(1),
    secondary_window: Duration::ZERO,
};

/// Asks Grafana how it is, and publishes whether it said that it is well. That it is not, is an answer and no failure.
pub async fn check(
    grafana: &Grafana,
    ports: Ports<'_>,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let past_due = telemetry::note_past_due(FUNCTION, trigger, ports.clock);
    let from = trigger.scheduled_time;
    let window = Window {
        from,
        to: from + PERIOD,
    };
    let mut outcome = Outcome::of_nothing(FUNCTION, window, None, past_due);
    let health = grafana.health(invocation.deadline).await;
    outcome.status = Status::Complete;
    outcome.counts.requests = grafana.requests();
    outcome.counts.fetched = 1;
    if !trigger.dry_run {
        let available = if health.is_ok() { 1.0 } else { 0.0 };
        let datum = GRAFANA_AVAILABLE.datum(Vec::new(), from, available);
        ports.metrics.publish(&[datum]).await?;
        outcome.counts.published = 1;
    }
    outcome.notes.push(match health {
        Ok(()) => "Grafana answers".to_owned(),
        Err(error) => format!("Grafana is not available: {error}"),
    });
    Ok(outcome)
}
