//! A dry run by construction: ports that read what is there and write nothing.

use async_trait::async_trait;
use bytes::Bytes;
use uptake_domain::catalogue::Datum;

use crate::ports::{Expected, File, Files, Letter, Mail, MailError, Metrics, PortError, Written};

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
impl Mail for Silent {
    async fn send(&self, _letter: Letter<'_>) -> Result<String, MailError> {
        Ok("dry-run".to_owned())
    }
}
