//! Records that could not be understood, as rows of `silver_rejected`.

use jiff::civil::Date;
use serde::Serialize;
use uptake_domain::tables::SILVER_REJECTED;
use uptake_lake::Columns;
use uuid::Uuid;

use crate::outcome::PipelineError;
use crate::traced_lake::TracedLake;

/// One of them.
#[derive(Serialize)]
pub(crate) struct RejectedRecord {
    source: &'static str,
    rejected_on: Date,
    record_id: String,
    rule: String,
    error: String,
    record: String,
}

impl RejectedRecord {
    pub(crate) fn new(source: &'static str, day: Date, rule: &str, error: String, record: String) -> Self {
        let name = format!("{source}/{rule}/{record}");
        Self {
            source,
            rejected_on: day,
            record_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string(),
            rule: rule.to_owned(),
            error,
            record,
        }
    }
}

/// Stores them. The same bytes twice on a day are one row.
pub(crate) async fn store(lake: &TracedLake<'_>, rejected: &mut Vec<RejectedRecord>) -> Result<(), PipelineError> {
    if rejected.is_empty() {
        return Ok(());
    }
    rejected.sort_by(|a, b| (a.source, &a.record_id).cmp(&(b.source, &b.record_id)));
    rejected.dedup_by(|a, b| (a.source, &a.record_id) == (b.source, &b.record_id));
    lake.upsert(&SILVER_REJECTED, Columns::All, rejected).await.map(drop)
}
