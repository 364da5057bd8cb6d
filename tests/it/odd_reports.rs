//! A server in front of the simulator that rewrites what Microsoft says, as an upstream does that has changed its mind.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use tokio::net::TcpListener;

const SKUS: &str = "/v1.0/subscribedSkus";
const USAGE: &str = "getMicrosoft365CopilotUsageUserDetail";

/// What becomes of an answer's text, by its path; nothing makes it a 400.
type Rewrite = Arc<dyn Fn(&str, &str) -> Option<String> + Send + Sync>;

/// Serves whatever lies behind `url`, with Copilot usage reports as `rewrite` makes them.
pub(crate) async fn serve(url: String, rewrite: fn(&str) -> String) -> String {
    let of_usage = move |path: &str, text: &str| {
        Some(if path.contains(USAGE) {
            rewrite(text)
        } else {
            text.to_owned()
        })
    };
    start(url, Arc::new(of_usage)).await
}

/// The same, of a tenant that has bought nothing.
pub(crate) async fn serve_empty(url: String, rewrite: fn(&str) -> String) -> String {
    let of_both = move |path: &str, text: &str| {
        Some(match path {
            SKUS => r#"{"value":[]}"#.to_owned(),
            path if path.contains(USAGE) => rewrite(text),
            _ => text.to_owned(),
        })
    };
    start(url, Arc::new(of_both)).await
}

/// Serves whatever lies behind `url`, and an empty list of what the tenant has bought.
pub(crate) async fn serve_without_skus(url: String) -> String {
    let of_skus = |path: &str, text: &str| {
        Some(if path == SKUS {
            r#"{"value":[]}"#.to_owned()
        } else {
            text.to_owned()
        })
    };
    start(url, Arc::new(of_skus)).await
}

/// Serves whatever lies behind `url` but for the usage report of 28 days.
pub(crate) async fn serve_without_28_days(url: String) -> String {
    let but_one = |path: &str, text: &str| (!(path.contains(USAGE) && path.contains("D28"))).then(|| text.to_owned());
    start(url, Arc::new(but_one)).await
}

async fn start(url: String, rewrite: Rewrite) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(pass_on).with_state((url, own.clone(), rewrite));
    tokio::spawn(axum::serve(listener, app).into_future());
    own
}

async fn pass_on(
    State((url, own, rewrite)): State<(String, String, Rewrite)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    // Where a report is downloaded from is another host, which this one does not stand in front of.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let mut request = client
        .build()
        .unwrap()
        .request(method, format!("{url}{uri}"))
        .body(body);
    for name in ["authorization", "content-type"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value.clone());
        }
    }
    let answer = request.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let mut headers = HeaderMap::new();
    for name in ["content-type", "location"] {
        if let Some(value) = answer.headers().get(name) {
            headers.insert(name, value.clone());
        }
    }
    let body = answer.text().await.unwrap().replace(&url, &own);
    if !status.is_success() {
        return (status, headers, body);
    }
    match rewrite(uri.path(), &body) {
        Some(body) => (status, headers, body),
        None => (StatusCode::BAD_REQUEST, HeaderMap::new(), "{}".to_owned()),
    }
}
