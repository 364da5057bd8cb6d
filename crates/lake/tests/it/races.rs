//! Writers at the same time lose nothing of each other.

use std::sync::Arc;

use jiff::civil::date;
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uptake_lake::{Columns, Filter, Lake, LakeError};

use crate::tables::{EVENTS, Event, USAGE, Usage, event, lake, stamp, usage};

/// Runs tasks that begin at the same moment.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    tasks: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let tasks: Vec<F> = tasks.into_iter().collect();
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let mut running = JoinSet::new();
    for task in tasks {
        let barrier = barrier.clone();
        running.spawn(async move {
            barrier.wait().await;
            task.await
        });
    }
    running.join_all().await
}

async fn all(lake: &Lake) -> Vec<Usage> {
    let mut rows: Vec<Usage> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
    rows.sort();
    rows
}

fn ids(prefix: &str) -> impl Iterator<Item = String> + use<'_> {
    (0..20).map(move |number| format!("{prefix}{number:02}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_may_be_made_by_two_at_once() {
    for _ in 0..5 {
        let (lake, _folder) = lake();
        let tasks = ["a", "b", "c"].map(|prefix| {
            let lake = lake.clone();
            async move {
                let rows: Vec<_> = ids(prefix).map(|id| usage(1, &id, 1, 1)).collect();
                lake.upsert(&USAGE, Columns::All, &rows, &stamp(prefix)).await.unwrap();
            }
        });
        together(tasks).await;
        let state = lake.describe(&USAGE).await.unwrap().unwrap();
        assert_eq!((state.rows, state.version), (60, 3));
    }
}

#[derive(Serialize)]
struct OwnCharts {
    day: jiff::civil::Date,
    id: String,
    charts: i64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_columns_of_the_same_rows_are_all_kept() {
    let (lake, _folder) = lake();
    let rows: Vec<_> = ids("").map(|id| usage(1, &id, 0, 0)).collect();
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
    for round in 1..=5 {
        let (words, charts) = (lake.clone(), lake.clone());
        let tasks: [futures::future::BoxFuture<'static, ()>; 2] = [
            Box::pin(async move {
                let rows: Vec<_> = ids("").map(|id| usage(1, &id, round, 0)).collect();
                let columns = Columns::Only(&["day", "id", "words"]);
                words.upsert(&USAGE, columns, &rows, &stamp("w")).await.unwrap();
            }),
            Box::pin(async move {
                let day = date(2026, 11, 1);
                let rows: Vec<_> = ids("").map(|id| OwnCharts { day, id, charts: round }).collect();
                let columns = Columns::Only(&["day", "id", "charts"]);
                charts.upsert(&USAGE, columns, &rows, &stamp("c")).await.unwrap();
            }),
        ];
        together(tasks).await;
        let expected: Vec<_> = ids("").map(|id| usage(1, &id, round, round)).collect();
        assert_eq!(all(&lake).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_partitions_are_all_kept() {
    let (lake, _folder) = lake();
    let tasks = (1..=8).map(|day| {
        let lake = lake.clone();
        async move {
            for words in 1..=3 {
                let rows: Vec<_> = ids("").map(|id| usage(day, &id, words, 0)).collect();
                lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
            }
        }
    });
    together(tasks).await;
    let rows = all(&lake).await;
    assert_eq!(rows.len(), 160);
    assert!(rows.iter().all(|row| row.words == Some(3)));
}

/// Each writer brings its own row and counts on from what it stored before: a lost update would be a missing row or a
/// count that is too small.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_counters_in_one_file_lose_nothing() {
    let (lake, _folder) = lake();
    let tasks = (0..6).map(|writer| {
        let lake = lake.clone();
        async move {
            let id = format!("{writer}");
            for _ in 0..6 {
                let rows: Vec<Usage> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
                let own = rows.into_iter().find(|row| row.id == id);
                let count = own.and_then(|row| row.words).unwrap_or(0);
                let rows = [usage(1, &id, count + 1, 0)];
                lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
            }
        }
    });
    together(tasks).await;
    let rows = all(&lake).await;
    assert_eq!(rows.iter().filter_map(|row| row.words).collect::<Vec<_>>(), [6; 6]);
    assert_eq!(lake.describe(&USAGE).await.unwrap().unwrap().version, 36);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_at_once_are_all_kept_and_equal_ones_once() {
    let (lake, _folder) = lake();
    let tasks = (0..12).map(|writer| {
        let lake = lake.clone();
        async move {
            // Two writers for each transaction.
            let name = format!("{}", writer / 2);
            lake.append(&EVENTS, &[event(1, &name)], &name, &stamp("a"))
                .await
                .unwrap();
        }
    });
    together(tasks).await;
    let mut rows: Vec<Event> = lake.read(&EVENTS, &[], &Filter::All).await.unwrap();
    rows.sort();
    let names: Vec<_> = rows.iter().map(|row| row.what.as_str()).collect();
    assert_eq!(names, ["0", "1", "2", "3", "4", "5"]);
}

/// A table whose rows can be appended by one piece of code and upserted by another does not exist; compaction is what
/// rewrites files while others append.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_and_compactions_at_once_keep_every_row() {
    let (lake, _folder) = lake();
    for number in 0..10 {
        let name = format!("before {number}");
        lake.append(&EVENTS, &[event(1, &name)], &name, &stamp("a"))
            .await
            .unwrap();
    }
    let tasks = (0..6).map(|writer| {
        let lake = lake.clone();
        async move {
            if writer % 2 == 0 {
                lake.maintain(&EVENTS, stamp("m").collected_at).await.unwrap();
            } else {
                for number in 0..5 {
                    let name = format!("{writer} {number}");
                    lake.append(&EVENTS, &[event(1, &name)], &name, &stamp("a"))
                        .await
                        .unwrap();
                }
            }
        }
    });
    together(tasks).await;
    let rows: Vec<Event> = lake.read(&EVENTS, &[], &Filter::All).await.unwrap();
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| &row.what).collect();
    assert_eq!((rows.len(), names.len()), (25, 25));
}

#[derive(Deserialize)]
struct Id {
    #[expect(dead_code, reason = "only counted")]
    id: String,
}

/// Upserts and appends of one Delta table, through two tables of the code with the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_and_upserts_at_once_keep_every_row() {
    static APPENDED: uptake_domain::tables::Table = uptake_domain::tables::Table {
        name: "usage",
        key: &[],
        partitioned_by: &["day"],
        columns: USAGE.columns,
        description: "",
        written_by: &[],
    };
    let (lake, _folder) = lake();
    let tasks = (0..6_i64).map(|writer| {
        let lake = lake.clone();
        async move {
            for number in 0..4 {
                let name = format!("{writer} {number}");
                let rows = [usage(1, &name, writer, 0)];
                if writer % 2 == 0 {
                    lake.append(&APPENDED, &rows, &name, &stamp("a")).await.unwrap();
                } else {
                    lake.upsert(&USAGE, Columns::All, &rows, &stamp("u")).await.unwrap();
                }
            }
        }
    });
    together(tasks).await;
    let rows: Vec<Id> = lake.read(&USAGE, &["id"], &Filter::All).await.unwrap();
    assert_eq!(rows.len(), 24);
}

/// Batches of the same feed overlap, and one delivery may be made twice at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inserts_of_the_same_rows_at_once_store_each_once() {
    for _ in 0..3 {
        let (lake, _folder) = lake();
        let tasks = (0..3_i64).map(|writer| {
            let lake = lake.clone();
            async move {
                let mut inserted = 0;
                for batch in 0..5 {
                    // Each batch begins before the one of the next writer ends, on two days.
                    let ids = batch * 20 + writer * 5..batch * 20 + writer * 5 + 30;
                    let rows: Vec<_> = ids
                        .map(|id| usage(1 + i8::from(id % 2 == 0), &format!("{id:03}"), id, 0))
                        .collect();
                    inserted += lake.insert(&USAGE, &rows, &stamp("i")).await.unwrap().inserted;
                }
                inserted
            }
        });
        let inserted: u64 = together(tasks).await.into_iter().sum();
        let mut rows = all(&lake).await;
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        let ids: Vec<_> = rows.iter().filter_map(|row| row.words).collect();
        assert_eq!(ids, (0..120).collect::<Vec<_>>());
        assert_eq!(inserted, 120, "and each is told as inserted once");
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Words {
    words: i64,
}

/// Each rewrite adds one to all rows that are there, whoever brings them: a lost one would be a count that is too small,
/// and one that was done twice a count that is too large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rewrites_inserts_and_purges_at_once_lose_nothing() {
    const ROUNDS: i64 = 5;
    let add = |rows: Vec<Words>| {
        let add = |row: Words| Some(Words { words: row.words + 1 });
        Ok::<_, LakeError>(rows.into_iter().map(add).collect())
    };
    let (lake, _folder) = lake();
    lake.insert(&USAGE, [usage(1, "first", 0, 0)], &stamp("a"))
        .await
        .unwrap();
    let tasks = (0..5).map(|writer| {
        let lake = lake.clone();
        async move {
            for round in 0..ROUNDS {
                // What is being read may be purged. That is worth another try.
                let row = [usage(2, &format!("{writer} {round}"), 0, 0)];
                while let Err(error) = match writer {
                    0 => lake.purge(&USAGE).await.map(|_| ()),
                    1 | 2 => lake.rewrite(&USAGE, &["words"], &Filter::All, add).await.map(|_| ()),
                    _ => lake.insert(&USAGE, &row, &stamp("i")).await.map(|_| ()),
                } {
                    assert!(error.is_transient(), "{error:?}");
                }
            }
        }
    });
    together(tasks).await;
    let rows = all(&lake).await;
    assert_eq!(rows.len(), 11);
    assert_eq!(rows[0].words, Some(2 * ROUNDS));
    lake.purge(&USAGE).await.unwrap();
    assert_eq!(all(&lake).await, rows);
}

/// An append fits in behind others, but not behind a purge, which may have taken its files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_and_purges_at_once_keep_every_row() {
    let (lake, _folder) = lake();
    let tasks = (0..6).map(|writer| {
        let lake = lake.clone();
        async move {
            for number in 0..5 {
                let name = format!("{writer} {number}");
                let row = [event(1, &name)];
                while let Err(error) = if writer % 3 == 0 {
                    lake.purge(&EVENTS).await.map(|_| ())
                } else {
                    lake.append(&EVENTS, &row, &name, &stamp("a")).await.map(|_| ())
                } {
                    assert!(error.is_transient(), "{error:?}");
                }
            }
        }
    });
    together(tasks).await;
    let rows: Vec<Event> = lake.read(&EVENTS, &[], &Filter::All).await.unwrap();
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| &row.what).collect();
    assert_eq!((rows.len(), names.len()), (20, 20));
}
