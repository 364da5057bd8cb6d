//! Reading one repository: every run created since the last time, re-runs, and runs that were still under way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::value::RawValue;
use uptake_domain::calendar::{HOUR, Window, day_of, start_of};
use uptake_domain::run::{AttemptId, Branch};
use uptake_domain::run_slices::{MOST_LISTED, Slice};
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use uptake_upstream::github::actions::{RepositoryName, Run, RunsPage, decode_run};

use super::ledger::Recorded;
use super::repository_state::{EndedAttempt, KnownWorkflow, OpenRun, RepositoryState};
use super::targets::Target;
use crate::quarantine::Quarantined;

/// A run may show up in GitHub's lists a little after it was created.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// Runs under way are looked for in the list as far back as this, and beyond it one by one.
const LISTED_BACK: SignedDuration = SignedDuration::from_hours(24);
/// Re-runs of runs up to this age are found. GitHub allows them for 30 days (docs.github.com, "Re-running workflows and
/// jobs", read 2026-11-22).
const RERUN_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A list that changes while it is read can lose a run between two pages; it is read again, this often in all.
const MOST_READINGS: u32 = 3;
const HOURS_A_DAY: u64 = 24;

/// What reading a repository brought.
pub(super) struct Reading {
    pub(super) state: RepositoryState,
    /// Attempts that have ended and are not recorded yet.
    pub(super) ended: Vec<EndedAttempt>,
    /// Days on which attempts ended that were seen, recorded before or not.
    pub(super) seen_days: BTreeSet<Date>,
    /// Runs read.
    pub(super) runs: u64,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) notes: Vec<String>,
}

/// Why a repository could not be read to the end.
#[derive(Debug)]
pub(super) enum Unread {
    /// GitHub's answer.
    Api(ApiError),
    /// More runs in one second than GitHub lists.
    TooManyAtOnce(Timestamp),
    /// The list changed whenever it was read.
    Restless,
}

impl From<ApiError> for Unread {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// How reading a slice ended.
#[derive(Debug, PartialEq, Eq)]
enum SliceEnd {
    Read,
    TooFull,
}

pub(super) struct Reader<'a> {
    pub(super) github: &'a GitHub,
    pub(super) recorded: &'a Recorded,
    /// Runs are read up to here.
    pub(super) to: Timestamp,
    /// Read runs from here on even if they were read before.
    pub(super) again_from: Option<Timestamp>,
    pub(super) deadline: Deadline,
}

/// Whether re-runs of a repository are looked for now: once a day, each repository at an hour of its own so that the
/// work spreads over the day.
pub(super) fn relisting_is_due(state: &RepositoryState, to: Timestamp) -> bool {
    let Some(relisted_to) = state.relisted_to else {
        return true;
    };
    let hours = SignedDuration::from_hours((state.id % HOURS_A_DAY).cast_signed());
    let turn = start_of(day_of(to)) + hours;
    let turn = if turn <= to { turn } else { turn - HOUR * 24 };
    relisted_to < turn
}

/// The first day whose runs may have been run again since re-runs were last looked for.
pub(super) fn first_relisted_day(state: &RepositoryState, to: Timestamp) -> Date {
    let since = state.relisted_to.unwrap_or(state.since).min(to);
    day_of(since - RERUN_AGE)
}

impl Reader<'_> {
    /// Reads a repository. On an error nothing of it is taken, and the next invocation reads it again.
    pub(super) async fn read(&self, target: &Target, state: RepositoryState) -> Result<Reading, Unread> {
        let Some(name) = RepositoryName::parse(&target.repository.full_name) else {
            return Err(Unread::Api(ApiError::Configuration(format!(
                "{} is no name of a repository",
                target.repository.full_name
            ))));
        };
        let mut one = OneRepository {
            reader: self,
            target,
            name,
            runs: BTreeMap::new(),
            listed: 0,
            quarantined: Vec::new(),
            looks_further_back: false,
        };
        let reading = one.read(state).await;
        if reading.is_err() {
            self.github.forget_runs_pages(&one.name);
        }
        reading
    }
}

struct OneRepository<'a> {
    reader: &'a Reader<'a>,
    target: &'a Target,
    name: RepositoryName,
    /// Runs seen, by id, each as it was last seen.
    runs: BTreeMap<u64, Run>,
    listed: u64,
    quarantined: Vec<Quarantined>,
    /// Attempts that were none of ours the last time now are.
    looks_further_back: bool,
}

impl OneRepository<'_> {
    async fn read(&mut self, mut state: RepositoryState) -> Result<Reading, Unread> {
        let Reader {
            to,
            again_from,
            github,
            deadline,
            ..
        } = *self.reader;
        state.name.clone_from(&self.target.repository.full_name);
        state.default_branch.clone_from(&self.target.repository.default_branch);
        if let Some(earlier) = again_from.filter(|from| *from < state.since) {
            state.since = earlier;
            state.relisted_to = None;
            self.looks_further_back = true;
        }
        let relists = relisting_is_due(&state, to);
        let today = start_of(day_of(to));

        // Everything new. When re-runs are looked for, whole days: what was created today, and before it day by day.
        let listed_to = state.listed_to.unwrap_or(state.since);
        let mut from = listed_to - OVERLAP;
        from = again_from.map_or(from, |again_from| from.min(again_from));
        if relists {
            from = start_of(day_of(from.min(today)));
        }
        self.read_new(from, &state).await?;

        if relists {
            self.read_again(&state, day_of(from)).await?;
            state.relisted_to = Some(to);
        }

        // What was under way and has not been seen yet.
        let mut gone = 0;
        let unseen: Vec<u64> = state
            .open
            .keys()
            .filter(|id| !self.runs.contains_key(id))
            .copied()
            .collect();
        for id in unseen {
            match github.run(&self.name, id, deadline).await {
                Ok(raw) => self.understand(&raw),
                Err(ApiError::NotFound { .. }) => {
                    state.open.remove(&id);
                    gone += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }

        let mut ended = Vec::new();
        let mut seen_days = BTreeSet::new();
        for (id, run) in std::mem::take(&mut self.runs) {
            state.run_days.insert(day_of(run.created_at));
            note_use(&mut state, &run);
            seen_days.extend(self.reader.recorded.days_of(id));
            gone += self.sort_out(run, &mut state, &mut ended).await?;
        }
        self.read_workflows(&mut state).await?;
        state.listed_to = state.listed_to.max(Some(to));
        let kept_from = day_of(to - RERUN_AGE - HOUR * 24);
        state.run_days.retain(|day| *day >= kept_from);
        let mut notes = Vec::new();
        if gone > 0 {
            notes.push(format!(
                "{}: {gone} attempts were deleted before they could be read",
                state.name
            ));
        }
        Ok(Reading {
            state,
            ended,
            seen_days,
            runs: self.listed,
            quarantined: std::mem::take(&mut self.quarantined),
            notes,
        })
    }

    /// Reads the runs created from `from` on, and on the same pages those that were under way, where that costs less than
    /// asking for them one by one.
    async fn read_new(&mut self, from: Timestamp, state: &RepositoryState) -> Result<(), Unread> {
        let to = self.reader.to;
        let open = state.open.values().map(|run| run.created_at);
        let back_to = open.filter(|at| *at >= from - LISTED_BACK).fold(from, Timestamp::min);
        let (Some(slice), Some(wide)) = (Slice::of(Window { from, to }), Slice::of(Window { from: back_to, to }))
        else {
            return Ok(());
        };
        if wide == slice {
            return self.read_whole(slice, false).await;
        }
        let open: BTreeSet<u64> = state.open.keys().copied().collect();
        let is_enough = |runs: &BTreeMap<u64, Run>, oldest: Timestamp, pages_left: u64| {
            let unseen = open.iter().filter(|id| !runs.contains_key(*id)).count() as u64;
            oldest < from && unseen <= pages_left
        };
        match self.read_slice(wide, false, &is_enough).await? {
            SliceEnd::Read => Ok(()),
            SliceEnd::TooFull => self.read_whole(slice, false).await,
        }
    }

    /// Reads the days before `today` again whose runs may have been run again since. Pages that are as they were cost
    /// nothing of the rate limit.
    async fn read_again(&mut self, state: &RepositoryState, today: Date) -> Result<(), Unread> {
        let first = first_relisted_day(state, self.reader.to);
        for day in first.series(1.day()).take_while(|day| *day < today) {
            let is_empty = state.relisted_to.is_some() && !state.run_days.contains(&day);
            if let (false, Some(slice)) = (is_empty, Slice::of(Window::of_day(day))) {
                self.read_whole(slice, true).await?;
            }
        }
        Ok(())
    }

    /// Reads a slice to its end, in halves of halves where it holds more than GitHub lists.
    async fn read_whole(&mut self, slice: Slice, keep_tag: bool) -> Result<(), Unread> {
        let mut ahead = vec![slice];
        while let Some(slice) = ahead.pop() {
            if self.read_slice(slice, keep_tag, &|_, _, _| false).await? == SliceEnd::TooFull {
                let [later, earlier] = slice.halves().ok_or(Unread::TooManyAtOnce(slice.from))?;
                ahead.extend([earlier, later]);
            }
        }
        Ok(())
    }

    /// Reads the pages of a slice, the newest runs first, until `is_enough`.
    async fn read_slice(
        &mut self,
        slice: Slice,
        keep_tag: bool,
        is_enough: &(dyn Fn(&BTreeMap<u64, Run>, Timestamp, u64) -> bool + Sync),
    ) -> Result<SliceEnd, Unread> {
        let Reader { github, deadline, .. } = *self.reader;
        for _ in 0..MOST_READINGS {
            let mut totals = BTreeSet::new();
            let mut next = Some(github.runs_in(&self.name, slice));
            let mut read = 0;
            while let Some(url) = next.take() {
                let page = github.runs_page(&self.name, url, keep_tag, deadline).await?;
                let (total, runs, after) = match page {
                    RunsPage::Unchanged { next: after } => {
                        next = after;
                        continue;
                    }
                    RunsPage::Read { total, runs, next } => (total, runs, next),
                };
                if total >= MOST_LISTED {
                    // What it says of its next pages is not the whole list.
                    github.forget_runs_page(&self.name, slice);
                    return Ok(SliceEnd::TooFull);
                }
                totals.insert(total);
                read += runs.len() as u64;
                let mut oldest = slice.to;
                for raw in &runs {
                    if let Some(created_at) = self.understand_listed(raw) {
                        oldest = oldest.min(created_at);
                    }
                }
                let pages_left = total.saturating_sub(read).div_ceil(100);
                next = after.filter(|_| !is_enough(&self.runs, oldest, pages_left));
            }
            if totals.len() <= 1 {
                return Ok(SliceEnd::Read);
            }
            tracing::info!(
                repository = self.target.repository.full_name,
                "the list of runs changed while it was read"
            );
            github.forget_runs_pages(&self.name);
        }
        Err(Unread::Restless)
    }

    fn understand_listed(&mut self, raw: &RawValue) -> Option<Timestamp> {
        self.listed += 1;
        match decode_run(raw) {
            Ok(run) => {
                let created_at = run.created_at;
                self.see(run);
                Some(created_at)
            }
            Err(error) => {
                self.quarantine(raw, error);
                None
            }
        }
    }

    fn understand(&mut self, raw: &RawValue) {
        match decode_run(raw) {
            Ok(run) => self.see(run),
            Err(error) => self.quarantine(raw, error),
        }
    }

    /// Keeps the newer account of a run that is seen twice.
    fn see(&mut self, run: Run) {
        let is_newer = |known: &Run| (run.attempt, run.updated_at) >= (known.attempt, known.updated_at);
        if self.runs.get(&run.id).is_none_or(is_newer) {
            self.runs.insert(run.id, run);
        }
    }

    fn quarantine(&mut self, raw: &RawValue, error: String) {
        self.quarantined.push(Quarantined {
            rule: "workflow_run".to_owned(),
            error,
            record: raw.get().to_owned(),
        });
    }

    /// Decides what of a run is new: its latest attempt, and earlier ones that nobody has seen end. Returns how many of
    /// those are gone.
    async fn sort_out(
        &mut self,
        run: Run,
        state: &mut RepositoryState,
        ended: &mut Vec<EndedAttempt>,
    ) -> Result<u64, Unread> {
        let Reader {
            github,
            recorded,
            deadline,
            ..
        } = *self.reader;
        let id = AttemptId {
            run_id: run.id,
            attempt: run.attempt,
        };
        // When an attempt was recorded, or found under way, those before it were dealt with.
        let latest_recorded = recorded.latest(run.id).unwrap_or_default();
        let latest_pending = state.pending.iter().filter(|attempt| attempt.id.run_id == run.id);
        let latest_pending = latest_pending
            .map(|attempt| attempt.id.attempt)
            .max()
            .unwrap_or_default();
        let before_open = state.open.get(&run.id).map_or(0, |open| open.attempt - 1);
        let dealt_with = if self.looks_further_back {
            0
        } else {
            latest_recorded.max(latest_pending).max(before_open)
        };
        let mut gone = 0;
        let mut next_started_at = run.started_at;
        for attempt in (dealt_with + 1..run.attempt).rev() {
            // It ended before the next one started.
            if next_started_at <= state.since {
                break;
            }
            let id = AttemptId { attempt, ..id };
            if recorded.ended_at(id).is_some() || is_pending(state, id) {
                continue;
            }
            match github.run_attempt(&self.name, run.id, attempt, deadline).await {
                Ok(raw) => match decode_run(&raw) {
                    Ok(earlier) => {
                        next_started_at = earlier.started_at;
                        ended.extend(self.ended(earlier, state));
                    }
                    Err(error) => self.quarantine(&raw, error),
                },
                Err(ApiError::NotFound { .. }) => gone += 1,
                Err(error) => return Err(error.into()),
            }
        }
        if run.conclusion.is_none() {
            let open = OpenRun {
                attempt: run.attempt,
                created_at: run.created_at,
                started_at: run.started_at,
            };
            state.open.insert(run.id, open);
        } else {
            state.open.remove(&run.id);
            if recorded.ended_at(id).is_none() && !is_pending(state, id) {
                ended.extend(self.ended(run, state));
            }
        }
        Ok(gone)
    }

    /// The attempt as one that has ended; `None` if that was before anybody looked.
    fn ended(&self, run: Run, state: &RepositoryState) -> Option<EndedAttempt> {
        let conclusion = run.conclusion?;
        (run.updated_at >= state.since).then(|| EndedAttempt {
            id: AttemptId {
                run_id: run.id,
                attempt: run.attempt,
            },
            started_at: run.started_at,
            updated_at: run.updated_at,
            workflow_id: run.workflow_id,
            workflow_file: run.workflow_file,
            branch: Branch::of(
                &run.event,
                run.head_branch.as_deref(),
                &self.target.repository.default_branch,
            ),
            event: run.event,
            conclusion,
            html_url: run.html_url,
        })
    }

    /// Reads the list of workflows once a day, and asks once for the last run of one that nobody has seen run.
    async fn read_workflows(&self, state: &mut RepositoryState) -> Result<(), Unread> {
        let Reader {
            github, deadline, to, ..
        } = *self.reader;
        let today = day_of(to - SignedDuration::from_secs(1));
        if state.workflows_listed_on >= Some(today) {
            return Ok(());
        }
        let listed = match github.workflows(&self.name, deadline).await {
            Ok(listed) => listed,
            // Names and what never runs are then not known; the runs are.
            Err(error @ (ApiError::NotFound { .. } | ApiError::Forbidden { .. })) => {
                tracing::debug!(%error, "workflows cannot be listed");
                state.workflows_listed_on = Some(today);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut workflows = BTreeMap::new();
        for workflow in listed {
            let mut known = state.workflows.remove(&workflow.id).unwrap_or_default();
            known.name = workflow.name;
            known.is_enabled = workflow.state == "active";
            if known.is_enabled && known.last_run_at.is_none() && !known.was_asked {
                known.last_run_at = match github.last_run_at(&self.name, workflow.id, deadline).await {
                    Ok(last_run_at) => last_run_at,
                    Err(ApiError::NotFound { .. } | ApiError::Forbidden { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                known.was_asked = true;
            }
            workflows.insert(workflow.id, known);
        }
        state.workflows = workflows;
        state.workflows_listed_on = Some(today);
        Ok(())
    }
}

fn is_pending(state: &RepositoryState, id: AttemptId) -> bool {
    state.pending.iter().any(|attempt| attempt.id == id)
}

/// Remembers when a workflow last ran.
fn note_use(state: &mut RepositoryState, run: &Run) {
    let workflow = state.workflows.entry(run.workflow_id).or_insert_with(|| KnownWorkflow {
        is_enabled: true,
        ..KnownWorkflow::default()
    });
    workflow.last_run_at = workflow.last_run_at.max(Some(run.created_at));
}
