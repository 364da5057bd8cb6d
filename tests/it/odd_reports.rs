//! A server in front of the simulator that rewrites usage reports, as an upstream does that has changed its mind.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use tokio::net::TcpListener;

/// What becomes of a report's text.
pub(crate) type Rewrite = fn(&str) -> String;

/// Serves whatever lies behind `url`, with Copilot usage reports as `rewrite` makes them.
pub(crate) async fn serve(url: String, rewrite: Rewrite) -> String {
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
    let is_report = uri.path().contains("getMicrosoft365CopilotUsageUserDetail");
    let body = if is_report && status.is_success() {
        rewrite(&body)
    } else {
        body
    };
    (status, headers, body)
}
