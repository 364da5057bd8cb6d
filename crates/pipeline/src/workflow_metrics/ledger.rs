//! The ledger: every recorded run attempt by the UTC day on which it ended, and how much of each day is published.
//!
//! Background: an attempt must be counted once, whatever is late, repeated or killed. Choice: attempts are stored first,
//! a day at a time, with a conditional put that merges; what is published follows from what is stored, and a mark per
//! hour says of how many attempts. A mark that differs from the count is work to do. Alternative: remembering what the
//! present invocation found, which a crash forgets. Consequence: publishing can be repeated at will, and nothing that was
//! stored is ever left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::day_of;
use uptake_domain::run::{AttemptId, RunAttempt};
use uptake_domain::run_history::DayFigures;

use crate::outcome::PipelineError;
use crate::ports::{Expected, Files, Written};
use crate::zstd_json;

fn attempts_key(day: Date) -> String {
    format!("state/workflow-metrics/attempts/{day}.jsonl.zst")
}

fn marks_key(day: Date) -> String {
    format!("state/workflow-metrics/published/{day}.json")
}

fn figures_key(day: Date) -> String {
    format!("state/workflow-metrics/figures/{day}.jsonl.zst")
}

/// Which attempts are recorded, and when they ended.
#[derive(Debug, Default)]
pub(super) struct Recorded(HashMap<u64, BTreeMap<u32, Timestamp>>);

impl Recorded {
    /// Those that ended on one of the days from `first` to `last`.
    pub(super) async fn read(files: &dyn Files, first: Date, last: Date) -> Result<Self, PipelineError> {
        // Of each line only what tells the attempts apart: a busy week is too large to be held whole.
        #[derive(Deserialize)]
        struct Line {
            #[serde(flatten)]
            id: AttemptId,
            ended_at: Timestamp,
        }
        let mut recorded = Self::default();
        for day in first.series(1.day()).take_while(|day| *day <= last) {
            let key = attempts_key(day);
            let Some(file) = files.read(&key).await? else {
                continue;
            };
            let lines = zstd_json::decode::<Line>(&file.bytes).map_err(|error| PipelineError::state(&key, error))?;
            for line in lines {
                let Line { id, ended_at } = line.map_err(|error| PipelineError::state(&key, error))?;
                recorded.0.entry(id.run_id).or_default().insert(id.attempt, ended_at);
            }
        }
        Ok(recorded)
    }

    /// When an attempt ended, if it is recorded.
    pub(super) fn ended_at(&self, id: AttemptId) -> Option<Timestamp> {
        self.0.get(&id.run_id)?.get(&id.attempt).copied()
    }

    /// The latest recorded attempt of a run.
    pub(super) fn latest(&self, run_id: u64) -> Option<u32> {
        self.0.get(&run_id)?.last_key_value().map(|(attempt, _)| *attempt)
    }

    /// The days on which attempts of a run ended.
    pub(super) fn days_of(&self, run_id: u64) -> impl Iterator<Item = Date> {
        self.0
            .get(&run_id)
            .into_iter()
            .flatten()
            .map(|(_, ended_at)| day_of(*ended_at))
    }
}

/// Stores attempts beside those of their days; the same attempt twice is stored once. Days are written in order, so that
/// of one run an earlier attempt is never missing when a later one is there.
pub(super) async fn record(files: &dyn Files, attempts: Vec<RunAttempt>) -> Result<u64, PipelineError> {
    let mut days: BTreeMap<Date, Vec<RunAttempt>> = BTreeMap::new();
    for attempt in attempts {
        days.entry(day_of(attempt.ended_at)).or_default().push(attempt);
    }
    let mut recorded = 0;
    for (day, new) in days {
        let key = attempts_key(day);
        loop {
            let (mut stored, expected) = read_day(files, day).await?;
            let known: BTreeSet<AttemptId> = stored.iter().map(|attempt| attempt.id).collect();
            let before = stored.len();
            stored.extend(new.iter().filter(|attempt| !known.contains(&attempt.id)).cloned());
            let added = stored.len() - before;
            if added == 0 {
                break;
            }
            stored.sort_by_key(|attempt| (attempt.ended_at, attempt.id));
            let bytes = zstd_json::encode(&stored).map_err(|error| PipelineError::state(&key, error))?;
            if files.write_if(&key, bytes.into(), expected).await? == Written::Stored {
                recorded += added as u64;
                break;
            }
        }
    }
    Ok(recorded)
}

/// Every attempt that ended on a day, in the order in which they ended.
pub(super) async fn attempts(files: &dyn Files, day: Date) -> Result<Vec<RunAttempt>, PipelineError> {
    Ok(read_day(files, day).await?.0)
}

async fn read_day(files: &dyn Files, day: Date) -> Result<(Vec<RunAttempt>, Expected), PipelineError> {
    let key = attempts_key(day);
    let Some(file) = files.read(&key).await? else {
        return Ok((Vec::new(), Expected::Absent));
    };
    let attempts = zstd_json::decode(&file.bytes).and_then(Iterator::collect);
    let attempts = attempts.map_err(|error| PipelineError::state(&key, error))?;
    Ok((attempts, Expected::Unchanged(file.version)))
}

/// Of how many attempts a day is published. `None`: not at all yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// Log events, by hour of the day.
    pub(super) events: BTreeMap<i8, u64>,
    /// Metrics of the hour.
    pub(super) metrics: BTreeMap<i8, u64>,
    /// Metrics of the day, by repository.
    pub(super) repositories: BTreeMap<String, u64>,
    /// Whether active and inactive workflows are counted.
    pub(super) workflows: bool,
    /// The day's figures in the history.
    pub(super) figures: Option<u64>,
}

pub(super) async fn read_marks(files: &dyn Files, day: Date) -> Result<Marks, PipelineError> {
    let key = marks_key(day);
    match files.read(&key).await? {
        None => Ok(Marks::default()),
        Some(file) => serde_json::from_slice(&file.bytes).map_err(|error| PipelineError::state(&key, error)),
    }
}

pub(super) async fn write_marks(files: &dyn Files, day: Date, marks: &Marks) -> Result<(), PipelineError> {
    let bytes = serde_json::json!(marks).to_string();
    Ok(files.write(&marks_key(day), bytes.into()).await?)
}

pub(super) async fn write_figures(files: &dyn Files, day: Date, figures: &DayFigures) -> Result<(), PipelineError> {
    let key = figures_key(day);
    let bytes = zstd_json::encode([figures]).map_err(|error| PipelineError::state(&key, error))?;
    Ok(files.write(&key, bytes.into()).await?)
}

/// The history of the days from `first` to `last`, those that are there.
pub(crate) async fn history(
    files: &dyn Files,
    first: Date,
    last: Date,
) -> Result<BTreeMap<Date, DayFigures>, PipelineError> {
    let mut days = BTreeMap::new();
    for day in first.series(1.day()).take_while(|day| *day <= last) {
        let key = figures_key(day);
        if let Some(file) = files.read(&key).await? {
            let mut lines = zstd_json::decode(&file.bytes).map_err(|error| PipelineError::state(&key, error))?;
            let figures = lines
                .next()
                .transpose()
                .map_err(|error| PipelineError::state(&key, error))?;
            days.insert(day, figures.unwrap_or_default());
        }
    }
    Ok(days)
}
