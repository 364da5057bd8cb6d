//! A store that takes a commit and then fails, as S3 may: the writes must neither be lost nor doubled.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
use jiff::civil::date;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use uptake_domain::tables::{Column, Kind, Table};
use url::Url;

use crate::{Columns, Filter, Lake, Stamp};

/// What the caller hears of a commit that is stored all the same.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// That the store failed.
    Failure,
    /// That the version is taken: the store's client repeated the request by itself.
    Taken,
}

/// Fails on every second commit.
#[derive(Debug)]
struct Faulty {
    inner: LocalFileSystem,
    commits: AtomicUsize,
    fault: Fault,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
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
            });
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
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
    let faulty = Arc::new(Faulty {
        inner: LocalFileSystem::new(),
        commits: AtomicUsize::new(0),
        fault,
    });
    let lake = Lake::over(faulty.clone(), Url::from_directory_path(folder.path()).unwrap());
    (lake, faulty, folder)
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
