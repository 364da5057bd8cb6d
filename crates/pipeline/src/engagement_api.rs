//! The use case `engagement-api`: a request becomes a question, and what is known becomes an answer in JSON.
//!
//! What may be asked stands in [`ROUTES`] and, for whoever calls, in `docs/openapi/engagement.json`; a test compares the two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use jiff::civil::Date;
use serde_json::json;
use uptake_domain::calendar::day_of;
use uptake_domain::engagement::Timeframe;
use uptake_lake::Lake;

use crate::config::EngagementApiConfig;
use crate::engagement::ALL_APPS;
use crate::engagement_queries::{
    Engagement, MOST_TOP, Part, Question, USUAL_INACTIVE_DAYS, USUAL_STREAK, USUAL_TOP, When,
};
use crate::identity_state::IdentityError;
use crate::outcome::PipelineError;
use crate::ports::Ports;

/// The name of the function.
pub const FUNCTION: &str = "engagement-api";
/// The document that describes the API.
pub const OPENAPI: &str = include_str!("../../../docs/openapi/engagement.json");

/// The longest answer of a function, in bytes (docs.aws.amazon.com, "Lambda quotas": invocation payload, synchronous; read
/// 2026-11-22).
pub const MOST_ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// Rows of an answer, unless more are asked for.
pub const USUAL_LIMIT: usize = 1_000;
/// The most rows of an answer: with the longest names that Microsoft allows, they stay below [`MOST_ANSWER_BYTES`].
pub const MOST_LIMIT: usize = 10_000;
/// More days and interactions than anybody has.
pub const MOST_NUMBER: u64 = 1_000_000;
/// The most apps of a question; there are some twenty.
const MOST_APPS: usize = 50;
/// A change of keys takes minutes.
const PAUSED_FOR_SECONDS: u32 = 300;
/// What fails once mostly does not twice.
const BUSY_FOR_SECONDS: u32 = 5;

/// Something that can be asked for.
#[derive(Debug)]
pub struct Route {
    /// Its path.
    pub path: &'static str,
    /// The parameters of the query that it takes.
    pub parameters: &'static [&'static str],
}

/// Everything that can be asked for.
pub const ROUTES: &[Route] = &[
    Route {
        path: "/agents",
        parameters: &["timeframe", "start", "limit", "after"],
    },
    Route {
        path: "/completed",
        parameters: &["apps", "days", "interactions", "timeframe", "start", "limit", "after"],
    },
    Route {
        path: "/inactive",
        parameters: &["days", "limit", "after"],
    },
    Route {
        path: "/leaderboard",
        parameters: &["app", "timeframe", "start", "top"],
    },
    Route {
        path: OPENAPI_PATH,
        parameters: &[],
    },
    Route {
        path: "/streaks",
        parameters: &["apps", "count", "limit", "after"],
    },
];
const OPENAPI_PATH: &str = "/openapi.json";

/// An answer as HTTP has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Such as 200.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// A JSON text.
    pub body: String,
}

impl HttpAnswer {
    fn refusal(status: u16, error: &str, message: &impl Display) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: json!({"error": error, "message": message.to_string()}).to_string(),
        }
    }

    fn with(mut self, header: &'static str, value: impl Display) -> Self {
        self.headers.push((header, value.to_string()));
        self
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The description of the API.
    Document,
    /// A part of an answer.
    Question(Question, Part),
}

/// Answers a request. A path is as it was sent; names and values of the query are decoded. `lake` is where the engagement
/// tables lie, or why that cannot be told.
pub async fn answer(
    lake: Result<Lake, PipelineError>,
    config: &EngagementApiConfig,
    ports: Ports<'_>,
    method: &str,
    path: &str,
    query: &[(String, String)],
) -> HttpAnswer {
    let request = match request(method, path, query) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let Request::Question(question, part) = request else {
        return ok(OPENAPI.to_owned());
    };
    let asked = async {
        let engagement = Engagement {
            lake: &lake?,
            files: ports.files,
            week_starts_on: config.week_starts_on,
            today: day_of(ports.clock.now()),
        };
        engagement.ask(&question, &part).await
    };
    match asked.await {
        Ok(answer) => ok(json!(answer).to_string()),
        Err(error) => failure(&error),
    }
}

fn ok(body: String) -> HttpAnswer {
    HttpAnswer {
        status: 200,
        headers: Vec::new(),
        body,
    }
}

/// What went wrong, in the words of [`PipelineError::error_type`].
fn failure(error: &PipelineError) -> HttpAnswer {
    if let PipelineError::Identity(pause @ IdentityError::Paused { .. }) = error {
        return HttpAnswer::refusal(503, "paused", pause).with("retry-after", PAUSED_FOR_SECONDS);
    }
    let error_type = error.error_type();
    tracing::error!(error_type, %error, "a question could not be answered");
    let word = error_type.to_lowercase();
    match error_type {
        "Retryable" => HttpAnswer::refusal(503, &word, error).with("retry-after", BUSY_FOR_SECONDS),
        _ => HttpAnswer::refusal(500, &word, error),
    }
}

/// Reads a request, or refuses it.
pub fn request(method: &str, path: &str, query: &[(String, String)]) -> Result<Request, HttpAnswer> {
    let Some(route) = ROUTES.iter().find(|route| route.path == path) else {
        let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
        let message = format!("there is no such path; there are {}", paths.join(", "));
        return Err(HttpAnswer::refusal(404, "not_found", &message));
    };
    if method != "GET" {
        let message = format!("{path} can be read with GET only");
        return Err(HttpAnswer::refusal(405, "method_not_allowed", &message).with("allow", "GET"));
    }
    let mut parameters = Parameters::of(route, query);
    let request = parameters.request(route.path);
    match request.filter(|_| parameters.faults.is_empty()) {
        Some(request) => Ok(request),
        None => Err(HttpAnswer::refusal(400, "bad_request", &parameters.faults.join("; "))),
    }
}

/// Reads parameters and remembers every fault.
struct Parameters<'a> {
    given: BTreeMap<&'a str, &'a str>,
    faults: Vec<String>,
}

impl<'a> Parameters<'a> {
    fn of(route: &Route, query: &'a [(String, String)]) -> Self {
        let (mut given, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, value) in query {
            if !route.parameters.contains(&name.as_str()) {
                let known = match route.parameters {
                    [] => "it takes none".to_owned(),
                    known => format!("it takes {}", known.join(", ")),
                };
                faults.push(format!("{} does not know every parameter given: {known}", route.path));
            } else if given.insert(name.as_str(), value.trim()).is_some() {
                faults.push(format!("{name} is given more than once"));
            }
        }
        faults.dedup();
        Self { given, faults }
    }

    fn request(&mut self, path: &str) -> Option<Request> {
        if path == OPENAPI_PATH {
            return Some(Request::Document);
        }
        let limit = self.size("limit", USUAL_LIMIT, MOST_LIMIT);
        let after = self.given.get("after").map(|after| (*after).to_owned());
        let question = match path {
            "/streaks" => self.streaks(),
            "/completed" => self.completed(),
            "/inactive" => Some(self.inactive()),
            "/leaderboard" => self.leaderboard(),
            "/agents" => self.when(Timeframe::Week).map(|when| Question::Agents { when }),
            _ => None,
        };
        Some(Request::Question(question?, Part { limit, after }))
    }

    fn streaks(&mut self) -> Option<Question> {
        let apps = self.apps("apps", MOST_APPS);
        let count = self.number("count").unwrap_or(USUAL_STREAK);
        Some(Question::Streaks { apps: apps?, count })
    }

    fn completed(&mut self) -> Option<Question> {
        let apps = self.apps("apps", MOST_APPS);
        let days = self.number("days");
        let interactions = self.number("interactions");
        let when = self.when(Timeframe::Week);
        if !self.given.contains_key("days") && !self.given.contains_key("interactions") {
            self.faults.push("give days, interactions or both".to_owned());
        }
        Some(Question::Completed {
            apps: apps?,
            days,
            interactions,
            when: when?,
        })
    }

    fn inactive(&mut self) -> Question {
        let days = self.number("days").and_then(|days| u32::try_from(days).ok());
        Question::Inactive {
            days: days.unwrap_or(USUAL_INACTIVE_DAYS),
        }
    }

    fn leaderboard(&mut self) -> Option<Question> {
        let app = self.apps("app", 1);
        let when = self.when(Timeframe::Week);
        let top = self.size("top", USUAL_TOP, MOST_TOP);
        Some(Question::Leaderboard {
            app: app?.pop_first()?,
            when: when?,
            top,
        })
    }

    fn apps(&mut self, name: &str, most: usize) -> Option<BTreeSet<String>> {
        let given = self.given.get(name).copied().unwrap_or(ALL_APPS);
        let apps: BTreeSet<String> = given.split(',').map(|app| app.trim().to_lowercase()).collect();
        let wrong = apps.len() > most || apps.contains("");
        if wrong {
            self.faults.push(match most {
                1 => format!("{name} is one app, such as teams, or all"),
                _ => format!("{name} is a comma list of at most {most} apps, such as teams,word, or all"),
            });
        }
        (!wrong).then_some(apps)
    }

    fn when(&mut self, otherwise: Timeframe) -> Option<When> {
        let timeframe = self.given.get("timeframe").copied().unwrap_or(otherwise.as_str());
        let timeframe = Timeframe::ALL.into_iter().find(|known| known.as_str() == timeframe);
        if timeframe.is_none() {
            self.faults.push("timeframe is week, month or all_time".to_owned());
        }
        let day = match self.given.get("start").map(|text| Date::from_str(text)) {
            None => None,
            Some(Ok(_)) if timeframe == Some(Timeframe::AllTime) => {
                self.faults
                    .push("all_time has no start; leave start out, or ask for a week or a month".to_owned());
                return None;
            }
            Some(Ok(day)) => Some(day),
            Some(Err(_)) => {
                self.faults
                    .push("start is a day of the week or month that is meant, such as 2026-11-16".to_owned());
                return None;
            }
        };
        Some(When {
            timeframe: timeframe?,
            day,
        })
    }

    /// Nothing where it is missing or, which is a fault, no number.
    fn number(&mut self, name: &str) -> Option<u64> {
        self.up_to(name, MOST_NUMBER)
    }

    fn size(&mut self, name: &str, usual: usize, most: usize) -> usize {
        let number = self.up_to(name, most as u64);
        number.and_then(|number| usize::try_from(number).ok()).unwrap_or(usual)
    }

    fn up_to(&mut self, name: &str, most: u64) -> Option<u64> {
        let text = self.given.get(name)?;
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.faults.push(format!("{name} is a whole number from 1 to {most}"));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::engagement_queries::{CompletedRow, InactiveRow, LeaderRow, StreakRow};

    fn document() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    /// The parameters that the document has for a path, with references to their schemas followed.
    fn documented(document: &Value, path: &str) -> Vec<(String, Value)> {
        let parameters = document["paths"][path]["get"]["parameters"].as_array();
        let parameters = parameters.into_iter().flatten();
        parameters
            .map(|parameter| {
                assert_eq!(parameter["in"], "query");
                let mut schema = parameter["schema"].clone();
                if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
                    let target = document["components"]["schemas"][name].as_object().unwrap().clone();
                    schema.as_object_mut().unwrap().extend(target);
                }
                (parameter["name"].as_str().unwrap().to_owned(), schema)
            })
            .collect()
    }

    fn get(path: &str, query: &[(&str, &str)]) -> Result<Request, HttpAnswer> {
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        request("GET", path, &query)
    }

    /// Asks with one parameter more than has to be there.
    fn asked(path: &str, more: Option<(&str, &str)>) -> Result<Request, HttpAnswer> {
        let needed = (path == "/completed" && more.is_none_or(|(name, _)| name != "days")).then_some(("days", "3"));
        let query: Vec<_> = needed.into_iter().chain(more).collect();
        get(path, &query)
    }

    fn refusal(answer: Result<Request, HttpAnswer>) -> (u16, String) {
        let answer = answer.unwrap_err();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, body["message"].as_str().unwrap().to_owned())
    }

    #[test]
    fn the_document_has_every_path_and_parameter_and_no_other() {
        let document = document();
        let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        let mut routes: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
        routes.sort_unstable();
        assert_eq!(paths, routes);
        for (path, methods) in document["paths"].as_object().unwrap() {
            assert!(methods.as_object().unwrap().keys().eq(["get"]), "{path}");
        }
        for route in ROUTES {
            let names: Vec<String> = documented(&document, route.path)
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            assert_eq!(names, route.parameters, "{}", route.path);
        }
    }

    #[test]
    fn parameters_take_what_the_document_says_and_mean_its_default_where_they_are_missing() {
        let document = document();
        for route in ROUTES {
            for (name, schema) in documented(&document, route.path) {
                let context = format!("{} {name} {schema}", route.path);
                let ask = |value: &str| asked(route.path, Some((&name, value)));
                if let Some(default) = schema.get("default") {
                    let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                    assert_eq!(ask(&default), asked(route.path, None), "{context}");
                }
                for (bound, outside) in [("minimum", -1), ("maximum", 1)] {
                    let Some(bound) = schema[bound].as_i64() else { continue };
                    assert!(ask(&bound.to_string()).is_ok(), "{context}");
                    let (status, message) = refusal(ask(&(bound + outside).to_string()));
                    assert_eq!(status, 400, "{context}");
                    assert!(message.contains(&format!("{name} is a whole number")), "{context}");
                }
                for word in schema["enum"].as_array().into_iter().flatten() {
                    assert!(ask(word.as_str().unwrap()).is_ok(), "{context}");
                }
                if schema["format"] == "date" {
                    assert!(ask("2026-11-16").is_ok(), "{context}");
                    assert_eq!(refusal(ask("soon")).0, 400, "{context}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_or_given_twice_is_refused_and_every_fault_is_told() {
        let (status, message) = refusal(get("/streaks", &[("app", "word"), ("count", "0"), ("limit", "x")]));
        assert_eq!(status, 400);
        for told in [
            "it takes apps, count, limit, after",
            "count is a whole",
            "limit is a whole",
        ] {
            assert!(message.contains(told), "{told}: {message}");
        }
        let twice = refusal(get("/streaks", &[("apps", "word"), ("apps", "excel")]));
        assert_eq!(twice, (400, "apps is given more than once".to_owned()));
        let none = refusal(get("/openapi.json", &[("a", "b")]));
        assert!(none.0 == 400 && none.1.contains("takes none"), "{none:?}");
        for (path, query, told) in [
            ("/completed", &[][..], "days, interactions or both"),
            (
                "/leaderboard",
                &[("timeframe", "all_time"), ("start", "2026-11-16")],
                "no start",
            ),
            ("/leaderboard", &[("app", "word,excel")], "one app"),
            ("/agents", &[("timeframe", "year")], "week, month or all_time"),
            ("/streaks", &[("apps", "word,,excel")], "comma list"),
        ] {
            let (status, message) = refusal(get(path, query));
            assert!(status == 400 && message.contains(told), "{path} {query:?}: {message}");
        }
    }

    #[test]
    fn other_paths_and_methods_say_what_there_is() {
        for path in ["/", "", "/streaks/", "/Streaks"] {
            let (status, message) = refusal(get(path, &[]));
            assert!(status == 404 && message.contains("/leaderboard"), "{path}: {message}");
        }
        let refused = request("POST", "/streaks", &[]).unwrap_err();
        assert_eq!(refused.status, 405);
        assert_eq!(refused.headers, [("allow", "GET".to_owned())]);
    }

    #[test]
    fn apps_are_read_in_any_case_and_order() {
        let of = |apps| get("/streaks", &[("apps", apps)]).unwrap();
        assert_eq!(of("Word, TEAMS"), of("teams,word,word"));
        assert_ne!(of("word"), of("all"));
    }

    #[test]
    fn the_longest_part_fits_into_an_answer() {
        // 64 characters, an at sign, 255 of a domain, the mark of a reused name and the 16 bytes of the cipher, in base64.
        let subject = "x".repeat((64_usize + 1 + 255 + 4 + 16).div_ceil(3) * 4);
        let most = u64::from(u32::MAX);
        let rows = [
            json!(StreakRow {
                subject: subject.clone(),
                current_streak: most,
                best_streak: most
            }),
            json!(CompletedRow {
                subject: subject.clone(),
                active_days: most,
                interactions: most
            }),
            json!(InactiveRow {
                subject: subject.clone(),
                last_active_on: Some(Date::constant(2026, 11, 16)),
                inactive_days: Some(99_999),
            }),
        ];
        let bytes = |row: &Value| json!(row.to_string()).to_string().len();
        for row in rows {
            assert!(MOST_LIMIT * bytes(&row) < MOST_ANSWER_BYTES * 95 / 100, "{row}");
        }
        let place = json!(LeaderRow {
            rank: most,
            subject,
            points: most,
            active_days: most,
            current_streak: most,
            best_streak: most,
            interactions: most,
        });
        assert!(MOST_TOP * bytes(&place) < MOST_ANSWER_BYTES / 2);
    }
}
