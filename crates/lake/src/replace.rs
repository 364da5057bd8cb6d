//! Replacements: rows become the only ones of their partitions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use deltalake::arrow::array::{BooleanArray, RecordBatch};
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::error::ArrowError;
use deltalake::kernel::Action;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use serde::Serialize;
use uptake_domain::tables::Table;

use crate::commit::{ATTEMPTS, Outcome, Rule, commit, wait};
use crate::files::writer;
use crate::merge::{Comparer, MergeError, keys_differ, merge};
use crate::rows::{self, Partition};
use crate::store::Opened;
use crate::upsert::{given, of_stored, operation};
use crate::{Columns, Filter, Lake, LakeError, Stamp, Written};

impl Lake {
    /// Makes `rows` the only rows of the partitions that `filter` names, all or none of them. Rows that are stored as
    /// they are keep their stamp, the others get `stamp`, and stored rows whose key is not among `rows` go. Where
    /// nothing differs, nothing is written. The count of updated rows includes those that go.
    ///
    /// # Errors
    ///
    /// Those of [`Lake::upsert`], and [`LakeError::Contract`] where a row lies in a partition that `filter` does not
    /// name, or `filter` names all or a column that the table is not partitioned by.
    pub async fn replace<R: Serialize>(
        &self,
        table: &'static Table,
        filter: &Filter,
        rows: impl AsRef<[R]>,
        stamp: &Stamp,
    ) -> Result<Written, LakeError> {
        let contract = |reason: String| LakeError::Contract {
            table: table.name,
            reason,
        };
        let columns = given(table, Columns::All).map_err(contract)?;
        if *filter == Filter::All {
            return Err(contract("a replacement names the partitions it is about".to_owned()));
        }
        filter.check(table)?;
        let batch = rows::to_batch(table, &columns, rows.as_ref()).map_err(contract)?;
        drop(rows);
        keys_differ(&batch, table.key).map_err(|error| contract(error.to_string()))?;
        let partitions = rows::by_partition(table, &batch).map_err(|error| contract(error.to_string()))?;
        if partitions
            .keys()
            .any(|partition| !filter.admits_partition(table, partition))
        {
            return Err(contract("a row lies outside of what is to be replaced".to_owned()));
        }
        let none = batch.slice(0, 0);
        drop(batch);
        for attempt in 0..ATTEMPTS {
            // Without rows there is nothing to make a table, or a column of it, for.
            let opened = if self.writes && !partitions.is_empty() {
                Some(self.ready(table).await?)
            } else {
                self.open(table).await?
            };
            let Some(opened) = opened else {
                let inserted = partitions.values().map(|rows| rows.num_rows() as u64).sum();
                return Ok(Written {
                    inserted,
                    ..Written::default()
                });
            };
            let mut writer = writer(&opened).map_err(|error| self.failed(table, &error))?;
            let (mut written, mut actions) = self
                .replace_partitions(table, &opened, filter, &partitions, &none, stamp, &mut writer)
                .await?;
            if actions.is_empty() && written.inserted == 0 || !self.writes {
                return Ok(written);
            }
            let added = writer.flush().await.map_err(|error| self.failed(table, &error))?;
            actions.extend(added.into_iter().map(Action::Add));
            let committed = commit(&opened.delta, actions, operation(table), Rule::Alone).await;
            match committed.map_err(|error| self.failed(table, &error))? {
                Outcome::Committed(version) => {
                    written.version = Some(version);
                    return Ok(written);
                }
                Outcome::Lost => wait(attempt).await,
            }
        }
        Err(LakeError::Conflict {
            table: table.name,
            attempts: ATTEMPTS,
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what one attempt stands on, which nothing else shares"
    )]
    async fn replace_partitions(
        &self,
        table: &'static Table,
        opened: &Opened,
        filter: &Filter,
        partitions: &BTreeMap<Partition, RecordBatch>,
        none: &RecordBatch,
        stamp: &Stamp,
        writer: &mut RecordBatchWriter,
    ) -> Result<(Written, Vec<Action>), LakeError> {
        let files = self.files(table, opened).await?;
        let store = opened.delta.object_store();
        let schema = &opened.stored.schema;
        let stored = files.iter().filter(|file| filter.admits(file));
        let stored = stored.filter_map(|file| file.partition.iter().cloned().collect::<Option<Partition>>());
        let all: BTreeSet<Partition> = stored.chain(partitions.keys().cloned()).collect();
        let (mut written, mut actions) = (Written::default(), Vec::new());
        for partition in all {
            let own: Vec<_> = files.iter().filter(|file| file.is_in(&partition)).collect();
            let mut old = Vec::new();
            for file in &own {
                old.push(self.read_file(table, store.as_ref(), file, schema).await?);
            }
            let new = partitions.get(&partition).unwrap_or(none);
            let kept = with_keys_of(old.into_iter().flatten(), new, table.key);
            let merged = kept.map_err(MergeError::from).and_then(|(kept, gone)| {
                let merged = merge(kept.into_iter().map(Ok), new, schema, table.key, stamp)?;
                Ok((merged, gone))
            });
            let (merged, gone) = merged.map_err(|error| of_stored(table, &error))?;
            written.inserted += merged.inserted;
            written.updated += merged.updated + gone;
            written.unchanged += merged.unchanged;
            if merged.inserted + merged.updated + gone == 0 {
                continue;
            }
            actions.extend(own.iter().map(|file| Action::Remove(file.entry.remove_action(true))));
            if self.writes {
                for batch in merged.batches.into_iter().filter(|batch| batch.num_rows() > 0) {
                    writer.write(batch).await.map_err(|error| self.failed(table, &error))?;
                }
            }
        }
        Ok((written, actions))
    }
}

/// The rows of `old` whose key is in `new`, and how many are left out.
fn with_keys_of(
    old: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    new: &RecordBatch,
    key: &[&str],
) -> Result<(Vec<RecordBatch>, u64), ArrowError> {
    let comparer = Comparer::new(new, key)?;
    let keys = comparer.rows(new)?;
    let keys: HashSet<_> = keys.iter().collect();
    let mut gone = 0;
    let mut kept = Vec::new();
    for batch in old {
        let batch = batch?;
        let own = comparer.rows(&batch)?;
        let stays: BooleanArray = own.iter().map(|row| Some(keys.contains(&row))).collect();
        gone += stays.false_count() as u64;
        kept.push(filter_record_batch(&batch, &stays)?);
    }
    Ok((kept, gone))
}
