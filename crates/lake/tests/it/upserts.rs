//! Upserts change what they should and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uptake_domain::tables::{Kind, Table};
use uptake_lake::{Columns, Filter, Lake, LakeError, Written};

use crate::tables::{PEOPLE, Person, USAGE, Usage, ada, column, data_files, files, lake, person, stamp, usage};

async fn all(lake: &Lake) -> Vec<Usage> {
    let mut rows: Vec<Usage> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
    rows.sort();
    rows
}

/// Who wrote which row.
async fn writers(lake: &Lake) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Writer {
        id: String,
        invocation_id: String,
    }
    let rows: Vec<Writer> = lake.read(&USAGE, &["id", "invocation_id"], &Filter::All).await.unwrap();
    rows.into_iter().map(|row| (row.id, row.invocation_id)).collect()
}

#[tokio::test]
async fn equal_rows_keep_their_stamp() {
    let (lake, _folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(1, "b", 2, 2)];
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("first")).await.unwrap();
    let rows = [usage(1, "b", 3, 2), usage(1, "a", 1, 1), usage(1, "c", 4, 4)];
    let written = lake
        .upsert(&USAGE, Columns::All, &rows, &stamp("second"))
        .await
        .unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 1,
            updated: 1,
            unchanged: 1,
            version: Some(2)
        }
    );
    let writers = writers(&lake).await;
    assert_eq!(writers["a"], "first");
    assert_eq!((writers["b"].as_str(), writers["c"].as_str()), ("second", "second"));
}

#[tokio::test]
async fn where_nothing_changed_nothing_is_written() {
    let (lake, folder) = lake();
    let people = [ada(), person("2")];
    lake.upsert(&PEOPLE, Columns::All, &people, &stamp("first"))
        .await
        .unwrap();
    let before = files(folder.path());
    let written = lake
        .upsert(&PEOPLE, Columns::All, &people, &stamp("second"))
        .await
        .unwrap();
    assert_eq!(
        written,
        Written {
            unchanged: 2,
            ..Written::default()
        }
    );
    assert_eq!(files(folder.path()), before);
    let none = lake.upsert::<Person>(&PEOPLE, Columns::All, &[], &stamp("third")).await;
    assert_eq!(none.unwrap(), Written::default());
}

#[derive(Serialize)]
struct OwnWords {
    day: jiff::civil::Date,
    id: &'static str,
    words: Option<i64>,
}

const WORDS: Columns = Columns::Only(&["words", "id", "day"]);

fn words(day: i8, id: &'static str, words: Option<i64>) -> OwnWords {
    let day = usage(day, id, 0, 0).day;
    OwnWords { day, id, words }
}

#[tokio::test]
async fn columns_that_are_not_named_keep_what_is_stored() {
    let (lake, _folder) = lake();
    lake.upsert(&USAGE, Columns::All, &[usage(1, "a", 1, 10)], &stamp("first"))
        .await
        .unwrap();
    let rows = [words(1, "a", Some(2)), words(1, "b", Some(3))];
    lake.upsert(&USAGE, WORDS, &rows, &stamp("second")).await.unwrap();
    let mut b = usage(1, "b", 3, 0);
    b.charts = None;
    assert_eq!(all(&lake).await, [usage(1, "a", 2, 10), b.clone()]);

    // A named column can become null; a row equal in the named columns stays as it is.
    let rows = [words(1, "a", None), words(1, "b", Some(3))];
    let written = lake.upsert(&USAGE, WORDS, &rows, &stamp("third")).await.unwrap();
    assert_eq!((written.updated, written.unchanged), (1, 1));
    let mut a = usage(1, "a", 0, 10);
    a.words = None;
    assert_eq!(all(&lake).await, [a, b]);
}

#[tokio::test]
async fn columns_can_be_named_by_what_they_are_not() {
    let (lake, _folder) = lake();
    let stored = [usage(1, "a", 1, 10)];
    lake.upsert(&USAGE, Columns::All, &stored, &stamp("first"))
        .await
        .unwrap();
    let rest: Vec<&'static str> = USAGE.column_names();
    let others: Vec<&'static str> = rest
        .into_iter()
        .filter(|name| !["day", "id", "words"].contains(name))
        .collect();
    let but_words = Columns::AllBut(others.leak());
    let rows = [words(1, "a", Some(2))];
    lake.upsert(&USAGE, but_words, &rows, &stamp("second")).await.unwrap();
    assert_eq!(all(&lake).await, [usage(1, "a", 2, 10)]);
    for (columns, told) in [
        (Columns::AllBut(&["nothing"]), "nothing is no column"),
        (Columns::AllBut(&["id"]), "rows must bring column id"),
    ] {
        let error = refused(&lake, &USAGE, columns, &stored).await;
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn only_partitions_of_the_rows_are_rewritten() {
    let (lake, folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(2, "a", 1, 1), usage(3, "a", 1, 1)];
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("first")).await.unwrap();
    assert_eq!(data_files(folder.path(), &USAGE), 3);
    // The first changes, the second does not, the fourth is new: all in one version.
    let rows = [usage(1, "a", 2, 1), usage(2, "a", 1, 1), usage(4, "a", 1, 1)];
    let written = lake
        .upsert(&USAGE, Columns::All, &rows, &stamp("second"))
        .await
        .unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 1,
            updated: 1,
            unchanged: 1,
            version: Some(2)
        }
    );
    assert_eq!(data_files(folder.path(), &USAGE), 5);
    assert_eq!(lake.describe(&USAGE).await.unwrap().unwrap().files, 4);
    let expected = [
        usage(1, "a", 2, 1),
        usage(2, "a", 1, 1),
        usage(3, "a", 1, 1),
        usage(4, "a", 1, 1),
    ];
    assert_eq!(all(&lake).await, expected);
}

async fn refused<R: Serialize>(lake: &Lake, table: &'static Table, columns: Columns, rows: &[R]) -> String {
    let error = lake.upsert(table, columns, rows, &stamp("a")).await.unwrap_err();
    assert!(matches!(error, LakeError::Contract { .. }), "{error}");
    assert!(!error.is_transient());
    error.to_string()
}

#[derive(Serialize)]
struct Loose {
    day: Option<&'static str>,
    id: Option<&'static str>,
    words: Word,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Word {
    Number(i64),
    Text(&'static str),
}

#[tokio::test]
async fn rows_that_break_the_tables_promise_are_refused() {
    let (lake, folder) = lake();
    let twice = [
        usage(1, "secret", 1, 1),
        usage(2, "secret", 1, 1),
        usage(1, "secret", 2, 2),
    ];
    let error = refused(&lake, &USAGE, Columns::All, &twice).await;
    assert_eq!(error, "usage: two rows have the same key");

    let loose = |day, id, words| [Loose { day, id, words }];
    let error = refused(&lake, &USAGE, WORDS, &loose(Some("2026-11-01"), None, Word::Number(1))).await;
    assert_eq!(error, "usage: column id is null, which identifies rows");
    let error = refused(&lake, &USAGE, WORDS, &loose(None, Some("a"), Word::Number(1))).await;
    assert_eq!(error, "usage: column day is null, which identifies rows");
    // The value that does not fit is not told.
    let error = refused(
        &lake,
        &USAGE,
        WORDS,
        &loose(Some("2026-11-01"), Some("a"), Word::Text("secret")),
    )
    .await;
    assert_eq!(
        error,
        "usage: a value cannot be written as what its column holds (column: words)"
    );
    let error = refused(&lake, &USAGE, WORDS, &loose(Some("secret"), Some("a"), Word::Number(1))).await;
    assert_eq!(
        error,
        "usage: a value cannot be written as what its column holds (column: day)"
    );

    let error = refused(&lake, &USAGE, Columns::Only(&["day", "words"]), &[usage(1, "a", 1, 1)]).await;
    assert_eq!(error, "usage: rows must bring column id, which identifies them");
    let error = refused(
        &lake,
        &USAGE,
        Columns::Only(&["day", "id", "collected_at"]),
        &[usage(1, "a", 1, 1)],
    )
    .await;
    assert_eq!(error, "usage: collected_at is no column that rows bring");
    let error = refused(&lake, &crate::tables::EVENTS, Columns::All, &[usage(1, "a", 1, 1)]).await;
    assert_eq!(error, "events: it has no key, so rows can only be appended");

    assert!(files(folder.path()).is_empty(), "nothing is written");
}

/// Partitioned by text and number, with what paths do not like.
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Odd {
    place: String,
    number: i64,
    value: String,
}

#[tokio::test]
async fn any_text_can_be_a_partition() {
    let (lake, _folder) = lake();
    let places = ["a b", "a/b", "a%20b", "ä=ö:?#&", "..", "2026-11-22", "+", "\"'\\"];
    for round in ["first", "second"] {
        let rows: Vec<Odd> = places
            .iter()
            .map(|place| Odd {
                place: (*place).to_owned(),
                number: -1,
                value: round.to_owned(),
            })
            .collect();
        let written = lake.upsert(&ODD, Columns::All, &rows, &stamp(round)).await.unwrap();
        assert_eq!(written.inserted + written.updated, places.len() as u64);
        let mut stored: Vec<Odd> = lake.read(&ODD, &[], &Filter::All).await.unwrap();
        let mut expected = rows.clone();
        stored.sort();
        expected.sort();
        assert_eq!(stored, expected);
        let one: Vec<Odd> = lake
            .read(&ODD, &[], &Filter::Equals("place", "a%20b".into()))
            .await
            .unwrap();
        assert_eq!(one.len(), 1);
    }
    let nameless = [Odd {
        place: String::new(),
        number: 1,
        value: String::new(),
    }];
    let error = refused(&lake, &ODD, Columns::All, &nameless).await;
    assert_eq!(error, "odd: partition column place has no value");
}

#[tokio::test]
async fn a_dry_run_tells_what_it_would_write() {
    let (lake, folder) = lake();
    let dry = lake.read_only();
    let rows = [usage(1, "a", 1, 1), usage(2, "a", 1, 1)];
    let written = dry.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
    assert_eq!((written.inserted, written.version), (2, None));
    assert!(files(folder.path()).is_empty());

    lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
    let before = files(folder.path());
    let rows = [usage(1, "a", 2, 1), usage(2, "a", 1, 1), usage(2, "b", 1, 1)];
    let written = dry.upsert(&USAGE, Columns::All, &rows, &stamp("b")).await.unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 1,
            updated: 1,
            unchanged: 1,
            version: None
        }
    );
    assert_eq!(files(folder.path()), before);
}
