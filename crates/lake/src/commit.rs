//! Commits that lose nothing: one writer wins a version, the others look again.
//!
//! Background: a commit of Delta is one new file in the log whose number nobody has taken yet. Delta can fit a commit in
//! behind others that came first, where it is sure that they do not touch each other. Choice: only appends let it. An
//! upsert and a compaction stand on exactly the state they read, or begin anew. Alternative: let Delta judge those, too.
//! It does not see rows that came since in other files, and it takes two compactions of the same files for harmless,
//! which doubles rows. Consequence: upserts of different partitions of one table at the same time are redone without
//! need, which costs time only.

use std::time::Duration;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, MetadataExt, Transaction};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use uptake_domain::tables::Table;
use uuid::Uuid;

use crate::error::is_purged;
use crate::store::Opened;
use crate::{Lake, LakeError, schema};

/// How often a write begins anew before it gives up.
pub(crate) const ATTEMPTS: u32 = 40;

/// The longest wait before the second attempt; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What the log calls the mark of a commit.
const MARK: &str = "uptakeCommit";

/// How a commit goes together with others that came first.
pub(crate) enum Rule {
    /// Not at all: nothing may have happened since the state was read.
    Alone,
    /// It adds rows and read none, so other additions do not matter.
    Adds(Transaction),
}

/// What became of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is this version.
    Committed(u64),
    /// Others came first. Nothing is stored but files nobody refers to.
    Lost,
}

/// Commits `actions` on top of the state that `delta` holds.
///
/// Every error is ambiguous: the store may have taken the commit before it failed, and then refuses the repetition as
/// taken. So every commit carries a mark that occurs nowhere else, and the log is searched for it. For the same reason,
/// files of a commit that was lost are never deleted here; they wait for [`Lake::maintain`].
pub(crate) async fn commit(
    delta: &DeltaTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    rule: Rule,
) -> Result<Outcome, DeltaTableError> {
    // Not the name of a file that it adds: a commit may add none.
    let own = Uuid::new_v4();
    // Old log files are removed by `maintain`: here it would mean a listing of the log for every commit.
    let properties = CommitProperties::default()
        .with_cleanup_expired_logs(Some(false))
        .with_metadata([(MARK.to_owned(), own.to_string().into())]);
    let properties = match rule {
        Rule::Alone => properties.with_max_retries(0),
        Rule::Adds(transaction) => properties.with_application_transaction(transaction),
    };
    let snapshot = delta.snapshot()?;
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(snapshot), delta.log_store(), operation)
        .await;
    let error = match committed {
        Ok(commit) => return Ok(Outcome::Committed(commit.version())),
        Err(error) => error,
    };
    if let Some(version) = landed(delta, snapshot.version(), own).await? {
        return Ok(Outcome::Committed(version));
    }
    if is_lost(&error) || is_purged(&error) {
        Ok(Outcome::Lost)
    } else {
        Err(error)
    }
}

/// A mark as it stands in the log.
pub(crate) fn marked(mark: Uuid) -> String {
    format!("\"{MARK}\":\"{mark}\"")
}

/// The mark in an entry of the log; `None` where somebody else wrote it, or it made the table.
pub(crate) fn mark_in(entry: &[u8]) -> Option<Uuid> {
    let (_, rest) = std::str::from_utf8(entry).ok()?.split_once(&format!("\"{MARK}\":\""))?;
    rest.split('"').next()?.parse().ok()
}

/// The version after `base` that carries the mark `own`.
async fn landed(delta: &DeltaTable, base: u64, own: Uuid) -> Result<Option<u64>, DeltaTableError> {
    let log = delta.log_store();
    let mut version = base + 1;
    while let Some(entry) = log.read_commit_entry(version).await? {
        if mark_in(&entry) == Some(own) {
            return Ok(Some(version));
        }
        version += 1;
    }
    Ok(None)
}

fn is_lost(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::CommitConflict(_)
                    | TransactionError::MaxCommitAttempts(_)
                    | TransactionError::VersionAlreadyExists(_),
            }
    )
}

/// Waits before the attempt after `attempt`, by chance, so that those who collided do not collide again.
pub(crate) async fn wait(attempt: u32) {
    let longest = FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(LONGEST_WAIT);
    // A random UUID is the chance at hand.
    let chance = Uuid::new_v4().as_u128() % 1000;
    let thousandth = longest / 1000;
    tokio::time::sleep(thousandth * u32::try_from(chance).unwrap_or(0)).await;
}

impl Lake {
    /// The table as it is, made if there is none, and with all columns that the code knows.
    pub(crate) async fn ready(&self, table: &'static Table) -> Result<Opened, LakeError> {
        for attempt in 0..ATTEMPTS {
            let done = match self.open(table).await? {
                None => self.create(table).await,
                Some(opened) if opened.stored.missing.is_empty() => return Ok(opened),
                Some(opened) => add_columns(&opened, table).await,
            };
            if done.map_err(|error| self.failed(table, &error))? == Outcome::Lost {
                wait(attempt).await;
            }
        }
        Err(LakeError::Conflict {
            table: table.name,
            attempts: ATTEMPTS,
        })
    }

    async fn create(&self, table: &'static Table) -> Result<Outcome, DeltaTableError> {
        let log = self.log(table).map_err(DeltaTableError::generic)?;
        let mut create = CreateBuilder::new()
            .with_log_store(log.clone())
            .with_table_name(table.name)
            .with_comment(table.description)
            .with_columns(schema::delta(&schema::arrow(table))?.fields().cloned())
            .with_partition_columns(table.partitioned_by.iter().copied())
            // Whoever comes second must not make it again on top.
            .with_save_mode(SaveMode::Ignore)
            .with_commit_properties(CommitProperties::default().with_max_retries(0));
        for (property, value) in schema::properties(table) {
            create = create.with_configuration_property(property, Some(value));
        }
        match create.await {
            Ok(_) => Ok(Outcome::Committed(0)),
            Err(error) if is_lost(&error) => Ok(Outcome::Lost),
            // Ambiguous as every error: it may be there all the same.
            Err(error) if log.is_delta_table_location().await? => {
                tracing::debug!(table = table.name, %error, "the table is there though its creation failed");
                Ok(Outcome::Lost)
            }
            Err(error) => Err(error),
        }
    }
}

/// Gives a stored table the columns that the code knows.
async fn add_columns(opened: &Opened, table: &Table) -> Result<Outcome, DeltaTableError> {
    let stored = &opened.stored;
    let missing = deltalake::arrow::datatypes::Schema::new(stored.missing.clone());
    let mut metadata = opened.delta.snapshot()?.metadata().clone();
    metadata = metadata.with_schema(&schema::delta(&stored.schema)?)?;
    for (property, value) in schema::properties(table) {
        metadata = metadata.add_config_key(property.as_ref().to_owned(), value)?;
    }
    let operation = DeltaOperation::AddColumn {
        fields: schema::delta(&missing)?.fields().cloned().collect(),
    };
    commit(&opened.delta, vec![Action::Metadata(metadata)], operation, Rule::Alone).await
}
