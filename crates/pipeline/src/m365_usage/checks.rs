//! What is checked of the tables after every collection.

use jiff::ToSpan;
use jiff::civil::Date;
use uptake_domain::data_quality::{Check, CheckStatus, percent};
use uptake_domain::known_user::KnownUser;
use uptake_domain::tables::{
    GOLD_COPILOT_USAGE, SILVER_COPILOT_USAGE, SILVER_REJECTED, SILVER_USER_LICENSES, SILVER_USERS,
};
use uptake_domain::usage_score::WINDOW_DAYS;

use super::gold::told_days;
use super::{Collection, DayRecord, FRESH_FOR, Findings, MOST_DATES_TOLD};
use crate::outcome::PipelineError;
use crate::people::People;

/// People without a department cannot be counted in one.
const MOST_WITHOUT_DEPARTMENT_PERCENT: f64 = 20.0;
/// Everybody has a name; a directory that shows many without is not read in full.
const MOST_WITHOUT_NAME_PERCENT: f64 = 5.0;
/// Licences that Graph does not date are taken as new from the day they are first seen.
const MOST_UNDATED_PERCENT: f64 = 10.0;

impl Collection<'_> {
    /// Checks what is stored now, whether or not this collection wrote it.
    pub(super) async fn check_tables(
        &self,
        record: &DayRecord,
        people: &People,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let present: Vec<&KnownUser> = people.users.values().filter(|user| !user.departed).collect();
        let lacking =
            |has: fn(&KnownUser) -> bool| percent(present.iter().filter(|user| !has(user)).count(), present.len());
        let gaps = self.days_without_report().await?;
        let told: Vec<String> = gaps.iter().take(MOST_DATES_TOLD).map(Date::to_string).collect();
        let rejected = findings.rejected.len();
        #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
        let as_f64 = |count: usize| count as f64;
        findings.checks.extend([
            Check::at_least(
                SILVER_USERS.name,
                "row_count",
                as_f64(present.len()),
                1.0,
                CheckStatus::Fail,
                "people in the directory who have not departed",
            ),
            Check::at_least(
                SILVER_USERS.name,
                "read_on_the_day",
                f64::from(u8::from(record.directory.is_some())),
                1.0,
                CheckStatus::Fail,
                "1 when the whole directory was read on the day",
            ),
            Check::at_most(
                SILVER_USERS.name,
                "null_percent_display_name",
                lacking(|user| user.display_name.is_some()),
                MOST_WITHOUT_NAME_PERCENT,
                CheckStatus::Warn,
                "percent of these people without a display name",
            ),
            Check::at_most(
                SILVER_USERS.name,
                "null_percent_department",
                lacking(|user| user.department.is_some()),
                MOST_WITHOUT_DEPARTMENT_PERCENT,
                CheckStatus::Warn,
                "percent of these people without a department; they count under 'none'",
            ),
            Check::at_least(
                SILVER_USER_LICENSES.name,
                "row_count",
                as_f64(people.held),
                1.0,
                CheckStatus::Warn,
                "licences that are held",
            ),
            Check::at_most(
                SILVER_USER_LICENSES.name,
                "undated_percent",
                percent(people.undated, people.held),
                MOST_UNDATED_PERCENT,
                CheckStatus::Warn,
                "percent of the licences whose assignment Microsoft does not date",
            ),
            Check::at_most(
                SILVER_REJECTED.name,
                "row_count",
                as_f64(rejected),
                0.0,
                CheckStatus::Warn,
                "records of this collection that could not be understood; they are in silver_rejected",
            ),
            Check::at_most(
                GOLD_COPILOT_USAGE.name,
                "days_without_report",
                as_f64(gaps.len()),
                0.0,
                CheckStatus::Warn,
                if told.is_empty() {
                    "days of the window that no report told of".to_owned()
                } else {
                    format!("no report told of {}", told.join(", "))
                },
            ),
            Check::at_most(
                SILVER_COPILOT_USAGE.name,
                "concealed_names",
                f64::from(u8::from(findings.concealed)),
                0.0,
                CheckStatus::Fail,
                "1 when the tenant conceals names in its reports",
            ),
        ]);
        Ok(())
    }

    /// The days of the window between the first and the newest stored report that no report told of and none will: the
    /// newest ones may still come.
    async fn days_without_report(&self) -> Result<Vec<Date>, PipelineError> {
        let lake = self.lake.tables();
        let reported = told_days(self.ports.files, lake).await?;
        let (Some(first), Some(last)) = (reported.first(), reported.last()) else {
            return Ok(Vec::new());
        };
        let settled = last.saturating_sub(FRESH_FOR);
        let from = self.day.saturating_sub(WINDOW_DAYS.days()).max(*first);
        let days = from.series(1.day()).take_while(|day| *day <= settled);
        Ok(days.filter(|day| !reported.contains(day)).collect())
    }
}
