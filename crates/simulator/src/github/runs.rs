//! Workflow runs (UPSTREAM 3.6): lists that can be had in part only, and a run as far as it has come.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    account::Account, addresses::by_id, caller::Caller, created, paging::Paging, refusal::Refusal,
    repositories::MinimalRepository,
};
use crate::{
    actions::{
        attempts::Attempt,
        repositories::Repository,
        runs::{Branch, Event, Run},
    },
    days::instant,
    dice::Series,
    people::Profile,
    world::World,
};

const PER_PAGE: usize = 30;
/// How much of a list can be had (UPSTREAM fact 4), with and without a filter.
const MOST_FILTERED: usize = 1000;
const MOST_UNFILTERED: usize = 40_000;

/// What makes a list a filtered one.
const FILTERS: [&str; 4] = ["created", "status", "event", "branch"];

const TITLES: [&str; 8] = [
    "Retry a payment that timed out",
    "Make the search faster",
    "Fix rounding of amounts",
    "Update README.md",
    "Bump dependencies",
    "Dark mode for the dashboard",
    "Log less",
    "Revert \"Log less\"",
];

#[derive(Serialize)]
struct RunPage {
    total_count: usize,
    workflow_runs: Vec<RunObject>,
}

#[derive(Serialize)]
pub(super) struct RunObject {
    id: u64,
    name: String,
    node_id: String,
    head_branch: String,
    head_sha: String,
    path: &'static str,
    display_title: String,
    run_number: u64,
    event: &'static str,
    status: &'static str,
    conclusion: Option<&'static str>,
    workflow_id: u64,
    check_suite_id: u64,
    check_suite_node_id: String,
    url: String,
    html_url: String,
    pull_requests: Vec<PullRequest>,
    created_at: Timestamp,
    updated_at: Timestamp,
    actor: Account,
    run_attempt: u32,
    referenced_workflows: Vec<ReferencedWorkflow>,
    run_started_at: Timestamp,
    triggering_actor: Account,
    jobs_url: String,
    logs_url: String,
    check_suite_url: String,
    artifacts_url: String,
    cancel_url: String,
    rerun_url: String,
    previous_attempt_url: Option<String>,
    workflow_url: String,
    head_commit: Commit,
    repository: MinimalRepository,
    head_repository: Option<MinimalRepository>,
}

#[derive(Serialize)]
struct PullRequest {
    id: u64,
    number: u64,
    url: String,
    head: Reference,
    base: Reference,
}

#[derive(Serialize)]
struct Reference {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
}

#[derive(Serialize)]
struct ReferencedWorkflow {
    path: String,
    sha: String,
    #[serde(rename = "ref")]
    reference: &'static str,
}

#[derive(Serialize)]
struct Commit {
    id: String,
    tree_id: String,
    message: String,
    timestamp: Timestamp,
    author: Signature,
    committer: Signature,
}

#[derive(Serialize)]
struct Signature {
    name: String,
    email: String,
}

impl PullRequest {
    fn new(repository: &Repository, head_branch: &str, head_sha: &str, words: &mut Series) -> Self {
        let number = 1 + words.below(4000);
        Self {
            id: 1_900_000_000 + number,
            number,
            url: format!(
                "https://api.github.example/repos/{}/pulls/{number}",
                repository.full_name
            ),
            head: Reference {
                branch: head_branch.to_owned(),
                sha: head_sha.to_owned(),
            },
            base: Reference {
                branch: repository.default_branch.to_owned(),
                sha: sha(words),
            },
        }
    }
}

impl From<&Profile> for Signature {
    fn from(profile: &Profile) -> Self {
        Self {
            name: profile.name.clone(),
            email: profile.commit_mail(),
        }
    }
}

/// The name of a commit: forty digits that belong to the run.
pub(super) fn head_sha(world: &World, run: &Run) -> String {
    sha(&mut world.actions.words(run))
}

fn sha(series: &mut Series) -> String {
    let mut throw = || series.below(u64::MAX);
    let (front, middle, back) = (throw(), throw(), throw() >> 32);
    format!("{front:016x}{middle:016x}{back:08x}")
}

impl RunObject {
    /// The run in one of its attempts, as it stands now.
    fn new(world: &World, repository: &Repository, run: &Run, attempt: &Attempt, now: i64) -> Self {
        let model = &world.model;
        // In this order: the head commit comes first, because jobs name it too.
        let mut words = world.actions.words(run);
        let head_sha = sha(&mut words);
        let person = |words: &mut Series| world.actions.developer(model, words, run.day());
        let (actor, author) = (person(&mut words), person(&mut words));
        let head_branch = world.actions.head_branch(model, repository, run);
        let workflow = &repository.workflows[run.workflow];
        let full_name = &repository.full_name;
        let api = format!("https://api.github.example/repos/{full_name}");
        let url = format!("{api}/actions/runs/{}", run.id);
        let check_suite = run.id + 1;
        let title = words.pick(&TITLES);
        // Some workflows name their runs after whoever starts them.
        let (name, display_title) = if run.event == Event::WorkflowDispatch && words.below(4) == 0 {
            let name = format!("{} by @{}", workflow.template.name, actor.login);
            (name.clone(), name)
        } else {
            (workflow.template.name.to_owned(), title.to_owned())
        };
        let message = match words.below(6) {
            0 => format!("{title}\n\nCo-authored-by: {} <{}>", actor.name, actor.commit_mail()),
            1 => format!(
                "Merge pull request #{} from {}/main\n\n{title}",
                words.below(4000),
                author.login
            ),
            _ => title.to_owned(),
        };
        let pull_request = (run.event.is_pull_request() && run.branch != Branch::Fork)
            .then(|| PullRequest::new(repository, &head_branch, &head_sha, &mut words));
        let referenced_workflows = (words.below(10) == 0).then(|| ReferencedWorkflow {
            path: format!("{}/shared-workflows/.github/workflows/build.yml@v1", repository.owner()),
            sha: sha(&mut words),
            reference: "refs/tags/v1",
        });
        let head_repository = match run.branch {
            // A fork that has been deleted since.
            Branch::Fork if words.below(4) == 0 => None,
            Branch::Fork => Some(MinimalRepository::fork_of(repository, &author.login, author.id)),
            _ => Some(repository.into()),
        };
        let head_commit = Commit {
            id: head_sha.clone(),
            tree_id: sha(&mut words),
            message,
            timestamp: instant(0, run.created - words.between(5, 600)),
            committer: (&actor).into(),
            author: (&author).into(),
        };
        // Thrown last, so that the attempts agree on everything else. Whoever runs it again is somebody else each time.
        let triggering = (1..attempt.number).fold(actor.clone(), |_, _| person(&mut words));
        Self {
            id: run.id,
            name,
            node_id: format!("WFR_simulated{}", run.id),
            head_branch,
            path: workflow.template.path,
            display_title,
            run_number: run.number(),
            event: run.event.as_str(),
            status: attempt.status(now),
            conclusion: attempt.conclusion(now),
            workflow_id: workflow.id,
            check_suite_id: check_suite,
            check_suite_node_id: format!("CS_simulated{check_suite}"),
            html_url: format!("https://github.example/{full_name}/actions/runs/{}", run.id),
            pull_requests: pull_request.into_iter().collect(),
            created_at: instant(0, run.created),
            updated_at: instant(0, attempt.changed(now)),
            run_attempt: attempt.number,
            referenced_workflows: referenced_workflows.into_iter().collect(),
            run_started_at: instant(0, attempt.started),
            triggering_actor: Account::new(triggering.login, triggering.id, "User"),
            jobs_url: format!("{url}/jobs"),
            logs_url: format!("{url}/logs"),
            check_suite_url: format!("{api}/check-suites/{check_suite}"),
            artifacts_url: format!("{url}/artifacts"),
            cancel_url: format!("{url}/cancel"),
            rerun_url: format!("{url}/rerun"),
            previous_attempt_url: (attempt.number > 1).then(|| format!("{url}/attempts/{}", attempt.number - 1)),
            workflow_url: format!("{api}/actions/workflows/{}", workflow.id),
            head_commit,
            actor: Account::new(actor.login, actor.id, "User"),
            head_sha,
            repository: repository.into(),
            head_repository,
            url,
        }
    }

    /// The run in its latest attempt.
    fn latest(world: &World, repository: &Repository, run: &Run, now: i64) -> Option<Self> {
        let attempts = world.actions.attempts(repository, run);
        let attempt = attempts.iter().rfind(|attempt| attempt.started <= now)?;
        Some(Self::new(world, repository, run, attempt, now))
    }
}

/// The list of a repository's runs, or of one workflow's.
fn list(
    world: &World,
    repository: &Repository,
    workflow: Option<usize>,
    asked: &HashMap<String, String>,
    uri: &Uri,
) -> Result<Response, Refusal> {
    let now = world.now().as_second();
    let parameter = |name: &str| asked.get(name).map(String::as_str);
    let span = parameter("created").map_or(Ok(created::ALWAYS), created::span)?;
    let most = if FILTERS.iter().any(|name| asked.contains_key(*name)) {
        MOST_FILTERED
    } else {
        MOST_UNFILTERED
    };
    let paging = Paging::of(uri, PER_PAGE);
    if paging.places().end > most {
        return Err(Refusal::Unprocessable);
    }
    let (status, event, branch) = (parameter("status"), parameter("event"), parameter("branch"));
    let is_wanted = |run: &Run| {
        workflow.is_none_or(|workflow| run.workflow == workflow)
            && event.is_none_or(|event| run.event.as_str() == event)
            && branch.is_none_or(|branch| world.actions.head_branch(&world.model, repository, run) == branch)
            && status.is_none_or(|status| has_status(world, repository, run, status, now))
    };
    let chooses = workflow.is_some() || status.is_some() || event.is_some() || branch.is_some();
    let filter: Option<&dyn Fn(&Run) -> bool> = if chooses { Some(&is_wanted) } else { None };
    let lag = i64::try_from(world.settings.scenario.list_lag_seconds).unwrap_or(i64::MAX);
    let span = *span.start()..=now.saturating_sub(lag).min(*span.end());
    let (total, runs) = world.actions.page(repository, &span, filter, &paging.places(), now);
    let page = RunPage {
        total_count: if world.settings.scenario.capped_total_count {
            total.min(most)
        } else {
            total
        },
        workflow_runs: runs
            .iter()
            .filter_map(|run| RunObject::latest(world, repository, run, now))
            .collect(),
    };
    Ok(paging.answer_within(&world.url, &by_id(repository, uri), total, most, &page))
}

/// GitHub takes a conclusion for a status too.
fn has_status(world: &World, repository: &Repository, run: &Run, wanted: &str, now: i64) -> bool {
    let attempts = world.actions.attempts(repository, run);
    attempts
        .iter()
        .rfind(|attempt| attempt.started <= now)
        .is_some_and(|attempt| attempt.status(now) == wanted || attempt.conclusion(now) == Some(wanted))
}

/// The run an address names, where it can be seen.
pub(super) fn find(world: &World, repository: &Repository, id: &str) -> Result<Run, Refusal> {
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let now = world.now().as_second();
    world.actions.run(repository, id, now).ok_or(Refusal::NotFound)
}

/// The attempt an address names, once it has begun.
pub(super) fn find_attempt(
    world: &World,
    repository: &Repository,
    run: &Run,
    number: &str,
) -> Result<Attempt, Refusal> {
    let number: u32 = number.parse().map_err(|_| Refusal::NotFound)?;
    let now = world.now().as_second();
    world
        .actions
        .attempts(repository, run)
        .into_iter()
        .find(|attempt| attempt.number == number && attempt.started <= now)
        .ok_or(Refusal::NotFound)
}

/// `GET /repos/{owner}/{repo}/actions/runs`
pub(super) async fn repository_runs(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name)): Path<(String, String)>,
    Query(asked): Query<HashMap<String, String>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    list(&world, repository, None, &asked, &uri)
}

/// `GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs`
pub(super) async fn workflow_runs(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name, workflow)): Path<(String, String, String)>,
    Query(asked): Query<HashMap<String, String>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    // By its id, or by the name of its file.
    let position = repository
        .workflows
        .iter()
        .position(|each| each.id.to_string() == workflow || each.template.path.rsplit('/').next() == Some(&workflow));
    list(
        &world,
        repository,
        Some(position.ok_or(Refusal::NotFound)?),
        &asked,
        &uri,
    )
}

/// `GET /repos/{owner}/{repo}/actions/runs/{run_id}`
pub(super) async fn run(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name, id)): Path<(String, String, String)>,
) -> Result<Json<RunObject>, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    let run = find(&world, repository, &id)?;
    let now = world.now().as_second();
    RunObject::latest(&world, repository, &run, now)
        .map(Json)
        .ok_or(Refusal::NotFound)
}

/// `GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}`
pub(super) async fn attempt(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name, id, number)): Path<(String, String, String, String)>,
) -> Result<Json<RunObject>, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    let run = find(&world, repository, &id)?;
    let attempt = find_attempt(&world, repository, &run, &number)?;
    let now = world.now().as_second();
    Ok(Json(RunObject::new(&world, repository, &run, &attempt, now)))
}
