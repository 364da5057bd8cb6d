//! `uptake seed-test-data` and `uptake engagement`: made-up people put in, asked about, named for whoever holds the key, and
//! taken out.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use uptake_domain::identity::{KEY_BYTES, written};

use crate::{Ended, Laptop};

fn key(id: &str, first: u8) -> String {
    let bytes: [u8; KEY_BYTES] = std::array::from_fn(|place| first.wrapping_add(u8::try_from(place).unwrap()));
    written(id, &bytes).unwrap()
}

fn with_key() -> Laptop {
    let mut laptop = Laptop::new();
    laptop.set("UPTAKE_IDENTITY_KEY", &key("first", 1));
    laptop.set("UPTAKE_TENANT_ID", "contoso.example");
    laptop
}

impl Laptop {
    /// With something on standard input.
    async fn uptake_reading(&self, line: &str, input: &str) -> Ended {
        let mut process = Command::new(env!("CARGO_BIN_EXE_uptake"))
            .args(line.split_whitespace())
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let output = process.wait_with_output().await.unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn parsed(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn names(answer: &Value) -> Vec<String> {
    let rows = answer["subjects"].as_array().unwrap().iter();
    rows.map(|row| row["user_principal_name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn made_up_people_are_put_in_asked_about_and_taken_out() {
    let mut laptop = with_key();
    let nothing = parsed(&laptop.uptake("engagement streaks --json").await);
    assert_eq!((&nothing["total"], &nothing["as_of"]), (&json!(0), &Value::Null));

    let seeded = laptop.uptake("seed-test-data --users 14 --weeks 6").await;
    assert_eq!(seeded.code, 0, "{}", seeded.stderr);
    assert!(seeded.stdout.contains("14 made-up people"), "{}", seeded.stdout);

    // The first and the eighth of them use it every day.
    let streaks = "engagement streaks --count 40 --resolve";
    let mut daily = names(&parsed(&laptop.uptake(&format!("{streaks} --json")).await));
    daily.sort_unstable();
    assert_eq!(daily, ["test-user-0001@seed.invalid", "test-user-0008@seed.invalid"]);
    let table = laptop.uptake(streaks).await;
    for told in [
        "2 in all, as of",
        "user principal name",
        "current streak",
        "test-user-0008@seed.invalid",
        "made-up people",
    ] {
        assert!(table.stdout.contains(told), "{told}: {}", table.stdout);
    }

    for line in [
        "engagement completed --days 2",
        "engagement completed --interactions 1 --timeframe month --apps teams",
        "engagement inactive --days 5",
        "engagement leaderboard --timeframe all_time --top 5",
        "engagement agents --timeframe all_time",
    ] {
        let answer = parsed(&laptop.uptake(&format!("{line} --json")).await);
        assert!(answer["total"].as_u64() > Some(0), "{line}: {answer}");
        let table = laptop.uptake(line).await;
        assert_eq!(table.code, 0, "{line}: {}", table.stderr);
        assert!(
            table.stdout.lines().count() > 3 && !table.stdout.contains("@seed.invalid"),
            "{line}: {}",
            table.stdout
        );
    }

    // As the deployed API answers, which holds no key.
    let answer = laptop.uptake("engagement leaderboard --top 3 --json").await.stdout;
    assert!(!answer.contains("@seed.invalid"), "{answer}");
    let named = parsed(&laptop.uptake_reading("engagement resolve --json", &answer).await);
    assert_eq!(names(&named).len(), 3);
    let elsewhere = with_key();
    let table = elsewhere.uptake_reading("engagement resolve", &answer).await;
    assert!(
        table.stdout.contains("@seed.invalid"),
        "{}{}",
        table.stdout,
        table.stderr
    );
    for input in ["", "[]", "{}", r#"{"error": "paused", "message": "…"}"#] {
        let ended = laptop.uptake_reading("engagement resolve", input).await;
        assert_eq!(ended.code, 1, "{input}");
        assert!(ended.stderr.contains("no answer of the API"), "{}", ended.stderr);
    }

    // Another key, or one of the same name, is told apart; and none is told at once.
    for (id, first) in [("second", 1), ("first", 2)] {
        laptop.set("UPTAKE_IDENTITY_KEY", &key(id, first));
        let resolving = laptop.uptake(streaks).await;
        let reading = laptop.uptake_reading("engagement resolve", &answer).await;
        let seeding = laptop.uptake("seed-test-data --users 1").await;
        for ended in [resolving, reading, seeding] {
            assert_eq!(ended.code, 2, "{}", ended.stderr);
            assert!(
                ended.stderr.contains("written with the key first") && ended.stderr.contains("UPTAKE_IDENTITY_KEY"),
                "{}",
                ended.stderr
            );
        }
    }
    laptop.set("UPTAKE_IDENTITY_KEY", "");
    for line in [streaks, "seed-test-data --users 1", "seed-test-data --remove"] {
        let ended = laptop.uptake(line).await;
        assert_eq!(ended.code, 2, "{line}");
        assert!(
            ended.stderr.contains("UPTAKE_IDENTITY_KEY is not set"),
            "{}",
            ended.stderr
        );
    }

    laptop.set("UPTAKE_IDENTITY_KEY", &key("first", 1));
    let refused = laptop.uptake("run engagement").await;
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("seed-test-data --remove"), "{}", refused.stderr);
    let removed = laptop.uptake("seed-test-data --remove").await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert_eq!(
        parsed(&laptop.uptake("engagement inactive --days 1 --json").await)["total"],
        0
    );
    let waits = parsed(&laptop.uptake("run engagement --json").await);
    assert_eq!(waits["status"], "nothing_to_do", "{waits}");
    let nobody = laptop.uptake("seed-test-data --remove").await;
    assert!(
        nobody.code == 2 && nobody.stderr.contains("no made-up people"),
        "{}",
        nobody.stderr
    );
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_with_what_to_ask() {
    let laptop = Laptop::new();
    for (line, told) in [
        ("engagement completed", "--days"),
        ("engagement completed --days 0", "--days"),
        (
            "engagement leaderboard --timeframe all_time --start 2026-11-16",
            "has no start",
        ),
        ("engagement streaks --apps teams,,word", "commas between"),
        ("engagement leaderboard --top 1001", "--top"),
        ("seed-test-data", "--users"),
        ("seed-test-data --remove --users 3", "--users"),
        (
            "backfill engagement --from 2026-11-01 --to 2026-11-02",
            "looks back by itself",
        ),
    ] {
        let ended = laptop.uptake(line).await;
        assert_eq!(ended.code, 2, "{line}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(told), "{line}: {}", ended.stderr);
    }
}
