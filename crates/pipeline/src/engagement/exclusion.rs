//! Exclusion: whoever comes onto the list loses every row, and whoever leaves it begins anew.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::tables::{GOLD_ENGAGEMENT_CLOSINGS, GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS, Table};
use uptake_lake::{Filter, Lake};
use uuid::Uuid;

use super::subjects::Subjects;
use super::{Derivation, Findings};
use crate::exclusions::Excluded;
use crate::outcome::PipelineError;
use crate::state;

/// Whose rows are gone, and until when nothing of them counts.
const STATE_KEY: &str = "state/engagement/excluded.json";

/// The tables with subjects in them.
pub(crate) static WITH_SUBJECTS: [&Table; 3] = [
    &GOLD_ENGAGEMENT_CLOSINGS,
    &GOLD_ENGAGEMENT_DAILY,
    &GOLD_ENGAGEMENT_TOTALS,
];

/// What is remembered.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
struct Stored {
    /// The last day on which somebody of the directory was excluded, by user id.
    users: BTreeMap<String, Date>,
    /// A digest of the names whose own rows are gone.
    names: Option<String>,
}

/// What tells one set of names from another and is none of them.
fn digest(names: &HashSet<String>) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, names.join("\n").as_bytes()).to_string()
}

/// Of whom nothing counts, and up to which day.
pub(super) struct Blocked {
    users: HashMap<String, Date>,
    names: HashSet<String>,
}

impl Blocked {
    /// Whether what somebody of the directory did on a day is not to be recorded.
    pub(super) fn user_on(&self, user_id: &str, day: Date) -> bool {
        self.users.get(user_id).is_some_and(|until| day <= *until)
    }

    /// The same of somebody whom the directory does not know.
    pub(super) fn name(&self, upn: &str) -> bool {
        self.names.contains(upn)
    }
}

/// The column that says who a row is about.
#[derive(Serialize, Deserialize)]
struct Who {
    subject: String,
}

/// Takes every row of these subjects out of the engagement tables.
pub(crate) async fn remove(lake: &Lake, subjects: &HashSet<String>) -> Result<u64, PipelineError> {
    let mut removed = 0;
    for table in WITH_SUBJECTS {
        let without = |rows: Vec<Who>| -> Result<Vec<Option<Who>>, PipelineError> {
            let stays = |who: Who| (!subjects.contains(&who.subject)).then_some(who);
            Ok(rows.into_iter().map(stays).collect())
        };
        removed += lake.rewrite(table, &["subject"], &Filter::All, without).await?.removed;
    }
    Ok(removed)
}

/// The subjects of people's names alone: whoever used Copilot before the directory knew of them is one. The name with which
/// somebody else was first seen makes that person's subject.
pub(crate) fn of_names(excluded: &Excluded, subjects: &Subjects<'_>) -> HashSet<String> {
    let users = subjects.users();
    let is_theirs = |subject: &String| {
        users
            .get(subject.as_str())
            .is_none_or(|user_id| excluded.has_user(user_id))
    };
    let of_names = excluded.names().map(|name| subjects.of_name(name));
    of_names.filter(is_theirs).collect()
}

impl Derivation<'_> {
    /// Deletes what is stored of people who came onto the list, and tells of whom nothing counts.
    pub(super) async fn drop_excluded(
        &self,
        excluded: &Excluded,
        subjects: &Subjects<'_>,
        findings: &mut Findings,
    ) -> Result<Blocked, PipelineError> {
        let files = self.ports.files;
        let before: Stored = state::read(files, STATE_KEY).await?.unwrap_or_default();
        let mut stored = before.clone();
        let last = before.users.values().copied().max();
        let today = self.day.max(last.unwrap_or(self.day));
        let mut new = HashSet::new();
        for user_id in excluded.user_ids() {
            // Whoever was taken off the list for a day is on it anew.
            let was_on_it = before
                .users
                .get(user_id)
                .is_some_and(|until| *until >= today.saturating_sub(1.day()));
            if !was_on_it {
                new.extend(subjects.of_user(user_id).map(str::to_owned));
            }
            stored.users.insert(user_id.to_owned(), today);
        }
        let names: HashSet<String> = excluded.names().map(str::to_owned).collect();
        stored.names = Some(digest(&names));
        // A list that gains nobody of the directory may gain somebody else.
        if !new.is_empty() || stored.names != before.names {
            new.extend(of_names(excluded, subjects));
        }
        if !new.is_empty() {
            self.admit().await?;
            let removed = remove(&self.lake, &new).await?;
            // A change of keys that began meanwhile has given these people other subjects: then they are not gone yet.
            self.admit().await?;
            if removed > 0 {
                findings
                    .notes
                    .push(format!("{removed} rows of people who are excluded now are deleted"));
            }
        }
        if stored != before {
            state::write(files, STATE_KEY, &stored).await?;
        }
        let is_on_it: HashSet<&str> = excluded.user_ids().collect();
        Ok(Blocked {
            users: stored
                .users
                .into_iter()
                .map(|(user_id, until)| {
                    // As long as somebody is on the list, no day of theirs counts.
                    let until = if is_on_it.contains(user_id.as_str()) {
                        Date::MAX
                    } else {
                        until
                    };
                    (user_id, until)
                })
                .collect(),
            names,
        })
    }
}
