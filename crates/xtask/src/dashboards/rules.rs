//! What a dashboard must keep to so that Grafana shows it, a reader understands it, and every figure on it exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use uptake_domain::catalogue::{self, MetricSpec, Statistic};
use uptake_domain::log_events::{self, LogEvents};

use super::query::LOG_GROUPS;
use super::{GRID, SCHEMA_VERSION, names};

/// Panels that Grafana's published components can draw, so that a test can look at them.
const KINDS: [&str; 6] = ["bargauge", "row", "stat", "table", "text", "timeseries"];
/// Units, by Grafana's ids; a test holds them against Grafana's own list.
const UNITS: [&str; 5] = ["dateTimeAsIso", "locale", "percent", "percentunit", "s"];
const TRANSFORMATIONS: [&str; 4] = ["groupingToMatrix", "limit", "reduce", "sortBy"];
/// What overrides may set.
const PROPERTIES: [&str; 8] = [
    "color",
    "custom.hideFrom.viz",
    "custom.width",
    "decimals",
    "displayName",
    "links",
    "noValue",
    "unit",
];
/// Queries of logs on one page before it is slow (AWS allows 100 at once in an account; Grafana asks again and again for each).
const MOST_LOG_QUERIES: usize = 10;
/// Words of Logs Insights that our queries use; the preview's evaluator knows these and no others.
const WORDS: [&str; 19] = [
    "as", "asc", "bin", "by", "concat", "count", "desc", "fields", "filter", "floor", "latest", "like", "limit", "now",
    "pct", "sort", "stats", "sum", "toMillis",
];

/// The faults of all dashboards in the repository, and what they leave out.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut dashboards = BTreeMap::new();
    for entry in fs::read_dir(root.join("dashboards"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let json: Value =
            serde_json::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        if let Some(stem) = stem.filter(|_| json.get("panels").is_some()) {
            dashboards.insert(stem, json);
        }
    }
    let compose = fs::read_to_string(root.join("compose.yaml"))?;
    let mut faults = faults(&dashboards);
    faults.extend(
        dashboards
            .keys()
            .filter(|name| !compose.contains(&format!("/{name}.json:ro")))
            .map(|name| format!("compose.yaml does not mount dashboards/{name}.json")),
    );
    Ok(faults)
}

/// The faults of dashboards by file name.
pub(super) fn faults(dashboards: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, dashboard) in dashboards {
        let found = Page {
            dashboard,
            all: dashboards,
        }
        .faults(name);
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("dashboards/{name}.json: {fault}")),
        );
    }
    faults.extend(unseen_metrics(dashboards));
    faults.extend(unseen_fields(dashboards));
    faults.extend(ambiguous_variables(dashboards));
    faults
}

/// What is published and on no dashboard.
fn unseen_metrics(dashboards: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    let shown: BTreeSet<(String, String, String)> = dashboards
        .values()
        .flat_map(panels)
        .flat_map(targets)
        .filter(|target| text(target, "queryMode") == "Metrics")
        .map(|target| {
            (
                text(target, "namespace").to_owned(),
                text(target, "metricName").to_owned(),
                dimension_names(target).join(","),
            )
        })
        .collect();
    for spec in catalogue::ALL {
        let is_shown = spec.dimensions.iter().any(|set| {
            let set: Vec<&str> = set.iter().map(|dimension| dimension.as_str()).collect();
            shown.contains(&(spec.namespace.as_str().to_owned(), spec.name.to_owned(), set.join(",")))
        });
        if !is_shown {
            faults.push(format!(
                "{} {} (every {} s) is on no dashboard",
                spec.namespace.as_str(),
                spec.name,
                spec.period_seconds
            ));
        }
    }
    faults
}

/// What log events tell, for readers of dashboards, and no query asks for.
fn unseen_fields(dashboards: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for kind in log_events::ALL {
        let prefix = format!("{LOG_GROUPS}{}-", kind.name);
        let asked: BTreeSet<String> = dashboards
            .values()
            .flat_map(panels)
            .flat_map(targets)
            .filter(|target| target["logGroupPrefixes"][0] == prefix.as_str())
            .flat_map(|target| {
                words(&without_literals(text(target, "expression")))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        let unseen = kind
            .fields
            .iter()
            .filter(|field| !field.internal && !asked.contains(field.name));
        faults.extend(unseen.map(|field| {
            format!(
                "the field {} of {} is on no dashboard; show it, or mark it internal",
                field.name, kind.name
            )
        }));
    }
    faults
}

/// Variables that mean one thing here and another there: a link takes the value of one to the other.
fn ambiguous_variables(dashboards: &BTreeMap<String, Value>) -> Vec<String> {
    let mut meanings: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for variable in dashboards
        .values()
        .flat_map(|dashboard| list(&dashboard["templating"], "list"))
    {
        let query = &variable["query"];
        let meaning = (text(query, "namespace"), text(query, "dimensionKey"));
        meanings.entry(text(variable, "name")).or_default().insert(meaning);
    }
    let ambiguous = meanings.iter().filter(|(_, meanings)| meanings.len() > 1);
    ambiguous
        .map(|(name, meanings)| format!("the variable {name} means different things: {meanings:?}"))
        .collect()
}

pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

pub(super) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Every panel, those under closed headings included.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let open = list(dashboard, "panels").iter();
    open.flat_map(|panel| std::iter::once(panel).chain(list(panel, "panels")))
}

pub(super) fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    list(panel, "targets").iter()
}

fn dimension_names(target: &Value) -> Vec<&str> {
    let dimensions = target["dimensions"].as_object();
    dimensions
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// One dashboard among all.
struct Page<'d> {
    dashboard: &'d Value,
    all: &'d BTreeMap<String, Value>,
}

impl Page<'_> {
    fn faults(&self, name: &str) -> Vec<String> {
        let mut faults = self.conventions(name);
        faults.extend(self.grid());
        faults.extend(self.variables());
        let mut ids = BTreeSet::new();
        for panel in panels(self.dashboard) {
            if !ids.insert(panel["id"].as_u64()) || panel["id"].as_u64().is_none() {
                faults.push(format!("the id {} is there twice, or is none", panel["id"]));
            }
            let of_panel = self.panel(panel).into_iter();
            faults.extend(of_panel.map(|fault| format!("\"{}\": {fault}", text(panel, "title"))));
        }
        let open = list(self.dashboard, "panels").iter();
        let queries = open
            .flat_map(targets)
            .filter(|target| text(target, "queryMode") == "Logs")
            .count();
        if queries > MOST_LOG_QUERIES {
            faults.push(format!(
                "{queries} queries of logs are more than a page opens with in time ({MOST_LOG_QUERIES})"
            ));
        }
        faults
    }

    fn conventions(&self, name: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (field, expected) in [
            ("uid", json!(name)),
            ("schemaVersion", json!(SCHEMA_VERSION)),
            ("editable", json!(false)),
            ("graphTooltip", json!(1)),
            ("timezone", json!("utc")),
            ("weekStart", json!("monday")),
            ("refresh", json!("")),
            ("tags", json!(["uptake"])),
        ] {
            if self.dashboard[field] != expected {
                faults.push(format!("{field} is {}, not {expected}", self.dashboard[field]));
            }
        }
        // An id belongs to one Grafana, and a version would change with every push.
        for field in ["id", "version", "__inputs"] {
            if self.dashboard.get(field).is_some() {
                faults.push(format!("{field} does not belong into the repository"));
            }
        }
        let link = &self.dashboard["links"][0];
        if link["keepTime"] != true || link["includeVars"] != true {
            faults.push("the link to the other dashboards does not keep time and variables".to_owned());
        }
        if name.len() > 40 || text(self.dashboard, "title").is_empty() || text(self.dashboard, "description").is_empty()
        {
            faults.push("it wants a title, a description, and a uid of at most 40 characters".to_owned());
        }
        faults
    }

    /// No panel lies outside the grid or upon another. Panels of a closed heading have a grid of their own.
    fn grid(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let closed = list(self.dashboard, "panels").iter().map(|panel| list(panel, "panels"));
        for grid in std::iter::once(list(self.dashboard, "panels")).chain(closed) {
            let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
            for panel in grid {
                let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64());
                let (Some(x), Some(y), Some(w @ 1..), Some(h @ 1..)) = (x, y, w, h) else {
                    faults.push(format!("\"{}\" has no place", text(panel, "title")));
                    continue;
                };
                if x + w > u64::from(GRID) {
                    faults.push(format!("\"{}\" sticks out on the right", text(panel, "title")));
                }
                for (column, line) in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                    if let Some(other) = taken.insert((column, line), text(panel, "title")) {
                        faults.push(format!("\"{}\" lies upon \"{other}\"", text(panel, "title")));
                        break;
                    }
                }
            }
        }
        faults
    }

    fn variable_names(&self) -> BTreeSet<&str> {
        let variables = list(&self.dashboard["templating"], "list").iter();
        variables.map(|variable| text(variable, "name")).collect()
    }

    fn variables(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.variable_names().contains("datasource") {
            faults.push("there is no variable datasource".to_owned());
        }
        for variable in list(&self.dashboard["templating"], "list") {
            let name = text(variable, "name");
            if variable["type"] == "query" {
                if text(&variable["datasource"], "uid") != "${datasource}" {
                    faults.push(format!("the variable {name} asks a data source of its own"));
                }
                let query = &variable["query"];
                let key = text(query, "dimensionKey");
                let is_ours = specs(query).any(|spec| {
                    let mut sets = spec.dimensions.iter();
                    sets.any(|set| matches!(set, [dimension] if dimension.as_str() == key))
                });
                if !is_ours {
                    faults.push(format!(
                        "the variable {name} asks for the dimension {key} of {} {}, which is not published",
                        text(query, "namespace"),
                        text(query, "metricName")
                    ));
                }
            }
        }
        faults
    }

    fn panel(&self, panel: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let kind = text(panel, "type");
        if !KINDS.contains(&kind) {
            faults.push(format!(
                "panels of the kind {kind:?} cannot be drawn by a test; there are {}",
                KINDS.join(", ")
            ));
        }
        faults.extend(self.variables_of(panel));
        faults.extend(names::faults(panel));
        if ["row", "text"].contains(&kind) {
            return faults;
        }
        let defaults = &panel["fieldConfig"]["defaults"];
        for (what, is_there) in [
            ("a title", !text(panel, "title").is_empty()),
            (
                "a description that ends as a sentence does",
                text(panel, "description").ends_with('.'),
            ),
            ("a text for no value", !text(defaults, "noValue").is_empty()),
            ("a unit that Grafana knows", UNITS.contains(&text(defaults, "unit"))),
            (
                "the variable data source",
                text(&panel["datasource"], "uid") == "${datasource}",
            ),
            ("a query", targets(panel).next().is_some()),
        ] {
            if !is_there {
                faults.push(format!("it lacks {what}"));
            }
        }
        for field in list(&panel["fieldConfig"], "overrides") {
            for property in list(field, "properties") {
                let id = text(property, "id");
                let is_known = PROPERTIES.contains(&id) && (id != "unit" || UNITS.contains(&text(property, "value")));
                if !is_known {
                    faults.push(format!(
                        "an override sets {id} to {}, which is not known",
                        property["value"]
                    ));
                }
                faults.extend(
                    list(property, "value")
                        .iter()
                        .filter_map(|link| self.link(text(link, "url"))),
                );
            }
        }
        for transformation in list(panel, "transformations") {
            if !TRANSFORMATIONS.contains(&text(transformation, "id")) {
                faults.push(format!("the transformation {} is not known", transformation["id"]));
            }
        }
        faults.extend(queries(panel));
        faults
    }

    /// Every variable that is named is there.
    fn variables_of(&self, panel: &Value) -> Vec<String> {
        let known = self.variable_names();
        let mut own = panel.clone();
        own["panels"] = Value::Null;
        let json = own.to_string();
        let mut faults = BTreeSet::new();
        for rest in json.split('$').skip(1) {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let end = rest
                .find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
                .unwrap_or(rest.len());
            let name = &rest[..end];
            let is_grafanas = name.starts_with("__") || name == "PROP";
            if !name.is_empty() && !is_grafanas && !known.contains(name) {
                faults.insert(format!("there is no variable ${name}"));
            }
        }
        faults.into_iter().collect()
    }

    /// A link to a dashboard leads to one, and sets variables that it has.
    fn link(&self, url: &str) -> Option<String> {
        let rest = url.strip_prefix("/d/")?;
        let (uid, query) = rest.split_once('?').unwrap_or((rest, ""));
        let Some(target) = self.all.get(uid) else {
            return Some(format!("a link leads to {uid}, which is no dashboard"));
        };
        let there = Page {
            dashboard: target,
            all: self.all,
        };
        let set = query
            .split('&')
            .filter_map(|part| part.strip_prefix("var-")?.split('=').next());
        let mut unknown = set.filter(|name| !there.variable_names().contains(name));
        unknown
            .next()
            .map(|name| format!("a link sets {name}, which {uid} does not have"))
    }
}

/// The metrics of the name that a query or variable asks for.
fn specs(query: &Value) -> impl Iterator<Item = &'static &'static MetricSpec> {
    let (namespace, name) = (text(query, "namespace"), text(query, "metricName"));
    catalogue::ALL
        .iter()
        .filter(move |spec| spec.namespace.as_str() == namespace && spec.name == name)
}

fn queries(panel: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let ids: BTreeSet<&str> = targets(panel)
        .map(|target| text(target, "id"))
        .filter(|id| !id.is_empty())
        .collect();
    let mut used = BTreeSet::new();
    for target in targets(panel) {
        if !seen.insert(text(target, "refId")) || text(target, "refId").is_empty() {
            faults.push(format!("the query {} is there twice", target["refId"]));
        }
        if text(&target["datasource"], "uid") != "${datasource}" {
            faults.push("a query asks a data source of its own".to_owned());
        }
        let found = match (text(target, "queryMode"), text(target, "expression")) {
            ("Logs", _) => log_query(panel, target),
            ("Metrics", "") => metric_query(target),
            ("Metrics", expression) => {
                let named: Vec<&str> = words(expression)
                    .filter(|word| word.starts_with(|sign: char| sign.is_alphabetic()))
                    .collect();
                used.extend(named.iter().copied());
                let unknown = named.into_iter().filter(|name| !ids.contains(name));
                unknown
                    .map(|name| format!("the sum {expression:?} names {name}, which is no query"))
                    .collect()
            }
            (mode, _) => vec![format!("a query is of the kind {mode:?}")],
        };
        faults.extend(found);
    }
    for target in targets(panel).filter(|target| !text(target, "id").is_empty()) {
        if target["hide"] != true || !used.contains(text(target, "id")) {
            faults.push(format!(
                "{} has a name and is in no sum, or is drawn as well",
                target["id"]
            ));
        }
    }
    faults
}

fn metric_query(target: &Value) -> Vec<String> {
    let (namespace, name) = (text(target, "namespace"), text(target, "metricName"));
    let asked = dimension_names(target);
    let spec = specs(target).find(|spec| {
        spec.dimensions.iter().any(|set| {
            let set: Vec<&str> = set.iter().map(|dimension| dimension.as_str()).collect();
            set == asked
        })
    });
    let Some(spec) = spec else {
        return vec![format!("{namespace} {name} by {asked:?} is not published")];
    };
    let mut faults = Vec::new();
    if target["matchExact"] != true {
        faults.push(format!("{name} is asked for with other dimensions, too"));
    }
    let statistic = text(target, "statistic");
    let period: u32 = text(target, "period").parse().unwrap_or_default();
    // A distribution may be read by its mean and any percentile, over any span.
    let is_distribution = matches!(spec.statistic, Statistic::Average | Statistic::P90);
    let is_fit = statistic == spec.statistic.as_str()
        || is_distribution && (statistic == "Average" || statistic.starts_with('p'));
    if !is_fit {
        faults.push(format!(
            "{name} is read as {}, not as {statistic}",
            spec.statistic.as_str()
        ));
    }
    let is_step = period == spec.period_seconds
        || is_distribution && period > spec.period_seconds && period.is_multiple_of(spec.period_seconds);
    if !is_step {
        faults.push(format!(
            "{name} has a value every {} s, not every {period}",
            spec.period_seconds
        ));
    }
    faults
}

fn log_query(panel: &Value, target: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let expression = text(target, "expression");
    let events: Vec<Option<&&LogEvents>> = list(target, "logGroupPrefixes")
        .iter()
        .map(|prefix| {
            let mut kinds = log_events::ALL.iter();
            kinds.find(|kind| prefix.as_str() == Some(&format!("{LOG_GROUPS}{}-", kind.name)))
        })
        .collect();
    let [Some(events)] = events[..] else {
        return vec![format!("no log group begins with {}", target["logGroupPrefixes"])];
    };
    if target["logsQueryScope"] != "namePrefix" || target["queryLanguage"] != "CWLI" {
        faults.push("log groups are named one by one: next week there is another".to_owned());
    }
    let steps: Vec<&str> = expression.split('|').map(str::trim).collect();
    if !expression.contains("| limit ") {
        faults.push("the query has no limit".to_owned());
    }
    // Names that a step makes are fields of the next.
    let mut names: BTreeSet<String> = BTreeSet::new();
    let plain = without_literals(expression);
    let mut is_alias = false;
    for word in words(&plain) {
        if is_alias {
            // The next step would not know which of the two is meant.
            if events.field(word).is_some() {
                faults.push(format!("{word} is a field already and cannot be another name"));
            }
            names.insert(word.to_owned());
        }
        is_alias = word == "as";
    }
    for word in words(&plain) {
        let is_name = word.starts_with(|sign: char| sign.is_alphabetic());
        let is_known =
            WORDS.contains(&word) || names.contains(word) || events.field(word).is_some() || word == "@timestamp";
        if is_name && !is_known {
            faults.push(format!("{word} is no field of {}", events.name));
        }
    }
    let groups: Vec<&str> = list(target, "statsGroups").iter().filter_map(Value::as_str).collect();
    let by = steps
        .iter()
        .find_map(|step| step.strip_prefix("stats ")?.split(" by ").nth(1))
        .unwrap_or_default();
    let by: Vec<&str> = by
        .split(',')
        .map(|part| part.rsplit(" as ").next().unwrap_or_default().trim())
        .filter(|part| !part.is_empty())
        .collect();
    let expected: &[&str] = if panel["type"] == "timeseries" { &by } else { &[] };
    if groups != expected {
        faults.push(format!("statsGroups are {groups:?}, and should be {expected:?}"));
    }
    faults
}

/// The expression with its texts and patterns taken out.
fn without_literals(expression: &str) -> String {
    let mut plain = String::new();
    let mut within = None;
    for sign in expression.chars() {
        match within {
            Some(end) if sign == end => within = None,
            Some(_) => {}
            // A slash after a name divides; one after a word such as `like` begins a pattern.
            None if sign == '"' => within = Some('"'),
            None if sign == '/' && plain.trim_end().ends_with("like") => within = Some('/'),
            None => plain.push(sign),
        }
    }
    plain
}

fn words(expression: &str) -> impl Iterator<Item = &str> {
    let parts = expression.split(|sign: char| !sign.is_ascii_alphanumeric() && !['_', '@', '$', '.'].contains(&sign));
    parts.filter(|part| !part.is_empty() && !part.starts_with('$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> BTreeMap<String, Value> {
        let files = super::super::files().unwrap();
        files
            .into_iter()
            .map(|(path, json)| {
                let stem = path.trim_start_matches("dashboards/").trim_end_matches(".json");
                (stem.to_owned(), serde_json::from_str(&json).unwrap())
            })
            .collect()
    }

    #[test]
    fn the_dashboards_keep_every_rule() {
        assert_eq!(faults(&all()), Vec::<String>::new());
    }

    /// The first panel of a kind.
    fn panel_of<'d>(dashboard: &'d mut Value, kind: &str) -> &'d mut Value {
        let panels = dashboard["panels"].as_array_mut().unwrap();
        panels.iter_mut().find(|panel| panel["type"] == kind).unwrap()
    }

    fn overrides(panel: &mut Value) -> &mut Vec<Value> {
        panel["fieldConfig"]["overrides"].as_array_mut().unwrap()
    }

    /// A dashboard, what is told of it, and the change that makes it wrong.
    type Case = (&'static str, &'static str, fn(&mut Value));

    fn each_is_told(cases: &[Case]) {
        for (name, expected, change) in cases {
            let mut dashboards = all();
            change(dashboards.get_mut(*name).unwrap());
            let told = faults(&dashboards);
            assert!(
                told.iter()
                    .any(|fault| fault.contains(expected) && fault.contains(name)),
                "{expected:?} is not told: {told:?}"
            );
        }
    }

    #[test]
    fn a_name_of_something_that_there_is_not_is_told() {
        each_is_told(&[
            ("uptake-overview", "is not published", |page| {
                panel_of(page, "stat")["targets"][0]["metricName"] = "Chairs".into();
            }),
            ("uptake-overview", "is not published", |page| {
                panel_of(page, "stat")["targets"][0]["dimensions"] = json!({"Login": "*"});
            }),
            ("uptake-overview", "is read as Maximum", |page| {
                panel_of(page, "stat")["targets"][0]["statistic"] = "Sum".into();
            }),
            ("uptake-overview", "has a value every 86400 s", |page| {
                panel_of(page, "stat")["targets"][0]["period"] = "3600".into();
            }),
            ("uptake-overview", "which is no query", |page| {
                let sum = panel_of(page, "stat");
                sum["targets"][0]["expression"] = "100 * seats".into();
            }),
            ("uptake-overview", "is no dashboard", |page| {
                let fields = overrides(panel_of(page, "table"));
                fields[0]["properties"] = json!([{"id": "links", "value": [{"title": "x", "url": "/d/elsewhere"}]}]);
            }),
            ("uptake-workflows", "is no field of workflow-runs", |page| {
                let query = &mut panel_of(page, "table")["targets"][0]["expression"];
                *query = query.as_str().unwrap().replace("runner_minutes", "cpu_minutes").into();
            }),
            ("uptake-workflows", "no log group begins with", |page| {
                panel_of(page, "table")["targets"][0]["logGroupPrefixes"] = json!(["/aws/lambda/"]);
            }),
            ("uptake-workflows", "there is no variable $team", |page| {
                page["templating"]["list"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|variable| variable["name"] != "team");
            }),
            ("uptake-workflows", "is for \"minute\"", |page| {
                overrides(panel_of(page, "table"))
                    .push(json!({"matcher": {"id": "byName", "options": "minute"}, "properties": []}));
            }),
            ("uptake-workflows", "sorted by \"Endet\"", |page| {
                panel_of(page, "table")["options"]["sortBy"] = json!([{"displayName": "Endet", "desc": true}]);
            }),
            ("uptake-workflows", "run_url, which no query gives", |page| {
                for panel in page["panels"].as_array_mut().unwrap() {
                    *panel = serde_json::from_str(
                        &panel
                            .to_string()
                            .replace("__data.fields.html_url", "__data.fields.run_url"),
                    )
                    .unwrap();
                }
            }),
            ("uptake-overview", "a transformation sorts by \"Last\"", |page| {
                panel_of(page, "bargauge")["transformations"][1]["options"]["sort"][0]["field"] = "Last".into();
            }),
            ("uptake-pipeline", "/^Maximum$/ does not find", |page| {
                panel_of(page, "stat")["options"]["reduceOptions"]["fields"] = "/^Maximum$/".into();
            }),
            ("uptake-workflows", "is a field already", |page| {
                let query = &mut panel_of(page, "table")["targets"][0]["expression"];
                *query = query
                    .as_str()
                    .unwrap()
                    .replace("as minutes", "as runner_minutes")
                    .into();
            }),
            ("uptake-workflows", "as its rowField", |page| {
                let panels = page["panels"].as_array_mut().unwrap().iter_mut();
                let mut matrices = panels.filter(|panel| panel["transformations"][0]["id"] == "groupingToMatrix");
                matrices.next().unwrap()["transformations"][0]["options"]["rowField"] = "squad".into();
            }),
            ("uptake-overview", "is for \"/^kept$/\"", |page| {
                overrides(panel_of(page, "timeseries"))[0]["matcher"]["options"] = "/^kept$/".into();
            }),
            ("uptake-pipeline", "the alarm fell-behind", |page| {
                panel_of(page, "stat")["description"] = "See the alarm fell-behind.".into();
            }),
        ]);
    }

    #[test]
    fn what_grafana_would_show_badly_or_a_reader_would_not_understand_is_told() {
        each_is_told(&[
            ("uptake-overview", "it lacks a unit", |page| {
                panel_of(page, "stat")["fieldConfig"]["defaults"]["unit"] = "pieces".into();
            }),
            ("uptake-overview", "it lacks a description", |page| {
                panel_of(page, "stat")["description"] = "".into();
            }),
            ("uptake-overview", "it lacks a text for no value", |page| {
                panel_of(page, "stat")["fieldConfig"]["defaults"]["noValue"] = Value::Null;
            }),
            ("uptake-overview", "lies upon", |page| {
                panel_of(page, "timeseries")["gridPos"]["w"] = 13.into();
            }),
            ("uptake-overview", "sticks out", |page| {
                panel_of(page, "stat")["gridPos"]["x"] = 22.into();
            }),
            ("uptake-overview", "is there twice", |page| {
                panel_of(page, "stat")["id"] = 1.into();
            }),
            ("uptake-overview", "cannot be drawn", |page| {
                panel_of(page, "bargauge")["type"] = "piechart".into();
            }),
            ("uptake-overview", "data source of its own", |page| {
                panel_of(page, "table")["targets"][0]["datasource"]["uid"] = "prod".into();
            }),
            ("uptake-workflows", "statsGroups", |page| {
                let panels = page["panels"].as_array_mut().unwrap().iter_mut();
                let mut logs =
                    panels.filter(|panel| panel["type"] == "timeseries" && panel["targets"][0]["queryMode"] == "Logs");
                logs.next().unwrap()["targets"][0]["statsGroups"] = json!([]);
            }),
            ("uptake-workflows", "the query has no limit", |page| {
                panel_of(page, "table")["targets"][0]["expression"] = "fields team".into();
            }),
            ("uptake-workflows", "an override sets custom.widht", |page| {
                panel_of(page, "table")["fieldConfig"]["overrides"][0]["properties"][0]["id"] = "custom.widht".into();
            }),
            ("uptake-workflows", "not every column is a tile", |page| {
                panel_of(page, "stat")["options"]["reduceOptions"]["fields"] = "/^R/".into();
            }),
            ("uptake-workflows", "timezone is", |page| {
                page["timezone"] = "browser".into();
            }),
            ("uptake-workflows", "uid is", |page| page["uid"] = "workflows".into()),
            ("uptake-workflows", "does not belong", |page| page["version"] = 3.into()),
            ("uptake-workflows", "does not keep time", |page| {
                page["links"][0]["keepTime"] = false.into();
            }),
        ]);
    }

    #[test]
    fn a_variable_means_the_same_everywhere() {
        let mut dashboards = all();
        let seats = dashboards.get_mut("uptake-copilot-seats").unwrap();
        seats["templating"]["list"][1]["name"] = "team".into();
        let told = faults(&dashboards);
        assert!(
            told.iter().any(|fault| fault.contains("the variable team means")),
            "{told:?}"
        );
    }

    #[test]
    fn every_word_of_logs_insights_is_used() {
        let all = all();
        let expressions: Vec<String> = all
            .values()
            .flat_map(panels)
            .flat_map(targets)
            .map(|target| without_literals(text(target, "expression")))
            .collect();
        let used: BTreeSet<&str> = expressions.iter().flat_map(|expression| words(expression)).collect();
        for word in WORDS {
            assert!(used.contains(word), "no query says {word}");
        }
    }

    #[test]
    fn a_metric_or_a_field_that_nobody_shows_is_told() {
        let mut dashboards = all();
        dashboards.remove("uptake-engagement");
        dashboards.remove("uptake-pipeline");
        dashboards.remove("uptake-workflow");
        let told = faults(&dashboards);
        for name in ["AgentInteractions", "WatermarkLag", "the field event of workflow-runs"] {
            assert!(told.iter().any(|fault| fault.contains(name)), "{told:?}");
        }
    }
}
