//! Who asks: a token as it is, or a GitHub App that gets an hour's token for each organisation.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::github::{Identity, Owner};
use crate::http::{Answer, Call, Http, Keep, Request, Resource, Route};

/// A JWT may live ten minutes and be dated a minute back against clock skew
/// (docs.github.com, "Generating a JSON Web Token", read 2026-11-21); a minute less stays clear of the limit.
const JWT_LIFE: SignedDuration = SignedDuration::from_mins(9);
const JWT_BACKDATED: SignedDuration = SignedDuration::from_mins(1);
/// A token with less life than this is renewed before it is used.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

static INSTALLATION: Route = Route {
    template: "GET /orgs/{org}/installation",
    resource: Resource::Core,
    grant: "check UPTAKE_GITHUB_APP_ID and its private key",
    not_found: "install the GitHub App in this organisation",
    is_download: false,
};
static ACCESS_TOKEN: Route = Route {
    template: "POST /app/installations/{id}/access_tokens",
    resource: Resource::Core,
    grant: "the App's installation is suspended; an organisation owner can resume it",
    not_found: "install the GitHub App in this organisation",
    is_download: false,
};

pub(super) enum Auth {
    Token(SecretString),
    App(Box<App>),
}

pub(super) struct App {
    id: String,
    key: EncodingKey,
    tokens: Mutex<HashMap<String, InstallationToken>>,
}

#[derive(Deserialize)]
struct InstallationToken {
    token: SecretString,
    expires_at: Timestamp,
}

impl Auth {
    pub(super) fn new(identity: Identity) -> Result<Self, ApiError> {
        match identity {
            Identity::Token(token) if HeaderValue::from_str(token.expose_secret()).is_err() => {
                Err(ApiError::Configuration(
                    "the GitHub token holds a character that no token has, such as a line end; store it anew"
                        .to_owned(),
                ))
            }
            Identity::Token(token) => Ok(Self::Token(token)),
            Identity::App { id, private_key } => {
                let key = EncodingKey::from_rsa_pem(private_key.expose_secret().as_bytes()).map_err(|_| {
                    ApiError::Configuration(
                        "the GitHub App's private key is not an RSA key in PEM form; download a new one from the App's settings"
                            .to_owned(),
                    )
                })?;
                Ok(Self::App(Box::new(App {
                    id,
                    key,
                    tokens: Mutex::default(),
                })))
            }
        }
    }

    /// A token that is good for this owner, from memory where it lasts.
    pub(super) async fn token(&self, http: &Http, owner: &Owner, deadline: Deadline) -> Result<SecretString, ApiError> {
        match self {
            Self::Token(token) => Ok(token.clone()),
            Self::App(app) => app.token(http, owner, deadline).await,
        }
    }

    /// Whether a refused token can be replaced without a person.
    pub(super) fn is_renewable(&self) -> bool {
        matches!(self, Self::App(_))
    }

    /// A token in place of one that was refused. Of several requests that were refused together, the first one gets a
    /// new token and the others find it.
    pub(super) async fn renew(
        &self,
        http: &Http,
        owner: &Owner,
        refused: &SecretString,
        deadline: Deadline,
    ) -> Result<SecretString, ApiError> {
        if let Self::App(app) = self {
            let mut tokens = app.tokens.lock().await;
            if tokens
                .get(owner.slug())
                .is_some_and(|known| known.token.expose_secret() == refused.expose_secret())
            {
                tokens.remove(owner.slug());
            }
        }
        self.token(http, owner, deadline).await
    }
}

impl App {
    async fn token(&self, http: &Http, owner: &Owner, deadline: Deadline) -> Result<SecretString, ApiError> {
        // Held across the exchange: others of this organisation wait for the one token rather than ask for eight.
        let mut tokens = self.tokens.lock().await;
        if let Some(known) = tokens.get(owner.slug())
            && known.expires_at.duration_since(http.now()) > RENEW_BEFORE
        {
            return Ok(known.token.clone());
        }
        let fresh = self.exchange(http, owner.slug(), deadline).await?;
        let token = fresh.token.clone();
        tokens.insert(owner.slug().to_owned(), fresh);
        Ok(token)
    }

    async fn exchange(
        &self,
        http: &Http,
        organisation: &str,
        deadline: Deadline,
    ) -> Result<InstallationToken, ApiError> {
        #[derive(Deserialize)]
        struct Installation {
            id: u64,
        }
        let token = self.jwt(http.now())?;
        let find = Request {
            route: &INSTALLATION,
            url: http.origin().at(&["orgs", organisation, "installation"]),
            token: Some(token.clone()),
            call: Call::Get(Keep::Body),
        };
        let installation: Installation = http.send(&find, deadline, Answer::json).await?;
        let id = installation.id.to_string();
        let create = Request {
            route: &ACCESS_TOKEN,
            url: http.origin().at(&["app", "installations", &id, "access_tokens"]),
            token: Some(token),
            call: Call::Post("{}".into()),
        };
        http.send(&create, deadline, Answer::json).await
    }

    fn jwt(&self, now: Timestamp) -> Result<SecretString, ApiError> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iat: i64,
            exp: i64,
            iss: &'a str,
        }
        let claims = Claims {
            iat: (now - JWT_BACKDATED).as_second(),
            exp: (now + JWT_LIFE).as_second(),
            iss: &self.id,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .map(SecretString::from)
            .map_err(|_| ApiError::Configuration("the GitHub App's private key cannot sign".to_owned()))
    }
}
