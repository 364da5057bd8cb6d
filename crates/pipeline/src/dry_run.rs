//! A dry run by construction: ports that read what is there and write nothing.

use async_trait::async_trait;
use bytes::Bytes;
use uptake_domain::catalogue::Datum;

use crate::outcome::{Outcome, PipelineError};
use crate::ports::{
    Expected, File, Files, Letter, LogEvent, LogStream, Logs, Mail, MailError, Metrics, PortError, Ports,
    RejectedEvents, Written,
};
use crate::watermark;

/// The ports of a dry run: `files` in place of the store, and nobody to publish to.
pub(crate) fn ports<'a>(ports: Ports<'a>, files: &'a ReadOnly<'a>) -> Ports<'a> {
    Ports {
        files,
        metrics: &Silent,
        ..ports
    }
}

/// Takes back from an answer what a dry run only seemed to do.
pub(crate) async fn correct(outcome: &mut Outcome, files: &dyn Files) -> Result<(), PipelineError> {
    outcome.watermark = watermark::read(files, outcome.function).await?;
    outcome.counts.stored = 0;
    outcome.counts.published = 0;
    outcome
        .notes
        .push("dry run: nothing was written, published or sent".to_owned());
    Ok(())
}

/// Reads through, drops every write.
pub(crate) struct ReadOnly<'a>(pub(crate) &'a dyn Files);

#[async_trait]
impl Files for ReadOnly<'_> {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        self.0.read(key).await
    }

    async fn write(&self, _key: &str, _bytes: Bytes) -> Result<(), PortError> {
        Ok(())
    }

    async fn write_if(&self, _key: &str, _bytes: Bytes, _expected: Expected) -> Result<Written, PortError> {
        Ok(Written::Stored)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        self.0.list(prefix).await
    }

    async fn delete(&self, _key: &str) -> Result<(), PortError> {
        Ok(())
    }

    fn location(&self, key: &str) -> String {
        self.0.location(key)
    }
}

/// Publishes and sends nothing.
pub(crate) struct Silent;

#[async_trait]
impl Metrics for Silent {
    async fn publish(&self, _data: &[Datum]) -> Result<(), PortError> {
        Ok(())
    }
}

#[async_trait]
impl Logs for Silent {
    async fn events(&self, _stream: &LogStream) -> Result<Vec<LogEvent>, PortError> {
        Ok(Vec::new())
    }

    async fn append(&self, _stream: &LogStream, _events: &[LogEvent]) -> Result<RejectedEvents, PortError> {
        Ok(RejectedEvents::default())
    }
}

#[async_trait]
impl Mail for Silent {
    async fn send(&self, _letter: Letter<'_>) -> Result<String, MailError> {
        Ok("dry-run".to_owned())
    }
}
