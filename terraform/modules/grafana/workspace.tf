# An Amazon Managed Grafana workspace that people sign in to with SAML.
# A module of its own, because moto has no Grafana: tests on moto leave it out, tests with a mocked provider have it.

resource "aws_grafana_workspace" "grafana" {
  name        = var.name
  description = "Uptake's dashboards"

  # The newest version that Amazon offers; pinned, because Grafana's dashboards are tested with it.
  grafana_version = "12.4"

  account_access_type      = "CURRENT_ACCOUNT"
  authentication_providers = ["SAML"]
  permission_type          = "CUSTOMER_MANAGED"
  role_arn                 = aws_iam_role.grafana.arn
  data_sources             = ["ATHENA", "CLOUDWATCH"]

  configuration = jsonencode({
    # Athena's data source is a plugin that an administrator of Grafana installs.
    plugins         = { pluginAdminEnabled = true }
    unifiedAlerting = { enabled = false }
  })
}

resource "aws_grafana_workspace_saml_configuration" "sign_in" {
  workspace_id       = aws_grafana_workspace.grafana.id
  idp_metadata_xml   = data.aws_ssm_parameter.saml_metadata.insecure_value
  role_assertion     = "role"
  groups_assertion   = "groups"
  email_assertion    = "email"
  login_assertion    = "email"
  name_assertion     = "displayName"
  admin_role_values  = var.admin_groups
  editor_role_values = var.editor_groups
}

# Addresses and the certificate that the identity provider shows to everybody: no secret, so that it may be in the state.
data "aws_ssm_parameter" "saml_metadata" {
  name = var.saml_metadata_parameter
}

resource "aws_iam_role" "grafana" {
  name               = var.name
  description        = "What Grafana reads: figures, log events and tables"
  assume_role_policy = data.aws_iam_policy_document.grafana_may_assume.json
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "grafana_may_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["grafana.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy_attachment" "reads" {
  role       = aws_iam_role.grafana.name
  policy_arn = var.reader_policy_arn
}
