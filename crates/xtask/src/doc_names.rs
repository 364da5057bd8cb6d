//! Names in documents: a metric, dimension, statistic, log field, table or column that a document names is there.

use std::fs;
use std::path::{Path, PathBuf};

use uptake_domain::{catalogue, log_events, tables};

/// Words in such a spelling that are none of ours: of AWS, GitHub, Microsoft, Terraform, Grafana; kinds of errors; words of
/// answers, state and settings.
const OTHERS: [&str; 57] = [
    "Boolean",
    "Bug",
    "Concealed",
    "Configuration",
    "Contract",
    "CopilotInteraction",
    "Credentials",
    "Date32",
    "Decrypt",
    "Email",
    "Float64",
    "Int64",
    "Link",
    "Paused",
    "Permission",
    "PutMetricData",
    "Retryable",
    "SampleCount",
    "State",
    "Subscription",
    "Throttled",
    "Title",
    "Utf8",
    "admin_center",
    "admin_groups",
    "all_time",
    "apply_role_arn",
    "as_of",
    "bad_request",
    "copilot_action",
    "copilot_studio",
    "days_without_report",
    "documentation_url",
    "editor_groups",
    "engagement_readers",
    "first_seen",
    "in_doubt",
    "in_use",
    "inputs_changed_since",
    "last_7_days",
    "memory_mb",
    "method_not_allowed",
    "next_key_id",
    "not_assigned",
    "not_found",
    "nothing_to_do",
    "past_due",
    "paused_since",
    "plan_role_arn",
    "pull_request",
    "received_at",
    "saml_metadata_parameter",
    "scheduled_time",
    "startup_failure",
    "stopped_early",
    "timed_out",
    "total_seats",
];

/// The documents that people read beside the code.
fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = vec![
        root.join("README.md"),
        root.join("SECURITY.md"),
        root.join("dashboards/README.md"),
    ];
    for entry in fs::read_dir(root.join("docs"))? {
        found.push(entry?.path());
    }
    for entry in fs::read_dir(root.join("lambdas"))? {
        found.push(entry?.path().join("README.md"));
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    Ok(found)
}

pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in documents(root)? {
        let name = path.strip_prefix(root)?.display().to_string();
        let unknown = unknown(&fs::read_to_string(&path)?);
        faults.extend(unknown.into_iter().map(|word| {
            format!("{name} names `{word}`, which is no metric, dimension, statistic, log field, table or column")
        }));
    }
    Ok(faults)
}

/// Words between backticks in the spelling of one of our names, and what the command `metric FUNCTION NAME` of OPERATIONS
/// asks for, if there is nothing of that name.
fn unknown(document: &str) -> Vec<String> {
    let spans = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let mut unknown = Vec::new();
    for span in spans {
        let words: Vec<&str> = span.split_whitespace().collect();
        let named = match words[..] {
            ["metric", _, name] => name,
            [name] if has_our_spelling(name) && !OTHERS.contains(&name) => name,
            _ => continue,
        };
        if !is_published(named) && !is_stored(named) {
            unknown.push(named.to_owned());
        }
    }
    unknown
}

fn is_published(name: &str) -> bool {
    catalogue::ALL.iter().any(|spec| {
        let mut dimensions = spec.dimensions.iter().copied().flatten();
        spec.name == name || spec.statistic.as_str() == name || dimensions.any(|dimension| dimension.as_str() == name)
    })
}

fn is_stored(name: &str) -> bool {
    let is_field = log_events::ALL
        .iter()
        .any(|events| events.fields.iter().any(|field| field.name == name));
    let mut tables = tables::LAKE.iter().chain(tables::ENGAGEMENT);
    is_field || tables.any(|table| table.name == name || table.all_columns().any(|column| column.name == name))
}

/// Capitalised as `RunAttempts` and `Team` are, or joined by underscores as `runner_minutes`.
fn has_our_spelling(word: &str) -> bool {
    let is_capitalised = word.starts_with(|sign: char| sign.is_ascii_uppercase())
        && word.chars().nth(1).is_some_and(|sign| sign.is_ascii_lowercase())
        && word.chars().all(|sign| sign.is_ascii_alphanumeric());
    let is_sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || ['_', '<', '>'].contains(&sign);
    is_capitalised
        || word.contains('_') && word.starts_with(|sign: char| sign.is_ascii_lowercase()) && word.chars().all(is_sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_gone_is_found_in_a_document_and_a_known_one_is_not() {
        let document = "Look at `WatermarkLag` by `Function`, `metric scoring ChecksFailed`, `runner_minutes_<label>`, `UPTAKE_STORE`; `PutMetricData` is AWS's.\n\
                        `RunTries` was renamed, so were `metric scoring CheckFailures`, the dimension `Squad` and the field `queued_seconds`.";
        assert_eq!(
            unknown(document),
            ["RunTries", "CheckFailures", "Squad", "queued_seconds"]
        );
    }
}
