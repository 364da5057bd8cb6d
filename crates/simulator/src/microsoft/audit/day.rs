//! The interactions of one day: who had them, when and where, before anything is written down about them.

use super::super::{
    activity::{CHAT_WEB, CHAT_WORK, SURFACES},
    tenant::Tenant,
};
use crate::{
    dice::{Series, Topic},
    people::Tenure,
};

/// Interactions are gathered by quarters of an hour.
pub(super) const QUARTERS: usize = 96;
pub(super) const QUARTER_SECONDS: i64 = 900;

const DAY: i64 = 86_400;

/// When a quarter of an hour begins, in seconds of its day.
pub(super) fn start_of(quarter: usize) -> i64 {
    i64::try_from(quarter).unwrap_or_default() * QUARTER_SECONDS
}

/// The quarters in which most is done where a number of events is wanted: from 7:00 to 18:00 UTC.
const BUSY: std::ops::Range<usize> = 28..72;
/// How much more is done in them.
const BUSY_WEIGHT: u64 = 15;

/// In what somebody met Copilot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Teams,
    Word,
    Excel,
    PowerPoint,
    Outlook,
    OneNote,
    Loop,
    WorkChat,
    WebChat,
    Agent,
    Edge,
    /// An agent made with Copilot Studio, of which only the answers are recorded.
    Studio,
    Designer,
    /// An action that runs by itself.
    Action,
    /// An app that reports do not count, or one that nobody has heard of.
    Other,
}

impl What {
    /// In the order of the places where Copilot is used.
    const SURFACES: [Self; SURFACES] = [
        Self::Teams,
        Self::Word,
        Self::Excel,
        Self::PowerPoint,
        Self::Outlook,
        Self::OneNote,
        Self::Loop,
        Self::WorkChat,
        Self::WebChat,
        Self::Agent,
        Self::Edge,
    ];
    /// What no report counts.
    const BESIDE: [Self; 4] = [Self::Studio, Self::Designer, Self::Action, Self::Other];
    /// How they are mixed where only a number of events is wanted.
    const MIXED: [Self; 20] = [
        Self::Teams,
        Self::Teams,
        Self::Word,
        Self::Word,
        Self::Excel,
        Self::PowerPoint,
        Self::Outlook,
        Self::Outlook,
        Self::OneNote,
        Self::Loop,
        Self::WorkChat,
        Self::WorkChat,
        Self::WorkChat,
        Self::WebChat,
        Self::WebChat,
        Self::Agent,
        Self::Agent,
        Self::Edge,
        Self::Studio,
        Self::Other,
    ];
}

/// One interaction, as light as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    second: u32,
    slot: u32,
    what: What,
}

/// One interaction with Copilot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interaction {
    pub(super) day: i64,
    /// Its number on that day; those of an earlier quarter of an hour have lower ones.
    pub(super) number: u32,
    pub(super) tenure: Tenure,
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) what: What,
}

/// All interactions of a day, by number.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) number: i64,
    /// The first number of each quarter of an hour, and the one behind the last of all.
    pub(super) starts: [u32; QUARTERS + 1],
    /// What people did; nothing where only a number of events is wanted, which are then thrown one by one.
    lived: Option<Vec<Mark>>,
}

impl Day {
    pub(super) fn new(tenant: &Tenant, number: i64) -> Self {
        match tenant.scenario.events_per_day {
            Some(count) => Self {
                number,
                starts: spread(count),
                lived: None,
            },
            None => Self::lived(tenant, number),
        }
    }

    fn lived(tenant: &Tenant, number: i64) -> Self {
        let mut marks = Vec::new();
        for slot in 0..tenant.users {
            let tenure = tenant.tenure(slot, number);
            if tenant
                .spell(tenure, number)
                .is_some_and(|spell| number < spell.disabled_on)
            {
                tenant.live(tenure, number, &mut marks);
            }
        }
        marks.sort_unstable();
        let starts = std::array::from_fn(|quarter| {
            let behind = marks.partition_point(|mark| i64::from(mark.second) < start_of(quarter));
            u32::try_from(behind).unwrap_or(u32::MAX)
        });
        Self {
            number,
            starts,
            lived: Some(marks),
        }
    }

    /// How many interactions there are.
    pub(super) fn count(&self) -> u32 {
        self.starts[QUARTERS]
    }

    /// The quarter of an hour of an interaction.
    pub(super) fn quarter_of(&self, number: u32) -> usize {
        self.starts.partition_point(|start| *start <= number).saturating_sub(1)
    }

    pub(super) fn interaction(&self, tenant: &Tenant, number: u32) -> Interaction {
        let lived = self.lived.as_ref();
        let index = usize::try_from(number).unwrap_or_default();
        let (second, tenure, what) = match lived.and_then(|marks| marks.get(index)) {
            Some(mark) => (i64::from(mark.second), tenant.tenure(mark.slot, self.number), mark.what),
            None => self.thrown(tenant, number),
        };
        Interaction {
            day: self.number,
            number,
            tenure,
            at: self.number * DAY + second,
            what,
        }
    }

    /// An interaction of anybody who has an account.
    fn thrown(&self, tenant: &Tenant, number: u32) -> (i64, Tenure, What) {
        let mut throws = tenant.dice.series(Topic::AuditPerson, number, self.number);
        let second = start_of(self.quarter_of(number)) + throws.between(0, QUARTER_SECONDS - 1);
        let what = throws.pick(&What::MIXED);
        let first = u32::try_from(throws.below(tenant.users.into())).unwrap_or_default();
        let tenures = (0..tenant.users).map(|step| tenant.tenure((first + step) % tenant.users, self.number));
        let mut there = tenures.filter(|tenure| tenant.spell(*tenure, self.number).is_some());
        let tenure = there.next().unwrap_or_else(|| tenant.tenure(first, self.number));
        (second, tenure, what)
    }
}

impl Tenant {
    /// Adds what this person did on a day: each prompt that the reports count is one interaction, in the place where the
    /// reports have it.
    fn live(&self, tenure: Tenure, day: i64, into: &mut Vec<Mark>) {
        let mut throws = self.dice.series(Topic::AuditTimes, tenure.slot, day);
        let mut add = |what: What, throws: &mut Series| {
            into.push(Mark {
                second: second(throws),
                slot: tenure.slot,
                what,
            });
        };
        let Some(used) = self.used_on(tenure, day) else {
            for _ in 0..self.chatted_without_licence(tenure, day) {
                add(What::WebChat, &mut throws);
            }
            return;
        };
        let is_used = |surface: &usize| used.surfaces >> surface & 1 == 1;
        let is_chat = |surface: &usize| matches!(*surface, CHAT_WORK | CHAT_WEB);
        for (surface, prompts) in [(CHAT_WORK, used.work_prompts), (CHAT_WEB, used.web_prompts)] {
            for _ in 0..prompts {
                add(What::SURFACES[surface], &mut throws);
            }
        }
        let mut places: Vec<_> = (0..SURFACES)
            .filter(is_used)
            .filter(|surface| !is_chat(surface))
            .collect();
        if places.is_empty() {
            places.extend((0..SURFACES).filter(is_used));
        }
        // Every place has one, the rest is where it falls.
        for number in 0..used.prompts - used.work_prompts - used.web_prompts {
            let number = usize::try_from(number).unwrap_or_default();
            let surface = match places.get(number) {
                Some(surface) => *surface,
                None => throws.pick(&places),
            };
            add(What::SURFACES[surface], &mut throws);
        }
        if throws.below(6) == 0 {
            let what = throws.pick(&What::BESIDE);
            add(what, &mut throws);
        }
    }
}

/// Mostly from 6:00 to 19:00 UTC, most around noon; a few at any time.
fn second(throws: &mut Series) -> u32 {
    const FIRST: u64 = 6 * 3600;
    const LENGTH: u64 = 13 * 3600;
    let second = if throws.below(30) == 0 {
        throws.below(86_400)
    } else {
        FIRST + throws.below(LENGTH).midpoint(throws.below(LENGTH))
    };
    u32::try_from(second).unwrap_or_default()
}

/// So many events over the quarters of a day.
fn spread(count: u32) -> [u32; QUARTERS + 1] {
    let weight = |quarter: usize| if BUSY.contains(&quarter) { BUSY_WEIGHT } else { 1 };
    let all: u64 = (0..QUARTERS).map(weight).sum();
    std::array::from_fn(|quarter| {
        let before: u64 = (0..quarter).map(weight).sum();
        u32::try_from(u64::from(count) * before / all).unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{Scenario, Settings, days};

    fn tenant(scenario: &str) -> Tenant {
        let settings = Settings::new(10, 7, date(2026, 11, 20));
        Tenant::new(&settings.with_scenario(Scenario::parse(scenario).unwrap()))
    }

    #[test]
    fn every_prompt_that_reports_count_is_an_interaction_in_its_place() {
        let tenant = tenant("");
        for later in 0..14 {
            let number = days::number_of(date(2026, 11, 9)) + later;
            let day = Day::new(&tenant, number);
            let all: Vec<_> = (0..day.count())
                .map(|number| day.interaction(&tenant, number))
                .collect();
            for slot in 0..tenant.users {
                let tenure = tenant.tenure(slot, number);
                let Some(used) = tenant.used_on(tenure, number) else {
                    continue;
                };
                let of = |what: &Interaction| what.tenure.slot == slot && !What::BESIDE.contains(&what.what);
                let whats: Vec<_> = all.iter().filter(|one| of(one)).map(|one| one.what).collect();
                assert_eq!(whats.len() as u64, used.prompts, "{slot}");
                for (surface, what) in What::SURFACES.into_iter().enumerate() {
                    assert_eq!(
                        used.surfaces >> surface & 1 == 1,
                        whats.contains(&what),
                        "{slot} {what:?}"
                    );
                }
            }
            assert!(all.is_sorted_by_key(|one| one.at));
        }
    }

    #[test]
    fn a_wanted_number_of_events_is_spread_over_the_day() {
        let tenant = tenant("events_per_day = 10_007");
        let day = Day::new(&tenant, 20_777);
        assert_eq!(day.count(), 10_007);
        for number in [0, 1, 777, 5000, 10_006] {
            let one = day.interaction(&tenant, number);
            let quarter = day.quarter_of(number);
            assert!((day.starts[quarter]..day.starts[quarter + 1]).contains(&number));
            assert_eq!(one.at.div_euclid(DAY), 20_777);
            let second = one.at.rem_euclid(DAY);
            assert!((start_of(quarter)..start_of(quarter + 1)).contains(&second));
            assert!(tenant.spell(one.tenure, 20_777).is_some());
        }
    }
}
