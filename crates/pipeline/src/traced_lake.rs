//! The lake as the functions write it: every write, every upstream call and every failure leaves a row in
//! `gold_copilot_audit_log`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use uptake_domain::calendar::day_of;
use uptake_domain::data_quality::Check;
use uptake_domain::tables::{GOLD_AUDIT_LOG, GOLD_DQ_RESULTS, Table};
use uptake_lake::{Columns, Filter, Lake, LakeError, Stamp, Written};
use uptake_upstream::http::CallRecord;
use uuid::Uuid;

use crate::outcome::{Outcome, PipelineError};
use crate::ports::Clock;
use crate::trigger::Invocation;

/// Tables, and the trace of what one invocation did with them.
pub(crate) struct TracedLake<'a> {
    lake: Lake,
    function: &'static str,
    clock: &'a dyn Clock,
    stamp: Stamp,
    trace: Mutex<Vec<Entry>>,
    /// How often the trace was written.
    written: AtomicU64,
}

/// A row of `gold_copilot_audit_log`.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    log_id: String,
    logged_on: Date,
    logged_at: Timestamp,
    function: &'static str,
    operation: &'static str,
    target: String,
    status: &'static str,
    records: Option<u64>,
    duration_ms: Option<u64>,
    http_status: Option<u16>,
    error: Option<String>,
}

/// A row of `gold_copilot_dq_results`.
#[derive(Serialize)]
struct CheckRow<'a> {
    check_id: String,
    check_on: Date,
    table_name: &'static str,
    check_name: &'static str,
    status: uptake_domain::data_quality::CheckStatus,
    value: f64,
    threshold: f64,
    details: &'a str,
}

impl<'a> TracedLake<'a> {
    pub(crate) fn new(
        lake: &Lake,
        function: &'static str,
        clock: &'a dyn Clock,
        invocation: &Invocation,
        dry_run: bool,
    ) -> Self {
        Self {
            lake: if dry_run { lake.read_only() } else { lake.clone() },
            function,
            clock,
            stamp: Stamp {
                collected_at: clock.now(),
                invocation_id: invocation.id.clone(),
            },
            trace: Mutex::default(),
            written: AtomicU64::default(),
        }
    }

    /// The tables, for reading.
    pub(crate) fn tables(&self) -> &Lake {
        &self.lake
    }

    pub(crate) async fn upsert<R: Serialize + Sync>(
        &self,
        table: &'static Table,
        columns: Columns,
        rows: impl AsRef<[R]>,
    ) -> Result<Written, PipelineError> {
        let at = self.clock.now();
        let written = self.lake.upsert(table, columns, rows, &self.stamp).await;
        self.trace_write(table, at, written)
    }

    /// Adds the rows whose key is not stored yet.
    pub(crate) async fn insert<R: Serialize + Sync>(
        &self,
        table: &'static Table,
        rows: impl AsRef<[R]>,
    ) -> Result<Written, PipelineError> {
        let at = self.clock.now();
        let written = self.lake.insert(table, rows, &self.stamp).await;
        self.trace_write(table, at, written)
    }

    /// Makes these the only rows of the partitions that the filter names.
    pub(crate) async fn replace<R: Serialize + Sync>(
        &self,
        table: &'static Table,
        filter: &Filter,
        rows: impl AsRef<[R]>,
    ) -> Result<Written, PipelineError> {
        let at = self.clock.now();
        let written = self.lake.replace(table, filter, rows, &self.stamp).await;
        self.trace_write(table, at, written)
    }

    fn trace_write(
        &self,
        table: &'static Table,
        at: Timestamp,
        written: Result<Written, LakeError>,
    ) -> Result<Written, PipelineError> {
        let (records, error) = match &written {
            Ok(written) => (Some(written.inserted + written.updated), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let took = self.clock.now().duration_since(at);
        self.trace(Entry {
            records,
            duration_ms: u64::try_from(took.as_millis()).ok(),
            ..self.entry("TABLE_WRITE", at, table.name.to_owned(), error)
        });
        Ok(written?)
    }

    /// Stores the results of checks. A repeat of the invocation stores them once.
    pub(crate) async fn store_checks(&self, day: Date, checks: &[Check]) -> Result<(), PipelineError> {
        let rows: Vec<CheckRow<'_>> = checks
            .iter()
            .map(|check| CheckRow {
                check_id: self.id(&format!("{}/{}/{}/{}", self.function, day, check.table, check.name)),
                check_on: day,
                table_name: check.table,
                check_name: check.name,
                status: check.status,
                value: check.value,
                threshold: check.threshold,
                details: &check.details,
            })
            .collect();
        self.upsert(&GOLD_DQ_RESULTS, Columns::All, &rows).await.map(drop)
    }

    /// Takes note of upstream calls.
    pub(crate) fn note_calls(&self, calls: Vec<CallRecord>) {
        for call in calls {
            self.trace(Entry {
                records: call.records,
                duration_ms: u64::try_from(call.duration.as_millis()).ok(),
                http_status: call.http_status,
                ..self.entry("API_CALL", call.at, call.route.to_owned(), call.error)
            });
        }
    }

    fn note_failure(&self, reason: String) {
        self.trace(self.entry("ERROR", self.clock.now(), self.function.to_owned(), Some(reason)));
    }

    /// Whatever the ending, what was asked and written is on record.
    pub(crate) async fn leave_trace(&self, ending: Result<Outcome, PipelineError>) -> Result<Outcome, PipelineError> {
        match &ending {
            Err(error) => self.note_failure(error.to_string()),
            Ok(outcome) => outcome
                .stopped_early
                .iter()
                .for_each(|reason| self.note_failure(reason.clone())),
        }
        match (self.write_trace().await, ending) {
            (Err(unwritten), Err(error)) => {
                tracing::warn!(%unwritten, "the trace of a failed collection could not be written");
                Err(error)
            }
            (Err(unwritten), Ok(_)) => Err(unwritten),
            (Ok(()), ending) => ending,
        }
    }

    /// Writes the trace so far.
    pub(crate) async fn write_trace(&self) -> Result<(), PipelineError> {
        let mut trace = std::mem::take(&mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(first) = trace.first() else {
            return Ok(());
        };
        let nth = self.written.fetch_add(1, Ordering::Relaxed);
        let transaction = self.id(&format!("{}/{}/{nth}", self.function, first.logged_at));
        for (number, entry) in trace.iter_mut().enumerate() {
            entry.log_id = self.id(&format!("{transaction}/{number}"));
        }
        self.lake
            .append(&GOLD_AUDIT_LOG, &trace, &transaction, &self.stamp)
            .await?;
        Ok(())
    }

    fn entry(&self, operation: &'static str, at: Timestamp, target: String, error: Option<String>) -> Entry {
        Entry {
            log_id: String::new(),
            logged_on: day_of(at),
            logged_at: at,
            function: self.function,
            operation,
            target,
            status: if error.is_some() { "failed" } else { "ok" },
            records: None,
            duration_ms: None,
            http_status: None,
            error,
        }
    }

    fn trace(&self, entry: Entry) {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// An id that a repeat of this invocation arrives at too.
    fn id(&self, what: &str) -> String {
        let name = format!("{}/{what}", self.stamp.invocation_id);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    }
}
