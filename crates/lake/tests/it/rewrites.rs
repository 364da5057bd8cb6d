//! Rewrites change what they are about and nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;
use serde::{Deserialize, Serialize};
use uptake_domain::tables::Table;
use uptake_lake::{Columns, Filter, Lake, LakeError, Rewritten};

use crate::tables::{EVENTS, PEOPLE, Person, RECORDS, Record, Stamped, ada, event, files, lake, person, record, stamp};

/// The columns of a change of keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Subject {
    subject: String,
}

/// What the caller's change may fail with.
#[derive(Debug)]
enum Fault {
    Own(&'static str),
    Lake(LakeError),
}

impl From<LakeError> for Fault {
    fn from(error: LakeError) -> Self {
        Self::Lake(error)
    }
}

/// Changes each subject by itself.
fn each<E>(change: impl Fn(String) -> Option<String>) -> impl FnMut(Vec<Subject>) -> Result<Vec<Option<Subject>>, E> {
    move |rows| {
        let change = |row: Subject| change(row.subject).map(|subject| Subject { subject });
        Ok(rows.into_iter().map(change).collect())
    }
}

/// With a new key, once. Whoever is to go goes.
#[expect(clippy::needless_pass_by_value, reason = "it is the shape of a change")]
fn renewed(subject: String) -> Option<String> {
    (subject != "gone").then(|| subject.replace("old", "new"))
}

async fn all(lake: &Lake) -> Vec<Record> {
    let mut rows: Vec<Record> = lake.read(&RECORDS, &[], &Filter::All).await.unwrap();
    rows.sort();
    rows
}

async fn store(lake: &Lake, rows: &[Record], invocation: &str) {
    lake.upsert(&RECORDS, Columns::All, rows, &stamp(invocation))
        .await
        .unwrap();
}

#[tokio::test]
async fn named_columns_change_and_all_others_stay() {
    let (lake, folder) = lake();
    let rows = [
        record(1, "a", "old-1"),
        record(1, "b", "new-2"),
        record(2, "c", "old-3"),
        record(3, "d", "new-4"),
        record(4, "e", "gone"),
    ];
    store(&lake, &rows, "first").await;
    let before = files(&folder.path().join("records/day=2026-11-03"));
    let rewritten: Result<_, LakeError> = lake.rewrite(&RECORDS, &["subject"], &Filter::All, each(renewed)).await;
    assert_eq!(
        rewritten.unwrap(),
        Rewritten {
            changed: 2,
            removed: 1,
            kept: 2,
            version: Some(2)
        }
    );
    let expected = [
        record(1, "a", "new-1"),
        record(1, "b", "new-2"),
        record(2, "c", "new-3"),
        record(3, "d", "new-4"),
    ];
    assert_eq!(all(&lake).await, expected);
    let stamps: Vec<Stamped> = lake.read(&RECORDS, &[], &Filter::All).await.unwrap();
    assert!(stamps.iter().all(|row| row.invocation_id == "first"));
    let state = lake.describe(&RECORDS).await.unwrap().unwrap();
    assert_eq!((state.rows, state.files), (4, 3), "a file without rows is not written");
    assert_eq!(files(&folder.path().join("records/day=2026-11-03")), before);

    let again: Result<_, LakeError> = lake.rewrite(&RECORDS, &["subject"], &Filter::All, each(renewed)).await;
    assert_eq!(
        again.unwrap(),
        Rewritten {
            kept: 4,
            ..Rewritten::default()
        }
    );
    assert_eq!(lake.describe(&RECORDS).await.unwrap().unwrap().version, 2);
}

#[tokio::test]
async fn only_partitions_of_the_filter_are_seen() {
    let (lake, _folder) = lake();
    let rows: Vec<Record> = (1..=4).map(|day| record(day, "a", "old")).collect();
    store(&lake, &rows, "a").await;
    let days = Filter::DatesBetween("day", date(2026, 11, 2), date(2026, 11, 3));
    let rewritten: Result<_, LakeError> = lake.rewrite(&RECORDS, &["subject"], &days, each(renewed)).await;
    assert_eq!(rewritten.unwrap().changed, 2);
    let subjects: Vec<String> = all(&lake).await.into_iter().map(|row| row.subject).collect();
    assert_eq!(subjects, ["old", "new", "new", "old"]);
}

/// A file of several batches, of which one in the middle is different.
#[tokio::test]
async fn rows_before_and_after_those_that_change_stay_in_their_order() {
    let (lake, _folder) = lake();
    let mut rows: Vec<Record> = (0..5_000).map(|id| record(1, &format!("{id:04}"), "same")).collect();
    "old".clone_into(&mut rows[2_500].subject);
    "gone".clone_into(&mut rows[4_900].subject);
    store(&lake, &rows, "a").await;
    let (mut calls, mut largest) = (0, 0);
    let change = |given: Vec<Subject>| {
        calls += 1;
        largest = largest.max(given.len());
        each(renewed)(given)
    };
    let rewritten: Result<_, LakeError> = lake.rewrite(&RECORDS, &["subject"], &Filter::All, change).await;
    let rewritten = rewritten.unwrap();
    assert_eq!((rewritten.changed, rewritten.removed, rewritten.kept), (1, 1, 4_998));
    assert_eq!((calls, largest), (5, 1_024), "each row once, and few at a time");
    "new".clone_into(&mut rows[2_500].subject);
    rows.remove(4_900);
    let stored: Vec<Record> = lake.read(&RECORDS, &[], &Filter::All).await.unwrap();
    assert_eq!(stored, rows);
}

#[tokio::test]
async fn every_kind_of_value_survives_and_null_is_a_value() {
    #[derive(Serialize, Deserialize)]
    struct Most {
        upn: Option<String>,
        teams: Option<Vec<String>>,
        seen: Option<Timestamp>,
        visits: Option<i64>,
        score: Option<f64>,
        active: Option<bool>,
    }
    let columns = ["upn", "teams", "seen", "visits", "score", "active"];
    let (lake, _folder) = lake();
    let people = [ada(), person("2")];
    lake.upsert(&PEOPLE, Columns::All, &people, &stamp("a")).await.unwrap();
    let same = |rows: Vec<Most>| Ok::<_, LakeError>(rows.into_iter().map(Some).collect());
    let rewritten = lake.rewrite(&PEOPLE, &columns, &Filter::All, same).await.unwrap();
    assert_eq!((rewritten.changed, rewritten.kept, rewritten.version), (0, 2, None));
    let forget = |rows: Vec<Most>| {
        let forget = |row: Most| Some(Most { upn: None, ..row });
        Ok::<_, LakeError>(rows.into_iter().map(forget).collect())
    };
    let rewritten = lake.rewrite(&PEOPLE, &columns, &Filter::All, forget).await.unwrap();
    assert_eq!((rewritten.changed, rewritten.kept), (1, 1));
    let stored: Vec<Person> = lake.read(&PEOPLE, &[], &Filter::All).await.unwrap();
    assert_eq!(stored, [Person { upn: None, ..ada() }, person("2")]);
}

/// The table as a version of the code sees it that does not know all of its columns, and one that knows more.
#[tokio::test]
async fn columns_that_the_code_does_not_know_stay() {
    static NARROW: Table = Table {
        name: "records",
        key: &["day", "id", "subject"],
        partitioned_by: &["day"],
        columns: RECORDS.columns.split_at(3).0,
        description: "",
        written_by: &[],
    };
    let (lake, _folder) = lake();
    store(&lake, &[record(1, "a", "old"), record(2, "b", "gone")], "first").await;
    let rewritten: Result<_, LakeError> = lake.rewrite(&NARROW, &["subject"], &Filter::All, each(renewed)).await;
    assert_eq!(rewritten.unwrap().version, Some(2));
    assert_eq!(all(&lake).await, [record(1, "a", "new")]);
}

#[tokio::test]
async fn a_column_that_is_not_stored_yet_is_null_and_can_be_filled() {
    static NARROW: Table = Table {
        name: "records",
        key: &["day", "id", "subject"],
        partitioned_by: &["day"],
        columns: RECORDS.columns.split_at(3).0,
        description: "",
        written_by: &[],
    };
    #[derive(Serialize, Deserialize)]
    struct What {
        what: Option<String>,
    }
    let (lake, _folder) = lake();
    let row = record(1, "a", "old");
    lake.upsert(&NARROW, Columns::All, std::slice::from_ref(&row), &stamp("a"))
        .await
        .unwrap();
    // About a column that is there, those that are not are no matter.
    let rewritten: Result<_, LakeError> = lake.rewrite(&RECORDS, &["subject"], &Filter::All, each(renewed)).await;
    assert_eq!(rewritten.unwrap().version, Some(2));
    let fill = |rows: Vec<What>| {
        assert!(rows.iter().all(|row| row.what.is_none()));
        let filled = rows.iter().map(|_| {
            Some(What {
                what: Some("x".to_owned()),
            })
        });
        Ok::<_, LakeError>(filled.collect())
    };
    let dry = lake
        .read_only()
        .rewrite(&RECORDS, &["what"], &Filter::All, fill)
        .await
        .unwrap();
    assert_eq!((dry.changed, dry.version), (1, None));
    let rewritten = lake.rewrite(&RECORDS, &["what"], &Filter::All, fill).await.unwrap();
    assert_eq!((rewritten.changed, rewritten.version), (1, Some(4)));
    let expected = Record {
        subject: "new".to_owned(),
        what: Some("x".to_owned()),
        at: None,
        tags: None,
        ..row
    };
    assert_eq!(all(&lake).await, [expected]);
}

#[tokio::test]
async fn an_error_of_the_change_stops_it_with_nothing_committed() {
    let (lake, _folder) = lake();
    store(&lake, &[record(1, "a", "old"), record(2, "b", "broken")], "a").await;
    let change = |rows: Vec<Subject>| {
        if rows.iter().any(|row| row.subject == "broken") {
            return Err(Fault::Own("does not resolve"));
        }
        each(renewed)(rows)
    };
    let error = lake
        .rewrite(&RECORDS, &["subject"], &Filter::All, change)
        .await
        .unwrap_err();
    assert!(matches!(error, Fault::Own("does not resolve")), "{error:?}");
    assert_eq!(lake.describe(&RECORDS).await.unwrap().unwrap().version, 1);
    assert_eq!(all(&lake).await[0].subject, "old");
}

#[tokio::test]
async fn what_a_rewrite_cannot_be_about_is_refused() {
    #[derive(Serialize, Deserialize)]
    struct Loose {
        subject: Option<String>,
    }
    let (lake, _folder) = lake();
    store(&lake, &[record(1, "secret", "secret")], "a").await;
    let refused = async |columns: &[&str], filter: Filter| {
        let error = lake
            .rewrite(&RECORDS, columns, &filter, each(renewed))
            .await
            .unwrap_err();
        let Fault::Lake(error) = error else {
            unreachable!("{error:?}")
        };
        assert!(matches!(error, LakeError::Contract { .. }), "{error:?}");
        error.to_string()
    };
    assert_eq!(
        refused(&["subject", "day"], Filter::All).await,
        "records: day says where a row lies and cannot be rewritten"
    );
    assert_eq!(
        refused(&["invocation_id"], Filter::All).await,
        "records: invocation_id is no column that rows bring"
    );
    assert_eq!(
        refused(&[], Filter::All).await,
        "records: a rewrite names the columns it is about"
    );
    assert_eq!(
        refused(&["subject"], Filter::Equals("id", "secret".to_owned())).await,
        "records: it is not partitioned by id"
    );
    // A field that is not there.
    assert_eq!(
        refused(&["what"], Filter::All).await,
        "records: a value cannot be read as what its column holds (column: unknown)"
    );
    let fewer = |_: Vec<Subject>| Ok::<_, LakeError>(Vec::new());
    let error = lake
        .rewrite(&RECORDS, &["subject"], &Filter::All, fewer)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "records: there are 0 answers for 1 rows");
    let none = |rows: Vec<Loose>| Ok::<_, LakeError>(rows.iter().map(|_| Some(Loose { subject: None })).collect());
    let error = lake
        .rewrite(&RECORDS, &["subject"], &Filter::All, none)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "records: column subject is null, which identifies rows"
    );
    assert_eq!(all(&lake).await, [record(1, "secret", "secret")]);
}

#[tokio::test]
async fn a_dry_run_tells_what_it_would_rewrite_and_no_table_needs_nothing() {
    let (lake, folder) = lake();
    let dry = lake.read_only();
    for lake in [&lake, &dry] {
        let none: Result<_, LakeError> = lake.rewrite(&RECORDS, &["subject"], &Filter::All, each(renewed)).await;
        assert_eq!(none.unwrap(), Rewritten::default());
    }
    assert!(files(folder.path()).is_empty());
    store(&lake, &[record(1, "a", "old"), record(1, "b", "new")], "a").await;
    let before = files(folder.path());
    let would: Result<_, LakeError> = dry.rewrite(&RECORDS, &["subject"], &Filter::All, each(renewed)).await;
    assert_eq!(
        would.unwrap(),
        Rewritten {
            changed: 1,
            kept: 1,
            ..Rewritten::default()
        }
    );
    assert_eq!(files(folder.path()), before);
}

#[tokio::test]
async fn a_table_without_a_key_can_be_rewritten() {
    #[derive(Serialize, Deserialize)]
    struct What {
        what: String,
    }
    let (lake, _folder) = lake();
    let rows = [event(1, "a"), event(1, "b"), event(1, "a")];
    lake.append(&EVENTS, &rows, "x", &stamp("a")).await.unwrap();
    let change = |rows: Vec<What>| {
        let change = |row: What| {
            (row.what != "b").then(|| What {
                what: row.what.to_uppercase(),
            })
        };
        Ok::<_, LakeError>(rows.into_iter().map(change).collect())
    };
    let rewritten = lake.rewrite(&EVENTS, &["what"], &Filter::All, change).await.unwrap();
    assert_eq!((rewritten.changed, rewritten.removed), (2, 1));
    let again = lake.append(&EVENTS, &rows, "x", &stamp("a")).await.unwrap();
    assert_eq!(again.inserted, 0, "the transaction is still known");
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let stored: Vec<What> = lake.read(&EVENTS, &["what"], &Filter::All).await.unwrap();
    for row in stored {
        *counts.entry(row.what).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([("A".to_owned(), 2)]));
}
