//! What a simulator is started with.

use std::time::Duration;

use jiff::civil::Date;

use crate::Scenario;

/// The fewest seat objects a data set has room for its oddities in.
pub(crate) const FEWEST_SEATS: u32 = 10;
/// The largest data set.
pub(crate) const MOST_SEATS: u32 = 100_000;

/// The data set, the day and the way the simulator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seat objects the enterprise endpoint lists, second seats of a person included: 10 to 100,000.
    pub seats: u32,
    /// The data set: the same seed, size and day give the same bytes.
    pub seed: u64,
    /// The simulated day.
    pub today: Date,
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
            latency: Duration::ZERO,
            scenario: Scenario::default(),
        }
    }

    /// The same with a scenario; its `seats`, `seed` and `latency_ms` win where it names them.
    #[must_use]
    pub fn with_scenario(mut self, scenario: Scenario) -> Self {
        self.seats = scenario.seats.unwrap_or(self.seats);
        self.seed = scenario.seed.unwrap_or(self.seed);
        self.latency = scenario.latency_ms.map_or(self.latency, Duration::from_millis);
        self.scenario = scenario;
        self
    }
}
