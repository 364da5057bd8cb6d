//! Interactions by person, day and app: counted anew for every day that got events.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::tables::{GOLD_AUDIT_SUMMARY, SILVER_AUDIT_EVENTS};
use uptake_lake::{Columns, Filter};

use super::Findings;
use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::state;
use crate::traced_lake::TracedLake;

/// Days that got events and are not counted yet.
const KEY: &str = "state/audit-events/days-to-count.json";

/// Rows that become columns at a time: a day of 50,000 people has four times as many.
const ROWS_AT_A_TIME: usize = 50_000;

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
struct Row<'a> {
    upn: &'a str,
    user_id: Option<&'a str>,
    day: Date,
    app: &'a str,
    events: u64,
    prompts: u64,
    agent_events: u64,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    events: u64,
    prompts: u64,
    agent_events: u64,
}

/// The interactions of a day by person and app. Names are kept once: a day has hundreds of thousands of events.
#[derive(Default)]
struct Day {
    people: HashMap<String, usize>,
    user_ids: Vec<Option<String>>,
    apps: BTreeMap<String, HashMap<usize, Counts>>,
}

impl Day {
    fn add(&mut self, event: Event) {
        let next = self.user_ids.len();
        let person = *self.people.entry(event.upn).or_insert(next);
        if person == next {
            self.user_ids.push(None);
        }
        if let Some(user_id) = self.user_ids.get_mut(person).filter(|user_id| user_id.is_none()) {
            *user_id = event.user_id;
        }
        let counts = self.apps.entry(event.app).or_default().entry(person).or_default();
        counts.events += 1;
        counts.prompts += event.prompts;
        counts.agent_events += u64::from(event.agent_id.is_some());
    }

    fn rows(&self, day: Date) -> Vec<Row<'_>> {
        let mut names: Vec<(usize, &str)> = self
            .people
            .iter()
            .map(|(upn, person)| (*person, upn.as_str()))
            .collect();
        names.sort_unstable();
        let mut rows = Vec::with_capacity(self.apps.values().map(HashMap::len).sum());
        for (app, people) in &self.apps {
            for (person, counts) in people {
                let known = names.get(*person).zip(self.user_ids.get(*person));
                rows.extend(known.map(|((_, upn), user_id)| Row {
                    upn,
                    user_id: user_id.as_deref(),
                    day,
                    app,
                    events: counts.events,
                    prompts: counts.prompts,
                    agent_events: counts.agent_events,
                }));
            }
        }
        rows
    }
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
        let mut counted = Day::default();
        let count = |events: Vec<Event>| events.into_iter().for_each(|event| counted.add(event));
        lake.tables()
            .scan(&SILVER_AUDIT_EVENTS, &columns, &of_day, count)
            .await?;
        // Events are only ever added, so no row goes.
        for rows in counted.rows(*day).chunks(ROWS_AT_A_TIME) {
            let written = lake.upsert(&GOLD_AUDIT_SUMMARY, Columns::All, rows).await?;
            findings.counts.stored += written.inserted + written.updated;
        }
    }
    Ok(files.delete(KEY).await?)
}
