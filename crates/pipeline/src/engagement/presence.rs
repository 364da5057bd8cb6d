//! Who was in Microsoft 365 on a day, as far as active-user reports tell.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use uptake_domain::engagement::Presence;
use uptake_domain::tables::SILVER_M365_ACTIVITY;
use uptake_lake::{Filter, Lake};

use super::DAYS_OF_AN_ACTIVITY_REPORT;
use crate::m365_usage::ACTIVITY_OF_SEVEN_DAYS;
use crate::outcome::PipelineError;
use crate::people::People;
use crate::usage_rows::date;

const COLUMNS: [&str; 8] = [
    "user_id",
    "upn",
    "report_refresh_on",
    "exchange_on",
    "onedrive_on",
    "sharepoint_on",
    "teams_on",
    "report_kind",
];

#[derive(Deserialize)]
struct Row {
    user_id: Option<String>,
    upn: String,
    report_refresh_on: i32,
    exchange_on: Option<i32>,
    onedrive_on: Option<i32>,
    sharepoint_on: Option<i32>,
    teams_on: Option<i32>,
    report_kind: String,
}

/// What reports tell of the days that are to be decided.
#[derive(Default)]
pub(super) struct PresenceOf<'p> {
    /// Who was seen on a day.
    online: HashMap<Date, HashSet<&'p str>>,
    /// Days that have a report of their own.
    told: BTreeSet<Date>,
    /// Days up to which a report of seven days tells.
    weeks: BTreeSet<Date>,
    /// When reports up to a day saw everybody last. Where the report of the day itself came after that of seven days, rows
    /// of both stand side by side.
    last_seen: HashMap<Date, HashMap<&'p str, Date>>,
}

impl<'p> PresenceOf<'p> {
    /// Reads the reports that tell of these days.
    pub(super) async fn read(silver: &Lake, people: &'p People, days: &BTreeSet<Date>) -> Result<Self, PipelineError> {
        let mut presence = Self::default();
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(presence);
        };
        // A report of a later day may have seen somebody on an earlier one.
        let until = last.saturating_add(DAYS_OF_AN_ACTIVITY_REPORT.days());
        let by_upn = people.by_upn(*last);
        let window = Filter::DatesBetween("report_refresh_on", *first, until);
        let take = |rows: Vec<Row>| {
            for row in rows {
                let known = people.named(&by_upn, row.user_id.as_deref(), &row.upn);
                let Some((user_id, refresh_on)) = known.zip(date(row.report_refresh_on)) else {
                    continue;
                };
                let seen = [row.exchange_on, row.onedrive_on, row.sharepoint_on, row.teams_on];
                let seen = seen.into_iter().flatten().filter_map(date);
                if row.report_kind == ACTIVITY_OF_SEVEN_DAYS {
                    presence.weeks.insert(refresh_on);
                } else {
                    presence.told.insert(refresh_on);
                }
                if let Some(newest) = seen.clone().max() {
                    presence
                        .last_seen
                        .entry(refresh_on)
                        .or_default()
                        .insert(user_id, newest);
                }
                // A later report may still show such a day as the last one, or not: the answer is not to depend on when it is
                // asked for.
                for day in seen.filter(|day| days.contains(day) && is_about(refresh_on, *day)) {
                    presence.online.entry(day).or_default().insert(user_id);
                }
            }
        };
        silver.scan(&SILVER_M365_ACTIVITY, &COLUMNS, &window, take).await?;
        Ok(presence)
    }

    /// Whether somebody was there on one of the days.
    pub(super) fn of(&self, user_id: &str, day: Date) -> Presence {
        if self.online.get(&day).is_some_and(|online| online.contains(user_id)) {
            return Presence::Online;
        }
        if self.told.contains(&day) {
            return Presence::Offline;
        }
        // A report of seven days says when somebody was last seen: before the day is not on it, and after it says nothing.
        let mut weeks = self.weeks.iter().filter(|refresh_on| is_about(**refresh_on, day));
        let last_seen = |refresh_on: &Date| self.last_seen.get(refresh_on)?.get(user_id);
        let is_offline = weeks.any(|refresh_on| last_seen(refresh_on).is_none_or(|last| *last < day));
        if is_offline {
            Presence::Offline
        } else {
            Presence::Undecidable
        }
    }
}

/// Whether a report up to a date is asked about a day.
fn is_about(refresh_on: Date, day: Date) -> bool {
    (0..DAYS_OF_AN_ACTIVITY_REPORT).contains(&(refresh_on - day).get_days())
}
