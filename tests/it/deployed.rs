//! The deployment as Terraform makes it: applied to moto, planned again, run by its own schedules with its own environments,
//! held against its own policies, destroyed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uptake_domain::calendar::day_of;
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, ENTERPRISE, Scenario, Settings, Simulator, TENANT, TOKEN};

use crate::actions::REPOSITORIES;
use crate::function_url::FunctionUrl;
use crate::implied::Deployment;
use crate::moto::Moto;
use crate::policies::{Statement, is_like, statements};
use crate::recorder::{Call, Recorder};
use crate::runtime_api::{Function, RuntimeApi};
use crate::tenant::identity_key;
use crate::terraform::{Terraform, terraform};
use crate::watching::grafana;

const SENDER: &str = "uptake@octo.example";
const RECIPIENTS: [&str; 2] = ["finance@octo.example", "tools@contoso.example"];
const AUTH_ID: &str = "an-auth-id-of-thirty-two-letters";
/// Every function, in the order in which its inputs are there.
const IN_ORDER: [&str; 8] = [
    "workflow-metrics",
    "copilot-seats",
    "audit-events",
    "m365-usage",
    "scoring",
    "engagement",
    "mailer",
    "grafana-health",
];

/// What moto forgets between an apply and the next plan.
#[derive(Debug, Deserialize)]
struct Gap {
    address: String,
    attribute: String,
    reason: String,
}

/// Actions that no test has occasion for.
#[derive(Clone, Debug, Deserialize)]
struct Rare {
    sid: String,
    actions: BTreeSet<String>,
    reason: String,
}

fn list<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../terraform/tests")
        .join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What a person decides about a deployment; upstreams are the simulator.
fn variables(microsoft_and_github: &str) -> Value {
    let functions: Vec<&str> = IN_ORDER
        .into_iter()
        .chain(["identity-keys", "engagement-api", "activity-webhook"])
        .collect();
    json!({
        "environment": "dev",
        "region": "us-east-1",
        "functions": functions,
        "packages": "tests/packages",
        "sender": SENDER,
        "recipient_domains": ["octo.example", "contoso.example"],
        "alarm_emails": ["operators@octo.example"],
        "grafana": {"mode": "existing", "url": "https://grafana.octo.example"},
        "settings": {
            "UPTAKE_GITHUB_API_URL": microsoft_and_github,
            "UPTAKE_GITHUB_ENTERPRISE": ENTERPRISE,
            "UPTAKE_LOGIN_URL": microsoft_and_github,
            "UPTAKE_GRAPH_URL": microsoft_and_github,
            "UPTAKE_MANAGEMENT_URL": microsoft_and_github,
            "UPTAKE_SMALLEST_GROUP": "2",
        },
    })
}

/// The second plan changes nothing but what moto forgets, and each line of that list is needed.
fn assert_settled(changes: &[Value], gaps: &[Gap]) {
    let mut needed = BTreeSet::new();
    for change in changes {
        let address = change["address"].as_str().unwrap();
        assert_eq!(change["change"]["actions"], json!(["update"]), "{address}");
        let (before, after) = (&change["change"]["before"], &change["change"]["after"]);
        for (attribute, value) in after.as_object().unwrap() {
            if before[attribute] == *value || change["change"]["after_unknown"][attribute] == true {
                continue;
            }
            let gap = gaps
                .iter()
                .position(|gap| is_like(&gap.address.replace("[*]", "*"), address) && gap.attribute == *attribute);
            let gap = gap.unwrap_or_else(|| panic!("{address}.{attribute} is planned anew: {before} {after}"));
            needed.insert(gap);
        }
    }
    for (place, gap) in gaps.iter().enumerate() {
        let is_of_root = !gap.reason.starts_with("of bootstrap/");
        assert!(
            needed.contains(&place) || !is_of_root,
            "moto has {} of {} by now",
            gap.attribute,
            gap.address
        );
    }
}

/// The deployment, running.
struct Deployed<'a> {
    resources: Vec<Value>,
    platform: RuntimeApi,
    recorder: &'a Recorder,
    grafana: String,
    now: Timestamp,
}

impl Deployed<'_> {
    fn of_type(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let resources = self.resources.iter().filter(move |resource| resource["type"] == kind);
        resources.map(|resource| &resource["values"])
    }

    /// A function as it was applied; only Grafana's address is another, because the applied one is nobody's.
    fn function(&self, name: &str) -> Function {
        let deployed = format!("uptake-dev-{name}");
        let applied = self
            .of_type("aws_lambda_function")
            .find(|function| function["function_name"] == deployed.as_str());
        let applied = applied.unwrap_or_else(|| panic!("{deployed} is not deployed"));
        let variables = applied["environment"][0]["variables"].as_object().unwrap();
        let mut environment: BTreeMap<&str, String> = variables
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str().unwrap().to_owned()))
            .collect();
        if let Some(url) = environment.get_mut("UPTAKE_GRAFANA_URL") {
            url.clone_from(&self.grafana);
        }
        environment.extend([
            ("AWS_ENDPOINT_URL", self.recorder.url.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            // The recorder tells calls apart by who signed them.
            ("AWS_ACCESS_KEY_ID", name.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "dummy".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", deployed),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", applied["memory_size"].to_string()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ]);
        let environment: Vec<(&str, &str)> = environment.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.platform.function(name, &environment)
    }

    /// What the scheduler would send a function now.
    fn payload(&self, name: &str) -> Value {
        let schedule = self
            .of_type("aws_scheduler_schedule")
            .find(|schedule| schedule["name"] == name);
        let input = schedule.unwrap()["target"][0]["input"].as_str().unwrap();
        let input = input.replace(
            "<aws.scheduler.scheduled-time>",
            &self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
        serde_json::from_str(&input).unwrap()
    }

    /// Invokes a function as its schedule would.
    async fn offer(&self, name: &str) -> Value {
        let function = self.function(name);
        let answer = function.invoke(self.payload(name)).await;
        answer.unwrap_or_else(|error| panic!("{name}: {error}\n{}", function.written()))
    }

    /// The statements of every function's role.
    fn policies(&self) -> BTreeMap<String, Vec<Statement>> {
        let policies = self.of_type("aws_iam_role_policy").filter_map(|policy| {
            let role = policy["role"].as_str().unwrap().strip_prefix("uptake-dev-")?;
            let is_of_function = role != "scheduler";
            is_of_function.then(|| (role.to_owned(), statements(policy["policy"].as_str().unwrap())))
        });
        policies.collect()
    }
}

/// What is wrong with the policies, seen from the calls that were made: a call that is not allowed, an action that nobody
/// used although there was occasion, a wildcard among actions.
fn faults(policies: &BTreeMap<String, Vec<Statement>>, calls: &BTreeSet<Call>, rare: &[Rare]) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for call in calls {
        let is_allowed = policies
            .get(&call.who)
            .is_some_and(|statements| statements.iter().any(|statement| statement.allows(call)));
        if !is_allowed {
            faults.insert(format!(
                "{} may not {} on {} ({:?})",
                call.who, call.action, call.resource, call.context
            ));
        }
    }
    for (function, statements) in policies {
        for statement in statements {
            for action in &statement.actions {
                if action.contains('*') {
                    faults.insert(format!("{function}: {} grants {action}", statement.sid));
                }
                let is_used = calls
                    .iter()
                    .any(|call| call.who == *function && call.action == *action && statement.allows(call));
                let is_rare = rare
                    .iter()
                    .any(|rare| rare.sid == statement.sid && rare.actions.contains(action));
                if !is_used && !is_rare {
                    faults.insert(format!("{function}: nothing needs {action} of {}", statement.sid));
                }
            }
        }
    }
    faults.into_iter().collect()
}

/// moto speaks plain HTTP and heeds the policies of buckets: it lets nobody in. That is what they are for; what follows
/// needs them out of the way.
async fn open(moto: &Moto, outputs: &Value) {
    let [(_, url), ..] = moto.environment();
    let mut calls = Vec::new();
    for bucket in ["store", "engagement"] {
        let bucket = outputs["buckets"][bucket].as_str().unwrap();
        let in_the_clear = reqwest::Client::new()
            .put(format!("{url}/{bucket}/x"))
            .body("x")
            .send()
            .await
            .unwrap();
        assert_eq!(in_the_clear.status(), 403, "{bucket}");
        calls.push(json!(["s3", "delete_bucket_policy", {"Bucket": bucket}]));
    }
    moto.call(&calls.into());
}

/// Puts into moto what a person puts into an account after the first apply.
fn fill(moto: &Moto, outputs: &Value) {
    let wrapped = |key: &str| {
        let encrypted = moto.call_one(
            "kms",
            "encrypt",
            &json!({
                "KeyId": "alias/uptake-dev-identity", "Plaintext": identity_key(key),
                "EncryptionContext": {"uptake": "identity-key"},
            }),
        );
        format!("kms:{}", encrypted["CiphertextBlob"].as_str().unwrap())
    };
    let values = BTreeMap::from([
        ("github-token", TOKEN.to_owned()),
        ("tenant-id", TENANT.to_owned()),
        ("client-id", CLIENT_ID.to_owned()),
        ("client-secret", CLIENT_SECRET.to_owned()),
        ("identity-key", wrapped("first")),
        ("next-identity-key", wrapped("second")),
        ("webhook-auth-id", AUTH_ID.to_owned()),
    ]);
    let parameters = outputs["put_parameters"].as_object().unwrap();
    let mut calls: Vec<Value> = parameters
        .keys()
        .map(|name| {
            let value = &values[name.rsplit('/').next().unwrap()];
            json!(["ssm", "put_parameter", {"Name": name, "Value": value, "Type": "SecureString"}])
        })
        .collect();
    let bucket = &outputs["buckets"]["store"];
    for (key, body) in [
        ("config/emails.json", json!({"emails": RECIPIENTS}).to_string()),
        ("config/repositories.yml", REPOSITORIES.to_owned()),
        ("config/exclusions.json", "[]".to_owned()),
    ] {
        calls.push(json!(["s3", "put_object", {"Bucket": bucket, "Key": key, "Body": body}]));
    }
    moto.call(&calls.into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployment_as_it_stands_does_its_job_and_may_do_nothing_else() {
    let Some(mirror) = terraform() else { return };
    let (moto, mails) = tokio::join!(Moto::start(), Moto::start());
    mails.call(&json!([
        ["ses", "verify_email_identity", {"EmailAddress": SENDER}],
        ["sqs", "create_queue", {"QueueName": "uptake-dev-activity"}],
    ]));
    let now = SystemClock.now();
    let scenario = "secondary_limit = 1_000_000\nprimary_limit = 1_000_000\nreports_limit = 1_000_000\nidentity_limit = 1_000_000\n\
                    report_lag_days = [1, 1]\nmissing_report_percent = 0\nlate_activity_percent = 0\nodd_rows = false";
    let mut settings = Settings::new(60, 11, day_of(now)).with_scenario(Scenario::parse(scenario).unwrap());
    settings.tenant_users = 40;
    settings.runs_per_day = 40;
    let simulator = Simulator::start(settings).await.unwrap();
    simulator.set_now(now);

    let begun = SystemClock.now();
    let seconds = || SystemClock.now().duration_since(begun).as_secs();
    let root = Terraform::on(&moto, &mirror, &variables(&simulator.url()));
    root.apply();
    println!("applied after {} s", seconds());
    assert_settled(&root.planned(), &list::<Gap>("moto-gaps.json"));
    println!("planned again after {} s", seconds());
    let outputs = root.outputs();
    open(&moto, &outputs).await;
    fill(&moto, &outputs);

    let moto_url = moto.environment()[0].1.to_owned();
    let recorder = Recorder::start(&moto_url, mails.environment()[0].1).await;
    let deployed = Deployed {
        resources: root.resources(),
        platform: RuntimeApi::start().await,
        recorder: &recorder,
        grafana: grafana(axum::http::StatusCode::OK, json!({"database": "ok"})).await,
        now,
    };
    for name in IN_ORDER {
        let answer = deployed.offer(name).await;
        assert_eq!(answer["status"], "complete", "{name}: {answer}");
        let again = deployed.offer(name).await;
        assert!(
            ["nothing_to_do", "complete"].contains(&again["status"].as_str().unwrap()),
            "{name}: {again}"
        );
    }
    let mails_sent = mails.mails().await.len();
    assert!(mails_sent >= RECIPIENTS.len(), "{mails_sent} mails");
    rotate(&deployed, &moto, &outputs).await;
    ask(&deployed).await;
    notify(&deployed).await;

    let deployment = Deployment {
        resources: &deployed.resources,
        outputs: &outputs,
        prefix: "uptake-dev-",
        region: "us-east-1",
    };
    let made = [recorder.calls(), deployment.of_lambda()].concat();
    let behind = deployment.behind(&made);
    let (policies, calls, rare) = (
        deployed.policies(),
        made.into_iter().chain(behind).collect::<BTreeSet<_>>(),
        list::<Rare>("rare-actions.json"),
    );
    println!(
        "{} different calls of {} functions after {} s",
        calls.len(),
        policies.len(),
        seconds()
    );
    assert_eq!(faults(&policies, &calls, &rare), Vec::<String>::new());
    assert_faults_are_found(&policies, &calls, &rare);
    // Nobody's data goes by a word to Terraform: its buckets have to be empty first.
    for bucket in ["store", "engagement"] {
        empty(&moto, &outputs["buckets"][bucket]);
    }
    root.destroy();
    println!("destroyed after {} s", seconds());
    assert!(root.resources().is_empty());
}

/// Deletes every version of every object.
fn empty(moto: &Moto, bucket: &Value) {
    loop {
        let page = moto.call_one("s3", "list_object_versions", &json!({"Bucket": bucket}));
        let lists = ["Versions", "DeleteMarkers"].map(|list| page[list].as_array().cloned().unwrap_or_default());
        let objects: Vec<Value> = lists
            .concat()
            .iter()
            .map(|version| json!({"Key": version["Key"], "VersionId": version["VersionId"]}))
            .collect();
        if objects.is_empty() {
            return;
        }
        moto.call_one(
            "s3",
            "delete_objects",
            &json!({"Bucket": bucket, "Delete": {"Objects": objects}}),
        );
    }
}

/// An operator puts another key in the place of the one in use.
async fn rotate(deployed: &Deployed<'_>, moto: &Moto, outputs: &Value) {
    let status = deployed.offer("identity-keys").await;
    assert_eq!(
        (&status["status"], &status["key_id"]),
        (&json!("in_use"), &json!("first")),
        "{status}"
    );
    let keys = deployed.function("identity-keys");
    let prepared = keys.invoke(json!({"action": "prepare"})).await.unwrap();
    assert_eq!(prepared["status"], "prepared", "{prepared}");
    let names = outputs["put_parameters"].as_object().unwrap().keys();
    let [next, present]: [&String; 2] =
        ["/next-identity-key", "/identity-key"].map(|end| names.clone().find(|name| name.ends_with(end)).unwrap());
    let parameter = moto.call_one("ssm", "get_parameter", &json!({"Name": next, "WithDecryption": true}));
    moto.call_one(
        "ssm",
        "put_parameter",
        &json!({"Name": present, "Value": parameter["Parameter"]["Value"], "Type": "SecureString", "Overwrite": true}),
    );
    let confirmed = deployed
        .function("identity-keys")
        .invoke(json!({"action": "confirm"}))
        .await
        .unwrap();
    assert_eq!(
        (&confirmed["status"], &confirmed["key_id"]),
        (&json!("confirmed"), &json!("second")),
        "{confirmed}"
    );
}

/// A programme asks who leads.
async fn ask(deployed: &Deployed<'_>) {
    let api = FunctionUrl::of(vec![deployed.function("engagement-api")]).await;
    let answer = reqwest::get(format!("{}leaderboard?top=3", api.url)).await.unwrap();
    assert_eq!(answer.status(), 200, "{}", api.written());
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["subjects"].as_array().map(Vec::len), Some(3), "{answer}");
}

/// Microsoft tells of new content.
async fn notify(deployed: &Deployed<'_>) {
    let webhook = FunctionUrl::of(vec![deployed.function("activity-webhook")]).await;
    let created = deployed.now.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let expires = (deployed.now + jiff::SignedDuration::from_hours(24 * 7))
        .strftime("%Y-%m-%dT%H:%M:%S.000Z")
        .to_string();
    let notification = json!([{
        "tenantId": TENANT, "clientId": CLIENT_ID, "contentType": "Audit.General", "contentId": "20261122$1$audit_general",
        "contentUri": "https://manage.office.com/x", "contentCreated": created, "contentExpiration": expires,
    }]);
    let request = reqwest::Client::new()
        .post(&webhook.url)
        .header("Webhook-AuthID", AUTH_ID)
        .json(&notification);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", webhook.written());
}

/// A statement that is gone, an action that is gone and a wildcard are each found out.
fn assert_faults_are_found(policies: &BTreeMap<String, Vec<Statement>>, calls: &BTreeSet<Call>, rare: &[Rare]) {
    let mut mutations = 0;
    for (function, statements) in policies {
        for (place, statement) in statements.iter().enumerate() {
            let is_rare = rare.iter().any(|rare| {
                rare.sid == statement.sid && statement.actions.iter().all(|action| rare.actions.contains(action))
            });
            let mutate = |change: &dyn Fn(&mut Vec<Statement>)| {
                let mut mutated = policies.clone();
                change(mutated.get_mut(function).unwrap());
                faults(&mutated, calls, rare)
            };
            let without = mutate(&|statements| drop(statements.remove(place)));
            assert!(
                !without.is_empty() || is_rare,
                "{function} works without {}",
                statement.sid
            );
            let wider = mutate(&|statements| {
                let (service, _) = statements[place].actions[0].split_once(':').unwrap();
                statements[place].actions = vec![format!("{service}:*")];
            });
            assert!(
                !wider.is_empty(),
                "{function}: a wildcard in {} is not noticed",
                statement.sid
            );
            mutations += 2;
        }
    }
    assert!(mutations > 60, "{mutations}");
}

/// The bucket refuses what is encrypted by another key, or by S3's own, which is what `encrypt` alone would ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_is_kept_under_the_key_that_its_bucket_demands() {
    let Some(mirror) = terraform() else { return };
    let moto = Moto::start().await;
    let (url, region) = (moto.environment()[0].1.to_owned(), moto.environment()[1].1.to_owned());
    let recorder = Recorder::start(&url, &url).await;
    let bootstrap = Terraform::uninitialised(
        &moto,
        &mirror,
        "terraform/bootstrap",
        &json!({"region": region, "repository": "octo-org/uptake", "environment": "dev"}),
    );
    bootstrap.succeeds(["init", "-input=false", "-no-color"]);
    bootstrap.apply();
    let backend = bootstrap.succeeds(["output", "-raw", "backend"]);
    let of_state = |kind: &str| {
        let resources = bootstrap.resources().into_iter();
        let of_kind = resources.filter(|resource| resource["type"] == kind && resource["name"] == "state");
        of_kind.map(|resource| resource["values"].clone()).next().unwrap()
    };
    let key = of_state("aws_kms_key")["arn"].as_str().unwrap().to_owned();
    // moto speaks plain HTTP, which the bucket refuses before it looks at any key.
    let bucket = backend.split('"').nth(1).unwrap();
    moto.call_one("s3", "delete_bucket_policy", &json!({"Bucket": bucket}));

    let root = Terraform::uninitialised(
        &moto,
        &mirror,
        "terraform",
        &json!({"region": region, "environment": "dev", "functions": ["copilot-seats"]}),
    )
    .through(&recorder.url);
    root.keep_only(&["_terraform.tf", "variables.tf", "zz_override.tf"]);
    root.write("outputs.tf", "output \"account\" {\n  value = local.account\n}\n");
    root.write("dev.s3.tfbackend", &backend);
    root.succeeds([
        "init",
        "-input=false",
        "-no-color",
        "-backend-config=dev.s3.tfbackend",
        "-backend-config=use_path_style=true",
    ]);
    root.apply();
    let calls = recorder.calls();
    let puts: Vec<&Call> = calls.iter().filter(|call| call.action == "s3:PutObject").collect();
    for written in ["dev.tfstate", "dev.tfstate.tflock"] {
        assert!(
            puts.iter().any(|put| put.resource.ends_with(&format!("/{written}"))),
            "{written}: {puts:?}"
        );
    }
    for put in puts {
        let named = |header: &str| put.context.get(&format!("s3:x-amz-server-side-encryption{header}"));
        assert_eq!(named(""), Some(&vec!["aws:kms".to_owned()]), "{put:?}");
        assert_eq!(named("-aws-kms-key-id"), Some(&vec![key.clone()]), "{put:?}");
    }
}

#[test]
fn plans_are_what_they_promise_and_refuse_what_is_wrong() {
    let Some(mirror) = terraform() else { return };
    for root in ["terraform", "terraform/bootstrap"] {
        let root = Terraform::bare(&mirror, root);
        root.succeeds(["fmt", "-check", "-recursive"]);
        root.succeeds(["init", "-backend=false", "-input=false", "-no-color"]);
        root.succeeds(["validate", "-no-color"]);
    }
    let root = Terraform::bare(&mirror, "terraform");
    root.succeeds(["init", "-backend=false", "-input=false", "-no-color"]);
    println!("{}", root.succeeds(["test", "-no-color"]));
}

#[test]
fn what_is_rare_has_a_reason() {
    for rare in list::<Rare>("rare-actions.json") {
        assert!(rare.reason.len() > 20 && !rare.actions.is_empty(), "{rare:?}");
    }
}
