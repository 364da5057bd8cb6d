//! The GitHub App: its JWT, its installations and the tokens that expire.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{caller, caller::Caller, refusal::Refusal};
use crate::{
    APP_ID, ORGANISATIONS,
    clock::Clock,
    world::{World, lock},
};

/// Verifies what [`crate::APP_KEY`] signs. A broken file would make every JWT a bad one, which a test would tell.
static PUBLIC_KEY: LazyLock<Option<DecodingKey>> =
    LazyLock::new(|| DecodingKey::from_rsa_pem(include_bytes!("../../testdata/app-key.pub.pem")).ok());

/// The longest a JWT may live, and how far clocks may differ (UPSTREAM 3.7).
const JWT_SECONDS: i64 = 600;
const CLOCK_SKEW_SECONDS: i64 = 60;

/// Tokens that are kept; a client that asks for more of them has lost the older ones.
const MOST_TOKENS: usize = 1000;

const FIRST_INSTALLATION: usize = 7001;

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: Issuer,
}

/// Libraries write the App's id either way.
#[derive(Deserialize)]
#[serde(untagged)]
enum Issuer {
    Text(String),
    Number(u64),
}

pub(super) fn check_jwt(token: &str) -> Result<(), Refusal> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    // Expiry is judged below, by GitHub's rules.
    validation.validate_exp = false;
    let key = PUBLIC_KEY
        .as_ref()
        .ok_or(Refusal::BadJwt("A JSON web token could not be decoded"))?;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation)
        .map_err(|_| Refusal::BadJwt("A JSON web token could not be decoded"))?
        .claims;
    let issuer = match claims.iss {
        Issuer::Text(text) => text,
        Issuer::Number(number) => number.to_string(),
    };
    let now = Clock::wall().as_second();
    if issuer != APP_ID {
        Err(Refusal::BadJwt("Integration not found"))
    } else if claims.iat > now + CLOCK_SKEW_SECONDS {
        Err(Refusal::BadJwt(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ))
    } else if claims.exp <= now {
        Err(Refusal::BadJwt(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ))
    } else if claims.exp > now + JWT_SECONDS + CLOCK_SKEW_SECONDS {
        Err(Refusal::BadJwt(
            "'Expiration time' claim ('exp') is too far in the future",
        ))
    } else {
        Ok(())
    }
}

/// The tokens given out so far.
#[derive(Debug, Default)]
pub(super) struct Installations {
    tokens: Mutex<Tokens>,
}

#[derive(Debug, Default)]
struct Tokens {
    given_out: u64,
    valid: HashMap<String, Token>,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    organisation: usize,
    /// On the simulator's clock.
    expires: Duration,
}

impl Installations {
    pub(super) fn organisation_of(&self, token: &str, clock: &Clock) -> Result<usize, Refusal> {
        match lock(&self.tokens).valid.get(token) {
            Some(token) if clock.elapsed() < token.expires => Ok(token.organisation),
            _ => Err(Refusal::BadCredentials),
        }
    }

    fn give(&self, organisation: usize, lifetime: Duration, clock: &Clock) -> String {
        let mut tokens = lock(&self.tokens);
        if tokens.valid.len() >= MOST_TOKENS {
            tokens.valid.clear();
        }
        tokens.given_out += 1;
        let token = format!("ghs_simulated{:08}", tokens.given_out);
        tokens.valid.insert(
            token.clone(),
            Token {
                organisation,
                expires: clock.elapsed() + lifetime,
            },
        );
        token
    }
}

/// `GET /orgs/{org}/installation`
pub(super) async fn installation(
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
) -> Result<Json<Value>, Refusal> {
    caller.is_app()?;
    let index = caller::organisation(&login)?;
    let id = FIRST_INSTALLATION + index;
    let login = ORGANISATIONS[index];
    Ok(Json(json!({
        "id": id,
        "account": {"login": login, "id": 2001 + index, "type": "Organization", "site_admin": false},
        "repository_selection": "all",
        "access_tokens_url": format!("https://api.github.example/app/installations/{id}/access_tokens"),
        "html_url": format!("https://github.example/organizations/{login}/settings/installations/{id}"),
        "app_id": APP_ID.parse::<u64>().ok(),
        "app_slug": "uptake",
        "target_id": 2001 + index,
        "target_type": "Organization",
        "permissions": permissions(),
        "events": [],
        "created_at": "2025-01-15T09:00:00Z",
        "updated_at": "2025-01-15T09:00:00Z",
        "suspended_at": null,
    })))
}

/// `POST /app/installations/{id}/access_tokens`
pub(super) async fn access_token(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    caller.is_app()?;
    let organisation = id
        .parse::<usize>()
        .ok()
        .and_then(|id| id.checked_sub(FIRST_INSTALLATION))
        .filter(|index| *index < ORGANISATIONS.len())
        .ok_or(Refusal::NotFound)?;
    let lifetime = Duration::from_secs(world.settings.scenario.app_token_seconds);
    let token = world.github.installations.give(organisation, lifetime, &world.clock);
    let expires_at = crate::days::whole_second(world.clock.now_plus(lifetime));
    let body = json!({
        "token": token,
        "expires_at": expires_at,
        "permissions": permissions(),
        "repository_selection": "all",
    });
    Ok((StatusCode::CREATED, Json(body)))
}

fn permissions() -> Value {
    json!({
        "actions": "read",
        "members": "read",
        "metadata": "read",
        "organization_copilot_seat_management": "read",
    })
}
