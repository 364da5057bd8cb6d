//! Reading engagement: tables of a few known subjects, asked through the API as it is and as it is deployed; and made-up
//! people, whose totals are computed once more from their days.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use jiff::civil::{Date, Weekday, date};
use jiff::{Timestamp, ToSpan};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uptake_cli::folder::{Folder, NoParameters};
use uptake_domain::engagement::{DayState, RUBRIC_VERSION, Timeframe};
use uptake_domain::tables::{
    GOLD_AGENT_TOTALS, GOLD_ENGAGEMENT_CLOSINGS, GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS, Table,
};
use uptake_lake::{Columns, Filter, Lake, Stamp};
use uptake_pipeline::config::{EngagementApiConfig, EngagementConfig, Environment, Face};
use uptake_pipeline::engagement::test_data::{self, Seeded, Seeding, TestDataError};
use uptake_pipeline::engagement::{self, Identity, Lakes};
use uptake_pipeline::engagement_api::{self, HttpAnswer};
use uptake_pipeline::outcome::{PipelineError, Status};
use uptake_pipeline::ports::{Files, Ports, Unwatched};
use uptake_pipeline::trigger::Trigger;

use crate::aws_face::{BUCKET, Deployment};
use crate::enterprise::Standing;
use crate::function_url::FunctionUrl;
use crate::moto::{Moto, python};
use crate::tenant::{evening, identity_key, invocation};

/// A Friday.
const TODAY: Date = date(2026, 11, 20);
/// The Monday and the Sunday before.
const MONDAY: Date = date(2026, 11, 16);
const SUNDAY: Date = date(2026, 11, 15);
const ALL_TIME: Date = date(1970, 1, 1);
const TENANT: &str = "contoso.example";

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct DayRow {
    subject: String,
    key_id: String,
    day: Date,
    app: String,
    agent_id: String,
    interactions: u64,
    state: DayState,
}

/// A row of the totals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TotalRow {
    subject: String,
    key_id: String,
    app: String,
    timeframe: Timeframe,
    start_on: Date,
    active_days: u64,
    current_streak: u64,
    best_streak: u64,
    interactions: u64,
    points: u64,
    rubric_version: i64,
    last_active_on: Option<Date>,
}

/// A row of the agents' totals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AgentRow {
    agent_id: String,
    agent_name: Option<String>,
    timeframe: Timeframe,
    start_on: Date,
    interactions: u64,
    subjects: u64,
}

fn day(subject: &str, day: Date, app: &str, state: DayState) -> DayRow {
    DayRow {
        subject: subject.to_owned(),
        key_id: "first".to_owned(),
        day,
        app: app.to_owned(),
        agent_id: String::new(),
        interactions: u64::from(state == DayState::Active),
        state,
    }
}

/// A total of a subject and app: active days, current and best streak, interactions, points.
fn total(subject: &str, app: &str, stretch: (Timeframe, Date), figures: [u64; 5], last_active_on: Date) -> TotalRow {
    let [active_days, current_streak, best_streak, interactions, points] = figures;
    TotalRow {
        subject: subject.to_owned(),
        key_id: "first".to_owned(),
        app: app.to_owned(),
        timeframe: stretch.0,
        start_on: stretch.1,
        active_days,
        current_streak,
        best_streak,
        interactions,
        points,
        rubric_version: RUBRIC_VERSION,
        last_active_on: Some(last_active_on),
    }
}

fn agent(agent_id: &str, stretch: (Timeframe, Date), interactions: u64, subjects: u64) -> AgentRow {
    AgentRow {
        agent_id: agent_id.to_owned(),
        agent_name: (agent_id != "nameless").then(|| format!("The {agent_id}")),
        timeframe: stretch.0,
        start_on: stretch.1,
        interactions,
        subjects,
    }
}

fn stamp() -> Stamp {
    Stamp {
        collected_at: Timestamp::UNIX_EPOCH,
        invocation_id: "test".to_owned(),
    }
}

async fn put<R: Serialize>(lake: &Lake, table: &'static Table, rows: Vec<R>) {
    lake.upsert(table, Columns::All, rows, &stamp()).await.unwrap();
}

/// Tables of five people: `ada` and `bea` use several apps, `cy` and `dan` one, `eve` holds a licence and never used it.
async fn write_tables(lake: &Lake) {
    use DayState::{Active, Inactive, Neutral};
    let all_time = (Timeframe::AllTime, ALL_TIME);
    let (week, month) = ((Timeframe::Week, MONDAY), (Timeframe::Month, date(2026, 11, 1)));
    let last_week = (Timeframe::Week, date(2026, 11, 9));
    let in_october = (Timeframe::Month, date(2026, 10, 1));
    let (thursday, long_ago) = (date(2026, 11, 19), date(2026, 11, 5));
    put(
        lake,
        &GOLD_ENGAGEMENT_TOTALS,
        vec![
            total("ada", "all", all_time, [40, 9, 12, 200, 700], thursday),
            total("ada", "teams", all_time, [20, 6, 7, 80, 300], thursday),
            total("ada", "word", all_time, [22, 5, 8, 90, 320], thursday),
            total("bea", "all", all_time, [30, 7, 7, 150, 500], thursday),
            total("bea", "teams", all_time, [10, 7, 7, 50, 150], thursday),
            total("bea", "word", all_time, [9, 2, 5, 60, 140], thursday),
            total("cy", "all", all_time, [11, 5, 5, 30, 160], long_ago),
            total("cy", "excel", all_time, [11, 5, 5, 30, 160], long_ago),
            total("dan", "all", all_time, [3, 0, 2, 4, 34], date(2026, 11, 6)),
            // Nobody's licence any more.
            total("gus", "all", all_time, [3, 3, 3, 4, 34], date(2026, 6, 1)),
            total("ada", "all", week, [4, 4, 4, 20, 60], thursday),
            total("ada", "teams", week, [3, 2, 2, 8, 38], thursday),
            total("ada", "word", week, [2, 2, 2, 12, 32], thursday),
            total("bea", "all", week, [4, 4, 4, 20, 60], thursday),
            total("bea", "teams", week, [4, 4, 4, 9, 49], thursday),
            total("ada", "all", last_week, [5, 5, 5, 20, 90], date(2026, 11, 13)),
            total("cy", "all", month, [4, 4, 4, 10, 60], long_ago),
            total("dan", "all", month, [4, 4, 4, 11, 60], date(2026, 11, 6)),
            total("ada", "all", month, [5, 4, 4, 10, 60], thursday),
            total("bea", "all", month, [1, 1, 1, 1, 99], thursday),
            total("dan", "all", in_october, [1, 1, 1, 1, 11], date(2026, 10, 30)),
        ],
    )
    .await;
    let mut ledger = vec![
        day("ada", thursday, "all", Active),
        day("ada", thursday, "word", Active),
        day("bea", thursday, "all", Active),
        day("cy", thursday, "all", Inactive),
        day("dan", thursday, "all", Neutral),
        day("eve", thursday, "all", Inactive),
        // The newest day is not reported yet.
        day("ada", TODAY, "all", Active),
        day("ada", TODAY, "word", Active),
    ];
    // Licensed once: what is long ago is not read.
    ledger.push(day("fay", date(2026, 10, 1), "all", Inactive));
    put(lake, &GOLD_ENGAGEMENT_DAILY, ledger).await;
    put(
        lake,
        &GOLD_AGENT_TOTALS,
        vec![
            agent("helper", week, 7, 2),
            agent("nameless", week, 9, 1),
            agent("helper", last_week, 3, 1),
            agent("helper", all_time, 50, 4),
        ],
    )
    .await;
}

/// A folder, and what was asked of it.
struct Api {
    folder: Folder,
    week_starts_on: Weekday,
    answers: Mutex<Vec<(String, u16, Value)>>,
    _root: tempfile::TempDir,
}

impl Api {
    fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self {
            folder: Folder::new(root.path().to_owned()),
            week_starts_on: Weekday::Monday,
            answers: Mutex::default(),
            _root: root,
        }
    }

    async fn filled() -> Self {
        let api = Self::empty();
        write_tables(&api.lake()).await;
        api
    }

    fn lake(&self) -> Lake {
        self.folder.engagement_lake().unwrap()
    }

    fn ports<'a>(&'a self, clock: &'a Standing) -> Ports<'a> {
        Ports {
            files: &self.folder,
            metrics: &self.folder,
            clock,
            progress: &Unwatched,
        }
    }

    async fn request(&self, method: &str, address: &str) -> HttpAnswer {
        let clock = Standing(evening(TODAY));
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query: Vec<(String, String)> = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let config = EngagementApiConfig {
            week_starts_on: self.week_starts_on,
        };
        let lake = Ok(self.lake());
        let answer = engagement_api::answer(lake, &config, self.ports(&clock), method, path, &query).await;
        let body = serde_json::from_str(&answer.body).unwrap();
        let asked = (path.to_owned(), answer.status, body);
        self.answers.lock().unwrap().push(asked);
        answer
    }

    async fn get(&self, address: &str) -> Value {
        let answer = self.request("GET", address).await;
        assert_eq!(answer.status, 200, "{address}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Asserts that every answer so far is what the document says.
    fn assert_documented(&self) {
        let answers = json!(*self.answers.lock().unwrap());
        assert_documented(&answers);
    }
}

fn assert_documented(answers: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut check = Command::new(python())
        .arg(root.join("openapi_check.py"))
        .arg(root.join("../docs/openapi/engagement.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = check.stdin.take().unwrap();
    input.write_all(answers.to_string().as_bytes()).unwrap();
    drop(input);
    let output = check.wait_with_output().unwrap();
    let (told, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}{failed}");
}

/// One column of the rows of an answer.
fn column(answer: &Value, name: &str) -> Vec<Value> {
    let rows = answer.get("subjects").or(answer.get("agents")).unwrap();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[name].clone()).collect()
}

fn subjects(answer: &Value) -> Vec<String> {
    let subjects = column(answer, "subject");
    subjects
        .iter()
        .map(|subject| subject.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_streak_has_to_be_long_enough_in_every_app() {
    let api = Api::filled().await;
    let usual = api.get("/streaks").await;
    assert_eq!(subjects(&usual), ["ada", "bea", "cy"]);
    assert_eq!(
        (&usual["as_of"], &usual["key_id"]),
        (&json!("2026-11-20"), &json!("first"))
    );
    assert_eq!(column(&usual, "current_streak"), [9, 7, 5]);
    assert_eq!(subjects(&api.get("/streaks?count=8").await), ["ada"]);
    assert_eq!(subjects(&api.get("/streaks?apps=teams&count=6").await), ["ada", "bea"]);
    let both = api.get("/streaks?apps=Word,teams&count=5").await;
    assert_eq!(subjects(&both), ["ada"]);
    assert_eq!(column(&both, "current_streak"), [5]);
    assert_eq!(column(&both, "best_streak"), [7]);

    let misspelt = api.get("/streaks?apps=teams,exel&count=1").await;
    assert_eq!(misspelt["total"], 0);
    assert_eq!(
        misspelt["notes"],
        json!(["nobody used exel in all time; what was used is all, excel, teams, word"])
    );
    api.assert_documented();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enough_is_days_and_interactions_within_a_stretch_in_every_app() {
    let mut api = Api::filled().await;
    let newest = api.get("/completed?days=4").await;
    assert_eq!(subjects(&newest), ["ada", "bea"]);
    assert_eq!(
        newest["stretch"],
        json!({"timeframe": "week", "start_on": "2026-11-16", "end_on": "2026-11-22", "status": "active"})
    );
    let both = api.get("/completed?apps=teams,word&days=2&interactions=8").await;
    assert_eq!(subjects(&both), ["ada"]);
    assert_eq!(
        (column(&both, "active_days"), column(&both, "interactions")),
        (vec![json!(2)], vec![json!(8)])
    );
    assert_eq!(
        subjects(&api.get("/completed?apps=teams&interactions=9").await),
        ["bea"]
    );

    // From the Monday to the Sunday, any day means the week.
    for (start, status, found) in [
        ("2026-11-08", "past", vec![]),
        ("2026-11-09", "past", vec!["ada"]),
        ("2026-11-15", "past", vec!["ada"]),
        ("2026-11-16", "active", vec!["ada", "bea"]),
        ("2026-11-22", "active", vec!["ada", "bea"]),
        ("2026-11-23", "future", vec![]),
    ] {
        let answer = api.get(&format!("/completed?days=1&start={start}")).await;
        assert_eq!(answer["stretch"]["status"], status, "{start}: {answer}");
        assert_eq!(subjects(&answer), found, "{start}");
        assert_eq!(
            answer["notes"].as_array().unwrap().is_empty(),
            !found.is_empty(),
            "{start}"
        );
    }
    let october = api
        .get("/completed?timeframe=month&interactions=1&start=2026-10-31")
        .await;
    assert_eq!(subjects(&october), ["dan"]);
    assert_eq!(october["stretch"]["end_on"], "2026-10-31");
    let month = api.get("/completed?timeframe=month&days=4").await;
    assert_eq!(month["stretch"]["start_on"], "2026-11-01");
    assert_eq!(subjects(&month), ["ada", "cy", "dan"]);
    let ever = api.get("/completed?timeframe=all_time&days=30").await;
    assert_eq!(subjects(&ever), ["ada", "bea"]);
    assert_eq!(
        ever["stretch"],
        json!({"timeframe": "all_time", "start_on": null, "end_on": null, "status": "active"})
    );

    // A week from Sunday on is another one.
    put(
        &api.lake(),
        &GOLD_ENGAGEMENT_TOTALS,
        vec![total("cy", "all", (Timeframe::Week, SUNDAY), [1, 1, 1, 1, 11], SUNDAY)],
    )
    .await;
    api.week_starts_on = Weekday::Sunday;
    let sunday = api.get("/completed?days=1").await;
    assert_eq!(sunday["stretch"]["start_on"], "2026-11-15");
    assert_eq!(sunday["stretch"]["end_on"], "2026-11-21");
    assert_eq!(subjects(&sunday), ["cy"]);
    api.assert_documented();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_begins_with_a_week_is_not_taken_for_it() {
    let api = Api::empty();
    // Both on the first of June, a Monday; in the week after, only the month goes on.
    let first = date(2026, 6, 1);
    put(
        &api.lake(),
        &GOLD_ENGAGEMENT_TOTALS,
        vec![
            total("ada", "all", (Timeframe::Month, first), [3, 1, 2, 3, 33], first),
            total(
                "ada",
                "all",
                (Timeframe::Week, date(2026, 5, 25)),
                [2, 1, 2, 3, 23],
                date(2026, 5, 29),
            ),
        ],
    )
    .await;
    let week = api.get("/completed?days=1").await;
    assert_eq!(week["stretch"]["start_on"], "2026-05-25", "{week}");
    assert_eq!(column(&week, "active_days"), [2]);
    let month = api.get("/completed?days=1&timeframe=month").await;
    assert_eq!(month["stretch"]["start_on"], "2026-06-01");
    assert_eq!(column(&month, "active_days"), [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inactive_is_who_holds_a_licence_and_was_not_active_lately_or_ever() {
    let api = Api::filled().await;
    let usual = api.get("/inactive").await;
    assert_eq!(
        (&usual["as_of"], &usual["counted_from"]),
        (&json!("2026-11-20"), &json!("2026-11-19"))
    );
    assert_eq!(
        usual["subjects"],
        json!([
            {"subject": "cy", "last_active_on": "2026-11-05", "inactive_days": 14},
            {"subject": "eve", "last_active_on": null, "inactive_days": null},
        ])
    );
    let thirteen = api.get("/inactive?days=13").await;
    assert_eq!(subjects(&thirteen), ["cy", "dan", "eve"]);
    assert_eq!(subjects(&api.get("/inactive?days=15").await), ["eve"]);
    // Whoever was active yesterday, or on a day that no report has told of yet, is not.
    assert_eq!(subjects(&api.get("/inactive?days=1").await), ["cy", "dan", "eve"]);
    api.assert_documented();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_go_by_points_and_ties_by_days_interactions_and_subject() {
    let api = Api::filled().await;
    let month = api.get("/leaderboard?timeframe=month").await;
    // 99 points; then 60 three times, of five days, and of four with more and fewer interactions.
    assert_eq!(subjects(&month), ["bea", "ada", "dan", "cy"]);
    assert_eq!(column(&month, "rank"), [1, 2, 3, 4]);
    assert_eq!(month["rubric_version"], RUBRIC_VERSION);
    assert_eq!(
        month["subjects"][1],
        json!({
            "rank": 2, "subject": "ada", "points": 60, "active_days": 5, "current_streak": 4, "best_streak": 4,
            "interactions": 10,
        })
    );
    let week = api.get("/leaderboard").await;
    assert_eq!(subjects(&week), ["ada", "bea"], "all figures are equal");
    let first = api.get("/leaderboard?timeframe=month&top=1").await;
    assert_eq!((subjects(&first), &first["total"]), (vec!["bea".to_owned()], &json!(4)));
    assert_eq!(
        subjects(&api.get("/leaderboard?timeframe=all_time&app=teams").await),
        ["ada", "bea"]
    );
    let october = api.get("/leaderboard?timeframe=month&start=2026-10-12").await;
    assert_eq!(subjects(&october), ["dan"]);
    api.assert_documented();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_told_for_a_stretch() {
    let api = Api::filled().await;
    let week = api.get("/agents").await;
    assert_eq!(week["stretch"]["start_on"], "2026-11-16");
    assert_eq!(
        week["agents"],
        json!([
            {"agent_id": "helper", "agent_name": "The helper", "interactions": 7, "subjects": 2},
            {"agent_id": "nameless", "agent_name": null, "interactions": 9, "subjects": 1},
        ])
    );
    let before = api.get("/agents?start=2026-11-13").await;
    assert_eq!(column(&before, "interactions"), [3]);
    assert_eq!(
        column(&api.get("/agents?timeframe=all_time").await, "interactions"),
        [50]
    );
    let none = api.get("/agents?start=2026-01-01").await;
    assert_eq!(
        (&none["total"], &none["stretch"]["status"]),
        (&json!(0), &json!("past"))
    );
    assert!(
        none["notes"][0].as_str().unwrap().contains("the week from 2025-12-29"),
        "{none}"
    );
    let no_month = api.get("/agents?timeframe=month").await;
    assert_eq!(no_month["total"], 0);
    api.assert_documented();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_the_whole_answer_and_each_says_how_to_go_on() {
    let api = Api::filled().await;
    for address in [
        "/streaks?count=1",
        "/completed?days=1&timeframe=all_time",
        "/inactive?days=1",
    ] {
        let whole = api.get(address).await;
        assert_eq!(whole["next"], Value::Null);
        let (mut paged, mut next) = (Vec::new(), Some(String::new()));
        while let Some(after) = next {
            let page = api.get(&format!("{address}&limit=1&after={after}")).await;
            assert_eq!(page["total"], whole["total"], "{address}");
            paged.extend(page["subjects"].as_array().unwrap().clone());
            next = page["next"].as_str().map(str::to_owned);
        }
        assert!(paged.len() > 2, "{address}");
        assert_eq!(Value::from(paged), whole["subjects"], "{address}");
    }
    let agents = api.get("/agents?limit=1").await;
    assert_eq!((&agents["total"], &agents["next"]), (&json!(2), &json!("helper")));
    assert_eq!(
        column(&api.get("/agents?limit=1&after=helper").await, "agent_id"),
        ["nameless"]
    );
    api.assert_documented();
}

const QUESTIONS: [&str; 5] = ["/streaks", "/completed?days=1", "/inactive", "/leaderboard", "/agents"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_there_is_nothing_yet_is_an_answer() {
    let api = Api::empty();
    for address in QUESTIONS {
        let answer = api.get(address).await;
        assert_eq!(
            (&answer["as_of"], &answer["total"]),
            (&Value::Null, &json!(0)),
            "{address}"
        );
        let note = answer["notes"][0].as_str().unwrap();
        assert!(note.contains("m365-usage"), "{address}: {note}");
    }
    let document = api.get("/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    for (method, address, status) in [
        ("GET", "/streaks?apps=", 400),
        ("GET", "/streaks?ap=teams", 400),
        ("GET", "/nothing", 404),
        ("POST", "/streaks", 405),
    ] {
        assert_eq!(api.request(method, address).await.status, status, "{method} {address}");
    }
    api.assert_documented();
}

/// What `identity-keys` leaves while it changes the key.
fn under_way() -> Value {
    let key = |id: &str| json!({"key_id": id, "check": "x"});
    json!({
        "key": key("first"),
        "rotation": {"to": key("second"), "begun_at": "2026-11-20T08:00:00Z", "before": {}, "is_prepared": false},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_while_the_key_is_changed() {
    let api = Api::filled().await;
    let state = under_way().to_string();
    api.folder.write("state/identity.json", state.into()).await.unwrap();
    for address in QUESTIONS {
        let answer = api.request("GET", address).await;
        assert_eq!(answer.status, 503, "{address}");
        assert_eq!(answer.headers, [("retry-after", "300".to_owned())]);
        assert!(
            answer.body.contains("paused") && answer.body.contains("uptake keys confirm"),
            "{}",
            answer.body
        );
    }
    assert_eq!(api.get("/openapi.json").await["openapi"], "3.1.0");
    api.assert_documented();
}

fn lake_on(moto: &Moto) -> Lake {
    let options = moto
        .environment()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Lake::in_bucket(BUCKET, "prod/engagement", options.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployed_api_answers_as_its_document_says() {
    let deployment = Deployment::of(10, 0).await;
    write_tables(&lake_on(&deployment.moto)).await;
    let api = FunctionUrl::of(vec![deployment.function("engagement-api", &[])]).await;
    let client = reqwest::Client::new();
    let ask = async |method: &str, address: &str| {
        let url = format!("{}{}", api.url.trim_end_matches('/'), address);
        let answer = client.request(method.parse().unwrap(), url).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        assert_eq!(headers["content-type"], "application/json", "{method} {address}");
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, headers, body)
    };
    let mut answers = Vec::new();
    for (method, address, status) in [
        ("GET", "/streaks?apps=teams%2Cword&count=5", 200),
        ("GET", "/completed?days=1&start=2026-11-18", 200),
        ("GET", "/inactive?days=14", 200),
        ("GET", "/leaderboard?timeframe=month&start=2026-11-18", 200),
        ("GET", "/agents?timeframe=all_time", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/streaks?count=none", 400),
        ("GET", "/", 404),
        ("DELETE", "/streaks", 405),
    ] {
        let (told, _, body) = ask(method, address).await;
        assert_eq!(told, status, "{method} {address}: {body}");
        let path = address.split('?').next().unwrap();
        answers.push(json!([path, status, body]));
    }
    assert_eq!(subjects(&answers[0][2]), ["ada"]);
    assert_eq!(subjects(&answers[1][2]), ["ada", "bea"]);
    assert_eq!(subjects(&answers[2][2]), ["cy", "eve"]);
    assert_eq!(subjects(&answers[3][2]), ["bea", "ada", "dan", "cy"]);

    deployment.moto.call_one(
        "s3",
        "put_object",
        &json!({"Bucket": BUCKET, "Key": "prod/state/identity.json", "Body": under_way().to_string()}),
    );
    let (status, headers, body) = ask("GET", "/streaks").await;
    assert_eq!(status, 503);
    assert_eq!(headers["retry-after"], "300");
    answers.push(json!(["/streaks", 503, body]));
    assert_documented(&Value::from(answers));
    let written = api.written();
    for subject in ["\"ada\"", "\"eve\""] {
        assert!(!written.contains(subject), "{written}");
    }
    assert!(!written.contains(r#""level":"ERROR""#), "{written}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployed_function_engagement_waits_for_its_inputs_and_needs_its_key() {
    let deployment = Deployment::of(10, 0).await;
    let key = identity_key("first");
    let parameter = |name: &str, value: &str, kind: &str| json!(["ssm", "put_parameter", {"Name": name, "Value": value, "Type": kind}]);
    deployment.moto.call(&json!([
        parameter("/uptake/tenant-id", TENANT, "String"),
        parameter("/uptake/identity-key", &key, "SecureString"),
    ]));
    let tenant = ("UPTAKE_TENANT_ID_PARAMETER", "/uptake/tenant-id");
    let function = deployment.function(
        "engagement",
        &[tenant, ("UPTAKE_IDENTITY_KEY_PARAMETER", "/uptake/identity-key")],
    );
    let answer = function.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "nothing_to_do", "{answer}");
    assert!(
        answer["notes"][0]
            .as_str()
            .unwrap()
            .contains("m365-usage has not collected"),
        "{answer}"
    );
    let without = deployment.function("engagement", &[tenant]);
    let failed = without.invoke(deployment.trigger()).await.unwrap_err();
    assert_eq!(failed["errorType"], "Configuration", "{failed}");
    assert!(
        failed["errorMessage"]
            .as_str()
            .unwrap()
            .contains("UPTAKE_IDENTITY_KEY_PARAMETER"),
        "{failed}"
    );
    for written in [function.written(), without.written()] {
        assert!(!written.contains(&key), "{written}");
    }
}

impl Api {
    fn config(&self) -> EngagementConfig {
        let key = identity_key("first");
        let get = |name: &str| match name {
            "UPTAKE_IDENTITY_KEY" => Some(key.clone()),
            "UPTAKE_TENANT_ID" => Some(TENANT.to_owned()),
            _ => None,
        };
        let mut environment = Environment::new(Face::CommandLine, &get);
        let config = environment.engagement();
        let config = environment.finish(config).unwrap();
        EngagementConfig {
            week_starts_on: self.week_starts_on,
            ..config
        }
    }

    async fn identity(&self) -> Identity {
        self.config().identity(&NoParameters).await.unwrap()
    }

    async fn seed(&self, users: u32, weeks: u16, into_real_data: bool) -> Result<Seeded, PipelineError> {
        let clock = Standing(evening(TODAY));
        let seeding = Seeding {
            users,
            weeks,
            into_real_data,
        };
        let (config, identity) = (self.config(), self.identity().await);
        test_data::seed(&self.lake(), &config, &identity, self.ports(&clock), seeding, "seeding").await
    }

    async fn unseed(&self) -> Result<u64, PipelineError> {
        test_data::remove(&self.lake(), &self.identity().await, &self.folder).await
    }

    /// `engagement` as the scheduler would start it.
    async fn derive(&self) -> Result<Status, PipelineError> {
        let (config, identity) = (self.config(), self.identity().await);
        let clock = Standing(evening(TODAY));
        let exclusions = config
            .exclusions
            .connect(&NoParameters, std::sync::Arc::new(Standing(evening(TODAY))))
            .await?;
        let (silver, own) = (self.folder.lake()?, self.lake());
        let lakes = Lakes {
            silver: &silver,
            engagement: &own,
        };
        let trigger = Trigger::at(evening(TODAY));
        let ports = self.ports(&clock);
        let outcome = engagement::derive(lakes, &config, &identity, &exclusions, ports, &trigger, &invocation()).await;
        outcome.map(|outcome| outcome.status)
    }

    async fn read<R: DeserializeOwned + Send + 'static>(&self, table: &'static Table) -> Vec<R> {
        let columns = table.column_names();
        self.lake().read(table, &columns, &Filter::All).await.unwrap()
    }

    async fn ledger(&self) -> Vec<DayRow> {
        self.read(&GOLD_ENGAGEMENT_DAILY).await
    }

    async fn totals(&self) -> Vec<TotalRow> {
        self.read(&GOLD_ENGAGEMENT_TOTALS).await
    }

    async fn agents(&self) -> Vec<AgentRow> {
        self.read(&GOLD_AGENT_TOTALS).await
    }

    /// Rows of every engagement table together.
    async fn rows(&self) -> u64 {
        let mut rows = 0;
        for table in uptake_domain::tables::ENGAGEMENT {
            rows += self.lake().describe(table).await.unwrap().map_or(0, |state| state.rows);
        }
        rows
    }
}

/// The first day of a stretch, as a person would find it.
fn start(timeframe: Timeframe, day: Date, first_day: Weekday) -> Date {
    match timeframe {
        Timeframe::AllTime => ALL_TIME,
        Timeframe::Month => date(day.year(), day.month(), 1),
        Timeframe::Week => (0..7)
            .map(|back| day.saturating_sub(back.days()))
            .find(|day| day.weekday() == first_day)
            .unwrap(),
    }
}

/// Totals by subject, app, timeframe and first day: active days, streaks, interactions, points, and the last active day.
type Counted = BTreeMap<(String, String, Timeframe, Date), ([u64; 5], Date)>;

/// Days are written down as letters, one after the other, and counted.
fn counted(ledger: &[DayRow], first_day: Weekday) -> Counted {
    let mut apps: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut days: BTreeMap<(&str, Date), Vec<&DayRow>> = BTreeMap::new();
    for row in ledger {
        apps.entry(&row.subject).or_default().insert(&row.app);
        days.entry((&row.subject, row.day)).or_default().push(row);
    }
    let mut written: BTreeMap<_, (String, Vec<u64>, Option<Date>)> = BTreeMap::new();
    for ((subject, day), rows) in &days {
        let overall = rows.iter().find(|row| row.app == "all").unwrap().state;
        for app in &apps[subject] {
            let of_app: Vec<_> = rows.iter().filter(|row| row.app == *app).collect();
            let is_active = of_app.iter().any(|row| row.state == DayState::Active);
            for timeframe in Timeframe::ALL {
                let stretch = start(timeframe, *day, first_day);
                let key = ((*subject).to_owned(), (*app).to_owned(), timeframe, stretch);
                let (letters, interactions, last) = written.entry(key).or_default();
                if is_active {
                    letters.push('a');
                    interactions.push(of_app.iter().map(|row| row.interactions).sum());
                    *last = Some(*day);
                } else if overall != DayState::Neutral {
                    letters.push('i');
                }
            }
        }
    }
    let told = written.into_iter().filter_map(|(key, (letters, interactions, last))| {
        let streaks: Vec<u64> = letters.split('i').map(|streak| streak.len() as u64).collect();
        let active = interactions.len() as u64;
        let points = active * 10
            + interactions.iter().map(|count| (*count).min(10)).sum::<u64>()
            + streaks.iter().map(|streak| streak / 5 * 20).sum::<u64>();
        let figures = [
            active,
            *streaks.last().unwrap(),
            *streaks.iter().max().unwrap(),
            interactions.iter().sum(),
            points,
        ];
        Some((key, (figures, last?)))
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_totals_of_made_up_people_follow_from_their_days() {
    for week_starts_on in [Weekday::Monday, Weekday::Sunday] {
        let mut api = Api::empty();
        api.week_starts_on = week_starts_on;
        let seeded = api.seed(21, 11, false).await.unwrap();
        assert_eq!(
            (seeded.first_on, seeded.last_on),
            (date(2026, 9, 4), date(2026, 11, 19))
        );
        let ledger = api.ledger().await;
        let expected = counted(&ledger, week_starts_on);
        let stored = api.totals().await;
        let stored: Counted = stored
            .into_iter()
            .map(|row| {
                let figures = [
                    row.active_days,
                    row.current_streak,
                    row.best_streak,
                    row.interactions,
                    row.points,
                ];
                let key = (row.subject, row.app, row.timeframe, row.start_on);
                (key, (figures, row.last_active_on.unwrap()))
            })
            .collect();
        assert!(stored.len() > 1_000, "{}", stored.len());
        assert_eq!(stored, expected);

        let mut of_agents: BTreeMap<(String, Timeframe, Date), (u64, BTreeSet<String>)> = BTreeMap::new();
        for row in ledger.iter().filter(|row| !row.agent_id.is_empty()) {
            for timeframe in Timeframe::ALL {
                let key = (
                    row.agent_id.clone(),
                    timeframe,
                    start(timeframe, row.day, week_starts_on),
                );
                let (interactions, subjects) = of_agents.entry(key).or_default();
                *interactions += row.interactions;
                subjects.insert(row.subject.clone());
            }
        }
        let stored: BTreeMap<_, _> = api
            .agents()
            .await
            .into_iter()
            .map(|row| {
                assert!(row.agent_name.is_some());
                (
                    (row.agent_id, row.timeframe, row.start_on),
                    (row.interactions, row.subjects),
                )
            })
            .collect();
        let expected: BTreeMap<_, _> = of_agents
            .into_iter()
            .map(|(key, (interactions, subjects))| (key, (interactions, subjects.len() as u64)))
            .collect();
        assert_eq!(stored, expected);
        let closings = api.lake().describe(&GOLD_ENGAGEMENT_CLOSINGS).await.unwrap();
        assert!(closings.is_some_and(|state| state.rows > 0), "months are closed");

        let leaders = api.get("/leaderboard?top=3").await;
        assert_eq!(leaders["as_of"], "2026-11-19");
        assert!(
            leaders["notes"][0].as_str().unwrap().contains("made-up people"),
            "{leaders}"
        );
        let inactive = api.get("/inactive?days=10").await;
        assert_eq!(inactive["total"], 6, "three stopped, three never began: {inactive}");
        api.assert_documented();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_people_are_taken_out_without_a_trace_and_can_be_put_in_anew() {
    let api = Api::empty();
    assert!(matches!(
        api.unseed().await,
        Err(PipelineError::TestData(TestDataError::Nobody))
    ));
    api.seed(14, 8, false).await.unwrap();
    let first = api.rows().await;
    let fewer = api.seed(7, 8, false).await.unwrap();
    assert_eq!(
        api.rows().await,
        api.ledger().await.len() as u64
            + api.totals().await.len() as u64
            + api.agents().await.len() as u64
            + api
                .lake()
                .describe(&GOLD_ENGAGEMENT_CLOSINGS)
                .await
                .unwrap()
                .unwrap()
                .rows
    );
    assert!(api.rows().await < first, "{fewer:?}");
    let names: BTreeSet<String> = api.totals().await.into_iter().map(|row| row.subject).collect();
    let identity = api.identity().await;
    let names: BTreeSet<String> = names
        .iter()
        .map(|subject| identity.key.resolve(TENANT, subject).unwrap())
        .collect();
    assert!(
        names.contains("test-user-0001@seed.invalid") && names.len() == 6,
        "all but the one who never uses it: {names:?}"
    );

    let rows = api.rows().await;
    assert_eq!(api.unseed().await.unwrap(), rows);
    assert_eq!(api.rows().await, 0);
    assert_eq!(api.folder.list("state/").await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_and_real_people_meet_only_where_somebody_says_so() {
    let api = Api::filled().await;
    let real = api.ledger().await;
    let refused = api.seed(7, 2, false).await.unwrap_err();
    assert!(
        refused.is_configuration() && refused.to_string().contains("--into-real-data"),
        "{refused}"
    );
    assert_eq!(api.ledger().await, real);

    // The other way round.
    let made_up = Api::empty();
    made_up.seed(7, 2, false).await.unwrap();
    let before = made_up.ledger().await;
    let refused = made_up.derive().await.unwrap_err();
    assert!(
        refused.is_configuration() && refused.to_string().contains("seed-test-data --remove"),
        "{refused}"
    );
    assert_eq!(made_up.ledger().await, before);

    api.seed(7, 2, true).await.unwrap();
    assert_eq!(
        api.derive().await.unwrap(),
        Status::NothingToDo,
        "it waits for m365-usage, as ever"
    );
    let mixed = api.get("/inactive?days=1").await;
    assert!(subjects(&mixed).contains(&"eve".to_owned()), "{mixed}");
    assert!(mixed["total"].as_u64() > Some(3), "{mixed}");
    api.unseed().await.unwrap();
    let sorted = |mut rows: Vec<DayRow>| {
        rows.sort_by(|a, b| (a.day, &a.subject, &a.app).cmp(&(b.day, &b.subject, &b.app)));
        rows
    };
    assert_eq!(sorted(api.ledger().await), sorted(real));
    let people: BTreeSet<String> = api.totals().await.into_iter().map(|row| row.subject).collect();
    assert_eq!(
        people.iter().map(String::as_str).collect::<Vec<_>>(),
        ["ada", "bea", "cy", "dan", "gus"]
    );
    assert!(api.agents().await.iter().all(|row| !row.agent_id.starts_with("test-")));
    assert!(
        api.folder.read("state/identity.json").await.unwrap().is_some(),
        "real rows are written with a key"
    );
}
