//! What functions remember: small JSON objects under keys, some of them one a day.

use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::outcome::PipelineError;
use crate::ports::Files;

/// The object under a key, if there is one.
pub(crate) async fn read<T: DeserializeOwned>(files: &dyn Files, key: &str) -> Result<Option<T>, PipelineError> {
    let Some(file) = files.read(key).await? else {
        return Ok(None);
    };
    decode(key, &file.bytes).map(Some)
}

/// The object that was read under a key.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, PipelineError> {
    serde_json::from_slice(bytes).map_err(|error| PipelineError::state(key, error))
}

/// Stores or replaces it.
pub(crate) async fn write<T: Serialize + Sync>(files: &dyn Files, key: &str, value: &T) -> Result<(), PipelineError> {
    Ok(files.write(key, serde_json::json!(value).to_string().into()).await?)
}

/// Objects that there are one a day of, under a prefix.
pub(crate) struct Daily(pub(crate) &'static str);

impl Daily {
    fn key(&self, day: Date) -> String {
        format!("{}{day}.json", self.0)
    }

    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        files: &dyn Files,
        day: Date,
    ) -> Result<Option<T>, PipelineError> {
        read(files, &self.key(day)).await
    }

    pub(crate) async fn write<T: Serialize + Sync>(
        &self,
        files: &dyn Files,
        day: Date,
        value: &T,
    ) -> Result<(), PipelineError> {
        write(files, &self.key(day), value).await
    }

    /// The days there are objects of, in order.
    pub(crate) async fn days(&self, files: &dyn Files) -> Result<Vec<Date>, PipelineError> {
        let day_of = |key: &String| key.strip_prefix(self.0)?.strip_suffix(".json")?.parse().ok();
        Ok(files.list(self.0).await?.iter().filter_map(day_of).collect())
    }
}
