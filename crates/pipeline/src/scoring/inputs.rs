//! What scores rest on: every usage snapshot of the window and every day with an audit event, gathered person by person.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use uptake_domain::tables::{GOLD_AUDIT_SUMMARY, SILVER_COPILOT_USAGE};
use uptake_domain::usage_score::{ScoreInputs, SeenUse, WINDOW_DAYS};
use uptake_lake::{Filter, Lake};

use crate::m365_usage::{FRESH_FOR, report_age};
use crate::outcome::PipelineError;
use crate::people::People;
use crate::usage_rows::{UsageDates, date};

/// A day on which the audit log saw somebody.
#[derive(Deserialize)]
struct AuditDay {
    user_id: Option<String>,
    upn: String,
    day: i32,
}

/// What is known of the use of everybody, for a few days.
pub(super) struct Inputs<'p> {
    /// The day up to which the newest report told that each day may rest on.
    as_of: BTreeMap<Date, Date>,
    /// The newest of these.
    newest: Date,
    people: HashMap<&'p str, Known>,
}

struct Known {
    seen: SeenUse,
    /// The report's own count of active days, by the day it told of.
    reported: BTreeMap<Date, u16>,
}

impl Known {
    fn take(&mut self, refresh_on: Date, row: &UsageDates, needed: &BTreeSet<Date>) {
        self.seen.see_apps(row.apps().map(|days| days.and_then(date)));
        for days in row.elsewhere() {
            if let Some(day) = days.and_then(date) {
                self.seen.see(day);
            }
        }
        if needed.contains(&refresh_on)
            && let Some(active_days) = row.active_days_reported
        {
            self.reported.insert(refresh_on, active_days);
        }
    }
}

impl<'p> Inputs<'p> {
    /// Reads what scores of these days need. Only reports that are in gold count: one that is kept back as stale says
    /// nothing yet.
    pub(super) async fn read(
        lake: &Lake,
        in_gold: BTreeSet<Date>,
        people: &'p People,
        days: &[Date],
    ) -> Result<Self, PipelineError> {
        let as_of: BTreeMap<Date, Date> = days
            .iter()
            .filter_map(|day| {
                let newest = *in_gold.range(..=*day).next_back()?;
                (report_age(newest, *day) <= FRESH_FOR).then_some((*day, newest))
            })
            .collect();
        let needed: BTreeSet<Date> = as_of.values().copied().collect();
        let (Some(oldest), Some(newest)) = (needed.first().copied(), needed.last().copied()) else {
            let (newest, people) = (Date::MIN, HashMap::new());
            return Ok(Self { as_of, newest, people });
        };
        let mut inputs = Self {
            as_of,
            newest,
            people: HashMap::with_capacity(people.users.len()),
        };
        // A later report may be the first to tell of an earlier day.
        let from = oldest.saturating_sub((WINDOW_DAYS - 1).days());
        let to = in_gold.last().copied().unwrap_or(newest);
        let by_upn = people.by_upn(newest);
        let known = |user_id: &Option<String>, upn: &str| people.named(&by_upn, user_id.as_deref(), upn);
        let window = Filter::DatesBetween("report_refresh_on", from, to);
        let mut outside = None;
        lake.scan(
            &SILVER_COPILOT_USAGE,
            &UsageDates::COLUMNS,
            &window,
            |rows: Vec<UsageDates>| {
                for row in rows {
                    let Some(refresh_on) = date(row.report_refresh_on).filter(|on| in_gold.contains(on)) else {
                        outside = Some(row.report_refresh_on);
                        continue;
                    };
                    if let Some(person) = inputs.person(row.user_id.as_deref(), || known(&row.user_id, &row.upn)) {
                        person.take(refresh_on, &row, &needed);
                    }
                }
            },
        )
        .await?;
        let window = Filter::DatesBetween("day", from, newest);
        let columns = ["user_id", "upn", "day"];
        lake.scan(&GOLD_AUDIT_SUMMARY, &columns, &window, |rows: Vec<AuditDay>| {
            for row in rows {
                let person = inputs.person(row.user_id.as_deref(), || known(&row.user_id, &row.upn));
                if let Some((person, day)) = person.zip(date(row.day)) {
                    person.seen.see(day);
                }
            }
        })
        .await?;
        if let Some(days) = outside {
            tracing::debug!(refresh_on = ?date(days), "a report is kept out of gold and therefore of scores");
        }
        Ok(inputs)
    }

    /// Who a row with this id is about, which `known` tells where no row before told of the id. A month has a row a day
    /// of everybody, and looking among all people for each of them took a seventh of a scoring.
    fn person(&mut self, user_id: Option<&str>, known: impl FnOnce() -> Option<&'p str>) -> Option<&mut Known> {
        let told_of = user_id.and_then(|user_id| self.people.get_key_value(user_id));
        let user_id = match told_of {
            Some((user_id, _)) => *user_id,
            None => known()?,
        };
        let newest = self.newest;
        Some(self.people.entry(user_id).or_insert_with(|| Known {
            seen: SeenUse::until(newest),
            reported: BTreeMap::new(),
        }))
    }

    /// The day up to which reports tell that a score of the day may rest on; none where they are too old.
    pub(super) fn as_of(&self, day: Date) -> Option<Date> {
        self.as_of.get(&day).copied()
    }

    /// What a person's score rests on.
    pub(super) fn of(&self, user_id: &str, as_of_on: Date) -> ScoreInputs {
        match self.people.get(user_id) {
            Some(known) => known.seen.inputs(as_of_on, known.reported.get(&as_of_on).copied()),
            None => SeenUse::until(self.newest).inputs(as_of_on, None),
        }
    }
}
