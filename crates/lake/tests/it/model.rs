//! Whatever is written in whatever order, the table is what a map would be.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::civil::Date;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use uptake_lake::{Columns, Filter, Lake, LakeError, Rewritten, Written};

use crate::tables::{USAGE, Usage, lake, stamp, usage};

/// The columns of one upsert.
#[derive(Clone, Copy, Debug)]
enum Given {
    All,
    Words,
    Charts,
    Key,
}

impl Given {
    fn columns(self) -> Columns {
        match self {
            Self::All => Columns::All,
            Self::Words => Columns::Only(&["day", "id", "words"]),
            Self::Charts => Columns::Only(&["id", "charts", "day"]),
            Self::Key => Columns::Only(&["id", "day"]),
        }
    }

    fn words(self) -> bool {
        matches!(self, Self::All | Self::Words)
    }

    fn charts(self) -> bool {
        matches!(self, Self::All | Self::Charts)
    }
}

fn given() -> impl Strategy<Value = Given> {
    prop_oneof![
        Just(Given::All),
        Just(Given::Words),
        Just(Given::Charts),
        Just(Given::Key)
    ]
}

fn row() -> impl Strategy<Value = Usage> {
    let figure = || proptest::option::of(0_i64..3);
    (1_i8..4, "[ab]{1,2}", figure(), figure()).prop_map(|(day, id, words, charts)| Usage {
        words,
        charts,
        ..usage(day, &id, 0, 0)
    })
}

/// One upsert has each key once.
fn rows() -> impl Strategy<Value = Vec<Usage>> {
    proptest::collection::vec(row(), 0..8).prop_map(|rows| {
        let by_key: BTreeMap<_, _> = rows.into_iter().map(|row| ((row.day, row.id.clone()), row)).collect();
        by_key.into_values().collect()
    })
}

/// One thing that happens to the table.
#[derive(Clone, Debug)]
enum Step {
    Upsert(Given, Vec<Usage>),
    Insert(Vec<Usage>),
    /// Rows with so many words go, and rows whose words are not known get so many.
    Rewrite(i64),
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (given(), rows()).prop_map(|(given, rows)| Step::Upsert(given, rows)),
        3 => rows().prop_map(Step::Insert),
        2 => (0_i64..3).prop_map(Step::Rewrite),
        1 => Just(Step::Purge),
    ]
}

type Model = BTreeMap<(Date, String), (Usage, String)>;

fn expect_inserted(model: &mut Model, rows: &[Usage], invocation: &str) -> Written {
    let mut written = Written::default();
    for row in rows {
        match model.entry((row.day, row.id.clone())) {
            Entry::Occupied(_) => written.unchanged += 1,
            Entry::Vacant(place) => {
                written.inserted += 1;
                place.insert((row.clone(), invocation.to_owned()));
            }
        }
    }
    written
}

#[derive(Debug, Serialize, Deserialize)]
struct Words {
    words: Option<i64>,
}

fn rewrite(number: i64) -> impl FnMut(Vec<Words>) -> Result<Vec<Option<Words>>, LakeError> {
    move |rows| {
        let change = |row: Words| {
            (row.words != Some(number)).then(|| Words {
                words: row.words.or(Some(number)),
            })
        };
        Ok(rows.into_iter().map(change).collect())
    }
}

fn expect_rewritten(model: &mut Model, number: i64) -> Rewritten {
    let before = model.len();
    model.retain(|_, (row, _)| row.words != Some(number));
    let mut rewritten = Rewritten {
        removed: (before - model.len()) as u64,
        ..Rewritten::default()
    };
    for (row, _) in model.values_mut() {
        if row.words.is_none() {
            row.words = Some(number);
            rewritten.changed += 1;
        } else {
            rewritten.kept += 1;
        }
    }
    rewritten
}

fn expect(model: &mut Model, given: Given, rows: &[Usage], invocation: &str) -> Written {
    let mut written = Written::default();
    for row in rows {
        let key = (row.day, row.id.clone());
        let old = model.get(&key).map(|(row, _)| row.clone());
        let mut new = old.clone().unwrap_or_else(|| Usage {
            words: None,
            charts: None,
            ..row.clone()
        });
        if given.words() {
            new.words = row.words;
        }
        if given.charts() {
            new.charts = row.charts;
        }
        match old {
            None => written.inserted += 1,
            Some(old) if old == new => {
                written.unchanged += 1;
                continue;
            }
            Some(_) => written.updated += 1,
        }
        model.insert(key, (new, invocation.to_owned()));
    }
    written
}

async fn stored(lake: &Lake) -> Model {
    #[derive(serde::Deserialize)]
    struct Row {
        day: Date,
        id: String,
        words: Option<i64>,
        charts: Option<i64>,
        invocation_id: String,
    }
    let rows: Vec<Row> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
    let count = rows.len();
    let model: Model = rows
        .into_iter()
        .map(|row| {
            let usage = Usage {
                day: row.day,
                id: row.id.clone(),
                words: row.words,
                charts: row.charts,
            };
            ((row.day, row.id), (usage, row.invocation_id))
        })
        .collect();
    assert_eq!(model.len(), count, "no key is stored twice");
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_a_map(steps in proptest::collection::vec(step(), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (lake, _folder) = lake();
            let mut model = Model::new();
            for (number, step) in steps.into_iter().enumerate() {
                take(&lake, &mut model, step, &number.to_string()).await;
                assert_eq!(stored(&lake).await, model);
            }
        });
    }
}

/// Does `step` to the table and to the model, and compares what they say.
async fn take(lake: &Lake, model: &mut Model, step: Step, invocation: &str) {
    let before = version(lake).await;
    let dry = lake.read_only();
    let stamp = stamp(invocation);
    let next = match step {
        Step::Upsert(given, rows) => {
            let expected = expect(model, given, &rows, invocation);
            let dry = dry.upsert(&USAGE, given.columns(), &rows, &stamp).await.unwrap();
            let written = lake.upsert(&USAGE, given.columns(), &rows, &stamp).await.unwrap();
            compare(dry, written, expected)
        }
        Step::Insert(rows) => {
            let expected = expect_inserted(model, &rows, invocation);
            let dry = dry.insert(&USAGE, &rows, &stamp).await.unwrap();
            let written = lake.insert(&USAGE, &rows, &stamp).await.unwrap();
            compare(dry, written, expected)
        }
        Step::Rewrite(number) => {
            let expected = expect_rewritten(model, number);
            let dry = dry
                .rewrite(&USAGE, &["words"], &Filter::All, rewrite(number))
                .await
                .unwrap();
            assert_eq!(dry, expected, "a dry run counts the same");
            let rewritten = lake
                .rewrite(&USAGE, &["words"], &Filter::All, rewrite(number))
                .await
                .unwrap();
            let version = rewritten.version;
            assert_eq!(
                Rewritten {
                    version: None,
                    ..rewritten
                },
                expected
            );
            assert_eq!(version.is_some(), expected.changed + expected.removed > 0);
            version
        }
        Step::Purge => {
            let dry = dry.purge(&USAGE).await.unwrap();
            assert_eq!(lake.purge(&USAGE).await.unwrap(), dry, "a dry run counts the same");
            assert_eq!(lake.purge(&USAGE).await.unwrap(), 0);
            (dry > 0).then(|| before + 1)
        }
    };
    assert_eq!(version(lake).await, next.unwrap_or(before), "one version for each step");
    assert!(next.is_none_or(|next| next == before + 1));
}

fn compare(dry: Written, written: Written, expected: Written) -> Option<u64> {
    assert_eq!(dry, expected, "a dry run counts the same");
    let version = written.version;
    assert_eq!(version.is_some(), expected.inserted + expected.updated > 0);
    assert_eq!(
        Written {
            version: None,
            ..written
        },
        expected
    );
    version
}

async fn version(lake: &Lake) -> u64 {
    lake.describe(&USAGE).await.unwrap().map_or(0, |state| state.version)
}
