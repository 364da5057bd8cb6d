//! Changes of keys: whatever happens on the way, everybody keeps their rows, and nothing under the old key is left.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::Serialize;
use serde_json::{Value, json};
use uptake_cli::folder::Folder;
use uptake_domain::identity::IdentityKey;
use uptake_domain::tables::{
    GOLD_AGENT_TOTALS, GOLD_ENGAGEMENT_CLOSINGS, GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS, Table,
};
use uptake_lake::{Columns, Filter, Lake, Stamp};
use uptake_pipeline::identity_keys::{self, Answer, EngagementStore, Keys, Request, Status};
use uptake_pipeline::outcome::PipelineError;
use uptake_pipeline::ports::{Expected, File, Files, PortError, Ports, Unwatched, Versions, Written};

use crate::actions::Mortal;
use crate::enterprise::Standing;
use crate::tenant::{Tenant, evening, identity_key, invocation};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const PEOPLE: u64 = 300;
const FIRST: Date = date(2026, 11, 2);
const STATE: &str = "state/identity.json";
pub(crate) const WITH_SUBJECTS: [&Table; 3] = [
    &GOLD_ENGAGEMENT_CLOSINGS,
    &GOLD_ENGAGEMENT_DAILY,
    &GOLD_ENGAGEMENT_TOTALS,
];

pub(crate) fn key(id: &str) -> IdentityKey {
    IdentityKey::parse(&identity_key(id)).unwrap()
}

fn keys(current: &str, next: Option<&str>) -> Keys {
    Keys {
        key: key(current),
        next_key: next.map(key),
        tenant: TENANT.to_owned(),
    }
}

pub(crate) fn both() -> Keys {
    keys("first", Some("second"))
}

pub(crate) fn upn(number: u64) -> String {
    format!("person-{number:03}@contoso.example")
}

fn at() -> Timestamp {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

#[derive(Serialize)]
struct Daily {
    subject: String,
    key_id: String,
    day: Date,
    app: &'static str,
    agent_id: &'static str,
    interactions: u64,
    state: &'static str,
}

#[derive(Serialize)]
struct Total {
    subject: String,
    key_id: String,
    app: &'static str,
    timeframe: &'static str,
    start_on: Date,
    active_days: u64,
    current_streak: u64,
    best_streak: u64,
    interactions: u64,
    points: u64,
    rubric_version: i64,
    last_active_on: Option<Date>,
}

#[derive(Serialize)]
struct Closing {
    subject: String,
    key_id: String,
    closed_on: Date,
    app: &'static str,
    agent_id: &'static str,
    active_days: u64,
    current_streak: u64,
    best_streak: u64,
    interactions: u64,
    points: u64,
    rubric_version: i64,
    last_active_on: Option<Date>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "names of columns")]
struct Agent {
    agent_id: &'static str,
    agent_name: &'static str,
    timeframe: &'static str,
    start_on: Date,
    interactions: u64,
    subjects: u64,
}

fn stamp() -> Stamp {
    Stamp {
        collected_at: at(),
        invocation_id: "seed".to_owned(),
    }
}

/// A day of some people, with some interactions each.
fn day_of(key: &IdentityKey, day: Date, people: impl Iterator<Item = u64>, more: u64) -> Vec<Daily> {
    let row = |number: u64, app, interactions| Daily {
        subject: key.subject(TENANT, &upn(number)),
        key_id: key.id().to_owned(),
        day,
        app,
        agent_id: "",
        interactions,
        state: "active",
    };
    people
        .flat_map(|number| {
            [
                row(number, "all", number + more + 1),
                row(number, "word", number),
                row(number, "teams", more + 1),
            ]
        })
        .collect()
}

fn totals_of(
    key: &IdentityKey,
    (timeframe, start_on): (&'static str, Date),
    people: impl Iterator<Item = u64>,
    more: u64,
) -> Vec<Total> {
    people
        .flat_map(|number| {
            ["all", "word"].map(|app| Total {
                subject: key.subject(TENANT, &upn(number)),
                key_id: key.id().to_owned(),
                app,
                timeframe,
                start_on,
                active_days: number % 7 + more,
                current_streak: number % 5,
                best_streak: number % 6,
                interactions: number * 3 + more,
                points: number * 10 + more,
                rubric_version: 1,
                last_active_on: Some(FIRST),
            })
        })
        .collect()
}

/// Everybody, but not on every day.
fn present(day: u64) -> impl Iterator<Item = u64> {
    (0..PEOPLE).filter(move |number| !(number + day).is_multiple_of(5))
}

/// Fills the tables as some weeks of engagement would: many commits, most of them in place of earlier ones.
pub(crate) async fn seed(lake: &Lake, key: &IdentityKey) {
    for round in 0..2 {
        for number in 0..6_i8 {
            let day = FIRST.saturating_add(jiff::Span::new().days(number));
            let rows = day_of(key, day, present(u64::try_from(number).unwrap()), round);
            let filter = Filter::Equals("day", day.to_string());
            lake.replace(&GOLD_ENGAGEMENT_DAILY, &filter, rows, &stamp())
                .await
                .unwrap();
        }
        for (number, stretch) in (0..).zip(STRETCHES) {
            let rows = totals_of(key, stretch, present(number), round);
            lake.upsert(&GOLD_ENGAGEMENT_TOTALS, Columns::All, rows, &stamp())
                .await
                .unwrap();
        }
    }
    for (number, closed_on) in (0..).zip([date(2026, 9, 30), date(2026, 10, 31)]) {
        let rows = present(number).map(|person| Closing {
            subject: key.subject(TENANT, &upn(person)),
            key_id: key.id().to_owned(),
            closed_on,
            app: "all",
            agent_id: "",
            active_days: person,
            current_streak: 1,
            best_streak: person % 9,
            interactions: person * 2,
            points: person * 11,
            rubric_version: 1,
            last_active_on: None,
        });
        let rows: Vec<Closing> = rows.collect();
        lake.upsert(&GOLD_ENGAGEMENT_CLOSINGS, Columns::All, rows, &stamp())
            .await
            .unwrap();
    }
    let agent = Agent {
        agent_id: "agent",
        agent_name: "An Agent",
        timeframe: "all_time",
        start_on: date(1970, 1, 1),
        interactions: 7,
        subjects: 3,
    };
    lake.upsert(&GOLD_AGENT_TOTALS, Columns::All, [agent], &stamp())
        .await
        .unwrap();
}

const STRETCHES: [(&str, Date); 4] = [
    ("week", date(2026, 11, 2)),
    ("week", date(2026, 11, 9)),
    ("month", date(2026, 11, 1)),
    ("all_time", date(1970, 1, 1)),
];

/// All rows of the tables with subjects, by name in place of the subject; sorted.
pub(crate) async fn picture(lake: &Lake, keys: &[IdentityKey]) -> BTreeMap<&'static str, Vec<String>> {
    let mut picture = BTreeMap::new();
    let mut names: HashMap<(String, String), String> = HashMap::new();
    for table in WITH_SUBJECTS {
        let rows: Vec<BTreeMap<String, Value>> = lake.read(table, &[], &Filter::All).await.unwrap();
        let mut told: Vec<String> = rows
            .into_iter()
            .map(|mut row| {
                let mut text = |column: &str| row.remove(column).unwrap().as_str().unwrap().to_owned();
                let who = (text("key_id"), text("subject"));
                let name = names.entry(who).or_insert_with_key(|(key_id, subject)| {
                    let made_by = keys.iter().find(|key| key.id() == key_id).unwrap();
                    made_by.resolve(TENANT, subject).unwrap()
                });
                format!("{name} {}", json!(row))
            })
            .collect();
        told.sort();
        picture.insert(table.name, told);
    }
    picture
}

/// Everything in a folder and below.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(&file, place).unwrap();
    }
}

/// A folder with seeded tables, which can be had again and again.
struct Seeded {
    root: tempfile::TempDir,
    before: BTreeMap<&'static str, Vec<String>>,
    subjects: Vec<String>,
}

impl Seeded {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let lake = Folder::new(root.path().to_owned()).engagement_lake().unwrap();
        seed(&lake, &key("first")).await;
        let before = picture(&lake, &[key("first")]).await;
        assert_eq!(before[GOLD_ENGAGEMENT_DAILY.name].len(), 6 * 240 * 3);
        let first = key("first");
        Self {
            root,
            before,
            subjects: (0..PEOPLE).map(|number| first.subject(TENANT, &upn(number))).collect(),
        }
    }

    fn world(&self) -> World {
        let root = tempfile::tempdir().unwrap();
        copy(self.root.path(), root.path());
        World {
            folder: Folder::new(root.path().to_owned()),
            root,
            subjects: self.subjects.clone(),
        }
    }
}

struct World {
    folder: Folder,
    root: tempfile::TempDir,
    /// Those of the old key.
    subjects: Vec<String>,
}

impl World {
    fn lake(&self) -> Lake {
        self.folder.engagement_lake().unwrap()
    }

    fn ports<'a>(&'a self, files: &'a dyn Files, clock: &'a Standing) -> Ports<'a> {
        Ports {
            files,
            metrics: &self.folder,
            clock,
            progress: &Unwatched,
        }
    }

    async fn prepare_with(&self, files: &dyn Files, keys: &Keys) -> Result<Answer, PipelineError> {
        let clock = Standing(at());
        identity_keys::prepare(&self.lake(), keys, false, self.ports(files, &clock), &invocation()).await
    }

    async fn prepare(&self, keys: &Keys) -> Result<Answer, PipelineError> {
        self.prepare_with(&self.folder, keys).await
    }

    async fn accept(&self, keys: &Keys) -> Result<Answer, PipelineError> {
        let clock = Standing(at());
        identity_keys::prepare(
            &self.lake(),
            keys,
            true,
            self.ports(&self.folder, &clock),
            &invocation(),
        )
        .await
    }

    async fn confirm_with(&self, files: &dyn Files, keys: &Keys) -> Result<Answer, PipelineError> {
        let (clock, lake) = (Standing(at()), self.lake());
        let store = EngagementStore {
            lake: &lake,
            versions: &self.folder,
        };
        identity_keys::confirm(store, keys, self.ports(files, &clock), &invocation()).await
    }

    async fn confirm(&self, keys: &Keys) -> Result<Answer, PipelineError> {
        self.confirm_with(&self.folder, keys).await
    }

    async fn status(&self) -> Answer {
        let clock = Standing(at());
        identity_keys::status(&self.lake(), self.ports(&self.folder, &clock))
            .await
            .unwrap()
    }

    async fn state(&self) -> Option<Bytes> {
        self.folder.read(STATE).await.unwrap().map(|file| file.bytes)
    }

    async fn versions(&self) -> Vec<Option<u64>> {
        let mut versions = Vec::new();
        for table in WITH_SUBJECTS.into_iter().chain([&GOLD_AGENT_TOTALS]) {
            let state = self.lake().describe(table).await.unwrap();
            versions.push(state.map(|state| state.version));
        }
        versions
    }

    /// What an operator does: goes on with whatever comes next until the new key is in use.
    async fn go_on(&self) -> Vec<String> {
        let mut printed = Vec::new();
        for _ in 0..4 {
            let answer = self.status().await;
            printed.push(json!(answer).to_string());
            let next = match (answer.status, answer.key_id.as_deref()) {
                (Status::InUse, Some("second")) => return printed,
                (Status::Prepared, _) => self.confirm(&both()).await,
                _ => self.prepare(&both()).await,
            };
            printed.push(json!(next.unwrap()).to_string());
        }
        panic!("no end: {printed:?}");
    }

    /// Asserts that the tables hold what they held, all of it under the new key, and that nothing of the old one and of
    /// anybody's name is anywhere.
    async fn assert_rotated(&self, before: &BTreeMap<&'static str, Vec<String>>, printed: &[String], case: &str) {
        let lake = self.lake();
        // Fails for a row under any other key.
        let now = picture(&lake, &[key("second")]).await;
        assert!(now == *before, "{case}: the tables hold something else");
        let answer = self.status().await;
        assert_eq!(answer.status, Status::InUse, "{case}");
        assert_eq!(answer.key_id.as_deref(), Some("second"), "{case}");
        assert!(
            answer.tables.iter().all(|table| table.under_key == table.rows),
            "{case}: {answer:?}"
        );
        for table in WITH_SUBJECTS {
            let folder = self.root.path().join("engagement").join(table.name);
            let data = files(&folder)
                .into_iter()
                .filter(|path| !path.components().any(|part| part.as_os_str() == "_delta_log"));
            let told = lake.describe(table).await.unwrap().unwrap().files;
            assert_eq!(
                data.count() as u64,
                told,
                "{case}: {} has files that are not part of it",
                table.name
            );
        }
        self.assert_silent(printed, case);
    }

    /// Asserts that no file but a table's own, and nothing printed, holds a name, or a subject of the old key.
    fn assert_silent(&self, printed: &[String], case: &str) {
        let mut wanted = self.subjects.clone();
        wanted.push("@contoso.example".to_owned());
        let is_table = |path: &&PathBuf| path.extension().is_some_and(|end| end == "parquet");
        let texts = files(self.root.path())
            .iter()
            .filter(|path| !is_table(path))
            .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
            .chain(printed.iter().cloned())
            .collect::<Vec<_>>();
        for text in &texts {
            for wanted in &wanted {
                assert!(!text.contains(wanted), "{case}: {wanted} stands in {text}");
            }
        }
    }
}

/// The values of `RotationPaused`, in the order in which they were published.
async fn pauses(world: &World) -> Vec<f64> {
    let file = world.folder.read("cloudwatch/metrics/2026-11-20.jsonl").await.unwrap();
    let text = file.map(|file| file.bytes).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let datum: Value = serde_json::from_slice(line).unwrap();
            assert_eq!(datum["metric_name"], "RotationPaused");
            assert_eq!(datum["dimensions"]["Function"], "identity-keys");
            datum["value"].as_f64().unwrap()
        })
        .collect()
}

#[tokio::test]
async fn a_change_of_keys_keeps_every_row_and_leaves_nothing_of_the_old_key() {
    let seeded = Seeded::new().await;
    let world = seeded.world();
    let agents_before = world.lake().describe(&GOLD_AGENT_TOTALS).await.unwrap();

    let status = world.status().await;
    assert_eq!((status.status, status.key_id), (Status::InUse, None));
    let prepared = world.prepare(&both()).await.unwrap();
    assert_eq!(prepared.status, Status::Prepared);
    assert_eq!(
        (prepared.key_id.as_deref(), prepared.next_key_id.as_deref()),
        (Some("first"), Some("second"))
    );
    assert_eq!(prepared.paused_since, Some(at()));
    for table in &prepared.tables {
        assert!(table.rows > 0, "{table:?}");
        assert_eq!(
            (table.under_key, table.under_next_key, table.re_encrypted),
            (0, table.rows, table.rows),
            "{table:?}"
        );
    }
    // Again, and nothing is to be done.
    let versions = world.versions().await;
    let again = world.prepare(&both()).await.unwrap();
    assert_eq!(again.status, Status::Prepared);
    assert!(again.tables.iter().all(|table| table.re_encrypted == 0), "{again:?}");
    assert_eq!(world.versions().await, versions);
    let both_ways = [key("first"), key("second")];
    assert!(picture(&world.lake(), &both_ways).await == seeded.before);

    let confirmed = world.confirm(&keys("second", None)).await.unwrap();
    assert_eq!(confirmed.status, Status::Confirmed);
    assert_eq!(
        (confirmed.key_id.as_deref(), confirmed.next_key_id.as_deref()),
        (Some("second"), None)
    );
    assert!(
        confirmed
            .tables
            .iter()
            .all(|table| table.purged > 0 && table.under_key == table.rows),
        "{confirmed:?}"
    );
    // A call that is repeated finds nothing to confirm.
    let again = world.confirm(&both()).await.unwrap();
    assert_eq!(again.status, Status::InUse);
    assert_eq!(world.lake().describe(&GOLD_AGENT_TOTALS).await.unwrap(), agents_before);
    let printed = [prepared, confirmed, again].map(|answer| json!(answer).to_string());
    world.assert_rotated(&seeded.before, &printed, "in one go").await;
    assert_eq!(pauses(&world).await, [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);

    // Read without our own code, files of any kind.
    let decoded = decoded(&world.root.path().join("engagement"));
    assert!(
        decoded.contains(&key("second").subject(TENANT, &upn(1))),
        "subjects are found"
    );
    for wanted in world.subjects.iter().map(String::as_str).chain(["@contoso.example"]) {
        assert!(!decoded.contains(wanted), "{wanted}");
    }
}

/// Every Parquet file in a folder, part of a table or not, checkpoints of logs included, as JSON.
fn decoded(folder: &Path) -> String {
    let script = "import sys, polars\nfor path in sys.argv[1:]:\n    print(polars.read_parquet(path, hive_partitioning=False).write_json())";
    let parquet = files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"));
    let answer = std::process::Command::new(crate::moto::python())
        .args(["-c", script])
        .args(parquet)
        .output()
        .unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    String::from_utf8(answer.stdout).unwrap()
}

/// A change of keys after which a row resolves under another key than it says, or under none.
async fn tamper(lake: &Lake, how: impl Fn(&mut BTreeMap<String, Value>)) {
    let mut is_done = false;
    let change = |rows: Vec<BTreeMap<String, Value>>| -> Result<Vec<_>, uptake_lake::LakeError> {
        let change = |mut row| {
            if !std::mem::replace(&mut is_done, true) {
                how(&mut row);
            }
            Some(row)
        };
        Ok(rows.into_iter().map(change).collect())
    };
    let columns = ["subject", "key_id", "interactions"];
    let changed = lake
        .rewrite(&GOLD_ENGAGEMENT_DAILY, &columns, &Filter::All, change)
        .await;
    assert_eq!(changed.unwrap().changed, 1);
}

#[tokio::test]
async fn whatever_is_wrong_is_refused_before_anything_is_paused() {
    let seeded = Seeded::new().await;
    let other_bytes = || {
        let text = identity_key("third").replace("third:", "first:");
        IdentityKey::parse(&text).unwrap()
    };
    let renamed = || {
        let text = identity_key("first").replace("first:", "renamed:");
        IdentityKey::parse(&text).unwrap()
    };
    let with = |key: IdentityKey, next_key: Option<IdentityKey>, tenant: &str| Keys {
        key,
        next_key,
        tenant: tenant.to_owned(),
    };
    let cases = [
        (
            "missing",
            with(key("first"), None, TENANT),
            "UPTAKE_NEXT_IDENTITY_KEY is not set",
        ),
        (
            "the same",
            with(key("first"), Some(key("first")), TENANT),
            "has the key id or the bytes",
        ),
        (
            "the same bytes",
            with(key("first"), Some(renamed()), TENANT),
            "has the key id or the bytes",
        ),
        (
            "the same id",
            with(key("first"), Some(other_bytes()), TENANT),
            "has the key id or the bytes",
        ),
        ("another one", with(key("third"), Some(key("second")), TENANT), "third"),
        ("other bytes", with(other_bytes(), Some(key("second")), TENANT), "first"),
        (
            "another tenant",
            with(key("first"), Some(key("second")), "elsewhere"),
            "first",
        ),
    ];
    for is_known in [false, true] {
        let world = seeded.world();
        if is_known {
            // As engagement leaves it.
            let known =
                json!({"key": {"key_id": "first", "check": key("first").subject(TENANT, "nobody")}, "rotation": null});
            world.folder.write(STATE, known.to_string().into()).await.unwrap();
        }
        let (state, versions) = (world.state().await, world.versions().await);
        for (name, keys, expected) in &cases {
            let error = world.prepare(keys).await.unwrap_err();
            let (kind, message) = (error.error_type(), error.to_string());
            assert!(message.contains(expected), "{name}: {message}");
            let is_of_rows = matches!(*name, "another one" | "other bytes" | "another tenant") && !is_known;
            assert_eq!(
                kind,
                if is_of_rows { "State" } else { "Configuration" },
                "{name}: {message}"
            );
            assert_eq!(world.state().await, state, "{name}");
            assert_eq!(world.versions().await, versions, "{name}");
            world.assert_silent(&[message], name);
        }
        assert!(pauses(&world).await.iter().all(|paused| *paused == 0.0));
    }
    // A row that cannot be carried over.
    for how in [
        |row: &mut BTreeMap<String, Value>| {
            let subject = row["subject"].as_str().unwrap().replacen(|_: char| true, "_", 1);
            row.insert("subject".to_owned(), subject.into());
        },
        |row: &mut BTreeMap<String, Value>| drop(row.insert("key_id".to_owned(), "third".into())),
        |row: &mut BTreeMap<String, Value>| drop(row.insert("key_id".to_owned(), "second".into())),
    ] {
        let world = seeded.world();
        tamper(&world.lake(), how).await;
        let versions = world.versions().await;
        let error = world.prepare(&both()).await.unwrap_err();
        assert_eq!(error.error_type(), "State", "{error}");
        let message = error.to_string();
        assert!(
            message.starts_with("gold_engagement_daily: 1 rows do not resolve under first"),
            "{message}"
        );
        assert_eq!(world.state().await, None);
        assert_eq!(world.versions().await, versions);
        world.assert_silent(&[message], "a tampered row");
    }
}

/// While a change is under way, no other one is begun, and only the new key ends it.
#[tokio::test]
async fn a_change_is_ended_with_the_key_that_it_was_begun_with() {
    let world = Seeded::new().await.world();
    world.prepare(&both()).await.unwrap();
    let state = world.state().await;
    let error = world.prepare(&keys("first", Some("third"))).await.unwrap_err();
    assert_eq!(error.error_type(), "Configuration", "{error}");
    assert!(
        error.to_string().contains("second") && error.to_string().contains("third"),
        "{error}"
    );
    for wrong in [keys("first", None), keys("first", Some("third")), keys("third", None)] {
        let error = world.confirm(&wrong).await.unwrap_err();
        assert_eq!(error.error_type(), "Configuration", "{error}");
        assert!(error.to_string().contains("neither UPTAKE_IDENTITY_KEY nor"), "{error}");
    }
    assert_eq!(world.state().await, state);
    // Nothing to do with the old key any more: whoever set the new one needs no other.
    assert_eq!(
        world.confirm(&keys("second", None)).await.unwrap().status,
        Status::Confirmed
    );
    let error = world.prepare(&both()).await.unwrap_err();
    assert!(error.to_string().contains("written with the key second"), "{error}");
    // And on to a third.
    world.prepare(&keys("second", Some("third"))).await.unwrap();
    world.confirm(&keys("second", Some("third"))).await.unwrap();
    assert_eq!(world.status().await.key_id.as_deref(), Some("third"));
}

#[tokio::test]
async fn killed_at_any_write_of_what_it_remembers_it_goes_on() {
    let seeded = Seeded::new().await;
    for takes_effect in [false, true] {
        for writes in 0.. {
            let case = format!("killed at write {writes}, which took effect: {takes_effect}");
            let world = seeded.world();
            let clock = Standing(at());
            let mortal = Mortal::new(&world.folder, writes, takes_effect);
            let ports = Ports {
                metrics: &mortal,
                ..world.ports(&mortal, &clock)
            };
            let lake = world.lake();
            let prepared = identity_keys::prepare(&lake, &both(), false, ports, &invocation()).await;
            let store = EngagementStore {
                lake: &lake,
                versions: &world.folder,
            };
            let mut ended = prepared.is_ok();
            if ended {
                let confirmed = identity_keys::confirm(store, &both(), ports, &invocation()).await;
                ended = confirmed.is_ok();
            }
            // Whoever looks meanwhile finds everybody.
            let both_ways = [key("first"), key("second")];
            assert!(picture(&lake, &both_ways).await == seeded.before, "{case}");
            let printed = world.go_on().await;
            world.assert_rotated(&seeded.before, &printed, &case).await;
            if ended {
                assert!(writes >= 5, "{case}");
                break;
            }
        }
    }
}

/// Looks at a future so often, and lets it go: how often, if it ended by itself.
async fn looked_at<F: Future>(times: u64, future: F) -> Result<(u64, F::Output), ()> {
    let mut future = pin!(future);
    let mut looks = 0;
    std::future::poll_fn(|context| {
        if looks == times {
            return Poll::Ready(Err(()));
        }
        looks += 1;
        future.as_mut().poll(context).map(|output| Ok((looks, output)))
    })
    .await
}

/// Some moments of many, those at the beginning and at the end among them.
fn moments(looks: u64) -> impl Iterator<Item = u64> {
    const SOME: u64 = 12;
    let step = looks.div_ceil(SOME).max(1);
    (1..looks).filter(move |moment| moment % step == 1 || *moment < 3 || *moment + 3 > looks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_any_moment_it_goes_on() {
    let seeded = Seeded::new().await;
    let both_ways = [key("first"), key("second")];
    let world = seeded.world();
    let (to_prepare, prepared) = looked_at(u64::MAX, world.prepare(&both())).await.unwrap();
    prepared.unwrap();
    let (to_confirm, confirmed) = looked_at(u64::MAX, world.confirm(&both())).await.unwrap();
    confirmed.unwrap();
    let mut interrupted = 0;
    for is_prepared in [false, true] {
        for moment in moments(if is_prepared { to_confirm } else { to_prepare }) {
            let case = format!("dropped after {moment} looks, prepared before: {is_prepared}");
            let world = seeded.world();
            let ended = if is_prepared {
                world.prepare(&both()).await.unwrap();
                looked_at(moment, world.confirm(&both())).await
            } else {
                looked_at(moment, world.prepare(&both())).await
            };
            interrupted += u32::from(ended.is_err());
            assert!(picture(&world.lake(), &both_ways).await == seeded.before, "{case}");
            // What was handed to other threads may still be written.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let printed = world.go_on().await;
            world.assert_rotated(&seeded.before, &printed, &case).await;
        }
    }
    assert!(interrupted > 20, "{interrupted} of {to_prepare} and {to_confirm} looks");
}

/// A store in which somebody else writes once the pause is stored: an invocation of engagement that was let in before.
struct Overtaken<'a> {
    world: &'a World,
    day: Date,
    is_done: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Files for Overtaken<'_> {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        self.world.folder.read(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        self.world.folder.write(key, bytes).await
    }

    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError> {
        let written = self.world.folder.write_if(key, bytes, expected).await?;
        if !self.is_done.swap(true, std::sync::atomic::Ordering::Relaxed) {
            write_day(&self.world.lake(), self.day).await;
        }
        Ok(written)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        self.world.folder.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.world.folder.delete(key).await
    }

    fn location(&self, key: &str) -> String {
        self.world.folder.location(key)
    }
}

/// A day as engagement computes it anew under the old key, with more interactions than before.
async fn write_day(lake: &Lake, day: Date) {
    let rows = day_of(&key("first"), day, present(0), 5);
    let filter = Filter::Equals("day", day.to_string());
    lake.replace(&GOLD_ENGAGEMENT_DAILY, &filter, rows, &stamp())
        .await
        .unwrap();
}

/// The tables as they would be without a change of keys, after somebody wrote late.
async fn expected_after(seeded: &Seeded, write: impl AsyncFn(&Lake)) -> BTreeMap<&'static str, Vec<String>> {
    let world = seeded.world();
    write(&world.lake()).await;
    picture(&world.lake(), &[key("first")]).await
}

#[tokio::test]
async fn what_engagement_writes_just_after_the_pause_is_carried_over() {
    let seeded = Seeded::new().await;
    let expected = expected_after(&seeded, async |lake| write_day(lake, FIRST).await).await;
    assert!(expected != seeded.before);
    let world = seeded.world();
    let overtaken = Overtaken {
        world: &world,
        day: FIRST,
        is_done: false.into(),
    };
    world.prepare_with(&overtaken, &both()).await.unwrap();
    world.confirm(&both()).await.unwrap();
    world.assert_rotated(&expected, &[], "overtaken").await;
}

#[tokio::test]
async fn what_engagement_writes_after_the_re_encryption_is_found_and_carried_over() {
    let seeded = Seeded::new().await;
    let stretch = STRETCHES[0];
    let late_totals = async |lake: &Lake| {
        let rows = totals_of(&key("first"), stretch, present(0), 40);
        lake.upsert(&GOLD_ENGAGEMENT_TOTALS, Columns::All, rows, &stamp())
            .await
            .unwrap();
    };
    let late_day = async |lake: &Lake| write_day(lake, FIRST).await;

    let world = seeded.world();
    world.prepare(&both()).await.unwrap();
    late_day(&world.lake()).await;
    let error = world.confirm(&both()).await.unwrap_err();
    assert_eq!(error.error_type(), "Paused", "{error}");
    let message = error.to_string();
    assert!(
        message.contains("gold_engagement_daily: 720 rows are not under the key second")
            && message.contains("`uptake keys prepare` goes on"),
        "{message}"
    );
    assert_eq!(world.status().await.status, Status::Prepared);
    let prepared = world.prepare(&both()).await.unwrap();
    assert_eq!(prepared.tables[1].re_encrypted, 720, "{prepared:?}");
    let expected = expected_after(&seeded, late_day).await;
    let printed = [vec![message], world.go_on().await].concat();
    world.assert_rotated(&expected, &printed, "a late day").await;

    // Totals are put in by row, so that nobody may be there twice.
    let world = seeded.world();
    world.prepare(&both()).await.unwrap();
    late_totals(&world.lake()).await;
    assert_eq!(world.confirm(&both()).await.unwrap_err().error_type(), "Paused");
    world.prepare(&both()).await.unwrap();
    let expected = expected_after(&seeded, late_totals).await;
    let printed = world.go_on().await;
    world.assert_rotated(&expected, &printed, "late totals").await;
}

#[tokio::test]
async fn a_row_that_was_changed_by_hand_is_told_by_table_and_figure_and_engagement_stays_paused() {
    let seeded = Seeded::new().await;
    let world = seeded.world();
    world.prepare(&both()).await.unwrap();
    tamper(&world.lake(), |row| {
        row.insert("interactions".to_owned(), 1_000_000.into());
    })
    .await;
    let (state, versions) = (world.state().await, world.versions().await);
    let error = world.confirm(&both()).await.unwrap_err();
    assert_eq!(error.error_type(), "Paused", "{error}");
    let message = error.to_string();
    assert!(
        message.contains("gold_engagement_daily: interactions were "),
        "{message}"
    );
    assert!(
        !message.contains("gold_engagement_totals") && !message.contains("rows were"),
        "{message}"
    );
    assert_eq!((world.state().await, world.versions().await), (state, versions));

    // Nobody passes over it without having looked.
    let error = world.prepare(&both()).await.unwrap_err();
    assert!(error.to_string().contains("--accept"), "{error}");
    world.assert_silent(&[message, error.to_string()], "changed by hand");
    assert!(world.confirm(&both()).await.is_err());
    world.accept(&both()).await.unwrap();
    let accepted = picture(&world.lake(), &[key("second")]).await;
    assert!(accepted != seeded.before);
    let printed = world.go_on().await;
    world.assert_rotated(&accepted, &printed, "accepted").await;

    // A row that is gone counts as well.
    let world = seeded.world();
    world.prepare(&both()).await.unwrap();
    let mut is_gone = false;
    let lose = |rows: Vec<BTreeMap<String, Value>>| -> Result<Vec<_>, uptake_lake::LakeError> {
        Ok(rows
            .into_iter()
            .map(|row| std::mem::replace(&mut is_gone, true).then_some(row))
            .collect())
    };
    let lake = world.lake();
    lake.rewrite(&GOLD_ENGAGEMENT_TOTALS, &["subject"], &Filter::All, lose)
        .await
        .unwrap();
    let message = world.confirm(&both()).await.unwrap_err().to_string();
    assert!(
        message.contains("gold_engagement_totals: rows were 1,920 and are 1,919"),
        "{message}"
    );
}

#[tokio::test]
async fn where_there_are_no_tables_yet_the_key_is_changed_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let world = World {
        folder: Folder::new(root.path().to_owned()),
        root,
        subjects: Vec::new(),
    };
    let nothing = world.confirm(&both()).await.unwrap();
    assert_eq!((nothing.status, nothing.key_id), (Status::InUse, None));
    world.prepare(&both()).await.unwrap();
    world.confirm(&both()).await.unwrap();
    assert_eq!(world.status().await.key_id.as_deref(), Some("second"));
}

/// Warm functions: what was read of the settings before the change is not what they may write with.
#[tokio::test]
async fn engagement_and_the_audit_consumer_stand_still_meanwhile_and_the_old_key_is_refused_afterwards() {
    let mut tenant = Tenant::calm(30).await;
    let day = crate::tenant::FIRST_DAY;
    let first = tenant.identity().await;
    let lake = tenant.engagement_lake();
    let identities = |next: &str| Keys {
        key: key("first"),
        next_key: Some(key(next)),
        tenant: first.tenant.clone(),
    };
    assert_eq!(tenant.run_engagement(day).await.unwrap().counts.stored, 0);

    let clock = Standing(evening(day));
    let ports = tenant.ports(&clock);
    identity_keys::prepare(&lake, &identities("second"), false, ports, &invocation())
        .await
        .unwrap();
    for outcome in [
        tenant.run_engagement(day).await.unwrap(),
        tenant.offer_audit(evening(day)).await.unwrap(),
    ] {
        let outcome = json!(outcome);
        assert_eq!(outcome["status"], "nothing_to_do", "{outcome}");
        assert_eq!(outcome["counts"]["requests"], 0, "{outcome}");
        let note = outcome["notes"][0].as_str().unwrap();
        assert!(
            note.contains("paused since") && note.contains("uptake keys confirm"),
            "{note}"
        );
    }
    let store = EngagementStore {
        lake: &lake,
        versions: &tenant.folder,
    };
    identity_keys::confirm(store, &identities("second"), ports, &invocation())
        .await
        .unwrap();
    let error = tenant.run_engagement(day).await.unwrap_err();
    assert_eq!(error.error_type(), "Configuration", "{error}");
    assert!(
        error.to_string().contains("the key second, and this one is first"),
        "{error}"
    );
    tenant.set("UPTAKE_IDENTITY_KEY", &identity_key("second"));
    tenant.run_engagement(day).await.unwrap();
}

#[test]
fn a_request_is_read_strictly() {
    let parse = |text: &str| serde_json::from_str::<Request>(text);
    assert_eq!(
        parse(r#"{"action": "prepare"}"#).unwrap(),
        Request::Prepare { accept: false }
    );
    assert_eq!(
        parse(r#"{"action": "prepare", "accept": true}"#).unwrap(),
        Request::Prepare { accept: true }
    );
    assert_eq!(parse(r#"{"action": "confirm"}"#).unwrap(), Request::Confirm {});
    assert_eq!(parse(r#"{"action": "status"}"#).unwrap(), Request::Status {});
    for wrong in [
        "{}",
        r#"{"action": "rotate"}"#,
        r#"{"action": "prepare", "dry_run": true}"#,
        r#"{"action": "confirm", "accept": true}"#,
        r#"{"action": "status", "key": "x"}"#,
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

/// A folder of the command line has nothing to forget but what killed writers left.
#[tokio::test]
async fn what_a_killed_writer_left_goes_with_the_old_key() {
    let seeded = Seeded::new().await;
    let world = seeded.world();
    let subject = key("first").subject(TENANT, &upn(3));
    let left = world
        .root
        .path()
        .join("engagement/gold_engagement_daily/day=2026-11-02/part-x.parquet#1");
    std::fs::write(&left, &subject).unwrap();
    world.go_on().await;
    assert!(!left.exists());
    assert_eq!(world.folder.forget("gold_engagement_daily/").await.unwrap(), 0);
}
