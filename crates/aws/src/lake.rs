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

    /// The engagement tables. Called for each invocation, as [`Adapters::lake`].
    pub async fn engagement_lake(&self) -> Result<Lake, PipelineError> {
        let options = options(&self.config).await?;
        Ok(Lake::in_bucket(
            &self.engagement.name,
            &self.engagement.prefix,
            options,
        )?)
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use tokio::net::TcpListener;
    use uptake_domain::tables::GOLD_AUDIT_LOG;

    use super::*;

    /// What a role gives a function for some hours.
    fn of_a_role(session_token: Option<&str>) -> SdkConfig {
        let credentials = Credentials::new("key", "secret", session_token.map(str::to_owned), None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    fn sorted(options: HashMap<String, String>) -> Vec<(String, String)> {
        let mut options: Vec<_> = options.into_iter().collect();
        options.sort();
        options
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    /// Exactly these: whatever else the process has in its environment stays out.
    #[tokio::test]
    async fn the_lake_gets_the_credentials_the_region_and_the_endpoint_of_every_other_call() {
        let role = of_a_role(Some("session"));
        let expected = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "session"),
        ];
        assert_eq!(sorted(options(&role).await.unwrap()), pairs(&expected));

        let user = of_a_role(None)
            .into_builder()
            .endpoint_url("http://127.0.0.1:5000")
            .build();
        let expected = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:5000"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        assert_eq!(sorted(options(&user).await.unwrap()), pairs(&expected));
    }

    #[tokio::test]
    async fn the_session_token_of_the_role_goes_with_every_request_of_the_lake() {
        let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
        let remembered = Arc::clone(&seen);
        let store = Router::new().fallback(async move |headers: HeaderMap| {
            remembered.lock().unwrap().push(headers);
            StatusCode::FORBIDDEN
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, store).into_future());

        let role = of_a_role(Some("session")).into_builder().endpoint_url(endpoint).build();
        let lake = Lake::in_bucket("octo", "prod/lake", options(&role).await.unwrap()).unwrap();
        let refused = lake.describe(&GOLD_AUDIT_LOG).await.unwrap_err();
        let refused = PipelineError::from(refused);
        assert_eq!(refused.error_type(), "Permission", "{refused}");
        assert!(refused.to_string().contains("s3:GetObject"), "{refused}");
        let seen = seen.lock().unwrap();
        assert!(!seen.is_empty());
        for headers in seen.iter() {
            assert_eq!(headers["x-amz-security-token"], "session");
            let signed = headers["authorization"].to_str().unwrap();
            assert!(
                signed.contains("Credential=key/") && signed.contains("/eu-central-1/s3/"),
                "{signed}"
            );
        }
    }

    #[tokio::test]
    async fn a_function_without_a_role_says_so() {
        let nobody = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let error = options(&nobody).await.unwrap_err().to_string();
        assert!(error.contains("credentials of the role"), "{error}");
    }
}
