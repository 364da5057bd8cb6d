//! Totals: weeks, months and all time of everybody, from the last closing on.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::engagement::{RUBRIC_VERSION, Tally, Timeframe};
use uptake_domain::engagement_figures::DayFigures;
use uptake_domain::tables::{
    GOLD_AGENT_TOTALS, GOLD_ENGAGEMENT_CLOSINGS, GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS,
};
use uptake_lake::{Columns, Filter, Lake, Stamp, Written};

use super::days::{ALL_APPS, rows};
use super::fold::{Fold, Standing, Stretch, figures};
use super::{Findings, Identity, UNSETTLED_DAYS};
use crate::config::EngagementConfig;
use crate::identity_state;
use crate::outcome::PipelineError;
use crate::ports::{Files, Progress};

/// Days whose figures are published anew as late data arrives.
pub(super) const PUBLISHED_FOR_DAYS: i32 = 7;
/// A habit.
const STREAK_DAYS: u64 = 5;

/// A row of `gold_engagement_totals`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TotalRow {
    pub(crate) subject: String,
    pub(crate) key_id: String,
    pub(crate) app: String,
    pub(crate) timeframe: Timeframe,
    pub(crate) start_on: Date,
    pub(crate) active_days: u64,
    pub(crate) current_streak: u64,
    pub(crate) best_streak: u64,
    pub(crate) interactions: u64,
    pub(crate) points: u64,
    pub(crate) rubric_version: i64,
    pub(crate) last_active_on: Option<Date>,
}

/// A row of `gold_engagement_closings`.
#[derive(Serialize, Deserialize)]
struct ClosingRow {
    subject: String,
    key_id: String,
    closed_on: Date,
    app: String,
    agent_id: String,
    active_days: u64,
    current_streak: u64,
    best_streak: u64,
    interactions: u64,
    points: u64,
    rubric_version: i64,
    last_active_on: Option<Date>,
}

impl ClosingRow {
    fn standing(&self) -> Standing {
        Standing {
            tally: Tally {
                active_days: self.active_days,
                current_streak: self.current_streak,
                best_streak: self.best_streak,
                interactions: self.interactions,
                points: self.points,
            },
            last_active_on: self.last_active_on,
        }
    }
}

/// A row of `gold_agent_totals`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AgentRow {
    agent_id: String,
    agent_name: Option<String>,
    timeframe: Timeframe,
    start_on: Date,
    interactions: u64,
    subjects: u64,
}

/// What totals are computed and written with: the ledger and nothing that it was derived from.
pub(super) struct Totals<'a> {
    pub(super) lake: &'a Lake,
    pub(super) stamp: &'a Stamp,
    pub(super) config: &'a EngagementConfig,
    pub(super) identity: &'a Identity,
    pub(super) files: &'a dyn Files,
    pub(super) progress: &'a dyn Progress,
    /// The first day that a report told of.
    pub(super) told_from: Option<Date>,
}

impl Totals<'_> {
    /// Computes everything anew that a day from `first` on has a part in; tells the figures of the last days.
    pub(super) async fn update(
        &self,
        first: Date,
        as_of: Date,
        agent_names: &BTreeMap<String, String>,
        findings: &mut Findings,
    ) -> Result<BTreeMap<Date, DayFigures>, PipelineError> {
        let lake = self.lake;
        let week_starts_on = self.config.week_starts_on;
        let starts = [Timeframe::Week, Timeframe::Month].map(|timeframe| timeframe.start(first, week_starts_on));
        let before = starts[0].min(starts[1]);
        let mut fold = Fold::new(week_starts_on, self.told_from);
        let closed_on = self.resume(&mut fold, before).await?;
        let ledger = lake.snapshot(&GOLD_ENGAGEMENT_DAILY).await?;
        let days = ledger.partition_dates("day")?;
        let from = match closed_on {
            Some(closed_on) => closed_on.saturating_add(1.day()),
            None => days.first().copied().unwrap_or(first),
        };
        let names = self.agent_names(agent_names).await?;
        let mut last_figures = BTreeMap::new();
        let published_from = as_of.saturating_sub((PUBLISHED_FOR_DAYS - 1).days());
        let all = u64::try_from((as_of - from).get_days() + 1).unwrap_or_default();
        for (done, day) in (1..).zip(from.series(1.day()).take_while(|day| *day <= as_of)) {
            for stretch in fold.over_before(day) {
                if day > first {
                    self.store(&fold, &stretch, &names, findings).await?;
                }
            }
            let rows = if days.binary_search(&day).is_ok() {
                rows(&ledger, day).await?
            } else {
                Vec::new()
            };
            if day >= published_from && !rows.is_empty() {
                last_figures.insert(day, figures(&rows, self.config.smallest_group));
            }
            fold.add(day, rows);
            // A month that is passed has no closing that holds, or its end lies in the week that is computed anew.
            let is_month_over = day == day.last_of_month() && (as_of - day).get_days() >= UNSETTLED_DAYS;
            if is_month_over {
                self.close(&fold, day, findings).await?;
            }
            self.progress.show("days added up", done, Some(all));
        }
        for stretch in fold.under_way() {
            self.store(&fold, &stretch, &names, findings).await?;
        }
        if let Some(mut last) = last_figures.last_entry() {
            last.get_mut().streaks = streaks(&fold, self.config.smallest_group);
        }
        Ok(last_figures)
    }

    /// Fails where the key is not the one in use.
    async fn admit(&self) -> Result<(), PipelineError> {
        identity_state::admit(self.files, &self.identity.key, &self.identity.tenant).await
    }

    /// Starts from the newest closing before a day, if there is one by the present rubric; tells of when it is.
    async fn resume(&self, fold: &mut Fold, before: Date) -> Result<Option<Date>, PipelineError> {
        let closings = self
            .lake
            .partition_dates(&GOLD_ENGAGEMENT_CLOSINGS, "closed_on")
            .await?;
        for closed_on in closings.into_iter().rev().filter(|closed_on| *closed_on < before) {
            let of_day = Filter::Equals("closed_on", closed_on.to_string());
            let columns = GOLD_ENGAGEMENT_CLOSINGS.column_names();
            let rows: Vec<ClosingRow> = self.lake.read(&GOLD_ENGAGEMENT_CLOSINGS, &columns, &of_day).await?;
            if rows.iter().any(|row| row.rubric_version != RUBRIC_VERSION) {
                continue;
            }
            for row in rows {
                if row.agent_id.is_empty() {
                    fold.resume(&row.subject, &row.app, row.standing());
                } else {
                    fold.resume_agent(&row.subject, &row.agent_id, row.interactions);
                }
            }
            return Ok(Some(closed_on));
        }
        Ok(None)
    }

    /// Stores where a stretch stands.
    async fn store(
        &self,
        fold: &Fold,
        stretch: &Stretch,
        names: &BTreeMap<String, String>,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let Stretch { timeframe, start_on } = *stretch;
        let totals: Vec<TotalRow> = fold
            .totals(timeframe)
            .map(|total| TotalRow {
                subject: total.subject.to_owned(),
                key_id: self.identity.key.id().to_owned(),
                app: total.app.to_owned(),
                timeframe,
                start_on,
                active_days: total.standing.tally.active_days,
                current_streak: total.standing.tally.current_streak,
                best_streak: total.standing.tally.best_streak,
                interactions: total.standing.tally.interactions,
                points: total.standing.tally.points,
                rubric_version: RUBRIC_VERSION,
                last_active_on: total.standing.last_active_on,
            })
            .collect();
        self.admit().await?;
        let written = self
            .lake
            .upsert(&GOLD_ENGAGEMENT_TOTALS, Columns::All, totals, self.stamp)
            .await?;
        findings.count(written);
        let agents: Vec<AgentRow> = fold
            .agents(timeframe)
            .map(|total| AgentRow {
                agent_id: total.agent_id.to_owned(),
                agent_name: names.get(total.agent_id).cloned(),
                timeframe,
                start_on,
                interactions: total.interactions,
                subjects: total.subjects,
            })
            .collect();
        let written = self
            .lake
            .upsert(&GOLD_AGENT_TOTALS, Columns::All, agents, self.stamp)
            .await?;
        findings.count(written);
        Ok(())
    }

    /// Keeps where all time stands at the end of a month.
    async fn close(&self, fold: &Fold, closed_on: Date, findings: &mut Findings) -> Result<(), PipelineError> {
        let row = |subject: &str, app: &str, agent_id: &str, standing: Standing| ClosingRow {
            subject: subject.to_owned(),
            key_id: self.identity.key.id().to_owned(),
            closed_on,
            app: app.to_owned(),
            agent_id: agent_id.to_owned(),
            active_days: standing.tally.active_days,
            current_streak: standing.tally.current_streak,
            best_streak: standing.tally.best_streak,
            interactions: standing.tally.interactions,
            points: standing.tally.points,
            rubric_version: RUBRIC_VERSION,
            last_active_on: standing.last_active_on,
        };
        let of_subjects = fold.totals(Timeframe::AllTime);
        let mut rows: Vec<ClosingRow> = of_subjects
            .map(|total| row(total.subject, total.app, "", total.standing))
            .collect();
        rows.extend(fold.of_agents().map(|(subject, agent_id, interactions)| {
            let mut standing = Standing::default();
            standing.tally.interactions = interactions;
            row(subject, "", agent_id, standing)
        }));
        self.admit().await?;
        let of_day = Filter::Equals("closed_on", closed_on.to_string());
        let written = self
            .lake
            .replace(&GOLD_ENGAGEMENT_CLOSINGS, &of_day, rows, self.stamp)
            .await?;
        findings.count(written);
        Ok(())
    }

    /// What agents are called: as last seen, or as stored.
    async fn agent_names(&self, seen: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, PipelineError> {
        let of_all_time = Filter::Equals("timeframe", Timeframe::AllTime.as_str().to_owned());
        let columns = GOLD_AGENT_TOTALS.column_names();
        let stored: Vec<AgentRow> = self.lake.read(&GOLD_AGENT_TOTALS, &columns, &of_all_time).await?;
        let mut names: BTreeMap<String, String> = stored
            .into_iter()
            .filter_map(|row| Some((row.agent_id, row.agent_name?)))
            .collect();
        names.extend(seen.iter().map(|(agent, name)| (agent.clone(), name.clone())));
        Ok(names)
    }
}

impl Findings {
    fn count(&mut self, written: Written) {
        self.counts.stored += written.inserted + written.updated;
    }
}

/// How many people have a habit, overall under the empty name and by app.
fn streaks(fold: &Fold, smallest_group: usize) -> BTreeMap<String, u64> {
    let mut by_app = fold.streaks(STREAK_DAYS);
    let overall = by_app.remove(ALL_APPS).unwrap_or_default();
    let folded = uptake_domain::groups::fold_small(by_app, smallest_group);
    let mut counts: BTreeMap<String, u64> = folded
        .into_iter()
        .map(|(app, people)| (app, people.len() as u64))
        .collect();
    counts.insert(String::new(), overall.len() as u64);
    counts
}
