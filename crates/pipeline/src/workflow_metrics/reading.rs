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
use url::Url;

use super::ledger::Recorded;
use super::repository_state::{EndedAttempt, KnownWorkflow, OpenRun, Relisting, RepositoryState};
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
const RUNS_PER_PAGE: u64 = 100;

/// What reading a repository brought, be it to the end or not.
pub(super) struct Reading {
    /// How far it came. What is not read is not counted as read.
    pub(super) state: RepositoryState,
    /// Attempts that have ended and are not recorded yet.
    pub(super) ended: Vec<EndedAttempt>,
    /// Days on which attempts ended that were seen, recorded before or not.
    pub(super) seen_days: BTreeSet<Date>,
    /// Runs read.
    pub(super) runs: u64,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) notes: Vec<String>,
    /// Why there is no more, if there should be.
    pub(super) unread: Option<Unread>,
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
    /// Reads a repository as far as it can be read. What a deadline or an error cuts off is read by the next invocation.
    pub(super) async fn read(&self, target: &Target, state: RepositoryState) -> Reading {
        let mut one = OneRepository {
            reader: self,
            target,
            before: state.clone(),
            state,
            looks_further_back: false,
            runs: BTreeMap::new(),
            pages: Vec::new(),
            seen: BTreeSet::new(),
            taken: BTreeSet::new(),
            reading: Reading {
                state: RepositoryState::new(target.repository.id, String::new(), self.to),
                ended: Vec::new(),
                seen_days: BTreeSet::new(),
                runs: 0,
                quarantined: Vec::new(),
                notes: Vec::new(),
                unread: None,
            },
            gone: 0,
        };
        let unread = match RepositoryName::parse(&target.repository.full_name) {
            Some(name) => one.read(&name).await.err(),
            None => Some(Unread::Api(ApiError::Configuration(
                "it is no name of a repository".to_owned(),
            ))),
        };
        one.finish(unread)
    }
}

struct OneRepository<'a> {
    reader: &'a Reader<'a>,
    target: &'a Target,
    /// What was known before.
    before: RepositoryState,
    state: RepositoryState,
    /// Attempts that were none of ours the last time now are.
    looks_further_back: bool,
    /// Runs of the slice being read, by id, each as it was last seen.
    runs: BTreeMap<u64, Run>,
    /// Pages of that slice whose tags are kept.
    pages: Vec<Url>,
    /// Runs seen by this invocation.
    seen: BTreeSet<u64>,
    /// Attempts found to have ended by this invocation.
    taken: BTreeSet<AttemptId>,
    reading: Reading,
    /// Attempts that were deleted before they could be read.
    gone: u64,
}

impl OneRepository<'_> {
    async fn read(&mut self, name: &RepositoryName) -> Result<(), Unread> {
        let Reader { to, again_from, .. } = *self.reader;
        self.state.name.clone_from(&self.target.repository.full_name);
        self.state
            .default_branch
            .clone_from(&self.target.repository.default_branch);
        if let Some(earlier) = again_from.filter(|from| *from < self.state.since) {
            self.state.since = earlier;
            self.state.relisted_to = None;
            self.state.relisting = None;
            self.looks_further_back = true;
        }
        self.list_workflows(name).await?;
        let listed_to = self.state.listed_to.unwrap_or(self.state.since);
        let from = listed_to - OVERLAP;
        let from = again_from.map_or(from, |again_from| from.min(again_from));
        self.read_new(name, from).await?;
        if relisting_is_due(&self.state, to) {
            self.read_again(name).await?;
        }
        self.read_open(name).await?;
        self.ask_for_last_runs(name).await
    }

    fn finish(mut self, unread: Option<Unread>) -> Reading {
        self.forget_pages();
        if unread.is_some() && self.looks_further_back {
            // Half of what lies before the first collection would look like all of it.
            self.state = self.before;
            self.reading.ended.clear();
        }
        let kept_from = first_relisted_day(&self.state, self.reader.to);
        self.state.run_days.retain(|day| *day >= kept_from);
        if self.gone > 0 {
            self.reading.notes.push(format!(
                "{}: {} attempts were deleted before they could be read",
                self.state.name, self.gone
            ));
        }
        Reading {
            state: self.state,
            unread,
            ..self.reading
        }
    }

    /// Reads the runs created from `from` on, and on the same pages those that were under way, where that costs less than
    /// asking for them one by one.
    async fn read_new(&mut self, name: &RepositoryName, from: Timestamp) -> Result<(), Unread> {
        let to = self.reader.to;
        let open = self.state.open.values().map(|run| run.created_at);
        let back_to = open.filter(|at| *at >= from - LISTED_BACK).fold(from, Timestamp::min);
        let slice = |from| Slice::of(Window { from, to });
        if let (Some(wide), true) = (slice(back_to), back_to < from)
            && self.read_slice(name, wide, false, Some(from)).await? == SliceEnd::Read
        {
            self.sort_out(name).await?;
        } else if let Some(slice) = slice(from) {
            self.read_whole(name, slice, false).await?;
        }
        self.state.listed_to = self.state.listed_to.max(Some(to));
        Ok(())
    }

    /// Reads the days again whose runs may have been run again since. Pages that are as they were cost nothing of the rate
    /// limit.
    async fn read_again(&mut self, name: &RepositoryName) -> Result<(), Unread> {
        let to = self.reader.to;
        let round = self.state.relisting.take().unwrap_or(Relisting {
            began_at: to,
            next_day: first_relisted_day(&self.state, to),
        });
        let today = day_of(to);
        for day in round.next_day.series(1.day()).take_while(|day| *day < today) {
            self.state.relisting = Some(Relisting { next_day: day, ..round });
            let is_empty = self.state.relisted_to.is_some() && !self.state.run_days.contains(&day);
            if let (false, Some(slice)) = (is_empty, Slice::of(Window::of_day(day))) {
                self.read_whole(name, slice, true).await?;
            }
        }
        self.state.relisting = Some(Relisting {
            next_day: today,
            ..round
        });
        let so_far = Window {
            from: start_of(today),
            to,
        };
        if let Some(slice) = Slice::of(so_far) {
            self.read_whole(name, slice, false).await?;
        }
        self.state.relisting = None;
        self.state.relisted_to = Some(round.began_at);
        Ok(())
    }

    /// Forgets pages that hold something that was not dealt with.
    fn forget_pages(&mut self) {
        for url in self.pages.drain(..) {
            self.reader.github.forget_runs_page(&url);
        }
    }

    /// Reads a slice to its end, in halves of halves where it holds more than GitHub lists, the earlier half first: what is
    /// read of a long time need not be read again.
    async fn read_whole(&mut self, name: &RepositoryName, slice: Slice, keep_tag: bool) -> Result<(), Unread> {
        let mut ahead = vec![slice];
        while let Some(slice) = ahead.pop() {
            match self.read_slice(name, slice, keep_tag, None).await? {
                SliceEnd::Read => self.sort_out(name).await?,
                SliceEnd::TooFull => {
                    let [later, earlier] = slice.halves().ok_or(Unread::TooManyAtOnce(slice.from))?;
                    ahead.extend([later, earlier]);
                    continue;
                }
            }
            let end = slice.to + SignedDuration::from_secs(1);
            let follows = self.state.listed_to.is_none_or(|listed_to| slice.from <= listed_to);
            if follows && !keep_tag {
                self.state.listed_to = self.state.listed_to.max(Some(end));
            }
        }
        Ok(())
    }

    /// Reads what was under way and has not been seen yet.
    async fn read_open(&mut self, name: &RepositoryName) -> Result<(), Unread> {
        let Reader { github, deadline, .. } = *self.reader;
        let open = self.state.open.keys().copied();
        let unseen: Vec<u64> = open.filter(|id| !self.seen.contains(id)).collect();
        for id in unseen {
            match github.run(name, id, deadline).await {
                Ok(raw) => {
                    self.understand(&raw);
                    self.sort_out(name).await?;
                }
                Err(ApiError::NotFound { .. }) => {
                    self.state.open.remove(&id);
                    self.gone += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads the pages of a slice, the newest runs first: to its end, or as far as `needed_from` and then on as long as that
    /// costs less than asking for what is still under way one by one.
    async fn read_slice(
        &mut self,
        name: &RepositoryName,
        slice: Slice,
        keep_tag: bool,
        needed_from: Option<Timestamp>,
    ) -> Result<SliceEnd, Unread> {
        let Reader { github, deadline, .. } = *self.reader;
        // That nothing changed tells nothing to whoever was not there before, or did not look as closely.
        let is_first_reading = self.looks_further_back || self.before.relisted_to.is_none();
        for _ in 0..MOST_READINGS {
            self.runs.clear();
            let mut totals = BTreeSet::new();
            let mut next = Some(github.runs_in(name, slice));
            let mut read = 0;
            while let Some(url) = next.take() {
                if keep_tag && is_first_reading {
                    github.forget_runs_page(&url);
                }
                if keep_tag {
                    self.pages.push(url.clone());
                }
                let page = github.runs_page(name, url, keep_tag, deadline).await?;
                let (total, runs, after) = match page {
                    RunsPage::Unchanged { next: after } => {
                        next = after;
                        continue;
                    }
                    RunsPage::Read { total, runs, next } => (total, runs, next),
                };
                if total >= MOST_LISTED {
                    // What it says of its next pages is not the whole list.
                    self.forget_pages();
                    return Ok(SliceEnd::TooFull);
                }
                totals.insert(total);
                read += runs.len() as u64;
                let mut oldest = slice.to;
                for raw in &runs {
                    oldest = self.understand(raw).map_or(oldest, |created_at| oldest.min(created_at));
                }
                self.reading.runs += runs.len() as u64;
                let pages_left = total.saturating_sub(read).div_ceil(RUNS_PER_PAGE);
                let is_enough = needed_from.is_some_and(|from| oldest < from && self.open_unseen() <= pages_left);
                next = after.filter(|_| !is_enough);
            }
            if totals.len() <= 1 {
                return Ok(SliceEnd::Read);
            }
            tracing::info!(
                repository = self.target.repository.full_name,
                "the list of runs changed while it was read"
            );
            self.forget_pages();
        }
        Err(Unread::Restless)
    }

    /// Runs under way that are not among those read.
    fn open_unseen(&self) -> u64 {
        let open = self.state.open.keys();
        open.filter(|id| !self.runs.contains_key(id) && !self.seen.contains(id))
            .count() as u64
    }

    /// Takes a run as it is, and says when it was created if that can be understood.
    fn understand(&mut self, raw: &RawValue) -> Option<Timestamp> {
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

    /// Keeps the newer account of a run that is seen twice.
    fn see(&mut self, run: Run) {
        let is_newer = |known: &Run| (run.attempt, run.updated_at) >= (known.attempt, known.updated_at);
        if self.runs.get(&run.id).is_none_or(is_newer) {
            self.runs.insert(run.id, run);
        }
    }

    fn quarantine(&mut self, raw: &RawValue, error: String) {
        self.reading.quarantined.push(Quarantined {
            rule: "workflow_run".to_owned(),
            error,
            record: raw.get().to_owned(),
        });
    }

    /// Decides what of the runs just read is new.
    async fn sort_out(&mut self, name: &RepositoryName) -> Result<(), Unread> {
        for (id, run) in std::mem::take(&mut self.runs) {
            self.sort_out_run(name, run).await?;
            self.seen.insert(id);
        }
        self.pages.clear();
        Ok(())
    }

    /// Decides what of a run is new: its latest attempt, and earlier ones that nobody has seen end. All of it is taken, or
    /// nothing.
    async fn sort_out_run(&mut self, name: &RepositoryName, run: Run) -> Result<(), Unread> {
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
        let mut ended = Vec::new();
        let mut next_started_at = run.started_at;
        for attempt in (self.dealt_with(run.id) + 1..run.attempt).rev() {
            // It ended before the next one started.
            if next_started_at <= self.state.since {
                break;
            }
            if self.is_taken(AttemptId { attempt, ..id }) {
                continue;
            }
            match github.run_attempt(name, run.id, attempt, deadline).await {
                Ok(raw) => match decode_run(&raw) {
                    Ok(earlier) => {
                        next_started_at = earlier.started_at;
                        ended.extend(self.ended(earlier));
                    }
                    Err(error) => self.quarantine(&raw, error),
                },
                Err(ApiError::NotFound { .. }) => self.gone += 1,
                Err(error) => return Err(error.into()),
            }
        }
        self.state.run_days.insert(day_of(run.created_at));
        self.note_use(&run);
        self.reading.seen_days.extend(recorded.days_of(run.id));
        if run.conclusion.is_none() {
            let open = OpenRun {
                attempt: run.attempt,
                created_at: run.created_at,
                started_at: run.started_at,
            };
            self.state.open.insert(run.id, open);
        } else {
            self.state.open.remove(&run.id);
            if !self.is_taken(id) {
                ended.extend(self.ended(run));
            }
        }
        self.taken.extend(ended.iter().map(|attempt| attempt.id));
        self.reading.ended.extend(ended);
        Ok(())
    }

    /// The attempt of a run up to which all are dealt with: when one was recorded, or found under way, those before it were.
    fn dealt_with(&self, run_id: u64) -> u32 {
        if self.looks_further_back {
            return 0;
        }
        let of_run = AttemptId { run_id, attempt: 0 }..=AttemptId {
            run_id,
            attempt: u32::MAX,
        };
        let taken = self.taken.range(of_run).next_back().map(|id| id.attempt);
        let pending = self.state.pending.iter().filter(|attempt| attempt.id.run_id == run_id);
        let pending = pending.map(|attempt| attempt.id.attempt).max();
        let before_open = self.state.open.get(&run_id).map(|open| open.attempt - 1);
        let recorded = self.reader.recorded.latest(run_id);
        [taken, pending, before_open, recorded]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }

    /// Whether an attempt is recorded, or about to be.
    fn is_taken(&self, id: AttemptId) -> bool {
        self.reader.recorded.ended_at(id).is_some()
            || self.taken.contains(&id)
            || self.state.pending.iter().any(|attempt| attempt.id == id)
    }

    /// The attempt as one that has ended; `None` if that was before anybody looked.
    fn ended(&self, run: Run) -> Option<EndedAttempt> {
        let conclusion = run.conclusion?;
        (run.updated_at >= self.state.since).then(|| EndedAttempt {
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

    /// Reads the list of workflows once a day.
    async fn list_workflows(&mut self, name: &RepositoryName) -> Result<(), Unread> {
        let Reader {
            github, deadline, to, ..
        } = *self.reader;
        let today = day_of(to - SignedDuration::from_secs(1));
        if self.state.workflows_listed_on >= Some(today) {
            return Ok(());
        }
        match github.workflows(name, deadline).await {
            Ok(listed) => {
                let mut known = std::mem::take(&mut self.state.workflows);
                for workflow in listed {
                    let mut entry = known.remove(&workflow.id).unwrap_or_default();
                    entry.name = workflow.name;
                    entry.is_enabled = workflow.state == "active";
                    self.state.workflows.insert(workflow.id, entry);
                }
            }
            // Names and what never runs are then not known; the runs are.
            Err(error @ (ApiError::NotFound { .. } | ApiError::Forbidden { .. })) => {
                tracing::debug!(%error, "workflows cannot be listed");
            }
            Err(error) => return Err(error.into()),
        }
        self.state.workflows_listed_on = Some(today);
        Ok(())
    }

    /// Remembers when a workflow last ran.
    fn note_use(&mut self, run: &Run) {
        let workflow = self
            .state
            .workflows
            .entry(run.workflow_id)
            .or_insert_with(|| KnownWorkflow {
                is_enabled: true,
                ..KnownWorkflow::default()
            });
        workflow.last_run_at = workflow.last_run_at.max(Some(run.created_at));
    }

    /// Asks once for the last run of each workflow that nobody has seen run.
    async fn ask_for_last_runs(&mut self, name: &RepositoryName) -> Result<(), Unread> {
        let Reader { github, deadline, .. } = *self.reader;
        let never_seen =
            |workflow: &KnownWorkflow| workflow.is_enabled && workflow.last_run_at.is_none() && !workflow.was_asked;
        for (id, workflow) in self
            .state
            .workflows
            .iter_mut()
            .filter(|(_, workflow)| never_seen(workflow))
        {
            workflow.last_run_at = match github.last_run_at(name, *id, deadline).await {
                Ok(last_run_at) => last_run_at,
                Err(ApiError::NotFound { .. } | ApiError::Forbidden { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            workflow.was_asked = true;
        }
        Ok(())
    }
}
