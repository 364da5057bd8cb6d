//! The Lambda `audit-events`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::audit_events;
use uptake_pipeline::config::Environment;

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::serve(
        audit_events::FUNCTION,
        Environment::audit_events,
        async |config, aws, trigger, invocation| {
            // Connecting anew reads the secret again: a rotated one, or a permission granted late, needs no new deployment.
            let feed = config.feed(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let exclusions = config.exclusions.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let lake = aws.lake().await?;
            audit_events::collect(&feed, &lake, config, &exclusions, aws.ports(), trigger, invocation).await
        },
    )
    .await
}
