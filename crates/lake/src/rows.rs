//! Structs to columns and back, and which partition a row lies in.

use std::collections::BTreeMap;

use deltalake::arrow::array::{
    Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt64Array, new_null_array,
};
use deltalake::arrow::compute::{CastOptions, cast_with_options, take, take_record_batch};
use deltalake::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use deltalake::arrow::error::ArrowError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uptake_domain::tables::{Column, Table};

use crate::schema;

/// The value of each partition column as Delta writes it, in the order of the table's partition columns.
pub(crate) type Partition = Vec<String>;

/// Puts rows into `columns`. Those of the key and of the partition among them must not be null. Fails with what is wrong, in words
/// that hold no value.
pub(crate) fn to_batch<R: Serialize>(table: &Table, columns: &[&Column], rows: &[R]) -> Result<RecordBatch, String> {
    let fields: Vec<FieldRef> = columns.iter().map(|column| schema::field(column)).collect();
    let batch = serde_arrow::to_record_batch(&fields, &rows).map_err(|error| fault(&error, columns, "written"))?;
    for (Column { name, .. }, values) in columns.iter().zip(batch.columns()) {
        let identifies = table.key.contains(name) || table.partitioned_by.contains(name);
        if identifies && values.null_count() > 0 {
            return Err(format!("column {name} is null, which identifies rows"));
        }
    }
    Ok(batch)
}

/// Makes structs of columns.
pub(crate) fn from_batch<R: DeserializeOwned>(columns: &[&Column], batch: &RecordBatch) -> Result<Vec<R>, String> {
    serde_arrow::from_record_batch(batch).map_err(|error| fault(&error, columns, "read"))
}

/// What is wrong with rows. The error's own words may hold a value of a row; only the column's name is taken from them.
fn fault(error: &serde_arrow::Error, columns: &[&Column], done: &str) -> String {
    let text = error.to_string();
    let named = text
        .rsplit_once("field: \"$.")
        .and_then(|(_, rest)| rest.split(['"', '.']).next());
    let column = columns.iter().find(|column| Some(column.name) == named);
    let column = column.map_or("unknown", |column| column.name);
    format!("a value cannot be {done} as what its column holds (column: {column})")
}

/// The rows of each partition. A partition column that is empty text is refused: Delta takes it for null.
pub(crate) fn by_partition(
    table: &Table,
    batch: &RecordBatch,
) -> Result<BTreeMap<Partition, RecordBatch>, PartitionError> {
    if table.partitioned_by.is_empty() {
        return Ok(BTreeMap::from([(Partition::new(), batch.clone())]));
    }
    let mut columns = Vec::new();
    for name in table.partitioned_by {
        let column = batch.column_by_name(name).ok_or(PartitionError::Absent(name))?;
        columns.push(cast(column, &DataType::Utf8)?);
    }
    let texts: Vec<&StringArray> = columns
        .iter()
        .filter_map(|column| column.as_any().downcast_ref())
        .collect();
    let mut places: BTreeMap<Partition, Vec<u64>> = BTreeMap::new();
    for (row, place) in (0..batch.num_rows()).zip(0..) {
        let mut partition = Partition::new();
        for (text, name) in texts.iter().zip(table.partitioned_by) {
            if text.is_null(row) || text.value(row).is_empty() {
                return Err(PartitionError::Absent(name));
            }
            partition.push(text.value(row).to_owned());
        }
        places.entry(partition).or_default().push(place);
    }
    places
        .into_iter()
        .map(|(partition, rows)| Ok((partition, take_record_batch(batch, &UInt64Array::from(rows))?)))
        .collect()
}

/// Why rows have no partition.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartitionError {
    /// This partition column has no value in some row.
    #[error("partition column {0} has no value")]
    Absent(&'static str),
    /// Arrow.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// Gives a batch the columns of `schema`: those of the partition get the file's value, those the batch lacks are null,
/// those of another type are converted (others write text as views).
pub(crate) fn conform(
    batch: &RecordBatch,
    partition: &[(&str, Option<&str>)],
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let column = |field: &FieldRef| -> Result<ArrayRef, ArrowError> {
        if let Some((_, value)) = partition.iter().find(|(name, _)| name == field.name()) {
            let value = cast(&StringArray::from(vec![*value]), field.data_type())?;
            return repeat(&value, rows);
        }
        match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows)),
        }
    };
    let columns: Vec<ArrayRef> = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
}

/// The first value of `values`, so many times.
pub(crate) fn repeat(values: &dyn Array, times: usize) -> Result<ArrayRef, ArrowError> {
    take(values, &UInt64Array::from(vec![0; times]), None)
}

fn cast(column: &dyn Array, to: &DataType) -> Result<ArrayRef, ArrowError> {
    // What does not fit is a fault, not a null.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, to, &options)
}
