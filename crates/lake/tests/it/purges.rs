//! After a purge nothing of what was is to be found, and the table is what it was.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uptake_lake::{Columns, Filter, Lake, LakeError};
use url::Url;

use crate::tables::{RECORDS, Record, files, lake, record, stamp, unpacked};

#[derive(Serialize, Deserialize)]
struct Who {
    id: String,
    subject: String,
    what: Option<String>,
}

const WHO: &[&str] = &["id", "subject", "what"];

/// Words that occur nowhere else and cannot be packed.
const ERASED: &str = "1b9c4f7e6a2d48f0";
const OLD: &str = "7d3e5a90c1b24f86";
const NEW: &str = "f2a8c6041e9b4d73";

/// Takes out one person, and gives another a new name.
#[expect(clippy::unnecessary_wraps, reason = "it is the shape of a change")]
fn change(rows: Vec<Who>) -> Result<Vec<Option<Who>>, LakeError> {
    let renewed = |text: String| text.replace(OLD, NEW);
    let change = |row: Who| {
        (!row.subject.contains(ERASED)).then(|| Who {
            id: renewed(row.id),
            subject: renewed(row.subject),
            what: row.what.map(renewed),
        })
    };
    Ok(rows.into_iter().map(change).collect())
}

fn of(word: &str, day: i8) -> Record {
    record(day, &format!("id of {word}"), &format!("subject {word}"))
}

/// The files below the table's folder that hold a word: as they are, or unpacked.
fn with(folder: &Path, word: &str) -> Vec<String> {
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let raw = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        let packed = path.extension().is_some_and(|kind| kind == "parquet");
        raw || packed && unpacked(bytes).contains(word)
    };
    let found = files(&folder.join("records")).into_iter().filter(holds);
    found
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn log(folder: &Path) -> Vec<String> {
    let log = files(&folder.join("records/_delta_log")).into_iter();
    let mut names: Vec<_> = log
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

async fn all(lake: &Lake) -> Vec<Record> {
    let mut rows: Vec<Record> = lake.read(&RECORDS, &[], &Filter::All).await.unwrap();
    rows.sort();
    rows
}

/// A table with a history: inserts, upserts, a compaction and a checkpoint, and a file of a writer that was killed.
async fn written(lake: &Lake, folder: &Path) {
    for day in 1..=3 {
        lake.insert(&RECORDS, [of(ERASED, day), of(OLD, day), of("other", day)], &stamp("i"))
            .await
            .unwrap();
    }
    for number in 0..20 {
        let row = record(3, &format!("{number} {OLD}"), OLD);
        lake.upsert(&RECORDS, Columns::All, [row], &stamp("u")).await.unwrap();
    }
    let done = lake.maintain(&RECORDS, stamp("m").collected_at).await.unwrap();
    assert!(done.checkpoint.is_some());
    let stored = files(&folder.join("records/day=2026-11-01"));
    std::fs::copy(&stored[0], folder.join("records/day=2026-11-01/part-lost.parquet")).unwrap();
}

#[tokio::test]
async fn values_that_were_taken_out_are_nowhere_afterwards() {
    let (lake, folder) = lake();
    written(&lake, folder.path()).await;
    let rewritten = lake.rewrite(&RECORDS, WHO, &Filter::All, change).await.unwrap();
    assert_eq!((rewritten.removed, rewritten.changed, rewritten.kept), (3, 23, 3));
    let expected = all(&lake).await;

    // They are there still: in files of rows, and in the log, which tells the bounds of ids.
    for word in [ERASED, OLD] {
        let before = with(folder.path(), word);
        let in_data = before.iter().filter(|name| name.starts_with("part-")).count();
        assert!(in_data > 0 && before.len() > in_data, "{word}: {before:?}");
        assert!(
            before.iter().any(|name| name.ends_with(".checkpoint.parquet")),
            "{word}: {before:?}"
        );
    }
    let would = lake.read_only().purge(&RECORDS).await.unwrap();
    assert!(would > 40, "{would}");
    assert!(!with(folder.path(), OLD).is_empty());

    assert_eq!(lake.purge(&RECORDS).await.unwrap(), would);
    for word in [ERASED, OLD] {
        assert_eq!(with(folder.path(), word), [""; 0], "{word}");
    }
    assert!(!with(folder.path(), NEW).is_empty());
    assert_eq!(all(&lake).await, expected);
    let state = lake.describe(&RECORDS).await.unwrap().unwrap();
    let data = files(&folder.path().join("records")).len() - log(folder.path()).len();
    assert_eq!(data as u64, state.files);

    // Once more finds nothing.
    let before = files(folder.path());
    assert_eq!(lake.purge(&RECORDS).await.unwrap(), 0);
    assert_eq!(files(folder.path()), before);
    assert_eq!(lake.describe(&RECORDS).await.unwrap().unwrap(), state);
}

#[tokio::test]
async fn others_read_a_purged_table_and_the_lake_goes_on_with_it() {
    let (lake, folder) = lake();
    written(&lake, folder.path()).await;
    lake.rewrite(&RECORDS, WHO, &Filter::All, change).await.unwrap();
    lake.purge(&RECORDS).await.unwrap();
    let url = Url::from_directory_path(folder.path().join("records")).unwrap();
    let theirs = deltalake::open_table(url.clone()).await.unwrap();
    let state = lake.describe(&RECORDS).await.unwrap().unwrap();
    assert_eq!(theirs.version(), Some(state.version));
    assert_eq!(theirs.get_file_uris().unwrap().count() as u64, state.files);
    // A version of before is not told wrongly but not at all.
    for version in 0..state.version {
        let before = deltalake::open_table_with_version(url.clone(), version).await;
        before.unwrap_err();
    }
    // One who does not know where the last checkpoint is.
    std::fs::remove_file(folder.path().join("records/_delta_log/_last_checkpoint")).unwrap();
    assert_eq!(deltalake::open_table(url).await.unwrap().version(), Some(state.version));

    let known = lake
        .insert(&RECORDS, [of(NEW, 1), of("new", 1)], &stamp("i"))
        .await
        .unwrap();
    assert_eq!((known.inserted, known.unchanged), (1, 1));
    lake.upsert(&RECORDS, Columns::All, [of("new", 2)], &stamp("u"))
        .await
        .unwrap();
    lake.maintain(&RECORDS, stamp("m").collected_at).await.unwrap();
    let expected = all(&lake).await;
    assert_eq!(expected.len(), 28);
    lake.rewrite(&RECORDS, WHO, &Filter::All, change).await.unwrap();
    assert!(lake.purge(&RECORDS).await.unwrap() > 0);
    assert_eq!(all(&lake).await, expected);
}

/// Older than anybody works on one commit.
#[tokio::test]
async fn entries_of_the_log_that_are_old_go_as_a_whole() {
    let (lake, folder) = lake();
    written(&lake, folder.path()).await;
    let rows = all(&lake).await;
    for path in files(&folder.path().join("records/_delta_log")) {
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        file.set_modified(written - Duration::from_hours(25)).unwrap();
    }
    lake.purge(&RECORDS).await.unwrap();
    let version = lake.describe(&RECORDS).await.unwrap().unwrap().version;
    let expected = [
        format!("{version:020}.checkpoint.parquet"),
        format!("{version:020}.json"),
        "_last_checkpoint".to_owned(),
    ];
    assert_eq!(log(folder.path()), expected);
    assert_eq!(all(&lake).await, rows);
    lake.upsert(&RECORDS, Columns::All, [of("new", 2)], &stamp("u"))
        .await
        .unwrap();
    assert_eq!(all(&lake).await.len(), rows.len() + 1);
}

#[tokio::test]
async fn a_subject_is_never_in_the_log() {
    let (lake, folder) = lake();
    lake.insert(&RECORDS, [record(1, "id", OLD)], &stamp("i"))
        .await
        .unwrap();
    let made = std::fs::read_to_string(folder.path().join("records/_delta_log/00000000000000000000.json")).unwrap();
    assert!(
        made.contains(r#""delta.dataSkippingStatsColumns":"id,at,collected_at""#),
        "{made}"
    );
    let found = with(folder.path(), OLD);
    assert!(found.iter().all(|name| name.starts_with("part-")), "{found:?}");
}

#[tokio::test]
async fn a_table_that_is_not_there_or_new_needs_no_purge() {
    let (lake, folder) = lake();
    assert_eq!(lake.purge(&RECORDS).await.unwrap(), 0);
    assert!(files(folder.path()).is_empty());
}
