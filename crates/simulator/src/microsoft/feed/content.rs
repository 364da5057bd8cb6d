//! What there is to fetch: lists of blobs by when they were made, page by page, and the blobs themselves.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderName, HeaderValue, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde_json::{Value, json};

use super::{
    super::{
        TENANT,
        audit::{Blob, Key, instant, milliseconds},
        functions,
        refusal::Refusal,
    },
    ContentType,
    denial::Denial,
};
use crate::world::World;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

/// How long content can be fetched, and how far back a list may begin.
const KEPT: i64 = 7 * DAY;

/// When the blobs of a list were made: `[from, until)`, whole seconds, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Range {
    /// What a request asks for, the last 24 hours where it does not say.
    pub(super) fn of(uri: &Uri, now: Timestamp) -> Result<Self, Denial> {
        let query = functions::query(uri);
        let now = milliseconds(now);
        let given = |name: &'static str| {
            let text = query.get(name).filter(|text| !text.is_empty());
            let read = |text: &String| {
                read(text).ok_or(Denial::WrongType {
                    parameter: name,
                    expected: "datetime",
                })
            };
            text.map(read).transpose()
        };
        let range = match (given("startTime")?, given("endTime")?) {
            (Some(from), Some(until)) => Self { from, until },
            (None, None) => {
                let until = now.div_euclid(1000) * 1000 + if now % 1000 == 0 { 0 } else { 1000 };
                let from = until - DAY;
                return Ok(Self { from, until });
            }
            _ => return Err(Denial::HalfRange),
        };
        if range.from >= range.until || range.until - range.from > DAY || range.from < now - KEPT {
            return Err(Denial::Range);
        }
        Ok(range)
    }

    pub(super) fn contains(self, blob: Blob) -> bool {
        (self.from..self.until).contains(&blob.created)
    }
}

/// One of the three forms that are documented: a day, to the minute, to the second.
fn read(text: &str) -> Option<i64> {
    let at = match text.len() {
        10 => text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
        16 => DateTime::strptime("%Y-%m-%dT%H:%M", text).ok()?,
        19 => DateTime::strptime("%Y-%m-%dT%H:%M:%S", text).ok()?,
        _ => return None,
    };
    Some(TimeZone::UTC.to_timestamp(at).ok()?.as_millisecond())
}

/// Where a page of a list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Turn {
    /// The position of its first item.
    first: usize,
    /// Counted from 1.
    pub(in super::super) page: u64,
}

impl Turn {
    /// Where the page of a request begins, where it is not the first one.
    pub(in super::super) fn of(uri: &Uri) -> Result<Option<Self>, Denial> {
        let query = functions::query(uri);
        let Some(token) = query.get("nextPage") else {
            return Ok(None);
        };
        let read = || {
            let (first, page) = token.strip_prefix("2015101900R")?.split_once('P')?;
            Some(Self {
                first: first.parse().ok()?,
                page: page.parse().ok()?,
            })
        };
        read().map(Some).ok_or_else(|| Denial::NextPage(token.clone()))
    }
}

/// One page of a list, and the header that leads on.
pub(super) fn page(
    world: &World,
    uri: &Uri,
    content: ContentType,
    range: Range,
    items: &[Value],
) -> Result<Response, Denial> {
    let turn = Turn::of(uri)?.unwrap_or(Turn { first: 0, page: 1 });
    let most = usize::try_from(world.settings.scenario.audit_blobs_per_page).unwrap_or(usize::MAX);
    let first = turn.first.min(items.len());
    let behind = first.saturating_add(most).min(items.len());
    let mut response = json_response(&&items[first..behind]);
    if behind < items.len() {
        // It says what was asked, but not for whom: that is with every request anew.
        let next = format!(
            "{}{}?contentType={}&startTime={}&endTime={}&nextPage=2015101900R{behind:06}P{}",
            world.url,
            uri.path(),
            content.name(),
            second(range.from),
            second(range.until),
            turn.page + 1
        );
        if let Ok(value) = HeaderValue::from_str(&next) {
            let name = HeaderName::from_static("nextpageuri");
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// As requests write it.
fn second(at: i64) -> String {
    let text = instant(at).to_string();
    text.trim_end_matches('Z').to_owned()
}

/// As answers write it, to the millisecond.
pub(super) fn written(at: i64) -> String {
    instant(at).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

pub(super) fn json_response(body: &impl serde::Serialize) -> Response {
    // Nothing of it has a shape that JSON could not hold.
    let body = serde_json::to_vec(body).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// A blob as lists and notifications tell of it.
pub(super) fn told(world: &World, content: ContentType, blob: Blob) -> Value {
    let id = id(blob);
    json!({
        "contentType": content.name(),
        "contentUri": format!("{}/api/v1.0/{TENANT}/activity/feed/audit/{id}", world.url),
        "contentId": id,
        "contentCreated": written(blob.created),
        "contentExpiration": written(blob.created + KEPT),
    })
}

/// The blobs of a list that can be seen by now. Only one content type has any.
pub(super) fn seen(world: &World, content: ContentType, range: Range, since: i64) -> Vec<Blob> {
    if content != ContentType::GENERAL {
        return Vec::new();
    }
    let log = &world.microsoft.log;
    let now = milliseconds(world.now());
    let (from, until) = (range.from.max(since).max(log.since), range.until.min(now + 1));
    if from < until {
        log.blobs(from, until)
    } else {
        Vec::new()
    }
}

/// `GET /api/v1.0/{tenant}/activity/feed/subscriptions/content`
pub(in super::super) async fn list(State(world): State<Arc<World>>, uri: Uri) -> Result<Response, Refusal> {
    let content = ContentType::of(&uri)?;
    let since = world.microsoft.subscriptions.since(content)?;
    let range = Range::of(&uri, world.now())?;
    let blobs = seen(&world, content, range, since);
    let items: Vec<_> = blobs.into_iter().map(|blob| told(&world, content, blob)).collect();
    Ok(page(&world, &uri, content, range, &items)?)
}

/// `GET /api/v1.0/{tenant}/activity/feed/audit/{content_id}`
pub(in super::super) async fn blob(
    State(world): State<Arc<World>>,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    if !id.contains('$') {
        return Err(Denial::BadContentId(id).into());
    }
    let since = world.microsoft.subscriptions.since(ContentType::GENERAL)?;
    let log = &world.microsoft.log;
    let now = milliseconds(world.now());
    let found = key(&id).and_then(|key| log.blob(key));
    let is_there = |blob: &Blob| self::id(*blob) == id && (since.max(log.since)..=now).contains(&blob.created);
    let Some(blob) = found.filter(is_there) else {
        return Err(Denial::NoContent(id).into());
    };
    if now > blob.created + KEPT {
        return Err(Denial::Expired(id).into());
    }
    let entries = log.entries(blob);
    let records: Vec<_> = entries.iter().map(|entry| &entry.body).collect();
    Ok(json_response(&records))
}

/// What a blob is called: it means nothing to anybody else.
pub(super) fn id(blob: Blob) -> String {
    let made = instant(blob.created).strftime("%Y%m%d%H%M%S%3f");
    let key = match blob.key {
        Key::Soon { day, quarter, part } => format!("a{day:06}{quarter:02}{part:06}"),
        Key::Straggling { day, after, part } => format!("b{day:06}{after:02}{part:06}"),
    };
    format!("{made}${made}$audit_general$Audit_General${key}$emea0026")
}

fn key(id: &str) -> Option<Key> {
    let key = id.split('$').nth(4)?;
    let number = |range: std::ops::Range<usize>| key.get(range)?.parse::<u32>().ok();
    let (day, middle, part) = (number(1..7)?, number(7..9)?, number(9..15)?);
    let (day, middle) = (i64::from(day), u8::try_from(middle).ok()?);
    match key.as_bytes().first()? {
        b'a' => Some(Key::Soon {
            day,
            quarter: middle,
            part,
        }),
        b'b' => Some(Key::Straggling {
            day,
            after: middle,
            part,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_blob() {
        for key_of in [
            Key::Soon {
                day: 20_777,
                quarter: 95,
                part: 12,
            },
            Key::Straggling {
                day: 20_777,
                after: 6,
                part: 0,
            },
        ] {
            let blob = Blob {
                created: 1_795_000_000_123,
                key: key_of,
            };
            assert_eq!(key(&id(blob)), Some(key_of));
        }
        for bad in [
            "",
            "$",
            "a$b$c$d$x02077742000001$e",
            "a$b$c$d$a0207$e",
            "a$b$c$d$é€€€€€$e",
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_read_in_the_documented_forms_only() {
        let day = Some(1_795_132_800_000);
        for text in ["2026-11-20", "2026-11-20T00:00", "2026-11-20T00:00:00"] {
            assert_eq!(read(text), day, "{text}");
        }
        for text in [
            "2026-11-20T00:00:00Z",
            "2026-11-20T00:00:00.000",
            "20261120",
            "2026-13-20",
            "today",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
