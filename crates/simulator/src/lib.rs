#![doc = include_str!("../README.md")]

mod account;
mod actions;
mod cast;
mod clock;
mod control;
mod day;
mod days;
mod dice;
mod editors;
mod faults;
mod github;
mod microsoft;
mod people;
mod requests;
mod scenario;
mod server;
mod settings;
mod spoil;
mod teams;
mod window;
mod world;

pub use account::{PersonTruth, TeamTruth, Truth};
pub use actions::truth::{RepositoryTruth, RunAttemptTruth, RunTruth, WorkflowTruth};
pub use faults::Fault;
pub use microsoft::{
    AuditCounts, AuditTruth, CLIENT_ID, CLIENT_SECRET, Deliveries, EXCLUSION_LIST_ID, EXCLUSION_SITE_ID, TENANT,
    truth::{HeldSku, TenantTruth, TenantUser, UsageTruth, WorkloadTruth},
};
pub use requests::Requests;
pub use scenario::{
    AuditQuery, AuditSubscription, Burst, Delivery, GraphQl, Saml, Scenario, ScenarioError, UsageReport,
};
pub use server::{Simulator, SimulatorError};
pub use settings::Settings;

/// The slug of the enterprise it plays.
pub const ENTERPRISE: &str = "octo-enterprise";
/// The organisations of that enterprise.
pub const ORGANISATIONS: [&str; 2] = ["octo-org", "octo-labs"];
/// A classic personal token it accepts, with every scope.
pub const TOKEN: &str = "simulated-classic-token";
/// The GitHub App installed in both organisations.
pub const APP_ID: &str = "4242";
/// The App's private key: made for the simulator, good for nothing else.
pub const APP_KEY: &str = include_str!("../testdata/app-key.pem");
