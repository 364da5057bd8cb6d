//! The activity feed as a client meets it: what a request must have, lists, blobs, records, and agreement with the
//! simulator's own account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use reqwest::{Method, Response};
use serde_json::Value;
use uptake_simulator::{AuditCounts, CLIENT_ID, CLIENT_SECRET, Simulator, TENANT};

use crate::{
    client::{TODAY, header},
    tenant::{Tenant, login_for, tenant, tenant_of},
};

pub(crate) const ME: &str = "PublisherIdentifier=0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9";

/// A client of the feed, and of Graph beside it.
pub(crate) struct Feed {
    pub(crate) tenant: Tenant,
    token: String,
}

/// A blob as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) uri: String,
    pub(crate) created: Timestamp,
    expires: Timestamp,
}

/// What a client knows that has read some blobs.
#[derive(Default)]
struct Known {
    /// Interactions by id: prompts and copies.
    events: BTreeMap<String, (u64, u64)>,
    counts: AuditCounts,
    records: Vec<Value>,
}

pub(crate) async fn feed(users: u32, scenario: &str) -> Feed {
    of(tenant(users, scenario).await).await
}

async fn of(tenant: Tenant) -> Feed {
    let answer = login_for("manage.office.com", &tenant.simulator, TENANT, CLIENT_ID, CLIENT_SECRET).await;
    let token = answer.json::<Value>().await.unwrap()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    Feed { tenant, token }
}

pub(crate) async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    // Some refusals are no JSON.
    let at = text.find("AF").unwrap_or_default();
    let code = text[at..].chars().take_while(char::is_ascii_alphanumeric).collect();
    (status, code)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

pub(crate) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

impl Feed {
    pub(crate) fn simulator(&self) -> &Simulator {
        &self.tenant.simulator
    }

    fn root(&self) -> String {
        format!("{}/api/v1.0/{TENANT}/activity/feed", self.simulator().url())
    }

    pub(crate) async fn send(&self, method: Method, url: &str, body: &str) -> Response {
        let request = self.tenant.client.request(method, url).bearer_auth(&self.token);
        request.body(body.to_owned()).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, &format!("{}/{path}", self.root()), "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response {
        self.send(Method::POST, &format!("{}/{path}", self.root()), body).await
    }

    pub(crate) async fn list(&self, query: &str) -> Response {
        let path = format!("subscriptions/content?contentType=Audit.General&{ME}{query}");
        self.get(&path).await
    }

    /// All pages of a list.
    pub(crate) async fn pages(&self, query: &str) -> Vec<Vec<Listed>> {
        let mut pages = Vec::new();
        let mut answer = self.list(query).await;
        loop {
            assert_eq!(answer.status(), 200, "{query}");
            let next = header(&answer, "NextPageUri");
            pages.push(listed(&answer.json().await.unwrap()));
            if next.is_empty() {
                return pages;
            }
            answer = self.send(Method::GET, &format!("{next}&{ME}"), "").await;
        }
    }

    /// The blobs created in `[from, until)`.
    pub(crate) async fn blobs(&self, from: Timestamp, until: Timestamp) -> Vec<Listed> {
        let (mut blobs, mut start) = (Vec::new(), from);
        while start < until {
            let end = (start + 24.hours()).min(until);
            let query = format!("&startTime={}&endTime={}", second(start), second(end));
            blobs.extend(self.pages(&query).await.concat());
            start = end;
        }
        blobs
    }

    pub(crate) async fn blob(&self, blob: &Listed) -> Response {
        self.send(Method::GET, &format!("{}?{ME}", blob.uri), "").await
    }

    async fn read(&self, from: Timestamp, until: Timestamp, known: &mut Known) {
        for blob in self.blobs(from, until).await {
            let answer = self.blob(&blob).await;
            assert_eq!(answer.status(), 200);
            known.add(answer.json().await.unwrap());
        }
    }
}

fn listed(answer: &Value) -> Vec<Listed> {
    let blobs = answer.as_array().unwrap().iter();
    blobs
        .map(|blob| {
            assert_eq!(blob["contentType"], "Audit.General");
            let text = |name: &str| blob[name].as_str().unwrap().to_owned();
            let at = |name: &str| text(name).parse().unwrap();
            Listed {
                id: text("contentId"),
                uri: text("contentUri"),
                created: at("contentCreated"),
                expires: at("contentExpiration"),
            }
        })
        .collect()
}

impl Known {
    fn add(&mut self, records: Vec<Value>) {
        self.counts.blobs += 1;
        for record in records {
            self.counts.records += 1;
            if record["Operation"] == "CopilotInteraction" {
                match interaction(&record) {
                    Some((id, prompts)) => self.events.entry(id).or_insert((prompts, 0)).1 += 1,
                    None => self.counts.undecodable += 1,
                }
            } else {
                self.counts.ignored += 1;
            }
            self.records.push(record);
        }
        self.counts.events = self.events.len() as u64;
    }
}

/// The id and the prompts of an interaction that can be read.
pub(crate) fn interaction(record: &Value) -> Option<(String, u64)> {
    at(record)?;
    record["UserId"].as_str()?;
    let messages = record["CopilotEventData"]["Messages"].as_array()?;
    let prompts = messages.iter().filter(|message| message["isPrompt"] == true).count();
    Some((record["Id"].as_str()?.to_owned(), prompts as u64))
}

fn at(record: &Value) -> Option<Timestamp> {
    format!("{}Z", record["CreationTime"].as_str()?).parse().ok()
}

#[tokio::test]
async fn a_token_is_good_for_one_service_only() {
    let feed = feed(30, "").await;
    let url = format!("{}/subscriptions/list?{ME}", feed.root());
    let with_graph_token = feed.tenant.follow(&url).await;
    assert_eq!(with_graph_token.status(), 401);
    let body: Value = with_graph_token.json().await.unwrap();
    assert_eq!(body["Message"], "Authorization has been denied for this request.");
    let users = format!("{}/v1.0/users", feed.simulator().url());
    assert_eq!(feed.send(Method::GET, &users, "").await.status(), 401);
    assert_eq!(feed.tenant.follow(&users).await.status(), 200);
    assert_eq!(feed.get(&format!("subscriptions/list?{ME}")).await.status(), 200);
}

#[tokio::test]
async fn every_request_names_its_publisher_its_tenant_and_a_content_type() {
    let feed = feed(30, "").await;
    let url = feed.simulator().url();
    for path in [
        "subscriptions/list",
        "subscriptions/content?contentType=Audit.General",
        "audit/a$b",
    ] {
        assert_eq!(code(feed.get(path).await).await, refused(400, "AF20001"), "{path}");
    }
    assert_eq!(feed.simulator().requests().without_publisher, 3);
    let no_guid = feed.get("subscriptions/list?PublisherIdentifier=uptake").await;
    assert_eq!(code(no_guid).await, refused(400, "AF20002"));
    let list = format!("activity/feed/subscriptions/list?{ME}");
    let other = format!("{url}/api/v1.0/00000000-0000-4000-8000-000000000000/{list}");
    assert_eq!(
        code(feed.send(Method::GET, &other, "").await).await,
        refused(400, "AF20010")
    );
    let no_tenant = format!("{url}/api/v1.0/tenant.example/{list}");
    assert_eq!(
        code(feed.send(Method::GET, &no_tenant, "").await).await,
        refused(400, "AF20013")
    );
    for (query, expected) in [
        ("", "AF20001"),
        ("&contentType=Audit.Everything", "AF20020"),
        ("&contentType=Audit.Exchange", "AF20022"),
    ] {
        let answer = feed.get(&format!("subscriptions/content?{ME}{query}")).await;
        assert_eq!(code(answer).await, refused(400, expected), "{query}");
    }
}

#[tokio::test]
async fn lists_go_by_creation_and_come_in_pages() {
    let feed = feed(300, "audit_blobs_per_page = 9").await;
    let now = feed.simulator().now();
    let (from, middle) = (now - 48.hours(), now - 31.hours());
    let blobs = feed.blobs(from, from + 24.hours()).await;
    assert!(blobs.len() > 20, "{}", blobs.len());
    assert!(blobs.is_sorted_by_key(|blob| blob.created));
    assert!(
        blobs
            .iter()
            .all(|blob| from <= blob.created && blob.created < from + 24.hours())
    );
    assert!(blobs.iter().all(|blob| blob.expires == blob.created + 168.hours()));
    let ids: BTreeSet<_> = blobs.iter().map(|blob| &blob.id).collect();
    assert_eq!(ids.len(), blobs.len());
    let mut halves = feed.blobs(from, middle).await;
    assert!(!halves.is_empty() && halves.len() < blobs.len());
    halves.extend(feed.blobs(middle, from + 24.hours()).await);
    assert_eq!(halves, blobs);

    let pages = feed.pages("").await;
    assert!(pages.len() > 2 && pages[..pages.len() - 1].iter().all(|page| page.len() == 9));
    assert_eq!(pages.concat(), feed.blobs(now - 24.hours(), now).await);
    let bad = feed.list("&nextPage=mine").await;
    assert_eq!(code(bad).await, refused(400, "AF20031"));
}

#[tokio::test]
async fn a_list_covers_a_day_of_the_last_seven() {
    let feed = feed(30, "").await;
    for good in [
        "&startTime=2026-11-14&endTime=2026-11-15",
        "&startTime=2026-11-20T10:00&endTime=2026-11-20T10:01",
        "&startTime=2026-11-20T10:00:00&endTime=2026-11-21T10:00:00",
    ] {
        assert_eq!(feed.list(good).await.status(), 200, "{good}");
    }
    for (bad, expected) in [
        ("&startTime=2026-11-20", "AF20030"),
        ("&endTime=2026-11-20", "AF20030"),
        ("&startTime=2026-11-13T23:59:59&endTime=2026-11-14T10:00:00", "AF20055"),
        ("&startTime=2026-11-19T00:00:00&endTime=2026-11-20T00:00:01", "AF20055"),
        ("&startTime=2026-11-20&endTime=2026-11-20", "AF20055"),
        ("&startTime=2026-11-20&endTime=2026-11-19", "AF20055"),
        ("&startTime=2026-11-20T00:00:00Z&endTime=2026-11-21", "AF20002"),
        ("&startTime=yesterday&endTime=2026-11-21", "AF20002"),
    ] {
        assert_eq!(code(feed.list(bad).await).await, refused(400, expected), "{bad}");
    }
}

#[tokio::test]
async fn a_blob_is_there_from_its_creation_for_seven_days() {
    let feed = feed(300, "").await;
    let simulator = feed.simulator();
    let now = simulator.now();
    let blob = feed.blobs(now - 12.hours(), now).await.pop().unwrap();
    simulator.set_now(blob.created - 1.second());
    assert_eq!(code(feed.blob(&blob).await).await, refused(404, "AF20050"));
    assert!(
        feed.blobs(now - 12.hours(), now)
            .await
            .iter()
            .all(|other| other.id != blob.id)
    );
    simulator.set_now(blob.created);
    assert_eq!(feed.blob(&blob).await.status(), 200);
    simulator.set_now(blob.expires);
    assert_eq!(feed.blob(&blob).await.status(), 200);
    simulator.set_now(blob.expires + 1.second());
    assert_eq!(code(feed.blob(&blob).await).await, refused(400, "AF20051"));
    let other = blob.uri.replace("$audit_general", "$audit_special");
    let other = feed.send(Method::GET, &format!("{other}?{ME}"), "").await;
    assert_eq!(code(other).await, refused(404, "AF20050"));
    let malformed = feed.get(&format!("audit/mine?{ME}")).await;
    assert_eq!(code(malformed).await, refused(400, "AF20052"));
}

#[tokio::test]
async fn reading_everything_tells_what_the_truth_tells() {
    let feed = feed(300, "activity_limit = 1_000_000").await;
    let simulator = feed.simulator();
    let mut known = Known::default();
    let mut read_until = simulator.audit_since();
    for later in 0..9 {
        simulator.set_today(TODAY + later.days());
        feed.read(read_until, simulator.now(), &mut known).await;
        read_until = simulator.now();
        let truth = simulator.audit_events(read_until);
        assert_eq!(known.counts, simulator.audit_counts(read_until), "{later}");
        let told: BTreeMap<_, _> = truth
            .iter()
            .map(|event| (event.event_id.clone(), (event.prompts, event.copies)))
            .collect();
        assert_eq!(known.events, told);
        assert!(truth.iter().all(|event| event.first_created_at < read_until));
    }
    let counts = known.counts;
    assert!(
        counts.events > 3000 && counts.undecodable > 10 && counts.ignored > 1000,
        "{counts:?}"
    );

    let truth = simulator.audit_events(read_until);
    let by_id: BTreeMap<_, _> = truth.iter().map(|event| (&event.event_id, event)).collect();
    for record in known
        .records
        .iter()
        .filter(|record| record["Operation"] == "CopilotInteraction")
    {
        let Some((id, _)) = interaction(record) else { continue };
        let event = by_id[&id];
        let data = &record["CopilotEventData"];
        assert_eq!(at(record), Some(event.event_at));
        assert_eq!(record["UserId"].as_str().unwrap().to_lowercase(), event.upn);
        assert_eq!(data["AppHost"], event.app_host.as_str());
        let of_studio = record["AppIdentity"]
            .as_str()
            .filter(|_| data["AppHost"] == "Copilot Studio");
        assert_eq!(record["AgentId"].as_str().or(of_studio), event.agent_id.as_deref());
        let plugins = data["AISystemPlugin"].as_array();
        let searched = plugins.is_some_and(|plugins| plugins.iter().any(|plugin| plugin["Id"] == "BingWebSearch"));
        assert_eq!(searched, event.web_search);
    }
}

#[tokio::test]
async fn most_events_come_within_90_minutes_some_days_late_and_some_twice() {
    let feed = feed(300, "late_events_percent = 10\nduplicate_events_percent = 20").await;
    let simulator = feed.simulator();
    let until = simulator.now() + 336.hours();
    // Whatever happened in the first week has all its copies by then.
    let mut events = simulator.audit_events(until);
    events.retain(|event| event.event_at >= simulator.audit_since() && event.event_at < simulator.now());
    let share = |number: usize| number * 100 / events.len();
    let delay = |minutes: std::ops::Range<i64>| {
        let of = |event: &&uptake_simulator::AuditTruth| {
            let delay = event.first_created_at.duration_since(event.event_at).as_secs() / 60;
            minutes.contains(&delay)
        };
        share(events.iter().filter(of).count())
    };
    assert!((75..95).contains(&delay(60..91)), "{}", delay(60..91));
    assert!((7..14).contains(&delay(1440..9000)), "{}", delay(1440..9000));
    assert_eq!(delay(9000..1_000_000) + delay(0..60), 0);
    let doubled = share(events.iter().filter(|event| event.copies == 2).count());
    assert!((15..25).contains(&doubled), "{doubled}");
    assert!(events.iter().all(|event| (1..=2).contains(&event.copies)));

    // Blobs come in another order than what is in them.
    let now = simulator.now();
    let mut firsts = Vec::new();
    for blob in feed.blobs(now - 24.hours(), now).await {
        let records: Vec<Value> = feed.blob(&blob).await.json().await.unwrap();
        firsts.extend(records.iter().filter_map(at).min());
    }
    assert!(!firsts.is_sorted());
}

#[tokio::test]
async fn every_variety_of_record_occurs() {
    let feed = feed(300, "activity_limit = 1_000_000").await;
    let simulator = feed.simulator();
    let mut known = Known::default();
    feed.read(simulator.audit_since(), simulator.now(), &mut known).await;
    let mut seen = BTreeSet::new();
    for record in &known.records {
        let data = &record["CopilotEventData"];
        let host = data["AppHost"].as_str().unwrap_or_default();
        let kinds: Vec<_> = data["Contexts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|context| context["Type"].as_str().unwrap())
            .collect();
        let messages = data["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        let prompts = messages.iter().filter(|message| message["isPrompt"] == true).count();
        let upn = record["UserId"].as_str().unwrap_or_default();
        let identity = record["AppIdentity"].as_str().unwrap_or_default();
        let key = record["UserKey"].as_str().unwrap_or_default();
        let facts = [
            ("a Word document", host == "Word" && kinds == ["docx"]),
            ("a meeting", host == "Teams" && kinds.contains(&"TeamsMeeting")),
            ("a channel", record["RecordType"] == 334 && kinds == ["TeamsChannel"]),
            (
                "Teams without Teams",
                host == "Teams" && !kinds.iter().any(|kind| kind.starts_with("Teams")),
            ),
            ("Microsoft Teams", host == "Microsoft Teams"),
            ("BizChat", host == "Office" && identity.ends_with("BizChat")),
            (
                "an agent",
                record["AgentId"].is_string() && record["AgentName"].is_string(),
            ),
            (
                "an agent without a name",
                record["AgentId"].is_string() && record["AgentName"].is_null(),
            ),
            (
                "Copilot Studio",
                host == "Copilot Studio"
                    && prompts == 0
                    && identity.starts_with("Copilot.Studio")
                    && data.get("Contexts").is_none()
                    && data.get("AISystemPlugin").is_none(),
            ),
            (
                "Designer",
                host == "Designer" && data["ThreadId"] == "" && data["CorrelationId"].is_string(),
            ),
            ("an action", host == "OAIAutomationAgent" && prompts == 0),
            ("Edge", host == "Edge"),
            ("the side pane", host == "OutlookSidepane"),
            ("an unknown app", host == "HoloBoard"),
            (
                "a web search",
                data["AISystemPlugin"][0]["Id"] == "BingWebSearch" && data["AISystemPlugin"][0]["Name"] == "BuiltIn",
            ),
            ("upper case", !upn.is_empty() && !upn.chars().any(char::is_lowercase)),
            (
                "mixed case",
                upn.chars().any(char::is_uppercase) && upn.chars().any(char::is_lowercase),
            ),
            ("an object id", key.len() == 36),
            ("a PUID", key.len() == 16),
            ("no id", record.get("Id").is_none()),
            ("a wrong date", record.get("Id").is_some() && at(record).is_none()),
            ("a wrong type", record["UserId"].is_number()),
            (
                "Copilot, another operation",
                record["RecordType"] == 261 && record["Operation"] != "CopilotInteraction",
            ),
            ("something else", record["Workload"] == "PowerBI"),
        ];
        seen.extend(facts.iter().filter(|(_, is_so)| *is_so).map(|(name, _)| *name));
        assert!(!record["CreationTime"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(seen.len(), 24, "{seen:?}");

    // Some of those who have none have no licence, and some have had another name.
    let directory = simulator.tenant(TODAY).users;
    let unlicensed: BTreeSet<_> = directory
        .iter()
        .filter(|user| user.skus.is_empty())
        .map(|user| user.upn.to_lowercase())
        .collect();
    let events = simulator.audit_events(simulator.now());
    assert!(events.iter().any(|event| unlicensed.contains(&event.upn)));
    let identities: BTreeSet<_> = simulator.identities().into_iter().collect();
    assert!(events.iter().all(|event| identities.contains(&event.upn)));
    let longer = simulator.audit_events_between(simulator.now() - 1200.hours(), simulator.now());
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in &longer {
        names.entry(&event.user_id).or_default().insert(&event.upn);
    }
    assert!(names.values().any(|names| names.len() == 2));
    assert!(longer.iter().all(|event| event.upn == event.upn.to_lowercase()));
}

#[tokio::test]
async fn prompts_are_those_of_the_usage_report() {
    let feed = feed(300, "odd_rows = false\nlate_activity_percent = 0").await;
    let simulator = feed.simulator();
    let usage = simulator.usage(TODAY);
    let until = simulator.now() + 240.hours();
    let (from, beside) = (TODAY - 6.days(), ["Designer", "Copilot Studio", "OAIAutomationAgent"]);
    let others = [
        "Whiteboard",
        "Forms",
        "SharePoint",
        "M365AdminCenter",
        "Stream",
        "VivaEngage",
        "HoloBoard",
    ];
    let mut prompts: BTreeMap<String, u64> = BTreeMap::new();
    for event in simulator.audit_events(until) {
        let day = event.event_at.to_zoned(TimeZone::UTC).date();
        let is_counted = !beside.contains(&event.app_host.as_str()) && !others.contains(&event.app_host.as_str());
        if (from..=TODAY).contains(&day) && is_counted {
            *prompts.entry(event.upn).or_default() += event.prompts;
        }
    }
    // Who had no licence for some days, or another name, is told of by the reports in part only.
    let mut throughout: Option<BTreeSet<String>> = None;
    for later in 0..7 {
        let users = simulator.tenant(from + later.days()).users.into_iter();
        let licensed = users
            .filter(|user| !user.skus.is_empty())
            .map(|user| user.upn.to_lowercase());
        let licensed: BTreeSet<_> = licensed.collect();
        throughout = Some(throughout.map_or(licensed.clone(), |before| &before & &licensed));
    }
    let throughout = throughout.unwrap();
    let mut compared = 0;
    for person in usage.iter().filter(|person| throughout.contains(&person.upn)) {
        let found = prompts.get(&person.upn).copied().unwrap_or_default();
        assert_eq!(found, person.prompts_7, "{}", person.upn);
        compared += u32::from(found > 0);
    }
    assert!(compared > 50, "{compared}");
}

#[tokio::test]
async fn the_feed_is_the_same_whenever_one_looks() {
    let one = feed(100, "").await;
    let settings = uptake_simulator::Settings {
        tenant_users: 100,
        ..uptake_simulator::Settings::new(10, 7, TODAY + 3.days())
    };
    let other = Simulator::start(settings).await.unwrap();
    let (from, until) = (other.audit_since(), one.simulator().now());
    assert_eq!(
        one.simulator().audit_events_between(from, until),
        other.audit_events(until)
    );
    let blobs = one.blobs(until - 5.hours(), until).await;
    one.simulator().set_today(TODAY - 30.days());
    one.simulator().set_today(TODAY + 2.days());
    assert_eq!(one.blobs(until - 5.hours(), until).await, blobs);
    let third = of(tenant_of(8, 100, "").await).await;
    assert_ne!(
        third.simulator().audit_events(until),
        one.simulator().audit_events(until)
    );
}

#[tokio::test]
async fn too_many_requests_are_refused_in_two_ways() {
    let feed = feed(30, "activity_limit = 3").await;
    for _ in 0..3 {
        assert_eq!(feed.list("").await.status(), 200);
    }
    let first = feed.list("").await;
    assert_eq!(
        (first.status().as_u16(), header(&first, "retry-after")),
        (403, String::new())
    );
    let text = first.text().await.unwrap();
    assert!(
        text.starts_with("{'error':{'code':'AF429','message':'Too many requests. Method=GET"),
        "{text}"
    );
    let second = feed.list("").await;
    let wait: u64 = header(&second, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(code(second).await, refused(429, "AF429"));
    let third = feed.get(&format!("audit/a$b?{ME}")).await;
    assert_eq!(third.status(), 403);
    assert!(
        third
            .text()
            .await
            .unwrap()
            .contains("Method=GetBlob, PublisherId=0a1b2c3d-")
    );
}

#[tokio::test]
async fn faults_are_worded_as_the_feed_words_them() {
    let scenario = |kind: &str| {
        format!(
            "[[fault]]\nroute = '/api/v1.0/{{tenant}}/activity/feed/subscriptions/content'\nevery = 1\nkind = '{kind}'"
        )
    };
    for (kind, status, expected) in [
        ("primary_exhausted_403", 403, "AF429"),
        ("primary_exhausted_429", 429, "AF429"),
        ("secondary_with_retry_after", 429, "AF429"),
        ("secondary_without_header", 403, "AF429"),
        ("server_error", 500, "AF50000"),
        ("unauthorized", 401, ""),
        ("forbidden", 403, "AF10001"),
        ("not_found", 404, "AF20050"),
        ("unprocessable", 400, "AF20002"),
    ] {
        let feed = feed(30, &scenario(kind)).await;
        let answer = feed.list("").await;
        assert_eq!(answer.status(), status, "{kind}");
        if !expected.is_empty() {
            assert_eq!(code(answer).await, refused(status, expected), "{kind}");
        }
        assert_eq!(feed.get(&format!("subscriptions/list?{ME}")).await.status(), 200);
    }
    let cut = feed(
        300,
        "audit_blobs_per_page = 5\n[[fault]]\nroute = '*'\npage = 2\nkind = 'cut_json'",
    )
    .await;
    let first = cut.list("").await;
    let next = header(&first, "nextpageuri");
    assert!(first.json::<Value>().await.is_ok() && !next.is_empty());
    let second = cut.send(Method::GET, &format!("{next}&{ME}"), "").await;
    assert_eq!(second.status(), 200);
    assert!(second.json::<Value>().await.is_err());
}

#[tokio::test]
async fn any_number_of_events_a_day_can_be_had() {
    let scenario = "events_per_day = 6000\nevents_per_blob = 50\nactivity_limit = 1_000_000";
    let feed = feed(300, scenario).await;
    let simulator = feed.simulator();
    let since = simulator.audit_since();
    let mut known = Known::default();
    feed.read(since, since + 48.hours(), &mut known).await;
    assert_eq!(known.counts, simulator.audit_counts(since + 48.hours()));
    let on = |day: Date| {
        let events = simulator.audit_events(simulator.now() + 336.hours());
        let of = |at: Timestamp| at.to_zoned(TimeZone::UTC).date() == day;
        events.iter().filter(|event| of(event.event_at)).count()
    };
    assert_eq!(on(TODAY - 3.days()), 6000);
    let people: BTreeSet<_> = known
        .records
        .iter()
        .filter_map(|record| record["UserId"].as_str())
        .collect();
    assert!(people.len() > 300, "{}", people.len());
    let blobs = feed.blobs(since + 24.hours(), since + 48.hours()).await;
    let full = blobs.len() * 50;
    assert!((6000..15_000).contains(&full), "{full}");
}

#[tokio::test]
async fn a_noisy_feed_tells_everything_to_who_asks_again() {
    let feed = feed(300, include_str!("../../scenarios/noisy-audit-feed.toml")).await;
    let simulator = feed.simulator();
    let (from, until) = (simulator.now() - 24.hours(), simulator.now());
    let mut tries = 0;
    let mut known = Known::default();
    let mut next = format!(
        "{}/subscriptions/content?contentType=Audit.General&startTime={}&endTime={}",
        feed.root(),
        second(from),
        second(until)
    );
    let mut blobs = Vec::new();
    while !next.is_empty() {
        tries += 1;
        let answer = feed.send(Method::GET, &format!("{next}&{ME}"), "").await;
        let (status, on) = (answer.status(), header(&answer, "nextpageuri"));
        if let Ok(page) = answer.json::<Value>().await
            && status == 200
        {
            blobs.extend(listed(&page));
            next = on;
        }
        assert!(tries < 100);
    }
    let mut failures = 0;
    for blob in blobs {
        loop {
            let answer = feed.blob(&blob).await;
            let status = answer.status();
            match answer.json().await {
                Ok(records) if status == 200 => break known.add(records),
                _ => failures += 1,
            }
        }
    }
    assert_eq!(failures, 3);
    assert_eq!(known.counts, simulator.audit_counts_between(from, until));
    assert_eq!(simulator.excluded(TODAY).len(), 12);
}
