//! The store as a folder.

use std::fs::{self, File as StdFile};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use uptake_pipeline::ports::{Expected, File, Files, PortError, Version, Written};
use uuid::Uuid;

use super::{Folder, failed};

/// Held while a conditional write compares and replaces, by every process that uses the folder.
const LOCK: &str = ".lock";

#[async_trait]
impl Files for Folder {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        let path = self.checked(key)?;
        read(&path).map_err(|error| failed("reading", &path, &error))
    }

    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        let path = self.checked(key)?;
        Self::replace(&path, &bytes).map_err(|error| failed("writing", &path, &error))
    }

    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError> {
        let path = self.checked(key)?;
        let compare_and_replace = || {
            let _lock = self.lock()?;
            let found = match read(&path)? {
                None => Expected::Absent,
                Some(file) => Expected::Unchanged(file.version),
            };
            if found != expected {
                return Ok(Written::Conflict);
            }
            Self::replace(&path, &bytes).map(|()| Written::Stored)
        };
        compare_and_replace().map_err(|error| failed("writing", &path, &error))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = self.checked(folder)?;
        let mut keys = Vec::new();
        walk(&path, folder, &mut keys).map_err(|error| failed("listing", &path, &error))?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let path = self.checked(key)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("deleting", &path, &error)),
            _ => Ok(()),
        }
    }

    fn location(&self, key: &str) -> String {
        let path = self.path(key);
        std::path::absolute(&path).unwrap_or(path).display().to_string()
    }
}

impl Folder {
    /// A key comes from configuration too; it must not lead out of the store.
    fn checked(&self, key: &str) -> Result<PathBuf, PortError> {
        let leads_out = key.starts_with('/') || key.split('/').any(|part| part == "..");
        if leads_out {
            return Err(PortError::Missing {
                what: format!("the key '{key}' in the store"),
                remedy: "name something inside the store, such as config/emails.json".to_owned(),
            });
        }
        Ok(self.path(key))
    }

    pub(super) fn lock(&self) -> io::Result<StdFile> {
        fs::create_dir_all(&self.root)?;
        let lock = StdFile::create(self.path(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }
}

fn read(path: &Path) -> io::Result<Option<File>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(File {
            version: Version(Uuid::new_v5(&Uuid::NAMESPACE_OID, &bytes).to_string()),
            bytes: bytes.into(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn walk(path: &Path, key: &str, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let key = if key.is_empty() {
            name.clone()
        } else {
            format!("{key}/{name}")
        };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &key, keys)?;
        } else if !name.starts_with('.') {
            keys.push(key);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let folder = tempfile::tempdir().unwrap();
        let files = Folder::new(folder.path().join("store"));
        (folder, files)
    }

    #[tokio::test]
    async fn a_file_is_written_read_listed_and_deleted() {
        let (_folder, files) = folder();
        assert_eq!(files.read("a/b.txt").await.unwrap(), None);
        assert!(files.list("a/").await.unwrap().is_empty());
        files.write("a/b.txt", "1".into()).await.unwrap();
        files.write("a/c/d.txt", "2".into()).await.unwrap();
        files.write("e.txt", "3".into()).await.unwrap();
        assert_eq!(files.read("a/b.txt").await.unwrap().unwrap().bytes, "1");
        assert_eq!(files.list("a/").await.unwrap(), ["a/b.txt", "a/c/d.txt"]);
        assert_eq!(files.list("").await.unwrap(), ["a/b.txt", "a/c/d.txt", "e.txt"]);
        assert_eq!(files.list("a/b").await.unwrap(), ["a/b.txt"]);
        files.delete("a/b.txt").await.unwrap();
        files.delete("a/b.txt").await.unwrap();
        assert_eq!(files.list("a/").await.unwrap(), ["a/c/d.txt"]);
    }

    #[tokio::test]
    async fn a_conditional_write_stores_only_what_was_expected() {
        let (_folder, files) = folder();
        let write = |bytes: &'static str, expected| files.write_if("k", bytes.into(), expected);
        assert_eq!(write("1", Expected::Absent).await.unwrap(), Written::Stored);
        assert_eq!(write("2", Expected::Absent).await.unwrap(), Written::Conflict);
        let first = files.read("k").await.unwrap().unwrap();
        assert_eq!(first.bytes, "1");
        let unchanged = || Expected::Unchanged(first.version.clone());
        assert_eq!(write("3", unchanged()).await.unwrap(), Written::Stored);
        assert_eq!(write("4", unchanged()).await.unwrap(), Written::Conflict);
        assert_eq!(files.read("k").await.unwrap().unwrap().bytes, "3");
    }

    #[test]
    fn of_many_writers_exactly_one_wins() {
        let (_folder, files) = folder();
        let claim = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime
                .block_on(files.write_if("k", "x".into(), Expected::Absent))
                .unwrap()
        };
        let wins = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .filter(|written| *written == Written::Stored)
                .count()
        });
        assert_eq!(wins, 1);
    }

    #[tokio::test]
    async fn a_key_cannot_leave_the_store() {
        let (_folder, files) = folder();
        for key in ["../x", "a/../../x", "/etc/x"] {
            assert!(files.write(key, "x".into()).await.is_err(), "{key}");
            assert!(files.read(key).await.is_err(), "{key}");
        }
    }
}
