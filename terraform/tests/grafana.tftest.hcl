# Grafana in its three modes, and the alarm of the whole: what moto does not have. The provider is mocked.

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
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "<EntityDescriptor/>" }
  }
  mock_resource "aws_grafana_workspace" {
    override_during = plan
    defaults        = { id = "g-0123456789", endpoint = "g-0123456789.grafana-workspace.eu-central-1.amazonaws.com" }
  }
}

variables {
  environment = "prod"
  region      = "eu-central-1"
  packages    = "tests/packages"
  functions   = ["copilot-seats", "grafana-health"]
}

run "none" {
  command = plan

  assert {
    condition     = length(module.grafana) == 0 && length(aws_iam_policy.grafana_reader) == 0 && output.grafana.url == null
    error_message = "There is something of Grafana."
  }
  assert {
    condition     = keys(module.function) == ["copilot-seats"]
    error_message = "grafana-health has nothing to look at."
  }
}

run "existing" {
  command = plan
  variables {
    grafana = { mode = "existing", url = "https://grafana.octo.example" }
  }

  assert {
    condition     = length(module.grafana) == 0 && length(aws_iam_policy.grafana_reader) == 1
    error_message = "An existing Grafana needs a policy to read with, and no workspace."
  }
  assert {
    condition     = module.settings.functions["grafana-health"].environment["UPTAKE_GRAFANA_URL"] == "https://grafana.octo.example"
    error_message = "grafana-health looks elsewhere."
  }
}

run "an_address_with_a_path" {
  command = plan
  variables {
    grafana = { mode = "existing", url = "https://octo.example/grafana" }
  }
  expect_failures = [var.grafana]
}

run "workspace" {
  command = plan
  variables {
    grafana = {
      mode                    = "workspace"
      saml_metadata_parameter = "/uptake/prod/saml-metadata"
      admin_groups            = ["uptake-operators"]
    }
  }

  assert {
    condition     = output.grafana.url == "https://g-0123456789.grafana-workspace.eu-central-1.amazonaws.com" && output.grafana.workspace_id == "g-0123456789"
    error_message = "The workspace is at ${jsonencode(output.grafana)}."
  }
  assert {
    condition     = module.settings.functions["grafana-health"].environment["UPTAKE_GRAFANA_URL"] == output.grafana.url
    error_message = "grafana-health looks elsewhere."
  }
}

run "the_workspace_itself" {
  command = plan
  module {
    source = "./modules/grafana"
  }
  variables {
    name                    = "uptake-prod-grafana"
    saml_metadata_parameter = "/uptake/prod/saml-metadata"
    admin_groups            = ["uptake-operators"]
    editor_groups           = ["uptake-editors"]
    reader_policy_arn       = "arn:aws:iam::111122223333:policy/uptake-prod-grafana-reader"
  }

  assert {
    condition     = aws_grafana_workspace.grafana.grafana_version == "12.4" && aws_grafana_workspace.grafana.authentication_providers == tolist(["SAML"])
    error_message = "Another version, or another way to sign in."
  }
  assert {
    condition     = toset(aws_grafana_workspace.grafana.data_sources) == toset(["ATHENA", "CLOUDWATCH"])
    error_message = "Other data sources."
  }
  assert {
    condition     = aws_grafana_workspace_saml_configuration.sign_in.admin_role_values == tolist(["uptake-operators"]) && aws_grafana_workspace_saml_configuration.sign_in.editor_role_values == tolist(["uptake-editors"])
    error_message = "Groups do not get their roles."
  }
  assert {
    condition     = aws_grafana_workspace_saml_configuration.sign_in.idp_metadata_xml == "<EntityDescriptor/>"
    error_message = "The identity provider is another one."
  }
  assert {
    condition     = aws_iam_role_policy_attachment.reads.policy_arn == "arn:aws:iam::111122223333:policy/uptake-prod-grafana-reader"
    error_message = "The workspace may read something else."
  }
}

run "healthy_is_all_alarms_in_one_rule" {
  command = plan
  module {
    source = "./modules/health"
  }
  variables {
    name        = "uptake-prod-healthy"
    description = "All is well."
    alarm_names = ["b", "a"]
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.healthy.alarm_rule == "ALARM(\"a\") OR ALARM(\"b\")" && length(aws_cloudwatch_composite_alarm.part) == 0
    error_message = "The rule is ${aws_cloudwatch_composite_alarm.healthy.alarm_rule}."
  }
}

run "more_alarms_than_a_rule_takes_come_in_parts" {
  command = plan
  module {
    source = "./modules/health"
  }
  variables {
    name        = "uptake-prod-healthy"
    description = "All is well."
    alarm_names = [for number in range(101) : format("alarm-%03d", number)]
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.healthy.alarm_rule == "ALARM(\"uptake-prod-healthy-part-1\") OR ALARM(\"uptake-prod-healthy-part-2\")"
    error_message = "The rule is ${aws_cloudwatch_composite_alarm.healthy.alarm_rule}."
  }
  assert {
    condition     = aws_cloudwatch_composite_alarm.part["2"].alarm_rule == "ALARM(\"alarm-100\")"
    error_message = "The second part is ${aws_cloudwatch_composite_alarm.part["2"].alarm_rule}."
  }
}
