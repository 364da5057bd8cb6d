//! Workflow runs by day, kept small for ever, and what changed from one span of time to the next.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calendar::{HOUR, Window, day_of, hour_of_day, start_of, start_of_hour};
use crate::run::RunAttempt;
use crate::run_figures::Totals;

/// The figures of one UTC day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFigures {
    /// By hour of the day, then by team.
    pub hours: BTreeMap<i8, BTreeMap<String, Totals>>,
    /// By workflow.
    pub workflows: Vec<WorkflowFigures>,
}

/// The figures of one workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowFigures {
    /// The team.
    pub team: String,
    /// The repository.
    pub repository: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's id.
    pub workflow_id: u64,
    /// Sums.
    pub totals: Totals,
    /// Durations in seconds, each with how often it occurred.
    pub durations: BTreeMap<u64, u64>,
}

impl DayFigures {
    /// Counts the attempts that ended on the day.
    pub fn of<'a>(attempts: impl IntoIterator<Item = &'a RunAttempt>) -> Self {
        let mut figures = Self::default();
        let mut workflows: BTreeMap<(&str, u64), WorkflowFigures> = BTreeMap::new();
        for attempt in attempts {
            let hour = hour_of_day(attempt.ended_at);
            let teams = figures.hours.entry(hour).or_default();
            teams.entry(attempt.team.clone()).or_default().count(attempt);
            let workflow = workflows
                .entry((&attempt.team, attempt.workflow_id))
                .or_insert_with(|| WorkflowFigures {
                    team: attempt.team.clone(),
                    repository: attempt.repository.clone(),
                    workflow: attempt.workflow.clone(),
                    workflow_id: attempt.workflow_id,
                    totals: Totals::default(),
                    durations: BTreeMap::new(),
                });
            workflow.totals.count(attempt);
            *workflow.durations.entry(attempt.duration_seconds).or_default() += 1;
        }
        figures.workflows = workflows.into_values().collect();
        figures
    }
}

/// A length of time to compare with the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
    /// Seven UTC days.
    Week,
    /// Twenty-eight UTC days: a calendar month has now more Mondays, now fewer, and would show that as a change.
    Month,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// What people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "7 days",
            Self::Month => "28 days",
        }
    }

    fn length(self) -> SignedDuration {
        match self {
            Self::Hour => HOUR,
            Self::Day => HOUR * 24,
            Self::Week => HOUR * 24 * 7,
            Self::Month => HOUR * 24 * 28,
        }
    }

    /// The last whole period that is over at an instant.
    pub fn ending(self, by: Timestamp) -> Window {
        let to = match self {
            Self::Hour => start_of_hour(by),
            _ => start_of(day_of(by)),
        };
        Window {
            from: to - self.length(),
            to,
        }
    }
}

/// Figures now, and of the time of the same length before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The newer figures.
    pub now: Totals,
    /// The older figures.
    pub before: Totals,
}

/// A window compared with the one of the same length before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The newer window.
    pub window: Window,
    /// Over all teams.
    pub overall: Change,
    /// By team.
    pub teams: BTreeMap<String, Change>,
    /// Whether figures of the whole older window are there; if not, a change would be a change of looking.
    pub has_before: bool,
}

/// Compares a window with the one before it. `days` may lack days on which nothing ended; `first_day` is the first one
/// that was looked at.
pub fn compare(days: &BTreeMap<Date, DayFigures>, window: Window, first_day: Option<Date>) -> Comparison {
    let before = Window {
        from: window.from - window.to.duration_since(window.from),
        to: window.from,
    };
    let mut teams: BTreeMap<String, Change> = BTreeMap::new();
    for (day, figures) in days {
        for (hour, by_team) in &figures.hours {
            let at = start_of(*day) + SignedDuration::from_hours(i64::from(*hour));
            for (team, totals) in by_team {
                if window.contains(at) {
                    teams.entry(team.clone()).or_default().now.add(*totals);
                } else if before.contains(at) {
                    teams.entry(team.clone()).or_default().before.add(*totals);
                }
            }
        }
    }
    let mut overall = Change::default();
    for change in teams.values() {
        overall.now.add(change.now);
        overall.before.add(change.before);
    }
    Comparison {
        window,
        overall,
        teams,
        has_before: first_day.is_some_and(|first| start_of(first) <= before.from),
    }
}

/// The figures of each workflow over several days.
pub fn workflows_of<'a>(days: impl IntoIterator<Item = &'a DayFigures>) -> Vec<WorkflowFigures> {
    let mut workflows: BTreeMap<(&str, u64), WorkflowFigures> = BTreeMap::new();
    for figures in days.into_iter().flat_map(|day| &day.workflows) {
        match workflows.entry((&figures.team, figures.workflow_id)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(figures.clone());
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let sum = entry.get_mut();
                sum.totals.add(figures.totals);
                for (seconds, count) in &figures.durations {
                    *sum.durations.entry(*seconds).or_default() += count;
                }
            }
        }
    }
    workflows.into_values().collect()
}

/// The value that nine of ten values do not exceed; `None` of nothing.
pub fn p90(values: &BTreeMap<u64, u64>) -> Option<u64> {
    let all: u64 = values.values().sum();
    let rank = (all * 9).div_ceil(10);
    let mut seen = 0;
    values.iter().find_map(|(value, count)| {
        seen += count;
        (seen >= rank).then_some(*value)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::run::tests::attempt;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Attempts by day as they are stored.
    pub(crate) fn days(attempts: &[RunAttempt]) -> BTreeMap<Date, DayFigures> {
        let mut days: BTreeMap<Date, Vec<&RunAttempt>> = BTreeMap::new();
        for attempt in attempts {
            days.entry(day_of(attempt.ended_at)).or_default().push(attempt);
        }
        days.into_iter()
            .map(|(day, attempts)| (day, DayFigures::of(attempts)))
            .collect()
    }

    #[test]
    fn periods_end_with_what_is_over() {
        let now = at("2026-11-20T06:30:00Z");
        for (period, from, to) in [
            (Period::Hour, "2026-11-20T05:00:00Z", "2026-11-20T06:00:00Z"),
            (Period::Day, "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"),
            (Period::Week, "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"),
            (Period::Month, "2026-10-23T00:00:00Z", "2026-11-20T00:00:00Z"),
        ] {
            assert_eq!(
                period.ending(now),
                Window {
                    from: at(from),
                    to: at(to)
                },
                "{}",
                period.as_str()
            );
        }
    }

    #[test]
    fn old_is_compared_with_new() {
        let days = days(&[
            attempt(1, 1, "success", at("2026-11-20T05:10:00Z")),
            attempt(2, 1, "failure", at("2026-11-20T05:59:59Z")),
            attempt(3, 1, "success", at("2026-11-20T04:30:00Z")),
            attempt(4, 1, "success", at("2026-11-20T06:00:00Z")), // too new
            attempt(5, 1, "success", at("2026-11-20T03:59:59Z")), // too old
        ]);
        let window = Period::Hour.ending(at("2026-11-20T06:00:00Z"));
        let comparison = compare(&days, window, Some(date(2026, 11, 20)));
        assert_eq!(
            (comparison.overall.now.attempts, comparison.overall.before.attempts),
            (2, 1)
        );
        assert_eq!(comparison.overall.now.success_percent(), Some(50));
        assert_eq!(comparison.teams["payments"], comparison.overall);
        assert!(comparison.has_before);
        let day = Period::Day.ending(at("2026-11-21T00:00:00Z"));
        assert!(
            !compare(&days, day, Some(date(2026, 11, 20))).has_before,
            "nobody looked the day before"
        );
    }

    #[test]
    fn workflows_are_summed_over_days() {
        let days = days(&[
            attempt(1, 1, "success", at("2026-11-19T05:10:00Z")),
            attempt(2, 1, "failure", at("2026-11-20T05:59:59Z")),
        ]);
        let workflows = workflows_of(days.values());
        assert_eq!(workflows.len(), 1);
        assert_eq!((workflows[0].totals.attempts, workflows[0].totals.failed), (2, 1));
        assert_eq!(workflows[0].durations, BTreeMap::from([(60, 2)]));
    }

    #[test]
    fn nine_of_ten_do_not_exceed_the_p90() {
        assert_eq!(p90(&BTreeMap::new()), None);
        assert_eq!(p90(&BTreeMap::from([(7, 1)])), Some(7));
        assert_eq!(p90(&(1..=10).map(|value| (value, 1)).collect()), Some(9));
        assert_eq!(p90(&BTreeMap::from([(1, 89), (50, 11)])), Some(50));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_neighbouring_windows(hours in proptest::collection::vec(0_i64..96, 0..40)) {
            let start = at("2026-11-17T00:00:00Z");
            let attempts: Vec<RunAttempt> = (1..)
                .zip(&hours)
                .map(|(id, hour)| attempt(id, 1, "success", start + SignedDuration::from_hours(*hour)))
                .collect();
            let window = Window { from: start + HOUR * 48, to: start + HOUR * 96 };
            let comparison = compare(&days(&attempts), window, None);
            let Change { now, before } = comparison.overall;
            prop_assert_eq!(now.attempts + before.attempts, hours.len() as u64);
        }
    }
}
