//! Where the tables lie, and how one is opened.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use deltalake::arrow::datatypes::Schema;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::logstore::object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use deltalake::logstore::object_store::local::LocalFileSystem;
use deltalake::logstore::object_store::path::Path as StorePath;
use deltalake::logstore::object_store::prefix::PrefixStore;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError, ObjectStore};
use uptake_domain::tables::Table;
use url::{Host, Url};

use crate::LakeError;
use crate::schema::Stored;

/// Tables in a folder or in a bucket. Clones are the same lake.
#[derive(Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    /// Ends with a slash.
    root: Url,
    pub(crate) writes: bool,
}

// The store would print its credentials.
impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake")
            .field("root", &self.root.as_str())
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

/// A table that is there.
pub(crate) struct Opened {
    pub(crate) delta: DeltaTable,
    pub(crate) stored: Stored,
}

impl Lake {
    /// The tables under the folder `root`, each in a folder of its own with the table's name. A folder that is not there
    /// is made when something is first written.
    ///
    /// # Errors
    ///
    /// [`LakeError::Settings`] where the folder cannot be named.
    pub fn in_folder(root: &Path) -> Result<Self, LakeError> {
        let settings = |reason: String| LakeError::Settings { reason };
        let absolute = std::path::absolute(root).map_err(|error| settings(error.to_string()))?;
        without_percent(&absolute.to_string_lossy())?;
        let root = Url::from_directory_path(&absolute)
            .map_err(|()| settings(format!("{} is no folder", absolute.display())))?;
        Ok(Self {
            store: Arc::new(LocalFileSystem::new()),
            root,
            writes: true,
        })
    }

    /// The tables in a bucket under `prefix`, which is given without slashes at its ends and may be empty.
    ///
    /// `options` name the region and the credentials as AWS does: `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`. `AWS_ENDPOINT_URL` names a stand-in for S3; without TLS only on
    /// this machine. Nothing is read from the environment.
    ///
    /// # Errors
    ///
    /// [`LakeError::Settings`] for an option that is not known or does not make sense.
    pub fn in_bucket(bucket: &str, prefix: &str, options: HashMap<String, String>) -> Result<Self, LakeError> {
        let settings = |reason: String| LakeError::Settings { reason };
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        for (name, value) in options {
            let key = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase())
                .map_err(|_| settings(format!("the option {name} is not known")))?;
            builder = match key {
                AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint => {
                    let endpoint = value.trim_end_matches('/');
                    let without_tls = is_plain_loopback(endpoint).map_err(settings)?;
                    builder.with_endpoint(endpoint).with_allow_http(without_tls)
                }
                // Follows from the endpoint.
                AmazonS3ConfigKey::Client(_) if name.eq_ignore_ascii_case("AWS_ALLOW_HTTP") => builder,
                key => builder.with_config(key, value),
            };
        }
        // The error may repeat an option's value, which may be a secret.
        let store = builder
            .build()
            .map_err(|_| settings("the options for the bucket do not make sense".to_owned()))?;
        without_percent(prefix)?;
        let folder = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        let root = Url::parse(&format!("s3://{bucket}/{folder}"))
            .map_err(|error| settings(format!("the bucket or the prefix: {error}")))?;
        Ok(Self {
            store: Arc::new(store),
            root,
            writes: true,
        })
    }

    /// The same lake for a dry run: its writes read and compare as usual and say what they would have written, but
    /// nothing in the store changes. Their version is always `None`.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Self {
            writes: false,
            ..self.clone()
        }
    }

    /// The tables in any store.
    #[cfg(test)]
    pub(crate) fn over(store: Arc<dyn ObjectStore>, root: Url) -> Self {
        Self {
            store,
            root,
            writes: true,
        }
    }

    /// The log of a table, whether there is one or not.
    pub(crate) fn log(&self, table: &'static Table) -> Result<LogStoreRef, LakeError> {
        let settings = |reason: String| LakeError::Settings { reason };
        let url = self
            .root
            .join(&format!("{}/", table.name))
            .map_err(|error| settings(error.to_string()))?;
        let path = StorePath::from_url_path(url.path()).map_err(|error| settings(error.to_string()))?;
        let of_table = Arc::new(PrefixStore::new(self.store.clone(), path));
        // Not through Delta's table builder: for S3 that reads the environment.
        Ok(default_logstore(
            of_table,
            self.store.clone(),
            &url,
            &StorageConfig::default(),
        ))
    }

    /// The newest state of a table, if there is one.
    pub(crate) async fn open(&self, table: &'static Table) -> Result<Option<Opened>, LakeError> {
        let log = self.log(table)?;
        let mut delta = DeltaTable::new(log.clone());
        if delta.load().await.is_err() {
            // Delta's kernel says in the same way that there is no table and that the store does not answer; the log
            // store tells them apart.
            let there = log.is_delta_table_location().await;
            if !there.map_err(|error| self.failed(table, &error))? {
                return Ok(None);
            }
            // It may have been made just now.
            delta.load().await.map_err(|error| self.failed(table, &error))?;
        }
        let stored = understood(&delta, table)
            .map_err(|error| self.failed(table, &error))?
            .map_err(|reason| LakeError::Foreign {
                table: table.name,
                reason,
            })?;
        Ok(Some(Opened { delta, stored }))
    }

    pub(crate) fn failed(&self, table: &'static Table, error: &DeltaTableError) -> LakeError {
        LakeError::of_delta(table.name, &self.root, error)
    }

    pub(crate) fn store_failed(&self, table: &'static Table, error: deltalake::ObjectStoreError) -> LakeError {
        LakeError::of_store(table.name, &self.root, error)
    }
}

/// Delta's kernel takes a percent sign in a name for the beginning of an escape and looks elsewhere.
fn without_percent(place: &str) -> Result<(), LakeError> {
    if place.contains('%') {
        return Err(LakeError::Settings {
            reason: format!("{place} contains a percent sign"),
        });
    }
    Ok(())
}

/// The table's columns, or why the table is not one that this crate made.
fn understood(delta: &DeltaTable, table: &Table) -> Result<Result<Stored, String>, DeltaTableError> {
    let snapshot = delta.snapshot()?;
    let (protocol, metadata) = (snapshot.protocol(), snapshot.metadata());
    if protocol.min_reader_version() > 1 || protocol.min_writer_version() > 2 {
        return Ok(Err(format!(
            "its protocol was raised to reader {} and writer {}",
            protocol.min_reader_version(),
            protocol.min_writer_version()
        )));
    }
    let mapping = metadata.configuration().get("delta.columnMapping.mode");
    if mapping.is_some_and(|mode| mode != "none") {
        return Ok(Err("its columns are mapped to other names".to_owned()));
    }
    if metadata.partition_columns() != table.partitioned_by {
        return Ok(Err(format!(
            "it is partitioned by [{}], not by [{}]",
            metadata.partition_columns().join(", "),
            table.partitioned_by.join(", ")
        )));
    }
    let schema: Schema = snapshot
        .schema()
        .as_ref()
        .try_into_arrow()
        .map_err(|error| DeltaTableError::Arrow { source: error })?;
    Ok(Stored::compare(&schema, table))
}

/// Whether the endpoint is spoken to without TLS. Fails where that would leave this machine.
fn is_plain_loopback(endpoint: &str) -> Result<bool, String> {
    let url = Url::parse(endpoint).map_err(|error| format!("the endpoint: {error}"))?;
    if url.scheme() == "https" {
        return Ok(false);
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && loopback {
        Ok(true)
    } else {
        Err("the endpoint must begin with https://, but for one on this machine".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(options: &[(&str, &str)]) -> Result<Lake, LakeError> {
        let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Lake::in_bucket("lake", "a/b", options.collect())
    }

    #[test]
    fn a_stand_in_without_tls_must_be_on_this_machine() {
        for fine in [
            "http://127.0.0.1:5000",
            "http://localhost:5000/",
            "http://[::1]:5000",
            "https://s3.example.com",
        ] {
            bucket(&[("AWS_ENDPOINT_URL", fine), ("AWS_REGION", "eu-west-1")]).unwrap();
        }
        for wrong in [
            "http://s3.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "localhost:5000",
        ] {
            let error = bucket(&[("AWS_ENDPOINT_URL", wrong)]).unwrap_err();
            assert!(matches!(error, LakeError::Settings { .. }), "{wrong}: {error}");
        }
        // Asked for or not.
        let error = bucket(&[
            ("AWS_ENDPOINT_URL", "http://s3.example.com"),
            ("AWS_ALLOW_HTTP", "true"),
        ]);
        assert!(error.is_err());
    }

    #[test]
    fn an_unknown_option_is_refused() {
        let error = bucket(&[("AWS_S3_ALLOW_UNSAFE_RENAME", "true")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the lake cannot lie there: the option AWS_S3_ALLOW_UNSAFE_RENAME is not known"
        );
    }

    #[test]
    fn no_credential_is_printed() {
        let lake = bucket(&[("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_ACCESS_KEY_ID", "whisper")]).unwrap();
        let text = format!("{lake:?}");
        assert!(text.contains("s3://lake/a/b/"), "{text}");
        assert!(!text.contains("hush") && !text.contains("whisper"), "{text}");
    }
}
