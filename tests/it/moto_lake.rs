//! Writers at the same time on S3 lose nothing: two lakes on moto, read back without our own code.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use uptake_domain::tables::{GOLD_AUDIT_LOG, GOLD_COPILOT_SEATS, GOLD_LICENSE_SUMMARY};
use uptake_lake::{Columns, Filter, Lake, Stamp};

use crate::independent_reader::IndependentReader;
use crate::moto::Moto;

const BUCKET: &str = "octo-lake";
const PEOPLE: u32 = 40;
const ROUNDS: i64 = 5;

/// The side of `gold_copilot_license_summary` that `m365-usage` writes.
#[derive(Serialize)]
struct Person {
    user_id: String,
    upn: String,
    days_held: i64,
}

/// The side that `scoring` writes.
#[derive(Serialize)]
struct Scored {
    user_id: String,
    score: i64,
}

#[derive(Serialize)]
struct Line {
    log_id: String,
    logged_on: jiff::civil::Date,
    function: &'static str,
}

#[derive(Serialize)]
struct Seat {
    day: jiff::civil::Date,
    assignee_id: i64,
    login: String,
}

fn id(number: u32) -> String {
    format!("person-{number:02}")
}

fn stamp(invocation: &str) -> Stamp {
    Stamp {
        collected_at: Timestamp::UNIX_EPOCH,
        invocation_id: invocation.to_owned(),
    }
}

/// A lake of its own, as another process has it.
fn lake(moto: &Moto) -> Lake {
    let options = moto
        .environment()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Lake::in_bucket(BUCKET, "prod/lake", options.into()).unwrap()
}

/// Everybody's side of a round, and a line about it.
async fn collect(lake: Lake, begin: Arc<Barrier>) {
    for round in 1..=ROUNDS {
        begin.wait().await;
        let rows: Vec<Person> = (0..PEOPLE)
            .map(|number| Person {
                user_id: id(number),
                upn: format!("{}@tenant.example", id(number)),
                days_held: round,
            })
            .collect();
        let columns = Columns::Only(&["user_id", "upn", "days_held"]);
        lake.upsert(&GOLD_LICENSE_SUMMARY, columns, &rows, &stamp("collect"))
            .await
            .unwrap();
        leave_line(&lake, "m365-usage", round).await;
    }
}

/// The scores of a round, of half of the people and some whom the collection does not know, and a line about it.
async fn score(lake: Lake, begin: Arc<Barrier>) {
    for round in 1..=ROUNDS {
        begin.wait().await;
        let rows: Vec<Scored> = (PEOPLE / 2..PEOPLE + 5)
            .map(|number| Scored {
                user_id: id(number),
                score: round * 10,
            })
            .collect();
        let columns = Columns::Only(&["user_id", "score"]);
        lake.upsert(&GOLD_LICENSE_SUMMARY, columns, &rows, &stamp("score"))
            .await
            .unwrap();
        leave_line(&lake, "scoring", round).await;
    }
}

async fn leave_line(lake: &Lake, function: &'static str, round: i64) {
    let line = Line {
        log_id: format!("{function}-{round}"),
        logged_on: date(2026, 11, 22),
        function,
    };
    lake.append(&GOLD_AUDIT_LOG, &[&line], &line.log_id, &stamp(function))
        .await
        .unwrap();
}

fn table(name: &str) -> String {
    format!("s3://{BUCKET}/prod/lake/{name}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_at_once_on_s3_keep_every_row_and_every_column() {
    let moto = Moto::start_single_threaded().await;
    moto.call_one("s3", "create_bucket", &json!({"Bucket": BUCKET}));
    let begin = Arc::new(Barrier::new(2));
    let collecting = tokio::spawn(collect(lake(&moto), Arc::clone(&begin)));
    let scoring = tokio::spawn(score(lake(&moto), begin));
    collecting.await.unwrap();
    scoring.await.unwrap();

    let reader = IndependentReader::of_moto(&moto);
    let columns = ["user_id", "upn", "days_held", "score"];
    let rows = reader.rows(&table(GOLD_LICENSE_SUMMARY.name), &columns);
    let by_id: BTreeMap<String, &Value> = rows
        .iter()
        .map(|row| (row["user_id"].as_str().unwrap().to_owned(), row))
        .collect();
    assert_eq!(by_id.len(), rows.len(), "nobody twice");
    let expected: BTreeMap<String, Value> = (0..PEOPLE + 5)
        .map(|number| {
            let (user_id, known, scored) = (id(number), number < PEOPLE, number >= PEOPLE / 2);
            let row = json!({
                "user_id": user_id,
                "upn": known.then(|| format!("{user_id}@tenant.example")),
                "days_held": known.then_some(ROUNDS),
                "score": scored.then_some(ROUNDS * 10),
            });
            (user_id, row)
        })
        .collect();
    assert_eq!(by_id, expected.iter().map(|(id, row)| (id.clone(), row)).collect());

    let mut lines: Vec<String> = reader
        .rows(&table(GOLD_AUDIT_LOG.name), &["log_id"])
        .iter()
        .map(|row| row["log_id"].as_str().unwrap().to_owned())
        .collect();
    lines.sort();
    let expected =
        ["m365-usage", "scoring"].map(|function| (1..=ROUNDS).map(move |round| format!("{function}-{round}")));
    assert_eq!(lines, expected.into_iter().flatten().collect::<Vec<_>>());

    // Each of the ten upserts is a version of its own, and so is each line.
    for name in [GOLD_LICENSE_SUMMARY.name, GOLD_AUDIT_LOG.name] {
        let told = reader.describe(&table(name));
        assert_eq!(told["version"], 2 * ROUNDS, "{told}");
        assert_eq!(told["protocol"], json!({"reader": 1, "writer": 2}), "{told}");
    }
}

/// Which of the two comes last is left to chance; that one of them counts whole is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replacements_of_a_day_at_once_on_s3_leave_the_rows_of_one() {
    let moto = Moto::start_single_threaded().await;
    moto.call_one("s3", "create_bucket", &json!({"Bucket": BUCKET}));
    let day = date(2026, 11, 20);
    let begin = Arc::new(Barrier::new(2));
    let replace = |writer: &'static str, seats: i64| {
        let (lake, begin) = (lake(&moto), Arc::clone(&begin));
        tokio::spawn(async move {
            let rows: Vec<Seat> = (0..seats)
                .map(|assignee_id| Seat {
                    day,
                    assignee_id,
                    login: format!("{writer}-{assignee_id}"),
                })
                .collect();
            let of_day = Filter::Equals("day", day.to_string());
            begin.wait().await;
            let written = lake.replace(&GOLD_COPILOT_SEATS, &of_day, &rows, &stamp(writer)).await;
            (written.unwrap().version.unwrap(), rows)
        })
    };
    let (few, many) = (replace("few", 3), replace("many", 30));
    let (few, many) = (few.await.unwrap(), many.await.unwrap());
    let (_, last) = if few.0 > many.0 { few } else { many };

    let reader = IndependentReader::of_moto(&moto);
    let mut stored = reader.rows(&table(GOLD_COPILOT_SEATS.name), &["day", "assignee_id", "login"]);
    stored.sort_by_key(|row| row["assignee_id"].as_i64());
    let expected: Vec<Value> = last.iter().map(|row| json!(row)).collect();
    assert_eq!(stored, expected);
}
