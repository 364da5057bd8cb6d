//! A service account of an Amazon Managed Grafana workspace that lives for minutes: no token is kept, so none has to be
//! rotated.

use anyhow::Context;
use aws_sdk_grafana::Client;
use aws_sdk_grafana::error::DisplayErrorContext;
use aws_sdk_grafana::types::Role;
use secrecy::SecretString;
use uuid::Uuid;

/// What a token that was not deleted still lives: long enough for a push.
const TOKEN_SECONDS: i32 = 600;

/// The account and its token.
pub(crate) struct ServiceAccount {
    client: Client,
    workspace: String,
    id: String,
    token: SecretString,
}

impl ServiceAccount {
    /// Makes one that may do what a push does.
    pub(crate) async fn create(workspace: &str, region: &str) -> anyhow::Result<Self> {
        let region = aws_config::Region::new(region.to_owned());
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(region)
            .load()
            .await;
        let client = Client::new(&config);
        let name = format!("uptake-push-{}", Uuid::new_v4().simple());
        let account = client
            .create_workspace_service_account()
            .workspace_id(workspace)
            .name(&name)
            .grafana_role(Role::Admin)
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(error)))
            .with_context(|| format!("a service account of workspace {workspace} cannot be made; it takes grafana:CreateWorkspaceServiceAccount"))?;
        let id = account.id().to_owned();
        let token = client
            .create_workspace_service_account_token()
            .workspace_id(workspace)
            .service_account_id(&id)
            .name(&name)
            .seconds_to_live(TOKEN_SECONDS)
            .send()
            .await;
        let key = token.map(|answer| answer.service_account_token.map(|token| token.key).unwrap_or_default());
        let made = |token: String| Self {
            client: client.clone(),
            workspace: workspace.to_owned(),
            id: id.clone(),
            token: token.into(),
        };
        match key {
            Ok(key) => Ok(made(key)),
            Err(error) => {
                let error = anyhow::anyhow!("{}", DisplayErrorContext(error));
                made(String::new()).delete().await?;
                Err(error.context("a token cannot be made; it takes grafana:CreateWorkspaceServiceAccountToken"))
            }
        }
    }

    pub(crate) fn token(&self) -> SecretString {
        self.token.clone()
    }

    /// Takes the account away, and its token with it.
    pub(crate) async fn delete(self) -> anyhow::Result<()> {
        self.client
            .delete_workspace_service_account()
            .workspace_id(&self.workspace)
            .service_account_id(&self.id)
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(error)))
            .with_context(|| {
                format!("service account {} of workspace {} is left; its token ends within ten minutes, delete the account by hand", self.id, self.workspace)
            })?;
        Ok(())
    }
}
