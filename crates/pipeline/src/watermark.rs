//! Watermarks: how far a function has come. They move forward only, and only after what they cover is stored.
//!
//! Background: two invocations may overlap, and one may be late. Choice: a small object that is replaced only if it is
//! still the one that was read; who loses reads again and finds that there is nothing left to advance. Alternative: a
//! database with transactions, for one date a function. Consequence: the store needs conditional puts, which S3 has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outcome::PipelineError;
use crate::ports::{Expected, File, Files, Written};

#[derive(Serialize, Deserialize)]
struct Record {
    watermark: Timestamp,
}

fn key(function: &str) -> String {
    format!("state/watermarks/{function}.json")
}

/// The end of the newest finished window, if any is finished.
pub async fn read(files: &dyn Files, function: &str) -> Result<Option<Timestamp>, PipelineError> {
    let file = files.read(&key(function)).await?;
    file.as_ref().map(|file| decode(function, file)).transpose()
}

/// Moves the watermark to `to` unless it is there or beyond; returns where it stands.
pub async fn advance(files: &dyn Files, function: &str, to: Timestamp) -> Result<Timestamp, PipelineError> {
    loop {
        let file = files.read(&key(function)).await?;
        let expected = match &file {
            None => Expected::Absent,
            Some(file) => {
                let stands = decode(function, file)?;
                if stands >= to {
                    return Ok(stands);
                }
                Expected::Unchanged(file.version.clone())
            }
        };
        let record = serde_json::json!(Record { watermark: to }).to_string();
        match files.write_if(&key(function), record.into(), expected).await? {
            Written::Stored => return Ok(to),
            Written::Conflict => {}
        }
    }
}

fn decode(function: &str, file: &File) -> Result<Timestamp, PipelineError> {
    serde_json::from_slice::<Record>(&file.bytes)
        .map(|record| record.watermark)
        .map_err(|error| PipelineError::state(&key(function), error))
}
