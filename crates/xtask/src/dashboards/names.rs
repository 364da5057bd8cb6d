//! Names that the queries of a panel give to columns and series: what its overrides, transformations and texts may speak of.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;
use uptake_domain::alarms::ALARMS;

use super::rules::{list, targets, text};

/// What Grafana asks for before the fields of a query that does not aggregate.
const GRAFANAS: [&str; 3] = [
    "@timestamp",
    "__log__grafana_internal__",
    "__logstream__grafana_internal__",
];

/// What of a panel means a column, a series or an alarm that is not there.
pub(super) fn faults(panel: &Value) -> Vec<String> {
    let mut faults = alarms(&format!(
        "{} {}",
        text(panel, "description"),
        text(&panel["options"], "content")
    ));
    faults.extend(of_transformations(panel));
    if let Some(names) = named(panel) {
        faults.extend(of_columns(panel, &names));
    }
    faults
}

fn of_columns(panel: &Value, names: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let matrix = transformation(panel, "groupingToMatrix");
    let mut shown = BTreeSet::new();
    for field in list(&panel["fieldConfig"], "overrides") {
        let (matcher, of) = (text(&field["matcher"], "id"), text(&field["matcher"], "options"));
        let is_there = match (matcher, matrix) {
            // The columns of a matrix are values: weeks, by their number.
            ("byName", Some(_)) => of.contains('\\') || of.parse::<u32>().is_ok(),
            ("byName", None) => names.contains(of),
            _ => finds(of, names),
        };
        // Every table hides what Grafana may have asked for.
        if !is_there && !of.starts_with("/^__log") {
            faults.push(format!("an override is for {of:?}, which no query gives"));
        }
        let of_kind = |id: &'static str| {
            let properties = list(field, "properties").iter();
            properties.filter(move |property| property["id"] == id)
        };
        shown.extend(of_kind("displayName").map(|property| text(property, "value").to_owned()));
        for link in of_kind("links").flat_map(|property| list(property, "value")) {
            let linked = text(link, "url").split("${__data.fields.").skip(1);
            let missing = linked
                .filter_map(|rest| rest.split('}').next())
                .filter(|name| !names.contains(*name));
            faults.extend(missing.map(|name| format!("a link leads to {name}, which no query gives")));
        }
    }
    if let Some(matrix) = matrix {
        for part in ["rowField", "columnField", "valueField"] {
            let of = text(&matrix["options"], part);
            if !names.contains(of) {
                faults.push(format!("the matrix has {of:?} as its {part}, which no query gives"));
            }
        }
    }
    for sorted in list(&panel["options"], "sortBy") {
        let of = text(sorted, "displayName");
        if !shown.contains(of) && !names.contains(of) {
            faults.push(format!("it is sorted by {of:?}, which is no column"));
        }
    }
    let tiles = text(&panel["options"]["reduceOptions"], "fields");
    if !tiles.is_empty() && !shown.iter().all(|name| finds(tiles, &[name.clone()].into())) {
        faults.push(format!("not every column is a tile: {tiles} does not find them"));
    }
    faults
}

/// Columns that transformations make, and what later ones and tiles choose among them.
fn of_transformations(panel: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let made: BTreeSet<String> = list(panel, "transformations")
        .iter()
        .flat_map(|transformation| list(&transformation["options"], "reducers"))
        .filter_map(Value::as_str)
        .map(|reducer| match reducer {
            "lastNotNull" => "Last *".to_owned(),
            "max" => "Max".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    let is_matrix = transformation(panel, "groupingToMatrix").is_some();
    for sorted in transformation(panel, "sortBy").map_or(&[][..], |sort| list(&sort["options"], "sort")) {
        let of = text(sorted, "field");
        let is_week = is_matrix && of.parse::<u32>().is_ok();
        if !made.contains(of) && !is_week {
            faults.push(format!("a transformation sorts by {of:?}, which none makes"));
        }
    }
    let tiles = text(&panel["options"]["reduceOptions"], "fields");
    if !tiles.is_empty() && !made.is_empty() && !finds(tiles, &made) {
        faults.push(format!("{tiles} does not find what is reduced"));
    }
    faults
}

fn transformation<'p>(panel: &'p Value, id: &str) -> Option<&'p Value> {
    let mut all = list(panel, "transformations").iter();
    all.find(|transformation| transformation["id"] == id)
}

/// Whether a pattern between slashes is in one of the names.
fn finds(pattern: &str, names: &BTreeSet<String>) -> bool {
    Regex::new(pattern.trim_matches('/')).is_ok_and(|pattern| names.iter().any(|name| pattern.is_match(name)))
}

/// Columns or series, if they follow from the queries and not from what CloudWatch holds.
fn named(panel: &Value) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for target in targets(panel).filter(|target| target["hide"] != true) {
        if text(target, "queryMode") == "Logs" {
            // Series are called by the values of what they are grouped by.
            if !list(target, "statsGroups").is_empty() {
                return None;
            }
            names.extend(columns(text(target, "expression")));
        } else if text(target, "label").contains("${") || !list(panel, "transformations").is_empty() {
            return None;
        } else {
            names.insert(text(target, "label").to_owned());
        }
    }
    Some(names)
}

/// The columns of a query's answer: those of its last `stats`, or everything that `fields` name.
fn columns(expression: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = GRAFANAS.map(str::to_owned).into();
    for step in expression.split('|').map(str::trim) {
        let (listed, by) = match step.split_once(' ') {
            Some(("fields", listed)) => (listed, ""),
            Some(("stats", listed)) => {
                names.clear();
                listed.split_once(" by ").unwrap_or((listed, ""))
            }
            _ => continue,
        };
        let parts = outside_brackets(listed).into_iter().chain(outside_brackets(by));
        names.extend(
            parts
                .map(|part| part.rsplit(" as ").next().unwrap_or_default().trim().to_owned())
                .filter(|name| !name.is_empty()),
        );
    }
    names
}

/// The parts between commas, those within brackets left alone.
fn outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    for (place, sign) in text.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..place]);
                from = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// What a text calls "the alarm …" and is none.
fn alarms(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "alarm")
        .map(|pair| pair[1].trim_matches(|sign: char| !sign.is_ascii_alphanumeric()))
        .filter(|name| ALARMS.iter().all(|alarm| alarm.name != *name))
        .map(|name| format!("it names the alarm {name}, which there is not"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_last_aggregation_or_all_that_fields_name() {
        let cases = [
            (
                "fields @timestamp, team | filter failed = 1 | fields branch as b",
                "@timestamp __log__grafana_internal__ __logstream__grafana_internal__ b team",
            ),
            (
                "fields x as y\n| stats pct(a, 50) as median, sum(b) / (c + 1) as part by bin(1d) as time, team | sort time",
                "median part team time",
            ),
            ("stats count(*) as n", "n"),
        ];
        for (expression, expected) in cases {
            let found: Vec<String> = columns(expression).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{expression}");
        }
    }

    #[test]
    fn an_alarm_that_there_is_not_is_told() {
        assert_eq!(
            alarms("From 5 % on it sets off the alarm records-rejected."),
            Vec::<String>::new()
        );
        assert_eq!(alarms("See the alarm too-late, and so on.").len(), 1);
    }
}
