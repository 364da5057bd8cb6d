//! Audit records: what one says about an interaction with Copilot, and whom one that cannot be understood names.
//!
//! The feed and the audit query hand out the same records. Most are of other products; those of Copilot come in several
//! shapes, none of which is promised. Members are therefore found by name in whatever case and company, one of an
//! unexpected kind is as one that is missing, and only what an event cannot do without makes a record undecodable.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uptake_domain::audit_event::{AuditEvent, app_of};
use uptake_domain::exclusions::text_mentions;

use crate::microsoft::utc;

/// Contexts, resources or models of one record that are kept. An agent may have read hundreds of files for one answer.
const MOST_DETAILS: usize = 100;
/// The search of the web among the plugins.
const WEB_SEARCH: &str = "BingWebSearch";
/// What an agent made in Copilot Studio calls itself: this, the environment, and after its id the agent's name.
const STUDIO: &str = "copilot.studio.";

/// A record that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecoded {
    /// The rule it breaks.
    pub rule: &'static str,
    /// How. It may quote the record: it goes where the record goes.
    pub reason: String,
}

/// What the head of a record tells, without the rest having been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peeked {
    /// The record's id, in lower case.
    pub event_id: Option<String>,
    /// Whose it is: the user principal name, in lower case.
    pub user_id: Option<String>,
    /// The account's object id, or an older kind of id, in lower case.
    pub user_key: Option<String>,
    /// What was done.
    pub operation: Option<String>,
    /// The number of the record's type.
    pub record_type: Option<i64>,
}

/// Reads the head of any record. What is not there, or of an unexpected kind, is `None`; of a record that is no object,
/// everything is.
pub fn peek(raw: &RawValue) -> Peeked {
    Head::of(raw).map(|head| head.peek()).unwrap_or_default()
}

/// Whether a record names somebody, wherever in it. Every text in it is asked about in lower case, member names included:
/// as a whole, and each part of it that looks like a mail address. This is for records that cannot be understood, in which
/// there is no telling what stands where.
pub fn mentions(raw: &RawValue, is_meant: &dyn Fn(&str) -> bool) -> bool {
    match serde_json::from_str(raw.get()) {
        Ok(value) => value_mentions(&value, is_meant),
        // Nested too deeply to be read.
        Err(_) => text_mentions(raw.get(), is_meant),
    }
}

/// Understands a record, or says why not.
///
/// An event needs an id, an instant and a user, and an operation. A record whose type is missing or no number has the type
/// 0, which Microsoft gives to none.
pub fn decode(raw: &RawValue) -> Result<AuditEvent, Undecoded> {
    let fault = |rule, reason: String| Undecoded { rule, reason };
    let head = Head::of(raw).map_err(|reason| fault("audit_record", reason))?;
    let peeked = head.peek();
    let without = |rule, member: &str| fault(rule, format!("the record has no {member}"));
    let event_id = peeked.event_id.ok_or_else(|| without("audit_id", "Id"))?;
    let upn = peeked.user_id.ok_or_else(|| without("audit_user", "UserId"))?;
    let operation = peeked
        .operation
        .ok_or_else(|| without("audit_operation", "Operation"))?;
    let created = head
        .text("CreationTime")
        .ok_or_else(|| without("audit_date", "CreationTime"))?;
    let event_at =
        utc(&created).ok_or_else(|| fault("audit_date", format!("CreationTime is no instant: {created}")))?;

    let data = head.copilot_event_data();
    // Beside the event's data in every record seen; within it would do as well.
    let anywhere = |name: &str| head.text(name).or_else(|| text(&data, name));
    let app_host = text(&data, "AppHost");
    let app_identity = anywhere("AppIdentity");
    let studio_identity = app_identity
        .clone()
        .filter(|identity| identity.to_lowercase().starts_with(STUDIO));
    let agent_name = anywhere("AgentName").or_else(|| studio_name(studio_identity.as_deref()?).map(str::to_owned));
    let agent_id = anywhere("AgentId").or(studio_identity);
    let contexts = list(&data, "Contexts");
    let context_types: Vec<String> = contexts.iter().filter_map(|context| text(context, "Type")).collect();
    let app = app_of(
        app_host.as_deref(),
        agent_id.as_deref(),
        context_types.iter().map(String::as_str),
    );
    let prompts = list(&data, "Messages")
        .iter()
        .filter(|message| is_prompt(message))
        .count();
    let web_search = list(&data, "AISystemPlugin").iter().any(|plugin| {
        ["Id", "Name"]
            .iter()
            .any(|name| text(plugin, name).is_some_and(|text| text.eq_ignore_ascii_case(WEB_SEARCH)))
    });
    let mut details = details(&data);
    keep(&mut details, "app_identity", app_identity);
    keep(&mut details, "client_region", anywhere("ClientRegion"));
    Ok(AuditEvent {
        event_id,
        event_at,
        upn,
        user_key: peeked.user_key,
        operation,
        record_type: peeked.record_type.unwrap_or_default(),
        app,
        app_host,
        agent_id,
        agent_name,
        prompts: u64::try_from(prompts).unwrap_or(u64::MAX),
        web_search,
        details,
    })
}

/// The members of a record, not yet read.
#[derive(Deserialize)]
#[serde(transparent)]
struct Head<'a>(#[serde(borrow)] BTreeMap<String, &'a RawValue>);

impl<'a> Head<'a> {
    fn of(raw: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(raw.get()).map_err(|error| error.to_string())
    }

    fn peek(&self) -> Peeked {
        let identifier = |name| self.text(name).map(|text| text.to_lowercase());
        Peeked {
            event_id: identifier("Id"),
            user_id: identifier("UserId"),
            user_key: identifier("UserKey"),
            operation: self.text("Operation"),
            record_type: self.value("RecordType").and_then(|value| match value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            }),
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        let raw = self.0.get(name).copied().or_else(|| {
            let (_, raw) = self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
            Some(*raw)
        })?;
        serde_json::from_str(raw.get()).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).and_then(words)
    }

    /// What is told of the interaction. Exports of the log have it as a text of JSON.
    fn copilot_event_data(&self) -> Value {
        match self.value("CopilotEventData") {
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            Some(value) => value,
            None => Value::Null,
        }
    }
}

/// What is worth keeping beside the event's columns: a choice of members by name, so that no text that anybody wrote comes
/// along, even if Microsoft one day adds it to the records.
fn details(data: &Value) -> Map<String, Value> {
    let mut details = Map::new();
    let all = |name: &str, members: &[(&str, &str)]| -> Vec<Value> {
        let chosen = list(data, name).iter().take(MOST_DETAILS).map(|value| {
            let mut of_one = Map::new();
            for (member, column) in members {
                keep(&mut of_one, column, text(value, member));
            }
            of_one
        });
        chosen.filter(|of_one| !of_one.is_empty()).map(Value::Object).collect()
    };
    let mut models: Vec<String> = Vec::new();
    for model in list(data, "ModelTransparencyDetails").iter().take(MOST_DETAILS) {
        models.extend(text(model, "ModelName").filter(|name| !models.contains(name)));
    }
    for (column, values) in [
        ("contexts", all("Contexts", &[("Id", "id"), ("Type", "type")])),
        (
            "resources",
            all(
                "AccessedResources",
                &[
                    ("Type", "type"),
                    ("SiteUrl", "site_url"),
                    ("Action", "action"),
                    ("SensitivityLabelId", "sensitivity_label"),
                ],
            ),
        ),
        ("models", models.into_iter().map(Value::String).collect()),
    ] {
        if !values.is_empty() {
            details.insert(column.to_owned(), Value::Array(values));
        }
    }
    keep(&mut details, "thread_id", text(data, "ThreadId"));
    details
}

fn keep(details: &mut Map<String, Value>, column: &str, text: Option<String>) {
    if let Some(text) = text {
        details.insert(column.to_owned(), json!(text));
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| {
        let (_, value) = members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    member(value, name).cloned().and_then(words)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    member(value, name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text that says something.
fn words(value: Value) -> Option<String> {
    let Value::String(text) = value else { return None };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn is_prompt(message: &Value) -> bool {
    match member(message, "isPrompt") {
        Some(Value::Bool(is_prompt)) => *is_prompt,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// The name in `Copilot.Studio.Default-<environment's GUID>-<name>`.
fn studio_name(identity: &str) -> Option<&str> {
    let after_guid = (0..identity.len())
        .rev()
        .find_map(|begin| is_guid(identity.get(begin..begin + GUID_LENGTH)?).then_some(begin + GUID_LENGTH))?;
    identity
        .get(after_guid..)?
        .strip_prefix('-')
        .filter(|name| !name.is_empty())
}

const GUID_LENGTH: usize = 36;

fn is_guid(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn value_mentions(value: &Value, is_meant: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => text_mentions(text, is_meant),
        Value::Array(values) => values.iter().any(|value| value_mentions(value, is_meant)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| text_mentions(name, is_meant) || value_mentions(value, is_meant)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
