//! Who a row is about, whichever of two keys made its subject, and what that says of a whole table.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use uptake_domain::identity::IdentityKey;
use uptake_domain::tables::Table;
use uptake_lake::{Filter, Lake};

use crate::identity_state::Holdings;
use crate::outcome::PipelineError;

/// Which key made a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that goes.
    Old,
    /// The one that comes.
    Next,
}

/// What a look at a table found.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What it holds, whichever the key.
    pub(super) holdings: Holdings,
    /// Rows under the key that goes.
    pub(super) under_old: u64,
    /// Rows under the key that comes.
    pub(super) under_next: u64,
    /// Rows under neither.
    pub(super) unresolved: u64,
    /// The table's version, or an earlier one.
    pub(super) version: Option<u64>,
}

/// Keys at work. Each subject is resolved once: people have many rows.
pub(super) struct Resolver<'k> {
    old: Option<&'k IdentityKey>,
    next: &'k IdentityKey,
    tenant: &'k str,
    known: HashMap<String, Option<(Side, String)>>,
}

/// A row, as far as it is looked at.
#[derive(Deserialize)]
struct Row {
    subject: String,
    key_id: Option<String>,
    interactions: Option<u64>,
    /// Not every table has them.
    #[serde(default)]
    points: Option<u64>,
}

impl<'k> Resolver<'k> {
    pub(super) fn new(old: Option<&'k IdentityKey>, next: &'k IdentityKey, tenant: &'k str) -> Self {
        Self {
            old,
            next,
            tenant,
            known: HashMap::new(),
        }
    }

    /// The ids of the keys, for sentences.
    pub(super) fn key_ids(&self) -> String {
        let ids: Vec<&str> = self.old.into_iter().chain([self.next]).map(IdentityKey::id).collect();
        ids.join(" or ")
    }

    pub(super) fn next_id(&self) -> &'k str {
        self.next.id()
    }

    /// Which key made a subject, and what the next one makes of the same person.
    pub(super) fn resolve(&mut self, subject: &str) -> Option<(Side, &str)> {
        if !self.known.contains_key(subject) {
            let (old, next, tenant) = (self.old, self.next, self.tenant);
            let by_old = || {
                let name = old?.resolve(tenant, subject).ok()?;
                Some((Side::Old, next.subject(tenant, &name)))
            };
            let found = match next.resolve(tenant, subject) {
                Ok(_) => Some((Side::Next, subject.to_owned())),
                Err(_) => by_old(),
            };
            self.known.insert(subject.to_owned(), found);
        }
        let (side, renewed) = self.known.get(subject)?.as_ref()?;
        Some((*side, renewed))
    }

    /// The same of a row, which has to name the key beside the subject.
    pub(super) fn resolve_row(&mut self, subject: &str, key_id: Option<&str>) -> Option<(Side, &str)> {
        let (old, next) = (self.old, self.next);
        let (side, renewed) = self.resolve(subject)?;
        let made_by = match side {
            Side::Old => old?.id(),
            Side::Next => next.id(),
        };
        (key_id == Some(made_by)).then_some((side, renewed))
    }

    /// Looks at every row of a table.
    pub(super) async fn look(&mut self, lake: &Lake, table: &'static Table) -> Result<Held, PipelineError> {
        let mut held = Held::default();
        let mut subjects: HashSet<String> = HashSet::new();
        let has_points = table.columns.iter().any(|column| column.name == "points");
        let columns: &[&str] = if has_points {
            &["subject", "key_id", "interactions", "points"]
        } else {
            &["subject", "key_id", "interactions"]
        };
        let count = |rows: Vec<Row>| {
            for row in rows {
                let resolved = self.resolve_row(&row.subject, row.key_id.as_deref());
                let under = match resolved {
                    Some((Side::Old, _)) => &mut held.under_old,
                    Some((Side::Next, _)) => &mut held.under_next,
                    None => &mut held.unresolved,
                };
                *under += 1;
                let person = resolved.map_or(row.subject.as_str(), |(_, renewed)| renewed);
                if !subjects.contains(person) {
                    subjects.insert(person.to_owned());
                }
                held.holdings.rows += 1;
                held.holdings.interactions += row.interactions.unwrap_or_default();
                held.holdings.points += row.points.unwrap_or_default();
            }
        };
        lake.scan(table, columns, &Filter::All, count).await?;
        held.holdings.subjects = subjects.len() as u64;
        Ok(held)
    }
}
