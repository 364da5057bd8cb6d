//! Whatever is upserted in whatever order, the table is what a map would be.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proptest::prelude::*;
use uptake_lake::{Columns, Filter, Lake, Written};

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

type Model = BTreeMap<(Date, String), (Usage, String)>;

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
    fn a_table_is_a_map(upserts in proptest::collection::vec((given(), rows()), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (lake, _folder) = lake();
            let mut model = Model::new();
            let mut version = 0;
            for (number, (given, rows)) in upserts.into_iter().enumerate() {
                let invocation = number.to_string();
                let dry = lake.read_only().upsert(&USAGE, given.columns(), &rows, &stamp(&invocation)).await.unwrap();
                let mut written = lake.upsert(&USAGE, given.columns(), &rows, &stamp(&invocation)).await.unwrap();
                let expected = expect(&mut model, given, &rows, &invocation);
                if expected.inserted + expected.updated > 0 {
                    version += 1;
                    assert_eq!(written.version, Some(version), "one version for each upsert");
                }
                written.version = None;
                assert_eq!(written, expected);
                assert_eq!(dry, expected, "a dry run counts the same");
                assert_eq!(stored(&lake).await, model);
            }
        });
    }
}
