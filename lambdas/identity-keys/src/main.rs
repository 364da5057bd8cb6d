//! The Lambda `identity-keys`: wires settings and AWS to the use case.

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::identity_keys::{self, EngagementStore, PAYLOAD, Request};

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    lambda::serve_with(
        identity_keys::FUNCTION,
        Environment::identity_keys,
        PAYLOAD,
        async |config, aws, request: &Request, invocation| {
            let store = EngagementStore {
                lake: &aws.engagement_lake().await?,
                versions: &aws.engagement_objects(),
            };
            identity_keys::handle(request, store, config, &aws.secrets, aws.ports(), invocation).await
        },
    )
    .await
}
