# Queues: what failed for good, and the webhook's hints.

resource "aws_sqs_queue" "dead_letters" {
  name                              = "${local.prefix}-dead-letters"
  message_retention_seconds         = 14 * 24 * 60 * 60
  kms_master_key_id                 = aws_kms_key.operations.arn
  kms_data_key_reuse_period_seconds = 300
}

resource "aws_sqs_queue" "activity" {
  for_each = setintersection(local.functions, ["activity-webhook"])

  name = "${local.prefix}-activity"
  # Six times the timeout of audit-events, as Lambda wants it: a message must not come back while it is worked on.
  visibility_timeout_seconds = 6 * module.settings.timeouts["audit-events"]
  # A hint is worth nothing once the hourly look was there.
  message_retention_seconds         = 6 * 60 * 60
  kms_master_key_id                 = aws_kms_key.operations.arn
  kms_data_key_reuse_period_seconds = 300

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letters_arn
    # Throttled invocations count as receipts: audit-events runs one at a time, and a hint may wait for several of them.
    maxReceiveCount = 10
  })
}

locals {
  # By name, because names are known before queues are there: policies that name them can be read in a plan.
  dead_letters_arn = "${local.queue_arn}:${aws_sqs_queue.dead_letters.name}"
  activity_arn     = { for function, queue in aws_sqs_queue.activity : function => "${local.queue_arn}:${queue.name}" }
  queue_arn        = "arn:${local.partition}:sqs:${var.region}:${local.account}"
}

resource "aws_sqs_queue_policy" "tls_only" {
  for_each = merge({ dead-letters = aws_sqs_queue.dead_letters }, aws_sqs_queue.activity)

  queue_url = each.value.url
  policy    = data.aws_iam_policy_document.queue_tls_only[each.key].json
}

data "aws_iam_policy_document" "queue_tls_only" {
  for_each = merge({ dead-letters = local.dead_letters_arn }, local.activity_arn)

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]
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
