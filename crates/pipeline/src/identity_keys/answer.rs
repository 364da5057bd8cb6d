//! What `identity-keys` answers: which key is in use, whether engagement is paused, and under which keys rows are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uptake_domain::tables::Table;
use uptake_lake::{Filter, Lake};

use super::FUNCTION;
use crate::engagement::exclusion::WITH_SUBJECTS;
use crate::identity_state::IdentityState;
use crate::outcome::PipelineError;

/// How a change of keys stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No key is being changed.
    InUse,
    /// Engagement is paused, and not every table is re-encrypted yet.
    Paused,
    /// Engagement is paused, and every table is re-encrypted.
    Prepared,
    /// The new key is in use.
    Confirmed,
}

/// The answer to every request. It names no person and holds no key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The function.
    pub function: &'static str,
    /// How the change stands.
    pub status: Status,
    /// The id of the key in use; `None` where engagement never began.
    pub key_id: Option<String>,
    /// The id of the key that is to take its place.
    pub next_key_id: Option<String>,
    /// Since when engagement is paused.
    pub paused_since: Option<Timestamp>,
    /// The tables with subjects in them.
    pub tables: Vec<TableKeys>,
    /// Why it ended before it was through, if it did.
    pub stopped_early: Option<String>,
    /// What a person should know, in sentences.
    pub notes: Vec<String>,
}

/// Under which keys the rows of a table are, by the key id beside each subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableKeys {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Those under the key in use.
    pub under_key: u64,
    /// Those under the key that is to take its place.
    pub under_next_key: u64,
    /// Those under any other.
    pub under_other_keys: u64,
    /// Rows that this call re-encrypted.
    pub re_encrypted: u64,
    /// Files, log entries and object versions with old subjects that this call took away.
    pub purged: u64,
}

#[derive(Deserialize)]
struct Row {
    key_id: Option<String>,
}

impl Answer {
    /// How things stand.
    pub(super) async fn of(lake: &Lake, state: Option<&IdentityState>) -> Result<Self, PipelineError> {
        let rotation = state.and_then(|state| state.rotation.as_ref());
        let key_id = state.map(|state| state.key.key_id.clone());
        let next_key_id = rotation.map(|rotation| rotation.to.key_id.clone());
        let mut tables = Vec::new();
        for table in WITH_SUBJECTS {
            tables.push(TableKeys::count(lake, table, key_id.as_deref(), next_key_id.as_deref()).await?);
        }
        let mut notes = Vec::new();
        let status = match rotation {
            None => Status::InUse,
            Some(rotation) if rotation.is_prepared => {
                notes.push(format!(
                    "set UPTAKE_IDENTITY_KEY to the key {} wherever engagement runs, then `uptake keys confirm`; keep the old key until that is done",
                    rotation.to.key_id
                ));
                Status::Prepared
            }
            Some(_) => {
                notes.push("`uptake keys prepare` goes on".to_owned());
                Status::Paused
            }
        };
        if key_id.is_some() && tables.iter().any(|table| table.under_other_keys > 0) {
            notes.push(
                "rows are under keys that are not known here: restore the tables, or find out who wrote them"
                    .to_owned(),
            );
        }
        Ok(Self {
            function: FUNCTION,
            status,
            key_id,
            next_key_id,
            paused_since: rotation.map(|rotation| rotation.begun_at),
            tables,
            stopped_early: None,
            notes,
        })
    }

    pub(super) fn rewritten(&mut self, rows: &BTreeMap<&str, u64>) {
        for table in &mut self.tables {
            table.re_encrypted = rows.get(table.table).copied().unwrap_or_default();
        }
    }

    pub(super) fn purged(&mut self, counts: &BTreeMap<&str, u64>) {
        for table in &mut self.tables {
            table.purged = counts.get(table.table).copied().unwrap_or_default();
        }
    }

    pub(super) fn stopped_early(&mut self) {
        self.stopped_early = Some("the time of this invocation is over; the same call goes on".to_owned());
    }

    pub(super) fn confirmed(&mut self) {
        self.status = Status::Confirmed;
        if let Some(key_id) = &self.key_id {
            self.notes.push(format!(
                "set UPTAKE_IDENTITY_KEY to the key {key_id} wherever it is not yet, unset UPTAKE_NEXT_IDENTITY_KEY, and destroy the old key"
            ));
        }
    }
}

impl TableKeys {
    async fn count(
        lake: &Lake,
        table: &'static Table,
        key: Option<&str>,
        next_key: Option<&str>,
    ) -> Result<Self, PipelineError> {
        let mut counted = Self {
            table: table.name,
            rows: 0,
            under_key: 0,
            under_next_key: 0,
            under_other_keys: 0,
            re_encrypted: 0,
            purged: 0,
        };
        let count = |rows: Vec<Row>| {
            for row in rows {
                let key_id = row.key_id.as_deref();
                counted.rows += 1;
                if key.is_some() && key_id == key {
                    counted.under_key += 1;
                } else if next_key.is_some() && key_id == next_key {
                    counted.under_next_key += 1;
                } else {
                    counted.under_other_keys += 1;
                }
            }
        };
        lake.scan(table, &["key_id"], &Filter::All, count).await?;
        Ok(counted)
    }
}
