//! The jobs of a run (UPSTREAM 3.6), as many as there are by now.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    addresses::by_id,
    caller::Caller,
    paging::Paging,
    refusal::Refusal,
    runs::{find, find_attempt, head_sha},
};
use crate::{
    actions::{
        attempts::{Attempt, Job},
        repositories::Repository,
        runs::Run,
    },
    days::instant,
    world::World,
};

const PER_PAGE: usize = 30;

const NAMES: [&str; 6] = ["build", "test", "lint", "package", "end-to-end", "publish"];

#[derive(Serialize)]
struct JobPage {
    total_count: usize,
    jobs: Vec<JobObject>,
}

#[derive(Serialize)]
struct JobObject {
    id: u64,
    run_id: u64,
    workflow_name: &'static str,
    head_branch: String,
    run_url: String,
    run_attempt: u32,
    node_id: String,
    head_sha: String,
    url: String,
    html_url: String,
    status: &'static str,
    conclusion: Option<&'static str>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    name: String,
    steps: Vec<Step>,
    check_run_url: String,
    labels: &'static [&'static str],
    runner_id: Option<u64>,
    runner_name: Option<String>,
    runner_group_id: Option<u64>,
    runner_group_name: Option<&'static str>,
}

#[derive(Serialize)]
struct Step {
    name: &'static str,
    status: &'static str,
    conclusion: Option<&'static str>,
    number: u32,
    started_at: Timestamp,
    completed_at: Option<Timestamp>,
}

/// What the jobs of a run have in common.
struct Common {
    run: Run,
    full_name: String,
    workflow_name: &'static str,
    head_branch: String,
    head_sha: String,
}

impl Common {
    fn new(world: &World, repository: &Repository, run: Run) -> Self {
        Self {
            full_name: repository.full_name.clone(),
            workflow_name: repository.workflows[run.workflow].template.name,
            head_branch: world.actions.head_branch(&world.model, repository, &run),
            head_sha: head_sha(world, &run),
            run,
        }
    }
}

impl JobObject {
    fn new(common: &Common, attempt: &Attempt, position: u64, job: &Job, now: i64) -> Self {
        let run = common.run.id;
        // Room for 256 jobs in each of four attempts.
        let id = ((run << 2) | u64::from(attempt.number - 1)) << 8 | position;
        let api = format!("https://api.github.example/repos/{}", common.full_name);
        let has_begun = job.started <= now;
        let is_completed = job.completed <= now;
        let is_hosted = job.labels.first() != Some(&"self-hosted");
        let runner = (has_begun && job.had_runner).then_some(1 + id % 97);
        // Of a job that was skipped GitHub says 0, of one that found no runner null.
        let none = (is_completed && job.conclusion == "skipped").then_some(0);
        Self {
            id,
            run_id: run,
            workflow_name: common.workflow_name,
            head_branch: common.head_branch.clone(),
            run_url: format!("{api}/actions/runs/{run}"),
            run_attempt: attempt.number,
            node_id: format!("CR_simulated{id}"),
            head_sha: common.head_sha.clone(),
            url: format!("{api}/actions/jobs/{id}"),
            html_url: format!(
                "https://github.example/{}/actions/runs/{run}/job/{id}",
                common.full_name
            ),
            status: job.status(now),
            conclusion: is_completed.then_some(job.conclusion),
            created_at: instant(0, job.created),
            started_at: has_begun.then(|| instant(0, job.started)),
            completed_at: is_completed.then(|| instant(0, job.completed)),
            name: usize::try_from(position)
                .ok()
                .and_then(|position| NAMES.get(position))
                .filter(|_| attempt.jobs.len() <= NAMES.len())
                .map_or_else(|| format!("test ({})", position + 1), |name| (*name).to_owned()),
            steps: if runner.is_some() { steps(job, now) } else { Vec::new() },
            check_run_url: format!("{api}/check-runs/{id}"),
            labels: job.labels,
            runner_id: runner.or(none),
            runner_name: runner.map_or_else(
                || none.map(|_| String::new()),
                |runner| {
                    Some(format!(
                        "{} {runner}",
                        if is_hosted { "GitHub Actions" } else { "runner" }
                    ))
                },
            ),
            runner_group_id: runner.map(|_| u64::from(!is_hosted)).or(none),
            runner_group_name: runner
                .map(|_| if is_hosted { "GitHub Actions" } else { "Default" })
                .or(none.map(|_| "")),
        }
    }
}

/// Setting up takes two seconds, the rest is what the job is for.
fn steps(job: &Job, now: i64) -> Vec<Step> {
    let set_up = (job.started + 2).min(job.completed);
    let step = |number, name, from: i64, until: i64, conclusion| Step {
        name,
        status: if until <= now { "completed" } else { "in_progress" },
        conclusion: (until <= now).then_some(conclusion),
        number,
        started_at: instant(0, from),
        completed_at: (until <= now).then(|| instant(0, until)),
    };
    let mut steps = vec![step(1, "Set up job", job.started, set_up, "success")];
    if set_up <= now {
        steps.push(step(2, "Run make", set_up, job.completed, job.conclusion));
    }
    steps
}

/// The jobs of these attempts that exist by now.
fn page(world: &World, repository: &Repository, run: Run, attempts: &[Attempt], uri: &Uri) -> Response {
    let now = world.now().as_second();
    let jobs: Vec<_> = attempts
        .iter()
        .flat_map(|attempt| {
            (0..)
                .zip(&attempt.jobs)
                .map(move |(position, job)| (attempt, position, job))
        })
        .filter(|(_, _, job)| job.created <= now)
        .collect();
    let common = Common::new(world, repository, run);
    let paging = Paging::of(uri, PER_PAGE);
    let page = JobPage {
        total_count: jobs.len(),
        jobs: jobs[paging.range(jobs.len())]
            .iter()
            .map(|(attempt, position, job)| JobObject::new(&common, attempt, *position, job, now))
            .collect(),
    };
    paging.answer(&world.url, &by_id(repository, uri), jobs.len(), &page)
}

/// `GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs`
pub(super) async fn run_jobs(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name, id)): Path<(String, String, String)>,
    Query(asked): Query<HashMap<String, String>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    let run = find(&world, repository, &id)?;
    let now = world.now().as_second();
    let mut attempts = world.actions.attempts(repository, &run);
    attempts.retain(|attempt| attempt.started <= now);
    if asked.get("filter").is_none_or(|filter| filter != "all") {
        attempts.drain(..attempts.len().saturating_sub(1));
    }
    Ok(page(&world, repository, run, &attempts, &uri))
}

/// `GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}/jobs`
pub(super) async fn attempt_jobs(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name, id, number)): Path<(String, String, String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    let run = find(&world, repository, &id)?;
    let attempt = find_attempt(&world, repository, &run, &number)?;
    Ok(page(&world, repository, run, &[attempt], &uri))
}
