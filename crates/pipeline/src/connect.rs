//! A GitHub client from settings.

use std::sync::Arc;

use uptake_upstream::github::{GitHub, Identity};
use uptake_upstream::http::Patience;
use uptake_upstream::origin::Origin;

use crate::config::{CopilotSeatsConfig, Credential, WorkflowMetricsConfig};
use crate::outcome::PipelineError;
use crate::ports::{Clock, Secrets};

impl CopilotSeatsConfig {
    /// A GitHub client with the configured credential.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<GitHub, PipelineError> {
        connect(&self.api, &self.credential, secrets, clock).await
    }
}

impl WorkflowMetricsConfig {
    /// A GitHub client with the configured credential.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<GitHub, PipelineError> {
        connect(&self.api, &self.credential, secrets, clock).await
    }
}

async fn connect(
    api: &Origin,
    credential: &Credential,
    secrets: &dyn Secrets,
    clock: Arc<dyn Clock>,
) -> Result<GitHub, PipelineError> {
    let identity = match credential {
        Credential::Token(token) => Identity::Token(token.resolve(secrets).await?),
        Credential::App { id, key } => Identity::App {
            id: id.clone(),
            private_key: key.resolve(secrets).await?,
        },
    };
    let patience = if api.is_loopback() {
        Patience::on_loopback()
    } else {
        Patience::default()
    };
    Ok(GitHub::new(api.clone(), identity, clock, patience)?)
}
