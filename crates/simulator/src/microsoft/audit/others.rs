//! What else is in a blob: records that have nothing to do with Copilot, and some that nobody can read.

use serde_json::{Value, json};

use super::{
    super::{
        TENANT,
        tenant::{Tenant, guid},
    },
    Body, Entry,
    blobs::Key,
    day::{Day, Interaction},
    records::{OPERATION, Record, written},
};
use crate::dice::{Series, Topic};

/// One blob in so many has a record that cannot be read.
const ODD_BLOBS: u64 = 12;

/// Operation, record type and workload. The last is a record of Copilot, but of no interaction.
const KINDS: [(&str, u16, &str); 5] = [
    ("TeamsSessionStarted", 25, "MicrosoftTeams"),
    ("ViewReport", 20, "PowerBI"),
    ("MeetingParticipantDetail", 25, "MicrosoftTeams"),
    ("CreateForm", 66, "MicrosoftForms"),
    ("UpdatedCopilotSettings", 261, "Copilot"),
];

/// How many records of either kind a blob has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Others {
    /// Of other operations.
    pub(super) ignored: u64,
    /// Interactions that cannot be read.
    pub(super) undecodable: u64,
}

impl Tenant {
    pub(super) fn others(&self, key: Key) -> Others {
        self.counted_others(key).0
    }

    fn counted_others(&self, key: Key) -> (Others, Series) {
        let mut throws = key.throws(self, Topic::AuditOthers);
        let ignored = 1 + throws.below(3);
        let is_odd = throws.below(ODD_BLOBS) == 0 && self.scenario.odd_rows;
        let others = match key {
            Key::Soon { .. } => Others {
                ignored,
                undecodable: u64::from(is_odd),
            },
            Key::Straggling { .. } => Others {
                ignored: 0,
                undecodable: 0,
            },
        };
        (others, throws)
    }

    /// The records of a blob that are no interactions, or none that can be read. They are modelled on its first one.
    pub(super) fn other_entries(&self, day: &Day, key: Key) -> Vec<Entry> {
        let (others, mut throws) = self.counted_others(key);
        let first = day.interaction(self, self.range(day, key).start);
        let mut entries = Vec::new();
        for _ in 0..others.ignored {
            entries.push(self.ignored(&first, &mut throws));
        }
        for _ in 0..others.undecodable {
            entries.push(self.undecodable(&first, &mut throws));
        }
        entries
    }

    fn ignored(&self, first: &Interaction, throws: &mut Series) -> Entry {
        let (operation, record_type, workload) = throws.pick(&KINDS);
        let id = guid(throws);
        let upn = self.profile(first.tenure, first.day).upn;
        let record = json!({
            "CreationTime": written(first.at),
            "Id": id,
            "Operation": operation,
            "OrganizationId": TENANT,
            "RecordType": record_type,
            "UserKey": self.id(first.tenure),
            "UserType": 0,
            "Version": 1,
            "Workload": workload,
            "UserId": upn,
            "ExtendedProperties": [{"Name": "UserAgent", "Value": "simulated"}],
        });
        Entry {
            at: first.at,
            id,
            operation,
            record_type,
            workload,
            upn,
            client_ip: String::new(),
            body: Body::Other(record),
        }
    }

    fn undecodable(&self, first: &Interaction, throws: &mut Series) -> Entry {
        let mut record = Record::of(self, first);
        record.id = guid(throws);
        let mut value = record.value();
        match throws.below(3) {
            0 => {
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("Id");
                }
            }
            1 => value["CreationTime"] = "2026-13-45T99:00:00".into(),
            _ => value["UserId"] = Value::from(42),
        }
        Entry {
            operation: OPERATION,
            body: Body::Other(value),
            ..Entry::of(record, first.at)
        }
    }
}
