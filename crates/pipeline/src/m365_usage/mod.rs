//! The use case `m365-usage`: directory, licences and usage reports become bronze, silver and gold.

mod checks;
mod day_record;
mod directory;
mod gold;
mod left_out;
mod reports;

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uptake_domain::calendar::{Window, to_seconds};
use uptake_domain::catalogue::{CHECKS_FAILED, CONCEALED_NAMES, MetricSpec, STALE_REPORTS, USAGE_REPORT_AGE};
use uptake_domain::data_quality::{Check, CheckStatus};
use uptake_domain::tables;
use uptake_lake::Lake;
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::Graph;

use crate::config::M365UsageConfig;
use crate::dry_run::{self, ReadOnly};
use crate::exclusions::{Exclusions, Known, WITHOUT_DIRECTORY};
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::people::People;
use crate::ports::Ports;
use crate::rejected::{self, RejectedRecord};
use crate::telemetry;
use crate::traced_lake::TracedLake;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;
pub(crate) use day_record::{DayRecord, first as first_day, read as read_day};
pub(crate) use gold::told_days;
pub(crate) use left_out::without_excluded;
pub(crate) use reports::{ACTIVITY_OF_SEVEN_DAYS, REPORT_SOURCES, report_age};

/// The name of the function.
pub const FUNCTION: &str = "m365-usage";
/// Reports come one to three days late; one that tells of a day further back is stale, and what it says is not today's
/// state (document 4, FR-013, and Microsoft's "typically within 48 hours").
pub(crate) const FRESH_FOR: SignedDuration = SignedDuration::from_hours(48);
/// Tending a table is not begun with less time than this.
const TIME_TO_MAINTAIN: Duration = Duration::from_secs(30);
/// Sentences of one kind in an answer.
const MOST_DATES_TOLD: usize = 5;

/// Collects the day the trigger stands for.
pub async fn collect(
    graph: &Graph,
    lake: &Lake,
    config: &M365UsageConfig,
    exclusions: &Exclusions,
    ports: Ports<'_>,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let files = ReadOnly(ports.files);
    let ports = if trigger.dry_run {
        dry_run::ports(ports, &files)
    } else {
        ports
    };
    let collection = Collection {
        graph,
        lake: TracedLake::new(lake, FUNCTION, ports.clock, invocation, trigger.dry_run),
        config,
        exclusions,
        ports,
        invocation,
        day: trigger.day()?,
        again: trigger.replace,
    };
    let mut outcome = collection.run(trigger).await?;
    if trigger.dry_run {
        dry_run::correct(&mut outcome, ports.files).await?;
    }
    Ok(outcome)
}

struct Collection<'a> {
    graph: &'a Graph,
    lake: TracedLake<'a>,
    config: &'a M365UsageConfig,
    exclusions: &'a Exclusions,
    ports: Ports<'a>,
    invocation: &'a Invocation,
    day: Date,
    /// Whether a person wants the day collected although it is done.
    again: bool,
}

/// What a collection has to tell besides what it stored.
#[derive(Default)]
struct Findings {
    counts: Counts,
    /// What is missing, in sentences.
    missing: Vec<String>,
    /// Something that no later invocation can change by itself.
    refused: Option<ApiError>,
    notes: Vec<String>,
    checks: Vec<Check>,
    rejected: Vec<RejectedRecord>,
    concealed: bool,
    /// From the day up to which reports tell to the day collected.
    report_age: Option<SignedDuration>,
    /// When the client secret expires, where that may be known.
    secret_ends_at: Option<Timestamp>,
}

impl Findings {
    fn lacks(&mut self, what: &str, error: ApiError) {
        tracing::debug!(what, %error, "something is missing");
        self.missing.push(format!("{what}: {error}"));
        if !error.passes_by_itself() {
            self.refused.get_or_insert(error);
        }
    }

    fn is_stale(&self) -> bool {
        self.report_age.is_some_and(|age| age > FRESH_FOR)
    }

    fn metrics(&self) -> Vec<(&'static MetricSpec, u64)> {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.status != CheckStatus::Pass)
            .count();
        let mut metrics = vec![
            (&CHECKS_FAILED, failed as u64),
            (&CONCEALED_NAMES, self.concealed.into()),
            (&STALE_REPORTS, self.is_stale().into()),
        ];
        if let Some(age) = self.report_age {
            metrics.push((&USAGE_REPORT_AGE, u64::try_from(age.as_secs()).unwrap_or(0)));
        }
        metrics
    }
}

impl Collection<'_> {
    async fn run(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, trigger, self.ports.clock);
        let mut findings = Findings::default();
        let ending = self.offer(past_due, &mut findings).await;
        self.lake.note_calls(self.exclusions.take_calls());
        self.lake.note_calls(self.graph.take_calls());
        let ending = self.lake.leave_trace(ending).await;
        let mut metrics = findings.metrics();
        metrics.extend(telemetry::credential_days_left(
            findings.secret_ends_at,
            self.ports.clock,
        ));
        telemetry::publish(self.ports.metrics, FUNCTION, trigger, past_due, ending, &metrics).await
    }

    async fn offer(&self, past_due: bool, findings: &mut Findings) -> Result<Outcome, PipelineError> {
        let mut outcome = Outcome::of_nothing(
            FUNCTION,
            Window::of_day(self.day),
            watermark::read(self.ports.files, FUNCTION).await?,
            past_due,
        );
        if self.ports.clock.now() < outcome.window.from {
            return Err(PipelineError::Future(outcome.window.from));
        }
        let record = day_record::read(self.ports.files, self.day).await?;
        if record.as_ref().is_some_and(|record| record.complete) && !self.again {
            outcome.notes.push(format!("{} is complete already", self.day));
            // It may have been cut off between the two.
            outcome.watermark = Some(watermark::advance(self.ports.files, FUNCTION, outcome.window.to).await?);
            return Ok(outcome);
        }
        let record = record.unwrap_or_else(|| DayRecord::new(self.day));
        let requests_before = self.graph.requests();
        let collected = self.collect_day(record, findings).await;
        findings.counts.requests = self.graph.requests() - requests_before;
        let record = collected?;
        outcome.status = if record.complete {
            outcome.watermark = Some(watermark::advance(self.ports.files, FUNCTION, outcome.window.to).await?);
            self.maintain().await;
            Status::Complete
        } else {
            Status::Incomplete
        };
        outcome.counts = findings.counts;
        outcome.tell(
            std::mem::take(&mut findings.missing),
            std::mem::take(&mut findings.notes),
        );
        Ok(outcome)
    }

    /// Reads and stores everything, each part as far as it goes: a report is to be had for a few days only, and must not
    /// be lost because the directory failed.
    async fn collect_day(&self, mut record: DayRecord, findings: &mut Findings) -> Result<DayRecord, PipelineError> {
        let exclusions = self.exclusions.read(self.ports, self.invocation.deadline).await?;
        let is_read = self.read_directory(&mut record, findings).await?;
        let people = People::read(self.lake.tables()).await?;
        if is_read {
            let now = self.ports.clock.now();
            if now >= Window::of_day(self.day).to {
                findings.notes.push(format!(
                    "{} was over when it was collected: the directory shows people and licences as they stand at {}",
                    self.day,
                    to_seconds(now)
                ));
            }
            self.summarise_licenses(&people, findings).await?;
        }
        let known = Known::of(people, exclusions);
        let changed = if known.is_blind() && !is_read {
            findings.missing.push(WITHOUT_DIRECTORY.to_owned());
            None
        } else {
            let changed = self.read_usage(&mut record, &known, findings).await?;
            self.read_activity(&mut record, &known, findings).await?;
            changed
        };
        rejected::store(&self.lake, &mut findings.rejected).await?;
        findings.counts.quarantined = findings.rejected.len() as u64;
        let reported = self.reported_days().await?;
        self.judge_freshness(&reported, &known.people, findings);
        let is_fresh = findings.report_age.is_some() && !findings.is_stale();
        if record.directory.is_some() && is_fresh {
            self.fill_gold(&reported, changed, &known, findings).await?;
        }
        let nobody_to_tell_of = known.people.held == 0 && findings.report_age.is_none() && findings.missing.is_empty();
        let is_told = is_fresh && record.report_refresh_on.is_some();
        record.can_be_scored = record.directory.is_some() && (is_told || nobody_to_tell_of);
        record.complete = findings.missing.is_empty();
        findings.secret_ends_at = self.secret_ends_at().await;
        self.check_tables(&record, &known.people, findings).await?;
        self.lake.store_checks(self.day, &findings.checks).await?;
        record.missing.clone_from(&findings.missing);
        record.invocation_id.clone_from(&self.invocation.id);
        // What marks the day as done comes last: nothing of it is looked at again.
        self.lake.note_calls(self.graph.take_calls());
        self.lake.write_trace().await?;
        day_record::write(self.ports.files, &record).await?;
        match findings.refused.take() {
            Some(error) => Err(error.into()),
            None => Ok(record),
        }
    }

    /// Nothing that is collected depends on it, and an application may not read itself unless an administrator lets it.
    async fn secret_ends_at(&self) -> Option<Timestamp> {
        let told = self.graph.client_secret_ends_at(self.invocation.deadline).await;
        told.unwrap_or_else(|error| {
            tracing::info!(%error, "nobody will be told that the client secret is about to expire");
            None
        })
    }

    /// Tables that are not tended grow slow and large, and no day is lost when that fails once.
    async fn maintain(&self) {
        for table in tables::LAKE {
            if !self.invocation.deadline.allows(TIME_TO_MAINTAIN) {
                return;
            }
            match self.lake.tables().maintain(table, self.ports.clock.now()).await {
                Ok(done) => tracing::debug!(table = table.name, ?done, "tended"),
                Err(error) => tracing::warn!(%error, "a table could not be tended; the next day tries again"),
            }
        }
    }
}
