//! Maintenance changes how rows lie, not what they are.

use jiff::{SignedDuration, Timestamp};
use uptake_lake::{Columns, Filter, Maintenance};

use crate::tables::{EVENTS, Event, USAGE, Usage, data_files, event, files, lake, stamp, usage};

/// The files' own time is the machine's, so tests of their age begin there.
#[expect(clippy::disallowed_methods, reason = "compared with the times of files")]
fn in_days(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

#[tokio::test]
async fn small_files_become_one_and_the_old_ones_go_after_a_week() {
    let (lake, folder) = lake();
    let mut expected = Vec::new();
    for number in 0..12 {
        let name = format!("{number:02}");
        lake.append(&EVENTS, &[event(1, &name)], &name, &stamp(&name))
            .await
            .unwrap();
        expected.push(event(1, &name));
    }
    lake.append(&EVENTS, &[event(2, "alone")], "alone", &stamp("a"))
        .await
        .unwrap();
    expected.push(event(2, "alone"));

    let would = lake.read_only().maintain(&EVENTS, in_days(0)).await.unwrap();
    assert_eq!((would.compacted, would.into), (12, 1));
    assert_eq!(lake.describe(&EVENTS).await.unwrap().unwrap().files, 13);

    let done = lake.maintain(&EVENTS, in_days(0)).await.unwrap();
    assert_eq!(
        done,
        Maintenance {
            compacted: 12,
            into: 1,
            ..Maintenance::default()
        }
    );
    let state = lake.describe(&EVENTS).await.unwrap().unwrap();
    assert_eq!((state.rows, state.files), (13, 2));
    assert_eq!(data_files(folder.path(), &EVENTS), 14);

    let would = lake.read_only().maintain(&EVENTS, in_days(8)).await.unwrap();
    assert_eq!(would.vacuumed, 12);
    assert_eq!(data_files(folder.path(), &EVENTS), 14);
    let done = lake.maintain(&EVENTS, in_days(8)).await.unwrap();
    assert_eq!(done.vacuumed, 12);
    assert_eq!(data_files(folder.path(), &EVENTS), 2);

    let mut rows: Vec<Event> = lake.read(&EVENTS, &[], &Filter::All).await.unwrap();
    rows.sort();
    assert_eq!(rows, expected);
    // What was appended before the compaction is still not appended again.
    let again = lake
        .append(&EVENTS, &[event(1, "00")], "00", &stamp("00"))
        .await
        .unwrap();
    assert_eq!(again.inserted, 0);
    let done = lake.maintain(&EVENTS, in_days(8)).await.unwrap();
    assert_eq!(
        done,
        Maintenance::default(),
        "nothing is left to do, so nothing is written"
    );
}

#[tokio::test]
async fn files_of_a_commit_that_never_was_go_too() {
    let (lake, folder) = lake();
    lake.append(&EVENTS, &[event(1, "a")], "a", &stamp("a")).await.unwrap();
    let orphan = folder.path().join("events/day=2026-11-01/part-orphan.parquet");
    std::fs::write(&orphan, b"of a writer that was cut off").unwrap();
    lake.maintain(&EVENTS, in_days(6)).await.unwrap();
    assert!(orphan.exists(), "its writer may still be at it");
    lake.maintain(&EVENTS, in_days(8)).await.unwrap();
    assert!(!orphan.exists());
    assert_eq!(
        lake.read::<Event>(&EVENTS, &[], &Filter::All).await.unwrap(),
        [event(1, "a")]
    );
}

#[tokio::test]
async fn a_table_of_many_versions_is_still_read() {
    let (lake, folder) = lake();
    for words in 1..=105 {
        lake.upsert(&USAGE, Columns::All, &[usage(1, "a", words, 0)], &stamp("a"))
            .await
            .unwrap();
    }
    // Delta's own, at every hundredth version.
    assert!(folder.path().join("usage/_delta_log/_last_checkpoint").exists());
    assert_eq!(lake.maintain(&USAGE, in_days(0)).await.unwrap().checkpoint, None);
    for words in 106..=125 {
        lake.upsert(&USAGE, Columns::All, &[usage(1, "a", words, 0)], &stamp("a"))
            .await
            .unwrap();
    }
    assert_eq!(lake.maintain(&USAGE, in_days(0)).await.unwrap().checkpoint, Some(125));
    // The log before the checkpoint is not needed to read.
    for path in files(&folder.path().join("usage/_delta_log")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|kind| kind == "json") && name < "00000000000000000125" {
            std::fs::remove_file(path).unwrap();
        }
    }
    let rows: Vec<Usage> = lake.read(&USAGE, &[], &Filter::All).await.unwrap();
    assert_eq!(rows, [usage(1, "a", 125, 0)]);
    let written = lake
        .upsert(&USAGE, Columns::All, &[usage(1, "a", 126, 0)], &stamp("a"))
        .await
        .unwrap();
    assert_eq!(written.version, Some(126));
}

#[tokio::test]
async fn a_table_that_is_not_there_needs_nothing() {
    let (lake, folder) = lake();
    assert_eq!(
        lake.maintain(&EVENTS, in_days(0)).await.unwrap(),
        Maintenance::default()
    );
    assert!(files(folder.path()).is_empty());
}
