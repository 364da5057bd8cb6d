//! `uptake seed-test-data`: made-up people in the engagement tables, for trying things out.

use serde_json::json;
use uptake_domain::wording::thousands;
use uptake_pipeline::config::{Environment, Face};
use uptake_pipeline::engagement::test_data::{self, Seeding};
use uptake_pipeline::ports::{Ports, SystemClock};
use uuid::Uuid;

use crate::args::SeedTestData;
use crate::folder::NoParameters;
use crate::terminal::TerminalProgress;
use crate::{End, folder, terminal};

pub(crate) async fn execute(what: &SeedTestData, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let mut environment = Environment::new(Face::CommandLine, get);
    let (folder, config) = (folder(&mut environment), environment.engagement());
    let (folder, config) = environment.finish(folder.zip(config))?;
    let lake = folder.engagement_lake()?;
    let identity = config.identity(&NoParameters).await?;
    if what.remove {
        let removed = test_data::remove(&lake, &identity, &folder).await?;
        if what.json {
            terminal::say(&json!({ "removed": removed }).to_string());
        } else {
            terminal::say(&format!(
                "{} rows of made-up people are taken out; nobody made up is left",
                thousands(removed)
            ));
        }
        return Ok(End::Done);
    }
    let seeding = Seeding {
        users: what.users.unwrap_or_default(),
        weeks: what.weeks,
        into_real_data: what.into_real_data,
    };
    let progress = TerminalProgress::default();
    let ports = Ports {
        files: &folder,
        metrics: &folder,
        clock: &SystemClock,
        progress: &progress,
    };
    let invocation_id = Uuid::new_v4().to_string();
    let seeded = test_data::seed(&lake, &config, &identity, ports, seeding, &invocation_id).await?;
    drop(progress);
    if what.json {
        terminal::say(&json!(seeded).to_string());
        return Ok(End::Done);
    }
    terminal::say(&format!(
        "{} made-up people from {} to {}: {} rows",
        thousands(u64::from(seeded.users)),
        seeded.first_on,
        seeded.last_on,
        thousands(seeded.rows)
    ));
    terminal::print_rows(&[
        (
            "  next".to_owned(),
            "uptake engagement leaderboard --resolve".to_owned(),
        ),
        ("  undo".to_owned(), "uptake seed-test-data --remove".to_owned()),
    ]);
    Ok(End::Done)
}
