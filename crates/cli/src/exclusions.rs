//! `uptake exclusions`: the list of people of whom no use is recorded.

use std::sync::Arc;
use std::time::Duration;

use uptake_pipeline::config::{Environment, Face};
use uptake_pipeline::exclusions::{census, refresh};
use uptake_pipeline::ports::{Ports, SystemClock, Unwatched};
use uptake_upstream::clock::Deadline;

use crate::args::{Exclusions, ExclusionsCommand};
use crate::folder::NoParameters;
use crate::{End, folder, store, terminal};

/// A list of some thousand people is read in seconds.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn execute(what: &Exclusions, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    match what.command {
        ExclusionsCommand::Refresh => {
            refresh(&store(get)?).await?;
            terminal::say("The next function reads the list anew.");
        }
        ExclusionsCommand::Check => {
            let mut environment = Environment::new(Face::CommandLine, get);
            let (folder, exclusions) = (folder(&mut environment), environment.exclusions());
            let (folder, exclusions) = environment.finish(folder.zip(exclusions))?;
            let exclusions = exclusions.connect(&NoParameters, Arc::new(SystemClock)).await?;
            let ports = Ports {
                files: &folder,
                metrics: &folder,
                clock: &SystemClock,
                progress: &Unwatched,
            };
            let (names, people) = census(&exclusions, &folder.lake()?, ports, Deadline::within(PATIENCE)).await?;
            terminal::say(&format!(
                "{names} names are on the list; the directory knows {people} people by them."
            ));
        }
    }
    Ok(End::Done)
}
