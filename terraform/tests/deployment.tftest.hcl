# What a plan of the whole deployment says: encryption, TLS, schedules, permissions, alarms, what is left out by default.
# The provider is the real one, so that policies are computed; it has nobody to ask, and plans of nothing need nobody.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = module.sender[0].data.aws_sesv2_email_identity.sender
  values = { verified_for_sending_status = true, email_identity = "octo.example" }
}

# Keys have their ARNs only once they are there; policies name them.
override_resource {
  target          = aws_kms_key.store
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/store", key_id = "store" }
}

override_resource {
  target          = aws_kms_key.secrets
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/secrets", key_id = "secrets" }
}

override_resource {
  target          = aws_kms_key.identity
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/identity", key_id = "identity" }
}

override_resource {
  target          = aws_kms_key.operations
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/operations", key_id = "operations" }
}

override_resource {
  target          = aws_kms_key.engagement
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/engagement", key_id = "engagement" }
}

variables {
  environment       = "prod"
  region            = "eu-central-1"
  packages          = "tests/packages"
  sender            = "uptake@octo.example"
  recipient_domains = ["octo.example", "octo-labs.example"]
  alarm_emails      = ["operators@octo.example"]
  settings          = { UPTAKE_GITHUB_ORGS = "octo-org" }
}

run "by_default" {
  command = plan

  assert {
    condition     = length(aws_sqs_queue.activity) == 0 && length(aws_lambda_event_source_mapping.hints) == 0 && !contains(keys(module.function), "activity-webhook")
    error_message = "The webhook has to be asked for."
  }
  assert {
    condition     = !contains(keys(module.function), "grafana-health")
    error_message = "There is no Grafana to look at."
  }
  assert {
    condition     = alltrue([for function, url in aws_lambda_function_url.url : url.authorization_type == "AWS_IAM"]) && length(aws_cloudformation_stack.public_url) == 0
    error_message = "A URL is open to everybody."
  }
  assert {
    condition     = toset(keys(module.function)) == toset(["audit-events", "copilot-seats", "engagement", "engagement-api", "identity-keys", "m365-usage", "mailer", "scoring", "workflow-metrics"])
    error_message = "Deployed: ${jsonencode(keys(module.function))}"
  }
  assert {
    condition     = alltrue([for function in keys(module.function) : !can(regex("\"http://", jsonencode(module.settings.functions[function].environment)))])
    error_message = "An environment names an address without TLS."
  }
  assert {
    condition     = output.functions["scoring"] == "uptake-prod-scoring"
    error_message = "Functions are called ${jsonencode(output.functions)}."
  }
}

run "everything_at_rest_is_encrypted_with_our_keys" {
  command = plan
  variables {
    functions = ["activity-webhook", "audit-events", "copilot-seats", "engagement", "engagement-api", "grafana-health", "identity-keys", "m365-usage", "mailer", "scoring", "workflow-metrics"]
    grafana   = { mode = "existing", url = "https://grafana.octo.example" }
  }

  assert {
    condition = jsonencode({
      store              = module.store.bucket.key_arn
      engagement         = module.engagement.bucket.key_arn
      lake_queries       = module.query_results["lake"].bucket.key_arn
      engagement_queries = module.query_results["engagement"].bucket.key_arn
      }) == jsonencode({
      store              = aws_kms_key.store.arn
      engagement         = aws_kms_key.engagement.arn
      lake_queries       = aws_kms_key.store.arn
      engagement_queries = aws_kms_key.engagement.arn
    })
    error_message = "A bucket has another key."
  }
  assert {
    condition     = alltrue([for store, workgroup in aws_athena_workgroup.queries : workgroup.configuration[0].enforce_workgroup_configuration && workgroup.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_KMS" && workgroup.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn == local.databases[store].key_arn])
    error_message = "Results of queries are not encrypted like what was queried."
  }
  assert {
    condition     = alltrue([for queue in concat([aws_sqs_queue.dead_letters], values(aws_sqs_queue.activity)) : queue.kms_master_key_id == aws_kms_key.operations.arn])
    error_message = "A queue is not encrypted with our key."
  }
  assert {
    condition     = alltrue([for topic in [aws_sns_topic.alarms, aws_sns_topic.mail_events] : topic.kms_master_key_id == aws_kms_key.operations.arn])
    error_message = "A topic is not encrypted with our key."
  }
  assert {
    condition     = alltrue(flatten([for function in module.function : [for key in function.encrypted_with : key == aws_kms_key.operations.arn]]))
    error_message = "Logs or an environment are not encrypted with our key."
  }
  assert {
    condition     = alltrue([for key in [aws_kms_key.store, aws_kms_key.secrets, aws_kms_key.identity, aws_kms_key.operations, aws_kms_key.engagement] : key.enable_key_rotation])
    error_message = "A key does not rotate."
  }
}

run "everything_in_transit_is_tls" {
  command = plan
  variables {
    functions = ["activity-webhook", "audit-events"]
  }

  assert {
    condition = alltrue([
      for policy in concat(values(aws_sqs_queue_policy.tls_only)[*].policy, values(aws_sns_topic_policy.topics)[*].policy) : anytrue([
        for statement in jsondecode(policy).Statement :
        statement.Effect == "Deny" && statement.Principal == { AWS = "*" } && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
      ])
    ])
    error_message = "A queue or a topic takes what comes without TLS."
  }
  assert {
    condition     = length(aws_sqs_queue_policy.tls_only) == 2 && length(aws_sns_topic_policy.topics) == 2
    error_message = "A queue or a topic has no policy."
  }
}

run "the_webhook_when_asked_for" {
  command = plan
  variables {
    functions = ["activity-webhook", "audit-events"]
  }

  assert {
    condition     = one(values(aws_lambda_event_source_mapping.hints)).scaling_config[0].maximum_concurrency == 2 && one(values(aws_lambda_event_source_mapping.hints)).batch_size == 10
    error_message = "Hints come in another way than audit-events wants them."
  }
  assert {
    condition     = one(values(aws_sqs_queue.activity)).visibility_timeout_seconds == 5400
    error_message = "The queue's visibility timeout is not six times the function's."
  }
  assert {
    condition     = aws_lambda_function_url.url["activity-webhook"].authorization_type == "NONE"
    error_message = "Microsoft signs nothing."
  }
  assert {
    condition     = jsondecode(aws_cloudformation_stack.public_url["activity-webhook"].template_body).Resources.Permission.Properties.InvokedViaFunctionUrl
    error_message = "Anybody may invoke the function past its URL."
  }
}

run "offers" {
  command = plan
  variables {
    time_zone = "Europe/Berlin"
  }

  assert {
    condition = alltrue([for function, is in module.function : (
      function == "engagement-api" ? is.schedule == null : (
        is.schedule.schedule_expression == module.settings.functions[function].schedule
        && is.schedule.schedule_expression_timezone == "Europe/Berlin"
        && is.schedule.flexible_time_window[0].mode == "OFF"
        && is.schedule.target[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:111122223333:uptake-prod-dead-letters"
        && is.schedule.target[0].retry_policy[0].maximum_event_age_in_seconds == 3600
      )
    )])
    error_message = "A schedule is not as modules/settings has it, or leaves no dead letter."
  }
  assert {
    condition     = module.function["scoring"].schedule.target[0].input == "{\"scheduled_time\":\"<aws.scheduler.scheduled-time>\"}"
    error_message = "scoring is sent ${module.function["scoring"].schedule.target[0].input}"
  }
  assert {
    condition     = jsonencode(sort([for statement in jsondecode(data.aws_iam_policy_document.scheduler.json).Statement : statement.Sid])) == jsonencode(["DeadLetters", "DeadLettersAreEncrypted", "Offer"])
    error_message = "The scheduler may do something else than offer."
  }
}

run "permissions" {
  command = plan
  variables {
    functions = ["activity-webhook", "audit-events", "copilot-seats", "engagement", "engagement-api", "grafana-health", "identity-keys", "m365-usage", "mailer", "scoring", "workflow-metrics"]
    grafana   = { mode = "existing", url = "https://grafana.octo.example" }
  }

  assert {
    condition     = !anytrue(flatten([for function in module.function : [for statement in jsondecode(function.policy).Statement : [for action in flatten([statement.Action]) : strcontains(action, "*")]]]))
    error_message = "A function may do whatever a service offers."
  }
  assert {
    condition = alltrue(flatten([for function in module.function : [
      for statement in jsondecode(function.policy).Statement : contains(["Metrics", "Traces"], statement.Sid) if contains(flatten([statement.Resource]), "*")
    ]]))
    error_message = "A function may do something to everything."
  }
  assert {
    condition     = alltrue([for name, function in module.function : alltrue([for statement in jsondecode(function.policy).Statement : can(statement.Condition.StringEquals["cloudwatch:namespace"]) if statement.Sid == "Metrics"])])
    error_message = "A function may publish metrics in the name of others."
  }
  assert {
    condition     = alltrue(flatten([for function in module.function : [for statement in jsondecode(function.policy).Statement : can(statement.Condition.StringEquals) if anytrue([for action in flatten([statement.Action]) : startswith(action, "kms:")])]]))
    error_message = "A function may use a key for anything."
  }
  assert {
    condition = { for name, function in module.function : name => true if strcontains(function.policy, "key/identity") } == {
      engagement    = true
      identity-keys = true
    }
    error_message = "Somebody else may read the identity key."
  }
  assert {
    condition     = toset([for name, function in module.function : name if strcontains(function.policy, "uptake-prod-engagement-111122223333")]) == toset(["engagement", "engagement-api", "identity-keys"])
    error_message = "Somebody else may read engagement tables."
  }
  assert {
    condition     = !strcontains(module.function["engagement-api"].policy, "s3:PutObject") && !strcontains(module.function["engagement-api"].policy, "ssm:")
    error_message = "engagement-api may write, or read a secret."
  }
  assert {
    condition     = toset([for name, function in module.function : name if strcontains(function.policy, "s3:DeleteObjectVersion")]) == toset(["identity-keys"])
    error_message = "Somebody else may delete versions."
  }
  assert {
    condition = one([for statement in jsondecode(module.function["mailer"].policy).Statement : statement.Condition if statement.Sid == "Mail"]) == {
      StringEquals              = { "ses:FromAddress" = "uptake@octo.example" }
      "ForAllValues:StringLike" = { "ses:Recipients" = ["*@octo.example", "*@octo-labs.example"] }
    }
    error_message = "The mailer may mail to others, or as another."
  }
  assert {
    condition     = !anytrue([for function in ["mailer", "workflow-metrics", "engagement-api", "identity-keys", "activity-webhook", "grafana-health"] : strcontains(module.function[function].policy, "/lake/")])
    error_message = "Somebody reads the lake who has no business there."
  }
}

run "the_engagement_key_decrypts_for_those_who_are_named" {
  command = plan
  variables {
    engagement_readers = ["arn:aws:iam::111122223333:role/programme"]
  }

  assert {
    condition = toset(one([for statement in jsondecode(data.aws_iam_policy_document.engagement_key.json).Statement : statement.Condition.ArnEquals["aws:PrincipalArn"] if contains(flatten([statement.Action]), "kms:Decrypt")])) == toset([
      "arn:aws:iam::111122223333:role/programme",
      "arn:aws:iam::111122223333:role/uptake-prod-engagement",
      "arn:aws:iam::111122223333:role/uptake-prod-engagement-api",
      "arn:aws:iam::111122223333:role/uptake-prod-identity-keys",
    ])
    error_message = "Others can decrypt."
  }
  assert {
    condition     = alltrue(flatten([for statement in jsondecode(data.aws_iam_policy_document.engagement_key.json).Statement : [for action in flatten([statement.Action]) : !strcontains(action, "*")]]))
    error_message = "Somebody may do anything with the key."
  }
  assert {
    condition     = keys(aws_iam_role_policy_attachment.reader) == ["engagement arn:aws:iam::111122223333:role/programme"]
    error_message = "The reader has not got its policy."
  }
}

run "a_reader_of_identity_center_is_not_attached_to" {
  command = plan
  variables {
    lake_readers = ["arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_analysts_0123456789abcdef"]
  }

  assert {
    condition     = length(aws_iam_role_policy_attachment.reader) == 0
    error_message = "AWS protects these roles: the attachment would fail."
  }
}

run "alarms" {
  command = plan
  variables {
    functions         = ["activity-webhook", "audit-events", "copilot-seats", "engagement", "engagement-api", "grafana-health", "identity-keys", "m365-usage", "mailer", "scoring", "workflow-metrics"]
    grafana           = { mode = "existing", url = "https://grafana.octo.example" }
    documentation_url = "https://octo.example/OPERATIONS.md"
  }

  assert {
    condition = toset(concat(flatten([for function in module.function : function.alarm_names]), [for alarm in aws_cloudwatch_metric_alarm.whole : alarm.alarm_name])) == toset(flatten([
      for alarm in jsondecode(file("generated/alarms.json")) : length(alarm.functions) == 0 ? ["uptake-prod-${alarm.name}"] : [for function in alarm.functions : "uptake-prod-${function}-${alarm.name}"]
    ]))
    error_message = "Alarms differ from generated/alarms.json."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.whole["dead-letters"].dimensions == tomap({ QueueName = "uptake-prod-dead-letters" })
    error_message = "The alarm watches another queue."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.whole : endswith(alarm.alarm_description, "https://octo.example/OPERATIONS.md#${trimprefix(alarm.alarm_name, "uptake-prod-")}")])
    error_message = "An alarm does not say where to read on."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.whole : alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:111122223333:uptake-prod-alarms"])])
    error_message = "An alarm tells nobody."
  }
  assert {
    condition     = output.healthy_alarm == "uptake-prod-healthy"
    error_message = "There is no alarm of the whole."
  }
}

run "alarms_of_what_is_not_deployed_are_not_made" {
  command = plan
  variables {
    functions = ["copilot-seats"]
  }

  assert {
    condition     = alltrue([for name in flatten([for function in module.function : function.alarm_names]) : startswith(name, "uptake-prod-copilot-seats-")])
    error_message = "There are alarms of functions that are not there."
  }
  assert {
    condition     = length(module.sender) == 0
    error_message = "Without a mailer no sender is needed."
  }
}

run "tables" {
  command = plan

  assert {
    condition     = keys(aws_glue_catalog_table.delta) == keys(jsondecode(file("generated/tables.json")))
    error_message = "Tables differ from generated/tables.json."
  }
  assert {
    condition = alltrue([for name, table in aws_glue_catalog_table.delta : (
      table.parameters["spark.sql.sources.provider"] == "delta"
      && table.storage_descriptor[0].location == table.storage_descriptor[0].ser_de_info[0].parameters["path"]
      && table.storage_descriptor[0].location == (
        local.tables[name].store == "engagement"
        ? "s3://uptake-prod-engagement-111122223333/${name}/"
        : "s3://uptake-prod-store-111122223333/lake/${name}/"
      )
    )])
    error_message = "Athena would not find a table."
  }
  assert {
    condition     = alltrue([for name, table in aws_glue_catalog_table.delta : table.database_name == (local.tables[name].store == "engagement" ? "uptake_prod_engagement" : "uptake_prod")])
    error_message = "A table is in the other database."
  }
  assert {
    condition     = !strcontains(data.aws_iam_policy_document.reader["lake"].json, "engagement") && !strcontains(data.aws_iam_policy_document.reader["engagement"].json, "/lake/")
    error_message = "Readers of one may read the other."
  }
}

run "concurrency_that_a_small_account_cannot_reserve" {
  command = plan
  variables {
    reserve_concurrency = false
  }

  assert {
    condition     = alltrue([for function in module.function : function.reserved_concurrency == -1])
    error_message = "Concurrency is reserved."
  }
}

run "commands_that_put_secrets_into_ssm" {
  command = plan

  assert {
    condition     = output.put_parameters["/uptake/prod/github-token"] == "aws ssm put-parameter --region eu-central-1 --name /uptake/prod/github-token --type SecureString --key-id alias/uptake-prod-secrets --value file://github-token.txt"
    error_message = output.put_parameters["/uptake/prod/github-token"]
  }
  assert {
    condition     = strcontains(output.put_parameters["/uptake/prod/identity-key"], "--key-id alias/uptake-prod-identity ")
    error_message = "The identity key would lie under the key of the other secrets."
  }
  assert {
    condition     = strcontains(output.put_parameters["/uptake/prod/tenant-id"], "--type String ")
    error_message = "A tenant's id is no secret."
  }
}
