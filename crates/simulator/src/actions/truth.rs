//! The simulator's own account of GitHub Actions, computed from the model and never through HTTP.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Actions,
    attempts::{Attempt, LONGEST_DAYS},
    repositories::{Life, Repository},
    runs::{Branch, Run},
};
use crate::days::{day_of, instant};

/// One attempt as a perfect observer sees it.
///
/// Jobs that ran are those whose conclusion is not `skipped`; where all were skipped, all are taken. A re-run of the
/// failed jobs lists the successful ones of the attempt before too: what completed before it started does not count.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunAttemptTruth {
    /// The login of the organisation.
    pub organisation: String,
    /// The repository as `owner/name`.
    pub repository: String,
    /// Its id.
    pub repository_id: u64,
    /// The name of the workflow, never a run's own name.
    pub workflow: String,
    /// Its id.
    pub workflow_id: u64,
    /// The run, the same for all its attempts.
    pub run_id: u64,
    /// Counted from 1.
    pub attempt: u32,
    /// What started the run.
    pub event: String,
    /// `pull_request` for the events of one, else `default` on the default branch, else `other`.
    pub branch: &'static str,
    /// How the attempt ended.
    pub conclusion: String,
    /// When the first attempt was created.
    pub run_created_at: Timestamp,
    /// When this one was (`run_started_at`).
    pub started_at: Timestamp,
    /// When the last of the jobs that ran completed; without any job `updated_at`.
    pub ended_at: Timestamp,
    /// When the run last changed in this attempt.
    pub updated_at: Timestamp,
    /// From the start of the attempt to that of the first job that ran; without any job nothing.
    pub queue_seconds: Option<u64>,
    /// From the start of the first job that ran to `ended_at`; without any job from the start of the attempt.
    pub duration_seconds: u64,
    /// Started minutes of the jobs that ran, by their labels, sorted and joined by `+`. Labels without any are left out.
    pub runner_minutes: BTreeMap<String, u64>,
}

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepositoryTruth {
    /// `owner/name`.
    pub full_name: String,
    /// Its id.
    pub id: u64,
    /// Read-only: it has no runs.
    pub archived: bool,
    /// Switched off by GitHub: it has no runs.
    pub disabled: bool,
    /// The name of the default branch.
    pub default_branch: String,
    /// Its workflows.
    pub workflows: Vec<WorkflowTruth>,
}

/// One workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkflowTruth {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// `active` or `disabled_manually`.
    pub state: String,
}

/// One run, as soon as it is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunTruth {
    /// The repository as `owner/name`.
    pub repository: String,
    /// Its id.
    pub run_id: u64,
    /// When its first attempt was created.
    pub created_at: Timestamp,
}

impl Actions {
    /// Every attempt that started before `to` and ended at `from` or later, by its end.
    pub(crate) fn run_attempts(&self, from: Timestamp, to: Timestamp) -> Vec<RunAttemptTruth> {
        let mut truths = Vec::new();
        let days = day_of(from) - LONGEST_DAYS..=day_of(to);
        for repository in self.repositories().filter(|repository| repository.has_runs()) {
            for day in days.clone() {
                for run in self.day(repository, day).iter() {
                    let attempts = self.attempts(repository, run);
                    let truth = attempts
                        .iter()
                        .map(|attempt| RunAttemptTruth::of(repository, run, attempt));
                    truths.extend(truth.filter(|truth| truth.started_at < to && truth.ended_at >= from));
                }
            }
        }
        truths.sort_by_key(|truth| (truth.ended_at, truth.run_id, truth.attempt));
        truths
    }

    /// Every run created in `[from, to)`, by its creation.
    pub(crate) fn run_truths(&self, from: Timestamp, to: Timestamp) -> Vec<RunTruth> {
        let mut truths = Vec::new();
        for repository in self.repositories() {
            for day in day_of(from)..=day_of(to) {
                let runs = self.day(repository, day);
                let truth = runs.iter().map(|run| RunTruth {
                    repository: repository.full_name.clone(),
                    run_id: run.id,
                    created_at: instant(0, run.created),
                });
                truths.extend(truth.filter(|truth| (from..to).contains(&truth.created_at)));
            }
        }
        truths.sort_by_key(|truth| (truth.created_at, truth.run_id));
        truths
    }

    /// All repositories that exist.
    pub(crate) fn repository_truths(&self) -> Vec<RepositoryTruth> {
        self.repositories().map(RepositoryTruth::from).collect()
    }
}

impl From<&Repository> for RepositoryTruth {
    fn from(repository: &Repository) -> Self {
        let workflows = repository.workflows.iter().map(|workflow| WorkflowTruth {
            id: workflow.id,
            name: workflow.template.name.to_owned(),
            path: workflow.template.path.to_owned(),
            state: workflow.template.state.to_owned(),
        });
        Self {
            full_name: repository.full_name.clone(),
            id: repository.id,
            archived: repository.life == Life::Archived,
            disabled: repository.life == Life::Disabled,
            default_branch: repository.default_branch.to_owned(),
            workflows: workflows.collect(),
        }
    }
}

impl RunAttemptTruth {
    fn of(repository: &Repository, run: &Run, attempt: &Attempt) -> Self {
        let workflow = &repository.workflows[run.workflow];
        let jobs = attempt.counted_jobs();
        let begun = jobs.iter().map(|job| job.started).min();
        let ended = jobs.iter().map(|job| job.completed).max().unwrap_or(attempt.updated);
        let seconds = |from: i64, to: i64| u64::try_from(to - from).unwrap_or_default();
        let mut runner_minutes = BTreeMap::new();
        for job in jobs {
            let minutes = seconds(job.started, job.completed).div_ceil(60);
            if minutes > 0 {
                let mut labels = job.labels.to_vec();
                labels.sort_unstable();
                *runner_minutes.entry(labels.join("+")).or_default() += minutes;
            }
        }
        Self {
            organisation: repository.owner().to_owned(),
            repository: repository.full_name.clone(),
            repository_id: repository.id,
            workflow: workflow.template.name.to_owned(),
            workflow_id: workflow.id,
            run_id: run.id,
            attempt: attempt.number,
            event: run.event.as_str().to_owned(),
            branch: match run.branch {
                _ if run.event.is_pull_request() => "pull_request",
                Branch::Default | Branch::Fork => "default",
                Branch::Topic(_) | Branch::Personal(_) | Branch::Queue(_) => "other",
            },
            conclusion: attempt.conclusion.to_owned(),
            run_created_at: instant(0, run.created),
            started_at: instant(0, attempt.started),
            ended_at: instant(0, ended),
            updated_at: instant(0, attempt.updated),
            queue_seconds: begun.map(|begun| seconds(attempt.started, begun)),
            duration_seconds: seconds(begun.unwrap_or(attempt.started), ended),
            runner_minutes,
        }
    }
}
