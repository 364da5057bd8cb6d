//! Records as the audit log writes them (UPSTREAM 4.9): which fields an interaction has depends on where it was.

use serde::Serialize;
use serde_json::Value;

use super::{
    super::{
        TENANT,
        tenant::{Tenant, guid},
    },
    day::{Interaction, What},
};
use crate::{
    days,
    dice::{Series, Topic},
    people::Tenure,
};

/// The operation of an interaction with Copilot.
pub(super) const OPERATION: &str = "CopilotInteraction";

/// The plug-in that searches the web, by its id; its name says nothing.
const WEB_SEARCH: &str = "BingWebSearch";

/// Id and name of the agents there are.
static AGENTS: [(&str, Option<&str>); 8] = [
    (
        "T_6cf8d39b-01b5-4c2e-9a51-3f8d7be0c412.86b95ea5-7d0c-4b3f-8f0e-1c2d3e4f5a6b",
        Some("Ticket Desk"),
    ),
    (
        "T_0f7a2c44-5e19-4d83-b6a0-92c1e7d35f08.1b2c3d4e-5f60-4718-92a3-b4c5d6e7f809",
        Some("Travel Planner"),
    ),
    (
        "T_a91e5b30-7c2d-4f46-8e1b-0d3c5a7f9b24.2c3d4e5f-6071-4829-a3b4-c5d6e7f80912",
        Some("Règlement \"intérieur\", FAQ"),
    ),
    (
        "CopilotStudio.Declarative.T_3d5f7b91.onboarding",
        Some("Onboarding Buddy"),
    ),
    (
        "CopilotStudio.Declarative.T_58c0e2a4.contracts",
        Some("Contract Reader"),
    ),
    ("P_researcher", Some("Researcher")),
    ("P_analyst", Some("Analyst")),
    // Made by somebody who has left; nobody knows its name.
    ("T_ffffffff-0000-4000-8000-000000000000.unnamed", None),
];

/// Apps that reports do not count.
const OTHER_HOSTS: [&str; 6] = [
    "Whiteboard",
    "Forms",
    "SharePoint",
    "M365AdminCenter",
    "Stream",
    "VivaEngage",
];

/// An app that is in nobody's documentation: new ones come without notice.
const UNKNOWN_HOST: &str = "HoloBoard";

/// One interaction as a record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Record {
    pub(super) creation_time: String,
    pub(super) id: String,
    operation: &'static str,
    organization_id: &'static str,
    #[serde(rename = "RecordType")]
    pub(super) kind: u16,
    user_key: String,
    user_type: u8,
    version: u8,
    pub(super) workload: &'static str,
    #[serde(rename = "ClientIP")]
    pub(super) client_ip: String,
    pub(super) user_id: String,
    client_region: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_name: Option<&'static str>,
    copilot_event_data: Data,
    copilot_log_version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    #[serde(rename = "AISystemPlugin", skip_serializing_if = "Option::is_none")]
    plugins: Option<Vec<Plugin>>,
    accessed_resources: Vec<Resource>,
    app_host: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contexts: Option<Vec<Context>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    message_ids: [u8; 0],
    messages: Vec<Message>,
    model_transparency_details: Vec<Model>,
    thread_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Plugin {
    id: &'static str,
    name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    action: &'static str,
    policy_details: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensitivity_label_id: Option<&'static str>,
    site_url: String,
    #[serde(rename = "Type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    id: String,
    #[serde(rename = "Type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Message {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "JailbreakDetected", skip_serializing_if = "Option::is_none")]
    jailbreak_detected: Option<bool>,
    #[serde(rename = "isPrompt")]
    is_prompt: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Model {
    model_name: &'static str,
}

impl Record {
    /// What is written down about an interaction.
    pub(super) fn of(tenant: &Tenant, interaction: &Interaction) -> Self {
        let &Interaction {
            day,
            number,
            tenure,
            at,
            what,
        } = interaction;
        let mut throws = tenant.dice.series(Topic::AuditRecord, number, day);
        let id = guid(&mut throws);
        let mut record = Self {
            creation_time: written(at),
            id,
            operation: OPERATION,
            organization_id: TENANT,
            kind: 261,
            user_key: user_key(tenant, tenure, &mut throws),
            user_type: 0,
            version: 1,
            workload: "Copilot",
            client_ip: client_ip(&mut throws),
            user_id: user_id(tenant, tenure, day, &mut throws),
            client_region: throws.pick(&["", "", "emea"]),
            app_identity: None,
            agent_id: None,
            agent_name: None,
            copilot_event_data: Data {
                plugins: None,
                accessed_resources: Vec::new(),
                app_host: "Office",
                contexts: Some(Vec::new()),
                correlation_id: None,
                message_ids: [],
                messages: exchange(at, &mut throws),
                model_transparency_details: vec![Model {
                    model_name: throws.pick(&["DEEP_LEO", "GPT_5", "GPT_5_REASONING"]),
                }],
                thread_id: format!(
                    "19:{:016x}{:016x}@thread.v2",
                    throws.below(1 << 60),
                    throws.below(1 << 60)
                ),
            },
            copilot_log_version: "1.0.0.0",
        };
        record.dress(what, at, &mut throws);
        record
    }

    /// Gives the record the looks of the place it comes from.
    fn dress(&mut self, what: What, at: i64, throws: &mut Series) {
        let way = throws.below(10);
        let data = &mut self.copilot_event_data;
        match what {
            What::Teams => {
                let (host, kinds): (_, &[_]) = match way {
                    0..=3 => ("Teams", &["TeamsMeeting"]),
                    4 => ("Teams", &["TeamsChat"]),
                    5 => ("Teams", &["TeamsChannel"]),
                    6 | 7 => ("Teams", &["docx", "TeamsMeeting"]),
                    _ => ("Microsoft Teams", &[]),
                };
                data.app_host = host;
                data.contexts = Some(kinds.iter().map(|kind| context(kind, throws)).collect());
                // Its own type for what a whole team reads.
                if way == 5 {
                    self.kind = 334;
                }
            }
            What::Word => data.document("Word", "docx", throws),
            What::Excel => data.document("Excel", "xlsx", throws),
            What::PowerPoint => data.document("PowerPoint", "pptx", throws),
            What::OneNote => data.document("OneNote", "one", throws),
            What::Loop => data.document("Loop", "loop", throws),
            What::Outlook => data.app_host = if way < 6 { "Outlook" } else { "OutlookSidepane" },
            What::WorkChat => {
                data.plugins = Some(Vec::new());
                if way < 3 {
                    data.accessed_resources = vec![document("docx", throws)];
                }
                if way >= 7 {
                    // In the Teams client, but about nothing that is Teams.
                    data.app_host = "Teams";
                    data.contexts = Some((way == 9).then(|| context("docx", throws)).into_iter().collect());
                } else {
                    self.app_identity = Some("Copilot.MicrosoftCopilot.BizChat".to_owned());
                }
            }
            What::WebChat => {
                data.plugins = Some(if way < 8 { web_search() } else { Vec::new() });
                data.app_host = if way % 5 == 4 { "Teams" } else { "Office" };
            }
            What::Edge => {
                data.app_host = "Edge";
                data.plugins = (way < 5).then(web_search);
            }
            What::Agent => {
                let (agent, name) = throws.pick(&AGENTS);
                (self.agent_id, self.agent_name) = (Some(agent), name);
                data.app_host = if way < 8 { "Office" } else { "Teams" };
                data.accessed_resources = vec![Resource {
                    action: "Read",
                    policy_details: "",
                    sensitivity_label_id: None,
                    site_url: "https://tickets.example/api/list".to_owned(),
                    kind: "External",
                }];
            }
            What::Studio => {
                data.app_host = "Copilot Studio";
                data.contexts = None;
                data.messages.retain(|message| !message.is_prompt);
                self.app_identity = Some(format!("Copilot.Studio.Default-{TENANT}-cr8a3_itHelpdesk"));
                self.client_region = "prd";
            }
            What::Designer => {
                data.app_host = "Designer";
                data.messages = vec![Message {
                    id: "0".to_owned(),
                    jailbreak_detected: None,
                    is_prompt: true,
                }];
                data.correlation_id = Some(guid(throws));
                data.thread_id = String::new();
            }
            What::Action => {
                data.app_host = "OAIAutomationAgent";
                data.messages = vec![message(at * 1000, false)];
            }
            What::Other => {
                data.app_host = if way < 4 {
                    UNKNOWN_HOST
                } else {
                    throws.pick(&OTHER_HOSTS)
                }
            }
        }
    }

    pub(super) fn app_host(&self) -> &'static str {
        self.copilot_event_data.app_host
    }

    /// The agent that was talked to; one made with Copilot Studio is named as the application.
    pub(super) fn agent(&self) -> Option<&str> {
        let of_studio = self
            .app_identity
            .as_deref()
            .filter(|_| self.app_host() == "Copilot Studio");
        self.agent_id.or(of_studio)
    }

    pub(super) fn prompts(&self) -> u64 {
        let messages = self.copilot_event_data.messages.iter();
        messages.filter(|message| message.is_prompt).count() as u64
    }

    pub(super) fn has_web_search(&self) -> bool {
        let plugins = self.copilot_event_data.plugins.iter().flatten();
        plugins.into_iter().any(|plugin| plugin.id == WEB_SEARCH)
    }

    /// The same as a value, for who wants to break it.
    pub(super) fn value(&self) -> Value {
        // Nothing of it has a shape that JSON could not hold.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Data {
    fn document(&mut self, host: &'static str, kind: &'static str, throws: &mut Series) {
        self.app_host = host;
        self.contexts = Some(vec![context(kind, throws)]);
        if throws.below(3) == 0 {
            self.accessed_resources = vec![document(kind, throws)];
        }
    }
}

/// A prompt and what answered it, mostly.
fn exchange(at: i64, throws: &mut Series) -> Vec<Message> {
    let asked = at * 1000 + throws.between(0, 799);
    let mut messages = vec![message(asked, true), message(asked + 200, false)];
    match throws.below(10) {
        // The answer was stopped, or came in two.
        0 => messages.truncate(1),
        1 => messages.push(message(asked + 900, false)),
        _ => {}
    }
    messages
}

fn message(milliseconds: i64, is_prompt: bool) -> Message {
    Message {
        id: milliseconds.to_string(),
        jailbreak_detected: Some(false),
        is_prompt,
    }
}

fn web_search() -> Vec<Plugin> {
    vec![Plugin {
        id: WEB_SEARCH,
        name: "BuiltIn",
    }]
}

fn context(kind: &'static str, throws: &mut Series) -> Context {
    let number = throws.below(1 << 40);
    let id = if kind.starts_with("Teams") {
        format!("https://teams.example/threads/19:meeting_{number:010x}@thread.v2")
    } else {
        format!(
            "https://tenant.sharepoint.example/sites/team/_layouts/15/Doc.aspx?sourcedoc={number:010x}&file=Plan.{kind}"
        )
    };
    Context { id, kind }
}

fn document(kind: &'static str, throws: &mut Series) -> Resource {
    Resource {
        action: "Read",
        policy_details: "",
        sensitivity_label_id: (throws.below(2) == 0).then_some("2f4c1d70-8a3b-4e19-b5f6-90d2c7e8a134"),
        site_url: format!(
            "https://tenant.sharepoint.example/sites/team/Shared/{:x}.{kind}",
            throws.below(1 << 32)
        ),
        kind,
    }
}

/// Who it was, as of that day, in one of three spellings.
fn user_id(tenant: &Tenant, tenure: Tenure, day: i64, throws: &mut Series) -> String {
    let upn = tenant.profile(tenure, day).upn;
    match throws.below(8) {
        0 => upn.to_uppercase(),
        1 | 2 => upn.to_lowercase(),
        _ => upn,
    }
}

/// The object id, or one of the older kind; both stay with a person through every name.
fn user_key(tenant: &Tenant, tenure: Tenure, throws: &mut Series) -> String {
    if throws.below(4) == 0 {
        format!("10032{:011X}", tenant.about(tenure, 21, 1 << 44))
    } else {
        tenant.id(tenure)
    }
}

fn client_ip(throws: &mut Series) -> String {
    match throws.below(4) {
        0 => format!("203.0.113.{}", throws.below(255)),
        1 => format!("[2001:db8::{:x}]:443", throws.below(1 << 16)),
        _ => String::new(),
    }
}

/// UTC, and does not say so.
pub(super) fn written(at: i64) -> String {
    let at = days::instant(0, at).to_string();
    at.trim_end_matches('Z').to_owned()
}
