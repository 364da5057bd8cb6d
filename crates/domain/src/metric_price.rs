//! What the catalogue costs a month on CloudWatch, from the number of series and how often each is written.

use crate::catalogue::{Dimension, MetricSpec};
use crate::run::CONCLUSIONS;

/// Dollars for a custom metric and month, of the first ten thousand and of those beyond (us-east-1, CloudWatch pricing,
/// read February 2026). A metric is metered in the hours in which it is written.
const DOLLARS_PER_METRIC: f64 = 0.30;
const DOLLARS_PER_FURTHER_METRIC: f64 = 0.10;
const METRICS_AT_FULL_PRICE: f64 = 10_000.0;
const HOURS_A_MONTH: f64 = 730.0;

/// How many values each dimension has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Teams.
    pub teams: u32,
    /// Repositories.
    pub repositories: u32,
    /// Editors.
    pub editors: u32,
    /// Departments.
    pub departments: u32,
    /// Apps with Copilot in them.
    pub apps: u32,
    /// Uptake's functions.
    pub functions: u32,
}

impl Sizes {
    fn of(self, dimension: Dimension) -> u32 {
        match dimension {
            Dimension::Team => self.teams,
            Dimension::Repository => self.repositories,
            Dimension::Editor => self.editors,
            Dimension::Function => self.functions,
            Dimension::Department => self.departments,
            Dimension::App => self.apps,
            Dimension::Conclusion => u32::try_from(CONCLUSIONS.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Series of a metric: each set of dimension values is one.
pub fn series(spec: &MetricSpec, sizes: Sizes) -> u32 {
    let of_set = |set: &&[Dimension]| set.iter().map(|dimension| sizes.of(*dimension)).product::<u32>();
    spec.dimensions.iter().map(of_set).sum()
}

/// Dollars a month for these metrics, if every series is written in each of its periods.
pub fn dollars_a_month<'a>(specs: impl IntoIterator<Item = &'a MetricSpec>, sizes: Sizes) -> f64 {
    let metered = |spec: &MetricSpec| {
        let hours_between = f64::from(spec.period_seconds.max(3_600)) / 3_600.0;
        // A series written once a day is metered for one hour in twenty-four.
        f64::from(series(spec, sizes)) / hours_between
    };
    let metrics: f64 = specs.into_iter().map(metered).sum();
    let full = metrics.min(METRICS_AT_FULL_PRICE);
    full * DOLLARS_PER_METRIC + (metrics - full) * DOLLARS_PER_FURTHER_METRIC
}

/// Dollars a month for one series that is written once in so many seconds.
pub fn dollars_per_series(period_seconds: u32) -> f64 {
    let hours = HOURS_A_MONTH * 3_600.0 / f64::from(period_seconds.max(3_600));
    hours / HOURS_A_MONTH * DOLLARS_PER_METRIC
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{ALL, Namespace, REPOSITORY_RUN_ATTEMPTS, RUN_ATTEMPTS, SEATS};

    const SIZES: Sizes = Sizes {
        teams: 40,
        repositories: 300,
        editors: 6,
        departments: 20,
        apps: 12,
        functions: 5,
    };

    #[test]
    fn every_set_of_dimension_values_is_a_series() {
        assert_eq!(series(&RUN_ATTEMPTS, SIZES), 1 + 40 + 9);
        assert_eq!(series(&REPOSITORY_RUN_ATTEMPTS, SIZES), 300);
        assert_eq!(series(&SEATS, SIZES), 1 + 40 + 6);
    }

    #[test]
    fn a_daily_series_costs_a_twenty_fourth_of_an_hourly_one() {
        let close = |a: f64, b: f64| (a - b).abs() < 0.005;
        assert!(close(dollars_a_month([&RUN_ATTEMPTS], SIZES), 50.0 * 0.30));
        assert!(close(
            dollars_a_month([&REPOSITORY_RUN_ATTEMPTS], SIZES),
            300.0 * 0.30 / 24.0
        ));
        assert!(close(dollars_per_series(86_400), 0.0125) && close(dollars_per_series(3_600), 0.30));
    }

    #[test]
    fn many_series_become_cheaper_and_hourly_repositories_would_be_dear() {
        let many = Sizes {
            teams: 100_000,
            ..SIZES
        };
        let dollars = dollars_a_month([&RUN_ATTEMPTS], many);
        assert!((dollars - (3_000.0 + 90_010.0 * 0.10)).abs() < 0.5, "{dollars}");
        let workflows = ALL
            .iter()
            .copied()
            .filter(|spec| spec.namespace == Namespace::Workflows);
        let dollars = dollars_a_month(workflows, SIZES);
        assert!((100.0..200.0).contains(&dollars), "{dollars}");
    }
}
