//! Engagement counted: how many people used Copilot on a day, in which apps, and how much.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::start_of;
use crate::catalogue::{
    ACTIVE_SUBJECTS, AGENT_INTERACTIONS, Datum, Dimension, INTERACTIONS, STREAKS_OF_5_DAYS, dimension_value,
};

/// The figures of a group of people on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFigures {
    /// People with any use.
    pub subjects: u64,
    /// Interactions.
    pub interactions: u64,
    /// Interactions with an agent.
    pub agent_interactions: u64,
}

/// The figures of a day. Apps with too few people are one already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFigures {
    /// Of everybody, in whichever app.
    pub overall: AppFigures,
    /// By app.
    pub apps: BTreeMap<String, AppFigures>,
    /// People with a streak of five days or more at the end of the day, overall under the empty name and by app; empty
    /// where nobody has counted them.
    pub streaks: BTreeMap<String, u64>,
}

impl DayFigures {
    /// The day's metrics. Apps that stood in the metrics before get zeros and not a gap.
    pub fn metrics(&self, day: Date, expected: &BTreeSet<String>) -> Vec<Datum> {
        // Names that CloudWatch cannot tell apart are one series.
        let mut apps: BTreeMap<String, AppFigures> = BTreeMap::new();
        for name in expected {
            apps.entry(dimension_value(name)).or_default();
        }
        for (name, figures) in &self.apps {
            let app = apps.entry(dimension_value(name)).or_default();
            app.subjects += figures.subjects;
            app.interactions += figures.interactions;
            app.agent_interactions += figures.agent_interactions;
        }
        let at = start_of(day);
        let of_apps = apps
            .into_iter()
            .map(|(name, figures)| (vec![(Dimension::App, name)], figures));
        let mut data = Vec::new();
        for (dimensions, figures) in [(Vec::new(), self.overall)].into_iter().chain(of_apps) {
            for (spec, count) in [
                (&ACTIVE_SUBJECTS, figures.subjects),
                (&INTERACTIONS, figures.interactions),
                (&AGENT_INTERACTIONS, figures.agent_interactions),
            ] {
                data.push(spec.datum(dimensions.clone(), at, as_f64(count)));
            }
        }
        let series = |name: &str| (!name.is_empty()).then(|| dimension_value(name));
        let mut streaks: BTreeMap<Option<String>, u64> = BTreeMap::new();
        if !self.streaks.is_empty() {
            streaks.extend(expected.iter().map(|name| (series(name), 0)));
        }
        for (name, count) in &self.streaks {
            *streaks.entry(series(name)).or_default() += count;
        }
        for (app, count) in streaks {
            let dimensions = app.map(|name| (Dimension::App, name)).into_iter().collect();
            data.push(STREAKS_OF_5_DAYS.datum(dimensions, at, as_f64(count)));
        }
        data
    }
}

#[expect(clippy::cast_precision_loss, reason = "no tenant has 2^53 people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::catalogue::Reading;

    #[test]
    fn an_app_that_nobody_used_any_more_ends_with_a_zero() {
        let of = |subjects| AppFigures {
            subjects,
            interactions: 10 * subjects,
            agent_interactions: 1,
        };
        let figures = DayFigures {
            overall: of(9),
            apps: BTreeMap::from([("word".to_owned(), of(7))]),
            streaks: BTreeMap::from([(String::new(), 6), ("word".to_owned(), 5)]),
        };
        let expected = BTreeSet::from(["teams".to_owned(), "word".to_owned()]);
        let data = figures.metrics(date(2026, 11, 20), &expected);
        let value = |name: &str, app: Option<&str>| {
            let is_it = |datum: &&Datum| {
                let dimension = datum.dimensions.first().map(|(_, value)| value.as_str());
                datum.spec.name == name && dimension == app
            };
            data.iter().find(is_it).map(|datum| datum.reading.clone())
        };
        let reading = |value| Some(Reading::Value(value));
        assert_eq!(data.len(), 3 * 3 + 3);
        assert_eq!(value("ActiveSubjects", None), reading(9.0));
        assert_eq!(value("ActiveSubjects", Some("teams")), reading(0.0));
        assert_eq!(value("Interactions", Some("word")), reading(70.0));
        assert_eq!(value("StreaksOf5Days", None), reading(6.0));
        assert_eq!(value("StreaksOf5Days", Some("word")), reading(5.0));
        assert_eq!(value("StreaksOf5Days", Some("teams")), reading(0.0));
    }
}
