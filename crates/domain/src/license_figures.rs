//! Licences counted: how many are held, used, underutilised and new, and what idle ones cost, overall and by department.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::start_of;
use crate::catalogue::{
    Datum, Dimension, IDLE_LICENSE_COST, LICENSES, LICENSES_ACTIVE, LICENSES_NEW, LICENSES_UNDERUTILIZED, USAGE_SCORE,
    USERS, dimension_value,
};
use crate::groups::{NONE, OTHER};

/// The figures of a group of people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseFigures {
    /// People in the directory who have not departed.
    pub users: u64,
    /// People with a licence.
    pub licenses: u64,
    /// Of those, with use in the 30 days that end with the newest report.
    pub active: u64,
    /// Of those with a licence, underutilised.
    pub underutilized: u64,
    /// Of those with a licence, too new to judge.
    pub new: u64,
    /// How many people have each score.
    pub scores: BTreeMap<u64, u64>,
}

impl LicenseFigures {
    /// Takes in one licence.
    pub fn add(&mut self, license: ScoredLicense) {
        self.licenses += 1;
        self.active += u64::from(license.is_active);
        self.underutilized += u64::from(license.underutilized);
        self.new += u64::from(license.new_assignment);
        *self.scores.entry(license.score).or_default() += 1;
    }

    /// Takes in another group.
    pub fn merge(&mut self, other: &Self) {
        self.users += other.users;
        self.licenses += other.licenses;
        self.active += other.active;
        self.underutilized += other.underutilized;
        self.new += other.new;
        for (score, count) in &other.scores {
            *self.scores.entry(*score).or_default() += count;
        }
    }

    /// The mean score; there is none without licences.
    pub fn mean_score(&self) -> Option<f64> {
        let (sum, count) = self
            .scores
            .iter()
            .fold((0_u64, 0_u64), |(sum, count), (score, people)| {
                (sum + score * people, count + people)
            });
        #[expect(clippy::cast_precision_loss, reason = "scores of people are far below 2^53")]
        (count > 0).then(|| sum as f64 / count as f64)
    }

    /// What the underutilised licences cost in the time a price is for.
    pub fn idle_cost(&self, price: f64) -> f64 {
        as_f64(self.underutilized) * price
    }

    /// Whether the group can be shown without showing a few people: as people and as licence holders it is nobody, or
    /// enough.
    fn can_be_shown(&self, smallest_group: usize) -> bool {
        let nobody_or_enough = |people: u64| people == 0 || usize::try_from(people).is_ok_and(|n| n >= smallest_group);
        nobody_or_enough(self.users) && nobody_or_enough(self.licenses)
    }
}

/// What the figures need of one licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoredLicense {
    /// 0 to 100.
    pub score: u64,
    /// Used in the window.
    pub is_active: bool,
    /// Underutilised.
    pub underutilized: bool,
    /// Too new to judge.
    pub new_assignment: bool,
}

/// All figures of a day. People who may read the lake may read these; CloudWatch gets [`LicenseSummary::folded`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseSummary {
    /// Everybody.
    pub overall: LicenseFigures,
    /// By department; who has none counts in `none`.
    pub departments: BTreeMap<String, LicenseFigures>,
}

impl LicenseSummary {
    /// Takes in a person of the directory who has not departed.
    pub fn add_user(&mut self, department: Option<&str>) {
        self.each(department, |figures| figures.users += 1);
    }

    /// Takes in a licence.
    pub fn add_license(&mut self, department: Option<&str>, license: ScoredLicense) {
        self.each(department, |figures| figures.add(license));
    }

    fn each(&mut self, department: Option<&str>, change: impl Fn(&mut LicenseFigures)) {
        change(&mut self.overall);
        change(
            self.departments
                .entry(department.unwrap_or(NONE).to_owned())
                .or_default(),
        );
    }

    /// The same with departments too small to show moved into [`OTHER`].
    #[must_use]
    pub fn folded(&self, smallest_group: usize) -> Self {
        let mut departments: BTreeMap<String, LicenseFigures> = BTreeMap::new();
        for (name, figures) in &self.departments {
            let name = if figures.can_be_shown(smallest_group) {
                name
            } else {
                OTHER
            };
            departments.entry(name.to_owned()).or_default().merge(figures);
        }
        Self {
            overall: self.overall.clone(),
            departments,
        }
    }

    /// The day's metrics of a folded summary. Names that stood in the metrics before get zeros and not a gap.
    pub fn metrics(&self, day: Date, price: Option<f64>, expected: &BTreeSet<String>) -> Vec<Datum> {
        // Names that CloudWatch cannot tell apart are one series: written twice it would show the larger figure alone.
        let mut groups: BTreeMap<String, LicenseFigures> = BTreeMap::new();
        for name in expected {
            groups.entry(dimension_value(name)).or_default();
        }
        for (name, figures) in &self.departments {
            groups.entry(dimension_value(name)).or_default().merge(figures);
        }
        let mut data = Vec::new();
        publish(&mut data, &[], &self.overall, day, price);
        for (name, figures) in &groups {
            publish(&mut data, &[(Dimension::Department, name.clone())], figures, day, price);
        }
        data
    }
}

fn publish(
    data: &mut Vec<Datum>,
    dimensions: &[(Dimension, String)],
    figures: &LicenseFigures,
    day: Date,
    price: Option<f64>,
) {
    let at = start_of(day);
    for (spec, count) in [
        (&USERS, figures.users),
        (&LICENSES, figures.licenses),
        (&LICENSES_ACTIVE, figures.active),
        (&LICENSES_UNDERUTILIZED, figures.underutilized),
        (&LICENSES_NEW, figures.new),
    ] {
        data.push(spec.datum(dimensions.to_vec(), at, as_f64(count)));
    }
    data.extend(USAGE_SCORE.distribution(dimensions, at, &figures.scores));
    data.extend(price.map(|price| IDLE_LICENSE_COST.datum(dimensions.to_vec(), at, figures.idle_cost(price))));
}

#[expect(clippy::cast_precision_loss, reason = "no tenant has 2^53 people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Reading;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn license(score: u64) -> ScoredLicense {
        ScoredLicense {
            score,
            is_active: score > 0,
            underutilized: score <= 20,
            new_assignment: false,
        }
    }

    fn summary(departments: &[(&str, u64, &[u64])]) -> LicenseSummary {
        let mut summary = LicenseSummary::default();
        for (name, users, scores) in departments {
            (0..*users).for_each(|_| summary.add_user(Some(name)));
            scores
                .iter()
                .for_each(|score| summary.add_license(Some(name), license(*score)));
        }
        summary
    }

    #[test]
    fn a_large_department_with_few_licences_is_a_small_group() {
        let all = summary(&[
            ("sales", 9, &[0, 10, 50, 90, 100]),
            ("legal", 30, &[3]),
            ("board", 2, &[]),
            ("ops", 8, &[]),
        ]);
        let folded = all.folded(5);
        let names: Vec<&str> = folded.departments.keys().map(String::as_str).collect();
        assert_eq!(names, ["ops", "other", "sales"]);
        assert_eq!(
            (folded.departments["other"].users, folded.departments["other"].licenses),
            (32, 1)
        );
        assert_eq!(folded.overall, all.overall);
    }

    #[test]
    fn metrics_are_catalogued_and_an_ended_department_ends_with_zeros() {
        let day = date(2026, 11, 20);
        let expected = BTreeSet::from(["gone".to_owned(), "sales".to_owned()]);
        let all = summary(&[("sales", 9, &[0, 10, 50, 90, 100])]);
        let data = all.metrics(day, Some(30.0), &expected);
        assert!(data.iter().all(Datum::is_catalogued));
        let value = |name: &str, department: Option<&str>| {
            let datum = data.iter().find(|datum| {
                datum.spec.name == name && datum.dimensions.first().map(|(_, value)| value.as_str()) == department
            });
            datum.map(|datum| datum.reading.clone())
        };
        assert_eq!(value("IdleLicenseCost", Some("sales")), Some(Reading::Value(60.0)));
        assert_eq!(value("Licenses", Some("gone")), Some(Reading::Value(0.0)));
        assert_eq!(value("UsageScore", Some("gone")), None, "a score of nobody is nothing");
        assert!(
            !all.metrics(day, None, &expected)
                .iter()
                .any(|datum| datum.spec.name == "IdleLicenseCost")
        );
        assert_eq!(all.overall.mean_score(), Some(50.0));
        assert_eq!(LicenseFigures::default().mean_score(), None);
    }

    #[test]
    fn departments_that_cloudwatch_cannot_tell_apart_are_one_series() {
        let all = summary(&[
            ("Büro", 9, &[90, 90, 90, 90, 90]),
            ("Baro", 6, &[]),
            ("Bäro", 9, &[80, 80, 80, 80, 80]),
        ]);
        let data = all.metrics(date(2026, 11, 20), None, &BTreeSet::from(["Böro".to_owned()]));
        let licenses: Vec<(&str, &Reading)> = data
            .iter()
            .filter(|datum| datum.spec.name == "Licenses")
            .filter_map(|datum| Some((datum.dimensions.first()?.1.as_str(), &datum.reading)))
            .collect();
        assert_eq!(
            licenses,
            [("B?ro", &Reading::Value(10.0)), ("Baro", &Reading::Value(0.0))]
        );
    }

    proptest! {
        #[test]
        fn folding_loses_nobody_and_shows_no_few(
            groups in proptest::collection::btree_map("[a-d]{1,2}", (0_u64..12, proptest::collection::vec(0_u64..=100, 0..12)), 0..8),
            smallest in 0_usize..8,
        ) {
            let mut all = LicenseSummary::default();
            for (name, (users, scores)) in &groups {
                (0..*users).for_each(|_| all.add_user(Some(name)));
                for score in scores {
                    all.add_license(Some(name), license(*score));
                }
            }
            let folded = all.folded(smallest);
            let mut sum = LicenseFigures::default();
            for (name, figures) in &folded.departments {
                sum.merge(figures);
                prop_assert!(name == OTHER || figures.can_be_shown(smallest));
            }
            prop_assert_eq!(sum, all.overall);
        }
    }
}
