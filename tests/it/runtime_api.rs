//! Lambda's Runtime API on loopback: runs release binaries as the platform does, several functions by path prefix.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path as Segments, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use uptake_pipeline::ports::{Clock, SystemClock};

/// The timeout of every function.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What a function answered: its response, or an error body with `errorType` and `errorMessage`.
pub(crate) type Answer = Result<Value, Value>;

struct Invocation {
    payload: Value,
    answer: oneshot::Sender<Answer>,
}

/// One function: the invocations that wait for it, and the one it works on.
struct Queue {
    waiting: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    at_work: Mutex<Option<oneshot::Sender<Answer>>>,
}

type Queues = Arc<Mutex<HashMap<String, Arc<Queue>>>>;

/// A running Runtime API; it ends with the test's runtime.
pub(crate) struct RuntimeApi {
    url: String,
    queues: Queues,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let queues = Queues::default();
        let app = Router::new()
            .route("/{prefix}/2018-06-01/runtime/invocation/next", get(next))
            .route("/{prefix}/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
            .with_state(Arc::clone(&queues));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, queues }
    }

    /// Starts the release binary `name` with this environment, what Lambda itself adds, and nothing else.
    pub(crate) fn function(&self, name: &str, environment: &[(&str, &str)]) -> Function {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../target/release")
            .join(name);
        assert!(
            binary.is_file(),
            "target/release/{name} does not exist; run `make build` first"
        );
        let (invocations, waiting) = mpsc::channel(1);
        let queue = Queue {
            waiting: waiting.into(),
            at_work: Mutex::default(),
        };
        // A prefix of its own: what a process that was ended had still asked for must not reach its successor.
        let mut queues = self.queues.lock().unwrap();
        let prefix = format!("{name}-{}", queues.len());
        queues.insert(prefix.clone(), Arc::new(queue));
        let written = NamedTempFile::new().unwrap();
        let output = written.reopen().unwrap();
        let process = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("{}/{prefix}", self.url))
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]1")
            .envs(environment.iter().copied())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Function {
            process,
            invocations,
            written,
        }
    }
}

async fn next(
    State(queues): State<Queues>,
    Segments(prefix): Segments<String>,
) -> ([(&'static str, String); 3], Json<Value>) {
    let queue = Arc::clone(&queues.lock().unwrap()[&prefix]);
    let Some(invocation) = queue.waiting.lock().await.recv().await else {
        // The test dropped the function and is about to end its process.
        return std::future::pending().await;
    };
    *queue.at_work.lock().unwrap() = Some(invocation.answer);
    let deadline = SystemClock.now() + TIMEOUT;
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:us-east-1:123456789012:function:{prefix}"),
        ),
    ];
    (headers, Json(invocation.payload))
}

async fn answered(
    State(queues): State<Queues>,
    Segments((prefix, _id, kind)): Segments<(String, String, String)>,
    body: String,
) -> StatusCode {
    let body = serde_json::from_str(&body).unwrap();
    let answer = queues.lock().unwrap()[&prefix].at_work.lock().unwrap().take().unwrap();
    // The test stopped waiting; its own failure says why.
    let _ = answer.send(if kind == "response" { Ok(body) } else { Err(body) });
    StatusCode::ACCEPTED
}

/// A function's process; dropped, it is ended.
pub(crate) struct Function {
    process: Child,
    invocations: mpsc::Sender<Invocation>,
    written: NamedTempFile,
}

impl Function {
    /// Invokes the function and waits for its answer.
    pub(crate) async fn invoke(&self, payload: Value) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.invocations
            .send(Invocation { payload, answer })
            .await
            .ok()
            .unwrap();
        match tokio::time::timeout(TIMEOUT, answered).await {
            Ok(Ok(answer)) => answer,
            _ => panic!("no answer; the function wrote:\n{}", self.written()),
        }
    }

    /// Everything it wrote to stdout and stderr so far.
    pub(crate) fn written(&self) -> String {
        std::fs::read_to_string(self.written.path()).unwrap()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself; waiting collects it in any case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
