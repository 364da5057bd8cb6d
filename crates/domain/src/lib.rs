#![doc = include_str!("../README.md")]

pub mod calendar;
pub mod catalogue;
pub mod groups;
pub mod log_groups;
pub mod recipients;
pub mod repositories;
pub mod run;
pub mod run_figures;
pub mod run_history;
pub mod run_slices;
pub mod runs_digest;
pub mod seat;
pub mod seat_figures;
pub mod seats_csv;
pub mod seats_digest;
pub mod wording;
