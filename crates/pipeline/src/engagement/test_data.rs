//! Made-up people in the engagement tables: put in, told apart from real ones, and taken out again.
//!
//! Their days go into the ledger as real ones would, and the totals are computed from it by the function's own code. A
//! marker says that they are there: without it, tables with rows are real, and are left alone.

use std::collections::{BTreeMap, HashSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::day_of;
use uptake_domain::tables::{self, GOLD_AGENT_TOTALS, GOLD_ENGAGEMENT_DAILY};
use uptake_domain::test_people::{AGENTS, TestPerson};
use uptake_domain::wording::thousands;
use uptake_lake::{Filter, Lake, Stamp};

use super::days::{ALL_APPS, LedgerRow, rows};
use super::totals::Totals;
use super::{Findings, Identity, exclusion};
use crate::config::EngagementConfig;
use crate::identity_state;
use crate::outcome::PipelineError;
use crate::ports::{Files, Ports};
use crate::state;

/// The marker.
const STATE_KEY: &str = "state/engagement/test-data.json";

/// Why made-up people, or real ones, cannot be put into the tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestDataError {
    /// There are rows that no seeding put there.
    #[error(
        "the engagement tables hold rows already, and not of made-up people; point UPTAKE_STORE at an empty folder, or mix them with --into-real-data"
    )]
    RealRows,
    /// Real rows were about to be put beside made-up ones.
    #[error(
        "the engagement tables hold {users} made-up people since {since}; take them out with `uptake seed-test-data --remove`, or put them in again with --into-real-data, and real ones may come beside them"
    )]
    MadeUpRows {
        /// How many.
        users: u32,
        /// Since when.
        since: Timestamp,
    },
    /// There is nobody to take out.
    #[error("there are no made-up people in the engagement tables")]
    Nobody,
}

/// Who is made up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    seeded_at: Timestamp,
    users: u32,
    first_on: Date,
    last_on: Date,
    /// Whether real rows may lie beside them.
    into_real_data: bool,
    /// Whether no key was in use before.
    first_key: bool,
}

/// What to put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeding {
    /// How many people.
    pub users: u32,
    /// How many weeks, the last of which ends yesterday.
    pub weeks: u16,
    /// Whether real rows may lie beside them.
    pub into_real_data: bool,
}

/// What was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seeded {
    /// How many people.
    pub users: u32,
    /// Their first day.
    pub first_on: Date,
    /// Their last day.
    pub last_on: Date,
    /// Rows written, of the ledger and of totals.
    pub rows: u64,
}

/// Puts made-up people in, in place of those that are there. Their names are encrypted with the key in use, or make this
/// one the key in use.
pub async fn seed(
    lake: &Lake,
    config: &EngagementConfig,
    identity: &Identity,
    ports: Ports<'_>,
    seeding: Seeding,
    invocation_id: &str,
) -> Result<Seeded, PipelineError> {
    let files = ports.files;
    let before = marker(files).await?;
    if before.is_none() && !seeding.into_real_data && has_rows(lake).await? {
        return Err(TestDataError::RealRows.into());
    }
    let first_key = identity_state::read(files).await?.is_none();
    identity_state::admit(files, &identity.key, &identity.tenant).await?;
    if let Some(before) = &before {
        take_out(lake, identity, before.users).await?;
    }
    let now = ports.clock.now();
    let last_on = day_of(now).saturating_sub(1.day());
    let first_on = last_on.saturating_sub((i32::from(seeding.weeks) * 7 - 1).days());
    let marker = Marker {
        seeded_at: now,
        users: seeding.users,
        first_on,
        last_on,
        into_real_data: seeding.into_real_data || before.as_ref().is_some_and(|before| before.into_real_data),
        first_key: before.map_or(first_key, |before| before.first_key),
    };
    // Before the first row: whatever happens, it can be told who is made up.
    state::write(files, STATE_KEY, &marker).await?;
    let stamp = Stamp {
        collected_at: now,
        invocation_id: invocation_id.to_owned(),
    };
    let people: Vec<(TestPerson, String)> = people(seeding.users, identity).collect();
    let mut findings = Findings::default();
    let days = first_on.series(1.day()).take_while(|day| *day <= last_on);
    let ledger = lake.snapshot(&GOLD_ENGAGEMENT_DAILY).await?;
    for (done, day) in (1..).zip(days) {
        let mut of_day = rows(&ledger, day).await?;
        for (person, subject) in &people {
            of_day.extend(ledger_rows(*person, subject, identity.key.id(), day, &marker));
        }
        let filter = Filter::Equals("day", day.to_string());
        let written = lake.replace(&GOLD_ENGAGEMENT_DAILY, &filter, of_day, &stamp).await?;
        findings.counts.stored += written.inserted + written.updated;
        let all = u64::from(seeding.weeks) * 7;
        ports.progress.show("days of the ledger", done, Some(all));
    }
    let totals = Totals {
        lake,
        stamp: &stamp,
        config,
        identity,
        files,
        progress: ports.progress,
        // Made-up weeks tell of every day.
        told_from: Some(first_on),
    };
    // Real days after the made-up ones count, too.
    let days = lake.partition_dates(&GOLD_ENGAGEMENT_DAILY, "day").await?;
    let as_of = days.last().copied().unwrap_or(last_on);
    let names: BTreeMap<String, String> = AGENTS
        .iter()
        .map(|(id, name)| ((*id).to_owned(), (*name).to_owned()))
        .collect();
    totals.update(first_on, as_of, &names, &mut findings).await?;
    Ok(Seeded {
        users: seeding.users,
        first_on,
        last_on,
        rows: findings.counts.stored,
    })
}

/// Takes every made-up person out again; tells how many rows that were.
pub async fn remove(lake: &Lake, identity: &Identity, files: &dyn Files) -> Result<u64, PipelineError> {
    let Some(marker) = marker(files).await? else {
        return Err(TestDataError::Nobody.into());
    };
    identity_state::admit(files, &identity.key, &identity.tenant).await?;
    let removed = take_out(lake, identity, marker.users).await?;
    if marker.first_key && !has_rows(lake).await? {
        // Nothing is written with the key of the trial, so the first real one may be another.
        files.delete(identity_state::KEY).await?;
    }
    files.delete(STATE_KEY).await?;
    Ok(removed)
}

/// Fails where real rows would come beside made-up ones and nobody said that they may.
pub(super) async fn refuse_to_mix(files: &dyn Files) -> Result<(), PipelineError> {
    match marker(files).await?.filter(|marker| !marker.into_real_data) {
        None => Ok(()),
        Some(Marker { users, seeded_at, .. }) => Err(TestDataError::MadeUpRows {
            users,
            since: seeded_at,
        }
        .into()),
    }
}

/// What is to be said to whoever reads engagement, if anybody in it is made up.
pub(crate) async fn note(files: &dyn Files) -> Result<Option<String>, PipelineError> {
    let told = |marker: Marker| {
        let users = thousands(u64::from(marker.users));
        format!("made-up people in these tables, by `uptake seed-test-data`: {users}")
    };
    Ok(marker(files).await?.map(told))
}

async fn marker(files: &dyn Files) -> Result<Option<Marker>, PipelineError> {
    state::read(files, STATE_KEY).await
}

async fn has_rows(lake: &Lake) -> Result<bool, PipelineError> {
    for table in tables::ENGAGEMENT {
        if lake.describe(table).await?.is_some_and(|state| state.rows > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn people(users: u32, identity: &Identity) -> impl Iterator<Item = (TestPerson, String)> {
    (1..=users).map(TestPerson).map(|person| {
        let subject = identity.key.subject(&identity.tenant, &person.name());
        (person, subject)
    })
}

async fn take_out(lake: &Lake, identity: &Identity, users: u32) -> Result<u64, PipelineError> {
    let subjects: HashSet<String> = people(users, identity).map(|(_, subject)| subject).collect();
    let removed = exclusion::remove(lake, &subjects).await?;
    let without = |rows: Vec<OfAgent>| -> Result<Vec<Option<OfAgent>>, PipelineError> {
        let is_made_up = |row: &OfAgent| AGENTS.iter().any(|(id, _)| row.agent_id == *id);
        Ok(rows.into_iter().map(|row| (!is_made_up(&row)).then_some(row)).collect())
    };
    let agents = lake
        .rewrite(&GOLD_AGENT_TOTALS, &["agent_id"], &Filter::All, without)
        .await?;
    Ok(removed + agents.removed)
}

/// The column that says which agent a row is about.
#[derive(Serialize, Deserialize)]
struct OfAgent {
    agent_id: String,
}

fn ledger_rows(
    person: TestPerson,
    subject: &str,
    key_id: &str,
    day: Date,
    marker: &Marker,
) -> impl Iterator<Item = LedgerRow> {
    let told = person.day(day, marker.first_on, marker.last_on);
    let row = |app: &str, agent_id: &str, interactions: u64| LedgerRow {
        subject: subject.to_owned(),
        key_id: key_id.to_owned(),
        day,
        app: app.to_owned(),
        agent_id: agent_id.to_owned(),
        interactions,
        state: told.state,
    };
    let overall = told.uses.iter().map(|used| used.interactions).sum();
    let mut rows = vec![row(ALL_APPS, "", overall)];
    let of_apps = told.uses.iter();
    rows.extend(of_apps.map(|used| row(used.app.as_str(), used.agent_id, used.interactions)));
    rows.into_iter()
}
