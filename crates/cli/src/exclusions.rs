//! `uptake exclusions`: the list of people of whom no use is recorded.

use std::sync::Arc;
use std::time::Duration;

use uptake_pipeline::exclusions::{census, refresh};
use uptake_pipeline::ports::SystemClock;
use uptake_upstream::clock::Deadline;

use crate::End;
use crate::args::{Exclusions, ExclusionsCommand};
use crate::place::Address;
use crate::terminal::{self, TerminalProgress};

/// A list of some thousand people is read in seconds.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn execute(what: &Exclusions, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    match what.command {
        ExclusionsCommand::Refresh => {
            let mut environment = Address::environment(get);
            let address = Address::read(&mut environment);
            let place = environment.finish(address)?.connect().await?;
            refresh(place.files()).await?;
            terminal::say("The next function reads the list anew.");
        }
        ExclusionsCommand::Check => {
            let mut environment = Address::environment(get);
            let (address, exclusions) = (Address::read(&mut environment), environment.exclusions());
            let (address, exclusions) = environment.finish(address.zip(exclusions))?;
            let place = address.connect().await?;
            let exclusions = exclusions.connect(place.secrets(), Arc::new(SystemClock)).await?;
            let (lake, progress) = (place.lake().await?, TerminalProgress::default());
            let ports = place.ports(&progress);
            let (names, people) = census(&exclusions, &lake, ports, Deadline::within(PATIENCE)).await?;
            terminal::say(&format!(
                "{names} names are on the list; the directory knows {people} people by them."
            ));
        }
    }
    Ok(End::Done)
}
