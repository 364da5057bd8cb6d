//! Repositories, workflows, runs and jobs: whole lists, unchanged pages for nothing, and errors that say what to grant.

use jiff::Timestamp;
use uptake_domain::run::Job;
use uptake_domain::run_slices::Slice;
use uptake_upstream::clock::Deadline;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::GitHub;
use uptake_upstream::github::actions::{Repository, RepositoryName, Run, RunsPage, Workflow, decode_run};
use url::Url;
use wiremock::matchers::{header, header_exists, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::app::app;
use crate::client::{client, fixture, github, status};

const ROOT: &str = "/repos/octo-org/octo-repo";
const RUNS: &str = "/repos/octo-org/octo-repo/actions/runs";
const JOBS: &str = "/repos/octo-org/octo-repo/actions/runs/29679449/attempts/1/jobs";
const TAG: &str = "W/\"one\"";

fn name() -> RepositoryName {
    RepositoryName::parse("octo-org/octo-repo").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A day as the list of runs is asked for.
fn day() -> Slice {
    Slice {
        from: at("2020-01-22T00:00:00Z"),
        to: at("2020-01-22T23:59:59Z"),
    }
}

async fn page(github: &GitHub, url: Url, keep_tag: bool) -> Result<RunsPage, ApiError> {
    github.runs_page(&name(), url, keep_tag, Deadline::NONE).await
}

async fn first_page(github: &GitHub, keep_tag: bool) -> RunsPage {
    page(github, github.runs_in(&name(), day()), keep_tag).await.unwrap()
}

/// The runs of a page, those refused with the reason, the total, and the next page.
fn read(page: RunsPage) -> (Vec<Result<Run, String>>, u64, Option<Url>) {
    let RunsPage::Read { total, runs, next } = page else {
        panic!("the page is unchanged");
    };
    (runs.iter().map(|raw| decode_run(raw)).collect(), total, next)
}

fn next_page(server: &str, path: &str) -> (&'static str, String) {
    ("link", format!("<{server}{path}?per_page=100&page=2>; rel=\"next\""))
}

/// Says 304 to whoever shows the tag, and else the first page with it.
async fn tagged(server: &MockServer, unchanged: u64, whole: u64) {
    Mock::given(path(RUNS))
        .and(header("if-none-match", TAG))
        .respond_with(ResponseTemplate::new(304))
        .expect(unchanged)
        .with_priority(1)
        .mount(server)
        .await;
    let (link, next) = next_page(&server.uri(), RUNS);
    Mock::given(path(RUNS))
        .respond_with(
            fixture("runs-page-1")
                .insert_header("etag", TAG)
                .insert_header(link, next),
        )
        .expect(whole)
        .mount(server)
        .await;
}

#[tokio::test]
async fn runs_are_read_page_by_page_whatever_github_adds_to_them() {
    let server = MockServer::start().await;
    let (link, next) = next_page(&server.uri(), RUNS);
    Mock::given(path(RUNS))
        .and(query_param("created", "2020-01-22T00:00:00Z..2020-01-22T23:59:59Z"))
        .and(query_param("per_page", "100"))
        .and(header("authorization", "Bearer fixture-token"))
        .and(header_exists("user-agent"))
        .respond_with(fixture("runs-page-1").insert_header(link, next))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path(RUNS))
        .and(query_param("page", "2"))
        .respond_with(fixture("runs-page-2"))
        .expect(1)
        .mount(&server)
        .await;
    let github = github(&server.uri());
    let (runs, total, next) = read(first_page(&github, false).await);
    assert_eq!(total, 4);
    let [Ok(ended), Ok(rerun)] = runs.as_slice() else {
        panic!("{runs:?}");
    };
    let expected = Run {
        id: 30_433_642,
        attempt: 1,
        workflow_id: 159_038,
        workflow_file: Some("build.yml".to_owned()),
        event: "push".to_owned(),
        head_branch: Some("main".to_owned()),
        conclusion: Some("superseded".to_owned()),
        created_at: at("2020-01-22T19:33:08Z"),
        started_at: at("2020-01-22T19:33:08Z"),
        updated_at: at("2020-01-22T19:41:00Z"),
        html_url: "https://github.example/octo-org/octo-repo/actions/runs/30433642".to_owned(),
    };
    assert_eq!(*ended, expected);
    assert_eq!((rerun.attempt, &rerun.conclusion), (2, &None), "a re-run under way");
    assert_eq!(rerun.created_at, at("2020-01-22T18:33:08Z"), "offsets are understood");

    let (runs, total, next) = read(page(&github, next.unwrap(), false).await.unwrap());
    assert_eq!((total, next), (4, None));
    let [Err(undecided), Ok(bare)] = runs.as_slice() else {
        panic!("{runs:?}");
    };
    assert!(undecided.contains("no conclusion"), "{undecided}");
    assert_eq!((bare.attempt, bare.conclusion.as_deref()), (1, Some("startup_failure")));
    assert_eq!(bare.updated_at, bare.created_at);
}

#[tokio::test]
async fn a_page_of_runs_that_was_dealt_with_is_unchanged_and_still_leads_on() {
    let server = MockServer::start().await;
    tagged(&server, 2, 1).await;
    let first = github(&server.uri());
    let (_, _, next) = read(first_page(&first, true).await);
    let next_of_unchanged = |page: RunsPage| match page {
        RunsPage::Unchanged { next } => next,
        RunsPage::Read { .. } => panic!("the page was read"),
    };
    assert_eq!(next_of_unchanged(first_page(&first, true).await), next);
    let later = github(&server.uri());
    later.restore_pages(&first.pages_to_keep(0).unwrap()).unwrap();
    assert_eq!(next_of_unchanged(first_page(&later, true).await), next);
}

#[tokio::test]
async fn a_page_whose_runs_are_wanted_is_never_asked_for_by_its_tag() {
    let server = MockServer::start().await;
    tagged(&server, 0, 3).await;
    let github = github(&server.uri());
    for keep_tag in [false, true, false] {
        assert_eq!(read(first_page(&github, keep_tag).await).0.len(), 2);
    }
}

#[tokio::test]
async fn a_forgotten_page_is_read_anew() {
    let server = MockServer::start().await;
    tagged(&server, 0, 2).await;
    let github = github(&server.uri());
    read(first_page(&github, true).await);
    github.forget_runs_page(&github.runs_in(&name(), day()));
    read(first_page(&github, true).await);
}

#[tokio::test]
async fn a_page_of_runs_that_is_cut_off_is_asked_for_again_and_not_kept() {
    let server = MockServer::start().await;
    Mock::given(path(RUNS))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("etag", TAG)
                .set_body_raw(r#"{"total_count": 4, "workflow_runs": [{"id": 3"#, "application/json"),
        )
        .up_to_n_times(1)
        .expect(1)
        .with_priority(1)
        .mount(&server)
        .await;
    tagged(&server, 0, 1).await;
    assert_eq!(read(first_page(&github(&server.uri()), true).await).0.len(), 2);
}

#[tokio::test]
async fn runs_and_jobs_that_lead_to_another_host_are_refused_and_it_gets_no_credentials() {
    let (home, elsewhere) = (MockServer::start().await, MockServer::start().await);
    for (list, name) in [(RUNS, "runs-page-1"), (JOBS, "jobs-page-1")] {
        let (link, next) = next_page(&elsewhere.uri(), list);
        Mock::given(path(list))
            .respond_with(fixture(name).insert_header(link, next))
            .expect(1)
            .mount(&home)
            .await;
    }
    Mock::given(wiremock::matchers::any())
        .respond_with(fixture("runs-none"))
        .expect(0)
        .mount(&elsewhere)
        .await;
    let github = github(&home.uri());
    let runs = page(&github, github.runs_in(&name(), day()), false).await;
    let jobs = github.jobs(&name(), 29_679_449, 1, Deadline::NONE).await;
    for error in [runs.err().unwrap(), jobs.err().unwrap()] {
        let message = error.to_string();
        assert!(message.contains("another host; credentials stay here"), "{message}");
        assert!(matches!(error, ApiError::Contract { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn jobs_are_read_over_all_pages_and_one_under_way_is_told() {
    for (second, is_done) in [("jobs-page-2", true), ("jobs-in-progress", false)] {
        let server = MockServer::start().await;
        let (link, next) = next_page(&server.uri(), JOBS);
        Mock::given(path(JOBS))
            .and(query_param("per_page", "100"))
            .and(query_param_is_missing("page"))
            .respond_with(fixture("jobs-page-1").insert_header(link, next))
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(path(JOBS))
            .and(query_param("page", "2"))
            .respond_with(fixture(second))
            .expect(1)
            .mount(&server)
            .await;
        let github = github(&server.uri());
        let (jobs, all_done) = github.jobs(&name(), 29_679_449, 1, Deadline::NONE).await.unwrap();
        assert_eq!(all_done, is_done, "{second}");
        assert_eq!(jobs.len(), 3);
        let first = Job {
            labels: ["self-hosted", "foo", "bar"].map(str::to_owned).to_vec(),
            conclusion: Some("success".to_owned()),
            started_at: Some(at("2020-01-20T17:42:40Z")),
            completed_at: Some(at("2020-01-20T17:44:39Z")),
        };
        assert_eq!(jobs[0], first);
        assert_eq!(jobs[1].conclusion.as_deref(), Some("skipped"));
        assert_eq!(jobs[2].completed_at.is_some(), is_done);
    }
}

/// What GitHub lists of an organisation.
async fn repositories(github: &GitHub, organisation: &str) -> Result<Vec<Repository>, ApiError> {
    let mut repositories = Vec::new();
    let on_page = |page| repositories.extend(page);
    github.repositories(organisation, Deadline::NONE, on_page).await?;
    Ok(repositories)
}

#[tokio::test]
async fn a_token_lists_the_repositories_of_an_organisation_by_name() {
    let server = MockServer::start().await;
    Mock::given(path("/orgs/octo-org/repos"))
        .and(query_param("type", "all"))
        .and(query_param("sort", "full_name"))
        .and(query_param("per_page", "100"))
        .respond_with(fixture("repositories-of-organisation"))
        .expect(1)
        .mount(&server)
        .await;
    let listed = repositories(&github(&server.uri()), "octo-org").await.unwrap();
    let repository = |id, full_name: &str, default_branch: &str, is_shut| Repository {
        id,
        full_name: full_name.to_owned(),
        default_branch: default_branch.to_owned(),
        archived: is_shut,
        disabled: is_shut,
    };
    assert_eq!(
        listed,
        [
            repository(1_296_269, "octo-org/Octo-Repo", "trunk", false),
            repository(1_296_270, "octo-org/attic", "main", true),
        ]
    );
}

#[tokio::test]
async fn an_app_lists_what_it_was_installed_in_each_organisation_by_its_own_token() {
    let server = MockServer::start().await;
    let expires_at = "2099-01-01T00:00:00Z";
    for (organisation, id, name) in [
        ("octo-org", 77, "installation-repositories"),
        ("octo-labs", 78, "installation-repositories-of-another"),
    ] {
        Mock::given(path(format!("/orgs/{organisation}/installation")))
            .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({"id": id})))
            .mount(&server)
            .await;
        let token = serde_json::json!({"token": format!("of-{organisation}"), "expires_at": expires_at});
        Mock::given(path(format!("/app/installations/{id}/access_tokens")))
            .respond_with(ResponseTemplate::new(201).set_body_json(token))
            .expect(1)
            .mount(&server)
            .await;
        // The same address for both: only the token and the tag tell them apart.
        Mock::given(path("/installation/repositories"))
            .and(query_param("per_page", "100"))
            .and(header("authorization", format!("Bearer of-{organisation}").as_str()))
            .respond_with(fixture(name).insert_header("etag", format!("\"{organisation}\"").as_str()))
            .expect(2)
            .mount(&server)
            .await;
    }
    let github = client(&server.uri(), app());
    for _ in 0..2 {
        for (organisation, expected) in [("octo-org", "octo-org/octo-repo"), ("octo-labs", "octo-labs/web-shop")] {
            let listed = repositories(&github, organisation).await.unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].full_name, expected);
        }
    }
}

#[tokio::test]
async fn a_repository_and_its_workflows_are_kept_while_they_are_unchanged() {
    let server = MockServer::start().await;
    for (address, name) in [
        (ROOT.to_owned(), "repository"),
        (format!("{ROOT}/actions/workflows"), "workflows"),
    ] {
        Mock::given(path(address.clone()))
            .and(header("if-none-match", TAG))
            .respond_with(ResponseTemplate::new(304))
            .expect(1)
            .with_priority(1)
            .mount(&server)
            .await;
        Mock::given(path(address))
            .respond_with(fixture(name).insert_header("etag", TAG))
            .expect(1)
            .mount(&server)
            .await;
    }
    let github = github(&server.uri());
    let workflow = |id, name: &str, state: &str| Workflow {
        id,
        name: name.to_owned(),
        state: state.to_owned(),
    };
    for _ in 0..2 {
        let repository = github.repository(&name(), Deadline::NONE).await.unwrap();
        assert_eq!((repository.id, repository.default_branch.as_str()), (1_296_269, "main"));
        assert_eq!(
            github.workflows(&name(), Deadline::NONE).await.unwrap(),
            [
                workflow(161_335, "CI", "active"),
                workflow(269_289, "Linter", "disabled_inactivity"),
            ]
        );
    }
}

#[tokio::test]
async fn the_last_run_of_a_workflow_is_the_first_it_lists() {
    for (name_of_fixture, expected) in [("runs-page-1", Some(at("2020-01-22T19:33:08Z"))), ("runs-none", None)] {
        let server = MockServer::start().await;
        Mock::given(path(format!("{ROOT}/actions/workflows/161335/runs")))
            .and(query_param("per_page", "1"))
            .respond_with(fixture(name_of_fixture))
            .expect(1)
            .mount(&server)
            .await;
        let last = github(&server.uri())
            .last_run_at(&name(), 161_335, Deadline::NONE)
            .await;
        assert_eq!(last.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_run_is_read_as_it_stands_and_as_an_earlier_attempt_left_it() {
    let server = MockServer::start().await;
    for (address, id) in [("30433640", 1), ("30433640/attempts/1", 2)] {
        let body = serde_json::json!({"id": id, "created_at": "2020-01-22T19:33:08Z", "status": "queued"});
        Mock::given(path(format!("{RUNS}/{address}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .expect(1)
            .mount(&server)
            .await;
    }
    let github = github(&server.uri());
    let now = github.run(&name(), 30_433_640, Deadline::NONE).await.unwrap();
    let earlier = github
        .run_attempt(&name(), 30_433_640, 1, Deadline::NONE)
        .await
        .unwrap();
    assert_eq!(decode_run(&now).unwrap().id, 1);
    assert_eq!(decode_run(&earlier).unwrap().id, 2);
}

#[tokio::test]
async fn what_is_forbidden_or_hidden_is_told_with_what_to_grant_and_without_the_name() {
    const ACTIONS: &str = "grant the token repo (a classic one) or Actions: read and Metadata: read";
    const HIDDEN: &str = "hidden from this token";
    for (number, body, expected) in [
        (
            403,
            "forbidden-permission",
            ["Metadata: read", ACTIONS, ACTIONS, ACTIONS, ACTIONS, ACTIONS, ACTIONS],
        ),
        (
            404,
            "not-found",
            [
                "UPTAKE_GITHUB_ORGS",
                HIDDEN,
                HIDDEN,
                "the workflow is gone",
                HIDDEN,
                "the run is gone",
                "the run is gone",
            ],
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(status(number, body))
            .mount(&server)
            .await;
        let github = github(&server.uri());
        let (repository, none) = (name(), Deadline::NONE);
        let errors = [
            repositories(&github, "octo-org").await.err(),
            github.repository(&repository, none).await.err(),
            github.workflows(&repository, none).await.err(),
            github.last_run_at(&repository, 161_335, none).await.err(),
            page(&github, github.runs_in(&repository, day()), true).await.err(),
            github.run(&repository, 30_433_640, none).await.err(),
            github.jobs(&repository, 29_679_449, 1, none).await.err(),
        ];
        assert_eq!(github.requests(), errors.len() as u64, "nothing is tried again");
        for (error, remedy) in errors.into_iter().zip(expected) {
            let error = error.unwrap();
            let message = error.to_string();
            assert!(message.contains(remedy), "{message}");
            assert!(message.contains(&number.to_string()), "{message}");
            assert!(!message.contains("octo"), "{message}");
            assert_eq!(error.error_type(), "Permission");
            assert!(!error.passes_by_itself());
        }
    }
}

#[tokio::test]
async fn when_the_token_expires_is_what_the_last_answer_said() {
    for (told, ends_at) in [
        (Some("2026-12-24 08:00:00 UTC"), Some("2026-12-24T08:00:00Z")),
        (Some("2026-12-24 09:00:00 +0100"), Some("2026-12-24T08:00:00Z")),
        (Some("soon"), None),
        (None, None),
    ] {
        let server = MockServer::start().await;
        let mut answer = fixture("runs-page-1");
        if let Some(told) = told {
            answer = answer.insert_header("github-authentication-token-expiration", told);
        }
        Mock::given(path(RUNS)).respond_with(answer).mount(&server).await;
        let github = github(&server.uri());
        assert_eq!(github.credential_ends_at(), None);
        first_page(&github, false).await;
        let expected = ends_at.map(|ends_at| ends_at.parse().unwrap());
        assert_eq!(github.credential_ends_at(), expected, "{told:?}");
    }
}

#[tokio::test]
async fn the_rate_budget_is_what_the_last_answer_said() {
    let server = MockServer::start().await;
    for (left, times) in [(4_999, Some(1)), (4_998, None)] {
        let answer = fixture("runs-page-1")
            .insert_header("x-ratelimit-limit", "5000")
            .insert_header("x-ratelimit-remaining", left.to_string().as_str())
            .insert_header("x-ratelimit-reset", "4102444800")
            .insert_header("x-ratelimit-resource", "core");
        let mock = Mock::given(path(RUNS)).respond_with(answer);
        match times {
            Some(times) => mock.up_to_n_times(times).mount(&server).await,
            None => mock.mount(&server).await,
        }
    }
    let github = github(&server.uri());
    assert_eq!((github.budget_left(), github.budget_limit()), (None, None));
    for left in [4_999, 4_998] {
        first_page(&github, false).await;
        assert_eq!((github.budget_left(), github.budget_limit()), (Some(left), Some(5_000)));
    }
}

#[test]
fn only_owner_and_name_are_a_repository() {
    assert!(RepositoryName::parse("octo-org/octo-repo").is_some());
    assert!(RepositoryName::parse("octo-repo").is_none());
}
