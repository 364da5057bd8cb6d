//! The places whose part is written down, so that every tenant has each oddity the upstream is known for.
//!
//! They are those of UPSTREAM 4.2 and 5. What the dice decide of everybody else, they decide here where it is `None`.

use super::{activity::Habit, licences::Terms};

/// What is fixed about a place.
#[derive(Clone, Copy)]
pub(super) struct Casting {
    pub(super) kind: Option<Kind>,
    pub(super) terms: Option<Terms>,
    pub(super) habit: Option<Habit>,
    pub(super) department: Option<Department>,
    /// Deleted and restored again and again.
    pub(super) returns: bool,
    /// Renamed every few weeks, back and forth.
    pub(super) renamed: bool,
    pub(super) no_mail: bool,
}

/// Who somebody is to the tenant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never gets a Copilot licence.
    Plain,
    /// Gets Copilot licences.
    Licensed,
    /// Somebody else's employee.
    Guest,
}

/// Where somebody works, where that is fixed.
#[derive(Clone, Copy)]
pub(super) enum Department {
    /// Three people.
    Board,
    /// Two people.
    Council,
    Unknown,
    /// Another one every few weeks.
    Changing,
}

const ANYONE: Casting = Casting {
    kind: None,
    terms: None,
    habit: None,
    department: None,
    returns: false,
    renamed: false,
    no_mail: false,
};

const fn licensed(terms: Terms, habit: Habit) -> Casting {
    Casting {
        kind: Some(Kind::Licensed),
        terms: Some(terms),
        habit: Some(habit),
        ..ANYONE
    }
}

static CAST: [Casting; 28] = [
    licensed(Terms::Direct, Habit::Daily),
    licensed(Terms::Group, Habit::Weekly),
    licensed(Terms::Both, Habit::Daily),
    Casting {
        department: Some(Department::Board),
        ..licensed(Terms::GroupThenDirect, Habit::Daily)
    },
    Casting {
        department: Some(Department::Board),
        ..licensed(Terms::SomePlansOff, Habit::Weekly)
    },
    Casting {
        department: Some(Department::Board),
        ..licensed(Terms::AllPlansOff, Habit::Daily)
    },
    licensed(Terms::Bundle, Habit::Daily),
    Casting {
        department: Some(Department::Council),
        ..licensed(Terms::CopilotThenBundle, Habit::Daily)
    },
    Casting {
        department: Some(Department::Council),
        ..licensed(Terms::ChatOnly, Habit::OnlyChat)
    },
    Casting {
        returns: true,
        ..licensed(Terms::Direct, Habit::Daily)
    },
    licensed(Terms::FailedListed, Habit::Daily),
    licensed(Terms::FailedUnlisted, Habit::Daily),
    licensed(Terms::SuspendedForAWhile, Habit::Daily),
    licensed(Terms::WithError, Habit::Weekly),
    licensed(Terms::WithoutDate, Habit::Weekly),
    licensed(Terms::GroupFailed, Habit::Daily),
    licensed(Terms::CopilotAndChat, Habit::Daily),
    Casting {
        kind: Some(Kind::Guest),
        ..ANYONE
    },
    Casting {
        kind: Some(Kind::Guest),
        no_mail: true,
        ..ANYONE
    },
    Casting {
        no_mail: true,
        ..licensed(Terms::Direct, Habit::Sporadic)
    },
    Casting {
        renamed: true,
        ..licensed(Terms::Direct, Habit::Daily)
    },
    Casting {
        department: Some(Department::Unknown),
        ..licensed(Terms::Group, Habit::Daily)
    },
    licensed(Terms::Direct, Habit::Never),
    licensed(Terms::Direct, Habit::Stopped),
    licensed(Terms::Group, Habit::OnlyChat),
    licensed(Terms::Direct, Habit::Sporadic),
    Casting {
        department: Some(Department::Changing),
        ..licensed(Terms::Direct, Habit::Weekly)
    },
    Casting {
        kind: Some(Kind::Plain),
        ..ANYONE
    },
];

/// The part of a place; most have none.
pub(super) fn casting(slot: u32) -> Casting {
    let index = usize::try_from(slot).ok();
    index.and_then(|index| CAST.get(index)).copied().unwrap_or(ANYONE)
}
