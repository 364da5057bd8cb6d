//! Upstream clients from settings.

use std::sync::Arc;

use uptake_upstream::github::{GitHub, Identity};
use uptake_upstream::grafana::Grafana;
use uptake_upstream::http::Patience;
use uptake_upstream::microsoft::activity::ActivityFeed;
use uptake_upstream::microsoft::{Graph, Principal};
use uptake_upstream::origin::Origin;

use secrecy::ExposeSecret;

use crate::config::{
    AuditEventsConfig, CopilotSeatsConfig, Credential, ExclusionConfig, GrafanaHealthConfig, MicrosoftConfig,
    SubscriptionConfig, WorkflowMetricsConfig,
};
use crate::exclusions::Exclusions;
use crate::grafana_health;
use crate::outcome::PipelineError;
use crate::ports::{Clock, Secrets};

impl CopilotSeatsConfig {
    /// A GitHub client with the configured credential.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<GitHub, PipelineError> {
        let github = connect(&self.api, &self.credential, secrets, clock).await?;
        Ok(github.with_journal())
    }
}

impl WorkflowMetricsConfig {
    /// A GitHub client with the configured credential.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<GitHub, PipelineError> {
        connect(&self.api, &self.credential, secrets, clock).await
    }
}

impl GrafanaHealthConfig {
    /// A client of Grafana.
    pub fn connect(&self, clock: Arc<dyn Clock>) -> Result<Grafana, PipelineError> {
        Ok(Grafana::new(self.grafana.clone(), clock, grafana_health::PATIENCE)?)
    }
}

impl MicrosoftConfig {
    /// A Graph client with the configured service principal.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<Graph, PipelineError> {
        let principal = self.principal(secrets).await?;
        let (login, graph) = (self.login.clone(), self.graph.clone());
        let patience = patience(&graph);
        Ok(Graph::new(login, graph, principal, clock, patience)?)
    }

    /// A client of the audit feed at `management` with the configured service principal.
    async fn feed(
        &self,
        management: &Origin,
        secrets: &dyn Secrets,
        clock: Arc<dyn Clock>,
    ) -> Result<ActivityFeed, PipelineError> {
        let principal = self.principal(secrets).await?;
        let (login, management) = (self.login.clone(), management.clone());
        let patience = patience(&management);
        Ok(ActivityFeed::new(login, management, principal, clock, patience)?)
    }

    /// The configured service principal.
    async fn principal(&self, secrets: &dyn Secrets) -> Result<Principal, PipelineError> {
        Ok(Principal {
            tenant: self.tenant.resolve(secrets).await?.expose_secret().to_owned(),
            client_id: self.client_id.resolve(secrets).await?.expose_secret().to_owned(),
            client_secret: self.client_secret.resolve(secrets).await?,
        })
    }
}

/// How patient to be with Microsoft: a server on this machine says itself when it has had enough.
fn patience(origin: &Origin) -> Patience {
    let secondary_window = if origin.is_loopback() {
        Patience::on_loopback().secondary_window
    } else {
        Patience::for_microsoft().secondary_window
    };
    Patience {
        secondary_window,
        ..Patience::for_microsoft()
    }
}

impl AuditEventsConfig {
    /// A client of the audit feed.
    pub async fn feed(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<ActivityFeed, PipelineError> {
        self.microsoft.feed(&self.management, secrets, clock).await
    }
}

impl SubscriptionConfig {
    /// A client of the audit feed.
    pub async fn feed(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<ActivityFeed, PipelineError> {
        self.microsoft.feed(&self.management, secrets, clock).await
    }
}

impl ExclusionConfig {
    /// What reads the list.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<Exclusions, PipelineError> {
        Ok(match self.clone() {
            Self::File { key, is_named } => Exclusions::File { key, is_named },
            Self::SharePoint {
                microsoft,
                site_id,
                list_id,
                field,
                ttl,
            } => Exclusions::SharePoint {
                graph: Box::new(microsoft.connect(secrets, clock).await?),
                site_id,
                list_id,
                field,
                ttl,
            },
        })
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
