//! Seats counted: how many people are active, idle or have never started, overall, per team and per editor.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::{day_of, start_of};
use crate::catalogue::{
    Datum, Dimension, MetricSpec, SEATS, SEATS_ACTIVE_7_DAYS, SEATS_ACTIVE_28_DAYS, SEATS_IDLE, SEATS_NEVER_USED,
    SEATS_PENDING_CANCELLATION,
};
use crate::groups::{NONE, OTHER, fold_small};
use crate::seat::Assignee;

/// Editors shown under their own name. The names come from clients all over the world, and every name is a series
/// that CloudWatch bills: the rarest share [`OTHER`].
const MOST_EDITORS: usize = 20;

/// The six counts of a group of people with seats. `active_28_days + idle + never_used = seats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatFigures {
    /// People with a seat.
    pub seats: u64,
    /// Of those, active on one of the 7 dates ending with the day.
    pub active_7_days: u64,
    /// Of those, active on one of the 28 dates ending with the day.
    pub active_28_days: u64,
    /// Of those, active once but not on one of the 28 dates.
    pub idle: u64,
    /// Of those, never active.
    pub never_used: u64,
    /// Of those, about to lose the seat.
    pub pending_cancellation: u64,
}

impl SeatFigures {
    /// Counts the people as they stand at the end of `day`.
    pub fn count<'a>(people: impl IntoIterator<Item = &'a Assignee>, day: Date) -> Self {
        let mut figures = Self::default();
        for person in people {
            figures.seats += 1;
            match person.last_activity_at.map(day_of) {
                None => figures.never_used += 1,
                Some(active_on) if active_on > day.saturating_sub(28.days()) => {
                    figures.active_28_days += 1;
                    figures.active_7_days += u64::from(active_on > day.saturating_sub(7.days()));
                }
                Some(_) => figures.idle += 1,
            }
            figures.pending_cancellation += u64::from(person.pending_cancellation_on.is_some());
        }
        figures
    }

    fn by_metric(self) -> [(&'static MetricSpec, u64); 6] {
        [
            (&SEATS, self.seats),
            (&SEATS_ACTIVE_7_DAYS, self.active_7_days),
            (&SEATS_ACTIVE_28_DAYS, self.active_28_days),
            (&SEATS_IDLE, self.idle),
            (&SEATS_NEVER_USED, self.never_used),
            (&SEATS_PENDING_CANCELLATION, self.pending_cancellation),
        ]
    }
}

/// All figures of a day's report. People who may read the report may read these; CloudWatch gets [`GroupedSeats::metrics`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatSummary {
    /// Everybody.
    pub overall: SeatFigures,
    /// By assigning team; who came through several counts in each, who came through none in `none`.
    pub teams: BTreeMap<String, SeatFigures>,
    /// By editor of the last activity; who has none counts in `none`.
    pub editors: BTreeMap<String, SeatFigures>,
}

/// The names under which these groups stood in the metrics: the large enough ones, and [`OTHER`] if any was too small.
pub fn shown_names(groups: &BTreeMap<String, SeatFigures>, smallest_group: usize) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (name, figures) in groups.iter().filter(|(_, figures)| figures.seats > 0) {
        let is_large = usize::try_from(figures.seats).is_ok_and(|seats| seats >= smallest_group);
        names.insert(if is_large { name.as_str() } else { OTHER });
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The people of a report, grouped once for everything that is said about them.
#[derive(Debug)]
pub struct GroupedSeats<'a> {
    day: Date,
    people: &'a [Assignee],
    teams: BTreeMap<String, BTreeSet<usize>>,
    editors: BTreeMap<String, BTreeSet<usize>>,
}

impl<'a> GroupedSeats<'a> {
    /// Groups the people by team and by editor. The expected names get a group even when nobody is in it, because a
    /// missing figure means that nobody looked.
    pub fn new(
        people: &'a [Assignee],
        day: Date,
        expected_teams: impl IntoIterator<Item = String>,
        expected_editors: impl IntoIterator<Item = String>,
    ) -> Self {
        let empty = |name| (name, BTreeSet::new());
        let mut teams: BTreeMap<String, BTreeSet<usize>> = expected_teams.into_iter().map(empty).collect();
        let mut editors: BTreeMap<String, BTreeSet<usize>> = expected_editors.into_iter().map(empty).collect();
        for (index, person) in people.iter().enumerate() {
            let editor = person.editor.name.as_deref().unwrap_or(NONE);
            editors.entry(editor.to_owned()).or_default().insert(index);
            for team in &person.teams {
                teams.entry(team.clone()).or_default().insert(index);
            }
            if person.teams.is_empty() {
                teams.entry(NONE.to_owned()).or_default().insert(index);
            }
        }
        Self {
            day,
            people,
            teams,
            editors: keep_most_used(editors),
        }
    }

    /// The figures of every group.
    pub fn summary(&self) -> SeatSummary {
        SeatSummary {
            overall: SeatFigures::count(self.people, self.day),
            teams: self.count_each(&self.teams),
            editors: self.count_each(&self.editors),
        }
    }

    /// The day's metrics, groups of fewer than `smallest_group` people folded.
    pub fn metrics(&self, smallest_group: usize) -> Vec<Datum> {
        let at = start_of(self.day);
        let mut data = Vec::new();
        let mut publish = |dimensions: &[(Dimension, String)], figures: SeatFigures| {
            for (spec, count) in figures.by_metric() {
                #[expect(clippy::cast_precision_loss, reason = "no enterprise has 2^53 seats")]
                data.push(spec.datum(dimensions.to_vec(), at, count as f64));
            }
        };
        publish(&[], SeatFigures::count(self.people, self.day));
        for (dimension, groups) in [(Dimension::Team, &self.teams), (Dimension::Editor, &self.editors)] {
            for (name, figures) in self.count_each(&fold_small(groups.clone(), smallest_group)) {
                publish(&[(dimension, name)], figures);
            }
        }
        data
    }

    fn count_each(&self, groups: &BTreeMap<String, BTreeSet<usize>>) -> BTreeMap<String, SeatFigures> {
        groups
            .iter()
            .map(|(name, members)| {
                let people = members.iter().filter_map(|index| self.people.get(*index));
                (name.clone(), SeatFigures::count(people, self.day))
            })
            .collect()
    }
}

fn keep_most_used(groups: BTreeMap<String, BTreeSet<usize>>) -> BTreeMap<String, BTreeSet<usize>> {
    let mut by_use: Vec<(String, BTreeSet<usize>)> = groups.into_iter().collect();
    by_use.sort_by_key(|(name, members)| (std::cmp::Reverse(members.len()), name != NONE));
    let rare = by_use.split_off(by_use.len().min(MOST_EDITORS));
    let mut kept: BTreeMap<String, BTreeSet<usize>> = by_use.into_iter().collect();
    if !rare.is_empty() {
        kept.entry(OTHER.to_owned())
            .or_default()
            .extend(rare.into_iter().flat_map(|(_, members)| members));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Reading;
    use crate::seat::tests::seat;
    use crate::seat::{Seat, assignees};
    use jiff::civil::date;
    use proptest::prelude::*;

    const DAY: Date = date(2026, 11, 20);

    fn person(id: u64, active_on: Option<&str>, team: Option<&str>, editor: Option<&str>) -> Seat {
        Seat {
            last_activity_at: active_on.map(|day| format!("{day}T12:00:00Z").parse().unwrap()),
            last_activity_editor: editor.map(str::to_owned),
            team: team.map(str::to_owned),
            ..seat(id)
        }
    }

    #[test]
    fn activity_counts_by_the_dates_that_end_with_the_day() {
        for (active_on, active_7, active_28, idle, never) in [
            (Some("2026-11-20"), 1, 1, 0, 0),
            (Some("2026-11-14"), 1, 1, 0, 0),
            (Some("2026-11-13"), 0, 1, 0, 0),
            (Some("2026-10-24"), 0, 1, 0, 0),
            (Some("2026-10-23"), 0, 0, 1, 0),
            (Some("2026-11-21"), 1, 1, 0, 0), // the day was collected after its end
            (None, 0, 0, 0, 1),
        ] {
            let figures = SeatFigures::count(&assignees([person(1, active_on, None, None)]), DAY);
            let expected = SeatFigures {
                seats: 1,
                active_7_days: active_7,
                active_28_days: active_28,
                idle,
                never_used: never,
                pending_cancellation: 0,
            };
            assert_eq!(figures, expected, "{active_on:?}");
        }
    }

    #[test]
    fn expected_groups_get_explicit_zeros_and_small_ones_fold() {
        let people = assignees((0..7).map(|id| {
            let team = if id < 5 { "red" } else { "tiny" };
            person(id, Some("2026-11-20"), Some(team), Some("vscode/1"))
        }));
        let grouped = GroupedSeats::new(&people, DAY, ["empty".to_owned()], ["vim".to_owned()]);
        let data = grouped.metrics(5);
        let value = |dimension: Dimension, name: &str| {
            data.iter()
                .find(|datum| datum.spec == &SEATS && datum.dimensions == [(dimension, name.to_owned())])
                .map(|datum| datum.reading.clone())
        };
        assert_eq!(value(Dimension::Team, "red"), Some(Reading::Value(5.0)));
        assert_eq!(value(Dimension::Team, "empty"), Some(Reading::Value(0.0)));
        assert_eq!(value(Dimension::Team, "other"), Some(Reading::Value(2.0)));
        assert_eq!(value(Dimension::Team, "tiny"), None);
        assert_eq!(value(Dimension::Editor, "vim"), Some(Reading::Value(0.0)));
        assert_eq!(value(Dimension::Editor, "vscode"), Some(Reading::Value(7.0)));
        assert!(data.iter().all(Datum::is_catalogued));
        assert!(data.iter().all(|datum| datum.timestamp == start_of(DAY)));
        assert_eq!(
            grouped.summary().teams["tiny"].seats,
            2,
            "the report itself names small teams"
        );
    }

    #[test]
    fn names_shown_are_those_of_the_metrics() {
        let figures = |seats| SeatFigures {
            seats,
            ..SeatFigures::default()
        };
        let groups = |table: &[(&str, u64)]| -> BTreeMap<String, SeatFigures> {
            table
                .iter()
                .map(|(name, seats)| ((*name).to_owned(), figures(*seats)))
                .collect()
        };
        assert_eq!(
            shown_names(&groups(&[("red", 5), ("tiny", 4), ("empty", 0)]), 5),
            ["other", "red"]
        );
        assert_eq!(shown_names(&groups(&[("red", 5), ("empty", 0)]), 5), ["red"]);
    }

    #[test]
    fn only_the_most_used_editors_keep_their_name() {
        let people = assignees((0..60).map(|id| {
            let editor = if id < 30 { id / 2 } else { id };
            person(id, Some("2026-11-20"), None, Some(&format!("editor-{editor}")))
        }));
        let summary = GroupedSeats::new(&people, DAY, [], []).summary();
        assert_eq!(summary.editors.len(), MOST_EDITORS + 1);
        assert_eq!(summary.editors.values().map(|figures| figures.seats).sum::<u64>(), 60);
        assert_eq!(summary.editors["editor-0"].seats, 2);
    }

    proptest! {
        #[test]
        fn the_figures_of_a_group_add_up(days in proptest::collection::vec(proptest::option::of(0_i64..60), 0..40)) {
            let people = assignees(days.iter().enumerate().map(|(id, age)| Seat {
                last_activity_at: age.map(|age| start_of(DAY.saturating_sub(age.days()))),
                ..seat(id as u64)
            }));
            let figures = SeatFigures::count(&people, DAY);
            prop_assert_eq!(figures.seats, figures.active_28_days + figures.idle + figures.never_used);
            prop_assert!(figures.active_7_days <= figures.active_28_days);
        }
    }
}
