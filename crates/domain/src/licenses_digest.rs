//! What the mail about licences says: the figures against last week and last month, and where idle licences are.

use jiff::civil::Date;

use crate::license_figures::{LicenseFigures, LicenseSummary};
use crate::wording::{change_in_percent, change_in_points, thousands};

/// Departments with a line of their own.
pub const MOST_DEPARTMENTS: usize = 15;

/// The content of the mail, before any markup.
#[derive(Debug, PartialEq, Eq)]
pub struct LicensesDigest {
    /// The figures.
    pub tiles: Vec<Tile>,
    /// The day a week ago that they are held against, if it was scored.
    pub week_before: Option<Date>,
    /// The day four weeks ago.
    pub month_before: Option<Date>,
    /// Departments with licences, most underutilised ones first.
    pub departments: Vec<DepartmentLine>,
    /// Departments with licences that have no line.
    pub omitted: usize,
}

/// One figure, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it counts.
    pub label: &'static str,
    /// How much.
    pub value: String,
    /// Against the week before; empty without one.
    pub week: String,
    /// Against four weeks before; empty without.
    pub month: String,
}

/// One department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepartmentLine {
    /// Its name.
    pub name: String,
    /// People with a licence.
    pub licenses: u64,
    /// Of those, underutilised.
    pub underutilized: u64,
    /// The percentage.
    pub percent: u64,
}

/// Puts the mail together. `price` is what a licence costs.
pub fn digest(
    now: &LicenseSummary,
    week: Option<(Date, &LicenseSummary)>,
    month: Option<(Date, &LicenseSummary)>,
    price: Option<f64>,
) -> LicensesDigest {
    let before = |summary: Option<(Date, &LicenseSummary)>, change: &dyn Fn(&LicenseFigures) -> String| {
        summary.map_or_else(String::new, |(_, summary)| change(&summary.overall))
    };
    let tile = |label, value: String, change: &dyn Fn(&LicenseFigures) -> String| Tile {
        label,
        value,
        week: before(week, change),
        month: before(month, change),
    };
    let counted = |label, count: fn(&LicenseFigures) -> u64| {
        let value = count(&now.overall);
        tile(label, thousands(value), &|then| change_in_percent(value, count(then)))
    };
    let mean = |figures: &LicenseFigures| figures.mean_score().map(rounded);
    let mut tiles = vec![
        counted("Licences", |figures| figures.licenses),
        counted("Active in 30 days", |figures| figures.active),
        counted("Underutilised", |figures| figures.underutilized),
        counted("New", |figures| figures.new),
        tile(
            "Mean score",
            mean(&now.overall).map_or_else(|| "none".to_owned(), |score| score.to_string()),
            &|then| change_in_points(mean(&now.overall), mean(then)),
        ),
    ];
    if let Some(price) = price {
        let cost = |figures: &LicenseFigures| rounded(figures.idle_cost(price));
        let value = cost(&now.overall);
        tiles.push(tile("Idle cost", thousands(value), &|then| {
            change_in_percent(value, cost(then))
        }));
    }
    let mut departments: Vec<DepartmentLine> = now
        .departments
        .iter()
        .filter(|(_, figures)| figures.licenses > 0)
        .map(|(name, figures)| DepartmentLine {
            name: name.clone(),
            licenses: figures.licenses,
            underutilized: figures.underutilized,
            percent: (figures.underutilized * 100 + figures.licenses / 2) / figures.licenses,
        })
        .collect();
    departments.sort_by(|a, b| (b.underutilized, b.percent, &a.name).cmp(&(a.underutilized, a.percent, &b.name)));
    let omitted = departments.len().saturating_sub(MOST_DEPARTMENTS);
    departments.truncate(MOST_DEPARTMENTS);
    LicensesDigest {
        tiles,
        week_before: week.map(|(day, _)| day),
        month_before: month.map(|(day, _)| day),
        departments,
        omitted,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scores and costs are not negative, and small"
)]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license_figures::ScoredLicense;
    use jiff::civil::date;

    fn summary(departments: &[(&str, u64, u64)]) -> LicenseSummary {
        let mut summary = LicenseSummary::default();
        for (name, licenses, idle) in departments {
            for index in 0..*licenses {
                let license = ScoredLicense {
                    score: if index < *idle { 0 } else { 60 },
                    is_active: index >= *idle,
                    underutilized: index < *idle,
                    new_assignment: false,
                };
                summary.add_license(Some(name), license);
            }
        }
        summary
    }

    #[test]
    fn figures_are_held_against_a_week_and_a_month_before() {
        let now = summary(&[("sales", 10, 4), ("legal", 5, 4), ("ops", 3, 0)]);
        let then = summary(&[("sales", 10, 2)]);
        let week = date(2026, 11, 13);
        let digest = digest(&now, Some((week, &then)), None, Some(30.0));
        let tile = |label: &str| digest.tiles.iter().find(|tile| tile.label == label).unwrap();
        assert_eq!(tile("Underutilised").value, "8");
        assert_eq!(tile("Underutilised").week, "+300 %");
        assert_eq!(tile("Underutilised").month, "");
        assert_eq!(
            (tile("Mean score").value.as_str(), tile("Mean score").week.as_str()),
            ("33", "\u{2212}15 points")
        );
        assert_eq!(tile("Idle cost").value, "240");
        assert_eq!(digest.week_before, Some(week));
        let names: Vec<&str> = digest.departments.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(
            names,
            ["legal", "sales", "ops"],
            "most idle first, then the larger part"
        );
        assert_eq!(digest.departments[0].percent, 80);
    }

    #[test]
    fn without_a_price_there_is_no_cost_and_without_licences_no_score() {
        let digest = digest(&LicenseSummary::default(), None, None, None);
        assert!(digest.tiles.iter().all(|tile| tile.label != "Idle cost"));
        assert_eq!(digest.tiles[4].value, "none");
    }
}
