//! The Lambda `engagement-api`: wires a function URL, settings and AWS to the use case.

use uptake_aws::http_lambda;
use uptake_aws::lambda::Error;
use uptake_pipeline::config::Environment;
use uptake_pipeline::engagement_api;

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    http_lambda::serve_http(Environment::engagement_api, async |config, aws, request| {
        let lake = aws.engagement_lake().await;
        let (method, path, query) = (&request.method, &request.path, &request.query);
        let answer = engagement_api::answer(lake, config, aws.ports(), method, path, query).await;
        answer.into()
    })
    .await
}
