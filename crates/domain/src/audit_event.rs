//! What the audit log says about one interaction with Copilot, and which app it happened in.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::copilot_usage::App;

/// One interaction: a prompt with what answered it, as an audit record tells of it. Never what was asked or answered.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// The record's id. The same event comes in several content blobs and through every source under the same one.
    pub event_id: String,
    /// When it happened.
    pub event_at: Timestamp,
    /// The user principal name, lower case, as of then.
    pub upn: String,
    /// The account's object id, or an older kind of id; lower case.
    pub user_key: Option<String>,
    /// What was done, in Microsoft's word.
    pub operation: String,
    /// The number of the record's type.
    pub record_type: i64,
    /// The app, as [`app_of`] names it.
    pub app: String,
    /// The app as the record names it.
    pub app_host: Option<String>,
    /// The agent that was talked to, if it was one.
    pub agent_id: Option<String>,
    /// Its name.
    pub agent_name: Option<String>,
    /// Prompts in it; none where the record holds answers only.
    pub prompts: u64,
    /// Whether the web was searched for it.
    pub web_search: bool,
    /// The rest that is worth keeping: contexts, resources, models. No text that anybody wrote.
    pub details: Map<String, Value>,
}

/// An app that is none of the eight that reports tell apart.
const AGENT: &str = "agent";
/// What an event without a host is filed under.
const UNKNOWN: &str = "unknown";

/// The app that a host stands for. A host that is not known is an app of its own name: new ones appear without notice.
///
/// `context_types` are the kinds of things the interaction was about; in the Teams client, only what is about a meeting,
/// a chat or a channel is Teams, the rest is Copilot Chat.
pub fn app_of<'a>(
    host: Option<&str>,
    agent_id: Option<&str>,
    mut context_types: impl Iterator<Item = &'a str>,
) -> String {
    let Some(host) = host.map(str::trim).filter(|host| !host.is_empty()) else {
        return UNKNOWN.to_owned();
    };
    let name = host.to_lowercase();
    let app = match name.as_str() {
        "word" => App::Word,
        "excel" => App::Excel,
        "powerpoint" => App::PowerPoint,
        "onenote" => App::OneNote,
        "loop" => App::Loop,
        "outlook" | "outlooksidepane" => App::Outlook,
        "microsoft teams" => App::Teams,
        "teams" if context_types.any(|kind| kind.starts_with("Teams")) => App::Teams,
        "office" if agent_id.is_some() => return AGENT.to_owned(),
        "teams" | "office" | "edge" => App::Chat,
        "m365admincenter" => return "admin_center".to_owned(),
        "oaiautomationagent" => return "copilot_action".to_owned(),
        "copilot studio" => return "copilot_studio".to_owned(),
        // The name of the overall figure is no app's.
        "all" => return UNKNOWN.to_owned(),
        _ => return name,
    };
    app.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_for_apps_and_unknown_ones_for_themselves() {
        let cases: [(&str, Option<&str>, &[&str], &str); 19] = [
            ("Word", None, &["docx"], "word"),
            ("OutlookSidepane", None, &[], "outlook"),
            ("Microsoft Teams", None, &[], "teams"),
            ("Teams", None, &["docx", "TeamsMeeting"], "teams"),
            ("Teams", None, &["docx"], "chat"),
            ("Office", None, &[], "chat"),
            ("Office", Some("T_1"), &[], "agent"),
            ("Word", Some("T_1"), &[], "word"),
            ("Edge", None, &[], "chat"),
            ("M365AdminCenter", None, &[], "admin_center"),
            ("OAIAutomationAgent", None, &[], "copilot_action"),
            ("Copilot Studio", Some("x"), &[], "copilot_studio"),
            ("Whiteboard", None, &[], "whiteboard"),
            ("Designer", None, &[], "designer"),
            ("SharePoint", None, &[], "sharepoint"),
            ("Forms", None, &[], "forms"),
            ("SomethingNew", None, &[], "somethingnew"),
            (" ", None, &[], "unknown"),
            ("All", None, &[], "unknown"),
        ];
        for (host, agent, contexts, app) in cases {
            assert_eq!(app_of(Some(host), agent, contexts.iter().copied()), app, "{host}");
        }
        assert_eq!(app_of(None, None, std::iter::empty()), "unknown");
    }
}
