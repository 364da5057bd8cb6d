//! The Lambda `mailer`: wires settings and AWS to the use case.

use uptake_aws::lambda::{self, Error};
use uptake_pipeline::config::Environment;
use uptake_pipeline::mailer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::serve(
        mailer::FUNCTION,
        Environment::mailer,
        async |config, aws, trigger, invocation| {
            mailer::deliver(config, aws.ports(), &aws.mail, trigger, invocation).await
        },
    )
    .await
}
