//! Made-up people for trying engagement out: what each of them does on a day follows from their number and the day.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::copilot_usage::App;
use crate::engagement::DayState;

/// Agents that nobody real talks to: their id and name.
pub const AGENTS: [(&str, &str); 2] = [
    ("test-agent-expenses", "Expenses (made up)"),
    ("test-agent-onboarding", "Onboarding (made up)"),
];

/// How somebody uses Copilot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Every day, the weekend included.
    Daily,
    /// Every working day.
    Workdays,
    /// Most working days, and not on the others.
    MostWorkdays,
    /// On one day of the week.
    Weekly,
    /// Every working day, and then not any more.
    Stopped,
    /// Every working day, agents above all.
    Agents,
    /// There, and never with Copilot.
    Never,
}

/// The habits, so that seven people have one each.
const HABITS: [Habit; 7] = [
    Habit::Daily,
    Habit::Workdays,
    Habit::MostWorkdays,
    Habit::Weekly,
    Habit::Stopped,
    Habit::Agents,
    Habit::Never,
];

/// One of these people; the first has number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestPerson(pub u32);

/// What somebody used on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// In which app.
    pub app: App,
    /// Whom they talked to: the id of an agent, or nothing.
    pub agent_id: &'static str,
    /// How often.
    pub interactions: u64,
}

/// What a day was for one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestDay {
    /// What it counts as.
    pub state: DayState,
    /// What they used, if it was active.
    pub uses: Vec<Use>,
}

impl TestPerson {
    /// The user principal name. The domain can belong to nobody (RFC 2606).
    pub fn name(self) -> String {
        format!("test-user-{:04}@seed.invalid", self.0)
    }

    /// What they are like.
    pub fn habit(self) -> Habit {
        HABITS[self.0.saturating_sub(1) as usize % HABITS.len()]
    }

    /// What a day is for them. Some stop in the last third of the days from `first` to `last`.
    pub fn day(self, day: Date, first: Date, last: Date) -> TestDay {
        let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let dice = self.dice(day);
        let stops_after = first.saturating_add(((last - first).get_days() * 2 / 3).days());
        let is_active = match self.habit() {
            Habit::Daily => true,
            Habit::Never => false,
            _ if is_weekend => false,
            Habit::Workdays | Habit::Agents => true,
            Habit::MostWorkdays => !dice.is_multiple_of(4),
            Habit::Weekly => u32::from(day.weekday().to_monday_one_offset().unsigned_abs()) == self.0 % 5 + 1,
            Habit::Stopped => day <= stops_after,
        };
        if is_active {
            return TestDay {
                state: DayState::Active,
                uses: self.uses(dice),
            };
        }
        // Whoever works on no weekend is not there, and is away on a working day now and then.
        let is_away = is_weekend || dice % 16 == 5;
        TestDay {
            state: if is_away { DayState::Neutral } else { DayState::Inactive },
            uses: Vec::new(),
        }
    }

    fn uses(self, dice: u64) -> Vec<Use> {
        let favourite = App::ALL[self.0 as usize % App::ALL.len()];
        let other = App::ALL[(self.0 as usize + 1 + (dice >> 8) as usize % 3) % App::ALL.len()];
        let plain = |app, interactions| Use {
            app,
            agent_id: "",
            interactions,
        };
        let mut uses = vec![plain(favourite, 1 + (dice >> 16) % 12)];
        if dice & 1 == 1 {
            // Now and then a report alone tells of it, and no event.
            uses.push(plain(other, (dice >> 24) % 4));
        }
        if self.habit() == Habit::Agents {
            let (agent_id, _) = AGENTS[(dice >> 32) as usize % AGENTS.len()];
            uses.push(Use {
                app: App::Chat,
                agent_id,
                interactions: 1 + (dice >> 40) % 6,
            });
        }
        uses
    }

    /// A number that looks like chance and is the same every time.
    fn dice(self, day: Date) -> u64 {
        let seed = u64::from(self.0) << 32 | u64::from((day - Date::constant(1970, 1, 1)).get_days().unsigned_abs());
        let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;

    use super::*;

    /// Four weeks from a Monday.
    const FIRST: Date = date(2026, 10, 19);
    const LAST: Date = date(2026, 11, 15);

    fn days(person: TestPerson) -> Vec<(Date, TestDay)> {
        let days = FIRST.series(1.day()).take_while(|day| *day <= LAST);
        days.map(|day| (day, person.day(day, FIRST, LAST))).collect()
    }

    #[test]
    fn each_habit_shows_in_the_days() {
        for number in 1..=7 {
            let person = TestPerson(number);
            let days = days(person);
            let active: Vec<Date> = days
                .iter()
                .filter(|(_, told)| told.state == DayState::Active)
                .map(|(day, _)| *day)
                .collect();
            match person.habit() {
                Habit::Daily => assert_eq!(active.len(), 28),
                Habit::Workdays | Habit::Agents => assert_eq!(active.len(), 20),
                Habit::MostWorkdays => assert!((10..20).contains(&active.len()), "{active:?}"),
                Habit::Weekly => assert_eq!(active.len(), 4),
                Habit::Stopped => assert!((10..=15).contains(&active.len()), "{active:?}"),
                Habit::Never => assert_eq!(active.len(), 0),
            }
            for (day, told) in days {
                assert_eq!(told.state == DayState::Active, !told.uses.is_empty(), "{day} {told:?}");
                let used: BTreeSet<_> = told.uses.iter().map(|used| (used.app, used.agent_id)).collect();
                assert_eq!(used.len(), told.uses.len(), "an app and agent is there once: {told:?}");
                let talks = told.uses.iter().any(|used| !used.agent_id.is_empty());
                assert_eq!(talks, person.habit() == Habit::Agents && told.state == DayState::Active);
            }
        }
    }

    #[test]
    fn people_differ_and_a_person_is_the_same_every_time() {
        assert_eq!(TestPerson(12).name(), "test-user-0012@seed.invalid");
        assert_eq!(days(TestPerson(2)), days(TestPerson(2)));
        assert_eq!(TestPerson(2).habit(), TestPerson(9).habit());
        assert_ne!(days(TestPerson(2)), days(TestPerson(9)));
    }
}
