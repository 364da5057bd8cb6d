//! Tables as others read them: `tests/read_table.py`, which shares no code with the lake.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::moto::{Moto, python};

/// Reads a table's rows, in no particular order, and what its log says of it.
pub(crate) struct IndependentReader {
    storage: Vec<String>,
}

impl IndependentReader {
    /// Of tables in moto's buckets.
    pub(crate) fn of_moto(moto: &Moto) -> Self {
        let environment = moto.environment();
        let pairs = environment.iter().map(|(key, value)| format!("{key}={value}"));
        Self {
            storage: pairs.chain(["AWS_ALLOW_HTTP=true".to_owned()]).collect(),
        }
    }

    /// Every row as an object; `columns` are those to read, none means all.
    pub(crate) fn rows(&self, table: &str, columns: &[&str]) -> Vec<Value> {
        let columns = columns.join(",");
        let arguments: &[&str] = if columns.is_empty() {
            &[]
        } else {
            &["--columns", &columns]
        };
        match self.read(table, arguments) {
            Value::Array(rows) => rows,
            other => panic!("{other}"),
        }
    }

    /// Version, protocol, columns, files and how many rows.
    pub(crate) fn describe(&self, table: &str) -> Value {
        self.read(table, &["--describe"])
    }

    fn read(&self, table: &str, arguments: &[&str]) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("read_table.py");
        let mut command = Command::new(python());
        command.arg(script).arg(table).args(arguments);
        if !self.storage.is_empty() {
            command.arg("--storage").args(&self.storage);
        }
        let answer = command.output().unwrap();
        assert!(
            answer.status.success(),
            "{table}: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        serde_json::from_slice(&answer.stdout).unwrap()
    }
}
