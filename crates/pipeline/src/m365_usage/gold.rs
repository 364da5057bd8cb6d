//! Gold: the licence summary after every reading of the directory, and a usage snapshot of every reported day.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use serde::Serialize;
use uptake_domain::copilot_usage::App;
use uptake_domain::known_user::KnownUser;
use uptake_domain::license::LicenseHistory;
use uptake_domain::tables::{GOLD_COPILOT_USAGE, GOLD_LICENSE_SUMMARY, SILVER_COPILOT_USAGE};
use uptake_domain::usage_score::{is_in_window, is_new_assignment};
use uptake_lake::{Columns, Filter, Lake};

use super::{Collection, Findings};
use crate::exclusions::Known;
use crate::outcome::PipelineError;
use crate::people::People;
use crate::ports::Files;
use crate::state;
use crate::usage_rows::UsageRow;

/// The licence side of `gold_copilot_license_summary`; `scoring` writes the rest of its columns.
#[derive(Serialize)]
struct SummaryRow<'a> {
    user_id: &'a str,
    upn: &'a str,
    display_name: Option<&'a str>,
    mail: Option<&'a str>,
    department: Option<&'a str>,
    license_status: &'static str,
    assigned_on: Option<Date>,
    removed_on: Option<Date>,
    days_held: Option<i64>,
    new_assignment: bool,
    departed: bool,
}

const SUMMARY_COLUMNS: Columns = Columns::AllBut(&["score", "underutilized", "last_activity_on"]);

/// What becomes of the score of a licence that is gone.
#[derive(Serialize)]
struct Unscored<'a> {
    user_id: &'a str,
    score: Option<i64>,
    underutilized: Option<bool>,
}

const UNSCORED_COLUMNS: Columns = Columns::Only(&["user_id", "score", "underutilized"]);

/// Days that a report told of and on which nobody held a licence: they have no rows in gold, and are no gap.
const EMPTY_DAYS_KEY: &str = "state/m365-usage/days-without-licences.json";

/// The days up to which the reports in gold tell.
pub(crate) async fn told_days(files: &dyn Files, lake: &Lake) -> Result<BTreeSet<Date>, PipelineError> {
    let mut days = empty_days(files).await?;
    days.extend(lake.partition_dates(&GOLD_COPILOT_USAGE, "day").await?);
    Ok(days)
}

async fn empty_days(files: &dyn Files) -> Result<BTreeSet<Date>, PipelineError> {
    Ok(state::read(files, EMPTY_DAYS_KEY).await?.unwrap_or_default())
}

/// A row of `gold_copilot_usage`.
#[derive(Serialize)]
struct SnapshotRow<'a> {
    user_id: &'a str,
    upn: &'a str,
    display_name: Option<&'a str>,
    mail: Option<&'a str>,
    department: Option<&'a str>,
    day: Date,
    last_activity_on: Option<Date>,
    apps_used: Vec<&'static str>,
    apps_used_count: u64,
    teams_on: Option<Date>,
    word_on: Option<Date>,
    excel_on: Option<Date>,
    powerpoint_on: Option<Date>,
    outlook_on: Option<Date>,
    onenote_on: Option<Date>,
    loop_on: Option<Date>,
    chat_on: Option<Date>,
    reported: bool,
}

impl Collection<'_> {
    /// Brings the licence summary up to the day.
    pub(super) async fn summarise_licenses(
        &self,
        people: &People,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let rows: Vec<SummaryRow<'_>> = people
            .users
            .values()
            .map(|user| self.summary_row(user, people.license(&user.user_id)))
            .collect();
        let written = self.lake.upsert(&GOLD_LICENSE_SUMMARY, SUMMARY_COLUMNS, rows).await?;
        findings.counts.stored += written.inserted + written.updated;
        // A licence that is gone has no score any more; the one of who has one is left to `scoring`.
        let unscored: Vec<Unscored<'_>> = people
            .users
            .keys()
            .filter(|user_id| people.license(user_id).held_since(self.day).is_none())
            .map(|user_id| Unscored {
                user_id,
                score: None,
                underutilized: None,
            })
            .collect();
        self.lake
            .upsert(&GOLD_LICENSE_SUMMARY, UNSCORED_COLUMNS, unscored)
            .await?;
        Ok(())
    }

    fn summary_row<'p>(&self, user: &'p KnownUser, license: &LicenseHistory) -> SummaryRow<'p> {
        let held_since = license.held_since(self.day);
        let (assigned_on, removed_on) = match (held_since, license.last_until(self.day)) {
            (Some(since), _) => (Some(since), None),
            (None, Some((from, to))) => (Some(from), to),
            (None, None) => (None, None),
        };
        let days_held = held_since.map(|since| i64::from((self.day - since).get_days()));
        SummaryRow {
            user_id: &user.user_id,
            upn: &user.upn,
            display_name: user.display_name.as_deref(),
            mail: user.mail.as_deref(),
            department: user.department.as_deref(),
            license_status: if held_since.is_some() {
                "assigned"
            } else {
                "not_assigned"
            },
            assigned_on,
            removed_on,
            days_held,
            new_assignment: days_held.is_some_and(|days| is_new_assignment(days, self.config.new_license_days)),
            departed: user.departed,
        }
    }

    /// Writes the snapshot of every reported day that gold does not have, and of the day whose report changed: stale
    /// reports were kept back, and a day without the directory had nobody to tell of.
    pub(super) async fn fill_gold(
        &self,
        reported: &[Date],
        changed: Option<Date>,
        known: &Known,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let Known { people, excluded } = known;
        let lake = self.lake.tables();
        let told = told_days(self.ports.files, lake).await?;
        let mut days: BTreeSet<Date> = reported.iter().filter(|day| !told.contains(day)).copied().collect();
        days.extend(changed);
        for day in days {
            let of_day = Filter::Equals("report_refresh_on", day.to_string());
            let rows: Vec<UsageRow> = lake
                .read(&SILVER_COPILOT_USAGE, &SILVER_COPILOT_USAGE.column_names(), &of_day)
                .await?;
            let by_upn = people.by_upn(day);
            let mut by_user: HashMap<&str, &UsageRow> = HashMap::with_capacity(rows.len());
            for row in &rows {
                let known = row.user_id.as_deref().or_else(|| by_upn.get(row.upn.as_str()).copied());
                if let Some(user_id) = known {
                    // Somebody who was renamed between two readings of a report has two rows of it.
                    let newer = by_user
                        .get(user_id)
                        .is_none_or(|other| other.last_activity_on <= row.last_activity_on);
                    if newer {
                        by_user.insert(user_id, row);
                    }
                }
            }
            let licensed = people
                .users
                .values()
                .filter(|user| people.license(&user.user_id).held_since(day).is_some())
                .filter(|user| !excluded.has_user(&user.user_id));
            let snapshot: Vec<SnapshotRow<'_>> = licensed
                .map(|user| snapshot_row(user, by_user.get(user.user_id.as_str()).copied(), day))
                .collect();
            if snapshot.is_empty() {
                self.note_empty_day(day).await?;
            }
            let written = self
                .lake
                .replace(&GOLD_COPILOT_USAGE, &Filter::Equals("day", day.to_string()), snapshot)
                .await?;
            findings.counts.stored += written.inserted + written.updated;
        }
        Ok(())
    }

    async fn note_empty_day(&self, day: Date) -> Result<(), PipelineError> {
        let mut days = empty_days(self.ports.files).await?;
        days.insert(day);
        state::write(self.ports.files, EMPTY_DAYS_KEY, &days).await
    }
}

fn snapshot_row<'a>(user: &'a KnownUser, reported: Option<&UsageRow>, day: Date) -> SnapshotRow<'a> {
    let apps = reported.map_or([None; 8], UsageRow::apps);
    let apps_used: Vec<&'static str> = App::ALL
        .into_iter()
        .zip(&apps)
        .filter(|(_, on)| on.is_some_and(|on| is_in_window(on, day)))
        .map(|(app, _)| app.as_str())
        .collect();
    let [
        teams_on,
        word_on,
        excel_on,
        powerpoint_on,
        outlook_on,
        onenote_on,
        loop_on,
        chat_on,
    ] = apps;
    SnapshotRow {
        user_id: &user.user_id,
        upn: &user.upn,
        display_name: user.display_name.as_deref(),
        mail: user.mail.as_deref(),
        department: user.department.as_deref(),
        day,
        last_activity_on: reported.and_then(|row| row.last_activity_on),
        apps_used_count: apps_used.len() as u64,
        apps_used,
        teams_on,
        word_on,
        excel_on,
        powerpoint_on,
        outlook_on,
        onenote_on,
        loop_on,
        chat_on,
        reported: reported.is_some(),
    }
}
