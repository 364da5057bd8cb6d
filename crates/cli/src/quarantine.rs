//! `uptake quarantine`: records that could not be understood, for a person to look at.

use std::collections::BTreeMap;

use anyhow::bail;
use jiff::civil::Date;
use serde::Deserialize;
use uptake_domain::tables::SILVER_REJECTED;
use uptake_lake::Filter;
use uptake_pipeline::ports::Files;
use uptake_pipeline::quarantine::{self, PREFIX, Quarantined};

use crate::args::{Quarantine, QuarantineCommand};
use crate::folder::Folder;
use crate::{End, store, terminal};

pub(crate) async fn execute(what: &Quarantine, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let folder = store(get)?;
    match &what.command {
        QuarantineCommand::List => {
            let mut rows = Vec::new();
            for key in folder.list(PREFIX).await? {
                let records = quarantine::read(&folder, &key).await?;
                let name = key
                    .trim_start_matches(PREFIX)
                    .trim_end_matches(".jsonl")
                    .replace('/', " ");
                rows.push((name, records.len().to_string()));
            }
            let mut rejected: BTreeMap<(String, Date), usize> = BTreeMap::new();
            for row in rejected_rows(&folder, &Filter::All).await? {
                *rejected.entry((row.source, row.rejected_on)).or_default() += 1;
            }
            rows.extend(
                rejected
                    .into_iter()
                    .map(|((source, day), count)| (format!("{source} {day}"), count.to_string())),
            );
            if rows.is_empty() {
                terminal::say("The quarantine is empty.");
            }
            terminal::print_rows(&rows);
        }
        QuarantineCommand::Show { function, day } => {
            let mut records = quarantine::read(&folder, &quarantine::key(function, *day)).await?;
            let of_day = Filter::DatesBetween("rejected_on", *day, *day);
            let rejected = rejected_rows(&folder, &of_day).await?.into_iter();
            records.extend(rejected.filter(|row| row.source == *function).map(|row| Quarantined {
                rule: row.rule,
                error: row.error,
                record: row.record,
            }));
            if records.is_empty() {
                bail!("nothing of {function} was quarantined on {day}; `uptake quarantine list` shows what there is");
            }
            for record in records {
                terminal::say(&format!("{}: {}\n  {}", record.rule, record.error, record.record));
            }
        }
    }
    Ok(End::Done)
}

/// A row of `silver_rejected`.
#[derive(Deserialize)]
struct RejectedRow {
    source: String,
    rejected_on: Date,
    rule: String,
    error: String,
    record: String,
}

async fn rejected_rows(folder: &Folder, filter: &Filter) -> anyhow::Result<Vec<RejectedRow>> {
    let columns = ["source", "rejected_on", "rule", "error", "record"];
    Ok(folder.lake()?.read(&SILVER_REJECTED, &columns, filter).await?)
}
