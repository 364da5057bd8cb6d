//! The simulator's own account of a day, computed from the model and never through HTTP: what a report must agree with.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use crate::{
    day::{Day, Holder},
    days,
    people::{Activity, Grant, Model, Profile, Tenure},
};

/// A day in figures and people.
///
/// Active in N days means a last activity on one of the N dates that end with the day, in UTC; idle means used once, but
/// not in 28 days; never used means no activity at all. A person with several seat objects counts once: the latest
/// activity with its editor, all teams, and cancelled only when every one of the seats is.
///
/// It tells what the model holds, whatever faults, `saml` and `graphql` settings keep a client from learning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Distinct people with a seat that can be decoded.
    pub seats: u64,
    /// Of these, with activity in the 7 days up to the day.
    pub active_7_days: u64,
    /// Of these, with activity in the 28 days up to the day.
    pub active_28_days: u64,
    /// Of these, with activity, but none in the 28 days.
    pub idle: u64,
    /// Of these, without any activity.
    pub never_used: u64,
    /// Of these, with every seat about to be cancelled.
    pub pending_cancellation: u64,
    /// The same six figures for every team of the enterprise, by slug, zeros included.
    pub by_team: BTreeMap<String, TeamTruth>,
    /// Seat objects that do not decode, or whose assignee is not a user.
    pub undecodable: u64,
    /// Everyone who is counted, by login.
    pub people: BTreeMap<String, PersonTruth>,
}

/// The figures of one team; someone on two teams counts in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TeamTruth {
    /// Distinct people with a seat through this team.
    pub seats: u64,
    /// Active in 7 days.
    pub active_7_days: u64,
    /// Active in 28 days.
    pub active_28_days: u64,
    /// Used once, not in 28 days.
    pub idle: u64,
    /// Never used.
    pub never_used: u64,
    /// Every seat of theirs about to be cancelled.
    pub pending_cancellation: u64,
}

/// One person, all seats merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonTruth {
    /// The account's id.
    pub id: u64,
    /// The public mail address.
    pub email: Option<String>,
    /// The identity at the enterprise's SAML provider.
    pub saml_name_id: Option<String>,
    /// None for a deleted account.
    pub account_created_at: Option<Timestamp>,
    /// The latest activity on any seat.
    pub last_activity_at: Option<Timestamp>,
    /// The editor string of that activity, as GitHub reports it.
    pub editor: Option<String>,
    /// Slugs of the teams that grant the seats; empty for direct seats.
    pub teams: BTreeSet<String>,
    /// The latest date, when every seat is about to be cancelled.
    pub pending_cancellation_on: Option<Date>,
}

/// What the seats of one person add up to.
struct Merged {
    holder: Tenure,
    activity: Option<Activity>,
    teams: BTreeSet<u32>,
    cancelled_on: Option<i64>,
}

impl Truth {
    pub(crate) fn of(model: &Model, day: &Day) -> Self {
        let mut truth = Self::default();
        for team in model.teams.all() {
            truth.by_team.insert(team.slug.clone(), TeamTruth::default());
        }
        for merged in truth.merge(model, day).into_values() {
            let profile = model.profile(merged.holder);
            let person = PersonTruth {
                id: profile.id,
                account_created_at: (!profile.deleted).then_some(profile.created_at),
                email: profile.email,
                saml_name_id: profile.saml_name_id,
                last_activity_at: merged.activity.as_ref().map(|activity| activity.at),
                editor: merged.activity.and_then(|activity| activity.editor),
                teams: merged
                    .teams
                    .iter()
                    .filter_map(|team| Some(model.teams.get(*team)?.slug.clone()))
                    .collect(),
                pending_cancellation_on: merged.cancelled_on.map(days::date_of),
            };
            truth.count(&person, day.number);
            truth.people.insert(profile.login, person);
        }
        truth
    }

    /// The people of the day by the slot of their first seat; what belongs to nobody is counted on the way.
    fn merge(&mut self, model: &Model, day: &Day) -> BTreeMap<u32, Merged> {
        let mut people: BTreeMap<u32, Merged> = BTreeMap::new();
        for seat in &day.enterprise().seats {
            let facts = seat.facts(model, day.number);
            let Holder::Person(holder) = facts.holder else {
                self.undecodable += 1;
                continue;
            };
            let cancelled_on = facts.pending_cancellation_on;
            let merged = people.entry(holder.slot).or_insert_with(|| Merged {
                holder,
                activity: None,
                teams: BTreeSet::new(),
                // Until a seat says otherwise; the first one is taken as it is.
                cancelled_on,
            });
            merged.cancelled_on = merged.cancelled_on.zip(cancelled_on).map(|(one, other)| one.max(other));
            if let Grant::Team(team) = facts.grant {
                merged.teams.insert(team);
            }
            let at = |activity: &Option<Activity>| activity.as_ref().map(|activity| activity.at);
            if at(&facts.activity) > at(&merged.activity) {
                merged.activity = facts.activity;
            }
        }
        people
    }

    fn count(&mut self, person: &PersonTruth, today: i64) {
        let mut all = TeamTruth::default();
        all.count(person, today);
        self.seats += all.seats;
        self.active_7_days += all.active_7_days;
        self.active_28_days += all.active_28_days;
        self.idle += all.idle;
        self.never_used += all.never_used;
        self.pending_cancellation += all.pending_cancellation;
        for team in &person.teams {
            self.by_team.entry(team.clone()).or_default().count(person, today);
        }
    }
}

impl TeamTruth {
    fn count(&mut self, person: &PersonTruth, today: i64) {
        let days_ago = person.last_activity_at.map(|at| today - days::day_of(at));
        self.seats += 1;
        self.active_7_days += u64::from(days_ago.is_some_and(|days| days < 7));
        self.active_28_days += u64::from(days_ago.is_some_and(|days| days < 28));
        self.idle += u64::from(days_ago.is_some_and(|days| days >= 28));
        self.never_used += u64::from(days_ago.is_none());
        self.pending_cancellation += u64::from(person.pending_cancellation_on.is_some());
    }
}

/// Every login, mail address, SAML name id and display name of the day's seats, also those of seats that do not decode.
pub(crate) fn identities(model: &Model, day: &Day) -> Vec<String> {
    let mut people: BTreeMap<u32, Tenure> = BTreeMap::new();
    for seat in &day.enterprise().seats {
        if let Holder::Person(holder) | Holder::Undecodable(holder, _) = seat.facts(model, day.number).holder {
            people.insert(holder.slot, holder);
        }
    }
    people
        .into_values()
        .map(|holder| model.profile(holder))
        .flat_map(identities_of)
        .collect()
}

/// Everything a person can be known by, the address their commits carry included.
pub(crate) fn identities_of(profile: Profile) -> Vec<String> {
    let commit_mail = profile.commit_mail();
    let mut identities = vec![profile.login, profile.name];
    identities.extend(profile.email);
    identities.extend(profile.saml_name_id);
    if !identities.contains(&commit_mail) {
        identities.push(commit_mail);
    }
    identities
}
