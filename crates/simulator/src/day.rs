//! One day of the model: its seat objects in the order the enterprise lists them.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::{
    ORGANISATIONS,
    cast::ORDINARY,
    people::{Activity, Defect, Grant, Model, Role, Tenure},
};

/// One seat object, as light as it can be: what it says is thrown when its page is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    slot: u32,
    role: Role,
}

/// The seats of a day. Building it visits every slot once; it is kept until the day changes.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) number: i64,
    enterprise: List,
    organisations: [List; ORGANISATIONS.len()],
}

/// A list as an endpoint serves it.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) seats: Vec<Seat>,
    /// Seats with each person counted once, as GitHub's `total_seats` does.
    pub(crate) total: usize,
}

impl List {
    fn new(seats: Vec<Seat>) -> Self {
        let people: HashSet<u32> = seats.iter().map(Seat::first_slot).collect();
        Self {
            total: people.len(),
            seats,
        }
    }
}

impl Day {
    pub(crate) fn new(model: &Model, number: i64) -> Self {
        let seats = (0..model.seats).map(|slot| Seat {
            slot,
            role: model.role(model.tenure(slot, number), number),
        });
        Self::of(model, number, seats.collect())
    }

    fn of(model: &Model, number: i64, seats: Vec<Seat>) -> Self {
        let organisations = std::array::from_fn(|index| {
            let is_theirs = |seat: &&Seat| model.organisation(seat.slot, seat.role) == index;
            List::new(seats.iter().filter(is_theirs).copied().collect())
        });
        Self {
            number,
            enterprise: List::new(seats),
            organisations,
        }
    }

    /// The same day after an ordinary seat near the front was given up, so that all pages behind it shift by one.
    pub(crate) fn with_one_seat_less(&self, model: &Model) -> Self {
        let mut seats = self.enterprise.seats.clone();
        if seats.len() > ORDINARY {
            seats.remove(ORDINARY);
        }
        Self::of(model, self.number, seats)
    }

    pub(crate) fn enterprise(&self) -> &List {
        &self.enterprise
    }

    pub(crate) fn organisation(&self, index: usize) -> &List {
        &self.organisations[index]
    }
}

/// Everything one seat object says, before it is written the way an endpoint does.
pub(crate) struct SeatFacts {
    pub(crate) granted_at: Timestamp,
    pub(crate) activity: Option<Activity>,
    pub(crate) pending_cancellation_on: Option<i64>,
    pub(crate) offset_seconds: i32,
    pub(crate) plan: &'static str,
    pub(crate) grant: Grant,
    pub(crate) holder: Holder,
}

/// To whom a seat belongs.
#[derive(Clone, Copy)]
pub(crate) enum Holder {
    Person(Tenure),
    Nobody,
    Team,
    Organisation,
    Undecodable(Tenure, Defect),
}

impl Seat {
    /// The slot whose seat is the holder's first: what seats of one person have in common.
    fn first_slot(&self) -> u32 {
        match self.role {
            Role::SecondSeatOf(holder) => holder,
            _ => self.slot,
        }
    }

    /// What the seat says on this day.
    pub(crate) fn facts(self, model: &Model, day: i64) -> SeatFacts {
        let seat = model.tenure(self.slot, day);
        let person = match self.role {
            Role::SecondSeatOf(slot) => model.tenure(slot, day),
            _ => seat,
        };
        let activity = match self.role {
            Role::SecondSeatOf(_) => model.echo(seat, person, day),
            _ => model.last_activity(person, day),
        };
        SeatFacts {
            granted_at: model.granted_at(seat, person),
            activity,
            pending_cancellation_on: model.pending_cancellation_on(seat, day),
            offset_seconds: model.offset_seconds(self.slot),
            plan: model.plan(self.slot),
            grant: model.grant(self.slot, self.role),
            holder: match self.role {
                Role::Person | Role::SecondSeatOf(_) => Holder::Person(person),
                Role::NoAssignee => Holder::Nobody,
                Role::TeamAssignee => Holder::Team,
                Role::OrganisationAssignee => Holder::Organisation,
                Role::Undecodable(defect) => Holder::Undecodable(person, defect),
            },
        }
    }
}
