//! What a folder still holds of tables' files that are gone: what writers left who were killed.

use std::fs;
use std::io;
use std::path::Path;

use async_trait::async_trait;
use uptake_pipeline::ports::{PortError, Versions};

use super::{Folder, failed};

#[async_trait]
impl Versions for Folder {
    /// A folder keeps no versions. A file that was being written lies beside its place under a name that ends with `#` and
    /// a number, and stays there if its writer was killed.
    async fn forget(&self, prefix: &str) -> Result<u64, PortError> {
        let path = self.engagement.join(prefix);
        let mut forgotten = 0;
        remove_unfinished(&path, &mut forgotten).map_err(|error| failed("cleaning up", &path, &error))?;
        Ok(forgotten)
    }
}

fn remove_unfinished(folder: &Path, removed: &mut u64) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_unfinished(&entry.path(), removed)?;
        } else if is_unfinished(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
            *removed += 1;
        }
    }
    Ok(())
}

fn is_unfinished(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_killed_writers_left_goes_and_nothing_else_does() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned());
        let engagement = root.path().join("engagement");
        for name in [
            "t/day=1/a.parquet",
            "t/day=1/a.parquet#1",
            "t/_delta_log/0.json#12",
            "tt/a#1",
            "t/b#c",
        ] {
            let path = engagement.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        assert_eq!(folder.forget("t/").await.unwrap(), 2);
        assert_eq!(folder.forget("t/").await.unwrap(), 0);
        assert_eq!(folder.forget("none/").await.unwrap(), 0);
        for name in ["t/day=1/a.parquet", "tt/a#1", "t/b#c"] {
            assert!(engagement.join(name).exists(), "{name}");
        }
    }
}
