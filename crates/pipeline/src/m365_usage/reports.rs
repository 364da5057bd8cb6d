//! The usage reports: Copilot's of seven and of 28 days, and Microsoft 365's of who was active at all.

use std::collections::HashMap;

use jiff::SignedDuration;
use jiff::civil::Date;
use serde::Serialize;
use uptake_domain::calendar::Window;
use uptake_domain::copilot_usage::{UsageRecord, WorkloadActivity};
use uptake_domain::data_quality::{Check, CheckStatus, percent};
use uptake_domain::tables::{SILVER_COPILOT_USAGE, SILVER_M365_ACTIVITY};
use uptake_lake::Columns;
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::reports::{ActivityOf, ActivityReport, Period, Report, ReportForm, UsageReport};

use super::left_out::without_excluded;
use super::{Collection, DayRecord, Findings};
use crate::bronze::{Bronze, Form};
use crate::exclusions::{Excluded, Known};
use crate::outcome::PipelineError;
use crate::people::People;
use crate::rejected::RejectedRecord;
use crate::usage_rows::UsageRow;

const USAGE_7_DAYS: &str = "m365_copilot_usage_d7";
const USAGE_28_DAYS: &str = "m365_copilot_usage_d28";
const ACTIVE_USERS_DAY: &str = "m365_active_users_day";
const ACTIVE_USERS_7_DAYS: &str = "m365_active_users_d7";
/// What the bytes and rejected rows of reports are kept under.
pub(crate) const REPORT_SOURCES: [&str; 4] = [USAGE_7_DAYS, USAGE_28_DAYS, ACTIVE_USERS_DAY, ACTIVE_USERS_7_DAYS];

fn usage_source(period: Period) -> &'static str {
    match period {
        Period::D7 => USAGE_7_DAYS,
        Period::D28 => USAGE_28_DAYS,
    }
}

fn activity_source(which: ActivityOf) -> &'static str {
    match which {
        ActivityOf::Day(_) => ACTIVE_USERS_DAY,
        ActivityOf::LastSevenDays => ACTIVE_USERS_7_DAYS,
    }
}

/// The columns of `silver_copilot_usage` but for those that the 28-day report fills.
const WITHOUT_LONGER_PERIOD: Columns = Columns::AllBut(&["period_days", "prompts", "active_days_reported"]);

/// What `silver_m365_activity` calls the report of seven days.
pub(crate) const ACTIVITY_OF_SEVEN_DAYS: &str = "last_7_days";

/// A row of `silver_m365_activity`.
#[derive(Serialize)]
struct ActivityRow {
    user_id: Option<String>,
    upn: String,
    report_refresh_on: Date,
    exchange_on: Option<Date>,
    onedrive_on: Option<Date>,
    sharepoint_on: Option<Date>,
    teams_on: Option<Date>,
    report_kind: &'static str,
}

impl Collection<'_> {
    /// Reads and stores the Copilot usage report; tells of which days rows changed.
    pub(super) async fn read_usage(
        &self,
        record: &mut DayRecord,
        known: &Known,
        findings: &mut Findings,
    ) -> Result<Option<Date>, PipelineError> {
        let people = &known.people;
        // A credential that was just refused is not tried three times over.
        if matches!(findings.refused, Some(ApiError::Unauthorized { .. })) {
            return Ok(None);
        }
        match self.graph.conceals_names(self.invocation.deadline).await {
            Ok(Some(true)) => {
                findings.concealed = true;
                findings.lacks("Copilot usage report", ApiError::Concealed);
                return Ok(None);
            }
            Ok(Some(false) | None) => {}
            // The reports themselves show whether names are concealed.
            Err(error) => tracing::info!(%error, "the settings of reports could not be read"),
        }
        let week = match self.usage_of(Period::D7, &known.excluded, findings).await? {
            Ok(report) => report,
            Err(error) => {
                findings.concealed |= matches!(error, ApiError::Concealed);
                findings.lacks("Copilot usage report", error);
                return Ok(None);
            }
        };
        findings.counts.fetched += week.rows.rows.len() as u64 + week.rows.rejected.len() as u64;
        let Some(refresh_on) = week.rows.refresh_on else {
            if people.held > 0 {
                findings
                    .missing
                    .push("the Copilot usage report came without a row; the next invocation asks again".to_owned());
            } else {
                findings
                    .notes
                    .push("nobody holds a licence, and the usage report is empty".to_owned());
            }
            return Ok(None);
        };
        let month = self.longer_report(refresh_on, &known.excluded, findings).await?;
        let by_upn = people.by_upn(refresh_on);
        let longer: HashMap<&str, &UsageRecord> = month
            .iter()
            .flatten()
            .map(|record| (record.upn.as_str(), record))
            .collect();
        let listed = week.rows.rows.len();
        let mut rows: Vec<UsageRow> = Vec::with_capacity(listed);
        for record in week.rows.rows {
            let user_id = by_upn.get(record.upn.as_str()).copied();
            let longer = longer.get(record.upn.as_str());
            let mut row = UsageRow::of(record, user_id);
            if let Some(longer) = longer {
                row.take_longer_period(longer);
            }
            rows.push(row);
        }
        let unknown = rows.iter().filter(|row| row.user_id.is_none()).count();
        // Figures of 28 days that were to be had before stay when they are not this time.
        let columns = if month.is_none() && self.reported_days().await?.contains(&refresh_on) {
            WITHOUT_LONGER_PERIOD
        } else {
            Columns::All
        };
        let written = self.lake.upsert(&SILVER_COPILOT_USAGE, columns, rows).await?;
        findings.counts.stored += written.inserted + written.updated;
        findings
            .checks
            .extend(usage_checks(listed, unknown, week.rows.duplicates));
        if unknown > 0 && record.directory.is_some() {
            findings.notes.push(format!(
                "{unknown} of {listed} people in the usage report are not in the directory; their rows stay in silver"
            ));
        }
        record.report_refresh_on = record.report_refresh_on.max(Some(refresh_on));
        Ok((written.inserted + written.updated > 0).then_some(refresh_on))
    }

    /// The rows of the 28-day report, where it is to be had and tells of the same day.
    async fn longer_report(
        &self,
        refresh_on: Date,
        excluded: &Excluded,
        findings: &mut Findings,
    ) -> Result<Option<Vec<UsageRecord>>, PipelineError> {
        match self.usage_of(Period::D28, excluded, findings).await? {
            Ok(report) if report.rows.refresh_on == Some(refresh_on) => Ok(Some(report.rows.rows)),
            Ok(_) => {
                findings.notes.push(
                    "the 28-day report tells of another day than the 7-day report, so its figures are not used"
                        .to_owned(),
                );
                Ok(None)
            }
            Err(ApiError::NotAvailable { .. }) => {
                findings
                    .notes
                    .push("there is no 28-day report, so active days are counted from what is seen alone".to_owned());
                Ok(None)
            }
            Err(error) => {
                findings.lacks("28-day Copilot usage report", error);
                Ok(None)
            }
        }
    }

    async fn usage_of(
        &self,
        period: Period,
        excluded: &Excluded,
        findings: &mut Findings,
    ) -> Result<Result<UsageReport, ApiError>, PipelineError> {
        let answer = self.graph.copilot_usage(period, self.invocation.deadline).await;
        let mut report = self.take_in(usage_source(period), answer, excluded, findings).await?;
        if let Ok(report) = &mut report {
            report.rows.rows.retain(|row| !excluded.has_name(&row.upn));
        }
        if report.as_ref().is_ok_and(|report| report.form != ReportForm::CsvV2) {
            findings.notes.push(
                "Microsoft did not give version 2 of the usage report; prompts and active days are missing".to_owned(),
            );
        }
        Ok(report)
    }

    /// Keeps the bytes of a report, understood or not, but for excluded people, sets its odd rows aside, and refuses one
    /// without names.
    async fn take_in<T>(
        &self,
        source: &'static str,
        answer: Result<Report<T>, ApiError>,
        excluded: &Excluded,
        findings: &mut Findings,
    ) -> Result<Result<Report<T>, ApiError>, PipelineError> {
        let mut bronze = self.bronze(source);
        let mut report = match answer {
            Ok(report) => report,
            Err(error) => {
                self.keep_refused_but(excluded, &mut bronze).await?;
                return Ok(Err(error));
            }
        };
        let form = match report.form {
            ReportForm::CsvV2 | ReportForm::CsvV1 => Form::Csv,
            ReportForm::BetaJson => Form::Json,
        };
        for body in std::mem::take(&mut report.bodies) {
            bronze.keep(form, &without_excluded(&body, form, excluded)).await?;
        }
        let mut rejected = std::mem::take(&mut report.rows.rejected);
        rejected.retain(|row| !excluded.is_named_in(row.record.as_bytes()));
        findings.rejected.extend(
            rejected
                .into_iter()
                .map(|row| RejectedRecord::new(source, self.day, row.rule, row.reason, row.record)),
        );
        if report.rows.concealed {
            return Ok(Err(ApiError::Concealed));
        }
        Ok(Ok(report))
    }

    /// Keeps the bytes of a report that was not understood, but for excluded people.
    async fn keep_refused_but(&self, excluded: &Excluded, bronze: &mut Bronze<'_>) -> Result<(), PipelineError> {
        if let Some(body) = self.graph.take_refused_body() {
            let form = form_of(&body);
            bronze.keep(form, &without_excluded(&body, form, excluded)).await?;
        }
        Ok(())
    }

    /// Keeps the bytes of an answer that was not understood and tells of nobody's use.
    pub(super) async fn keep_refused(&self, bronze: &mut Bronze<'_>) -> Result<(), PipelineError> {
        if let Some(body) = self.graph.take_refused_body() {
            bronze.keep(form_of(&body), &body).await?;
        }
        Ok(())
    }

    /// Reads and stores who was active in Microsoft 365 at all, of the day the usage report tells of.
    pub(super) async fn read_activity(
        &self,
        record: &mut DayRecord,
        known: &Known,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let Known { people, excluded } = known;
        let Some(day) = record.report_refresh_on.filter(|_| !findings.concealed) else {
            return Ok(());
        };
        if matches!(findings.refused, Some(ApiError::Unauthorized { .. })) {
            return Ok(());
        }
        if record.activity_refresh_on >= Some(day) && !self.again {
            return Ok(());
        }
        let (kind, report) = match self.activity_of(ActivityOf::Day(day), excluded, findings).await? {
            Ok(report) if report.rows.refresh_on.is_some() => ("day", Ok(report)),
            // No data yet, or a day too long ago.
            Ok(_) | Err(ApiError::NotAvailable { .. }) => (
                ACTIVITY_OF_SEVEN_DAYS,
                self.activity_of(ActivityOf::LastSevenDays, excluded, findings).await?,
            ),
            Err(error) => ("day", Err(error)),
        };
        let report = match report {
            Ok(report) => report,
            Err(ApiError::NotAvailable { .. }) => {
                findings
                    .notes
                    .push("there is no report of who was active in Microsoft 365; scores do without".to_owned());
                return Ok(());
            }
            Err(error) => {
                findings.concealed |= matches!(error, ApiError::Concealed);
                findings.lacks("active-user report", error);
                return Ok(());
            }
        };
        let Some(refresh_on) = report.rows.refresh_on else {
            findings
                .missing
                .push("the active-user report came without a row; the next invocation asks again".to_owned());
            return Ok(());
        };
        let stored = self
            .lake
            .tables()
            .partition_dates(&SILVER_M365_ACTIVITY, "report_refresh_on")
            .await?;
        if kind == ACTIVITY_OF_SEVEN_DAYS && stored.contains(&refresh_on) {
            // What the report of that very day told stays.
            record.activity_refresh_on = record.activity_refresh_on.max(Some(refresh_on));
            return Ok(());
        }
        let by_upn = people.by_upn(refresh_on);
        findings.counts.fetched += report.rows.rows.len() as u64;
        let rows: Vec<ActivityRow> = report
            .rows
            .rows
            .into_iter()
            .map(|row| activity_row(row, kind, |upn| by_upn.get(upn).map(|id| (*id).to_owned())))
            .collect();
        let written = self.lake.upsert(&SILVER_M365_ACTIVITY, Columns::All, rows).await?;
        findings.counts.stored += written.inserted + written.updated;
        record.activity_refresh_on = Some(refresh_on);
        Ok(())
    }

    async fn activity_of(
        &self,
        which: ActivityOf,
        excluded: &Excluded,
        findings: &mut Findings,
    ) -> Result<Result<ActivityReport, ApiError>, PipelineError> {
        let answer = self.graph.active_users(which, self.invocation.deadline).await;
        let mut report = self.take_in(activity_source(which), answer, excluded, findings).await?;
        if let Ok(report) = &mut report {
            report.rows.rows.retain(|row| !excluded.has_name(&row.upn));
        }
        Ok(report)
    }

    /// The days up to which the usage reports in silver tell.
    pub(super) async fn reported_days(&self) -> Result<Vec<Date>, PipelineError> {
        let lake = self.lake.tables();
        Ok(lake.partition_dates(&SILVER_COPILOT_USAGE, "report_refresh_on").await?)
    }

    /// How old the newest report is that the day can rest on, and whether that is too old.
    pub(super) fn judge_freshness(&self, reported: &[Date], people: &People, findings: &mut Findings) {
        let newest = reported.iter().copied().filter(|on| *on <= self.day).max();
        let Some(newest) = newest else {
            if findings.missing.is_empty() && people.held > 0 {
                findings
                    .missing
                    .push(format!("no usage report tells of {} or a day before", self.day));
            }
            return;
        };
        let age = report_age(newest, self.day);
        findings.report_age = Some(age);
        if findings.is_stale() {
            findings.missing.push(format!(
                "the newest usage report tells of {newest}, more than 48 hours before the end of {}; it is kept out of gold until a \
                 newer one comes",
                self.day
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "hours")]
        let (hours, most) = (age.as_hours() as f64, super::FRESH_FOR.as_hours() as f64);
        findings.checks.push(Check::at_most(
            SILVER_COPILOT_USAGE.name,
            "freshness",
            hours,
            most,
            CheckStatus::Warn,
            format!(
                "hours from the end of {newest}, the newest report's day, to the end of {}",
                self.day
            ),
        ));
    }
}

fn form_of(body: &[u8]) -> Form {
    if body.trim_ascii_start().starts_with(b"{") {
        Form::Json
    } else {
        Form::Csv
    }
}

/// From the end of the day a report tells of to the end of the day it is used for.
pub(crate) fn report_age(refresh_on: Date, day: Date) -> SignedDuration {
    Window::of_day(day).to.duration_since(Window::of_day(refresh_on).to)
}

fn activity_row(row: WorkloadActivity, kind: &'static str, id_of: impl Fn(&str) -> Option<String>) -> ActivityRow {
    ActivityRow {
        user_id: id_of(&row.upn),
        upn: row.upn,
        report_refresh_on: row.report_refresh_on,
        exchange_on: row.exchange_on,
        onedrive_on: row.onedrive_on,
        sharepoint_on: row.sharepoint_on,
        teams_on: row.teams_on,
        report_kind: kind,
    }
}

fn usage_checks(listed: usize, unknown: usize, duplicates: u64) -> [Check; 3] {
    let table = SILVER_COPILOT_USAGE.name;
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
    let (rows, duplicates) = (listed as f64, duplicates as f64);
    [
        Check::at_least(
            table,
            "row_count",
            rows,
            1.0,
            CheckStatus::Fail,
            "people in the usage report",
        ),
        Check::at_most(
            table,
            "parity_with_directory",
            percent(unknown, listed),
            MOST_UNKNOWN_PERCENT,
            CheckStatus::Warn,
            "percent of the people in the usage report that the directory does not know",
        ),
        Check::at_most(
            table,
            "duplicates",
            duplicates,
            0.0,
            CheckStatus::Warn,
            "rows of the report about somebody who has one already; they are merged, the latest of each date stays",
        ),
    ]
}

/// Accounts deleted since the report was made are a few.
const MOST_UNKNOWN_PERCENT: f64 = 5.0;
