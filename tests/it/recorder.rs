//! Stands between functions and moto, and writes down every call: who made it, which action it was, on what, and what
//! else a policy may ask about.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::form_urlencoded;

/// A call to AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// The access key it was signed with: here, the function.
    pub(crate) who: String,
    /// As policies name it.
    pub(crate) action: String,
    pub(crate) resource: String,
    /// What conditions look at.
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

#[derive(Clone)]
struct World {
    moto: String,
    /// Where mails and messages go: moto shows mails as long as it has no function, and would run one for a message.
    without_functions: String,
    client: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// The recorder.
pub(crate) struct Recorder {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Recorder {
    pub(crate) async fn start(moto: &str, without_functions: &str) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let world = World {
            moto: moto.to_owned(),
            without_functions: without_functions.to_owned(),
            client: reqwest::Client::new(),
            calls: Arc::clone(&calls),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass_on).with_state(world);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn pass_on(State(world): State<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let told = Told {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: plain(&parts.headers, &body),
    };
    let (who, region, service) = signer(&parts.headers);
    let calls = told.calls(&who, &region, &service);
    world.calls.lock().unwrap().extend(calls);
    let target = match service.as_str() {
        "email" | "ses" | "sqs" => &world.without_functions,
        _ => &world.moto,
    };
    let mut headers = parts.headers.clone();
    headers.remove("content-length");
    let answer = world
        .client
        .request(parts.method.clone(), format!("{target}{path}"))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = answer else {
        return Response::builder()
            .status(StatusCode::BAD_GATEWAY)
            .body("moto did not answer".into())
            .unwrap();
    };
    let status = answer.status();
    let mut response = Response::builder().status(status);
    for (name, value) in answer.headers() {
        if !["transfer-encoding", "connection"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap_or_default();
    if status.is_server_error() {
        tell(&format!(
            "moto could not {service} {path}: {}",
            String::from_utf8_lossy(&body)
        ));
    }
    response.body(body.into()).unwrap()
}

/// Access key, region and service, out of `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn signer(headers: &HeaderMap) -> (String, String, String) {
    let header = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let scope = header.split("Credential=").nth(1).unwrap_or_default();
    let scope = scope.split(',').next().unwrap_or_default();
    let mut parts = scope.split('/').map(str::to_owned);
    let who = parts.next().unwrap_or_default();
    let region = parts.nth(1).unwrap_or_default();
    (who, region, parts.next().unwrap_or_default())
}

/// The body without its compression.
fn plain(headers: &HeaderMap, body: &Bytes) -> Vec<u8> {
    if headers
        .get("content-encoding")
        .is_none_or(|encoding| encoding != "gzip")
    {
        return body.to_vec();
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap();
    text
}

/// A request, as far as it tells what is asked for.
struct Told<'r> {
    method: &'r str,
    path: &'r str,
    query: &'r str,
    headers: &'r HeaderMap,
    body: Vec<u8>,
}

impl Told<'_> {
    /// The calls that a request stands for: one, but where S3 is told to delete several objects at once.
    fn calls(&self, who: &str, region: &str, service: &str) -> Vec<Call> {
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:123456789012:{rest}");
        let target = self.header("x-amz-target");
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
        let form: BTreeMap<String, String> = form_urlencoded::parse(&self.body).into_owned().collect();
        let call = |action: String, resource: String, context: &[(&str, Vec<String>)]| Call {
            who: who.to_owned(),
            action,
            resource,
            context: context
                .iter()
                .map(|(key, values)| ((*key).to_owned(), values.clone()))
                .collect(),
        };
        match service {
            "s3" => {
                let context = self.encryption();
                let calls = self.of_s3();
                calls
                    .into_iter()
                    .map(|(action, resource)| Call {
                        who: who.to_owned(),
                        action: format!("s3:{action}"),
                        resource,
                        context: context.clone(),
                    })
                    .collect()
            }
            "ssm" => vec![call(
                format!("ssm:{operation}"),
                arn("ssm", &format!("parameter{}", text("Name"))),
                &[],
            )],
            "kms" => {
                let bound: Vec<(String, Vec<String>)> = json["EncryptionContext"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| {
                        (
                            format!("kms:EncryptionContext:{key}"),
                            vec![value.as_str().unwrap_or_default().to_owned()],
                        )
                    })
                    .collect();
                let bound: Vec<(&str, Vec<String>)> = bound
                    .iter()
                    .map(|(key, values)| (key.as_str(), values.clone()))
                    .collect();
                vec![call(format!("kms:{operation}"), self.key(region), &bound)]
            }
            "sqs" => {
                let url = text("QueueUrl");
                let name = url.rsplit('/').next().unwrap_or_default();
                vec![call(format!("sqs:{operation}"), arn("sqs", name), &[])]
            }
            "logs" => {
                let group = format!("log-group:{}", text("logGroupName"));
                let resource = match text("logStreamName") {
                    stream if stream.is_empty() || operation == "CreateLogStream" => format!("{group}:"),
                    stream => format!("{group}:log-stream:{stream}"),
                };
                vec![call(format!("logs:{operation}"), arn("logs", &resource), &[])]
            }
            "monitoring" => {
                let operation = self
                    .path
                    .rsplit('/')
                    .next()
                    .filter(|last| !last.is_empty())
                    .map_or_else(|| form.get("Action").cloned().unwrap_or(operation), str::to_owned);
                vec![call(
                    format!("cloudwatch:{operation}"),
                    "*".to_owned(),
                    &[("cloudwatch:namespace", self.namespaces(&form))],
                )]
            }
            "email" | "ses" => {
                let recipients = form
                    .iter()
                    .filter(|(key, _)| key.starts_with("Destinations.member."))
                    .map(|(_, value)| value.clone());
                let from = form.get("Source").cloned().unwrap_or_default();
                let resource = arn(
                    "ses",
                    &format!("identity/{}", from.rsplit('@').next().unwrap_or_default()),
                );
                let context = [
                    ("ses:FromAddress", vec![from]),
                    ("ses:Recipients", recipients.collect()),
                ];
                let action = form.get("Action").cloned().unwrap_or_default();
                vec![call(format!("ses:{action}"), resource, &context)]
            }
            other => vec![call(format!("{other}:{operation}"), "?".to_owned(), &[])],
        }
    }

    /// What an upload to S3 says about its encryption, as conditions name it.
    fn encryption(&self) -> BTreeMap<String, Vec<String>> {
        let named = [
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
        ];
        let given = named.map(|name| (format!("s3:{name}"), vec![self.header(name)]));
        given.into_iter().filter(|(_, values)| values != &[""]).collect()
    }

    fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// moto writes the key's id in front of what it encrypts.
    fn key(&self, region: &str) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let blob = json["CiphertextBlob"].as_str().unwrap_or_default();
        let bytes = data_encoding::BASE64.decode(blob.as_bytes()).unwrap_or_default();
        let id = String::from_utf8_lossy(&bytes[..bytes.len().min(36)]).into_owned();
        format!("arn:aws:kms:{region}:123456789012:key/{id}")
    }

    /// The namespace, wherever the protocol of the day has it.
    fn namespaces(&self, form: &BTreeMap<String, String>) -> Vec<String> {
        if let Some(namespace) = form.get("Namespace") {
            return vec![namespace.clone()];
        }
        let text = String::from_utf8_lossy(&self.body);
        let names = [
            "Uptake/Copilot",
            "Uptake/Engagement",
            "Uptake/M365",
            "Uptake/Pipeline",
            "Uptake/Workflows",
        ];
        names
            .into_iter()
            .filter(|name| text.contains(name))
            .map(str::to_owned)
            .collect()
    }

    /// Action and resource of a request to S3, by its method and what it asks in the query.
    fn of_s3(&self) -> Vec<(String, String)> {
        let path = percent_decode_str(self.path.trim_start_matches('/')).decode_utf8_lossy();
        let (bucket, key) = path.split_once('/').unwrap_or((&*path, ""));
        let (of_bucket, of_key) = (format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/{key}"));
        let query: BTreeMap<String, String> = form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        let has = |name: &str| query.contains_key(name);
        if self.method == "POST" && has("delete") {
            let text = String::from_utf8_lossy(&self.body);
            let objects = text.split("<Object>").skip(1);
            return objects
                .map(|object| {
                    let key = between(object, "<Key>", "</Key>");
                    let action = if object.contains("<VersionId>") {
                        "DeleteObjectVersion"
                    } else {
                        "DeleteObject"
                    };
                    (action.to_owned(), format!("{of_bucket}/{key}"))
                })
                .collect();
        }
        let (action, resource) = match (self.method, key.is_empty()) {
            ("GET", true) if has("versions") => ("ListBucketVersions", of_bucket),
            ("GET" | "HEAD", true) => ("ListBucket", of_bucket),
            ("GET" | "HEAD", false) => ("GetObject", of_key),
            ("PUT" | "POST", false) => ("PutObject", of_key),
            ("DELETE", false) if has("uploadId") => ("AbortMultipartUpload", of_key),
            ("DELETE", false) if has("versionId") => ("DeleteObjectVersion", of_key),
            ("DELETE", false) => ("DeleteObject", of_key),
            _ => ("?", of_key),
        };
        vec![(action.to_owned(), resource)]
    }
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let rest = text.split(from).nth(1).unwrap_or_default();
    rest.split(to).next().unwrap_or_default()
}

/// What moto cannot do is seen here alone.
#[expect(clippy::print_stderr, reason = "a test talks to the person who started it")]
fn tell(what: &str) {
    eprintln!("{what}");
}
