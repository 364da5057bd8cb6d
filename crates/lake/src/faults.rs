//! A store that fails as S3 may, or at the moment at which a process is killed: writes must neither be lost nor doubled
//! nor done by half.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::ObjectStore;
use deltalake::logstore::object_store::local::LocalFileSystem;
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use jiff::civil::date;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use uptake_domain::tables::{Column, Kind, Table};
use url::Url;

use crate::{Columns, Filter, Lake, LakeError, Stamp};

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Of every second commit, which is stored all the same, the caller hears that the store failed.
    Failure,
    /// Of every second commit, which is stored all the same, the caller hears that the version is taken: the store's
    /// client repeated the request by itself.
    Taken,
    /// After so many calls no other one does anything, as if the process had been killed.
    Death(usize),
}

#[derive(Debug)]
struct Faulty {
    inner: LocalFileSystem,
    commits: AtomicUsize,
    fault: Fault,
    calls: Arc<AtomicUsize>,
    bytes: AtomicU64,
}

impl Faulty {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            inner: LocalFileSystem::new(),
            commits: AtomicUsize::new(0),
            fault,
            calls: Arc::default(),
            bytes: AtomicU64::new(0),
        })
    }

    /// Whether one more call does anything.
    fn alive(&self) -> Result<()> {
        alive(self.fault, &self.calls)
    }
}

fn alive(fault: Fault, calls: &AtomicUsize) -> Result<()> {
    let before = calls.fetch_add(1, Ordering::Relaxed);
    match fault {
        Fault::Death(last) if before >= last => Err(Error::Generic {
            store: "faulty",
            source: "killed".into(),
        }),
        _ => Ok(()),
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.alive()?;
        let put = self.inner.put_opts(location, payload, options).await?;
        let is_commit = location.as_ref().contains("/_delta_log/") && location.extension() == Some("json");
        if is_commit && self.commits.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            let path = location.to_string();
            return Err(match self.fault {
                Fault::Failure => Error::Generic {
                    store: "faulty",
                    source: "500".into(),
                },
                Fault::Taken => Error::AlreadyExists {
                    path,
                    source: "412".into(),
                },
                Fault::Death(_) => return Ok(put),
            });
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        let got = self.inner.get_opts(location, options).await?;
        let range = &got.range;
        self.bytes.fetch_add(range.end - range.start, Ordering::Relaxed);
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.alive()?;
        let got = self.inner.get_ranges(location, ranges).await?;
        let bytes = got.iter().map(|part| part.len() as u64).sum();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (fault, calls) = (self.fault, self.calls.clone());
        let each = locations.map(move |location| alive(fault, &calls).and(location));
        self.inner.delete_stream(each.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.alive()?;
        self.inner.copy_opts(from, to, options).await
    }
}

const COLUMNS: &[Column] = &[
    Column {
        name: "day",
        kind: Kind::Date,
        meaning: "",
    },
    Column {
        name: "id",
        kind: Kind::Integer,
        meaning: "",
    },
];

static ROWS: Table = Table {
    name: "rows",
    key: &["id", "day"],
    partitioned_by: &["day"],
    columns: COLUMNS,
    description: "",
    written_by: &[],
};

static LINES: Table = Table {
    name: "lines",
    key: &[],
    partitioned_by: &["day"],
    columns: COLUMNS,
    description: "",
    written_by: &[],
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    day: jiff::civil::Date,
    id: i64,
}

fn faulty(fault: Fault) -> (Lake, Arc<Faulty>, TempDir) {
    let folder = TempDir::new().unwrap();
    let faulty = Faulty::new(fault);
    let lake = over(&faulty, &folder);
    (lake, faulty, folder)
}

fn over(faulty: &Arc<Faulty>, folder: &TempDir) -> Lake {
    Lake::over(faulty.clone(), Url::from_directory_path(folder.path()).unwrap())
}

fn stamp() -> Stamp {
    Stamp {
        collected_at: jiff::Timestamp::UNIX_EPOCH,
        invocation_id: "a".to_owned(),
    }
}

#[tokio::test]
async fn a_commit_that_landed_though_it_failed_counts_once() {
    for fault in [Fault::Failure, Fault::Taken] {
        let (lake, faulty, _folder) = faulty(fault);
        let stamp = stamp();
        let day = date(2026, 11, 22);
        for id in 0..12 {
            let row = [Row { day, id }];
            let written = lake.upsert(&ROWS, Columns::All, &row, &stamp).await.unwrap();
            assert_eq!(written.version, Some(id.unsigned_abs() + 1), "{fault:?}");
            assert_eq!(written.inserted, 1);
            let written = lake.append(&LINES, &row, &id.to_string(), &stamp).await.unwrap();
            assert_eq!(written.inserted, 1, "{fault:?}");
        }
        // Two tables made, and each row committed once.
        assert_eq!(faulty.commits.load(Ordering::Relaxed), 26);
        for table in [&ROWS, &LINES] {
            let mut rows: Vec<Row> = lake.read(table, &["day", "id"], &Filter::All).await.unwrap();
            rows.sort_by_key(|row| row.id);
            assert_eq!(rows, (0..12).map(|id| Row { day, id }).collect::<Vec<_>>(), "{fault:?}");
        }
        let done = lake.maintain(&LINES, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(done.compacted, 12);
        assert_eq!(lake.describe(&LINES).await.unwrap().unwrap().rows, 12);
    }
}

/// A replacement without rows takes files away and adds none.
#[tokio::test]
async fn an_emptied_day_whose_commit_failed_though_it_landed_is_told_as_emptied() {
    for fault in [Fault::Failure, Fault::Taken] {
        let (lake, _faulty, _folder) = faulty(fault);
        let (kept, emptied) = (date(2026, 11, 21), date(2026, 11, 22));
        let of_day = Filter::Equals("day", emptied.to_string());
        for round in 0..4 {
            let rows = [Row { day: kept, id: round }, Row { day: emptied, id: 1 }];
            let written = lake.upsert(&ROWS, Columns::All, &rows, &stamp()).await.unwrap();
            assert_eq!(written.inserted, 2, "{fault:?}");
            // One commit more in some rounds, so that both the good and the bad answer meet each call.
            if round % 2 == 0 {
                let more = [Row {
                    day: kept,
                    id: round + 100,
                }];
                lake.upsert(&ROWS, Columns::All, &more, &stamp()).await.unwrap();
            }
            let before = lake.describe(&ROWS).await.unwrap().unwrap().version;
            let written = lake.replace::<Row>(&ROWS, &of_day, &[], &stamp()).await.unwrap();
            assert_eq!((written.updated, written.version), (1, Some(before + 1)), "{fault:?}");
        }
        let rows: Vec<Row> = lake.read(&ROWS, &["day", "id"], &Filter::All).await.unwrap();
        assert_eq!(rows.len(), 6);
        assert!(rows.iter().all(|row| row.day == kept));
    }
}

#[tokio::test]
async fn an_insert_and_a_rewrite_whose_commit_failed_though_it_landed_count_once() {
    for fault in [Fault::Failure, Fault::Taken] {
        let (lake, _faulty, _folder) = faulty(fault);
        let day = date(2026, 11, 22);
        for id in 0..6 {
            let row = [Row { day, id }];
            let written = lake.insert(&ROWS, &row, &stamp()).await.unwrap();
            assert_eq!((written.inserted, written.unchanged), (1, 0), "{fault:?}");
        }
        for id in 0..5 {
            let rewritten = lake.rewrite(&ROWS, &["id"], &Filter::All, without(id)).await.unwrap();
            assert_eq!(
                (rewritten.removed, rewritten.kept),
                (1, 5 - id.unsigned_abs()),
                "{fault:?}"
            );
        }
        assert_eq!(ids(&lake).await, [5], "{fault:?}");
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Id {
    id: i64,
}

/// Removes the row with this number.
fn without(gone: i64) -> impl FnMut(Vec<Id>) -> std::result::Result<Vec<Option<Id>>, LakeError> {
    move |rows| Ok(rows.into_iter().map(|row| (row.id != gone).then_some(row)).collect())
}

async fn ids(lake: &Lake) -> Vec<i64> {
    let rows: Vec<Id> = lake.read(&ROWS, &["id"], &Filter::All).await.unwrap();
    let mut ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
    ids.sort_unstable();
    ids
}

/// Does something once for each call of the store that it takes, and is killed at that call. The table is then as before
/// or as after, and as after once it is done again. How many calls it takes.
async fn killed_at_every_call(
    prepare: impl AsyncFn(&Lake),
    act: impl AsyncFn(&Lake) -> std::result::Result<u64, LakeError>,
    after: &[i64],
) -> usize {
    let (lake, _faulty, prepared) = faulty(Fault::Death(usize::MAX));
    let (first, second) = (date(2026, 11, 21), date(2026, 11, 22));
    for (day, ids) in [(first, 0..3), (second, 3..6), (second, 6..9)] {
        let rows: Vec<Row> = ids.map(|id| Row { day, id }).collect();
        lake.insert(&ROWS, rows, &stamp()).await.unwrap();
    }
    prepare(&lake).await;
    let before = ids(&lake).await;
    for last in 0..500 {
        let folder = TempDir::new().unwrap();
        copy(prepared.path(), folder.path());
        let lake = over(&Faulty::new(Fault::Death(usize::MAX)), &folder);
        let done = act(&over(&Faulty::new(Fault::Death(last)), &folder)).await;
        let left = ids(&lake).await;
        assert!(left == before || left == after, "killed after {last} calls: {left:?}");
        act(&lake).await.unwrap();
        assert_eq!(ids(&lake).await, after, "killed after {last} calls, then repeated");
        assert_eq!(
            act(&lake).await.unwrap(),
            0,
            "killed after {last} calls: nothing is left to do"
        );
        let more = [Row { day: first, id: 99 }];
        assert_eq!(lake.insert(&ROWS, &more, &stamp()).await.unwrap().inserted, 1);
        if done.is_ok() {
            return last;
        }
    }
    usize::MAX
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test]
async fn an_insert_that_was_killed_can_be_repeated() {
    let act = async |lake: &Lake| {
        let (first, second) = (date(2026, 11, 21), date(2026, 11, 22));
        let rows = [(first, 2), (first, 10), (second, 8), (second, 11)].map(|(day, id)| Row { day, id });
        let written = lake.insert(&ROWS, rows, &stamp()).await?;
        Ok(written.inserted)
    };
    let calls = killed_at_every_call(async |_| (), act, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]).await;
    assert!((10..500).contains(&calls), "{calls}");
}

#[tokio::test]
async fn a_rewrite_that_was_killed_can_be_repeated() {
    let act = async |lake: &Lake| {
        let change = |rows: Vec<Id>| {
            let change = |row: Id| match row.id {
                1 | 4 => None,
                2 | 7 => Some(Id { id: row.id + 100 }),
                _ => Some(row),
            };
            Ok::<_, LakeError>(rows.into_iter().map(change).collect())
        };
        let rewritten = lake.rewrite(&ROWS, &["id"], &Filter::All, change).await?;
        Ok(rewritten.changed + rewritten.removed)
    };
    let calls = killed_at_every_call(async |_| (), act, &[0, 3, 5, 6, 8, 102, 107]).await;
    assert!((10..500).contains(&calls), "{calls}");
}

#[tokio::test]
async fn a_purge_that_was_killed_can_be_repeated() {
    let prepare = async |lake: &Lake| {
        let rewritten = lake.rewrite(&ROWS, &["id"], &Filter::All, without(4)).await;
        assert_eq!(rewritten.unwrap().removed, 1);
    };
    let act = async |lake: &Lake| lake.purge(&ROWS).await;
    let calls = killed_at_every_call(prepare, act, &[0, 1, 2, 3, 5, 6, 7, 8]).await;
    assert!((20..500).contains(&calls), "{calls}");
}

static WIDE: Table = Table {
    name: "wide",
    key: &["day", "id"],
    partitioned_by: &["day"],
    columns: &[
        Column {
            name: "day",
            kind: Kind::Date,
            meaning: "",
        },
        Column {
            name: "id",
            kind: Kind::Text,
            meaning: "",
        },
        Column {
            name: "words",
            kind: Kind::Text,
            meaning: "",
        },
    ],
    description: "",
    written_by: &[],
};

#[derive(Serialize)]
struct Wide {
    day: jiff::civil::Date,
    id: String,
    words: String,
}

/// Rows whose values cannot be packed into less than half of their length.
fn wide(day: jiff::civil::Date, ids: Range<u32>) -> Vec<Wide> {
    let random = |id: u32, salt: u32| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("{id} {salt}").as_bytes());
    let row = |id| Wide {
        day,
        id: random(id, 0).to_string(),
        words: (1..9).map(|salt| random(id, salt).to_string()).collect(),
    };
    ids.map(row).collect()
}

#[tokio::test]
async fn an_insert_fetches_the_keys_of_its_partition_and_nothing_else() {
    let (lake, faulty, _folder) = faulty(Fault::Death(usize::MAX));
    let (day, other) = (date(2026, 11, 22), date(2026, 11, 21));
    lake.insert(&WIDE, wide(day, 0..10_000), &stamp()).await.unwrap();
    lake.insert(&WIDE, wide(other, 0..10_000), &stamp()).await.unwrap();
    let size = lake.describe(&WIDE).await.unwrap().unwrap().bytes / 2;
    assert!(size > 1 << 20, "{size}");

    faulty.bytes.store(0, Ordering::Relaxed);
    let written = lake.insert(&WIDE, wide(day, 9_000..11_000), &stamp()).await.unwrap();
    assert_eq!((written.inserted, written.unchanged), (1_000, 1_000));
    let fetched = faulty.bytes.load(Ordering::Relaxed);
    // A ninth of what is random, the end of the file, and the log.
    assert!(fetched < size / 4, "{fetched} of {size}");
}
