//! Bronze: the bytes of an answer as they came, compressed, whether or not they are understood. Kept for ever.

use std::io;

use bytes::Bytes;
use jiff::civil::Date;

use crate::outcome::PipelineError;
use crate::ports::Files;

const COMPRESSION_LEVEL: i32 = 3;

/// What one invocation received from one source, answer by answer.
pub(crate) struct Bronze<'a> {
    files: &'a dyn Files,
    source: &'static str,
    day: Date,
    invocation_id: &'a str,
    kept: u32,
}

/// What an answer holds; the key says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON document.
    Json,
    /// A CSV with its header.
    Csv,
}

impl<'a> Bronze<'a> {
    pub(crate) fn new(files: &'a dyn Files, source: &'static str, day: Date, invocation_id: &'a str) -> Self {
        Self {
            files,
            source,
            day,
            invocation_id,
            kept: 0,
        }
    }

    /// Keeps the next answer.
    pub(crate) async fn keep(&mut self, form: Form, bytes: &Bytes) -> Result<(), PipelineError> {
        self.kept += 1;
        let extension = match form {
            Form::Json => "jsonl",
            Form::Csv => "csv",
        };
        let Self {
            source,
            day,
            invocation_id,
            kept,
            ..
        } = self;
        let key = format!("bronze/{source}/{day}/{invocation_id}-{kept}.{extension}.zst");
        let compressed = compress(bytes).map_err(|error| PipelineError::state(&key, error))?;
        Ok(self.files.write(&key, compressed.into()).await?)
    }
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    zstd::encode_all(bytes, COMPRESSION_LEVEL)
}
