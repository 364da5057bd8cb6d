//! Why the lake could not do what it was asked to, by what to do about it.

use std::error::Error;
use std::io;

use deltalake::kernel::transaction::TransactionError;
use deltalake::{DeltaTableError, ObjectStoreError};
use url::Url;

use crate::purge::EMPTIED;

/// What went wrong, by what to do about it. No message holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The place where the tables should lie is not given rightly: correct the settings.
    #[error("the lake cannot lie there: {reason}")]
    Settings {
        /// What is wrong.
        reason: String,
    },
    /// The store refuses: grant what is missing.
    #[error("{table}: the store refuses access; grant {grant}")]
    Denied {
        /// The table.
        table: &'static str,
        /// What to grant.
        grant: String,
    },
    /// The store does not answer, or not in time, or what was being read was purged: the next invocation tries again.
    #[error("{table}: the store is not available: {reason}")]
    Unavailable {
        /// The table.
        table: &'static str,
        /// What the store said.
        reason: String,
    },
    /// Others wrote to the table whenever this writer was about to: the next invocation tries again.
    #[error("{table}: gave up after {attempts} attempts, because others wrote to the table each time")]
    Conflict {
        /// The table.
        table: &'static str,
        /// How often it tried.
        attempts: u32,
    },
    /// Somebody else changed the table in a way that the lake does not understand: find out who, and undo it.
    #[error("{table} was changed by somebody else: {reason}")]
    Foreign {
        /// The table.
        table: &'static str,
        /// What is not understood.
        reason: String,
    },
    /// What the caller gives does not go with the table: a bug of Uptake.
    #[error("{table}: {reason}")]
    Contract {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl LakeError {
    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Conflict { .. })
    }

    /// An error of Delta in what concerns `table`, which lies under `root`.
    pub(crate) fn of_delta(table: &'static str, root: &Url, error: &DeltaTableError) -> Self {
        match error {
            DeltaTableError::ObjectStore {
                source: ObjectStoreError::NotFound { path, .. },
            } => Self::Foreign {
                table,
                reason: format!("{path} is gone"),
            },
            DeltaTableError::ObjectStore { source }
            | DeltaTableError::Transaction {
                source: TransactionError::ObjectStore { source },
            } => Self::of_failure(table, root, source),
            DeltaTableError::Io { source } => Self::of_failure(table, root, source),
            error if is_purged(error) => Self::Unavailable {
                table,
                reason: "its log was purged while it was read".to_owned(),
            },
            // Their words may hold values.
            DeltaTableError::Arrow { .. } => Self::of_arrow(table),
            DeltaTableError::InvalidJsonLog { version, .. } => Self::Foreign {
                table,
                reason: format!("version {version} of its log is not JSON"),
            },
            other => {
                let reason = causes(other);
                // What Delta's kernel heard from the store it tells in words only.
                if reason.contains("object store") || reason.contains("Reqwest Error") {
                    Self::of_failure(table, root, other)
                } else {
                    Self::Foreign { table, reason }
                }
            }
        }
    }

    fn of_failure(table: &'static str, root: &Url, error: &(dyn Error + 'static)) -> Self {
        let reason = causes(error);
        if is_denied(error, &reason) {
            let grant = grant(table, root);
            return Self::Denied { table, grant };
        }
        // The store answers, but another try answers the same.
        if reason.contains("NoSuchBucket") {
            return Self::Settings {
                reason: "there is no such bucket".to_owned(),
            };
        }
        Self::Unavailable { table, reason }
    }

    /// An error of the store in what concerns `table`, which lies under `root`.
    pub(crate) fn of_store(table: &'static str, root: &Url, error: ObjectStoreError) -> Self {
        Self::of_delta(table, root, &DeltaTableError::ObjectStore { source: error })
    }

    /// Arrow cannot compute with what is stored. Its words may hold values.
    pub(crate) fn of_arrow(table: &'static str) -> Self {
        Self::Foreign {
            table,
            reason: "a file holds other types than the table".to_owned(),
        }
    }
}

/// Whether the log on which an operation stands was purged in the meantime. What Delta's kernel heard of it, it tells in
/// words only.
pub(crate) fn is_purged(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::InvalidVersion(_) => true,
        DeltaTableError::InvalidJsonLog { json_err, .. } => json_err.is_data(),
        other => {
            let reason = causes(other);
            reason.contains(EMPTIED) || reason.contains(".checkpoint.parquet not found")
        }
    }
}

/// Whether the store refused. Of a listing, and of one of several objects to delete, S3's client says so in words only.
fn is_denied(error: &(dyn Error + 'static), reason: &str) -> bool {
    let words = ["status code: 403", "status code: 401", "(code: AccessDenied)"];
    if words.iter().any(|words| reason.contains(words)) {
        return true;
    }
    let mut cause = Some(error);
    while let Some(error) = cause {
        let by_store = matches!(
            error.downcast_ref(),
            Some(ObjectStoreError::PermissionDenied { .. } | ObjectStoreError::Unauthenticated { .. })
        );
        let by_system = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        if by_store || by_system {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What a writer needs, for the store that `root` names.
fn grant(table: &str, root: &Url) -> String {
    match root.host_str() {
        None => format!("reading and writing in {}{table}", root.path()),
        Some(bucket) => format!(
            "s3:GetObject, s3:PutObject and s3:DeleteObject on arn:aws:s3:::{bucket}{}{table}/*, s3:ListBucket on \
             arn:aws:s3:::{bucket}, and kms:Decrypt and kms:GenerateDataKey where a KMS key encrypts the bucket",
            root.path()
        ),
    }
}

/// An error with its causes, each said once.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
