//! `state/identity.json`: which key the engagement tables are written with, and whether it is being changed.
//!
//! Background: a warm function may hold a key that is no longer the one in use. Choice: an object that names the key in
//! use, which whoever writes or reads engagement compares with its own before each write. Alternative: a lock, which
//! somebody who was killed would never give back. Consequence: between the comparison and a commit a moment is left; the
//! confirmation of a rotation looks at every row, and finds what slipped through.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uptake_domain::identity::IdentityKey;
use uptake_domain::wording::thousands;

use crate::outcome::PipelineError;
use crate::ports::{Expected, Files, Written};
use crate::state;

/// Where it lies.
pub(crate) const KEY: &str = "state/identity.json";
/// A name that nobody has. Two keys of the same name make different subjects of it.
const NOBODY: &str = "nobody";

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdentityState {
    /// The key in use.
    pub(crate) key: KnownKey,
    /// The change to another one, while it lasts.
    pub(crate) rotation: Option<Rotation>,
}

/// A key as it can be recognised and not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownKey {
    /// Its name.
    pub(crate) key_id: String,
    /// What it makes of [`NOBODY`] in the tenant.
    pub(crate) check: String,
}

impl KnownKey {
    /// What can be recognised of a key in a tenant.
    pub(crate) fn of(key: &IdentityKey, tenant: &str) -> Self {
        Self {
            key_id: key.id().to_owned(),
            check: key.subject(tenant, NOBODY),
        }
    }
}

/// A change of keys under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    /// The key that takes the place of the one in use.
    pub(crate) to: KnownKey,
    /// When it was begun.
    pub(crate) begun_at: Timestamp,
    /// What the tables held when it was begun, by table: the confirmation compares.
    pub(crate) before: std::collections::BTreeMap<String, Holdings>,
    /// Whether every table is re-encrypted.
    pub(crate) is_prepared: bool,
}

/// What a table holds, whoever it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holdings {
    /// Rows.
    pub(crate) rows: u64,
    /// Subjects.
    pub(crate) subjects: u64,
    /// The sum of their interactions.
    pub(crate) interactions: u64,
    /// The sum of their points; 0 where the table has none.
    pub(crate) points: u64,
}

impl Holdings {
    /// What is different in `now`, in words that tell no figure of anybody.
    pub(crate) fn differences(self, now: Self) -> Vec<String> {
        let figures = [
            ("rows", self.rows, now.rows),
            ("subjects", self.subjects, now.subjects),
            ("interactions", self.interactions, now.interactions),
            ("points", self.points, now.points),
        ];
        let differing = figures.into_iter().filter(|(_, before, now)| before != now);
        differing
            .map(|(name, before, now)| format!("{name} were {} and are {}", thousands(before), thousands(now)))
            .collect()
    }
}

/// Whoever may not write or read engagement now, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Another key is in use.
    #[error(
        "engagement is written with the key {in_use}, and this one is {offered} or was made for another tenant; set UPTAKE_IDENTITY_KEY to the key in use, or change it with `uptake keys prepare`"
    )]
    OtherKey {
        /// The key in use.
        in_use: String,
        /// The key that was offered.
        offered: String,
    },
    /// The key is being changed.
    #[error(
        "engagement is paused since {since}, while its key is changed to {to}; `uptake keys prepare` goes on with that and `uptake keys confirm` ends it"
    )]
    Paused {
        /// Since when.
        since: Timestamp,
        /// The key to be.
        to: String,
    },
    /// The key cannot be read.
    #[error("{variable} {fault}")]
    Unusable {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        fault: uptake_domain::identity::UnusableKey,
    },
    /// There is no key to change to.
    #[error(
        "UPTAKE_NEXT_IDENTITY_KEY is not set; set it to the key that is to take the place of the one in use, which `uptake keys generate <key id>` prints"
    )]
    NoNextKey,
    /// The key to change to is no other one.
    #[error(
        "UPTAKE_NEXT_IDENTITY_KEY has the key id or the bytes of UPTAKE_IDENTITY_KEY; make another one with `uptake keys generate <key id>`"
    )]
    SameKey,
    /// The key is being changed to another one than the one that was offered.
    #[error(
        "the key is being changed to {to}, and UPTAKE_NEXT_IDENTITY_KEY is {offered} or was made for another tenant; end that change first"
    )]
    OtherChange {
        /// The key to be.
        to: String,
        /// The key that was offered in its place.
        offered: String,
    },
    /// The new key was not offered.
    #[error(
        "the key is being changed to {to}, and neither UPTAKE_IDENTITY_KEY nor UPTAKE_NEXT_IDENTITY_KEY is that key in this tenant; set one of them to it"
    )]
    NotOffered {
        /// The key to be.
        to: String,
    },
    /// Rows that nobody can resolve.
    #[error(
        "{table}: {rows} rows do not resolve under {keys} in this tenant; nothing was changed in this table. Restore it to a version in which they do, or remove them"
    )]
    Unresolved {
        /// The table.
        table: &'static str,
        /// How many rows.
        rows: u64,
        /// The ids of the keys that were tried.
        keys: String,
    },
    /// The change of keys cannot go on.
    #[error("{0}")]
    Rotation(String),
}

/// What is stored, if anything is.
pub(crate) async fn read(files: &dyn Files) -> Result<Option<IdentityState>, PipelineError> {
    state::read(files, KEY).await
}

/// Puts `after` in the place of what was read, unless somebody else did so with something else meanwhile.
pub(crate) async fn replace(
    files: &dyn Files,
    before: Option<&IdentityState>,
    after: &IdentityState,
) -> Result<(), PipelineError> {
    let file = files.read(KEY).await?;
    let stored: Option<IdentityState> = match &file {
        Some(file) => Some(state::decode(KEY, &file.bytes)?),
        None => None,
    };
    if stored.as_ref() != before {
        return Err(PipelineError::Overlap);
    }
    let expected = file.map_or(Expected::Absent, |file| Expected::Unchanged(file.version));
    let bytes = serde_json::json!(after).to_string();
    match files.write_if(KEY, bytes.into(), expected).await? {
        Written::Stored => Ok(()),
        // A write that was repeated because its answer got lost comes second to itself.
        Written::Conflict if read(files).await?.as_ref() == Some(after) => Ok(()),
        Written::Conflict => Err(PipelineError::Overlap),
    }
}

/// Why engagement stands still, if it does. For whoever has no key.
pub(crate) async fn pause(files: &dyn Files) -> Result<Option<IdentityError>, PipelineError> {
    let rotation = read(files).await?.and_then(|state| state.rotation);
    Ok(rotation.map(|rotation| IdentityError::Paused {
        since: rotation.begun_at,
        to: rotation.to.key_id,
    }))
}

/// Lets pass whoever holds the key in use while it is not being changed. The first one to come decides which key that is,
/// if it may write.
pub(crate) async fn admit(files: &dyn Files, key: &IdentityKey, tenant: &str) -> Result<(), PipelineError> {
    let own = KnownKey::of(key, tenant);
    let Some(stored) = read(files).await? else {
        let first = IdentityState {
            key: own,
            rotation: None,
        };
        let bytes = serde_json::json!(first).to_string();
        return match files.write_if(KEY, bytes.into(), Expected::Absent).await? {
            Written::Stored => Ok(()),
            Written::Conflict => Box::pin(admit(files, key, tenant)).await,
        };
    };
    if let Some(rotation) = stored.rotation {
        return Err(PipelineError::Identity(IdentityError::Paused {
            since: rotation.begun_at,
            to: rotation.to.key_id,
        }));
    }
    if stored.key != own {
        return Err(PipelineError::Identity(IdentityError::OtherKey {
            in_use: stored.key.key_id,
            offered: own.key_id,
        }));
    }
    Ok(())
}

/// Lets pass whoever holds the key in use, and anybody as long as there is none. For whoever only reads, and decides
/// nothing by coming first.
pub(crate) async fn recognise(files: &dyn Files, key: &IdentityKey, tenant: &str) -> Result<(), PipelineError> {
    match read(files).await? {
        None => Ok(()),
        Some(_) => admit(files, key, tenant).await,
    }
}
