//! The clients against raw bytes: what the upstream says is served exactly as it stands in `fixtures`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod accounts;
mod actions;
mod activity;
mod app;
mod audit_query;
mod audit_records;
mod client;
mod exclusion_list;
mod graph;
mod graph_calls;
mod graph_reports;
mod graph_users;
mod lists;
mod retries;
