//! Who asks: a service principal that gets an hour's token for its secret.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::form_urlencoded;

use crate::clock::{Clock, Deadline};
use crate::error::ApiError;
use crate::http::{Answer, Call, CallRecord, Http, Patience, Request, Resource, Route};
use crate::microsoft::Principal;
use crate::origin::Origin;

/// A token with less life than this is renewed before it is used.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

static TOKEN: Route = Route {
    template: "POST /{tenant}/oauth2/v2.0/token",
    resource: Resource::Login,
    grant: "the sign-in is blocked for this application; an administrator of the tenant can see why in its sign-in logs",
    not_found: "check UPTAKE_LOGIN_URL and UPTAKE_TENANT_ID",
    is_download: false,
};

pub(super) struct SignIn {
    http: Http,
    principal: Principal,
    scope: String,
    token: Mutex<Option<Token>>,
}

struct Token {
    value: SecretString,
    renew_at: Timestamp,
}

impl SignIn {
    /// For tokens of one scope: each service takes its own only.
    pub(super) fn new(
        login: Origin,
        scope: String,
        principal: Principal,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, ApiError> {
        for (text, variable) in [
            (principal.tenant.as_str(), "UPTAKE_TENANT_ID"),
            (principal.client_id.as_str(), "UPTAKE_CLIENT_ID"),
            (principal.client_secret.expose_secret(), "UPTAKE_CLIENT_SECRET"),
        ] {
            if text.is_empty() || text.contains(|sign: char| sign.is_whitespace() || sign.is_control()) {
                return Err(ApiError::Configuration(format!(
                    "{variable} is empty or holds a blank or a line end; store it anew"
                )));
            }
        }
        Ok(Self {
            http: Http::new(login, HeaderMap::new(), clock, patience)?.with_journal(),
            principal,
            scope,
            token: Mutex::default(),
        })
    }

    /// Who signs in.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whose tenant it is.
    pub(super) fn tenant(&self) -> &str {
        &self.principal.tenant
    }

    pub(super) fn requests(&self) -> u64 {
        self.http.requests()
    }

    pub(super) fn take_calls(&self) -> Vec<CallRecord> {
        self.http.take_calls()
    }

    /// A token that is good, from memory where it lasts.
    pub(super) async fn token(&self, deadline: Deadline) -> Result<SecretString, ApiError> {
        // Held across the exchange: others wait for the one token rather than ask for one each.
        let mut token = self.token.lock().await;
        if let Some(known) = &*token
            && self.http.now() < known.renew_at
        {
            return Ok(known.value.clone());
        }
        let fresh = self.exchange(deadline).await?;
        let value = fresh.value.clone();
        *token = Some(fresh);
        Ok(value)
    }

    /// A token in place of one that was refused. Of several requests that were refused together, the first one gets a
    /// new token and the others find it.
    pub(super) async fn renew(&self, refused: &SecretString, deadline: Deadline) -> Result<SecretString, ApiError> {
        let mut token = self.token.lock().await;
        if token
            .as_ref()
            .is_some_and(|known| known.value.expose_secret() == refused.expose_secret())
        {
            *token = None;
        }
        drop(token);
        self.token(deadline).await
    }

    async fn exchange(&self, deadline: Deadline) -> Result<Token, ApiError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: SecretString,
            expires_in: u32,
        }
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &self.principal.client_id)
            .append_pair("client_secret", self.principal.client_secret.expose_secret())
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", &self.scope)
            .finish();
        let request = Request {
            route: &TOKEN,
            url: self
                .http
                .origin()
                .at(&[&self.principal.tenant, "oauth2", "v2.0", "token"]),
            token: None,
            call: Call::Form(form.into()),
        };
        // Its life is counted from before it was asked for, which errs on the early side.
        let asked_at = self.http.now();
        let granted: Granted = self.http.send(&request, deadline, Answer::json).await?;
        let life = SignedDuration::from_secs(granted.expires_in.into());
        // One that lives for minutes only is still used for half of them.
        let used_for = (life - RENEW_BEFORE).max(life / 2);
        Ok(Token {
            value: granted.access_token,
            renew_at: asked_at.checked_add(used_for).unwrap_or(asked_at),
        })
    }
}
