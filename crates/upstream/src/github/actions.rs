//! Repositories of an organisation, their workflows, runs, run attempts and jobs.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uptake_domain::run::Job;
use uptake_domain::run_slices::Slice;
use url::Url;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::github::{GitHub, Owner, PER_PAGE};
use crate::http::{Answer, Call, Keep, Resource, Route};

const GRANT: &str = "grant the token repo (a classic one) or Actions: read and Metadata: read (a fine-grained one or the App), and let it reach this repository";
const HIDDEN: &str = "it is gone, or hidden from this token: GitHub hides what a token may not see";

static ORGANISATION_REPOSITORIES: Route = Route {
    template: "GET /orgs/{org}/repos",
    resource: Resource::Core,
    grant: "grant the token repo and read:org (a classic one) or Metadata: read",
    not_found: "check the organisation's name in repositories.yml or UPTAKE_GITHUB_ORGS, and that the token may see it",
    is_download: false,
};
static INSTALLATION_REPOSITORIES: Route = Route {
    template: "GET /installation/repositories",
    resource: Resource::Core,
    grant: "grant the App Metadata: read",
    not_found: "install the GitHub App in this organisation",
    is_download: false,
};
static REPOSITORY: Route = Route {
    template: "GET /repos/{owner}/{repo}",
    resource: Resource::Core,
    grant: GRANT,
    not_found: HIDDEN,
    is_download: false,
};
static WORKFLOWS: Route = Route {
    template: "GET /repos/{owner}/{repo}/actions/workflows",
    resource: Resource::Core,
    grant: GRANT,
    not_found: HIDDEN,
    is_download: false,
};
static RUNS: Route = Route {
    template: "GET /repos/{owner}/{repo}/actions/runs",
    resource: Resource::Core,
    grant: GRANT,
    not_found: HIDDEN,
    is_download: false,
};
static WORKFLOW_RUNS: Route = Route {
    template: "GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs",
    resource: Resource::Core,
    grant: GRANT,
    not_found: "the workflow is gone",
    is_download: false,
};
static RUN: Route = Route {
    template: "GET /repos/{owner}/{repo}/actions/runs/{run_id}",
    resource: Resource::Core,
    grant: GRANT,
    not_found: "the run is gone",
    is_download: false,
};
static RUN_ATTEMPT: Route = Route {
    template: "GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}",
    resource: Resource::Core,
    grant: GRANT,
    not_found: "the run is gone",
    is_download: false,
};
static JOBS: Route = Route {
    template: "GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt}/jobs",
    resource: Resource::Core,
    grant: GRANT,
    not_found: "the run is gone",
    is_download: false,
};

/// An address that is not asked again.
const ONCE: Call = Call::Get(Keep::Nothing);

/// A repository, as far as its runs need it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Its id, which outlives a change of name.
    pub id: u64,
    /// `owner/name`.
    pub full_name: String,
    /// The branch that `default` means.
    #[serde(default)]
    pub default_branch: String,
    /// Read-only: no run can start.
    #[serde(default)]
    pub archived: bool,
    /// Switched off by GitHub.
    #[serde(default)]
    pub disabled: bool,
}

/// Where a repository lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryName {
    owner: Owner,
    name: String,
}

impl RepositoryName {
    /// Reads `owner/name`.
    pub fn parse(full_name: &str) -> Option<Self> {
        let (owner, name) = full_name.split_once('/')?;
        Some(Self {
            owner: Owner::Organisation(owner.to_owned()),
            name: name.to_owned(),
        })
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner.slug(), self.name.as_str()], rest].concat()
    }
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Workflow {
    /// Its id.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `active`, or how it was switched off.
    #[serde(default)]
    pub state: String,
}

/// A run as it stands, with the attempt that was last started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: u64,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The workflow.
    pub workflow_id: u64,
    /// The file of the workflow, where the name is not known. The run's own name is left alone: people write into it.
    pub workflow_file: Option<String>,
    /// What started it.
    pub event: String,
    /// The branch; for its class only.
    pub head_branch: Option<String>,
    /// How the attempt ended, once it has.
    pub conclusion: Option<String>,
    /// When the first attempt was started.
    pub created_at: Timestamp,
    /// When this attempt was started.
    pub started_at: Timestamp,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
    /// Where a person looks at it.
    pub html_url: String,
}

/// A page of runs, the newest first, each as GitHub wrote it.
#[derive(Debug)]
pub enum RunsPage {
    /// What the page says.
    Read {
        /// Runs of the whole list.
        total: u64,
        /// The runs.
        runs: Vec<Box<RawValue>>,
        /// The page after it.
        next: Option<Url>,
    },
    /// The page is as it was when it was last read to the end.
    Unchanged {
        /// The page after it.
        next: Option<Url>,
    },
}

impl GitHub {
    /// Reads every repository of an organisation that the credential can see.
    pub async fn repositories(
        &self,
        organisation: &str,
        deadline: Deadline,
        mut on_page: impl FnMut(Vec<Repository>),
    ) -> Result<(), ApiError> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Vec<Repository>,
        }
        let owner = Owner::Organisation(organisation.to_owned());
        let not_a_list = |_| "the body is not a list of repositories".to_owned();
        // An App asks for what it was installed in: an organisation's own list holds public repositories besides.
        if self.is_app() {
            let decode = |body: &[u8]| serde_json::from_slice::<Page>(body).map_err(not_a_list);
            let first = self.at(&["installation", "repositories"]);
            let on_page = |page: Page, _: &_| on_page(page.repositories);
            self.list(&owner, &INSTALLATION_REPOSITORIES, first, deadline, decode, on_page)
                .await
        } else {
            let decode = |body: &[u8]| serde_json::from_slice::<Vec<Repository>>(body).map_err(not_a_list);
            // By name, because by time of change the list shifts under whoever reads it.
            let order = [("type", "all"), ("sort", "full_name")];
            let first = with_query(self.at(&["orgs", organisation, "repos"]), &order);
            let on_page = |page, _: &_| on_page(page);
            self.list(&owner, &ORGANISATION_REPOSITORIES, first, deadline, decode, on_page)
                .await
        }
    }

    /// One repository.
    pub async fn repository(&self, name: &RepositoryName, deadline: Deadline) -> Result<Repository, ApiError> {
        let url = self.at(&name.path(&[]));
        self.send(
            &name.owner,
            &REPOSITORY,
            url,
            Call::Get(Keep::Body),
            deadline,
            Answer::json,
        )
        .await
    }

    /// The workflows of a repository, switched off ones included.
    pub async fn workflows(&self, name: &RepositoryName, deadline: Deadline) -> Result<Vec<Workflow>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            workflows: Vec<Workflow>,
        }
        let mut workflows = Vec::new();
        let decode = |body: &[u8]| {
            serde_json::from_slice::<Page>(body).map_err(|_| "the body is not a list of workflows".to_owned())
        };
        let first = self.at(&name.path(&["actions", "workflows"]));
        self.list(&name.owner, &WORKFLOWS, first, deadline, decode, |page, _| {
            workflows.extend(page.workflows);
        })
        .await?;
        Ok(workflows)
    }

    /// When a workflow last started a run, if it ever did.
    pub async fn last_run_at(
        &self,
        name: &RepositoryName,
        workflow_id: u64,
        deadline: Deadline,
    ) -> Result<Option<Timestamp>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            workflow_runs: Vec<Created>,
        }
        #[derive(Deserialize)]
        struct Created {
            created_at: Option<Timestamp>,
        }
        let id = workflow_id.to_string();
        let url = self.at(&name.path(&["actions", "workflows", &id, "runs"]));
        let url = with_query(url, &[("per_page", "1")]);
        let page: Page = self
            .send(&name.owner, &WORKFLOW_RUNS, url, ONCE, deadline, Answer::json)
            .await?;
        Ok(page.workflow_runs.first().and_then(|run| run.created_at))
    }

    /// The address of the first page of the runs created in a slice of time.
    pub fn runs_in(&self, name: &RepositoryName, slice: Slice) -> Url {
        with_query(
            self.at(&name.path(&["actions", "runs"])),
            &[
                ("created", &slice.created()),
                // They are not used, and change with what they are about.
                ("exclude_pull_requests", "true"),
                ("per_page", PER_PAGE),
            ],
        )
    }

    /// One page of runs. `keep_tag` asks GitHub whether the page has changed since it was last read that way.
    pub async fn runs_page(
        &self,
        name: &RepositoryName,
        url: Url,
        keep_tag: bool,
        deadline: Deadline,
    ) -> Result<RunsPage, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            total_count: u64,
            workflow_runs: Vec<Box<RawValue>>,
        }
        let keep = if keep_tag { Keep::Tag } else { Keep::Nothing };
        let read = |answer: &Answer| {
            let next = answer.links().next;
            if answer.is_unchanged && keep_tag {
                return Ok(RunsPage::Unchanged { next });
            }
            let page: Page = answer.json()?;
            Ok(RunsPage::Read {
                total: page.total_count,
                runs: page.workflow_runs,
                next,
            })
        };
        let page = self
            .send(&name.owner, &RUNS, url, Call::Get(keep), deadline, read)
            .await?;
        if let RunsPage::Read { next: Some(next), .. } | RunsPage::Unchanged { next: Some(next) } = &page
            && !self.http.origin().owns(next)
        {
            return Err(ApiError::Contract {
                route: RUNS.template,
                reason: "a page links to another host; credentials stay here".to_owned(),
            });
        }
        Ok(page)
    }

    /// Forgets that a page of runs was read: not all it holds was dealt with.
    pub fn forget_runs_page(&self, url: &Url) {
        self.http.forget_page(url);
    }

    /// A run as it stands now.
    pub async fn run(&self, name: &RepositoryName, run_id: u64, deadline: Deadline) -> Result<Box<RawValue>, ApiError> {
        let url = self.at(&name.path(&["actions", "runs", &run_id.to_string()]));
        self.send(&name.owner, &RUN, url, ONCE, deadline, Answer::json).await
    }

    /// A run as an earlier attempt left it.
    pub async fn run_attempt(
        &self,
        name: &RepositoryName,
        run_id: u64,
        attempt: u32,
        deadline: Deadline,
    ) -> Result<Box<RawValue>, ApiError> {
        let (run_id, attempt) = (run_id.to_string(), attempt.to_string());
        let url = self.at(&name.path(&["actions", "runs", &run_id, "attempts", &attempt]));
        self.send(&name.owner, &RUN_ATTEMPT, url, ONCE, deadline, Answer::json)
            .await
    }

    /// The jobs of an attempt, and whether all of them are done.
    pub async fn jobs(
        &self,
        name: &RepositoryName,
        run_id: u64,
        attempt: u32,
        deadline: Deadline,
    ) -> Result<(Vec<Job>, bool), ApiError> {
        #[derive(Deserialize)]
        struct Page {
            jobs: Vec<JobRecord>,
        }
        #[derive(Deserialize)]
        struct JobRecord {
            #[serde(default)]
            status: String,
            conclusion: Option<String>,
            started_at: Option<Timestamp>,
            completed_at: Option<Timestamp>,
            #[serde(default)]
            labels: Vec<String>,
        }
        let (run_id, attempt) = (run_id.to_string(), attempt.to_string());
        let path = name.path(&["actions", "runs", &run_id, "attempts", &attempt, "jobs"]);
        let read = |answer: &Answer| {
            let page: Page = answer.json()?;
            Ok((page, answer.links()))
        };
        let fetch = |url| self.send(&name.owner, &JOBS, url, ONCE, deadline, read);
        let first = with_query(self.at(&path), &[("per_page", PER_PAGE)]);
        let mut jobs = Vec::new();
        let mut all_done = true;
        let on_page = |page: Page, _: &_| {
            for job in page.jobs {
                all_done &= job.status.is_empty() || job.status == "completed";
                jobs.push(Job {
                    labels: job.labels,
                    conclusion: job.conclusion,
                    started_at: job.started_at,
                    completed_at: job.completed_at,
                });
            }
        };
        self.http.each_page(&JOBS, first, fetch, on_page).await?;
        Ok((jobs, all_done))
    }
}

fn with_query(mut url: Url, pairs: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

/// Understands one run, or says why not. The reason may quote the record: it goes where the record goes.
pub fn decode_run(raw: &RawValue) -> Result<Run, String> {
    #[derive(Deserialize)]
    struct Record {
        id: u64,
        run_attempt: Option<u32>,
        workflow_id: Option<u64>,
        path: Option<String>,
        event: Option<String>,
        head_branch: Option<String>,
        status: Option<String>,
        conclusion: Option<String>,
        created_at: Timestamp,
        run_started_at: Option<Timestamp>,
        updated_at: Option<Timestamp>,
        html_url: Option<String>,
    }
    let record: Record = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let started_at = record.run_started_at.unwrap_or(record.created_at);
    // While a re-run is in progress GitHub may still show how the attempt before it ended.
    let is_over = record.status.as_deref() == Some("completed");
    if is_over && record.conclusion.as_deref().is_none_or(str::is_empty) {
        return Err("the run is completed and has no conclusion".to_owned());
    }
    Ok(Run {
        id: record.id,
        attempt: record.run_attempt.unwrap_or(1).max(1),
        workflow_id: record.workflow_id.unwrap_or_default(),
        workflow_file: record.path.as_deref().and_then(file_name),
        event: record.event.unwrap_or_else(|| "unknown".to_owned()),
        head_branch: record.head_branch,
        conclusion: record.conclusion.filter(|_| is_over),
        created_at: record.created_at,
        started_at,
        updated_at: record.updated_at.unwrap_or(started_at),
        html_url: record.html_url.unwrap_or_default(),
    })
}

/// `.github/workflows/build.yml@main` is the file `build.yml`; what follows the `@` is a branch.
fn file_name(path: &str) -> Option<String> {
    let path = path.split('@').next()?;
    let name = path.rsplit('/').next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(json: &str) -> Result<Run, String> {
        decode_run(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn a_run_is_understood_with_as_little_as_it_may_have() {
        let run = run(r#"{"id":7,"created_at":"2026-11-20T06:00:00Z","conclusion":null,"status":"queued"}"#).unwrap();
        assert_eq!((run.id, run.attempt, run.conclusion), (7, 1, None));
        assert_eq!(run.started_at, run.created_at);
        assert_eq!(run.event, "unknown");
    }

    #[test]
    fn nothing_people_write_is_taken_over() {
        let run = run(
            r#"{"id":7,"name":"Deploy by octocat","display_title":"octocat's fix","run_attempt":2,"status":"completed",
                "conclusion":"superseded","path":".github/workflows/build.yml@refs/heads/octocat/fix","workflow_id":9,
                "created_at":"2026-11-20T06:00:00Z","run_started_at":"2026-11-20T07:00:00Z","head_branch":"octocat/fix",
                "actor":{"login":"octocat"},"head_commit":{"message":"octocat"},"event":"push"}"#,
        )
        .unwrap();
        assert_eq!(run.workflow_file.as_deref(), Some("build.yml"));
        assert_eq!(
            run.conclusion.as_deref(),
            Some("superseded"),
            "words GitHub adds are taken as they are"
        );
        let written = format!(
            "{:?}",
            Run {
                head_branch: None,
                ..run
            }
        );
        assert!(!written.contains("octocat"), "{written}");
    }

    #[test]
    fn a_rerun_in_progress_has_no_conclusion_whatever_github_shows() {
        let run = run(
            r#"{"id":7,"run_attempt":2,"status":"in_progress","conclusion":"failure","created_at":"2026-11-20T06:00:00Z"}"#,
        );
        assert_eq!(run.unwrap().conclusion, None);
    }

    #[test]
    fn what_is_no_run_is_refused_with_a_reason() {
        for (json, reason) in [
            ("{}", "missing field `id`"),
            (r#"{"id":"x"}"#, "invalid type"),
            (r#"{"id":1,"created_at":"yesterday"}"#, "failed to parse"),
            (
                r#"{"id":1,"created_at":"2026-11-20T06:00:00Z","status":"completed"}"#,
                "no conclusion",
            ),
        ] {
            let message = run(json).unwrap_err();
            assert!(message.contains(reason), "{json}: {message}");
        }
    }
}
