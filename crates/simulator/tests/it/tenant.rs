//! A naive client of the tenant: logs in, reads page by page, takes reports apart, no retries.

use std::collections::BTreeMap;

use jiff::civil::Date;
use reqwest::{Response, header::LOCATION, redirect::Policy};
use serde_json::Value;
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, Scenario, Settings, Simulator, TENANT};

use crate::client::TODAY;

pub(crate) const SELECT: &str = "id,userPrincipalName,displayName,mail,department,jobTitle,companyName,officeLocation,\
accountEnabled,userType,usageLocation,assignedLicenses,assignedPlans,licenseAssignmentStates";
pub(crate) const ACTIVE: &str = "reports/getOffice365ActiveUserDetail";

/// Enough of everything for a test that asks every day.
pub(crate) const UNLIMITED: &str = "reports_limit = 1000000\njson_reports_limit = 1000000\nidentity_limit = 1000000\n";

pub(crate) struct Tenant {
    pub(crate) simulator: Simulator,
    pub(crate) client: reqwest::Client,
    pub(crate) token: String,
}

/// A row of a report by column; `None` for a row with another number of fields than the head.
pub(crate) type Row = Option<BTreeMap<String, String>>;

pub(crate) fn no_redirects() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent("uptake-test")
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .unwrap()
}

pub(crate) async fn tenant(users: u32, scenario: &str) -> Tenant {
    tenant_of(7, users, scenario).await
}

pub(crate) async fn tenant_of(seed: u64, users: u32, scenario: &str) -> Tenant {
    let settings = Settings {
        tenant_users: users,
        ..Settings::new(10, seed, TODAY)
    }
    .with_scenario(Scenario::parse(scenario).unwrap());
    let simulator = Simulator::start(settings).await.unwrap();
    let client = no_redirects();
    let answer = login(&simulator, TENANT, CLIENT_ID, CLIENT_SECRET).await;
    let token = answer.json::<Value>().await.unwrap()["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Tenant {
        simulator,
        client,
        token,
    }
}

pub(crate) async fn login(simulator: &Simulator, tenant: &str, id: &str, secret: &str) -> Response {
    login_for("graph.microsoft.com", simulator, tenant, id, secret).await
}

pub(crate) async fn login_for(resource: &str, simulator: &Simulator, tenant: &str, id: &str, secret: &str) -> Response {
    let form = format!(
        "client_id={id}&client_secret={secret}&grant_type=client_credentials&\
         scope=https%3A%2F%2F{resource}%2F.default"
    );
    no_redirects()
        .post(format!("{}/{tenant}/oauth2/v2.0/token", simulator.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap()
}

impl Tenant {
    pub(crate) async fn ask(&self, path: &str) -> Response {
        self.follow(&format!("{}/{path}", self.simulator.url())).await
    }

    pub(crate) async fn follow(&self, url: &str) -> Response {
        self.client.get(url).bearer_auth(&self.token).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.ask(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// All items of a list, and how many each page had.
    pub(crate) async fn all(&self, path: &str) -> (Vec<Value>, Vec<usize>) {
        let (mut items, mut pages) = (Vec::new(), Vec::new());
        let mut next = Some(format!("{}/{path}", self.simulator.url()));
        while let Some(url) = next {
            let mut answer: Value = self.follow(&url).await.json().await.unwrap();
            let page = answer["value"].as_array_mut().unwrap();
            pages.push(page.len());
            items.append(page);
            next = answer["@odata.nextLink"].as_str().map(str::to_owned);
        }
        (items, pages)
    }

    pub(crate) async fn users(&self) -> Vec<Value> {
        self.all(&format!("v1.0/users?$select={SELECT}&$top=999")).await.0
    }

    /// The text behind an answer, wherever it lies.
    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self.ask(path).await;
        let answer = match answer.headers().get(LOCATION) {
            None => answer,
            Some(address) => self.client.get(address.to_str().unwrap()).send().await.unwrap(),
        };
        assert_eq!(answer.status(), 200, "{path}");
        whole(answer).await
    }

    pub(crate) async fn report(&self, path: &str) -> Vec<Row> {
        rows(&self.text(path).await)
    }
}

/// A body to the byte: as text, the mark at its start would be taken away or not, by how the client was built.
pub(crate) async fn whole(answer: reqwest::Response) -> String {
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

/// A CSV with its mark at the start.
pub(crate) fn rows(text: &str) -> Vec<Row> {
    let text = text.strip_prefix('\u{feff}').unwrap();
    let mut lines = text.lines().map(fields);
    let head = lines.next().unwrap();
    lines
        .map(|fields| (fields.len() == head.len()).then(|| head.iter().cloned().zip(fields).collect()))
        .collect()
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut rest = line.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '"' if quoted && rest.peek() == Some(&'"') => fields.last_mut().unwrap().push(rest.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

pub(crate) fn date(text: &str) -> Result<Option<Date>, jiff::Error> {
    if text.is_empty() {
        Ok(None)
    } else {
        text.parse().map(Some)
    }
}
