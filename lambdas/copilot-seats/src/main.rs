//! The Lambda `copilot-seats`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::copilot_seats;

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::serve(
        copilot_seats::FUNCTION,
        Environment::copilot_seats,
        async |config, aws, trigger, invocation| {
            // Connecting anew reads the token again: a rotated one, or a permission granted late, needs no new deployment.
            let github = config.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let lake = aws.lake().await?;
            copilot_seats::collect(&github, &lake, config, aws.ports(), trigger, invocation).await
        },
    )
    .await
}
