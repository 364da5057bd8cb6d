//! What is known of a scored day: its figures, and where its list of underutilised licences lies.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::license_figures::LicenseSummary;
use uptake_domain::usage_score::LicenseRules;

use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::state::Daily;

/// The record of a scored day. It is written last: what it names is there, and its metrics are published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScoredDay {
    /// The day.
    pub(crate) day: Date,
    /// The day up to which the report told that the scores rest on.
    pub(crate) as_of_on: Date,
    /// Store key of the list.
    pub(crate) csv_key: String,
    /// The figures as of the last scoring, departments not folded.
    pub(crate) summary: LicenseSummary,
    /// What a licence cost then.
    pub(crate) license_price: Option<f64>,
    /// When a licence counted as new or underutilised.
    pub(crate) rules: LicenseRules,
    /// Which invocation wrote it.
    pub(crate) invocation_id: String,
}

const DAYS: Daily = Daily("state/scoring/days/");

/// The record of a day, if it is scored.
pub(crate) async fn read(files: &dyn Files, day: Date) -> Result<Option<ScoredDay>, PipelineError> {
    DAYS.read(files, day).await
}

pub(super) async fn write(files: &dyn Files, record: &ScoredDay) -> Result<(), PipelineError> {
    DAYS.write(files, record.day, record).await
}

/// The newest scored day in `[from, to]`.
pub(crate) async fn newest_between(
    files: &dyn Files,
    from: Date,
    to: Date,
) -> Result<Option<ScoredDay>, PipelineError> {
    let days = DAYS.days(files).await?;
    match days.into_iter().rfind(|day| (from..=to).contains(day)) {
        Some(day) => read(files, day).await,
        None => Ok(None),
    }
}
