#![doc = include_str!("../README.md")]

pub mod adapters;
pub mod cloudwatch;
pub mod cloudwatch_logs;
pub mod http_lambda;
pub mod kms;
pub mod lake;
pub mod lambda;
#[cfg(test)]
mod loopback;
mod metering;
pub mod s3;
mod service_error;
pub mod ses;
pub mod sqs;
mod sqs_event;
pub mod ssm;
