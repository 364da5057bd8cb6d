//! `uptake run FUNCTION`: one collection on a folder, as the Lambda would do it on AWS.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use uptake_domain::calendar::{Window, day_of, start_of};
use uptake_domain::licenses_csv;
use uptake_pipeline::config::{ConfigFaults, Environment, Face};
use uptake_pipeline::engagement::Lakes;
use uptake_pipeline::outcome::{Outcome, Status};
use uptake_pipeline::ports::{Clock, Files, Ports, SystemClock};
use uptake_pipeline::trigger::{Invocation, Trigger};
use uptake_pipeline::{
    audit_events, copilot_seats, engagement, grafana_health, m365_usage, mailer, report_record, scoring,
    workflow_metrics,
};
use uptake_upstream::clock::Deadline;
use uuid::Uuid;

use crate::args::{Backfill, Function, Run};
use crate::folder::{Folder, NoParameters};
use crate::place::Address;
use crate::terminal::{self, TerminalProgress};
use crate::{End, demo, folder, store};

pub(crate) async fn execute(run: &Run, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let outcome = if run.resend && run.function != Function::Mailer {
        Err(ConfigFaults::one("--resend is for the mailer".to_owned()).into())
    } else {
        collect(run.function, trigger(run), get).await
    };
    answer(outcome, run.json, get).await
}

/// One collection over several days.
pub(crate) async fn backfill(asked: &Backfill, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let fault = match asked.function {
        Function::CopilotSeats => Some("GitHub tells the present seats only, so there is nothing to look back at"),
        Function::M365Usage => Some("Microsoft tells the present directory only, so there is nothing to look back at"),
        Function::Scoring => Some("name the day with `uptake run scoring --date`"),
        Function::Engagement => Some("it looks back by itself, as far as there is anything new"),
        Function::GrafanaHealth => Some("Grafana tells how it is now, and not how it was"),
        Function::Mailer => Some("name the day with `uptake run mailer --date`"),
        Function::AuditEvents if asked.dry_run => Some("a search of the audit log has no dry run"),
        Function::AuditEvents | Function::WorkflowMetrics if asked.from <= asked.to => None,
        Function::AuditEvents | Function::WorkflowMetrics => Some("--from is after --to"),
    };
    let outcome = if let Some(fault) = fault {
        Err(ConfigFaults::one(fault.to_owned()).into())
    } else if asked.function == Function::AuditEvents {
        search_audit_log(Window::of_days(asked.from, asked.to), get).await
    } else {
        let trigger = Trigger {
            window: Some(Window::of_days(asked.from, asked.to)),
            replace: true,
            dry_run: asked.dry_run,
            ..Trigger::at(end_of(asked.to))
        };
        collect(asked.function, trigger, get).await
    };
    answer(outcome, asked.json, get).await
}

/// What the feed does not list any more, from a search of the audit log.
async fn search_audit_log(window: Window, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
    let mut environment = Address::environment(get);
    let (address, config) = (Address::read(&mut environment), environment.audit_events());
    let (address, config) = environment.finish(address.zip(config))?;
    let place = address.connect().await?;
    let clock = Arc::new(SystemClock);
    let graph = config.microsoft.connect(place.secrets(), clock.clone()).await?;
    let exclusions = config.exclusions.connect(place.secrets(), clock).await?;
    let progress = TerminalProgress::default();
    let ports = place.ports(&progress);
    let lake = place.lake().await?;
    let outcome = audit_events::backfill(&graph, &lake, &config, &exclusions, ports, window, &invocation()).await?;
    Ok(outcome)
}

async fn answer(
    outcome: anyhow::Result<Outcome>,
    as_json: bool,
    get: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<End> {
    match &outcome {
        Ok(outcome) if as_json => terminal::json(outcome),
        Ok(outcome) => {
            terminal::table(outcome);
            let did_something = outcome.counts.stored + outcome.counts.published > 0;
            // In a bucket there is no file to open.
            if outcome.status != Status::NothingToDo
                && did_something
                && let Ok(folder) = store(get)
            {
                terminal::print_rows(&next_steps(outcome, &folder).await?);
            }
        }
        Err(error) if as_json => terminal::json_failure(error),
        Err(_) => {}
    }
    Ok(outcome?.status.into())
}

/// Where to look, and what to type next.
async fn next_steps(outcome: &Outcome, folder: &Folder) -> anyhow::Result<Vec<(String, String)>> {
    let day = day_of(outcome.window.from);
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((format!("  {name}"), value));
    if outcome.function == copilot_seats::FUNCTION {
        let record = report_record::read(folder, copilot_seats::FUNCTION, day).await?;
        if let Some(record) = &record {
            row("report", folder.location(&record.csv_key));
        }
        if outcome.counts.published > 0 {
            row("metrics", folder.location(&format!("cloudwatch/metrics/{day}.jsonl")));
        }
        if outcome.counts.quarantined > 0 {
            row("next", format!("uptake quarantine show {} {day}", outcome.function));
        }
        if outcome.status == Status::Incomplete {
            row(
                "next",
                format!("uptake run copilot-seats --date {day}, once the cause is gone"),
            );
        } else if record.is_some_and(|record| record.is_of_its_day()) {
            row("next", format!("uptake run mailer --date {day}"));
        }
    } else if outcome.function == workflow_metrics::FUNCTION {
        if outcome.counts.published > 0 {
            row("metrics", folder.location("cloudwatch/metrics"));
            row("events", folder.location("cloudwatch/logs"));
        }
        if outcome.counts.quarantined > 0 {
            row("next", "uptake quarantine list".to_owned());
        }
        if outcome.status == Status::Incomplete {
            row(
                "next",
                "the same command again, once what is missing is mended".to_owned(),
            );
        }
    } else if outcome.function == audit_events::FUNCTION {
        row("events", folder.location("lake/gold_copilot_audit_events"));
        if outcome.counts.quarantined > 0 {
            row("next", "uptake lake show silver_rejected".to_owned());
        }
        if outcome.status == Status::Incomplete {
            row(
                "next",
                "the same command again, once what is missing is mended".to_owned(),
            );
        }
    } else if outcome.function == m365_usage::FUNCTION {
        row("tables", folder.location("lake"));
        if outcome.counts.quarantined > 0 {
            row(
                "next",
                format!("uptake lake show silver_rejected --where rejected_on={day}"),
            );
        }
        row(
            "next",
            if outcome.status == Status::Incomplete {
                "the same command again, once what is missing is there".to_owned()
            } else {
                format!("uptake run scoring --date {day}")
            },
        );
    } else if outcome.function == engagement::FUNCTION {
        row("tables", folder.engagement_location());
        row("next", "uptake engagement leaderboard --resolve".to_owned());
    } else if outcome.function == scoring::FUNCTION {
        row("scores", folder.location("lake/gold_copilot_usage_scores"));
        row(
            "list",
            folder.location(&format!("reports/{}", licenses_csv::file_name(day))),
        );
        row("metrics", folder.location(&format!("cloudwatch/metrics/{day}.jsonl")));
    } else if outcome.counts.published > 0 {
        row("mails", folder.location("mail"));
    }
    Ok(rows)
}

async fn collect(
    function: Function,
    trigger: Trigger,
    get: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Outcome> {
    // A store that cannot be used is told below, with every other fault of the environment.
    if let Ok(folder) = store(get)
        && folder.read(demo::STATE_KEY).await?.is_some()
    {
        tracing::warn!(
            "{} holds the demo's made-up data; set UPTAKE_STORE to keep yours apart",
            folder.location("")
        );
    }
    let progress = TerminalProgress::default();
    let job = Job {
        trigger,
        clock: &SystemClock,
        progress: &progress,
    };
    match function {
        Function::AuditEvents => job.audit_events(get).await,
        Function::CopilotSeats => job.copilot_seats(get).await,
        Function::Engagement => job.engagement(get).await,
        Function::GrafanaHealth => job.grafana_health(get).await,
        Function::M365Usage => job.m365_usage(get).await,
        Function::Scoring => job.scoring(get).await,
        Function::Mailer => job.mailer(get).await,
        Function::WorkflowMetrics => job.workflow_metrics(get).await,
    }
}

/// A date stands for the whole day and is a person's wish: it is that day's report that is replaced or mailed. An instant
/// stands for the scheduler's trigger, which leaves a finished day alone and settles what earlier ones left. Without
/// either, a person wants what is new: a fresh report, and whatever is left to mail.
fn trigger(run: &Run) -> Trigger {
    let scheduled_time = match (run.date, run.at) {
        (Some(date), _) => end_of(date),
        (None, Some(at)) => at,
        (None, None) => SystemClock.now(),
    };
    Trigger {
        dry_run: run.dry_run,
        resend: run.resend,
        replace: match run.function {
            Function::CopilotSeats | Function::M365Usage => run.at.is_none(),
            Function::AuditEvents
            | Function::Engagement
            | Function::GrafanaHealth
            | Function::Mailer
            | Function::Scoring
            | Function::WorkflowMetrics => run.date.is_some(),
        },
        window: match (run.function, run.date) {
            (Function::AuditEvents | Function::WorkflowMetrics, Some(date)) => Some(Window::of_day(date)),
            _ => None,
        },
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
    pub(crate) async fn audit_events(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.audit_events());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
        // Those that come while it works are for the next one.
        let hints = folder.hints().await?;
        let clock = Arc::new(SystemClock);
        let feed = config.feed(&NoParameters, clock.clone()).await?;
        let exclusions = config.exclusions.connect(&NoParameters, clock).await?;
        let (lake, ports) = (folder.lake()?, self.ports(&folder));
        let (trigger, invocation) = (&self.trigger, invocation());
        let outcome = audit_events::collect(&feed, &lake, &config, &exclusions, ports, trigger, &invocation).await?;
        if outcome.status != Status::Incomplete && !trigger.dry_run {
            folder.forget_hints(&hints).await?;
        }
        Ok(outcome)
    }

    pub(crate) async fn copilot_seats(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.copilot_seats());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
        let github = config.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let (lake, ports) = (folder.lake()?, self.ports(&folder));
        let outcome = copilot_seats::collect(&github, &lake, &config, ports, &self.trigger, &invocation()).await?;
        Ok(outcome)
    }

    pub(crate) async fn engagement(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (folder, config) = (folder(&mut environment), environment.engagement());
        let (folder, config) = environment.finish(folder.zip(config))?;
        let identity = config.identity(&NoParameters).await?;
        let exclusions = config.exclusions.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let (silver, own) = (folder.lake()?, folder.engagement_lake()?);
        let lakes = Lakes {
            silver: &silver,
            engagement: &own,
        };
        let (trigger, invocation, ports) = (&self.trigger, invocation(), self.ports(&folder));
        let outcome = engagement::derive(lakes, &config, &identity, &exclusions, ports, trigger, &invocation).await?;
        Ok(outcome)
    }

    pub(crate) async fn m365_usage(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.m365_usage());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
        let clock = Arc::new(SystemClock);
        let graph = config.microsoft.connect(&NoParameters, clock.clone()).await?;
        let exclusions = config.exclusions.connect(&NoParameters, clock).await?;
        let (lake, ports) = (folder.lake()?, self.ports(&folder));
        let (trigger, invocation) = (&self.trigger, invocation());
        let outcome = m365_usage::collect(&graph, &lake, &config, &exclusions, ports, trigger, &invocation).await?;
        Ok(outcome)
    }

    pub(crate) async fn scoring(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.scoring());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
        let exclusions = config.exclusions.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let (lake, ports) = (folder.lake()?, self.ports(&folder));
        let (trigger, invocation) = (&self.trigger, invocation());
        let outcome = scoring::score(&lake, &config, &exclusions, ports, &folder, trigger, &invocation).await?;
        Ok(outcome)
    }

    pub(crate) async fn workflow_metrics(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.workflow_metrics());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
        let github = config.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let ports = self.ports(&folder);
        let outcome = workflow_metrics::collect(&github, &config, ports, &folder, &self.trigger, &invocation()).await?;
        Ok(outcome)
    }

    async fn grafana_health(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.grafana_health());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
        let grafana = config.connect(Arc::new(SystemClock))?;
        let outcome = grafana_health::check(&grafana, self.ports(&folder), &self.trigger, &invocation()).await?;
        Ok(outcome)
    }

    pub(crate) async fn mailer(&self, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Outcome> {
        let mut environment = Environment::new(Face::CommandLine, get);
        let (root, config) = (environment.folder(), environment.mailer());
        let (root, config) = environment.finish(root.zip(config))?;
        let folder = Folder::new(root);
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

pub(crate) fn invocation() -> Invocation {
    Invocation {
        id: Uuid::new_v4().to_string(),
        deadline: Deadline::NONE,
    }
}
