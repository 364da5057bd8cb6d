//! Every field of every event that Uptake writes to its weekly log groups. A field that is not declared here does not exist.
//!
//! `dashboards/log-events.json` and the second half of `docs/METRICS.md` are generated from [`ALL`].

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// A kind of event: what `<prefix>/<name>-<first day>_<last day>` holds.
#[derive(Debug, PartialEq, Eq)]
pub struct LogEvents {
    /// What its groups are called between prefix and week.
    pub name: &'static str,
    /// The function that writes it.
    pub written_by: &'static str,
    /// What one event is and which instant it is stamped with, for people.
    pub description: &'static str,
    /// Every field.
    pub fields: &'static [Field],
}

/// A field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name. `<label>` in it stands for any text: such a field may be there several times.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether every event has it.
    pub always: bool,
    /// For queries of one's own: on no dashboard.
    pub internal: bool,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// A number; 1 or 0 where it counts.
    Number,
    /// A UTC day, as text.
    Date,
    /// An instant, as text.
    Instant,
}

impl FieldKind {
    /// The name in documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Date => "date",
            Self::Instant => "instant",
        }
    }
}

const LABEL: &str = "<label>";

impl LogEvents {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| match field.name.strip_suffix(LABEL) {
            Some(begin) => name.strip_prefix(begin).is_some_and(|label| !label.is_empty()),
            None => field.name == name,
        })
    }

    /// What of an event is not as declared; nothing, if everything is.
    pub fn faults(&self, event: &Map<String, Value>) -> Vec<String> {
        let missing = self
            .fields
            .iter()
            .filter(|field| field.always && !event.contains_key(field.name))
            .map(|field| format!("{} is missing", field.name));
        let others = event.iter().filter_map(|(name, value)| match self.field(name) {
            None => Some(format!("{name} is not declared")),
            Some(field) => {
                let is_fit = match field.kind {
                    FieldKind::Number => value.is_number(),
                    FieldKind::Text | FieldKind::Date | FieldKind::Instant => value.is_string(),
                };
                (!is_fit).then(|| format!("{name} is no {}: {value}", field.kind.as_str()))
            }
        });
        missing.chain(others).collect()
    }
}

const fn field(name: &'static str, kind: FieldKind, meaning: &'static str) -> Field {
    Field {
        name,
        kind,
        always: true,
        internal: false,
        meaning,
    }
}

const fn sometimes(name: &'static str, kind: FieldKind, meaning: &'static str) -> Field {
    Field {
        always: false,
        ..field(name, kind, meaning)
    }
}

const fn internal(field: Field) -> Field {
    Field {
        internal: true,
        ..field
    }
}

/// One attempt of a workflow run.
pub static WORKFLOW_RUNS: LogEvents = LogEvents {
    name: "workflow-runs",
    written_by: "workflow-metrics",
    description: "One attempt of a workflow run that has ended, stamped with the instant at which it ended. Written once, in the hour's stream.",
    fields: &[
        field(
            "team",
            FieldKind::Text,
            "Whose repository it was when the attempt was recorded; `unassigned` if nobody's.",
        ),
        field("repository", FieldKind::Text, "`owner/name` then."),
        internal(field(
            "repository_id",
            FieldKind::Number,
            "GitHub's id of it, which outlives a change of name.",
        )),
        field(
            "workflow",
            FieldKind::Text,
            "Name of the workflow, or of its file where the list of workflows may not be read.",
        ),
        internal(field("workflow_id", FieldKind::Number, "GitHub's id of it.")),
        internal(field("run_id", FieldKind::Number, "The run.")),
        field(
            "attempt",
            FieldKind::Number,
            "Which try; a re-run keeps the run and raises the attempt.",
        ),
        field("event", FieldKind::Text, "What started it, in GitHub's word."),
        field(
            "branch",
            FieldKind::Text,
            "`default`, `pull_request` or `other`; names of branches are not kept.",
        ),
        field("conclusion", FieldKind::Text, "How it ended, in GitHub's word."),
        field(
            "failed",
            FieldKind::Number,
            "1 for `failure`, `timed_out` and `startup_failure`, else 0.",
        ),
        field(
            "succeeded",
            FieldKind::Number,
            "1 for `success`, else 0: cancelled and skipped attempts neither failed nor succeeded.",
        ),
        field("re_run", FieldKind::Number, "1 for a second or later attempt, else 0."),
        internal(field("started_at", FieldKind::Instant, "Start of the attempt.")),
        internal(field("ended_at", FieldKind::Instant, "End of its last job.")),
        sometimes(
            "queue_seconds",
            FieldKind::Number,
            "From the start of the attempt to the start of its first job; absent without jobs.",
        ),
        field(
            "duration_seconds",
            FieldKind::Number,
            "From the start of the first job to the end of the last; without jobs, from the start of the attempt to its last change.",
        ),
        field(
            "runner_minutes",
            FieldKind::Number,
            "Minutes of its jobs, each rounded up; before GitHub's multipliers, self-hosted runners included.",
        ),
        internal(sometimes(
            "runner_minutes_<label>",
            FieldKind::Number,
            "The same by runner label.",
        )),
        field("html_url", FieldKind::Text, "Where to look at it."),
    ],
};

/// The licences of a department on a day.
pub static LICENSE_USAGE: LogEvents = LogEvents {
    name: "license-usage",
    written_by: "scoring",
    description: "The Microsoft 365 Copilot licences of a department, or of everybody, on a scored day, stamped with its beginning. Written once.",
    fields: &[
        field(
            "scope",
            FieldKind::Text,
            "`all`: the event is of everybody; `department`: of one.",
        ),
        sometimes(
            "department",
            FieldKind::Text,
            "The department; `none` for people without one, `other` for all that are too small to show.",
        ),
        field(
            "as_of_on",
            FieldKind::Date,
            "The day up to which the usage report tells that scores are computed from.",
        ),
        field(
            "users",
            FieldKind::Number,
            "People in the directory who have not departed.",
        ),
        field("licenses", FieldKind::Number, "People with a licence."),
        field(
            "active",
            FieldKind::Number,
            "Of those, with any use on the 30 dates that end with the newest report.",
        ),
        field("underutilized", FieldKind::Number, "Licences that are underutilised."),
        field("new", FieldKind::Number, "Licences too new to judge."),
        sometimes(
            "mean_score",
            FieldKind::Number,
            "Mean usage score, 0 to 100; absent without licences.",
        ),
        sometimes(
            "idle_license_cost",
            FieldKind::Number,
            "What the underutilised ones cost, where `UPTAKE_LICENSE_PRICE` is set.",
        ),
    ],
};

/// Every kind of event.
pub static ALL: &[&LogEvents] = &[&LICENSE_USAGE, &WORKFLOW_RUNS];

impl Serialize for LogEvents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct FieldEntry<'a> {
            name: &'a str,
            kind: &'a str,
            always: bool,
            internal: bool,
            meaning: &'a str,
        }
        #[derive(Serialize)]
        struct Entry<'a> {
            name: &'a str,
            written_by: &'a str,
            description: &'a str,
            fields: Vec<FieldEntry<'a>>,
        }
        Entry {
            name: self.name,
            written_by: self.written_by,
            description: self.description,
            fields: self
                .fields
                .iter()
                .map(|field| FieldEntry {
                    name: field.name,
                    kind: field.kind.as_str(),
                    always: field.always,
                    internal: field.internal,
                    meaning: field.meaning,
                })
                .collect(),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_found_by_its_name_or_by_how_it_begins() {
        let name = |given| WORKFLOW_RUNS.field(given).map(|field| field.name);
        assert_eq!(name("runner_minutes"), Some("runner_minutes"));
        assert_eq!(name("runner_minutes_ubuntu_latest"), Some("runner_minutes_<label>"));
        for unknown in ["runner_minutes_", "runner", "login", ""] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn faults_are_what_is_missing_undeclared_or_of_another_kind() {
        let event = json!({
            "scope": "all", "as_of_on": "2026-11-22", "users": 3, "licenses": 2, "active": 1, "underutilized": 0, "new": 0,
        });
        let mut event = event.as_object().unwrap().clone();
        assert_eq!(LICENSE_USAGE.faults(&event), Vec::<String>::new());
        event.insert("login".into(), json!("x"));
        event.insert("mean_score".into(), json!("high"));
        event.remove("users");
        assert_eq!(
            LICENSE_USAGE.faults(&event),
            [
                "users is missing",
                "login is not declared",
                "mean_score is no number: \"high\""
            ]
        );
    }
}
