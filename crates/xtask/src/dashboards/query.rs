//! What a panel asks CloudWatch for: metrics out of the catalogue, sums over them, log events out of their schema.

use serde_json::{Value, json};
use uptake_domain::catalogue::{Dimension, MetricSpec};
use uptake_domain::log_events::LogEvents;

/// The data source variable, which every dashboard has.
pub(super) fn datasource() -> Value {
    json!({"type": "cloudwatch", "uid": "${datasource}"})
}

/// Where weekly log groups begin (`UPTAKE_LOG_GROUP_PREFIX`, by default).
pub(super) const LOG_GROUPS: &str = "/uptake/";

/// A query of a panel.
#[derive(Clone, Debug)]
pub(super) struct Query(Value);

impl Query {
    /// What a series is called. CloudWatch fills in `${PROP('Dim.Team')}`.
    pub(super) fn label(mut self, label: &str) -> Self {
        self.0["label"] = label.into();
        self
    }

    /// Another statistic than the catalogue's: of distributions, which have them all.
    pub(super) fn statistic(mut self, statistic: &str) -> Self {
        self.0["statistic"] = statistic.into();
        self
    }

    /// Longer steps than one value each: of distributions, whose mean and percentiles hold over any span.
    pub(super) fn every(mut self, seconds: u32) -> Self {
        self.0["period"] = seconds.to_string().into();
        self
    }

    /// Not drawn, but a name in sums.
    pub(super) fn named(mut self, id: &str) -> Self {
        self.0["id"] = id.into();
        self.0["hide"] = true.into();
        self
    }

    pub(super) fn json(&self, place: usize) -> Value {
        let mut query = self.0.clone();
        query["refId"] = char::from(b'A' + u8::try_from(place).unwrap_or_default())
            .to_string()
            .into();
        query["datasource"] = datasource();
        query["region"] = "default".into();
        query
    }
}

/// A metric with its own statistic and period, overall or with a value for each dimension: `*` is every one of them.
pub(super) fn metric(spec: &MetricSpec, dimensions: &[(Dimension, &str)]) -> Query {
    let by: Vec<String> = dimensions
        .iter()
        .filter(|(_, value)| value.starts_with(['*', '$']))
        .map(|(dimension, _)| format!("${{PROP('Dim.{}')}}", dimension.as_str()))
        .collect();
    let label = if by.is_empty() {
        spec.name.to_owned()
    } else {
        by.join(" ")
    };
    let dimensions: serde_json::Map<String, Value> = dimensions
        .iter()
        .map(|(dimension, value)| (dimension.as_str().to_owned(), json!(value)))
        .collect();
    Query(json!({
        "queryMode": "Metrics", "metricQueryType": 0, "metricEditorMode": 0,
        "namespace": spec.namespace.as_str(), "metricName": spec.name, "dimensions": dimensions, "matchExact": true,
        "statistic": spec.statistic.as_str(), "period": spec.period_seconds.to_string(),
        "id": "", "expression": "", "sqlExpression": "", "label": label, "hide": false,
    }))
}

/// Arithmetic over metrics that are [`Query::named`].
pub(super) fn math(expression: &str, label: &str, period_seconds: u32) -> Query {
    Query(json!({
        "queryMode": "Metrics", "metricQueryType": 0, "metricEditorMode": 1,
        "namespace": "", "metricName": "", "dimensions": {}, "matchExact": true,
        "statistic": "Average", "period": period_seconds.to_string(),
        "id": "", "expression": expression, "sqlExpression": "", "label": label, "hide": false,
    }))
}

/// Log events of whichever weeks the time range meets. `groups` are what `stats … by` names, for one series each; none
/// for a table.
pub(super) fn logs(events: &LogEvents, expression: &str, groups: &[&str]) -> Query {
    let steps: Vec<&str> = expression.lines().map(str::trim).collect();
    Query(json!({
        "queryMode": "Logs", "queryLanguage": "CWLI", "logsMode": "Insights", "logsQueryScope": "namePrefix",
        "logGroupPrefixes": [format!("{LOG_GROUPS}{}-", events.name)], "logGroupClass": "STANDARD",
        "id": "", "statsGroups": groups, "expression": steps.join("\n"),
    }))
}
