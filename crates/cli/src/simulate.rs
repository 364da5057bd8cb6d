//! `uptake simulate`: the simulator until it is interrupted.

use std::fmt::Display;
use std::fs;
use std::time::Duration;

use jiff::ToSpan;
use uptake_domain::calendar::day_of;
use uptake_pipeline::config::ConfigFaults;
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{
    CLIENT_ID, CLIENT_SECRET, ENTERPRISE, ORGANISATIONS, Scenario, Settings, Simulator, SimulatorError, TENANT, TOKEN,
};

use crate::End;
use crate::args::Simulate;
use crate::terminal;

pub(crate) async fn execute(simulate: &Simulate) -> anyhow::Result<End> {
    let scenario = match &simulate.scenario {
        None => Scenario::default(),
        Some(path) => {
            let unusable = |error: &dyn Display| ConfigFaults::one(format!("scenario {}: {error}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| unusable(&error))?;
            Scenario::parse(&text).map_err(|error| unusable(&error))?
        }
    };
    let today = simulate.today.unwrap_or_else(|| day_of(SystemClock.now()));
    let settings = Settings {
        repositories: simulate.repositories,
        runs_per_day: simulate.runs_per_day,
        tenant_users: simulate.tenant_users,
        latency: Duration::from_millis(simulate.latency_ms),
        ..Settings::new(simulate.seats, simulate.seed, today)
    }
    .with_scenario(scenario);
    let Settings {
        seats,
        repositories,
        tenant_users,
        ..
    } = settings;
    let simulator = Simulator::start_on(simulate.listen, settings)
        .await
        .map_err(|error| match error {
            SimulatorError::Bind { .. } => anyhow::Error::from(error),
            _ => ConfigFaults::one(error.to_string()).into(),
        })?;
    let url = simulator.url();
    let organisations = ORGANISATIONS.join(",");
    let tomorrow = today.saturating_add(1.day());
    terminal::say(&format!(
        "A made-up GitHub with {seats} seats and {repositories} repositories and a made-up Microsoft 365 with {tenant_users} people \
         listen at {url}. In another terminal:\n\n  \
         export UPTAKE_GITHUB_API_URL={url} UPTAKE_GITHUB_TOKEN={TOKEN}\n  \
         export UPTAKE_GITHUB_ENTERPRISE={ENTERPRISE} UPTAKE_GITHUB_ORGS={organisations}\n  \
         export UPTAKE_LOGIN_URL={url} UPTAKE_GRAPH_URL={url} UPTAKE_TENANT_ID={TENANT}\n  \
         export UPTAKE_CLIENT_ID={CLIENT_ID} UPTAKE_CLIENT_SECRET={CLIENT_SECRET}\n  \
         export UPTAKE_STORE=file://$PWD/simulated-data UPTAKE_SENDER=uptake@octo.example UPTAKE_LICENSE_PRICE=30\n  \
         uptake run copilot-seats --date {today}\n  \
         uptake run workflow-metrics --date {today}\n  \
         uptake run m365-usage --date {today}\n  \
         uptake run scoring --date {today}\n\n\
         The next day: curl -H 'content-type: application/json' -d '{{\"today\": \"{tomorrow}\"}}' {url}/_simulator/today\n\
         Limits are those of GitHub and Microsoft, 14 reports in ten minutes among them; a scenario file can raise them.\n\
         What it was asked: {url}/_simulator/requests. Stop it with Ctrl-C."
    ));
    std::future::pending::<()>().await;
    drop(simulator);
    Ok(End::Done)
}
