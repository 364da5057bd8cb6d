//! Repositories and their workflows (UPSTREAM 3.5).

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{account::Account, addresses::by_id, caller::Caller, paging::Paging, refusal::Refusal};
use crate::{
    ORGANISATIONS,
    actions::repositories::{Life, Repository, Workflow},
    days::instant,
    world::World,
};

const PER_PAGE: usize = 30;

/// The organisation that owns a repository, by its index.
pub(super) fn owner(organisation: usize) -> Account {
    let id = 2001 + organisation as u64;
    Account::new(ORGANISATIONS[organisation].to_owned(), id, "Organization")
}

/// What a run says of its repository, and every other object that holds one.
#[derive(Serialize)]
pub(super) struct MinimalRepository {
    id: u64,
    node_id: String,
    name: String,
    full_name: String,
    private: bool,
    owner: Account,
    html_url: String,
    description: Option<String>,
    fork: bool,
    url: String,
}

impl From<&Repository> for MinimalRepository {
    fn from(repository: &Repository) -> Self {
        Self {
            description: Some(format!("Everything about {}.", repository.name)),
            fork: repository.fork,
            private: repository.visibility != "public",
            ..Self::new(
                repository.id,
                &repository.name,
                owner(repository.organisation),
                repository.owner(),
            )
        }
    }
}

impl MinimalRepository {
    /// Somebody's fork of a repository.
    pub(super) fn fork_of(repository: &Repository, login: &str, owner: u64) -> Self {
        let account = Account::new(login.to_owned(), owner, "User");
        Self {
            fork: true,
            ..Self::new(900_000_000 + owner, &repository.name, account, login)
        }
    }

    fn new(id: u64, name: &str, owner: Account, login: &str) -> Self {
        let full_name = format!("{login}/{name}");
        Self {
            id,
            node_id: format!("R_simulated{id}"),
            name: name.to_owned(),
            private: true,
            owner,
            html_url: format!("https://github.example/{full_name}"),
            description: None,
            fork: false,
            url: format!("https://api.github.example/repos/{full_name}"),
            full_name,
        }
    }
}

#[derive(Serialize)]
pub(super) struct FullRepository {
    #[serde(flatten)]
    repository: MinimalRepository,
    created_at: Timestamp,
    updated_at: Timestamp,
    pushed_at: Timestamp,
    language: Option<&'static str>,
    topics: [&'static str; 1],
    archived: bool,
    disabled: bool,
    visibility: &'static str,
    default_branch: &'static str,
    size: u32,
    open_issues_count: u32,
}

impl FullRepository {
    fn new(world: &World, repository: &Repository) -> Self {
        let created_at = instant(repository.created_on, 9 * 3600 + i64::from(repository.index));
        let pushed_at = instant(0, world.actions.pushed(repository, world.now().as_second()));
        Self {
            repository: repository.into(),
            created_at,
            updated_at: pushed_at,
            pushed_at,
            language: ["Rust", "TypeScript", "Go", "Kotlin"]
                .get(usize::try_from(repository.index % 5).unwrap_or_default())
                .copied(),
            topics: ["simulated"],
            archived: repository.life == Life::Archived,
            disabled: repository.life == Life::Disabled,
            visibility: repository.visibility,
            default_branch: repository.default_branch,
            size: 1024 + repository.index,
            open_issues_count: repository.index % 7,
        }
    }
}

#[derive(Serialize)]
struct InstallationRepositories {
    total_count: usize,
    repository_selection: &'static str,
    repositories: Vec<FullRepository>,
}

#[derive(Serialize)]
struct WorkflowPage {
    total_count: usize,
    workflows: Vec<WorkflowObject>,
}

#[derive(Serialize)]
struct WorkflowObject {
    id: u64,
    node_id: String,
    name: &'static str,
    path: &'static str,
    state: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    url: String,
    html_url: String,
    badge_url: String,
}

impl WorkflowObject {
    fn new(repository: &Repository, workflow: &Workflow) -> Self {
        let (full_name, template) = (&repository.full_name, workflow.template);
        let created_at = instant(repository.created_on + 1, 10 * 3600);
        Self {
            id: workflow.id,
            node_id: format!("W_simulated{}", workflow.id),
            name: template.name,
            path: template.path,
            state: template.state,
            created_at,
            updated_at: created_at,
            url: format!(
                "https://api.github.example/repos/{full_name}/actions/workflows/{}",
                workflow.id
            ),
            html_url: format!(
                "https://github.example/{full_name}/blob/{}/{}",
                repository.default_branch, template.path
            ),
            badge_url: format!(
                "https://github.example/{full_name}/workflows/{}/badge.svg",
                template.name
            ),
        }
    }
}

/// `GET /orgs/{org}/repos`
pub(super) async fn organisation_repositories(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let organisation = caller.may_list_repositories(&login)?;
    let parameter = |name: &str| asked.get(name).map(String::as_str);
    let kind = parameter("type");
    let is_asked_for = |repository: &&Repository| match kind {
        Some("public") => repository.visibility == "public",
        Some("private") => repository.visibility != "public",
        Some("forks") => repository.fork,
        Some("sources") => !repository.fork,
        _ => true,
    };
    let mut repositories: Vec<_> = world
        .actions
        .repositories()
        .filter(|repository| repository.organisation == organisation)
        .filter(is_asked_for)
        .collect();
    let now = world.now().as_second();
    let default = match parameter("sort") {
        Some("full_name") => {
            repositories.sort_by(|one, other| one.full_name.cmp(&other.full_name));
            "asc"
        }
        Some("pushed" | "updated") => {
            repositories.sort_by_cached_key(|repository| (world.actions.pushed(repository, now), repository.index));
            "desc"
        }
        // They are numbered in the order they were made.
        _ => "desc",
    };
    if parameter("direction").unwrap_or(default) != "asc" {
        repositories.reverse();
    }
    let paging = Paging::of(&uri, PER_PAGE);
    let page = full(&world, &repositories[paging.range(repositories.len())]);
    Ok(paging.answer(&world.url, &uri, repositories.len(), &page))
}

/// `GET /installation/repositories`
pub(super) async fn installation_repositories(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let organisation = match caller {
        Caller::Installation(organisation) => organisation,
        Caller::Person => return Err(Refusal::InstallationsOnly),
        Caller::App => return Err(Refusal::BadCredentials),
    };
    let theirs = |repository: &&Repository| repository.organisation == organisation;
    let repositories: Vec<_> = world.actions.repositories().filter(theirs).collect();
    let paging = Paging::of(&uri, PER_PAGE);
    let page = InstallationRepositories {
        total_count: repositories.len(),
        repository_selection: "all",
        repositories: full(&world, &repositories[paging.range(repositories.len())]),
    };
    Ok(paging.answer(&world.url, &uri, repositories.len(), &page))
}

fn full(world: &World, repositories: &[&Repository]) -> Vec<FullRepository> {
    repositories
        .iter()
        .map(|repository| FullRepository::new(world, repository))
        .collect()
}

/// `GET /repos/{owner}/{repo}`
pub(super) async fn repository(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<FullRepository>, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    Ok(Json(FullRepository::new(&world, repository)))
}

/// `GET /repos/{owner}/{repo}/actions/workflows`
pub(super) async fn workflows(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path((owner, name)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let repository = caller.may_read_repository(&world, &owner, &name)?;
    let all = &repository.workflows;
    let paging = Paging::of(&uri, PER_PAGE);
    let page = WorkflowPage {
        total_count: all.len(),
        workflows: all[paging.range(all.len())]
            .iter()
            .map(|workflow| WorkflowObject::new(repository, workflow))
            .collect(),
    };
    Ok(paging.answer(&world.url, &by_id(repository, &uri), all.len(), &page))
}
