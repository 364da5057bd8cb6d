//! A naive client: page by page, no retries, everything as JSON values.

use jiff::civil::{Date, date};
use reqwest::{RequestBuilder, Response, header::LINK};
use serde_json::{Value, json};
use uptake_simulator::{ENTERPRISE, Scenario, Settings, Simulator, TOKEN};

pub(crate) const SEATS: &str = "/enterprises/octo-enterprise/copilot/billing/seats";
pub(crate) const SEATS_ROUTE: &str = "/enterprises/{enterprise}/copilot/billing/seats";

/// A Friday.
pub(crate) const TODAY: Date = date(2026, 11, 20);

pub(crate) async fn start(seats: u32) -> Simulator {
    Simulator::start(Settings::new(seats, 7, TODAY)).await.unwrap()
}

pub(crate) async fn start_with(seats: u32, scenario: &str) -> Simulator {
    let settings = Settings::new(seats, 7, TODAY).with_scenario(Scenario::parse(scenario).unwrap());
    Simulator::start(settings).await.unwrap()
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent("uptake-test")
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) fn get(simulator: &Simulator, path: &str) -> RequestBuilder {
    client().get(format!("{}{path}", simulator.url())).bearer_auth(TOKEN)
}

pub(crate) async fn status(simulator: &Simulator, path: &str) -> u16 {
    get(simulator, path).send().await.unwrap().status().as_u16()
}

pub(crate) async fn json(simulator: &Simulator, path: &str) -> Value {
    get(simulator, path).send().await.unwrap().json().await.unwrap()
}

pub(crate) async fn graphql(simulator: &Simulator, query: &str) -> Value {
    let url = format!("{}/graphql", simulator.url());
    let request = client().post(url).bearer_auth(TOKEN).json(&json!({"query": query}));
    request.send().await.unwrap().json().await.unwrap()
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// The address a `Link` header gives for a relation.
pub(crate) fn link(response: &Response, rel: &str) -> Option<String> {
    let links = response.headers().get(LINK)?.to_str().unwrap();
    let wanted = format!("rel=\"{rel}\"");
    let link = links.split(", ").find(|link| link.ends_with(&wanted))?;
    Some(link.split(['<', '>']).nth(1).unwrap().to_owned())
}

/// All seat objects below a path, by following `next`.
pub(crate) async fn all_seats(simulator: &Simulator, path: &str) -> (u64, Vec<Value>) {
    let client = client();
    let mut url = Some(format!("{}{path}?per_page=100", simulator.url()));
    let (mut total, mut seats) = (0, Vec::new());
    while let Some(page) = url {
        let response = client.get(page).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(response.status(), 200);
        url = link(&response, "next");
        let mut body: Value = response.json().await.unwrap();
        total = body["total_seats"].as_u64().unwrap();
        seats.append(body["seats"].as_array_mut().unwrap());
    }
    (total, seats)
}

pub(crate) async fn enterprise_seats(simulator: &Simulator) -> Vec<Value> {
    all_seats(simulator, &format!("/enterprises/{ENTERPRISE}/copilot/billing/seats"))
        .await
        .1
}
