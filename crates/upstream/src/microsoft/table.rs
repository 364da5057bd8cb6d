//! A report's rows, from CSV or JSON: columns are found by name, in whatever order and company they come.
//!
//! A column's name is compared by its letters and digits only, in lower case: "Copilot Chat (work) Last Activity Date" of
//! the CSV and `copilotChatWorkLastActivityDate` of the JSON are then one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use csv::{ByteRecord, ReaderBuilder};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::error::ApiError;
use crate::http::Route;
use crate::http::retry::Verdict;
use crate::microsoft::pages::Page;
use crate::microsoft::read_json;
use crate::microsoft::reports::{DecodedRows, RejectedRow};

const REFRESH: &str = "Report Refresh Date";
const UPN: &str = "User Principal Name";

/// A kind of row.
pub(super) trait Row: Sized + std::fmt::Debug {
    /// Columns without which the report is another one, as the CSV spells them.
    const REQUIRED: &'static [&'static str];
    /// The rules that a row can break.
    const RULES: Rules;

    fn upn(&self) -> &str;
    fn refresh_on(&self) -> Date;
    /// Takes over what a second row of the same person knows better.
    fn absorb(&mut self, other: Self);
}

/// The names of rules.
pub(super) struct Rules {
    pub(super) fields: &'static str,
    pub(super) user: &'static str,
    pub(super) date: &'static str,
    pub(super) number: &'static str,
}

/// What a row breaks, and how.
pub(super) struct Fault {
    rule: &'static str,
    reason: String,
}

/// The fields of one row.
pub(super) struct Fields<'a> {
    values: &'a dyn Fn(&str) -> Option<Cow<'a, str>>,
    rules: &'a Rules,
}

impl<'a> Fields<'a> {
    /// A field's text; `None` when it is empty or there is no such column.
    fn text(&self, column: &str) -> Option<Cow<'a, str>> {
        (self.values)(&plain(column)).filter(|text| !text.trim().is_empty())
    }

    /// Whose row it is, in lower case.
    pub(super) fn upn(&self) -> Result<String, Fault> {
        let upn = self.text(UPN).map(|text| text.trim().to_lowercase());
        upn.ok_or_else(|| Fault {
            rule: self.rules.user,
            reason: format!("no {UPN}"),
        })
    }

    /// The day up to which it tells.
    pub(super) fn refresh_on(&self) -> Result<Date, Fault> {
        self.date(REFRESH)?.ok_or_else(|| Fault {
            rule: self.rules.date,
            reason: format!("no {REFRESH}"),
        })
    }

    /// A day that cannot be later than the report is fresh.
    pub(super) fn date_until(&self, column: &str, refresh_on: Date) -> Result<Option<Date>, Fault> {
        match self.date(column)? {
            Some(date) if date > refresh_on => Err(Fault {
                rule: self.rules.date,
                reason: format!("{column} is {date}, after the report's {refresh_on}"),
            }),
            date => Ok(date),
        }
    }

    fn date(&self, column: &str) -> Result<Option<Date>, Fault> {
        self.text(column)
            .map(|text| {
                date(text.trim()).ok_or_else(|| Fault {
                    rule: self.rules.date,
                    reason: format!("{column} is no date: {text}"),
                })
            })
            .transpose()
    }

    /// A count.
    pub(super) fn number<N: std::str::FromStr>(&self, column: &str) -> Result<Option<N>, Fault> {
        self.text(column)
            .map(|text| {
                text.trim().parse().map_err(|_| Fault {
                    rule: self.rules.number,
                    reason: format!("{column} is no count: {text}"),
                })
            })
            .transpose()
    }
}

/// `2026-07-03`, or an instant, whose day is UTC's.
fn date(text: &str) -> Option<Date> {
    if text.contains('T') {
        let instant = text
            .parse::<Timestamp>()
            .map(|at| at.to_zoned(TimeZone::UTC).date())
            .ok();
        return instant.or_else(|| Some(text.parse::<DateTime>().ok()?.date()));
    }
    // Nothing but this form: others are read differently by different people.
    let is_written_out = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    is_written_out.then(|| text.parse().ok())?
}

/// A name's letters and digits in lower case.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|sign| sign.to_ascii_lowercase())
        .collect()
}

/// What one body holds.
pub(super) struct Body<T> {
    pub(super) rows: Rows<T>,
    pub(super) layout: Layout,
    pub(super) next_link: Option<String>,
}

/// How a body is laid out.
pub(super) enum Layout {
    /// Nothing in it.
    Empty,
    /// CSV with these columns, named plainly.
    Csv(HashMap<String, usize>),
    /// A page of JSON.
    Json,
}

impl Layout {
    /// Whether it is CSV with such a column.
    pub(super) fn has_column(&self, name: &str) -> bool {
        matches!(self, Self::Csv(columns) if columns.contains_key(&plain(name)))
    }
}

/// Reads a body as what it is: routes that promise CSV have been seen to answer JSON, and the other way round.
pub(super) fn read<T: Row>(
    route: &Route,
    body: &[u8],
    decode: impl Fn(&Fields<'_>) -> Result<T, Fault>,
) -> Result<Body<T>, Verdict> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Ok(Body {
            rows: Rows::new(),
            layout: Layout::Empty,
            next_link: None,
        }),
        Some(b'{') => read_page(route, body, decode),
        Some(_) => read_csv(route, body, decode),
    }
}

fn read_csv<T: Row>(
    route: &Route,
    body: &[u8],
    decode: impl Fn(&Fields<'_>) -> Result<T, Fault>,
) -> Result<Body<T>, Verdict> {
    let cut_off = || Verdict::passing("the report was cut off");
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(body);
    let header = reader.byte_headers().map_err(|_| cut_off())?;
    let width = header.len();
    let mut columns = HashMap::new();
    for (index, name) in header.iter().enumerate() {
        columns.entry(plain(&String::from_utf8_lossy(name))).or_insert(index);
    }
    if let Some(missing) = T::REQUIRED.iter().find(|name| !columns.contains_key(&plain(name))) {
        return Err(if body.contains(&b'\n') {
            missing_column(route, missing)
        } else {
            cut_off()
        });
    }
    let mut rows = Rows::new();
    let mut record = ByteRecord::new();
    let mut is_last_short = false;
    while reader.read_byte_record(&mut record).map_err(|_| cut_off())? {
        is_last_short = record.len() < width;
        let values = |name: &str| {
            let field = record.get(*columns.get(name)?)?;
            Some(String::from_utf8_lossy(field))
        };
        let fields = Fields {
            values: &values,
            rules: &T::RULES,
        };
        let decoded = if record.len() == width {
            decode(&fields)
        } else {
            Err(Fault {
                rule: T::RULES.fields,
                reason: format!("{} fields under {width} columns", record.len()),
            })
        };
        rows.add(decoded, &fields, || {
            let begin = record.position().map_or(0, csv::Position::byte);
            let end = reader.position().byte();
            let raw = usize::try_from(begin)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(begin, end)| body.get(begin..end));
            String::from_utf8_lossy(raw.unwrap_or_default()).trim().to_owned()
        });
    }
    if is_last_short {
        return Err(cut_off());
    }
    Ok(Body {
        rows,
        layout: Layout::Csv(columns),
        next_link: None,
    })
}

fn read_page<T: Row>(
    route: &Route,
    body: &[u8],
    decode: impl Fn(&Fields<'_>) -> Result<T, Fault>,
) -> Result<Body<T>, Verdict> {
    let page: Page = read_json(route, body)?;
    let members: Vec<_> = page.value.iter().map(|raw| members(raw.get())).collect();
    let is_in_none = |name: &&&str| {
        let name = plain(name);
        !members.iter().any(|members| members.contains_key(&name))
    };
    if !members.is_empty()
        && let Some(missing) = T::REQUIRED.iter().find(is_in_none)
    {
        return Err(missing_column(route, missing));
    }
    let mut rows = Rows::new();
    for (raw, members) in page.value.iter().zip(&members) {
        let values = |name: &str| members.get(name).map(|text| Cow::Borrowed(text.as_str()));
        let fields = Fields {
            values: &values,
            rules: &T::RULES,
        };
        rows.add(decode(&fields), &fields, || raw.get().to_owned());
    }
    Ok(Body {
        rows,
        layout: Layout::Json,
        next_link: page.next_link,
    })
}

/// The members of an object as texts by their plain names. What is told by period lies in a list of one object.
fn members(raw: &str) -> HashMap<String, String> {
    let mut members = HashMap::new();
    let mut inner = Vec::new();
    if let Ok(Value::Object(row)) = serde_json::from_str(raw) {
        for (name, value) in row {
            match value {
                Value::Array(list) => inner.extend(list.into_iter().next()),
                value => {
                    members.insert(plain(&name), member(value));
                }
            }
        }
    }
    for (name, value) in inner
        .into_iter()
        .filter_map(|value| {
            if let Value::Object(of_period) = value {
                Some(of_period)
            } else {
                None
            }
        })
        .flatten()
    {
        members.entry(plain(&name)).or_insert_with(|| member(value));
    }
    members
}

fn member(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn missing_column(route: &Route, name: &str) -> Verdict {
    Verdict::GiveUp(ApiError::Contract {
        route: route.template,
        reason: format!("the report has no column \"{name}\""),
    })
}

/// Rows as they are gathered: one a person.
pub(super) struct Rows<T> {
    gathered: DecodedRows<T>,
    places: HashMap<String, usize>,
}

impl<T: Row> Rows<T> {
    pub(super) fn new() -> Self {
        Self {
            gathered: DecodedRows {
                refresh_on: None,
                rows: Vec::new(),
                rejected: Vec::new(),
                concealed: false,
                duplicates: 0,
            },
            places: HashMap::new(),
        }
    }

    /// Rows that came, before any were merged.
    pub(super) fn came(&self) -> usize {
        let duplicates = usize::try_from(self.gathered.duplicates).unwrap_or(usize::MAX);
        self.gathered.rows.len() + self.gathered.rejected.len() + duplicates
    }

    fn add(&mut self, decoded: Result<T, Fault>, fields: &Fields<'_>, record: impl FnOnce() -> String) {
        self.gathered.concealed |= fields.text(UPN).is_some_and(|upn| is_concealed(upn.trim()));
        match decoded {
            Ok(row) => self.push(row),
            Err(Fault { rule, reason }) => self.gathered.rejected.push(RejectedRow {
                rule,
                reason,
                record: record(),
            }),
        }
    }

    fn push(&mut self, row: T) {
        match self.places.entry(row.upn().to_owned()) {
            Entry::Vacant(place) => {
                place.insert(self.gathered.rows.len());
                self.gathered.rows.push(row);
            }
            Entry::Occupied(place) => {
                self.gathered.duplicates += 1;
                if let Some(known) = self.gathered.rows.get_mut(*place.get()) {
                    known.absorb(row);
                }
            }
        }
    }

    /// The rows of both: these and the next page's.
    pub(super) fn and(mut self, next: Self) -> Self {
        let next = next.gathered;
        next.rows.into_iter().for_each(|row| self.push(row));
        self.gathered.rejected.extend(next.rejected);
        self.gathered.concealed |= next.concealed;
        self.gathered.duplicates += next.duplicates;
        self
    }

    /// The rows of the day that most of them tell of. A row of another day is a mistake: one dated in the future would
    /// make everybody's report look fresh.
    pub(super) fn into_inner(self) -> DecodedRows<T> {
        let mut gathered = self.gathered;
        let mut days: HashMap<Date, usize> = HashMap::new();
        for row in &gathered.rows {
            *days.entry(row.refresh_on()).or_default() += 1;
        }
        let most = days.into_iter().max_by_key(|(day, rows)| (*rows, *day));
        gathered.refresh_on = most.map(|(day, _)| day);
        let (of_the_day, others) = gathered
            .rows
            .into_iter()
            .partition(|row| Some(row.refresh_on()) == gathered.refresh_on);
        gathered.rows = of_the_day;
        gathered
            .rejected
            .extend(Vec::into_iter(others).map(|row: T| RejectedRow {
                rule: T::RULES.date,
                reason: format!("{REFRESH} is {}, and most rows have another day", row.refresh_on()),
                record: format!("{row:?}"),
            }));
        gathered
    }
}

/// A name that was replaced by its digest has 32 hexadecimal digits.
fn is_concealed(upn: &str) -> bool {
    upn.len() == 32 && upn.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_one_form_and_an_instant_is_utc() {
        let day = jiff::civil::date(2026, 7, 3);
        for text in [
            "2026-07-03",
            "2026-07-03T23:30:00Z",
            "2026-07-03T00:00:00",
            "2026-07-04T01:30:00+02:00",
        ] {
            assert_eq!(date(text), Some(day), "{text}");
        }
        for text in [
            "20260703",
            "03-07-2026",
            "7/3/2026",
            "2026-07",
            "2026-13-01",
            "2026-07-03 ",
            "Th",
            "T",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_digest_is_a_concealed_name() {
        assert!(is_concealed("E58EEF6A6BBD3D0293CB306D24A42057"));
        assert!(is_concealed("e58eef6a6bbd3d0293cb306d24a42057"));
        assert!(!is_concealed("E58EEF6A6BBD3D0293CB306D24A4205"));
        assert!(!is_concealed("G58EEF6A6BBD3D0293CB306D24A42057"));
        assert!(!is_concealed("adele.vance@contoso.example12345"));
    }

    #[test]
    fn a_name_is_its_letters_and_digits() {
        assert_eq!(
            plain(" Copilot Chat (work) Last Activity Date"),
            "copilotchatworklastactivitydate"
        );
        assert_eq!(
            plain("copilotChatWorkLastActivityDate"),
            "copilotchatworklastactivitydate"
        );
    }
}
