//! The functions there are, by name: folder, package, binary and what follows the deployment's name on AWS.

/// All of them, in the order of the alphabet.
pub const EVERY_FUNCTION: &[&str] = &[
    "activity-webhook",
    "audit-events",
    "copilot-seats",
    "engagement",
    "engagement-api",
    "grafana-health",
    "identity-keys",
    "m365-usage",
    "mailer",
    "scoring",
    "workflow-metrics",
];
