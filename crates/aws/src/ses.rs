//! Mail: each message is handed to SES once, and an answer that never came is told apart from a refusal.

use std::error::Error;
use std::iter::successors;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ses::Client;
use aws_sdk_ses::config::retry::RetryConfig;
use aws_sdk_ses::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ses::operation::send_raw_email::SendRawEmailError;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use uptake_pipeline::ports::{Letter, Mail, MailError};

use crate::service_error::is_denied;

/// SES in the function's own account and region.
#[derive(Clone, Debug)]
pub struct Ses(Client);

impl Ses {
    /// Sends with this configuration, but without the SDK's retries: repeating a request whose answer got lost would
    /// send the mail twice.
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_ses::config::Builder::from(config).retry_config(RetryConfig::disabled());
        Self(Client::from_conf(config.build()))
    }
}

#[async_trait]
impl Mail for Ses {
    async fn send(&self, letter: Letter<'_>) -> Result<String, MailError> {
        let message = RawMessage::builder()
            .data(Blob::new(letter.message))
            .build()
            .map_err(|error| MailError::Refused(error.to_string()))?;
        self.0
            .send_raw_email()
            .source(letter.sender.address())
            .destinations(letter.recipient.address())
            .raw_message(message)
            .send()
            .await
            .map(|answer| answer.message_id)
            .map_err(|error| mail_error(&error))
    }
}

/// Whether the mail certainly was not sent. SES's own message is left out: it names the address.
fn mail_error(error: &SdkError<SendRawEmailError>) -> MailError {
    match error {
        SdkError::ConstructionFailure(_) => MailError::Refused("the request could not be built".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            MailError::Refused("the request could not be built".to_owned())
        }
        SdkError::DispatchFailure(failure)
            if failure.as_connector_error().is_some_and(|error| never_connected(error)) =>
        {
            MailError::Refused("no connection to SES; check the function's network".to_owned())
        }
        SdkError::ServiceError(answer) if answer.raw().status().is_client_error() => {
            MailError::Refused(advice(answer.err()))
        }
        SdkError::ServiceError(answer) => MailError::InDoubt(format!("status {}", answer.raw().status().as_u16())),
        SdkError::TimeoutError(_) => MailError::InDoubt("no answer in time".to_owned()),
        SdkError::ResponseError(_) => MailError::InDoubt("the answer could not be read".to_owned()),
        _ => MailError::InDoubt("the connection broke off".to_owned()),
    }
}

/// Whether the failure lies before the first byte of the request.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}

/// What to do about a refusal.
fn advice(error: &SendRawEmailError) -> String {
    if is_denied(error) {
        return "access denied; grant ses:SendRawEmail on the sender's identity".to_owned();
    }
    let code = error.code().unwrap_or("no reason given");
    let advice = match code {
        "MessageRejected" => {
            "; verify the sender with SES and, while the account is in the SES sandbox, the recipient too"
        }
        "MailFromDomainNotVerifiedException" => "; publish the MX record of the sender's MAIL FROM domain",
        "AccountSendingPausedException" => "; SES has paused sending for the account, its console says why",
        "Throttling" => "; the account's SES sending quota is used up",
        _ => "",
    };
    format!("{code}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::{Loopback, TIMEOUT};
    use jiff::civil::date;
    use std::time::Duration;
    use uptake_domain::recipients::Recipient;

    async fn send(service: &Loopback) -> Result<String, MailError> {
        let recipient: Recipient = "mona@contoso.example".parse().unwrap();
        let sender: Recipient = "uptake@contoso.example".parse().unwrap();
        let letter = Letter {
            report: "copilot-seats",
            day: date(2026, 11, 20),
            sender: &sender,
            recipient: &recipient,
            message: b"To: mona@contoso.example\r\n\r\nhello",
            html: "hello",
        };
        let result = Ses::new(&service.sdk_config()).send(letter).await;
        if let Err(error) = &result {
            assert!(!error.to_string().contains("contoso"), "{error}");
        }
        result
    }

    fn error(code: &str, message: &str) -> String {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    }

    #[tokio::test]
    async fn an_accepted_mail_has_an_id_and_went_out_once() {
        let service = Loopback::answering(
            200,
            "<SendRawEmailResponse><SendRawEmailResult><MessageId>id-1</MessageId></SendRawEmailResult></SendRawEmailResponse>",
        )
        .await;
        assert_eq!(send(&service).await.unwrap(), "id-1");
        let requests = service.requests();
        assert_eq!(requests.len(), 1);
        let request = String::from_utf8(requests[0].to_vec()).unwrap();
        assert!(
            request.contains("Destinations.member.1=mona%40contoso.example"),
            "{request}"
        );
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated_and_does_not_name_the_recipient() {
        for (status, code, expected) in [
            (400, "MessageRejected", "verify the sender"),
            (400, "Throttling", "quota"),
            (403, "AccessDenied", "grant ses:SendRawEmail"),
            (403, "ExpiredToken", "ExpiredToken"),
        ] {
            let service = Loopback::answering(status, error(code, "not verified: mona@contoso.example")).await;
            let error = send(&service).await.unwrap_err();
            assert!(
                matches!(&error, MailError::Refused(reason) if reason.contains(expected)),
                "{error:?}"
            );
            assert_eq!(service.requests().len(), 1, "{code}");
        }
    }

    #[tokio::test]
    async fn a_failing_service_leaves_the_mail_in_doubt_and_is_not_asked_again() {
        for service in [
            Loopback::answering(503, error("ServiceUnavailable", "mona@contoso.example")).await,
            Loopback::answering(500, "").await,
            Loopback::answering(200, "not the answer of SES").await,
            Loopback::hanging_up_after(Duration::ZERO).await,
            Loopback::hanging_up_after(2 * TIMEOUT).await,
        ] {
            let error = send(&service).await.unwrap_err();
            assert!(matches!(error, MailError::InDoubt(_)), "{error:?}");
            assert_eq!(service.requests().len(), 1, "{error:?}");
        }
    }

    #[tokio::test]
    async fn without_a_connection_nothing_was_sent() {
        let error = send(&Loopback::absent().await).await.unwrap_err();
        assert!(
            matches!(&error, MailError::Refused(reason) if reason.contains("no connection")),
            "{error:?}"
        );
    }
}
