//! Appends: rows are added, once for each transaction.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, RecordBatch};
use deltalake::arrow::datatypes::{FieldRef, Schema};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::writer::DeltaWriter;
use serde::Serialize;
use uptake_domain::tables::{Column, Table};

use crate::commit::{ATTEMPTS, Outcome, Rule, commit, wait};
use crate::files::writer;
use crate::merge::stamp_column;
use crate::rows::{self, conform, repeat};
use crate::store::Opened;
use crate::{Lake, LakeError, Stamp, Written, schema};

/// A transaction is done or it is not; the number that Delta keeps with it tells nothing more.
const DONE: i64 = 1;

impl Lake {
    /// Adds `rows` to a table without a key, all or none of them, and once: a `transaction` that was stored within the
    /// last 30 days writes nothing again and counts its rows as unchanged. An append without rows is not remembered.
    ///
    /// # Errors
    ///
    /// [`LakeError::Contract`] where the table has a key, or a row lacks its partition; otherwise what the store
    /// answers. Whatever the error, the same call may be repeated.
    pub async fn append<R: Serialize>(
        &self,
        table: &'static Table,
        rows: &[R],
        transaction: &str,
        stamp: &Stamp,
    ) -> Result<Written, LakeError> {
        let contract = |reason: String| LakeError::Contract {
            table: table.name,
            reason,
        };
        if !table.key.is_empty() {
            return Err(contract("it has a key, so rows can only be upserted".to_owned()));
        }
        if rows.is_empty() {
            return Ok(Written::default());
        }
        let columns: Vec<&Column> = table.columns.iter().collect();
        let batch = rows::to_batch(table, &columns, rows).map_err(contract)?;
        // Only for the check of the values: the writer parts them by itself.
        rows::by_partition(table, &batch).map_err(|error| contract(error.to_string()))?;
        let batch = stamped(&batch, table, stamp).map_err(|_| LakeError::of_arrow(table.name))?;

        let all = batch.num_rows() as u64;
        let (fresh, repeated) = (
            Written {
                inserted: all,
                ..Written::default()
            },
            Written {
                unchanged: all,
                ..Written::default()
            },
        );
        if !self.writes {
            let done = match self.open(table).await? {
                Some(opened) => self.is_done(table, &opened, transaction).await?,
                None => false,
            };
            return Ok(if done { repeated } else { fresh });
        }
        for attempt in 0..ATTEMPTS {
            let opened = self.ready(table).await?;
            if self.is_done(table, &opened, transaction).await? {
                return Ok(repeated);
            }
            let files = self.new_files(table, &opened, &batch).await?;
            // Delta compares the time with the machine's clock to forget old transactions, so it must not be the
            // stamp's, which may be another clock's.
            let now = files.iter().map(|file| file.modification_time).max();
            let rule = Rule::Adds(Transaction::new_with_last_update(transaction, DONE, now));
            let actions = files.into_iter().map(Action::Add).collect();
            let committed = commit(&opened.delta, actions, operation(table), rule).await;
            match committed.map_err(|error| self.failed(table, &error))? {
                Outcome::Committed(version) => {
                    return Ok(Written {
                        version: Some(version),
                        ..fresh
                    });
                }
                // The next attempt writes files of its own: what came first may be a purge, and these are gone.
                Outcome::Lost => wait(attempt).await,
            }
        }
        Err(LakeError::Conflict {
            table: table.name,
            attempts: ATTEMPTS,
        })
    }

    async fn is_done(&self, table: &'static Table, opened: &Opened, transaction: &str) -> Result<bool, LakeError> {
        let log = opened.delta.log_store();
        let snapshot = opened.delta.snapshot().map_err(|error| self.failed(table, &error))?;
        let version = snapshot.transaction_version(log.as_ref(), transaction).await;
        let version = version.map_err(|error| self.failed(table, &error))?;
        Ok(version.is_some())
    }

    async fn new_files(
        &self,
        table: &'static Table,
        opened: &Opened,
        batch: &RecordBatch,
    ) -> Result<Vec<Add>, LakeError> {
        let batch = conform(batch, &[], &opened.stored.schema).map_err(|_| LakeError::of_arrow(table.name))?;
        let written = async {
            let mut writer = writer(opened)?;
            writer.write(batch).await?;
            writer.flush().await
        };
        written.await.map_err(|error| self.failed(table, &error))
    }
}

/// The rows with the columns that every table has.
fn stamped(
    batch: &RecordBatch,
    table: &Table,
    stamp: &Stamp,
) -> Result<RecordBatch, deltalake::arrow::error::ArrowError> {
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in table.all_columns() {
        let values = match stamp_column(column.name, stamp) {
            Some(value) => Some(repeat(&value, batch.num_rows())?),
            None => batch.column_by_name(column.name).cloned(),
        };
        if let Some(values) = values {
            fields.push(schema::field(column));
            columns.push(values);
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// What the log says the commit was.
pub(crate) fn operation(table: &Table) -> DeltaOperation {
    let columns: Vec<String> = table.partitioned_by.iter().map(|name| (*name).to_owned()).collect();
    DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: (!columns.is_empty()).then_some(columns),
        predicate: None,
    }
}
