//! Metrics as JSON lines, one datum a line, one file a day.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use async_trait::async_trait;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use uptake_domain::calendar::day_of;
use uptake_domain::catalogue::{Datum, Reading};
use uptake_pipeline::ports::{Metrics, PortError};

use super::{Folder, failed};

#[async_trait]
impl Metrics for Folder {
    async fn publish(&self, data: &[Datum]) -> Result<(), PortError> {
        let mut days: BTreeMap<Date, String> = BTreeMap::new();
        for datum in data {
            *days.entry(day_of(datum.timestamp)).or_default() += &(line(datum).to_string() + "\n");
        }
        for (day, lines) in days {
            let path = self.path(&format!("cloudwatch/metrics/{day}.jsonl"));
            append(&path, &lines).map_err(|error| failed("writing", &path, &error))?;
        }
        Ok(())
    }
}

/// Appends, as CloudWatch does: a repeated datum stands there twice and is read with its statistic.
fn append(path: &Path, lines: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(lines.as_bytes())
}

fn line(datum: &Datum) -> Value {
    let dimensions: Map<String, Value> = datum
        .dimensions
        .iter()
        .map(|(dimension, value)| (dimension.as_str().to_owned(), value.as_str().into()))
        .collect();
    let mut line = json!({
        "namespace": datum.spec.namespace.as_str(),
        "metric_name": datum.spec.name,
        "dimensions": dimensions,
        "timestamp": datum.timestamp,
        "unit": datum.spec.unit.as_str(),
    });
    match &datum.reading {
        Reading::Value(value) => line["value"] = json!(value),
        Reading::Distribution(values) => {
            let (values, counts): (Vec<f64>, Vec<u64>) = values.iter().copied().unzip();
            line["values"] = json!(values);
            line["counts"] = json!(counts);
        }
    }
    line
}
