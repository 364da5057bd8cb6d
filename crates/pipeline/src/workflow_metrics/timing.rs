//! Reading the jobs of attempts that have ended: each becomes a recorded attempt, or waits for the next invocation.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use uptake_domain::run::{RunAttempt, timing};
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use uptake_upstream::github::actions::RepositoryName;
use uptake_upstream::http::SIDE_BY_SIDE;

use super::repository_state::{EndedAttempt, RepositoryState};
use crate::ports::Progress;

/// Jobs that cannot be read this long after their attempt ended are given up, because everything waits for them; so are
/// those that GitHub still calls unfinished.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(6);

/// An attempt with the repository it belongs to.
pub(super) struct Task<'a> {
    pub(super) state: &'a RepositoryState,
    pub(super) team: &'a str,
    pub(super) ended: EndedAttempt,
}

/// What reading jobs brought.
#[derive(Default)]
pub(super) struct Timed {
    pub(super) attempts: Vec<RunAttempt>,
    /// Attempts that wait for the next invocation, by repository.
    pub(super) pending: BTreeMap<u64, Vec<EndedAttempt>>,
    /// Why the first of them waits.
    pub(super) reason: Option<String>,
    /// Attempts recorded without their jobs: deleted before they were read, or not to be had.
    pub(super) without_jobs: u64,
}

impl Timed {
    pub(super) fn waiting(&self) -> u64 {
        self.pending.values().map(|attempts| attempts.len() as u64).sum()
    }
}

/// How reading the jobs of one attempt ended.
enum End {
    Recorded(Box<RunAttempt>),
    /// It ended before anybody looked.
    NotOurs,
    /// Its jobs cannot be had.
    WithoutJobs(Box<RunAttempt>),
    Waits(String),
}

/// Reads the jobs, the oldest attempts first, while the rate budget keeps a fifth in reserve for other users of the
/// credential and for the listing of the next hour.
pub(super) async fn time(
    github: &GitHub,
    mut tasks: Vec<Task<'_>>,
    to: Timestamp,
    deadline: Deadline,
    progress: &dyn Progress,
) -> Timed {
    tasks.sort_by_key(|task| (task.ended.updated_at, task.ended.id));
    let total = tasks.len() as u64;
    let mut ends = stream::iter(tasks)
        .map(async |task| {
            let end = time_one(github, &task, to, deadline).await;
            (task, end)
        })
        .buffered(SIDE_BY_SIDE);
    let mut ended = Vec::new();
    while let Some(end) = ends.next().await {
        ended.push(end);
        progress.show("jobs", ended.len() as u64, Some(total));
    }
    let mut timed = Timed::default();
    // An attempt is taken for dealt with once a later one of its run is recorded, so those wait with it.
    let waits = |end: &(Task<'_>, End)| matches!(end.1, End::Waits(_)).then_some(end.0.ended.id.run_id);
    let waiting: BTreeSet<u64> = ended.iter().filter_map(waits).collect();
    for (task, end) in ended {
        let attempt = match end {
            End::NotOurs => continue,
            End::Recorded(attempt) => Ok(attempt),
            End::WithoutJobs(attempt) => {
                timed.without_jobs += 1;
                Ok(attempt)
            }
            End::Waits(reason) => Err(reason),
        };
        match attempt {
            Ok(attempt) if !waiting.contains(&attempt.id.run_id) => timed.attempts.push(*attempt),
            attempt => {
                timed.reason = timed.reason.or(attempt.err());
                timed.pending.entry(task.state.id).or_default().push(task.ended);
            }
        }
    }
    timed
}

async fn time_one(github: &GitHub, task: &Task<'_>, to: Timestamp, deadline: Deadline) -> End {
    let Task { state, ended, .. } = task;
    let Some(name) = RepositoryName::parse(&state.name) else {
        return End::NotOurs;
    };
    if let (Some(left), Some(limit)) = (github.budget_left(), github.budget_limit())
        && left <= limit / 5
    {
        return End::Waits(format!(
            "{left} of {limit} requests are left this hour, and a fifth is kept in reserve; the next invocation goes on"
        ));
    }
    let is_old = to.duration_since(ended.updated_at) > GIVEN_UP_AFTER;
    match github.jobs(&name, ended.id.run_id, ended.id.attempt, deadline).await {
        Ok((_, false)) if !is_old => End::Waits(
            "GitHub has not settled all jobs of an attempt that has ended; the next invocation goes on".to_owned(),
        ),
        Ok((jobs, _)) => {
            let attempt = attempt(task, &jobs);
            if attempt.ended_at < state.since {
                End::NotOurs
            } else {
                End::Recorded(Box::new(attempt))
            }
        }
        Err(ApiError::NotFound { .. }) => End::WithoutJobs(Box::new(attempt(task, &[]))),
        // Time brings these; the others it does not.
        Err(
            error @ (ApiError::RateLimited { .. } | ApiError::DeadlineReached { .. } | ApiError::Unauthorized { .. }),
        ) => End::Waits(error.to_string()),
        Err(error) if is_old => {
            tracing::debug!(%error, repository = state.name, "jobs cannot be had");
            End::WithoutJobs(Box::new(attempt(task, &[])))
        }
        Err(error) => End::Waits(error.to_string()),
    }
}

fn attempt(task: &Task<'_>, jobs: &[uptake_domain::run::Job]) -> RunAttempt {
    let Task { state, team, ended } = task;
    let timing = timing(ended.started_at, ended.updated_at, jobs);
    let workflow = state
        .workflows
        .get(&ended.workflow_id)
        .map(|workflow| workflow.name.as_str());
    let workflow = workflow
        .filter(|name| !name.is_empty())
        .or(ended.workflow_file.as_deref())
        .map_or_else(|| ended.workflow_id.to_string(), str::to_owned);
    RunAttempt {
        id: ended.id,
        started_at: ended.started_at,
        ended_at: timing.ended_at,
        team: (*team).to_owned(),
        repository: state.name.clone(),
        repository_id: state.id,
        workflow,
        workflow_id: ended.workflow_id,
        event: ended.event.clone(),
        branch: ended.branch,
        conclusion: ended.conclusion.clone(),
        queue_seconds: timing.queue_seconds,
        duration_seconds: timing.duration_seconds,
        runner_minutes: timing.runner_minutes,
        html_url: ended.html_url.clone(),
    }
}
