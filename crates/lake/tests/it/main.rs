//! The lake in a folder, as its callers use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod appends;
mod evolution;
mod log;
mod model;
mod races;
mod replacements;
mod round_trip;
mod stores;
mod tables;
mod upkeep;
mod upserts;
