//! What a simulator is started with.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};

use crate::Scenario;

/// The fewest seat objects a data set has room for its oddities in.
pub(crate) const FEWEST_SEATS: u32 = 10;
/// The largest data set.
pub(crate) const MOST_SEATS: u32 = 100_000;
/// The largest number of runs a day.
pub(crate) const MOST_RUNS_PER_DAY: u32 = 100_000;

/// The fewest users a tenant has room for its oddities in.
pub(crate) const FEWEST_USERS: u32 = 30;
/// The largest tenant.
pub(crate) const MOST_USERS: u32 = 100_000;

/// The data set, the day and the way the simulator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seat objects the enterprise endpoint lists, second seats of a person included: 10 to 100,000.
    pub seats: u32,
    /// The data set: the same seed, size and day give the same bytes.
    pub seed: u64,
    /// The simulated day.
    pub today: Date,
    /// Up to when the workflow runs and the audit log have come; without it, to the end of `today`.
    pub now: Option<Timestamp>,
    /// Repositories of both organisations: 1 to 1,000.
    pub repositories: u32,
    /// Workflow runs on a weekday, about: 0 to 100,000. A fifth of it at weekends.
    pub runs_per_day: u32,
    /// Places of people in the Microsoft 365 tenant, a few of them empty at a time: 30 to 100,000.
    pub tenant_users: u32,
    /// What every answer waits for first.
    pub latency: Duration,
    /// Limits and faults.
    pub scenario: Scenario,
}

impl Settings {
    /// A data set on a day, without latency and without faults.
    pub fn new(seats: u32, seed: u64, today: Date) -> Self {
        Self {
            seats,
            seed,
            today,
            now: None,
            repositories: 12,
            runs_per_day: 300,
            tenant_users: 300,
            latency: Duration::ZERO,
            scenario: Scenario::default(),
        }
    }

    /// The same with a scenario; its `seats`, `seed`, `repositories`, `runs_per_day`, `tenant_users` and `latency_ms` win
    /// where it names them.
    #[must_use]
    pub fn with_scenario(mut self, scenario: Scenario) -> Self {
        self.seats = scenario.seats.unwrap_or(self.seats);
        self.seed = scenario.seed.unwrap_or(self.seed);
        self.repositories = scenario.repositories.unwrap_or(self.repositories);
        self.runs_per_day = scenario.runs_per_day.unwrap_or(self.runs_per_day);
        self.tenant_users = scenario.tenant_users.unwrap_or(self.tenant_users);
        self.latency = scenario.latency_ms.map_or(self.latency, Duration::from_millis);
        self.scenario = scenario;
        self
    }
}
