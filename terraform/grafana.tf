# Grafana: a workspace of ours, or an existing one by its address. Dashboards are uploaded by `uptake grafana push`.

locals {
  # In every mode but `none` somebody else's role reads with this policy.
  grafana = var.grafana.mode == "none" ? toset([]) : toset(["grafana"])

  grafana_url = (
    var.grafana.mode == "existing" ? var.grafana.url :
    var.grafana.mode == "workspace" ? one(module.grafana[*].url) : null
  )
}

module "grafana" {
  source = "./modules/grafana"
  count  = var.grafana.mode == "workspace" ? 1 : 0

  name                    = "${local.prefix}-grafana"
  saml_metadata_parameter = var.grafana.saml_metadata_parameter
  admin_groups            = var.grafana.admin_groups
  editor_groups           = var.grafana.editor_groups
  reader_policy_arn       = aws_iam_policy.grafana_reader["grafana"].arn
}

resource "aws_iam_policy" "grafana_reader" {
  for_each = local.grafana

  name        = "${local.prefix}-grafana-reader"
  description = "Figures, log events and the lake's tables, for Grafana's data sources"
  policy      = data.aws_iam_policy_document.grafana_reader.json
}

data "aws_iam_policy_document" "grafana_reader" {
  # Tables by Athena; those of engagement are not among them.
  source_policy_documents = [data.aws_iam_policy_document.reader["lake"].json]

  # None of these can be narrowed to a metric, an alarm or a namespace.
  statement {
    sid = "Figures"
    actions = [
      "cloudwatch:DescribeAlarmHistory",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:DescribeAlarmsForMetric",
      "cloudwatch:GetMetricData",
      "cloudwatch:ListMetrics",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "FindLogs"
    actions   = ["logs:DescribeLogGroups", "logs:GetQueryResults", "logs:StopQuery"]
    resources = ["*"]
  }

  statement {
    sid     = "QueryLogs"
    actions = ["logs:GetLogEvents", "logs:GetLogGroupFields", "logs:StartQuery"]
    resources = [
      "${local.weekly_log_groups}/workflow-runs-*",
      "${local.weekly_log_groups}/license-usage-*",
      "${local.operations.log_groups_arn}:/aws/lambda/${local.prefix}-*",
    ]
  }

  statement {
    sid       = "FindWorkgroups"
    actions   = ["athena:ListDataCatalogs", "athena:ListDatabases", "athena:ListTableMetadata", "athena:ListWorkGroups"]
    resources = ["*"]
  }
}
