# Which functions there are, and which environment each gets.

locals {
  # Without Grafana there is nothing whose health could be looked at.
  functions = setsubtract(var.functions, var.grafana.mode == "none" ? ["grafana-health"] : [])

  parameter_path = "/${var.name}/${var.environment}"
}

module "settings" {
  source = "./modules/settings"

  known          = jsondecode(file("${path.module}/generated/settings.json"))
  functions      = local.functions
  settings       = var.settings
  parameter_path = local.parameter_path

  # What no deployed function reads may be null: a sender without the mailer, Grafana's address without Grafana.
  provided = {
    UPTAKE_STORE              = "s3://${module.store.bucket.name}"
    UPTAKE_ENGAGEMENT_STORE   = "s3://${module.engagement.bucket.name}"
    UPTAKE_SINKS              = "aws"
    UPTAKE_SENDER             = var.sender
    UPTAKE_ACTIVITY_QUEUE_URL = one([for queue in aws_sqs_queue.activity : queue.url])
    UPTAKE_GRAFANA_URL        = local.grafana_url
  }
}
