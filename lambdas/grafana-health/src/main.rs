//! The Lambda `grafana-health`: wires settings and AWS to the use case.

use std::sync::Arc;

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::grafana_health;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::serve(
        grafana_health::FUNCTION,
        Environment::grafana_health,
        async |config, aws, trigger, invocation| {
            let grafana = config.connect(Arc::clone(&aws.clock))?;
            grafana_health::check(&grafana, aws.ports(), trigger, invocation).await
        },
    )
    .await
}
