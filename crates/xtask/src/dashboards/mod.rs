//! The dashboards: written here once, out of the metric catalogue and the log-event schema, as Grafana's v1 JSON.

mod copilot_seats;
mod engagement;
mod m365;
mod names;
mod overview;
mod panel;
mod pipeline;
mod query;
mod rules;
mod workflow;
mod workflows;

use serde_json::{Value, json};
use uptake_domain::catalogue::{Dimension, MetricSpec};

use panel::Panel;
use query::datasource;
pub(crate) use rules::check;

/// Columns of Grafana's grid.
const GRID: u32 = 24;
/// What 10.4 writes, and everything newer reads.
const SCHEMA_VERSION: u32 = 39;
const TAG: &str = "uptake";

/// The files, by their place in the repository.
pub(crate) fn files() -> anyhow::Result<Vec<(&'static str, String)>> {
    let dashboards = [
        ("dashboards/uptake-overview.json", overview::dashboard()),
        ("dashboards/uptake-workflows.json", workflows::dashboard()),
        ("dashboards/uptake-workflow.json", workflow::dashboard()),
        ("dashboards/uptake-copilot-seats.json", copilot_seats::dashboard()),
        ("dashboards/uptake-m365.json", m365::dashboard()),
        ("dashboards/uptake-engagement.json", engagement::dashboard()),
        ("dashboards/uptake-pipeline.json", pipeline::dashboard()),
    ];
    dashboards
        .into_iter()
        .map(|(name, dashboard)| Ok((name, serde_json::to_string_pretty(&dashboard.json())? + "\n")))
        .collect()
}

/// A dashboard before its panels have their places.
struct Dashboard {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    /// What it shows when it is opened, to now.
    from: &'static str,
    variables: Vec<Value>,
    introduction: Panel,
    sections: Vec<Section>,
}

/// Panels under a heading.
struct Section {
    title: &'static str,
    collapsed: bool,
    panels: Vec<Panel>,
}

fn section(title: &'static str, panels: Vec<Panel>) -> Section {
    Section {
        title,
        collapsed: false,
        panels,
    }
}

/// Detail that is asked for, and paid for, only when somebody opens it.
fn detail(title: &'static str, panels: Vec<Panel>) -> Section {
    Section {
        collapsed: true,
        ..section(title, panels)
    }
}

impl Dashboard {
    fn json(&self) -> Value {
        json!({
            "uid": self.uid, "title": self.title, "description": self.description, "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION, "editable": false, "graphTooltip": 1, "timezone": "utc",
            "weekStart": "monday", "fiscalYearStartMonth": 0, "refresh": "", "time": {"from": self.from, "to": "now"},
            "timepicker": {}, "liveNow": false,
            "links": [{
                "type": "dashboards", "title": "Uptake", "tags": [TAG], "asDropdown": true, "includeVars": true,
                "keepTime": true, "icon": "external link", "targetBlank": false, "tooltip": "The other dashboards", "url": "",
            }],
            "annotations": {"list": [{
                "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": false, "hide": true,
                "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
            }]},
            "templating": {"list": self.variables},
            "panels": self.panels(),
        })
    }

    /// From left to right and from top to bottom, a heading above each section.
    fn panels(&self) -> Vec<Value> {
        let mut panels = vec![self.introduction.json(1, 0, 0)];
        let (mut id, mut y) = (2, self.introduction.height);
        for section in &self.sections {
            let mut row = json!({
                "id": id, "type": "row", "title": section.title, "collapsed": section.collapsed, "panels": [],
                "gridPos": {"h": 1, "w": GRID, "x": 0, "y": y},
            });
            id += 1;
            y += 1;
            let mut placed = Vec::new();
            let (mut x, mut line) = (0, 0);
            for panel in &section.panels {
                if x + panel.width > GRID {
                    (x, y, line) = (0, y + line, 0);
                }
                placed.push(panel.json(id, x, y));
                (x, line, id) = (x + panel.width, line.max(panel.height), id + 1);
            }
            if section.collapsed {
                row["panels"] = placed.into();
                panels.push(row);
            } else {
                panels.push(row);
                panels.extend(placed);
                y += line;
            }
        }
        panels
    }
}

/// Which data source: so that the same file serves every Grafana.
fn source() -> Value {
    json!({
        "type": "datasource", "name": "datasource", "label": "Data source", "query": "cloudwatch", "refresh": 1,
        "regex": "", "hide": 0, "includeAll": false, "multi": false, "skipUrlSync": false, "options": [],
    })
}

/// The values of a dimension; with `every`, all of them together are one choice, and the first.
fn values(name: &str, label: &str, spec: &MetricSpec, dimension: Dimension, every: bool) -> Value {
    let mut variable = json!({
        "type": "query", "name": name, "label": label, "datasource": datasource(),
        "query": {
            "queryType": "dimensionValues", "refId": "CloudWatchVariableQueryEditor-VariableQuery", "region": "default",
            "namespace": spec.namespace.as_str(), "metricName": spec.name, "dimensionKey": dimension.as_str(),
            "dimensionFilters": {},
        },
        "refresh": 1, "regex": "", "sort": 1, "hide": 0, "includeAll": every, "multi": false, "skipUrlSync": false, "options": [],
    });
    if every {
        variable["allValue"] = "*".into();
        variable["current"] = json!({"selected": true, "text": "All", "value": "$__all"});
    }
    variable
}

/// Steps of charts that are drawn from log events: hours, days, weeks, months.
fn step() -> Value {
    let option = |text: &str, value: &str| json!({"selected": value == "1d", "text": text, "value": value});
    json!({
        "type": "custom", "name": "step", "label": "Step", "query": "hour : 1h, day : 1d, week : 1w, month : 1mo",
        "current": {"selected": true, "text": "day", "value": "1d"},
        "options": [option("hour", "1h"), option("day", "1d"), option("week", "1w"), option("month", "1mo")],
        "hide": 0, "includeAll": false, "multi": false, "skipUrlSync": false,
    })
}
