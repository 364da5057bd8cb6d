#![doc = include_str!("../README.md")]

pub mod audit_events;
pub mod composed_mail;
pub mod config;
pub mod connect;
pub mod copilot_seats;
pub mod deliveries;
pub mod engagement;
pub mod exclusions;
pub mod identity_state;
pub mod licenses_mail;
pub mod m365_usage;
pub mod mailer;
pub mod outcome;
pub mod ports;
pub mod quarantine;
pub mod report_record;
pub mod runs_mail;
pub mod scoring;
pub mod seats_mail;
pub mod trigger;
pub mod watermark;
pub mod workflow_metrics;

mod bronze;
mod dry_run;
mod known_accounts;
mod people;
mod rejected;
mod state;
mod telemetry;
mod traced_lake;
mod usage_rows;
mod zstd_json;
