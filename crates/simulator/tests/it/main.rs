//! The simulator as its clients meet it: over a real socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod app;
mod client;
mod faults;
mod github;
mod microsoft;
mod model;
mod tenant;
