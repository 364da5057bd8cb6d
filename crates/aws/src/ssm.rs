//! Secrets: `SecureString` parameters of Systems Manager.

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use secrecy::SecretString;
use uptake_pipeline::ports::{PortError, Secrets};

use crate::service_error::port_error;

/// The parameter store of the function's own account and region.
#[derive(Clone, Debug)]
pub struct ParameterStore(Client);

impl ParameterStore {
    /// Reads parameters through `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Secrets for ParameterStore {
    async fn read(&self, parameter: &str) -> Result<SecretString, PortError> {
        let what = || format!("SSM parameter {parameter}");
        let missing = || PortError::Missing {
            what: what(),
            remedy: "create it as a SecureString in the function's region, or correct the setting that names it"
                .to_owned(),
        };
        let answer = self
            .0
            .get_parameter()
            .name(parameter)
            .with_decryption(true)
            .send()
            .await
            .map_err(|error| {
                if error.code() == Some("ParameterNotFound") {
                    missing()
                } else {
                    port_error(
                        what(),
                        format!(
                            "ssm:GetParameter on parameter {parameter} and kms:Decrypt on the key that encrypts it"
                        ),
                        &error,
                    )
                }
            })?;
        answer
            .parameter
            .and_then(|parameter| parameter.value)
            .map(SecretString::from)
            .ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;

    async fn failure(code: &str) -> String {
        let body = format!(r#"{{"__type": "{code}", "message": "as SSM puts it"}}"#);
        let service = Loopback::answering(400, body).await;
        let store = ParameterStore::new(Client::new(&service.sdk_config()));
        store.read("/uptake/token").await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_failure_says_what_to_do() {
        let message = failure("ParameterNotFound").await;
        assert!(
            message.starts_with("SSM parameter /uptake/token does not exist; create it"),
            "{message}"
        );
        let message = failure("AccessDeniedException").await;
        assert!(
            message.contains("grant ssm:GetParameter") && message.contains("kms:Decrypt"),
            "{message}"
        );
        let message = failure("InvalidKeyId").await;
        assert_eq!(message, "SSM parameter /uptake/token: InvalidKeyId: as SSM puts it");
    }
}
