//! GitHub Actions: what the routes serve of repositories, runs and jobs, against what the simulator says of itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::date};
use reqwest::{Client, Response};
use serde_json::Value;
use uptake_simulator::{APP_ID, RunAttemptTruth, Scenario, Settings, Simulator, SimulatorError, TOKEN};

use crate::{
    app,
    client::{TODAY, client, header, json, link, start, start_with, status},
};

const UNLIMITED: &str = "primary_limit = 1000000\nsecondary_limit = 1000000\n";
const BUSIEST: &str = "/repos/octo-org/pay-api";
const BUSY: &str = include_str!("../../scenarios/busy-repository.toml");
const FORBIDDEN: &str = include_str!("../../scenarios/forbidden-repository.toml");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The whole of a list, page by page, with its length as the first page says it.
async fn all(client: &Client, simulator: &Simulator, path: &str, key: &str) -> (usize, Vec<Value>) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut url = Some(format!("{}{path}{separator}per_page=100", simulator.url()));
    let (mut total, mut objects) = (None, Vec::new());
    while let Some(page) = url {
        let response = client.get(page).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        url = link(&response, "next");
        let mut body: Value = response.json().await.unwrap();
        total = total.or(body["total_count"].as_u64());
        let list = if key.is_empty() { &mut body } else { &mut body[key] };
        objects.append(list.as_array_mut().unwrap());
    }
    (usize::try_from(total.unwrap_or_default()).unwrap(), objects)
}

/// A document, with a client that is kept: making one takes long.
async fn one(client: &Client, simulator: &Simulator, path: &str) -> Value {
    let url = format!("{}{path}", simulator.url());
    let response = client.get(url).bearer_auth(TOKEN).send().await.unwrap();
    response.json().await.unwrap()
}

async fn read(simulator: &Simulator, path: &str) -> Response {
    crate::client::get(simulator, path).send().await.unwrap()
}

async fn count(simulator: &Simulator, created: &str) -> u64 {
    let path = format!("{BUSIEST}/actions/runs?per_page=1&created={created}");
    json(simulator, &path).await["total_count"].as_u64().unwrap()
}

fn names(repositories: &[Value]) -> Vec<&str> {
    repositories
        .iter()
        .map(|repository| repository["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn twelve_repositories_have_every_kind_of_them() {
    let simulator = start(50).await;
    let client = client();
    let (_, mut repositories) = all(&client, &simulator, "/orgs/octo-org/repos", "").await;
    assert_eq!(repositories.len(), 9);
    repositories.append(&mut all(&client, &simulator, "/orgs/octo-labs/repos", "").await.1);
    assert_eq!(repositories.len(), 12);
    let some = |field: &str, value: Value| repositories.iter().filter(|r| r[field] == value).count();
    assert_eq!((some("archived", true.into()), some("disabled", true.into())), (1, 1));
    assert_eq!(some("fork", true.into()), 1);
    for branch in ["main", "master", "trunk"] {
        assert!(some("default_branch", branch.into()) > 0, "{branch}");
    }
    for visibility in ["internal", "private", "public"] {
        assert!(some("visibility", visibility.into()) > 0, "{visibility}");
    }
    let truth = simulator.repositories();
    let served: BTreeSet<_> = repositories
        .iter()
        .map(|r| (r["full_name"].as_str().unwrap(), r["id"].as_u64().unwrap()))
        .collect();
    assert_eq!(served, truth.iter().map(|r| (r.full_name.as_str(), r.id)).collect());

    let runs = simulator.runs(at("2026-11-06T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let mut by_repository: BTreeMap<&str, usize> = truth.iter().map(|r| (r.full_name.as_str(), 0)).collect();
    for run in &runs {
        *by_repository.get_mut(run.repository.as_str()).unwrap() += 1;
    }
    let few = by_repository.values().filter(|runs| (1..=12).contains(*runs)).count();
    assert_eq!(few, 3, "{by_repository:?}");
    for silent in ["octo-org/sandbox", "octo-org/ledger-archive", "octo-labs/old-reports"] {
        assert_eq!(by_repository[silent], 0, "{silent}");
    }
    assert!(by_repository["octo-org/pay-api"] * 10 > runs.len() * 3);
    // Ten weekdays and two weekends.
    assert!((3000..=3480).contains(&runs.len()), "{}", runs.len());
}

#[tokio::test]
async fn repositories_are_sorted_and_chosen_as_asked() {
    let simulator = start_with(10, "repositories = 50").await;
    let client = client();
    let list = async |query: &str| {
        all(&client, &simulator, &format!("/orgs/octo-org/repos?{query}"), "")
            .await
            .1
    };
    let by_name = list("sort=full_name").await;
    assert!(names(&by_name).is_sorted());
    let mut backwards = names(&by_name);
    backwards.reverse();
    assert_eq!(names(&list("sort=full_name&direction=desc").await), backwards);
    for (sort, field) in [("", "created_at"), ("sort=pushed", "pushed_at")] {
        let of = |repository: &Value| at(repository[field].as_str().unwrap());
        assert!(list(sort).await.iter().map(of).rev().is_sorted(), "{sort}");
    }
    let public = list("type=public").await;
    assert!(!public.is_empty() && public.iter().all(|repository| repository["private"] == false));
    assert_eq!(list("type=all").await.len(), by_name.len());
}

#[tokio::test]
async fn an_installation_reads_the_repositories_of_its_own_organisation() {
    let simulator = start(10).await;
    let token = app::installation_token(&simulator).await;
    let jwt = app::jwt(APP_ID, 540);
    let listed: Value = app::get(&simulator, "/installation/repositories", &token)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&listed["total_count"], &listed["repository_selection"]),
        (&9.into(), &"all".into())
    );
    assert_eq!(listed["repositories"].as_array().unwrap().len(), 9);
    let run = &json(&simulator, &format!("{BUSIEST}/actions/runs?per_page=1")).await["workflow_runs"][0];
    let run = format!("/actions/runs/{}", run["id"]);
    let workflow = format!(
        "/actions/workflows/{}/runs",
        simulator.repositories()[0].workflows[0].id
    );
    let below = [
        "",
        "/actions/workflows",
        "/actions/runs",
        "/actions/workflows/ci.yml/runs",
        &workflow,
        &run,
        &format!("{run}/attempts/1"),
        &format!("{run}/jobs"),
        &format!("{run}/attempts/1/jobs"),
    ];
    for path in below {
        let own = format!("{BUSIEST}{path}");
        assert_eq!(app::get(&simulator, &own, &token).await.status(), 200, "{own}");
        assert_eq!(status(&simulator, &own).await, 200, "{own}");
        assert_eq!(app::get(&simulator, &own, &jwt).await.status(), 401, "{own}");
        let other = format!("/repos/octo-labs/web-shop{path}");
        assert_eq!(app::get(&simulator, &other, &token).await.status(), 404, "{other}");
    }
    assert_eq!(app::get(&simulator, "/orgs/octo-org/repos", &token).await.status(), 200);
    assert_eq!(
        app::get(&simulator, "/orgs/octo-labs/repos", &token).await.status(),
        404
    );
    for path in ["/orgs/octo-org/repos", "/installation/repositories"] {
        assert_eq!(app::get(&simulator, path, &jwt).await.status(), 401, "{path}");
    }
    for (path, expected) in [
        ("/installation/repositories", 403),
        ("/orgs/nobody/repos", 404),
        ("/repos/octo-org/web-shop", 404),
        ("/repos/OCTO-ORG/Pay-API", 200),
        ("/repos/octo-org/pay-api/actions/runs/1", 404),
        ("/repos/octo-org/pay-api/actions/runs/18446744073709551615", 404),
        ("/repos/octo-org/pay-api/actions/workflows/other.yml/runs", 404),
    ] {
        assert_eq!(status(&simulator, path).await, expected, "{path}");
    }
    assert_eq!(status(&simulator, &format!("{BUSIEST}{run}/attempts/9")).await, 404);
}

#[tokio::test]
async fn created_spans_seconds_and_days() {
    let simulator = start_with(10, UNLIMITED).await;
    let day = simulator.runs(at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z"));
    let created: Vec<_> = day
        .iter()
        .filter(|run| run.repository == "octo-org/pay-api")
        .map(|run| run.created_at)
        .collect();
    let whole = created.len() as u64;
    let instant = created[created.len() / 2];
    let earlier = created.iter().filter(|at| **at < instant).count() as u64;
    let same = created.iter().filter(|at| **at == instant).count() as u64;
    let (first, last) = (created[0], created[created.len() - 1]);
    for (filter, expected) in [
        ("2026-11-20".to_owned(), whole),
        ("2026-11-20..2026-11-20".to_owned(), whole),
        (format!("{first}..{last}"), whole),
        (format!("{instant}..{instant}"), same),
        (instant.to_string(), same),
        (format!("%3E%3D{instant}"), whole - earlier),
        (format!("%3E{instant}"), whole - earlier - same),
        (format!("2026-11-20..{instant}"), earlier + same),
        (format!("{last}..{first}"), 0),
        ("%3E2026-11-20".to_owned(), 0),
    ] {
        assert_eq!(count(&simulator, &filter).await, expected, "{filter}");
    }
    let until = count(&simulator, &format!("%3C%3D{instant}")).await;
    assert_eq!(count(&simulator, &format!("%3C{instant}")).await + same, until);
    let kept = count(&simulator, "%3E%3D2019-01-01").await;
    let unfiltered = json(&simulator, &format!("{BUSIEST}/actions/runs?per_page=1")).await;
    assert_eq!(unfiltered["total_count"], kept, "counted and made come to the same");
    for unreadable in ["", "yesterday", "2026-11-20..", "2026-99-01"] {
        let path = format!("{BUSIEST}/actions/runs?created={unreadable}");
        assert_eq!(status(&simulator, &path).await, 422, "{unreadable}");
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_by_what_they_are() {
    let simulator = start_with(10, UNLIMITED).await;
    let client = client();
    let runs = async |query: &str| {
        let path = format!("{BUSIEST}/actions/runs?created=2026-11-19..2026-11-20{query}");
        all(&client, &simulator, &path, "workflow_runs").await.1
    };
    let everything = runs("").await;
    let place = |run: &Value| (at(run["created_at"].as_str().unwrap()), run["id"].as_u64());
    assert!(everything.iter().map(place).rev().is_sorted());
    for (parameter, field, value) in [
        ("event", "event", "pull_request"),
        ("status", "conclusion", "failure"),
        ("status", "status", "completed"),
        ("branch", "head_branch", "main"),
    ] {
        let expected: Vec<_> = everything.iter().filter(|run| run[field] == value).cloned().collect();
        assert!(!expected.is_empty(), "{field}");
        assert_eq!(runs(&format!("&{parameter}={value}")).await, expected);
    }
    let workflows = all(
        &client,
        &simulator,
        &format!("{BUSIEST}/actions/workflows"),
        "workflows",
    )
    .await;
    assert_eq!((workflows.0, workflows.1.len()), (6, 6));
    for workflow in workflows.1 {
        let path = format!(
            "{BUSIEST}/actions/workflows/{}/runs?created=2026-11-19..2026-11-20",
            workflow["id"]
        );
        let expected = everything.iter().filter(|run| run["workflow_id"] == workflow["id"]);
        let (total, served) = all(&client, &simulator, &path, "workflow_runs").await;
        assert_eq!(served, expected.cloned().collect::<Vec<_>>());
        assert_eq!(total, served.len());
        assert_eq!(total == 0, workflow["name"] == "Legacy pipeline");
    }
}

#[tokio::test]
async fn of_a_list_only_the_first_thousand_can_be_had() {
    let simulator = start_with(10, BUSY).await;
    let path = format!("{BUSIEST}/actions/runs?created=2026-11-20T10:00:00Z..2026-11-20T10:59:59Z");
    let first = read(&simulator, &format!("{path}&per_page=100")).await;
    let last = link(&first, "last").unwrap();
    assert!(
        last.contains("page=10&") && last.contains("created=2026-11-20T10:00:00Z.."),
        "{last}"
    );
    assert_eq!(first.json::<Value>().await.unwrap()["total_count"], 1000);
    let tenth = read(&simulator, &format!("{path}&per_page=100&page=10")).await;
    assert_eq!((tenth.status().as_u16(), link(&tenth, "next")), (200, None));
    assert_eq!(
        tenth.json::<Value>().await.unwrap()["workflow_runs"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
    for (per_page, page, expected) in [
        (100, 11, 422),
        (30, 33, 200),
        (30, 34, 422),
        (1, 1000, 200),
        (1, 1001, 422),
    ] {
        let page = read(&simulator, &format!("{path}&per_page={per_page}&page={page}")).await;
        assert_eq!(page.status(), expected);
        if expected == 422 {
            assert!(
                page.text()
                    .await
                    .unwrap()
                    .contains("pagination is limited for this resource")
            );
        }
    }
    let unfiltered = |page: u32| format!("{BUSIEST}/actions/runs?per_page=100&page={page}");
    assert_eq!(status(&simulator, &unfiltered(400)).await, 200);
    assert_eq!(status(&simulator, &unfiltered(401)).await, 422);
    let honest = start_with(10, &BUSY.replace("capped_total_count = true", "")).await;
    assert!(json(&honest, &path).await["total_count"].as_u64().unwrap() > 1200);
}

#[tokio::test]
async fn a_burst_adds_its_runs_where_it_says() {
    let (calm, busy) = (start(10).await, start_with(10, BUSY).await);
    let runs = |simulator: &Simulator, repository: &str, from: &str, to: &str| {
        let runs = simulator.runs(at(from), at(to));
        runs.iter().filter(|run| run.repository == repository).count()
    };
    for (repository, from, to, more) in [
        ("octo-org/pay-api", "2026-11-20T10:00:00Z", "2026-11-20T10:10:00Z", 1200),
        ("octo-org/pay-api", "2026-11-20T10:00:00Z", "2026-11-20T10:00:01Z", 2),
        ("octo-org/pay-api", "2026-11-20T10:10:00Z", "2026-11-21T00:00:00Z", 0),
        (
            "octo-org/ledger-core",
            "2026-11-20T14:30:00Z",
            "2026-11-20T14:30:01Z",
            1100,
        ),
        ("octo-labs/web-shop", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", 0),
    ] {
        let without = runs(&calm, repository, from, to);
        assert_eq!(runs(&busy, repository, from, to), without + more, "{repository} {from}");
    }
    let path = "/repos/octo-org/ledger-core/actions/runs?created=2026-11-20T14:30:00Z..2026-11-20T14:30:00Z";
    assert_eq!(
        status(&busy, &format!("{path}&per_page=100&page=11")).await,
        422,
        "no window is smaller"
    );
}

/// The jobs an attempt lists from the attempt before, and those that ran in it.
fn inherited_and_own<'j>(run: &Value, jobs: &'j [Value]) -> (Vec<&'j Value>, Vec<&'j Value>) {
    let started = at(run["run_started_at"].as_str().unwrap());
    let is_inherited = |job: &&Value| {
        job["completed_at"]
            .as_str()
            .is_some_and(|completed| at(completed) < started)
    };
    jobs.iter().partition(is_inherited)
}

/// A `RunAttemptTruth` as a client makes it of what it is served.
fn observed(run: &Value, jobs: &[Value], workflows: &BTreeMap<u64, String>, default_branch: &str) -> RunAttemptTruth {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let instant = |value: &Value| at(value.as_str().unwrap());
    let (_, own) = inherited_and_own(run, jobs);
    let ran: Vec<_> = own
        .iter()
        .copied()
        .filter(|job| job["conclusion"] != "skipped")
        .collect();
    let counted = if ran.is_empty() { own } else { ran };
    let seconds = |from: Timestamp, to: Timestamp| u64::try_from(to.as_second() - from.as_second()).unwrap_or_default();
    let (started_at, updated_at) = (instant(&run["run_started_at"]), instant(&run["updated_at"]));
    let begun = counted.iter().map(|job| instant(&job["started_at"])).min();
    let ended_at = counted
        .iter()
        .map(|job| instant(&job["completed_at"]))
        .max()
        .unwrap_or(updated_at);
    let mut runner_minutes = BTreeMap::new();
    for job in counted {
        let mut labels: Vec<_> = job["labels"].as_array().unwrap().iter().map(text).collect();
        labels.sort();
        let minutes = seconds(instant(&job["started_at"]), instant(&job["completed_at"])).div_ceil(60);
        if minutes > 0 {
            *runner_minutes.entry(labels.join("+")).or_default() += minutes;
        }
    }
    let event = text(&run["event"]);
    RunAttemptTruth {
        organisation: text(&run["repository"]["owner"]["login"]),
        repository: text(&run["repository"]["full_name"]),
        repository_id: run["repository"]["id"].as_u64().unwrap(),
        workflow: workflows[&run["workflow_id"].as_u64().unwrap()].clone(),
        workflow_id: run["workflow_id"].as_u64().unwrap(),
        run_id: run["id"].as_u64().unwrap(),
        attempt: u32::try_from(run["run_attempt"].as_u64().unwrap()).unwrap(),
        branch: if event.starts_with("pull_request") {
            "pull_request"
        } else if run["head_branch"] == default_branch {
            "default"
        } else {
            "other"
        },
        event,
        conclusion: text(&run["conclusion"]),
        run_created_at: instant(&run["created_at"]),
        started_at,
        ended_at,
        updated_at,
        queue_seconds: begun.map(|begun| seconds(started_at, begun)),
        duration_seconds: seconds(begun.unwrap_or(started_at), ended_at),
        runner_minutes,
    }
}

#[tokio::test]
async fn whoever_reads_all_runs_of_a_day_arrives_at_the_truth() {
    let simulator = start_with(50, UNLIMITED).await;
    // All that was started on Friday has ended by then, re-runs too.
    simulator.set_now(at("2026-11-29T00:00:00Z"));
    let client = client();
    let mut observations = Vec::new();
    for repository in simulator.repositories() {
        let workflows: BTreeMap<_, _> = repository
            .workflows
            .into_iter()
            .map(|each| (each.id, each.name))
            .collect();
        let path = format!("/repos/{}/actions/runs", repository.full_name);
        let listed = all(
            &client,
            &simulator,
            &format!("{path}?created=2026-11-20"),
            "workflow_runs",
        )
        .await;
        assert_eq!(listed.0, listed.1.len());
        for latest in listed.1 {
            let run = format!("{path}/{}", latest["id"]);
            let attempts = latest["run_attempt"].as_u64().unwrap();
            for attempt in 1..=attempts {
                let path = format!("{run}/attempts/{attempt}");
                let url = format!("{}{path}", simulator.url());
                let object: Value = client
                    .get(url)
                    .bearer_auth(TOKEN)
                    .send()
                    .await
                    .unwrap()
                    .json()
                    .await
                    .unwrap();
                if attempt == attempts {
                    assert_eq!(object, latest);
                }
                assert_eq!(object["previous_attempt_url"].is_null(), attempt == 1);
                assert_eq!(object["head_commit"], latest["head_commit"]);
                let (total, jobs) = all(&client, &simulator, &format!("{path}/jobs"), "jobs").await;
                assert_eq!(total, jobs.len());
                observations.push(observed(&object, &jobs, &workflows, &repository.default_branch));
            }
        }
    }
    let (from, to) = (at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z"));
    let mut truth = simulator.run_attempts(from, simulator.now());
    truth.retain(|attempt| (from..to).contains(&attempt.run_created_at));
    observations.sort_by_key(|attempt| (attempt.ended_at, attempt.run_id, attempt.attempt));
    assert!(truth.len() > 290, "{}", truth.len());
    assert_eq!(observations, truth);
}

#[tokio::test]
async fn a_run_goes_from_queued_to_completed_and_is_run_again_while_now_moves() {
    let simulator = start_with(10, UNLIMITED).await;
    let attempts = simulator.run_attempts(at("2026-11-10T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let second = attempts
        .iter()
        .find(|attempt| attempt.attempt == 2 && attempt.duration_seconds > 120 && attempt.queue_seconds > Some(5))
        .unwrap();
    let path = format!("/repos/{}/actions/runs/{}", second.repository, second.run_id);
    let seconds = SignedDuration::from_secs;
    let queue = seconds(i64::try_from(second.queue_seconds.unwrap()).unwrap());
    let seen = async |now: Timestamp| {
        simulator.set_now(now);
        let run = json(&simulator, &path).await;
        assert!(at(run["updated_at"].as_str().unwrap()) <= now);
        (
            run["run_attempt"].as_u64().unwrap(),
            run["status"].as_str().unwrap().to_owned(),
            run["conclusion"].clone(),
        )
    };
    let (before, _, conclusion) = seen(second.started_at - seconds(1)).await;
    assert!(before == 1 && conclusion.is_string());
    assert_eq!(status(&simulator, &format!("{path}/attempts/2")).await, 404);

    let (attempt, waiting, conclusion) = seen(second.started_at).await;
    assert_eq!((attempt, conclusion), (2, Value::Null));
    assert!(["queued", "waiting", "pending"].contains(&waiting.as_str()));
    let first = json(&simulator, &format!("{path}/attempts/1")).await;
    assert_eq!(first["status"], "completed");

    let (_, running, conclusion) = seen(second.started_at + queue).await;
    assert_eq!((running.as_str(), conclusion), ("in_progress", Value::Null));
    let jobs = json(&simulator, &format!("{path}/jobs")).await;
    for job in jobs["jobs"].as_array().unwrap() {
        assert!(at(job["created_at"].as_str().unwrap()) <= simulator.now());
        assert_eq!(job["started_at"].is_null(), job["status"] == "queued");
        assert_eq!(job["completed_at"].is_null(), job["status"] != "completed");
        assert_eq!(job["run_attempt"], 2);
    }
    let (_, still, _) = seen(second.updated_at - seconds(1)).await;
    assert_eq!(still, "in_progress");
    let (attempt, ended, conclusion) = seen(second.updated_at).await;
    assert_eq!(
        (attempt, ended.as_str(), conclusion.as_str()),
        (2, "completed", Some(second.conclusion.as_str()))
    );
    let every = json(&simulator, &format!("{path}/jobs?filter=all&per_page=100")).await;
    let latest = json(&simulator, &format!("{path}/jobs?per_page=100")).await;
    let earlier = json(&simulator, &format!("{path}/attempts/1/jobs?per_page=100")).await;
    let number = |page: &Value| page["total_count"].as_u64().unwrap();
    assert_eq!(number(&every), number(&latest) + number(&earlier));

    simulator.set_now(second.run_created_at - seconds(1));
    assert_eq!(status(&simulator, &path).await, 404, "it has not been created");
}

#[tokio::test]
async fn about_half_of_the_reruns_of_several_jobs_repeat_the_failed_ones_only() {
    let simulator = start_with(10, UNLIMITED).await;
    simulator.set_now(at("2026-12-20T00:00:00Z"));
    let truth = simulator.run_attempts(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    let client = client();
    let of = async |path: &str| one(&client, &simulator, path).await;
    let (mut whole, mut partial) = (0, 0);
    for attempt in truth.iter().filter(|attempt| attempt.attempt > 1) {
        let run = format!("/repos/{}/actions/runs/{}", attempt.repository, attempt.run_id);
        let path = format!("{run}/attempts/{}", attempt.attempt);
        let object = of(&path).await;
        let before = format!("{run}/attempts/{}/jobs", attempt.attempt - 1);
        let (_, before) = all(&client, &simulator, &before, "jobs").await;
        let (total, jobs) = all(&client, &simulator, &format!("{path}/jobs"), "jobs").await;
        assert_eq!(total, jobs.len());
        let (successful, failed): (Vec<_>, Vec<_>) = before.iter().partition(|job| job["conclusion"] == "success");
        let (inherited, own) = inherited_and_own(&object, &jobs);
        if inherited.is_empty() {
            whole += usize::from(!successful.is_empty() && !failed.is_empty());
            continue;
        }
        partial += 1;
        let described = |jobs: &[&Value], fields: &[&str]| {
            let describe = |job: &&Value| fields.iter().map(|field| job[field].to_string()).collect::<Vec<_>>();
            jobs.iter().map(describe).collect::<Vec<_>>()
        };
        let outcome = ["name", "labels", "conclusion", "started_at", "completed_at"];
        assert_eq!(described(&inherited, &outcome), described(&successful, &outcome));
        assert_eq!(
            described(&own, &["name", "labels"]),
            described(&failed, &["name", "labels"])
        );
        for job in &jobs {
            assert_eq!(job["run_attempt"], attempt.attempt);
            assert!(before.iter().all(|earlier| earlier["id"] != job["id"]));
        }
        let instant = |job: &&Value, field: &str| at(job[field].as_str().unwrap());
        let first = own.iter().map(|job| instant(job, "started_at")).min().unwrap();
        let last = own.iter().map(|job| instant(job, "completed_at")).max().unwrap();
        let queue = first.as_second() - attempt.started_at.as_second();
        assert_eq!(attempt.queue_seconds, u64::try_from(queue).ok());
        assert_eq!(attempt.ended_at, last);
        assert!(attempt.runner_minutes.values().sum::<u64>() <= own.len() as u64 * 6);
        if of(&run).await["run_attempt"] == attempt.attempt {
            assert_eq!(
                all(&client, &simulator, &format!("{run}/jobs?filter=latest"), "jobs")
                    .await
                    .1,
                jobs
            );
        }
    }
    assert!(whole > 50 && partial > 50, "{whole} whole, {partial} partial");
    assert!(
        (whole * 2 / 3..=whole * 3 / 2).contains(&partial),
        "{whole} whole, {partial} partial"
    );
}

#[tokio::test]
async fn a_partial_rerun_waits_although_its_inherited_jobs_are_completed() {
    let simulator = start_with(10, UNLIMITED).await;
    let truth = simulator.run_attempts(at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let client = client();
    let mut partial = 0;
    for attempt in truth
        .iter()
        .filter(|attempt| attempt.attempt > 1 && attempt.queue_seconds > Some(1))
    {
        simulator.set_now(attempt.started_at + SignedDuration::from_secs(1));
        let run = format!("/repos/{}/actions/runs/{}", attempt.repository, attempt.run_id);
        let object = one(&client, &simulator, &run).await;
        let (_, listed) = all(&client, &simulator, &format!("{run}/jobs"), "jobs").await;
        let (inherited, own) = inherited_and_own(&object, &listed);
        partial += usize::from(!inherited.is_empty());
        let waits = object["status"] != "in_progress" && object["conclusion"].is_null();
        assert!(waits, "{}", object["status"]);
        assert!(inherited.iter().all(|job| job["status"] == "completed"));
        assert!(own.iter().all(|job| job["status"] == "queued"));
    }
    assert!(partial > 10, "{partial}");
}

#[tokio::test]
async fn links_lead_to_the_repository_by_its_id_and_are_served_as_by_its_name() {
    const RUNS: &str = "/repos/{owner}/{repo}/actions/runs";
    let scenario = format!(
        "{UNLIMITED}forbidden_repositories = ['octo-org/ledger-ui']\ngone_repositories = ['octo-org/pay-mobile']\n\
         [[fault]]\nroute = '{RUNS}'\non = [3]\nkind = 'server_error'"
    );
    let simulator = start_with(10, &scenario).await;
    let ids: BTreeMap<_, _> = start(10)
        .await
        .repositories()
        .into_iter()
        .map(|repository| (repository.full_name, repository.id))
        .collect();
    let id = ids["octo-org/pay-api"];
    let by_id = |below: &str| format!("{}/repositories/{id}{below}", simulator.url());
    let follow = |url: String| client().get(url).bearer_auth(TOKEN).send();

    let query = "created=2026-11-20..2026-11-20";
    let first = read(&simulator, &format!("{BUSIEST}/actions/runs?{query}&per_page=5")).await;
    let next = link(&first, "next").unwrap();
    assert_eq!(next, by_id(&format!("/actions/runs?page=2&per_page=5&{query}")));
    let by_link = follow(next.clone()).await.unwrap();
    assert_eq!(
        link(&by_link, "prev"),
        Some(by_id(&format!("/actions/runs?page=1&per_page=5&{query}")))
    );
    // The third request of the route: an address by id has its faults too.
    assert_eq!(follow(next).await.unwrap().status(), 500);
    let by_name = read(&simulator, &format!("{BUSIEST}/actions/runs?{query}&per_page=5&page=2")).await;
    assert_eq!(header(&by_link, "link"), header(&by_name, "link"));
    assert_eq!(by_link.text().await.unwrap(), by_name.text().await.unwrap());
    assert_eq!(simulator.requests().of(RUNS), 4);
    assert_eq!(simulator.requests().total(), 4);

    let run = &json(&simulator, &format!("{BUSIEST}/actions/runs?per_page=1")).await["workflow_runs"][0];
    let run = format!("/actions/runs/{}", run["id"]);
    for below in ["/actions/workflows", "/actions/workflows/ci.yml/runs"] {
        let list = read(&simulator, &format!("{BUSIEST}{below}?per_page=1")).await;
        assert_eq!(
            link(&list, "next"),
            Some(by_id(&format!("{below}?page=2&per_page=1"))),
            "{below}"
        );
    }
    let all = [
        "",
        "/actions/workflows",
        "/actions/workflows/ci.yml/runs",
        &run,
        &format!("{run}/jobs"),
        &format!("{run}/jobs?filter=all"),
        &format!("{run}/attempts/1"),
        &format!("{run}/attempts/1/jobs"),
    ];
    for below in all {
        let by_id = json(&simulator, &format!("/repositories/{id}{below}")).await;
        assert_eq!(by_id, json(&simulator, &format!("{BUSIEST}{below}")).await, "{below}");
    }
    let token = app::installation_token(&simulator).await;
    for (id, person, installation) in [
        (id, 200, 200),
        (ids["octo-labs/web-shop"], 200, 404),
        (ids["octo-org/ledger-ui"], 403, 403),
        (ids["octo-org/pay-mobile"], 404, 404),
        (1, 404, 404),
    ] {
        let path = format!("/repositories/{id}/actions/runs");
        let before = simulator.requests().of(RUNS);
        assert_eq!(status(&simulator, &path).await, person, "{id}");
        assert_eq!(app::get(&simulator, &path, &token).await.status(), installation, "{id}");
        assert_eq!(simulator.requests().of(RUNS), before + 2, "{id}");
    }
    for nothing in ["/repositories", "/repositories/", "/repositories/pay-api"] {
        assert_eq!(status(&simulator, nothing).await, 404, "{nothing}");
    }
    assert_eq!(simulator.requests().of("unknown"), 3);
}

#[tokio::test]
async fn the_jobs_of_a_matrix_are_linked_by_id() {
    let simulator = start_with(10, UNLIMITED).await;
    let truth = simulator.run_attempts(at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let matrix = truth
        .iter()
        .find(|attempt| attempt.runner_minutes.values().sum::<u64>() >= 105 && attempt.duration_seconds < 3600)
        .unwrap();
    let below = format!("actions/runs/{}/attempts/{}/jobs", matrix.run_id, matrix.attempt);
    let path = format!("/repos/{}/{below}?per_page=100", matrix.repository);
    let next = link(&read(&simulator, &path).await, "next").unwrap();
    let expected = format!("/repositories/{}/{below}?page=2&per_page=100", matrix.repository_id);
    assert_eq!(next, format!("{}{expected}", simulator.url()));
    assert!(!json(&simulator, &expected).await["jobs"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn lists_lag_behind_and_the_run_itself_does_not() {
    let simulator = start_with(10, &format!("{UNLIMITED}list_lag_seconds = 90")).await;
    let runs = simulator.runs(at("2026-11-20T12:00:00Z"), at("2026-11-21T00:00:00Z"));
    let run = runs.iter().find(|run| run.repository == "octo-org/pay-api").unwrap();
    let path = format!("{BUSIEST}/actions/runs/{}", run.run_id);
    let workflow = {
        simulator.set_now(run.created_at);
        json(&simulator, &path).await["workflow_id"].clone()
    };
    let lists = [
        format!("{BUSIEST}/actions/runs?"),
        format!("{BUSIEST}/actions/runs?created=2026-11-20&"),
        format!("{BUSIEST}/actions/runs?created={}&", run.created_at),
        format!("{BUSIEST}/actions/workflows/{workflow}/runs?"),
    ];
    for (seconds, is_listed) in [(0, false), (89, false), (90, true)] {
        simulator.set_now(run.created_at + SignedDuration::from_secs(seconds));
        assert_eq!(status(&simulator, &path).await, 200);
        for list in &lists {
            let page = json(&simulator, &format!("{list}per_page=100")).await;
            let listed = page["workflow_runs"].as_array().unwrap();
            assert_eq!(
                listed.iter().any(|listed| listed["id"] == run.run_id),
                is_listed,
                "{list}"
            );
        }
        let exactly = count(&simulator, &run.created_at.to_string()).await;
        assert_eq!(exactly > 0, is_listed, "the total knows as much as the list");
    }
}

#[tokio::test]
async fn the_same_state_has_the_same_bytes_wherever_now_has_been() {
    let simulator = start_with(50, UNLIMITED).await;
    let paths = [
        "/orgs/octo-org/repos?sort=pushed".to_owned(),
        format!("{BUSIEST}/actions/runs?per_page=100"),
        "/repos/octo-labs/web-shop/actions/runs?created=2026-11-18..2026-11-21".to_owned(),
    ];
    let first = read(&simulator, &paths[1]).await;
    let tag = header(&first, "etag");
    let bodies = async |simulator: &Simulator| {
        let mut bodies = Vec::new();
        for path in &paths {
            bodies.push(read(simulator, path).await.text().await.unwrap());
        }
        bodies
    };
    let before = bodies(&simulator).await;
    simulator.set_now(at("2026-11-20T09:30:00Z"));
    let earlier = bodies(&simulator).await;
    assert!(before.iter().zip(&earlier).all(|(one, other)| one != other));
    simulator.set_today(TODAY);
    assert_eq!(simulator.now(), at("2026-11-21T00:00:00Z"));
    let again = crate::client::get(&simulator, &paths[1]).header("if-none-match", &tag);
    assert_eq!(again.send().await.unwrap().status(), 304);

    let settings = Settings {
        now: Some(at("2026-11-20T09:30:00Z")),
        ..Settings::new(50, 7, date(2026, 11, 25))
    };
    assert_eq!(bodies(&Simulator::start(settings).await.unwrap()).await, earlier);
}

#[tokio::test]
async fn a_forbidden_repository_is_listed_and_a_gone_one_is_not() {
    let simulator = start_with(10, FORBIDDEN).await;
    let token = app::installation_token(&simulator).await;
    let listed = json(&simulator, "/orgs/octo-org/repos").await;
    let listed = names(listed.as_array().unwrap());
    assert!(listed.contains(&"ledger-ui") && !listed.contains(&"pay-mobile"));
    for below in ["", "/actions/runs", "/actions/workflows", "/actions/runs/1/jobs"] {
        for (name, expected) in [("ledger-ui", 403), ("pay-mobile", 404)] {
            let path = format!("/repos/octo-org/{name}{below}");
            assert_eq!(status(&simulator, &path).await, expected, "{path}");
            assert_eq!(app::get(&simulator, &path, &token).await.status(), expected, "{path}");
        }
    }
    let (from, to) = (at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let truth = simulator.run_attempts(from, to);
    let named = |name: &str| truth.iter().any(|attempt| attempt.repository == name);
    assert!(named("octo-org/ledger-ui") && !named("octo-org/pay-mobile"));
    assert!(
        simulator
            .runs(from, to)
            .iter()
            .all(|run| run.repository != "octo-org/pay-mobile")
    );
    assert!(
        start(10)
            .await
            .run_attempts(from, to)
            .iter()
            .any(|a| a.repository == "octo-org/pay-mobile")
    );
}

#[tokio::test]
async fn a_name_that_the_data_set_does_not_have_keeps_it_from_starting() {
    let scenario = Scenario::parse("gone_repositories = ['octo-org/billing-api']").unwrap();
    let settings = Settings::new(10, 7, TODAY).with_scenario(scenario);
    let error = Simulator::start(settings.clone()).await.unwrap_err();
    assert!(matches!(error, SimulatorError::Unusable(_)));
    assert!(
        error
            .to_string()
            .contains("no repository is called \"octo-org/billing-api\""),
        "{error}"
    );
    let larger = Settings {
        repositories: 13,
        ..settings.clone()
    };
    assert!(Simulator::start(larger).await.is_ok());
    for bad in [
        Settings {
            repositories: 0,
            ..settings.clone()
        },
        Settings {
            repositories: 1001,
            ..settings.clone()
        },
        Settings {
            runs_per_day: 100_001,
            ..settings
        },
    ] {
        assert!(Simulator::start(bad).await.is_err());
    }
}

/// Every text below some names, at any depth.
fn texts<'v>(value: &'v Value, wanted: &[&str], found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if wanted.contains(&name.as_str()) => found.push(text),
                    _ => texts(value, wanted, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, wanted, found)),
        _ => {}
    }
}

#[tokio::test]
async fn identities_name_everybody_a_run_names() {
    let simulator = start_with(50, UNLIMITED).await;
    let identities: BTreeSet<_> = simulator.identities().into_iter().collect();
    let client = client();
    // In spring other people held some of the seats.
    let (mut people, mut run_names) = (0, 0);
    for day in ["2026-11-20", "2026-04-14"] {
        let path = format!("{BUSIEST}/actions/runs?created={day}");
        for run in all(&client, &simulator, &path, "workflow_runs").await.1 {
            let commit = &run["head_commit"];
            let mut found = Vec::new();
            texts(&run["actor"], &["login"], &mut found);
            texts(&run["triggering_actor"], &["login"], &mut found);
            texts(&run["head_repository"], &["login"], &mut found);
            texts(&commit["author"], &["name", "email"], &mut found);
            texts(&commit["committer"], &["name", "email"], &mut found);
            for text in found.into_iter().filter(|text| *text != "octo-org") {
                assert!(identities.contains(text), "{text}");
                people += 1;
            }
            let message = commit["message"].as_str().unwrap();
            if let Some((_, author)) = message.split_once("Co-authored-by: ") {
                let (name, mail) = author.trim_end_matches('>').split_once(" <").unwrap();
                assert!(identities.contains(name) && identities.contains(mail));
            }
            if let Some((_, login)) = run["name"].as_str().unwrap().split_once(" by @") {
                assert!(identities.contains(login));
                run_names += 1;
            }
        }
    }
    assert!(
        people > 1000 && run_names > 0,
        "{people} people, {run_names} runs named after one"
    );
}

#[tokio::test]
async fn a_month_has_every_kind_of_attempt() {
    let simulator = start_with(10, UNLIMITED).await;
    simulator.set_now(at("2026-12-20T00:00:00Z"));
    let month = simulator.run_attempts(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    let share =
        |is: &dyn Fn(&RunAttemptTruth) -> bool| month.iter().filter(|attempt| is(attempt)).count() * 1000 / month.len();
    let concluded = |conclusion: &'static str| move |attempt: &RunAttemptTruth| attempt.conclusion == conclusion;
    for (conclusion, expected) in [("success", 760..=840), ("failure", 90..=160), ("cancelled", 20..=60)] {
        assert!(
            expected.contains(&share(&concluded(conclusion))),
            "{conclusion}: {}",
            share(&concluded(conclusion))
        );
    }
    for conclusion in [
        "skipped",
        "timed_out",
        "action_required",
        "neutral",
        "stale",
        "startup_failure",
        "superseded",
    ] {
        assert!(month.iter().any(concluded(conclusion)), "{conclusion}");
    }
    assert!((40..=80).contains(&share(&|attempt| attempt.attempt == 2)));
    assert!(share(&|attempt| attempt.duration_seconds > 2 * 3600) < 30);
    let some = |name: &str, is: &dyn Fn(&RunAttemptTruth) -> bool| assert!(month.iter().any(is), "{name}");
    some("no job", &|attempt| attempt.queue_seconds.is_none());
    some("a queue of more than a day", &|attempt| {
        attempt.queue_seconds > Some(86_400)
    });
    some("more than a day", &|attempt| attempt.duration_seconds > 86_400);
    some("three times", &|attempt| attempt.attempt == 3);
    some("a change in another hour than the end", &|attempt| {
        attempt.updated_at.as_second() / 3600 > attempt.ended_at.as_second() / 3600
    });
    let age = |attempt: &RunAttemptTruth| attempt.started_at.as_second() - attempt.run_created_at.as_second();
    some("run again after five days", &|attempt| age(attempt) > 5 * 86_400);
    assert!(month.iter().all(|attempt| age(attempt) <= 7 * 86_400 - 3600));

    let client = client();
    let (mut largest, mut ids) = (0, BTreeSet::new());
    let minutes = |attempt: &&RunAttemptTruth| attempt.runner_minutes.values().sum::<u64>() >= 105;
    for attempt in month.iter().filter(minutes).take(40) {
        let run = format!("/repos/{}/actions/runs/{}", attempt.repository, attempt.run_id);
        let path = format!("{run}/attempts/{}/jobs", attempt.attempt);
        let (_, jobs) = all(&client, &simulator, &path, "jobs").await;
        for job in &jobs {
            assert!(
                ids.insert(job["id"].as_u64().unwrap()),
                "{} was given before",
                job["id"]
            );
        }
        largest = largest.max(jobs.len());
    }
    assert!((105..=130).contains(&largest), "{largest} jobs need two pages");
    assert!(
        ids.into_iter().all(|id| id < 1 << 53),
        "every id is a number in JavaScript"
    );
}

#[tokio::test]
async fn the_control_surface_moves_now_and_tells_the_truth() {
    let simulator = start(10).await;
    let url = format!("{}/_simulator/now", simulator.url());
    let body = serde_json::json!({"now": "2026-11-20T12:34:56Z"});
    let moved = client().post(url).json(&body).send().await.unwrap();
    assert_eq!(moved.json::<Value>().await.unwrap(), body);
    assert_eq!(simulator.now(), at("2026-11-20T12:34:56Z"));
    let (from, to) = (at("2026-11-19T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let told = async |what: &str| json(&simulator, &format!("/_simulator/{what}?from={from}&to={to}")).await;
    assert_eq!(
        told("run_attempts").await,
        serde_json::to_value(simulator.run_attempts(from, to)).unwrap()
    );
    assert_eq!(
        told("runs").await,
        serde_json::to_value(simulator.runs(from, to)).unwrap()
    );
    assert_eq!(
        told("repositories").await,
        serde_json::to_value(simulator.repositories()).unwrap()
    );
    assert_eq!(simulator.requests().total(), 0);
    assert_eq!(status(&simulator, "/_simulator/runs?from=never").await, 400);
}
