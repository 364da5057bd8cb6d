//! Tables gain columns, and what others do to them is noticed.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::tables::{Kind, Table};
use uptake_lake::{Columns, Filter, LakeError};

use crate::tables::{EVENTS, USAGE, Usage, column, event, lake, stamp, usage};

/// The table after a column was added to the code.
static WIDER: Table = Table {
    name: "usage",
    key: &["day", "id"],
    partitioned_by: &["day"],
    columns: &[
        column("day", Kind::Date),
        column("id", Kind::Text),
        column("words", Kind::Integer),
        column("charts", Kind::Integer),
        column("last", Kind::Instant),
        column("apps", Kind::Texts),
    ],
    description: "",
    written_by: &[],
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Wider {
    day: Date,
    id: String,
    words: Option<i64>,
    charts: Option<i64>,
    last: Option<Timestamp>,
    apps: Option<Vec<String>>,
}

fn wider(usage: Usage, apps: Option<&str>) -> Wider {
    Wider {
        day: usage.day,
        id: usage.id,
        words: usage.words,
        charts: usage.charts,
        last: apps.map(|_| stamp("").collected_at),
        apps: apps.map(|app| vec![app.to_owned()]),
    }
}

#[tokio::test]
async fn a_new_column_is_null_until_it_is_written() {
    let (lake, folder) = lake();
    lake.upsert(
        &USAGE,
        Columns::All,
        &[usage(1, "a", 1, 1), usage(2, "a", 1, 1)],
        &stamp("a"),
    )
    .await
    .unwrap();
    let read = || lake.read::<Wider>(&WIDER, &[], &Filter::All);
    let expected = [wider(usage(1, "a", 1, 1), None), wider(usage(2, "a", 1, 1), None)];
    assert_eq!(read().await.unwrap(), expected);

    let rows = [wider(usage(1, "a", 1, 1), Some("x")), wider(usage(1, "b", 1, 1), None)];
    let dry = lake
        .read_only()
        .upsert(&WIDER, Columns::All, &rows, &stamp("b"))
        .await
        .unwrap();
    assert_eq!((dry.inserted, dry.updated), (1, 1));
    assert_eq!(lake.describe(&USAGE).await.unwrap().unwrap().version, 1);

    let written = lake.upsert(&WIDER, Columns::All, &rows, &stamp("b")).await.unwrap();
    assert_eq!((written.inserted, written.updated, written.version), (1, 1, Some(3)));
    let mut stored = read().await.unwrap();
    stored.sort();
    assert_eq!(stored, [rows[0].clone(), rows[1].clone(), expected[1].clone()]);
    let log = std::fs::read_to_string(folder.path().join("usage/_delta_log/00000000000000000002.json")).unwrap();
    assert!(
        log.contains(r#""delta.dataSkippingStatsColumns":"id,last,collected_at""#),
        "{log}"
    );

    // Code that does not know the column yet keeps it.
    lake.upsert(&USAGE, Columns::All, &[usage(1, "a", 9, 9)], &stamp("c"))
        .await
        .unwrap();
    let stored = read().await.unwrap();
    let a = stored.iter().find(|row| row.words == Some(9)).unwrap();
    assert_eq!(a.apps, Some(vec!["x".to_owned()]));
}

#[tokio::test]
async fn appended_rows_may_lie_in_a_table_that_knows_more() {
    static FEWER: Table = Table {
        name: "events",
        key: &[],
        partitioned_by: &["day"],
        columns: &[column("day", Kind::Date)],
        description: "",
        written_by: &[],
    };
    let (lake, _folder) = lake();
    lake.append(&EVENTS, &[event(1, "a")], "1", &stamp("a")).await.unwrap();
    lake.append(&FEWER, &[event(2, "b")], "2", &stamp("a")).await.unwrap();
    assert_eq!(lake.describe(&EVENTS).await.unwrap().unwrap().rows, 2);
}

async fn foreign(table: &'static Table, change: impl FnOnce(String) -> String) -> String {
    let (lake, folder) = lake();
    lake.upsert(&USAGE, Columns::All, &[usage(1, "a", 1, 1)], &stamp("a"))
        .await
        .unwrap();
    let log = folder.path().join("usage/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let changed = change(text.clone());
    std::fs::write(&log, changed).unwrap();
    let error = lake.describe(table).await.unwrap_err();
    assert!(matches!(error, LakeError::Foreign { .. }), "{error:?}");
    assert!(!error.is_transient());
    error.to_string()
}

#[tokio::test]
async fn what_others_change_is_refused() {
    static OTHER_TYPE: Table = Table {
        name: "usage",
        key: &["day", "id"],
        partitioned_by: &["day"],
        columns: &[column("day", Kind::Date), column("id", Kind::Integer)],
        description: "",
        written_by: &[],
    };
    static OTHER_PARTITION: Table = Table {
        name: "usage",
        key: &["id"],
        partitioned_by: &[],
        columns: USAGE.columns,
        description: "",
        written_by: &[],
    };
    let same = |text| text;
    assert_eq!(
        foreign(&OTHER_TYPE, same).await,
        "usage was changed by somebody else: column id is Utf8, not Int64"
    );
    assert_eq!(
        foreign(&OTHER_PARTITION, same).await,
        "usage was changed by somebody else: it is partitioned by [day], not by []"
    );
    let raised = |text: String| {
        text.replace(
            r#""minReaderVersion":1,"minWriterVersion":2"#,
            r#""minReaderVersion":2,"minWriterVersion":5"#,
        )
    };
    assert_eq!(
        foreign(&USAGE, raised).await,
        "usage was changed by somebody else: its protocol was raised to reader 2 and writer 5"
    );
    let broken = |_| "{".to_owned();
    foreign(&USAGE, broken).await;
}

#[tokio::test]
async fn a_data_file_that_is_gone_is_told() {
    let (lake, folder) = lake();
    lake.upsert(&USAGE, Columns::All, &[usage(1, "a", 1, 1)], &stamp("a"))
        .await
        .unwrap();
    std::fs::remove_dir_all(folder.path().join("usage/day=2026-11-01")).unwrap();
    let error = lake.read::<Usage>(&USAGE, &[], &Filter::All).await.unwrap_err();
    assert!(matches!(error, LakeError::Foreign { .. }), "{error:?}");
}
