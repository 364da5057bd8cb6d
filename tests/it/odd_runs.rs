//! A server in front of the simulator that spoils single runs of a page, as an upstream does that has changed its mind.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;

/// Serves whatever lies behind `url`, and every seventh listed run without the instant at which it was created.
pub(crate) async fn serve(url: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(pass_on).with_state((url, own.clone()));
    tokio::spawn(axum::serve(listener, app).into_future());
    own
}

async fn pass_on(State((url, own)): State<(String, String)>, headers: HeaderMap, uri: Uri) -> impl IntoResponse {
    let request = reqwest::Client::new()
        .get(format!("{url}{uri}"))
        .header("user-agent", "odd-runs")
        .header("authorization", headers["authorization"].clone());
    let answer = request.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let link = answer
        .headers()
        .get("link")
        .map(|link| link.to_str().unwrap().replace(&url, &own));
    let body = answer.bytes().await.unwrap();
    let mut headers = HeaderMap::new();
    if let Some(link) = link {
        headers.insert("link", link.parse().unwrap());
    }
    (status, headers, spoil(&body))
}

fn spoil(body: &Bytes) -> Bytes {
    let Ok(mut page) = serde_json::from_slice::<Value>(body) else {
        return body.clone();
    };
    if let Some(runs) = page.get_mut("workflow_runs").and_then(Value::as_array_mut) {
        for run in runs
            .iter_mut()
            .filter(|run| run["id"].as_u64().unwrap().is_multiple_of(7))
        {
            run.as_object_mut().unwrap().remove("created_at");
        }
    }
    page.to_string().into()
}
