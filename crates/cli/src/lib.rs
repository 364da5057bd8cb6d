#![doc = include_str!("../README.md")]

pub mod args;
pub mod folder;
pub mod terminal;

mod demo;
mod engagement;
mod erase;
mod exclusions;
mod grafana;
#[cfg(feature = "aws")]
mod grafana_workspace;
mod keys;
mod lake;
mod place;
mod quarantine;
mod run;
mod seed;
mod simulate;
mod subscription;

use std::process::ExitCode;

use args::{Arguments, Command};
use uptake_pipeline::config::{ConfigFaults, Environment, Face};
use uptake_pipeline::outcome::{PipelineError, Status};

/// How a command ended, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// 0: done, or there was nothing to do.
    Done,
    /// 3: done, but something that should be there could not be read or sent.
    Incomplete,
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        match status {
            Status::Complete | Status::NothingToDo => Self::Done,
            Status::Incomplete => Self::Incomplete,
        }
    }
}

/// Carries out a command. `get` looks a variable up in the environment.
pub async fn execute(arguments: Arguments, get: &dyn Fn(&str) -> Option<String>) -> ExitCode {
    terminal::log_to_stderr(arguments.verbose);
    let end = match arguments.command {
        Command::Run(what) => run::execute(&what, get).await,
        Command::Backfill(what) => run::backfill(&what, get).await,
        Command::Erase(what) => erase::execute(&what, get).await,
        Command::Exclusions(what) => exclusions::execute(&what, get).await,
        Command::Demo(what) => demo::execute(&what, get).await,
        Command::Simulate(what) => simulate::execute(&what).await,
        Command::Quarantine(what) => quarantine::execute(&what, get).await,
        Command::Keys(what) => keys::execute(&what, get).await,
        Command::Lake(what) => lake::execute(&what, get).await,
        Command::Engagement(what) => engagement::execute(&what, get).await,
        Command::SeedTestData(what) => seed::execute(&what, get).await,
        Command::Subscription(what) => subscription::execute(&what, get).await,
        Command::Grafana(what) => grafana::execute(&what, get).await,
    };
    match end {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Incomplete) => ExitCode::from(3),
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let is_configuration = error.is::<ConfigFaults>()
        || error
            .downcast_ref::<PipelineError>()
            .is_some_and(PipelineError::is_configuration);
    if is_configuration { 2 } else { 1 }
}

/// The folder that the environment names, for commands that need nothing else of it.
fn store(get: &dyn Fn(&str) -> Option<String>) -> Result<folder::Folder, ConfigFaults> {
    let mut environment = Environment::new(Face::CommandLine, get);
    let folder = folder(&mut environment);
    environment.finish(folder)
}

/// The same for commands that need more.
fn folder(environment: &mut Environment<'_>) -> Option<folder::Folder> {
    let root = environment.folder()?;
    let engagement = environment.engagement_folder(&root)?;
    Some(folder::Folder::new(root).with_engagement(engagement))
}
