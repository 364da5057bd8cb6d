//! The ledger: what is stored of a day, brought up to date.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::engagement::{DayEvidence, DayState};
use uptake_domain::tables::GOLD_ENGAGEMENT_DAILY;
use uptake_lake::{Filter, Snapshot};

use super::evidence::{Evidence, Interactions};
use super::exclusion::Blocked;
use super::subjects::Subjects;
use super::{Changed, Derivation, Findings};
use crate::outcome::PipelineError;
use crate::people::People;

/// The app of the row that says what a day was.
pub const ALL_APPS: &str = "all";

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct LedgerRow {
    pub(crate) subject: String,
    pub(crate) key_id: String,
    pub(crate) day: Date,
    pub(crate) app: String,
    pub(crate) agent_id: String,
    pub(crate) interactions: u64,
    pub(crate) state: DayState,
}

/// A day of one subject.
#[derive(Default)]
struct SubjectDay {
    apps: Interactions,
    state: Option<DayState>,
}

/// The stored rows of a day.
pub(crate) async fn rows(ledger: &Snapshot, day: Date) -> Result<Vec<LedgerRow>, PipelineError> {
    let of_day = Filter::Equals("day", day.to_string());
    let columns = GOLD_ENGAGEMENT_DAILY.column_names();
    Ok(ledger.read(&columns, &of_day).await?)
}

/// What days are decided by.
pub(super) struct Grounds<'a> {
    /// What changed.
    pub(super) changed: &'a Changed,
    /// Days of which a usage report is in gold.
    pub(super) told: &'a BTreeSet<Date>,
    /// The day from which all is seen.
    pub(super) as_of: Date,
    pub(super) people: &'a People,
    pub(super) subjects: &'a Subjects<'a>,
    pub(super) blocked: &'a Blocked,
}

/// Whether the rows are the stored ones, which come in any order.
fn is_same(stored: &[LedgerRow], rows: &[LedgerRow]) -> bool {
    let stored: HashSet<&LedgerRow> = stored.iter().collect();
    stored.len() == rows.len() && rows.iter().all(|row| stored.contains(row))
}

impl Derivation<'_> {
    /// Brings every day up to date that may have changed; tells the first one that did.
    pub(super) async fn update_days(
        &self,
        grounds: &Grounds<'_>,
        evidence: &mut Evidence<'_>,
        findings: &mut Findings,
    ) -> Result<Option<Date>, PipelineError> {
        let changed = grounds.changed;
        let mut days: BTreeSet<Date> = changed.events.union(&changed.undecided).copied().collect();
        days.extend(evidence.days());
        let users = grounds.subjects.users();
        let ledger = self.lake.snapshot(&GOLD_ENGAGEMENT_DAILY).await?;
        let mut first = None;
        for (done, day) in (1..).zip(&days) {
            if let Some(rows) = self.changed_rows(*day, &ledger, grounds, evidence, &users).await? {
                if first.is_none() {
                    self.owe_totals_from(*day).await?;
                    first = Some(*day);
                }
                self.replace_day(*day, rows, findings).await?;
            }
            self.ports
                .progress
                .show("days of the ledger", done, Some(days.len() as u64));
        }
        Ok(first)
    }

    /// The rows of a day, where they are not the stored ones.
    async fn changed_rows(
        &self,
        day: Date,
        ledger: &Snapshot,
        grounds: &Grounds<'_>,
        evidence: &mut Evidence<'_>,
        users: &HashMap<&str, &str>,
    ) -> Result<Option<Vec<LedgerRow>>, PipelineError> {
        let Grounds {
            changed,
            told,
            as_of,
            people,
            subjects,
            blocked,
        } = *grounds;
        let mut subject_days: BTreeMap<String, SubjectDay> = BTreeMap::new();
        let stored = rows(ledger, day).await?;
        for row in stored.iter().cloned() {
            let subject_day = subject_days.entry(row.subject).or_default();
            if row.app == ALL_APPS {
                subject_day.state = Some(row.state);
            } else {
                subject_day.apps.insert((row.app, row.agent_id), row.interactions);
            }
        }
        if changed.events.contains(&day) {
            // Interactions are counted anew; that an app was used stays.
            for apps in subject_days.values_mut().map(|subject_day| &mut subject_day.apps) {
                apps.retain(|(_, agent), _| agent.is_empty());
                for interactions in apps.values_mut() {
                    *interactions = 0;
                }
            }
            let counted = evidence.events(self.silver, day, people, subjects, blocked).await?;
            for (subject, interactions) in counted {
                subject_days.entry(subject).or_default().apps.extend(interactions);
            }
        }
        for (user_id, apps) in evidence.reported(day) {
            let Some(subject) = subjects.of_user(user_id) else {
                continue;
            };
            let subject_day = subject_days.entry(subject.to_owned()).or_default();
            subject_day.state = Some(DayState::Active);
            for app in apps {
                let app = app.as_str().to_owned();
                let is_there = subject_day.apps.keys().any(|(used, _)| *used == app);
                if !is_there {
                    subject_day.apps.insert((app, String::new()), 0);
                }
            }
        }
        if changed.undecided.contains(&day) {
            for (user_id, subject) in subjects.all() {
                let is_licensed = people.license(user_id).held_since(day).is_some() && !blocked.user_on(user_id, day);
                if is_licensed {
                    subject_days.entry(subject.to_owned()).or_default();
                }
            }
        }
        let mut rows = Vec::with_capacity(subject_days.len() * 2);
        for (subject, mut subject_day) in subject_days {
            let user_id = users.get(subject.as_str()).copied();
            let is_used = !subject_day.apps.is_empty() || subject_day.state == Some(DayState::Active);
            if is_used {
                subject_day.state = Some(DayState::Active);
            } else if changed.undecided.contains(&day) {
                subject_day.state = user_id.and_then(|user_id| {
                    let evidence = DayEvidence {
                        is_used,
                        is_reported: told.contains(&day),
                        is_licensed: people.license(user_id).held_since(day).is_some(),
                        presence: evidence.presence.of(user_id, day),
                    };
                    evidence.state(day, as_of)
                });
            }
            rows.extend(self.rows_of(&subject, day, subject_day));
        }
        Ok((!is_same(&stored, &rows)).then_some(rows))
    }

    async fn replace_day(&self, day: Date, rows: Vec<LedgerRow>, findings: &mut Findings) -> Result<(), PipelineError> {
        self.admit().await?;
        let of_day = Filter::Equals("day", day.to_string());
        let written = self
            .lake
            .replace(&GOLD_ENGAGEMENT_DAILY, &of_day, rows, &self.stamp)
            .await?;
        findings.counts.stored += written.inserted + written.updated;
        Ok(())
    }

    fn rows_of(&self, subject: &str, day: Date, subject_day: SubjectDay) -> Vec<LedgerRow> {
        let row = |app: &str, agent_id: String, interactions: u64, state: DayState| LedgerRow {
            subject: subject.to_owned(),
            key_id: self.identity.key.id().to_owned(),
            day,
            app: app.to_owned(),
            agent_id,
            interactions,
            state,
        };
        let Some(state) = subject_day.state else {
            return Vec::new();
        };
        let overall = subject_day.apps.values().sum();
        let mut rows = vec![row(ALL_APPS, String::new(), overall, state)];
        let of_apps = subject_day.apps.into_iter();
        rows.extend(of_apps.map(|((app, agent_id), interactions)| row(&app, agent_id, interactions, DayState::Active)));
        rows
    }
}
