//! The use case `scoring`: what is known of licences and their use becomes scores, flags, figures and the list of
//! underutilised licences.

mod inputs;
mod publishing;
mod score_rows;
pub(crate) mod scored_day;

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use uptake_domain::calendar::{Window, day_of};
use uptake_domain::catalogue::{CHECKS_FAILED, LOG_EVENTS_REJECTED, MetricSpec};
use uptake_domain::data_quality::{Check, CheckStatus, percent};
use uptake_domain::license_figures::LicenseFigures;
use uptake_domain::tables::{GOLD_LICENSE_SUMMARY, GOLD_USAGE_SCORES};
use uptake_domain::usage_score::SETTLING_DAYS;
use uptake_lake::{Columns, Filter, Lake, Snapshot};

use crate::config::ScoringConfig;
use crate::dry_run::{self, ReadOnly, Silent};
use crate::exclusions::{Excluded, Exclusions};
use crate::m365_usage;
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::people::People;
use crate::ports::{Files, Logs, Ports};
use crate::telemetry;
use crate::traced_lake::TracedLake;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;
use inputs::Inputs;
use score_rows::ScoreRow;

/// The name of the function.
pub const FUNCTION: &str = "scoring";

/// Days that were left out are made up for this far back: with the window and the age of a report it is what
/// `SeenDays` can tell apart. A person may ask for any day.
const FURTHEST_BACK_DAYS: i32 = 30;

/// The figures of a scored day over everybody, if it is scored.
pub async fn figures(files: &dyn Files, day: Date) -> Result<Option<LicenseFigures>, PipelineError> {
    let scored = scored_day::read(files, day).await?;
    Ok(scored.map(|scored| scored.summary.overall))
}

/// Scores the day the trigger stands for, and those before it that may still change.
pub async fn score(
    lake: &Lake,
    config: &ScoringConfig,
    exclusions: &Exclusions,
    ports: Ports<'_>,
    logs: &dyn Logs,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let files = ReadOnly(ports.files);
    let (ports, logs): (Ports<'_>, &dyn Logs) = if trigger.dry_run {
        (dry_run::ports(ports, &files), &Silent)
    } else {
        (ports, logs)
    };
    let scoring = Scoring {
        lake: TracedLake::new(lake, FUNCTION, ports.clock, invocation, trigger.dry_run),
        config,
        exclusions,
        ports,
        logs,
        invocation,
        day: trigger.day()?,
        again: trigger.replace,
    };
    let mut outcome = scoring.run(trigger).await?;
    if trigger.dry_run {
        dry_run::correct(&mut outcome, ports.files).await?;
    }
    Ok(outcome)
}

struct Scoring<'a> {
    lake: TracedLake<'a>,
    config: &'a ScoringConfig,
    exclusions: &'a Exclusions,
    ports: Ports<'a>,
    logs: &'a dyn Logs,
    invocation: &'a Invocation,
    day: Date,
    /// Whether a person wants the day scored although it is done.
    again: bool,
}

/// What a scoring has to tell besides what it stored.
#[derive(Default)]
struct Findings {
    counts: Counts,
    missing: Vec<String>,
    notes: Vec<String>,
    checks: Vec<Check>,
    rejected_events: u64,
}

impl Findings {
    fn metrics(&self) -> [(&'static MetricSpec, u64); 2] {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.status != CheckStatus::Pass)
            .count();
        [
            (&CHECKS_FAILED, failed as u64),
            (&LOG_EVENTS_REJECTED, self.rejected_events),
        ]
    }
}

/// What the days of a scoring are scored from.
struct Basis<'a> {
    people: &'a People,
    excluded: &'a Excluded,
    inputs: &'a Inputs<'a>,
    /// The scores so far. Each day is read once, before it is written, so that the others' writes are no matter.
    stored: Snapshot,
}

/// The scoring side of `gold_copilot_license_summary`.
#[derive(Serialize)]
struct LatestScore<'a> {
    user_id: &'a str,
    score: Option<i64>,
    underutilized: Option<bool>,
    last_activity_on: Option<Date>,
}

const LATEST_SCORE_COLUMNS: Columns = Columns::Only(&["user_id", "score", "underutilized", "last_activity_on"]);

impl Scoring<'_> {
    async fn run(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, trigger, self.ports.clock);
        let mut findings = Findings::default();
        let ending = self.offer(past_due, &mut findings).await;
        self.lake.note_calls(self.exclusions.take_calls());
        let ending = self.lake.leave_trace(ending).await;
        let metrics = findings.metrics();
        telemetry::publish(self.ports.metrics, FUNCTION, trigger, past_due, ending, &metrics).await
    }

    async fn offer(&self, past_due: bool, findings: &mut Findings) -> Result<Outcome, PipelineError> {
        let files = self.ports.files;
        let watermark = watermark::read(files, FUNCTION).await?;
        let mut outcome = Outcome::of_nothing(FUNCTION, Window::of_day(self.day), watermark, past_due);
        if self.ports.clock.now() < outcome.window.from {
            return Err(PipelineError::Future(outcome.window.from));
        }
        if scored_day::read(files, self.day).await?.is_some() && !self.again {
            outcome.notes.push(format!("{} is scored already", self.day));
            // It may have been cut off between the two.
            outcome.watermark = Some(watermark::advance(files, FUNCTION, outcome.window.to).await?);
            return Ok(outcome);
        }
        let is_collected = self.is_collected(outcome.window).await?;
        let uncollected = format!("{} has not collected {} completely yet", m365_usage::FUNCTION, self.day);
        if !is_collected && !self.again {
            outcome.notes.push(uncollected);
            return Ok(outcome);
        }
        let newest_scored = watermark.map(|end| day_of(end).saturating_sub(1.day()));
        let is_scored = self.score_days(newest_scored, is_collected, findings).await?;
        if !is_collected {
            findings
                .missing
                .insert(0, format!("{uncollected}, so nothing is published; run it first"));
        }
        if is_scored && is_collected {
            outcome.status = Status::Complete;
            outcome.watermark = Some(watermark::advance(files, FUNCTION, outcome.window.to).await?);
        } else {
            outcome.status = Status::Incomplete;
        }
        outcome.counts = findings.counts;
        outcome.tell(
            std::mem::take(&mut findings.missing),
            std::mem::take(&mut findings.notes),
        );
        Ok(outcome)
    }

    /// Whether everything that scores of the day need is in gold, or a later day is and this one is as told as it will be.
    async fn is_collected(&self, window: Window) -> Result<bool, PipelineError> {
        let record = m365_usage::read_day(self.ports.files, self.day).await?;
        let later = watermark::read(self.ports.files, m365_usage::FUNCTION).await?;
        Ok(record.is_some_and(|record| record.can_be_scored) || later > Some(window.to))
    }

    /// Scores the day and, if no later day is scored, those before it that may still change or were left out; tells
    /// whether the day itself has scores.
    async fn score_days(
        &self,
        newest_scored: Option<Date>,
        is_collected: bool,
        findings: &mut Findings,
    ) -> Result<bool, PipelineError> {
        let is_newest = newest_scored.is_none_or(|newest| self.day >= newest);
        let days = self.days(newest_scored).await?;
        let lake = self.lake.tables();
        let exclusions = self.exclusions.read(self.ports, self.invocation.deadline).await?;
        let people = People::read(lake).await?;
        let excluded = Excluded::among(&people, exclusions);
        let told = m365_usage::told_days(self.ports.files, lake).await?;
        let inputs = Inputs::read(lake, told, &people, &days).await?;
        let basis = Basis {
            people: &people,
            excluded: &excluded,
            inputs: &inputs,
            stored: lake.snapshot(&GOLD_USAGE_SCORES).await?,
        };
        let mut scored = None;
        for (done, day) in (1..).zip(&days) {
            let as_of_on = match inputs.as_of(*day) {
                Some(as_of_on) => as_of_on,
                // Of a tenant that has no licences no report tells, and its zeros are worth telling.
                None if *day == self.day && people.held == 0 && is_collected => *day,
                None => {
                    if *day == self.day {
                        findings.missing.push(format!(
                            "no usage report tells of {day} or the two days before, so nobody is scored; the day is made up for when one comes"
                        ));
                    }
                    continue;
                }
            };
            let rows = self.score_day(*day, as_of_on, &basis, findings).await?;
            if *day == self.day {
                if is_newest {
                    self.update_summary(&rows, &people, findings).await?;
                }
                scored = Some((as_of_on, rows));
            } else if scored_day::read(self.ports.files, *day).await?.is_none() {
                let record = self.publish_day(*day, as_of_on, &rows, &people, findings).await?;
                scored_day::write(self.ports.files, &record).await?;
            }
            self.ports.progress.show("days scored", done, Some(days.len() as u64));
        }
        if let Some((_, rows)) = &scored {
            findings.checks.extend(self.checks_of_scores(rows, &people, &excluded));
        }
        findings.checks.push(gaps_check(&days, &inputs));
        self.lake.store_checks(self.day, &findings.checks).await?;
        let Some((as_of_on, rows)) = scored else {
            return Ok(false);
        };
        if is_collected {
            let record = self.publish_day(self.day, as_of_on, &rows, &people, findings).await?;
            // What marks the day as done comes last: nothing of it is looked at again.
            self.lake.write_trace().await?;
            scored_day::write(self.ports.files, &record).await?;
        }
        Ok(true)
    }

    /// The day, and before it the days whose scores may still change, and those since the last scored one. A day on
    /// which nobody collected was not missed but lies before the first collection.
    async fn days(&self, newest_scored: Option<Date>) -> Result<Vec<Date>, PipelineError> {
        if newest_scored > Some(self.day) {
            return Ok(vec![self.day]);
        }
        let first = m365_usage::first_day(self.ports.files).await?.unwrap_or(self.day);
        let settling = self.day.saturating_sub(SETTLING_DAYS.days());
        let from = newest_scored.map_or(settling, |newest| settling.min(newest));
        let furthest = self.day.saturating_sub(FURTHEST_BACK_DAYS.days());
        let from = from.max(furthest).max(first).min(self.day);
        Ok(from.series(1.day()).take_while(|day| *day <= self.day).collect())
    }

    /// Scores everybody who held a licence on the day, and everybody who was scored for it before.
    async fn score_day(
        &self,
        day: Date,
        as_of_on: Date,
        basis: &Basis<'_>,
        findings: &mut Findings,
    ) -> Result<Vec<ScoreRow>, PipelineError> {
        let of_day = Filter::Equals("score_on", day.to_string());
        let columns = GOLD_USAGE_SCORES.column_names();
        let stored: Vec<ScoreRow> = basis.stored.read(&columns, &of_day).await?;
        let mut stored: BTreeMap<String, ScoreRow> = stored.into_iter().map(|row| (row.user_id.clone(), row)).collect();
        let mut rows: Vec<ScoreRow> = Vec::with_capacity(stored.len());
        // Most days of the week have hardly a new score: what is stored as it is need not go through the table again.
        let mut changed = Vec::new();
        // What is stored of excluded people stays as it is, and nothing is added.
        let users = basis.people.users.values();
        let users = users.filter(|user| !basis.excluded.has_user(&user.user_id));
        for user in users {
            let before = stored.remove(&user.user_id);
            let Some(blank) = before.clone().or_else(|| {
                let held_since = basis.people.license(&user.user_id).held_since(day)?;
                Some(ScoreRow::blank(user, day, held_since))
            }) else {
                continue;
            };
            let mut row = blank.scored(&basis.inputs.of(&user.user_id, as_of_on), self.config.rules);
            if before.as_ref() != Some(&row) {
                if before.is_some() && self.again && day == self.day {
                    row.revision += 1;
                }
                changed.push(rows.len());
            }
            rows.push(row);
        }
        let changed: Vec<&ScoreRow> = changed.into_iter().filter_map(|place| rows.get(place)).collect();
        let written = self.lake.upsert(&GOLD_USAGE_SCORES, Columns::All, changed).await?;
        findings.counts.stored += written.inserted + written.updated;
        if day == self.day {
            findings.counts.fetched = rows.len() as u64;
        } else if written.inserted + written.updated > 0 {
            findings.notes.push(format!(
                "{day} was scored again up to {as_of_on}: {} rows are new or different; what was published of it stays",
                written.inserted + written.updated
            ));
        }
        Ok(rows)
    }

    /// Brings the newest score into the licence summary, and takes it out for who has no licence any more.
    async fn update_summary(
        &self,
        rows: &[ScoreRow],
        people: &People,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let by_user: BTreeMap<&str, &ScoreRow> = rows.iter().map(|row| (row.user_id.as_str(), row)).collect();
        let latest: Vec<LatestScore<'_>> = people
            .users
            .keys()
            .map(|user_id| {
                let row = by_user.get(user_id.as_str());
                LatestScore {
                    user_id,
                    score: row.map(|row| row.score),
                    underutilized: row.map(|row| row.underutilized),
                    last_activity_on: row.and_then(|row| row.last_activity_on),
                }
            })
            .collect();
        let written = self
            .lake
            .upsert(&GOLD_LICENSE_SUMMARY, LATEST_SCORE_COLUMNS, &latest)
            .await?;
        findings.counts.stored += written.inserted + written.updated;
        Ok(())
    }

    fn checks_of_scores(&self, rows: &[ScoreRow], people: &People, excluded: &Excluded) -> [Check; 3] {
        let table = GOLD_USAGE_SCORES.name;
        let held =
            |user_id: &&String| !excluded.has_user(user_id) && people.license(user_id).held_since(self.day).is_some();
        let licensed: BTreeSet<&String> = people.users.keys().filter(held).collect();
        let scored = rows.iter().filter(|row| licensed.contains(&row.user_id)).count();
        let licensed = licensed.len();
        let out_of_range = rows.iter().filter(|row| !(0..=100).contains(&row.score)).count();
        let inconsistent = rows.iter().filter(|row| !row.is_consistent(self.config.rules)).count();
        [
            Check::at_least(
                table,
                "coverage_percent",
                if licensed == 0 {
                    100.0
                } else {
                    percent(scored, licensed)
                },
                100.0,
                CheckStatus::Fail,
                "percent of the licences held on the day that have a score",
            ),
            Check::at_most(
                table,
                "scores_out_of_range",
                as_f64(out_of_range),
                0.0,
                CheckStatus::Fail,
                "scores below 0 or above 100",
            ),
            Check::at_most(
                table,
                "inconsistent_flags",
                as_f64(inconsistent),
                0.0,
                CheckStatus::Fail,
                "rows whose flags do not follow from score and days held",
            ),
        ]
    }
}

fn gaps_check(days: &[Date], inputs: &Inputs<'_>) -> Check {
    let gaps: Vec<String> = days
        .iter()
        .filter(|day| inputs.as_of(**day).is_none())
        .map(Date::to_string)
        .collect();
    Check::at_most(
        GOLD_USAGE_SCORES.name,
        "days_without_score",
        as_f64(gaps.len()),
        0.0,
        CheckStatus::Warn,
        if gaps.is_empty() {
            "days of the last week without scores".to_owned()
        } else {
            format!("no fresh report to score {}", gaps.join(", "))
        },
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
