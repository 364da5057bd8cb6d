//! AWS as `moto` plays it: a real server process on a free port, and boto3 to look at it independently of our own code.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// How often and how long to look for the address a starting server prints.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const START_WITHIN: Duration = Duration::from_secs(30);

const REGION: &str = "us-east-1";

/// A running server; dropped, it is ended.
pub(crate) struct Moto {
    process: Child,
    url: String,
}

impl Moto {
    /// Starts a server with nothing in it.
    pub(crate) async fn start() -> Self {
        let mut command = Command::new(server());
        command.args(["--host", "127.0.0.1", "--port", "0"]);
        Self::run(command).await
    }

    /// Starts one that answers one request after the other, as writers at the same time need it: in several threads moto
    /// lets two of them put the same object though each does so only if it is not there.
    pub(crate) async fn start_single_threaded() -> Self {
        let mut command = Command::new(python());
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("single_moto.py"));
        Self::run(command).await
    }

    async fn run(mut command: Command) -> Self {
        assert!(
            server().is_file(),
            "moto_server is not installed for the tests; run `make setup` first"
        );
        let printed = NamedTempFile::new().unwrap();
        let output = printed.reopen().unwrap();
        let process = command.stdout(Stdio::null()).stderr(output).spawn().unwrap();
        let mut moto = Self {
            process,
            url: String::new(),
        };
        let printed = || std::fs::read_to_string(printed.path()).unwrap();
        for _ in 0..START_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
            let text = printed();
            let url = text
                .split_once("Running on ")
                .and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((url, _)) = url {
                url.trim().clone_into(&mut moto.url);
                return moto;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("moto_server did not start:\n{}", printed());
    }

    /// The environment that leads the AWS SDK here.
    pub(crate) fn environment(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "dummy"),
            ("AWS_SECRET_ACCESS_KEY", "dummy"),
        ]
    }

    /// Calls AWS operations in order, each `[service, operation, arguments]` in boto3's spelling, and returns what each
    /// answered. Bytes are texts on the way there and back.
    pub(crate) fn call(&self, calls: &Value) -> Vec<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("boto3_calls.py");
        let answer = Command::new(python())
            .arg(script)
            .arg(calls.to_string())
            .envs(self.environment())
            // boto3 knows the region by this name only.
            .env("AWS_DEFAULT_REGION", REGION)
            .output()
            .unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).unwrap()
    }

    /// Calls one operation.
    pub(crate) fn call_one(&self, service: &str, operation: &str, arguments: &Value) -> Value {
        self.call(&json!([[service, operation, arguments]])).remove(0)
    }

    /// From now on lets through what the policies of whoever asks allow, and nothing else; or everything again.
    pub(crate) async fn ask_for_permission(&self, asks: bool) {
        let url = format!("{}/moto-api/reset-auth", self.url);
        let free_calls = if asks { "0" } else { "inf" };
        let answer = reqwest::Client::new().post(url).body(free_calls).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The mails SES accepted, as moto remembers them: `source`, `destinations`, `raw_data`.
    pub(crate) async fn mails(&self) -> Vec<Value> {
        let url = format!("{}/moto-api/data.json", self.url);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let data: Value = serde_json::from_str(&text).unwrap();
        data["ses"]["RawMessage"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself; waiting collects it in any case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python of the test environment.
pub(crate) fn python() -> PathBuf {
    server().with_file_name("python")
}

/// The server of the test environment, or the one `UPTAKE_MOTO_SERVER` names.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of Uptake")]
fn server() -> PathBuf {
    std::env::var("UPTAKE_MOTO_SERVER").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/moto_server"),
        PathBuf::from,
    )
}
