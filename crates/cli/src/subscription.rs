//! `uptake subscription`: starts, ends and lists the subscription that `audit-events` reads from.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uptake_pipeline::config::{ConfigFaults, Environment, Face, SubscriptionConfig};
use uptake_pipeline::outcome::PipelineError;
use uptake_pipeline::ports::SystemClock;
use uptake_upstream::clock::Deadline;
use uptake_upstream::microsoft::activity::{ActivityFeed, NewWebhook, Subscription};
use url::Url;

use crate::End;
use crate::args::{self, SubscriptionCommand};
use crate::folder::NoParameters;
use crate::terminal;

/// Microsoft starts a subscription once in 15 minutes only. Whoever tries sooner is told so, and does not wait here.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn execute(what: &args::Subscription, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let mut environment = Environment::new(Face::CommandLine, get);
    let config = environment.subscription();
    let config = environment.finish(config)?;
    let deadline = Deadline::within(PATIENCE);
    match &what.command {
        SubscriptionCommand::Start { webhook } => {
            let webhook = match webhook {
                Some(address) => Some(new_webhook(address, &config).await?),
                None => None,
            };
            let feed = connect(&config).await?;
            feed.start(webhook, deadline).await.map_err(PipelineError::from)?;
            print(&subscriptions(&feed, deadline).await?);
        }
        SubscriptionCommand::Stop => {
            let feed = connect(&config).await?;
            feed.stop(deadline).await.map_err(PipelineError::from)?;
            terminal::say("stopped; what happens from now on until it is started again cannot be read from the feed");
        }
        SubscriptionCommand::List { json } => {
            let there = subscriptions(&connect(&config).await?, deadline).await?;
            if *json {
                let there: Vec<Value> = there.iter().map(as_json).collect();
                terminal::say(&json!(there).to_string());
            } else {
                print(&there);
            }
        }
    }
    Ok(End::Done)
}

async fn connect(config: &SubscriptionConfig) -> Result<ActivityFeed, PipelineError> {
    config.feed(&NoParameters, Arc::new(SystemClock)).await
}

async fn subscriptions(feed: &ActivityFeed, deadline: Deadline) -> Result<Vec<Subscription>, PipelineError> {
    Ok(feed.subscriptions(deadline).await?)
}

async fn new_webhook(address: &str, config: &SubscriptionConfig) -> anyhow::Result<NewWebhook> {
    let fault = |sentence: &str| ConfigFaults::one(sentence.to_owned());
    let address: Url = address
        .parse()
        .map_err(|_| fault("--webhook is no address; give the function's URL as it is, from https:// on"))?;
    let missing = "UPTAKE_WEBHOOK_AUTH_ID is not set; a webhook needs it, the same value that activity-webhook has";
    let auth_id = config.auth_id.as_ref().ok_or_else(|| fault(missing))?;
    let auth_id = auth_id.resolve(&NoParameters).await.map_err(PipelineError::from)?;
    if auth_id.expose_secret().is_empty() {
        return Err(fault(missing).into());
    }
    Ok(NewWebhook { address, auth_id })
}

fn as_json(subscription: &Subscription) -> Value {
    json!({
        "content_type": subscription.content_type,
        "status": subscription.status,
        "webhook": subscription.webhook.as_ref().map(|webhook| json!({
            "status": webhook.status,
            "address": webhook.address,
            "expires_at": webhook.expiration,
        })),
    })
}

fn print(subscriptions: &[Subscription]) {
    if subscriptions.is_empty() {
        terminal::say("no subscription; `uptake subscription start` makes one");
    }
    for subscription in subscriptions {
        terminal::say(&lines(subscription).join("\n"));
    }
}

/// What there is to know of a subscription, and what to type where something is not as it should be.
fn lines(subscription: &Subscription) -> Vec<String> {
    const NOT_SAID: &str = "not said";
    let status = subscription.status.as_deref().unwrap_or(NOT_SAID);
    let mut lines = vec![format!("{}: {status}", subscription.content_type)];
    if status == "disabled" {
        lines.push("  next     uptake subscription start".to_owned());
    }
    let Some(webhook) = &subscription.webhook else {
        lines.push("  webhook  none".to_owned());
        return lines;
    };
    let status = webhook.status.as_deref().unwrap_or(NOT_SAID);
    lines.push(format!("  webhook  {status}, {}", webhook.address));
    if let Some(expiration) = webhook.expiration {
        lines.push(format!("  until    {expiration}"));
    }
    if matches!(status, "disabled" | "expired") {
        lines.push(format!(
            "  next     uptake subscription start --webhook {}",
            webhook.address
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use uptake_upstream::microsoft::activity::Webhook;

    fn subscription(status: &str, webhook: Option<&str>) -> Subscription {
        Subscription {
            content_type: "Audit.General".to_owned(),
            status: Some(status.to_owned()),
            webhook: webhook.map(|status| Webhook {
                status: Some(status.to_owned()),
                address: "https://hook.example/".to_owned(),
                expiration: None,
            }),
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_says_what_to_type() {
        for (status, webhook, expected) in [
            ("enabled", None, None),
            ("enabled", Some("enabled"), None),
            ("disabled", None, Some("  next     uptake subscription start")),
            (
                "enabled",
                Some("disabled"),
                Some("  next     uptake subscription start --webhook https://hook.example/"),
            ),
            (
                "enabled",
                Some("expired"),
                Some("  next     uptake subscription start --webhook https://hook.example/"),
            ),
        ] {
            let lines = lines(&subscription(status, webhook));
            assert_eq!(lines[0], format!("Audit.General: {status}"));
            let next = lines.iter().find(|line| line.contains("next"));
            assert_eq!(next.map(String::as_str), expected, "{lines:?}");
        }
    }
}
