//! Inserts: rows that never change are added once, by key.

use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::Action;
use deltalake::writer::DeltaWriter;
use serde::Serialize;
use uptake_domain::tables::Table;

use crate::append::operation;
use crate::commit::{ATTEMPTS, Outcome, Rule, commit, wait};
use crate::files::{DataFile, writer};
use crate::merge::{Comparer, MergeError, insert, places};
use crate::rows::Partition;
use crate::store::Opened;
use crate::upsert::{of_stored, parted};
use crate::{Columns, Lake, LakeError, Stamp, Written, schema};

impl Lake {
    /// Adds those of `rows` whose key is not stored yet, all or none of them. Stored rows stay as they are, also where
    /// the row that was given is different, and so do their files: this is for what happened, which never changes. Rows
    /// that are stored count as unchanged; where all are, nothing is written.
    ///
    /// A key is looked for in the partition of its row only. Of these partitions the columns of the key are read, file by
    /// file, so that memory holds `rows` and little more, however much is stored. Writers at the same time store no row
    /// twice: whoever comes second looks again.
    ///
    /// # Errors
    ///
    /// Those of [`Lake::upsert`].
    pub async fn insert<R: Serialize>(
        &self,
        table: &'static Table,
        rows: impl AsRef<[R]>,
        stamp: &Stamp,
    ) -> Result<Written, LakeError> {
        let partitions = parted(table, Columns::All, rows)?;
        if partitions.is_empty() {
            return Ok(Written::default());
        }
        for attempt in 0..ATTEMPTS {
            let opened = if self.writes {
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
            let files = self.files(table, &opened).await?;
            let mut writer = writer(&opened).map_err(|error| self.failed(table, &error))?;
            let mut written = Written::default();
            for (partition, new) in &partitions {
                let places = self.not_stored(table, &opened, &files, partition, new).await?;
                written.inserted += places.len() as u64;
                written.unchanged += (new.num_rows() - places.len()) as u64;
                if self.writes && !places.is_empty() {
                    let batch = insert(new, places, &opened.stored.schema, stamp);
                    let batch = batch.map_err(|_| LakeError::of_arrow(table.name))?;
                    writer.write(batch).await.map_err(|error| self.failed(table, &error))?;
                }
            }
            if written.inserted == 0 || !self.writes {
                return Ok(written);
            }
            let added = writer.flush().await.map_err(|error| self.failed(table, &error))?;
            let actions = added.into_iter().map(Action::Add).collect();
            // Alone, although it only adds: what came in between may be the same rows.
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

    /// Which rows of `new` have a key that no file of their partition has.
    ///
    /// The new keys are held and the stored ones pass by: of these there are 25 times as many on a full day.
    async fn not_stored(
        &self,
        table: &'static Table,
        opened: &Opened,
        files: &[DataFile],
        partition: &Partition,
        new: &RecordBatch,
    ) -> Result<Vec<u64>, LakeError> {
        let failed = |error: &MergeError| of_stored(table, error);
        let by_key = Comparer::new(new, table.key).map_err(|error| failed(&error.into()))?;
        let keys = by_key.rows(new).map_err(|error| failed(&error.into()))?;
        let places = places(&keys).map_err(|error| failed(&error))?;
        let schema = key_schema(table);
        let store = opened.delta.object_store();
        let mut stored = vec![false; new.num_rows()];
        for file in files.iter().filter(|file| file.is_in(partition)) {
            let mark = |batch: RecordBatch| {
                let keys = by_key.rows(&batch).map_err(|error| failed(&error.into()))?;
                for place in keys.iter().filter_map(|key| places.get(&key)) {
                    if std::mem::replace(&mut stored[*place], true) {
                        return Err(failed(&MergeError::StoredTwice));
                    }
                }
                Ok(())
            };
            self.read_columns(table, store.as_ref(), file, &schema, mark).await?;
        }
        let places = stored.iter().zip(0..);
        Ok(places
            .filter_map(|(stored, place)| (!stored).then_some(place))
            .collect())
    }
}

fn key_schema(table: &Table) -> SchemaRef {
    let columns = table.columns.iter().filter(|column| table.key.contains(&column.name));
    Arc::new(Schema::new(columns.map(schema::field).collect::<Vec<_>>()))
}
