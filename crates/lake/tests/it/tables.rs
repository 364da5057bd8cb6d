//! The tables and rows that tests store.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use uptake_domain::tables::{Column, Kind, Table};
use uptake_lake::{Lake, Stamp};

pub(crate) const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        meaning: "",
    }
}

/// One row a person, no partition.
pub(crate) static PEOPLE: Table = Table {
    name: "people",
    key: &["id"],
    partitioned_by: &[],
    columns: &[
        column("id", Kind::Text),
        column("name", Kind::Text),
        column("upn", Kind::Text),
        column("teams", Kind::Texts),
        column("joined", Kind::Date),
        column("seen", Kind::Instant),
        column("visits", Kind::Integer),
        column("score", Kind::Float),
        column("active", Kind::Boolean),
    ],
    description: "One row a person.",
    written_by: &[],
};

/// A person, with a value for every kind of column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) upn: Option<String>,
    pub(crate) teams: Option<Vec<String>>,
    pub(crate) joined: Option<Date>,
    pub(crate) seen: Option<Timestamp>,
    pub(crate) visits: Option<i64>,
    pub(crate) score: Option<f64>,
    pub(crate) active: Option<bool>,
}

pub(crate) fn person(id: &str) -> Person {
    Person {
        id: id.to_owned(),
        ..Person::default()
    }
}

/// A person about whom everything is known.
pub(crate) fn ada() -> Person {
    Person {
        id: "1".to_owned(),
        name: Some("Ada Lovelace".to_owned()),
        upn: Some("ada@example.com".to_owned()),
        teams: Some(vec![
            "engines".to_owned(),
            String::new(),
            "notes, with \"quotes\"".to_owned(),
        ]),
        joined: Some(date(1969, 12, 31)),
        seen: Some("2026-11-22T06:07:08.123456Z".parse().unwrap()),
        visits: Some(i64::MIN),
        score: Some(0.1 + 0.2),
        active: Some(false),
    }
}

/// One row a day and person.
pub(crate) static USAGE: Table = Table {
    name: "usage",
    key: &["day", "id"],
    partitioned_by: &["day"],
    columns: &[
        column("day", Kind::Date),
        column("id", Kind::Text),
        column("words", Kind::Integer),
        column("charts", Kind::Integer),
    ],
    description: "One row a day and person.",
    written_by: &[],
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) day: Date,
    pub(crate) id: String,
    pub(crate) words: Option<i64>,
    pub(crate) charts: Option<i64>,
}

pub(crate) fn usage(day: i8, id: &str, words: i64, charts: i64) -> Usage {
    Usage {
        day: date(2026, 11, day),
        id: id.to_owned(),
        words: Some(words),
        charts: Some(charts),
    }
}

/// What happened, in order of arrival.
pub(crate) static EVENTS: Table = Table {
    name: "events",
    key: &[],
    partitioned_by: &["day"],
    columns: &[column("day", Kind::Date), column("what", Kind::Text)],
    description: "What happened.",
    written_by: &[],
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) day: Date,
    pub(crate) what: String,
}

pub(crate) fn event(day: i8, what: &str) -> Event {
    Event {
        day: date(2026, 11, day),
        what: what.to_owned(),
    }
}

/// What happened to whom, each once, with a column that tells who.
pub(crate) static RECORDS: Table = Table {
    name: "records",
    key: &["day", "id", "subject"],
    partitioned_by: &["day"],
    columns: &[
        column("day", Kind::Date),
        column("id", Kind::Text),
        column("subject", Kind::Text),
        column("what", Kind::Text),
        column("at", Kind::Instant),
        column("tags", Kind::Texts),
    ],
    description: "What happened to whom.",
    written_by: &[],
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) day: Date,
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) what: Option<String>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) tags: Option<Vec<String>>,
}

pub(crate) fn record(day: i8, id: &str, subject: &str) -> Record {
    Record {
        day: date(2026, 11, day),
        id: id.to_owned(),
        subject: subject.to_owned(),
        what: Some(format!("what happened to {id}")),
        at: Some("2026-11-22T06:07:08.123456Z".parse().unwrap()),
        tags: Some(vec!["a".to_owned(), String::new()]),
    }
}

/// The columns that every table has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Stamped {
    pub(crate) collected_at: Timestamp,
    pub(crate) invocation_id: String,
}

pub(crate) fn stamp(invocation: &str) -> Stamp {
    Stamp {
        collected_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        invocation_id: invocation.to_owned(),
    }
}

/// A lake in a folder of its own, whose name has a blank and a letter beyond ASCII.
pub(crate) fn lake() -> (Lake, TempDir) {
    let folder = TempDir::with_prefix("lake of tests ä ").unwrap();
    (Lake::in_folder(folder.path()).unwrap(), folder)
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

pub(crate) fn data_files(folder: &Path, table: &Table) -> usize {
    let of_log = |path: &&std::path::PathBuf| path.components().any(|part| part.as_os_str() == "_delta_log");
    let all = files(&folder.join(table.name));
    all.len() - all.iter().filter(of_log).count()
}

/// Every value in a Parquet file, as Arrow prints it.
pub(crate) fn unpacked(bytes: Vec<u8>) -> String {
    use deltalake::arrow::util::display::array_value_to_string;
    use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let mut text = String::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        for column in batch.columns() {
            for row in 0..batch.num_rows() {
                text.push_str(&array_value_to_string(column, row).unwrap());
            }
        }
    }
    text
}
