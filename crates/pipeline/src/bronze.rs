//! Bronze: the bytes of an answer as they came, compressed, whether or not they are understood. Kept for ever.

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
        let compressed = compressed(&key, bytes)?;
        Ok(self.files.write(&key, compressed).await?)
    }
}

/// An answer as it is kept under a key.
pub(crate) fn compressed(key: &str, bytes: &[u8]) -> Result<Bytes, PipelineError> {
    let compressed = zstd::encode_all(bytes, COMPRESSION_LEVEL);
    compressed
        .map(Bytes::from)
        .map_err(|error| PipelineError::state(key, error))
}

/// An answer as it came.
pub(crate) fn decompress(key: &str, kept: &[u8]) -> Result<Vec<u8>, PipelineError> {
    zstd::decode_all(kept).map_err(|error| PipelineError::state(key, error))
}
