//! The retry table: what one answer of the upstream means for the request.
//!
//! Background: GitHub says "slow down" in six ways (403 or 429; with the primary budget used up, with `Retry-After`, or
//! with nothing but a sentence), and says "you may not" with the same 403. Microsoft says it with 429 and 503, and its
//! Management Activity API with a 403 as well, where only a code in the body tells the two apart. Choice: one pure
//! function from an answer to a [`Verdict`], so that the whole policy is one table that a test can print. Alternative: retry middleware; none of those
//! at hand sees `Retry-After`, the reset time and the body together. Consequence: waiting, counting and deadlines live in
//! the client, and nothing else decides whether to try again.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::error::ApiError;
use crate::http::{Resource, Route};

/// Wait after a secondary limit that names no time: "at least one minute", doubled each time
/// (docs.github.com, REST best practices, read 2026-11-21).
pub const SECONDARY_LIMIT_WAIT: Duration = Duration::from_mins(1);

/// What the head of an answer says about rate limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// `x-ratelimit-limit`.
    pub limit: Option<u64>,
    /// `x-ratelimit-remaining`.
    pub remaining: Option<u64>,
    /// `x-ratelimit-reset`.
    pub reset_at: Option<Timestamp>,
    /// `retry-after`.
    pub retry_after: Option<Duration>,
}

/// What to do with a request whose answer is not good.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A passing fault: again after a growing delay, a few times.
    TryAgain {
        /// What went wrong.
        reason: String,
        /// The least the upstream wants to be left alone.
        at_least: Duration,
    },
    /// A limit: nobody sends to this resource before then.
    Wait(Limit),
    /// Nothing another try could change.
    GiveUp(ApiError),
}

impl Verdict {
    /// A passing fault without any wish of the upstream's.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self::TryAgain {
            reason: reason.into(),
            at_least: Duration::ZERO,
        }
    }
}

/// In words, without any address or person.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TryAgain { reason, .. } => f.write_str(reason),
            Self::Wait(Limit::Until(until)) => write!(f, "rate limit, until {until}"),
            Self::Wait(Limit::For(wait)) => write!(f, "rate limit, for {} seconds", wait.as_secs()),
            Self::Wait(Limit::Unspecified) => f.write_str("rate limit"),
            Self::GiveUp(error) => error.fmt(f),
        }
    }
}

/// Which limit, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Until the primary budget is refilled.
    Until(Timestamp),
    /// As long as `Retry-After` says.
    For(Duration),
    /// A secondary limit that names no time.
    Unspecified,
}

/// Judges a complete answer: good, or what to do instead.
pub fn judge(route: &Route, status: u16, headers: RateHeaders, body: &[u8]) -> Result<(), Verdict> {
    let template = route.template;
    let is_github = matches!(route.resource, Resource::Core | Resource::Graphql);
    if route.resource == Resource::Activity
        && !(200..=299).contains(&status)
        && let Some(code) = feed_code(body)
        && let Some(judgement) = judge_feed(template, route.grant, code, status, headers)
    {
        return judgement;
    }
    Err(match status {
        200..=299 | 304 => return Ok(()),
        401 if is_github => Verdict::GiveUp(ApiError::Unauthorized {
            route: template,
            hint: "renew the token or the App's key and check that it has not expired",
        }),
        400 | 401 if route.resource == Resource::Login => sign_in_refused(template, status, body),
        401 if route.resource == Resource::Activity => Verdict::GiveUp(ApiError::Unauthorized {
            route: template,
            hint: "a fresh token was refused as well; check that UPTAKE_LOGIN_URL and UPTAKE_MANAGEMENT_URL are of the same cloud and that an administrator has consented to the application's permissions",
        }),
        401 if route.resource == Resource::Grafana => Verdict::GiveUp(ApiError::Unauthorized {
            route: template,
            hint: "Grafana does not know the token, or something in front of it asks who is there; check UPTAKE_GRAFANA_TOKEN and UPTAKE_GRAFANA_URL",
        }),
        401 => Verdict::GiveUp(ApiError::Unauthorized {
            route: template,
            hint: "a fresh token was refused as well; check that UPTAKE_LOGIN_URL and UPTAKE_GRAPH_URL are of the same cloud and that an administrator has consented to the application's permissions",
        }),
        403 | 429 => match limit(is_github, status, headers, body) {
            Some(limit) => Verdict::Wait(limit),
            None => Verdict::GiveUp(ApiError::Forbidden {
                route: template,
                grant: route.grant,
            }),
        },
        404 => Verdict::GiveUp(ApiError::NotFound {
            route: template,
            hint: route.not_found,
        }),
        // Microsoft throttles with 503 as well, and then says for how long.
        503 if !is_github && let Some(wait) = headers.retry_after => Verdict::Wait(Limit::For(wait)),
        408 | 500 | 502..=599 => passing_status(status, headers),
        501 if is_github => passing_status(status, headers),
        _ => Verdict::GiveUp(ApiError::Refused {
            route: template,
            upstream: route.resource.upstream(),
            status,
        }),
    })
}

/// The code in a refusal of the Management Activity API: `{"error":{"code":"AF429",...}}`. Its troubleshooting page shows
/// refusals in single quotes, which are no JSON, so that the code is found by its quotes alone.
fn feed_code(body: &[u8]) -> Option<u32> {
    String::from_utf8_lossy(body)
        .split(['"', '\''])
        .find_map(|quoted| quoted.strip_prefix("AF")?.parse().ok())
}

/// What a code of the Management Activity API means, for those that say more than the status they come with, which is not
/// documented (learn.microsoft.com, Office 365 Management Activity API reference, Errors, read 2026-11-22).
fn judge_feed(
    route: &'static str,
    grant: &'static str,
    code: u32,
    status: u16,
    headers: RateHeaders,
) -> Option<Result<(), Verdict>> {
    let configuration = |sentence: &str| Verdict::GiveUp(ApiError::Configuration(sentence.to_owned()));
    Some(Err(match code {
        // The limit is one of a minute, which is also how long is waited where no time is named.
        429 => Verdict::Wait(headers.retry_after.map_or(Limit::Unspecified, Limit::For)),
        10_001 => Verdict::GiveUp(ApiError::Forbidden { route, grant }),
        20_010 => configuration(
            "UPTAKE_TENANT_ID is not the tenant that the token is of (AF20010); it must be the id of the tenant in which the application is registered",
        ),
        20_011 => configuration("there is no tenant of this id (AF20011); check UPTAKE_TENANT_ID"),
        20_012 => configuration(
            "the tenant is not set up for the audit feed (AF20012); it needs at least one Office 365 licence, and auditing turned on in Purview",
        ),
        20_013 => configuration(
            "the audit feed wants UPTAKE_TENANT_ID to be the tenant's id, a GUID, and not one of its domains (AF20013)",
        ),
        20_021 => configuration(
            "the webhook did not answer Microsoft's validation with 200, so nothing was changed (AF20021); check that its address begins with https:// and can be reached from outside, and that UPTAKE_WEBHOOK_AUTH_ID is the same on both sides",
        ),
        20_022 => Verdict::GiveUp(ApiError::NotSubscribed { route }),
        20_023 => Verdict::GiveUp(ApiError::SubscriptionDisabled { route }),
        // Not documented: what was to be enabled is (seen live on 2026-07-16 by the authors of graph2otel's
        // o365activityclient, read 2026-11-22).
        20_024 => return Some(Ok(())),
        20_050..=20_052 => Verdict::GiveUp(ApiError::Gone { route }),
        50_000 => passing_status(status, headers),
        _ => return None,
    }))
}

/// Judges the answer of where a download lies. Its address is good for minutes only, so that the next try, which gets a
/// new one, mends even a refusal.
pub(super) fn judge_download(status: u16, headers: RateHeaders) -> Result<(), Verdict> {
    match status {
        200..=299 => Ok(()),
        _ => Err(Verdict::TryAgain {
            reason: format!("the download answered with status {status}"),
            at_least: headers.retry_after.unwrap_or_default(),
        }),
    }
}

fn passing_status(status: u16, headers: RateHeaders) -> Verdict {
    Verdict::TryAgain {
        reason: format!("status {status}"),
        at_least: headers.retry_after.unwrap_or_default(),
    }
}

/// What a refused sign-in means. The description is never repeated: it may hold ids.
fn sign_in_refused(route: &'static str, status: u16, body: &[u8]) -> Verdict {
    #[derive(serde::Deserialize)]
    struct Complaint {
        #[serde(default)]
        error: String,
        #[serde(default)]
        error_description: String,
        #[serde(default)]
        error_codes: Vec<u32>,
    }
    let Ok(complaint) = serde_json::from_slice::<Complaint>(body) else {
        return Verdict::GiveUp(ApiError::Unauthorized {
            route,
            hint: "the sign-in was refused without a reason; check UPTAKE_LOGIN_URL, UPTAKE_TENANT_ID, UPTAKE_CLIENT_ID and UPTAKE_CLIENT_SECRET",
        });
    };
    if complaint.error == "temporarily_unavailable" {
        return passing_status(status, RateHeaders::default());
    }
    let code = complaint.error_codes.first().copied().or_else(|| {
        let (_, after) = complaint.error_description.split_once("AADSTS")?;
        after.split(|sign: char| !sign.is_ascii_digit()).next()?.parse().ok()
    });
    Verdict::GiveUp(ApiError::Unauthorized {
        route,
        hint: sign_in_hint(code),
    })
}

/// What to do about a code of Microsoft's sign-in (learn.microsoft.com, Entra authentication error codes, read 2026-11-22).
fn sign_in_hint(code: Option<u32>) -> &'static str {
    match code {
        Some(7_000_215) => {
            "UPTAKE_CLIENT_SECRET is not a secret of this application (AADSTS7000215); store the secret's value, not its id"
        }
        Some(7_000_222) => {
            "the client secret has expired (AADSTS7000222); make a new one under Certificates & secrets of the app registration and store it as UPTAKE_CLIENT_SECRET"
        }
        Some(7_000_216 | 7_000_218 | 900_144) => {
            "the client secret is missing (AADSTS7000216); store it as UPTAKE_CLIENT_SECRET"
        }
        Some(700_016) => {
            "the tenant does not know this application (AADSTS700016); check UPTAKE_CLIENT_ID and UPTAKE_TENANT_ID, and that an administrator consented to it in this tenant"
        }
        Some(90_002 | 900_021 | 900_023) => {
            "there is no such tenant (AADSTS90002); check UPTAKE_TENANT_ID, and that UPTAKE_LOGIN_URL is of the tenant's cloud"
        }
        Some(7_000_112) => {
            "the application is disabled (AADSTS7000112); enable it under Enterprise applications in Entra"
        }
        Some(53_003) => {
            "a Conditional Access policy blocks the application (AADSTS53003); let its workload identity in"
        }
        Some(500_011 | 70_011 | 1_002_012) => {
            "the sign-in does not know the service that is asked for (AADSTS500011); check that UPTAKE_LOGIN_URL is of the same cloud as UPTAKE_GRAPH_URL and UPTAKE_MANAGEMENT_URL"
        }
        _ => {
            "the sign-in was refused; the sign-in logs of the service principal in Entra say why, and UPTAKE_TENANT_ID, UPTAKE_CLIENT_ID and UPTAKE_CLIENT_SECRET are to be checked"
        }
    }
}

/// Reads a `Retry-After`: seconds, or the date of RFC 9110.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(value.trim()).ok()?.timestamp();
    // One that has passed by our clock says "now".
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

fn limit(is_github: bool, status: u16, headers: RateHeaders, body: &[u8]) -> Option<Limit> {
    match headers {
        RateHeaders {
            retry_after: Some(wait),
            ..
        } => Some(Limit::For(wait)),
        RateHeaders {
            remaining: Some(0),
            reset_at: Some(reset_at),
            ..
        } => Some(Limit::Until(reset_at)),
        _ if status == 429 || (is_github && tells_of_a_limit(body)) => Some(Limit::Unspecified),
        _ => None,
    }
}

/// A 403 without any header is a limit when its sentence or its documentation link says so
/// (both spellings are in use: `#abuse-rate-limits` is the older one).
pub(crate) fn tells_of_a_limit(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Complaint {
        #[serde(default)]
        message: String,
        #[serde(default)]
        documentation_url: String,
    }
    serde_json::from_slice::<Complaint>(body).is_ok_and(|complaint| {
        let message = complaint.message.to_lowercase();
        message.contains("rate limit")
            || message.contains("abuse detection")
            || complaint.documentation_url.ends_with("secondary-rate-limits")
            || complaint.documentation_url.ends_with("#abuse-rate-limits")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route = Route {
        template: "GET /x",
        resource: Resource::Core,
        grant: "grant x",
        not_found: "check x",
        is_download: false,
    };

    fn verdict(resource: Resource, status: u16, headers: RateHeaders, body: &str) -> String {
        let route = Route { resource, ..ROUTE };
        match judge(&route, status, headers, body.as_bytes()) {
            Ok(()) => "accept".into(),
            Err(Verdict::TryAgain { at_least, .. }) => format!("try again, at least {at_least:?}"),
            Err(Verdict::Wait(Limit::Until(until))) => format!("wait until {until}"),
            Err(Verdict::Wait(Limit::For(wait))) => format!("wait {wait:?}"),
            Err(Verdict::Wait(Limit::Unspecified)) => "wait, unspecified".into(),
            Err(Verdict::GiveUp(error)) => format!("give up: {}", error.error_type()),
        }
    }

    #[test]
    fn every_answer_has_its_decision() {
        let none = RateHeaders::default();
        let used_up = RateHeaders {
            remaining: Some(0),
            reset_at: Some("2026-11-20T07:00:00Z".parse().unwrap()),
            ..none
        };
        let left = RateHeaders {
            remaining: Some(7),
            ..used_up
        };
        let retry_after = RateHeaders {
            retry_after: Some(Duration::from_secs(30)),
            ..left
        };
        let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#;
        let abuse =
            r#"{"message":"Slow down","documentation_url":"https://docs.github.example/rest#abuse-rate-limits"}"#;
        let permission = r#"{"message":"Resource not accessible by integration","documentation_url":"https://docs.github.example/rest"}"#;
        for (status, headers, body, expected) in [
            (200, none, "", "accept"),
            (200, used_up, "", "accept"),
            (204, none, "", "accept"),
            (304, none, "", "accept"),
            (401, none, "", "give up: Credentials"),
            (403, none, permission, "give up: Permission"),
            (403, left, permission, "give up: Permission"),
            (403, none, "not json", "give up: Permission"),
            (403, used_up, "", "wait until 2026-11-20T07:00:00Z"),
            (429, used_up, "", "wait until 2026-11-20T07:00:00Z"),
            (403, retry_after, secondary, "wait 30s"),
            (429, retry_after, "", "wait 30s"),
            (403, left, secondary, "wait, unspecified"),
            (403, none, abuse, "wait, unspecified"),
            (429, none, "", "wait, unspecified"),
            (404, none, "", "give up: Permission"),
            (408, none, "", "try again, at least 0ns"),
            (410, none, "", "give up: Contract"),
            (422, none, "", "give up: Contract"),
            (500, none, "", "try again, at least 0ns"),
            (502, none, "", "try again, at least 0ns"),
            (503, retry_after, "", "try again, at least 30s"),
        ] {
            let told = verdict(Resource::Core, status, headers, body);
            assert_eq!(told, expected, "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn every_answer_of_microsoft_has_its_decision() {
        let none = RateHeaders::default();
        let retry_after = RateHeaders {
            retry_after: Some(Duration::from_secs(30)),
            ..none
        };
        let denied = r#"{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges."}}"#;
        let segment = r#"{"error":{"code":"BadRequest","message":"Resource not found for the segment 'x'."}}"#;
        let secret = r#"{"error":"invalid_client","error_codes":[7000215]}"#;
        let busy = r#"{"error":"temporarily_unavailable"}"#;
        for (resource, status, headers, body, expected) in [
            (Resource::Graph, 200, none, "", "accept"),
            (Resource::Graph, 400, none, segment, "give up: Contract"),
            (Resource::Graph, 401, none, "", "give up: Credentials"),
            (Resource::Graph, 403, none, denied, "give up: Permission"),
            (Resource::Graph, 403, retry_after, "", "wait 30s"),
            (Resource::Graph, 404, none, "", "give up: Permission"),
            (Resource::Graph, 429, retry_after, "", "wait 30s"),
            (Resource::Graph, 429, none, "", "wait, unspecified"),
            (Resource::Graph, 500, none, "", "try again, at least 0ns"),
            (Resource::Graph, 501, none, "", "give up: Contract"),
            (Resource::Graph, 503, none, "", "try again, at least 0ns"),
            (Resource::Graph, 503, retry_after, "", "wait 30s"),
            (Resource::Graph, 504, retry_after, "", "try again, at least 30s"),
            (Resource::Login, 400, none, secret, "give up: Credentials"),
            (Resource::Login, 401, none, "not json", "give up: Credentials"),
            (Resource::Login, 400, none, busy, "try again, at least 0ns"),
            (Resource::Login, 429, retry_after, "", "wait 30s"),
        ] {
            let told = verdict(resource, status, headers, body);
            assert_eq!(told, expected, "{resource:?} {status} {headers:?} {body}");
        }
    }

    #[test]
    fn every_answer_of_the_audit_feed_has_its_decision() {
        let none = RateHeaders::default();
        let retry_after = RateHeaders {
            retry_after: Some(Duration::from_secs(30)),
            ..none
        };
        let code = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"Of 11111111, 'AF99999'."}}}}"#);
        for (status, headers, body, expected) in [
            (200, none, code("AF429"), "accept"),
            (403, none, code("AF429"), "wait, unspecified"),
            (429, none, code("AF429"), "wait, unspecified"),
            (403, retry_after, code("AF429"), "wait 30s"),
            (403, none, "{'error':{'code':'AF429'}}".into(), "wait, unspecified"),
            (429, none, String::new(), "wait, unspecified"),
            (403, none, String::new(), "give up: Permission"),
            (401, none, String::new(), "give up: Credentials"),
            (401, none, code("AF10001"), "give up: Permission"),
            (403, none, code("AF10001"), "give up: Permission"),
            (400, none, code("AF20001"), "give up: Contract"),
            (401, none, code("AF20010"), "give up: Configuration"),
            (400, none, code("AF20011"), "give up: Configuration"),
            (400, none, code("AF20012"), "give up: Configuration"),
            (400, none, code("AF20013"), "give up: Configuration"),
            (400, none, code("AF20020"), "give up: Contract"),
            (400, none, code("AF20021"), "give up: Configuration"),
            (400, none, code("AF20022"), "give up: Subscription"),
            (400, none, code("AF20023"), "give up: Subscription"),
            (400, none, code("AF20024"), "accept"),
            (400, none, code("AF20030"), "give up: Contract"),
            (400, none, code("AF20055"), "give up: Contract"),
            (404, none, code("AF20050"), "give up: Gone"),
            (400, none, code("AF20051"), "give up: Gone"),
            (400, none, code("AF20052"), "give up: Gone"),
            (404, none, String::new(), "give up: Permission"),
            (500, none, code("AF50000"), "try again, at least 0ns"),
            (400, none, code("AF50000"), "try again, at least 0ns"),
            (503, retry_after, String::new(), "wait 30s"),
        ] {
            let told = verdict(Resource::Activity, status, headers, &body);
            assert_eq!(told, expected, "{status} {headers:?} {body}");
        }
        let of_graph = verdict(Resource::Graph, 403, none, &code("AF429"));
        assert_eq!(of_graph, "give up: Permission", "codes are the feed's own");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("Fri, 20 Nov 2026 06:02:00 GMT", Some(120)),
            ("Fri, 20 Nov 2026 05:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
