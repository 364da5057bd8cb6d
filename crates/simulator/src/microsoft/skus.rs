//! What the tenant has bought: SKUs and the service plans in them (UPSTREAM 4.2).

use serde_json::{Value, json};

use super::TENANT;

/// Under what everything was bought.
const SUBSCRIPTION: &str = "d1f0b7c6-84ea-4c39-a2b5-16e97d3c0b58";

/// A service plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// The service that provides it, as `assignedPlans` calls it.
    pub(super) service: &'static str,
}

const fn plan(id: &'static str, name: &'static str, service: &'static str) -> Plan {
    Plan { id, name, service }
}

/// The service plans that are the Copilot licence; the first is that of business chat.
pub(super) static COPILOT: [Plan; 8] = [
    plan(
        "3f30311c-6b1e-48a4-ab79-725b469da960",
        "M365_COPILOT_BUSINESS_CHAT",
        "Bing",
    ),
    plan(
        "a62f8878-de10-42f3-b68f-6149a25ceb97",
        "M365_COPILOT_APPS",
        "MicrosoftOffice",
    ),
    plan(
        "b95945de-b3bd-46db-8437-f2beb6ea2347",
        "M365_COPILOT_TEAMS",
        "TeamspaceAPI",
    ),
    plan(
        "0aedf20c-091d-420b-aadf-30c042609612",
        "M365_COPILOT_SHAREPOINT",
        "SharePoint",
    ),
    plan(
        "931e4a88-a67f-48b5-814f-16a5f1e6028d",
        "M365_COPILOT_INTELLIGENT_SEARCH",
        "exchange",
    ),
    plan(
        "89f1c4c8-0878-40f7-804d-869c9128ab5d",
        "M365_COPILOT_CONNECTORS",
        "MicrosoftOffice",
    ),
    plan(
        "82d30987-df9b-4486-b146-198b21d164c7",
        "GRAPH_CONNECTORS_COPILOT",
        "exchange",
    ),
    plan(
        "fe6c28b3-d468-44ea-bbd0-a10a5167435c",
        "COPILOT_STUDIO_IN_COPILOT_FOR_M365",
        "MicrosoftCopilotStudio",
    ),
];

/// The service plans of everyday work. The last one is called Copilot by people and is not the paid licence.
pub(super) static OFFICE: [Plan; 5] = [
    plan(
        "efb87545-963c-4e0d-99df-69c6916d9eb0",
        "EXCHANGE_S_ENTERPRISE",
        "exchange",
    ),
    plan(
        "5dbe027f-2339-4123-9542-606e4d348a72",
        "SHAREPOINTENTERPRISE",
        "SharePoint",
    ),
    plan("57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1", "TeamspaceAPI"),
    plan(
        "43de0ff5-c92c-492b-9116-175376d08c38",
        "OFFICESUBSCRIPTION",
        "MicrosoftOffice",
    ),
    plan("0d0c0d31-fae7-41f2-b909-eaf4d7f26dba", "Bing_Chat_Enterprise", "Bing"),
];

/// What a SKU holds besides Copilot.
static SECURITY: [Plan; 1] = [plan(
    "eec0eb4f-6444-4f95-aba0-50c24d67f998",
    "AAD_PREMIUM_P2",
    "AADPremiumService",
)];

/// Something that is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sku {
    /// Copilot by itself.
    Copilot,
    /// Copilot and more in one.
    Bundle,
    /// Business chat, and none of the other Copilot plans.
    ChatOnly,
    /// Office without Copilot.
    Office,
}

impl Sku {
    pub(super) const ALL: [Self; 4] = [Self::Copilot, Self::Bundle, Self::ChatOnly, Self::Office];

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Copilot => "639dec6b-bb19-468b-871c-c5c441c4b0cb",
            Self::Bundle => "a6d18b68-a67e-4cbd-ba00-8744bc468faa",
            Self::ChatOnly => "2b7fd1a4-7c35-4d0e-93ce-5f1be2a86d40",
            Self::Office => "06ebc4ee-1bb5-47dd-8120-11324bc54e06",
        }
    }

    pub(super) fn part_number(self) -> &'static str {
        match self {
            Self::Copilot => "Microsoft_365_Copilot",
            Self::Bundle => "Microsoft_365_E7",
            Self::ChatOnly => "Microsoft_365_Copilot_Chat",
            Self::Office => "SPE_E5",
        }
    }

    /// What the active-user report calls it.
    pub(super) fn product(self) -> &'static str {
        match self {
            Self::Copilot => "MICROSOFT 365 COPILOT",
            Self::Bundle => "MICROSOFT 365 E7",
            Self::ChatOnly => "MICROSOFT 365 COPILOT CHAT",
            Self::Office => "MICROSOFT 365 E5",
        }
    }

    pub(super) fn copilot_plans(self) -> &'static [Plan] {
        match self {
            Self::Copilot | Self::Bundle => &COPILOT,
            Self::ChatOnly => &COPILOT[..1],
            Self::Office => &[],
        }
    }

    /// The service plans that have nothing to do with the Copilot licence.
    pub(super) fn other_plans(self) -> &'static [Plan] {
        match self {
            Self::Copilot | Self::ChatOnly => &[],
            Self::Bundle => &SECURITY,
            Self::Office => &OFFICE,
        }
    }

    /// As `subscribedSkus` tells it.
    pub(super) fn subscribed(self, consumed: u64) -> Value {
        let plans: Vec<_> = self.copilot_plans().iter().chain(self.other_plans()).collect();
        let plans: Vec<_> = plans
            .into_iter()
            .map(|plan| {
                json!({
                    "servicePlanId": plan.id,
                    "servicePlanName": plan.name,
                    "provisioningStatus": "Success",
                    "appliesTo": "User",
                })
            })
            .collect();
        // Bought in dozens, with some to spare.
        let enabled = (consumed + 5).next_multiple_of(12);
        json!({
            "accountName": "tenant",
            "accountId": TENANT,
            "appliesTo": "User",
            "capabilityStatus": "Enabled",
            "consumedUnits": consumed,
            "id": format!("{TENANT}_{}", self.id()),
            "prepaidUnits": {"enabled": enabled, "lockedOut": 0, "suspended": 0, "warning": 0},
            "servicePlans": plans,
            "skuId": self.id(),
            "skuPartNumber": self.part_number(),
            "subscriptionIds": [SUBSCRIPTION],
        })
    }
}
