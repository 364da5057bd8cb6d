//! Rows of `silver_copilot_usage`, as they are written and as they are scanned.

use jiff::civil::Date;
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
