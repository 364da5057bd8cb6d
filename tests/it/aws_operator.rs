//! The operator's command line on the bucket of a deployment: the same commands as on a folder, with what AWS keeps.

use std::path::Path;
use std::process::{Command, Output};

use jiff::ToSpan;
use serde_json::{Value, json};
use uptake_domain::calendar::day_of;
use uptake_domain::tables::{GOLD_COPILOT_USAGE, SILVER_COPILOT_USAGE, SILVER_USERS};

use crate::aws_face::{BUCKET, Deployment, STORE};
use crate::aws_licenses::{deployment_on, table, usage};
use crate::independent_reader::IndependentReader;
use crate::moto::Moto;
use crate::moto_logs::sdk_config;
use crate::tenant::evening;

/// Gives a command where the deployment's bucket is the store.
fn operate(deployment: &Deployment, arguments: &[&str]) -> Output {
    let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/uptake");
    assert!(
        binary.is_file(),
        "target/release/uptake does not exist; run `make build` first"
    );
    Command::new(binary)
        .args(arguments)
        .env_clear()
        .envs(deployment.moto.environment())
        .env("UPTAKE_STORE", STORE)
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream));
    streams.concat()
}

/// Every version of every object below a prefix of the store: key and whether it is the present one.
fn versions(deployment: &Deployment, prefix: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut arguments = json!({"Bucket": BUCKET, "Prefix": format!("prod/{prefix}")});
    loop {
        let page = deployment.moto.call_one("s3", "list_object_versions", &arguments);
        for version in page["Versions"].as_array().into_iter().flatten() {
            found.push((version["Key"].as_str().unwrap().to_owned(), version["IsLatest"] == true));
        }
        for marker in page["DeleteMarkers"].as_array().into_iter().flatten() {
            found.push((marker["Key"].as_str().unwrap().to_owned(), false));
        }
        if page["IsTruncated"] != true {
            return found;
        }
        arguments["KeyMarker"] = page["NextKeyMarker"].clone();
        arguments["VersionIdMarker"] = page["NextVersionIdMarker"].clone();
    }
}

/// The kept answers that name somebody.
async fn answers_that_name(deployment: &Deployment, upn: &str) -> Vec<String> {
    let mut found = Vec::new();
    let config = sdk_config(&deployment.moto);
    let config = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    for (key, _) in versions(deployment, "bronze/m365_")
        .into_iter()
        .filter(|(_, is_present)| *is_present)
    {
        let object = client.get_object().bucket(BUCKET).key(&key).send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().into_bytes();
        let text = zstd::decode_all(&bytes[..]).unwrap();
        if String::from_utf8_lossy(&text).to_lowercase().contains(upn) {
            found.push(key);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_erases_somebody_from_a_bucket_and_from_all_that_it_keeps() {
    let deployment = deployment_on(Moto::start_single_threaded().await, 60, "").await;
    let versioning = json!({"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}});
    deployment.moto.call_one("s3", "put_bucket_versioning", &versioning);
    let function = usage(&deployment, &[]);
    let today = day_of(deployment.now);
    for day in [today.saturating_sub(1.day()), today] {
        deployment.simulator.set_today(day);
        let answer = function.invoke(json!({"scheduled_time": evening(day)})).await.unwrap();
        assert_eq!(answer["status"], "complete", "{answer}");
    }
    let refresh_on = deployment.simulator.served_report(today).unwrap();
    let told = deployment.simulator.usage(refresh_on);
    let person = told.iter().find(|row| row.last_activity_on.is_some()).unwrap();
    let upn = person.upn.as_str();
    assert!(!answers_that_name(&deployment, upn).await.is_empty());

    let refused = operate(&deployment, &["erase", upn]);
    assert_eq!(refused.status.code(), Some(1), "{}", printed(&refused));
    assert!(printed(&refused).contains("is not excluded"), "{}", printed(&refused));

    let list = json!({"Bucket": BUCKET, "Key": "prod/config/exclusions.json", "Body": json!([upn]).to_string()});
    deployment.moto.call_one("s3", "put_object", &list);
    let checked = operate(&deployment, &["exclusions", "check"]);
    assert!(
        printed(&checked).contains("1 names are on the list; the directory knows 1 people"),
        "{}",
        printed(&checked)
    );

    let erased = operate(&deployment, &["erase", upn, "--json"]);
    assert!(erased.status.success(), "{}", printed(&erased));
    let told: Value = serde_json::from_slice(&erased.stdout).unwrap();
    assert_eq!(told["accounts"], 1, "{told}");
    assert!(told["files"].as_u64() > Some(1), "{told}");

    let reader = IndependentReader::of_moto(&deployment.moto);
    for gone in [&SILVER_COPILOT_USAGE, &GOLD_COPILOT_USAGE] {
        let rows = reader.rows(&table(gone.name), &["upn"]);
        assert!(
            rows.len() > 20 && rows.iter().all(|row| row["upn"] != upn),
            "{}",
            gone.name
        );
        let left = versions(&deployment, &format!("lake/{}/", gone.name));
        assert!(left.iter().all(|(_, is_present)| *is_present), "{left:?}");
    }
    let users = reader.rows(&table(SILVER_USERS.name), &["upn"]);
    assert!(users.iter().any(|row| row["upn"] == upn), "the account stays");
    assert_eq!(answers_that_name(&deployment, upn).await, Vec::<String>::new());
    let left = versions(&deployment, "bronze/m365_");
    assert!(left.iter().all(|(_, is_present)| *is_present), "{left:?}");
    let listed: Vec<_> = versions(&deployment, "config/");
    assert!(!listed.is_empty(), "what has nothing to do with it keeps its versions");
}
