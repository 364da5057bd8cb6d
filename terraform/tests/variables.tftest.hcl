# What a person may write wrong is named before anything is created. The provider is mocked: nothing is asked of AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

override_data {
  target = module.sender[0].data.aws_sesv2_email_identity.sender
  values = { verified_for_sending_status = true }
}

variables {
  environment       = "prod"
  functions         = ["mailer"]
  region            = "eu-central-1"
  packages          = "tests/packages"
  sender            = "uptake@octo.example"
  recipient_domains = ["octo.example"]
}

run "what_the_examples_say_can_be_planned" {
  command = plan
}

run "an_unknown_environment" {
  command = plan
  variables {
    environment = "stage"
  }
  expect_failures = [var.environment]
}

run "a_name_that_no_bucket_may_have" {
  command = plan
  variables {
    name = "Uptake_Prod"
  }
  expect_failures = [var.name]
}

run "a_region_that_is_none" {
  command = plan
  variables {
    region = "frankfurt"
  }
  expect_failures = [var.region]
}

run "a_function_that_is_none" {
  command = plan
  variables {
    functions = ["copilot-seat"]
  }
  expect_failures = [var.functions]
}

run "no_function" {
  command = plan
  variables {
    functions = []
  }
  expect_failures = [var.functions]
}

run "a_webhook_that_hastens_nobody" {
  command = plan
  variables {
    functions = ["activity-webhook"]
  }
  expect_failures = [var.functions]
}

run "a_processor_that_is_none" {
  command = plan
  variables {
    architecture = "x86-64"
  }
  expect_failures = [var.architecture]
}

run "no_folder_of_packages" {
  command = plan
  variables {
    packages = " "
    # Deploys nothing without Grafana, so that no package is looked for.
    functions = ["grafana-health"]
  }
  expect_failures = [var.packages]
}

run "a_time_zone_that_is_none" {
  command = plan
  variables {
    time_zone = "+01:00"
  }
  expect_failures = [var.time_zone]
}

run "no_sender_with_a_mailer" {
  command = plan
  variables {
    sender = null
  }
  expect_failures = [var.sender]
}

run "a_sender_with_a_name" {
  command = plan
  variables {
    sender = "Uptake <uptake@octo.example>"
  }
  expect_failures = [var.sender]
}

run "an_identity_that_is_not_the_sender_s" {
  command = plan
  variables {
    sender_identity = "other.example"
  }
  expect_failures = [var.sender_identity]
}

run "a_domain_that_only_ends_like_the_sender_s" {
  command = plan
  variables {
    sender_identity = "cto.example"
  }
  expect_failures = [var.sender_identity]
}

run "nobody_to_mail_to" {
  command = plan
  variables {
    recipient_domains = []
  }
  expect_failures = [var.recipient_domains]
}

run "everybody_to_mail_to" {
  command = plan
  variables {
    recipient_domains = ["*"]
  }
  expect_failures = [var.recipient_domains]
}

run "an_operator_without_an_address" {
  command = plan
  variables {
    alarm_emails = ["operators"]
  }
  expect_failures = [var.alarm_emails]
}

run "documentation_that_has_no_alarms" {
  command = plan
  variables {
    documentation_url = "https://octo.example"
  }
  expect_failures = [var.documentation_url]
}

run "days_that_cloudwatch_does_not_know" {
  command = plan
  variables {
    log_retention_days = 100
  }
  expect_failures = [var.log_retention_days]
}

run "a_grafana_of_another_kind" {
  command = plan
  variables {
    grafana = { mode = "cloud" }
  }
  expect_failures = [var.grafana]
}

run "an_existing_grafana_nowhere" {
  command = plan
  variables {
    grafana = { mode = "existing" }
  }
  expect_failures = [var.grafana]
}

run "an_existing_grafana_without_tls" {
  command = plan
  variables {
    grafana = { mode = "existing", url = "http://grafana.octo.example" }
  }
  expect_failures = [var.grafana]
}

run "an_address_for_a_workspace_that_gets_one" {
  command = plan
  variables {
    grafana = { mode = "none", url = "https://grafana.octo.example" }
  }
  expect_failures = [var.grafana]
}

run "a_workspace_nobody_signs_in_to" {
  command = plan
  variables {
    grafana = { mode = "workspace", admin_groups = ["operators"] }
  }
  expect_failures = [var.grafana]
}

run "a_workspace_without_administrators" {
  command = plan
  variables {
    grafana = { mode = "workspace", saml_metadata_parameter = "/uptake/prod/saml-metadata" }
  }
  expect_failures = [var.grafana]
}

run "a_vpc_without_subnets" {
  command = plan
  variables {
    vpc = { subnet_ids = [], security_group_ids = ["sg-0123456789abcdef0"] }
  }
  expect_failures = [var.vpc]
}

run "a_vpc_without_security_groups" {
  command = plan
  variables {
    vpc = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["subnet-0123456789abcdef0"] }
  }
  expect_failures = [var.vpc]
}

run "a_lake_reader_that_is_a_user" {
  command = plan
  variables {
    lake_readers = ["arn:aws:iam::111122223333:user/somebody"]
  }
  expect_failures = [var.lake_readers]
}

run "an_engagement_reader_without_an_arn" {
  command = plan
  variables {
    engagement_readers = ["programme"]
  }
  expect_failures = [var.engagement_readers]
}
