#![doc = include_str!("../README.md")]

pub mod composed_mail;
pub mod config;
pub mod connect;
pub mod copilot_seats;
pub mod deliveries;
pub mod mailer;
pub mod outcome;
pub mod ports;
pub mod quarantine;
pub mod report_record;
pub mod runs_mail;
pub mod seats_mail;
pub mod trigger;
pub mod watermark;
pub mod workflow_metrics;

mod dry_run;
mod known_accounts;
mod telemetry;
mod zstd_json;
