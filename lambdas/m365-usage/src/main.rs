//! The Lambda `m365-usage`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::m365_usage;

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::serve(
        m365_usage::FUNCTION,
        Environment::m365_usage,
        async |config, aws, trigger, invocation| {
            // Connecting anew reads the secret again: a rotated one, or a permission granted late, needs no new deployment.
            let graph = config.microsoft.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let exclusions = config.exclusions.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let lake = aws.lake().await?;
            m365_usage::collect(&graph, &lake, config, &exclusions, aws.ports(), trigger, invocation).await
        },
    )
    .await
}
