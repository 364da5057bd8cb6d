//! `uptake keys` as people type it, and as somebody ends it in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uptake_cli::folder::Folder;
use uptake_domain::identity::IdentityKey;
use uptake_domain::tables::{GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS};
use uptake_lake::{Columns, Filter, Lake, Stamp};

use crate::Laptop;

const TENANT: &str = "contoso.example";
const PEOPLE: u64 = 400;
/// The columns of totals that are looked at.
const TOTALS: [&str; 7] = [
    "subject",
    "key_id",
    "app",
    "timeframe",
    "start_on",
    "interactions",
    "points",
];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Daily {
    subject: String,
    key_id: String,
    day: Date,
    app: String,
    agent_id: String,
    interactions: u64,
    state: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Total {
    subject: String,
    key_id: String,
    app: String,
    timeframe: String,
    start_on: Date,
    interactions: u64,
    points: u64,
}

fn upn(number: u64) -> String {
    format!("person-{number}@contoso.example")
}

async fn seed(lake: &Lake, key: &IdentityKey) {
    let stamp = Stamp {
        collected_at: Timestamp::UNIX_EPOCH,
        invocation_id: "seed".to_owned(),
    };
    let (subject, key_id) = (|number| key.subject(TENANT, &upn(number)), || key.id().to_owned());
    for day in 1..=5 {
        let row = |number| Daily {
            subject: subject(number),
            key_id: key_id(),
            day: date(2026, 11, day),
            app: "all".to_owned(),
            agent_id: String::new(),
            interactions: number,
            state: "active".to_owned(),
        };
        let rows: Vec<Daily> = (0..PEOPLE).map(row).collect();
        lake.upsert(&GOLD_ENGAGEMENT_DAILY, Columns::All, rows, &stamp)
            .await
            .unwrap();
    }
    let row = |number| Total {
        subject: subject(number),
        key_id: key_id(),
        app: "all".to_owned(),
        timeframe: "month".to_owned(),
        start_on: date(2026, 11, 1),
        interactions: number * 5,
        points: number * 7,
    };
    let rows: Vec<Total> = (0..PEOPLE).map(row).collect();
    lake.upsert(&GOLD_ENGAGEMENT_TOTALS, Columns::Only(&TOTALS), rows, &stamp)
        .await
        .unwrap();
}

/// Everybody's rows, whichever of the keys they are under.
async fn picture(lake: &Lake, keys: &[IdentityKey]) -> (BTreeSet<Daily>, BTreeSet<Total>) {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut name = |subject: &mut String, key_id: &mut String| {
        let made_by = keys.iter().find(|key| key.id() == key_id).unwrap();
        let resolved = names
            .entry(subject.clone())
            .or_insert_with_key(|subject| made_by.resolve(TENANT, subject).unwrap());
        subject.clone_from(resolved);
        key_id.clear();
    };
    let columns = GOLD_ENGAGEMENT_DAILY.column_names();
    let mut daily: Vec<Daily> = lake.read(&GOLD_ENGAGEMENT_DAILY, &columns, &Filter::All).await.unwrap();
    for row in &mut daily {
        name(&mut row.subject, &mut row.key_id);
    }
    let mut totals: Vec<Total> = lake.read(&GOLD_ENGAGEMENT_TOTALS, &TOTALS, &Filter::All).await.unwrap();
    for row in &mut totals {
        name(&mut row.subject, &mut row.key_id);
    }
    (daily.into_iter().collect(), totals.into_iter().collect())
}

async fn generated(laptop: &Laptop, id: &str) -> String {
    let ended = laptop.uptake(&format!("keys generate {id}")).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("UPTAKE_NEXT_IDENTITY_KEY"), "{}", ended.stderr);
    let text = ended.stdout.trim().to_owned();
    assert_eq!(ended.stdout, format!("{text}\n"), "the key and nothing else");
    assert!(!ended.stderr.contains(&text[id.len() + 1..]), "{}", ended.stderr);
    text
}

/// A laptop with two keys and tables under the first.
async fn laptop() -> (Laptop, [IdentityKey; 2]) {
    let mut laptop = Laptop::new();
    let (first, second) = (generated(&laptop, "first").await, generated(&laptop, "second").await);
    laptop.set("UPTAKE_TENANT_ID", TENANT);
    laptop.set("UPTAKE_IDENTITY_KEY", &first);
    laptop.set("UPTAKE_NEXT_IDENTITY_KEY", &second);
    let keys = [&first, &second].map(|text| IdentityKey::parse(text).unwrap());
    seed(&lake(&laptop), &keys[0]).await;
    (laptop, keys)
}

fn lake(laptop: &Laptop) -> Lake {
    Folder::new(laptop.path("")).engagement_lake().unwrap()
}

#[tokio::test]
async fn a_key_is_made_by_chance_and_printed_once() {
    let laptop = Laptop::new();
    let (one, another) = (generated(&laptop, "k-2026").await, generated(&laptop, "k-2026").await);
    assert_ne!(one, another);
    assert_eq!(IdentityKey::parse(&one).unwrap().id(), "k-2026");
    for wrong in ["K", "kms", "a_b"] {
        let ended = laptop.uptake(&format!("keys generate {wrong}")).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("lower-case letters"), "{}", ended.stderr);
    }
    assert_eq!(laptop.uptake("keys generate").await.code, 2);
    assert!(
        std::fs::read_dir(laptop.path("")).unwrap().next().is_none(),
        "nothing is kept"
    );
}

#[tokio::test]
async fn each_step_tells_how_the_change_stands() {
    let (mut laptop, keys) = laptop().await;
    let before = picture(&lake(&laptop), &keys).await;
    // Whoever only looks needs no key.
    laptop.variables.remove("UPTAKE_IDENTITY_KEY");
    let status = laptop.uptake("keys status").await;
    assert_eq!(status.code, 0, "{}", status.stderr);
    assert!(status.stdout.starts_with("key in use: none yet"), "{}", status.stdout);
    let missing = laptop.uptake("keys prepare").await;
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("UPTAKE_IDENTITY_KEY is not set"),
        "{}",
        missing.stderr
    );
    laptop.set("UPTAKE_IDENTITY_KEY", "first:c2hvcnQ=");
    let unusable = laptop.uptake("keys prepare --json").await;
    assert_eq!(unusable.code, 2);
    assert!(!unusable.stdout.contains("c2hv"), "{}", unusable.stdout);
    let answer: Value = serde_json::from_str(&unusable.stdout).unwrap();
    assert_eq!(answer["error_type"], "Configuration", "{answer}");

    let (mut laptop, keys) = {
        let again = self::laptop().await;
        drop((laptop, keys));
        again
    };
    let next = laptop.variables.remove("UPTAKE_NEXT_IDENTITY_KEY").unwrap();
    let missing = laptop.uptake("keys prepare").await;
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    assert!(
        missing.stderr.contains("UPTAKE_NEXT_IDENTITY_KEY is not set"),
        "{}",
        missing.stderr
    );
    laptop.set("UPTAKE_NEXT_IDENTITY_KEY", &next);
    let early = laptop.uptake("keys confirm").await;
    assert_eq!(early.code, 0, "there is nothing to confirm: {}", early.stderr);

    let prepared = laptop.uptake("keys prepare").await;
    assert_eq!(prepared.code, 0, "{}", prepared.stderr);
    for expected in [
        "change to second prepared, engagement paused since",
        "gold_engagement_daily",
        "2,000 rows, 2,000 under second, 2,000 re-encrypted now",
        "uptake keys confirm",
    ] {
        assert!(prepared.stdout.contains(expected), "{expected}: {}", prepared.stdout);
    }
    let status: Value = serde_json::from_str(&laptop.uptake("keys status --json").await.stdout).unwrap();
    assert_eq!(
        (&status["status"], &status["next_key_id"]),
        (&"prepared".into(), &"second".into()),
        "{status}"
    );
    laptop.variables.remove("UPTAKE_NEXT_IDENTITY_KEY");
    let wrong = laptop.uptake("keys confirm").await;
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    laptop.set("UPTAKE_IDENTITY_KEY", &next);
    let confirmed = laptop.uptake("keys confirm").await;
    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    assert!(
        confirmed.stdout.contains("key in use: second; the change is done") && confirmed.stdout.contains("taken away"),
        "{}",
        confirmed.stdout
    );
    assert_eq!(picture(&lake(&laptop), &keys[1..]).await, before);
}

/// The process is ended by the system, at moments left to chance, again and again; and everybody keeps their rows.
#[tokio::test]
async fn killed_at_moments_left_to_chance_it_goes_on() {
    let (laptop, keys) = laptop().await;
    let before = picture(&lake(&laptop), &keys).await;
    let mut kills = 0;
    for command in ["prepare", "confirm"] {
        // From at once to long enough, in steps, each somewhat off.
        for round in 0..14_u64 {
            let chance = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) % 12;
            let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_uptake"))
                .args(["keys", command])
                .env_clear()
                .envs(&laptop.variables)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            tokio::time::sleep(Duration::from_millis(round * 12 + chance)).await;
            process.start_kill().unwrap();
            kills += u32::from(process.wait().await.unwrap().code().is_none());
            assert_eq!(picture(&lake(&laptop), &keys).await, before, "{command}, round {round}");
        }
        let ended = laptop.uptake(&format!("keys {command}")).await;
        assert_eq!(ended.code, 0, "{command}: {}", ended.stderr);
    }
    assert!(kills >= 4, "{kills}");
    assert_eq!(picture(&lake(&laptop), &keys[1..]).await, before);
    let status: Value = serde_json::from_str(&laptop.uptake("keys status --json").await.stdout).unwrap();
    assert_eq!(
        (&status["status"], &status["key_id"]),
        (&"in_use".into(), &"second".into()),
        "{status}"
    );
    let old: Vec<String> = (0..PEOPLE)
        .map(|number| keys[0].subject(TENANT, &upn(number)))
        .collect();
    let mut data_files = 0;
    for path in files(&laptop.path("")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.contains('#'), "{name} is left of a killed process");
        if name.ends_with(".parquet") {
            data_files += u64::from(!path.to_string_lossy().contains("_delta_log"));
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("@contoso.example"), "{}", path.display());
        assert!(!old.iter().any(|subject| text.contains(subject)), "{}", path.display());
    }
    let mut told = 0;
    for table in [&GOLD_ENGAGEMENT_DAILY, &GOLD_ENGAGEMENT_TOTALS] {
        told += lake(&laptop).describe(table).await.unwrap().unwrap().files;
    }
    assert_eq!(
        data_files, told,
        "every data file belongs to a table, and was read above"
    );
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    found.extend(folders.iter().flat_map(|folder| files(folder)));
    found
}
