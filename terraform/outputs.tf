# What people and pipelines need to know after an apply.

output "functions" {
  description = "Bare name -> name on AWS."
  value       = { for function, deployed in module.function : function => deployed.function.name }
}

output "put_parameters" {
  description = "Commands that put into SSM what the deployed functions read. Secrets are read from a file, so that they are in no history."
  value       = local.put_parameters
}

output "urls" {
  description = "Addresses of functions that have one."
  value       = { for function, url in aws_lambda_function_url.url : function => url.function_url }
}

output "buckets" {
  description = "Store, engagement tables, results of queries over each, access logs."
  value = {
    store              = module.store.bucket.name
    engagement         = module.engagement.bucket.name
    lake_queries       = module.query_results["lake"].bucket.name
    engagement_queries = module.query_results["engagement"].bucket.name
    access_logs        = module.access_logs.bucket.name
  }
}

output "dead_letters_url" {
  description = "Queue of what failed for good."
  value       = aws_sqs_queue.dead_letters.url
}

output "alarm_topic_arn" {
  description = "Topic that alarms are published to; subscribe a chat or a pager to it."
  value       = aws_sns_topic.alarms.arn
}

output "healthy_alarm" {
  description = "Alarm that is OK as long as all others are."
  value       = local.healthy_alarm
}

output "athena" {
  description = "Workgroups and databases to query tables with."
  value = {
    for store in keys(local.databases) : store => {
      workgroup = aws_athena_workgroup.queries[store].name
      database  = aws_glue_catalog_database.tables[store].name
    }
  }
}

output "reader_policies" {
  description = "Policies to attach to whoever is to read; roles of lake_readers and engagement_readers have theirs."
  value = merge(
    { for store, policy in aws_iam_policy.reader : "${store}-reader" => policy.arn },
    { for name, policy in aws_iam_policy.grafana_reader : "grafana-reader" => policy.arn },
    { for function, policy in aws_iam_policy.api_caller : "engagement-api-caller" => policy.arn },
  )
}

output "grafana" {
  description = "Address of Grafana, and the workspace's id where there is one."
  value = {
    url          = local.grafana_url
    workspace_id = one(module.grafana[*].workspace_id)
  }
}

output "settings" {
  description = "What each function was deployed with, for tests that run the deployment as it stands."
  value       = module.settings.functions
}
