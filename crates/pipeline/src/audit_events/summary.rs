//! Interactions by person, day and app: counted anew for every day that got events.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::tables::{GOLD_AUDIT_SUMMARY, SILVER_AUDIT_EVENTS};
use uptake_lake::Filter;

use super::Findings;
use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::state;
use crate::traced_lake::TracedLake;

/// Days that got events and are not counted yet.
const KEY: &str = "state/audit-events/days-to-count.json";

/// Takes note of days before they get events.
pub(super) async fn remember(files: &dyn Files, days: BTreeSet<Date>) -> Result<(), PipelineError> {
    let known: BTreeSet<Date> = state::read(files, KEY).await?.unwrap_or_default();
    if days.is_subset(&known) {
        return Ok(());
    }
    state::write(files, KEY, &known.union(&days).copied().collect::<BTreeSet<Date>>()).await
}

/// What a count needs of an event.
#[derive(Deserialize)]
struct Event {
    upn: String,
    user_id: Option<String>,
    app: String,
    agent_id: Option<String>,
    prompts: u64,
}

/// A row of `gold_copilot_audit_summary`.
#[derive(Serialize)]
struct Row {
    upn: String,
    user_id: Option<String>,
    day: Date,
    app: String,
    events: u64,
    prompts: u64,
    agent_events: u64,
}

/// Counts every day that is not counted yet.
pub(super) async fn bring_up_to_date(
    lake: &TracedLake<'_>,
    files: &dyn Files,
    findings: &mut Findings,
) -> Result<(), PipelineError> {
    let days: BTreeSet<Date> = state::read(files, KEY).await?.unwrap_or_default();
    if days.is_empty() {
        return Ok(());
    }
    for day in &days {
        let of_day = Filter::Equals("event_on", day.to_string());
        let columns = ["upn", "user_id", "app", "agent_id", "prompts"];
        let mut apps: HashMap<String, HashMap<String, Row>> = HashMap::new();
        let count = |events: Vec<Event>| {
            for event in events {
                let people = apps.entry(event.app).or_default();
                let row = people.entry(event.upn).or_insert_with_key(|upn| Row {
                    upn: upn.clone(),
                    user_id: None,
                    day: *day,
                    app: String::new(),
                    events: 0,
                    prompts: 0,
                    agent_events: 0,
                });
                row.events += 1;
                row.prompts += event.prompts;
                row.agent_events += u64::from(event.agent_id.is_some());
                row.user_id = row.user_id.take().or(event.user_id);
            }
        };
        lake.tables()
            .scan(&SILVER_AUDIT_EVENTS, &columns, &of_day, count)
            .await?;
        let rows: Vec<Row> = apps
            .into_iter()
            .flat_map(|(app, people)| {
                people.into_values().map(move |row| Row {
                    app: app.clone(),
                    ..row
                })
            })
            .collect();
        let of_day = Filter::Equals("day", day.to_string());
        let written = lake.replace(&GOLD_AUDIT_SUMMARY, &of_day, rows).await?;
        findings.counts.stored += written.inserted + written.updated;
    }
    Ok(files.delete(KEY).await?)
}
