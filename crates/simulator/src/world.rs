//! What all routes share: the data set, the day, the faults, the count and each upstream's own state.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{Timestamp, civil::Date};

use crate::{
    Requests, Settings, Truth, account,
    actions::Actions,
    clock::Clock,
    day::Day,
    days,
    faults::Faults,
    github::GitHub,
    microsoft::Microsoft,
    people::{Model, Profile},
};

/// The state of one running simulator.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) url: String,
    /// The second origin, from which reports are downloaded.
    pub(crate) downloads_url: String,
    pub(crate) settings: Settings,
    pub(crate) model: Model,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) github: GitHub,
    pub(crate) actions: Actions,
    pub(crate) microsoft: Microsoft,
    now: Mutex<Timestamp>,
    day: Mutex<Arc<Day>>,
    requests: Mutex<Requests>,
}

impl World {
    pub(crate) fn new(url: String, downloads_url: String, settings: Settings) -> Self {
        let model = Model::new(settings.seats, settings.seed);
        Self {
            url,
            downloads_url,
            clock: Clock::start(),
            faults: Faults::new(&settings.scenario.faults),
            github: GitHub::new(&settings.scenario),
            actions: Actions::new(&settings),
            microsoft: Microsoft::new(&settings),
            now: Mutex::new(settings.now.unwrap_or_else(|| end_of(settings.today))),
            day: Mutex::new(Arc::new(Day::new(&model, days::number_of(settings.today)))),
            requests: Mutex::default(),
            model,
            settings,
        }
    }

    pub(crate) fn today(&self) -> Arc<Day> {
        Arc::clone(&lock(&self.day))
    }

    pub(crate) fn set_today(&self, date: Date) {
        *lock(&self.day) = Arc::new(Day::new(&self.model, days::number_of(date)));
        self.set_now(end_of(date));
    }

    /// Up to when the workflow runs and the audit log have come.
    pub(crate) fn now(&self) -> Timestamp {
        *lock(&self.now)
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        *lock(&self.now) = now;
    }

    /// A seat is given up while somebody reads the list.
    pub(crate) fn shift_list(&self) {
        let mut day = lock(&self.day);
        *day = Arc::new(day.with_one_seat_less(&self.model));
    }

    pub(crate) fn person(&self, login: &str) -> Option<Profile> {
        self.model.person(login, self.today().number)
    }

    pub(crate) fn truth(&self) -> Truth {
        Truth::of(&self.model, &self.today())
    }

    pub(crate) fn identities(&self) -> Vec<String> {
        let mut identities = account::identities(&self.model, &self.today());
        let developers = self.actions.named(&self.model, self.now().as_second());
        identities.extend(developers.into_iter().flat_map(account::identities_of));
        identities.extend(self.microsoft.tenant.identities(self.today().number));
        identities
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Requests> {
        lock(&self.requests)
    }
}

/// The start of the next day: all of this one has happened.
fn end_of(date: Date) -> Timestamp {
    days::instant(days::number_of(date) + 1, 0)
}

/// Nothing in here is left half done by a panic, so a poisoned lock is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
