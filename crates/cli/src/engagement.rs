//! `uptake engagement`: questions to the engagement tables, answered with names for whoever holds the key.

use std::collections::BTreeSet;
use std::io::Read;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use uptake_domain::calendar::day_of;
use uptake_domain::engagement::Timeframe;
use uptake_domain::wording::thousands;
use uptake_pipeline::config::{ConfigFaults, IdentityKeysConfig};
use uptake_pipeline::engagement::Identity;
use uptake_pipeline::engagement_names;
use uptake_pipeline::engagement_queries::{Engagement as Tables, Part, Question, When};
use uptake_pipeline::ports::{Clock, SystemClock};

use crate::args::{Answering, Engagement, EngagementCommand, Stretch, TimeframeWord};
use crate::place::{Address, Place};
use crate::{End, terminal};

/// Rows of a table for people; whoever wants more has `--json`.
const MOST_SHOWN: usize = 100;

pub(crate) async fn execute(what: &Engagement, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let (question, answering) = match asked(&what.command)? {
        Asked::Names { json } => {
            print(&resolved(get).await?, json);
            return Ok(End::Done);
        }
        Asked::Question(question, answering) => (question, answering),
    };
    let mut environment = Address::environment(get);
    let (address, asking) = (Address::read(&mut environment), environment.engagement_api());
    // Without the wish for names, nobody needs a key to be there.
    let keys = answering.resolve.then(|| environment.identity_keys()).flatten();
    let (address, asking) = environment.finish(address.zip(asking))?;
    let place = address.connect().await?;
    let identity = match keys {
        Some(keys) => Some(checked(&keys, &place).await?),
        None => None,
    };
    let tables = Tables {
        lake: &place.engagement_lake().await?,
        files: place.files(),
        week_starts_on: asking.week_starts_on,
        today: day_of(SystemClock.now()),
    };
    let mut answer = json!(tables.ask(&question, &Part::WHOLE).await?);
    if let Some(identity) = identity {
        engagement_names::name(&mut answer, &identity, &place.lake().await?).await?;
    }
    print(&answer, answering.json);
    Ok(End::Done)
}

/// The key and the tenant, once they are those that the tables are written with.
async fn checked(keys: &IdentityKeysConfig, place: &Place) -> anyhow::Result<Identity> {
    let identity = Identity::read(&keys.tenant, &keys.key, place.secrets()).await?;
    engagement_names::check(place.files(), &identity).await?;
    Ok(identity)
}

/// The answer on standard input, with names. Its tables may lie elsewhere, so the key shows by the subjects alone that it
/// is the right one.
async fn resolved(get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Value> {
    let mut environment = Address::environment(get);
    let (address, keys) = (Address::read(&mut environment), environment.identity_keys());
    let (address, keys) = environment.finish(address.zip(keys))?;
    let place = address.connect().await?;
    let identity = Identity::read(&keys.tenant, &keys.key, place.secrets()).await?;
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("standard input cannot be read")?;
    let answer = serde_json::from_str(&text).ok();
    let Some(mut answer) = answer.filter(|answer: &Value| answer.get("subjects").is_some_and(Value::is_array)) else {
        bail!("standard input holds no answer of the API with subjects; give its JSON as it came");
    };
    engagement_names::name(&mut answer, &identity, &place.lake().await?).await?;
    Ok(answer)
}

/// What a command comes to.
enum Asked {
    /// A question to the tables.
    Question(Question, Answering),
    /// Names for an answer that is there already.
    Names { json: bool },
}

fn asked(command: &EngagementCommand) -> Result<Asked, ConfigFaults> {
    let (question, answering) = match command {
        EngagementCommand::Resolve { json } => return Ok(Asked::Names { json: *json }),
        EngagementCommand::Streaks { apps, count, answering } => (
            Question::Streaks {
                apps: apps.0.clone(),
                count: *count,
            },
            *answering,
        ),
        EngagementCommand::Completed {
            apps,
            days,
            interactions,
            stretch,
            answering,
        } => (
            Question::Completed {
                apps: apps.0.clone(),
                days: *days,
                interactions: *interactions,
                when: when(*stretch)?,
            },
            *answering,
        ),
        EngagementCommand::Inactive { days, answering } => (Question::Inactive { days: *days }, *answering),
        EngagementCommand::Leaderboard {
            app,
            top,
            stretch,
            answering,
        } => (
            Question::Leaderboard {
                app: app.trim().to_lowercase(),
                when: when(*stretch)?,
                top: usize::from(*top),
            },
            *answering,
        ),
        EngagementCommand::Agents { stretch, json } => (
            Question::Agents { when: when(*stretch)? },
            Answering {
                resolve: false,
                json: *json,
            },
        ),
    };
    Ok(Asked::Question(question, answering))
}

fn when(stretch: Stretch) -> Result<When, ConfigFaults> {
    let timeframe = match stretch.timeframe {
        TimeframeWord::Week => Timeframe::Week,
        TimeframeWord::Month => Timeframe::Month,
        TimeframeWord::AllTime => Timeframe::AllTime,
    };
    if timeframe == Timeframe::AllTime && stretch.start.is_some() {
        return Err(ConfigFaults::one(
            "--start: all_time has no start; leave it out, or ask for a week or a month".to_owned(),
        ));
    }
    Ok(When {
        timeframe,
        day: stretch.start,
    })
}

fn print(answer: &Value, as_json: bool) {
    if as_json {
        terminal::say(&answer.to_string());
        return;
    }
    let rows = ["subjects", "agents"]
        .iter()
        .find_map(|name| answer.get(*name)?.as_array());
    let rows: Vec<&Map<String, Value>> = rows.into_iter().flatten().filter_map(Value::as_object).collect();
    terminal::say(&heading(answer));
    table(rows);
    let notes = answer.get("notes").and_then(Value::as_array).into_iter().flatten();
    for note in notes.filter_map(Value::as_str) {
        terminal::say(&format!("note: {note}"));
    }
}

fn heading(answer: &Value) -> String {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let mut parts = vec![format!(
        "{} in all",
        thousands(answer.get("total").and_then(Value::as_u64).unwrap_or_default())
    )];
    if let Some(stretch) = answer.get("stretch") {
        let of = |name: &str| stretch.get(name).and_then(Value::as_str);
        parts.push(match (of("start_on"), of("end_on")) {
            (Some(start_on), Some(end_on)) => {
                format!("{start_on} to {end_on} ({})", of("status").unwrap_or_default())
            }
            _ => "all time".to_owned(),
        });
    }
    parts.extend(text("counted_from").map(|day| format!("counted back from {day}")));
    parts.extend(text("as_of").map(|day| format!("as of {day}")));
    parts.join(", ")
}

/// Prints rows with a heading for each column, the most telling first.
fn table(mut rows: Vec<&Map<String, Value>>) {
    // An answer is in order of names; the leaderboard has an order of its own.
    if rows.iter().all(|row| !row.contains_key("rank")) {
        rows.sort_by_key(|row| {
            let figures = ["inactive_days", "current_streak", "active_days", "interactions"];
            let figures = figures.map(|name| row.get(name).map(|value| value.as_u64().unwrap_or(u64::MAX)));
            std::cmp::Reverse(figures)
        });
    }
    let left = rows.len().saturating_sub(MOST_SHOWN);
    rows.truncate(MOST_SHOWN);
    let Some(first) = rows.first() else { return };
    let mut columns = columns(first);
    // Of whom the directory does not know, only the name is known.
    let is_told = |name: &str| {
        rows.iter()
            .any(|row| row.get(name).is_some_and(|value| !value.is_null()))
    };
    columns.retain(|name| !matches!(*name, "display_name" | "department") || is_told(name));
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|name| name.replace('_', " ")).collect()];
    lines.extend(
        rows.iter()
            .map(|row| columns.iter().map(|name| cell(row.get(*name))).collect()),
    );
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            lines
                .iter()
                .map(|line| line[at].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        terminal::say(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    if left > 0 {
        terminal::say(&format!("and {} more; --json has them all", thousands(left as u64)));
    }
}

/// Names take the place of subjects; the rest stays, with who or what it is about in front.
fn columns(row: &Map<String, Value>) -> Vec<&str> {
    const WHO: [&str; 7] = [
        "rank",
        "user_principal_name",
        "display_name",
        "department",
        "subject",
        "agent_name",
        "agent_id",
    ];
    let is_named = row.contains_key("user_principal_name");
    let has = |name: &&str| row.contains_key(*name) && !(is_named && *name == "subject");
    let who: Vec<&str> = WHO.into_iter().filter(has).collect();
    let known: BTreeSet<&str> = WHO.into_iter().collect();
    let figures = row.keys().map(String::as_str).filter(|name| !known.contains(name));
    who.iter().copied().chain(figures).collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}
