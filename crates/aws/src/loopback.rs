//! A service on loopback for tests: gives canned answers, and remembers the bodies it got.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::http::StatusCode;
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// How long the SDK waits for an answer: long for loopback, short for a test.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// A running service; it ends with the test's runtime.
pub(crate) struct Loopback {
    url: String,
    requests: Arc<Mutex<Vec<Bytes>>>,
}

impl Loopback {
    /// Answers every request with this status and body.
    pub(crate) async fn answering(status: u16, body: impl Into<Bytes>) -> Self {
        Self::answering_in_turn(vec![(status, body)]).await
    }

    /// Answers the first request with the first status and body and so on, and goes on with the last.
    pub(crate) async fn answering_in_turn(answers: Vec<(u16, impl Into<Bytes>)>) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answers: Vec<(StatusCode, Bytes)> = answers
            .into_iter()
            .map(|(status, body)| (StatusCode::from_u16(status).unwrap(), body.into()))
            .collect();
        let app = Router::new().fallback(async move |request: Bytes| {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            answers[seen.len().min(answers.len()) - 1].clone()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, requests }
    }

    /// Reads a request, says nothing, and hangs up after a while.
    pub(crate) async fn hanging_up_after(silence: Duration) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 65_536];
                let length = socket.read(&mut request).await.unwrap();
                request.truncate(length);
                seen.lock().unwrap().push(request.into());
                tokio::time::sleep(silence).await;
            }
        });
        Self { url, requests }
    }

    /// An address where nobody listens.
    pub(crate) async fn absent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self {
            url,
            requests: Arc::default(),
        }
    }

    /// The SDK's configuration that leads here, with dummy keys.
    pub(crate) fn sdk_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(&self.url)
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(TIMEOUT).build())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .build()
    }

    /// The bodies received so far.
    pub(crate) fn requests(&self) -> Vec<Bytes> {
        self.requests.lock().unwrap().clone()
    }
}
