//! Inserts add what is not there, and touch nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uptake_domain::tables::{Kind, Table};
use uptake_lake::{Columns, Filter, Lake, LakeError, Written};

use crate::tables::{EVENTS, USAGE, Usage, column, event, files, lake, stamp, usage};

async fn all(lake: &Lake) -> Vec<Usage> {
    let mut rows: Vec<Usage> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
    rows.sort();
    rows
}

#[tokio::test]
async fn rows_that_are_stored_are_left_out_and_their_files_stay() {
    let (lake, folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(1, "b", 1, 1), usage(2, "a", 1, 1)];
    let written = lake.insert(&USAGE, &rows, &stamp("first")).await.unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 3,
            version: Some(1),
            ..Written::default()
        }
    );
    let before: BTreeSet<_> = files(&folder.path().join("usage")).into_iter().collect();

    // b and c are the same id of another day; b is stored with other words, which stay.
    let rows = [usage(2, "b", 1, 1), usage(1, "b", 9, 9), usage(3, "c", 1, 1)];
    let written = lake.insert(&USAGE, &rows, &stamp("second")).await.unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 2,
            updated: 0,
            unchanged: 1,
            version: Some(2)
        }
    );
    let after: BTreeSet<_> = files(&folder.path().join("usage")).into_iter().collect();
    assert!(after.is_superset(&before));
    assert_eq!(after.len(), before.len() + 3, "two days and the log");
    assert_eq!(
        lake.describe(&USAGE).await.unwrap().unwrap().files,
        4,
        "all are of the table"
    );
    let expected = [
        usage(1, "a", 1, 1),
        usage(1, "b", 1, 1),
        usage(2, "a", 1, 1),
        usage(2, "b", 1, 1),
        usage(3, "c", 1, 1),
    ];
    assert_eq!(all(&lake).await, expected);
}

#[tokio::test]
async fn where_all_rows_are_stored_nothing_is_written() {
    let (lake, folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(2, "a", 1, 1)];
    lake.insert(&USAGE, &rows, &stamp("first")).await.unwrap();
    let before = files(folder.path());
    let again = lake.insert(&USAGE, &rows, &stamp("second")).await.unwrap();
    assert_eq!(
        again,
        Written {
            unchanged: 2,
            ..Written::default()
        }
    );
    let none = lake.insert::<Usage>(&USAGE, [], &stamp("third")).await.unwrap();
    assert_eq!(none, Written::default());
    assert_eq!(files(folder.path()), before);
}

#[tokio::test]
async fn a_dry_run_tells_what_it_would_insert() {
    let (lake, folder) = lake();
    let dry = lake.read_only();
    let rows = [usage(1, "a", 1, 1), usage(2, "a", 1, 1)];
    let written = dry.insert(&USAGE, &rows, &stamp("a")).await.unwrap();
    assert_eq!((written.inserted, written.version), (2, None));
    assert!(files(folder.path()).is_empty());

    lake.insert(&USAGE, &rows[..1], &stamp("a")).await.unwrap();
    let before = files(folder.path());
    let written = dry.insert(&USAGE, &rows, &stamp("b")).await.unwrap();
    assert_eq!((written.inserted, written.unchanged, written.version), (1, 1, None));
    assert_eq!(files(folder.path()), before);
}

#[tokio::test]
async fn rows_that_break_the_tables_promise_are_refused() {
    let (lake, folder) = lake();
    let twice = [usage(1, "secret", 1, 1), usage(1, "secret", 2, 2)];
    let error = lake.insert(&USAGE, &twice, &stamp("a")).await.unwrap_err();
    assert!(matches!(error, LakeError::Contract { .. }), "{error:?}");
    assert_eq!(error.to_string(), "usage: two rows have the same key");
    let error = lake.insert(&EVENTS, &[event(1, "a")], &stamp("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "events: it has no key, so rows can only be appended");
    assert!(files(folder.path()).is_empty(), "nothing is written");
}

/// The keys are read as they are, whoever wrote the file and however many of them it has.
#[tokio::test]
async fn rows_of_upserts_and_compactions_are_known() {
    let (lake, _folder) = lake();
    let rows: Vec<Usage> = (0..3_000).map(|id| usage(1, &format!("{id:04}"), 1, 1)).collect();
    lake.upsert(&USAGE, Columns::All, &rows[..2_000], &stamp("u"))
        .await
        .unwrap();
    for some in rows.chunks(100) {
        lake.insert(&USAGE, some, &stamp("i")).await.unwrap();
    }
    let done = lake.maintain(&USAGE, stamp("m").collected_at).await.unwrap();
    assert_eq!(done.compacted, 11);
    let written = lake.insert(&USAGE, &rows, &stamp("again")).await.unwrap();
    assert_eq!((written.inserted, written.unchanged), (0, 3_000));
    assert_eq!(all(&lake).await, rows);
    // And the other way round.
    let written = lake.upsert(&USAGE, Columns::All, &rows, &stamp("u")).await.unwrap();
    assert_eq!((written.inserted, written.unchanged), (0, 3_000));
}

#[tokio::test]
async fn a_key_that_is_stored_twice_is_somebody_elses() {
    static APPENDED: Table = Table {
        name: "usage",
        key: &[],
        partitioned_by: &["day"],
        columns: USAGE.columns,
        description: "",
        written_by: &[],
    };
    let (lake, _folder) = lake();
    for transaction in ["1", "2"] {
        let row = [usage(1, "secret", 1, 1)];
        lake.append(&APPENDED, &row, transaction, &stamp("a")).await.unwrap();
    }
    let error = lake
        .insert(&USAGE, &[usage(1, "secret", 1, 1)], &stamp("a"))
        .await
        .unwrap_err();
    assert!(matches!(error, LakeError::Foreign { .. }), "{error:?}");
    assert!(!error.to_string().contains("secret"));
}

/// A table of which each partition has one row: its files hold nothing of the key.
#[tokio::test]
async fn a_key_may_lie_in_the_partition_alone() {
    static ODD: Table = Table {
        name: "odd",
        key: &["place", "number"],
        partitioned_by: &["place", "number"],
        columns: &[
            column("place", Kind::Text),
            column("number", Kind::Integer),
            column("value", Kind::Text),
        ],
        description: "",
        written_by: &[],
    };
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Odd {
        place: String,
        number: i64,
        value: String,
    }
    let odd = |place: &str, value: &str| Odd {
        place: place.to_owned(),
        number: -1,
        value: value.to_owned(),
    };
    let (lake, _folder) = lake();
    lake.insert(&ODD, [odd("a/b", "first")], &stamp("a")).await.unwrap();
    let rows = [odd("a/b", "second"), odd("a b", "second")];
    let written = lake.insert(&ODD, rows, &stamp("b")).await.unwrap();
    assert_eq!((written.inserted, written.unchanged), (1, 1));
    let mut stored: Vec<Odd> = lake.read(&ODD, &[], &Filter::All).await.unwrap();
    stored.sort_by(|a, b| a.place.cmp(&b.place));
    assert_eq!(stored, [odd("a b", "second"), odd("a/b", "first")]);
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_an_error() {
    let (lake, folder) = lake();
    lake.insert(&USAGE, &[usage(1, "a", 1, 1)], &stamp("a")).await.unwrap();
    let data = files(&folder.path().join("usage/day=2026-11-01"));
    let bytes = std::fs::read(&data[0]).unwrap();
    for left in [bytes.len() / 2, 0] {
        std::fs::write(&data[0], &bytes[..left]).unwrap();
        let cut = lake.insert(&USAGE, &[usage(1, "b", 1, 1)], &stamp("b")).await;
        cut.unwrap_err();
    }
}

/// A day of the audit log, and one more batch of it.
#[tokio::test]
async fn a_batch_beside_half_a_million_rows_leaves_their_file_as_it_is() {
    let row = |id: i64| usage(1, &format!("0123456789abcdef0123456789-{id:09}"), id, 1);
    let (lake, folder) = lake();
    let stored: Vec<Usage> = (0..500_000).map(row).collect();
    lake.insert(&USAGE, stored, &stamp("a")).await.unwrap();
    let before = files(&folder.path().join("usage/day=2026-11-01"));
    let rows: Vec<Usage> = (490_000..510_000).map(row).collect();
    let written = lake.insert(&USAGE, rows, &stamp("b")).await.unwrap();
    assert_eq!((written.inserted, written.unchanged), (10_000, 10_000));
    let after = files(&folder.path().join("usage/day=2026-11-01"));
    assert_eq!((before.len(), after.len()), (1, 2));
    assert!(after.contains(&before[0]));
    assert_eq!(lake.describe(&USAGE).await.unwrap().unwrap().rows, 510_000);
}
