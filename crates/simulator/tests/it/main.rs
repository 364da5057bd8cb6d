//! The simulator as its clients meet it: over a real socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod activity_feed;
mod app;
mod audit_query;
mod client;
mod exclusion_list;
mod faults;
mod github;
mod microsoft;
mod model;
mod notifications;
mod tenant;
