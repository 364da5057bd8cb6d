//! The ports on a folder: what AWS would hold, as files of the same names and shape.

mod files;
mod logs;
mod mail;
mod metrics;
mod queue;
mod versions;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::SecretString;
use uptake_domain::tables::{self, Table};
use uptake_lake::Lake;
use uptake_pipeline::outcome::PipelineError;
use uptake_pipeline::ports::{PortError, Secrets};

/// A folder as store, metrics, logs and mail.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    engagement: PathBuf,
}

impl Folder {
    /// The folder; it is made when something is first written. The engagement tables lie below it.
    pub fn new(root: PathBuf) -> Self {
        let engagement = root.join("engagement");
        Self { root, engagement }
    }

    /// The same with the engagement tables elsewhere.
    #[must_use]
    pub fn with_engagement(self, engagement: PathBuf) -> Self {
        Self { engagement, ..self }
    }

    /// The path of a key.
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// The tables in it.
    pub fn lake(&self) -> Result<Lake, PipelineError> {
        Ok(Lake::in_folder(&self.path("lake"))?)
    }

    /// The engagement tables.
    pub fn engagement_lake(&self) -> Result<Lake, PipelineError> {
        Ok(Lake::in_folder(&self.engagement)?)
    }

    /// Where the engagement tables lie, for people.
    pub fn engagement_location(&self) -> String {
        self.engagement.display().to_string()
    }

    /// The lake that a table lies in.
    pub fn lake_of(&self, table: &Table) -> Result<Lake, PipelineError> {
        if tables::ENGAGEMENT.contains(&table) {
            self.engagement_lake()
        } else {
            self.lake()
        }
    }

    /// Writes a file whole or not at all: beside its place first, then moved there.
    fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder)?;
        let beside = folder.join(format!(".{}.part", uuid::Uuid::new_v4()));
        let mut file = fs::File::create_new(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, path)
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> PortError {
    let what = format!("{what} {}", path.display());
    if error.kind() == io::ErrorKind::PermissionDenied {
        PortError::Denied {
            what,
            grant: "your user access to the folder".to_owned(),
        }
    } else {
        PortError::Unavailable {
            what,
            reason: error.to_string(),
        }
    }
}

/// On a laptop secrets come with the environment; there is no parameter to read.
#[derive(Clone, Copy, Debug)]
pub struct NoParameters;

#[async_trait]
impl Secrets for NoParameters {
    async fn read(&self, parameter: &str) -> Result<SecretString, PortError> {
        Err(PortError::Unavailable {
            what: format!("SSM parameter {parameter}"),
            reason: "the command line reads secrets from the environment only".to_owned(),
        })
    }
}
