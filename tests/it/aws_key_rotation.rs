//! Changes of keys on AWS: a bucket that keeps versions keeps nothing of the old key, and the function as it is deployed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use uptake_aws::s3::Bucket;
use uptake_cli::folder::Folder;
use uptake_domain::tables::{GOLD_AGENT_TOTALS, GOLD_ENGAGEMENT_DAILY};
use uptake_lake::Lake;
use uptake_pipeline::identity_keys::{self, EngagementStore, Status};
use uptake_pipeline::ports::{Clock, PortError, Ports, SystemClock, Unwatched, Versions};

use crate::aws_face::{BUCKET, Deployment};
use crate::aws_licenses::{assume_role, policy};
use crate::independent_reader::IndependentReader;
use crate::key_rotation::{PEOPLE, TENANT, WITH_SUBJECTS, both, key, picture, seed, upn};
use crate::moto::Moto;
use crate::moto_logs::sdk_config;
use crate::tenant::{identity_key, invocation};

/// What stands in no readme.
const FOR_MOTO: &str = "moto";

fn lake(moto: &Moto, bucket: &str, prefix: &str) -> Lake {
    let options = moto
        .environment()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Lake::in_bucket(bucket, prefix, options.into()).unwrap()
}

/// Every version and every delete marker under a prefix: key, whether it counts, whether it is a marker.
fn versions(moto: &Moto, bucket: &str, prefix: &str) -> Vec<(String, bool, bool)> {
    let mut found = Vec::new();
    let mut arguments = json!({"Bucket": bucket, "Prefix": prefix});
    loop {
        let page = moto.call_one("s3", "list_object_versions", &arguments);
        for (list, is_marker) in [("Versions", false), ("DeleteMarkers", true)] {
            for version in page[list].as_array().into_iter().flatten() {
                let key = version["Key"].as_str().unwrap().to_owned();
                found.push((key, version["IsLatest"] == true, is_marker));
            }
        }
        if page["IsTruncated"] != true {
            return found;
        }
        arguments["KeyMarker"] = page["NextKeyMarker"].clone();
        arguments["VersionIdMarker"] = page["NextVersionIdMarker"].clone();
    }
}

fn create_versioned(moto: &Moto, bucket: &str) {
    moto.call(&json!([
        ["s3", "create_bucket", {"Bucket": bucket}],
        ["s3", "put_bucket_versioning", {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}],
    ]));
}

/// A store that is gone after so many calls.
struct Mortal {
    bucket: Bucket,
    calls_left: AtomicU64,
}

#[async_trait]
impl Versions for Mortal {
    async fn forget(&self, prefix: &str) -> Result<u64, PortError> {
        let forgotten = self.bucket.forget(prefix).await?;
        let left = self.calls_left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(PortError::Unavailable {
                what: "the process".to_owned(),
                reason: "it was killed".to_owned(),
            });
        }
        self.calls_left.store(left - 1, Ordering::Relaxed);
        Ok(forgotten)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_keeps_versions_keeps_nothing_of_the_old_key_and_all_of_everything_else() {
    const ENGAGEMENT: &str = "octo-engagement";
    let moto = Moto::start_single_threaded().await;
    create_versioned(&moto, ENGAGEMENT);
    let lake = lake(&moto, ENGAGEMENT, "prod");
    seed(&lake, &key("first")).await;
    let before = picture(&lake, &[key("first")]).await;
    // What has nothing to do with it, however similar its name.
    let bystanders = [
        "prod/gold_engagement_daily_copy/x",
        "prod/gold_engagement_daily",
        "gold_engagement_daily/x",
        "prod/other/gold_engagement_daily/x",
    ];
    for bystander in bystanders {
        let put = |body: &str| json!(["s3", "put_object", {"Bucket": ENGAGEMENT, "Key": bystander, "Body": body}]);
        let delete = json!(["s3", "delete_object", {"Bucket": ENGAGEMENT, "Key": bystander}]);
        moto.call(&json!([put("1"), put("2"), delete]));
    }
    let agents = format!("prod/{}/", GOLD_AGENT_TOTALS.name);
    let agents_before = versions(&moto, ENGAGEMENT, &agents);

    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path().to_owned());
    let ports = Ports {
        files: &folder,
        metrics: &folder,
        clock: &SystemClock,
        progress: &Unwatched,
    };
    let client = aws_sdk_s3::config::Builder::from(&sdk_config(&moto)).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(client.build());
    let mortal = Mortal {
        bucket: Bucket::new(client, ENGAGEMENT.to_owned(), "prod"),
        calls_left: AtomicU64::new(1),
    };
    let store = EngagementStore {
        lake: &lake,
        versions: &mortal,
    };
    identity_keys::prepare(&lake, &both(), false, ports, &invocation())
        .await
        .unwrap();
    let daily = format!("prod/{}/", GOLD_ENGAGEMENT_DAILY.name);
    let kept = |all: &[(String, bool, bool)]| {
        all.iter()
            .filter(|(_, counts, is_marker)| !counts || *is_marker)
            .count()
    };
    // Killed while it forgets, it is paused still; the next call goes on.
    let error = identity_keys::confirm(store, &both(), ports, &invocation())
        .await
        .unwrap_err();
    assert_eq!(error.error_type(), "Retryable", "{error}");
    assert_eq!(
        identity_keys::status(&lake, ports).await.unwrap().status,
        Status::Prepared
    );
    mortal.calls_left.store(100, Ordering::Relaxed);
    let confirmed = identity_keys::confirm(store, &both(), ports, &invocation())
        .await
        .unwrap();
    assert_eq!(confirmed.status, Status::Confirmed);
    assert_eq!(kept(&versions(&moto, ENGAGEMENT, &daily)), 0);
    for table in WITH_SUBJECTS {
        let all = versions(&moto, ENGAGEMENT, &format!("prod/{}/", table.name));
        assert!(!all.is_empty());
        assert_eq!(kept(&all), 0, "{all:?}");
    }
    assert_eq!(versions(&moto, ENGAGEMENT, &agents), agents_before);
    for bystander in bystanders {
        let all = versions(&moto, ENGAGEMENT, bystander);
        let own = all.iter().filter(|(key, ..)| key == bystander).count();
        assert_eq!(own, 3, "{bystander}: {all:?}");
    }
    assert!(picture(&lake, &[key("second")]).await == before);
}

/// As it is deployed: keys wrapped by KMS, permissions of the readme, a log that names nobody and holds no key.
#[tokio::test]
async fn the_function_changes_the_key_with_the_permissions_of_its_readme_and_tells_nobody() {
    let deployment = Deployment::on(
        Moto::start_single_threaded().await,
        uptake_simulator::Settings::new(10, 11, uptake_domain::calendar::day_of(SystemClock.now())),
        SystemClock.now(),
    )
    .await;
    let moto = &deployment.moto;
    create_versioned_in_place(moto);
    let lake = lake(moto, BUCKET, "prod/engagement");
    seed(&lake, &key("first")).await;
    let before = picture(&lake, &[key("first")]).await;
    let wrapping = moto.call_one("kms", "create_key", &json!({}))["KeyMetadata"]["KeyId"].take();
    let wrapped = |id: &str, context: &str| wrapped(moto, &wrapping, id, context);
    let put = |name: &str, value: &str| {
        let arguments = json!({"Name": name, "Value": value, "Type": "SecureString", "Overwrite": true});
        moto.call_one("ssm", "put_parameter", &arguments);
    };
    put("/uptake/tenant-id", TENANT);
    put("/uptake/identity-key", &wrapped("first", "identity-key"));
    put("/uptake/next-identity-key", &wrapped("second", "another-purpose"));
    let settings = [
        ("UPTAKE_TENANT_ID_PARAMETER", "/uptake/tenant-id"),
        ("UPTAKE_IDENTITY_KEY_PARAMETER", "/uptake/identity-key"),
        ("UPTAKE_NEXT_IDENTITY_KEY_PARAMETER", "/uptake/next-identity-key"),
    ];
    let start = |name: &str, left_out: Option<&str>| {
        let mut policy = policy("identity-keys", left_out);
        if left_out != Some(FOR_MOTO) {
            // moto asks whoever deletes several objects at once for the right to do so in the bucket, and not for the right
            // to each of them, which is what AWS asks for.
            let statement = json!({
                "Effect": "Allow", "Action": "s3:DeleteObject", "Resource": format!("arn:aws:s3:::{BUCKET}"),
            });
            policy["Statement"].as_array_mut().unwrap().push(statement);
        }
        let role = assume_role(&deployment, name, &policy);
        let role: Vec<(&str, &str)> = role.iter().map(|(name, value)| (*name, value.as_str())).collect();
        deployment.function("identity-keys", &[&settings, role.as_slice()].concat())
    };
    let function = start("identity-keys", None);
    let ask = async |payload: Value| {
        moto.ask_for_permission(true).await;
        let answer = function.invoke(payload).await;
        moto.ask_for_permission(false).await;
        answer
    };

    let error = ask(json!({"action": "prepare", "dry_run": true})).await.unwrap_err();
    assert_eq!(error["errorType"], "Configuration", "{error}");
    assert!(
        error["errorMessage"]
            .as_str()
            .unwrap()
            .contains(r#"{"action": "confirm"}"#),
        "{error}"
    );
    let error = ask(json!({"action": "prepare"})).await.unwrap_err();
    assert_eq!(error["errorType"], "Configuration", "{error}");
    assert!(
        error["errorMessage"].as_str().unwrap().contains("aws kms encrypt"),
        "{error}"
    );
    put("/uptake/next-identity-key", &wrapped("second", "identity-key"));

    let prepared = ask(json!({"action": "prepare"})).await.unwrap();
    assert_eq!(prepared["status"], "prepared", "{prepared}");
    // Each row of the readme is needed, as far as moto asks.
    for left_out in [
        "`s3:AbortMultipartUpload`",
        "`s3:ListBucketVersions`",
        "`s3:ListBucket`",
        "state/identity.json",
        FOR_MOTO,
    ] {
        let name = left_out.replace(|sign: char| !sign.is_alphanumeric(), "-");
        let poor = start(&name, Some(left_out));
        moto.ask_for_permission(true).await;
        let answer = poor.invoke(json!({"action": "confirm"})).await;
        moto.ask_for_permission(false).await;
        let error = answer.unwrap_err();
        assert_eq!(error["errorType"], "Permission", "without {left_out}: {error}");
        assert!(error["errorMessage"].as_str().unwrap().contains("grant"), "{error}");
    }
    let status = ask(json!({"action": "status"})).await.unwrap();
    assert_eq!(
        (&status["status"], &status["key_id"]),
        (&json!("prepared"), &json!("first")),
        "{status}"
    );
    put("/uptake/identity-key", &wrapped("second", "identity-key"));
    let confirmed = ask(json!({"action": "confirm"})).await.unwrap();
    assert_eq!(
        (&confirmed["status"], &confirmed["key_id"]),
        (&json!("confirmed"), &json!("second")),
        "{confirmed}"
    );
    let error = ask(json!({"action": "prepare"})).await.unwrap_err();
    assert_eq!(error["errorType"], "Configuration", "{error}");

    assert!(picture(&lake, &[key("second")]).await == before);
    assert_told(moto);
    let written = function.written();
    assert!(written.contains("answered"), "{written}");
    for wanted in secrets() {
        assert!(!written.contains(&wanted), "{wanted} stands in {written}");
    }
}

/// A key, wrapped for a purpose, as the readme says.
fn wrapped(moto: &Moto, wrapping: &Value, id: &str, context: &str) -> String {
    let sealed = moto.call_one(
        "kms",
        "encrypt",
        &json!({"KeyId": wrapping, "Plaintext": identity_key(id), "EncryptionContext": {"uptake": context}}),
    );
    format!("kms:{}\n", sealed["CiphertextBlob"].as_str().unwrap())
}

/// Asserts that others find the new key in the tables, and the pause among the metrics.
fn assert_told(moto: &Moto) {
    let reader = IndependentReader::of_moto(moto);
    for table in WITH_SUBJECTS {
        let place = format!("s3://{BUCKET}/prod/engagement/{}", table.name);
        let rows = reader.rows(&place, &["key_id"]);
        let ids: BTreeSet<&str> = rows.iter().map(|row| row["key_id"].as_str().unwrap()).collect();
        assert_eq!(ids, BTreeSet::from(["second"]), "{}", table.name);
    }
    let published = moto.call_one(
        "cloudwatch",
        "list_metrics",
        &json!({"Namespace": "Uptake/Pipeline", "MetricName": "RotationPaused"}),
    );
    assert_eq!(
        published["Metrics"][0]["Dimensions"][0]["Value"], "identity-keys",
        "{published}"
    );
}

/// The store's bucket, which keeps versions from now on.
fn create_versioned_in_place(moto: &Moto) {
    let arguments = json!({"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}});
    moto.call_one("s3", "put_bucket_versioning", &arguments);
}

/// What nobody may read: names, subjects, keys.
fn secrets() -> Vec<String> {
    let keys = ["first", "second"];
    let people = (0..PEOPLE).flat_map(|number| keys.map(|id| key(id).subject(TENANT, &upn(number))));
    let of_keys = keys.map(|id| identity_key(id).split_once(':').unwrap().1.to_owned());
    people.chain(of_keys).chain(["@contoso.example".to_owned()]).collect()
}
