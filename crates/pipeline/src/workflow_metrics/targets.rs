//! Which repositories an invocation looks at: the list's own, discovered ones, and whose they are.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use uptake_domain::repositories::Repositories;
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use uptake_upstream::github::actions::{Repository, RepositoryName};
use uptake_upstream::http::SIDE_BY_SIDE;

use super::repository_state::RepositoryState;
use crate::config::{RepositoriesFile, WorkflowMetricsConfig};
use crate::outcome::PipelineError;
use crate::ports::{Files, PortError};
use uuid::Uuid;

/// A repository to look at.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) repository: Repository,
    pub(super) team: String,
}

/// The repositories of an invocation.
#[derive(Default)]
pub(super) struct Targets {
    pub(super) found: Vec<Target>,
    /// What could not be listed.
    pub(super) missing: Vec<String>,
    /// Whether more of it can be listed another time: a repository nobody knows of may be missing.
    pub(super) waits: bool,
    /// Why nothing could be listed, if a person has to see to it.
    pub(super) refused: Option<PipelineError>,
    pub(super) notes: Vec<String>,
}

impl Targets {
    fn note(&mut self, name: &str, error: ApiError) {
        if error.passes_by_itself() {
            self.waits = true;
        } else {
            let name = name.to_owned();
            self.refused = Some(PipelineError::Unreadable { name, error });
        }
    }
}

/// Reads the list of repositories, with its fingerprint. Without one, all repositories of `UPTAKE_GITHUB_ORGS` are meant.
pub(super) async fn read_list(
    config: &WorkflowMetricsConfig,
    files: &dyn Files,
) -> Result<(Repositories, Uuid), PipelineError> {
    let (place, text) = match &config.repositories {
        RepositoriesFile::Key(key) => {
            let text = files.read(key).await?.map(|file| file.bytes.to_vec());
            (files.location(key), text)
        }
        RepositoriesFile::Path(path) => {
            let place = path.display().to_string();
            match std::fs::read(path) {
                Ok(text) => (place, Some(text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => (place, None),
                Err(error) => {
                    let fault = error.to_string();
                    return Err(PipelineError::Repositories { place, fault });
                }
            }
        }
    };
    let fault = |fault: String| PipelineError::Repositories {
        place: place.clone(),
        fault,
    };
    match text {
        Some(bytes) => {
            let text = std::str::from_utf8(&bytes).map_err(|_| fault("it is not UTF-8 text".to_owned()))?;
            let list = Repositories::parse(text).map_err(|faults| fault(faults.to_string()))?;
            Ok((list, fingerprint(text)))
        }
        None if !config.organisations.is_empty() => {
            let list = Repositories::of_organisations(config.organisations.iter().cloned());
            Ok((list, fingerprint(&config.organisations.join(","))))
        }
        None => Err(PipelineError::Port(PortError::Missing {
            what: place,
            remedy: "put `discover: {organisations: [your-org]}` there, or set UPTAKE_GITHUB_ORGS".to_owned(),
        })),
    }
}

fn fingerprint(text: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
}

/// Finds out what there is. Of an organisation that cannot be listed now, what is known of it is taken.
pub(super) async fn resolve(
    github: &GitHub,
    list: &Repositories,
    known: &BTreeMap<u64, RepositoryState>,
    deadline: Deadline,
) -> Targets {
    let mut targets = Targets::default();
    let mut found: BTreeMap<u64, Repository> = BTreeMap::new();
    let mut unlisted = BTreeSet::new();
    for organisation in list.organisations() {
        let listed = github.repositories(organisation, deadline, |page| {
            found.extend(page.into_iter().map(|repository| (repository.id, repository)));
        });
        if let Err(error) = listed.await {
            targets.missing.push(format!("repositories of {organisation}: {error}"));
            unlisted.insert(organisation);
            targets.note(organisation, error);
        }
    }
    take_known(known, &unlisted, &mut found);
    let listed_names: BTreeSet<String> = found
        .values()
        .map(|repository| repository.full_name.to_lowercase())
        .collect();
    for organisation in list.organisations().difference(&unlisted) {
        if !listed_names
            .iter()
            .any(|name| name.split('/').next() == Some(organisation))
        {
            targets.notes.push(format!(
                "{organisation} shows this token no repository; if it has some, let the token reach them"
            ));
        }
    }
    let unnamed = list.named().into_iter().filter(|name| !listed_names.contains(*name));
    // What an organisation's list does not hold may be renamed, or hidden from the list only.
    let one_by_one: Vec<&str> = unnamed.collect();
    let mut asked_as: BTreeMap<u64, &str> = BTreeMap::new();
    let answers = stream::iter(one_by_one)
        .map(async |name| (name, ask(github, name, deadline).await))
        .buffered(SIDE_BY_SIDE);
    let answers: Vec<_> = answers.collect().await;
    for (name, answer) in answers {
        match answer {
            Ok(Some(repository)) => {
                if repository.full_name.to_lowercase() != name {
                    let now = &repository.full_name;
                    targets.notes.push(format!(
                        "{name} of repositories.yml is now called {now}; correct it there"
                    ));
                }
                asked_as.insert(repository.id, name);
                found.insert(repository.id, repository);
            }
            Ok(None) | Err(ApiError::NotFound { .. }) => targets.notes.push(gone(name)),
            Err(error) => {
                targets.missing.push(format!("{name}: {error}"));
                let by_name = known.values().find(|state| state.name.to_lowercase() == name);
                found.extend(by_name.map(|state| (state.id, repository_of(state))));
                targets.note(name, error);
            }
        }
    }
    targets.found = found
        .into_values()
        .filter_map(|repository| {
            // A repository that was renamed is claimed by the name it is known by there.
            let name = asked_as.get(&repository.id).copied().unwrap_or(&repository.full_name);
            let is_open = !(repository.archived || repository.disabled) || is_to_be_closed(known, repository.id);
            let team = (list.takes(name) && is_open).then(|| list.team_of(name).to_owned())?;
            Some(Target { repository, team })
        })
        .collect();
    targets
}

/// A repository that was archived since it was last read may have runs from before.
fn is_to_be_closed(known: &BTreeMap<u64, RepositoryState>, id: u64) -> bool {
    known.get(&id).is_some_and(|state| !state.is_closed)
}

async fn ask(github: &GitHub, name: &str, deadline: Deadline) -> Result<Option<Repository>, ApiError> {
    match RepositoryName::parse(name) {
        Some(name) => github.repository(&name, deadline).await.map(Some),
        None => Ok(None),
    }
}

fn take_known(
    known: &BTreeMap<u64, RepositoryState>,
    organisations: &BTreeSet<&str>,
    found: &mut BTreeMap<u64, Repository>,
) {
    for state in known.values() {
        let name = state.name.to_lowercase();
        if name
            .split('/')
            .next()
            .is_some_and(|owner| organisations.contains(owner))
        {
            found.entry(state.id).or_insert_with(|| repository_of(state));
        }
    }
}

fn repository_of(state: &RepositoryState) -> Repository {
    Repository {
        id: state.id,
        full_name: state.name.clone(),
        default_branch: state.default_branch.clone(),
        archived: false,
        disabled: false,
    }
}

fn gone(name: &str) -> String {
    format!("repositories.yml names {name}, which is gone or hidden from this token")
}
