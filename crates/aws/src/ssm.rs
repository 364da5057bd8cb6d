//! Secrets: `SecureString` parameters of Systems Manager, as they are or wrapped by KMS.

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use secrecy::{ExposeSecret, SecretString};
use uptake_pipeline::ports::{PortError, Secrets};

use crate::kms::{self, KeyService};
use crate::service_error::port_error;

/// The parameter store of the function's own account and region.
#[derive(Clone, Debug)]
pub struct ParameterStore {
    client: Client,
    keys: KeyService,
}

impl ParameterStore {
    /// Reads parameters through `client`, and those whose value begins with `kms:` with the help of `keys`.
    pub fn new(client: Client, keys: KeyService) -> Self {
        Self { client, keys }
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
            .client
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
        let value = answer.parameter.and_then(|parameter| parameter.value);
        let value = SecretString::from(value.ok_or_else(missing)?);
        match value.expose_secret().strip_prefix(kms::PREFIX) {
            Some(wrapped) => self.keys.unwrap(&what(), wrapped).await,
            None => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;

    fn store(service: &Loopback) -> ParameterStore {
        let config = service.sdk_config();
        ParameterStore::new(Client::new(&config), KeyService::new(aws_sdk_kms::Client::new(&config)))
    }

    async fn failure(code: &str) -> String {
        let body = format!(r#"{{"__type": "{code}", "message": "as SSM puts it"}}"#);
        let service = Loopback::answering(400, body).await;
        store(&service).read("/uptake/token").await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_value_is_given_as_it_is_or_unwrapped() {
        let parameter = |value: &str| (200, format!(r#"{{"Parameter": {{"Value": "{value}"}}}}"#));
        let plain = (200, r#"{"Plaintext": "dGhlIHNlY3JldA=="}"#.to_owned());
        for (answers, requests) in [
            (vec![parameter("the secret")], 1),
            (vec![parameter("kms:c2VhbGVk"), plain], 2),
        ] {
            let service = Loopback::answering_in_turn(answers).await;
            let secret = store(&service).read("/uptake/key").await.unwrap();
            assert_eq!(secret.expose_secret(), "the secret");
            assert_eq!(service.requests().len(), requests);
        }
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
