//! `uptake erase`: what is recorded of somebody's use goes for good.

use std::sync::Arc;

use uptake_domain::wording::thousands;
use uptake_pipeline::engagement::Lakes;
use uptake_pipeline::erase;
use uptake_pipeline::ports::SystemClock;

use crate::End;
use crate::args::Erase;
use crate::place::Address;
use crate::terminal::{self, TerminalProgress};

pub(crate) async fn execute(what: &Erase, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let mut environment = Address::environment(get);
    let (address, exclusions) = (Address::read(&mut environment), environment.exclusions());
    // Without a key there is no telling whose rows of engagement are whose; `engagement` deletes them on its next run.
    let has_key = ["UPTAKE_IDENTITY_KEY", "UPTAKE_IDENTITY_KEY_PARAMETER"]
        .iter()
        .any(|name| get(name).is_some());
    let config = has_key.then(|| environment.engagement()).flatten();
    let (address, exclusions) = environment.finish(address.zip(exclusions))?;
    let place = address.connect().await?;
    let identity = match config {
        Some(config) => Some(config.identity(place.secrets()).await?),
        None => None,
    };
    let exclusions = exclusions.connect(place.secrets(), Arc::new(SystemClock)).await?;
    let (silver, own) = (place.lake().await?, place.engagement_lake().await?);
    let lakes = Lakes {
        silver: &silver,
        engagement: &own,
    };
    let progress = TerminalProgress::default();
    let ports = place.ports(&progress);
    let erased = erase::erase(lakes, place.kept(), &exclusions, identity.as_ref(), ports, &what.name).await?;
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
