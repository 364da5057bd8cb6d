//! The use case `workflow-metrics`: run attempts become log events, metrics and a history by day.

pub(crate) mod ledger;
mod publishing;
mod reading;
pub(crate) mod repository_state;
mod targets;
mod timing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uptake_domain::calendar::{HOUR, Window, day_of, start_of_hour};
use uptake_domain::catalogue::{ATTEMPTS_PENDING, ATTEMPTS_TOO_OLD, LOG_EVENTS_REJECTED, MetricSpec, RATE_BUDGET_LEFT};
use uptake_domain::repositories::{Repositories, UNASSIGNED};
use uptake_domain::run_figures::{Span, WorkflowUse};
use uptake_domain::run_history::{Change, Period, compare};
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use uptake_upstream::http::SIDE_BY_SIDE;

use crate::config::WorkflowMetricsConfig;
use crate::dry_run::{self, ReadOnly, Silent};
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::ports::{Logs, Ports};
use crate::quarantine::{self, Quarantined};
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;
use ledger::Recorded;
use publishing::{Published, Publisher};
use reading::{Reader, Reading, Unread, first_relisted_day, relisting_is_due};
use repository_state::{RepositoryState, RepositoryStates};
use targets::{Target, Targets};
use timing::{Task, Timed};

/// The name of the function.
pub const FUNCTION: &str = "workflow-metrics";
/// What its weekly log groups are called.
pub const STREAM: &str = "workflow-runs";

const PAGES_KEY: &str = "state/workflow-metrics/pages.jsonl.zst";
/// A page of old runs is asked for once a day; one that was not for two days is older than any that will be.
const PAGES_UNUSED_FOR: u32 = 48;
/// A first collection begins this far back.
const FIRST_START: SignedDuration = SignedDuration::from_hours(24);
/// Metrics wait for a repository that cannot be read now, but not for ever.
const WAITS_FOR: SignedDuration = SignedDuration::from_hours(72);
/// Runs last no longer than this (docs.github.com, "Actions limits", read 2026-11-22: 35 days), so there is no use in
/// remembering a repository that was not seen for longer.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(35 * 24);
/// A page of the list may hold attempts that ended this long before what is new on it.
const RECORDED_BACK: SignedDuration = SignedDuration::from_hours(25);
/// Kept back from the deadline for storing and publishing what was read.
const TIME_TO_PUBLISH: Duration = Duration::from_mins(1);
/// Sentences of one kind in an answer.
const MOST_SENTENCES: usize = 5;

/// Collects up to the end of the hours the trigger stands for, whatever was missed before included.
pub async fn collect(
    github: &GitHub,
    config: &WorkflowMetricsConfig,
    ports: Ports<'_>,
    logs: &dyn Logs,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let files = ReadOnly(ports.files);
    let (ports, logs): (Ports<'_>, &dyn Logs) = if trigger.dry_run {
        (dry_run::ports(ports, &files), &Silent)
    } else {
        (ports, logs)
    };
    let collection = Collection {
        github,
        config,
        ports,
        logs,
        trigger,
        deadline: invocation.deadline.less(TIME_TO_PUBLISH),
    };
    let mut outcome = collection.run().await?;
    if trigger.dry_run {
        dry_run::correct(&mut outcome, ports.files).await?;
    }
    Ok(outcome)
}

struct Collection<'a> {
    github: &'a GitHub,
    config: &'a WorkflowMetricsConfig,
    ports: Ports<'a>,
    logs: &'a dyn Logs,
    trigger: &'a Trigger,
    /// Reading ends by then.
    deadline: Deadline,
}

/// What is said besides the outcome.
#[derive(Clone, Copy, Default)]
struct Figures {
    pending: u64,
    published: Published,
}

/// What reading all repositories brought.
#[derive(Default)]
struct Read {
    readings: Vec<(Target, Reading)>,
    /// Of those, the ones that were not read to the end and that no invocation will be able to read by itself: nothing waits for them.
    left_out: BTreeSet<u64>,
    missing: Vec<String>,
    notes: Vec<String>,
    /// Why nothing could be read, if a person has to see to it.
    refused: Option<ApiError>,
}

impl Collection<'_> {
    async fn run(&self) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, self.trigger, self.ports.clock);
        let mut figures = Figures::default();
        let outcome = self.offer(past_due, &mut figures).await;
        let mut more: Vec<(&'static MetricSpec, u64)> = vec![
            (&ATTEMPTS_PENDING, figures.pending),
            (&ATTEMPTS_TOO_OLD, figures.published.too_old),
            (&LOG_EVENTS_REJECTED, figures.published.rejected.total()),
        ];
        more.extend(self.github.budget_left().map(|left| (&RATE_BUDGET_LEFT, left)));
        telemetry::publish(self.ports.metrics, FUNCTION, self.trigger, past_due, outcome, &more).await
    }

    async fn offer(&self, past_due: bool, figures: &mut Figures) -> Result<Outcome, PipelineError> {
        let window = self.trigger.hours()?;
        let mut outcome = Outcome {
            function: FUNCTION,
            status: Status::NothingToDo,
            window,
            counts: Counts::default(),
            watermark: watermark::read(self.ports.files, FUNCTION).await?,
            stopped_early: None,
            past_due,
            in_doubt: None,
            notes: Vec::new(),
        };
        // An hour that is not over has no figures yet. What is asked for again is read to where everything else is, so
        // that no gap is left between the two.
        let asked_to = outcome.watermark.filter(|_| self.trigger.replace);
        let to = window.to.max(asked_to.unwrap_or(window.to));
        let to = to.min(start_of_hour(self.ports.clock.now()));
        if to <= window.from {
            outcome.notes.push(format!("the hour from {} is not over", window.from));
        } else if outcome.watermark >= Some(to) && !self.trigger.replace {
            outcome
                .notes
                .push(format!("everything up to {to} is published already"));
        } else {
            self.collect_to(to, &mut outcome, figures).await?;
        }
        Ok(outcome)
    }

    async fn collect_to(
        &self,
        to: Timestamp,
        outcome: &mut Outcome,
        figures: &mut Figures,
    ) -> Result<(), PipelineError> {
        let files = self.ports.files;
        let requests_before = self.github.requests();
        let list = targets::read_list(self.config, files).await?;
        let mut states = RepositoryStates::read(files).await?;
        self.restore_pages().await?;
        let Targets {
            found: targets,
            mut missing,
            waits,
            refused,
            mut notes,
        } = targets::resolve(self.github, &list, &states.by_id, self.deadline).await;
        let since = (to - FIRST_START).min(outcome.window.from);

        // Fetch and decode.
        let recorded = self.recorded(&targets, &states.by_id, to, since).await?;
        let read = self.read(targets, &states.by_id, to, since, &recorded).await;
        if read.left_out.len() == read.readings.len()
            && let Some(error) = read.refused.clone().or(refused)
        {
            return Err(error.into());
        }
        missing.extend(read.missing);
        notes.extend(read.notes);
        let mut seen_days: BTreeSet<Date> = BTreeSet::new();
        let mut quarantined: Vec<Quarantined> = Vec::new();
        let mut current: Vec<(Target, RepositoryState)> = Vec::new();
        let mut ended = BTreeMap::new();
        for (target, reading) in read.readings {
            seen_days.extend(reading.seen_days);
            quarantined.extend(reading.quarantined);
            notes.extend(reading.notes);
            outcome.counts.fetched += reading.runs;
            ended.insert(target.repository.id, reading.ended);
            current.push((target, reading.state));
        }
        let mut timed = self.time(&mut current, ended, to).await;
        figures.pending = timed.waiting();
        missing.extend(timed.reason.take().map(|reason| {
            let waiting = figures.pending;
            format!("{waiting} run attempts wait for their jobs to be read: {reason}")
        }));
        if timed.deleted > 0 {
            notes.push(format!(
                "{} runs were deleted before their jobs were read",
                timed.deleted
            ));
        }
        for (target, state) in &mut current {
            state.pending = timed.pending.remove(&target.repository.id).unwrap_or_default();
        }

        // Store, publish, and only then advance.
        quarantine::keep(files, FUNCTION, day_of(to - SignedDuration::from_secs(1)), &quarantined).await?;
        seen_days.extend(timed.attempts.iter().map(|attempt| day_of(attempt.ended_at)));
        let stored = ledger::record(files, timed.attempts).await?;
        let complete_to = complete_to(&current, &read.left_out, waits, outcome.watermark, to);
        let publisher = self.publisher(&list, &current, complete_to, to);
        let first_open = outcome.watermark.unwrap_or(publisher.since);
        seen_days.extend(publisher.days_from(first_open));
        seen_days.extend(
            publisher
                .again
                .into_iter()
                .flat_map(|again| publisher.days_from(again.from)),
        );
        figures.published = publisher.publish(&seen_days).await?;
        let newest = states.by_id.values().filter_map(|state| state.listed_to).max();
        let forgotten_before = newest.unwrap_or(to).max(to) - REMEMBERED_FOR;
        states
            .by_id
            .retain(|_, state| state.listed_to.unwrap_or(to) >= forgotten_before);
        states
            .by_id
            .extend(current.into_iter().map(|(target, state)| (target.repository.id, state)));
        states.write(files).await?;
        self.keep_pages().await?;
        outcome.watermark = Some(watermark::advance(files, FUNCTION, complete_to).await?);

        let told = figures.published;
        outcome.status = if missing.is_empty() {
            Status::Complete
        } else {
            Status::Incomplete
        };
        outcome.counts = Counts {
            stored,
            quarantined: quarantined.len() as u64,
            published: told.data + told.events,
            requests: self.github.requests() - requests_before,
            ..outcome.counts
        };
        let mut missing = shortened(missing).into_iter();
        outcome.stopped_early = missing.next();
        outcome.notes = shortened(notes);
        outcome.notes.extend(missing);
        outcome.notes.extend(explain(told));
        if complete_to > first_open {
            outcome.notes.push(self.comparison(complete_to, outcome.window).await?);
        }
        Ok(())
    }

    /// What is recorded already of what may be seen again.
    async fn recorded(
        &self,
        targets: &[Target],
        known: &BTreeMap<u64, RepositoryState>,
        to: Timestamp,
        since: Timestamp,
    ) -> Result<Recorded, PipelineError> {
        let again = self.again().map(|window| day_of(window.from - RECORDED_BACK));
        let first = targets.iter().map(|target| {
            let fresh = RepositoryState::new(target.repository.id, String::new(), since);
            let state = known.get(&target.repository.id).unwrap_or(&fresh);
            let first = day_of(state.listed_to.unwrap_or(state.since) - RECORDED_BACK);
            if relisting_is_due(state, to) {
                first.min(first_relisted_day(state, to))
            } else {
                first
            }
        });
        let today = day_of(self.ports.clock.now());
        let first = first.chain(again).min().unwrap_or(today);
        Recorded::read(self.ports.files, first, today).await
    }

    fn again(&self) -> Option<Window> {
        let window = self.trigger.hours().ok();
        window.filter(|_| self.trigger.replace)
    }

    /// Reads every repository, several side by side, the one that is furthest behind first: what a deadline cut today
    /// comes first tomorrow.
    async fn read(
        &self,
        targets: Vec<Target>,
        known: &BTreeMap<u64, RepositoryState>,
        to: Timestamp,
        since: Timestamp,
        recorded: &Recorded,
    ) -> Read {
        let reader = Reader {
            github: self.github,
            recorded,
            to,
            again_from: self.again().map(|window| window.from),
            deadline: self.deadline,
        };
        let total = targets.len() as u64;
        let mut tasks: Vec<(Target, RepositoryState)> = targets
            .into_iter()
            .map(|target| {
                let Target { repository, .. } = &target;
                let state = known.get(&repository.id).cloned();
                let state =
                    state.unwrap_or_else(|| RepositoryState::new(repository.id, repository.full_name.clone(), since));
                (target, state)
            })
            .collect();
        tasks.sort_by_key(|(_, state)| state.listed_to);
        let reader = &reader;
        let mut readings = stream::iter(tasks)
            .map(async |(target, state)| {
                let reading = reader.read(&target, state).await;
                (target, reading)
            })
            .buffered(SIDE_BY_SIDE);
        let mut read = Read::default();
        let mut done = 0;
        while let Some((target, mut reading)) = readings.next().await {
            done += 1;
            self.ports.progress.show("repositories", done, Some(total));
            if let Some(unread) = reading.unread.take() {
                read.could_not(unread, &target);
            }
            read.readings.push((target, reading));
        }
        read
    }

    /// Reads the jobs of every attempt that has ended, those included that waited.
    async fn time(
        &self,
        current: &mut [(Target, RepositoryState)],
        mut ended: BTreeMap<u64, Vec<repository_state::EndedAttempt>>,
        to: Timestamp,
    ) -> Timed {
        for (target, state) in current.iter_mut() {
            let waiting = std::mem::take(&mut state.pending);
            ended.entry(target.repository.id).or_default().extend(waiting);
        }
        let mut tasks = Vec::new();
        for (target, state) in current.iter() {
            let ended = ended.remove(&target.repository.id).unwrap_or_default();
            tasks.extend(ended.into_iter().map(|ended| Task {
                state,
                team: &target.team,
                ended,
            }));
        }
        timing::time(self.github, tasks, to, self.deadline, self.ports.progress).await
    }

    fn publisher(
        &self,
        list: &Repositories,
        current: &[(Target, RepositoryState)],
        complete_to: Timestamp,
        to: Timestamp,
    ) -> Publisher<'_> {
        let mut teams: BTreeSet<String> = list.teams().into_iter().map(str::to_owned).collect();
        teams.extend(current.iter().map(|(target, _)| target.team.clone()));
        if teams.is_empty() {
            teams.insert(UNASSIGNED.to_owned());
        }
        let mut open = Vec::new();
        let mut workflows = Vec::new();
        for (Target { repository, team }, state) in current {
            open.extend(state.open.values().map(|run| Span {
                team: team.clone(),
                repository: repository.full_name.clone(),
                started_at: run.started_at,
                ended_at: None,
            }));
            let enabled = state.workflows.values().filter(|workflow| workflow.is_enabled);
            workflows.extend(enabled.map(|workflow| WorkflowUse {
                team: team.clone(),
                repository: repository.full_name.clone(),
                last_run_at: workflow.last_run_at,
            }));
        }
        Publisher {
            config: self.config,
            ports: self.ports,
            logs: self.logs,
            since: current
                .iter()
                .map(|(_, state)| state.since)
                .min()
                .unwrap_or(to - FIRST_START),
            to,
            complete_to,
            again: self.again(),
            teams,
            repositories: current
                .iter()
                .map(|(target, _)| target.repository.full_name.clone())
                .collect(),
            open,
            workflows,
        }
    }

    /// One sentence on what changed: the last hour against the one before, or the last day.
    async fn comparison(&self, complete_to: Timestamp, window: Window) -> Result<String, PipelineError> {
        let period = if window.to.duration_since(window.from) < HOUR * 24 {
            Period::Hour
        } else {
            Period::Day
        };
        let window = period.ending(complete_to);
        let days = ledger::history(
            self.ports.files,
            day_of(window.from - window.to.duration_since(window.from)),
            day_of(window.from),
        )
        .await?;
        let comparison = compare(&days, window, days.keys().next().copied());
        let Change { now, before } = comparison.overall;
        let before = if comparison.has_before {
            format!(
                " (the {} before: {}, {})",
                period.as_str(),
                before.attempts,
                before.failed
            )
        } else {
            String::new()
        };
        Ok(format!(
            "{} to {}: {} run attempts, {} failed{before}",
            window.from, window.to, now.attempts, now.failed
        ))
    }

    // A copy that does not read back costs requests and nothing else.

    async fn restore_pages(&self) -> Result<(), PipelineError> {
        if let Some(file) = self.ports.files.read(PAGES_KEY).await?
            && let Err(error) = self.github.restore_pages(&file.bytes)
        {
            tracing::warn!(%error, key = PAGES_KEY, "the kept pages do not read back; reading all pages anew");
        }
        Ok(())
    }

    async fn keep_pages(&self) -> Result<(), PipelineError> {
        let pages = self
            .github
            .pages_to_keep(PAGES_UNUSED_FOR)
            .map_err(|error| PipelineError::state(PAGES_KEY, error))?;
        Ok(self.ports.files.write(PAGES_KEY, pages.into()).await?)
    }
}

impl Read {
    fn could_not(&mut self, unread: Unread, target: &Target) {
        let Target { repository, .. } = target;
        let name = &repository.full_name;
        tracing::debug!(repository = name, ?unread, "a repository could not be read");
        match unread {
            Unread::Api(ApiError::NotFound { .. }) => {
                self.notes.push(format!("{name} is gone or hidden from this token"));
                self.left_out.insert(repository.id);
            }
            Unread::Api(error) => {
                self.missing.push(format!("{name}: {error}"));
                if !error.passes_by_itself() {
                    self.left_out.insert(repository.id);
                    self.refused = Some(error);
                }
            }
            Unread::TooManyAtOnce(second) => {
                self.missing.push(format!(
                    "{name}: more runs were created in the second {second} than GitHub lists, so some cannot be had; it \
                     is read no further than that until Uptake's maintainers see to it"
                ));
                self.left_out.insert(repository.id);
            }
            Unread::Restless => {
                self.missing.push(format!(
                    "{name}: the list of runs changed whenever it was read; the next invocation tries again"
                ));
            }
        }
    }
}

/// Up to when every attempt of every repository is recorded. What cannot be read now holds this back, for a while;
/// what no invocation can read by itself does not.
fn complete_to(
    current: &[(Target, RepositoryState)],
    left_out: &BTreeSet<u64>,
    waits: bool,
    watermark: Option<Timestamp>,
    to: Timestamp,
) -> Timestamp {
    let repositories = current
        .iter()
        .filter(|(target, _)| !left_out.contains(&target.repository.id))
        .map(|(_, state)| state.complete_to());
    let unlisted = waits.then(|| watermark.unwrap_or(to - FIRST_START));
    let complete_to = repositories.chain(unlisted).fold(to, Timestamp::min);
    start_of_hour(complete_to.max(to - WAITS_FOR))
}

/// The first few sentences, and how many more there are.
fn shortened(mut sentences: Vec<String>) -> Vec<String> {
    let more = sentences.len().saturating_sub(MOST_SENTENCES);
    if more > 1 {
        sentences.truncate(MOST_SENTENCES);
        sentences.push(format!("and {more} more like these"));
    }
    sentences
}

/// What a person should know about what was published.
fn explain(published: Published) -> Vec<String> {
    let mut notes = Vec::new();
    if published.too_old > 0 {
        notes.push(format!(
            "{} run attempts ended more than 14 days ago, which is too old for CloudWatch: they are in the store and its \
             history, and missing in metrics and log groups",
            published.too_old
        ));
    }
    let rejected = published.rejected;
    if rejected.total() > 0 {
        notes.push(format!(
            "CloudWatch Logs turned down {} events: {} too old, {} too new, {} older than their group keeps events",
            rejected.total(),
            rejected.too_old,
            rejected.too_new,
            rejected.expired
        ));
    }
    notes
}
