//! The Lambda `engagement`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::engagement::{self, Lakes};

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::serve(
        engagement::FUNCTION,
        Environment::engagement,
        async |config, aws, trigger, invocation| {
            let identity = config.identity(&aws.secrets).await?;
            let exclusions = config.exclusions.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            let (silver, own) = (aws.lake().await?, aws.engagement_lake().await?);
            let lakes = Lakes {
                silver: &silver,
                engagement: &own,
            };
            engagement::derive(lakes, config, &identity, &exclusions, aws.ports(), trigger, invocation).await
        },
    )
    .await
}
