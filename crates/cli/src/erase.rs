//! `uptake erase`: what is recorded of somebody's use goes for good.

use std::sync::Arc;

use uptake_domain::wording::thousands;
use uptake_pipeline::config::{Environment, Face};
use uptake_pipeline::engagement::Lakes;
use uptake_pipeline::erase;
use uptake_pipeline::ports::{Ports, SystemClock};

use crate::args::Erase;
use crate::folder::NoParameters;
use crate::terminal::{self, TerminalProgress};
use crate::{End, folder};

pub(crate) async fn execute(what: &Erase, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let mut environment = Environment::new(Face::CommandLine, get);
    let (folder, exclusions) = (folder(&mut environment), environment.exclusions());
    // Without a key there is no telling whose rows of engagement are whose; `engagement` deletes them on its next run.
    let config = get("UPTAKE_IDENTITY_KEY").map(|_| environment.engagement());
    let (folder, exclusions) = environment.finish(folder.zip(exclusions))?;
    let identity = match config.flatten() {
        Some(config) => Some(config.identity(&NoParameters).await?),
        None => None,
    };
    let exclusions = exclusions.connect(&NoParameters, Arc::new(SystemClock)).await?;
    let (silver, own) = (folder.lake()?, folder.engagement_lake()?);
    let lakes = Lakes {
        silver: &silver,
        engagement: &own,
    };
    let progress = TerminalProgress::default();
    let ports = Ports {
        files: &folder,
        metrics: &folder,
        clock: &SystemClock,
        progress: &progress,
    };
    let erased = erase::erase(lakes, &exclusions, identity.as_ref(), ports, &what.name).await?;
    drop(progress);
    if what.json {
        terminal::say(&serde_json::json!(erased).to_string());
        return Ok(End::Done);
    }
    let mut rows: Vec<(String, String)> = erased
        .rows
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), format!("{} rows", thousands(*rows))))
        .collect();
    rows.push((
        "kept answers and lists".to_owned(),
        format!("{} are shorter now", thousands(erased.files)),
    ));
    terminal::print_rows(&rows);
    if identity.is_none() {
        terminal::say(
            "\nThe engagement tables are left to `uptake run engagement`; with UPTAKE_IDENTITY_KEY set, this command clears them, too.",
        );
    }
    terminal::say("\nThe account and its licences stay. Mails that were sent are not called back.");
    Ok(End::Done)
}
