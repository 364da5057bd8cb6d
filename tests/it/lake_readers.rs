//! The lake in the hands of others: every table read and every score computed again by a script that shares no code with
//! us, and the queries of `docs/QUERIES.md` as they stand there.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use uptake_cli::folder::Folder;
use uptake_domain::tables;

use crate::audit::at;
use crate::enterprise::{DAY, Enterprise};
use crate::moto::python;
use crate::tenant::Tenant;

/// Long enough for scores to settle and freeze more than twice.
const DAYS: usize = 25;

/// Runs a script of `tests` on a lake.
fn run(script: &str, lake: &Path, options: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    Command::new(python())
        .arg(script)
        .arg(lake)
        .args(options)
        .output()
        .unwrap()
}

/// The last line that a script printed, as JSON.
fn answer(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().next_back().unwrap_or_default();
    serde_json::from_str(last)
        .unwrap_or_else(|error| panic!("{error}\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn readers_that_are_not_ours_find_every_table_and_the_same_scores() {
    let tenant = Tenant::with(80, 7, "").await;
    for day in tenant.days(DAYS) {
        tenant.offer_audit(at(day, 18)).await.unwrap();
        tenant.simulator.set_today(day);
        tenant.offer_usage(day).await.unwrap();
        tenant.offer_scoring(day).await.unwrap();
    }
    let mut enterprise = Enterprise::healthy(40).await;
    enterprise.folder = Folder::new(tenant.folder.path(""));
    enterprise.run_seats(DAY).await.unwrap();
    let lake = tenant.folder.path("lake");

    let recomputed = run("recompute.py", &lake, &[]);
    let summary = answer(&recomputed);
    assert!(recomputed.status.success(), "{summary:#}");
    for table in tables::LAKE {
        let rows = summary["rows"][table.name].as_u64();
        assert!(rows.is_some_and(|rows| rows > 0), "{}: {rows:?}", table.name);
    }
    let scores = summary["rows"][tables::GOLD_USAGE_SCORES.name].as_u64().unwrap();
    let compared = summary["scores_compared"].as_u64().unwrap();
    assert!(
        compared > 300 && compared * 100 >= scores * 95,
        "{compared} of {scores} scores compared"
    );

    let with_another_threshold = run("recompute.py", &lake, &["--threshold", "60"]);
    assert!(!with_another_threshold.status.success(), "a difference is noticed");

    let queries = run("queries.py", &lake, &[]);
    let summary = answer(&queries);
    assert!(queries.status.success(), "{summary:#}");
    assert!(
        summary["sql"].as_u64() > Some(9) && summary["python"] == 2,
        "{summary:#}"
    );
    assert_eq!(
        summary["empty"],
        serde_json::json!([]),
        "a query that finds nothing shows nothing"
    );
}
