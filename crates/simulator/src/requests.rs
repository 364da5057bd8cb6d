//! Counts what was asked, so that a test can say how many requests a job may cost.

use std::collections::BTreeMap;

use serde::Serialize;

/// Requests since the start or the last reset. The control surface is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// By route template, such as `/users/{login}`, as they arrived; `unknown` is what no route answers.
    pub by_route: BTreeMap<String, u64>,
    /// By HTTP status, as they were answered.
    pub by_status: BTreeMap<u16, u64>,
    /// Of those to the activity feed how many did not say who publishes them.
    pub without_publisher: u64,
}

impl Requests {
    /// All requests that arrived.
    pub fn total(&self) -> u64 {
        self.by_route.values().sum()
    }

    /// Requests of one route template.
    pub fn of(&self, route: &str) -> u64 {
        self.by_route.get(route).copied().unwrap_or_default()
    }

    pub(crate) fn arrived(&mut self, route: &str) {
        match self.by_route.get_mut(route) {
            Some(count) => *count += 1,
            None => drop(self.by_route.insert(route.to_owned(), 1)),
        }
    }

    pub(crate) fn answered(&mut self, status: u16) {
        *self.by_status.entry(status).or_default() += 1;
    }
}
