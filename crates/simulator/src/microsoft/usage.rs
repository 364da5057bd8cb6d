//! The lines of a Copilot usage report: everybody licensed on the refresh date, when they last used what, and the odd
//! lines that no client should trip over.

use std::collections::HashMap;

use super::{
    activity::{AGENT, CHAT_WEB, CHAT_WORK, EDGE, SURFACES},
    licences::{Segment, date},
    tenant::Tenant,
    truth::UsageTruth,
};
use crate::{dice::Topic, people::Tenure};

/// Reports with fewer lines have nothing odd in them, for there would be little else.
const FEWEST_LINES: usize = 8;

/// The days a report counts over, all of which end with the refresh date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Period {
    D7,
    D28,
    D30,
    D90,
    D180,
    All,
}

impl Period {
    const COUNT: usize = 6;

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "D7" => Self::D7,
            "D28" => Self::D28,
            "D30" => Self::D30,
            "D90" => Self::D90,
            "D180" => Self::D180,
            "ALL" => Self::All,
            _ => return None,
        })
    }

    /// As the report writes it.
    pub(super) fn written(self) -> &'static str {
        match self {
            Self::D7 => "7",
            Self::D28 => "28",
            Self::D30 => "30",
            Self::D90 => "90",
            Self::D180 => "180",
            Self::All => "ALL",
        }
    }

    fn days(self) -> i64 {
        match self {
            Self::D7 => 7,
            Self::D28 => 28,
            Self::D30 => 30,
            Self::D90 => 90,
            Self::D180 => 180,
            Self::All => i64::MAX,
        }
    }

    /// The period up to which everything is counted for this one: the short ones share a count.
    pub(super) fn reach(self) -> Self {
        self.max(Self::D30)
    }

    fn within(reach: Self) -> impl Iterator<Item = Self> {
        let all = [Self::D7, Self::D28, Self::D30, Self::D90, Self::D180, Self::All];
        all.into_iter().filter(move |period| *period <= reach)
    }
}

/// What adds up over a period.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) prompts: u64,
    pub(super) work_prompts: u64,
    pub(super) web_prompts: u64,
    pub(super) active_days: u16,
}

/// One line of a report.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) upn: String,
    pub(super) display_name: String,
    pub(super) last: Option<i64>,
    /// The last day in each place.
    pub(super) surfaces: [Option<i64>; SURFACES],
    counts: [Counts; Period::COUNT],
    pub(super) flaw: Option<Flaw>,
}

/// What is wrong with a line that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    WrongDate,
    TooFewFields,
}

impl Line {
    pub(super) fn chat(&self) -> Option<i64> {
        self.surfaces[CHAT_WORK].max(self.surfaces[CHAT_WEB])
    }

    pub(super) fn counts(&self, period: Period) -> Counts {
        self.counts[period as usize]
    }

    /// The last day in teams, word, excel, powerpoint, outlook, onenote, loop and chat.
    pub(super) fn apps(&self) -> [Option<i64>; 8] {
        std::array::from_fn(|app| if app < 7 { self.surfaces[app] } else { self.chat() })
    }
}

/// The report of a refresh date.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) refresh: i64,
    pub(super) lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(tenant: &Tenant, refresh: i64, reach: Period) -> Self {
        let mut lines: Vec<_> = (0..tenant.users)
            .filter_map(|slot| tenant.line(tenant.tenure(slot, refresh), refresh, reach))
            .collect();
        if tenant.scenario.odd_rows && lines.len() >= FEWEST_LINES {
            tenant.spoil(&mut lines, refresh);
        }
        Self { refresh, lines }
    }

    pub(super) fn rejected(&self) -> u64 {
        self.lines.iter().filter(|line| line.flaw.is_some()).count() as u64
    }

    /// The lines that can be read, those of one person merged.
    pub(super) fn truths(&self) -> Vec<UsageTruth> {
        let mut truths: Vec<UsageTruth> = Vec::with_capacity(self.lines.len());
        let mut places = HashMap::with_capacity(self.lines.len());
        for line in self.lines.iter().filter(|line| line.flaw.is_none()) {
            let truth = truth(line);
            match places.get(&truth.upn) {
                None => {
                    places.insert(truth.upn.clone(), truths.len());
                    truths.push(truth);
                }
                Some(place) => merge(&mut truths[*place], &truth),
            }
        }
        truths
    }
}

fn truth(line: &Line) -> UsageTruth {
    let (week, month) = (line.counts(Period::D7), line.counts(Period::D28));
    UsageTruth {
        upn: line.upn.to_lowercase(),
        last_activity_on: date(line.last),
        apps: line.apps().map(date),
        chat_work_on: date(line.surfaces[CHAT_WORK]),
        chat_web_on: date(line.surfaces[CHAT_WEB]),
        agent_on: date(line.surfaces[AGENT]),
        edge_on: date(line.surfaces[EDGE]),
        prompts_7: week.prompts,
        prompts_28: month.prompts,
        active_days_7: week.active_days,
        active_days_28: month.active_days,
    }
}

fn merge(one: &mut UsageTruth, other: &UsageTruth) {
    one.last_activity_on = one.last_activity_on.max(other.last_activity_on);
    for (one, other) in one.apps.iter_mut().zip(other.apps) {
        *one = (*one).max(other);
    }
    one.chat_work_on = one.chat_work_on.max(other.chat_work_on);
    one.chat_web_on = one.chat_web_on.max(other.chat_web_on);
    one.agent_on = one.agent_on.max(other.agent_on);
    one.edge_on = one.edge_on.max(other.edge_on);
    one.prompts_7 = one.prompts_7.max(other.prompts_7);
    one.prompts_28 = one.prompts_28.max(other.prompts_28);
    one.active_days_7 = one.active_days_7.max(other.active_days_7);
    one.active_days_28 = one.active_days_28.max(other.active_days_28);
}

impl Tenant {
    /// What the report of a refresh date says about a person, where it says anything: it lists the licensed only.
    fn line(&self, tenure: Tenure, refresh: i64, reach: Period) -> Option<Line> {
        let mut segments = self.licences(tenure);
        segments.retain(|segment| segment.from <= refresh && segment.is_in_force());
        if !segments.iter().any(|segment| refresh < segment.until) {
            return None;
        }
        let profile = self.profile(tenure, refresh);
        let mut line = Line {
            upn: match self.about(tenure, 12, 3) {
                0 => profile.upn,
                1 => profile.upn.to_uppercase(),
                _ => profile.upn.to_lowercase(),
            },
            display_name: profile.display_name,
            last: None,
            surfaces: [None; SURFACES],
            counts: [Counts::default(); Period::COUNT],
            flaw: None,
        };
        self.recall(tenure, &segments, refresh, reach, &mut line);
        Some(line)
    }

    /// Goes back day by day until every place has been met and the period is over.
    fn recall(&self, tenure: Tenure, segments: &[Segment], refresh: i64, reach: Period, line: &mut Line) {
        let taste = self.taste(tenure);
        let mut missing = taste.surfaces();
        if missing == 0 {
            return;
        }
        // Segments may overlap; what the later one covers is not asked of the earlier one.
        let mut before = refresh + 1;
        for segment in segments.iter().rev() {
            let behind = segment.until.min(segment.usable_until).min(before);
            before = before.min(segment.from);
            for day in (segment.from..behind).rev() {
                let age = refresh - day;
                if missing == 0 && age >= reach.days() {
                    return;
                }
                let Some(used) = self.used(&taste, segment, day) else {
                    continue;
                };
                // No delay is longer than two days.
                if age < 2 && self.delay(tenure.slot, day) > age {
                    continue;
                }
                line.last = line.last.or(Some(day));
                for (surface, last) in line.surfaces.iter_mut().enumerate() {
                    if used.surfaces >> surface & 1 == 1 && last.is_none() {
                        *last = Some(day);
                    }
                }
                missing &= !used.surfaces;
                for period in Period::within(reach).filter(|period| age < period.days()) {
                    let counts = &mut line.counts[period as usize];
                    counts.prompts += used.prompts;
                    counts.work_prompts += used.work_prompts;
                    counts.web_prompts += used.web_prompts;
                    counts.active_days += 1;
                }
            }
        }
    }

    /// Adds what no client should trip over: somebody twice, somebody unknown, and on some days what cannot be read.
    fn spoil(&self, lines: &mut Vec<Line>, refresh: i64) {
        let throw = |what: u32, sides: usize| {
            let thrown = self.dice.throw(Topic::OddRows, what, refresh, sides as u64);
            usize::try_from(thrown).unwrap_or_default()
        };
        let count = lines.len();
        let first = throw(0, count);
        let place = |quarter: usize| (first + quarter * count / 4) % count;
        if throw(1, 2) == 0 {
            lines[place(1)].flaw = Some(Flaw::WrongDate);
        }
        if throw(2, 2) == 0 {
            lines[place(2)].flaw = Some(Flaw::TooFewFields);
        }
        let mut other = lines[place(3)].clone();
        let one = &mut lines[place(3)];
        // Neither line is the better one: each knows of half the places.
        for surface in 0..SURFACES {
            let half = if surface % 2 == 0 { &mut *one } else { &mut other };
            half.surfaces[surface] = None;
        }
        other.upn = if other.upn.chars().any(char::is_lowercase) {
            other.upn.to_uppercase()
        } else {
            other.upn.to_lowercase()
        };
        other.counts = [Counts::default(); Period::COUNT];
        let mut stranger = other.clone();
        STRANGER.clone_into(&mut stranger.upn);
        "Former Colleague".clone_into(&mut stranger.display_name);
        lines.push(other);
        lines.push(stranger);
    }
}

/// Somebody whom the report knows and the directory does not.
pub(super) const STRANGER: &str = "former.colleague@tenant.example";
