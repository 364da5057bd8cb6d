//! Hints: messages of one SQS queue.

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use uptake_pipeline::ports::{PortError, Queue};

use crate::adapters::Adapters;
use crate::service_error::port_error;

/// The codes with which SQS says that there is no such queue: in a header as ever, and in the body of its JSON protocol.
const NO_QUEUE: &[&str] = &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];

/// A queue, named by its URL.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: Client,
    url: String,
}

impl Sqs {
    /// Sends through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl Adapters {
    /// The queue with this URL. Its connections are kept for the next call.
    pub fn queue(&self, url: &str) -> Sqs {
        let client = self.queues.get_or_init(|| Client::new(&self.config));
        Sqs::new(client.clone(), url.to_owned())
    }
}

#[async_trait]
impl Queue for Sqs {
    async fn send(&self, message: &str) -> Result<(), PortError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(message);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.code() {
                Some(code) if NO_QUEUE.contains(&code) => PortError::Missing {
                    what: "the activity queue".to_owned(),
                    remedy: "create it, or correct UPTAKE_ACTIVITY_QUEUE_URL".to_owned(),
                },
                _ => port_error(
                    "the activity queue".to_owned(),
                    "sqs:SendMessage on the queue that UPTAKE_ACTIVITY_QUEUE_URL names".to_owned(),
                    &error,
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;

    const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/uptake-activity";

    fn queue(service: &Loopback) -> Sqs {
        Sqs::new(Client::new(&service.sdk_config()), URL.to_owned())
    }

    #[tokio::test]
    async fn a_message_is_sent_once_and_as_it_is() {
        let body = r#"{"MessageId": "1", "MD5OfMessageBody": "49f68a5c8493ec2c0bf489821c21fc3b"}"#;
        let service = Loopback::answering(200, body).await;
        queue(&service).send("hi").await.unwrap();
        let requests = service.requests();
        assert_eq!(requests.len(), 1);
        let sent = String::from_utf8_lossy(&requests[0]);
        assert!(
            sent.contains(r#""MessageBody":"hi""#) && sent.contains("uptake-activity"),
            "{sent}"
        );
    }

    #[tokio::test]
    async fn a_failure_says_what_to_do() {
        for (code, expected) in [
            (
                "com.amazonaws.sqs#QueueDoesNotExist",
                "the activity queue does not exist; create it, or correct UPTAKE_ACTIVITY_QUEUE_URL",
            ),
            (
                "com.amazonaws.sqs#AccessDeniedException",
                "the activity queue: access denied; grant sqs:SendMessage on the queue that UPTAKE_ACTIVITY_QUEUE_URL names",
            ),
            (
                "com.amazonaws.sqs#InvalidMessageContents",
                "the activity queue: InvalidMessageContents: as SQS puts it",
            ),
        ] {
            let body = format!(r#"{{"__type": "{code}", "message": "as SQS puts it"}}"#);
            let service = Loopback::answering(400, body).await;
            let message = queue(&service).send("hi").await.unwrap_err().to_string();
            assert_eq!(message, expected);
        }
    }
}
