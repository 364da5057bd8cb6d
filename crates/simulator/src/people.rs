//! The model: who holds which seat slot on a day, who they are, and when they last used it.
//!
//! A data set is a row of numbered slots, one seat object each. A slot passes from one holder to the next every year or
//! two, at a time of its own, so about 0.2% of the holders change each day and nobody has to be remembered: holder,
//! activity and contact data are all thrown from (seed, slot, day). That is what lets days be visited in any order.

use jiff::Timestamp;

use crate::{
    cast::{self, Casting},
    days::{self, instant},
    dice::{Dice, Topic},
    editors,
    teams::Teams,
};

/// What a slot is on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A person's own seat.
    Person,
    /// A further seat of the person in another slot, granted through another team and organisation.
    SecondSeatOf(u32),
    NoAssignee,
    TeamAssignee,
    OrganisationAssignee,
    /// A person's seat with a field that has the wrong type.
    Undecodable(Defect),
}

/// What keeps a seat from being decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    ActivityIsANumber,
    AssigneeIdIsText,
}

/// How often a person uses the seat.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Habit {
    Never,
    /// Tried it for some weeks and stopped.
    Stopped,
    Occasional,
    Daily,
}

/// Under which addresses a person can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    PublicMailAndSaml,
    PublicMail,
    Saml,
    Neither,
    /// The account is gone, the seat still names it.
    Deleted,
}

/// How a seat came to its holder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grant {
    Team(u32),
    /// Directly, with `assigning_team` null.
    DirectNull,
    /// Directly, with no `assigning_team` at all.
    DirectAbsent,
}

/// When a seat was last used, and in what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) at: Timestamp,
    pub(crate) editor: Option<String>,
}

/// The time one holder has a slot: `[starts_on, ends_on)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenure {
    pub(crate) slot: u32,
    pub(crate) number: i64,
    pub(crate) starts_on: i64,
    pub(crate) ends_on: i64,
}

/// A person as the user endpoints know them.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) login: String,
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) saml_name_id: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) deleted: bool,
}

impl Profile {
    /// The address in the commits of this person: the one they show, the one they work with, or GitHub's own.
    pub(crate) fn commit_mail(&self) -> String {
        let known = self.email.as_ref().or(self.saml_name_id.as_ref()).cloned();
        known.unwrap_or_else(|| format!("{}+{}@users.noreply.github.example", self.id, self.login))
    }
}

const FIRST_NAMES: [&str; 32] = [
    "Mona", "Ada", "Bela", "Cato", "Dara", "Edda", "Fenn", "Gita", "Hugo", "Iris", "Jona", "Kaya", "Lior", "Mina",
    "Nilo", "Orla", "Pia", "Quin", "Rafa", "Suri", "Timo", "Ursa", "Vera", "Wim", "Xenia", "Yuki", "Zola", "Anouk",
    "Bram", "Cleo", "Dov", "Esme",
];
const LAST_NAMES: [&str; 32] = [
    "Hart", "Abel", "Birk", "Crane", "Dorn", "Elm", "Finch", "Grove", "Heron", "Isle", "Jay", "Kestrel", "Lark",
    "Moss", "North", "Oakes", "Pine", "Quail", "Reed", "Stone", "Thorn", "Umber", "Vale", "Wren", "Yarrow", "Zephyr",
    "Ash", "Brook", "Clay", "Dale", "East", "Frost",
];
/// Every pair of names once before one comes back.
const NAMES: i64 = 32 * 32;

/// The data set: nothing in it but its seed, its size and its teams.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) seats: u32,
    pub(crate) teams: Teams,
    dice: Dice,
}

impl Model {
    pub(crate) fn new(seats: u32, seed: u64) -> Self {
        Self {
            seats,
            teams: Teams::new(seats),
            dice: Dice::new(seed),
        }
    }

    /// Who has the slot on a day, as a number that rises with every holder.
    pub(crate) fn tenure(&self, slot: u32, day: i64) -> Tenure {
        let length = 350 + self.dice.throw_i64(Topic::TenureLength, slot, 0, 301);
        let phase = self.dice.throw_i64(Topic::TenurePhase, slot, 0, 650);
        let number = (day + phase).div_euclid(length);
        let starts_on = number * length - phase;
        Tenure {
            slot,
            number,
            starts_on,
            ends_on: starts_on + length,
        }
    }

    fn casting(&self, slot: u32) -> Option<&'static Casting> {
        cast::casting(self.seats, slot)
    }

    /// What the slot is during this tenure.
    pub(crate) fn role(&self, tenure: Tenure, day: i64) -> Role {
        if let Some(casting) = self.casting(tenure.slot) {
            return casting.role;
        }
        match self.thrown_role(tenure) {
            Role::SecondSeatOf(holder) if !self.may_have_a_second_seat(holder, tenure.slot, day) => Role::Person,
            role => role,
        }
    }

    /// The role as the dice say, before asking whether the holder of a second seat has a first one.
    fn thrown_role(&self, tenure: Tenure) -> Role {
        match self.dice.throw(Topic::Role, tenure.slot, tenure.number, 10_000) {
            0..=3 => Role::NoAssignee,
            4..=5 => Role::TeamAssignee,
            6..=7 => Role::OrganisationAssignee,
            8 => Role::Undecodable(Defect::ActivityIsANumber),
            9 => Role::Undecodable(Defect::AssigneeIdIsText),
            // A little more than the 8% wanted, because some of the partners turn out not to be persons.
            10..=889 => {
                let partner = self
                    .dice
                    .throw(Topic::Partner, tenure.slot, tenure.number, u64::from(self.seats));
                Role::SecondSeatOf(u32::try_from(partner).unwrap_or_default())
            }
            _ => Role::Person,
        }
    }

    /// Named slots keep exactly the seats they were given.
    fn may_have_a_second_seat(&self, holder: u32, slot: u32, day: i64) -> bool {
        holder != slot && self.casting(holder).is_none() && self.thrown_role(self.tenure(holder, day)) == Role::Person
    }

    pub(crate) fn habit(&self, holder: Tenure) -> Habit {
        self.casting(holder.slot)
            .and_then(|casting| casting.habit)
            .unwrap_or_else(
                || match self.dice.throw(Topic::Habit, holder.slot, holder.number, 100) {
                    0..=7 => Habit::Never,
                    8..=17 => Habit::Stopped,
                    18..=44 => Habit::Occasional,
                    _ => Habit::Daily,
                },
            )
    }

    /// The holder's last use of the seat up to and including this day.
    pub(crate) fn last_activity(&self, holder: Tenure, day: i64) -> Option<Activity> {
        let habit = self.habit(holder);
        let until = match habit {
            Habit::Never => return None,
            Habit::Stopped => {
                let stopped_on = 5 + self.dice.throw_i64(Topic::Quiet, holder.slot, holder.number, 90);
                day.min(holder.starts_on + stopped_on)
            }
            Habit::Occasional | Habit::Daily => day,
        };
        let last = (holder.starts_on..=until)
            .rev()
            .find(|day| self.is_active(holder, habit, *day))?;
        Some(Activity {
            at: self.used_at(holder.slot, last),
            editor: self.editor(holder, last),
        })
    }

    fn is_active(&self, holder: Tenure, habit: Habit, day: i64) -> bool {
        let percent = match (habit, days::is_weekend(day)) {
            (Habit::Never, _) => 0,
            (Habit::Occasional, true) => 2,
            (Habit::Occasional, false) => 12,
            (Habit::Daily | Habit::Stopped, true) => 8,
            (Habit::Daily | Habit::Stopped, false) => 80,
        };
        self.dice.throw(Topic::Active, holder.slot, day, 100) < percent
    }

    /// Office hours, but for one day in sixteen.
    fn used_at(&self, slot: u32, day: i64) -> Timestamp {
        let late = self.dice.throw_i64(Topic::ActiveHour, slot, day, 16) == 0;
        let (from, hours) = if late { (0, 24) } else { (7, 12) };
        let second = self.dice.throw_i64(Topic::ActiveHour, slot, day, 12 * 3600 * 16) / 16;
        instant(day, from * 3600 + second * hours / 12)
    }

    /// People change editors every half year or so; the day decides, so that two seats of a person never disagree
    /// about one instant.
    fn editor(&self, holder: Tenure, day: i64) -> Option<String> {
        let style = self
            .casting(holder.slot)
            .and_then(|casting| casting.editor)
            .unwrap_or_else(|| {
                let season = (day + i64::from(holder.slot)).div_euclid(180);
                self.dice.throw(Topic::Editor, holder.slot, season, editors::STYLES)
            });
        editors::editor(style, day)
    }

    /// What a second seat says about its holder: GitHub's telemetry does not reach every seat object alike.
    pub(crate) fn echo(&self, seat: Tenure, holder: Tenure, day: i64) -> Option<Activity> {
        match self.dice.throw(Topic::Echo, seat.slot, seat.number, 4) {
            0 => None,
            1 => self.last_activity(holder, day - 3),
            _ => self.last_activity(holder, day),
        }
    }

    /// The day a cancellation takes effect, where one is pending. Half of those who leave are cancelled beforehand.
    pub(crate) fn pending_cancellation_on(&self, seat: Tenure, day: i64) -> Option<i64> {
        if let Some(days_into_next_month) = self.casting(seat.slot).and_then(|casting| casting.cancelled) {
            return Some(days::first_of_next_month(day) + days_into_next_month);
        }
        let announced = self.dice.throw(Topic::Pending, seat.slot, seat.number, 2) == 0;
        (announced && seat.ends_on - day <= 15).then_some(seat.ends_on)
    }

    /// How the seat of this slot was granted; a second seat never comes through the team of the first.
    pub(crate) fn grant(&self, slot: u32, role: Role) -> Grant {
        if let Some(grant) = self.casting(slot).and_then(|casting| casting.grant) {
            return grant;
        }
        if let Role::SecondSeatOf(holder) = role {
            return Grant::Team(self.teams.another(self.teams.of_slot(self.dice, holder)));
        }
        match self.dice.throw(Topic::Team, slot, 2, 100) {
            0..=2 => Grant::DirectNull,
            3..=4 => Grant::DirectAbsent,
            _ => Grant::Team(self.teams.of_slot(self.dice, slot)),
        }
    }

    /// Which of the organisations pays for the seat: seven in ten are the first's.
    pub(crate) fn organisation(&self, slot: u32, role: Role) -> usize {
        let of = |slot| usize::from(self.dice.throw(Topic::Organisation, slot, 0, 10) >= 7);
        match role {
            Role::SecondSeatOf(holder) => 1 - of(holder),
            _ => of(slot),
        }
    }

    /// The offset a seat's instants are written with, in seconds east of UTC.
    pub(crate) fn offset_seconds(&self, slot: u32) -> i32 {
        match self.dice.throw(Topic::Offset, slot, 0, 12) {
            0 | 1 => -6 * 3600,
            2 => 5 * 3600 + 1800,
            _ => 0,
        }
    }

    pub(crate) fn plan(&self, slot: u32) -> &'static str {
        if self.dice.throw(Topic::Plan, slot, 0, 4) == 0 {
            "business"
        } else {
            "enterprise"
        }
    }

    /// The instant a seat was granted.
    pub(crate) fn granted_at(&self, seat: Tenure, holder: Tenure) -> Timestamp {
        let second = self.dice.throw_i64(Topic::SeatHour, seat.slot, seat.number, 86_400);
        instant(seat.starts_on.max(holder.starts_on), second)
    }

    pub(crate) fn profile(&self, holder: Tenure) -> Profile {
        let Tenure {
            slot,
            number,
            starts_on,
            ..
        } = holder;
        // Steps of 37 walk through all pairs, so the next holder of a slot always has another name.
        let pair = (self.dice.throw_i64(Topic::Name, slot, 0, 1024) + number * 37).rem_euclid(NAMES);
        let pick = |names: &[&'static str; 32], index: i64| names[usize::try_from(index % 32).unwrap_or_default()];
        let (first, last) = (pick(&FIRST_NAMES, pair / 32), pick(&LAST_NAMES, pair));
        let mixed_case =
            self.dice.throw(Topic::Name, slot, 1, 16) == 0 || self.casting(slot).is_some_and(|c| c.mixed_case);
        let login = format!("{first}-{last}-{slot:04}");
        let mail = format!("{first}.{last}.{slot:04}@octo.example").to_ascii_lowercase();
        let contact = self.contact(holder);
        let account_age = 30 + self.dice.throw_i64(Topic::Account, slot, number, 3650);
        Profile {
            login: if mixed_case { login } else { login.to_ascii_lowercase() },
            id: u64::from(slot) * 1000 + 1_000_000_000 + number.rem_euclid(1000).cast_unsigned(),
            name: format!("{first} {last} {slot:04}"),
            email: matches!(contact, Contact::PublicMailAndSaml | Contact::PublicMail).then(|| mail.clone()),
            saml_name_id: matches!(contact, Contact::PublicMailAndSaml | Contact::Saml)
                .then(|| mail.replace("@octo.example", "@corp.octo.example")),
            created_at: instant(
                starts_on - account_age,
                self.dice.throw_i64(Topic::Account, slot, number, 86_400),
            ),
            deleted: contact == Contact::Deleted,
        }
    }

    fn contact(&self, holder: Tenure) -> Contact {
        self.casting(holder.slot)
            .and_then(|casting| casting.contact)
            .unwrap_or_else(
                || match self.dice.throw(Topic::Contact, holder.slot, holder.number, 2000) {
                    0 => Contact::Deleted,
                    1..=400 => Contact::PublicMailAndSaml,
                    401..=500 => Contact::PublicMail,
                    501..=1800 => Contact::Saml,
                    _ => Contact::Neither,
                },
            )
    }

    /// The person who goes by this login on this day; GitHub does not mind the case.
    pub(crate) fn person(&self, login: &str, day: i64) -> Option<Profile> {
        let (_, slot) = login.rsplit_once('-')?;
        let slot = slot.parse().ok().filter(|slot| *slot < self.seats)?;
        let tenure = self.tenure(slot, day);
        if !matches!(self.role(tenure, day), Role::Person | Role::Undecodable(_)) {
            return None;
        }
        let profile = self.profile(tenure);
        (!profile.deleted && profile.login.eq_ignore_ascii_case(login)).then_some(profile)
    }
}
