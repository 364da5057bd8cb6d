//! Rewrites: some columns of every row get other values, or the row goes.

use deltalake::arrow::array::{BooleanArray, RecordBatch};
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::FieldRef;
use deltalake::arrow::error::ArrowError;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::DeltaOperation;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uptake_domain::tables::{Column, Table};

use crate::commit::{ATTEMPTS, Outcome, Rule, commit, wait};
use crate::files::{DataFile, writer};
use crate::merge::Comparer;
use crate::rows::{self, conform};
use crate::store::Opened;
use crate::{Filter, Lake, LakeError};

/// What a rewrite did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// Rows that are different now.
    pub changed: u64,
    /// Rows that are gone.
    pub removed: u64,
    /// Rows that are as they were.
    pub kept: u64,
    /// The table's version that holds the change; `None` where nothing was written.
    pub version: Option<u64>,
}

impl Lake {
    /// Gives the named columns of the rows of the partitions that `filter` names to `change`, about a thousand rows at a
    /// time, and puts its answers in their place: `Some` are the new values of these columns, `None` removes the row.
    /// There is one answer for each row, in their order. All other columns stay as they are, the stamp and those that the
    /// code does not know included, and so do files in which nothing is different. For new keys of encrypted columns, and
    /// for erasing people; see [`Lake::purge`] for what was there before.
    ///
    /// All changes are one commit on exactly the version that was read, and memory holds a file of them at a time. If
    /// another writer comes first it begins anew, so `change` may see a row more than once and must not count. Where
    /// nothing is different, nothing is written: with a `change` that leaves its own answers as they are, the same call
    /// may be repeated.
    ///
    /// Columns of the key may be among `columns`. That no two rows of a partition have the same key afterwards is the
    /// caller's promise; the lake does not look.
    ///
    /// # Errors
    ///
    /// What `change` fails with, as it is: `E` is the caller's type, in which an error of the lake has a place, too. From
    /// the lake: [`LakeError::Contract`] where there are no `columns`, one is not the table's own or a partition column,
    /// the filter's is not one it is partitioned by, `R` cannot hold what the columns do, answers are more or less than
    /// the rows, or one lacks its key; otherwise what the store answers. Whatever the error, all or nothing is changed.
    pub async fn rewrite<R, E>(
        &self,
        table: &'static Table,
        columns: &[&str],
        filter: &Filter,
        mut change: impl FnMut(Vec<R>) -> Result<Vec<Option<R>>, E>,
    ) -> Result<Rewritten, E>
    where
        R: Serialize + DeserializeOwned,
        E: From<LakeError>,
    {
        let columns = changeable(table, columns)?;
        filter.check(table)?;
        for attempt in 0..ATTEMPTS {
            let Some(mut opened) = self.open(table).await? else {
                return Ok(Rewritten::default());
            };
            let missing = &opened.stored.missing;
            let lacks = |column: &&Column| missing.iter().any(|field| field.name() == column.name);
            if self.writes && columns.iter().any(lacks) {
                opened = self.ready(table).await?;
            }
            let (mut rewritten, actions) = self
                .rewrite_files(table, &opened, &columns, filter, &mut change)
                .await?;
            if actions.is_empty() || !self.writes {
                return Ok(rewritten);
            }
            let operation = DeltaOperation::Update { predicate: None };
            let committed = commit(&opened.delta, actions, operation, Rule::Alone).await;
            match committed.map_err(|error| self.failed(table, &error))? {
                Outcome::Committed(version) => {
                    rewritten.version = Some(version);
                    return Ok(rewritten);
                }
                Outcome::Lost => wait(attempt).await,
            }
        }
        Err(E::from(LakeError::Conflict {
            table: table.name,
            attempts: ATTEMPTS,
        }))
    }

    /// Rewrites file after file, so that memory holds one. The actions put the new ones in place of the old ones.
    async fn rewrite_files<R, E>(
        &self,
        table: &'static Table,
        opened: &Opened,
        columns: &[&'static Column],
        filter: &Filter,
        change: &mut impl FnMut(Vec<R>) -> Result<Vec<Option<R>>, E>,
    ) -> Result<(Rewritten, Vec<Action>), E>
    where
        R: Serialize + DeserializeOwned,
        E: From<LakeError>,
    {
        let files = self.files(table, opened).await?;
        let mut writer = writer(opened).map_err(|error| self.failed(table, &error))?;
        let (mut rewritten, mut actions) = (Rewritten::default(), Vec::new());
        for file in files.iter().filter(|file| filter.admits(file)) {
            let added = self
                .rewrite_file(table, opened, file, columns, change, &mut rewritten, &mut writer)
                .await?;
            if let Some(added) = added {
                actions.push(Action::Remove(file.entry.remove_action(true)));
                actions.extend(added.into_iter().map(Action::Add));
            }
        }
        Ok((rewritten, actions))
    }

    /// What is in place of a file; `None` where nothing in it is different.
    #[expect(
        clippy::too_many_arguments,
        reason = "what one file stands on, which nothing else shares"
    )]
    async fn rewrite_file<R, E>(
        &self,
        table: &'static Table,
        opened: &Opened,
        file: &DataFile,
        columns: &[&'static Column],
        change: &mut impl FnMut(Vec<R>) -> Result<Vec<Option<R>>, E>,
        rewritten: &mut Rewritten,
        writer: &mut RecordBatchWriter,
    ) -> Result<Option<Vec<Add>>, E>
    where
        R: Serialize + DeserializeOwned,
        E: From<LakeError>,
    {
        let store = opened.delta.object_store();
        let schema = &opened.stored.schema;
        let mut differs = false;
        // Batches before the first that is different. They are not kept, as most often they are all of the file.
        let mut before = 0;
        for batch in self.read_file(table, store.as_ref(), file, schema).await? {
            let batch = batch.map_err(|_| LakeError::of_arrow(table.name))?;
            let changed = changed(table, columns, &batch, change, rewritten)?;
            if !differs && changed.is_none() {
                before += 1;
                continue;
            }
            if !differs && before > 0 {
                let again = self.read_file(table, store.as_ref(), file, schema).await?;
                for batch in again.take(before) {
                    let batch = batch.map_err(|_| LakeError::of_arrow(table.name))?;
                    self.rewrite_rows(table, &batch, writer).await?;
                }
            }
            differs = true;
            self.rewrite_rows(table, changed.as_ref().unwrap_or(&batch), writer)
                .await?;
        }
        if !differs {
            return Ok(None);
        }
        let added = writer.flush().await.map_err(|error| self.failed(table, &error))?;
        Ok(Some(added))
    }

    async fn rewrite_rows(
        &self,
        table: &'static Table,
        batch: &RecordBatch,
        writer: &mut RecordBatchWriter,
    ) -> Result<(), LakeError> {
        if !self.writes || batch.num_rows() == 0 {
            return Ok(());
        }
        // A file has the columns of the stored table, which may lack some that the code knows.
        let batch = conform(batch, &[], &writer.arrow_schema()).map_err(|_| LakeError::of_arrow(table.name))?;
        writer.write(batch).await.map_err(|error| self.failed(table, &error))
    }
}

/// The columns that a rewrite may be about.
fn changeable(table: &'static Table, names: &[&str]) -> Result<Vec<&'static Column>, LakeError> {
    let contract = |reason: String| LakeError::Contract {
        table: table.name,
        reason,
    };
    if names.is_empty() {
        return Err(contract("a rewrite names the columns it is about".to_owned()));
    }
    let find = |name: &&str| {
        if table.partitioned_by.contains(name) {
            return Err(contract(format!(
                "{name} says where a row lies and cannot be rewritten"
            )));
        }
        let found = table.columns.iter().find(|column| column.name == *name);
        found.ok_or_else(|| contract(format!("{name} is no column that rows bring")))
    };
    names.iter().map(find).collect()
}

/// The rows that are in place of those of `batch`; `None` where they are the same.
fn changed<R, E>(
    table: &'static Table,
    columns: &[&'static Column],
    batch: &RecordBatch,
    change: &mut impl FnMut(Vec<R>) -> Result<Vec<Option<R>>, E>,
    rewritten: &mut Rewritten,
) -> Result<Option<RecordBatch>, E>
where
    R: Serialize + DeserializeOwned,
    E: From<LakeError>,
{
    let contract = |reason: String| LakeError::Contract {
        table: table.name,
        reason,
    };
    let of_arrow = |_: ArrowError| LakeError::of_arrow(table.name);
    let places = columns.iter().map(|column| batch.schema_ref().index_of(column.name));
    let places: Vec<usize> = places.collect::<Result<_, _>>().map_err(of_arrow)?;
    let given = batch.project(&places).map_err(of_arrow)?;
    let answers = change(rows::from_batch(columns, &given).map_err(contract)?)?;
    if answers.len() != batch.num_rows() {
        let reason = format!("there are {} answers for {} rows", answers.len(), batch.num_rows());
        return Err(E::from(contract(reason)));
    }
    let stays: BooleanArray = answers.iter().map(|answer| Some(answer.is_some())).collect();
    let rows: Vec<R> = answers.into_iter().flatten().collect();
    let new = rows::to_batch(table, columns, &rows).map_err(contract)?;
    let old = filter_record_batch(batch, &stays).map_err(of_arrow)?;
    let different = differences(columns, &old, &new).map_err(of_arrow)?;
    let removed = stays.false_count() as u64;
    rewritten.changed += different;
    rewritten.removed += removed;
    rewritten.kept += new.num_rows() as u64 - different;
    if different + removed == 0 {
        return Ok(None);
    }
    let column = |(field, old)| {
        let field: &FieldRef = field;
        new.column_by_name(field.name()).unwrap_or(old).clone()
    };
    let all = old.schema_ref().fields().iter().zip(old.columns()).map(column);
    let rows = RecordBatch::try_new(old.schema(), all.collect()).map_err(of_arrow)?;
    Ok(Some(rows))
}

/// In how many rows `columns` differ.
fn differences(columns: &[&Column], old: &RecordBatch, new: &RecordBatch) -> Result<u64, ArrowError> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let by_value = Comparer::new(new, &names)?;
    let (old, new) = (by_value.rows(old)?, by_value.rows(new)?);
    Ok(old.iter().zip(new.iter()).filter(|(old, new)| old != new).count() as u64)
}
