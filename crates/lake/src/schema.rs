//! What a table of the code is to Arrow and to Delta.

use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::TableProperty;
use deltalake::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use uptake_domain::tables::{Column, Kind, Table};

/// One answer of a transaction is remembered this long; Delta drops older ones at the next checkpoint.
const TRANSACTIONS_ARE_KEPT: &str = "interval 30 days";

/// Columns that tell who somebody is, which is never to be in the log, even where they are part of a key: a principal
/// name, and a subject, which is one encrypted. With the key of that time, and the log is copied and kept, a subject is a
/// name again.
const PEOPLE: [&str; 2] = ["upn", "subject"];

/// A table as it lies in the store, seen with the eyes of the code.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Every column, once those that are missing are added.
    pub(crate) schema: SchemaRef,
    /// The columns that the code knows and the stored table does not have yet.
    pub(crate) missing: Vec<FieldRef>,
}

impl Stored {
    /// Compares what is stored with the table of the code. Fails with the reason why they do not go together.
    pub(crate) fn compare(stored: &Schema, table: &Table) -> Result<Self, String> {
        let mut missing = Vec::new();
        for column in table.all_columns() {
            let expected = field(column);
            match stored.column_with_name(column.name) {
                None => missing.push(expected),
                Some((_, found)) if found.data_type() == expected.data_type() => {}
                Some((_, found)) => {
                    return Err(format!(
                        "column {} is {}, not {}",
                        column.name,
                        found.data_type(),
                        expected.data_type()
                    ));
                }
            }
        }
        let fields: Vec<FieldRef> = stored.fields().iter().chain(&missing).cloned().collect();
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            missing,
        })
    }
}

/// All columns of the table, for Arrow.
pub(crate) fn arrow(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(table.all_columns().map(field).collect::<Vec<_>>()))
}

/// All columns, for Delta.
pub(crate) fn delta(schema: &Schema) -> Result<StructType, DeltaTableError> {
    schema
        .try_into_kernel()
        .map_err(|error| DeltaTableError::Arrow { source: error })
}

/// A column, for Arrow. Delta knows columns that must not be null, but a table can only ever gain columns that may be;
/// so all may be, and who writes looks after the keys.
pub(crate) fn field(column: &Column) -> FieldRef {
    Arc::new(Field::new(column.name, data_type(column.kind), true))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        // "element" is the name that Delta gives.
        Kind::Texts => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
        Kind::Date => DataType::Date32,
        Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
    }
}

/// The settings of the table.
pub(crate) fn properties(table: &Table) -> [(TableProperty, String); 2] {
    [
        (TableProperty::DataSkippingStatsColumns, columns_with_bounds(table)),
        (
            TableProperty::SetTransactionRetentionDuration,
            TRANSACTIONS_ARE_KEPT.to_owned(),
        ),
    ]
}

/// The columns whose smallest and largest value of each file the log may tell. The log is copied, cached and read by
/// more people than the data, so no name and no address may get there: only days, instants and what identifies a row.
/// The list is never empty, as every table says when its rows were collected.
fn columns_with_bounds(table: &Table) -> String {
    let columns = table.all_columns().filter(|column| {
        let harmless = match column.kind {
            Kind::Date | Kind::Instant => true,
            // Delta keeps no bounds of lists.
            Kind::Texts => false,
            Kind::Text | Kind::Integer | Kind::Float | Kind::Boolean => {
                table.key.contains(&column.name) && !PEOPLE.contains(&column.name)
            }
        };
        // A partition column has one value for each file, and that is in the log anyway.
        harmless && !table.partitioned_by.contains(&column.name)
    });
    // Without blanks: the writer does not trim.
    columns.map(|column| column.name).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(name: &'static str, kind: Kind) -> Column {
        Column {
            name,
            kind,
            meaning: "",
        }
    }

    static SEATS: Table = Table {
        name: "seats",
        key: &["day", "user_id", "upn", "subject"],
        partitioned_by: &["day"],
        columns: &[
            column("day", Kind::Date),
            column("user_id", Kind::Text),
            column("upn", Kind::Text),
            column("subject", Kind::Text),
            column("mail", Kind::Text),
            column("teams", Kind::Texts),
            column("last_used", Kind::Instant),
        ],
        description: "",
        written_by: &[],
    };

    #[test]
    fn only_identifiers_days_and_instants_have_bounds_in_the_log() {
        assert_eq!(columns_with_bounds(&SEATS), "user_id,last_used,collected_at");
    }

    #[test]
    fn a_stored_column_that_the_code_does_not_know_stays() {
        let mut fields = arrow(&SEATS).fields().to_vec();
        fields.remove(4);
        fields.push(Arc::new(Field::new("of_others", DataType::Int32, true)));
        let stored = Stored::compare(&Schema::new(fields), &SEATS).unwrap();
        let names: Vec<_> = stored.missing.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["mail"]);
        assert!(stored.schema.column_with_name("of_others").is_some());
        assert_eq!(stored.schema.fields().len(), 10);
    }

    #[test]
    fn a_column_of_another_type_is_somebody_elses() {
        let mut fields = arrow(&SEATS).fields().to_vec();
        fields[1] = Arc::new(Field::new("user_id", DataType::Int64, true));
        let reason = Stored::compare(&Schema::new(fields), &SEATS).unwrap_err();
        assert_eq!(reason, "column user_id is Int64, not Utf8");
    }
}
