//! What people do on a day: whether they work, what they use Copilot in, which workloads they touch.

use super::{
    cast::{self, Kind},
    licences::Segment,
    tenant::{Spell, Tenant},
};
use crate::{
    days,
    dice::{Series, Topic},
    people::Tenure,
};

/// Where Copilot is used: seven apps, chat over work data and over the web, agents, Edge.
pub(super) const SURFACES: usize = 11;
pub(super) const CHAT_WORK: usize = 7;
pub(super) const CHAT_WEB: usize = 8;
pub(super) const AGENT: usize = 9;
pub(super) const EDGE: usize = 10;

/// Exchange, `OneDrive`, `SharePoint` and Teams.
pub(super) const WORKLOADS: usize = 4;

/// How far back the active-user report knows when somebody was seen.
const SEEN_DAYS: i64 = 180;

/// How often a person uses Copilot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    Never,
    /// Some weeks after each assignment, then no more.
    Stopped,
    Sporadic,
    Weekly,
    Daily,
    OnlyChat,
}

/// What somebody did with Copilot on a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// A bit for each place it was used in; never none.
    pub(super) surfaces: u16,
    pub(super) prompts: u64,
    pub(super) work_prompts: u64,
    pub(super) web_prompts: u64,
}

/// How one person uses Copilot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    slot: u32,
    habit: Habit,
    /// How likely each place is on a day of use, in a hundred; 0 where it never is.
    likely: [u64; SURFACES],
    /// Where it is used when the dice say nowhere.
    favourite: usize,
}

impl Taste {
    /// A bit for each place this person ever uses.
    pub(super) fn surfaces(&self) -> u16 {
        if self.habit == Habit::Never {
            return 0;
        }
        (0..SURFACES)
            .filter(|surface| self.likely[*surface] > 0)
            .fold(0, |all, surface| all | 1 << surface)
    }
}

impl Tenant {
    pub(super) fn taste(&self, tenure: Tenure) -> Taste {
        // Likely on a day of use, and how many of a hundred people never touch it.
        const PLACES: [(u64, u64); SURFACES] = [
            (60, 10),
            (35, 30),
            (25, 45),
            (15, 55),
            (50, 20),
            (8, 80),
            (5, 85),
            (60, 15),
            (35, 40),
            (15, 70),
            (10, 60),
        ];
        let mut throws = self.dice.series(Topic::CopilotTaste, tenure.slot, tenure.number);
        let mut likely = PLACES.map(|(likely, never)| if throws.below(100) < never { 0 } else { likely });
        let habit = cast::casting(tenure.slot)
            .habit
            .unwrap_or_else(|| match throws.below(100) {
                0..=9 => Habit::Never,
                10..=22 => Habit::Stopped,
                23..=34 => Habit::Sporadic,
                35..=54 => Habit::Weekly,
                55..=64 => Habit::OnlyChat,
                _ => Habit::Daily,
            });
        if habit == Habit::OnlyChat {
            likely = std::array::from_fn(|surface| u64::from(matches!(surface, CHAT_WORK | CHAT_WEB)) * 60);
        }
        let favourite = (0..SURFACES)
            .max_by_key(|surface| likely[*surface])
            .filter(|surface| likely[*surface] > 0)
            .unwrap_or(CHAT_WORK);
        // A favourite is somewhere one goes, also where nothing else was thrown.
        likely[favourite] = likely[favourite].max(1);
        Taste {
            slot: tenure.slot,
            habit,
            likely,
            favourite,
        }
    }

    /// What this person did with Copilot on a day of this segment.
    pub(super) fn used(&self, taste: &Taste, segment: &Segment, day: i64) -> Option<Use> {
        let permille = match taste.habit {
            Habit::Never => return None,
            Habit::Stopped => {
                let stopped_on = 10
                    + self
                        .dice
                        .throw_i64(Topic::CopilotHabit, taste.slot, segment.held_from, 40);
                if day >= segment.held_from + stopped_on {
                    return None;
                }
                700
            }
            Habit::Sporadic => 40,
            Habit::Weekly => 200,
            Habit::OnlyChat => 450,
            Habit::Daily => 850,
        };
        let mut throws = self.dice.series(Topic::CopilotDay, taste.slot, day);
        if throws.below(1000) >= permille || !self.works(taste.slot, day) {
            return None;
        }
        let mut surfaces: u16 = 0;
        for (surface, likely) in taste.likely.iter().enumerate() {
            if throws.below(100) < *likely && can(segment, surface) {
                surfaces |= 1 << surface;
            }
        }
        if surfaces == 0 {
            if !can(segment, taste.favourite) {
                return None;
            }
            surfaces = 1 << taste.favourite;
        }
        let prompts_in = |surface: usize, throws: &mut Series| {
            if surfaces >> surface & 1 == 1 {
                1 + throws.below(9)
            } else {
                0
            }
        };
        let work_prompts = prompts_in(CHAT_WORK, &mut throws);
        let web_prompts = prompts_in(CHAT_WEB, &mut throws);
        let elsewhere = u64::from(surfaces.count_ones()) + throws.below(6);
        Some(Use {
            surfaces,
            prompts: work_prompts + web_prompts + elsewhere,
            work_prompts,
            web_prompts,
        })
    }

    /// What this person did with Copilot on a day, by the licence that was in force; the same that reports add up.
    pub(super) fn used_on(&self, tenure: Tenure, day: i64) -> Option<Use> {
        let segments = self.licences(tenure);
        let mut in_force = segments.iter().rev().filter(|segment| segment.is_in_force());
        // Segments may overlap; what the later one covers is not asked of the earlier one.
        let segment = in_force.find(|segment| segment.from <= day)?;
        if day >= segment.until.min(segment.usable_until) {
            return None;
        }
        self.used(&self.taste(tenure), segment, day)
    }

    /// How many prompts somebody without a licence had in the Copilot Chat that everybody may use; few do.
    pub(super) fn chatted_without_licence(&self, tenure: Tenure, day: i64) -> u64 {
        if self.kind(tenure) == Kind::Guest || self.about(tenure, 20, 8) != 0 || !self.held(tenure, day).is_empty() {
            return 0;
        }
        let mut throws = self.dice.series(Topic::ChatWithoutLicence, tenure.slot, day);
        if throws.below(10) < 6 && self.works(tenure.slot, day) {
            1 + throws.below(4)
        } else {
            0
        }
    }

    /// Whether a person works on a day: seldom at weekends, never on leave.
    pub(super) fn works(&self, slot: u32, day: i64) -> bool {
        let percent = if days::is_weekend(day) { 8 } else { 94 };
        self.dice.throw(Topic::Workday, slot, day, 100) < percent && !self.is_on_leave(slot, day)
    }

    /// Seven times in ten quarters somebody is away for 3 to 16 days in a row.
    fn is_on_leave(&self, slot: u32, day: i64) -> bool {
        const QUARTER: i64 = 91;
        let day = day + i64::from(slot % 91);
        let mut leave = self.dice.series(Topic::Vacation, slot, day.div_euclid(QUARTER));
        let (first, length) = (leave.between(0, 70), leave.between(3, 16));
        leave.below(10) < 7 && (first..first + length).contains(&day.rem_euclid(QUARTER))
    }

    /// With how many days of delay the reports learn of a day's activity.
    pub(super) fn delay(&self, slot: u32, day: i64) -> i64 {
        let number = self.dice.throw(Topic::LateActivity, slot, day, 200);
        if number / 2 >= self.scenario.late_activity_percent {
            0
        } else if number.is_multiple_of(2) {
            1
        } else {
            2
        }
    }

    /// When somebody was last seen in each workload, up to a day.
    pub(super) fn seen(&self, tenure: Tenure, spell: Spell, until: i64) -> [Option<i64>; WORKLOADS] {
        const LIKELY: [(u64, u64); WORKLOADS] = [(92, 0), (45, 15), (35, 25), (85, 5)];
        let mut seen = [None; WORKLOADS];
        if !self.has_office(tenure) {
            return seen;
        }
        let mut taste = self.dice.series(Topic::WorkloadTaste, tenure.slot, tenure.number);
        let likely = LIKELY.map(|(likely, never)| if taste.below(100) < never { 0 } else { likely });
        let mut missing = likely.iter().filter(|likely| **likely > 0).count();
        let first = spell.from.max(until - SEEN_DAYS);
        for day in (first..=until.min(spell.disabled_on - 1)).rev() {
            if missing == 0 {
                break;
            }
            if !self.works(tenure.slot, day) {
                continue;
            }
            let mut throws = self.dice.series(Topic::WorkloadDay, tenure.slot, day);
            for (workload, likely) in likely.iter().enumerate() {
                if throws.below(100) < *likely && seen[workload].is_none() {
                    seen[workload] = Some(day);
                    missing -= 1;
                }
            }
        }
        seen
    }
}

/// Whether a licence is good for Copilot in this place: business chat alone is for chat only.
fn can(segment: &Segment, surface: usize) -> bool {
    segment.sku.copilot_plans().len() > 1 || matches!(surface, CHAT_WORK | CHAT_WEB)
}
