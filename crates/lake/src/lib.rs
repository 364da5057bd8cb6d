#![doc = include_str!("../README.md")]

mod append;
mod commit;
mod error;
#[cfg(test)]
mod faults;
mod files;
mod fingerprints;
mod insert;
mod maintain;
mod merge;
mod purge;
mod replace;
mod rewrite;
mod rows;
mod scan;
mod schema;
mod store;
mod upsert;

pub use error::LakeError;
pub use maintain::Maintenance;
pub use rewrite::Rewritten;
pub use scan::{Filter, Snapshot, TableState};
pub use store::Lake;
pub use upsert::{Columns, Stamp, Written};
