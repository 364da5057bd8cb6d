//! Quarantine: records that could not be understood, kept with their bytes so that nothing is lost.

use std::collections::HashSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::outcome::PipelineError;
use crate::ports::Files;

/// Where all quarantined records lie.
pub const PREFIX: &str = "state/quarantine/";

/// One record set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// What it was taken for, such as `copilot_seat`.
    pub rule: String,
    /// Why it was not understood.
    pub error: String,
    /// The bytes as received.
    pub record: String,
}

/// Where a day's records of a function lie.
pub fn key(function: &str, day: Date) -> String {
    format!("{PREFIX}{function}/{day}.jsonl")
}

/// Keeps the records beside those of the day that are kept already. The same record twice is kept once, so a repeated
/// collection changes nothing.
pub async fn keep(files: &dyn Files, function: &str, day: Date, records: &[Quarantined]) -> Result<(), PipelineError> {
    let key = key(function, day);
    let kept = read(files, &key).await?;
    let known: HashSet<&str> = kept.iter().map(|record| record.record.as_str()).collect();
    let mut new = records
        .iter()
        .filter(|record| !known.contains(record.record.as_str()))
        .peekable();
    if new.peek().is_some() {
        let lines: Vec<String> = kept
            .iter()
            .chain(new)
            .map(|record| serde_json::json!(record).to_string() + "\n")
            .collect();
        files.write(&key, lines.concat().into()).await?;
    }
    Ok(())
}

/// The records kept under a key.
pub async fn read(files: &dyn Files, key: &str) -> Result<Vec<Quarantined>, PipelineError> {
    let Some(file) = files.read(key).await? else {
        return Ok(Vec::new());
    };
    serde_json::Deserializer::from_slice(&file.bytes)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| PipelineError::state(key, error))
}
