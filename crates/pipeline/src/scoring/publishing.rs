//! What people see of a scored day: metrics and log events by department, and the list of underutilised licences.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use uptake_domain::calendar::start_of;
use uptake_domain::license_figures::{LicenseFigures, LicenseSummary, ScoredLicense};
use uptake_domain::licenses_csv::{self, IdleLicense};
use uptake_domain::log_events::LICENSE_USAGE;

use super::score_rows::ScoreRow;
use super::scored_day::{self, ScoredDay};
use super::{FUNCTION, Findings, Scoring};
use crate::outcome::PipelineError;
use crate::people::People;
use crate::ports::{LogEvent, TAKEN_FOR};

/// How far back a department that is gone is remembered, so that it ends with a zero.
const REMEMBERED_FOR_DAYS: i32 = 14;

impl Scoring<'_> {
    /// Writes the list of a day, and publishes its figures once: a value that is published again lower would not be seen.
    /// Later corrections are in the tables, in the list and in the record, which is returned to be stored last.
    pub(super) async fn publish_day(
        &self,
        day: Date,
        as_of_on: Date,
        rows: &[ScoreRow],
        people: &People,
        findings: &mut Findings,
    ) -> Result<ScoredDay, PipelineError> {
        let files = self.ports.files;
        let csv_key = format!("reports/{}", licenses_csv::file_name(day));
        files.write(&csv_key, list(rows, people)?.into()).await?;
        let summary = summarise(rows, people);
        match scored_day::read(files, day).await? {
            Some(before) if before.summary != summary => findings.notes.push(format!(
                "the figures of {day} are published already and stay; list and tables have the new ones"
            )),
            Some(_) => {}
            None => self.publish(day, as_of_on, &summary, findings).await?,
        }
        Ok(ScoredDay {
            day,
            as_of_on,
            csv_key,
            summary,
            license_price: self.config.license_price,
            rules: self.config.rules,
            invocation_id: self.invocation.id.clone(),
        })
    }

    async fn publish(
        &self,
        day: Date,
        as_of_on: Date,
        summary: &LicenseSummary,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let at = start_of(day);
        if self.ports.clock.now().duration_since(at) > TAKEN_FOR {
            findings.notes.push(format!(
                "{day} is too old for CloudWatch (14 days); its figures are in the tables alone"
            ));
            return Ok(());
        }
        let folded = summary.folded(self.config.smallest_group);
        let mut ended = self.shown_before(day).await?;
        // A department that became too small to show has not ended: zeros would say so.
        ended.retain(|name| !summary.departments.contains_key(name));
        let data = folded.metrics(day, self.config.license_price, &ended);
        self.ports.metrics.publish(&data).await?;
        let (written, rejected) = self.write_events(at, as_of_on, &folded).await?;
        findings.counts.published += data.len() as u64 + written;
        findings.rejected_events += rejected;
        Ok(())
    }

    /// The departments that stood in the metrics of the last scored day.
    async fn shown_before(&self, day: Date) -> Result<BTreeSet<String>, PipelineError> {
        let from = day.saturating_sub(REMEMBERED_FOR_DAYS.days());
        let before = scored_day::newest_between(self.ports.files, from, day.saturating_sub(1.day())).await?;
        let folded = before.map(|before| before.summary.folded(self.config.smallest_group));
        let shown = folded.into_iter().flat_map(|summary| summary.departments);
        Ok(shown
            .filter(|(_, figures)| figures.users + figures.licenses > 0)
            .map(|(name, _)| name)
            .collect())
    }

    /// Writes the events that the day's stream does not hold yet: one for everybody, one for each department.
    async fn write_events(
        &self,
        at: Timestamp,
        as_of_on: Date,
        folded: &LicenseSummary,
    ) -> Result<(u64, u64), PipelineError> {
        let stream = self.config.log_groups.stream(LICENSE_USAGE.name, FUNCTION, at);
        let there: BTreeSet<Option<String>> = self
            .logs
            .events(&stream)
            .await?
            .iter()
            .map(|event| Some(event.message.get("department")?.as_str()?.to_owned()))
            .collect();
        let departments = folded.departments.iter().map(|(name, figures)| (Some(name), figures));
        let all = std::iter::once((None, &folded.overall)).chain(departments);
        let events: Vec<LogEvent> = all
            .filter(|(name, _)| !there.contains(&name.cloned()))
            .map(|(name, figures)| LogEvent {
                timestamp: at,
                message: self.message(name.map(String::as_str), figures, as_of_on),
            })
            .collect();
        if events.is_empty() {
            return Ok((0, 0));
        }
        let rejected = self.logs.append(&stream, &events).await?.total();
        Ok((events.len() as u64 - rejected, rejected))
    }

    /// The event of a department; of everybody without one.
    fn message(&self, department: Option<&str>, figures: &LicenseFigures, as_of_on: Date) -> Map<String, Value> {
        let mut message = Map::new();
        let mut put = |name: &str, value: Value| message.insert(name.to_owned(), value);
        put("scope", json!(if department.is_some() { "department" } else { "all" }));
        if let Some(department) = department {
            put("department", json!(department));
        }
        put("as_of_on", json!(as_of_on));
        put("users", json!(figures.users));
        put("licenses", json!(figures.licenses));
        put("active", json!(figures.active));
        put("underutilized", json!(figures.underutilized));
        put("new", json!(figures.new));
        if let Some(score) = figures.mean_score() {
            put("mean_score", json!(score));
        }
        if let Some(price) = self.config.license_price {
            put("idle_license_cost", json!(figures.idle_cost(price)));
        }
        message
    }
}

fn summarise(rows: &[ScoreRow], people: &People) -> LicenseSummary {
    let mut summary = LicenseSummary::default();
    for user in people.users.values().filter(|user| !user.departed) {
        summary.add_user(user.department.as_deref());
    }
    for row in rows {
        let license = ScoredLicense {
            score: u64::try_from(row.score).unwrap_or_default(),
            is_active: row.is_active(),
            underutilized: row.underutilized,
            new_assignment: row.new_assignment,
        };
        summary.add_license(row.department.as_deref(), license);
    }
    summary
}

fn list(rows: &[ScoreRow], people: &People) -> Result<Vec<u8>, PipelineError> {
    let idle = rows.iter().filter(|row| row.underutilized).map(|row| IdleLicense {
        upn: &row.upn,
        display_name: row.display_name.as_deref(),
        mail: row.mail.as_deref(),
        department: row.department.as_deref(),
        departed: people.users.get(&row.user_id).is_some_and(|user| user.departed),
        score: row.score,
        last_activity_on: row.last_activity_on,
        assigned_on: row.assigned_on,
        days_held: row.days_held,
    });
    licenses_csv::render(idle.collect()).map_err(|error| PipelineError::Render(error.to_string()))
}
