//! The slots whose part is written down, so that every data set has each oddity the upstream is known for.
//!
//! The first ten fit the smallest data set and carry what matters most; the others join from 50 seats on. The oddities
//! are those of UPSTREAM 3.2 and 5.

use crate::{
    editors::style,
    people::{
        Contact, Defect, Grant, Habit,
        Role::{self, NoAssignee, OrganisationAssignee, Person, SecondSeatOf, TeamAssignee, Undecodable},
    },
};

/// What is fixed about a slot; the dice decide what is `None`.
pub(crate) struct Casting {
    pub(crate) role: Role,
    pub(crate) habit: Option<Habit>,
    pub(crate) contact: Option<Contact>,
    pub(crate) editor: Option<u64>,
    pub(crate) grant: Option<Grant>,
    /// Cancelled always, with effect so many days after the first of next month.
    pub(crate) cancelled: Option<i64>,
    pub(crate) mixed_case: bool,
}

const ANYONE: Casting = Casting {
    role: Person,
    habit: None,
    contact: None,
    editor: None,
    grant: None,
    cancelled: None,
    mixed_case: false,
};
const USER: Casting = Casting {
    habit: Some(Habit::Daily),
    ..ANYONE
};
const SMALL: usize = 10;

/// The position of a seat that a shifted list loses: a person with one seat and nothing special.
pub(crate) const ORDINARY: usize = 8;

static CAST: [Casting; 20] = [
    Casting {
        contact: Some(Contact::PublicMailAndSaml),
        editor: Some(style::COMMON),
        grant: Some(Grant::Team(0)),
        ..USER
    },
    Casting {
        role: SecondSeatOf(0),
        grant: Some(Grant::Team(1)),
        ..ANYONE
    },
    Casting {
        contact: Some(Contact::Deleted),
        editor: Some(style::THREE_PARTS),
        ..USER
    },
    Casting {
        habit: Some(Habit::Never),
        contact: Some(Contact::Saml),
        grant: Some(Grant::DirectAbsent),
        ..ANYONE
    },
    Casting {
        contact: Some(Contact::Neither),
        editor: Some(style::FORMULA),
        grant: Some(Grant::DirectNull),
        cancelled: Some(0),
        ..USER
    },
    Casting {
        role: Undecodable(Defect::ActivityIsANumber),
        ..ANYONE
    },
    Casting {
        role: NoAssignee,
        ..ANYONE
    },
    Casting {
        editor: Some(style::FIVE_PARTS),
        mixed_case: true,
        ..USER
    },
    Casting {
        habit: Some(Habit::Stopped),
        contact: Some(Contact::Saml),
        ..ANYONE
    },
    Casting {
        editor: Some(style::TWO_PARTS),
        contact: Some(Contact::PublicMail),
        ..USER
    },
    Casting {
        role: TeamAssignee,
        ..ANYONE
    },
    Casting {
        role: OrganisationAssignee,
        ..ANYONE
    },
    Casting {
        role: Undecodable(Defect::AssigneeIdIsText),
        ..ANYONE
    },
    Casting {
        editor: Some(style::ONE_PART),
        ..USER
    },
    Casting {
        editor: Some(style::NULL),
        ..USER
    },
    // One of two seats cancelled: the person stays.
    Casting {
        cancelled: Some(0),
        ..USER
    },
    Casting {
        role: SecondSeatOf(15),
        ..ANYONE
    },
    // Both cancelled, the later one counts.
    Casting {
        cancelled: Some(14),
        editor: Some(style::SIX_PARTS),
        ..USER
    },
    Casting {
        role: SecondSeatOf(17),
        cancelled: Some(0),
        ..ANYONE
    },
    // The third seat of the first person, granted directly.
    Casting {
        role: SecondSeatOf(0),
        grant: Some(Grant::DirectNull),
        ..ANYONE
    },
];

/// The part of a slot in a data set of this size, if it has one.
pub(crate) fn casting(seats: u32, slot: u32) -> Option<&'static Casting> {
    let named = if seats < 50 { SMALL } else { CAST.len() };
    CAST[..named].get(usize::try_from(slot).ok()?)
}
