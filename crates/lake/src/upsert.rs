//! Upserts: rows take the place of those with their key.

use std::collections::BTreeMap;

use deltalake::arrow::array::RecordBatch;
use deltalake::kernel::Action;
use deltalake::protocol::DeltaOperation;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use jiff::Timestamp;
use serde::Serialize;
use uptake_domain::tables::{Column, Table};

use crate::commit::{ATTEMPTS, Outcome, Rule, commit, wait};
use crate::files::writer;
use crate::merge::{MergeError, keys_differ, merge};
use crate::rows::{self, Partition};
use crate::store::Opened;
use crate::{Lake, LakeError};

/// The columns that rows bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Every column of the table.
    All,
    /// These, and those of the key and the partition among them; the others keep what is stored.
    Only(&'static [&'static str]),
    /// All but these, which keep what is stored.
    AllBut(&'static [&'static str]),
}

impl Columns {
    fn named(self) -> &'static [&'static str] {
        match self {
            Self::All => &[],
            Self::Only(names) | Self::AllBut(names) => names,
        }
    }

    fn include(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
            Self::AllBut(names) => !names.contains(&name),
        }
    }
}

/// Who changes rows, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The clock of the invocation.
    pub collected_at: Timestamp,
    /// The invocation.
    pub invocation_id: String,
}

/// What a write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that were there and are different now.
    pub updated: u64,
    /// Rows that were there as they are.
    pub unchanged: u64,
    /// The table's version that holds the change; `None` where nothing was written.
    pub version: Option<u64>,
}

impl Lake {
    /// Stores `rows` by the table's key, all or none of them: a row whose key is stored replaces the named `columns` of
    /// the stored one, another is added with null in columns that are not named. Rows that are equal to what is stored
    /// keep their stamp, the others get `stamp`; where all are equal, nothing is written.
    ///
    /// A key is looked for in the partition of its row only, and only the partitions of `rows` are read and rewritten.
    /// Columns that `columns` names but rows do not have count as null. Rows that are given away are dropped as soon as they
    /// are columns. Writers at the same time lose nothing of each
    /// other: whoever comes second begins anew on what the first one stored.
    ///
    /// # Errors
    ///
    /// [`LakeError::Contract`] where a column is not the table's, a row lacks its key or partition, or two rows have
    /// the same key; otherwise what the store answers. Whatever the error, none or all of the rows are stored, and
    /// the same call may be repeated.
    pub async fn upsert<R: Serialize>(
        &self,
        table: &'static Table,
        columns: Columns,
        rows: impl AsRef<[R]>,
        stamp: &Stamp,
    ) -> Result<Written, LakeError> {
        let partitions = parted(table, columns, rows)?;
        if partitions.is_empty() {
            return Ok(Written::default());
        }
        if !self.writes {
            return self.upsert_dry(table, &partitions, stamp).await;
        }
        for attempt in 0..ATTEMPTS {
            let opened = self.ready(table).await?;
            let mut writer = writer(&opened).map_err(|error| self.failed(table, &error))?;
            let (mut written, mut actions) = self
                .merge_partitions(table, &opened, &partitions, stamp, Some(&mut writer))
                .await?;
            if written.inserted + written.updated == 0 {
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

    async fn upsert_dry(
        &self,
        table: &'static Table,
        partitions: &BTreeMap<Partition, RecordBatch>,
        stamp: &Stamp,
    ) -> Result<Written, LakeError> {
        let Some(opened) = self.open(table).await? else {
            let inserted = partitions.values().map(|rows| rows.num_rows() as u64).sum();
            return Ok(Written {
                inserted,
                ..Written::default()
            });
        };
        let merged = self.merge_partitions(table, &opened, partitions, stamp, None).await?;
        Ok(merged.0)
    }

    /// Merges partition after partition, so that memory holds one, and gives what changed to `writer`. The actions take
    /// away the files whose rows the writer has now.
    async fn merge_partitions(
        &self,
        table: &'static Table,
        opened: &Opened,
        partitions: &BTreeMap<Partition, RecordBatch>,
        stamp: &Stamp,
        mut writer: Option<&mut RecordBatchWriter>,
    ) -> Result<(Written, Vec<Action>), LakeError> {
        let files = self.files(table, opened).await?;
        let store = opened.delta.object_store();
        let schema = &opened.stored.schema;
        let (mut written, mut actions) = (Written::default(), Vec::new());
        for (partition, new) in partitions {
            let mut old = Vec::new();
            let own: Vec<_> = files.iter().filter(|file| file.is_in(partition)).collect();
            for file in &own {
                old.push(self.read_file(table, store.as_ref(), file, schema).await?);
            }
            let merged = merge(old.into_iter().flatten(), new, schema, table.key, stamp);
            let merged = merged.map_err(|error| of_stored(table, &error))?;
            written.inserted += merged.inserted;
            written.updated += merged.updated;
            written.unchanged += merged.unchanged;
            if merged.inserted + merged.updated == 0 {
                continue;
            }
            actions.extend(own.iter().map(|file| Action::Remove(file.entry.remove_action(true))));
            if let Some(writer) = writer.as_mut() {
                for batch in merged.batches {
                    writer.write(batch).await.map_err(|error| self.failed(table, &error))?;
                }
            }
        }
        Ok((written, actions))
    }
}

pub(crate) fn of_stored(table: &Table, error: &MergeError) -> LakeError {
    match error {
        MergeError::StoredTwice => LakeError::Foreign {
            table: table.name,
            reason: error.to_string(),
        },
        MergeError::GivenTwice => LakeError::Contract {
            table: table.name,
            reason: error.to_string(),
        },
        MergeError::Arrow(_) => LakeError::of_arrow(table.name),
    }
}

/// What the log says the commit was. Without a predicate Delta counts the whole table as read.
pub(crate) fn operation(table: &Table) -> DeltaOperation {
    DeltaOperation::Merge {
        predicate: None,
        merge_predicate: Some(table.key.join(", ")),
        matched_predicates: Vec::new(),
        not_matched_predicates: Vec::new(),
        not_matched_by_source_predicates: Vec::new(),
    }
}

/// The rows as columns, by partition; no two of them have the same key.
pub(crate) fn parted<R: Serialize>(
    table: &'static Table,
    columns: Columns,
    rows: impl AsRef<[R]>,
) -> Result<BTreeMap<Partition, RecordBatch>, LakeError> {
    let contract = |reason: String| LakeError::Contract {
        table: table.name,
        reason,
    };
    let columns = given(table, columns).map_err(contract)?;
    if rows.as_ref().is_empty() {
        return Ok(BTreeMap::new());
    }
    let batch = rows::to_batch(table, &columns, rows.as_ref()).map_err(contract)?;
    drop(rows);
    keys_differ(&batch, table.key).map_err(|error| contract(error.to_string()))?;
    rows::by_partition(table, &batch).map_err(|error| contract(error.to_string()))
}

/// The columns that rows bring, in the table's order. Fails with what is wrong.
pub(crate) fn given(table: &'static Table, columns: Columns) -> Result<Vec<&'static Column>, String> {
    if table.key.is_empty() {
        return Err("it has no key, so rows can only be appended".to_owned());
    }
    let unknown = columns
        .named()
        .iter()
        .find(|name| table.columns.iter().all(|column| column.name != **name));
    if let Some(name) = unknown {
        return Err(format!("{name} is no column that rows bring"));
    }
    let mut needed = table.key.iter().chain(table.partitioned_by);
    if let Some(name) = needed.find(|name| !columns.include(name)) {
        return Err(format!("rows must bring column {name}, which identifies them"));
    }
    let is_given = |column: &&Column| columns.include(column.name);
    Ok(table.columns.iter().filter(is_given).collect())
}
