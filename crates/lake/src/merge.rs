//! Old rows and new rows become the rows to store. Nothing here reads or writes.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::arrow::array::{
    Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array, new_null_array,
};
use deltalake::arrow::compute::{interleave, take, take_record_batch};
use deltalake::arrow::datatypes::{FieldRef, SchemaRef};
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::row::{Row, RowConverter, Rows, SortField};

use crate::Stamp;
use crate::rows::repeat;

/// The rows to store, and how they differ from the old ones.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
}

/// Why rows cannot be merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// The new rows hold a key twice: which of the two should be stored?
    #[error("two rows have the same key")]
    GivenTwice,
    /// The old rows hold a key twice, which no upsert does.
    #[error("two stored rows have the same key")]
    StoredTwice,
    /// Arrow.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// The two columns that every table has, for one row.
pub(crate) fn stamp_column(name: &str, stamp: &Stamp) -> Option<ArrayRef> {
    match name {
        "collected_at" => {
            let instant = TimestampMicrosecondArray::from(vec![stamp.collected_at.as_microsecond()]);
            Some(Arc::new(instant.with_timezone("UTC")))
        }
        "invocation_id" => Some(Arc::new(StringArray::from(vec![stamp.invocation_id.as_str()]))),
        _ => None,
    }
}

/// No two rows of `batch` have the same `key`.
pub(crate) fn keys_differ(batch: &RecordBatch, key: &[&str]) -> Result<(), MergeError> {
    let comparer = Comparer::new(batch, key)?;
    let rows = comparer.rows(batch)?;
    places(&rows).map(|_| ())
}

/// Merges `new` into `old` by `key`. Old batches have all columns of `schema`; `new` has some, and those of the key
/// among them. Old rows keep their order and new ones follow. Each old batch goes as soon as it is merged.
pub(crate) fn merge(
    old: impl IntoIterator<Item = Result<RecordBatch, ArrowError>>,
    new: &RecordBatch,
    schema: &SchemaRef,
    key: &[&str],
    stamp: &Stamp,
) -> Result<Merged, MergeError> {
    let by_key = Comparer::new(new, key)?;
    let new_keys = by_key.rows(new)?;
    let places = places(&new_keys)?;
    let given: Vec<&str> = new
        .schema_ref()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let by_value = Comparer::new(new, &given)?;

    let mut stored = vec![false; new.num_rows()];
    let mut merged = Merged {
        batches: Vec::new(),
        inserted: 0,
        updated: 0,
        unchanged: 0,
    };
    for batch in old {
        let batch = batch?;
        let old_keys = by_key.rows(&batch)?;
        let found: Vec<Option<usize>> = old_keys.iter().map(|key| places.get(&key).copied()).collect();
        let old_values = by_value.rows(&batch)?;
        // Only the rows that these are compared with: all of them at once would be the largest thing in memory.
        let counterparts = found
            .iter()
            .flatten()
            .map(|place| *place as u64)
            .collect::<UInt64Array>();
        let new_values = by_value.rows(&take_record_batch(new, &counterparts)?)?;
        let mut new_values = new_values.iter();
        let mut picks = Vec::with_capacity(batch.num_rows());
        let updated_before = merged.updated;
        for (row, (place, old_value)) in found.into_iter().zip(old_values.iter()).enumerate() {
            let Some((place, new_value)) = place.and_then(|place| Some((place, new_values.next()?))) else {
                picks.push(Pick::Old(row));
                continue;
            };
            if std::mem::replace(&mut stored[place], true) {
                return Err(MergeError::StoredTwice);
            }
            if old_value == new_value {
                merged.unchanged += 1;
                picks.push(Pick::Old(row));
            } else {
                merged.updated += 1;
                picks.push(Pick::New(place));
            }
        }
        merged.batches.push(if merged.updated == updated_before {
            batch
        } else {
            replace(&batch, new, &picks, stamp)?
        });
    }

    let inserted: Vec<u64> = stored
        .iter()
        .zip(0..)
        .filter_map(|(stored, place)| (!stored).then_some(place))
        .collect();
    merged.inserted = inserted.len() as u64;
    if !inserted.is_empty() {
        merged.batches.push(insert(new, inserted, schema, stamp)?);
    }
    Ok(merged)
}

/// Where a row comes from.
enum Pick {
    Old(usize),
    New(usize),
}

/// Takes each row from `old` or from `new`. A row from `new` keeps the values of columns that `new` does not have.
fn replace(old: &RecordBatch, new: &RecordBatch, picks: &[Pick], stamp: &Stamp) -> Result<RecordBatch, ArrowError> {
    let from_new: Vec<(usize, usize)> = picks
        .iter()
        .map(|pick| match pick {
            Pick::Old(row) => (0, *row),
            Pick::New(place) => (1, *place),
        })
        .collect();
    let from_stamp: Vec<(usize, usize)> = from_new
        .iter()
        .map(|(source, row)| (*source, if *source == 0 { *row } else { 0 }))
        .collect();
    let column = |(field, old): (&FieldRef, &ArrayRef)| {
        if let Some(stamp) = stamp_column(field.name(), stamp) {
            interleave(&[old, &stamp], &from_stamp)
        } else if let Some(new) = new.column_by_name(field.name()) {
            interleave(&[old, new], &from_new)
        } else {
            Ok(old.clone())
        }
    };
    let columns = old.schema_ref().fields().iter().zip(old.columns()).map(column);
    RecordBatch::try_new(old.schema(), columns.collect::<Result<_, _>>()?)
}

/// The rows of `new` at `places`, with null in columns that `new` does not have.
pub(crate) fn insert(
    new: &RecordBatch,
    places: Vec<u64>,
    schema: &SchemaRef,
    stamp: &Stamp,
) -> Result<RecordBatch, ArrowError> {
    let is_all = places.len() == new.num_rows();
    let places = UInt64Array::from(places);
    let column = |field: &FieldRef| {
        if let Some(stamp) = stamp_column(field.name(), stamp) {
            repeat(&stamp, places.len())
        } else if let Some(column) = new.column_by_name(field.name()) {
            if is_all {
                Ok(column.clone())
            } else {
                take(column, &places, None)
            }
        } else {
            Ok(new_null_array(field.data_type(), places.len()))
        }
    };
    let columns = schema.fields().iter().map(column);
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// Which row has which key.
pub(crate) fn places(keys: &Rows) -> Result<HashMap<Row<'_>, usize>, MergeError> {
    let mut places = HashMap::with_capacity(keys.num_rows());
    for (place, key) in keys.iter().enumerate() {
        if places.insert(key, place).is_some() {
            return Err(MergeError::GivenTwice);
        }
    }
    Ok(places)
}

/// Makes rows of some columns comparable, whichever batch they are from.
pub(crate) struct Comparer<'a> {
    converter: RowConverter,
    columns: &'a [&'a str],
}

impl<'a> Comparer<'a> {
    pub(crate) fn new(like: &RecordBatch, columns: &'a [&'a str]) -> Result<Self, ArrowError> {
        let types = select(like, columns)?
            .iter()
            .map(|column| SortField::new(column.data_type().clone()))
            .collect();
        Ok(Self {
            converter: RowConverter::new(types)?,
            columns,
        })
    }

    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<Rows, ArrowError> {
        self.converter.convert_columns(&select(batch, self.columns)?)
    }
}

fn select(batch: &RecordBatch, columns: &[&str]) -> Result<Vec<ArrayRef>, ArrowError> {
    let column = |name: &&str| {
        let column = batch.column_by_name(name).cloned();
        column.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
    };
    columns.iter().map(column).collect()
}
