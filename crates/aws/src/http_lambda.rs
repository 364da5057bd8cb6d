//! A Lambda behind a function URL but for its use case: settings read once, requests in, answers out.
//!
//! The few fields that are read of an event are read here (payload format 2.0: docs.aws.amazon.com, "Invoking Lambda
//! function URLs", read 2026-11-22). Ready-made types refuse an event for a header that is no header, or a field that is
//! missing: whoever reaches the address could then fail invocations and fill the log.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uptake_pipeline::config::Environment;
use uptake_pipeline::engagement_api::HttpAnswer;
use url::form_urlencoded;

use crate::adapters::Adapters;
use crate::lambda::{self, Error};

/// A request, as the function URL hands it over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path as it was sent, still percent-encoded, from its first slash on.
    pub path: String,
    /// The names and values of the query string, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The headers, with names in lower case; those sent more than once are one, joined by commas.
    headers: BTreeMap<String, String>,
    /// The body as it was sent.
    pub body: Bytes,
}

impl Request {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// The first value of a parameter of the query string.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.query.iter();
        parameters
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads what the function URL sends; nothing where it is something else.
    fn of(payload: Value) -> Option<Self> {
        let event: Event = serde_json::from_value(payload).ok()?;
        let text = event.body.unwrap_or_default();
        let body = if event.is_base64_encoded {
            BASE64.decode(text.as_bytes()).ok()?
        } else {
            text.into_bytes()
        };
        let query = event.raw_query_string.unwrap_or_default();
        let headers = event.headers.unwrap_or_default().into_iter();
        Some(Self {
            method: event.request_context.http.method,
            path: event.raw_path,
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: headers
                .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned())))
                .collect(),
            body: body.into(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: String,
    raw_query_string: Option<String>,
    headers: Option<BTreeMap<String, Value>>,
    request_context: EventContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct EventContext {
    http: EventHttp,
}

#[derive(Deserialize)]
struct EventHttp {
    method: String,
}

const JSON: &str = "application/json";

/// An answer. Nobody on the way may keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// What is told.
    pub body: String,
}

impl From<HttpAnswer> for Response {
    fn from(answer: HttpAnswer) -> Self {
        Self {
            status: answer.status,
            content_type: JSON,
            headers: answer.headers,
            body: answer.body,
        }
    }
}

impl Response {
    /// A JSON text.
    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            content_type: JSON,
            headers: Vec::new(),
            body: value.to_string(),
        }
    }

    /// A sentence.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// What a function URL expects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let always = [
            ("content-type", response.content_type),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ];
        let always = always.map(|(name, value)| (name, value.to_owned()));
        Self {
            status_code: response.status,
            headers: response.headers.into_iter().chain(always).collect(),
            body: response.body,
            is_base64_encoded: false,
        }
    }
}

/// Runs a function behind a function URL until the platform ends it.
///
/// `configure` reads the function's own settings, and may put beside them what outlives a request; `answer` is its use
/// case. With faulty settings, which are logged once, every request is answered with 500. Requests leave no line in the
/// log.
pub async fn serve_http<C>(
    configure: impl FnOnce(&mut Environment<'static>) -> Option<C>,
    answer: impl AsyncFn(&C, &Adapters, Request) -> Response,
) -> Result<(), Error> {
    let function = lambda::start(configure).await;
    let (function, answer) = (&function, &answer);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let response = match (function.as_ref(), Request::of(event.payload)) {
            (Err(_), _) => Response::text(500, "the function's settings are at fault; its log lists them"),
            (Ok(_), None) => Response::text(400, "call this function by its URL"),
            (Ok((config, adapters)), Some(request)) => answer(config, adapters, request).await,
        };
        Ok::<Answer, Diagnostic>(response.into())
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// An event as AWS documents it, shortened.
    fn event() -> Value {
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/my/path",
            "rawQueryString": "app=word&app=excel&q=a%20b%26c&empty",
            "cookies": ["cookie1", "cookie2"],
            "headers": {"header1": "value1", "header2": "value1,value2"},
            "queryStringParameters": {"app": "word,excel"},
            "requestContext": {
                "accountId": "123456789012",
                "http": {"method": "POST", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "agent"},
                "requestId": "id",
            },
            "body": "Hello",
            "isBase64Encoded": false,
        })
    }

    fn of_body(body: &str, is_base64_encoded: bool) -> Option<Request> {
        let mut event = event();
        event["body"] = body.into();
        event["isBase64Encoded"] = is_base64_encoded.into();
        Request::of(event)
    }

    #[test]
    fn a_request_is_read_as_it_was_sent() {
        let request = Request::of(event()).unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/my/path"));
        assert_eq!(request.header("Header1"), Some("value1"));
        assert_eq!(request.header("header2"), Some("value1,value2"));
        assert_eq!(request.header("header3"), None);
        assert_eq!(request.parameter("app"), Some("word"));
        assert_eq!(request.parameter("q"), Some("a b&c"));
        assert_eq!(request.parameter("empty"), Some(""));
        assert_eq!(request.parameter("none"), None);
        assert_eq!(request.query.iter().filter(|(name, _)| name == "app").count(), 2);
        assert_eq!(request.body, "Hello");
    }

    #[test]
    fn bytes_come_as_base64_and_nothing_comes_as_nothing() {
        assert_eq!(of_body("SGVsbG8=", true).unwrap().body, "Hello");
        assert_eq!(of_body("SGVsbG8=", false).unwrap().body, "SGVsbG8=");
        assert_eq!(of_body("no base64!", true), None);
        let mut event = event();
        let fields = event.as_object_mut().unwrap();
        for field in ["body", "isBase64Encoded", "headers", "rawQueryString"] {
            fields.remove(field);
        }
        let request = Request::of(event).unwrap();
        assert!(request.body.is_empty() && request.query.is_empty());
    }

    #[test]
    fn what_is_no_call_of_a_function_url_is_no_request() {
        for payload in [
            json!({}),
            json!([]),
            json!(null),
            json!({"scheduled_time": "2026-11-20T06:00:00Z"}),
        ] {
            assert_eq!(Request::of(payload.clone()), None, "{payload}");
        }
    }

    #[test]
    fn an_answer_has_the_form_a_function_url_expects() {
        let answer = Answer::from(Response::json(404, &json!({"error": "none"})));
        assert_eq!(
            json!(answer),
            json!({
                "statusCode": 404,
                "headers": {
                    "cache-control": "no-store", "content-type": "application/json", "x-content-type-options": "nosniff",
                },
                "body": r#"{"error":"none"}"#,
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn further_headers_go_with_the_answer() {
        let answer = HttpAnswer {
            status: 503,
            headers: vec![("retry-after", "300".to_owned())],
            body: "{}".to_owned(),
        };
        let answer = json!(Answer::from(Response::from(answer)));
        assert_eq!(answer["statusCode"], 503);
        assert_eq!(answer["headers"]["retry-after"], "300");
        assert_eq!(answer["headers"]["content-type"], "application/json");
    }

    proptest! {
        #[test]
        fn no_header_query_or_body_keeps_a_request_from_being_read(
            name in ".{0,20}", value in ".{0,20}", query in ".{0,40}", body in ".{0,40}",
        ) {
            let mut event = event();
            event["headers"] = json!({name: value});
            event["rawQueryString"] = query.into();
            event["body"] = body.clone().into();
            let request = Request::of(event).unwrap();
            prop_assert_eq!(request.body, body.as_bytes());
        }
    }
}
