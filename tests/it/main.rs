//! Whole jobs as users run them: one binary, one file a face.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "a test fails where it is, helpers are not marked as tests, and published values are whole numbers"
)]

mod actions;
mod audit;
mod aws_face;
mod aws_key_rotation;
mod aws_licenses;
mod aws_operator;
mod aws_workflows;
mod dashboards;
mod deployed;
mod engagement;
mod engagement_api;
mod enterprise;
mod exclusion;
mod function_url;
mod grafana_push;
mod implied;
mod independent_reader;
mod key_rotation;
mod lake_readers;
mod license_digest;
mod license_faults;
mod licenses;
mod machine;
mod mailing;
mod moto;
mod moto_lake;
mod moto_logs;
mod odd_reports;
mod odd_runs;
mod policies;
mod recorder;
mod runtime_api;
mod seats;
mod tenant;
mod terraform;
mod watching;
mod webhook;
mod weekly_digest;
mod workflow_faults;
mod workflows;
