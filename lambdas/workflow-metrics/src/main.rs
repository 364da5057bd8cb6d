//! The Lambda `workflow-metrics`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::workflow_metrics;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::serve(
        workflow_metrics::FUNCTION,
        Environment::workflow_metrics,
        async |config, aws, trigger, invocation| {
            // Connecting anew reads the token again: a rotated one, or a permission granted late, needs no new deployment.
            let github = config.connect(&aws.secrets, Arc::clone(&aws.clock)).await?;
            workflow_metrics::collect(&github, config, aws.ports(), &aws.logs, trigger, invocation).await
        },
    )
    .await
}
