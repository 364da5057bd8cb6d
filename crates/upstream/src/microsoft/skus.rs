//! What the tenant has bought.

use serde::Deserialize;
use uptake_domain::directory::SubscribedSku;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::http::{Resource, Route};
use crate::microsoft::{Graph, Raw, read_json};

static SKUS: Route = Route {
    template: "GET /v1.0/subscribedSkus",
    resource: Resource::Graph,
    grant: "grant the application permission LicenseAssignment.Read.All or Organization.Read.All and let an administrator consent to it",
    not_found: "check UPTAKE_GRAPH_URL",
    is_download: false,
};

#[derive(Deserialize)]
struct Skus {
    value: Vec<SkuRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SkuRecord {
    sku_id: String,
    service_plans: Option<Vec<PlanRecord>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlanRecord {
    service_plan_id: String,
}

impl Graph {
    /// The SKUs the tenant has bought, with their service plans. They come in one page.
    pub async fn subscribed_skus(&self, deadline: Deadline) -> Result<Raw<Vec<SubscribedSku>>, ApiError> {
        let url = self.service.at(&["v1.0", "subscribedSkus"]);
        self.service
            .get(&SKUS, url, deadline, |answer| {
                let skus: Skus = read_json(&SKUS, &answer.body)?;
                answer.holds(skus.value.len());
                let value = skus.value.into_iter().map(|sku| SubscribedSku {
                    sku_id: sku.sku_id.to_lowercase(),
                    plan_ids: sku
                        .service_plans
                        .unwrap_or_default()
                        .into_iter()
                        .map(|plan| plan.service_plan_id.to_lowercase())
                        .collect(),
                });
                Ok(Raw {
                    body: answer.body.clone(),
                    value: value.collect(),
                })
            })
            .await
    }
}
