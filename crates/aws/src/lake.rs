//! The lake in the bucket, with the credentials, the region and the endpoint of every other call.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use uptake_lake::Lake;
use uptake_pipeline::outcome::PipelineError;
use uptake_pipeline::ports::PortError;

use crate::adapters::Adapters;
use crate::service_error::causes;

impl Adapters {
    /// The tables under `lake/` of the store. Called for each invocation: credentials of a role last for hours.
    pub async fn lake(&self) -> Result<Lake, PipelineError> {
        let prefix = match self.bucket.prefix.as_str() {
            "" => "lake".to_owned(),
            prefix => format!("{prefix}/lake"),
        };
        let options = options(&self.config).await?;
        Ok(Lake::in_bucket(&self.bucket.name, &prefix, options)?)
    }
}

/// What the lake's own client has to know: it reads no environment.
async fn options(config: &SdkConfig) -> Result<HashMap<String, String>, PortError> {
    let missing = |reason: String| PortError::Unavailable {
        what: "the credentials of the role".to_owned(),
        reason,
    };
    let provider = config
        .credentials_provider()
        .ok_or_else(|| missing("there are none".to_owned()))?;
    let credentials = provider
        .provide_credentials()
        .await
        .map_err(|error| missing(causes(&error)))?;
    let mut options = HashMap::from([
        ("AWS_ACCESS_KEY_ID".to_owned(), credentials.access_key_id().to_owned()),
        (
            "AWS_SECRET_ACCESS_KEY".to_owned(),
            credentials.secret_access_key().to_owned(),
        ),
    ]);
    let mut set =
        |name: &str, value: Option<&str>| options.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    set("AWS_SESSION_TOKEN", credentials.session_token());
    set("AWS_REGION", config.region().map(AsRef::as_ref));
    set("AWS_ENDPOINT_URL", config.endpoint_url());
    Ok(options)
}
