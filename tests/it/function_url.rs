//! A function URL on loopback: HTTP in, the events that Lambda makes of it to release binaries, their answers back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::runtime_api::Function;

/// The largest request that Lambda hands on (docs.aws.amazon.com, "Lambda quotas", read 2026-11-22).
const MOST_BYTES: usize = 6 * 1024 * 1024;

/// The processes of a function that have nothing to do. A request waits for one of them, as behind a concurrency limit.
struct Pool {
    idle: Mutex<mpsc::Receiver<Arc<Function>>>,
    back: mpsc::Sender<Arc<Function>>,
}

/// A running function URL; it ends with the test's runtime.
pub(crate) struct FunctionUrl {
    pub(crate) url: String,
    processes: Vec<Arc<Function>>,
}

impl FunctionUrl {
    /// In front of these processes of one function.
    pub(crate) async fn of(processes: Vec<Function>) -> Self {
        let processes: Vec<Arc<Function>> = processes.into_iter().map(Arc::new).collect();
        let (back, idle) = mpsc::channel(processes.len());
        for process in &processes {
            back.send(Arc::clone(process)).await.ok().unwrap();
        }
        let pool = Arc::new(Pool {
            idle: idle.into(),
            back,
        });
        let app = Router::new()
            .fallback(handed_on)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(pool);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, processes }
    }

    /// Everything its processes wrote so far.
    pub(crate) fn written(&self) -> String {
        self.processes.iter().map(|process| process.written()).collect()
    }
}

async fn handed_on(
    State(pool): State<Arc<Pool>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    let process = pool.idle.lock().await.recv().await.unwrap();
    let answer = process.invoke(event(&method, &uri, &headers, &body)).await;
    pool.back.send(process).await.ok().unwrap();
    match answer {
        Ok(answer) => {
            assert_eq!(answer["isBase64Encoded"], false, "{answer}");
            let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
            let headers = answer["headers"].as_object().unwrap().iter().map(|(name, value)| {
                let value: HeaderValue = value.as_str().unwrap().parse().unwrap();
                (name.parse::<HeaderName>().unwrap(), value)
            });
            let body = answer["body"].as_str().unwrap().to_owned();
            (StatusCode::from_u16(status).unwrap(), headers.collect(), body)
        }
        Err(_) => (
            StatusCode::BAD_GATEWAY,
            HeaderMap::new(),
            "Internal Server Error".to_owned(),
        ),
    }
}

/// Payload format 2.0.
fn event(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|there| *there = format!("{there},{value}"))
            .or_insert_with(|| value.to_string());
    }
    let content_type = joined.get("content-type").map_or("", String::as_str);
    let is_text = content_type.starts_with("application/json") || content_type.starts_with("text/");
    let text = str::from_utf8(body).ok().filter(|_| is_text);
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "urlid",
            "domainName": "urlid.lambda-url.us-east-1.on.aws",
            "http": {
                "method": method.as_str(), "path": uri.path(), "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": uuid::Uuid::new_v4(),
            "stage": "$default",
            "time": "22/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1_795_341_600_000_u64,
        },
        "body": text.map_or_else(|| BASE64.encode(body), str::to_owned),
        "isBase64Encoded": text.is_none(),
    })
}
