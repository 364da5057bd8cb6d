//! Log events as JSON lines, one event a line, one file a stream; the slashes of a group are folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uptake_pipeline::ports::{LogEvent, LogStream, Logs, PortError, RejectedEvents};

use super::{Folder, failed};

#[derive(Serialize, Deserialize)]
struct Line {
    timestamp: Timestamp,
    message: Map<String, Value>,
}

#[async_trait]
impl Logs for Folder {
    async fn events(&self, stream: &LogStream) -> Result<Vec<LogEvent>, PortError> {
        let path = self.stream(stream);
        let events = read(&path).map_err(|error| failed("reading", &path, &error))?;
        let events = events
            .into_iter()
            .map(|Line { timestamp, message }| LogEvent { timestamp, message });
        Ok(events.collect())
    }

    async fn append(&self, stream: &LogStream, events: &[LogEvent]) -> Result<RejectedEvents, PortError> {
        let path = self.stream(stream);
        self.add(&path, events)
            .map_err(|error| failed("writing", &path, &error))?;
        Ok(RejectedEvents::default())
    }
}

impl Folder {
    fn stream(&self, stream: &LogStream) -> PathBuf {
        let group = stream.group.trim_start_matches('/');
        self.path(&format!("cloudwatch/logs/{group}/{}.jsonl", stream.name))
    }

    /// Replaces the file by one with more lines, so that a crash leaves no half of an event.
    fn add(&self, path: &Path, events: &[LogEvent]) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut lines = read(path)?;
        lines.extend(events.iter().map(|event| Line {
            timestamp: event.timestamp,
            message: event.message.clone(),
        }));
        lines.sort_by_key(|line| line.timestamp);
        let mut text = Vec::new();
        for line in &lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        Self::replace(path, &text)
    }
}

fn read(path: &Path) -> io::Result<Vec<Line>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes?,
    };
    let lines = serde_json::Deserializer::from_slice(&bytes).into_iter();
    Ok(lines.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(second: i64) -> LogEvent {
        let Value::Object(message) = json!({"run_id": second}) else {
            unreachable!("an object is an object")
        };
        LogEvent {
            timestamp: Timestamp::from_second(second).unwrap(),
            message,
        }
    }

    #[tokio::test]
    async fn events_are_appended_and_read_in_order_of_time() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned());
        let stream = LogStream {
            group: "/uptake/workflow-runs-2026-11-16_2026-11-22".to_owned(),
            name: "s".to_owned(),
            retention_days: 400,
        };
        assert_eq!(folder.events(&stream).await.unwrap(), []);
        folder.append(&stream, &[event(3), event(1)]).await.unwrap();
        folder.append(&stream, &[event(2)]).await.unwrap();
        folder.append(&stream, &[]).await.unwrap();
        let events = folder.events(&stream).await.unwrap();
        assert_eq!(events, [event(1), event(2), event(3)]);
        let path = "cloudwatch/logs/uptake/workflow-runs-2026-11-16_2026-11-22/s.jsonl";
        let text = std::fs::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(
            text.lines().next(),
            Some(r#"{"timestamp":"1970-01-01T00:00:01Z","message":{"run_id":1}}"#)
        );
    }
}
