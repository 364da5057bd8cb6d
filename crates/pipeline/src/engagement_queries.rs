//! The use case of reading engagement: who keeps a streak, who has completed something, who is inactive, who leads, and
//! which agents are talked to. Answers know subjects and nobody by name.
//!
//! Whoever asks needs no key. What is read is as small as the question allows: one stretch of the totals, and of the ledger
//! the newest days alone.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use uptake_domain::engagement::{ALL_TIME_STARTS_ON, DayState, Timeframe};
use uptake_domain::engagement_queries::{self, Figures, InEveryApp, Page, Place, Stretch, ToldStretch};
use uptake_domain::tables::{GOLD_AGENT_TOTALS, GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS};
use uptake_lake::{Filter, Lake};

use crate::engagement::{ALL_APPS, test_data};
use crate::identity_state;
use crate::outcome::PipelineError;
use crate::ports::Files;

/// Days of the ledger that are looked at, newest first, for one that a report has decided. Reports come days late and a
/// longer outage is an alarm of its own.
const DAYS_TO_LOOK_AT: usize = 30;

/// Rows of the leaderboard, unless it is asked for more.
pub const USUAL_TOP: usize = 20;
/// The most rows of the leaderboard.
pub const MOST_TOP: usize = 1_000;
/// Days that make a habit, and so a streak worth asking for.
pub const USUAL_STREAK: u64 = 5;
/// Days without use after which somebody is inactive.
pub const USUAL_INACTIVE_DAYS: u32 = 14;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whose current streak is long enough in every one of some apps.
    Streaks {
        /// The apps.
        apps: BTreeSet<String>,
        /// Active days in a row.
        count: u64,
    },
    /// Who did enough within a stretch in every one of some apps.
    Completed {
        /// The apps.
        apps: BTreeSet<String>,
        /// The least number of active days, if it matters.
        days: Option<u64>,
        /// The least number of interactions, if it matters.
        interactions: Option<u64>,
        /// When.
        when: When,
    },
    /// Which licensed subjects have not been active for so many days, or ever.
    Inactive {
        /// The days.
        days: u32,
    },
    /// Who has most points.
    Leaderboard {
        /// In which app.
        app: String,
        /// When.
        when: When,
        /// How many are shown.
        top: usize,
    },
    /// How much agents are talked to.
    Agents {
        /// When.
        when: When,
    },
}

/// The stretch of time that a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Week, month or all time.
    pub timeframe: Timeframe,
    /// A day in it; without one, the newest stretch with anything in it is meant.
    pub day: Option<Date>,
}

/// Which part of a long answer is wanted. The leaderboard has no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Rows at most.
    pub limit: usize,
    /// The subject or agent after which it begins.
    pub after: Option<String>,
}

impl Part {
    /// All of it.
    pub const WHOLE: Self = Self {
        limit: usize::MAX,
        after: None,
    };
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The newest day of the ledger; none where there is no ledger yet.
    pub as_of: Option<Date>,
    /// The key that subjects are made with; none where none is told.
    pub key_id: Option<String>,
    /// The stretch that is told of, where the question is about one. None where nothing is recorded yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stretch: Option<ToldStretch>,
    /// The day from which inactive days are counted back: the newest one that a usage report has decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_from: Option<Date>,
    /// Version of the rubric by which points were given, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rubric_version: Option<i64>,
    /// Rows of the whole answer.
    pub total: u64,
    /// What to ask for the next part with; none where this is the last.
    pub next: Option<String>,
    /// What a person should know, in sentences.
    pub notes: Vec<String>,
    /// What was found.
    #[serde(flatten)]
    pub rows: Rows,
}

/// What was found, in order of subject or agent but for the leaderboard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Rows {
    /// To [`Question::Streaks`].
    #[serde(rename = "subjects")]
    Streaks(Vec<StreakRow>),
    /// To [`Question::Completed`].
    #[serde(rename = "subjects")]
    Completed(Vec<CompletedRow>),
    /// To [`Question::Inactive`].
    #[serde(rename = "subjects")]
    Inactive(Vec<InactiveRow>),
    /// To [`Question::Leaderboard`].
    #[serde(rename = "subjects")]
    Leaderboard(Vec<LeaderRow>),
    /// To [`Question::Agents`].
    #[serde(rename = "agents")]
    Agents(Vec<AgentRow>),
}

/// A streak; of several apps, the shortest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreakRow {
    /// Who.
    pub subject: String,
    /// Active days since the last inactive one.
    pub current_streak: u64,
    /// The most there have been.
    pub best_streak: u64,
}

/// What was done within a stretch; of several apps, the least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompletedRow {
    /// Who.
    pub subject: String,
    /// Days with use.
    pub active_days: u64,
    /// Interactions.
    pub interactions: u64,
}

/// Who has not been active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InactiveRow {
    /// Who.
    pub subject: String,
    /// The last day with use; none where there was never one.
    pub last_active_on: Option<Date>,
    /// Days since then; none where there was never one.
    pub inactive_days: Option<i32>,
}

/// A place on the leaderboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaderRow {
    /// The place, from 1.
    pub rank: u64,
    /// Who.
    pub subject: String,
    /// Points.
    pub points: u64,
    /// Days with use.
    pub active_days: u64,
    /// Active days since the last inactive one within the stretch.
    pub current_streak: u64,
    /// The most there have been within it.
    pub best_streak: u64,
    /// Interactions.
    pub interactions: u64,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// Microsoft's id of it.
    pub agent_id: String,
    /// Its name, if it was ever told.
    pub agent_name: Option<String>,
    /// Interactions with it.
    pub interactions: u64,
    /// How many people had them.
    pub subjects: u64,
}

/// Engagement as it is stored.
#[derive(Clone, Copy)]
pub struct Engagement<'a> {
    /// Its tables.
    pub lake: &'a Lake,
    /// The store, which says whether engagement is paused.
    pub files: &'a dyn Files,
    /// First day of the week; the same as for the function `engagement`.
    pub week_starts_on: Weekday,
    /// The present day.
    pub today: Date,
}

/// What an answer tells besides its rows.
#[derive(Default)]
struct Told {
    key_id: Option<String>,
    stretch: Option<ToldStretch>,
    counted_from: Option<Date>,
    rubric_version: Option<i64>,
    total: u64,
    next: Option<String>,
    notes: Vec<String>,
}

impl Told {
    fn page<T>(&mut self, rows: BTreeMap<String, T>, part: &Part) -> Vec<(String, T)> {
        let Page { rows, total, next } = engagement_queries::page(rows, part.after.as_deref(), part.limit);
        (self.total, self.next) = (total, next);
        rows
    }
}

impl Engagement<'_> {
    /// Answers a question.
    ///
    /// # Errors
    ///
    /// [`crate::identity_state::IdentityError::Paused`] while the key is changed: half of the subjects would be others.
    /// Otherwise what the store answers. That there is nothing yet is an answer.
    pub async fn ask(&self, question: &Question, part: &Part) -> Result<Answer, PipelineError> {
        self.refuse_while_paused().await?;
        let ledger = self.lake.partition_dates(&GOLD_ENGAGEMENT_DAILY, "day").await?;
        let mut told = Told::default();
        if let Some(note) = test_data::note(self.files).await? {
            told.notes.push(note);
        }
        if ledger.is_empty() {
            told.notes.push(
                "there is no ledger yet: the function engagement writes its first day after m365-usage has collected one"
                    .to_owned(),
            );
        }
        let rows = match question {
            Question::Streaks { apps, count } => Rows::Streaks(self.streaks(apps, *count, part, &mut told).await?),
            Question::Completed {
                apps,
                days,
                interactions,
                when,
            } => {
                let enough = |figures: &Figures| {
                    days.is_none_or(|days| figures.active_days >= days)
                        && interactions.is_none_or(|interactions| figures.interactions >= interactions)
                };
                Rows::Completed(self.completed(apps, *when, enough, part, &mut told).await?)
            }
            Question::Inactive { days } => Rows::Inactive(self.inactive(&ledger, *days, part, &mut told).await?),
            Question::Leaderboard { app, when, top } => {
                Rows::Leaderboard(self.leaderboard(app, *when, *top, &mut told).await?)
            }
            Question::Agents { when } => Rows::Agents(self.agents(*when, part, &mut told).await?),
        };
        // A change of keys that began meanwhile may have reached the one table and not the other.
        self.refuse_while_paused().await?;
        Ok(Answer {
            as_of: ledger.last().copied(),
            key_id: told.key_id,
            stretch: told.stretch,
            counted_from: told.counted_from,
            rubric_version: told.rubric_version,
            total: told.total,
            next: told.next,
            notes: told.notes,
            rows,
        })
    }

    async fn refuse_while_paused(&self) -> Result<(), PipelineError> {
        match identity_state::pause(self.files).await? {
            Some(pause) => Err(PipelineError::Identity(pause)),
            None => Ok(()),
        }
    }

    async fn streaks(
        &self,
        apps: &BTreeSet<String>,
        count: u64,
        part: &Part,
        told: &mut Told,
    ) -> Result<Vec<StreakRow>, PipelineError> {
        let all_time = Stretch::of(Timeframe::AllTime, self.today, self.week_starts_on);
        let found = self
            .in_every_app(apps, all_time, |figures| figures.current_streak >= count, told)
            .await?;
        let rows = told.page(found, part).into_iter();
        Ok(rows
            .map(|(subject, figures)| StreakRow {
                subject,
                current_streak: figures.current_streak,
                best_streak: figures.best_streak,
            })
            .collect())
    }

    async fn completed(
        &self,
        apps: &BTreeSet<String>,
        when: When,
        enough: impl Fn(&Figures) -> bool,
        part: &Part,
        told: &mut Told,
    ) -> Result<Vec<CompletedRow>, PipelineError> {
        let Some(stretch) = self.stretch(when, told).await? else {
            return Ok(Vec::new());
        };
        let found = self.in_every_app(apps, stretch, enough, told).await?;
        let rows = told.page(found, part).into_iter();
        Ok(rows
            .map(|(subject, figures)| CompletedRow {
                subject,
                active_days: figures.active_days,
                interactions: figures.interactions,
            })
            .collect())
    }

    /// Who has `enough` within a stretch in every one of the apps.
    async fn in_every_app(
        &self,
        apps: &BTreeSet<String>,
        stretch: Stretch,
        enough: impl Fn(&Figures) -> bool,
        told: &mut Told,
    ) -> Result<BTreeMap<String, Figures>, PipelineError> {
        let mut found = InEveryApp::new(apps);
        let mut used = BTreeSet::new();
        self.totals(stretch, |row| {
            let figures = row.figures();
            if !used.contains(&row.app) {
                used.insert(row.app.clone());
            }
            if found.asks_for(&row.app) && enough(&figures) {
                told.key_id.get_or_insert(row.key_id);
                found.add(row.subject, figures);
            }
        })
        .await?;
        told.notes.extend(unused(apps, &used, stretch));
        Ok(found.finish())
    }

    async fn leaderboard(
        &self,
        app: &str,
        when: When,
        top: usize,
        told: &mut Told,
    ) -> Result<Vec<LeaderRow>, PipelineError> {
        let Some(stretch) = self.stretch(when, told).await? else {
            return Ok(Vec::new());
        };
        // A heap of the best so far, the last of them on top.
        let mut best: BinaryHeap<Place> = BinaryHeap::with_capacity(top.saturating_add(1).min(MOST_TOP + 1));
        let mut streaks: HashMap<String, (u64, u64)> = HashMap::new();
        let mut used = BTreeSet::new();
        self.totals(stretch, |row| {
            if !used.contains(&row.app) {
                used.insert(row.app.clone());
            }
            if row.app != app {
                return;
            }
            told.total += 1;
            told.key_id.get_or_insert(row.key_id);
            told.rubric_version = told.rubric_version.max(Some(row.rubric_version));
            streaks.insert(row.subject.clone(), (row.current_streak, row.best_streak));
            best.push(Place {
                points: row.points,
                active_days: row.active_days,
                interactions: row.interactions,
                subject: row.subject,
            });
            if best.len() > top
                && let Some(last) = best.pop()
            {
                streaks.remove(&last.subject);
            }
        })
        .await?;
        told.notes.extend(unused(&[app.to_owned()].into(), &used, stretch));
        let places = (1..).zip(best.into_sorted_vec());
        Ok(places
            .map(|(rank, place)| {
                let (current_streak, best_streak) = streaks.get(&place.subject).copied().unwrap_or_default();
                LeaderRow {
                    rank,
                    subject: place.subject,
                    points: place.points,
                    active_days: place.active_days,
                    current_streak,
                    best_streak,
                    interactions: place.interactions,
                }
            })
            .collect())
    }

    /// Whoever has a row of the newest decided day, or of one after it, holds a licence or used Copilot all the same; of
    /// these, the totals say when they were last active. Whoever is in no total never was.
    async fn inactive(
        &self,
        ledger: &[Date],
        days: u32,
        part: &Part,
        told: &mut Told,
    ) -> Result<Vec<InactiveRow>, PipelineError> {
        let mut known: HashMap<String, Option<Date>> = HashMap::new();
        let mut decided_on = None;
        for day in ledger.iter().rev().take(DAYS_TO_LOOK_AT) {
            let of_day = Filter::Equals("day", day.to_string());
            let columns = ["subject", "key_id", "app", "state"];
            let take = |rows: Vec<LedgerRow>| {
                for row in rows.into_iter().filter(|row| row.app == ALL_APPS) {
                    told.key_id.get_or_insert(row.key_id);
                    let last = known.entry(row.subject).or_default();
                    match row.state {
                        DayState::Active => *last = (*last).max(Some(*day)),
                        // Only a report tells that somebody did not use it.
                        DayState::Inactive | DayState::Neutral => decided_on = Some(*day),
                    }
                }
            };
            self.lake.scan(&GOLD_ENGAGEMENT_DAILY, &columns, &of_day, take).await?;
            if decided_on.is_some() {
                break;
            }
        }
        let Some(counted_from) = decided_on.or(ledger.last().copied()) else {
            return Ok(Vec::new());
        };
        told.counted_from = Some(counted_from);
        let all_time = Stretch::of(Timeframe::AllTime, self.today, self.week_starts_on);
        self.totals(all_time, |row| {
            if row.app == ALL_APPS
                && let Some(last) = known.get_mut(&row.subject)
            {
                *last = (*last).max(row.last_active_on);
            }
        })
        .await?;
        let inactive_days = |last: Date| (counted_from - last).get_days();
        let found = known
            .into_iter()
            .filter(|(_, last)| last.is_none_or(|last| i64::from(inactive_days(last)) >= i64::from(days)))
            .collect();
        let rows = told.page(found, part).into_iter();
        Ok(rows
            .map(|(subject, last_active_on)| InactiveRow {
                subject,
                last_active_on,
                inactive_days: last_active_on.map(inactive_days),
            })
            .collect())
    }

    async fn agents(&self, when: When, part: &Part, told: &mut Told) -> Result<Vec<AgentRow>, PipelineError> {
        let of_timeframe = Filter::Equals("timeframe", when.timeframe.as_str().to_owned());
        let columns = ["agent_id", "agent_name", "start_on", "interactions", "subjects"];
        let rows: Vec<AgentTotal> = self.lake.read(&GOLD_AGENT_TOTALS, &columns, &of_timeframe).await?;
        let asked = when.day.map(|day| when.timeframe.start(day, self.week_starts_on));
        let Some(start_on) = asked.or_else(|| rows.iter().map(|row| row.start_on).max()) else {
            told.notes.push("nobody has talked to an agent yet".to_owned());
            return Ok(Vec::new());
        };
        let stretch = Stretch {
            timeframe: when.timeframe,
            start_on,
        };
        told.stretch = Some(ToldStretch::of(stretch, self.today));
        let found: BTreeMap<String, AgentTotal> = rows
            .into_iter()
            .filter(|row| row.start_on == start_on)
            .map(|row| (row.agent_id.clone(), row))
            .collect();
        if found.is_empty() {
            told.notes
                .push(format!("nobody talked to an agent in {}", named(stretch)));
        }
        let rows = told.page(found, part).into_iter();
        Ok(rows
            .map(|(agent_id, row)| AgentRow {
                agent_id,
                agent_name: row.agent_name,
                interactions: row.interactions,
                subjects: row.subjects,
            })
            .collect())
    }

    /// The stretch that is meant; none where nothing is recorded yet and no day was named.
    async fn stretch(&self, when: When, told: &mut Told) -> Result<Option<Stretch>, PipelineError> {
        let timeframe = when.timeframe;
        let start_on = match (timeframe, when.day) {
            (Timeframe::AllTime, _) => Some(ALL_TIME_STARTS_ON),
            (_, Some(day)) => Some(timeframe.start(day, self.week_starts_on)),
            (_, None) => self.newest(timeframe).await?,
        };
        let stretch = start_on.map(|start_on| Stretch { timeframe, start_on });
        told.stretch = stretch.map(|stretch| ToldStretch::of(stretch, self.today));
        Ok(stretch)
    }

    /// The first day of the newest week or month with totals. The log tells first days without saying of what: where a
    /// month begins with a week, its rows are looked at.
    async fn newest(&self, timeframe: Timeframe) -> Result<Option<Date>, PipelineError> {
        let starts = self.lake.partition_dates(&GOLD_ENGAGEMENT_TOTALS, "start_on").await?;
        let begins_one = |start_on: &Date| {
            *start_on != ALL_TIME_STARTS_ON && timeframe.start(*start_on, self.week_starts_on) == *start_on
        };
        for start_on in starts.into_iter().rev().filter(begins_one) {
            let mut has_rows = false;
            self.totals(Stretch { timeframe, start_on }, |_| has_rows = true)
                .await?;
            if has_rows {
                return Ok(Some(start_on));
            }
        }
        Ok(None)
    }

    /// Gives the totals of a stretch away, row by row.
    async fn totals(&self, stretch: Stretch, mut on_row: impl FnMut(TotalRow)) -> Result<(), PipelineError> {
        let of_start = Filter::Equals("start_on", stretch.start_on.to_string());
        let give = |rows: Vec<TotalRow>| {
            rows.into_iter()
                .filter(|row| row.timeframe == stretch.timeframe)
                .for_each(&mut on_row);
        };
        Ok(self
            .lake
            .scan(&GOLD_ENGAGEMENT_TOTALS, TOTAL_COLUMNS, &of_start, give)
            .await?)
    }
}

/// What is read of the totals.
const TOTAL_COLUMNS: &[&str] = &[
    "subject",
    "key_id",
    "app",
    "timeframe",
    "active_days",
    "current_streak",
    "best_streak",
    "interactions",
    "points",
    "rubric_version",
    "last_active_on",
];

#[derive(Deserialize)]
struct TotalRow {
    subject: String,
    key_id: String,
    app: String,
    timeframe: Timeframe,
    active_days: u64,
    current_streak: u64,
    best_streak: u64,
    interactions: u64,
    points: u64,
    rubric_version: i64,
    last_active_on: Option<Date>,
}

impl TotalRow {
    fn figures(&self) -> Figures {
        Figures {
            active_days: self.active_days,
            current_streak: self.current_streak,
            best_streak: self.best_streak,
            interactions: self.interactions,
        }
    }
}

#[derive(Deserialize)]
struct LedgerRow {
    subject: String,
    key_id: String,
    app: String,
    state: DayState,
}

#[derive(Deserialize)]
struct AgentTotal {
    agent_id: String,
    agent_name: Option<String>,
    start_on: Date,
    interactions: u64,
    subjects: u64,
}

fn named(stretch: Stretch) -> String {
    match (stretch.timeframe, stretch.end_on()) {
        (Timeframe::Month, Some(_)) => format!("the month from {}", stretch.start_on),
        (_, Some(_)) => format!("the week from {}", stretch.start_on),
        (_, None) => "all time".to_owned(),
    }
}

/// What is to be said about apps that nobody used: that there is nothing at all, or which ones there are.
fn unused(asked: &BTreeSet<String>, used: &BTreeSet<String>, stretch: Stretch) -> Option<String> {
    let when = named(stretch);
    if used.is_empty() {
        return Some(format!("nothing is recorded of {when}"));
    }
    let unused: Vec<&str> = asked.difference(used).map(String::as_str).collect();
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    (!unused.is_empty()).then(|| {
        format!(
            "nobody used {} in {when}; what was used is {}",
            unused.join(" or "),
            used.join(", ")
        )
    })
}
