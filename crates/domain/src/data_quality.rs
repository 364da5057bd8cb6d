//! Data-quality checks: a figure held against a threshold.

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckStatus {
    /// As it should be.
    Pass,
    /// Somebody should look.
    Warn,
    /// What is in the table cannot be relied on.
    Fail,
}

/// One check of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was checked.
    pub table: &'static str,
    /// What was checked of it.
    pub name: &'static str,
    /// How that ended.
    pub status: CheckStatus,
    /// What was found.
    pub value: f64,
    /// What it was held against.
    pub threshold: f64,
    /// What that means, in a sentence that names nobody.
    pub details: String,
}

impl Check {
    /// Passes when the value is no more than the threshold, and else ends with `otherwise`.
    pub fn at_most(
        table: &'static str,
        name: &'static str,
        value: f64,
        threshold: f64,
        otherwise: CheckStatus,
        details: impl Into<String>,
    ) -> Self {
        Self {
            table,
            name,
            status: if value <= threshold {
                CheckStatus::Pass
            } else {
                otherwise
            },
            value,
            threshold,
            details: details.into(),
        }
    }

    /// Passes when the value is no less than the threshold, and else ends with `otherwise`.
    pub fn at_least(
        table: &'static str,
        name: &'static str,
        value: f64,
        threshold: f64,
        otherwise: CheckStatus,
        details: impl Into<String>,
    ) -> Self {
        Self {
            status: if value >= threshold {
                CheckStatus::Pass
            } else {
                otherwise
            },
            ..Self::at_most(table, name, value, threshold, otherwise, details)
        }
    }
}

/// A part of a hundred; of nothing, nothing.
pub fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
    let percent = part as f64 * 100.0 / whole as f64;
    percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_up_to_and_at_its_threshold() {
        let at_most = |value| Check::at_most("t", "c", value, 10.0, CheckStatus::Warn, "").status;
        assert_eq!(
            [at_most(9.0), at_most(10.0), at_most(11.0)],
            [CheckStatus::Pass, CheckStatus::Pass, CheckStatus::Warn]
        );
        let at_least = |value| Check::at_least("t", "c", value, 10.0, CheckStatus::Fail, "").status;
        assert_eq!(
            [at_least(9.0), at_least(10.0), at_least(11.0)],
            [CheckStatus::Fail, CheckStatus::Pass, CheckStatus::Pass]
        );
        assert_eq!(serde_json::json!(CheckStatus::Warn), "WARN");
    }

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert!(percent(0, 0).abs() < f64::EPSILON);
        assert!((percent(1, 4) - 25.0).abs() < f64::EPSILON);
    }
}
