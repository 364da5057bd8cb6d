//! `uptake grafana push` against a Grafana and an Amazon Managed Grafana on loopback, which remember what they were told.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::extract::{Path as Segments, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "glsa_of_a_service_account";

/// What a Grafana holds.
#[derive(Clone, Default)]
struct Held {
    folders: BTreeMap<String, String>,
    sources: BTreeMap<String, Value>,
    /// By uid: the folder, the version, the dashboard.
    dashboards: BTreeMap<String, (String, u64, Value)>,
    requests: usize,
    /// Of the managed one: service accounts that are there, and how many there have been.
    accounts: Vec<String>,
    accounts_made: usize,
}

type Shared = Arc<Mutex<Held>>;

/// A Grafana and the service that manages it, at one address.
struct FakeGrafana {
    url: String,
    held: Shared,
}

impl FakeGrafana {
    async fn start() -> Self {
        let held = Shared::default();
        let grafana = Router::new()
            .route("/api/folders", post(new_folder))
            .route("/api/folders/{uid}", get(folder).put(old_folder))
            .route("/api/datasources", post(put_source))
            .route("/api/datasources/uid/{uid}", get(source).put(old_source))
            .route("/api/dashboards/db", post(dashboard))
            .layer(middleware::from_fn_with_state(Arc::clone(&held), admit));
        let managed = Router::new()
            .route("/workspaces/{id}/serviceaccounts", post(new_account))
            .route("/workspaces/{id}/serviceaccounts/{account}", delete(end_account))
            .route("/workspaces/{id}/serviceaccounts/{account}/tokens", post(new_token));
        let app = grafana.merge(managed).with_state(Arc::clone(&held));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, held }
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap().clone()
    }
}

async fn admit(State(held): State<Shared>, request: Request, next: Next) -> Result<Response, StatusCode> {
    held.lock().unwrap().requests += 1;
    let shown = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if shown == Some(format!("Bearer {TOKEN}").as_str()) {
        Ok(next.run(request).await)
    } else {
        Err(StatusCode::UNAUTHORIZED)
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

async fn new_folder(State(held): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    match held
        .lock()
        .unwrap()
        .folders
        .insert(text(&body, "uid"), text(&body, "title"))
    {
        None => StatusCode::OK,
        Some(_) => StatusCode::CONFLICT,
    }
}

async fn folder(State(held): State<Shared>, Segments(uid): Segments<String>) -> Result<Json<Value>, StatusCode> {
    let held = held.lock().unwrap();
    let title = held.folders.get(&uid).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"uid": uid, "title": title, "version": 1})))
}

async fn old_folder(
    State(held): State<Shared>,
    Segments(uid): Segments<String>,
    Json(body): Json<Value>,
) -> StatusCode {
    assert_eq!(
        body["overwrite"], true,
        "without it, a folder of another version is refused"
    );
    held.lock().unwrap().folders.insert(uid, text(&body, "title"));
    StatusCode::OK
}

async fn put_source(State(held): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    match held.lock().unwrap().sources.insert(text(&body, "uid"), body) {
        None => StatusCode::OK,
        Some(_) => StatusCode::CONFLICT,
    }
}

async fn source(State(held): State<Shared>, Segments(uid): Segments<String>) -> Result<Json<Value>, StatusCode> {
    held.lock()
        .unwrap()
        .sources
        .get(&uid)
        .cloned()
        .map(Json)
        .ok_or(StatusCode::NOT_FOUND)
}

async fn old_source(
    State(held): State<Shared>,
    Segments(uid): Segments<String>,
    Json(body): Json<Value>,
) -> StatusCode {
    held.lock().unwrap().sources.insert(uid, body);
    StatusCode::OK
}

async fn dashboard(State(held): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    assert_eq!(
        (&body["overwrite"], &body["dashboard"]["id"]),
        (&json!(true), &Value::Null)
    );
    let mut held = held.lock().unwrap();
    let folder = text(&body, "folderUid");
    if !held.folders.contains_key(&folder) {
        return StatusCode::BAD_REQUEST;
    }
    let uid = text(&body["dashboard"], "uid");
    let version = held.dashboards.get(&uid).map_or(0, |(_, version, _)| *version) + 1;
    held.dashboards
        .insert(uid, (folder, version, body["dashboard"].clone()));
    StatusCode::OK
}

async fn new_account(
    State(held): State<Shared>,
    Segments(id): Segments<String>,
    Json(body): Json<Value>,
) -> Json<Value> {
    assert_eq!(body["grafanaRole"], "ADMIN");
    let mut held = held.lock().unwrap();
    held.accounts_made += 1;
    let account = held.accounts_made.to_string();
    held.accounts.push(account.clone());
    Json(json!({"id": account, "name": body["name"], "grafanaRole": "ADMIN", "workspaceId": id}))
}

async fn new_token(Segments((id, account)): Segments<(String, String)>, Json(body): Json<Value>) -> Json<Value> {
    assert!(
        body["secondsToLive"].as_u64().is_some_and(|seconds| seconds <= 600),
        "{body}"
    );
    let token = json!({"id": "1", "name": body["name"], "key": TOKEN});
    Json(json!({"serviceAccountToken": token, "serviceAccountId": account, "workspaceId": id}))
}

async fn end_account(State(held): State<Shared>, Segments((id, account)): Segments<(String, String)>) -> Json<Value> {
    held.lock().unwrap().accounts.retain(|other| *other != account);
    Json(json!({"serviceAccountId": account, "workspaceId": id}))
}

/// A folder with these dashboards, and JSON that is none.
fn dashboards(of: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (uid, title) in of {
        let dashboard = json!({"id": 7, "uid": uid, "title": title, "panels": []});
        fs::write(folder.path().join(format!("{uid}.json")), dashboard.to_string()).unwrap();
    }
    fs::write(folder.path().join("metrics.json"), "[]").unwrap();
    folder
}

fn push(folder: &Path, variables: &[(&str, &str)]) -> Output {
    push_with(folder, variables, &[])
}

fn push_with(folder: &Path, variables: &[(&str, &str)], options: &[&str]) -> Output {
    let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/uptake");
    assert!(
        binary.is_file(),
        "target/release/uptake does not exist; run `make build` first"
    );
    Command::new(binary)
        .args(["grafana", "push", "--dashboards"])
        .arg(folder)
        .args(options)
        .env_clear()
        .env("AWS_REGION", "eu-central-1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_makes_folder_data_source_and_dashboards_once_however_often_it_is_given() {
    let grafana = FakeGrafana::start().await;
    let variables = [
        ("UPTAKE_GRAFANA_URL", grafana.url.as_str()),
        ("UPTAKE_GRAFANA_TOKEN", TOKEN),
    ];
    let folder = dashboards(&[("uptake-overview", "Overview"), ("uptake-workflows", "Workflows")]);
    for version in 1..=3 {
        let pushed = push(folder.path(), &variables);
        assert!(pushed.status.success(), "{}", printed(&pushed));
        assert!(
            printed(&pushed).contains(&format!("{}/d/uptake-overview", grafana.url)),
            "{}",
            printed(&pushed)
        );
        assert!(!printed(&pushed).contains(TOKEN));
        let held = grafana.held();
        assert_eq!(
            held.folders,
            BTreeMap::from([("uptake".to_owned(), "Uptake".to_owned())])
        );
        let [source]: [&Value; 1] = held.sources.values().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            (&source["type"], &source["jsonData"]["defaultRegion"]),
            (&json!("cloudwatch"), &json!("eu-central-1"))
        );
        let versions: Vec<(&str, &str, u64)> = held
            .dashboards
            .iter()
            .map(|(uid, (folder, version, _))| (uid.as_str(), folder.as_str(), *version))
            .collect();
        assert_eq!(
            versions,
            [
                ("uptake-overview", "uptake", version),
                ("uptake-workflows", "uptake", version)
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_a_data_source_where_workgroup_and_database_are_told() {
    let grafana = FakeGrafana::start().await;
    let variables = [
        ("UPTAKE_GRAFANA_URL", grafana.url.as_str()),
        ("UPTAKE_GRAFANA_TOKEN", TOKEN),
    ];
    let folder = dashboards(&[("uptake-overview", "Overview")]);
    let (workgroup, database) = (
        ["--athena-workgroup", "uptake-dev-lake"],
        ["--athena-database", "uptake_dev"],
    );
    let pushed = push_with(folder.path(), &variables, &[workgroup, database].concat());
    assert!(pushed.status.success(), "{}", printed(&pushed));
    let held = grafana.held();
    let source = &held.sources["uptake-athena"];
    assert_eq!(source["type"], "grafana-athena-datasource");
    assert_eq!(
        source["jsonData"],
        json!({"authType": "default", "defaultRegion": "eu-central-1", "catalog": "AwsDataCatalog",
               "workgroup": "uptake-dev-lake", "database": "uptake_dev"})
    );
    let half = push_with(folder.path(), &variables, &workgroup);
    assert_eq!(half.status.code(), Some(2), "{}", printed(&half));
    assert!(printed(&half).contains("--athena-database"), "{}", printed(&half));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_before_anything_is_sent() {
    let grafana = FakeGrafana::start().await;
    let fine = [
        ("UPTAKE_GRAFANA_URL", grafana.url.as_str()),
        ("UPTAKE_GRAFANA_TOKEN", TOKEN),
    ];
    let folder = dashboards(&[("uptake-overview", "Overview")]);
    let without_uid = dashboards(&[]);
    fs::write(without_uid.path().join("x.json"), r#"{"title": "X", "panels": []}"#).unwrap();
    let empty = dashboards(&[]);
    let cut = dashboards(&[]);
    fs::write(cut.path().join("x.json"), r#"{"title": "#).unwrap();
    for (folder, variables, code, said) in [
        (folder.path(), &fine[..1], 2, "UPTAKE_GRAFANA_WORKSPACE"),
        (folder.path(), &fine[1..], 2, "UPTAKE_GRAFANA_URL"),
        (without_uid.path(), &fine[..], 1, "has no uid"),
        (cut.path(), &fine[..], 1, "is no JSON"),
        (empty.path(), &fine[..], 1, "there is no dashboard"),
        (Path::new("/nowhere"), &fine[..], 1, "/nowhere cannot be read"),
    ] {
        let refused = push(folder, variables);
        assert_eq!(refused.status.code(), Some(code), "{}", printed(&refused));
        assert!(printed(&refused).contains(said), "{}", printed(&refused));
    }
    assert_eq!(grafana.held().requests, 0);
    let stranger = [
        ("UPTAKE_GRAFANA_URL", grafana.url.as_str()),
        ("UPTAKE_GRAFANA_TOKEN", "another"),
    ];
    let refused = push(folder.path(), &stranger);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        printed(&refused).contains("UPTAKE_GRAFANA_TOKEN"),
        "{}",
        printed(&refused)
    );
    assert!(!printed(&refused).contains("another"), "{}", printed(&refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_managed_workspace_keeps_no_service_account_however_a_push_ends() {
    let grafana = FakeGrafana::start().await;
    let variables = [
        ("UPTAKE_GRAFANA_URL", grafana.url.as_str()),
        ("UPTAKE_GRAFANA_WORKSPACE", "g-0123456789"),
        ("AWS_ENDPOINT_URL_GRAFANA", grafana.url.as_str()),
        ("AWS_ACCESS_KEY_ID", "dummy"),
        ("AWS_SECRET_ACCESS_KEY", "dummy"),
    ];
    let folder = dashboards(&[("uptake-overview", "Overview")]);
    let pushed = push(folder.path(), &variables);
    assert!(pushed.status.success(), "{}", printed(&pushed));
    let held = grafana.held();
    assert_eq!(
        (held.accounts.len(), held.accounts_made, held.dashboards.len()),
        (0, 1, 1)
    );

    // Nobody answers where the dashboards should go.
    let mut elsewhere = variables;
    elsewhere[0].1 = "http://127.0.0.1:9";
    let failed = push(folder.path(), &elsewhere);
    assert_eq!(failed.status.code(), Some(1), "{}", printed(&failed));
    let held = grafana.held();
    assert_eq!((held.accounts.len(), held.accounts_made), (0, 2));
}
