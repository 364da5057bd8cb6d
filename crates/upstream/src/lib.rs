#![doc = include_str!("../README.md")]

pub mod clock;
pub mod error;
pub mod github;
pub mod grafana;
pub mod http;
pub mod microsoft;
pub mod origin;
