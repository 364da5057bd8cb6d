//! `uptake quarantine`: records that could not be understood, for a person to look at.

use anyhow::bail;
use uptake_pipeline::ports::Files;
use uptake_pipeline::quarantine::{self, PREFIX};

use crate::args::{Quarantine, QuarantineCommand};
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
            if rows.is_empty() {
                terminal::say("The quarantine is empty.");
            }
            terminal::print_rows(&rows);
        }
        QuarantineCommand::Show { function, day } => {
            let records = quarantine::read(&folder, &quarantine::key(function, *day)).await?;
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
