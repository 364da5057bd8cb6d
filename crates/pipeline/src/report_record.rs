//! What is known of a stored report: whether it is complete, where it lies, and the figures it adds up to.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::start_of;
use uptake_domain::seat_figures::SeatSummary;

use crate::outcome::PipelineError;
use crate::ports::{Expected, File, Files, Written};

/// Whether a report holds everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Everything.
    Complete,
    /// Something that should be there is missing.
    Incomplete,
}

impl Completeness {
    /// The word used in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The record of one day's report of seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// The day the report is about.
    pub day: Date,
    /// Whether it holds everything.
    pub completeness: Completeness,
    /// What is missing, in sentences that name no person.
    pub missing: Vec<String>,
    /// Store key of the CSV.
    pub csv_key: String,
    /// Seats GitHub listed: several of one person and those in quarantine included.
    pub listed: u64,
    /// Rows of the CSV.
    pub rows: u64,
    /// Seats set aside because they could not be understood.
    pub quarantined: u64,
    /// When the upstream was asked.
    pub collected_at: Timestamp,
    /// Which invocation wrote it.
    pub invocation_id: String,
    /// The figures.
    pub summary: SeatSummary,
}

impl ReportRecord {
    /// Whether it is complete and stands for its day: one collected before the day began does not.
    pub fn is_of_its_day(&self) -> bool {
        self.completeness == Completeness::Complete && self.collected_at >= start_of(self.day)
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Replaced,
    /// The complete one stored earlier stays.
    EarlierStays,
}

fn prefix(report: &str) -> String {
    format!("state/reports/{report}/")
}

fn key(report: &str, day: Date) -> String {
    format!("{}{day}.json", prefix(report))
}

/// The record of a day, if there is a report.
pub async fn read(files: &dyn Files, report: &str, day: Date) -> Result<Option<ReportRecord>, PipelineError> {
    read_key(files, &key(report, day)).await
}

/// The newest complete report before a day.
pub async fn latest_complete_before(
    files: &dyn Files,
    report: &str,
    day: Date,
) -> Result<Option<ReportRecord>, PipelineError> {
    let end = key(report, day);
    let keys = files.list(&prefix(report)).await?;
    for key in keys.iter().rev().filter(|key| **key < end) {
        let record = read_key(files, key).await?;
        if let Some(record) = record.filter(ReportRecord::is_of_its_day) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Stores the record, unless that would put an incomplete one in the place of a complete one. Decided on what is there
/// at this moment: another invocation may have finished in the meantime.
pub async fn write(files: &dyn Files, report: &str, record: &ReportRecord) -> Result<Stored, PipelineError> {
    let key = key(report, record.day);
    let bytes = Bytes::from(serde_json::json!(record).to_string());
    loop {
        let expected = match files.read(&key).await? {
            None => Expected::Absent,
            Some(file) => {
                let before = decode(&key, &file)?;
                if before.is_of_its_day() && record.completeness == Completeness::Incomplete {
                    return Ok(Stored::EarlierStays);
                }
                Expected::Unchanged(file.version)
            }
        };
        if files.write_if(&key, bytes.clone(), expected).await? == Written::Stored {
            return Ok(Stored::Replaced);
        }
    }
}

async fn read_key(files: &dyn Files, key: &str) -> Result<Option<ReportRecord>, PipelineError> {
    let file = files.read(key).await?;
    file.as_ref().map(|file| decode(key, file)).transpose()
}

fn decode(key: &str, file: &File) -> Result<ReportRecord, PipelineError> {
    serde_json::from_slice(&file.bytes).map_err(|error| PipelineError::state(key, error))
}
