//! The use case `workflow-metrics`: run attempts become log events, metrics and a history by day.

pub(crate) mod ledger;
mod publishing;
mod reading;
pub(crate) mod repository_state;
mod targets;
mod timing;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uptake_domain::calendar::{HOUR, Window, day_of, start_of_hour};
use uptake_domain::catalogue::{ATTEMPTS_PENDING, ATTEMPTS_TOO_OLD, LOG_EVENTS_REJECTED, MetricSpec, RATE_BUDGET_LEFT};
use uptake_domain::repositories::{Repositories, UNASSIGNED};
use uptake_domain::run::RunAttempt;
use uptake_domain::run_figures::{Span, WorkflowUse};
use uptake_domain::run_history::{Change, Period, compare};
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use uptake_upstream::http::SIDE_BY_SIDE;

use crate::config::WorkflowMetricsConfig;
use crate::dry_run::{self, ReadOnly, Silent};
use crate::outcome::{Outcome, PipelineError, Status};
use crate::ports::{Logs, Ports};
use crate::quarantine::{self, Quarantined};
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;
use ledger::Recorded;
use publishing::{Published, Publisher};
use reading::{Reader, Reading, Unread, first_relisted_day, relisting_is_due};
use repository_state::{EndedAttempt, RepositoryState, RepositoryStates, Settled};
use targets::{Target, Targets};
use timing::{Task, Timed};

/// The name of the function.
pub const FUNCTION: &str = "workflow-metrics";

const PAGES_KEY: &str = "state/workflow-metrics/pages.jsonl.zst";
/// A page of old runs is asked for once a day; one that was not for two days is older than any that will be.
const PAGES_UNUSED_FOR: u32 = 48;
/// A first collection begins this far back.
const FIRST_START: SignedDuration = SignedDuration::from_hours(24);
/// Metrics wait so long for a repository that fails whenever it is read, and for an organisation that cannot be listed.
const WAITS_FOR: SignedDuration = SignedDuration::from_hours(6);
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
        window: trigger.hours()?,
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
    window: Window,
    /// Reading ends by then.
    deadline: Deadline,
}

/// What is said besides the outcome.
#[derive(Clone, Copy, Default)]
struct Figures {
    pending: u64,
    published: Published,
}

/// How reading a repository ended, as far as the figures of all are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With all there is.
    Whole,
    /// Before its end, by a deadline or a limit: everything waits for it.
    CutOff,
    /// With an error that may pass: everything waits for it, for a while.
    Failing,
    /// With an error that no invocation can pass by itself: nothing waits for it.
    Refused,
    /// With nothing, because it is gone.
    Gone,
}

/// A repository with what is known of it by now.
struct Current {
    target: Target,
    state: RepositoryState,
    ending: Ending,
}

/// Everything an invocation fetched.
#[derive(Default)]
struct Gathered {
    current: Vec<Current>,
    /// Attempts that have ended, with their jobs.
    attempts: Vec<RunAttempt>,
    /// Attempts whose jobs are not read yet.
    waiting: u64,
    /// Days on which attempts ended that were seen.
    seen_days: BTreeSet<Date>,
    /// Runs read.
    runs: u64,
    quarantined: Vec<Quarantined>,
    /// Whether an organisation could not be listed now, but may be another time.
    waits: bool,
    missing: Vec<String>,
    notes: Vec<String>,
}

impl Gathered {
    /// Takes what reading the jobs brought.
    fn take(&mut self, mut timed: Timed, to: Timestamp) {
        self.waiting = timed.waiting();
        self.missing.extend(
            timed
                .reason
                .map(|reason| format!("{} run attempts wait for their jobs to be read: {reason}", self.waiting)),
        );
        if timed.without_jobs > 0 {
            self.notes.push(format!(
                "{} run attempts are recorded without queue time and minutes, because their jobs are deleted or could not be \
                 read for hours",
                timed.without_jobs
            ));
        }
        for Current { target, state, ending } in &mut self.current {
            let Target { repository, .. } = &*target;
            state.pending = timed.pending.remove(&repository.id).unwrap_or_default();
            if *ending != Ending::Gone {
                state.wanted_to = Some(to);
            }
            let is_read_out = *ending == Ending::Whole && state.open.is_empty() && state.pending.is_empty();
            state.is_closed = (repository.archived || repository.disabled) && is_read_out;
        }
        self.attempts = timed.attempts;
    }
}

/// What became of it.
struct Stored {
    /// Attempts recorded for the first time.
    attempts: u64,
    /// One sentence on what changed, if anything new is published.
    comparison: Option<String>,
}

/// What reading all repositories brought.
#[derive(Default)]
struct Read {
    readings: Vec<(Target, Reading, Ending)>,
    missing: Vec<String>,
    notes: Vec<String>,
    /// Why nothing could be read, if a person has to see to it.
    refused: Option<PipelineError>,
}

impl Collection<'_> {
    async fn run(&self) -> Result<Outcome, PipelineError> {
        let Window { from, .. } = self.window;
        if from > self.ports.clock.now() {
            return Err(PipelineError::Future(from));
        }
        let past_due = telemetry::note_past_due(FUNCTION, self.trigger, self.ports.clock);
        let mut figures = Figures::default();
        let outcome = self.offer(past_due, &mut figures).await;
        let mut more: Vec<(&'static MetricSpec, u64)> = vec![
            (&ATTEMPTS_PENDING, figures.pending),
            (&ATTEMPTS_TOO_OLD, figures.published.too_old),
            (&LOG_EVENTS_REJECTED, figures.published.rejected.total()),
        ];
        more.extend(self.github.budget_left().map(|left| (&RATE_BUDGET_LEFT, left)));
        more.extend(telemetry::credential_days_left(
            self.github.credential_ends_at(),
            self.ports.clock,
        ));
        telemetry::publish(self.ports.metrics, FUNCTION, self.trigger, past_due, outcome, &more).await
    }

    async fn offer(&self, past_due: bool, figures: &mut Figures) -> Result<Outcome, PipelineError> {
        let window = self.window;
        let mut outcome = Outcome::of_nothing(
            FUNCTION,
            window,
            watermark::read(self.ports.files, FUNCTION).await?,
            past_due,
        );
        // An hour that is not over has no figures yet. What is asked for again is read to where everything else is, so
        // that no gap is left between the two.
        let asked_to = outcome.watermark.filter(|_| self.trigger.replace);
        let to = window.to.max(asked_to.unwrap_or(window.to));
        let to = to.min(start_of_hour(self.ports.clock.now()));
        if to <= window.from {
            outcome.notes.push(format!("the hour from {} is not over", window.from));
        } else {
            let (list, fingerprint) = targets::read_list(self.config, self.ports.files).await?;
            let settled = Settled::read(self.ports.files).await?;
            let is_settled = settled.is_some_and(|settled| settled.to >= to && settled.list == fingerprint);
            if is_settled && !self.trigger.replace {
                let note = format!("everything up to {to} is published already");
                outcome.notes.push(note);
                return Ok(outcome);
            }
            self.collect_to(&list, to, &mut outcome, figures).await?;
            if to < window.to {
                let note = format!("collected up to {to}: what comes after is not over");
                outcome.notes.push(note);
            }
            if outcome.status == Status::Complete {
                let list = fingerprint;
                Settled { to, list }.write(self.ports.files).await?;
            }
        }
        Ok(outcome)
    }

    async fn collect_to(
        &self,
        list: &Repositories,
        to: Timestamp,
        outcome: &mut Outcome,
        figures: &mut Figures,
    ) -> Result<(), PipelineError> {
        let requests_before = self.github.requests();
        let states = RepositoryStates::read(self.ports.files).await?;
        self.restore_pages().await?;
        let mut gathered = self.gather(list, &states, to, outcome).await?;
        figures.pending = gathered.waiting;
        outcome.status = if gathered.missing.is_empty() {
            Status::Complete
        } else {
            Status::Incomplete
        };
        outcome.counts.fetched = gathered.runs;
        outcome.counts.quarantined = gathered.quarantined.len() as u64;
        let mut missing = shortened(mem::take(&mut gathered.missing)).into_iter();
        outcome.stopped_early = missing.next();
        outcome.notes = shortened(mem::take(&mut gathered.notes));
        outcome.notes.extend(missing);
        let stored = self.store(gathered, list, states, to, outcome, figures).await?;
        let Published { data, events, .. } = figures.published;
        outcome.notes.extend(explain(figures.published));
        outcome.notes.extend(stored.comparison);
        outcome.counts.stored = stored.attempts;
        outcome.counts.published = data + events;
        outcome.counts.requests = self.github.requests() - requests_before;
        Ok(())
    }

    /// Fetches and decodes.
    async fn gather(
        &self,
        list: &Repositories,
        states: &RepositoryStates,
        to: Timestamp,
        outcome: &Outcome,
    ) -> Result<Gathered, PipelineError> {
        let Targets {
            found,
            missing,
            waits,
            refused,
            notes,
        } = targets::resolve(self.github, list, &states.by_id, self.deadline).await;
        // What everything waited for is none of the past: a repository first seen now is read from there on.
        let since = (to - FIRST_START).min(outcome.window.from);
        let since = outcome.watermark.map_or(since, |watermark| since.min(watermark));
        let tasks = known(found, &states.by_id, since, to);
        let recorded = self.recorded(&tasks, to).await?;
        let read = self.read(tasks, to, &recorded).await;
        let nothing_to_be_had =
            |(_, _, ending): &(Target, Reading, Ending)| matches!(ending, Ending::Refused | Ending::Gone);
        if read.readings.iter().all(nothing_to_be_had)
            && let Some(error) = read.refused.or(refused)
        {
            return Err(error);
        }
        if read.readings.is_empty() && missing.is_empty() {
            return Err(PipelineError::NoRepository);
        }
        let mut gathered = Gathered {
            missing: [missing, read.missing].concat(),
            notes: [notes, read.notes].concat(),
            waits,
            ..Gathered::default()
        };
        let mut ended = BTreeMap::new();
        for (target, reading, ending) in read.readings {
            gathered.seen_days.extend(reading.seen_days);
            gathered.quarantined.extend(reading.quarantined);
            gathered.notes.extend(reading.notes);
            gathered.runs += reading.runs;
            ended.insert(target.repository.id, reading.ended);
            gathered.current.push(Current {
                target,
                state: reading.state,
                ending,
            });
        }
        let timed = self.time(&mut gathered.current, ended, to).await;
        gathered.take(timed, to);
        Ok(gathered)
    }

    /// Stores, publishes, and only then advances.
    async fn store(
        &self,
        gathered: Gathered,
        list: &Repositories,
        mut states: RepositoryStates,
        to: Timestamp,
        outcome: &mut Outcome,
        figures: &mut Figures,
    ) -> Result<Stored, PipelineError> {
        let files = self.ports.files;
        let Gathered {
            current,
            mut seen_days,
            quarantined,
            attempts,
            waits,
            ..
        } = gathered;
        let day = day_of(to - SignedDuration::from_secs(1));
        quarantine::keep(files, FUNCTION, day, &quarantined).await?;
        seen_days.extend(attempts.iter().map(|attempt| day_of(attempt.ended_at)));
        let attempts = ledger::record(files, attempts).await?;
        states.check_alone(files).await?;
        let complete_to = complete_to(&current, waits, outcome.watermark, to);
        let publisher = self.publisher(list, &current, complete_to, to);
        let looked_from = publisher.since;
        let first_open = outcome.watermark.unwrap_or(looked_from);
        seen_days.extend(publisher.days_from(first_open));
        let again = publisher.again.into_iter();
        seen_days.extend(again.flat_map(|again| publisher.days_from(again.from)));
        figures.published = publisher.publish(&seen_days).await?;
        let current = current.into_iter().map(|current| current.state);
        states.by_id.extend(current.map(|state| (state.id, state)));
        let forgotten_before = to - REMEMBERED_FOR;
        states
            .by_id
            .retain(|_, state| state.wanted_to.is_some_and(|wanted_to| wanted_to >= forgotten_before));
        states.write(files).await?;
        self.keep_pages().await?;
        outcome.watermark = Some(watermark::advance(files, FUNCTION, complete_to).await?);
        let comparison = if complete_to > first_open && !self.trigger.dry_run {
            self.comparison(complete_to, outcome.window, looked_from).await?
        } else {
            None
        };
        Ok(Stored { attempts, comparison })
    }

    /// What is recorded already of what may be seen again.
    async fn recorded(&self, tasks: &[(Target, RepositoryState)], to: Timestamp) -> Result<Recorded, PipelineError> {
        let again = self.again().map(|window| day_of(window.from - RECORDED_BACK));
        let first = tasks.iter().map(|(_, state)| {
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
        self.trigger.replace.then_some(self.window)
    }

    /// Reads every repository, several side by side, the one that is furthest behind first: what a deadline cut today
    /// comes first tomorrow.
    async fn read(&self, tasks: Vec<(Target, RepositoryState)>, to: Timestamp, recorded: &Recorded) -> Read {
        let reader = Reader {
            github: self.github,
            recorded,
            to,
            again_from: self.again().map(|window| window.from),
            deadline: self.deadline,
        };
        let total = tasks.len() as u64;
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
            let ending = match reading.unread.take() {
                None => Ending::Whole,
                Some(unread) => read.could_not(unread, &target),
            };
            read.readings.push((target, reading, ending));
        }
        read
    }

    /// Reads the jobs of every attempt that has ended, those included that waited.
    async fn time(&self, current: &mut [Current], mut ended: BTreeMap<u64, Vec<EndedAttempt>>, to: Timestamp) -> Timed {
        for Current { state, .. } in current.iter_mut() {
            let waiting = mem::take(&mut state.pending);
            ended.entry(state.id).or_default().extend(waiting);
        }
        let mut tasks = Vec::new();
        for Current { target, state, .. } in current.iter() {
            let ended = ended.remove(&state.id).unwrap_or_default();
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
        current: &[Current],
        complete_to: Timestamp,
        to: Timestamp,
    ) -> Publisher<'_> {
        let mut teams: BTreeSet<String> = list.teams().into_iter().map(str::to_owned).collect();
        teams.extend(current.iter().map(|current| current.target.team.clone()));
        if teams.is_empty() {
            teams.insert(UNASSIGNED.to_owned());
        }
        let mut open = Vec::new();
        let mut workflows = Vec::new();
        for Current { target, state, ending } in current {
            let Target { repository, team } = target;
            // Of a repository that was not read nobody knows what is still under way.
            let still_open = state.open.values().filter(|_| *ending == Ending::Whole);
            open.extend(still_open.map(|run| Span {
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
                .map(|current| current.state.since)
                .min()
                .unwrap_or(to - FIRST_START),
            to,
            complete_to,
            again: self.again(),
            teams,
            // What is gone or refused has no figures, and a zero would be one.
            repositories: current
                .iter()
                .filter(|current| !matches!(current.ending, Ending::Refused | Ending::Gone))
                .map(|current| (current.target.repository.full_name.clone(), current.state.since))
                .collect(),
            open,
            workflows,
        }
    }

    /// One sentence on what changed: the last hour against the one before, or the last day.
    async fn comparison(
        &self,
        complete_to: Timestamp,
        window: Window,
        looked_from: Timestamp,
    ) -> Result<Option<String>, PipelineError> {
        let is_long = window.to.duration_since(window.from) >= HOUR * 24;
        let period = if is_long && complete_to >= window.to {
            Period::Day
        } else {
            Period::Hour
        };
        let window = period.ending(complete_to);
        if window.from < looked_from {
            return Ok(None);
        }
        let before = window.from - window.to.duration_since(window.from);
        let days = ledger::history(self.ports.files, day_of(before), day_of(window.from)).await?;
        let first_day = (looked_from <= before).then(|| day_of(before));
        let comparison = compare(&days, window, first_day);
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
        Ok(Some(format!(
            "{} to {}: {} run attempts, {} failed{before}",
            window.from, window.to, now.attempts, now.failed
        )))
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
    fn could_not(&mut self, unread: Unread, target: &Target) -> Ending {
        let name = &target.repository.full_name;
        tracing::debug!(repository = name, ?unread, "a repository could not be read");
        match unread {
            Unread::Api(ApiError::NotFound { .. }) => {
                self.notes.push(format!("{name} is gone or hidden from this token"));
                Ending::Gone
            }
            Unread::Api(error) => {
                self.missing.push(format!("{name}: {error}"));
                match error {
                    ApiError::RateLimited { .. } | ApiError::DeadlineReached { .. } => Ending::CutOff,
                    error if error.passes_by_itself() => Ending::Failing,
                    error => {
                        let name = name.clone();
                        self.refused = Some(PipelineError::Unreadable { name, error });
                        Ending::Refused
                    }
                }
            }
            Unread::TooManyAtOnce(second) => {
                self.missing.push(format!(
                    "{name}: more runs were created in the second {second} than GitHub lists, so some cannot be had; it \
                     is read no further than that until Uptake's maintainers see to it"
                ));
                Ending::Refused
            }
            Unread::Restless => {
                self.missing.push(format!(
                    "{name}: the list of runs changed whenever it was read; the next invocation tries again"
                ));
                Ending::Failing
            }
        }
    }
}

/// Each repository with what is remembered of it, or as one that nobody has looked at.
fn known(
    targets: Vec<Target>,
    states: &BTreeMap<u64, RepositoryState>,
    since: Timestamp,
    to: Timestamp,
) -> Vec<(Target, RepositoryState)> {
    let with_state = |target: Target| {
        let Target { repository, .. } = &target;
        let state = states
            .get(&repository.id)
            .filter(|state| is_remembered(state, to))
            .cloned();
        let state = state.unwrap_or_else(|| RepositoryState::new(repository.id, repository.full_name.clone(), since));
        (target, state)
    };
    let mut tasks: Vec<_> = targets.into_iter().map(with_state).collect();
    tasks.sort_by_key(|(_, state)| state.listed_to);
    tasks
}

/// Of a repository that could never be read, or not for so long, there is nothing to go on from.
fn is_remembered(state: &RepositoryState, to: Timestamp) -> bool {
    state
        .listed_to
        .is_some_and(|listed_to| listed_to >= to - REMEMBERED_FOR)
}

/// Up to when every attempt of every repository is recorded, as far as figures wait for it.
fn complete_to(current: &[Current], waits: bool, watermark: Option<Timestamp>, to: Timestamp) -> Timestamp {
    let waited_for = current.iter().filter_map(|Current { state, ending, .. }| {
        let complete_to = state.complete_to();
        match ending {
            Ending::Whole | Ending::CutOff => Some(complete_to),
            Ending::Failing => Some(complete_to).filter(|complete_to| *complete_to >= to - WAITS_FOR),
            Ending::Refused | Ending::Gone => None,
        }
    });
    let unlisted = waits.then(|| watermark.unwrap_or(to - FIRST_START).max(to - WAITS_FOR));
    start_of_hour(waited_for.chain(unlisted).fold(to, Timestamp::min))
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
    if published.days_too_old > 0 {
        notes.push(format!(
            "what is new of {} days that began more than 14 days ago is missing in their figures by repository: CloudWatch \
             takes them at the beginning of their day",
            published.days_too_old
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
