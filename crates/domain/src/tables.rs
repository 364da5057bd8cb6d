//! Every table of the lake: its columns, what they mean, and what makes a row unique. A table that is not declared here
//! does not exist.

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name, which is also its folder's.
    pub name: &'static str,
    /// The columns that tell rows apart. Empty for tables that are only appended to.
    pub key: &'static [&'static str],
    /// The columns whose values are folders.
    pub partitioned_by: &'static [&'static str],
    /// All columns but those that every table has ([`EVERYWHERE`]).
    pub columns: &'static [Column],
    /// What a row is, for people.
    pub description: &'static str,
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds. Every column but those of the key may be null.
    pub kind: Kind,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// A UTC day.
    Date,
    /// An instant, in microseconds, UTC.
    Instant,
    /// A whole number of 64 bits.
    Integer,
    /// A floating-point number of 64 bits.
    Float,
    /// Yes or no.
    Boolean,
}

/// The columns that every table has after its own: when a row came to be as it is, and through which invocation.
pub const EVERYWHERE: &[Column] = &[
    column(
        "collected_at",
        Kind::Instant,
        "When the row was last changed, by the clock of the invocation that did.",
    ),
    column("invocation_id", Kind::Text, "The invocation that last changed the row."),
];

const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

impl Table {
    /// All columns in order, those that every table has included.
    pub fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().chain(EVERYWHERE)
    }
}
