//! Questions about engagement: which stretch of time is meant, who does something in every app that is asked for, and who
//! comes first.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Serialize;

use crate::engagement::Timeframe;

/// A week, a month, or all time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which of these.
    pub timeframe: Timeframe,
    /// Its first day, as tables have it.
    pub start_on: Date,
}

/// Where a stretch lies, seen from a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StretchStatus {
    /// The day lies in it: figures still grow.
    Active,
    /// It is over. Late data may still change its figures for some days.
    Past,
    /// It has not begun.
    Future,
}

impl Stretch {
    /// The stretch that a day lies in.
    pub fn of(timeframe: Timeframe, day: Date, week_starts_on: Weekday) -> Self {
        Self {
            timeframe,
            start_on: timeframe.start(day, week_starts_on),
        }
    }

    /// Its last day; all time has none.
    pub fn end_on(self) -> Option<Date> {
        match self.timeframe {
            Timeframe::Week => Some(self.start_on.saturating_add(6.days())),
            Timeframe::Month => Some(self.start_on.last_of_month()),
            Timeframe::AllTime => None,
        }
    }

    /// Where it lies, seen from `today`.
    pub fn status(self, today: Date) -> StretchStatus {
        if today < self.start_on {
            StretchStatus::Future
        } else if self.end_on().is_some_and(|end_on| end_on < today) {
            StretchStatus::Past
        } else {
            StretchStatus::Active
        }
    }
}

/// A stretch as answers tell of it: all time has neither a first nor a last day there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ToldStretch {
    /// Week, month or all time.
    pub timeframe: Timeframe,
    /// Its first day.
    pub start_on: Option<Date>,
    /// Its last day.
    pub end_on: Option<Date>,
    /// Where it lies.
    pub status: StretchStatus,
}

impl ToldStretch {
    /// What is told on a day.
    pub fn of(stretch: Stretch, today: Date) -> Self {
        let end_on = stretch.end_on();
        Self {
            timeframe: stretch.timeframe,
            start_on: end_on.map(|_| stretch.start_on),
            end_on,
            status: stretch.status(today),
        }
    }
}

/// What adds up of a subject in an app, as far as questions are about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Days with use.
    pub active_days: u64,
    /// Days with use since the last inactive one.
    pub current_streak: u64,
    /// The longest such streak.
    pub best_streak: u64,
    /// Interactions.
    pub interactions: u64,
}

impl Figures {
    /// What holds in both of two apps.
    fn least(self, other: Self) -> Self {
        Self {
            active_days: self.active_days.min(other.active_days),
            current_streak: self.current_streak.min(other.current_streak),
            best_streak: self.best_streak.min(other.best_streak),
            interactions: self.interactions.min(other.interactions),
        }
    }
}

/// Who does something in every one of several apps.
pub struct InEveryApp<'a> {
    apps: &'a BTreeSet<String>,
    found: BTreeMap<String, (usize, Figures)>,
}

impl<'a> InEveryApp<'a> {
    /// Of these apps.
    pub fn new(apps: &'a BTreeSet<String>) -> Self {
        Self {
            apps,
            found: BTreeMap::new(),
        }
    }

    /// Whether anything is asked of an app.
    pub fn asks_for(&self, app: &str) -> bool {
        self.apps.contains(app)
    }

    /// Takes in that a subject does it in one of them. Each app comes once.
    pub fn add(&mut self, subject: String, figures: Figures) {
        let first = (0, figures);
        let (apps, least) = self.found.entry(subject).or_insert(first);
        *apps += 1;
        *least = least.least(figures);
    }

    /// Those who do it in all of them, each with the least of their figures.
    pub fn finish(self) -> BTreeMap<String, Figures> {
        let asked = self.apps.len();
        let found = self.found.into_iter();
        found
            .filter(|(_, (apps, _))| *apps == asked)
            .map(|(subject, (_, figures))| (subject, figures))
            .collect()
    }
}

/// What a place on the leaderboard rests on: points, then active days, then interactions, then the subject, so that two
/// askings of the same tables give the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Points.
    pub points: u64,
    /// Days with use.
    pub active_days: u64,
    /// Interactions.
    pub interactions: u64,
    /// Who.
    pub subject: String,
}

impl Place {
    fn rank(&self) -> (Reverse<(u64, u64, u64)>, &str) {
        (
            Reverse((self.points, self.active_days, self.interactions)),
            &self.subject,
        )
    }
}

impl Ord for Place {
    /// The better one is the lesser one.
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Part of an answer that is too long for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its rows, by name.
    pub rows: Vec<(String, T)>,
    /// Rows of all pages.
    pub total: u64,
    /// What to ask for the page after this one with; nothing where it is the last.
    pub next: Option<String>,
}

/// The first `limit` rows whose name comes after `after`. Names and not places tell pages apart: where rows come or go
/// between two pages, none of the others is missing or there twice.
pub fn page<T>(rows: BTreeMap<String, T>, after: Option<&str>, limit: usize) -> Page<T> {
    let total = rows.len() as u64;
    let mut rows = rows
        .into_iter()
        .skip_while(|(name, _)| after.is_some_and(|after| name.as_str() <= after));
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let next = rows.next().and_then(|_| Some(page.last()?.0.clone()));
    Page {
        rows: page,
        total,
        next,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn figures(all: u64) -> Figures {
        Figures {
            active_days: all,
            current_streak: all,
            best_streak: all,
            interactions: all,
        }
    }

    #[test]
    fn a_stretch_is_active_from_its_first_day_to_its_last() {
        let in_november = date(2026, 11, 18);
        let week = Stretch::of(Timeframe::Week, in_november, Weekday::Monday);
        let sunday_week = Stretch::of(Timeframe::Week, in_november, Weekday::Sunday);
        let month = Stretch::of(Timeframe::Month, in_november, Weekday::Monday);
        for (stretch, first, last) in [
            (week, date(2026, 11, 16), date(2026, 11, 22)),
            (sunday_week, date(2026, 11, 15), date(2026, 11, 21)),
            (month, date(2026, 11, 1), date(2026, 11, 30)),
        ] {
            assert_eq!((stretch.start_on, stretch.end_on()), (first, Some(last)));
            assert_eq!(stretch.status(first.yesterday().unwrap()), StretchStatus::Future);
            assert_eq!(stretch.status(first), StretchStatus::Active);
            assert_eq!(stretch.status(last), StretchStatus::Active);
            assert_eq!(stretch.status(last.tomorrow().unwrap()), StretchStatus::Past);
        }
        let all_time = Stretch::of(Timeframe::AllTime, in_november, Weekday::Monday);
        assert_eq!(all_time.status(in_november), StretchStatus::Active);
        let told = ToldStretch::of(all_time, in_november);
        assert_eq!((told.start_on, told.end_on), (None, None));
    }

    #[test]
    fn several_apps_are_met_by_those_who_do_it_in_each_of_them() {
        let apps = BTreeSet::from(["teams".to_owned(), "word".to_owned()]);
        let mut found = InEveryApp::new(&apps);
        assert!(found.asks_for("word") && !found.asks_for("all"));
        found.add("both".to_owned(), figures(7));
        found.add("teams only".to_owned(), figures(9));
        found.add("both".to_owned(), figures(5));
        assert_eq!(found.finish(), BTreeMap::from([("both".to_owned(), figures(5))]));
    }

    #[test]
    fn places_go_by_points_then_days_then_interactions_then_subject() {
        let place = |points, active_days, interactions, subject: &str| Place {
            points,
            active_days,
            interactions,
            subject: subject.to_owned(),
        };
        let ranked = [
            place(30, 1, 0, "z"),
            place(20, 2, 1, "z"),
            place(20, 1, 9, "z"),
            place(20, 1, 8, "a"),
            place(20, 1, 8, "b"),
            place(0, 9, 9, "a"),
        ];
        assert!(ranked.is_sorted(), "{ranked:?}");
    }

    proptest! {
        #[test]
        fn pages_are_the_whole_answer_in_order(
            names in prop::collection::btree_set("[a-c]{1,3}", 0..30), limit in 1_usize..12,
        ) {
            let rows: BTreeMap<String, usize> = names.iter().cloned().zip(0..).collect();
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = page(rows.clone(), after.as_deref(), limit);
                prop_assert_eq!(page.total, rows.len() as u64);
                prop_assert!(page.rows.len() <= limit);
                all.extend(page.rows);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(all, rows.into_iter().collect::<Vec<_>>());
        }
    }
}
