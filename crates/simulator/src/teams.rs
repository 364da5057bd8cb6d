//! The enterprise's teams: a few large ones, some with fewer than five people, and one that nobody is on.

use crate::dice::{Dice, Topic};

const MOST: usize = 40;

/// The seat slots of the small teams: fewer than five each, so that a report has to fold them.
const SMALL: [std::ops::Range<u32>; 3] = [8..10, 20..24, 25..28];

const NAMES: [&str; MOST] = [
    "Payments",
    "Platform",
    "Ledger",
    "Checkout",
    "Search",
    "Mobile",
    "Data Science",
    "Design Systems",
    "Identity",
    "Observability",
    "Billing",
    "Catalogue",
    "Delivery",
    "Fraud",
    "Growth",
    "Infrastructure",
    "Insights",
    "Inventory",
    "Localisation",
    "Logistics",
    "Machine Learning",
    "Messaging",
    "Networking",
    "Onboarding",
    "Orders",
    "Partners",
    "Performance",
    "Pricing",
    "Privacy",
    "Quality",
    "R&D, \"Labs\"",
    "Release",
    "Reliability",
    "Research",
    "Returns",
    "Security",
    "Storage",
    "Support Tools",
    "Warehouse",
    "Web",
];

/// One enterprise team.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) slug: String,
}

/// All teams of a data set, in the order the API lists them.
#[derive(Debug)]
pub(crate) struct Teams {
    all: Vec<Team>,
    large: u32,
}

impl Teams {
    pub(crate) fn new(seats: u32) -> Self {
        let count = (4 + seats.isqrt() / 6).min(40);
        let small: u32 = if count < 8 { 1 } else { 3 };
        let all = (1..=count)
            .zip(NAMES)
            .map(|(id, name)| Team {
                id,
                name,
                slug: slug(name),
            })
            .collect();
        Self {
            all,
            large: count - small - 1,
        }
    }

    pub(crate) fn all(&self) -> &[Team] {
        &self.all
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Team> {
        self.all.get(usize::try_from(index).ok()?)
    }

    /// The team that grants the seat of this slot. The last team is never one: nobody is on it.
    pub(crate) fn of_slot(&self, dice: Dice, slot: u32) -> u32 {
        let small = (self.large..).zip(&SMALL).find(|(_, slots)| slots.contains(&slot));
        match small {
            Some((index, _)) if index + 1 < self.count() => index,
            // The smaller of two throws, so that teams differ in size.
            _ => {
                let one = dice.throw(Topic::Team, slot, 0, u64::from(self.large));
                let other = dice.throw(Topic::Team, slot, 1, u64::from(self.large));
                u32::try_from(one.min(other)).unwrap_or_default()
            }
        }
    }

    /// A large team other than this one, for the second seat of a person.
    pub(crate) fn another(&self, index: u32) -> u32 {
        (index + 1) % self.large
    }

    fn count(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }
}

fn slug(name: &str) -> String {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_ascii_lowercase()
}
