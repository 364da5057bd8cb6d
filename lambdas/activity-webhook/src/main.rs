//! The Lambda `activity-webhook`: wires a function URL, settings and AWS to the use case.

use uptake_aws::http_lambda::{self, Response};
use uptake_aws::lambda::Error;
use uptake_pipeline::activity_webhook::{self, ActivityWebhook, Request, WebhookPorts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    http_lambda::serve_http(
        |environment| {
            let (config, queue) = (environment.activity_webhook(), environment.activity_queue());
            Some((ActivityWebhook::new(config?), queue?))
        },
        async |(webhook, queue), aws, request| {
            let asked = Request {
                method: &request.method,
                auth_id: request.header(activity_webhook::AUTH_ID),
                validation_code: request.header(activity_webhook::VALIDATION_CODE),
                body: &request.body,
            };
            let ports = WebhookPorts {
                secrets: &aws.secrets,
                queue: &aws.queue(queue),
                metrics: &aws.metrics,
                clock: &*aws.clock,
            };
            let answer = webhook.answer(asked, ports).await;
            Response::text(answer.status, answer.body)
        },
    )
    .await
}
