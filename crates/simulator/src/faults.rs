//! Which request a scenario's faults hit, and how. A fault touches the requests it names and no other.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::StatusCode;
use serde::Deserialize;

use crate::server;

/// The longest wait a fault may ask for.
const LONGEST_SECONDS: u64 = 3600;

/// One `[[fault]]` of a scenario file; the crate's README describes the form.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Fault {
    route: String,
    when: When,
    times: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum When {
    On(Vec<u64>),
    Every(u64),
    Page(u64),
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is refused, in the words of the upstream.
    Refused(Refused),
    /// It is answered, and the body suffers on the way.
    Spoiled(Spoiled),
    /// It is answered late.
    Stalled(Duration),
    /// It is answered after the list has lost a seat.
    ListShift,
}

/// Refusals that upstreams word differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    PrimaryLimit { status: StatusCode, reset: Duration },
    SecondaryLimit { retry_after: Option<Duration> },
    ServerError(StatusCode),
    Unauthorized,
    Forbidden,
    NotFound,
    Unprocessable,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoiled {
    /// The connection closes in the middle of it.
    Truncated,
    /// It arrives whole by its length, but holds half a JSON document.
    Cut,
    /// It trickles.
    Slow(Duration),
}

/// The fault as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    route: String,
    on: Option<Vec<u64>>,
    every: Option<u64>,
    page: Option<u64>,
    times: Option<u64>,
    kind: WrittenKind,
    status: Option<u16>,
    seconds: Option<u64>,
    retry_after: Option<u64>,
    reset_seconds: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenKind {
    #[serde(rename = "primary_exhausted_403")]
    PrimaryExhausted403,
    #[serde(rename = "primary_exhausted_429")]
    PrimaryExhausted429,
    SecondaryWithRetryAfter,
    SecondaryWithoutHeader,
    ServerError,
    TruncatedBody,
    CutJson,
    SlowBody,
    Stalled,
    Unauthorized,
    Forbidden,
    NotFound,
    Unprocessable,
    ListShift,
}

impl TryFrom<Written> for Fault {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let kind = written.kind()?;
        let when = match (written.on, written.every, written.page) {
            (Some(on), None, None) => When::On(on),
            (None, Some(every), None) => When::Every(every),
            (None, None, Some(page)) => When::Page(page),
            _ => return Err("a fault needs exactly one of `on = [3, 7]`, `every = 5` and `page = 2`".to_owned()),
        };
        let names_zero = match &when {
            When::On(numbers) => numbers.contains(&0),
            When::Every(number) | When::Page(number) => *number == 0,
        };
        if names_zero {
            return Err("requests and pages are counted from 1, there is no 0".to_owned());
        }
        if written.route != "*" && !server::routes().any(|route| route == written.route) {
            let routes = server::routes().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "no such route {:?}, take \"*\" or one of {routes}",
                written.route
            ));
        }
        Ok(Self {
            route: written.route,
            when,
            times: written.times.unwrap_or(u64::MAX),
            kind,
        })
    }
}

impl Written {
    fn kind(&self) -> Result<Kind, String> {
        use WrittenKind as W;
        let (takes, kind) = match self.kind {
            W::PrimaryExhausted403 => ("reset_seconds", self.primary_limit(StatusCode::FORBIDDEN)?),
            W::PrimaryExhausted429 => ("reset_seconds", self.primary_limit(StatusCode::TOO_MANY_REQUESTS)?),
            W::SecondaryWithRetryAfter => {
                let retry_after = Some(wait("retry_after", self.retry_after)?);
                ("retry_after", Kind::Refused(Refused::SecondaryLimit { retry_after }))
            }
            W::SecondaryWithoutHeader => ("", Kind::Refused(Refused::SecondaryLimit { retry_after: None })),
            W::ServerError => ("status", Kind::Refused(Refused::ServerError(self.server_error()?))),
            W::TruncatedBody => ("", Kind::Spoiled(Spoiled::Truncated)),
            W::CutJson => ("", Kind::Spoiled(Spoiled::Cut)),
            W::SlowBody => ("seconds", Kind::Spoiled(Spoiled::Slow(wait("seconds", self.seconds)?))),
            W::Stalled => ("seconds", Kind::Stalled(wait("seconds", self.seconds)?)),
            W::Unauthorized => ("", Kind::Refused(Refused::Unauthorized)),
            W::Forbidden => ("", Kind::Refused(Refused::Forbidden)),
            W::NotFound => ("", Kind::Refused(Refused::NotFound)),
            W::Unprocessable => ("", Kind::Refused(Refused::Unprocessable)),
            W::ListShift => ("", Kind::ListShift),
        };
        let given = [
            ("status", self.status.is_some()),
            ("seconds", self.seconds.is_some()),
            ("retry_after", self.retry_after.is_some()),
            ("reset_seconds", self.reset_seconds.is_some()),
        ];
        match given.into_iter().find(|(name, given)| *given && *name != takes) {
            Some((name, _)) => Err(format!("`{name}` means nothing to this kind of fault, remove it")),
            None => Ok(kind),
        }
    }

    fn primary_limit(&self, status: StatusCode) -> Result<Kind, String> {
        let reset = wait("reset_seconds", self.reset_seconds)?;
        Ok(Kind::Refused(Refused::PrimaryLimit { status, reset }))
    }

    fn server_error(&self) -> Result<StatusCode, String> {
        let status = self.status.unwrap_or(500);
        StatusCode::from_u16(status)
            .ok()
            .filter(StatusCode::is_server_error)
            .ok_or_else(|| format!("status = {status} is no server error, take one between 500 and 599"))
    }
}

/// A second where the file does not say.
fn wait(name: &str, seconds: Option<u64>) -> Result<Duration, String> {
    match seconds.unwrap_or(1) {
        seconds if seconds > LONGEST_SECONDS => {
            Err(format!("{name} = {seconds} is too long, at most {LONGEST_SECONDS}"))
        }
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// The faults of a running simulator, with what each has seen so far.
#[derive(Debug)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: AtomicU64,
    hit: AtomicU64,
}

impl Faults {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        let arm = |fault: &Fault| Armed {
            fault: fault.clone(),
            seen: AtomicU64::new(0),
            hit: AtomicU64::new(0),
        };
        Self {
            armed: faults.iter().map(arm).collect(),
        }
    }

    /// What happens to this request. Every fault of the route counts it, the first that is due has it.
    pub(crate) fn next(&self, route: &str, page: u64) -> Option<Kind> {
        let mut chosen = None;
        for armed in self
            .armed
            .iter()
            .filter(|armed| armed.fault.route == "*" || armed.fault.route == route)
        {
            let number = armed.seen.fetch_add(1, Ordering::Relaxed) + 1;
            let due = match &armed.fault.when {
                When::On(numbers) => numbers.contains(&number),
                When::Every(step) => number.is_multiple_of(*step),
                When::Page(wanted) => *wanted == page,
            };
            if chosen.is_none() && due && armed.hit.fetch_add(1, Ordering::Relaxed) < armed.fault.times {
                chosen = Some(armed.fault.kind);
            }
        }
        chosen
    }
}
