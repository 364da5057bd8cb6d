//! `uptake keys`: makes a key for subjects, and puts one in the place of another.

use uptake_domain::identity::{KEY_BYTES, written};
use uptake_domain::wording::thousands;
use uptake_pipeline::config::ConfigFaults;
use uptake_pipeline::identity_keys::{self, Answer, EngagementStore, Request, Status};
use uptake_pipeline::outcome::PipelineError;

use crate::args::{Keys, KeysCommand};
use crate::place::Address;
use crate::terminal::{self, TerminalProgress};
use crate::{End, run};

pub(crate) async fn execute(what: &Keys, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let (request, as_json) = match &what.command {
        KeysCommand::Generate { key_id } => {
            generate(key_id)?;
            return Ok(End::Done);
        }
        KeysCommand::Prepare { accept, json } => (Request::Prepare { accept: *accept }, *json),
        KeysCommand::Confirm { json } => (Request::Confirm {}, *json),
        KeysCommand::Status { json } => (Request::Status {}, *json),
    };
    let answer = handle(&request, get).await;
    match &answer {
        Ok(answer) if as_json => terminal::say(&serde_json::json!(answer).to_string()),
        Ok(answer) => print(answer),
        Err(error) if as_json => terminal::json_failure(error),
        Err(_) => {}
    }
    answer.map(|_| End::Done)
}

/// Prints a new key, and nothing else on standard output, so that it can go where it belongs unseen.
fn generate(key_id: &str) -> anyhow::Result<()> {
    terminal::say(&new_key(key_id)?);
    terminal::note(
        "This is the key itself. Put it into UPTAKE_IDENTITY_KEY, or into UPTAKE_NEXT_IDENTITY_KEY for `uptake keys prepare`, and keep a copy \
         where secrets are kept: without it nobody can tell who a subject is.",
    );
    Ok(())
}

/// A key by chance.
pub(crate) fn new_key(key_id: &str) -> anyhow::Result<String> {
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random)?;
    let key = written(key_id, &random)
        .map_err(|fault| ConfigFaults::one(format!("KEY_ID: the key it would be a part of {fault}")))?;
    Ok(key)
}

async fn handle(request: &Request, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Answer> {
    let mut environment = Address::environment(get);
    let address = Address::read(&mut environment);
    // Whoever only looks needs no key.
    let is_look = *request == (Request::Status {});
    let config = if is_look {
        None
    } else {
        Some(environment.identity_keys())
    };
    let place = environment.finish(address)?.connect().await?;
    let progress = TerminalProgress::default();
    let ports = place.ports(&progress);
    let lake = place.engagement_lake().await?;
    let Some(config) = config.flatten() else {
        return Ok(identity_keys::status(&lake, ports).await?);
    };
    let store = EngagementStore {
        lake: &lake,
        versions: place.versions(),
    };
    let invocation = run::invocation();
    let answer = identity_keys::handle(request, store, &config, place.secrets(), ports, &invocation).await;
    answer.map_err(|error: PipelineError| error.into())
}

/// One screen: how the change stands, the tables, and what to do next.
fn print(answer: &Answer) {
    let key = answer.key_id.as_deref().unwrap_or("none yet");
    let next_key = answer.next_key_id.as_deref().unwrap_or_default();
    let since = answer.paused_since.map(|since| since.to_string()).unwrap_or_default();
    terminal::say(&match answer.status {
        Status::InUse => format!("key in use: {key}; no change under way"),
        Status::Paused => format!("key in use: {key}; change to {next_key} begun, engagement paused since {since}"),
        Status::Prepared => {
            format!("key in use: {key}; change to {next_key} prepared, engagement paused since {since}")
        }
        Status::Confirmed => format!("key in use: {key}; the change is done, engagement goes on"),
    });
    let mut rows = Vec::new();
    for table in &answer.tables {
        let mut counts = vec![format!("{:>10} rows", thousands(table.rows))];
        let mut count = |rows: u64, what: String| {
            if rows > 0 {
                counts.push(format!("{} {what}", thousands(rows)));
            }
        };
        count(table.under_key, format!("under {key}"));
        count(table.under_next_key, format!("under {next_key}"));
        count(table.under_other_keys, "under other keys".to_owned());
        count(table.re_encrypted, "re-encrypted now".to_owned());
        count(table.purged, "files and versions taken away".to_owned());
        rows.push((format!("  {}", table.table), counts.join(", ")));
    }
    rows.extend(
        answer
            .stopped_early
            .iter()
            .map(|reason| ("  missing".to_owned(), reason.clone())),
    );
    rows.extend(answer.notes.iter().map(|note| ("  next".to_owned(), note.clone())));
    terminal::print_rows(&rows);
}
