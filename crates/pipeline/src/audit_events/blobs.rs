//! Which content has been read: the feed lists a day of it again and again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use uptake_domain::calendar::{Window, day_of};
use uptake_upstream::microsoft::activity::ContentBlob;

use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::zstd_json;

const PREFIX: &str = "state/audit-events/read/";
/// Content is listed for a week; days before need not be remembered.
const REMEMBERED_FOR_DAYS: i32 = 9;

/// Ids of content by the day on which it became available.
pub(super) struct ReadBlobs {
    days: BTreeMap<Date, Known>,
}

#[derive(Default)]
struct Known {
    ids: BTreeSet<String>,
    is_changed: bool,
}

fn key(day: Date) -> String {
    format!("{PREFIX}{day}.jsonl.zst")
}

impl ReadBlobs {
    /// What was read of content that became available in the window. Days that are long past are forgotten.
    pub(super) async fn load(files: &dyn Files, window: Window) -> Result<Self, PipelineError> {
        let forgotten = key(day_of(window.to).saturating_sub(REMEMBERED_FOR_DAYS.days()));
        for old in files.list(PREFIX).await?.into_iter().take_while(|old| *old < forgotten) {
            files.delete(&old).await?;
        }
        let mut days = BTreeMap::new();
        let last = day_of(window.to);
        for day in day_of(window.from).series(1.day()).take_while(|day| *day <= last) {
            let key = key(day);
            if let Some(file) = files.read(&key).await? {
                let ids = zstd_json::decode(&file.bytes).and_then(Iterator::collect);
                let ids = ids.map_err(|error| PipelineError::state(&key, error))?;
                days.insert(day, Known { ids, is_changed: false });
            }
        }
        Ok(Self { days })
    }

    pub(super) fn has(&self, blob: &ContentBlob) -> bool {
        let day = self.days.get(&day_of(blob.created_at));
        day.is_some_and(|known| known.ids.contains(&blob.id))
    }

    pub(super) fn note(&mut self, blob: &ContentBlob) {
        let day = self.days.entry(day_of(blob.created_at)).or_default();
        day.is_changed |= day.ids.insert(blob.id.clone());
    }

    /// Stores what came to be known since.
    pub(super) async fn save(&mut self, files: &dyn Files) -> Result<(), PipelineError> {
        for (day, known) in self.days.iter_mut().filter(|(_, known)| known.is_changed) {
            let key = key(*day);
            let bytes = zstd_json::encode(&known.ids).map_err(|error| PipelineError::state(&key, error))?;
            files.write(&key, bytes.into()).await?;
            known.is_changed = false;
        }
        Ok(())
    }
}
