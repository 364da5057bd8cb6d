//! The usage score: recency, frequency and breadth of a person's Copilot use, and the flags that follow from it.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::copilot_usage::App;

/// Which version of these rules a score follows; raised whenever one of them changes.
pub const RUBRIC_VERSION: i64 = 1;
/// The days a score looks at, the newest report's included.
pub const WINDOW_DAYS: i32 = 30;
/// Days for which a score may still change as late data arrives.
pub const SETTLING_DAYS: i32 = 7;

/// The days on which something was seen, without which of two sightings came first: a bit a day for the last 64 days,
/// which is the window, the settling days and the longest lag of a report, and the newest day before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenDays {
    newest: Date,
    recent: u64,
    older: Option<Date>,
}

impl SeenDays {
    /// No day yet; `newest` is the last one that can be told apart.
    pub fn until(newest: Date) -> Self {
        Self {
            newest,
            recent: 0,
            older: None,
        }
    }

    /// Takes note of a day. Days after the newest are of no interest.
    pub fn see(&mut self, day: Date) {
        match u32::try_from(self.age(day)) {
            Ok(age @ 0..64) => self.recent |= 1 << age,
            Ok(_) => self.older = self.older.max(Some(day)),
            Err(_) => {}
        }
    }

    /// The last day up to and including `day`.
    pub fn last_until(self, day: Date) -> Option<Date> {
        let recent = self.up_to(self.age(day));
        if recent == 0 {
            return self.older.filter(|older| *older <= day);
        }
        Some(self.newest.saturating_sub(i64::from(recent.trailing_zeros()).days()))
    }

    /// How many of the `days` days that end with `last`.
    pub fn count(self, last: Date, days: i32) -> u16 {
        let age = self.age(last);
        let in_window = self.up_to(age) & !self.up_to(age + i64::from(days));
        u16::try_from(in_window.count_ones()).unwrap_or(u16::MAX)
    }

    /// How many days lie between `day` and the newest one. By way of hours: millions of days are seen, and subtracting
    /// dates takes several times as long.
    fn age(self, day: Date) -> i64 {
        self.newest.duration_since(day).as_hours() / 24
    }

    /// The bits of the days that are at least this old.
    fn up_to(self, age: i64) -> u64 {
        match u32::try_from(age) {
            Ok(age @ 0..64) => self.recent & (u64::MAX << age),
            Ok(_) => 0,
            Err(_) => self.recent,
        }
    }
}

/// Everything seen of one person's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenUse {
    any: SeenDays,
    apps: [SeenDays; 8],
}

impl SeenUse {
    /// Nothing yet.
    pub fn until(newest: Date) -> Self {
        Self {
            any: SeenDays::until(newest),
            apps: [SeenDays::until(newest); 8],
        }
    }

    /// Some use on a day.
    pub fn see(&mut self, day: Date) {
        self.any.see(day);
    }

    /// Use of an app on a day, in the order of [`App::ALL`].
    pub fn see_apps(&mut self, days: [Option<Date>; 8]) {
        for (app, day) in self.apps.iter_mut().zip(days) {
            if let Some(day) = day {
                app.see(day);
                self.any.see(day);
            }
        }
    }

    /// What a score of this date rests on. `reported_active_days` is the report's own figure, which raises the count of
    /// days seen and never lowers it.
    pub fn inputs(&self, as_of_on: Date, reported_active_days: Option<u16>) -> ScoreInputs {
        let used = |days: &SeenDays| days.count(as_of_on, WINDOW_DAYS) > 0;
        let apps = App::ALL.into_iter().zip(&self.apps).filter(|(_, days)| used(days));
        ScoreInputs {
            as_of_on,
            last_activity_on: self.any.last_until(as_of_on),
            active_days: self
                .any
                .count(as_of_on, WINDOW_DAYS)
                .max(reported_active_days.unwrap_or(0)),
            apps_used: apps.map(|(app, _)| app).collect(),
        }
    }
}

/// What a score rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreInputs {
    /// The day up to which reports tell.
    pub as_of_on: Date,
    /// The last day of any use up to then.
    pub last_activity_on: Option<Date>,
    /// Days of use in the window.
    pub active_days: u16,
    /// Apps used in the window.
    pub apps_used: Vec<App>,
}

impl ScoreInputs {
    /// Days between the last use and the day up to which reports tell.
    pub fn days_since_last_activity(&self) -> Option<i32> {
        self.last_activity_on.map(|last| (self.as_of_on - last).get_days())
    }

    /// Whether there was any use in the window.
    pub fn is_active(&self) -> bool {
        self.last_activity_on.is_some_and(|on| is_in_window(on, self.as_of_on))
    }

    /// The score. Each component is 0 to 100 and not rounded; the sum is computed in whole twelfths, so that no half is
    /// lost to floating point.
    pub fn score(&self) -> Score {
        let Some(days) = self.days_since_last_activity().filter(|_| self.is_active()) else {
            return Score::default();
        };
        let active_days = i32::from(self.active_days).min(WINDOW_DAYS);
        let apps = i32::try_from(self.apps_used.len()).unwrap_or_default();
        // 0.5 (100 - 100 d / 30) + 0.3 (100 a / 30) + 0.2 (100 b / 8), times 12; 6 more round halves up.
        let twelfths = 600 - 20 * days + 12 * active_days + 30 * apps;
        let part = |of: i32, all: i32| f64::from(of) * 100.0 / f64::from(all);
        Score {
            score: i64::from((twelfths + 6) / 12),
            recency: 100.0 - part(days, WINDOW_DAYS),
            frequency: part(active_days, WINDOW_DAYS),
            breadth: part(apps, 8),
        }
    }
}

/// A score with its components.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// 0 to 100.
    pub score: i64,
    /// 100 for use on the last reported day, less for every day since.
    pub recency: f64,
    /// The part of the window's days with use.
    pub frequency: f64,
    /// The part of the eight apps used in the window.
    pub breadth: f64,
}

/// How a licence stands: too new to judge, or not used enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LicenseFlags {
    /// Days the licence has been held.
    pub days_held: i64,
    /// Held for fewer days than it takes to judge.
    pub new_assignment: bool,
    /// Held long enough, and scored at or below the threshold.
    pub underutilized: bool,
}

/// Whether a licence that has been held for so many days is too new to judge.
pub fn is_new_assignment(days_held: i64, new_license_days: i64) -> bool {
    days_held < new_license_days
}

/// Whether a day lies in the window that ends with `last`.
pub fn is_in_window(day: Date, last: Date) -> bool {
    (0..WINDOW_DAYS).contains(&(last - day).get_days())
}

/// When a licence counts as underutilised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseRules {
    /// The score at or below which it does.
    pub threshold: i64,
    /// Days for which a licence is too new to judge.
    pub new_license_days: i64,
}

impl LicenseRules {
    /// The flags of a licence held since a day.
    pub fn flags(self, score: i64, held_since: Date, day: Date) -> LicenseFlags {
        let days_held = i64::from((day - held_since).get_days());
        let new_assignment = is_new_assignment(days_held, self.new_license_days);
        LicenseFlags {
            days_held,
            new_assignment,
            underutilized: !new_assignment && score <= self.threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const DAY: Date = date(2026, 11, 20);

    fn ago(days: i32) -> Date {
        DAY.saturating_sub(days.days())
    }

    fn inputs(days_since: Option<i32>, active_days: u16, apps: usize) -> ScoreInputs {
        ScoreInputs {
            as_of_on: DAY,
            last_activity_on: days_since.map(ago),
            active_days,
            apps_used: App::ALL[..apps].to_vec(),
        }
    }

    #[test]
    fn the_score_is_the_table_of_the_requirement() {
        for (days_since, active_days, apps, expected) in [
            (None, 0, 0, 0),
            (Some(0), 30, 8, 100),
            (Some(0), 1, 1, 54),  // 50 + 1 + 2.5 = 53.5: halves round up
            (Some(3), 3, 3, 56),  // 45 + 3 + 7.5 = 55.5
            (Some(1), 1, 1, 52),  // 48.33 + 1 + 2.5 = 51.83
            (Some(29), 1, 1, 5),  // 1.67 + 1 + 2.5 = 5.17
            (Some(30), 0, 0, 0),  // outside the window
            (Some(400), 9, 3, 0), // no use in 30 days is 0, whatever else is said
            (Some(20), 2, 2, 24), // 16.67 + 2 + 5 = 23.67
            (Some(0), 90, 8, 100),
        ] {
            let score = inputs(days_since, active_days, apps).score();
            assert_eq!(score.score, expected, "{days_since:?} {active_days} {apps}");
        }
        let score = inputs(Some(20), 2, 2).score();
        assert!((score.recency - 100.0 / 3.0).abs() < 1e-9, "components are not rounded");
    }

    #[test]
    fn a_new_licence_is_not_underutilised_and_an_old_one_is_at_the_threshold() {
        let rules = LicenseRules {
            threshold: 20,
            new_license_days: 14,
        };
        for (score, days_held, new, underutilized) in [
            (0, 13, true, false),
            (0, 14, false, true),
            (20, 14, false, true),
            (21, 14, false, false),
            (100, 0, true, false),
        ] {
            let flags = rules.flags(score, ago(days_held), DAY);
            assert_eq!(
                (flags.new_assignment, flags.underutilized),
                (new, underutilized),
                "{score} {days_held}"
            );
            assert_eq!(flags.days_held, i64::from(days_held));
        }
    }

    #[test]
    fn a_reported_figure_raises_the_days_seen_and_never_lowers_them() {
        let mut seen = SeenUse::until(DAY);
        for age in [0, 5, 29, 30, 70] {
            seen.see(ago(age));
        }
        assert_eq!(seen.inputs(DAY, None).active_days, 3);
        assert_eq!(seen.inputs(DAY, Some(2)).active_days, 3);
        assert_eq!(seen.inputs(DAY, Some(9)).active_days, 9);
    }

    proptest! {
        #[test]
        fn the_bits_say_what_a_set_of_days_says(
            ages in proptest::collection::btree_set(0_i32..120, 0..40),
            as_of in 0_i32..12,
            days in 1_i32..40,
        ) {
            let mut seen = SeenDays::until(DAY);
            let dates: BTreeSet<Date> = ages.iter().map(|age| ago(*age)).collect();
            for day in &dates {
                seen.see(*day);
            }
            let last = ago(as_of);
            prop_assert_eq!(seen.last_until(last), dates.range(..=last).next_back().copied());
            let first = last.saturating_sub((days - 1).days());
            prop_assert_eq!(usize::from(seen.count(last, days)), dates.range(first..=last).count());
        }

        #[test]
        fn a_score_is_0_to_100_and_what_its_components_say(
            days_since in proptest::option::of(0_i32..60),
            active_days in 0_u16..40,
            apps in 0_usize..=8,
        ) {
            let score = inputs(days_since, active_days, apps).score();
            prop_assert!((0..=100).contains(&score.score));
            let sum = 0.5 * score.recency + 0.3 * score.frequency + 0.2 * score.breadth;
            #[expect(clippy::cast_precision_loss, reason = "0 to 100")]
            let distance = (sum - score.score as f64).abs();
            prop_assert!(distance <= 0.5 + 1e-9, "{sum} {}", score.score);
        }
    }
}
