//! Wrapped secrets: what was encrypted with KMS before it was put into a parameter.

use std::fmt::Display;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use data_encoding::BASE64;
use secrecy::SecretString;
use uptake_pipeline::ports::PortError;

use crate::service_error::port_error;

/// What a wrapped value begins with; the ciphertext follows in base64, as `aws kms encrypt` prints it.
pub const PREFIX: &str = "kms:";
/// What the ciphertext is bound to: it is good for nothing else that the key decrypts.
const CONTEXT: (&str, &str) = ("uptake", "identity-key");
/// How to make one.
const REMEDY: &str = "write it anew as kms:<base64 of what `aws kms encrypt --encryption-context uptake=identity-key` gives>, encrypted with a key of this account and region that is enabled";

/// The key service of the function's own account and region.
#[derive(Clone, Debug)]
pub struct KeyService(Client);

impl KeyService {
    /// Decrypts through `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// What `encoded`, the part of a value after [`PREFIX`], is the ciphertext of. `what` names where the value stands.
    pub async fn unwrap(&self, what: &impl Display, encoded: &str) -> Result<SecretString, PortError> {
        let unusable = || PortError::Unusable {
            what: format!("the wrapped value of {what}"),
            remedy: REMEDY.to_owned(),
        };
        let sealed = BASE64.decode(encoded.trim().as_bytes()).map_err(|_| unusable())?;
        let (name, value) = CONTEXT;
        let decrypt = self.0.decrypt().ciphertext_blob(Blob::new(sealed));
        let answer = decrypt.encryption_context(name, value).send().await.map_err(|error| {
            if error.code().is_some_and(|code| FOR_EVER.contains(&code)) {
                unusable()
            } else {
                let grant = format!(
                    "kms:Decrypt on the key that it is wrapped with, for the encryption context {name}={value}"
                );
                port_error(format!("the wrapped value of {what}"), grant, &error)
            }
        })?;
        let plain = answer.plaintext.map(Blob::into_inner).ok_or_else(unusable)?;
        let text = String::from_utf8(plain).map_err(|_| unusable())?;
        Ok(text.into())
    }
}

/// With these another try ends the same (Decrypt reference, "Errors", read 2026-11-22).
const FOR_EVER: &[&str] = &[
    "DisabledException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "InvalidKeyUsageException",
    "KMSInvalidStateException",
    "NotFoundException",
    "ValidationException",
];

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::loopback::Loopback;

    const WHAT: &str = "SSM parameter /uptake/identity-key";

    async fn unwrap(service: &Loopback, encoded: &str) -> Result<SecretString, PortError> {
        let keys = KeyService::new(Client::new(&service.sdk_config()));
        keys.unwrap(&WHAT, encoded).await
    }

    #[tokio::test]
    async fn a_wrapped_value_is_decrypted_for_its_purpose_only() {
        let answer = format!(r#"{{"KeyId": "k", "Plaintext": "{}"}}"#, BASE64.encode(b"the secret"));
        let service = Loopback::answering(200, answer).await;
        let secret = unwrap(&service, &(BASE64.encode(b"sealed") + "\n")).await.unwrap();
        assert_eq!(secret.expose_secret(), "the secret");
        let asked: serde_json::Value = serde_json::from_slice(&service.requests()[0]).unwrap();
        assert_eq!(
            asked["EncryptionContext"],
            serde_json::json!({"uptake": "identity-key"})
        );
        assert_eq!(asked["CiphertextBlob"], BASE64.encode(b"sealed"));
    }

    #[tokio::test]
    async fn a_failure_says_what_to_do_and_quotes_nothing() {
        let fault = |code: &str| format!(r#"{{"__type": "{code}", "message": "as KMS puts it"}}"#);
        let service = Loopback::answering(400, fault("InvalidCiphertextException")).await;
        for encoded in [BASE64.encode(b"sealed"), "c2VhbGVk!".to_owned()] {
            let error = unwrap(&service, &encoded).await.unwrap_err();
            assert!(matches!(error, PortError::Unusable { .. }), "{error}");
            let message = error.to_string();
            assert!(
                message.starts_with("the wrapped value of SSM parameter /uptake/identity-key"),
                "{message}"
            );
            assert!(
                message.contains("aws kms encrypt") && !message.contains("c2Vh"),
                "{message}"
            );
        }
        let service = Loopback::answering(400, fault("AccessDeniedException")).await;
        let message = unwrap(&service, &BASE64.encode(b"sealed"))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("grant kms:Decrypt on the key that it is wrapped with"),
            "{message}"
        );
    }
}
