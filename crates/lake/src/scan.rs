//! Reading: rows out of files, and what the log alone can tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::datatypes::{Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uptake_domain::tables::{Column, Kind, Table};

use crate::files::DataFile;
use crate::rows::Partition;
use crate::store::Opened;
use crate::{Lake, LakeError, rows, schema};

/// How many files are fetched at a time: the one whose rows are wanted, and the next, to hide the store's delay.
const AHEAD: usize = 2;

/// The partitions to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All.
    All,
    /// Those whose partition column has this value, as text: a day as `2026-11-22`.
    Equals(&'static str, String),
    /// Those whose partition column, a date, is one of these days; both ends are among them.
    DatesBetween(&'static str, Date, Date),
}

impl Filter {
    /// Fails with [`LakeError::Contract`] where the table has no such partitions.
    pub(crate) fn check(&self, table: &'static Table) -> Result<(), LakeError> {
        match self {
            Self::All => Ok(()),
            Self::Equals(column, _) => partition_column(table, column),
            Self::DatesBetween(column, ..) => {
                partition_column(table, column)?;
                date_column(table, column)
            }
        }
    }

    pub(crate) fn admits(&self, file: &DataFile) -> bool {
        self.admits_value(|column| file.value(column))
    }

    pub(crate) fn admits_partition(&self, table: &Table, partition: &Partition) -> bool {
        self.admits_value(|column| {
            let at = table.partitioned_by.iter().position(|name| *name == column)?;
            partition.get(at).map(String::as_str)
        })
    }

    fn admits_value<'a>(&self, value_of: impl FnOnce(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::All => true,
            Self::Equals(column, value) => value_of(column) == Some(value),
            Self::DatesBetween(column, first, last) => {
                let date = value_of(column).and_then(|value| value.parse::<Date>().ok());
                date.is_some_and(|date| (*first..=*last).contains(&date))
            }
        }
    }
}

/// A table as its log describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableState {
    /// How many rows it has.
    pub rows: u64,
    /// In how many files.
    pub files: u64,
    /// Of how many bytes.
    pub bytes: u64,
    /// The number of the last change.
    pub version: u64,
    /// The columns whose values are folders.
    pub partitioned_by: Vec<String>,
}

/// A table as it was when it was looked at: whatever is written since, its rows are the same. Reading many partitions one
/// after the other looks at the log once.
pub struct Snapshot {
    lake: Lake,
    table: &'static Table,
    opened: Option<Opened>,
    files: Vec<DataFile>,
}

impl Snapshot {
    /// As [`Lake::scan`].
    ///
    /// # Errors
    ///
    /// Those of [`Lake::scan`].
    pub async fn scan<R: DeserializeOwned + Send + 'static>(
        &self,
        columns: &[&str],
        filter: &Filter,
        mut on_rows: impl FnMut(Vec<R>),
    ) -> Result<(), LakeError> {
        let (lake, table) = (&self.lake, self.table);
        let columns = wanted(table, columns)?;
        filter.check(table)?;
        let Some(opened) = &self.opened else {
            return Ok(());
        };
        let schema: SchemaRef = Arc::new(Schema::new(
            columns.iter().map(|column| schema::field(column)).collect::<Vec<_>>(),
        ));
        let store = opened.delta.object_store();
        let mut fetches = Vec::new();
        for file in self.files.iter().filter(|file| filter.admits(file)) {
            fetches.push(lake.read_file(table, store.as_ref(), file, &schema));
        }
        let mut files = stream::iter(fetches).buffered(AHEAD);
        while let Some(batches) = files.try_next().await? {
            for batch in batches {
                let batch = batch.map_err(|_| LakeError::of_arrow(table.name))?;
                on_rows(rows::from_batch(&columns, &batch).map_err(|reason| contract(table, reason))?);
            }
        }
        Ok(())
    }

    /// As [`Lake::read`].
    ///
    /// # Errors
    ///
    /// Those of [`Lake::scan`].
    pub async fn read<R: DeserializeOwned + Send + 'static>(
        &self,
        columns: &[&str],
        filter: &Filter,
    ) -> Result<Vec<R>, LakeError> {
        let mut all = Vec::new();
        self.scan(columns, filter, |mut rows| {
            if all.is_empty() {
                all = rows;
            } else {
                all.append(&mut rows);
            }
        })
        .await?;
        Ok(all)
    }

    /// As [`Lake::partition_dates`].
    ///
    /// # Errors
    ///
    /// Those of [`Lake::partition_dates`].
    pub fn partition_dates(&self, column: &str) -> Result<Vec<Date>, LakeError> {
        partition_column(self.table, column)?;
        date_column(self.table, column)?;
        let dates: BTreeSet<Date> = self
            .files
            .iter()
            .filter_map(|file| file.value(column)?.parse().ok())
            .collect();
        Ok(dates.into_iter().collect())
    }
}

impl Lake {
    /// The table as it is now, for reading it piece by piece. A table that is not there has no rows.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn snapshot(&self, table: &'static Table) -> Result<Snapshot, LakeError> {
        let opened = self.open(table).await?;
        let files = match &opened {
            Some(opened) => self.files(table, opened).await?,
            None => Vec::new(),
        };
        Ok(Snapshot {
            lake: self.clone(),
            table,
            opened,
            files,
        })
    }

    /// Gives the rows of the partitions that `filter` names to `on_rows`, file by file and about a thousand at a time, so
    /// that memory holds few of them. `columns` are the columns to read; none means all, those that every table has included. A table that
    /// is not there has no rows.
    ///
    /// A day can be read as `jiff::civil::Date` or, faster, as `i32`: days since 1970-01-01. An instant can be read as
    /// `jiff::Timestamp` or as `i64`: microseconds since then. `R` has a field for each column; serde's `flatten` does not
    /// work with days and instants.
    ///
    /// # Errors
    ///
    /// [`LakeError::Contract`] where a column is not the table's, the filter's is not one it is partitioned by, or `R`
    /// cannot hold what the columns do; otherwise what the store answers.
    pub async fn scan<R: DeserializeOwned + Send + 'static>(
        &self,
        table: &'static Table,
        columns: &[&str],
        filter: &Filter,
        on_rows: impl FnMut(Vec<R>),
    ) -> Result<(), LakeError> {
        // What can be said without a look at the store is said first.
        wanted(table, columns)?;
        filter.check(table)?;
        self.snapshot(table).await?.scan(columns, filter, on_rows).await
    }

    /// The rows that [`Lake::scan`] gives, all at once.
    ///
    /// # Errors
    ///
    /// Those of [`Lake::scan`].
    pub async fn read<R: DeserializeOwned + Send + 'static>(
        &self,
        table: &'static Table,
        columns: &[&str],
        filter: &Filter,
    ) -> Result<Vec<R>, LakeError> {
        wanted(table, columns)?;
        filter.check(table)?;
        self.snapshot(table).await?.read(columns, filter).await
    }

    /// The days for which the table has a partition, in order. Only the log is read.
    ///
    /// # Errors
    ///
    /// [`LakeError::Contract`] where the table is not partitioned by that column or it holds no days; otherwise what
    /// the store answers.
    pub async fn partition_dates(&self, table: &'static Table, column: &str) -> Result<Vec<Date>, LakeError> {
        partition_column(table, column)?;
        date_column(table, column)?;
        self.snapshot(table).await?.partition_dates(column)
    }

    /// What the log says of the table; `None` where there is none yet. No data file is read.
    ///
    /// # Errors
    ///
    /// What the store answers.
    pub async fn describe(&self, table: &'static Table) -> Result<Option<TableState>, LakeError> {
        let Some(opened) = self.open(table).await? else {
            return Ok(None);
        };
        let files = self.files(table, &opened).await?;
        let mut rows = 0;
        for file in &files {
            let records = file.entry.num_records().ok_or_else(|| LakeError::Foreign {
                table: table.name,
                reason: "the log does not say how many rows a file has".to_owned(),
            })?;
            rows += records as u64;
        }
        let snapshot = opened.delta.snapshot().map_err(|error| self.failed(table, &error))?;
        Ok(Some(TableState {
            rows,
            files: files.len() as u64,
            bytes: files.iter().map(DataFile::bytes).sum(),
            version: snapshot.version(),
            partitioned_by: table.partitioned_by.iter().map(|name| (*name).to_owned()).collect(),
        }))
    }
}

fn contract(table: &Table, reason: String) -> LakeError {
    LakeError::Contract {
        table: table.name,
        reason,
    }
}

fn wanted(table: &'static Table, names: &[&str]) -> Result<Vec<&'static Column>, LakeError> {
    if names.is_empty() {
        return Ok(table.all_columns().collect());
    }
    let find = |name: &&str| {
        let found = table.all_columns().find(|column| column.name == *name);
        found.ok_or_else(|| contract(table, format!("{name} is no column of it")))
    };
    names.iter().map(find).collect()
}

pub(crate) fn partition_column(table: &Table, name: &str) -> Result<(), LakeError> {
    if table.partitioned_by.contains(&name) {
        Ok(())
    } else {
        Err(contract(table, format!("it is not partitioned by {name}")))
    }
}

pub(crate) fn date_column(table: &Table, name: &str) -> Result<(), LakeError> {
    let mut columns = table.all_columns();
    if columns.any(|column| column.name == name && column.kind == Kind::Date) {
        Ok(())
    } else {
        Err(contract(table, format!("{name} holds no days")))
    }
}
