//! Publishing what is recorded: log events and metrics of every hour that is over, figures by day, and nothing twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use uptake_domain::calendar::{HOUR, Window, day_of, hour_of_day, hours, start_of};
use uptake_domain::log_events::WORKFLOW_RUNS;
use uptake_domain::run::{AttemptId, RunAttempt};
use uptake_domain::run_figures::{Span, Surroundings, WorkflowUse, day_data, hour_data, workflow_data};
use uptake_domain::run_history::DayFigures;

use super::FUNCTION;
use super::ledger::{self, Marks};
use crate::config::WorkflowMetricsConfig;
use crate::outcome::PipelineError;
use crate::ports::{LogEvent, Logs, Ports, RejectedEvents, TAKEN_FOR};

/// What publishing needs to know beside the ledger.
pub(super) struct Publisher<'a> {
    pub(super) config: &'a WorkflowMetricsConfig,
    pub(super) ports: Ports<'a>,
    pub(super) logs: &'a dyn Logs,
    /// Hours before are nobody's.
    pub(super) since: Timestamp,
    /// Hours are over up to here.
    pub(super) to: Timestamp,
    /// Every attempt that ended before is recorded: metrics of later hours would look like fewer runs.
    pub(super) complete_to: Timestamp,
    /// Hours to publish although they are.
    pub(super) again: Option<Window>,
    pub(super) teams: BTreeSet<String>,
    /// Repositories that get their figures by day, with the instant before which nobody looked.
    pub(super) repositories: BTreeMap<String, Timestamp>,
    /// Attempts still under way.
    pub(super) open: Vec<Span>,
    pub(super) workflows: Vec<WorkflowUse>,
}

/// What was published.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Published {
    pub(super) data: u64,
    pub(super) events: u64,
    pub(super) rejected: RejectedEvents,
    /// Attempts that ended too long ago.
    pub(super) too_old: u64,
    /// Days that began too long ago for what is new in their figures by repository.
    pub(super) days_too_old: u64,
}

impl Publisher<'_> {
    /// Publishes whatever of these days is not.
    pub(super) async fn publish(&self, days: &BTreeSet<Date>) -> Result<Published, PipelineError> {
        let mut published = Published::default();
        // An attempt that ended later was under way before. Days are read one at a time, twice: weeks that are made up for
        // would not fit into memory.
        let mut spans = self.open.clone();
        for day in days {
            let attempts = ledger::attempts(self.ports.files, *day).await?.into_iter();
            let long = attempts
                .filter(|attempt| attempt.ended_at.duration_since(attempt.started_at) > self.config.stuck_after);
            spans.extend(long.map(|attempt| Span {
                team: attempt.team,
                repository: attempt.repository,
                started_at: attempt.started_at,
                ended_at: Some(attempt.ended_at),
            }));
        }
        for (done, day) in (1..).zip(days) {
            let attempts = ledger::attempts(self.ports.files, *day).await?;
            self.publish_day(*day, &attempts, &spans, &mut published).await?;
            self.ports.progress.show("days", done, Some(days.len() as u64));
        }
        Ok(published)
    }

    async fn publish_day(
        &self,
        day: Date,
        attempts: &[RunAttempt],
        spans: &[Span],
        published: &mut Published,
    ) -> Result<(), PipelineError> {
        let files = self.ports.files;
        let before = ledger::read_marks(files, day).await?;
        let mut marks = self.marks_to_keep(day, before.clone());
        let of_day = Window::of_day(day);
        // A day of which only a part was looked at would look like a day with less in it.
        let whole = self.repositories.iter().filter(|(_, since)| **since <= of_day.from);
        let whole: BTreeSet<String> = whole.map(|(name, _)| name.clone()).collect();
        let around = Surroundings {
            teams: &self.teams,
            repositories: &whole,
            spans,
            stuck_after: self.config.stuck_after,
        };
        let from = of_day.from.max(self.since);
        let mut data = Vec::new();
        for hour in hours(from, of_day.to.min(self.to)) {
            let number = hour_of_day(hour);
            let ended: Vec<&RunAttempt> = attempts
                .iter()
                .filter(|attempt| Window::of_hour(hour).contains(attempt.ended_at))
                .collect();
            let count = ended.len() as u64;
            if self.is_too_old(hour) {
                published.too_old += count.saturating_sub(before.events.get(&number).copied().unwrap_or_default());
                marks.events.insert(number, count);
                marks.metrics.insert(number, count);
                continue;
            }
            if marks.events.get(&number) != Some(&count) {
                self.write_events(hour, &ended, published).await?;
                marks.events.insert(number, count);
            }
            if hour < self.complete_to && marks.metrics.get(&number) != Some(&count) {
                data.extend(hour_data(hour, &ended, around));
                marks.metrics.insert(number, count);
            }
        }
        let all: Vec<&RunAttempt> = attempts.iter().collect();
        let count = all.len() as u64;
        if of_day.to <= self.complete_to {
            // Only what changed: CloudWatch asks its price for every hour in which a series is written.
            let mut counts: BTreeMap<&String, u64> = whole.iter().map(|name| (name, 0)).collect();
            for attempt in attempts {
                if let Some(count) = counts.get_mut(&attempt.repository) {
                    *count += 1;
                }
            }
            let changed: BTreeSet<String> = counts
                .iter()
                .filter(|(name, count)| marks.repositories.get(**name) != Some(*count))
                .map(|(name, _)| (*name).clone())
                .collect();
            let of_changed: Vec<&RunAttempt> = attempts
                .iter()
                .filter(|attempt| changed.contains(&attempt.repository))
                .collect();
            let around_changed = Surroundings {
                repositories: &changed,
                ..around
            };
            // The day's datum stands at its beginning, which is too old before its last hours are.
            let is_too_old = self.is_too_old(of_day.from);
            if is_too_old {
                published.days_too_old += u64::from(!of_changed.is_empty());
            } else {
                data.extend(day_data(day, &of_changed, around_changed));
            }
            marks
                .repositories
                .extend(counts.into_iter().map(|(name, count)| (name.clone(), count)));
            // What was in use on an earlier day nobody knows any more.
            let is_last = of_day.to > self.complete_to - HOUR * 24;
            if is_last && !is_too_old && !marks.workflows {
                let inactive_after = self.config.inactive_after;
                data.extend(workflow_data(day, &self.workflows, inactive_after, around));
                marks.workflows = true;
            }
        }
        self.ports.metrics.publish(&data).await?;
        published.data += data.len() as u64;
        if marks.figures != Some(count) {
            ledger::write_figures(files, day, &DayFigures::of(all)).await?;
            marks.figures = Some(count);
        }
        if marks != before {
            ledger::write_marks(files, day, &marks).await?;
        }
        Ok(())
    }

    /// What was published, less what is wanted again.
    fn marks_to_keep(&self, day: Date, mut marks: Marks) -> Marks {
        if let Some(again) = self.again {
            let start = |hour: &i8| start_of(day) + SignedDuration::from_hours(i64::from(*hour));
            marks.events.retain(|hour, _| !again.contains(start(hour)));
            marks.metrics.retain(|hour, _| !again.contains(start(hour)));
            if again.contains(start_of(day)) {
                marks.repositories.clear();
                marks.workflows = false;
            }
        }
        marks
    }

    fn is_too_old(&self, window_start: Timestamp) -> bool {
        self.ports.clock.now().duration_since(window_start) > TAKEN_FOR
    }

    /// Writes the events of an hour that its stream does not hold yet.
    async fn write_events(
        &self,
        hour: Timestamp,
        attempts: &[&RunAttempt],
        published: &mut Published,
    ) -> Result<(), PipelineError> {
        if attempts.is_empty() {
            return Ok(());
        }
        let stream = self.config.log_groups.stream(WORKFLOW_RUNS.name, FUNCTION, hour);
        let there = self.logs.events(&stream).await?;
        let there: HashSet<AttemptId> = there
            .iter()
            .filter_map(|event| RunAttempt::id_in(&event.message))
            .collect();
        let rest: Vec<LogEvent> = attempts
            .iter()
            .filter(|attempt| !there.contains(&attempt.id))
            .map(|attempt| LogEvent {
                timestamp: attempt.ended_at,
                message: attempt.log_message(),
            })
            .collect();
        let rejected = self.logs.append(&stream, &rest).await?;
        published.events += rest.len() as u64 - rejected.total();
        published.rejected = published.rejected.and(rejected);
        Ok(())
    }

    /// The days that have hours from `from` on that are over.
    pub(super) fn days_from(&self, from: Timestamp) -> impl Iterator<Item = Date> + use<> {
        let last = day_of(self.to - SignedDuration::from_secs(1));
        day_of(from).series(1.day()).take_while(move |day| *day <= last)
    }
}
