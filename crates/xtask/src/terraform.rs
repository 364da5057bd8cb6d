//! What Terraform is told of the code: which function reads which variable, the tables, the alarms.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uptake_domain::alarms::{ALARMS, Alarm, Missing, Watched, When};
use uptake_domain::tables::{self, Kind, Table};
use uptake_pipeline::config::VARIABLES;

/// The files, by their place in the repository.
pub(crate) fn files() -> anyhow::Result<[(&'static str, String); 3]> {
    let text = |value: &Value| serde_json::to_string_pretty(value).map(|text| text + "\n");
    Ok([
        ("terraform/generated/alarms.json", text(&alarms())?),
        ("terraform/generated/settings.json", text(&settings())?),
        ("terraform/generated/tables.json", text(&lake_tables())?),
    ])
}

fn settings() -> Value {
    let by_name: BTreeMap<&str, Value> = VARIABLES
        .iter()
        .filter(|variable| !variable.functions.is_empty())
        .map(|variable| {
            let told = json!({"functions": variable.functions, "meaning": variable.meaning});
            (variable.name, told)
        })
        .collect();
    json!(by_name)
}

fn lake_tables() -> Value {
    let of_engagement = |table: &Table| tables::ENGAGEMENT.iter().any(|other| other.name == table.name);
    let by_name: BTreeMap<&str, Value> = tables::all()
        .map(|table| {
            let columns: Vec<Value> = table
                .all_columns()
                .map(|column| json!({"name": column.name, "type": athena_type(column.kind), "comment": column.meaning}))
                .collect();
            let told = json!({
                "store": if of_engagement(table) { "engagement" } else { "lake" },
                "description": table.description,
                "columns": columns,
                "partitions": table.partitioned_by,
            });
            (table.name, told)
        })
        .collect();
    json!(by_name)
}

/// What Athena and Spark call a kind.
pub(crate) fn athena_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Texts => "array<string>",
        Kind::Date => "date",
        Kind::Instant => "timestamp",
        Kind::Integer => "bigint",
        Kind::Float => "double",
        Kind::Boolean => "boolean",
    }
}

fn alarms() -> Value {
    ALARMS.iter().map(alarm).collect()
}

fn alarm(alarm: &Alarm) -> Value {
    let (namespace, metric, dimension) = match alarm.watches {
        Watched::Own(spec) => {
            let is_of_function = spec.dimensions.iter().any(|set| !set.is_empty());
            (spec.namespace.as_str(), spec.name, is_of_function.then_some("Function"))
        }
        Watched::Lambda(metric) => ("AWS/Lambda", metric, Some("FunctionName")),
        Watched::DeadLetters => ("AWS/SQS", "ApproximateNumberOfMessagesVisible", Some("QueueName")),
    };
    let (comparison, threshold, of_timeout) = match alarm.when {
        When::AtLeast(value) => ("GreaterThanOrEqualToThreshold", value, false),
        When::Below(value) => ("LessThanThreshold", value, false),
        When::AtLeastPercentOfTimeout(value) => ("GreaterThanOrEqualToThreshold", value, true),
    };
    json!({
        "name": alarm.name,
        "functions": alarm.functions,
        "namespace": namespace,
        "metric": metric,
        "dimension": dimension,
        "statistic": alarm.statistic,
        "comparison": comparison,
        "threshold": threshold,
        "of_timeout": of_timeout,
        "period_seconds": alarm.period_seconds,
        "periods": alarm.periods,
        "missing": match alarm.missing {
            Missing::Fine => "notBreaching",
            Missing::Bad => "breaching",
        },
        "tells": alarm.tells,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every alarm has a heading of its own in the operators' book, and nothing else has one there.
    #[test]
    fn whoever_is_woken_by_an_alarm_finds_what_to_do() {
        let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
        let text = fs::read_to_string(book).unwrap();
        let (_, alarms) = text.split_once("\n## Alarms\n").unwrap();
        let alarms = alarms.split("\n## ").next().unwrap();
        let headings: BTreeSet<&str> = alarms.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let mut names: BTreeSet<&str> = ALARMS.iter().map(|alarm| alarm.name).collect();
        names.insert("healthy");
        assert_eq!(headings, names);
    }

    #[test]
    fn alarms_watch_what_is_published_under_the_dimensions_that_they_name() {
        for alarm in ALARMS {
            let Watched::Own(spec) = alarm.watches else { continue };
            let sets: Vec<usize> = spec.dimensions.iter().map(|set| set.len()).collect();
            assert!(sets == [0] || sets == [1], "{}: {}", alarm.name, spec.name);
            assert!(alarm.period_seconds >= spec.period_seconds, "{}", alarm.name);
            assert!(!alarm.functions.is_empty(), "{}", alarm.name);
        }
    }

    #[test]
    fn one_function_has_one_alarm_of_a_name() {
        let mut seen = BTreeSet::new();
        for alarm in ALARMS {
            for function in alarm.functions {
                assert!(seen.insert((alarm.name, function)), "{} {function}", alarm.name);
            }
        }
    }

    #[test]
    fn an_alarm_looks_no_further_back_than_cloudwatch_does() {
        // A week for periods of an hour and more, a day otherwise (PutMetricAlarm, Period, read 2026-11-22).
        for alarm in ALARMS {
            let longest = if alarm.period_seconds >= 3_600 { 604_800 } else { 86_400 };
            assert!(alarm.period_seconds * alarm.periods <= longest, "{}", alarm.name);
        }
    }
}
