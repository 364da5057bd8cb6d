//! The retry table: what one answer of the upstream means for the request.
//!
//! Background: GitHub says "slow down" in six ways (403 or 429; with the primary budget used up, with `Retry-After`, or
//! with nothing but a sentence), and says "you may not" with the same 403. Choice: one pure function from an answer to a
//! [`Verdict`], so that the whole policy is one table that a test can print. Alternative: retry middleware; none of those
//! at hand sees `Retry-After`, the reset time and the body together. Consequence: waiting, counting and deadlines live in
//! the client, and nothing else decides whether to try again.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::ApiError;
use crate::http::Route;

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
    /// `retry-after`, in seconds.
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
    Err(match status {
        200..=299 | 304 => return Ok(()),
        401 => Verdict::GiveUp(ApiError::Unauthorized {
            route: template,
            hint: "renew the token or the App's key and check that it has not expired",
        }),
        403 | 429 => match limit(status, headers, body) {
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
        408 | 500..=599 => Verdict::TryAgain {
            reason: format!("status {status}"),
            at_least: headers.retry_after.unwrap_or_default(),
        },
        _ => Verdict::GiveUp(ApiError::Refused {
            route: template,
            status,
        }),
    })
}

fn limit(status: u16, headers: RateHeaders, body: &[u8]) -> Option<Limit> {
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
        _ if status == 429 || tells_of_a_limit(body) => Some(Limit::Unspecified),
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
    use crate::http::Resource;

    const ROUTE: Route = Route {
        template: "GET /x",
        resource: Resource::Core,
        grant: "grant x",
        not_found: "check x",
    };

    fn verdict(status: u16, headers: RateHeaders, body: &str) -> String {
        match judge(&ROUTE, status, headers, body.as_bytes()) {
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
            assert_eq!(verdict(status, headers, body), expected, "{status} {headers:?} {body}");
        }
    }
}
