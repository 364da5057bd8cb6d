//! Evidence of use: what reports and events that changed tell, by day and subject.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use serde::Deserialize;
use uptake_domain::copilot_usage::App;
use uptake_domain::tables::{SILVER_AUDIT_EVENTS, SILVER_COPILOT_USAGE};
use uptake_lake::{Filter, Lake};

use super::Changed;
use super::exclusion::Blocked;
use super::presence::PresenceOf;
use super::subjects::Subjects;
use crate::outcome::PipelineError;
use crate::people::People;
use crate::usage_rows::{UsageDates, date};

/// An event, as far as it matters here.
#[derive(Deserialize)]
struct Event {
    user_id: Option<String>,
    upn: String,
    app: String,
    agent_id: Option<String>,
    agent_name: Option<String>,
}

/// A bit for each app in the order of [`App::ALL`], and one for any use.
type Uses = u16;
const ANY: Uses = 1 << App::ALL.len();

/// Interactions by app and agent; an empty agent is none.
pub(super) type Interactions = BTreeMap<(String, String), u64>;

/// Days for which use is taken in with every report that tells of it. What is older is taken in once: most reports repeat
/// most of it, and each day would be looked at again every day.
const RECENT_DAYS: i32 = 7;

/// A user, the place of a date in a row, and the date.
type Told<'p> = (&'p str, u8, i32);

/// What changed inputs tell.
pub(super) struct Evidence<'p> {
    /// Use that reports date to a day, by user.
    uses: BTreeMap<Date, HashMap<&'p str, Uses>>,
    /// Who was there.
    pub(super) presence: PresenceOf<'p>,
    /// What agents are called.
    pub(super) agent_names: BTreeMap<String, String>,
}

/// The dates of a row with their places: the apps in order, then use elsewhere.
fn dates(row: &UsageDates) -> impl Iterator<Item = (u8, i32)> {
    let dates = row.apps().into_iter().chain(row.elsewhere());
    (0..).zip(dates).filter_map(|(place, on)| Some((place, on?)))
}

/// Reads the report of a day, row by row. Reports list licensed people; who is not in the directory cannot be followed.
async fn read_report<'p>(
    silver: &Lake,
    people: &'p People,
    refresh_on: Date,
    mut take: impl FnMut(&'p str, &UsageDates),
) -> Result<(), PipelineError> {
    let by_upn = people.by_upn(refresh_on);
    let of_day = Filter::Equals("report_refresh_on", refresh_on.to_string());
    let take = |rows: Vec<UsageDates>| {
        for row in rows {
            if let Some(user_id) = people.named(&by_upn, row.user_id.as_deref(), &row.upn) {
                take(user_id, &row);
            }
        }
    };
    silver
        .scan(&SILVER_COPILOT_USAGE, &UsageDates::COLUMNS, &of_day, take)
        .await?;
    Ok(())
}

impl<'p> Evidence<'p> {
    /// Reads the reports that changed, and who was there on days that are to be decided.
    pub(super) async fn gather(
        silver: &Lake,
        people: &'p People,
        blocked: &Blocked,
        changed: &Changed,
    ) -> Result<Self, PipelineError> {
        let mut evidence = Self {
            uses: BTreeMap::new(),
            presence: PresenceOf::read(silver, people, &changed.undecided).await?,
            agent_names: BTreeMap::new(),
        };
        // What a report that was taken in already tells of days that are not recent.
        let mut known: HashSet<Told<'_>> = HashSet::new();
        if let Some(refresh_on) = changed.usage_known.filter(|_| !changed.usage.is_empty()) {
            read_report(silver, people, refresh_on, |user_id, row| {
                let is_older = |(_, on): &(u8, i32)| *on < row.report_refresh_on - RECENT_DAYS;
                known.extend(dates(row).filter(is_older).map(|(place, on)| (user_id, place, on)));
            })
            .await?;
        }
        for refresh_on in &changed.usage {
            let take = |user_id, row: &UsageDates| evidence.take(user_id, row, &known, blocked);
            read_report(silver, people, *refresh_on, take).await?;
        }
        Ok(evidence)
    }

    fn take(&mut self, user_id: &'p str, row: &UsageDates, known: &HashSet<Told<'_>>, blocked: &Blocked) {
        for (place, on) in dates(row) {
            let Some(day) = date(on) else { continue };
            // A report cannot know of days after its own.
            let is_news = on <= row.report_refresh_on && !known.contains(&(user_id, place, on));
            if is_news && !blocked.user_on(user_id, day) {
                let app = if usize::from(place) < App::ALL.len() {
                    1 << place
                } else {
                    0
                };
                *self.uses.entry(day).or_default().entry(user_id).or_default() |= ANY | app;
            }
        }
    }

    /// The days that reports date use to.
    pub(super) fn days(&self) -> impl Iterator<Item = Date> {
        self.uses.keys().copied()
    }

    /// Who used what on a day, by reports: the user, whether at all, and the apps.
    pub(super) fn reported(&self, day: Date) -> impl Iterator<Item = (&'p str, impl Iterator<Item = App>)> {
        let of_day = self.uses.get(&day).into_iter().flatten();
        of_day.map(|(user_id, used)| {
            let used = *used;
            let apps = (0..).zip(App::ALL).filter(move |(place, _)| used >> place & 1 == 1);
            (*user_id, apps.map(|(_, app)| app))
        })
    }

    /// The interactions of a day, by subject, counted from its events.
    pub(super) async fn events(
        &mut self,
        silver: &Lake,
        day: Date,
        people: &People,
        subjects: &Subjects<'_>,
        blocked: &Blocked,
    ) -> Result<HashMap<String, Interactions>, PipelineError> {
        let of_day = Filter::Equals("event_on", day.to_string());
        let by_upn = people.by_upn(day);
        let mut counted: HashMap<String, Interactions> = HashMap::new();
        let mut strangers: HashMap<String, String> = HashMap::new();
        let mut seen_agents: HashSet<String> = HashSet::new();
        let names = &mut self.agent_names;
        let count = |events: Vec<Event>| {
            for event in events {
                let known = people.named(&by_upn, event.user_id.as_deref(), &event.upn);
                let subject = match known.and_then(|user_id| Some((user_id, subjects.of_user(user_id)?))) {
                    Some((user_id, _)) if blocked.user_on(user_id, day) => continue,
                    Some((_, subject)) => subject.to_owned(),
                    None if blocked.name(&event.upn) => continue,
                    None => strangers
                        .entry(event.upn)
                        .or_insert_with_key(|upn| subjects.of_name(upn))
                        .clone(),
                };
                let agent = event.agent_id.unwrap_or_default();
                if !agent.is_empty() && seen_agents.insert(agent.clone()) {
                    // Days are counted in order, so that a later name takes the place of an earlier one.
                    names.extend(event.agent_name.map(|name| (agent.clone(), name)));
                }
                *counted
                    .entry(subject)
                    .or_default()
                    .entry((event.app, agent))
                    .or_default() += 1;
            }
        };
        let columns = ["user_id", "upn", "app", "agent_id", "agent_name"];
        silver.scan(&SILVER_AUDIT_EVENTS, &columns, &of_day, count).await?;
        Ok(counted)
    }
}
