//! `uptake grafana push`: folder, data sources and dashboards, as they are in the repository, into a Grafana.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use secrecy::SecretString;
use serde_json::{Value, json};
use uptake_pipeline::config::{Environment, Face, GrafanaAccess, GrafanaPushConfig};
use uptake_pipeline::outcome::PipelineError;
use uptake_pipeline::ports::{Progress as _, SystemClock};
use uptake_upstream::clock::Deadline;
use uptake_upstream::grafana::Grafana;
use uptake_upstream::http::Patience;

use crate::End;
use crate::args::{self, GrafanaCommand};
use crate::terminal::{self, TerminalProgress};

/// Some twenty requests.
const PATIENCE: Duration = Duration::from_mins(5);
const FOLDER: (&str, &str) = ("uptake", "Uptake");

pub(crate) async fn execute(what: &args::Grafana, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let GrafanaCommand::Push {
        dashboards,
        athena_workgroup,
        athena_database,
    } = &what.command;
    let mut environment = Environment::new(Face::CommandLine, get);
    let config = environment.grafana_push();
    let config = environment.finish(config)?;
    // Read first: a file at fault must not leave half of the dashboards new and half of them old.
    let content = Content {
        dashboards: read(dashboards)?,
        sources: data_sources(
            &config.region,
            athena_workgroup.as_deref().zip(athena_database.as_deref()),
        ),
    };
    match &config.access {
        GrafanaAccess::Token(token) => push(&config, token.clone(), &content).await?,
        GrafanaAccess::Workspace(id) => with_workspace(&config, id, &content).await?,
    }
    Ok(End::Done)
}

/// What Grafana is given.
struct Content {
    dashboards: Vec<Value>,
    sources: Vec<Value>,
}

/// The dashboards in a folder, by file name. Other JSON has no `panels`.
fn read(folder: &Path) -> anyhow::Result<Vec<Value>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut dashboards = Vec::new();
    for path in paths {
        let text = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let dashboard: Value =
            serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        if dashboard.get("panels").is_none() {
            continue;
        }
        if !dashboard["uid"].is_string() || !dashboard["title"].is_string() {
            bail!(
                "{} has no uid or no title: without them it would be another dashboard each time",
                path.display()
            );
        }
        dashboards.push(dashboard);
    }
    if dashboards.is_empty() {
        bail!(
            "there is no dashboard in {}; name the folder with --dashboards",
            folder.display()
        );
    }
    Ok(dashboards)
}

/// Everything into the Grafana that the token is for.
async fn push(config: &GrafanaPushConfig, token: SecretString, content: &Content) -> anyhow::Result<()> {
    let grafana = Grafana::new(config.grafana.clone(), Arc::new(SystemClock), Patience::default());
    let grafana = grafana.map_err(PipelineError::from)?.with_token(token);
    let deadline = Deadline::within(PATIENCE);
    let (uid, title) = FOLDER;
    grafana
        .put_folder(uid, title, deadline)
        .await
        .map_err(PipelineError::from)?;
    for source in &content.sources {
        grafana
            .put_data_source(source, deadline)
            .await
            .map_err(PipelineError::from)?;
    }
    let progress = TerminalProgress::default();
    let mut rows = Vec::new();
    for (done, dashboard) in (1..).zip(&content.dashboards) {
        let message = "uptake grafana push";
        grafana
            .put_dashboard(dashboard, uid, message, deadline)
            .await
            .map_err(PipelineError::from)?;
        progress.show("dashboards", done, Some(content.dashboards.len() as u64));
        let text = |field: &str| dashboard[field].as_str().unwrap_or_default().to_owned();
        rows.push((text("title"), format!("{}/d/{}", config.grafana, text("uid"))));
    }
    drop(progress);
    terminal::print_rows(&rows);
    Ok(())
}

/// What the dashboards are drawn from, and where there is a workgroup and a database what tables are explored with. Grafana
/// signs with the role that it runs as.
fn data_sources(region: &str, tables: Option<(&str, &str)>) -> Vec<Value> {
    let source = |kind: &str, uid: &str, name: &str, mut settings: Value| {
        settings["authType"] = "default".into();
        settings["defaultRegion"] = region.into();
        json!({"uid": uid, "name": name, "type": kind, "access": "proxy", "jsonData": settings})
    };
    let metrics = source("cloudwatch", "uptake-cloudwatch", "Uptake CloudWatch", json!({}));
    let tables = tables.map(|(workgroup, database)| {
        let settings = json!({"catalog": "AwsDataCatalog", "workgroup": workgroup, "database": database});
        source("grafana-athena-datasource", "uptake-athena", "Uptake tables", settings)
    });
    std::iter::once(metrics).chain(tables).collect()
}

/// The same with a token that is made for it and deleted after it, however it ends.
#[cfg(feature = "aws")]
async fn with_workspace(config: &GrafanaPushConfig, id: &str, content: &Content) -> anyhow::Result<()> {
    let account = crate::grafana_workspace::ServiceAccount::create(id, &config.region).await?;
    let pushed = push(config, account.token(), content).await;
    let deleted = account.delete().await;
    pushed?;
    deleted
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with AWS there is something to wait for")]
async fn with_workspace(_config: &GrafanaPushConfig, id: &str, _content: &Content) -> anyhow::Result<()> {
    bail!(
        "this `uptake` was built without AWS and cannot get a token of workspace {id}; build it with `cargo build --release --package uptake-cli --features aws`, or set UPTAKE_GRAFANA_TOKEN"
    )
}
