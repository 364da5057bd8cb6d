//! Rows of `silver_copilot_usage`, as they are written and as they are scanned.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use uptake_domain::copilot_usage::UsageRecord;

/// A row as it is written and read whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsageRow {
    pub(crate) user_id: Option<String>,
    pub(crate) upn: String,
    pub(crate) report_refresh_on: Date,
    pub(crate) last_activity_on: Option<Date>,
    pub(crate) teams_on: Option<Date>,
    pub(crate) word_on: Option<Date>,
    pub(crate) excel_on: Option<Date>,
    pub(crate) powerpoint_on: Option<Date>,
    pub(crate) outlook_on: Option<Date>,
    pub(crate) onenote_on: Option<Date>,
    pub(crate) loop_on: Option<Date>,
    pub(crate) chat_on: Option<Date>,
    pub(crate) chat_work_on: Option<Date>,
    pub(crate) chat_web_on: Option<Date>,
    pub(crate) agent_on: Option<Date>,
    pub(crate) edge_on: Option<Date>,
    pub(crate) period_days: Option<u16>,
    pub(crate) prompts: Option<u64>,
    pub(crate) active_days_reported: Option<u16>,
    pub(crate) prompts_7_days: Option<u64>,
    pub(crate) active_days_7_days: Option<u16>,
}

impl UsageRow {
    /// The row of a person in the report of seven days, before the one of 28 days adds to it.
    pub(crate) fn of(record: UsageRecord, user_id: Option<&str>) -> Self {
        let [
            teams_on,
            word_on,
            excel_on,
            powerpoint_on,
            outlook_on,
            onenote_on,
            loop_on,
            chat_on,
        ] = record.apps;
        Self {
            user_id: user_id.map(str::to_owned),
            upn: record.upn,
            report_refresh_on: record.report_refresh_on,
            last_activity_on: record.last_activity_on,
            teams_on,
            word_on,
            excel_on,
            powerpoint_on,
            outlook_on,
            onenote_on,
            loop_on,
            chat_on,
            chat_work_on: record.chat_work_on,
            chat_web_on: record.chat_web_on,
            agent_on: record.agent_on,
            edge_on: record.edge_on,
            period_days: Some(record.period_days),
            prompts: record.prompts,
            active_days_reported: record.active_days,
            prompts_7_days: record.prompts,
            active_days_7_days: record.active_days,
        }
    }

    /// Takes the figures of the longer period.
    pub(crate) fn take_longer_period(&mut self, record: &UsageRecord) {
        self.period_days = Some(record.period_days);
        self.prompts = record.prompts;
        self.active_days_reported = record.active_days;
    }

    /// The last day in each app, in the order of the apps.
    pub(crate) fn apps(&self) -> [Option<Date>; 8] {
        [
            self.teams_on,
            self.word_on,
            self.excel_on,
            self.powerpoint_on,
            self.outlook_on,
            self.onenote_on,
            self.loop_on,
            self.chat_on,
        ]
    }
}

/// The dates of a row, as days since 1970: millions of them are scanned.
#[derive(Deserialize)]
pub(crate) struct UsageDates {
    pub(crate) user_id: Option<String>,
    pub(crate) upn: String,
    pub(crate) report_refresh_on: i32,
    last_activity_on: Option<i32>,
    teams_on: Option<i32>,
    word_on: Option<i32>,
    excel_on: Option<i32>,
    powerpoint_on: Option<i32>,
    outlook_on: Option<i32>,
    onenote_on: Option<i32>,
    loop_on: Option<i32>,
    chat_on: Option<i32>,
    chat_work_on: Option<i32>,
    chat_web_on: Option<i32>,
    agent_on: Option<i32>,
    edge_on: Option<i32>,
    pub(crate) active_days_reported: Option<u16>,
}

impl UsageDates {
    /// The columns to scan for it.
    pub(crate) const COLUMNS: [&str; 17] = [
        "user_id",
        "upn",
        "report_refresh_on",
        "last_activity_on",
        "teams_on",
        "word_on",
        "excel_on",
        "powerpoint_on",
        "outlook_on",
        "onenote_on",
        "loop_on",
        "chat_on",
        "chat_work_on",
        "chat_web_on",
        "agent_on",
        "edge_on",
        "active_days_reported",
    ];

    /// The last day in each app, in the order of the apps.
    pub(crate) fn apps(&self) -> [Option<i32>; 8] {
        [
            self.teams_on,
            self.word_on,
            self.excel_on,
            self.powerpoint_on,
            self.outlook_on,
            self.onenote_on,
            self.loop_on,
            self.chat_on,
        ]
    }

    /// The last days of use that is in none of the apps, or nobody says in which.
    pub(crate) fn elsewhere(&self) -> [Option<i32>; 5] {
        [
            self.last_activity_on,
            self.chat_work_on,
            self.chat_web_on,
            self.agent_on,
            self.edge_on,
        ]
    }
}

/// The date so many days after 1970 began. By way of the instant, as adding to a date takes several times as long.
pub(crate) fn date(days: i32) -> Option<Date> {
    let instant = Timestamp::from_second(i64::from(days) * 86_400).ok()?;
    Some(Offset::UTC.to_datetime(instant).date())
}
