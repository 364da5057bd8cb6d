//! The lake in a folder, as its callers use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod appends;
mod evolution;
mod fingerprints;
mod inserts;
mod log;
mod model;
mod purges;
mod races;
mod replacements;
mod rewrites;
mod round_trip;
mod stores;
mod tables;
mod upkeep;
mod upserts;
