//! Rows of `gold_copilot_usage_scores`.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::known_user::KnownUser;
use uptake_domain::usage_score::{LicenseRules, RUBRIC_VERSION, ScoreInputs, is_in_window};

/// One person on one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ScoreRow {
    pub(super) user_id: String,
    pub(super) upn: String,
    pub(super) display_name: Option<String>,
    pub(super) mail: Option<String>,
    pub(super) department: Option<String>,
    pub(super) license_status: String,
    pub(super) assigned_on: Date,
    pub(super) days_held: i64,
    pub(super) last_activity_on: Option<Date>,
    pub(super) score_on: Date,
    pub(super) as_of_on: Date,
    pub(super) revision: i64,
    pub(super) score: i64,
    pub(super) recency: f64,
    pub(super) frequency: f64,
    pub(super) breadth: f64,
    pub(super) days_since_last_activity: Option<i64>,
    pub(super) active_days: i64,
    pub(super) apps_used_count: i64,
    pub(super) underutilized: bool,
    pub(super) new_assignment: bool,
    pub(super) rubric_version: i64,
}

impl ScoreRow {
    /// Who it is about, before anything is known of the use.
    pub(super) fn blank(user: &KnownUser, day: Date, held_since: Date) -> Self {
        Self {
            user_id: user.user_id.clone(),
            upn: user.upn.clone(),
            display_name: user.display_name.clone(),
            mail: user.mail.clone(),
            department: user.department.clone(),
            license_status: "assigned".to_owned(),
            assigned_on: held_since,
            days_held: 0,
            last_activity_on: None,
            score_on: day,
            as_of_on: day,
            revision: 1,
            score: 0,
            recency: 0.0,
            frequency: 0.0,
            breadth: 0.0,
            days_since_last_activity: None,
            active_days: 0,
            apps_used_count: 0,
            underutilized: false,
            new_assignment: false,
            rubric_version: RUBRIC_VERSION,
        }
    }

    /// The same with the score that follows from the inputs.
    pub(super) fn scored(self, inputs: &ScoreInputs, rules: LicenseRules) -> Self {
        let score = inputs.score();
        let flags = rules.flags(score.score, self.assigned_on, self.score_on);
        Self {
            days_held: flags.days_held,
            last_activity_on: inputs.last_activity_on,
            as_of_on: inputs.as_of_on,
            score: score.score,
            recency: score.recency,
            frequency: score.frequency,
            breadth: score.breadth,
            days_since_last_activity: inputs.days_since_last_activity().map(i64::from),
            active_days: i64::from(inputs.active_days),
            apps_used_count: i64::try_from(inputs.apps_used.len()).unwrap_or_default(),
            underutilized: flags.underutilized,
            new_assignment: flags.new_assignment,
            rubric_version: RUBRIC_VERSION,
            ..self
        }
    }

    /// Whether there was any use in the window.
    pub(super) fn is_active(&self) -> bool {
        self.last_activity_on.is_some_and(|on| is_in_window(on, self.as_of_on))
    }

    /// Whether the flags follow from the score and the days held.
    pub(super) fn is_consistent(&self, rules: LicenseRules) -> bool {
        let flags = rules.flags(self.score, self.assigned_on, self.score_on);
        (flags.underutilized, flags.new_assignment) == (self.underutilized, self.new_assignment)
    }
}
