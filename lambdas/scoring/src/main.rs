//! The Lambda `scoring`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::scoring;

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::serve(
        scoring::FUNCTION,
        Environment::scoring,
        async |config, aws, trigger, invocation| {
            let exclusions = config.exclusions.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let lake = aws.lake().await?;
            scoring::score(&lake, config, &exclusions, aws.ports(), &aws.logs, trigger, invocation).await
        },
    )
    .await
}
