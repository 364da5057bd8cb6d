//! How far the collection of a day has come, so that the next offering goes on where this one ended.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::directory::Loss;
use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::state::Daily;

/// What is stored of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DayRecord {
    pub(crate) day: Date,
    /// Whether nothing is left to do.
    pub(crate) complete: bool,
    /// What is missing, in sentences that name no person.
    pub(crate) missing: Vec<String>,
    /// The reading of the directory, once it is stored.
    pub(crate) directory: Option<DirectoryRead>,
    /// Whether licences and use are in gold as far as a fresh report told, so that the day can be scored.
    #[serde(default)]
    pub(crate) can_be_scored: bool,
    /// What a reading lost that was not believed.
    #[serde(default)]
    pub(crate) loss: Option<Loss>,
    /// The day up to which the newest usage report told that was read.
    pub(crate) report_refresh_on: Option<Date>,
    /// The day up to which the newest active-user report told that was read.
    pub(crate) activity_refresh_on: Option<Date>,
    /// Which invocation wrote this.
    pub(crate) invocation_id: String,
}

/// A reading of the whole directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DirectoryRead {
    pub(crate) read_at: Timestamp,
    pub(crate) users: u64,
    pub(crate) licensed: u64,
}

const DAYS: Daily = Daily("state/m365-usage/days/");

impl DayRecord {
    pub(crate) fn new(day: Date) -> Self {
        Self {
            day,
            complete: false,
            missing: Vec::new(),
            directory: None,
            can_be_scored: false,
            loss: None,
            report_refresh_on: None,
            activity_refresh_on: None,
            invocation_id: String::new(),
        }
    }
}

pub(crate) async fn read(files: &dyn Files, day: Date) -> Result<Option<DayRecord>, PipelineError> {
    DAYS.read(files, day).await
}

pub(super) async fn write(files: &dyn Files, record: &DayRecord) -> Result<(), PipelineError> {
    DAYS.write(files, record.day, record).await
}

/// The first day that was ever collected for.
pub(crate) async fn first(files: &dyn Files) -> Result<Option<Date>, PipelineError> {
    Ok(DAYS.days(files).await?.first().copied())
}

/// The newest day whose directory is stored. Graph tells the present only, so nothing may be dated before what is known
/// of a later day.
pub(super) async fn last_directory(files: &dyn Files) -> Result<Option<Date>, PipelineError> {
    for day in DAYS.days(files).await?.into_iter().rev() {
        if read(files, day).await?.is_some_and(|record| record.directory.is_some()) {
            return Ok(Some(day));
        }
    }
    Ok(None)
}
