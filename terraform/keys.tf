# KMS keys: one for each circle of people and services. The engagement tables' own is in engagement.tf.

locals {
  keys = {
    store      = aws_kms_key.store
    secrets    = aws_kms_key.secrets
    identity   = aws_kms_key.identity
    operations = aws_kms_key.operations
  }
}

# Reports, tables, state, and results of queries over them.
resource "aws_kms_key" "store" {
  description             = "Uptake ${var.environment}: store"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.iam_decides.json
}

# SSM parameters.
resource "aws_kms_key" "secrets" {
  description             = "Uptake ${var.environment}: secrets in SSM"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.iam_decides.json
}

# The key that names in engagement tables are made with, as a parameter or wrapped before it becomes one: who may read
# Uptake's other secrets cannot read this one.
resource "aws_kms_key" "identity" {
  description             = "Uptake ${var.environment}: identity key"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.iam_decides.json
}

# Logs, queues, topics, schedules, environments of functions: nothing of it is secret, and AWS's services work with it.
resource "aws_kms_key" "operations" {
  description             = "Uptake ${var.environment}: logs, queues, alarms"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.operations_key.json
}

resource "aws_kms_alias" "keys" {
  for_each = local.keys

  name          = "alias/${local.prefix}-${each.key}"
  target_key_id = each.value.key_id
}

data "aws_iam_policy_document" "iam_decides" {
  statement {
    sid       = "IamDecides"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
}

data "aws_iam_policy_document" "operations_key" {
  source_policy_documents = [data.aws_iam_policy_document.iam_decides.json]

  statement {
    sid       = "Logs"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/lambda/${local.prefix}-*"]
    }
  }

  # Alarms, bounces and complaints come to topics that are encrypted. Whose they are is held to by the topics' policies:
  # neither service promises to tell KMS the account that it works for, and an alarm that cannot be told is worse.
  statement {
    sid       = "Topics"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "ses.amazonaws.com"]
    }
  }
}
