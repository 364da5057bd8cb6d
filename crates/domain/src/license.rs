//! Copilot licences: who holds one, since when, and how a holding is carried through moves, removals and returns.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::day_of;
use crate::directory::{AssignedPlan, AssignmentState, DirectoryUser, SubscribedSku};

/// The service plans that make a licence a Copilot licence (Microsoft Learn, "Product names and service plan identifiers"
/// and the Copilot change-notification pages, read November 2026). Plans rather than SKUs, because bundles carry them
/// too. `Bing_Chat_Enterprise` (0d0c0d31-fae7-41f2-b909-eaf4d7f26dba) comes with other licences and is none.
pub const COPILOT_PLANS: [&str; 8] = [
    "3f30311c-6b1e-48a4-ab79-725b469da960", // M365_COPILOT_BUSINESS_CHAT
    "a62f8878-de10-42f3-b68f-6149a25ceb97", // M365_COPILOT_APPS
    "b95945de-b3bd-46db-8437-f2beb6ea2347", // M365_COPILOT_TEAMS
    "0aedf20c-091d-420b-aadf-30c042609612", // M365_COPILOT_SHAREPOINT
    "931e4a88-a67f-48b5-814f-16a5f1e6028d", // M365_COPILOT_INTELLIGENT_SEARCH
    "89f1c4c8-0878-40f7-804d-869c9128ab5d", // M365_COPILOT_CONNECTORS
    "82d30987-df9b-4486-b146-198b21d164c7", // GRAPH_CONNECTORS_COPILOT
    "fe6c28b3-d468-44ea-bbd0-a10a5167435c", // COPILOT_STUDIO_IN_COPILOT_FOR_M365
];

/// A SKU through which a person has Copilot at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLicense {
    /// The SKU.
    pub sku_id: String,
    /// Its Copilot plans that are switched on, sorted.
    pub service_plans: Vec<String>,
    /// Since when, as far as Graph says.
    pub assigned_on: Option<Date>,
}

/// The SKUs through which the person has Copilot: those with at least one Copilot plan that the tenant has bought, that
/// is not switched off for the person, that works, and whose assignment works.
pub fn held_licenses(user: &DirectoryUser, skus: &[SubscribedSku]) -> Vec<HeldLicense> {
    let mut held: Vec<HeldLicense> = user
        .licenses
        .iter()
        .filter(|license| assignment_works(user, &license.sku_id))
        .filter_map(|license| {
            let sku = skus.iter().find(|sku| sku.sku_id == license.sku_id)?;
            let mut plans: Vec<&str> = sku
                .plan_ids
                .iter()
                .map(String::as_str)
                .filter(|plan| COPILOT_PLANS.contains(plan))
                .filter(|plan| !license.disabled_plans.iter().any(|disabled| disabled == plan))
                .filter(|plan| plan_works(user, plan))
                .collect();
            plans.sort_unstable();
            plans.dedup();
            (!plans.is_empty()).then(|| HeldLicense {
                sku_id: license.sku_id.clone(),
                assigned_on: assigned_on(user, &license.sku_id, &plans),
                service_plans: plans.into_iter().map(str::to_owned).collect(),
            })
        })
        .collect();
    held.sort_by(|a, b| a.sku_id.cmp(&b.sku_id));
    held.dedup_by(|a, b| a.sku_id == b.sku_id);
    held
}

/// Whether the SKU is assigned in a way that works; of several, one that does is enough.
fn assignment_works(user: &DirectoryUser, sku_id: &str) -> bool {
    let mut states = user.states.iter().filter(|state| state.sku_id == sku_id).peekable();
    let nothing_said = states.peek().is_none();
    nothing_said || states.any(is_in_force)
}

/// An assignment in error (no licences left, a conflict) gives nothing.
fn is_in_force(assignment: &AssignmentState) -> bool {
    !matches!(assignment.state.as_deref(), Some("Error" | "Disabled"))
}

/// A plan works unless Graph says that it does not: what it does not list yet is on its way.
fn plan_works(user: &DirectoryUser, plan_id: &str) -> bool {
    let mut listed = plans_of(user, plan_id).peekable();
    let nothing_said = listed.peek().is_none();
    nothing_said
        || listed.any(|plan| {
            !matches!(
                plan.capability_status.as_deref(),
                Some("Deleted" | "Suspended" | "LockedOut")
            )
        })
}

fn plans_of<'a>(user: &'a DirectoryUser, plan_id: &'a str) -> impl Iterator<Item = &'a AssignedPlan> {
    user.plans.iter().filter(move |plan| plan.plan_id == plan_id)
}

/// The earliest of what the plans say; where they say nothing, of what the assignments in force say.
fn assigned_on(user: &DirectoryUser, sku_id: &str, plans: &[&str]) -> Option<Date> {
    let by_plan = plans
        .iter()
        .flat_map(|plan_id| plans_of(user, plan_id))
        .filter_map(|plan| plan.assigned_at)
        .min();
    let by_assignment = user
        .states
        .iter()
        .filter(|state| state.sku_id == sku_id && is_in_force(state))
        .filter_map(|state| state.updated_at)
        .min();
    by_plan.or(by_assignment).map(day_of)
}

/// Where `assigned_on` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignedSource {
    /// Graph said so.
    Graph,
    /// Graph said nothing; it is the day on which the licence was first seen.
    FirstSeen,
}

/// Whether a licence is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldingStatus {
    /// It is.
    Assigned,
    /// It was.
    Removed,
}

/// A person and a SKU: the row of `silver_user_licenses`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The person.
    pub user_id: String,
    /// The SKU.
    pub sku_id: String,
    /// Its Copilot plans that are, or last were, switched on.
    pub service_plans: Vec<String>,
    /// First day of the present or last holding. Never moves forward while it lasts: a licence that moves from direct
    /// assignment to a group is dated anew by Graph, and held all the time.
    pub assigned_on: Date,
    /// Where that date comes from.
    pub assigned_source: AssignedSource,
    /// First day on which it was seen not to be held any more.
    pub removed_on: Option<Date>,
    /// Whether it is held.
    pub status: HoldingStatus,
    /// Holdings before this one, oldest first, each as `first day/first day without`.
    pub earlier_holdings: Vec<String>,
}

impl Holding {
    /// The holding after a reading of `day` showed the licence; `last_read_on` is the day of the reading before it.
    ///
    /// A holding that lasts keeps its first day. One that begins has begun between the two readings, whatever older date
    /// Graph tells: a plan keeps its date when the licence that brings it changes, fails or is suspended.
    pub fn seen(
        stored: Option<&Self>,
        user_id: &str,
        held: &HeldLicense,
        day: Date,
        last_read_on: Option<Date>,
    ) -> Self {
        let told = held.assigned_on.map(|on| on.max(last_read_on.unwrap_or(on)).min(day));
        let (assigned_on, assigned_source) =
            told.map_or((day, AssignedSource::FirstSeen), |on| (on, AssignedSource::Graph));
        let begun = Self {
            user_id: user_id.to_owned(),
            sku_id: held.sku_id.clone(),
            service_plans: held.service_plans.clone(),
            assigned_on,
            assigned_source,
            removed_on: None,
            status: HoldingStatus::Assigned,
            earlier_holdings: Vec::new(),
        };
        let Some(stored) = stored else {
            return begun;
        };
        let mut earlier_holdings = stored.earlier_holdings.clone();
        if let Some(removed_on) = stored.removed_on {
            earlier_holdings.push(Span::new(stored.assigned_on, removed_on).to_string());
            return Self {
                assigned_on: begun.assigned_on.max(removed_on),
                earlier_holdings,
                ..begun
            };
        }
        Self {
            assigned_on: stored.assigned_on,
            assigned_source: stored.assigned_source,
            earlier_holdings,
            ..begun
        }
    }

    /// The holding after a whole reading of `day` did not show the licence.
    #[must_use]
    pub fn gone(&self, day: Date) -> Self {
        Self {
            removed_on: Some(self.removed_on.unwrap_or(day)),
            status: HoldingStatus::Removed,
            ..self.clone()
        }
    }

    /// Every stretch of days in which it was held; the present one has no end.
    fn spans(&self) -> impl Iterator<Item = Span> {
        let present = Span {
            from: self.assigned_on,
            to: self.removed_on,
        };
        let earlier = self.earlier_holdings.iter().filter_map(|text| Span::parse(text));
        earlier.chain([present])
    }
}

/// Days from `from` (included) to `to` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: Date,
    to: Option<Date>,
}

impl Span {
    fn new(from: Date, to: Date) -> Self {
        Self { from, to: Some(to) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('/')?;
        Some(Self::new(from.parse().ok()?, to.parse().ok()?))
    }

    fn reaches(self, day: Date) -> bool {
        self.to.is_none_or(|to| to >= day)
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/", self.from)?;
        self.to.map_or(Ok(()), |to| write!(f, "{to}"))
    }
}

/// When a person has had Copilot, through whichever SKUs: stretches without a gap are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicenseHistory(Vec<Span>);

impl LicenseHistory {
    /// The history of one person from the person's holdings.
    pub fn of<'a>(holdings: impl IntoIterator<Item = &'a Holding>) -> Self {
        let mut spans: Vec<Span> = holdings
            .into_iter()
            .flat_map(Holding::spans)
            .filter(|span| span.to.is_none_or(|to| to > span.from))
            .collect();
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if last.reaches(span.from) => {
                    last.to = last.to.zip(span.to).map(|(a, b)| a.max(b));
                }
                _ => merged.push(span),
            }
        }
        Self(merged)
    }

    /// The first day of the holding that covers `day`, if there is one.
    pub fn held_since(&self, day: Date) -> Option<Date> {
        let covers = |span: &&Span| span.from <= day && span.to.is_none_or(|to| to > day);
        self.0.iter().find(covers).map(|span| span.from)
    }

    /// First day, and first day without, of the last holding that began by `day`.
    pub fn last_until(&self, day: Date) -> Option<(Date, Option<Date>)> {
        let last = self.0.iter().rev().find(|span| span.from <= day)?;
        Some((last.from, last.to.filter(|to| *to <= day)))
    }
}

/// The holdings of each person.
pub fn histories<'a>(holdings: impl IntoIterator<Item = &'a Holding>) -> BTreeMap<&'a str, LicenseHistory> {
    let mut by_person: BTreeMap<&str, Vec<&Holding>> = BTreeMap::new();
    for holding in holdings {
        by_person.entry(&holding.user_id).or_default().push(holding);
    }
    by_person
        .into_iter()
        .map(|(user_id, holdings)| (user_id, LicenseHistory::of(holdings)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::AssignedLicense;
    use crate::known_user::tests::user;
    use jiff::civil::date;
    use proptest::prelude::*;

    const CHAT: &str = COPILOT_PLANS[0];
    const APPS: &str = COPILOT_PLANS[1];

    fn on(day: i8) -> Date {
        date(2026, 11, day)
    }

    fn sku(id: &str, plans: &[&str]) -> SubscribedSku {
        SubscribedSku {
            sku_id: id.to_owned(),
            plan_ids: plans.iter().map(|plan| (*plan).to_owned()).collect(),
        }
    }

    fn holder(sku_ids: &[&str]) -> DirectoryUser {
        let license = |id: &&str| AssignedLicense {
            sku_id: (*id).to_owned(),
            disabled_plans: Vec::new(),
        };
        DirectoryUser {
            licenses: sku_ids.iter().map(license).collect(),
            ..user("a")
        }
    }

    fn plan(plan_id: &str, status: &str, at: Option<&str>) -> AssignedPlan {
        AssignedPlan {
            plan_id: plan_id.to_owned(),
            assigned_at: at.map(|at| at.parse().unwrap()),
            capability_status: Some(status.to_owned()),
        }
    }

    fn state(sku_id: &str, state: &str, at: Option<&str>) -> AssignmentState {
        AssignmentState {
            sku_id: sku_id.to_owned(),
            state: Some(state.to_owned()),
            updated_at: at.map(|at| at.parse().unwrap()),
        }
    }

    #[test]
    fn a_licence_is_a_plan_that_is_bought_switched_on_and_working() {
        let skus = [
            sku("copilot", &[APPS, CHAT, "other"]),
            sku("bundle", &["mail", APPS]),
            sku("e5", &["0d0c0d31-fae7-41f2-b909-eaf4d7f26dba", "mail"]),
        ];
        let held = |user: &DirectoryUser| -> Vec<String> {
            held_licenses(user, &skus)
                .into_iter()
                .map(|held| format!("{}:{}", held.sku_id, held.service_plans.len()))
                .collect()
        };
        assert_eq!(held(&holder(&["copilot"])), ["copilot:2"]);
        assert_eq!(held(&holder(&["e5", "bundle", "copilot"])), ["bundle:1", "copilot:2"]);
        assert!(held(&holder(&["e5"])).is_empty(), "Bing Chat Enterprise is no licence");
        assert!(held(&holder(&["unknown"])).is_empty(), "what the tenant has not bought");

        let mut off = holder(&["copilot"]);
        off.licenses[0].disabled_plans = vec![APPS.to_owned()];
        assert_eq!(held(&off), ["copilot:1"]);
        off.licenses[0].disabled_plans.push(CHAT.to_owned());
        assert!(held(&off).is_empty());

        for (status, works) in [
            ("Enabled", true),
            ("Warning", true),
            ("NotHeardOf", true),
            ("Suspended", false),
            ("LockedOut", false),
            ("Deleted", false),
        ] {
            let mut user = holder(&["bundle"]);
            user.plans = vec![plan(APPS, status, None)];
            assert_eq!(!held(&user).is_empty(), works, "{status}");
        }
        for (states, works) in [
            (vec!["Active"], true),
            (vec!["ActiveWithError"], true),
            (vec!["Error"], false),
            (vec!["Disabled", "Error"], false),
            (vec!["Error", "Active"], true),
        ] {
            let mut user = holder(&["copilot"]);
            user.states = states.iter().map(|word| state("copilot", word, None)).collect();
            assert_eq!(!held(&user).is_empty(), works, "{states:?}");
        }
    }

    #[test]
    fn the_date_is_the_plans_and_else_the_assignments() {
        let skus = [sku("copilot", &[APPS, CHAT])];
        let mut user = holder(&["copilot"]);
        let told = |user: &DirectoryUser| held_licenses(user, &skus)[0].assigned_on;
        assert_eq!(told(&user), None);
        user.states = vec![state("copilot", "Active", Some("2026-11-05T23:59:59Z"))];
        assert_eq!(told(&user), Some(on(5)));
        user.plans = vec![
            plan(APPS, "Enabled", Some("2026-11-09T00:00:00Z")),
            plan(CHAT, "Enabled", Some("2026-11-07T12:00:00Z")),
        ];
        assert_eq!(told(&user), Some(on(7)));
    }

    fn held(told: Option<i8>) -> HeldLicense {
        HeldLicense {
            sku_id: "copilot".to_owned(),
            service_plans: vec![APPS.to_owned()],
            assigned_on: told.map(on),
        }
    }

    #[test]
    fn a_holding_keeps_its_first_day_until_it_ends() {
        let seen = |stored: Option<&Holding>, told: Option<i8>, day: i8, last_read: Option<i8>| {
            Holding::seen(stored, "a", &held(told), on(day), last_read.map(on))
        };
        let first = seen(None, None, 3, None);
        assert_eq!(
            (first.assigned_on, first.assigned_source),
            (on(3), AssignedSource::FirstSeen)
        );
        let first = seen(None, Some(2), 4, None);
        assert_eq!(
            (first.assigned_on, first.assigned_source),
            (on(2), AssignedSource::Graph)
        );
        let moved = seen(Some(&first), Some(5), 5, Some(4));
        assert_eq!(moved.assigned_on, on(2), "moved to a group");
        let gone = moved.gone(on(6));
        assert_eq!((gone.removed_on, gone.status), (Some(on(6)), HoldingStatus::Removed));
        assert_eq!(gone.gone(on(7)), gone);
        let again = seen(Some(&gone), Some(2), 9, Some(8));
        assert_eq!(again.assigned_on, on(8), "a date of the holding that ended");
        let again = seen(Some(&gone), Some(2), 6, Some(6));
        assert_eq!(again.assigned_on, on(6), "read again on the day it ended");
        let again = seen(Some(&gone), Some(8), 9, Some(7));
        assert_eq!((again.assigned_on, again.removed_on), (on(8), None));
        assert_eq!(again.earlier_holdings, ["2026-11-02/2026-11-06"]);
        let ahead = seen(None, Some(20), 9, None);
        assert_eq!(ahead.assigned_on, on(9), "not in the future");
        let suspended = seen(None, Some(1), 9, Some(8));
        assert_eq!(suspended.assigned_on, on(8), "it was not in force on the day before");
    }

    #[test]
    fn a_move_between_skus_is_one_holding_and_a_gap_is_two() {
        let holding = |sku: &str, from: i8, to: Option<i8>| Holding {
            sku_id: sku.to_owned(),
            assigned_on: on(from),
            removed_on: to.map(on),
            ..Holding::seen(None, "a", &held(None), on(1), None)
        };
        let moved = LicenseHistory::of(&[holding("a", 1, Some(10)), holding("b", 10, None)]);
        assert_eq!(moved.held_since(on(20)), Some(on(1)));
        let gap = LicenseHistory::of(&[holding("a", 1, Some(10)), holding("b", 11, Some(15))]);
        for (day, since) in [(1, Some(1)), (9, Some(1)), (10, None), (11, Some(11)), (15, None)] {
            assert_eq!(gap.held_since(on(day)), since.map(on), "{day}");
        }
        assert_eq!(gap.last_until(on(20)), Some((on(11), Some(on(15)))));
        assert_eq!(gap.last_until(on(12)), Some((on(11), None)));
        assert_eq!(LicenseHistory::default().held_since(on(1)), None);
    }

    proptest! {
        /// Whatever is seen on each day of a month, the history says held on exactly those days on which it was seen,
        /// from the first day on, when Graph dates nothing.
        #[test]
        fn the_history_is_what_was_seen(seen in proptest::collection::vec(any::<bool>(), 1..28)) {
            let mut stored: Option<Holding> = None;
            for (index, is_held) in seen.iter().enumerate() {
                let day = on(i8::try_from(index).unwrap() + 1);
                stored = if *is_held {
                    Some(Holding::seen(stored.as_ref(), "a", &held(None), day, None))
                } else {
                    stored.map(|stored| stored.gone(day))
                };
            }
            let history = LicenseHistory::of(stored.as_ref());
            for (index, is_held) in seen.iter().enumerate() {
                let day = on(i8::try_from(index).unwrap() + 1);
                prop_assert_eq!(history.held_since(day).is_some(), *is_held);
            }
        }
    }
}
