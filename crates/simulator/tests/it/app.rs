//! The GitHub App: from its key to an organisation's seats, and no further.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Response;
use serde_json::{Value, json};
use uptake_simulator::{APP_ID, APP_KEY, Simulator, TOKEN};

use crate::client::{SEATS, client, start, start_with};

const ORGANISATION_SEATS: &str = "/orgs/octo-org/copilot/billing/seats";

pub(crate) fn jwt(issuer: &str, lifetime: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "a JWT is stamped with wall time")]
    let now = Timestamp::now().as_second();
    let claims = json!({"iat": now - 60, "exp": now + lifetime, "iss": issuer});
    let key = EncodingKey::from_rsa_pem(APP_KEY.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

pub(crate) async fn get(simulator: &Simulator, path: &str, token: &str) -> Response {
    client()
        .get(format!("{}{path}", simulator.url()))
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}

pub(crate) async fn installation_token(simulator: &Simulator) -> String {
    let jwt = jwt(APP_ID, 540);
    let installation: Value = get(simulator, "/orgs/octo-org/installation", &jwt)
        .await
        .json()
        .await
        .unwrap();
    let url = format!(
        "{}/app/installations/{}/access_tokens",
        simulator.url(),
        installation["id"]
    );
    let response = client().post(url).bearer_auth(jwt).send().await.unwrap();
    assert_eq!(response.status(), 201);
    let token: Value = response.json().await.unwrap();
    assert!(token["expires_at"].as_str().unwrap().parse::<Timestamp>().is_ok());
    token["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_installation_reads_its_own_organisation_and_no_enterprise() {
    let simulator = start(50).await;
    let token = installation_token(&simulator).await;
    assert_eq!(get(&simulator, ORGANISATION_SEATS, &token).await.status(), 200);
    assert_eq!(
        get(&simulator, "/orgs/octo-org/copilot/billing", &token).await.status(),
        200
    );
    assert_eq!(
        get(&simulator, "/orgs/octo-labs/copilot/billing/seats", &token)
            .await
            .status(),
        403
    );
    for path in [SEATS, "/enterprises/octo-enterprise/teams"] {
        let refused = get(&simulator, path, &token).await;
        assert_eq!(refused.status(), 403);
        assert_eq!(
            refused.json::<Value>().await.unwrap()["message"],
            "Resource not accessible by integration"
        );
    }
}

#[tokio::test]
async fn an_installation_reads_the_identities_of_its_organisation_only() {
    let simulator = start(50).await;
    let token = installation_token(&simulator).await;
    let query = r#"{organization(login:"octo-org"){samlIdentityProvider{issuer}}
        enterprise(slug:"octo-enterprise"){ownerInfo{samlIdentityProvider{issuer}}}}"#;
    let request = client().post(format!("{}/graphql", simulator.url())).bearer_auth(token);
    let answer: Value = request
        .json(&json!({"query": query}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(answer["data"]["organization"]["samlIdentityProvider"]["issuer"].is_string());
    assert!(answer["data"]["enterprise"]["ownerInfo"].is_null());
    assert_eq!(answer["errors"][0]["type"], "FORBIDDEN");
}

#[tokio::test]
async fn a_token_expires() {
    let simulator = start_with(50, "app_token_seconds = 2").await;
    let token = installation_token(&simulator).await;
    assert_eq!(get(&simulator, ORGANISATION_SEATS, &token).await.status(), 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let expired = get(&simulator, ORGANISATION_SEATS, &token).await;
    assert_eq!(expired.status(), 401);
    assert_eq!(expired.json::<Value>().await.unwrap()["message"], "Bad credentials");
}

#[tokio::test]
async fn a_jwt_must_be_the_apps_signed_by_its_key_and_short_lived() {
    let simulator = start(10).await;
    let path = "/orgs/octo-org/installation";
    assert_eq!(get(&simulator, path, &jwt(APP_ID, 600)).await.status(), 200);
    let mut forged = jwt(APP_ID, 540);
    forged.replace_range(forged.len() - 6.., "AAAAAA");
    for bad in [
        jwt("1", 540),
        jwt(APP_ID, -1),
        jwt(APP_ID, 4000),
        forged,
        "a.b.c".to_owned(),
        TOKEN.to_owned(),
    ] {
        assert_eq!(get(&simulator, path, &bad).await.status(), 401, "{bad}");
    }
    assert_eq!(
        get(&simulator, "/orgs/other/installation", &jwt(APP_ID, 540))
            .await
            .status(),
        404
    );
    assert_eq!(get(&simulator, SEATS, &jwt(APP_ID, 540)).await.status(), 401);
}
