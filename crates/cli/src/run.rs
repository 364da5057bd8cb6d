//! `uptake run FUNCTION`: one collection on a folder, as the Lambda would do it on AWS.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use uptake_domain::calendar::start_of;
use uptake_pipeline::config::{Environment, Face};
use uptake_pipeline::outcome::Outcome;
use uptake_pipeline::ports::{Clock, Ports, SystemClock};
use uptake_pipeline::trigger::{Invocation, Trigger};
use uptake_pipeline::{copilot_seats, mailer};
use uptake_upstream::clock::Deadline;
use uuid::Uuid;

use crate::args::{Function, Run};
use crate::folder::{Folder, NoParameters};
use crate::terminal::{self, TerminalProgress};
use crate::{End, open};

pub(crate) async fn execute(run: &Run, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let outcome = collect(run, get).await;
    match &outcome {
        Ok(outcome) if run.json => terminal::json(outcome),
        Ok(outcome) => terminal::table(outcome),
        Err(error) if run.json => terminal::json_failure(error),
        Err(_) => {}
    }
    Ok(outcome?.status.into())
}

async fn collect(run: &Run, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
    let progress = TerminalProgress::default();
    let job = Job {
        trigger: trigger(run),
        clock: &SystemClock,
        progress: &progress,
    };
    match run.function {
        Function::CopilotSeats => job.copilot_seats(get).await,
        Function::Mailer => job.mailer(get).await,
    }
}

/// A date stands for the whole day and is a person's wish: what is stored is replaced. An instant stands for the
/// scheduler's trigger, which leaves a finished day alone.
fn trigger(run: &Run) -> Trigger {
    let scheduled_time = match (run.date, run.at) {
        (Some(date), _) => end_of(date),
        (None, Some(at)) => at,
        (None, None) => SystemClock.now(),
    };
    Trigger {
        dry_run: run.dry_run,
        resend: run.resend,
        replace: run.at.is_none(),
        ..Trigger::at(scheduled_time)
    }
}

fn end_of(date: Date) -> Timestamp {
    start_of(date.saturating_add(1.day())) - SignedDuration::from_secs(1)
}

/// A trigger with all that is not configuration.
pub(crate) struct Job<'a> {
    pub(crate) trigger: Trigger,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) progress: &'a TerminalProgress,
}

impl Job<'_> {
    pub(crate) async fn copilot_seats(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (store, config) = (environment.store(), environment.copilot_seats());
        let (store, config) = environment.finish(store.zip(config))?;
        let folder = open(store.store)?;
        let github = config.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let outcome =
            copilot_seats::collect(&github, &config, self.ports(&folder), &self.trigger, &invocation()).await?;
        Ok(outcome)
    }

    pub(crate) async fn mailer(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (store, config) = (environment.store(), environment.mailer());
        let (store, config) = environment.finish(store.zip(config))?;
        let folder = open(store.store)?;
        let outcome = mailer::deliver(&config, self.ports(&folder), &folder, &self.trigger, &invocation()).await?;
        Ok(outcome)
    }

    fn ports<'a>(&'a self, folder: &'a Folder) -> Ports<'a> {
        Ports {
            files: folder,
            metrics: folder,
            clock: self.clock,
            progress: self.progress,
        }
    }
}

fn invocation() -> Invocation {
    Invocation {
        id: Uuid::new_v4().to_string(),
        deadline: Deadline::NONE,
    }
}
