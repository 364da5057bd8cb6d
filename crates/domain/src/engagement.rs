//! The rules of engagement: what a day counts as, how streaks run, and what earns points.

use jiff::Span;
use jiff::civil::{Date, Weekday, date};
use serde::{Deserialize, Serialize};

use crate::calendar::week_of;

/// Version of the rubric below, stored with every total.
pub const RUBRIC_VERSION: i64 = 1;
/// Points for an active day.
const POINTS_A_DAY: u64 = 10;
/// Interactions of a day that earn a point each: beyond, it is not engagement but a loop.
const MOST_INTERACTIONS_WITH_POINTS: u64 = 10;
/// A streak earns a bonus each time it has grown by this many days: a working week.
const DAYS_OF_A_BONUS: u64 = 5;
/// That bonus.
const POINTS_OF_A_BONUS: u64 = 20;

/// For so many days, a day on which nobody can tell whether a person was there is neutral; then it is inactive.
pub const UNDECIDED_FOR_DAYS: i32 = 3;

/// What a day was for somebody who holds a licence. A day without a state is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayState {
    /// Copilot was used. Extends a streak.
    Active,
    /// The person was there and did not use Copilot. Ends a streak.
    Inactive,
    /// The person was not there, or it cannot be told yet. Leaves a streak as it is.
    Neutral,
}

/// Whether somebody was in Microsoft 365 on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Seen in Teams, Outlook, `OneDrive` or `SharePoint` on the day.
    Online,
    /// Not seen, by a report that would tell.
    Offline,
    /// No report tells.
    Undecidable,
}

/// What is known of a person and a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayEvidence {
    /// Whether the audit log or any usage report shows use of Copilot on the day.
    pub is_used: bool,
    /// Whether the usage report of that day has been read.
    pub is_reported: bool,
    /// Whether the person held a licence.
    pub is_licensed: bool,
    /// Whether the person was there.
    pub presence: Presence,
}

impl DayEvidence {
    /// What the day counts as, seen from the day `as_of`; `None` where it is not decided. Use decides a day for anybody;
    /// that there was none says something about licences only.
    pub fn state(self, day: Date, as_of: Date) -> Option<DayState> {
        if self.is_used {
            return Some(DayState::Active);
        }
        if !self.is_licensed || !self.is_reported {
            return None;
        }
        Some(match self.presence {
            Presence::Offline => DayState::Neutral,
            Presence::Undecidable if (as_of - day).get_days() <= UNDECIDED_FOR_DAYS => DayState::Neutral,
            Presence::Online | Presence::Undecidable => DayState::Inactive,
        })
    }
}

/// What adds up from day to day, of a person overall or in one app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Days with use.
    pub active_days: u64,
    /// Days with use since the last inactive one.
    pub current_streak: u64,
    /// The longest that streak has been.
    pub best_streak: u64,
    /// Interactions that the audit log told of.
    pub interactions: u64,
    /// Points by the rubric.
    pub points: u64,
}

impl Tally {
    /// Takes in the next day; days come in order.
    pub fn add(&mut self, state: DayState, interactions: u64) {
        match state {
            DayState::Neutral => {}
            DayState::Inactive => self.current_streak = 0,
            DayState::Active => {
                self.active_days += 1;
                self.interactions += interactions;
                self.current_streak += 1;
                self.best_streak = self.best_streak.max(self.current_streak);
                self.points += POINTS_A_DAY + interactions.min(MOST_INTERACTIONS_WITH_POINTS);
                if self.current_streak.is_multiple_of(DAYS_OF_A_BONUS) {
                    self.points += POINTS_OF_A_BONUS;
                }
            }
        }
    }
}

/// Whether a streak cannot reach from one day with use to the next one. Reports date use to days long before the first of
/// them, and of the days between nobody will ever know what they were: no streak is made of guesses. From the first
/// report on (`told_from`), what days were says how a streak goes on.
pub fn is_apart(last_active_on: Date, day: Date, told_from: Option<Date>) -> bool {
    let next = last_active_on.saturating_add(Span::new().days(1));
    next < day && told_from.is_none_or(|told_from| next < told_from)
}

/// The state of one app on a day, given the person's: who was there and did not use it has left it idle.
pub fn state_in_app(is_used: bool, overall: Option<DayState>) -> DayState {
    match overall {
        _ if is_used => DayState::Active,
        Some(DayState::Active | DayState::Inactive) => DayState::Inactive,
        Some(DayState::Neutral) | None => DayState::Neutral,
    }
}

/// A stretch of time over which totals are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeframe {
    /// A week, from the configured first day.
    Week,
    /// A calendar month.
    Month,
    /// Since anything is known.
    AllTime,
}

/// What tables have as the first day of all time.
pub const ALL_TIME_STARTS_ON: Date = date(1970, 1, 1);

impl Timeframe {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Week, Self::Month, Self::AllTime];

    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::AllTime => "all_time",
        }
    }

    /// The first day of the stretch that a day lies in.
    pub fn start(self, day: Date, week_starts_on: Weekday) -> Date {
        match self {
            Self::Week => week_of(day, week_starts_on).0,
            Self::Month => day.first_of_month(),
            Self::AllTime => ALL_TIME_STARTS_ON,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Date = date(2026, 11, 10);

    fn evidence(is_used: bool, is_reported: bool, is_licensed: bool, presence: Presence) -> DayEvidence {
        DayEvidence {
            is_used,
            is_reported,
            is_licensed,
            presence,
        }
    }

    #[test]
    fn a_day_is_decided_by_use_then_by_report_then_by_presence() {
        use DayState::{Active, Inactive, Neutral};
        use Presence::{Offline, Online, Undecidable};
        let cases = [
            (evidence(true, false, false, Undecidable), 0, Some(Active)),
            (evidence(true, true, true, Offline), 0, Some(Active)),
            (evidence(false, true, true, Online), 0, Some(Inactive)),
            (evidence(false, true, true, Offline), 9, Some(Neutral)),
            (evidence(false, true, true, Undecidable), 3, Some(Neutral)),
            (evidence(false, true, true, Undecidable), 4, Some(Inactive)),
            (evidence(false, false, true, Online), 9, None),
            (evidence(false, true, false, Online), 9, None),
        ];
        for (evidence, days_later, state) in cases {
            let as_of = DAY.checked_add(jiff::Span::new().days(days_later)).unwrap();
            assert_eq!(evidence.state(DAY, as_of), state, "{evidence:?} {days_later}");
        }
    }

    #[test]
    fn an_app_is_idle_where_the_person_was_there_and_did_not_use_it() {
        use DayState::{Active, Inactive, Neutral};
        for (is_used, overall, state) in [
            (true, Some(Active), Active),
            (true, None, Active),
            (false, Some(Active), Inactive),
            (false, Some(Inactive), Inactive),
            (false, Some(Neutral), Neutral),
            (false, None, Neutral),
        ] {
            assert_eq!(state_in_app(is_used, overall), state, "{is_used} {overall:?}");
        }
    }

    #[test]
    fn a_streak_reaches_over_days_that_are_told_of_and_not_over_others() {
        let day = |of_month: i8| date(2026, 11, of_month);
        for (last, next, told_from, apart) in [
            (1, 2, None, false),
            (1, 3, None, true),
            (1, 2, Some(9), false),
            (1, 3, Some(9), true),
            // One unknown day is enough, wherever the streak goes on.
            (7, 20, Some(9), true),
            (8, 20, Some(9), false),
            (12, 20, Some(9), false),
        ] {
            assert_eq!(
                is_apart(day(last), day(next), told_from.map(day)),
                apart,
                "{last} {next} {told_from:?}"
            );
        }
    }

    #[test]
    fn streaks_and_points_follow_the_rubric() {
        let mut tally = Tally::default();
        for interactions in [3, 0, 25, 1, 1] {
            tally.add(DayState::Active, interactions);
            tally.add(DayState::Neutral, 0);
        }
        assert_eq!(
            (tally.active_days, tally.current_streak, tally.interactions),
            (5, 5, 30)
        );
        assert_eq!(tally.points, 5 * 10 + 3 + 10 + 1 + 1 + 20);
        tally.add(DayState::Inactive, 0);
        assert_eq!((tally.current_streak, tally.best_streak), (0, 5));
        tally.add(DayState::Active, 0);
        assert_eq!((tally.current_streak, tally.best_streak, tally.active_days), (1, 5, 6));
    }

    #[test]
    fn weeks_begin_as_configured_and_months_on_the_first() {
        let start = |timeframe: Timeframe, first| timeframe.start(DAY, first);
        assert_eq!(start(Timeframe::Week, Weekday::Monday), date(2026, 11, 9));
        assert_eq!(start(Timeframe::Week, Weekday::Sunday), date(2026, 11, 8));
        assert_eq!(start(Timeframe::Month, Weekday::Monday), date(2026, 11, 1));
        assert_eq!(start(Timeframe::AllTime, Weekday::Monday), ALL_TIME_STARTS_ON);
    }

    fn days() -> impl Strategy<Value = Vec<(DayState, u64)>> {
        let state = prop_oneof![
            Just(DayState::Active),
            Just(DayState::Inactive),
            Just(DayState::Neutral)
        ];
        prop::collection::vec((state, 0_u64..30), 0..80)
    }

    proptest! {
        #[test]
        fn a_tally_counts_what_a_person_would_count(days in days()) {
            let mut tally = Tally::default();
            for (state, interactions) in &days {
                tally.add(*state, *interactions);
            }
            let active: Vec<u64> = days.iter().filter(|(state, _)| *state == DayState::Active).map(|(_, n)| *n).collect();
            prop_assert_eq!(tally.active_days, active.len() as u64);
            prop_assert_eq!(tally.interactions, active.iter().sum::<u64>());
            let decided: String = days
                .iter()
                .filter_map(|(state, _)| match state {
                    DayState::Active => Some('a'),
                    DayState::Inactive => Some('i'),
                    DayState::Neutral => None,
                })
                .collect();
            let streaks: Vec<u64> = decided.split('i').map(|streak| streak.len() as u64).collect();
            prop_assert_eq!(tally.best_streak, streaks.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(tally.current_streak, streaks.last().copied().unwrap_or(0));
            let bonuses: u64 = streaks.iter().map(|streak| streak / DAYS_OF_A_BONUS).sum();
            let interactions: u64 = active.iter().map(|n| n.min(&MOST_INTERACTIONS_WITH_POINTS)).sum();
            prop_assert_eq!(tally.points, tally.active_days * POINTS_A_DAY + interactions + bonuses * POINTS_OF_A_BONUS);
        }

        #[test]
        fn a_tally_goes_on_from_where_it_was_kept(days in days(), cut in 0_usize..80) {
            let whole = days.iter().fold(Tally::default(), |mut tally, (state, n)| { tally.add(*state, *n); tally });
            let cut = cut.min(days.len());
            let mut parts = Tally::default();
            for part in [&days[..cut], &days[cut..]] {
                let kept = serde_json::to_string(&parts).unwrap();
                parts = serde_json::from_str(&kept).unwrap();
                for (state, n) in part {
                    parts.add(*state, *n);
                }
            }
            prop_assert_eq!(parts, whole);
        }
    }
}
