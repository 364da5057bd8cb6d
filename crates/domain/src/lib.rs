#![doc = include_str!("../README.md")]

pub mod calendar;
pub mod catalogue;
pub mod groups;
pub mod recipients;
pub mod seat;
pub mod seat_figures;
pub mod seats_csv;
pub mod seats_digest;
