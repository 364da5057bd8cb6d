//! Replacements leave the given rows and no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, date};
use serde::Deserialize;
use tokio::sync::Barrier;
use uptake_lake::{Columns, Filter, Lake, LakeError, Written};

use crate::tables::{EVENTS, PEOPLE, USAGE, Usage, ada, data_files, event, files, lake, stamp, usage};

async fn all(lake: &Lake) -> Vec<Usage> {
    let mut rows: Vec<Usage> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
    rows.sort();
    rows
}

/// Who wrote which row.
async fn writers(lake: &Lake) -> BTreeMap<(Date, String), String> {
    #[derive(Deserialize)]
    struct Writer {
        day: Date,
        id: String,
        invocation_id: String,
    }
    let columns = ["day", "id", "invocation_id"];
    let rows: Vec<Writer> = lake.read(&USAGE, &columns, &Filter::All).await.unwrap();
    rows.into_iter()
        .map(|row| ((row.day, row.id), row.invocation_id))
        .collect()
}

fn november(day: i8) -> Date {
    date(2026, 11, day)
}

fn of_day(day: i8) -> Filter {
    Filter::Equals("day", november(day).to_string())
}

fn of_days(from: i8, to: i8) -> Filter {
    Filter::DatesBetween("day", november(from), november(to))
}

#[tokio::test]
async fn rows_that_are_not_given_go_and_other_days_stay() {
    let (lake, folder) = lake();
    let before = [
        usage(1, "a", 1, 1),
        usage(1, "b", 1, 1),
        usage(1, "c", 1, 1),
        usage(2, "a", 1, 1),
        usage(2, "z", 1, 1),
    ];
    lake.upsert(&USAGE, Columns::All, &before, &stamp("first"))
        .await
        .unwrap();
    // Of the first day a stays as it is, b changes, c goes and d comes.
    let rows = [usage(1, "d", 4, 4), usage(1, "b", 2, 1), usage(1, "a", 1, 1)];
    let written = lake.replace(&USAGE, &of_day(1), &rows, &stamp("second")).await.unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 1,
            updated: 2,
            unchanged: 1,
            version: Some(2)
        }
    );
    let expected = [
        usage(1, "a", 1, 1),
        usage(1, "b", 2, 1),
        usage(1, "d", 4, 4),
        usage(2, "a", 1, 1),
        usage(2, "z", 1, 1),
    ];
    assert_eq!(all(&lake).await, expected);
    let writers = writers(&lake).await;
    let writer = |day, id: &str| writers[&(november(day), id.to_owned())].as_str();
    assert_eq!(
        (writer(1, "a"), writer(2, "a"), writer(2, "z")),
        ("first", "first", "first")
    );
    assert_eq!((writer(1, "b"), writer(1, "d")), ("second", "second"));
    // The second day's file was not touched.
    assert_eq!(data_files(folder.path(), &USAGE), 3);
    assert_eq!(lake.describe(&USAGE).await.unwrap().unwrap().files, 2);
}

#[tokio::test]
async fn where_the_rows_are_those_that_are_stored_nothing_is_written() {
    let (lake, folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(1, "b", 1, 1), usage(2, "a", 1, 1)];
    let made = lake
        .replace(&USAGE, &of_days(1, 2), &rows, &stamp("first"))
        .await
        .unwrap();
    assert_eq!((made.inserted, made.version), (3, Some(1)));
    let before = files(folder.path());
    let again = [rows[2].clone(), rows[1].clone(), rows[0].clone()];
    let written = lake
        .replace(&USAGE, &of_days(1, 2), &again, &stamp("second"))
        .await
        .unwrap();
    assert_eq!(
        written,
        Written {
            unchanged: 3,
            ..Written::default()
        }
    );
    assert_eq!(files(folder.path()), before);
    assert!(writers(&lake).await.values().all(|writer| writer == "first"));
}

#[tokio::test]
async fn one_version_replaces_several_days_those_without_rows_included() {
    let (lake, _folder) = lake();
    let before: Vec<_> = (1..=5).map(|day| usage(day, "a", 1, 1)).collect();
    lake.upsert(&USAGE, Columns::All, &before, &stamp("first"))
        .await
        .unwrap();
    let rows = [usage(2, "a", 2, 2), usage(4, "a", 1, 1), usage(4, "b", 1, 1)];
    let written = lake
        .replace(&USAGE, &of_days(2, 4), &rows, &stamp("second"))
        .await
        .unwrap();
    // The row of the third day goes.
    assert_eq!(
        written,
        Written {
            inserted: 1,
            updated: 2,
            unchanged: 1,
            version: Some(2)
        }
    );
    let expected = [
        usage(1, "a", 1, 1),
        usage(2, "a", 2, 2),
        usage(4, "a", 1, 1),
        usage(4, "b", 1, 1),
        usage(5, "a", 1, 1),
    ];
    assert_eq!(all(&lake).await, expected);
    let days = lake.partition_dates(&USAGE, "day").await.unwrap();
    assert_eq!(days, [november(1), november(2), november(4), november(5)]);
}

#[tokio::test]
async fn no_rows_empty_the_day_and_make_no_table() {
    let (lake, folder) = lake();
    let none: [Usage; 0] = [];
    let written = lake.replace(&USAGE, &of_day(1), &none, &stamp("a")).await.unwrap();
    assert_eq!(written, Written::default());
    assert!(files(folder.path()).is_empty(), "nothing is written");

    let rows = [usage(1, "a", 1, 1), usage(1, "b", 1, 1), usage(2, "a", 1, 1)];
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
    let written = lake.replace(&USAGE, &of_day(1), &none, &stamp("b")).await.unwrap();
    assert_eq!(
        written,
        Written {
            updated: 2,
            version: Some(2),
            ..Written::default()
        }
    );
    assert_eq!(all(&lake).await, [usage(2, "a", 1, 1)]);
    let again = lake.replace(&USAGE, &of_day(1), &none, &stamp("c")).await.unwrap();
    assert_eq!(again, Written::default());
    let returned = lake.replace(&USAGE, &of_day(1), &rows[..1], &stamp("d")).await.unwrap();
    assert_eq!((returned.inserted, returned.version), (1, Some(3)));
}

#[tokio::test]
async fn what_a_replacement_cannot_be_about_is_refused() {
    let (lake, folder) = lake();
    let rows = [usage(1, "secret", 1, 1), usage(2, "secret", 1, 1)];
    let replace = async |filter: Filter, rows: &[Usage]| {
        let error = lake.replace(&USAGE, &filter, rows, &stamp("a")).await.unwrap_err();
        assert!(matches!(error, LakeError::Contract { .. }), "{error}");
        error.to_string()
    };
    for (filter, rows, expected) in [
        (
            Filter::All,
            &rows[..],
            "usage: a replacement names the partitions it is about",
        ),
        (
            of_day(1),
            &rows[..],
            "usage: a row lies outside of what is to be replaced",
        ),
        (
            of_days(2, 9),
            &rows[..],
            "usage: a row lies outside of what is to be replaced",
        ),
        // With a filter that names nothing, no rows would replace nothing and say that all is well.
        (
            Filter::Equals("id", "secret".to_owned()),
            &[],
            "usage: it is not partitioned by id",
        ),
        (
            Filter::DatesBetween("week", november(1), november(2)),
            &[],
            "usage: it is not partitioned by week",
        ),
        (
            of_day(1),
            &[rows[0].clone(), rows[0].clone()],
            "usage: two rows have the same key",
        ),
    ] {
        assert_eq!(replace(filter, rows).await, expected);
    }
    let by_name = Filter::Equals("name", "Ada".to_owned());
    let error = lake
        .replace(&PEOPLE, &by_name, &[ada()], &stamp("a"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "people: it is not partitioned by name");
    let error = lake
        .replace(&EVENTS, &of_day(1), &[event(1, "a")], &stamp("a"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "events: it has no key, so rows can only be appended");
    assert!(files(folder.path()).is_empty(), "nothing is written");
}

#[tokio::test]
async fn a_dry_run_tells_what_it_would_replace() {
    let (lake, folder) = lake();
    let dry = lake.read_only();
    let rows = [usage(1, "a", 1, 1), usage(1, "b", 1, 1)];
    let written = dry.replace(&USAGE, &of_day(1), &rows, &stamp("a")).await.unwrap();
    assert_eq!((written.inserted, written.version), (2, None));
    assert!(files(folder.path()).is_empty());

    lake.replace(&USAGE, &of_day(1), &rows, &stamp("a")).await.unwrap();
    let before = files(folder.path());
    let rows = [usage(1, "a", 2, 1), usage(1, "c", 1, 1)];
    let written = dry.replace(&USAGE, &of_day(1), &rows, &stamp("b")).await.unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 1,
            updated: 2,
            ..Written::default()
        }
    );
    assert_eq!(files(folder.path()), before);
}

/// One writer replaces a day round after round, another writes rows of that day and of the next: whoever is last, no
/// round is seen in part, and the next day loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_and_upserts_at_once_end_as_if_one_had_come_after_the_other() {
    const ROUNDS: i64 = 6;
    let (lake, _folder) = lake();
    lake.upsert(&USAGE, Columns::All, &[usage(3, "a", 0, 0)], &stamp("first"))
        .await
        .unwrap();
    for round in 1..=ROUNDS {
        let barrier = Arc::new(Barrier::new(3));
        let begin = || (lake.clone(), Arc::clone(&barrier));
        let (replacing, at_once) = begin();
        let replaced = tokio::spawn(async move {
            at_once.wait().await;
            let rows: Vec<_> = (0..10).map(|id| usage(1, &format!("r{id}"), round, 0)).collect();
            replacing.replace(&USAGE, &of_day(1), &rows, &stamp("r")).await.unwrap()
        });
        let (upserting, at_once) = begin();
        let upserted = tokio::spawn(async move {
            at_once.wait().await;
            let rows = [usage(1, "u", round, 0), usage(2, &format!("u{round}"), round, 0)];
            upserting
                .upsert(&USAGE, Columns::All, &rows, &stamp("u"))
                .await
                .unwrap()
        });
        let (elsewhere, at_once) = begin();
        let other_day = tokio::spawn(async move {
            at_once.wait().await;
            let rows = [usage(3, "a", round, 0)];
            elsewhere.replace(&USAGE, &of_day(3), &rows, &stamp("e")).await.unwrap()
        });
        let (replaced, upserted) = (replaced.await.unwrap(), upserted.await.unwrap());
        assert_eq!(other_day.await.unwrap().updated, 1);
        let rows = all(&lake).await;
        let of_first: Vec<&Usage> = rows.iter().filter(|row| row.day == november(1)).collect();
        let given: Vec<Usage> = (0..10).map(|id| usage(1, &format!("r{id}"), round, 0)).collect();
        let upsert_came_last = upserted.version > replaced.version;
        let of_upsert = usage(1, "u", round, 0);
        let expected: Vec<&Usage> = given.iter().chain(upsert_came_last.then_some(&of_upsert)).collect();
        assert_eq!(of_first, expected, "round {round}");
        let of_second = rows.iter().filter(|row| row.day == november(2)).count();
        assert_eq!(
            i64::try_from(of_second).unwrap(),
            round,
            "the upserts' own day keeps every row"
        );
        let of_third: Vec<&Usage> = rows.iter().filter(|row| row.day == november(3)).collect();
        assert_eq!(of_third, [&usage(3, "a", round, 0)]);
    }
}
