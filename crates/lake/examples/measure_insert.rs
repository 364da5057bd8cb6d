//! Temporary.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout
)]
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use uptake_domain::tables::{Column, Kind, Table};
use uptake_lake::*;
const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        meaning: "",
    }
}
static AUDIT: Table = Table {
    name: "audit",
    key: &["event_on", "event_id"],
    partitioned_by: &["event_on"],
    columns: &[
        column("event_on", Kind::Date),
        column("event_id", Kind::Text),
        column("action", Kind::Text),
        column("subject", Kind::Text),
        column("at", Kind::Instant),
        column("detail", Kind::Text),
    ],
    description: "",
    written_by: &[],
};
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    event_on: Date,
    event_id: String,
    action: String,
    subject: String,
    at: i64,
    detail: String,
}
#[derive(Clone, Serialize, Deserialize)]
struct Subject {
    subject: String,
}
fn uid(n: u64) -> String {
    let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xABCD;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    format!("{:016x}{:016x}0000", next(), next())
}
fn row(n: u64) -> Row {
    Row {
        event_on: date(2026, 11, 22),
        event_id: uid(n),
        action: format!("repo.action_{}", n % 40),
        subject: uid(n % 5000),
        at: 1_795_000_000_000_000 + n as i64,
        detail: format!("{}{}", uid(n + 1), uid(n + 2)),
    }
}
fn rss() -> (u64, u64) {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let f = |k: &str| {
        s.lines()
            .find(|l| l.starts_with(k))
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    };
    (f("VmRSS"), f("VmHWM"))
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let lake = Lake::in_folder(std::path::Path::new(&args[2])).unwrap();
    let stamp = Stamp {
        collected_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        invocation_id: "a".into(),
    };
    let before = std::time::Instant::now();
    let start = rss();
    match args[1].as_str() {
        "fill" => {
            for b in 0..25 {
                lake.insert(
                    &AUDIT,
                    (b * 20_000..(b + 1) * 20_000).map(row).collect::<Vec<_>>(),
                    &stamp,
                )
                .await
                .unwrap();
            }
        }
        "compact" => {
            println!("{:?}", lake.maintain(&AUDIT, stamp.collected_at).await.unwrap());
        }
        "batch" => {
            let from: u64 = args[3].parse().unwrap();
            let rows: Vec<Row> = (from..from + 20_000).map(row).collect();
            println!("rows made: {:?}", rss());
            println!("{:?}", lake.insert(&AUDIT, rows, &stamp).await.unwrap());
        }
        "upsert" => {
            let from: u64 = args[3].parse().unwrap();
            let rows: Vec<Row> = (from..from + 20_000).map(row).collect();
            println!("rows made: {:?}", rss());
            println!("{:?}", lake.upsert(&AUDIT, Columns::All, rows, &stamp).await.unwrap());
        }
        "rewrite" => {
            println!(
                "{:?}",
                lake.rewrite(&AUDIT, &["subject"], &Filter::All, |rows: Vec<Subject>| Ok::<
                    _,
                    LakeError,
                >(
                    rows.into_iter()
                        .map(|r| Some(Subject {
                            subject: r.subject.chars().rev().collect()
                        }))
                        .collect()
                ))
                .await
                .unwrap()
            );
        }
        "same" => {
            println!(
                "{:?}",
                lake.rewrite(&AUDIT, &["subject"], &Filter::All, |rows: Vec<Subject>| Ok::<
                    _,
                    LakeError,
                >(
                    rows.into_iter().map(Some).collect()
                ))
                .await
                .unwrap()
            );
        }
        "purge" => println!("{:?}", lake.purge(&AUDIT).await.unwrap()),
        _ => {}
    }
    println!(
        "{} {:?} rss at start {start:?} end {:?} {:?}",
        args[1],
        before.elapsed(),
        rss(),
        lake.describe(&AUDIT).await.unwrap()
    );
}
