# The table of functions and their environments: what reaches whom, and what is refused. Needs no provider.

variables {
  known = jsondecode(file("generated/settings.json"))
  functions = [
    "activity-webhook",
    "audit-events",
    "copilot-seats",
    "engagement",
    "engagement-api",
    "grafana-health",
    "identity-keys",
    "m365-usage",
    "mailer",
    "scoring",
    "workflow-metrics",
  ]
  settings       = { UPTAKE_GITHUB_ORGS = "octo-org" }
  parameter_path = "/uptake/test"
  provided = {
    UPTAKE_STORE              = "s3://store"
    UPTAKE_ENGAGEMENT_STORE   = "s3://engagement"
    UPTAKE_SINKS              = "aws"
    UPTAKE_SENDER             = "uptake@octo.example"
    UPTAKE_ACTIVITY_QUEUE_URL = "https://queue.example"
    UPTAKE_GRAFANA_URL        = "https://grafana.example"
  }
}

run "a_setting_reaches_the_functions_that_read_it_and_no_others" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = {
      UPTAKE_GITHUB_ORGS      = "octo-org"
      UPTAKE_SMALLEST_GROUP   = "10"
      UPTAKE_AUDIT_OPERATIONS = "CopilotInteraction"
      UPTAKE_WEEK_STARTS_ON   = "sunday"
    }
  }

  assert {
    condition = alltrue(flatten([
      for function, is in output.functions : [
        for variable, reader in var.known : contains(keys(is.environment), variable) == contains(reader.functions, function)
        if contains(concat(keys(var.settings), keys(var.provided)), variable)
      ]
    ]))
    error_message = "An environment differs from generated/settings.json."
  }
  assert {
    condition = output.functions["copilot-seats"].environment == ({
      UPTAKE_STORE                  = "s3://store"
      UPTAKE_SINKS                  = "aws"
      UPTAKE_GITHUB_ORGS            = "octo-org"
      UPTAKE_GITHUB_TOKEN_PARAMETER = "/uptake/test/github-token"
      UPTAKE_SMALLEST_GROUP         = "10"
    })
    error_message = "copilot-seats: ${jsonencode(output.functions["copilot-seats"].environment)}"
  }
  assert {
    condition = output.functions["audit-events"].environment == ({
      MALLOC_ARENA_MAX               = "1"
      UPTAKE_STORE                   = "s3://store"
      UPTAKE_SINKS                   = "aws"
      UPTAKE_AUDIT_OPERATIONS        = "CopilotInteraction"
      UPTAKE_TENANT_ID_PARAMETER     = "/uptake/test/tenant-id"
      UPTAKE_CLIENT_ID_PARAMETER     = "/uptake/test/client-id"
      UPTAKE_CLIENT_SECRET_PARAMETER = "/uptake/test/client-secret"
    })
    error_message = "audit-events: ${jsonencode(output.functions["audit-events"].environment)}"
  }
  assert {
    condition     = output.functions["engagement-api"].environment == ({ UPTAKE_STORE = "s3://store", UPTAKE_ENGAGEMENT_STORE = "s3://engagement", UPTAKE_SINKS = "aws", UPTAKE_WEEK_STARTS_ON = "sunday" })
    error_message = "engagement-api: ${jsonencode(output.functions["engagement-api"].environment)}"
  }
}

run "secrets_are_named_and_read_by_those_who_need_them" {
  command = plan
  module {
    source = "./modules/settings"
  }

  assert {
    condition = jsonencode({ for name, parameter in output.parameters : name => sort(parameter.functions) }) == jsonencode({
      "/uptake/test/github-token"      = ["copilot-seats", "workflow-metrics"]
      "/uptake/test/tenant-id"         = ["activity-webhook", "audit-events", "engagement", "identity-keys", "m365-usage"]
      "/uptake/test/client-id"         = ["audit-events", "m365-usage"]
      "/uptake/test/client-secret"     = ["audit-events", "m365-usage"]
      "/uptake/test/identity-key"      = ["engagement", "identity-keys"]
      "/uptake/test/next-identity-key" = ["identity-keys"]
      "/uptake/test/webhook-auth-id"   = ["activity-webhook"]
    })
    error_message = jsonencode({ for name, parameter in output.parameters : name => sort(parameter.functions) })
  }
  assert {
    condition     = toset([for name, parameter in output.parameters : name if !parameter.secret]) == toset(["/uptake/test/tenant-id", "/uptake/test/client-id"])
    error_message = "Only tenant and client ids may be plain text in SSM."
  }
}

run "an_app_takes_the_place_of_the_token" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_GITHUB_ORGS = "octo-org", UPTAKE_GITHUB_APP_ID = "123456" }
  }

  assert {
    condition     = alltrue([for function in ["copilot-seats", "workflow-metrics"] : output.functions[function].parameters == (["/uptake/test/github-app-key"])])
    error_message = "With an App nobody reads a token."
  }
}

run "an_enterprise_s_seats_need_a_token_even_with_an_app" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_GITHUB_ENTERPRISE = "octo", UPTAKE_GITHUB_ORGS = "octo-org", UPTAKE_GITHUB_APP_ID = "123456" }
  }

  assert {
    condition     = output.functions["copilot-seats"].parameters == (["/uptake/test/github-token"])
    error_message = "GitHub accepts no App for an enterprise's seats."
  }
  assert {
    condition     = output.functions["workflow-metrics"].parameters == (["/uptake/test/github-app-key"])
    error_message = "Runs are read with the App."
  }
}

run "a_given_tenant_needs_no_parameter" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_TENANT_ID = "contoso.example", UPTAKE_CLIENT_ID = "66666666-7777-8888-9999-000000000000" }
  }

  assert {
    condition     = output.functions["m365-usage"].parameters == (["/uptake/test/client-secret"])
    error_message = "m365-usage reads ${jsonencode(output.functions["m365-usage"].parameters)}."
  }
  assert {
    condition     = output.functions["engagement"].environment["UPTAKE_TENANT_ID"] == "contoso.example"
    error_message = "The tenant does not reach engagement."
  }
  assert {
    condition     = !anytrue([for function, is in output.functions : contains(keys(is.environment), "UPTAKE_TENANT_ID_PARAMETER")])
    error_message = "Somebody has tenant and parameter."
  }
}

run "a_list_in_sharepoint_needs_the_client_everywhere" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_EXCLUSION_SITE_ID = "contoso.sharepoint.com,1,2", UPTAKE_EXCLUSION_LIST_ID = "3" }
  }

  assert {
    condition     = toset(output.functions["scoring"].parameters) == toset(["/uptake/test/tenant-id", "/uptake/test/client-id", "/uptake/test/client-secret"])
    error_message = "scoring reads ${jsonencode(output.functions["scoring"].parameters)}."
  }
  assert {
    condition     = contains(output.functions["engagement"].parameters, "/uptake/test/client-secret")
    error_message = "engagement cannot read the list."
  }
}

run "settings_of_functions_that_are_not_deployed_reach_nobody" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    functions = ["mailer"]
  }

  assert {
    condition     = keys(output.functions) == ["mailer"] && output.parameters == {}
    error_message = "More than the mailer is there."
  }
  assert {
    condition     = output.functions["mailer"].environment == ({ UPTAKE_STORE = "s3://store", UPTAKE_SINKS = "aws", UPTAKE_SENDER = "uptake@octo.example" })
    error_message = "mailer: ${jsonencode(output.functions["mailer"].environment)}"
  }
}

run "functions_are_offered_when_the_architecture_says" {
  command = plan
  module {
    source = "./modules/settings"
  }

  assert {
    condition = { for function, is in output.functions : function => is.schedule } == {
      activity-webhook = null
      audit-events     = "cron(10 * * * ? *)"
      copilot-seats    = "cron(0 * * * ? *)"
      engagement       = "cron(30 * * * ? *)"
      engagement-api   = null
      grafana-health   = "rate(5 minutes)"
      identity-keys    = "cron(20 * * * ? *)"
      m365-usage       = "cron(0 * * * ? *)"
      mailer           = "cron(0 * * * ? *)"
      scoring          = "cron(30 * * * ? *)"
      workflow-metrics = "cron(10 * * * ? *)"
    }
    error_message = "A schedule changed."
  }
  assert {
    # As the scheduler knows its word: with < and >, not as JSON escapes.
    condition     = alltrue([for function, is in output.functions : is.payload == "{\"scheduled_time\":\"<aws.scheduler.scheduled-time>\"}" if is.schedule != null && function != "identity-keys"])
    error_message = "A payload changed."
  }
  assert {
    condition     = output.functions["identity-keys"].payload == "{\"action\":\"status\"}"
    error_message = "The schedule may only ask identity-keys how it is."
  }
  assert {
    condition     = { for function, is in output.functions : function => is.url if is.url != null } == { activity-webhook = "NONE", engagement-api = "AWS_IAM" }
    error_message = "Another function has a URL, or one without authorisation."
  }
  assert {
    condition     = alltrue([for function, is in output.functions : is.concurrency == (is.url == null ? 1 : 10)])
    error_message = "What writes runs one at a time."
  }
}

run "an_unknown_name_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_GITHUB_ORG = "octo-org" }
  }
  expect_failures = [var.settings]
}

run "a_token_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_GITHUB_TOKEN = "ghp_made-up" }
  }
  expect_failures = [var.settings]
}

run "an_app_key_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_GITHUB_APP_ID = "1", UPTAKE_GITHUB_APP_KEY = "made-up" }
  }
  expect_failures = [var.settings]
}

run "a_client_secret_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_CLIENT_SECRET = "made-up" }
  }
  expect_failures = [var.settings]
}

run "an_identity_key_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_IDENTITY_KEY = "made-up" }
  }
  expect_failures = [var.settings]
}

run "the_next_identity_key_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_NEXT_IDENTITY_KEY = "made-up" }
  }
  expect_failures = [var.settings]
}

run "the_webhook_s_secret_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_WEBHOOK_AUTH_ID = "made-up" }
  }
  expect_failures = [var.settings]
}

run "what_terraform_sets_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_STORE = "s3://elsewhere" }
  }
  expect_failures = [var.settings]
}

run "a_parameter_name_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_GITHUB_TOKEN_PARAMETER = "/elsewhere/token" }
  }
  expect_failures = [var.settings]
}

run "an_empty_value_is_refused" {
  command = plan
  module {
    source = "./modules/settings"
  }
  variables {
    settings = { UPTAKE_TEAMS = " " }
  }
  expect_failures = [var.settings]
}
