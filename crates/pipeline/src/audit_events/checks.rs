//! What is checked of the events of a collection.

use jiff::Timestamp;
use jiff::civil::Date;
use uptake_domain::calendar::{Window, day_of};
use uptake_domain::data_quality::{Check, CheckStatus, percent};
use uptake_domain::tables::{GOLD_AUDIT_EVENTS, SILVER_AUDIT_EVENTS, SILVER_REJECTED};
use uptake_lake::Lake;

use super::Findings;
use crate::outcome::PipelineError;

/// Guests and accounts that are gone are a few.
const MOST_OF_STRANGERS_PERCENT: f64 = 20.0;
/// Events come within hours, and no working day is without any.
const OLDEST_NEWEST_HOURS: f64 = 72.0;

/// What is stored, by this collection or an earlier one.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    rows: u64,
    newest_day: Option<Date>,
}

impl Stored {
    pub(super) async fn read(lake: &Lake) -> Result<Self, PipelineError> {
        let state = lake.describe(&SILVER_AUDIT_EVENTS).await?;
        let days = lake.partition_dates(&SILVER_AUDIT_EVENTS, "event_on").await?;
        Ok(Self {
            rows: state.map_or(0, |state| state.rows),
            newest_day: days.into_iter().max(),
        })
    }
}

pub(super) fn of(findings: &Findings, stored: Stored, at: Timestamp) -> Vec<Check> {
    #[expect(clippy::cast_precision_loss, reason = "counts of one collection are far below 2^53")]
    let as_f64 = |count: u64| count as f64;
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let table = SILVER_AUDIT_EVENTS.name;
    let mut checks = vec![
        Check::at_least(
            table,
            "row_count",
            as_f64(stored.rows),
            1.0,
            CheckStatus::Warn,
            "events that are stored; the first content of a subscription can take 12 hours",
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
    // Of a day of an earlier collection nothing is known but its end; a feed that went silent has nothing newer.
    let newest_day = stored.newest_day;
    let newest = match findings.newest_event {
        Some(newest) if newest_day.is_none_or(|day| day <= day_of(newest)) => Some(newest),
        newest => newest_day.map(|day| Window::of_day(day).to.min(at)).max(newest),
    };
    if let Some(newest) = newest {
        #[expect(clippy::cast_precision_loss, reason = "hours")]
        let hours = at.duration_since(newest).as_hours() as f64;
        checks.push(Check::at_most(
            table,
            "freshness",
            hours,
            OLDEST_NEWEST_HOURS,
            CheckStatus::Warn,
            "hours from the newest event that is stored to the collection",
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;
    use uptake_domain::calendar::start_of;

    use super::*;

    fn status(newest_event: Option<Timestamp>, newest_day: Option<Date>, name: &str) -> Option<(CheckStatus, f64)> {
        let findings = Findings {
            newest_event,
            ..Findings::default()
        };
        let stored = Stored {
            rows: u64::from(newest_day.is_some()),
            newest_day,
        };
        let checks = of(&findings, stored, start_of(date(2026, 11, 20)));
        let own = checks
            .into_iter()
            .find(|check| check.table == SILVER_AUDIT_EVENTS.name && check.name == name);
        own.map(|check| (check.status, check.value))
    }

    #[test]
    fn a_feed_that_went_silent_is_no_longer_fresh() {
        let at = |day, hour| start_of(date(2026, 11, day)) + SignedDuration::from_hours(hour);
        let on = |day| Some(date(2026, 11, day));
        for (newest_event, newest_day, expected) in [
            (Some(at(19, 18)), on(19), (CheckStatus::Pass, 6.0)),
            (Some(at(20, 6)), on(20), (CheckStatus::Pass, -6.0)),
            (None, on(20), (CheckStatus::Pass, 0.0)),
            (None, on(16), (CheckStatus::Pass, 72.0)),
            (None, on(15), (CheckStatus::Warn, 96.0)),
            // Late events do not make the ones before them late.
            (Some(at(14, 12)), on(19), (CheckStatus::Pass, 0.0)),
            (Some(at(14, 12)), on(14), (CheckStatus::Warn, 132.0)),
        ] {
            let fresh = status(newest_event, newest_day, "freshness");
            assert_eq!(fresh, Some(expected), "{newest_event:?} {newest_day:?}");
        }
        assert_eq!(status(None, None, "freshness"), None, "there is nothing to be old");
        assert_eq!(status(None, None, "row_count"), Some((CheckStatus::Warn, 0.0)));
        assert_eq!(status(None, on(1), "row_count"), Some((CheckStatus::Pass, 1.0)));
    }
}
