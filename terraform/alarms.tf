# Alarms of the deployment as a whole, and where all of them are told. A function's own are made with the function.

locals {
  # Written by `cargo xtask generate` out of crates/domain/src/alarms.rs. A name may be there several times, for different
  # functions with different thresholds.
  alarms = [
    for alarm in jsondecode(file("${path.module}/generated/alarms.json")) :
    merge(alarm, { description = "${alarm.tells} ${var.documentation_url}#${alarm.name}" })
  ]

  alarms_of = {
    for function in local.functions : function => {
      for alarm in local.alarms : alarm.name => alarm if contains(alarm.functions, function)
    }
  }

  healthy_alarm = "${local.prefix}-healthy"
}

resource "aws_cloudwatch_metric_alarm" "whole" {
  for_each = { for alarm in local.alarms : alarm.name => alarm if length(alarm.functions) == 0 }

  alarm_name        = "${local.prefix}-${each.key}"
  alarm_description = each.value.description

  namespace   = each.value.namespace
  metric_name = each.value.metric
  dimensions  = each.value.dimension == null ? {} : { (each.value.dimension) = aws_sqs_queue.dead_letters.name }

  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period_seconds
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing

  alarm_actions = [local.topics.alarms.arn]
  ok_actions    = [local.topics.alarms.arn]

  # As in modules/scheduled-function/alarms.tf.
  lifecycle {
    create_before_destroy = true
  }
}

module "health" {
  source = "./modules/health"

  name        = local.healthy_alarm
  description = "OK as long as every other alarm is. ${var.documentation_url}#healthy"
  alarm_names = concat(
    flatten([for function in module.function : function.alarm_names]),
    [for alarm in aws_cloudwatch_metric_alarm.whole : alarm.alarm_name],
  )
}

resource "aws_sns_topic" "alarms" {
  name              = "${local.prefix}-alarms"
  display_name      = "Uptake ${var.environment}: alarms"
  kms_master_key_id = aws_kms_key.operations.arn
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  topics = {
    for key, topic in {
      alarms      = { name = aws_sns_topic.alarms.name, publisher = "cloudwatch.amazonaws.com" }
      mail_events = { name = aws_sns_topic.mail_events.name, publisher = "ses.amazonaws.com" }
    } : key => merge(topic, { arn = "arn:${local.partition}:sns:${var.region}:${local.account}:${topic.name}" })
  }
}

resource "aws_sns_topic_policy" "topics" {
  for_each = local.topics

  arn    = each.value.arn
  policy = data.aws_iam_policy_document.topics[each.key].json
}

data "aws_iam_policy_document" "topics" {
  for_each = local.topics

  statement {
    sid       = "Publish"
    actions   = ["sns:Publish"]
    resources = [each.value.arn]
    principals {
      type        = "Service"
      identifiers = [each.value.publisher]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [each.value.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
