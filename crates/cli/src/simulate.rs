//! `uptake simulate`: the simulator until it is interrupted.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use uptake_domain::calendar::day_of;
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{ENTERPRISE, Scenario, Settings, Simulator, TOKEN};

use crate::End;
use crate::args::Simulate;
use crate::terminal;

pub(crate) async fn execute(simulate: &Simulate) -> anyhow::Result<End> {
    let scenario = match &simulate.scenario {
        None => Scenario::default(),
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Scenario::parse(&text).with_context(|| format!("scenario {}", path.display()))?
        }
    };
    let today = simulate.today.unwrap_or_else(|| day_of(SystemClock.now()));
    let settings = Settings {
        latency: Duration::from_millis(simulate.latency_ms),
        ..Settings::new(simulate.seats, simulate.seed, today)
    }
    .with_scenario(scenario);
    let seats = settings.seats;
    let simulator = Simulator::start_on(simulate.listen, settings).await?;
    let url = simulator.url();
    terminal::say(&format!(
        "A made-up GitHub with {seats} seats listens at {url}. In another terminal:\n\n  \
         export UPTAKE_GITHUB_API_URL={url} UPTAKE_GITHUB_ENTERPRISE={ENTERPRISE} UPTAKE_GITHUB_TOKEN={TOKEN}\n  \
         uptake run copilot-seats --date {today}\n\n\
         What it was asked: {url}/_simulator/requests. Stop it with Ctrl-C."
    ));
    std::future::pending::<()>().await;
    drop(simulator);
    Ok(End::Done)
}
