//! Purges: what is no longer in the table can no longer be found in its folder.
//!
//! Background: values that a rewrite took out of the table still lie in the files that it replaced, and bounds of them in
//! entries of the log. [`Lake::maintain`] keeps both for those who may still be at it. A purge does not wait, so it has to
//! make sure that nobody goes on with what it deletes. Choice: it commits a version of its own, with which no other commit
//! goes together, and deletes what lay there before. Whoever wrote files until then loses that commit and begins anew;
//! files that come later belong to commits that stand on the purge. Entries of the log that are young are emptied and not
//! deleted. Alternative: delete them. A writer whose request takes long could then be given a number again that was used,
//! before the checkpoint, where no reader looks: its rows would be lost. Consequence: readers that stand on an older
//! version find its files gone, and it can no longer be travelled to.

use std::collections::HashSet;

use deltalake::checkpoints::create_checkpoint;
use deltalake::kernel::{Action, MetadataExt};
use deltalake::logstore::object_store::ObjectStoreExt as _;
use deltalake::logstore::object_store::path::Path;
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTableError, ObjectMeta, ObjectStore, ObjectStoreError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use uptake_domain::tables::Table;
use uuid::Uuid;

use crate::commit::{ATTEMPTS, Outcome, Rule, commit, mark_in, marked, wait};
use crate::maintain::{delete, is_data};
use crate::store::Opened;
use crate::{Lake, LakeError, schema};

/// What an entry of the log says that was emptied, and the error of whoever reads it all the same.
pub(crate) const EMPTIED: &str = "emptied by a purge";
/// Nobody works longer than this on one commit, so older entries of the log can go as a whole.
const LONGEST_WRITE: SignedDuration = SignedDuration::from_hours(24);
/// So many entries are emptied at a time.
const AT_ONCE: usize = 16;

/// What a purge takes away.
struct Superseded {
    data: Vec<Path>,
    log: Vec<Entry>,
}

/// A file of the log that belongs to one version.
struct Entry {
    path: Path,
    version: u64,
    is_commit: bool,
    /// Milliseconds since 1970, by the store's clock.
    written: i64,
}

impl Lake {
    /// Leaves nothing in the table's folder but the present version: makes a checkpoint of it, deletes all other data
    /// files at once, and deletes or empties the entries of the log that the checkpoint makes unnecessary. After a
    /// [`Lake::rewrite`], the values that were there before are nowhere in the folder. How many files these were; 0 where
    /// nothing was to be done. Bounds are from then on told for the columns for which the code tells them.
    ///
    /// Writers at the same time lose nothing, but one that began before may leave a file of what it read, and a checkpoint
    /// likewise, until the next purge or, for a file, a week: where nothing may be left, purge when nobody writes. Whoever
    /// is reading may find it gone, which is [`LakeError::Unavailable`] and worth another try.
    ///
    /// In a bucket that keeps versions of objects the deleted ones are still there, which is not for the lake to know. In a
    /// folder of a file system, a writer that was killed may leave a file whose name ends with `#` and a number, which no
    /// listing of the lake shows.
    ///
    /// # Errors
    ///
    /// What the store answers. The table is whole in any case, and the same call may be repeated.
    pub async fn purge(&self, table: &'static Table) -> Result<u64, LakeError> {
        for attempt in 0..ATTEMPTS {
            let Some(opened) = self.open(table).await? else {
                return Ok(0);
            };
            // Before the commit: what is listed is either of the version that is open or of a commit that will be lost.
            let superseded = self.superseded(table, &opened).await?;
            let count = (superseded.data.len() + superseded.log.len()) as u64;
            if count == 0 || !self.writes {
                return Ok(count);
            }
            let sealed = seal(&opened, table).await;
            match sealed.map_err(|error| self.failed(table, &error))? {
                Outcome::Committed(version) => {
                    self.clear(table, version, superseded).await?;
                    return Ok(count);
                }
                Outcome::Lost => wait(attempt).await,
            }
        }
        Err(LakeError::Conflict {
            table: table.name,
            attempts: ATTEMPTS,
        })
    }

    /// The data files that are not part of the version that is open, and the entries of the log up to it that say
    /// something. Nothing, if that version itself is the only such entry: it is the first one or that of a purge.
    async fn superseded(&self, table: &'static Table, opened: &Opened) -> Result<Superseded, LakeError> {
        let files = self.files(table, opened).await?;
        let needed: HashSet<Path> = files.iter().map(|file| file.entry.object_store_path()).collect();
        let snapshot = opened.delta.snapshot().map_err(|error| self.failed(table, &error))?;
        let store = opened.delta.object_store();
        let listed: Vec<ObjectMeta> = store
            .list(None)
            .try_collect()
            .await
            .map_err(|error| self.store_failed(table, error))?;
        let (mut data, mut log) = (Vec::new(), Vec::new());
        for file in listed {
            if let Some(entry) = Entry::of(&file) {
                if entry.version <= snapshot.version() {
                    log.push(entry);
                }
            } else if is_data(&file.location) && !needed.contains(&file.location) {
                data.push(file.location);
            }
        }
        if data.is_empty() && log.iter().all(|entry| entry.version == snapshot.version()) {
            log.clear();
        }
        Ok(Superseded { data, log })
    }

    /// Takes away what the commit `version` superseded.
    async fn clear(&self, table: &'static Table, version: u64, superseded: Superseded) -> Result<(), LakeError> {
        let failed = |error| self.failed(table, &error);
        let store_failed = |error| self.store_failed(table, error);
        let Some(opened) = self.open(table).await? else {
            return Ok(());
        };
        create_checkpoint(&opened.delta, None).await.map_err(failed)?;
        let store = opened.delta.object_store();
        delete(store.as_ref(), superseded.data).await.map_err(store_failed)?;
        let sealed = store.head(&entry_path(version)).await.map_err(store_failed)?;
        let now = sealed.last_modified.timestamp_millis();
        let (young, old): (Vec<Entry>, Vec<Entry>) = superseded
            .log
            .into_iter()
            .partition(|entry| entry.is_commit && SignedDuration::from_millis(now - entry.written) < LONGEST_WRITE);
        let old = old.into_iter().map(|entry| entry.path).collect();
        delete(store.as_ref(), old).await.map_err(store_failed)?;
        empty(store.as_ref(), young).await.map_err(store_failed)
    }
}

impl Entry {
    /// `None` for other files, and for an entry that says nothing any more.
    fn of(file: &ObjectMeta) -> Option<Self> {
        let name = file.location.as_ref().strip_prefix("_delta_log/")?;
        let (version, kind) = name.split_once('.')?;
        let is_commit = kind == "json";
        // No entry that says something is as short.
        if version.len() != 20 || is_commit && file.size == emptied(None).len() as u64 {
            return None;
        }
        Some(Self {
            path: file.location.clone(),
            version: version.parse().ok()?,
            is_commit,
            written: file.last_modified.timestamp_millis(),
        })
    }
}

fn entry_path(version: u64) -> Path {
    Path::from(format!("_delta_log/{version:020}.json"))
}

/// Commits a version that changes nothing and with which no other commit goes together, appends included: they do not fit
/// in behind one that says what the table is.
async fn seal(opened: &Opened, table: &Table) -> Result<Outcome, DeltaTableError> {
    let mut metadata = opened.delta.snapshot()?.metadata().clone();
    let properties = schema::properties(table).map(|(property, value)| (property.as_ref().to_owned(), value));
    for (property, value) in properties.clone() {
        metadata = metadata.add_config_key(property, value)?;
    }
    let operation = DeltaOperation::SetTableProperties {
        properties: properties.into(),
    };
    commit(&opened.delta, vec![Action::Metadata(metadata)], operation, Rule::Alone).await
}

/// Leaves of entries of the log what their writers know them by.
async fn empty(store: &dyn ObjectStore, entries: Vec<Entry>) -> Result<(), ObjectStoreError> {
    let empty = |entry: Entry| async move {
        let content = match store.get(&entry.path).await {
            Ok(content) => content.bytes().await?,
            // Another purge was faster, or `maintain`.
            Err(ObjectStoreError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let emptied = emptied(mark_in(&content));
        store.put(&entry.path, emptied.into()).await.map(|_| ())
    };
    let emptied = stream::iter(entries).map(empty).buffer_unordered(AT_ONCE);
    emptied.try_collect().await
}

/// What is left of an entry with this mark; it is as long for every one. Its writer knows it by the mark. Whoever looks in
/// it for what the table is should fail, and not see a table without these rows, so no action is what it should be.
fn emptied(mark: Option<Uuid>) -> String {
    let mark = marked(mark.unwrap_or_default());
    let actions = ["protocol", "metaData", "add", "remove", "txn", "domainMetadata"];
    let actions = actions.map(|action| format!("\"{action}\":\"{EMPTIED}\""));
    format!("{{\"commitInfo\":{{{mark}}}}}\n{{{}}}\n", actions.join(","))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use deltalake::kernel::Transaction;
    use jiff::civil::{Date, date};
    use serde::{Deserialize, Serialize};
    use tempfile::TempDir;
    use uptake_domain::tables::{Column, Kind};

    use super::*;
    use crate::append::operation;
    use crate::{Filter, Stamp};

    static ROWS: Table = Table {
        name: "rows",
        key: &["day"],
        partitioned_by: &[],
        columns: &[Column {
            name: "day",
            kind: Kind::Date,
            meaning: "",
        }],
        description: "",
        written_by: &[],
    };

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Row {
        day: Date,
    }

    /// Whoever read the table before others wrote and a purge came begins anew: with a commit of either kind, and however
    /// long ago that was.
    #[tokio::test]
    async fn a_writer_that_stands_on_an_entry_that_is_gone_loses_its_commit() {
        let stamp = Stamp {
            collected_at: jiff::Timestamp::UNIX_EPOCH,
            invocation_id: String::new(),
        };
        for age in [0, 25] {
            let folder = TempDir::new().unwrap();
            let lake = Lake::in_folder(folder.path()).unwrap();
            let row = |day| Row {
                day: date(2026, 11, day),
            };
            lake.insert(&ROWS, [row(1)], &stamp).await.unwrap();
            let stale = lake.open(&ROWS).await.unwrap().unwrap();
            lake.insert(&ROWS, [row(2)], &stamp).await.unwrap();
            lake.insert(&ROWS, [row(3)], &stamp).await.unwrap();
            let log = folder.path().join("rows/_delta_log");
            for entry in std::fs::read_dir(&log).unwrap() {
                let file = std::fs::File::options()
                    .write(true)
                    .open(entry.unwrap().path())
                    .unwrap();
                let written = file.metadata().unwrap().modified().unwrap();
                file.set_modified(written - Duration::from_hours(age)).unwrap();
            }
            // The entries of four versions.
            let second = log.join("00000000000000000002.json");
            let mark = mark_in(&std::fs::read(&second).unwrap());
            assert!(mark.is_some());
            assert_eq!(lake.purge(&ROWS).await.unwrap(), 4);
            // Its writer, if it did not hear what became of it, still knows it.
            let left = std::fs::read(&second).ok();
            assert_eq!(left.and_then(|left| mark_in(&left)), mark.filter(|_| age == 0));

            for rule in [Rule::Alone, Rule::Adds(Transaction::new("x", 1))] {
                let lost = commit(&stale.delta, Vec::new(), operation(&ROWS), rule).await.unwrap();
                assert_eq!(lost, Outcome::Lost, "{age} hours");
            }
            let mut rows: Vec<Row> = lake.read(&ROWS, &[], &Filter::All).await.unwrap();
            rows.sort();
            assert_eq!(rows, [row(1), row(2), row(3)]);
        }
    }
}
