//! Who holds which Copilot licence when, and on what terms.
//!
//! Somebody who gets licences holds one for weeks or months, then for some weeks none, then another one, not
//! necessarily on the same terms. A holding is a row of segments, in each of which everything about it stays the same.

use jiff::{Timestamp, civil::Date};

use super::{
    HeldSku,
    cast::{self, Kind},
    skus::{Plan, Sku},
    tenant::{Spell, Tenant},
};
use crate::{
    days,
    dice::{Series, Topic},
    people::Tenure,
};

/// How a licence is held, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    Direct,
    Group,
    /// Directly and through a group.
    Both,
    /// Directly, while the assignment through a group has failed.
    GroupFailed,
    /// Through a group, then directly: the assignment date moves forward while the holding lasts.
    GroupThenDirect,
    SomePlansOff,
    /// The SKU is there, and nothing of Copilot in it.
    AllPlansOff,
    Bundle,
    /// One SKU, from one day to the next another.
    CopilotThenBundle,
    ChatOnly,
    /// Two SKUs with a plan in common.
    CopilotAndChat,
    /// The assignment failed, and the SKU is listed nevertheless.
    FailedListed,
    FailedUnlisted,
    SuspendedForAWhile,
    WithError,
    /// No plan says when it was assigned.
    WithoutDate,
}

/// How the SKU came to its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Direct,
    Group,
    Both,
    /// Directly, and in vain through a group.
    GroupFailed,
}

/// Whether a segment is worth anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    InForce,
    /// In force too, though Graph finds fault with it.
    WithError,
    Failed {
        listed: bool,
    },
    Suspended,
}

/// A part of a holding: `[from, until)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) from: i64,
    pub(super) until: i64,
    /// When the holding began.
    pub(super) held_from: i64,
    /// From when on the holder cannot sign in.
    pub(super) usable_until: i64,
    pub(super) sku: Sku,
    pub(super) path: Path,
    pub(super) standing: Standing,
    /// A bit for each Copilot plan that is switched off.
    plans_off: u8,
    assigned_at: Option<i64>,
    pub(super) updated_at: i64,
}

impl Segment {
    pub(super) fn is_off(&self, position: usize) -> bool {
        self.plans_off >> position & 1 == 1
    }

    /// The Copilot plans that are switched on.
    pub(super) fn plans_on(&self) -> impl Iterator<Item = (usize, &'static Plan)> {
        let segment = *self;
        let plans = self.sku.copilot_plans().iter().enumerate();
        plans.filter(move |(position, _)| !segment.is_off(*position))
    }

    pub(super) fn is_in_force(&self) -> bool {
        matches!(self.standing, Standing::InForce | Standing::WithError) && self.plans_on().next().is_some()
    }

    /// When Graph says a plan was assigned. Ten days into every second holding Microsoft renews the last plan.
    pub(super) fn assigned_at(&self, position: usize, day: i64) -> Option<Timestamp> {
        let renewed_on = self.held_from + 10;
        let at = self.assigned_at?;
        let is_renewed = position == 7 && self.held_from % 2 == 0 && day >= renewed_on && at < renewed_on * DAY;
        Timestamp::from_second(if is_renewed { renewed_on * DAY } else { at }).ok()
    }

    fn held(&self, day: i64) -> HeldSku {
        let mut service_plans: Vec<_> = self.plans_on().map(|(_, plan)| plan.id.to_owned()).collect();
        service_plans.sort_unstable();
        let assigned = self
            .plans_on()
            .filter_map(|(position, _)| self.assigned_at(position, day));
        HeldSku {
            sku_id: self.sku.id().to_owned(),
            service_plans,
            assigned_on: assigned.min().map(|at| days::date_of(days::day_of(at))),
            updated_on: Some(days::date_of(self.updated_at.div_euclid(DAY))),
        }
    }
}

const DAY: i64 = 86_400;

impl Tenant {
    /// Every Copilot licence this person ever holds, oldest first.
    pub(super) fn licences(&self, tenure: Tenure) -> Vec<Segment> {
        let mut segments = Vec::new();
        if self.kind(tenure) == Kind::Licensed {
            for spell in self.spells(tenure) {
                self.licences_of(tenure, spell, &mut segments);
            }
        }
        segments
    }

    fn licences_of(&self, tenure: Tenure, spell: Spell, into: &mut Vec<Segment>) {
        let when = tenure.number * 100 + spell.number;
        let mut life = self.dice.series(Topic::Licence, tenure.slot, when);
        let fixed = cast::casting(tenure.slot).terms;
        // Some licences outlast the account by some days.
        let kept = if life.below(2) == 0 { 0 } else { life.between(1, 6) };
        let end = spell.until.min(spell.disabled_on + kept);
        let at_once = fixed.is_some() || life.below(20) < 9;
        let mut from = spell.from + if at_once { 0 } else { life.between(1, 100) };
        while from < end {
            let length = if fixed.is_some() { (50, 80) } else { (40, 240) };
            let until = end.min(from + life.between(length.0, length.1));
            let terms = fixed.unwrap_or_else(|| thrown(life.below(100)));
            hold(terms, (from, until), spell.disabled_on, &mut life, into);
            from = until + life.between(5, if fixed.is_some() { 8 } else { 60 });
        }
    }

    /// The SKUs whose Copilot plans are in force for this person on a day.
    pub(super) fn held(&self, tenure: Tenure, day: i64) -> Vec<HeldSku> {
        let segments = self.licences(tenure).into_iter();
        segments
            .filter(|segment| (segment.from..segment.until).contains(&day) && segment.is_in_force())
            .map(|segment| segment.held(day))
            .collect()
    }

    /// Whether this person has Office, as nearly everybody has.
    pub(super) fn has_office(&self, tenure: Tenure) -> bool {
        self.kind(tenure) != Kind::Guest && self.about(tenure, 11, 20) != 0
    }
}

fn thrown(number: u64) -> Terms {
    match number {
        0..=29 => Terms::Direct,
        30..=54 => Terms::Group,
        55..=60 => Terms::Both,
        61..=63 => Terms::GroupFailed,
        64..=69 => Terms::GroupThenDirect,
        70..=75 => Terms::SomePlansOff,
        76..=78 => Terms::AllPlansOff,
        79..=82 => Terms::Bundle,
        83..=85 => Terms::CopilotThenBundle,
        86..=89 => Terms::ChatOnly,
        90..=91 => Terms::CopilotAndChat,
        92 => Terms::FailedListed,
        93 => Terms::FailedUnlisted,
        94..=96 => Terms::SuspendedForAWhile,
        97..=98 => Terms::WithError,
        _ => Terms::WithoutDate,
    }
}

/// The segments of one holding.
fn hold(terms: Terms, (from, until): (i64, i64), usable_until: i64, life: &mut Series, into: &mut Vec<Segment>) {
    let second = life.between(0, DAY - 1);
    let at = |day: i64| day * DAY + second;
    let whole = Segment {
        from,
        until,
        held_from: from,
        usable_until,
        sku: Sku::Copilot,
        path: Path::Direct,
        standing: Standing::InForce,
        plans_off: 0,
        assigned_at: Some(at(from)),
        updated_at: at(from),
    };
    let half = from + (until - from) / 2;
    let first_half = Segment { until: half, ..whole };
    let second_half = Segment {
        from: half,
        assigned_at: Some(at(half)),
        updated_at: at(half),
        ..whole
    };
    let through = |path| Segment { path, ..whole };
    let standing = |standing| Segment { standing, ..whole };
    let plans_off = |plans_off| Segment { plans_off, ..whole };
    let sold_as = |sku| Segment { sku, ..whole };
    let through_group = |segment: Segment| Segment {
        path: Path::Group,
        ..segment
    };
    let segments = match terms {
        Terms::Direct => vec![whole],
        Terms::Group => vec![through(Path::Group)],
        Terms::Both => vec![through(Path::Both)],
        Terms::GroupFailed => vec![through(Path::GroupFailed)],
        Terms::GroupThenDirect => vec![through_group(first_half), second_half],
        // Never the first, which every SKU has, so that something is left.
        Terms::SomePlansOff => vec![plans_off(1 << life.between(1, 7) | 1 << life.between(1, 7))],
        Terms::AllPlansOff => vec![plans_off(u8::MAX)],
        Terms::Bundle => vec![sold_as(Sku::Bundle)],
        Terms::CopilotThenBundle => {
            let sku = Sku::Bundle;
            vec![first_half, Segment { sku, ..second_half }]
        }
        Terms::ChatOnly => vec![through_group(sold_as(Sku::ChatOnly))],
        // Who reads from the end meets the one that allows more first.
        Terms::CopilotAndChat => vec![through_group(sold_as(Sku::ChatOnly)), whole],
        Terms::FailedListed => vec![through_group(standing(Standing::Failed { listed: true }))],
        Terms::FailedUnlisted => vec![through_group(standing(Standing::Failed { listed: false }))],
        Terms::SuspendedForAWhile => {
            let resumed = until.min(half + life.between(5, 15));
            let assigned_at = whole.assigned_at;
            let suspended = Segment {
                until: resumed,
                assigned_at,
                standing: Standing::Suspended,
                ..second_half
            };
            let again = Segment {
                from: resumed,
                assigned_at,
                updated_at: at(resumed),
                ..second_half
            };
            vec![first_half, suspended, again]
        }
        Terms::WithError => vec![standing(Standing::WithError)],
        Terms::WithoutDate => vec![Segment {
            assigned_at: None,
            ..whole
        }],
    };
    // Of a short holding a half may be nothing.
    into.extend(segments.into_iter().filter(|segment| segment.from < segment.until));
}

/// The UTC date of a day of the model.
pub(super) fn date(day: Option<i64>) -> Option<Date> {
    day.map(days::date_of)
}
