//! Days of the ledger, folded in order into streaks, points and totals of every subject and agent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::civil::{Date, Weekday};
use uptake_domain::engagement::{DayState, Tally, Timeframe, is_apart, state_in_app};
use uptake_domain::engagement_figures::{AppFigures, DayFigures};

use super::days::{ALL_APPS, LedgerRow};

/// What adds up within a stretch, and when it last grew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) tally: Tally,
    pub(super) last_active_on: Option<Date>,
}

impl Standing {
    fn add(&mut self, day: Date, state: DayState, interactions: u64, told_from: Option<Date>) {
        if state == DayState::Active {
            if self.last_active_on.is_some_and(|last| is_apart(last, day, told_from)) {
                self.tally.current_streak = 0;
            }
            self.last_active_on = Some(day);
        }
        self.tally.add(state, interactions);
    }
}

/// A subject overall or in one app, in the order of [`Timeframe::ALL`].
#[derive(Clone, Copy, Debug, Default)]
struct Series([Standing; 3]);

impl Series {
    fn add(&mut self, day: Date, state: DayState, interactions: u64, told_from: Option<Date>) {
        self.0
            .iter_mut()
            .for_each(|standing| standing.add(day, state, interactions, told_from));
    }
}

/// Numbers for names that occur millions of times.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    fn name(&self, number: u32) -> &str {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.names.get(number))
            .map_or("", String::as_str)
    }
}

/// A day of one subject.
#[derive(Default)]
struct OneDay {
    state: Option<DayState>,
    interactions: u64,
    /// Interactions by app.
    apps: BTreeMap<u32, u64>,
}

/// Interactions with an agent, by subject.
type OfAgent = HashMap<u32, u64>;

/// Everything that adds up.
pub(super) struct Fold {
    week_starts_on: Weekday,
    /// The first day that a report told of.
    told_from: Option<Date>,
    subjects: Names,
    apps: Names,
    agents: Names,
    /// By subject: its apps, [`ALL_APPS`] among them.
    series: HashMap<u32, Vec<(u32, Series)>>,
    /// By agent, in the order of [`Timeframe::ALL`].
    of_agents: HashMap<u32, [OfAgent; 3]>,
    /// The first day of the stretches that are under way.
    starts: Option<[Date; 3]>,
}

/// A stretch that is over, or as far as it has come.
pub(super) struct Stretch {
    pub(super) timeframe: Timeframe,
    pub(super) start_on: Date,
}

/// A line of totals.
pub(super) struct SubjectTotal<'f> {
    pub(super) subject: &'f str,
    pub(super) app: &'f str,
    pub(super) standing: Standing,
}

/// A line of an agent's totals.
pub(super) struct AgentTotal<'f> {
    pub(super) agent_id: &'f str,
    pub(super) interactions: u64,
    pub(super) subjects: u64,
}

impl Fold {
    pub(super) fn new(week_starts_on: Weekday, told_from: Option<Date>) -> Self {
        Self {
            week_starts_on,
            told_from,
            subjects: Names::default(),
            apps: Names::default(),
            agents: Names::default(),
            series: HashMap::new(),
            of_agents: HashMap::new(),
            starts: None,
        }
    }

    /// Goes on from where all time stood for a subject in an app.
    pub(super) fn resume(&mut self, subject: &str, app: &str, standing: Standing) {
        let (subject, app) = (self.subjects.number(subject), self.apps.number(app));
        let mut series = Series::default();
        series.0[ALL_TIME] = standing;
        self.series.entry(subject).or_default().push((app, series));
    }

    /// Goes on from how often a subject had talked to an agent.
    pub(super) fn resume_agent(&mut self, subject: &str, agent_id: &str, interactions: u64) {
        let (subject, agent) = (self.subjects.number(subject), self.agents.number(agent_id));
        let agents = self.of_agents.entry(agent).or_default();
        agents[ALL_TIME].insert(subject, interactions);
    }

    /// The stretches that are over when this day begins.
    pub(super) fn over_before(&self, day: Date) -> Vec<Stretch> {
        let Some(starts) = self.starts else {
            return Vec::new();
        };
        let stretches = Timeframe::ALL.into_iter().zip(starts);
        stretches
            .filter(|(timeframe, start_on)| timeframe.start(day, self.week_starts_on) != *start_on)
            .map(|(timeframe, start_on)| Stretch { timeframe, start_on })
            .collect()
    }

    /// The stretches under way.
    pub(super) fn under_way(&self) -> Vec<Stretch> {
        let starts = self.starts.into_iter().flatten();
        let stretches = Timeframe::ALL.into_iter().zip(starts);
        stretches
            .map(|(timeframe, start_on)| Stretch { timeframe, start_on })
            .collect()
    }

    /// Takes in the rows of the next day, of which there may be none.
    pub(super) fn add(&mut self, day: Date, rows: Vec<LedgerRow>) {
        self.begin(day);
        let mut by_subject: HashMap<u32, OneDay> = HashMap::new();
        for row in rows {
            let subject = self.subjects.number(&row.subject);
            let of_day = by_subject.entry(subject).or_default();
            if row.app == ALL_APPS {
                of_day.state = Some(row.state);
                of_day.interactions = row.interactions;
                continue;
            }
            *of_day.apps.entry(self.apps.number(&row.app)).or_default() += row.interactions;
            if !row.agent_id.is_empty() {
                let agent = self.agents.number(&row.agent_id);
                for of_agent in self.of_agents.entry(agent).or_default() {
                    *of_agent.entry(subject).or_default() += row.interactions;
                }
            }
        }
        let all = self.apps.number(ALL_APPS);
        for (subject, of_day) in by_subject {
            let OneDay {
                state,
                interactions: overall,
                apps,
            } = of_day;
            let series = self.series.entry(subject).or_default();
            for app in apps.keys().chain([&all]) {
                if !series.iter().any(|(known, _)| known == app) {
                    series.push((*app, Series::default()));
                }
            }
            for (app, series) in series {
                let (state_of_app, interactions) = if *app == all {
                    (state.unwrap_or(DayState::Neutral), overall)
                } else {
                    let interactions = apps.get(app);
                    (
                        state_in_app(interactions.is_some(), state),
                        interactions.copied().unwrap_or(0),
                    )
                };
                series.add(day, state_of_app, interactions, self.told_from);
            }
        }
    }

    /// Begins the stretches that a day is the first of.
    fn begin(&mut self, day: Date) {
        let over = self.over_before(day);
        for stretch in over {
            let place = stretch.timeframe as usize;
            for (_, series) in self.series.values_mut().flatten() {
                series.0[place] = Standing::default();
            }
            for agents in self.of_agents.values_mut() {
                agents[place].clear();
            }
        }
        self.starts = Some(Timeframe::ALL.map(|timeframe| timeframe.start(day, self.week_starts_on)));
    }

    /// Where everybody stands who used an app within the stretch.
    pub(super) fn totals(&self, timeframe: Timeframe) -> impl Iterator<Item = SubjectTotal<'_>> {
        let place = timeframe as usize;
        self.series.iter().flat_map(move |(subject, series)| {
            series
                .iter()
                .map(move |(app, series)| SubjectTotal {
                    subject: self.subjects.name(*subject),
                    app: self.apps.name(*app),
                    standing: series.0[place],
                })
                .filter(|total| total.standing.tally.active_days > 0)
        })
    }

    /// How much agents were talked to within the stretch.
    pub(super) fn agents(&self, timeframe: Timeframe) -> impl Iterator<Item = AgentTotal<'_>> {
        let place = timeframe as usize;
        self.of_agents.iter().filter_map(move |(agent, frames)| {
            let of_agent = &frames[place];
            (!of_agent.is_empty()).then(|| AgentTotal {
                agent_id: self.agents.name(*agent),
                interactions: of_agent.values().sum(),
                subjects: of_agent.len() as u64,
            })
        })
    }

    /// How often each subject has ever talked to each agent.
    pub(super) fn of_agents(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.of_agents.iter().flat_map(move |(agent, frames)| {
            let of_agent = frames[ALL_TIME].iter();
            of_agent.map(move |(subject, interactions)| {
                (self.subjects.name(*subject), self.agents.name(*agent), *interactions)
            })
        })
    }

    /// Subjects with a streak of at least so many days, by app.
    pub(super) fn streaks(&self, at_least: u64) -> BTreeMap<String, BTreeSet<u32>> {
        let mut apps: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for (subject, series) in &self.series {
            for (app, series) in series {
                if series.0[ALL_TIME].tally.current_streak >= at_least {
                    apps.entry(self.apps.name(*app).to_owned())
                        .or_default()
                        .insert(*subject);
                }
            }
        }
        apps
    }
}

const ALL_TIME: usize = Timeframe::AllTime as usize;

/// The figures of a day. Apps with too few people become one.
pub(super) fn figures(rows: &[LedgerRow], smallest_group: usize) -> DayFigures {
    let mut figures = DayFigures::default();
    let mut apps: BTreeMap<&str, (HashSet<&str>, AppFigures)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state == DayState::Active) {
        if row.app == ALL_APPS {
            figures.overall.subjects += 1;
            figures.overall.interactions += row.interactions;
            continue;
        }
        let of_agents = if row.agent_id.is_empty() { 0 } else { row.interactions };
        figures.overall.agent_interactions += of_agents;
        let (subjects, app) = apps.entry(&row.app).or_default();
        subjects.insert(&row.subject);
        app.interactions += row.interactions;
        app.agent_interactions += of_agents;
    }
    let mut folded: HashSet<&str> = HashSet::new();
    for (name, (subjects, app)) in apps {
        if subjects.len() >= smallest_group {
            let subjects = subjects.len() as u64;
            figures.apps.insert(name.to_owned(), AppFigures { subjects, ..app });
        } else {
            folded.extend(subjects);
            let other = figures.apps.entry(uptake_domain::groups::OTHER.to_owned()).or_default();
            other.interactions += app.interactions;
            other.agent_interactions += app.agent_interactions;
        }
    }
    if let Some(other) = figures.apps.get_mut(uptake_domain::groups::OTHER) {
        other.subjects += folded.len() as u64;
    }
    figures
}
