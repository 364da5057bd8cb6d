//! The model of the tenant: who has which place on a day, and as whom the directory knows them.
//!
//! As with seats, a tenant is a row of numbered places. A place passes from one person to the next every year or two. In
//! between it is empty for some days, and some people are deleted for a while and restored. All of it is thrown from
//! (seed, place, day), so days may be visited in any order.

use super::{
    cast::{self, Casting, Department, Kind},
    names,
};
use crate::{
    dice::{Dice, Series, Topic},
    people::Tenure,
    scenario::Scenario,
    settings::Settings,
};

/// In how many days somebody whom the cast moves about is moved once.
const MOVE_DAYS: i64 = 45;

/// The tenant: nothing in it but its seed, its size and how its reports come about.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(super) users: u32,
    pub(super) dice: Dice,
    pub(super) scenario: Scenario,
}

/// A time in which an account is in the directory without a break: `[from, until)`, and disabled from `disabled_on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) number: i64,
    pub(super) from: i64,
    pub(super) disabled_on: i64,
    pub(super) until: i64,
}

/// As whom the directory knows somebody on a day.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) upn: String,
    pub(super) display_name: String,
    pub(super) given_name: &'static str,
    pub(super) surname: &'static str,
    pub(super) mail: Option<String>,
}

impl Tenant {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            users: settings.tenant_users,
            dice: Dice::new(settings.seed),
            scenario: settings.scenario.clone(),
        }
    }

    /// Who has the place on a day, as a number that rises with every person.
    pub(super) fn tenure(&self, slot: u32, day: i64) -> Tenure {
        let length = 350 + self.dice.throw_i64(Topic::UserTenure, slot, 0, 301);
        let phase = self.dice.throw_i64(Topic::UserTenure, slot, 1, 650);
        let number = (day + phase).div_euclid(length);
        let starts_on = number * length - phase;
        Tenure {
            slot,
            number,
            starts_on,
            ends_on: starts_on + length,
        }
    }

    /// When this person's account is there. One in eight is deleted and restored within 30 days, as Entra allows.
    pub(super) fn spells(&self, tenure: Tenure) -> Vec<Spell> {
        let mut life = self.dice.series(Topic::UserLife, tenure.slot, tenure.number);
        let mut from = tenure.starts_on + life.between(0, 14);
        // Four in five are disabled before they are deleted.
        let disabled_before = |life: &mut Series| if life.below(5) == 0 { 0 } else { life.between(3, 30) };
        let mut spells = Vec::with_capacity(2);
        let always = cast::casting(tenure.slot).returns;
        let mut restored = if always || life.below(8) == 0 {
            from + if always { 30 } else { life.between(60, 250) }
        } else {
            i64::MAX
        };
        loop {
            let number = i64::try_from(spells.len()).unwrap_or_default();
            // Nobody is deleted shortly before leaving for good.
            if restored < tenure.ends_on - 80 {
                let until = restored;
                let disabled_on = until - life.between(1, 5);
                spells.push(Spell {
                    number,
                    from,
                    disabled_on,
                    until,
                });
                from = until + life.between(8, 28);
                restored = if always { from + 30 } else { i64::MAX };
            } else {
                let until = tenure.ends_on;
                let disabled_on = until - disabled_before(&mut life);
                spells.push(Spell {
                    number,
                    from,
                    disabled_on,
                    until,
                });
                return spells;
            }
        }
    }

    /// The spell of this day, where the account is there.
    pub(super) fn spell(&self, tenure: Tenure, day: i64) -> Option<Spell> {
        let spells = self.spells(tenure);
        spells
            .into_iter()
            .find(|spell| (spell.from..spell.until).contains(&day))
    }

    pub(super) fn kind(&self, tenure: Tenure) -> Kind {
        cast::casting(tenure.slot)
            .kind
            .unwrap_or_else(|| match self.about(tenure, 0, 100) {
                0..=2 => Kind::Guest,
                3..=42 => Kind::Plain,
                _ => Kind::Licensed,
            })
    }

    /// A lasting fact about a person, a number below `sides`.
    pub(super) fn about(&self, tenure: Tenure, fact: i64, sides: u64) -> u64 {
        // Tenures of one place are numbered around zero, so facts lie far apart.
        self.dice.throw(
            Topic::UserSpelling,
            tenure.slot,
            tenure.number + fact * 1_000_000,
            sides,
        )
    }

    /// The object id, the same through everything that happens to a person.
    pub(super) fn id(&self, tenure: Tenure) -> String {
        let mut series = self.dice.series(Topic::UserId, tenure.slot, tenure.number);
        guid(&mut series)
    }

    pub(super) fn profile(&self, tenure: Tenure, day: i64) -> Profile {
        let Casting { no_mail, .. } = cast::casting(tenure.slot);
        let slot = tenure.slot;
        let first = self.dice.throw_i64(Topic::UserName, slot, 0, 1024) + tenure.number * 37;
        let name = names::name(first, self.is_renamed(tenure, day));
        let local = format!("{}.{}.{slot:04}", name.given_ascii, name.surname_ascii);
        let is_guest = self.kind(tenure) == Kind::Guest;
        let upn = match (is_guest, self.about(tenure, 1, 4)) {
            (true, _) => format!(
                "{}_partner.example#EXT#@tenant.onmicrosoft.example",
                local.to_ascii_lowercase()
            ),
            (false, 0) => format!("{local}@tenant.example"),
            (false, 1) => format!("{}@Tenant.Example", local.to_ascii_lowercase()),
            (false, _) => format!("{}@tenant.example", local.to_ascii_lowercase()),
        };
        let domain = if is_guest { "partner.example" } else { "tenant.example" };
        let mail = format!("{}@{domain}", local.to_ascii_lowercase());
        Profile {
            upn,
            display_name: name.shown(slot, self.about(tenure, 2, 8)),
            given_name: name.given,
            surname: name.surname,
            mail: (!no_mail && self.about(tenure, 3, 20) != 0).then_some(mail),
        }
    }

    /// One in twenty-five takes another name one day; the id stays.
    pub(super) fn is_renamed(&self, tenure: Tenure, day: i64) -> bool {
        if cast::casting(tenure.slot).renamed {
            return (day - tenure.starts_on).div_euclid(MOVE_DAYS) % 2 == 1;
        }
        self.about(tenure, 4, 25) == 0 && day >= self.one_day_of(tenure, 5)
    }

    /// A day on which something happens to this person, in the first 350 days.
    fn one_day_of(&self, tenure: Tenure, fact: i64) -> i64 {
        tenure.starts_on + self.about(tenure, fact, 350).cast_signed()
    }

    pub(super) fn department(&self, tenure: Tenure, day: i64) -> Option<&'static str> {
        let mut place = self.about(tenure, 6, 100);
        match cast::casting(tenure.slot).department {
            Some(Department::Board) => return Some(names::BOARD),
            Some(Department::Council) => return Some(names::COUNCIL),
            Some(Department::Unknown) => return None,
            Some(Department::Changing) => {
                let moves = (day - tenure.starts_on).div_euclid(MOVE_DAYS) % 2;
                return Some(names::department(if moves == 0 { 0 } else { 40 }));
            }
            None => {}
        }
        // About one in seven changes once.
        if self.about(tenure, 7, 7) == 0 && day >= self.one_day_of(tenure, 8) {
            place = self.about(tenure, 9, 100);
        }
        (self.about(tenure, 10, 25) != 0).then(|| names::department(place))
    }
}

/// An id of the kind that Microsoft gives to everything, out of the next throws.
pub(super) fn guid(series: &mut Series) -> String {
    let mut bits = |width: u32| series.below(1 << width);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        bits(32),
        bits(16),
        bits(12),
        bits(12),
        bits(48)
    )
}
