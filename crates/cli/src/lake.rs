//! `uptake lake`: the tables, what their columns mean, and some rows.

use std::collections::BTreeMap;

use anyhow::bail;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use uptake_domain::tables::{self, Kind, Table};
use uptake_domain::wording::thousands;
use uptake_lake::Filter;
use uptake_pipeline::config::ConfigFaults;

use crate::args::{Lake, LakeCommand};
use crate::folder::Folder;
use crate::{End, store, terminal};

pub(crate) async fn execute(what: &Lake, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let folder = store(get)?;
    match &what.command {
        LakeCommand::Tables { json } => list(&folder, *json).await?,
        LakeCommand::Show {
            table,
            partition,
            rows,
            json,
        } => {
            let Some(table) = tables::find(table) else {
                return Err(
                    ConfigFaults::one(format!("there is no table {table}; `uptake lake tables` lists them")).into(),
                );
            };
            let filter = filter(table, partition.as_deref())?;
            show(&folder, table, &filter, *rows, *json).await?;
        }
    }
    Ok(End::Done)
}

async fn list(folder: &Folder, as_json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for table in tables::all() {
        let state = folder.lake_of(table)?.describe(table).await?;
        rows.push((
            table.name.to_owned(),
            match &state {
                Some(state) => format!(
                    "{:>10} rows {:>5} files {:>9} kB",
                    thousands(state.rows),
                    thousands(state.files),
                    thousands(state.bytes.div_ceil(1_000))
                ),
                None => "not there yet".to_owned(),
            },
        ));
        objects.push(json!({ "table": table.name, "description": table.description, "state": state }));
    }
    if as_json {
        terminal::say(&Value::from(objects).to_string());
    } else if objects.iter().all(|object| object["state"].is_null()) {
        terminal::say(&format!(
            "There is no table in {} yet: check UPTAKE_STORE, or let `uptake run m365-usage` write the first ones.",
            folder.path("lake").display()
        ));
    } else {
        terminal::print_rows(&rows);
        terminal::say(&format!(
            "\nThey lie in {}; `uptake lake show TABLE` shows columns and rows, docs/QUERIES.md how to query them.",
            folder.path("lake").display()
        ));
    }
    Ok(())
}

async fn show(
    folder: &Folder,
    table: &'static Table,
    filter: &Filter,
    most: usize,
    as_json: bool,
) -> anyhow::Result<()> {
    let lake = folder.lake_of(table)?;
    if lake.describe(table).await?.is_none() {
        bail!("{} is not there yet: no function has written it", table.name);
    }
    let mut rows: Vec<BTreeMap<String, Value>> = Vec::new();
    lake.scan(table, &[], filter, |mut more: Vec<BTreeMap<String, Value>>| {
        more.truncate(most.saturating_sub(rows.len()));
        rows.append(&mut more);
    })
    .await?;
    for row in &mut rows {
        for column in table.all_columns() {
            if let Some(value) = row.get_mut(column.name) {
                *value = readable(column.kind, value.take());
            }
        }
    }
    if as_json {
        for row in rows {
            terminal::say(&json!(row).to_string());
        }
        return Ok(());
    }
    terminal::say(&format!("{}: {}\n", table.name, table.description));
    let columns: Vec<(String, String)> = table
        .all_columns()
        .map(|column| {
            (
                format!("  {}", column.name),
                format!("{:9} {}", word(column.kind), column.meaning),
            )
        })
        .collect();
    terminal::print_rows(&columns);
    if rows.is_empty() {
        terminal::say("\nNo row is there, or none of that partition.");
    }
    for row in rows {
        terminal::say("");
        let cells: Vec<(String, String)> = table
            .all_columns()
            .filter_map(|column| Some((format!("  {}", column.name), row.get(column.name)?)))
            .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        terminal::print_rows(&cells);
    }
    Ok(())
}

fn filter(table: &'static Table, partition: Option<&str>) -> Result<Filter, ConfigFaults> {
    let Some(text) = partition else {
        return Ok(Filter::All);
    };
    let names = table.partitioned_by;
    let known = |name: &str| names.iter().copied().find(|known| *known == name);
    let is_date = |name: &str| {
        let column = table.columns.iter().find(|column| column.name == name);
        column.is_some_and(|column| column.kind == Kind::Date)
    };
    match text
        .split_once('=')
        .and_then(|(name, value)| Some((known(name)?, value)))
    {
        Some((name, value)) if is_date(name) && value.parse::<Date>().is_err() => Err(ConfigFaults::one(format!(
            "--where {name}: '{value}' is no day; write YYYY-MM-DD"
        ))),
        Some((name, value)) => Ok(Filter::Equals(name, value.to_owned())),
        None if names.is_empty() => Err(ConfigFaults::one(format!(
            "{} has no partitions; leave --where out",
            table.name
        ))),
        None => Err(ConfigFaults::one(format!(
            "--where takes a partition of {}, such as {}=VALUE",
            table.name, names[0]
        ))),
    }
}

/// Days and instants are numbers in the files.
fn readable(kind: Kind, value: Value) -> Value {
    let number = value.as_i64();
    match (kind, number) {
        (Kind::Date, Some(days)) => Date::constant(1970, 1, 1)
            .checked_add(days.days())
            .map_or(value, |date| json!(date)),
        (Kind::Instant, Some(micros)) => Timestamp::from_microsecond(micros).map_or(value, |instant| json!(instant)),
        _ => value,
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Texts => "texts",
        Kind::Date => "date",
        Kind::Instant => "instant",
        Kind::Integer => "integer",
        Kind::Float => "float",
        Kind::Boolean => "boolean",
    }
}
