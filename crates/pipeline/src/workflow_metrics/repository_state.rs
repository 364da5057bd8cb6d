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
}

/// The first day that was looked at from its beginning to its end, once anybody has looked.
pub(crate) async fn first_whole_day(files: &dyn Files) -> Result<Option<Date>, PipelineError> {
    let states = RepositoryStates::read(files).await?;
    let since = states.by_id.values().map(|state| state.since).min();
    Ok(since.map(|since| {
        let day = day_of(since);
        if since == start_of(day) {
            day
        } else {
            day.saturating_add(1.day())
        }
    }))
}
