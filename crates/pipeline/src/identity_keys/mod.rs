//! The use case `identity-keys`: another key takes the place of the one that subjects are made with.
//!
//! Background: a table is rewritten in one commit, three tables are not, and whoever changes them may be ended anywhere.
//! Choice: `prepare` looks at everything before it pauses engagement, then re-encrypts table after table; `confirm` looks
//! at every row, takes away what still holds the old subjects, and lets engagement go on as the very last thing. Both
//! leave what is done as it is, so the same call goes on wherever the last one ended. Alternative: copies of the tables
//! under the new key, and a switch. They would double the store and leave the old ones to be deleted all the same.
//! Consequence: engagement stands still between the two calls, and the old key is needed until `confirm` has answered.

mod answer;
mod resolver;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uptake_domain::catalogue::{Dimension, ROTATION_PAUSED};
use uptake_domain::identity::IdentityKey;
use uptake_domain::tables::{GOLD_ENGAGEMENT_TOTALS, Table};
use uptake_lake::{Filter, Lake, Stamp};

use crate::config::IdentityKeysConfig;
use crate::engagement::Identity;
use crate::engagement::exclusion::WITH_SUBJECTS;
use crate::engagement::totals::TotalRow;
use crate::identity_state::{self, Holdings, IdentityError, IdentityState, KnownKey, Rotation};
use crate::outcome::PipelineError;
use crate::ports::{Ports, Secrets, Versions};
use crate::trigger::Invocation;
pub use answer::{Answer, Status, TableKeys};
use resolver::{Held, Resolver, Side};

/// The name of the function.
pub const FUNCTION: &str = "identity-keys";
/// How often a table is looked at again because somebody wrote to it meanwhile: engagement is paused, so only what it had
/// begun before can come, and that is one write.
const LOOKS: u32 = 5;
/// The columns that a key decides.
const COLUMNS: [&str; 2] = ["subject", "key_id"];

/// What an operator asks for. Unknown fields are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Pause engagement and re-encrypt its tables, or go on with that.
    Prepare {
        /// Take what tables hold now for right where it is not what they held before: a person looked at the difference.
        #[serde(default)]
        accept: bool,
    },
    /// Check the tables, take away what holds old subjects, and let engagement go on.
    Confirm {},
    /// Tell how far a change has come.
    Status {},
}

/// The payload of the function, for whoever sends something else.
pub const PAYLOAD: &str = r#"{"action": "prepare"}, {"action": "confirm"} or {"action": "status"}"#;

/// The keys that are offered, and the tenant that subjects belong to.
pub struct Keys {
    /// The key in use; for `confirm` the new one will do.
    pub key: IdentityKey,
    /// The key that is to take its place.
    pub next_key: Option<IdentityKey>,
    /// The tenant.
    pub tenant: String,
}

impl IdentityKeysConfig {
    /// The keys and the tenant.
    pub async fn keys(&self, secrets: &dyn Secrets) -> Result<Keys, PipelineError> {
        let Identity { key, tenant } = Identity::read(&self.tenant, &self.key, secrets).await?;
        let next_key = match &self.next_key {
            Some(next_key) => Some(next_key.resolve(secrets).await?),
            None => None,
        };
        let parse = |text: SecretString| {
            IdentityKey::parse(text.expose_secret()).map_err(|fault| IdentityError::Unusable {
                variable: "UPTAKE_NEXT_IDENTITY_KEY",
                fault,
            })
        };
        Ok(Keys {
            key,
            next_key: next_key.map(parse).transpose()?,
            tenant,
        })
    }
}

/// Where the engagement tables lie.
#[derive(Clone, Copy)]
pub struct EngagementStore<'a> {
    /// The tables.
    pub lake: &'a Lake,
    /// What the store still knows of what they were.
    pub versions: &'a dyn Versions,
}

/// Does what a request asks for.
pub async fn handle(
    request: &Request,
    store: EngagementStore<'_>,
    config: &IdentityKeysConfig,
    secrets: &dyn Secrets,
    ports: Ports<'_>,
    invocation: &Invocation,
) -> Result<Answer, PipelineError> {
    match *request {
        Request::Prepare { accept } => {
            let keys = config.keys(secrets).await?;
            prepare(store.lake, &keys, accept, ports, invocation).await
        }
        Request::Confirm {} => {
            let keys = config.keys(secrets).await?;
            confirm(store, &keys, ports, invocation).await
        }
        Request::Status {} => status(store.lake, ports).await,
    }
}

/// Pauses engagement and re-encrypts its tables under the next key, or goes on with that. Nothing is paused before all is
/// checked: the keys, and that every row resolves.
///
/// With `accept`, a table that holds something else than when the change began is taken as it is.
pub async fn prepare(
    lake: &Lake,
    keys: &Keys,
    accept: bool,
    ports: Ports<'_>,
    invocation: &Invocation,
) -> Result<Answer, PipelineError> {
    let change = Change {
        lake,
        ports,
        invocation,
    };
    publish(change.prepare(keys, accept).await, ports).await
}

/// Checks that the tables hold under the next key what they held under the last one, takes away everything that still
/// holds old subjects, and lets engagement go on.
pub async fn confirm(
    store: EngagementStore<'_>,
    keys: &Keys,
    ports: Ports<'_>,
    invocation: &Invocation,
) -> Result<Answer, PipelineError> {
    let lake = store.lake;
    let change = Change {
        lake,
        ports,
        invocation,
    };
    publish(change.confirm(store.versions, keys).await, ports).await
}

/// Tells which key is in use, whether engagement is paused, and under which keys rows are. No key is needed for that.
pub async fn status(lake: &Lake, ports: Ports<'_>) -> Result<Answer, PipelineError> {
    let answer = async {
        let state = identity_state::read(ports.files).await?;
        Answer::of(lake, state.as_ref()).await
    };
    publish(answer.await, ports).await
}

/// Publishes whether engagement is paused, and passes the ending on. Where a failure cannot be told so, the failure itself
/// is what to tell.
async fn publish(ending: Result<Answer, PipelineError>, ports: Ports<'_>) -> Result<Answer, PipelineError> {
    let published = async {
        let is_paused = identity_state::pause(ports.files).await?.is_some();
        let dimensions = vec![(Dimension::Function, FUNCTION.to_owned())];
        let datum = ROTATION_PAUSED.datum(dimensions, ports.clock.now(), f64::from(u8::from(is_paused)));
        Ok::<_, PipelineError>(ports.metrics.publish(&[datum]).await?)
    };
    match (ending, published.await) {
        (Ok(_), Err(unpublished)) => Err(unpublished),
        (Err(error), Err(unpublished)) => {
            tracing::warn!(%unpublished, "whether engagement is paused could not be published");
            Err(error)
        }
        (ending, Ok(())) => ending,
    }
}

/// A change of keys at work.
struct Change<'a> {
    lake: &'a Lake,
    ports: Ports<'a>,
    invocation: &'a Invocation,
}

/// The columns of [`COLUMNS`].
#[derive(Serialize, Deserialize)]
struct Who {
    subject: String,
    key_id: Option<String>,
}

impl Change<'_> {
    async fn prepare(&self, keys: &Keys, accept: bool) -> Result<Answer, PipelineError> {
        let next = keys.next_key.as_ref().ok_or(IdentityError::NoNextKey)?;
        if next.id() == keys.key.id() || next.has_bytes_of(&keys.key) {
            return Err(IdentityError::SameKey.into());
        }
        let stored = identity_state::read(self.ports.files).await?;
        let mut resolver = Resolver::new(Some(&keys.key), next, &keys.tenant);
        let (mut state, is_new) = self.begin(stored, keys, next, &mut resolver).await?;
        let mut rewritten = BTreeMap::new();
        let mut differences = Vec::new();
        for (done, table) in (1..).zip(WITH_SUBJECTS) {
            if !self.has_time() {
                let mut answer = Answer::of(self.lake, Some(&state)).await?;
                answer.rewritten(&rewritten);
                answer.stopped_early();
                return Ok(answer);
            }
            let (rows, held) = self
                .re_encrypt(table, &mut state, &mut resolver, is_new || accept)
                .await?;
            rewritten.insert(table.name, rows);
            differences.extend(differences_of(table, &state, held));
            let total = WITH_SUBJECTS.len() as u64;
            self.ports.progress.show("tables re-encrypted", done, Some(total));
        }
        if !differences.is_empty() {
            return Err(IdentityError::Rotation(format!(
                "engagement stays paused, as tables hold something else than when the change of keys began: {}; find out why, then \
                 restore them, or take them as they are with `uptake keys prepare --accept`",
                differences.join("; ")
            ))
            .into());
        }
        self.update(&mut state, |rotation| rotation.is_prepared = true).await?;
        let mut answer = Answer::of(self.lake, Some(&state)).await?;
        answer.rewritten(&rewritten);
        Ok(answer)
    }

    /// Pauses engagement, once the keys and every row are found to be right; or finds that it is paused for this change
    /// already. Tells the latter from the former.
    async fn begin(
        &self,
        stored: Option<IdentityState>,
        keys: &Keys,
        next: &IdentityKey,
        resolver: &mut Resolver<'_>,
    ) -> Result<(IdentityState, bool), PipelineError> {
        let key = KnownKey::of(&keys.key, &keys.tenant);
        let to = KnownKey::of(next, &keys.tenant);
        if let Some(state) = &stored {
            if state.key != key {
                return Err(other_key(state, &key));
            }
            if let Some(rotation) = &state.rotation {
                return if rotation.to == to {
                    Ok((state.clone(), false))
                } else {
                    Err(PipelineError::Identity(IdentityError::OtherChange {
                        to: rotation.to.key_id.clone(),
                        offered: to.key_id,
                    }))
                };
            }
        }
        let mut before = BTreeMap::new();
        for table in WITH_SUBJECTS {
            let held = self.look(table, resolver).await?;
            let others = held.unresolved + held.under_next;
            if others > 0 {
                return Err(unresolved(table, others, key.key_id.clone()));
            }
            before.insert(table.name.to_owned(), held.holdings);
        }
        let state = IdentityState {
            key,
            rotation: Some(Rotation {
                to,
                begun_at: self.ports.clock.now(),
                before,
                is_prepared: false,
            }),
        };
        identity_state::replace(self.ports.files, stored.as_ref(), &state).await?;
        tracing::info!("engagement is paused");
        Ok((state, true))
    }

    /// Brings every row of a table under the next key; how many there were, and what the table holds.
    ///
    /// What is to be found again is noted before: what the table holds under the old key. Where `is_taken`, that is so
    /// even if nothing is under the old key.
    async fn re_encrypt(
        &self,
        table: &'static Table,
        state: &mut IdentityState,
        resolver: &mut Resolver<'_>,
        is_taken: bool,
    ) -> Result<(u64, Holdings), PipelineError> {
        let mut is_taken = is_taken;
        let mut changed = 0;
        for _ in 0..LOOKS {
            let mut held = self.look(table, resolver).await?;
            if held.unresolved > 0 {
                return Err(unresolved(table, held.unresolved, resolver.key_ids()));
            }
            if held.under_old > 0 && held.under_next > 0 && self.drop_shadowed(table, resolver).await? {
                held = self.look(table, resolver).await?;
            }
            if held.under_old > 0 || is_taken {
                let holdings = held.holdings;
                let note = |rotation: &mut Rotation| {
                    rotation.before.insert(table.name.to_owned(), holdings);
                };
                self.update(state, note).await?;
            }
            if held.under_old == 0 {
                return Ok((changed, held.holdings));
            }
            let renew = |rows: Vec<Who>| -> Result<Vec<Option<Who>>, PipelineError> {
                rows.iter().map(|who| renewed(who, table, resolver).map(Some)).collect()
            };
            let rewritten = self.lake.rewrite(table, &COLUMNS, &Filter::All, renew).await?;
            changed += rewritten.changed;
            // Then nobody came between the look and the commit.
            if rewritten.version == held.version.map(|version| version + 1) {
                return Ok((changed, held.holdings));
            }
            is_taken = true;
        }
        Err(PipelineError::Overlap)
    }

    /// What a table holds, row by row.
    async fn look(&self, table: &'static Table, resolver: &mut Resolver<'_>) -> Result<Held, PipelineError> {
        // Before the rows: who writes between the two makes a look that is out of date, and not one that seems not to be.
        let state = self.lake.describe(table).await?;
        let mut held = resolver.look(self.lake, table).await?;
        held.version = state.map(|state| state.version);
        Ok(held)
    }

    /// Takes out the totals that an invocation of engagement computed anew after they had been re-encrypted: it was let in
    /// before the pause, and knew the old subjects only. Its own row of somebody is the later one, so that under the next
    /// key goes. Tells whether there were any. The other tables are written by whole days and cannot hold both.
    async fn drop_shadowed(&self, table: &Table, resolver: &mut Resolver<'_>) -> Result<bool, PipelineError> {
        if table != &GOLD_ENGAGEMENT_TOTALS {
            return Ok(false);
        }
        let totals = &GOLD_ENGAGEMENT_TOTALS;
        let mut starts: BTreeSet<Date> = BTreeSet::new();
        let mut late: BTreeSet<(&'static str, Date, String, String)> = BTreeSet::new();
        let note = |rows: Vec<TotalRow>| {
            for row in rows {
                if let Some((Side::Old, renewed)) = resolver.resolve(&row.subject) {
                    starts.insert(row.start_on);
                    late.insert((row.timeframe.as_str(), row.start_on, row.app, renewed.to_owned()));
                }
            }
        };
        self.lake
            .scan(totals, &totals.column_names(), &Filter::All, note)
            .await?;
        let mut has_dropped = false;
        for start_on in starts {
            let of_start = Filter::Equals("start_on", start_on.to_string());
            let mut rows: Vec<TotalRow> = self.lake.read(totals, &totals.column_names(), &of_start).await?;
            let before = rows.len();
            rows.retain(|row| {
                let key = |subject: &str| (row.timeframe.as_str(), start_on, row.app.clone(), subject.to_owned());
                let is_next = matches!(resolver.resolve(&row.subject), Some((Side::Next, _)));
                !is_next || !late.contains(&key(&row.subject))
            });
            if rows.len() < before {
                let stamp = Stamp {
                    collected_at: self.ports.clock.now(),
                    invocation_id: self.invocation.id.clone(),
                };
                self.lake.replace(totals, &of_start, rows, &stamp).await?;
                has_dropped = true;
            }
        }
        Ok(has_dropped)
    }

    async fn confirm(&self, versions: &dyn Versions, keys: &Keys) -> Result<Answer, PipelineError> {
        let stored = identity_state::read(self.ports.files).await?;
        let Some((mut state, rotation)) = stored.clone().and_then(|state| {
            let rotation = state.rotation.clone()?;
            Some((state, rotation))
        }) else {
            // A call that was repeated, as its answer got lost.
            return Answer::of(self.lake, stored.as_ref()).await;
        };
        let is_it = |key: &&IdentityKey| KnownKey::of(key, &keys.tenant) == rotation.to;
        let next = [&keys.key].into_iter().chain(&keys.next_key).find(is_it);
        let next = next.ok_or_else(|| IdentityError::NotOffered {
            to: rotation.to.key_id.clone(),
        })?;
        if !rotation.is_prepared {
            return Err(IdentityError::Rotation(
                "engagement stays paused, as its tables are not all re-encrypted; `uptake keys prepare` goes on"
                    .to_owned(),
            )
            .into());
        }
        let mut purged = BTreeMap::new();
        let mut are_settled = false;
        for _ in 0..LOOKS {
            let mut resolver = Resolver::new(None, next, &keys.tenant);
            let seen = self.verify(&state, &mut resolver).await?;
            are_settled = true;
            for (table, version) in WITH_SUBJECTS.into_iter().zip(seen) {
                if !self.has_time() {
                    let mut answer = Answer::of(self.lake, Some(&state)).await?;
                    answer.purged(&purged);
                    answer.stopped_early();
                    return Ok(answer);
                }
                let files = self.lake.purge(table).await?;
                let forgotten = versions.forget(&format!("{}/", table.name)).await?;
                let total: &mut u64 = purged.entry(table.name).or_default();
                *total += files + forgotten;
                let now = self.lake.describe(table).await?.map(|state| state.version);
                are_settled &= now == version.map(|version| version + u64::from(files > 0));
            }
            if are_settled {
                break;
            }
        }
        if !are_settled {
            return Err(PipelineError::Overlap);
        }
        let before = state.clone();
        state.key = rotation.to;
        state.rotation = None;
        identity_state::replace(self.ports.files, Some(&before), &state).await?;
        tracing::info!("engagement goes on");
        let mut answer = Answer::of(self.lake, Some(&state)).await?;
        answer.purged(&purged);
        answer.confirmed();
        Ok(answer)
    }

    /// Looks at every row once more; tells the versions that were looked at, in the order of [`WITH_SUBJECTS`].
    async fn verify(
        &self,
        state: &IdentityState,
        resolver: &mut Resolver<'_>,
    ) -> Result<Vec<Option<u64>>, PipelineError> {
        let mut faults = Vec::new();
        let mut seen = Vec::new();
        for table in WITH_SUBJECTS {
            let held = self.look(table, resolver).await?;
            if held.unresolved > 0 {
                faults.push(format!(
                    "{}: {} rows are not under the key {}",
                    table.name,
                    held.unresolved,
                    resolver.key_ids()
                ));
            }
            faults.extend(differences_of(table, state, held.holdings));
            seen.push(held.version);
        }
        if faults.is_empty() {
            return Ok(seen);
        }
        Err(IdentityError::Rotation(format!(
            "engagement stays paused and nothing is taken away, as tables do not hold what they held when the change of keys began: {}; \
             `uptake keys prepare` goes on",
            faults.join("; ")
        ))
        .into())
    }

    /// Changes what is stored of the change of keys, if it is not so already.
    async fn update(&self, state: &mut IdentityState, how: impl FnOnce(&mut Rotation)) -> Result<(), PipelineError> {
        let before = state.clone();
        if let Some(rotation) = &mut state.rotation {
            how(rotation);
        }
        if *state == before {
            return Ok(());
        }
        identity_state::replace(self.ports.files, Some(&before), state).await
    }

    fn has_time(&self) -> bool {
        self.invocation.deadline.allows(std::time::Duration::ZERO)
    }
}

/// A row under the next key.
fn renewed(who: &Who, table: &'static Table, resolver: &mut Resolver<'_>) -> Result<Who, PipelineError> {
    let next = resolver.next_id();
    match resolver.resolve_row(&who.subject, who.key_id.as_deref()) {
        Some((_, renewed)) => Ok(Who {
            subject: renewed.to_owned(),
            key_id: Some(next.to_owned()),
        }),
        None => Err(unresolved(table, 1, resolver.key_ids())),
    }
}

/// What a table holds that it did not hold before, or the other way round.
fn differences_of(table: &Table, state: &IdentityState, now: Holdings) -> Option<String> {
    let before = state
        .rotation
        .as_ref()?
        .before
        .get(table.name)
        .copied()
        .unwrap_or_default();
    let differences = before.differences(now);
    (!differences.is_empty()).then(|| format!("{}: {}", table.name, differences.join(", ")))
}

fn other_key(state: &IdentityState, offered: &KnownKey) -> PipelineError {
    PipelineError::Identity(IdentityError::OtherKey {
        in_use: state.key.key_id.clone(),
        offered: offered.key_id.clone(),
    })
}

fn unresolved(table: &'static Table, rows: u64, keys: String) -> PipelineError {
    PipelineError::Identity(IdentityError::Unresolved {
        table: table.name,
        rows,
        keys,
    })
}
