//! Upkeep: small files become large ones, the log gets a summary, and what nobody needs goes.

use std::collections::{BTreeMap, HashSet};
use std::future::ready;

use deltalake::checkpoints::{cleanup_metadata, create_checkpoint};
use deltalake::kernel::Action;
use deltalake::logstore::object_store::ObjectStoreExt as _;
use deltalake::logstore::object_store::path::Path;
use deltalake::protocol::DeltaOperation;
use deltalake::writer::DeltaWriter;
use deltalake::{DeltaTable, ObjectStore, ObjectStoreError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uptake_domain::tables::Table;

use crate::commit::{ATTEMPTS, Outcome, Rule, commit, wait};
use crate::files::{DataFile, writer};
use crate::store::Opened;
use crate::{Lake, LakeError};

/// A partition with more small files than this is compacted.
const SMALL_FILES: usize = 8;
/// A file below this is small. A day of 50,000 people has about 1 MiB.
const SMALL: u64 = 8 << 20;
/// So much goes into one file, at most, as all of it is in memory for a moment.
const TARGET: u64 = 12 << 20;
/// A checkpoint is due when so many versions came since the last one. Reading a table means reading every log entry
/// since then.
const CHECKPOINT_EVERY: u64 = 20;
/// A file stays so long after it was replaced, for readers of an older version, and so long after it was written, for
/// writers that have not committed it yet.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What maintenance did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Maintenance {
    /// Small files that were put together.
    pub compacted: u64,
    /// Files that hold their rows now.
    pub into: u64,
    /// The version that a checkpoint was written for.
    pub checkpoint: Option<u64>,
    /// Files that no reader needs any more and that are gone.
    pub vacuumed: u64,
}

/// Delta's note of the last checkpoint.
#[derive(Deserialize)]
struct LastCheckpoint {
    version: u64,
}

impl Lake {
    /// Puts the small files of a partition together where there are many, writes a checkpoint where one is due, removes
    /// log entries older than 30 days that a checkpoint covers, and removes files that have not been part of the table
    /// for 7 days by the clock `now`. No row changes, and a reader or writer at the same time may go on.
    ///
    /// # Errors
    ///
    /// What the store answers; the table is whole in any case.
    pub async fn maintain(&self, table: &'static Table, now: Timestamp) -> Result<Maintenance, LakeError> {
        let mut done = Maintenance::default();
        let Some(opened) = self.open(table).await? else {
            return Ok(done);
        };
        let files = self.files(table, &opened).await?;
        let partitions: Vec<_> = small_files(&files).into_keys().map(<[_]>::to_vec).collect();
        for partition in partitions {
            let (compacted, into) = self.compact(table, &partition).await?;
            done.compacted += compacted;
            done.into += into;
        }
        // After the compaction, so that the checkpoint covers it.
        let Some(opened) = self.open(table).await? else {
            return Ok(done);
        };
        done.checkpoint = self.checkpoint(table, &opened.delta).await?;
        done.vacuumed = self.vacuum(table, &opened, now).await?;
        Ok(done)
    }

    /// Puts the small files of one partition together; how many there were, and how many there are now.
    async fn compact(&self, table: &'static Table, partition: &[Option<String>]) -> Result<(u64, u64), LakeError> {
        for attempt in 0..ATTEMPTS {
            let Some(opened) = self.open(table).await? else {
                return Ok((0, 0));
            };
            let files = self.files(table, &opened).await?;
            let Some(small) = small_files(&files).remove(partition) else {
                return Ok((0, 0));
            };
            let compacted = small.len() as u64;
            if !self.writes {
                return Ok((compacted, 1));
            }
            let (actions, into) = self.put_together(table, &opened, &small).await?;
            let operation = DeltaOperation::Optimize {
                predicate: None,
                target_size: i64::try_from(TARGET).unwrap_or(i64::MAX),
            };
            let committed = commit(&opened.delta, actions, operation, Rule::Alone).await;
            match committed.map_err(|error| self.failed(table, &error))? {
                Outcome::Committed(_) => return Ok((compacted, into)),
                Outcome::Lost => wait(attempt).await,
            }
        }
        Err(LakeError::Conflict {
            table: table.name,
            attempts: ATTEMPTS,
        })
    }

    async fn put_together(
        &self,
        table: &'static Table,
        opened: &Opened,
        small: &[&DataFile],
    ) -> Result<(Vec<Action>, u64), LakeError> {
        let failed = |error| self.failed(table, &error);
        let store = opened.delta.object_store();
        // A file has the columns of the stored table, which may lack some that the code knows.
        let mut writer = writer(opened).map_err(failed)?;
        let schema = writer.arrow_schema();
        for file in small {
            for batch in self.read_file(table, store.as_ref(), file, &schema).await? {
                let batch = batch.map_err(|_| LakeError::of_arrow(table.name))?;
                writer.write(batch).await.map_err(failed)?;
            }
        }
        let mut added = writer.flush().await.map_err(failed)?;
        for file in &mut added {
            // The rows are the same; only where they lie changes.
            file.data_change = false;
        }
        let into = added.len() as u64;
        let removed = small.iter().map(|file| Action::Remove(file.entry.remove_action(false)));
        Ok((removed.chain(added.into_iter().map(Action::Add)).collect(), into))
    }

    async fn checkpoint(&self, table: &'static Table, delta: &DeltaTable) -> Result<Option<u64>, LakeError> {
        let failed = |error| self.failed(table, &error);
        let version = delta.snapshot().map_err(failed)?.version();
        let note = Path::from("_delta_log/_last_checkpoint");
        let note = async { delta.object_store().get(&note).await?.bytes().await }.await;
        let last = match note {
            // A note that cannot be read is as good as none, for Delta too.
            Ok(bytes) => serde_json::from_slice(&bytes).map_or(0, |last: LastCheckpoint| last.version),
            Err(ObjectStoreError::NotFound { .. }) => 0,
            Err(error) => return Err(self.store_failed(table, error)),
        };
        if version.saturating_sub(last) < CHECKPOINT_EVERY {
            return Ok(None);
        }
        if self.writes {
            create_checkpoint(delta, None).await.map_err(failed)?;
            cleanup_metadata(delta, None).await.map_err(failed)?;
        }
        Ok(Some(version))
    }

    /// Deletes data files that belong to no version of the last week: those that were replaced before, and those of
    /// commits that never were. How many there were.
    ///
    /// Delta's own vacuum adds two versions each time and deletes what is long gone again and again until a checkpoint
    /// forgets it.
    async fn vacuum(&self, table: &'static Table, opened: &Opened, now: Timestamp) -> Result<u64, LakeError> {
        let limit = (now - KEPT).as_millisecond();
        let files = self.files(table, opened).await?;
        let mut needed: HashSet<Path> = files.iter().map(|file| file.entry.object_store_path()).collect();
        let snapshot = opened.delta.snapshot().map_err(|error| self.failed(table, &error))?;
        let log = opened.delta.log_store();
        let removed: Vec<_> = snapshot
            .all_tombstones(log.as_ref())
            .try_collect()
            .await
            .map_err(|error| self.failed(table, &error))?;
        for file in removed {
            if file.deletion_timestamp().is_none_or(|removed| removed >= limit) {
                let path = file.path();
                needed.insert(Path::parse(&path).unwrap_or_else(|_| Path::from(path.as_ref())));
            }
        }
        let store = opened.delta.object_store();
        let stale: Vec<Path> = store
            .list(None)
            .try_filter_map(|file| {
                let old = file.last_modified.timestamp_millis() < limit;
                let stale = old && is_data(&file.location) && !needed.contains(&file.location);
                ready(Ok(stale.then_some(file.location)))
            })
            .try_collect()
            .await
            .map_err(|error| self.store_failed(table, error))?;
        let count = stale.len() as u64;
        if self.writes {
            let deleted = delete(store.as_ref(), stale).await;
            deleted.map_err(|error| self.store_failed(table, error))?;
        }
        Ok(count)
    }
}

/// Deletes files. One that is gone already is as good.
pub(crate) async fn delete(store: &dyn ObjectStore, files: Vec<Path>) -> Result<(), ObjectStoreError> {
    let files = stream::iter(files).map(Ok).boxed();
    let deleted = store.delete_stream(files).map(|deleted| match deleted {
        Ok(_) | Err(ObjectStoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    });
    deleted.try_collect().await
}

/// Whether it is a file that this crate may have written, and not one of the log.
pub(crate) fn is_data(path: &Path) -> bool {
    path.extension() == Some("parquet") && path.parts().next().is_some_and(|part| part.as_ref() != "_delta_log")
}

/// The partitions that have many small files, with as many of those as make one large file.
fn small_files(files: &[DataFile]) -> BTreeMap<&[Option<String>], Vec<&DataFile>> {
    let mut partitions: BTreeMap<&[Option<String>], Vec<&DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.bytes() < SMALL) {
        partitions.entry(&file.partition).or_default().push(file);
    }
    partitions.retain(|_, files| files.len() > SMALL_FILES);
    for files in partitions.values_mut() {
        let mut bytes = 0;
        files.retain(|file| {
            bytes += file.bytes();
            bytes <= TARGET
        });
    }
    partitions
}
