# Buckets and functions by themselves: what the root's tests cannot look into.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  # Of the function that the last runs are about.
  function        = "scoring"
  name            = "uptake-prod-scoring"
  description     = "Scores"
  package         = "tests/packages/scoring.zip"
  architecture    = "arm64"
  memory_mb       = 1024
  timeout_seconds = 900
  concurrency     = 1
  environment     = { UPTAKE_SINKS = "aws" }
  statements      = [{ sid = "Store", actions = ["s3:GetObject"], resources = ["arn:aws:s3:::store/*"] }]
  network         = null
  schedule = {
    expression = "cron(30 * * * ? *)"
    time_zone  = "UTC"
    payload    = "{}"
    group      = "uptake-prod"
    role_arn   = "arn:aws:iam::111122223333:role/uptake-prod-scheduler"
  }
  operations = {
    key_arn            = "arn:aws:kms:eu-central-1:111122223333:key/operations"
    dead_letters_arn   = "arn:aws:sqs:eu-central-1:111122223333:dead-letters"
    alarm_topic_arn    = "arn:aws:sns:eu-central-1:111122223333:alarms"
    log_groups_arn     = "arn:aws:logs:eu-central-1:111122223333:log-group"
    log_retention_days = 30
  }
  alarms = {
    near-timeout  = { namespace = "AWS/Lambda", metric = "Duration", dimension = "FunctionName", statistic = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 90, of_timeout = true, period_seconds = 3600, periods = 1, missing = "notBreaching", description = "Slow." }
    records-wrong = { namespace = "Uptake/Pipeline", metric = "Wrong", dimension = "Function", statistic = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 5, of_timeout = false, period_seconds = 3600, periods = 1, missing = "notBreaching", description = "Wrong." }
  }
}

run "a_bucket" {
  command = plan
  module {
    source = "./modules/bucket"
  }
  variables {
    name       = "uptake-prod-store"
    key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/store"
    log_bucket = "uptake-prod-access-logs"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(data.aws_iam_policy_document.rules.json).Statement : statement.Sid => [statement.Effect, statement.Principal, statement.Action, statement.Condition] }) == jsonencode({
      TlsOnly           = ["Deny", { AWS = "*" }, "s3:*", { Bool = { "aws:SecureTransport" = "false" } }]
      NoOldTls          = ["Deny", { AWS = "*" }, "s3:*", { NumericLessThan = { "s3:TlsVersion" = "1.2" } }]
      NoOtherEncryption = ["Deny", { AWS = "*" }, "s3:PutObject", { Null = { "s3:x-amz-server-side-encryption" = "false" }, StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" } }]
      NoOtherKey        = ["Deny", { AWS = "*" }, "s3:PutObject", { Null = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }, StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "arn:aws:kms:eu-central-1:111122223333:key/store" } }]
    })
    error_message = "The bucket's rules are ${data.aws_iam_policy_document.rules.json}"
  }
  assert {
    condition     = alltrue([for statement in jsondecode(data.aws_iam_policy_document.rules.json).Statement : toset(statement.Resource) == toset(["arn:aws:s3:::uptake-prod-store", "arn:aws:s3:::uptake-prod-store/*"]) if strcontains(statement.Sid, "Tls")])
    error_message = "TLS is not asked of everything."
  }
  assert {
    condition     = alltrue([for is in [aws_s3_bucket_public_access_block.nobody_else] : is.block_public_acls && is.block_public_policy && is.ignore_public_acls && is.restrict_public_buckets])
    error_message = "The public is not shut out."
  }
  assert {
    condition     = aws_s3_bucket_versioning.versions.versioning_configuration[0].status == "Enabled"
    error_message = "Versions are not kept."
  }
  assert {
    condition     = one(aws_s3_bucket_logging.accesses).target_bucket == "uptake-prod-access-logs"
    error_message = "Accesses are not logged."
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.encryption.rule).bucket_key_enabled && output.bucket.key_arn == "arn:aws:kms:eu-central-1:111122223333:key/store"
    error_message = "The bucket is encrypted in another way."
  }
  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.expiry.rule : length(rule.expiration) == 0 && length(rule.transition) == 0])
    error_message = "A rule takes current objects away: a table whose files go is broken."
  }
  assert {
    condition     = !aws_s3_bucket.bucket.force_destroy
    error_message = "Destroying would take the objects along."
  }
}

run "a_bucket_of_access_logs" {
  command = plan
  module {
    source = "./modules/bucket"
  }
  variables {
    name                 = "uptake-prod-access-logs"
    key_arn              = null
    log_bucket           = null
    expire_after_days    = 400
    takes_access_logs_of = "111122223333"
  }

  assert {
    condition     = contains([for statement in jsondecode(data.aws_iam_policy_document.rules.json).Statement : jsonencode([statement.Effect, statement.Principal, try(statement.Condition.StringEquals, null)])], jsonencode(["Allow", { Service = "logging.s3.amazonaws.com" }, { "aws:SourceAccount" = "111122223333" }]))
    error_message = "S3 may not write logs, or not only this account's."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.encryption.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "S3 delivers no logs to a bucket with a KMS key."
  }
}

run "a_scheduled_function" {
  command = plan
  module {
    source = "./modules/scheduled-function"
  }

  assert {
    condition     = aws_lambda_function.function.runtime == "provided.al2023" && aws_lambda_function.function.handler == "bootstrap" && aws_lambda_function.function.architectures == tolist(["arm64"])
    error_message = "The function would not start."
  }
  assert {
    condition     = aws_lambda_function.function.tracing_config[0].mode == "Active" && aws_lambda_function.function.logging_config[0].log_format == "JSON"
    error_message = "No traces, or logs that are no JSON."
  }
  assert {
    condition     = aws_cloudwatch_log_group.logs.name == "/aws/lambda/uptake-prod-scoring" && aws_cloudwatch_log_group.logs.retention_in_days == 30
    error_message = "Logs go elsewhere, or stay for ever."
  }
  assert {
    condition     = jsonencode(sort([for statement in jsondecode(output.policy).Statement : statement.Sid])) == jsonencode(["DeadLetters", "DeadLettersAreEncrypted", "OwnLogs", "Store", "Traces"])
    error_message = "It may do ${output.policy}"
  }
  assert {
    condition     = one([for statement in jsondecode(output.policy).Statement : statement.Resource if statement.Sid == "OwnLogs"]) == "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/uptake-prod-scoring:*"
    error_message = "It may write to the logs of others."
  }
  assert {
    condition     = one(aws_lambda_function_event_invoke_config.failed_offers).destination_config[0].on_failure[0].destination == "arn:aws:sqs:eu-central-1:111122223333:dead-letters"
    error_message = "What failed for good is lost."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["near-timeout"].threshold == 810000
    error_message = "Nine tenths of 900 seconds are 810,000 milliseconds, not ${aws_cloudwatch_metric_alarm.alarm["near-timeout"].threshold}."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["near-timeout"].dimensions == tomap({ FunctionName = "uptake-prod-scoring" }) && aws_cloudwatch_metric_alarm.alarm["records-wrong"].dimensions == tomap({ Function = "scoring" })
    error_message = "An alarm watches a metric that nobody writes."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.alarm : alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:111122223333:alarms"])])
    error_message = "An alarm tells nobody."
  }
}

run "a_function_that_is_only_called" {
  command = plan
  module {
    source = "./modules/scheduled-function"
  }
  variables {
    schedule = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.offers) == 0 && length(aws_lambda_function_event_invoke_config.failed_offers) == 0
    error_message = "It is scheduled."
  }
  assert {
    condition     = !strcontains(output.policy, "sqs:")
    error_message = "It may send dead letters that it never has."
  }
}

run "a_function_in_a_vpc" {
  command = plan
  module {
    source = "./modules/scheduled-function"
  }
  variables {
    network = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["sg-0123456789abcdef0"] }
  }

  assert {
    condition     = aws_lambda_function.function.vpc_config[0].subnet_ids == toset(["subnet-0123456789abcdef0"])
    error_message = "It runs elsewhere."
  }
  assert {
    condition     = strcontains(output.policy, "ec2:CreateNetworkInterface")
    error_message = "Lambda may not make its network interface."
  }
}
