//! What the Copilot usage report says about one person, and the eight apps it tells apart.

use jiff::civil::Date;

/// An app with Copilot in it. Breadth of use counts these eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum App {
    /// Microsoft Teams.
    Teams,
    /// Word.
    Word,
    /// Excel.
    Excel,
    /// `PowerPoint`.
    PowerPoint,
    /// Outlook.
    Outlook,
    /// `OneNote`.
    OneNote,
    /// Loop.
    Loop,
    /// Copilot Chat, over work data or over the web.
    Chat,
}

impl App {
    /// All of them, in the order of every table's columns.
    pub const ALL: [Self; 8] = [
        Self::Teams,
        Self::Word,
        Self::Excel,
        Self::PowerPoint,
        Self::Outlook,
        Self::OneNote,
        Self::Loop,
        Self::Chat,
    ];

    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Word => "word",
            Self::Excel => "excel",
            Self::PowerPoint => "powerpoint",
            Self::Outlook => "outlook",
            Self::OneNote => "onenote",
            Self::Loop => "loop",
            Self::Chat => "chat",
        }
    }
}

/// One row of the report. Dates are UTC days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// The user principal name in lower case.
    pub upn: String,
    /// The day up to which the report tells.
    pub report_refresh_on: Date,
    /// The last day with any activity.
    pub last_activity_on: Option<Date>,
    /// The last day in each app, in the order of [`App::ALL`].
    pub apps: [Option<Date>; 8],
    /// The last day in Copilot Chat over work data.
    pub chat_work_on: Option<Date>,
    /// The last day in Copilot Chat over the web.
    pub chat_web_on: Option<Date>,
    /// The last day with an agent.
    pub agent_on: Option<Date>,
    /// The last day in Edge.
    pub edge_on: Option<Date>,
    /// Days that `prompts` and `active_days` are about.
    pub period_days: u16,
    /// Prompts in the period, in all apps; only version 2 of the report says.
    pub prompts: Option<u64>,
    /// Days with activity in the period; only version 2 of the report says.
    pub active_days: Option<u16>,
}

/// One row of the Microsoft 365 active-user report: when a person was last seen in each workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadActivity {
    /// The user principal name in lower case.
    pub upn: String,
    /// The day up to which the report tells.
    pub report_refresh_on: Date,
    /// The last day in Exchange, which is Outlook's.
    pub exchange_on: Option<Date>,
    /// The last day in `OneDrive`.
    pub onedrive_on: Option<Date>,
    /// The last day in `SharePoint`.
    pub sharepoint_on: Option<Date>,
    /// The last day in Teams.
    pub teams_on: Option<Date>,
}
