//! What is checked of the events of a collection.

use jiff::Timestamp;
use uptake_domain::data_quality::{Check, CheckStatus, percent};
use uptake_domain::tables::{GOLD_AUDIT_EVENTS, SILVER_AUDIT_EVENTS, SILVER_REJECTED};

use super::Findings;

/// Guests and accounts that are gone are a few.
const MOST_OF_STRANGERS_PERCENT: f64 = 20.0;
/// Events come within hours, and no working day is without any.
const OLDEST_NEWEST_HOURS: f64 = 72.0;

pub(super) fn of(findings: &Findings, at: Timestamp) -> Vec<Check> {
    #[expect(clippy::cast_precision_loss, reason = "counts of one collection are far below 2^53")]
    let as_f64 = |count: u64| count as f64;
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let table = SILVER_AUDIT_EVENTS.name;
    let mut checks = vec![
        Check::at_least(
            table,
            "row_count",
            as_f64(findings.inserted),
            0.0,
            CheckStatus::Fail,
            "events of this collection that were not stored before",
        ),
        Check::at_most(
            table,
            "null_percent_user_id",
            percent(count(findings.of_strangers), count(findings.counts.fetched)),
            MOST_OF_STRANGERS_PERCENT,
            CheckStatus::Warn,
            "percent of the events read whose person the directory does not know",
        ),
        Check::at_most(
            GOLD_AUDIT_EVENTS.name,
            "content_lost",
            as_f64(findings.lost),
            0.0,
            CheckStatus::Fail,
            "blobs of content that had expired before they were read",
        ),
        Check::at_most(
            SILVER_REJECTED.name,
            "row_count",
            as_f64(findings.counts.quarantined),
            0.0,
            CheckStatus::Warn,
            "records of this collection that could not be understood; they are in silver_rejected",
        ),
    ];
    if let Some(newest) = findings.newest_event {
        #[expect(clippy::cast_precision_loss, reason = "hours")]
        let hours = at.duration_since(newest).as_hours() as f64;
        checks.push(Check::at_most(
            table,
            "freshness",
            hours,
            OLDEST_NEWEST_HOURS,
            CheckStatus::Warn,
            "hours from the newest event of this collection to the collection",
        ));
    }
    checks
}
