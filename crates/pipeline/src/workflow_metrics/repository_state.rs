//! What is remembered of each repository: how far it is read, what is still under way, and which workflows it has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::{day_of, start_of};
use uptake_domain::run::{AttemptId, Branch};

use crate::outcome::PipelineError;
use crate::ports::{Expected, Files, Written};
use crate::zstd_json;
use uuid::Uuid;

const KEY: &str = "state/workflow-metrics/repositories.jsonl.zst";

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RepositoryState {
    pub(super) id: u64,
    /// `owner/name` when it was last seen.
    pub(super) name: String,
    pub(super) default_branch: String,
    /// Attempts that ended before are none of ours.
    pub(super) since: Timestamp,
    /// The end of the last invocation that was to read it.
    pub(super) wanted_to: Option<Timestamp>,
    /// Read to the end after it was archived: nothing new can come.
    #[serde(default)]
    pub(super) is_closed: bool,
    /// Every run created before is known. The repository's watermark.
    pub(super) listed_to: Option<Timestamp>,
    /// Re-runs that were started before are known.
    pub(super) relisted_to: Option<Timestamp>,
    /// How far the present round of looking for them is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) relisting: Option<Relisting>,
    /// Days on which runs were created: on others there is nothing to run again.
    pub(super) run_days: BTreeSet<Date>,
    /// Attempts under way when last seen, by run.
    pub(super) open: BTreeMap<u64, OpenRun>,
    /// Attempts that have ended and whose jobs are not read yet.
    pub(super) pending: Vec<EndedAttempt>,
    /// Workflows by id.
    pub(super) workflows: BTreeMap<u64, KnownWorkflow>,
    pub(super) workflows_listed_on: Option<Date>,
}

/// A round of looking for re-runs that is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relisting {
    /// Re-runs that were started before are known once it is.
    pub(super) began_at: Timestamp,
    /// The next day to read.
    pub(super) next_day: Date,
}

/// An attempt under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenRun {
    pub(super) attempt: u32,
    /// When the run was created, which is what GitHub lists by.
    pub(super) created_at: Timestamp,
    pub(super) started_at: Timestamp,
}

/// An attempt that has ended, before its jobs are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndedAttempt {
    #[serde(flatten)]
    pub(super) id: AttemptId,
    pub(super) started_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) workflow_id: u64,
    pub(super) workflow_file: Option<String>,
    pub(super) event: String,
    pub(super) branch: Branch,
    pub(super) conclusion: String,
    pub(super) html_url: String,
}

/// A workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownWorkflow {
    pub(super) name: String,
    pub(super) is_enabled: bool,
    pub(super) last_run_at: Option<Timestamp>,
    /// Whether GitHub was asked for a run that nobody here has seen.
    pub(super) was_asked: bool,
}

impl RepositoryState {
    pub(super) fn new(id: u64, name: String, since: Timestamp) -> Self {
        Self {
            id,
            name,
            default_branch: String::new(),
            since,
            wanted_to: None,
            is_closed: false,
            listed_to: None,
            relisted_to: None,
            relisting: None,
            run_days: BTreeSet::new(),
            open: BTreeMap::new(),
            pending: Vec::new(),
            workflows: BTreeMap::new(),
            workflows_listed_on: None,
        }
    }

    /// Up to when every attempt that ended is recorded. One whose jobs are not read may have ended as soon as it started.
    pub(super) fn complete_to(&self) -> Timestamp {
        let pending = self.pending.iter().map(|attempt| attempt.started_at);
        let complete_to = pending.fold(self.listed_to.unwrap_or(self.since), Timestamp::min);
        complete_to.max(self.since)
    }
}

/// All repositories, by id, and what the store is expected to hold when they are written back.
pub(super) struct RepositoryStates {
    pub(super) by_id: BTreeMap<u64, RepositoryState>,
    expected: Expected,
}

impl RepositoryStates {
    pub(super) async fn read(files: &dyn Files) -> Result<Self, PipelineError> {
        let Some(file) = files.read(KEY).await? else {
            return Ok(Self {
                by_id: BTreeMap::new(),
                expected: Expected::Absent,
            });
        };
        let states = zstd_json::decode::<RepositoryState>(&file.bytes).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let states = states.map_err(|error| PipelineError::state(KEY, error))?;
        Ok(Self {
            by_id: states.into_iter().map(|state| (state.id, state)).collect(),
            expected: Expected::Unchanged(file.version),
        })
    }

    /// Stores all of them, unless another invocation did so since they were read: then its account stands, and what this
    /// one recorded is found by the next.
    pub(super) async fn write(self, files: &dyn Files) -> Result<(), PipelineError> {
        let bytes = zstd_json::encode(self.by_id.values()).map_err(|error| PipelineError::state(KEY, error))?;
        match files.write_if(KEY, bytes.into(), self.expected).await? {
            Written::Stored => Ok(()),
            Written::Conflict => Err(PipelineError::Overlap),
        }
    }

    /// Fails if another invocation has come first: what both publish would stand there twice.
    pub(super) async fn check_alone(&self, files: &dyn Files) -> Result<(), PipelineError> {
        let found = match files.read(KEY).await? {
            None => Expected::Absent,
            Some(file) => Expected::Unchanged(file.version),
        };
        if found == self.expected {
            Ok(())
        } else {
            Err(PipelineError::Overlap)
        }
    }
}

/// What is remembered, as far as a reader of the history has to know it.
pub(crate) struct Coverage {
    /// When looking began.
    pub(crate) since: Timestamp,
    /// Repositories that are looked at, each with up to when everything of it is recorded.
    pub(crate) repositories: Vec<(String, Timestamp)>,
}

/// How much of the repositories is recorded, once anybody has looked.
pub(crate) async fn coverage(files: &dyn Files) -> Result<Option<Coverage>, PipelineError> {
    let states = RepositoryStates::read(files).await?.by_id;
    let newest = states.values().filter_map(|state| state.wanted_to).max();
    let looked_at = states.values().filter(|state| state.wanted_to == newest);
    let read = states.values().filter(|state| state.listed_to.is_some());
    Ok(read.map(|state| state.since).min().map(|since| Coverage {
        since,
        repositories: looked_at
            .map(|state| (state.name.clone(), state.complete_to()))
            .collect(),
    }))
}

impl Coverage {
    /// The first day that was looked at from its beginning to its end.
    pub(crate) fn first_whole_day(&self) -> Date {
        let day = day_of(self.since);
        if self.since == start_of(day) {
            day
        } else {
            day.saturating_add(1.day())
        }
    }
}

const SETTLED_KEY: &str = "state/workflow-metrics/settled.json";

/// The last collection that left nothing out, and the list of repositories it was for.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) to: Timestamp,
    /// Its fingerprint.
    pub(super) list: Uuid,
}

impl Settled {
    pub(super) async fn read(files: &dyn Files) -> Result<Option<Self>, PipelineError> {
        let file = files.read(SETTLED_KEY).await?;
        // One that does not read back costs a collection that finds nothing new.
        Ok(file.and_then(|file| serde_json::from_slice(&file.bytes).ok()))
    }

    pub(super) async fn write(&self, files: &dyn Files) -> Result<(), PipelineError> {
        Ok(files
            .write(SETTLED_KEY, serde_json::json!(self).to_string().into())
            .await?)
    }
}
