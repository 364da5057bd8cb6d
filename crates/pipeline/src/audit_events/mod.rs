//! The use case `audit-events`: what the audit log says of Copilot becomes bronze, silver and gold.
//!
//! The feed lists content by when it became available, hands the same event over more than once, and some of it days
//! late. So every poll looks at a day that was looked at before, reads what it has not read, and stores events by id.

mod backfill;
mod blobs;
mod checks;
mod intake;
mod summary;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use uptake_domain::calendar::{Window, day_of, to_seconds};
use uptake_domain::catalogue::{CHECKS_FAILED, CONTENT_LOST, MetricSpec};
use uptake_domain::data_quality::{Check, CheckStatus};
use uptake_domain::tables::{GOLD_AUDIT_EVENTS, GOLD_AUDIT_SUMMARY, SILVER_AUDIT_EVENTS};
use uptake_lake::Lake;
use uptake_upstream::error::ApiError;
use uptake_upstream::http::SIDE_BY_SIDE;
use uptake_upstream::microsoft::activity::{ActivityFeed, ContentBlob, LONGEST_WINDOW, REACHES_BACK};

use crate::bronze::Bronze;
use crate::config::AuditEventsConfig;
use crate::dry_run::{self, ReadOnly};
use crate::exclusions::{Exclusions, Known, WITHOUT_DIRECTORY};
use crate::identity_state;
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::people::People;
use crate::ports::Ports;
use crate::telemetry;
use crate::traced_lake::TracedLake;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;
pub use backfill::backfill;
use blobs::ReadBlobs;
use intake::{Batch, Intake, Named};

/// The name of the function.
pub const FUNCTION: &str = "audit-events";
/// What bytes and rejected records are kept under.
pub(crate) const SOURCE: &str = "audit_events";
/// What was listed before is listed again for this long: content has been seen to appear in a listing late.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Kept from the edge of what the feed still lists, as its clock is not ours.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);
/// How to come by what the feed does not list any more.
const SEARCH: &str = "`uptake backfill audit-events` searches the audit log for it";
/// Sentences of one kind in an answer.
const MOST_FAULTS_TOLD: usize = 3;

/// Reads everything that became available up to the trigger's time.
pub async fn collect(
    feed: &ActivityFeed,
    lake: &Lake,
    config: &AuditEventsConfig,
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
        feed,
        intake: Intake {
            lake: TracedLake::new(lake, FUNCTION, ports.clock, invocation, trigger.dry_run),
            ports,
        },
        config,
        exclusions,
        ports,
        invocation,
        again: trigger.replace,
    };
    let mut outcome = collection.run(trigger).await?;
    if trigger.dry_run {
        dry_run::correct(&mut outcome, ports.files).await?;
    }
    Ok(outcome)
}

struct Collection<'a> {
    feed: &'a ActivityFeed,
    intake: Intake<'a>,
    config: &'a AuditEventsConfig,
    exclusions: &'a Exclusions,
    ports: Ports<'a>,
    invocation: &'a Invocation,
    /// Whether a person wants content read that was read before.
    again: bool,
}

/// Who is known, and who of them is excluded. Without the list, nothing of anybody is taken in.
async fn known(
    exclusions: &Exclusions,
    lake: &TracedLake<'_>,
    ports: Ports<'_>,
    invocation: &Invocation,
) -> Result<Known, PipelineError> {
    let list = exclusions.read(ports, invocation.deadline).await?;
    Ok(Known::of(People::read(lake.tables()).await?, list))
}

/// What a poll carries along.
struct Reading<'a> {
    named: Named<'a>,
    /// What was read before.
    read: ReadBlobs,
    bronze: Bronze<'a>,
    /// What is read and not stored yet.
    batch: Batch,
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
    /// Content that could not be read this time.
    unread: u64,
    /// Content that nobody can read any more.
    lost: u64,
    /// Events whose person the directory does not know.
    of_strangers: u64,
    /// Records of a kind that is not looked for.
    ignored: u64,
    newest_event: Option<Timestamp>,
}

impl Findings {
    /// Takes note of content that could not be read, and tells whether to go on with other content.
    fn lacks(&mut self, what: &str, error: ApiError) -> bool {
        self.unread += 1;
        if self.missing.len() < MOST_FAULTS_TOLD {
            self.missing.push(format!("{what}: {error}"));
        }
        let goes_on = matches!(error, ApiError::Unavailable { .. } | ApiError::Contract { .. });
        if !error.passes_by_itself() {
            self.refused.get_or_insert(error);
        }
        goes_on
    }

    fn metrics(&self) -> [(&'static MetricSpec, u64); 2] {
        let failed = self.checks.iter().filter(|check| check.status != CheckStatus::Pass);
        [(&CHECKS_FAILED, failed.count() as u64), (&CONTENT_LOST, self.lost)]
    }
}

impl Collection<'_> {
    async fn run(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, trigger, self.ports.clock);
        let mut findings = Findings::default();
        let ending = self.offer(trigger, past_due, &mut findings).await;
        self.intake.lake.note_calls(self.exclusions.take_calls());
        self.intake.lake.note_calls(self.feed.take_calls());
        let ending = self.intake.lake.leave_trace(ending).await;
        let metrics = findings.metrics();
        telemetry::publish(self.ports.metrics, FUNCTION, trigger, past_due, ending, &metrics).await
    }

    async fn offer(
        &self,
        trigger: &Trigger,
        past_due: bool,
        findings: &mut Findings,
    ) -> Result<Outcome, PipelineError> {
        let watermark = watermark::read(self.ports.files, FUNCTION).await?;
        let now = self.ports.clock.now();
        let wanted = trigger.window.unwrap_or(Window {
            from: trigger.scheduled_time,
            to: trigger.scheduled_time,
        });
        let to = wanted.to.min(now);
        let reaches_back_to = now - REACHES_BACK + MARGIN;
        let overlapping = watermark.map_or(reaches_back_to, |watermark| watermark - OVERLAP);
        let from = if self.again {
            wanted.from.min(overlapping)
        } else {
            overlapping
        };
        let window = Window {
            from: from.max(reaches_back_to).min(to),
            to,
        };
        let mut outcome = Outcome::of_nothing(FUNCTION, window, watermark, past_due);
        if now < wanted.from {
            return Err(PipelineError::Future(wanted.from));
        }
        if watermark >= Some(to) && !self.again {
            outcome
                .notes
                .push(format!("everything up to {} is read already", to_seconds(to)));
            return Ok(outcome);
        }
        // All that feeds engagement stands still while its key is changed; the feed keeps content for a week.
        if let Some(pause) = identity_state::pause(self.ports.files).await? {
            outcome.notes.push(pause.to_string());
            return Ok(outcome);
        }
        if self.again && wanted.to <= reaches_back_to {
            findings.missing.push(format!(
                "the feed lists nothing from before {} any more; {SEARCH}",
                to_seconds(reaches_back_to)
            ));
            outcome.tell(std::mem::take(&mut findings.missing), Vec::new());
            outcome.status = Status::Incomplete;
            return Ok(outcome);
        }
        if let Some(watermark) = watermark.filter(|watermark| *watermark < reaches_back_to) {
            findings.missing.push(format!(
                "the feed keeps content for a week, so what appeared between {} and {} is lost to it; {SEARCH}",
                to_seconds(watermark),
                to_seconds(reaches_back_to)
            ));
        }
        let requests_before = self.feed.requests();
        let is_read = self.poll(window, findings).await?;
        findings.counts.requests = self.feed.requests() - requests_before;
        if findings.lost > 0 {
            findings.missing.push(format!(
                "{} blobs of content had expired before they were read; {SEARCH}",
                findings.lost
            ));
        }
        outcome.status = if findings.missing.is_empty() {
            Status::Complete
        } else {
            Status::Incomplete
        };
        let checks = checks::of(findings, checks::Stored::read(self.intake.lake.tables()).await?, to);
        findings.checks.extend(checks);
        self.intake.lake.store_checks(day_of(to), &findings.checks).await?;
        if is_read {
            self.intake.lake.note_calls(self.feed.take_calls());
            self.intake.lake.write_trace().await?;
            outcome.watermark = Some(watermark::advance(self.ports.files, FUNCTION, to).await?);
            self.maintain().await;
        }
        if findings.ignored > 0 {
            findings
                .notes
                .push(format!("{} records of other kinds were passed over", findings.ignored));
        }
        outcome.counts = findings.counts;
        outcome.tell(
            std::mem::take(&mut findings.missing),
            std::mem::take(&mut findings.notes),
        );
        match findings.refused.take() {
            Some(error) => Err(error.into()),
            None => Ok(outcome),
        }
    }

    /// Reads what became available in the window; tells whether all of it is read, or never will be.
    async fn poll(&self, window: Window, findings: &mut Findings) -> Result<bool, PipelineError> {
        let known = known(self.exclusions, &self.intake.lake, self.ports, self.invocation).await?;
        if known.is_blind() {
            findings.missing.push(WITHOUT_DIRECTORY.to_owned());
            return Ok(false);
        }
        let mut reading = Reading {
            named: Named::of(&known, self.ports.clock.now()),
            read: ReadBlobs::load(self.ports.files, window).await?,
            bronze: Bronze::new(self.ports.files, SOURCE, day_of(window.to), &self.invocation.id),
            batch: Batch::default(),
        };
        let mut from = window.from;
        while from < window.to {
            let to = window.to.min(from + (LONGEST_WINDOW - MARGIN));
            if !self.read_window(Window { from, to }, &mut reading, findings).await? {
                break;
            }
            from = to;
        }
        self.intake.take_in(&mut reading, findings).await?;
        // Everybody's names make room for everybody's counts.
        drop(reading);
        drop(known);
        summary::bring_up_to_date(&self.intake.lake, self.ports.files, findings).await?;
        Ok(from >= window.to && findings.unread == 0)
    }

    /// Reads the content of a window of a day; tells whether it is worth going on.
    async fn read_window(
        &self,
        window: Window,
        reading: &mut Reading<'_>,
        findings: &mut Findings,
    ) -> Result<bool, PipelineError> {
        let deadline = self.invocation.deadline;
        let mut next = None;
        loop {
            let page = match self.feed.content(window, next, deadline).await {
                Ok(page) => page,
                Err(error) => {
                    let what = format!("the list of content from {}", to_seconds(window.from));
                    return Ok(findings.lacks(&what, error));
                }
            };
            let mut unread = page.blobs;
            unread.retain(|blob| self.again || !reading.read.has(blob));
            if !self.read_blobs(unread, reading, findings).await? {
                return Ok(false);
            }
            next = page.next;
            if next.is_none() {
                return Ok(true);
            }
        }
    }

    /// Reads content and stores what is in it, some thousand events at a time; tells whether it is worth going on.
    async fn read_blobs(
        &self,
        blobs: Vec<ContentBlob>,
        reading: &mut Reading<'_>,
        findings: &mut Findings,
    ) -> Result<bool, PipelineError> {
        let fetch = |blob: ContentBlob| async move {
            let answer = self.feed.blob(&blob, self.invocation.deadline).await;
            (blob, answer)
        };
        let mut answers = stream::iter(blobs).map(fetch).buffer_unordered(SIDE_BY_SIDE);
        let mut goes_on = true;
        while let Some((blob, answer)) = answers.next().await {
            match answer {
                Ok(answer) => reading.batch.add(blob, answer.value, &self.config.operations, findings),
                Err(ApiError::Gone { .. }) => {
                    findings.lost += 1;
                    reading.read.note(&blob);
                }
                // What is under way has an answer coming that is as good as any other.
                Err(error) => goes_on &= findings.lacks("content", error),
            }
            if reading.batch.is_full() {
                self.intake.take_in(reading, findings).await?;
            }
            if !goes_on {
                break;
            }
        }
        Ok(goes_on)
    }

    /// Tables that are not tended grow slow and large, and nothing is lost when that fails once.
    async fn maintain(&self) {
        for table in [&SILVER_AUDIT_EVENTS, &GOLD_AUDIT_EVENTS, &GOLD_AUDIT_SUMMARY] {
            if let Err(error) = self.intake.lake.tables().maintain(table, self.ports.clock.now()).await {
                tracing::warn!(%error, "a table could not be tended; the next invocation tries again");
            }
        }
    }
}
